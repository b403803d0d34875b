//! Tones: what a call's progress sounds like, as data and in the vendors' notations; making them, and finding them.

mod country;
mod detect;
mod generate;
mod list;
mod panasonic;
mod progress;
pub(crate) mod recent;
mod ring;
mod syntax;

pub use country::{Country, ToneKind};
pub use detect::{Goertzel, level};
pub use generate::{Generator, amplitude, dbm0};
pub use list::{Element, MAX_ELEMENTS, MAX_VOICES, ToneList, TooLong, Voice};
pub use panasonic::{Order, PanasonicError, PanasonicSettings, PanasonicTone};
pub use progress::{Progress, ProgressDetector};
pub use ring::{RingCadence, RingStep};
pub use syntax::{Style, ToneError, ToneProblem};

/// Frequencies that sound together for a time, or silence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// What sounds, in hertz; nothing for silence. At most four are heard.
    pub hertz: &'static [f32],
    /// For how long; 0 is for ever.
    pub millis: u32,
}

/// A tone: parts one after the other, and again from the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tone {
    /// The cadence.
    pub parts: &'static [Part],
    /// Heard once, and not again from the first part.
    pub once: bool,
}

/// The tones that a telephone makes while a call is set up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToneSet {
    /// Dial: digits are awaited.
    pub dial: Tone,
    /// Ringback: it rings there.
    pub ringback: Tone,
    /// Busy: the one called is.
    pub busy: Tone,
    /// Congestion, reorder: the network is.
    pub congestion: Tone,
    /// Call waiting: another call comes in.
    pub waiting: Tone,
}

impl Tone {
    /// The receiver is off the hook: North America's howler. To be played loud, at 0 dBm0.
    pub const HOWLER: Self = tone(&[part(&[1400.0, 2060.0, 2450.0, 2600.0], 100), part(&[], 100)]);

    /// A setting was taken: three short beeps of dial tone (Telcordia SR-2275).
    pub const CONFIRMATION: Self = Self {
        parts: &[
            part(&[350.0, 440.0], 100),
            part(&[], 100),
            part(&[350.0, 440.0], 100),
            part(&[], 100),
            part(&[350.0, 440.0], 100),
        ],
        once: true,
    };

    /// A call is answered by itself (`voice.tone.autoanswer`), or a message came: two quick beeps.
    pub const ALERT: Self =
        Self { parts: &[part(&[1400.0], 100), part(&[], 60), part(&[1400.0], 100)], once: true };

    /// What is on hold is still there; to be heard [`every`](ToneList::every) so often.
    pub const HOLD_REMINDER: Self = Self { parts: &[part(&[440.0], 120)], once: true };
}

const fn part(hertz: &'static [f32], millis: u32) -> Part {
    Part { hertz, millis }
}

const fn tone(parts: &'static [Part]) -> Tone {
    Tone { parts, once: false }
}

impl ToneSet {
    /// What ITU-T E.180 recommends, with 425 Hz.
    pub const ITU: Self = Self {
        dial: tone(&[part(&[425.0], 0)]),
        ringback: tone(&[part(&[425.0], 1000), part(&[], 4000)]),
        busy: tone(&[part(&[425.0], 500), part(&[], 500)]),
        congestion: tone(&[part(&[425.0], 250), part(&[], 250)]),
        waiting: tone(&[part(&[425.0], 200), part(&[], 600), part(&[425.0], 200), part(&[], 10_000)]),
    };

    /// The precise tone plan of the United States and Canada.
    pub const US: Self = Self {
        dial: tone(&[part(&[350.0, 440.0], 0)]),
        ringback: tone(&[part(&[440.0, 480.0], 2000), part(&[], 4000)]),
        busy: tone(&[part(&[480.0, 620.0], 500), part(&[], 500)]),
        congestion: tone(&[part(&[480.0, 620.0], 250), part(&[], 250)]),
        waiting: tone(&[part(&[440.0], 300), part(&[], 10_000)]),
    };
}

/// The two frequencies of a digit (ITU-T Q.23), to be heard until the key is let go.
#[must_use]
pub fn dtmf(digit: char) -> Option<Tone> {
    macro_rules! pairs {
        ($($digit:literal: $low:literal $high:literal),*) => {
            match digit.to_ascii_uppercase() {
                $($digit => Some(Tone { parts: &[Part { hertz: &[$low, $high], millis: 0 }], once: false }),)*
                _ => None,
            }
        };
    }
    pairs!('1': 697.0 1209.0, '2': 697.0 1336.0, '3': 697.0 1477.0, 'A': 697.0 1633.0,
           '4': 770.0 1209.0, '5': 770.0 1336.0, '6': 770.0 1477.0, 'B': 770.0 1633.0,
           '7': 852.0 1209.0, '8': 852.0 1336.0, '9': 852.0 1477.0, 'C': 852.0 1633.0,
           '*': 941.0 1209.0, '0': 941.0 1336.0, '#': 941.0 1477.0, 'D': 941.0 1633.0)
}
