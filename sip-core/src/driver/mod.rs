//! Sockets, clock and names for an [`Endpoint`], on tokio.
//!
//! [`Io`] does the I/O of one endpoint and decides nothing. Whoever has an endpoint inside runs this loop:
//!
//! ```no_run
//! # use sidetone_sip_core::{driver::{self, DriverConfig, Io, IoEvent}, Endpoint, EndpointConfig};
//! # async fn run() -> std::io::Result<()> {
//! let mut endpoint = Endpoint::new(EndpointConfig::new(driver::seed()));
//! let mut io = Io::bind(&DriverConfig::new().udp("0.0.0.0:5060".parse().unwrap()))?;
//! io.attach(&mut endpoint);
//! loop {
//!     while let Some(event) = endpoint.poll_event() { /* answer it */ }
//!     let deadline = endpoint.poll_timeout().map(|(at, _)| at);
//!     match io.next(&mut endpoint, deadline).await {
//!         IoEvent::Input(input) => endpoint.handle_input(io.now(), input),
//!         IoEvent::Timeout => endpoint.handle_timeout(io.now()),
//!     }
//! }
//! # }
//! ```

#![expect(clippy::disallowed_methods, reason = "the driver is where the clock is read")]

mod batch;
mod config;
mod inbox;
mod ports;
mod resolve;
mod routes;
mod stream;
mod system;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod udp;
mod upgrade;
#[cfg(feature = "ws")]
mod websocket;

pub use config::DriverConfig;
pub use ports::PortRange;
pub use resolve::Resolver;
#[cfg(feature = "tls")]
pub use tls::{
    CaSet, Certificates, ClientAuth, Identity, PeerIdentity, RevocationLists, TlsConfig, TlsError, TlsHandle,
    TlsSession, TlsVersion,
};
#[cfg(feature = "ws")]
pub use websocket::WebSocketConfig;

use crate::endpoint::Endpoint;
use crate::transport::{FlowError, FlowRequest, Input};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use batch::Batch;
use bytes::Bytes;
use core::pin::Pin;
use core::task::{Context, Poll};
use inbox::Inbox;
use ports::Choice;
use routes::Routes;
use sidetone_hal::net::{FlowId, IpAddr, Ipv4Addr, Ipv6Addr, Protocol, SocketAddr, Transmit};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use socket2::SockRef;
use std::io;
use stream::{Connection, Established, WriteBounds};
use tcp::Listener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Sleep;
use udp::{Options, Socket, Unsent};
use upgrade::Upgrades;

/// How soon a datagram that the system did not take is tried again.
const CONGESTION_PAUSE: Duration = Duration::from_millis(2);
/// Arrivals of connections that are taken at a time, before the sockets have their turn.
const ARRIVALS_AT_A_TIME: usize = 64;
/// How often retired sockets are looked at.
const RETIRED_CHECK: Duration = Duration::from_secs(1);
/// Retired sockets kept at most.
const MAX_RETIRED: usize = 8;
/// Ports tried for both families and both transports.
const DUAL_STACK_ATTEMPTS: u32 = 64;

/// What [`Io::next`] waited for.
#[derive(Debug)]
pub enum IoEvent {
    /// For [`Endpoint::handle_input`].
    Input(Input),
    /// The deadline has come: for [`Endpoint::handle_timeout`].
    Timeout,
}

/// The sockets and connections of one endpoint.
///
/// Made and used within a tokio runtime. Dropping it closes everything at once.
pub struct Io {
    origin: tokio::time::Instant,
    config: DriverConfig,
    options: Options,
    rng: Rng,
    /// In the order of the configuration, then those whose place another has taken.
    sockets: Vec<Socket>,
    /// The socket that is read first, in turns.
    turn: usize,
    batch: Batch,
    routes: Routes,
    listeners: Vec<Listener>,
    listening: Vec<SocketAddr>,
    upgrades: Upgrades,
    connections: BTreeMap<FlowId, Connection>,
    arrivals: mpsc::Receiver<Arrival>,
    arrival_sender: mpsc::Sender<Arrival>,
    /// What came in, and what [`Io::send`] and [`Io::apply`] found out by themselves.
    inbox: Inbox,
    /// Made with the first wait that has an end, then set anew for each.
    alarm: Option<Pin<Box<Sleep>>>,
    /// When retired sockets are looked at next.
    retired_check: Instant,
    tasks: JoinSet<()>,
    resolver: Resolver,
    wildcard: bool,
}

impl core::fmt::Debug for Io {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Io")
            .field("udp", &self.udp_addresses())
            .field("tcp", &self.tcp_addresses())
            .field("connections", &self.connections.len())
            .finish_non_exhaustive()
    }
}

/// What the tasks report.
enum Arrival {
    Datagram {
        flow: FlowId,
        source: SocketAddr,
        /// The address it was sent to, when the socket is bound to every one and the system says.
        local: Option<IpAddr>,
        payload: Bytes,
    },
    Input(Input),
    Accepted(Established),
    Connected(FlowId, Established),
}

impl Io {
    /// Opens the sockets. Nothing is received before [`Io::attach`].
    ///
    /// # Errors
    /// An address cannot be bound, or no port of a range is free; the message names it. A setting is out of its range.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn bind(config: &DriverConfig) -> io::Result<Self> {
        if config.dscp > 63 {
            let what = format!("DSCP {}: expected 0 to 63", config.dscp);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let options = Options { buffer: config.socket_buffer, dscp: config.dscp };
        let mut rng = Rng::from_seed(config.seed.unwrap_or_else(seed));
        let mut sockets = Vec::new();
        for address in &config.udp {
            sockets.push(Socket::bind(*address, options)?);
        }
        for range in &config.udp_ranges {
            sockets.push(range.bind(&mut rng, None, options)?);
        }
        let mut listeners = Vec::new();
        for address in &config.tcp {
            listeners.push(Listener::bind(*address, config)?);
        }
        if let Some(port) = config.dual_stack {
            bind_dual_stack(port, config, options, &mut sockets, &mut listeners)?;
        }
        let (arrival_sender, arrivals) = mpsc::channel(config.read_queue.max(1));
        let listening: Vec<_> = listeners.iter().map(|listener| listener.local).collect();
        let upgrades = Upgrades::bind(config)?;
        let upgraded = upgrades.listening.iter().map(|(_, local)| *local);
        let locals = sockets.iter().map(|socket| socket.local).chain(listening.iter().copied());
        let mut locals = locals.chain(upgraded);
        Ok(Self {
            origin: tokio::time::Instant::now(),
            wildcard: locals.any(|local| local.ip().is_unspecified()),
            config: config.clone(),
            options,
            rng,
            sockets,
            turn: 0,
            batch: Batch::new()?,
            routes: Routes::new(config.max_routes),
            listeners,
            listening,
            upgrades,
            connections: BTreeMap::new(),
            arrivals,
            arrival_sender,
            inbox: Inbox::new(config.read_queue.max(1)),
            alarm: None,
            retired_check: Instant::ZERO,
            tasks: JoinSet::new(),
            resolver: Resolver::with_servers(&config.dns),
        })
    }

    /// Registers the sockets with the endpoint and begins to receive. For sockets bound to every address, the
    /// endpoint also learns the address of the default route.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn attach(&mut self, endpoint: &mut Endpoint) {
        if self.wildcard {
            for probe in resolve::DEFAULT_ROUTE_PROBES {
                let everything_else = match probe.ip() {
                    IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                    IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
                };
                if let Ok(local) = local_toward(probe) {
                    endpoint.set_route(everything_else, local);
                }
            }
        }
        for socket in self.sockets.iter_mut().filter(|socket| socket.flow.is_none()) {
            let flow = endpoint.bind(Protocol::Udp, socket.local);
            socket.start(flow, &self.arrival_sender, &mut self.tasks);
        }
        for listener in self.listeners.drain(..) {
            endpoint.listen(Protocol::Tcp, listener.local);
            listener.start(self.arrival_sender.clone(), &mut self.tasks);
        }
        self.upgrades.attach(endpoint, &self.arrival_sender, &mut self.tasks);
    }

    /// Opens another port in the place of a UDP socket that was bound to a range of ports or to any port, and gives its
    /// flow. From now on new transactions take it, and Via and Contact name it. The old socket is closed when its
    /// transactions are over and nothing came in there for [`DriverConfig::former_port`]; of more than 8 such sockets
    /// the oldest is closed.
    ///
    /// # Errors
    /// `flow` is no socket, or one of a fixed port; no other port of the range is free. Nothing changes then.
    pub fn rebind(&mut self, endpoint: &mut Endpoint, flow: FlowId) -> io::Result<FlowId> {
        let place = self.sockets.iter_mut().find(|socket| socket.flow == Some(flow) && !socket.is_retired());
        let Some(place) = place else {
            let what = format!("{flow}: no UDP socket to change the port of");
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        };
        let another = Choice::another(place, &mut self.rng, self.options)?;
        let mut old = core::mem::replace(place, another);
        let new_flow = endpoint.bind(Protocol::Udp, place.local);
        place.start(new_flow, &self.arrival_sender, &mut self.tasks);
        tracing::debug!(old = %old.local, new = %place.local, "another UDP port");
        endpoint.retire(flow);
        let now = self.now();
        old.quiet_since = Some(now);
        self.sockets.push(old);
        self.close_retired(endpoint, now);
        Ok(new_flow)
    }

    /// The flows of the UDP sockets, in the order of [`Io::udp_addresses`]; none before [`Io::attach`].
    #[must_use]
    pub fn udp_flows(&self) -> Vec<FlowId> {
        let bound = self.sockets.iter().filter(|socket| !socket.is_retired());
        bound.filter_map(|socket| socket.flow).collect()
    }

    /// Where the UDP sockets are bound, ports resolved: those of [`DriverConfig::udp`], of
    /// [`DriverConfig::udp_ranges`], of [`DriverConfig::dual_stack`] with IPv4 first.
    #[must_use]
    pub fn udp_addresses(&self) -> Vec<SocketAddr> {
        let bound = self.sockets.iter().filter(|socket| !socket.is_retired());
        bound.map(|socket| socket.local).collect()
    }

    /// Where TCP is listened at, ports resolved, those of [`DriverConfig::tcp`], of
    /// [`DriverConfig::dual_stack`] with IPv4 first.
    #[must_use]
    pub fn tcp_addresses(&self) -> &[SocketAddr] {
        &self.listening
    }

    /// Where a transport is spoken, ports resolved, in the order of the configuration.
    #[must_use]
    pub fn local_addresses(&self, protocol: Protocol) -> Vec<SocketAddr> {
        match protocol {
            Protocol::Udp => self.udp_addresses(),
            Protocol::Tcp => self.listening.clone(),
            Protocol::Tls | Protocol::Ws | Protocol::Wss => {
                let listening = self.upgrades.listening.iter();
                listening.filter(|(spoken, _)| *spoken == protocol).map(|(_, local)| *local).collect()
            }
        }
    }

    /// Exchanges the TLS configuration while connections live.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_handle(&self) -> TlsHandle {
        self.upgrades.tls().clone()
    }

    /// How a connection is secured; none for one without TLS, and for one that is not there or not up.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_session(&self, flow: FlowId) -> Option<&TlsSession> {
        self.connections.get(&flow)?.session().map(|session| &**session)
    }

    /// Who is at the other end of a connection, by its certificate; of a client only if it was asked for one
    /// ([`TlsConfig::client_auth`]).
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn peer_identity(&self, flow: FlowId) -> Option<PeerIdentity> {
        self.tls_session(flow)?.peer.clone()
    }

    /// Now, on the clock of this driver.
    #[must_use]
    pub fn now(&self) -> Instant {
        let micros = self.origin.elapsed().as_micros();
        Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// Sends what the endpoint wants sent, makes and closes connections, then waits: for one input, or the deadline.
    ///
    /// Datagrams are read in batches; those after the first are given by the next calls, at once. Cancel safe: nothing
    /// is lost when the future is dropped. A deadline that has come goes before input, so that no flood can hold timers
    /// up.
    pub async fn next(&mut self, endpoint: &mut Endpoint, deadline: Option<Instant>) -> IoEvent {
        // A flood must not hold up the runtime's other tasks either.
        tokio::task::coop::consume_budget().await;
        loop {
            self.flush(endpoint);
            let now = self.now();
            self.close_retired(endpoint, now);
            if deadline.is_some_and(|deadline| deadline <= now) {
                return IoEvent::Timeout;
            }
            while let Some(arrival) = self.inbox.pop() {
                if let Some(input) = self.receive(endpoint, arrival) {
                    return IoEvent::Input(input);
                }
            }
            let congested = self.sockets.iter().any(Socket::is_congested);
            let again = congested.then(|| now + CONGESTION_PAUSE);
            let until = [deadline, again].into_iter().flatten().min();
            let set = until.is_some_and(|until| self.set_alarm(until));
            core::future::poll_fn(|cx| self.poll_arrivals(cx, set)).await;
        }
    }

    /// Sends and connects all that the endpoint asks for; [`Io::next`] does it too.
    pub fn flush(&mut self, endpoint: &mut Endpoint) {
        while self.tasks.try_join_next().is_some() {}
        for socket in &mut self.sockets {
            socket.send_waiting();
        }
        // Connections first: what is sent on them follows when they are up.
        while let Some(request) = endpoint.poll_flow() {
            if matches!(request, FlowRequest::Close { .. }) {
                // What was queued for it before goes out first.
                self.send_all(endpoint);
            }
            self.apply(request);
        }
        self.send_all(endpoint);
    }

    /// Sends. Never waits: a datagram that the system does not take is queued, then dropped; a connection whose
    /// queue is full is closed.
    pub fn send(&mut self, transmit: Transmit) {
        let flow = transmit.flow;
        if let Some(socket) = self.sockets.iter_mut().find(|socket| socket.flow == Some(flow)) {
            let destination = transmit.destination;
            let from = socket.is_wildcard().then(|| self.routes.toward(destination)).flatten();
            match socket.send(transmit, from, self.config.write_queue) {
                Ok(()) => {}
                Err(Unsent::StaleSource) => self.routes.forget(destination),
                Err(Unsent::Unreachable(reason)) => {
                    self.inbox.push(Arrival::Input(Input::Unreachable { flow, destination, reason }));
                }
            }
        } else if let Some(connection) = self.connections.get(&flow)
            && connection.send(transmit.payload).is_err()
        {
            self.connections.remove(&flow);
            self.down(flow, FlowError::Overflow);
        }
    }

    /// Makes or closes a connection.
    pub fn apply(&mut self, request: FlowRequest) {
        match request {
            FlowRequest::Connect { flow, protocol: Protocol::Tcp, remote, .. } => {
                let task = tcp::connect(flow, remote, (&self.config).into(), self.arrival_sender.clone());
                self.connections.insert(flow, Connection::Connecting(self.tasks.spawn(task)));
            }
            FlowRequest::Connect { flow, protocol, remote, domain } => {
                let inbox = self.arrival_sender.clone();
                match self.upgrades.connect(flow, protocol, remote, domain, &self.config, inbox) {
                    Some(task) => {
                        self.connections.insert(flow, Connection::Connecting(self.tasks.spawn(task)));
                    }
                    // UDP needs none, and no other transport is in this build.
                    None => self.down(flow, FlowError::Unreachable),
                }
            }
            FlowRequest::Close { flow } => {
                self.connections.remove(&flow);
            }
        }
    }

    /// Reports the end of a flow that this side has found out about.
    fn down(&mut self, flow: FlowId, reason: FlowError) {
        self.inbox.push(Arrival::Input(Input::FlowDown { flow, reason }));
    }

    /// Wakes the next wait at `at`. False when that is too far away to be reckoned with.
    fn set_alarm(&mut self, at: Instant) -> bool {
        let Some(at) = self.origin.checked_add(since_origin(at)) else { return false };
        match &mut self.alarm {
            None => self.alarm = Some(Box::pin(tokio::time::sleep_until(at))),
            Some(alarm) if alarm.deadline() != at => alarm.as_mut().reset(at),
            Some(_) => {}
        }
        true
    }

    /// Moves to the inbox what is there; ready when something was, or when the alarm goes off.
    fn poll_arrivals(&mut self, cx: &mut Context<'_>, alarm: bool) -> Poll<()> {
        let mut some = false;
        for _ in 0..ARRIVALS_AT_A_TIME {
            // This side keeps a sender, so the channel is never closed.
            let Poll::Ready(Some(arrival)) = self.arrivals.poll_recv(cx) else { break };
            self.inbox.push(arrival);
            some = true;
        }
        // The first that is read may fill the inbox, so each socket is the first in its turn.
        self.turn = self.turn.checked_rem(self.sockets.len()).unwrap_or_default();
        let (later, first) = self.sockets.split_at_mut(self.turn);
        for socket in first.iter_mut().chain(later) {
            some |= socket.poll_read(cx, &mut self.batch, &mut self.inbox).is_ready();
        }
        self.turn += 1;
        let mut rings = || self.alarm.as_mut().is_some_and(|alarm| alarm.as_mut().poll(cx).is_ready());
        if some || (alarm && rings()) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Closes the sockets whose place another has taken and that nobody needs any more.
    fn close_retired(&mut self, endpoint: &mut Endpoint, now: Instant) {
        let retired = self.sockets.iter().filter(|socket| socket.is_retired()).count();
        if retired == 0 || (retired <= MAX_RETIRED && now < self.retired_check) {
            return;
        }
        self.retired_check = now + RETIRED_CHECK.min(self.config.former_port);
        let mut too_many = retired.saturating_sub(MAX_RETIRED);
        self.sockets.retain(|socket| {
            let (Some(flow), Some(quiet_since)) = (socket.flow, socket.quiet_since) else { return true };
            if too_many == 0 && (now < quiet_since + self.config.former_port || endpoint.uses(flow)) {
                return true;
            }
            too_many = too_many.saturating_sub(1);
            tracing::debug!(local = %socket.local, "the former UDP port is closed");
            endpoint.unbind(flow);
            false
        });
    }

    /// Tells the endpoint our address on the way to `remote`, if it does not know and it matters. Call it before a
    /// request to a new address; for senders of what is received [`Io::next`] does it.
    pub fn learn_route(&self, endpoint: &mut Endpoint, remote: SocketAddr) {
        if self.wildcard
            && !endpoint.has_route(remote.ip())
            && let Ok(local) = local_toward(remote)
        {
            endpoint.set_route(remote.ip(), local);
        }
    }

    /// Our address on the way to `remote`, as [`local_toward`].
    ///
    /// # Errors
    /// There is no route.
    pub fn local_toward(&self, remote: SocketAddr) -> io::Result<IpAddr> {
        local_toward(remote)
    }

    /// The resolver, to be used beside [`Io::next`].
    #[must_use]
    pub fn resolver(&self) -> Resolver {
        self.resolver.clone()
    }

    /// The addresses of a host, as [`Resolver::resolve`].
    ///
    /// # Errors
    /// The host has none, or they cannot be found out.
    pub async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.resolver.resolve(host, port).await
    }

    fn send_all(&mut self, endpoint: &mut Endpoint) {
        while let Some(transmit) = endpoint.poll_transmit() {
            self.send(transmit);
        }
    }

    /// What an arrival means to the endpoint; nothing when it is of a flow that was closed meanwhile.
    fn receive(&mut self, endpoint: &mut Endpoint, arrival: Arrival) -> Option<Input> {
        match arrival {
            Arrival::Datagram { flow, source, local, payload } => {
                match local {
                    Some(local) => {
                        let news = self.routes.learn(source, local);
                        if news || !endpoint.has_route(source.ip()) {
                            endpoint.set_route(source.ip(), local);
                        }
                    }
                    None => self.learn_route(endpoint, source),
                }
                let now = self.now();
                let mut retired = self.sockets.iter_mut().filter(|socket| socket.is_retired());
                if let Some(socket) = retired.find(|socket| socket.flow == Some(flow)) {
                    socket.quiet_since = Some(now);
                }
                Some(Input::Datagram { flow, source, payload })
            }
            Arrival::Input(input) => match &input {
                Input::Stream { flow, .. } | Input::Frame { flow, .. } => {
                    self.connections.contains_key(flow).then_some(input)
                }
                Input::FlowDown { flow, .. } => {
                    self.connections.remove(flow);
                    Some(input)
                }
                Input::Datagram { .. } | Input::Unreachable { .. } | Input::FlowUp { .. } => Some(input),
            },
            Arrival::Accepted(accepted) => {
                self.learn_route(endpoint, accepted.remote);
                let now = self.now();
                if let Some(flow) = endpoint.accept(now, accepted.protocol, accepted.local, accepted.remote) {
                    #[cfg(feature = "tls")]
                    vouch(endpoint, flow, &accepted);
                    self.start(flow, accepted);
                }
                None
            }
            Arrival::Connected(flow, connected) => {
                let local = connected.local;
                if !self.connections.contains_key(&flow) {
                    return None;
                }
                self.start(flow, connected);
                Some(Input::FlowUp { flow, local })
            }
        }
    }

    fn start(&mut self, flow: FlowId, established: Established) {
        let bounds = WriteBounds { queue: self.config.write_queue, limit: self.config.write_limit };
        let connection = stream::start(flow, established, &self.arrival_sender, bounds, &mut self.tasks);
        self.connections.insert(flow, connection);
    }
}

/// 32 bytes of the operating system's randomness, for [`EndpointConfig::new`](crate::EndpointConfig::new).
///
/// # Panics
/// The operating system has no randomness to give; nothing could be secure then.
#[must_use]
pub fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    #[expect(clippy::expect_used, reason = "without randomness no tag, branch or nonce may be made")]
    getrandom::fill(&mut seed).expect("the operating system gives randomness");
    seed
}

/// The local address that the system would send from to `remote`. Sends nothing: a UDP socket is connected, which
/// only looks up the route.
///
/// # Errors
/// There is no route.
pub fn local_toward(remote: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = std::net::UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(remote)?;
    let local = socket.local_addr()?.ip();
    if local.is_unspecified() { Err(io::ErrorKind::AddrNotAvailable.into()) } else { Ok(local) }
}

const fn since_origin(at: Instant) -> Duration {
    at.saturating_since(Instant::ZERO)
}

/// What an I/O error means for a flow.
/// Says whose connection this is, as its certificate proves.
#[cfg(feature = "tls")]
fn vouch(endpoint: &mut Endpoint, flow: FlowId, accepted: &Established) {
    let peer = accepted.session.as_ref().and_then(|session| session.peer.as_ref());
    for domain in peer.filter(|peer| peer.trusted).into_iter().flat_map(|peer| &peer.domains) {
        endpoint.set_peer(flow, domain.as_str());
    }
}

fn flow_error(error: &io::Error) -> FlowError {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => FlowError::Refused,
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown | Kind::AddrNotAvailable => {
            FlowError::Unreachable
        }
        Kind::TimedOut => FlowError::TimedOut,
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => FlowError::Reset,
        Kind::UnexpectedEof => FlowError::Closed,
        _ => FlowError::Io,
    }
}

/// UDP and TCP at one port, on every address of both families.
fn bind_dual_stack(
    port: u16,
    config: &DriverConfig,
    options: Options,
    sockets: &mut Vec<Socket>,
    listeners: &mut Vec<Listener>,
) -> io::Result<()> {
    let any_v4 = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let any_v6 = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    type Bound = (Socket, Listener, Option<(Socket, Listener)>);
    let open = || -> io::Result<Bound> {
        let udp_v4 = Socket::bind(any_v4(port), options)?;
        let port = udp_v4.local.port();
        let tcp_v4 = Listener::bind(any_v4(port), config)?;
        let udp_v6 = match Socket::bind(any_v6(port), options) {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                tracing::warn!(%error, "no IPv6 on this system");
                return Ok((udp_v4, tcp_v4, None));
            }
            bound => bound?,
        };
        let tcp_v6 = Listener::bind(any_v6(port), config)?;
        Ok((udp_v4, tcp_v4, Some((udp_v6, tcp_v6))))
    };
    let mut bound = open();
    for _ in 1..DUAL_STACK_ATTEMPTS {
        match &bound {
            // The port that the system gave for one of the four is not free for the others.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && port == 0 => bound = open(),
            _ => break,
        }
    }
    let (udp_v4, tcp_v4, v6) = bound?;
    sockets.push(udp_v4);
    listeners.push(tcp_v4);
    if let Some((udp_v6, tcp_v6)) = v6 {
        sockets.push(udp_v6);
        listeners.push(tcp_v6);
    }
    Ok(())
}

/// Marks what a socket sends (RFC 2474). 0 is what a new socket has.
fn set_dscp(socket: &SockRef<'_>, ipv6: bool, dscp: u8) -> io::Result<()> {
    let traffic_class = u32::from(dscp) << 2;
    match (dscp, ipv6) {
        (0, _) => Ok(()),
        (_, false) => socket.set_tos_v4(traffic_class),
        #[cfg(unix)]
        (_, true) => socket.set_tclass_v6(traffic_class),
        #[cfg(not(unix))]
        (_, true) => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// The error with the address that it is about.
fn at_address(address: SocketAddr, what: &str) -> impl Fn(io::Error) -> io::Error {
    let what = what.to_owned();
    move |error| io::Error::new(error.kind(), format!("{what} {address}: {error}"))
}
