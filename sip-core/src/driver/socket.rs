//! What UDP and TCP sockets have in common: how they are marked, and what their errors mean.

use crate::transport::FlowError;
use alloc::borrow::ToOwned;
use alloc::format;
use sidetone_hal::net::SocketAddr;
use socket2::SockRef;
use std::io;

/// Marks what a socket sends with a differentiated services code point, 0 to 63 (RFC 2474). 0 is what a new socket has.
///
/// # Errors
/// The system's own.
pub fn set_dscp(socket: &SockRef<'_>, ipv6: bool, dscp: u8) -> io::Result<()> {
    let traffic_class = u32::from(dscp) << 2;
    match (dscp, ipv6) {
        (0, _) => Ok(()),
        (_, false) => socket.set_tos_v4(traffic_class),
        #[cfg(unix)]
        (_, true) => socket.set_tclass_v6(traffic_class),
        #[cfg(not(unix))]
        (_, true) => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// The error with the address that it is about.
pub(super) fn at_address(address: SocketAddr, what: &str) -> impl Fn(io::Error) -> io::Error {
    let what = what.to_owned();
    move |error| io::Error::new(error.kind(), format!("{what} {address}: {error}"))
}

/// What an I/O error means for a flow.
pub(super) fn flow_error(error: &io::Error) -> FlowError {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => FlowError::Refused,
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown | Kind::AddrNotAvailable => {
            FlowError::Unreachable
        }
        Kind::TimedOut => FlowError::TimedOut,
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => FlowError::Reset,
        Kind::UnexpectedEof => FlowError::Closed,
        _ => FlowError::Io,
    }
}
