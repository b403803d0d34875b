//! The answer to a challenge, as Authorization and Proxy-Authorization carry it (RFC 7616 §3.4; RFC 3261 §25.1).

use super::param::{self, Name, Writer};
use super::{Algorithm, Qop};
use crate::error::{ParseError, ParseErrorKind};
use crate::text::Text;
use bytes::Bytes;
use core::fmt;
use core::str::FromStr;

/// The answer to a challenge. `Debug` does not show the response; `Display` is the header's value and does.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who; with `userhash`, the hash of name and realm.
    pub username: Text,
    /// The challenge's realm.
    pub realm: Text,
    /// The challenge's nonce.
    pub nonce: Text,
    /// The URI that the digest covers: the Request-URI as it was sent.
    pub uri: Text,
    /// The digest, in hexadecimal.
    pub response: Text,
    /// The algorithm, when the challenge named it.
    pub algorithm: Option<Algorithm>,
    /// The client's number used once; with `qop`.
    pub cnonce: Option<Text>,
    /// How often the nonce was used; with `qop`.
    pub nc: Option<u32>,
    /// The quality of protection; `None` by RFC 2069.
    pub qop: Option<Qop>,
    /// The challenge's opaque.
    pub opaque: Option<Text>,
    /// `username` is a hash (RFC 7616 §3.4.4).
    pub userhash: bool,
    /// The user name is written as `username*` (RFC 7616 §3.4, RFC 5987); not with `userhash`.
    pub extended: bool,
    /// The USIM's request to synchronise, base64 (RFC 3310 §3.4).
    pub auts: Option<Text>,
}

impl Credentials {
    /// Reads the value of Authorization or Proxy-Authorization.
    ///
    /// # Errors
    /// The scheme is not Digest ([`ParseErrorKind::AuthScheme`]); `username` (or `username*`), `realm`,
    /// `nonce`, `uri` or `response` is missing; both forms of the user name are there, or `username*` with
    /// `userhash`; or the grammar is not followed.
    pub fn parse(value: &Bytes) -> Result<Self, ParseError> {
        let (mut username, mut realm, mut nonce, mut uri, mut response) = (None, None, None, None, None);
        let (mut algorithm, mut cnonce, mut nc, mut qop, mut opaque) = (None, None, None, None, None);
        let (mut userhash, mut extended, mut auts) = (false, None, None);
        param::read_digest(value, |name, value_of| {
            let text = value_of.text(value)?;
            match name {
                Name::Username => username = Some(text),
                Name::UsernameExt => extended = Some(param::extended_value(&text)?),
                Name::Realm => realm = Some(text),
                Name::Nonce => nonce = Some(text),
                Name::Uri => uri = Some(text),
                Name::Response => response = Some(text),
                Name::Algorithm => algorithm = Some(text.into()),
                Name::Cnonce => cnonce = Some(text),
                Name::Nc => nc = Some(param::nonce_count(&text)?),
                Name::Qop => qop = Some(text.into()),
                Name::Opaque => opaque = Some(text),
                Name::Userhash => userhash = text.eq_ignore_ascii_case("true"),
                Name::Auts => auts = Some(text),
                _ => {}
            }
            Ok(())
        })?;
        let wrong = ParseError::new(ParseErrorKind::Param, value.len());
        if extended.is_some() && (username.is_some() || userhash) {
            return Err(wrong);
        }
        Ok(Self {
            extended: extended.is_some(),
            username: username.or(extended).ok_or(wrong)?,
            realm: realm.ok_or(wrong)?,
            nonce: nonce.ok_or(wrong)?,
            uri: uri.ok_or(wrong)?,
            response: response.ok_or(wrong)?,
            algorithm,
            cnonce,
            nc,
            qop,
            opaque,
            userhash,
            auts,
        })
    }

    /// The algorithm, MD5 when none is named.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm.clone().unwrap_or_default()
    }

    /// Whether these are the credentials of this user, whose name they may have as a hash. A server with many
    /// users keeps an index by [`user_hash`](super::user_hash) instead of asking for each.
    #[must_use]
    pub fn is_from(&self, user: &str) -> bool {
        if !self.userhash {
            return self.username == *user;
        }
        let hash = super::user_hash(&self.algorithm(), user, &self.realm);
        hash.is_some_and(|hash| hash.eq_ignore_ascii_case(&self.username))
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
        let mut out = Writer::new(f, "Digest ")?;
        if self.extended && !self.userhash {
            out.extended("username*", &self.username)?;
        } else {
            out.quoted("username", Some(&self.username))?;
        }
        out.quoted("realm", Some(&self.realm))?;
        out.quoted("nonce", Some(&self.nonce))?;
        out.quoted("uri", Some(&self.uri))?;
        out.quoted("response", Some(&self.response))?;
        out.token("algorithm", self.algorithm.as_ref().map(Algorithm::as_str))?;
        out.quoted("cnonce", self.cnonce.as_deref())?;
        out.quoted("opaque", self.opaque.as_deref())?;
        out.token("qop", self.qop.as_ref().map(Qop::as_str))?;
        out.count(self.nc)?;
        out.flag("userhash", self.userhash)?;
        out.quoted("auts", self.auts.as_deref())
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
