//! The prediction of the innovation's gain from those before it (3GPP TS 26.090 §5.8.2).

use super::{Mode, SUBFRAME};
use crate::fixed::{add, extract_h, l_add, l_shl, l_sub, norm_l, round};
use crate::fixed_math::log2;

/// Moving-average predictor over four quantised gains. They are kept in both scales, so that the mode may change at
/// any frame.
#[derive(Clone, Debug)]
pub(crate) struct GainPredictor {
    /// `20 log10` of the correction factors, Q10, the newest first.
    pub decibels: [i16; 4],
    /// `log2` of them, Q10 (mode 12.2).
    pub logs: [i16; 4],
}

/// A predicted gain, and what it was predicted from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prediction {
    /// The gain is `2^(exponent + fraction)`.
    pub exponent: i16,
    /// Q15.
    pub fraction: i16,
    /// Energy of the innovation: exponent and fraction. Only the encoder's mode 7.95 has a use for it.
    pub energy: (i16, i16),
}

/// -14 dB, in both scales.
const LEAST_DECIBELS: i16 = -14336;
const LEAST_LOG: i16 = -2381;

impl GainPredictor {
    pub(crate) const fn new() -> Self {
        Self { decibels: [LEAST_DECIBELS; 4], logs: [LEAST_LOG; 4] }
    }

    /// Predicts the gain of `innovation` (Q13, in mode 12.2 Q12).
    pub(crate) fn predict(&self, mode: Mode, innovation: &[i16; SUBFRAME]) -> Prediction {
        let energy =
            innovation.iter().fold(0i32, |sum, x| sum.wrapping_add((i32::from(*x) * i32::from(*x)) >> 3));
        let energy = energy.wrapping_shl(4);
        let energy = if energy < 0 { i32::MAX } else { energy };
        if mode == Mode::Mr1220 { self.predict_logs(energy) } else { self.predict_decibels(mode, energy) }
    }

    /// Mode 12.2: in `log2`.
    fn predict_logs(&self, energy: i32) -> Prediction {
        // Mean over 40 samples: 26214 is 1/40 in Q20.
        let mean = (i32::from(round(energy)) * 26214).wrapping_shl(1);
        let (exponent, fraction) = log2(mean);
        // Half the logarithm, Q17, from one in Q16 with an offset of 30.
        let half = (i32::from(exponent) - 30) * 65536 + i32::from(fraction) * 2;
        let predicted = self
            .logs
            .iter()
            .zip([44, 37, 22, 12])
            .fold(MEAN_LOG, |sum, (past, weight)| l_add(sum, i32::from(*past) * weight * 2));
        let gain = l_sub(predicted, half);
        let exponent = (gain >> 17) as i16;
        let fraction = (gain >> 2).wrapping_sub(i32::from(exponent) << 15) as i16;
        Prediction { exponent, fraction, energy: (0, 0) }
    }

    /// The other modes: in decibels.
    fn predict_decibels(&self, mode: Mode, energy: i32) -> Prediction {
        let shift = norm_l(energy);
        let normal = l_shl(energy, shift);
        let (exponent, fraction) = log2(energy);
        // -10 log10(2) is -24660 in Q13; Q14 here.
        let level = l_add((i32::from(fraction) * -24660) >> 15 << 1, i32::from(exponent) * -24660 * 2);
        let level = l_shl(l_add(level, mean_decibels(mode)), 10);
        let level = self
            .decibels
            .iter()
            .zip([5571, 4751, 2785, 1556])
            .fold(level, |sum, (past, weight)| l_add(sum, i32::from(*past) * weight * 2));
        // Decibels to log2: 0.166096, in Q15 5443; the 7.40 mode keeps the constant of IS-641.
        let factor = if mode == Mode::Mr740 { 5439 } else { 5443 };
        let gain = (i32::from(extract_h(level)) * factor * 2) >> 8;
        let exponent = extract_h(gain);
        let fraction = (gain >> 1).wrapping_sub(i32::from(exponent) << 15) as i16;
        Prediction { exponent, fraction, energy: (-11 - shift, extract_h(normal)) }
    }

    /// Takes up the correction factor of a subframe.
    pub(crate) fn update(&mut self, log: i16, decibels: i16) {
        self.logs = [log, self.logs[0], self.logs[1], self.logs[2]];
        self.decibels = [decibels, self.decibels[0], self.decibels[1], self.decibels[2]];
    }

    /// The mean of what is remembered, at least -14 dB, as (`log2`, decibels): for a subframe whose factor is not
    /// known or not sent.
    pub(crate) fn mean(&self) -> (i16, i16) {
        let mean = |past: &[i16; 4]| past.iter().fold(0, |sum, value| add(sum, *value)) >> 2;
        (mean(&self.logs).max(LEAST_LOG), mean(&self.decibels).max(LEAST_DECIBELS))
    }
}

/// 36 dB in `log2`, Q17.
const MEAN_LOG: i32 = 783_741;

/// The mean innovation energy of a mode less what the logarithm is off, Q14.
const fn mean_decibels(mode: Mode) -> i32 {
    match mode {
        Mode::Mr795 => 17062 << 7,
        Mode::Mr740 => 32588 << 6,
        Mode::Mr670 => 32268 << 6,
        _ => 16678 << 7,
    }
}
