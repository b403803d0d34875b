//! What lives in a [`World`](super::World).

use super::stream::{StreamEvent, StreamRequest};
use crate::net::{FlowId, SocketAddr, Transmit};
use crate::time::Instant;
use core::any::Any;
use core::fmt;
use core::marker::PhantomData;

/// A machine in a [`World`](super::World): a SIP endpoint, a media stream, a scripted peer. Its calls are
/// those of every machine of this family, so that most nodes only forward.
pub trait Node: Any {
    /// A datagram arrived at a socket of the node.
    fn handle_datagram(&mut self, now: Instant, flow: FlowId, source: SocketAddr, payload: &[u8]);

    /// A stream of the node came up, brought bytes, or is over.
    fn handle_stream(&mut self, _now: Instant, _flow: FlowId, _event: StreamEvent<'_>) {}

    /// Somebody connects to the node's listener at `local`. The node names the stream, or refuses it by `None`.
    fn accept_stream(&mut self, _now: Instant, _local: SocketAddr, _remote: SocketAddr) -> Option<FlowId> {
        None
    }

    /// Time has passed.
    fn handle_timeout(&mut self, now: Instant);

    /// The next datagram, or bytes for a stream, to send.
    fn poll_transmit(&mut self) -> Option<Transmit>;

    /// The next wish about a stream.
    fn poll_stream(&mut self) -> Option<StreamRequest> {
        None
    }

    /// When [`Node::handle_timeout`] wants to be called; later than the time of its last call.
    fn poll_timeout(&self) -> Option<Instant>;
}

/// Names a node of one [`World`](super::World); `world[id]` is the node itself.
pub struct NodeId<T> {
    pub(super) place: usize,
    node: PhantomData<fn() -> T>,
}

impl<T> NodeId<T> {
    pub(super) const fn new(place: usize) -> Self {
        Self { place, node: PhantomData }
    }
}

impl<T> Clone for NodeId<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for NodeId<T> {}

impl<T> fmt::Debug for NodeId<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}", self.place)
    }
}
