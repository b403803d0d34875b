//! Finds the parts of a URI (RFC 3261 §25.1, `SIP-URI` and `absoluteURI`; RFC 3966 §3).

use super::{Host, Kind, Parts, uri_error};
use crate::error::{ParseError, ParseErrorKind};
use crate::parse::class;
use memchr::memchr;

/// The parts of the URI that is the whole of `text`.
pub(super) fn uri(text: &[u8]) -> Result<Parts, ParseError> {
    if u16::try_from(text.len()).is_err() {
        return Err(uri_error(ParseErrorKind::UriTooLong, text.len()));
    }
    let colon = text.iter().position(|&byte| !class::is(byte, class::SCHEME)).unwrap_or(text.len());
    let (scheme, rest) = text.split_at_checked(colon).unwrap_or_default();
    if !scheme.first().is_some_and(u8::is_ascii_alphabetic) || rest.first() != Some(&b':') {
        return Err(uri_error(ParseErrorKind::Scheme, colon));
    }
    let mut parts = Parts { kind: kind(scheme), scheme_end: short(colon), ..Parts::default() };
    let start = colon + 1;
    let rest = rest.get(1..).unwrap_or_default();
    match parts.kind {
        Kind::Sip | Kind::Sips => sip(rest, start, &mut parts)?,
        Kind::Tel => tel(rest, start, &mut parts)?,
        Kind::Other => opaque(rest, start, &mut parts)?,
    }
    Ok(parts)
}

/// `[ userinfo "@" ] hostport uri-parameters [ headers ]`, at `start` of the whole.
fn sip(rest: &[u8], start: usize, parts: &mut Parts) -> Result<(), ParseError> {
    let mut at = start;
    let mut rest = rest;
    parts.user_end = short(start);
    parts.password_end = short(start);
    // `@` stands nowhere else unescaped.
    if let Some(end) = memchr(b'@', rest) {
        let (userinfo, after) = rest.split_at_checked(end).unwrap_or_default();
        let user_len = memchr(b':', userinfo).unwrap_or(end);
        let (user, password) = userinfo.split_at_checked(user_len).unwrap_or_default();
        if user.is_empty() {
            return Err(uri_error(ParseErrorKind::User, start));
        }
        if let Some(wrong) = class::escaped_error(user, class::USER) {
            return Err(uri_error(ParseErrorKind::User, start + wrong));
        }
        if let Some(wrong) = class::escaped_error(password.get(1..).unwrap_or_default(), class::PASSWORD) {
            return Err(uri_error(ParseErrorKind::User, start + user_len + 1 + wrong));
        }
        parts.user_end = short(start + user_len);
        parts.password_end = short(start + end);
        at = start + end + 1;
        rest = after.get(1..).unwrap_or_default();
    }
    parts.host_start = short(at);
    let host_len = Host::len(rest).ok_or_else(|| uri_error(ParseErrorKind::Host, at))?;
    at += host_len;
    rest = rest.get(host_len..).unwrap_or_default();
    parts.host_end = short(at);
    if let [b':', after @ ..] = rest {
        let digits = after.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(after.len());
        let port = class::number(after.get(..digits).unwrap_or_default());
        let port = port.and_then(|port| u16::try_from(port).ok());
        parts.port = Some(port.ok_or_else(|| uri_error(ParseErrorKind::Port, at + 1))?);
        at += 1 + digits;
        rest = after.get(digits..).unwrap_or_default();
    }
    params(rest, at, parts)
}

/// `*( ";" uri-parameter ) [ "?" headers ]` at `at` of the whole, up to its end.
fn params(rest: &[u8], mut at: usize, parts: &mut Parts) -> Result<(), ParseError> {
    parts.params_start = short(at);
    let end = memchr(b'?', rest).unwrap_or(rest.len());
    let (list, headers) = rest.split_at_checked(end).unwrap_or_default();
    parts.params_end = short(at + end);
    if !list.is_empty() {
        let mut params = list.split(|&byte| byte == b';');
        if params.next() != Some(&[]) {
            return Err(uri_error(ParseErrorKind::Uri, at));
        }
        for param in params {
            at += 1;
            if matches!(param.first(), None | Some(b'=')) || param.last() == Some(&b'=') && !is_padded(param)
            {
                return Err(uri_error(ParseErrorKind::Param, at));
            }
            if let Some(wrong) = class::escaped_error(param, class::URI_PARAM) {
                return Err(uri_error(ParseErrorKind::Uri, at + wrong));
            }
            at += param.len();
        }
    }
    if let [_, pairs @ ..] = headers {
        if pairs.is_empty() {
            return Err(uri_error(ParseErrorKind::Uri, at));
        }
        if let Some(wrong) = class::escaped_error(pairs, class::URI_HEADER) {
            return Err(uri_error(ParseErrorKind::Uri, at + 1 + wrong));
        }
    }
    Ok(())
}

/// Whether a value that ends with `=` has more than the `=` after its name (base64 padding).
fn is_padded(param: &[u8]) -> bool {
    memchr(b'=', param).is_some_and(|at| at + 1 < param.len())
}

/// `number *( ";" parameter )`, kept as written.
fn tel(rest: &[u8], start: usize, parts: &mut Parts) -> Result<(), ParseError> {
    let len = memchr(b';', rest).unwrap_or(rest.len());
    let number = rest.get(..len).unwrap_or_default();
    let wrong = number.iter().enumerate().position(|(at, byte)| match byte {
        b'+' => at != 0,
        b'-' | b'.' | b'(' | b')' | b'*' | b'#' => false,
        byte => !byte.is_ascii_hexdigit(),
    });
    if let Some(wrong) = wrong.or_else(|| number.is_empty().then_some(0)) {
        return Err(uri_error(ParseErrorKind::User, start + wrong));
    }
    parts.user_end = short(start + len);
    parts.password_end = parts.user_end;
    params(rest.get(len..).unwrap_or_default(), start + len, parts)
}

fn opaque(rest: &[u8], start: usize, parts: &mut Parts) -> Result<(), ParseError> {
    if let Some(wrong) = class::escaped_error(rest, class::URIC).or_else(|| rest.is_empty().then_some(0)) {
        return Err(uri_error(ParseErrorKind::Uri, start + wrong));
    }
    let end = short(start + rest.len());
    (parts.params_start, parts.params_end) = (end, end);
    Ok(())
}

fn kind(scheme: &[u8]) -> Kind {
    if scheme.eq_ignore_ascii_case(b"sip") {
        Kind::Sip
    } else if scheme.eq_ignore_ascii_case(b"sips") {
        Kind::Sips
    } else if scheme.eq_ignore_ascii_case(b"tel") {
        Kind::Tel
    } else {
        Kind::Other
    }
}

/// An offset within a text whose length was checked to fit.
fn short(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}
