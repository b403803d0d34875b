//! Reads a message: start line, header lines, body (RFC 3261 §7, §18.3).

use super::{Message, Request, Response};
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{HeaderName, Headers};
use crate::limits::Limits;
use crate::method::Method;
use crate::parse::class;
use crate::parse::line::{Lines, content_length, leading_line_ends, unfold};
use crate::status::StatusCode;
use crate::text::{Text, offset, sub};
use crate::uri::Uri;
use bytes::Bytes;

/// Lines of a usual message: one allocation holds them.
const USUAL_LINES: usize = 24;

pub(super) fn message(datagram: &Bytes, limits: &Limits) -> Result<Message, ParseError> {
    let fail = |kind, at| ParseError::new(kind, at).in_place("message");
    if datagram.len() > limits.message {
        return Err(fail(ParseErrorKind::MessageTooLarge, limits.message));
    }
    let mut lines = Lines::new(datagram, leading_line_ends(datagram));
    let at = lines.position();
    let start = lines.plain().map_err(|error| error.in_place("message"))?;
    let start = start.ok_or_else(|| fail(ParseErrorKind::Truncated, at))?;
    let start = StartLine::read(datagram, start, limits).map_err(|error| error.in_place("message"))?;
    let (headers, length) =
        headers(datagram, &mut lines, limits).map_err(|error| error.in_place("message"))?;
    let rest = datagram.slice(lines.position()..);
    let body = match length {
        None => rest,
        Some(length) if length <= rest.len() => rest.slice(..length),
        Some(_) => return Err(fail(ParseErrorKind::BodyTruncated, datagram.len())),
    };
    Ok(match start {
        StartLine::Request { method, uri } => Message::Request(Request { method, uri, headers, body }),
        StartLine::Status { status, reason } => Message::Response(Response { status, reason, headers, body }),
    })
}

/// The header lines up to the empty one, and what Content-Length says.
pub(super) fn headers(
    datagram: &Bytes,
    lines: &mut Lines<'_>,
    limits: &Limits,
) -> Result<(Headers, Option<usize>), ParseError> {
    let mut headers = Headers::with_capacity(USUAL_LINES.min(limits.headers));
    let mut length = None;
    while let Some(line) = lines.header()? {
        if headers.len() >= limits.headers {
            return Err(ParseError::new(ParseErrorKind::TooManyHeaders, line.at));
        }
        if lines.position() - line.at > limits.header {
            return Err(ParseError::new(ParseErrorKind::HeaderTooLong, line.at));
        }
        let name = HeaderName::read(datagram, line.name)?;
        let value = if line.folded { Bytes::from(unfold(line.value)) } else { sub(datagram, line.value) };
        if name == HeaderName::CONTENT_LENGTH {
            let this = content_length(&value, line.at)?;
            if length.is_some_and(|other| other != this) {
                return Err(ParseError::new(ParseErrorKind::ContentLength, line.at));
            }
            length = Some(this);
        }
        headers.push_line(name, value);
    }
    Ok((headers, length))
}

enum StartLine {
    Request { method: Method, uri: Uri },
    Status { status: StatusCode, reason: Text },
}

impl StartLine {
    fn read(datagram: &Bytes, line: &[u8], limits: &Limits) -> Result<Self, ParseError> {
        let at = |part: &[u8]| offset(datagram, part);
        let fail = |kind, part: &[u8]| Err(ParseError::new(kind, at(part)));
        // No method has a `/`, so this is a version.
        if line.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"SIP/")) {
            return Self::status(datagram, line);
        }
        let mut words = line.split(|&byte| byte == b' ');
        let (Some(method), Some(uri), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return fail(ParseErrorKind::StartLine, line);
        };
        if !version.eq_ignore_ascii_case(b"SIP/2.0") {
            let is_version = version.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"SIP/"));
            return fail(
                if is_version { ParseErrorKind::Version } else { ParseErrorKind::StartLine },
                version,
            );
        }
        if uri.len() > limits.uri {
            return fail(ParseErrorKind::UriTooLong, uri);
        }
        let shift = |part: &[u8], error: ParseError| ParseError { at: at(part) + error.at, ..error };
        Ok(Self::Request {
            method: match Method::read(&sub(datagram, method)) {
                Ok(method) => method,
                Err(error) => return Err(shift(method, error)),
            },
            uri: match Uri::read(datagram, uri) {
                Ok(read) => read,
                Err(error) => return Err(ParseError { place: "Request-URI", ..error }),
            },
        })
    }

    /// `SIP/2.0 CODE REASON`; the reason may be empty, and need not be UTF-8.
    fn status(datagram: &Bytes, line: &[u8]) -> Result<Self, ParseError> {
        let fail = |kind, part: &[u8]| Err(ParseError::new(kind, offset(datagram, part)));
        let mut words = line.splitn(3, |&byte| byte == b' ');
        let (Some(version), Some(code)) = (words.next(), words.next()) else {
            return fail(ParseErrorKind::StartLine, line);
        };
        if !version.eq_ignore_ascii_case(b"SIP/2.0") {
            return fail(ParseErrorKind::Version, version);
        }
        let number = class::number(code).filter(|_| code.len() == 3);
        let status = number.and_then(|code| u16::try_from(code).ok()).and_then(StatusCode::new);
        let Some(status) = status else { return fail(ParseErrorKind::StatusCode, code) };
        let reason = words.next().unwrap_or_default();
        Ok(Self::Status { status, reason: Text::from_utf8_lossy(&sub(datagram, reason)) })
    }
}
