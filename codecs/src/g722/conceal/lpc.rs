//! Linear prediction in fixed point (Appendix IV, clauses IV.6.1.1 and IV.6.1.2).
#![expect(clippy::indexing_slicing, reason = "fixed arrays; orders and lengths are constants")]

use crate::fixed::{
    abs_s, div_32, l_abs, l_add, l_comp, l_extract, l_negate, l_shl, l_shr, l_sub, mpy_32, mult_r, norm_l,
    round,
};

/// Order of the lower band's filter.
pub(super) const ORDER: usize = 8;
/// The most samples that are analysed.
const WINDOW: usize = 80;

/// 70 samples of a rising Hamming window, 10 of a falling one.
const ASYMMETRIC_WINDOW: [i16; WINDOW] = [
    2621, 2637, 2684, 2762, 2871, 3010, 3180, 3380, 3610, 3869, 4157, 4473, 4816, 5185, 5581, 6002, 6447,
    6915, 7406, 7918, 8451, 9002, 9571, 10_158, 10_760, 11_376, 12_005, 12_647, 13_298, 13_959, 14_628,
    15_302, 15_982, 16_666, 17_351, 18_037, 18_723, 19_406, 20_086, 20_761, 21_429, 22_090, 22_742, 23_383,
    24_012, 24_629, 25_231, 25_817, 26_386, 26_938, 27_470, 27_982, 28_473, 28_941, 29_386, 29_807, 30_203,
    30_573, 30_916, 31_231, 31_519, 31_778, 32_008, 32_208, 32_378, 32_518, 32_627, 32_705, 32_751, 32_767,
    32_029, 29_888, 26_554, 22_352, 17_694, 13_036, 8835, 5500, 3359, 2621,
];

/// 60 Hz of bandwidth expansion and a noise floor of 1/10 000, in double precision format, from lag 1.
const LAG_WINDOW: [(i16, i16); ORDER] = [
    (32_728, 11_904),
    (32_619, 17_280),
    (32_438, 30_720),
    (32_187, 25_856),
    (31_867, 24_192),
    (31_480, 28_992),
    (31_029, 24_384),
    (30_517, 7360),
];

/// A filter of higher gain is not used: the greatest reflection coefficient, Q15.
const STABLE: i16 = 32_750;

/// A number in double precision format.
type Double = (i16, i16);

fn product(a: Double, b: Double) -> i32 {
    mpy_32(a.0, a.1, b.0, b.1)
}

fn value(a: Double) -> i32 {
    l_comp(a.0, a.1)
}

/// Predictor coefficients, Q12, of the newest samples of `signal`; `N` is the order and one. `None` if the filter
/// would not be stable.
pub(super) fn analyse<const N: usize>(signal: &[i16]) -> Option<[i16; N]> {
    levinson(&autocorrelation::<N>(signal))
}

/// Windowed, normalised so that the first is at least one half, and with the lag window.
fn autocorrelation<const N: usize>(signal: &[i16]) -> [Double; N] {
    let count = signal.len().min(WINDOW);
    let mut windowed = [0; WINDOW];
    // A shorter signal has the end of the window.
    let newest = signal[signal.len() - count..].iter().zip(&ASYMMETRIC_WINDOW[WINDOW - count..]);
    for (windowed, (&sample, &weight)) in windowed.iter_mut().zip(newest) {
        *windowed = mult_r(sample, weight);
    }
    let windowed = &mut windowed[..count];
    let energy = loop {
        let energy = windowed.iter().map(|&a| 2 * i64::from(a) * i64::from(a)).sum::<i64>() + 1;
        match i32::try_from(energy) {
            Ok(energy) => break energy,
            Err(_) => windowed.iter_mut().for_each(|sample| *sample >>= 2),
        }
    };
    let shift = norm_l(energy);
    core::array::from_fn(|lag| {
        if lag == 0 {
            return l_extract(l_shl(energy, shift));
        }
        // No sum of products is above the energy, so none overflows.
        let sum: i32 =
            windowed.iter().zip(&windowed[lag..]).map(|(&a, &b)| 2 * i32::from(a) * i32::from(b)).sum();
        l_extract(product(l_extract(l_shl(sum, shift)), LAG_WINDOW[lag - 1]))
    })
}

fn levinson<const N: usize>(correlation: &[Double; N]) -> Option<[i16; N]> {
    // Q27 in double precision format.
    let mut filter = [(0, 0); N];
    let mut reflection = quotient(value(correlation[1]), correlation[0], 0);
    filter[1] = l_extract(l_shr(reflection, 4));
    let (mut error, mut exponent) = remaining_error(correlation[0], reflection);
    for order in 2..N {
        let sum = (1..order)
            .map(|j| product(correlation[j], filter[order - j]))
            .reduce(l_add)
            .map_or(0, |sum| l_add(l_shl(sum, 4), value(correlation[order])));
        reflection = quotient(sum, error, exponent);
        let factor = l_extract(reflection);
        if abs_s(factor.0) > STABLE {
            return None;
        }
        let before = filter;
        for j in 1..order {
            filter[j] = l_extract(l_add(product(factor, before[order - j]), value(before[j])));
        }
        filter[order] = l_extract(l_shr(reflection, 4));
        let (next, shift) = remaining_error(error, reflection);
        (error, exponent) = (next, exponent + shift);
    }
    let mut coefficients = filter.map(|coefficient| round(l_shl(value(coefficient), 1)));
    coefficients[0] = 4096;
    Some(coefficients)
}

/// -`dividend` / `divisor`, the divisor shifted left by `exponent` before.
fn quotient(dividend: i32, divisor: Double, exponent: i16) -> i32 {
    let quotient = div_32(l_abs(dividend), divisor.0, divisor.1);
    l_shl(if dividend > 0 { l_negate(quotient) } else { quotient }, exponent)
}

/// The prediction error after one more reflection, normalised, and by how many bits that shifted it.
fn remaining_error(error: Double, reflection: i32) -> (Double, i16) {
    let factor = l_extract(reflection);
    let square = l_abs(product(factor, factor));
    let remaining = product(error, l_extract(l_sub(i32::MAX, square)));
    let shift = norm_l(remaining);
    (l_extract(l_shl(remaining, shift)), shift)
}
