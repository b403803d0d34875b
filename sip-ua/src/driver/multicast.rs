//! Sockets for multicast.

use super::Error;
use core::net::Ipv4Addr;
use sidetone_hal::net::SocketAddr;
use sidetone_media::page::PageAddress;
use socket2::{Domain, Protocol, Socket, Type};
use std::format;
use std::io;
use tokio::net::UdpSocket;

/// How multicast leaves and enters this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MulticastOptions {
    /// The IPv4 interface, by its address; without one the system's routes choose.
    pub interface_v4: Option<Ipv4Addr>,
    /// The IPv6 interface, by its index; 0 lets the system choose.
    pub interface_v6: u32,
    /// Routers that a page may pass (IP TTL or hop limit); 1, the default, keeps it in the local network.
    pub ttl: u8,
    /// Whether other programs on this machine hear what is sent. On by default.
    pub loopback: bool,
    /// The DSCP of what is sent, 0 to 63; 46 (EF), as for calls, by default.
    pub dscp: u8,
}

impl Default for MulticastOptions {
    fn default() -> Self {
        Self { interface_v4: None, interface_v6: 0, ttl: 1, loopback: true, dscp: 46 }
    }
}

impl MulticastOptions {
    /// A socket that receives what is sent to `address`, and that only.
    pub(super) fn listen(&self, address: PageAddress) -> Result<UdpSocket, Error> {
        let open = || {
            let socket = open(address.socket())?;
            // Other programs may listen, too, and other lists of this one.
            socket.set_reuse_address(true)?;
            socket.bind(&bind_address(address.socket()).into())?;
            match address.socket() {
                SocketAddr::V4(v4) => {
                    let interface = self.interface_v4.unwrap_or(Ipv4Addr::UNSPECIFIED);
                    socket.join_multicast_v4(v4.ip(), &interface)?;
                }
                SocketAddr::V6(v6) => socket.join_multicast_v6(v6.ip(), self.interface_v6)?,
            }
            UdpSocket::from_std(socket.into())
        };
        open().map_err(|source| Error::Io { what: format!("multicast socket for {address}"), source })
    }

    /// A socket that sends to `address`.
    pub(super) fn send(&self, address: PageAddress) -> Result<UdpSocket, Error> {
        let open = || {
            let socket = open(address.socket())?;
            let (ttl, traffic_class) = (u32::from(self.ttl), u32::from(self.dscp & 0x3f) << 2);
            match address.socket() {
                SocketAddr::V4(_) => {
                    if let Some(interface) = self.interface_v4 {
                        socket.set_multicast_if_v4(&interface)?;
                    }
                    socket.set_multicast_ttl_v4(ttl)?;
                    socket.set_multicast_loop_v4(self.loopback)?;
                    socket.set_tos_v4(traffic_class)?;
                }
                SocketAddr::V6(_) => {
                    socket.set_multicast_if_v6(self.interface_v6)?;
                    socket.set_multicast_hops_v6(ttl)?;
                    socket.set_multicast_loop_v6(self.loopback)?;
                    #[cfg(unix)]
                    socket.set_tclass_v6(traffic_class)?;
                }
            }
            socket.connect(&address.socket().into())?;
            UdpSocket::from_std(socket.into())
        };
        open().map_err(|source| Error::Io { what: format!("a socket for pages to {address}"), source })
    }
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The group itself, so that the system keeps apart what comes to several groups at one port. Windows cannot bind to a
/// group.
const fn bind_address(group: SocketAddr) -> SocketAddr {
    if cfg!(windows) {
        let any = match group {
            SocketAddr::V4(_) => core::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => core::net::IpAddr::V6(core::net::Ipv6Addr::UNSPECIFIED),
        };
        SocketAddr::new(any, group.port())
    } else {
        group
    }
}
