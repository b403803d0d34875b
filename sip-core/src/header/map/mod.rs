//! The headers of a message in their order: raw, and read and written as typed ones.

mod builder;
mod lines;

pub(crate) use builder::HeadersBuilder;

use super::{Header, HeaderName, HeaderValue};
use crate::emit::Emitter;
use crate::error::{InvalidValue, ParseError, ParseErrorKind};
use crate::leniency::{Leniency, Lenient};
use crate::parse::{class, grammar};
use crate::text::line_end;
use bytes::Bytes;
use core::fmt;
use lines::{Lines, Place};

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
    lines: Lines,
    lenient: Lenient,
}

impl Headers {
    /// No headers.
    #[must_use]
    pub const fn new() -> Self {
        Self { lines: Lines::new(), lenient: Lenient::DEFAULT }
    }

    /// No headers, with room for so many.
    #[must_use]
    pub fn with_capacity(lines: usize) -> Self {
        Self { lines: Lines::with_capacity(lines), ..Self::new() }
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
        self.lines.len() == 0
    }

    /// Every line in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (HeaderName, &[u8])> + ExactSizeIterator {
        self.lines.iter().map(|line| (self.lines.name(line), self.lines.bytes(line.value)))
    }

    /// Every line in order, with the name's usual spelling if it is known, or else as written.
    pub(crate) fn raw_lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.lines.iter().map(|line| (self.lines.raw_name(line), self.lines.bytes(line.value)))
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
        let value = self.lines.find(&H::NAME)?.value;
        let bytes = self.lines.bytes(value);
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
        let mut lines = self.lines.iter().filter(|line| self.lines.is(line, &name));
        let Some(line) = lines.next() else { return Ok(None) };
        let bytes = self.lines.bytes(line.value);
        if lines.next().is_some() || (H::LIST && grammar::split_list(bytes).1.is_some()) {
            return Err(ParseError::new(ParseErrorKind::Duplicate, 0).in_place(name.known_str()));
        }
        self.parse(line.value, bytes).map(Some)
    }

    /// Every value of a header, from all its lines, lists taken apart.
    pub fn all<H: Header>(&self) -> impl Iterator<Item = Result<H, ParseError>> {
        let name = H::NAME;
        let mut lines =
            self.lines.iter().filter(move |line| self.lines.is(line, &name)).map(|line| line.value);
        let mut current: Option<(Place, &[u8])> = None;
        core::iter::from_fn(move || {
            let (value, rest) = match current.take() {
                Some(more) => more,
                None => lines.next().map(|value| (value, self.lines.bytes(value)))?,
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
        self.lines.insert(at, H::NAME, written(header));
    }

    /// Adds a header above the first of its name, or at the top: as a Via or Record-Route is added.
    pub fn push_front<H: Header>(&mut self, header: &H) {
        let at = self.lines.position(&H::NAME).unwrap_or_default();
        self.lines.insert(at, H::NAME, written(header));
    }

    /// Puts a header in the place of all of its name, or below all others.
    pub fn set<H: Header>(&mut self, header: &H) {
        let name = H::NAME;
        let Some(first) = self.lines.position(&name) else { return self.push(header) };
        self.lines.overwrite(first, written(header));
        self.lines.take_all(&name, first + 1);
    }

    /// Puts a header in the place of the first value of its name; adds it at the top when there is none.
    pub fn replace_first<H: Header>(&mut self, header: &H) {
        match self.lines.position(&H::NAME) {
            None => self.lines.insert(0, H::NAME, written(header)),
            Some(at) if self.cut_first::<H>(at) => self.lines.insert(at, H::NAME, written(header)),
            Some(at) => self.lines.overwrite(at, written(header)),
        }
    }

    /// Removes every line of a name; says how many they were.
    pub fn remove(&mut self, name: &HeaderName) -> usize {
        let before = self.lines.len();
        self.lines.take_all(name, 0);
        before - self.lines.len()
    }

    /// Removes the first *value* of a header, which may be the front of a list; says whether there was one.
    pub fn remove_first<H: Header>(&mut self) -> bool {
        let Some(at) = self.lines.position(&H::NAME) else { return false };
        if !self.cut_first::<H>(at) {
            self.lines.take(at);
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
        self.lines.insert(self.lines.len(), name, Bytes::copy_from_slice(class::trim(value)));
        Ok(())
    }

    /// Where a value (as [`Headers::raw`] gives it) begins in the message that the headers were read from. `None` for one that
    /// was folded or did not come with it.
    #[must_use]
    pub fn position_of(&self, value: &[u8]) -> Option<usize> {
        self.lines.position_of(value)
    }

    /// Reads the values of each line by the type that its name has, and says what the first one that does not follow its
    /// grammar is: `line` counts from 0, the error's place in the line's value. Lines without a type, or that `skip` names, are
    /// passed over.
    pub(crate) fn first_malformed(&self, skip: impl Fn(&HeaderName) -> bool) -> Option<(usize, ParseError)> {
        self.lines.iter().enumerate().find_map(|(at, line)| {
            let name = self.lines.name(line);
            if skip(&name) {
                return None;
            }
            let value = self.value(line.value, self.lines.bytes(line.value));
            let error = super::check_typed_value(&name, value)?.err()?;
            Some((at, error.in_place(name.known_str())))
        })
    }

    /// The raw value of the first line of a name.
    #[must_use]
    pub fn raw(&self, name: &HeaderName) -> Option<&[u8]> {
        self.lines.find(name).map(|line| self.lines.bytes(line.value))
    }

    /// The raw value of the first line of a name, sharing the message's memory.
    #[must_use]
    pub fn raw_shared(&self, name: &HeaderName) -> Option<Bytes> {
        self.lines.find(name).map(|line| self.lines.shared(line.value))
    }

    /// The raw values of all lines of a name.
    pub fn raw_all<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        self.lines.iter().filter(|line| self.lines.is(line, name)).map(|line| self.lines.bytes(line.value))
    }

    /// The raw values of all lines of a name, sharing the message's memory.
    pub fn raw_shared_all<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = Bytes> + 'a {
        self.lines.iter().filter(|line| self.lines.is(line, name)).map(|line| self.lines.shared(line.value))
    }

    /// Whether a line of this name is there.
    #[must_use]
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.lines.find(name).is_some()
    }

    /// Adds every line of a name that `from` has; copies no text.
    pub fn copy_all(&mut self, name: &HeaderName, from: &Self) {
        self.lines.copy_all(name, &from.lines);
    }

    /// Adds every line that `from` has.
    pub(crate) fn append(&mut self, from: &Self) {
        self.lines.append(&from.lines);
    }

    /// Cuts the first value off a line that has several; says whether it had.
    fn cut_first<H: Header>(&mut self, at: usize) -> bool {
        H::LIST && self.lines.narrow(at, |value| grammar::split_list(value).1.map(class::trim))
    }

    /// Parses `part`, which is the value at `place` or a part of it.
    fn parse<H: Header>(&self, place: Place, part: &[u8]) -> Result<H, ParseError> {
        H::parse_value(self.value(place, part)).map_err(|error| error.in_place(H::NAME.known_str()))
    }

    /// `part`, which is the value at `place` or a part of it, as it is to be read.
    fn value<'a>(&'a self, place: Place, part: &'a [u8]) -> HeaderValue<'a> {
        HeaderValue::new(self.lines.source(place), part, self.lenient)
    }
}

fn written<H: Header>(header: &H) -> Bytes {
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
