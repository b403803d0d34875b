//! How long to hold packets back: a histogram of how late they come.
//!
//! A packet's transit is its arrival less its place on the sender's clock. The smallest transit of the last
//! seconds is the base, which follows drift of the clocks and changes of the path; what others have above it
//! is their lateness. The target is what 97 of 100 packets stay within.

use sidetone_hal::time::{Duration, Instant};

/// The resolution of the histogram, in microseconds.
const BIN: i64 = 5_000;
/// Bins: up to 500 ms late; later ones count in the last.
const BINS: usize = 100;
/// One packet's weight while the history is long: 1/256 of all, so the past of 5 s at 20 ms counts.
const FORGET: u32 = 8;
const PACKET: u32 = 1 << 16;
/// The share of packets that may come too late.
const LATE_PERCENT: u32 = 3;
/// The base is the smallest of this and the last stretch of this length.
const WINDOW: Duration = Duration::from_secs(2);
/// Packets until the measured delay is believed to be the least that serves.
const LEARNING: u32 = 20;
/// Held back beyond the histogram: a frame of 10 ms is asked for as a whole, so a packet that begins within
/// it must be there that much before its time.
const MARGIN: i64 = 10_000;

/// The limits of the delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayLimits {
    /// Never less.
    pub min: Duration,
    /// Not less until 20 packets were measured.
    pub initial: Duration,
    /// Never more; what comes later is lost.
    pub max: Duration,
}

impl Default for DelayLimits {
    /// 10, 40 and 200 ms.
    fn default() -> Self {
        Self {
            min: Duration::from_millis(10),
            initial: Duration::from_millis(40),
            max: Duration::from_millis(200),
        }
    }
}

/// Measures lateness and says how much to allow for.
#[derive(Clone, Debug)]
pub struct DelayEstimator {
    limits: DelayLimits,
    weights: [u32; BINS],
    packets: u32,
    /// The transit of bin 0's lower edge, a multiple of [`BIN`].
    origin: i64,
    /// The smallest transit of this window and of the one before.
    smallest: Option<(i64, i64)>,
    window_ends: Instant,
}

impl DelayEstimator {
    /// An estimator that has seen nothing.
    #[must_use]
    pub const fn new(limits: DelayLimits) -> Self {
        Self { limits, weights: [0; BINS], packets: 0, origin: 0, smallest: None, window_ends: Instant::ZERO }
    }

    /// Takes a packet: when it came, and where its first sample is on the sender's clock, in microseconds.
    pub fn receive(&mut self, now: Instant, position: i64) {
        let transit = now.as_micros() as i64 - position;
        self.smallest = Some(match self.smallest {
            None => {
                self.window_ends = now + WINDOW;
                (transit, transit)
            }
            Some((this, _)) if now >= self.window_ends => {
                self.window_ends = now + WINDOW;
                (transit, this)
            }
            Some((this, before)) => (this.min(transit), before),
        });
        self.follow_base();
        let late = ((transit - self.origin) / BIN).clamp(0, BINS as i64 - 1) as usize;
        for (bin, weight) in self.weights.iter_mut().enumerate() {
            *weight = *weight - (*weight >> FORGET) + if bin == late { PACKET } else { 0 };
        }
        self.packets = self.packets.saturating_add(1);
    }

    /// The sender's clock jumped: transits begin anew, what was learned of lateness stays.
    pub const fn rebase(&mut self) {
        self.smallest = None;
    }

    /// The smallest transit, in microseconds; none before the first packet.
    #[must_use]
    pub fn base(&self) -> Option<i64> {
        self.smallest.map(|(this, before)| this.min(before))
    }

    /// How long after the base to play.
    #[must_use]
    pub fn target(&self) -> Duration {
        let total: u32 = self.weights.iter().sum();
        let enough = total / 100 * (100 - LATE_PERCENT);
        let mut sum = 0;
        let bins = self.weights.iter().take_while(|weight| {
            sum += **weight;
            sum < enough
        });
        let edge = self.origin + (bins.count() as i64 + 1) * BIN;
        let late = edge - self.base().unwrap_or(self.origin) + MARGIN;
        let measured = Duration::from_micros(late.max(0) as u64);
        let least = if self.packets < LEARNING { self.limits.initial } else { self.limits.min };
        measured.max(least).min(self.limits.max)
    }

    /// Moves the histogram when the base moved by whole bins.
    fn follow_base(&mut self) {
        let Some(base) = self.base() else { return };
        let origin = base.div_euclid(BIN) * BIN;
        let moved = (origin - self.origin) / BIN;
        self.origin = origin;
        let steps = moved.unsigned_abs() as usize;
        if self.packets == 0 || steps == 0 {
            return;
        }
        if steps >= BINS {
            // Another clock: lateness is what it was.
            return;
        }
        if moved > 0 {
            let front: u32 = self.weights.iter().take(steps + 1).sum();
            self.weights.copy_within(steps.., 0);
            self.weights.iter_mut().rev().take(steps).for_each(|weight| *weight = 0);
            if let Some(first) = self.weights.first_mut() {
                *first = front;
            }
        } else {
            let back: u32 = self.weights.iter().rev().take(steps + 1).sum();
            self.weights.copy_within(..BINS - steps, steps);
            self.weights.iter_mut().take(steps).for_each(|weight| *weight = 0);
            if let Some(last) = self.weights.last_mut() {
                *last = back;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_hal::rng::Rng;

    /// Packets every 20 ms from number `from`, each late by what `late` says in milliseconds.
    fn run(estimator: &mut DelayEstimator, from: i64, count: i64, mut late: impl FnMut(i64) -> u64) {
        for i in from..from + count {
            let at = Instant::from_millis(i as u64 * 20 + 1000 + late(i));
            estimator.receive(at, i * 20_000);
        }
    }

    #[test]
    fn even_packets_are_held_back_by_the_least() {
        let mut estimator = DelayEstimator::new(DelayLimits::default());
        run(&mut estimator, 0, 10, |_| 0);
        assert_eq!(estimator.target(), Duration::from_millis(40));
        run(&mut estimator, 10, 90, |_| 0);
        assert_eq!((estimator.target(), estimator.base()), (Duration::from_millis(15), Some(1_000_000)));
    }

    #[test]
    fn jitter_is_allowed_for_and_forgotten() {
        let mut estimator = DelayEstimator::new(DelayLimits::default());
        let mut rng = Rng::from_u64(1);
        run(&mut estimator, 0, 500, |_| u64::from(rng.below(40)));
        let target = estimator.target().as_millis();
        assert!((43..=55).contains(&target), "{target} ms");
        run(&mut estimator, 500, 1500, |_| 0);
        assert_eq!(estimator.target(), Duration::from_millis(15));
    }

    #[test]
    fn a_few_late_packets_are_given_up_and_ten_are_not() {
        let mut estimator = DelayEstimator::new(DelayLimits::default());
        run(&mut estimator, 0, 400, |i| if i % 100 == 7 { 150 } else { 0 });
        assert!(estimator.target() <= Duration::from_millis(20));
        run(&mut estimator, 400, 12, |_| 80);
        assert!(estimator.target() >= Duration::from_millis(80), "{:?}", estimator.target());
        run(&mut estimator, 412, 100, |i| if i % 2 == 0 { 400 } else { 0 });
        assert_eq!(estimator.target(), Duration::from_millis(200));
    }

    #[test]
    fn a_longer_path_becomes_the_new_base() {
        let mut estimator = DelayEstimator::new(DelayLimits::default());
        run(&mut estimator, 0, 300, |_| 0);
        run(&mut estimator, 300, 250, |_| 60);
        assert_eq!(estimator.base(), Some(1_060_000));
        assert_eq!(estimator.target(), Duration::from_millis(15));
        run(&mut estimator, 550, 50, |_| 0);
        assert_eq!(estimator.base(), Some(1_000_000));
        run(&mut estimator, 600, 1, |_| 3_000_000);
        assert!(estimator.target() <= Duration::from_millis(200));
    }
}
