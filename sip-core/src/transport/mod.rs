//! Sockets and connections as the endpoint sees them: numbers, addresses and queues, no I/O.
//!
//! Read RFC 3261 §18 first, then RFC 3581 and RFC 5626 §3.5.1.

mod deframe;
pub(crate) mod flow;

pub use deframe::{Deframer, Frame};

use crate::config::EndpointConfig;
use crate::endpoint::SendError;
use crate::limits::Limits;
use crate::trace::{Direction, Tap, TapMessage};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;
use flow::Stream;
use sidetone_hal::net::{FlowId, IpAddr, Protocol, SocketAddr, Transmit};
use sidetone_hal::time::Instant;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The transport.
    pub protocol: Protocol,
    /// The next hop.
    pub address: SocketAddr,
    /// `Some`: this very socket or connection (responses on a connection, registered flows of RFC 5626), and none
    /// other if it is gone. `None`: whatever reaches the address, connecting if need be.
    pub flow: Option<FlowId>,
    /// The SIP domain, or host, that the address was found for: what TLS names in SNI and what the certificate must
    /// be for (RFC 5922 §7.1). A secure connection is used for one domain only. `None` with a secure transport: the
    /// certificate must name the address.
    pub domain: Option<Arc<str>>,
}

impl Target {
    /// Whatever reaches `address` over `protocol`.
    #[must_use]
    pub const fn new(protocol: Protocol, address: SocketAddr) -> Self {
        Self { protocol, address, flow: None, domain: None }
    }

    /// The same, over this very socket or connection.
    #[must_use]
    pub const fn on(mut self, flow: FlowId) -> Self {
        self.flow = Some(flow);
        self
    }

    /// The same, for a domain.
    #[must_use]
    pub fn with_domain(mut self, domain: impl Into<Arc<str>>) -> Self {
        self.domain = Some(domain.into());
        self
    }
}

/// Where a message came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// The socket or connection.
    pub flow: FlowId,
    /// Its transport.
    pub protocol: Protocol,
    /// The sender's address.
    pub remote: SocketAddr,
}

impl Source {
    /// The way back: the same flow, to the sender's address.
    #[must_use]
    pub const fn target(&self) -> Target {
        Target::new(self.protocol, self.remote).on(self.flow)
    }
}

/// What the outside tells the endpoint.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// A datagram came in on a bound socket.
    Datagram {
        /// The socket.
        flow: FlowId,
        /// Who sent it.
        source: SocketAddr,
        /// The whole of it.
        payload: Bytes,
    },
    /// The next bytes of a connection, cut anywhere.
    Stream {
        /// The connection.
        flow: FlowId,
        /// At least one byte.
        bytes: Bytes,
    },
    /// A whole message came over a connection that keeps message boundaries: WebSocket (RFC 7118 §5).
    Frame {
        /// The connection.
        flow: FlowId,
        /// The message.
        payload: Bytes,
    },
    /// The connection of a [`FlowRequest::Connect`] is there.
    FlowUp {
        /// The connection.
        flow: FlowId,
        /// Our end of it.
        local: SocketAddr,
    },
    /// A connection could not be made, or ended.
    FlowDown {
        /// The connection.
        flow: FlowId,
        /// Why.
        reason: FlowError,
    },
}

/// What the endpoint asks of the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlowRequest {
    /// Connect; answered by [`Input::FlowUp`] or [`Input::FlowDown`].
    Connect {
        /// The number that the connection has from now on.
        flow: FlowId,
        /// A stream transport.
        protocol: Protocol,
        /// Where to.
        remote: SocketAddr,
        /// For a secure transport: the domain to name in SNI and to find in the certificate; without one, the address
        /// ([`Target::domain`]).
        domain: Option<Arc<str>>,
    },
    /// Send what was queued, then close, and report nothing about this flow any more.
    Close {
        /// The connection.
        flow: FlowId,
    },
}

/// Why a flow is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FlowError {
    /// The other side refused the connection.
    #[error("connection refused")]
    Refused,
    /// No route, or the network is down.
    #[error("host or network unreachable")]
    Unreachable,
    /// The connection did not come up, or took no bytes, in time.
    #[error("timed out")]
    TimedOut,
    /// The other side closed.
    #[error("closed by the other side")]
    Closed,
    /// The connection broke.
    #[error("connection reset")]
    Reset,
    /// More waits to be sent than the bound allows.
    #[error("too much waits to be sent")]
    Overflow,
    /// The bytes are no SIP stream any more.
    #[error("lost the message boundaries")]
    Framing,
    /// TLS could not be agreed on: no common version or cipher, or the other side speaks none.
    #[error("TLS handshake failed")]
    Handshake,
    /// A certificate was not accepted, by us or by the other side.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    /// The WebSocket was not opened, or its rules were broken.
    #[error("WebSocket refused")]
    WebSocket,
    /// The flow is not known (any more).
    #[error("no such flow")]
    Unknown,
    /// Anything else the operating system said.
    #[error("input/output error")]
    Io,
}

/// Why a certificate was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// None of the certificates that we trust signed it.
    #[error("the certificate's issuer is not trusted")]
    UnknownIssuer,
    /// Its time is over.
    #[error("the certificate has expired")]
    Expired,
    /// Its time has not begun; our clock may be wrong.
    #[error("the certificate is not valid yet")]
    NotValidYet,
    /// It is for other domains (RFC 5922 §7.2).
    #[error("the certificate is not for this domain")]
    WrongName,
    /// It was revoked.
    #[error("the certificate was revoked")]
    Revoked,
    /// It may not be used for this purpose, as a client's certificate in a server.
    #[error("the certificate is not for this purpose")]
    WrongPurpose,
    /// It cannot be read, or a signature is wrong.
    #[error("the certificate is not valid")]
    Invalid,
    /// The other side sent none and one is compulsory.
    #[error("the other side sent no certificate")]
    Missing,
    /// The other side did not accept ours, or misses it.
    #[error("the other side did not accept our certificate")]
    Refused,
}

/// The way that one transaction's messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) protocol: Protocol,
    pub(crate) flow: FlowId,
    pub(crate) destination: SocketAddr,
    /// RFC 3261 §18.2.2: where to connect for a response when the request's connection is gone.
    pub(crate) reconnect: Option<SocketAddr>,
}

/// A bound datagram socket or a listener.
#[derive(Clone, Copy, Debug)]
struct Bound {
    protocol: Protocol,
    flow: FlowId,
    local: SocketAddr,
}

/// What makes a connection the same: transport, address, and the domain of a secure one.
type Remote = (Protocol, SocketAddr, Option<Arc<str>>);

/// At most this many learned routes: a cache, not a table of record.
const MAX_ROUTES: usize = 4096;

/// Every socket, connection and message on its way out.
pub(crate) struct Transports {
    bound: Vec<Bound>,
    streams: BTreeMap<FlowId, Stream>,
    /// Connections by where they lead; of a secure one, also by the domain that its certificate was checked for.
    by_remote: BTreeMap<Remote, FlowId>,
    /// Remote address → the local address that reaches it; the unspecified address stands for every other.
    routes: BTreeMap<IpAddr, IpAddr>,
    idle_checks: BTreeSet<(Instant, FlowId)>,
    next_flow: u64,
    transmits: VecDeque<Transmit>,
    requests: VecDeque<FlowRequest>,
    tap: Option<Box<dyn Tap>>,
    limits: Limits,
    idle: Duration,
    max_flows: usize,
    max_pending: usize,
}

impl Transports {
    pub(crate) fn new(config: &EndpointConfig) -> Self {
        Self {
            bound: Vec::new(),
            streams: BTreeMap::new(),
            by_remote: BTreeMap::new(),
            routes: BTreeMap::new(),
            idle_checks: BTreeSet::new(),
            next_flow: 0,
            transmits: VecDeque::new(),
            requests: VecDeque::new(),
            tap: None,
            limits: config.limits,
            idle: config.idle,
            max_flows: config.max_flows,
            max_pending: config.max_pending,
        }
    }

    pub(crate) fn bind(&mut self, protocol: Protocol, local: SocketAddr) -> FlowId {
        let flow = self.new_flow();
        self.bound.push(Bound { protocol, flow, local });
        flow
    }

    pub(crate) fn accept(
        &mut self,
        now: Instant,
        protocol: Protocol,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<FlowId> {
        let flow = self.open(now, (protocol, remote, None), Deframer::new(self.limits))?;
        if let Some(stream) = self.streams.get_mut(&flow) {
            stream.up(local);
        }
        Some(flow)
    }

    pub(crate) fn set_route(&mut self, remote: IpAddr, local: IpAddr) {
        if self.routes.len() >= MAX_ROUTES && !self.routes.contains_key(&remote) {
            self.routes.retain(|remote, _| remote.is_unspecified());
        }
        self.routes.insert(remote, local);
    }

    pub(crate) fn has_route(&self, remote: IpAddr) -> bool {
        self.routes.contains_key(&remote)
    }

    pub(crate) fn set_tap(&mut self, tap: Option<Box<dyn Tap>>) {
        self.tap = tap;
    }

    /// The way to a target, connecting when no connection is there.
    pub(crate) fn route(&mut self, now: Instant, target: &Target) -> Result<Path, SendError> {
        let flow = match target.flow {
            Some(flow) if self.protocol_of(flow) == Some(target.protocol) => flow,
            Some(_) => return Err(SendError::Flow(FlowError::Unknown)),
            None if target.protocol.is_reliable() => {
                let domain = target.domain.clone().filter(|_| target.protocol.is_secure());
                self.connection(now, (target.protocol, target.address, domain))?
            }
            None => {
                let bound = self.best(target.protocol, Some(target.address.ip()));
                bound.ok_or(SendError::NoLocalAddress(target.protocol))?.flow
            }
        };
        if self.streams.get(&flow).is_some_and(|stream| stream.pending() >= self.max_pending) {
            return Err(SendError::Flow(FlowError::Overflow));
        }
        Ok(Path { protocol: target.protocol, flow, destination: target.address, reconnect: None })
    }

    /// Sends on the path's flow; a response whose connection is gone goes over another one (RFC 3261 §18.2.2).
    pub(crate) fn transmit(
        &mut self,
        now: Instant,
        path: &mut Path,
        payload: &Arc<[u8]>,
    ) -> Result<(), FlowError> {
        if path.protocol.is_reliable() && !self.streams.contains_key(&path.flow) {
            let remote = path.reconnect.ok_or(FlowError::Unknown)?;
            path.flow =
                self.connection(now, (path.protocol, remote, None)).map_err(|_| FlowError::Overflow)?;
            path.destination = remote;
        }
        let transmit =
            Transmit { flow: path.flow, destination: path.destination, payload: Arc::clone(payload) };
        self.send(now, transmit)
    }

    /// Queues bytes for a flow that is up, holds them for one that is on its way up.
    pub(crate) fn send(&mut self, now: Instant, transmit: Transmit) -> Result<(), FlowError> {
        if let Some(stream) = self.streams.get_mut(&transmit.flow) {
            stream.touch(now);
            if !stream.is_up() {
                return stream.hold(transmit.payload, self.max_pending);
            }
        }
        self.tap(now, Direction::Sent, transmit.flow, transmit.destination, &transmit.payload);
        self.transmits.push_back(transmit);
        Ok(())
    }

    /// The connection is up: what was held goes out. False when the flow is not known.
    pub(crate) fn flow_up(&mut self, now: Instant, flow: FlowId, local: SocketAddr) -> bool {
        let Some(stream) = self.streams.get_mut(&flow) else { return false };
        let destination = stream.remote;
        stream.touch(now);
        for payload in stream.up(local) {
            self.tap(now, Direction::Sent, flow, destination, &payload);
            self.transmits.push_back(Transmit { flow, destination, payload });
        }
        true
    }

    /// Forgets a connection. False when it was not known.
    pub(crate) fn flow_down(&mut self, flow: FlowId) -> bool {
        let Some(stream) = self.streams.remove(&flow) else { return false };
        self.idle_checks.remove(&(stream.idle_check, flow));
        let remote = (stream.protocol, stream.remote, stream.domain);
        if self.by_remote.get(&remote) == Some(&flow) {
            self.by_remote.remove(&remote);
        }
        true
    }

    /// Forgets a connection and has it closed.
    pub(crate) fn close(&mut self, flow: FlowId) -> bool {
        let known = self.flow_down(flow);
        if known {
            self.requests.push_back(FlowRequest::Close { flow });
        }
        known
    }

    /// Closes the connections that were idle too long and that `busy` does not need.
    pub(crate) fn expire_idle(&mut self, now: Instant, busy: impl Fn(FlowId) -> bool) {
        while let Some((_, flow)) = self.idle_checks.first().copied().filter(|(at, _)| *at <= now) {
            self.idle_checks.pop_first();
            let Some(stream) = self.streams.get_mut(&flow) else { continue };
            let deadline = stream.last_active() + self.idle;
            if deadline > now || busy(flow) {
                stream.idle_check = if deadline > now { deadline } else { now + self.idle };
                self.idle_checks.insert((stream.idle_check, flow));
            } else {
                self.close(flow);
            }
        }
    }

    pub(crate) fn next_idle(&self) -> Option<Instant> {
        self.idle_checks.first().map(|(at, _)| *at)
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(crate) fn poll_flow(&mut self) -> Option<FlowRequest> {
        self.requests.pop_front()
    }

    pub(crate) fn backlog(&self) -> usize {
        self.transmits.len().max(self.requests.len())
    }

    pub(crate) fn stream_mut(&mut self, flow: FlowId) -> Option<&mut Stream> {
        self.streams.get_mut(&flow)
    }

    pub(crate) fn flow_count(&self) -> usize {
        self.streams.len()
    }

    pub(crate) fn protocol_of(&self, flow: FlowId) -> Option<Protocol> {
        let stream = self.streams.get(&flow).map(|stream| stream.protocol);
        stream.or_else(|| self.bound.iter().find(|bound| bound.flow == flow).map(|bound| bound.protocol))
    }

    /// The address to name in Via and Contact on the way to `toward`.
    pub(crate) fn local_address(&self, protocol: Protocol, toward: Option<IpAddr>) -> Option<SocketAddr> {
        // A stream transport that nobody listens on still has the address that its datagrams come from: `rport`
        // and the connection bring the responses back.
        let bound = self.best(protocol, toward).or_else(|| self.best(Protocol::Udp, toward));
        let port = bound.map_or_else(|| default_port(protocol), |bound| bound.local.port());
        let ip = match bound.map(|bound| bound.local.ip()) {
            Some(ip) if !ip.is_unspecified() => ip,
            other => {
                let sample = toward.or(other)?;
                self.routed(sample)?
            }
        };
        Some(SocketAddr::new(ip, port))
    }

    /// The address to name in the Via of a message that leaves on this path.
    pub(crate) fn sent_by(&self, path: &Path) -> Option<SocketAddr> {
        let bound = self.bound.iter().find(|bound| bound.flow == path.flow);
        if let Some(bound) = bound.filter(|bound| !bound.local.ip().is_unspecified()) {
            return Some(bound.local);
        }
        if let Some(bound) = bound {
            return Some(SocketAddr::new(self.routed(path.destination.ip())?, bound.local.port()));
        }
        let advertised = self.local_address(path.protocol, Some(path.destination.ip()));
        advertised.or_else(|| self.streams.get(&path.flow).and_then(|stream| stream.local))
    }

    /// RFC 3261 §18.1.2: whether a Via could have been ours.
    pub(crate) fn is_ours(&self, ip: IpAddr, port: u16) -> bool {
        self.bound.iter().any(|bound| bound.local.port() == port)
            && (self.bound.iter().any(|bound| bound.local.ip() == ip)
                || self.routes.values().any(|local| *local == ip)
                || ip.is_loopback())
            || self.streams.values().any(|stream| stream.local == Some(SocketAddr::new(ip, port)))
    }

    pub(crate) fn tap(
        &mut self,
        now: Instant,
        direction: Direction,
        flow: FlowId,
        remote: SocketAddr,
        bytes: &[u8],
    ) {
        let Some(mut tap) = self.tap.take() else { return };
        let protocol = self.protocol_of(flow).unwrap_or(Protocol::Udp);
        let local = match self.streams.get(&flow).and_then(|stream| stream.local) {
            Some(local) => Some(local),
            None => self.local_address(protocol, Some(remote.ip())),
        };
        tap.message(&TapMessage { now, direction, protocol, flow, local, remote, bytes });
        self.tap = Some(tap);
    }

    /// The connection to `remote`, asked for when there is none.
    fn connection(&mut self, now: Instant, remote: Remote) -> Result<FlowId, SendError> {
        if let Some(flow) = self.by_remote.get(&remote) {
            return Ok(*flow);
        }
        let deframer = Deframer::new(self.limits).connected();
        let flow = self.open(now, remote.clone(), deframer).ok_or(SendError::TooManyFlows)?;
        let (protocol, remote, domain) = remote;
        self.requests.push_back(FlowRequest::Connect { flow, protocol, remote, domain });
        Ok(flow)
    }

    fn open(&mut self, now: Instant, remote: Remote, deframer: Deframer) -> Option<FlowId> {
        if self.streams.len() >= self.max_flows {
            return None;
        }
        let flow = self.new_flow();
        let idle_check = now + self.idle;
        self.idle_checks.insert((idle_check, flow));
        self.streams.insert(flow, Stream::new(&remote, now, idle_check, deframer));
        self.by_remote.insert(remote, flow);
        Some(flow)
    }

    fn new_flow(&mut self) -> FlowId {
        let flow = FlowId(self.next_flow);
        self.next_flow += 1;
        flow
    }

    /// The bound socket that suits a remote best: the same address family is a must; then the one that the route
    /// names, one on every address, one that is loopback when the remote is and not when it is not.
    fn best(&self, protocol: Protocol, toward: Option<IpAddr>) -> Option<&Bound> {
        let rank = |bound: &&Bound| match toward {
            None => 0,
            Some(remote) if self.routed(remote) == Some(bound.local.ip()) => 3,
            Some(_) if bound.local.ip().is_unspecified() => 2,
            Some(remote) => u8::from(bound.local.ip().is_loopback() == remote.is_loopback()),
        };
        let fits = |bound: &&Bound| {
            bound.protocol == protocol
                && toward.is_none_or(|remote| remote.is_ipv4() == bound.local.is_ipv4())
        };
        // Among equals the first bound wins, and `max_by_key` keeps the last.
        self.bound.iter().rev().filter(fits).max_by_key(rank)
    }

    /// The local address that reaches `remote`, as far as the driver said.
    fn routed(&self, remote: IpAddr) -> Option<IpAddr> {
        let other = match remote {
            IpAddr::V4(_) => IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(core::net::Ipv6Addr::UNSPECIFIED),
        };
        let known = self.routes.get(&remote).copied();
        known.or_else(|| remote.is_loopback().then_some(remote)).or_else(|| self.routes.get(&other).copied())
    }
}

/// RFC 3261 §19.1.2: the port when none is written.
pub(crate) const fn default_port(protocol: Protocol) -> u16 {
    if protocol.is_secure() { 5061 } else { 5060 }
}
