//! Tenth-order filters over a subframe.
//!
//! Each filter first runs in plain arithmetic. No step can have saturated if the values that it met and the
//! magnitudes of its coefficients keep every partial sum inside 32 bits; that is looked up afterwards, and if
//! it does not hold the filter runs again with saturation at each step, as the standard has it.
//! (The plain run is right up to and with the first sample that is out of bounds, so it cannot miss one.)

#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the order and the subframe")]

use super::ops::{magnitude, peak};
use super::{Lpc, ORDER, SUBFRAME};
use crate::fixed::{l_mac, l_msu, l_shl, round};

/// The last values of a signal, the oldest first.
pub(super) type Memory = [i16; ORDER];
/// A subframe at the scale of an accumulator.
pub(super) type Wide = [i32; SUBFRAME];
/// A subframe of samples.
pub(super) type Samples = [i16; SUBFRAME];

/// Partial sums stay this far below 2³¹, so that rounding cannot overflow either.
const LIMIT: i64 = (1 << 31) - (1 << 16);

/// A signal behind its memory, in one piece.
#[inline(always)]
pub(super) fn joined(memory: &Memory, samples: &Samples) -> [i16; ORDER + SUBFRAME] {
    let mut all = [0; ORDER + SUBFRAME];
    all[..ORDER].copy_from_slice(memory);
    all[ORDER..].copy_from_slice(samples);
    all
}

/// The last values of a subframe.
#[inline(always)]
pub(super) fn tail(samples: &Samples) -> Memory {
    let mut memory = [0; ORDER];
    memory.copy_from_slice(&samples[SUBFRAME - ORDER..]);
    memory
}

/// The greatest magnitude of wide values.
#[inline(always)]
fn wide_peak(values: &Wide) -> i64 {
    let (mut high, mut low) = (0, 0);
    for &value in values {
        high = i32::max(high, value);
        low = i32::min(low, value);
    }
    i64::from(high).max(-i64::from(low))
}

/// Whether sums that begin at up to `start` stay in 32 bits with these coefficients over values up to `peak`.
#[inline(always)]
fn in_bounds(start: i64, coefficients: &Lpc, peak: i32) -> bool {
    start + 2 * magnitude(coefficients) * i64::from(peak) < LIMIT
}

/// `sums[n] -= 2 * c[j] * x[n - 1 - j]`, in plain arithmetic. `x` begins with its memory.
#[inline(always)]
fn subtract_zeros(sums: &mut Wide, coefficients: &Lpc, x: &[i16; ORDER + SUBFRAME]) {
    for (j, &coefficient) in coefficients.iter().enumerate() {
        let twice = 2 * i32::from(coefficient);
        let late = &x[ORDER - 1 - j..][..SUBFRAME];
        for (sum, &x) in sums.iter_mut().zip(late) {
            *sum = sum.wrapping_sub(twice.wrapping_mul(i32::from(x)));
        }
    }
}

/// `y[n] = round(4 * (sums[n] + 2 * c[j] * y[n - 1 - j]))`, in plain arithmetic; leaves the sums in `sums`.
#[inline(always)]
fn poles(sums: &mut Wide, coefficients: &Lpc, memory: &Memory) -> Samples {
    let c = coefficients.map(i32::from);
    // What the outputs so far add to the sum of each of the next ten samples.
    let mut ahead = [0i32; ORDER];
    for (j, ahead) in ahead.iter_mut().enumerate() {
        for k in j..ORDER {
            *ahead = ahead.wrapping_add(c[k] * i32::from(memory[ORDER - 1 + j - k]));
        }
    }
    let mut y = [0; SUBFRAME];
    for (y, sum) in y.iter_mut().zip(sums) {
        *sum = sum.wrapping_add(ahead[0].wrapping_mul(2));
        // A quarter of the scale: the shift by two and the rounding in one.
        let value = (sum.wrapping_add(0x2000) >> 14).clamp(-0x8000, 0x7fff);
        for j in 0..ORDER - 1 {
            ahead[j] = ahead[j + 1].wrapping_add(c[j] * value);
        }
        ahead[ORDER - 1] = c[ORDER - 1] * value;
        *y = value as i16;
    }
    y
}

/// Synthesis filter: recursive, on an input at the accumulator's scale.
pub(super) fn synthesise(input: &Wide, lpc: &Lpc, memory: &Memory) -> Samples {
    let mut sums = *input;
    let y = poles(&mut sums, lpc, memory);
    if in_bounds(wide_peak(input), lpc, peak(memory).max(peak(&y))) {
        return y;
    }
    let mut all = joined(memory, &[0; SUBFRAME]);
    for n in 0..SUBFRAME {
        let sum = (0..ORDER).fold(input[n], |sum, j| l_mac(sum, lpc[j], all[n + ORDER - 1 - j]));
        all[n + ORDER] = round(l_shl(sum, 2));
    }
    core::array::from_fn(|n| all[n + ORDER])
}

/// What [`zeros_and_poles`] gives.
pub(super) struct Filtered {
    /// Output.
    pub(super) samples: Samples,
    /// The accumulators that the output was rounded from.
    pub(super) sums: Wide,
}

/// A filter with `zeros` on `x` (behind its memory) and `poles_` on the output's past.
pub(super) fn zeros_and_poles(
    start: &Wide,
    x: &[i16; ORDER + SUBFRAME],
    zeros: &Lpc,
    pole: &Lpc,
    memory: &Memory,
) -> Filtered {
    let mut sums = *start;
    subtract_zeros(&mut sums, zeros, x);
    let after_zeros = wide_peak(&sums);
    let samples = poles(&mut sums, pole, memory);
    if in_bounds(wide_peak(start), zeros, peak(x))
        && in_bounds(after_zeros, pole, peak(memory).max(peak(&samples)))
    {
        return Filtered { samples, sums: sums.map(|sum| l_shl(sum, 2)) };
    }
    let mut all = joined(memory, &[0; SUBFRAME]);
    let mut sums = *start;
    for n in 0..SUBFRAME {
        let newest = n + ORDER - 1;
        let sum = (0..ORDER).fold(start[n], |sum, j| l_msu(sum, zeros[j], x[newest - j]));
        let sum = (0..ORDER).fold(sum, |sum, j| l_mac(sum, pole[j], all[newest - j]));
        sums[n] = l_shl(sum, 2);
        all[n + ORDER] = round(sums[n]);
    }
    Filtered { samples: core::array::from_fn(|n| all[n + ORDER]), sums }
}

/// The residual of a predictor with a scale of 1/4: `round(sum of x[n] / 4 - 2 * c[j] * x[n - 1 - j])`.
/// `x` begins with its memory.
pub(super) fn residual(x: &[i16; ORDER + SUBFRAME], lpc: &Lpc) -> Samples {
    let mut sums = [0; SUBFRAME];
    for (sum, &x) in sums.iter_mut().zip(&x[ORDER..]) {
        *sum = i32::from(x) << 14;
    }
    let start = wide_peak(&sums);
    if in_bounds(start, lpc, peak(x)) {
        subtract_zeros(&mut sums, lpc, x);
    } else {
        for (n, sum) in sums.iter_mut().enumerate() {
            *sum = (0..ORDER).fold(*sum, |sum, j| l_msu(sum, lpc[j], x[n + ORDER - 1 - j]));
        }
    }
    sums.map(round)
}

/// The coefficients of one subframe of the encoder's weighted synthesis.
#[derive(Clone, Copy)]
pub(super) struct Weighting {
    /// Formant perceptual weighting, numerator.
    pub(super) zeros: Lpc,
    /// The same, denominator.
    pub(super) poles: Lpc,
}

/// Synthesis, then perceptual weighting: returns the output of each.
///
/// `doubled` shifts between the two, for a response whose input has half the scale.
pub(super) fn weighted_synthesis(
    input: &Wide,
    lpc: &Lpc,
    weighting: &Weighting,
    synthesis_memory: &Memory,
    weighted_memory: &Memory,
    doubled: bool,
) -> (Samples, Samples) {
    let mut sums = *input;
    let synthesis = poles(&mut sums, lpc, synthesis_memory);
    let all = joined(synthesis_memory, &synthesis);
    let synthesis_peak = peak(&all);
    let after_synthesis = wide_peak(&sums);
    subtract_zeros(&mut sums, &weighting.zeros, &all);
    if doubled {
        sums = sums.map(|sum| l_shl(sum, 1));
    }
    let after_zeros = wide_peak(&sums);
    let weighted = poles(&mut sums, &weighting.poles, weighted_memory);
    if in_bounds(wide_peak(input), lpc, synthesis_peak)
        && in_bounds(after_synthesis, &weighting.zeros, synthesis_peak)
        && in_bounds(after_zeros, &weighting.poles, peak(weighted_memory).max(peak(&weighted)))
    {
        return (synthesis, weighted);
    }
    let mut synthesis = joined(synthesis_memory, &[0; SUBFRAME]);
    let mut weighted = joined(weighted_memory, &[0; SUBFRAME]);
    for n in 0..SUBFRAME {
        let newest = n + ORDER - 1;
        let sum = (0..ORDER).fold(input[n], |sum, j| l_mac(sum, lpc[j], synthesis[newest - j]));
        synthesis[n + ORDER] = round(l_shl(sum, 2));
        let sum = (0..ORDER).fold(sum, |sum, j| l_msu(sum, weighting.zeros[j], synthesis[newest - j]));
        let sum = if doubled { l_shl(sum, 1) } else { sum };
        let sum = (0..ORDER).fold(sum, |sum, j| l_mac(sum, weighting.poles[j], weighted[newest - j]));
        weighted[n + ORDER] = round(l_shl(sum, 2));
    }
    (core::array::from_fn(|n| synthesis[n + ORDER]), core::array::from_fn(|n| weighted[n + ORDER]))
}
