//! Calls that ring elsewhere and are taken here: soft keys while a number is dialled (YLA-122, YLA-123), and the alert of a
//! watched extension.

use super::entry::Entry;
use super::keys::Soft;
use super::programmable::KeyFunction;
use super::{Firmware, Mode};
use sidetone_hal::keypad::Key;
use sidetone_hal::time::Instant;
use sidetone_sip_ua::package::blf::BlfState;

/// What an account dials to take calls (YLA-126, YLA-127); empty for none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PickupCodes {
    /// Before an extension.
    pub direct: String,
    /// For a call of the group.
    pub group: String,
}

impl PickupCodes {
    /// The codes of an account, and those of the telephone where it has none of its own (YLA-124).
    #[must_use]
    pub fn new(own: (&str, &str), phone: (&str, &str)) -> Self {
        let first = |own: &str, else_: &str| if own.is_empty() { else_ } else { own }.to_owned();
        Self { direct: first(own.0, phone.0), group: first(own.1, phone.1) }
    }
}

impl Firmware {
    /// The soft keys while a number is dialled.
    pub(super) fn dial_soft_keys(&self) -> [Option<Soft>; 4] {
        let habits = &self.policy.habits;
        let mut keys = vec![Soft::Send, Soft::Delete];
        if self.entry.is_none() {
            keys.extend(habits.direct_pickup.then_some(Soft::DirectPickup));
            keys.extend(habits.group_pickup.then_some(Soft::GroupPickup));
        }
        self.page(&keys, Some(Soft::Cancel))
    }

    fn pickup_codes(&self) -> (usize, PickupCodes) {
        let chosen = self.dialler.line().and_then(|line| self.account_of(line));
        let account = chosen.unwrap_or(self.account);
        (account, self.policy.accounts.get(account).map(|policy| policy.pickup.clone()).unwrap_or_default())
    }

    /// The soft key for the call of an extension: of that whose number is dialled, or else it is asked for.
    pub(super) fn direct_pickup(&mut self, now: Instant) {
        let (account, codes) = self.pickup_codes();
        let number = self.dialler.digits().to_owned();
        if codes.direct.is_empty() {
            return self.notify(now, "No pickup code".to_owned());
        }
        if number.is_empty() {
            return self.enter(Entry::Pickup(account));
        }
        self.place(now, account, format!("{}{number}", codes.direct));
    }

    /// The extension is dialled whose call is to be taken.
    pub(super) fn pick_up_by_code(&mut self, now: Instant, account: usize, number: &str) {
        let code = self.policy.accounts.get(account).map(|policy| policy.pickup.direct.clone());
        self.place(now, account, format!("{}{number}", code.unwrap_or_default()));
    }

    /// The soft key for a call of the group.
    pub(super) fn group_pickup(&mut self, now: Instant) {
        let (account, codes) = self.pickup_codes();
        if codes.group.is_empty() {
            return self.notify(now, "No pickup code".to_owned());
        }
        self.place(now, account, codes.group);
    }

    /// The key of the watched extension that rings, if the telephone tells of such.
    fn alerting(&self) -> Option<Key> {
        let rings = self.keys.iter().find(|known| {
            matches!(known.state, BlfState::Ringing(_))
                && !matches!(known.config.function, KeyFunction::Park(_))
        });
        rings.map(|known| known.config.key)
    }

    /// Whether the screen offers to take the call of a watched extension.
    pub(super) fn offers_pickup(&self) -> bool {
        self.policy.habits.pickup_visual && matches!(self.mode, Mode::Idle) && self.alerting().is_some()
    }

    /// What the screen says of it, as long as it rings.
    pub(super) fn pickup_told(&self) -> Option<String> {
        let key = self.alerting().filter(|_| self.policy.habits.pickup_visual)?;
        Some(format!("{} rings", self.face(self.programmed(key)?).text))
    }

    /// Whether a tone tells of it.
    pub(super) fn pickup_sounds(&self) -> bool {
        self.policy.habits.pickup_audio && matches!(self.mode, Mode::Idle) && self.alerting().is_some()
    }

    /// The soft key of the alert: takes the call.
    pub(super) fn take_alert(&mut self, now: Instant) {
        let Some(known) = self.alerting().and_then(|key| self.programmed(key)) else { return };
        let account = known.config.account.unwrap_or(self.account);
        let (state, member) = (known.state.clone(), known.member.clone());
        let watched = match known.config.function.clone() {
            KeyFunction::Blf(key) | KeyFunction::Pickup(key) => key,
            KeyFunction::BlfList(mut key) => {
                let Some(member) = member else { return };
                key.extension = member.number;
                key
            }
            _ => return,
        };
        self.press_watched(now, account, &watched, &state);
    }
}
