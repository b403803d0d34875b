//! The `;name=value` list after an address, a Via or a media type (RFC 3261 §7.3.1, `generic-param`).

use crate::error::ParseError;
use crate::leniency::Lenient;
use crate::parse::{Parsed, class, grammar};
use crate::text::{Text, one_line};
use alloc::borrow::Cow;
use alloc::string::String;
use bytes::Bytes;
use core::fmt;
use core::str::FromStr;

/// Parameters in order. Names compare without case. Parsing copies nothing: the list stays the text that it
/// was, checked; only an edit writes a new text.
///
/// ```
/// use sidetone_sip_core::Params;
/// let mut params: Params = r#";tag=88sja8x;q=0.5;text="a \"b\"";lr"#.parse().unwrap();
/// assert_eq!(params.get("TAG").as_deref(), Some("88sja8x"));
/// assert_eq!(params.get("text").as_deref(), Some(r#"a "b""#));
/// assert!(params.has("lr"));
/// params.set("q", "1.0");
/// params.remove("text");
/// assert_eq!(params.to_string(), ";tag=88sja8x;q=1.0;lr");
/// ```
#[derive(Clone, Default)]
pub struct Params(Text);

impl Params {
    /// No parameters.
    #[must_use]
    pub const fn new() -> Self {
        Self(Text::EMPTY)
    }

    /// Reads a list at the front of `rest`, which is part of `source`.
    pub(crate) fn read<'a>(source: &Bytes, rest: &'a [u8]) -> Parsed<'a, Self> {
        Self::read_with(source, rest, Lenient::DEFAULT)
    }

    /// The same with what is forgiven.
    pub(crate) fn read_with<'a>(source: &Bytes, rest: &'a [u8], lenient: Lenient) -> Parsed<'a, Self> {
        if rest.is_empty() {
            return Ok((rest, Self::new()));
        }
        let (after, (list, has_quotes)) = grammar::params_with(rest, lenient)?;
        if !has_quotes {
            return Ok((after, Self(Text::slice_ascii(source, list))));
        }
        match Text::slice_lossy(source, list, lenient.non_utf8_text()) {
            Ok(text) => Ok((after, Self(text))),
            Err(error) => grammar::Fault::error(rest, error.kind),
        }
    }

    /// A parameter's value, without quotes and their escapes; empty for one without value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.raw(name).map(|value| unquoted(value.unwrap_or_default()))
    }

    /// A parameter's value as written, quotes and all: `None` when it is not there, `Some(None)` without value.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<Option<&str>> {
        let (_, value) = self.pairs().find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()))?;
        Some(value.map(|value| core::str::from_utf8(value).unwrap_or_default()))
    }

    /// Whether the parameter is there, with a value or without.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// Every parameter in order, values as written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        // Parts of UTF-8 between ASCII separators are UTF-8.
        let text = |part| core::str::from_utf8(part).unwrap_or_default();
        self.pairs().map(move |(name, value)| (text(name), value.map(text)))
    }

    /// Every parameter in order, as bytes.
    fn pairs(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let mut rest = &self.0.as_bytes()[..];
        core::iter::from_fn(move || {
            let mut after = grammar::separator(b';')(rest).ok()?.0;
            // Empty ones are there only where they were forgiven.
            while let Ok((more, ())) = grammar::separator(b';')(after) {
                after = more;
            }
            let (after, pair) = grammar::param(after).ok()?;
            rest = after;
            Some(pair)
        })
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs().next().is_none()
    }

    /// Sets a parameter, in its place or at the end; quotes a value that is no token. Characters that a name
    /// cannot have become `_`, CR and LF in a value become spaces.
    pub fn set(&mut self, name: &str, value: &str) {
        self.edit(name, Some(Some(value)));
    }

    /// Sets a parameter without value.
    pub fn set_flag(&mut self, name: &str) {
        self.edit(name, Some(None));
    }

    /// Removes a parameter; says whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let there = self.has(name);
        if there {
            self.edit(name, None);
        }
        there
    }

    /// Writes the list anew, with `change` as what becomes of `name`.
    fn edit(&mut self, name: &str, change: Option<Option<&str>>) {
        let mut text = String::with_capacity(self.0.len() + name.len() + 24);
        let mut change = change;
        for (key, value) in self.iter() {
            if !key.eq_ignore_ascii_case(name) {
                let _ = write_param(&mut text, key, value);
            } else if let Some(value) = change.take() {
                write_new(&mut text, name, value);
            }
        }
        if let Some(value) = change {
            write_new(&mut text, name, value);
        }
        self.0 = Text::from(text);
    }
}

fn write_param(out: &mut impl fmt::Write, name: &str, value: Option<&str>) -> fmt::Result {
    write!(out, ";{name}")?;
    value.map_or(Ok(()), |value| write!(out, "={value}"))
}

fn write_new(out: &mut String, name: &str, value: Option<&str>) {
    out.push(';');
    out.extend(name.chars().map(|c| if c.is_ascii() && class::is(c as u8, class::TOKEN) { c } else { '_' }));
    if name.is_empty() {
        out.push('_');
    }
    let Some(value) = value else { return };
    out.push('=');
    // What the parser takes without quotes: tokens and hosts.
    let bare = |byte| class::is(byte, class::TOKEN) || b"[]:".contains(&byte);
    if !value.is_empty() && value.bytes().all(bare) {
        out.push_str(value);
    } else {
        let _ = write_quoted(out, value);
    }
}

/// Writes a quoted string: escapes quotes, backslashes and control characters; CR and LF become spaces.
pub(crate) fn write_quoted(out: &mut impl fmt::Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    for c in one_line(text).chars() {
        if matches!(c, '"' | '\\') || (c.is_ascii_control() && c != '\t') {
            out.write_char('\\')?;
        }
        out.write_char(c)?;
    }
    out.write_char('"')
}

/// A value as written, without its quotes and their escapes.
pub(crate) fn unquoted(value: &str) -> Cow<'_, str> {
    let Some(inside) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        return Cow::Borrowed(value);
    };
    match grammar::without_backslashes(inside.as_bytes()) {
        Cow::Borrowed(_) => Cow::Borrowed(inside),
        Cow::Owned(text) => Cow::Owned(String::from_utf8(text).unwrap_or_default()),
    }
}

impl PartialEq for Params {
    /// The same names with the same values, in any order.
    fn eq(&self, other: &Self) -> bool {
        let within = |a: &Self, b: &Self| a.iter().all(|(name, _)| a.get(name) == b.get(name));
        self.0 == other.0 || (within(self, other) && within(other, self))
    }
}

impl Eq for Params {}

impl FromStr for Params {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let source = Bytes::copy_from_slice(text.as_bytes());
        grammar::complete(&source, |rest| Self::read(&source, rest))
    }
}

impl fmt::Display for Params {
    /// `;name=value` for each, without spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|(name, value)| write_param(f, name, value))
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn edits_keep_the_rest_and_cannot_break_out() {
        let mut params: Params = ";a=1 ; b = \"x;y\" ;c".parse().unwrap();
        params.set("B", "new value");
        params.set("tag\r\nEvil: 1", "x\r\ny\"");
        params.set_flag("C");
        assert_eq!(params.to_string(), r#";a=1;B="new value";C;tag__Evil__1="x  y\"""#);
        let again: Params = params.to_string().parse().unwrap();
        assert_eq!(again, params);
        assert!(params.remove("a") && !params.remove("a"));
        params.set("received", "2001:db8::1");
        assert_eq!(params.raw("received"), Some(Some("2001:db8::1")));
    }

    #[test]
    fn equality_ignores_order_and_the_case_of_names() {
        let params = |text: &str| text.parse::<Params>().unwrap();
        assert_eq!(params(";a=1;b"), params("; B ;A=\"1\""));
        assert_ne!(params(";a=1"), params(";a=2"));
        assert_ne!(params(";a=1"), params(";a=1;b"));
    }
}
