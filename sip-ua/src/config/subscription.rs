//! How the subscriptions of an account are kept.

use crate::subscription::ResubscribeRule;
use sidetone_hal::time::Duration;

/// How the subscriptions of an account are kept, where a request has what [`SubscribeRequest::new`] gives it.
///
/// [`SubscribeRequest::new`]: crate::SubscribeRequest::new
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriptionRules {
    /// The lifetime to ask for in place of the usual hour, in whole seconds (Panasonic's `SIP_SUBS_EXPIRE`).
    pub expires: Option<Duration>,
    /// At which share of the lifetime they are refreshed, in percent, 1 to 100 (Panasonic's `SUB_INTERVAL_RATE`). `None`,
    /// the default: it is drawn between 75 and 90.
    pub refresh: Option<u8>,
    /// When they are tried again in place of the usual back-off.
    pub again: Option<ResubscribeRule>,
}

impl SubscriptionRules {
    /// The same with another lifetime.
    #[must_use]
    pub const fn with_expires(mut self, expires: Duration) -> Self {
        self.expires = Some(expires);
        self
    }

    /// The same with another time of the refresh, in percent.
    #[must_use]
    pub const fn with_refresh(mut self, percent: u8) -> Self {
        self.refresh = Some(percent);
        self
    }

    /// The same with another rule for failures.
    #[must_use]
    pub const fn with_again(mut self, again: ResubscribeRule) -> Self {
        self.again = Some(again);
        self
    }
}
