//! The pitch period (Appendix IV, clause IV.6.1.3): an estimate on every fourth sample, refined on all.
#![expect(clippy::indexing_slicing, reason = "fixed arrays; lags are bounded by the loops")]

use super::lpc::analyse;
use crate::fixed::{add, div_s, l_add, l_extract, l_mac, l_mult, l_shl, norm_l, round};

/// The longest period and the shortest, in samples at 8 kHz.
pub(super) const LONGEST: usize = 144;
const SHORTEST: usize = 16;
/// Samples that are looked at.
pub(super) const SEEN: usize = 2 * LONGEST;

/// One sample in four is left by the decimation.
const DECIMATION: usize = 4;
const DECIMATED: usize = SEEN / DECIMATION;
const LONGEST_DECIMATED: usize = LONGEST / DECIMATION;
/// Low-pass filter before it, Q16.
const LOW_PASS: [i16; 9] = [3692, 6190, 8525, 10_186, 10_787, 10_186, 8525, 6190, 3692];
/// The factor of the recursive part of the 50 Hz high-pass filter, Q14: 123/128.
const HIGH_PASS: i16 = 15_744;
/// The weighting filter's factors, Q15: 0.94 and its square.
const WEIGHTING: [i16; 2] = [30_802, 28_954];

/// A period and how well the signal fits itself one period ago, Q15.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pitch {
    pub(super) period: usize,
    pub(super) correlation: i16,
}

/// Finds the pitch at the end of a signal.
pub(super) fn find(signal: &[i16; SEEN]) -> Pitch {
    let mut signal = high_passed(signal);
    let (estimate, loud) = estimate(&weighted(&decimated(&signal)));
    if loud {
        // Room for four times as many products. The first sample stays as it is in the standard's program.
        signal[1..].iter_mut().for_each(|sample| *sample >>= 1);
    }
    let pitch = refine(&signal, estimate);
    if pitch.correlation < 8192 && pitch.period < 2 * SHORTEST {
        return Pitch { period: 2 * pitch.period, ..pitch };
    }
    pitch
}

fn high_passed(signal: &[i16; SEEN]) -> [i16; SEEN] {
    let (mut before, mut out) = (0, (0, 0));
    signal.map(|sample| {
        // Below 2^31: 65 535 and 15 744 are what the factors add up to.
        let sum = ((i32::from(sample) - i32::from(before)) << 14) + i32::from(out.0) * i32::from(HIGH_PASS);
        let low = (i32::from(out.1) * i32::from(HIGH_PASS)) >> 13;
        let sum = l_add(l_shl(sum, 2), low);
        before = sample;
        out = l_extract(sum);
        round(sum)
    })
}

fn decimated(signal: &[i16; SEEN]) -> [i16; DECIMATED] {
    core::array::from_fn(|n| {
        let newest = n * DECIMATION + DECIMATION - 1;
        let taps = LOW_PASS.iter().zip(signal[..=newest].iter().rev());
        round(taps.fold(0_i32, |sum, (&tap, &sample)| sum.saturating_add(i32::from(tap) * i32::from(sample))))
    })
}

/// Without the formants, that could be taken for the pitch.
fn weighted(signal: &[i16; DECIMATED]) -> [i16; DECIMATED] {
    let [_, first, second] = analyse::<3>(signal).unwrap_or_default();
    let first = round(l_mult(first, WEIGHTING[0]));
    let second = round(l_mult(second, WEIGHTING[1]));
    core::array::from_fn(|n| {
        let past = |ago: usize| n.checked_sub(ago).map_or(0, |n| signal[n]);
        let sum = l_mac(l_mult(first, past(1)), second, past(2));
        if n == 0 { signal[0] } else { add(signal[n], round(l_shl(sum, 3))) }
    })
}

/// The period in samples at 8 kHz, a multiple of four, and whether the signal is so loud that a longer sum of
/// products could overflow.
fn estimate(signal: &[i16; DECIMATED]) -> (usize, bool) {
    const OLDEST: usize = LONGEST_DECIMATED + 1;
    const NEWEST: usize = DECIMATED - 1;
    let energy = (OLDEST..=NEWEST).rev().fold(1, |sum, j| mac(sum, signal[j], signal[j]));
    let mut past_energy = msu(energy, signal[NEWEST], signal[NEWEST]);
    let mut best = Pitch { period: LONGEST / 2 / DECIMATION, correlation: 0 };
    // The first lobe of the correlation, around lag 0, does not count.
    let mut beyond_first_lobe = false;
    let mut since_best = 0;
    for lag in 1..LONGEST_DECIMATED {
        since_best += 1;
        let correlation = (OLDEST..=NEWEST).rev().fold(0, |sum, j| mac(sum, signal[j], signal[j - lag]));
        past_energy = mac(past_energy, signal[OLDEST - lag], signal[OLDEST - lag]);
        let correlation = normalised(correlation, energy, past_energy);
        past_energy = msu(past_energy, signal[NEWEST - lag], signal[NEWEST - lag]);
        beyond_first_lobe |= correlation < 0;
        if !beyond_first_lobe {
            continue;
        }
        if since_best == best.period || since_best == 2 * best.period {
            // A multiple of the best period so far has to be better by 1/8, or not to be at all.
            if best.correlation > 27_850 {
                best.correlation = i16::MAX;
            }
            if best.correlation < 29_126 {
                best.correlation += best.correlation >> 3;
            }
        }
        if correlation > best.correlation && lag >= SHORTEST / DECIMATION {
            best = Pitch { period: lag, correlation };
            since_best = 1;
        }
    }
    (best.period * DECIMATION, energy > 0x0100_0000)
}

/// The best period of the five around an estimate.
fn refine(signal: &[i16; SEEN], estimate: usize) -> Pitch {
    const NEWEST: usize = SEEN - 1;
    let first = (estimate - 2).max(SHORTEST);
    let oldest = SEEN - estimate;
    let sum_of_squares =
        |lag: usize| (oldest..=NEWEST).rev().fold(1, |sum, j| mac(sum, signal[j - lag], signal[j - lag]));
    let energy = sum_of_squares(0);
    let mut past_energy = msu(sum_of_squares(first), signal[oldest - first], signal[oldest - first]);
    let mut best = Pitch { period: estimate, correlation: 0 };
    for lag in first..=estimate + 2 {
        past_energy = mac(past_energy, signal[oldest - lag], signal[oldest - lag]);
        let correlation = (oldest..=NEWEST).rev().fold(0, |sum, j| mac(sum, signal[j], signal[j - lag]));
        let correlation = normalised(correlation, energy, past_energy);
        if correlation > best.correlation {
            best = Pitch { period: lag, correlation };
        }
        past_energy = msu(past_energy, signal[NEWEST - lag], signal[NEWEST - lag]);
    }
    best
}

/// A correlation over the greater of two energies, Q15; a negative one is only known to be negative.
fn normalised(correlation: i32, energy: i32, past_energy: i32) -> i16 {
    let shift = norm_l(energy).min(norm_l(past_energy));
    let part = |sum: i32| round(l_shl(sum, shift));
    let correlation = part(correlation);
    if correlation <= 0 {
        return correlation;
    }
    div_s(correlation, part(energy).max(part(past_energy)).max(correlation))
}

fn mac(sum: i32, a: i16, b: i16) -> i32 {
    sum.saturating_add(i32::from(a) * i32::from(b))
}

fn msu(sum: i32, a: i16, b: i16) -> i32 {
    sum.saturating_sub(i32::from(a) * i32::from(b))
}
