//! The raw headers of a message, in their order.

use super::{Header, HeaderName, HeaderValue};
use crate::emit::Emitter;
use crate::error::{InvalidValue, ParseError, ParseErrorKind};
use crate::leniency::{Leniency, Lenient};
use crate::parse::{class, grammar};
use crate::text::{line_end, offset};
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

/// The headers of a message: names and raw values in order, with typed access.
///
/// A value is one line without its end; it has no CR and no LF, whoever made it. Values that are not UTF-8
/// stay as they are. `Debug` shows no credentials.
///
/// Headers that were read keep the datagram, and 20 bytes for each line; a value is shared only when a typed header or a
/// copy of a line needs it for itself. Looking a name up takes time in proportion to the lines.
///
/// ```
/// use sidetone_sip_core::{Headers, header::{CallId, Route}};
/// let mut headers = Headers::new();
/// headers.push(&CallId::from("a84b4c76e66710@pc33.atlanta.com"));
/// assert_eq!(headers.require::<CallId>().unwrap().as_str(), "a84b4c76e66710@pc33.atlanta.com");
/// assert!(headers.get::<Route>().is_none());
/// ```
#[derive(Clone, Default)]
pub struct Headers {
    /// What lines that were read are parts of.
    source: Bytes,
    lines: Vec<Line>,
    /// Names and values that are no part of the source. Each belongs to one line.
    own: Vec<Bytes>,
    lenient: Lenient,
}

/// One line. Its name is a number when the crate knows it.
#[derive(Clone, Copy)]
struct Line {
    name: Name,
    value: Place,
}

#[derive(Clone, Copy)]
enum Name {
    Known(u8),
    Other(Place),
}

/// Where bytes are: a part of the source, or, from [`OWN`], an index into the own ones.
#[derive(Clone, Copy)]
struct Place {
    start: u32,
    end: u32,
}

/// Begins a [`Place`] that is an index. No source is that long: see [`Headers::fits`].
const OWN: u32 = u32::MAX;

impl Headers {
    /// No headers.
    #[must_use]
    pub const fn new() -> Self {
        Self { source: Bytes::new(), lines: Vec::new(), own: Vec::new(), lenient: Lenient::DEFAULT }
    }

    /// No headers, with room for so many.
    #[must_use]
    pub fn with_capacity(lines: usize) -> Self {
        Self { lines: Vec::with_capacity(lines), ..Self::new() }
    }

    /// The headers that a [`HeadersBuilder`] has found.
    pub(crate) fn of(datagram: Bytes, found: HeadersBuilder) -> Self {
        Self { source: datagram, lines: found.lines, own: found.own, lenient: found.lenient }
    }

    /// Whether places in a datagram of this length can be told.
    pub(crate) const fn fits(length: usize) -> bool {
        length < OWN as usize
    }

    /// What is forgiven when values are read: what the message was read with, or else the default.
    #[must_use]
    pub const fn leniency(&self) -> Leniency {
        self.lenient.named()
    }

    /// The same in one word.
    pub(crate) const fn lenient(&self) -> Lenient {
        self.lenient
    }

    /// What is forgiven from here on when values are read.
    pub const fn set_leniency(&mut self, leniency: &Leniency) {
        self.lenient = self.lenient.with(leniency);
    }

    /// How many header lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Every line in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (HeaderName, &[u8])> + ExactSizeIterator {
        self.lines.iter().map(|line| (self.name(line), self.bytes(line.value)))
    }

    /// Every line in order, with the name's usual spelling if it is known, or else as written.
    pub(crate) fn raw_lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.lines.iter().map(|line| {
            let name = match line.name {
                Name::Known(index) => HeaderName::known(index).known_str().as_bytes(),
                Name::Other(place) => self.bytes(place),
            };
            (name, self.bytes(line.value))
        })
    }

    /// The first value of a header; all lines together when the header is a set. `None` when it is not there.
    #[must_use]
    pub fn get<H: Header>(&self) -> Option<Result<H, ParseError>> {
        if H::SET {
            return self.all::<H>().reduce(|sum, more| {
                let mut sum = sum?;
                sum.merge(more?);
                Ok(sum)
            });
        }
        let value = self.find(&H::NAME)?.value;
        let bytes = self.bytes(value);
        Some(self.parse(value, if H::LIST { grammar::split_list(bytes).0 } else { bytes }))
    }

    /// The first value of a header that must be there.
    ///
    /// # Errors
    /// It is missing, or does not follow its grammar.
    pub fn require<H: Header>(&self) -> Result<H, ParseError> {
        self.get()
            .unwrap_or_else(|| Err(ParseError::new(ParseErrorKind::Missing, 0).in_place(H::NAME.known_str())))
    }

    /// The value of a header that may be there once: on one line, with one value.
    ///
    /// # Errors
    /// It is there twice, or does not follow its grammar.
    pub(crate) fn optional<H: Header>(&self) -> Result<Option<H>, ParseError> {
        let name = H::NAME;
        let mut lines = self.lines.iter().filter(|line| self.is(line, &name));
        let Some(line) = lines.next() else { return Ok(None) };
        let bytes = self.bytes(line.value);
        if lines.next().is_some() || (H::LIST && grammar::split_list(bytes).1.is_some()) {
            return Err(ParseError::new(ParseErrorKind::Duplicate, 0).in_place(name.known_str()));
        }
        self.parse(line.value, bytes).map(Some)
    }

    /// Every value of a header, from all its lines, lists taken apart.
    pub fn all<H: Header>(&self) -> impl Iterator<Item = Result<H, ParseError>> {
        let name = H::NAME;
        let mut lines = self.lines.iter().filter(move |line| self.is(line, &name)).map(|line| line.value);
        let mut current: Option<(Place, &[u8])> = None;
        core::iter::from_fn(move || {
            let (value, rest) = match current.take() {
                Some(more) => more,
                None => lines.next().map(|value| (value, self.bytes(value)))?,
            };
            if !H::LIST {
                return Some(self.parse(value, rest));
            }
            let (element, rest) = grammar::split_list(rest);
            current = rest.map(|rest| (value, rest));
            Some(self.parse(value, element))
        })
    }

    /// How many values a list header has, over all its lines, whether they follow the grammar or not.
    #[must_use]
    pub fn count<H: Header>(&self) -> usize {
        let count = |line| {
            let (mut count, mut rest) = (1, grammar::split_list(line).1);
            while let Some(more) = rest.filter(|_| H::LIST) {
                count += 1;
                rest = grammar::split_list(more).1;
            }
            count
        };
        self.raw_all(&H::NAME).map(count).sum()
    }

    /// Adds a header below all others.
    pub fn push<H: Header>(&mut self, header: &H) {
        let at = self.lines.len();
        self.insert(at, H::NAME, value(header));
    }

    /// Adds a header above the first of its name, or at the top: as a Via or Record-Route is added.
    pub fn push_front<H: Header>(&mut self, header: &H) {
        let at = self.position(&H::NAME).unwrap_or_default();
        self.insert(at, H::NAME, value(header));
    }

    /// Puts a header in the place of all of its name, or below all others.
    pub fn set<H: Header>(&mut self, header: &H) {
        let name = H::NAME;
        let Some(first) = self.position(&name) else { return self.push(header) };
        self.overwrite(first, value(header));
        let mut at = first + 1;
        while let Some(line) = self.lines.get(at) {
            if self.is(line, &name) {
                self.take(at);
            } else {
                at += 1;
            }
        }
    }

    /// Puts a header in the place of the first value of its name; adds it at the top when there is none.
    pub fn replace_first<H: Header>(&mut self, header: &H) {
        match self.position(&H::NAME) {
            None => self.insert(0, H::NAME, value(header)),
            Some(at) if self.cut_first::<H>(at) => self.insert(at, H::NAME, value(header)),
            Some(at) => self.overwrite(at, value(header)),
        }
    }

    /// Removes every line of a name; says how many they were.
    pub fn remove(&mut self, name: &HeaderName) -> usize {
        let before = self.lines.len();
        while let Some(at) = self.position(name) {
            self.take(at);
        }
        before - self.lines.len()
    }

    /// Removes the first *value* of a header, which may be the front of a list; says whether there was one.
    pub fn remove_first<H: Header>(&mut self) -> bool {
        let Some(at) = self.position(&H::NAME) else { return false };
        if !self.cut_first::<H>(at) {
            self.take(at);
        }
        true
    }

    /// Adds a raw line below all others. Spaces at the ends of the value are dropped.
    ///
    /// # Errors
    /// The value has a CR or LF.
    pub fn push_raw(&mut self, name: HeaderName, value: impl AsRef<[u8]>) -> Result<(), InvalidValue> {
        let value = value.as_ref();
        if let Some(at) = line_end(value) {
            return Err(InvalidValue { at });
        }
        self.insert(self.lines.len(), name, Bytes::copy_from_slice(class::trim(value)));
        Ok(())
    }

    /// Where a value (as [`Headers::raw`] gives it) begins in the message that the headers were read from. `None` for one that
    /// was folded or did not come with it.
    #[must_use]
    pub fn position_of(&self, value: &[u8]) -> Option<usize> {
        let range = self.source.as_ptr_range();
        let within = range.contains(&value.as_ptr()) || range.end == value.as_ptr();
        within.then(|| offset(&self.source, value))
    }

    /// Reads the values of each line by the type that its name has, and says what the first one that does not follow its
    /// grammar is: `line` counts from 0, the error's place in the line's value. Lines without a type, or that `skip` names, are
    /// passed over.
    pub(crate) fn first_malformed(&self, skip: impl Fn(&HeaderName) -> bool) -> Option<(usize, ParseError)> {
        self.lines.iter().enumerate().find_map(|(at, line)| {
            let name = self.name(line);
            if skip(&name) {
                return None;
            }
            let value = HeaderValue::new(self.source(line.value), self.bytes(line.value), self.lenient);
            let error = super::check_typed_value(&name, value)?.err()?;
            Some((at, error.in_place(name.known_str())))
        })
    }

    /// The raw value of the first line of a name.
    #[must_use]
    pub fn raw(&self, name: &HeaderName) -> Option<&[u8]> {
        self.find(name).map(|line| self.bytes(line.value))
    }

    /// The raw value of the first line of a name, sharing the message's memory.
    #[must_use]
    pub fn raw_shared(&self, name: &HeaderName) -> Option<Bytes> {
        self.find(name).map(|line| self.shared(line.value))
    }

    /// The raw values of all lines of a name.
    pub fn raw_all<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        self.lines.iter().filter(|line| self.is(line, name)).map(|line| self.bytes(line.value))
    }

    /// The raw values of all lines of a name, sharing the message's memory.
    pub fn raw_shared_all<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = Bytes> + 'a {
        self.lines.iter().filter(|line| self.is(line, name)).map(|line| self.shared(line.value))
    }

    /// Whether a line of this name is there.
    #[must_use]
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.find(name).is_some()
    }

    /// Adds every line of a name that `from` has; copies no text.
    pub fn copy_all(&mut self, name: &HeaderName, from: &Self) {
        if self.source.is_empty() {
            self.source = from.source.clone();
        }
        let same_source = self.source.as_ptr_range() == from.source.as_ptr_range();
        for line in from.lines.iter().filter(|line| from.is(line, name)) {
            let mut copy = |place: Place| {
                if same_source && place.start != OWN { place } else { self.keep(from.shared(place)) }
            };
            let line = Line {
                name: match line.name {
                    Name::Other(place) => Name::Other(copy(place)),
                    known @ Name::Known(_) => known,
                },
                value: copy(line.value),
            };
            self.lines.push(line);
        }
    }

    /// Adds every line that `from` has.
    pub(crate) fn append(&mut self, from: &Self) {
        for line in &from.lines {
            self.insert(self.lines.len(), from.name(line), from.shared(line.value));
        }
    }

    /// Whether a line has this name.
    fn is(&self, line: &Line, name: &HeaderName) -> bool {
        match (line.name, name.index()) {
            (Name::Known(known), Some(index)) => known == index,
            (Name::Other(place), None) => self.bytes(place).eq_ignore_ascii_case(name.as_str().as_bytes()),
            _ => false,
        }
    }

    fn find(&self, name: &HeaderName) -> Option<&Line> {
        match name.index() {
            Some(index) => {
                self.lines.iter().find(|line| matches!(line.name, Name::Known(known) if known == index))
            }
            None => self.lines.iter().find(|line| self.is(line, name)),
        }
    }

    fn position(&self, name: &HeaderName) -> Option<usize> {
        self.lines.iter().position(|line| self.is(line, name))
    }

    fn name(&self, line: &Line) -> HeaderName {
        match line.name {
            Name::Known(index) => HeaderName::known(index),
            Name::Other(place) => HeaderName::other(self.shared(place)),
        }
    }

    /// The bytes at a place.
    #[inline]
    fn bytes(&self, place: Place) -> &[u8] {
        let bytes = match place.start {
            OWN => self.own.get(place.end as usize).map(|own| &own[..]),
            start => self.source.get(start as usize..place.end as usize),
        };
        bytes.unwrap_or_default()
    }

    /// What the bytes at a place are a part of.
    fn source(&self, place: Place) -> &Bytes {
        match place.start {
            OWN => self.own.get(place.end as usize).unwrap_or(&self.source),
            _ => &self.source,
        }
    }

    fn shared(&self, place: Place) -> Bytes {
        match place.start {
            OWN => self.source(place).clone(),
            start => self.source.slice(start as usize..place.end as usize),
        }
    }

    /// Puts bytes among the own ones.
    fn keep(&mut self, bytes: Bytes) -> Place {
        Place::own(&mut self.own, bytes)
    }

    /// Drops the own bytes of a place that no line uses any more; the last ones take their place.
    fn forget(&mut self, place: Place) {
        if place.start != OWN || place.end as usize >= self.own.len() {
            return;
        }
        self.own.swap_remove(place.end as usize);
        let moved = u32::try_from(self.own.len()).unwrap_or_default();
        let follow = |other: &mut Place| {
            if other.start == OWN && other.end == moved {
                other.end = place.end;
            }
        };
        for line in &mut self.lines {
            follow(&mut line.value);
            if let Name::Other(name) = &mut line.name {
                follow(name);
            }
        }
    }

    fn insert(&mut self, at: usize, name: HeaderName, value: Bytes) {
        let name = match name.index() {
            Some(index) => Name::Known(index),
            None => Name::Other(self.keep(name.into_bytes())),
        };
        let value = self.keep(value);
        self.lines.insert(at, Line { name, value });
    }

    /// Removes a line.
    fn take(&mut self, at: usize) {
        let line = self.lines.remove(at);
        self.forget(line.value);
        // The first call may have moved the name's bytes: it is told where they are by the line, which is gone.
        if let Name::Other(name) = line.name {
            let moved = name.start == OWN && name.end as usize == self.own.len();
            self.forget(if moved { line.value } else { name });
        }
    }

    /// Gives a line another value.
    fn overwrite(&mut self, at: usize, value: Bytes) {
        let Some(old) = self.lines.get(at).map(|line| line.value) else { return };
        if old.start == OWN
            && let Some(own) = self.own.get_mut(old.end as usize)
        {
            *own = value;
        } else {
            let value = self.keep(value);
            if let Some(line) = self.lines.get_mut(at) {
                line.value = value;
            }
        }
    }

    /// Cuts the first value off a line that has several; says whether it had.
    fn cut_first<H: Header>(&mut self, at: usize) -> bool {
        let Some(place) = self.lines.get(at).map(|line| line.value).filter(|_| H::LIST) else { return false };
        let Some(rest) = grammar::split_list(self.bytes(place)).1 else { return false };
        let rest = class::trim(rest);
        if place.start == OWN {
            let rest = crate::text::sub(self.source(place), rest);
            self.overwrite(at, rest);
        } else {
            let rest = Place::of(&self.source, rest);
            if let Some(line) = self.lines.get_mut(at) {
                line.value = rest;
            }
        }
        true
    }

    /// Parses `part`, which is the value at `place` or a part of it.
    fn parse<H: Header>(&self, place: Place, part: &[u8]) -> Result<H, ParseError> {
        H::parse_value(HeaderValue::new(self.source(place), part, self.lenient))
            .map_err(|error| error.in_place(H::NAME.known_str()))
    }
}

/// Collects the lines of a datagram that is being read. Lines are places in it, so it is not shared yet.
pub(crate) struct HeadersBuilder {
    lines: Vec<Line>,
    own: Vec<Bytes>,
    lenient: Lenient,
}

impl HeadersBuilder {
    /// No lines yet, with room for so many.
    pub(crate) fn new(lines: usize, lenient: Lenient) -> Self {
        Self { lines: Vec::with_capacity(lines), own: Vec::new(), lenient }
    }

    /// How many lines there are.
    pub(crate) const fn len(&self) -> usize {
        self.lines.len()
    }

    /// Adds a line whose name and value are parts of `datagram`, the value without line ends.
    #[inline]
    pub(crate) fn push(&mut self, datagram: &[u8], known: Option<u8>, name: &[u8], value: &[u8]) {
        debug_assert!(line_end(value).is_none(), "a header value is one line");
        self.push_at(datagram, known, name, Place::of(datagram, value));
    }

    /// The same for a value that was put together from several lines.
    pub(crate) fn push_unfolded(&mut self, datagram: &[u8], known: Option<u8>, name: &[u8], value: Bytes) {
        debug_assert!(line_end(&value).is_none(), "a header value is one line");
        let value = Place::own(&mut self.own, value);
        self.push_at(datagram, known, name, value);
    }

    #[inline]
    fn push_at(&mut self, datagram: &[u8], known: Option<u8>, name: &[u8], value: Place) {
        let name = known.map_or_else(|| Name::Other(Place::of(datagram, name)), Name::Known);
        self.lines.push(Line { name, value });
    }
}

impl Place {
    /// The place of a part of the source, whose length was checked to fit.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "Headers::fits")]
    fn of(source: &[u8], part: &[u8]) -> Self {
        let start = offset(source, part);
        Self { start: start as u32, end: (start + part.len()).min(source.len()) as u32 }
    }

    /// Puts bytes among the own ones.
    fn own(own: &mut Vec<Bytes>, bytes: Bytes) -> Self {
        own.push(bytes);
        Self { start: OWN, end: u32::try_from(own.len() - 1).unwrap_or_default() }
    }
}

fn value<H: Header>(header: &H) -> Bytes {
    let mut out = Emitter::new();
    header.emit(&mut out);
    out.into_bytes()
}

impl PartialEq for Headers {
    /// The same lines in the same order; names compare without case.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = [HeaderName::AUTHORIZATION, HeaderName::PROXY_AUTHORIZATION];
        let mut map = f.debug_map();
        for (name, value) in self.iter() {
            if secret.contains(&name) {
                map.entry(&name, &"***");
            } else {
                map.entry(&name, &format_args!("{}", value.escape_ascii()));
            }
        }
        map.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{Route, Subject};
    use alloc::string::{String, ToString};
    use sidetone_hal::rng::Rng;

    /// What the headers are, as a list of texts.
    fn shown(headers: &Headers) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
    }

    /// Every own place belongs to one line, and every one is used.
    fn check_own(headers: &Headers) {
        let mut used: Vec<u32> = Vec::new();
        for line in &headers.lines {
            let name = match line.name {
                Name::Other(place) => Some(place),
                Name::Known(_) => None,
            };
            used.extend(
                name.into_iter()
                    .chain([line.value])
                    .filter(|place| place.start == OWN)
                    .map(|place| place.end),
            );
        }
        used.sort_unstable();
        assert!(used.iter().copied().eq(0..u32::try_from(headers.own.len()).unwrap()), "{used:?}");
    }

    #[test]
    fn edits_are_those_of_a_plain_list() {
        let datagram = "OPTIONS sip:a SIP/2.0\r\nVia: v\r\nX-A: 1\r\nRoute: <sip:r1>, <sip:r2>\r\nSubject: s\r\nX-B: 2\r\n\r\n";
        let mut rng = Rng::from_u64(7);
        for _ in 0..300 {
            let message = crate::Message::parse(Bytes::from(datagram), &crate::Limits::default()).unwrap();
            let mut headers = message.headers().clone();
            let mut model = shown(&headers);
            for step in 0..40 {
                let name = ["X-A", "X-B", "Subject", "Via", "X-C"][rng.below(5) as usize];
                let value = step.to_string();
                let position =
                    |model: &[(String, String)], name: &str| model.iter().position(|line| line.0 == name);
                match rng.below(6) {
                    0 | 1 => {
                        headers.push_raw(name.parse().unwrap(), &value).unwrap();
                        model.push((name.into(), value));
                    }
                    2 => {
                        let before = model.len();
                        model.retain(|line| line.0 != name);
                        assert_eq!(headers.remove(&name.parse().unwrap()), before - model.len());
                    }
                    3 => {
                        headers.set(&Subject(value.as_str().into()));
                        let first = position(&model, "Subject");
                        let mut at = 0;
                        model.retain(|line| {
                            at += 1;
                            line.0 != "Subject" || Some(at - 1) == first
                        });
                        match first {
                            Some(first) => model[first].1 = value,
                            None => model.push(("Subject".into(), value)),
                        }
                    }
                    4 => {
                        headers.push_front(&Subject(value.as_str().into()));
                        let at = position(&model, "Subject").unwrap_or_default();
                        model.insert(at, ("Subject".into(), value));
                    }
                    _ => {
                        let there = headers.remove_first::<Route>();
                        if let Some(at) = position(&model, "Route") {
                            assert!(there);
                            match model[at].1.split_once(", ") {
                                Some((_, rest)) => model[at].1 = rest.to_string(),
                                None => drop(model.remove(at)),
                            }
                        }
                    }
                }
                assert_eq!(shown(&headers), model);
                check_own(&headers);
            }
            let mut copy = Headers::new();
            copy.copy_all(&"X-A".parse().unwrap(), &headers);
            copy.copy_all(&HeaderName::SUBJECT, &message.headers().clone());
            model.retain(|line| line.0 == "X-A");
            model.push(("Subject".into(), "s".into()));
            assert_eq!(shown(&copy), model);
            check_own(&copy);
        }
    }
}
