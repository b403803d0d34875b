//! Sockets for multicast, and requests that come by it.

use super::Error;
use bytes::Bytes;
use core::net::Ipv4Addr;
use sidetone_hal::net::SocketAddr;
use socket2::{Domain, Protocol, Socket, Type};
use std::boxed::Box;
use std::format;
use std::io;
use std::vec;
use tokio::net::UdpSocket;

/// The largest datagram that is looked at.
const DATAGRAM: usize = 8192;
/// A socket that fails this often in a row is read no more.
const MAX_ERRORS: u32 = 100;
/// What is taken of what comes to a group: other requests, such as a REGISTER to `sip.mcast.net`, are for others, who would
/// be disturbed by our refusal.
const TAKEN: &[u8] = b"SUBSCRIBE ";

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
    pub(super) fn listen(&self, address: SocketAddr) -> Result<UdpSocket, Error> {
        let open = || {
            let socket = open(address)?;
            // Other programs may listen, too, and other lists of this one.
            socket.set_reuse_address(true)?;
            socket.bind(&bind_address(address).into())?;
            match address {
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
    #[cfg(feature = "media")]
    pub(super) fn send(&self, address: SocketAddr) -> Result<UdpSocket, Error> {
        let open = || {
            let socket = open(address)?;
            let (ttl, traffic_class) = (u32::from(self.ttl), u32::from(self.dscp & 0x3f) << 2);
            match address {
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
            socket.connect(&address.into())?;
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

/// A group whose SUBSCRIBE requests the user agent takes; it answers from a socket of its own.
pub(super) struct Group {
    socket: UdpSocket,
    buffer: Box<[u8]>,
    errors: u32,
}

impl Group {
    pub(super) fn join(group: SocketAddr, options: &MulticastOptions) -> Result<Self, Error> {
        let buffer = vec![0; DATAGRAM].into_boxed_slice();
        Ok(Self { socket: options.listen(group)?, buffer, errors: 0 })
    }

    /// The next request, and who sent it. Cancel-safe.
    pub(super) async fn next(&mut self) -> (SocketAddr, Bytes) {
        loop {
            if self.errors >= MAX_ERRORS {
                core::future::pending::<()>().await;
            }
            match self.socket.recv_from(&mut self.buffer).await {
                Ok((length, source)) => {
                    self.errors = 0;
                    let datagram = self.buffer.get(..length).unwrap_or_default();
                    if datagram.starts_with(TAKEN) {
                        return (source, Bytes::copy_from_slice(datagram));
                    }
                }
                Err(error) => {
                    self.errors += 1;
                    tracing::debug!(%error, "receiving from a group failed");
                }
            }
        }
    }
}
