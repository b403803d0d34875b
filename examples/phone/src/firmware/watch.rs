//! What others tell of themselves: watched extensions on keys, waiting messages, texts, and what servers want of the
//! telephone.

use super::ask::Question;
use super::programmable::{Face, KeyFunction};
use super::screen::Tone;
use super::stored::Origin;
use super::transfer::{Step, Transfer};
use super::{Call, CallRef, CallState, Command, Firmware, Mode};
use sidetone_hal::keypad::Key;
use sidetone_hal::lamp::{LampColor, LampState};
use sidetone_hal::time::Instant;
use sidetone_sip_ua::package::blf::{BlfAction, BlfKey, BlfState, Blink, Colour, Lamp, LampTable};

/// The light of a watched extension on a telephone with this table.
fn light(table: &LampTable, state: &BlfState) -> LampState {
    lamp_state(table.lamp(state))
}

/// A light of the user agent's as one of the hardware.
pub(super) fn lamp_state(lamp: Lamp) -> LampState {
    let Lamp { colour: Some(colour), blink } = lamp else { return LampState::Off };
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

impl Firmware {
    /// How the key of an extension in this state looks: its name, and with whom it is.
    pub(super) fn watched_face(&self, name: &str, state: &BlfState) -> Face {
        let text = match state.peer() {
            Some(peer) => format!("{name}: {}", peer.label()),
            None => name.to_owned(),
        };
        let tone = match state {
            BlfState::Ringing(_) => Tone::Ringing,
            BlfState::Unknown(_) | BlfState::Offline | BlfState::Idle => Tone::Calm,
            _ => Tone::Talking,
        };
        Face { text, tone, lamp: light(&self.model.blf_lamps, state) }
    }

    /// A watched extension is in another state.
    pub(super) fn extension_is(&mut self, now: Instant, key: Key, state: BlfState) {
        let Some(place) = self.keys.iter().position(|known| known.config.key == key) else { return };
        let Some(known) = self.keys.get_mut(place) else { return };
        let begins = state.begins_ringing(&known.state);
        known.state = state;
        if begins
            && !self.policy.habits.pickup_visual
            && let Some(known) = self.keys.get(place)
            && !matches!(known.config.function, KeyFunction::Park(_))
        {
            let told = format!("{} rings", self.face(known).text);
            self.notify(now, told);
        }
    }

    /// The call that the person is in, on the screen.
    pub(super) fn current_call(&self) -> Option<CallRef> {
        match self.mode {
            Mode::Call(call) => self.find(call).filter(|call| call.is_up() && !call.hung_up).map(Call::id),
            _ => None,
        }
    }

    /// The key of a watched extension.
    pub(super) fn press_watched(&mut self, now: Instant, account: usize, key: &BlfKey, state: &BlfState) {
        let current = self.current_call();
        match key.press(state, current.is_some()) {
            BlfAction::Call(number)
            | BlfAction::PickUpByCode(number)
            | BlfAction::Retrieve(number)
            | BlfAction::BargeIn(number) => self.call_beside(now, account, number),
            BlfAction::BlindTransfer(number) => {
                if let Some(call) = current.filter(|call| self.can_transfer(*call))
                    && let Some(number) = self.stored(now, account, number, Origin::Directory)
                {
                    self.transfer = Some(Transfer { call, step: Step::Dialling });
                    self.transfer_to_number(number);
                }
            }
            BlfAction::AttendedTransfer(number) => {
                if let Some(call) = current.filter(|call| self.can_transfer(*call))
                    && let Some(number) = self.stored(now, account, number, Origin::Directory)
                {
                    self.begin_transfer(now, call);
                    self.place(now, account, number);
                }
            }
            BlfAction::Ask(number) => {
                if let Some(call) = current.filter(|call| self.can_transfer(*call)) {
                    self.question = Some(Question { call, account, number });
                }
            }
            BlfAction::PickUp(pickup) => {
                if let Some(call) = self.take_line(now, account, key.extension.clone()) {
                    self.command(Command::PickUp { call, account, pickup });
                }
            }
            _ => {}
        }
    }

    /// Calls a number; what talks is held first.
    pub(super) fn call_beside(&mut self, now: Instant, account: usize, number: String) {
        if let Some(number) = self.stored(now, account, number, Origin::Directory) {
            self.call_again_beside(now, account, number);
        }
    }

    /// The same for what was called before.
    pub(super) fn call_again_beside(&mut self, now: Instant, account: usize, number: String) {
        if self.make_room() {
            self.place(now, account, number);
        }
    }

    /// A new call of ours on a free line, on the screen; what talks is held first.
    pub(super) fn take_line_beside(
        &mut self,
        now: Instant,
        account: usize,
        number: String,
    ) -> Option<CallRef> {
        let call = if self.make_room() { self.take_line(now, account, number) } else { None }?;
        self.show(call);
        Some(call)
    }

    /// Holds what talks, for another call. Not while a call of ours is on its way.
    fn make_room(&mut self) -> bool {
        if let Mode::Call(call) = self.mode {
            if !self.find(call).is_some_and(|call| call.is_up() || call.is_ringing()) {
                return false;
            }
            drop(self.hold_others(None));
        }
        self.redial.stop();
        true
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
        self.call_voice_mail_of(now, with_messages.unwrap_or(self.account));
    }

    pub(super) fn call_voice_mail_of(&mut self, now: Instant, account: usize) {
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
