//! Interarrival jitter (RFC 3550 §6.4.1, §A.8).

use sidetone_hal::time::{Duration, Instant};

/// Smoothed difference of the spacing of packets at the receiver and at the sender.
#[derive(Clone, Debug)]
pub struct JitterMeter {
    clock: u32,
    transit: Option<u32>,
    /// In sixteenths of a tick.
    scaled: u32,
    spread: Sums,
}

/// What the jitter of single packets was over some time, in ticks (RFC 3611 §4.6).
pub type JitterSpread = crate::rtcp::Spread<u32>;

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    count: u64,
    sum: u64,
    squares: u64,
    minimum: u32,
    maximum: u32,
}

impl JitterMeter {
    /// A meter for timestamps of `clock` ticks a second.
    #[must_use]
    pub const fn new(clock: u32) -> Self {
        Self { clock, transit: None, scaled: 0, spread: Sums::NONE }
    }

    /// Takes a packet's arrival and timestamp.
    pub fn receive(&mut self, arrival: Instant, timestamp: u32) {
        let ticks = (u128::from(arrival.as_micros()) * u128::from(self.clock) / 1_000_000) as u32;
        let transit = ticks.wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            // A pause of the sender's clock is not jitter: a second at most counts.
            let difference = (transit.wrapping_sub(before) as i32).unsigned_abs().min(self.clock);
            self.scaled = self.scaled + difference - ((self.scaled + 8) >> 4);
            self.spread.add(difference);
        }
    }

    /// Ticks a second.
    #[must_use]
    pub const fn clock(&self) -> u32 {
        self.clock
    }

    /// Timestamps have `clock` ticks a second from now on; what was measured is the same time as before.
    pub fn set_clock(&mut self, clock: u32) {
        if clock != self.clock {
            let scaled = u64::from(self.scaled) * u64::from(clock) / u64::from(self.clock.max(1));
            self.scaled = u32::try_from(scaled).unwrap_or(u32::MAX);
            (self.clock, self.transit, self.spread) = (clock, None, Sums::NONE);
        }
    }

    /// The differences of single packets since the last call.
    pub fn take_spread(&mut self) -> Option<JitterSpread> {
        core::mem::replace(&mut self.spread, Sums::NONE).spread()
    }

    /// In ticks, as RTCP reports it.
    #[must_use]
    pub const fn ticks(&self) -> u32 {
        self.scaled >> 4
    }

    /// In time.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_micros(u64::from(self.scaled) * 62_500 / u64::from(self.clock.max(1)))
    }

    /// The next packet compares with nothing: its source or clock is another.
    pub const fn restart(&mut self) {
        self.transit = None;
    }
}

impl Sums {
    const NONE: Self = Self { count: 0, sum: 0, squares: 0, minimum: u32::MAX, maximum: 0 };

    fn add(&mut self, difference: u32) {
        self.count += 1;
        self.sum = self.sum.saturating_add(difference.into());
        self.squares = self.squares.saturating_add(u64::from(difference).pow(2));
        self.minimum = self.minimum.min(difference);
        self.maximum = self.maximum.max(difference);
    }

    fn spread(self) -> Option<JitterSpread> {
        let mean = self.sum.checked_div(self.count)?;
        let variance = (self.squares / self.count).saturating_sub(mean * mean);
        let (minimum, maximum) = (self.minimum, self.maximum);
        Some(JitterSpread { minimum, maximum, mean: mean as u32, deviation: variance.isqrt() as u32 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_spacing_is_no_jitter_and_uneven_approaches_its_mean_difference() {
        let mut meter = JitterMeter::new(8000);
        for i in 0..100_u32 {
            meter.receive(Instant::from_millis(u64::from(i) * 20), i.wrapping_mul(160).wrapping_sub(1000));
        }
        assert_eq!(meter.ticks(), 0);
        for i in 100..400_u32 {
            let late = u64::from(i % 2) * 10;
            meter.receive(
                Instant::from_millis(u64::from(i) * 20 + late),
                i.wrapping_mul(160).wrapping_sub(1000),
            );
        }
        // Every step differs by 10 ms, 80 ticks.
        assert!((78..=80).contains(&meter.ticks()), "{}", meter.ticks());
        assert!((9_700..=10_000).contains(&meter.duration().as_micros()));
    }

    #[test]
    fn the_spread_is_that_of_the_time_since_it_was_taken() {
        let mut meter = JitterMeter::new(8000);
        assert_eq!(meter.take_spread(), None);
        for (i, late) in [0_u64, 0, 10, 10, 0].into_iter().enumerate() {
            meter.receive(Instant::from_millis(i as u64 * 20 + late), i as u32 * 160);
        }
        let spread = meter.take_spread().unwrap();
        assert_eq!((spread.minimum, spread.maximum, spread.mean, spread.deviation), (0, 80, 40, 40));
        assert_eq!(meter.take_spread(), None);
        let before = meter.duration();
        meter.set_clock(16_000);
        assert!(meter.duration().abs_diff(before) < Duration::from_micros(10));
        // Timestamps past 2³² are no jump.
        let mut meter = JitterMeter::new(8000);
        for i in 0..50_u32 {
            meter.receive(Instant::from_millis(u64::from(i) * 20), (u32::MAX - 3000).wrapping_add(i * 160));
        }
        assert_eq!(meter.ticks(), 0);
    }
}
