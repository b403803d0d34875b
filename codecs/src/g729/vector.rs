//! Sums of products as the standard's multiply-accumulate chains give them, without paying for saturation where
//! none can happen.
//!
//! The standard's chain adds `2·a·b` and saturates at every step, which no compiler can vectorise. If the
//! energies say that no partial sum can leave 32 bits, the plain sum is the same number (`2·|Σ a·b|`, over any
//! part of the vectors, is at most `2·√(Σa²·Σb²)`); only where they do not is the chain walked.
#![expect(clippy::indexing_slicing, reason = "ranges of a subframe")]

use super::SUBFRAME;
use crate::fixed::{l_extract, l_mac, l_mult, mpy_32};

/// `[f(0), f(1), …]` by a plain loop, which becomes vector instructions where `array::from_fn` does not.
#[inline(always)]
pub(super) fn each<T: Copy + Default, const N: usize>(mut f: impl FnMut(usize) -> T) -> [T; N] {
    let mut all = [T::default(); N];
    for (i, one) in all.iter_mut().enumerate() {
        *one = f(i);
    }
    all
}

/// `f` of every element, by a plain loop.
#[inline(always)]
pub(super) fn mapped<A: Copy, T: Copy + Default, const N: usize>(
    a: &[A; N],
    mut f: impl FnMut(A) -> T,
) -> [T; N] {
    let mut all = [T::default(); N];
    for (one, &a) in all.iter_mut().zip(a) {
        *one = f(a);
    }
    all
}

/// `Σ a·b`, wrapping: for sums that were shown to fit.
#[inline(always)]
pub(super) fn dot(a: &[i16], b: &[i16]) -> i32 {
    a.iter().zip(b).fold(0, |sum, (&a, &b)| sum.wrapping_add(i32::from(a) * i32::from(b)))
}

/// [`dot`] of a subframe.
#[inline(always)]
pub(super) fn subframe_dot(a: &[i16; SUBFRAME], b: &[i16; SUBFRAME]) -> i32 {
    long_dot::<SUBFRAME, 32>(a, b) as i32
}

// Functions of their own, where a loop over a power of two samples becomes multiply-and-add instructions. Other lengths
// are composed of such, in 64 bits: in 32 the compiler would join the parts again and lose them.

/// [`dot`] of a power of two samples.
#[inline(never)]
pub(super) fn short_dot<const N: usize>(a: &[i16; N], b: &[i16; N]) -> i32 {
    dot(a, b)
}

/// [`dot`] of `HEAD` samples, a power of two, and eight more.
#[inline(never)]
fn long_dot<const N: usize, const HEAD: usize>(a: &[i16; N], b: &[i16; N]) -> i64 {
    const { assert!(N == HEAD + 8 && HEAD.is_power_of_two(), "no sample is left out or counted twice") };
    let (Some(a_start), Some(b_start)) = (a.first_chunk::<HEAD>(), b.first_chunk::<HEAD>()) else { return 0 };
    let (Some(a_end), Some(b_end)) = (a.last_chunk::<8>(), b.last_chunk::<8>()) else { return 0 };
    i64::from(dot(a_start, b_start)) + i64::from(dot(a_end, b_end))
}

/// [`dot`] of a whole number of blocks of eight, for long vectors.
#[inline(always)]
pub(super) fn block_dot<const N: usize>(a: &[i16; N], b: &[i16; N]) -> i32 {
    let mut lanes = [0i32; 8];
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
            *lane = lane.wrapping_add(i32::from(a) * i32::from(b));
        }
    }
    lanes.iter().fold(0, |sum, &lane| sum.wrapping_add(lane))
}

/// The products of `signal`, from every sample on, with the beginning of `response`.
pub(super) fn delayed_dots(signal: &[i16; SUBFRAME], response: &[i16; SUBFRAME]) -> [i32; SUBFRAME] {
    let mut padded = [0; SUBFRAME + 8];
    padded[..SUBFRAME].copy_from_slice(signal);
    let mut sums = [0; SUBFRAME];
    delayed_block(&padded, response, &mut sums, subframe_dot);
    delayed_block(&padded, response, &mut sums, short_dot::<32>);
    delayed_block(&padded, response, &mut sums, |a, b| long_dot::<24, 16>(a, b) as i32);
    delayed_block(&padded, response, &mut sums, short_dot::<16>);
    delayed_block(&padded, response, &mut sums, short_dot::<8>);
    sums
}

/// The eight sums for which `N` samples or up to seven fewer are left.
#[inline(always)]
fn delayed_block<const N: usize>(
    padded: &[i16; SUBFRAME + 8],
    response: &[i16; SUBFRAME],
    sums: &mut [i32; SUBFRAME],
    dot: impl Fn(&[i16; N], &[i16; N]) -> i32,
) {
    let from = SUBFRAME - N;
    let Some(response) = response.first_chunk::<N>() else { return };
    for (sum, delay) in sums[from..from + 8].iter_mut().zip(from..) {
        if let Some(delayed) = padded[delay..].first_chunk::<N>() {
            *sum = dot(delayed, response);
        }
    }
}

/// `Σ a²`.
#[inline]
pub(super) fn energy(a: &[i16]) -> i64 {
    a.iter().map(|&a| u64::from((i32::from(a) * i32::from(a)) as u32)).sum::<u64>() as i64
}

/// Whether no part of the chain over two vectors with these energies can saturate, with room for the 1 that some
/// chains begin with.
#[inline(always)]
pub(super) fn fits(energy_a: i64, energy_b: i64) -> bool {
    energy_a.saturating_mul(energy_b) < 1 << 59
}

/// The chain over two vectors, from 0. `energies_fit` is the answer of [`fits`] for them.
#[inline]
pub(super) fn correlation(a: &[i16; SUBFRAME], b: &[i16; SUBFRAME], energies_fit: bool) -> i32 {
    if energies_fit { 2 * subframe_dot(a, b) } else { chain(0, a, b) }
}

/// The greatest magnitude.
#[inline]
pub(super) fn peak(a: &[i16]) -> i32 {
    let (most, least) = a.iter().fold((0, 0), |(most, least), &a| (a.max(most), a.min(least)));
    i32::from(most).max(-i32::from(least))
}

/// `start + 2·Σ a²`, saturated. No term is negative, so saturation at the end is saturation on the way.
#[inline]
pub(super) fn saturated_energy(start: i32, a: &[i16]) -> i32 {
    (i64::from(start) + 2 * energy(a)).min(i64::from(i32::MAX)) as i32
}

/// The chain, step by step.
#[cold]
#[inline(never)]
pub(super) fn chain(start: i32, a: &[i16], b: &[i16]) -> i32 {
    a.iter().zip(b).fold(start, |sum, (&a, &b)| l_mac(sum, a, b))
}

/// The chain, step by step; `None` if it saturated.
#[cold]
#[inline(never)]
pub(super) fn checked_chain(start: i32, a: &[i16], b: &[i16]) -> Option<i32> {
    a.iter().zip(b).try_fold(start, |sum, (&a, &b)| {
        if a == i16::MIN && b == i16::MIN {
            return None;
        }
        sum.checked_add(l_mult(a, b))
    })
}

/// The product of a 32-bit number in double precision format (its lowest bit does not count) and a Q15 number
/// greater than -1: the standard's `Mpy_32_16`.
#[inline(always)]
pub(super) fn scale(number: i32, factor: i16) -> i32 {
    // high·factor·2 + (low·factor >> 15)·2 with number = high·2^16 + low·2 is one product with its lowest bit cut.
    (((i64::from(number & !1) * i64::from(factor)) >> 15) & !1) as i32
}

/// The product of two 32-bit numbers in double precision format: the standard's `Mpy_32`.
#[inline(always)]
pub(super) fn multiply(a: i32, b: i32) -> i32 {
    let ((a_high, a_low), (b_high, b_low)) = (l_extract(a), l_extract(b));
    if a_high == i16::MIN && b_high == i16::MIN {
        return mpy_32(a_high, a_low, b_high, b_low);
    }
    let product = |a: i16, b: i16| i32::from(a) * i32::from(b);
    2 * (product(a_high, b_high) + (product(a_high, b_low) >> 15) + (product(a_low, b_high) >> 15))
}

/// `value · 2^-shift`, rounded half up and saturated: what is left of a doubled sum after `round(shl(2·sum, 15 -
/// shift))`.
#[inline(always)]
pub(super) fn round_shift(sum: i32, shift: u32) -> i16 {
    let rounded = sum.wrapping_add(1 << (shift - 1)) >> shift;
    rounded.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed::mpy_32_16;

    #[test]
    fn the_fast_product_is_the_standards() {
        let numbers = [0, 1, -1, 2, -2, 0x1234_5678, -0x1234_5679, i32::MAX, i32::MIN, 0x7fff, -0x8001];
        for number in numbers {
            for factor in [0, 1, -1, 9864, -24_660, i16::MAX, -i16::MAX] {
                let (high, low) = l_extract(number);
                assert_eq!(scale(number, factor), mpy_32_16(high, low, factor), "{number} {factor}");
            }
        }
    }

    #[test]
    fn the_fast_long_product_is_the_standards() {
        let numbers = [0, 1, -1, 0x1234_5678, -0x1234_5679, i32::MAX, -i32::MAX, i32::MIN, 0x7fff, -0x8001];
        for a in numbers {
            for b in numbers {
                let ((a_high, a_low), (b_high, b_low)) = (l_extract(a), l_extract(b));
                assert_eq!(multiply(a, b), mpy_32(a_high, a_low, b_high, b_low), "{a} {b}");
            }
        }
    }

    #[test]
    fn the_chain_tells_when_it_saturates() {
        let loud = [i16::MAX; 4];
        assert_eq!(checked_chain(0, &loud[..1], &loud[..1]), Some(0x7ffe_0002));
        assert_eq!(checked_chain(0, &loud, &loud), None);
        assert_eq!(chain(0, &loud, &loud), i32::MAX);
        assert!(!fits(energy(&loud), energy(&loud)));
        assert_eq!(saturated_energy(1, &loud), i32::MAX);
        assert_eq!(saturated_energy(1, &[3, -4]), 51);
    }
}
