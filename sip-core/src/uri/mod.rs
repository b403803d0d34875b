//! URIs: `sip`, `sips` and `tel` in full, others as opaque text (RFC 3261 §19.1, RFC 3966).

mod compare;
mod headers;
mod host;
mod read;
mod tel;

pub use host::Host;

use crate::error::{ParseError, ParseErrorKind};
use crate::leniency::Lenient;
use crate::parse::class;
use crate::text::Text;
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt::{self, Write as _};
use core::str::FromStr;
use sidetone_hal::net::Protocol;

/// A URI, as text and the places of its parts: parsing copies nothing and a clone copies a pointer.
///
/// `==` compares `sip` and `sips` URIs by the rules of RFC 3261 §19.1.4, `tel` URIs by RFC 3966 §4 and others by their text. The
/// RFC's relation is not transitive (`<sip:a@b>` equals both `<sip:a@b;x=1>` and `<sip:a@b;x=2>`, which
/// differ), so there is no `Eq` and no `Hash`; a table uses [`Uri::address_of_record`] as text.
///
/// Leniency: a host name may have `_`, a parameter's value may have `=`. Everything else is the RFC's grammar.
///
/// ```
/// use sidetone_sip_core::{Scheme, Uri};
/// let uri: Uri = "sip:al%69ce@Example.com:5070;transport=tcp".parse().unwrap();
/// assert_eq!(uri.scheme(), Scheme::Sip);
/// assert_eq!(uri.user().as_deref(), Some("alice"));
/// assert_eq!((uri.host_str(), uri.port()), ("Example.com", Some(5070)));
/// assert_eq!(uri.param("Transport"), Some(Some("tcp")));
/// assert_eq!(uri, "sip:alice@example.com:5070;transport=TCP".parse().unwrap());
/// ```
#[derive(Clone)]
pub struct Uri {
    text: Text,
    parts: Parts,
}

/// Where the parts of a URI are in its text. Offsets fit 16 bits: a longer URI is refused.
#[derive(Clone, Copy, Default, PartialEq)]
struct Parts {
    kind: Kind,
    port: Option<u16>,
    /// After the scheme, at its colon.
    scheme_end: u16,
    /// After the user; equal to the scheme's end when there is none.
    user_end: u16,
    /// After the password; equal to the user's end when there is none.
    password_end: u16,
    host_start: u16,
    host_end: u16,
    /// At the first `;`, or where it would be.
    params_start: u16,
    /// At the `?`, or the end.
    params_end: u16,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Sip,
    Sips,
    Tel,
    Other,
}

/// The scheme of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme<'a> {
    /// `sip`
    Sip,
    /// `sips`
    Sips,
    /// `tel`
    Tel,
    /// Any other, as written.
    Other(&'a str),
}

impl Uri {
    /// Parses a URI; copies the text.
    ///
    /// # Errors
    /// It does not follow the grammar, or is longer than 65 535 bytes.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, ParseError> {
        Self::from_bytes(Bytes::copy_from_slice(text.as_ref()))
    }

    /// Parses a URI that is the whole of `text`; shares the bytes.
    ///
    /// # Errors
    /// It does not follow the grammar, or is longer than 65 535 bytes.
    pub fn from_bytes(text: Bytes) -> Result<Self, ParseError> {
        Self::read(&text, &text)
    }

    /// Parses a URI that is `part` of `source`.
    pub(crate) fn read(source: &Bytes, part: &[u8]) -> Result<Self, ParseError> {
        Self::read_with(source, part, Lenient::DEFAULT)
    }

    /// The same with what is forgiven.
    pub(crate) fn read_with(source: &Bytes, part: &[u8], lenient: Lenient) -> Result<Self, ParseError> {
        let parts = read::uri(part, lenient)?;
        Ok(Self { text: Text::slice_ascii(source, part), parts })
    }

    /// A `sip` URI. The user is given unescaped. A bare IPv6 address as host gets its brackets.
    ///
    /// # Errors
    /// The host is none.
    pub fn sip(user: Option<&str>, host: &str, port: Option<u16>) -> Result<Self, ParseError> {
        Self::build("sip", user, host, port)
    }

    /// A `sips` URI, else as [`Uri::sip`].
    ///
    /// # Errors
    /// The host is none.
    pub fn sips(user: Option<&str>, host: &str, port: Option<u16>) -> Result<Self, ParseError> {
        Self::build("sips", user, host, port)
    }

    /// A URI of another scheme; what must be escaped in it is.
    pub(crate) fn opaque(scheme: &str, rest: &str) -> Result<Self, ParseError> {
        let mut text = String::from(scheme);
        text.push(':');
        escape_bytes(rest.as_bytes(), |byte| class::is(byte, class::URIC), &mut text);
        Self::from_bytes(Bytes::from(text))
    }

    fn build(scheme: &str, user: Option<&str>, host: &str, port: Option<u16>) -> Result<Self, ParseError> {
        let mut text = String::from(scheme);
        text.push(':');
        if let Some(user) = user {
            escape(user.as_bytes(), class::USER, &mut text);
            text.push('@');
        }
        let host = Host::parse(host.as_bytes())?;
        let _ = write!(text, "{host}");
        if let Some(port) = port {
            let _ = write!(text, ":{port}");
        }
        Self::from_bytes(Bytes::from(text))
    }

    /// The URI as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme<'_> {
        match self.parts.kind {
            Kind::Sip => Scheme::Sip,
            Kind::Sips => Scheme::Sips,
            Kind::Tel => Scheme::Tel,
            Kind::Other => Scheme::Other(self.part(0, self.parts.scheme_end)),
        }
    }

    /// Whether the scheme is `sip` or `sips`.
    #[must_use]
    pub const fn is_sip(&self) -> bool {
        matches!(self.parts.kind, Kind::Sip | Kind::Sips)
    }

    /// Whether the scheme is `sips`.
    #[must_use]
    pub const fn is_sips(&self) -> bool {
        matches!(self.parts.kind, Kind::Sips)
    }

    /// The user part of a `sip` URI with its escapes undone, or the number of a `tel` URI. A user whose
    /// escapes are not UTF-8 keeps them.
    #[must_use]
    pub fn user(&self) -> Option<Cow<'_, str>> {
        self.user_escaped().map(unescape)
    }

    /// The user part of a `sip` URI as written, or the number of a `tel` URI.
    #[must_use]
    pub fn user_escaped(&self) -> Option<&str> {
        let start = self.parts.scheme_end + 1;
        (self.parts.user_end > start).then(|| self.part(start, self.parts.user_end))
    }

    /// The password of a `sip` URI with its escapes undone.
    #[must_use]
    pub fn password(&self) -> Option<Cow<'_, str>> {
        let start = self.parts.user_end + 1;
        (self.parts.password_end >= start).then(|| unescape(self.part(start, self.parts.password_end)))
    }

    /// The host of a `sip` URI. Others have none.
    #[must_use]
    pub fn host(&self) -> Option<Host> {
        self.is_sip().then(|| Host::read(self.text.as_bytes(), self.host_str().as_bytes()).ok()).flatten()
    }

    /// The host of a `sip` URI as written, IPv6 addresses in brackets; empty for others.
    #[must_use]
    pub fn host_str(&self) -> &str {
        self.part(self.parts.host_start, self.parts.host_end)
    }

    /// The port of a `sip` URI, if it is written.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.parts.port
    }

    /// A parameter: `None` when it is not there, `Some(None)` when it has no value. Names compare without
    /// case, and may be escaped; values are as written.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Option<&str>> {
        self.params().find(|(key, _)| is_named(key, name)).map(|(_, value)| value)
    }

    /// Every parameter in order, as written.
    pub fn params(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let list = self.part(self.parts.params_start, self.parts.params_end);
        list.split(';').skip(1).map(|param| match param.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (param, None),
        })
    }

    /// Sets a parameter: in its place, or at the end. Characters that need it are escaped; an empty name does nothing.
    pub fn set_param(&mut self, name: &str, value: Option<&str>) {
        let mut param = String::new();
        // `paramchar`; the class has `=` besides, which is read but not written.
        let plain = |byte| class::is(byte, class::URI_PARAM) && byte != b'=';
        escape_bytes(name.as_bytes(), plain, &mut param);
        if let Some(value) = value {
            param.push('=');
            escape_bytes(value.as_bytes(), plain, &mut param);
        }
        if !name.is_empty() {
            self.edit_params(name, Some(&param));
        }
    }

    /// Removes a parameter.
    pub fn remove_param(&mut self, name: &str) {
        self.edit_params(name, None);
    }

    /// Replaces the user part, given unescaped; drops the password. Does nothing to other schemes than `sip` and `sips`.
    pub fn set_user(&mut self, user: Option<&str>) {
        if !self.is_sip() {
            return;
        }
        let mut text = String::from(self.part(0, self.parts.scheme_end + 1));
        if let Some(user) = user {
            escape(user.as_bytes(), class::USER, &mut text);
            text.push('@');
        }
        text.push_str(self.tail(self.parts.host_start));
        self.replace(text);
    }

    /// Replaces host and port. Does nothing to other schemes than `sip` and `sips`.
    pub fn set_host(&mut self, host: &Host, port: Option<u16>) {
        if !self.is_sip() {
            return;
        }
        let mut text = String::from(self.part(0, self.parts.host_start));
        let _ = write!(text, "{host}");
        if let Some(port) = port {
            let _ = write!(text, ":{port}");
        }
        text.push_str(self.tail(self.parts.params_start));
        self.replace(text);
    }

    /// The headers part after the `?`, as written: `name=value` joined by `&`.
    #[must_use]
    pub fn headers(&self) -> Option<&str> {
        self.is_sip().then(|| self.tail(self.parts.params_end).strip_prefix('?')).flatten()
    }

    /// Whether there is a headers part.
    pub(crate) fn has_headers(&self) -> bool {
        self.is_sip() && usize::from(self.parts.params_end) < self.text.len()
    }

    /// The URI without its headers part.
    #[must_use]
    pub fn without_headers(&self) -> Self {
        self.cut(self.parts.params_end)
    }

    /// The URI without parameters and headers.
    #[must_use]
    pub fn without_params(&self) -> Self {
        self.cut(self.parts.params_start)
    }

    /// The URI as it may stand in a request line: no headers, no `method` (RFC 3261 §19.1.1, table 1).
    #[must_use]
    pub fn to_request_uri(&self) -> Self {
        let mut uri = self.without_headers();
        uri.remove_param("method");
        uri
    }

    /// The URI by which a registrar finds bindings: scheme, user, host and port only, host in lower case, no
    /// needless escapes (RFC 3261 §10.3 step 5). Two users are the same exactly when these texts are.
    #[must_use]
    pub fn address_of_record(&self) -> Self {
        if !self.is_sip() {
            return self.without_params();
        }
        let mut text = String::from(if self.is_sips() { "sips:" } else { "sip:" });
        if let Some(user) = self.user_escaped() {
            for byte in compare::Canonical::new(user.as_bytes()) {
                match byte {
                    compare::Byte::Plain(byte) => {
                        escape_bytes(&[byte], |byte| class::is(byte, class::USER), &mut text);
                    }
                    compare::Byte::Escaped(byte) => escape_bytes(&[byte], |_| false, &mut text),
                }
            }
            text.push('@');
        }
        let start = text.len();
        text.push_str(self.part(self.parts.host_start, self.parts.params_start));
        if let Some(host) = text.get_mut(start..) {
            host.make_ascii_lowercase();
        }
        let mut uri = self.clone();
        uri.replace(text);
        uri
    }

    /// The `transport` parameter, when it names a protocol that we know.
    #[must_use]
    pub fn transport(&self) -> Option<Protocol> {
        protocol(self.param("transport")??)
    }

    /// Whether it has the `lr` parameter: a loose router (RFC 3261 §16.12).
    #[must_use]
    pub fn is_lr(&self) -> bool {
        self.param("lr").is_some()
    }

    /// The shared text.
    #[must_use]
    pub const fn text(&self) -> &Text {
        &self.text
    }

    fn part(&self, start: u16, end: u16) -> &str {
        self.text.part(usize::from(start)..usize::from(end))
    }

    fn tail(&self, start: u16) -> &str {
        self.text.part(usize::from(start)..self.text.as_bytes().len())
    }

    fn cut(&self, end: u16) -> Self {
        let part = self.text.as_bytes().get(..usize::from(end)).unwrap_or_default();
        // A front part of a URI, cut before its parameters or headers, is a URI; it was read as leniently as it had to be.
        Self::read_with(self.text.as_bytes(), part, Lenient::ALL).unwrap_or_else(|_| self.clone())
    }

    fn edit_params(&mut self, name: &str, mut param: Option<&str>) {
        let mut text = String::from(self.part(0, self.parts.params_start));
        let list = self.part(self.parts.params_start, self.parts.params_end);
        for old in list.split(';').skip(1) {
            let key = old.split_once('=').map_or(old, |(key, _)| key);
            let kept = if is_named(key, name) { param.take() } else { Some(old) };
            if let Some(kept) = kept {
                text.push(';');
                text.push_str(kept);
            }
        }
        if let Some(param) = param {
            text.push(';');
            text.push_str(param);
        }
        text.push_str(self.tail(self.parts.params_end));
        self.replace(text);
    }

    /// Takes a text put together from valid parts; a text that would be too long changes nothing.
    fn replace(&mut self, text: String) {
        let text = Bytes::from(text);
        // What was there was read as leniently as it had to be.
        if let Ok(uri) = Self::read_with(&text, &text, Lenient::ALL) {
            *self = uri;
        }
    }
}

/// Whether a parameter's name as written is `name`.
fn is_named(key: &str, name: &str) -> bool {
    key.eq_ignore_ascii_case(name) || key.contains('%') && unescape(key).eq_ignore_ascii_case(name)
}

/// The protocol that a `transport` parameter names.
pub(crate) fn protocol(name: &str) -> Option<Protocol> {
    [Protocol::Udp, Protocol::Tcp, Protocol::Tls, Protocol::Ws, Protocol::Wss]
        .into_iter()
        .find(|protocol| name.eq_ignore_ascii_case(protocol.as_str()))
}

/// Undoes `%HH` once; text that would not be UTF-8 stays as it is.
pub(crate) fn unescape(text: &str) -> Cow<'_, str> {
    match unescape_bytes(text.as_bytes()) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(bytes) => String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned),
    }
}

/// The same for bytes.
fn unescape_bytes(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !bytes.contains(&b'%') {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match class::escape_at(bytes, at) {
            Some(escaped) => {
                out.push(escaped);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(out)
}

/// Appends `bytes`, with `%HH` for what is not in the class.
fn escape(bytes: &[u8], class: u16, out: &mut String) {
    escape_bytes(bytes, |byte| class::is(byte, class), out);
}

fn escape_bytes(bytes: &[u8], plain: impl Fn(u8) -> bool, out: &mut String) {
    for &byte in bytes {
        if byte.is_ascii() && byte != b'%' && plain(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

impl FromStr for Uri {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Uri {
    /// As it is, but a password as `***`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.password().is_none() {
            return f.write_str(&self.text);
        }
        f.write_str(self.part(0, self.parts.user_end))?;
        f.write_str(":***")?;
        f.write_str(self.tail(self.parts.password_end))
    }
}

impl fmt::Display for Scheme<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sip => "sip",
            Self::Sips => "sips",
            Self::Tel => "tel",
            Self::Other(name) => name,
        })
    }
}

/// An error of a URI, at a byte of it.
const fn uri_error(kind: ParseErrorKind, at: usize) -> ParseError {
    ParseError::new(kind, at).in_place("URI")
}
