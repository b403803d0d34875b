//! How much faster or slower the sender's clock runs than ours.
//!
//! The least transit of every few seconds is a point; the slope of a line through the last of them is the
//! drift. Jitter only makes transits longer, so it hardly touches the least ones; a change of the path breaks
//! the line, which then begins anew. The more the points scatter about the line, the less it is believed.

use sidetone_hal::time::{Duration, Instant};

/// The time whose least transit is one point.
const WINDOW: Duration = Duration::from_secs(4);
/// Points of the line: the last 128 s.
const POINTS: usize = 32;
/// Fewer make no line.
const ENOUGH: usize = 4;
/// A point this far from the line, in microseconds, is another path or another clock.
const BREAK: f32 = 10_000.0;
/// The variance of the slope counts so many times: packets that queue for seconds make points that hang together.
const DOUBT: f32 = 4.0;
/// A clock this far off is no clock of a telephone, in millionths; the standards' worst is 100 at each end.
const MOST: f32 = 1000.0;

/// Measures the drift of the sender's clock from the transits of its packets.
#[derive(Clone, Debug)]
pub struct Drift {
    /// Seconds since `origin` and microseconds above `level`, the oldest first.
    points: [(f32, f32); POINTS],
    count: usize,
    origin: Instant,
    level: i64,
    /// The beginning of this window, and the least transit in it with its time.
    window: Option<(Instant, i64, Instant)>,
    ppm: f32,
}

impl Drift {
    /// Nothing is known.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            points: [(0.0, 0.0); POINTS],
            count: 0,
            origin: Instant::ZERO,
            level: 0,
            window: None,
            ppm: 0.0,
        }
    }

    /// The sender's clock jumped. What was learned of its speed stays until a new line is there.
    pub const fn rebase(&mut self) {
        self.count = 0;
        self.window = None;
    }

    /// Another sender: another clock.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }

    /// Takes the transit of a packet that came now, in microseconds.
    pub fn receive(&mut self, now: Instant, transit: i64) {
        self.window = match self.window {
            None => Some((now, transit, now)),
            Some((began, least, at)) if now - began >= WINDOW => {
                self.point(at, least);
                Some((now, transit, now))
            }
            Some((began, least, _)) if transit <= least => Some((began, transit, now)),
            same => same,
        };
    }

    /// Millionths by which transits grow: the sender's clock is slower than ours by so much.
    #[must_use]
    pub const fn ppm(&self) -> f32 {
        self.ppm
    }

    /// By how much transits have grown in `time`, in microseconds.
    #[must_use]
    pub fn growth(&self, time: Duration) -> f32 {
        self.ppm * time.as_secs_f32()
    }

    fn point(&mut self, at: Instant, transit: i64) {
        if self.count == 0 {
            (self.origin, self.level) = (at, transit);
        }
        let new = ((at - self.origin).as_secs_f32(), (transit - self.level) as f32);
        let predicted = self.last().map(|(x, y)| y + self.ppm * (new.0 - x));
        if predicted.is_some_and(|predicted| (new.1 - predicted).abs() > BREAK) {
            self.count = 0;
            return self.point(at, transit);
        }
        if self.count == POINTS {
            self.points.rotate_left(1);
            self.count -= 1;
        }
        if let Some(slot) = self.points.get_mut(self.count) {
            *slot = new;
            self.count += 1;
        }
        if self.count >= ENOUGH {
            self.ppm = slope(self.known()).clamp(-MOST, MOST);
            // Numbers stay small whatever the length of the call.
            self.move_origin();
        }
    }

    fn known(&self) -> &[(f32, f32)] {
        self.points.get(..self.count).unwrap_or_default()
    }

    fn last(&self) -> Option<(f32, f32)> {
        self.known().last().copied()
    }

    fn move_origin(&mut self) {
        let Some(&(x0, y0)) = self.known().first() else { return };
        // Whole seconds and microseconds, so that nothing is lost by rounding.
        let (seconds, micros) = (x0 as u64, y0 as i64);
        self.origin += Duration::from_secs(seconds);
        self.level += micros;
        for (x, y) in self.points.iter_mut().take(self.count) {
            *x -= seconds as f32;
            *y -= micros as f32;
        }
    }
}

impl Default for Drift {
    fn default() -> Self {
        Self::new()
    }
}

/// The slope of the line with the least squares, as far as it is believed: drawn to zero by its own variance.
fn slope(points: &[(f32, f32)]) -> f32 {
    let count = points.len().max(1) as f32;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f32>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f32>() / count;
    let (mut product, mut square) = (0.0, f32::MIN_POSITIVE);
    for (x, y) in points {
        product += (x - mean_x) * (y - mean_y);
        square += (x - mean_x) * (x - mean_x);
    }
    let slope = product / square;
    let off = |(x, y): &(f32, f32)| (y - mean_y - slope * (x - mean_x)).powi(2);
    let variance = points.iter().map(off).sum::<f32>() / (count - 2.0).max(1.0) / square;
    slope * slope * slope / (slope * slope + DOUBT * variance).max(f32::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_hal::rng::Rng;

    /// Packets every 20 ms for `seconds` from `from`, with a clock off by `ppm`, late by up to `jitter` microseconds,
    /// on a path that takes `path` microseconds.
    fn run(drift: &mut Drift, from: u64, seconds: u64, ppm: i64, jitter: u32, path: i64) {
        let mut rng = Rng::from_u64(from + 1);
        for i in from * 50..(from + seconds) * 50 {
            let sent = i as i64 * 20_000;
            let transit = path + sent * ppm / 1_000_000 + i64::from(rng.below(jitter + 1));
            drift.receive(Instant::from_micros((sent + transit) as u64), transit);
        }
    }

    #[test]
    fn a_clock_is_measured_through_jitter() {
        for (ppm, jitter, within) in [
            (0, 0, 1.0),
            (300, 0, 1.0),
            (-300, 0, 1.0),
            (300, 20_000, 15.0),
            (-300, 60_000, 25.0),
            (0, 60_000, 25.0),
        ] {
            let mut drift = Drift::new();
            run(&mut drift, 0, 120, ppm, jitter, 1_000_000);
            let measured = drift.ppm();
            assert!((measured - ppm as f32).abs() < within, "{ppm} with {jitter}: {measured}");
            assert!((drift.growth(Duration::from_secs(10)) - measured * 10.0).abs() < 0.1);
        }
    }

    #[test]
    fn an_hour_is_as_good_as_a_minute() {
        let mut drift = Drift::new();
        run(&mut drift, 0, 3600, 120, 1000, 5_000_000);
        assert!((drift.ppm() - 120.0).abs() < 2.0, "{}", drift.ppm());
    }

    #[test]
    fn another_path_begins_a_new_line_and_no_drift() {
        let mut drift = Drift::new();
        run(&mut drift, 0, 60, 100, 0, 1_000_000);
        run(&mut drift, 60, 60, 100, 0, 1_080_000);
        assert!((drift.ppm() - 100.0).abs() < 5.0, "{}", drift.ppm());
        drift.rebase();
        assert!((drift.ppm() - 100.0).abs() < 5.0, "the clock is the same");
        drift.reset();
        assert!(drift.ppm() == 0.0);
    }

    #[test]
    fn transits_of_no_clock_at_all_stay_within_bounds() {
        let mut drift = Drift::new();
        let mut rng = Rng::from_u64(5);
        for i in 0..100_000_u64 {
            drift.receive(Instant::from_millis(i * 20), rng.next_u64() as i64 / 4);
            assert!(drift.ppm().abs() <= MOST);
        }
    }
}
