//! Line spectral pairs: from the predictor, through the quantiser, and back (§2.5 to §2.7, §3.2, §3.3).

#![expect(
    clippy::indexing_slicing,
    reason = "fixed arrays, indices bounded by the order or by a codebook's size"
)]

use super::ops::{div_32_16, mul_32_16};
use super::tables::{BANDWIDTH_EXPANSION, COSINE, LSP_BAND_0, LSP_BAND_1, LSP_BAND_2, LSP_MEAN};
use super::{Lpc, Lsp, ORDER, SUBFRAMES};
use crate::fixed::{
    add, deposit_h, div_s, extract_h, l_abs, l_add, l_mac, l_msu, l_mult, l_negate, l_shl, l_shr, l_sub,
    mult_r, negate, norm_l, norm_s, round, shl, shr, sub,
};

/// Terms of each of the two symmetric polynomials.
const TERMS: usize = ORDER / 2 + 1;
/// Steps on the upper half of the unit circle.
const STEPS: usize = COSINE.len() / 2;
/// Prediction from the frame before, Q15.
const PREDICTION: i16 = 12_288;
/// The same while frames are lost.
const PREDICTION_ERASED: i16 = 23_552;
/// The least distance between neighbours.
const DISTANCE: i16 = 0x100;
/// The same while frames are lost.
const DISTANCE_ERASED: i16 = 0x200;
const LOWEST: i16 = 0x180;
const HIGHEST: i16 = 0x7e00;
/// No codebook has an element of greater magnitude.
const LARGEST_ELEMENT: i64 = 6012;

/// The line spectral pairs of a predictor; the previous ones if not all of them are found (§2.5).
pub(super) fn from_lpc(lpc: &Lpc, previous: &Lsp) -> Lsp {
    let polynomials = symmetric_polynomials(lpc);
    let mut found = [0; ORDER];
    let mut count = 0;
    let mut which = 0;
    let mut last = polynomials[0].iter().rev().fold(0, |sum, &term| l_mac(sum, term, COSINE[0]));
    for step in 1..STEPS {
        let mut value = evaluate(&polynomials[which], step);
        if (value ^ last) < 0 {
            found[count] = crossing(last, value, step);
            count += 1;
            if count == ORDER {
                return found;
            }
            which ^= 1;
            value = evaluate(&polynomials[which], step);
        }
        last = value;
    }
    *previous
}

/// Sum and difference polynomial, highest power first, scaled to 16 bits together.
fn symmetric_polynomials(lpc: &Lpc) -> [[i16; TERMS]; 2] {
    let mut wide = [0; ORDER];
    for (wide, (&a, &factor)) in wide.iter_mut().zip(lpc.iter().zip(&BANDWIDTH_EXPANSION)) {
        *wide = mult_r(a, factor);
    }
    let quarter = |a: i16| l_shr(deposit_h(a), 4);
    let (mut p, mut q) = ([0x0200_0000; TERMS], [0x0200_0000; TERMS]);
    for i in 0..ORDER / 2 {
        let (near, far) = (quarter(wide[i]), quarter(wide[ORDER - 1 - i]));
        p[i + 1] = l_sub(l_sub(l_negate(p[i]), near), far);
        q[i + 1] = l_add(l_sub(q[i], near), far);
    }
    p[TERMS - 1] >>= 1;
    q[TERMS - 1] >>= 1;
    let largest = p.iter().chain(&q).fold(0, |largest, &term| largest.max(l_abs(term)));
    let shift = norm_l(largest);
    [p, q].map(|polynomial| {
        let mut scaled = [0; TERMS];
        for (scaled, &term) in scaled.iter_mut().zip(polynomial.iter().rev()) {
            *scaled = round(l_shl(term, shift));
        }
        scaled
    })
}

/// A polynomial at a step on the unit circle.
#[inline(always)]
fn evaluate(polynomial: &[i16; TERMS], step: usize) -> i32 {
    let mut sum = 0;
    for (multiple, &term) in polynomial.iter().enumerate() {
        sum = l_mac(sum, term, COSINE[step * multiple % COSINE.len()]);
    }
    sum
}

/// Where the line from `last` (one step before) to `value` crosses zero.
fn crossing(last: i32, value: i32, step: usize) -> i16 {
    let whole = l_add(l_abs(value), l_abs(last));
    let shift = norm_l(whole);
    let part = l_shr(l_shl(l_abs(last), shift), 8);
    add(div_32_16(part, extract_h(l_shl(whole, shift))), shl(step as i16 - 1, 7))
}

/// The index of the quantised LSPs, 24 bits: eight for each band (§2.5).
pub(super) fn quantise(lsp: &Lsp, previous: &Lsp) -> u32 {
    let weights = sensitivity(lsp);
    let mut target = [0; ORDER];
    for i in 0..ORDER {
        let predicted = mult_r(sub(previous[i], LSP_MEAN[i]), PREDICTION);
        target[i] = sub(sub(lsp[i], LSP_MEAN[i]), predicted);
    }
    let [t0, t1, t2, t3, t4, t5, t6, t7, t8, t9] = target;
    let [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9] = weights;
    let low = nearest(&LSP_BAND_0, [t0, t1, t2], [w0, w1, w2]);
    let middle = nearest(&LSP_BAND_1, [t3, t4, t5], [w3, w4, w5]);
    let high = nearest(&LSP_BAND_2, [t6, t7, t8, t9], [w6, w7, w8, w9]);
    low << 16 | middle << 8 | high
}

/// Pairs close together matter more: the inverse of the distance to the nearer neighbour, normalised.
fn sensitivity(lsp: &Lsp) -> [i16; ORDER] {
    const CLOSE: i16 = 0x20;
    let mut gaps = [i16::MAX; ORDER + 1];
    for i in 1..ORDER {
        gaps[i] = sub(lsp[i], lsp[i - 1]);
    }
    let mut weights = [0; ORDER];
    for i in 0..ORDER {
        let nearer = gaps[i].min(gaps[i + 1]);
        weights[i] = if nearer > CLOSE { div_s(CLOSE, nearer) } else { i16::MAX };
    }
    let shift = norm_s(weights.iter().fold(0, |largest, &weight| largest.max(weight)));
    weights.map(|weight| shl(weight, shift))
}

/// The codebook column with the least weighted distance to the target.
fn nearest<const N: usize>(codebook: &[[i16; 256]; N], target: [i16; N], weights: [i16; N]) -> u32 {
    let mut scores = [0; 256];
    let reach: i64 = target.iter().map(|&t| i64::from(t).abs()).sum::<i64>() * 4 * LARGEST_ELEMENT;
    if reach + 2 * N as i64 * LARGEST_ELEMENT * LARGEST_ELEMENT < i64::from(i32::MAX) {
        // A weighted element is no greater than the element, so no step can saturate.
        for ((row, target), weight) in codebook.iter().zip(target).zip(weights) {
            let (target, weight) = (2 * i32::from(target), i32::from(weight));
            for (score, &element) in scores.iter_mut().zip(row) {
                let element = i32::from(element);
                let weighted = (weight * element + 0x4000) >> 15;
                *score += 2 * (target - element) * weighted;
            }
        }
    } else {
        for (column, score) in scores.iter_mut().enumerate() {
            let weighted: [i16; N] = core::array::from_fn(|i| mult_r(weights[i], codebook[i][column]));
            let near = (0..N).fold(0, |sum, i| l_mac(sum, target[i], weighted[i]));
            *score = (0..N).fold(l_shl(near, 1), |sum, i| l_msu(sum, codebook[i][column], weighted[i]));
        }
    }
    let mut best = (-1, 0);
    for (index, &score) in scores.iter().enumerate() {
        if score > best.0 {
            best = (score, index);
        }
    }
    best.1 as u32
}

/// The LSPs that an index stands for, kept apart from each other (§2.6, §3.2).
pub(super) fn dequantise(index: u32, previous: &Lsp) -> Lsp {
    reconstruct(index, previous, PREDICTION, DISTANCE)
}

/// The LSPs in place of those that were lost.
pub(super) fn extrapolate(previous: &Lsp) -> Lsp {
    reconstruct(0, previous, PREDICTION_ERASED, DISTANCE_ERASED)
}

fn reconstruct(index: u32, previous: &Lsp, prediction: i16, distance: i16) -> Lsp {
    let [_, low, middle, high] = index.to_be_bytes().map(usize::from);
    let mut lsp = [0; ORDER];
    for i in 0..ORDER {
        let element = match i {
            0..3 => LSP_BAND_0[i][low],
            3..6 => LSP_BAND_1[i - 3][middle],
            _ => LSP_BAND_2[i - 6][high],
        };
        let predicted = mult_r(sub(previous[i], LSP_MEAN[i]), prediction);
        lsp[i] = add(add(element, predicted), LSP_MEAN[i]);
    }
    if separate(&mut lsp, distance) { lsp } else { *previous }
}

/// Pushes neighbours apart; whether that came to an end.
fn separate(lsp: &mut Lsp, distance: i16) -> bool {
    for _ in 0..ORDER {
        lsp[0] = lsp[0].max(LOWEST);
        lsp[ORDER - 1] = lsp[ORDER - 1].min(HIGHEST);
        for i in 1..ORDER {
            let missing = sub(add(distance, lsp[i - 1]), lsp[i]);
            if missing > 0 {
                let half = shr(missing, 1);
                lsp[i - 1] = sub(lsp[i - 1], half);
                lsp[i] = add(lsp[i], half);
            }
        }
        if lsp.windows(2).all(|pair| sub(sub(add(pair[0], distance), 4), pair[1]) <= 0) {
            return true;
        }
    }
    false
}

/// The predictors of the four subframes, between the previous LSPs and the current ones (§2.7).
pub(super) fn interpolate(current: &Lsp, previous: &Lsp) -> [Lpc; SUBFRAMES] {
    let mut share = 0;
    [(); SUBFRAMES].map(|()| {
        share += i16::MIN / SUBFRAMES as i16;
        let mut between = [0; ORDER];
        for i in 0..ORDER {
            let sum = l_mac(deposit_h(previous[i]), share, previous[i]);
            between[i] = round(l_msu(sum, share, current[i]));
        }
        to_lpc(&between)
    })
}

/// The predictor of these LSPs (§2.7).
fn to_lpc(lsp: &Lsp) -> Lpc {
    let cosines = lsp.map(|lsp| {
        let step = usize::from(lsp as u16 >> 7);
        let (left, right) = (COSINE[step % COSINE.len()], COSINE[(step + 1) % COSINE.len()]);
        let within = add(shl(lsp & 0x7f, 8), 0x80);
        negate(round(l_shl(l_mac(deposit_h(left), sub(right, left), within), 1)))
    });
    let [a0, b0, a1, b1, a2, b2, a3, b3, a4, b4] = cosines;
    let p = product_of_quadratics([a0, a1, a2, a3, a4]);
    let q = product_of_quadratics([b0, b1, b2, b3, b4]);
    let mut lpc = [0; ORDER];
    for i in 0..ORDER / 2 {
        let sum = l_add(p[i], p[i + 1]);
        lpc[i] = negate(round(l_shl(l_add(l_sub(sum, q[i]), q[i + 1]), 3)));
        lpc[ORDER - 1 - i] = negate(round(l_shl(l_sub(l_add(sum, q[i]), q[i + 1]), 3)));
    }
    lpc
}

/// The first half of the symmetric product of `1 + 2 c z + z²`, halved with each factor after the second.
fn product_of_quadratics(cosines: [i16; ORDER / 2]) -> [i32; TERMS] {
    let mut p = [0; TERMS];
    p[0] = 0x1000_0000;
    p[1] = l_mac(l_mult(cosines[0], 0x2000), cosines[1], 0x2000);
    p[2] = l_add(l_shr(l_mult(cosines[0], cosines[1]), 1), 0x2000_0000);
    for i in 2..ORDER / 2 {
        let c = cosines[i];
        p[i + 1] = l_add(mul_32_16(p[i], c), p[i - 1]);
        for j in (2..=i).rev() {
            p[j] = l_add(l_add(mul_32_16(p[j - 1], c), p[j] >> 1), p[j - 2] >> 1);
        }
        p[0] >>= 1;
        p[1] = l_add(l_shr(deposit_h(c), i as i16), p[1]) >> 1;
    }
    p
}
