//! The adaptive predictor: six zeros over the quantised differences, two poles over the reconstructed signal
//! (G.726 §2.6 and §4.2.6).

use super::float;

/// Estimates of the next sample, 15 bits with sign.
#[derive(Clone, Copy)]
pub(super) struct Estimate {
    /// From all eight coefficients (SE).
    pub(super) signal: i32,
    /// From the zeros alone (SEZ).
    pub(super) zeros: i32,
}

/// A quantised difference.
#[derive(Clone, Copy)]
pub(super) struct Difference {
    pub(super) negative: bool,
    /// Below 2¹⁵. A difference of zero has a sign too.
    pub(super) magnitude: i32,
}

impl Difference {
    #[inline(always)]
    pub(super) fn value(self) -> i32 {
        if self.negative { -self.magnitude } else { self.magnitude }
    }
}

/// Eight taps: the zeros, then the poles.
#[derive(Clone, Debug)]
pub(super) struct Predictor {
    /// 14 bits of fraction.
    coefficients: [i32; 8],
    /// The last six differences (DQ) and the last two reconstructed samples (SR), the newest first.
    past: [f32; 8],
    /// Whether the last two sums of difference and zeros' estimate were negative, the newest first (PK).
    falling: [bool; 2],
}

impl Predictor {
    pub(super) const fn new() -> Self {
        Self { coefficients: [0; 8], past: [float::ZERO; 8], falling: [false; 2] }
    }

    #[inline(always)]
    pub(super) fn estimate(&self) -> Estimate {
        let mut taps = [0; 8];
        for ((tap, &coefficient), &past) in taps.iter_mut().zip(&self.coefficients).zip(&self.past) {
            *tap = float::product(coefficient, past);
        }
        let [b1, b2, b3, b4, b5, b6, a1, a2] = taps;
        let zeros = b1 + b2 + b3 + b4 + b5 + b6;
        let all = zeros + a1 + a2;
        // Sums modulo 2¹⁶.
        Estimate { signal: i32::from(all as i16) >> 1, zeros: i32::from(zeros as i16) >> 1 }
    }

    /// Learns from the sample that came; returns the reconstructed sample and whether the spectrum has a
    /// narrow peak, as with a modem's tone (§2.7). `LEAK` is the shift of the zeros' leak.
    #[inline(always)]
    pub(super) fn learn<const LEAK: i32>(
        &mut self,
        difference: Difference,
        estimate: Estimate,
    ) -> (i32, bool) {
        let signal = i32::from((difference.value() + estimate.signal) as i16);
        let [a1, a2] = self.adapted_poles(i32::from((difference.value() + estimate.zeros) as i16));
        self.adapt_zeros::<LEAK>(difference);
        self.coefficients[6] = a1;
        self.coefficients[7] = a2;
        let [q1, q2, q3, q4, q5, _, s1, _] = self.past;
        let q0 = float::signal(difference.negative, difference.magnitude);
        // -32768 has no magnitude in 15 bits: it becomes a zero with sign.
        let s0 = float::signal(signal < 0, signal.abs() & 0x7fff);
        self.past = [q0, q1, q2, q3, q4, q5, s0, s1];
        (signal, a2 < -11_776)
    }

    /// Forgets the coefficients: a modem has changed its tone (§2.7).
    pub(super) fn forget(&mut self) {
        self.coefficients = [0; 8];
    }

    /// The gradient step of the zeros by the signs of the differences (UPB).
    #[inline(always)]
    fn adapt_zeros<const LEAK: i32>(&mut self, difference: Difference) {
        let gain = if difference.magnitude == 0 { 0 } else { 128 };
        let gain = if difference.negative { -gain } else { gain };
        for (coefficient, past) in self.coefficients.iter_mut().zip(&self.past) {
            let sign = past.to_bits() as i32 >> 31;
            let adapted = *coefficient + ((gain ^ sign) - sign) - (*coefficient >> LEAK);
            // Modulo 2¹⁶.
            *coefficient = adapted << 16 >> 16;
        }
    }

    /// The gradient step of the poles by the signs of the last three sums (UPA1, UPA2, LIMC, LIMD).
    #[inline(always)]
    fn adapted_poles(&mut self, sum: i32) -> [i32; 2] {
        let falling = sum < 0;
        let [.., a1, a2] = self.coefficients;
        let (mut step1, mut step2) = (0, 0);
        if sum != 0 {
            let bend = a1.clamp(-8191, 8191) << 2;
            let with_last = falling == self.falling[0];
            step1 = if with_last { 192 } else { -192 };
            step2 = if falling == self.falling[1] { 16_384 } else { -16_384 }
                + if with_last { -bend } else { bend };
        }
        let a2 = (a2 + (step2 >> 7) - (a2 >> 7)).clamp(-12_288, 12_288);
        let limit = 15_360 - a2;
        let a1 = (a1 + step1 - (a1 >> 8)).clamp(-limit, limit);
        self.falling = [falling, self.falling[0]];
        [a1, a2]
    }
}
