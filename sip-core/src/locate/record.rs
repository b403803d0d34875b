//! What is asked of DNS and what comes back: questions, records, answers.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use sidetone_hal::net::Protocol;

/// Names a question. Not used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub(super) u64);

impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query {}", self.0)
    }
}

/// The record types that server location asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueryKind {
    /// RFC 3403.
    Naptr,
    /// RFC 2782.
    Srv,
    /// An IPv4 address (RFC 1035 §3.4.1).
    A,
    /// An IPv6 address (RFC 3596).
    Aaaa,
}

impl fmt::Display for QueryKind {
    /// The type's mnemonic, as in a zone file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Naptr => "NAPTR",
            Self::Srv => "SRV",
            Self::A => "A",
            Self::Aaaa => "AAAA",
        })
    }
}

/// A question for DNS; the answer goes to [`Locator::handle_answer`](super::Locator::handle_answer).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Query {
    /// To be given back with the answer.
    pub id: QueryId,
    /// The name: in lower case, without the dot at the end, never a numeric address.
    pub name: Arc<str>,
    /// The record type.
    pub kind: QueryKind,
}

/// One record as DNS gives it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// Whose it is. It may be another name than the one that was asked for: the resolver follows CNAMEs.
    pub name: String,
    /// How long it may be kept.
    pub ttl: Duration,
    /// The rest.
    pub data: RecordData,
}

impl Record {
    /// A record.
    #[must_use]
    pub fn new(name: impl Into<String>, ttl: Duration, data: impl Into<RecordData>) -> Self {
        Self { name: name.into(), ttl, data: data.into() }
    }
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RecordData {
    /// Which protocol a domain offers, and where.
    Naptr(Naptr),
    /// A server of a service.
    Srv(Srv),
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
}

impl RecordData {
    /// The record type.
    #[must_use]
    pub const fn kind(&self) -> QueryKind {
        match self {
            Self::Naptr(_) => QueryKind::Naptr,
            Self::Srv(_) => QueryKind::Srv,
            Self::A(_) => QueryKind::A,
            Self::Aaaa(_) => QueryKind::Aaaa,
        }
    }
}

impl From<Naptr> for RecordData {
    fn from(naptr: Naptr) -> Self {
        Self::Naptr(naptr)
    }
}

impl From<Srv> for RecordData {
    fn from(srv: Srv) -> Self {
        Self::Srv(srv)
    }
}

impl From<Ipv4Addr> for RecordData {
    fn from(address: Ipv4Addr) -> Self {
        Self::A(address)
    }
}

impl From<Ipv6Addr> for RecordData {
    fn from(address: Ipv6Addr) -> Self {
        Self::Aaaa(address)
    }
}

/// A NAPTR record (RFC 3403 §4) as SIP uses it (RFC 3263 §4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Naptr {
    /// The lowest order that can be used is used, and no other.
    pub order: u16,
    /// Within one order, the lowest comes first.
    pub preference: u16,
    /// What follows, in either case: `S` an SRV look-up, `A` an address look-up, nothing another NAPTR look-up.
    /// Records with `U`, `P` or anything else are passed over: they lead to no server.
    pub flags: String,
    /// As in `SIP+D2T`; read by [`Service::parse`].
    pub service: String,
    /// Always empty for SIP: a record with one is passed over.
    pub regexp: String,
    /// The name to look up next.
    pub replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Srv {
    /// The lowest comes first.
    pub priority: u16,
    /// The share of those with the same priority.
    pub weight: u16,
    /// The server's port.
    pub port: u16,
    /// The server's name; `.` says that there is no such service. A numeric address is taken as it is, which RFC 2782
    /// does not allow but records in use have.
    pub target: String,
}

/// A NAPTR service of SIP: scheme and transport (RFC 3263 §8, RFC 7118 §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// `SIP+D2U`.
    SipUdp,
    /// `SIP+D2T`.
    SipTcp,
    /// `SIP+D2S`: SCTP, for which there is no transport here.
    SipSctp,
    /// `SIPS+D2T`: TLS over TCP.
    SipsTcp,
    /// `SIPS+D2S`: TLS over SCTP, for which there is no transport here.
    SipsSctp,
    /// `SIP+D2W`: WebSocket.
    SipWebSocket,
    /// `SIPS+D2W`: secure WebSocket.
    SipsWebSocket,
}

impl Service {
    const ALL: [(Self, &'static str, Option<Protocol>); 7] = [
        (Self::SipUdp, "SIP+D2U", Some(Protocol::Udp)),
        (Self::SipTcp, "SIP+D2T", Some(Protocol::Tcp)),
        (Self::SipSctp, "SIP+D2S", None),
        (Self::SipsTcp, "SIPS+D2T", Some(Protocol::Tls)),
        (Self::SipsSctp, "SIPS+D2S", None),
        (Self::SipWebSocket, "SIP+D2W", Some(Protocol::Ws)),
        (Self::SipsWebSocket, "SIPS+D2W", Some(Protocol::Wss)),
    ];

    /// Reads the service field of a NAPTR record, in either case; `None` for a service of something else than SIP.
    ///
    /// ```
    /// use sidetone_sip_core::locate::Service;
    /// assert_eq!(Service::parse("sips+d2t"), Some(Service::SipsTcp));
    /// assert_eq!(Service::parse("E2U+sip"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name, _)| text.eq_ignore_ascii_case(name)).map(|(service, ..)| *service)
    }

    /// The transport; `None` for SCTP.
    #[must_use]
    pub fn protocol(self) -> Option<Protocol> {
        Self::ALL.iter().find(|(service, ..)| *service == self).and_then(|(.., protocol)| *protocol)
    }
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// Records of the type that was asked for.
    Records {
        /// The answer section, CNAMEs followed. Records of other types are passed over.
        records: Vec<Record>,
        /// The additional section: addresses of SRV targets, SRV records of NAPTR replacements.
        additional: Vec<Record>,
    },
    /// The name exists, and has no record of this type.
    NoData {
        /// How long that may be remembered (RFC 2308 §5); `None` when the answer had no SOA record, and then the
        /// locator's own time counts.
        ttl: Option<Duration>,
    },
    /// The name does not exist.
    NameError {
        /// As in [`Answer::NoData`].
        ttl: Option<Duration>,
    },
    /// The servers could not say: no answer in time, SERVFAIL, REFUSED. Not remembered.
    Failed,
}

impl Answer {
    /// An answer without additional records.
    #[must_use]
    pub const fn records(records: Vec<Record>) -> Self {
        Self::Records { records, additional: Vec::new() }
    }
}

/// What one question is about: what caches and look-ups go by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) kind: QueryKind,
    pub(super) name: Arc<str>,
}

impl Key {
    /// The key of a name in whatever case, with or without a dot at the end; `None` when it cannot be a name in DNS.
    pub(super) fn new(kind: QueryKind, name: &str) -> Option<Self> {
        Some(Self { kind, name: normal(name)? })
    }
}

/// The longest name, in octets without the dot at the end (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;
/// The longest label (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// A name in lower case without the dot at its end; `None` when DNS has no such names.
pub(super) fn normal(name: &str) -> Option<Arc<str>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let fits = name.len() <= MAX_NAME
        && name.bytes().all(|byte| byte.is_ascii_graphic())
        && name.split('.').all(|label| (1..=MAX_LABEL).contains(&label.len()));
    fits.then(|| name.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_in_lower_case_without_the_last_dot() {
        assert_eq!(normal("SIP.Example.ORG.").as_deref(), Some("sip.example.org"));
        assert_eq!(normal("_sip._udp.example.org").as_deref(), Some("_sip._udp.example.org"));
        let long = "a.".repeat(126) + "a";
        assert!(normal(&long).is_some_and(|name| name.len() == 253));
        let label = "a".repeat(64);
        for wrong in ["", ".", "a..b", "a b", "f\u{fc}r.example", &label, &(long + "b")] {
            assert_eq!(normal(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_service_has_its_transport_and_sctp_has_none() {
        let read = |text| Service::parse(text).map(Service::protocol);
        assert_eq!(read("SIP+D2U"), Some(Some(Protocol::Udp)));
        assert_eq!(read("sip+D2t"), Some(Some(Protocol::Tcp)));
        assert_eq!(read("SIPS+D2T"), Some(Some(Protocol::Tls)));
        assert_eq!(read("SIP+D2W"), Some(Some(Protocol::Ws)));
        assert_eq!(read("SIPS+D2W"), Some(Some(Protocol::Wss)));
        assert_eq!(read("SIP+D2S"), Some(None));
        assert_eq!(read("SIPS+D2S"), Some(None));
        for other in ["", "SIP", "SIP+D2X", "SIPS+D2U", "E2U+sip", "SIP+D2U "] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
