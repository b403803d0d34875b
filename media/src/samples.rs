//! Samples between their 16-bit form and the floating point that filters work in, at the same scale.

/// Widens samples; the shorter of the two decides how many.
pub(crate) fn to_f32(samples: &[i16], out: &mut [f32]) {
    for (out, sample) in out.iter_mut().zip(samples) {
        *out = f32::from(*sample);
    }
}

/// Rounds samples and clips what does not fit; the shorter of the two decides how many.
pub(crate) fn to_i16(samples: &[f32], out: &mut [i16]) {
    for (out, sample) in out.iter_mut().zip(samples) {
        // Half away from zero; the cast saturates.
        *out = (sample + 0.5_f32.copysign(*sample)) as i16;
    }
}
