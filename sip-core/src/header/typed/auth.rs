//! The six headers of digest authentication (RFC 3261 §20.6, §20.7, §20.27, §20.28, §20.44; RFC 7615).

use crate::auth::{AuthInfo, Challenge, Credentials};
use crate::emit::Emitter;
use crate::error::ParseError;
use crate::header::{Header, HeaderName};
use bytes::Bytes;
use core::fmt::Write as _;
use core::ops::Deref;

macro_rules! auth {
    ($($(#[$doc:meta])+ $name:ident($inner:ty) = $constant:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(pub $inner);

        impl Header for $name {
            const NAME: HeaderName = HeaderName::$constant;

            fn parse(value: &Bytes) -> Result<Self, ParseError> {
                <$inner>::parse(value).map(Self)
            }

            fn emit(&self, out: &mut Emitter) {
                let _ = write!(out, "{}", self.0);
            }
        }

        impl Deref for $name {
            type Target = $inner;
            fn deref(&self) -> &$inner {
                &self.0
            }
        }
    )+};
}

auth! {
    /// WWW-Authenticate: a user agent server or registrar asks who you are (with 401).
    WwwAuthenticate(Challenge) = WWW_AUTHENTICATE;
    /// Proxy-Authenticate: a proxy asks who you are (with 407).
    ProxyAuthenticate(Challenge) = PROXY_AUTHENTICATE;
    /// Authorization: the answer to WWW-Authenticate.
    Authorization(Credentials) = AUTHORIZATION;
    /// Proxy-Authorization: the answer to Proxy-Authenticate.
    ProxyAuthorization(Credentials) = PROXY_AUTHORIZATION;
    /// Authentication-Info: what a user agent server or registrar says to a right answer.
    AuthenticationInfo(AuthInfo) = AUTHENTICATION_INFO;
    /// Proxy-Authentication-Info: what a proxy says to a right answer.
    ProxyAuthenticationInfo(AuthInfo) = PROXY_AUTHENTICATION_INFO;
}
