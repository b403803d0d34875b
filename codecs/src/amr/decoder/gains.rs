//! Gains from their indices, and in place of lost ones (3GPP TS 26.090 §5.8, §6.1; TS 26.091 §6.2.2, §6.2.3).
#![expect(clippy::indexing_slicing, reason = "an index is as wide as its codebook")]

use super::innovation::Innovation;
use super::median;
use crate::amr::Mode;
use crate::amr::gain::GainPredictor;
use crate::amr::tables::gain::{CODE_GAINS, GAINS_475, GAINS_HIGH, GAINS_LOW, PITCH_GAINS};
use crate::fixed::{add, extract_h, l_mult, l_shl, l_shr, mpy_32_16, mult, round, shl};
use crate::fixed_math::{log2, pow2};

/// Pitch gain (Q14) and code gain (Q1) of one index.
pub(super) fn together(
    predictor: &mut GainPredictor,
    mode: Mode,
    index: i16,
    odd_subframe: bool,
    innovation: &Innovation,
) -> (i16, i16) {
    let index = index as usize;
    let [pitch, factor, log, decibels] = match mode {
        Mode::Mr475 => {
            let [pitch0, factor0, pitch1, factor1] = GAINS_475[index];
            let (pitch, factor) = if odd_subframe { (pitch1, factor1) } else { (pitch0, factor0) };
            let (log, decibels) = in_logarithms(factor);
            [pitch, factor, log, decibels]
        }
        Mode::Mr670 | Mode::Mr740 | Mode::Mr1020 => GAINS_HIGH[index],
        _ => GAINS_LOW[index],
    };
    let prediction = predictor.predict(mode, innovation);
    let predicted = pow2(14, prediction.fraction) as i16;
    let code = extract_h(l_shr(l_mult(factor, predicted), 10 - prediction.exponent));
    predictor.update(log, decibels);
    (pitch, code)
}

/// A correction factor (Q12) as `log2` and as `20 log10`, both Q10.
fn in_logarithms(factor: i16) -> (i16, i16) {
    let (exponent, fraction) = log2(i32::from(factor));
    let exponent = exponent - 12;
    let log = add((fraction >> 5) + (fraction >> 4 & 1), shl(exponent, 10));
    // 24660 is 20 log10(2) in Q12.
    (log, round(l_shl(mpy_32_16(exponent, fraction, 24660), 13)))
}

/// Pitch gain of an index of its own, Q14: modes 7.95 and 12.2.
pub(super) fn pitch_alone(mode: Mode, index: i16) -> i16 {
    let gain = PITCH_GAINS[index as usize];
    if mode == Mode::Mr1220 { gain & !3 } else { gain }
}

/// Code gain of an index of its own, Q1: modes 7.95 and 12.2.
pub(super) fn code_alone(
    predictor: &mut GainPredictor,
    mode: Mode,
    index: i16,
    innovation: &Innovation,
) -> i16 {
    let prediction = predictor.predict(mode, innovation);
    let [factor, log, decibels] = CODE_GAINS[index as usize & 31];
    let gain = if mode == Mode::Mr1220 {
        let predicted = shl(pow2(prediction.exponent, prediction.fraction) as i16, 4);
        shl(mult(predicted, factor), 1)
    } else {
        let predicted = pow2(14, prediction.fraction) as i16;
        extract_h(l_shr(l_mult(factor, predicted), 9 - prediction.exponent))
    };
    predictor.update(log, decibels);
    gain
}

/// The last gains of one kind, to draw upon when some are lost.
#[derive(Clone, Debug)]
struct History {
    /// The last five, the newest last.
    past: [i16; 5],
    /// The last of a good frame.
    good: i16,
}

impl History {
    /// The lower one of the median and the last.
    fn low(&self, last: i16) -> i16 {
        median(&self.past).min(last)
    }

    /// After a bad frame a gain does not rise above the last good one.
    fn limit(&mut self, gain: i16, good: bool, good_before: bool) -> i16 {
        if !good {
            return gain;
        }
        self.good = if good_before { gain } else { gain.min(self.good) };
        self.good
    }

    fn push(&mut self, gain: i16) {
        self.past.rotate_left(1);
        self.past[4] = gain;
    }
}

/// Concealment of the pitch gain.
#[derive(Clone, Debug)]
pub(super) struct PitchGains {
    history: History,
    last: i16,
}

impl PitchGains {
    pub(super) const fn new() -> Self {
        Self { history: History { past: [1640; 5], good: 16384 }, last: 0 }
    }

    /// A gain in place of a lost one; `badness` is 0 to 6.
    pub(super) fn conceal(&self, badness: u8) -> i16 {
        const FADE: [i16; 7] = [32767, 32112, 32112, 26214, 9830, 6553, 6553];
        mult(self.history.low(self.last), FADE[usize::from(badness.min(6))])
    }

    /// Takes up a gain, limited after bad frames.
    pub(super) fn update(&mut self, gain: i16, good: bool, good_before: bool) -> i16 {
        let gain = self.history.limit(gain, good, good_before);
        self.last = gain.min(16384);
        self.history.push(self.last);
        gain
    }
}

/// Concealment of the code gain.
#[derive(Clone, Debug)]
pub(super) struct CodeGains {
    history: History,
    last: i16,
}

impl CodeGains {
    pub(super) const fn new() -> Self {
        Self { history: History { past: [1; 5], good: 1 }, last: 0 }
    }

    /// A gain in place of a lost one; the predictor goes on with its mean.
    pub(super) fn conceal(&self, predictor: &mut GainPredictor, badness: u8) -> i16 {
        const FADE: [i16; 7] = [32767, 32112, 32112, 32112, 32112, 32112, 22937];
        let (log, decibels) = predictor.mean();
        predictor.update(log, decibels);
        mult(self.history.low(self.last), FADE[usize::from(badness.min(6))])
    }

    /// Takes up a gain, limited after bad frames.
    pub(super) fn update(&mut self, gain: i16, good: bool, good_before: bool) -> i16 {
        let gain = self.history.limit(gain, good, good_before);
        self.last = gain;
        self.history.push(gain);
        gain
    }
}
