//! Symmetric RTP (RFC 4961): send where the other side's packets come from, and let nobody steal the stream.
//!
//! SDP's address is trusted at once. Another source, as behind a NAT, must send some packets in a row, and
//! only while nothing comes from the one that is followed: a stranger can neither take over a stream that
//! flows, nor with single packets one that pauses.

use core::net::SocketAddr;
use sidetone_hal::time::{Duration, Instant};

/// Packets in a row of one SSRC that make a source believed.
const IN_ROW: u8 = 4;
/// Silence of the followed source after which another may take its place.
const SILENCE: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub(super) struct Latch {
    symmetric: bool,
    rtp: Option<SocketAddr>,
    rtcp: Option<SocketAddr>,
    /// Where RTP comes from, and when it did last.
    heard: Option<(SocketAddr, Instant)>,
    heard_rtcp: Option<SocketAddr>,
    candidate: Option<Candidate>,
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
    pub(super) const fn new(symmetric: bool, rtp: Option<SocketAddr>, rtcp: Option<SocketAddr>) -> Self {
        Self { symmetric, rtp, rtcp, heard: None, heard_rtcp: None, candidate: None }
    }

    /// SDP says new addresses. If they are the old ones, what was learned stays.
    pub(super) fn update(&mut self, rtp: Option<SocketAddr>, rtcp: Option<SocketAddr>) {
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
        match &mut self.heard {
            Some((followed, last)) if *followed == source => {
                *last = now;
                self.candidate = None;
                return Verdict::Accept;
            }
            None if self.rtp == Some(source) => {
                self.heard = Some((source, now));
                return Verdict::Follow;
            }
            Some((_, last)) if now - *last < SILENCE => return Verdict::Refuse,
            _ => {}
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
        self.heard = Some((source, now));
        self.heard_rtcp = None;
        Verdict::Follow
    }

    /// Whether RTCP from `source` is to be taken: from where RTP comes from, or where SDP says.
    pub(super) fn check_rtcp(&mut self, source: SocketAddr) -> bool {
        let followed = self.heard.map(|(followed, _)| followed).or(self.rtp);
        let trusted = [followed, self.rtcp].iter().flatten().any(|known| known.ip() == source.ip());
        if trusted {
            self.heard_rtcp = Some(source);
        }
        trusted
    }

    /// Where RTP goes to.
    pub(super) fn destination(&self) -> Option<SocketAddr> {
        let learned = self.heard.filter(|_| self.symmetric).map(|(followed, _)| followed);
        learned.or(self.rtp)
    }

    /// Where RTCP goes to.
    pub(super) fn rtcp_destination(&self) -> Option<SocketAddr> {
        if !self.symmetric {
            return self.rtcp;
        }
        if let Some(heard) = self.heard_rtcp {
            return Some(heard);
        }
        match self.heard {
            Some((followed, _)) if Some(followed) != self.rtp => crate::sdp::next_port(followed),
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

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn the_address_of_sdp_is_believed_at_once() {
        let mut latch = Latch::new(true, Some(address(10)), Some(address(11)));
        assert_eq!(latch.destination(), Some(address(10)));
        assert_eq!(latch.check(at(0), address(10), 1, 5), Verdict::Follow);
        assert_eq!(latch.check(at(20), address(10), 1, 6), Verdict::Accept);
        assert_eq!(latch.rtcp_destination(), Some(address(11)));
    }

    #[test]
    fn another_source_must_send_four_in_a_row() {
        let mut latch = Latch::new(true, Some(address(10)), Some(address(11)));
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
        let mut latch = Latch::new(true, Some(address(10)), None);
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
        let mut latch = Latch::new(true, Some(address(10)), None);
        latch.check(at(0), address(10), 1, 0);
        latch.update(None, None);
        assert_eq!(latch.destination(), Some(address(10)));
        latch.update(Some(address(40)), None);
        assert_eq!(latch.destination(), Some(address(40)));
        assert_eq!(latch.check(at(1), address(40), 1, 1), Verdict::Follow);
    }

    #[test]
    fn without_symmetry_sdp_alone_says_where_to() {
        let mut latch = Latch::new(false, Some(address(10)), Some(address(11)));
        for sequence in 0..4 {
            latch.check(at(0), address(20), 1, sequence);
        }
        latch.check_rtcp(address(21));
        assert_eq!((latch.destination(), latch.rtcp_destination()), (Some(address(10)), Some(address(11))));
    }
}
