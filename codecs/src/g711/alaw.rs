//! A-law, sample by sample.

use super::{bias, float_code, from_float_code};

/// Every even bit goes out inverted.
const EVEN_BITS: u8 = 0x55;
/// Segment 1 begins at 2⁴ in the 12-bit scale; segment 0 is linear with the same step.
const SECOND_SEGMENT: u32 = bias(4) - 16;
/// The step of the two first segments on the 16-bit scale.
const STEP: u32 = 16;

/// Encodes one sample as the ITU-T STL does: the upper 12 bits count, negatives by ones' complement.
#[inline(always)]
#[must_use]
pub const fn encode_sample(sample: i16) -> u8 {
    let sample = sample as i32;
    let sign = sample >> 31;
    let magnitude = ((sample ^ sign) >> 4) as u32;
    let code = if magnitude < 16 { magnitude } else { float_code(magnitude) - SECOND_SEGMENT };
    (code as u8 | (!sign as u8 & 0x80)) ^ EVEN_BITS
}

/// Decodes one octet to 16 bits; the peak is 32 256.
#[inline(always)]
#[must_use]
pub const fn decode_sample(octet: u8) -> i16 {
    let octet = octet ^ EVEN_BITS;
    let code = (octet & 0x7f) as u32;
    // The 16-bit scale is 16 times the 12-bit one: four more powers of two.
    let upper = from_float_code(code + bias(8) - 16);
    let linear = code * STEP + STEP / 2;
    let magnitude = if code < 16 { linear } else { upper } as i32;
    let sign = (octet >> 7) as i32 - 1;
    ((magnitude ^ sign) - sign) as i16
}
