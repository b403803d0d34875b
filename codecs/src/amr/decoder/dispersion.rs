//! Anti-sparseness: the few pulses of the lower modes are spread where the pitch does not do it (3GPP TS 26.090 §6.1).
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices below their length")]

use super::innovation::Innovation;
use crate::amr::{Mode, SUBFRAME};
use crate::fixed::{add, l_shl, round};

/// How much the pulses were spread, and what it depends on.
#[derive(Clone, Debug)]
pub(super) struct Dispersion {
    /// The last five pitch gains, the newest first.
    pitch_gains: [i16; 5],
    /// 0: most, 1: some, 2: none.
    last: u8,
    code_gain: i16,
    /// Subframes for which an onset still counts.
    onset: u8,
}

/// Pitch gains of 0.6 and 0.9, Q14.
const WEAK: i16 = 9830;
const STRONG: i16 = 14746;

impl Dispersion {
    pub(super) const fn new() -> Self {
        Self { pitch_gains: [0; 5], last: 0, code_gain: 0, onset: 0 }
    }

    /// Spreads `innovation` as much as the gains ask for; `full` asks for the most whatever they are. Returns whether
    /// it changed.
    pub(super) fn spread(
        &mut self,
        mode: Mode,
        innovation: &mut Innovation,
        pitch_gain: i16,
        code_gain: i16,
        full: bool,
    ) -> bool {
        let amount = self.amount(pitch_gain, code_gain, full);
        let response = match (mode, amount) {
            (_, 2) | (Mode::Mr740 | Mode::Mr1020 | Mode::Mr1220, _) => return false,
            (Mode::Mr795, 0) => &MOST_795,
            (_, 0) => &MOST,
            _ => &SOME,
        };
        *innovation = convolve(innovation, response);
        true
    }

    fn amount(&mut self, pitch_gain: i16, code_gain: i16, full: bool) -> u8 {
        self.pitch_gains.rotate_right(1);
        self.pitch_gains[0] = pitch_gain;
        let mut amount = match pitch_gain {
            STRONG.. => 2,
            gain if gain > WEAK => 1,
            _ => 0,
        };
        // An onset is a code gain more than twice the last.
        if code_gain > round(l_shl(i32::from(self.code_gain) << 15, 2)) {
            self.onset = 2;
        } else {
            self.onset = self.onset.saturating_sub(1);
        }
        if self.onset == 0 {
            if self.pitch_gains.iter().filter(|gain| **gain < WEAK).count() > 2 {
                amount = 0;
            }
            // Without an onset it falls by one step at most.
            if amount > self.last + 1 {
                amount -= 1;
            }
        } else if amount < 2 {
            amount += 1;
        }
        if code_gain < 10 {
            amount = 2;
        }
        if full {
            amount = 0;
        }
        self.last = amount;
        self.code_gain = code_gain;
        amount
    }
}

/// Circular convolution of a few pulses.
fn convolve(pulses: &Innovation, response: &Response) -> Innovation {
    let mut result = [0; SUBFRAME];
    for (place, pulse) in pulses.iter().enumerate().filter(|(_, pulse)| **pulse != 0) {
        for (sample, h) in result.iter_mut().zip(&response[SUBFRAME - place..]) {
            *sample = add(*sample, ((i32::from(*pulse) * i32::from(*h)) >> 15) as i16);
        }
    }
    result
}

/// An impulse response of one subframe, twice, so that every rotation of it lies in one piece.
type Response = [i16; 2 * SUBFRAME];

const fn twice(response: [i16; SUBFRAME]) -> Response {
    let mut both = [0; 2 * SUBFRAME];
    let mut i = 0;
    while i < both.len() {
        both[i] = response[i % SUBFRAME];
        i += 1;
    }
    both
}

static MOST_795: Response = twice([
    26777, 801, 2505, -683, -1382, 582, 604, -1274, 3511, -5894, 4534, -499, -1940, 3011, -5058, 5614, -1990,
    -1061, -1459, 4442, -700, -5335, 4609, 452, -589, -3352, 2953, 1267, -1212, -2590, 1731, 3670, -4475,
    -975, 4391, -2537, 949, -1363, -979, 5734,
]);

static MOST: Response = twice([
    14690, 11518, 1268, -2761, -5671, 7514, -35, -2807, -3040, 4823, 2952, -8424, 3785, 1455, 2179, -8637,
    8051, -2103, -1454, 777, 1108, -2385, 2254, -363, -674, -2103, 6046, -5681, 1072, 3123, -5058, 5312,
    -2329, -3728, 6924, -3889, 675, -1775, 29, 10145,
]);

static SOME: Response = twice([
    30274, 3831, -4036, 2972, -1048, -1002, 2477, -3043, 2815, -2231, 1753, -1611, 1714, -1775, 1543, -1008,
    429, -169, 472, -1264, 2176, -2706, 2523, -1621, 344, 826, -1529, 1724, -1657, 1701, -2063, 2644, -3060,
    2897, -1978, 557, 780, -1369, 842, 655,
]);
