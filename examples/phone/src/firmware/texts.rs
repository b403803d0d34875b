//! Texts: those that came, which the person reads, and those that wait to be sent (DIN-093).

use super::stored::Origin;
use super::{Body, Command, Firmware, Mode, Tone};
use core::time::Duration;
use sidetone_hal::time::Instant;
use sidetone_sip_core::StatusCode;
use sidetone_sip_ua::feature::outbox::{Outbox, OutboxError, OutgoingText, TextId, TextOutcome};
use std::collections::VecDeque;

/// Texts that are kept; of more the oldest goes (DIN-093).
const MOST: usize = 100;

/// A text that came.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceivedText {
    /// The account that it came to, counted from 0.
    pub account: usize,
    /// Who wrote it: a number or an address.
    pub from: String,
    /// What it says.
    pub text: String,
    /// When, as the clock of the phone says; empty before that knows the time.
    pub at: String,
    /// Whether it was shown.
    pub read: bool,
}

/// The texts of a telephone.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// The newest first.
    inbox: VecDeque<ReceivedText>,
    outbox: Outbox,
    /// Changes with what waits.
    revision: u64,
    /// The one that is on the screen.
    shown: Option<usize>,
}

impl Texts {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.outbox.deadline()
    }

    fn unread(&self) -> usize {
        self.inbox.iter().filter(|text| !text.read).count()
    }
}

impl Firmware {
    /// The texts that came, the newest first.
    pub fn texts(&self) -> impl Iterator<Item = &ReceivedText> {
        self.texts.inbox.iter()
    }

    /// Writes a text. It goes out as soon as the account, counted from 0, is reachable, behind those before it.
    ///
    /// # Errors
    /// It is empty or too long, or as many wait as may.
    pub fn write_text(
        &mut self,
        now: Instant,
        account: usize,
        to: &str,
        text: &str,
    ) -> Result<TextId, OutboxError> {
        self.restore_text(now, account, to, text, 0)
    }

    /// A text that was kept over a restart, and was tried so often: it waits like one that is written now.
    ///
    /// # Errors
    /// As [`Firmware::write_text`].
    pub fn restore_text(
        &mut self,
        now: Instant,
        account: usize,
        to: &str,
        text: &str,
        tries: u32,
    ) -> Result<TextId, OutboxError> {
        let id = self.texts.outbox.restore(index_of(account), to, text, tries)?;
        self.texts.revision = self.texts.revision.wrapping_add(1);
        self.send_texts(now);
        Ok(id)
    }

    /// The texts that wait to be sent, in their order.
    pub fn outgoing_texts(&self) -> impl Iterator<Item = &OutgoingText> {
        self.texts.outbox.waiting()
    }

    /// Another figure whenever the texts that wait have changed: whoever keeps them has to keep them before the next
    /// [`Command`] is done.
    #[must_use]
    pub const fn texts_revision(&self) -> u64 {
        self.texts.revision
    }

    /// How many texts wait to be sent.
    #[must_use]
    pub fn texts_waiting(&self) -> usize {
        self.texts.outbox.waiting().count()
    }

    /// An account, counted from 0, can send now, or cannot. One that registers tells by its registration.
    pub fn reachable(&mut self, now: Instant, account: usize, yes: bool) {
        self.texts.outbox.reachable(index_of(account), yes);
        self.send_texts(now);
    }

    /// Sends what is due.
    pub(super) fn send_texts(&mut self, now: Instant) {
        while let Some(text) = self.texts.outbox.next(now) {
            self.texts.revision = self.texts.revision.wrapping_add(1);
            let account = usize::try_from(text.account).unwrap_or(usize::MAX);
            self.command(Command::SendText { id: text.id, account, to: text.to, text: text.text });
        }
    }

    /// What became of a text of ours.
    pub(super) fn text_answered(
        &mut self,
        now: Instant,
        id: TextId,
        status: StatusCode,
        retry_after: Option<Duration>,
    ) {
        let to = self.texts.outbox.waiting().find(|text| text.id == id).map(|text| text.to.clone());
        let told = match (self.texts.outbox.answered(now, id, status, retry_after), to) {
            (Some(TextOutcome::Sent), Some(to)) => format!("Text to {to} sent"),
            (Some(TextOutcome::Waits), Some(to)) => format!("Text to {to} waits: {}", status.reason()),
            (Some(TextOutcome::Failed), Some(to)) => {
                format!("Text to {to} not sent: {} {}", status.code(), status.reason())
            }
            _ => return,
        };
        self.texts.revision = self.texts.revision.wrapping_add(1);
        self.notify(now, told);
        self.send_texts(now);
    }

    /// A text came.
    pub(super) fn text_came(&mut self, now: Instant, account: usize, from: String, text: String) {
        self.notify(now, format!("{from}: {text}"));
        let moment = self.clock.map(|clock| clock.moment(now));
        let at = moment.map(|moment| format!("{} {}", moment.date(), moment.time())).unwrap_or_default();
        self.texts.inbox.push_front(ReceivedText { account, from, text, at, read: false });
        self.texts.inbox.truncate(MOST);
        if let Some(shown) = &mut self.texts.shown {
            // The one that is read stays on the screen.
            *shown = (*shown + 1).min(self.texts.inbox.len().saturating_sub(1));
        }
    }

    /// Whether there are texts to read.
    pub(super) fn has_texts(&self) -> bool {
        !self.texts.inbox.is_empty()
    }

    /// What the idle screen says of texts that nobody has read.
    pub(super) fn texts_told(&self) -> Option<String> {
        match self.texts.unread() {
            0 => None,
            1 => Some("1 new text".to_owned()),
            count => Some(format!("{count} new texts")),
        }
    }

    /// Whether a text is on the screen.
    pub(super) fn reads_text(&self) -> bool {
        matches!(self.mode, Mode::Idle) && self.texts.shown.is_some()
    }

    /// Shows the text that is so many further; the newest one when none is shown.
    pub(super) fn show_text(&mut self, step: isize) {
        let count = self.texts.inbox.len();
        if count == 0 {
            self.texts.shown = None;
            return;
        }
        let shown = match self.texts.shown {
            Some(shown) => shown.saturating_add_signed(step).min(count - 1),
            None => 0,
        };
        self.texts.shown = Some(shown);
        if let Some(text) = self.texts.inbox.get_mut(shown) {
            text.read = true;
        }
    }

    /// Deletes the text on the screen, and shows the one behind it.
    pub(super) fn delete_text(&mut self) {
        if let Some(shown) = self.texts.shown {
            self.texts.inbox.remove(shown);
            self.show_text(0);
        }
    }

    /// Leaves the texts. Says whether one was on the screen.
    pub(super) fn close_texts(&mut self) -> bool {
        let reads = self.reads_text();
        self.texts.shown = None;
        reads
    }

    /// Calls whoever wrote the text on the screen.
    pub(super) fn call_writer(&mut self, now: Instant) {
        let shown = self.texts.shown.and_then(|shown| self.texts.inbox.get(shown));
        let Some((account, number)) = shown.map(|text| (text.account, text.from.clone())) else { return };
        let account = account.min(self.accounts.len().saturating_sub(1));
        if let Some(number) = self.stored(now, account, number, Origin::History) {
            self.place(now, account, number);
        }
    }

    /// The text on the screen.
    pub(super) fn text_body(&self) -> Option<Body> {
        let shown = self.texts.shown.filter(|_| matches!(self.mode, Mode::Idle))?;
        let text = self.texts.inbox.get(shown)?;
        let title = format!("Text {} of {}", shown + 1, self.texts.inbox.len());
        let details = [text.text.clone(), text.at.clone()].into_iter().filter(|line| !line.is_empty());
        Some(Body { title, main: text.from.clone(), details: details.collect(), tone: Tone::Calm })
    }
}

fn index_of(account: usize) -> u32 {
    u32::try_from(account).unwrap_or(u32::MAX)
}
