//! Convolution and correlation with an impulse response, over a subframe.

#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices below SUBFRAME and its padding")]

use super::SUBFRAME;
use super::filter::{Samples, Wide};
use super::ops::{dot, energy, from, mac_saturating, magnitude, padded, peak, safe_to_mac};

/// A subframe and a few zeros, to make up a round number.
pub(super) const PADDED: usize = 64;
/// Outputs that need only half of the padded subframe.
const HALF: usize = PADDED / 2;

/// An impulse response, ready for sums of products.
pub(super) struct Response {
    pub(super) forward: Samples,
    /// In front of zeros.
    padded: [i16; PADDED],
    /// `reversed[PADDED - 1 - n]` is response `n`; zeros on both sides.
    reversed: [i16; 2 * PADDED],
    /// Sum of the magnitudes.
    magnitude: i64,
}

impl Response {
    pub(super) fn new(forward: &Samples) -> Self {
        let mut reversed = [0; 2 * PADDED];
        for (reversed, &sample) in reversed[..PADDED].iter_mut().rev().zip(forward) {
            *reversed = sample;
        }
        Self { forward: *forward, padded: padded(forward), reversed, magnitude: magnitude(forward) }
    }

    /// Whether doubled sums of products with `x` stay below `limit` in magnitude at every step.
    pub(super) fn is_safe(&self, x: &Samples, limit: i64) -> bool {
        2 * self.magnitude * i64::from(peak(x)) < limit
            || (limit >= 1 << 31 && safe_to_mac(energy(&self.forward), energy(x)))
    }

    /// Twice the sum of `x[j] * response[n - j]`, `j` from 0 to `n`.
    pub(super) fn convolve(&self, x: &Samples) -> Wide {
        if !self.is_safe(x, 1 << 31) {
            let reversed = &self.reversed[PADDED - SUBFRAME..PADDED];
            return core::array::from_fn(|n| mac_saturating(&x[..=n], &reversed[SUBFRAME - 1 - n..]));
        }
        let x: [i16; PADDED] = padded(x);
        let mut sums = [0; SUBFRAME];
        for (n, sum) in sums.iter_mut().enumerate() {
            let turned = &self.reversed[PADDED - 1 - n..];
            let products = if n < HALF {
                dot::<HALF>(from(&x, 0), from(turned, 0))
            } else {
                dot::<PADDED>(&x, from(turned, 0))
            };
            *sum = 2 * products;
        }
        sums
    }

    /// Twice the sum of `x[j] * response[j - n]`, `j` from `n` on.
    pub(super) fn correlate(&self, x: &Samples) -> Wide {
        if !self.is_safe(x, 1 << 31) {
            return core::array::from_fn(|n| mac_saturating(&x[n..], &self.forward[..SUBFRAME - n]));
        }
        let x: [i16; 2 * PADDED] = padded(x);
        let mut sums = [0; SUBFRAME];
        for (n, sum) in sums.iter_mut().enumerate() {
            let products = if SUBFRAME - n > HALF {
                dot::<PADDED>(&self.padded, from(&x, n))
            } else {
                dot::<HALF>(from(&self.padded, 0), from(&x, n))
            };
            *sum = 2 * products;
        }
        sums
    }
}
