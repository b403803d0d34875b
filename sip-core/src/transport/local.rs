//! What we are called: the sockets, the routes and the names that messages give as ours.

use super::{Path, Transports, default_port};
use crate::uri::Host;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use sidetone_hal::net::{FlowId, IpAddr, Protocol, SocketAddr};

/// At most this many learned routes: a cache, not a table of record.
const MAX_ROUTES: usize = 4096;
/// Public addresses that are remembered as ours: those of a few accounts, and of before a change.
const MAX_PUBLIC: usize = 32;

/// Our addresses, but for our ends of the connections.
pub(super) struct Local {
    bound: Vec<Bound>,
    /// Remote address → the local address that reaches it; the unspecified address stands for every other.
    routes: BTreeMap<IpAddr, IpAddr>,
    /// The addresses that routes name.
    route_locals: BTreeSet<IpAddr>,
    /// Addresses of ours as others see them, the latest last.
    public: VecDeque<SocketAddr>,
    /// What we call ourselves in Via on WebSocket connections that we made (RFC 7118 §5.2).
    websocket_host: Host,
}

/// A bound datagram socket or a listener.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) protocol: Protocol,
    pub(super) flow: FlowId,
    local: SocketAddr,
    /// Another has taken its place: only what began here still goes this way.
    retired: bool,
}

impl Transports {
    pub(crate) fn bind(&mut self, protocol: Protocol, local: SocketAddr) -> FlowId {
        let flow = self.new_flow();
        self.local.bound.push(Bound { protocol, flow, local, retired: false });
        flow
    }

    /// Takes the socket only for what began there.
    pub(crate) fn retire(&mut self, flow: FlowId) {
        for bound in self.local.bound.iter_mut().filter(|bound| bound.flow == flow) {
            bound.retired = true;
        }
    }

    /// Forgets a socket.
    pub(crate) fn unbind(&mut self, flow: FlowId) {
        self.local.bound.retain(|bound| bound.flow != flow);
    }

    pub(crate) fn set_route(&mut self, remote: IpAddr, local: IpAddr) {
        let Local { routes, route_locals, .. } = &mut self.local;
        if routes.len() >= MAX_ROUTES && !routes.contains_key(&remote) {
            routes.retain(|remote, _| remote.is_unspecified());
            *route_locals = routes.values().copied().collect();
        }
        routes.insert(remote, local);
        route_locals.insert(local);
    }

    pub(crate) fn has_route(&self, remote: IpAddr) -> bool {
        self.local.routes.contains_key(&remote)
    }

    /// Remembers a public address that we name in Via as ours.
    pub(crate) fn add_public(&mut self, address: SocketAddr) {
        let public = &mut self.local.public;
        if !public.contains(&address) {
            if public.len() >= MAX_PUBLIC {
                public.pop_front();
            }
            public.push_back(address);
        }
    }

    /// The address to name in Via and Contact on the way to `toward`.
    pub(crate) fn local_address(&self, protocol: Protocol, toward: Option<IpAddr>) -> Option<SocketAddr> {
        // A stream transport that nobody listens on still has the address that its datagrams come from: `rport`
        // and the connection bring the responses back.
        let bound = self.local.best(protocol, toward).or_else(|| self.local.best(Protocol::Udp, toward));
        let port = bound.map_or_else(|| default_port(protocol), |bound| bound.local.port());
        let ip = match bound.map(|bound| bound.local.ip()) {
            Some(ip) if !ip.is_unspecified() => ip,
            other => {
                let sample = toward.or(other)?;
                self.local.routed(sample)?
            }
        };
        Some(SocketAddr::new(ip, port))
    }

    /// The UDP socket that suits `toward` best.
    pub(crate) fn datagram_flow(&self, toward: Option<IpAddr>) -> Option<(FlowId, SocketAddr)> {
        self.local.best(Protocol::Udp, toward).map(|bound| (bound.flow, bound.local))
    }

    /// RFC 7118 §5.2: a WebSocket client that cannot be connected to calls itself by a name that does not exist.
    pub(crate) const fn websocket_host(&self) -> &Host {
        &self.local.websocket_host
    }

    /// Host and port to name in the Via of a message that leaves on this path.
    pub(crate) fn sent_by(&self, path: &Path) -> Option<(Host, Option<u16>)> {
        if matches!(path.protocol, Protocol::Ws | Protocol::Wss)
            && self.connections.streams.get(&path.flow).is_some_and(|stream| !stream.is_accepted)
        {
            return Some((self.local.websocket_host.clone(), None));
        }
        let local = self.sent_by_address(path)?;
        Some((local.ip().into(), Some(local.port())))
    }

    fn sent_by_address(&self, path: &Path) -> Option<SocketAddr> {
        let bound = self.local.bound(path.flow);
        if let Some(bound) = bound.filter(|bound| !bound.local.ip().is_unspecified()) {
            return Some(bound.local);
        }
        if let Some(bound) = bound {
            return Some(SocketAddr::new(self.local.routed(path.destination.ip())?, bound.local.port()));
        }
        let advertised = self.local_address(path.protocol, Some(path.destination.ip()));
        advertised.or_else(|| self.connections.streams.get(&path.flow).and_then(|stream| stream.local))
    }

    /// RFC 3261 §18.1.2: whether a Via could have been ours.
    pub(crate) fn is_ours(&self, ip: IpAddr, port: u16) -> bool {
        let Local { bound, route_locals, public, .. } = &self.local;
        bound.iter().any(|bound| bound.local.port() == port)
            && (bound.iter().any(|bound| bound.local.ip() == ip)
                || route_locals.contains(&ip)
                || ip.is_loopback())
            || public.contains(&SocketAddr::new(ip, port))
            || self.connections.is_local_end(SocketAddr::new(ip, port))
    }
}

impl Local {
    pub(super) const fn new(websocket_host: Host) -> Self {
        Self {
            bound: Vec::new(),
            routes: BTreeMap::new(),
            route_locals: BTreeSet::new(),
            public: VecDeque::new(),
            websocket_host,
        }
    }

    pub(super) fn bound(&self, flow: FlowId) -> Option<&Bound> {
        self.bound.iter().find(|bound| bound.flow == flow)
    }

    /// The bound socket that suits a remote best: the same address family is a must; then the one that the route
    /// names, one on every address, one that is loopback when the remote is and not when it is not.
    pub(super) fn best(&self, protocol: Protocol, toward: Option<IpAddr>) -> Option<&Bound> {
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
