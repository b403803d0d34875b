//! A tone as a list of elements, of fixed size: what the vendors' notations say, and what the generator plays.

use super::{Part, Tone};
use core::fmt;
use core::time::Duration;
use thiserror::Error;

/// The most frequencies of an element.
pub const MAX_VOICES: usize = 4;
/// The most elements of a list: the 22 numbers of Panasonic's dial tone 4, and some room.
pub const MAX_ELEMENTS: usize = 24;

/// Half the amplitude, in dB.
const HALF: f32 = -6.0206;

/// One frequency of an element.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Voice {
    /// What sounds, in hertz.
    pub hertz: f32,
    /// How much louder than the generator's level, in dB; negative is softer.
    pub gain: f32,
}

impl Voice {
    /// A frequency at the generator's level.
    #[must_use]
    pub const fn new(hertz: f32) -> Self {
        Self { hertz, gain: 0.0 }
    }
}

/// Frequencies that sound together for a time, or silence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Element {
    voices: [Voice; MAX_VOICES],
    count: u8,
    /// For how long, in milliseconds; 0 is without end.
    pub millis: u32,
    /// Heard in the first round only.
    pub once: bool,
}

impl Element {
    /// Silence for `millis`; 0 is without end.
    #[must_use]
    pub const fn silence(millis: u32) -> Self {
        Self { voices: [Voice { hertz: 0.0, gain: 0.0 }; MAX_VOICES], count: 0, millis, once: false }
    }

    /// `voices` together for `millis`; 0 is without end. A voice of 0 Hz is left out.
    ///
    /// # Errors
    /// More than four frequencies.
    pub fn new(voices: &[Voice], millis: u32) -> Result<Self, TooLong> {
        let mut element = Self::silence(millis);
        for voice in voices.iter().filter(|voice| voice.hertz > 0.0) {
            let slot = element.voices.get_mut(usize::from(element.count)).ok_or(TooLong::Voices)?;
            *slot = *voice;
            element.count += 1;
        }
        Ok(element)
    }

    /// `carrier` hertz whose amplitude swings wholly with `modulator` hertz (the `f1×f2` of ITU-T E.180 Supplement
    /// 2): three frequencies, the outer ones 6 dB below the carrier.
    #[must_use]
    pub const fn modulated(carrier: f32, modulator: f32, millis: u32) -> Self {
        let mut element = Self::silence(millis);
        element.voices = [
            Voice { hertz: carrier, gain: 0.0 },
            Voice { hertz: carrier - modulator, gain: HALF },
            Voice { hertz: carrier + modulator, gain: HALF },
            Voice { hertz: 0.0, gain: 0.0 },
        ];
        element.count = 3;
        element
    }

    /// What sounds; nothing for silence.
    #[must_use]
    pub fn voices(&self) -> &[Voice] {
        self.voices.get(..usize::from(self.count)).unwrap_or_default()
    }

    /// The carrier and modulator, if this is what [`modulated`](Self::modulated) makes.
    #[must_use]
    pub fn modulation(&self) -> Option<(f32, f32)> {
        let [carrier, low, high] = self.voices() else { return None };
        let by = high.hertz - carrier.hertz;
        let even = (carrier.hertz - low.hertz - by).abs() < 0.01 && by > 0.0;
        let sides = [low, high].iter().all(|side| (side.gain - carrier.gain - HALF).abs() < 0.01);
        (even && sides).then_some((carrier.hertz, by))
    }

    /// The same, heard in the first round only, or in each.
    #[must_use]
    pub const fn with_once(mut self, once: bool) -> Self {
        self.once = once;
        self
    }

    /// The same, louder by `decibels`.
    #[must_use]
    pub fn louder(mut self, decibels: f32) -> Self {
        for voice in self.voices.iter_mut().take(usize::from(self.count)) {
            voice.gain += decibels;
        }
        self
    }
}

/// More than a list holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TooLong {
    /// More than four frequencies in an element.
    #[error("more than {MAX_VOICES} frequencies sound together")]
    Voices,
    /// More than 24 elements.
    #[error("more than {MAX_ELEMENTS} elements")]
    Elements,
}

/// A tone: elements one after the other, and again from the first of those that are not heard once only.
#[derive(Clone, PartialEq)]
pub struct ToneList {
    elements: [Element; MAX_ELEMENTS],
    count: u8,
}

/// The elements that it has, not the places for more.
impl fmt::Debug for ToneList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.elements()).finish()
    }
}

impl ToneList {
    /// Silence.
    pub const SILENCE: Self = Self { elements: [Element::silence(0); MAX_ELEMENTS], count: 0 };

    /// A list of these elements.
    ///
    /// # Errors
    /// More than 24 elements.
    pub fn new(elements: &[Element]) -> Result<Self, TooLong> {
        let mut list = Self::SILENCE;
        elements.iter().try_for_each(|element| list.push(*element))?;
        Ok(list)
    }

    /// Adds an element at the end.
    ///
    /// # Errors
    /// There are 24 already.
    pub fn push(&mut self, element: Element) -> Result<(), TooLong> {
        *self.elements.get_mut(usize::from(self.count)).ok_or(TooLong::Elements)? = element;
        self.count += 1;
        Ok(())
    }

    /// The elements.
    #[must_use]
    pub fn elements(&self) -> &[Element] {
        self.elements.get(..usize::from(self.count)).unwrap_or_default()
    }

    /// Whether it ends by itself: each element is heard once, and lasts for a time.
    #[must_use]
    pub fn ends(&self) -> bool {
        self.elements().iter().all(|element| element.once && element.millis > 0)
    }

    /// Whether nothing ever sounds.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.elements().iter().all(|element| element.voices().is_empty())
    }

    /// The time of the first round; none if an element has no end.
    #[must_use]
    pub fn round(&self) -> Option<Duration> {
        self.elements().iter().try_fold(Duration::ZERO, |sum, element| {
            (element.millis > 0).then(|| sum + Duration::from_millis(element.millis.into()))
        })
    }

    /// The same, heard once.
    #[must_use]
    pub fn once(self) -> Self {
        self.map(|element| Element { once: true, ..element })
    }

    /// The same, all of it repeated.
    #[must_use]
    pub fn repeated(self) -> Self {
        self.map(|element| Element { once: false, ..element })
    }

    /// The same, louder by `decibels`.
    #[must_use]
    pub fn louder(self, decibels: f32) -> Self {
        self.map(|element| element.louder(decibels))
    }

    /// The same, begun anew every `interval`: the reminder that a call is on hold, or that another one waits. A
    /// list that is longer than the interval, or has no room for the pause, stays as it is.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        let rest = self.round().and_then(|round| interval.checked_sub(round)).unwrap_or_default();
        let millis = u32::try_from(rest.as_millis()).unwrap_or(u32::MAX);
        self = self.repeated();
        if millis > 0 {
            // Without room for a pause the list repeats in its own time.
            let _ = self.push(Element::silence(millis));
        }
        self
    }

    fn map(mut self, change: impl Fn(Element) -> Element) -> Self {
        for element in self.elements.iter_mut().take(usize::from(self.count)) {
            *element = change(*element);
        }
        self
    }
}

impl Default for ToneList {
    fn default() -> Self {
        Self::SILENCE
    }
}

impl From<Tone> for ToneList {
    /// The list of a tone; the fifth and further frequencies of a part, and parts after the 24th, are left out.
    fn from(tone: Tone) -> Self {
        let mut list = Self::SILENCE;
        for Part { hertz, millis } in tone.parts {
            let mut element = Element { once: tone.once, ..Element::silence(*millis) };
            for (slot, hertz) in element.voices.iter_mut().zip(hertz.iter().filter(|hertz| **hertz > 0.0)) {
                *slot = Voice::new(*hertz);
                element.count += 1;
            }
            if list.push(element).is_err() {
                break;
            }
        }
        list
    }
}

impl From<&Self> for ToneList {
    fn from(list: &Self) -> Self {
        list.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_holds_so_much_and_says_what_is_too_much() {
        let four = [Voice::new(300.0); 4];
        assert_eq!(Element::new(&four, 1).unwrap().voices().len(), 4);
        assert_eq!(Element::new(&[Voice::new(300.0); 5], 1), Err(TooLong::Voices));
        assert!(Element::new(&[Voice::new(0.0)], 1).unwrap().voices().is_empty());
        let beep = Element::new(&four, 10).unwrap();
        assert_eq!(ToneList::new(&[beep; 25]), Err(TooLong::Elements));
        assert_eq!(ToneList::new(&[beep; 24]).unwrap().round(), Some(Duration::from_millis(240)));
        assert_eq!(TooLong::Voices.to_string(), "more than 4 frequencies sound together");
    }

    #[test]
    fn a_reminder_comes_every_so_often() {
        let beep = ToneList::new(&[Element::new(&[Voice::new(440.0)], 300).unwrap()]).unwrap().once();
        assert!(beep.ends());
        let reminder = beep.clone().every(Duration::from_secs(30));
        assert!(!reminder.ends());
        assert_eq!(reminder.round(), Some(Duration::from_secs(30)));
        assert_eq!(beep.every(Duration::from_millis(100)).round(), Some(Duration::from_millis(300)));
    }

    #[test]
    fn modulation_is_three_frequencies_and_is_known_again() {
        let ring = Element::modulated(400.0, 25.0, 400);
        let hertz: Vec<f32> = ring.voices().iter().map(|voice| voice.hertz).collect();
        assert_eq!(hertz, [400.0, 375.0, 425.0]);
        assert_eq!(ring.modulation(), Some((400.0, 25.0)));
        assert_eq!(Element::new(&[Voice::new(400.0)], 0).unwrap().modulation(), None);
    }
}
