//! Modes 5.15 to 7.40 and 10.2: both gains together, from one table (3GPP TS 26.090 §5.8.3).
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the tables")]

use super::super::super::Mode;
use super::super::super::gain::Prediction;
use super::super::super::tables::gain::{GAINS_HIGH, GAINS_LOW};
use super::super::codebook::Parameters;
use super::super::operators::shr32;
use super::{Gains, Subframe, Update, align, coefficients, exponents, greatest, mantissa};
use crate::fixed::{l_add, l_mult, mult};

pub(super) fn quantize(
    mode: Mode,
    subframe: &Subframe<'_>,
    prediction: &Prediction,
    parameters: &mut Parameters,
) -> (Gains, Update) {
    let table: &[[i16; 4]] = match mode {
        Mode::Mr670 | Mode::Mr740 | Mode::Mr1020 => &GAINS_HIGH,
        _ => &GAINS_LOW,
    };
    let (coefficients, _) = coefficients(subframe, 1);
    let predicted = mantissa(prediction);
    let exponents = exponents(&coefficients, i32::from(prediction.exponent) - 11);
    let [pitch2, pitch1, code2, code1, both] = align(&coefficients, &exponents, greatest(&exponents));

    let mut best = (i32::MAX, 0);
    for (index, [pitch, code, ..]) in table.iter().enumerate() {
        if *pitch > subframe.limit {
            continue;
        }
        let code = mult(*code, predicted);
        let error = l_add(pitch2.times(mult(*pitch, *pitch)), pitch1.times(*pitch));
        let error = l_add(error, code2.times(mult(code, code)));
        let error = l_add(error, code1.times(code));
        let error = l_add(error, both.times(mult(code, *pitch)));
        if error < best.0 {
            best = (error, index);
        }
    }
    parameters.push(best.1 as i16);
    let [pitch, code, log, decibels] = table[best.1];
    let code = (shr32(l_mult(code, predicted), 10 - i32::from(prediction.exponent)) >> 16) as i16;
    (Gains { pitch, code }, Update { log, decibels })
}
