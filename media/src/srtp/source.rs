//! What a context knows of each source: the roll-over counter, and which packets came (RFC 3711 §3.2.1, §3.3.1).

use super::replay::{ReplayWindow, Verdict};
use super::{SrtpConfig, SrtpError};

/// RTP indices have 48 bits: a roll-over counter of 32 and the sequence number.
const INDICES: u64 = 1 << 48;

/// One source.
#[derive(Clone, Debug)]
pub(super) struct Source {
    ssrc: u32,
    /// The roll-over counter to begin with.
    rollover: u32,
    pub(super) rtp: ReplayWindow,
    pub(super) rtcp: ReplayWindow,
}

impl Source {
    /// The index of the packet with this sequence number: the one nearest to the highest so far (§3.3.1).
    /// None if there is none such, before the first or after the last of all.
    pub(super) fn estimate(&self, sequence: u16) -> Option<u64> {
        let Some(highest) = self.rtp.highest() else {
            return Some(u64::from(self.rollover) << 16 | u64::from(sequence));
        };
        // Forward by less than half the numbers, else back.
        let step = i64::from(sequence.wrapping_sub(highest as u16) as i16);
        highest.checked_add_signed(step).filter(|index| *index < INDICES)
    }

    /// Of a source that was never heard, the other index that its first packet may have: it rolled over, or had
    /// not yet, when we were told its counter.
    pub(super) fn second_estimate(&self, sequence: u16) -> Option<u64> {
        let rollover = match (self.rtp.highest(), sequence < 0x8000) {
            (Some(_), _) => return None,
            (None, true) => self.rollover.checked_add(1),
            (None, false) => self.rollover.checked_sub(1),
        };
        Some(u64::from(rollover?) << 16 | u64::from(sequence))
    }

    /// Refuses what came before.
    pub(super) fn check(window: &ReplayWindow, index: u64) -> Result<(), SrtpError> {
        match window.check(index) {
            Verdict::New => Ok(()),
            Verdict::Seen => Err(SrtpError::Replayed(index)),
            Verdict::Old => Err(SrtpError::Old(index)),
        }
    }
}

/// The sources of a context, in memory taken once.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    known: Vec<Source>,
    /// Fresh ones, to be taken when another is heard.
    spare: Vec<Source>,
    /// The one that was used last, as a rule the next one too.
    latest: usize,
}

impl Sources {
    pub(super) fn new(config: &SrtpConfig) -> Self {
        let window = ReplayWindow::new(config.window);
        let fresh = Source { ssrc: 0, rollover: 0, rtp: window.clone(), rtcp: window };
        let count = config.sources.max(1);
        Self { known: Vec::with_capacity(count), spare: vec![fresh; count], latest: 0 }
    }

    /// The source of a packet; if it is unknown, the one that it would become, not yet kept.
    pub(super) fn find(&mut self, ssrc: u32) -> Result<&mut Source, SrtpError> {
        if self.known.get(self.latest).is_none_or(|source| source.ssrc != ssrc) {
            match self.known.iter().position(|source| source.ssrc == ssrc) {
                Some(index) => self.latest = index,
                None => {
                    let most = self.known.capacity();
                    let next = self.spare.last_mut().ok_or(SrtpError::Sources(most))?;
                    (next.ssrc, next.rollover) = (ssrc, 0);
                    return Ok(next);
                }
            }
        }
        // It is there: its index was just found.
        self.known.get_mut(self.latest).ok_or(SrtpError::Sources(0))
    }

    /// Keeps the source of a packet that was authentic.
    pub(super) fn keep(&mut self, ssrc: u32) {
        let spare = self.spare.last().is_some_and(|source| source.ssrc == ssrc);
        let known = self.known.get(self.latest).is_some_and(|source| source.ssrc == ssrc);
        if spare
            && !known
            && let Some(source) = self.spare.pop()
        {
            self.latest = self.known.len();
            self.known.push(source);
        }
    }

    /// Tells a source's roll-over counter, when that is known from elsewhere.
    pub(super) fn set_rollover(&mut self, ssrc: u32, rollover: u32) -> Result<(), SrtpError> {
        let source = self.find(ssrc)?;
        source.rollover = rollover;
        if source.rtp.highest().is_some() {
            source.rtp = ReplayWindow::new(source.rtp.size() as usize);
        }
        self.keep(ssrc);
        Ok(())
    }

    /// The roll-over counter of a source that was heard.
    pub(super) fn rollover(&self, ssrc: u32) -> Option<u32> {
        let source = self.known.iter().find(|source| source.ssrc == ssrc)?;
        Some(source.rtp.highest().map_or(source.rollover, |highest| (highest >> 16) as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(highest: u64) -> Source {
        let mut rtp = ReplayWindow::new(64);
        rtp.accept(highest);
        Source { ssrc: 1, rollover: 0, rtp, rtcp: ReplayWindow::new(64) }
    }

    /// RFC 3711 §3.3.1's pseudo-code, word for word.
    fn by_the_rfc(highest: u64, sequence: u16) -> i64 {
        let (rollover, s_l, seq) = ((highest >> 16) as i64, (highest & 0xffff) as i64, i64::from(sequence));
        let v = if s_l < 32_768 {
            if seq - s_l > 32_768 { rollover - 1 } else { rollover }
        } else if s_l - 32_768 > seq {
            rollover + 1
        } else {
            rollover
        };
        v << 16 | seq
    }

    #[test]
    fn the_index_is_guessed_as_the_rfc_does() {
        for rollover in [0_u64, 1, 7, 0xffff_fffe] {
            for s_l in [0_u16, 1, 100, 32_766, 32_767, 32_768, 32_769, 65_000, 65_535] {
                let highest = rollover << 16 | u64::from(s_l);
                for sequence in (0..=u16::MAX).step_by(37).chain([0, 32_767, 32_768, 65_535]) {
                    // Exactly half the numbers away, the RFC's own halves differ by one; either is a guess.
                    if sequence.wrapping_sub(s_l) == 0x8000 {
                        continue;
                    }
                    let expected = u64::try_from(by_the_rfc(highest, sequence)).ok();
                    assert_eq!(source(highest).estimate(sequence), expected, "{highest:x} {sequence:x}");
                }
            }
        }
    }

    #[test]
    fn no_index_is_before_the_first_or_after_the_last() {
        assert_eq!(source(3).estimate(65_535), None);
        assert_eq!(source(INDICES - 1).estimate(0), None);
    }

    #[test]
    fn a_source_is_kept_only_when_told_and_memory_is_bounded() {
        let mut sources = Sources::new(&SrtpConfig { sources: 2, ..SrtpConfig::default() });
        for ssrc in 0..100 {
            assert!(sources.find(ssrc).is_ok());
        }
        sources.find(7).unwrap().rtp.accept(70_000);
        sources.keep(7);
        sources.set_rollover(8, 3).unwrap();
        assert_eq!((sources.rollover(7), sources.rollover(8), sources.rollover(9)), (Some(1), Some(3), None));
        assert_eq!(sources.find(9).unwrap_err(), SrtpError::Sources(2));
        assert!(sources.find(7).is_ok() && sources.find(8).is_ok());
    }
}
