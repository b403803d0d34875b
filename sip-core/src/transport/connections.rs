//! The table of connections: by number, by where they lead, by where they come from.

use super::flow::{Remote, Stream};
use super::{Deframer, FlowRequest, Transports};
use crate::config::EndpointConfig;
use crate::endpoint::SendError;
use alloc::collections::VecDeque;
use alloc::collections::btree_map::{BTreeMap, Entry};
use alloc::sync::Arc;
use core::time::Duration;
use sidetone_hal::net::{FlowId, IpAddr, Protocol, SocketAddr};
use sidetone_hal::time::Instant;

/// Domains of one certificate that are remembered: those of a provider that serves a few.
const MAX_PEERS: usize = 16;

pub(super) struct Connections {
    pub(super) streams: BTreeMap<FlowId, Stream>,
    /// By where they lead; a secure one, also by the domain that its certificate was checked for.
    by_remote: BTreeMap<Remote, FlowId>,
    /// Our ends, with how many connections have each.
    ends: BTreeMap<SocketAddr, usize>,
    /// How many accepted connections an address has.
    by_origin: BTreeMap<IpAddr, usize>,
    first_message: Duration,
    max_flows: usize,
    max_flows_per_address: usize,
}

impl Transports {
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        protocol: Protocol,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<FlowId> {
        let origin = origin(remote.ip());
        let flow = if self.connections.takes_from(origin) {
            let first_by = Some(now + self.connections.first_message);
            self.open(now, (protocol, remote, None), first_by, self.deframer())
        } else {
            None
        };
        let Some(flow) = flow else {
            self.counters.flows_refused += 1;
            return None;
        };
        *self.connections.by_origin.entry(origin).or_default() += 1;
        self.connections.come_up(flow, local);
        Some(flow)
    }

    /// The connection to `remote`, asked for when there is none.
    pub(super) fn connection(&mut self, now: Instant, remote: Remote) -> Result<FlowId, SendError> {
        if let Some(flow) = self.connections.by_remote.get(&remote) {
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
        if self.connections.streams.len() >= self.connections.max_flows {
            return None;
        }
        let flow = self.new_flow();
        let mut stream = Stream::new(&remote, now, first_by, deframer);
        self.watch.file(flow, &mut stream, true);
        self.connections.streams.insert(flow, stream);
        // Who made a secure connection to us is not known, so nothing of ours goes there before it is.
        if first_by.is_none() || !remote.0.is_secure() {
            self.connections.by_remote.insert(remote, flow);
        }
        Some(flow)
    }

    /// For a stream that the peer opened.
    fn deframer(&self) -> Deframer {
        Deframer::new(self.limits).with_leniency(&self.leniency)
    }

    /// The certificate of the side that connected was judged and is for `domain`. False when there is no such connection,
    /// or it has too many domains already.
    pub(crate) fn set_peer(&mut self, flow: FlowId, domain: Arc<str>) -> bool {
        let Connections { streams, by_remote, .. } = &mut self.connections;
        let is_judged = |stream: &&mut Stream| stream.is_accepted && stream.protocol.is_secure();
        let Some(stream) = streams.get_mut(&flow).filter(is_judged) else { return false };
        if !stream.peers.contains(&domain) {
            if stream.peers.len() >= MAX_PEERS {
                return false;
            }
            stream.peers.push(Arc::clone(&domain));
            let name = (stream.protocol, stream.remote, Some(domain));
            add_name(by_remote, stream, flow, name);
        }
        true
    }

    /// RFC 5923 §5: what is to go to the port that a peer names goes over the connection that it made. Over a secure one
    /// only what is for a domain that the peer has proved to be.
    pub(crate) fn set_alias(&mut self, flow: FlowId, port: u16) {
        let Connections { streams, by_remote, .. } = &mut self.connections;
        let Some(stream) = streams.get_mut(&flow).filter(|stream| stream.is_accepted) else { return };
        if stream.has_alias {
            return;
        }
        // With its scope (RFC 4007 §6).
        let mut address = stream.remote;
        address.set_port(port);
        if stream.protocol.is_secure() {
            for domain in stream.peers.clone() {
                let alias = (stream.protocol, address, Some(domain));
                stream.has_alias |= add_name(by_remote, stream, flow, alias);
            }
        } else {
            let alias = (stream.protocol, address, None);
            stream.has_alias = add_name(by_remote, stream, flow, alias);
        }
    }

    pub(crate) fn stream_mut(&mut self, flow: FlowId) -> Option<&mut Stream> {
        self.connections.streams.get_mut(&flow)
    }

    /// Whether a connection to this address is up.
    pub(crate) fn is_connected(&self, protocol: Protocol, address: SocketAddr) -> bool {
        let Connections { streams, by_remote, .. } = &self.connections;
        let flow = by_remote.get(&(protocol, address, None));
        flow.and_then(|flow| streams.get(flow)).is_some_and(Stream::is_up)
    }

    pub(crate) fn flow_count(&self) -> usize {
        self.connections.streams.len()
    }

    /// Forgets a connection and has it closed.
    pub(crate) fn close(&mut self, flow: FlowId) -> bool {
        let known = self.flow_down(flow);
        if known {
            self.requests.push_back(FlowRequest::Close { flow });
        }
        known
    }

    /// Forgets a connection. False when it was not known.
    pub(crate) fn flow_down(&mut self, flow: FlowId) -> bool {
        let Connections { streams, by_remote, ends, by_origin, .. } = &mut self.connections;
        let Some(stream) = streams.remove(&flow) else { return false };
        self.watch.forget(flow, &stream);
        if let Some(local) = stream.local {
            decrease(ends, local);
        }
        if stream.is_accepted {
            decrease(by_origin, origin(stream.remote.ip()));
        }
        let remote = (stream.protocol, stream.remote, stream.domain);
        for remote in core::iter::once(remote).chain(stream.names) {
            if by_remote.get(&remote) == Some(&flow) {
                by_remote.remove(&remote);
            }
        }
        true
    }
}

impl Connections {
    pub(super) const fn new(config: &EndpointConfig) -> Self {
        Self {
            streams: BTreeMap::new(),
            by_remote: BTreeMap::new(),
            ends: BTreeMap::new(),
            by_origin: BTreeMap::new(),
            first_message: config.first_message,
            max_flows: config.max_flows,
            max_flows_per_address: config.max_flows_per_address,
        }
    }

    fn takes_from(&self, origin: IpAddr) -> bool {
        self.by_origin.get(&origin).copied().unwrap_or_default() < self.max_flows_per_address
    }

    /// Our end of a connection is known; what was held for it.
    pub(super) fn come_up(&mut self, flow: FlowId, local: SocketAddr) -> VecDeque<Arc<[u8]>> {
        let Some(stream) = self.streams.get_mut(&flow) else { return VecDeque::new() };
        if let Some(before) = stream.local.replace(local) {
            decrease(&mut self.ends, before);
        }
        *self.ends.entry(local).or_default() += 1;
        stream.up(local)
    }

    pub(super) fn is_local_end(&self, address: SocketAddr) -> bool {
        self.ends.contains_key(&address)
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
