//! Algebraic codebook: the fixed codebook at 5.3 kbit/s (§2.16, §3.5).
//!
//! Four pulses on interleaved tracks of eight places, all on even or all on odd samples, behind a pitch
//! sharpening filter.

#![expect(
    clippy::indexing_slicing,
    reason = "fixed arrays, indices bounded by tracks, places and the subframe"
)]

use super::SUBFRAME;
use super::bits::{LONG_LAG, SubframeCode};
use super::convolve::Response;
use super::filter::Samples;
use super::ops::{energy, mac, mac_saturating, safe_to_mac};
use super::tables::{FIXED_GAIN, SHARPENING_GAIN, SHARPENING_LAG};
use crate::fixed::{abs_s, add, div_s, extract_h, l_abs, l_mac, l_shl, l_shr, mult, norm_l, shl, shr, sub};

const TRACKS: usize = 4;
/// Places on a track.
const PLACES: usize = 8;
/// Pairs of samples, an even and an odd one: the places of all tracks together.
const PAIRS: usize = TRACKS * PLACES;
/// Samples that the tracks reach; the last four are behind the subframe.
const REACH: usize = 2 * PAIRS;
/// Last pulses that may be tried in a subframe, before what earlier subframes left over.
const TRIALS: i16 = 120;

/// Adds the signal of a pitch period ago, with what it got.
#[derive(Clone, Copy, Debug)]
struct Sharpening {
    lag: usize,
    gain: i16,
}

impl Sharpening {
    /// That of an entry of the adaptive codebook at a closed-loop lag.
    fn of(lag: usize, entry: u8) -> Self {
        let entry = usize::from(entry) % SHARPENING_LAG.len();
        let lag = lag.saturating_add_signed(isize::from(SHARPENING_LAG[entry]));
        Self { lag, gain: SHARPENING_GAIN[entry] }
    }

    fn run(&self, signal: &mut Samples) {
        if self.lag < LONG_LAG {
            for n in self.lag.max(1)..SUBFRAME {
                signal[n] = add(signal[n], mult(signal[n - self.lag], self.gain));
            }
        }
    }
}

/// Trials that subframes leave over for the next ones of the same frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget(i16);

impl Budget {
    /// At the start of a frame.
    pub(super) const fn new() -> Self {
        Self(TRIALS)
    }
}

/// Four pulses: the place on each track, and whether they stand on odd samples.
#[derive(Clone, Copy, Debug, Default)]
struct Pulses {
    places: [usize; TRACKS],
    odd: bool,
}

impl Pulses {
    /// The sample that a track's pulse stands on.
    const fn sample(&self, track: usize) -> usize {
        2 * (TRACKS * self.places[track] + track) + self.odd as usize
    }

    /// The pair of samples that a track's pulse stands on.
    const fn pair(&self, track: usize) -> usize {
        TRACKS * self.places[track] + track
    }
}

/// Finds the pulses for a target: fills in their codes, and returns the excitation (§2.16).
pub(super) fn search(
    target: &Samples,
    response: &Samples,
    lag: usize,
    budget: &mut Budget,
    code: &mut SubframeCode,
) -> Samples {
    let sharpening = Sharpening::of(lag, code.adaptive);
    let mut response = response.map(|sample| sample >> 1);
    sharpening.run(&mut response);

    let matched = match_target(target, &response);
    let (matched, signs) = fold_signs(matched);
    let correlations = Correlations::new(&response, &signs);
    let pulses = find(&matched, &correlations, budget);

    let mut train = [0; SUBFRAME];
    let mut synthesis = [0; SUBFRAME];
    code.signs = 0;
    for track in 0..TRACKS {
        let sign = signs[pulses.pair(track)];
        code.signs |= u8::from(sign > 0) << track;
        let at = pulses.sample(track);
        if at < SUBFRAME {
            train[at] = sign;
            for (sum, &response) in synthesis[at..].iter_mut().zip(&response) {
                *sum = if sign > 0 { add(*sum, response) } else { sub(*sum, response) };
            }
        }
    }
    let [p0, p1, p2, p3] = pulses.places.map(|place| place as u32);
    code.positions = p0 | p1 << 3 | p2 << 6 | p3 << 9;
    code.odd_grid = pulses.odd;
    code.train = false;
    code.gain = nearest_gain(target, &synthesis);

    let gain = FIXED_GAIN[usize::from(code.gain)];
    let mut excitation = train.map(|sign| sign * gain);
    sharpening.run(&mut excitation);
    excitation
}

/// Correlation of target and response at each place, 13 bits; 0 behind the subframe.
fn match_target(target: &Samples, response: &Samples) -> [i16; REACH] {
    let sums = Response::new(response).correlate(target);
    let greatest = sums.iter().fold(0, |greatest, &sum| l_abs(sum).max(greatest));
    let shift = 18 - norm_l(greatest).min(16);
    let mut matched = [0; REACH];
    for (matched, sum) in matched.iter_mut().zip(sums) {
        *matched = l_shr(sum, shift) as i16;
    }
    matched
}

/// The sign of each pair of samples is that of their sum; the correlations are turned so that it is positive.
fn fold_signs(mut matched: [i16; REACH]) -> ([i16; REACH], [i16; PAIRS]) {
    let mut signs = [1; PAIRS];
    for (pair, sign) in matched.chunks_exact_mut(2).zip(&mut signs) {
        if add(pair[0], pair[1]) < 0 {
            *sign = -1;
            pair[0] = pair[0].wrapping_neg();
            pair[1] = pair[1].wrapping_neg();
        }
    }
    (matched, signs)
}

/// Correlations of the response with itself between all places of different tracks, with the signs in, and the
/// energies at each place. Those of odd samples are taken to be the same as those of the even ones before them.
struct Correlations {
    energies: [[i16; PLACES]; TRACKS],
    /// `[a][i][b][j]`: place `i` of track `a` and `j` of track `b`; not for `a == b`.
    tracks: [[[[i16; PLACES]; TRACKS]; PLACES]; TRACKS],
}

impl Correlations {
    fn new(response: &Samples, signs: &[i16; PAIRS]) -> Self {
        let h = scaled(response);
        // The scaling leaves the doubled energy below 2³¹, if the energy was not out of range.
        let safe = energy(&h) < 1 << 30;
        let mut energies = [[0; PLACES]; TRACKS];
        let places = (0..PAIRS).rev();
        let sums = running_sums(&h, 0, safe);
        for (pair, sum) in places.zip(sums) {
            energies[pair % TRACKS][pair / TRACKS] = extract_h(sum);
        }
        let mut tracks = [[[[0; PLACES]; TRACKS]; PLACES]; TRACKS];
        for distance in (1..PAIRS).filter(|distance| distance % TRACKS != 0) {
            let sums = running_sums(&h, distance, safe);
            // The later of the two places goes from the last one to the front.
            for (n, &sum) in sums[..PAIRS - distance].iter().enumerate() {
                let later = PAIRS - 1 - n;
                let earlier = later - distance;
                let value = extract_h(sum).wrapping_mul(signs[earlier] * signs[later]);
                let ((a, i), (b, j)) =
                    ((earlier % TRACKS, earlier / TRACKS), (later % TRACKS, later / TRACKS));
                tracks[a][i][b][j] = value;
                tracks[b][j][a][i] = value;
            }
        }
        Self { energies, tracks }
    }
}

/// Doubled products of the response with itself `distance` pairs later, added up pair by pair.
#[inline(always)]
fn running_sums(h: &[i16; REACH], distance: usize, safe: bool) -> [i32; PAIRS] {
    let mut sums = [0i32; PAIRS];
    let ahead = &h[2 * distance..];
    if safe {
        for (sum, (h, ahead)) in
            sums.iter_mut().zip(h.as_chunks::<2>().0.iter().zip(ahead.as_chunks::<2>().0))
        {
            *sum = i32::from(h[0]) * i32::from(ahead[0]) + i32::from(h[1]) * i32::from(ahead[1]);
        }
        let mut total = 0;
        for sum in &mut sums {
            total += 2 * *sum;
            *sum = total;
        }
    } else {
        let mut total = 0;
        for (sum, (h, ahead)) in sums.iter_mut().zip(h.chunks_exact(2).zip(ahead.chunks_exact(2))) {
            total = l_mac(l_mac(total, h[0], ahead[0]), h[1], ahead[1]);
            *sum = total;
        }
    }
    sums
}

/// The response behind four zeros, so that its doubled energy fits 32 bits.
fn scaled(response: &Samples) -> [i16; REACH] {
    let own = energy(response);
    let doubled = mac(response, response, safe_to_mac(own, own));
    let mut h = [0; REACH];
    let shift = if extract_h(doubled) > 32_000 { -1 } else { norm_l(doubled) / 2 };
    for (h, &sample) in h[REACH - SUBFRAME..].iter_mut().zip(response) {
        *h = shl(sample, shift);
    }
    h
}

/// How far apart the greatest sum of three tracks and the mean are allowed to be, for the fourth to be tried.
fn threshold(matched: &[i16; REACH]) -> i16 {
    let of_grid = |odd: usize| {
        let track = |track: usize| (0..PLACES).map(move |place| 2 * (TRACKS * place + track) + odd);
        let greatest = |t: usize| track(t).fold(i16::MIN, |greatest, at| greatest.max(matched[at]));
        let sum = add(add(greatest(0), greatest(1)), greatest(2));
        let total = (0..3).flat_map(track).fold(0, |sum, at| l_mac(sum, matched[at], 1));
        let mean = l_shr(total, 4) as i16;
        add(mult(sub(sum, mean), 0x4000), mean)
    };
    of_grid(0).max(of_grid(1))
}

/// Nested search over the tracks, the last one only where the first three are good enough; ends when the trials
/// are used up.
fn find(matched: &[i16; REACH], correlations: &Correlations, budget: &mut Budget) -> Pulses {
    let Correlations { energies, tracks } = correlations;
    let threshold = threshold(matched);
    let at = |track: usize, place: usize| 2 * (TRACKS * place + track);
    // The last track's correlations, even and odd samples apart.
    let last: [[i16; PLACES]; 2] =
        core::array::from_fn(|odd| core::array::from_fn(|place| matched[at(3, place) + odd]));

    let mut best = Best { square: 0, energy: i16::MAX, pulses: Pulses::default() };
    let mut trials = TRIALS + budget.0;
    'search: for i0 in 0..PLACES {
        let even0 = matched[at(0, i0)];
        let odd0 = matched[at(0, i0) + 1];
        for i1 in 0..PLACES {
            let even1 = add(even0, matched[at(1, i1)]);
            let odd1 = add(odd0, matched[at(1, i1) + 1]);
            let energy1 = 2 * i32::from(energies[0][i0])
                + 2 * i32::from(energies[1][i1])
                + 4 * i32::from(tracks[0][i0][1][i1]);
            // What two pulses and each one on the last track have together. Sums of at most ten numbers of 16
            // bits: nothing saturates here.
            let (row0, row1) = (&tracks[0][i0][3], &tracks[1][i1][3]);
            let mut energies1 = [0; PLACES];
            for (i3, energy) in energies1.iter_mut().enumerate() {
                *energy = energy1
                    + 2 * i32::from(energies[3][i3])
                    + 4 * (i32::from(row0[i3]) + i32::from(row1[i3]));
            }
            for i2 in 0..PLACES {
                let even2 = add(even1, matched[at(2, i2)]);
                let odd2 = add(odd1, matched[at(2, i2) + 1]);
                let odd = odd2 > even2;
                let sum = if odd { odd2 } else { even2 };
                if sum <= threshold {
                    continue;
                }
                let energy2 = 2 * i32::from(energies[2][i2])
                    + 4 * i32::from(tracks[0][i0][2][i2])
                    + 4 * i32::from(tracks[1][i1][2][i2]);
                let row2 = &tracks[2][i2][3];
                let (squares, energies3) = trial(sum, &last[usize::from(odd)], energy2, &energies1, row2);
                if best.is_beaten_by_any(&squares, &energies3) {
                    best.improve(&squares, &energies3, [i0, i1, i2], odd);
                }
                trials -= 1;
                if trials <= 0 {
                    break 'search;
                }
            }
        }
    }
    budget.0 = trials;
    best.pulses
}

/// Squared correlations and energies with a pulse on each place of the last track.
#[inline(always)]
fn trial(
    sum: i16,
    last: &[i16; PLACES],
    energy: i32,
    energies: &[i32; PLACES],
    row: &[i16; PLACES],
) -> ([i16; PLACES], [i16; PLACES]) {
    let (mut squares, mut totals) = ([0; PLACES], [0; PLACES]);
    for i3 in 0..PLACES {
        let sum = add(sum, last[i3]);
        squares[i3] = mult(sum, sum);
        totals[i3] = ((energies[i3] + energy + 4 * i32::from(row[i3])) >> 5) as i16;
    }
    (squares, totals)
}

/// The greatest squared correlation over energy, and the pulses it is from.
struct Best {
    square: i16,
    energy: i16,
    pulses: Pulses,
}

impl Best {
    #[inline(always)]
    fn is_beaten(&self, square: i16, energy: i16) -> bool {
        // Both sides doubled by the reference, which changes nothing: squares are never negative.
        i32::from(square) * i32::from(self.energy) > i32::from(self.square) * i32::from(energy)
    }

    #[inline(always)]
    fn is_beaten_by_any(&self, squares: &[i16; PLACES], energies: &[i16; PLACES]) -> bool {
        // The greatest difference of the two sides, which are of at most 30 bits.
        let (square, energy) = (i32::from(self.square), i32::from(self.energy));
        let mut differences = [0; PLACES];
        for (difference, (&s, &e)) in differences.iter_mut().zip(squares.iter().zip(energies)) {
            *difference = square * i32::from(e) - i32::from(s) * energy;
        }
        differences.iter().fold(0, |signs, difference| signs | difference) < 0
    }

    fn improve(&mut self, squares: &[i16; PLACES], energies: &[i16; PLACES], front: [usize; 3], odd: bool) {
        for (i3, (&square, &energy)) in squares.iter().zip(energies).enumerate() {
            if self.is_beaten(square, energy) {
                let [i0, i1, i2] = front;
                *self = Self { square, energy, pulses: Pulses { places: [i0, i1, i2, i3], odd } };
            }
        }
    }
}

/// The gain level nearest to the optimum (§2.16).
fn nearest_gain(target: &Samples, synthesis: &Samples) -> u8 {
    let synthesis = synthesis.map(|sample| sample >> 3);
    let own = energy(&synthesis);
    let correlation = mac(target, &synthesis, safe_to_mac(own, energy(target)));
    let correlation_shift = norm_l(correlation);
    let numerator = extract_h(l_shl(correlation, correlation_shift));
    if numerator <= 0 {
        return 0;
    }
    let energy = if own < 1 << 30 { 2 * own as i32 } else { mac_saturating(&synthesis, &synthesis) };
    let energy_shift = norm_l(energy);
    let denominator = extract_h(l_shl(energy, energy_shift));
    let gain = shr(div_s(shr(numerator, 1), denominator), sub(add(correlation_shift, 5), energy_shift));
    let mut nearest = (i16::MAX, 0);
    for (level, &candidate) in FIXED_GAIN.iter().enumerate() {
        let distance = abs_s(sub(gain, candidate));
        if distance < nearest.0 {
            nearest = (distance, level as u8);
        }
    }
    nearest.1
}

/// The excitation that the codes of a subframe stand for (§3.5).
pub(super) fn decode(code: &SubframeCode, lag: usize) -> Samples {
    let gain = FIXED_GAIN[usize::from(code.gain) % FIXED_GAIN.len()];
    let mut excitation = [0; SUBFRAME];
    for track in 0..TRACKS {
        let place = (code.positions >> (3 * track)) as usize % PLACES;
        let at = 2 * (TRACKS * place + track) + usize::from(code.odd_grid);
        if let Some(sample) = excitation.get_mut(at) {
            *sample = if code.signs >> track & 1 != 0 { gain } else { -gain };
        }
    }
    Sharpening::of(lag, code.adaptive).run(&mut excitation);
    excitation
}
