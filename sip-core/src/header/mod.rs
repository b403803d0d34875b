//! Headers: raw and in order ([`Headers`]), and typed views of their values ([`Header`]).

mod map;
mod name;
pub(crate) mod params;
mod typed;

pub use map::Headers;
pub(crate) use map::HeadersBuilder;
pub use name::HeaderName;
pub use params::Params;
pub use typed::*;

use crate::emit::Emitter;
use crate::error::ParseError;
use crate::leniency::{Leniency, Lenient};
use crate::text::sub;
use bytes::Bytes;

/// The value of a header where it stands: its bytes, what they are a part of, and what is forgiven when they are read.
#[derive(Clone, Copy, Debug)]
pub struct HeaderValue<'a> {
    source: &'a Bytes,
    part: &'a [u8],
    lenient: Lenient,
}

impl<'a> HeaderValue<'a> {
    /// `part` must be a sub-slice of `source`.
    pub(crate) const fn new(source: &'a Bytes, part: &'a [u8], lenient: Lenient) -> Self {
        Self { source, part, lenient }
    }

    /// The whole of `value`, read with the default leniency.
    #[must_use]
    pub fn whole(value: &'a Bytes) -> Self {
        Self { source: value, part: value, lenient: Lenient::DEFAULT }
    }

    /// The same with what is forgiven.
    #[must_use]
    pub const fn with_leniency(mut self, leniency: &Leniency) -> Self {
        self.lenient = Lenient::new(leniency);
        self
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.part
    }

    /// The bytes, sharing the memory of what they are a part of.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        sub(self.source, self.part)
    }

    /// What is forgiven.
    #[must_use]
    pub const fn leniency(&self) -> Leniency {
        self.lenient.named()
    }

    /// What the bytes are a part of.
    pub(crate) const fn source(&self) -> &'a Bytes {
        self.source
    }

    /// What is forgiven, in one word.
    pub(crate) const fn lenient(&self) -> Lenient {
        self.lenient
    }
}

/// A typed header: how its value is read and written.
///
/// Implement it for a header that the crate does not know, and every method of [`Headers`] works with it.
///
/// ```
/// use bytes::Bytes;
/// use core::fmt::Write;
/// use sidetone_sip_core::{Emitter, Header, HeaderName, Headers, ParseError, Text};
///
/// struct Priority(Text);
///
/// impl Header for Priority {
///     const NAME: HeaderName = HeaderName::from_static("Priority");
///     fn parse(value: &Bytes) -> Result<Self, ParseError> {
///         Text::from_utf8(value.clone()).map(Self)
///     }
///     fn emit(&self, out: &mut Emitter) {
///         let _ = write!(out, "{}", self.0);
///     }
/// }
///
/// let mut headers = Headers::new();
/// headers.push(&Priority("urgent".into()));
/// assert_eq!(headers.require::<Priority>().unwrap().0, "urgent");
/// ```
pub trait Header: Sized {
    /// The header's name.
    const NAME: HeaderName;

    /// Whether one line may hold several values with commas between, each of which is one `Self`.
    const LIST: bool = false;

    /// Whether several lines together are one `Self`, by [`Header::merge`]: a set, as in Supported.
    const SET: bool = false;

    /// Reads a value: without line ends, and one element if the header is a list. Text may share its bytes.
    ///
    /// # Errors
    /// The value does not follow the header's grammar; the error's place is counted in `value`.
    fn parse(value: &Bytes) -> Result<Self, ParseError>;

    /// Reads a value where it stands in a message, as leniently as the message was read. [`Headers`] calls this; it is
    /// [`Header::parse`] unless a type does better without a `Bytes` of its own, or knows a [`Leniency`].
    ///
    /// # Errors
    /// As [`Header::parse`].
    fn parse_value(value: HeaderValue<'_>) -> Result<Self, ParseError> {
        Self::parse(&value.to_bytes())
    }

    /// Writes the value.
    fn emit(&self, out: &mut Emitter);

    /// Adds the values of a further line, when [`Header::SET`] says so.
    fn merge(&mut self, more: Self) {
        let _ = more;
    }
}
