//! How many new requests a second are taken: a bucket that fills with time.

use core::time::Duration;
use sidetone_hal::time::Instant;

/// Takes so many a second, and a burst of as many at once.
pub(super) struct Rate {
    /// Between two, when they come evenly.
    interval: Duration,
    /// When the bucket is full again. It is empty when that is a second or more away.
    full: Instant,
}

impl Rate {
    pub(super) fn new(per_second: u32) -> Self {
        let interval = Duration::from_secs(1).checked_div(per_second).unwrap_or(Duration::MAX);
        Self { interval, full: Instant::ZERO }
    }

    /// Whether one more may come now; it is counted if so.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let next = self.full.max(now) + self.interval;
        let room = next.saturating_since(now) <= Duration::from_secs(1);
        if room {
            self.full = next;
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_one_second_is_taken_and_then_the_rate() {
        let mut rate = Rate::new(10);
        let at = Instant::from_millis;
        assert_eq!((0..50).filter(|_| rate.take(at(5000))).count(), 10);
        assert_eq!((0..50).filter(|_| rate.take(at(5250))).count(), 2);
        assert_eq!((5300..6300).filter(|now| rate.take(at(*now))).count(), 10);
        assert_eq!((0..50).filter(|_| rate.take(at(99_000))).count(), 10);
        assert!(!Rate::new(0).take(at(99_000)));
    }
}
