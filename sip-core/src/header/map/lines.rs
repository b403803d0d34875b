//! The lines of a message: a name, a value, and where the bytes of both are.

use crate::header::HeaderName;
use crate::text::{offset, sub};
use alloc::vec::Vec;
use bytes::Bytes;

/// Lines in their order, with what their bytes are parts of.
#[derive(Clone, Default)]
pub(super) struct Lines {
    /// What lines that were read are parts of.
    source: Bytes,
    list: Vec<Line>,
    /// Names and values that are no part of the source. Each belongs to one line.
    own: Vec<Bytes>,
}

/// One line. Its name is a number when the crate knows it.
#[derive(Clone, Copy)]
pub(super) struct Line {
    pub(super) name: Name,
    pub(super) value: Place,
}

#[derive(Clone, Copy)]
pub(super) enum Name {
    Known(u8),
    Other(Place),
}

/// Where bytes are: a part of the source, or, from [`OWN`], an index into the own ones.
#[derive(Clone, Copy)]
pub(super) struct Place {
    start: u32,
    end: u32,
}

/// Begins a [`Place`] that is an index. No source is that long: see [`Headers::fits`](super::Headers::fits).
pub(super) const OWN: u32 = u32::MAX;

impl Lines {
    /// No lines.
    pub(super) const fn new() -> Self {
        Self { source: Bytes::new(), list: Vec::new(), own: Vec::new() }
    }

    /// No lines, with room for so many.
    pub(super) fn with_capacity(lines: usize) -> Self {
        Self { list: Vec::with_capacity(lines), ..Self::new() }
    }

    /// Lines that were read from `source`, with what they have of their own.
    pub(super) const fn of(source: Bytes, list: Vec<Line>, own: Vec<Bytes>) -> Self {
        Self { source, list, own }
    }

    pub(super) const fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn iter(&self) -> core::slice::Iter<'_, Line> {
        self.list.iter()
    }

    /// Whether a line has this name.
    pub(super) fn is(&self, line: &Line, name: &HeaderName) -> bool {
        match (line.name, name.index()) {
            (Name::Known(known), Some(index)) => known == index,
            (Name::Other(place), None) => self.bytes(place).eq_ignore_ascii_case(name.as_str().as_bytes()),
            _ => false,
        }
    }

    pub(super) fn find(&self, name: &HeaderName) -> Option<&Line> {
        match name.index() {
            Some(index) => {
                self.list.iter().find(|line| matches!(line.name, Name::Known(known) if known == index))
            }
            None => self.list.iter().find(|line| self.is(line, name)),
        }
    }

    pub(super) fn position(&self, name: &HeaderName) -> Option<usize> {
        self.list.iter().position(|line| self.is(line, name))
    }

    pub(super) fn name(&self, line: &Line) -> HeaderName {
        match line.name {
            Name::Known(index) => HeaderName::known(index),
            Name::Other(place) => HeaderName::other(self.shared(place)),
        }
    }

    /// A line's name: its usual spelling if it is known, or else as written.
    pub(super) fn raw_name(&self, line: &Line) -> &[u8] {
        match line.name {
            Name::Known(index) => HeaderName::known(index).known_str().as_bytes(),
            Name::Other(place) => self.bytes(place),
        }
    }

    /// The bytes at a place.
    #[inline]
    pub(super) fn bytes(&self, place: Place) -> &[u8] {
        let bytes = match place.start {
            OWN => self.own.get(place.end as usize).map(|own| &own[..]),
            start => self.source.get(start as usize..place.end as usize),
        };
        bytes.unwrap_or_default()
    }

    /// What the bytes at a place are a part of.
    pub(super) fn source(&self, place: Place) -> &Bytes {
        match place.start {
            OWN => self.own.get(place.end as usize).unwrap_or(&self.source),
            _ => &self.source,
        }
    }

    /// Where `value` begins in the source; `None` when it is no part of it.
    pub(super) fn position_of(&self, value: &[u8]) -> Option<usize> {
        let range = self.source.as_ptr_range();
        let within = range.contains(&value.as_ptr()) || range.end == value.as_ptr();
        within.then(|| offset(&self.source, value))
    }

    pub(super) fn shared(&self, place: Place) -> Bytes {
        match place.start {
            OWN => self.source(place).clone(),
            start => self.source.slice(start as usize..place.end as usize),
        }
    }

    pub(super) fn insert(&mut self, at: usize, name: HeaderName, value: Bytes) {
        let name = match name.index() {
            Some(index) => Name::Known(index),
            None => Name::Other(self.keep(name.into_bytes())),
        };
        let value = self.keep(value);
        self.list.insert(at, Line { name, value });
    }

    /// Removes a line.
    pub(super) fn take(&mut self, at: usize) {
        let line = self.list.remove(at);
        self.forget(line.value);
        // The first call may have moved the name's bytes: it is told where they are by the line, which is gone.
        if let Name::Other(name) = line.name {
            let moved = name.start == OWN && name.end as usize == self.own.len();
            self.forget(if moved { line.value } else { name });
        }
    }

    /// Removes every line of a name from the line `at` on.
    pub(super) fn take_all(&mut self, name: &HeaderName, mut at: usize) {
        while let Some(line) = self.list.get(at) {
            if self.is(line, name) {
                self.take(at);
            } else {
                at += 1;
            }
        }
    }

    /// Gives a line another value.
    pub(super) fn overwrite(&mut self, at: usize, value: Bytes) {
        let Some(old) = self.list.get(at).map(|line| line.value) else { return };
        if old.start == OWN
            && let Some(own) = self.own.get_mut(old.end as usize)
        {
            *own = value;
        } else {
            let value = self.keep(value);
            if let Some(line) = self.list.get_mut(at) {
                line.value = value;
            }
        }
    }

    /// Leaves a line the part of its value that `part` finds; says whether it found one.
    pub(super) fn narrow(&mut self, at: usize, part: impl FnOnce(&[u8]) -> Option<&[u8]>) -> bool {
        let Some(place) = self.list.get(at).map(|line| line.value) else { return false };
        let Some(part) = part(self.bytes(place)) else { return false };
        if place.start == OWN {
            let part = sub(self.source(place), part);
            self.overwrite(at, part);
        } else {
            let part = Place::of(&self.source, part);
            if let Some(line) = self.list.get_mut(at) {
                line.value = part;
            }
        }
        true
    }

    /// Adds every line of a name that `from` has; copies no text.
    pub(super) fn copy_all(&mut self, name: &HeaderName, from: &Self) {
        if self.source.is_empty() {
            self.source = from.source.clone();
        }
        let same_source = self.source.as_ptr_range() == from.source.as_ptr_range();
        for line in from.list.iter().filter(|line| from.is(line, name)) {
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
            self.list.push(line);
        }
    }

    /// Adds every line that `from` has.
    pub(super) fn append(&mut self, from: &Self) {
        for line in &from.list {
            self.insert(self.list.len(), from.name(line), from.shared(line.value));
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
        for line in &mut self.list {
            follow(&mut line.value);
            if let Name::Other(name) = &mut line.name {
                follow(name);
            }
        }
    }
}

impl Place {
    /// The place of a part of the source, whose length was checked to fit.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "Headers::fits")]
    pub(super) fn of(source: &[u8], part: &[u8]) -> Self {
        let start = offset(source, part);
        Self { start: start as u32, end: (start + part.len()).min(source.len()) as u32 }
    }

    /// Puts bytes among the own ones.
    pub(super) fn own(own: &mut Vec<Bytes>, bytes: Bytes) -> Self {
        own.push(bytes);
        Self { start: OWN, end: u32::try_from(own.len() - 1).unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{Headers, Route, Subject};
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
        for line in &headers.lines.list {
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
        assert!(used.iter().copied().eq(0..u32::try_from(headers.lines.own.len()).unwrap()), "{used:?}");
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
