//! Symmetric RTP (RFC 4961): send where the other side's packets come from, and let nobody steal the stream.
//!
//! SDP's address is trusted at once, and takes the stream back from another whenever it sends. Another source, as behind
//! a NAT, must send some packets in a row, and only while nothing comes from the one that is followed: a stranger can
//! neither take over a stream that flows, nor with single packets one that pauses. Once a host was followed for a while,
//! another one is followed after a long silence only, unless it goes on with the same SSRC and numbers, which a stranger
//! who cannot hear the call does not know.

use core::net::SocketAddr;
use sidetone_hal::time::{Duration, Instant};

/// Packets in a row of one SSRC that make a source believed.
const IN_ROW: u8 = 4;
/// Silence of the followed source after which another may take its place.
const SILENCE: Duration = Duration::from_secs(1);
/// Silence after which a stranger may take the place of one that was followed for long.
const LONG_SILENCE: Duration = Duration::from_secs(10);
/// A jump forward of the sequence number below this goes on with the stream (RFC 3550 §A.1: MAX_DROPOUT).
const MAX_DROPOUT: u16 = 3000;

/// Whose packets are taken, beside those from the address that SDP says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SourcePolicy {
    /// Anyone's that keep to the rules of this module: what a peer behind a NAT needs.
    #[default]
    Learn,
    /// Those from another port of the host that SDP says.
    SignalledHost,
    /// None.
    Strict,
}

/// How a stream finds out where the other side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LatchConfig {
    /// Whose packets are taken.
    pub policy: SourcePolicy,
    /// Packets of one host after which strangers have to wait for a long silence: 100 by default. 0 is at once.
    pub settle: u32,
    /// How far a port may be from the one that SDP says, on the same host; any by default.
    pub port_distance: u16,
}

impl Default for LatchConfig {
    fn default() -> Self {
        Self { policy: SourcePolicy::Learn, settle: 100, port_distance: u16::MAX }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Latch {
    symmetric: bool,
    config: LatchConfig,
    rtp: Option<SocketAddr>,
    rtcp: Option<SocketAddr>,
    /// RTCP goes where RTP goes (RFC 5761).
    mux: bool,
    /// Where RTP comes from.
    heard: Option<Heard>,
    heard_rtcp: Option<SocketAddr>,
    candidate: Option<Candidate>,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    source: SocketAddr,
    at: Instant,
    ssrc: u32,
    sequence: u16,
    packets: u32,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    source: SocketAddr,
    ssrc: u32,
    next: u16,
    in_row: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Take the packet.
    Accept,
    /// Take it; its source is the one to follow from now on.
    Follow,
    /// Not to be taken.
    Refuse,
}

impl Latch {
    pub(super) const fn new(
        symmetric: bool,
        config: LatchConfig,
        rtp: Option<SocketAddr>,
        rtcp: Option<SocketAddr>,
        mux: bool,
    ) -> Self {
        Self { symmetric, config, rtp, rtcp, mux, heard: None, heard_rtcp: None, candidate: None }
    }

    /// SDP says new addresses. If they are the old ones, what was learned stays.
    pub(super) fn update(&mut self, rtp: Option<SocketAddr>, rtcp: Option<SocketAddr>, mux: bool) {
        self.mux = mux;
        // On hold in the style of RFC 2543 there is none; then what was learned waits for the resume.
        if rtp.is_some() && rtp != self.rtp {
            (self.rtp, self.heard, self.candidate) = (rtp, None, None);
        }
        if rtcp.is_some() && rtcp != self.rtcp {
            (self.rtcp, self.heard_rtcp) = (rtcp, None);
        }
    }

    /// Judges the source of an RTP packet.
    pub(super) fn check(&mut self, now: Instant, source: SocketAddr, ssrc: u32, sequence: u16) -> Verdict {
        if let Some(heard) = self.heard.as_mut().filter(|heard| heard.source == source) {
            (heard.at, heard.ssrc, heard.sequence) = (now, ssrc, sequence);
            heard.packets = heard.packets.saturating_add(1);
            // Another that sends at the same time has to begin anew, unless it is the one that SDP says.
            if self.candidate.is_some_and(|candidate| Some(candidate.source) != self.rtp) {
                self.candidate = None;
            }
            return Verdict::Accept;
        }
        let first = Heard { source, at: now, ssrc, sequence, packets: 1 };
        if self.heard.is_none() && self.rtp == Some(source) {
            self.heard = Some(first);
            return Verdict::Follow;
        }
        if !self.may_follow(now, source, ssrc, sequence) {
            return Verdict::Refuse;
        }
        let in_row = match self.candidate {
            Some(known) if (known.source, known.ssrc, known.next) == (source, ssrc, sequence) => {
                known.in_row + 1
            }
            _ => 1,
        };
        if in_row < IN_ROW {
            let next = sequence.wrapping_add(1);
            self.candidate = Some(Candidate { source, ssrc, next, in_row });
            return Verdict::Refuse;
        }
        self.candidate = None;
        self.heard = Some(first);
        self.heard_rtcp = None;
        Verdict::Follow
    }

    /// Whether a source that is not followed may be, if it sends enough.
    fn may_follow(&self, now: Instant, source: SocketAddr, ssrc: u32, sequence: u16) -> bool {
        if self.rtp == Some(source) {
            return true;
        }
        let same_host = self.rtp.filter(|said| said.ip() == source.ip());
        let allowed = match (self.config.policy, same_host) {
            (SourcePolicy::Strict, _) | (SourcePolicy::SignalledHost, None) => false,
            (_, Some(said)) => said.port().abs_diff(source.port()) <= self.config.port_distance,
            (SourcePolicy::Learn, None) => true,
        };
        let Some(heard) = self.heard.filter(|_| allowed) else { return allowed };
        let goes_on = heard.ssrc == ssrc && sequence.wrapping_sub(heard.sequence) < MAX_DROPOUT;
        let settled = heard.packets >= self.config.settle && heard.source.ip() != source.ip() && !goes_on;
        now - heard.at >= if settled { LONG_SILENCE } else { SILENCE }
    }

    /// Whether RTCP from `source` is to be taken: from where RTP comes from, or where SDP says.
    pub(super) fn check_rtcp(&mut self, source: SocketAddr) -> bool {
        let trusted = match self.config.policy {
            SourcePolicy::Strict if self.mux => self.rtp == Some(source),
            SourcePolicy::Strict => self.rtcp == Some(source),
            _ => {
                let followed = self.heard.map(|heard| heard.source).or(self.rtp);
                [followed, self.rtcp].iter().flatten().any(|known| known.ip() == source.ip())
            }
        };
        if trusted {
            self.heard_rtcp = Some(source);
        }
        trusted
    }

    /// Where RTP goes to.
    pub(super) fn destination(&self) -> Option<SocketAddr> {
        let learned = self.heard.filter(|_| self.symmetric).map(|heard| heard.source);
        learned.or(self.rtp)
    }

    /// Where RTCP goes to.
    pub(super) fn rtcp_destination(&self) -> Option<SocketAddr> {
        if self.mux {
            return self.destination();
        }
        if !self.symmetric {
            return self.rtcp;
        }
        if let Some(heard) = self.heard_rtcp {
            return Some(heard);
        }
        match self.heard {
            Some(heard) if Some(heard.source) != self.rtp => crate::sdp::next_port(heard.source),
            _ => self.rtcp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::new([192, 0, 2, 7].into(), port)
    }

    /// Where SDP says the other side is: port 10.
    fn latch(config: LatchConfig) -> Latch {
        Latch::new(true, config, Some(address(10)), Some(address(11)), false)
    }

    fn stranger(port: u16) -> SocketAddr {
        SocketAddr::new([198, 51, 100, 66].into(), port)
    }

    /// When packets from `source`, one every 20 ms from `from` on for 20 s, are first followed.
    fn followed(latch: &mut Latch, from: u64, source: SocketAddr, ssrc: u32, first: u16) -> Option<u64> {
        (0..1000_u16).find_map(|i| {
            let now = from + u64::from(i) * 20;
            let verdict = latch.check(at(now), source, ssrc, first.wrapping_add(i));
            (verdict == Verdict::Follow).then_some(now)
        })
    }

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn the_address_of_sdp_is_believed_at_once() {
        let mut latch = latch(LatchConfig::default());
        assert_eq!(latch.destination(), Some(address(10)));
        assert_eq!(latch.check(at(0), address(10), 1, 5), Verdict::Follow);
        assert_eq!(latch.check(at(20), address(10), 1, 6), Verdict::Accept);
        assert_eq!(latch.rtcp_destination(), Some(address(11)));
    }

    #[test]
    fn another_source_must_send_four_in_a_row() {
        let mut latch = latch(LatchConfig::default());
        for sequence in [1, 2, 3, 7, 8, 9] {
            assert_eq!(latch.check(at(0), address(20), 1, sequence), Verdict::Refuse);
        }
        assert_eq!(latch.check(at(0), address(20), 1, 10), Verdict::Follow);
        assert_eq!(latch.destination(), Some(address(20)));
        assert_eq!(latch.rtcp_destination(), Some(address(21)));
        assert!(latch.check_rtcp(address(33)));
        assert_eq!(latch.rtcp_destination(), Some(address(33)));
        assert!(!latch.check_rtcp(SocketAddr::new([198, 51, 100, 1].into(), 33)));
    }

    #[test]
    fn a_stream_that_flows_cannot_be_stolen_and_one_that_moved_is_found() {
        let mut latch = latch(LatchConfig::default());
        latch.check(at(0), address(10), 1, 0);
        for i in 1..200_u16 {
            let now = at(u64::from(i) * 20);
            assert_eq!(latch.check(now, address(66), 9, i), Verdict::Refuse);
            assert_eq!(latch.check(now, address(10), 1, i), Verdict::Accept);
        }
        let silent = at(3980);
        let mut followed = None;
        for i in 0..100_u16 {
            let now = silent + Duration::from_millis(u64::from(i) * 20);
            if latch.check(now, address(66), 9, 500 + i) == Verdict::Follow {
                followed.get_or_insert(now);
            }
        }
        let waited = followed.unwrap() - silent;
        assert!(waited >= SILENCE && waited <= SILENCE + Duration::from_millis(80), "{waited:?}");
    }

    #[test]
    fn a_new_address_in_sdp_counts_and_a_hold_forgets_nothing() {
        let mut latch = latch(LatchConfig::default());
        latch.check(at(0), address(10), 1, 0);
        latch.update(None, None, false);
        assert_eq!(latch.destination(), Some(address(10)));
        latch.update(Some(address(40)), None, false);
        assert_eq!(latch.destination(), Some(address(40)));
        assert_eq!(latch.check(at(1), address(40), 1, 1), Verdict::Follow);
    }

    #[test]
    fn without_symmetry_sdp_alone_says_where_to() {
        let mut latch = Latch { symmetric: false, ..latch(LatchConfig::default()) };
        for sequence in 0..4 {
            latch.check(at(0), address(20), 1, sequence);
        }
        latch.check_rtcp(address(21));
        assert_eq!((latch.destination(), latch.rtcp_destination()), (Some(address(10)), Some(address(11))));
    }

    #[test]
    fn a_stranger_waits_long_for_the_place_of_one_that_was_followed_for_long() {
        for (packets, waits) in [(50_u16, 1000), (200, 10_000)] {
            let mut latch = latch(LatchConfig::default());
            for i in 0..packets {
                latch.check(at(u64::from(i) * 20), address(10), 1, i);
            }
            let last = u64::from(packets - 1) * 20;
            let stolen = followed(&mut latch, last + 20, stranger(10), 9, 700).unwrap();
            assert!((waits..waits + 100).contains(&(stolen - last)), "{packets}: {} ms", stolen - last);
        }
    }

    #[test]
    fn a_peer_that_moves_to_another_host_in_the_call_is_found_by_its_numbers() {
        let mut latch = latch(LatchConfig::default());
        for i in 0..500_u16 {
            latch.check(at(u64::from(i) * 20), address(10), 1, i);
        }
        let mut thief = latch.clone();
        // The same SSRC alone is not enough: the numbers go on, too.
        let last = 499 * 20;
        let moved = followed(&mut latch, last + 300, stranger(4000), 1, 515).unwrap();
        assert!((1000..1100).contains(&(moved - last)), "{moved}");
        let guessed = followed(&mut thief, last + 300, stranger(4000), 1, 30_000).unwrap();
        assert!(guessed - last >= 10_000, "{guessed}");
    }

    #[test]
    fn one_who_was_first_gives_way_to_the_address_that_sdp_says() {
        let mut latch = latch(LatchConfig::default());
        assert!(followed(&mut latch, 0, stranger(10), 9, 0).is_some());
        // Both send; the stranger cannot keep the stream.
        let mut verdicts = Vec::new();
        for i in 0..10_u16 {
            let now = at(100 + u64::from(i) * 20);
            latch.check(now, stranger(10), 9, 4 + i);
            verdicts.push(latch.check(now, address(10), 1, i));
        }
        assert_eq!(verdicts[2..5], [Verdict::Refuse, Verdict::Follow, Verdict::Accept]);
        assert_eq!(latch.destination(), Some(address(10)));
    }

    #[test]
    fn strictness_is_kept() {
        let strict = LatchConfig { policy: SourcePolicy::Strict, ..LatchConfig::default() };
        let mut strict = latch(strict);
        assert_eq!(followed(&mut strict, 0, address(12), 1, 0), None);
        assert_eq!(followed(&mut strict, 0, stranger(10), 1, 0), None);
        assert!(!strict.check_rtcp(address(12)) && strict.check_rtcp(address(11)));
        assert_eq!(followed(&mut strict, 0, address(10), 1, 0), Some(0));

        let host =
            LatchConfig { policy: SourcePolicy::SignalledHost, port_distance: 6, ..LatchConfig::default() };
        let mut host = latch(host);
        assert_eq!(followed(&mut host, 0, stranger(10), 1, 0), None);
        assert_eq!(followed(&mut host, 0, address(17), 1, 0), None);
        assert_eq!(followed(&mut host, 0, address(16), 1, 0), Some(60));
        assert!(host.check_rtcp(address(99)) && !host.check_rtcp(stranger(11)));
    }

    #[test]
    fn with_one_port_for_both_rtcp_goes_where_rtp_goes() {
        let mut latch = Latch { mux: true, ..latch(LatchConfig::default()) };
        assert_eq!(latch.rtcp_destination(), Some(address(10)));
        followed(&mut latch, 0, address(20), 1, 0);
        assert_eq!(latch.rtcp_destination(), Some(address(20)));
    }

    #[test]
    fn single_packets_and_mixed_ssrcs_never_take_a_pausing_stream() {
        let mut latch = latch(LatchConfig::default());
        latch.check(at(0), address(10), 1, 0);
        for i in 0..1000_u32 {
            let now = at(2000 + u64::from(i) * 20);
            // Three in a row, then another SSRC; or numbers that do not follow.
            assert_eq!(latch.check(now, stranger(10), i / 3, i as u16), Verdict::Refuse);
            assert_eq!(latch.check(now, stranger(12), 5, (i * 2) as u16), Verdict::Refuse);
        }
        assert_eq!(latch.destination(), Some(address(10)));
    }
}
