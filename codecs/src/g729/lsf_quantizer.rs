//! The predictive two-stage quantizer of the LSFs (§3.2.4) and what the decoder does with a lost frame (§4.4.1).
#![expect(clippy::indexing_slicing, reason = "fixed arrays; codebook indices have the bits of their books")]

use super::bits::LsfIndex;
use super::tables::{
    LSF_FIRST_STAGE, LSF_PREDICTOR, LSF_PREDICTOR_REST, LSF_PREDICTOR_REST_INVERSE, LSF_RESET,
    LSF_SECOND_STAGE,
};
use super::vector::{each, mapped};
use super::{Lsp, ORDER};
use crate::fixed::{add, deposit_h, extract_h, l_mac, l_msu, l_mult, l_shl, mult, norm_s, shl, shr, sub};

const HALF: usize = ORDER / 2;

/// Least distances between neighbours, Q13: after the first stage, after the second, in the end.
const GAP_1: i16 = 10;
const GAP_2: i16 = 5;
pub(super) const GAP_3: i16 = 321;
/// The range of the LSFs, Q13.
pub(super) const LOWEST: i16 = 40;
pub(super) const HIGHEST: i16 = 25_681;

pub(super) type Predictor = [[i16; ORDER]; 4];

/// The four last quantized prediction errors, newest first: the predictor's memory on both sides.
#[derive(Clone)]
pub(super) struct History([[i16; ORDER]; 4]);

impl History {
    pub(super) const NEW: Self = Self([LSF_RESET; 4]);

    /// Frequencies from this frame's prediction error, which then is history.
    pub(super) fn compose(&mut self, error: &Lsp, predictor: &Predictor, rest: &[i16; ORDER]) -> Lsp {
        let lsf = each(|j| {
            let sum = l_mult(error[j], rest[j]);
            extract_h(
                self.0.iter().zip(predictor).fold(sum, |sum, (past, taps)| l_mac(sum, past[j], taps[j])),
            )
        });
        self.push(error);
        lsf
    }

    /// The prediction error of these frequencies.
    pub(super) fn error_of(&self, lsf: &Lsp, predictor: &Predictor, inverse_rest: &[i16; ORDER]) -> Lsp {
        each(|j| {
            let sum = deposit_h(lsf[j]);
            let sum =
                self.0.iter().zip(predictor).fold(sum, |sum, (past, taps)| l_msu(sum, past[j], taps[j]));
            extract_h(l_shl(l_mult(extract_h(sum), inverse_rest[j]), 3))
        })
    }

    pub(super) fn push(&mut self, error: &Lsp) {
        self.0.copy_within(..3, 1);
        self.0[0] = *error;
    }
}

/// Quantizes; returns the index and the quantized frequencies.
pub(super) fn quantize(history: &mut History, lsf: &Lsp) -> (LsfIndex, Lsp) {
    let weights = weights(lsf);
    let (first, second) = (search(history, lsf, &weights, 0), search(history, lsf, &weights, 1));
    let index = if second.1 < first.1 { second.0 } else { first.0 };
    (index, dequantize(history, index))
}

/// Frequencies of an index.
pub(super) fn dequantize(history: &mut History, index: LsfIndex) -> Lsp {
    let (first, lower, upper) = codewords(index);
    let mut error = each(|j| add(first[j], if j < HALF { lower[j] } else { upper[j] }));
    spread(&mut error, GAP_1);
    spread(&mut error, GAP_2);
    let predictor = usize::from(index.predictor & 1);
    let mut lsf = history.compose(&error, &LSF_PREDICTOR[predictor], &LSF_PREDICTOR_REST[predictor]);
    stabilize(&mut lsf);
    lsf
}

fn codewords(index: LsfIndex) -> (&'static Lsp, &'static Lsp, &'static Lsp) {
    (
        &LSF_FIRST_STAGE[usize::from(index.first & 127)],
        &LSF_SECOND_STAGE[usize::from(index.lower & 31)],
        &LSF_SECOND_STAGE[usize::from(index.upper & 31)],
    )
}

/// The decoder's part: repeats the last frequencies of a lost frame.
#[derive(Clone)]
pub(super) struct Decoder {
    pub(super) history: History,
    predictor: u8,
    last: Lsp,
}

impl Decoder {
    pub(super) const NEW: Self = Self { history: History::NEW, predictor: 0, last: LSF_RESET };

    pub(super) fn decode(&mut self, index: LsfIndex) -> Lsp {
        self.predictor = index.predictor & 1;
        self.last = dequantize(&mut self.history, index);
        self.last
    }

    pub(super) fn conceal(&mut self) -> Lsp {
        let predictor = usize::from(self.predictor);
        let error = self.history.error_of(
            &self.last,
            &LSF_PREDICTOR[predictor],
            &LSF_PREDICTOR_REST_INVERSE[predictor],
        );
        self.history.push(&error);
        self.last
    }
}

/// The best index with one predictor, and its weighted distance.
fn search(history: &History, lsf: &Lsp, weights: &Lsp, predictor: usize) -> (LsfIndex, i32) {
    let target = history.error_of(lsf, &LSF_PREDICTOR[predictor], &LSF_PREDICTOR_REST_INVERSE[predictor]);
    let first = nearest_first(&target);
    let base = &LSF_FIRST_STAGE[first];
    let rest: Lsp = each(|j| sub(target[j], base[j]));

    let lower = nearest_second::<0>(&rest, weights);
    let mut error: Lsp = *base;
    for j in 0..HALF {
        error[j] = add(error[j], LSF_SECOND_STAGE[lower][j]);
    }
    spread(&mut error[..HALF], GAP_1);
    let upper = nearest_second::<HALF>(&rest, weights);
    for j in HALF..ORDER {
        error[j] = add(error[j], LSF_SECOND_STAGE[upper][j]);
    }
    spread(&mut error[HALF - 1..], GAP_1);
    spread(&mut error, GAP_2);

    let mut distance = 0;
    for j in 0..ORDER {
        let difference = mult(sub(error[j], target[j]), LSF_PREDICTOR_REST[predictor][j]);
        let weighted = extract_h(l_shl(l_mult(weights[j], difference), 4));
        distance = l_mac(distance, weighted, difference);
    }
    let index =
        LsfIndex { predictor: predictor as u8, first: first as u8, lower: lower as u8, upper: upper as u8 };
    (index, distance)
}

/// The nearest codeword of the first stage, unweighted.
fn nearest_first(target: &Lsp) -> usize {
    let plain = target.iter().zip(&FIRST_STAGE_RANGE).all(|(&value, &(least, most))| {
        // Then no difference is more than 14 654, and ten squares stay below 2^31.
        i32::from(value) - i32::from(least) < 14_654 && i32::from(most) - i32::from(value) < 14_654
    });
    let mut distances = [0i32; 128];
    if plain {
        let pairs = each(|pair| each(|i| target[2 * pair + i % 2]));
        for (distances, codewords) in distances.as_chunks_mut().0.iter_mut().zip(&FIRST_STAGE_BLOCKS) {
            block_distances(distances, codewords, &pairs);
        }
    } else {
        for (distance, codeword) in distances.iter_mut().zip(&LSF_FIRST_STAGE) {
            *distance = target.iter().zip(codeword).fold(0, |sum, (&value, &codeword)| {
                let difference = sub(value, codeword);
                l_mac(sum, difference, difference)
            });
        }
    }
    least_of(&distances)
}

/// Two dimensions of eight codewords, in turn.
type Pairs = [i16; 16];

/// Squared distances to eight codewords. Not inlined: it becomes multiply-and-add instructions.
#[inline(never)]
fn block_distances(distances: &mut [i32; 8], codewords: &[Pairs; HALF], target: &[Pairs; HALF]) {
    let mut sums = [0i32; 8];
    for (codewords, target) in codewords.iter().zip(target) {
        let differences: Pairs = each(|i| target[i].wrapping_sub(codewords[i]));
        for (sum, pair) in sums.iter_mut().zip(differences.as_chunks::<2>().0) {
            let [a, b] = pair.map(i32::from);
            *sum += a * a + b * b;
        }
    }
    *distances = sums;
}

/// The nearest codeword of the second stage in the five dimensions from `FROM`, weighted.
fn nearest_second<const FROM: usize>(rest: &Lsp, weights: &Lsp) -> usize {
    let dimensions = FROM..FROM + HALF;
    // The codewords lie within ±2400, so no difference reaches 14 654. No weighted square is more than the square.
    let plain = rest[dimensions.clone()].iter().all(|&value| (-12_000..12_000).contains(&value));
    let mut distances = [0i32; 32];
    if plain {
        for j in dimensions {
            accumulate_weighted(&mut distances, &SECOND_STAGE_BY_DIMENSION[j], rest[j], weights[j]);
        }
    } else {
        for (distance, codeword) in distances.iter_mut().zip(&LSF_SECOND_STAGE) {
            for j in dimensions.clone() {
                let difference = sub(rest[j], codeword[j]);
                *distance = l_mac(*distance, mult(weights[j], difference), difference);
            }
        }
    }
    least_of(&distances)
}

/// The first of the least. Blocks first: their minima are found by the vector unit.
fn least_of(distances: &[i32]) -> usize {
    let mut best = (i32::MAX, 0);
    for (block, distances) in distances.as_chunks::<16>().0.iter().enumerate() {
        let least = distances.iter().fold(i32::MAX, |least, &distance| least.min(distance));
        if least < best.0 {
            best = (least, block);
        }
    }
    let (least, block) = best;
    let within = distances[16 * block..].iter().position(|&distance| distance == least);
    16 * block + within.unwrap_or(0)
}

/// Adds the weighted squares of the differences in one dimension. Not inlined: it stays a vector loop.
#[inline(never)]
fn accumulate_weighted(distances: &mut [i32; 32], codewords: &[i16; 32], rest: i16, weight: i16) {
    for (distance, &codeword) in distances.iter_mut().zip(codewords) {
        let difference = rest.wrapping_sub(codeword);
        let weighted = ((i32::from(weight) * i32::from(difference)) >> 15) as i16;
        *distance += i32::from(weighted) * i32::from(difference);
    }
}

/// Moves neighbours apart that are nearer than `gap`.
pub(super) fn spread(lsf: &mut [i16], gap: i16) {
    for j in 1..lsf.len() {
        let overlap = shr(add(sub(lsf[j - 1], lsf[j]), gap), 1);
        if overlap > 0 {
            lsf[j - 1] = sub(lsf[j - 1], overlap);
            lsf[j] = add(lsf[j], overlap);
        }
    }
}

/// Puts the frequencies in order, apart and within their range.
pub(super) fn stabilize(lsf: &mut Lsp) {
    for j in 0..ORDER - 1 {
        if lsf[j + 1] < lsf[j] {
            lsf.swap(j, j + 1);
        }
    }
    lsf[0] = lsf[0].max(LOWEST);
    for j in 0..ORDER - 1 {
        if i32::from(lsf[j + 1]) - i32::from(lsf[j]) < i32::from(GAP_3) {
            lsf[j + 1] = add(lsf[j], GAP_3);
        }
    }
    lsf[ORDER - 1] = lsf[ORDER - 1].min(HIGHEST);
}

/// Weights of the frequencies: great where neighbours are near, which is at the formants.
pub(super) fn weights(lsf: &Lsp) -> Lsp {
    let spans: Lsp = each(|j| match j {
        0 => sub(lsf[1], 1029 + 8192),
        9 => sub(23_677 - 8192, lsf[8]),
        _ => sub(sub(lsf[j + 1], lsf[j - 1]), 8192),
    });
    let mut weights = mapped(&spans, |span| {
        if span > 0 {
            return 2048;
        }
        let square = extract_h(l_shl(l_mult(span, span), 2));
        add(extract_h(l_shl(l_mult(square, 20_480), 2)), 2048)
    });
    for weight in &mut weights[4..6] {
        *weight = extract_h(l_shl(l_mult(*weight, 19_661), 1));
    }
    let shift = norm_s(weights.iter().copied().fold(0, i16::max));
    weights.map(|weight| shl(weight, shift))
}

/// The first stage, eight codewords at a time and these by pairs of dimensions, for the vector unit.
const FIRST_STAGE_BLOCKS: [[Pairs; HALF]; 16] = {
    let mut blocks = [[[0; 16]; HALF]; 16];
    let mut index = 0;
    while index < 128 {
        let mut j = 0;
        while j < ORDER {
            blocks[index / 8][j / 2][2 * (index % 8) + j % 2] = LSF_FIRST_STAGE[index][j];
            j += 1;
        }
        index += 1;
    }
    blocks
};

/// The second stage, dimension by dimension.
const SECOND_STAGE_BY_DIMENSION: [[i16; 32]; ORDER] = by_dimension(&LSF_SECOND_STAGE);

const fn by_dimension<const N: usize>(codewords: &[Lsp; N]) -> [[i16; N]; ORDER] {
    let mut rows = [[0; N]; ORDER];
    let mut index = 0;
    while index < N {
        let mut j = 0;
        while j < ORDER {
            rows[j][index] = codewords[index][j];
            j += 1;
        }
        index += 1;
    }
    rows
}

/// Least and greatest value in each dimension.
const FIRST_STAGE_RANGE: [(i16, i16); ORDER] = {
    let mut ranges = [(i16::MAX, i16::MIN); ORDER];
    let mut j = 0;
    while j < ORDER {
        let mut index = 0;
        while index < 128 {
            let value = LSF_FIRST_STAGE[index][j];
            if value < ranges[j].0 {
                ranges[j].0 = value;
            }
            if value > ranges[j].1 {
                ranges[j].1 = value;
            }
            index += 1;
        }
        j += 1;
    }
    ranges
};
