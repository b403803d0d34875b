//! What becomes of calls, as the phone reads it.

use super::several::{AccountSeveralSettings, SeveralSettings};
use crate::settings::Settings;
use core::time::Duration;

/// What becomes of an account's calls.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct AccountCallSettings {
    /// One of the words of the schema.
    pub caller_id: &'static str,
    pub anonymous_call: bool,
    pub anonymous_rejection: bool,
    pub auto_answer: bool,
    pub auto_answer_mute: bool,
    pub dnd: bool,
    /// Numbers; empty for off, as the others here.
    pub forward_always: String,
    pub forward_busy: String,
    pub forward_no_answer: String,
    /// `None` as the telephone's.
    pub forward_ring_time: Option<Duration>,
    pub hotline: String,
    pub hotline_delay: Duration,
    pub voice_mail: String,
    pub mwi: bool,
    pub mwi_interval: Duration,
    /// Whether the voice mail is asked, not the account.
    pub mwi_to_voice_mail: bool,
    /// Whether only messages of the voice mail count.
    pub mwi_voice_line: bool,
    pub several: AccountSeveralSettings,
}

/// What becomes of calls, whatever the account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct CallSettings {
    /// Whether each account has its own do not disturb and forwards.
    pub custom: bool,
    pub refuse_status: u16,
    /// Numbers between blanks, as the other lists here.
    pub block_list: String,
    pub emergency: String,
    pub dnd: DndSettings,
    pub forward: ForwardSettings,
    pub waiting: bool,
    pub waiting_tone: bool,
    pub auto_answer_delay: Duration,
    pub intercom: IntercomSettings,
    pub bellcore: bool,
    /// `TEXT=RING`, between commas.
    pub ring_texts: String,
    pub transfer_blind_on_hook: bool,
    pub transfer_on_hook: bool,
    pub redial: bool,
    pub redial_interval: Duration,
    pub redial_times: u32,
    pub talk: bool,
    pub hold: bool,
    pub several: SeveralSettings,
}

/// Do not disturb.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct DndSettings {
    pub enabled: bool,
    pub status: u16,
    pub allowed: String,
    /// `HH:MM-HH:MM`, between blanks.
    pub times: String,
    pub on_code: String,
    pub off_code: String,
}

/// The forwards.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct ForwardSettings {
    pub always: bool,
    pub always_target: String,
    pub always_on_code: String,
    pub always_off_code: String,
    pub busy: bool,
    pub busy_target: String,
    pub no_answer: bool,
    pub no_answer_target: String,
    pub ring_time: Duration,
    pub international: bool,
}

/// Calls that ask to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct IntercomSettings {
    pub allow: bool,
    pub mute: bool,
    pub tone: bool,
    pub barge: bool,
}

impl Settings {
    pub(super) fn account_calls(&self, number: u8) -> AccountCallSettings {
        let value = |name: &str| self.value(&format!("account.N.{name}"), number);
        AccountCallSettings {
            caller_id: value("caller_id").word(),
            anonymous_call: value("anonymous_call").bool(),
            anonymous_rejection: value("anonymous_rejection").bool(),
            auto_answer: value("auto_answer").bool(),
            auto_answer_mute: value("auto_answer_mute").bool(),
            dnd: value("dnd").bool(),
            forward_always: value("forward_always").text(),
            forward_busy: value("forward_busy").text(),
            forward_no_answer: value("forward_no_answer").text(),
            forward_ring_time: value("forward_ring_time")
                .optional_number()
                .map(|time| Duration::from_secs(time.into())),
            hotline: value("hotline").text(),
            hotline_delay: value("hotline_delay").seconds(),
            voice_mail: value("voice_mail").text(),
            mwi: value("mwi").bool(),
            mwi_interval: value("mwi_interval").seconds(),
            mwi_to_voice_mail: value("mwi_to_voice_mail").bool(),
            mwi_voice_line: value("mwi_voice_line").bool(),
            several: self.account_several(number),
        }
    }

    pub(super) fn calls(&self) -> CallSettings {
        let value = |path: &str| self.value(path, 0);
        // The schema keeps them within a status.
        let status = |path: &str| u16::try_from(value(path).number()).unwrap_or(u16::MAX);
        CallSettings {
            custom: value("calls.scope").word() == "custom",
            refuse_status: status("calls.refuse_status"),
            block_list: value("calls.block_list").text(),
            emergency: value("calls.emergency").text(),
            dnd: DndSettings {
                enabled: value("dnd.enabled").bool(),
                status: status("dnd.status"),
                allowed: value("dnd.allowed").text(),
                times: value("dnd.times").text(),
                on_code: value("dnd.on_code").text(),
                off_code: value("dnd.off_code").text(),
            },
            forward: ForwardSettings {
                always: value("forward.always").bool(),
                always_target: value("forward.always_target").text(),
                always_on_code: value("forward.always_on_code").text(),
                always_off_code: value("forward.always_off_code").text(),
                busy: value("forward.busy").bool(),
                busy_target: value("forward.busy_target").text(),
                no_answer: value("forward.no_answer").bool(),
                no_answer_target: value("forward.no_answer_target").text(),
                ring_time: value("forward.ring_time").seconds(),
                international: value("forward.international").bool(),
            },
            waiting: value("call_waiting.enabled").bool(),
            waiting_tone: value("call_waiting.tone").bool(),
            auto_answer_delay: value("auto_answer.delay").seconds(),
            intercom: IntercomSettings {
                allow: value("intercom.allow").bool(),
                mute: value("intercom.mute").bool(),
                tone: value("intercom.tone").bool(),
                barge: value("intercom.barge").bool(),
            },
            bellcore: value("ring.bellcore").bool(),
            ring_texts: value("ring.texts").text(),
            transfer_blind_on_hook: value("transfer.blind_on_hook").bool(),
            transfer_on_hook: value("transfer.on_hook").bool(),
            redial: value("redial.auto").bool(),
            redial_interval: value("redial.interval").seconds(),
            redial_times: value("redial.times").number(),
            talk: value("events.talk").bool(),
            hold: value("events.hold").bool(),
            several: self.several(),
        }
    }
}
