//! Quantisation of the line spectral frequencies (3GPP TS 26.090 §5.2.5): what a moving-average predictor leaves is
//! split into parts, and each part looked up in its own table.
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the filter order")]

use super::super::lsp::{Lsf, Lsp, lsf_to_lsp, lsp_to_lsf, spread};
use super::super::tables::lsf as tables;
use super::super::{Mode, ORDER};

/// The quantiser's memory: the last quantised residual.
#[derive(Clone, Debug)]
pub(super) struct Quantizer {
    residual: Lsf,
}

impl Quantizer {
    pub(super) const fn new() -> Self {
        Self { residual: [0; ORDER] }
    }

    /// Three parts of one set of pairs (all modes but 12.2): the quantised pairs and the three indices.
    pub(super) fn split_in_three(&mut self, mode: Mode, lsp: &Lsp) -> (Lsp, [i16; 3]) {
        let mut predicted = tables::SPLIT3_MEAN;
        for ((line, residual), factor) in
            predicted.iter_mut().zip(self.residual).zip(tables::SPLIT3_PREDICTION)
        {
            *line = line.wrapping_add(scale(residual, factor));
        }
        self.three_parts(Tables::of(mode), &lsp_to_lsf(lsp), &predicted)
    }

    /// The silence descriptor's pairs: without prediction, from the best of eight starts. Returns the number of the
    /// start and the three indices.
    pub(super) fn silence(&mut self, lsp: &Lsp) -> (i16, [i16; 3]) {
        let lsf = &lsp_to_lsf(lsp);
        let mut best = (i32::MAX, 0, [0; ORDER]);
        for (number, start) in tables::SPLIT3_START.iter().enumerate() {
            let mut predicted = [0; ORDER];
            let mut error = 0i32;
            for i in 0..ORDER {
                predicted[i] = tables::SPLIT3_MEAN[i].wrapping_add(start[i]);
                let rest = i32::from(lsf[i].wrapping_sub(predicted[i]));
                error = error.wrapping_add((rest * rest).wrapping_shl(1));
            }
            if error < best.0 {
                best = (error, number as i16, predicted);
            }
        }
        let (_, indices) = self.three_parts(Tables::SILENCE, lsf, &best.2);
        (best.1, indices)
    }

    fn three_parts(&mut self, tables: Tables, lsf: &Lsf, predicted: &Lsf) -> (Lsp, [i16; 3]) {
        let weights = weights(lsf);
        let mut rest = difference(lsf, predicted);
        let indices = [
            nearest(tables.low, 1, &mut rest, &weights, 0),
            nearest(tables.middle, tables.middle_step, &mut rest, &weights, 3),
            nearest(tables.high, 1, &mut rest, &weights, 6),
        ];
        self.residual = rest;
        (finish(&rest, predicted), indices)
    }

    /// Five parts, each of two neighbouring lines of two sets of pairs (mode 12.2): the quantised pairs of the second
    /// and the fourth subframe, and the five indices.
    pub(super) fn split_in_five(&mut self, middle: &Lsp, new: &Lsp) -> ([Lsp; 2], [i16; 5]) {
        let lsf = [lsp_to_lsf(middle), lsp_to_lsf(new)];
        let weights = [weights(&lsf[0]), weights(&lsf[1])];
        let mut predicted = tables::SPLIT5_MEAN;
        for (line, residual) in predicted.iter_mut().zip(self.residual) {
            *line = line.wrapping_add(scale(residual, SPLIT5_PREDICTION));
        }
        let rest = [difference(&lsf[0], &predicted), difference(&lsf[1], &predicted)];

        let mut quantized = [[0; ORDER]; 2];
        let mut indices = [0; 5];
        let parts: [&[[i16; 4]]; 5] =
            [&tables::SPLIT5_1, &tables::SPLIT5_2, &tables::SPLIT5_3, &tables::SPLIT5_4, &tables::SPLIT5_5];
        for (number, table) in parts.into_iter().enumerate() {
            let at = 2 * number;
            let (rest, weights) = (two_of_each(&rest, at), two_of_each(&weights, at));
            let (index, [a, b, c, d]) = if number == 2 {
                nearest_signed(table, &rest, &weights)
            } else {
                nearest_of_two(table, &rest, &weights)
            };
            indices[number] = index;
            quantized[0][at..at + 2].copy_from_slice(&[a, b]);
            quantized[1][at..at + 2].copy_from_slice(&[c, d]);
        }
        self.residual = quantized[1];
        (quantized.map(|rest| finish(&rest, &predicted)), indices)
    }
}

/// The tables of the three parts.
struct Tables {
    low: &'static [[i16; 3]],
    middle: &'static [[i16; 3]],
    /// Take every entry of `middle`, or every other one.
    middle_step: usize,
    high: &'static [[i16; 4]],
}

impl Tables {
    const SILENCE: Self = Self {
        low: &tables::SPLIT3_LOW,
        middle: &tables::SPLIT3_MIDDLE,
        middle_step: 1,
        high: &tables::SPLIT3_HIGH,
    };

    const fn of(mode: Mode) -> Self {
        match mode {
            Mode::Mr475 | Mode::Mr515 => {
                Self { middle_step: 2, high: &tables::SPLIT3_HIGH_515, ..Self::SILENCE }
            }
            Mode::Mr795 => Self { low: &tables::SPLIT3_LOW_795, ..Self::SILENCE },
            _ => Self::SILENCE,
        }
    }
}

/// The moving-average prediction of mode 12.2: 0.65.
const SPLIT5_PREDICTION: i16 = 21299;

/// Q15 product, truncated.
#[inline(always)]
fn scale(value: i16, factor: i16) -> i16 {
    ((i32::from(value) * i32::from(factor)) >> 15) as i16
}

fn difference(a: &Lsf, b: &Lsf) -> Lsf {
    let mut difference = *a;
    for (a, b) in difference.iter_mut().zip(b) {
        *a = a.wrapping_sub(*b);
    }
    difference
}

/// Prediction and residual together, the lines kept apart, as pairs.
fn finish(residual: &Lsf, predicted: &Lsf) -> Lsp {
    let mut lsf = *residual;
    for (line, predicted) in lsf.iter_mut().zip(predicted) {
        *line = line.wrapping_add(*predicted);
    }
    spread(&mut lsf);
    lsf_to_lsp(&lsf)
}

/// Two neighbours of each of two sets.
fn two_of_each(sets: &[[i16; ORDER]; 2], at: usize) -> [i16; 4] {
    [sets[0][at], sets[0][at + 1], sets[1][at], sets[1][at + 1]]
}

/// How much each line counts: the more, the nearer its neighbours are. Q11 of a factor between 1 and 3.347 or less.
fn weights(lsf: &Lsf) -> [i16; ORDER] {
    let mut weights = [0; ORDER];
    for (i, weight) in weights.iter_mut().enumerate() {
        let below = if i == 0 { 0 } else { lsf[i - 1] };
        let above = if i == ORDER - 1 { 16384 } else { lsf[i + 1] };
        let distance = above.wrapping_sub(below);
        // Two straight lines that meet at 450 Hz.
        let factor =
            if distance > 1843 { 1843 - scale(distance - 1843, 6242) } else { 3427 - scale(distance, 28160) };
        *weight = factor << 3;
    }
    weights
}

/// Replaces the part of `rest` that begins at `at` by the table's nearest entry; returns its index. Of the table every
/// `step`-th entry counts.
fn nearest<const N: usize>(
    table: &[[i16; N]],
    step: usize,
    rest: &mut Lsf,
    weights: &[i16; ORDER],
    at: usize,
) -> i16 {
    let (mut target, mut weight) = ([0; N], [0; N]);
    target.copy_from_slice(&rest[at..at + N]);
    weight.copy_from_slice(&weights[at..at + N]);
    let mut best = (i32::MAX, 0, [0; N]);
    for (index, entry) in table.iter().step_by(step).enumerate() {
        let mut distance = 0i32;
        for i in 0..N {
            let error = i32::from(scale(target[i].wrapping_sub(entry[i]), weight[i]));
            distance = distance.wrapping_add(error * error);
        }
        if distance < best.0 {
            best = (distance, index, *entry);
        }
    }
    rest[at..at + N].copy_from_slice(&best.2);
    best.1 as i16
}

/// The index of the nearest entry, and the entry. Tables have a multiple of four entries.
fn nearest_of_two(table: &[[i16; 4]], rest: &[i16; 4], weights: &[i16; 4]) -> (i16, [i16; 4]) {
    let mut best = (i32::MAX, 0);
    for (four, entries) in table.as_flattened().as_chunks().0.iter().enumerate() {
        let distances = distances_of_two(entries, rest, weights);
        if distances.iter().any(|distance| *distance < best.0) {
            for (one, distance) in distances.iter().enumerate() {
                if *distance < best.0 {
                    best = (*distance, 4 * four + one);
                }
            }
        }
    }
    (best.1 as i16, table[best.1])
}

/// Weighted distances of four entries.
#[inline(never)]
fn distances_of_two(entries: &[i16; 16], rest: &[i16; 4], weights: &[i16; 4]) -> [i32; 4] {
    let mut errors = [0i16; 16];
    for i in 0..16 {
        let weight = i32::from(weights[i % 4]);
        // Residuals are below 2^14 and weights below 1, so four squares stay below 2^30.
        errors[i] =
            ((i32::from(rest[i % 4]) * weight).wrapping_sub(i32::from(entries[i]) * weight) >> 15) as i16;
    }
    let mut distances = [0i32; 4];
    for (distance, error) in distances.iter_mut().zip(errors.as_chunks::<4>().0) {
        *distance = error.iter().fold(0, |sum, error| sum + i32::from(*error) * i32::from(*error));
    }
    distances
}

/// The same for the table whose entries also count negated; the lowest bit of the index is the sign.
fn nearest_signed(table: &[[i16; 4]], rest: &[i16; 4], weights: &[i16; 4]) -> (i16, [i16; 4]) {
    let mut best = (i32::MAX, 0, [0; 4]);
    for (index, entry) in table.iter().enumerate() {
        let (mut plain, mut negated) = (0i32, 0i32);
        for i in 0..4 {
            let below = i32::from(scale(rest[i].wrapping_sub(entry[i]), weights[i]));
            let above = i32::from(scale(rest[i].wrapping_add(entry[i]), weights[i]));
            plain = plain.wrapping_add(below * below);
            negated = negated.wrapping_add(above * above);
        }
        if plain < best.0 {
            best = (plain, 2 * index, *entry);
        }
        if negated < best.0 {
            best = (negated, 2 * index + 1, entry.map(i16::wrapping_neg));
        }
    }
    (best.1 as i16, best.2)
}
