//! Addresses: From, To, Contact, Route, Record-Route and their kin (RFC 3261 §20.10, §20.20, §20.30, §20.34, §20.39).

use super::emit_display;
use super::word::q;
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{Header, HeaderName, HeaderValue, Params, params};
use crate::leniency::Lenient;
use crate::parse::{Fault, Parsed, class, grammar};
use crate::text::Text;
use crate::uri::Uri;
use alloc::borrow::Cow;
use alloc::string::ToString;
use bytes::Bytes;
use core::fmt;
use core::str::FromStr;
use memchr::memchr2;

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
        q(&self.params)
    }

    /// Reads an address at the front of `input`, which is part of `source`.
    pub(crate) fn read_with<'a>(source: &Bytes, input: &'a [u8], lenient: Lenient) -> Parsed<'a, Self> {
        let fail = |error: ParseError, part: &'a [u8]| {
            Fault::error(part.get(error.at.min(part.len())..).unwrap_or_default(), error.kind)
        };
        let (rest, display_name) = display_name(source, input, lenient)?;
        let (rest, part) = match rest {
            [b'<', rest @ ..] => {
                let Some(end) = class::find(b'>', rest) else {
                    return Fault::error(rest, ParseErrorKind::Bracket);
                };
                let (uri, rest) = rest.split_at_checked(end).unwrap_or_default();
                let uri = if lenient.spaces_in_brackets() { class::trim(uri) } else { uri };
                (rest.get(1..).unwrap_or_default(), uri)
            }
            _ => addr_spec(rest, lenient)?,
        };
        let uri = match Uri::read_with(source, part, lenient) {
            Ok(uri) => uri,
            Err(error) => return fail(error, part),
        };
        let (rest, params) = Params::read_with(source, rest, lenient)?;
        Ok((rest, Self { display_name, uri, params }))
    }

    /// Reads a header's value that is an address.
    pub(crate) fn from_value(value: HeaderValue<'_>) -> Result<Self, ParseError> {
        grammar::complete(value.as_bytes(), |input| Self::read_with(value.source(), input, value.lenient()))
    }
}

/// The name before `<`; leaves `input` when no name is there.
fn display_name<'a>(source: &Bytes, input: &'a [u8], lenient: Lenient) -> Parsed<'a, Option<Text>> {
    if input.first() == Some(&b'<') {
        return Ok((input, None));
    }
    let (rest, name) = if input.first() == Some(&b'"') {
        let (rest, (inside, escaped)) = grammar::quoted_escaped(input)?;
        let rest = grammar::skip_spaces(rest);
        if rest.first() != Some(&b'<') {
            return Fault::error(rest, ParseErrorKind::Separator('<'));
        }
        let name = if escaped {
            grammar::unquote_with(source, inside, lenient)
        } else {
            Text::slice_lossy(source, inside, lenient.non_utf8_text())
        };
        (rest, name)
    } else {
        let mut len = input.iter().position(|&byte| !class::is(byte, class::DISPLAY)).unwrap_or(input.len());
        if lenient.any_display_names()
            && let Some(end) = memchr2(b'"', b'<', input)
        {
            len = end;
        }
        let (name, rest) = input.split_at_checked(len).unwrap_or_default();
        if rest.first() != Some(&b'<') {
            return Ok((input, None));
        }
        if !lenient.non_ascii_display_names()
            && let Some(at) = name.iter().position(|byte| !byte.is_ascii())
        {
            return Fault::error(name.get(at..).unwrap_or_default(), ParseErrorKind::Token);
        }
        (rest, Text::slice_lossy(source, class::trim(name), lenient.non_utf8_text()))
    };
    match name {
        Ok(name) => Ok((rest, Some(name).filter(|name| !name.is_empty()))),
        Err(error) => Fault::error(input, error.kind),
    }
}

/// A URI without brackets ends at a `;` or a space, and may not have `,` or `?`.
fn addr_spec(input: &[u8], lenient: Lenient) -> Parsed<'_, &[u8]> {
    let mut end = input.iter().position(|byte| b"; \t,?\"<>".contains(byte)).unwrap_or(input.len());
    if lenient.headers_without_brackets() && input.get(end) == Some(&b'?') {
        let headers = input.get(end..).unwrap_or_default();
        end += headers.iter().position(|byte| b"; \t,\"<>".contains(byte)).unwrap_or(headers.len());
    }
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
    NameAddr::from_value(HeaderValue::whole(value))
}

/// Headers whose value is an address.
macro_rules! address {
    ($($(#[$doc:meta])+ $name:ident = $constant:ident, list: $list:literal;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name(pub crate::header::NameAddr);

        impl crate::header::Header for $name {
            const NAME: crate::header::HeaderName = crate::header::HeaderName::$constant;
            const LIST: bool = $list;

            fn parse(value: &bytes::Bytes) -> Result<Self, crate::error::ParseError> {
                Self::parse_value(crate::header::HeaderValue::whole(value))
            }

            fn parse_value(value: crate::header::HeaderValue<'_>) -> Result<Self, crate::error::ParseError> {
                crate::header::NameAddr::from_value(value).map(Self)
            }

            super::emit_display!();
        }

        impl $name {
            /// An address without name and parameters.
            #[must_use]
            pub const fn new(uri: crate::uri::Uri) -> Self {
                Self(crate::header::NameAddr::new(uri))
            }
        }

        impl core::ops::Deref for $name {
            type Target = crate::header::NameAddr;
            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }

        impl core::ops::DerefMut for $name {
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.0
            }
        }

        impl core::convert::From<crate::header::NameAddr> for $name {
            fn from(address: crate::header::NameAddr) -> Self {
                Self(address)
            }
        }

        impl core::convert::From<crate::uri::Uri> for $name {
            fn from(uri: crate::uri::Uri) -> Self {
                Self::new(uri)
            }
        }

        impl core::str::FromStr for $name {
            type Err = crate::error::ParseError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(&self.0, f)
            }
        }
    )+};
}
pub(super) use address;

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
    /// One value of P-Preferred-Identity: which of its identities the sender wants to be shown (RFC 3325 §9.2).
    PPreferredIdentity = P_PREFERRED_IDENTITY, list: true;
    /// One value of Service-Route: a proxy through which requests of a registered telephone go (RFC 3608).
    ServiceRoute = SERVICE_ROUTE, list: true;
    /// Referred-By: who has asked for this request by a REFER (RFC 3892). The `cid` parameter names the body
    /// part that proves it.
    ReferredBy = REFERRED_BY, list: false;
    /// P-Called-Party-ID: whom the request was for before a proxy wrote the contact into it (RFC 7315 §4.2).
    PCalledPartyId = P_CALLED_PARTY_ID, list: false;
    /// One value of P-Associated-URI: an identity that belongs to the one registered (RFC 7315 §4.1).
    PAssociatedUri = P_ASSOCIATED_URI, list: true;
    /// P-Served-User: for whom the application server works; `sescase` and `regstate` say in which role (RFC 5502).
    PServedUser = P_SERVED_USER, list: false;
    /// P-Profile-Key: the service profile that fits the request (RFC 5002).
    PProfileKey = P_PROFILE_KEY, list: false;
    /// P-User-Database: where the user's data are (RFC 4457).
    PUserDatabase = P_USER_DATABASE, list: false;
    /// Refer-Events-At: where to subscribe to what became of a REFER (RFC 7614 §4.1).
    ReferEventsAt = REFER_EVENTS_AT, list: false;
    /// One value of Geolocation: where the location of the sender is told, often a `cid:` URL (RFC 6442 §4.1).
    Geolocation = GEOLOCATION, list: true;
    /// One value of Permission-Missing: a recipient who has not agreed to be sent to (RFC 5360 §5.9).
    PermissionMissing = PERMISSION_MISSING, list: true;
}

impl ReferredBy {
    /// The Content-ID of the body part that proves who refers, in its brackets' inside.
    #[must_use]
    pub fn cid(&self) -> Option<Cow<'_, str>> {
        self.params.get("cid")
    }
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
        Self::parse_value(HeaderValue::whole(value))
    }

    fn parse_value(value: HeaderValue<'_>) -> Result<Self, ParseError> {
        if class::trim(value.as_bytes()) == b"*" {
            return Ok(Self::Star);
        }
        NameAddr::from_value(value).map(Self::Addr)
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
