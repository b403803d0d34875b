//! A guest uses the telephone under an account of its own: signs in with number and password, and the server lends him the
//! telephone until he signs out (`x-broadworks-hoteling`). What the server tells is what counts.

use super::entry::Entry;
use super::keys::Soft;
use super::{Command, Firmware, Mode, Secret, Timer};
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_ua::package::feature_sync::{HotelingEvent, SetHoteling, hoteling_response};

/// How long the server may take to let a guest in: as long as a transaction, twice.
const ANSWER: Duration = Duration::from_secs(64);

/// The guest of an account.
#[derive(Clone, Debug, Default)]
pub(super) struct Hoteling {
    /// Who, as the server tells.
    guest: Option<String>,
    /// Who wants in, until the server has said yes or no.
    asked: Option<Asked>,
}

#[derive(Clone, Debug)]
struct Asked {
    guest: String,
    password: Secret,
    /// The server wanted the password, and has it.
    proven: bool,
}

impl Firmware {
    /// The guest of an account, as the server tells.
    pub(super) fn guest_of(&self, account: usize) -> Option<&str> {
        self.guests.get(account)?.guest.as_deref()
    }

    /// For how long an account's server is asked to tell of its guest; `None`: it is not asked.
    #[must_use]
    pub fn hoteling(&self, account: usize) -> Option<Duration> {
        self.policy.accounts.get(account)?.hoteling
    }

    /// The soft key of the chosen account's guest.
    pub(super) fn guest_soft_key(&self) -> Option<Soft> {
        self.hoteling(self.account)?;
        Some(if self.guest_of(self.account).is_some() { Soft::GuestOut } else { Soft::GuestIn })
    }

    /// What the idle screen says of him.
    pub(super) fn guest_line(&self) -> Option<String> {
        self.guest_of(self.account).map(|guest| format!("Guest: {}", name_of(guest)))
    }

    /// The key: signs the guest out, or asks who comes.
    pub(super) fn guest_key(&mut self, now: Instant, account: usize) {
        if self.hoteling(account).is_none() || matches!(self.mode, Mode::Call(_)) {
            return;
        }
        if self.guest_of(account).is_none() {
            return self.enter(Entry::GuestUser(account));
        }
        self.ask_guest(account, SetHoteling::new(None));
        self.notify(now, "Asked the server".to_owned());
    }

    /// The guest's number is complete.
    pub(super) fn guest_user(&mut self, account: usize, user: String) {
        self.guest = user;
        self.enter(Entry::GuestPassword(account));
    }

    /// His password is complete.
    pub(super) fn guest_password(&mut self, now: Instant, account: usize, password: String) {
        let mut guest = core::mem::take(&mut self.guest);
        self.rest();
        let host = self.policy.accounts.get(account).and_then(|policy| policy.own.uri.host());
        if let Some(host) = host.filter(|_| !guest.contains('@')) {
            guest = format!("{guest}@{host}");
        }
        let Some(hoteling) = self.guests.get_mut(account) else { return };
        hoteling.asked = Some(Asked { guest: guest.clone(), password: Secret::new(password), proven: false });
        self.timers.set(Timer::Guest, now + ANSWER);
        self.ask_guest(account, SetHoteling::new(Some(&guest)));
        self.notify(now, "Asked the server".to_owned());
    }

    fn ask_guest(&mut self, account: usize, request: SetHoteling) {
        self.command(Command::AskGuest { account, request: Box::new(request) });
    }

    /// The server tells who uses the telephone, or wants a password first; `None`: it tells no more.
    pub(super) fn guest_told(&mut self, now: Instant, account: usize, event: Option<HotelingEvent>) {
        let Some(hoteling) = self.guests.get_mut(account) else { return };
        let event = event.unwrap_or_default();
        if let (Some(nonce), Some(asked)) = (&event.nonce, &mut hoteling.asked)
            && !core::mem::replace(&mut asked.proven, true)
        {
            let response = hoteling_response(nonce, asked.password.expose());
            let request = SetHoteling::new(Some(&asked.guest)).with_response(nonce, &response);
            return self.ask_guest(account, request);
        }
        let before = core::mem::replace(&mut hoteling.guest, event.guest.clone());
        let refused = hoteling.asked.as_ref().is_some_and(|asked| asked.proven);
        let told = match (&event.guest, before) {
            (Some(guest), before) if before.as_ref() != Some(guest) => {
                format!("{} is here", name_of(guest))
            }
            (None, _) if refused => "The guest is not let in".to_owned(),
            (None, Some(before)) => format!("{} has left", name_of(&before)),
            _ => return,
        };
        hoteling.asked = None;
        self.timers.stop(Timer::Guest);
        self.notify(now, told);
    }

    /// The server has said nothing: the password is forgotten.
    pub(super) fn guest_unanswered(&mut self, now: Instant) {
        for hoteling in &mut self.guests {
            hoteling.asked = None;
        }
        self.notify(now, "The guest is not let in".to_owned());
    }
}

/// The user of an address.
fn name_of(guest: &str) -> &str {
    let guest = guest.strip_prefix("sip:").unwrap_or(guest);
    guest.split_once('@').map_or(guest, |(user, _)| user)
}
