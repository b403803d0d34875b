//! A-law, sample by sample.

use super::{bias, float_code, from_float_code};

/// Every even bit goes out inverted.
const EVEN_BITS: u8 = 0x55;
/// Segment 1 begins at 2⁴ in the 12-bit scale; segment 0 is linear with the same step.
const SECOND_SEGMENT: i16 = bias(4) - 16;

/// Encodes one sample as the ITU-T STL does: the upper 12 bits count, negatives by ones' complement.
#[inline(always)]
#[must_use]
pub const fn encode_sample(sample: i16) -> u8 {
    let sign = sample >> 15;
    let magnitude = (sample ^ sign) >> 4;
    // The float codes of segment 0 are below the magnitudes, which are its codes.
    let code = max(float_code(magnitude) - SECOND_SEGMENT, min(magnitude, 16));
    (code | (!sign & 0x80)) as u8 ^ EVEN_BITS
}

/// Decodes one octet to 16 bits; the peak is 32 256.
#[inline(always)]
#[must_use]
pub const fn decode_sample(octet: u8) -> i16 {
    let octet = (octet ^ EVEN_BITS) as i8;
    let code = (octet & 0x7f) as i16;
    // The 16-bit scale is 16 times the 12-bit one: four more powers of two.
    let upper = from_float_code(code + bias(8) - 16);
    // Segment 0 would have half the step of segment 1, and begin at 128: it is stretched. The others grow by
    // that.
    let magnitude = min(upper, upper.saturating_add(upper - 256));
    let sign = !(octet >> 7) as i16;
    (magnitude ^ sign) - sign
}

// Not `Ord::min`, which is no `const fn`.
#[inline(always)]
const fn min(a: i16, b: i16) -> i16 {
    if a < b { a } else { b }
}

#[inline(always)]
const fn max(a: i16, b: i16) -> i16 {
    if a < b { b } else { a }
}
