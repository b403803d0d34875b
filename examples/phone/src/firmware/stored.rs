//! Numbers that nobody dials now: those of keys and contacts, of callers, and of the last call.
//!
//! Block-out rules and refusing alternatives of the account's plan hold for all of them. The other rules hold only where
//! [`StoredNumbers`] says so: what stands in a key is what is to go out, and what was dialled before was changed then.

use super::{Firmware, Mode, Sound};
use sidetone_dialplan::Outcome;
use sidetone_hal::time::Instant;

/// Which numbers that nobody dials now go by all rules, as if they were dialled. Default: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredNumbers {
    /// Those of keys and contacts.
    pub directory: bool,
    /// Those of whoever called or wrote.
    pub history: bool,
}

/// Where a number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A key, a contact, the hot line.
    Directory,
    /// Whoever called or wrote.
    History,
    /// A call of ours: it went by the rules when it was dialled.
    Sent,
}

impl Firmware {
    /// What goes out for a number that nobody dials now; `None` when a rule forbids it, which is shown then.
    pub(super) fn stored(
        &mut self,
        now: Instant,
        account: usize,
        number: String,
        origin: Origin,
    ) -> Option<String> {
        let config = self.dialler.config_of(account);
        let by_rules = match origin {
            Origin::Directory => self.stored_numbers.directory,
            Origin::History => self.stored_numbers.history,
            Origin::Sent => false,
        };
        if !by_rules {
            let barred = config.plan.as_ref().is_some_and(|plan| plan.bars(&number).is_some());
            if barred {
                self.forbid(now, number);
                return None;
            }
            return Some(number);
        }
        match config.decide(&number) {
            Outcome::Call(call) => Some(super::dial::target(call.number, call.address)),
            // Keys have functions for what codes do, so a code in one is the server's.
            Outcome::Feature { .. } => Some(number),
            _ => {
                self.forbid(now, number);
                None
            }
        }
    }

    /// Says that a number may not be called.
    pub(super) fn forbid(&mut self, now: Instant, number: String) {
        match self.mode {
            Mode::Call(_) => self.notify(now, "Forbidden Number".to_owned()),
            _ => {
                self.dialler.close();
                self.finish(now, "Forbidden Number".to_owned(), vec![number], Sound::Congestion);
            }
        }
    }
}
