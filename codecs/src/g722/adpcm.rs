//! The predictor of a band, with two poles and six zeros (clauses 6.2.1.3 to 6.2.1.6 of G.722).
#![expect(clippy::indexing_slicing, reason = "fixed arrays; each index is bounded where it is made")]

use super::qmf::BLOCK;
use core::hint::black_box;

/// Six differences below this (a power of two) cannot bring the sum of the zeros to saturation: the coefficients
/// are below 2, so each product is below twice the difference. Four times one fits 16 bits.
const QUIET: i16 = 2048;

/// How the zeros move: by which of the last six differences have another sign than the new one, the newest in
/// bit 0 and in the last of six places; a new difference of zero, bit 6, moves nothing.
static MOVES: [Zeros; 128] = {
    let mut moves = [[0; 8]; 128];
    let mut row = 0;
    while row < 64 {
        let mut i = 0;
        while i < 6 {
            moves[row][5 - i] = if row >> i & 1 == 0 { 128 } else { -128 };
            i += 1;
        }
        row += 1;
    }
    moves
};

/// Coefficients of the zeros, Q14, that of the oldest difference first; two lanes are zero.
pub(super) type Zeros = [i16; 8];

/// How the last six differences move the zeros.
#[derive(Clone, Copy)]
pub(super) struct Signs(u8);

impl Signs {
    pub(super) fn of(differences: &[i16; 6]) -> Self {
        Self(differences.iter().fold(0, |signs, &difference| signs << 1 | u8::from(difference < 0)))
    }

    /// Takes in a new difference; returns the row of [`MOVES`].
    #[inline(always)]
    pub(super) fn push(&mut self, difference: i16) -> u8 {
        let negative = (difference >> 15) as u8 & 63;
        let row = (self.0 & 63) ^ negative | u8::from(difference == 0) << 6;
        self.0 = self.0 << 1 | negative & 1;
        row
    }
}

/// Clause 6.2.1.4, UPZERO: each coefficient leaks 1/256, rounded up, and moves by 128. It stays between -32 768
/// and 32 513, so nothing saturates.
#[derive(Clone, Copy)]
pub(super) struct Leak(Zeros);

impl Leak {
    /// The factor is hidden from the compiler: it would make shifts of it, where one vector instruction gives the
    /// upper half of a product.
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self(black_box([-256; 8]))
    }

    /// Adapts the zeros and multiplies them with differences, taken four times; that is exact for quiet ones.
    ///
    /// A call of its own, so that the compiler sees arrays in memory and makes vectors of them.
    #[inline(never)]
    pub(super) fn adapt_and_multiply(
        &self,
        zeros: &mut Zeros,
        row: u8,
        fourfold: &[i16; 8],
        products: &mut [i16; 8],
    ) {
        let moves = &MOVES[usize::from(row) & 127];
        for i in 0..8 {
            zeros[i] = zeros[i].wrapping_add(upper_half(zeros[i], self.0[i])).wrapping_add(moves[i]);
            products[i] = upper_half(fourfold[i], zeros[i]);
        }
    }
}

/// The sum of what the zeros predict, of quiet differences: it does not saturate.
#[inline(always)]
pub(super) fn sum(products: &[i16; 8]) -> i16 {
    products.iter().map(|&product| i32::from(product)).sum::<i32>() as i16
}

#[inline(always)]
pub(super) fn upper_half(a: i16, b: i16) -> i16 {
    ((i32::from(a) * i32::from(b)) >> 16) as i16
}

/// Whether none of these differences, with others like them, brings the sum of the zeros to saturation.
#[inline(always)]
pub(super) fn are_quiet(differences: &[i16]) -> bool {
    differences.iter().fold(0, |bits, &difference| bits | difference ^ (difference >> 15)) < QUIET
}

/// FILTEZ as it stands: from the oldest difference, saturating at each.
#[cold]
pub(super) fn predict_saturating(differences: &[i16], zeros: &Zeros) -> i16 {
    let products = differences.iter().zip(zeros).map(|(&a, &b)| ((i32::from(a) * i32::from(b)) >> 14) as i16);
    products.fold(0, i16::saturating_add)
}

/// One number for each of eight bands that are worked on side by side. A single channel has two.
pub(super) type Lanes = [i16; 8];

/// The zeros of eight bands, all exact: the sum saturates at each.
pub(super) struct ZeroLanes {
    /// Coefficients, that of the newest difference first.
    pub(super) zeros: [Lanes; 6],
    /// The last differences, the newest first.
    pub(super) differences: [Lanes; 6],
    leak: i16,
}

impl ZeroLanes {
    pub(super) fn new() -> Self {
        Self { zeros: [[0; 8]; 6], differences: [[0; 8]; 6], leak: black_box(-256) }
    }

    /// Takes the differences of a sample; adapts, and writes what the zeros predict for the next.
    #[inline(never)]
    pub(super) fn advance(&mut self, newest: &Lanes, predictions: &mut Lanes) {
        for i in 0..8 {
            let difference = newest[i];
            // 128, or 0 if the difference is 0.
            let step = 128 & !((i16::from(difference == 0)) << 7);
            let mut sum = 0_i16;
            for j in (0..6).rev() {
                let differ = (difference ^ self.differences[j][i]) >> 15;
                let moved = (step ^ differ).wrapping_sub(differ);
                let zero = self.zeros[j][i];
                let zero = zero.wrapping_add(upper_half(zero, self.leak)).wrapping_add(moved);
                self.zeros[j][i] = zero;
                let past = if j == 0 { difference } else { self.differences[j - 1][i] };
                self.differences[j][i] = past;
                sum = sum.saturating_add(product(past << 1, zero));
            }
            predictions[i] = sum;
        }
    }
}

/// The poles of eight bands and what they predict from.
///
/// Everything here is 16 bits and has a vector instruction. [`Self::advance_lanes`] is a call of its own so that
/// the compiler sees arrays in memory and makes vectors of them.
#[derive(Clone)]
pub(super) struct Poles {
    /// Coefficients, Q14.
    first: Lanes,
    second: Lanes,
    /// The last two sums of difference and zeros; only their signs count.
    newer: Lanes,
    older: Lanes,
    /// The last reconstructed sample.
    pub(super) reconstructed: Lanes,
    /// What the zeros predict for the next sample.
    zeros: Lanes,
    /// What poles and zeros predict.
    pub(super) prediction: Lanes,
    /// -256 and -512: an upper half of a product with them leaks 1/256 and 1/128.
    leaks: [i16; 2],
}

impl Poles {
    /// Takes the quantised differences of a sample and what the zeros predict for the next; adapts, and predicts
    /// the next.
    #[inline(always)]
    pub(super) fn advance(&mut self, differences: &Lanes, zeros: &Lanes, leaks: &[Lanes; 2]) {
        for i in 0..8 {
            let difference = differences[i];
            let reconstructed = self.prediction[i].saturating_add(difference);
            let partial = difference.saturating_add(self.zeros[i]);
            let (first, second) = (self.first[i], self.second[i]);

            // Clause 6.2.1.5, UPPOL2. Four times the first coefficient, its sign changed if the signs of the sums
            // are the same, saturated, shifted right by 7.
            let (differ_newer, differ_older) =
                ((partial ^ self.newer[i]) >> 15, (partial ^ self.older[i]) >> 15);
            let cross = (((first ^ !differ_newer).wrapping_sub(!differ_newer)) >> 5).clamp(-256, 255);
            let drift = (128 ^ differ_older).wrapping_sub(differ_older);
            let leaked = second.wrapping_add(upper_half(second, leaks[1][i]));
            let second = cross.wrapping_add(drift).wrapping_add(leaked).clamp(-12_288, 12_288);

            // Clause 6.2.1.6, UPPOL1.
            let drift = (192 ^ differ_newer).wrapping_sub(differ_newer);
            let limit = 15_360_i16.wrapping_sub(second);
            let leaked = first.wrapping_add(upper_half(first, leaks[0][i]));
            let first = drift.wrapping_add(leaked).max(0_i16.wrapping_sub(limit)).min(limit);

            // FILTEP and PREDIC.
            let poles = product(first, reconstructed.saturating_add(reconstructed));
            let past = self.reconstructed[i];
            let poles = poles.saturating_add(upper_half(second << 1, past.saturating_add(past)));
            self.prediction[i] = poles.saturating_add(zeros[i]);
            self.first[i] = first;
            self.second[i] = second;
            self.older[i] = self.newer[i];
            self.newer[i] = partial;
            self.reconstructed[i] = reconstructed;
            self.zeros[i] = zeros[i];
        }
    }

    #[inline(never)]
    pub(super) fn advance_lanes(&mut self, differences: &Lanes, zeros: &Lanes) {
        let leaks = self.leaks.map(|leak| [leak; 8]);
        self.advance(differences, zeros, &leaks);
    }

    /// The same for a block of two bands, given as pairs. Adds what was predicted before each sample to `decoded`.
    ///
    /// The pairs are repeated to fill the lanes, and the leaks alternate between two equal copies: a constant lane
    /// or factor is known outside of the loop, and the compiler then takes the products apart into wider ones.
    #[inline(never)]
    pub(super) fn advance_block(
        &mut self,
        differences: &[i16],
        zeros: &[i16],
        decoded: &mut [i16; 2 * BLOCK],
        count: usize,
    ) {
        let mut poles = self.clone();
        let leaks = black_box([[[-256; 8], [-512; 8]]; 2]);
        for (n, ((differences, zeros), decoded)) in differences
            .chunks_exact(2)
            .zip(zeros.chunks_exact(2))
            .zip(decoded.chunks_exact_mut(2))
            .take(count)
            .enumerate()
        {
            for (decoded, &prediction) in decoded.iter_mut().zip(&poles.prediction) {
                *decoded = decoded.saturating_add(prediction);
            }
            let lanes = |pair: &[i16]| core::array::from_fn(|i| pair[i & 1]);
            poles.advance(&lanes(differences), &lanes(zeros), &leaks[n & 1]);
        }
        *self = poles;
    }

    /// The same for two bands.
    #[inline(never)]
    pub(super) fn advance_pair(&mut self, differences: [i16; 2], zeros: [i16; 2]) {
        let lanes = |[a, b]: [i16; 2]| [a, b, 0, 0, 0, 0, 0, 0];
        let leaks = self.leaks.map(|leak| [leak; 8]);
        self.advance(&lanes(differences), &lanes(zeros), &leaks);
    }
}

/// Bits 15 to 30 of the product, not of the lowest number with itself.
///
/// The upper half is doubled by an addition that saturates, although it never does: of a shift the compiler would
/// make one of 32 bits.
#[inline(always)]
pub(super) fn product(a: i16, b: i16) -> i16 {
    let low = a.wrapping_mul(b) as u16 >> 15;
    let high = upper_half(a, b);
    high.saturating_add(high) | low as i16
}

/// The poles of one band between blocks.
#[derive(Clone, Debug)]
pub(super) struct BandPoles {
    coefficients: [i16; 2],
    pub(super) partial: [i16; 2],
    pub(super) reconstructed: i16,
    pub(super) zeros: i16,
    pub(super) prediction: i16,
}

impl BandPoles {
    pub(super) const fn new() -> Self {
        Self { coefficients: [0; 2], partial: [0; 2], reconstructed: 0, zeros: 0, prediction: 0 }
    }
}

impl Poles {
    /// The poles of these bands, eight at most.
    #[inline(always)]
    pub(super) fn load<'a>(bands: impl IntoIterator<Item = &'a BandPoles>) -> Self {
        let none = [0; 8];
        let mut poles = Self {
            first: none,
            second: none,
            newer: none,
            older: none,
            reconstructed: none,
            zeros: none,
            prediction: none,
            leaks: black_box([-256, -512]),
        };
        for (i, band) in bands.into_iter().take(8).enumerate() {
            [poles.first[i], poles.second[i]] = band.coefficients;
            [poles.newer[i], poles.older[i]] = band.partial;
            poles.reconstructed[i] = band.reconstructed;
            poles.zeros[i] = band.zeros;
            poles.prediction[i] = band.prediction;
        }
        poles
    }

    #[inline(always)]
    pub(super) fn store<'a>(&self, bands: impl IntoIterator<Item = &'a mut BandPoles>) {
        for (i, band) in bands.into_iter().take(8).enumerate() {
            *band = BandPoles {
                coefficients: [self.first[i], self.second[i]],
                partial: [self.newer[i], self.older[i]],
                reconstructed: self.reconstructed[i],
                zeros: self.zeros[i],
                prediction: self.prediction[i],
            };
        }
    }
}
