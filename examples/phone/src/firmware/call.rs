//! A call as the telephone sees it, and what happens when one begins or ends.

use super::in_call::InCall;
use super::policy::Waiting;
use super::{BUSY_TONE, Command, ENDED_SHOWN, Firmware, Mode, Sound, Timer};
use core::fmt;
use sidetone_hal::audio::AudioPath;
use sidetone_hal::hook::HookState;
use sidetone_hal::keypad::Key;
use sidetone_hal::time::{Duration, Instant};
use sidetone_media::page::PageAddress;

/// Names a call of one telephone; not used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallRef(pub(super) u32);

impl fmt::Display for CallRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}", self.0)
    }
}

/// The other side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its name, if one is known.
    pub name: Option<String>,
    /// Its number or address.
    pub number: String,
}

impl Peer {
    /// The name, or the number where there is none.
    #[must_use]
    pub fn title(&self) -> &str {
        self.name.as_deref().filter(|name| !name.trim().is_empty()).unwrap_or(&self.number)
    }
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// Outgoing, nothing heard yet.
    Calling,
    /// Outgoing, the other side rings.
    Alerting {
        /// Whether the other side sends sound already.
        early_media: bool,
    },
    /// Incoming, not answered.
    Ringing,
    /// Incoming, answered by us; the other side does not know yet.
    Answering,
    /// Up.
    Talking,
    /// Up, held by us.
    Held,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    pub(super) id: CallRef,
    pub(super) account: usize,
    pub(super) line: Option<u8>,
    pub(super) peer: Peer,
    pub(super) state: CallState,
    pub(super) since: Option<Instant>,
    pub(super) codec: Option<&'static str>,
    /// Whether its speech is encrypted.
    pub(super) encrypted: bool,
    pub(super) quality: Option<Quality>,
    pub(super) remote_hold: bool,
    /// The person took it back; the other side does not know yet.
    pub(super) resuming: bool,
    /// The person put it on hold; the other side does not know yet.
    pub(super) holding: bool,
    pub(super) sent: String,
    /// When the last digit was.
    pub(super) sent_at: Option<Instant>,
    pub(super) received: String,
    /// Who is in the conference that the other side is the focus of.
    pub(super) people: Vec<String>,
    /// Where the other side sends it, while the person is asked.
    pub(super) redirected: Option<Peer>,
    /// Who had us make this call.
    pub(super) transferred_by: Option<String>,
    /// What the person dialled, or had dialled.
    pub(super) dialled: Option<String>,
    /// What it waits for while it rings.
    pub(super) waiting: Waiting,
    /// What the server does for it.
    pub(super) server: InCall,
    /// Where it is spoken to, if it is a page and no call.
    pub(super) page: Option<PageAddress>,
    /// We ended it; the end needs no explanation.
    pub(super) hung_up: bool,
}

impl Call {
    /// Its name.
    #[must_use]
    pub const fn id(&self) -> CallRef {
        self.id
    }

    /// The other side.
    #[must_use]
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> CallState {
        self.state
    }

    /// Digits that the other side sent, the latest 64.
    #[must_use]
    pub fn received(&self) -> &str {
        &self.received
    }

    /// How long it is up.
    #[must_use]
    pub fn duration(&self, now: Instant) -> Option<Duration> {
        self.since.map(|since| now.saturating_since(since))
    }

    pub(super) const fn is_ringing(&self) -> bool {
        matches!(self.state, CallState::Ringing) && !self.hung_up
    }

    pub(super) const fn is_up(&self) -> bool {
        matches!(self.state, CallState::Talking | CallState::Held)
    }

    /// Whether its sound goes to the ear.
    pub(super) const fn is_heard(&self) -> bool {
        matches!(
            self.state,
            CallState::Talking | CallState::Answering | CallState::Alerting { early_media: true }
        )
    }

    /// The other side knows whether it is held.
    pub(super) const fn settle(&mut self, state: CallState) {
        self.state = state;
        (self.resuming, self.holding) = (false, false);
    }

    pub(super) fn next_second(&self, now: Instant) -> Option<Instant> {
        let since = self.since?;
        Some(since + Duration::from_secs(now.saturating_since(since).as_secs() + 1))
    }
}

/// What waits until other calls are held.
#[derive(Debug)]
pub(super) struct AfterHold {
    /// The call that it is about.
    call: CallRef,
    then: Command,
    /// Those that are not held yet.
    waits: Vec<CallRef>,
}

/// Who ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// We did.
    Local,
    /// The other side did.
    Remote,
    /// The network failed, or nobody answered in time.
    Network,
}

/// Why a call is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Who ended it.
    pub by: EndedBy,
    /// The status that refused it.
    pub status: Option<u16>,
    /// In words.
    pub reason: String,
    /// Somebody else took the call that rang here, or refused it for all: it was not missed.
    pub elsewhere: bool,
}

/// How a call sounded to us. `Display` is what the screen shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quality {
    /// The mean opinion score in tenths, 10 to 50 (ITU-T P.800).
    pub mos: u8,
    /// Packets that never came, out of a thousand.
    pub lost: u16,
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mos, lost } = self;
        write!(f, "Sound {}.{} of 5, {}.{} % lost", mos / 10, mos % 10, lost / 10, lost % 10)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Incoming,
    Outgoing,
}

/// Status codes that mean that the person is busy: 486 Busy Here, 600 Busy Everywhere, 603 Decline.
const BUSY: [u16; 3] = [486, 600, 603];

impl Firmware {
    /// A line for one more call of `account`: `Some(None)` on a model without line keys, `None` when all are taken.
    #[expect(
        clippy::option_option,
        reason = "no room for a call, and a call without a line key, are two things"
    )]
    pub(super) fn free_line(&self, account: usize) -> Option<Option<u8>> {
        if self.calls.len() >= self.model.calls {
            return None;
        }
        if self.model.lines == 0 {
            return Some(None);
        }
        let taken = |line: u8| self.calls.iter().any(|call| call.line == Some(line));
        let own =
            (1..=self.model.lines).find(|line| self.account_of(*line) == Some(account) && !taken(*line));
        let shared = |line: &u8| self.shares_line(account, *line) && !taken(*line);
        own.or_else(|| (1..=self.model.lines).find(shared)).map(Some)
    }

    /// The account that a line key belongs to. The keys are dealt out evenly, in the accounts' order.
    pub(super) fn account_of(&self, line: u8) -> Option<usize> {
        if self.programmed(Key::Line(line)).is_some() {
            return None;
        }
        if let Some(account) = self.line_account(line) {
            return Some(account).filter(|account| *account < self.accounts.len());
        }
        let accounts = u8::try_from(self.accounts.len()).ok().filter(|count| *count > 0)?;
        let each = (self.model.lines / accounts).min(self.model.lines_per_account).max(1);
        let account = usize::from(line.checked_sub(1)? / each);
        (line <= self.model.lines && account < self.accounts.len()).then_some(account)
    }

    pub(super) fn add_call(
        &mut self,
        account: usize,
        line: Option<u8>,
        peer: Peer,
        direction: Direction,
    ) -> CallRef {
        let id = CallRef(self.next_call);
        self.next_call = self.next_call.wrapping_add(1);
        let state = match direction {
            Direction::Incoming => CallState::Ringing,
            Direction::Outgoing => CallState::Calling,
        };
        if direction == Direction::Incoming && !self.calls.iter().any(Call::is_ringing) {
            self.ringer_silent = false;
        }
        self.calls.push(Call {
            id,
            account,
            line,
            peer,
            state,
            since: None,
            codec: None,
            encrypted: false,
            quality: None,
            remote_hold: false,
            resuming: false,
            holding: false,
            sent: String::new(),
            sent_at: None,
            received: String::new(),
            people: Vec::new(),
            redirected: None,
            transferred_by: None,
            dialled: None,
            waiting: Waiting::default(),
            server: InCall::default(),
            page: None,
            hung_up: false,
        });
        id
    }

    /// Calls a number of the person's, on the line that the dialler chose.
    pub(super) fn call(&mut self, now: Instant, number: String) {
        let account = self.dial_account();
        self.redial.stop();
        self.place(now, account, number);
    }

    /// The account of the line that the dialler chose.
    pub(super) fn dial_account(&self) -> usize {
        let chosen = self.dialler.line().and_then(|line| self.account_of(line));
        self.line_account_of_dial().or(chosen).unwrap_or(self.account)
    }

    /// Calls a number.
    pub(super) fn place(&mut self, now: Instant, account: usize, number: String) {
        if self.seize_for(now, account, &number) {
            return;
        }
        let dial = self.line_dial.take();
        let Some(call) = self.take_line(now, account, number.clone()) else { return self.give_back(dial) };
        {
            self.last_number = Some(number.clone());
            self.change(call, |call| call.dialled = Some(number.clone()));
            self.consult(call);
            self.show(call);
            let command = self.call_on_line(dial, call, account, number);
            self.command(command);
        }
    }

    /// A new call of ours on a free line, on the screen; says why when there is none.
    pub(super) fn take_line(&mut self, now: Instant, account: usize, number: String) -> Option<CallRef> {
        let chosen = self.dialler.line();
        self.dialler.close();
        self.hotline.stop();
        let free = self.free_line(account);
        let taken = |line| self.calls.iter().any(|call| call.line == Some(line));
        let line = match (chosen, free) {
            (Some(line), Some(_)) if !taken(line) => Some(line),
            (_, Some(line)) => line,
            (_, None) => {
                let reason = if self.accounts.is_empty() { "No account" } else { "No free line" };
                self.fail(now, reason);
                return None;
            }
        };
        if self.accounts.is_empty() {
            self.fail(now, "No account");
            return None;
        }
        self.open_path();
        self.muted = false;
        let peer = Peer { name: None, number };
        let call = self.add_call(account, line, peer, Direction::Outgoing);
        let consulting = self.dials_for_transfer();
        if !consulting {
            self.show(call);
        }
        Some(call)
    }

    pub(super) fn answer(&mut self, call: CallRef) {
        let held = self.hold_others(Some(call));
        self.open_path();
        self.muted = false;
        self.dialler.close();
        self.change(call, |call| call.state = CallState::Answering);
        self.show(call);
        self.once_held(held, call, Command::Answer(call));
    }

    pub(super) fn reject(&mut self, call: CallRef) {
        self.change(call, |call| call.hung_up = true);
        self.command(Command::Reject(call));
        if matches!(self.mode, Mode::Call(shown) if shown == call) {
            self.rest();
        }
    }

    pub(super) fn hang_up(&mut self, call: CallRef) {
        if self.conference.contains(&call) {
            return self.leave_or_end_conference();
        }
        self.after_hold.retain(|after| after.call != call);
        self.change(call, |call| call.hung_up = true);
        self.command(Command::HangUp(call));
        self.rest();
    }

    pub(super) fn toggle_hold(&mut self, call: CallRef) {
        if self.is_transferring(call) || self.is_page(call) {
            return;
        }
        if self.conference.contains(&call) {
            return self.toggle_conference_hold(call);
        }
        match self.find(call).map(|call| call.state) {
            Some(CallState::Talking) => self.hold(call),
            Some(CallState::Held) => {
                let held = self.hold_others(Some(call));
                self.open_path();
                self.show(call);
                self.change(call, |call| call.resuming = true);
                self.once_held(held, call, Command::Resume(call));
            }
            _ => {}
        }
    }

    /// Puts a call that talks on hold, unless that is on its way.
    pub(super) fn hold(&mut self, call: CallRef) {
        let Some(found) = self.calls.iter_mut().find(|found| found.id == call) else { return };
        if !core::mem::replace(&mut found.holding, true) {
            self.command(Command::Hold(call));
        }
    }

    /// Does something about a call once the others are held: who is put on hold knows it before (YLC-215).
    pub(super) fn once_held(&mut self, waits: Vec<CallRef>, call: CallRef, then: Command) {
        self.after_hold.retain(|after| after.call != call);
        if waits.is_empty() {
            self.command(then);
        } else {
            self.after_hold.push(AfterHold { call, then, waits });
        }
    }

    /// A call is held, could not be, or is over.
    pub(super) fn hold_settled(&mut self, id: CallRef) {
        for after in &mut self.after_hold {
            after.waits.retain(|call| *call != id);
        }
        let (ready, waiting) =
            core::mem::take(&mut self.after_hold).into_iter().partition(|after| after.waits.is_empty());
        self.after_hold = waiting;
        let ready: Vec<AfterHold> = ready;
        ready.into_iter().for_each(|after| self.command(after.then));
    }

    /// Holds every call that talks, but `except`, and says which.
    pub(super) fn hold_others(&mut self, except: Option<CallRef>) -> Vec<CallRef> {
        let talking: Vec<_> = self
            .calls
            .iter()
            .filter(|call| Some(call.id) != except && call.state == CallState::Talking)
            .map(|call| call.id)
            .collect();
        for &call in &talking {
            self.hold(call);
        }
        talking
    }

    /// Takes the handset when it is lifted, the loudspeaker otherwise, unless a path is open already.
    pub(super) fn open_path(&mut self) {
        if self.path.is_none() {
            self.path = Some(match self.hook {
                HookState::OffHook => AudioPath::Handset,
                HookState::OnHook => AudioPath::Speaker,
            });
        }
    }

    /// A call is over: tells why, or goes on with the calls that are left.
    pub(super) fn ended(&mut self, now: Instant, id: CallRef, cause: &Ended) {
        let Some(index) = self.calls.iter().position(|call| call.id == id) else { return };
        let call = self.calls.remove(index);
        self.after_hold.retain(|after| after.call != id);
        self.hold_settled(id);
        self.leave_conference(id);
        self.agent_hung_up(&call);
        self.leave_network_conference(now, id, cause);
        self.update_hold_tone(now);
        self.update_recall(now);
        self.recorded_call_over(id);
        self.reload_when_idle();
        if call.is_ringing() && !cause.elsewhere {
            self.missed = self.missed.saturating_add(1);
        }
        if call.since.is_none() && !call.hung_up {
            self.redial_later(now, &call, cause.status);
            self.completion_possible(&call, cause.status);
        }
        if self.transfer_ended(now, id, call.hung_up, cause) {
            return;
        }
        let shown = matches!(self.mode, Mode::Call(shown) if shown == id);
        if shown && (call.is_ringing() || call.hung_up || cause.by == EndedBy::Local) {
            self.rest();
        }
        let duration = call.duration(now).map(clock_of);
        if let Some(duration) = &duration {
            self.charge_follows(&call, format!("Call ended {duration}"));
        }
        let quality = call.quality.map(|quality| quality.to_string());
        let told: Vec<String> = quality.into_iter().chain(call.server.charge()).collect();
        if !matches!(self.mode, Mode::Call(shown) if shown == id) {
            // Nothing else is shown: a glance at how the call was.
            if let (Mode::Idle, Some(duration), false) = (&self.mode, duration, told.is_empty()) {
                let title = format!("Call ended {duration}");
                self.mode = Mode::Ended { title, details: told, sound: None };
                self.timers.set(Timer::Ended, now + ENDED_SHOWN);
            }
            return;
        }
        let (title, sound) = match (duration, cause.status) {
            (Some(duration), _) => (format!("Call ended {duration}"), Sound::Congestion),
            (None, Some(status)) if BUSY.contains(&status) => ("Busy".to_owned(), Sound::Busy),
            (None, _) => ("Call failed".to_owned(), self.failed_tone()),
        };
        let status = cause.status.map(|status| format!("{status} ")).unwrap_or_default();
        let reason = format!("{status}{}", cause.reason);
        let reason = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
        self.finish(now, title, reason.into_iter().chain(told).collect(), sound);
        if cause.by == EndedBy::Remote && call.since.is_some() {
            self.limit_busy_tone(now);
        }
    }

    /// Says why nothing came of what the person wanted.
    pub(super) fn fail(&mut self, now: Instant, reason: &str) {
        let tone = self.failed_tone();
        self.finish(now, "Call failed".to_owned(), vec![reason.to_owned()], tone);
    }

    pub(super) fn finish(&mut self, now: Instant, title: String, details: Vec<String>, sound: Sound) {
        self.muted = false;
        self.mode = Mode::Ended { title, details, sound: Some(sound) };
        if self.hook == HookState::OffHook && self.path == Some(AudioPath::Handset) {
            self.timers.set(Timer::BusyTone, now + BUSY_TONE);
        } else {
            // On the loudspeaker the tone stops together with the notice.
            self.timers.set(Timer::BusyTone, now + ENDED_SHOWN);
            self.timers.set(Timer::Ended, now + ENDED_SHOWN);
        }
    }

    /// Nothing more to say in the foreground: the next call, or idle.
    pub(super) fn rest(&mut self) {
        self.timers.stop(Timer::Ended);
        self.timers.stop(Timer::BusyTone);
        self.dialler.close();
        self.leave_line();
        self.drop_dialled_transfer();
        self.leave_sign_in();
        self.entry = None;
        self.hotline.stop();
        self.muted = false;
        let ringing = self.calls.iter().find(|call| call.is_ringing()).map(|call| call.id);
        let next = ringing.or_else(|| self.calls.iter().find(|call| !call.hung_up).map(|call| call.id));
        self.mode = next.map_or(Mode::Idle, Mode::Call);
        if ringing.is_some() || next.is_none() {
            self.path = None;
        }
    }
}

/// `01:05`, or `1:02:03` from an hour on.
pub(super) fn clock_of(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}
