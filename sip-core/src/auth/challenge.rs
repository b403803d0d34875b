//! Challenges as WWW-Authenticate and Proxy-Authenticate carry them (RFC 7616 §3.3; RFC 3261 §25.1).

use super::param::{self, Name, Writer};
use super::{Algorithm, Qop};
use crate::error::{ParseError, ParseErrorKind};
use crate::text::Text;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::str::FromStr;

/// A Digest challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Whose password is asked for.
    pub realm: Text,
    /// The server's number used once.
    pub nonce: Text,
    /// To be sent back as it is.
    pub opaque: Option<Text>,
    /// The algorithm; `None` when none is named, which means MD5.
    pub algorithm: Option<Algorithm>,
    /// The qualities offered; empty from a server of RFC 2069.
    pub qop: Vec<Qop>,
    /// Only the nonce was wrong, not the password.
    pub stale: bool,
    /// The URIs that share the password.
    pub domain: Option<Text>,
    /// The server takes a hash in place of the user name (RFC 7616 §3.4.4).
    pub userhash: bool,
    /// `charset=UTF-8`: the server takes user name and password to be UTF-8 (RFC 7616 §4). Ours always are.
    pub utf8: bool,
}

impl Challenge {
    /// A challenge with realm and nonce only.
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
            userhash: false,
            utf8: false,
        }
    }

    /// Reads the value of WWW-Authenticate or Proxy-Authenticate that has one challenge.
    /// ([`AuthRole::challenges`](super::AuthRole::challenges) reads lines with several.)
    ///
    /// # Errors
    /// The scheme is not Digest ([`ParseErrorKind::AuthScheme`]), `realm` or `nonce` is missing, or the
    /// grammar is not followed.
    pub fn parse(value: &Bytes) -> Result<Self, ParseError> {
        let mut challenge = Self::new(Text::EMPTY, Text::EMPTY);
        let (mut realm, mut nonce) = (None, None);
        param::read_digest(value, |name, value_of| {
            let text = value_of.text(value)?;
            let is_true = text.eq_ignore_ascii_case("true");
            match name {
                Name::Realm => realm = Some(text),
                Name::Nonce => nonce = Some(text),
                Name::Opaque => challenge.opaque = Some(text),
                Name::Algorithm => challenge.algorithm = Some(text.into()),
                Name::Qop => challenge.qop = param::tokens(&text).map(Qop::from).collect(),
                Name::Stale => challenge.stale = is_true,
                Name::Domain => challenge.domain = Some(text),
                Name::Userhash => challenge.userhash = is_true,
                Name::Charset => challenge.utf8 = text.eq_ignore_ascii_case("UTF-8"),
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
        let mut out = Writer::new(f, "Digest ")?;
        out.quoted("realm", Some(&self.realm))?;
        out.quoted("domain", self.domain.as_deref())?;
        out.quoted("nonce", Some(&self.nonce))?;
        out.quoted("opaque", self.opaque.as_deref())?;
        out.flag("stale", self.stale)?;
        out.token("algorithm", self.algorithm.as_ref().map(Algorithm::as_str))?;
        let mut qop = String::new();
        for name in self.qop.iter().map(Qop::as_str) {
            if !qop.is_empty() {
                qop.push(',');
            }
            qop.push_str(name);
        }
        out.quoted("qop", Some(&*qop).filter(|qop| !qop.is_empty()))?;
        out.token("charset", self.utf8.then_some("UTF-8"))?;
        out.flag("userhash", self.userhash)
    }
}
