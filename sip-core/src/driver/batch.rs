//! Receiving many datagrams with one system call.

use alloc::vec;
use alloc::vec::Vec;
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use sidetone_hal::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io::{self, IoSliceMut};
use std::net::UdpSocket as StdSocket;
use tokio::net::UdpSocket;

/// The largest datagram there is.
const MAX_DATAGRAM: usize = 65_535;

/// Space for the datagrams of one system call, shared by all sockets: 2 MiB of addresses, of which the system backs
/// what was ever filled.
pub(super) struct Batch {
    state: UdpSocketState,
    space: Vec<u8>,
}

/// One received datagram.
pub(super) struct Datagram<'a> {
    pub(super) source: SocketAddr,
    /// The address it was sent to, if the system says and it is one to send from.
    pub(super) local: Option<IpAddr>,
    pub(super) payload: &'a [u8],
}

impl Batch {
    pub(super) fn new() -> io::Result<Self> {
        // Its constructor gives a socket what QUIC needs: no fragmentation, datagrams glued together. SIP needs the
        // contrary, so that socket is none of ours.
        let none_of_ours = StdSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .or_else(|_| StdSocket::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))))?;
        let state = UdpSocketState::new((&none_of_ours).into())?;
        Ok(Self { state, space: vec![0; MAX_DATAGRAM * BATCH_SIZE] })
    }

    /// One system call's worth of datagrams. Whether it was all that the system had to give.
    ///
    /// # Errors
    /// Of the system; [`io::ErrorKind::WouldBlock`] when nothing is there.
    pub(super) fn receive(
        &mut self,
        socket: &UdpSocket,
        mut take: impl FnMut(Datagram<'_>),
    ) -> io::Result<bool> {
        let mut meta = [RecvMeta::default(); BATCH_SIZE];
        let mut chunks = self.space.chunks_exact_mut(MAX_DATAGRAM);
        let mut buffers: [_; BATCH_SIZE] =
            core::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        let count = self.state.recv(socket.into(), &mut buffers, &mut meta)?;
        for (meta, buffer) in meta.iter().zip(&buffers).take(count) {
            let local = meta.dst_ip.filter(may_be_source);
            let filled = buffer.get(..meta.len).unwrap_or_default();
            if filled.is_empty() {
                take(Datagram { source: meta.addr, local, payload: filled });
            }
            // One unless the system glued datagrams of one size together.
            for payload in filled.chunks(meta.stride.max(1)) {
                take(Datagram { source: meta.addr, local, payload });
            }
        }
        Ok(count < BATCH_SIZE)
    }
}

/// Groups and broadcasts can be sent to, not from.
const fn may_be_source(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.is_multicast() || ip.is_broadcast() || ip.is_unspecified()),
        IpAddr::V6(ip) => !(ip.is_multicast() || ip.is_unspecified()),
    }
}
