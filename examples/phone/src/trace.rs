//! `--trace`: every SIP message on a ladder, without secrets.

use core::fmt;
use sidetone_hal::sim::ladder::Ladder;
use sidetone_sip_core::trace::{Direction, Tap, TapMessage};
use std::sync::{Arc, Mutex, PoisonError};

/// Rows that a trace keeps: the latest.
const ROWS: usize = 20_000;

/// A ladder that several user agents write to. Displays as text.
#[derive(Clone, Debug)]
pub struct Trace(Arc<Mutex<Ladder>>);

impl Trace {
    /// An empty trace.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Ladder::new(ROWS))))
    }

    /// What a user agent called `name` is to be built with.
    pub fn tap(&self, name: &str) -> impl Tap + use<> {
        let (ladder, name) = (self.0.clone(), name.to_owned());
        move |message: &TapMessage<'_>| {
            let mut ladder = ladder.lock().unwrap_or_else(PoisonError::into_inner);
            let own = ladder.column(&name);
            let peer = ladder.column(&message.remote.to_string());
            let label = message.label();
            match message.direction {
                Direction::Sent => ladder.arrow(message.now, own, peer, &label),
                Direction::Received => ladder.arrow(message.now, peer, own, &label),
            }
        }
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fmt(f)
    }
}
