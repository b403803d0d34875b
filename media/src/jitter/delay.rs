//! How long to hold packets back: a histogram of how late they come.
//!
//! A packet's transit is its arrival less its place on the sender's clock. The smallest transit of the last
//! seconds, corrected by the drift of the clocks, is the base; what others have above it is their lateness.
//! The target weighs delay against loss: it is the delay at which a little more would cost more than the
//! packets that it saves are worth.

use super::limits::DelayLimits;
use super::{Drift, MOST_DELAY};
use sidetone_hal::time::{Duration, Instant};

/// The resolution of the histogram, in microseconds.
const BIN: i64 = 1_000;
/// Bins: up to 500 ms late; later ones count in the last.
const BINS: usize = (MOST_DELAY.as_micros() as i64 / BIN) as usize;
/// One packet's weight while the history is long: 1/256 of all, so the past of 5 s at 20 ms counts.
const FORGET: u32 = 8;
/// The weight of the first packet, and the most of one before all are scaled down.
const WEIGHT: (u64, u64) = (1 << 16, 1 << 48);
/// What all speech is worth, in microseconds of delay: to save 1 % of it, 50 ms are added. By the E-model
/// (G.107) 1 % of G.711 is worth 150 ms while the whole delay is small, but people interrupt each other
/// before the model says so.
const WORTH: f32 = 5_000_000.0;
/// The base is the smallest of this and the last stretch of this length.
const WINDOW: Duration = Duration::from_secs(2);
/// Packets until the measured delay is believed to be the least that serves.
const LEARNING: u32 = 20;

/// Measures lateness and says how much to allow for.
#[derive(Clone, Debug)]
pub struct DelayEstimator {
    limits: DelayLimits,
    drift: Drift,
    weights: [u64; BINS],
    /// The weight of the next packet: it grows instead of all others shrinking.
    weight: u64,
    total: u64,
    packets: u32,
    /// The transit of bin 0's lower edge, a multiple of [`BIN`].
    origin: i64,
    /// The smallest corrected transit of this window and of the one before.
    smallest: Option<(i64, i64)>,
    window_ends: Instant,
    /// What drift added to transits so far, in nanoseconds, and when that was.
    drifted: i64,
    latest: Instant,
    target: Duration,
}

impl DelayEstimator {
    /// An estimator that has seen nothing.
    #[must_use]
    pub fn new(limits: DelayLimits) -> Self {
        Self {
            limits,
            drift: Drift::new(),
            weights: [0; BINS],
            weight: WEIGHT.0,
            total: 0,
            packets: 0,
            origin: 0,
            smallest: None,
            window_ends: Instant::ZERO,
            drifted: 0,
            latest: Instant::ZERO,
            target: limits.first(),
        }
    }

    /// Other limits; what was learned stays.
    pub fn set_limits(&mut self, limits: DelayLimits) {
        self.limits = limits;
        self.target = self.wanted();
    }

    /// Takes a packet: when it came, and where its first sample is on the sender's clock, in microseconds.
    pub fn receive(&mut self, now: Instant, position: i64) {
        let transit = (now.as_micros() as i64).saturating_sub(position);
        self.drift.receive(now, transit);
        self.drifted = self.drifted_at(now);
        self.latest = now;
        let transit = transit - self.drifted / 1000;
        self.smallest = Some(match self.smallest {
            Some((this, before)) if now < self.window_ends => (this.min(transit), before),
            // After a long silence both windows are stale.
            Some((this, _)) if now < self.window_ends + WINDOW => (transit, this),
            _ => (transit, transit),
        });
        if now >= self.window_ends || self.packets == 0 {
            self.window_ends = now + WINDOW;
        }
        self.follow_base();
        self.count(transit);
        self.packets = self.packets.saturating_add(1);
        self.target = self.wanted();
    }

    /// Takes a copy of a packet that did not come by itself (RFC 2198): what it is worth to wait for such.
    pub fn receive_copy(&mut self, now: Instant, position: i64) {
        if self.smallest.is_some() {
            let transit = (now.as_micros() as i64).saturating_sub(position);
            self.count(transit - self.drifted_at(now) / 1000);
            self.target = self.wanted();
        }
    }

    /// The sender's clock jumped: transits begin anew, what was learned of lateness stays.
    pub const fn rebase(&mut self) {
        self.smallest = None;
        self.window_ends = Instant::ZERO;
        self.drift.rebase();
        self.drifted = 0;
    }

    /// Another sender: its clock is unknown, what was learned of lateness stays.
    pub const fn reset_clock(&mut self) {
        self.rebase();
        self.drift.reset();
    }

    /// The smallest transit as it is now, in microseconds; none before the first packet.
    #[must_use]
    pub fn base(&self, now: Instant) -> Option<i64> {
        self.smallest.map(|(this, before)| this.min(before) + self.drifted_at(now) / 1000)
    }

    /// How much later than the base packets may come.
    #[must_use]
    pub const fn target(&self) -> Duration {
        self.target
    }

    /// The drift of the sender's clock against ours, in millionths; above zero if the sender's is slower.
    #[must_use]
    pub const fn drift_ppm(&self) -> f32 {
        self.drift.ppm()
    }

    fn drifted_at(&self, now: Instant) -> i64 {
        self.drifted + (self.drift.growth(now - self.latest) * 1000.0) as i64
    }

    fn count(&mut self, transit: i64) {
        let late = (transit.saturating_sub(self.origin) / BIN).clamp(0, BINS as i64 - 1) as usize;
        if let Some(bin) = self.weights.get_mut(late) {
            *bin += self.weight;
            self.total += self.weight;
        }
        self.weight += self.weight >> FORGET;
        if self.weight > WEIGHT.1 {
            let scale = WEIGHT.1 / WEIGHT.0;
            self.weight /= scale;
            self.weights.iter_mut().for_each(|bin| *bin /= scale);
            self.total = self.weights.iter().sum();
        }
    }

    fn wanted(&self) -> Duration {
        let measured = self.measured();
        match self.packets {
            0 => self.limits.first(),
            1..LEARNING => self.limits.within(measured.max(self.limits.first())),
            _ => self.limits.within(measured),
        }
    }

    /// The delay that costs least.
    fn measured(&self) -> Duration {
        let all = self.total.max(1) as f32;
        let mut later = self.total;
        let mut best = (f32::MAX, 0);
        for (weight, edge) in self.weights.iter().zip(1..) {
            let delay = edge * BIN;
            if delay as f32 >= best.0 {
                break;
            }
            later -= weight;
            let cost = later as f32 / all * WORTH + delay as f32;
            if cost < best.0 {
                best = (cost, delay);
            }
        }
        let base = self.smallest.map_or(self.origin, |(this, before)| this.min(before));
        let late = best.1 + self.origin - base;
        Duration::from_micros(late.max(0) as u64)
    }

    /// Moves the histogram when the base moved by whole bins.
    fn follow_base(&mut self) {
        let Some((this, before)) = self.smallest else { return };
        let origin = this.min(before).div_euclid(BIN) * BIN;
        let moved = origin.saturating_sub(self.origin) / BIN;
        self.origin = origin;
        let steps = moved.unsigned_abs() as usize;
        if steps == 0 || steps >= BINS {
            // Where they were, or another clock: then lateness is what it was.
            return;
        }
        if moved > 0 {
            let front: u64 = self.weights.iter().take(steps + 1).sum();
            self.weights.copy_within(steps.., 0);
            self.weights.iter_mut().rev().take(steps).for_each(|weight| *weight = 0);
            if let Some(first) = self.weights.first_mut() {
                *first = front;
            }
        } else {
            let back: u64 = self.weights.iter().rev().take(steps + 1).sum();
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

    fn base(estimator: &DelayEstimator) -> Option<i64> {
        estimator.base(estimator.latest)
    }

    #[test]
    fn even_packets_are_held_back_by_the_least() {
        let mut estimator = DelayEstimator::new(DelayLimits::default());
        run(&mut estimator, 0, 10, |_| 0);
        assert_eq!(estimator.target(), Duration::from_millis(40));
        run(&mut estimator, 10, 90, |_| 0);
        assert_eq!((estimator.target(), base(&estimator)), (Duration::from_millis(1), Some(1_000_000)));
    }

    #[test]
    fn jitter_is_allowed_for_and_forgotten() {
        let mut estimator = DelayEstimator::new(DelayLimits::default());
        let mut rng = Rng::from_u64(1);
        run(&mut estimator, 0, 500, |_| u64::from(rng.below(40)));
        let target = estimator.target().as_millis();
        assert!((39..=43).contains(&target), "{target} ms");
        run(&mut estimator, 500, 2000, |_| 0);
        assert_eq!(estimator.target(), Duration::from_millis(1));
    }

    #[test]
    fn a_few_late_packets_are_given_up_and_ten_are_not() {
        let mut estimator = DelayEstimator::new(DelayLimits::default());
        run(&mut estimator, 0, 400, |i| if i % 100 == 7 { 150 } else { 0 });
        assert!(estimator.target() <= Duration::from_millis(10));
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
        assert_eq!(base(&estimator), Some(1_060_000));
        assert_eq!(estimator.target(), Duration::from_millis(1));
        run(&mut estimator, 550, 50, |_| 0);
        assert_eq!(base(&estimator), Some(1_000_000));
        run(&mut estimator, 600, 1, |_| 3_000_000);
        assert!(estimator.target() <= Duration::from_millis(200));
    }

    #[test]
    fn drift_moves_the_base_and_not_the_target() {
        for ppm in [-300, 300] {
            let mut estimator = DelayEstimator::new(DelayLimits::default());
            for i in 0..50 * 600_i64 {
                let at = 5_000_000 + i * 20_000 + i * 20_000 * ppm / 1_000_000;
                estimator.receive(Instant::from_micros(at as u64), i * 20_000);
                let transit = at - i * 20_000;
                assert!((base(&estimator).unwrap() - transit).abs() <= 1300, "{ppm}: {i}");
                if i > 50 * 60 {
                    // Once it is known, the drift is foreseen, also while nothing comes.
                    let later = Instant::from_micros(at as u64) + Duration::from_secs(20);
                    let foreseen = estimator.base(later).unwrap() - transit;
                    assert!((foreseen - 20 * ppm).abs() < 300, "{ppm}: {i}: {foreseen}");
                    assert!(
                        estimator.target() <= Duration::from_millis(4),
                        "{ppm}: {i}: {:?}",
                        estimator.target()
                    );
                }
            }
            assert!((estimator.drift_ppm() - ppm as f32).abs() < 1.0);
        }
    }

    #[test]
    fn limits_hold_and_a_fixed_delay_stays() {
        let ms = Duration::from_millis;
        let mut fixed = DelayEstimator::new(DelayLimits::fixed(ms(120)).unwrap());
        let mut rng = Rng::from_u64(2);
        for i in 0..1000 {
            assert_eq!(fixed.target(), ms(120));
            run(&mut fixed, i, 1, |_| u64::from(rng.below(300)));
        }
        fixed.set_limits(DelayLimits::adaptive(ms(20), ms(40), ms(90)).unwrap());
        assert_eq!(fixed.target(), ms(90));
        run(&mut fixed, 1000, 5000, |_| 0);
        assert_eq!(fixed.target(), ms(20));
    }
}
