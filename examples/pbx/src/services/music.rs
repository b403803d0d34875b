//! Music on hold: a WAV file in a loop, or a melody that is made from tones.

use super::sound::{Prompt, PromptError};
use super::stage::Source;
use sidetone_media::tone::{Generator, Part, Tone};
use sidetone_media::wav::{Player, Repeat, Sound};
use std::path::Path;

/// Something to hear while waiting. Clones share the samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Music {
    /// The melody when there is none.
    sound: Option<Sound>,
}

const fn note(hertz: &'static [f32], millis: u32) -> Part {
    Part { hertz, millis }
}

/// Sixteen notes of a pentatonic scale on G, up, around and down, with an open fifth to rest on: made for this crate.
const MELODY: Tone = Tone {
    parts: &[
        note(&[392.0], 300),
        note(&[440.0], 300),
        note(&[493.9], 300),
        note(&[587.3], 600),
        note(&[], 150),
        note(&[659.3], 300),
        note(&[587.3], 300),
        note(&[493.9], 600),
        note(&[], 150),
        note(&[440.0], 300),
        note(&[587.3], 300),
        note(&[493.9], 300),
        note(&[440.0], 600),
        note(&[], 150),
        note(&[329.6], 300),
        note(&[392.0], 300),
        note(&[440.0], 300),
        note(&[392.0, 587.3], 1200),
        note(&[], 700),
    ],
    once: false,
};
/// Softer than a voice: it is heard for minutes.
const MELODY_DBM0: f32 = -22.0;

impl Music {
    /// A melody that is made from tones.
    #[must_use]
    pub fn melody() -> Self {
        Self::default()
    }

    /// A recording in a loop: PCM, 16 bit, 8000 samples a second, at most 10 minutes.
    ///
    /// # Errors
    /// As [`Prompt::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, PromptError> {
        Ok(Self { sound: Some(Prompt::open(path)?.sound()) })
    }

    pub(super) fn source(&self, rate: u32) -> Source {
        let player = self.sound.clone().and_then(|sound| Player::new(sound, rate, Repeat::Forever).ok());
        let melody = || Source::Tone(Box::new(Generator::with_level(MELODY, rate, MELODY_DBM0)));
        player.map_or_else(melody, |player| Source::Sound(Box::new(player)))
    }
}
