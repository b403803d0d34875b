//! The phone's own sounds: call progress, the ringer, and the beep of a key.

use crate::firmware::Sound;
use sidetone_media::tone::{Generator, Part, Tone, ToneSet, dtmf};

/// The phone's sample rate.
pub(super) const SAMPLE_RATE: usize = 8000;
const RATE: u32 = 8000;
/// A key beeps for 80 ms, quietly.
const BEEP_SAMPLES: usize = 640;
const BEEP_LEVEL: f32 = -26.0;

/// The ringer: two short chords, and a pause.
const RING: Tone = Tone {
    parts: &[
        Part { hertz: &[659.26, 830.61, 987.77], millis: 400 },
        Part { hertz: &[], millis: 200 },
        Part { hertz: &[659.26, 830.61, 987.77], millis: 400 },
        Part { hertz: &[], millis: 2000 },
    ],
    once: false,
};

/// Plays one sound at a time, and beeps over it.
#[derive(Debug)]
pub struct TonePlayer {
    sound: Option<(Sound, Generator)>,
    beep: Option<(usize, Generator)>,
}

impl TonePlayer {
    /// A silent player.
    #[must_use]
    pub const fn new() -> Self {
        Self { sound: None, beep: None }
    }

    /// Plays this from now on; a sound that plays already goes on.
    pub fn set(&mut self, sound: Option<Sound>) {
        if self.sound.as_ref().map(|(playing, _)| *playing) != sound {
            self.sound = sound.map(|sound| (sound, Generator::new(tone(sound), RATE)));
        }
    }

    /// The beep of a key of the dial pad.
    pub fn beep(&mut self, digit: char) {
        self.beep = dtmf(digit).map(|tone| (BEEP_SAMPLES, Generator::with_level(tone, RATE, BEEP_LEVEL)));
    }

    /// Adds what plays to `samples`, at most 20 ms of them.
    pub fn mix(&mut self, samples: &mut [i16]) {
        let mut own = [0; SAMPLE_RATE / 50];
        let Some(own) = own.get_mut(..samples.len()) else { return };
        if let Some((_, generator)) = &mut self.sound {
            generator.fill(own);
            add(samples, own);
        }
        if let Some((left, generator)) = &mut self.beep {
            generator.fill(own);
            add(samples, own);
            *left = left.saturating_sub(samples.len());
            if *left == 0 {
                self.beep = None;
            }
        }
    }
}

impl Default for TonePlayer {
    fn default() -> Self {
        Self::new()
    }
}

fn tone(sound: Sound) -> Tone {
    // The telephones of the manuals come with the tones of North America (PAB-157 to PAB-174).
    let tones = ToneSet::US;
    match sound {
        Sound::DialTone => tones.dial,
        Sound::Ringback => tones.ringback,
        Sound::Busy => tones.busy,
        Sound::Congestion => tones.congestion,
        Sound::CallWaiting => tones.waiting,
        Sound::Ring => RING,
    }
}

fn add(samples: &mut [i16], own: &[i16]) {
    for (sample, own) in samples.iter_mut().zip(own) {
        *sample = sample.saturating_add(*own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_media::tone::Goertzel;

    fn share(samples: &[i16], hertz: f32) -> f32 {
        let mut goertzel = Goertzel::new(RATE, hertz);
        goertzel.add(samples);
        goertzel.share()
    }

    fn play(player: &mut TonePlayer, frames: usize) -> Vec<i16> {
        let mut all = vec![0; frames * 80];
        for frame in all.chunks_mut(80) {
            player.mix(frame);
        }
        all
    }

    #[test]
    fn each_sound_has_its_frequencies() {
        for (sound, hertz) in [
            (Sound::DialTone, [350.0, 440.0]),
            (Sound::Ringback, [440.0, 480.0]),
            (Sound::Busy, [480.0, 620.0]),
        ] {
            let mut player = TonePlayer::new();
            player.set(Some(sound));
            let heard = play(&mut player, 20);
            for hertz in hertz {
                assert!(share(&heard, hertz) > 0.3, "{sound:?} {hertz} {}", share(&heard, hertz));
            }
            player.set(None);
            assert!(play(&mut player, 2).iter().all(|sample| *sample == 0));
        }
    }

    #[test]
    fn a_sound_set_again_goes_on_and_a_beep_ends_by_itself() {
        let (mut once, mut twice) = (TonePlayer::new(), TonePlayer::new());
        once.set(Some(Sound::Ringback));
        twice.set(Some(Sound::Ringback));
        let mut parts = play(&mut twice, 150);
        twice.set(Some(Sound::Ringback));
        parts.extend(play(&mut twice, 100));
        assert_eq!(play(&mut once, 250), parts);
        let mut player = TonePlayer::new();
        player.beep('5');
        let heard = play(&mut player, 10);
        assert!(share(&heard[..640], 770.0) > 0.3 && heard[640..].iter().all(|sample| *sample == 0));
    }
}
