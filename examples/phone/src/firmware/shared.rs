//! Keys of shared lines: a press seizes an appearance before there is a dial tone, answers what rings there, and takes what
//! another telephone holds; the lamp shows what becomes of it, wherever that is.

mod barge_in;

use super::programmable::{Face, KeyConfig, KeyFunction};
use super::screen::Tone;
use super::watch::lamp_state;
use super::{CallRef, CallState, Command, Firmware, Mode, Signal};
use sidetone_hal::keypad::Key;
use sidetone_hal::time::Instant;
use sidetone_sip_core::Headers;
use sidetone_sip_core::header::CallInfo;
use sidetone_sip_ua::feature::shared_line::{
    AppearanceState, AppearanceView, LineAction, LineKeys, LineLamps, Refused, called_appearance,
};
use sidetone_sip_ua::package::call_info::{Appearance, Seizure};
use sidetone_sip_ua::package::dialog_info::Identity;

/// Appearances of a line of whose keys none names one.
const APPEARANCES: u16 = 4;

/// How the telephones of a shared line and its server tell each other of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineKind {
    /// By `call-info` and `line-seize` (BroadSoft's shared call appearances, Panasonic's shared call).
    #[default]
    CallInfo,
    /// As bridged line appearances, by `dialog;sla`.
    Bridged {
        /// Whether the telephones may barge into each other's calls.
        barge_in: bool,
    },
}

/// A line that the telephone shares with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedLineConfig {
    /// The account that calls and is called on it, counted from 0.
    pub account: usize,
    /// Its number; an empty one is the account's own.
    pub number: String,
    /// How many calls it can have at a time.
    pub appearances: u16,
    /// By which means.
    pub kind: LineKind,
}

/// The shared lines that these keys are of, in the order of the keys. [`Command`]s and [`Signal`]s name them by their place.
#[must_use]
pub fn shared_lines(keys: &[KeyConfig]) -> Vec<SharedLineConfig> {
    let mut lines: Vec<SharedLineConfig> = Vec::new();
    for key in keys {
        let KeyFunction::SharedLine { number, appearance, kind } = &key.function else { continue };
        let (account, appearances) = (key.account.unwrap_or(0), appearance.unwrap_or(APPEARANCES));
        match lines.iter_mut().find(|line| line.account == account && line.number == *number) {
            Some(line) => line.appearances = line.appearances.max(appearances),
            None => {
                lines.push(SharedLineConfig { account, number: number.clone(), appearances, kind: *kind })
            }
        }
    }
    lines
}

/// What is heard of a shared line.
#[derive(Clone, Debug, PartialEq)]
pub enum LineTold {
    /// What its appearances are used for.
    Appearances(Vec<Appearance>),
    /// Nothing is told any more.
    Unknown,
    /// What became of an appearance that we want to dial on.
    Seizure(u16, Seizure),
}

/// A shared line, and our calls on it.
#[derive(Debug)]
pub(super) struct SharedLine {
    config: SharedLineConfig,
    keys: LineKeys,
    /// At most one for each of our calls.
    calls: Vec<LineCall>,
    /// Who is on the way into a call of ours, after that.
    barging: Vec<(CallRef, CallRef)>,
}

#[derive(Debug)]
struct LineCall {
    call: CallRef,
    index: u16,
    /// Held so that nobody else can take it.
    private: bool,
}

impl SharedLine {
    pub(super) fn new(config: SharedLineConfig) -> Self {
        let keys = LineKeys::new(config.appearances);
        let keys = match config.kind {
            LineKind::CallInfo => keys,
            LineKind::Bridged { barge_in: false } => keys.without_seizure_time(),
            LineKind::Bridged { barge_in: true } => keys.without_seizure_time().with_barge_in(),
        };
        Self { config, keys, calls: Vec::new(), barging: Vec::new() }
    }

    fn call_at(&self, index: u16) -> Option<CallRef> {
        self.calls.iter().find(|call| call.index == index).map(|call| call.call)
    }
}

impl Firmware {
    /// How the key of a shared line looks: one appearance, or the one of them that asks most for attention.
    pub(super) fn shared_face(&self, name: &str, account: usize, number: &str, at: Option<u16>) -> Face {
        let line =
            self.shared.iter().find(|line| line.config.account == account && line.config.number == number);
        let calm =
            || Face { text: name.to_owned(), tone: Tone::Calm, lamp: self.lit(String::new(), false).lamp };
        let Some(line) = line else { return calm() };
        let view = match at {
            Some(index) => line.keys.view(index),
            None => match line.keys.views().max_by_key(|view| (view.here, view.state)) {
                Some(view) => view,
                None => return calm(),
            },
        };
        let text = match view.uri.as_deref().filter(|_| view.state != AppearanceState::Idle) {
            Some(uri) => format!("{name}: {}", who(uri)),
            None => name.to_owned(),
        };
        let tone = match view.state {
            AppearanceState::Idle => Tone::Calm,
            AppearanceState::Alerting => Tone::Ringing,
            _ => Tone::Talking,
        };
        Face { text, tone, lamp: lamp_state(LineLamps::COMMON.lamp(&view)) }
    }

    /// What the lamp of an appearance stands for, counted from 1; `None` where there is no such line.
    #[must_use]
    pub fn appearance(&self, line: usize, index: u16) -> Option<AppearanceView> {
        self.shared.get(line).map(|line| line.keys.view(index))
    }

    /// The key of a shared line.
    pub(super) fn press_shared(&mut self, now: Instant, account: usize, number: &str, at: Option<u16>) {
        let of = |line: &SharedLine| line.config.account == account && line.config.number == number;
        let Some(place) = self.shared.iter().position(of) else { return };
        let busy = match self.mode {
            // What is on its way has to come to its end first.
            Mode::Call(call) => self.find(call).is_some_and(|call| !call.is_up() && !call.is_ringing()),
            _ => false,
        };
        let Some(line) = self.shared.get_mut(place).filter(|_| !busy) else { return };
        let action = match at {
            Some(index) => line.keys.press(now, index),
            None => line.keys.press_line(now),
        };
        self.act_on_line(now, place, action);
    }

    /// Something is heard of a line.
    pub(super) fn line_told(&mut self, now: Instant, place: usize, told: LineTold) {
        let Some(line) = self.shared.get_mut(place) else { return };
        match told {
            LineTold::Appearances(told) => line.keys.notified(&told),
            LineTold::Unknown => line.keys.forget(),
            LineTold::Seizure(index, what) => {
                let action = line.keys.seizure(now, index, &what);
                self.act_on_line(now, place, action);
            }
        }
    }

    fn act_on_line(&mut self, now: Instant, place: usize, action: LineAction) {
        let Some(line) = self.shared.get(place) else { return };
        let (account, own) = (line.config.account, line.config.number.clone());
        match action {
            LineAction::Seize(index) => {
                match self.mode {
                    Mode::Call(_) => drop(self.hold_others(None)),
                    Mode::Ended { .. } => self.rest_open(),
                    Mode::Idle | Mode::Dial => {}
                }
                self.line_wait = Some((place, index));
                self.command(Command::SeizeLine { line: place, index });
            }
            LineAction::Release(index) => {
                self.command(Command::ReleaseLine { line: place, index });
                self.drop_dial(place, index);
            }
            LineAction::DialTone(index) => {
                self.line_wait = None;
                self.line_dial = Some((place, index));
                if let Some((account, number)) = self.line_number.take() {
                    self.dialler.set_line(self.key_of(account, &own, index));
                    return self.place(now, account, number);
                }
                let key = self.key_of(account, &own, index);
                if matches!(self.mode, Mode::Dial) && !self.dialler.digits().is_empty() {
                    // Whoever dials already goes on.
                    self.open_path();
                    return self.dialler.set_line(key);
                }
                self.dialler.close();
                self.dialler.set_line(key);
                self.dial_tone(now);
            }
            LineAction::Refused(index, why) => {
                if index > 0 {
                    self.command(Command::ReleaseLine { line: place, index });
                }
                let waits = self.line_number.take().is_some();
                self.drop_dial(place, index);
                let told = match why {
                    Refused::Private => "Held for somebody else",
                    Refused::TimedOut => "Nobody dialled",
                    _ => "The line is in use",
                };
                if (waits || own.is_empty()) && !matches!(self.mode, Mode::Call(_)) {
                    return self.fail(now, told);
                }
                let name = if own.is_empty() { self.label_of(account) } else { own };
                self.notify(now, format!("{name}: {told}"));
            }
            LineAction::Answer(index) => {
                if let Some(call) = line.call_at(index) {
                    self.answer(call);
                }
            }
            LineAction::Resume(index) => {
                if let Some(call) = line.call_at(index) {
                    self.toggle_hold(call);
                }
            }
            LineAction::Show(index) => {
                if let Some(call) = line.call_at(index) {
                    self.show(call);
                }
            }
            LineAction::Retrieve(index) | LineAction::BargeIn(index) => {
                self.retrieve_on_line(now, place, index)
            }
            _ => {}
        }
    }

    /// The dial tone of an appearance, or the wait for it, is over.
    fn drop_dial(&mut self, place: usize, index: u16) {
        self.line_wait.take_if(|wait| *wait == (place, index));
        if self.line_dial.take_if(|dial| *dial == (place, index)).is_some() {
            self.rest();
        }
    }

    /// The reason of a call's end has been seen.
    fn rest_open(&mut self) {
        let path = self.path;
        self.rest();
        if matches!(self.mode, Mode::Idle) {
            self.path = path;
        }
    }

    fn label_of(&self, account: usize) -> String {
        self.accounts.get(account).map(|account| account.label.clone()).unwrap_or_default()
    }

    /// The line that all calls of an account are on.
    fn line_of_account(&self, account: usize) -> Option<usize> {
        let whole = |line: &SharedLine| line.config.account == account && line.config.number.is_empty();
        self.shared.iter().position(whole)
    }

    /// Whether a line key is one of a line that the account shares.
    pub(super) fn shares_line(&self, account: usize, line: u8) -> bool {
        let known = self.programmed(Key::Line(line)).map(|known| &known.config);
        known.is_some_and(|known| {
            matches!(known.function, KeyFunction::SharedLine { .. }) && known.account.unwrap_or(0) == account
        })
    }

    /// Before there is a dial tone on an account all of whose calls are on a shared line, an appearance is seized. Says
    /// whether that is so.
    pub(super) fn seize_first(&mut self, now: Instant) -> bool {
        if self.line_dial.is_some() {
            return false;
        }
        let Some(place) = self.line_of_account(self.account) else { return false };
        self.open_path();
        if self.line_wait.is_none()
            && let Some(line) = self.shared.get_mut(place)
        {
            let action = line.keys.off_hook(now);
            self.act_on_line(now, place, action);
        }
        true
    }

    /// The same before a number is called that was dialled without a dial tone.
    pub(super) fn seize_for(&mut self, now: Instant, account: usize, number: &str) -> bool {
        if self.line_dial.is_some() {
            return false;
        }
        if let Some(line) = self.line_wait.and_then(|(place, _)| self.shared.get(place)) {
            self.line_number = Some((line.config.account, number.to_owned()));
            return true;
        }
        let Some(place) = self.line_of_account(account) else { return false };
        self.line_number = Some((account, number.to_owned()));
        if let Some(line) = self.shared.get_mut(place) {
            let action = line.keys.off_hook(now);
            self.act_on_line(now, place, action);
        }
        true
    }

    /// Takes the call that another telephone holds, or barges into the one that it has.
    fn retrieve_on_line(&mut self, now: Instant, place: usize, index: u16) {
        let Some(line) = self.shared.get(place) else { return };
        let (account, number) = (line.config.account, line.config.number.clone());
        drop(self.hold_others(None));
        self.dialler.set_line(self.key_of(account, &number, index));
        let call = self.take_line(now, account, number.clone());
        let Some(line) = self.shared.get_mut(place) else { return };
        match call {
            Some(call) => {
                line.calls.push(LineCall { call, index, private: false });
                self.command(Command::CallOnLine { call, account, number, line: place, index });
            }
            None => line.keys.ended(index),
        }
    }

    /// The line key that shows an appearance.
    fn key_of(&self, account: usize, number: &str, index: u16) -> Option<u8> {
        self.keys.iter().find_map(|known| match (&known.config.function, known.config.key) {
            (KeyFunction::SharedLine { number: own, appearance, .. }, Key::Line(line))
                if own == number
                    && known.config.account.unwrap_or(0) == account
                    && appearance.is_none_or(|own| own == index) =>
            {
                Some(line)
            }
            _ => None,
        })
    }

    /// The account of the line whose dial tone there is.
    pub(super) fn line_account_of_dial(&self) -> Option<usize> {
        let (place, _) = self.line_dial?;
        self.shared.get(place).map(|line| line.config.account)
    }

    /// The command that calls on the line whose dial tone there was, or on none.
    pub(super) fn call_on_line(
        &mut self,
        dial: Option<(usize, u16)>,
        call: CallRef,
        account: usize,
        number: String,
    ) -> Command {
        if let Some((place, index)) = dial
            && let Some(line) = self.shared.get_mut(place).filter(|line| line.config.account == account)
            && line.keys.dial(index)
        {
            line.calls.push(LineCall { call, index, private: false });
            return Command::CallOnLine { call, account, number, line: place, index };
        }
        self.give_back(dial);
        Command::Call { call, account, number }
    }

    /// An appearance that is not dialled on after all.
    pub(super) fn give_back(&mut self, dial: Option<(usize, u16)>) {
        if let Some((place, index)) = dial
            && let Some(line) = self.shared.get_mut(place)
            && line.keys.on_hook(index) == LineAction::Release(index)
        {
            self.command(Command::ReleaseLine { line: place, index });
        }
    }

    /// The dial tone ends without a call.
    pub(super) fn leave_line(&mut self) {
        self.line_number = None;
        let (dial, wait) = (self.line_dial.take(), self.line_wait.take());
        self.give_back(dial);
        self.give_back(wait);
    }

    /// A call that comes in may be on a shared line: its INVITE says so.
    pub fn rings_on_line(&mut self, call: CallRef, headers: &Headers) {
        let named = Appearance::index_of(headers).or_else(|| called_appearance(headers));
        let Some(index) = named else { return };
        let infos = headers.all::<CallInfo>().filter_map(Result::ok);
        let mut infos = infos.filter(|info| info.params.get("appearance-index").is_some());
        let named = infos.next().and_then(|info| Some(info.uri()?.user()?.into_owned()));
        let Some(account) = self.find(call).map(|call| call.account) else { return };
        let mut lines = self.shared.iter_mut().filter(|line| line.config.account == account);
        let line = match named {
            Some(number) => lines.find(|line| line.config.number == number || line.config.number.is_empty()),
            None => lines.next(),
        };
        // An appearance has one call, whatever an INVITE says.
        let Some(line) = line.filter(|line| line.call_at(index).is_none()) else { return };
        line.keys.incoming(index);
        line.calls.push(LineCall { call, index, private: false });
        let (account, number) = (line.config.account, line.config.number.clone());
        if let Some(key) = self.key_of(account, &number, index) {
            self.change(call, |call| call.line = Some(key));
        }
    }

    /// What becomes of our calls on shared lines.
    pub(super) fn follow_on_line(&mut self, signal: &Signal) {
        let (Signal::Established { call }
        | Signal::Held(call)
        | Signal::Resumed(call)
        | Signal::Ended { call, .. }) = signal
        else {
            return;
        };
        for line in &mut self.shared {
            let Some(own) = line.calls.iter_mut().find(|own| own.call == *call) else { continue };
            match signal {
                Signal::Held(_) => line.keys.held(own.index, own.private),
                Signal::Ended { .. } => {
                    line.keys.ended(own.index);
                    line.calls.retain(|own| own.call != *call);
                    line.barging.retain(|(joined, new)| *joined != *call && *new != *call);
                }
                _ => {
                    own.private = false;
                    line.keys.answered(own.index);
                }
            }
        }
    }

    /// The line and appearance that a call is on, by the line's place.
    #[must_use]
    pub fn line_of_call(&self, call: CallRef) -> Option<(usize, u16)> {
        self.shared.iter().enumerate().find_map(|(place, line)| {
            let own = line.calls.iter().find(|own| own.call == call)?;
            Some((place, own.index))
        })
    }

    /// Whether a call is on a shared line.
    pub(super) fn is_on_line(&self, call: CallRef) -> bool {
        self.shared.iter().any(|line| line.calls.iter().any(|own| own.call == call))
    }

    /// Holds a call of a shared line so that nobody else can take it.
    pub(super) fn hold_privately(&mut self, call: CallRef) {
        if !self.find(call).is_some_and(|call| call.state == CallState::Talking && !call.holding) {
            return;
        }
        let own = self.shared.iter_mut().flat_map(|line| &mut line.calls).find(|own| own.call == call);
        if let Some(own) = own {
            own.private = true;
            self.toggle_hold(call);
        }
    }

    /// What has to go before a command that holds a call of a shared line, or takes it back.
    pub(super) fn before_on_line(&self, command: &Command) -> Option<Command> {
        let (call, holds) = match command {
            Command::Hold(call) => (*call, true),
            Command::Resume(call) => (*call, false),
            _ => return None,
        };
        self.shared.iter().enumerate().find_map(|(place, line)| {
            let own = line.calls.iter().find(|own| own.call == call)?;
            let private = holds.then_some(own.private);
            Some(Command::MarkHold { call, line: place, index: own.index, private })
        })
    }

    /// Seizures whose time is over.
    pub(super) fn handle_lines(&mut self, now: Instant) {
        for place in 0..self.shared.len() {
            while let Some(line) = self.shared.get_mut(place) {
                match line.keys.handle_timeout(now) {
                    LineAction::None => break,
                    action => self.act_on_line(now, place, action),
                }
            }
        }
    }

    /// When there is something to do about them.
    pub(super) fn lines_due(&self) -> Option<Instant> {
        self.shared.iter().filter_map(|line| line.keys.poll_timeout()).min()
    }
}

/// Who is at the other side, of a name-addr or a URI.
fn who(uri: &str) -> String {
    match uri.parse::<sidetone_sip_core::NameAddr>() {
        Ok(address) => {
            let identity = Identity::new(address.uri.as_str());
            let identity = match &address.display_name {
                Some(name) if !name.trim().is_empty() => identity.with_display(name.trim()),
                _ => identity,
            };
            identity.label().into_owned()
        }
        Err(_) => Identity::new(uri).label().into_owned(),
    }
}
