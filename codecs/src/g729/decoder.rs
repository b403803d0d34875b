//! The decoder of a frame (§4.1, Annex A §A.4, Annex B §B.4), with concealment (§4.4).
#![expect(clippy::indexing_slicing, reason = "fixed arrays, ranges of the frame and its subframes")]

use super::bits::{Sid, Speech};
use super::filter::synthesis;
use super::fixed_codebook::{self, sharpen};
use super::gain::{self, Gains, Predictor};
use super::high_pass::HighPass;
use super::lsf_quantizer;
use super::pitch::{self, Lag};
use super::postfilter::Postfilter;
use super::vector::saturated_energy;
use super::{
    FRAME, FRAME_SAMPLES, HISTORY, INITIAL_LSP, Lpc, Lsp, ORDER, SHARPENING_MAX, SHARPENING_MIN, SUBFRAME,
    lsp, noise, sid,
};
use crate::fixed::{add, l_shl, mult_r, norm_l, round, sub};

/// Pairs of the comfort noise before any descriptor.
const NOISE_LSP: Lsp = [31_441, 27_566, 21_458, 13_612, 4663, -4663, -13_612, -21_458, -27_566, -31_441];

/// What came for a frame.
pub(super) enum Received {
    Speech(Speech),
    Sid(Sid),
    /// The sender sent nothing.
    Untransmitted,
    /// Whatever was sent did not come.
    Lost,
}

#[derive(Clone)]
pub(super) struct State {
    excitation: [i16; HISTORY],
    lsp: Lsp,
    lsf: lsf_quantizer::Decoder,
    synthesis_memory: [i16; ORDER],
    sharpening: i16,
    lag: u8,
    gains: Gains,
    gain_predictor: Predictor,
    /// Random pulses of lost frames.
    erasure_seed: i16,
    comfort: Comfort,
    postfilter: Postfilter,
    high_pass: HighPass,
}

/// Comfort noise.
#[derive(Clone)]
struct Comfort {
    /// Whether the last frame was speech.
    after_speech: bool,
    seed: i16,
    /// Energy of the last good frame's excitation, and its exponent.
    energy: (i16, i16),
    lsp: Lsp,
    /// Gain of the last descriptor, and the one in use.
    sent_gain: i16,
    gain: i16,
}

impl State {
    /// Whether the last frame was comfort noise.
    pub(super) const fn is_resting(&self) -> bool {
        !self.comfort.after_speech
    }

    pub(super) const NEW: Self = Self {
        excitation: [0; HISTORY],
        lsp: INITIAL_LSP,
        lsf: lsf_quantizer::Decoder::NEW,
        synthesis_memory: [0; ORDER],
        sharpening: SHARPENING_MIN,
        lag: 60,
        gains: Gains { pitch: 0, code: 0 },
        gain_predictor: Predictor::NEW,
        erasure_seed: 21_845,
        comfort: Comfort {
            after_speech: true,
            seed: noise::SEED,
            energy: (0, 1),
            lsp: NOISE_LSP,
            sent_gain: 2,
            gain: 0,
        },
        postfilter: Postfilter::NEW,
        high_pass: HighPass::NEW,
    };

    pub(super) fn decode(&mut self, received: &Received) -> [i16; FRAME_SAMPLES] {
        let mut excitation = [0; HISTORY + FRAME];
        excitation[..HISTORY].copy_from_slice(&self.excitation);
        let mut speech = [0; ORDER + FRAME];
        speech[..ORDER].copy_from_slice(&self.synthesis_memory);

        let (filters, lags) = match received {
            Received::Speech(parameters) => {
                self.decode_speech(Some(parameters), &mut excitation, &mut speech)
            }
            Received::Lost if self.comfort.after_speech => {
                self.decode_speech(None, &mut excitation, &mut speech)
            }
            Received::Sid(sid) => self.decode_noise(Some(sid), &mut excitation, &mut speech),
            Received::Untransmitted | Received::Lost => self.decode_noise(None, &mut excitation, &mut speech),
        };
        if !matches!(received, Received::Lost) {
            let power = saturated_energy(0, &excitation[HISTORY..]);
            let shift = norm_l(power);
            self.comfort.energy = (round(l_shl(power, shift)), sub(16, shift));
        }
        self.comfort.after_speech = lags.is_some();
        self.excitation.copy_from_slice(&excitation[FRAME..]);
        let filtered = self.postfilter.filter(&speech, &filters, lags);
        self.high_pass.behind_decoder(&filtered)
    }

    /// Speech, or without parameters its concealment. Writes the frame behind the ten old samples in `speech`.
    fn decode_speech(
        &mut self,
        parameters: Option<&Speech>,
        excitation: &mut [i16; HISTORY + FRAME],
        speech: &mut [i16; ORDER + FRAME],
    ) -> ([Lpc; 2], Option<[usize; 2]>) {
        self.comfort.seed = noise::SEED;
        let lsf = match parameters {
            Some(parameters) => self.lsf.decode(parameters.lsf),
            None => self.lsf.conceal(),
        };
        let pairs = lsp::from_lsf(&lsf);
        let filters = lsp::interpolated_lpc(&self.lsp, &pairs);
        self.lsp = pairs;
        let mut lags = [0; 2];
        for subframe in 0..2 {
            let lag = self.lag(parameters, subframe, lags[0]);
            lags[subframe] = lag.whole;
            let at = subframe * SUBFRAME;
            self.excite(parameters, subframe, lag, &mut excitation[at..]);
            self.synthesize(&filters[subframe], excitation, at, speech);
        }
        (filters, Some(lags))
    }

    /// `first` is the first subframe's lag in the second.
    fn lag(&mut self, parameters: Option<&Speech>, subframe: usize, first: usize) -> Lag {
        let good = parameters.filter(|parameters| {
            subframe == 1 || parameters.parity == pitch::parity(parameters.subframes[0].pitch)
        });
        let Some(parameters) = good else {
            let lag = Lag { whole: usize::from(self.lag), thirds: 0 };
            self.lag = pitch::prolonged(self.lag);
            return lag;
        };
        let index = parameters.subframes[subframe].pitch;
        let lag = if subframe == 0 { pitch::first_lag(index) } else { pitch::second_lag(index, first) };
        self.lag = lag.whole as u8;
        lag
    }

    /// Makes the excitation of a subframe, behind [`HISTORY`].
    fn excite(&mut self, parameters: Option<&Speech>, subframe: usize, lag: Lag, excitation: &mut [i16]) {
        pitch::predict(excitation, lag);
        let (positions, signs) = match parameters {
            Some(parameters) => {
                (parameters.subframes[subframe].positions, parameters.subframes[subframe].signs)
            }
            None => {
                let positions = noise::random(&mut self.erasure_seed) as u16 & 0x1fff;
                (positions, (noise::random(&mut self.erasure_seed) & 15) as u8)
            }
        };
        let mut code = fixed_codebook::decode(positions, signs);
        sharpen(&mut code, lag.whole, self.sharpening);
        self.gains = match parameters {
            Some(parameters) => self.gain_predictor.decode(parameters.subframes[subframe].gains, &code),
            None => self.gain_predictor.conceal(self.gains),
        };
        self.sharpening = self.gains.pitch.clamp(SHARPENING_MIN, SHARPENING_MAX);
        gain::excite(&mut excitation[HISTORY..HISTORY + SUBFRAME], &code, self.gains);
    }

    /// Comfort noise, with a new descriptor or without.
    fn decode_noise(
        &mut self,
        sid: Option<&Sid>,
        excitation: &mut [i16; HISTORY + FRAME],
        speech: &mut [i16; ORDER + FRAME],
    ) -> ([Lpc; 2], Option<[usize; 2]>) {
        let comfort = &mut self.comfort;
        match sid {
            Some(sid) => {
                comfort.sent_gain = sid::gain(sid.gain);
                comfort.lsp = sid::dequantize_spectrum(&mut self.lsf.history, sid);
            }
            None if comfort.after_speech => {
                // The first descriptor was missed: as loud as the last frame.
                let (energy, exponent) = comfort.energy;
                comfort.sent_gain = sid::gain(sid::quantize_frame_energy(energy, exponent));
            }
            None => {}
        }
        comfort.gain = if comfort.after_speech {
            comfort.sent_gain
        } else {
            add(mult_r(comfort.gain, 28_672), mult_r(comfort.sent_gain, 4096))
        };
        noise::excite(excitation, comfort.gain, &mut comfort.seed, |_, _| {});
        let filters = lsp::interpolated_lpc(&self.lsp, &comfort.lsp);
        self.lsp = comfort.lsp;
        for (subframe, filter) in filters.iter().enumerate() {
            self.synthesize(filter, excitation, subframe * SUBFRAME, speech);
        }
        self.sharpening = SHARPENING_MIN;
        (filters, None)
    }

    /// Speech of the subframe at `at`. If it overflows, the whole excitation is made smaller and it is done again.
    fn synthesize(
        &mut self,
        filter: &Lpc,
        excitation: &mut [i16; HISTORY + FRAME],
        at: usize,
        speech: &mut [i16; ORDER + FRAME],
    ) {
        let input = |excitation: &[i16; HISTORY + FRAME]| {
            let mut input = [0; SUBFRAME];
            input.copy_from_slice(&excitation[HISTORY + at..][..SUBFRAME]);
            input
        };
        let (mut output, overflow) = synthesis(filter, &input(excitation), &self.synthesis_memory);
        if overflow {
            *excitation = excitation.map(|sample| sample >> 2);
            output = synthesis(filter, &input(excitation), &self.synthesis_memory).0;
        }
        self.synthesis_memory.copy_from_slice(&output[SUBFRAME - ORDER..]);
        speech[ORDER + at..][..SUBFRAME].copy_from_slice(&output);
    }
}
