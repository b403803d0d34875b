//! A fixed ratio between two rates.

use super::RATE_RANGE;
use super::filter::{BLOCK, Phases, dot, sample};
use core::time::Duration;

/// Taps for each sample of the lower of the two rates.
const TAPS: usize = 48;
/// Where the filter is 6 dB down, in parts of the lower rate's half. Up to 0.85 of it, 3400 Hz of 8 kHz, it is flat.
const CUTOFF: f64 = 0.92;
/// What is above the lower rate's half is this much down, in decibel.
const ATTENUATION: f64 = 66.0;
/// The most coefficients of a filter: 2 MiB of them. The rates of telephony need less than 600.
const MAX_COEFFICIENTS: usize = 1 << 20;

/// Two rates that cannot be changed into each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// A rate is outside of [`RATE_RANGE`].
    #[error("{0} samples a second: expected {low} to {high}", low = RATE_RANGE.0, high = RATE_RANGE.1)]
    Rate(u32),
    /// The rates have too little in common.
    #[error("from {0} to {1} samples a second: the filter for this ratio would not fit")]
    Ratio(u32, u32),
}

/// Changes the sample rate by a fixed ratio.
///
/// Flat within 0.1 dB up to 0.85 of the lower rate's half (3400 Hz between 8 and 16 kHz, 6800 Hz between 16 and 48 kHz);
/// what would be mirrored is at least 60 dB down. The delay is the same for all frequencies: 24 samples of the lower
/// rate, 3 ms at 8 kHz and 1.5 ms at 16 kHz ([`Resampler::delay`]).
///
/// ```
/// use sidetone_media::resample::Resampler;
/// let mut down = Resampler::new(48_000, 16_000)?;
/// let mut frame = [0; 160];
/// assert_eq!(down.process(&[1000; 480], &mut frame), 160);
/// assert_eq!(frame[159], 1000);
/// # Ok::<(), sidetone_media::resample::RateError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Resampler {
    from: u32,
    to: u32,
    /// The ratio in lowest terms: `up` samples come out for `down` that go in.
    up: usize,
    down: usize,
    phases: Phases,
    /// The `taps - 1` samples before the next one, and room for a chunk behind them.
    history: Vec<i16>,
    chunk: usize,
    /// The phase of the next sample to come out.
    phase: usize,
    /// Input samples to go until the next one comes out.
    skip: usize,
}

impl Resampler {
    /// From `from` samples a second to `to`.
    ///
    /// # Errors
    /// [`RateError`]: never for two rates of [`RATES`](super::RATES), nor for those of sound files (11 025, 22 050,
    /// 44 100, 96 000).
    pub fn new(from: u32, to: u32) -> Result<Self, RateError> {
        for rate in [from, to] {
            if !(RATE_RANGE.0..=RATE_RANGE.1).contains(&rate) {
                return Err(RateError::Rate(rate));
            }
        }
        let common = gcd(from, to);
        let (up, down) = ((to / common) as usize, (from / common) as usize);
        let taps = (TAPS * down.max(up)).div_ceil(up).next_multiple_of(BLOCK);
        if taps * up > MAX_COEFFICIENTS {
            return Err(RateError::Ratio(from, to));
        }
        let cutoff = CUTOFF * f64::from(to.min(from)) / f64::from(from);
        // Equal rates copy.
        let phases = if up == down {
            Phases::new(1, 0, 1, 1.0, ATTENUATION)
        } else {
            Phases::new(up, up, taps, cutoff, ATTENUATION)
        };
        let chunk = (from / 100).max(1) as usize;
        let kept = phases.taps - 1;
        let mut history = Vec::with_capacity(kept + chunk);
        history.resize(kept, 0);
        Ok(Self { from, to, up, down, phases, history, chunk, phase: 0, skip: 0 })
    }

    /// Samples a second that go in.
    #[must_use]
    pub const fn input_rate(&self) -> u32 {
        self.from
    }

    /// Samples a second that come out.
    #[must_use]
    pub const fn output_rate(&self) -> u32 {
        self.to
    }

    /// The ratio in lowest terms: so many samples come out for so many that go in.
    #[must_use]
    pub const fn ratio(&self) -> (usize, usize) {
        (self.up, self.down)
    }

    /// Whether samples pass as they are.
    #[must_use]
    pub const fn is_identity(&self) -> bool {
        self.up == self.down
    }

    /// How much later sound comes out than it went in.
    #[must_use]
    pub fn delay(&self) -> Duration {
        if self.is_identity() {
            return Duration::ZERO;
        }
        let halves = (self.phases.taps * self.up - 1) as u64;
        Duration::from_nanos(halves * 500_000_000 / (u64::from(self.from) * self.up as u64))
    }

    /// How many samples come out when `input` more go in. For whole frames of 10 ms this is always the same.
    #[must_use]
    pub const fn output_len(&self, input: usize) -> usize {
        if self.is_identity() {
            return input;
        }
        // The n-th output from here lies `skip + (phase + n * down) / up` samples ahead.
        match input.checked_sub(self.skip) {
            None | Some(0) => 0,
            Some(rest) => (rest * self.up - self.phase).div_ceil(self.down),
        }
    }

    /// Takes `input`, and writes what comes of it to the start of `out`; returns how many samples that are. `out` holds
    /// at least [`output_len`](Self::output_len) of them, or the rest is lost.
    pub fn process(&mut self, input: &[i16], out: &mut [i16]) -> usize {
        if self.is_identity() {
            out.iter_mut().zip(input).for_each(|(out, sample)| *out = *sample);
            return input.len().min(out.len());
        }
        let mut out = out.iter_mut();
        let mut written = 0;
        for chunk in input.chunks(self.chunk) {
            self.history.extend_from_slice(chunk);
            while self.skip < chunk.len() {
                let window = self.history.get(self.skip..self.skip + self.phases.taps).unwrap_or_default();
                let made = sample(dot(window, self.phases.row(self.phase)));
                if let Some(out) = out.next() {
                    *out = made;
                    written += 1;
                }
                self.phase += self.down;
                self.skip += self.phase / self.up;
                self.phase %= self.up;
            }
            self.skip -= chunk.len();
            self.history.copy_within(chunk.len().., 0);
            self.history.truncate(self.phases.taps - 1);
        }
        written
    }

    /// Forgets what went in: silence before the next sample.
    pub fn reset(&mut self) {
        self.history.fill(0);
        (self.phase, self.skip) = (0, 0);
    }
}

const fn gcd(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
