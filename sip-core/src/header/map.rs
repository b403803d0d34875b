//! The raw headers of a message, in their order.

use super::{Header, HeaderName};
use crate::emit::Emitter;
use crate::error::{InvalidValue, ParseError, ParseErrorKind};
use crate::parse::{class, grammar};
use crate::text::{line_end, sub};
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

/// The headers of a message: names and raw values in order, with typed access.
///
/// A value is one line without its end; it has no CR and no LF, whoever made it. Values that are not UTF-8
/// stay as they are. `Debug` shows no credentials.
///
/// ```
/// use sidetone_sip_core::{Headers, header::{CallId, Route}};
/// let mut headers = Headers::new();
/// headers.push(&CallId::from("a84b4c76e66710@pc33.atlanta.com"));
/// assert_eq!(headers.require::<CallId>().unwrap().as_str(), "a84b4c76e66710@pc33.atlanta.com");
/// assert!(headers.get::<Route>().is_none());
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    lines: Vec<(HeaderName, Bytes)>,
}

impl Headers {
    /// No headers.
    #[must_use]
    pub const fn new() -> Self {
        Self { lines: Vec::new() }
    }

    /// No headers, with room for so many.
    #[must_use]
    pub fn with_capacity(lines: usize) -> Self {
        Self { lines: Vec::with_capacity(lines) }
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
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&HeaderName, &Bytes)> + ExactSizeIterator {
        self.lines.iter().map(|(name, value)| (name, value))
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
        let name = H::NAME;
        let (_, line) = self.lines.iter().find(|(key, _)| *key == name)?;
        let value = if H::LIST { grammar::split_list(line).0 } else { line };
        Some(parse(line, value))
    }

    /// The first value of a header that must be there.
    ///
    /// # Errors
    /// It is missing, or does not follow its grammar.
    pub fn require<H: Header>(&self) -> Result<H, ParseError> {
        self.get()
            .unwrap_or_else(|| Err(ParseError::new(ParseErrorKind::Missing, 0).in_place(H::NAME.known_str())))
    }

    /// Every value of a header, from all its lines, lists taken apart.
    pub fn all<H: Header>(&self) -> impl Iterator<Item = Result<H, ParseError>> {
        let name = H::NAME;
        let mut lines = self.lines.iter().filter(move |(key, _)| *key == name).map(|(_, line)| line);
        let mut current: Option<(&Bytes, &[u8])> = None;
        core::iter::from_fn(move || {
            let (line, rest) = match current.take() {
                Some(more) => more,
                None => lines.next().map(|line| (line, &line[..]))?,
            };
            if !H::LIST {
                return Some(parse(line, rest));
            }
            let (value, rest) = grammar::split_list(rest);
            current = rest.map(|rest| (line, rest));
            Some(parse(line, value))
        })
    }

    /// How many values a list header has, over all its lines, whether they follow the grammar or not.
    #[must_use]
    pub fn count<H: Header>(&self) -> usize {
        let name = H::NAME;
        let lines = self.lines.iter().filter(|(key, _)| *key == name);
        lines
            .map(|(_, line)| {
                let (mut count, mut rest) = (1, grammar::split_list(line).1);
                while let Some(more) = rest.filter(|_| H::LIST) {
                    count += 1;
                    rest = grammar::split_list(more).1;
                }
                count
            })
            .sum()
    }

    /// Adds a header below all others.
    pub fn push<H: Header>(&mut self, header: &H) {
        self.lines.push((H::NAME, value(header)));
    }

    /// Adds a header above the first of its name, or at the top: as a Via or Record-Route is added.
    pub fn push_front<H: Header>(&mut self, header: &H) {
        let name = H::NAME;
        let at = self.lines.iter().position(|(key, _)| *key == name).unwrap_or_default();
        self.lines.insert(at, (name, value(header)));
    }

    /// Puts a header in the place of all of its name, or below all others.
    pub fn set<H: Header>(&mut self, header: &H) {
        let name = H::NAME;
        let mut new = Some(value(header));
        self.lines.retain_mut(|(key, line)| {
            if *key != name {
                return true;
            }
            match new.take() {
                Some(value) => {
                    *line = value;
                    true
                }
                None => false,
            }
        });
        if let Some(value) = new {
            self.lines.push((name, value));
        }
    }

    /// Puts a header in the place of the first value of its name; adds it at the top when there is none.
    pub fn replace_first<H: Header>(&mut self, header: &H) {
        let name = H::NAME;
        let at = self.lines.iter().position(|(key, _)| *key == name).unwrap_or_default();
        self.remove_first::<H>();
        self.lines.insert(at, (name, value(header)));
    }

    /// Removes every line of a name; says how many they were.
    pub fn remove(&mut self, name: &HeaderName) -> usize {
        let before = self.lines.len();
        self.lines.retain(|(key, _)| key != name);
        before - self.lines.len()
    }

    /// Removes the first *value* of a header, which may be the front of a list; says whether there was one.
    pub fn remove_first<H: Header>(&mut self) -> bool {
        let name = H::NAME;
        let Some(at) = self.lines.iter().position(|(key, _)| *key == name) else { return false };
        if let Some((_, line)) = self.lines.get_mut(at).filter(|_| H::LIST)
            && let Some(rest) = grammar::split_list(line).1
        {
            *line = sub(line, class::trim(rest));
            return true;
        }
        self.lines.remove(at);
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
        self.lines.push((name, Bytes::copy_from_slice(class::trim(value))));
        Ok(())
    }

    /// Adds a line whose value is known to have no line ends.
    pub(crate) fn push_line(&mut self, name: HeaderName, value: Bytes) {
        debug_assert!(line_end(&value).is_none(), "a header value is one line");
        self.lines.push((name, value));
    }

    /// The raw value of the first line of a name.
    #[must_use]
    pub fn raw(&self, name: &HeaderName) -> Option<&Bytes> {
        self.lines.iter().find(|(key, _)| key == name).map(|(_, line)| line)
    }

    /// The raw values of all lines of a name.
    pub fn raw_all<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a Bytes> {
        self.lines.iter().filter(move |(key, _)| key == name).map(|(_, line)| line)
    }

    /// Whether a line of this name is there.
    #[must_use]
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.raw(name).is_some()
    }

    /// Adds every line of a name that `from` has; copies no text.
    pub fn copy_all(&mut self, name: &HeaderName, from: &Self) {
        let lines = from.lines.iter().filter(|(key, _)| key == name).cloned();
        self.lines.extend(lines);
    }
}

/// Parses `value`, which is `line` or a part of it.
fn parse<H: Header>(line: &Bytes, value: &[u8]) -> Result<H, ParseError> {
    let parsed = if value.len() == line.len() { H::parse(line) } else { H::parse(&sub(line, value)) };
    parsed.map_err(|error| error.in_place(H::NAME.known_str()))
}

fn value<H: Header>(header: &H) -> Bytes {
    let mut out = Emitter::new();
    header.emit(&mut out);
    out.into_bytes()
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = [HeaderName::AUTHORIZATION, HeaderName::PROXY_AUTHORIZATION];
        let mut map = f.debug_map();
        for (name, value) in &self.lines {
            if secret.contains(name) {
                map.entry(name, &"***");
            } else {
                map.entry(name, &format_args!("{}", value.escape_ascii()));
            }
        }
        map.finish()
    }
}
