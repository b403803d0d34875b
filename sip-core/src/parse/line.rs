//! Lines of a message's head: start line, header lines, folding (RFC 3261 §7).
//!
//! One iterator serves the message parser and the stream deframer, so both see the same Content-Length.

use super::class;
use crate::error::{ParseError, ParseErrorKind};
use crate::header::HeaderName;
use crate::text::line_end;
use alloc::vec::Vec;
use memchr::memchr;

/// The head of a message, line by line. Lines end with CRLF or, leniently, with LF alone.
pub(crate) struct Lines<'a> {
    data: &'a [u8],
    at: usize,
    /// Whether LF alone ends a line.
    lf: bool,
}

/// One header line.
pub(crate) struct Line<'a> {
    /// Where the line begins.
    pub(crate) at: usize,
    /// The number of the name, if it is known.
    pub(crate) known: Option<u8>,
    /// The name as written.
    pub(crate) name: &'a [u8],
    /// The value without spaces at its ends; with its line ends when folded.
    pub(crate) value: &'a [u8],
    /// Whether the value goes over more than one line.
    pub(crate) folded: bool,
}

impl<'a> Lines<'a> {
    /// Reads `data` from `at`; `lf` says whether LF alone ends a line.
    pub(crate) const fn new(data: &'a [u8], at: usize, lf: bool) -> Self {
        Self { data, at, lf }
    }

    /// Where the next line begins.
    pub(crate) const fn position(&self) -> usize {
        self.at
    }

    /// The bytes that were not read yet.
    fn rest(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }

    /// The next line without its end; `None` at the end of the data or when the line does not end.
    #[inline]
    pub(crate) fn plain(&mut self) -> Result<Option<&'a [u8]>, ParseError> {
        let rest = self.rest();
        let Some(end) = line_end(rest) else { return Ok(None) };
        let after = match rest.get(end..) {
            Some([b'\r', b'\n', ..]) => end + 2,
            Some([b'\n', ..]) if self.lf => end + 1,
            Some([b'\r']) => return Ok(None),
            _ => return Err(ParseError::new(ParseErrorKind::LineEnd, self.at + end)),
        };
        self.at += after;
        Ok(rest.get(..end))
    }

    /// The next header line; `None` after the empty line that ends the head.
    #[inline(always)]
    pub(crate) fn header(&mut self) -> Result<Option<Line<'a>>, ParseError> {
        let at = self.at;
        let rest = self.rest();
        // A colon near the front ends a name that is known or is a token, or else there is none in this line.
        let window = rest.get(..NAME_WINDOW).unwrap_or(rest);
        let near = class::find(b':', window).and_then(|at| window.get(..at));
        let named = near.map(trim_end).and_then(|name| Some((name, HeaderName::find(name)?)));
        let Some((name, known)) = named else { return self.other_header() };
        let colon = near.map_or(0, <[u8]>::len);
        self.at += colon + 1;
        let Some(value) = self.plain()? else { return Err(ParseError::new(ParseErrorKind::Truncated, at)) };
        let line = Line { at, known: Some(known), name, value: class::trim(value), folded: false };
        self.unfolded(line, at + colon + 1).map(Some)
    }

    /// The same when the line does not begin with a known name.
    #[cold]
    fn other_header(&mut self) -> Result<Option<Line<'a>>, ParseError> {
        let at = self.at;
        let truncated = || ParseError::new(ParseErrorKind::Truncated, at);
        let first = self.plain()?.ok_or_else(truncated)?;
        if first.is_empty() {
            return Ok(None);
        }
        let no_line = || ParseError::new(ParseErrorKind::HeaderLine, at);
        let colon = memchr(b':', first).ok_or_else(no_line)?;
        let (name, value) = first.split_at_checked(colon).ok_or_else(truncated)?;
        let name = trim_end(name);
        let known = HeaderName::find(name);
        if known.is_none() && (name.is_empty() || !class::all(name, class::TOKEN)) {
            return Err(no_line());
        }
        let value = class::trim(value.get(1..).unwrap_or_default());
        self.unfolded(Line { at, known, name, value, folded: false }, at + colon + 1).map(Some)
    }

    /// Adds the continuation lines to a line whose value begins at `begin`.
    #[inline]
    fn unfolded(&mut self, mut line: Line<'a>, begin: usize) -> Result<Line<'a>, ParseError> {
        while let Some(b' ' | b'\t') = self.data.get(self.at) {
            let more = self.plain()?.ok_or_else(|| ParseError::new(ParseErrorKind::Truncated, line.at))?;
            line.folded = true;
            let end = crate::text::offset(self.data, more) + more.len();
            line.value = class::trim(self.data.get(begin..end).unwrap_or_default());
        }
        Ok(line)
    }

    /// As [`Lines::header`], passing over what is no header line, with its continuations, when `lenient` says so.
    #[inline(always)]
    pub(crate) fn header_or_skip(&mut self, lenient: bool) -> Result<Option<Line<'a>>, ParseError> {
        loop {
            match self.header() {
                Err(error) if lenient && error.kind == ParseErrorKind::HeaderLine => {
                    while let Some(b' ' | b'\t') = self.data.get(self.at) {
                        if self.plain()?.is_none() {
                            return Err(ParseError::new(ParseErrorKind::Truncated, self.at));
                        }
                    }
                }
                done => return done,
            }
        }
    }
}

/// How far a known name is looked for: none is longer, but for spaces before the colon. Others are found by their line.
const NAME_WINDOW: usize = 40;

/// A folded value on one line: each line end with the spaces around it becomes one space (RFC 3261 §7.3.1).
pub(crate) fn unfold(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for line in value.split(|&byte| byte == b'\n') {
        let line = class::trim(line.strip_suffix(b"\r").unwrap_or(line));
        if !out.is_empty() && !line.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(line);
    }
    out
}

/// Drops CRLFs (and LFs) before a message (RFC 3261 §7.5); says how many bytes they were.
pub(crate) fn leading_line_ends(data: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match data.get(at..) {
            Some([b'\n', ..]) => at += 1,
            Some([b'\r', b'\n', ..]) => at += 2,
            _ => return at,
        }
    }
}

/// The value of one Content-Length header (RFC 3261 §20.14).
pub(crate) fn content_length(value: &[u8], at: usize) -> Result<usize, ParseError> {
    let number =
        class::saturating_number(value).ok_or_else(|| ParseError::new(ParseErrorKind::ContentLength, at))?;
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

#[inline]
fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., last] = bytes
        && class::is_space(*last)
    {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_lines_become_one() {
        let data = b"Subject : I know you're there,\r\n pick up the phone \n\t and talk\r\nTo:x\n\r\n";
        let mut lines = Lines::new(data, 0, true);
        let subject = lines.header().unwrap().unwrap();
        assert_eq!(subject.name, b"Subject");
        assert!(subject.folded);
        assert_eq!(unfold(subject.value), b"I know you're there, pick up the phone and talk");
        let to = lines.header().unwrap().unwrap();
        assert_eq!((to.name, to.value, to.folded), (&b"To"[..], &b"x"[..], false));
        assert!(lines.header().unwrap().is_none());
        assert_eq!(lines.position(), data.len());
    }

    #[test]
    fn bad_lines_are_errors_where_they_are() {
        for (data, kind, at) in [
            (&b"To x\r\n\r\n"[..], ParseErrorKind::HeaderLine, 0),
            (b"T o: x\r\n\r\n", ParseErrorKind::HeaderLine, 0),
            (b": x\r\n\r\n", ParseErrorKind::HeaderLine, 0),
            (b"To: a\rb\r\n\r\n", ParseErrorKind::LineEnd, 5),
            (b"To: x", ParseErrorKind::Truncated, 0),
        ] {
            let error = Lines::new(data, 0, true).header().map(|_| ()).unwrap_err();
            assert_eq!((error.kind, error.at), (kind, at), "{}", data.escape_ascii());
        }
        let mut lines = Lines::new(b"To: x\r\n", 0, true);
        assert!(lines.header().unwrap().is_some());
        assert_eq!(lines.header().map(|_| ()).unwrap_err().kind, ParseErrorKind::Truncated);
    }
}
