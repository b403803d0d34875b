//! Comfort noise: what is heard while the far end sends silence descriptors or nothing (3GPP TS 26.092).
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices below their length")]

use super::Reception;
use super::lsf::LsfDecoder;
use crate::amr::frame::Silence;
use crate::amr::gain::GainPredictor;
use crate::amr::lsp::{Lpc, Lsf, Lsp, lsf_to_lsp, lsp_to_lpc, lsp_to_lsf, spread};
use crate::amr::tables::lsf::INITIAL_LSP;
use crate::amr::{FRAME_SAMPLES, Mode, ORDER, SUBFRAME, filter};
use crate::fixed::*;
use crate::fixed_math::{log2, pow2};

/// Frames that speech goes on for after its end, minus one; their mean is the first noise.
const HANGOVER: i16 = 7;
/// Frames between silence descriptors after which the encoder adds a hangover again.
const ELAPSED: i16 = 24 + 7 - 1;
/// Frames without a descriptor after which the noise fades out.
const MOST_EMPTY: i16 = 50;
/// Frames of speech that are remembered.
const HISTORY: usize = 8;

/// What is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Speech,
    Noise,
    /// Noise that fades out because no descriptor has come for long.
    Fading,
}

/// State of the comfort noise, which also follows the speech.
#[derive(Clone, Debug)]
pub(super) struct ComfortNoise {
    /// The phase of the last frame.
    pub phase: Phase,
    since_descriptor: i16,
    /// One over the frames between the last two descriptors, Q15.
    inverse_period: i16,
    /// Energy (`log2`, Q11) and spectrum of the last descriptor and of the one before.
    energy: i16,
    old_energy: i16,
    lsp: Lsp,
    old_lsp: Lsp,
    random: Noise,
    /// The spectra and energies (`log2`, Q10) of the last frames of speech, and where the newest stands.
    spectra: [Lsf; HISTORY],
    newest_spectrum: usize,
    energies: [i16; HISTORY],
    newest_energy: usize,
    /// How those spectra differed from their mean.
    deviations: [Lsf; HISTORY],
    prediction_gain: i16,
    /// What the speech coder's mode adds to the level.
    level_adjustment: i16,
    hangover: i16,
    elapsed: i16,
    descriptor: Option<Descriptor>,
    hangover_added: bool,
    /// Whether there has ever been a descriptor with parameters.
    pub known: bool,
}

/// What kind of descriptor the frame at hand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Descriptor {
    /// It has no parameters, or bad ones.
    Bare,
    /// It has parameters.
    Update,
}

/// One frame of noise.
pub(super) struct Generated {
    pub lpc: Lpc,
    pub samples: [i16; FRAME_SAMPLES],
}

impl ComfortNoise {
    pub(super) const fn new() -> Self {
        Self {
            phase: Phase::Noise,
            since_descriptor: 0,
            inverse_period: 1 << 13,
            energy: 3500,
            old_energy: 3500,
            lsp: INITIAL_LSP,
            old_lsp: INITIAL_LSP,
            random: Noise(0x7081_6958),
            spectra: [[1384, 2077, 3420, 5108, 6742, 8122, 9863, 11092, 12714, 13701]; HISTORY],
            newest_spectrum: 0,
            energies: [3500; HISTORY],
            newest_energy: 0,
            deviations: [[0; ORDER]; HISTORY],
            prediction_gain: 0,
            level_adjustment: 0,
            hangover: HANGOVER,
            elapsed: 32767,
            descriptor: None,
            hangover_added: false,
            known: false,
        }
    }

    /// Decides what is to be heard, and follows the encoder's hangover (TS 26.093).
    pub(super) fn receive(&mut self, reception: Reception) -> Phase {
        use Reception::{BadSilence, NoData, SilenceFirst, SilenceUpdate};
        let silence = matches!(reception, SilenceFirst | SilenceUpdate | BadSilence);
        let phase = if silence || (self.phase != Phase::Speech && reception != Reception::Speech) {
            self.since_descriptor = self.since_descriptor.wrapping_add(1);
            let goes_on =
                self.phase == Phase::Fading && matches!(reception, BadSilence | SilenceFirst | NoData);
            let overdue = reception != SilenceUpdate && self.since_descriptor > MOST_EMPTY;
            if goes_on || overdue { Phase::Fading } else { Phase::Noise }
        } else {
            self.since_descriptor = 0;
            Phase::Speech
        };
        if !self.known && reception == SilenceUpdate {
            self.elapsed = 0;
        }
        self.elapsed = add(self.elapsed, 1);
        self.hangover_added = false;
        if silence || (reception == NoData && phase != Phase::Speech) {
            self.follow_hangover();
        } else {
            self.hangover = HANGOVER;
        }
        if phase != Phase::Speech {
            self.descriptor = match reception {
                SilenceFirst | BadSilence => Some(Descriptor::Bare),
                SilenceUpdate => Some(Descriptor::Update),
                _ => None,
            };
            self.hangover_added &= reception != BadSilence;
        }
        phase
    }

    /// A frame in which the encoder was silent, as far as can be told.
    fn follow_hangover(&mut self) {
        if self.elapsed > ELAPSED {
            self.hangover_added = true;
            self.elapsed = 0;
            self.hangover = 0;
        } else if self.hangover == 0 {
            self.elapsed = 0;
        } else {
            self.hangover -= 1;
        }
    }

    /// Takes up a frame of speech: its spectrum and twice the sum of its squares, saturated.
    pub(super) fn follow_speech(&mut self, lsf: &Lsf, energy: i32) {
        self.newest_spectrum = (self.newest_spectrum + 1) % HISTORY;
        self.spectra[self.newest_spectrum] = *lsf;
        let (exponent, fraction) = log2(energy);
        self.newest_energy = (self.newest_energy + 1) % HISTORY;
        // Mean over 160 samples: 7497 is log2(160) in Q10; and the sum was doubled.
        self.energies[self.newest_energy] = (exponent << 10) + (fraction >> 5) - 7497 - 1024;
    }

    /// Makes one frame of noise. `memory` is that of the synthesis filter.
    pub(super) fn generate(
        &mut self,
        phase: Phase,
        mode: Mode,
        silence: Option<&Silence>,
        memory: &mut [i16; ORDER],
        lsf: &mut LsfDecoder,
        gains: &mut GainPredictor,
    ) -> Generated {
        if self.hangover_added && self.descriptor.is_some() {
            self.learn_from_speech(mode);
        }
        if self.descriptor.is_some() {
            self.take_descriptor(silence, lsf);
            self.reset_predictor(gains);
        }
        self.level_adjustment =
            add(mult(self.level_adjustment, 29491), mult(LEVELS[mode as usize] << 5, 3277) >> 5);

        let share = self.share();
        let energy = l_mac(l_mult(share, self.energy), 16384i16.wrapping_sub(share), self.old_energy);
        let between =
            |new: i16, old: i16| shl(add(mult(share, new), mult(16384i16.wrapping_sub(share), old)), 1);
        let lsp: Lsp = core::array::from_fn(|i| between(self.lsp[i], self.old_lsp[i]));

        let mut steady = lsp_to_lsf(&lsp);
        let mut varied = self.vary(&steady);
        spread(&mut steady);
        spread(&mut varied);
        lsf.last = steady;
        let lpc = lsp_to_lpc(&lsf_to_lsp(&steady));
        let varied = lsp_to_lpc(&lsf_to_lsp(&varied));
        let level = self.level(&lpc, energy);
        let samples = self.synthesize(&varied, level, memory);

        if phase == Phase::Fading {
            self.fade();
        }
        if self.descriptor == Some(Descriptor::Update) || (self.descriptor.is_some() && self.hangover_added) {
            self.since_descriptor = 0;
            self.known = true;
        }
        Generated { lpc, samples }
    }

    /// The first noise after a hangover is the mean of the speech in it.
    fn learn_from_speech(&mut self, mode: Mode) {
        self.level_adjustment = LEVELS[mode as usize];
        let oldest = (self.newest_spectrum + 1) % HISTORY;
        self.spectra[oldest] = self.spectra[self.newest_spectrum];
        let oldest = (self.newest_energy + 1) % HISTORY;
        self.energies[oldest] = self.energies[self.newest_energy];

        let energy = self.energies.iter().rev().fold(0, |sum, energy| add(sum, energy >> 3));
        self.energy = sub(energy, self.level_adjustment);
        let mean: Lsf = core::array::from_fn(|line| {
            (self.spectra.iter().map(|spectrum| i32::from(spectrum[line])).sum::<i32>() >> 3) as i16
        });
        self.lsp = lsf_to_lsp(&mean);
        for (deviations, spectrum) in self.deviations.iter_mut().zip(&self.spectra) {
            *deviations = core::array::from_fn(|line| {
                // Less in the upper lines; softly limited from 655 on, hard at 1310.
                let deviation = mult(sub(spectrum[line], mean[line]), DEVIATION_SCALE[line]);
                let size = abs_s(deviation);
                let size = if size > 655 { 655 + ((size - 655) >> 2) } else { size }.min(1310);
                if deviation < 0 { -size } else { size }
            });
        }
    }

    /// Takes up the descriptor of this frame.
    fn take_descriptor(&mut self, silence: Option<&Silence>, lsf: &mut LsfDecoder) {
        self.old_lsp = self.lsp;
        self.old_energy = self.energy;
        let (Some(Descriptor::Update), Some(silence)) = (self.descriptor, silence) else { return };
        let period = self.since_descriptor.min(32);
        self.since_descriptor = 0;
        self.inverse_period = if period >= 2 { div_s(1 << 10, shl(period, 10)) } else { 1 << 14 };
        let [start, low, middle, high, energy] = silence.parameters;
        self.lsp = lsf_to_lsp(&lsf.silence(start, [low, middle, high]));
        // Steps of a quarter from -2.5 on; 0 is digital silence.
        self.energy = if energy == 0 { i16::MIN } else { (energy << 9) - 2560 * 2 };
        if !self.known || self.phase == Phase::Speech {
            self.old_lsp = self.lsp;
            self.old_energy = self.energy;
        }
    }

    /// Speech that follows predicts its gains from the noise.
    fn reset_predictor(&self, gains: &mut GainPredictor) {
        let decibels = ((self.energy >> 1).saturating_sub(9000)).clamp(-14436, 0);
        gains.decibels = [decibels; 4];
        gains.logs = [mult(decibels, 5443); 4];
    }

    /// How far the time is from the last descriptor to the one expected, Q14.
    fn share(&self) -> i16 {
        let share = mult(shl(self.since_descriptor.wrapping_add(1), 10), self.inverse_period);
        match share {
            1025.. => 16384,
            ..-2048 => i16::MIN,
            share => share << 4,
        }
    }

    /// Lends the steady spectrum one of the speech's deviations, the more the less it is predicted.
    fn vary(&mut self, steady: &Lsf) -> Lsf {
        let factor = 4096 - i32::from(mult(self.prediction_gain.wrapping_sub(2457), 9830));
        let factor = match factor {
            4096.. => i16::MAX,
            ..0 => 0,
            factor => (factor << 3) as i16,
        };
        let deviation = &self.deviations[usize::from(self.random.bits(3))];
        core::array::from_fn(|line| add(steady[line], mult(factor, deviation[line])))
    }

    /// The excitation's level: the energy asked for, less what the filter adds.
    fn level(&mut self, lpc: &Lpc, energy: i32) -> i16 {
        let error = reflection(lpc).iter().fold(i16::MAX, |error, k| mult(error, i16::MAX - mult(*k, *k)));
        let (exponent, fraction) = log2(i32::from(error));
        let gain = shr(sub(0, add(shl(exponent - 15, 12), fraction >> 3)), 1);
        self.prediction_gain = add(mult(29491, self.prediction_gain), mult(3277, gain));
        let level = l_add(l_shr(energy, 10), 4 * 65536);
        let level = l_sub(level, i32::from(gain) << 4);
        let level = l_add(level, i32::from(self.level_adjustment) << 5);
        pow2(extract_h(level), ((level & 0xFFFF) >> 1) as i16) as i16
    }

    fn synthesize(&mut self, lpc: &Lpc, level: i16, memory: &mut [i16; ORDER]) -> [i16; FRAME_SAMPLES] {
        let mut samples = [0; FRAME_SAMPLES];
        for subframe in samples.chunks_exact_mut(SUBFRAME) {
            let excitation = self.random.pulses().map(|pulse| mult(level, pulse));
            let output = filter::synthesize(lpc, &excitation, memory);
            memory.copy_from_slice(&output[SUBFRAME - ORDER..]);
            subframe.copy_from_slice(&output);
        }
        samples
    }

    /// An eighth less (in `log2`) with every frame.
    fn fade(&mut self) {
        let period = match self.since_descriptor {
            33.. => 32,
            ..=0 => 8,
            period => period,
        };
        self.inverse_period = div_s(1 << 10, shl(period, 10));
        self.since_descriptor = 0;
        self.old_lsp = self.lsp;
        self.old_energy = self.energy;
        self.energy = self.energy.saturating_sub(256);
    }
}

/// By mode.
const LEVELS: [i16; 8] = [-1023, -878, -732, -586, -440, -294, -148, 0];

/// By line, Q15.
const DEVIATION_SCALE: [i16; ORDER] = [20000, 20000, 20000, 20000, 20000, 18000, 16384, 8192, 0, 0];

/// The shift register of the noise (TS 26.092 §6.2).
#[derive(Clone, Debug)]
struct Noise(u32);

impl Noise {
    fn bits(&mut self, count: u8) -> u8 {
        let mut bits = 0;
        for _ in 0..count {
            bits = bits << 1 | (self.0 & 1) as u8;
            let carry = (self.0 ^ self.0 >> 28) & 1;
            self.0 = self.0 >> 1 | carry << 30;
        }
        bits
    }

    /// Ten pulses, one in each track.
    fn pulses(&mut self) -> [i16; SUBFRAME] {
        let mut pulses = [0; SUBFRAME];
        for track in 0..10 {
            let place = usize::from(self.bits(2)) * 10 + track;
            pulses[place] = if self.bits(1) == 1 { 4096 } else { -4096 };
        }
        pulses
    }
}

/// Reflection coefficients of a filter, Q15; all zero if it is not stable.
fn reflection(lpc: &Lpc) -> [i16; ORDER] {
    let mut reflection = [0; ORDER];
    let mut state: [i16; ORDER] = core::array::from_fn(|i| lpc[i + 1]);
    for i in (0..ORDER).rev() {
        if abs_s(state[i]) >= 4096 {
            return [0; ORDER];
        }
        let k = shl(state[i], 3);
        reflection[i] = k;
        let rest = l_sub(i32::MAX, l_mult(k, k));
        let shift = norm_l(rest);
        let inverse = div_s(16384, round(l_shl(rest, shift)));
        let mut next = state;
        for j in 0..i {
            let difference = round(l_msu(deposit_h(state[j]), k, state[i - j - 1]));
            let value = l_shr_r(l_mult(inverse, difference), 15 - shift);
            let Ok(value) = i16::try_from(value) else { return [0; ORDER] };
            next[j] = value;
        }
        state = next;
    }
    reflection
}
