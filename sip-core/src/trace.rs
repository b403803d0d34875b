//! A tap on every message sent and received, for ladder diagrams and captures; nothing runs while none is set.
//!
//! Bytes reach the tap as they were on the wire. What is meant for eyes, [`TapMessage::label`] and
//! [`TapMessage::redacted`], shows no digest response, password or media key.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use core::fmt::Write as _;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr};
use sidetone_hal::time::Instant;

/// Hears of each message; set by [`Endpoint::set_tap`](crate::Endpoint::set_tap).
pub trait Tap: Send {
    /// One message was received, or is handed out to be sent (retransmissions too).
    fn message(&mut self, message: &TapMessage<'_>);
}

impl<F: FnMut(&TapMessage<'_>) + Send> Tap for F {
    fn message(&mut self, message: &TapMessage<'_>) {
        self(message);
    }
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From us.
    Sent,
    /// To us.
    Received,
}

/// One message on the wire.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct TapMessage<'a> {
    /// When.
    pub now: Instant,
    /// Which way.
    pub direction: Direction,
    /// The transport.
    pub protocol: Protocol,
    /// The socket or connection.
    pub flow: FlowId,
    /// Our address, where it is known.
    pub local: Option<SocketAddr>,
    /// The other side's address.
    pub remote: SocketAddr,
    /// The message as on the wire: not redacted.
    pub bytes: &'a [u8],
}

impl TapMessage<'_> {
    /// One line for an arrow of a ladder: `INVITE sip:bob@example.org` or `200 OK (INVITE)`, at most 72
    /// characters of it, passwords of URIs masked.
    #[must_use]
    pub fn label(&self) -> String {
        let text = String::from_utf8_lossy(self.bytes.get(..MAX_LABEL_SCAN).unwrap_or(self.bytes));
        let first = text.lines().next().unwrap_or_default();
        let label = match first.strip_prefix("SIP/2.0 ") {
            Some(status) => match cseq_method(&text) {
                Some(method) => format!("{status} ({method})"),
                None => String::from(status),
            },
            None => mask_passwords(first.strip_suffix(" SIP/2.0").unwrap_or(first)).into_owned(),
        };
        label.chars().filter(|c| !c.is_control()).take(MAX_LABEL).collect()
    }

    /// The whole text, with digest responses, URI passwords and SDP media keys replaced by `***`.
    #[must_use]
    pub fn redacted(&self) -> String {
        let text = String::from_utf8_lossy(self.bytes);
        let mut out = String::with_capacity(text.len());
        // A folded line belongs to the header above it.
        let mut secret = Secret::None;
        for line in text.split_inclusive('\n') {
            if !line.starts_with([' ', '\t']) {
                secret = Secret::of(line);
            }
            match secret {
                Secret::Credentials => out.push_str(&mask_credentials(line)),
                Secret::Key => out.push_str(&mask_after(line, "inline:", |c| c.is_whitespace() || c == ';')),
                Secret::None => out.push_str(&mask_passwords(line)),
            }
        }
        out
    }
}

impl core::fmt::Debug for TapMessage<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TapMessage")
            .field("now", &self.now)
            .field("direction", &self.direction)
            .field("flow", &self.flow)
            .field("remote", &self.remote)
            .field("label", &self.label())
            .finish_non_exhaustive()
    }
}

/// Longest label, in characters.
const MAX_LABEL: usize = 72;
/// CSeq stands within this many bytes of any sane message; a label is not worth reading more.
const MAX_LABEL_SCAN: usize = 4096;
const MASK: &str = "***";

#[derive(Clone, Copy)]
enum Secret {
    None,
    Credentials,
    Key,
}

impl Secret {
    fn of(line: &str) -> Self {
        let name = line.split(':').next().unwrap_or_default().trim();
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let headers =
            ["Authorization", "Proxy-Authorization", "Authentication-Info", "Proxy-Authentication-Info"];
        if headers.into_iter().any(is) {
            Self::Credentials
        } else if line.starts_with("a=crypto:") {
            Self::Key
        } else {
            Self::None
        }
    }
}

fn cseq_method(text: &str) -> Option<&str> {
    let line = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("CSeq").then_some(value)
    })?;
    line.split_whitespace().nth(1)
}

/// Masks the values that prove knowledge of a password; all of it when the scheme is not Digest.
fn mask_credentials(line: &str) -> Cow<'_, str> {
    let value = line.split_once(':').map_or("", |(_, value)| value.trim_start());
    let scheme = value.split([' ', '\t']).next().unwrap_or_default();
    let named = line.split_once(':').is_some_and(|(name, _)| name.trim().len() > 1 && !name.contains('='));
    if named && !scheme.eq_ignore_ascii_case("digest") && !scheme.contains('=') {
        let kept = line.find(value).and_then(|at| line.get(..at + scheme.len())).unwrap_or_default();
        return Cow::Owned(format!("{kept} {MASK}\r\n"));
    }
    let mut masked = Cow::Borrowed(line);
    for name in ["response", "cnonce", "rspauth"] {
        if let Cow::Owned(next) = mask_parameter(&masked, name) {
            masked = Cow::Owned(next);
        }
    }
    masked
}

/// Replaces the value of `name=…` or `name="…"`, wherever white space stands.
fn mask_parameter<'a>(line: &'a str, name: &str) -> Cow<'a, str> {
    let lower = line.to_ascii_lowercase();
    let mut out = String::new();
    // Up to here the line is in `out`.
    let mut done = 0;
    for (at, _) in lower.match_indices(name) {
        let end = at + name.len();
        let (Some(before), Some(after)) = (line.get(done..at), line.get(end..)) else { continue };
        let starts = at == 0 || line.get(..at).is_some_and(|all| all.ends_with([' ', '\t', ',', ':']));
        let Some(value) = after.trim_start().strip_prefix('=').map(str::trim_start).filter(|_| starts) else {
            continue;
        };
        let rest = match value.strip_prefix('"') {
            Some(quoted) => after_quote(quoted),
            None => {
                let end = value.find([',', '\r', '\n', ' ', '\t', ';']);
                end.and_then(|end| value.get(end..)).unwrap_or_default()
            }
        };
        let _ = write!(out, "{before}{}=\"{MASK}\"", line.get(at..end).unwrap_or(name));
        done = line.len() - rest.len();
    }
    if done == 0 { Cow::Borrowed(line) } else { Cow::Owned(out + line.get(done..).unwrap_or_default()) }
}

/// What follows a quoted string, given from after its first quote.
fn after_quote(quoted: &str) -> &str {
    let mut escaped = false;
    let end = quoted.bytes().position(|byte| {
        let is_end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        is_end
    });
    end.and_then(|end| quoted.get(end + 1..)).unwrap_or_default()
}

/// Replaces what follows each `marker` up to a character that `ends` it.
fn mask_after<'a>(line: &'a str, marker: &str, ends: impl Fn(char) -> bool) -> Cow<'a, str> {
    let (mut out, mut rest) = (String::new(), line);
    while let Some((before, secret)) = rest.split_once(marker) {
        let _ = write!(out, "{before}{marker}{MASK}");
        rest = secret.find(&ends).and_then(|end| secret.get(end..)).unwrap_or_default();
    }
    if out.is_empty() { Cow::Borrowed(line) } else { Cow::Owned(out + rest) }
}

/// Masks the password of each `sip:user:password@host` in the text.
fn mask_passwords(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = find_scheme(rest) {
        let (before, uri) = rest.split_at(at);
        out.push_str(before);
        let end = uri.find(['>', ' ', '"', '\r', '\n', ',']).unwrap_or(uri.len());
        let (uri, after) = uri.split_at(end);
        match uri.split_once('@').and_then(|(user, host)| Some((user.split_once(':')?, host))) {
            Some(((user, password), host)) if !password.is_empty() => {
                out.push_str(&format!("{user}:{MASK}@{host}"));
            }
            _ => out.push_str(uri),
        }
        rest = after;
    }
    if out.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(out + rest) }
}

/// Where the user part of the next SIP URI starts: after its scheme.
fn find_scheme(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let ends = ["sip:", "sips:"].map(|scheme| lower.find(scheme).map(|at| at + scheme.len()));
    ends.into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::net::{IpAddr, Ipv4Addr};

    fn message(bytes: &[u8]) -> TapMessage<'_> {
        TapMessage {
            now: Instant::ZERO,
            direction: Direction::Received,
            protocol: Protocol::Udp,
            flow: FlowId(0),
            local: None,
            remote: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5060),
            bytes,
        }
    }

    #[test]
    fn labels_name_the_method_or_the_status_with_its_method() {
        let table: [(&[u8], &str); 5] = [
            (b"INVITE sip:bob@example.org SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n", "INVITE sip:bob@example.org"),
            (b"SIP/2.0 200 OK\r\nCSEQ : 7  BYE\r\n\r\n", "200 OK (BYE)"),
            (b"SIP/2.0 404 Not Found\r\n\r\n", "404 Not Found"),
            (b"REGISTER sip:bob:hunter2@example.org SIP/2.0\r\n\r\n", "REGISTER sip:bob:***@example.org"),
            (b"\x00\xff\r\n", "\u{fffd}"),
        ];
        for (bytes, label) in table {
            assert_eq!(message(bytes).label(), label);
        }
        let long: Vec<u8> = core::iter::repeat_n(b'x', 100_000).collect();
        assert_eq!(message(&long).label().len(), MAX_LABEL);
    }

    #[test]
    fn secrets_are_masked_and_the_rest_is_kept() {
        let text = "REGISTER sip:example.org SIP/2.0\r\n\
            From: <sip:al:s3cret@example.org>;tag=1, <sips:bo:s4cret@example.org>\r\n\
            Authorization: Digest username=\"al\", response=\"0a1b2c\", nc=00000001,\r\n \
            cnonce = \"c0ffee\", qop=auth\r\n\
            Proxy-Authorization: Basic YWw6czNjcmV0\r\n\
            Authentication-Info: rspauth=\"5ecce7\", qop=auth\r\n\r\n\
            a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkg|2^20\r\n\
            a=rtpmap:0 PCMU/8000\r\n";
        let shown = message(text.as_bytes()).redacted();
        for secret in ["s3cret", "s4cret", "0a1b2c", "c0ffee", "YWw6", "5ecce7", "WVNf"] {
            assert!(!shown.contains(secret), "{secret} in\n{shown}");
        }
        for kept in [
            "username=\"al\"",
            "nc=00000001",
            "qop=auth",
            "a=rtpmap:0",
            "Basic ***",
            "<sip:al:***@example.org>;tag=1",
        ] {
            assert!(shown.contains(kept), "{kept} not in\n{shown}");
        }
    }

    #[test]
    fn each_secret_of_a_line_is_masked() {
        let text = "REGISTER sip:example.org SIP/2.0\r\n\
            Authorization: Digest realm=\"a\", response=\"01\", cnonce=\"02\", Digest realm=\"b\", RESPONSE = 03,cnonce=04, \
            response=\"05\\\"06\", qop=auth\r\n\
            Proxy-Authorization: Digest response=07\r\n response=08, nc=1, response=09, response=\"10\r\n\
            \r\n\
            a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:11|2^20|1:4;inline:12|2^20|2:4 inline:13\r\n";
        let shown = message(text.as_bytes()).redacted();
        let masked = "REGISTER sip:example.org SIP/2.0\r\n\
            Authorization: Digest realm=\"a\", response=\"***\", cnonce=\"***\", Digest realm=\"b\", RESPONSE=\"***\",\
            cnonce=\"***\", response=\"***\", qop=auth\r\n\
            Proxy-Authorization: Digest response=\"***\"\r\n response=\"***\", nc=1, response=\"***\", response=\"***\"\
            \r\n\
            a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***;inline:*** inline:***\r\n";
        assert_eq!(shown, masked);
    }
}
