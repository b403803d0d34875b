//! A host with or without a port.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr};
use core::str::FromStr;

/// A host name or an IP address, with or without a port: `stun.example.com`, `192.0.2.1:3478`, `[2001:db8::1]:3478`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The name, or the address as text, an IPv6 address without brackets.
    pub name: String,
    /// The port, 1 to 65535, if one was given.
    pub port: Option<u16>,
}

/// A text that is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a host with or without a port, as in `stun.example.com:3478`")]
pub struct HostError;

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let port = |text: &str| text.parse().ok().filter(|port| *port != 0).ok_or(HostError);
        if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Ok(Self { name: address.to_string(), port: None });
        }
        if let Some((address, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
            let address: Ipv6Addr = address.parse().map_err(|_| HostError)?;
            return Ok(Self { name: address.to_string(), port: Some(port(rest)?) });
        }
        let (name, port) = match text.split_once(':') {
            Some((name, rest)) => (name, Some(port(rest)?)),
            None => (text, None),
        };
        if is_name(name) { Ok(Self { name: name.to_owned(), port }) } else { Err(HostError) }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) if self.name.contains(':') => write!(f, "[{}]:{port}", self.name),
            Some(port) => write!(f, "{}:{port}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Labels of letters, digits, hyphens and underscores (RFC 1123 §2.1; the underscore is seen in names inside companies).
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    text.len() <= 253 && text.trim_end_matches('.').split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_and_addresses_with_or_without_a_port() {
        for (text, name, port) in [
            ("stun.example.com", "stun.example.com", None),
            ("stun.example.com:3479", "stun.example.com", Some(3479)),
            ("192.0.2.1:3478", "192.0.2.1", Some(3478)),
            ("2001:db8::1", "2001:db8::1", None),
            ("[2001:db8::1]:3478", "2001:db8::1", Some(3478)),
        ] {
            let host: Host = text.parse().unwrap();
            assert_eq!((host.name.as_str(), host.port), (name, port), "{text}");
            assert_eq!(host.to_string(), text);
        }
        for text in
            ["", ":3478", "a b", "a:0", "a:70000", "a..b", "sip:a", "[::1]:", "[x]:1", "a@b", "é.example"]
        {
            assert_eq!(text.parse::<Host>(), Err(HostError), "{text}");
        }
    }
}
