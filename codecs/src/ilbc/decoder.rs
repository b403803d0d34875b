//! The decoder's frame.
#![expect(clippy::indexing_slicing, reason = "fixed arrays; lengths come from `Mode`")]

use super::Mode;
use super::bits::Frame;
use super::codebook::SUB_FRAME;
use super::filter::{HighPass, Lpc, ORDER, all_pole};
use super::lpc::{self, Filters, Lsf};
use super::residual::{self, MOST_SAMPLES};
use super::tables::{LSF_MEAN, OUTPUT_POLES, OUTPUT_ZEROS};
use super::{enhancer, plc};

/// Nothing that speech makes comes near: a filter that garbage has made unstable is stopped here (150 dB, and
/// the residual 40 dB above what a full-scale frame has).
const RUNAWAY: f32 = 16_777_216.0;

/// What goes from frame to frame.
#[derive(Clone, Debug)]
pub(super) struct State {
    decoded_lsf: Lsf,
    /// Filters of the last two sub-frames, for samples that the enhancer has delayed.
    filters: [Lpc; 2],
    /// The last samples, before the high-pass.
    synthesis: Lpc,
    output: HighPass,
    enhancer: enhancer::State,
    plc: plc::State,
    /// Of the last residual, about.
    lag: u32,
}

impl State {
    pub(super) const fn new() -> Self {
        Self {
            decoded_lsf: LSF_MEAN,
            filters: [[0.0; ORDER]; 2],
            synthesis: [0.0; ORDER],
            output: HighPass::new(),
            enhancer: enhancer::State::new(),
            plc: plc::State::new(),
            lag: 20,
        }
    }

    /// Decodes a frame of the mode's length, or conceals one.
    pub(super) fn decode(&mut self, mode: Mode, enhance: bool, octets: Option<&[u8]>, pcm: &mut [i16]) {
        let concealed = self.plc.is_lost();
        let decoded = octets.and_then(|octets| self.decode_residual(mode, octets));
        let (mut residual, filters) = decoded.unwrap_or_else(|| {
            let last = self.enhancer.last_frame(mode);
            (self.plc.conceal(last, self.lag), [self.filters[1]; lpc::MOST_SUB_FRAMES])
        });
        let residual = &mut residual[..mode.samples()];
        let delay = if enhance { mode.enhancer_delay() } else { 0 };
        self.lag = if enhance {
            self.enhancer.smooth(mode, residual, concealed)
        } else {
            self.enhancer.keep(mode, residual)
        };

        let mut signal = [0.0; ORDER + MOST_SAMPLES];
        signal[..ORDER].copy_from_slice(&self.synthesis);
        signal[ORDER..ORDER + residual.len()].copy_from_slice(residual);
        let late = delay / SUB_FRAME;
        let sub_frames = mode.sub_frames();
        let in_time = self.filters[2 - late..].iter().chain(&filters).take(sub_frames);
        for (n, a) in in_time.enumerate() {
            let part = &mut signal[n * SUB_FRAME..(n + 1) * SUB_FRAME + ORDER];
            all_pole(part, a);
            if !is_tame(&part[SUB_FRAME..]) {
                part[ORDER..].fill(0.0);
            }
        }
        let end = mode.samples();
        self.synthesis.copy_from_slice(&signal[end..end + ORDER]);
        self.filters.copy_from_slice(&filters[sub_frames - 2..sub_frames]);

        let signal = &mut signal[ORDER..ORDER + end];
        self.output.run(signal, OUTPUT_ZEROS, OUTPUT_POLES);
        for (out, sample) in pcm.iter_mut().zip(signal) {
            *out = sample.clamp(-32_768.0, 32_767.0) as i32 as i16;
        }
    }

    /// The residual and the filters of a frame that came; `None` if it is empty or cannot be speech.
    fn decode_residual(&mut self, mode: Mode, octets: &[u8]) -> Option<([f32; MOST_SAMPLES], Filters)> {
        let frame = Frame::read(mode, octets)?;
        let lsf = lpc::dequantize(&frame.lsf);
        let filters = lpc::interpolate(mode, &self.decoded_lsf, &lsf);
        self.decoded_lsf = lsf[mode.lsf_sets() - 1];
        let residual = residual::build(mode, &frame, &filters, |block| match block.number {
            0 => frame.rest,
            number => frame.blocks[number - 1],
        });
        if !is_tame(&residual) {
            return None;
        }
        self.plc.received();
        Some((residual, filters))
    }
}

/// Whether all samples are numbers of a sensible size.
fn is_tame(samples: &[f32]) -> bool {
    samples.iter().all(|sample| sample.abs() < RUNAWAY)
}
