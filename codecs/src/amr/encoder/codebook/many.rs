//! Two pulses on each track: eight in mode 10.2, ten in mode 12.2 (3GPP TS 26.090 §5.7.2). One pulse stays at the best
//! position of all; the others are found in pairs, several times with the tracks in another order.
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by tracks and slots")]

use super::super::super::SUBFRAME;
use super::super::operators::part;
use super::correlation::{Energies, Limit, Match, Signs, match_target, take_signs_by_residual};
use super::few::TO_GRAY;
use super::layout::Layout;
use super::{Parameters, Request, respond};

/// Code vector and response.
type Found = ([i16; SUBFRAME], [i16; SUBFRAME]);

/// Mode 10.2: eight pulses on four tracks of ten positions.
pub(super) fn eight_pulses(
    request: &Request<'_>,
    impulse: &[i16; SUBFRAME],
    energies: &mut Energies,
    parameters: &mut Parameters,
) -> Found {
    let search = Search::<4>::new(request, impulse, energies, Limit::Saturates);
    let pulses: [(usize, bool); 8] = search.run::<8, 10>();
    let mut code = [0i16; SUBFRAME];
    // Place and sign of each track's first pulse, and place of its second. With equal signs the places rise.
    let mut tracks: [Option<(i16, bool, i16)>; 4] = [None; 4];
    for (position, negative) in pulses {
        code[position] =
            if negative { code[position].wrapping_sub(8191) } else { code[position].wrapping_add(8191) };
        let (place, track) = (position as i16 / 4, position % 4);
        tracks[track] = Some(match tracks[track] {
            None => (place, negative, 0),
            Some((other, sign, _)) if (sign == negative) == (other <= place) => (other, sign, place),
            Some((other, ..)) => (place, negative, other),
        });
    }
    let tracks = tracks.map(Option::unwrap_or_default);
    parameters.extend(tracks.map(|(_, negative, _)| i16::from(negative)));
    let [(first0, _, second0), (first1, _, second1), (first2, _, second2), (first3, _, second3)] = tracks;
    parameters.extend([
        three_in_ten_bits(first0, second0, first1),
        three_in_ten_bits(first2, second2, second1),
        two_in_seven_bits(first3, second3),
    ]);
    (
        code,
        respond(
            impulse,
            &pulses.map(|(position, negative)| (position, if negative { i16::MIN } else { i16::MAX })),
        ),
    )
}

/// Three places of ten: their halves to the base of five, then their lowest bits.
fn three_in_ten_bits(a: i16, b: i16, c: i16) -> i16 {
    (((a >> 1) + (b >> 1) * 5 + (c >> 1) * 25) << 3) + (a & 1) + ((b & 1) << 1) + ((c & 1) << 2)
}

/// Two places of ten: their halves along a winding path of 25 steps spread over 32, then their lowest bits.
fn two_in_seven_bits(a: i16, b: i16) -> i16 {
    let (half_a, half_b) = (a >> 1, b >> 1);
    let along = if half_b & 1 == 1 { 4 - half_a } else { half_a };
    // 1311 is 1/25 in Q15.
    let step = ((i32::from(((half_b * 5 + along) << 5) + 12) * 1311) >> 15) as i16;
    (step << 2) + (a & 1) + ((b & 1) << 1)
}

/// Mode 12.2: ten pulses on five tracks of eight positions.
pub(super) fn ten_pulses(
    request: &Request<'_>,
    impulse: &[i16; SUBFRAME],
    energies: &mut Energies,
    parameters: &mut Parameters,
) -> Found {
    let search = Search::<5>::new(request, impulse, energies, Limit::Wraps);
    let pulses: [(usize, bool); 10] = search.run::<10, 8>();
    let mut code = [0i16; SUBFRAME];
    // Place and sign (bit 3) of each track's first pulse, and of its second. With equal signs the places rise.
    let mut tracks: [Option<(i16, i16)>; 5] = [None; 5];
    for (position, negative) in pulses {
        code[position] =
            if negative { code[position].wrapping_sub(4096) } else { code[position].wrapping_add(4096) };
        let (index, track) = ((position / 5) as i16 + if negative { 8 } else { 0 }, position % 5);
        tracks[track] = Some(match tracks[track] {
            None => (index, 0),
            Some((other, _)) if (index ^ other) & 8 == 0 => (other.min(index), other.max(index)),
            Some((other, _)) if other & 7 <= index & 7 => (index, other),
            Some((other, _)) => (other, index),
        });
    }
    let tracks = tracks.map(Option::unwrap_or_default);
    let gray = |index: i16| i16::from(TO_GRAY[(index & 7) as usize]);
    parameters.extend(tracks.map(|(first, _)| first & 8 | gray(first)));
    parameters.extend(tracks.map(|(_, second)| gray(second)));

    let mut padded = [0i16; 2 * SUBFRAME];
    padded[SUBFRAME..].copy_from_slice(impulse);
    let mut sums = [0i32; SUBFRAME];
    for (position, negative) in pulses {
        for (sum, h) in sums.iter_mut().zip(&padded[SUBFRAME - position..]) {
            *sum += if negative { -i32::from(*h) } else { i32::from(*h) };
        }
    }
    (code, sums.map(|sum| ((sum * 64 + 0x80) >> 8) as i16))
}

/// What the search knows, by slots.
struct Search<'a, const TRACKS: usize> {
    matches: Match,
    energies: &'a Energies,
    negative: Signs,
    /// The best slot of each track, and the track with the best of all.
    best: [usize; TRACKS],
    first: usize,
}

/// Two pulses' gain on what they match and what energy they cost.
#[derive(Clone, Copy)]
struct Pair {
    slots: [usize; 2],
    sum: i16,
    square: i16,
    energy: i16,
}

impl<'a, const TRACKS: usize> Search<'a, TRACKS> {
    fn new(
        request: &Request<'_>,
        impulse: &[i16; SUBFRAME],
        energies: &'a mut Energies,
        limit: Limit,
    ) -> Self {
        let mut matches = match_target::<TRACKS>(impulse, request.target, 2, limit);
        let (negative, best, first) = take_signs_by_residual::<TRACKS>(&mut matches, request.residual);
        energies.fill::<TRACKS>(impulse, &negative);
        Self {
            matches: Layout::<TRACKS>::arrange(&matches),
            energies,
            negative,
            best: best.map(|position| usize::from(Layout::<TRACKS>::SLOTS[position])),
            first,
        }
    }

    /// Positions of the best pulses, and whether they are negative. There are `LENGTH` positions on a track.
    fn run<const PULSES: usize, const LENGTH: usize>(&self) -> [(usize, bool); PULSES] {
        let mut tracks = [0; PULSES];
        for (i, track) in tracks.iter_mut().enumerate() {
            *track = (self.first + i) % TRACKS;
        }
        let mut found = [0; PULSES];
        for (slot, position) in found.iter_mut().zip(Layout::<TRACKS>::SLOTS) {
            *slot = usize::from(position);
        }
        let (mut best_square, mut best_energy) = (-1i16, 1i16);
        for _ in 1..TRACKS {
            let mut slots = [0; PULSES];
            slots[0] = self.best[tracks[0]];
            slots[1] = self.best[tracks[1]];
            let mut pair = self.second_pair::<LENGTH>([slots[0], slots[1]], tracks[2], tracks[3]);
            (slots[2], slots[3]) = (pair.slots[0], pair.slots[1]);
            for number in 2..PULSES / 2 {
                let before = &slots[..2 * number];
                let (one, two) = (tracks[2 * number], tracks[2 * number + 1]);
                pair = match number {
                    2 => self.next_pair::<LENGTH, 12, 2, 14>(before, &pair, one, two),
                    3 => self.next_pair::<LENGTH, 11, 3, 14>(before, &pair, one, two),
                    _ => self.next_pair::<LENGTH, 10, 3, 13>(before, &pair, one, two),
                };
                (slots[2 * number], slots[2 * number + 1]) = (pair.slots[0], pair.slots[1]);
            }
            if i32::from(best_energy) * i32::from(pair.square)
                > i32::from(best_square) * i32::from(pair.energy)
            {
                (best_square, best_energy) = (pair.square, pair.energy);
                found = slots;
            }
            tracks[1..].rotate_left(1);
        }
        found.map(|slot| {
            let position = Layout::<TRACKS>::position(slot);
            (position, self.negative[position])
        })
    }

    /// The second pair on these tracks, after the first.
    fn second_pair<const LENGTH: usize>(&self, first: [usize; 2], one: usize, two: usize) -> Pair {
        let [a, b] = first;
        let sum = self.matches[a].wrapping_add(self.matches[b]);
        let common = |a: usize, b: usize| i32::from(self.energies.common[a][b]);
        let own = |slot: usize| i32::from(self.energies.own[slot]);
        // Of 16-bit numbers a few, so that nothing here leaves 32 bits.
        let energy = ((own(a) << 12) + (own(b) << 12) + (common(a, b) << 13) + 0x8000) >> 12;

        let (one, two) = (one * LENGTH, two * LENGTH);
        let mut second = Second { sums: [0; LENGTH], energies: [0; LENGTH] };
        let mut with_one = [0; LENGTH];
        for (place, with_one) in with_one.iter_mut().enumerate() {
            let (slot, slot_one) = (two + place, one + place);
            second.sums[place] = sum.wrapping_add(self.matches[slot]);
            second.energies[place] = ((own(slot) >> 1) + common(a, slot) + common(b, slot) + 2) >> 2;
            *with_one = ((energy + own(slot_one)) >> 1) + common(a, slot_one) + common(b, slot_one);
        }
        self.best_pair::<LENGTH, 0>(one, two, &with_one, &second)
    }

    /// The next pair. Common energies count with `CROSS` bits; those of the second track's pulses are rounded by `ROUND`
    /// bits and count with `SECOND`.
    fn next_pair<const LENGTH: usize, const CROSS: u32, const ROUND: u32, const SECOND: u32>(
        &self,
        before: &[usize],
        last: &Pair,
        one: usize,
        two: usize,
    ) -> Pair {
        let (one, two) = (one * LENGTH, two * LENGTH);
        let mut second = Second { sums: [0; LENGTH], energies: [0; LENGTH] };
        let mut with_one = [(i32::from(last.energy) << 15) + 0x8000; LENGTH];
        let matches = part::<LENGTH>(&self.matches, two);
        let (own_one, own_two) =
            (part::<LENGTH>(&self.energies.own, one), part::<LENGTH>(&self.energies.own, two));
        for place in 0..LENGTH {
            second.sums[place] = last.sum.wrapping_add(matches[place]);
            second.energies[place] = i32::from(own_two[place] >> 1);
            with_one[place] = with_one[place].wrapping_add(i32::from(own_one[place]) << (CROSS - 1));
        }
        for other in before {
            let row = &self.energies.common[*other];
            let (row_one, row_two) = (part::<LENGTH>(row, one), part::<LENGTH>(row, two));
            for place in 0..LENGTH {
                second.energies[place] += i32::from(row_two[place]);
                with_one[place] = with_one[place].wrapping_add(i32::from(row_one[place]) << CROSS);
            }
        }
        for energy in &mut second.energies {
            *energy = i32::from(((*energy + (1 << (ROUND - 1))) >> ROUND) as i16) << SECOND;
        }
        self.best_pair::<LENGTH, CROSS>(one, two, &with_one, &second)
    }

    /// The pair with the greatest square over energy, of equals the first. `with_one` is what a position of the first
    /// track costs.
    fn best_pair<const LENGTH: usize, const CROSS: u32>(
        &self,
        one: usize,
        two: usize,
        with_one: &[i32; LENGTH],
        second: &Second<LENGTH>,
    ) -> Pair {
        let mut best = Pair { slots: [one, two], sum: 0, square: -1, energy: 1 };
        let mut row = Row { sums: [0; LENGTH], squares: [0; LENGTH], energies: [0; LENGTH] };
        for (place_one, energy) in with_one.iter().enumerate() {
            let slot = one + place_one;
            let common = part(&self.energies.common[slot], two);
            // Most rows have nothing better.
            if !row.fill::<CROSS>(second, common, self.matches[slot], *energy, best.square, best.energy) {
                continue;
            }
            for place in 0..LENGTH {
                let (square, energy) = (row.squares[place], row.energies[place]);
                if i32::from(square) * i32::from(best.energy) > i32::from(best.square) * i32::from(energy) {
                    best = Pair { slots: [slot, two + place], sum: row.sums[place], square, energy };
                }
            }
        }
        best
    }
}

/// What the pulses so far make of each position of a pair's second track.
struct Second<const LENGTH: usize> {
    sums: [i16; LENGTH],
    energies: [i32; LENGTH],
}

/// What a position of a pair's first track makes of each of the second.
struct Row<const LENGTH: usize> {
    sums: [i16; LENGTH],
    squares: [i16; LENGTH],
    energies: [i16; LENGTH],
}

impl<const LENGTH: usize> Row<LENGTH> {
    /// Works out a row; whether it has something better than these. `CROSS` 0 is the second pair, which has a precision
    /// of its own.
    ///
    /// Never inlined, so that all products stay those of 16-bit numbers (see `operators::dot_block`).
    #[inline(never)]
    fn fill<const CROSS: u32>(
        &mut self,
        second: &Second<LENGTH>,
        common: &[i16; LENGTH],
        sum: i16,
        energy: i32,
        best_square: i16,
        best_energy: i16,
    ) -> bool {
        let mut better = false;
        for place in 0..LENGTH {
            let sum = second.sums[place].wrapping_add(sum);
            let product = i32::from(sum) * i32::from(sum);
            let square = (product >> 15) as i16;
            let common = i32::from(common[place]);
            let energy = if CROSS == 0 {
                ((((energy + common) >> 2) + second.energies[place]) >> 1) as i16
            } else {
                (energy.wrapping_add(common << CROSS).wrapping_add(second.energies[place]) >> 16) as i16
            };
            self.sums[place] = sum;
            self.squares[place] = square;
            self.energies[place] = energy;
            better |= i32::from(square) * i32::from(best_energy) > i32::from(best_square) * i32::from(energy);
        }
        better
    }
}
