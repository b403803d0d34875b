//! The power of the background noise in each bin.
//!
//! An average that follows a bin as far as it is likely to hold no speech: Gerkmann and Hendriks, "Unbiased MMSE-based
//! noise power estimation with low complexity and low tracking delay", IEEE Transactions on Audio, Speech and Language
//! Processing 20 (2012).
#![expect(
    clippy::indexing_slicing,
    clippy::needless_range_loop,
    reason = "lengths are set by `new` and every loop is bounded by them"
)]

/// The signal-to-noise ratio that speech is expected to have where there is some: 15 dB.
const EXPECTED: f32 = 31.6;
/// How much of the estimate of a frame enters the average.
const RATE: f32 = 0.15;
/// How much is learnt of what is less than the noise while there is an echo.
const ECHO_RATE: f32 = 0.005;
/// The share below which the smoothed power of noise hardly ever is, and how fast the estimate falls then.
const FAR_LESS: f32 = 0.15;
const FALL: f32 = 0.1;
/// How fast the probability of speech is averaged, and where it is held so that a rise of the noise is found.
const PRESENCE_RATE: f32 = 0.08;
const PRESENCE_LIMIT: f32 = 0.99;
/// What of a bin's power is looked at, as a multiple of the noise: so noise does not grow by what is surely speech.
const MOST: f32 = 4.0;
/// Frames at the start that are averaged as they come.
const START: u32 = 10;
/// How fast the power is smoothed whose least value is a lower bound, frames of half of the time that it is the least
/// of (1.5 s; speech has gaps in each bin within that), and by how much the least is below the mean of noise.
const SMOOTH: f32 = 0.4;
const HALF: u32 = 150;
const BIAS: f32 = 2.5;

/// Noise power a bin, and how likely speech is.
#[derive(Clone, Debug)]
pub(super) struct NoiseFloor {
    power: Vec<f32>,
    presence: Vec<f32>,
    smooth: Vec<f32>,
    /// The least of this half of the time, and of that before.
    least: Vec<f32>,
    least_before: Vec<f32>,
    frames: u32,
    half: u32,
}

impl NoiseFloor {
    pub(super) fn new(bins: usize) -> Self {
        let zeros = || vec![0.0; bins];
        Self {
            power: zeros(),
            presence: zeros(),
            smooth: zeros(),
            least: zeros(),
            least_before: zeros(),
            frames: 0,
            half: 0,
        }
    }

    pub(super) fn reset(&mut self) {
        for values in
            [&mut self.power, &mut self.presence, &mut self.smooth, &mut self.least, &mut self.least_before]
        {
            values.fill(0.0);
        }
        self.frames = 0;
        self.half = 0;
    }

    /// Noise power of each bin.
    pub(super) fn power(&self) -> &[f32] {
        &self.power
    }

    /// Learns from a frame's power in each bin. While there is an echo little is learnt, and only downwards: it adds to
    /// the noise, and who speaks at the same time does too.
    pub(super) fn learn(&mut self, power: &[f32], echo: bool) {
        if echo {
            for ((noise, smooth), power) in self.power.iter_mut().zip(&mut self.smooth).zip(power) {
                *smooth += SMOOTH * (power - *smooth);
                let far_less = *smooth < FAR_LESS * *noise;
                *noise += if far_less { FALL } else { ECHO_RATE } * (power - *noise).min(0.0);
            }
            return;
        }
        if self.frames < START {
            self.start(power);
            return;
        }
        self.half += 1;
        let turn = self.half == HALF;
        if turn {
            self.half = 0;
        }
        for k in 0..self.power.len() {
            let noise = self.power[k].max(LEAST);
            if turn {
                self.least_before[k] = self.least[k];
                self.least[k] = self.smooth[k];
            }
            self.smooth[k] += SMOOTH * (power[k] - self.smooth[k]);
            self.least[k] = self.least[k].min(self.smooth[k]);
            let excess = (power[k] / noise).min(1000.0);
            let mut likely =
                1.0 / (1.0 + (1.0 + EXPECTED) * fast_exp(-excess * (EXPECTED / (1.0 + EXPECTED))));
            self.presence[k] += PRESENCE_RATE * (likely - self.presence[k]);
            if self.presence[k] > PRESENCE_LIMIT {
                likely = likely.min(PRESENCE_LIMIT);
            }
            let learnt = noise + RATE * (1.0 - likely) * (power[k].min(MOST * noise) - noise);
            self.power[k] = learnt.max(BIAS * self.least[k].min(self.least_before[k]));
        }
    }

    /// The first frames.
    fn start(&mut self, power: &[f32]) {
        self.frames += 1;
        let share = 1.0 / self.frames as f32;
        for (noise, power) in self.power.iter_mut().zip(power) {
            *noise += share * (power - *noise);
        }
        for values in [&mut self.smooth, &mut self.least, &mut self.least_before] {
            values.copy_from_slice(&self.power);
        }
    }
}

/// A power below that of one LSB in a bin.
pub(super) const LEAST: f32 = 1.0;

/// `exp(x)` for `x` up to 0, within 0.1 %, and 0 below -80; one polynomial instead of a call for each bin.
fn fast_exp(x: f32) -> f32 {
    let octaves = (x * core::f32::consts::LOG2_E).max(-116.0);
    let whole = octaves.floor();
    let part = octaves - whole;
    let mantissa = 1.0 + part * (0.695_976 + part * (0.224_94 + part * 0.079_086));
    mantissa * f32::from_bits((((whole as i32) + 127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_close() {
        for step in 0..800 {
            let x = -0.1 * step as f32;
            let error = (fast_exp(x) / x.exp() - 1.0).abs();
            assert!(error < 1e-3, "{x}: {error}");
        }
    }
}
