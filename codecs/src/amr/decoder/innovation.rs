//! The algebraic codebooks: a subframe's pulses from its indices (3GPP TS 26.090 §5.7, §6.1).
#![expect(clippy::indexing_slicing, reason = "places are bounded by the masks; those of 10.2 are checked")]

use crate::amr::tables::{FROM_GRAY, TRACK_STARTS};
use crate::amr::{Mode, SUBFRAME};

/// The innovation: Q13, in mode 12.2 Q12.
pub(super) type Innovation = [i16; SUBFRAME];

/// Takes the innovation's parameters of a subframe (0 to 3) from `next`.
pub(super) fn decode(mode: Mode, subframe: usize, mut next: impl FnMut() -> i16) -> Innovation {
    match mode {
        Mode::Mr1220 => ten_pulses(core::array::from_fn(|_| next() as u16)),
        Mode::Mr1020 => eight_pulses(core::array::from_fn(|_| next() as u16)),
        _ => {
            let (index, signs) = (next() as u16, next() as u16);
            match mode {
                Mode::Mr475 | Mode::Mr515 => pulses(two_of_nine_bits(index, subframe), signs),
                Mode::Mr590 => pulses(two_of_eleven_bits(index), signs),
                Mode::Mr670 => pulses(three(index), signs),
                _ => pulses(four(index), signs),
            }
        }
    }
}

/// A pulse at each place, its sign from the lowest bits of `signs`.
fn pulses<const N: usize>(places: [u16; N], signs: u16) -> Innovation {
    let mut innovation = [0; SUBFRAME];
    for (pulse, place) in places.into_iter().enumerate() {
        innovation[usize::from(place)] = if signs >> pulse & 1 == 1 { 8191 } else { -8192 };
    }
    innovation
}

fn two_of_nine_bits(index: u16, subframe: usize) -> [u16; 2] {
    let [first, second] = TRACK_STARTS[usize::from(index >> 6 & 1)][subframe & 3].map(u16::from);
    [5 * (index & 7) + first, 5 * (index >> 3 & 7) + second]
}

fn two_of_eleven_bits(index: u16) -> [u16; 2] {
    let track = match index >> 4 & 3 {
        3 => 4,
        track => track,
    };
    [5 * (index >> 1 & 7) + 2 * (index & 1) + 1, 5 * (index >> 6 & 7) + track]
}

fn three(index: u16) -> [u16; 3] {
    [
        5 * (index & 7),
        5 * (index >> 4 & 7) + 2 * (index >> 3 & 1) + 1,
        5 * (index >> 8 & 7) + 2 * (index >> 7 & 1) + 2,
    ]
}

fn four(index: u16) -> [u16; 4] {
    let place = |shift: u16| 5 * from_gray(index >> shift);
    [place(0), place(3) + 1, place(6) + 2, place(10) + 3 + (index >> 9 & 1)]
}

/// 12.2: two pulses in each of five tracks; the second's sign is told by the order of the two.
fn ten_pulses(indices: [u16; 10]) -> Innovation {
    let mut innovation = [0; SUBFRAME];
    for track in 0..5 {
        let place = |index: u16| usize::from(5 * from_gray(index)) + track;
        let (first, second) = (place(indices[track]), place(indices[track + 5]));
        let amplitude = if indices[track] >> 3 & 1 == 0 { 4096 } else { -4096 };
        add_two(&mut innovation, first, second, amplitude);
    }
    innovation
}

/// 10.2: two pulses in each of four tracks; four signs, then three indices with the places of eight pulses.
fn eight_pulses(indices: [u16; 7]) -> Innovation {
    let [.., first, second, third] = indices;
    let [p0, p4, p1] = three_places(first);
    let [p2, p6, p5] = three_places(second);
    let [p3, p7] = two_places(third);
    let mut innovation = [0; SUBFRAME];
    for (track, (first, second)) in [(p0, p4), (p1, p5), (p2, p6), (p3, p7)].into_iter().enumerate() {
        let place = |index: u16| usize::from(4 * index) + track;
        let amplitude = if indices[track] == 0 { 8191 } else { -8191 };
        add_two(&mut innovation, place(first), place(second), amplitude);
    }
    innovation
}

/// Two pulses of a track: the second has the other sign if it lies before the first.
fn add_two(innovation: &mut Innovation, first: usize, second: usize, amplitude: i16) {
    if let Some(sample) = innovation.get_mut(first) {
        *sample = amplitude;
    }
    if let Some(sample) = innovation.get_mut(second) {
        *sample += if second < first { -amplitude } else { amplitude };
    }
}

/// Three places of 0..10 from ten bits: their halves as digits to the base of five, then their lowest bits.
fn three_places(index: u16) -> [u16; 3] {
    let (halves, lowest) = ((index >> 3).min(124), index & 7);
    let (tens, rest) = (halves / 25, halves % 25);
    [2 * (rest % 5) + (lowest & 1), 2 * (rest / 5) + (lowest >> 1 & 1), 2 * tens + (lowest >> 2)]
}

/// Two places of 0..10 from seven bits; every second row of the 5x5 grid of halves runs backwards.
fn two_places(index: u16) -> [u16; 2] {
    let (cell, lowest) = (((index >> 2) * 25 + 12) >> 5, index & 3);
    let (row, column) = (cell / 5, cell % 5);
    let column = if row & 1 == 1 { 4 - column } else { column };
    [2 * column + (lowest & 1), 2 * row + (lowest >> 1)]
}

fn from_gray(bits: u16) -> u16 {
    u16::from(FROM_GRAY[usize::from(bits & 7)])
}
