//! A telephone in virtual time, for tests.

use sidetone_hal::Event;
use sidetone_hal::hook::HookState;
use sidetone_hal::keypad::{Key, KeyEvent};
use sidetone_hal::lamp::{Lamp, LampState};
use sidetone_hal::time::{Duration, Instant};
use sidetone_phone::firmware::{
    CallRef, Command, Ended, EndedBy, Firmware, FirmwareConfig, Peer, Registration, Signal, Sound, WallClock,
};
use sidetone_phone::models::Model;

/// A telephone with a virtual clock.
pub(crate) struct Desk {
    pub(crate) phone: Firmware,
    pub(crate) now: Instant,
}

impl Desk {
    pub(crate) fn new(model: &'static Model, accounts: &[&str]) -> Self {
        Self::set_up(FirmwareConfig::new(model, accounts.iter().map(|label| (*label).to_owned()).collect()))
    }

    pub(crate) fn set_up(config: FirmwareConfig) -> Self {
        let now = Instant::from_millis(10_000);
        let accounts = config.accounts.len();
        let mut phone = Firmware::new(config);
        phone.set_clock(WallClock::new(now, 1_795_250_200)); // Saturday 21 November 2026, 08:36:40
        for account in 0..accounts {
            phone.handle_signal(now, Signal::Registration { account, state: Registration::Registered });
        }
        Self { phone, now }
    }

    pub(crate) fn press(&mut self, key: Key) {
        self.phone.handle_event(self.now, Event::Key(KeyEvent::down(key)));
        self.phone.handle_event(self.now, Event::Key(KeyEvent::up(key)));
    }

    pub(crate) fn type_in(&mut self, digits: &str) {
        for digit in digits.chars() {
            self.press(Key::digit(digit).expect("a digit"));
        }
    }

    pub(crate) fn hook(&mut self, state: HookState) {
        self.phone.handle_event(self.now, Event::Hook(state));
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        self.phone.handle_signal(self.now, signal);
    }

    /// Lets time pass, waking the telephone exactly when it asked for.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, _)) = self.phone.poll_timeout(self.now).filter(|(at, _)| *at <= end) {
            assert!(at >= self.now, "a deadline in the past");
            self.now = at.max(self.now + Duration::from_micros(1));
            self.phone.handle_timeout(self.now);
        }
        self.now = end;
    }

    pub(crate) fn commands(&mut self) -> Vec<Command> {
        core::iter::from_fn(|| self.phone.poll_command()).collect()
    }

    /// The one command that it gave.
    pub(crate) fn command(&mut self) -> Command {
        let mut commands = self.commands();
        assert_eq!(commands.len(), 1, "{commands:?}");
        commands.remove(0)
    }

    /// Dials and returns the call.
    pub(crate) fn call(&mut self, number: &str) -> CallRef {
        self.type_in(number);
        self.press(Key::Send);
        let Command::Call { call, number: dialled, .. } = self.command() else { panic!("no call") };
        assert_eq!(dialled, number);
        call
    }

    pub(crate) fn talk(&mut self, number: &str) -> CallRef {
        let call = self.call(number);
        self.signal(Signal::Ringing { call, early_media: false });
        self.signal(Signal::Established { call });
        call
    }

    pub(crate) fn ring(&mut self, from: &str) -> Option<CallRef> {
        let peer = Peer { name: None, number: from.to_owned() };
        self.phone.incoming(0, peer)
    }

    pub(crate) fn text(&self) -> Vec<String> {
        self.phone.screen(self.now).text()
    }

    pub(crate) fn sound(&self) -> Option<Sound> {
        self.phone.audio().sound
    }

    pub(crate) fn lamp(&self, lamp: Lamp) -> LampState {
        self.phone.lamps().find(|(known, _)| *known == lamp).map(|(_, state)| state).expect("has the lamp")
    }
}

pub(crate) fn remote(status: Option<u16>, reason: &str) -> Ended {
    Ended { by: EndedBy::Remote, status, reason: reason.to_owned(), elsewhere: false }
}

pub(crate) fn local() -> Ended {
    Ended { by: EndedBy::Local, status: None, reason: String::new(), elsewhere: false }
}
