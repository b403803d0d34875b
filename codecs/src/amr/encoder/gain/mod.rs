//! Quantisation of the gains of past excitation and innovation (3GPP TS 26.090 §5.8): each mode has its own way.
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the tables")]

mod adaptive;
mod joint;
mod pairs;
mod scalar;

use super::super::gain::{GainPredictor, Prediction};
use super::super::{Mode, SUBFRAME};
use super::codebook::{Innovation, Parameters};
use super::operators::{dot, mac_all, norm32, peak, shl32, shr32};
use super::pitch_gain::{Float, PitchGain};
use crate::fixed::{div_s, l_extract, mpy_32_16, negate};
pub(super) use adaptive::Adaptation;
pub(super) use pairs::FirstOfPair;
pub(super) use scalar::limited_pitch;

/// What the two codebooks of a subframe found.
pub(super) struct Subframe<'a> {
    /// The target, and what the pitch's part leaves of it.
    pub(super) target: &'a [i16; SUBFRAME],
    pub(super) rest: &'a [i16; SUBFRAME],
    /// The speech's residual, and the past excitation at the lag.
    pub(super) residual: &'a [i16; SUBFRAME],
    pub(super) adaptive: &'a [i16; SUBFRAME],
    pub(super) adaptive_filtered: &'a [i16; SUBFRAME],
    pub(super) innovation: &'a Innovation,
    pub(super) pitch: PitchGain,
    /// The most pitch gain, Q14.
    pub(super) limit: i16,
}

/// Gains as the decoder will have them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gains {
    /// Q14.
    pub(super) pitch: i16,
    /// Q1.
    pub(super) code: i16,
}

/// The quantisers' memory.
#[derive(Clone, Debug)]
pub(super) struct Quantizer {
    pub(super) predictor: GainPredictor,
    adaptation: Adaptation,
}

impl Quantizer {
    pub(super) const fn new() -> Self {
        Self { predictor: GainPredictor::new(), adaptation: Adaptation::new() }
    }

    /// Quantises the gains of a subframe of any mode but 4.75. The pitch gain of mode 12.2 already is.
    pub(super) fn quantize(
        &mut self,
        mode: Mode,
        subframe: &Subframe<'_>,
        pitch: i16,
        parameters: &mut Parameters,
    ) -> Gains {
        let prediction = self.predictor.predict(mode, &subframe.innovation.code);
        let (gains, update) = match mode {
            Mode::Mr1220 => scalar::quantize(subframe, &prediction, pitch, parameters),
            Mode::Mr795 => adaptive::quantize(&mut self.adaptation, subframe, &prediction, pitch, parameters),
            _ => joint::quantize(mode, subframe, &prediction, parameters),
        };
        self.predictor.update(update.log, update.decibels);
        gains
    }

    /// The first subframe of two in mode 4.75: its gains are not quantised yet.
    pub(super) fn first_of_pair(
        &mut self,
        subframe: &Subframe<'_>,
        pitch: i16,
        parameters: &mut Parameters,
    ) -> (FirstOfPair, Gains) {
        FirstOfPair::new(&self.predictor, subframe, pitch, parameters)
    }

    /// The second one: the gains of both.
    pub(super) fn second_of_pair(
        &mut self,
        first: FirstOfPair,
        subframe: &Subframe<'_>,
        parameters: &mut Parameters,
    ) -> [Gains; 2] {
        first.quantize(&mut self.predictor, subframe, parameters)
    }
}

/// What goes into the gain predictor.
#[derive(Clone, Copy)]
struct Update {
    log: i16,
    decibels: i16,
}

/// The squared error as a polynomial in the gains gp of the pitch and gc of the code: the coefficients of gp², gp, gc²,
/// gc and gp gc.
type Coefficients = [Float; 5];

/// The coefficients, and the filtered innovation scaled down as they used it. The sums start at `start`, 0 or 1.
fn coefficients(subframe: &Subframe<'_>, start: i32) -> (Coefficients, [i16; SUBFRAME]) {
    let filtered = subframe.innovation.filtered.map(|y| y >> 3);
    let float = |sum: i32, exponent: i32| {
        let shift = norm32(sum);
        Float { fraction: (shl32(sum, shift) >> 16) as i16, exponent: (exponent - shift) as i16 }
    };
    let PitchGain { energy, correlation, .. } = subframe.pitch;
    let target = float(correlate(start, subframe.target, &filtered), 7);
    let coefficients = [
        energy,
        Float { fraction: negate(correlation.fraction), exponent: correlation.exponent + 1 },
        // 40 squares of 13-bit numbers do not saturate.
        float(start + (dot(&filtered, &filtered) << 1), -3),
        Float { fraction: negate(target.fraction), ..target },
        float(correlate(start, subframe.adaptive_filtered, &filtered), 7),
    ];
    (coefficients, filtered)
}

/// Sum of doubled products, saturating.
fn correlate(start: i32, a: &[i16; SUBFRAME], b: &[i16; SUBFRAME]) -> i32 {
    if 2 * u64::from(peak(a)) * u64::from(peak(b)) * (SUBFRAME as u64) < (1 << 31) - 1 {
        return start + (dot(a, b) << 1);
    }
    mac_all(start, a, b)
}

/// The code's best gain without quantisation.
fn unquantized(rest: &[i16; SUBFRAME], filtered: &[i16; SUBFRAME], energy: Float) -> Float {
    let sum = dot(rest, filtered).wrapping_shl(1);
    let shift = norm32(sum);
    let fraction = (shl32(sum, shift) >> 16) as i16;
    if fraction <= 0 {
        return Float::default();
    }
    Float {
        fraction: div_s(fraction >> 1, energy.fraction),
        exponent: (6 - shift) as i16 - energy.exponent - 14,
    }
}

/// A 32-bit coefficient in double precision format.
#[derive(Clone, Copy, Default)]
struct Double(i16, i16);

impl Double {
    /// Times a Q15 number.
    #[inline(always)]
    fn times(self, factor: i16) -> i32 {
        mpy_32_16(self.0, self.1, factor)
    }
}

/// The exponents of [`Coefficients`] once the gains are in the quantisers' scale: `code` is the exponent of the
/// predicted code gain less what the mode scales it by.
fn exponents(coefficients: &Coefficients, code: i32) -> [i32; 5] {
    let offsets = [-13, -14, 15 + 2 * code, code, 1 + code];
    let mut exponents = [0; 5];
    for i in 0..5 {
        exponents[i] = i32::from(coefficients[i].exponent) + offsets[i];
    }
    exponents
}

/// Coefficients with the same exponent, `most`.
fn align(coefficients: &Coefficients, exponents: &[i32; 5], most: i32) -> [Double; 5] {
    let mut aligned = [Double::default(); 5];
    for i in 0..5 {
        let (high, low) = l_extract(shr32(i32::from(coefficients[i].fraction) << 16, most - exponents[i]));
        aligned[i] = Double(high, low);
    }
    aligned
}

/// The greatest of some exponents, and a bit of headroom.
fn greatest<const N: usize>(exponents: &[i32; N]) -> i32 {
    exponents.iter().fold(i32::MIN, |most, exponent| most.max(*exponent)) + 1
}

/// The predicted gain's mantissa, Q14.
fn mantissa(prediction: &Prediction) -> i16 {
    crate::fixed_math::pow2(14, prediction.fraction) as i16
}
