//! What others tell of themselves: watched extensions on line keys, waiting messages, texts, and what servers want of the
//! telephone.

use super::transfer::{Step, Transfer};
use super::{Call, CallRef, CallState, Command, Firmware, Mode};
use sidetone_hal::lamp::{LampColor, LampState};
use sidetone_hal::time::Instant;
use sidetone_sip_ua::package::blf::{BlfAction, BlfKey, BlfState, Blink, Colour, Lamp, LampTable, Unknown};

/// A line key that watches an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlfConfig {
    /// Which line key, from 1.
    pub line: u8,
    /// The account that watches and calls, counted from 0.
    pub account: usize,
    /// Whom, and what a press does.
    pub key: BlfKey,
}

/// A watched extension.
#[derive(Debug)]
pub(super) struct Watched {
    config: BlfConfig,
    state: BlfState,
}

impl Watched {
    pub(super) const fn new(config: BlfConfig) -> Self {
        Self { config, state: BlfState::Unknown(Unknown::Waiting) }
    }

    pub(super) const fn line(&self) -> u8 {
        self.config.line
    }

    /// What the label of the key says: the extension, and with whom it is.
    pub(super) fn label(&self) -> String {
        let extension = &self.config.key.extension;
        match self.state.peer() {
            Some(peer) => format!("{extension}: {}", peer.label()),
            None => extension.clone(),
        }
    }

    pub(super) const fn rings(&self) -> bool {
        matches!(self.state, BlfState::Ringing(_))
    }

    pub(super) const fn is_busy(&self) -> bool {
        !matches!(self.state, BlfState::Unknown(_) | BlfState::Offline | BlfState::Idle)
    }

    /// The light of the key on a telephone with this table.
    pub(super) fn lamp(&self, table: &LampTable) -> LampState {
        let Lamp { colour: Some(colour), blink } = table.lamp(&self.state) else { return LampState::Off };
        let color = match colour {
            Colour::Green => LampColor::Green,
            Colour::YellowGreen => LampColor::YellowGreen,
            _ => LampColor::Red,
        };
        match blink {
            Blink::Steady => LampState::On(color),
            Blink::Slow => LampState::slow(color),
            Blink::Fast => LampState::fast(color),
        }
    }
}

impl Firmware {
    /// The extension that a line key watches.
    pub(super) fn watched(&self, line: u8) -> Option<&Watched> {
        self.blf.iter().find(|watched| watched.line() == line)
    }

    /// A watched extension is in another state.
    pub(super) fn extension_is(&mut self, now: Instant, line: u8, state: BlfState) {
        let Some(watched) = self.blf.iter_mut().find(|watched| watched.line() == line) else { return };
        let begins = state.begins_ringing(&watched.state);
        watched.state = state;
        if begins {
            let told = format!("{} rings", watched.label());
            self.notify(now, told);
        }
    }

    /// The key of a watched extension. Says whether it is one.
    pub(super) fn press_watched(&mut self, now: Instant, line: u8) -> bool {
        let current = match self.mode {
            Mode::Call(call) => self.find(call).filter(|call| call.is_up() && !call.hung_up).map(Call::id),
            _ => None,
        };
        let Some(watched) = self.watched(line) else { return false };
        let account = watched.config.account;
        if self.dials_for_transfer() {
            let number = watched.config.key.extension.clone();
            self.transfer_to_number(number);
            return true;
        }
        match watched.config.key.press(&watched.state, current.is_some()) {
            BlfAction::Call(number)
            | BlfAction::PickUpByCode(number)
            | BlfAction::Retrieve(number)
            | BlfAction::BargeIn(number) => self.call_beside(now, account, number),
            BlfAction::BlindTransfer(number) => {
                if let Some(call) = current.filter(|call| self.can_transfer(*call)) {
                    self.transfer = Some(Transfer { call, step: Step::Dialling });
                    self.transfer_to_number(number);
                }
            }
            BlfAction::AttendedTransfer(number) => {
                if let Some(call) = current.filter(|call| self.can_transfer(*call)) {
                    self.begin_transfer(now, call);
                    self.place(now, account, number);
                }
            }
            BlfAction::PickUp(pickup) => {
                let number = watched.config.key.extension.clone();
                if let Some(call) = self.take_line(now, account, number) {
                    self.command(Command::PickUp { call, account, pickup });
                }
            }
            _ => {}
        }
        true
    }

    /// Calls a number; what talks is held first.
    fn call_beside(&mut self, now: Instant, account: usize, number: String) {
        if let Mode::Call(call) = self.mode {
            if !self.find(call).is_some_and(|call| call.is_up() || call.is_ringing()) {
                return;
            }
            drop(self.hold_others(None));
        }
        self.redial.stop();
        self.place(now, account, number);
    }

    /// How many messages wait for an account.
    pub(super) fn messages_are(&mut self, account: usize, waiting: bool, new: u32) {
        if let Some(account) = self.accounts.get_mut(account) {
            account.messages = waiting.then_some(new);
        }
    }

    /// Whether messages wait for any account.
    pub(super) fn messages_wait(&self) -> bool {
        self.accounts.iter().any(|account| account.messages.is_some())
    }

    /// What the idle screen says of them.
    pub(super) fn messages_told(&self) -> Option<String> {
        let waiting: Vec<u32> = self.accounts.iter().filter_map(|account| account.messages).collect();
        let all = waiting.iter().fold(0_u32, |sum, new| sum.saturating_add(*new));
        match (waiting.is_empty(), all) {
            (true, _) => None,
            (false, 0) => Some("New messages".to_owned()),
            (false, 1) => Some("1 new message".to_owned()),
            (false, count) => Some(format!("{count} new messages")),
        }
    }

    /// The message key: calls the voice mail of the account that has messages, or else of the one that is chosen.
    pub(super) fn call_voice_mail(&mut self, now: Instant) {
        let with_messages = self.accounts.iter().position(|account| account.messages.is_some());
        let account = with_messages.unwrap_or(self.account);
        let number = self.policy.accounts.get(account).map(|policy| policy.voice_mail.clone());
        match number.filter(|number| !number.is_empty()) {
            Some(number) => self.call_beside(now, account, number),
            None => self.notify(now, "No voice mail number".to_owned()),
        }
    }

    /// A server wants a call answered or taken back (`talk`), as if the person had pressed the key.
    pub(super) fn click_to_talk(&mut self, call: CallRef) {
        match self.find(call).map(|call| (call.is_ringing(), call.state)) {
            Some((true, _)) => self.answer(call),
            Some((_, CallState::Held)) => self.toggle_hold(call),
            _ => {}
        }
    }

    /// A server wants a call held (`hold`).
    pub(super) fn click_to_hold(&mut self, call: CallRef) {
        if self.find(call).is_some_and(|call| call.state == CallState::Talking) {
            self.toggle_hold(call);
        }
    }

    /// A server wants the settings read again, or a restart; that waits until no call is left.
    pub(super) fn reload_wanted(&mut self, now: Instant, reboot: bool) {
        let told = if reboot { "Restarts when no call is left" } else { "Reads its settings again" };
        self.notify(now, told.to_owned());
        self.reload = Some(reboot || self.reload.unwrap_or_default());
        self.reload_when_idle();
    }

    pub(super) fn reload_when_idle(&mut self) {
        if self.calls.is_empty()
            && let Some(reboot) = self.reload.take()
        {
            self.command(Command::Reload { reboot });
        }
    }
}
