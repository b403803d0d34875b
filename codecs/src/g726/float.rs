//! The small floating-point numbers in which G.726 multiplies (§4.2.6: FLOATA, FLOATB, FMULT).
//!
//! They are magnitudes with six bits of mantissa, of which the first is always set, and a sign; zero counts
//! as one half. An `f32` holds them: cut to six bits, it has the same mantissa and exponent.

/// The bits of an `f32` that are its exponent, and those that are its exponent and the first five of its
/// mantissa.
const EXPONENT: u32 = 0x7f80_0000;
const SIX_BITS: u32 = 0xfffc_0000;
/// An `f32` near this has steps of 1, so the low bits of its pattern are an integer.
const INTEGER_ALIGN: f32 = 12_582_912.0;
/// Signal values are kept times 2^-11, which is what their products are to be multiplied by.
const SCALE: u32 = 11 << 23;

/// The signal value zero.
pub(super) const ZERO: f32 = 0.5 / 2048.0;

/// A signal value of 15 bits and sign.
#[inline(always)]
pub(super) fn signal(negative: bool, magnitude: i32) -> f32 {
    let bits = (magnitude as f32).max(0.5).to_bits() & SIX_BITS;
    f32::from_bits((bits - SCALE) | ((negative as u32) << 31))
}

/// The product of a predictor coefficient (14 bits of fraction) and a signal value: 16 bits with sign, of
/// which the lowest is a half.
///
/// The standard multiplies the mantissas m and n as integers and shifts by the exponents e and f, twice with
/// loss: ⌊⌊(m n + 48) / 16⌋ 2^(e + f - 19)⌋ modulo 2¹⁵. Here every step is exact or rounds as said, in the
/// same order for all taps, so that the compiler computes them side by side.
#[inline(always)]
pub(super) fn product(coefficient: i32, signal: f32) -> i32 {
    // The standard has 13 bits for the magnitude; that of -32768 falls out of them.
    let magnitude = (coefficient >> 2).abs() & 0x1fff;
    let coefficient_bits = (magnitude as f32).max(0.5).to_bits() & SIX_BITS;
    // m n 2^(e + f - 23), and its unit times 2^10.
    let product = f32::from_bits(coefficient_bits) * signal.abs();
    let unit = f32::from_bits(coefficient_bits & EXPONENT) * f32::from_bits(signal.to_bits() & EXPONENT);
    // Down to a multiple of 16: m n + 40.5 is never half-way between two.
    let coarse = unit * (1 << 17) as f32;
    let product = (product + unit * (40.5 / 1024.0) + coarse) - coarse;
    // Down to an integer: below 1 the fraction is at most 251 / 256, above it at most 123 / 128.
    let product = (product - 63.0 / 128.0 + INTEGER_ALIGN).to_bits() as i32 & 0x7fff;
    let sign = (coefficient ^ signal.to_bits() as i32) >> 31;
    (product ^ sign) - sign
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FMULT as the standard writes it, with integers.
    fn fmult(coefficient: i32, negative: bool, magnitude: i32) -> i32 {
        let split = |magnitude: i32| {
            let exponent = (32 - magnitude.leading_zeros()) as i32;
            (if magnitude == 0 { 32 } else { (magnitude << 6) >> exponent }, exponent)
        };
        let (m, e) = split((coefficient >> 2).abs() & 0x1fff);
        let (n, f) = split(magnitude);
        let product = ((((m * n + 48) >> 4) << 9) >> (28 - e - f)) & 0x7fff;
        if (coefficient < 0) == negative { product } else { -product }
    }

    #[test]
    fn products_are_those_of_the_standard() {
        // Every mantissa at every exponent, and what is cut off below it.
        let magnitudes = (0..=14_u32).flat_map(|exponent| (0..64).map(move |m| ((64 + m) << exponent) >> 6));
        for magnitude in core::iter::once(0).chain(magnitudes) {
            for negative in [false, true] {
                let value = signal(negative, magnitude);
                for coefficient in (-32_768..=32_767).step_by(13).chain([-1, 0, 3, 4, 32_767]) {
                    assert_eq!(product(coefficient, value), fmult(coefficient, negative, magnitude));
                }
            }
        }
        assert_eq!(signal(false, 0), ZERO);
    }
}
