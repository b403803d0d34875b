//! Challenges and credentials as the headers carry them (RFC 7616 §3.3, §3.4; RFC 3261 §25.1).

use crate::error::{ParseError, ParseErrorKind};
use crate::header::params::write_quoted;
use crate::parse::class;
use crate::parse::grammar::{self, AuthValue};
use crate::text::Text;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::str::FromStr;

/// The hash of a digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// MD5, also when none is named.
    #[default]
    Md5,
    /// MD5 over a session key.
    Md5Sess,
    /// SHA-256 (RFC 8760).
    Sha256,
    /// SHA-256 over a session key.
    Sha256Sess,
    /// One that we cannot compute.
    Other(Text),
}

impl Algorithm {
    /// The name as in the headers.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
            Self::Other(name) => name,
        }
    }

    /// Whether the session key takes the place of the user's (RFC 7616 §3.4.2).
    #[must_use]
    pub const fn is_session(&self) -> bool {
        matches!(self, Self::Md5Sess | Self::Sha256Sess)
    }

    /// How strong it is, among those that we can compute.
    pub(super) const fn strength(&self) -> Option<u8> {
        match self {
            Self::Md5 => Some(0),
            Self::Md5Sess => Some(1),
            Self::Sha256 => Some(2),
            Self::Sha256Sess => Some(3),
            Self::Other(_) => None,
        }
    }
}

impl From<Text> for Algorithm {
    fn from(name: Text) -> Self {
        let known = [Self::Md5, Self::Md5Sess, Self::Sha256, Self::Sha256Sess];
        known
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(&name))
            .unwrap_or(Self::Other(name))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The quality of protection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Qop {
    /// `auth`: method and URI are covered.
    Auth,
    /// `auth-int`: the body too.
    AuthInt,
    /// Another token.
    Other(Text),
}

impl Qop {
    /// The name as in the headers.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
            Self::Other(name) => name,
        }
    }
}

impl From<Text> for Qop {
    fn from(name: Text) -> Self {
        let known = [Self::Auth, Self::AuthInt];
        known
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(&name))
            .unwrap_or(Self::Other(name))
    }
}

impl fmt::Display for Qop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A Digest challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Whose password is asked for.
    pub realm: Text,
    /// The server's number used once.
    pub nonce: Text,
    /// To be sent back as it is.
    pub opaque: Option<Text>,
    /// The hash; `None` when none is named, which means MD5.
    pub algorithm: Option<Algorithm>,
    /// The qualities offered; empty from a server of RFC 2069.
    pub qop: Vec<Qop>,
    /// Only the nonce was wrong, not the password.
    pub stale: bool,
    /// The URIs that share the password.
    pub domain: Option<Text>,
}

impl Challenge {
    /// A challenge with neither opaque, algorithm nor qop.
    #[must_use]
    pub fn new(realm: impl Into<Text>, nonce: impl Into<Text>) -> Self {
        Self {
            realm: realm.into(),
            nonce: nonce.into(),
            opaque: None,
            algorithm: None,
            qop: Vec::new(),
            stale: false,
            domain: None,
        }
    }

    /// Reads the value of WWW-Authenticate or Proxy-Authenticate.
    ///
    /// # Errors
    /// The scheme is not Digest ([`ParseErrorKind::AuthScheme`]), `realm` or `nonce` is missing, or the
    /// grammar is not followed.
    pub fn parse(value: &Bytes) -> Result<Self, ParseError> {
        let mut challenge = Self::new(Text::EMPTY, Text::EMPTY);
        let (mut realm, mut nonce) = (None, None);
        read(value, |name, value_of| {
            let text = value_of.text(value)?;
            match name {
                Name::Realm => realm = Some(text),
                Name::Nonce => nonce = Some(text),
                Name::Opaque => challenge.opaque = Some(text),
                Name::Algorithm => challenge.algorithm = Some(text.into()),
                Name::Qop => {
                    challenge.qop = text.split(',').map(|name| Qop::from(Text::from(name.trim()))).collect()
                }
                Name::Stale => challenge.stale = text.eq_ignore_ascii_case("true"),
                Name::Domain => challenge.domain = Some(text),
                _ => {}
            }
            Ok(())
        })?;
        let missing = ParseError::new(ParseErrorKind::Param, value.len());
        Ok(Self { realm: realm.ok_or(missing)?, nonce: nonce.ok_or(missing)?, ..challenge })
    }

    /// The algorithm, MD5 when none is named.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm.clone().unwrap_or_default()
    }
}

impl FromStr for Challenge {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest realm=")?;
        write_quoted(f, &self.realm)?;
        quoted(f, "domain", self.domain.as_deref())?;
        quoted(f, "nonce", Some(&self.nonce))?;
        quoted(f, "opaque", self.opaque.as_deref())?;
        if self.stale {
            f.write_str(", stale=true")?;
        }
        token(f, "algorithm", self.algorithm.as_ref().map(Algorithm::as_str))?;
        let names: Vec<&str> = self.qop.iter().map(Qop::as_str).collect();
        quoted(f, "qop", Some(names.join(",")).as_deref().filter(|_| !names.is_empty()))
    }
}

/// The answer to a challenge. `Debug` does not show the response; `Display` is the header's value and does.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who.
    pub username: Text,
    /// The challenge's realm.
    pub realm: Text,
    /// The challenge's nonce.
    pub nonce: Text,
    /// The URI that the digest covers: the Request-URI as it was sent.
    pub uri: Text,
    /// The digest, in hexadecimal.
    pub response: Text,
    /// The hash, when the challenge named it.
    pub algorithm: Option<Algorithm>,
    /// The client's number used once; with `qop`.
    pub cnonce: Option<Text>,
    /// How often the nonce was used; with `qop`.
    pub nc: Option<u32>,
    /// The quality of protection; `None` by RFC 2069.
    pub qop: Option<Qop>,
    /// The challenge's opaque.
    pub opaque: Option<Text>,
}

impl Credentials {
    /// Reads the value of Authorization or Proxy-Authorization.
    ///
    /// # Errors
    /// The scheme is not Digest ([`ParseErrorKind::AuthScheme`]), one of `username`, `realm`, `nonce`, `uri`
    /// and `response` is missing, or the grammar is not followed.
    pub fn parse(value: &Bytes) -> Result<Self, ParseError> {
        let (mut username, mut realm, mut nonce, mut uri, mut response) = (None, None, None, None, None);
        let (mut algorithm, mut cnonce, mut nc, mut qop, mut opaque) = (None, None, None, None, None);
        read(value, |name, value_of| {
            let text = value_of.text(value)?;
            match name {
                Name::Username => username = Some(text),
                Name::Realm => realm = Some(text),
                Name::Nonce => nonce = Some(text),
                Name::Uri => uri = Some(text),
                Name::Response => response = Some(text),
                Name::Algorithm => algorithm = Some(text.into()),
                Name::Cnonce => cnonce = Some(text),
                Name::Nc => {
                    let count = Some(&*text).filter(|text| text.len() == 8);
                    let count = count.and_then(|text| u32::from_str_radix(text, 16).ok());
                    nc = Some(count.ok_or(ParseError::new(ParseErrorKind::Number, 0))?);
                }
                Name::Qop => qop = Some(text.into()),
                Name::Opaque => opaque = Some(text),
                _ => {}
            }
            Ok(())
        })?;
        let missing = ParseError::new(ParseErrorKind::Param, value.len());
        Ok(Self {
            username: username.ok_or(missing)?,
            realm: realm.ok_or(missing)?,
            nonce: nonce.ok_or(missing)?,
            uri: uri.ok_or(missing)?,
            response: response.ok_or(missing)?,
            algorithm,
            cnonce,
            nc,
            qop,
            opaque,
        })
    }

    /// The algorithm, MD5 when none is named.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm.clone().unwrap_or_default()
    }
}

impl FromStr for Credentials {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest username=")?;
        write_quoted(f, &self.username)?;
        quoted(f, "realm", Some(&self.realm))?;
        quoted(f, "nonce", Some(&self.nonce))?;
        quoted(f, "uri", Some(&self.uri))?;
        quoted(f, "response", Some(&self.response))?;
        token(f, "algorithm", self.algorithm.as_ref().map(Algorithm::as_str))?;
        quoted(f, "cnonce", self.cnonce.as_deref())?;
        quoted(f, "opaque", self.opaque.as_deref())?;
        token(f, "qop", self.qop.as_ref().map(Qop::as_str))?;
        self.nc.map_or(Ok(()), |nc| write!(f, ", nc={nc:08x}"))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("realm", &self.realm)
            .field("uri", &self.uri)
            .field("algorithm", &self.algorithm)
            .field("qop", &self.qop)
            .field("nc", &self.nc)
            .field("response", &"***")
            .finish_non_exhaustive()
    }
}

/// The parameters of both headers.
#[derive(Clone, Copy, PartialEq)]
enum Name {
    Realm,
    Nonce,
    Opaque,
    Algorithm,
    Qop,
    Stale,
    Domain,
    Username,
    Uri,
    Response,
    Cnonce,
    Nc,
}

const NAMES: [(&[u8], Name); 12] = [
    (b"realm", Name::Realm),
    (b"nonce", Name::Nonce),
    (b"opaque", Name::Opaque),
    (b"algorithm", Name::Algorithm),
    (b"qop", Name::Qop),
    (b"stale", Name::Stale),
    (b"domain", Name::Domain),
    (b"username", Name::Username),
    (b"uri", Name::Uri),
    (b"response", Name::Response),
    (b"cnonce", Name::Cnonce),
    (b"nc", Name::Nc),
];

/// `Digest name=value, ...`: calls `each` with the parameters that we know; others are skipped. A parameter may
/// occur once.
fn read(
    value: &Bytes,
    mut each: impl FnMut(Name, AuthValue<'_>) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    let mut seen = 0_u16;
    grammar::complete(value, |input| {
        let (rest, scheme) = grammar::token(input)?;
        let after = grammar::skip_spaces(rest);
        if !scheme.eq_ignore_ascii_case(b"Digest") || after.len() == rest.len() {
            return grammar::Fault::error(input, ParseErrorKind::AuthScheme);
        }
        grammar::auth_params(after, |name, value| {
            let known = NAMES.iter().position(|(known, _)| name.eq_ignore_ascii_case(known));
            let Some((index, (_, known))) = known.and_then(|index| Some((index, NAMES.get(index)?))) else {
                return Ok(());
            };
            if seen & (1 << index) != 0 {
                return Err(ParseError::new(ParseErrorKind::Duplicate, 0));
            }
            seen |= 1 << index;
            each(*known, value)
        })
    })
}

fn quoted(f: &mut fmt::Formatter<'_>, name: &str, value: Option<&str>) -> fmt::Result {
    let Some(value) = value else { return Ok(()) };
    write!(f, ", {name}=")?;
    write_quoted(f, value)
}

fn token(f: &mut fmt::Formatter<'_>, name: &str, value: Option<&str>) -> fmt::Result {
    let Some(value) = value else { return Ok(()) };
    write!(f, ", {name}=")?;
    let is_token = !value.is_empty() && class::all(value.as_bytes(), class::TOKEN);
    if is_token { f.write_str(value) } else { write_quoted(f, value) }
}
