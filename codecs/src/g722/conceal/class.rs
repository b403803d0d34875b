//! What kind of signal was lost (Appendix IV, clause IV.6.1.4).
#![expect(clippy::indexing_slicing, reason = "fixed arrays; periods are bounded by the search")]

use super::pitch::Pitch;
use super::{LOWER, RESIDUAL};
use crate::fixed::{abs_s, negate};

/// How a signal is extrapolated and how fast it fades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// High correlation with the last period.
    Voiced,
    /// Some correlation.
    WeaklyVoiced,
    /// Energy in the upper band.
    Transition,
    /// Many changes of sign.
    Unvoiced,
    /// Much louder than one period ago.
    Transient,
}

/// What tells the classes apart, but for the signal itself.
pub(super) struct Voicing {
    pub(super) pitch: Pitch,
    pub(super) lower_log_scale: i16,
    pub(super) upper_log_scale: i16,
}

/// The class and the period to repeat. In a signal that is not voiced it tames the last period of the residual.
pub(super) fn classify(
    Voicing { pitch, lower_log_scale, upper_log_scale }: Voicing,
    lower: &[i16; LOWER],
    residual: &mut [i16; RESIDUAL],
) -> (Class, usize) {
    // 0.7, Q15.
    let correlated = pitch.correlation > 22_936;
    let class = match (upper_log_scale > lower_log_scale, correlated) {
        (false, true) => Class::Voiced,
        (false, false) | (true, true) => Class::WeaklyVoiced,
        (true, false) => Class::Transition,
    };
    // 10 ms and the sample before.
    let falls = lower[LOWER - 81..].windows(2).filter(|pair| pair[0] > 0 && pair[1] <= 0).count();
    if falls >= 20 {
        let period = if pitch.period < 32 { 2 * pitch.period } else { pitch.period };
        return (Class::Unvoiced, period);
    }
    if class != Class::Voiced && tame(residual, pitch.period) {
        return (Class::Transient, pitch.period);
    }
    (class, pitch.period)
}

/// Limits each sample of the last period to the greatest of five around it one period ago; whether one was eight
/// times that.
fn tame(residual: &mut [i16; RESIDUAL], period: usize) -> bool {
    let mut transient = false;
    for n in RESIDUAL - period..RESIDUAL {
        let before = &residual[n - period - 2..=n - period + 2];
        let limit = before.iter().fold(0, |limit, &sample| abs_s(sample).max(limit));
        let magnitude = abs_s(residual[n]);
        if magnitude > limit {
            transient |= magnitude >> 3 >= limit;
            residual[n] = if residual[n] < 0 { negate(limit) } else { limit };
        }
    }
    transient
}
