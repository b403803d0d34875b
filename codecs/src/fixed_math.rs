//! Square root, logarithm and power by table and linear interpolation, as G.729, G.723.1 and AMR define them.
//!
//! The standards' bits depend on these very tables, so a better approximation would be a wrong one.

#![allow(dead_code, reason = "each codec uses its own part")]

use crate::fixed::{extract_h, l_msu, l_shr_r};

/// `2^exponent.fraction`, the fraction in Q15 (0..1), the exponent 0..=30.
#[inline]
pub(crate) fn pow2(exponent: i16, fraction: i16) -> i32 {
    let position = i32::from(fraction) << 6;
    let mantissa = interpolate(&POW2, position >> 16, (position >> 1) & 0x7FFF);
    l_shr_r(mantissa, 30i16.saturating_sub(exponent))
}

/// Base-2 logarithm as integer part (0..=30) and Q15 fraction; 0 for anything that is not positive.
#[inline]
pub(crate) fn log2(value: i32) -> (i16, i16) {
    if value <= 0 {
        return (0, 0);
    }
    let shift = value.leading_zeros() as i32 - 1;
    let normal = value << shift;
    let mantissa = interpolate(&LOG2, (normal >> 25) - 32, (normal >> 10) & 0x7FFF);
    ((30 - shift) as i16, extract_h(mantissa))
}

/// `1 / sqrt(value)` in Q30; the greatest value there is for anything that is not positive.
#[inline]
pub(crate) fn inv_sqrt(value: i32) -> i32 {
    if value <= 0 {
        return 0x3FFF_FFFF;
    }
    let shift = value.leading_zeros() as i32 - 1;
    let exponent = 30 - shift;
    // The table spans 1/4..1: an even exponent is made odd, so that halving it leaves no remainder.
    let normal = (value << shift) >> (1 - (exponent & 1));
    interpolate(&INV_SQRT, (normal >> 25) - 16, (normal >> 10) & 0x7FFF) >> ((exponent >> 1) + 1)
}

/// The value between two neighbours of a table, as Q31; `between` is Q15.
#[inline]
fn interpolate<const N: usize>(table: &[i16; N], index: i32, between: i32) -> i32 {
    let index = (index as usize).min(N - 2);
    let (Some(&here), Some(&next)) = (table.get(index), table.get(index + 1)) else { return 0 };
    l_msu(i32::from(here) << 16, here - next, between as i16)
}

const POW2: [i16; 33] = [
    16384, 16743, 17109, 17484, 17867, 18258, 18658, 19066, 19484, 19911, 20347, 20792, 21247, 21713, 22188,
    22674, 23170, 23678, 24196, 24726, 25268, 25821, 26386, 26964, 27554, 28158, 28774, 29405, 30048, 30706,
    31379, 32066, 32767,
];

const LOG2: [i16; 33] = [
    0, 1455, 2866, 4236, 5568, 6863, 8124, 9352, 10549, 11716, 12855, 13967, 15054, 16117, 17156, 18172,
    19167, 20142, 21097, 22033, 22951, 23852, 24735, 25603, 26455, 27291, 28113, 28922, 29716, 30497, 31266,
    32023, 32767,
];

const INV_SQRT: [i16; 49] = [
    32767, 31790, 30894, 30070, 29309, 28602, 27945, 27330, 26755, 26214, 25705, 25225, 24770, 24339, 23930,
    23541, 23170, 22817, 22479, 22155, 21845, 21548, 21263, 20988, 20724, 20470, 20225, 19988, 19760, 19539,
    19326, 19119, 18919, 18725, 18536, 18354, 18176, 18004, 17837, 17674, 17515, 17361, 17211, 17064, 16921,
    16782, 16646, 16514, 16384,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_are_exact() {
        for exponent in 0..=30 {
            assert_eq!(pow2(exponent, 0), 1 << exponent);
            assert_eq!(log2(1 << exponent), (exponent, 0));
        }
        assert_eq!(inv_sqrt(1 << 30), 32767 << 15 >> 15);
    }

    #[test]
    fn the_logarithm_of_what_is_not_positive_is_zero() {
        assert_eq!((log2(0), log2(-5)), ((0, 0), (0, 0)));
        assert_eq!((inv_sqrt(0), inv_sqrt(-5)), (0x3FFF_FFFF, 0x3FFF_FFFF));
    }

    #[test]
    fn logarithm_and_power_undo_each_other_within_the_table_error() {
        for value in (1000..2_000_000_000).step_by(12_345_678) {
            let (exponent, fraction) = log2(value);
            let back = i64::from(pow2(exponent, fraction));
            let value = i64::from(value);
            assert!((back - value).abs() * 2000 < value + 2000, "{value} came back as {back}");
        }
    }

    #[test]
    fn the_square_of_the_inverse_root_times_the_value_is_one() {
        for value in (1000..2_000_000_000i64).step_by(7_654_321) {
            let root = i64::from(inv_sqrt(value as i32));
            // Q60 of root² · value is 1, within the table's and the result's resolution.
            let one = (root * root) as i128 * value as i128;
            let error = (one - (1i128 << 60)).abs();
            assert!(error < 1i128 << 53, "{value}: {error}");
        }
    }
}
