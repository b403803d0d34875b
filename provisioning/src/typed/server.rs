//! Features that the telephone shares with its server, as the phone reads them.

use crate::settings::Settings;
use core::time::Duration;

/// What an account shares with its server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct AccountServerSettings {
    /// `None` as the telephone's settings say.
    pub feature_sync: Option<bool>,
    pub feature_sync_interval: Duration,
}

/// What is shared with servers, whatever the account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct ServerSettings {
    pub feature_sync: bool,
}

impl Settings {
    pub(super) fn account_server(&self, number: u8) -> AccountServerSettings {
        let value = |name: &str| self.value(&format!("account.N.{name}"), number);
        AccountServerSettings {
            feature_sync: match value("feature_sync").word() {
                "on" => Some(true),
                "off" => Some(false),
                _ => None,
            },
            feature_sync_interval: value("feature_sync_interval").seconds(),
        }
    }

    pub(super) fn server(&self) -> ServerSettings {
        let value = |path: &str| self.value(path, 0);
        ServerSettings { feature_sync: value("calls.feature_sync").bool() }
    }
}
