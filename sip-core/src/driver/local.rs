//! Our own address on the way to a peer: what an endpoint bound to every address has to be told.

use super::Io;
use crate::endpoint::Endpoint;
use sidetone_hal::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io;

impl Io {
    /// Tells the endpoint our address on the way to `remote`, if it does not know and it matters. Call it before a
    /// request to a new address; for senders of what is received [`Io::next`] does it.
    pub fn learn_route(&self, endpoint: &mut Endpoint, remote: SocketAddr) {
        if self.wildcard
            && !endpoint.has_route(remote.ip())
            && let Ok(local) = local_toward(remote)
        {
            endpoint.set_route(remote.ip(), local);
        }
    }

    /// Our address on the way to `remote`, as [`local_toward`].
    ///
    /// # Errors
    /// There is no route.
    pub fn local_toward(&self, remote: SocketAddr) -> io::Result<IpAddr> {
        local_toward(remote)
    }
}

/// The local address that the system would send from to `remote`. Sends nothing: a UDP socket is connected, which
/// only looks up the route.
///
/// # Errors
/// There is no route.
pub fn local_toward(remote: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = std::net::UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(remote)?;
    let local = socket.local_addr()?.ip();
    if local.is_unspecified() { Err(io::ErrorKind::AddrNotAvailable.into()) } else { Ok(local) }
}
