//! How an account's subscriptions are kept, as the phone reads it.

use crate::settings::Settings;
use core::time::Duration;

/// How an account's subscriptions are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct SubscribingSettings {
    pub expires: Duration,
    /// Percent of the lifetime; `None` draws it.
    pub refresh: Option<u8>,
    /// `None` backs off.
    pub retry: Option<Duration>,
    pub stops_on_403: bool,
}

impl Settings {
    pub(super) fn account_subscribing(&self, number: u8) -> SubscribingSettings {
        let value = |name: &str| self.value(&format!("account.N.subscribe_{name}"), number);
        SubscribingSettings {
            expires: value("expires").seconds(),
            refresh: Some(value("refresh").octet()).filter(|percent| *percent > 0),
            retry: Some(value("retry").seconds()).filter(|time| !time.is_zero()),
            stops_on_403: value("stops_on_403").bool(),
        }
    }
}
