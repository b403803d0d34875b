//! Gains (§3.9): the predictor of the code gain, the conjugate-structure quantizer, and concealment (§4.4.2, §4.4.3).
#![expect(clippy::indexing_slicing, reason = "fixed arrays; codebook indices have the bits of their books")]

use super::SUBFRAME;
use super::tables::{
    GAIN_FIRST, GAIN_FIRST_FROM_WIRE, GAIN_FIRST_THRESHOLD, GAIN_FIRST_TO_WIRE, GAIN_PREDICTOR, GAIN_SECOND,
    GAIN_SECOND_FROM_WIRE, GAIN_SECOND_THRESHOLD, GAIN_SECOND_TO_WIRE,
};
use super::vector::{
    checked_chain, each, energy, fits, mapped, round_shift, saturated_energy, scale, subframe_dot,
};
use crate::fixed::{
    add, deposit_h, div_s, extract_h, extract_l, l_comp, l_extract, l_mac, l_mult, l_shl, l_shr, l_sub,
    mpy_32_16, mult, negate, norm_l, round, saturate, shl, shr, sub,
};
use crate::fixed_math::{log2, pow2};

/// Least energy of the predictor's memory: -14 dB, Q10.
const SILENCE: i16 = -14_336;

/// Pitch gain Q14 and code gain Q1.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Gains {
    pub(super) pitch: i16,
    pub(super) code: i16,
}

/// Memory of the predictor: the last four corrections in dB, Q10.
#[derive(Clone)]
pub(super) struct Predictor([i16; 4]);

impl Predictor {
    pub(super) const NEW: Self = Self([SILENCE; 4]);

    /// Gain that the past and the energy of the code vector make likely, and its exponent.
    fn predict(&self, code: &[i16; SUBFRAME]) -> (i16, i16) {
        let (exponent, fraction) = log2(saturated_energy(0, code));
        // Mean energy less the innovation's: in dB, Q14 and then Q24.
        let sum = l_mac(mpy_32_16(exponent, fraction, -24_660), 32_588, 32);
        let sum = self
            .0
            .iter()
            .zip(&GAIN_PREDICTOR)
            .fold(l_shl(sum, 10), |sum, (&past, &tap)| l_mac(sum, tap, past));
        let (whole, fraction) = l_extract(l_shr(l_mult(extract_h(sum), 5439), 8));
        (extract_l(pow2(14, fraction)), sub(14, whole))
    }

    fn push(&mut self, energy: i16) {
        let [newest, second, third, _] = self.0;
        self.0 = [energy, newest, second, third];
    }

    /// Gains of a pair of codebook entries, which then are the past.
    fn gains(&mut self, (first, second): (usize, usize), predicted: (i16, i16)) -> Gains {
        let correction = i32::from(GAIN_FIRST[first][1]) + i32::from(GAIN_SECOND[second][1]);
        let (gain, exponent) = predicted;
        let scaled = l_shl(l_mult(extract_l(correction >> 1), gain), add(negate(exponent), 4));
        let (whole, fraction) = log2(correction);
        let decibels = extract_h(l_shl(l_comp(sub(whole, 13), fraction), 13));
        self.push(mult(decibels, 24_660));
        Gains { pitch: add(GAIN_FIRST[first][0], GAIN_SECOND[second][0]), code: extract_h(scaled) }
    }

    /// Gains of an index from the wire.
    pub(super) fn decode(&mut self, index: u8, code: &[i16; SUBFRAME]) -> Gains {
        let first = usize::from(GAIN_FIRST_FROM_WIRE[usize::from(index >> 4 & 7)]);
        let second = usize::from(GAIN_SECOND_FROM_WIRE[usize::from(index & 15)]);
        let predicted = self.predict(code);
        self.gains((first, second), predicted)
    }

    /// Gains of a lost subframe: the last ones, fading.
    pub(super) fn conceal(&mut self, last: Gains) -> Gains {
        let sum: i32 = self.0.iter().map(|&past| i32::from(past)).sum();
        self.push(sub(extract_l(sum >> 2), 4096).max(SILENCE));
        Gains { pitch: mult(last.pitch, 29_491).min(29_491), code: mult(last.code, 32_111) }
    }
}

/// A 16-bit number and its exponent.
#[derive(Clone, Copy, Default)]
struct Scaled {
    value: i16,
    exponent: i16,
}

impl Scaled {
    fn negated(self) -> Self {
        Self { value: negate(self.value), ..self }
    }

    /// Normalises a sum whose exponent is `exponent` less what it is shifted by.
    fn from_sum(sum: i32, exponent: i16) -> Self {
        let shift = norm_l(sum);
        Self { value: round(l_shl(sum, shift)), exponent: add(shift, exponent) }
    }
}

/// Correlations that say how the error depends on the two gains.
pub(super) struct Correlations {
    /// Of the filtered adaptive vector with itself, and -2 × with the target.
    pitch_pitch: Scaled,
    pitch_target: Scaled,
    /// Of the filtered code vector with itself, -2 × with the target, 2 × with the adaptive vector.
    code_code: Scaled,
    code_target: Scaled,
    pitch_code: Scaled,
}

/// The adaptive codebook's part, known before the code is searched.
#[derive(Clone, Copy)]
pub(super) struct PitchCorrelations {
    power: Scaled,
    target: Scaled,
}

impl PitchCorrelations {
    pub(super) fn new(target: &[i16; SUBFRAME], filtered: &[i16; SUBFRAME]) -> Self {
        let (filtered_energy, target_energy) = (energy(filtered), energy(target));
        let power = 2 * filtered_energy + 1;
        let power = if power <= i64::from(i32::MAX) {
            Scaled::from_sum(power as i32, 0)
        } else {
            Scaled::from_sum(saturated_energy(1, &filtered.map(|sample| sample >> 2)), -4)
        };
        let sum = if fits(filtered_energy, target_energy) {
            Some(2 * subframe_dot(target, filtered))
        } else {
            checked_chain(0, target, filtered)
        };
        let target = match sum {
            Some(sum) => Scaled::from_sum(sum, 0),
            None => {
                let scaled = filtered.map(|sample| sample >> 2);
                Scaled::from_sum(super::vector::chain(0, target, &scaled), -2)
            }
        };
        Self { power, target }
    }

    /// The gain that would fit alone, 0 to 1.2 in Q14.
    pub(super) fn gain(&self) -> i16 {
        if self.target.value <= 0 {
            return 0;
        }
        let quotient = div_s(self.target.value >> 1, self.power.value);
        shr(quotient, sub(self.target.exponent, self.power.exponent)).min(19_661)
    }

    pub(super) fn with_code(
        self,
        target: &[i16; SUBFRAME],
        filtered_pitch: &[i16; SUBFRAME],
        filtered_code: &[i16; SUBFRAME],
    ) -> Correlations {
        let code = mapped(filtered_code, |sample| sample >> 3);
        let code_energy = energy(&code);
        let with = |other: &[i16; SUBFRAME]| {
            let sum = if fits(energy(other), code_energy) {
                2 * subframe_dot(other, &code) + 1
            } else {
                super::vector::chain(1, other, &code)
            };
            Scaled::from_sum(sum, 10 - 16 - 1)
        };
        // Without a positive correlation the exponent is forced.
        let target_exponent = if self.target.value <= 0 { 30 } else { self.target.exponent };
        Correlations {
            pitch_pitch: Scaled { value: self.power.value, exponent: sub(self.power.exponent, 15) },
            pitch_target: Scaled { value: negate(self.target.value), exponent: sub(target_exponent, 16) },
            code_code: Scaled::from_sum(saturated_energy(1, &code), 19 - 16),
            code_target: with(target).negated(),
            pitch_code: with(filtered_pitch),
        }
    }
}

impl Correlations {
    /// The pair of gains that would be best if they were not quantized: pitch Q9, code Q2.
    fn optimum(&self, tame: bool) -> [i16; 2] {
        let (aa, at, bb, bt, ab) =
            (self.pitch_pitch, self.pitch_target, self.code_code, self.code_target, self.pitch_code);
        // Determinant 4·aa·bb - ab².
        let left = (l_mult(aa.value, bb.value), sub(add(aa.exponent, bb.exponent), 1));
        let right = (l_mult(ab.value, ab.value), add(add(ab.exponent, ab.exponent), 1));
        let (determinant, exponent) = if left.1 > right.1 {
            (l_sub(l_shr(left.0, sub(left.1, right.1)), right.0), right.1)
        } else {
            (l_sub(left.0, l_shr(right.0, sub(right.1, left.1))), left.1)
        };
        let shift = norm_l(determinant);
        let inverse = negate(div_s(16_384, extract_h(l_shl(determinant, shift))));
        let inverse_exponent = sub(29, sub(add(exponent, shift), 16));

        let gain = |a: Scaled, b: Scaled, c: Scaled, d: Scaled, q: i16| {
            let left = (l_mult(a.value, b.value), add(a.exponent, b.exponent));
            let right = (l_mult(c.value, d.value), add(add(c.exponent, d.exponent), 1));
            let (difference, exponent) = if left.1 > right.1 {
                let shift = add(sub(left.1, right.1), 1);
                (l_sub(l_shr(left.0, shift), l_shr(right.0, 1)), sub(right.1, 1))
            } else {
                let shift = add(sub(right.1, left.1), 1);
                (l_sub(l_shr(left.0, 1), l_shr(right.0, shift)), sub(left.1, 1))
            };
            let shift = norm_l(difference);
            let numerator = extract_h(l_shl(difference, shift));
            let numerator_exponent = sub(add(exponent, shift), 16);
            let shift = sub(add(numerator_exponent, inverse_exponent), q + 16 - 1);
            extract_h(l_shr(l_mult(numerator, inverse), shift))
        };
        let pitch = gain(bb, at, bt, ab, 9);
        let code = gain(aa, bt, at, ab, 2);
        [if tame { pitch.min(481) } else { pitch }, code]
    }
}

/// Quantizes both gains (§3.9.2); returns the index on the wire and the gains.
pub(super) fn quantize(
    predictor: &mut Predictor,
    code: &[i16; SUBFRAME],
    correlations: &Correlations,
    tame: bool,
) -> (u8, Gains) {
    let predicted = predictor.predict(code);
    let (gain, exponent) = predicted;
    let whole = if exponent >= 4 {
        shr(gain, sub(exponent, 4))
    } else {
        extract_h(l_shl(i32::from(gain), sub(20, exponent)))
    };
    let from = preselect(correlations.optimum(tame), whole);
    let (first, second) = best_pair(correlations, predicted, from, tame);
    let index = GAIN_FIRST_TO_WIRE[first] << 4 | GAIN_SECOND_TO_WIRE[second];
    (index, predictor.gains((first, second), predicted))
}

/// The least error among four by eight neighbouring entries.
fn best_pair(
    correlations: &Correlations,
    (gain, exponent): (i16, i16),
    from: (usize, usize),
    tame: bool,
) -> (usize, usize) {
    let terms = [
        (correlations.pitch_pitch, 13),
        (correlations.pitch_target, 14),
        (correlations.code_code, sub(shl(exponent, 1), 21)),
        (correlations.code_target, sub(exponent, 3)),
        (correlations.pitch_code, sub(exponent, 4)),
    ];
    let exponents = terms.map(|(term, plus)| add(term.exponent, plus));
    let least = exponents.iter().copied().fold(i16::MAX, i16::min);
    let mut coefficients = [0i32; 5];
    for ((coefficient, (term, _)), exponent) in coefficients.iter_mut().zip(terms).zip(exponents) {
        *coefficient = l_shr(deposit_h(term.value), sub(exponent, least));
    }
    let fits = no_sum_saturates(&coefficients, gain);
    let mut best = (i32::MAX, from);
    for (first, &entry) in GAIN_FIRST.iter().enumerate().skip(from.0).take(4) {
        let mut errors = [0; 8];
        let second = (SECOND_PITCH[from.1..].first_chunk(), SECOND_CODE[from.1..].first_chunk());
        let (Some(pitch), Some(code)) = second else { continue };
        if fits {
            plain_errors(&mut errors, &coefficients, gain, entry, pitch, code);
        } else {
            saturating_errors(&mut errors, &coefficients, gain, entry, pitch, code);
        }
        for (i, &error) in errors.iter().enumerate() {
            if error < best.0 && !(tame && entry[0] + pitch[i] >= 16_383) {
                best = (error, (first, from.1 + i));
            }
        }
    }
    best.1
}

/// Whether all partial sums stay in 32 bits: the positive terms together and the negative terms together do.
fn no_sum_saturates(coefficients: &[i32; 5], gain: i16) -> bool {
    // The greatest sums that the codebooks give: 1.356 in Q14, and 20 719 for the code's correction.
    let pitch = 22_216;
    let code = ((i64::from(gain) * 20_719) >> 15) + 1;
    let most = [(pitch * pitch) >> 15, pitch, ((code * code) >> 15) + 1, code, ((code * pitch) >> 15) + 1];
    let (mut positive, mut negative) = (0, 0);
    for (&coefficient, most) in coefficients.iter().zip(most) {
        let term = i64::from(coefficient) * most;
        positive += term.max(0);
        negative += term.min(0);
    }
    // Room for what rounding down adds.
    const LIMIT: i64 = (1 << 46) - (1 << 20);
    positive < LIMIT && negative > -LIMIT
}

/// The second codebook, pitch and code gains apart.
const SECOND_PITCH: [i16; 16] = second_column(0);
const SECOND_CODE: [i16; 16] = second_column(1);

const fn second_column(column: usize) -> [i16; 16] {
    let mut values = [0; 16];
    let mut i = 0;
    while i < 16 {
        values[i] = GAIN_SECOND[i][column];
        i += 1;
    }
    values
}

/// What the five coefficients are multiplied by: pitch gain squared, pitch gain, code gain squared, code gain, both.
#[inline(always)]
fn factors(gain: i16, first: [i16; 2], pitch: i16, code: i16) -> [i16; 5] {
    let pitch = first[0].wrapping_add(pitch);
    let correction = (i32::from(first[1]) + i32::from(code)) >> 1;
    let product = |a: i16, b: i16| ((i32::from(a) * i32::from(b)) >> 15) as i16;
    let code = product(gain, correction as i16);
    [product(pitch, pitch), pitch, product(code, code), code, product(code, pitch)]
}

/// Errors with one entry of the first codebook and eight of the second. Not inlined: eight lanes at once.
#[inline(never)]
fn plain_errors(
    errors: &mut [i32; 8],
    coefficients: &[i32; 5],
    gain: i16,
    first: [i16; 2],
    pitch: &[i16; 8],
    code: &[i16; 8],
) {
    for ((error, &pitch), &code) in errors.iter_mut().zip(pitch).zip(code) {
        let mut sum = 0i32;
        for (&coefficient, factor) in coefficients.iter().zip(factors(gain, first, pitch, code)) {
            // `scale`, in 16-bit products.
            let (high, low) = ((coefficient >> 16) as i16, ((coefficient >> 1) & 0x7fff) as i16);
            let (high, low) = (i32::from(high) * i32::from(factor), i32::from(low) * i32::from(factor));
            sum = sum.wrapping_add(high.wrapping_add(low >> 15) << 1);
        }
        *error = sum;
    }
}

#[cold]
fn saturating_errors(
    errors: &mut [i32; 8],
    coefficients: &[i32; 5],
    gain: i16,
    first: [i16; 2],
    pitch: &[i16; 8],
    code: &[i16; 8],
) {
    for ((error, &pitch), &code) in errors.iter_mut().zip(pitch).zip(code) {
        let factors = factors(gain, first, pitch, code);
        *error = coefficients
            .iter()
            .zip(factors)
            .fold(0, |sum: i32, (&coefficient, factor)| sum.saturating_add(scale(coefficient, factor)));
    }
}

/// First of the four and of the eight entries that are searched, from the gains that would be best.
fn preselect([pitch, code]: [i16; 2], predicted: i16) -> (usize, usize) {
    const COEFFICIENTS: [[i16; 2]; 2] = [[31_881, 26_416], [31_548, 27_816]];
    const LONG: [[i32; 2]; 2] = [[2_089_405_952, 1_731_217_536], [2_067_549_984, 1_822_990_272]];
    const INVERSE: i16 = -17_103;

    let scaled_pitch = l_mult(COEFFICIENTS[0][0], pitch);
    let high = extract_h(crate::fixed::l_add(scaled_pitch, LONG[1][1] >> 15));
    let difference = l_sub(l_shl(i32::from(code), 7), l_mult(high, predicted));
    let x = l_mult(extract_h(l_shl(difference, 2)), INVERSE);

    let high = mult(extract_h(l_sub(scaled_pitch, LONG[0][1] >> 10)), predicted);
    let product = l_mult(high, COEFFICIENTS[1][0]);
    let difference = l_sub(product, l_shr(l_mult(COEFFICIENTS[0][0], code), 3));
    let y = l_mult(extract_h(l_shl(difference, 2)), INVERSE);

    let steps = |value: i32, thresholds: &[i16], shift: i16| {
        thresholds
            .iter()
            .take_while(|&&threshold| {
                let distance = l_sub(value, l_shr(l_mult(threshold, predicted), shift));
                if predicted > 0 { distance > 0 } else { distance < 0 }
            })
            .count()
    };
    (steps(y, &GAIN_FIRST_THRESHOLD, 3), steps(x, &GAIN_SECOND_THRESHOLD, 5))
}

/// `target - gain · filtered`, the gain in Q14: what is left for the code.
pub(super) fn remaining_target(
    target: &[i16; SUBFRAME],
    filtered: &[i16; SUBFRAME],
    gain: i16,
) -> [i16; SUBFRAME] {
    each(|i| sub(target[i], saturate((i32::from(filtered[i]) * i32::from(gain)) >> 14)))
}

/// Total excitation: `pitch gain · adaptive vector + code gain · code vector`.
pub(super) fn excite(excitation: &mut [i16], code: &[i16; SUBFRAME], gains: Gains) {
    for (sample, &code) in excitation.iter_mut().zip(code) {
        // Both products together stay below 2^31: the pitch gain is below 1.36, the code below 2.
        let sum = i32::from(*sample) * i32::from(gains.pitch) + i32::from(code) * i32::from(gains.code);
        *sample = round_shift(sum, 14);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_indices_are_permutations() {
        for (entry, &wire) in GAIN_FIRST_TO_WIRE.iter().enumerate() {
            assert_eq!(usize::from(GAIN_FIRST_FROM_WIRE[usize::from(wire)]), entry);
        }
        for (entry, &wire) in GAIN_SECOND_TO_WIRE.iter().enumerate() {
            assert_eq!(usize::from(GAIN_SECOND_FROM_WIRE[usize::from(wire)]), entry);
        }
    }

    #[test]
    fn concealment_fades() {
        let mut predictor = Predictor::NEW;
        let mut gains = Gains { pitch: 20_000, code: 1000 };
        for _ in 0..400 {
            gains = predictor.conceal(gains);
        }
        assert_eq!((gains.pitch, gains.code < 10), (0, true));
    }
}
