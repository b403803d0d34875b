//! Reads a message: start line, header lines, body (RFC 3261 §7, §18.3).

use super::{Message, Request, Response};
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{HeaderName, Headers, HeadersBuilder};
use crate::leniency::Lenient;
use crate::limits::Limits;
use crate::method::Method;
use crate::parse::line::{Lines, content_length, leading_line_ends, unfold};
use crate::parse::{class, grammar};
use crate::status::StatusCode;
use crate::text::{Text, offset};
use crate::uri::Uri;
use bytes::Bytes;
use memchr::{memchr, memrchr};

/// Lines of a usual message: one allocation holds them.
const USUAL_LINES: usize = 24;

pub(super) fn message(datagram: Bytes, limits: &Limits, lenient: Lenient) -> Result<Message, ParseError> {
    let fail = |kind, at| ParseError::new(kind, at).in_place("message");
    if datagram.len() > limits.message || !Headers::fits(datagram.len()) {
        return Err(fail(ParseErrorKind::MessageTooLarge, limits.message));
    }
    let begin = if lenient.leading_line_ends() { leading_line_ends(&datagram) } else { 0 };
    let mut lines = Lines::new(&datagram, begin, lenient.lf_line_ends());
    let start = lines.plain().map_err(|error| error.in_place("message"))?;
    let start = start.ok_or_else(|| fail(ParseErrorKind::Truncated, begin))?;
    let start =
        StartLine::read(&datagram, start, limits, lenient).map_err(|error| error.in_place("message"))?;
    let (found, length) =
        header_lines(&datagram, &mut lines, limits, lenient).map_err(|error| error.in_place("message"))?;
    let body_at = lines.position();
    let there = datagram.len() - body_at;
    if length.unwrap_or(there).min(there) > limits.body {
        return Err(fail(ParseErrorKind::BodyTooLarge, body_at));
    }
    let body = match length {
        None => body_at..datagram.len(),
        Some(length) if length <= there => body_at..body_at + length,
        Some(_) if lenient.truncated_bodies() => body_at..datagram.len(),
        Some(_) => return Err(fail(ParseErrorKind::BodyTruncated, datagram.len())),
    };
    let body = datagram.slice(body);
    let headers = Headers::of(datagram, found);
    Ok(match start {
        StartLine::Request { method, uri } => Message::Request(Request { method, uri, headers, body }),
        StartLine::Status { status, reason } => Message::Response(Response { status, reason, headers, body }),
    })
}

/// The header lines up to the empty one, and what Content-Length says.
pub(super) fn headers(
    text: &Bytes,
    lines: &mut Lines<'_>,
    limits: &Limits,
    lenient: Lenient,
) -> Result<(Headers, Option<usize>), ParseError> {
    if !Headers::fits(text.len()) {
        return Err(ParseError::new(ParseErrorKind::MessageTooLarge, 0));
    }
    let (found, length) = header_lines(text, lines, limits, lenient)?;
    Ok((Headers::of(text.clone(), found), length))
}

fn header_lines(
    datagram: &[u8],
    lines: &mut Lines<'_>,
    limits: &Limits,
    lenient: Lenient,
) -> Result<(HeadersBuilder, Option<usize>), ParseError> {
    let mut headers = HeadersBuilder::new(USUAL_LINES.min(limits.headers), lenient);
    let mut length = None;
    let mut counts = Counts::default();
    loop {
        let line = match lines.header_or_skip(lenient.malformed_lines()) {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(error) if error.kind == ParseErrorKind::Truncated && ends(datagram, lines, lenient) => break,
            Err(error) => return Err(error),
        };
        if headers.len() >= limits.headers {
            return Err(ParseError::new(ParseErrorKind::TooManyHeaders, line.at));
        }
        if lines.position() - line.at > limits.header {
            return Err(ParseError::new(ParseErrorKind::HeaderTooLong, line.at));
        }
        if line.known == Some(CONTENT_LENGTH) {
            let this = if line.folded {
                content_length(&unfold(line.value), line.at)?
            } else {
                content_length(line.value, line.at)?
            };
            if length.is_some_and(|other| other != this) {
                return Err(ParseError::new(ParseErrorKind::ContentLength, line.at));
            }
            length = Some(this);
        }
        if let Some(known) = line.known {
            counts.add(known, line.value, limits).map_err(|kind| ParseError::new(kind, line.at))?;
        }
        if line.folded {
            headers.push_unfolded(datagram, line.known, line.name, Bytes::from(unfold(line.value)));
        } else {
            headers.push(datagram, line.known, line.name, line.value);
        }
    }
    Ok((headers, length))
}

/// Whether the head may end here, at the end of the datagram.
fn ends(datagram: &[u8], lines: &Lines<'_>, lenient: Lenient) -> bool {
    lenient.missing_empty_line() && lines.position() == datagram.len()
}

/// How many values there are of what each hop adds to.
#[derive(Default)]
struct Counts {
    vias: usize,
    routes: [usize; 4],
}

const CONTENT_LENGTH: u8 = HeaderName::number("Content-Length");
const VIA: u8 = HeaderName::number("Via");
const ROUTE: u8 = HeaderName::number("Route");
const RECORD_ROUTE: u8 = HeaderName::number("Record-Route");
const PATH: u8 = HeaderName::number("Path");
const SERVICE_ROUTE: u8 = HeaderName::number("Service-Route");

impl Counts {
    /// Counts the values of a line.
    #[inline]
    fn add(&mut self, known: u8, value: &[u8], limits: &Limits) -> Result<(), ParseErrorKind> {
        let [route, record_route, path, service_route] = &mut self.routes;
        let (count, limit) = match known {
            VIA => (&mut self.vias, limits.vias),
            ROUTE => (route, limits.routes),
            RECORD_ROUTE => (record_route, limits.routes),
            PATH => (path, limits.routes),
            SERVICE_ROUTE => (service_route, limits.routes),
            _ => return Ok(()),
        };
        let mut rest = Some(value);
        while let Some(more) = rest {
            *count += 1;
            if *count > limit {
                return Err(ParseErrorKind::TooManyValues);
            }
            rest = grammar::split_list(more).1;
        }
        Ok(())
    }
}

/// The first line of a message.
pub(super) enum StartLine {
    Request { method: Method, uri: Uri },
    Status { status: StatusCode, reason: Text },
}

impl StartLine {
    /// Reads the line, which is part of the datagram.
    pub(super) fn read(
        datagram: &Bytes,
        line: &[u8],
        limits: &Limits,
        lenient: Lenient,
    ) -> Result<Self, ParseError> {
        let line = if lenient.start_line_trailing_spaces() { trim_end(line) } else { line };
        // No method has a `/`, so this is a version.
        if line.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"SIP/")) {
            Self::status(datagram, line, lenient)
        } else {
            Self::request(datagram, line, limits, lenient)
        }
    }

    /// `METHOD URI SIP/2.0`
    fn request(datagram: &Bytes, line: &[u8], limits: &Limits, lenient: Lenient) -> Result<Self, ParseError> {
        let at = |part: &[u8]| offset(datagram, part);
        let fail = |kind, part: &[u8]| Err(ParseError::new(kind, at(part)));
        let parts = memchr(b' ', line).zip(memrchr(b' ', line)).and_then(|(first, last)| {
            Some((line.get(..first)?, line.get(first + 1..last)?, line.get(last + 1..)?))
        });
        let Some((method, mut uri, version)) = parts else { return fail(ParseErrorKind::StartLine, line) };
        if lenient.start_line_spaces() {
            uri = trim_end(trim_start(uri));
        }
        if uri.is_empty() || memchr(b' ', uri).is_some() || version.is_empty() {
            return fail(ParseErrorKind::StartLine, line);
        }
        if !version.eq_ignore_ascii_case(b"SIP/2.0") {
            let is_version = version.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"SIP/"));
            return fail(
                if is_version { ParseErrorKind::Version } else { ParseErrorKind::StartLine },
                version,
            );
        }
        if lenient.bracketed_request_uri()
            && let [b'<', inside @ .., b'>'] = uri
        {
            uri = inside;
        }
        if uri.len() > limits.uri {
            return fail(ParseErrorKind::UriTooLong, uri);
        }
        let method = match Method::read_part(datagram, method) {
            Ok(method) => method,
            Err(error) => return Err(ParseError { at: at(method) + error.at, ..error }),
        };
        match Uri::read_with(datagram, uri, lenient) {
            Ok(uri) if lenient.request_uri_headers() && uri.has_headers() => {
                Ok(Self::Request { method, uri: uri.without_headers() })
            }
            Ok(uri) => Ok(Self::Request { method, uri }),
            Err(error) => Err(ParseError { at: at(uri) + error.at, place: "Request-URI", ..error }),
        }
    }

    /// `SIP/2.0 CODE REASON`; the reason may be empty.
    fn status(datagram: &Bytes, line: &[u8], lenient: Lenient) -> Result<Self, ParseError> {
        let fail = |kind, part: &[u8]| Err(ParseError::new(kind, offset(datagram, part)));
        let word = |line: &'_ [u8]| memchr(b' ', line).unwrap_or(line.len());
        let (version, rest) = line.split_at_checked(word(line)).unwrap_or_default();
        let Some(mut rest) = rest.strip_prefix(b" ") else { return fail(ParseErrorKind::StartLine, line) };
        if !version.eq_ignore_ascii_case(b"SIP/2.0") {
            return fail(ParseErrorKind::Version, version);
        }
        if lenient.start_line_spaces() {
            rest = trim_start(rest);
        }
        let (code, rest) = rest.split_at_checked(word(rest)).unwrap_or_default();
        let number = class::number(code).filter(|_| code.len() == 3);
        let status = number.and_then(|code| u16::try_from(code).ok()).and_then(StatusCode::new);
        let Some(status) = status else { return fail(ParseErrorKind::StatusCode, code) };
        let reason = match rest {
            [_, reason @ ..] => reason,
            [] if lenient.status_line_without_space() => &[],
            [] => return fail(ParseErrorKind::StartLine, line),
        };
        if reason == status.reason().as_bytes() {
            return Ok(Self::Status { status, reason: Text::from_static(status.reason()) });
        }
        match Text::slice_lossy(datagram, reason, lenient.non_utf8_text()) {
            Ok(reason) => Ok(Self::Status { status, reason }),
            Err(error) => Err(ParseError { at: offset(datagram, reason) + error.at, ..error }),
        }
    }
}

fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b' '] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_faults_are_places_in_the_datagram() {
        let limits = Limits::default();
        for (text, kind, at) in [
            ("OPTIONS sip:a@b SIP/2.0\r\nTo x\r\n\r\n", ParseErrorKind::HeaderLine, 25),
            ("\r\nOPTIONS sip:a@@b SIP/2.0\r\n\r\n", ParseErrorKind::Host, 16),
            ("O@TIONS sip:a@b SIP/2.0\r\n\r\n", ParseErrorKind::Token, 1),
            ("OPTIONS sip:a@b SIP/3.0\r\n\r\n", ParseErrorKind::Version, 16),
            ("SIP/2.0 20 OK\r\n\r\n", ParseErrorKind::StatusCode, 8),
        ] {
            let error = message(Bytes::from(text), &limits, Lenient::DEFAULT).unwrap_err();
            assert_eq!((error.kind, error.at), (kind, at), "{text:?}");
        }
    }
}
