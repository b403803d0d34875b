//! What a server says after it let someone in: the next nonce, and its own proof that it knows the password
//! (RFC 7616 §3.5, RFC 7615, RFC 3261 §20.6).

use super::Qop;
use super::param::{self, Name, Writer};
use crate::error::{ParseError, ParseErrorKind};
use crate::text::Text;
use bytes::Bytes;
use core::fmt;
use core::str::FromStr;

/// The value of Authentication-Info and Proxy-Authentication-Info. `Debug` does not show the proof.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AuthInfo {
    /// The nonce to use next; its count begins at 1.
    pub nextnonce: Option<Text>,
    /// The quality of protection of `rspauth`.
    pub qop: Option<Qop>,
    /// The server's digest, in hexadecimal: that it knows the password too.
    pub rspauth: Option<Text>,
    /// The client's number used once, of the request that is answered.
    pub cnonce: Option<Text>,
    /// The count of the request that is answered.
    pub nc: Option<u32>,
}

impl AuthInfo {
    /// Reads the header's value.
    ///
    /// # Errors
    /// The grammar is not followed, or no parameter is one that we know.
    pub fn parse(value: &Bytes) -> Result<Self, ParseError> {
        let mut info = Self::default();
        param::read_plain(value, |name, value_of| {
            let text = value_of.text(value)?;
            match name {
                Name::NextNonce => info.nextnonce = Some(text),
                Name::Qop => info.qop = Some(text.into()),
                Name::RspAuth => info.rspauth = Some(text),
                Name::Cnonce => info.cnonce = Some(text),
                Name::Nc => info.nc = Some(param::nonce_count(&text)?),
                _ => {}
            }
            Ok(())
        })?;
        if info == Self::default() {
            return Err(ParseError::new(ParseErrorKind::Param, value.len()));
        }
        Ok(info)
    }
}

impl FromStr for AuthInfo {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl fmt::Display for AuthInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Writer::new(f, "")?;
        out.quoted("nextnonce", self.nextnonce.as_deref())?;
        out.token("qop", self.qop.as_ref().map(Qop::as_str))?;
        out.quoted("rspauth", self.rspauth.as_deref())?;
        out.quoted("cnonce", self.cnonce.as_deref())?;
        out.count(self.nc)
    }
}

impl fmt::Debug for AuthInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthInfo")
            .field("nextnonce", &self.nextnonce.is_some())
            .field("qop", &self.qop)
            .field("rspauth", &self.rspauth.as_ref().map(|_| "***"))
            .field("nc", &self.nc)
            .finish_non_exhaustive()
    }
}
