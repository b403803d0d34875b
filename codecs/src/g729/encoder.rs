//! The encoder of a frame (Annex A §A.3, Annex B §B.2).
#![expect(clippy::indexing_slicing, reason = "fixed arrays, ranges of the frame and its subframes")]

use super::bits::{Sid, Speech, Subframe};
use super::dtx::Dtx;
use super::filter::{powers, residual, response, synthesis, weighted};
use super::fixed_codebook::{self, sharpen};
use super::gain::{self, PitchCorrelations, Predictor};
use super::high_pass::HighPass;
use super::lpc::{Autocorrelation, Levinson};
use super::lsf_quantizer::{self, History};
use super::pitch::{self, Lag, Range};
use super::taming::Taming;
use super::vad::Vad;
use super::vector::each;
use super::{
    FRAME, FRAME_SAMPLES, HISTORY, INITIAL_LSP, LAG_MAX, Lpc, Lsp, ORDER, SHARPENING_MAX, SHARPENING_MIN,
    SUBFRAME, WINDOW_SAMPLES, lsp, noise,
};
use crate::fixed::{add, extract_h, l_mult, l_shl, mult, sub};

/// Samples of the window that are older than the new frame.
const OLD_SPEECH: usize = WINDOW_SAMPLES - FRAME;
/// Where the frame that is coded begins in the window: the newest 40 samples are look-ahead.
const CODED: usize = WINDOW_SAMPLES - FRAME - 40;

/// Perceptual weighting: γ = 0.75.
const GAMMA: [i16; ORDER] = powers(24_576);

/// What a frame becomes on the wire.
pub(super) enum Coded {
    Speech(Speech),
    Sid(Sid),
    Untransmitted,
}

#[derive(Clone)]
pub(super) struct State {
    high_pass: HighPass,
    speech: [i16; OLD_SPEECH],
    weighted: [i16; LAG_MAX],
    excitation: [i16; HISTORY],
    lsp: Lsp,
    quantized_lsp: Lsp,
    levinson: Levinson,
    lsf_history: History,
    gain_predictor: Predictor,
    /// Memory of the filter that weights the speech for the open-loop search.
    weighting_memory: [i16; ORDER],
    /// Memory of the weighted synthesis filter: the error so far.
    error_memory: [i16; ORDER],
    sharpening: i16,
    taming: Taming,
    silence: Silence,
}

/// Annex B.
#[derive(Clone)]
struct Silence {
    vad: Vad,
    dtx: Dtx,
    seed: i16,
    /// Whether the last frame was coded as speech.
    active: bool,
}

impl State {
    pub(super) const NEW: Self = Self {
        high_pass: HighPass::NEW,
        speech: [0; OLD_SPEECH],
        weighted: [0; LAG_MAX],
        excitation: [0; HISTORY],
        lsp: INITIAL_LSP,
        quantized_lsp: INITIAL_LSP,
        levinson: Levinson::NEW,
        lsf_history: History::NEW,
        gain_predictor: Predictor::NEW,
        weighting_memory: [0; ORDER],
        error_memory: [0; ORDER],
        sharpening: SHARPENING_MIN,
        taming: Taming::NEW,
        silence: Silence { vad: Vad::NEW, dtx: Dtx::NEW, seed: noise::SEED, active: true },
    };

    pub(super) fn encode(&mut self, pcm: &[i16; FRAME_SAMPLES], vad: bool) -> Coded {
        let mut window = [0; WINDOW_SAMPLES];
        window[..OLD_SPEECH].copy_from_slice(&self.speech);
        window[OLD_SPEECH..].copy_from_slice(&self.high_pass.before_encoder(pcm));

        let mut correlation = Autocorrelation::of(&window);
        let upper = correlation.upper();
        correlation.apply_lag_window();
        let Some(lags) = correlation.values.first_chunk() else { return Coded::Untransmitted };
        let prediction = self.levinson.solve(lags);
        let pairs = lsp::from_lpc(&prediction.lpc, &self.lsp);
        let mut active = true;
        if vad {
            let lsf = lsp::to_normalised_frequencies(&pairs);
            active = self.silence.vad.is_active(prediction.reflection, &lsf, &correlation, &window);
            self.silence.dtx.note(upper, &correlation, active);
        }
        let coded = if active { self.encode_speech(&window, pairs) } else { self.encode_noise(&window) };
        self.silence.active = active;
        self.speech.copy_from_slice(&window[FRAME..]);
        coded
    }

    fn encode_speech(&mut self, window: &[i16; WINDOW_SAMPLES], pairs: Lsp) -> Coded {
        self.silence.seed = noise::SEED;
        let (lsf, quantized) = lsf_quantizer::quantize(&mut self.lsf_history, &lsp::to_lsf(&pairs));
        let quantized = lsp::from_lsf(&quantized);
        let filters = lsp::interpolated_lpc(&self.quantized_lsp, &quantized);
        (self.lsp, self.quantized_lsp) = (pairs, quantized);

        let mut excitation = self.excitation_buffer();
        let mut signal = self.weighted_buffer();
        for (subframe, filter) in filters.iter().enumerate() {
            let residual = self.weight(window, filter, subframe, &mut signal);
            excitation[HISTORY + subframe * SUBFRAME..][..SUBFRAME].copy_from_slice(&residual);
        }
        let open_loop = pitch::open_loop(&signal);
        self.weighted.copy_from_slice(&signal[FRAME..]);

        let mut speech = Speech { lsf, ..Speech::default() };
        let range = Range::around(open_loop, 3, 6);
        let [first, second] = &filters;
        let (coded, lag) = self.encode_subframe(first, &mut excitation, range, false);
        speech.subframes[0] = Subframe { pitch: pitch::first_index(lag), ..coded };
        speech.parity = pitch::parity(speech.subframes[0].pitch);
        let range = pitch::second_range(lag.whole);
        let (coded, lag) = self.encode_subframe(second, &mut excitation[SUBFRAME..], range, true);
        speech.subframes[1] = Subframe { pitch: pitch::second_index(lag, range), ..coded };

        self.excitation.copy_from_slice(&excitation[FRAME..]);
        Coded::Speech(speech)
    }

    /// Codes a subframe; its residual stands in `excitation` behind [`HISTORY`] and becomes the excitation.
    fn encode_subframe(
        &mut self,
        filter: &Lpc,
        excitation: &mut [i16],
        range: Range,
        is_second: bool,
    ) -> (Subframe, Lag) {
        let filter = weighted(filter, &GAMMA);
        let mut impulse = response(&filter, &[4096]);
        let target = synthesis(&filter, &subframe_of(excitation), &self.error_memory).0;

        let correlations = pitch::target_correlation(&impulse, &target);
        let lag = pitch::closed_loop(excitation, &correlations, range, is_second);
        let pitch_filtered = synthesis(&filter, &subframe_of(excitation), &[0; ORDER]).0;
        let pitch_correlations = PitchCorrelations::new(&target, &pitch_filtered);
        let tame = self.taming.is_needed(lag);
        let mut pitch_gain = pitch_correlations.gain();
        if tame {
            pitch_gain = pitch_gain.min(15_564);
        }

        let rest = gain::remaining_target(&target, &pitch_filtered, pitch_gain);
        sharpen(&mut impulse, lag.whole, self.sharpening);
        let correlations = pitch::target_correlation(&impulse, &rest);
        let mut innovation = fixed_codebook::search(&impulse, &correlations);
        sharpen(&mut innovation.code, lag.whole, self.sharpening);

        let correlations = pitch_correlations.with_code(&target, &pitch_filtered, &innovation.filtered);
        let (index, gains) = gain::quantize(&mut self.gain_predictor, &innovation.code, &correlations, tame);
        self.sharpening = gains.pitch.clamp(SHARPENING_MIN, SHARPENING_MAX);
        gain::excite(&mut excitation[HISTORY..HISTORY + SUBFRAME], &innovation.code, gains);
        self.taming.update(gains.pitch, lag.whole);
        for (i, memory) in (SUBFRAME - ORDER..).zip(&mut self.error_memory) {
            let pitch = extract_h(l_shl(l_mult(pitch_filtered[i], gains.pitch), 1));
            let code = extract_h(l_shl(l_mult(innovation.filtered[i], gains.code), 2));
            *memory = sub(target[i], add(pitch, code));
        }
        let coded =
            Subframe { pitch: 0, positions: innovation.positions, signs: innovation.signs, gains: index };
        (coded, lag)
    }

    fn encode_noise(&mut self, window: &[i16; WINDOW_SAMPLES]) -> Coded {
        let Silence { dtx, active, seed, .. } = &mut self.silence;
        let frame = dtx.code(*active, &mut self.levinson, &mut self.lsf_history, &self.quantized_lsp);
        let mut excitation = [0; HISTORY + FRAME];
        excitation[..HISTORY].copy_from_slice(&self.excitation);
        let taming = &mut self.taming;
        noise::excite(&mut excitation, frame.gain, seed, |gain, lag| taming.update(gain, lag));
        let filters = lsp::interpolated_lpc(&self.quantized_lsp, &frame.lsp);
        self.quantized_lsp = frame.lsp;

        // The filters go on, so that speech can begin at any frame.
        let mut signal = self.weighted_buffer();
        for (subframe, filter) in filters.iter().enumerate() {
            let residual = self.weight(window, filter, subframe, &mut signal);
            let noise = &excitation[HISTORY + subframe * SUBFRAME..];
            let error: [i16; SUBFRAME] = each(|i| sub(residual[i], noise[i]));
            let (error, _) = synthesis(&weighted(filter, &GAMMA), &error, &self.error_memory);
            self.error_memory.copy_from_slice(&error[SUBFRAME - ORDER..]);
        }
        self.weighted.copy_from_slice(&signal[FRAME..]);
        self.excitation.copy_from_slice(&excitation[FRAME..]);
        self.sharpening = SHARPENING_MIN;
        frame.sid.map_or(Coded::Untransmitted, Coded::Sid)
    }

    /// Writes a subframe of weighted speech (Annex A's tilted filter) and returns the residual.
    fn weight(
        &mut self,
        window: &[i16; WINDOW_SAMPLES],
        filter: &Lpc,
        subframe: usize,
        signal: &mut [i16; LAG_MAX + FRAME],
    ) -> [i16; SUBFRAME] {
        let at = subframe * SUBFRAME;
        let Some(speech) = window[CODED + at - ORDER..].first_chunk() else { return [0; SUBFRAME] };
        let residual = residual(filter, speech);
        let (weighted, _) = synthesis(&tilted(&weighted(filter, &GAMMA)), &residual, &self.weighting_memory);
        self.weighting_memory.copy_from_slice(&weighted[SUBFRAME - ORDER..]);
        signal[LAG_MAX + at..][..SUBFRAME].copy_from_slice(&weighted);
        residual
    }

    fn excitation_buffer(&self) -> [i16; HISTORY + FRAME] {
        let mut buffer = [0; HISTORY + FRAME];
        buffer[..HISTORY].copy_from_slice(&self.excitation);
        buffer
    }

    fn weighted_buffer(&self) -> [i16; LAG_MAX + FRAME] {
        let mut buffer = [0; LAG_MAX + FRAME];
        buffer[..LAG_MAX].copy_from_slice(&self.weighted);
        buffer
    }
}

/// The weighted filter times `1 - 0.7 z⁻¹`.
fn tilted(filter: &Lpc) -> Lpc {
    let mut tilted = *filter;
    for i in 1..=ORDER {
        tilted[i] = sub(filter[i], mult(filter[i - 1], 22_938));
    }
    tilted
}

fn subframe_of(excitation: &[i16]) -> [i16; SUBFRAME] {
    let mut subframe = [0; SUBFRAME];
    subframe.copy_from_slice(&excitation[HISTORY..HISTORY + SUBFRAME]);
    subframe
}
