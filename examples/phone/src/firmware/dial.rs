//! Dialling: the collector with what a telephone adds to it, the line that was chosen and dial tone.

use super::Sound;
use sidetone_dialplan::{Collector, CollectorConfig, Outcome, Progress};
use sidetone_hal::time::Instant;

/// Collects a number for one line.
#[derive(Debug)]
pub(super) struct Dialler {
    collector: Collector,
    /// Without an account of one's own, and in the order of the accounts.
    usual: CollectorConfig,
    accounts: Vec<CollectorConfig>,
    /// Of what is entered and not called: no rules.
    plain: CollectorConfig,
    line: Option<u8>,
    open: bool,
    /// What says that this number leads nowhere, or that nobody dialled.
    failed: Option<Sound>,
    /// A rule says that the number may not be called.
    forbidden: bool,
}

impl Dialler {
    pub(super) fn new(usual: CollectorConfig, accounts: Vec<CollectorConfig>) -> Self {
        let collector = Collector::new(usual.clone());
        let mut plain = usual.clone();
        (plain.plan, plain.live) = (None, false);
        Self { collector, usual, accounts, plain, line: None, open: false, failed: None, forbidden: false }
    }

    /// The digits so far.
    pub(super) fn digits(&self) -> &str {
        self.collector.digits()
    }

    /// The line key that the call will take.
    pub(super) const fn line(&self) -> Option<u8> {
        self.line
    }

    pub(super) const fn set_line(&mut self, line: Option<u8>) {
        self.line = line;
    }

    /// Whether a rule says that the number may not be called.
    pub(super) const fn is_forbidden(&self) -> bool {
        self.forbidden
    }

    /// The rule that would decide about the digits if nothing followed.
    pub(super) fn rule(&self) -> Option<&str> {
        self.collector.deciding_rule()
    }

    /// Goes by the rules of this account from now on.
    pub(super) fn set_account(&mut self, now: Instant, account: usize) {
        let config = self.config_of(account).clone();
        self.set_config(now, config);
    }

    /// Takes what is not called: no rule applies.
    pub(super) fn set_plain(&mut self, now: Instant) {
        self.set_config(now, self.plain.clone());
    }

    fn set_config(&mut self, now: Instant, config: CollectorConfig) {
        if *self.collector.config() != config {
            // What is there waits for the inter-digit time at least, so nothing is complete now.
            let _ = self.collector.set_config(now, config);
        }
    }

    /// How the numbers of this account are collected.
    pub(super) fn config_of(&self, account: usize) -> &CollectorConfig {
        self.accounts.get(account).unwrap_or(&self.usual)
    }

    /// What goes out for the digits that are there; `None` when they lead nowhere, which is shown and heard then.
    pub(super) fn outgoing(&mut self) -> Option<String> {
        let outcome = self.collector.config().decide(self.collector.digits());
        self.forbidden = matches!(outcome, Outcome::Blocked { .. });
        match outcome {
            Outcome::Call(call) => Some(target(call.number, call.address)),
            // A code of the telephone's own means nothing to anybody else.
            Outcome::Feature { .. } => Some(self.digits().to_owned()),
            _ => {
                self.failed = Some(Sound::Congestion);
                None
            }
        }
    }

    /// Off-hook: dial tone, and the timers run.
    pub(super) fn open(&mut self, now: Instant) {
        self.open = true;
        let progress = self.collector.off_hook(now);
        // The line opens before the first digit, so nothing is complete.
        let _ = self.take(progress);
    }

    /// Forgets everything.
    pub(super) fn close(&mut self) {
        self.open = false;
        (self.failed, self.forbidden) = (None, false);
        self.line = None;
        self.collector.on_hook();
    }

    /// A digit; gives the number when it is complete.
    pub(super) fn digit(&mut self, now: Instant, digit: char) -> Option<Dialled> {
        // A key that cannot be taken (the number is full) changes nothing, as on any telephone.
        let progress = self.collector.press(now, digit).ok()?;
        self.take(progress)
    }

    pub(super) fn erase(&mut self, now: Instant) {
        let progress = self.collector.backspace(now);
        // What remains is never complete at once.
        let _ = self.take(progress);
    }

    /// Sends what is there.
    pub(super) fn send(&mut self, now: Instant) -> Option<Dialled> {
        let progress = self.collector.send(now);
        self.take(progress)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Dialled> {
        let (due, _) = self.collector.poll_timeout()?;
        if due > now {
            return None;
        }
        let progress = self.collector.handle_timeout(now);
        self.take(progress)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.collector.poll_timeout().map(|(at, _)| at)
    }

    /// What the ear hears: dial tone until the first digit; the reorder tone when the number leads nowhere, the busy tone when none came.
    pub(super) fn sound(&self) -> Option<Sound> {
        let waiting = || self.digits().is_empty().then_some(Sound::DialTone);
        self.failed.or_else(waiting).filter(|_| self.open)
    }

    fn take(&mut self, progress: Progress) -> Option<Dialled> {
        self.forbidden = matches!(progress, Progress::Blocked { .. });
        self.failed = match progress {
            Progress::Blocked { .. } | Progress::Invalid => Some(Sound::Congestion),
            // The KX-UT670 plays the busy tone when no first digit comes (PAB-137).
            Progress::NoDigit => Some(Sound::Busy),
            _ => None,
        };
        match progress {
            Progress::Send { number, address, .. } => Some(Dialled::Number(target(number, address))),
            Progress::Feature { id, argument, .. } => Some(Dialled::Code { id, argument }),
            _ => None,
        }
    }
}

/// What was dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dialled {
    /// A number or a URI.
    Number(String),
    /// A code for the telephone itself.
    Code {
        /// The ID of its rule.
        id: u16,
        /// What followed it.
        argument: String,
    },
}

/// What is called: the number, or, where it has an address of its own, a URI.
pub(super) fn target(number: String, address: Option<String>) -> String {
    match address {
        Some(address) => format!("sip:{number}@{address}"),
        None => number,
    }
}
