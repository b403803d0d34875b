//! Silence descriptors (B.4.2): the quantizers of the noise's spectrum and energy.
#![expect(clippy::indexing_slicing, reason = "fixed arrays; codebook indices have the bits of their books")]

use super::bits::Sid;
use super::lsf_quantizer::{GAP_3, HIGHEST, History, LOWEST, spread, stabilize, weights};
use super::tables::{
    LSF_FIRST_STAGE, LSF_SECOND_STAGE, SID_FIRST_STAGE, SID_GAIN, SID_PREDICTOR, SID_PREDICTOR_REST,
    SID_PREDICTOR_REST_INVERSE, SID_SECOND_STAGE,
};
use super::vector::each;
use super::{Lsp, ORDER, lsp};
use crate::fixed::{
    add, deposit_l, extract_h, l_add, l_extract, l_mac, l_mult, l_shl, mpy_32_16, mult, mult_r, shl, sub,
};
use crate::fixed_math::log2;

/// Candidates that the first stage hands to the second.
const SURVIVORS: usize = 4;

/// Gain of an index.
pub(super) fn gain(index: u8) -> i16 {
    SID_GAIN[usize::from(index & 31)]
}

/// Index of the mean of one or two frames' energies (value and exponent), and that energy in dB.
pub(super) fn quantize_energies(energies: &[(i16, i16)]) -> (u8, i16) {
    let (factor, margin) = if energies.len() == 1 { (26, 0) } else { (13, 1) };
    let least = energies.iter().fold(i16::MAX, |least, &(_, exponent)| exponent.min(least));
    let exponent = add(least, 16 - margin);
    let sum = energies
        .iter()
        .fold(0, |sum, &(energy, own)| l_add(sum, l_shl(deposit_l(energy), sub(exponent, own))));
    quantize_energy(sum, factor, exponent)
}

/// Index of the energy of a whole speech frame: what the decoder goes by if it missed the descriptor.
pub(super) fn quantize_frame_energy(energy: i16, exponent: i16) -> u8 {
    quantize_energy(l_shl(deposit_l(energy), exponent), 410, 0).0
}

/// In steps of 4 dB at the bottom (from -8 dB) and 2 dB above.
fn quantize_energy(energy: i32, factor: i16, exponent: i16) -> (u8, i16) {
    let (high, low) = l_extract(energy);
    let (whole, fraction) = log2(mpy_32_16(high, low, factor));
    // Ten bits behind the point.
    let logarithm = add(shl(sub(whole, exponent), 10), mult_r(fraction, 1024));
    match logarithm {
        ..=-2721 => (0, -12),
        22_112.. => (31, 66),
        -2720..=4762 => {
            let index = mult(add(logarithm, 3401), 24).max(1);
            (index as u8, sub(shl(index, 2), 8))
        }
        4763..=22_111 => {
            let index = ((mult(sub(logarithm, 340), 193) >> 2) - 1).max(6);
            (index as u8, add(shl(index, 1), 4))
        }
    }
}

/// Quantizes the spectrum: fills in all but the gain of the descriptor and returns the quantized pairs.
pub(super) fn quantize_spectrum(history: &mut History, pairs: &Lsp) -> (Sid, Lsp) {
    let mut lsf = lsp::to_lsf(pairs);
    lsf[0] = lsf[0].max(LOWEST);
    for i in 0..ORDER - 1 {
        if sub(lsf[i + 1], lsf[i]) < 2 * GAP_3 {
            lsf[i + 1] = add(lsf[i], 2 * GAP_3);
        }
    }
    lsf[ORDER - 1] = lsf[ORDER - 1].min(HIGHEST);
    if lsf[ORDER - 1] < lsf[ORDER - 2] {
        lsf[ORDER - 2] = sub(lsf[ORDER - 1], GAP_3);
    }
    let weights = weights(&lsf);
    let targets: [Lsp; 2] = each(|predictor| {
        history.error_of(&lsf, &SID_PREDICTOR[predictor], &SID_PREDICTOR_REST_INVERSE[predictor])
    });
    let survivors = first_stage(&targets);
    let (survivor, second) = second_stage(&survivors, &weights);
    let Survivor { predictor, first, .. } = survivors[survivor];
    let sid = Sid { predictor: predictor as u8, first: first as u8, second: second as u8, gain: 0 };
    (sid, dequantize_spectrum(history, &sid))
}

/// The pairs of a descriptor.
pub(super) fn dequantize_spectrum(history: &mut History, sid: &Sid) -> Lsp {
    let first = first_codeword(usize::from(sid.first & 31));
    let second = usize::from(sid.second & 15);
    let mut error = each(|j| add(first[j], second_codeword(second, j)));
    spread(&mut error, 10);
    let predictor = usize::from(sid.predictor & 1);
    let mut lsf = history.compose(&error, &SID_PREDICTOR[predictor], &SID_PREDICTOR_REST[predictor]);
    stabilize(&mut lsf);
    lsp::from_lsf(&lsf)
}

fn first_codeword(index: usize) -> &'static Lsp {
    &LSF_FIRST_STAGE[usize::from(SID_FIRST_STAGE[index])]
}

fn second_codeword(index: usize, dimension: usize) -> i16 {
    let half = usize::from(dimension >= ORDER / 2);
    LSF_SECOND_STAGE[usize::from(SID_SECOND_STAGE[half][index])][dimension]
}

#[derive(Clone, Copy, Default)]
struct Survivor {
    predictor: usize,
    first: usize,
    rest: Lsp,
}

/// The nearest pairs of predictor and first codeword.
fn first_stage(targets: &[Lsp; 2]) -> [Survivor; SURVIVORS] {
    const PENALTY: [i16; 2] = [8644, 16_572];
    let mut distances = [[0; 32]; 2];
    for ((row, target), penalty) in distances.iter_mut().zip(targets).zip(PENALTY) {
        for (index, distance) in row.iter_mut().enumerate() {
            let sum = target.iter().zip(first_codeword(index)).fold(0, |sum, (&target, &codeword)| {
                let difference = sub(target, codeword);
                l_mac(sum, difference, difference)
            });
            *distance = mult(extract_h(sum), penalty);
        }
    }
    each(|_| {
        let (mut least, mut predictor, mut first) = (i16::MAX, 0, 0);
        for (p, row) in distances.iter().enumerate() {
            for (index, &distance) in row.iter().enumerate() {
                if distance < least {
                    (least, predictor, first) = (distance, p, index);
                }
            }
        }
        distances[predictor][first] = i16::MAX;
        let codeword = first_codeword(first);
        let rest = each(|j| sub(targets[predictor][j], codeword[j]));
        Survivor { predictor, first, rest }
    })
}

/// The best survivor and second codeword, weighted.
fn second_stage(survivors: &[Survivor; SURVIVORS], weights: &Lsp) -> (usize, usize) {
    let mut best = (i16::MAX, 0, 0);
    for (candidate, survivor) in survivors.iter().enumerate() {
        let rest = &SID_PREDICTOR_REST[survivor.predictor];
        for index in 0..16 {
            let sum = (0..ORDER).fold(0, |sum, j| {
                let weight = mult(extract_h(l_shl(l_mult(rest[j], rest[j]), 2)), weights[j]);
                let difference = sub(survivor.rest[j], second_codeword(index, j));
                l_mac(sum, extract_h(l_shl(l_mult(weight, difference), 3)), difference)
            });
            if extract_h(sum) < best.0 {
                best = (extract_h(sum), candidate, index);
            }
        }
    }
    (best.1, best.2)
}
