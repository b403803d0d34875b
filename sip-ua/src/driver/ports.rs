//! RTP and RTCP sockets: an even port and the one above it (RFC 3550 §11).

use super::Error;
use core::ops::RangeInclusive;
use sidetone_hal::net::{IpAddr, SocketAddr};
use std::format;
use std::io;
use tokio::net::UdpSocket;

/// The two sockets of one stream.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
    pub(super) rtp_port: u16,
}

/// The system's choices that are tried for an even port with a free neighbour.
const ATTEMPTS: usize = 64;

/// Opens a pair at `ip`: in `range`, beginning at `start` (any number) and going round, or where the system likes.
pub(super) async fn open(
    ip: IpAddr,
    range: Option<&RangeInclusive<u16>>,
    start: u32,
) -> Result<Ports, Error> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    let pairs = range.map(|range| {
        let first = u32::from(*range.start()).next_multiple_of(2);
        let count = (u32::from(*range.end()) + 1).saturating_sub(first) / 2;
        (first, count)
    });
    let attempts = pairs.map_or(ATTEMPTS, |(_, count)| count as usize);
    for attempt in 0..attempts {
        let port = match pairs {
            Some((first, count)) => {
                let index = start.wrapping_add(attempt as u32) % count;
                u16::try_from(first + 2 * index).unwrap_or_default()
            }
            None => 0,
        };
        match pair(ip, port).await {
            Ok(Some(ports)) => return Ok(ports),
            Ok(None) => {}
            Err(error) => last = error,
        }
    }
    Err(Error::Io { what: format!("a pair of RTP ports at {ip}"), source: last })
}

/// The pair at this even port; `None` when the system chose an odd one for port 0.
async fn pair(ip: IpAddr, port: u16) -> io::Result<Option<Ports>> {
    let rtp = UdpSocket::bind(SocketAddr::new(ip, port)).await?;
    let rtp_port = rtp.local_addr()?.port();
    if rtp_port % 2 == 1 {
        return Ok(None);
    }
    let rtcp = UdpSocket::bind(SocketAddr::new(ip, rtp_port + 1)).await?;
    Ok(Some(Ports { rtp, rtcp, rtp_port }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const LOCALHOST: IpAddr = IpAddr::V4(core::net::Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn pairs_are_even_and_neighbours() {
        let mut pairs = Vec::new();
        for _ in 0..8 {
            let ports = open(LOCALHOST, None, 0).await.unwrap();
            assert_eq!(ports.rtp_port % 2, 0);
            assert_eq!(ports.rtcp.local_addr().unwrap().port(), ports.rtp_port + 1);
            pairs.push(ports);
        }
    }

    #[tokio::test]
    async fn a_range_is_used_up_and_then_refused() {
        // Where three neighbouring pairs are free depends on the machine: a place is looked for.
        for base in (30_001..60_000).step_by(97) {
            let range = base..=base + 6;
            let mut pairs = Vec::new();
            while let Ok(ports) = open(LOCALHOST, Some(&range), 1).await {
                assert!(range.contains(&ports.rtp_port) && range.contains(&(ports.rtp_port + 1)));
                pairs.push(ports);
            }
            if pairs.len() == 3 {
                return;
            }
        }
        panic!("no range of three free pairs");
    }
}
