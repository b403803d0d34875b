//! Hosts of URIs and Via headers.

use crate::error::{ParseError, ParseErrorKind};
use crate::leniency::Lenient;
use crate::parse::class;
use crate::text::Text;
use bytes::Bytes;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;
use memchr::memchr;

/// A host: a name or an address. Names compare without case.
///
/// ```
/// use sidetone_sip_core::Host;
/// assert_eq!("Example.COM".parse::<Host>(), "example.com".parse());
/// assert_eq!("[2001:db8::1]".parse::<Host>().unwrap().ip(), "2001:db8::1".parse().ok());
/// ```
#[derive(Clone, Debug)]
pub enum Host {
    /// A name, to be resolved.
    Name(Text),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, written in brackets.
    V6(Ipv6Addr),
}

impl Host {
    /// Parses a host; an IPv6 address may stand without brackets here.
    ///
    /// # Errors
    /// It is neither a name nor an address.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, ParseError> {
        let text = Bytes::copy_from_slice(text.as_ref());
        if let Some(address) = core::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()) {
            return Ok(Self::V6(address));
        }
        Self::read(&text, &text)
    }

    /// Parses a host that is `part` of `source`.
    pub(crate) fn read(source: &Bytes, part: &[u8]) -> Result<Self, ParseError> {
        if Self::len(part) != Some(part.len()) {
            return Err(ParseError::new(ParseErrorKind::Host, 0));
        }
        Self::of(source, part)
    }

    /// The same for a part that [`Host::len`] has measured.
    pub(crate) fn of(source: &Bytes, part: &[u8]) -> Result<Self, ParseError> {
        if let [b'[', address @ .., b']'] = part {
            let address = core::str::from_utf8(address).ok().and_then(|text| text.parse().ok());
            return address.map(Self::V6).ok_or(ParseError::new(ParseErrorKind::Host, 1));
        }
        if part.first().is_some_and(u8::is_ascii_digit)
            && part.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
            && let Some(address) = core::str::from_utf8(part).ok().and_then(|text| text.parse().ok())
        {
            return Ok(Self::V4(address));
        }
        Ok(Self::Name(Text::slice_ascii(source, part)))
    }

    /// How many bytes at the front of `text` are a host; `None` when there is none.
    pub(crate) fn len(text: &[u8]) -> Option<usize> {
        if text.first() == Some(&b'[') {
            let end = memchr(b']', text)?;
            let address = core::str::from_utf8(text.get(1..end)?).ok()?;
            return address.parse::<Ipv6Addr>().is_ok().then_some(end + 1);
        }
        let len = class::span(text, class::HOST);
        text.first().filter(|&&byte| byte != b'.' && byte != b'-').map(|_| len).filter(|&len| len > 0)
    }

    /// The same with what is forgiven.
    pub(crate) fn len_with(text: &[u8], lenient: Lenient) -> Option<usize> {
        let len = Self::len(text)?;
        let allowed = lenient.underscore_in_hosts() || memchr(b'_', text.get(..len)?).is_none();
        allowed.then_some(len)
    }

    /// The address, when it is one.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(address) => Some(IpAddr::V4(*address)),
            Self::V6(address) => Some(IpAddr::V6(*address)),
        }
    }
}

impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.as_bytes().eq_ignore_ascii_case(b.as_bytes()),
            (a, b) => a.ip().is_some() && a.ip() == b.ip(),
        }
    }
}

impl Eq for Host {}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(address),
        }
    }
}

impl FromStr for Host {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl fmt::Display for Host {
    /// As in a URI: IPv6 addresses in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => write!(f, "{address}"),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}
