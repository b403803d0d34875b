//! Pitch: open loop (§3.4), closed loop (§3.7), the fractional predictor and the lags' indices.
#![expect(
    clippy::indexing_slicing,
    reason = "lags lie in 19..=144, the signals begin 154 samples before the frame"
)]

use super::tables::INTERPOLATION;
use super::vector::{
    chain, correlation, delayed_dots, each, energy, fits, mapped, multiply, peak, round_shift, short_dot,
    subframe_dot,
};
use super::{FRAME, HISTORY, LAG_MAX, LAG_MIN, SUBFRAME};
use crate::fixed::{add, extract_l, l_mac, l_shr, mult, norm_l, round, shl};
use crate::fixed_math::inv_sqrt;

/// A lag in samples and thirds of a sample (-1, 0 or 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lag {
    pub(super) whole: usize,
    pub(super) thirds: i16,
}

/// The lags that a search or an index ranges over.
#[derive(Clone, Copy)]
pub(super) struct Range {
    pub(super) least: usize,
    pub(super) most: usize,
}

impl Range {
    /// `width + 1` lags of which `below` are below `centre`, moved into the range of all lags.
    pub(super) fn around(centre: usize, below: usize, width: usize) -> Self {
        let least = centre.saturating_sub(below).clamp(LAG_MIN, LAG_MAX - width);
        Self { least, most: least + width }
    }
}

/// The open-loop lag of a frame of weighted speech; `signal` begins 143 samples before the frame.
pub(super) fn open_loop(signal: &[i16; LAG_MAX + FRAME]) -> usize {
    // Only every second product is taken (Annex A): samples at even distances meet in one of these, those at
    // odd distances across them. `odd` begins 143 samples before the frame, `even` 142.
    let mut odd: [i16; 112] = each(|i| signal[2 * i]);
    let mut even: [i16; 111] = each(|i| signal[2 * i + 1]);
    let power = 2 * energy(&odd);
    if power > i64::from(i32::MAX) {
        odd = mapped(&odd, |sample| sample >> 3);
        even = mapped(&even, |sample| sample >> 3);
    } else if power < 1_048_576 {
        odd = mapped(&odd, |sample| shl(sample, 3));
        even = mapped(&even, |sample| shl(sample, 3));
    }
    let decimated = Decimated { fits: 2 * energy(&odd).max(energy(&even)) < 1 << 31, odd, even };
    let (lag_1, max_1) = decimated.best(20..40, 1);
    let (lag_2, mut max_2) = decimated.best(40..80, 1);
    let (lag_3, max_3) = decimated.best(80..143, 2);

    // Multiples are favoured over what they are multiples of.
    let near =
        |short: usize, multiple: usize, long: usize, below: usize| (short * multiple).abs_diff(long) < below;
    if near(lag_2, 2, lag_3, 5) {
        max_2 = add(max_2, max_3 >> 2);
    }
    if near(lag_2, 3, lag_3, 7) {
        max_2 = add(max_2, max_3 >> 2);
    }
    let mut max_1 = max_1;
    if near(lag_1, 2, lag_2, 5) {
        max_1 = add(max_1, mult(max_2, 6554));
    }
    if near(lag_1, 3, lag_2, 7) {
        max_1 = add(max_1, mult(max_2, 6554));
    }
    let (mut lag, mut max) = (lag_1, max_1);
    if max < max_2 {
        (lag, max) = (lag_2, max_2);
    }
    if max < max_3 { lag_3 } else { lag }
}

struct Decimated {
    odd: [i16; 112],
    even: [i16; 111],
    /// Whether no correlation can saturate.
    fits: bool,
}

impl Decimated {
    /// Forty samples, every second one, from `lag` before the frame.
    fn delayed(&self, lag: usize) -> &[i16; SUBFRAME] {
        let from =
            if lag.is_multiple_of(2) { &self.even[71 - lag / 2..] } else { &self.odd[(143 - lag) / 2..] };
        from.first_chunk().unwrap_or(&[0; SUBFRAME])
    }

    /// The lag of the greatest correlation, and that correlation divided by the root of the energy.
    fn best(&self, lags: core::ops::Range<usize>, step: usize) -> (usize, i16) {
        let now = self.delayed(0);
        let at = |lag: usize| correlation(now, self.delayed(lag), self.fits);
        let mut best = (lags.start, i32::MIN);
        for lag in lags.step_by(step) {
            let sum = at(lag);
            if sum > best.1 {
                best = (lag, sum);
            }
        }
        if step == 2 {
            for lag in [best.0 + 1, best.0 - 1] {
                let sum = at(lag);
                if sum > best.1 {
                    best = (lag, sum);
                }
            }
        }
        let (lag, sum) = best;
        let past = self.delayed(lag);
        let power = if self.fits { 2 * subframe_dot(past, past) + 1 } else { chain(1, past, past) };
        (lag, extract_l(multiply(sum, inv_sqrt(power))))
    }
}

/// Correlation of the target with the impulse response, for the adaptive and the fixed codebook; at most 13 bits.
pub(super) fn target_correlation(response: &[i16; SUBFRAME], target: &[i16; SUBFRAME]) -> [i16; SUBFRAME] {
    let energies_fit = fits(energy(response), energy(target));
    let sums: [i32; SUBFRAME] = if energies_fit {
        mapped(&delayed_dots(target, response), |sum| 2 * sum)
    } else {
        each(|i| chain(0, &target[i..], &response[..SUBFRAME - i]))
    };
    let most = sums.iter().fold(0, |most, &sum| sum.saturating_abs().max(most));
    let shift = 18 - norm_l(most).min(16);
    mapped(&sums, |sum| extract_l(l_shr(sum, shift)))
}

/// The lag in `range` whose adaptive codebook vector fits best. `excitation` begins [`HISTORY`] samples before
/// the subframe; the vector is written to the subframe, where the residual was that short lags look at.
pub(super) fn closed_loop(
    excitation: &mut [i16],
    correlations: &[i16; SUBFRAME],
    range: Range,
    thirds_above_84: bool,
) -> Lag {
    let from = HISTORY - range.most;
    let span = &excitation[from..HISTORY - range.least + SUBFRAME];
    let correlations_energy = energy(correlations);
    let energies_fit = fits(correlations_energy, energy(span));
    let mut best = (range.least, i32::MIN);
    for whole in range.least..=range.most {
        let Some(past) = excitation[HISTORY - whole..].first_chunk() else { continue };
        let sum = correlation(correlations, past, energies_fit);
        if sum > best.1 {
            best = (whole, sum);
        }
    }
    let whole = best.0;
    if whole > 84 && !thirds_above_84 {
        predict(excitation, Lag { whole, thirds: 0 });
        return Lag { whole, thirds: 0 };
    }
    // Short lags read what the vector before them wrote: the three are made one after the other in place.
    let mut best: Option<(i32, i16, [i16; SUBFRAME])> = None;
    for thirds in [0, -1, 1] {
        predict(excitation, Lag { whole, thirds });
        let mut vector = [0; SUBFRAME];
        vector.copy_from_slice(&excitation[HISTORY..HISTORY + SUBFRAME]);
        let sum = correlation(correlations, &vector, fits(correlations_energy, energy(&vector)));
        if best.as_ref().is_none_or(|&(most, ..)| sum > most) {
            best = Some((sum, thirds, vector));
        }
    }
    let Some((_, thirds, vector)) = best else { return Lag { whole, thirds: 0 } };
    excitation[HISTORY..HISTORY + SUBFRAME].copy_from_slice(&vector);
    Lag { whole, thirds }
}

/// Taps around a sample, by thirds: the oldest sample first.
const TAPS: [[i16; 32]; 3] = [taps(0), taps(1), taps(2)];

/// The two interleaved halves of the interpolation filter for a position `phase` thirds after a sample: twenty taps,
/// and zeros to the length that the dot product has.
const fn taps(phase: usize) -> [i16; 32] {
    let mut taps = [0; 32];
    let mut i = 0;
    while i < 10 {
        taps[9 - i] = INTERPOLATION[phase + 3 * i];
        taps[10 + i] = INTERPOLATION[3 - phase + 3 * i];
        i += 1;
    }
    taps
}

/// Writes the excitation `lag` ago to the subframe at [`HISTORY`]; lags shorter than the subframe read what was
/// just written.
pub(super) fn predict(excitation: &mut [i16], lag: Lag) {
    let (whole, phase) = match lag.thirds {
        1.. => (lag.whole + 1, 2),
        0 => (lag.whole, 0),
        _ => (lag.whole, 1),
    };
    let taps = &TAPS[phase];
    // Eight outputs at a time read up to nine samples after the delayed position: always written before, for
    // lags from 19.
    for block in (0..SUBFRAME).step_by(8) {
        let to = HISTORY + block;
        let Some(past) = excitation[to - whole - 9..].first_chunk::<27>() else { return };
        let block: [i16; 8] = if peak(past) < 16_000 {
            // The taps' magnitudes add up to less than 2 in Q15.
            let mut padded = [0; 40];
            padded[..27].copy_from_slice(past);
            let sums: [i32; 8] = each(|i| padded[i..].first_chunk().map_or(0, |past| short_dot(past, taps)));
            mapped(&sums, |sum| round_shift(sum, 15))
        } else {
            each(|i| saturating_prediction(&past[i..], taps))
        };
        excitation[to..to + 8].copy_from_slice(&block);
    }
}

/// The standard's order: from the middle outwards, both sides in turn.
#[cold]
#[inline(never)]
fn saturating_prediction(past: &[i16], taps: &[i16; 32]) -> i16 {
    round((0..10).fold(0, |sum, i| l_mac(l_mac(sum, past[9 - i], taps[9 - i]), past[10 + i], taps[10 + i])))
}

/// Index of the first subframe's lag, 8 bits.
pub(super) fn first_index(lag: Lag) -> u8 {
    let whole = lag.whole as i16;
    (if whole <= 85 { 3 * whole - 58 + lag.thirds } else { whole + 112 }) as u8
}

/// Index of the second subframe's lag, 5 bits, relative to the first.
pub(super) fn second_index(lag: Lag, range: Range) -> u8 {
    (3 * (lag.whole as i16 - range.least as i16) + 2 + lag.thirds) as u8
}

/// The lags that the second subframe can have.
pub(super) fn second_range(first: usize) -> Range {
    Range::around(first, 5, 9)
}

pub(super) fn first_lag(index: u8) -> Lag {
    let index = i16::from(index);
    if index >= 197 {
        return Lag { whole: (index - 112) as usize, thirds: 0 };
    }
    let whole = (index + 2) / 3 + 19;
    Lag { whole: whole as usize, thirds: index - 3 * whole + 58 }
}

pub(super) fn second_lag(index: u8, first: usize) -> Lag {
    let index = i16::from(index & 31);
    let steps = (index + 2) / 3 - 1;
    let whole = second_range(first).least as i16 + steps;
    Lag { whole: whole as usize, thirds: index - 2 - 3 * steps }
}

/// Parity over the six most significant bits of the first subframe's index, odd.
pub(super) fn parity(index: u8) -> bool {
    (index >> 2).count_ones().is_multiple_of(2)
}

/// The lag that a concealed subframe leaves behind for the next.
pub(super) fn prolonged(lag: u8) -> u8 {
    (lag + 1).min(LAG_MAX as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_comes_back() {
        for index in 0..=255 {
            let lag = first_lag(index);
            assert!((-1..=1).contains(&lag.thirds) && (19..=143).contains(&lag.whole), "{lag:?}");
            assert_eq!(first_index(lag), index);
            for second in 0..32 {
                let other = second_lag(second, lag.whole);
                assert!((-1..=1).contains(&other.thirds) && (19..=144).contains(&other.whole), "{other:?}");
                assert_eq!(second_index(other, second_range(lag.whole)), second);
            }
        }
    }

    #[test]
    fn the_taps_stay_below_two() {
        for taps in TAPS {
            assert!(taps.iter().map(|&tap| i32::from(tap).abs()).sum::<i32>() < 65_536);
        }
    }

    #[test]
    fn parity_is_odd() {
        assert!(parity(0) && parity(0b11) && !parity(0b100) && parity(0b1010_0000));
    }
}
