//! Request methods (RFC 3261 §7.1).

use crate::error::{ParseError, ParseErrorKind};
use crate::parse::class;
use crate::text::Text;
use bytes::Bytes;
use core::fmt;
use core::str::FromStr;

/// A request method: one that the crate knows, or any other token. Methods are case-sensitive.
///
/// ```
/// use sidetone_sip_core::Method;
/// assert_eq!("INVITE".parse(), Ok(Method::INVITE));
/// assert_ne!("invite".parse(), Ok(Method::INVITE));
/// assert!("IN VITE".parse::<Method>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Method(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Known(Known),
    /// A token that is no known method.
    Other(Text),
}

impl Method {
    /// The method that these bytes name; copies them when it is none of the constants.
    ///
    /// # Errors
    /// The bytes are not a token.
    pub fn parse(name: &[u8]) -> Result<Self, ParseError> {
        match Known::find(name) {
            Some(known) => Ok(Self(Repr::Known(known))),
            None => Self::read(&Bytes::copy_from_slice(name)),
        }
    }

    /// As [`Method::parse`], sharing the bytes.
    pub(crate) fn read(name: &Bytes) -> Result<Self, ParseError> {
        Self::read_part(name, name)
    }

    /// The same for a `name` that is part of `source`.
    pub(crate) fn read_part(source: &Bytes, name: &[u8]) -> Result<Self, ParseError> {
        if let Some(known) = Known::find(name) {
            return Ok(Self(Repr::Known(known)));
        }
        match name.iter().position(|&byte| !class::is(byte, class::TOKEN)) {
            None if !name.is_empty() => Ok(Self(Repr::Other(Text::slice_ascii(source, name)))),
            at => Err(ParseError::new(ParseErrorKind::Token, at.unwrap_or_default())),
        }
    }

    /// Whether it is one of the constants.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        matches!(self.0, Repr::Known(_))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Known(known) => known.as_str(),
            Repr::Other(text) => text,
        }
    }
}

macro_rules! methods {
    ($($name:ident $doc:literal;)+) => {
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(clippy::upper_case_acronyms, reason = "the methods' own names")]
        enum Known { $($name,)+ }

        impl Known {
            const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            fn find(name: &[u8]) -> Option<Self> {
                $(if name == stringify!($name).as_bytes() { return Some(Self::$name); })+
                None
            }
        }

        impl Method {
            $(#[doc = $doc] pub const $name: Self = Self(Repr::Known(Known::$name));)+
        }
    };
}

methods! {
    INVITE "Begins or changes a session (RFC 3261 §13, §14).";
    ACK "Confirms the final response to an INVITE (RFC 3261 §13, §17).";
    BYE "Ends a session (RFC 3261 §15).";
    CANCEL "Withdraws a pending INVITE (RFC 3261 §9).";
    REGISTER "Binds an address to a contact (RFC 3261 §10).";
    OPTIONS "Asks for capabilities (RFC 3261 §11).";
    INFO "Carries application data in a dialog (RFC 6086).";
    PRACK "Acknowledges a provisional response (RFC 3262).";
    UPDATE "Changes a session before or after it is set up (RFC 3311).";
    SUBSCRIBE "Asks for notifications (RFC 6665).";
    NOTIFY "Notifies a subscriber (RFC 6665).";
    REFER "Asks the peer to call somebody (RFC 3515).";
    MESSAGE "Carries an instant message (RFC 3428).";
    PUBLISH "Publishes event state (RFC 3903).";
}

impl FromStr for Method {
    type Err = ParseError;
    fn from_str(name: &str) -> Result<Self, ParseError> {
        Self::parse(name.as_bytes())
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
