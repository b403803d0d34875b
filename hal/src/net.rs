//! Network types: how a machine names a socket or a connection, and what it wants sent there.

extern crate alloc;

use alloc::sync::Arc;
use core::fmt;
pub use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The transport protocol under a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Datagrams (RFC 768).
    Udp,
    /// A stream (RFC 9293).
    Tcp,
    /// TLS over TCP (RFC 8446).
    Tls,
    /// WebSocket over TCP (RFC 7118).
    Ws,
    /// WebSocket over TLS (RFC 7118).
    Wss,
}

impl Protocol {
    /// Whether the transport itself retransmits, so that SIP need not (RFC 3261 §17).
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// Whether the transport is encrypted.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// The name as in a Via header (RFC 3261 §20.42): upper case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names one datagram socket (many remotes) or one stream connection (one remote).
///
/// The machine that uses flows hands the numbers out, so a request to connect and the answer to it can be
/// told apart; the driver keeps the table from number to socket. Numbers are not used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

impl fmt::Display for FlowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "flow {}", self.0)
    }
}

/// Bytes to send. A retransmission clones the pointer, not the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The socket or connection to send on.
    pub flow: FlowId,
    /// Where to; for a stream, the remote of the connection.
    pub destination: SocketAddr,
    /// What.
    pub payload: Arc<[u8]>,
}
