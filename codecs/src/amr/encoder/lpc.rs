//! Short-term prediction: windowing, autocorrelation and the Levinson-Durbin recursion (3GPP TS 26.090 §5.2.1, §5.2.2).
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the filter order")]

use super::super::ORDER;
use super::super::lsp::Lpc;
use super::super::tables::window::{WINDOW_160_80, WINDOW_200_40, WINDOW_232_8};
use super::operators::{dot, energy, norm32, part, shl32};
use crate::fixed::{abs_s, div_32, l_abs, l_extract, l_negate, mpy_32};

/// Samples under an analysis window.
pub(super) const WINDOW: usize = 240;

/// Autocorrelations in double precision format, the one of lag 0 first, normalised.
type Autocorrelation = [(i16, i16); ORDER + 1];

/// Linear prediction analysis; remembers the last stable filter.
#[derive(Clone, Debug)]
pub(super) struct Analysis {
    last: Lpc,
}

impl Analysis {
    pub(super) const fn new() -> Self {
        Self { last: [4096, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] }
    }

    /// The filter of the fourth subframe, which looks 5 ms ahead (all modes but 12.2).
    pub(super) fn once(&mut self, speech: &[i16; WINDOW]) -> Lpc {
        self.levinson(&autocorrelation(speech, &WINDOW_200_40))
    }

    /// The filters of the second and the fourth subframe in mode 12.2, without look-ahead.
    pub(super) fn twice(&mut self, speech: &[i16; WINDOW]) -> [Lpc; 2] {
        let middle = self.levinson(&autocorrelation(speech, &WINDOW_160_80));
        [middle, self.levinson(&autocorrelation(speech, &WINDOW_232_8))]
    }

    /// The Levinson-Durbin recursion. Coefficients are Q27 in double precision format on the way; a reflection
    /// coefficient near 1 gives up and repeats the last filter.
    fn levinson(&mut self, r: &Autocorrelation) -> Lpc {
        // The first reflection coefficient, -r1 / r0.
        let r1 = join(r[1]);
        let k = div_32(l_abs(r1), r[0].0, r[0].1);
        let mut k = if r1 > 0 { l_negate(k) } else { k };
        let mut a = [(0i16, 0i16); ORDER + 1];
        a[1] = l_extract(k >> 4);
        let (high, low) = remainder(k);
        let error = mpy_32(r[0].0, r[0].1, high, low);
        let mut exponent = norm32(error);
        let mut error = l_extract(error.wrapping_shl(exponent as u32));

        for i in 2..=ORDER {
            let mut sum = 0i32;
            for j in 1..i {
                let ((r_high, r_low), (a_high, a_low)) = (r[j], a[i - j]);
                sum = sum
                    .wrapping_add(i32::from(r_high) * i32::from(a_high))
                    .wrapping_add((i32::from(r_high) * i32::from(a_low)) >> 15)
                    .wrapping_add((i32::from(r_low) * i32::from(a_high)) >> 15);
            }
            let sum = sum.wrapping_shl(5).wrapping_add(join(r[i]));
            k = div_32(l_abs(sum), error.0, error.1);
            if sum > 0 {
                k = l_negate(k);
            }
            k = shl32(k, exponent);
            let (k_high, k_low) = l_extract(k);
            if abs_s(k_high) > 32750 {
                return self.last;
            }

            let before = a;
            for j in 1..i {
                let ((high, low), (past_high, past_low)) = (before[j], before[i - j]);
                let sum = (i32::from(k_high) * i32::from(past_high))
                    .wrapping_add((i32::from(k_high) * i32::from(past_low)) >> 15)
                    .wrapping_add((i32::from(k_low) * i32::from(past_high)) >> 15)
                    .wrapping_add((i32::from(high) << 15) + i32::from(low));
                let high = (sum >> 15) as i16;
                a[j] = (high, sum.wrapping_sub(i32::from(high) << 15) as i16);
            }
            let high = (k >> 20) as i16;
            a[i] = (high, (k >> 5).wrapping_sub(i32::from(high) << 15) as i16);

            // What is left of the prediction error: (1 - k²) times as much.
            let (high, low) = remainder(k);
            let left = (i32::from(error.0) * i32::from(high))
                .wrapping_add((i32::from(error.0) * i32::from(low)) >> 15)
                .wrapping_add((i32::from(error.1) * i32::from(high)) >> 15)
                .wrapping_shl(1);
            let shift = norm32(left);
            error = l_extract(left.wrapping_shl(shift as u32));
            exponent += shift;
        }

        for (last, (high, low)) in self.last.iter_mut().zip(a).skip(1) {
            *last = (((i32::from(high) << 15) + i32::from(low) + 0x2000) >> 14) as i16;
        }
        self.last
    }
}

/// Out of the double precision format.
fn join((high, low): (i16, i16)) -> i32 {
    (i32::from(high) << 16).wrapping_add(i32::from(low) << 1)
}

/// `1 - k²` in double precision format.
fn remainder(k: i32) -> (i16, i16) {
    let (high, low) = l_extract(k);
    l_extract(i32::MAX - l_abs(mpy_32(high, low, high, low)))
}

/// Autocorrelation of the windowed speech, with the lag window applied (60 Hz wider lines, and a noise floor at -40 dB).
fn autocorrelation(speech: &[i16; WINDOW], window: &[i16; WINDOW]) -> Autocorrelation {
    // Zeros after the window, for products with the shifted one.
    let mut padded = [0i16; WINDOW + ORDER];
    let windowed: &mut [i16] = &mut padded[..WINDOW];
    for ((out, x), w) in windowed.iter_mut().zip(speech).zip(window) {
        *out = ((i32::from(*x) * i32::from(*w) + 0x4000) >> 15) as i16;
    }
    let mut total = i32::try_from(2 * energy(windowed)).unwrap_or_default();
    // Scaled down until the reference sees no overflow; its sum wraps, so it may well be wrong.
    while total <= 0 && windowed.iter().any(|x| *x != 0) {
        for x in windowed.iter_mut() {
            *x >>= 2;
        }
        let windowed = part::<WINDOW>(windowed, 0);
        total = dot(windowed, windowed).wrapping_shl(1);
    }

    let total = total.wrapping_add(1);
    let shift = norm32(total);
    let mut r = [(0, 0); ORDER + 1];
    r[0] = l_extract(total.wrapping_shl(shift as u32));
    for lag in 1..=ORDER {
        let product = dot(part::<WINDOW>(&padded, lag), part(&padded, 0));
        let (high, low) = l_extract(product.wrapping_shl(shift as u32 + 1));
        let (lag_high, lag_low) = LAG_WINDOW[lag - 1];
        r[lag] = l_extract(mpy_32(high, low, lag_high, lag_low));
    }
    r
}

/// The lag window in double precision format, from lag 1.
const LAG_WINDOW: [(i16, i16); ORDER] = [
    (32728, 11904),
    (32619, 17280),
    (32438, 30720),
    (32187, 25856),
    (31867, 24192),
    (31480, 28992),
    (31029, 24384),
    (30517, 7360),
    (29946, 19520),
    (29321, 14784),
];
