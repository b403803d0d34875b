//! Network address translators in a [`World`]: what they map, whom they let in, and when they forget (RFC 4787,
//! RFC 5382).

use super::node::NodeId;
use super::world::World;
use crate::net::{IpAddr, SocketAddr};
use crate::time::{Duration, Instant};
use alloc::collections::BTreeMap;
use alloc::format;

/// Which public port an inner address gets (RFC 4787 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mapping {
    /// One port, wherever it sends to.
    EndpointIndependent,
    /// A port for each address and port that it sends to: what RFC 3489 calls symmetric.
    AddressAndPortDependent,
}

/// Who may send to a public port (RFC 4787 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filtering {
    /// Everybody.
    EndpointIndependent,
    /// Every port of the addresses that the inner side has sent to.
    AddressDependent,
    /// The very addresses and ports that the inner side has sent to.
    AddressAndPortDependent,
}

/// The properties of a translator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatConfig {
    /// Which port is given.
    pub mapping: Mapping,
    /// Who is let in.
    pub filtering: Filtering,
    /// A UDP binding through which nothing was sent outwards for so long is forgotten. What comes in refreshes none.
    pub udp_timeout: Duration,
    /// A connection through which nothing went either way for so long is forgotten; its ends are not told.
    pub tcp_timeout: Duration,
}

impl NatConfig {
    const fn of(mapping: Mapping, filtering: Filtering) -> Self {
        let (udp_timeout, tcp_timeout) = (Duration::from_secs(30), Duration::from_secs(300));
        Self { mapping, filtering, udp_timeout, tcp_timeout }
    }

    /// A full cone: one port, open to everybody. Like all these, it forgets UDP after 30 s and connections after 5 min.
    #[must_use]
    pub const fn full_cone() -> Self {
        Self::of(Mapping::EndpointIndependent, Filtering::EndpointIndependent)
    }

    /// A restricted cone: one port, open to the addresses that were sent to.
    #[must_use]
    pub const fn address_restricted() -> Self {
        Self::of(Mapping::EndpointIndependent, Filtering::AddressDependent)
    }

    /// A port-restricted cone: one port, open to the addresses and ports that were sent to.
    #[must_use]
    pub const fn port_restricted() -> Self {
        Self::of(Mapping::EndpointIndependent, Filtering::AddressAndPortDependent)
    }

    /// A symmetric translator: a port for each address and port that is sent to, open to it alone.
    #[must_use]
    pub const fn symmetric() -> Self {
        Self::of(Mapping::AddressAndPortDependent, Filtering::AddressAndPortDependent)
    }

    /// The same with another life of UDP bindings.
    #[must_use]
    pub const fn with_udp_timeout(mut self, timeout: Duration) -> Self {
        self.udp_timeout = timeout;
        self
    }

    /// The same with another life of idle connections.
    #[must_use]
    pub const fn with_tcp_timeout(mut self, timeout: Duration) -> Self {
        self.tcp_timeout = timeout;
        self
    }
}

/// Names a translator of one [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatId(usize);

/// What has a public port of its own: an inner address, and by symmetric translators whom it sends to.
type Inner = (SocketAddr, Option<SocketAddr>);

/// One translator with its bindings.
pub(super) struct Nat {
    public: IpAddr,
    config: NatConfig,
    bindings: BTreeMap<Inner, Binding>,
    by_port: BTreeMap<u16, Inner>,
    next_port: u16,
}

struct Binding {
    port: u16,
    /// When something was sent outwards last, to each destination.
    sent: BTreeMap<SocketAddr, Instant>,
}

impl Binding {
    fn last(&self) -> Option<Instant> {
        self.sent.values().max().copied()
    }
}

/// The first public port that is given: unlike the inner ones, so that no test mistakes one for the other.
const FIRST_PORT: u16 = 61_001;

impl Nat {
    const fn new(public: IpAddr, config: NatConfig) -> Self {
        Self { public, config, bindings: BTreeMap::new(), by_port: BTreeMap::new(), next_port: FIRST_PORT }
    }

    /// A datagram goes out: the public address that it seems to come from.
    fn outward(&mut self, now: Instant, inner: SocketAddr, to: SocketAddr) -> SocketAddr {
        self.expire(now);
        let key = (inner, (self.config.mapping == Mapping::AddressAndPortDependent).then_some(to));
        let port = match self.bindings.get(&key) {
            Some(binding) => binding.port,
            None => self.free_port(),
        };
        self.by_port.insert(port, key);
        let binding = self.bindings.entry(key).or_insert_with(|| Binding { port, sent: BTreeMap::new() });
        binding.sent.insert(to, now);
        SocketAddr::new(self.public, port)
    }

    /// A datagram comes in at a public port: the inner address that it is for, if it is let in.
    fn inward(&mut self, now: Instant, port: u16, from: SocketAddr) -> Option<SocketAddr> {
        self.expire(now);
        let key = self.by_port.get(&port)?;
        let binding = self.bindings.get(key)?;
        let open = match self.config.filtering {
            Filtering::EndpointIndependent => true,
            Filtering::AddressDependent => binding.sent.keys().any(|to| to.ip() == from.ip()),
            Filtering::AddressAndPortDependent => binding.sent.contains_key(&from),
        };
        open.then_some(key.0)
    }

    /// A connection goes out: the public address that it seems to come from. Its life is the stream's.
    fn connection(&mut self) -> SocketAddr {
        SocketAddr::new(self.public, self.free_port())
    }

    fn free_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_PORT);
        port
    }

    fn expire(&mut self, now: Instant) {
        let Self { bindings, by_port, config, .. } = self;
        bindings.retain(|_, binding| {
            let alive = binding.last().is_some_and(|last| now.saturating_since(last) <= config.udp_timeout);
            if !alive {
                by_port.remove(&binding.port);
            }
            alive
        });
    }
}

/// How a datagram or a connection gets from one node to another.
pub(super) enum Passage {
    /// From this address, as the receiver sees it, to this one.
    Open { source: SocketAddr, destination: SocketAddr },
    /// Not at all.
    Closed,
}

impl World {
    /// Adds a translator with this public address, which no node has. Nodes are put behind it by
    /// [`World::put_behind`].
    pub fn add_nat(&mut self, public: IpAddr, config: NatConfig) -> NatId {
        self.nats.push(Nat::new(public, config));
        NatId(self.nats.len() - 1)
    }

    /// Puts a node behind a translator: others reach it only through the bindings that it makes, and those behind the
    /// same translator directly.
    pub fn put_behind<T>(&mut self, node: NodeId<T>, nat: NatId) {
        self.behind.insert(node.place, nat.0);
    }

    /// The translator forgets every UDP binding, as after a restart; ports are not used again.
    pub fn reset_nat(&mut self, nat: NatId) {
        if let Some(nat) = self.nats.get_mut(nat.0) {
            nat.bindings.clear();
            nat.by_port.clear();
        }
    }

    /// The translator gets another public address, as from a provider that renumbers every night, and forgets every UDP
    /// binding. Connections through it are lost too, and their ends are not told.
    pub fn renumber_nat(&mut self, nat: NatId, public: IpAddr) {
        self.reset_nat(nat);
        if let Some(nat) = self.nats.get_mut(nat.0) {
            nat.public = public;
        }
        for stream in self.streams.values_mut() {
            if let Some(passed) = stream.passed.as_mut().filter(|passed| passed.nat == nat.0) {
                passed.dead = true;
            }
        }
    }

    /// What translators make of a datagram.
    pub(super) fn pass_datagram(
        &mut self,
        from: usize,
        source: SocketAddr,
        destination: SocketAddr,
    ) -> Passage {
        if self.is_inside(from, destination) {
            return Passage::Open { source, destination };
        }
        let now = self.now;
        let outer = self.behind.get(&from).and_then(|nat| self.nats.get_mut(*nat));
        let source = outer.map_or(source, |nat| nat.outward(now, source, destination));
        let Some(nat) = self.nats.iter_mut().find(|nat| nat.public == destination.ip()) else {
            // An inner address is nobody's outside.
            return match self.place_of(destination).and_then(|to| self.behind.get(&to)) {
                Some(_) => Passage::Closed,
                None => Passage::Open { source, destination },
            };
        };
        match nat.inward(now, destination.port(), source) {
            Some(destination) => Passage::Open { source, destination },
            None => {
                let text = format!("the translator drops what comes from {source} to {destination}");
                self.note_at(from, &text);
                Passage::Closed
            }
        }
    }

    /// What translators make of a connection: the address that the listener sees, and the translator that it goes
    /// through. `None`: it does not get through.
    pub(super) fn pass_connection(
        &mut self,
        from: usize,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<(SocketAddr, Option<usize>)> {
        if self.is_inside(from, remote) {
            return Some((local, None));
        }
        if self.place_of(remote).is_some_and(|to| self.behind.contains_key(&to)) {
            return None;
        }
        let outer = self.behind.get(&from).copied();
        let nat = outer.and_then(|nat| self.nats.get_mut(nat));
        Some((nat.map_or(local, Nat::connection), outer))
    }

    /// Whether a connection through a translator still is one, at something that goes through it now.
    pub(super) fn passes(&mut self, stream: u64) -> bool {
        let now = self.now;
        let Some(passed) = self.streams.get_mut(&stream).and_then(|stream| stream.passed.as_mut()) else {
            return true;
        };
        let limit = self.nats.get(passed.nat).map_or(Duration::MAX, |nat| nat.config.tcp_timeout);
        passed.dead |= now.saturating_since(passed.last) > limit;
        if !passed.dead {
            passed.last = now;
        }
        !passed.dead
    }

    /// Whether the destination is behind the same translator as the sender, or neither is behind one.
    fn is_inside(&self, from: usize, destination: SocketAddr) -> bool {
        self.place_of(destination).is_some_and(|to| self.behind.get(&to) == self.behind.get(&from))
    }
}
