//! The delay that a user allows, as the settings of telephones name it.

use sidetone_hal::time::Duration;

/// The longest delay that can be set: 50 units of 10 ms, the widest range among the telephones' settings.
pub const MOST_DELAY: Duration = Duration::from_millis(500);

/// Whether the delay follows the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DelayMode {
    /// It is always [`DelayLimits::normal`].
    Fixed,
    /// It moves between [`DelayLimits::min`] and [`DelayLimits::max`].
    #[default]
    Adaptive,
}

/// How long speech may be held back against jitter.
///
/// | here | Yealink | Panasonic | Dinstar |
/// | --- | --- | --- | --- |
/// | `mode` | `voice.jib.adaptive` 0, 1 | always adaptive | Type: Fixed, Adaptive |
/// | `min` | `voice.jib.min` 0–400 ms | `MIN_DELAY_n` 1–2 × 10 ms | Min Delay |
/// | `normal` | `voice.jib.normal` 0–400 ms, for the fixed type | `NOM_DELAY_n` 1–7 × 10 ms | Normal Delay |
/// | `max` | `voice.jib.max` 0–400 ms | `MAX_DELAY_n` 3–50 × 10 ms | Max Delay |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DelayLimits {
    /// Fixed or adaptive.
    pub mode: DelayMode,
    /// Adaptive: never less.
    pub min: Duration,
    /// Fixed: the delay. Adaptive: not less until 20 packets were measured.
    pub normal: Duration,
    /// Adaptive: never more; what comes later is lost.
    pub max: Duration,
}

impl DelayLimits {
    /// A constant delay.
    ///
    /// # Errors
    /// It is above [`MOST_DELAY`].
    pub const fn fixed(delay: Duration) -> Result<Self, DelayLimitsError> {
        Self { mode: DelayMode::Fixed, min: delay, normal: delay, max: delay }.checked()
    }

    /// A delay that follows the network, from `min` to `max`; `normal` at first.
    ///
    /// # Errors
    /// They are not in this order, or above [`MOST_DELAY`].
    pub const fn adaptive(min: Duration, normal: Duration, max: Duration) -> Result<Self, DelayLimitsError> {
        Self { mode: DelayMode::Adaptive, min, normal, max }.checked()
    }

    /// These limits if they make sense. What the mode does not use is not looked at.
    ///
    /// # Errors
    /// `min`, `normal` and `max` are not in this order, or one is above [`MOST_DELAY`].
    pub const fn checked(self) -> Result<Self, DelayLimitsError> {
        let (min, normal, max) = (self.min.as_micros(), self.normal.as_micros(), self.max.as_micros());
        let most = MOST_DELAY.as_micros();
        match self.mode {
            DelayMode::Fixed if normal > most => Err(DelayLimitsError::TooLong),
            DelayMode::Adaptive if max > most => Err(DelayLimitsError::TooLong),
            DelayMode::Adaptive if min > normal => Err(DelayLimitsError::MinAboveNormal),
            DelayMode::Adaptive if normal > max => Err(DelayLimitsError::NormalAboveMax),
            _ => Ok(self),
        }
    }

    /// The delay before anything was measured.
    #[must_use]
    pub(super) fn first(&self) -> Duration {
        match self.mode {
            DelayMode::Fixed => self.normal.min(MOST_DELAY),
            DelayMode::Adaptive => self.within(self.normal),
        }
    }

    /// What comes of a wish for `delay`.
    #[must_use]
    pub(super) fn within(&self, delay: Duration) -> Duration {
        match self.mode {
            DelayMode::Fixed => self.normal.min(MOST_DELAY),
            DelayMode::Adaptive => delay.max(self.min).min(self.max).min(MOST_DELAY),
        }
    }
}

impl Default for DelayLimits {
    /// Adaptive: from 0 to 200 ms, 40 ms at first.
    fn default() -> Self {
        Self {
            mode: DelayMode::Adaptive,
            min: Duration::ZERO,
            normal: Duration::from_millis(40),
            max: Duration::from_millis(200),
        }
    }
}

/// Why limits make no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DelayLimitsError {
    /// The least delay is above the first one.
    #[error("the jitter buffer's minimum delay is above its normal delay")]
    MinAboveNormal,
    /// The first delay is above the longest.
    #[error("the jitter buffer's normal delay is above its maximum delay")]
    NormalAboveMax,
    /// Longer than [`MOST_DELAY`].
    #[error("a jitter buffer delay above {} ms", MOST_DELAY.as_millis())]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn limits_are_checked_as_their_mode_uses_them() {
        use DelayLimitsError as E;
        assert_eq!(DelayLimits::adaptive(ms(60), ms(120), ms(300)).map(|limits| limits.max), Ok(ms(300)));
        assert_eq!(DelayLimits::adaptive(ms(130), ms(120), ms(300)), Err(E::MinAboveNormal));
        assert_eq!(DelayLimits::adaptive(ms(10), ms(310), ms(300)), Err(E::NormalAboveMax));
        assert_eq!(DelayLimits::adaptive(ms(0), ms(0), ms(501)), Err(E::TooLong));
        assert_eq!(DelayLimits::fixed(ms(501)), Err(E::TooLong));
        let odd = DelayLimits { mode: DelayMode::Fixed, min: ms(400), normal: ms(120), max: ms(0) };
        assert_eq!(odd.checked(), Ok(odd), "a fixed delay has no limits");
        assert_eq!(E::TooLong.to_string(), "a jitter buffer delay above 500 ms");
        assert_eq!(DelayLimits::default().checked(), Ok(DelayLimits::default()));
    }

    #[test]
    fn a_wish_is_kept_within_the_limits() {
        let adaptive = DelayLimits::adaptive(ms(20), ms(40), ms(100)).unwrap();
        assert_eq!([ms(0), ms(50), ms(900)].map(|wish| adaptive.within(wish)), [ms(20), ms(50), ms(100)]);
        let fixed = DelayLimits::fixed(ms(120)).unwrap();
        assert_eq!([ms(0), ms(900)].map(|wish| fixed.within(wish)), [ms(120), ms(120)]);
        assert_eq!((adaptive.first(), fixed.first()), (ms(40), ms(120)));
    }
}
