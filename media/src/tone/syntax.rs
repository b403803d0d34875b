//! The text notations of tones: Yealink's tone list and Dinstar's, which are alike.
//!
//! `tonelist = element[,element]...`, `element = [!]Freq1[+Freq2][+Freq3][+Freq4]/Duration` (Yealink CP860
//! administrator's guide, `voice.tone.*`). Frequencies in hertz, 0 for silence, durations in milliseconds. A duration
//! of 0 is without end; Dinstar leaves it out then (`350+440`), and both spellings are read in both notations. Spaces
//! count for nothing.
//!
//! `!` before the list: it is played once. The grammar allows `!` before each element; if some but not all bear it
//! (and not the first alone, which stands for the list), those are heard in the first round and the others repeat.
//! `400*25` is 400 Hz modulated by 25 Hz, an addition of ours that the country table needs.

use super::{Element, MAX_ELEMENTS, MAX_VOICES, ToneList, Voice};
use core::fmt::{self, Write};
use thiserror::Error;

/// Whose notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// `!480+620/500,0/500`: 1 to 8 elements of 1 to 4 frequencies, each 0 or 200 to 7000 Hz, and 0 to 30000 ms.
    Yealink,
    /// `480+620/500,0/500`, and `350+440` for what has no end. Its manual gives no limits: those of Yealink hold, from
    /// 20 Hz, and there is no `!`.
    Dinstar,
    /// Yealink's with up to 24 elements, from 1 Hz, and modulation: how the country table is written.
    Table,
}

struct Limits {
    elements: usize,
    hertz: core::ops::RangeInclusive<f32>,
    millis: u32,
    once: bool,
    modulated: bool,
}

impl Style {
    const fn limits(self) -> Limits {
        let (elements, low, millis) = match self {
            Self::Yealink => (8, 200.0, 30_000),
            Self::Dinstar => (8, 20.0, 30_000),
            Self::Table => (MAX_ELEMENTS, 1.0, 600_000),
        };
        Limits {
            elements,
            hertz: low..=7000.0,
            millis,
            once: !matches!(self, Self::Dinstar),
            modulated: matches!(self, Self::Table),
        }
    }
}

/// A text that is no tone: which element it is (from 1), and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("element {element}: {problem}")]
pub struct ToneError {
    /// The element, from 1.
    pub element: usize,
    /// What is wrong with it.
    pub problem: ToneProblem,
}

/// What is wrong with an element.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ToneProblem {
    /// There is nothing.
    #[error("empty; expected Freq1[+Freq2][+Freq3][+Freq4]/Duration")]
    Empty,
    /// A frequency that is no number or out of range.
    #[error("`{found}` is no frequency; expected 0 for silence, or {low} to {high} Hz")]
    Frequency {
        /// The text.
        found: Box<str>,
        /// The least, in hertz.
        low: u32,
        /// The most, in hertz.
        high: u32,
    },
    /// A duration that is no number or out of range.
    #[error("`{found}` is no duration; expected 0 to {most} ms")]
    Duration {
        /// The text.
        found: Box<str>,
        /// The most, in milliseconds.
        most: u32,
    },
    /// More than four frequencies.
    #[error("{0} frequencies; expected at most {MAX_VOICES}")]
    Frequencies(usize),
    /// More elements than the notation has.
    #[error("too many elements; expected at most {0}")]
    Elements(usize),
    /// `!` where the notation has none.
    #[error("`!` is not known in this notation")]
    Once,
    /// The list cannot be written in this notation.
    #[error("{0} cannot be written in this notation")]
    Unwritable(&'static str),
}

impl ToneList {
    /// Reads a tone.
    ///
    /// # Errors
    /// The text is no tone in this notation; the error says which element and what was expected.
    pub fn parse(style: Style, text: &str) -> Result<Self, ToneError> {
        let limits = style.limits();
        let mut list = Self::SILENCE;
        for (index, text) in text.split(',').enumerate() {
            let fail = |problem| ToneError { element: index + 1, problem };
            if index >= limits.elements {
                return Err(fail(ToneProblem::Elements(limits.elements)));
            }
            let element = element(text.trim(), &limits).map_err(fail)?;
            list.push(element).map_err(|_| fail(ToneProblem::Elements(MAX_ELEMENTS)))?;
        }
        let only_first = list.elements().iter().skip(1).all(|element| !element.once);
        let first = list.elements().first().is_some_and(|element| element.once);
        Ok(if first && only_first { list.once() } else { list })
    }

    /// Writes the tone as text that [`parse`](Self::parse) reads back.
    ///
    /// # Errors
    /// The notation has no words for it: more elements, other frequencies or durations than it allows, gains, or the
    /// first element alone heard once.
    pub fn write(&self, style: Style) -> Result<String, ToneError> {
        let limits = style.limits();
        let mut out = String::new();
        let once = self.elements().iter().filter(|element| element.once).count();
        let all = once > 0 && once == self.elements().len();
        let fail = |element, problem| ToneError { element, problem };
        if self.elements().is_empty() {
            return Err(fail(1, ToneProblem::Empty));
        }
        for (index, element) in self.elements().iter().enumerate() {
            if index >= limits.elements {
                return Err(fail(index + 1, ToneProblem::Elements(limits.elements)));
            }
            if element.once && !limits.once {
                return Err(fail(index + 1, ToneProblem::Once));
            }
            if element.once && once == 1 && index == 0 && !all {
                return Err(fail(1, ToneProblem::Unwritable("a first element alone that is heard once")));
            }
            if index > 0 {
                out.push(',');
            }
            if element.once && (!all || index == 0) {
                out.push('!');
            }
            write_element(element, style, &limits, &mut out).map_err(|problem| fail(index + 1, problem))?;
        }
        Ok(out)
    }
}

fn element(text: &str, limits: &Limits) -> Result<Element, ToneProblem> {
    let (once, text) = match text.strip_prefix('!') {
        Some(_) if !limits.once => return Err(ToneProblem::Once),
        Some(rest) => (true, rest.trim_start()),
        None => (false, text),
    };
    if text.is_empty() {
        return Err(ToneProblem::Empty);
    }
    let (frequencies, duration) = text.split_once('/').unwrap_or((text, "0"));
    let duration = duration.trim();
    let millis = number(duration)
        .filter(|millis| *millis <= limits.millis)
        .ok_or_else(|| ToneProblem::Duration { found: duration.into(), most: limits.millis })?;
    if let Some((carrier, modulator)) = frequencies.split_once('*').filter(|_| limits.modulated) {
        let (carrier, modulator) = (hertz(carrier, limits)?, hertz(modulator, limits)?);
        return Ok(Element::modulated(carrier, modulator, millis).with_once(once));
    }
    let mut voices = [Voice::default(); MAX_VOICES];
    let mut count = 0;
    for text in frequencies.split('+') {
        let hertz = hertz(text, limits)?;
        if let Some(voice) = voices.get_mut(count) {
            *voice = Voice::new(hertz);
        }
        count += 1;
    }
    let voices = voices.get(..count).ok_or(ToneProblem::Frequencies(count))?;
    let element = Element::new(voices, millis).map_err(|_| ToneProblem::Frequencies(count))?;
    Ok(element.with_once(once))
}

/// A frequency: whole hertz, or with a fraction in tenths or hundredths.
fn hertz(text: &str, limits: &Limits) -> Result<f32, ToneProblem> {
    let text = text.trim();
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && text.len() <= 8;
    let value = if plain { text.parse().ok() } else { None };
    value.filter(|hertz| *hertz == 0.0 || limits.hertz.contains(hertz)).ok_or_else(|| {
        ToneProblem::Frequency {
            found: text.into(),
            low: *limits.hertz.start() as u32,
            high: *limits.hertz.end() as u32,
        }
    })
}

/// Decimal digits and nothing else.
pub(super) fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn write_element(
    element: &Element,
    style: Style,
    limits: &Limits,
    out: &mut String,
) -> Result<(), ToneProblem> {
    if element.millis > limits.millis {
        let found = element.millis.to_string().into();
        return Err(ToneProblem::Duration { found, most: limits.millis });
    }
    if let Some((carrier, modulator)) = element.modulation().filter(|_| limits.modulated) {
        let _ = write!(out, "{}*{}", Hertz(carrier), Hertz(modulator));
    } else if element.voices().is_empty() {
        out.push('0');
    } else {
        for (index, voice) in element.voices().iter().enumerate() {
            if voice.gain != 0.0 {
                return Err(ToneProblem::Unwritable("a gain"));
            }
            if !limits.hertz.contains(&voice.hertz) {
                let (low, high) = (*limits.hertz.start() as u32, *limits.hertz.end() as u32);
                return Err(ToneProblem::Frequency { found: voice.hertz.to_string().into(), low, high });
            }
            let plus = if index > 0 { "+" } else { "" };
            let _ = write!(out, "{plus}{}", Hertz(voice.hertz));
        }
    }
    if element.millis > 0 || style == Style::Yealink {
        let _ = write!(out, "/{}", element.millis);
    }
    Ok(())
}

/// A frequency with as many decimals as it has.
struct Hertz(f32);

impl fmt::Display for Hertz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.fract() == 0.0 { write!(f, "{}", self.0 as u32) } else { write!(f, "{}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manuals_examples_are_read_and_written_back() {
        let table = [
            (Style::Yealink, "250/200, 0/1000, 200+300/500, 600+700+800+1000/2000", 4, false),
            (Style::Yealink, "!250/200, 0/1000, 200+300/500, 600+700+800+1000/2000", 4, true),
            (Style::Dinstar, "480+620/500,0/500", 2, false),
            (Style::Dinstar, "440+480/2000,0/4000", 2, false),
            (Style::Dinstar, "350+440", 1, false),
        ];
        for (style, text, count, once) in table {
            let list = ToneList::parse(style, text).unwrap();
            assert_eq!((list.elements().len(), list.ends()), (count, once), "{text}");
            assert_eq!(list.write(style).unwrap(), text.replace(' ', ""));
        }
        let list = ToneList::parse(Style::Yealink, "600+700 +800+1000 / 2000").unwrap();
        let hertz: Vec<f32> = list.elements()[0].voices().iter().map(|voice| voice.hertz).collect();
        assert_eq!((hertz.as_slice(), list.elements()[0].millis), (&[600.0, 700.0, 800.0, 1000.0][..], 2000));
        assert_eq!(
            ToneList::parse(Style::Yealink, "350+440").unwrap().write(Style::Yealink).unwrap(),
            "350+440/0"
        );
    }

    #[test]
    fn marks_on_some_elements_make_an_introduction() {
        let stutter = "!350+440/100,!0/100,350+440/0";
        let list = ToneList::parse(Style::Yealink, stutter).unwrap();
        let once: Vec<bool> = list.elements().iter().map(|element| element.once).collect();
        assert_eq!(once, [true, true, false]);
        assert_eq!(list.write(Style::Yealink).unwrap(), stutter);
        assert_eq!(
            list.write(Style::Dinstar).unwrap_err().to_string(),
            "element 1: `!` is not known in this notation"
        );
        // All marked is the list marked.
        let all = ToneList::parse(Style::Yealink, "!440/100,!0/100").unwrap();
        assert_eq!(all.write(Style::Yealink).unwrap(), "!440/100,0/100");
        let first = ToneList::new(&[Element::silence(9).with_once(true), Element::silence(8)]).unwrap();
        assert!(first.write(Style::Yealink).is_err());
    }

    #[test]
    fn errors_say_where_and_what() {
        let table = [
            ("", "element 1: empty; expected Freq1[+Freq2][+Freq3][+Freq4]/Duration"),
            ("440/100,", "element 2: empty; expected Freq1[+Freq2][+Freq3][+Freq4]/Duration"),
            ("199/100", "element 1: `199` is no frequency; expected 0 for silence, or 200 to 7000 Hz"),
            ("440/1,7001/1", "element 2: `7001` is no frequency; expected 0 for silence, or 200 to 7000 Hz"),
            ("-440/1", "element 1: `-440` is no frequency; expected 0 for silence, or 200 to 7000 Hz"),
            ("440+/1", "element 1: `` is no frequency; expected 0 for silence, or 200 to 7000 Hz"),
            ("nan/1", "element 1: `nan` is no frequency; expected 0 for silence, or 200 to 7000 Hz"),
            ("400*25/1", "element 1: `400*25` is no frequency; expected 0 for silence, or 200 to 7000 Hz"),
            ("440/30001", "element 1: `30001` is no duration; expected 0 to 30000 ms"),
            ("440/x", "element 1: `x` is no duration; expected 0 to 30000 ms"),
            ("440/", "element 1: `` is no duration; expected 0 to 30000 ms"),
            ("300+400+500+600+700/9", "element 1: 5 frequencies; expected at most 4"),
            ("0/1,0/1,0/1,0/1,0/1,0/1,0/1,0/1,0/1", "element 9: too many elements; expected at most 8"),
        ];
        for (text, expected) in table {
            assert_eq!(ToneList::parse(Style::Yealink, text).unwrap_err().to_string(), expected);
        }
        assert!(ToneList::parse(Style::Dinstar, "!440/100").is_err());
    }

    #[test]
    fn modulation_is_the_tables_own() {
        let list = ToneList::parse(Style::Table, "400*25/400,0/200").unwrap();
        assert_eq!(list.elements()[0].modulation(), Some((400.0, 25.0)));
        assert_eq!(list.write(Style::Table).unwrap(), "400*25/400,0/200");
        assert_eq!(
            list.write(Style::Yealink).unwrap_err().to_string(),
            "element 1: a gain cannot be written in this notation"
        );
    }
}
