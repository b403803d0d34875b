//! Sequence numbers: which are to be trusted, and how many are missing (RFC 3550 §A.1, §A.3).

/// A jump forward below this is loss (§A.1: MAX_DROPOUT).
const MAX_DROPOUT: u16 = 3000;
/// A step back below this is reordering (MAX_MISORDER).
const MAX_MISORDER: u16 = 100;

/// Follows the sequence numbers of one source.
#[derive(Clone, Debug)]
pub struct SequenceTracker {
    base: u64,
    highest: u64,
    /// The number that would go on from one that is not trusted yet.
    follows: Option<u16>,
    /// How many must follow in a row before one is valid.
    probation: u8,
    in_row: u8,
    received: u64,
    duplicates: u64,
    /// Bit i: `highest - i` was received.
    seen: u64,
    expected_before: u64,
    received_before: u64,
    /// How many came one after the other.
    row: u8,
    last: u16,
}

/// What a sequence number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// In order, or out of order within reason; the number counted on beyond 16 bits.
    Valid(u64),
    /// Received before.
    Duplicate,
    /// The source is not trusted yet: too few in a row.
    Probation,
    /// Far from all before; trusted only if the next follows it.
    Jump,
    /// The second after a jump: the source began anew with this number, and so do the counters.
    Restart(u64),
}

impl SequenceTracker {
    /// Begins with `first`. `probation` packets must follow it in a row before any is valid; with 0 it is
    /// valid itself.
    #[must_use]
    pub const fn new(first: u16, probation: u8) -> Self {
        // A first cycle in reserve, so that a packet from before the first does not go below zero.
        let first = (1 << 16) | first as u64;
        Self {
            base: first,
            highest: first - 1,
            follows: None,
            probation,
            in_row: 0,
            received: 0,
            duplicates: 0,
            seen: 0,
            expected_before: 0,
            received_before: 0,
            row: 0,
            last: 0,
        }
    }

    /// Takes the next packet's number.
    pub fn receive(&mut self, sequence: u16) -> Arrival {
        let step = sequence.wrapping_sub(self.highest as u16);
        let in_row = self.row > 0 && sequence == self.last.wrapping_add(1);
        self.row = if in_row { self.row.saturating_add(1) } else { 1 };
        self.last = sequence;
        if self.received == 0 {
            let in_row = self.follows == Some(sequence);
            self.in_row = if in_row { self.in_row + 1 } else { 0 };
            self.follows = Some(sequence.wrapping_add(1));
            if self.in_row < self.probation {
                return Arrival::Probation;
            }
            self.base = (1 << 16) | u64::from(sequence);
            self.highest = self.base - 1;
            return self.advance(1);
        }
        match step {
            0 => self.duplicate(),
            1..MAX_DROPOUT => self.advance(step),
            _ if step > u16::MAX - MAX_MISORDER => self.step_back(step.wrapping_neg()),
            _ if self.follows == Some(sequence) => {
                *self = Self::new(sequence, 0);
                match self.advance(1) {
                    Arrival::Valid(extended) => Arrival::Restart(extended),
                    other => other,
                }
            }
            _ => {
                self.follows = Some(sequence.wrapping_add(1));
                Arrival::Jump
            }
        }
    }

    /// The highest number so far, with the cycles in the upper 16 bits, as RTCP reports it.
    #[must_use]
    pub const fn highest(&self) -> u32 {
        // The cycle in reserve is not reported.
        (self.highest as u32).wrapping_sub(1 << 16)
    }

    /// The highest number so far, counted on beyond 16 bits as [`Arrival`] has it.
    #[must_use]
    pub const fn extended(&self) -> u64 {
        self.highest
    }

    /// Whether none is valid yet.
    #[must_use]
    pub const fn is_on_probation(&self) -> bool {
        self.received == 0
    }

    /// Whether the last two numbers followed each other, with no [`break_row`](Self::break_row) in between.
    #[must_use]
    pub const fn is_in_row(&self) -> bool {
        self.row > 1
    }

    /// What came until now is not in a row with what comes next.
    pub const fn break_row(&mut self) {
        self.row = 0;
    }

    /// Packets received, with duplicates.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received + self.duplicates
    }

    /// Packets received more than once.
    #[must_use]
    pub const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Packets that should have come and did not; what comes twice does not make up for it.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    /// The share that was lost since the last call, in 256ths (RFC 3550 §A.3).
    pub fn fraction_lost(&mut self) -> u8 {
        let expected = self.expected() - self.expected_before.min(self.expected());
        let received = self.received - self.received_before;
        self.expected_before = self.expected();
        self.received_before = self.received;
        let lost = expected.saturating_sub(received);
        (lost << 8).checked_div(expected).unwrap_or(0).min(255) as u8
    }

    const fn expected(&self) -> u64 {
        if self.received == 0 { 0 } else { self.highest + 1 - self.base }
    }

    fn advance(&mut self, step: u16) -> Arrival {
        self.highest += u64::from(step);
        self.seen = self.seen.checked_shl(step.into()).unwrap_or(0) | 1;
        self.received += 1;
        self.follows = None;
        Arrival::Valid(self.highest)
    }

    fn step_back(&mut self, back: u16) -> Arrival {
        let bit = 1_u64.checked_shl(back.into()).unwrap_or(0);
        if self.seen & bit != 0 {
            return self.duplicate();
        }
        self.seen |= bit;
        self.received += 1;
        let extended = self.highest - u64::from(back);
        self.base = self.base.min(extended);
        Arrival::Valid(extended)
    }

    fn duplicate(&mut self) -> Arrival {
        self.duplicates += 1;
        Arrival::Duplicate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_past_sixteen_bits() {
        let mut tracker = SequenceTracker::new(65_534, 0);
        let first = (1 << 16) + 65_534;
        for (i, sequence) in [65_534, 65_535, 0, 1].into_iter().enumerate() {
            assert_eq!(tracker.receive(sequence), Arrival::Valid(first + i as u64));
        }
        assert_eq!(tracker.highest(), (1 << 16) | 1);
        assert_eq!(tracker.lost(), 0);
    }

    #[test]
    fn loss_reordering_and_duplicates_are_counted_apart() {
        let mut tracker = SequenceTracker::new(10, 0);
        for sequence in [10, 11, 13, 12, 12, 15, 15] {
            tracker.receive(sequence);
        }
        assert_eq!((tracker.received(), tracker.duplicates(), tracker.lost()), (7, 2, 1));
        assert_eq!(tracker.fraction_lost(), 42);
        assert_eq!(tracker.fraction_lost(), 0);
        assert_eq!(tracker.receive(19), Arrival::Valid((1 << 16) + 19));
        assert_eq!(tracker.fraction_lost(), 192);
    }

    #[test]
    fn a_packet_from_before_the_first_is_no_loss() {
        let mut tracker = SequenceTracker::new(0, 0);
        tracker.receive(0);
        assert_eq!(tracker.receive(65_535), Arrival::Valid((1 << 16) - 1));
        assert_eq!((tracker.received(), tracker.lost()), (2, 0));
    }

    #[test]
    fn a_stranger_must_send_some_in_a_row() {
        let mut tracker = SequenceTracker::new(100, 2);
        assert_eq!(tracker.receive(100), Arrival::Probation);
        assert_eq!(tracker.receive(300), Arrival::Probation);
        assert_eq!(tracker.receive(301), Arrival::Probation);
        assert!(matches!(tracker.receive(302), Arrival::Valid(_)));
        assert_eq!(tracker.lost(), 0);
    }

    #[test]
    fn one_wild_number_changes_nothing_and_two_in_a_row_begin_anew() {
        let mut tracker = SequenceTracker::new(1, 0);
        tracker.receive(1);
        assert_eq!(tracker.receive(40_000), Arrival::Jump);
        assert!(matches!(tracker.receive(2), Arrival::Valid(_)));
        assert_eq!(tracker.receive(40_001), Arrival::Jump);
        assert!(matches!(tracker.receive(40_002), Arrival::Restart(_)));
        assert!(matches!(tracker.receive(40_003), Arrival::Valid(_)));
        assert_eq!(tracker.lost(), 0);
    }
}
