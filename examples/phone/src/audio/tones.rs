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
            Sound::StutterDialTone => self.tones.stutter.clone(),
            Sound::RecallDialTone => self.tones.recall.clone(),
            Sound::Warning => self.tones.auto_answer.clone(),
            Sound::HoldTone => self.tones.hold.clone(),
            Sound::Held => self.tones.held.clone(),
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

    /// How long a player of these sounds and rests in turn, in frames of 10 ms, over a time; and what sounds.
    fn turns(tones: Tones, sound: Sound, frames: usize) -> (Vec<usize>, Vec<i16>) {
        let mut player = TonePlayer::new(tones);
        player.set(Some(sound));
        let (mut turns, mut heard, mut sounded) = (Vec::new(), Vec::new(), false);
        let all = play(&mut player, frames);
        for frame in all.chunks(FRAME_SAMPLES) {
            let sounds = frame.iter().any(|sample| sample.unsigned_abs() > 20);
            if turns.is_empty() || sounds != sounded {
                turns.push(0);
            }
            sounded = sounds;
            *turns.last_mut().expect("one") += 1;
            if sounds {
                heard.extend_from_slice(frame);
            }
        }
        (turns, heard)
    }

    fn of_file(lines: &str) -> Tones {
        let mut settings = sidetone_provisioning::Settings::new();
        crate::models::UT670.ship(&mut settings);
        for (path, value) in lines.lines().filter_map(|line| line.split_once(" = ")) {
            settings.set(path, value).expect("a setting");
        }
        Tones::from_file(&settings.phone().tones).expect("tones")
    }

    #[test]
    fn a_ut670_sounds_as_its_manual_says_until_it_is_set_otherwise() {
        // What sounds and rests first, in 10 ms, where the first number is a rest for those that begin with one.
        for (sound, hertz, expected) in [
            (Sound::DialTone, &[350.0, 440.0][..], &[6, 194][..]),
            (Sound::RecallDialTone, &[350.0, 440.0], &[6, 194]),
            (Sound::StutterDialTone, &[350.0, 440.0], &[56, 10, 10, 10, 10, 10, 10]),
            (Sound::Busy, &[480.0, 620.0], &[6, 50, 50, 50]),
            (Sound::Congestion, &[480.0, 620.0], &[6, 25, 25, 25]),
            (Sound::Ringback, &[440.0, 480.0], &[6, 194]),
            (Sound::HoldTone, &[425.0], &[12, 188]),
            (Sound::CallWaiting, &[425.0], &[12, 12, 12, 12, 152]),
            (Sound::Held, &[425.0], &[50, 19, 19, 112]),
        ] {
            let (turns, heard) = turns(of_file(""), sound, 200);
            assert_eq!(turns.get(..expected.len()), Some(expected), "{sound:?} {turns:?}");
            for hertz in hertz {
                assert!(share(&heard, *hertz) > 0.3, "{sound:?} {hertz}");
            }
        }
        for (name, sound) in [
            ("dial", Sound::DialTone),
            ("recall", Sound::RecallDialTone),
            ("stutter", Sound::StutterDialTone),
            ("busy", Sound::Busy),
            ("congestion", Sound::Congestion),
            ("ringback", Sound::Ringback),
            ("hold", Sound::HoldTone),
            ("call_waiting", Sound::CallWaiting),
            ("held", Sound::Held),
            ("auto_answer", Sound::Warning),
        ] {
            let peak = |gain: &str| {
                let set = of_file(&format!("tones.{name} = 500,0 {gain} 100,200,100,0"));
                let (turns, heard) = turns(set, sound, 100);
                // The same numbers: where sound comes first, the last one is a rest without end.
                assert_eq!(turns, [10, 20, 10, 60], "{name}");
                assert!(share(&heard, 500.0) > 0.9, "{name}");
                f64::from(heard.iter().map(|sample| sample.unsigned_abs()).max().expect("sound"))
            };
            let (loud, soft) = (peak("6"), peak("-14"));
            let decibels = 20.0 * (loud / soft).log10();
            assert!((decibels - 20.0).abs() < 0.5, "{name}: {decibels} dB");
            let mut silent = TonePlayer::new(of_file(&format!("tones.{name} = 0 0 100,0")));
            silent.set(Some(sound));
            assert!(play(&mut silent, 50).iter().all(|sample| *sample == 0), "{name}");
        }
    }

    #[test]
    fn further_tones_are_written_in_yealinks_notation_too() {
        for (name, sound) in [
            ("stutter", Sound::StutterDialTone),
            ("recall", Sound::RecallDialTone),
            ("hold", Sound::HoldTone),
            ("held", Sound::Held),
            ("auto_answer", Sound::Warning),
        ] {
            let (turns, heard) =
                turns(of_file(&format!("tones.{name} = 600/200,0/100,600/200,0/500")), sound, 100);
            assert_eq!(turns, [20, 10, 20, 50], "{name}");
            assert!(share(&heard, 600.0) > 0.9, "{name}");
        }
    }

    #[test]
    fn what_panasonic_does_not_allow_of_tones_is_told() {
        let refused = |value: &str| {
            let mut settings = sidetone_provisioning::Settings::new();
            settings.set("tones.busy", value).expect("text");
            Tones::from_file(&settings.phone().tones).expect_err(value)
        };
        assert_eq!(
            refused("480,2001 0 60,0"),
            "tones.busy: BUSY_TONE_FRQ: number 2, `2001`; expected 0 or 200 to 2000 Hz"
        );
        assert_eq!(refused("480 7 60,0"), "tones.busy: BUSY_TONE_GAIN: `7`; expected -24 to 6 dB");
        assert_eq!(
            refused("480 0 1,2,3,4,5,6,7,8,9,10,11"),
            "tones.busy: BUSY_TONE_TIMING: more than 10 numbers"
        );
        assert_eq!(
            refused("480 0 60,16001"),
            "tones.busy: BUSY_TONE_TIMING: number 2, `16001`; expected 0 to 16000 ms"
        );
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
