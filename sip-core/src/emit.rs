//! The only writer of messages and header values.
//!
//! A header's value passes through [`Emitter`], which writes a space for CR and LF, or comes from a message
//! in which it was one line: so nothing that a person or a peer supplied can begin a line of its own.

use crate::header::{HeaderName, Headers};
use crate::text::one_line;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt::{self, Write as _};

/// Takes the value of a header as it is written: `write!(out, ...)`. CR and LF become spaces.
#[derive(Debug, Default)]
pub struct Emitter {
    out: Vec<u8>,
}

impl Emitter {
    /// An empty value.
    #[must_use]
    pub fn new() -> Self {
        Self { out: Vec::with_capacity(64) }
    }

    /// What was written, spaces at both ends aside.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        Bytes::copy_from_slice(crate::parse::class::trim(&self.out))
    }
}

impl fmt::Write for Emitter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.extend_from_slice(one_line(text).as_bytes());
        Ok(())
    }
}

/// The start line of a message.
pub(crate) enum StartLine<'a> {
    Request { method: &'a str, uri: &'a str },
    Status { code: u16, reason: &'a str },
}

/// Writes a whole message. Content-Length is the body's true length, in its place or after all headers.
pub(crate) fn message(start: &StartLine<'_>, headers: &Headers, body: &[u8]) -> Vec<u8> {
    let head: usize = headers.raw_lines().map(|(name, value)| name.len() + value.len() + 4).sum();
    let mut line = Emitter { out: Vec::with_capacity(head + body.len() + 160) };
    // Writing to a vector does not fail.
    let _ = match start {
        StartLine::Request { method, uri } => write!(line, "{method} {uri} SIP/2.0"),
        StartLine::Status { code, reason } => write!(line, "SIP/2.0 {code} {reason}"),
    };
    let mut out = line.out;
    out.extend_from_slice(b"\r\n");
    let mut length_is_written = false;
    let length_name = HeaderName::CONTENT_LENGTH.known_str().as_bytes();
    for (name, value) in headers.raw_lines() {
        if name != length_name {
            header(&mut out, name, value);
        } else if !length_is_written {
            content_length(&mut out, body.len());
            length_is_written = true;
        }
    }
    if !length_is_written {
        content_length(&mut out, body.len());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out
}

/// Writes one header line.
pub(crate) fn header(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn content_length(out: &mut Vec<u8>, length: usize) {
    let mut digits = Emitter::default();
    let _ = write!(digits, "{length}");
    header(out, HeaderName::CONTENT_LENGTH.known_str().as_bytes(), &digits.out);
}
