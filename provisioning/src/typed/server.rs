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
    pub advice_of_charge: bool,
    pub acd: bool,
    pub acd_interval: Duration,
    pub shared_call: bool,
    pub bridged_line: bool,
    pub barge_in: bool,
}

/// What is shared with servers, whatever the account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct ServerSettings {
    pub feature_sync: bool,
    pub record_key: bool,
    /// The statuses by which anonymous callers, and those of the block list, are refused.
    pub anonymous_status: u16,
    pub block_status: u16,
    pub wrap_up: bool,
    pub auto_available: bool,
    pub auto_available_after: Duration,
    /// One of the words of the schema.
    pub flash_key: &'static str,
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
            advice_of_charge: value("advice_of_charge").bool(),
            acd: value("acd").bool(),
            acd_interval: value("acd_interval").seconds(),
            shared_call: value("shared_call").bool(),
            bridged_line: value("bridged_line").bool(),
            barge_in: value("barge_in").bool(),
        }
    }

    pub(super) fn server(&self) -> ServerSettings {
        let value = |path: &str| self.value(path, 0);
        // The schema keeps them within a status.
        let status = |path: &str| u16::try_from(value(path).number()).unwrap_or(u16::MAX);
        ServerSettings {
            feature_sync: value("calls.feature_sync").bool(),
            record_key: value("calls.record_key").bool(),
            anonymous_status: status("calls.anonymous_status"),
            block_status: status("calls.block_status"),
            wrap_up: value("acd.wrap_up").bool(),
            auto_available: value("acd.auto_available").bool(),
            auto_available_after: value("acd.auto_available_after").seconds(),
            flash_key: value("calls.flash_key").word(),
        }
    }
}
