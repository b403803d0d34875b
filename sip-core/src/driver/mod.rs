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

mod arrival;
mod batch;
mod bind;
mod config;
mod inbox;
mod local;
#[cfg(feature = "sim")]
mod memory;
mod ports;
mod resolve;
mod routes;
mod socket;
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
pub use local::local_toward;
#[cfg(feature = "sim")]
pub use memory::{MemoryDatagram, MemoryNetwork};
pub use ports::PortRange;
pub use resolve::Resolver;
pub use socket::set_dscp;
#[cfg(feature = "tls")]
pub use tls::{
    CaSet, Certificates, ClientAuth, Identity, PeerIdentity, RevocationLists, TlsConfig, TlsError, TlsHandle,
    TlsSession, TlsVersion,
};
#[cfg(feature = "ws")]
pub use websocket::WebSocketConfig;

use crate::endpoint::Endpoint;
use crate::transport::{FlowError, FlowRequest, Input};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use arrival::Arrival;
use batch::Batch;
use core::pin::Pin;
use core::task::{Context, Poll};
use inbox::Inbox;
use routes::Routes;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr, Transmit};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use socket::{at_address, flow_error};
use std::io;
use stream::Connection;
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

impl Io {
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

    fn send_all(&mut self, endpoint: &mut Endpoint) {
        while let Some(transmit) = endpoint.poll_transmit() {
            self.send(transmit);
        }
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

const fn since_origin(at: Instant) -> Duration {
    at.saturating_since(Instant::ZERO)
}
