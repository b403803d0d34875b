//! Dialling: the collector with what a telephone adds to it, the line that was chosen and dial tone.

use super::Sound;
use sidetone_dialplan::{Collector, CollectorConfig, Event};
use sidetone_hal::time::Instant;

/// Collects a number for one line.
#[derive(Debug)]
pub(super) struct Dialler {
    collector: Collector,
    line: Option<u8>,
    open: bool,
    /// The collector said that this number leads nowhere, or nobody dialled.
    failed: bool,
}

impl Dialler {
    pub(super) const fn new(config: CollectorConfig) -> Self {
        Self { collector: Collector::new(config), line: None, open: false, failed: false }
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

    /// Off-hook: dial tone, and the timers run.
    pub(super) fn open(&mut self, now: Instant) {
        self.open = true;
        self.failed = false;
        self.collector.off_hook(now);
    }

    /// Forgets everything.
    pub(super) fn close(&mut self) {
        self.open = false;
        self.failed = false;
        self.line = None;
        self.collector.on_hook();
        while self.collector.poll_event().is_some() {}
    }

    /// A digit; gives the number when it is complete.
    pub(super) fn digit(&mut self, now: Instant, digit: char) -> Option<String> {
        self.failed = false;
        // A key that cannot be taken (the number is full) changes nothing, as on any telephone.
        let _ = self.collector.handle_digit(now, digit);
        self.take()
    }

    pub(super) fn erase(&mut self, now: Instant) {
        self.failed = false;
        self.collector.backspace(now);
    }

    /// Sends what is there.
    pub(super) fn send(&mut self) -> Option<String> {
        self.collector.send();
        self.take()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<String> {
        self.collector.handle_timeout(now);
        self.take()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.collector.poll_timeout().map(|(at, _)| at)
    }

    /// What the ear hears: dial tone until the first digit, the reorder tone when this leads nowhere.
    pub(super) fn sound(&self) -> Option<Sound> {
        match (self.open, self.failed) {
            (false, _) => None,
            (true, true) => Some(Sound::Congestion),
            (true, false) => self.digits().is_empty().then_some(Sound::DialTone),
        }
    }

    fn take(&mut self) -> Option<String> {
        while let Some(event) = self.collector.poll_event() {
            match event {
                Event::Dial { number, .. } => return Some(number),
                Event::NoMatch | Event::FirstDigitTimeout => self.failed = true,
                _ => {}
            }
        }
        None
    }
}
