//! The high-pass filter before everything else (3GPP TS 26.090 §5.1).

use super::super::FRAME_SAMPLES as FRAME;

/// Second-order high-pass with 80 Hz cut-off that also halves the signal, so that what follows has headroom.
#[derive(Clone, Debug)]
pub(super) struct HighPass {
    /// The last two outputs, the newer first: high part, and what is below it in Q15.
    output: [(i16, i16); 2],
    /// The last two inputs, the newer first.
    input: [i16; 2],
}

impl HighPass {
    pub(super) const fn new() -> Self {
        Self { output: [(0, 0); 2], input: [0; 2] }
    }

    /// Filters a frame of 13-bit samples: the three lowest bits of the input are ignored.
    pub(super) fn filter(&mut self, pcm: &[i16; FRAME], filtered: &mut [i16]) {
        let Self { output: [mut newer, mut older], input: [mut x1, mut x2] } = *self;
        for (out, sample) in filtered.iter_mut().zip(pcm) {
            let x0 = sample & !7;
            // Coefficients in Q12. What does not wait for the last output comes first.
            let zeros = (i32::from(x0) + i32::from(x2)) * 1899 + i32::from(x1) * -3798;
            let pole2 = i32::from(older.0) * -3733 + ((i32::from(older.1) * -3733) >> 15);
            let pole1 = i32::from(newer.0) * 7807 + ((i32::from(newer.1) * 7807) >> 15);
            let sum = zeros.wrapping_add(pole2).wrapping_add(pole1);
            *out = (sum.wrapping_add(0x800) >> 12) as i16;
            let high = (sum >> 12) as i16;
            older = newer;
            newer = (high, (sum.wrapping_shl(3)).wrapping_sub(i32::from(high) << 15) as i16);
            (x1, x2) = (x0, x1);
        }
        *self = Self { output: [newer, older], input: [x1, x2] };
    }
}
