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

mod resolve;
mod tcp;
mod udp;

pub use resolve::Resolver;

use crate::endpoint::Endpoint;
use crate::transport::{FlowError, FlowRequest, Input};
use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::vec::Vec;
use sidetone_hal::net::{FlowId, IpAddr, Protocol, SocketAddr, Transmit};
use sidetone_hal::time::{Duration, Instant};
use std::io;
use tcp::{Connection, Listener};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use udp::Socket;

/// What [`Io::bind`] opens, and its bounds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DriverConfig {
    /// UDP sockets to bind; port 0 takes any.
    pub udp: Vec<SocketAddr>,
    /// TCP addresses to listen at; port 0 takes any.
    pub tcp: Vec<SocketAddr>,
    /// How long a TCP connection may take to come up. Default 10 s.
    pub connect_limit: Duration,
    /// How long a connection may take nothing of what is to be sent. Default 30 s.
    pub write_limit: Duration,
    /// Messages that may wait on one connection or socket. Default 256.
    pub write_queue: usize,
    /// What came in and waits for [`Io::next`]: datagrams and stream chunks. Default 1024.
    pub read_queue: usize,
}

impl DriverConfig {
    /// No sockets yet, default bounds.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            udp: Vec::new(),
            tcp: Vec::new(),
            connect_limit: Duration::from_secs(10),
            write_limit: Duration::from_secs(30),
            write_queue: 256,
            read_queue: 1024,
        }
    }

    /// One more UDP socket.
    #[must_use]
    pub fn udp(mut self, address: SocketAddr) -> Self {
        self.udp.push(address);
        self
    }

    /// One more TCP listener.
    #[must_use]
    pub fn tcp(mut self, address: SocketAddr) -> Self {
        self.tcp.push(address);
        self
    }
}

impl Default for DriverConfig {
    fn default() -> Self {
        Self::new()
    }
}

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
    sockets: Vec<Socket>,
    listeners: Vec<Listener>,
    listening: Vec<SocketAddr>,
    datagrams: BTreeMap<FlowId, udp::Sender>,
    connections: BTreeMap<FlowId, Connection>,
    arrivals: mpsc::Receiver<Arrival>,
    inbox: mpsc::Sender<Arrival>,
    /// What [`Io::send`] and [`Io::apply`] found out by themselves.
    local: VecDeque<Input>,
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
    Input(Input),
    Accepted(tcp::Accepted),
    Connected(FlowId, tcp::Accepted),
}

impl Io {
    /// Opens the sockets. Nothing is received before [`Io::attach`].
    ///
    /// # Errors
    /// An address cannot be bound; the message names it.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn bind(config: &DriverConfig) -> io::Result<Self> {
        let sockets =
            config.udp.iter().map(|address| Socket::bind(*address)).collect::<io::Result<Vec<_>>>()?;
        let listeners =
            config.tcp.iter().map(|address| Listener::bind(*address)).collect::<io::Result<Vec<_>>>()?;
        let (inbox, arrivals) = mpsc::channel(config.read_queue.max(1));
        let listening: Vec<_> = listeners.iter().map(|listener| listener.local).collect();
        let mut locals = sockets.iter().map(|socket| socket.local).chain(listening.iter().copied());
        Ok(Self {
            origin: tokio::time::Instant::now(),
            wildcard: locals.any(|local| local.ip().is_unspecified()),
            config: config.clone(),
            sockets,
            listeners,
            listening,
            datagrams: BTreeMap::new(),
            connections: BTreeMap::new(),
            arrivals,
            inbox,
            local: VecDeque::new(),
            tasks: JoinSet::new(),
            resolver: Resolver::new(),
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
                    IpAddr::V4(_) => IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED),
                    IpAddr::V6(_) => IpAddr::V6(core::net::Ipv6Addr::UNSPECIFIED),
                };
                if let Ok(local) = local_toward(probe) {
                    endpoint.set_route(everything_else, local);
                }
            }
        }
        for socket in &self.sockets {
            let flow = endpoint.bind(Protocol::Udp, socket.local);
            let sender = socket.start(flow, &self.inbox, self.config.write_queue, &mut self.tasks);
            self.datagrams.insert(flow, sender);
        }
        for listener in self.listeners.drain(..) {
            endpoint.listen(Protocol::Tcp, listener.local);
            listener.start(self.inbox.clone(), &mut self.tasks);
        }
    }

    /// Where the UDP sockets are bound, ports resolved, in the order of [`DriverConfig::udp`].
    #[must_use]
    pub fn udp_addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|socket| socket.local).collect()
    }

    /// Where TCP is listened at, ports resolved, in the order of [`DriverConfig::tcp`].
    #[must_use]
    pub fn tcp_addresses(&self) -> &[SocketAddr] {
        &self.listening
    }

    /// Now, on the clock of this driver.
    #[must_use]
    pub fn now(&self) -> Instant {
        let micros = self.origin.elapsed().as_micros();
        Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// Sends what the endpoint wants sent, makes and closes connections, then waits: for one input, or the deadline.
    ///
    /// Cancel safe: nothing is lost when the future is dropped. A deadline that has come goes before input, so that
    /// no flood can hold timers up.
    pub async fn next(&mut self, endpoint: &mut Endpoint, deadline: Option<Instant>) -> IoEvent {
        loop {
            self.flush(endpoint);
            if deadline.is_some_and(|deadline| deadline <= self.now()) {
                return IoEvent::Timeout;
            }
            if let Some(input) = self.local.pop_front() {
                return IoEvent::Input(input);
            }
            let arrival = match deadline.and_then(|deadline| self.origin.checked_add(since_origin(deadline)))
            {
                Some(at) => match tokio::time::timeout_at(at, self.arrivals.recv()).await {
                    Ok(arrival) => arrival,
                    Err(_) => return IoEvent::Timeout,
                },
                None => self.arrivals.recv().await,
            };
            // `self` keeps a sender, so the channel is never closed.
            if let Some(input) = arrival.and_then(|arrival| self.receive(endpoint, arrival)) {
                return IoEvent::Input(input);
            }
        }
    }

    /// Sends and connects all that the endpoint asks for; [`Io::next`] does it too.
    pub fn flush(&mut self, endpoint: &mut Endpoint) {
        while self.tasks.try_join_next().is_some() {}
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
        if let Some(sender) = self.datagrams.get(&flow) {
            sender.send(transmit);
        } else if let Some(connection) = self.connections.get(&flow)
            && connection.send(transmit.payload).is_err()
        {
            self.connections.remove(&flow);
            self.local.push_back(Input::FlowDown { flow, reason: FlowError::Overflow });
        }
    }

    /// Makes or closes a connection.
    pub fn apply(&mut self, request: FlowRequest) {
        match request {
            FlowRequest::Connect { flow, protocol: Protocol::Tcp, remote, .. } => {
                let task = tcp::connect(flow, remote, self.config.connect_limit, self.inbox.clone());
                self.connections.insert(flow, Connection::Connecting(self.tasks.spawn(task)));
            }
            FlowRequest::Connect { flow, .. } => {
                // UDP needs none, and no other transport is in this driver.
                self.local.push_back(Input::FlowDown { flow, reason: FlowError::Unreachable });
            }
            FlowRequest::Close { flow } => {
                self.connections.remove(&flow);
            }
        }
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
            Arrival::Input(input) => match &input {
                Input::Datagram { source, .. } => {
                    self.learn_route(endpoint, *source);
                    Some(input)
                }
                Input::Stream { flow, .. } | Input::Frame { flow, .. } => {
                    self.connections.contains_key(flow).then_some(input)
                }
                Input::FlowDown { flow, .. } => self.connections.remove(flow).map(|_| input),
                Input::FlowUp { .. } => Some(input),
            },
            Arrival::Accepted(accepted) => {
                self.learn_route(endpoint, accepted.remote);
                let now = self.now();
                if let Some(flow) = endpoint.accept(now, Protocol::Tcp, accepted.local, accepted.remote) {
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

    fn start(&mut self, flow: FlowId, accepted: tcp::Accepted) {
        let connection = tcp::start(
            flow,
            accepted.stream,
            self.inbox.clone(),
            self.config.write_queue,
            self.config.write_limit,
            &mut self.tasks,
        );
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
        SocketAddr::V4(_) => core::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => core::net::Ipv6Addr::UNSPECIFIED.into(),
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

/// The error with the address that it is about.
fn at_address(address: SocketAddr, what: &str) -> impl Fn(io::Error) -> io::Error {
    let what = what.to_owned();
    move |error| io::Error::new(error.kind(), format!("{what} {address}: {error}"))
}
