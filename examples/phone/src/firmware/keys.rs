//! What keys and the hook switch do, by what stands in the foreground.

use super::{
    Account, Call, CallRef, CallState, Command, Firmware, Mode, OVERLAY_SHOWN, Timer, VOLUME_MAX, remember,
};
use sidetone_hal::audio::AudioPath;
use sidetone_hal::hook::HookState;
use sidetone_hal::keypad::{Direction, Key};
use sidetone_hal::time::Instant;

/// What a soft key does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Soft {
    Redial,
    Account,
    Clear,
    Send,
    Delete,
    Cancel,
    Answer,
    Silence,
    Reject,
    Hold,
    Resume,
    NewCall,
    Swap,
    End,
    Close,
}

impl Soft {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Redial => "Redial",
            Self::Account => "Account",
            Self::Clear => "Clear",
            Self::Send => "Send",
            Self::Delete => "Delete",
            Self::Cancel => "Cancel",
            Self::Answer => "Answer",
            Self::Silence => "Silence",
            Self::Reject => "Reject",
            Self::Hold => "Hold",
            Self::Resume => "Resume",
            Self::NewCall => "New call",
            Self::Swap => "Swap",
            Self::End => "End",
            Self::Close => "Close",
        }
    }
}

impl Firmware {
    /// The four soft keys from left to right.
    pub(super) fn soft_keys(&self) -> [Option<Soft>; 4] {
        let redial = self.last_number.is_some().then_some(Soft::Redial);
        match self.mode {
            Mode::Idle => [
                redial,
                (self.accounts.len() > 1).then_some(Soft::Account),
                None,
                (self.missed > 0).then_some(Soft::Clear),
            ],
            Mode::Dial => [Some(Soft::Send), Some(Soft::Delete), None, Some(Soft::Cancel)],
            Mode::Ended { .. } => [redial, None, None, Some(Soft::Close)],
            Mode::Call(call) => self.call_soft_keys(call),
        }
    }

    fn call_soft_keys(&self, call: CallRef) -> [Option<Soft>; 4] {
        let Some(call) = self.find(call) else { return [None; 4] };
        if call.is_ringing() {
            let silence = (self.path.is_none() && !self.ringer_silent).then_some(Soft::Silence);
            return [Some(Soft::Answer), silence, None, Some(Soft::Reject)];
        }
        let hold = match call.state {
            CallState::Talking => Soft::Hold,
            CallState::Held => Soft::Resume,
            _ => return [None, None, None, Some(Soft::Cancel)],
        };
        if self.waiting().is_some() {
            return [Some(Soft::Answer), Some(Soft::Reject), Some(hold), Some(Soft::End)];
        }
        let swap = self.other_held(call.id).map(|_| Soft::Swap);
        [Some(hold), Some(Soft::NewCall), swap, Some(Soft::End)]
    }

    pub(super) fn press(&mut self, now: Instant, key: Key) {
        match key {
            Key::Digit(digit) => self.digit(now, digit),
            Key::Soft(number) => {
                let keys = self.soft_keys();
                if let Some(Some(soft)) = keys.get(usize::from(number).wrapping_sub(1)) {
                    self.soft(now, *soft);
                }
            }
            Key::Line(line) => self.line(now, line),
            Key::Send | Key::Ok => self.confirm(now, key),
            Key::Cancel | Key::End => self.cancel(now),
            Key::Home if !matches!(self.mode, Mode::Call(_)) => self.leave(),
            Key::Delete | Key::Navigate(Direction::Left) if matches!(self.mode, Mode::Dial) => {
                self.erase(now)
            }
            Key::Hold => {
                if let Mode::Call(call) = self.mode {
                    self.toggle_hold(call);
                }
            }
            Key::Redial => self.redial(now),
            Key::Mute => self.mute(),
            Key::Speaker => self.take_path(now, AudioPath::Speaker),
            Key::Headset => self.take_path(now, AudioPath::Headset),
            Key::VolumeUp => self.volume(now, 1),
            Key::VolumeDown => self.volume(now, -1),
            Key::Navigate(Direction::Up) => self.turn_account(-1),
            Key::Navigate(Direction::Down) => self.turn_account(1),
            _ => {}
        }
    }

    pub(super) fn set_hook(&mut self, now: Instant, state: HookState) {
        if self.hook == state {
            return;
        }
        self.hook = state;
        match state {
            HookState::OffHook => self.lift(now),
            HookState::OnHook if self.path == Some(AudioPath::Handset) => self.replace(),
            HookState::OnHook => {}
        }
    }

    fn lift(&mut self, now: Instant) {
        self.path = Some(AudioPath::Handset);
        match self.mode {
            Mode::Idle | Mode::Ended { .. } => self.dial_tone(now),
            Mode::Dial => self.send(now),
            Mode::Call(call) => {
                if self.find(call).is_some_and(Call::is_ringing) {
                    self.answer(call);
                }
            }
        }
    }

    fn replace(&mut self) {
        self.path = None;
        match self.mode {
            // A call that was put on hold stays there; the person may come back to it from another path.
            Mode::Call(call) => match self.find(call).map(|call| (call.state, call.resuming)) {
                Some((CallState::Held, false) | (CallState::Ringing, _)) | None => {}
                Some(_) => self.hang_up(call),
            },
            _ => self.rest(),
        }
    }

    /// Opens the line for dialling.
    fn dial_tone(&mut self, now: Instant) {
        self.timers.stop(Timer::Ended);
        self.timers.stop(Timer::BusyTone);
        self.open_path();
        self.muted = false;
        self.mode = Mode::Dial;
        self.dialler.open(now);
    }

    fn digit(&mut self, now: Instant, digit: char) {
        match self.mode {
            Mode::Idle | Mode::Ended { .. } => {
                self.timers.stop(Timer::Ended);
                self.timers.stop(Timer::BusyTone);
                if self.hook == HookState::OffHook {
                    self.dial_tone(now);
                } else {
                    self.path = None;
                }
                self.mode = Mode::Dial;
            }
            Mode::Dial => {}
            Mode::Call(call) => {
                if self.find(call).is_some_and(|call| call.state == CallState::Talking) {
                    self.change(call, |call| remember(&mut call.sent, digit));
                    self.command(Command::Dtmf { call, digit });
                }
                return;
            }
        }
        if let Some(number) = self.dialler.digit(now, digit) {
            self.call(now, number);
        }
    }

    fn erase(&mut self, now: Instant) {
        self.dialler.erase(now);
        if self.dialler.digits().is_empty() && self.path.is_none() {
            self.leave();
        }
    }

    fn send(&mut self, now: Instant) {
        if let Some(number) = self.dialler.send() {
            self.call(now, number);
        } else {
            self.dial_tone(now);
        }
    }

    fn confirm(&mut self, now: Instant, key: Key) {
        match self.mode {
            Mode::Dial => self.send(now),
            Mode::Idle if key == Key::Send => self.dial_tone(now),
            Mode::Idle => {}
            Mode::Ended { .. } => self.leave(),
            Mode::Call(_) => {
                if let Some(call) = self.waiting() {
                    self.answer(call);
                }
            }
        }
    }

    fn cancel(&mut self, now: Instant) {
        match self.mode {
            Mode::Dial if !self.dialler.digits().is_empty() && self.path == Some(AudioPath::Handset) => {
                self.dialler.close();
                self.dial_tone(now);
            }
            Mode::Idle | Mode::Dial | Mode::Ended { .. } => self.leave(),
            Mode::Call(call) => {
                if self.find(call).is_some_and(Call::is_ringing) {
                    self.reject(call);
                } else {
                    self.hang_up(call);
                }
            }
        }
    }

    /// Back to the idle screen, or to a call that is left.
    fn leave(&mut self) {
        if matches!(self.mode, Mode::Idle) {
            match self.page {
                Some(_) => self.command(Command::DismissPage),
                None => self.missed = 0,
            }
            return;
        }
        self.rest();
    }

    fn redial(&mut self, now: Instant) {
        if matches!(self.mode, Mode::Call(_)) {
            return;
        }
        if let Some(number) = self.last_number.clone() {
            self.call(now, number);
        }
    }

    fn mute(&mut self) {
        let Mode::Call(call) = self.mode else { return };
        match self.find(call) {
            Some(call) if call.is_ringing() => self.ringer_silent = true,
            Some(_) if self.path.is_some() => self.muted = !self.muted,
            _ => {}
        }
    }

    /// The loudspeaker or headset key: takes the line, moves the sound there, or ends what uses it.
    fn take_path(&mut self, now: Instant, path: AudioPath) {
        if self.path == Some(path) {
            if self.hook == HookState::OffHook {
                self.path = Some(AudioPath::Handset);
                return;
            }
            match self.mode {
                Mode::Call(call) if self.find(call).is_some_and(|call| call.state != CallState::Held) => {
                    self.cancel(now);
                }
                Mode::Call(_) => self.path = None,
                _ => self.leave(),
            }
            return;
        }
        let open = self.path.replace(path).is_some();
        match self.mode {
            Mode::Idle | Mode::Ended { .. } => self.dial_tone(now),
            Mode::Dial if !open => self.send(now),
            Mode::Dial => {}
            Mode::Call(call) => {
                if self.find(call).is_some_and(Call::is_ringing) {
                    self.answer(call);
                } else if !open {
                    self.toggle_hold(call);
                }
            }
        }
    }

    fn volume(&mut self, now: Instant, step: i8) {
        let level = if self.path.is_some() { &mut self.talk_volume } else { &mut self.ring_volume };
        *level = level.saturating_add_signed(step).min(VOLUME_MAX);
        self.overlay = true;
        self.timers.set(Timer::Overlay, now + OVERLAY_SHOWN);
    }

    fn turn_account(&mut self, step: isize) {
        let count = self.accounts.len();
        if matches!(self.mode, Mode::Idle) && count > 1 {
            self.account = self.account.wrapping_add(count).wrapping_add_signed(step) % count;
        }
    }

    fn line(&mut self, now: Instant, line: u8) {
        let call = self.calls.iter().find(|call| call.line == Some(line)).map(|call| (call.id, call.state));
        match call {
            Some((call, CallState::Ringing)) => self.answer(call),
            Some((call, CallState::Held)) => self.toggle_hold(call),
            Some((call, _)) if !self.find(call).is_some_and(|call| call.hung_up) => self.show(call),
            Some(_) => {}
            None if self.account_of(line).is_none() => {}
            None => {
                self.dialler.set_line(Some(line));
                if matches!(self.mode, Mode::Dial) && !self.dialler.digits().is_empty() {
                    self.send(now);
                } else {
                    self.new_call(now);
                }
            }
        }
    }

    /// Holds what talks and opens a line.
    fn new_call(&mut self, now: Instant) {
        if let Mode::Call(call) = self.mode {
            if self.find(call).is_some_and(|call| !call.is_up()) {
                return;
            }
            if self.find(call).is_some_and(|call| call.state == CallState::Talking) {
                self.command(Command::Hold(call));
            }
        }
        self.dial_tone(now);
    }

    fn soft(&mut self, now: Instant, soft: Soft) {
        let shown = match self.mode {
            Mode::Call(call) => Some(call),
            _ => None,
        };
        match (soft, shown) {
            (Soft::Redial, _) => self.redial(now),
            (Soft::Account, _) => self.turn_account(1),
            (Soft::Clear | Soft::Close, _) => self.leave(),
            (Soft::Send, _) => self.send(now),
            (Soft::Delete, _) => self.erase(now),
            (Soft::Cancel, _) => self.cancel(now),
            (Soft::Silence, _) => self.mute(),
            (Soft::NewCall, _) => self.new_call(now),
            (Soft::Answer, _) => {
                if let Some(call) = self.waiting() {
                    self.answer(call);
                }
            }
            (Soft::Reject, _) => {
                if let Some(call) = self.waiting() {
                    self.reject(call);
                }
            }
            (Soft::Hold | Soft::Resume, Some(call)) => self.toggle_hold(call),
            (Soft::Swap, Some(call)) => {
                if let Some(other) = self.other_held(call) {
                    self.toggle_hold(other);
                }
            }
            (Soft::End, Some(call)) => self.hang_up(call),
            (Soft::Hold | Soft::Resume | Soft::Swap | Soft::End, None) => {}
        }
    }

    /// The call that rings: the one in the foreground, or the first that waits.
    pub(super) fn waiting(&self) -> Option<CallRef> {
        let shown = match self.mode {
            Mode::Call(call) => self.find(call).filter(|call| call.is_ringing()),
            _ => None,
        };
        shown.or_else(|| self.calls.iter().find(|call| call.is_ringing())).map(|call| call.id)
    }

    fn other_held(&self, call: CallRef) -> Option<CallRef> {
        self.calls
            .iter()
            .find(|other| other.id != call && other.state == CallState::Held && !other.hung_up)
            .map(|other| other.id)
    }

    pub(super) fn account_label(&self) -> Option<&Account> {
        self.accounts.get(self.account)
    }
}
