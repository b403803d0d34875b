//! Voice activity detection (Annex A).

#![expect(
    clippy::indexing_slicing,
    reason = "fixed arrays, indices bounded by the frame and the scale table"
)]

use super::filter::residual;
use super::ops::{energy, mac_saturating, mul_32_16};
use super::{FRAME, Lag, Lpc, ORDER, PITCH_MAX, SUBFRAME, SUBFRAMES};
use crate::fixed::{deposit_h, extract_h, l_add, l_mac, l_msu, l_mult, l_shl, norm_l};

/// Thresholds over the noise level, by its logarithm.
const FACTORS: [i16; 11] = [9170, 9170, 9170, 9170, 10_289, 11_544, 12_953, 14_533, 16_306, 18_296, 20_529];
const LEAST_NOISE: i32 = 0x80;
const MOST_NOISE: i32 = 0x1_ffff;

/// Tells speech from noise by the energy behind a predictor of the noise.
#[derive(Clone, Debug)]
pub(super) struct Vad {
    /// Frames that still count as speech after it ended.
    hangover: i16,
    /// Frames of speech in a row, 3 at most.
    burst: i16,
    previous_energy: i32,
    noise_level: i32,
    /// While above 0, the signal is voiced or a sine, and the noise is not learnt.
    adaptation_off: i16,
    /// Open-loop lags of the last two frames.
    lags: [Lag; SUBFRAMES],
    /// Predictor of the noise, from the last silence descriptor.
    noise_lpc: Lpc,
}

impl Vad {
    pub(super) const fn new() -> Self {
        Self {
            hangover: 3,
            burst: 0,
            previous_energy: 0x400,
            noise_level: 0x400,
            adaptation_off: 0,
            lags: [1, 1, SUBFRAME as Lag, SUBFRAME as Lag],
            noise_lpc: [0; ORDER],
        }
    }

    /// The open-loop lags of the frame that was judged last.
    pub(super) fn learn_lags(&mut self, lags: [Lag; 2]) {
        let [_, _, a, b] = self.lags;
        self.lags = [a, b, lags[0], lags[1]];
    }

    /// The predictor of the noise, unless the signal was voiced.
    pub(super) fn learn_noise(&mut self, lpc: &Lpc) {
        if self.adaptation_off == 0 {
            self.noise_lpc = *lpc;
        }
    }

    /// Whether a frame has speech in it.
    pub(super) fn is_speech(&mut self, frame: &[i16; FRAME], sine: bool) -> bool {
        let voiced = self.is_pitch_steady();
        self.adaptation_off =
            if voiced || sine { self.adaptation_off + 2 } else { self.adaptation_off - 1 }.clamp(0, 6);
        let energy = self.residual_energy(frame);
        self.update_noise_level();
        self.previous_energy = energy;
        let active = self.threshold() <= energy;
        self.smooth(active)
    }

    /// Whether all four lags are near multiples of the least.
    fn is_pitch_steady(&self) -> bool {
        let least = self.lags.iter().fold(PITCH_MAX as i32, |least, &lag| least.min(i32::from(lag)));
        let near = self
            .lags
            .iter()
            .map(|&lag| (1..=8).filter(|multiple| (multiple * least - i32::from(lag)).abs() <= 3).count())
            .sum::<usize>();
        near == SUBFRAMES
    }

    /// Energy of the last three subframes behind the predictor of the noise.
    fn residual_energy(&self, frame: &[i16; FRAME]) -> i32 {
        let mut rest = [0; FRAME - SUBFRAME];
        for (i, part) in rest.chunks_exact_mut(SUBFRAME).enumerate() {
            let mut samples = [0; ORDER + SUBFRAME];
            samples.copy_from_slice(&frame[(i + 1) * SUBFRAME - ORDER..][..ORDER + SUBFRAME]);
            part.copy_from_slice(&residual(&samples, &self.noise_lpc));
        }
        let exact = energy(&rest);
        let sum = if exact < 1 << 30 { 2 * exact as i32 } else { mac_saturating(&rest, &rest) };
        mul_32_16(sum, 2913)
    }

    fn update_noise_level(&mut self) {
        if self.noise_level > self.previous_energy {
            let kept = self.previous_energy - (self.previous_energy >> 2);
            self.noise_level = l_add(kept, self.noise_level >> 2);
        }
        self.noise_level +=
            if self.adaptation_off == 0 { self.noise_level >> 5 } else { -(self.noise_level >> 11) };
        self.noise_level = self.noise_level.clamp(LEAST_NOISE, MOST_NOISE);
    }

    /// The energy from which on it is speech.
    fn threshold(&self) -> i32 {
        let wide = l_shl(self.noise_level, 13);
        let exponent = norm_l(wide);
        // The level has 8 to 17 bits, so the exponent is 1 to 10.
        let index = (exponent as usize).clamp(1, FACTORS.len() - 1);
        let fraction = extract_h((l_shl(wide, exponent) & 0x3f00_0000) << 1);
        let from = l_mac(deposit_h(FACTORS[index]), fraction, FACTORS[index - 1]);
        let factor = extract_h(l_msu(from, fraction, FACTORS[index]));
        l_mult((self.noise_level >> 2) as i16, factor) >> 11
    }

    /// Bursts of two frames and more have a hangover of six.
    fn smooth(&mut self, active: bool) -> bool {
        if active {
            self.burst += 1;
            self.hangover = self.hangover.saturating_add(1);
        } else {
            self.burst = (self.burst - 1).max(0);
        }
        if self.burst >= 2 {
            self.hangover = 6;
            self.burst = self.burst.min(3);
        }
        if self.hangover == 0 {
            return active;
        }
        if self.burst == 0 {
            self.hangover -= 1;
        }
        true
    }
}
