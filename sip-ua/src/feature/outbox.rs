//! Texts that wait to be sent (RFC 3428): kept while an account is not reachable, and sent again in their order.
//!
//! A text counts as sent once a server has taken it. Silence, and statuses that say that nobody can be reached now, let it
//! wait; any other refusal is the end of it, and those behind it go on.
//!
//! ```
//! use sidetone_hal::time::Instant;
//! use sidetone_sip_core::StatusCode;
//! use sidetone_sip_ua::feature::outbox::{Outbox, OutboxConfig};
//! let (mut outbox, now) = (Outbox::new(OutboxConfig::default()), Instant::ZERO);
//! let id = outbox.push(0, "102", "Lunch?").unwrap();
//! assert_eq!(outbox.next(now).map(|text| text.id), None, "the account is not reachable");
//! outbox.reachable(0, true);
//! assert_eq!(outbox.next(now).map(|text| text.id), Some(id));
//! outbox.answered(now, id, StatusCode::OK, None);
//! assert_eq!(outbox.waiting().count(), 0);
//! ```

use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;
use core::time::Duration;
use sidetone_hal::time::Instant;
use sidetone_sip_core::StatusCode;

/// How texts are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxConfig {
    /// Texts that wait at most, those of all accounts (DIN-093: each box holds 100). A further one is refused. Default 100.
    pub most: usize,
    /// The wait after a failure that may pass; it doubles with each one, to 32 times of it. A Retry-After that is longer
    /// counts instead. Default 30 s.
    pub again: Duration,
    /// Tries of a text at most, failures that may pass included. Default 20: the better part of a day.
    pub tries: u32,
}

impl Default for OutboxConfig {
    fn default() -> Self {
        Self { most: 100, again: Duration::from_secs(30), tries: 20 }
    }
}

/// The longest text that is taken, in octets: what fits into one datagram with its headers (RFC 3428 §8 has 1300 for all).
pub const MAX_TEXT: usize = 1024;
/// The longest address, in octets.
pub const MAX_ADDRESS: usize = 256;

/// Names a text of an [`Outbox`]; not used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextId(u64);

/// A text that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutgoingText {
    /// Its name.
    pub id: TextId,
    /// Which account sends it.
    pub account: u32,
    /// To whom: a number or an address.
    pub to: String,
    /// What it says.
    pub text: String,
    /// How often it was tried, the try that is under way included.
    pub tries: u32,
}

/// Why a text is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutboxError {
    /// As many wait as may.
    Full,
    /// It is longer than [`MAX_TEXT`] or its address than [`MAX_ADDRESS`], or one of them is empty.
    Length,
}

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextOutcome {
    /// It was taken.
    Sent,
    /// It waits to be sent again.
    Waits,
    /// It was refused for good, and is gone.
    Failed,
}

#[derive(Clone, Debug)]
struct Entry {
    text: OutgoingText,
    under_way: bool,
    /// Not before.
    at: Option<Instant>,
}

/// Texts on their way out. Every call costs as much as there are texts, of which there are few.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    config: OutboxConfig,
    entries: VecDeque<Entry>,
    reachable: BTreeSet<u32>,
    last: u64,
}

impl Outbox {
    /// Empty, with no account reachable.
    #[must_use]
    pub const fn new(config: OutboxConfig) -> Self {
        Self { config, entries: VecDeque::new(), reachable: BTreeSet::new(), last: 0 }
    }

    /// A text to send on an account.
    ///
    /// # Errors
    /// It is too long or empty, or too many wait.
    pub fn push(&mut self, account: u32, to: &str, text: &str) -> Result<TextId, OutboxError> {
        self.restore(account, to, text, 0)
    }

    /// A text that a store has kept, which was tried so often: those of before go in their order before a new one. One whose
    /// tries were used up as the power failed is tried once more.
    ///
    /// # Errors
    /// As [`Outbox::push`].
    pub fn restore(&mut self, account: u32, to: &str, text: &str, tries: u32) -> Result<TextId, OutboxError> {
        let fits = |text: &str, most| !text.is_empty() && text.len() <= most;
        if !fits(to, MAX_ADDRESS) || !fits(text, MAX_TEXT) {
            return Err(OutboxError::Length);
        }
        if self.entries.len() >= self.config.most {
            return Err(OutboxError::Full);
        }
        self.last = self.last.wrapping_add(1);
        let id = TextId(self.last);
        let tries = tries.min(self.config.tries.saturating_sub(1));
        let text = OutgoingText { id, account, to: to.into(), text: text.into(), tries };
        self.entries.push_back(Entry { text, under_way: false, at: None });
        Ok(id)
    }

    /// The account can send now, or cannot: it is registered, or needs no registration. Once it can, nothing waits for its
    /// time any more.
    pub fn reachable(&mut self, account: u32, yes: bool) {
        if !yes {
            self.reachable.remove(&account);
        } else if self.reachable.insert(account) {
            self.entries
                .iter_mut()
                .filter(|entry| entry.text.account == account)
                .for_each(|entry| entry.at = None);
        }
    }

    /// The next text to send now; it is under way then. An account has one under way, so that its texts keep their order.
    pub fn next(&mut self, now: Instant) -> Option<OutgoingText> {
        let mut seen = BTreeSet::new();
        for entry in &mut self.entries {
            // Only the first of each account.
            if !seen.insert(entry.text.account) {
                continue;
            }
            let due = entry.at.is_none_or(|at| at <= now);
            if !entry.under_way && due && self.reachable.contains(&entry.text.account) {
                entry.under_way = true;
                entry.text.tries = entry.text.tries.saturating_add(1);
                return Some(entry.text.clone());
            }
        }
        None
    }

    /// The final status of a text that was under way; 408 stands for silence, 503 for what could not be sent.
    pub fn answered(
        &mut self,
        now: Instant,
        id: TextId,
        status: StatusCode,
        retry_after: Option<Duration>,
    ) -> Option<TextOutcome> {
        let place = self.entries.iter().position(|entry| entry.text.id == id && entry.under_way)?;
        let entry = self.entries.get_mut(place)?;
        if !status.is_success() && may_pass(status) && entry.text.tries < self.config.tries {
            entry.under_way = false;
            let wait = self.config.again.saturating_mul(1 << entry.text.tries.saturating_sub(1).min(5));
            entry.at = Some(now + wait.max(retry_after.unwrap_or_default()));
            return Some(TextOutcome::Waits);
        }
        self.entries.remove(place);
        Some(if status.is_success() { TextOutcome::Sent } else { TextOutcome::Failed })
    }

    /// When [`Outbox::next`] may have another one.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let able = self.entries.iter().filter(|entry| self.reachable.contains(&entry.text.account));
        able.filter(|entry| !entry.under_way).filter_map(|entry| entry.at).min()
    }

    /// Those that are not sent, in their order: what a store keeps over a restart, for [`Outbox::restore`].
    pub fn waiting(&self) -> impl Iterator<Item = &OutgoingText> {
        self.entries.iter().map(|entry| &entry.text)
    }
}

/// Whether a refusal is about now and not about the text: nobody there, no answer, a server in trouble.
const fn may_pass(status: StatusCode) -> bool {
    matches!(status.code(), 408 | 423 | 429 | 430 | 480 | 486 | 500 | 502 | 503 | 504 | 600)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    fn outbox(texts: &[(u32, &str)]) -> (Outbox, Vec<TextId>) {
        let mut outbox = Outbox::new(OutboxConfig::default());
        let ids = texts.iter().map(|(account, text)| outbox.push(*account, "102", text).unwrap()).collect();
        (outbox, ids)
    }

    fn sends(outbox: &mut Outbox, seconds: u64) -> Option<TextId> {
        outbox.next(at(seconds)).map(|text| text.id)
    }

    #[test]
    fn texts_keep_their_order_and_wait_for_their_account() {
        let (mut outbox, ids) = outbox(&[(0, "a"), (0, "b"), (1, "c")]);
        assert_eq!(sends(&mut outbox, 0), None);
        outbox.reachable(0, true);
        assert_eq!((sends(&mut outbox, 0), sends(&mut outbox, 0)), (Some(ids[0]), None), "one at a time");
        outbox.reachable(1, true);
        assert_eq!(sends(&mut outbox, 0), Some(ids[2]), "another account does not wait for the first");
        assert_eq!(outbox.answered(at(1), ids[0], StatusCode::OK, None), Some(TextOutcome::Sent));
        assert_eq!(outbox.answered(at(1), ids[0], StatusCode::OK, None), None, "answered once");
        assert_eq!(sends(&mut outbox, 1), Some(ids[1]));
    }

    #[test]
    fn what_may_pass_is_tried_again_and_nothing_overtakes_it() {
        let (mut outbox, ids) = outbox(&[(0, "a"), (0, "b")]);
        outbox.reachable(0, true);
        assert_eq!(sends(&mut outbox, 0), Some(ids[0]));
        let status = StatusCode::REQUEST_TIMEOUT;
        assert_eq!(outbox.answered(at(32), ids[0], status, None), Some(TextOutcome::Waits));
        assert_eq!((sends(&mut outbox, 61), outbox.deadline()), (None, Some(at(62))));
        assert_eq!(sends(&mut outbox, 62), Some(ids[0]));
        let later = Some(Duration::from_secs(600));
        outbox.answered(at(70), ids[0], StatusCode::SERVICE_UNAVAILABLE, later);
        assert_eq!(outbox.deadline(), Some(at(670)), "the server says when");
        // The registration was lost and is back: there is no reason to wait.
        outbox.reachable(0, false);
        assert_eq!((sends(&mut outbox, 1000), outbox.deadline()), (None, None));
        outbox.reachable(0, true);
        assert_eq!(sends(&mut outbox, 100), Some(ids[0]));
        assert_eq!(outbox.answered(at(101), ids[0], StatusCode::NOT_FOUND, None), Some(TextOutcome::Failed));
        assert_eq!(sends(&mut outbox, 101), Some(ids[1]), "the next one goes on");
    }

    #[test]
    fn a_text_is_given_up_after_its_tries() {
        let config = OutboxConfig { tries: 2, ..OutboxConfig::default() };
        let mut outbox = Outbox::new(config);
        outbox.reachable(0, true);
        let id = outbox.push(0, "102", "a").unwrap();
        let mut outcomes = Vec::new();
        for round in 0..2 {
            assert_eq!(sends(&mut outbox, round * 1000), Some(id));
            outcomes.push(outbox.answered(at(round * 1000), id, StatusCode::TEMPORARILY_UNAVAILABLE, None));
        }
        assert_eq!(outcomes, [Some(TextOutcome::Waits), Some(TextOutcome::Failed)]);
        assert_eq!(outbox.waiting().count(), 0);
    }

    #[test]
    fn what_a_store_has_kept_goes_on_with_its_tries() {
        let config = OutboxConfig { tries: 3, ..OutboxConfig::default() };
        let mut outbox = Outbox::new(config);
        let kept = outbox.restore(0, "102", "a", 1).unwrap();
        let used_up = outbox.restore(0, "102", "b", 9).unwrap();
        outbox.reachable(0, true);
        assert_eq!(outbox.next(at(0)).map(|text| (text.id, text.tries)), Some((kept, 2)));
        let status = StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(outbox.answered(at(0), kept, status, None), Some(TextOutcome::Waits));
        assert_eq!(outbox.deadline(), Some(at(60)), "the wait is that of the second failure");
        assert_eq!(sends(&mut outbox, 60), Some(kept));
        assert_eq!(outbox.answered(at(60), kept, status, None), Some(TextOutcome::Failed));
        assert_eq!(sends(&mut outbox, 60), Some(used_up), "once more");
        assert_eq!(outbox.answered(at(60), used_up, StatusCode::OK, None), Some(TextOutcome::Sent));
    }

    #[test]
    fn there_is_room_for_so_many_and_no_text_is_endless() {
        let mut outbox = Outbox::new(OutboxConfig { most: 1, ..OutboxConfig::default() });
        for (to, text) in [("", "a"), ("102", ""), ("102", "x".repeat(MAX_TEXT + 1).as_str())] {
            assert_eq!(outbox.push(0, to, text), Err(OutboxError::Length));
        }
        assert!(outbox.push(0, "102", &"x".repeat(MAX_TEXT)).is_ok());
        assert_eq!(outbox.push(0, "102", "b"), Err(OutboxError::Full));
    }
}
