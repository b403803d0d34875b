//! Mode 12.2: the two gains one after the other (3GPP TS 26.090 §5.8.1, §5.8.2).
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the tables")]

use super::super::super::SUBFRAME;
use super::super::super::gain::Prediction;
use super::super::super::tables::gain::{CODE_GAINS, PITCH_GAINS};
use super::super::codebook::Parameters;
use super::super::operators::{dot, norm32, shl16};
use super::super::pitch_gain;
use super::{Gains, Subframe, Update};
use crate::fixed::div_s;
use crate::fixed_math::pow2;

/// The quantised pitch gain not above `limit`, coded at once.
pub(in super::super) fn limited_pitch(gain: i16, limit: i16, parameters: &mut Parameters) -> i16 {
    let index = pitch_gain::nearest(gain, limit);
    parameters.push(index as i16);
    PITCH_GAINS[index] & !3
}

pub(super) fn quantize(
    subframe: &Subframe<'_>,
    prediction: &Prediction,
    pitch: i16,
    parameters: &mut Parameters,
) -> (Gains, Update) {
    let gain = best(subframe.rest, &subframe.innovation.filtered) >> 1;
    let predicted = shl16(pow2(prediction.exponent, prediction.fraction) as i16, 4);
    let scaled = |factor: i16| ((i32::from(predicted) * i32::from(factor)) >> 15) as i16;

    let error = |entry: &[i16; 3]| gain.wrapping_sub(scaled(entry[0])).wrapping_abs();
    let mut nearest = (error(&CODE_GAINS[0]), 0);
    for (index, entry) in CODE_GAINS.iter().enumerate().skip(1) {
        let error = error(entry);
        if error < nearest.0 {
            nearest = (error, index);
        }
    }
    parameters.push(nearest.1 as i16);
    let [factor, log, decibels] = CODE_GAINS[nearest.1];
    (Gains { pitch, code: scaled(factor) << 1 }, Update { log, decibels })
}

/// The code's best gain: correlation with the target over energy.
fn best(target: &[i16; SUBFRAME], filtered: &[i16; SUBFRAME]) -> i16 {
    let half = filtered.map(|y| y >> 1);
    let product = dot(target, &half).wrapping_shl(1);
    let product_shift = norm32(product.wrapping_add(1));
    let correlation = to_16_bits(product, product_shift - 17);
    if correlation <= 0 {
        return 0;
    }
    let squares = half.iter().fold(0i32, |sum, y| sum.wrapping_add((i32::from(*y) * i32::from(*y)) >> 2));
    let squares = squares.wrapping_shl(3);
    let shift = norm32(squares);
    let gain = div_s(correlation, to_16_bits(squares, shift - 16));
    let shift = product_shift + 5 - shift;
    if shift > 1 {
        gain >> (shift - 1).min(15)
    } else {
        i32::from(gain).wrapping_shl((1 - shift) as u32) as i16
    }
}

/// The number shifted left.
fn to_16_bits(value: i32, shift: i32) -> i16 {
    if shift < 0 { (value >> -shift) as i16 } else { (value << shift) as i16 }
}
