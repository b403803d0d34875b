//! The phone's own sounds: call progress, the ringer, and the beep of a key.

use super::{FRAME_SAMPLES, RATE};
use crate::config::Tones;
use crate::firmware::Sound;
use sidetone_media::level;
use sidetone_media::tone::{Generator, Part, RingCadence, Tone, ToneList, dtmf};

/// A key beeps for 80 ms, quietly.
const BEEP_SAMPLES: usize = 8 * FRAME_SAMPLES;
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

const CHORD: &[f32] = &[659.26, 830.61, 987.77];

/// The melodies of the ringer from the second on, told apart by pitch and pace.
const MELODIES: [Tone; 4] = [
    melody(&[
        Part { hertz: &[880.0], millis: 200 },
        Part { hertz: &[1108.73], millis: 200 },
        Part { hertz: &[880.0], millis: 200 },
        Part { hertz: &[], millis: 2400 },
    ]),
    melody(&[Part { hertz: &[440.0, 480.0], millis: 1000 }, Part { hertz: &[], millis: 2000 }]),
    melody(&[
        Part { hertz: &[1318.51], millis: 100 },
        Part { hertz: &[], millis: 100 },
        Part { hertz: &[1318.51], millis: 100 },
        Part { hertz: &[], millis: 1700 },
    ]),
    melody(&[
        Part { hertz: &[523.25], millis: 300 },
        Part { hertz: &[659.26], millis: 300 },
        Part { hertz: &[783.99], millis: 300 },
        Part { hertz: &[], millis: 2100 },
    ]),
];

/// Before a call answers itself.
const WARNING: Tone = Tone {
    parts: &[
        Part { hertz: &[1000.0], millis: 150 },
        Part { hertz: &[], millis: 100 },
        Part { hertz: &[1000.0], millis: 150 },
        Part { hertz: &[], millis: 600 },
    ],
    once: false,
};

/// Reminds of a call on hold: two short tones at Panasonic's frequency and times (PAB-181, PAB-183).
const HOLD: Tone = Tone {
    parts: &[
        Part { hertz: &[425.0], millis: 190 },
        Part { hertz: &[], millis: 190 },
        Part { hertz: &[425.0], millis: 190 },
    ],
    once: true,
};

const fn melody(parts: &'static [Part]) -> Tone {
    Tone { parts, once: false }
}

/// Plays one sound at a time, and beeps over it.
#[derive(Debug)]
pub struct TonePlayer {
    tones: Tones,
    sound: Option<(Sound, Generator)>,
    beep: Option<(usize, Generator)>,
}

impl TonePlayer {
    /// A silent player of these.
    #[must_use]
    pub const fn new(tones: Tones) -> Self {
        Self { tones, sound: None, beep: None }
    }

    /// Plays this from now on; a sound that plays already goes on.
    pub fn set(&mut self, sound: Option<Sound>) {
        if self.sound.as_ref().map(|(playing, _)| *playing) != sound {
            self.sound = sound.map(|sound| (sound, Generator::new(self.tone(sound), RATE)));
        }
    }

    /// The beep of a key of the dial pad.
    pub fn beep(&mut self, digit: char) {
        self.beep = dtmf(digit)
            .filter(|_| self.tones.keys)
            .map(|tone| (BEEP_SAMPLES, Generator::with_level(tone, RATE, BEEP_LEVEL)));
    }

    fn tone(&self, sound: Sound) -> ToneList {
        match sound {
            Sound::DialTone => self.tones.dial.clone(),
            Sound::Ringback => self.tones.ringback.clone(),
            Sound::Busy => self.tones.busy.clone(),
            Sound::Congestion => self.tones.congestion.clone(),
            Sound::CallWaiting => self.tones.call_waiting.clone(),
            Sound::Ring | Sound::Melody(1) => RING.into(),
            Sound::Melody(number) => {
                (*MELODIES.get(usize::from(number).wrapping_sub(2)).unwrap_or(&RING)).into()
            }
            Sound::Bellcore(number) => {
                let cadence = RingCadence::BELLCORE.get(usize::from(number).wrapping_sub(1));
                let list = cadence.and_then(|cadence| cadence.sounding(CHORD).ok());
                list.unwrap_or_else(|| RING.into())
            }
            Sound::Warning => WARNING.into(),
            Sound::HoldTone => HOLD.into(),
        }
    }

    /// Adds what plays to `samples`, at most 20 ms of them.
    pub fn mix(&mut self, samples: &mut [i16]) {
        let mut own = [0; 2 * FRAME_SAMPLES];
        let Some(own) = own.get_mut(..samples.len()) else { return };
        if let Some((_, generator)) = &mut self.sound {
            generator.fill(own);
            level::add(own, samples);
        }
        if let Some((left, generator)) = &mut self.beep {
            generator.fill(own);
            level::add(own, samples);
            *left = left.saturating_sub(samples.len());
            if *left == 0 {
                self.beep = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_media::tone::{Country, Goertzel};

    fn share(samples: &[i16], hertz: f32) -> f32 {
        let mut goertzel = Goertzel::new(RATE, hertz);
        goertzel.add(samples);
        goertzel.share()
    }

    fn play(player: &mut TonePlayer, frames: usize) -> Vec<i16> {
        let mut all = vec![0; frames * FRAME_SAMPLES];
        for frame in all.chunks_mut(FRAME_SAMPLES) {
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
            let mut player = TonePlayer::new(Tones::default());
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
    fn another_country_sounds_so_and_keys_may_be_silent() {
        let germany = Tones { keys: false, ..Tones::of(Country::find("de").expect("known")) };
        let mut player = TonePlayer::new(germany);
        player.set(Some(Sound::Ringback));
        let heard = play(&mut player, 500);
        let loud =
            heard.chunks(RATE as usize / 100).filter(|frame| frame.iter().any(|s| s.unsigned_abs() > 300));
        // 1 s of 425 Hz, 4 s of silence.
        assert_eq!(loud.count(), 100);
        assert!(share(&heard[..FRAME_SAMPLES * 50], 425.0) > 0.95);
        player.set(None);
        player.beep('5');
        assert!(play(&mut player, 5).iter().all(|sample| *sample == 0));
    }

    #[test]
    fn a_sound_set_again_goes_on_and_a_beep_ends_by_itself() {
        let (mut once, mut twice) = (TonePlayer::new(Tones::default()), TonePlayer::new(Tones::default()));
        once.set(Some(Sound::Ringback));
        twice.set(Some(Sound::Ringback));
        let mut parts = play(&mut twice, 150);
        twice.set(Some(Sound::Ringback));
        parts.extend(play(&mut twice, 100));
        assert_eq!(play(&mut once, 250), parts);
        let mut player = TonePlayer::new(Tones::default());
        player.beep('5');
        let heard = play(&mut player, 10);
        assert!(
            share(&heard[..BEEP_SAMPLES], 770.0) > 0.3
                && heard[BEEP_SAMPLES..].iter().all(|sample| *sample == 0)
        );
    }
}
