//! Multipulse maximum likelihood quantisation: the fixed codebook at 6.3 kbit/s (§2.15, §3.5).
//!
//! Five or six pulses of one amplitude, all on even or all on odd places; for short lags they may repeat with
//! the pitch.

#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the grid and the gain table")]

use super::bits::{GAIN_LEVELS, LONG_LAG, SubframeCode};
use super::convolve::{PADDED, Response};
use super::filter::Samples;
use super::ops::{dot, energy, from, mac_saturating, padded, peak, shl_round};
use super::tables::{COMBINATIONS, FIXED_GAIN, POSITION_CODES, PULSES};
use super::{SUBFRAME, SUBFRAMES};
use crate::fixed::{add, extract_h, l_abs, l_mac, l_msu, l_mult, l_shl, l_shr, l_sub, norm_l};

/// Places on a grid.
const PLACES: usize = SUBFRAME / 2;
/// Both sides of an autocorrelation, and zeros to make up a round number wherever one begins.
const AROUND: usize = PLACES + ROUND;
const MOST_PULSES: usize = 6;
/// Gain levels that are tried: from two below the estimate to one above.
const GAINS_TRIED: usize = 4;

/// A grid and two places behind it that are never free, to make up a round number.
const ROUND: usize = 32;
type Grid = [i32; ROUND];

/// Pulses on one grid, in the order in which they were found.
#[derive(Clone, Copy, Default)]
struct Pulses {
    odd: bool,
    train: bool,
    gain: usize,
    places: [usize; MOST_PULSES],
    negative: [bool; MOST_PULSES],
}

/// Best of the pulses so far and how good they are.
struct Best {
    score: i32,
    pulses: Pulses,
}

/// Finds the pulses for a target: fills in their codes, and returns the excitation (§2.15).
pub(super) fn search(
    target: &Samples,
    response: &Samples,
    lag: usize,
    index: usize,
    code: &mut SubframeCode,
) -> Samples {
    let count = PULSES[index % SUBFRAMES];
    let mut best = Best { score: -0x4000_0000, pulses: Pulses::default() };
    try_response(&mut best, target, response, false, count);
    if lag < LONG_LAG {
        try_response(&mut best, target, &repeated(response, lag), true, count);
    }
    let pulses = best.pulses;
    let excitation = pulses.excitation(count);
    code.odd_grid = pulses.odd;
    code.train = pulses.train;
    code.gain = pulses.gain as u8;
    (code.positions, code.signs) = encode_places(&excitation, pulses.odd, count);
    if pulses.train { repeated(&excitation, lag) } else { excitation }
}

/// A signal added to itself at each multiple of the lag.
fn repeated(signal: &Samples, lag: usize) -> Samples {
    let mut sum = *signal;
    for offset in (lag..SUBFRAME).step_by(lag.max(1)) {
        for (sum, &sample) in sum[offset..].iter_mut().zip(signal) {
            *sum = add(*sum, sample);
        }
    }
    sum
}

fn try_response(best: &mut Best, target: &Samples, forward: &Samples, train: bool, count: usize) {
    let response = Response::new(forward);
    let (autocorrelation, shift) = autocorrelation(forward);
    let matched = response.correlate(target).map(|sum| l_shl(sum, shift - 4));
    let judge = Judge::new(target, forward);
    // The autocorrelation on both sides of a pulse.
    let mut around = [0; AROUND];
    for (lag, &value) in autocorrelation.iter().enumerate() {
        around[PLACES - 1 + lag] = value;
        around[PLACES - 1 - lag] = value;
    }
    for odd in [false, true] {
        let mut grid = [0; ROUND];
        for (value, pair) in grid.iter_mut().zip(matched.chunks_exact(2)) {
            *value = pair[usize::from(odd)];
        }
        let magnitudes = grid.map(l_abs);
        let greatest = magnitudes.iter().fold(0, |greatest, &magnitude| magnitude.max(greatest));
        // The last of equals.
        let first = magnitudes[..PLACES].iter().rposition(|&magnitude| magnitude == greatest).unwrap_or(0);
        let estimate = nearest_gain(greatest, autocorrelation[0]);
        for gain in (estimate.saturating_sub(2)..).take(GAINS_TRIED) {
            let mut pulses = Pulses { odd, train, gain, ..Pulses::default() };
            pulses.place(grid, first, &around, count);
            let score = judge.score(&pulses, count);
            if score > best.score {
                *best = Best { score, pulses };
            }
        }
    }
}

/// Autocorrelation of a response at even lags, normalised, and the shift that did it.
fn autocorrelation(response: &Samples) -> ([i16; PLACES], i16) {
    let half = response.map(|sample| sample >> 1);
    if energy(&half) >= 1 << 30 {
        let shift = norm_l(mac_saturating(&half, &half));
        let lag = |i: usize| mac_saturating(&half[2 * i..], &half[..SUBFRAME - 2 * i]);
        return (core::array::from_fn(|i| shl_round(lag(i), shift)), shift);
    }
    let half: [i16; 2 * PADDED] = padded(&half);
    let front: &[i16; PADDED] = from(&half, 0);
    let shift = norm_l(2 * dot(front, front));
    let mut lags = [0; PLACES];
    for (i, lag) in lags.iter_mut().enumerate() {
        *lag = shl_round(2 * dot::<PADDED>(front, from(&half, 2 * i)), shift);
    }
    (lags, shift)
}

/// The level whose pulse alone comes nearest to the greatest value.
fn nearest_gain(greatest: i32, energy: i16) -> usize {
    const HIGHEST: usize = GAIN_LEVELS as usize - 2;
    let mut nearest = (0x4000_0000, HIGHEST);
    for level in (2..=HIGHEST).rev() {
        let distance = l_abs(l_sub(l_mult(FIXED_GAIN[level], energy), greatest));
        if distance < nearest.0 {
            nearest = (distance, level);
        }
    }
    nearest.1
}

impl Pulses {
    /// Places the pulses one after the other, each where most is left, and takes what it explains away.
    fn place(&mut self, mut left: Grid, first: usize, around: &[i16; AROUND], count: usize) {
        let gain = FIXED_GAIN[self.gain];
        let greatest = left.iter().fold(0, |greatest, &value| l_abs(value).max(greatest));
        // No value of an autocorrelation is greater than 1, so each pulse changes what is left by less than this.
        let most = i64::from(greatest) + MOST_PULSES as i64 * i64::from(gain) * 0x1_0000;
        let safe = most <= i64::from(i32::MAX);

        // All ones while a place is free.
        let mut free = [-1; ROUND];
        free[PLACES..].fill(0);
        let mut place = first;
        for pulse in 0..count {
            if pulse > 0 {
                take_away(&mut left, from(around, PLACES - 1 - place), self.amplitude(pulse - 1, gain), safe);
                place = greatest_free(&left, &free);
            }
            self.places[pulse] = place;
            self.negative[pulse] = left[place] < 0;
            free[place] = 0;
        }
    }

    const fn amplitude(&self, pulse: usize, gain: i16) -> i16 {
        if self.negative[pulse] { -gain } else { gain }
    }

    fn excitation(&self, count: usize) -> Samples {
        let gain = FIXED_GAIN[self.gain];
        let mut excitation = [0; SUBFRAME];
        for pulse in 0..count {
            excitation[2 * self.places[pulse] + usize::from(self.odd)] = self.amplitude(pulse, gain);
        }
        excitation
    }
}

/// Takes what a pulse explains away from what is left.
#[inline(always)]
fn take_away(left: &mut Grid, around: &[i16; ROUND], amplitude: i16, safe: bool) {
    if safe {
        let amplitude = i32::from(amplitude);
        for (left, &shape) in left.iter_mut().zip(around) {
            *left = left.wrapping_sub(2 * (amplitude * i32::from(shape)));
        }
    } else {
        for (left, &shape) in left.iter_mut().zip(around) {
            *left = l_msu(*left, amplitude, shape);
        }
    }
}

/// The first of the free places with the most left.
#[inline(always)]
fn greatest_free(left: &Grid, free: &Grid) -> usize {
    // Taken places become -1, less than every magnitude.
    let mut rest = [0; ROUND];
    for ((rest, &left), &free) in rest.iter_mut().zip(left).zip(free) {
        *rest = (l_abs(left) & free) | !free;
    }
    let greatest = rest.iter().fold(-1, |greatest, &rest| rest.max(greatest));
    // One bit a place, and then the lowest: no branch that could be guessed wrong.
    let hits =
        rest.iter().enumerate().fold(0, |hits, (place, &rest)| hits | u32::from(rest == greatest) << place);
    hits.trailing_zeros() as usize % PLACES
}

/// Measures how much of the target pulses explain.
struct Judge<'a> {
    target: &'a Samples,
    padded_target: [i16; PADDED],
    target_energy: u64,
    response: &'a Samples,
    /// Zeros, then the response: from `PADDED - n` on it is the response `n` samples late.
    late: [i16; 2 * PADDED],
    response_peak: i32,
}

impl<'a> Judge<'a> {
    fn new(target: &'a Samples, response: &'a Samples) -> Self {
        let mut late = [0; 2 * PADDED];
        late[PADDED..][..SUBFRAME].copy_from_slice(response);
        Self {
            target,
            padded_target: padded(target),
            target_energy: energy(target),
            response,
            late,
            response_peak: peak(response),
        }
    }

    /// Twice the correlation of target and synthesised pulses, minus the energy of the latter.
    fn score(&self, pulses: &Pulses, count: usize) -> i32 {
        let synthesis = self.synthesise(pulses, count);
        let energy = energy(&synthesis);
        if self.cannot_saturate(energy) {
            return dot(&self.padded_target, &synthesis).wrapping_mul(2).wrapping_sub(energy as i32);
        }
        let mut sum = 0;
        for (&target, &synthesis) in self.target.iter().zip(&synthesis) {
            sum = l_mac(sum, target, synthesis);
            sum = l_sub(sum, l_shr(l_mult(synthesis, synthesis), 1));
        }
        sum
    }

    /// Whether twice the root of the product of the energies and the second energy stay in 32 bits together.
    fn cannot_saturate(&self, energy: u64) -> bool {
        if energy >= 1 << 30 || self.target_energy >= 1 << 31 {
            return false;
        }
        let left = i32::MAX as u64 - energy;
        4 * self.target_energy * energy < left * left
    }

    /// The pulses through the response, at a scale of 1/8; zeros behind the subframe.
    fn synthesise(&self, pulses: &Pulses, count: usize) -> [i16; PADDED] {
        let gain = FIXED_GAIN[pulses.gain];
        let reach = i64::from(self.response_peak) * i64::from(gain) * 2 * MOST_PULSES as i64;
        if reach > i64::from(i32::MAX) {
            return padded(&self.synthesise_saturating(&pulses.excitation(count)));
        }
        let mut sums = [0i32; PADDED];
        for pulse in 0..count {
            let amplitude = i32::from(pulses.amplitude(pulse, gain));
            let at = 2 * pulses.places[pulse] + usize::from(pulses.odd);
            let late: &[i16; PADDED] = from(&self.late, PADDED - at);
            for (sum, &response) in sums.iter_mut().zip(late) {
                *sum = sum.wrapping_add(amplitude * i32::from(response));
            }
        }
        let mut synthesis = sums.map(|sum| (sum >> 13).clamp(-0x8000, 0x7fff) as i16);
        synthesis[SUBFRAME..].fill(0);
        synthesis
    }

    fn synthesise_saturating(&self, excitation: &Samples) -> Samples {
        core::array::from_fn(|n| {
            let sum = (0..=n).fold(0, |sum, j| l_mac(sum, excitation[j], self.response[n - j]));
            extract_h(l_shl(sum, 2))
        })
    }
}

/// Codes of the positions and of the signs, the first pulse in the highest bit.
fn encode_places(excitation: &Samples, odd: bool, count: usize) -> (u32, u8) {
    let (mut positions, mut signs) = (0, 0);
    let mut row = MOST_PULSES - count;
    for place in 0..PLACES {
        let amplitude = excitation[2 * place + usize::from(odd)];
        if amplitude == 0 {
            positions += COMBINATIONS[row][place];
            continue;
        }
        signs = signs << 1 | u8::from(amplitude < 0);
        row += 1;
        if row == MOST_PULSES {
            break;
        }
    }
    (positions, signs)
}

/// The excitation that the codes of a subframe stand for (§3.5).
pub(super) fn decode(code: &SubframeCode, lag: usize, index: usize) -> Samples {
    let index = index % SUBFRAMES;
    let mut excitation = [0; SUBFRAME];
    if code.positions >= POSITION_CODES[index] {
        return excitation;
    }
    let gain = FIXED_GAIN[usize::from(code.gain) % FIXED_GAIN.len()];
    let mut left = code.positions;
    let mut row = MOST_PULSES - PULSES[index];
    for place in 0..PLACES {
        let combinations = COMBINATIONS[row][place];
        if left >= combinations {
            left -= combinations;
            continue;
        }
        row += 1;
        let negative = code.signs & (1 << (MOST_PULSES - row)) != 0;
        excitation[2 * place + usize::from(code.odd_grid)] = if negative { -gain } else { gain };
        if row == MOST_PULSES {
            break;
        }
    }
    if code.train { repeated(&excitation, lag) } else { excitation }
}
