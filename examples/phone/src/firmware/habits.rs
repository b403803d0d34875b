//! What the telephone does at certain moments, as it is set up: while a number is dialled, while a call is up, on hold and
//! over.

use super::{Call, CallRef, CallState, Command, ENDED_SHOWN, Firmware, Mode, Sound, Timer, remember};
use sidetone_hal::audio::AudioPath;
use sidetone_hal::hook::HookState;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::{Headers, NameAddr};
use sidetone_sip_ua::feature::diversion::{DiversionReason, diversions};
use sidetone_sip_ua::feature::number;

/// How long a digit is shown that becomes a `*`.
const DIGIT_SHOWN: Duration = Duration::from_secs(1);
/// How long a call that was left on hold rings for the person each time.
const RECALL: Duration = Duration::from_secs(10);

/// How digits look that are sent in a call (YLA-170, YLA-171).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SentDigits {
    /// As they are.
    #[default]
    Shown,
    /// As `*`.
    Hidden,
    /// As `*` after a second.
    Delayed,
}

/// What the telephone does at certain moments.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Habits {
    /// Whether there is a soft key for the call of an extension while a number is dialled (YLA-125).
    pub direct_pickup: bool,
    /// The same for a call of the group (YLA-128).
    pub group_pickup: bool,
    /// Whether the screen tells of a call that rings at a watched extension, with a soft key that takes it.
    pub pickup_visual: bool,
    /// Whether a tone does.
    pub pickup_audio: bool,
    /// What the transfer key sends in place of a transfer (YLA-110); `None` transfers.
    pub transfer_digits: Option<String>,
    /// Whether another line key holds the call that talks; without, it ends it (PAB-081). Default: yes.
    pub auto_hold: bool,
    /// After which time on hold a call rings for the person (PAB-078); `None` for never.
    pub hold_recall: Option<Duration>,
    /// How long busy tone plays into the handset when the other side has hung up (PAB-085). Default: a minute.
    pub busy_tone: Duration,
    /// The same elsewhere (PAB-086, YLA-034). Default: 5 s.
    pub busy_tone_speaker: Duration,
    /// Whether busy tone is heard of a call that nothing came of, in place of reorder tone (PAB-084).
    pub failed_busy: bool,
    /// Whether the person may silence the ringing (PAB-080). Default: yes.
    pub may_silence: bool,
    /// The account that calls go out by while none is chosen, from 0 (PAB-073).
    pub default_account: usize,
    /// Whether the screen tells who has forwarded a call (YLA-071). Default: yes.
    pub show_diversion: bool,
    /// Whether a 180 after a 183 has the telephone play its ring-back tone again (YLA-033). Default: yes.
    pub ring_after_progress: bool,
    /// How digits look that are sent in a call.
    pub sent_digits: SentDigits,
    /// Whether the telephone records calls itself.
    pub recorder: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            direct_pickup: false,
            group_pickup: false,
            pickup_visual: false,
            pickup_audio: false,
            transfer_digits: None,
            auto_hold: true,
            hold_recall: None,
            busy_tone: Duration::from_secs(60),
            busy_tone_speaker: ENDED_SHOWN,
            failed_busy: false,
            may_silence: true,
            default_account: 0,
            show_diversion: true,
            ring_after_progress: true,
            sent_digits: SentDigits::Shown,
            recorder: false,
        }
    }
}

impl Firmware {
    /// The transfer key as key presses for the server. Says whether it is so, and a call talks.
    pub(super) fn transfer_by_digits(&mut self, now: Instant) -> bool {
        let Some(digits) = self.policy.habits.transfer_digits.clone() else { return false };
        let Some(call) = self.current_call() else { return false };
        if self.find(call).is_some_and(|call| call.state == CallState::Talking) {
            self.send_to(now, call, &digits);
        }
        true
    }

    /// Sends digits over a call.
    pub(super) fn send_to(&mut self, now: Instant, call: CallRef, digits: &str) {
        for digit in digits.chars() {
            self.change(call, |call| {
                remember(&mut call.sent, digit);
                call.sent_at = Some(now);
            });
            self.command(Command::Dtmf { call, digit });
        }
    }

    /// The digits that were sent in a call, as they are shown.
    pub(super) fn sent_shown(&self, call: &Call, now: Instant) -> String {
        let count = call.sent.chars().count();
        let fresh = call.sent_at.is_some_and(|at| now.saturating_since(at) < DIGIT_SHOWN);
        match self.policy.habits.sent_digits {
            SentDigits::Shown => call.sent.clone(),
            SentDigits::Delayed if fresh => {
                let last = call.sent.chars().next_back();
                "*".repeat(count.saturating_sub(1)).chars().chain(last).collect()
            }
            SentDigits::Hidden | SentDigits::Delayed => "*".repeat(count),
        }
    }

    /// A line key is pressed that is not the one of the call that talks: that call ends where it is not to be held.
    pub(super) fn leave_for_line(&mut self, line: u8) {
        if self.policy.habits.auto_hold || self.dials_for_transfer() || self.transfer.is_some() {
            return;
        }
        let Mode::Call(call) = self.mode else { return };
        if self.find(call).is_some_and(|call| call.state == CallState::Talking && call.line != Some(line)) {
            self.hang_up(call);
        }
    }

    /// The other side has hung up: busy tone plays for as long as is set.
    pub(super) fn limit_busy_tone(&mut self, now: Instant) {
        let handset = self.hook == HookState::OffHook && self.path == Some(AudioPath::Handset);
        let habits = &self.policy.habits;
        let lasts = if handset { habits.busy_tone } else { habits.busy_tone_speaker };
        if lasts.is_zero() {
            return self.timers.stop(Timer::BusyTone);
        }
        self.timers.set(Timer::BusyTone, now + lasts);
        if !handset {
            self.timers.set(Timer::Ended, now + lasts.max(ENDED_SHOWN));
        }
    }

    /// What is heard of a call that nothing came of.
    pub(super) fn failed_tone(&self) -> Sound {
        if self.policy.habits.failed_busy { Sound::Busy } else { Sound::Congestion }
    }

    /// Who has forwarded a call, for the screen (YLA-061).
    pub(super) fn forwarded_by(&self, headers: &Headers) -> Option<String> {
        let diverted =
            diversions(headers).into_iter().next().filter(|_| self.policy.habits.show_diversion)?;
        let by = match diverted.hidden {
            true => "somebody".to_owned(),
            false => number_of(&diverted.by),
        };
        Some(match diverted.reason {
            DiversionReason::Unknown => format!("forwarded by {by}"),
            reason => format!("forwarded by {by}: {}", reason.words()),
        })
    }

    /// A call was held or taken back, or is over: the time to the recall begins, or is not counted any more.
    pub(super) fn update_recall(&mut self, now: Instant) {
        let held = self.calls.iter().any(is_left);
        let Some(wait) = self.policy.habits.hold_recall.filter(|_| held) else {
            self.timers.stop(Timer::Recall);
            return self.timers.stop(Timer::RecallEnd);
        };
        if self.timers.deadline(Timer::Recall).is_none() {
            self.timers.set(Timer::Recall, now + wait);
        }
    }

    /// A call was on hold for long enough.
    pub(super) fn recall_due(&mut self, now: Instant) {
        let Some(call) = self.calls.iter().find(|call| is_left(call)) else { return };
        let told = format!("On hold: {}", call.peer.title());
        let id = call.id;
        if matches!(self.mode, Mode::Idle | Mode::Ended { .. }) {
            self.show(id);
        }
        self.notify(now, told);
        self.timers.set(Timer::RecallEnd, now + RECALL);
        let wait = self.policy.habits.hold_recall.unwrap_or_default();
        self.timers.set(Timer::Recall, now + wait.max(RECALL));
    }

    /// Whether a call that was left on hold calls the person back.
    pub(super) fn recalls(&self) -> bool {
        self.timers.deadline(Timer::RecallEnd).is_some()
    }

    /// The handset is lifted for a call that calls back: the person takes it again.
    pub(super) fn take_recall(&mut self) {
        let Mode::Call(call) = self.mode else { return };
        if self.recalls() && self.find(call).is_some_and(is_left) {
            self.toggle_hold(call);
        }
    }
}

/// Whether a call is on hold and nothing is done about it.
fn is_left(call: &Call) -> bool {
    call.state == CallState::Held && !call.hung_up && !call.resuming
}

/// A name, or a number.
fn number_of(address: &NameAddr) -> String {
    let name = address.display_name.as_ref().map(ToString::to_string);
    name.or_else(|| number::of_uri(&address.uri)).unwrap_or_else(|| address.uri.to_string())
}
