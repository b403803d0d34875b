//! Open-loop pitch lag and harmonic noise shaping (§2.9, §2.11).

#![expect(clippy::indexing_slicing, reason = "fixed arrays, lags bounded by PITCH_MIN and PITCH_MAX")]

use super::ops::{dot, from, mac_saturating, padded, sum_products};
use super::{FRAME, PITCH_MAX, PITCH_MIN, SUBFRAME};
use crate::fixed::{
    deposit_h, div_s, extract_h, l_abs, l_add, l_mac, l_msu, l_mult, l_negate, l_shl, l_shr, l_sub, mult_r,
    norm_l, round, shr,
};

/// Weighted speech: as far back as the longest lag, then the frame.
pub(super) type Weighted = [i16; PITCH_MAX + FRAME];
/// Two subframes have one open-loop lag.
pub(super) const HALF: usize = 2 * SUBFRAME;

/// How good a lag is: `numerator / denominator * 2^-exponent`, correlation squared over energy.
#[derive(Clone, Copy)]
struct Merit {
    exponent: i16,
    numerator: i16,
    denominator: i16,
}

impl Merit {
    fn of(correlation: i32, energy: i32) -> Self {
        let shift = norm_l(correlation);
        let rounded = round(l_shl(correlation, shift));
        let square = l_mult(rounded, rounded);
        let square_shift = norm_l(square);
        let energy_shift = norm_l(energy);
        let numerator = extract_h(l_shl(square, square_shift));
        let denominator = round(l_shl(energy, energy_shift));
        let exponent = 2 * shift + square_shift - energy_shift;
        if numerator >= denominator {
            Self { exponent: exponent - 1, numerator: shr(numerator, 1), denominator }
        } else {
            Self { exponent, numerator, denominator }
        }
    }

    /// Whether it beats `best`, which was found for a lag `distance` smaller: far lags must be better by 1.25 dB,
    /// so that multiples of the pitch do not win.
    fn beats(&self, best: &Self, distance: usize) -> bool {
        if self.exponent > best.exponent {
            return false;
        }
        if self.exponent + 1 < best.exponent {
            return true;
        }
        let theirs = if self.exponent + 1 == best.exponent { shr(best.numerator, 1) } else { best.numerator };
        let ours = l_mult(self.numerator, best.denominator);
        if l_msu(ours, self.denominator, theirs) <= 0 {
            return false;
        }
        if distance < PITCH_MIN {
            return true;
        }
        let less = l_mac(l_negate(l_shr(ours, 2)), self.numerator, best.denominator);
        l_msu(less, self.denominator, theirs) > 0
    }
}

/// The open-loop pitch lag of the two subframes at `start` in weighted speech of 12 bits (§2.9).
pub(super) fn open_loop(speech: &Weighted, start: usize) -> usize {
    const LAGS: usize = PITCH_MAX - 2 - PITCH_MIN;
    // Two subframes and a few zeros: what is multiplied by them is less far ahead than the least lag.
    const ROUND: usize = 128;
    let target = &speech[start..][..HALF];
    // Exact: 120 squares of at most 2²⁴.
    let mut exact = [0; LAGS];
    let mut energy = sum_products(&speech[start - PITCH_MIN..][..HALF], &speech[start - PITCH_MIN..][..HALF]);
    // The reference starts its sliding sum one lag before the first.
    let (gone, come) = (speech[start - PITCH_MIN], speech[start - PITCH_MIN + HALF]);
    let before = energy - square(gone) + square(come);
    let mut largest = energy.max(before).max(sum_products(target, target));
    exact[0] = energy;
    for (i, slot) in exact.iter_mut().enumerate().skip(1) {
        let first = start - PITCH_MIN - i;
        energy += square(speech[first]) - square(speech[first + HALF]);
        largest = largest.max(energy);
        *slot = energy;
    }
    // No doubled sum can saturate if no doubled energy does.
    let safe = largest < 1 << 30;
    let energies = if safe { exact.map(|energy| 2 * energy) } else { saturated_energies(speech, start) };

    let padded_target: [i16; ROUND] = padded(target);
    let mut best = Merit { exponent: 30, numerator: 0x4000, denominator: i16::MAX };
    let mut best_lag = PITCH_MIN;
    for (i, &energy) in energies.iter().enumerate() {
        let lag = PITCH_MIN + i;
        let past = &speech[start - lag..];
        let correlation = if safe {
            2 * dot::<ROUND>(&padded_target, from(past, 0))
        } else {
            mac_saturating(target, &past[..HALF])
        };
        if correlation <= 0 {
            continue;
        }
        let merit = Merit::of(correlation, energy);
        if merit.beats(&best, lag - best_lag) {
            best = merit;
            best_lag = lag;
        }
    }
    best_lag
}

fn square(sample: i16) -> i32 {
    i32::from(sample) * i32::from(sample)
}

/// The energies as a sliding sum that saturates, and then is no longer the sum.
fn saturated_energies<const LAGS: usize>(speech: &Weighted, start: usize) -> [i32; LAGS] {
    let first = start - PITCH_MIN + 1;
    let mut energy = mac_saturating(&speech[first..][..HALF], &speech[first..][..HALF]);
    core::array::from_fn(|i| {
        let first = start - PITCH_MIN - i;
        energy = l_msu(energy, speech[first + HALF], speech[first + HALF]);
        energy = l_mac(energy, speech[first], speech[first]);
        energy
    })
}

/// The harmonic noise shaping filter of a subframe: `1 - gain z^-lag`, gain Q15.
#[derive(Clone, Copy, Debug)]
pub(super) struct HarmonicShaping {
    lag: usize,
    gain: i16,
}

/// Lags on each side of the open-loop lag that are looked at.
const RANGE: usize = 3;
/// The most gain, 0.3125.
const MOST_GAIN: i16 = 0x2800;

impl HarmonicShaping {
    /// The filter of the subframe at `start` in weighted speech of 12 bits (§2.11).
    pub(super) fn find(speech: &Weighted, start: usize, open_loop: usize) -> Self {
        const LAGS: usize = 2 * RANGE + 1;
        let target = &speech[start..][..SUBFRAME];
        // Nothing saturates: sixty products of 24 bits, doubled, are below 2³¹.
        let own = 2 * sum_products(target, target);
        let mut energies = [0; LAGS];
        let mut correlations = [0; LAGS];
        let mut largest = own;
        for i in 0..LAGS {
            let past = &speech[start + RANGE - open_loop - i..][..SUBFRAME];
            energies[i] = 2 * sum_products(past, past);
            correlations[i] = 2 * sum_products(target, past);
            largest = largest.max(energies[i]).max(l_abs(correlations[i]));
        }
        let shift = norm_l(largest);
        let scaled = |value: i32| round(l_shl(value, shift));

        let mut best = None;
        let (mut best_square, mut best_energy) = (1, i16::MAX);
        for i in 0..LAGS {
            let (energy, correlation) = (scaled(energies[i]), scaled(correlations[i]));
            if correlation <= 0 {
                continue;
            }
            let square = mult_r(correlation, correlation);
            if l_msu(l_mult(square, best_energy), energy, best_square) > 0 {
                best = Some((i, correlation));
                (best_square, best_energy) = (square, energy);
            }
        }
        let Some((i, correlation)) = best else { return Self { lag: open_loop, gain: 0 } };
        let product = l_mult(scaled(own), best_energy);
        // Only where the prediction gain is at least 2 dB: 3/8 of the product of the energies.
        let limit = l_add(l_shr(product, 2), l_shr(product, 3));
        let gain = if l_sub(limit, l_mult(correlation, correlation)) >= 0 {
            0
        } else if correlation >= best_energy {
            MOST_GAIN
        } else {
            mult_r(div_s(correlation, best_energy), MOST_GAIN)
        };
        Self { lag: open_loop - RANGE + i, gain }
    }

    /// Filters a subframe that starts at `start` in `signal`.
    pub(super) fn run(&self, signal: &[i16], start: usize) -> [i16; SUBFRAME] {
        let (now, past) = (&signal[start..][..SUBFRAME], &signal[start - self.lag..][..SUBFRAME]);
        core::array::from_fn(|i| round(l_msu(deposit_h(now[i]), self.gain, past[i])))
    }

    /// What the filter subtracts from the weighted target: `target - filtered`, where `signal` is what is
    /// filtered.
    pub(super) fn subtract_from(&self, target: &mut [i16; SUBFRAME], signal: &[i16], start: usize) {
        let (now, past) = (&signal[start..][..SUBFRAME], &signal[start - self.lag..][..SUBFRAME]);
        for (i, target) in target.iter_mut().enumerate() {
            *target = round(l_mac(deposit_h(target.saturating_sub(now[i])), self.gain, past[i]));
        }
    }
}
