//! Streams (TCP) between nodes: what a node asks for, what it hears, and one connection in flight.
//!
//! A stream arrives whole and in order, in chunks that are cut and joined at random places. Loss of the link
//! shows as delay, as a retransmission would; only eight losses in a row break the stream.

use super::failure::Failure;
use super::link::Fate;
use super::world::{Binding, Happening, World};
use crate::net::{FlowId, SocketAddr};
use crate::rng::Rng;
use crate::time::{Duration, Instant};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// How long a connection attempt to an address where nobody is takes to fail.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a sender repeats what a translator does not let through any more.
const GIVE_UP: Duration = Duration::from_secs(51);
/// The bytes of a segment that only opens or closes a stream.
const CONTROL: usize = 40;

/// What a node asks of its streams; the answer is a [`StreamEvent`] on the same flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamRequest {
    /// Connect to a listener.
    Connect {
        /// The node's number for the stream that shall come up.
        flow: FlowId,
        /// The listener.
        remote: SocketAddr,
    },
    /// End the stream. The node hears nothing more of this flow.
    Close {
        /// Which.
        flow: FlowId,
    },
}

/// What a node hears of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEvent<'a> {
    /// The connection that the node asked for is there.
    Up {
        /// The address of the node's end.
        local: SocketAddr,
    },
    /// The next bytes, at least one.
    Data(&'a [u8]),
    /// The stream is over, or did not come up. The flow is gone.
    Down(StreamError),
}

/// Why a stream is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamError {
    /// Nobody listens there, or the listener did not want it.
    Refused,
    /// The other side closed it.
    Closed,
    /// It broke.
    Reset,
    /// Nothing came back for too long.
    TimedOut,
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "refused",
            Self::Closed => "closed by the other side",
            Self::Reset => "reset",
            Self::TimedOut => "timed out",
        })
    }
}

/// Which end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// The one that connected.
    Connector,
    /// The one that listened.
    Acceptor,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Connector => Self::Acceptor,
            Self::Acceptor => Self::Connector,
        }
    }
}

/// One connection.
pub(super) struct Stream {
    pub(super) connector: End,
    pub(super) acceptor: End,
    /// The connector as the acceptor sees it.
    pub(super) seen: SocketAddr,
    /// The translator that it goes through.
    pub(super) passed: Option<Passed>,
}

/// A connection in the table of a translator.
pub(super) struct Passed {
    pub(super) nat: usize,
    /// When something went through last.
    pub(super) last: Instant,
    /// It was forgotten: nothing goes through any more.
    pub(super) dead: bool,
}

/// One end of a connection, with what is on its way to it.
pub(super) struct End {
    /// The node; `None` as long as nobody has accepted.
    pub(super) node: Option<usize>,
    pub(super) flow: FlowId,
    pub(super) address: SocketAddr,
    /// Whether the node may send.
    pub(super) up: bool,
    /// When the last of what was sent to it arrives.
    pub(super) last_arrival: Instant,
    /// What has arrived and was not handed over yet.
    incoming: Vec<u8>,
}

impl Stream {
    pub(super) const fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Connector => &mut self.connector,
            Side::Acceptor => &mut self.acceptor,
        }
    }
}

impl End {
    pub(super) const fn new(node: Option<usize>, flow: FlowId, address: SocketAddr) -> Self {
        Self { node, flow, address, up: false, last_arrival: Instant::ZERO, incoming: Vec::new() }
    }

    /// Takes bytes off the network. Whether they are the first, so that somebody has to read.
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        let first = self.incoming.is_empty();
        self.incoming.extend_from_slice(bytes);
        first
    }

    /// Everything that has arrived, cut at random places.
    pub(super) fn read(&mut self, rng: &mut Rng) -> Vec<Vec<u8>> {
        let mut rest = core::mem::take(&mut self.incoming);
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            // As often below 4 bytes as between 1024 and 2048.
            let longest = 2 << rng.below(11);
            let length = (1 + rng.below(longest) as usize).min(rest.len());
            let tail = rest.split_off(length);
            chunks.push(core::mem::replace(&mut rest, tail));
        }
        chunks
    }
}

impl World {
    /// A node wants a stream: knocks at the listener's machine.
    pub(super) fn connect(&mut self, from: usize, flow: FlowId, remote: SocketAddr) {
        let local = SocketAddr::new(self.slot(from).address, self.next_port);
        self.next_port = self.next_port.checked_add(1).unwrap_or(49_152);
        self.sequence += 1;
        let stream = self.sequence;
        let connector = End::new(Some(from), flow, local);
        let passage = self.pass_connection(from, local, remote);
        let (seen, nat) = passage.unwrap_or((local, None));
        let passed = nat.map(|nat| Passed { nat, last: self.now, dead: false });
        let acceptor = End::new(None, flow, remote);
        self.streams.insert(stream, Stream { connector, acceptor, seen, passed });
        self.flows.insert((from, flow), Binding::Stream(stream, Side::Connector));
        if passage.is_none() {
            return self.give_up(stream, self.now + CONNECT_TIMEOUT);
        }
        match self.listener_at(remote).map(|to| self.carry(from, to, CONTROL)) {
            Some(Ok(at)) => self.schedule(at, Happening::Knock { stream }),
            Some(Err(at)) => self.give_up(stream, at),
            None => self.give_up(stream, self.now + CONNECT_TIMEOUT),
        }
    }

    /// Nothing gets through any more: both ends hear it then.
    fn give_up(&mut self, stream: u64, at: Instant) {
        let error = StreamError::TimedOut;
        for side in [Side::Connector, Side::Acceptor] {
            self.schedule(at, Happening::Down { stream, side, error });
        }
    }

    /// The request to connect is there: the listener accepts or refuses.
    pub(super) fn knock(&mut self, stream: u64) -> Result<(), Failure> {
        let Some(Stream { connector, acceptor, seen, .. }) = self.streams.get(&stream) else { return Ok(()) };
        let (local, remote, from) = (acceptor.address, *seen, connector.node);
        let (Some(from), Some(to)) = (from, self.listener_at(local)) else { return Ok(()) };
        let now = self.now;
        let listens = self.listeners.contains_key(&local);
        let flow = match listens {
            true => self.slot_mut(to).node.accept_stream(now, local, remote),
            false => None,
        };
        let answer = self.carry(to, from, CONTROL);
        let Some(flow) = flow else {
            let error = StreamError::Refused;
            let at = answer.unwrap_or_else(|at| at);
            self.schedule(at, Happening::Down { stream, side: Side::Connector, error });
            return Ok(());
        };
        self.flows.insert((to, flow), Binding::Stream(stream, Side::Acceptor));
        if let Some(Stream { connector, acceptor, .. }) = self.streams.get_mut(&stream) {
            *acceptor = End::new(Some(to), flow, local);
            acceptor.up = true;
            // What the acceptor sends at once does not overtake the news that the stream is there.
            connector.last_arrival = answer.unwrap_or_else(|at| at);
        }
        match answer {
            Ok(at) => self.schedule(at, Happening::Up { stream }),
            Err(at) => self.give_up(stream, at),
        }
        self.with_node(to, |_| ())
    }

    /// A node sends on a stream.
    pub(super) fn send_bytes(&mut self, stream: u64, side: Side, payload: &Arc<[u8]>) {
        let Some(ends) = self.streams.get_mut(&stream) else { return };
        let (up, from, to) = (ends.end(side).up, ends.end(side).node, ends.end(side.other()).node);
        let (Some(from), true) = (from, up) else {
            if let Some(from) = from {
                self.note_at(from, "sent on a stream that is not up yet");
            }
            return;
        };
        // A stream whose other end is gone swallows bytes until its own end hears of it.
        let Some(to) = to else { return };
        if let Some(label) = (self.labeller)(payload) {
            let (from, to) = (self.slot(from).column, self.slot(to).column);
            self.ladder.arrow(self.now, from, to, &label);
        }
        if !self.passes(stream) {
            // Only the sender gives up; the other end goes on waiting.
            let at = self.now + GIVE_UP;
            return self.schedule(at, Happening::Down { stream, side, error: StreamError::TimedOut });
        }
        match self.carry(from, to, payload.len()) {
            Ok(arrival) => {
                let at = self.in_order(stream, side.other(), arrival);
                let bytes = Arc::clone(payload);
                self.schedule(at, Happening::Bytes { stream, side: side.other(), bytes });
            }
            Err(at) => self.give_up(stream, at),
        }
    }

    /// A node ends a stream.
    pub(super) fn close(&mut self, from: usize, flow: FlowId) {
        let Some(Binding::Stream(stream, side)) = self.flows.get(&(from, flow)).copied() else { return };
        let to = self.streams.get_mut(&stream).and_then(|stream| stream.end(side.other()).node);
        let passes = self.passes(stream);
        if let Some(to) = to.filter(|_| passes) {
            let arrival = self.carry(from, to, CONTROL).unwrap_or_else(|at| at);
            let at = self.in_order(stream, side.other(), arrival);
            self.schedule(at, Happening::Down { stream, side: side.other(), error: StreamError::Closed });
        }
        self.forget(stream, side);
    }

    /// The connector learns that the stream is there.
    pub(super) fn come_up(&mut self, stream: u64) -> Result<(), Failure> {
        let Some(ends) = self.streams.get_mut(&stream) else { return Ok(()) };
        ends.connector.up = true;
        let local = ends.connector.address;
        self.tell(stream, Side::Connector, StreamEvent::Up { local })
    }

    /// Bytes arrive. They are handed over in a happening of their own, so that what arrives at one time is
    /// joined.
    pub(super) fn take_bytes(&mut self, stream: u64, side: Side, bytes: &[u8]) {
        if self.streams.get_mut(&stream).is_some_and(|stream| stream.end(side).push(bytes)) {
            self.schedule(self.now, Happening::Read { stream, side });
        }
    }

    /// The node gets what has arrived.
    pub(super) fn hand_over(&mut self, stream: u64, side: Side) -> Result<(), Failure> {
        let Some(ends) = self.streams.get_mut(&stream) else { return Ok(()) };
        let chunks = ends.end(side).read(&mut self.rng);
        chunks.iter().try_for_each(|chunk| self.tell(stream, side, StreamEvent::Data(chunk)))
    }

    /// An end hears that the stream is over, after everything that came before.
    pub(super) fn go_down(&mut self, stream: u64, side: Side, error: StreamError) -> Result<(), Failure> {
        self.hand_over(stream, side)?;
        let Some(end) = self.streams.get_mut(&stream).map(|stream| stream.end(side)) else { return Ok(()) };
        let (Some(place), flow) = (end.node, end.flow) else { return Ok(()) };
        self.forget(stream, side);
        self.note_at(place, &format!("stream {error}"));
        let now = self.now;
        self.with_node(place, |node| node.handle_stream(now, flow, StreamEvent::Down(error)))
    }

    /// An end has nothing more to do with the stream.
    fn forget(&mut self, stream: u64, side: Side) {
        let Some(ends) = self.streams.get_mut(&stream) else { return };
        let end = ends.end(side);
        if let Some(node) = end.node.take() {
            self.flows.remove(&(node, end.flow));
        }
        if ends.connector.node.is_none() && ends.acceptor.node.is_none() {
            self.streams.remove(&stream);
        }
    }

    /// Calls the node at an end of a stream, if it is still there.
    fn tell(&mut self, stream: u64, side: Side, event: StreamEvent<'_>) -> Result<(), Failure> {
        let now = self.now;
        let Some(end) = self.streams.get_mut(&stream).map(|stream| stream.end(side)) else { return Ok(()) };
        let (Some(place), flow) = (end.node, end.flow) else { return Ok(()) };
        self.with_node(place, |node| node.handle_stream(now, flow, event))
    }

    /// When bytes of a stream arrive, each loss costing a retransmission; `Err` when it would give up.
    fn carry(&mut self, from: usize, to: usize, length: usize) -> Result<Instant, Instant> {
        let (mut at, mut wait) = (self.now, Duration::from_millis(200));
        for _ in 0..8 {
            let length = length.min(self.link_config(from, to).mtu);
            if let Fate::Arrives { at, .. } = self.link(from, to, true).send(at, length) {
                return Ok(at);
            }
            at += wait;
            wait *= 2;
        }
        Err(at)
    }

    /// The arrival, or that of what went before if it is later.
    fn in_order(&mut self, stream: u64, side: Side, arrival: Instant) -> Instant {
        self.streams.get_mut(&stream).map_or(arrival, |stream| {
            let end = stream.end(side);
            end.last_arrival = end.last_arrival.max(arrival);
            end.last_arrival
        })
    }
}
