//! Linear prediction analysis (§3.2.1, §3.2.2): windowing, autocorrelation, Levinson-Durbin.
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the order")]

use super::tables::{LAG_WINDOW_HIGH, LAG_WINDOW_LOW, WINDOW};
use super::vector::{block_dot, each, energy, multiply};
use super::{Lpc, ORDER, WINDOW_SAMPLES};
use crate::fixed::{
    abs_s, add, div_32, extract_h, l_abs, l_add, l_comp, l_extract, l_negate, l_shl, l_shr, l_sub, mult_r,
    norm_l, round, shr, sub,
};

/// Autocorrelation order: the predictor needs 10, the voice activity detector 12.
pub(super) const LAGS: usize = 12;

/// Normalised autocorrelation: `values[0]` lies in 2^30..2^31.
pub(super) struct Autocorrelation {
    pub(super) values: [i32; LAGS + 1],
    pub(super) exponent: i16,
}

impl Autocorrelation {
    pub(super) fn of(signal: &[i16; WINDOW_SAMPLES]) -> Self {
        // Zeros behind the window: the sums of all lags have the same length.
        let mut windowed = [0; WINDOW_SAMPLES + 16];
        for ((windowed, &sample), &window) in windowed.iter_mut().zip(signal).zip(&WINDOW) {
            *windowed = mult_r(sample, window);
        }
        let mut exponent = 1;
        let mut power = 2 * energy(&windowed) + 1;
        while power > i64::from(i32::MAX) {
            windowed = windowed.map(|sample| sample >> 2);
            exponent += 4;
            power = 2 * energy(&windowed) + 1;
        }
        let power = power as i32;
        let shift = norm_l(power);
        let mut values = [power << shift; LAGS + 1];
        for (lag, value) in values.iter_mut().enumerate().skip(1) {
            // |2·Σ| is at most the power, so neither the sum nor the shift saturates.
            if let (Some(later), Some(earlier)) = (windowed[lag..].first_chunk(), windowed.first_chunk()) {
                *value = (2 * window_dot(later, earlier)) << shift;
            }
        }
        Self { values, exponent: exponent - shift }
    }

    /// The upper halves, as the comfort noise analysis keeps them.
    pub(super) fn upper(&self) -> [i16; ORDER + 1] {
        each(|lag| extract_h(self.values[lag]))
    }

    /// Multiplies by the lag window.
    pub(super) fn apply_lag_window(&mut self) {
        for ((value, &high), &low) in self.values[1..].iter_mut().zip(&LAG_WINDOW_HIGH).zip(&LAG_WINDOW_LOW) {
            *value = multiply(*value, l_comp(high, low));
        }
    }
}

/// [`block_dot`] of a window. A function of its own, where it becomes multiply-and-add instructions.
#[inline(never)]
fn window_dot(a: &[i16; WINDOW_SAMPLES], b: &[i16; WINDOW_SAMPLES]) -> i32 {
    block_dot(a, b)
}

/// What the recursion found.
pub(super) struct Prediction {
    pub(super) lpc: Lpc,
    /// The second reflection coefficient, which the voice activity detector looks at.
    pub(super) reflection: i16,
    /// Energy of the prediction error; `None` if the filter came out unstable and the last stable one is used.
    pub(super) error: Option<i16>,
}

/// The recursion, with the last stable filter to fall back on.
#[derive(Clone)]
pub(super) struct Levinson {
    lpc: Lpc,
    reflection: i16,
}

impl Levinson {
    pub(super) const NEW: Self = Self { lpc: [4096, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], reflection: 0 };

    /// `correlation[0]` is normalised.
    pub(super) fn solve(&mut self, correlation: &[i32; ORDER + 1]) -> Prediction {
        match recursion(correlation) {
            Some((lpc, reflection, error)) => {
                (self.lpc, self.reflection) = (lpc, reflection);
                Prediction { lpc, reflection, error: Some(error) }
            }
            None => Prediction { lpc: self.lpc, reflection: self.reflection, error: None },
        }
    }
}

/// Coefficients in Q27 and the error in double precision; `None` if a reflection coefficient comes too near to 1.
fn recursion(correlation: &[i32; ORDER + 1]) -> Option<(Lpc, i16, i16)> {
    let mut coefficients = [0; ORDER + 1];
    let mut error = correlation[0];
    let mut exponent = 0;
    let mut second = 0;
    for order in 1..=ORDER {
        let sum = correlation[1..order]
            .iter()
            .zip(coefficients[1..order].iter().rev())
            .fold(0, |sum, (&value, &coefficient)| l_add(sum, multiply(value, coefficient)));
        let sum = l_add(l_shl(sum, 4), correlation[order] & !1);
        let (error_high, error_low) = l_extract(error);
        let magnitude = div_32(l_abs(sum), error_high, error_low);
        let reflection = l_shl(if sum > 0 { l_negate(magnitude) } else { magnitude }, exponent);
        if order == 2 {
            second = extract_h(reflection);
        }
        // The first coefficient cannot come out unstable: the lag window keeps |r1| below r0.
        if order > 1 && abs_s(extract_h(reflection)) > 32_750 {
            return None;
        }
        let mut updated = coefficients;
        for j in 1..order {
            updated[j] = l_add(multiply(reflection, coefficients[order - j]), coefficients[j] & !1);
        }
        updated[order] = l_shr(reflection, 4);
        coefficients = updated;

        let rest = l_sub(i32::MAX, l_abs(multiply(reflection, reflection)));
        let next = multiply(error, rest);
        let shift = norm_l(next);
        error = l_shl(next, shift);
        exponent = add(exponent, shift);
    }
    let mut lpc = [4096; ORDER + 1];
    for (rounded, &coefficient) in lpc[1..].iter_mut().zip(&coefficients[1..]) {
        *rounded = round(l_shl(coefficient & !1, 1));
    }
    Some((lpc, second, shr(extract_h(error), exponent)))
}

/// Correlation of a filter's coefficients (B.4.1.3), and its shift.
pub(super) fn coefficient_correlation(lpc: &Lpc) -> ([i16; ORDER + 1], i16) {
    let sum = |lag: usize| super::vector::chain(0, &lpc[lag..], &lpc[..=ORDER - lag]);
    let shift = norm_l(sum(0));
    (each(|lag| round(l_shl(sum(lag), shift))), shift)
}

/// Sum of autocorrelations with different exponents (B.4.1.1), normalised, and its exponent.
pub(super) fn sum_of_correlations(
    correlations: &[[i16; ORDER + 1]],
    exponents: &[i16],
) -> ([i16; ORDER + 1], i16) {
    let least = add(exponents.iter().copied().fold(i16::MAX, i16::min), 14);
    let mut sums = [0; ORDER + 1];
    for (correlation, &exponent) in correlations.iter().zip(exponents) {
        let shift = sub(least, exponent);
        for (sum, &value) in sums.iter_mut().zip(correlation) {
            *sum = l_add(*sum, l_shl(i32::from(value), shift));
        }
    }
    let shift = norm_l(sums[0]);
    (sums.map(|sum| extract_h(l_shl(sum, shift))), add(least, sub(shift, 16)))
}
