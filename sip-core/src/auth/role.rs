//! The two who may challenge, each with its headers: servers and registrars, and proxies (RFC 3261 §22.2, §22.3).

use super::{AuthInfo, Challenge, Credentials, param};
use crate::error::ParseError;
use crate::error::ParseErrorKind;
use crate::header::{
    AuthenticationInfo, Authorization, HeaderName, Headers, ProxyAuthenticate, ProxyAuthenticationInfo,
    ProxyAuthorization, WwwAuthenticate,
};
use crate::status::StatusCode;
use crate::text::sub;
use alloc::vec::Vec;
use bytes::Bytes;

/// Who challenges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthRole {
    /// A user agent server or registrar: 401, WWW-Authenticate, Authorization, Authentication-Info.
    Server,
    /// A proxy: 407, Proxy-Authenticate, Proxy-Authorization, Proxy-Authentication-Info.
    Proxy,
}

impl AuthRole {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Server, Self::Proxy];

    /// The status of a response that challenges.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Server => StatusCode::UNAUTHORIZED,
            Self::Proxy => StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        }
    }

    const fn challenge_name(self) -> HeaderName {
        match self {
            Self::Server => HeaderName::WWW_AUTHENTICATE,
            Self::Proxy => HeaderName::PROXY_AUTHENTICATE,
        }
    }

    const fn credentials_name(self) -> HeaderName {
        match self {
            Self::Server => HeaderName::AUTHORIZATION,
            Self::Proxy => HeaderName::PROXY_AUTHORIZATION,
        }
    }

    /// The Digest challenges in order: from every line, and from lines that several share. Other schemes
    /// are skipped.
    pub fn challenges(self, headers: &Headers) -> impl Iterator<Item = Result<Challenge, ParseError>> {
        digests(headers, self.challenge_name(), Challenge::parse)
    }

    /// The Digest credentials in order; other schemes are skipped.
    pub fn credentials(self, headers: &Headers) -> impl Iterator<Item = Result<Credentials, ParseError>> {
        digests(headers, self.credentials_name(), Credentials::parse)
    }

    /// Adds a challenge in a line of its own.
    pub fn push_challenge(self, headers: &mut Headers, challenge: Challenge) {
        match self {
            Self::Server => headers.push(&WwwAuthenticate(challenge)),
            Self::Proxy => headers.push(&ProxyAuthenticate(challenge)),
        }
    }

    /// Adds credentials in a line of their own, in the place of those for the same realm. Those of other realms and
    /// schemes stay as they are.
    pub fn put_credentials(self, headers: &mut Headers, credentials: Credentials) {
        self.remove_credentials(headers, &credentials.realm);
        match self {
            Self::Server => headers.push(&Authorization(credentials)),
            Self::Proxy => headers.push(&ProxyAuthorization(credentials)),
        }
    }

    /// Removes the Digest credentials for a realm, as a proxy does with those that were for it (RFC 3261 §22.3);
    /// says how many they were.
    pub fn remove_credentials(self, headers: &mut Headers, realm: &str) -> usize {
        let name = self.credentials_name();
        let all = values(headers, &name);
        let of_realm = |value: &Bytes| Credentials::parse(value).is_ok_and(|value| value.realm == *realm);
        let kept: Vec<&Bytes> = all.iter().filter(|value| !of_realm(value)).collect();
        let removed = all.len() - kept.len();
        if removed > 0 {
            headers.remove(&name);
            for value in kept {
                // Each was part of a line, so none has a line end.
                let _ = headers.push_raw(name.clone(), value);
            }
        }
        removed
    }

    /// What the server says after it let the request in, if it says something that can be read.
    #[must_use]
    pub fn info(self, headers: &Headers) -> Option<AuthInfo> {
        match self {
            Self::Server => headers.get::<AuthenticationInfo>()?.ok().map(|header| header.0),
            Self::Proxy => headers.get::<ProxyAuthenticationInfo>()?.ok().map(|header| header.0),
        }
    }

    /// Says so, in the place of what was said.
    pub fn set_info(self, headers: &mut Headers, info: AuthInfo) {
        match self {
            Self::Server => headers.set(&AuthenticationInfo(info)),
            Self::Proxy => headers.set(&ProxyAuthenticationInfo(info)),
        }
    }
}

/// Every value of a header that may have several in a line, each with its scheme.
fn values(headers: &Headers, name: &HeaderName) -> Vec<Bytes> {
    let lines = headers.raw_shared_all(name);
    lines
        .flat_map(|line| {
            let values = param::schemes(&line).into_iter().map(|value| sub(&line, value));
            values.collect::<Vec<_>>()
        })
        .collect()
}

fn digests<T>(
    headers: &Headers,
    name: HeaderName,
    parse: fn(&Bytes) -> Result<T, ParseError>,
) -> impl Iterator<Item = Result<T, ParseError>> + use<T> {
    let all = values(headers, &name).into_iter().map(move |value| parse(&value));
    all.filter(|value| !matches!(value, Err(error) if error.kind == ParseErrorKind::AuthScheme))
}
