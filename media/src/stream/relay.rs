//! Relay of RTP and RTCP between two parties, for a PBX or session border controller that does not look into the sound.
//!
//! A [`Relay`] is one call: two sides, each with the sockets that face it. What comes in at one side goes out at the
//! other, from that side's socket to where its party is: where SDP says or, behind a NAT, where its packets come from.
//! Packets go on as they are, with SSRC and numbers; where a side has keys, SRTP ends here (RFC 3711), so that one side
//! may be encrypted and the other not, or both with keys of their own.
//!
//! It opens no socket and copies nothing: a datagram is judged, and transformed where it lies. `benches/examples/relay.rs`
//! drives it with batches of system calls.
//!
//! ```
//! use sidetone_hal::time::Instant;
//! use sidetone_media::relay::{Party, Relay, Side};
//! use sidetone_media::Channel;
//!
//! let [alice, bob] = ["192.0.2.1:4000", "198.51.100.7:6000"].map(|address| address.parse().unwrap());
//! let mut relay = Relay::new(Party::new(alice), Party::new(bob));
//! let mut datagram = [0; 172];
//! datagram[0] = 0x80;
//! let forward = relay.forward(Instant::ZERO, Side::A, Channel::Rtp, alice, &mut datagram, 172).unwrap();
//! assert_eq!((forward.destination, forward.length), (bob, 172));
//! ```

use super::Channel;
use super::latch::{Latch, LatchConfig, Verdict};
use crate::sdp::next_port;
use crate::srtp::{Inbound, Outbound};
use core::net::SocketAddr;
use sidetone_hal::time::Instant;

/// Octets of the fixed header of RTP, and of the first RTCP packet of a datagram.
const RTP_HEADER: usize = 12;
const RTCP_HEADER: usize = 8;

/// One of the two parties of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one.
    A,
    /// The other.
    B,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// Who is at one side.
#[derive(Default)]
#[non_exhaustive]
pub struct Party {
    /// Where SDP says that it takes RTP; none while that is not known or it takes none.
    pub rtp: Option<SocketAddr>,
    /// Where SDP says that it takes RTCP.
    pub rtcp: Option<SocketAddr>,
    /// RTP and RTCP share the socket (RFC 5761).
    pub mux: bool,
    /// How it is found when it sends from elsewhere.
    pub latch: LatchConfig,
    /// It speaks SRTP: what decrypts what it sends, and encrypts what it is sent.
    pub srtp: Option<Box<(Inbound, Outbound)>>,
}

impl Party {
    /// A party at this address, with RTCP one port above, not encrypted.
    #[must_use]
    pub fn new(rtp: SocketAddr) -> Self {
        Self { rtp: Some(rtp), rtcp: next_port(rtp), ..Self::default() }
    }
}

impl core::fmt::Debug for Party {
    /// Shows no keys.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let srtp = self.srtp.is_some();
        let Self { rtp, rtcp, mux, latch, .. } = self;
        write!(f, "Party {{ rtp: {rtp:?}, rtcp: {rtcp:?}, mux: {mux}, latch: {latch:?}, srtp: {srtp} }}")
    }
}

/// What was counted of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayStats {
    /// Packets that came from it and went on.
    pub packets: u64,
    /// Their octets, as they came.
    pub octets: u64,
    /// Packets that were no RTP or RTCP, from a stranger, or did not decrypt.
    pub refused: u64,
    /// Packets that were in order, but the other side takes none.
    pub dropped: u64,
    /// When the last packet came that was in order.
    pub last: Option<Instant>,
}

/// What to do with a datagram: send the first `length` octets of the buffer on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The side whose socket it leaves by.
    pub side: Side,
    /// Which of that side's sockets.
    pub channel: Channel,
    /// Where to.
    pub destination: SocketAddr,
    /// Octets to send.
    pub length: usize,
}

struct End {
    latch: Latch,
    mux: bool,
    takes: bool,
    takes_rtcp: bool,
    srtp: Option<Box<(Inbound, Outbound)>>,
    stats: RelayStats,
}

impl End {
    fn new(party: Party) -> Self {
        let Party { rtp, rtcp, mux, latch, srtp } = party;
        Self {
            latch: Latch::new(true, latch, rtp, rtcp, mux),
            mux,
            takes: rtp.is_some(),
            takes_rtcp: rtcp.is_some() || mux,
            srtp,
            stats: RelayStats::default(),
        }
    }
}

/// The relay of one call's audio. It takes memory only for SRTP, when it is made.
pub struct Relay {
    a: End,
    b: End,
}

impl core::fmt::Debug for Relay {
    /// Shows no keys.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Relay").field("a", &self.a.stats).field("b", &self.b.stats).finish()
    }
}

impl Relay {
    /// Between these two.
    #[must_use]
    pub fn new(a: Party, b: Party) -> Self {
        Self { a: End::new(a), b: End::new(b) }
    }

    /// SDP says something new of one side. If it is what it said before, what was learned stays; keys are taken over
    /// only if they are given.
    pub fn update(&mut self, side: Side, party: Party) {
        let end = self.end(side);
        end.latch.update(party.rtp, party.rtcp, party.mux);
        (end.mux, end.takes) = (party.mux, party.rtp.is_some());
        end.takes_rtcp = party.rtcp.is_some() || party.mux;
        if party.srtp.is_some() {
            end.srtp = party.srtp;
        }
    }

    /// A datagram of `length` octets came to a socket of `side`, and lies at the start of `buffer`. `buffer` should be
    /// longer by what SRTP adds (up to 256 octets), or such packets are refused.
    pub fn forward(
        &mut self,
        now: Instant,
        side: Side,
        channel: Channel,
        source: SocketAddr,
        buffer: &mut [u8],
        length: usize,
    ) -> Option<Forward> {
        let (from, to) = match side {
            Side::A => (&mut self.a, &mut self.b),
            Side::B => (&mut self.b, &mut self.a),
        };
        let Some((channel, plain)) = take(from, now, channel, source, buffer, length) else {
            from.stats.refused += 1;
            return None;
        };
        from.stats.last = Some(now);
        let forward = give(to, channel, buffer, plain).map(|(channel, destination, out)| {
            from.stats.packets += 1;
            from.stats.octets += length as u64;
            Forward { side: side.other(), channel, destination, length: out }
        });
        from.stats.dropped += u64::from(forward.is_none());
        forward
    }

    /// What was counted of what one side sent.
    #[must_use]
    pub const fn stats(&self, side: Side) -> &RelayStats {
        match side {
            Side::A => &self.a.stats,
            Side::B => &self.b.stats,
        }
    }

    /// Where a party's RTP is sent to now.
    #[must_use]
    pub fn destination(&self, side: Side) -> Option<SocketAddr> {
        match side {
            Side::A => self.a.latch.destination(),
            Side::B => self.b.latch.destination(),
        }
    }

    const fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }
}

/// Judges what a party sent, and decrypts it; returns what it is and its octets then.
fn take(
    from: &mut End,
    now: Instant,
    channel: Channel,
    source: SocketAddr,
    buffer: &mut [u8],
    length: usize,
) -> Option<(Channel, usize)> {
    let datagram = buffer.get_mut(..length)?;
    let (first, second) = (*datagram.first()?, *datagram.get(1)?);
    // Version 2. What shares the port otherwise, STUN and DTLS, ends at the relay.
    if first >> 6 != 2 {
        return None;
    }
    // RFC 5761 §4: the numbers of RTCP are payload types that RTP does not use then.
    let channel = if from.mux && (192..=223).contains(&second) { Channel::Rtcp } else { channel };
    let plain = match channel {
        Channel::Rtp => {
            let (sequence, ssrc) = (field(datagram, 2)?, field(datagram, 8)?);
            if length < RTP_HEADER
                || from.latch.check(now, source, u32::from_be_bytes(ssrc), u16::from_be_bytes(sequence))
                    == Verdict::Refuse
            {
                return None;
            }
            match &mut from.srtp {
                Some(srtp) => srtp.0.unprotect_rtp(datagram).ok()?,
                None => length,
            }
        }
        Channel::Rtcp => {
            if length < RTCP_HEADER || !from.latch.check_rtcp(source) {
                return None;
            }
            match &mut from.srtp {
                Some(srtp) => srtp.0.unprotect_rtcp(datagram).ok()?,
                None => length,
            }
        }
    };
    Some((channel, plain))
}

/// Encrypts what a party is to be sent; returns by which socket, where to, and its octets then.
fn give(
    to: &mut End,
    channel: Channel,
    buffer: &mut [u8],
    length: usize,
) -> Option<(Channel, SocketAddr, usize)> {
    match channel {
        Channel::Rtp => {
            let destination = to.latch.destination().filter(|_| to.takes)?;
            let length = match &mut to.srtp {
                Some(srtp) => srtp.1.protect_rtp(buffer, length).ok()?,
                None => length,
            };
            Some((Channel::Rtp, destination, length))
        }
        Channel::Rtcp => {
            let destination = to.latch.rtcp_destination().filter(|_| to.takes_rtcp)?;
            let length = match &mut to.srtp {
                Some(srtp) => srtp.1.protect_rtcp(buffer, length).ok()?,
                None => length,
            };
            Some((if to.mux { Channel::Rtp } else { Channel::Rtcp }, destination, length))
        }
    }
}

fn field<const N: usize>(datagram: &[u8], at: usize) -> Option<[u8; N]> {
    datagram.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Packet;
    use crate::srtp::{MasterKey, SrtpConfig, Suite};
    use sidetone_hal::time::Duration;

    fn address(host: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, host], port))
    }

    fn rtp(sequence: u16) -> Vec<u8> {
        let timestamp = u32::from(sequence) * 160;
        let packet =
            Packet { payload_type: 0, marker: false, sequence, timestamp, ssrc: 7, payload: &[9; 160] };
        let mut out = vec![0; 172];
        packet.write(&mut out).unwrap();
        out
    }

    const REPORT: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 7];

    /// Sends a datagram through; where it went, and what it is then.
    fn pass(
        relay: &mut Relay,
        now: Instant,
        (side, channel): (Side, Channel),
        source: SocketAddr,
        datagram: &[u8],
    ) -> Option<(Side, Channel, SocketAddr, Vec<u8>)> {
        let mut buffer = [0; 1500];
        buffer[..datagram.len()].copy_from_slice(datagram);
        let forward = relay.forward(now, side, channel, source, &mut buffer, datagram.len())?;
        Some((forward.side, forward.channel, forward.destination, buffer[..forward.length].to_vec()))
    }

    const A_RTP: (Side, Channel) = (Side::A, Channel::Rtp);
    const B_RTP: (Side, Channel) = (Side::B, Channel::Rtp);

    #[test]
    fn packets_go_on_as_they_are_both_ways() {
        let (a, b) = (address(1, 4000), address(2, 6000));
        let mut relay = Relay::new(Party::new(a), Party::new(b));
        let now = Instant::from_millis(1000);
        assert_eq!(pass(&mut relay, now, A_RTP, a, &rtp(1)), Some((Side::B, Channel::Rtp, b, rtp(1))));
        assert_eq!(pass(&mut relay, now, B_RTP, b, &rtp(9)), Some((Side::A, Channel::Rtp, a, rtp(9))));
        let rtcp = pass(&mut relay, now, (Side::A, Channel::Rtcp), address(1, 4001), &REPORT);
        assert_eq!(rtcp, Some((Side::B, Channel::Rtcp, address(2, 6001), REPORT.to_vec())));
        let stats = relay.stats(Side::A);
        assert_eq!((stats.packets, stats.octets, stats.refused, stats.last), (2, 180, 0, Some(now)));
    }

    #[test]
    fn a_party_behind_a_nat_is_found_and_a_stranger_is_not_heard() {
        let (a, b, nat) = (address(1, 4000), address(2, 6000), address(9, 50_000));
        let mut relay = Relay::new(Party::new(a), Party::new(b));
        let mut now = Instant::from_millis(1000);
        for sequence in 0..4 {
            now += Duration::from_millis(20);
            let passed = pass(&mut relay, now, A_RTP, nat, &rtp(sequence));
            assert_eq!(passed.is_some(), sequence == 3, "{sequence}");
        }
        assert_eq!(relay.destination(Side::A), Some(nat));
        assert_eq!(pass(&mut relay, now, B_RTP, b, &rtp(1)).unwrap().2, nat);
        for sequence in 0..50 {
            assert_eq!(pass(&mut relay, now, A_RTP, address(66, 1), &rtp(sequence)), None);
            assert!(pass(&mut relay, now, A_RTP, nat, &rtp(4 + sequence)).is_some());
        }
        assert_eq!(relay.stats(Side::A).refused, 53);
    }

    #[test]
    fn what_is_no_rtp_or_has_nowhere_to_go_stays_here() {
        let (a, b) = (address(1, 4000), address(2, 6000));
        let mut relay = Relay::new(Party::new(a), Party::default());
        let now = Instant::from_millis(1000);
        for noise in [&b""[..], &[0x80], &[0; 100], &[0x80; 11], b"REGISTER sip:x SIP/2.0"] {
            assert_eq!(pass(&mut relay, now, A_RTP, a, noise), None);
        }
        assert_eq!(pass(&mut relay, now, A_RTP, a, &rtp(1)), None);
        assert_eq!((relay.stats(Side::A).refused, relay.stats(Side::A).dropped), (5, 1));
        relay.update(Side::B, Party::new(b));
        assert_eq!(pass(&mut relay, now, A_RTP, a, &rtp(2)).unwrap().2, b);
        // On hold it takes nothing, though it was learned where it is.
        relay.update(Side::B, Party::default());
        assert_eq!(pass(&mut relay, now, A_RTP, a, &rtp(3)), None);
    }

    #[test]
    fn a_side_that_muxes_gets_and_gives_both_at_one_port() {
        let (a, b) = (address(1, 4000), address(2, 6000));
        let muxed = Party { mux: true, rtcp: None, ..Party::new(a) };
        let mut relay = Relay::new(muxed, Party::new(b));
        let now = Instant::from_millis(1000);
        let up = pass(&mut relay, now, A_RTP, a, &REPORT);
        assert_eq!(up, Some((Side::B, Channel::Rtcp, address(2, 6001), REPORT.to_vec())));
        let down = pass(&mut relay, now, (Side::B, Channel::Rtcp), address(2, 6001), &REPORT);
        assert_eq!(down, Some((Side::A, Channel::Rtp, a, REPORT.to_vec())));
    }

    #[test]
    fn srtp_ends_at_the_relay() {
        let (a, b) = (address(1, 4000), address(2, 6000));
        let config = SrtpConfig::default();
        let keys =
            [1, 2].map(|n| MasterKey::new(Suite::AES_CM_128_HMAC_SHA1_80, &[n; 16], &[n; 14]).unwrap());
        let srtp = (Inbound::new(&keys[0], &config), Outbound::new(&keys[1], &config));
        let encrypted = Party { srtp: Some(Box::new(srtp)), ..Party::new(a) };
        let mut relay = Relay::new(encrypted, Party::new(b));
        let now = Instant::from_millis(1000);
        let (mut phone_out, mut phone_in) =
            (Outbound::new(&keys[0], &config), Inbound::new(&keys[1], &config));
        let mut packet = rtp(5);
        packet.resize(300, 0);
        let length = phone_out.protect_rtp(&mut packet, 172).unwrap();
        assert_eq!(length, 182);
        assert_eq!(pass(&mut relay, now, A_RTP, a, &packet[..length]).unwrap().3, rtp(5));
        assert_eq!(pass(&mut relay, now, A_RTP, a, &packet[..length]), None, "a replay");
        assert_eq!(pass(&mut relay, now, A_RTP, a, &rtp(6)), None, "not encrypted");
        let (.., mut down) = pass(&mut relay, now, B_RTP, b, &rtp(8)).unwrap();
        assert_eq!(down.len(), 182);
        let length = phone_in.unprotect_rtp(&mut down).unwrap();
        assert_eq!(down[..length], rtp(8));
        let report = pass(&mut relay, now, (Side::B, Channel::Rtcp), address(2, 6001), &REPORT).unwrap().3;
        assert!(report.len() > REPORT.len());
    }
}
