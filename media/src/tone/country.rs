//! The tones of countries: the 29 sets that Yealink names (catalogue YLB-261), which gives no figures for them.
//!
//! The figures are the national ones that administrations gave to the ITU-T (E.180 Supplement 2, "Various tones used in
//! national networks"), as they are commonly quoted. The Supplement itself was not at hand: 15 sets (Australia, Austria,
//! Chile, Finland, France, Germany, Great Britain, Greece, Italy, Japan, New Zealand, Norway, Spain, Sweden, United
//! States) were held against another published list, the others (Belgium, Brazil, China, Czech, Denmark, Hungary, India,
//! Lithuania, Mexico, Netherlands, Portugal, Russia, Switzerland) rest on one quotation. Whoever needs a country's
//! approval must check its figures against its own list.
//!
//! A `~` marks what is uncertain beyond that: where nothing is quoted for a country, several values are in use at its
//! exchanges, or sources differ. There the most common of the values stands, or what ITU-T E.180 recommends.

use super::{Style, ToneList};

/// What a tone says to the caller (ITU-T E.182), as Yealink's settings name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ToneKind {
    /// `voice.tone.dial`: digits are awaited.
    Dial,
    /// `voice.tone.ring`: it rings there.
    Ringback,
    /// `voice.tone.busy`: the one called is.
    Busy,
    /// `voice.tone.congestion`: the network is (reorder).
    Congestion,
    /// `voice.tone.callwaiting`: another call comes in. The pause in it is the interval of the announcement.
    CallWaiting,
    /// `voice.tone.dialrecall`: dial tone while another call waits on hold.
    DialRecall,
    /// `voice.tone.info`: special information tone, an announcement follows.
    Info,
    /// `voice.tone.stutter`: dial tone when a message waits.
    Stutter,
}

impl ToneKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Dial,
        Self::Ringback,
        Self::Busy,
        Self::Congestion,
        Self::CallWaiting,
        Self::DialRecall,
        Self::Info,
        Self::Stutter,
    ];

    /// Its name in Yealink's settings: `dial` of `voice.tone.dial`.
    #[must_use]
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Dial => "dial",
            Self::Ringback => "ring",
            Self::Busy => "busy",
            Self::Congestion => "congestion",
            Self::CallWaiting => "callwaiting",
            Self::DialRecall => "dialrecall",
            Self::Info => "info",
            Self::Stutter => "stutter",
        }
    }
}

/// The tones of one country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country {
    /// Its name, as Yealink's `voice.tone.country` spells it.
    pub name: &'static str,
    /// ISO 3166-1 code of two letters, `cz-etsi` for the second Czech set.
    pub code: &'static str,
    /// The tones in the order of [`ToneKind`], in [`Style::Table`]'s notation, `~` before what is uncertain.
    tones: [&'static str; 8],
}

/// The special information tone of ITU-T E.180 (Q.35).
const SIT: &str = "950/330,1400/330,1800/330,0/1000";

/// Tones are in the order dial, ringback, busy, congestion, call waiting, dial recall, info, stutter.
macro_rules! countries {
    ($($name:literal $code:literal: $dial:expr, $ring:expr, $busy:expr, $congestion:expr, $waiting:expr,
        $recall:expr, $info:expr, $stutter:expr;)*) => {
        &[$(Country {
            name: $name,
            code: $code,
            tones: [$dial, $ring, $busy, $congestion, $waiting, $recall, $info, $stutter],
        }),*]
    };
}

static COUNTRIES: &[Country] = countries! {
    "Australia" "au":
        "413+438", "413+438/400,0/200,413+438/400,0/2000", "425/375,0/375",
        // The list softens every other beep by 10 dB, which this notation does not say.
        "~425/375,0/375", "~425/200,0/200,425/200,0/4400", "~413+438", "425/2500,0/500", "413+438/100,0/40";
    "Austria" "at":
        // Quoted with 420, 440 and 450 Hz.
        "~420", "~420/1000,0/5000", "~420/400,0/400", "~420/200,0/200", "~420/40,0/1950",
        "~!420/100,!0/100,!420/100,!0/100,!420/100,!0/100,420", "950/330,1450/330,1850/330,0/1000", "~380+420";
    "Brazil" "br":
        "425", "425/1000,0/4000", "425/250,0/250", "425/250,0/250,425/750,0/250", "425/50,0/1000",
        "~350+440", "~950/330,1400/330,1800/330,0/1000", "~350+440";
    "Belgium" "be":
        "425", "425/1000,0/3000", "425/500,0/500", "425/167,0/167", "1400/175,0/175,1400/175,0/3500",
        "~350+440", "900/330,1400/330,1800/330,0/1000", "425/1000,0/250";
    "China" "cn":
        "450", "450/1000,0/4000", "450/350,0/350", "450/700,0/700", "450/400,0/4000",
        "450", "~450/100,0/100,450/100,0/100,450/100,0/100,450/400,0/400", "~450/400,0/40";
    "Czech" "cz":
        "425/330,0/330,425/660,0/660", "425/1000,0/4000", "425/330,0/330", "425/165,0/165", "425/330,0/9000",
        "~425/330,0/330,425/660,0/660", "950/330,0/30,1400/330,0/30,1800/330,0/1000", "425/450,0/50";
    "Denmark" "dk":
        "425", "425/1000,0/4000", "~425/500,0/500", "~425/200,0/200", "425/200,0/600,425/200,0/3000",
        "~!425/100,!0/100,!425/100,!0/100,!425/100,!0/100,425", SIT, "~425/450,0/50";
    "Finland" "fi":
        "425", "425/1000,0/4000", "425/300,0/300", "425/200,0/200", "425/150,0/150,425/150,0/8000",
        "425/650,0/25", "950/650,0/325,950/325,0/30,1400/1300,0/2600", "425/650,0/25";
    "France" "fr":
        "440", "440/1500,0/3500", "440/500,0/500", "~440/250,0/250", "440/300,0/10000",
        "~330+440", SIT, "330+440";
    "Germany" "de":
        "425", "425/1000,0/4000", "425/480,0/480", "425/240,0/240", "425/200,0/200,425/200,0/5000",
        "~!425/80,!0/80,!425/80,!0/80,!425/80,!0/80,425", SIT, "425+400";
    "Great Britain" "gb":
        "350+440", "400+450/400,0/200,400+450/400,0/2000", "400/375,0/375", "400/400,0/350,400/225,0/525",
        "~400/100,0/3000", "350+440", SIT, "~350+440/750,440/750";
    "Greece" "gr":
        "425/200,0/300,425/700,0/800", "425/1000,0/4000", "425/300,0/300", "~425/200,0/200",
        "~425/150,0/150,425/150,0/8000", "~425/650,0/25", SIT, "425/650,0/25";
    "Hungary" "hu":
        "425", "425/1250,0/3750", "425/300,0/300", "425/300,0/300", "425/40,0/1960", "~425+450",
        SIT, "350+375+400";
    "Lithuania" "lt":
        "425", "425/1000,0/4000", "425/350,0/350", "~425/200,0/200", "425/150,0/150,425/150,0/4000",
        "~!425/100,!0/100,!425/100,!0/100,!425/100,!0/100,425", SIT, "~425/400,0/40";
    "India" "in":
        "400*25", "400*25/400,0/200,400*25/400,0/2000", "400/750,0/750", "400/250,0/250",
        "400/200,0/100,400/200,0/7500", "~!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,350+440",
        "~400/2800,0/200", "~!400*25/100,!0/100,!400*25/100,!0/100,!400*25/100,!0/100,400*25";
    "Italy" "it":
        "~425/200,0/200,425/600,0/1000", "425/1000,0/4000", "425/500,0/500", "425/200,0/200",
        "~425/400,0/100,425/250,0/100,425/150,0/14000", "~470/400,425/400", SIT, "470/400,425/400";
    "Japan" "jp":
        "400", "400*16/1000,0/2000", "400/500,0/500", "~400/500,0/500", "~400*16/500,0/8000",
        "~!400/200,!0/200,!400/200,!0/200,!400/200,!0/200,400", SIT, "~400/250,0/250";
    "Mexico" "mx":
        "425", "425/1000,0/4000", "425/250,0/250", "425/250,0/250", "425/200,0/600,425/200,0/10000",
        "~!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,350+440", SIT,
        "~!425/100,!0/100,!425/100,!0/100,!425/100,!0/100,425";
    "New Zealand" "nz":
        "400", "400+450/400,0/200,400+450/400,0/2000", "400/500,0/500", "400/250,0/250", "~400/200,0/3000",
        "!400/100,!0/100,!400/100,!0/100,!400/100,!0/100,400",
        "400/750,0/100,400/750,0/100,400/750,0/100,400/750,0/400",
        "!400/100,!0/100,!400/100,!0/100,!400/100,!0/100,!400/100,!0/100,!400/100,!0/100,!400/100,!0/100,400";
    "Netherlands" "nl":
        "425", "425/1000,0/4000", "425/500,0/500", "425/250,0/250", "425/500,0/9500", "425/500,0/50",
        SIT, "425/500,0/50";
    "Norway" "no":
        "425", "425/1000,0/4000", "425/500,0/500", "425/200,0/200", "425/200,0/600,425/200,0/10000",
        "470/400,425/400", SIT, "470/400,425/400";
    "Portugal" "pt":
        "425", "425/1000,0/5000", "425/500,0/500", "425/200,0/200", "425/200,0/200,425/200,0/5000",
        "~425/1000,0/200", SIT, "425/1000,0/200";
    "Spain" "es":
        "425", "425/1500,0/3000", "425/200,0/200", "425/200,0/200,425/200,0/200,425/200,0/600",
        "425/175,0/175,425/175,0/3500", "~!425/200,!0/200,!425/200,!0/200,!425/200,!0/200,425",
        SIT, "~425/500,0/50";
    "Switzerland" "ch":
        "425", "425/1000,0/4000", "425/500,0/500", "425/200,0/200", "425/200,0/200,425/200,0/4000",
        "~!425/100,!0/100,!425/100,!0/100,!425/100,!0/100,425", SIT, "425+340/1100,425/1100";
    "Sweden" "se":
        "425", "425/1000,0/5000", "425/250,0/250", "425/250,0/750", "425/200,0/500,425/200,0/9100",
        "~!425/100,!0/100,!425/100,!0/100,!425/100,!0/100,425",
        "950/332,0/24,1400/332,0/24,1800/332,0/2024", "425/320,0/20";
    "Russia" "ru":
        "425", "~425/1000,0/4000", "~425/350,0/350", "~425/175,0/175", "425/200,0/5000",
        "~425/400,0/40", SIT, "~425/400,0/40";
    "United States" "us":
        "350+440", "440+480/2000,0/4000", "480+620/500,0/500", "480+620/250,0/250", "440/300,0/10000",
        "!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,350+440",
        "950/330,1400/330,1800/330,0/1000",
        "!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,\
         !350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,350+440";
    "Chile" "cl":
        "400", "400/1000,0/3000", "400/500,0/500", "400/200,0/200", "400/250,0/8750",
        "~!400/100,!0/100,!400/100,!0/100,!400/100,!0/100,400", "950/333,1400/333,1800/333,0/1000",
        "~!400/100,!0/100,!400/100,!0/100,!400/100,!0/100,400";
    // No national list: ETSI's harmonised tones (TR 101 041).
    "Czech ETSI" "cz-etsi":
        "~425", "~425/1000,0/4000", "~425/500,0/500", "~425/200,0/200", "~425/200,0/600,425/200,0/3000",
        "~425/500,0/50", SIT, "~425/500,0/50";
};

impl Country {
    /// All 29, in Yealink's order.
    #[must_use]
    pub fn all() -> &'static [Self] {
        COUNTRIES
    }

    /// The set of this name or code, in any case of letters.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        let name = name.trim();
        let matches = |known: &str| known.eq_ignore_ascii_case(name);
        COUNTRIES.iter().find(|country| matches(country.name) || matches(country.code))
    }

    /// The United States, whose tones are Yealink's, Panasonic's and Dinstar's own.
    #[must_use]
    pub fn default_set() -> &'static Self {
        static SILENT: Country = Country { name: "", code: "", tones: [""; 8] };
        // The tests find it.
        Self::find("us").unwrap_or(&SILENT)
    }

    /// A tone as text, in [`Style::Table`]'s notation.
    #[must_use]
    pub fn text(&self, kind: ToneKind) -> &'static str {
        let text = self.tones.get(kind as usize).copied().unwrap_or_default();
        text.strip_prefix('~').unwrap_or(text)
    }

    /// A tone to play.
    #[must_use]
    pub fn tone(&self, kind: ToneKind) -> ToneList {
        // The tests read every text of the table.
        ToneList::parse(Style::Table, self.text(kind)).unwrap_or_default()
    }

    /// Whether the sources that were at hand agree on the figures of a tone (see the head of this file).
    #[must_use]
    pub fn is_certain(&self, kind: ToneKind) -> bool {
        self.tones.get(kind as usize).is_some_and(|text| !text.starts_with('~'))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ToneSet;
    use super::*;

    #[test]
    fn all_29_sets_of_yealink_are_there_and_every_tone_sounds() {
        let names = "Australia, Austria, Brazil, Belgium, China, Czech, Denmark, Finland, France, Germany, Great Britain, \
                     Greece, Hungary, Lithuania, India, Italy, Japan, Mexico, New Zealand, Netherlands, Norway, \
                     Portugal, Spain, Switzerland, Sweden, Russia, United States, Chile, Czech ETSI";
        let known: Vec<_> = Country::all().iter().map(|country| country.name).collect();
        assert_eq!(known, names.split(", ").collect::<Vec<_>>());
        for country in Country::all() {
            for kind in ToneKind::ALL {
                let text = country.text(kind);
                let list = ToneList::parse(Style::Table, text)
                    .unwrap_or_else(|error| panic!("{} {kind:?} {text}: {error}", country.name));
                assert!(!list.is_silent() && !list.ends(), "{} {kind:?}", country.name);
                assert_eq!(list.write(Style::Table).unwrap(), text, "{} {kind:?}", country.name);
                assert_eq!(country.tone(kind), list);
            }
            assert_eq!(Country::find(&country.code.to_uppercase()), Some(country));
            assert_eq!(Country::find(country.name), Some(country));
        }
        assert_eq!(Country::find("Custom"), None);
    }

    #[test]
    fn the_united_states_are_the_plan_that_is_built_in() {
        let us = Country::default_set();
        let built_in = ToneSet::US;
        for (kind, tone) in [
            (ToneKind::Dial, built_in.dial),
            (ToneKind::Ringback, built_in.ringback),
            (ToneKind::Busy, built_in.busy),
            (ToneKind::Congestion, built_in.congestion),
            (ToneKind::CallWaiting, built_in.waiting),
        ] {
            assert_eq!(us.tone(kind), ToneList::from(tone), "{kind:?}");
            assert!(us.is_certain(kind));
        }
        assert!(!Country::find("cz-etsi").unwrap().is_certain(ToneKind::Dial));
    }
}
