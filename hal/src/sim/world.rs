//! The world: a clock, nodes, and what is on its way between them.

use super::failure::{Failure, FailureKind};
use super::ladder::{Column, Ladder};
use super::link::{Fate, Link, LinkConfig, LinkStats, LossCause};
use super::nat::{Nat, Passage};
use super::node::{Node, NodeId};
use super::stream::{Side, Stream, StreamError, StreamRequest};
use crate::net::{FlowId, IpAddr, SocketAddr, Transmit};
use crate::rng::Rng;
use crate::time::{Duration, Instant};
use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::ops::{Index, IndexMut};

/// Nodes, their network and their clock. The same seed and the same calls give the same run.
///
/// ```
/// use sidetone_hal::net::FlowId;
/// use sidetone_hal::sim::{LinkConfig, Script, World};
/// use sidetone_hal::time::{Duration, Instant};
///
/// let mut world = World::new(1);
/// world.set_default_link(LinkConfig::with_latency(Duration::from_millis(5)));
/// let second = Duration::from_secs(1);
/// let address = "192.0.2.2:5060".parse()?;
/// let alice = world.add("alice", "192.0.2.1".parse()?, Script::new(FlowId(0))
///     .send_to(address, "ping")
///     .expect("a pong", second, |payload| payload == b"pong"));
/// let bob = world.add("bob", "192.0.2.2".parse()?, Script::new(FlowId(0))
///     .expect("a ping", second, |payload| payload == b"ping")
///     .reply(|ping| format!("p{}ng", if ping.payload == b"ping" { 'o' } else { '?' }).into_bytes()));
/// world.bind(alice, FlowId(0), 5060);
/// world.bind(bob, FlowId(0), 5060);
///
/// world.run_until(|world| world[alice].is_over() && world[bob].is_over(), second)?;
/// world[alice].check()?;
/// world[bob].check()?;
/// assert_eq!(world.now(), Instant::from_millis(10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct World {
    pub(super) now: Instant,
    pub(super) rng: Rng,
    nodes: Vec<Slot>,
    default_link: LinkConfig,
    /// By sender, receiver, and whether for streams: a retransmission inside a stream holds up no datagram.
    links: BTreeMap<(usize, usize, bool), Link>,
    link_configs: BTreeMap<(usize, usize), LinkConfig>,
    /// What happens later, in order of time and then of cause.
    agenda: BTreeMap<(Instant, u64), Happening>,
    pub(super) sequence: u64,
    pub(super) flows: BTreeMap<(usize, FlowId), Binding>,
    sockets: BTreeMap<SocketAddr, (usize, FlowId)>,
    pub(super) nats: Vec<Nat>,
    /// The translators that nodes are behind.
    pub(super) behind: BTreeMap<usize, usize>,
    pub(super) listeners: BTreeMap<SocketAddr, usize>,
    pub(super) streams: BTreeMap<u64, Stream>,
    pub(super) next_port: u16,
    pub(super) ladder: Ladder,
    pub(super) labeller: Labeller,
    steps_at_once: u32,
}

type Labeller = Box<dyn FnMut(&[u8]) -> Option<String>>;

pub(super) struct Slot {
    name: String,
    pub(super) address: IpAddr,
    pub(super) column: Column,
    pub(super) node: Box<dyn Node>,
    /// Somebody had the node in hands since it was drained.
    touched: bool,
}

#[derive(Clone, Copy)]
pub(super) enum Binding {
    Socket(SocketAddr),
    Stream(u64, Side),
}

pub(super) enum Happening {
    Datagram {
        source: SocketAddr,
        destination: SocketAddr,
        payload: Arc<[u8]>,
    },
    /// The request to connect reaches the listener's machine.
    Knock {
        stream: u64,
    },
    /// The connector learns that the stream is there.
    Up {
        stream: u64,
    },
    Bytes {
        stream: u64,
        side: Side,
        bytes: Arc<[u8]>,
    },
    /// What has arrived is handed over.
    Read {
        stream: u64,
        side: Side,
    },
    Down {
        stream: u64,
        side: Side,
        error: StreamError,
    },
}

impl World {
    /// How many steps may happen without time passing.
    pub const MAX_STEPS_AT_ONCE: u32 = 10_000;
    /// How many arrows and notes the ladder keeps.
    pub const LADDER_ROWS: usize = 500;
    /// Between two nodes of one address, and from a node to itself.
    const LOOPBACK: LinkConfig = LinkConfig::with_latency(Duration::from_micros(20));

    /// An empty world at [`Instant::ZERO`].
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            now: Instant::ZERO,
            rng: Rng::from_u64(seed),
            nodes: Vec::new(),
            default_link: LinkConfig::default(),
            links: BTreeMap::new(),
            link_configs: BTreeMap::new(),
            agenda: BTreeMap::new(),
            sequence: 0,
            flows: BTreeMap::new(),
            sockets: BTreeMap::new(),
            nats: Vec::new(),
            behind: BTreeMap::new(),
            listeners: BTreeMap::new(),
            streams: BTreeMap::new(),
            next_port: 49_152,
            ladder: Ladder::new(Self::LADDER_ROWS),
            labeller: Box::new(|payload| Some(first_line(payload))),
            steps_at_once: 0,
        }
    }

    /// The time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// A generator of its own for a node, from the world's seed.
    pub fn fork_rng(&mut self) -> Rng {
        self.rng.fork()
    }

    /// Adds a node with a name for the ladder. Several nodes may share an address, as the programs of one
    /// machine do.
    pub fn add<T: Node>(&mut self, name: &str, address: IpAddr, node: T) -> NodeId<T> {
        let column = self.ladder.column(name);
        let node = Box::new(node);
        self.nodes.push(Slot { name: name.to_owned(), address, column, node, touched: true });
        NodeId::new(self.nodes.len() - 1)
    }

    /// Opens a socket for datagrams. It takes the address over from whoever had it.
    ///
    /// # Panics
    /// The node is of another world.
    pub fn bind<T>(&mut self, id: NodeId<T>, flow: FlowId, port: u16) -> SocketAddr {
        let address = SocketAddr::new(self.slot(id.place).address, port);
        self.flows.insert((id.place, flow), Binding::Socket(address));
        self.sockets.insert(address, (id.place, flow));
        address
    }

    /// Listens for streams. It takes the address over from whoever had it.
    ///
    /// # Panics
    /// The node is of another world.
    pub fn listen<T>(&mut self, id: NodeId<T>, port: u16) -> SocketAddr {
        let address = SocketAddr::new(self.slot(id.place).address, port);
        self.listeners.insert(address, id.place);
        address
    }

    /// Breaks a stream: both ends hear [`StreamError::Reset`].
    pub fn reset_stream<T>(&mut self, id: NodeId<T>, flow: FlowId) {
        if let Some(Binding::Stream(stream, side)) = self.flows.get(&(id.place, flow)).copied() {
            for side in [side, side.other()] {
                self.schedule(self.now, Happening::Down { stream, side, error: StreamError::Reset });
            }
        }
    }

    /// The link between nodes that have none of their own.
    pub fn set_default_link(&mut self, config: LinkConfig) {
        self.default_link = config;
        self.configure_links();
    }

    /// The link from one node to another; the way back is a link of its own.
    pub fn set_link<A, B>(&mut self, from: NodeId<A>, to: NodeId<B>, config: LinkConfig) {
        self.link_configs.insert((from.place, to.place), config);
        self.configure_links();
    }

    /// The links of both directions.
    pub fn set_links<A, B>(&mut self, a: NodeId<A>, b: NodeId<B>, config: LinkConfig) {
        self.set_link(a, b, config);
        self.set_link(b, a, config);
    }

    /// What the link from one node to another did to datagrams so far.
    #[must_use]
    pub fn link_stats<A, B>(&self, from: NodeId<A>, to: NodeId<B>) -> LinkStats {
        self.links.get(&(from.place, to.place, false)).map(Link::stats).unwrap_or_default()
    }

    /// Says how the ladder labels what is sent; `None` leaves it out, as is wise for audio. Without this it
    /// is the first line of a text, or a number of bytes.
    pub fn set_labeller(&mut self, labeller: impl FnMut(&[u8]) -> Option<String> + 'static) {
        self.labeller = Box::new(labeller);
    }

    /// Writes a note beside a node into the ladder.
    ///
    /// # Panics
    /// The node is of another world.
    pub fn note<T>(&mut self, id: NodeId<T>, text: &str) {
        self.note_at(id.place, text);
    }

    /// What was sent so far, for a person.
    #[must_use]
    pub const fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Lets the next thing happen, and time pass until then. False when nothing is left to happen.
    ///
    /// # Errors
    /// Time stands still, or a node breaks the contract of [`Node`].
    pub fn step(&mut self) -> Result<bool, Failure> {
        self.drain_touched()?;
        let Some(at) = self.next_wake() else { return Ok(false) };
        if at > self.now {
            self.now = at;
            self.steps_at_once = 0;
        }
        self.steps_at_once += 1;
        if self.steps_at_once > Self::MAX_STEPS_AT_ONCE {
            return Err(self.failure(FailureKind::Livelock));
        }
        if let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let happening = entry.remove();
            self.happen(happening)?;
        } else if let Some(place) = self.nodes.iter().position(|slot| is_due(slot, self.now)) {
            let now = self.now;
            self.with_node(place, |node| node.handle_timeout(now))?;
            if let Some(deadline) = self.slot(place).node.poll_timeout().filter(|at| *at <= now) {
                let node = self.slot(place).name.clone();
                return Err(self.failure(FailureKind::StaleTimeout { node, deadline }));
            }
        }
        Ok(true)
    }

    /// Steps until the condition is true; it is looked at before the first step and after each.
    ///
    /// # Errors
    /// The condition did not become true within `bound`, or a step failed.
    pub fn run_until(
        &mut self,
        mut condition: impl FnMut(&mut Self) -> bool,
        bound: Duration,
    ) -> Result<(), Failure> {
        let end = self.now + bound;
        loop {
            self.drain_touched()?;
            if condition(self) {
                return Ok(());
            }
            self.drain_touched()?;
            match self.next_wake() {
                None => return Err(self.failure(FailureKind::Idle)),
                Some(at) if at > end => {
                    self.now = end;
                    return Err(self.failure(FailureKind::Bound(bound)));
                }
                Some(_) => self.step()?,
            };
        }
    }

    /// Steps until this time has passed.
    ///
    /// # Errors
    /// A step failed.
    pub fn run_for(&mut self, duration: Duration) -> Result<(), Failure> {
        let end = self.now + duration;
        self.drain_touched()?;
        while self.next_wake().is_some_and(|at| at <= end) {
            self.step()?;
            self.drain_touched()?;
        }
        self.now = end;
        self.steps_at_once = 0;
        Ok(())
    }

    fn next_wake(&self) -> Option<Instant> {
        let agenda = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let nodes = self.nodes.iter().filter_map(|slot| slot.node.poll_timeout());
        nodes.chain(agenda).min().map(|at| at.max(self.now))
    }

    fn drain_touched(&mut self) -> Result<(), Failure> {
        for place in 0..self.nodes.len() {
            if self.slot(place).touched {
                self.with_node(place, |_| ())?;
            }
        }
        Ok(())
    }

    /// Calls a node, then takes everything that it wants to send.
    pub(super) fn with_node<R>(
        &mut self,
        place: usize,
        call: impl FnOnce(&mut dyn Node) -> R,
    ) -> Result<R, Failure> {
        let slot = self.slot_mut(place);
        slot.touched = false;
        let result = call(&mut *slot.node);
        for _ in 0..Self::MAX_STEPS_AT_ONCE {
            let node = &mut self.slot_mut(place).node;
            if let Some(transmit) = node.poll_transmit() {
                self.transmit(place, &transmit);
            } else if let Some(request) = node.poll_stream() {
                match request {
                    StreamRequest::Connect { flow, remote } => self.connect(place, flow, remote),
                    StreamRequest::Close { flow } => self.close(place, flow),
                }
            } else {
                return Ok(result);
            }
        }
        let node = self.slot(place).name.clone();
        Err(self.failure(FailureKind::Endless { node }))
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Failure> {
        let now = self.now;
        match happening {
            Happening::Datagram { source, destination, payload } => match self.sockets.get(&destination) {
                Some(&(place, flow)) => {
                    self.with_node(place, |node| node.handle_datagram(now, flow, source, &payload))
                }
                None => {
                    if let Some(place) = self.node_at(destination) {
                        self.note_at(place, &format!("nobody at port {}", destination.port()));
                    }
                    Ok(())
                }
            },
            Happening::Knock { stream } => self.knock(stream),
            Happening::Up { stream } => self.come_up(stream),
            Happening::Bytes { stream, side, bytes } => {
                self.take_bytes(stream, side, &bytes);
                Ok(())
            }
            Happening::Read { stream, side } => self.hand_over(stream, side),
            Happening::Down { stream, side, error } => self.go_down(stream, side, error),
        }
    }

    fn transmit(&mut self, from: usize, transmit: &Transmit) {
        let Transmit { flow, destination, payload } = transmit;
        match self.flows.get(&(from, *flow)).copied() {
            Some(Binding::Socket(source)) => self.send_datagram(from, source, *destination, payload),
            Some(Binding::Stream(stream, side)) => self.send_bytes(stream, side, payload),
            None => self.note_at(from, &format!("sent on {flow}, which is not open")),
        }
    }

    fn send_datagram(
        &mut self,
        from: usize,
        source: SocketAddr,
        destination: SocketAddr,
        payload: &Arc<[u8]>,
    ) {
        let label = (self.labeller)(payload);
        let Passage::Open { source, destination } = self.pass_datagram(from, source, destination) else {
            let label = label.unwrap_or_default();
            return self.note_at(from, &format!("{label} to {destination} does not get through"));
        };
        let Some(to) = self.node_at(destination) else {
            let label = label.unwrap_or_default();
            return self.note_at(from, &format!("{label} to {destination}, where nobody is"));
        };
        let now = self.now;
        let fate = self.link(from, to, false).send(now, payload.len());
        if let Some(label) = label {
            let (from, to) = (self.slot(from).column, self.slot(to).column);
            match fate {
                Fate::Arrives { again: None, .. } => self.ladder.arrow(now, from, to, &label),
                Fate::Arrives { again: Some(_), .. } => {
                    self.ladder.arrow(now, from, to, &format!("{label} (twice)"));
                }
                Fate::Lost(LossCause::Chance) => self.ladder.lost(now, from, to, &label),
                Fate::Lost(LossCause::TooLong) => {
                    self.ladder.lost(now, from, to, &format!("{label} (too long)"));
                }
                Fate::Lost(LossCause::QueueFull) => {
                    self.ladder.lost(now, from, to, &format!("{label} (queue full)"));
                }
            }
        }
        if let Fate::Arrives { at, again } = fate {
            for at in [Some(at), again].into_iter().flatten() {
                let payload = Arc::clone(payload);
                self.schedule(at, Happening::Datagram { source, destination, payload });
            }
        }
    }

    pub(super) fn link_config(&self, from: usize, to: usize) -> LinkConfig {
        let same_machine = self.slot(from).address == self.slot(to).address;
        let default = if same_machine { Self::LOOPBACK } else { self.default_link };
        self.link_configs.get(&(from, to)).copied().unwrap_or(default)
    }

    pub(super) fn link(&mut self, from: usize, to: usize, stream: bool) -> &mut Link {
        let config = self.link_config(from, to);
        let rng = &mut self.rng;
        self.links.entry((from, to, stream)).or_insert_with(|| Link::new(config, rng.fork()))
    }

    fn configure_links(&mut self) {
        let keys: Vec<_> = self.links.keys().copied().collect();
        for (from, to, stream) in keys {
            let config = self.link_config(from, to);
            self.link(from, to, stream).set_config(config);
        }
    }

    /// The node with the socket at `address`, or else some node of that machine.
    fn node_at(&self, address: SocketAddr) -> Option<usize> {
        let socket = self.sockets.get(&address).map(|(place, _)| *place);
        socket.or_else(|| self.nodes.iter().position(|slot| slot.address == address.ip()))
    }

    /// The node that listens at `address`, or else some node of that machine.
    pub(super) fn listener_at(&self, address: SocketAddr) -> Option<usize> {
        let listener = self.listeners.get(&address).copied();
        listener.or_else(|| self.nodes.iter().position(|slot| slot.address == address.ip()))
    }

    /// The node that has this address.
    pub(super) fn place_of(&self, address: SocketAddr) -> Option<usize> {
        self.nodes.iter().position(|slot| slot.address == address.ip())
    }

    pub(super) fn schedule(&mut self, at: Instant, happening: Happening) {
        self.sequence += 1;
        self.agenda.insert((at, self.sequence), happening);
    }

    pub(super) fn note_at(&mut self, place: usize, text: &str) {
        let column = self.slot(place).column;
        self.ladder.note(self.now, column, text);
    }

    const fn failure(&self, kind: FailureKind) -> Failure {
        Failure { at: self.now, kind }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "places come from `add`; a foreign NodeId is documented to panic"
    )]
    pub(super) fn slot(&self, place: usize) -> &Slot {
        &self.nodes[place]
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "places come from `add`; a foreign NodeId is documented to panic"
    )]
    pub(super) fn slot_mut(&mut self, place: usize) -> &mut Slot {
        &mut self.nodes[place]
    }
}

impl<T: Node> Index<NodeId<T>> for World {
    type Output = T;

    /// # Panics
    /// The node is of another world.
    #[expect(clippy::expect_used, reason = "a foreign NodeId is documented to panic")]
    fn index(&self, id: NodeId<T>) -> &T {
        let node: &dyn Any = &*self.slot(id.place).node;
        node.downcast_ref().expect("the NodeId comes from this world")
    }
}

impl<T: Node> IndexMut<NodeId<T>> for World {
    /// # Panics
    /// The node is of another world.
    #[expect(clippy::expect_used, reason = "a foreign NodeId is documented to panic")]
    fn index_mut(&mut self, id: NodeId<T>) -> &mut T {
        let slot = self.slot_mut(id.place);
        slot.touched = true;
        let node: &mut dyn Any = &mut *slot.node;
        node.downcast_mut().expect("the NodeId comes from this world")
    }
}

#[cfg(feature = "std")]
impl Drop for World {
    /// A test that panics shows what was on the network.
    fn drop(&mut self) {
        if std::thread::panicking() && !self.ladder.is_empty() {
            std::eprintln!("the network until {} s:\n{}", self.now, self.ladder);
        }
    }
}

fn is_due(slot: &Slot, now: Instant) -> bool {
    slot.node.poll_timeout().is_some_and(|at| at <= now)
}

/// The first line of a text, or how many bytes it is.
fn first_line(payload: &[u8]) -> String {
    let line = payload.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    match core::str::from_utf8(line) {
        Ok(text) if !text.is_empty() && !text.contains(char::is_control) => text.to_owned(),
        _ => format!("{} bytes", payload.len()),
    }
}
