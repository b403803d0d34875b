//! Interarrival jitter (RFC 3550 §6.4.1, §A.8).

use sidetone_hal::time::{Duration, Instant};

/// Smoothed difference of the spacing of packets at the receiver and at the sender.
#[derive(Clone, Debug)]
pub struct JitterMeter {
    clock: u32,
    transit: Option<u32>,
    /// In sixteenths of a tick.
    scaled: u32,
}

impl JitterMeter {
    /// A meter for timestamps of `clock` ticks a second.
    #[must_use]
    pub const fn new(clock: u32) -> Self {
        Self { clock, transit: None, scaled: 0 }
    }

    /// Takes a packet's arrival and timestamp.
    pub fn receive(&mut self, arrival: Instant, timestamp: u32) {
        let ticks = (u128::from(arrival.as_micros()) * u128::from(self.clock) / 1_000_000) as u32;
        let transit = ticks.wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            // A pause of the sender's clock is not jitter: a second at most counts.
            let difference = (transit.wrapping_sub(before) as i32).unsigned_abs().min(self.clock);
            self.scaled = self.scaled + difference - ((self.scaled + 8) >> 4);
        }
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
}
