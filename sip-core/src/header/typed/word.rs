//! What many headers are: one word and its parameters, `word *( ";" parameter )`, or parameters alone.

use crate::error::{ParseError, ParseErrorKind};
use crate::header::{Params, params};
use crate::leniency::Lenient;
use crate::parse::{Fault, Parsed, class, grammar};
use crate::text::Text;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

/// Reads a text by the grammar of a header.
macro_rules! from_str {
    ($($name:ident),+) => {$(
        impl core::str::FromStr for $name {
            type Err = crate::error::ParseError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                <Self as crate::header::Header>::parse(&bytes::Bytes::copy_from_slice(text.as_bytes()))
            }
        }
    )+};
}
pub(super) use from_str;

/// Headers of one word and parameters. The word is read and written by `token` or `text` of this module.
macro_rules! word_headers {
    ($(
        $(#[$doc:meta])+
        $name:ident { $(#[$field_doc:meta])+ $field:ident: $kind:ident } = $constant:ident, list: $list:literal;
    )+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $(#[$field_doc])+
            pub $field: crate::text::Text,
            /// The parameters after it.
            pub params: crate::header::Params,
        }

        impl $name {
            /// The value without parameters.
            #[must_use]
            pub fn new($field: impl Into<crate::text::Text>) -> Self {
                Self { $field: $field.into(), params: crate::header::Params::new() }
            }
        }

        impl crate::header::Header for $name {
            const NAME: crate::header::HeaderName = crate::header::HeaderName::$constant;
            const LIST: bool = $list;

            fn parse(value: &bytes::Bytes) -> Result<Self, crate::error::ParseError> {
                Self::parse_value(crate::header::HeaderValue::whole(value))
            }

            fn parse_value(value: crate::header::HeaderValue<'_>) -> Result<Self, crate::error::ParseError> {
                crate::parse::grammar::complete(value.as_bytes(), |input| {
                    let (source, lenient) = (value.source(), value.lenient());
                    let (rest, $field) = super::word::$kind::read(source, input, lenient)?;
                    let (rest, params) = crate::header::Params::read_with(source, rest, lenient)?;
                    Ok((rest, Self { $field, params }))
                })
            }

            super::emit_display!();
        }

        super::word::from_str!($name);

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                super::word::$kind::write(f, &self.$field)?;
                write!(f, "{}", self.params)
            }
        }
    )+};
}
pub(super) use word_headers;

/// A token, as it is.
pub(super) mod token {
    use super::{Bytes, Lenient, Parsed, Text, fmt, grammar};

    pub(in super::super) fn read<'a>(source: &Bytes, input: &'a [u8], _: Lenient) -> Parsed<'a, Text> {
        let (rest, token) = grammar::token(input)?;
        Ok((rest, Text::slice_ascii(source, token)))
    }

    pub(in super::super) fn write(f: &mut fmt::Formatter<'_>, text: &Text) -> fmt::Result {
        f.write_str(text)
    }
}

/// A token, a host or a quoted string; what is no token is written in quotes.
pub(super) mod text {
    use super::{Bytes, Fault, Lenient, ParseErrorKind, Parsed, Text, class, fmt, grammar, params};

    pub(in super::super) fn read<'a>(source: &Bytes, input: &'a [u8], lenient: Lenient) -> Parsed<'a, Text> {
        if input.first() != Some(&b'"') {
            let class = if lenient.any_parameter_values() { class::VALUE } else { class::TOKEN };
            let (rest, word) = grammar::class1(input, class, ParseErrorKind::Token)?;
            return Ok((rest, Text::slice_ascii(source, word)));
        }
        let (rest, inside) = grammar::quoted(input)?;
        match grammar::unquote_with(source, inside, lenient) {
            Ok(text) => Ok((rest, text)),
            Err(error) => Fault::error(input, error.kind),
        }
    }

    pub(in super::super) fn write(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
        if !text.is_empty() && class::all(text.as_bytes(), class::TOKEN) {
            f.write_str(text)
        } else {
            params::write_quoted(f, text)
        }
    }
}

/// `name=value *( ";" name=value )`: parameters of which the first has no `;` before it.
pub(super) fn bare_params(value: &[u8], lenient: Lenient) -> Result<Params, ParseError> {
    let mut list = Vec::with_capacity(value.len() + 1);
    list.push(b';');
    list.extend_from_slice(value);
    let source = Bytes::from(list);
    grammar::complete(&source, |input| Params::read_with(&source, input, lenient))
        .map_err(|error| ParseError { at: error.at.saturating_sub(1), ..error })
}

/// Writes parameters without the first `;`.
pub(super) fn write_bare_params(f: &mut fmt::Formatter<'_>, params: &Params) -> fmt::Result {
    for (index, (name, value)) in params.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { ";" })?;
        f.write_str(name)?;
        if let Some(value) = value {
            write!(f, "={value}")?;
        }
    }
    Ok(())
}

/// The `q` parameter in thousandths, from 0 to 1000 (RFC 3261 §20.10, `qvalue`).
pub(super) fn q(params: &Params) -> Option<u16> {
    let value = params.raw("q")??;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let thousandths = fraction.bytes().chain(*b"000").take(3);
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fraction = thousandths.fold(0, |sum, digit| sum * 10 + u16::from(digit.wrapping_sub(b'0')));
    match whole {
        "0" | "" if digits && !value.is_empty() => Some(fraction),
        "1" if digits && fraction == 0 => Some(1000),
        _ => None,
    }
}

/// A parameter that is a decimal number; a larger one than 2³²-1 is that.
pub(super) fn number(params: &Params, name: &str) -> Option<u32> {
    class::saturating_number(params.get(name)?.as_bytes())
}
