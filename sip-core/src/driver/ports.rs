//! Local UDP ports: a given one, any, or one of a range.

use super::udp::{Options, Socket};
use alloc::format;
use core::ops::RangeInclusive;
use sidetone_hal::net::{IpAddr, SocketAddr};
use sidetone_hal::rng::Rng;
use std::io;

/// Local UDP ports of one address, of which any free one serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The address; an unspecified one stands for every address of its family.
    pub ip: IpAddr,
    /// The ports, 1 to 65535.
    pub ports: RangeInclusive<u16>,
}

impl PortRange {
    /// Binds a port drawn by `rng`, or when it is taken the next one that is free, but not `not`.
    pub(super) fn bind(&self, rng: &mut Rng, not: Option<u16>, options: Options) -> io::Result<Socket> {
        let (first, last) = (*self.ports.start(), *self.ports.end());
        let failed = |kind, what: &str| {
            io::Error::new(kind, format!("UDP {}: {what} in the range {first}-{last}", self.ip))
        };
        if first == 0 || first > last {
            return Err(failed(io::ErrorKind::InvalidInput, "no port"));
        }
        let count = u32::from(last - first) + 1;
        let start = rng.below(count);
        for step in 0..count {
            let offset = u16::try_from((start + step) % count).unwrap_or_default();
            let port = first.saturating_add(offset);
            if Some(port) == not {
                continue;
            }
            match Socket::bind(SocketAddr::new(self.ip, port), options) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
                Ok(mut socket) => {
                    socket.choice = Choice::Range(self.clone());
                    return Ok(socket);
                }
            }
        }
        Err(failed(io::ErrorKind::AddrInUse, "no free port"))
    }
}

/// Which ports a socket may have.
#[derive(Clone, Debug)]
pub(super) enum Choice {
    /// Just one.
    One,
    /// Whichever the system gives.
    Any,
    /// One of a range.
    Range(PortRange),
}

impl Choice {
    /// Another socket in the place of `socket`.
    pub(super) fn another(socket: &Socket, rng: &mut Rng, options: Options) -> io::Result<Socket> {
        let local = socket.local;
        match &socket.choice {
            Self::One => {
                let what = format!("UDP {local}: it has one port only, there is none to change to");
                Err(io::Error::new(io::ErrorKind::InvalidInput, what))
            }
            Self::Any => Socket::bind(SocketAddr::new(local.ip(), 0), options),
            Self::Range(range) => range.bind(rng, Some(local.port()), options),
        }
    }
}
