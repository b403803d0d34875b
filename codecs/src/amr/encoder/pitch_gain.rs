//! The gain of the past excitation (3GPP TS 26.090 §5.6.3), and the watch over resonances that could make the decoder
//! unstable after an error.
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the number of past gains")]

use super::super::lsp::Lsp;
use super::super::tables::gain::PITCH_GAINS;
use super::super::{Mode, SUBFRAME};
use super::operators::{dot, norm32, peak, shr16};
use crate::fixed::{add, div_s, round};

/// A number as fraction and exponent of two.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Float {
    pub(super) fraction: i16,
    pub(super) exponent: i16,
}

/// The gain without quantisation, and the two correlations that it is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct PitchGain {
    /// Q14, at most 1.2.
    pub(super) gain: i16,
    /// Energy of the filtered past excitation.
    pub(super) energy: Float,
    /// Its correlation with the target.
    pub(super) correlation: Float,
}

impl PitchGain {
    pub(super) fn new(mode: Mode, target: &[i16; SUBFRAME], filtered: &[i16; SUBFRAME]) -> Self {
        let quarter = filtered.map(|y| y >> 2);
        let energy = dot(filtered, filtered);
        let (energy, energy_shift) = if (0..0x4000_0000).contains(&energy) {
            normalize(energy, 0)
        } else {
            normalize(dot(&quarter, &quarter), 4)
        };
        let (correlation, correlation_shift) = match correlate(target, filtered) {
            Some(correlation) => normalize(correlation, 0),
            None => normalize(dot(target, &quarter), 4),
        };

        let gain = if correlation < 4 {
            0
        } else {
            let gain = shr16(div_s(correlation >> 1, energy), correlation_shift - energy_shift).min(19661);
            if mode == Mode::Mr1220 { gain & !3 } else { gain }
        };
        let float = |fraction, shift: i32| Float { fraction, exponent: (15 - shift) as i16 };
        Self { gain, energy: float(energy, energy_shift), correlation: float(correlation, correlation_shift) }
    }
}

/// The sum of products, or `None` if it does not fit on the way.
fn correlate(a: &[i16; SUBFRAME], b: &[i16; SUBFRAME]) -> Option<i32> {
    if u64::from(peak(a)) * u64::from(peak(b)) * (SUBFRAME as u64) < 1 << 31 {
        return Some(dot(a, b));
    }
    let mut sum = 0i32;
    for (a, b) in a.iter().zip(b) {
        let product = i32::from(*a) * i32::from(*b);
        let next = sum.wrapping_add(product);
        if (sum ^ product) > 0 && (sum ^ next) < 0 {
            return None;
        }
        sum = next;
    }
    Some(sum)
}

/// The fraction of twice the sum, and its shift less what it was scaled by.
fn normalize(sum: i32, scale: i32) -> (i16, i32) {
    let sum = sum.wrapping_shl(1).wrapping_add(1);
    let shift = norm32(sum);
    (round(sum.wrapping_shl(shift as u32)), shift - scale)
}

/// The index of the nearest pitch gain not above `limit`, Q14.
pub(super) fn nearest(gain: i16, limit: i16) -> usize {
    let error = |candidate: i16| gain.saturating_sub(candidate).saturating_abs();
    let mut best = (error(PITCH_GAINS[0]), 0);
    for (index, &candidate) in PITCH_GAINS.iter().enumerate().skip(1) {
        if candidate <= limit && error(candidate) < best.0 {
            best = (error(candidate), index);
        }
    }
    best.1
}

/// 0.95, Q14: the most gain while the filter resonates.
pub(super) const CLIPPED: i16 = 15565;

/// Watches over strong resonances together with high pitch gains (§5.6.3).
#[derive(Clone, Debug)]
pub(super) struct Stability {
    /// Frames in a row whose lines lie close together.
    resonant: i16,
    /// The last gains, an eighth each.
    gains: [i16; 7],
}

impl Stability {
    pub(super) const fn new() -> Self {
        Self { resonant: 0, gains: [0; 7] }
    }

    /// Whether the filter has resonated for 12 frames.
    pub(super) fn resonates(&mut self, lsp: &Lsp) -> bool {
        let least = |range: core::ops::Range<usize>| {
            range.fold(i16::MAX, |least, i| least.min(lsp[i].wrapping_sub(lsp[i + 1])))
        };
        let close = match lsp[1] {
            32001.. => 600,
            30501.. => 800,
            _ => 1100,
        };
        if least(3..8) < 1500 || least(1..3) < close {
            self.resonant = (self.resonant + 1).min(12);
        } else {
            self.resonant = 0;
        }
        self.resonant == 12
    }

    /// Whether this gain is too much after those before it.
    pub(super) fn too_much(&self, gain: i16) -> bool {
        self.gains.iter().fold(gain >> 3, |sum, gain| add(sum, *gain)) > CLIPPED
    }

    /// Takes up the gain of a subframe.
    pub(super) fn remember(&mut self, gain: i16) {
        self.gains.rotate_left(1);
        self.gains[6] = gain >> 3;
    }
}
