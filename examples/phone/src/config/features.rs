//! Features of single keys and moments, from the settings: guests, pickup, transfer by key presses, what happens to calls that
//! are left on hold, and the recorder.

use crate::audio::RecorderFolder;
use crate::firmware::{AccountPolicy, CallPolicy, ConnectedId, PickupCodes, SentDigits};
use core::time::Duration;
use sidetone_provisioning::{AccountFeatureSettings, FeatureSettings, Settings};
use sidetone_sip_ua::feature::ServerCode;
use sidetone_sip_ua::feature::diversion::DiversionMode;

/// Features of single keys and moments.
#[derive(Clone, Debug)]
pub(super) struct Features {
    phone: FeatureSettings,
    accounts: Vec<AccountFeatureSettings>,
    /// For accounts of which the settings say nothing.
    shipped: Option<AccountFeatureSettings>,
}

impl Default for Features {
    fn default() -> Self {
        Self::of(&Settings::new())
    }
}

impl Features {
    pub(super) fn of(settings: &Settings) -> Self {
        let accounts = settings.accounts().map(|(_, account)| account.features).collect();
        let shipped = settings.as_shipped().account(1).map(|account| account.features);
        Self { phone: settings.phone().features, accounts, shipped }
    }

    /// Sets the telephone up.
    pub(super) fn apply_phone(&self, policy: &mut CallPolicy) -> Result<(), String> {
        let phone = &self.phone;
        let digits = phone.transfer_digits.trim();
        if !digits.chars().all(|digit| matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D')) {
            return Err(format!("transfer.dtmf_digits: {digits:?}: expected 0-9, *, # and A-D"));
        }
        if phone.transfer_dtmf && digits.is_empty() {
            return Err("transfer.dtmf: needs transfer.dtmf_digits".to_owned());
        }
        let habits = &mut policy.habits;
        (habits.direct_pickup, habits.group_pickup) = (phone.direct_pickup, phone.group_pickup);
        (habits.pickup_visual, habits.pickup_audio) = (phone.pickup_visual, phone.pickup_audio);
        habits.transfer_digits = phone.transfer_dtmf.then(|| digits.to_owned());
        habits.auto_hold = phone.auto_hold;
        habits.hold_recall = Some(phone.hold_recall).filter(|wait| !wait.is_zero());
        habits.busy_tone = phone.busy_tone;
        habits.busy_tone_speaker = phone.busy_tone_speaker;
        habits.failed_busy = phone.failed_busy;
        habits.may_silence = phone.may_silence;
        habits.default_account = usize::from(phone.default_account).saturating_sub(1);
        habits.show_diversion = phone.show_diversion;
        habits.ring_after_progress = phone.ring_after_progress;
        habits.sent_digits = match phone.hide_digits {
            "yes" => SentDigits::Hidden,
            "delayed" => SentDigits::Delayed,
            _ => SentDigits::Shown,
        };
        habits.recorder = !phone.recorder_folder.is_empty();
        let forward = &mut policy.forward.phone;
        forward.diversion = match phone.diversion {
            "none" => DiversionMode::None,
            "append" => DiversionMode::Append,
            _ => DiversionMode::Own,
        };
        forward.busy.code = ServerCode::new(&phone.busy_on_code, &phone.busy_off_code);
        forward.no_answer.code = ServerCode::new(&phone.no_answer_on_code, &phone.no_answer_off_code);
        Ok(())
    }

    /// Sets an account up, counted from 0.
    pub(super) fn apply(&self, place: usize, rules: &mut AccountPolicy) {
        let Some(account) = self.account(place) else { return };
        rules.connected = match account.connected_id {
            "asserted" => ConnectedId::Asserted,
            "dialled" => ConnectedId::Dialled,
            "update" => ConnectedId::Update,
            _ => ConnectedId::Any,
        };
        rules.hoteling = account.hoteling.then_some(account.hoteling_interval);
        rules.pickup = PickupCodes::new(
            (&account.direct_pickup_code, &account.group_pickup_code),
            (&self.phone.direct_pickup_code, &self.phone.group_pickup_code),
        );
    }

    /// How long an account, counted from 0, asks to be told of extensions.
    pub(super) fn blf_expires(&self, place: usize) -> Option<Duration> {
        self.account(place).map(|account| account.blf_expires)
    }

    /// Where calls are recorded to; `None` for no recorder.
    pub(super) fn recorder(&self) -> Option<RecorderFolder> {
        let phone = &self.phone;
        let octets = u64::from(phone.recorder_megabytes) << 20;
        (!phone.recorder_folder.is_empty())
            .then(|| RecorderFolder::new(&phone.recorder_folder, phone.recorder_rate, octets))
    }

    fn account(&self, place: usize) -> Option<&AccountFeatureSettings> {
        self.accounts.get(place).or(self.shipped.as_ref())
    }
}
