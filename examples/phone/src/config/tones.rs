//! What the telephone itself sounds like.

use sidetone_media::tone::{Country, Style, ToneKind, ToneList};
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
            keys: true,
        }
    }

    pub(super) fn from_file(settings: &ToneSettings) -> Result<Self, String> {
        let country = Country::find(&settings.country).ok_or_else(|| {
            let names: Vec<_> = Country::all().iter().map(|country| country.name).collect();
            format!("tones.country: {:?} is none of {}", settings.country, names.join(", "))
        })?;
        let mut tones = Self { keys: settings.keys, ..Self::of(country) };
        for (name, text, tone) in [
            ("dial", &settings.dial, &mut tones.dial),
            ("ringback", &settings.ringback, &mut tones.ringback),
            ("busy", &settings.busy, &mut tones.busy),
            ("congestion", &settings.congestion, &mut tones.congestion),
            ("call_waiting", &settings.call_waiting, &mut tones.call_waiting),
        ] {
            if !text.is_empty() {
                // Dinstar leaves out the time of what has no end.
                let parsed = ToneList::parse(Style::Yealink, text);
                let parsed = parsed.or_else(|error| ToneList::parse(Style::Dinstar, text).map_err(|_| error));
                *tone = parsed.map_err(|error| format!("tones.{name}: {error}"))?;
            }
        }
        Ok(tones)
    }
}

/// The telephones of the manuals come with the tones of North America (PAB-157 to PAB-174).
impl Default for Tones {
    fn default() -> Self {
        Self::of(Country::default_set())
    }
}
