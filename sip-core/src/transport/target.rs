//! Where messages go and where they came from.

use alloc::sync::Arc;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr};

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

/// The way that one transaction's messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) protocol: Protocol,
    pub(crate) flow: FlowId,
    pub(crate) destination: SocketAddr,
    /// RFC 3261 §18.2.2: where to connect for a response when the request's connection is gone.
    pub(crate) reconnect: Option<SocketAddr>,
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
