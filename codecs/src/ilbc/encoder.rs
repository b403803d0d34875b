//! The encoder's frame.
#![expect(clippy::indexing_slicing, reason = "fixed arrays; lengths and places come from `Mode`")]

use super::Mode;
use super::bits::{Frame, Shape};
use super::codebook::SUB_FRAME;
use super::filter::{HighPass, ORDER, all_zero, energy};
use super::lpc::{self, Filters, Lsf};
use super::residual::{self, Block, MOST_SAMPLES};
use super::search::search;
use super::state;
use super::tables::{INPUT_POLES, INPUT_ZEROS, LSF_MEAN};

/// Samples before the frame that the analysis sees, at most.
const PAST: usize = 80;

/// What goes from frame to frame.
#[derive(Clone, Debug)]
pub(super) struct State {
    input: HighPass,
    /// The last samples, filtered.
    past: [f32; PAST],
    /// Last LSFs as analysed, and as the decoder has them.
    lsf: Lsf,
    decoded_lsf: Lsf,
}

impl State {
    pub(super) const fn new() -> Self {
        Self { input: HighPass::new(), past: [0.0; PAST], lsf: LSF_MEAN, decoded_lsf: LSF_MEAN }
    }

    /// Encodes one frame of the mode's length.
    pub(super) fn encode(&mut self, mode: Mode, pcm: &[i16], octets: &mut [u8]) {
        let samples = mode.samples();
        let mut signal = [0.0; PAST + MOST_SAMPLES];
        signal[..PAST].copy_from_slice(&self.past);
        let signal = &mut signal[..PAST + samples];
        signal[PAST..].iter_mut().zip(pcm).for_each(|(out, sample)| *out = f32::from(*sample));
        self.input.run(&mut signal[PAST..], INPUT_ZEROS, INPUT_POLES);
        self.past.copy_from_slice(&signal[samples..]);

        let lsf = lpc::analyze(mode, &signal[PAST - mode.look_back()..]);
        let mut frame = Frame::new();
        frame.lsf = lpc::quantize(mode, &lsf);
        let decoded_lsf = lpc::dequantize(&frame.lsf);
        let synthesis = lpc::interpolate(mode, &self.decoded_lsf, &decoded_lsf);
        let weighting = lpc::weighting(&lpc::interpolate(mode, &self.lsf, &lsf));
        let last = mode.lsf_sets() - 1;
        (self.lsf, self.decoded_lsf) = (lsf[last], decoded_lsf[last]);

        let residual = analysis_filter(mode, &signal[PAST - ORDER..], &synthesis);
        encode_residual(mode, &residual, &synthesis, &weighting, &mut frame);
        frame.write(mode, octets);
    }
}

/// The residual of the prediction; `signal` begins ten samples before the frame.
fn analysis_filter(mode: Mode, signal: &[f32], filters: &Filters) -> [f32; MOST_SAMPLES] {
    let mut residual = [0.0; MOST_SAMPLES];
    let sub_frames = residual.chunks_exact_mut(SUB_FRAME).zip(filters).take(mode.sub_frames());
    for (n, (out, a)) in sub_frames.enumerate() {
        let mut taps = [1.0; ORDER + 1];
        taps[1..].copy_from_slice(a);
        let from = n * SUB_FRAME;
        all_zero(&taps, &signal[from..from + ORDER + SUB_FRAME], out);
    }
    residual
}

fn encode_residual(
    mode: Mode,
    residual: &[f32; MOST_SAMPLES],
    synthesis: &Filters,
    weighting: &Filters,
    frame: &mut Frame,
) {
    let start = find_start(mode, &residual[..mode.samples()]);
    let length = mode.state_samples();
    let [first, last] = [true, false].map(|first| {
        let at = residual::state_place(mode, start, first);
        &residual[at..at + length]
    });
    let state_first = energy(first) > energy(last);
    let (state, border) = if state_first { (first, SUB_FRAME) } else { (last, length - SUB_FRAME) };
    let filters = [&weighting[start - 1], &weighting[start]];
    (frame.peak, frame.state) = state::quantize(state, &synthesis[start - 1], filters, border);
    frame.start = start as u8;
    frame.state_first = u8::from(state_first);

    let mut shapes = [Shape::default(); 5];
    residual::build(mode, frame, synthesis, |block| {
        let mut target = [0.0; SUB_FRAME];
        let target = &mut target[..block.samples];
        target.copy_from_slice(&residual[block.from..block.from + block.samples]);
        if block.backward {
            target.reverse();
        }
        let Block { number, sub_frame, memory, .. } = block;
        let shape = search(target, memory, &weighting[sub_frame], number);
        shapes[number] = shape;
        shape
    });
    frame.rest = shapes[0];
    frame.blocks.copy_from_slice(&shapes[1..]);
}

/// The two neighbouring sub-frames with most energy, in the middle of the frame rather than at its ends
/// (§3.5.1); returns the second of them.
fn find_start(mode: Mode, residual: &[f32]) -> usize {
    const PREFERENCE: [f32; 5] = [0.8, 0.9, 1.0, 0.9, 0.8];
    /// Weight of the samples next to the borders of the two sub-frames.
    const SLOPE: [f32; 5] = [1.0 / 6.0, 2.0 / 6.0, 3.0 / 6.0, 4.0 / 6.0, 5.0 / 6.0];
    const LAST: usize = SUB_FRAME - SLOPE.len();

    let mut best = (0.0, 0);
    let preference = if mode == Mode::Ms20 { &PREFERENCE[1..] } else { &PREFERENCE };
    let mut before = 0.0;
    for (n, sub_frame) in residual.chunks_exact(SUB_FRAME).enumerate() {
        // With the slope at its beginning, as the first of two; with the slope at its end, as the second.
        let (mut front, mut back) = (0.0, 0.0);
        for (l, &sample) in sub_frame.iter().enumerate() {
            front += if l < SLOPE.len() { SLOPE[l] * sample * sample } else { sample * sample };
            back += if l < LAST { sample * sample } else { SLOPE[SUB_FRAME - 1 - l] * sample * sample };
        }
        if n > 0 {
            let energy = (before + back) * preference[n - 1];
            if n == 1 || energy > best.0 {
                best = (energy, n);
            }
        }
        before = front;
    }
    best.1
}
