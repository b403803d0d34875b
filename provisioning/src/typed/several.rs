//! Several calls at once, as the phone reads it.

use crate::settings::Settings;
use core::time::Duration;

/// What an account does with several calls.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct AccountSeveralSettings {
    pub call_waiting: bool,
    /// Empty for none, as the others here.
    pub music_server: String,
    /// Whether the server joins calls.
    pub network_conference: bool,
    pub conference_uri: String,
    /// Whether the focus is asked to call who joins.
    pub focus_calls: bool,
}

/// What the telephone does with several calls.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct SeveralSettings {
    /// Whether the others go on when the person leaves a conference.
    pub transfer_on_leave: bool,
    /// A file; empty for none.
    pub hold_music: String,
    pub hold_tone: bool,
    pub hold_tone_delay: Duration,
    pub waiting_on_code: String,
    pub waiting_off_code: String,
    /// Whether a semi-attended transfer takes over the call that rings.
    pub semi_attended_replaces: bool,
    pub missed_prompt: bool,
}

impl Settings {
    pub(super) fn account_several(&self, number: u8) -> AccountSeveralSettings {
        let value = |name: &str| self.value(&format!("account.N.{name}"), number);
        AccountSeveralSettings {
            call_waiting: value("call_waiting").bool(),
            music_server: value("music_server").text(),
            network_conference: value("conference_type").word() == "network",
            conference_uri: value("conference_uri").text(),
            focus_calls: value("conference_order").word() == "focus",
        }
    }

    pub(super) fn several(&self) -> SeveralSettings {
        let value = |path: &str| self.value(path, 0);
        SeveralSettings {
            transfer_on_leave: value("conference.leave").word() == "transfer",
            hold_music: value("hold.music").text(),
            hold_tone: value("hold.tone").bool(),
            hold_tone_delay: value("hold.tone_delay").seconds(),
            waiting_on_code: value("calls.waiting_on_code").text(),
            waiting_off_code: value("calls.waiting_off_code").text(),
            semi_attended_replaces: value("transfer.semi_attended").word() == "replaces",
            missed_prompt: value("transfer.missed_prompt").bool(),
        }
    }
}
