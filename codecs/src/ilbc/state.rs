//! The start state: 57 or 58 samples of the residual, quantised one by one (RFC 3951 §3.5 and §4.2).
#![expect(clippy::indexing_slicing, reason = "at most 58 samples, checked by `Mode`; codes of 3 and 6 bits")]

use super::bits::MOST_STATE;
use super::filter::{Lpc, ORDER, all_pole, all_zero};
use super::tables::{STATE_PEAK_BORDERS, STATE_PEAKS, STATE_SAMPLES};

/// What the quantiser's levels are scaled to.
const PEAK: f32 = 4.5;
/// The last level.
const LAST: usize = STATE_SAMPLES.len() - 1;

/// Half-way between neighbouring levels.
const BORDERS: [f32; LAST] = {
    let mut borders = [0.0; LAST];
    let mut i = 0;
    while i < LAST {
        borders[i] = (STATE_SAMPLES[i + 1] + STATE_SAMPLES[i]) / 2.0;
        i += 1;
    }
    borders
};

/// Quantises a start state; returns the codes of its peak and of its samples. `synthesis` is the filter of
/// the sub-frame where it begins; `weighting` those of both sub-frames, the second from sample `border` on.
pub(super) fn quantize(
    residual: &[f32],
    synthesis: &Lpc,
    weighting: [&Lpc; 2],
    border: usize,
) -> (u8, [u8; MOST_STATE]) {
    let mut target = all_pass(residual.iter().copied(), residual.len(), synthesis);
    let target = &mut target[..residual.len()];
    let mut peak = target[0];
    for &sample in target.iter() {
        if sample * sample > peak * peak {
            peak = sample;
        }
    }
    let peak = peak.abs().max(10.0);
    let code = STATE_PEAK_BORDERS.partition_point(|border| *border <= peak);
    let scale = PEAK / STATE_PEAKS[code];
    target.iter_mut().for_each(|sample| *sample *= scale);
    (code as u8, shape_noise(target, weighting, border))
}

/// Quantises sample by sample so that the weighted error is small: the prediction from the weighted past is
/// taken off before each decision (§3.5.3).
fn shape_noise(target: &[f32], weighting: [&Lpc; 2], border: usize) -> [u8; MOST_STATE] {
    let mut codes = [0; MOST_STATE];
    // Newest first.
    let mut wanted = [0.0; ORDER];
    let mut chosen = [0.0; ORDER];
    for (n, (&sample, code)) in target.iter().zip(&mut codes).enumerate() {
        let a = if n < border { weighting[0] } else { weighting[1] };
        let mut weighted = sample;
        let mut predicted = 0.0;
        // What each level would give, worked out while the decision is not yet known.
        let mut outcomes = STATE_SAMPLES;
        for ((&a, wanted), chosen) in a.iter().zip(wanted).zip(chosen) {
            weighted -= a * wanted;
            let step = a * chosen;
            predicted -= step;
            outcomes.iter_mut().for_each(|outcome| *outcome -= step);
        }
        let wished = weighted - predicted;
        let level = BORDERS.iter().filter(|border| wished > **border).count();
        *code = level as u8;
        push(&mut wanted, weighted);
        push(&mut chosen, outcomes[level.min(LAST)]);
    }
    codes
}

#[inline(always)]
fn push(past: &mut Lpc, newest: f32) {
    past.copy_within(..ORDER - 1, 1);
    past[0] = newest;
}

/// The start state that the codes stand for.
pub(super) fn dequantize(peak: u8, codes: &[u8], synthesis: &Lpc, out: &mut [f32]) {
    let scale = STATE_PEAKS[usize::from(peak % 64)] / PEAK;
    let backward = codes.iter().rev().map(|code| scale * STATE_SAMPLES[usize::from(code % 8)]);
    let spread = all_pass(backward, codes.len(), synthesis);
    for (out, sample) in out.iter_mut().zip(spread[..codes.len()].iter().rev()) {
        *out = *sample;
    }
}

/// Circular convolution with the all-pass filter whose poles are those of the synthesis filter (§3.5.2): it
/// makes the peak smaller, and run backwards undoes itself.
fn all_pass(signal: impl Iterator<Item = f32>, len: usize, a: &Lpc) -> [f32; MOST_STATE] {
    let mut zeros = [1.0; ORDER + 1];
    zeros.iter_mut().zip(a.iter().rev()).for_each(|(zero, pole)| *zero = *pole);
    let mut input = [0.0; ORDER + 2 * MOST_STATE];
    input[ORDER..].iter_mut().zip(signal).for_each(|(input, sample)| *input = sample);
    let mut output = [0.0; ORDER + 2 * MOST_STATE];
    all_zero(&zeros, &input[..ORDER + 2 * len], &mut output[ORDER..ORDER + 2 * len]);
    all_pole(&mut output[..ORDER + 2 * len], a);
    let mut folded = [0.0; MOST_STATE];
    let (first, second) = output[ORDER..].split_at(len);
    for ((folded, first), second) in folded.iter_mut().zip(first).zip(second) {
        *folded = first + second;
    }
    folded
}
