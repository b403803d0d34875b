//! A block of both bands in the decoder.
//!
//! Differences follow from the codes alone, zeros from the differences alone; only the poles need what was
//! predicted. Both bands are worked on together: of each pair the first number is the lower band's.
#![expect(clippy::indexing_slicing, reason = "fixed arrays; each index is bounded where it is made")]

use super::Mode;
use super::adpcm::{Poles, product, upper_half};
use super::bands::{Band, Lower, Quantiser, Upper, limit, next_log_scale};
use super::qmf::BLOCK;
use super::tables::LOWER_OUTPUT;
use core::hint::black_box;

/// Taps of both bands, a pair for each delay, and two pairs more that nothing reads: so they fill two vectors.
const TAPS: usize = 16;
/// Lanes of a vector.
const LANES: usize = 8;
/// Pairs of differences before the first of a block.
const PAST: usize = 6;
/// Numbers from the oldest past difference to the newest, and what a window of [`TAPS`] reads beyond.
const ALL: usize = 2 * (PAST + BLOCK + 2);
/// Numbers that are predicted, and what is written beyond them.
const PREDICTIONS: usize = 2 * BLOCK + LANES - 2;

/// Decodes a block of both bands, each limited to 15 bits.
#[inline]
pub(super) fn decode(
    bands: (&mut Band, &mut Band),
    mode: Mode,
    octets: &[u8],
    lower: &mut [i16; BLOCK],
    upper: &mut [i16; BLOCK],
) {
    let count = octets.len().min(BLOCK);
    let mut differences = [0; ALL];
    let mut decoded = [0; 2 * BLOCK];
    for (i, pair) in differences.chunks_exact_mut(2).take(PAST).enumerate() {
        pair[0] = bands.0.differences[i];
        pair[1] = bands.1.differences[i];
    }
    let mut log_scales = [bands.0.log_scale().into(), bands.1.log_scale().into()];
    dequantise(octets, mode, &mut log_scales, &mut differences, &mut decoded);
    let mut predictions = [0; PREDICTIONS];
    let mut taps = [0; TAPS];
    for i in 0..PAST {
        taps[2 * i] = bands.0.zeros[i];
        taps[2 * i + 1] = bands.1.zeros[i];
    }
    predict_from_zeros(&mut taps, &differences, count, &mut predictions);
    let mut poles = Poles::load([&bands.0.poles, &bands.1.poles]);
    poles.advance_block(&differences[2 * PAST..], &predictions, &mut decoded, count);
    poles.store([&mut bands.0.poles, &mut bands.1.poles]);
    for n in 0..BLOCK {
        lower[n] = limit(decoded[2 * n]);
        upper[n] = limit(decoded[2 * n + 1]);
    }
    for i in 0..PAST {
        bands.0.zeros[i] = taps[2 * i];
        bands.1.zeros[i] = taps[2 * i + 1];
        bands.0.differences[i] = differences[2 * (count + i)];
        bands.1.differences[i] = differences[2 * (count + i) + 1];
    }
    bands.0.set_log_scale(log_scales[0] as i16);
    bands.1.set_log_scale(log_scales[1] as i16);
}

/// Writes the differences that the predictors adapt to after the past ones, and those that are added to what
/// they predict.
#[inline(never)]
fn dequantise(
    octets: &[u8],
    mode: Mode,
    log_scales: &mut [i32; 2],
    differences: &mut [i16; ALL],
    added: &mut [i16; 2 * BLOCK],
) {
    let mut scales = [0; 2 * BLOCK];
    let mut levels = [0; 2 * BLOCK];
    let output = &LOWER_OUTPUT[mode as usize];
    let [mut low, mut high] = *log_scales;
    for (n, &octet) in octets.iter().take(BLOCK).enumerate() {
        let (level, step) = Lower::meaning(octet);
        let (upper_level, upper_step) = Upper::meaning(octet >> 6);
        scales[2 * n] = Lower::scale(low) as i16;
        scales[2 * n + 1] = Upper::scale(high) as i16;
        levels[2 * n] = level as i16;
        levels[2 * n + 1] = upper_level as i16;
        added[2 * n] = output[usize::from(octet & 63)];
        added[2 * n + 1] = upper_level as i16;
        low = next_log_scale::<Lower>(low, step);
        high = next_log_scale::<Upper>(high, upper_step);
    }
    *log_scales = [low, high];
    // Apart from the loop above, where each step waits for the last: these are vectors.
    for i in 0..2 * BLOCK {
        differences[2 * PAST + i] = product(scales[i], levels[i]);
        added[i] = product(scales[i], added[i]);
    }
}

/// Writes what the zeros predict after each sample.
///
/// Nothing here depends on a prediction, and every sum saturates as in FILTEZ, so loud blocks take no longer.
#[inline(never)]
fn predict_from_zeros(
    taps: &mut [i16; TAPS],
    differences: &[i16; ALL],
    count: usize,
    predictions: &mut [i16; PREDICTIONS],
) {
    let signs = differences.map(|difference| difference >> 15 | 1);
    // By how much a new difference moves the coefficients where the past one is positive; zero moves nothing.
    let moves = differences.map(|difference| (difference >> 15 | 1) << 7 & -i16::from(difference != 0));
    // Differences are below 10 229, as the greatest of the tables are: this fits.
    let twofold = differences.map(|difference| difference.wrapping_mul(2));
    let leaks = black_box([[-256; TAPS]; 2]);
    let mut zeros = *taps;
    // One array for all, not rows: sums begin at any pair.
    let mut products = [0; TAPS * BLOCK + LANES];
    for n in 0..count.min(BLOCK) {
        let moved = [moves[2 * (n + PAST)], moves[2 * (n + PAST) + 1]];
        for i in 0..TAPS {
            // Clause 6.2.1.4, UPZERO, as in `Leak`.
            zeros[i] = zeros[i]
                .wrapping_add(upper_half(zeros[i], leaks[n & 1][i]))
                .wrapping_add(moved[i & 1].wrapping_mul(signs[2 * n + i]));
        }
        for i in 0..TAPS {
            products[TAPS * n + i] = product(twofold[2 * (n + 1) + i], zeros[i]);
        }
    }
    for n in 0..BLOCK {
        // Only the first pair of lanes is meant; the next sample writes over the others. Whole vectors are less
        // work than the pieces of one.
        for i in 0..LANES {
            predictions[2 * n + i] =
                (0..PAST).fold(0, |sum: i16, j| sum.saturating_add(products[TAPS * n + 2 * j + i]));
        }
    }
    *taps = zeros;
}
