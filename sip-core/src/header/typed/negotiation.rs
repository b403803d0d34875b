//! Codings, languages and the place of a body: Accept-Encoding, Accept-Language, Content-Encoding,
//! Content-Language, Content-Disposition, Content-ID, MIME-Version (RFC 3261 §20.2, §20.3, §20.11-§20.13, §20.24).

use super::emit_display;
use super::options::{list, write_list};
use super::word::{from_str, q, token, word_headers};
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{Header, HeaderName, HeaderValue, Params};
use crate::parse::{class, grammar};
use crate::text::Text;
use crate::uri::{Uri, unescape};
use alloc::borrow::Cow;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

/// One element of a list of choices: `gzip;q=0.5`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The coding or language; `*` for all others.
    pub name: Text,
    /// `q` and others.
    pub params: Params,
}

impl Choice {
    /// A choice without parameters.
    #[must_use]
    pub fn new(name: impl Into<Text>) -> Self {
        Self { name: name.into(), params: Params::new() }
    }

    /// How much it is wanted, in thousandths: the `q` parameter, or else 1000.
    #[must_use]
    pub fn q(&self) -> u16 {
        q(&self.params).unwrap_or(1000)
    }

    fn parse(value: HeaderValue<'_>, element: &[u8]) -> Result<Self, ParseError> {
        let (source, lenient) = (value.source(), value.lenient());
        grammar::complete(element, |input| {
            let (rest, name) = token::read(source, input, lenient)?;
            let (rest, params) = Params::read_with(source, rest, lenient)?;
            Ok((rest, Self { name, params }))
        })
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, self.params)
    }
}

macro_rules! choices {
    ($($(#[$doc:meta])+ $name:ident = $constant:ident, $fits:expr;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name(pub Vec<Choice>);

        impl $name {
            /// How much this one is wanted, in thousandths: the `q` of the element that fits best, of `*` when no
            /// other does, and 0 when none fits.
            #[must_use]
            pub fn q(&self, name: &str) -> u16 {
                let fits: fn(&str, &str) -> bool = $fits;
                let named = self.0.iter().filter(|choice| fits(&choice.name, name));
                let best = named.max_by_key(|choice| choice.name.len());
                best.or_else(|| self.0.iter().find(|choice| choice.name == "*")).map_or(0, Choice::q)
            }
        }

        impl Header for $name {
            const NAME: HeaderName = HeaderName::$constant;
            const SET: bool = true;

            fn parse(value: &Bytes) -> Result<Self, ParseError> {
                Self::parse_value(HeaderValue::whole(value))
            }

            fn parse_value(value: HeaderValue<'_>) -> Result<Self, ParseError> {
                list(value.as_bytes(), |element| Choice::parse(value, element)).map(Self)
            }

            emit_display!();

            fn merge(&mut self, more: Self) {
                self.0.extend(more.0);
            }
        }

        from_str!($name);

        impl<T: Into<Text>> FromIterator<T> for $name {
            fn from_iter<I: IntoIterator<Item = T>>(names: I) -> Self {
                Self(names.into_iter().map(Choice::new).collect())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_list(f, &self.0)
            }
        }
    )+};
}

choices! {
    /// Accept-Encoding: the codings that a body may come in (RFC 3261 §20.2). Empty means `identity` alone.
    AcceptEncoding = ACCEPT_ENCODING, |range, name| range.eq_ignore_ascii_case(name);
    /// Accept-Language: the languages of reasons and bodies (RFC 3261 §20.3). `en` fits `en-gb`.
    AcceptLanguage = ACCEPT_LANGUAGE, language_fits;
}

/// RFC 2616 §14.4: a range fits a tag that it equals, or that it is the front of up to a `-`.
fn language_fits(range: &str, tag: &str) -> bool {
    tag.split_at_checked(range.len()).is_some_and(|(front, rest)| {
        front.eq_ignore_ascii_case(range) && (rest.is_empty() || rest.starts_with('-'))
    })
}

super::options::options! {
    /// Content-Encoding: how the body is packed, in the order in which it was done (RFC 3261 §20.12).
    ContentEncoding = CONTENT_ENCODING;
    /// Content-Language: the languages of the body (RFC 3261 §20.13).
    ContentLanguage = CONTENT_LANGUAGE;
}

word_headers! {
    /// Content-Disposition: what the body is for (RFC 3261 §20.11, RFC 5621 §8).
    ///
    /// ```
    /// use sidetone_sip_core::header::ContentDisposition;
    /// let disposition: ContentDisposition = "session;handling=optional".parse().unwrap();
    /// assert!(disposition.is("session") && disposition.is_optional());
    /// assert!(!ContentDisposition::new("render").is_optional());
    /// ```
    ContentDisposition {
        /// `session`, `render`, `icon`, `alert`, `early-session`, `by-reference` and others.
        kind: token
    } = CONTENT_DISPOSITION, list: false;
}

impl ContentDisposition {
    /// Whether it is this disposition; without case.
    #[must_use]
    pub fn is(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }

    /// Whether a receiver that does not understand the body may ignore it: `handling=optional`. Without it,
    /// the body must be understood, or the request is refused with 415.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.params.get("handling").is_some_and(|handling| handling.eq_ignore_ascii_case("optional"))
    }

    /// The same with `handling` optional or required.
    #[must_use]
    pub fn with_handling(mut self, optional: bool) -> Self {
        self.params.set("handling", if optional { "optional" } else { "required" });
        self
    }
}

/// Content-ID: the name of a body part, to which a `cid:` URL points (RFC 2392, RFC 8262).
///
/// ```
/// use sidetone_sip_core::header::ContentId;
/// let id: ContentId = "<alice@atlanta.example.com>".parse().unwrap();
/// assert!(id.is_named_by(&"cid:alice%40atlanta.example.com".parse().unwrap()));
/// assert_eq!(id.to_uri().unwrap().as_str(), "cid:alice@atlanta.example.com");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContentId(pub Text);

impl ContentId {
    /// Whether this `cid:` URL names the part; escapes are undone.
    #[must_use]
    pub fn is_named_by(&self, uri: &Uri) -> bool {
        cid(uri).is_some_and(|id| self.0 == *id)
    }

    /// The `cid:` URL that names the part; `None` for an identifier that cannot be one, as the empty one.
    #[must_use]
    pub fn to_uri(&self) -> Option<Uri> {
        Uri::opaque("cid", &self.0).ok()
    }
}

/// The identifier in a `cid:` URL, escapes undone.
fn cid(uri: &Uri) -> Option<Cow<'_, str>> {
    let (scheme, id) = uri.as_str().split_once(':')?;
    scheme.eq_ignore_ascii_case("cid").then(|| unescape(id))
}

impl Header for ContentId {
    const NAME: HeaderName = HeaderName::CONTENT_ID;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        let id = class::trim(value);
        let [b'<', inside @ .., b'>'] = id else {
            return Err(ParseError::new(ParseErrorKind::Bracket, value.len()));
        };
        if let Some(at) = inside.iter().position(|byte| matches!(byte, b'<' | b'>' | b' ' | b'\t')) {
            return Err(ParseError::new(ParseErrorKind::Token, at + 1));
        }
        if inside.is_empty() {
            return Err(ParseError::new(ParseErrorKind::Token, 1));
        }
        Text::slice(value, inside).map(Self)
    }

    emit_display!();
}

from_str!(ContentId);

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

/// MIME-Version: 1.0, when a message is built by RFC 2045 (RFC 3261 §20.24).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MimeVersion {
    /// Before the dot.
    pub major: u32,
    /// After the dot.
    pub minor: u32,
}

impl Default for MimeVersion {
    /// 1.0
    fn default() -> Self {
        Self { major: 1, minor: 0 }
    }
}

impl Header for MimeVersion {
    const NAME: HeaderName = HeaderName::MIME_VERSION;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        grammar::complete(value, |input| {
            let (rest, major) = grammar::digits(input)?;
            let (rest, ()) = grammar::separator(b'.')(rest)?;
            let (after, minor) = grammar::digits(rest)?;
            match (class::number(major), class::number(minor)) {
                (Some(major), Some(minor)) => Ok((after, Self { major, minor })),
                _ => grammar::Fault::error(input, ParseErrorKind::Range),
            }
        })
    }

    emit_display!();
}

from_str!(MimeVersion);

impl fmt::Display for MimeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
