//! The telephone itself: keys and calls in, commands, lamps, sounds and a screen out.
//!
//! [`Firmware`] is a machine without I/O. A board hands it [`hal::Event`](sidetone_hal::Event)s, a user agent's driver hands it
//! [`Signal`]s, and both take what it wants done from [`Firmware::poll_command`]. What the person sees, hears and can press
//! is read from it at any time: [`Firmware::screen`], [`Firmware::lamps`], [`Firmware::audio`].

mod call;
mod clock;
mod dial;
mod draw;
mod keys;
mod screen;

pub use call::{Call, CallRef, CallState, Ended, EndedBy, Peer, Quality};
pub use clock::{Moment, WallClock};
pub use draw::Painter;
pub use screen::{Body, Icon, LineLabel, Screen, SoftKey, Tone};

use crate::models::{LineLamps, Model};
use call::Direction;
use dial::Dialler;
use sidetone_dialplan::CollectorConfig;
use sidetone_hal::Event;
use sidetone_hal::audio::AudioPath;
use sidetone_hal::hook::HookState;
use sidetone_hal::keypad::Key;
use sidetone_hal::lamp::{Lamp, LampColor, LampState};
use sidetone_hal::time::{Duration, Instant};
use sidetone_hal::timer::{Soonest, TimerKind, TimerTable};
use std::collections::VecDeque;

/// How long the reason of a call's end stays on the screen when nobody holds the handset.
const ENDED_SHOWN: Duration = Duration::from_secs(5);
/// How long busy tone plays into a handset that was left off the hook.
const BUSY_TONE: Duration = Duration::from_secs(60);
/// How long the volume bar stays.
const OVERLAY_SHOWN: Duration = Duration::from_millis(1500);
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
    /// How digits become a number.
    pub dialling: CollectorConfig,
}

/// How an account stands, as far as the screen is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// It is not asked to register, or took its registration back.
    #[default]
    Off,
    /// On its way.
    Registering,
    /// Calls reach us.
    Registered,
    /// Refused or unreachable; in words.
    Failed(String),
}

/// What the user agent reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// An account's registration changed.
    Registration {
        /// Which account, counted from 0.
        account: usize,
        /// To what.
        state: Registration,
    },
    /// Whether the way to an account's server is encrypted, and the server who it says.
    Secure {
        /// Which account, counted from 0.
        account: usize,
        /// Whether.
        secure: bool,
    },
    /// An outgoing call rings at the other side.
    Ringing {
        /// Which call.
        call: CallRef,
        /// Whether the other side sends sound already, so that ours keeps quiet.
        early_media: bool,
    },
    /// The call is up.
    Established {
        /// Which call.
        call: CallRef,
    },
    /// The codec in use, once it is known.
    Codec {
        /// Which call.
        call: CallRef,
        /// Its name, such as `PCMU`.
        name: &'static str,
        /// Whether speech is encrypted.
        encrypted: bool,
    },
    /// How a call sounded, told before its end.
    Quality {
        /// Which call.
        call: CallRef,
        /// What was measured.
        quality: Quality,
    },
    /// Our hold is in force.
    Held(CallRef),
    /// Our hold is over, or could not be put in force.
    Resumed(CallRef),
    /// The other side holds us.
    RemoteHold(CallRef),
    /// The other side takes us back.
    RemoteResume(CallRef),
    /// The other side pressed a key.
    Dtmf {
        /// Which call.
        call: CallRef,
        /// The key.
        digit: char,
    },
    /// The call is over.
    Ended {
        /// Which call.
        call: CallRef,
        /// Why.
        cause: Ended,
    },
    /// A multicast page plays, under this title; `None`: none does any more.
    Page(Option<String>),
}

/// What the firmware wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Call a number or an address.
    Call {
        /// The new call's name in signals to come.
        call: CallRef,
        /// On which account, counted from 0.
        account: usize,
        /// What was dialled.
        number: String,
    },
    /// Take the call.
    Answer(CallRef),
    /// Refuse the call: busy here.
    Reject(CallRef),
    /// End the call, or give up calling.
    HangUp(CallRef),
    /// Put it on hold.
    Hold(CallRef),
    /// Take it back.
    Resume(CallRef),
    /// Send a key press.
    Dtmf {
        /// Over which call.
        call: CallRef,
        /// The key.
        digit: char,
    },
    /// Stop the page that plays.
    DismissPage,
}

/// A sound that the phone makes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sound {
    /// Ready for a number.
    DialTone,
    /// The other side rings.
    Ringback,
    /// The other side is busy.
    Busy,
    /// The call failed, or ended while the handset is still up.
    Congestion,
    /// Somebody calls: the ringer.
    Ring,
    /// Somebody calls while we talk.
    CallWaiting,
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
}

#[derive(Clone, Copy, Debug)]
enum Timer {
    Ended,
    BusyTone,
    Overlay,
}

impl TimerKind for Timer {
    const ALL: &'static [Self] = &[Self::Ended, Self::BusyTone, Self::Overlay];
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
}

/// The telephone. See the [module](self).
#[derive(Debug)]
pub struct Firmware {
    model: &'static Model,
    accounts: Vec<Account>,
    account: usize,
    dialler: Dialler,
    calls: Vec<Call>,
    next_call: u32,
    mode: Mode,
    hook: HookState,
    /// The open audio path; `None` when the phone is on hook in every sense.
    path: Option<AudioPath>,
    muted: bool,
    ringer_silent: bool,
    talk_volume: u8,
    ring_volume: u8,
    overlay: bool,
    missed: usize,
    /// The title of the page that plays.
    page: Option<String>,
    last_number: Option<String>,
    clock: Option<WallClock>,
    timers: TimerTable<Timer, 3>,
    commands: VecDeque<Command>,
}

impl Firmware {
    /// A telephone that was just switched on, with the handset in its cradle.
    #[must_use]
    pub fn new(config: FirmwareConfig) -> Self {
        let labels = config.accounts.into_iter().take(config.model.accounts);
        Self {
            model: config.model,
            accounts: labels
                .map(|label| Account { label, registration: Registration::Off, secure: false })
                .collect(),
            account: 0,
            dialler: Dialler::new(config.dialling),
            calls: Vec::new(),
            next_call: 1,
            mode: Mode::Idle,
            hook: HookState::OnHook,
            path: None,
            muted: false,
            ringer_silent: false,
            talk_volume: 5,
            ring_volume: 5,
            overlay: false,
            missed: 0,
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
        match signal {
            Signal::Registration { account, state } => {
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
                self.change(call, |call| call.state = CallState::Alerting { early_media });
            }
            Signal::Established { call } => self.change(call, |call| {
                if !call.is_up() {
                    call.state = CallState::Talking;
                    call.since = Some(now);
                }
            }),
            Signal::Codec { call, name, encrypted } => self.change(call, |call| {
                (call.codec, call.encrypted) = (Some(name), encrypted);
            }),
            Signal::Quality { call, quality } => self.change(call, |call| call.quality = Some(quality)),
            Signal::Held(call) => self.change(call, |call| call.settle(CallState::Held)),
            Signal::Resumed(call) => self.change(call, |call| call.settle(CallState::Talking)),
            Signal::RemoteHold(call) => self.change(call, |call| call.remote_hold = true),
            Signal::RemoteResume(call) => self.change(call, |call| call.remote_hold = false),
            Signal::Dtmf { call, digit } => self.change(call, |call| remember(&mut call.received, digit)),
            Signal::Page(title) => self.page = title,
            Signal::Ended { call, cause } => self.ended(now, call, &cause),
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.expire(now) {
            match timer {
                Timer::Overlay => self.overlay = false,
                Timer::Ended if matches!(self.mode, Mode::Ended { .. }) => self.rest(),
                Timer::Ended | Timer::BusyTone => {}
            }
        }
        if let Some(number) = self.dialler.handle_timeout(now) {
            self.call(now, number);
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
                },
            )
        });
        let dial = self.dialler.poll_timeout().map(|at| (at, Reason::Dial));
        let talking = self.calls.iter().filter_map(|call| call.next_second(now)).min();
        let clock = talking.soonest(self.clock.map(|clock| clock.next_minute(now)));
        timer.soonest(dial).soonest(clock.map(|at| (at, Reason::Clock)))
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
                    () if self.missed > 0 => LampState::On(LampColor::Red),
                    () if self.path.is_some() => LampState::On(color),
                    () => LampState::Off,
                }
            }
            Lamp::Power if ringing => LampState::fast(LampColor::Blue),
            Lamp::Power => LampState::On(LampColor::Blue),
            Lamp::Key(key) => {
                let lit = match key {
                    Key::Mute => self.muted,
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
        if self.path.is_none() {
            let rings = self.calls.iter().any(Call::is_ringing) && !self.ringer_silent;
            return rings.then_some(Sound::Ring);
        }
        match &self.mode {
            Mode::Dial => self.dialler.sound(),
            Mode::Ended { sound, .. } => self.timers.deadline(Timer::BusyTone).and(*sound),
            Mode::Call(id) => match self.find(*id).map(|call| call.state) {
                Some(CallState::Alerting { early_media: false }) => Some(Sound::Ringback),
                Some(CallState::Talking | CallState::Held | CallState::Ringing)
                    if self.calls.iter().any(Call::is_ringing) =>
                {
                    Some(Sound::CallWaiting)
                }
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
            self.commands.push_back(command);
        }
    }

    fn show(&mut self, call: CallRef) {
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
