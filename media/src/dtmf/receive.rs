//! Hearing digits and other events (RFC 4733 §2.5.2): each once, whatever the network does.

use super::event::{CLOCK, Event, LONGEST, digit_of};
use core::time::Duration;
use sidetone_hal::time::Instant;

/// The end of an event is taken to be lost when nothing of it came for this long: three updates of 50 ms.
const LOST_END: Duration = Duration::from_millis(150);

/// A digit that came, and is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digit {
    /// `0`-`9`, `*`, `#`, `A`-`D`.
    pub digit: char,
    /// How long it sounded, as far as was heard.
    pub duration: Duration,
}

/// An event that came, and is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeardEvent {
    /// What; 0 to 15 are digits, 16 is a hook flash.
    pub code: u8,
    /// How long it lasted, as far as was heard.
    pub duration: Duration,
    /// Power in -dBm0, as its first packet said.
    pub volume: u8,
}

impl HeardEvent {
    /// The digit, if it is one.
    #[must_use]
    pub fn digit(self) -> Option<Digit> {
        Some(Digit { digit: digit_of(self.code)?, duration: self.duration })
    }
}

#[derive(Clone, Copy, Debug)]
struct Receiving {
    timestamp: u32,
    code: u8,
    volume: u8,
    clock: u32,
    /// Ticks of the segments before this one.
    before: u32,
    duration: u16,
    heard: Instant,
    over: bool,
}

/// Receives digits: each once, however often its packets come.
#[derive(Clone, Debug)]
pub struct DtmfReceiver {
    clock: u32,
    current: Option<Receiving>,
}

impl DtmfReceiver {
    /// A receiver that has heard nothing, of events with 8000 ticks a second.
    #[must_use]
    pub const fn new() -> Self {
        Self { clock: CLOCK, current: None }
    }

    /// The ticks a second of the packets that come next: those of their payload type, of which there may be several
    /// (`telephone-event/8000` and `/48000`).
    pub const fn set_clock(&mut self, clock: u32) {
        self.clock = clock;
    }

    /// Takes an event packet; returns the digit that is over with it. That may be the one before, if its end
    /// was lost; the new one's turn comes with its own end. Events that are no digits are left out.
    pub fn receive(&mut self, now: Instant, timestamp: u32, payload: &[u8]) -> Option<Digit> {
        Event::parse(payload).filter(|event| digit_of(event.code).is_some())?;
        self.receive_event(now, timestamp, payload)?.digit()
    }

    /// Takes a packet of any event; returns the event that is over with it, as [`receive`](Self::receive) does.
    pub fn receive_event(&mut self, now: Instant, timestamp: u32, payload: &[u8]) -> Option<HeardEvent> {
        let event = Event::parse(payload)?;
        let fresh = Receiving {
            timestamp,
            code: event.code,
            volume: event.volume,
            clock: self.clock,
            before: 0,
            duration: event.duration,
            heard: now,
            over: false,
        };
        let mut lost = None;
        let current = match &mut self.current {
            Some(current) if current.timestamp == timestamp => current,
            Some(current) => {
                let step = timestamp.wrapping_sub(current.timestamp);
                if step > i32::MAX as u32 {
                    // From before: reordered, and told of already.
                    return None;
                }
                // A long event goes on in its next segment, or the one after if all of one was lost.
                if !current.over && step % LONGEST == 0 && current.code == event.code {
                    let before = current.before.saturating_add(step);
                    *current = Receiving { before, volume: current.volume, ..fresh };
                } else {
                    lost = current.finish();
                    *current = fresh;
                }
                current
            }
            None => self.current.insert(fresh),
        };
        current.heard = now;
        current.duration = current.duration.max(event.duration);
        // If this packet ends a digit while it makes up for the lost end of another, its repetition is heard.
        if event.end && lost.is_none() { current.finish() } else { lost }
    }

    /// The event that lasts now, with how long it has.
    #[must_use]
    pub fn sounding(&self) -> Option<HeardEvent> {
        self.current.filter(|current| !current.over).map(Receiving::told)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.current.filter(|current| !current.over).map(|current| current.heard + LOST_END)
    }

    /// Returns the digit whose end was lost.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Digit> {
        self.handle_event_timeout(now)?.digit()
    }

    /// Returns the event whose end was lost.
    pub fn handle_event_timeout(&mut self, now: Instant) -> Option<HeardEvent> {
        self.poll_timeout().filter(|at| *at <= now)?;
        self.current.as_mut()?.finish()
    }
}

impl Default for DtmfReceiver {
    fn default() -> Self {
        Self::new()
    }
}

impl Receiving {
    fn finish(&mut self) -> Option<HeardEvent> {
        (!core::mem::replace(&mut self.over, true)).then(|| self.told())
    }

    fn told(self) -> HeardEvent {
        let ticks = u64::from(self.before) + u64::from(self.duration);
        let duration = Duration::from_micros(ticks * 1_000_000 / u64::from(self.clock.max(1)));
        HeardEvent { code: self.code, duration, volume: self.volume }
    }
}
