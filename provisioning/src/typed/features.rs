//! Features of single keys and moments, as the phone reads them.

use crate::settings::Settings;
use core::time::Duration;

/// What an account does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct AccountFeatureSettings {
    pub hoteling: bool,
    pub hoteling_interval: Duration,
    pub blf_expires: Duration,
    /// Empty for the telephone's, as the other.
    pub direct_pickup_code: String,
    pub group_pickup_code: String,
    /// One of the words of the schema.
    pub connected_id: &'static str,
}

/// What the telephone does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct FeatureSettings {
    pub direct_pickup: bool,
    /// Empty for none, as the other codes here.
    pub direct_pickup_code: String,
    pub group_pickup: bool,
    pub group_pickup_code: String,
    /// How a call that rings at a watched extension is told of.
    pub pickup_visual: bool,
    pub pickup_audio: bool,
    pub busy_on_code: String,
    pub busy_off_code: String,
    pub no_answer_on_code: String,
    pub no_answer_off_code: String,
    pub transfer_dtmf: bool,
    pub transfer_digits: String,
    pub auto_hold: bool,
    /// Zero for never.
    pub hold_recall: Duration,
    pub busy_tone: Duration,
    pub busy_tone_speaker: Duration,
    /// In place of reorder tone.
    pub failed_busy: bool,
    pub may_silence: bool,
    /// From 1.
    pub default_account: u8,
    pub show_diversion: bool,
    /// One of the words of the schema, as the next.
    pub diversion: &'static str,
    pub ring_after_progress: bool,
    pub hide_digits: &'static str,
    /// Empty for no recorder.
    pub recorder_folder: String,
    /// In Hz.
    pub recorder_rate: u32,
    pub recorder_megabytes: u32,
}

impl Settings {
    pub(super) fn account_features(&self, number: u8) -> AccountFeatureSettings {
        let value = |name: &str| self.value(&format!("account.N.{name}"), number);
        AccountFeatureSettings {
            hoteling: value("hoteling").bool(),
            hoteling_interval: value("hoteling_interval").seconds(),
            blf_expires: value("blf_expires").seconds(),
            direct_pickup_code: value("direct_pickup_code").text(),
            group_pickup_code: value("group_pickup_code").text(),
            connected_id: value("connected_id").word(),
        }
    }

    pub(super) fn features(&self) -> FeatureSettings {
        let value = |path: &str| self.value(path, 0);
        FeatureSettings {
            direct_pickup: value("pickup.direct").bool(),
            direct_pickup_code: value("pickup.direct_code").text(),
            group_pickup: value("pickup.group").bool(),
            group_pickup_code: value("pickup.group_code").text(),
            pickup_visual: value("pickup.visual").bool(),
            pickup_audio: value("pickup.audio").bool(),
            busy_on_code: value("forward.busy_on_code").text(),
            busy_off_code: value("forward.busy_off_code").text(),
            no_answer_on_code: value("forward.no_answer_on_code").text(),
            no_answer_off_code: value("forward.no_answer_off_code").text(),
            transfer_dtmf: value("transfer.dtmf").bool(),
            transfer_digits: value("transfer.dtmf_digits").text(),
            auto_hold: value("calls.auto_hold").bool(),
            hold_recall: value("calls.hold_recall").seconds(),
            busy_tone: value("calls.busy_tone").seconds(),
            busy_tone_speaker: value("calls.busy_tone_speaker").seconds(),
            failed_busy: value("calls.failed_tone").word() == "busy",
            may_silence: value("calls.silence").bool(),
            default_account: u8::try_from(value("calls.default_account").number()).unwrap_or(1),
            show_diversion: value("calls.show_diversion").bool(),
            diversion: value("forward.diversion").word(),
            ring_after_progress: value("calls.ring_after_progress").bool(),
            hide_digits: value("calls.hide_digits").word(),
            recorder_folder: value("recorder.folder").text(),
            recorder_rate: if value("recorder.rate").word() == "8000" { 8000 } else { 16_000 },
            recorder_megabytes: value("recorder.megabytes").number(),
        }
    }
}
