//! RTP and RTCP sockets: an even port and the one above it (RFC 3550 §11).

use super::{Error, PortPlan};
use crate::AudioConfig;
use sidetone_hal::net::{IpAddr, SocketAddr};
use sidetone_sip_core::driver::set_dscp;
use socket2::SockRef;
use std::format;
use std::io;
use tokio::net::UdpSocket;

/// The two sockets of one stream.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) rtp: MediaSocket,
    pub(super) rtcp: MediaSocket,
    pub(super) rtp_port: u16,
}

/// Where RTP or RTCP comes and goes.
#[derive(Debug)]
pub(super) enum MediaSocket {
    Udp(UdpSocket),
    /// Nothing comes, and nobody gets what is sent.
    Nowhere,
}

impl MediaSocket {
    /// Cancel-safe.
    pub(super) async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match self {
            Self::Udp(socket) => socket.recv_from(buffer).await,
            Self::Nowhere => core::future::pending().await,
        }
    }

    pub(super) fn try_send_to(&self, payload: &[u8], destination: SocketAddr) -> io::Result<usize> {
        match self {
            Self::Udp(socket) => socket.try_send_to(payload, destination),
            Self::Nowhere => Ok(payload.len()),
        }
    }
}

/// The first port and the pairs of those that are not opened.
const NOWHERE: (u16, u16) = (16_384, 8_192);

/// The system's choices that are tried for an even port with a free neighbour.
const ATTEMPTS: usize = 64;

/// Which ports, and how their packets are marked.
#[derive(Clone, Debug, Default)]
pub(super) struct PortOptions {
    pub(super) plan: PortPlan,
    /// The differentiated services code point of RTP (RFC 2474).
    pub(super) dscp: u8,
    /// That of RTCP; that of RTP without it.
    pub(super) rtcp_dscp: Option<u8>,
}

impl PortOptions {
    /// The same ports, their packets marked as this audio wants it.
    pub(super) fn marked_as(mut self, audio: &AudioConfig) -> Self {
        if let Some(dscp) = audio.dscp {
            (self.dscp, self.rtcp_dscp) = (dscp, None);
        }
        self.rtcp_dscp = audio.rtcp_dscp.or(self.rtcp_dscp);
        self
    }
}

/// Opens a pair at `ip`: as planned, beginning at `start` (any number) and going round, or where the system likes.
pub(super) async fn open(ip: IpAddr, options: &PortOptions, start: u32) -> Result<Ports, Error> {
    if options.plan.is_nowhere() {
        let (first, pairs) = NOWHERE;
        let place = u16::try_from(start % u32::from(pairs)).unwrap_or_default();
        let (rtp, rtcp) = (MediaSocket::Nowhere, MediaSocket::Nowhere);
        return Ok(Ports { rtp, rtcp, rtp_port: first + 2 * place });
    }
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    // For port 0 the system chooses.
    let any = options.plan.is_any().then_some(0).into_iter().cycle().take(ATTEMPTS);
    for port in options.plan.pairs(start).chain(any) {
        match pair(ip, port).await {
            Ok(Some((rtp, rtcp, rtp_port))) => {
                let rtcp_dscp = options.rtcp_dscp.unwrap_or(options.dscp);
                for (socket, dscp) in [(&rtp, options.dscp), (&rtcp, rtcp_dscp)] {
                    // Speech that is not marked is worse than marked, and better than none.
                    if let Err(error) = set_dscp(&SockRef::from(socket), ip.is_ipv6(), dscp) {
                        tracing::warn!(%error, "RTP is not marked");
                    }
                }
                return Ok(Ports { rtp: MediaSocket::Udp(rtp), rtcp: MediaSocket::Udp(rtcp), rtp_port });
            }
            Ok(None) => {}
            Err(error) => last = error,
        }
    }
    Err(Error::Io { what: format!("a pair of RTP ports at {ip}"), source: last })
}

/// The pair at this even port; `None` when the system chose an odd one for port 0.
async fn pair(ip: IpAddr, port: u16) -> io::Result<Option<(UdpSocket, UdpSocket, u16)>> {
    let rtp = UdpSocket::bind(SocketAddr::new(ip, port)).await?;
    let rtp_port = rtp.local_addr()?.port();
    if rtp_port % 2 == 1 {
        return Ok(None);
    }
    let rtcp = UdpSocket::bind(SocketAddr::new(ip, rtp_port + 1)).await?;
    Ok(Some((rtp, rtcp, rtp_port)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn udp(socket: &MediaSocket) -> &UdpSocket {
        match socket {
            MediaSocket::Udp(socket) => socket,
            MediaSocket::Nowhere => panic!("a socket"),
        }
    }

    #[tokio::test]
    async fn ports_nowhere_are_told_and_not_opened() {
        let options = PortOptions { plan: PortPlan::nowhere(), ..PortOptions::default() };
        let (one, same) =
            (open(LOCALHOST, &options, 7).await.unwrap(), open(LOCALHOST, &options, 7).await.unwrap());
        assert_eq!((one.rtp_port, same.rtp_port), (16_398, 16_398));
        assert_eq!(open(LOCALHOST, &options, u32::MAX).await.unwrap().rtp_port, 32_766);
        let there = SocketAddr::new(LOCALHOST, 9);
        assert_eq!(one.rtp.try_send_to(&[1; 20], there).unwrap(), 20);
        let mut buffer = [0; 20];
        let mut receive = core::pin::pin!(one.rtp.recv_from(&mut buffer));
        let mut context = core::task::Context::from_waker(core::task::Waker::noop());
        assert!(receive.as_mut().poll(&mut context).is_pending());
    }

    const LOCALHOST: IpAddr = IpAddr::V4(core::net::Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn pairs_are_even_and_neighbours() {
        let mut pairs = Vec::new();
        for _ in 0..8 {
            let options = PortOptions { dscp: 46, rtcp_dscp: Some(10), ..PortOptions::default() };
            let ports = open(LOCALHOST, &options, 0).await.unwrap();
            assert_eq!(SockRef::from(udp(&ports.rtp)).tos_v4().unwrap(), 46 << 2);
            assert_eq!(SockRef::from(udp(&ports.rtcp)).tos_v4().unwrap(), 10 << 2);
            assert_eq!(ports.rtp_port % 2, 0);
            assert_eq!(udp(&ports.rtcp).local_addr().unwrap().port(), ports.rtp_port + 1);
            pairs.push(ports);
        }
    }

    #[tokio::test]
    async fn each_audio_may_mark_speech_and_reports_in_its_own_way() {
        let usual = PortOptions { dscp: 46, rtcp_dscp: Some(10), ..PortOptions::default() };
        let marks = async |dscp, rtcp_dscp| {
            let audio = AudioConfig { dscp, rtcp_dscp, ..AudioConfig::default() };
            let ports = open(LOCALHOST, &usual.clone().marked_as(&audio), 0).await.unwrap();
            [&ports.rtp, &ports.rtcp].map(|socket| SockRef::from(udp(socket)).tos_v4().unwrap() >> 2)
        };
        assert_eq!(marks(None, None).await, [46, 10]);
        assert_eq!(marks(Some(34), None).await, [34, 34]);
        assert_eq!(marks(Some(34), Some(18)).await, [34, 18]);
        assert_eq!(marks(None, Some(18)).await, [46, 18]);
    }

    #[tokio::test]
    async fn a_range_is_used_up_and_then_refused() {
        // Where three neighbouring pairs are free depends on the machine: a place is looked for.
        for base in (30_001..60_000).step_by(97) {
            let range = base..=base + 6;
            let plan = PortPlan::within(&range).unwrap();
            let options = PortOptions { plan, ..PortOptions::default() };
            let mut pairs = Vec::new();
            while let Ok(ports) = open(LOCALHOST, &options, 1).await {
                assert!(range.contains(&ports.rtp_port) && range.contains(&(ports.rtp_port + 1)));
                pairs.push(ports);
            }
            if pairs.len() == 3 {
                return;
            }
        }
        panic!("no range of three free pairs");
    }

    #[tokio::test]
    async fn ipv6_has_pairs_and_marks_too_and_no_port_is_none() {
        let ip = IpAddr::V6(core::net::Ipv6Addr::LOCALHOST);
        let options = PortOptions { dscp: 34, ..PortOptions::default() };
        // A machine without IPv6 has nothing to test.
        if std::net::UdpSocket::bind((ip, 0)).is_ok() {
            let ports = open(ip, &options, 0).await.unwrap();
            assert_eq!(udp(&ports.rtcp).local_addr().unwrap().port(), ports.rtp_port + 1);
            for socket in [&ports.rtp, &ports.rtcp] {
                assert_eq!(SockRef::from(udp(socket)).tclass_v6().unwrap(), 34 << 2);
            }
        }
        let none = PortOptions { plan: PortPlan::none(), ..PortOptions::default() };
        assert!(matches!(open(LOCALHOST, &none, 5).await, Err(Error::Io { .. })));
    }

    #[tokio::test]
    async fn forwarded_ports_are_taken_and_only_those() {
        let rules = crate::PortRules { channels: 3, ..crate::PortRules::UT670 };
        for base in (30_000..48_000).step_by(98) {
            let list = [base, base + 20, base + 40];
            let plan = rules.external(&list, PortPlan::any()).unwrap();
            let options = PortOptions { plan, ..PortOptions::default() };
            let mut pairs = Vec::new();
            while let Ok(ports) = open(LOCALHOST, &options, 2).await {
                pairs.push(ports);
            }
            let taken: Vec<u16> = pairs.iter().map(|ports| ports.rtp_port).collect();
            assert!(taken.iter().all(|port| list.contains(port)));
            if taken.len() == 3 {
                assert_eq!(taken, [base + 40, base, base + 20]);
                return;
            }
        }
        panic!("no three free pairs");
    }
}
