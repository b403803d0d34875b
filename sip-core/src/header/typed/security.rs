//! Agreement on security, and signed identity: Security-Client, Security-Server, Security-Verify, Identity
//! (RFC 3329, RFC 8224).

use super::word::{from_str, q, word_headers};
use super::{emit_display, word};
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{Header, HeaderName, HeaderValue, Params};
use crate::leniency::Lenient;
use crate::parse::{Fault, Parsed, class, grammar};
use crate::text::Text;
use crate::uri::Uri;
use alloc::borrow::Cow;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use memchr::memchr;

word_headers! {
    /// One value of Security-Client: a mechanism that the client has (RFC 3329 §2.2).
    SecurityClient {
        /// `digest`, `tls`, `ipsec-3gpp` and others.
        mechanism: token
    } = SECURITY_CLIENT, list: true;
    /// One value of Security-Server: a mechanism that the server has (RFC 3329 §2.2).
    SecurityServer {
        /// `digest`, `tls`, `ipsec-3gpp` and others.
        mechanism: token
    } = SECURITY_SERVER, list: true;
    /// One value of Security-Verify: the server's list, sent back to prove that nobody has changed it (RFC 3329 §2.2).
    SecurityVerify {
        /// `digest`, `tls`, `ipsec-3gpp` and others.
        mechanism: token
    } = SECURITY_VERIFY, list: true;
}

macro_rules! mechanism {
    ($($name:ident),+) => {$(
        impl $name {
            /// How much the server prefers it, in thousandths.
            #[must_use]
            pub fn q(&self) -> Option<u16> {
                q(&self.params)
            }
        }
    )+};
}

mechanism!(SecurityClient, SecurityServer, SecurityVerify);

/// Identity: a signed statement of who calls, a PASSporT (RFC 8224 §4). There may be several lines.
///
/// Leniency: [`old_identity`](crate::Leniency::old_identity).
///
/// ```
/// use sidetone_sip_core::header::Identity;
/// let identity: Identity = "..sv5CTo05KqpSmtHt3dcEiO;info=<https://biloxi.example.org/biloxi.cer>;alg=ES256".parse().unwrap();
/// assert!(identity.is_compact());
/// assert_eq!(identity.alg().as_deref(), Some("ES256"));
/// assert_eq!(identity.info.as_ref().unwrap().as_str(), "https://biloxi.example.org/biloxi.cer");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The PASSporT: `header.claims.signature`, or `..signature` in the compact form. It is not checked.
    pub passport: Text,
    /// Where the certificate is.
    pub info: Option<Uri>,
    /// `alg`, `ppt` and others.
    pub params: Params,
}

impl Identity {
    /// A PASSporT and where its certificate is.
    #[must_use]
    pub fn new(passport: impl Into<Text>, info: Uri) -> Self {
        Self { passport: passport.into(), info: Some(info), params: Params::new() }
    }

    /// Whether header and claims are left out, to be rebuilt from the message (RFC 8225 §7).
    #[must_use]
    pub fn is_compact(&self) -> bool {
        self.passport.starts_with("..")
    }

    /// Header, claims and signature as written, in base64url; `None` when it is not these three.
    #[must_use]
    pub fn parts(&self) -> Option<(&str, &str, &str)> {
        let mut parts = self.passport.split('.');
        let three = (parts.next()?, parts.next()?, parts.next()?);
        parts.next().is_none().then_some(three)
    }

    /// The algorithm of the signature; `None` means ES256.
    #[must_use]
    pub fn alg(&self) -> Option<Cow<'_, str>> {
        self.params.get("alg")
    }

    /// The kind of PASSporT, as `shaken` or `div`.
    #[must_use]
    pub fn ppt(&self) -> Option<Cow<'_, str>> {
        self.params.get("ppt")
    }
}

/// `;info=<URI>`, which is no parameter like others.
fn info<'a>(source: &Bytes, input: &'a [u8], lenient: Lenient) -> Option<Parsed<'a, Uri>> {
    let (rest, ()) = grammar::separator(b';')(input).ok()?;
    let (rest, name) = grammar::token(rest).ok()?;
    let (rest, ()) = grammar::separator(b'=')(rest).ok()?;
    let inside = rest.strip_prefix(b"<").filter(|_| name.eq_ignore_ascii_case(b"info"))?;
    let Some(end) = memchr(b'>', inside) else {
        return Some(Fault::error(rest, ParseErrorKind::Bracket));
    };
    let (uri, after) = inside.split_at_checked(end).unwrap_or_default();
    Some(match Uri::read_with(source, uri, lenient) {
        Ok(uri) => Ok((after.get(1..).unwrap_or_default(), uri)),
        Err(error) => Fault::error(uri.get(error.at..).unwrap_or_default(), error.kind),
    })
}

impl Header for Identity {
    const NAME: HeaderName = HeaderName::IDENTITY;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        Self::parse_value(HeaderValue::whole(value))
    }

    fn parse_value(value: HeaderValue<'_>) -> Result<Self, ParseError> {
        let (source, lenient) = (value.source(), value.lenient());
        grammar::complete(value.as_bytes(), |input| {
            let (mut rest, passport) = match input {
                [b'"', ..] if lenient.old_identity() => word::text::read(source, input, lenient)?,
                _ => {
                    let (rest, passport) = grammar::class1(input, class::VALUE, ParseErrorKind::Token)?;
                    (rest, Text::slice_ascii(source, passport))
                }
            };
            let mut uri = None;
            let mut params = Vec::new();
            loop {
                if let Some(found) = info(source, rest, lenient) {
                    let (after, found) = found?;
                    if uri.replace(found).is_some() {
                        return Fault::error(rest, ParseErrorKind::Duplicate);
                    }
                    rest = after;
                    continue;
                }
                let Ok((after, ())) = grammar::separator(b';')(rest) else { break };
                let (after, _) = grammar::param(after)?;
                let part = grammar::skip_spaces(rest);
                let len = part.len() - after.len();
                params.extend_from_slice(part.get(..len).unwrap_or_default());
                rest = after;
            }
            if uri.is_none() && !lenient.old_identity() {
                return Fault::error(rest, ParseErrorKind::Param);
            }
            let params = Bytes::from(params);
            match grammar::complete(&params, |input| Params::read_with(&params, input, lenient)) {
                Ok(params) => Ok((rest, Self { passport, info: uri, params })),
                Err(error) => Fault::error(rest, error.kind),
            }
        })
    }

    emit_display!();
}

from_str!(Identity);

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.passport.is_empty() && class::all(self.passport.as_bytes(), class::VALUE) {
            f.write_str(&self.passport)?;
        } else {
            crate::header::params::write_quoted(f, &self.passport)?;
        }
        if let Some(info) = &self.info {
            write!(f, ";info=<{info}>")?;
        }
        write!(f, "{}", self.params)
    }
}
