//! The telephone itself: keys and calls in, commands, lamps, sounds and a screen out.
//!
//! [`Firmware`] is a machine without I/O. A board hands it [`hal::Event`](sidetone_hal::Event)s, a user agent's driver hands it
//! [`Signal`]s, and both take what it wants done from [`Firmware::poll_command`]. What the person sees, hears and can press
//! is read from it at any time: [`Firmware::screen`], [`Firmware::lamps`], [`Firmware::audio`].

mod agent;
mod ask;
mod call;
mod call_tones;
mod clock;
mod codes;
mod completion;
mod conference;
mod connected;
mod dial;
mod draw;
mod entry;
mod habits;
mod hold_tone;
mod hot_desk;
mod hoteling;
mod in_call;
mod keys;
mod network_conference;
mod pickup;
mod policy;
mod programmable;
mod recorder;
mod recordings;
mod redirection;
mod screen;
mod served;
mod shared;
mod signal;
mod stored;
mod texts;
mod transfer;
mod watch;

pub use call::{Call, CallRef, CallState, Ended, EndedBy, Peer, Quality};
pub use call_tones::CallTones;
pub use clock::{Moment, WallClock};
pub use codes::LocalCode;
pub use connected::ConnectedId;
pub use draw::Painter;
pub use habits::{Habits, SentDigits};
pub use hot_desk::Secret;
pub use network_conference::NetworkConferenceConfig;
pub use pickup::PickupCodes;
pub use policy::{AccountPolicy, CallPolicy, Invitation, Verdict};
pub(crate) use policy::{peer_at, refusal_of};
pub use programmable::{KeyConfig, KeyFunction, Member, ParkBy, ParkKey};
pub use recorder::{RecordOrder, RecordingOver};
pub use screen::{Body, Icon, LineLabel, Screen, SoftKey, Tone};
pub use served::Served;
pub use signal::{Command, Registration, Signal, Sound};
pub use stored::StoredNumbers;
pub use texts::ReceivedText;
pub use transfer::{SemiAttended, TransferConfig, TransferProgress};

use crate::models::{LineLamps, Model};
use ask::Question;
use call::{AfterHold, Direction};
use completion::Wanted;
use dial::Dialler;
use entry::Entry;
use programmable::Programmed;
use shared::SharedLine;
pub use shared::{LineKind, LineTold, SharedLineConfig, shared_lines};
use sidetone_dialplan::{CollectorConfig, Hotline};
use sidetone_hal::Event;
use sidetone_hal::audio::AudioPath;
use sidetone_hal::hook::HookState;
use sidetone_hal::keypad::Key;
use sidetone_hal::lamp::{Lamp, LampColor, LampState};
use sidetone_hal::time::{Duration, Instant};
use sidetone_hal::timer::{Soonest, TimerKind, TimerTable};
use sidetone_sip_ua::feature::acd::Agent;
use sidetone_sip_ua::feature::call_completion::CallCompletion;
use sidetone_sip_ua::feature::call_return::CallReturn;
use sidetone_sip_ua::feature::hot_desking::HotDesk;
use sidetone_sip_ua::feature::redial::Redial;
use std::collections::VecDeque;
use texts::Texts;
use transfer::Transfer;

/// How long the reason of a call's end stays on the screen when nobody holds the handset.
const ENDED_SHOWN: Duration = Duration::from_secs(5);
/// How long busy tone plays into a handset that was left off the hook.
const BUSY_TONE: Duration = Duration::from_secs(60);
/// How long the volume bar stays.
const OVERLAY_SHOWN: Duration = Duration::from_millis(1500);
/// How long a notice stays beside what else is on the screen.
const NOTICE_SHOWN: Duration = Duration::from_secs(5);
/// The loudest volume step (DIN-112: 0 to 10).
pub const VOLUME_MAX: u8 = 10;
/// Commands that nobody took; a driver that stopped must not make the phone grow.
const MAX_COMMANDS: usize = 256;
/// Sent digits that the screen remembers.
const MAX_SENT_DIGITS: usize = 64;

/// What a telephone is set up with.
#[derive(Clone, Debug)]
pub struct FirmwareConfig {
    /// Which telephone.
    pub model: &'static Model,
    /// What each account is called on the screen, in the order of the line keys. More than the model takes are ignored.
    pub accounts: Vec<String>,
    /// How digits become a number, for accounts that have nothing of their own.
    pub dialling: CollectorConfig,
    /// How digits become a number, in the order of the accounts.
    pub account_dialling: Vec<CollectorConfig>,
    /// Which numbers that nobody dials now go by the rules.
    pub stored: StoredNumbers,
    /// What hanging up does for a transfer.
    pub transfer: TransferConfig,
    /// What keys do. Line keys that do something are no lines.
    pub keys: Vec<KeyConfig>,
    /// What becomes of calls. Calls of an account that it does not know ring.
    pub policy: CallPolicy,
}

impl FirmwareConfig {
    /// A telephone with these accounts, everything else as by default.
    #[must_use]
    pub fn new(model: &'static Model, accounts: Vec<String>) -> Self {
        let (dialling, transfer) = (CollectorConfig::default(), TransferConfig::default());
        Self {
            model,
            accounts,
            dialling,
            account_dialling: Vec::new(),
            stored: StoredNumbers::default(),
            transfer,
            keys: Vec::new(),
            policy: CallPolicy::default(),
        }
    }
}

/// What ear and microphone do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audio {
    /// The call that is heard and spoken to.
    pub call: Option<CallRef>,
    /// What plays beside or instead of it.
    pub sound: Option<Sound>,
    /// Whether the microphone is off.
    pub muted: bool,
    /// Where the person listens.
    pub path: AudioPath,
    /// How loud, 0 to [`VOLUME_MAX`].
    pub volume: u8,
}

/// Why the firmware wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The dial timers.
    Dial,
    /// A call's clock or the wall clock shows another figure.
    Clock,
    /// The reason of a call's end leaves the screen.
    Ended,
    /// Busy tone has played long enough.
    BusyTone,
    /// The volume bar leaves the screen.
    Overlay,
    /// A notice leaves the screen.
    Notice,
    /// A text is sent again.
    Text,
    /// An agent has had time enough after a call.
    Agent,
    /// A call has rung long enough: it answers itself, or goes elsewhere.
    Ringing,
    /// The countdown to a call that is placed again.
    Redial,
    /// The tone that reminds of a call on hold begins or ends.
    HoldTone,
    /// Nobody is waited for any more, or the offer to call is over.
    Completion,
    /// A call that was left on hold calls the person back, or has done so for long enough.
    Recall,
    /// The server was asked for a guest and does not answer.
    Guest,
}

#[derive(Clone, Copy, Debug)]
enum Timer {
    Ended,
    BusyTone,
    Overlay,
    Notice,
    HoldTone,
    HoldToneEnd,
    Recall,
    RecallEnd,
    Guest,
}

impl TimerKind for Timer {
    const ALL: &'static [Self] = &[
        Self::Ended,
        Self::BusyTone,
        Self::Overlay,
        Self::Notice,
        Self::HoldTone,
        Self::HoldToneEnd,
        Self::Recall,
        Self::RecallEnd,
        Self::Guest,
    ];
    fn index(self) -> usize {
        self as usize
    }
}

/// What stands in the foreground when it is not a call.
#[derive(Debug)]
enum Mode {
    Idle,
    Dial,
    Call(CallRef),
    /// Why a call is over, and what is heard of it.
    Ended {
        title: String,
        details: Vec<String>,
        sound: Option<Sound>,
    },
}

#[derive(Debug)]
struct Account {
    label: String,
    registration: Registration,
    secure: bool,
    /// How many messages wait in the voice mail; `None` without any.
    messages: Option<u32>,
}

/// The telephone. See the [module](self).
#[derive(Debug)]
pub struct Firmware {
    model: &'static Model,
    accounts: Vec<Account>,
    account: usize,
    dialler: Dialler,
    stored_numbers: StoredNumbers,
    calls: Vec<Call>,
    next_call: u32,
    mode: Mode,
    hook: HookState,
    /// The open audio path; `None` when the phone is on hook in every sense.
    path: Option<AudioPath>,
    muted: bool,
    /// The tone that reminds of a call on hold began, and goes on.
    hold_tone_plays: bool,
    ringer_silent: bool,
    talk_volume: u8,
    ring_volume: u8,
    overlay: bool,
    /// Which of the pages of soft keys is shown.
    soft_page: usize,
    transfer: Option<Transfer>,
    transfer_config: TransferConfig,
    /// The calls that are joined, two or more; none without a conference.
    conference: Vec<CallRef>,
    /// The conference of the server that we are in and began.
    network: Option<network_conference::NetworkConference>,
    /// What is done once other calls are held. At most one for each call.
    after_hold: Vec<AfterHold>,
    keys: Vec<Programmed>,
    /// What is asked of the person.
    question: Option<Question>,
    completion: CallCompletion,
    /// Whom a call is wanted with, once they are free.
    wanted: Option<Wanted>,
    /// The lines that keys share with other telephones.
    shared: Vec<SharedLine>,
    /// The appearance whose dial tone there is, by line and number.
    line_dial: Option<(usize, u16)>,
    /// The appearance that the server was asked for, and what account and number are called once it is ours.
    line_wait: Option<(usize, u16)>,
    line_number: Option<(usize, String)>,
    /// A server wants that, by restarting or not.
    reload: Option<bool>,
    policy: CallPolicy,
    call_return: CallReturn,
    redial: Redial,
    /// Account and number of the redial.
    redial_number: Option<(usize, String)>,
    hotline: Hotline,
    /// What the number that is dialled is for, where it is not to be called.
    entry: Option<Entry>,
    /// A line beside what else is shown.
    notice: Option<String>,
    missed: usize,
    /// What the last call that is over has cost, as far as is told.
    last_charge: Option<in_call::LastCharge>,
    hot_desk: HotDesk,
    /// Who signs in, while the password is asked for.
    guest: String,
    texts: Texts,
    /// The guests of the accounts, in the accounts' order.
    guests: Vec<hoteling::Hoteling>,
    /// The call that the telephone records.
    recording: Option<recorder::Recording>,
    /// The recordings that are on the screen.
    recordings: Option<recordings::Recordings>,
    /// What the persons of the accounts are as agents, in the accounts' order.
    agents: Vec<Agent>,
    /// The title of the page that plays.
    page: Option<String>,
    last_number: Option<String>,
    clock: Option<WallClock>,
    timers: TimerTable<Timer, 9>,
    commands: VecDeque<Command>,
}

impl Firmware {
    /// A telephone that was just switched on, with the handset in its cradle.
    #[must_use]
    pub fn new(config: FirmwareConfig) -> Self {
        let accounts = config.accounts.len().min(config.model.accounts);
        let labels = config.accounts.into_iter().take(accounts);
        Self {
            model: config.model,
            accounts: labels
                .map(|label| Account {
                    label,
                    registration: Registration::Off,
                    secure: false,
                    messages: None,
                })
                .collect(),
            account: config.policy.habits.default_account.min(accounts.saturating_sub(1)),
            dialler: Dialler::new(config.dialling, config.account_dialling),
            stored_numbers: config.stored,
            calls: Vec::new(),
            next_call: 1,
            mode: Mode::Idle,
            hook: HookState::OnHook,
            path: None,
            muted: false,
            hold_tone_plays: false,
            ringer_silent: false,
            talk_volume: 5,
            ring_volume: 5,
            overlay: false,
            soft_page: 0,
            transfer: None,
            transfer_config: config.transfer,
            conference: Vec::new(),
            network: None,
            after_hold: Vec::new(),
            shared: shared_lines(&config.keys).into_iter().map(SharedLine::new).collect(),
            line_dial: None,
            line_wait: None,
            line_number: None,
            keys: config.keys.into_iter().map(Programmed::new).collect(),
            question: None,
            completion: CallCompletion::new(config.policy.completion.clone()),
            wanted: None,
            reload: None,
            policy: config.policy,
            call_return: CallReturn::new(),
            redial: Redial::new(),
            redial_number: None,
            hotline: Hotline::new(),
            entry: None,
            notice: None,
            missed: 0,
            last_charge: None,
            hot_desk: HotDesk::default(),
            guest: String::new(),
            texts: Texts::default(),
            guests: vec![hoteling::Hoteling::default(); config.model.accounts],
            recording: None,
            recordings: None,
            agents: (0..config.model.accounts).map(|_| Agent::new()).collect(),
            page: None,
            last_number: None,
            clock: None,
            timers: TimerTable::new(),
            commands: VecDeque::new(),
        }
    }

    /// Which telephone it is.
    #[must_use]
    pub const fn model(&self) -> &'static Model {
        self.model
    }

    /// Where the handset is.
    #[must_use]
    pub const fn hook(&self) -> HookState {
        self.hook
    }

    /// Tells the local time.
    pub fn set_clock(&mut self, clock: WallClock) {
        self.clock = Some(clock);
    }

    /// A person did something.
    pub fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Key(event) if event.pressed => self.press(now, event.key),
            Event::Hook(state) => self.set_hook(now, state),
            Event::Touch(touch) => {
                if let Some(key) = draw::touched(self.model, touch) {
                    self.press(now, key);
                }
            }
            _ => {}
        }
    }

    /// Somebody calls on `account`. `None` when every line is taken: refuse the call as busy.
    pub fn incoming(&mut self, account: usize, peer: Peer) -> Option<CallRef> {
        let account = account.min(self.accounts.len().saturating_sub(1));
        let line = self.free_line(account)?;
        let call = self.add_call(account, line, peer, Direction::Incoming);
        if matches!(self.mode, Mode::Ended { .. }) && self.path != Some(AudioPath::Handset) {
            self.path = None;
        }
        let busy = matches!(self.mode, Mode::Call(shown) if self.find(shown).is_some_and(Call::is_ringing));
        if (self.path.is_none() && !busy) || matches!(self.mode, Mode::Ended { .. }) {
            self.dialler.close();
            self.show(call);
        }
        Some(call)
    }

    /// The user agent reports something. Signals about calls that are gone are ignored.
    pub fn handle_signal(&mut self, now: Instant, signal: Signal) {
        self.follow_on_line(&signal);
        match signal {
            Signal::Line { line, told } => self.line_told(now, line, *told),
            Signal::Registration { account, state } => {
                self.reachable(now, account, state == Registration::Registered);
                if let Some(account) = self.accounts.get_mut(account) {
                    account.registration = state;
                }
            }
            Signal::Secure { account, secure } => {
                if let Some(account) = self.accounts.get_mut(account) {
                    account.secure = secure;
                }
            }
            Signal::Ringing { call, early_media } => {
                let again = self.policy.habits.ring_after_progress;
                self.change(call, |call| {
                    let heard = call.state == CallState::Alerting { early_media: true };
                    call.state = CallState::Alerting { early_media: early_media || (heard && !again) };
                });
            }
            Signal::Established { call } => {
                self.change(call, |call| {
                    if !call.is_up() {
                        call.state = CallState::Talking;
                        call.since = Some(now);
                    }
                });
                self.conference_is_up(call);
                self.barged_in(now, call);
            }
            Signal::Codec { call, name, encrypted } => self.change(call, |call| {
                (call.codec, call.encrypted) = (Some(name), encrypted);
            }),
            Signal::Quality { call, quality } => self.change(call, |call| call.quality = Some(quality)),
            Signal::Held(call) => {
                self.change(call, |call| call.settle(CallState::Held));
                self.hold_settled(call);
                self.update_hold_tone(now);
                self.update_recall(now);
            }
            Signal::Resumed(call) => {
                self.change(call, |call| call.settle(CallState::Talking));
                self.hold_settled(call);
                self.update_hold_tone(now);
                self.update_recall(now);
            }
            Signal::RemoteHold(call) => self.change(call, |call| call.remote_hold = true),
            Signal::RemoteResume(call) => self.change(call, |call| call.remote_hold = false),
            Signal::Dtmf { call, digit } => self.change(call, |call| remember(&mut call.received, digit)),
            Signal::Extension { key, state } => self.extension_is(now, key, *state),
            Signal::Recorded { call, taken } => self.recorded(now, call, taken),
            Signal::Charge { call, advice } => self.charged(now, call, *advice),
            Signal::Features { account, event } => self.server_tells(now, account, event.map(|event| *event)),
            Signal::Guest { account, event } => self.guest_told(now, account, event.map(|event| *event)),
            Signal::RecordingOver(over) => self.recording_over(now, over),
            Signal::Recordings(names) => self.recordings_are(now, names),
            Signal::RecordingPlayed => self.recording_played(),
            Signal::Awaited { number, state } => self.awaited_is(now, &number, &state),
            Signal::Members { account, members } => self.members_are(now, account, members),
            Signal::Messages { account, waiting, new } => self.messages_are(account, waiting, new),
            Signal::Text { account, from, text } => self.text_came(now, account, from, text),
            Signal::TextAnswered { id, status, retry_after } => {
                self.text_answered(now, id, status, retry_after);
            }
            Signal::WriteText { account, to, text } => {
                if self.write_text(now, account, &to, &text).is_err() {
                    self.notify(now, "The text is not taken".to_owned());
                }
            }
            Signal::Profile { url } => self.notify(now, format!("Settings: {url}")),
            Signal::TextsNotKept => self.notify(now, "Texts that wait are not all kept".to_owned()),
            Signal::NotKept => self.notify(now, "Nobody could be signed in".to_owned()),
            Signal::ClickToTalk(call) => self.click_to_talk(call),
            Signal::ClickToHold(call) => self.click_to_hold(call),
            Signal::Resync { reboot } => self.reload_wanted(now, reboot),
            Signal::Redirected { call, to } => self.redirected(call, to),
            Signal::People { call, people } => self.people_are(call, people),
            Signal::BroughtIn { call, progress } => self.brought_in(now, call, progress),
            Signal::NotJoined(reason) => self.not_joined(now, &reason),
            Signal::Identity { call, identity } => self.other_side_is(call, &identity),
            Signal::Peer { call, peer } => self.change(call, |call| call.peer = peer),
            Signal::Transfer { call, progress } => self.transfer_goes_on(now, call, progress),
            Signal::Page(title) => self.page = title,
            Signal::Ended { call, cause } => self.ended(now, call, &cause),
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.expire(now) {
            match timer {
                Timer::Overlay => self.overlay = false,
                Timer::Notice => self.notice = None,
                Timer::HoldTone => self.hold_tone_due(now),
                Timer::Recall => self.recall_due(now),
                Timer::Guest => self.guest_unanswered(now),
                Timer::Ended if matches!(self.mode, Mode::Ended { .. }) => self.rest(),
                Timer::Ended | Timer::BusyTone | Timer::HoldToneEnd | Timer::RecallEnd => {}
            }
        }
        if let Some(number) = self.dialler.handle_timeout(now) {
            self.dialled(now, number);
        }
        self.handle_waiting(now);
        self.handle_agents(now);
        self.send_texts(now);
        self.handle_lines(now);
        self.handle_hotline(now);
        self.handle_completion(now);
        if self.redial.deadline().is_some_and(|due| due <= now) {
            self.redial_now(now);
        }
    }

    /// When to call [`Firmware::handle_timeout`] next, or read the screen again.
    #[must_use]
    pub fn poll_timeout(&self, now: Instant) -> Option<(Instant, Reason)> {
        let timer = self.timers.next().map(|(at, timer)| {
            (
                at,
                match timer {
                    Timer::Ended => Reason::Ended,
                    Timer::BusyTone => Reason::BusyTone,
                    Timer::Overlay => Reason::Overlay,
                    Timer::Notice => Reason::Notice,
                    Timer::HoldTone | Timer::HoldToneEnd => Reason::HoldTone,
                    Timer::Recall | Timer::RecallEnd => Reason::Recall,
                    Timer::Guest => Reason::Guest,
                },
            )
        });
        let dial = self.dialler.poll_timeout().map(|at| (at, Reason::Dial));
        let talking = self.calls.iter().filter_map(|call| call.next_second(now)).min();
        let clock = talking.soonest(self.clock.map(|clock| clock.next_minute(now)));
        let calls =
            self.calls.iter().filter(|call| call.is_ringing()).filter_map(|call| call.waiting.due()).min();
        let countdown = self.redial.deadline().map(|due| due.min(now + Duration::from_secs(1)));
        timer
            .soonest(dial)
            .soonest(self.hotline.deadline().map(|at| (at, Reason::Dial)))
            .soonest(self.lines_due().map(|at| (at, Reason::Dial)))
            .soonest(calls.map(|at| (at, Reason::Ringing)))
            .soonest(self.texts.deadline().map(|at| (at, Reason::Text)))
            .soonest(self.agent_deadline().map(|at| (at, Reason::Agent)))
            .soonest(countdown.map(|at| (at, Reason::Redial)))
            .soonest(self.completion.poll_timeout().map(|at| (at, Reason::Completion)))
            .soonest(clock.map(|at| (at, Reason::Clock)))
    }

    /// What the firmware wants done next.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// What ear and microphone do now.
    #[must_use]
    pub fn audio(&self) -> Audio {
        let call = match self.mode {
            Mode::Call(call) => self.find(call).filter(|call| call.is_heard()).map(|call| call.id),
            _ => None,
        };
        Audio {
            call: call.filter(|_| self.path.is_some()),
            sound: self.sound(),
            muted: self.muted,
            path: self.path.unwrap_or(AudioPath::Speaker),
            volume: if self.path.is_some() { self.talk_volume } else { self.ring_volume },
        }
    }

    /// Every lamp of the model with its state.
    pub fn lamps(&self) -> impl Iterator<Item = (Lamp, LampState)> + '_ {
        self.model.all_lamps().map(|lamp| (lamp, self.lamp(lamp)))
    }

    /// The calls, in the order in which they came to be.
    #[must_use]
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// What is on the screen at `now`.
    #[must_use]
    pub fn screen(&self, now: Instant) -> Screen {
        screen::compose(self, now)
    }

    fn lamp(&self, lamp: Lamp) -> LampState {
        let ringing = self.calls.iter().any(Call::is_ringing);
        match lamp {
            Lamp::Key(Key::Line(line)) => self.line_lamp(line),
            Lamp::Status => {
                let color = self.model.lamp_color(lamp).unwrap_or(LampColor::Red);
                match () {
                    () if ringing => LampState::fast(LampColor::Red),
                    () if self.missed > 0 || self.messages_wait() => LampState::On(LampColor::Red),
                    () if self.path.is_some() => LampState::On(color),
                    () => LampState::Off,
                }
            }
            Lamp::Power if ringing => LampState::fast(LampColor::Blue),
            Lamp::Power if self.messages_wait() => LampState::slow(LampColor::Blue),
            Lamp::Power => LampState::On(LampColor::Blue),
            Lamp::Key(key) => {
                let lit = match key {
                    Key::Mute => self.muted,
                    Key::Message => self.messages_wait(),
                    Key::Speaker => self.path == Some(AudioPath::Speaker),
                    Key::Headset => self.path == Some(AudioPath::Headset),
                    _ => false,
                };
                let color = self.model.lamp_color(lamp).unwrap_or(LampColor::Red);
                if lit { LampState::On(color) } else { LampState::Off }
            }
            _ => LampState::Off,
        }
    }

    fn line_lamp(&self, line: u8) -> LampState {
        let Some(LineLamps { ringing, active, held }) = self.model.line_lamps else { return LampState::Off };
        if let Some(programmed) = self.programmed(Key::Line(line)) {
            return self.face(programmed).lamp;
        }
        let call = self.calls.iter().find(|call| call.line == Some(line));
        match call.map(|call| (call.is_ringing(), call.state)) {
            Some((true, _)) => LampState::fast(ringing),
            Some((_, CallState::Held)) => LampState::slow(held),
            Some(_) => LampState::On(active),
            None if matches!(self.mode, Mode::Dial) && self.dialler.line() == Some(line) => {
                LampState::On(active)
            }
            None => LampState::Off,
        }
    }

    fn sound(&self) -> Option<Sound> {
        let reminds = self.hold_tone_sounds().then_some(Sound::HoldTone);
        if self.path.is_none() {
            let recall = self.recalls().then_some(Sound::Ring);
            return self.ring_sound().or(recall).or(reminds);
        }
        let reminds = reminds.or_else(|| self.recalls().then_some(Sound::HoldTone));
        match &self.mode {
            Mode::Dial => self.dialler.sound().map(|sound| self.dial_sound(sound)),
            Mode::Ended { sound, .. } => self.timers.deadline(Timer::BusyTone).and(*sound),
            Mode::Call(id) => match self.find(*id).map(|call| call.state) {
                Some(CallState::Alerting { early_media: false }) => Some(Sound::Ringback),
                Some(CallState::Held) => self.waiting_sound().or(reminds).or_else(|| self.held_sound()),
                Some(CallState::Talking | CallState::Ringing) => self.waiting_sound().or(reminds),
                _ => None,
            },
            Mode::Idle => None,
        }
    }

    fn find(&self, id: CallRef) -> Option<&Call> {
        self.calls.iter().find(|call| call.id == id)
    }

    fn change(&mut self, id: CallRef, change: impl FnOnce(&mut Call)) {
        if let Some(call) = self.calls.iter_mut().find(|call| call.id == id) {
            change(call);
        }
    }

    fn command(&mut self, command: Command) {
        if self.commands.len() < MAX_COMMANDS {
            self.commands.extend(self.before_on_line(&command));
            self.commands.push_back(command);
        }
    }

    fn show(&mut self, call: CallRef) {
        self.close_recordings();
        self.leave_line();
        self.drop_dialled_transfer();
        self.leave_sign_in();
        self.entry = None;
        self.hotline.stop();
        self.timers.stop(Timer::Ended);
        self.timers.stop(Timer::BusyTone);
        self.mode = Mode::Call(call);
    }
}

/// Appends a digit to a text that keeps only the latest.
fn remember(digits: &mut String, digit: char) {
    if digits.chars().count() >= MAX_SENT_DIGITS {
        digits.remove(0);
    }
    digits.push(digit);
}
