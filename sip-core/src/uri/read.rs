//! Finds the parts of a URI (RFC 3261 §25.1, `SIP-URI` and `absoluteURI`; RFC 3966 §3), each byte looked at once or twice.

use super::tel::{has_context, wrong_number};
use super::{Host, Kind, Parts, uri_error};
use crate::error::{ParseError, ParseErrorKind};
use crate::leniency::Lenient;
use crate::parse::class;
use memchr::memchr;

/// The parts of the URI that is the whole of `text`.
pub(super) fn uri(text: &[u8], lenient: Lenient) -> Result<Parts, ParseError> {
    if u16::try_from(text.len()).is_err() {
        return Err(uri_error(ParseErrorKind::UriTooLong, text.len()));
    }
    let (kind, colon) = scheme(text)?;
    let mut parts = Parts { kind, scheme_end: short(colon), ..Parts::default() };
    let start = colon + 1;
    match parts.kind {
        Kind::Sip | Kind::Sips => sip(text, start, &mut parts, lenient)?,
        Kind::Tel => tel(text, start, &mut parts, lenient)?,
        Kind::Other => opaque(text, start, &mut parts, lenient)?,
    }
    Ok(parts)
}

/// The scheme, and where its colon is.
fn scheme(text: &[u8]) -> Result<(Kind, usize), ParseError> {
    let is = |name: &[u8]| text.get(..name.len()).is_some_and(|front| front.eq_ignore_ascii_case(name));
    if let [s, i, p, b':', ..] = text
        && [s | 0x20, i | 0x20, p | 0x20] == *b"sip"
    {
        return Ok((Kind::Sip, 3));
    } else if is(b"sips:") {
        return Ok((Kind::Sips, 4));
    } else if is(b"tel:") {
        return Ok((Kind::Tel, 3));
    }
    let colon = text.iter().position(|&byte| !class::is(byte, class::SCHEME)).unwrap_or(text.len());
    if !text.first().is_some_and(u8::is_ascii_alphabetic) || text.get(colon) != Some(&b':') {
        return Err(uri_error(ParseErrorKind::Scheme, colon));
    }
    Ok((Kind::Other, colon))
}

/// `[ userinfo "@" ] hostport uri-parameters [ headers ]`, from `start`.
fn sip(text: &[u8], start: usize, parts: &mut Parts, lenient: Lenient) -> Result<(), ParseError> {
    let mut at = start;
    parts.user_end = short(start);
    parts.password_end = short(start);
    let rest = from(text, start);
    let user_len = class::span(rest, class::USER);
    if user_len > 0 && rest.get(user_len) == Some(&b'@') {
        // The usual user: no escape and no password.
        parts.user_end = short(start + user_len);
        parts.password_end = parts.user_end;
        at = start + user_len + 1;
    } else if let Some(end) = memchr(b'@', rest) {
        at = userinfo(rest.get(..end).unwrap_or_default(), start, parts, lenient)?;
    }
    parts.host_start = short(at);
    let rest = from(text, at);
    let host_len = Host::len_with(rest, lenient).ok_or_else(|| uri_error(ParseErrorKind::Host, at))?;
    at += host_len;
    parts.host_end = short(at);
    if text.get(at) == Some(&b':') {
        let after = from(text, at + 1);
        let digits = after.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(after.len());
        let port = class::number(after.get(..digits).unwrap_or_default());
        let port = port.and_then(|port| u16::try_from(port).ok());
        parts.port = Some(port.ok_or_else(|| uri_error(ParseErrorKind::Port, at + 1))?);
        at += 1 + digits;
    }
    params(text, at, parts, lenient)
}

/// `user [ ":" password ]` at `start` of the whole; where the host begins. `@` stands nowhere else unescaped.
fn userinfo(userinfo: &[u8], start: usize, parts: &mut Parts, lenient: Lenient) -> Result<usize, ParseError> {
    let user_len = memchr(b':', userinfo).unwrap_or(userinfo.len());
    let (user, password) = userinfo.split_at_checked(user_len).unwrap_or_default();
    if user.is_empty() {
        return Err(uri_error(ParseErrorKind::User, start));
    }
    if let Some(wrong) = wrong(user, class::USER, lenient) {
        return Err(uri_error(ParseErrorKind::User, start + wrong));
    }
    if let Some(wrong) = wrong(from(password, 1), class::PASSWORD, lenient) {
        return Err(uri_error(ParseErrorKind::User, start + user_len + 1 + wrong));
    }
    parts.user_end = short(start + user_len);
    parts.password_end = short(start + userinfo.len());
    Ok(start + userinfo.len() + 1)
}

/// `*( ";" uri-parameter ) [ "?" headers ]` from `at` to the end.
fn params(text: &[u8], mut at: usize, parts: &mut Parts, lenient: Lenient) -> Result<(), ParseError> {
    parts.params_start = short(at);
    let mut left = lenient.params();
    while text.get(at) == Some(&b';') {
        left = left.checked_sub(1).ok_or_else(|| uri_error(ParseErrorKind::TooManyParams, at))?;
        let begin = at + 1;
        let rest = from(text, begin);
        // What is wrong with the byte at which the class ends is said below.
        let mut len = class::span(rest, class::URI_PARAM);
        if !matches!(rest.get(len), None | Some(b';' | b'?')) {
            len = rest.iter().position(|byte| matches!(byte, b';' | b'?')).unwrap_or(rest.len());
            if let Some(wrong) = wrong(rest.get(..len).unwrap_or_default(), class::URI_PARAM, lenient) {
                return Err(uri_error(ParseErrorKind::Uri, begin + wrong));
            }
        }
        param(rest.get(..len).unwrap_or_default(), begin, lenient)?;
        at = begin + len;
    }
    parts.params_end = short(at);
    match text.get(at..) {
        None | Some([]) => Ok(()),
        Some([b'?']) => Err(uri_error(ParseErrorKind::Uri, at)),
        Some([b'?', pairs @ ..]) => match wrong(pairs, class::URI_HEADER, lenient) {
            None => Ok(()),
            Some(wrong) => Err(uri_error(ParseErrorKind::Uri, at + 1 + wrong)),
        },
        Some(_) => Err(uri_error(ParseErrorKind::Uri, at)),
    }
}

/// `pname [ "=" pvalue ]`, at `at` of the whole; its characters were checked.
fn param(param: &[u8], at: usize, lenient: Lenient) -> Result<(), ParseError> {
    let Some(last) = param.last() else {
        return if lenient.empty_parameters() { Ok(()) } else { Err(uri_error(ParseErrorKind::Param, at)) };
    };
    if param.first() == Some(&b'=') {
        return Err(uri_error(ParseErrorKind::Param, at));
    }
    if *last != b'=' && lenient.equals_in_uri_parameters() {
        return Ok(());
    }
    let value = param.iter().position(|&byte| byte == b'=').map(|equals| from(param, equals + 1));
    match value {
        Some([]) => Err(uri_error(ParseErrorKind::Param, at)),
        Some(value) if !lenient.equals_in_uri_parameters() && memchr(b'=', value).is_some() => {
            Err(uri_error(ParseErrorKind::Uri, at + param.len() - value.len()))
        }
        _ => Ok(()),
    }
}

/// `number *( ";" parameter )`, kept as written.
fn tel(text: &[u8], start: usize, parts: &mut Parts, lenient: Lenient) -> Result<(), ParseError> {
    let rest = from(text, start);
    let len = memchr(b';', rest).unwrap_or(rest.len());
    let number = rest.get(..len).unwrap_or_default();
    if let Some(wrong) = wrong_number(number) {
        return Err(uri_error(ParseErrorKind::User, start + wrong));
    }
    parts.user_end = short(start + len);
    parts.password_end = parts.user_end;
    params(text, start + len, parts, lenient)?;
    let context = || has_context(from(text, start + len));
    if !lenient.local_numbers_without_context() && number.first() != Some(&b'+') && !context() {
        return Err(uri_error(ParseErrorKind::Param, start + len));
    }
    // A `tel` URI has no headers part.
    let end = usize::from(parts.params_end);
    if end < text.len() { Err(uri_error(ParseErrorKind::Uri, end)) } else { Ok(()) }
}

fn opaque(text: &[u8], start: usize, parts: &mut Parts, lenient: Lenient) -> Result<(), ParseError> {
    let rest = from(text, start);
    if let Some(wrong) = wrong(rest, class::URIC, lenient).or_else(|| rest.is_empty().then_some(0)) {
        return Err(uri_error(ParseErrorKind::Uri, start + wrong));
    }
    let end = short(start + rest.len());
    (parts.params_start, parts.params_end) = (end, end);
    Ok(())
}

/// Where the first byte is that must be escaped.
fn wrong(text: &[u8], class: u16, lenient: Lenient) -> Option<usize> {
    let strict = class::escaped_error(text, class)?;
    if !lenient.unescaped_uri_characters() {
        return Some(strict);
    }
    text.iter().position(|byte| !byte.is_ascii_graphic() || matches!(byte, b'<' | b'>' | b'"'))
}

/// The bytes from `at` on.
fn from(text: &[u8], at: usize) -> &[u8] {
    text.get(at..).unwrap_or_default()
}

/// An offset within a text whose length was checked to fit.
fn short(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}
