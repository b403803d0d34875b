//! The speech decoder, frame by frame (3GPP TS 26.090 §6, 26.091, 26.092, 26.093).
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices below their length")]

mod background;
mod comfort;
mod dispersion;
mod gains;
mod innovation;
mod lag;
mod lsf;
mod postfilter;

use self::background::{Background, GainSmoother, hold_energy};
use self::comfort::{ComfortNoise, Generated, Phase};
use self::dispersion::Dispersion;
use self::gains::{CodeGains, PitchGains};
use self::innovation::Innovation;
use self::lsf::LsfDecoder;
use self::postfilter::{HighPass, Postfilter, match_energy, sum_of_squares};
use super::filter::{EXCITATION_PAST, Fraction, repeat_pitch, synthesize};
use super::frame::{PARAMETERS, Silence};
use super::gain::GainPredictor;
use super::lsp::{Lpc, Lsf, Lsp, interpolate_by_halves, interpolate_by_quarters, lsf_to_lsp, lsp_to_lpc};
use super::sqrt::sqrt;
use super::tables::bits::PARAMETER_BITS;
use super::tables::lsf::{INITIAL_LSP, SPLIT5_MEAN};
use super::tables::window::WINDOW_200_40;
use super::{FRAME_SAMPLES, Frame, FrameType, Mode, ORDER, SUBFRAME};
use crate::fixed::{add, l_mac, l_msu, l_mult, l_shr, mult, round, saturate, shl};

/// The most that the last pitch gain sharpens the pulses: 0.794, Q14.
const SHARPEST: i16 = 13017;

/// Turns frames into speech.
#[derive(Clone, Debug)]
pub struct Decoder {
    speech: Speech,
    postfilter: Postfilter,
    high_pass: HighPass,
    /// The mode of the last frame that had one.
    mode: Mode,
}

/// What a frame brings, as the receiver sees it (TS 26.093 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reception {
    Speech,
    BadSpeech,
    SilenceFirst,
    SilenceUpdate,
    BadSilence,
    NoData,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at rest.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            speech: Speech::new(),
            postfilter: Postfilter::new(),
            high_pass: HighPass::new(),
            mode: Mode::Mr475,
        }
    }

    /// Decodes a frame. [`Frame::NO_DATA`] is one that was lost or not sent: concealment, or more comfort noise.
    pub fn decode_frame(&mut self, frame: &Frame, pcm: &mut [i16; FRAME_SAMPLES]) {
        self.decode(frame, true, pcm);
    }

    /// Decodes a frame that is said to be damaged (Q bit 0, RFC 4867 §4.3.2).
    pub fn decode_damaged(&mut self, frame: &Frame, pcm: &mut [i16; FRAME_SAMPLES]) {
        self.decode(frame, false, pcm);
    }

    /// Whether the last frame was comfort noise of a sender that rests.
    pub(super) const fn is_resting(&self) -> bool {
        self.speech.comfort.known && matches!(self.speech.comfort.phase, Phase::Noise)
    }

    /// Back to the state of a new decoder.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    fn decode(&mut self, frame: &Frame, good: bool, pcm: &mut [i16; FRAME_SAMPLES]) {
        let silence = frame.silence();
        let reception = match (frame.kind(), &silence) {
            (FrameType::Speech(_), _) if good => Reception::Speech,
            (FrameType::Speech(_), _) => Reception::BadSpeech,
            (FrameType::Sid, Some(_)) if !good => Reception::BadSilence,
            (FrameType::Sid, Some(silence)) if silence.update => Reception::SilenceUpdate,
            (FrameType::Sid, _) => Reception::SilenceFirst,
            (FrameType::NoData, _) => Reception::NoData,
        };
        let speech = frame.speech();
        self.mode = match (&speech, &silence) {
            (Some((mode, _)), _) => *mode,
            (None, Some(silence)) => silence.mode,
            _ => self.mode,
        };
        let filters = match self.speech.comfort.receive(reception) {
            Phase::Speech => {
                let parameters = speech.map(|(_, parameters)| parameters);
                self.speech.speak(self.mode, reception == Reception::Speech, parameters, pcm)
            }
            phase => self.speech.be_silent(phase, self.mode, silence.as_ref(), pcm),
        };
        self.postfilter.run(self.mode, pcm, &filters);
        self.high_pass.run(pcm);
        // The decoder's output has 13 bits (TS 26.090 §4.2).
        pcm.iter_mut().for_each(|sample| *sample &= !7);
    }
}

/// Everything before the postfilter.
#[derive(Clone, Debug)]
struct Speech {
    /// The excitation before this frame.
    excitation: [i16; EXCITATION_PAST],
    /// The pairs of the last frame.
    lsp: Lsp,
    /// The last samples of the synthesis filter.
    memory: [i16; ORDER],
    /// The last pitch gain, Q14, limited.
    sharpening: i16,
    lag: i16,
    good: bool,
    /// 0 to 6: how long frames have been bad.
    badness: u8,
    /// Square roots of the excitation's energy in the last subframes, the newest last.
    energies: [i16; 9],
    random: i16,
    background: Background,
    smoother: GainSmoother,
    lsf: LsfDecoder,
    /// The long-term mean of the lines.
    lsf_mean: Lsf,
    pitch_gains: PitchGains,
    code_gains: CodeGains,
    predictor: GainPredictor,
    dispersion: Dispersion,
    comfort: ComfortNoise,
}

/// The excitation's past and the frame at hand.
type Excitation = [i16; EXCITATION_PAST + FRAME_SAMPLES];

/// What a frame tells its subframes.
struct Around {
    mode: Mode,
    good: bool,
    /// The lines of the frame before and of this one.
    lines: [Lsf; 2],
}

/// A subframe's gains, and how far its pitch is to be emphasised.
struct Gains {
    pitch: i16,
    code: i16,
    emphasis: i16,
}

impl Speech {
    const fn new() -> Self {
        Self {
            excitation: [0; EXCITATION_PAST],
            lsp: INITIAL_LSP,
            memory: [0; ORDER],
            sharpening: 0,
            lag: 40,
            good: true,
            badness: 0,
            energies: [0; 9],
            random: 21845,
            background: Background::new(),
            smoother: GainSmoother::new(),
            lsf: LsfDecoder::new(),
            lsf_mean: SPLIT5_MEAN,
            pitch_gains: PitchGains::new(),
            code_gains: CodeGains::new(),
            predictor: GainPredictor::new(),
            dispersion: Dispersion::new(),
            comfort: ComfortNoise::new(),
        }
    }

    /// A frame of comfort noise. Of the speech only its spectrum, its filter's memory and the predictor stay.
    fn be_silent(
        &mut self,
        phase: Phase,
        mode: Mode,
        silence: Option<&Silence>,
        pcm: &mut [i16; FRAME_SAMPLES],
    ) -> [Lpc; 4] {
        self.excitation = [0; EXCITATION_PAST];
        self.sharpening = 0;
        self.lag = 40;
        self.good = true;
        self.badness = 0;
        self.random = 21845;
        self.background = Background::new();
        self.smoother = GainSmoother::after_silence();
        self.lsf = LsfDecoder::new();
        self.pitch_gains = PitchGains::new();
        self.code_gains = CodeGains::new();
        self.dispersion = Dispersion::new();
        let Generated { lpc, samples } =
            self.comfort.generate(phase, mode, silence, &mut self.memory, &mut self.lsf, &mut self.predictor);
        *pcm = samples;
        self.lsp = lsf_to_lsp(&self.lsf.last);
        self.update_mean();
        self.comfort.phase = phase;
        [lpc; 4]
    }

    /// A frame of speech; without parameters it is one that was lost.
    fn speak(
        &mut self,
        mode: Mode,
        good: bool,
        parameters: Option<[i16; PARAMETERS]>,
        pcm: &mut [i16; FRAME_SAMPLES],
    ) -> [Lpc; 4] {
        let parameters = parameters.unwrap_or_else(|| self.invent(mode));
        self.judge(good);
        let mut parameters = parameters.into_iter();
        let mut next = || parameters.next().unwrap_or(0);

        let before = self.lsf.last;
        let filters = self.decode_spectrum(mode, good, &mut next).map(|lsp| lsp_to_lpc(&lsp));
        let around = Around { mode, good, lines: [before, self.lsf.last] };

        let mut excitation = [0; EXCITATION_PAST + FRAME_SAMPLES];
        excitation[..EXCITATION_PAST].copy_from_slice(&self.excitation);
        let mut shared_index = 0;
        for (subframe, (lpc, pcm)) in filters.iter().zip(pcm.chunks_exact_mut(SUBFRAME)).enumerate() {
            let input = self.excite(&around, subframe, &mut next, &mut shared_index, &mut excitation);
            let output = synthesize(lpc, &input, &self.memory);
            self.memory.copy_from_slice(&output[SUBFRAME - ORDER..]);
            pcm.copy_from_slice(&output);
        }
        self.excitation.copy_from_slice(&excitation[FRAME_SAMPLES..]);

        let energy = sum_of_squares(pcm);
        self.background.update(energy);
        self.comfort.follow_speech(&self.lsf.last, energy);
        self.good = good;
        self.update_mean();
        self.comfort.phase = Phase::Speech;
        filters
    }

    /// Random parameters for a lost frame: most are not used, the pulses are.
    fn invent(&mut self, mode: Mode) -> [i16; PARAMETERS] {
        self.random = (i32::from(self.random) * 31821 + 13849) as i16;
        let widths = PARAMETER_BITS[usize::from(mode.number())];
        let numbers = WINDOW_200_40.iter().skip((self.random & 0x7F) as usize);
        let mut parameters = [0; PARAMETERS];
        for ((parameter, width), number) in parameters.iter_mut().zip(widths).zip(numbers) {
            *parameter = number & ((1 << width) - 1);
        }
        parameters
    }

    /// The state machine of bad frames (TS 26.091 §6.2).
    fn judge(&mut self, good: bool) {
        self.badness = match (good, self.badness) {
            (false, badness) => (badness + 1).min(6),
            (true, 6) => 5,
            (true, _) => 0,
        };
        // The first speech after noise may be a silence descriptor taken for speech: a bad frame after it is muted soon.
        match self.comfort.phase {
            Phase::Speech => {}
            Phase::Noise => (self.badness, self.good) = (5, true),
            Phase::Fading => (self.badness, self.good) = (5, false),
        }
    }

    /// The pairs of the four subframes.
    fn decode_spectrum(&mut self, mode: Mode, good: bool, next: &mut impl FnMut() -> i16) -> [Lsp; 4] {
        if mode == Mode::Mr1220 {
            let indices = core::array::from_fn(|_| next());
            let [middle, new] = if good { self.lsf.split5(indices) } else { [self.lsf.conceal(mode); 2] };
            let (middle, new) = (lsf_to_lsp(&middle), lsf_to_lsp(&new));
            let old = core::mem::replace(&mut self.lsp, new);
            interpolate_by_halves(&old, &middle, &new)
        } else {
            let indices = core::array::from_fn(|_| next());
            let new = if good { self.lsf.split3(mode, indices) } else { self.lsf.conceal(mode) };
            let new = lsf_to_lsp(&new);
            let old = core::mem::replace(&mut self.lsp, new);
            interpolate_by_quarters(&old, &new)
        }
    }

    /// Adds a subframe to the excitation; returns what goes into the synthesis filter, which is an enhanced one.
    fn excite(
        &mut self,
        around: &Around,
        subframe: usize,
        next: &mut impl FnMut() -> i16,
        shared_index: &mut i16,
        excitation: &mut Excitation,
    ) -> [i16; SUBFRAME] {
        let (mode, good) = (around.mode, around.good);
        let at = EXCITATION_PAST + subframe * SUBFRAME;
        let (lag, fraction) = self.decode_lag(mode, good, subframe, next());
        repeat_pitch(excitation, at, lag, fraction);
        let pitch_gain = (mode == Mode::Mr1220).then(|| self.decode_pitch_gain(mode, good, next()));
        let mut innovation = innovation::decode(mode, subframe, &mut *next);
        sharpen(&mut innovation, lag, shl(pitch_gain.unwrap_or(self.sharpening), 1));
        let gains = self.decode_gains(around, subframe, pitch_gain, &innovation, next, shared_index);
        self.lag = lag;

        let mut pitch = [0; SUBFRAME];
        pitch.copy_from_slice(&excitation[at..at + SUBFRAME]);
        let emphasis = shl(gains.emphasis, 1);
        let emphasised = (emphasis > 16384).then(|| emphasise(mode, &pitch, emphasis, gains.pitch));

        if good {
            self.background.push_pitch_gain(gains.pitch);
        }
        let pitch_gain = self.calm_pitch_gain(around, gains.pitch);
        let smoothed = self.smooth_code_gain(around, subframe, gains.code);
        let total = mix(mode, &pitch, pitch_gain, &innovation, gains.code);
        excitation[at..at + SUBFRAME].copy_from_slice(&total);

        let full = mode <= Mode::Mr590 && self.background.unvoiced > 3 && self.background.noise && !good;
        let changed = self.dispersion.spread(mode, &mut innovation, pitch_gain, smoothed, full);
        let mut enhanced = if changed || smoothed != gains.code {
            mix(mode, &pitch, pitch_gain, &innovation, smoothed)
        } else {
            total
        };
        self.control_energy(around, &mut enhanced);
        match emphasised {
            None => enhanced,
            Some(mut emphasised) => {
                emphasised
                    .iter_mut()
                    .zip(&enhanced)
                    .for_each(|(sample, enhanced)| *sample = add(*sample, *enhanced));
                match_energy(&enhanced, &mut emphasised);
                emphasised
            }
        }
    }

    fn decode_lag(&mut self, mode: Mode, good: bool, subframe: usize, index: i16) -> lag::Lag {
        let absolute = subframe == 0 || (subframe == 2 && mode > Mode::Mr515);
        if mode == Mode::Mr1220 {
            let lag = if absolute {
                Some(lag::absolute_sixth(index))
            } else {
                lag::relative_sixth(index, self.lag)
            };
            return lag.filter(|_| good).unwrap_or((self.lag, Fraction::Sixth(0)));
        }
        let received =
            if absolute { lag::absolute_third(index) } else { lag::relative_third(mode, index, self.lag) };
        if good {
            return received;
        }
        // A lost lag grows slowly; in noise the received one, right or wrong, sounds better.
        if self.lag < lag::LONGEST {
            self.lag += 1;
        }
        let in_noise = self.background.noise && self.background.unvoiced > 4 && mode <= Mode::Mr590;
        (if in_noise { received.0 } else { self.lag }, Fraction::Third(0))
    }

    fn decode_pitch_gain(&mut self, mode: Mode, good: bool, index: i16) -> i16 {
        let gain =
            if good { gains::pitch_alone(mode, index) } else { self.pitch_gains.conceal(self.badness) };
        self.pitch_gains.update(gain, good, self.good)
    }

    fn decode_code_gain(&mut self, mode: Mode, good: bool, index: i16, innovation: &Innovation) -> i16 {
        let gain = if good {
            gains::code_alone(&mut self.predictor, mode, index, innovation)
        } else {
            self.code_gains.conceal(&mut self.predictor, self.badness)
        };
        self.code_gains.update(gain, good, self.good)
    }

    fn decode_gains(
        &mut self,
        around: &Around,
        subframe: usize,
        pitch_gain: Option<i16>,
        innovation: &Innovation,
        next: &mut impl FnMut() -> i16,
        shared_index: &mut i16,
    ) -> Gains {
        let (mode, good) = (around.mode, around.good);
        let odd = subframe & 1 == 1;
        let (pitch, code) = match mode {
            Mode::Mr1220 | Mode::Mr795 => {
                let pitch = pitch_gain.unwrap_or_else(|| self.decode_pitch_gain(mode, good, next()));
                (pitch, self.decode_code_gain(mode, good, next(), innovation))
            }
            _ => {
                if mode != Mode::Mr475 || !odd {
                    *shared_index = next();
                }
                let (pitch, code) = if good {
                    gains::together(&mut self.predictor, mode, *shared_index, odd, innovation)
                } else {
                    let pitch = self.pitch_gains.conceal(self.badness);
                    (pitch, self.code_gains.conceal(&mut self.predictor, self.badness))
                };
                (
                    self.pitch_gains.update(pitch, good, self.good),
                    self.code_gains.update(code, good, self.good),
                )
            }
        };
        if mode != Mode::Mr475 || odd {
            self.sharpening = pitch.min(SHARPEST);
        }
        let emphasis = match mode {
            Mode::Mr1220 => pitch,
            Mode::Mr1020 if self.lag > 45 => pitch.min(SHARPEST) >> 2,
            _ => pitch.min(SHARPEST),
        };
        Gains { pitch, code, emphasis }
    }

    /// In noise around lost frames a strong pitch would be heard as a tone.
    fn calm_pitch_gain(&self, around: &Around, gain: i16) -> i16 {
        let lost = !self.good || !around.good;
        if !(lost && self.background.noise && around.mode <= Mode::Mr590) {
            return gain;
        }
        let calmer = if gain > 12288 { ((gain - 12288) >> 1) + 12288 } else { gain };
        calmer.min(14745)
    }

    fn smooth_code_gain(&mut self, around: &Around, subframe: usize, gain: i16) -> i16 {
        let [old, new] = &around.lines;
        let lines: Lsf = match subframe {
            0 => core::array::from_fn(|i| add(old[i] - (old[i] >> 2), new[i] >> 2)),
            1 => core::array::from_fn(|i| (old[i] >> 1) + (new[i] >> 1)),
            2 => core::array::from_fn(|i| add(old[i] >> 2, new[i] - (new[i] >> 2))),
            _ => *new,
        };
        let bad = !around.good || !self.good;
        self.smoother.smooth(around.mode, gain, &lines, &self.lsf_mean, bad, &self.background)
    }

    fn control_energy(&mut self, around: &Around, excitation: &mut [i16; SUBFRAME]) {
        let (root, shift) = sqrt(sum_of_squares(excitation) >> 1);
        let energy = (l_shr(root, (shift >> 1) + 15) >> 2) as i16;
        let lost = !around.good || !self.good;
        let noise = self.background.noise;
        if lost && around.mode <= Mode::Mr590 && self.background.unvoiced > 5 && noise && self.badness < 4 {
            hold_energy(excitation, energy, &self.energies, self.background.unvoiced, !self.good);
        }
        if !(noise && lost && self.badness < 4) {
            self.energies.rotate_left(1);
            self.energies[8] = energy;
        }
    }

    /// The mean follows the lines by 0.16 a frame.
    fn update_mean(&mut self) {
        for (mean, line) in self.lsf_mean.iter_mut().zip(self.lsf.last) {
            *mean = round(l_mac(l_msu(i32::from(*mean) << 16, 5243, *mean), 5243, line));
        }
    }
}

/// Repeats the pulses at the pitch lag within the subframe.
fn sharpen(innovation: &mut Innovation, lag: i16, gain: i16) {
    for i in lag as usize..SUBFRAME {
        innovation[i] = add(innovation[i], mult(innovation[i - lag as usize], gain));
    }
}

/// What is added to the excitation where the pitch is strong.
fn emphasise(mode: Mode, pitch: &[i16; SUBFRAME], emphasis: i16, gain: i16) -> [i16; SUBFRAME] {
    let half = u32::from(mode == Mode::Mr1220);
    pitch.map(|sample| round(l_mult(mult(sample, emphasis), gain) >> half))
}

/// The two parts of the excitation, each with its gain.
fn mix(
    mode: Mode,
    pitch: &[i16; SUBFRAME],
    pitch_gain: i16,
    innovation: &Innovation,
    code_gain: i16,
) -> [i16; SUBFRAME] {
    // In 12.2 the innovation is Q12 instead of Q13. Neither gain is negative, so the sum stays below 2^31.
    let (pitch_gain, shift) = if mode == Mode::Mr1220 { (pitch_gain >> 1, 13) } else { (pitch_gain, 14) };
    let (pitch_gain, code_gain) = (i32::from(pitch_gain), i32::from(code_gain));
    core::array::from_fn(|i| {
        let sum = i32::from(pitch[i]) * pitch_gain + i32::from(innovation[i]) * code_gain;
        saturate((sum + (1 << (shift - 1))) >> shift)
    })
}

/// The one in the middle.
fn median<const N: usize>(values: &[i16; N]) -> i16 {
    let mut sorted = *values;
    sorted.sort_unstable();
    sorted[N / 2]
}
