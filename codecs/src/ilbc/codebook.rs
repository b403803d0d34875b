//! The adaptive codebook: vectors out of the residual that is decoded already (RFC 3951 §3.6.3 and §4.3).
//!
//! The memory, up to 147 samples, gives vectors at every lag; vectors at half lags, where the gap is bridged
//! by cross-fading; and both again from a filtered copy of the memory.
#![expect(
    clippy::indexing_slicing,
    reason = "8 bit indices against memories of 85 or 147 samples, see `vector`"
)]

use super::bits::{STAGES, Shape};
use super::filter::correlate;
use super::tables::{EXPANSION, GAIN_3, GAIN_4, GAIN_5};

/// Samples in a sub-frame.
pub(super) const SUB_FRAME: usize = 40;
/// The longest memory.
pub(super) const MEMORY: usize = 147;
/// The memory for the rest of the start state.
pub(super) const SHORT_MEMORY: usize = 85;
/// Cross-faded vectors in each half of the codebook, for whole sub-frames.
pub(super) const CROSS_FADED: usize = SUB_FRAME / 2;
/// Samples that the filter reaches back, and zeros that it sees on both sides of the memory.
const REACH: usize = 3;

/// The decoded vector: three codebook vectors with their gains.
pub(super) fn construct(shape: &Shape, memory: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    let mut gain = 1.0;
    for (stage, &index) in shape.index.iter().enumerate() {
        gain = dequantize_gain(stage, shape.gain[stage], gain);
        let mut vector = [0.0; SUB_FRAME];
        let vector = &mut vector[..out.len()];
        self::vector(usize::from(index), memory, vector);
        for (out, sample) in out.iter_mut().zip(vector) {
            *out += gain * *sample;
        }
    }
}

/// The gain of a stage, from its code and the gain of the stage before (1 for the first).
pub(super) fn dequantize_gain(stage: usize, code: u8, before: f32) -> f32 {
    gain_scale(before) * gain_levels(stage).get(usize::from(code)).copied().unwrap_or(0.0)
}

/// Quantises the gain of a stage; returns its code and what the code stands for.
pub(super) fn quantize_gain(stage: usize, gain: f32, before: f32) -> (u8, f32) {
    let scale = gain_scale(before);
    let (mut best, mut least, mut value) = (0, 1.0e7, 0.0);
    for (code, level) in gain_levels(stage).iter().enumerate() {
        let error = gain - scale * level;
        if error * error < least {
            (best, least, value) = (code as u8, error * error, scale * level);
        }
    }
    (best, value)
}

const fn gain_scale(before: f32) -> f32 {
    before.abs().max(0.1)
}

const fn gain_levels(stage: usize) -> &'static [f32] {
    const _: () = assert!(STAGES == 3, "a table for each stage");
    match stage {
        0 => &GAIN_5,
        1 => &GAIN_4,
        _ => &GAIN_3,
    }
}

/// Codebook vector `index`. The vector reaches back at most 2 * 19 + 40 samples if it is cross-faded, and not
/// beyond the memory otherwise.
fn vector(index: usize, memory: &[f32], out: &mut [f32]) {
    let lags = memory.len() - out.len() + 1;
    let plain = if out.len() == SUB_FRAME { lags + CROSS_FADED } else { lags };
    if index < lags {
        let from = memory.len() - out.len() - index;
        out.copy_from_slice(&memory[from..from + out.len()]);
    } else if index < plain {
        cross_fade(2 * (index - lags) + out.len(), memory, out);
    } else if index - plain < lags {
        let from = memory.len() - out.len() - (index - plain);
        expand(memory, from, out);
    } else {
        let span = 2 * (index - plain - lags) + out.len();
        let mut end = [0.0; 2 * SUB_FRAME];
        let end = &mut end[..span];
        expand(memory, memory.len() - span, end);
        cross_fade(span, end, out);
    }
}

/// A vector at half the lag `span`: the last `span / 2` samples of the memory, and behind them what followed
/// them one lag earlier; five samples go over from the one to the other.
fn cross_fade(span: usize, memory: &[f32], out: &mut [f32]) {
    let high = span / 2;
    let low = high - 5;
    let (near, far) = (&memory[memory.len() - high..], &memory[memory.len() - span..]);
    out[..low].copy_from_slice(&near[..low]);
    let mut weight = 0.0;
    for j in low..high {
        out[j] = (1.0 - weight) * near[j] + weight * far[j];
        weight += 0.2;
    }
    let rest = out.len() - high;
    out[high..].copy_from_slice(&far[high..high + rest]);
}

/// A part of the filtered memory, from sample `from` on.
fn expand(memory: &[f32], from: usize, out: &mut [f32]) {
    let mut padded = [0.0; 2 * SUB_FRAME + EXPANSION.len()];
    // Sample `from` is the fourth that the first output sees.
    let (skip, start) = (REACH.saturating_sub(from), from.saturating_sub(REACH));
    for (padded, sample) in padded[skip..].iter_mut().zip(&memory[start..]) {
        *padded = *sample;
    }
    correlate(&EXPANSION, &padded, out);
}

/// The whole memory, filtered.
pub(super) fn expand_all(memory: &[f32], out: &mut [f32]) {
    let mut padded = [0.0; MEMORY + EXPANSION.len()];
    padded[REACH..REACH + memory.len()].copy_from_slice(memory);
    correlate(&EXPANSION, &padded, out);
}
