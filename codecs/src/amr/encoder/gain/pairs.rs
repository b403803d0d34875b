//! Mode 4.75: the gains of two subframes together (3GPP TS 26.090 §5.8.4).
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the tables")]

use super::super::super::gain::{GainPredictor, Prediction};
use super::super::super::tables::gain::GAINS_475;
use super::super::super::{Mode, SUBFRAME};
use super::super::codebook::Parameters;
use super::super::operators::{dot, norm32, shl16, shl32, shr32};
use super::super::pitch_gain::Float;
use super::{
    Coefficients, Double, Gains, Subframe, Update, align, coefficients, exponents, greatest, mantissa,
    unquantized,
};
use crate::fixed::{div_s, mpy_32_16, round, shr_r};
use crate::fixed_math::log2;

/// What is known of the first subframe while its gains wait for those of the second.
pub(in super::super) struct FirstOfPair {
    coefficients: Coefficients,
    prediction: Prediction,
    target: Float,
    /// The predictor as if the unquantised gain were sent.
    predictor: GainPredictor,
    /// Where the index of both goes.
    place: usize,
}

impl FirstOfPair {
    pub(super) fn new(
        predictor: &GainPredictor,
        subframe: &Subframe<'_>,
        pitch: i16,
        parameters: &mut Parameters,
    ) -> (Self, Gains) {
        let place = parameters.push(0);
        let mut predictor = predictor.clone();
        let prediction = predictor.predict(Mode::Mr475, &subframe.innovation.code);
        let (coefficients, filtered) = coefficients(subframe, 0);
        let code = unquantized(subframe.rest, &filtered, coefficients[2]);
        let gains = Gains { pitch, code: shl16(code.fraction, i32::from(code.exponent) + 1) };
        let update = update_unquantized(&prediction, code);
        predictor.update(update.log, update.decibels);
        (Self { coefficients, prediction, target: target_energy(subframe.target), predictor, place }, gains)
    }

    /// The gains of both subframes.
    pub(super) fn quantize(
        self,
        predictor: &mut GainPredictor,
        subframe: &Subframe<'_>,
        parameters: &mut Parameters,
    ) -> [Gains; 2] {
        let code = &subframe.innovation.code;
        let second = self.predictor.predict(Mode::Mr475, code);
        let (second_coefficients, _) = coefficients(subframe, 0);
        let predicted = [mantissa(&self.prediction), mantissa(&second)];

        let mut first_exponents = exponents(&self.coefficients, i32::from(self.prediction.exponent) - 11);
        let second_exponents = exponents(&second_coefficients, i32::from(second.exponent) - 11);
        let balance = balance(self.target, target_energy(subframe.target));
        for exponent in &mut first_exponents {
            *exponent += balance;
        }
        let most = greatest(&first_exponents).max(greatest(&second_exponents));
        let polynomials = [
            align(&self.coefficients, &first_exponents, most),
            align(&second_coefficients, &second_exponents, most),
        ];

        let mut best = (i32::MAX, 0);
        for (index, [pitch0, code0, pitch1, code1]) in GAINS_475.iter().enumerate() {
            if *pitch0 <= subframe.limit && *pitch1 <= subframe.limit {
                let error = error(&polynomials[0], *pitch0, scale(*code0, predicted[0])).wrapping_add(error(
                    &polynomials[1],
                    *pitch1,
                    scale(*code1, predicted[1]),
                ));
                if error < best.0 {
                    best = (error, index);
                }
            }
        }
        parameters.values[self.place] = best.1 as i16;

        let [pitch0, code0, pitch1, code1] = GAINS_475[best.1];
        let gains0 = Gains { pitch: pitch0, code: apply(code0, predicted[0], &self.prediction) };
        remember(predictor, code0);
        // Predicted anew, now from the quantised gain before it.
        let second = predictor.predict(Mode::Mr475, code);
        let gains1 = Gains { pitch: pitch1, code: apply(code1, mantissa(&second), &second) };
        remember(predictor, code1);
        [gains0, gains1]
    }
}

/// By how many powers of two the first subframe's error counts more: the weaker of the two targets is to be heard too.
fn balance(first: Float, second: Float) -> i32 {
    let difference = i32::from(first.exponent) - i32::from(second.exponent);
    let (first, second) = if difference > 0 {
        (first.fraction, second.fraction >> difference.min(15))
    } else {
        (first.fraction >> (-difference).min(15), second.fraction)
    };
    if shr_r(second, 1) > first {
        1
    } else if ((i32::from(first) + 3) >> 2) as i16 > second {
        -1
    } else {
        0
    }
}

fn target_energy(target: &[i16; SUBFRAME]) -> Float {
    let energy = dot(target, target);
    let energy = if energy < 0 { i32::MAX } else { energy };
    let shift = norm32(energy);
    Float { fraction: (shl32(energy, shift) >> 16) as i16, exponent: (16 - shift) as i16 }
}

/// Q15 product, truncated.
#[inline(always)]
fn scale(value: i16, factor: i16) -> i16 {
    ((i32::from(value) * i32::from(factor)) >> 15) as i16
}

#[inline(always)]
fn error(polynomial: &[Double; 5], pitch: i16, code: i16) -> i32 {
    let [pitch2, pitch1, code2, code1, both] = polynomial;
    pitch2
        .times(scale(pitch, pitch))
        .wrapping_add(pitch1.times(pitch))
        .wrapping_add(code2.times(scale(code, code)))
        .wrapping_add(code1.times(code))
        .wrapping_add(both.times(scale(code, pitch)))
}

/// The code gain from its correction factor.
fn apply(factor: i16, predicted: i16, prediction: &Prediction) -> i16 {
    let gain = (i32::from(factor) * i32::from(predicted)) << 1;
    (shr32(gain, 10 - i32::from(prediction.exponent)) >> 16) as i16
}

/// Tells the predictor a correction factor, Q12.
fn remember(predictor: &mut GainPredictor, factor: i16) {
    let (exponent, fraction) = log2(i32::from(factor));
    let exponent = exponent - 12;
    let log = shr_r(fraction, 5).wrapping_add(exponent << 10);
    let decibels = mpy_32_16(exponent, fraction, 24660).wrapping_shl(13);
    predictor.update(log, (decibels.wrapping_add(0x8000) >> 16) as i16);
}

/// What the predictor would remember of a gain that is not quantised.
fn update_unquantized(prediction: &Prediction, gain: Float) -> Update {
    // The reference has the limits of the two scales crossed over.
    if gain.fraction <= 0 {
        return Update { log: -32768, decibels: -5443 };
    }
    let predicted = mantissa(prediction);
    let (fraction, exponent) = if gain.fraction >= predicted {
        (gain.fraction >> 1, gain.exponent + 1)
    } else {
        (gain.fraction, gain.exponent)
    };
    let (log_exponent, log_fraction) = log2(i32::from(div_s(fraction, predicted)));
    let exponent = log_exponent + exponent - prediction.exponent - 1;
    let log = shr_r(log_fraction, 5).wrapping_add(exponent << 10);
    if log > 18284 {
        return Update { log: 18284, decibels: 3037 };
    }
    Update { log, decibels: round(shl32(mpy_32_16(exponent, log_fraction, 24660), 13)) }
}
