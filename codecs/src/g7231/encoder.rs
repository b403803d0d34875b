//! The encoder (§2).

#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the frame and its subframes")]

use super::acelp;
use super::adaptive::{self, Codebook, Past, Search, Taming};
use super::bits::{Frame, Speech, SubframeCode};
use super::cng::{self, Describer, Kind};
use super::convolve::Response;
use super::filter::{Memory, Samples, Weighting, tail, weighted_synthesis};
use super::lpc::{self, Analysis, FormantWeighting, PAST, SineDetector};
use super::lsp;
use super::mlq;
use super::ops::{mul_32_16, normalise};
use super::pitch::{self, HALF, HarmonicShaping, Weighted};
use super::tables::LSP_MEAN;
use super::vad::Vad;
use super::{
    FRAME, FrameType, LOOK_AHEAD, Lag, Lpc, Lsp, ORDER, PITCH_MAX, Rate, SPEC, SUBFRAME, SUBFRAMES, Settings,
};
use crate::fixed::{add, l_add, round, shl};
use crate::{CodecError, CodecSpec, Encoded};

/// Octets that an encoder's state takes.
pub const ENCODER_BYTES: usize = size_of::<Encoder>();

/// The G.723.1 encoder.
#[derive(Clone, Debug)]
pub struct Encoder {
    settings: Settings,
    high_pass: HighPass,
    sine: SineDetector,
    lsp: Lsp,
    /// Input from before the frame.
    past_input: [i16; PAST],
    formant_weighting: FormantWeighting,
    /// Weighted speech from before the frame.
    past_weighted: Past,
    past_excitation: Past,
    /// Weighted synthesis from before the subframe.
    past_synthesis: Past,
    ringing: Ringing,
    taming: Taming,
    vad: Vad,
    describer: Describer,
}

/// The first-order high-pass filter on the input (§2.3).
#[derive(Clone, Debug)]
struct HighPass {
    input: i16,
    output: i32,
}

/// Memories of the weighted synthesis.
#[derive(Clone, Debug)]
struct Ringing {
    synthesis: Memory,
    weighted: Memory,
}

impl Encoder {
    /// A new encoder.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            high_pass: HighPass { input: 0, output: 0 },
            sine: SineDetector::new(),
            lsp: LSP_MEAN,
            past_input: [0; PAST],
            formant_weighting: FormantWeighting::new(),
            past_weighted: [0; PITCH_MAX],
            past_excitation: [0; PITCH_MAX],
            past_synthesis: [0; PITCH_MAX],
            ringing: Ringing { synthesis: [0; ORDER], weighted: [0; ORDER] },
            taming: Taming::new(),
            vad: Vad::new(),
            describer: Describer::new(),
        }
    }

    /// How it encodes.
    #[must_use]
    pub const fn settings(&self) -> Settings {
        self.settings
    }

    /// The bit rate from the next frame on: it can change with each frame.
    pub const fn set_rate(&mut self, rate: Rate) {
        self.settings.rate = rate;
    }

    /// Encodes 30 ms. The frame is in the first [`FrameType::octets`] of `out`; one that is not to be
    /// transmitted is one octet there.
    pub fn encode_frame(
        &mut self,
        pcm: &[i16; FRAME],
        out: &mut [u8; FrameType::High.octets()],
    ) -> FrameType {
        self.encode(pcm).pack(out)
    }

    fn encode(&mut self, pcm: &[i16; FRAME]) -> Frame {
        let mut input = *pcm;
        if self.settings.high_pass {
            self.high_pass.run(&mut input);
        } else {
            input = input.map(|sample| sample >> 1);
        }
        let mut window = [0; PAST + FRAME];
        window[..PAST].copy_from_slice(&self.past_input);
        window[PAST..].copy_from_slice(&input);
        self.past_input.copy_from_slice(&window[FRAME..]);

        let analysis = Analysis::new(&window);
        self.sine.observe(analysis.sines);
        self.describer.observe(&analysis.autocorrelation);
        let lsp = lsp::from_lpc(&analysis.lpc[SUBFRAMES - 1], &self.lsp);
        let speech = !self.settings.vad || self.vad.is_speech(&input, self.sine.is_sine());

        // The frame that is coded lies one subframe back: what is ahead of it is look-ahead.
        let weightings = analysis.lpc.map(|lpc| lpc::weighting(&lpc));
        let mut weighted = [0; PITCH_MAX + FRAME];
        weighted[..PITCH_MAX].copy_from_slice(&self.past_weighted);
        let subframes = window[PAST - LOOK_AHEAD..].chunks_exact(SUBFRAME);
        for (i, (samples, weighting)) in subframes.zip(&weightings).enumerate() {
            let mut subframe = [0; SUBFRAME];
            subframe.copy_from_slice(samples);
            let filtered = self.formant_weighting.run(&subframe, weighting);
            weighted[PITCH_MAX + i * SUBFRAME..][..SUBFRAME].copy_from_slice(&filtered);
        }
        self.past_weighted.copy_from_slice(&weighted[FRAME..]);
        let mut scaled = weighted;
        normalise(&mut scaled);
        let open_loop = [0, 1].map(|half| pitch::open_loop(&scaled, PITCH_MAX + half * HALF));
        self.vad.learn_lags(open_loop.map(|lag| lag as Lag));

        if speech {
            let shaping = core::array::from_fn(|i| {
                HarmonicShaping::find(&scaled, PITCH_MAX + i * SUBFRAME, open_loop[i / 2])
            });
            self.encode_speech(&lsp, &weighted, &weightings, open_loop, &shaping)
        } else {
            self.encode_noise(&weightings)
        }
    }

    fn encode_noise(&mut self, weightings: &[Weighting; SUBFRAMES]) -> Frame {
        let described = self.describer.describe(&mut self.vad, &mut self.lsp, &mut self.past_excitation);
        for (i, samples) in described.noise.excitation.chunks_exact(SUBFRAME).enumerate() {
            let (lag, entry) = described.noise.adaptive[i];
            self.taming.update(lag, Codebook::Large, entry);
            let mut excitation = [0; SUBFRAME];
            excitation.copy_from_slice(samples);
            self.synthesise(&excitation, &described.lpc[i], &weightings[i]);
        }
        match described.sid {
            Some((lsp, gain)) => Frame::Sid { lsp, gain },
            None => Frame::Untransmitted,
        }
    }

    fn encode_speech(
        &mut self,
        lsp: &Lsp,
        weighted: &Weighted,
        weightings: &[Weighting; SUBFRAMES],
        mut open_loop: [usize; 2],
        shaping: &[HarmonicShaping; SUBFRAMES],
    ) -> Frame {
        let index = lsp::quantise(lsp, &self.lsp);
        let quantised = lsp::dequantise(index, &self.lsp);
        let lpc = lsp::interpolate(&quantised, &self.lsp);
        self.lsp = quantised;

        let mut subframes = [SubframeCode::default(); SUBFRAMES];
        let mut budget = acelp::Budget::new();
        for (i, code) in subframes.iter_mut().enumerate() {
            let (lpc, weighting, shaping) = (&lpc[i], &weightings[i], &shaping[i]);
            let response = impulse_response(lpc, weighting, shaping);
            let mut target = shaping.run(weighted, PITCH_MAX + i * SUBFRAME);
            self.subtract_ringing(&mut target, lpc, weighting, shaping);

            let with = Search {
                response: &Response::new(&response),
                past: &self.past_excitation,
                taming: &self.taming,
                rate: self.settings.rate,
                sine: self.sine.is_sine(),
            };
            let choice = adaptive::search(&mut target, open_loop[i / 2], i % 2 == 1, with);
            open_loop[i / 2] = choice.open_loop;
            code.lag_step = choice.step;
            code.adaptive = choice.entry;
            let fixed = match self.settings.rate {
                Rate::High => mlq::search(&target, &response, choice.open_loop, i, code),
                Rate::Low => acelp::search(&target, &response, choice.lag(), &mut budget, code),
            };

            let mut excitation =
                adaptive::contribution(&self.past_excitation, choice.lag(), choice.codebook, choice.entry);
            for (sample, fixed) in excitation.iter_mut().zip(fixed) {
                *sample = add(shl(fixed, 1), *sample);
            }
            adaptive::push(&mut self.past_excitation, &excitation);
            self.taming.update(choice.lag(), choice.codebook, choice.entry);
            self.synthesise(&excitation, lpc, weighting);
        }
        self.describer.previous = Kind::Speech;
        self.describer.seed = cng::SEED;
        Frame::Speech(
            self.settings.rate,
            Speech { lsp: index, lags: open_loop.map(|lag| lag as Lag), subframes },
        )
    }

    /// Takes from the target what the filters ring on from the subframes before (§2.13).
    fn subtract_ringing(
        &self,
        target: &mut Samples,
        lpc: &Lpc,
        weighting: &Weighting,
        shaping: &HarmonicShaping,
    ) {
        let Ringing { synthesis, weighted } = &self.ringing;
        let (_, ringing) = weighted_synthesis(&[0; SUBFRAME], lpc, weighting, synthesis, weighted, false);
        let mut signal = [0; PITCH_MAX + SUBFRAME];
        signal[..PITCH_MAX].copy_from_slice(&self.past_synthesis);
        signal[PITCH_MAX..].copy_from_slice(&ringing);
        shaping.subtract_from(target, &signal, PITCH_MAX);
    }

    /// Brings the filters' memories up to date with the excitation of a subframe (§2.19).
    fn synthesise(&mut self, excitation: &Samples, lpc: &Lpc, weighting: &Weighting) {
        let input = excitation.map(|sample| i32::from(sample) << 13);
        let Ringing { synthesis, weighted } = &self.ringing;
        let (synthesis, weighted) = weighted_synthesis(&input, lpc, weighting, synthesis, weighted, false);
        adaptive::push(&mut self.past_synthesis, &weighted);
        self.ringing = Ringing { synthesis: tail(&synthesis), weighted: tail(&weighted) };
    }
}

/// The response of synthesis, perceptual weighting and harmonic shaping to an impulse (§2.12).
fn impulse_response(lpc: &Lpc, weighting: &Weighting, shaping: &HarmonicShaping) -> Samples {
    let mut input = [0; SUBFRAME];
    input[0] = 0x0400_0000;
    let (_, weighted) = weighted_synthesis(&input, lpc, weighting, &[0; ORDER], &[0; ORDER], true);
    let mut signal = [0; PITCH_MAX + SUBFRAME];
    signal[PITCH_MAX..].copy_from_slice(&weighted);
    shaping.run(&signal, PITCH_MAX)
}

impl HighPass {
    /// Filters, and halves.
    fn run(&mut self, samples: &mut [i16; FRAME]) {
        for sample in samples {
            let difference = (i32::from(*sample) - i32::from(self.input)) << 15;
            self.input = *sample;
            self.output = l_add(difference, mul_32_16(self.output, 0x7f00));
            *sample = round(self.output);
        }
    }
}

impl crate::Encoder for Encoder {
    fn spec(&self) -> &'static CodecSpec {
        &SPEC
    }

    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<Encoded, CodecError> {
        let (frames, rest) = pcm.as_chunks::<FRAME>();
        if frames.is_empty() || !rest.is_empty() {
            return Err(CodecError::PartialFrame { frame: FRAME, got: pcm.len() });
        }
        let needed = frames.len() * self.settings.rate.octets();
        if out.len() < needed {
            return Err(CodecError::OutputTooShort { needed, got: out.len() });
        }
        let mut encoded = Encoded { octets: 0, samples: 0 };
        for frame in frames {
            let mut octets = [0; FrameType::High.octets()];
            let frame_type = self.encode_frame(frame, &mut octets);
            encoded.samples += FRAME;
            if frame_type != FrameType::Untransmitted {
                let to = &mut out[encoded.octets..][..frame_type.octets()];
                to.copy_from_slice(&octets[..frame_type.octets()]);
                encoded.octets += frame_type.octets();
            }
            if matches!(frame_type, FrameType::Sid | FrameType::Untransmitted) {
                break;
            }
        }
        Ok(encoded)
    }

    fn reset(&mut self) {
        *self = Self::new(self.settings);
    }
}
