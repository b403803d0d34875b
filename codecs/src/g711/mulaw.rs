//! Mu-law, sample by sample.

use super::{bias, float_code, from_float_code};

/// Added to the 14-bit magnitude so that the segments begin at powers of two.
const OFFSET: i16 = 33;
/// The largest magnitude with the offset, 13 bits.
const CLIP: i16 = 0x1fff;
/// Segment 0 begins at 2⁵ when the offset is in.
const FIRST_SEGMENT: i16 = bias(5);

/// Encodes one sample as the ITU-T STL does: the upper 14 bits count, negatives by ones' complement.
#[inline(always)]
#[must_use]
pub const fn encode_sample(sample: i16) -> u8 {
    let sign = sample >> 15;
    let magnitude = ((sample ^ sign) >> 2) + OFFSET;
    let magnitude = if magnitude > CLIP { CLIP } else { magnitude };
    let code = float_code(magnitude) - FIRST_SEGMENT;
    // The code goes out inverted, with the sign bit set for positive samples.
    (!code ^ (sign & 0x80)) as u8
}

/// Decodes one octet to 16 bits; the peak is 32 124.
#[inline(always)]
#[must_use]
pub const fn decode_sample(octet: u8) -> i16 {
    let code = !octet as i8;
    let magnitude = (from_float_code((code & 0x7f) as i16 + FIRST_SEGMENT) - OFFSET) << 2;
    let sign = (code >> 7) as i16;
    (magnitude ^ sign) - sign
}
