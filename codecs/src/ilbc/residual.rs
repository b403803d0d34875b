//! How a frame's residual is put together, the same in the encoder and in the decoder (RFC 3951 §3.6).
//!
//! The start state comes first: the two neighbouring sub-frames with most energy, of which one end is
//! quantised sample by sample and the rest predicted from it. From there prediction goes forward to the end
//! of the frame, and then backward in time to its beginning.
#![expect(clippy::indexing_slicing, reason = "places come from `start`, which `Frame::read` checked")]

use super::Mode;
use super::bits::{Frame, Shape};
use super::codebook::{MEMORY, SHORT_MEMORY, SUB_FRAME, construct};
use super::lpc::Filters;
use super::state;

/// Most samples in a frame.
pub(super) const MOST_SAMPLES: usize = 240;
/// Samples in the two sub-frames of the start state.
const STATE_SPAN: usize = 2 * SUB_FRAME;

/// One vector to predict.
pub(super) struct Block<'a> {
    /// 0 is the rest of the start state; then the sub-frames in the order of the wire.
    pub(super) number: usize,
    /// The sub-frame where it lies.
    pub(super) sub_frame: usize,
    /// First sample in the frame.
    pub(super) from: usize,
    pub(super) samples: usize,
    /// Whether it is predicted backward: its last sample is the first of the vector.
    pub(super) backward: bool,
    /// What it is predicted from; ends next to the vector.
    pub(super) memory: &'a [f32],
}

/// Where the sample-by-sample part of the start state lies.
pub(super) fn state_place(mode: Mode, start: usize, state_first: bool) -> usize {
    let span = (start - 1) * SUB_FRAME;
    if state_first { span } else { span + STATE_SPAN - mode.state_samples() }
}

/// Decodes the residual. `shape` is asked for the shape of each block in turn: the decoder has it from the
/// payload, the encoder searches for it.
pub(super) fn build(
    mode: Mode,
    frame: &Frame,
    filters: &Filters,
    mut shape: impl FnMut(Block<'_>) -> Shape,
) -> [f32; MOST_SAMPLES] {
    let (start, state_first) = (usize::from(frame.start), frame.state_first == 1);
    let mut decoded = [0.0; MOST_SAMPLES];
    let state_samples = mode.state_samples();
    let rest = STATE_SPAN - state_samples;
    let span = (start - 1) * SUB_FRAME;
    let state_at = state_place(mode, start, state_first);
    state::dequantize(
        frame.peak,
        &frame.state[..state_samples],
        &filters[start - 1],
        &mut decoded[state_at..state_at + state_samples],
    );

    let mut predict = |number, sub_frame, from: usize, samples, backward, known: core::ops::Range<usize>| {
        let mut memory = [0.0; MEMORY];
        let length = if number == 0 { SHORT_MEMORY } else { MEMORY };
        let memory = &mut memory[..length];
        remember(&decoded[known], backward, memory);
        let shape = shape(Block { number, sub_frame, from, samples, backward, memory });
        let out = &mut decoded[from..from + samples];
        construct(&shape, memory, out);
        if backward {
            out.reverse();
        }
    };
    if state_first {
        predict(0, start, state_at + state_samples, rest, false, state_at..state_at + state_samples);
    } else {
        predict(0, start - 1, span, rest, true, state_at..state_at + state_samples);
    }
    let mut number = 1;
    for sub_frame in start + 1..mode.sub_frames() {
        let from = sub_frame * SUB_FRAME;
        predict(number, sub_frame, from, SUB_FRAME, false, span..from);
        number += 1;
    }
    for sub_frame in (0..start - 1).rev() {
        let from = sub_frame * SUB_FRAME;
        predict(number, sub_frame, from, SUB_FRAME, true, from + SUB_FRAME..mode.samples());
        number += 1;
    }
    decoded
}

/// Fills a memory so that it ends with the end of `known`, or with its beginning if time runs backward.
fn remember(known: &[f32], backward: bool, memory: &mut [f32]) {
    if backward {
        memory.iter_mut().rev().zip(known).for_each(|(memory, sample)| *memory = *sample);
    } else {
        memory.iter_mut().rev().zip(known.iter().rev()).for_each(|(memory, sample)| *memory = *sample);
    }
}
