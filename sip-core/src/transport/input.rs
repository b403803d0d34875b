//! What the endpoint and whoever has the sockets tell each other.

use super::FlowError;
use alloc::sync::Arc;
use bytes::Bytes;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr};

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
        /// ([`Target::domain`](crate::Target::domain)).
        domain: Option<Arc<str>>,
    },
    /// Send what was queued, then close, and report nothing about this flow any more.
    Close {
        /// The connection.
        flow: FlowId,
    },
}
