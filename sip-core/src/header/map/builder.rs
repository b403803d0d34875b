//! Headers as a datagram is read: while its lines are found, nothing of it is shared.

use super::lines::{Line, Lines, Name, OWN, Place};
use crate::header::Headers;
use crate::leniency::Lenient;
use crate::text::line_end;
use alloc::vec::Vec;
use bytes::Bytes;

/// Collects the lines of a datagram that is being read. Lines are places in it, so it is not shared yet.
pub(crate) struct HeadersBuilder {
    list: Vec<Line>,
    own: Vec<Bytes>,
    lenient: Lenient,
}

impl HeadersBuilder {
    /// No lines yet, with room for so many.
    pub(crate) fn new(lines: usize, lenient: Lenient) -> Self {
        Self { list: Vec::with_capacity(lines), own: Vec::new(), lenient }
    }

    /// How many lines there are.
    pub(crate) const fn len(&self) -> usize {
        self.list.len()
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
        self.list.push(Line { name, value });
    }
}

impl Headers {
    /// The headers that a [`HeadersBuilder`] has found.
    pub(crate) fn of(datagram: Bytes, found: HeadersBuilder) -> Self {
        Self { lines: Lines::of(datagram, found.list, found.own), lenient: found.lenient }
    }

    /// Whether places in a datagram of this length can be told.
    pub(crate) const fn fits(length: usize) -> bool {
        length < OWN as usize
    }
}
