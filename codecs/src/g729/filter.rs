//! The filters `A(z)` and `1/A(z)` of order 10, Q12 coefficients, the first of them 1.
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the subframe and the order")]

use super::vector::{each, mapped, peak, round_shift};
use super::{Lpc, ORDER, SUBFRAME};
use crate::fixed::{extract_h, l_mac, l_mult, saturate};

/// Filters a subframe of `signal`, which begins with the ten samples before it, by `A(z)`.
#[inline]
pub(super) fn residual(lpc: &Lpc, signal: &[i16; SUBFRAME + ORDER]) -> [i16; SUBFRAME] {
    if i64::from(gain(lpc)) * i64::from(peak(signal)) >= 1 << 30 {
        return saturating_residual(lpc, signal);
    }
    let mut residual = [0; SUBFRAME];
    for (block, out) in residual.as_chunks_mut().0.iter_mut().enumerate() {
        if let Some(signal) = signal[8 * block..].first_chunk() {
            residual_block(lpc, signal, out);
        }
    }
    residual
}

/// Eight samples. Not inlined, or the eight lanes fall apart into scalars.
#[inline(never)]
fn residual_block(lpc: &Lpc, signal: &[i16; 8 + ORDER], out: &mut [i16; 8]) {
    let mut sums = [0x800i32; 8];
    for (tap, &coefficient) in lpc.iter().enumerate() {
        for (sum, &sample) in sums.iter_mut().zip(&signal[ORDER - tap..]) {
            *sum += i32::from(coefficient) * i32::from(sample);
        }
    }
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = saturate(sum >> 12);
    }
}

#[cold]
fn saturating_residual(lpc: &Lpc, signal: &[i16; SUBFRAME + ORDER]) -> [i16; SUBFRAME] {
    each(|i| {
        let sum = lpc
            .iter()
            .zip(signal[i..=i + ORDER].iter().rev())
            .fold(0, |sum, (&coefficient, &sample)| l_mac(sum, coefficient, sample));
        round_q12(sum).0
    })
}

/// Sum of the magnitudes of the coefficients: the most by which a filter can amplify.
fn gain(lpc: &Lpc) -> u32 {
    lpc.iter().map(|coefficient| u32::from(coefficient.unsigned_abs())).sum()
}

/// Filters `input` by `1/A(z)` with the ten past outputs in `memory`. Also tells whether anything saturated.
#[inline]
pub(super) fn synthesis<const N: usize>(
    lpc: &Lpc,
    input: &[i16; N],
    memory: &[i16; ORDER],
) -> ([i16; N], bool) {
    // As long as all samples stay within this, no partial sum of the filter can reach 2^30. It is less than the
    // greatest sample, which may be one that was cut off.
    let limit = ((1 << 30) / gain(lpc)).min(i16::MAX as u32 - 1) as i32;
    let mut output = [0; N];
    let mut done = 0;
    if peak(memory).max(peak(input)) <= limit {
        done = plain_synthesis(lpc, input, memory, &mut output, limit);
    }
    let overflow = done < N && saturating_synthesis(lpc, input, memory, &mut output, done);
    (output, overflow)
}

/// Returns how many outputs there are before the first that is beyond `limit`; those after it mean nothing. `N` is
/// even.
#[inline(always)]
fn plain_synthesis<const N: usize>(
    lpc: &Lpc,
    input: &[i16; N],
    memory: &[i16; ORDER],
    output: &mut [i16; N],
    limit: i32,
) -> usize {
    let mut recursion = Recursion::new(lpc, memory);
    let mut wide = [0; N];
    let (blocks, rest) = input.as_chunks::<10>();
    let (wide_blocks, wide_rest) = wide.as_chunks_mut::<10>();
    for (block, wide) in blocks.iter().zip(wide_blocks) {
        *wide = recursion.turn(block);
    }
    for (&pair, wide) in rest.as_chunks().0.iter().zip(wide_rest.as_chunks_mut().0) {
        *wide = recursion.step(pair);
    }
    *output = mapped(&wide, saturate);
    if peak(output) <= limit {
        return N;
    }
    output.iter().position(|&sample| i32::from(sample).abs() > limit).unwrap_or(N)
}

/// The recursion, two outputs at a time: a past output counts for both of them, so one 64-bit product gives both
/// contributions, that to the first output in the lower half and that to the second in the upper.
struct Recursion {
    /// `-(a[j] + a[j + 1] · 2^32)` for j from 1.
    taps: [i64; ORDER],
    first_tap: i64,
    /// Newest first.
    past: [i64; ORDER],
}

impl Recursion {
    #[inline(always)]
    fn new(lpc: &Lpc, memory: &[i16; ORDER]) -> Self {
        let tap = |j: usize| if j <= ORDER { i64::from(lpc[j]) } else { 0 };
        Self {
            taps: each(|j| -(tap(j + 1) + (tap(j + 2) << 32))),
            first_tap: i64::from(lpc[1]),
            past: each(|i| i64::from(memory[ORDER - 1 - i])),
        }
    }

    /// Ten outputs, after which the past has turned round once. Written out: in a loop the past would be moved on
    /// at every step.
    #[inline(always)]
    fn turn(&mut self, input: &[i16; 10]) -> [i32; 10] {
        let &[i0, i1, i2, i3, i4, i5, i6, i7, i8, i9] = input;
        let [o0, o1] = self.step([i0, i1]);
        let [o2, o3] = self.step([i2, i3]);
        let [o4, o5] = self.step([i4, i5]);
        let [o6, o7] = self.step([i6, i7]);
        let [o8, o9] = self.step([i8, i9]);
        [o0, o1, o2, o3, o4, o5, o6, o7, o8, o9]
    }

    #[inline(always)]
    fn step(&mut self, [first, second]: [i16; 2]) -> [i32; 2] {
        let (taps, past) = (&self.taps, &self.past);
        // Both inputs in Q12, with what rounds them.
        let inputs = (i64::from(first) << 12) + (i64::from(second) << 44) + (0x800 + (0x800 << 32));
        // The newest last: the others are ready before it is. Beyond the limit the sums mean nothing, and wrap.
        let mut sums = inputs.wrapping_add(taps[9].wrapping_mul(past[9]));
        for j in (0..9).rev() {
            sums = sums.wrapping_add(taps[j].wrapping_mul(past[j]));
        }
        let one = i64::from(sums as i32) >> 12;
        let upper = sums.wrapping_add(1 << 31) >> 32;
        let other = (upper - self.first_tap * one) >> 12;
        self.past = [other, one, past[0], past[1], past[2], past[3], past[4], past[5], past[6], past[7]];
        [one as i32, other as i32]
    }
}

#[cold]
#[inline(never)]
fn saturating_synthesis<const N: usize>(
    lpc: &Lpc,
    input: &[i16; N],
    memory: &[i16; ORDER],
    output: &mut [i16; N],
    from: usize,
) -> bool {
    let mut overflow = false;
    for i in from..N {
        let past = |back: usize| if back <= i { output[i - back] } else { memory[ORDER + i - back] };
        let mut sum = l_mult(input[i], lpc[0]);
        for (tap, &coefficient) in lpc.iter().enumerate().skip(1) {
            let exact = i64::from(sum) - 2 * i64::from(coefficient) * i64::from(past(tap));
            sum = exact.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
            overflow |= i64::from(sum) != exact;
        }
        let (sample, saturated) = round_q12(sum);
        overflow |= saturated;
        output[i] = sample;
    }
    overflow
}

/// `round(l_shl(sum, 3))`, and whether that saturated.
fn round_q12(sum: i32) -> (i16, bool) {
    let shifted = i64::from(sum) << 3;
    let rounded = (shifted + 0x8000).clamp(i64::from(i32::MIN), i64::from(i32::MAX));
    (extract_h(rounded as i32), rounded != shifted + 0x8000)
}

/// The first samples of the response of `1/A(z)` to the samples of `start`.
#[inline]
pub(super) fn response<const N: usize>(lpc: &Lpc, start: &[i16]) -> [i16; N] {
    let mut input = [0; N];
    input[..start.len()].copy_from_slice(start);
    synthesis(lpc, &input, &[0; ORDER]).0
}

/// `A(z/γ)` with the powers of γ from [`powers`].
#[inline]
pub(super) fn weighted(lpc: &Lpc, powers: &[i16; ORDER]) -> Lpc {
    let mut weighted = *lpc;
    for (coefficient, &power) in weighted[1..].iter_mut().zip(powers) {
        *coefficient = round_shift(i32::from(*coefficient) * i32::from(power), 15);
    }
    weighted
}

/// γ, γ², … γ^10 in Q15, each rounded as the standard does.
pub(super) const fn powers(gamma: i16) -> [i16; ORDER] {
    let mut powers = [gamma; ORDER];
    let mut i = 1;
    while i < ORDER {
        powers[i] = ((powers[i - 1] as i32 * gamma as i32 + 0x4000) >> 15) as i16;
        i += 1;
    }
    powers
}
