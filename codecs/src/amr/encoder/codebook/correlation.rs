//! What a codebook search needs to know of target and impulse response: how well a pulse matches the target, and how much
//! energy two pulses have in common (3GPP TS 26.090 §5.7.2).
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the subframe and the tracks")]

use super::super::super::SUBFRAME;
use super::super::operators::{dot, energy, norm32, part, shl32};
use super::layout::Layout;
use crate::fixed::{l_abs, round};
use crate::fixed_math::inv_sqrt;

/// By position: correlation of the target with the response to a pulse there.
pub(super) type Match = [i16; SUBFRAME];
/// By position: whether a pulse there is to be negative.
pub(super) type Signs = [bool; SUBFRAME];
/// By slots: the energies of pulses, and what two pulses with their signs have in common.
pub(in super::super) struct Energies {
    pub(super) own: [i16; SUBFRAME],
    /// Symmetric; a pulse has all of its energy in common with another at the same position.
    pub(super) common: [[i16; SUBFRAME]; SUBFRAME],
}

/// How a correlation at the positive limit is rounded: the reference does it in two ways.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Wraps,
    Saturates,
}

/// Correlations of the target, scaled so that one pulse of each of the tracks does not overflow, and by
/// `headroom` bits less.
pub(super) fn match_target<const TRACKS: usize>(
    impulse: &[i16; SUBFRAME],
    target: &[i16; SUBFRAME],
    headroom: i32,
    limit: Limit,
) -> Match {
    let mut padded = [0; 2 * SUBFRAME];
    padded[..SUBFRAME].copy_from_slice(target);
    let mut sums = [0i32; SUBFRAME];
    for (i, sum) in sums.iter_mut().enumerate() {
        *sum = dot(part(&padded, i), impulse).wrapping_shl(1);
    }
    let mut most = [0i32; TRACKS];
    for row in sums.chunks_exact(TRACKS) {
        for (most, sum) in most.iter_mut().zip(row) {
            let magnitude = if limit == Limit::Wraps { sum.wrapping_abs() } else { l_abs(*sum) };
            *most = (*most).max(magnitude);
        }
    }
    let total = most.iter().fold(5i32, |total, most| total.wrapping_add(most >> 1));
    let shift = norm32(total) - headroom;
    sums.map(|sum| {
        let scaled = shl32(sum, shift);
        if limit == Limit::Wraps { (scaled.wrapping_add(0x8000) >> 16) as i16 } else { round(scaled) }
    })
}

/// Takes the signs out of the correlations.
pub(super) fn take_signs(matches: &mut Match) -> Signs {
    let signs = matches.map(|value| value < 0);
    *matches = matches.map(i16::saturating_abs);
    signs
}

/// Which positions the search leaves out as starts: of each of the five tracks, the `count` with the lowest match.
pub(super) fn weakest(matches: &Match, count: usize) -> [bool; SUBFRAME] {
    let mut left_out = [false; SUBFRAME];
    let mut place = 0;
    for track in 0..5 {
        for _ in 0..count {
            let mut least = i16::MAX;
            for position in (track..SUBFRAME).step_by(5) {
                if !left_out[position] && matches[position] < least {
                    least = matches[position];
                    place = position;
                }
            }
            left_out[place] = true;
        }
    }
    left_out
}

impl Energies {
    pub(in super::super) const fn new() -> Self {
        Self { own: [0; SUBFRAME], common: [[0; SUBFRAME]; SUBFRAME] }
    }

    /// Works them out for an impulse response and the signs of the positions.
    pub(super) fn fill<const TRACKS: usize>(&mut self, impulse: &[i16; SUBFRAME], negative: &Signs) {
        let h = scale(impulse);
        // Sums run from the end of the subframe, so positions count from there.
        let mut same = [0i16; SUBFRAME];
        for (same, negative) in same.iter_mut().zip(negative.iter().rev()) {
            // Products of two signs of ±32767 in Q15, rounded down.
            *same = if *negative { -32767 } else { 32766 };
        }
        let other = same.map(|sign| -1 - sign);
        let mut sums = [0i32; SUBFRAME];
        for k in 0..SUBFRAME {
            let signs = if negative[SUBFRAME - 1 - k] { &other } else { &same };
            let mut row = [0i16; SUBFRAME];
            for m in k..SUBFRAME {
                let sum = sums[m - k].wrapping_add(i32::from(h[k]) * i32::from(h[m]));
                sums[m - k] = sum;
                let rounded = (sum.wrapping_add(0x4000) >> 15) as i16;
                row[m] = ((i32::from(rounded) * i32::from(signs[m])) >> 15) as i16;
            }
            let here = usize::from(Layout::<TRACKS>::SLOTS[SUBFRAME - 1 - k]);
            self.own[here] = (sums[0].wrapping_add(0x4000) >> 15) as i16;
            self.common[here][here] = self.own[here];
            for (slot, common) in Layout::<TRACKS>::SLOTS.iter().rev().zip(row).skip(k + 1) {
                let there = usize::from(*slot);
                self.common[here][there] = common;
                self.common[there][here] = common;
            }
        }
    }
}

/// The impulse response scaled to an energy near 1.
fn scale(impulse: &[i16; SUBFRAME]) -> [i16; SUBFRAME] {
    let sum = dot(impulse, impulse).wrapping_add(1);
    if sum.wrapping_shl(1) < 0 {
        return impulse.map(|h| h >> 1);
    }
    // 0.99.
    let root = inv_sqrt(sum.wrapping_shl(1) >> 1);
    let factor = if root < 0x00FF_FFFF { ((root >> 9) * 32440) >> 15 } else { 32440 };
    impulse.map(|h| ((i32::from(h) * i32::from(factor as i16)).wrapping_add(0x20) >> 6) as i16)
}

/// The signs of the searches with many pulses, which also look at the residual, and where to begin: of each track the
/// position with the greatest sum of both, and the first of the tracks with the greatest.
pub(super) fn take_signs_by_residual<const TRACKS: usize>(
    matches: &mut Match,
    residual: &[i16; SUBFRAME],
) -> (Signs, [usize; TRACKS], usize) {
    let residual_energy = i32::try_from(256 + 2 * energy(residual)).unwrap_or(i32::MAX);
    let match_energy = dot(matches, matches).wrapping_shl(1).wrapping_add(256);
    let residual_factor = (shl32(inv_sqrt(residual_energy), 5) >> 16) as i16;
    let match_factor = (inv_sqrt(match_energy) >> 11) as i16;

    let mut signs = [false; SUBFRAME];
    let mut most = [(-1, 0); TRACKS];
    for i in 0..SUBFRAME {
        let sum = (i32::from(residual_factor) * i32::from(residual[i])) << 1;
        let sum = super::mac(sum, match_factor, matches[i]);
        let mut sum = round(shl32(sum, 10));
        if sum < 0 {
            signs[i] = true;
            sum = sum.saturating_neg();
            matches[i] = matches[i].saturating_neg();
        }
        let most = &mut most[i % TRACKS];
        if sum > most.0 {
            *most = (sum, i);
        }
    }
    let mut first = 0;
    for track in 1..TRACKS {
        if most[track].0 > most[first].0 {
            first = track;
        }
    }
    (signs, most.map(|(_, position)| position), first)
}
