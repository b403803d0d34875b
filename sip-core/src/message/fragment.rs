//! `message/sipfrag`: a piece of a message as a body (RFC 3420), by which a NOTIFY tells how a REFER went (RFC 3515 §2.4.4).

use super::read::{self, StartLine};
use crate::emit;
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{ContentType, Headers};
use crate::leniency::{Lenient, ReadOptions};
use crate::limits::Limits;
use crate::method::Method;
use crate::parse::class;
use crate::parse::line::Lines;
use crate::status::StatusCode;
use crate::text::Text;
use crate::uri::Uri;
use alloc::format;
use alloc::vec::Vec;
use bytes::Bytes;

/// A piece of a message: a start line, headers and a body, none of which need be there.
///
/// Leniency: [`unended_fragments`](crate::Leniency::unended_fragments).
///
/// ```
/// use sidetone_sip_core::{Fragment, Limits, StatusCode};
/// let fragment = Fragment::parse(&b"SIP/2.0 200 OK\r\n"[..].into(), &Limits::default()).unwrap();
/// assert_eq!(fragment.status(), Some(StatusCode::OK));
/// assert_eq!(Fragment::response(StatusCode::TRYING).to_bytes(), b"SIP/2.0 100 Trying\r\n");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fragment {
    /// The request line or status line.
    pub start: Option<FragmentStart>,
    /// The headers.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

/// The first line of a fragment.
#[derive(Clone, Debug, PartialEq)]
pub enum FragmentStart {
    /// A request line.
    Request {
        /// What was asked.
        method: Method,
        /// Of whom.
        uri: Uri,
    },
    /// A status line.
    Response {
        /// The answer.
        status: StatusCode,
        /// The answer for people.
        reason: Text,
    },
}

impl Fragment {
    /// A status line alone.
    #[must_use]
    pub const fn response(status: StatusCode) -> Self {
        let reason = Text::from_static(status.reason());
        Self {
            start: Some(FragmentStart::Response { status, reason }),
            headers: Headers::new(),
            body: Bytes::new(),
        }
    }

    /// The status, when the fragment begins with a status line.
    #[must_use]
    pub const fn status(&self) -> Option<StatusCode> {
        match &self.start {
            Some(FragmentStart::Response { status, .. }) => Some(*status),
            Some(FragmentStart::Request { .. }) | None => None,
        }
    }

    /// The content type of a fragment: `message/sipfrag;version=2.0`.
    #[must_use]
    pub fn content_type() -> ContentType {
        let mut kind = ContentType::SIPFRAG;
        kind.params.set("version", "2.0");
        kind
    }

    /// Reads the body that is a fragment; shares its memory.
    ///
    /// # Errors
    /// The first line is neither a start line nor a header line, a header line does not follow the grammar, or a
    /// limit is exceeded.
    pub fn parse(text: &Bytes, limits: &Limits) -> Result<Self, ParseError> {
        Self::read(text, limits, Lenient::DEFAULT.with_limits(limits))
    }

    /// As [`Fragment::parse`], with what is forgiven.
    ///
    /// # Errors
    /// Those of [`Fragment::parse`].
    pub fn parse_with(text: &Bytes, options: &ReadOptions) -> Result<Self, ParseError> {
        let lenient = Lenient::new(&options.leniency).with_limits(&options.limits);
        Self::read(text, &options.limits, lenient)
    }

    fn read(text: &Bytes, limits: &Limits, lenient: Lenient) -> Result<Self, ParseError> {
        if text.len() > limits.message {
            return Err(ParseError::new(ParseErrorKind::MessageTooLarge, limits.message).in_place("sipfrag"));
        }
        let line_ended = text.is_empty() || text.ends_with(b"\n");
        let read = match read(text, limits, lenient) {
            Err(error)
                if error.kind == ParseErrorKind::Truncated && (line_ended || lenient.unended_fragments()) =>
            {
                // A fragment need not have the empty line that ends the headers.
                let mut ended = Vec::with_capacity(text.len() + 4);
                ended.extend_from_slice(text);
                ended.extend_from_slice(if line_ended { b"\r\n" } else { b"\r\n\r\n" });
                read(&Bytes::from(ended), limits, lenient)
            }
            done => done,
        };
        read.map_err(|error| error.in_place("sipfrag"))
    }

    /// The fragment as a body. The empty line is there when a body follows it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = match &self.start {
            Some(FragmentStart::Request { method, uri }) => {
                format!("{method} {uri} SIP/2.0\r\n").into_bytes()
            }
            Some(FragmentStart::Response { status, reason }) => {
                format!("SIP/2.0 {status} {reason}\r\n").into_bytes()
            }
            None => Vec::new(),
        };
        self.headers.raw_lines().for_each(|(name, value)| emit::header(&mut out, name, value));
        if !self.body.is_empty() {
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(&self.body);
        }
        out
    }
}

fn read(text: &Bytes, limits: &Limits, lenient: Lenient) -> Result<Fragment, ParseError> {
    let mut lines = Lines::new(text, 0, lenient.lf_line_ends());
    let first = lines.plain()?;
    let first = first.ok_or(ParseError::new(ParseErrorKind::Truncated, 0))?;
    let start = if is_header(first) || first.is_empty() {
        lines = Lines::new(text, 0, lenient.lf_line_ends());
        None
    } else {
        Some(match StartLine::read(text, first, limits, lenient)? {
            StartLine::Request { method, uri } => FragmentStart::Request { method, uri },
            StartLine::Status { status, reason } => FragmentStart::Response { status, reason },
        })
    };
    let (headers, length) = read::headers(text, &mut lines, limits, lenient)?;
    let rest = text.slice(lines.position().min(text.len())..);
    let body = match length {
        Some(length) if length < rest.len() => rest.slice(..length),
        _ => rest,
    };
    Ok(Fragment { start, headers, body })
}

/// Whether a line is `name: value`; no start line has a colon after its first word.
fn is_header(line: &[u8]) -> bool {
    let name = line.iter().take_while(|&&byte| class::is(byte, class::TOKEN)).count();
    let after = line.get(name..).unwrap_or_default();
    name > 0 && class::trim(after).first() == Some(&b':')
}
