//! Sets of tokens: Allow, Supported, Require and their kin (RFC 3261 §20.5, §20.29, §20.32, §20.37, §20.40).

use super::emit_display;
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{Header, HeaderName};
use crate::method::Method;
use crate::parse::{class, grammar};
use crate::text::{Text, offset, sub};
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

/// Allow: the methods that an element takes (RFC 3261 §20.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow(pub Vec<Method>);

impl Header for Allow {
    const NAME: HeaderName = HeaderName::ALLOW;
    const SET: bool = true;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        list(value, |element| Method::read(&sub(value, class::trim(element)))).map(Self)
    }

    emit_display!();

    fn merge(&mut self, more: Self) {
        self.0.extend(more.0);
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, &self.0)
    }
}

/// Headers that are sets of tokens.
macro_rules! options {
    ($($(#[$doc:meta])+ $name:ident = $constant:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name(pub alloc::vec::Vec<crate::text::Text>);

        impl $name {
            /// Whether the option is named; without case.
            #[must_use]
            pub fn has(&self, option: &str) -> bool {
                self.0.iter().any(|named| named.eq_ignore_ascii_case(option))
            }
        }

        impl crate::header::Header for $name {
            const NAME: crate::header::HeaderName = crate::header::HeaderName::$constant;
            const SET: bool = true;

            fn parse(value: &bytes::Bytes) -> Result<Self, crate::error::ParseError> {
                super::options::list(value, |element| super::options::option(value, element)).map(Self)
            }

            super::emit_display!();

            fn merge(&mut self, more: Self) {
                self.0.extend(more.0);
            }
        }

        super::word::from_str!($name);

        impl<T: Into<crate::text::Text>> FromIterator<T> for $name {
            fn from_iter<I: IntoIterator<Item = T>>(options: I) -> Self {
                Self(options.into_iter().map(Into::into).collect())
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                super::options::write_list(f, &self.0)
            }
        }
    )+};
}
pub(super) use options;

options! {
    /// Supported: the extensions that the sender has (RFC 3261 §20.37).
    Supported = SUPPORTED;
    /// Require: the extensions that the other end must have (RFC 3261 §20.32).
    Require = REQUIRE;
    /// Proxy-Require: the extensions that each proxy must have (RFC 3261 §20.29).
    ProxyRequire = PROXY_REQUIRE;
    /// Unsupported: the extensions that a 420 refuses for (RFC 3261 §20.40).
    Unsupported = UNSUPPORTED;
}

pub(super) fn option(source: &Bytes, element: &[u8]) -> Result<Text, ParseError> {
    let token = grammar::complete(element, grammar::token)?;
    Ok(Text::slice_ascii(source, token))
}

/// The elements of a list; an empty value is an empty list.
pub(super) fn list<'a, T>(
    value: &'a [u8],
    mut element: impl FnMut(&'a [u8]) -> Result<T, ParseError>,
) -> Result<Vec<T>, ParseError> {
    let mut items = Vec::new();
    let mut rest = Some(value).filter(|value| !class::trim(value).is_empty());
    while let Some(more) = rest {
        let (first, after) = grammar::split_list(more);
        let at = offset(value, first);
        items.push(element(first).map_err(|error| ParseError { at: at + error.at, ..error })?);
        rest = after;
        if items.len() > MOST {
            return Err(ParseError::new(ParseErrorKind::Range, at));
        }
    }
    Ok(items)
}

/// More elements than any peer needs.
pub(super) const MOST: usize = 256;

pub(super) fn write_list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { ", " })?;
        item.fmt(f)?;
    }
    Ok(())
}
