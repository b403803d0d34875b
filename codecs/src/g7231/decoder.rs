//! The decoder (§3), its concealment of lost frames (§3.10) and its comfort noise (Annex A).

#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the frame and its subframes")]

use super::acelp;
use super::adaptive::{self, Codebook, Past};
use super::bits::{Frame, Speech};
use super::cng::{self, Kind};
use super::filter::{Memory, synthesise, tail};
use super::lsp;
use super::mlq;
use super::ops::{energy, mac, normalise, random};
use super::postfilter::{Excitation, FormantPostfilter, PitchPostfilter};
use super::tables::{FIXED_GAIN, LSP_MEAN};
use super::{FRAME, FrameType, Lag, Lsp, ORDER, PITCH_MAX, Rate, SPEC, SUBFRAME};
use crate::fixed::{add, l_msu, l_mult, l_shr, mult, mult_r, round, shl};
use crate::{CodecError, CodecSpec};

/// Octets that a decoder's state takes.
pub const DECODER_BYTES: usize = size_of::<Decoder>();

/// Lost frames after which there is silence.
const MOST_LOST: u8 = 3;
/// Each lost frame is weaker than the one before, 2.5 dB.
const FADE: i16 = 0x6000;

/// The G.723.1 decoder.
#[derive(Clone, Debug)]
pub struct Decoder {
    postfilter: bool,
    /// Frames lost in a row.
    lost: u8,
    concealment: Concealment,
    lsp: Lsp,
    past_excitation: Past,
    synthesis: Memory,
    formant_postfilter: FormantPostfilter,
    noise: Noise,
}

/// What goes on in place of a lost frame.
#[derive(Clone, Debug)]
struct Concealment {
    /// Gain of the noise for unvoiced speech.
    gain: i16,
    /// Period of voiced speech; 0 for unvoiced.
    lag: Lag,
    seed: i16,
}

/// Comfort noise.
#[derive(Clone, Debug)]
struct Noise {
    previous: Kind,
    lsp: Lsp,
    /// Energy of the last excitation and its scale, while there is speech; else the gains.
    target_gain: i16,
    current_gain: i16,
    seed: i16,
}

impl Decoder {
    /// A new decoder, with the postfilters or without.
    #[must_use]
    pub const fn new(postfilter: bool) -> Self {
        Self {
            postfilter,
            lost: 0,
            concealment: Concealment { gain: 0, lag: 0, seed: 0 },
            lsp: LSP_MEAN,
            past_excitation: [0; PITCH_MAX],
            synthesis: [0; ORDER],
            formant_postfilter: FormantPostfilter::new(),
            noise: Noise {
                previous: Kind::Speech,
                lsp: LSP_MEAN,
                target_gain: 0,
                current_gain: 0,
                seed: cng::SEED,
            },
        }
    }

    /// Decodes one frame of any type; `octets` may go on behind it.
    ///
    /// A frame that no encoder makes (lags or gains out of range) is concealed, as the standard says.
    ///
    /// # Errors
    /// [`CodecError::PayloadLength`] if the frame's own type says that it is longer.
    pub fn decode_frame(&mut self, octets: &[u8], pcm: &mut [i16; FRAME]) -> Result<FrameType, CodecError> {
        let frame_type = FrameType::of(*octets.first().ok_or_else(|| length_error(0))?);
        let octets = octets.get(..frame_type.octets()).ok_or_else(|| length_error(octets.len()))?;
        match Frame::unpack(octets) {
            Frame::Speech(rate, speech) => self.speech(rate, &speech, pcm),
            Frame::Sid { lsp, gain } => self.comfort_noise(Some((lsp, gain)), pcm),
            Frame::Untransmitted => self.comfort_noise(None, pcm),
            Frame::Damaged => self.conceal_frame(pcm),
        }
        Ok(frame_type)
    }

    /// Makes up a frame that was lost: the last speech, fading, or comfort noise that goes on.
    pub fn conceal_frame(&mut self, pcm: &mut [i16; FRAME]) {
        if self.noise.previous != Kind::Speech {
            self.comfort_noise(None, pcm);
            return;
        }
        self.lost = (self.lost + 1).min(MOST_LOST);
        self.noise.seed = cng::SEED;
        let lsp = lsp::extrapolate(&self.lsp);
        self.concealment.gain = mult_r(self.concealment.gain, FADE);
        let mut excitation = [0; FRAME];
        if self.lost >= MOST_LOST {
            self.past_excitation = [0; PITCH_MAX];
        } else if self.concealment.lag > 0 {
            self.concealment.repeat(&mut excitation, &mut self.past_excitation);
        } else {
            for sample in &mut excitation {
                *sample = mult(self.concealment.gain, random(&mut self.concealment.seed));
            }
            self.past_excitation = [0; PITCH_MAX];
        }
        self.synthesise(&excitation, &lsp, pcm);
    }

    /// One frame that was not transmitted.
    fn comfort_noise(&mut self, sid: Option<(u32, u8)>, pcm: &mut [i16; FRAME]) {
        let after_speech = self.noise.previous == Kind::Speech;
        match sid {
            Some((lsp, level)) => {
                self.noise.target_gain = cng::gain(level);
                self.noise.lsp = lsp::dequantise(lsp, &self.lsp);
            }
            None if after_speech => {
                let level = cng::gain_of_excitation(self.noise.target_gain, self.noise.current_gain);
                self.noise.target_gain = cng::gain(level);
            }
            None => {}
        }
        self.noise.current_gain = cng::smooth(self.noise.current_gain, self.noise.target_gain, after_speech);
        let made = cng::excitation(self.noise.current_gain, &mut self.past_excitation, &mut self.noise.seed);
        self.noise.previous = if sid.is_some() { Kind::Sid } else { Kind::Untransmitted };
        let lsp = self.noise.lsp;
        self.synthesise(&made.excitation, &lsp, pcm);
    }

    fn speech(&mut self, rate: Rate, speech: &Speech, pcm: &mut [i16; FRAME]) {
        self.lost = 0;
        let lsp = lsp::dequantise(speech.lsp, &self.lsp);
        let [_, _, third, fourth] = &speech.subframes;
        let mean = (usize::from(third.gain) + usize::from(fourth.gain)) / 2;
        self.concealment.gain = FIXED_GAIN[mean % FIXED_GAIN.len()];

        let excitation = self.excitation(rate, speech);
        let mut frame = [0; FRAME];
        frame.copy_from_slice(&excitation[PITCH_MAX..]);
        let mut scaled = excitation;
        let shift = normalise(&mut scaled);
        let [_, last_lag] = speech.lags.map(usize::from);
        let (lag, last_energy) = periodicity(&scaled, last_lag);
        self.concealment.lag = lag as Lag;
        self.noise.target_gain = last_energy;
        self.noise.current_gain = shift;
        self.noise.lsp = lsp;
        self.noise.seed = cng::SEED;
        self.noise.previous = Kind::Speech;
        if self.postfilter {
            for (i, samples) in frame.chunks_exact_mut(SUBFRAME).enumerate() {
                let start = PITCH_MAX + i * SUBFRAME;
                let filter = PitchPostfilter::find(&scaled, usize::from(speech.lags[i / 2]), start, rate);
                samples.copy_from_slice(&filter.run(&excitation, start));
            }
        }
        self.synthesise(&frame, &lsp, pcm);
    }

    /// The excitation of a frame behind that of the past; the past moves on (§3.4, §3.5).
    fn excitation(&mut self, rate: Rate, speech: &Speech) -> Excitation {
        let mut all = [0; PITCH_MAX + FRAME];
        all[..PITCH_MAX].copy_from_slice(&self.past_excitation);
        for (i, code) in speech.subframes.iter().enumerate() {
            let open_loop = usize::from(speech.lags[i / 2]);
            let lag = open_loop + usize::from(code.lag_step) - 1;
            let fixed = match rate {
                Rate::High => mlq::decode(code, open_loop, i),
                Rate::Low => acelp::decode(code, lag),
            };
            let codebook = Codebook::of(rate, open_loop);
            let mut subframe = adaptive::contribution(&self.past_excitation, lag, codebook, code.adaptive);
            for (sample, fixed) in subframe.iter_mut().zip(fixed) {
                *sample = add(shl(fixed, 1), *sample);
            }
            adaptive::push(&mut self.past_excitation, &subframe);
            all[PITCH_MAX + i * SUBFRAME..][..SUBFRAME].copy_from_slice(&subframe);
        }
        all
    }

    /// Synthesis and formant postfilter of a frame, from the previous LSPs to these (§3.7 to §3.9).
    fn synthesise(&mut self, excitation: &[i16; FRAME], lsp: &Lsp, pcm: &mut [i16; FRAME]) {
        let predictors = lsp::interpolate(lsp, &self.lsp);
        self.lsp = *lsp;
        let subframes = excitation.chunks_exact(SUBFRAME).zip(pcm.chunks_exact_mut(SUBFRAME));
        for ((excitation, pcm), lpc) in subframes.zip(&predictors) {
            let mut input = [0; SUBFRAME];
            for (input, &sample) in input.iter_mut().zip(excitation) {
                *input = i32::from(sample) << 13;
            }
            let speech = synthesise(&input, lpc, &self.synthesis);
            self.synthesis = tail(&speech);
            if self.postfilter {
                pcm.copy_from_slice(&self.formant_postfilter.run(&speech, lpc));
            } else {
                pcm.copy_from_slice(&speech.map(|sample| shl(sample, 1)));
            }
        }
    }
}

impl Concealment {
    /// Repeats the last period, weaker, in a frame and in the past.
    fn repeat(&self, frame: &mut [i16; FRAME], past: &mut Past) {
        let lag = usize::from(self.lag);
        let period = &past[PITCH_MAX - lag..];
        for part in frame.chunks_mut(lag) {
            part.copy_from_slice(&period[..part.len()]);
        }
        for sample in frame.iter_mut() {
            *sample = mult(*sample, FADE);
        }
        past.copy_from_slice(&frame[FRAME - PITCH_MAX..]);
    }
}

/// The period of the last two subframes of an excitation of 12 bits, 0 if they are not voiced; and their energy
/// (§3.10.2).
fn periodicity(excitation: &Excitation, lag: usize) -> (usize, i16) {
    const LENGTH: usize = 2 * SUBFRAME;
    const START: usize = PITCH_MAX + FRAME - LENGTH;
    const RANGE: usize = 3;
    let lag = lag.min(PITCH_MAX - RANGE);
    let safe = energy(&excitation[START - PITCH_MAX..]) < 1 << 30;
    let now = &excitation[START..];
    let past = |lag: usize| &excitation[START - lag..][..LENGTH];
    let mut best = (0, lag);
    for lag in lag - RANGE..=lag + RANGE {
        let correlation = mac(now, past(lag), safe);
        if correlation > best.0 {
            best = (correlation, lag);
        }
    }
    let (correlation, lag) = (round(best.0), best.1);
    let own = round(mac(now, now, safe));
    if correlation <= 0 {
        return (0, own);
    }
    let other = round(mac(past(lag), past(lag), safe));
    // Voiced if the prediction gain is at least 0.58 dB.
    let voiced = l_msu(l_shr(l_mult(other, own), 3), correlation, correlation) < 0;
    (if voiced { lag } else { 0 }, own)
}

const fn length_error(got: usize) -> CodecError {
    CodecError::PayloadLength {
        got,
        expected: "frames of 24, 20, 4 or 1 octets, as their first two bits say",
    }
}

/// The frames of a payload, if their types and its length agree.
fn count_frames(payload: &[u8]) -> Result<usize, CodecError> {
    let mut rest = payload;
    let mut frames = 0;
    while let Some(&first) = rest.first() {
        rest = rest.get(FrameType::of(first).octets()..).ok_or_else(|| length_error(payload.len()))?;
        frames += 1;
    }
    Ok(frames)
}

impl crate::Decoder for Decoder {
    fn spec(&self) -> &'static CodecSpec {
        &SPEC
    }

    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        let frames = count_frames(payload)?.max(1);
        let (pcm_frames, _) = pcm.as_chunks_mut::<FRAME>();
        let Some(pcm_frames) = pcm_frames.get_mut(..frames) else {
            return Err(CodecError::OutputTooShort { needed: frames * FRAME, got: pcm.len() });
        };
        let mut rest = payload;
        for frame in pcm_frames {
            if rest.is_empty() {
                self.comfort_noise(None, frame);
            } else {
                let frame_type = self.decode_frame(rest, frame)?;
                rest = &rest[frame_type.octets()..];
            }
        }
        Ok(frames * FRAME)
    }

    fn conceal(&mut self, pcm: &mut [i16]) -> Result<usize, CodecError> {
        let got = pcm.len();
        let (frames, rest) = pcm.as_chunks_mut::<FRAME>();
        if !rest.is_empty() {
            return Err(CodecError::PartialFrame { frame: FRAME, got });
        }
        for frame in frames {
            self.conceal_frame(frame);
        }
        Ok(got)
    }

    fn is_resting(&self) -> bool {
        self.noise.previous != Kind::Speech
    }

    fn reset(&mut self) {
        *self = Self::new(self.postfilter);
    }
}
