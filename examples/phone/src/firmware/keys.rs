//! What keys and the hook switch do, by what stands in the foreground.

use super::dial::Dialled;
use super::entry::Entry;
use super::stored::Origin;
use super::transfer::{Step, Transfer};
use super::{Account, Call, CallRef, CallState, Command, Firmware, Mode, OVERLAY_SHOWN, Timer, VOLUME_MAX};
use sidetone_hal::audio::AudioPath;
use sidetone_hal::hook::HookState;
use sidetone_hal::keypad::{Direction, Key};
use sidetone_hal::time::Instant;
use sidetone_sip_ua::feature::acd::AgentCommand;
use sidetone_sip_ua::feature::forward::ForwardKind;

/// What a soft key does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Soft {
    Redial,
    Return,
    VoiceMail,
    Account,
    Dnd,
    Forward,
    Clear,
    Send,
    Delete,
    Cancel,
    Answer,
    Silence,
    Reject,
    Hold,
    PrivateHold,
    Resume,
    NewCall,
    Swap,
    Transfer,
    Conference,
    Split,
    Record,
    StartRecording,
    PauseRecording,
    ResumeRecording,
    StopRecording,
    Recordings,
    Play,
    StopPlaying,
    NextRecording,
    DirectPickup,
    GroupPickup,
    TakeAlert,
    GuestIn,
    GuestOut,
    SignIn,
    SignOut,
    Available,
    Unavailable,
    Texts,
    Next,
    Erase,
    Call,
    ClearAccounts,
    More,
    End,
    Close,
    /// The function that a soft key was given, from 1.
    Given(u8),
    Blind,
    Consult,
    Beside,
    Back,
    /// To be told when somebody is free.
    Wait,
    /// Call who is free now.
    CallFree,
    /// Wait no more.
    Forget,
    /// Let a call go where it is sent.
    Follow,
}

impl Soft {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Redial => "Redial",
            Self::Return => "Return",
            Self::VoiceMail => "Voice mail",
            Self::Account => "Account",
            Self::Dnd => "DND",
            Self::Forward => "Forward",
            Self::Clear => "Clear",
            Self::Send => "Send",
            Self::Delete => "Delete",
            Self::Cancel => "Cancel",
            Self::Answer => "Answer",
            Self::Silence => "Silence",
            Self::Reject => "Reject",
            Self::Hold => "Hold",
            Self::PrivateHold => "Private hold",
            Self::Resume => "Resume",
            Self::NewCall => "New call",
            Self::Swap => "Swap",
            Self::Transfer => "Transfer",
            Self::Conference => "Conference",
            Self::Split => "Split",
            Self::Record => "Record",
            Self::StartRecording => "Start rec",
            Self::PauseRecording => "Pause rec",
            Self::ResumeRecording => "Resume rec",
            Self::StopRecording => "Stop rec",
            Self::Recordings => "Recordings",
            Self::Play => "Play",
            Self::StopPlaying => "Stop",
            Self::NextRecording => "Next",
            Self::DirectPickup => "DPickup",
            Self::GroupPickup => "GPickup",
            Self::TakeAlert => "Pickup",
            Self::GuestIn => "Guest in",
            Self::GuestOut => "Guest out",
            Self::SignIn => "Sign in",
            Self::SignOut => "Sign out",
            Self::Available => "Available",
            Self::Unavailable => "Unavailable",
            Self::Texts => "Texts",
            Self::Next => "Next",
            Self::Erase => "Delete",
            Self::Call => "Call",
            Self::ClearAccounts => "Clear",
            Self::More => "More",
            Self::End => "End",
            Self::Close => "Close",
            // Its label is its function's.
            Self::Given(_) => "",
            Self::Blind => "Blind",
            Self::Consult => "Consult",
            Self::Beside => "Call",
            Self::Back => "Back",
            Self::Wait => "Wait",
            Self::CallFree => "Call",
            Self::Forget => "Forget",
            Self::Follow => "Follow",
        }
    }
}

impl Firmware {
    /// The four soft keys from left to right.
    pub(super) fn soft_keys(&self) -> [Option<Soft>; 4] {
        let redial = self.last_number.is_some().then_some(Soft::Redial);
        match self.mode {
            Mode::Idle if self.asks_hot_desk() => [Some(Soft::ClearAccounts), None, None, Some(Soft::Cancel)],
            Mode::Idle if self.reads_text() => {
                [Some(Soft::Next), Some(Soft::Erase), Some(Soft::Call), Some(Soft::Close)]
            }
            Mode::Idle if self.shows_recordings() => self.recordings_soft_keys(),
            Mode::Idle if self.is_offered() => [Some(Soft::CallFree), None, None, Some(Soft::Forget)],
            Mode::Idle => {
                let mut keys: Vec<_> = self.offers_pickup().then_some(Soft::TakeAlert).into_iter().collect();
                keys.extend(self.messages_wait().then_some(Soft::VoiceMail));
                keys.extend(redial);
                keys.extend((self.accounts.len() > 1).then_some(Soft::Account));
                if !self.policy.accounts.is_empty() {
                    keys.extend([Soft::Dnd, Soft::Forward]);
                }
                keys.extend(self.can_return().then_some(Soft::Return));
                keys.extend(self.agent_soft_keys());
                keys.extend(self.guest_soft_key());
                keys.extend(self.has_texts().then_some(Soft::Texts));
                keys.extend(self.policy.habits.recorder.then_some(Soft::Recordings));
                let mut keys = self.page(&keys, (self.missed > 0).then_some(Soft::Clear));
                for (number, place) in (1..).zip(&mut keys) {
                    if self.programmed(Key::Soft(number)).is_some() {
                        *place = Some(Soft::Given(number));
                    }
                }
                keys
            }
            Mode::Dial if self.dials_for_transfer() => {
                let blind = (!self.dialler.digits().is_empty()).then_some(Soft::Transfer);
                [Some(Soft::Send), Some(Soft::Delete), blind, Some(Soft::Cancel)]
            }
            Mode::Dial => self.dial_soft_keys(),
            Mode::Ended { .. } => [redial, self.may_wait().then_some(Soft::Wait), None, Some(Soft::Close)],
            Mode::Call(call) => self.call_soft_keys(call),
        }
    }

    fn call_soft_keys(&self, call: CallRef) -> [Option<Soft>; 4] {
        let Some(call) = self.find(call) else { return [None; 4] };
        if call.page.is_some() {
            return [None, None, None, Some(Soft::End)];
        }
        if let Some(answers) = self.answers(call.id).or_else(|| self.redirection_keys(call.id)) {
            return answers;
        }
        if call.is_ringing() {
            let may = self.policy.habits.may_silence;
            let silence = (may && self.path.is_none() && !self.ringer_silent).then_some(Soft::Silence);
            let deflect = (!self.policy.accounts.is_empty()).then_some(Soft::Forward);
            return [Some(Soft::Answer), silence, deflect, Some(Soft::Reject)];
        }
        match self.transfer.as_ref() {
            Some(Transfer { call: transferred, step: Step::Asked { .. } }) if *transferred == call.id => {
                return [None, None, None, Some(Soft::End)];
            }
            Some(Transfer { step: Step::Consulting(consultation), .. }) if *consultation == call.id => {
                let complete = match call.state {
                    CallState::Alerting { .. } => Some(Soft::Transfer),
                    CallState::Talking | CallState::Held if self.waiting().is_none() => Some(Soft::Transfer),
                    _ => None,
                };
                if complete.is_some() {
                    return {
                        let conference = self.offers_conference(call.id).then_some(Soft::Conference);
                        let keys: Vec<_> = [Soft::Transfer].into_iter().chain(conference).collect();
                        self.page(&keys, Some(Soft::End))
                    };
                }
            }
            _ => {}
        }
        let hold = match call.state {
            CallState::Talking => Soft::Hold,
            CallState::Held => Soft::Resume,
            _ => return [None, None, None, Some(Soft::Cancel)],
        };
        if self.waiting().is_some() {
            return [Some(Soft::Answer), Some(Soft::Reject), Some(hold), Some(Soft::End)];
        }
        let mut keys = vec![hold];
        if hold == Soft::Hold && self.is_on_line(call.id) {
            keys.push(Soft::PrivateHold);
        }
        if self.conference.contains(&call.id) {
            keys.push(Soft::Split);
        }
        keys.extend(self.other_held(call.id).map(|_| Soft::Swap));
        keys.extend(self.offers_conference(call.id).then_some(Soft::Conference));
        keys.extend(self.free_line(call.account).map(|_| Soft::NewCall));
        keys.extend(self.can_transfer(call.id).then_some(Soft::Transfer));
        keys.extend(self.policy.record_key.then_some(Soft::Record));
        keys.extend(self.recorder_soft_keys(call.id));
        self.page(&keys, Some(Soft::End))
    }

    /// The keys, and the last one at the right. Those that do not fit come in turns, by a key for more.
    pub(super) fn page(&self, keys: &[Soft], last: Option<Soft>) -> [Option<Soft>; 4] {
        let at = |index: usize| keys.get(index).copied();
        let room = if last.is_some() { 3 } else { 4 };
        if keys.len() <= room {
            return [at(0), at(1), at(2), last.or_else(|| at(3))];
        }
        let each = room - 1;
        let first = self.soft_page % keys.len().div_ceil(each) * each;
        match last {
            Some(_) => [at(first), at(first + 1), Some(Soft::More), last],
            None => [at(first), at(first + 1), at(first + 2), Some(Soft::More)],
        }
    }

    pub(super) fn press(&mut self, now: Instant, key: Key) {
        // Any other key than that for more begins with the first soft keys again.
        let page = core::mem::take(&mut self.soft_page);
        if !matches!(key, Key::Soft(_)) {
            self.question = None;
        }
        if self.press_programmed(now, key) {
            return;
        }
        match key {
            Key::Digit(digit) => self.digit(now, digit),
            Key::Soft(number) => {
                self.soft_page = page;
                let keys = self.soft_keys();
                self.soft_page = 0;
                match keys.get(usize::from(number).wrapping_sub(1)) {
                    Some(Some(Soft::More)) => self.soft_page = page.wrapping_add(1),
                    Some(Some(soft)) => self.soft(now, *soft),
                    _ => {}
                }
            }
            Key::Line(line) => self.line(now, line),
            Key::Send | Key::Ok => self.confirm(now, key),
            Key::End if self.transfer_by_hanging_up() => {}
            Key::Cancel | Key::End => self.cancel(now),
            Key::Transfer => self.transfer_key(now),
            Key::Conference => self.conference_key(now),
            Key::Message => self.call_voice_mail(now),
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
            Key::Flash => self.flash_key(),
            Key::Mute => self.mute(),
            Key::Speaker => self.take_path(now, AudioPath::Speaker),
            Key::Headset => self.take_path(now, AudioPath::Headset),
            Key::VolumeUp => self.volume(now, 1),
            Key::VolumeDown => self.volume(now, -1),
            Key::Navigate(Direction::Up) if self.reads_text() => self.show_text(-1),
            Key::Navigate(Direction::Down) if self.reads_text() => self.show_text(1),
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
                } else {
                    self.take_recall();
                }
            }
        }
    }

    fn replace(&mut self) {
        self.path = None;
        if self.transfer_by_hanging_up() {
            return;
        }
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
    pub(super) fn dial_tone(&mut self, now: Instant) {
        if self.seize_first(now) {
            return;
        }
        self.timers.stop(Timer::Ended);
        self.timers.stop(Timer::BusyTone);
        self.open_path();
        self.muted = false;
        self.mode = Mode::Dial;
        self.choose_rules(now);
        self.dialler.open(now);
        let policy = self.policy.accounts.get(self.account).filter(|_| self.transfer.is_none());
        if let Some(policy) = policy {
            self.hotline.off_hook(now, &policy.hotline);
        }
    }

    /// The number goes by the rules of the account that it will be called from.
    fn choose_rules(&mut self, now: Instant) {
        if self.entry.is_some() {
            return self.dialler.set_plain(now);
        }
        let chosen = self.dialler.line().and_then(|line| self.account_of(line));
        self.dialler.set_account(now, chosen.unwrap_or(self.account));
    }

    pub(super) fn digit(&mut self, now: Instant, digit: char) {
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
            // Beside a call on hold a number is one to call (SAY-037, DIN-039).
            Mode::Call(call) if self.may_dial_beside(call) => self.dial_tone(now),
            Mode::Call(call) => {
                if self.find(call).is_some_and(|call| call.state == CallState::Talking) {
                    self.send_to(now, call, digit.encode_utf8(&mut [0; 4]));
                }
                return;
            }
        }
        self.hotline.stop();
        self.choose_rules(now);
        if let Some(number) = self.dialler.digit(now, digit) {
            self.dialled(now, number);
        }
    }

    /// Whether digits begin another call while this one is shown.
    fn may_dial_beside(&self, call: CallRef) -> bool {
        let held = |call: &Call| call.state == CallState::Held && !call.resuming && !call.hung_up;
        self.find(call).is_some_and(|call| held(call) && self.free_line(call.account).is_some())
            && self.transfer.is_none()
            && !self.conference.contains(&call)
    }

    fn erase(&mut self, now: Instant) {
        self.dialler.erase(now);
        if self.dialler.digits().is_empty() && self.path.is_none() {
            self.leave();
        }
    }

    fn send(&mut self, now: Instant) {
        if matches!(self.entry, Some(Entry::AgentReason(_))) && self.dialler.digits().is_empty() {
            // No reason is one, too.
            self.dialled(now, Dialled::Number(String::new()));
        } else if let Some(number) = self.dialler.send(now) {
            self.dialled(now, number);
        } else if self.entry.is_none() {
            self.dial_tone(now);
        }
    }

    fn confirm(&mut self, now: Instant, key: Key) {
        match self.mode {
            Mode::Dial => self.send(now),
            Mode::Idle | Mode::Ended { .. } if key == Key::Ok && self.redial.deadline().is_some() => {
                self.redial_now(now);
            }
            Mode::Idle if self.is_offered() => self.call_free(now),
            Mode::Ended { .. } if key == Key::Ok && self.may_wait() => self.wait_for_free(now),
            Mode::Idle if key == Key::Send => self.dial_tone(now),
            Mode::Idle => {}
            Mode::Ended { .. } => self.leave(),
            Mode::Call(shown) => {
                if self.follow(shown) {
                    return;
                }
                if let Some(call) = self.waiting() {
                    self.answer(call);
                }
            }
        }
    }

    fn cancel(&mut self, now: Instant) {
        match self.mode {
            Mode::Dial if self.dials_for_transfer() => self.cancel_transfer(),
            Mode::Dial if !self.dialler.digits().is_empty() && self.path == Some(AudioPath::Handset) => {
                self.dialler.close();
                self.dial_tone(now);
            }
            Mode::Idle if self.is_offered() => self.stop_waiting(now),
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
        self.redial.stop();
        if self.close_hot_desk() || self.close_texts() || self.close_recordings() {
            return;
        }
        if matches!(self.mode, Mode::Idle) {
            match self.page {
                Some(_) => self.command(Command::DismissPage),
                None => self.missed = 0,
            }
            return;
        }
        self.rest();
    }

    pub(super) fn redial(&mut self, now: Instant) {
        if matches!(self.mode, Mode::Call(_)) {
            return;
        }
        let account = self.dial_account();
        if let Some(number) = self.last_number.clone()
            && let Some(number) = self.stored(now, account, number, Origin::Sent)
        {
            self.call(now, number);
        }
    }

    fn mute(&mut self) {
        let Mode::Call(call) = self.mode else { return };
        match self.find(call) {
            Some(call) if call.is_ringing() => self.ringer_silent |= self.policy.habits.may_silence,
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
        let least = u8::from(self.path.is_none() && !self.policy.habits.may_silence);
        *level = level.saturating_add_signed(step).clamp(least, VOLUME_MAX);
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
        self.leave_for_line(line);
        let call = self.calls.iter().find(|call| call.line == Some(line)).map(|call| (call.id, call.state));
        match call {
            Some((call, CallState::Ringing)) => self.answer(call),
            Some((call, CallState::Talking | CallState::Held))
                if self.dials_for_transfer()
                    && self.transfer.as_ref().is_some_and(|transfer| transfer.call != call) =>
            {
                self.transfer_to_call(call);
            }
            Some((call, CallState::Held)) => self.toggle_hold(call),
            Some((call, _)) if !self.find(call).is_some_and(|call| call.hung_up) => self.show(call),
            Some(_) => {}
            None if self.account_of(line).is_none() => {}
            None => {
                self.dialler.set_line(Some(line));
                self.choose_rules(now);
                if matches!(self.mode, Mode::Dial) && !self.dialler.digits().is_empty() {
                    self.send(now);
                } else {
                    self.new_call(now);
                }
            }
        }
    }

    /// Holds a call, or the conference that it is in.
    pub(super) fn hold_for_new_call(&mut self, call: CallRef) {
        if self.conference.contains(&call) {
            self.toggle_conference_hold(call);
        } else {
            self.hold(call);
        }
    }

    /// Holds what talks and opens a line.
    pub(super) fn new_call(&mut self, now: Instant) {
        if let Mode::Call(call) = self.mode {
            if self.find(call).is_some_and(|call| !call.is_up()) {
                return;
            }
            if self.find(call).is_some_and(|call| call.state == CallState::Talking) {
                self.hold_for_new_call(call);
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
            (Soft::VoiceMail, _) => self.call_voice_mail(now),
            (Soft::Return, _) => self.return_call(now),
            (Soft::Dnd, _) => self.toggle_dnd(now),
            (Soft::Forward, Some(call)) => self.enter(Entry::Deflect(call)),
            (Soft::Forward, None) => self.forward_key(now, self.account, ForwardKind::Always),
            (Soft::Account, _) => self.turn_account(1),
            (Soft::Clear | Soft::Close, _) => self.leave(),
            (Soft::Send, _) => self.send(now),
            (Soft::Delete, _) => self.erase(now),
            (Soft::Cancel, _) => self.cancel(now),
            (Soft::Silence, _) => self.mute(),
            (Soft::Conference, _) => self.conference_key(now),
            (Soft::Split, _) => self.split(),
            (Soft::Record, _) => self.record_key(),
            (Soft::StartRecording, Some(call)) => self.start_recording(now, call),
            (Soft::PauseRecording, _) => self.pause_recording(true),
            (Soft::ResumeRecording, _) => self.pause_recording(false),
            (Soft::StopRecording, _) => self.stop_recording(),
            (Soft::Recordings, _) => self.list_recordings(),
            (Soft::Play, _) => self.play_recording(),
            (Soft::StopPlaying, _) => self.stop_playing(),
            (Soft::NextRecording, _) => self.next_recording(),
            (Soft::DirectPickup, _) => self.direct_pickup(now),
            (Soft::GroupPickup, _) => self.group_pickup(now),
            (Soft::TakeAlert, _) => self.take_alert(now),
            (Soft::GuestIn | Soft::GuestOut, _) => self.guest_key(now, self.account),
            (Soft::SignIn, _) => self.command_agent(self.account, AgentCommand::LogIn, ""),
            (Soft::SignOut, _) => self.command_agent(self.account, AgentCommand::LogOut, ""),
            (Soft::Available, _) => self.command_agent(self.account, AgentCommand::Available, ""),
            (Soft::Unavailable, _) => self.enter(Entry::AgentReason(self.account)),
            (Soft::Texts, _) => self.show_text(0),
            (Soft::Next, _) => self.show_text(1),
            (Soft::Erase, _) => self.delete_text(),
            (Soft::Call, _) => self.call_writer(now),
            (Soft::ClearAccounts, _) => self.answer_hot_desk(true),
            (Soft::Transfer, _) => self.transfer_key(now),
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
            (Soft::PrivateHold, Some(call)) => self.hold_privately(call),
            (Soft::Swap, Some(call)) => {
                if let Some(other) = self.other_held(call) {
                    self.toggle_hold(other);
                }
            }
            (Soft::End, Some(call)) => self.hang_up(call),
            (Soft::Wait, _) => self.wait_for_free(now),
            (Soft::CallFree, _) => self.call_free(now),
            (Soft::Forget, _) => self.stop_waiting(now),
            (Soft::Follow, Some(call)) => {
                self.follow(call);
            }
            (Soft::Blind | Soft::Consult | Soft::Beside | Soft::Back, _) => self.answer_question(now, soft),
            (
                Soft::Hold
                | Soft::PrivateHold
                | Soft::Resume
                | Soft::Swap
                | Soft::Follow
                | Soft::End
                | Soft::StartRecording,
                None,
            )
            | (Soft::More | Soft::Given(_), _) => {}
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
            .find(|other| {
                other.id != call
                    && other.state == CallState::Held
                    && !other.hung_up
                    && !(self.conference.contains(&call) && self.conference.contains(&other.id))
            })
            .map(|other| other.id)
    }

    pub(super) fn account_label(&self) -> Option<&Account> {
        self.accounts.get(self.account)
    }
}
