//! Sockets and connections as the endpoint sees them: numbers, addresses and queues, no I/O.
//!
//! Read RFC 3261 §18 first, then RFC 3581 and RFC 5626 §3.5.1.

mod deframe;
pub(crate) mod flow;

pub use deframe::{Deframer, Frame};

use crate::config::EndpointConfig;
use crate::endpoint::{Counters, SendError, WakeReason};
use crate::leniency::Leniency;
use crate::limits::Limits;
use crate::trace::{Direction, Tap, TapMessage};
use crate::uri::Host;
use alloc::boxed::Box;
use alloc::collections::btree_map::{BTreeMap, Entry};
use alloc::collections::{BTreeSet, VecDeque};
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
    /// A datagram did not arrive: the system or an ICMP error says so (RFC 3261 §18.4).
    Unreachable {
        /// The socket it was sent from.
        flow: FlowId,
        /// Where it was to go.
        destination: SocketAddr,
        /// What is known: [`FlowError::Refused`] when nobody listens there, else [`FlowError::Unreachable`].
        reason: FlowError,
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
    /// Another has taken its place: only what began here still goes this way.
    retired: bool,
}

/// What makes a connection the same: transport, address, and the domain of a secure one.
type Remote = (Protocol, SocketAddr, Option<Arc<str>>);

/// At most this many learned routes: a cache, not a table of record.
const MAX_ROUTES: usize = 4096;
/// Domains of one certificate that are remembered: those of a provider that serves a few.
const MAX_PEERS: usize = 16;
/// Public addresses that are remembered as ours: those of a few accounts, and of before a change.
const MAX_PUBLIC: usize = 32;
/// At most this many addresses that are known to take no TCP: a cache as well.
const MAX_AVOIDED: usize = 1024;
/// How long an address is known to take no TCP.
const AVOID: Duration = Duration::from_secs(300);

/// Every socket, connection and message on its way out.
pub(crate) struct Transports {
    bound: Vec<Bound>,
    streams: BTreeMap<FlowId, Stream>,
    /// Connections by where they lead; of a secure one, also by the domain that its certificate was checked for.
    by_remote: BTreeMap<Remote, FlowId>,
    /// Remote address → the local address that reaches it; the unspecified address stands for every other.
    routes: BTreeMap<IpAddr, IpAddr>,
    /// Our ends of the connections, with how many have it, and the addresses that routes name.
    locals: BTreeMap<SocketAddr, usize>,
    route_locals: BTreeSet<IpAddr>,
    /// Addresses of ours as others see them, the latest last.
    public: VecDeque<SocketAddr>,
    /// How many accepted connections an address has.
    by_origin: BTreeMap<IpAddr, usize>,
    /// Addresses that take no TCP, as far as is known, and until when.
    avoided: BTreeMap<SocketAddr, Instant>,
    /// When to look at a connection.
    checks: BTreeSet<(Instant, FlowId)>,
    /// What we call ourselves in Via on WebSocket connections that we made (RFC 7118 §5.2).
    websocket_host: Host,
    pub(crate) counters: Counters,
    next_flow: u64,
    transmits: VecDeque<Transmit>,
    requests: VecDeque<FlowRequest>,
    tap: Option<Box<dyn Tap>>,
    limits: Limits,
    leniency: Leniency,
    idle: Duration,
    first_message: Duration,
    whole_message: Duration,
    max_flows: usize,
    max_flows_per_address: usize,
    max_pending: usize,
}

impl Transports {
    pub(crate) fn new(config: &EndpointConfig, websocket_host: Host) -> Self {
        Self {
            bound: Vec::new(),
            streams: BTreeMap::new(),
            by_remote: BTreeMap::new(),
            routes: BTreeMap::new(),
            locals: BTreeMap::new(),
            route_locals: BTreeSet::new(),
            public: VecDeque::new(),
            by_origin: BTreeMap::new(),
            avoided: BTreeMap::new(),
            checks: BTreeSet::new(),
            websocket_host,
            counters: Counters::default(),
            next_flow: 0,
            transmits: VecDeque::new(),
            requests: VecDeque::new(),
            tap: None,
            limits: config.limits,
            leniency: config.leniency,
            idle: config.idle,
            first_message: config.first_message,
            whole_message: config.whole_message,
            max_flows: config.max_flows,
            max_flows_per_address: config.max_flows_per_address,
            max_pending: config.max_pending,
        }
    }

    pub(crate) fn bind(&mut self, protocol: Protocol, local: SocketAddr) -> FlowId {
        let flow = self.new_flow();
        self.bound.push(Bound { protocol, flow, local, retired: false });
        flow
    }

    /// Takes the socket only for what began there.
    pub(crate) fn retire(&mut self, flow: FlowId) {
        for bound in self.bound.iter_mut().filter(|bound| bound.flow == flow) {
            bound.retired = true;
        }
    }

    /// Forgets a socket.
    pub(crate) fn unbind(&mut self, flow: FlowId) {
        self.bound.retain(|bound| bound.flow != flow);
    }

    pub(crate) fn accept(
        &mut self,
        now: Instant,
        protocol: Protocol,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<FlowId> {
        let origin = origin(remote.ip());
        let flow = if self.by_origin.get(&origin).copied().unwrap_or_default() < self.max_flows_per_address {
            let first_by = Some(now + self.first_message);
            self.open(now, (protocol, remote, None), first_by, self.deframer())
        } else {
            None
        };
        let Some(flow) = flow else {
            self.counters.flows_refused += 1;
            return None;
        };
        *self.by_origin.entry(origin).or_default() += 1;
        self.come_up(flow, local);
        Some(flow)
    }

    pub(crate) fn set_route(&mut self, remote: IpAddr, local: IpAddr) {
        if self.routes.len() >= MAX_ROUTES && !self.routes.contains_key(&remote) {
            self.routes.retain(|remote, _| remote.is_unspecified());
            self.route_locals = self.routes.values().copied().collect();
        }
        self.routes.insert(remote, local);
        self.route_locals.insert(local);
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

    /// Queues bytes that are no SIP message and that the tap is not shown, for a flow that is up.
    pub(crate) fn send_bytes(&mut self, now: Instant, transmit: Transmit) -> Result<(), FlowError> {
        match self.streams.get_mut(&transmit.flow) {
            Some(stream) if stream.is_up() => stream.touch(now),
            None if self.bound.iter().any(|bound| bound.flow == transmit.flow) => {}
            _ => return Err(FlowError::Unknown),
        }
        self.transmits.push_back(transmit);
        Ok(())
    }

    /// Remembers a public address that we name in Via as ours.
    pub(crate) fn add_public(&mut self, address: SocketAddr) {
        if !self.public.contains(&address) {
            if self.public.len() >= MAX_PUBLIC {
                self.public.pop_front();
            }
            self.public.push_back(address);
        }
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
        for payload in self.come_up(flow, local) {
            self.tap(now, Direction::Sent, flow, destination, &payload);
            self.transmits.push_back(Transmit { flow, destination, payload });
        }
        true
    }

    /// Takes back a message that waits for its connection. False when it went out.
    pub(crate) fn withdraw(&mut self, flow: FlowId, payload: &Arc<[u8]>) -> bool {
        self.streams.get_mut(&flow).is_some_and(|stream| stream.withdraw(payload))
    }

    /// No TCP connection to this address came up: not to be tried again soon for what can go over UDP.
    pub(crate) fn avoid_stream(&mut self, now: Instant, address: SocketAddr) {
        if self.avoided.len() >= MAX_AVOIDED {
            self.avoided.retain(|_, until| *until > now);
        }
        if self.avoided.len() < MAX_AVOIDED {
            self.avoided.insert(address, now + AVOID);
        }
    }

    /// Whether a request that is too long for UDP may try TCP.
    pub(crate) fn may_try_stream(&self, now: Instant, address: SocketAddr) -> bool {
        self.avoided.get(&address).is_none_or(|until| *until <= now)
    }

    /// Whether a connection to this address is up.
    pub(crate) fn is_connected(&self, protocol: Protocol, address: SocketAddr) -> bool {
        let flow = self.by_remote.get(&(protocol, address, None));
        flow.and_then(|flow| self.streams.get(flow)).is_some_and(Stream::is_up)
    }

    /// The certificate of the side that connected was judged and is for `domain`. False when there is no such connection,
    /// or it has too many domains already.
    pub(crate) fn set_peer(&mut self, flow: FlowId, domain: Arc<str>) -> bool {
        let is_judged = |stream: &&mut Stream| stream.is_accepted && stream.protocol.is_secure();
        let Some(stream) = self.streams.get_mut(&flow).filter(is_judged) else { return false };
        if !stream.peers.contains(&domain) {
            if stream.peers.len() >= MAX_PEERS {
                return false;
            }
            stream.peers.push(Arc::clone(&domain));
            let name = (stream.protocol, stream.remote, Some(domain));
            add_name(&mut self.by_remote, stream, flow, name);
        }
        true
    }

    /// RFC 5923 §5: what is to go to the port that a peer names goes over the connection that it made. Over a secure one
    /// only what is for a domain that the peer has proved to be.
    pub(crate) fn set_alias(&mut self, flow: FlowId, port: u16) {
        let Some(stream) = self.streams.get_mut(&flow).filter(|stream| stream.is_accepted) else { return };
        if stream.has_alias {
            return;
        }
        // With its scope (RFC 4007 §6).
        let mut address = stream.remote;
        address.set_port(port);
        if stream.protocol.is_secure() {
            for domain in stream.peers.clone() {
                let alias = (stream.protocol, address, Some(domain));
                stream.has_alias |= add_name(&mut self.by_remote, stream, flow, alias);
            }
        } else {
            let alias = (stream.protocol, address, None);
            stream.has_alias = add_name(&mut self.by_remote, stream, flow, alias);
        }
    }

    /// Forgets a connection. False when it was not known.
    pub(crate) fn flow_down(&mut self, flow: FlowId) -> bool {
        let Some(stream) = self.streams.remove(&flow) else { return false };
        self.checks.remove(&(stream.check, flow));
        if let Some(local) = stream.local {
            decrease(&mut self.locals, local);
        }
        if stream.is_accepted {
            decrease(&mut self.by_origin, origin(stream.remote.ip()));
        }
        let remote = (stream.protocol, stream.remote, stream.domain);
        for remote in core::iter::once(remote).chain(stream.names) {
            if self.by_remote.get(&remote) == Some(&flow) {
                self.by_remote.remove(&remote);
            }
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

    /// Bytes came, and every whole message in them was taken.
    pub(crate) fn bytes_came(&mut self, now: Instant, flow: FlowId) {
        if let Some(stream) = self.streams.get_mut(&flow) {
            stream.bytes_came(now);
            self.file_check(flow, false);
        }
    }

    /// The next connection to close because it was idle too long and `busy` does not need it, or because the other side
    /// does not bring a message to its end.
    pub(crate) fn expire(&mut self, now: Instant, busy: impl Fn(FlowId) -> bool) -> Option<FlowId> {
        while let Some((_, flow)) = self.checks.first().copied().filter(|(at, _)| *at <= now) {
            let Some(stream) = self.streams.get_mut(&flow) else {
                self.checks.pop_first();
                continue;
            };
            if stream.stalled_at(self.whole_message).is_some_and(|at| at <= now) {
                self.counters.flows_stalled += 1;
                return Some(flow);
            }
            if stream.last_active() + self.idle > now {
                self.file_check(flow, true);
            } else if busy(flow) {
                stream.touch(now);
                self.file_check(flow, true);
            } else {
                self.counters.flows_idle += 1;
                return Some(flow);
            }
        }
        None
    }

    pub(crate) fn next_check(&self) -> Option<(Instant, WakeReason)> {
        let (at, flow) = self.checks.first()?;
        let stalled = self.streams.get(flow).and_then(|stream| stream.stalled_at(self.whole_message));
        Some((*at, if stalled == Some(*at) { WakeReason::Stalled } else { WakeReason::Idle }))
    }

    /// Writes down when to look at a connection: when it may have stalled, or been idle for long enough. An earlier
    /// look than needed does no harm, so a later one is written down only when the time of the last has `come`.
    fn file_check(&mut self, flow: FlowId, come: bool) {
        let Some(stream) = self.streams.get_mut(&flow) else { return };
        let idle = stream.last_active() + self.idle;
        let next = stream.stalled_at(self.whole_message).map_or(idle, |stalled| stalled.min(idle));
        if come || next < stream.check {
            self.checks.remove(&(stream.check, flow));
            stream.check = next;
            self.checks.insert((next, flow));
        }
    }

    /// Our end of a connection is known; what was held for it.
    fn come_up(&mut self, flow: FlowId, local: SocketAddr) -> VecDeque<Arc<[u8]>> {
        let Some(stream) = self.streams.get_mut(&flow) else { return VecDeque::new() };
        if let Some(before) = stream.local.replace(local) {
            decrease(&mut self.locals, before);
        }
        *self.locals.entry(local).or_default() += 1;
        stream.up(local)
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(crate) fn poll_flow(&mut self) -> Option<FlowRequest> {
        self.requests.pop_front()
    }

    /// Gives back the room of the queues, as far as nothing waits.
    pub(crate) fn give_queues_back(&mut self) {
        self.transmits.shrink_to_fit();
        self.requests.shrink_to_fit();
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

    /// The UDP socket that suits `toward` best.
    pub(crate) fn datagram_flow(&self, toward: Option<IpAddr>) -> Option<(FlowId, SocketAddr)> {
        self.best(Protocol::Udp, toward).map(|bound| (bound.flow, bound.local))
    }

    pub(crate) const fn limits(&self) -> Limits {
        self.limits
    }

    /// RFC 7118 §5.2: a WebSocket client that cannot be connected to calls itself by a name that does not exist.
    pub(crate) const fn websocket_host(&self) -> &Host {
        &self.websocket_host
    }

    /// Host and port to name in the Via of a message that leaves on this path.
    pub(crate) fn sent_by(&self, path: &Path) -> Option<(Host, Option<u16>)> {
        if matches!(path.protocol, Protocol::Ws | Protocol::Wss)
            && self.streams.get(&path.flow).is_some_and(|stream| !stream.is_accepted)
        {
            return Some((self.websocket_host.clone(), None));
        }
        let local = self.sent_by_address(path)?;
        Some((local.ip().into(), Some(local.port())))
    }

    fn sent_by_address(&self, path: &Path) -> Option<SocketAddr> {
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
                || self.route_locals.contains(&ip)
                || ip.is_loopback())
            || self.public.contains(&SocketAddr::new(ip, port))
            || self.locals.contains_key(&SocketAddr::new(ip, port))
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
        let deframer = self.deframer().connected();
        let flow = self.open(now, remote.clone(), None, deframer).ok_or(SendError::TooManyFlows)?;
        let (protocol, remote, domain) = remote;
        self.requests.push_back(FlowRequest::Connect { flow, protocol, remote, domain });
        Ok(flow)
    }

    fn open(
        &mut self,
        now: Instant,
        remote: Remote,
        first_by: Option<Instant>,
        deframer: Deframer,
    ) -> Option<FlowId> {
        if self.streams.len() >= self.max_flows {
            return None;
        }
        let flow = self.new_flow();
        self.streams.insert(flow, Stream::new(&remote, now, first_by, deframer));
        // Who made a secure connection to us is not known, so nothing of ours goes there before it is.
        if first_by.is_none() || !remote.0.is_secure() {
            self.by_remote.insert(remote, flow);
        }
        self.file_check(flow, true);
        Some(flow)
    }

    /// For a stream that the peer opened.
    fn deframer(&self) -> Deframer {
        Deframer::new(self.limits).with_leniency(&self.leniency)
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
                && !bound.retired
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

/// RFC 3261 §19.1.2, RFC 7118 §8: the port when none is written.
pub(crate) const fn default_port(protocol: Protocol) -> u16 {
    match protocol {
        Protocol::Udp | Protocol::Tcp => 5060,
        Protocol::Tls => 5061,
        Protocol::Ws => 80,
        Protocol::Wss => 443,
    }
}

/// Has a connection found by another name too, unless that leads to another one.
fn add_name(
    by_remote: &mut BTreeMap<Remote, FlowId>,
    stream: &mut Stream,
    flow: FlowId,
    name: Remote,
) -> bool {
    let Entry::Vacant(place) = by_remote.entry(name.clone()) else { return false };
    place.insert(flow);
    stream.names.push(name);
    true
}

/// Whose connections are counted together: an IPv6 customer has a network of 64 bits at least.
fn origin(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => core::net::Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// One fewer; nothing at all instead of none.
fn decrease<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) {
    if let Entry::Occupied(mut count) = counts.entry(key) {
        if *count.get() <= 1 {
            count.remove();
        } else {
            *count.get_mut() -= 1;
        }
    }
}
