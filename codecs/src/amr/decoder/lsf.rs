//! Line spectral frequencies from their codebook indices, and in place of lost ones (3GPP TS 26.090 §6.1, 26.091 §6.2.4).
#![expect(
    clippy::indexing_slicing,
    reason = "an index is as wide as its codebook; the rest is the filter order"
)]

use crate::amr::lsp::{Lsf, spread};
use crate::amr::tables::lsf::*;
use crate::amr::{Mode, ORDER};
use crate::fixed::{add, mult, negate, sub};

/// How much a set predicts the next in mode 12.2: 0.65, Q15.
const SPLIT5_PREDICTION: i16 = 21299;

/// What is remembered from set to set.
#[derive(Clone, Debug)]
pub(super) struct LsfDecoder {
    /// The quantised residual of the last set.
    residual: Lsf,
    /// The last set.
    pub last: Lsf,
}

impl LsfDecoder {
    pub(super) const fn new() -> Self {
        Self { residual: [0; ORDER], last: SPLIT5_MEAN }
    }

    /// One set from three indices: all modes but 12.2.
    pub(super) fn split3(&mut self, mode: Mode, indices: [i16; 3]) -> Lsf {
        let predicted = self.predict_split3();
        let [low, middle, high] = indices.map(|index| index as usize);
        let low = if mode == Mode::Mr795 { SPLIT3_LOW_795[low] } else { SPLIT3_LOW[low] };
        let (middle, high) = match mode {
            Mode::Mr475 | Mode::Mr515 => (SPLIT3_MIDDLE[middle * 2], SPLIT3_HIGH_515[high]),
            _ => (SPLIT3_MIDDLE[middle], SPLIT3_HIGH[high]),
        };
        self.take_split3(&predicted, [low, middle], high)
    }

    /// The set of a silence descriptor, predicted from one of eight given residuals. Speech after it predicts from
    /// nothing.
    pub(super) fn silence(&mut self, start: i16, indices: [i16; 3]) -> Lsf {
        let mut predicted = SPLIT3_START[start as usize];
        predicted.iter_mut().zip(SPLIT3_MEAN).for_each(|(line, mean)| *line = add(mean, *line));
        let [low, middle, high] = indices.map(|index| index as usize);
        let lsf = self.take_split3(&predicted, [SPLIT3_LOW[low], SPLIT3_MIDDLE[middle]], SPLIT3_HIGH[high]);
        self.residual = [0; ORDER];
        lsf
    }

    /// Two sets from five indices, for the second and the fourth subframe: mode 12.2.
    pub(super) fn split5(&mut self, indices: [i16; 5]) -> [Lsf; 2] {
        let predicted = self.predict_split5();
        let [first, second, third, fourth, fifth] = indices.map(|index| index as usize);
        let signed = SPLIT5_3[third >> 1].map(|value| if third & 1 == 0 { value } else { negate(value) });
        let parts = [SPLIT5_1[first], SPLIT5_2[second], signed, SPLIT5_4[fourth], SPLIT5_5[fifth]];
        let mut sets = [[0; ORDER]; 2];
        for (at, part) in parts.iter().enumerate() {
            for (set, pair) in sets.iter_mut().zip(part.chunks_exact(2)) {
                set[2 * at..2 * at + 2].copy_from_slice(pair);
            }
        }
        self.residual = sets[1];
        for set in &mut sets {
            set.iter_mut().zip(predicted).for_each(|(line, predicted)| *line = add(*line, predicted));
            spread(set);
        }
        self.last = sets[1];
        sets
    }

    /// In place of a lost set: the last one, drawn towards the mean.
    pub(super) fn conceal(&mut self, mode: Mode) -> Lsf {
        let (mean, keep, draw, predicted) = match mode {
            Mode::Mr1220 => (&SPLIT5_MEAN, 31128, 1639, self.predict_split5()),
            _ => (&SPLIT3_MEAN, 29491, 3277, self.predict_split3()),
        };
        for i in 0..ORDER {
            self.last[i] = add(mult(mean[i], draw), mult(self.last[i], keep));
            self.residual[i] = sub(self.last[i], predicted[i]);
        }
        spread(&mut self.last);
        self.last
    }

    fn predict_split3(&self) -> Lsf {
        core::array::from_fn(|i| add(SPLIT3_MEAN[i], mult(self.residual[i], SPLIT3_PREDICTION[i])))
    }

    fn predict_split5(&self) -> Lsf {
        core::array::from_fn(|i| add(SPLIT5_MEAN[i], mult(self.residual[i], SPLIT5_PREDICTION)))
    }

    fn take_split3(&mut self, predicted: &Lsf, [low, middle]: [[i16; 3]; 2], high: [i16; 4]) -> Lsf {
        self.residual[..3].copy_from_slice(&low);
        self.residual[3..6].copy_from_slice(&middle);
        self.residual[6..].copy_from_slice(&high);
        self.last = core::array::from_fn(|i| add(self.residual[i], predicted[i]));
        spread(&mut self.last);
        self.last
    }
}
