//! The tone that reminds of a call on hold (YLA-081).

use super::{Call, CallState, Firmware, Timer};
use sidetone_hal::time::{Duration, Instant};

/// How long the tone sounds.
const SOUNDS: Duration = Duration::from_millis(600);

impl Firmware {
    /// A call was held or taken back, or is over: the tone begins to count, or is not wanted any more.
    pub(super) fn update_hold_tone(&mut self, now: Instant) {
        let held = |call: &Call| call.state == CallState::Held && !call.hung_up && !call.resuming;
        let Some(delay) = self.policy.hold_tone.filter(|_| self.calls.iter().any(held)) else {
            self.timers.stop(Timer::HoldTone);
            self.timers.stop(Timer::HoldToneEnd);
            self.hold_tone_plays = false;
            return;
        };
        if self.hold_tone_plays {
            return;
        }
        if self.timers.deadline(Timer::HoldTone).is_none() {
            self.timers.set(Timer::HoldTone, now + delay);
        }
    }

    /// It is time for the tone.
    pub(super) fn hold_tone_due(&mut self, now: Instant) {
        if self.policy.hold_tone_goes_on {
            self.hold_tone_plays = true;
            return;
        }
        self.timers.set(Timer::HoldToneEnd, now + SOUNDS);
        self.update_hold_tone(now);
    }

    pub(super) fn hold_tone_sounds(&self) -> bool {
        self.hold_tone_plays || self.timers.deadline(Timer::HoldToneEnd).is_some()
    }
}
