//! Which tones frame calls: before the first digit, and while one is on hold.

use super::{Firmware, Sound};

/// The tones that frame calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallTones {
    /// Whether a tone is heard while the call on the screen is on hold.
    pub held: bool,
}

impl Firmware {
    /// What a person who has not dialled yet hears.
    pub(super) fn dial_sound(&self, sound: Sound) -> Sound {
        match sound {
            Sound::DialTone if self.calls.iter().any(|call| !call.hung_up) => Sound::RecallDialTone,
            Sound::DialTone if self.messages_wait() => Sound::StutterDialTone,
            Sound::Congestion => self.failed_tone(),
            other => other,
        }
    }

    /// What a person hears whose call on the screen is on hold.
    pub(super) fn held_sound(&self) -> Option<Sound> {
        self.policy.tones.held.then_some(Sound::Held)
    }
}
