//! What only some systems offer to a UDP socket: the address that a datagram was sent to, a source address for one
//! datagram, and the ICMP errors that earlier datagrams caused. Linux and Android have all three; elsewhere the
//! system chooses the source address, and an unreachable peer is noticed by its silence.

use crate::transport::FlowError;
use sidetone_hal::net::SocketAddr;

pub(super) use imp::{prepare, send_from, take_error};

/// An ICMP error about a datagram that we sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Where the datagram was to go.
    pub(super) destination: SocketAddr,
    /// What came of it; `None` for what RFC 3261 §18.4 has ignored: source quench, time exceeded, and a packet that
    /// was too big, which goes in pieces the next time.
    pub(super) reason: Option<FlowError>,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod imp {
    use super::Refusal;
    use crate::transport::FlowError;
    use alloc::vec;
    use nix::libc;
    use nix::sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
    };
    use sidetone_hal::net::{IpAddr, SocketAddr};
    use std::io::{self, IoSlice, IoSliceMut};
    use std::os::fd::{AsFd, AsRawFd};
    use tokio::net::UdpSocket;

    /// RFC 792.
    const DESTINATION_UNREACHABLE: u8 = 3;
    const PROTOCOL_UNREACHABLE: u8 = 2;
    const PORT_UNREACHABLE: u8 = 3;
    const FRAGMENTATION_NEEDED: u8 = 4;
    const PARAMETER_PROBLEM: u8 = 12;
    /// RFC 4443.
    const V6_DESTINATION_UNREACHABLE: u8 = 1;
    const V6_PORT_UNREACHABLE: u8 = 4;
    const V6_PARAMETER_PROBLEM: u8 = 4;

    /// Asks for ICMP errors, and with `wildcard` for the address that each datagram was sent to.
    pub(in super::super) fn prepare(socket: &impl AsFd, ipv6: bool, wildcard: bool) -> io::Result<()> {
        if ipv6 {
            setsockopt(socket, sockopt::Ipv6RecvErr, &true)?;
            setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &wildcard)?;
        } else {
            setsockopt(socket, sockopt::Ipv4RecvErr, &true)?;
            setsockopt(socket, sockopt::Ipv4PacketInfo, &wildcard)?;
        }
        Ok(())
    }

    /// Sends one datagram with this source address.
    pub(in super::super) fn send_from(
        socket: &UdpSocket,
        payload: &[u8],
        destination: SocketAddr,
        from: IpAddr,
    ) -> io::Result<usize> {
        let (fd, to) = (socket.as_raw_fd(), SockaddrStorage::from(destination));
        let payload = [IoSlice::new(payload)];
        let sent = match from {
            IpAddr::V4(ip) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(ip.octets()) },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                let control = [ControlMessage::Ipv4PacketInfo(&info)];
                sendmsg(fd, &payload, &control, MsgFlags::MSG_DONTWAIT, Some(&to))
            }
            IpAddr::V6(ip) => {
                let info =
                    libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: ip.octets() }, ipi6_ifindex: 0 };
                let control = [ControlMessage::Ipv6PacketInfo(&info)];
                sendmsg(fd, &payload, &control, MsgFlags::MSG_DONTWAIT, Some(&to))
            }
        };
        Ok(sent?)
    }

    /// The next ICMP error; [`io::ErrorKind::WouldBlock`] when there is none.
    pub(in super::super) fn take_error(socket: &UdpSocket) -> io::Result<Refusal> {
        // Of the datagram that caused it, only its destination matters.
        let mut quoted = [0; 1];
        let mut quoted = [IoSliceMut::new(&mut quoted)];
        let mut space = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6, libc::in6_pktinfo);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut quoted, Some(&mut space), flags)?;
        let v4 = || message.address.as_ref()?.as_sockaddr_in().map(|to| SocketAddr::V4((*to).into()));
        let v6 = || message.address.as_ref()?.as_sockaddr_in6().map(|to| SocketAddr::V6((*to).into()));
        let destination = v4().or_else(v6).ok_or(io::ErrorKind::InvalidData)?;
        let reason = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::Ipv4RecvErr(error, _) => Some(meaning(&error)),
            ControlMessageOwned::Ipv6RecvErr(error, _) => Some(meaning(&error)),
            _ => None,
        });
        Ok(Refusal { destination, reason: reason.flatten() })
    }

    /// RFC 3261 §18.4: which errors end a transaction.
    fn meaning(error: &libc::sock_extended_err) -> Option<FlowError> {
        match (error.ee_origin, error.ee_type, error.ee_code) {
            (libc::SO_EE_ORIGIN_ICMP, DESTINATION_UNREACHABLE, PORT_UNREACHABLE | PROTOCOL_UNREACHABLE)
            | (libc::SO_EE_ORIGIN_ICMP6, V6_DESTINATION_UNREACHABLE, V6_PORT_UNREACHABLE) => {
                Some(FlowError::Refused)
            }
            (libc::SO_EE_ORIGIN_ICMP, DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED) => None,
            (libc::SO_EE_ORIGIN_ICMP, DESTINATION_UNREACHABLE | PARAMETER_PROBLEM, _)
            | (libc::SO_EE_ORIGIN_ICMP6, V6_DESTINATION_UNREACHABLE | V6_PARAMETER_PROBLEM, _) => {
                Some(FlowError::Unreachable)
            }
            _ => None,
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn error(origin: u8, kind: u8, code: u8) -> libc::sock_extended_err {
            libc::sock_extended_err {
                ee_errno: 111,
                ee_origin: origin,
                ee_type: kind,
                ee_code: code,
                ee_pad: 0,
                ee_info: 0,
                ee_data: 0,
            }
        }

        #[test]
        fn the_errors_of_rfc_3261_section_18_4_count_and_no_others() {
            let v4 = |kind, code| meaning(&error(libc::SO_EE_ORIGIN_ICMP, kind, code));
            assert_eq!(v4(3, 3), Some(FlowError::Refused));
            assert_eq!(v4(3, 2), Some(FlowError::Refused));
            assert_eq!(v4(3, 0), Some(FlowError::Unreachable));
            assert_eq!(v4(3, 1), Some(FlowError::Unreachable));
            assert_eq!(v4(3, 13), Some(FlowError::Unreachable));
            assert_eq!(v4(12, 0), Some(FlowError::Unreachable));
            // Too big, source quench, time exceeded.
            assert_eq!((v4(3, 4), v4(4, 0), v4(11, 0)), (None, None, None));
            let v6 = |kind, code| meaning(&error(libc::SO_EE_ORIGIN_ICMP6, kind, code));
            assert_eq!(v6(1, 4), Some(FlowError::Refused));
            assert_eq!(v6(1, 0), Some(FlowError::Unreachable));
            assert_eq!(v6(4, 1), Some(FlowError::Unreachable));
            // Too big, time exceeded.
            assert_eq!((v6(2, 0), v6(3, 0)), (None, None));
            assert_eq!(meaning(&error(libc::SO_EE_ORIGIN_LOCAL, 3, 3)), None);
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod imp {
    use super::Refusal;
    use sidetone_hal::net::{IpAddr, SocketAddr};
    use socket2::SockRef;
    use std::io;
    use tokio::net::UdpSocket;

    /// Nothing to ask for.
    pub(in super::super) fn prepare<S>(_socket: &S, _ipv6: bool, _wildcard: bool) -> io::Result<()> {
        Ok(())
    }

    /// Sends one datagram; the system chooses the source address.
    pub(in super::super) fn send_from(
        socket: &UdpSocket,
        payload: &[u8],
        destination: SocketAddr,
        _from: IpAddr,
    ) -> io::Result<usize> {
        SockRef::from(socket).send_to(payload, &destination.into())
    }

    /// There is never one.
    pub(in super::super) fn take_error(_socket: &UdpSocket) -> io::Result<Refusal> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}
