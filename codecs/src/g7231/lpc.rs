//! Short-term prediction analysis (§2.4) and the formant perceptual weighting (§2.8).

#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the order and the window")]

use super::filter::{Memory, Samples, Weighting, joined, tail, zeros_and_poles};
use super::ops::{div_32_16, mul_32_16, normalise, shl_round, sum_products};
use super::tables::{HAMMING_WINDOW, LAG_WINDOW, WEIGHT_POLE, WEIGHT_ZERO};
use super::{FRAME, Lpc, ORDER, SUBFRAME, SUBFRAMES};
use crate::fixed::{
    add, deposit_h, l_abs, l_add, l_mac, l_msu, l_shl, l_shr, mult_r, negate, norm_l, round, shl,
};

/// Samples under the analysis window, centred on a subframe.
pub(super) const WINDOW: usize = 180;
/// Samples from before the frame that the analysis of it needs.
pub(super) const PAST: usize = WINDOW - SUBFRAME;

/// Autocorrelation at lags 0 to 10, and its scale: the values are shifted left by `shift`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Autocorrelation {
    pub(super) values: [i16; ORDER + 1],
    pub(super) shift: i16,
}

/// A scale so far to the left that it never decides for a sum of several.
const SHIFT_OF_SILENCE: i16 = 40;

impl Autocorrelation {
    pub(super) const SILENCE: Self = Self { values: [0; ORDER + 1], shift: SHIFT_OF_SILENCE };

    /// That of the 180 samples, windowed in time and in lag.
    fn of(samples: &[i16]) -> Self {
        let mut windowed = [0; WINDOW];
        windowed.copy_from_slice(samples);
        let scale = normalise(&mut windowed);
        for (sample, &weight) in windowed.iter_mut().zip(&HAMMING_WINDOW) {
            *sample = mult_r(*sample, weight);
        }
        // At most 2¹² times the window, whose energy is 71.2: below 2³¹ for every lag and every partial sum.
        let energy = sum_products(&windowed, &windowed);
        let energy = l_add(energy, energy >> 10);
        let shift = norm_l(energy);
        let mut values = [0; ORDER + 1];
        values[0] = shl_round(energy, shift);
        if values[0] == 0 {
            return Self::SILENCE;
        }
        for (i, &weight) in LAG_WINDOW.iter().enumerate() {
            let lag = i + 1;
            let sum = sum_products(&windowed[lag..], &windowed[..WINDOW - lag]);
            values[lag] = round(mul_32_16(l_shl(sum, shift), weight));
        }
        Self { values, shift: add(shift, shl(scale, 1)) }
    }

    /// The predictor that goes with it.
    pub(super) fn predictor(&self) -> Prediction {
        let [energy, ref lags @ ..] = self.values;
        levinson_durbin(lags, energy)
    }
}

/// What the Levinson-Durbin recursion finds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prediction {
    pub(super) lpc: Lpc,
    /// Energy of the residual.
    pub(super) error: i16,
    /// Second reflection coefficient; 1 if the recursion had to stop.
    pub(super) second_reflection: i16,
}

/// Coefficients are Q13; those from an unstable order on are 0.
fn levinson_durbin(lags: &Lpc, energy: i16) -> Prediction {
    let mut lpc = [0; ORDER];
    let mut error = energy;
    let mut second_reflection = 0;
    for order in 0..ORDER {
        let mut sum = l_shr(deposit_h(lags[order]), 2);
        for j in 0..order {
            sum = l_msu(sum, lpc[j], lags[order - 1 - j]);
        }
        let sum = l_shl(sum, 2);
        let wide_error = deposit_h(error);
        if l_abs(sum) >= wide_error {
            second_reflection = i16::MAX;
            break;
        }
        let magnitude = div_32_16(l_abs(sum), error);
        let reflection = if sum >= 0 { negate(magnitude) } else { magnitude };
        if order == 1 {
            second_reflection = reflection;
        }
        error = round(l_add(mul_32_16(sum, reflection), wide_error));
        let before = lpc;
        lpc[order] = round(l_shr(deposit_h(negate(reflection)), 2));
        for j in 0..order {
            lpc[j] = round(l_mac(deposit_h(before[j]), reflection, before[order - 1 - j]));
        }
    }
    Prediction { lpc, error, second_reflection }
}

/// The analysis of a frame: one predictor a subframe, from the frame and the samples before it.
pub(super) struct Analysis {
    pub(super) lpc: [Lpc; SUBFRAMES],
    pub(super) autocorrelation: [Autocorrelation; SUBFRAMES],
    /// Bit n is set if subframe n looks like a sine: its second reflection coefficient is near 1.
    pub(super) sines: [bool; SUBFRAMES],
}

/// Above this the second reflection coefficient tells of a sine.
const SINE: i16 = 0x799a;

impl Analysis {
    pub(super) fn new(samples: &[i16; PAST + FRAME]) -> Self {
        let autocorrelation: [_; SUBFRAMES] =
            core::array::from_fn(|i| Autocorrelation::of(&samples[i * SUBFRAME..][..WINDOW]));
        let predictions = autocorrelation.map(|autocorrelation| autocorrelation.predictor());
        Self {
            lpc: predictions.map(|prediction| prediction.lpc),
            autocorrelation,
            sines: predictions.map(|prediction| prediction.second_reflection > SINE),
        }
    }
}

/// Notices a sine that goes on: the long-term predictor must not build up on it (§2.4).
#[derive(Clone, Debug, Default)]
pub(super) struct SineDetector {
    /// The last fifteen subframes, the newest in bit 0.
    recent: u16,
}

impl SineDetector {
    pub(super) const fn new() -> Self {
        Self { recent: 0 }
    }

    pub(super) fn observe(&mut self, sines: [bool; SUBFRAMES]) {
        for sine in sines {
            self.recent = (self.recent << 1 | u16::from(sine)) & 0x7fff;
        }
    }

    pub(super) const fn is_sine(&self) -> bool {
        self.recent.count_ones() >= 14
    }
}

/// The formant perceptual weighting that goes with a predictor.
pub(super) fn weighting(lpc: &Lpc) -> Weighting {
    let weighted = |weights: &Lpc| core::array::from_fn(|i| mult_r(lpc[i], weights[i]));
    Weighting { zeros: weighted(&WEIGHT_ZERO), poles: weighted(&WEIGHT_POLE) }
}

/// The formant perceptual weighting filter's memory.
#[derive(Clone, Debug)]
pub(super) struct FormantWeighting {
    input: Memory,
    output: Memory,
}

impl FormantWeighting {
    pub(super) const fn new() -> Self {
        Self { input: [0; ORDER], output: [0; ORDER] }
    }

    pub(super) fn run(&mut self, samples: &Samples, weighting: &Weighting) -> Samples {
        let start = samples.map(|sample| i32::from(sample) << 14);
        let all = joined(&self.input, samples);
        let weighted =
            zeros_and_poles(&start, &all, &weighting.zeros, &weighting.poles, &self.output).samples;
        self.input = tail(samples);
        self.output = tail(&weighted);
        weighted
    }
}
