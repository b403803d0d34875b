//! Frames of 10 ms at absolute deadlines.

#![expect(clippy::disallowed_methods, reason = "the driver is where the clock is read")]

use sidetone_hal::audio::FRAME;
use sidetone_hal::time::Instant;
use tokio::time::{self, Instant as TokioInstant};

/// Frames that are caught up with after the machine stood still; what is older is given up.
const MAX_BEHIND: u32 = 20;

/// Says when a frame is due, counted from the start and not from the last wake-up.
#[derive(Debug)]
pub(super) struct FrameClock {
    origin: TokioInstant,
    next: TokioInstant,
}

impl FrameClock {
    pub(super) fn new() -> Self {
        let origin = TokioInstant::now();
        Self { origin, next: origin }
    }

    /// The first frame of a stretch is due now.
    pub(super) fn restart(&mut self) {
        self.next = TokioInstant::now();
    }

    /// Waits until a frame is due. Cancel-safe.
    pub(super) async fn tick(&self) {
        time::sleep_until(self.next).await;
    }

    /// The time of the next frame that is due, if one is. It is the frame's own time and not that of the wake-up, so
    /// that late wake-ups do not look like jitter.
    pub(super) fn due(&mut self) -> Option<Instant> {
        let now = TokioInstant::now();
        if now < self.next {
            return None;
        }
        if now.duration_since(self.next) > FRAME * MAX_BEHIND {
            self.next = now;
        }
        let due = self.at(self.next);
        self.next += FRAME;
        Some(due)
    }

    /// Now, on the clock of the frames.
    pub(super) fn now(&self) -> Instant {
        self.at(TokioInstant::now())
    }

    fn at(&self, instant: TokioInstant) -> Instant {
        Instant::ZERO + instant.saturating_duration_since(self.origin)
    }
}
