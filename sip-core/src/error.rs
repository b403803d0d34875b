//! What can be wrong with a message, and the one mapping to the status that says so.

use crate::status::StatusCode;
use core::fmt;

/// A message, header or URI that does not follow its grammar, or exceeds a limit.
///
/// It prints what is wrong, where, and what was expected: `From, byte 12: expected a closing quote`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// The byte at which it was noticed, counted from the beginning of the value that was parsed: the
    /// message, or the header's value, or the URI.
    pub at: usize,
    /// What was parsed: the canonical name of a header that the crate knows, `message` or `URI`; empty when unknown.
    pub place: &'static str,
}

impl ParseError {
    /// An error of this kind at this byte of the value in hand.
    #[must_use]
    pub const fn new(kind: ParseErrorKind, at: usize) -> Self {
        Self { kind, at, place: "" }
    }

    /// The same, saying what was parsed if that is not said yet.
    #[must_use]
    pub const fn in_place(mut self, place: &'static str) -> Self {
        if self.place.is_empty() {
            self.place = place;
        }
        self
    }

    /// The status to answer a request with that has this error (RFC 3261 §21).
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self.kind {
            ParseErrorKind::Version => StatusCode::VERSION_NOT_SUPPORTED,
            ParseErrorKind::MessageTooLarge
            | ParseErrorKind::TooManyHeaders
            | ParseErrorKind::HeaderTooLong
            | ParseErrorKind::TooManyValues
            | ParseErrorKind::TooManyParams => StatusCode::MESSAGE_TOO_LARGE,
            ParseErrorKind::BodyTooLarge | ParseErrorKind::TooManyParts => {
                StatusCode::REQUEST_ENTITY_TOO_LARGE
            }
            ParseErrorKind::UriTooLong => StatusCode::URI_TOO_LONG,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}, ", self.place)?;
        }
        write!(f, "byte {}: {}", self.at, self.kind)
    }
}

impl core::error::Error for ParseError {}

/// The ways in which a message, header or URI can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The first line is neither a request line nor a status line.
    #[error("expected `METHOD URI SIP/2.0` or `SIP/2.0 CODE REASON`, each part after one space")]
    StartLine,
    /// The version is not SIP/2.0.
    #[error("expected the version SIP/2.0")]
    Version,
    /// The status code is not three digits from 100 to 699.
    #[error("expected a status code from 100 to 699")]
    StatusCode,
    /// A header line is not `name: value`.
    #[error("expected a header line `name: value`")]
    HeaderLine,
    /// The headers do not end with an empty line.
    #[error("expected an empty line after the headers")]
    Truncated,
    /// A CR or LF that does not end a line.
    #[error("a CR or LF within a value")]
    LineEnd,
    /// The message is larger than [`Limits::message`](crate::Limits::message).
    #[error("the message is larger than the limit")]
    MessageTooLarge,
    /// A header is longer than [`Limits::header`](crate::Limits::header).
    #[error("the header is longer than the limit")]
    HeaderTooLong,
    /// There are more headers than [`Limits::headers`](crate::Limits::headers).
    #[error("there are more headers than the limit")]
    TooManyHeaders,
    /// Via, or a header of routes, has more values than [`Limits::vias`](crate::Limits::vias) or
    /// [`Limits::routes`](crate::Limits::routes).
    #[error("there are more values of this header than the limit")]
    TooManyValues,
    /// A value or a URI has more parameters than [`Limits::params`](crate::Limits::params).
    #[error("there are more parameters than the limit")]
    TooManyParams,
    /// The body is longer than [`Limits::body`](crate::Limits::body).
    #[error("the body is longer than the limit")]
    BodyTooLarge,
    /// A URI is longer than [`Limits::uri`](crate::Limits::uri) or 65 535 bytes.
    #[error("the URI is longer than the limit")]
    UriTooLong,
    /// Content-Length is larger than what the datagram holds.
    #[error("the body is shorter than Content-Length says")]
    BodyTruncated,
    /// Content-Length is not a number, or two of them differ.
    #[error("expected one Content-Length with a decimal number")]
    ContentLength,
    /// A stream has a message without Content-Length (RFC 3261 §18.3).
    #[error("expected a Content-Length in a message on a stream")]
    NoContentLength,
    /// A header that must be there is not.
    #[error("the header is missing")]
    Missing,
    /// A header that may be there once is there twice.
    #[error("the header may occur only once")]
    Duplicate,
    /// A Via without a branch, or with the magic cookie alone, where that is not forgiven (RFC 3261 §8.1.1.7).
    #[error("expected a branch, and more than z9hG4bK")]
    Branch,
    /// A From without a tag, where that is not forgiven.
    #[error("expected a tag")]
    Tag,
    /// The method in CSeq is not the request's.
    #[error("expected the method of the request line")]
    CSeqMethod,
    /// The Request-URI has a `?headers` part, which only other URIs may have.
    #[error("a Request-URI has no headers part")]
    UriHeaders,
    /// Not UTF-8.
    #[error("expected UTF-8")]
    Utf8,
    /// Not a token.
    #[error("expected a token")]
    Token,
    /// Not a decimal number.
    #[error("expected a decimal number")]
    Number,
    /// A number beyond its range.
    #[error("the number is out of range")]
    Range,
    /// A quoted string that does not begin or end where it should.
    #[error("expected a closing quote")]
    Quote,
    /// An angle bracket that is not closed.
    #[error("expected a closing `>`")]
    Bracket,
    /// Another separator was expected.
    #[error("expected `{0}`")]
    Separator(char),
    /// Something follows what should be the end.
    #[error("expected the end of the value")]
    Trailing,
    /// Not a URI scheme with its colon.
    #[error("expected a URI scheme and `:`")]
    Scheme,
    /// A character that the user part of a URI cannot have.
    #[error("a character that must be escaped in the user part of a URI")]
    User,
    /// Not a host name, IPv4 address or bracketed IPv6 address.
    #[error("expected a host name, an IPv4 address or an IPv6 address in brackets")]
    Host,
    /// Not a port.
    #[error("expected a port from 0 to 65535")]
    Port,
    /// A character that a URI cannot have, or `%` without two hexadecimal digits.
    #[error("a character that a URI must escape, or `%` without two hexadecimal digits")]
    Uri,
    /// A parameter that is not `name` or `name=value`.
    #[error("expected a parameter `name` or `name=value`")]
    Param,
    /// An authentication scheme other than Digest.
    #[error("expected the authentication scheme Digest")]
    AuthScheme,
    /// A multipart body without a `boundary` of 1 to 70 characters (RFC 2046 §5.1.1).
    #[error("expected a `boundary` parameter of 1 to 70 characters, the last no space")]
    Boundary,
    /// A multipart body whose parts are not between its boundaries.
    #[error("expected a line `--boundary` before each part and `--boundary--` after the last")]
    Multipart,
    /// There are more body parts, or more levels of them, than [`Limits`](crate::Limits) allows.
    #[error("there are more body parts, or more levels of them, than the limit")]
    TooManyParts,
    /// A date that is not as RFC 3261 §20.17 has it.
    #[error("expected a date as in `Sat, 13 Nov 2010 23:29:00 GMT`")]
    Date,
}

/// A header value that cannot be written: it has a CR or LF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: a value has no CR and no LF")]
pub struct InvalidValue {
    /// Where the line end is.
    pub at: usize,
}
