//! Sums of products in the order of RFC 3951's code.
//!
//! Each sum is taken term by term from the first, as the reference does: single precision rounds every
//! addition, so another order gives other bits. What is done side by side are different sums.
#![expect(clippy::indexing_slicing, reason = "window lengths are checked by the loops that make them")]

/// Order of the linear prediction.
pub(super) const ORDER: usize = 10;

/// A prediction filter A(z): its coefficients behind the leading 1.
pub(super) type Lpc = [f32; ORDER];

/// `L` neighbouring sums: the first is of `taps` times the start of `signal`, the next one sample later.
#[inline(always)]
fn side_by_side<const L: usize>(taps: &[f32], signal: &[f32]) -> [f32; L] {
    let mut sums = [0.0; L];
    for (window, &tap) in signal.windows(L).zip(taps) {
        for (sum, &sample) in sums.iter_mut().zip(window) {
            *sum += tap * sample;
        }
    }
    sums
}

/// The same, with the newest sample of each window first.
#[inline(always)]
fn side_by_side_newest_first<const L: usize>(taps: &[f32], signal: &[f32]) -> [f32; L] {
    let mut sums = [0.0; L];
    for (window, &tap) in signal[..taps.len() + L - 1].windows(L).rev().zip(taps) {
        for (sum, &sample) in sums.iter_mut().zip(window) {
            *sum += tap * sample;
        }
    }
    sums
}

/// Calls `block` for places in `0..len` that blocks of `L` cover; the last one moves back to end with `len`.
#[inline(always)]
fn cover<const L: usize>(out: &mut [f32], block: impl Fn(usize) -> [f32; L]) {
    let last = out.len() - L;
    for at in (0..last).step_by(L).chain([last]) {
        out[at..at + L].copy_from_slice(&block(at));
    }
}

/// `out[p]` = sum over `j` of `target[j] * signal[p + j]`, from the first `j` on.
#[inline]
pub(super) fn correlate(target: &[f32], signal: &[f32], out: &mut [f32]) {
    match out.len() {
        32.. => cover(out, |at| side_by_side::<32>(target, &signal[at..])),
        16.. => cover(out, |at| side_by_side::<16>(target, &signal[at..])),
        8.. => cover(out, |at| side_by_side::<8>(target, &signal[at..])),
        4.. => cover(out, |at| side_by_side::<4>(target, &signal[at..])),
        1.. => cover(out, |at| side_by_side::<1>(target, &signal[at..])),
        0 => {}
    }
}

/// `out[n]` = sum over `j` of `taps[j] * signal[n + taps.len() - 1 - j]`: a causal filter whose past comes
/// first in `signal`. At least 8 samples.
#[inline]
pub(super) fn all_zero(taps: &[f32], signal: &[f32], out: &mut [f32]) {
    if out.len() >= 16 {
        cover(out, |at| side_by_side_newest_first::<16>(taps, &signal[at..]));
    } else {
        cover(out, |at| side_by_side_newest_first::<8>(taps, &signal[at..]));
    }
}

/// Filters `signal` behind its first ten samples in place by 1/A(z); those ten are what came out before.
#[inline]
pub(super) fn all_pole(signal: &mut [f32], a: &Lpc) {
    // The last output goes from step to step in a register: it is what each step waits for.
    let mut last = signal[ORDER - 1];
    for n in ORDER..signal.len() {
        let window = &mut signal[n - ORDER..=n];
        let mut value = window[ORDER] - a[0] * last;
        for k in 1..ORDER {
            value -= a[k] * window[ORDER - 1 - k];
        }
        window[ORDER] = value;
        last = value;
    }
}

/// Sum of squares, from the first sample on.
#[inline]
pub(super) fn energy(signal: &[f32]) -> f32 {
    signal.iter().fold(0.0, |sum, &sample| sum + sample * sample)
}

/// A section of second order with its state: the last two inputs and outputs, newest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct HighPass {
    inputs: [f32; 2],
    outputs: [f32; 2],
}

impl HighPass {
    pub(super) const fn new() -> Self {
        Self { inputs: [0.0; 2], outputs: [0.0; 2] }
    }

    /// Filters in place.
    pub(super) fn run(&mut self, signal: &mut [f32], zeros: [f32; 3], poles: [f32; 2]) {
        let (mut inputs, mut outputs) = (self.inputs, self.outputs);
        for sample in signal {
            let mut value = zeros[0] * *sample;
            value += zeros[1] * inputs[0];
            value += zeros[2] * inputs[1];
            inputs = [*sample, inputs[0]];
            value -= poles[0] * outputs[0];
            value -= poles[1] * outputs[1];
            outputs = [value, outputs[0]];
            *sample = value;
        }
        (self.inputs, self.outputs) = (inputs, outputs);
    }
}
