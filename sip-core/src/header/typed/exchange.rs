//! Identifiers and data that go along with a session: Session-ID, User-to-User, Info-Package, Recv-Info, Geolocation
//! (RFC 7989, RFC 7433, RFC 6086, RFC 6442).

use super::emit_display;
use super::options::{list, write_list};
use super::word::{from_str, word_headers};
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{Header, HeaderName, HeaderValue, Params};
use crate::parse::{Fault, grammar};
use crate::text::Text;
use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

/// Session-ID: one name for a session from end to end, which no element in between changes (RFC 7989 §5).
///
/// An older peer (RFC 7329) has no `remote`.
///
/// ```
/// use sidetone_sip_core::header::SessionId;
/// let id: SessionId = "ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000".parse().unwrap();
/// assert_eq!((id.local, id.remote()), (0xab30317f1a784dc48ff824d0d3715d86, Some(SessionId::NIL)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionId {
    /// The UUID of the sender.
    pub local: u128,
    /// `remote` and others.
    pub params: Params,
}

impl SessionId {
    /// The UUID of an end that is not known yet.
    pub const NIL: u128 = 0;

    /// The sender's UUID and that of the other end.
    #[must_use]
    pub fn new(local: u128, remote: u128) -> Self {
        let mut params = Params::new();
        params.set("remote", &format!("{remote:032x}"));
        Self { local, params }
    }

    /// The UUID of the other end.
    #[must_use]
    pub fn remote(&self) -> Option<u128> {
        uuid(self.params.get("remote")?.as_bytes())
    }
}

fn uuid(digits: &[u8]) -> Option<u128> {
    let text = core::str::from_utf8(digits).ok()?;
    (digits.len() == 32 && digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')))
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
}

impl Header for SessionId {
    const NAME: HeaderName = HeaderName::SESSION_ID;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        Self::parse_value(HeaderValue::whole(value))
    }

    fn parse_value(value: HeaderValue<'_>) -> Result<Self, ParseError> {
        grammar::complete(value.as_bytes(), |input| {
            let (rest, digits) = grammar::token(input)?;
            let Some(local) = uuid(digits) else { return Fault::error(input, ParseErrorKind::Number) };
            let (rest, params) = Params::read_with(value.source(), rest, value.lenient())?;
            Ok((rest, Self { local, params }))
        })
    }

    emit_display!();
}

from_str!(SessionId);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}{}", self.local, self.params)
    }
}

word_headers! {
    /// One value of User-to-User: data of the application at one end for that at the other (RFC 7433 §4).
    ///
    /// ```
    /// use sidetone_sip_core::header::UserToUser;
    /// let uui = UserToUser::hex(b"VIP");
    /// assert_eq!(uui.to_string(), "564950;encoding=hex");
    /// assert_eq!(uui.decoded().as_deref(), Some(&b"VIP"[..]));
    /// ```
    UserToUser {
        /// The data as written: hexadecimal digits unless `encoding` says otherwise.
        data: text
    } = USER_TO_USER, list: true;

    /// Info-Package: what the body of an INFO belongs to (RFC 6086 §7.1).
    InfoPackage {
        /// The package.
        package: token
    } = INFO_PACKAGE, list: false;

    /// Geolocation-Routing: whether a proxy may route by the location (RFC 6442 §4.2): `yes` or `no`.
    GeolocationRouting {
        /// `yes`, `no` or another.
        value: token
    } = GEOLOCATION_ROUTING, list: false;

    /// Geolocation-Error: what is wrong with the location (RFC 6442 §4.3).
    GeolocationError {
        /// Three digits.
        code: token
    } = GEOLOCATION_ERROR, list: false;
}

impl UserToUser {
    /// Any bytes, in hexadecimal digits.
    #[must_use]
    pub fn hex(data: &[u8]) -> Self {
        let digits: alloc::string::String = data.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut value = Self::new(digits);
        value.params.set("encoding", "hex");
        value
    }

    /// The bytes: of the hexadecimal digits when `encoding` is `hex` or not there, or else of the text.
    /// `None` when the digits are none.
    #[must_use]
    pub fn decoded(&self) -> Option<Vec<u8>> {
        if self.encoding().is_some_and(|encoding| !encoding.eq_ignore_ascii_case("hex")) {
            return Some(self.data.as_bytes().to_vec());
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (pairs, rest) = self.data.as_bytes().as_chunks::<2>();
        let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
        rest.is_empty().then(|| bytes.collect()).flatten()
    }

    /// The `encoding` parameter.
    #[must_use]
    pub fn encoding(&self) -> Option<Cow<'_, str>> {
        self.params.get("encoding")
    }

    /// The `purpose` parameter: the package, as `isdn-uui` (RFC 7434).
    #[must_use]
    pub fn purpose(&self) -> Option<Cow<'_, str>> {
        self.params.get("purpose")
    }

    /// The `content` parameter: what the data are.
    #[must_use]
    pub fn content(&self) -> Option<Cow<'_, str>> {
        self.params.get("content")
    }
}

/// Recv-Info: the info packages that the sender takes (RFC 6086 §7.2). Empty means none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecvInfo(pub Vec<InfoPackage>);

impl RecvInfo {
    /// Whether the package is named; without case.
    #[must_use]
    pub fn has(&self, package: &str) -> bool {
        self.0.iter().any(|named| named.package.eq_ignore_ascii_case(package))
    }
}

impl<T: Into<Text>> FromIterator<T> for RecvInfo {
    fn from_iter<I: IntoIterator<Item = T>>(packages: I) -> Self {
        Self(packages.into_iter().map(InfoPackage::new).collect())
    }
}

impl Header for RecvInfo {
    const NAME: HeaderName = HeaderName::RECV_INFO;
    const SET: bool = true;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        Self::parse_value(HeaderValue::whole(value))
    }

    fn parse_value(value: HeaderValue<'_>) -> Result<Self, ParseError> {
        let (source, lenient) = (value.source(), value.lenient());
        let package = |element| InfoPackage::parse_value(HeaderValue::new(source, element, lenient));
        list(value.as_bytes(), package).map(Self)
    }

    emit_display!();

    fn merge(&mut self, more: Self) {
        self.0.extend(more.0);
    }
}

from_str!(RecvInfo);

impl fmt::Display for RecvInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, &self.0)
    }
}
