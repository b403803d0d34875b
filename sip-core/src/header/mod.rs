//! Headers: raw and in order ([`Headers`]), and typed views of their values ([`Header`]).

mod map;
mod name;
pub(crate) mod params;
mod typed;

pub use map::Headers;
pub use name::HeaderName;
pub use params::Params;
pub use typed::*;

use crate::emit::Emitter;
use crate::error::ParseError;
use bytes::Bytes;

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

    /// Writes the value.
    fn emit(&self, out: &mut Emitter);

    /// Adds the values of a further line, when [`Header::SET`] says so.
    fn merge(&mut self, more: Self) {
        let _ = more;
    }
}
