//! Arithmetic as the reference encoder does it where that is not what the standard's operators do.
//!
//! The reference sums products without saturation in most places, so those sums wrap; sums modulo 2³² may be taken
//! in any order, which is what lets the compiler use vector instructions. Some of its operators also differ from
//! [`crate::fixed`] at the edges: they shift everything out to zero, and normalise the magnitude of negative numbers.

use super::super::SUBFRAME;

/// Sum of products of vectors whose length is a multiple of eight, wrapping.
#[inline(always)]
pub(super) fn dot<const N: usize>(a: &[i16; N], b: &[i16; N]) -> i32 {
    const { assert!(N.is_multiple_of(8)) };
    let ((a32, a), (b32, b)) = (a.as_chunks(), b.as_chunks());
    let ((a16, a), (b16, b)) = (a.as_chunks(), b.as_chunks());
    dot_blocks::<32>(a32, b32)
        .wrapping_add(dot_blocks::<16>(a16, b16))
        .wrapping_add(dot_blocks::<8>(a.as_chunks().0, b.as_chunks().0))
}

#[inline(always)]
fn dot_blocks<const N: usize>(a: &[[i16; N]], b: &[[i16; N]]) -> i32 {
    a.iter().zip(b).fold(0i32, |sum, (a, b)| sum.wrapping_add(dot_block(a, b)))
}

/// Blocks of 32, 16 or 8 become one multiply-add instruction for eight products, as long as nothing else is near:
/// inlined, the compiler would merge them to other lengths, or widen one of two vectors before a loop to a width for
/// which few machines have a multiplication.
#[inline(never)]
fn dot_block<const N: usize>(a: &[i16; N], b: &[i16; N]) -> i32 {
    let mut products = [0i32; N];
    for ((product, a), b) in products.iter_mut().zip(a).zip(b) {
        *product = i32::from(*a) * i32::from(*b);
    }
    products.iter().fold(0i32, |sum, product| sum.wrapping_add(*product))
}

/// Sum of squares, exact.
#[inline(always)]
pub(super) fn energy(samples: &[i16]) -> u64 {
    // Halves of the squares, so that 32 bits hold the sums of up to 65,536 of each.
    let (mut low, mut high) = (0u32, 0u32);
    for sample in samples {
        let square = (i32::from(*sample) * i32::from(*sample)) as u32;
        low = low.wrapping_add(square & 0xFFFF);
        high = high.wrapping_add(square >> 16);
    }
    u64::from(low) + (u64::from(high) << 16)
}

/// The greatest magnitude.
#[inline(always)]
pub(super) fn peak(samples: &[i16]) -> u16 {
    samples.iter().fold(0, |peak, sample| peak.max(sample.unsigned_abs()))
}

/// A subframe's vector filtered by an impulse response, Q12.
pub(super) fn convolve(vector: &[i16; SUBFRAME], impulse: &[i16; SUBFRAME]) -> [i16; SUBFRAME] {
    // Reversed and with zeros before it, so that each sample of the result is a sum of 40 products.
    let mut reversed = [0; 2 * SUBFRAME];
    for (out, h) in reversed.iter_mut().zip(impulse.iter().rev()) {
        *out = *h;
    }
    let mut filtered = [0; SUBFRAME];
    for (n, out) in filtered.iter_mut().enumerate() {
        *out = (dot(part::<SUBFRAME>(&reversed, SUBFRAME - 1 - n), vector) >> 12) as i16;
    }
    filtered
}

/// `N` samples from `at`. The caller's constants make sure that they are there.
#[inline(always)]
pub(super) fn part<const N: usize>(samples: &[i16], at: usize) -> &[i16; N] {
    samples.get(at..).and_then(|rest| rest.first_chunk()).unwrap_or(const { &[0; N] })
}

/// Shift left, saturating; a negative count shifts right.
#[inline(always)]
pub(super) const fn shl16(value: i16, count: i32) -> i16 {
    if count < 0 {
        return if count > -15 { value >> -count } else { 0 };
    }
    let shifted = (value as i32).wrapping_shl(count as u32) as i16;
    if (shifted as i32).wrapping_shr(count as u32) == value as i32 {
        shifted
    } else {
        (value >> 15) ^ i16::MAX
    }
}

/// Shift right; a negative count shifts left, saturating.
#[inline(always)]
pub(super) const fn shr16(value: i16, count: i32) -> i16 {
    if count >= 0 {
        return value >> (if count > 15 { 15 } else { count });
    }
    let count = if count < -15 { 15 } else { -count };
    let shifted = ((value as i32) << count) as i16;
    if shifted >> count == value { shifted } else { (value >> 15) ^ i16::MAX }
}

/// Shift left, saturating; a negative count shifts right.
#[inline(always)]
pub(super) const fn shl32(value: i32, count: i32) -> i32 {
    if count <= 0 {
        return if count > -31 { value >> -count } else { 0 };
    }
    let shifted = value.wrapping_shl(count as u32);
    if shifted.wrapping_shr(count as u32) == value { shifted } else { (value >> 31) ^ i32::MAX }
}

/// Shift right; a negative count shifts left, saturating.
#[inline(always)]
pub(super) const fn shr32(value: i32, count: i32) -> i32 {
    shl32(value, count.wrapping_neg())
}

/// Shifts left that normalise the magnitude; 0 for 0.
#[inline(always)]
pub(super) const fn norm32(value: i32) -> i32 {
    match value {
        0 | i32::MIN => 0,
        _ => value.unsigned_abs().leading_zeros() as i32 - 1,
    }
}

/// Adds twice a product, saturating but for two corners: -1 · -1 is the greatest number whatever it is added to,
/// and a sum that happens to be just the product is not watched.
#[inline(always)]
pub(super) const fn mac(sum: i32, a: i16, b: i16) -> i32 {
    let product = a as i32 * b as i32;
    if product == 0x4000_0000 {
        return i32::MAX;
    }
    let total = sum.wrapping_add(product << 1);
    if (sum ^ product) > 0 && (total ^ sum) < 0 { (sum >> 31) ^ i32::MAX } else { total }
}

/// [`mac`] over two slices.
#[inline(always)]
pub(super) fn mac_all(start: i32, a: &[i16], b: &[i16]) -> i32 {
    a.iter().zip(b).fold(start, |sum, (a, b)| mac(sum, *a, *b))
}

/// The middle one of five, the later of equals, as the reference sorts.
pub(super) fn median_place(values: &[i16; 5]) -> usize {
    let mut left = *values;
    let mut place = 0;
    for _ in 0..3 {
        let mut most = -32767;
        for (i, value) in left.iter().enumerate() {
            if *value >= most {
                most = *value;
                place = i;
            }
        }
        if let Some(value) = left.get_mut(place) {
            *value = i16::MIN;
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shifted_out_is_zero() {
        assert_eq!((shl16(-1, -15), shl16(-4, -1), shl16(1, 15), shl16(3, 2)), (0, -2, i16::MAX, 12));
        assert_eq!((shr16(-1, 15), shr16(-1, 99), shr16(1, -20), shr16(-3, -1)), (-1, -1, i16::MAX, -6));
        assert_eq!(
            (shl32(-1, -31), shl32(-1, -30), shl32(1, 31), shl32(-1, 31)),
            (0, -1, i32::MAX, i32::MIN)
        );
        assert_eq!((shr32(-1, 31), shr32(i32::MIN, 30), shr32(1, -31)), (0, -2, i32::MAX));
    }

    #[test]
    fn a_magnitude_is_normalised() {
        assert_eq!(
            (norm32(0), norm32(i32::MIN), norm32(-1), norm32(1), norm32(-0x4000_0000)),
            (0, 0, 30, 30, 0)
        );
    }

    #[test]
    fn the_energy_is_exact() {
        assert_eq!(energy(&[i16::MIN; 240]), 240 << 30);
        assert_eq!(energy(&[3, -4, 0]), 25);
        assert_eq!((dot(&[i16::MIN; 8], &[i16::MIN; 8]), dot(&[3; 240], &[-4; 240])), (0, -2880));
        assert_eq!(peak(&[3, i16::MIN]), 0x8000);
    }

    #[test]
    fn the_median_of_equals_is_one_of_them() {
        assert_eq!(median_place(&[5, 1, 4, 2, 3]), 4);
        assert_eq!(median_place(&[7; 5]), 2);
    }

    #[test]
    fn sums_saturate() {
        assert_eq!(mac(i32::MAX - 1, 1, 1), i32::MAX);
        assert_eq!(mac(i32::MIN + 1, -1, 1), i32::MIN);
        assert_eq!(mac(-5, i16::MIN, i16::MIN), i32::MAX);
        assert_eq!(mac(5, 3, 4), 29);
    }
}
