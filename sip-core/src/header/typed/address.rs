//! Addresses: From, To, Contact, Route, Record-Route and their kin (RFC 3261 §20.10, §20.20, §20.30, §20.34, §20.39).

use super::emit_display;
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{Header, HeaderName, Params, params};
use crate::parse::{Fault, Parsed, class, grammar};
use crate::text::Text;
use crate::uri::Uri;
use alloc::string::ToString;
use bytes::Bytes;
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::str::FromStr;
use memchr::memchr;

/// A URI with a name to show and parameters: `"Alice" <sip:alice@example.com>;tag=1928301774`.
///
/// Leniency: an unquoted display name may have characters beyond ASCII. Without angle brackets, parameters
/// belong to the header, and the URI has no `,`, `?` (RFC 3261 §20.10).
///
/// ```
/// use sidetone_sip_core::{NameAddr, Uri};
/// let address: NameAddr = r#""Mr. Watson" <sip:watson@example.com>;q=0.7"#.parse().unwrap();
/// assert_eq!(address.display_name.as_deref(), Some("Mr. Watson"));
/// assert_eq!(address.params.get("q").as_deref(), Some("0.7"));
/// let address = NameAddr::new(Uri::sip(Some("bob"), "example.com", None).unwrap()).with_display_name("Bob \"B\"");
/// assert_eq!(address.to_string(), r#""Bob \"B\"" <sip:bob@example.com>"#);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NameAddr {
    /// The name to show, without quotes and their escapes.
    pub display_name: Option<Text>,
    /// The address.
    pub uri: Uri,
    /// Parameters after the address, as `tag` or `expires`.
    pub params: Params,
}

impl NameAddr {
    /// An address without name and parameters.
    #[must_use]
    pub const fn new(uri: Uri) -> Self {
        Self { display_name: None, uri, params: Params::new() }
    }

    /// The same with a name to show.
    #[must_use]
    pub fn with_display_name(mut self, name: impl Into<Text>) -> Self {
        self.display_name = Some(name.into());
        self
    }

    /// The `tag` parameter (RFC 3261 §19.3).
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.params.raw("tag").flatten()
    }

    /// The same with this `tag`.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", tag);
        self
    }

    /// The `expires` parameter in seconds; one that is larger than 2³²-1 is that.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        class::saturating_number(self.params.raw("expires")??.as_bytes())
    }

    /// The `q` parameter in thousandths, from 0 to 1000 (RFC 3261 §20.10).
    #[must_use]
    pub fn q(&self) -> Option<u16> {
        let value = self.params.raw("q")??;
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

    /// Reads an address at the front of `input`, which is part of `source`.
    pub(crate) fn read<'a>(source: &Bytes, input: &'a [u8]) -> Parsed<'a, Self> {
        let fail = |error: ParseError, part: &'a [u8]| {
            Fault::error(part.get(error.at.min(part.len())..).unwrap_or_default(), error.kind)
        };
        let (rest, display_name) = display_name(source, input)?;
        let (rest, part) = match rest {
            [b'<', rest @ ..] => {
                let Some(end) = memchr(b'>', rest) else {
                    return Fault::error(rest, ParseErrorKind::Bracket);
                };
                let (uri, rest) = rest.split_at_checked(end).unwrap_or_default();
                (rest.get(1..).unwrap_or_default(), uri)
            }
            _ => addr_spec(rest)?,
        };
        let uri = match Uri::read(source, part) {
            Ok(uri) => uri,
            Err(error) => return fail(error, part),
        };
        let (rest, params) = Params::read(source, rest)?;
        Ok((rest, Self { display_name, uri, params }))
    }
}

/// The name before `<`; leaves `input` when no name is there.
fn display_name<'a>(source: &Bytes, input: &'a [u8]) -> Parsed<'a, Option<Text>> {
    if input.first() == Some(&b'<') {
        return Ok((input, None));
    }
    let (rest, name) = if input.first() == Some(&b'"') {
        let (rest, inside) = grammar::quoted(input)?;
        let rest = grammar::skip_spaces(rest);
        if rest.first() != Some(&b'<') {
            return Fault::error(rest, ParseErrorKind::Separator('<'));
        }
        (rest, grammar::unquote(source, inside))
    } else {
        let len = input.iter().position(|&byte| !class::is(byte, class::DISPLAY)).unwrap_or(input.len());
        let (name, rest) = input.split_at_checked(len).unwrap_or_default();
        if rest.first() != Some(&b'<') {
            return Ok((input, None));
        }
        (rest, Text::slice(source, class::trim(name)))
    };
    match name {
        Ok(name) => Ok((rest, Some(name).filter(|name| !name.is_empty()))),
        Err(error) => Fault::error(input, error.kind),
    }
}

/// A URI without brackets ends at a `;` or a space, and may not have `,` or `?`.
fn addr_spec(input: &[u8]) -> Parsed<'_, &[u8]> {
    let end = input.iter().position(|byte| b"; \t,?\"<>".contains(byte)).unwrap_or(input.len());
    match input.get(end) {
        Some(b',' | b'?' | b'"' | b'<' | b'>') => {
            Fault::error(input.get(end..).unwrap_or_default(), ParseErrorKind::Separator('<'))
        }
        _ => {
            let (uri, rest) = input.split_at_checked(end).unwrap_or_default();
            Ok((rest, uri))
        }
    }
}

impl FromStr for NameAddr {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(&Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl core::convert::From<Uri> for NameAddr {
    fn from(uri: Uri) -> Self {
        Self::new(uri)
    }
}

impl fmt::Display for NameAddr {
    /// Always with angle brackets, and a quoted name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.display_name {
            params::write_quoted(f, name)?;
            f.write_str(" ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

fn parse(value: &Bytes) -> Result<NameAddr, ParseError> {
    grammar::complete(value, |input| NameAddr::read(value, input))
}

/// A header whose value is an address.
macro_rules! address {
    ($($(#[$doc:meta])+ $name:ident = $constant:ident, list: $list:literal;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name(pub NameAddr);

        impl Header for $name {
            const NAME: HeaderName = HeaderName::$constant;
            const LIST: bool = $list;

            fn parse(value: &Bytes) -> Result<Self, ParseError> {
                parse(value).map(Self)
            }

            emit_display!();
        }

        impl $name {
            /// An address without name and parameters.
            #[must_use]
            pub const fn new(uri: Uri) -> Self {
                Self(NameAddr::new(uri))
            }
        }

        impl Deref for $name {
            type Target = NameAddr;
            fn deref(&self) -> &NameAddr {
                &self.0
            }
        }

        impl DerefMut for $name {
            fn deref_mut(&mut self) -> &mut NameAddr {
                &mut self.0
            }
        }

        impl core::convert::From<NameAddr> for $name {
            fn from(address: NameAddr) -> Self {
                Self(address)
            }
        }

        impl core::convert::From<Uri> for $name {
            fn from(uri: Uri) -> Self {
                Self::new(uri)
            }
        }

        impl FromStr for $name {
            type Err = ParseError;
            fn from_str(text: &str) -> Result<Self, ParseError> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

address! {
    /// From: who asks (RFC 3261 §20.20).
    From = FROM, list: false;
    /// To: who is asked (RFC 3261 §20.39).
    To = TO, list: false;
    /// One value of Route: the next stop of the request (RFC 3261 §20.34).
    Route = ROUTE, list: true;
    /// One value of Record-Route: a proxy that wants the dialog's requests (RFC 3261 §20.30).
    RecordRoute = RECORD_ROUTE, list: true;
    /// One value of Path: a proxy between a registrar and the contact (RFC 3327).
    Path = PATH, list: true;
    /// Reply-To: where to call back (RFC 3261 §20.31).
    ReplyTo = REPLY_TO, list: false;
    /// Refer-To: whom to call (RFC 3515 §2.1).
    ReferTo = REFER_TO, list: false;
    /// One value of P-Asserted-Identity: who asks, as a trusted network says (RFC 3325 §9.1).
    PAssertedIdentity = P_ASSERTED_IDENTITY, list: true;
}

impl From {
    /// The same with this `tag`.
    #[must_use]
    pub fn with_tag(self, tag: &str) -> Self {
        Self(self.0.with_tag(tag))
    }
}

impl To {
    /// The same with this `tag`.
    #[must_use]
    pub fn with_tag(self, tag: &str) -> Self {
        Self(self.0.with_tag(tag))
    }
}

/// One value of Contact: where to reach a user directly, or `*` (RFC 3261 §20.10).
#[derive(Clone, Debug, PartialEq)]
pub enum Contact {
    /// `*`: every binding, in a REGISTER that removes them (RFC 3261 §10.2.2).
    Star,
    /// An address.
    Addr(NameAddr),
}

impl Contact {
    /// A contact without name and parameters.
    #[must_use]
    pub const fn new(uri: Uri) -> Self {
        Self::Addr(NameAddr::new(uri))
    }

    /// The address, if it is not `*`.
    #[must_use]
    pub const fn addr(&self) -> Option<&NameAddr> {
        match self {
            Self::Star => None,
            Self::Addr(address) => Some(address),
        }
    }

    /// The URI, if it is not `*`.
    #[must_use]
    pub const fn uri(&self) -> Option<&Uri> {
        match self {
            Self::Star => None,
            Self::Addr(address) => Some(&address.uri),
        }
    }

    /// The `expires` parameter in seconds.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        self.addr()?.expires()
    }

    /// The `q` parameter in thousandths.
    #[must_use]
    pub fn q(&self) -> Option<u16> {
        self.addr()?.q()
    }

    /// The same with `expires`, in seconds.
    #[must_use]
    pub fn with_expires(mut self, seconds: u32) -> Self {
        if let Self::Addr(address) = &mut self {
            address.params.set("expires", &seconds.to_string());
        }
        self
    }
}

impl Header for Contact {
    const NAME: HeaderName = HeaderName::CONTACT;
    const LIST: bool = true;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        if class::trim(value) == b"*" { Ok(Self::Star) } else { parse(value).map(Self::Addr) }
    }

    emit_display!();
}

impl core::convert::From<NameAddr> for Contact {
    fn from(address: NameAddr) -> Self {
        Self::Addr(address)
    }
}

impl FromStr for Contact {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Star => f.write_str("*"),
            Self::Addr(address) => address.fmt(f),
        }
    }
}
