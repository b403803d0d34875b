//! The encoder (3GPP TS 26.090 §5): linear prediction, an adaptive and a fixed codebook searched by analysis through
//! synthesis; with voice activity detection (TS 26.094, option 1) and discontinuous transmission (TS 26.093) if asked.
//!
//! Every bit is that of opencore-amrnb 0.1.6, also where its sums overflow. Between frames it keeps 1392 octets: of its
//! signals only the past that the next frame looks back at.
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by frame and subframe")]

mod closed_loop;
mod codebook;
mod dtx;
mod gain;
mod lpc;
mod lsf;
mod lsp;
mod open_loop;
mod operators;
mod pitch_gain;
mod preprocess;
mod subframe;
mod vad;
mod weighting;

use super::filter::EXCITATION_PAST;
use super::frame::Silence;
use super::lsp::{Lpc, Lsp, interpolate_by_halves, interpolate_by_quarters, lsp_to_lpc};
use super::tables::lsf::INITIAL_LSP;
use super::{FRAME_SAMPLES as FRAME, Frame, Mode, ORDER, SUBFRAME};
use closed_loop::ClosedLoop;
use codebook::{Energies, Parameters};
use dtx::{Decision, Dtx, Transmission};
use open_loop::{LONGEST, OpenLoop};
use operators::part;
use pitch_gain::Stability;
use preprocess::HighPass;
use subframe::{Memories, Subframes};
use vad::Vad;
use weighting::Weighting;

/// Samples before the frame that the analysis windows reach back to, less the look-ahead.
const PAST: usize = 120;

/// Where the frame that is coded begins: 5 ms before the newest one.
const CODED: usize = PAST - vad::LOOK_AHEAD;

/// Encodes frames of 20 ms, in any mode at any frame.
#[derive(Clone, Debug)]
pub struct Encoder {
    high_pass: HighPass,
    /// The last samples of the filtered speech, of the weighted speech, and of the excitation.
    speech: [i16; PAST],
    weighted: [i16; LONGEST],
    excitation: [i16; EXCITATION_PAST],
    /// What the filters remember.
    weighting: [i16; ORDER],
    memories: Memories,
    analysis: lpc::Analysis,
    /// Line spectral pairs of the frame before, and as the decoder has them.
    lsp: Lsp,
    quantized_lsp: Lsp,
    lsf: lsf::Quantizer,
    open_loop: OpenLoop,
    closed_loop: ClosedLoop,
    stability: Stability,
    gains: gain::Quantizer,
    /// How strongly the innovation repeats itself at the pitch lag, Q14.
    sharpening: i16,
    silence: Option<Silencer>,
}

/// What is only needed to leave out silence.
#[derive(Clone, Debug)]
struct Silencer {
    vad: Vad,
    dtx: Dtx,
}

impl Silencer {
    /// One if it is wanted.
    const fn new(dtx: bool) -> Option<Self> {
        if dtx { Some(Self { vad: Vad::new(), dtx: Dtx::new() }) } else { None }
    }
}

/// Linear prediction filters of the four subframes.
struct Filters {
    plain: [Lpc; 4],
    quantized: [Lpc; 4],
}

impl Encoder {
    /// A new encoder; `dtx` makes it send silence descriptors, and nothing between them, where there is no speech.
    #[must_use]
    pub const fn new(dtx: bool) -> Self {
        Self {
            high_pass: HighPass::new(),
            speech: [0; PAST],
            weighted: [0; LONGEST],
            excitation: [0; EXCITATION_PAST],
            weighting: [0; ORDER],
            memories: Memories::new(),
            analysis: lpc::Analysis::new(),
            lsp: INITIAL_LSP,
            quantized_lsp: INITIAL_LSP,
            lsf: lsf::Quantizer::new(),
            open_loop: OpenLoop::new(),
            closed_loop: ClosedLoop::new(),
            stability: Stability::new(),
            gains: gain::Quantizer::new(),
            sharpening: 0,
            silence: Silencer::new(dtx),
        }
    }

    /// Whether silence is left out, from the next frame on; the voice activity detector begins anew.
    pub const fn set_dtx(&mut self, dtx: bool) {
        self.silence = Silencer::new(dtx);
    }

    /// Back to the state of a new encoder.
    pub fn reset(&mut self) {
        *self = Self::new(self.silence.is_some());
    }

    /// Encodes a frame. The three lowest bits of the samples do not count. The speech of the result ends 5 ms before
    /// the end of `pcm`: the rest is look-ahead.
    #[must_use]
    pub fn encode_frame(&mut self, mode: Mode, pcm: &[i16; FRAME]) -> Frame {
        let mut speech = [0; PAST + FRAME];
        speech[..PAST].copy_from_slice(&self.speech);
        self.high_pass.filter(pcm, &mut speech[PAST..]);
        self.speech.copy_from_slice(&speech[FRAME..]);

        let decision = match &mut self.silence {
            Some(silencer) => silencer.dtx.decide(silencer.vad.detect(part(&speech, CODED))),
            None => Decision::Speech,
        };
        match decision {
            Decision::Speech => self.encode_speech(mode, &speech),
            Decision::Silence { refresh } => self.encode_silence(mode, refresh, &speech),
        }
    }

    fn encode_speech(&mut self, mode: Mode, speech: &[i16; PAST + FRAME]) -> Frame {
        let mut parameters = Parameters::new();
        let (plain, sets) = self.analyze(mode, speech);
        let quantized = self.quantize_lsp(mode, &sets, &mut parameters);
        self.remember(&sets[1], speech);
        if let Some(silencer) = &mut self.silence {
            silencer.dtx.speech();
        }
        let filters = Filters { plain, quantized };
        let resonates = self.stability.resonates(&self.lsp);
        let open = self.open_loop(mode, &filters.plain, speech);
        Subframes {
            encoder: self,
            mode,
            filters: &filters,
            speech,
            open,
            resonates,
            parameters: &mut parameters,
            energies: &mut Energies::new(),
        }
        .encode();
        Frame::from_speech(mode, &parameters.values)
    }

    fn encode_silence(&mut self, mode: Mode, refresh: bool, speech: &[i16; PAST + FRAME]) -> Frame {
        let (plain, sets) = self.analyze(mode, speech);
        self.remember(&sets[1], speech);
        let mut frame = Frame::NO_DATA;
        if let Some(Silencer { dtx, .. }) = &mut self.silence {
            let parameters = dtx.describe(refresh, &mut self.lsf, &mut self.gains.predictor);
            frame = match dtx.silence() {
                Transmission::Nothing => Frame::NO_DATA,
                sent => {
                    Frame::from_silence(&Silence { update: sent == Transmission::Update, mode, parameters })
                }
            };
        }
        // Speech will begin from rest.
        self.excitation = [0; EXCITATION_PAST];
        self.memories.error = [0; ORDER];
        self.memories.weighted_error = [0; ORDER];
        self.lsf = lsf::Quantizer::new();
        self.quantized_lsp = self.lsp;
        self.closed_loop = ClosedLoop::new();
        self.sharpening = 0;
        self.open_loop(mode, &plain, speech);
        frame
    }

    /// Short-term prediction: the filters of the subframes, and the line spectral pairs of the second (mode 12.2 only)
    /// and the fourth.
    fn analyze(&mut self, mode: Mode, speech: &[i16; PAST + FRAME]) -> ([Lpc; 4], [Lsp; 2]) {
        if mode == Mode::Mr1220 {
            let [second, fourth] = self.analysis.twice(part(speech, 0));
            let middle = lsp::lpc_to_lsp(&second, &self.lsp);
            let new = lsp::lpc_to_lsp(&fourth, &middle);
            let between = interpolate_by_halves(&self.lsp, &middle, &new);
            ([lsp_to_lpc(&between[0]), second, lsp_to_lpc(&between[2]), fourth], [middle, new])
        } else {
            let fourth = self.analysis.once(part(speech, vad::LOOK_AHEAD));
            let new = lsp::lpc_to_lsp(&fourth, &self.lsp);
            let between = interpolate_by_quarters(&self.lsp, &new);
            ([lsp_to_lpc(&between[0]), lsp_to_lpc(&between[1]), lsp_to_lpc(&between[2]), fourth], [new; 2])
        }
    }

    /// Codes the pairs; the filters are those that the decoder will have.
    fn quantize_lsp(&mut self, mode: Mode, sets: &[Lsp; 2], parameters: &mut Parameters) -> [Lpc; 4] {
        let subframes = if mode == Mode::Mr1220 {
            let ([middle, new], indices) = self.lsf.split_in_five(&sets[0], &sets[1]);
            parameters.extend(indices);
            interpolate_by_halves(&self.quantized_lsp, &middle, &new)
        } else {
            let (new, indices) = self.lsf.split_in_three(mode, &sets[1]);
            parameters.extend(indices);
            interpolate_by_quarters(&self.quantized_lsp, &new)
        };
        self.quantized_lsp = subframes[3];
        subframes.map(|lsp| lsp_to_lpc(&lsp))
    }

    /// Puts the frame's spectrum and energy where later frames look for them.
    fn remember(&mut self, lsp: &Lsp, speech: &[i16; PAST + FRAME]) {
        self.lsp = *lsp;
        if let Some(silencer) = &mut self.silence {
            silencer.dtx.remember(lsp, part(speech, PAST));
        }
    }

    /// Weights the speech and finds the rough lags of the two halves.
    fn open_loop(&mut self, mode: Mode, filters: &[Lpc; 4], speech: &[i16; PAST + FRAME]) -> [usize; 2] {
        let mut weighted = [0; LONGEST + FRAME];
        weighted[..LONGEST].copy_from_slice(&self.weighted);
        for (number, out) in weighted[LONGEST..].chunks_exact_mut(SUBFRAME).enumerate() {
            let speech = part(speech, CODED + number * SUBFRAME - ORDER);
            out.copy_from_slice(&Weighting::new(mode, &filters[number]).speech(speech, &mut self.weighting));
        }
        self.weighted.copy_from_slice(&weighted[FRAME..]);
        let mut vad = self.silence.as_mut().map(|silencer| &mut silencer.vad);
        let lags = self.open_loop.search(mode, &weighted, vad.as_deref_mut());
        if let Some(vad) = vad {
            vad.hear_pitch(lags.map(|lag| lag as i16));
        }
        lags
    }
}
