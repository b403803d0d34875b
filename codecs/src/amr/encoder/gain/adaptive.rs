//! Mode 7.95: the gains one after the other, with three candidates for the pitch gain; after onsets of noisy sounds the
//! code gain also follows the energy of the residual (3GPP TS 26.090 §5.8.5).
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the tables")]

use super::super::super::SUBFRAME;
use super::super::super::gain::Prediction;
use super::super::super::sqrt::sqrt;
use super::super::super::tables::gain::{CODE_GAINS, PITCH_GAINS};
use super::super::codebook::Parameters;
use super::super::operators::{dot, energy, mac, median_place, norm32, shl16, shl32, shr16, shr32};
use super::super::pitch_gain::{self, Float};
use super::{
    Coefficients, Double, Gains, Subframe, Update, align, coefficients, exponents, greatest, mantissa,
    unquantized,
};
use crate::fixed::{div_s, l_comp, l_extract, l_mult, l_sub, mult, round, shr_r, sub};
use crate::fixed_math::log2;

pub(super) fn quantize(
    adaptation: &mut Adaptation,
    subframe: &Subframe<'_>,
    prediction: &Prediction,
    pitch: i16,
    parameters: &mut Parameters,
) -> (Gains, Update) {
    let (coefficients, filtered) = coefficients(subframe, 0);
    let predicted = mantissa(prediction);
    let candidates = candidates(pitch, subframe.limit);
    let (pitch_index, mut code_index) = nearest_pair(&coefficients, prediction, predicted, candidates);
    let pitch = PITCH_GAINS[pitch_index];
    let mut code = apply(code_index, predicted, prediction);

    let energies = Energies::new(subframe, pitch);
    let share = adaptation.share(energies.prediction_gain, code);
    if energies.residual.fraction != 0 && share > 0 {
        let best = unquantized(subframe.rest, &filtered, coefficients[2]);
        let scale = i32::from(sub(best.exponent, prediction.exponent)) + 10;
        let best = shl16(best.fraction, scale);
        code_index = energies.nearest(share, pitch, code, best, prediction, predicted);
        code = apply(code_index, predicted, prediction);
    }
    parameters.extend([pitch_index as i16, code_index as i16]);
    let [_, log, decibels] = CODE_GAINS[code_index];
    (Gains { pitch, code }, Update { log, decibels })
}

/// The first of three neighbouring pitch gains: around the nearest one, but not above the limit.
fn candidates(pitch: i16, limit: i16) -> usize {
    let nearest = pitch_gain::nearest(pitch, limit);
    match nearest {
        0 => 0,
        _ if nearest == PITCH_GAINS.len() - 1 || PITCH_GAINS[nearest + 1] > limit => {
            nearest.saturating_sub(2)
        }
        _ => nearest - 1,
    }
}

/// The code gain with this index.
fn apply(index: usize, predicted: i16, prediction: &Prediction) -> i16 {
    (shr32(l_mult(CODE_GAINS[index][0], predicted), 9 - i32::from(prediction.exponent)) >> 16) as i16
}

/// The product of two numbers in double precision format, added as the reference adds it.
fn add_product(sum: i32, Double(high, low): Double, factor: i32) -> i32 {
    let (factor_high, factor_low) = l_extract(factor);
    let sum = mac(sum, high, factor_high);
    mac(mac(sum, mult(high, factor_low), 1), mult(low, factor_high), 1)
}

fn add_short_product(sum: i32, Double(high, low): Double, factor: i16) -> i32 {
    mac(mac(sum, high, factor), mult(low, factor), 1)
}

/// The indices of the pitch and the code gain with the least error, of three pitch gains.
fn nearest_pair(
    coefficients: &Coefficients,
    prediction: &Prediction,
    predicted: i16,
    candidates: usize,
) -> (usize, usize) {
    let exponents = exponents(coefficients, i32::from(prediction.exponent) - 10);
    let [pitch2, pitch1, code2, code1, both] = align(coefficients, &exponents, greatest(&exponents));
    let mut best = (i32::MAX, candidates, 0);
    for (pitch_index, &pitch) in PITCH_GAINS.iter().enumerate().skip(candidates).take(3) {
        let alone = add_short_product(pitch2.times(mult(pitch, pitch)), pitch1, pitch);
        for (index, [factor, ..]) in CODE_GAINS.iter().enumerate() {
            let code = mult(*factor, predicted);
            let error = add_product(alone, code2, l_mult(code, code));
            let error = add_short_product(error, code1, code);
            let error = add_product(error, both, l_mult(code, pitch));
            if error < best.0 {
                best = (error, pitch_index, index);
            }
        }
    }
    (best.1, best.2)
}

/// Energies before the weighting filter.
struct Energies {
    residual: Float,
    /// Of the past excitation, and what it has in common with the innovation.
    adaptive: Float,
    common: Float,
    /// How much the past excitation takes from the residual, log2 in Q13.
    prediction_gain: i16,
}

impl Energies {
    fn new(subframe: &Subframe<'_>, pitch: i16) -> Self {
        let float = |value: i32, exponent: i32| {
            let shift = norm32(value);
            Float { fraction: (shl32(value, shift) >> 16) as i16, exponent: (exponent - shift) as i16 }
        };
        // Energies wrap as the reference's sums do; those that come out negative are too great.
        let doubled = |sum: i32| sum.wrapping_shl(1);
        let limited = |sum: i32| if sum < 0 { i32::MAX } else { sum };
        let residual = limited(doubled(dot(subframe.residual, subframe.residual)));
        let residual =
            if residual < 400 { Float { fraction: 0, exponent: -15 } } else { float(residual, 15) };
        let adaptive = float(limited(doubled(dot(subframe.adaptive, subframe.adaptive))), 15);
        let common = float(doubled(dot(subframe.adaptive, &subframe.innovation.code)), 2);

        let mut left = [0i16; SUBFRAME];
        for ((left, residual), adaptive) in left.iter_mut().zip(subframe.residual).zip(subframe.adaptive) {
            *left = sub(*residual, round(shl32(l_mult(*adaptive, pitch), 1)));
        }
        let left = float(i32::try_from(2 * energy(&left)).unwrap_or(i32::MAX), 15);
        let prediction_gain = if left.fraction > 0 && residual.fraction != 0 {
            let ratio = div_s(residual.fraction >> 1, left.fraction);
            let shift = i32::from(sub(left.exponent, residual.exponent)) + 3;
            let (exponent, fraction) = log2(shr32(i32::from(ratio) << 16, shift));
            round(shl32(l_comp(exponent - 27, fraction), 13))
        } else {
            0
        };
        Self { residual, adaptive, common, prediction_gain }
    }

    /// The index of the code gain that keeps both the shape of the target and, by `share`, the energy of the residual.
    /// Greater gains than `code` are not looked at.
    fn nearest(
        &self,
        share: i16,
        pitch: i16,
        code: i16,
        best: i16,
        prediction: &Prediction,
        predicted: i16,
    ) -> usize {
        let innovation = Float { exponent: prediction.energy.0, fraction: prediction.energy.1 };
        let exponent = i32::from(prediction.exponent);
        let most_code = shl16(code, 10 - exponent);
        let rest = (i16::MAX - share).saturating_add(1);
        let shared = |value: i16| (shl32(l_mult(share, value), 1) >> 16) as i16;

        // Energy of the excitation as a polynomial in the code gain; and the weight of the gain's own error.
        let constant = l_mult(shared(self.adaptive.fraction), mult(pitch, pitch));
        let linear = mult(shared(self.common.fraction), pitch);
        let squared = shared(innovation.fraction);
        let own = mult(rest, innovation.fraction);
        let (wanted, shift) = sqrt(l_mult(share, self.residual.fraction));

        let wanted_exponent = i32::from(self.residual.exponent) - (i32::from(shift) + 47);
        let squared_exponent = i32::from(innovation.exponent) + 2 * exponent - 7;
        let exponents = [
            i32::from(self.adaptive.exponent) - 15,
            i32::from(self.common.exponent) + exponent - 10,
            squared_exponent,
            squared_exponent + 1,
        ];
        let most = exponents.iter().fold(wanted_exponent + 31, |most, exponent| most.max(*exponent));
        let constant = shr32(constant, most - exponents[0]);
        let aligned = |value: i16, exponent: i32| {
            let (high, low) = l_extract(shr32(i32::from(value) << 16, most - exponent));
            Double(high, low)
        };
        let linear = aligned(linear, exponents[1]);
        let squared = aligned(squared, exponents[2]);
        let own = aligned(own, exponents[3]);

        let difference = most - 31 - wanted_exponent;
        let mut wanted = shr32(wanted, difference >> 1);
        if difference & 1 != 0 {
            let (high, low) = l_extract(wanted);
            wanted = Double(high, low).times(23170);
        }

        let mut found = (i32::MAX, 0);
        for (index, [factor, ..]) in CODE_GAINS.iter().enumerate() {
            let code = mult(*factor, predicted);
            if code >= most_code {
                break;
            }
            let away = sub(code, best);
            let energy = add_product(add_short_product(constant, linear, code), squared, l_mult(code, code));
            let (root, shift) = sqrt(energy);
            let error = round(l_sub(shr32(root, i32::from(shift >> 1)), wanted));
            let error = add_product(l_mult(error, error), own, l_mult(away, away));
            if error < found.0 {
                found = (error, index);
            }
        }
        found.1
    }
}

/// How much the residual's energy counts, by what came before.
#[derive(Clone, Debug)]
pub(in super::super) struct Adaptation {
    /// Subframes for which a sudden rise of the gain still counts.
    onset: u8,
    share: i16,
    code: i16,
    /// The last prediction gains; the first is that of this subframe.
    prediction_gains: [i16; 5],
}

impl Adaptation {
    pub(super) const fn new() -> Self {
        Self { onset: 0, share: 0, code: 0, prediction_gains: [0; 5] }
    }

    /// The share of the energy in the error measure, Q15, at most a half.
    fn share(&mut self, prediction_gain: i16, code: i16) -> i16 {
        let voiced = if prediction_gain <= 2721 {
            0
        } else if prediction_gain <= 5443 {
            1
        } else {
            2
        };
        if shr_r(code, 1) > self.code && code > 200 {
            self.onset = 8;
        } else {
            self.onset = self.onset.saturating_sub(1);
        }
        let voiced = if self.onset != 0 && voiced < 2 { voiced + 1 } else { voiced };

        self.prediction_gains[0] = prediction_gain;
        let middle = self.prediction_gains[median_place(&self.prediction_gains)];
        let share = match middle {
            _ if voiced != 0 => 0,
            5444.. => 0,
            ..0 => 16384,
            _ => 16384 - mult(24660, shl16(middle, 2)),
        };
        let share = if self.share == 0 { shr16(share, 1) } else { share };
        self.share = share;
        self.code = code;
        self.prediction_gains.copy_within(..4, 1);
        share
    }
}
