//! The two high-pass filters of second order: before the encoder (§3.1) and behind the decoder (§4.2.5).

use super::FRAME;
use super::vector::{mapped, scale};
use crate::fixed::{l_add, l_mac, l_shl, round};

/// A sum below this can be shifted by three bits and rounded without saturation.
const QUIET: u32 = (1 << 28) - (1 << 13);

/// State of a filter whose output samples are kept in double precision.
#[derive(Clone, Copy)]
pub(super) struct HighPass {
    inputs: [i16; 2],
    outputs: [i32; 2],
}

impl HighPass {
    pub(super) const NEW: Self = Self { inputs: [0; 2], outputs: [0; 2] };

    /// 140 Hz, and half the amplitude: the encoder's headroom.
    #[inline]
    pub(super) fn before_encoder(&mut self, pcm: &[i16; FRAME]) -> [i16; FRAME] {
        let [mut x1, mut x2] = self.inputs;
        let [mut y1, mut y2] = self.outputs;
        let filtered = mapped(pcm, |x0| {
            // The coefficients' magnitudes add up to less than 1, so only the shift can saturate.
            let direct = 2 * (1899 * (i32::from(x0) + i32::from(x2)) - 3798 * i32::from(x1));
            let sum = scale(y1, 7807) + (scale(y2, -3733) + direct);
            (x2, x1) = (x1, x0);
            y2 = y1;
            if sum.unsigned_abs() < QUIET {
                y1 = sum << 3;
                return ((y1 + 0x8000) >> 16) as i16;
            }
            y1 = l_shl(sum, 3);
            round(y1)
        });
        *self = Self { inputs: [x1, x2], outputs: [y1, y2] };
        filtered
    }

    /// 100 Hz, and twice the amplitude.
    #[inline]
    pub(super) fn behind_decoder(&mut self, speech: &[i16; FRAME]) -> [i16; FRAME] {
        let [mut x1, mut x2] = self.inputs;
        let [mut y1, mut y2] = self.outputs;
        let filtered = mapped(speech, |x0| {
            let (recursive_1, recursive_2) = (scale(y1, 15_836), scale(y2, -7667));
            let direct = 2 * 7699 * (i64::from(x0) + i64::from(x2) - 2 * i64::from(x1));
            let sum = i64::from(recursive_1) + (i64::from(recursive_2) + direct);
            let inputs = [x0, x1, x2];
            (x2, x1) = (x1, x0);
            y2 = y1;
            // A sum this small, of parts this small, did not saturate on the way.
            let small =
                inputs.iter().all(|x| x.unsigned_abs() < 0x4000) && recursive_1.unsigned_abs() < 1 << 29;
            if small && sum.unsigned_abs() < u64::from(QUIET) {
                y1 = (sum as i32) << 2;
                return ((2 * y1 + 0x8000) >> 16) as i16;
            }
            let recursive = l_add(recursive_1, recursive_2);
            let sum = l_mac(l_mac(l_mac(recursive, inputs[0], 7699), inputs[1], -15_398), inputs[2], 7699);
            y1 = l_shl(sum, 2);
            round(l_shl(y1, 1))
        });
        *self = Self { inputs: [x1, x2], outputs: [y1, y2] };
        filtered
    }
}
