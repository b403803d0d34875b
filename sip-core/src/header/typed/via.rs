//! Via: the path of a request, which its responses take back (RFC 3261 §20.42, RFC 3581).

use super::emit_display;
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{Header, HeaderName, HeaderValue, Params};
use crate::leniency::Lenient;
use crate::parse::{Fault, Parsed, class, grammar};
use crate::text::Text;
use crate::uri::{Host, protocol};
use alloc::string::ToString;
use bytes::Bytes;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;
use sidetone_hal::net::Protocol;

/// One value of Via.
///
/// ```
/// use sidetone_sip_core::{Protocol, header::Via};
/// let mut via: Via = "SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bKkjshdyff".parse().unwrap();
/// assert_eq!(via.protocol(), Some(Protocol::Udp));
/// assert_eq!(via.rport(), Some(None));
/// via.set_received("192.0.2.1".parse().unwrap());
/// via.set_rport(Some(9988));
/// assert_eq!(via.to_string(), "SIP/2.0/UDP 10.1.1.1:4540;rport=9988;branch=z9hG4bKkjshdyff;received=192.0.2.1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// The transport that the request came over.
    pub transport: ViaTransport,
    /// The sender, as it calls itself.
    pub host: Host,
    /// The sender's port for responses, if written.
    pub port: Option<u16>,
    /// `branch`, `rport`, `received`, `maddr`, `ttl` and others.
    pub params: Params,
}

/// The transport that a Via names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViaTransport {
    /// One that we know.
    Known(Protocol),
    /// Another token, as `SCTP`.
    Other(Text),
}

impl Via {
    /// What every branch made by RFC 3261's rules begins with (§8.1.1.7).
    pub const MAGIC_COOKIE: &'static str = "z9hG4bK";

    /// A Via without parameters.
    #[must_use]
    pub fn new(protocol: Protocol, host: impl Into<Host>, port: Option<u16>) -> Self {
        Self { transport: ViaTransport::Known(protocol), host: host.into(), port, params: Params::new() }
    }

    /// The transport, when it is one that we know.
    #[must_use]
    pub const fn protocol(&self) -> Option<Protocol> {
        match self.transport {
            ViaTransport::Known(protocol) => Some(protocol),
            ViaTransport::Other(_) => None,
        }
    }

    /// The `branch`: the name of the transaction.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.params.raw("branch").flatten()
    }

    /// Sets the `branch`.
    pub fn set_branch(&mut self, branch: &str) {
        self.params.set("branch", branch);
    }

    /// The `rport` parameter (RFC 3581): `Some(None)` asks for it, `Some(Some(port))` answers. A value that is
    /// no port counts as asking.
    #[must_use]
    pub fn rport(&self) -> Option<Option<u16>> {
        let value = self.params.raw("rport")?;
        Some(value.and_then(|value| value.parse().ok()))
    }

    /// Asks for `rport`, or answers with the port that the request came from.
    pub fn set_rport(&mut self, port: Option<u16>) {
        match port {
            Some(port) => self.params.set("rport", &port.to_string()),
            None => self.params.set_flag("rport"),
        }
    }

    /// The address that the request came from; an IPv6 address may be in brackets (RFC 5118 §4.5).
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        let value = self.params.get("received")?;
        let bare = value.strip_prefix('[').and_then(|value| value.strip_suffix(']'));
        bare.unwrap_or(&value).parse().ok()
    }

    /// Sets the address that the request came from; IPv6 without brackets, as the grammar has it.
    pub fn set_received(&mut self, address: IpAddr) {
        self.params.set("received", &address.to_string());
    }

    /// The `maddr` parameter: the address to send the response to instead.
    #[must_use]
    pub fn maddr(&self) -> Option<Host> {
        Host::parse(self.params.get("maddr")?.as_bytes()).ok()
    }

    /// The `ttl` parameter of a multicast request.
    #[must_use]
    pub fn ttl(&self) -> Option<u8> {
        self.params.get("ttl")?.parse().ok()
    }

    fn read<'a>(source: &Bytes, input: &'a [u8], lenient: Lenient) -> Parsed<'a, Self> {
        let (rest, transport) = sent_protocol(source, input)?;
        let Some(len) = Host::len_with(rest, lenient) else {
            return Fault::error(rest, ParseErrorKind::Host);
        };
        let (host, after) = rest.split_at_checked(len).unwrap_or_default();
        let host = match Host::of(source, host) {
            Ok(host) => host,
            Err(error) => return Fault::error(rest, error.kind),
        };
        let (rest, port) = match grammar::separator(b':')(after) {
            Ok((rest, ())) => {
                let (after, digits) = grammar::digits(rest)?;
                match class::number(digits).and_then(|port| u16::try_from(port).ok()) {
                    Some(port) => (after, Some(port)),
                    None => return Fault::error(rest, ParseErrorKind::Port),
                }
            }
            Err(_) => (after, None),
        };
        let (rest, params) = Params::read_with(source, rest, lenient)?;
        Ok((rest, Self { transport, host, port, params }))
    }
}

/// `SIP / 2.0 / transport` and the space after it.
fn sent_protocol<'a>(source: &Bytes, input: &'a [u8]) -> Parsed<'a, ViaTransport> {
    let rest = match input.strip_prefix(b"SIP/2.0/") {
        Some(rest) => rest,
        None => {
            let (rest, name) = grammar::token(input)?;
            let (rest, ()) = grammar::separator(b'/')(rest)?;
            let (rest, version) = grammar::token(rest)?;
            if !name.eq_ignore_ascii_case(b"SIP") || version != b"2.0" {
                return Fault::error(input, ParseErrorKind::Version);
            }
            grammar::separator(b'/')(rest)?.0
        }
    };
    let (rest, transport) = grammar::token(rest)?;
    let after = grammar::skip_spaces(rest);
    if after.len() == rest.len() {
        return Fault::error(rest, ParseErrorKind::Separator(' '));
    }
    let known = match transport {
        b"UDP" => Some(Protocol::Udp),
        b"TCP" => Some(Protocol::Tcp),
        b"TLS" => Some(Protocol::Tls),
        _ => core::str::from_utf8(transport).ok().and_then(protocol),
    };
    let transport =
        known.map_or_else(|| ViaTransport::Other(Text::slice_ascii(source, transport)), ViaTransport::Known);
    Ok((after, transport))
}

impl Header for Via {
    const NAME: HeaderName = HeaderName::VIA;
    const LIST: bool = true;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        Self::parse_value(HeaderValue::whole(value))
    }

    fn parse_value(value: HeaderValue<'_>) -> Result<Self, ParseError> {
        grammar::complete(value.as_bytes(), |input| Self::read(value.source(), input, value.lenient()))
    }

    emit_display!();
}

impl From<Protocol> for ViaTransport {
    fn from(protocol: Protocol) -> Self {
        Self::Known(protocol)
    }
}

impl fmt::Display for ViaTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(protocol) => f.write_str(protocol.as_str()),
            Self::Other(name) => f.write_str(name),
        }
    }
}

impl FromStr for Via {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}
