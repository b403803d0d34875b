//! Headers of one word, one number or one line of text.

use super::emit_display;
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{Header, HeaderName, HeaderValue};
use crate::method::Method;
use crate::parse::{class, grammar};
use crate::text::Text;
use bytes::Bytes;
use core::fmt;
use core::ops::Deref;
use core::str::FromStr;

/// CSeq: the number and method of a request (RFC 3261 §20.16).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// The number, below 2³¹ (RFC 3261 §8.1.1.5).
    pub seq: u32,
    /// The method.
    pub method: Method,
}

impl CSeq {
    /// The number and the method.
    #[must_use]
    pub const fn new(seq: u32, method: Method) -> Self {
        Self { seq, method }
    }
}

impl Header for CSeq {
    const NAME: HeaderName = HeaderName::CSEQ;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        Self::parse_value(HeaderValue::whole(value))
    }

    fn parse_value(value: HeaderValue<'_>) -> Result<Self, ParseError> {
        let (seq, method) = grammar::complete(value.as_bytes(), |input| {
            let (rest, digits) = grammar::digits(input)?;
            let after = grammar::skip_spaces(rest);
            if after.len() == rest.len() && !value.lenient().cseq_without_space() {
                return grammar::Fault::error(rest, ParseErrorKind::Separator(' '));
            }
            let (rest, method) = grammar::token(after)?;
            Ok((rest, (digits, method)))
        })?;
        let seq = class::number(seq).filter(|seq| *seq < 1 << 31);
        let seq = seq.ok_or(ParseError::new(ParseErrorKind::Range, 0))?;
        Ok(Self { seq, method: Method::read_part(value.source(), method)? })
    }

    emit_display!();
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seq, self.method)
    }
}

impl FromStr for CSeq {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }
}

/// Call-ID: one call, or one client's registrations (RFC 3261 §20.8). Compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(Text);

impl CallId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The shared text.
    #[must_use]
    pub const fn text(&self) -> &Text {
        &self.0
    }
}

impl Header for CallId {
    const NAME: HeaderName = HeaderName::CALL_ID;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        Self::parse_value(HeaderValue::whole(value))
    }

    fn parse_value(value: HeaderValue<'_>) -> Result<Self, ParseError> {
        let id = class::trim(value.as_bytes());
        let mut wrong = Some(class::span(id, class::CALL_ID)).filter(|&len| len < id.len());
        if wrong.is_some() && value.lenient().any_call_ids() {
            wrong = id.iter().position(|byte| !byte.is_ascii_graphic());
        }
        match wrong.or_else(|| id.is_empty().then_some(0)) {
            Some(at) => Err(ParseError::new(ParseErrorKind::Token, at)),
            None => Ok(Self(Text::slice_ascii(value.source(), id))),
        }
    }

    emit_display!();
}

/// A header of one line of text, or a number.
macro_rules! plain {
    (text: $($(#[$doc:meta])+ $name:ident = $constant:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(pub Text);

        impl Header for $name {
            const NAME: HeaderName = HeaderName::$constant;

            fn parse(value: &Bytes) -> Result<Self, ParseError> {
                Self::parse_value(HeaderValue::whole(value))
            }

            fn parse_value(value: HeaderValue<'_>) -> Result<Self, ParseError> {
                let lossy = value.lenient().non_utf8_text();
                Text::slice_lossy(value.source(), class::trim(value.as_bytes()), lossy).map(Self)
            }

            emit_display!();
        }

        plain!(str $name);
    )+};
    (token: $($(#[$doc:meta])+ $name:ident = $constant:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(pub Text);

        impl Header for $name {
            const NAME: HeaderName = HeaderName::$constant;

            fn parse(value: &Bytes) -> Result<Self, ParseError> {
                let token = grammar::complete(value, grammar::token)?;
                Ok(Self(Text::slice_ascii(value, token)))
            }

            emit_display!();
        }

        plain!(str $name);
    )+};
    (str $name:ident) => {
        impl From<Text> for $name {
            fn from(text: Text) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<alloc::string::String> for $name {
            fn from(text: alloc::string::String) -> Self {
                Self(text.into())
            }
        }

        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
    (number: $($(#[$doc:meta])+ $name:ident($kind:ty) = $constant:ident, $read:expr;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub $kind);

        impl Header for $name {
            const NAME: HeaderName = HeaderName::$constant;

            fn parse(value: &Bytes) -> Result<Self, ParseError> {
                Self::parse_value(HeaderValue::whole(value))
            }

            fn parse_value(value: HeaderValue<'_>) -> Result<Self, ParseError> {
                let digits = class::trim(value.as_bytes());
                if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                    return Err(ParseError::new(ParseErrorKind::Number, 0));
                }
                if !value.lenient().saturating_numbers() && class::number(digits).is_none() {
                    return Err(ParseError::new(ParseErrorKind::Range, 0));
                }
                let read: fn(&[u8]) -> Option<$kind> = $read;
                read(digits).map(Self).ok_or(ParseError::new(ParseErrorKind::Range, 0))
            }

            emit_display!();
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

plain!(str CallId);

plain! { text:
    /// User-Agent: the client's software (RFC 3261 §20.41).
    UserAgent = USER_AGENT;
    /// Server: the server's software (RFC 3261 §20.35).
    Server = SERVER;
    /// Subject: what the call is about (RFC 3261 §20.36).
    Subject = SUBJECT;
    /// Organization: the caller's (RFC 3261 §20.25).
    Organization = ORGANIZATION;
}

plain! { number:
    /// Max-Forwards: hops that are left, up to 255 (RFC 3261 §20.22).
    MaxForwards(u8) = MAX_FORWARDS, |digits| class::number(digits)?.try_into().ok();
    /// Expires, in seconds; a larger number than 2³²-1 is that (RFC 3261 §20.19).
    Expires(u32) = EXPIRES, class::saturating_number;
    /// Min-Expires: the shortest registration that the registrar takes, in seconds (RFC 3261 §20.23).
    MinExpires(u32) = MIN_EXPIRES, class::saturating_number;
    /// RSeq: the number of a reliable provisional response (RFC 3262 §7.1).
    RSeq(u32) = RSEQ, class::number;
    /// Flow-Timer: after how many seconds a silent flow counts as dead at the edge proxy (RFC 5626 §10).
    FlowTimer(u32) = FLOW_TIMER, class::saturating_number;
    /// Max-Breadth: into how many branches the request may yet be forked (RFC 5393 §5.3).
    MaxBreadth(u32) = MAX_BREADTH, class::saturating_number;
    /// Content-Length: bytes of the body (RFC 3261 §20.14). The emitter writes it from the body itself.
    ContentLength(usize) = CONTENT_LENGTH, |digits| class::number(digits)?.try_into().ok();
}

plain! { token:
    /// Priority: `emergency`, `urgent`, `normal`, `non-urgent` or another (RFC 3261 §20.26).
    Priority = PRIORITY;
    /// SIP-ETag: the name of what was published (RFC 3903 §11.3.1).
    SipETag = SIP_ETAG;
    /// SIP-If-Match: the name of what is to be refreshed, changed or removed (RFC 3903 §11.3.2).
    SipIfMatch = SIP_IF_MATCH;
    /// Suppress-If-Match: the name of what the subscriber has already, or `*` (RFC 5839 §7.2).
    SuppressIfMatch = SUPPRESS_IF_MATCH;
}

impl Default for MaxForwards {
    /// 70, what RFC 3261 §8.1.1.6 asks for.
    fn default() -> Self {
        Self(70)
    }
}
