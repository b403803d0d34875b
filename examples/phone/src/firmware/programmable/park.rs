//! The key of a park orbit: parks the call there, shows that one waits, and fetches it.

use super::KeyFunction;
use crate::firmware::transfer::{Step, Transfer};
use crate::firmware::{Command, Firmware};
use sidetone_hal::time::Instant;
use sidetone_sip_core::Uri;
use sidetone_sip_ua::package::blf::{BlfAction, BlfKey, BlfState};

/// A key for a place where calls wait.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParkKey {
    /// The orbit, or the extension at which calls are parked. Its dialogs are watched.
    pub orbit: String,
    /// What is dialled before it to park.
    pub code: String,
    /// What is dialled before it to fetch the call; empty dials what the server tells, or the orbit.
    pub retrieve_code: String,
    /// How a call gets there.
    pub by: ParkBy,
}

/// How a call gets to an orbit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParkBy {
    /// Its other side is transferred there, by REFER (DIN-078).
    #[default]
    Transfer,
    /// The code is sent over the call; the server does the rest (DIN-077).
    Dtmf,
    /// The code is called while the call is held; the server parks what this telephone holds (DIN-077).
    Call,
}

impl ParkKey {
    /// Parks by a transfer, without codes.
    #[must_use]
    pub fn new(orbit: impl Into<String>) -> Self {
        let orbit = orbit.into();
        Self { orbit, code: String::new(), retrieve_code: String::new(), by: ParkBy::default() }
    }

    /// The same with a code to park.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = code.into();
        self
    }

    /// The same with a code to fetch.
    #[must_use]
    pub fn with_retrieve_code(mut self, code: impl Into<String>) -> Self {
        self.retrieve_code = code.into();
        self
    }

    /// The same by another way.
    #[must_use]
    pub const fn by(mut self, by: ParkBy) -> Self {
        self.by = by;
        self
    }

    /// What is dialled to park.
    pub(super) fn dialled(&self) -> String {
        format!("{}{}", self.code, self.orbit)
    }

    /// What is dialled to fetch the call. A server tells the URI of the orbit; its number says the same in fewer letters.
    fn fetched_by(&self, state: &BlfState) -> String {
        let key = BlfKey::new(&*self.orbit).with_retrieve_code(&*self.retrieve_code);
        let BlfAction::Retrieve(what) = key.press(state, false) else { return self.orbit.clone() };
        let is_orbit = Uri::parse(&*what).is_ok_and(|uri| uri.user().is_some_and(|user| user == *self.orbit));
        if is_orbit { self.orbit.clone() } else { what }
    }
}

impl Firmware {
    pub(super) fn press_park(&mut self, now: Instant, account: usize, key: &ParkKey, state: &BlfState) {
        let current = self.current_call();
        match (state, current) {
            (BlfState::Parked(_), _) => self.call_beside(now, account, key.fetched_by(state)),
            (_, None) => self.notify(now, format!("Nobody waits at {}", key.orbit)),
            (_, Some(call)) => match key.by {
                ParkBy::Transfer if self.can_transfer(call) => {
                    self.transfer = Some(Transfer { call, step: Step::Dialling });
                    self.transfer_to_number(key.dialled());
                }
                ParkBy::Transfer => {}
                ParkBy::Dtmf => self.send_digits(now, &key.dialled()),
                ParkBy::Call => {
                    if let Some(call) = self.take_line_beside(now, account, key.dialled()) {
                        self.command(Command::Call { call, account, number: key.dialled() });
                    }
                }
            },
        }
    }

    /// Whether a call that was transferred to this number waits there now.
    pub(in crate::firmware) fn parks_at(&self, number: &str) -> bool {
        self.keys.iter().any(|key| match &key.config.function {
            KeyFunction::Park(park) => park.dialled() == number,
            _ => false,
        })
    }
}
