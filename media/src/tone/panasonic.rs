//! Panasonic's notation: three settings a tone, `<TONE>_FRQ`, `<TONE>_GAIN` and `<TONE>_TIMING` (KX-UT configuration
//! guide; catalogue PAB-150 to PAB-183).

use super::syntax::number;
use super::{Element, ToneList, Voice};
use core::fmt::Write;
use thiserror::Error;

/// The tones that have settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PanasonicTone {
    /// `DIAL_TONE1`: dial tone.
    Dial1,
    /// `DIAL_TONE2`: dial tone 2. There is no dial tone 3.
    Dial2,
    /// `DIAL_TONE4`: stutter dial tone, voice mail waits.
    Dial4,
    /// `BUSY_TONE`.
    Busy,
    /// `REORDER_TONE`.
    Reorder,
    /// `RINGBACK_TONE`.
    Ringback,
    /// `HOLD_ALARM`.
    HoldAlarm,
    /// `CW_TONE1`: call waiting tone 1.
    CallWaiting1,
    /// `HOLD_TONE`.
    Hold,
}

/// Which comes first in a cadence list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// off 1, on 1, off 2, on 2, and so on.
    OffFirst,
    /// on 1, off 1, on 2, off 2, and so on.
    OnFirst,
}

/// The texts of a tone's three settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanasonicSettings<T = &'static str> {
    /// `<TONE>_FRQ`: numbers with commas, each 0 (no tone) or 200 to 2000 Hz.
    pub frequencies: T,
    /// `<TONE>_GAIN`: -24 to 6 dB.
    pub gain: T,
    /// `<TONE>_TIMING`: numbers with commas, each 0 (without end) to 16000 ms.
    pub timing: T,
}

/// A setting that says no tone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PanasonicError {
    /// A frequency that is no number or out of range.
    #[error("{key}_FRQ: number {index}, `{found}`; expected 0 or 200 to 2000 Hz")]
    Frequency {
        /// The tone, as in its settings' names.
        key: &'static str,
        /// Which number, from 1.
        index: usize,
        /// The text.
        found: Box<str>,
    },
    /// More frequencies than the tone has.
    #[error("{key}_FRQ: {count} numbers; expected at most {most}")]
    Frequencies {
        /// The tone, as in its settings' names.
        key: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// A gain that is no number or out of range.
    #[error("{key}_GAIN: `{found}`; expected -24 to 6 dB")]
    Gain {
        /// The tone, as in its settings' names.
        key: &'static str,
        /// The text.
        found: Box<str>,
    },
    /// A time that is no number or out of range.
    #[error("{key}_TIMING: number {index}, `{found}`; expected 0 to 16000 ms")]
    Time {
        /// The tone, as in its settings' names.
        key: &'static str,
        /// Which number, from 1.
        index: usize,
        /// The text.
        found: Box<str>,
    },
    /// More times than the tone has.
    #[error("{key}_TIMING: more than {most} numbers")]
    Times {
        /// The tone, as in its settings' names.
        key: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// The list cannot be said in these settings.
    #[error("{key}: {problem} cannot be said in these settings")]
    Unwritable {
        /// The tone, as in its settings' names.
        key: &'static str,
        /// What it is.
        problem: &'static str,
    },
}

impl PanasonicTone {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Dial1,
        Self::Dial2,
        Self::Dial4,
        Self::Busy,
        Self::Reorder,
        Self::Ringback,
        Self::HoldAlarm,
        Self::CallWaiting1,
        Self::Hold,
    ];

    /// How its settings' names begin: `BUSY_TONE` of `BUSY_TONE_FRQ`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Dial1 => "DIAL_TONE1",
            Self::Dial2 => "DIAL_TONE2",
            Self::Dial4 => "DIAL_TONE4",
            Self::Busy => "BUSY_TONE",
            Self::Reorder => "REORDER_TONE",
            Self::Ringback => "RINGBACK_TONE",
            Self::HoldAlarm => "HOLD_ALARM",
            Self::CallWaiting1 => "CW_TONE1",
            Self::Hold => "HOLD_TONE",
        }
    }

    /// The tone of a settings' name's beginning.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tone| tone.key().eq_ignore_ascii_case(key))
    }

    /// On comes first for the hold alarm and call waiting tone 1, off for all others.
    #[must_use]
    pub const fn order(self) -> Order {
        match self {
            Self::HoldAlarm | Self::CallWaiting1 => Order::OnFirst,
            _ => Order::OffFirst,
        }
    }

    /// The most numbers of its cadence.
    #[must_use]
    pub const fn max_times(self) -> usize {
        if matches!(self, Self::Dial4) { 22 } else { 10 }
    }

    /// The most frequencies: two, and four of dial tone 4.
    #[must_use]
    pub const fn max_frequencies(self) -> usize {
        if matches!(self, Self::Dial4) { 4 } else { 2 }
    }

    /// The least that the guide recommends for the first silence, in milliseconds; it is no error to have less.
    #[must_use]
    pub const fn recommended_first_off(self) -> Option<u32> {
        match self {
            Self::HoldAlarm | Self::CallWaiting1 => None,
            Self::Dial4 => Some(560),
            Self::Hold => Some(500),
            _ => Some(60),
        }
    }

    /// The settings that the telephone comes with. The cadence of dial tone 4 is cut off in the guide (`...,100,1`);
    /// it goes on here with the pattern, to ten beeps and then tone without end.
    #[must_use]
    pub const fn defaults(self) -> PanasonicSettings {
        let (frequencies, timing) = match self {
            Self::Dial1 | Self::Dial2 => ("350,440", "60,0"),
            Self::Dial4 => (
                "350,440",
                "560,100,100,100,100,100,100,100,100,100,100,100,100,100,100,100,100,100,100,100,100,0",
            ),
            Self::Busy => ("480,620", "60,500,440"),
            Self::Reorder => ("480,620", "60,250,190"),
            Self::Ringback => ("440,480", "60,2000,3940"),
            Self::HoldAlarm => ("425", "120,14880"),
            Self::CallWaiting1 => ("425", "120,120,120,120,14400"),
            Self::Hold => ("425", "500,190,190,2890"),
        };
        PanasonicSettings { frequencies, gain: "0", timing }
    }

    /// Reads the tone that three settings say. The cadence repeats, silence at its end and at its beginning adding up;
    /// what comes after a 0 is never heard.
    ///
    /// An on-first list with an odd count of numbers would end with a sound that runs into the first. The guide's own
    /// default of `CW_TONE1_TIMING` is one (120,120,120,120,14400), and 14.4 s of call waiting tone cannot be meant:
    /// such a list is read off-first, two beeps and a long pause.
    ///
    /// # Errors
    /// A number is none, out of range, or one too many.
    pub fn parse<T: AsRef<str>>(self, settings: &PanasonicSettings<T>) -> Result<ToneList, PanasonicError> {
        let key = self.key();
        let gain = gain(settings.gain.as_ref())
            .ok_or_else(|| PanasonicError::Gain { key, found: settings.gain.as_ref().into() })?;
        let (voices, count) = self.frequencies(settings.frequencies.as_ref(), gain)?;
        let voices = voices.get(..count).unwrap_or_default();
        let text = settings.timing.as_ref();
        let count = text.split(',').count();
        if count > self.max_times() {
            return Err(PanasonicError::Times { key, most: self.max_times() });
        }
        let on_first = self.order() == Order::OnFirst && count % 2 == 0;
        let mut list = ToneList::SILENCE;
        for (index, text) in text.split(',').map(str::trim).enumerate() {
            let bad = || PanasonicError::Time { key, index: index + 1, found: text.into() };
            let millis = number(text).filter(|millis| *millis <= 16_000).ok_or_else(bad)?;
            let on = (index % 2 == 0) == on_first;
            // No more than 22 elements of four voices: both fit.
            let element = Element::new(if on { voices } else { &[] }, millis).map_err(|_| bad())?;
            list.push(element).map_err(|_| bad())?;
        }
        Ok(list)
    }

    fn frequencies(self, text: &str, gain: f32) -> Result<([Voice; 4], usize), PanasonicError> {
        let key = self.key();
        let most = self.max_frequencies();
        let mut voices = [Voice::default(); 4];
        let mut count = 0;
        for (index, text) in text.split(',').map(str::trim).enumerate() {
            let hertz = number(text).filter(|hertz| *hertz == 0 || (200..=2000).contains(hertz));
            let bad = || PanasonicError::Frequency { key, index: index + 1, found: text.into() };
            let hertz = hertz.ok_or_else(bad)?;
            if let Some(voice) = voices.get_mut(index).filter(|_| index < most) {
                *voice = Voice { hertz: hertz as f32, gain };
            }
            count += 1;
        }
        if count > most {
            return Err(PanasonicError::Frequencies { key, count, most });
        }
        Ok((voices, count))
    }

    /// Writes a tone as three settings that [`parse`](Self::parse) reads back.
    ///
    /// # Errors
    /// The settings have no words for it: several sets of frequencies or gains, fractions of hertz, sounds that follow
    /// one another at once, elements that are heard once, or too many.
    pub fn write(self, list: &ToneList) -> Result<PanasonicSettings<String>, PanasonicError> {
        let key = self.key();
        let no = |problem| PanasonicError::Unwritable { key, problem };
        let elements = list.elements();
        if elements.iter().any(|element| element.once) {
            return Err(no("an element that is heard once"));
        }
        let voices =
            elements.iter().map(Element::voices).find(|voices| !voices.is_empty()).unwrap_or_default();
        if elements.iter().any(|element| !element.voices().is_empty() && element.voices() != voices) {
            return Err(no("a change of frequencies"));
        }
        if voices.len() > self.max_frequencies() {
            return Err(no("so many frequencies"));
        }
        let gain = voices.first().map_or(0.0, |voice| voice.gain);
        if voices.iter().any(|voice| voice.gain != gain)
            || gain.fract() != 0.0
            || !(-24.0..=6.0).contains(&gain)
        {
            return Err(no("such a gain"));
        }
        let range = |hertz: f32| hertz.fract() == 0.0 && (200.0..=2000.0).contains(&hertz);
        if !voices.iter().all(|voice| range(voice.hertz)) {
            return Err(no("such a frequency"));
        }
        let timing = self.timing(elements, no)?;
        let mut frequencies = String::new();
        for voice in voices {
            let comma = if frequencies.is_empty() { "" } else { "," };
            let _ = write!(frequencies, "{comma}{}", voice.hertz as u32);
        }
        if frequencies.is_empty() {
            frequencies.push('0');
        }
        Ok(PanasonicSettings { frequencies, gain: (gain as i32).to_string(), timing })
    }

    fn timing(
        self,
        elements: &[Element],
        no: impl Fn(&'static str) -> PanasonicError,
    ) -> Result<String, PanasonicError> {
        let sounds = |element: &Element| !element.voices().is_empty();
        // An odd list is read off-first in any case.
        let on_first = self.order() == Order::OnFirst && elements.len().is_multiple_of(2);
        if elements.is_empty() || elements.len() > self.max_times() {
            return Err(no("this number of elements"));
        }
        let mut timing = String::new();
        for (index, element) in elements.iter().enumerate() {
            // A tone of no frequency is silent where it should sound.
            let on = (index % 2 == 0) == on_first;
            if sounds(element) && !on {
                return Err(no("sound where the order of the list has silence"));
            }
            if !sounds(element) && on && elements.iter().any(sounds) {
                return Err(no("silence where the order of the list has sound"));
            }
            if element.millis > 16_000 {
                return Err(no("more than 16 s"));
            }
            let comma = if index > 0 { "," } else { "" };
            let _ = write!(timing, "{comma}{}", element.millis);
        }
        Ok(timing)
    }
}

fn gain(text: &str) -> Option<f32> {
    let text = text.trim();
    let (sign, digits) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
    let gain = sign * number(digits)? as f32;
    (-24.0..=6.0).contains(&gain).then_some(gain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What sounds and rests, in milliseconds: positive and negative.
    fn cadence(list: &ToneList) -> Vec<i64> {
        let signed = |element: &Element| {
            let millis = i64::from(element.millis);
            if element.voices().is_empty() { -millis } else { millis }
        };
        list.elements().iter().map(signed).collect()
    }

    #[test]
    fn all_tones_come_with_settings_that_are_read_and_written_back() {
        for tone in PanasonicTone::ALL {
            let settings = tone.defaults();
            let list = tone.parse(&settings).unwrap();
            let written = tone.write(&list).unwrap();
            assert_eq!(written.timing, settings.timing, "{tone:?}");
            assert_eq!((written.frequencies.as_str(), written.gain.as_str()), (settings.frequencies, "0"));
            assert_eq!(PanasonicTone::from_key(tone.key()), Some(tone));
            let first_off = list.elements()[0].millis;
            assert!(tone.recommended_first_off().is_none_or(|least| first_off >= least), "{tone:?}");
        }
        assert_eq!(PanasonicTone::from_key("DIAL_TONE3"), None);
    }

    #[test]
    fn off_comes_first_but_for_two() {
        let read = |tone: PanasonicTone| cadence(&tone.parse(&tone.defaults()).unwrap());
        assert_eq!(read(PanasonicTone::Busy), [-60, 500, -440]);
        assert_eq!(read(PanasonicTone::Hold), [-500, 190, -190, 2890]);
        assert_eq!(read(PanasonicTone::HoldAlarm), [120, -14_880]);
        assert_eq!(read(PanasonicTone::CallWaiting1), [-120, 120, -120, 120, -14_400]);
        let two = PanasonicSettings { frequencies: "425", gain: "0", timing: "120,120,120,14640" };
        assert_eq!(cadence(&PanasonicTone::CallWaiting1.parse(&two).unwrap()), [120, -120, 120, -14_640]);
        let stutter = PanasonicTone::Dial4.parse(&PanasonicTone::Dial4.defaults()).unwrap();
        assert_eq!((stutter.elements().len(), stutter.elements()[21].millis), (22, 0));
        assert!(!stutter.elements()[21].voices().is_empty());
    }

    #[test]
    fn gain_and_no_tone() {
        let settings = PanasonicSettings { frequencies: "350,0", gain: "-24", timing: "60,0" };
        let list = PanasonicTone::Dial1.parse(&settings).unwrap();
        assert_eq!(list.elements()[1].voices(), [Voice { hertz: 350.0, gain: -24.0 }]);
        assert_eq!(PanasonicTone::Dial1.write(&list).unwrap().gain, "-24");
        let none = PanasonicSettings { frequencies: "0", ..settings };
        assert!(PanasonicTone::Dial1.parse(&none).unwrap().is_silent());
    }

    #[test]
    fn errors_name_the_setting_and_the_number() {
        let parse = |frequencies, gain, timing| {
            PanasonicTone::Busy
                .parse(&PanasonicSettings { frequencies, gain, timing })
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            parse("480,2001", "0", "60,0"),
            "BUSY_TONE_FRQ: number 2, `2001`; expected 0 or 200 to 2000 Hz"
        );
        assert_eq!(parse("480,620,700", "0", "60,0"), "BUSY_TONE_FRQ: 3 numbers; expected at most 2");
        assert_eq!(parse("480", "7", "60,0"), "BUSY_TONE_GAIN: `7`; expected -24 to 6 dB");
        assert_eq!(parse("480", "+1", "60,0"), "BUSY_TONE_GAIN: `+1`; expected -24 to 6 dB");
        assert_eq!(
            parse("480", "0", "60,16001"),
            "BUSY_TONE_TIMING: number 2, `16001`; expected 0 to 16000 ms"
        );
        assert_eq!(parse("480", "0", ""), "BUSY_TONE_TIMING: number 1, ``; expected 0 to 16000 ms");
        assert_eq!(parse("480", "0", "1,2,3,4,5,6,7,8,9,10,11"), "BUSY_TONE_TIMING: more than 10 numbers");
    }

    #[test]
    fn what_the_settings_cannot_say_is_told() {
        let tone = |hertz, millis| Element::new(&[Voice::new(hertz)], millis).unwrap();
        let list = |elements: &[Element]| ToneList::new(elements).unwrap();
        let write = |list: &ToneList| PanasonicTone::Busy.write(list).map(|settings| settings.timing);
        assert!(write(&list(&[tone(480.0, 500), Element::silence(500)])).is_err());
        assert!(write(&list(&[Element::silence(9), tone(480.0, 9), tone(620.0, 9)])).is_err());
        assert!(write(&list(&[Element::silence(60), tone(480.0, 500)]).once()).is_err());
        assert!(write(&list(&[Element::silence(60), tone(480.5, 500)])).is_err());
        assert!(write(&list(&[])).is_err());
        assert_eq!(
            write(&list(&[Element::silence(60), tone(480.0, 500), Element::silence(440)])).unwrap(),
            "60,500,440"
        );
    }
}
