//! Several servers of one account: which there are, which of them is used, and when the first one is used again.

use alloc::vec::Vec;
use sidetone_hal::time::Duration;
use sidetone_sip_core::{Protocol, Uri};

/// The servers and backup proxies of an account.
///
/// The servers stand behind each other. Within one of them DNS may give several addresses: failing over between those, and
/// back, is each server's [`Failback`]. Between the servers it is [`Redundancy::mode`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Redundancy {
    /// The servers, the first one the working (primary) server. None, the default: what the domain of the address of
    /// record names.
    pub servers: Vec<Server>,
    /// Whether one server or all of them hold a binding.
    pub mode: RedundancyMode,
    /// In [`RedundancyMode::Successive`], how often a REGISTER asks whether an earlier server is back while a later one
    /// has taken over (Yealink's `fallback.timeout`). Default 120 s, 10 s there at least.
    pub probe: Duration,
    /// Whether servers after the first are used only when they and the first one are written as addresses, not names
    /// (Panasonic). Off by default.
    pub numeric_only: bool,
    /// Outbound proxies that take the place of [`AccountConfig::proxy`](crate::AccountConfig::proxy), one after the
    /// other, when it does not answer (Dinstar's backup server). None by default.
    pub backup_proxies: Vec<Uri>,
}

impl Default for Redundancy {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            mode: RedundancyMode::Successive,
            probe: Duration::from_secs(120),
            numeric_only: false,
            backup_proxies: Vec::new(),
        }
    }
}

impl Redundancy {
    /// The server of the account's domain, and another one when it fails: Dinstar's server 2, SayHi's SIP2.
    #[must_use]
    pub fn with_secondary(server: Server) -> Self {
        Self { servers: [Server::home(), server].into(), ..Self::default() }
    }

    /// As Yealink's telephones by default: a working and a fallback server, registered at both.
    #[must_use]
    pub fn yealink(working: Server, fallback: Server) -> Self {
        Self { servers: [working, fallback].into(), mode: RedundancyMode::Concurrent, ..Self::default() }
    }

    /// As Panasonic's telephones: the secondary server is used only when both are numeric.
    #[must_use]
    pub fn panasonic(primary: Server, secondary: Server) -> Self {
        Self { servers: [primary, secondary].into(), numeric_only: true, ..Self::default() }
    }

    /// The same in another mode.
    #[must_use]
    pub const fn in_mode(mut self, mode: RedundancyMode) -> Self {
        self.mode = mode;
        self
    }

    /// The same, an earlier server tried so often while a later one has taken over.
    #[must_use]
    pub const fn probing_every(mut self, interval: Duration) -> Self {
        self.probe = interval;
        self
    }

    /// The same with one more outbound proxy.
    #[must_use]
    pub fn with_backup_proxy(mut self, proxy: Uri) -> Self {
        self.backup_proxies.push(proxy);
        self
    }
}

/// Whether one server or all of them hold a binding (Yealink's `fallback.redundancy_type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RedundancyMode {
    /// Every server at the same time. Calls go by the first that holds a binding.
    Concurrent,
    /// One at a time: a later one only while registering at those before it fails. When an earlier one is back, the
    /// bindings behind it are taken back. The default.
    #[default]
    Successive,
}

/// One server of an account: a registrar, and the proxy for its other requests.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Server {
    /// Where REGISTER goes. `None`: what the domain of the address of record names.
    pub uri: Option<Uri>,
    /// Where other requests outside of dialogs go, where that is another host than the registrar (Panasonic's
    /// `SIP_PRXY_ADDR`). `None`, the default: it is the same.
    pub proxy: Option<Uri>,
    /// The transport, where the URI names none. `None`, the default: the account's.
    pub transport: Option<Protocol>,
    /// The lifetime to ask for. `None`, the default: the account's.
    pub expires: Option<Duration>,
    /// The account's [`server_retries`](crate::AccountConfig::server_retries) for this server (Yealink's
    /// `retry_counts`). `None`, the default: the account's.
    pub retries: Option<u8>,
    /// When the first of the addresses behind its name is used again after another one took over.
    pub failback: Failback,
    /// Whether a request that fails over to another address of this server waits there for a REGISTER of its own
    /// (Yealink's `register_on_enable`). Off by default: requests fail over without.
    pub register_on_failover: bool,
    /// Whether its host takes the place of the account's domain in Request-URI, From and To, as a fallback server that
    /// knows no other domain wants it. Off by default: the address of record is the same everywhere.
    pub own_domain: bool,
}

impl Server {
    /// What the domain of the address of record names.
    #[must_use]
    pub const fn home() -> Self {
        Self {
            uri: None,
            proxy: None,
            transport: None,
            expires: None,
            retries: None,
            failback: Failback::Avoid,
            register_on_failover: false,
            own_domain: false,
        }
    }

    /// A server at a URI such as `sip:192.0.2.9:5080;transport=tcp`.
    #[must_use]
    pub fn new(uri: Uri) -> Self {
        Self { uri: Some(uri), ..Self::home() }
    }

    /// The same with another proxy for requests that are no REGISTER.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Uri) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// The same over another transport.
    #[must_use]
    pub const fn with_transport(mut self, transport: Protocol) -> Self {
        self.transport = Some(transport);
        self
    }

    /// The same with another lifetime to ask for.
    #[must_use]
    pub const fn with_expires(mut self, expires: Duration) -> Self {
        self.expires = Some(expires);
        self
    }

    /// The same, given up after so many repeats while there is another one.
    #[must_use]
    pub const fn with_retries(mut self, retries: u8) -> Self {
        self.retries = Some(retries);
        self
    }

    /// The same with another way back to its first address.
    #[must_use]
    pub const fn with_failback(mut self, failback: Failback) -> Self {
        self.failback = failback;
        self
    }

    /// The same, where requests that fail over register first.
    #[must_use]
    pub const fn registering_on_failover(mut self) -> Self {
        self.register_on_failover = true;
        self
    }

    /// The same, which wants its own host as the domain.
    #[must_use]
    pub const fn with_own_domain(mut self) -> Self {
        self.own_domain = true;
        self
    }
}

/// When the first address behind a server's name (the primary) is used again after another one took over (Yealink's
/// `failback_mode`). The same holds for backup outbound proxies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failback {
    /// An address that failed comes last for the time of
    /// [`LocatorConfig::blacklist`](sidetone_sip_core::locate::LocatorConfig::blacklist), for all accounts (RFC 3263
    /// §4.3). The default.
    #[default]
    Avoid,
    /// Every request goes to the primary first, whatever server was used last (`newRequests`).
    NewRequests,
    /// Requests go first to the address that was registered at last; when the TTL of its DNS record is over, to the
    /// primary again (`DNSTTL`).
    DnsTtl,
    /// Requests go first to the address that was registered at last; the refresh of the registration goes to the primary
    /// first (`registration`).
    Registration,
    /// Requests go first to the address that was registered at last; after this time, to the primary again (`duration`
    /// with `failback_timeout`; 60 to 65535 s there, 3600 by default). Zero: not before the address in use fails.
    Duration(Duration),
}
