//! Two, three or four pulses, each on its own track of eight positions: modes 4.75 to 7.95 (3GPP TS 26.090 §5.7.2).
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by tracks and slots")]

use super::super::super::SUBFRAME;
use super::super::super::tables::TRACK_STARTS;
use super::super::operators::part;
use super::correlation::{Energies, Limit, Match, Signs, match_target, take_signs, weakest};
use super::layout::Layout;
use super::{Parameters, Request, respond};
use crate::fixed::{l_msu, l_mult};

/// Five tracks of eight positions.
type Tracks = Layout<5>;

/// Code vector and response.
type Found = ([i16; SUBFRAME], [i16; SUBFRAME]);

/// Modes 4.75 and 5.15: two pulses on tracks that depend on the subframe.
pub(super) fn two_pulses_9_bits(
    request: &Request<'_>,
    impulse: &[i16; SUBFRAME],
    energies: &mut Energies,
    parameters: &mut Parameters,
) -> Found {
    let search = Search::new(request, impulse, energies, 0);
    let sets = TRACK_STARTS.map(|subframes| subframes[request.subframe].map(usize::from));
    let mut best = Best::new();
    for tracks in sets {
        search.extend_each(tracks, &mut best, i16::wrapping_add);
    }
    let pulses = search.pulses(&best);
    // One bit says which of the two sets of tracks it is.
    let in_second_set = FIRST_TRACK_SET[request.subframe][pulses[0].0 % 5];
    let index = pulses[0].0 / 5 + 64 * usize::from(in_second_set) + 8 * (pulses[1].0 / 5);
    let signs = pulses.iter().enumerate().map(|(track, pulse)| i16::from(pulse.1 > 0) << track).sum();
    parameters.extend([index as i16, signs]);
    finish(impulse, &pulses)
}

/// Whether a first pulse on this track means the second set of tracks, by subframe.
const FIRST_TRACK_SET: [[bool; 5]; 4] = [
    [false, true, false, true, true],
    [false, true, true, false, true],
    [false, true, false, true, true],
    [false, true, true, false, true],
];

/// Mode 5.90: two pulses on two of two and four tracks.
pub(super) fn two_pulses_11_bits(
    request: &Request<'_>,
    impulse: &[i16; SUBFRAME],
    energies: &mut Energies,
    parameters: &mut Parameters,
) -> Found {
    let search = Search::new(request, impulse, energies, 0);
    let mut best = Best::new();
    for first in [1, 3] {
        for second in [0, 1, 2, 4] {
            search.extend_each([first, second], &mut best, i16::saturating_add);
        }
    }
    let pulses = search.pulses(&best);
    let (mut index, mut signs) = (0, 0);
    for (number, (position, sign)) in pulses.iter().enumerate() {
        let place = position / 5;
        let (part, bit) = match (position % 5, number) {
            (0, _) => (place << 6, 1),
            (1, 0) => (place << 1, 0),
            (1, _) => ((place << 6) + 16, 1),
            (2, _) => ((place << 6) + 32, 1),
            (3, _) => ((place << 1) + 1, 0),
            _ => ((place << 6) + 48, 1),
        };
        index += part as i16;
        signs += i16::from(*sign > 0) << bit;
    }
    parameters.extend([index, signs]);
    finish(impulse, &pulses)
}

/// Mode 6.70: three pulses, the second and third on one of two tracks each.
pub(super) fn three_pulses(
    request: &Request<'_>,
    impulse: &[i16; SUBFRAME],
    energies: &mut Energies,
    parameters: &mut Parameters,
) -> Found {
    let search = Search::new(request, impulse, energies, 2);
    let mut best = Best::new();
    for second in [1, 3] {
        for third in [2, 4] {
            let mut tracks = [0, second, third];
            for _ in 0..3 {
                search.extend_each(tracks, &mut best, i16::wrapping_add);
                tracks.rotate_right(1);
            }
        }
    }
    let pulses = search.pulses(&best);
    let (mut index, mut signs) = (0, 0);
    for (position, sign) in pulses {
        let place = position / 5;
        let (part, bit) = match position % 5 {
            0 => (place, 0),
            1 => (place << 4, 1),
            2 => (place << 8, 2),
            3 => ((place << 4) + 8, 1),
            _ => ((place << 8) + 128, 2),
        };
        index += part as i16;
        signs += i16::from(sign > 0) << bit;
    }
    parameters.extend([index, signs]);
    finish(impulse, &pulses)
}

/// Modes 7.40 and 7.95: four pulses, the fourth on one of two tracks.
pub(super) fn four_pulses(
    request: &Request<'_>,
    impulse: &[i16; SUBFRAME],
    energies: &mut Energies,
    parameters: &mut Parameters,
) -> Found {
    let search = Search::new(request, impulse, energies, 4);
    let mut best = Best::new();
    for fourth in [3, 4] {
        let mut tracks = [0, 1, 2, fourth];
        for _ in 0..4 {
            search.extend_each(tracks, &mut best, i16::wrapping_add);
            tracks.rotate_right(1);
        }
    }
    let pulses = search.pulses(&best);
    let (mut index, mut signs) = (0, 0);
    for (position, sign) in pulses {
        let place = i16::from(TO_GRAY[position / 5]);
        let (part, bit) = match position % 5 {
            0 => (place, 0),
            1 => (place << 3, 1),
            2 => (place << 6, 2),
            3 => (place << 10, 3),
            _ => ((place << 10) + 512, 3),
        };
        index += part;
        signs += i16::from(sign > 0) << bit;
    }
    parameters.extend([index, signs]);
    finish(impulse, &pulses)
}

/// Gray code of a place in its track.
pub(super) const TO_GRAY: [u8; 8] = [0, 1, 3, 2, 6, 4, 5, 7];

/// Pulses found so far, and how well they match: correlation squared over energy.
struct Best<const PULSES: usize> {
    slots: [usize; PULSES],
    square: i16,
    energy: i16,
}

impl<const PULSES: usize> Best<PULSES> {
    /// Anything is better.
    fn new() -> Self {
        let mut slots = [0; PULSES];
        for (slot, position) in slots.iter_mut().zip(Tracks::SLOTS) {
            *slot = usize::from(position);
        }
        Self { slots, square: -1, energy: 1 }
    }
}

/// What one more pulse makes of those before it.
#[derive(Clone, Copy)]
struct Step {
    slot: usize,
    sum: i16,
    square: i16,
    energy: i16,
}

/// What the search knows, by slots.
struct Search<'a> {
    matches: Match,
    energies: &'a Energies,
    negative: Signs,
    left_out: [bool; SUBFRAME],
}

impl<'a> Search<'a> {
    /// `left_out` is how many positions of each track the search does not start from.
    fn new(
        request: &Request<'_>,
        impulse: &[i16; SUBFRAME],
        energies: &'a mut Energies,
        left_out: usize,
    ) -> Self {
        let mut matches = match_target::<5>(impulse, request.target, 1, Limit::Wraps);
        let negative = take_signs(&mut matches);
        energies.fill::<5>(impulse, &negative);
        let left_out = weakest(&matches, left_out);
        Self { matches: Tracks::arrange(&matches), energies, negative, left_out }
    }

    /// Starts from each position of the first track and adds the best of each of the others in turn.
    #[inline(always)]
    fn extend_each<const PULSES: usize>(
        &self,
        tracks: [usize; PULSES],
        best: &mut Best<PULSES>,
        add: impl Fn(i16, i16) -> i16 + Copy,
    ) {
        for place in 0..Tracks::LENGTH {
            let first = tracks[0] * Tracks::LENGTH + place;
            if self.left_out[Tracks::position(first)] {
                continue;
            }
            let mut slots = [first; PULSES];
            let mut energy = i32::from(self.energies.own[first]) << 14;
            let mut step = Step { slot: first, sum: self.matches[first], square: -1, energy: 1 };
            for number in 1..PULSES {
                let before = &slots[..number];
                step = if number == 1 {
                    self.best_of_track::<15>(tracks[number], before, step.sum, energy, add)
                } else {
                    self.best_of_track::<13>(tracks[number], before, step.sum, energy, add)
                };
                slots[number] = step.slot;
                // An energy of two pulses is kept with two bits less than one of three or four.
                energy = i32::from(step.energy).wrapping_shl(if number == 1 { 14 } else { 16 });
            }
            let better = if PULSES == 3 {
                l_msu(l_mult(best.energy, step.square), best.square, step.energy) > 0
            } else {
                exceeds(step.square, best.energy, best.square, step.energy)
            };
            if better {
                *best = Best { slots, square: step.square, energy: step.energy };
            }
        }
    }

    /// The position of a track that goes best with the pulses before it. A pulse's own energy weighs half as much as
    /// `CROSS` bits.
    #[inline(always)]
    fn best_of_track<const CROSS: u32>(
        &self,
        track: usize,
        before: &[usize],
        sum: i16,
        energy: i32,
        add: impl Fn(i16, i16) -> i16,
    ) -> Step {
        let start = track * Tracks::LENGTH;
        let matches = part::<8>(&self.matches, start);
        let own = part::<8>(&self.energies.own, start);
        let mut totals = [energy; 8];
        for (total, own) in totals.iter_mut().zip(own) {
            *total = total.wrapping_add(i32::from(*own) << (CROSS - 1));
        }
        for other in before {
            for (total, common) in totals.iter_mut().zip(part::<8>(&self.energies.common[*other], start)) {
                *total = total.wrapping_add(i32::from(*common) << CROSS);
            }
        }
        let sums = matches.map(|value| add(sum, value));
        let squares = sums.map(|sum| ((i32::from(sum) * i32::from(sum)) >> 15) as i16);
        let energies = totals.map(|total| (total.wrapping_add(0x8000) >> 16) as i16);
        let mut best = Step { slot: start, sum: 0, square: -1, energy: 1 };
        for place in 0..Tracks::LENGTH {
            if exceeds(squares[place], best.energy, best.square, energies[place]) {
                best = Step {
                    slot: start + place,
                    sum: sums[place],
                    square: squares[place],
                    energy: energies[place],
                };
            }
        }
        best
    }

    /// Positions and signs (Q15) of the best pulses.
    fn pulses<const PULSES: usize>(&self, best: &Best<PULSES>) -> [(usize, i16); PULSES] {
        best.slots.map(|slot| {
            let position = Tracks::position(slot);
            (position, if self.negative[position] { i16::MIN } else { i16::MAX })
        })
    }
}

/// Whether `square / energy` is more than `least / than`, the products wrapping as the reference's.
#[inline(always)]
fn exceeds(square: i16, than: i16, least: i16, energy: i16) -> bool {
    let left = (i32::from(than) * i32::from(square)).wrapping_shl(1);
    let right = (i32::from(least) * i32::from(energy)).wrapping_shl(1);
    left.wrapping_sub(right) > 0
}

/// Code vector (Q13) and response.
fn finish<const PULSES: usize>(impulse: &[i16; SUBFRAME], pulses: &[(usize, i16); PULSES]) -> Found {
    let mut code = [0; SUBFRAME];
    for (position, sign) in pulses {
        code[*position] = if *sign > 0 { 8191 } else { -8192 };
    }
    (code, respond(impulse, pulses))
}
