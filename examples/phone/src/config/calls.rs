//! What becomes of calls, from the settings.

use super::features::Features;
use super::server::Servers;
use crate::firmware::{AccountPolicy, CallPolicy, NetworkConferenceConfig, SemiAttended, TransferConfig};
use sidetone_dialplan::PlusCodes;
use sidetone_provisioning::{AccountCallSettings, CallSettings, Settings};
use sidetone_sip_core::NameAddr;
use sidetone_sip_ua::feature::alert::{Ring, RingText};
use sidetone_sip_ua::feature::forward::ForwardConfig;
use sidetone_sip_ua::feature::identity::{CallerSource, IdentityConfig};
use sidetone_sip_ua::feature::number::NumberList;
use sidetone_sip_ua::feature::screening::ScreeningConfig;
use sidetone_sip_ua::feature::{Scope, ServerCode, TimeOfDay, Window};
use sidetone_sip_ua::{AccountConfig, JoinOrder};

/// The melodies of the ringer.
const RINGS: u8 = 5;

/// Where an account's messages wait, and when they count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mailbox {
    /// Who is asked for them; `None`: the account itself (YLB-060).
    pub number: Option<String>,
    /// Whether messages wait only where those of the voice mail are counted (PAB-107).
    pub voice_line: bool,
}

/// What becomes of calls: the telephone's settings and each account's.
#[derive(Clone, Debug)]
pub struct Calls {
    /// What is the telephone's; no accounts yet.
    phone: CallPolicy,
    /// What is the same for every account.
    screening: ScreeningConfig,
    accounts: Vec<AccountCallSettings>,
    custom: bool,
    /// Event packages that servers may use without a subscription.
    pub(super) unsolicited: Vec<String>,
    /// What hanging up does for a transfer.
    pub transfer: TransferConfig,
    servers: Servers,
    features: Features,
    /// For accounts of which the settings say nothing.
    shipped: Option<AccountCallSettings>,
    /// What stands in place of a caller's `+`.
    pub(super) plus: Option<PlusCodes>,
}

impl Default for Calls {
    /// As the settings are where nobody set them.
    fn default() -> Self {
        let mut calls = Self {
            phone: CallPolicy::default(),
            screening: ScreeningConfig::default(),
            accounts: Vec::new(),
            custom: false,
            unsolicited: Vec::new(),
            transfer: TransferConfig::default(),
            servers: Servers::default(),
            features: Features::default(),
            shipped: Settings::new().account(1).map(|account| account.calls),
            plus: None,
        };
        // The defaults of the schema read.
        if calls.apply(&Settings::new().phone().calls).is_err() {
            tracing::error!("the defaults of the settings do not read");
        }
        calls
    }
}

impl Calls {
    pub(super) fn apply_file(&mut self, settings: &Settings) -> Result<(), String> {
        let phone = settings.phone();
        self.apply(&phone.calls)?;
        self.servers = Servers::of(settings);
        self.features = Features::of(settings);
        self.features.apply_phone(&mut self.phone)?;
        self.phone.hold_tone_goes_on = phone.tones.hold_goes_on;
        self.phone.tones.held = !phone.tones.held.is_empty();
        let completion = &mut self.phone.completion;
        completion.enabled = phone.completion.enabled;
        completion.after_no_answer = phone.completion.no_answer;
        completion.watch = phone.completion.watch;
        completion.answer = phone.completion.answer;
        self.shipped = settings.as_shipped().account(1).map(|account| account.calls);
        self.accounts = settings.accounts().map(|(_, account)| account.calls).collect();
        Ok(())
    }

    fn apply(&mut self, settings: &CallSettings) -> Result<(), String> {
        self.custom = settings.custom;
        let several = &settings.several;
        let way = if several.semi_attended_replaces { SemiAttended::Replaces } else { SemiAttended::Cancel };
        self.transfer = TransferConfig::new(settings.transfer_blind_on_hook, settings.transfer_on_hook)
            .with_semi_attended(way, several.missed_prompt);
        self.phone.waiting_code = ServerCode::new(&several.waiting_on_code, &several.waiting_off_code);
        self.phone.hold_tone = several.hold_tone.then_some(several.hold_tone_delay);
        self.phone.keep_conference = several.transfer_on_leave;
        self.screening = ScreeningConfig::default().with_refused(settings.refuse_status);
        self.screening.block_list = list(&settings.block_list);
        self.screening.emergency.numbers = list(&settings.emergency);
        (self.screening.call_waiting.enabled, self.screening.call_waiting.tone) =
            (settings.waiting, settings.waiting_tone);
        self.screening.auto_answer.delay = seconds(settings.auto_answer_delay);
        let intercom = &mut self.screening.intercom;
        intercom.allow = settings.intercom.allow;
        intercom.mute = settings.intercom.mute;
        intercom.tone = settings.intercom.tone;
        intercom.barge = settings.intercom.barge;

        let dnd = &mut self.phone.dnd.phone;
        *dnd = core::mem::take(dnd).enabled(settings.dnd.enabled).with_status(settings.dnd.status);
        dnd.allowed = list(&settings.dnd.allowed);
        dnd.code = ServerCode::new(&settings.dnd.on_code, &settings.dnd.off_code);
        dnd.windows = [None; 3];
        dnd.timed = !settings.dnd.times.trim().is_empty();
        let mut free = dnd.windows.iter_mut();
        for text in settings.dnd.times.split_ascii_whitespace() {
            let place = free.next().ok_or("dnd.times: expected at most three spans")?;
            let window = window(text);
            *place =
                Some(window.ok_or_else(|| format!("dnd.times: {text:?}: expected a span as 22:00-06:30"))?);
        }

        let from = &settings.forward;
        let forward = &mut self.phone.forward.phone;
        for (rule, enabled, target) in [
            (&mut forward.always, from.always, &from.always_target),
            (&mut forward.busy, from.busy, &from.busy_target),
            (&mut forward.no_answer, from.no_answer, &from.no_answer_target),
        ] {
            rule.enabled = enabled;
            rule.target.clone_from(target);
        }
        forward.always.code = ServerCode::new(&from.always_on_code, &from.always_off_code);
        forward.ring_time = from.ring_time;
        forward.international = from.international;

        self.unsolicited = [
            ("check-sync", true),
            ("resync", true),
            ("reboot", true),
            ("message-summary", true),
            ("talk", settings.talk),
            ("hold", settings.hold),
        ]
        .into_iter()
        .filter(|(_, wanted)| *wanted)
        .map(|(package, _)| package.to_owned())
        .collect();

        let alert = &mut self.phone.alert;
        (alert.bellcore, alert.built_in) = (settings.bellcore, RINGS);
        alert.texts = texts(&settings.ring_texts)?;
        let redial = &mut self.phone.redial;
        redial.enabled = settings.redial;
        redial.interval = settings.redial_interval;
        redial.times = settings.redial_times;
        Ok(())
    }

    /// The same for a script: any number of calls at once, and with do not disturb on, or with every call sent elsewhere.
    #[must_use]
    pub fn for_script(mut self, dnd: bool, forward: Option<&str>) -> Self {
        self.screening.call_waiting.most_calls = usize::MAX;
        self.custom = false;
        self.phone.dnd.phone.enabled |= dnd;
        if let Some(target) = forward {
            let rule = &mut self.phone.forward.phone.always;
            (rule.enabled, rule.target) = (true, target.to_owned());
        }
        self
    }

    /// Where calls are recorded to; `None` for no recorder.
    #[must_use]
    pub fn recorder(&self) -> Option<crate::audio::RecorderFolder> {
        self.features.recorder()
    }

    /// For how long an account, counted from 0, asks to be told of the extensions that its keys watch.
    #[must_use]
    pub fn blf_expires(&self, account: usize) -> Option<core::time::Duration> {
        self.features.blf_expires(account)
    }

    /// The mailbox of an account, counted from 0.
    #[must_use]
    pub fn mailbox(&self, account: usize) -> Mailbox {
        let settings = self.accounts.get(account).or(self.shipped.as_ref());
        let number =
            settings.filter(|settings| settings.mwi_to_voice_mail && !settings.voice_mail.is_empty());
        Mailbox {
            number: number.map(|settings| settings.voice_mail.clone()),
            voice_line: settings.is_some_and(|settings| settings.mwi_voice_line),
        }
    }

    /// Whether, and for how long, an account asks to hear of waiting messages.
    #[must_use]
    pub fn mwi(&self, account: usize) -> Option<core::time::Duration> {
        self.accounts.get(account).filter(|settings| settings.mwi).map(|settings| settings.mwi_interval)
    }

    /// The rules for these accounts.
    #[must_use]
    pub fn policy(&self, accounts: &[AccountConfig]) -> CallPolicy {
        let mut policy = self.phone.clone();
        self.servers.apply_phone(&mut policy);
        policy.plus.clone_from(&self.plus);
        let scope = if self.custom { Scope::Custom } else { Scope::Phone };
        (policy.dnd.scope, policy.forward.scope) = (scope, scope);
        for (index, account) in (0..).zip(accounts) {
            let place = usize::try_from(index).unwrap_or(usize::MAX);
            let mut own = NameAddr::new(account.aor.clone());
            own.display_name = account.display_name.as_deref().map(Into::into);
            let mut rules = AccountPolicy::new(own);
            rules.screening = self.screening.clone();
            if let Some(settings) = self.accounts.get(place).or(self.shipped.as_ref()) {
                apply_account(settings, &mut rules);
                let dnd = policy.dnd.phone.clone().enabled(settings.dnd);
                let forward = forward_of(settings, &policy.forward.phone);
                // There is room for as many accounts as a telephone has.
                policy.dnd.set(index, dnd);
                policy.forward.set(index, forward);
            }
            self.servers.apply(place, &mut rules);
            self.features.apply(place, &mut rules);
            policy.accounts.push(rules);
        }
        policy
    }
}

fn apply_account(settings: &AccountCallSettings, rules: &mut AccountPolicy) {
    let source = match settings.caller_id {
        "pai" => CallerSource::Pai,
        "pai-from" => CallerSource::PaiFrom,
        "rpid-pai-from" => CallerSource::RpidPaiFrom,
        "pai-rpid-from" => CallerSource::PaiRpidFrom,
        "rpid-from" => CallerSource::RpidFrom,
        _ => CallerSource::From,
    };
    rules.identity = IdentityConfig::new(source);
    rules.anonymity.enabled = settings.anonymous_call;
    rules.screening.anonymous.enabled = settings.anonymous_rejection;
    rules.screening.auto_answer.enabled = settings.auto_answer;
    rules.screening.auto_answer.mute = settings.auto_answer_mute;
    rules.hotline.number.clone_from(&settings.hotline);
    rules.hotline.delay = settings.hotline_delay;
    rules.voice_mail.clone_from(&settings.voice_mail);
    let several = &settings.several;
    rules.screening.call_waiting.enabled &= several.call_waiting;
    let order = if several.focus_calls { JoinOrder::Focus } else { JoinOrder::Member };
    rules.conference = Some(several.conference_uri.trim())
        .filter(|uri| several.network_conference && !uri.is_empty())
        .map(|uri| NetworkConferenceConfig::new(uri, order));
}

fn forward_of(settings: &AccountCallSettings, phone: &ForwardConfig) -> ForwardConfig {
    let mut forward = phone.clone();
    forward.ring_time = settings.forward_ring_time.unwrap_or(forward.ring_time);
    for (rule, target) in [
        (&mut forward.always, &settings.forward_always),
        (&mut forward.busy, &settings.forward_busy),
        (&mut forward.no_answer, &settings.forward_no_answer),
    ] {
        rule.enabled = !target.is_empty();
        rule.target.clone_from(target);
    }
    forward
}

fn list(text: &str) -> NumberList {
    text.split_ascii_whitespace().collect()
}

fn seconds(time: core::time::Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

fn window(text: &str) -> Option<Window> {
    let time = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        TimeOfDay::new(hour.parse().ok()?, minute.parse().ok()?)
    };
    let (from, to) = text.split_once('-')?;
    Some(Window::new(time(from)?, time(to)?))
}

fn texts(text: &str) -> Result<Vec<RingText>, String> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let read = |entry: &str| {
        let (text, ring) = entry.split_once('=')?;
        let ring = ring.trim().parse().ok().filter(|ring| (1..=RINGS).contains(ring))?;
        Some(RingText::new(text.trim(), Ring::BuiltIn(ring)))
    };
    entries
        .map(|entry| {
            read(entry).ok_or_else(|| {
                format!("ring.texts: {entry:?}: expected a text and a ring of 1 to {RINGS}, as family=2")
            })
        })
        .collect()
}
