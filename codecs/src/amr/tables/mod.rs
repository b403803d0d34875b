//! The numbers that 3GPP TS 26.073 and TS 26.101 fix: codebooks, windows, bit order.

pub(crate) mod bits;
pub(crate) mod gain;
pub(crate) mod lsf;
pub(crate) mod window;

/// Index of a pulse's place in its track, from its Gray code (TS 26.090 §5.7.2).
pub(crate) const FROM_GRAY: [u8; 8] = [0, 1, 3, 2, 5, 6, 4, 7];

/// First places of the two pulses' tracks in modes 4.75 and 5.15, by track set and subframe.
pub(crate) const TRACK_STARTS: [[[u8; 2]; 4]; 2] =
    [[[0, 2], [0, 3], [0, 2], [0, 3]], [[1, 3], [2, 4], [1, 4], [1, 4]]];
