//! The parameters of challenges, credentials and Authentication-Info: one table, one reader, one writer
//! (RFC 7616 §3.3 to §3.5; RFC 3261 §25.1).

use crate::error::{ParseError, ParseErrorKind};
use crate::header::params::write_quoted;
use crate::parse::class;
use crate::parse::grammar::{self, AuthValue, Parsed};
use crate::text::{Text, offset};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

/// The parameters that we know.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Name {
    Realm,
    Nonce,
    Opaque,
    Algorithm,
    Qop,
    Stale,
    Domain,
    Username,
    UsernameExt,
    Uri,
    Response,
    Cnonce,
    Nc,
    Userhash,
    Charset,
    Auts,
    NextNonce,
    RspAuth,
}

const NAMES: [(&[u8], Name); 18] = [
    (b"realm", Name::Realm),
    (b"nonce", Name::Nonce),
    (b"opaque", Name::Opaque),
    (b"algorithm", Name::Algorithm),
    (b"qop", Name::Qop),
    (b"stale", Name::Stale),
    (b"domain", Name::Domain),
    (b"username", Name::Username),
    (b"username*", Name::UsernameExt),
    (b"uri", Name::Uri),
    (b"response", Name::Response),
    (b"cnonce", Name::Cnonce),
    (b"nc", Name::Nc),
    (b"userhash", Name::Userhash),
    (b"charset", Name::Charset),
    (b"auts", Name::Auts),
    (b"nextnonce", Name::NextNonce),
    (b"rspauth", Name::RspAuth),
];

/// `Digest name=value, ...`: calls `each` with the parameters that we know; others are skipped. A parameter
/// that we know may occur once.
pub(super) fn read_digest(
    value: &Bytes,
    mut each: impl FnMut(Name, AuthValue<'_>) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    grammar::complete(value, |input| {
        let (rest, scheme) = grammar::token(input)?;
        let after = grammar::skip_spaces(rest);
        if !scheme.eq_ignore_ascii_case(b"Digest") || after.len() == rest.len() {
            return grammar::Fault::error(input, ParseErrorKind::AuthScheme);
        }
        params(after, &mut each)
    })
}

/// `name=value, ...` without a scheme.
pub(super) fn read_plain(
    value: &Bytes,
    mut each: impl FnMut(Name, AuthValue<'_>) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    grammar::complete(value, |input| params(input, &mut each))
}

fn params(
    input: &[u8],
    mut each: impl FnMut(Name, AuthValue<'_>) -> Result<(), ParseError>,
) -> Parsed<'_, ()> {
    let mut seen = 0_u32;
    grammar::auth_params(input, |name, value| {
        let known = NAMES.iter().position(|(known, _)| name.eq_ignore_ascii_case(known));
        let Some((index, (_, known))) = known.and_then(|index| Some((index, NAMES.get(index)?))) else {
            return Ok(());
        };
        if seen & (1 << index) != 0 {
            return Err(ParseError::new(ParseErrorKind::Duplicate, 0));
        }
        seen |= 1 << index;
        each(*known, value)
    })
}

/// `nc`: eight hexadecimal digits.
pub(super) fn nonce_count(text: &str) -> Result<u32, ParseError> {
    let well = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let count = Some(text).filter(|_| well).and_then(|text| u32::from_str_radix(text, 16).ok());
    count.ok_or(ParseError::new(ParseErrorKind::Number, 0))
}

/// The tokens of a list such as `qop="auth,auth-int"`; empty ones are none.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = Text> {
    text.split(',').map(str::trim).filter(|token| !token.is_empty()).map(Text::from)
}

/// Splits a line into its challenges or credentials, each with its scheme. RFC 3261 §20.27 gives each a line of its
/// own; RFC 7235 §4.1 lets commas join them: an element of the list that begins with a name and a space, not
/// with `name=`, begins the next.
pub(super) fn schemes(line: &[u8]) -> Vec<&[u8]> {
    let mut starts = Vec::new();
    let mut rest = Some(line);
    while let Some(list) = rest {
        let (element, more) = grammar::split_list(list);
        if starts.is_empty() || begins_scheme(element) {
            starts.push(offset(line, element));
        }
        rest = more;
    }
    let ends = starts.iter().skip(1).copied().chain([line.len()]);
    let parts = starts.iter().zip(ends).map(|(start, end)| line.get(*start..end).unwrap_or_default());
    parts.map(|part| trim_commas(class::trim(part))).collect()
}

fn begins_scheme(element: &[u8]) -> bool {
    let Ok((rest, _)) = grammar::token(grammar::skip_spaces(element)) else { return false };
    match grammar::skip_spaces(rest) {
        [] => true,
        [b'=', ..] => false,
        after => after.len() < rest.len(),
    }
}

fn trim_commas(mut part: &[u8]) -> &[u8] {
    while let [before @ .., b',' | b' ' | b'\t'] = part {
        part = before;
    }
    part
}

/// Writes a list of parameters.
pub(super) struct Writer<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    any: bool,
}

impl<'a, 'f> Writer<'a, 'f> {
    /// After `prefix`, the scheme with its space or nothing.
    pub(super) fn new(f: &'a mut fmt::Formatter<'f>, prefix: &str) -> Result<Self, fmt::Error> {
        f.write_str(prefix)?;
        Ok(Self { f, any: false })
    }

    fn name(&mut self, name: &str) -> fmt::Result {
        if core::mem::replace(&mut self.any, true) {
            self.f.write_str(", ")?;
        }
        write!(self.f, "{name}=")
    }

    /// `name="value"`, if there is one.
    pub(super) fn quoted(&mut self, name: &str, value: Option<&str>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        self.name(name)?;
        write_quoted(self.f, value)
    }

    /// `name=value`, in quotes only when the value is no token.
    pub(super) fn token(&mut self, name: &str, value: Option<&str>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        self.name(name)?;
        let is_token = !value.is_empty() && class::all(value.as_bytes(), class::TOKEN);
        if is_token { self.f.write_str(value) } else { write_quoted(self.f, value) }
    }

    /// `name=true`, or nothing.
    pub(super) fn flag(&mut self, name: &str, value: bool) -> fmt::Result {
        self.token(name, value.then_some("true"))
    }

    /// `nc=0000000a`.
    pub(super) fn count(&mut self, nc: Option<u32>) -> fmt::Result {
        let Some(nc) = nc else { return Ok(()) };
        self.name("nc")?;
        write!(self.f, "{nc:08x}")
    }

    /// `name*=UTF-8''value` (RFC 5987 §3.2.1).
    pub(super) fn extended(&mut self, name: &str, value: &str) -> fmt::Result {
        self.name(name)?;
        self.f.write_str("UTF-8''")?;
        value.bytes().try_for_each(|byte| {
            if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
                write!(self.f, "{}", char::from(byte))
            } else {
                write!(self.f, "%{byte:02X}")
            }
        })
    }
}

/// The text of an RFC 5987 extended value: `charset'language'percent-encoded`. The character set must be UTF-8.
pub(super) fn extended_value(text: &str) -> Result<Text, ParseError> {
    let wrong = ParseError::new(ParseErrorKind::Param, 0);
    let mut parts = text.splitn(3, '\'');
    let (charset, _language, value) =
        (parts.next().ok_or(wrong)?, parts.next().ok_or(wrong)?, parts.next().ok_or(wrong)?);
    if !charset.eq_ignore_ascii_case("UTF-8") {
        return Err(ParseError::new(ParseErrorKind::Utf8, 0));
    }
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit().ok_or(wrong)?, digit().ok_or(wrong)?);
        out.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    let text = String::from_utf8(out).map_err(|_| ParseError::new(ParseErrorKind::Utf8, 0))?;
    Text::new(&text).map_err(|_| ParseError::new(ParseErrorKind::LineEnd, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Vec<String> {
        schemes(line.as_bytes()).iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect()
    }

    #[test]
    fn a_line_of_several_challenges_comes_apart_at_the_schemes() {
        assert_eq!(
            split(r#"Digest realm="a, Digest b", nonce=1"#),
            [r#"Digest realm="a, Digest b", nonce=1"#]
        );
        assert_eq!(
            split(
                r#"Basic realm="x" , Negotiate, Digest realm = "a",nonce="1", Bearer AbC==, Digest nonce="2""#
            ),
            [
                r#"Basic realm="x""#,
                "Negotiate",
                r#"Digest realm = "a",nonce="1""#,
                "Bearer AbC==",
                r#"Digest nonce="2""#
            ]
        );
        assert_eq!(split(""), [""]);
        assert_eq!(split(",,"), [""]);
    }

    #[test]
    fn extended_values_are_utf_8_and_one_line() {
        assert_eq!(extended_value("UTF-8''J%C3%A4s%C3%B8n%20Doe").unwrap(), "Jäsøn Doe");
        assert_eq!(extended_value("utf-8'en'x").unwrap(), "x");
        for bad in [
            "x",
            "UTF-8'x",
            "ISO-8859-1''x",
            "UTF-8''%",
            "UTF-8''%0",
            "UTF-8''%zz",
            "UTF-8''%FF",
            "UTF-8''%0A",
        ] {
            assert!(extended_value(bad).is_err(), "{bad}");
        }
    }
}
