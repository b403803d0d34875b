//! Sockets and connections as the endpoint sees them: numbers, addresses and queues, no I/O.
//!
//! Read RFC 3261 §18 first, then RFC 3581 and RFC 5626 §3.5.1.

mod avoided;
mod connections;
mod deframe;
mod error;
mod flow;
mod input;
mod local;
mod target;
mod watch;

pub use deframe::{Deframer, Frame};
pub use error::{CertificateError, FlowError};
pub use input::{FlowRequest, Input};
pub(crate) use target::{Path, default_port};
pub use target::{Source, Target};

use crate::config::EndpointConfig;
use crate::endpoint::{Counters, SendError};
use crate::leniency::Leniency;
use crate::limits::Limits;
use crate::trace::{Direction, Tap, TapMessage};
use crate::uri::Host;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use avoided::Avoided;
use connections::Connections;
use local::Local;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr, Transmit};
use sidetone_hal::time::Instant;
use watch::Watch;

/// Every socket, connection and message on its way out.
pub(crate) struct Transports {
    local: Local,
    connections: Connections,
    watch: Watch,
    avoided: Avoided,
    pub(crate) counters: Counters,
    next_flow: u64,
    transmits: VecDeque<Transmit>,
    requests: VecDeque<FlowRequest>,
    tap: Option<Box<dyn Tap>>,
    limits: Limits,
    leniency: Leniency,
    max_pending: usize,
}

impl Transports {
    pub(crate) fn new(config: &EndpointConfig, websocket_host: Host) -> Self {
        Self {
            local: Local::new(websocket_host),
            connections: Connections::new(config),
            watch: Watch::new(config),
            avoided: Avoided::new(),
            counters: Counters::default(),
            next_flow: 0,
            transmits: VecDeque::new(),
            requests: VecDeque::new(),
            tap: None,
            limits: config.limits,
            leniency: config.leniency,
            max_pending: config.max_pending,
        }
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
                let bound = self.local.best(target.protocol, Some(target.address.ip()));
                bound.ok_or(SendError::NoLocalAddress(target.protocol))?.flow
            }
        };
        let stream = self.connections.streams.get(&flow);
        if stream.is_some_and(|stream| stream.pending() >= self.max_pending) {
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
        if path.protocol.is_reliable() && !self.connections.streams.contains_key(&path.flow) {
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
        if let Some(stream) = self.connections.streams.get_mut(&transmit.flow) {
            stream.touch(now);
            if !stream.is_up() {
                return stream.hold(transmit.payload, self.max_pending);
            }
        }
        self.tap(now, Direction::Sent, transmit.flow, transmit.destination, &transmit.payload);
        self.transmits.push_back(transmit);
        Ok(())
    }

    /// Queues bytes that are no SIP message and that the tap is not shown, for a flow that is up.
    pub(crate) fn send_bytes(&mut self, now: Instant, transmit: Transmit) -> Result<(), FlowError> {
        match self.connections.streams.get_mut(&transmit.flow) {
            Some(stream) if stream.is_up() => stream.touch(now),
            None if self.local.bound(transmit.flow).is_some() => {}
            _ => return Err(FlowError::Unknown),
        }
        self.transmits.push_back(transmit);
        Ok(())
    }

    /// The connection is up: what was held goes out. False when the flow is not known.
    pub(crate) fn flow_up(&mut self, now: Instant, flow: FlowId, local: SocketAddr) -> bool {
        let Some(stream) = self.connections.streams.get_mut(&flow) else { return false };
        let destination = stream.remote;
        stream.touch(now);
        for payload in self.connections.come_up(flow, local) {
            self.tap(now, Direction::Sent, flow, destination, &payload);
            self.transmits.push_back(Transmit { flow, destination, payload });
        }
        true
    }

    /// Takes back a message that waits for its connection. False when it went out.
    pub(crate) fn withdraw(&mut self, flow: FlowId, payload: &Arc<[u8]>) -> bool {
        self.connections.streams.get_mut(&flow).is_some_and(|stream| stream.withdraw(payload))
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

    pub(crate) fn protocol_of(&self, flow: FlowId) -> Option<Protocol> {
        let stream = self.connections.streams.get(&flow).map(|stream| stream.protocol);
        stream.or_else(|| self.local.bound(flow).map(|bound| bound.protocol))
    }

    pub(crate) const fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn set_tap(&mut self, tap: Option<Box<dyn Tap>>) {
        self.tap = tap;
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
        let local = match self.connections.streams.get(&flow).and_then(|stream| stream.local) {
            Some(local) => Some(local),
            None => self.local_address(protocol, Some(remote.ip())),
        };
        tap.message(&TapMessage { now, direction, protocol, flow, local, remote, bytes });
        self.tap = Some(tap);
    }

    fn new_flow(&mut self) -> FlowId {
        let flow = FlowId(self.next_flow);
        self.next_flow += 1;
        flow
    }
}
