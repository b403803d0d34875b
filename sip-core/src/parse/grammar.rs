//! What header values are made of, as `nom` parsers over bytes (RFC 3261 §25.1).
//!
//! A parser takes what it understands and leaves the rest; [`complete`] asks that nothing is left, and turns
//! a fault into an error with its place. Spaces and tabs are the only white space: folding is undone before.

use super::class;
use crate::error::{ParseError, ParseErrorKind};
use crate::leniency::Lenient;
use crate::text::Text;
use alloc::borrow::Cow;
use alloc::vec::Vec;
use bytes::Bytes;
use memchr::memchr2;
use nom::bytes::complete::take_while;
use nom::{IResult, Parser};

/// Where a parser stopped, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fault<'a> {
    pub(crate) rest: &'a [u8],
    pub(crate) kind: ParseErrorKind,
}

impl<'a> Fault<'a> {
    /// A recoverable error: an alternative may still fit.
    pub(crate) const fn error<T>(rest: &'a [u8], kind: ParseErrorKind) -> Parsed<'a, T> {
        Err(nom::Err::Error(Self { rest, kind }))
    }
}

impl<'a> nom::error::ParseError<&'a [u8]> for Fault<'a> {
    fn from_error_kind(rest: &'a [u8], _: nom::error::ErrorKind) -> Self {
        Self { rest, kind: ParseErrorKind::Token }
    }

    fn append(_: &'a [u8], _: nom::error::ErrorKind, other: Self) -> Self {
        other
    }
}

/// What every parser here gives: the rest, and what it read.
pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, Fault<'a>>;

/// Runs a parser over the whole of `input`, spaces at both ends aside.
#[inline]
pub(crate) fn complete<'a, T>(
    input: &'a [u8],
    mut parser: impl FnMut(&'a [u8]) -> Parsed<'a, T>,
) -> Result<T, ParseError> {
    let at = |rest: &[u8]| crate::text::offset(input, rest);
    match parser(skip_spaces(input)) {
        Ok((rest, value)) => match skip_spaces(rest) {
            [] => Ok(value),
            rest => Err(ParseError::new(ParseErrorKind::Trailing, at(rest))),
        },
        Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => {
            Err(ParseError::new(fault.kind, at(fault.rest)))
        }
        // The parsers are the `complete` kind, which never ask for more.
        Err(nom::Err::Incomplete(_)) => Err(ParseError::new(ParseErrorKind::Truncated, input.len())),
    }
}

/// The input after spaces and tabs.
#[inline]
pub(crate) fn skip_spaces(mut input: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = input {
        input = rest;
    }
    input
}

/// `token`
#[inline]
pub(crate) fn token(input: &[u8]) -> Parsed<'_, &[u8]> {
    class1(input, class::TOKEN, ParseErrorKind::Token)
}

/// One or more bytes of a class.
#[inline]
pub(crate) fn class1(input: &[u8], class: u16, kind: ParseErrorKind) -> Parsed<'_, &[u8]> {
    take1(input, class::span(input, class), kind)
}

/// The first bytes, at least one.
#[inline]
fn take1(input: &[u8], len: usize, kind: ParseErrorKind) -> Parsed<'_, &[u8]> {
    match input.split_at_checked(len) {
        Some((taken, rest)) if len > 0 => Ok((rest, taken)),
        _ => Fault::error(input, kind),
    }
}

/// One or more decimal digits.
#[inline]
pub(crate) fn digits(input: &[u8]) -> Parsed<'_, &[u8]> {
    let len = input.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(input.len());
    take1(input, len, ParseErrorKind::Number)
}

/// A separator with the spaces that may stand around it.
#[inline]
pub(crate) fn separator(byte: u8) -> impl FnMut(&[u8]) -> Parsed<'_, ()> {
    move |input| match skip_spaces(input) {
        [first, rest @ ..] if *first == byte => Ok((skip_spaces(rest), ())),
        rest => Fault::error(rest, ParseErrorKind::Separator(char::from(byte))),
    }
}

/// As [`quoted`], with whether a backslash escapes something.
#[inline]
pub(crate) fn quoted_escaped(input: &[u8]) -> Parsed<'_, (&[u8], bool)> {
    let inner = input.strip_prefix(b"\"").unwrap_or_default();
    if let Some(at) = memchr2(b'"', b'\\', inner)
        && let Some((content, [b'"', rest @ ..])) = inner.split_at_checked(at)
    {
        return Ok((rest, (content, false)));
    }
    let (rest, content) = quoted(input)?;
    Ok((rest, (content, true)))
}

/// `quoted-string`: what is between the quotes, escapes as they are.
#[inline]
pub(crate) fn quoted(input: &[u8]) -> Parsed<'_, &[u8]> {
    let Some(inner) = input.strip_prefix(b"\"") else {
        return Fault::error(input, ParseErrorKind::Separator('"'));
    };
    let mut at = 0;
    while let Some(found) = inner.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if inner.get(at) == Some(&b'"') {
            let (content, rest) = inner.split_at_checked(at).unwrap_or((inner, &[]));
            return Ok((rest.get(1..).unwrap_or_default(), content));
        }
        at += 2;
    }
    Fault::error(input, ParseErrorKind::Quote)
}

/// The text of a quoted string's inside: shares memory unless a backslash escapes something.
pub(crate) fn unquote(source: &Bytes, inside: &[u8]) -> Result<Text, ParseError> {
    unquote_with(source, inside, Lenient::DEFAULT)
}

/// The same with what is forgiven.
pub(crate) fn unquote_with(source: &Bytes, inside: &[u8], lenient: Lenient) -> Result<Text, ParseError> {
    match without_backslashes(inside) {
        Cow::Borrowed(_) => Text::slice_lossy(source, inside, lenient.non_utf8_text()),
        Cow::Owned(text) => {
            let text = Bytes::from(text);
            Text::slice_lossy(&text, &text, lenient.non_utf8_text())
        }
    }
}

/// A quoted string's inside with each `\x` as `x`.
pub(crate) fn without_backslashes(inside: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', inside).is_none() {
        return Cow::Borrowed(inside);
    }
    let mut out = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' => out.extend(bytes.next()),
            _ => out.push(byte),
        }
    }
    Cow::Owned(out)
}

/// One `name` or `name=value` or `name="value"`. The value is as written, quotes and all.
#[inline(always)]
pub(crate) fn param(input: &[u8]) -> Parsed<'_, (&[u8], Option<&[u8]>)> {
    let (rest, name) = class1(input, class::TOKEN, ParseErrorKind::Param)?;
    let [b'=', after @ ..] = skip_spaces(rest) else { return Ok((rest, (name, None))) };
    let after = skip_spaces(after);
    let (rest, value) = match after {
        [b'"', ..] => {
            let (rest, inside) = quoted(after)?;
            (rest, after.get(..inside.len() + 2).unwrap_or_default())
        }
        _ => class1(after, class::VALUE, ParseErrorKind::Param)?,
    };
    Ok((rest, (name, Some(value))))
}

/// `*( ";" param )`: checks the list and gives the bytes it takes, from the first `;`. One pass over the bytes.
#[cfg(test)]
pub(crate) fn params(input: &[u8]) -> Parsed<'_, &[u8]> {
    params_with(input, Lenient::DEFAULT).map(|(rest, (list, _))| (rest, list))
}

/// The same with what is forgiven. Says too whether a value is quoted: else the list is ASCII.
pub(crate) fn params_with(input: &[u8], lenient: Lenient) -> Parsed<'_, (&[u8], bool)> {
    let begin = skip_spaces(input);
    let mut rest = begin;
    let mut has_quotes = false;
    let mut left = lenient.params();
    while let [b';', after @ ..] = skip_spaces(rest) {
        let Some(fewer) = left.checked_sub(1) else {
            return Fault::error(rest, ParseErrorKind::TooManyParams);
        };
        left = fewer;
        let after = skip_spaces(after);
        if lenient.empty_parameters() && matches!(after, [] | [b';', ..]) {
            rest = after;
            continue;
        }
        let (after, (_, value)) = param(after)?;
        match value {
            Some([b'"', ..]) => has_quotes = true,
            Some(value) if !lenient.any_parameter_values() && !is_strict_value(value) => {
                return Fault::error(value, ParseErrorKind::Param);
            }
            _ => {}
        }
        rest = after;
    }
    let taken = begin.len() - rest.len();
    Ok((rest, (begin.get(..taken).unwrap_or_default(), has_quotes)))
}

/// `token / host`: what RFC 3261 has for an unquoted value. An IPv6 address may be bare, as in `received`.
fn is_strict_value(value: &[u8]) -> bool {
    class::all(value, class::TOKEN)
        || crate::uri::Host::len(value) == Some(value.len())
        || core::str::from_utf8(value).is_ok_and(|text| text.parse::<core::net::Ipv6Addr>().is_ok())
}

/// `#( name = value )`, the list of a challenge or of credentials; calls `each` with name and value as written.
pub(crate) fn auth_params<'a>(
    input: &'a [u8],
    mut each: impl FnMut(&'a [u8], AuthValue<'a>) -> Result<(), ParseError>,
) -> Parsed<'a, ()> {
    let mut rest = input;
    loop {
        let (after, name) = token(rest)?;
        let (after, ()) = separator(b'=')(after)?;
        let (after, value) = match after {
            [b'"', ..] => quoted(after).map(|(rest, inside)| (rest, AuthValue::Quoted(inside)))?,
            _ => take_while(is_auth_value)
                .parse_complete(after)
                .map(|(rest, value)| (rest, AuthValue::Token(value)))?,
        };
        if let Err(error) = each(name, value) {
            return Fault::error(rest, error.kind);
        }
        match separator(b',')(after) {
            Ok((after, ())) => rest = after,
            Err(_) => return Ok((after, ())),
        }
    }
}

/// The value of an authentication parameter.
#[derive(Clone, Copy)]
pub(crate) enum AuthValue<'a> {
    /// The inside of a quoted string.
    Quoted(&'a [u8]),
    /// A token.
    Token(&'a [u8]),
}

impl AuthValue<'_> {
    /// The value as text.
    pub(crate) fn text(self, source: &Bytes) -> Result<Text, ParseError> {
        match self {
            Self::Quoted(inside) => unquote(source, inside),
            Self::Token(token) => Text::slice(source, token),
        }
    }
}

fn is_auth_value(byte: u8) -> bool {
    class::is(byte, class::VALUE)
}

/// Splits a list at commas outside quotes and `<>` (RFC 3261 §7.3.1): the first element, and the rest after
/// its comma. Without a comma there is no rest.
#[inline]
pub(crate) fn split_list(value: &[u8]) -> (&[u8], Option<&[u8]>) {
    if memchr::memchr(b',', value).is_none() {
        return (value, None);
    }
    let (mut at, mut quoted, mut bracket) = (0, false, false);
    while let Some(&byte) = value.get(at) {
        match byte {
            b'\\' if quoted => at += 1,
            b'"' if !bracket => quoted = !quoted,
            b'<' if !quoted => bracket = true,
            b'>' if !quoted => bracket = false,
            b',' if !quoted && !bracket => {
                return (value.get(..at).unwrap_or_default(), value.get(at + 1..));
            }
            _ => {}
        }
        at += 1;
    }
    (value, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_split_outside_quotes_and_brackets() {
        let list = br#""a, \"b" <sip:x,y@z>;p="1,2", <sip:c>,d"#;
        let (first, rest) = split_list(list);
        assert_eq!(first, br#""a, \"b" <sip:x,y@z>;p="1,2""#);
        let (second, rest) = split_list(rest.unwrap());
        assert_eq!(second, b" <sip:c>");
        assert_eq!(split_list(rest.unwrap()), (&b"d"[..], None));
    }

    #[test]
    fn quoted_strings_end_where_they_end() {
        assert_eq!(quoted(br#""a\"b" c"#).unwrap(), (&b" c"[..], &br#"a\"b"#[..]));
        assert_eq!(quoted(br#""""#).unwrap(), (&b""[..], &b""[..]));
        for bad in [&br#""a"#[..], br#""a\"#, br#""a\""#, br#"a"#] {
            assert!(quoted(bad).is_err(), "{}", bad.escape_ascii());
        }
        assert_eq!(without_backslashes(br"a\\b\c").as_ref(), br"a\bc");
    }

    #[test]
    fn parameters_may_have_spaces_but_not_holes() {
        assert_eq!(params(b" ; a = 1;b ;c=\"x;y\"").unwrap(), (&b""[..], &b"; a = 1;b ;c=\"x;y\""[..]));
        assert_eq!(params(b"").unwrap(), (&b""[..], &b""[..]));
        for bad in [&b";;a"[..], b";", b";a=", b";a=1;", b";=1"] {
            assert!(params(bad).is_err(), "{}", bad.escape_ascii());
        }
    }
}
