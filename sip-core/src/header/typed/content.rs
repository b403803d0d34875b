//! Media types: Content-Type and Accept (RFC 3261 §20.1, §20.15).

use super::emit_display;
use crate::error::ParseError;
use crate::header::{Header, HeaderName, Params};
use crate::parse::{Parsed, grammar};
use crate::text::Text;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::str::FromStr;

/// Content-Type: what the body is; also one range of Accept.
///
/// ```
/// use sidetone_sip_core::header::ContentType;
/// let kind: ContentType = "Application/SDP;charset=utf-8".parse().unwrap();
/// assert!(kind.is(&ContentType::SDP));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType {
    /// The type, as `application`; `*` in a range.
    pub kind: Text,
    /// The subtype, as `sdp`; `*` in a range.
    pub subtype: Text,
    /// `charset`, `boundary` and others; `q` in a range.
    pub params: Params,
}

impl ContentType {
    /// `application/sdp`
    pub const SDP: Self = Self::from_static("application", "sdp");
    /// `application/dtmf-relay`
    pub const DTMF_RELAY: Self = Self::from_static("application", "dtmf-relay");
    /// `message/sipfrag` (RFC 3420)
    pub const SIPFRAG: Self = Self::from_static("message", "sipfrag");
    /// `text/plain`
    pub const TEXT: Self = Self::from_static("text", "plain");

    /// A type without parameters.
    ///
    /// # Panics
    /// A name has a CR or LF; in a constant, the compiler says so.
    #[must_use]
    pub const fn from_static(kind: &'static str, subtype: &'static str) -> Self {
        Self { kind: Text::from_static(kind), subtype: Text::from_static(subtype), params: Params::new() }
    }

    /// Whether type and subtype are the other's, without case; parameters aside.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.kind.eq_ignore_ascii_case(&other.kind) && self.subtype.eq_ignore_ascii_case(&other.subtype)
    }

    /// Whether the range, as `*/*` or `application/*`, takes the type.
    #[must_use]
    pub fn takes(&self, other: &Self) -> bool {
        self.kind == "*"
            || self.kind.eq_ignore_ascii_case(&other.kind) && (self.subtype == "*" || self.is(other))
    }

    fn read<'a>(source: &Bytes, input: &'a [u8]) -> Parsed<'a, Self> {
        let (rest, kind) = grammar::token(input)?;
        let (rest, ()) = grammar::separator(b'/')(rest)?;
        let (rest, subtype) = grammar::token(rest)?;
        let (rest, params) = Params::read(source, rest)?;
        let (kind, subtype) = (Text::slice_ascii(source, kind), Text::slice_ascii(source, subtype));
        Ok((rest, Self { kind, subtype, params }))
    }
}

impl Header for ContentType {
    const NAME: HeaderName = HeaderName::CONTENT_TYPE;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        grammar::complete(value, |input| Self::read(value, input))
    }

    emit_display!();
}

impl FromStr for ContentType {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.kind, self.subtype, self.params)
    }
}

/// Accept: the body types that may come back. Empty means none (RFC 3261 §20.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accept(pub Vec<ContentType>);

impl Accept {
    /// Whether a body of this type may come back.
    #[must_use]
    pub fn takes(&self, kind: &ContentType) -> bool {
        self.0.iter().any(|range| range.takes(kind))
    }
}

impl Header for Accept {
    const NAME: HeaderName = HeaderName::ACCEPT;
    const SET: bool = true;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        super::options::list(value, |element| {
            grammar::complete(element, |input| ContentType::read(value, input))
        })
        .map(Self)
    }

    emit_display!();

    fn merge(&mut self, more: Self) {
        self.0.extend(more.0);
    }
}

impl fmt::Display for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::options::write_list(f, &self.0)
    }
}
