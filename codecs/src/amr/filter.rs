//! The linear prediction filters and the long-term predictor.
#![expect(clippy::indexing_slicing, reason = "fixed arrays and lengths checked at the top of each function")]

use super::lsp::Lpc;
use super::{ORDER, SUBFRAME};

/// Moves the filter's poles (or zeros) towards the origin: coefficient `i` times `factors[i - 1]`, Q15, rounded.
pub(crate) fn expand_bandwidth(lpc: &Lpc, factors: &[i16; ORDER]) -> Lpc {
    let mut expanded = *lpc;
    for (coefficient, factor) in expanded[1..].iter_mut().zip(factors) {
        *coefficient = ((i32::from(*coefficient) * i32::from(*factor) + 0x4000) >> 15) as i16;
    }
    expanded
}

/// What is left of `signal` after prediction, A(z). `signal` begins ten samples before the first of the result, which is
/// a multiple of eight long.
pub(crate) fn residual<const N: usize>(lpc: &Lpc, signal: &[i16]) -> [i16; N] {
    const { assert!(N.is_multiple_of(8), "blocks of eight") };
    debug_assert!(signal.len() >= N + ORDER);
    let mut taps = *lpc;
    taps.reverse();
    let mut residual = [0; N];
    for (out, at) in residual.chunks_mut(8).zip((0..).step_by(8)) {
        let sums = convolve_eight(&taps, 0x800, &signal[at..at + 8 + ORDER]);
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = (sum >> 12) as i16);
    }
    residual
}

/// Eight outputs of a filter at once, over a signal that begins with the first tap of the first; side by side they are
/// what a vector unit likes. The sums wrap, as those of the reference do.
#[inline(always)]
fn convolve_eight<const TAPS: usize>(taps: &[i16; TAPS], rounding: i32, signal: &[i16]) -> [i32; 8] {
    let mut sums = [rounding; 8];
    for (tap, window) in taps.iter().zip(signal.windows(8)) {
        for (sum, x) in sums.iter_mut().zip(window) {
            *sum = sum.wrapping_add(i32::from(*x) * i32::from(*tap));
        }
    }
    sums
}

/// Runs the synthesis filter 1/A(z) over `input`, an even number of samples, 40 at most. `memory` is the ten outputs
/// before; the caller keeps the last ten of the result if the filter's state is to go on from here.
pub(crate) fn synthesize<const N: usize>(lpc: &Lpc, input: &[i16; N], memory: &[i16; ORDER]) -> [i16; N] {
    const { assert!(N.is_multiple_of(2) && N <= SUBFRAME, "pairs of samples of a subframe") };
    let size: i32 = lpc.iter().map(|coefficient| i32::from(*coefficient).abs()).sum();
    // Below this no sum of products leaves 32 bits.
    if size < 1 << 16 {
        synthesize_pairs(lpc, input, memory)
    } else {
        synthesize_wrapping(lpc, input, memory)
    }
}

/// Two outputs at a time, with one 64-bit multiplication for a product of each: the lower half of the sum is the
/// prediction of the first, the upper half that of the second, without its last tap.
fn synthesize_pairs<const N: usize>(lpc: &Lpc, input: &[i16; N], memory: &[i16; ORDER]) -> [i16; N] {
    let a = lpc.map(i64::from);
    let taps: [i64; ORDER] = core::array::from_fn(|i| {
        let tap = ORDER - i;
        a[tap] + (if tap < ORDER { a[tap + 1] << 32 } else { 0 })
    });
    let mut past = [0i64; ORDER + SUBFRAME];
    for (past, memory) in past.iter_mut().zip(memory) {
        *past = i64::from(*memory);
    }
    let mut output = [0; N];
    // The newest two stay in registers: the next sum waits for them and for nothing else.
    let [older_taps @ .., older_tap, newest_tap] = taps;
    let (mut older, mut newest) = (past[ORDER - 2], past[ORDER - 1]);
    for n in (0..N).step_by(2) {
        let window = &past[n..n + ORDER - 2];
        let sum = window
            .iter()
            .zip(&older_taps)
            .fold(0i64, |sum, (past, tap)| sum.wrapping_add(past.wrapping_mul(*tap)));
        let sum =
            sum.wrapping_add(older.wrapping_mul(older_tap)).wrapping_add(newest.wrapping_mul(newest_tap));
        let first = sum as i32;
        let second = ((sum - i64::from(first)) >> 32) as i32;
        let now = |x: i16| (i32::from(x) << 12).wrapping_add(0x800);
        let first = limit(now(input[n]).wrapping_sub(first));
        let last_tap = i32::from(lpc[1]) * i32::from(first);
        let second = limit(now(input[n + 1]).wrapping_sub(second).wrapping_sub(last_tap));
        (output[n], output[n + 1]) = (first, second);
        (older, newest) = (i64::from(first), i64::from(second));
        (past[n + ORDER], past[n + ORDER + 1]) = (older, newest);
    }
    output
}

/// The same with sums that wrap, as those of the reference do.
#[cold]
fn synthesize_wrapping<const N: usize>(lpc: &Lpc, input: &[i16; N], memory: &[i16; ORDER]) -> [i16; N] {
    const { assert!(N <= SUBFRAME) };
    // The memory and then the output, wide: read one by one, and by instructions that read 32 bits.
    let mut line = [0i32; ORDER + SUBFRAME];
    for (past, sample) in line.iter_mut().zip(memory) {
        *past = i32::from(*sample);
    }
    let [gain, taps @ ..] = lpc.map(i32::from);
    let mut output = [0; N];
    for (n, (out, x)) in output.iter_mut().zip(input).enumerate() {
        let past = &line[n..n + ORDER];
        let mut sum = (gain * i32::from(*x)).wrapping_add(0x800);
        // The newest output comes last: it is what this one waits for.
        for i in (0..ORDER).rev() {
            sum = sum.wrapping_sub(taps[i] * past[ORDER - 1 - i]);
        }
        *out = limit(sum);
        line[n + ORDER] = i32::from(*out);
    }
    output
}

/// Q12 to a sample, saturating.
#[inline(always)]
fn limit(sum: i32) -> i16 {
    // The reference takes the one sum that is a hair below the positive limit for a negative overflow.
    if (sum.wrapping_add(1 << 27) as u32) < 0x0FFF_FFFF { (sum >> 12) as i16 } else { overflow(sum) }
}

#[cold]
fn overflow(sum: i32) -> i16 {
    if sum > 0x07FF_FFFF { i16::MAX } else { i16::MIN }
}

/// The fraction of a pitch lag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fraction {
    /// Thirds: -2..=2 (all modes but 12.2).
    Third(i16),
    /// Sixths: -5..=5 (12.2).
    Sixth(i16),
}

/// Samples before the subframe that [`repeat_pitch`] looks at: the longest lag and the interpolation filter.
pub(crate) const EXCITATION_PAST: usize = 143 + 11;

/// Fills the subframe of 40 that begins at `excitation[at]` with what was there `lag` samples before, interpolated
/// (§5.6). `at` is at least [`EXCITATION_PAST`]; the lag, its fraction included, between 17 and 145.
pub(crate) fn repeat_pitch(excitation: &mut [i16], at: usize, lag: i16, fraction: Fraction) {
    let mut phase = match fraction {
        Fraction::Third(thirds) => -2 * thirds,
        Fraction::Sixth(sixths) => -sixths,
    };
    let mut lag = lag as usize;
    if phase < 0 {
        phase += 6;
        lag += 1;
    }
    let phase = phase as usize;
    debug_assert!(at >= EXCITATION_PAST && excitation.len() >= at + SUBFRAME);
    debug_assert!((17..=145).contains(&lag) && phase < 6 && (phase == 0 || lag > 17));
    // In the order of time: ten samples up to the centre, ten behind it.
    let taps: [i16; 20] = core::array::from_fn(|i| match i {
        ..10 => INTERPOLATION[phase + 6 * (9 - i)],
        _ => INTERPOLATION[6 - phase + 6 * (i - 10)],
    });
    // The last tap of the last of eight samples looks at most at the first of them, and then the tap is 0.
    for first in (at..at + SUBFRAME).step_by(8) {
        let from = first - lag - 9;
        let sums = convolve_eight(&taps, 0x4000, &excitation[from..from + 27]);
        for (x, sum) in excitation[first..first + 8].iter_mut().zip(sums) {
            *x = (sum >> 15) as i16;
        }
    }
}

/// One side of the interpolation filter, six phases a sample, Q15 (TS 26.090 §5.6, -3 dB at 3600 Hz).
pub(crate) const INTERPOLATION: [i16; 61] = [
    29443, 28346, 25207, 20449, 14701, 8693, 3143, -1352, -4402, -5865, -5850, -4673, -2783, -672, 1211,
    2536, 3130, 2991, 2259, 1170, 0, -1001, -1652, -1868, -1666, -1147, -464, 218, 756, 1060, 1099, 904, 550,
    135, -245, -514, -634, -602, -451, -231, 0, 191, 308, 340, 296, 198, 78, -36, -120, -163, -165, -132,
    -79, -19, 34, 73, 91, 89, 70, 38, 0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_at_a_time_is_the_same_as_one() {
        let mut state = 1u32;
        let mut next = |bits: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> (32 - bits)) as i32 - (1 << (bits - 1))
        };
        for round in 0..2000 {
            let bits = 1 + round % 13;
            let lpc = core::array::from_fn(|i| if i == 0 { 4096 } else { next(bits) as i16 });
            let input: [i16; SUBFRAME] = core::array::from_fn(|_| next(16) as i16);
            let memory = core::array::from_fn(|_| next(16) as i16);
            let one = synthesize_wrapping(&lpc, &input, &memory);
            assert_eq!(synthesize(&lpc, &input, &memory), one);
            let begin: [i16; 22] = core::array::from_fn(|i| input[i]);
            assert_eq!(synthesize(&lpc, &begin, &memory), one[..22]);
        }
    }

    #[test]
    fn the_residual_of_what_was_synthesized_is_the_input() {
        let lpc = [4096, -6000, 4000, -2000, 1000, -500, 250, -125, 60, -30, 15];
        let input: [i16; SUBFRAME] = core::array::from_fn(|i| if i % 7 == 0 { 1000 } else { -50 });
        let mut signal = [0; ORDER + SUBFRAME];
        signal[ORDER..].copy_from_slice(&synthesize(&lpc, &input, &[0; ORDER]));
        for (back, input) in residual::<SUBFRAME>(&lpc, &signal).iter().zip(input) {
            assert!((back - input).abs() <= 2, "{back} {input}");
        }
    }

    #[test]
    fn a_whole_lag_repeats_what_was_there() {
        let mut excitation = [0; EXCITATION_PAST + SUBFRAME];
        excitation[..EXCITATION_PAST]
            .iter_mut()
            .enumerate()
            .for_each(|(i, x)| *x = ((i * i) % 97) as i16 * 10);
        repeat_pitch(&mut excitation, EXCITATION_PAST, 143, Fraction::Third(0));
        // The filter is a low-pass: only about the same.
        for i in 0..SUBFRAME {
            assert!(excitation[EXCITATION_PAST + i] <= 1000);
        }
        let mut steady = [1000; EXCITATION_PAST + SUBFRAME];
        for sixths in -5..=5 {
            repeat_pitch(&mut steady, EXCITATION_PAST, 20, Fraction::Sixth(sixths));
            assert!(steady.iter().all(|x| (x - 1000).abs() < 30), "{steady:?}");
        }
    }
}
