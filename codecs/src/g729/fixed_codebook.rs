//! The algebraic codebook (§3.8, Annex A): four pulses of ±1 on interleaved tracks, 17 bits.
#![expect(clippy::indexing_slicing, reason = "fixed arrays; positions lie in 0..40, tracks in 0..5")]

use super::SUBFRAME;
use super::vector::{each, energy, mapped};
use crate::fixed::{add, extract_h, l_mac, mult, negate, norm_l, saturate, shl, sub};

/// Positions of a track.
const PLACES: usize = 8;
/// Tracks: position = 5 · place + track. The fourth pulse has the last two tracks.
const TRACKS: usize = 5;
/// Tracks that a position is not on.
const OTHERS: usize = TRACKS - 1;

/// What the search found.
pub(super) struct Innovation {
    /// Pulses of ±1 in Q13, with the pitch contribution.
    pub(super) code: [i16; SUBFRAME],
    /// The pulses through the weighted synthesis filter, Q12.
    pub(super) filtered: [i16; SUBFRAME],
    pub(super) positions: u16,
    pub(super) signs: u8,
}

/// Finds the pulses that match the target best. `response` has the pitch contribution, `correlations` is the
/// target's correlation with it.
pub(super) fn search(response: &[i16; SUBFRAME], correlations: &[i16; SUBFRAME]) -> Innovation {
    let mut search = Search::EMPTY;
    search.prepare(response, correlations);
    let mut best: Option<Candidate> = None;
    for last_track in [3, 4] {
        for tracks in [[2, last_track, 0, 1], [last_track, 0, 1, 2]] {
            let candidate = search.path(tracks);
            let (square, power) = best.as_ref().map_or((-1, 1), |best| (best.square, best.power));
            if power * candidate.square - square * candidate.power > 0 {
                best = Some(candidate);
            }
        }
    }
    let mut indices = [0, PLACES, 2 * PLACES, 3 * PLACES];
    for index in best.map_or(indices, |best| best.indices) {
        indices[(index / PLACES).min(3)] = index;
    }
    search.innovation(response, indices)
}

/// Pulses of the indices on the wire, as a code vector in Q13.
pub(super) fn decode(positions: u16, signs: u8) -> [i16; SUBFRAME] {
    let mut code = [0; SUBFRAME];
    let place = |shift: u32| usize::from(positions >> shift & 7);
    let last_track = 3 + usize::from(positions >> 9 & 1);
    let pulses = [5 * place(0), 5 * place(3) + 1, 5 * place(6) + 2, 5 * place(10) + last_track];
    for (pulse, position) in pulses.into_iter().enumerate() {
        code[position] = if signs >> pulse & 1 == 1 { 8191 } else { -8192 };
    }
    code
}

/// Adds to each sample from `lag` on the sample one lag before it: the harmonic structure that the pulses lack.
pub(super) fn sharpen(vector: &mut [i16; SUBFRAME], lag: usize, gain: i16) {
    let gain = shl(gain, 1);
    for i in lag..SUBFRAME {
        vector[i] = add(vector[i], mult(vector[i - lag], gain));
    }
}

#[derive(Clone, Copy)]
struct Candidate {
    /// Correlation squared, and the power that it is divided by.
    square: i32,
    power: i32,
    /// Indices of the positions, see [`ByTrack`].
    indices: [usize; 4],
}

/// A value for each position, track by track: the place `p` of the track `t` is at `8 · t + p`, where eight places
/// are a vector.
type ByTrack<T> = [T; SUBFRAME];

/// Correlations of a position with those of the other four tracks, beginning with the track after its own.
type Row<T> = [T; OTHERS * PLACES];

struct Search {
    /// Magnitudes of the target's correlations.
    magnitudes: ByTrack<i16>,
    /// Whether the correlation is negative: all ones or zero.
    negative: ByTrack<i16>,
    /// Power of a pulse alone.
    powers: ByTrack<i16>,
    /// Correlations of the impulse response between positions on different tracks, by position.
    rows: [Row<i16>; SUBFRAME],
    /// Those between tracks 0 and 1 and between 1 and 2, with their signs, place by place.
    cross: [[[i16; PLACES]; PLACES]; 2],
}

impl Search {
    /// To be filled in place: it is too large to be moved about.
    const EMPTY: Self = Self {
        magnitudes: [0; SUBFRAME],
        negative: [0; SUBFRAME],
        powers: [0; SUBFRAME],
        rows: [[0; OTHERS * PLACES]; SUBFRAME],
        cross: [[[0; PLACES]; PLACES]; 2],
    };

    fn prepare(&mut self, response: &[i16; SUBFRAME], correlations: &[i16; SUBFRAME]) {
        let by_track: ByTrack<i16> = each(|i| correlations[position_at(i)]);
        self.magnitudes = mapped(&by_track, |value| if value < 0 { negate(value) } else { value });
        self.negative = mapped(&by_track, |value| value >> 15);
        let power = (2 * energy(response)).min(i64::from(i32::MAX)) as i32;
        let scaled: [i16; SUBFRAME] = if extract_h(power) > 32_000 {
            mapped(response, |sample| sample >> 1)
        } else {
            let shift = norm_l(power) >> 1;
            mapped(response, |sample| shl(sample, shift))
        };
        if 2 * energy(&scaled) < 1 << 31 {
            self.correlate(&scaled, advance);
        } else {
            self.correlate(&scaled, saturating_advance);
        }
        for track in 0..2 {
            for place in 0..PLACES {
                self.cross[track][place] = self.signed(PLACES * track + place, PLACES * (track + 1));
            }
        }
    }

    /// The correlation of positions `m` and `n` is that of `m + 1` and `n + 1` and one product more, so a row
    /// follows from the row after it, all at once; and the track after a position's own stays the track after it.
    fn correlate(
        &mut self,
        response: &[i16; SUBFRAME],
        advance: fn(&mut Row<i32>, i16, &Row<i16>, &mut Row<i16>),
    ) {
        // The response backwards, by track, and once more: behind the last track the first follows.
        let by_track: ByTrack<i16> = each(|i| response[SUBFRAME - 1 - position_at(i)]);
        let mut backwards = [0; (TRACKS + OTHERS) * PLACES];
        backwards[..SUBFRAME].copy_from_slice(&by_track);
        backwards[SUBFRAME..].copy_from_slice(&by_track[..OTHERS * PLACES]);
        let mut sums = [0; OTHERS * PLACES];
        let mut power = 0;
        for (place, rows) in self.rows.as_chunks_mut::<TRACKS>().0.iter_mut().enumerate().rev() {
            for (own, row) in rows.iter_mut().enumerate().rev() {
                // One position before the first track is the last track, one place on.
                if own < OTHERS {
                    let from = (OTHERS - 1 - own) * PLACES;
                    sums.copy_within(from + 1..from + PLACES, from);
                    sums[from + PLACES - 1] = 0;
                }
                let sample = by_track[PLACES * own + place];
                if let Some(others) = backwards[PLACES * own + PLACES..].first_chunk() {
                    advance(&mut sums, sample, others, row);
                }
                power += i64::from(sample) * i64::from(sample);
                self.powers[PLACES * own + place] = (power >> 15).min(i64::from(i16::MAX)) as i16;
            }
        }
    }

    /// Correlations of a position with another track, with the signs that the target gives the pulses.
    #[inline(always)]
    fn signed(&self, index: usize, track: usize) -> [i16; PLACES] {
        let mut signed = [0; PLACES];
        let (position, own) = (position_at(index), index / PLACES);
        let other = (track / PLACES + OTHERS - own) % TRACKS;
        let row = self.rows[position][PLACES * other..].first_chunk();
        if let (Some(row), Some(others)) = (row, self.negative[track..].first_chunk()) {
            give_signs(&mut signed, row, self.negative[index], others);
        }
        signed
    }

    #[inline(always)]
    fn track<'a>(&self, values: &'a ByTrack<i16>, track: usize) -> &'a [i16; PLACES] {
        values[track..].first_chunk().unwrap_or(&[0; PLACES])
    }

    /// Two pulses on the first two tracks (the two best places of the first, all of the second), then two on the
    /// other tracks, all places.
    fn path(&self, tracks: [usize; 4]) -> Candidate {
        let [first, second, outer, inner] = tracks.map(|track| PLACES * track);
        let pair = self.first_pair(first, second);
        let [a, b] = pair.indices;
        let mut inner_terms = [0; PLACES];
        weigh_inner(
            &mut inner_terms,
            &self.signed(a, inner),
            &self.signed(b, inner),
            self.track(&self.powers, inner),
        );
        let mut outer_powers = [0; PLACES];
        let base = (pair.power << 14) + 0x8000;
        weigh_outer(
            &mut outer_powers,
            base,
            &self.signed(a, outer),
            &self.signed(b, outer),
            self.track(&self.powers, outer),
        );

        let sums = mapped(self.track(&self.magnitudes, outer), |magnitude| add(pair.sum, magnitude));
        let mut grid = Grid { squares: [[0; PLACES]; PLACES], powers: [[0; PLACES]; PLACES] };
        fill_squares(&mut grid.squares, &sums, self.track(&self.magnitudes, inner));
        fill_powers::<13, 15>(
            &mut grid.powers,
            &outer_powers,
            self.cross[outer / PLACES].as_flattened(),
            &inner_terms,
        );
        let (square, power, at) = grid.best();
        Candidate { square, power, indices: [a, b, outer + at / PLACES, inner + at % PLACES] }
    }

    /// The best pair on two tracks.
    fn first_pair(&self, first: usize, second: usize) -> Pair {
        let (magnitudes, alone) = (self.track(&self.magnitudes, second), self.track(&self.powers, second));
        let places = two_greatest(self.track(&self.magnitudes, first));
        let mut grid = Grid { squares: [[0; PLACES]; 2], powers: [[0; PLACES]; 2] };
        let indices = places.map(|place| first + place);
        fill_squares(&mut grid.squares, &indices.map(|index| self.magnitudes[index]), magnitudes);
        let powers = indices.map(|index| (i32::from(self.powers[index]) << 14) + 0x8000);
        let cross = indices.map(|index| self.signed(index, second));
        fill_powers::<15, 14>(&mut grid.powers, &powers, cross.as_flattened(), alone);
        let (_, power, at) = grid.best();
        let indices = [first + places[at / PLACES], second + at % PLACES];
        Pair { power, sum: add(self.magnitudes[indices[0]], self.magnitudes[indices[1]]), indices }
    }

    fn innovation(&self, response: &[i16; SUBFRAME], indices: [usize; 4]) -> Innovation {
        let mut code = [0; SUBFRAME];
        let mut filtered = [0; SUBFRAME];
        let mut delayed = [0; 2 * SUBFRAME];
        delayed[SUBFRAME..].copy_from_slice(response);
        let mut signs = 0;
        for (pulse, &index) in indices.iter().enumerate() {
            let position = position_at(index);
            let negative = self.negative[index] != 0;
            code[position] = if negative { -8192 } else { 8191 };
            signs |= u8::from(!negative) << pulse;
            if let Some(delayed) = delayed[SUBFRAME - position..].first_chunk() {
                add_pulse(&mut filtered, delayed, negative);
            }
        }
        let place = indices.map(|index| (index % PLACES) as u16);
        let last_track = (indices[3] / PLACES) as u16 - 3;
        let positions = place[0] | place[1] << 3 | place[2] << 6 | (place[3] << 1 | last_track) << 9;
        Innovation { code, filtered, positions, signs }
    }
}

fn position_at(index: usize) -> usize {
    index % PLACES * TRACKS + index / PLACES
}

/// The standard multiplies by 32767, which takes 1 from what is positive, or by -32768. `sign` is zero or all ones.
#[inline(always)]
fn with_sign(value: i16, sign: i16) -> i16 {
    let kept = value.wrapping_sub(i16::from(value > 0));
    let turned = value.saturating_neg();
    (kept & !sign) | (turned & sign)
}

/// Q15 square of a sum of magnitudes, which is not negative.
#[inline(always)]
fn square(sum: i16) -> i16 {
    ((i32::from(sum) * i32::from(sum)) >> 15) as i16
}

struct Pair {
    power: i32,
    /// Sum of the correlations.
    sum: i16,
    indices: [usize; 2],
}

/// Some places of a track with every place of another.
struct Grid<const N: usize> {
    squares: [[i16; PLACES]; N],
    powers: [[i16; PLACES]; N],
}

impl<const N: usize> Grid<N> {
    /// The greatest quotient of square and power: both, and where. Of equals the first.
    fn best(&self) -> (i32, i32, usize) {
        let mut lanes = Lanes {
            squares: [-1; PLACES],
            powers: [1; PLACES],
            rows: [0; PLACES],
            least_powers: [i16::MAX; PLACES],
        };
        lanes.compete(&self.squares, &self.powers);
        if lanes.least_powers.iter().any(|&power| power <= 0) {
            return self.best_one_by_one();
        }
        let mut best = Rivals {
            squares: lanes.squares,
            powers: lanes.powers,
            at: each(|i| PLACES as i16 * lanes.rows[i] + i as i16),
        };
        best.halve::<4>();
        best.halve::<2>();
        best.halve::<1>();
        (i32::from(best.squares[0]), i32::from(best.powers[0]), usize::from(best.at[0].unsigned_abs()))
    }

    /// The same if powers are not positive, which is not a matter of quotients any more.
    #[cold]
    fn best_one_by_one(&self) -> (i32, i32, usize) {
        let mut best = (-1, 1, 0);
        let all = self.squares.as_flattened().iter().zip(self.powers.as_flattened());
        for (at, (&square, &power)) in all.enumerate() {
            let (square, power) = (i32::from(square), i32::from(power));
            if best.1 * square - best.0 * power > 0 {
                best = (square, power, at);
            }
        }
        best
    }
}

#[inline(never)]
fn add_pulse(filtered: &mut [i16; SUBFRAME], delayed: &[i16; SUBFRAME], negative: bool) {
    if negative {
        for (filtered, &sample) in filtered.iter_mut().zip(delayed) {
            *filtered = sub(*filtered, sample);
        }
    } else {
        for (filtered, &sample) in filtered.iter_mut().zip(delayed) {
            *filtered = add(*filtered, sample);
        }
    }
}

// These are not inlined, or the eight lanes fall apart into scalars.

#[inline(never)]
fn fill_squares(rows: &mut [[i16; PLACES]], sums: &[i16], magnitudes: &[i16; PLACES]) {
    for (row, &sum) in rows.iter_mut().zip(sums) {
        for (square_of, &magnitude) in row.iter_mut().zip(magnitudes) {
            *square_of = square(add(sum, magnitude));
        }
    }
}

#[inline(never)]
fn fill_powers<const CROSS: u32, const TERM: u32>(
    rows: &mut [[i16; PLACES]],
    powers: &[i32],
    cross: &[i16],
    terms: &[i16; PLACES],
) {
    let cross = cross.as_chunks::<PLACES>().0;
    for ((row, &power), cross) in rows.iter_mut().zip(powers).zip(cross) {
        for ((power_of, &cross), &term) in row.iter_mut().zip(cross).zip(terms) {
            *power_of = extract_h(power + (i32::from(cross) << CROSS) + (i32::from(term) << TERM));
        }
    }
}

/// The best of each place of the inner track over the rows so far.
struct Lanes {
    squares: [i16; PLACES],
    powers: [i16; PLACES],
    rows: [i16; PLACES],
    least_powers: [i16; PLACES],
}

impl Lanes {
    #[inline(never)]
    fn compete(&mut self, squares: &[[i16; PLACES]], powers: &[[i16; PLACES]]) {
        for (row, (squares, powers)) in squares.iter().zip(powers).enumerate() {
            let mut wins = [0i16; PLACES];
            for i in 0..PLACES {
                let advantage = i32::from(self.powers[i]) * i32::from(squares[i])
                    - i32::from(self.squares[i]) * i32::from(powers[i]);
                wins[i] = -i16::from(advantage > 0);
            }
            for i in 0..PLACES {
                self.squares[i] = (squares[i] & wins[i]) | (self.squares[i] & !wins[i]);
                self.powers[i] = (powers[i] & wins[i]) | (self.powers[i] & !wins[i]);
                self.least_powers[i] = self.least_powers[i].min(powers[i]);
                self.rows[i] = (row as i16 & wins[i]) | (self.rows[i] & !wins[i]);
            }
        }
    }
}

/// The bests of the lanes, and where they are.
struct Rivals {
    squares: [i16; PLACES],
    powers: [i16; PLACES],
    at: [i16; PLACES],
}

impl Rivals {
    /// Leaves the better one of each of the first `N` lanes and the one that many behind it. Of equals the first.
    #[inline(never)]
    fn halve<const N: usize>(&mut self) {
        let mut wins = [0i16; N];
        for (a, wins) in wins.iter_mut().enumerate() {
            let b = a + N;
            let advantage = i32::from(self.powers[a]) * i32::from(self.squares[b])
                - i32::from(self.squares[a]) * i32::from(self.powers[b]);
            *wins = -i16::from((advantage > 0) | ((advantage == 0) & (self.at[b] < self.at[a])));
        }
        for (a, wins) in wins.into_iter().enumerate() {
            let b = a + N;
            self.squares[a] = (self.squares[b] & wins) | (self.squares[a] & !wins);
            self.powers[a] = (self.powers[b] & wins) | (self.powers[a] & !wins);
            self.at[a] = (self.at[b] & wins) | (self.at[a] & !wins);
        }
    }
}

/// The sums of a position from those of the next, and the upper halves of twice the sums.
#[inline(never)]
fn advance(sums: &mut Row<i32>, factor: i16, others: &Row<i16>, row: &mut Row<i16>) {
    for (sum, &other) in sums.iter_mut().zip(others) {
        *sum = sum.wrapping_add(i32::from(factor) * i32::from(other));
    }
    for (upper, &sum) in row.iter_mut().zip(&*sums) {
        // Twice the sum fits in 32 bits.
        *upper = saturate(sum >> 15);
    }
}

/// The same if the sums may saturate, for which they are doubled.
#[cold]
#[inline(never)]
fn saturating_advance(sums: &mut Row<i32>, factor: i16, others: &Row<i16>, row: &mut Row<i16>) {
    for ((sum, &other), upper) in sums.iter_mut().zip(others).zip(row) {
        *sum = l_mac(*sum, factor, other);
        *upper = extract_h(*sum);
    }
}

#[inline(never)]
fn give_signs(signed: &mut [i16; PLACES], row: &[i16; PLACES], own: i16, others: &[i16; PLACES]) {
    for ((signed, &value), &other) in signed.iter_mut().zip(row).zip(others) {
        *signed = with_sign(value, own ^ other);
    }
}

/// What a pulse on the inner track adds to the power of the first two.
#[inline(never)]
fn weigh_inner(terms: &mut [i16; PLACES], a: &[i16; PLACES], b: &[i16; PLACES], alone: &[i16; PLACES]) {
    for (((term, &a), &b), &alone) in terms.iter_mut().zip(a).zip(b).zip(alone) {
        *term = extract_h(((i32::from(a) + i32::from(b)) << 14) + (i32::from(alone) << 13) + 0x8000);
    }
}

/// The power of the first two with a pulse on the outer track.
#[inline(never)]
fn weigh_outer(
    powers: &mut [i32; PLACES],
    base: i32,
    a: &[i16; PLACES],
    b: &[i16; PLACES],
    alone: &[i16; PLACES],
) {
    for (((power, &a), &b), &alone) in powers.iter_mut().zip(a).zip(b).zip(alone) {
        *power = base + ((i32::from(a) + i32::from(b)) << 13) + (i32::from(alone) << 12);
    }
}

/// Places of the greatest magnitude and the next; of equals the first. No branch hangs on what they are.
fn two_greatest(magnitudes: &[i16; PLACES]) -> [usize; 2] {
    let (mut first, mut second) = (-1, -1);
    for (place, &magnitude) in magnitudes.iter().enumerate() {
        let key = i32::from(magnitude) << 3 | (PLACES - 1 - place) as i32;
        second = second.max(key.min(first));
        first = first.max(key);
    }
    [first, second].map(|key| PLACES - 1 - (key & 7) as usize)
}
