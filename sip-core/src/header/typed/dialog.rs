//! Headers that name another dialog or call: Replaces, Join, Target-Dialog, In-Reply-To
//! (RFC 3891, RFC 3911, RFC 4538, RFC 3261 §20.21).

use super::basic::CallId;
use super::emit_display;
use super::word::from_str;
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{Header, HeaderName, HeaderValue, Params, params};
use crate::parse::grammar;
use crate::text::{Text, offset, sub};
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use memchr::memchr;

/// A Call-ID, two tags that must be there once, and other parameters.
struct Parts {
    call_id: CallId,
    tags: [Text; 2],
    rest: Params,
}

/// `callid *( ";" parameter )`. A `;` is no part of a Call-ID.
fn read(value: HeaderValue<'_>, tags: [&str; 2]) -> Result<Parts, ParseError> {
    let (source, lenient) = (value.source(), value.lenient());
    let bytes = value.as_bytes();
    let end = memchr(b';', bytes).unwrap_or(bytes.len());
    let (call_id, list) = bytes.split_at_checked(end).unwrap_or_default();
    let call_id = CallId::parse_value(HeaderValue::new(source, call_id, lenient))?;
    let shift = |error: ParseError| ParseError { at: end + error.at, ..error };
    let mut rest =
        grammar::complete(list, |input| Params::read_with(source, input, lenient)).map_err(shift)?;
    let mut take = |name: &str| {
        let mut found = rest.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let value =
            found.next().and_then(|(_, value)| value).map(|value| Text::from(params::unquoted(value)));
        let twice = found.next().is_some();
        drop(found);
        rest.remove(name);
        let kind = if twice { ParseErrorKind::Duplicate } else { ParseErrorKind::Param };
        value.filter(|_| !twice).ok_or_else(|| ParseError::new(kind, end))
    };
    let [first, second] = tags;
    let tags = [take(first)?, take(second)?];
    Ok(Parts { call_id, tags, rest })
}

macro_rules! dialog {
    ($(
        $(#[$doc:meta])+
        $name:ident = $constant:ident {
            $(#[$first_doc:meta])+ $first:ident: $first_name:literal,
            $(#[$second_doc:meta])+ $second:ident: $second_name:literal
        }
    )+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            /// The dialog's Call-ID.
            pub call_id: CallId,
            $(#[$first_doc])+
            pub $first: Text,
            $(#[$second_doc])+
            pub $second: Text,
            /// Other parameters.
            pub params: Params,
        }

        impl $name {
            /// A dialog by its Call-ID and tags.
            #[must_use]
            pub fn new(call_id: CallId, $first: impl Into<Text>, $second: impl Into<Text>) -> Self {
                Self { call_id, $first: $first.into(), $second: $second.into(), params: Params::new() }
            }

            /// Whether it names the dialog that the receiver has with these tags. Tags compare byte by byte.
            #[must_use]
            pub fn matches(&self, call_id: &CallId, local_tag: &str, remote_tag: &str) -> bool {
                self.call_id == *call_id && self.$first == *local_tag && self.$second == *remote_tag
            }
        }

        impl Header for $name {
            const NAME: HeaderName = HeaderName::$constant;

            fn parse(value: &Bytes) -> Result<Self, ParseError> {
                Self::parse_value(HeaderValue::whole(value))
            }

            fn parse_value(value: HeaderValue<'_>) -> Result<Self, ParseError> {
                let Parts { call_id, tags: [$first, $second], rest } =
                    read(value, [$first_name, $second_name])?;
                Ok(Self { call_id, $first, $second, params: rest })
            }

            emit_display!();
        }

        from_str!($name);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut tags = Params::new();
                tags.set($first_name, &self.$first);
                tags.set($second_name, &self.$second);
                write!(f, "{}{tags}{}", self.call_id, self.params)
            }
        }
    )+};
}

dialog! {
    /// Replaces: the dialog that an INVITE takes the place of (RFC 3891).
    ///
    /// ```
    /// use sidetone_sip_core::header::Replaces;
    /// let replaces: Replaces = "98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff;early-only".parse().unwrap();
    /// assert_eq!((replaces.call_id.as_str(), &*replaces.to_tag), ("98732@sip.example.com", "ff87ff"));
    /// assert!(replaces.early_only());
    /// assert!(replaces.matches(&"98732@sip.example.com".into(), "ff87ff", "r33th4x0r"));
    /// ```
    Replaces = REPLACES {
        /// The tag of the receiver.
        to_tag: "to-tag",
        /// The tag of the receiver's peer; `0` stands for a peer of RFC 2543 without tag.
        from_tag: "from-tag"
    }
    /// Join: the dialog that an INVITE is to be mixed with (RFC 3911).
    Join = JOIN {
        /// The tag of the receiver.
        to_tag: "to-tag",
        /// The tag of the receiver's peer.
        from_tag: "from-tag"
    }
    /// Target-Dialog: a dialog whose knowledge is the proof that a request may be granted (RFC 4538).
    TargetDialog = TARGET_DIALOG {
        /// The tag of the receiver, as the sender of the request sees it: its remote tag.
        remote_tag: "remote-tag",
        /// The tag of the sender.
        local_tag: "local-tag"
    }
}

impl Replaces {
    /// Whether a dialog that is confirmed already must not be replaced.
    #[must_use]
    pub fn early_only(&self) -> bool {
        self.params.has("early-only")
    }

    /// The same, for an early dialog alone.
    #[must_use]
    pub fn with_early_only(mut self) -> Self {
        self.params.set_flag("early-only");
        self
    }
}

/// In-Reply-To: the calls that this one returns (RFC 3261 §20.21).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InReplyTo(pub Vec<CallId>);

impl Header for InReplyTo {
    const NAME: HeaderName = HeaderName::IN_REPLY_TO;
    const SET: bool = true;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        // A Call-ID may have `"` and `<`, which mean nothing here; a comma it has not.
        let mut calls = Vec::new();
        for call in value.split(|&byte| byte == b',') {
            let at = offset(value, call);
            if calls.len() >= super::options::MOST {
                return Err(ParseError::new(ParseErrorKind::Range, at));
            }
            let call = CallId::parse(&sub(value, call));
            calls.push(call.map_err(|error| ParseError { at: at + error.at, ..error })?);
        }
        Ok(Self(calls))
    }

    emit_display!();

    fn merge(&mut self, more: Self) {
        self.0.extend(more.0);
    }
}

from_str!(InReplyTo);

impl fmt::Display for InReplyTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::options::write_list(f, &self.0)
    }
}
