//! What the telephone itself sounds like.

use sidetone_media::tone::{
    Country, Element, PanasonicSettings, PanasonicTone, Style, ToneKind, ToneList, Voice,
};
use sidetone_provisioning::ToneSettings;

/// The tones that say how a call goes.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the settings' schema documents them")]
pub struct Tones {
    pub dial: ToneList,
    pub ringback: ToneList,
    pub busy: ToneList,
    pub congestion: ToneList,
    pub call_waiting: ToneList,
    pub stutter: ToneList,
    pub recall: ToneList,
    pub hold: ToneList,
    pub held: ToneList,
    pub auto_answer: ToneList,
    /// Whether the keys of the dial pad sound.
    pub keys: bool,
}

impl Tones {
    /// A country's.
    #[must_use]
    pub fn of(country: &Country) -> Self {
        Self {
            dial: country.tone(ToneKind::Dial),
            ringback: country.tone(ToneKind::Ringback),
            busy: country.tone(ToneKind::Busy),
            congestion: country.tone(ToneKind::Congestion),
            call_waiting: country.tone(ToneKind::CallWaiting),
            stutter: country.tone(ToneKind::Stutter),
            recall: country.tone(ToneKind::DialRecall),
            hold: beeps(425.0, 190, 190).once(),
            held: ToneList::SILENCE,
            auto_answer: beeps(1000.0, 150, 100),
            keys: true,
        }
    }

    pub(crate) fn from_file(settings: &ToneSettings) -> Result<Self, String> {
        let country = Country::find(&settings.country).ok_or_else(|| {
            let names: Vec<_> = Country::all().iter().map(|country| country.name).collect();
            format!("tones.country: {:?} is none of {}", settings.country, names.join(", "))
        })?;
        let mut tones = Self { keys: settings.keys, ..Self::of(country) };
        for (name, text, tone, place) in [
            ("dial", &settings.dial, &mut tones.dial, PanasonicTone::Dial1),
            ("ringback", &settings.ringback, &mut tones.ringback, PanasonicTone::Ringback),
            ("busy", &settings.busy, &mut tones.busy, PanasonicTone::Busy),
            ("congestion", &settings.congestion, &mut tones.congestion, PanasonicTone::Reorder),
            ("call_waiting", &settings.call_waiting, &mut tones.call_waiting, PanasonicTone::CallWaiting1),
            ("stutter", &settings.stutter, &mut tones.stutter, PanasonicTone::Dial4),
            ("recall", &settings.recall, &mut tones.recall, PanasonicTone::Dial2),
            ("hold", &settings.hold, &mut tones.hold, PanasonicTone::HoldAlarm),
            ("held", &settings.held, &mut tones.held, PanasonicTone::Hold),
            ("auto_answer", &settings.auto_answer, &mut tones.auto_answer, PanasonicTone::Dial1),
        ] {
            if !text.is_empty() {
                *tone = read(text, place).map_err(|error| format!("tones.{name}: {error}"))?;
            }
        }
        Ok(tones)
    }
}

/// A tone in one of the vendors' notations; `place` says which comes first in Panasonic's, sound or silence.
fn read(text: &str, place: PanasonicTone) -> Result<ToneList, String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    if let [frequencies, gain, timing] = words[..]
        && !text.contains('/')
    {
        let settings = PanasonicSettings { frequencies, gain, timing };
        return place.parse(&settings).map_err(|error| error.to_string());
    }
    // Dinstar leaves out the time of what has no end.
    let parsed = ToneList::parse(Style::Yealink, text);
    let parsed = parsed.or_else(|error| ToneList::parse(Style::Dinstar, text).map_err(|_| error));
    parsed.map_err(|error| error.to_string())
}

/// Two beeps and a pause.
fn beeps(hertz: f32, sounds: u32, rests: u32) -> ToneList {
    let beep = || Element::new(&[Voice::new(hertz)], sounds).unwrap_or_else(|_| Element::silence(sounds));
    let elements = [beep(), Element::silence(rests), beep(), Element::silence(600)];
    ToneList::new(&elements).unwrap_or(ToneList::SILENCE)
}

/// The telephones of the manuals come with the tones of North America (PAB-157 to PAB-174).
impl Default for Tones {
    fn default() -> Self {
        Self::of(Country::default_set())
    }
}
