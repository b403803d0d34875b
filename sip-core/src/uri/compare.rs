//! When two URIs are the same (RFC 3261 §19.1.4).

use super::{Kind, Uri, tel, unescape_bytes};
use crate::header::HeaderName;
use crate::parse::class;
use alloc::vec::Vec;

impl PartialEq for Uri {
    fn eq(&self, other: &Self) -> bool {
        if self.parts.kind != other.parts.kind {
            return false;
        }
        match self.parts.kind {
            Kind::Sip | Kind::Sips => same_sip(self, other),
            Kind::Tel => same_tel(self, other),
            Kind::Other => {
                let (a, b) = (usize::from(self.parts.scheme_end), usize::from(other.parts.scheme_end));
                a == b
                    && self.text.as_bytes().get(a..) == other.text.as_bytes().get(b..)
                    && self
                        .part(0, self.parts.scheme_end)
                        .eq_ignore_ascii_case(other.part(0, other.parts.scheme_end))
            }
        }
    }
}

fn same_sip(a: &Uri, b: &Uri) -> bool {
    same_text(a.user_escaped(), b.user_escaped())
        && same_text(raw_password(a), raw_password(b))
        && a.port() == b.port()
        && same_host(a, b)
        && same_params(a, b)
        && same_params(b, a)
        && same_headers(a, b)
}

fn raw_password(uri: &Uri) -> Option<&str> {
    (uri.parts.password_end > uri.parts.user_end)
        .then(|| uri.part(uri.parts.user_end + 1, uri.parts.password_end))
}

fn same_host(a: &Uri, b: &Uri) -> bool {
    a.host_str().eq_ignore_ascii_case(b.host_str()) || a.host().is_some_and(|host| Some(host) == b.host())
}

/// User and password: case counts, and an escape equals its character unless that is reserved.
fn same_text(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Canonical::new(a.as_bytes()).eq(Canonical::new(b.as_bytes())),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Whether each parameter of `a` fits `b`: an equal value there, or absent where absence is no difference. Of one that is
/// there twice, which the RFC forbids, the first counts, as everywhere.
fn same_params(a: &Uri, b: &Uri) -> bool {
    a.params().all(|(name, _)| match b.param(name) {
        Some(other) => {
            let value = a.param(name).flatten();
            same_value(value.unwrap_or_default(), other.unwrap_or_default())
        }
        None => !["user", "ttl", "method", "maddr", "transport"]
            .iter()
            .any(|kept| name.eq_ignore_ascii_case(kept)),
    })
}

fn same_value(a: &str, b: &str) -> bool {
    Canonical::new(a.as_bytes())
        .map(Byte::to_lowercase)
        .eq(Canonical::new(b.as_bytes()).map(Byte::to_lowercase))
}

/// Headers parts hold the same pairs, in any order; a name's case and compact form do not count. Takes time in
/// proportion to n log n, for a peer may send as many as fit.
fn same_headers(a: &Uri, b: &Uri) -> bool {
    match (a.headers(), b.headers()) {
        (Some(a), Some(b)) => a == b || sorted_pairs(a) == sorted_pairs(b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Names as they are usually written, or in lower case, with their values.
fn sorted_pairs(headers: &str) -> Vec<(Vec<u8>, Vec<Byte>)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = unescape_bytes(name.as_bytes());
        let name = match HeaderName::find(&name) {
            Some(index) => HeaderName::known(index).known_str().as_bytes().to_vec(),
            None => name.to_ascii_lowercase(),
        };
        (name, Canonical::new(value.as_bytes()).collect())
    };
    let mut pairs: Vec<_> = headers.split('&').map(pair).collect();
    pairs.sort_unstable();
    pairs
}

/// RFC 3966 §4: both are global or both are local, visual separators do not count, and the parameters are the same in any
/// order, without case.
fn same_tel(a: &Uri, b: &Uri) -> bool {
    let numbers = |a: &str, b: &str| tel::digits(a).eq(tel::digits(b));
    let all_in = |a: &Uri, b: &Uri| {
        a.params().all(|(name, _)| {
            b.param(name).is_some_and(|other| {
                let value = a.param(name).flatten().unwrap_or_default();
                let other = other.unwrap_or_default();
                // Numbers within: `ext`, and a `phone-context` that is no domain.
                let is_number = name.eq_ignore_ascii_case("ext")
                    || name.eq_ignore_ascii_case("phone-context") && value.starts_with('+');
                same_value(value, other) || is_number && numbers(value, other)
            })
        })
    };
    numbers(a.user_escaped().unwrap_or_default(), b.user_escaped().unwrap_or_default())
        && all_in(a, b)
        && all_in(b, a)
}

/// A byte of an escaped text, and whether its escape matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Byte {
    /// A character, or the escape of one that is not reserved.
    Plain(u8),
    /// The escape of a reserved character, which does not equal the character itself.
    Escaped(u8),
}

impl Byte {
    const fn to_lowercase(self) -> Self {
        match self {
            Self::Plain(byte) => Self::Plain(byte.to_ascii_lowercase()),
            escaped => escaped,
        }
    }
}

/// A text with its needless escapes undone, byte by byte.
pub(super) struct Canonical<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Canonical<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl Iterator for Canonical<'_> {
    type Item = Byte;

    fn next(&mut self) -> Option<Byte> {
        let byte = *self.bytes.get(self.at)?;
        let Some(escaped) = class::escape_at(self.bytes, self.at) else {
            self.at += 1;
            return Some(Byte::Plain(byte));
        };
        self.at += 3;
        Some(if b";/?:@&=+$,".contains(&escaped) { Byte::Escaped(escaped) } else { Byte::Plain(escaped) })
    }
}
