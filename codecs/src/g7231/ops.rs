//! Operators that G.723.1 has beside those of G.191, and sums of products.
//!
//! The standard adds with saturation at each step. Most sums cannot get that far, and then a plain sum of the
//! same products is the same number and a loop that vectorises. Each caller says why, or asks at run time:
//! by the Cauchy-Schwarz inequality no partial sum of `a[i] * b[i]` is greater than the root of the product of
//! the two energies.

#![expect(clippy::indexing_slicing, reason = "offsets and lengths are those of the callers' fixed arrays")]

use crate::fixed::{abs_s, l_mac, l_shl, norm_s};

/// Energies whose product is less than this keep a doubled sum of products below 2³¹ - 2²⁰ at every step.
const SAFE_ENERGIES: u64 = ((1 << 30) - (1 << 19)) * ((1 << 30) - (1 << 19));

/// Product of a 32-bit number and a Q15 factor greater than -1, truncated.
#[inline(always)]
pub(super) const fn mul_32_16(value: i32, factor: i16) -> i32 {
    // The factor is at most 32767/32768, so the product is never out of range.
    ((value as i64 * factor as i64) >> 15) as i32
}

/// Q15 quotient of a non-negative 32-bit number and the upper half of another one; 1 if it would be more.
#[inline(always)]
pub(super) fn div_32_16(dividend: i32, divisor: i16) -> i16 {
    let divisor = i32::from(divisor);
    if divisor <= 0 || dividend >= divisor << 16 {
        return i16::MAX;
    }
    ((dividend.max(0) >> 1) / divisor) as i16
}

/// Root of a Q31 number in Q15, to 14 bits.
#[inline(always)]
pub(super) const fn sqrt(value: i32) -> i16 {
    if value <= 0 {
        return 0;
    }
    (value as u32 >> 1).isqrt() as i16 & !1
}

/// The standard's generator of random numbers.
#[inline(always)]
pub(super) const fn random(seed: &mut i16) -> i16 {
    *seed = (*seed as u16 as u32 * 521 + 259) as i16;
    *seed
}

/// A random number from 0 to `limit - 1`.
#[inline(always)]
pub(super) const fn random_below(limit: i16, seed: &mut i16) -> i16 {
    (((random(seed) & 0x7fff) as i32 * limit as i32) >> 15) as i16
}

/// The greatest magnitude.
#[inline(always)]
pub(super) fn peak(values: &[i16]) -> i32 {
    // In two running extremes, which are single vector instructions.
    let (mut high, mut low) = (0, 0);
    for &value in values {
        high = i16::max(high, value);
        low = i16::min(low, value);
    }
    i32::from(high).max(-i32::from(low))
}

/// Scales a vector so that its greatest magnitude has 12 bits; returns the shift to the left, -3 to 11.
#[inline(always)]
pub(super) fn normalise(values: &mut [i16]) -> i16 {
    let largest = peak(values).min(i32::from(i16::MAX)) as i16;
    let shift = norm_s(abs_s(largest));
    for value in values {
        // Does not leave 16 bits: the shift is that of the largest.
        *value = (*value << shift) >> 3;
    }
    shift - 3
}

/// Sum of products in plain 32-bit arithmetic: right if no partial sum leaves 32 bits.
#[inline(always)]
pub(super) fn sum_products(a: &[i16], b: &[i16]) -> i32 {
    a.iter().zip(b).fold(0, |sum: i32, (&a, &b)| sum.wrapping_add(i32::from(a) * i32::from(b)))
}

/// The same for a multiple of 16 values: the form from which the compiler makes multiply-add instructions, by
/// itself so that it stays in that form.
#[inline(never)]
pub(super) fn dot<const N: usize>(a: &[i16; N], b: &[i16; N]) -> i32 {
    dot_inline(a, b)
}

/// The same for use inside a function of the same kind.
#[inline(always)]
pub(super) fn dot_inline<const N: usize>(a: &[i16; N], b: &[i16; N]) -> i32 {
    const { assert!(N.is_multiple_of(16), "whole groups of sixteen") };
    let groups = a.as_chunks::<16>().0.iter().zip(b.as_chunks::<16>().0);
    groups.fold(0, |sum: i32, (a, b)| sum.wrapping_add(sum_products(a, b)))
}

/// The `N` values from `offset` on.
#[inline(always)]
pub(super) fn from<const N: usize>(values: &[i16], offset: usize) -> &[i16; N] {
    &values[offset..].as_chunks().0[0]
}

/// Values in front of zeros, to make up a round number.
#[inline(always)]
pub(super) fn padded<const N: usize>(values: &[i16]) -> [i16; N] {
    let mut all = [0; N];
    all[..values.len()].copy_from_slice(values);
    all
}

/// Twice the sum of products, saturated at each step as the standard has it.
#[inline(always)]
pub(super) fn mac_saturating(a: &[i16], b: &[i16]) -> i32 {
    a.iter().zip(b).fold(0, |sum, (&a, &b)| l_mac(sum, a, b))
}

/// Twice the sum of products: the quick way if `safe`, else saturated at each step.
#[inline(always)]
pub(super) fn mac(a: &[i16], b: &[i16], safe: bool) -> i32 {
    if safe { sum_products(a, b).wrapping_mul(2) } else { mac_saturating(a, b) }
}

/// Sum of products without doubling, saturated at each step.
#[inline(always)]
pub(super) fn sum_saturating(a: &[i16], b: &[i16]) -> i32 {
    a.iter()
        .zip(b)
        .fold(0i32, |sum, (&a, &b)| sum.saturating_add((i32::from(a) * i32::from(b)).min(i32::MAX >> 1)))
}

/// The exact sum of squares.
#[inline(always)]
pub(super) fn energy(values: &[i16]) -> u64 {
    let peak = peak(values).unsigned_abs();
    if u64::from(peak * peak) * (values.len() as u64) < 1 << 31 {
        return sum_products(values, values) as u64;
    }
    values.iter().map(|&value| (i32::from(value) * i32::from(value)) as u64).sum()
}

/// Whether no doubled sum of products of vectors with these energies can saturate at any step.
#[inline(always)]
pub(super) const fn safe_to_mac(energy_a: u64, energy_b: u64) -> bool {
    match energy_a.checked_mul(energy_b) {
        Some(product) => product < SAFE_ENERGIES,
        None => false,
    }
}

/// Sum of the magnitudes of coefficients.
#[inline(always)]
pub(super) fn magnitude(coefficients: &[i16]) -> i64 {
    coefficients.iter().map(|&coefficient| i64::from(i32::from(coefficient).abs())).sum()
}

/// Shift left by `count` and round to 16 bits.
#[inline(always)]
pub(super) const fn shl_round(value: i32, count: i16) -> i16 {
    crate::fixed::round(l_shl(value, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The root bit by bit, from the top to the second lowest: how the standard finds it.
    fn sqrt_by_bits(value: i32) -> i16 {
        let mut root = 0i32;
        for bit in (1..15).rev() {
            let trial = root + (1 << bit);
            if i64::from(value) >= 2 * i64::from(trial * trial) {
                root = trial;
            }
        }
        root as i16
    }

    #[test]
    fn the_root_is_the_bitwise_one() {
        for value in (0..i32::MAX - 99_991).step_by(99_991).chain([0, 1, 2, 7, 8, 9, i32::MAX]) {
            assert_eq!(sqrt(value), sqrt_by_bits(value), "{value}");
        }
    }

    #[test]
    fn normalising_leaves_twelve_bits() {
        let mut values = [-5, 3, 0];
        assert_eq!((normalise(&mut values), values), (9, [-2560, 1536, 0]));
        let mut values = [i16::MIN, 8, -8];
        assert_eq!((normalise(&mut values), values), (-3, [-4096, 1, -1]));
        let mut values = [0; 4];
        assert_eq!((normalise(&mut values), values), (-3, [0; 4]));
    }

    #[test]
    fn energies_are_exact_at_full_scale() {
        assert_eq!(energy(&[i16::MIN; 100]), 100 << 30);
        assert_eq!(energy(&[1, -2, 3, -4, 5]), 55);
    }

    #[test]
    fn quotients_at_the_ends() {
        assert_eq!((div_32_16(0x4000_0000, 0x4000), div_32_16(0x2000_0000, 0x4000)), (i16::MAX, 0x4000));
        assert_eq!((div_32_16(0, 1), div_32_16(5, 0)), (0, i16::MAX));
    }
}
