//! Next hops: from a URI to addresses. Numeric hosts need no question, names are asked for outside.

use alloc::string::{String, ToString};
use sidetone_hal::net::{IpAddr, Protocol};
use sidetone_sip_core::{Host, Uri};

/// What a URI says about where to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) host: HopHost,
    pub(crate) port: Option<u16>,
    pub(crate) protocol: Protocol,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HopHost {
    Address(IpAddr),
    Name(String),
}

impl Hop {
    /// The hop that `uri` names; `otherwise` is the transport where it names none.
    pub(crate) fn of(uri: &Uri, otherwise: Protocol) -> Option<Self> {
        let host = match uri.host()? {
            Host::V4(address) => HopHost::Address(IpAddr::V4(address)),
            Host::V6(address) => HopHost::Address(IpAddr::V6(address)),
            name @ Host::Name(_) => HopHost::Name(name.to_string()),
        };
        Some(Self { host, port: uri.port(), protocol: uri.transport().unwrap_or(otherwise) })
    }

    /// The port, or the transport's own.
    pub(crate) fn port_or_default(&self) -> u16 {
        self.port.unwrap_or_else(|| default_port(self.protocol))
    }
}

/// RFC 3261 §19.1.2.
pub(crate) const fn default_port(protocol: Protocol) -> u16 {
    if protocol.is_secure() { 5061 } else { 5060 }
}
