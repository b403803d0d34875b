//! Discontinuous transmission: which frames are sent, and what the silence descriptors say (3GPP TS 26.093, TS 26.092).
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the length of the history")]

use super::super::gain::GainPredictor;
use super::super::lsp::{Lsp, lsf_to_lsp, lsp_to_lsf, spread};
use super::super::tables::lsf::INITIAL_LSP;
use super::super::{FRAME_SAMPLES as FRAME, ORDER};
use super::lsf::Quantizer;
use super::operators::energy;
use crate::fixed::{add, sub};
use crate::fixed_math::log2;

/// Frames that a silence descriptor averages, and that are still sent as speech after the voice has ended so that they
/// can be.
const HISTORY: usize = 8;
const HANGOVER: i16 = 7;

/// Frames after a descriptor for which the decoder's own analysis is good enough.
const ANALYSIS_HOLDS: i16 = 24 + HANGOVER - 1;

/// Frames between two updates of the silence descriptor.
const UPDATE_EVERY: u8 = 8;

/// What to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Speech,
    /// Silence; whether its description is made anew.
    Silence {
        refresh: bool,
    },
}

/// What is sent in silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transmission {
    First,
    Update,
    Nothing,
}

/// The state of discontinuous transmission.
#[derive(Clone, Debug)]
pub(super) struct Dtx {
    lsp: [Lsp; HISTORY],
    /// Logarithm of the frames' energies, Q9.
    log_energy: [i16; HISTORY],
    newest: u8,
    hangover: i16,
    /// Frames since a descriptor was made.
    elapsed: i16,
    /// The description of silence in use: predictor start, three line spectral frequency parts, energy.
    parameters: [i16; 5],
    schedule: Schedule,
}

impl Dtx {
    pub(super) const fn new() -> Self {
        Self {
            lsp: [INITIAL_LSP; HISTORY],
            log_energy: [0; HISTORY],
            newest: 0,
            hangover: HANGOVER,
            elapsed: i16::MAX,
            parameters: [0; 5],
            schedule: Schedule { countdown: 3, last_was_speech: true },
        }
    }

    /// Decides on a frame from the voice activity (TS 26.093 §5.1.1).
    pub(super) fn decide(&mut self, voice: bool) -> Decision {
        self.elapsed = add(self.elapsed, 1);
        if voice {
            self.hangover = HANGOVER;
            return Decision::Speech;
        }
        if self.hangover == 0 {
            self.elapsed = 0;
            return Decision::Silence { refresh: true };
        }
        self.hangover -= 1;
        if add(self.elapsed, self.hangover) < ANALYSIS_HOLDS {
            Decision::Silence { refresh: false }
        } else {
            Decision::Speech
        }
    }

    /// Puts a frame into the history.
    pub(super) fn remember(&mut self, lsp: &Lsp, speech: &[i16; FRAME]) {
        self.newest = (self.newest + 1) % HISTORY as u8;
        let newest = usize::from(self.newest);
        self.lsp[newest] = *lsp;
        let (exponent, fraction) = log2(i32::try_from(2 * energy(speech)).unwrap_or(i32::MAX));
        // Q10, less the logarithm of a frame's 160 samples and of the scale.
        let log = exponent * 1024 + (fraction >> 5) - 8521;
        self.log_energy[newest] = log >> 1;
    }

    /// The parameters of a silent frame; makes the description anew if it is time, and sets the gain predictor to it
    /// (TS 26.092 §5.2).
    pub(super) fn describe(
        &mut self,
        refresh: bool,
        lsf: &mut Quantizer,
        gains: &mut GainPredictor,
    ) -> [i16; 5] {
        if refresh || self.parameters[4] == 0 {
            let log = self.log_energy.iter().fold(0, |sum, log| add(sum, log >> 2)) >> 1;
            let level = (i32::from(log) + 2560 + 128) as i16 >> 8;
            let level = level.clamp(0, 63);
            // -0.2 dB times the level, Q10, between 0 and -14.1 dB.
            let gain = sub(level << 8, 11560).clamp(-14436, 0);
            gains.decibels = [gain; 4];
            gains.logs = [((5443 * i32::from(gain)) >> 15) as i16; 4];

            let mut mean = [0; ORDER];
            for (i, mean) in mean.iter_mut().enumerate() {
                *mean = (self.lsp.iter().map(|lsp| i32::from(lsp[i])).sum::<i32>() >> 3) as i16;
            }
            let mut lines = lsp_to_lsf(&mean);
            spread(&mut lines);
            let (start, [low, middle, high]) = lsf.silence(&lsf_to_lsp(&lines));
            self.parameters = [start, low, middle, high, level];
        }
        self.parameters
    }

    /// What is sent of a silent frame.
    pub(super) fn silence(&mut self) -> Transmission {
        self.schedule.silence()
    }

    /// A speech frame is sent.
    pub(super) fn speech(&mut self) {
        self.schedule = Schedule { countdown: UPDATE_EVERY, last_was_speech: true };
    }
}

/// When the silence descriptors are due (TS 26.093 §5.1.2): one at once, the first update three frames later, then
/// one every eight frames.
#[derive(Clone, Debug)]
struct Schedule {
    countdown: u8,
    last_was_speech: bool,
}

impl Schedule {
    fn silence(&mut self) -> Transmission {
        self.countdown = self.countdown.wrapping_sub(1);
        if self.last_was_speech {
            *self = Self { countdown: 3, last_was_speech: false };
            Transmission::First
        } else if self.countdown == 0 {
            self.countdown = UPDATE_EVERY;
            Transmission::Update
        } else {
            Transmission::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_come_at_once_then_after_three_frames_then_every_eight() {
        let mut schedule = Schedule { countdown: UPDATE_EVERY, last_was_speech: true };
        for frame in 0..20 {
            let due = match frame {
                0 => Transmission::First,
                3 | 11 | 19 => Transmission::Update,
                _ => Transmission::Nothing,
            };
            assert_eq!(schedule.silence(), due, "{frame}");
        }
    }

    #[test]
    fn speech_goes_on_for_seven_frames_after_the_voice() {
        let mut dtx = Dtx::new();
        assert_eq!(dtx.decide(true), Decision::Speech);
        for _ in 0..7 {
            assert_eq!(dtx.decide(false), Decision::Speech);
        }
        assert_eq!(dtx.decide(false), Decision::Silence { refresh: true });
        // A short burst soon after needs no new description.
        assert_eq!(dtx.decide(true), Decision::Speech);
        assert_eq!(dtx.decide(false), Decision::Silence { refresh: false });
    }
}
