//! When a binding is refreshed, and when a REGISTER that failed is tried again.

use sidetone_hal::rng::Rng;
use sidetone_hal::time::Duration;

/// When a binding is refreshed. Whatever the rule says, it is at the latest at 99 % of the lifetime, and not within the
/// first second: a binding that ends before its refresh is none.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum RefreshRule {
    /// At a random point between these shares of the lifetime in percent, so that telephones which came up together do
    /// not stay together. The default: 50 to 90.
    Random {
        /// The lower bound, 1 to 100.
        from: u8,
        /// The upper bound, 1 to 100.
        to: u8,
    },
    /// At this share of the lifetime in percent, 1 to 100 (Panasonic's `REG_INTERVAL_RATE`, 90 there).
    Percent(u8),
    /// So long before the end.
    Before(Duration),
    /// Every so long, whatever lifetime the registrar grants (SayHi's refresh time, 20 s at least there).
    Every(Duration),
}

impl Default for RefreshRule {
    fn default() -> Self {
        Self::Random { from: 50, to: 90 }
    }
}

impl RefreshRule {
    /// How long after the registrar granted it a binding of this lifetime is refreshed.
    pub(crate) fn wait(self, lifetime: Duration, rng: &mut Rng) -> Duration {
        let share = |percent: u8| f64::from(percent.clamp(1, 100)) / 100.0;
        let wait = match self {
            Self::Random { from, to } => {
                let (from, to) = (share(from), share(to));
                lifetime.mul_f64(from + (to - from).max(0.0) * rng.unit())
            }
            Self::Percent(percent) => lifetime.mul_f64(share(percent)),
            Self::Before(margin) => lifetime.saturating_sub(margin),
            Self::Every(interval) => interval,
        };
        wait.max(FIRST).min(lifetime.mul_f64(0.99))
    }
}

/// No refresh comes sooner, so that a margin longer than the lifetime makes no storm.
const FIRST: Duration = Duration::from_secs(1);

/// When a REGISTER that failed is tried again. A longer Retry-After counts instead, and a challenge that cannot be
/// answered is never tried again by itself: that would lock the account at many registrars.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryRule {
    /// Every so long (Panasonic's `REG_RTX_INTVL`, 10 s there). `None`, the default: the back-off of RFC 5626 §4.5 with
    /// the times in [`AgentConfig`](crate::AgentConfig).
    pub interval: Option<Duration>,
    /// Whether a 403 is final: no further REGISTER until [`register`](crate::Agent::register) (Panasonic). Off by
    /// default.
    pub stop_on_forbidden: bool,
}

impl RetryRule {
    /// As Panasonic's telephones: every 10 s, and never after 403.
    #[must_use]
    pub const fn panasonic() -> Self {
        Self { interval: Some(Duration::from_secs(10)), stop_on_forbidden: true }
    }

    /// Every so long.
    #[must_use]
    pub const fn every(interval: Duration) -> Self {
        Self { interval: Some(interval), stop_on_forbidden: false }
    }

    /// The same rule, which takes a 403 as final.
    #[must_use]
    pub const fn stopping_on_forbidden(mut self) -> Self {
        self.stop_on_forbidden = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_keeps_within_the_lifetime() {
        let mut rng = Rng::from_u64(1);
        let secs = Duration::from_secs;
        let table = [
            (RefreshRule::Percent(90), 600, 540),
            (RefreshRule::Percent(0), 600, 6),
            (RefreshRule::Percent(200), 600, 594),
            (RefreshRule::Before(secs(32)), 600, 568),
            (RefreshRule::Before(secs(900)), 600, 1),
            (RefreshRule::Every(secs(20)), 600, 20),
            (RefreshRule::Every(secs(3600)), 600, 594),
            (RefreshRule::Random { from: 70, to: 70 }, 600, 420),
            (RefreshRule::Random { from: 90, to: 10 }, 600, 540),
        ];
        for (rule, lifetime, expected) in table {
            let wait = rule.wait(secs(lifetime), &mut rng);
            let error = wait.as_secs_f64() - f64::from(expected);
            assert!(error.abs() < 0.001, "{rule:?}: {wait:?}");
        }
        assert!(RefreshRule::default().wait(secs(1), &mut rng) < secs(1));
    }
}
