//! Keys that are given a function: line keys, and those soft keys and keys with a cap that a model lets have one.
//!
//! A function is a variant of [`KeyFunction`]. What its key looks like is an arm of [`Firmware::face`], what a press does is
//! an arm of [`Firmware::press_programmed`], and the word for it in the settings stands in `config/keys.rs`. Line keys work at
//! any time, the others only while the phone is idle (YLC-336).

mod list;
mod page;
mod park;
mod room;

pub use list::Member;
pub use park::{ParkBy, ParkKey};

use super::call::CallState;
use super::screen::Tone;
use super::stored::Origin;
use super::{Command, Firmware, LineKind, Mode};
use sidetone_hal::keypad::Key;
use sidetone_hal::lamp::LampState;
use sidetone_hal::time::Instant;
use sidetone_media::page::PageAddress;
use sidetone_sip_ua::feature::auto_answer::IntercomForm;
use sidetone_sip_ua::feature::forward::ForwardKind;
use sidetone_sip_ua::package::blf::{BlfKey, BlfState, Unknown};

/// A key with a function.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyConfig {
    /// Which key.
    pub key: Key,
    /// The account that it works with, counted from 0; `None` is the one that is chosen on the screen.
    pub account: Option<usize>,
    /// Its label; an empty one comes from the function.
    pub label: String,
    /// What it does.
    pub function: KeyFunction,
}

impl KeyConfig {
    /// A key that does this with the chosen account, labelled by its function.
    #[must_use]
    pub const fn new(key: Key, function: KeyFunction) -> Self {
        Self { key, account: None, label: String::new(), function }
    }

    /// The same with this label.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }
}

/// What a key does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFunction {
    /// What it does without a function: a line key is a line, of the account if one is given.
    Line,
    /// Nothing.
    Nothing,
    /// Watches an extension; a press calls it, takes the call that rings there, or transfers to it.
    Blf(BlfKey),
    /// The same for the next member of the list that the account's server keeps (DIN-092). The extension is that of the
    /// member; the key has the codes.
    BlfList(BlfKey),
    /// A line that other telephones share.
    SharedLine {
        /// Its number; an empty one is the account's own, and every call of the account is one of the line.
        number: String,
        /// Which of its appearances, from 1; `None` stands for all of them.
        appearance: Option<u16>,
        /// How the telephones and the server tell each other of it.
        kind: LineKind,
    },
    /// Calls a number or a URI.
    SpeedDial(String),
    /// Puts digits in front of the number that is dialled (YLC-338).
    Prefix(String),
    /// Sends digits over the call (DIN-165, SAY-212).
    Dtmf(String),
    /// Takes the call that rings at an extension (DIN-079): by the code before the extension, by the value alone where it is
    /// a code itself, or by replacing it.
    Pickup(BlfKey),
    /// Takes a call that rings in the group, by dialling this code (DIN-080).
    GroupPickup(String),
    /// Parks the call, and fetches it.
    Park(ParkKey),
    /// Fetches a parked call, by dialling this code or number.
    Retrieve(String),
    /// Calls somebody whose telephone is to answer at once.
    Intercom {
        /// Whom.
        number: String,
        /// How the call says so.
        form: IntercomForm,
    },
    /// Speaks to all telephones that listen to this multicast address, until it is pressed again.
    Paging(PageAddress),
    /// Do not disturb, on and off.
    Dnd,
    /// Forwards calls, or does not any more: all, those while busy, or those that nobody answers.
    Forward(ForwardKind),
    /// As the transfer key.
    Transfer,
    /// As the conference key.
    Conference,
    /// Brings whoever we talk to into this conference room of the server, in which we are not; beside calls, calls it.
    Room(String),
    /// As the hold key.
    Hold,
    /// As the redial key.
    Redial,
    /// Calls whoever called last.
    CallReturn,
    /// Calls the voice mail.
    VoiceMail,
    /// Calls of the account are anonymous, or not.
    Anonymous,
    /// Another person takes the telephone over (DIN-035).
    HotDesk,
    /// Anonymous callers of the account are refused, or not.
    AnonymousRejection,
    /// Signs the account's agent in, then takes calls, and takes none for a while (DIN-083).
    Agent,
    /// Shows the texts that came.
    Texts,
    /// Has the server record the call, or stop (DIN-082).
    Record,
    /// Has the telephone record the call, or stop.
    Recorder,
    /// A guest uses the telephone under the account, or leaves it.
    Guest,
}

impl KeyFunction {
    /// The extension whose dialogs the key shows, and whether whatever call it has is a parked one.
    #[must_use]
    pub fn watches(&self) -> Option<(&str, bool)> {
        match self {
            Self::Blf(key) => Some((&key.extension, false)),
            Self::Pickup(key) if !is_code(&key.extension) => Some((&key.extension, false)),
            Self::Park(key) => Some((&key.orbit, true)),
            _ => None,
        }
    }

    /// The number that the key stands for: the target, when it is pressed while a transfer is dialled.
    fn number(&self) -> Option<&str> {
        match self {
            Self::Blf(key) => Some(&key.extension),
            Self::SpeedDial(number) | Self::Room(number) | Self::Intercom { number, .. } => Some(number),
            _ => None,
        }
    }
}

/// A key with a function, and what is known of what it watches.
#[derive(Debug)]
pub(super) struct Programmed {
    pub(super) config: KeyConfig,
    pub(super) state: BlfState,
    /// The member of the list that the key stands for.
    pub(super) member: Option<Member>,
}

/// What a key with a function looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Face {
    pub(super) text: String,
    pub(super) tone: Tone,
    pub(super) lamp: LampState,
}

impl Programmed {
    pub(super) const fn new(config: KeyConfig) -> Self {
        Self { config, state: BlfState::Unknown(Unknown::Waiting), member: None }
    }
}

impl Firmware {
    /// The function of a key, where it is not what it would be anyway.
    pub(super) fn programmed(&self, key: Key) -> Option<&Programmed> {
        let mut keys = self.keys.iter();
        keys.find(|known| known.config.key == key && known.config.function != KeyFunction::Line)
    }

    /// The account that a line key was given.
    pub(super) fn line_account(&self, line: u8) -> Option<usize> {
        let mut keys = self.keys.iter();
        keys.find(|known| known.config.key == Key::Line(line))?.config.account
    }

    /// What a key with a function looks like.
    pub(super) fn face(&self, key: &Programmed) -> Face {
        let KeyConfig { label, function, account, .. } = &key.config;
        let account = account.unwrap_or(self.account);
        let named = |name: &str| if label.is_empty() { name.to_owned() } else { label.clone() };
        let dark = |name: &str| self.lit(named(name), false);
        match function {
            KeyFunction::Line | KeyFunction::Nothing => dark(""),
            KeyFunction::Blf(watched) => self.watched_face(&named(&watched.extension), &key.state),
            KeyFunction::SharedLine { number, appearance, .. } => {
                let account = key.config.account.unwrap_or(0);
                let own = self.accounts.get(account).map(|account| account.label.as_str());
                let name = if number.is_empty() { own.unwrap_or_default() } else { number };
                self.shared_face(&named(name), account, number, *appearance)
            }
            KeyFunction::BlfList(_) => match &key.member {
                Some(member) => self.watched_face(&named(member.label()), &key.state),
                None => dark(""),
            },
            KeyFunction::SpeedDial(number)
            | KeyFunction::Room(number)
            | KeyFunction::Prefix(number)
            | KeyFunction::Retrieve(number)
            | KeyFunction::Intercom { number, .. } => dark(number),
            KeyFunction::Pickup(watched) => match &key.state {
                BlfState::Ringing(_) => self.watched_face(&named(&watched.extension), &key.state),
                _ => dark(&format!("Pickup {}", watched.extension)),
            },
            KeyFunction::Park(park) => self.watched_face(&named(&park.orbit), &key.state),
            KeyFunction::Paging(address) => {
                self.lit(named(&format!("Page {address}")), self.pages_to(*address).is_some())
            }
            KeyFunction::Dtmf(digits) => dark(digits),
            KeyFunction::GroupPickup(_) => dark("Group pickup"),
            KeyFunction::Dnd => self.lit(named("DND"), self.dnd_is_on(account)),
            KeyFunction::Forward(kind) => {
                let name = match kind {
                    ForwardKind::Always => "Forward",
                    ForwardKind::Busy => "Forward busy",
                    ForwardKind::NoAnswer => "Forward unanswered",
                };
                self.lit(named(name), self.forwards_when(account, *kind))
            }
            KeyFunction::Transfer => dark("Transfer"),
            KeyFunction::Conference => {
                self.lit(named("Conference"), !self.conference.is_empty() || self.network.is_some())
            }
            KeyFunction::Hold => {
                let held = self.calls.iter().any(|call| call.state == CallState::Held);
                self.lit(named("Hold"), held)
            }
            KeyFunction::Redial => dark("Redial"),
            KeyFunction::CallReturn => dark("Return"),
            KeyFunction::VoiceMail => {
                let waits = self.accounts.get(account).is_some_and(|account| account.messages.is_some());
                self.lit(named("Voice mail"), waits)
            }
            KeyFunction::HotDesk => dark("Hot desking"),
            KeyFunction::AnonymousRejection => {
                let policy = self.policy.accounts.get(account);
                self.lit(
                    named("No anonymous"),
                    policy.is_some_and(|policy| policy.screening.anonymous.enabled),
                )
            }
            KeyFunction::Agent => self.agent_face(account, named("ACD")),
            KeyFunction::Texts => self.lit(named("Texts"), self.texts_told().is_some()),
            KeyFunction::Record => self.record_face(named("Record")),
            KeyFunction::Recorder => self.lit(named("Recorder"), self.recording.is_some()),
            KeyFunction::Guest => self.lit(named("Guest"), self.guest_of(account).is_some()),
            KeyFunction::Anonymous => {
                let policy = self.policy.accounts.get(account);
                self.lit(named("Anonymous"), policy.is_some_and(|policy| policy.anonymity.enabled))
            }
        }
    }

    /// A key whose lamp is on or off. The colour is the one that asks for attention: in a call it is another one.
    pub(super) fn lit(&self, text: String, on: bool) -> Face {
        let tone = if on { Tone::Talking } else { Tone::Calm };
        let lamp = match self.model.line_lamps {
            Some(lamps) if on => LampState::On(lamps.ringing),
            _ => LampState::Off,
        };
        Face { text, tone, lamp }
    }

    /// A key is pressed. Says whether it has a function.
    pub(super) fn press_programmed(&mut self, now: Instant, key: Key) -> bool {
        let Some(programmed) = self.programmed(key) else { return false };
        if !matches!(key, Key::Line(_)) && !matches!(self.mode, Mode::Idle) {
            return false;
        }
        let account = programmed.config.account.unwrap_or(self.account);
        let (function, state) = (programmed.config.function.clone(), programmed.state.clone());
        let member = programmed.member.clone();
        if self.dials_for_transfer()
            && let Some(number) = function.number()
        {
            if let Some(number) = self.stored(now, account, number.to_owned(), Origin::Directory) {
                self.transfer_to_number(number);
            }
            return true;
        }
        match function {
            KeyFunction::Line | KeyFunction::Nothing => {}
            KeyFunction::Blf(watched) => self.press_watched(now, account, &watched, &state),
            KeyFunction::BlfList(codes) => {
                if let Some(Member { number, .. }) = member {
                    let mut watched = codes;
                    watched.extension = number;
                    self.press_watched(now, account, &watched, &state);
                }
            }
            KeyFunction::Pickup(watched) => self.pick_up(now, account, &watched, &state),
            KeyFunction::Park(park) => self.press_park(now, account, &park, &state),
            KeyFunction::Intercom { number, form } => self.call_intercom(now, account, number, form),
            KeyFunction::Paging(address) => self.toggle_page(now, account, address),
            KeyFunction::SharedLine { number, appearance, .. } => {
                // Whose calls these are does not depend on what is chosen on the screen.
                let account = self.programmed(key).and_then(|known| known.config.account).unwrap_or(0);
                self.press_shared(now, account, &number, appearance);
            }
            KeyFunction::SpeedDial(number)
            | KeyFunction::GroupPickup(number)
            | KeyFunction::Retrieve(number) => self.call_beside(now, account, number),
            KeyFunction::Prefix(digits) => self.prefix(now, &digits),
            KeyFunction::Dtmf(digits) => self.send_digits(now, &digits),
            KeyFunction::Dnd => self.toggle_dnd_of(now, account),
            KeyFunction::Forward(kind) => self.forward_key(now, account, kind),
            KeyFunction::Transfer => self.transfer_key(now),
            KeyFunction::Conference => self.conference_key(now),
            KeyFunction::Room(room) => self.press_room(now, account, room),
            KeyFunction::Hold => {
                if let Mode::Call(call) = self.mode {
                    self.toggle_hold(call);
                }
            }
            KeyFunction::Redial => self.redial(now),
            KeyFunction::CallReturn => self.return_call(now),
            KeyFunction::VoiceMail => self.call_voice_mail_of(now, account),
            KeyFunction::Anonymous => self.toggle_anonymity(now, account),
            KeyFunction::Record => self.record_key(),
            KeyFunction::Recorder => self.recorder_key(now),
            KeyFunction::Guest => self.guest_key(now, account),
            KeyFunction::HotDesk => self.hot_desk_key(),
            KeyFunction::AnonymousRejection => self.toggle_anonymous_rejection(now, account),
            KeyFunction::Agent => self.agent_key(account),
            KeyFunction::Texts => self.show_text(0),
        }
        true
    }

    /// Takes the call that rings at an extension, and nothing else.
    fn pick_up(&mut self, now: Instant, account: usize, key: &BlfKey, state: &BlfState) {
        let code = key.pickup_code.as_deref().filter(|code| !code.is_empty());
        match (code, state) {
            (None, _) if is_code(&key.extension) => self.call_beside(now, account, key.extension.clone()),
            // The server knows what rings there, where it tells nobody.
            (Some(code), _) => self.call_beside(now, account, format!("{code}{}", key.extension)),
            (None, BlfState::Ringing(_)) => self.press_watched(now, account, key, state),
            (None, _) => self.notify(now, format!("Nothing rings at {}", key.extension)),
        }
    }

    /// Calls somebody whose telephone is to answer at once.
    fn call_intercom(&mut self, now: Instant, account: usize, number: String, form: IntercomForm) {
        if let Some(number) = self.stored(now, account, number, Origin::Directory)
            && let Some(call) = self.take_line_beside(now, account, number.clone())
        {
            self.command(Command::Intercom { call, account, number, form });
        }
    }

    /// Dials digits in front of those that were dialled.
    fn prefix(&mut self, now: Instant, digits: &str) {
        let dialled = match self.mode {
            Mode::Dial => {
                let line = self.dialler.line();
                let dialled = self.dialler.digits().to_owned();
                self.dialler.close();
                self.dialler.set_line(line);
                self.dialler.open(now);
                dialled
            }
            Mode::Call(_) => {
                self.new_call(now);
                String::new()
            }
            Mode::Idle | Mode::Ended { .. } => String::new(),
        };
        for digit in digits.chars().chain(dialled.chars()) {
            if matches!(self.mode, Mode::Call(_)) {
                // The number was complete.
                return;
            }
            self.digit(now, digit);
        }
    }

    /// Sends digits over the call that talks.
    fn send_digits(&mut self, now: Instant, digits: &str) {
        let talks =
            |call: &super::CallRef| self.find(*call).is_some_and(|call| call.state == CallState::Talking);
        let Some(call) = self.current_call().filter(talks) else { return };
        self.send_to(now, call, digits);
    }
}

/// Whether a number is a code that the server knows, with or without an extension behind it.
fn is_code(number: &str) -> bool {
    number.starts_with(['*', '#'])
}
