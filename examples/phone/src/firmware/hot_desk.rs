//! Another person takes the telephone over: its accounts are cleared, and theirs is asked for (DIN-035).

use super::entry::Entry;
use super::{Body, Command, Firmware, Mode, Tone};
use sidetone_hal::time::Instant;
use sidetone_sip_ua::feature::hot_desking::{HotDesk, HotDeskAction};

impl Firmware {
    /// The key: asks whether the accounts are to be cleared. It works on an idle telephone alone.
    pub(super) fn hot_desk_key(&mut self) {
        if matches!(self.mode, Mode::Idle) {
            self.hot_desk.press(self.calls.len());
        }
    }

    /// Whether the question is on the screen.
    pub(super) fn asks_hot_desk(&self) -> bool {
        matches!(self.mode, Mode::Idle) && self.hot_desk == HotDesk::Asking
    }

    /// The question, or that nobody uses the telephone.
    pub(super) fn hot_desk_body(&self) -> Option<Body> {
        self.asks_hot_desk().then(|| Body {
            title: "Hot desking".to_owned(),
            main: "Clear all accounts?".to_owned(),
            details: Vec::new(),
            tone: Tone::Busy,
        })
    }

    /// The answer. The accounts are gone then, and the form for another one is open.
    pub(super) fn answer_hot_desk(&mut self, clear: bool) {
        if self.hot_desk.answer(clear, self.calls.len()) == HotDeskAction::ClearAndSignIn {
            self.accounts.clear();
            self.policy.accounts.clear();
            self.account = 0;
            self.command(Command::ClearAccounts);
            self.enter(Entry::DeskUser);
        }
    }

    /// Leaves the question. Says whether it was there.
    pub(super) fn close_hot_desk(&mut self) -> bool {
        let asks = self.asks_hot_desk();
        if asks {
            self.answer_hot_desk(false);
        }
        asks
    }

    /// Nobody fills the form in: the telephone has no account.
    pub(super) fn leave_sign_in(&mut self) {
        let guest = matches!(self.entry, Some(Entry::GuestUser(_) | Entry::GuestPassword(_)));
        if guest || matches!(self.entry, Some(Entry::DeskUser | Entry::DeskPassword)) {
            self.hot_desk.done();
            self.guest.clear();
        }
    }

    /// The user's number is complete.
    pub(super) fn desk_user(&mut self, user: String) {
        self.guest = user;
        self.enter(Entry::DeskPassword);
    }

    /// The password is complete: the telephone is the user's.
    pub(super) fn desk_password(&mut self, now: Instant, password: String) {
        self.rest();
        self.hot_desk.done();
        let user = core::mem::take(&mut self.guest);
        self.notify(now, format!("Signs {user} in"));
        self.command(Command::SignIn { user, password: Secret(password) });
    }
}

/// A password that a person has dialled. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// This password.
    pub(super) const fn new(password: String) -> Self {
        Self(password)
    }

    /// The password.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("***")
    }
}
