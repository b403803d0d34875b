//! What our public address is: told, or found out by STUN or from what SIP servers saw.

use super::stun::{Client, ClientConfig, ClientError, ClientEvent, DEFAULT_PORT};
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use sidetone_hal::net::{FlowId, IpAddr, SocketAddr, Transmit};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_hal::timer::Soonest as _;

/// Settings: where our public address comes from.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PublicAddress {
    /// The address of the router, which forwards our port numbers unchanged. A detected address goes before it.
    pub fixed: Option<IpAddr>,
    /// How to find out. Default off.
    pub detection: Detection,
    /// How STUN is asked.
    pub stun: ClientConfig,
}

/// How the public address is found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detection {
    /// Not at all.
    #[default]
    Off,
    /// From STUN servers: the next one is asked when one does not answer.
    Stun {
        /// The servers; no more than [`PublicAddress::MAX_SERVERS`] are asked.
        servers: Vec<StunServer>,
        /// The time between two attempts, 10 to 65 535 s; zero switches detection off.
        interval: Duration,
    },
    /// From `received` and `rport` in the answers of SIP servers.
    Sip {
        /// The time between two OPTIONS that ask for it, 10 to 65 535 s; zero switches detection off.
        interval: Duration,
    },
}

/// A STUN server by name or address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StunServer {
    /// A host name, or an address in figures.
    pub host: String,
    /// Default 3478.
    pub port: u16,
}

impl StunServer {
    /// A server at the default port.
    #[must_use]
    pub fn new(host: impl Into<String>) -> Self {
        Self { host: host.into(), port: DEFAULT_PORT }
    }

    /// The same at another port.
    #[must_use]
    pub const fn at_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }
}

impl PublicAddress {
    /// Servers that are asked at most.
    pub const MAX_SERVERS: usize = 8;
    /// The least time between two attempts.
    pub const MIN_INTERVAL: Duration = Duration::from_secs(10);
    /// The longest time between two attempts.
    pub const MAX_INTERVAL: Duration = Duration::from_secs(65_535);

    /// This address, and no detection.
    #[must_use]
    pub fn fixed(address: IpAddr) -> Self {
        Self { fixed: Some(address), ..Self::default() }
    }

    /// Detection by these servers, asked in this order, every `interval`.
    #[must_use]
    pub fn stun(servers: impl IntoIterator<Item = StunServer>, interval: Duration) -> Self {
        let servers = servers.into_iter().collect();
        Self { detection: Detection::Stun { servers, interval }, ..Self::default() }
    }

    /// Detection by what SIP servers see, asked every `interval`.
    #[must_use]
    pub fn sip(interval: Duration) -> Self {
        Self { detection: Detection::Sip { interval }, ..Self::default() }
    }

    /// Whether nothing is known and nothing is to be found out.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.fixed.is_none() && self.interval().is_none()
    }

    /// Between two attempts, within the bounds; `None` when detection is off.
    fn interval(&self) -> Option<Duration> {
        let interval = match &self.detection {
            Detection::Stun { servers, interval } if !servers.is_empty() => *interval,
            Detection::Sip { interval } => *interval,
            _ => return None,
        };
        (!interval.is_zero()).then(|| interval.clamp(Self::MIN_INTERVAL, Self::MAX_INTERVAL))
    }

    fn servers(&self) -> &[StunServer] {
        match &self.detection {
            Detection::Stun { servers, .. } => {
                servers.get(..Self::MAX_SERVERS.min(servers.len())).unwrap_or_default()
            }
            _ => &[],
        }
    }
}

/// What a [`Discovery`] is told.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum DiscoveryInput<'a> {
    /// The addresses of the server of [`DiscoveryEvent::Resolve`], the best first; none when it has none.
    Resolved {
        /// As asked.
        server: usize,
        /// Its addresses; only those of the socket's family are asked.
        addresses: &'a [SocketAddr],
    },
    /// [`Event::Stun`](crate::Event::Stun).
    Stun {
        /// The socket.
        flow: FlowId,
        /// Who sent it.
        source: SocketAddr,
        /// The datagram.
        payload: &'a [u8],
    },
    /// A SIP server saw our request come from here: `received` and `rport` of the Via in its answer. Counts for
    /// [`Detection::Sip`] only.
    Seen {
        /// The address.
        address: SocketAddr,
    },
}

/// What a [`Discovery`] reports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiscoveryEvent {
    /// Find the addresses of a STUN server, and tell them by [`DiscoveryInput::Resolved`].
    Resolve {
        /// To be given back.
        server: usize,
        /// Its name.
        host: String,
        /// The port of the addresses.
        port: u16,
    },
    /// Send an OPTIONS to the SIP server, and tell [`DiscoveryInput::Seen`].
    Probe,
    /// The public address is known for the first time, or is another one now: register anew.
    AddressChanged {
        /// What it was.
        before: Option<SocketAddr>,
        /// What it is.
        after: SocketAddr,
    },
    /// No STUN server said an address. What was known before still holds; the next attempt is after the interval.
    Failed(DiscoveryError),
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// No server has an address that the socket can reach.
    #[error("no STUN server has an address")]
    Unresolved,
    /// What the last server that was asked said, or did not say.
    #[error("STUN: {0}")]
    Stun(#[from] ClientError),
}

/// Says what our public address is, and when it changes.
///
/// ```
/// use sidetone_sip_core::nat::{Discovery, PublicAddress};
/// use sidetone_sip_core::Rng;
/// let discovery = Discovery::new(PublicAddress::fixed("203.0.113.5".parse().unwrap()), Rng::from_u64(7));
/// let local = "192.168.1.20:5060".parse().unwrap();
/// assert_eq!(discovery.address(local), Some("203.0.113.5:5060".parse().unwrap()));
/// ```
#[derive(Debug)]
pub struct Discovery {
    config: PublicAddress,
    client: Client,
    /// The socket, and whether it is of IPv4.
    socket: Option<(FlowId, bool)>,
    /// The server whose turn it is, and its addresses that are left to ask.
    server: usize,
    addresses: VecDeque<SocketAddr>,
    /// Whether an attempt is under way.
    trying: bool,
    /// What went wrong in this attempt last.
    error: Option<DiscoveryError>,
    next: Option<Instant>,
    detected: Option<SocketAddr>,
    settled: bool,
    events: VecDeque<DiscoveryEvent>,
}

/// Addresses of one server that are asked at most.
const MAX_ADDRESSES: usize = 4;

impl Discovery {
    /// A machine that has not begun.
    #[must_use]
    pub fn new(config: PublicAddress, rng: Rng) -> Self {
        Self {
            client: Client::new(config.stun.clone(), rng),
            settled: !matches!(config.detection, Detection::Stun { .. }) || config.interval().is_none(),
            config,
            socket: None,
            server: 0,
            addresses: VecDeque::new(),
            trying: false,
            error: None,
            next: None,
            detected: None,
            events: VecDeque::new(),
        }
    }

    /// Begins to find out, for the datagram socket that SIP uses and that is bound to `local`; at once by STUN. Once
    /// begun for a socket, a further call changes nothing.
    pub fn start(&mut self, now: Instant, flow: FlowId, local: SocketAddr) {
        let socket = Some((flow, local.is_ipv4()));
        let Some(interval) = self.config.interval() else { return };
        if self.socket == socket {
            return;
        }
        self.stop();
        self.socket = socket;
        match self.config.detection {
            // The registration itself tells the first time.
            Detection::Sip { .. } => self.next = Some(now + interval),
            _ => self.attempt(),
        }
    }

    /// Finds out nothing any more; what is known stays.
    pub fn stop(&mut self) {
        self.socket = None;
        self.trying = false;
        self.next = None;
        self.client.stop();
        self.addresses.clear();
        self.events.clear();
    }

    /// The address to name to others for a socket or listener of ours at `local`: the detected one, else the fixed one
    /// with the port of `local`, else none.
    #[must_use]
    pub fn address(&self, local: SocketAddr) -> Option<SocketAddr> {
        let fixed = self.config.fixed.map(|ip| SocketAddr::new(ip, local.port()));
        self.detected.or(fixed)
    }

    /// The IP address alone, for what has ports of its own: a listener for connections, a session description.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.detected.map(|detected| detected.ip()).or(self.config.fixed)
    }

    /// Whether an address was detected.
    #[must_use]
    pub const fn is_detected(&self) -> bool {
        self.detected.is_some()
    }

    /// Whether there is nothing to wait for before registering: detection by STUN has succeeded or failed once, or is
    /// off.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.settled
    }

    /// Something came in. Whether it was for this machine.
    pub fn handle_input(&mut self, now: Instant, input: DiscoveryInput<'_>) -> bool {
        match input {
            DiscoveryInput::Resolved { server, addresses } => {
                let Some((_, v4)) = self.socket.filter(|_| self.trying && server == self.server) else {
                    return false;
                };
                let reachable = addresses.iter().filter(|address| address.is_ipv4() == v4);
                self.addresses = reachable.copied().take(MAX_ADDRESSES).collect();
                self.ask(now);
                true
            }
            DiscoveryInput::Stun { flow, source, payload } => {
                let ours = self.client.handle_input(now, flow, source, payload);
                self.take_outcome(now);
                ours
            }
            DiscoveryInput::Seen { address } => {
                let wanted = matches!(self.config.detection, Detection::Sip { .. });
                if wanted && self.config.interval().is_some() {
                    self.found(address);
                }
                wanted
            }
        }
    }

    /// Runs what is due; early and repeated calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.client.handle_timeout(now);
        self.take_outcome(now);
        if self.next.is_some_and(|at| at <= now) {
            match self.config.detection {
                Detection::Sip { .. } => {
                    self.events.push_back(DiscoveryEvent::Probe);
                    self.next = self.config.interval().map(|interval| now + interval);
                }
                _ => self.attempt(),
            }
        }
    }

    /// The next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.client.poll_transmit()
    }

    /// The next thing to know.
    pub fn poll_event(&mut self) -> Option<DiscoveryEvent> {
        self.events.pop_front()
    }

    /// When to call [`Discovery::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.client.poll_timeout().soonest(self.next)
    }

    /// Begins with the first server.
    fn attempt(&mut self) {
        self.next = None;
        self.trying = true;
        self.error = None;
        self.server = 0;
        self.resolve();
    }

    fn resolve(&mut self) {
        if let Some(StunServer { host, port }) = self.config.servers().get(self.server) {
            let (server, host, port) = (self.server, host.clone(), *port);
            self.events.push_back(DiscoveryEvent::Resolve { server, host, port });
        }
    }

    /// Asks the next address, or goes to the next server, or gives up until the next attempt.
    fn ask(&mut self, now: Instant) {
        let Some((flow, _)) = self.socket else { return };
        if let Some(address) = self.addresses.pop_front() {
            self.client.start(now, flow, address, false);
            self.take_outcome(now);
        } else if self.server + 1 < self.config.servers().len() {
            self.server += 1;
            self.resolve();
        } else {
            let error = self.error.take().unwrap_or(DiscoveryError::Unresolved);
            self.events.push_back(DiscoveryEvent::Failed(error));
            self.over(now);
        }
    }

    fn take_outcome(&mut self, now: Instant) {
        match self.client.poll_event() {
            Some(ClientEvent::Mapped { address, .. }) => {
                self.found(address);
                self.over(now);
            }
            Some(ClientEvent::Failed { error, .. }) => {
                self.error = Some(error.into());
                self.ask(now);
            }
            None => {}
        }
    }

    fn found(&mut self, after: SocketAddr) {
        let before = self.detected.replace(after);
        if before != Some(after) {
            self.events.push_back(DiscoveryEvent::AddressChanged { before, after });
        }
    }

    fn over(&mut self, now: Instant) {
        self.trying = false;
        self.settled = true;
        self.next = self.config.interval().map(|interval| now + interval);
    }
}
