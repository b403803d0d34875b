//! How servers are located: what each request may choose, and the bounds of the machine.

use super::fixed::StaticRecords;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use sidetone_hal::net::Protocol;

/// How one request is to be located: plain data, an account's settings as a rule. [`LocateOptions::default`] is
/// RFC 3263; [`LocateOptions::yealink`] and [`LocateOptions::panasonic`] are what those telephones do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocateOptions {
    /// Whether NAPTR records choose the transport where neither URI nor caller does. Default on.
    pub naptr: bool,
    /// Whether SRV records are asked for (Panasonic's `SIP_DNSSRV_ENA`). Without them, and without NAPTR records, names
    /// have addresses only. Default on.
    pub srv: bool,
    /// The transports that can be used, the best liked first: the order in which SRV records are asked for without
    /// NAPTR records, and which services of NAPTR records count. Default UDP, TCP, TLS.
    pub transports: Vec<Protocol>,
    /// For which transports SRV records are asked for when there is no NAPTR record that can be used.
    /// Default [`SrvWithoutNaptr::Scheme`].
    pub srv_without_naptr: SrvWithoutNaptr,
    /// The transport of what is not `sips` when nothing else says which: for numbers, explicit ports, and names that
    /// have an address only. Default UDP (RFC 3263 §4.1).
    pub default_transport: Protocol,
    /// The port when nothing says which. `None`: the transport's own, 5060, 5061 for TLS, 80 and 443 for WebSocket.
    pub default_port: Option<u16>,
    /// What comes before the domain in SRV look-ups.
    pub prefixes: SrvPrefixes,
    /// The order among SRV records of one priority. Default [`SrvOrder::Weighted`].
    pub srv_order: SrvOrder,
    /// Which addresses a name is asked for, and which come first. Default [`AddressOrder::Ipv4First`].
    pub address_order: AddressOrder,
    /// Whether more than one target is given (Panasonic's `SIP_FOVR_NORSP`). Default on.
    pub failover: bool,
    /// Targets given at most, the first included (Panasonic's `SIP_FOVR_MAX`, 1 to 4). At least 1 and at most 32 count.
    /// Default 8.
    pub max_targets: usize,
    /// What is kept of answers. Default [`CacheMode::Answers`].
    pub cache: CacheMode,
    /// Records that are configured. Default none.
    pub static_records: Arc<StaticRecords>,
    /// Whether they or the DNS servers are asked first. Default [`StaticOrder::DnsFirst`].
    pub static_order: StaticOrder,
}

impl Default for LocateOptions {
    fn default() -> Self {
        Self {
            naptr: true,
            srv: true,
            transports: [Protocol::Udp, Protocol::Tcp, Protocol::Tls].into(),
            srv_without_naptr: SrvWithoutNaptr::Scheme,
            default_transport: Protocol::Udp,
            default_port: None,
            prefixes: SrvPrefixes::default(),
            srv_order: SrvOrder::Weighted,
            address_order: AddressOrder::Ipv4First,
            failover: true,
            max_targets: 8,
            cache: CacheMode::Answers,
            static_records: Arc::default(),
            static_order: StaticOrder::DnsFirst,
        }
    }
}

impl LocateOptions {
    /// As a Yealink CP860 does: the highest weight first, SRV for UDP only when there is no NAPTR record
    /// (`naptr_build = 0`), port 5060 when DNS gives none, IPv4 only.
    #[must_use]
    pub fn yealink() -> Self {
        Self {
            srv_without_naptr: SrvWithoutNaptr::Udp,
            srv_order: SrvOrder::HighestWeightFirst,
            default_port: Some(5060),
            address_order: AddressOrder::Ipv4Only,
            ..Self::default()
        }
    }

    /// As a Panasonic KX-UT670 does: SRV and A, no NAPTR, four servers at most.
    #[must_use]
    pub fn panasonic() -> Self {
        Self { naptr: false, max_targets: 4, address_order: AddressOrder::Ipv4Only, ..Self::default() }
    }

    /// The same options with another cache mode.
    #[must_use]
    pub fn with_cache(mut self, cache: CacheMode) -> Self {
        self.cache = cache;
        self
    }

    /// The same options with configured records.
    #[must_use]
    pub fn with_static(mut self, records: impl Into<Arc<StaticRecords>>, order: StaticOrder) -> Self {
        self.static_records = records.into();
        self.static_order = order;
        self
    }

    pub(super) fn targets(&self) -> usize {
        if self.failover { self.max_targets.clamp(1, MAX_TARGETS) } else { 1 }
    }

    /// The transports that can be used for a request that has to be secure, or not.
    pub(super) fn usable(&self, secure: bool) -> impl Iterator<Item = Protocol> {
        self.transports.iter().copied().filter(move |protocol| !secure || protocol.is_secure())
    }
}

/// Targets of one look-up, whatever the options say.
const MAX_TARGETS: usize = 32;

/// SRV look-ups when NAPTR records say nothing (Yealink's `naptr_build`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SrvWithoutNaptr {
    /// For those in [`LocateOptions::transports`] that go with the URI's scheme: secure ones for `sips`, the others for
    /// `sip` (RFC 3263 §4.1).
    Scheme,
    /// For each in [`LocateOptions::transports`], secure ones for `sip` too (`naptr_build = 1`). For `sips` as
    /// [`SrvWithoutNaptr::Scheme`].
    Every,
    /// For UDP and none other (`naptr_build = 0`). For `sips` as [`SrvWithoutNaptr::Scheme`].
    Udp,
}

/// The order among SRV records of one priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SrvOrder {
    /// Drawn, so that each record comes first as often as its weight says (RFC 2782).
    Weighted,
    /// The highest weight first, always; equal weights as they came (Yealink).
    HighestWeightFirst,
}

/// Which addresses of a name are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressOrder {
    /// A and AAAA; IPv4 is tried first.
    Ipv4First,
    /// A and AAAA; IPv6 is tried first.
    Ipv6First,
    /// A only.
    Ipv4Only,
    /// AAAA only.
    Ipv6Only,
}

/// What is kept of answers for later look-ups (Yealink's `dns_cache_type`). Within one look-up everything that DNS said
/// is used, whatever the mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheMode {
    /// Nothing: every look-up asks anew (0).
    Off,
    /// Answers, also negative ones (1).
    Answers,
    /// Answers and the additional records that came with them (2).
    AnswersAndAdditional,
}

impl CacheMode {
    /// The mode of Yealink's `dns_cache_type`: 0, 1 or 2.
    #[must_use]
    pub const fn from_yealink(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::Off),
            1 => Some(Self::Answers),
            2 => Some(Self::AnswersAndAdditional),
            _ => None,
        }
    }
}

/// Which comes first: DNS servers or configured records. When no server is configured
/// ([`Locator::set_dns`](super::Locator::set_dns)), configured records are always used, whatever this says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StaticOrder {
    /// DNS is asked. When it gives no record, the configured ones count for as long as their TTL says; then DNS is
    /// asked again. When it does give records, targets of the configured ones follow behind, for the case that none
    /// of DNS's can be reached (Yealink's `static_cache_pri = 0`).
    DnsFirst,
    /// Configured records count; DNS is asked for what they lack (`static_cache_pri = 1`).
    StaticFirst,
}

/// What comes before the domain in an SRV look-up, with the dot at its end.
///
/// The defaults are those of RFC 3263 §4.1 and RFC 7118. Panasonic lets an administrator set those for UDP and TCP; its manual prints
/// their defaults as `_sipudp.` and `_siptcp.`, whose punctuation was lost in print: the values below are meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SrvPrefixes {
    /// Default `_sip._udp.`.
    pub udp: String,
    /// Default `_sip._tcp.`.
    pub tcp: String,
    /// Default `_sips._tcp.`.
    pub tls: String,
    /// Default `_sip._ws.`.
    pub ws: String,
    /// Default `_sips._ws.`.
    pub wss: String,
}

impl Default for SrvPrefixes {
    fn default() -> Self {
        Self {
            udp: "_sip._udp.".into(),
            tcp: "_sip._tcp.".into(),
            tls: "_sips._tcp.".into(),
            ws: "_sip._ws.".into(),
            wss: "_sips._ws.".into(),
        }
    }
}

impl SrvPrefixes {
    pub(super) fn of(&self, protocol: Protocol) -> &str {
        match protocol {
            Protocol::Udp => &self.udp,
            Protocol::Tcp => &self.tcp,
            Protocol::Tls => &self.tls,
            Protocol::Ws => &self.ws,
            Protocol::Wss => &self.wss,
        }
    }
}

/// The bounds of a [`Locator`](super::Locator), and its times.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LocatorConfig {
    /// How long one question may take; then it counts as failed. Default 5 s.
    pub query_timeout: Duration,
    /// Look-ups under way, and results not yet taken. Default 1024.
    pub max_lookups: usize,
    /// Questions that one look-up may need. Default 64.
    pub max_queries: usize,
    /// Records of one answer that are read; what is beyond is dropped. Default 64.
    pub max_records: usize,
    /// Answers in the cache; beyond, the one that was not used for the longest time goes. Default 1024.
    pub cache_entries: usize,
    /// The longest time that a record is kept. Default 1 day.
    pub max_ttl: Duration,
    /// The longest time that the lack of a record is remembered. Default 3 h: RFC 2308 §5 found one to
    /// three hours to work well.
    pub max_negative_ttl: Duration,
    /// How long the lack of a record is remembered when the answer had no SOA record to say it. RFC 2308 §5 would not
    /// have it cached at all, which is about caches that feed each other; nobody is fed from here. Default 30 s.
    pub negative_ttl: Duration,
    /// How long a target that failed comes last. RFC 3263 gives no number. Default 5 min.
    pub blacklist: Duration,
    /// The longest such time, whatever a Retry-After says. Default 1 h.
    pub max_blacklist: Duration,
    /// Targets on the blacklist; beyond, the one whose time ends first goes. Default 256.
    pub blacklist_entries: usize,
}

impl Default for LocatorConfig {
    fn default() -> Self {
        Self {
            query_timeout: Duration::from_secs(5),
            max_lookups: 1024,
            max_queries: 64,
            max_records: 64,
            cache_entries: 1024,
            max_ttl: Duration::from_secs(86_400),
            max_negative_ttl: Duration::from_secs(10_800),
            negative_ttl: Duration::from_secs(30),
            blacklist: Duration::from_secs(300),
            max_blacklist: Duration::from_secs(3600),
            blacklist_entries: 256,
        }
    }
}
