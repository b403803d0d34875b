//! The server: challenges, checks the answers, and proves itself in turn (RFC 3261 §22.1, RFC 7616 §3.4.6, §3.5).

use super::digest::{self, Hex, Input};
use super::nonce::{Nonces, Use};
use super::{Algorithm, AuthInfo, AuthRole, Challenge, Credentials, Qop, Secret};
use crate::header::Headers;
use crate::method::Method;
use crate::text::Text;
use crate::uri::Uri;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;

/// What a server asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DigestConfig {
    /// Algorithms in the order of preference, a challenge for each; default SHA-256, then MD5 (RFC 8760 §2.3).
    pub algorithms: Vec<Algorithm>,
    /// Qualities of protection; default `auth`.
    pub qop: Vec<Qop>,
    /// How long a nonce lives; default 5 minutes.
    pub nonce_life: Duration,
    /// So long before the end of its life a nonce is replaced by `nextnonce`; default 60 s.
    pub renew_before: Duration,
    /// How often a nonce may be used; default without bound. 1 makes nonces that serve once.
    pub nonce_uses: u32,
    /// Whether clients of RFC 2069, which know no `qop`, are let in; default yes. They can use a nonce once.
    pub without_qop: bool,
    /// Nonces whose use is counted, 32 bytes each; default 4096. Beyond, the oldest is called stale.
    pub nonces: usize,
    /// Whether clients are asked to send a hash in place of the user name (RFC 7616 §3.4.4); default no.
    pub userhash: bool,
    /// Whether challenges say `charset=UTF-8` (RFC 7616 §4); default no, as SIP is UTF-8 anyway.
    pub utf8: bool,
    /// The `opaque` of challenges; default none.
    pub opaque: Option<Text>,
}

impl Default for DigestConfig {
    fn default() -> Self {
        Self {
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            qop: vec![Qop::Auth],
            nonce_life: Duration::from_secs(300),
            renew_before: Duration::from_secs(60),
            nonce_uses: u32::MAX,
            without_qop: true,
            nonces: 4096,
            userhash: false,
            utf8: false,
            opaque: None,
        }
    }
}

/// Why credentials were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The password is right, but the nonce is too old, used up, bound to another client or not ours: challenge again
    /// with `stale=true`.
    #[error("the nonce is too old")]
    Stale,
    /// The password is right, but nonce and count were used before: challenge again with `stale=true`.
    #[error("the nonce was used with this count before")]
    Replay,
    /// The credentials are for another realm.
    #[error("the credentials are for another realm")]
    WrongRealm,
    /// The credentials are for another URI than the request's.
    #[error("the credentials are for another URI")]
    WrongUri,
    /// Algorithm or quality of protection are none that the challenge offered, or the stored hash is of another function.
    #[error("algorithm or quality of protection are not those of the challenge")]
    Unsupported,
    /// User name or password are wrong.
    #[error("user name or password are wrong")]
    BadResponse,
}

impl Rejection {
    /// Whether a new nonce is all that is needed: the `stale` of the next challenge.
    #[must_use]
    pub const fn is_stale(self) -> bool {
        matches!(self, Self::Stale | Self::Replay)
    }
}

/// Credentials with what they are checked against.
///
/// ```
/// # use sidetone_sip_core::{Credentials, DigestCheck, Method, Secret};
/// # let credentials: Credentials = r#"Digest username="bob", realm="r", nonce="n", uri="sip:r", response="0""#.parse().unwrap();
/// let (method, secret) = (Method::REGISTER, Secret::from("zanzibar"));
/// let check = DigestCheck::new(&credentials, &method, b"", &secret).with_binding(b"192.0.2.4");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DigestCheck<'a> {
    credentials: &'a Credentials,
    method: &'a Method,
    body: &'a [u8],
    secret: &'a Secret,
    user: Option<&'a str>,
    uri: Option<&'a Uri>,
    binding: &'a [u8],
}

impl<'a> DigestCheck<'a> {
    /// The credentials of a request with this method and body, of a user with this secret.
    #[must_use]
    pub const fn new(
        credentials: &'a Credentials,
        method: &'a Method,
        body: &'a [u8],
        secret: &'a Secret,
    ) -> Self {
        Self { credentials, method, body, secret, user: None, uri: None, binding: b"" }
    }

    /// The user's name, which is needed when the credentials have its hash and the secret is a password.
    #[must_use]
    pub const fn with_user(mut self, user: &'a str) -> Self {
        self.user = Some(user);
        self
    }

    /// The Request-URI, which the credentials then must name (RFC 7616 §3.4.6). Not for a server behind proxies
    /// that may have changed it.
    #[must_use]
    pub const fn with_uri(mut self, uri: &'a Uri) -> Self {
        self.uri = Some(uri);
        self
    }

    /// What the nonce was bound to in [`DigestServer::challenges_bound`].
    #[must_use]
    pub const fn with_binding(mut self, binding: &'a [u8]) -> Self {
        self.binding = binding;
        self
    }

    fn input(&self) -> Option<Input<'a>> {
        let credentials = self.credentials;
        let username = match self.user {
            Some(user) => user,
            // A stored hash has the name in it.
            None if credentials.userhash && self.secret.password().is_some() => return None,
            None => &credentials.username,
        };
        Some(Input {
            username,
            realm: &credentials.realm,
            nonce: &credentials.nonce,
            session_nonce: &credentials.nonce,
            method: self.method.as_str(),
            uri: &credentials.uri,
            body: self.body,
            qop: credentials.qop.as_ref(),
            cnonce: credentials.cnonce.as_deref().unwrap_or_default(),
            nc: credentials.nc.unwrap_or_default(),
        })
    }
}

/// Challenges and checks for one realm.
///
/// A nonce carries its time and a number, signed with a key that the server drew, so nothing is kept for clients that only ask.
/// Uses are counted for nonces that a right password came with: a table of bounded size.
///
/// ```
/// use sidetone_sip_core::{DigestClient, DigestServer, Instant, Method, Rejection, Rng, Secret};
/// let mut rng = Rng::from_u64(1);
/// let mut server = DigestServer::new("example.com", &mut rng);
/// let now = Instant::ZERO;
/// let challenges = server.challenges(now, false);
/// let secret = Secret::from("secret");
/// let answer = DigestClient::new()
///     .authorize(&challenges, &Method::REGISTER, "sip:example.com", b"", "alice", &secret, &mut rng)
///     .unwrap();
/// assert_eq!(server.verify(now, &answer, &Method::REGISTER, b"", &secret), Ok(()));
/// assert_eq!(server.verify(now, &answer, &Method::REGISTER, b"", &secret), Err(Rejection::Replay));
/// assert_eq!(server.verify(now, &answer, &Method::REGISTER, b"", &"guess".into()), Err(Rejection::BadResponse));
/// ```
#[derive(Debug)]
pub struct DigestServer {
    realm: Text,
    config: DigestConfig,
    nonces: Nonces,
}

impl DigestServer {
    /// A server for `realm` with the default [`DigestConfig`].
    #[must_use]
    pub fn new(realm: impl Into<Text>, rng: &mut Rng) -> Self {
        Self::with_config(realm, DigestConfig::default(), rng)
    }

    /// A server for `realm`.
    #[must_use]
    pub fn with_config(realm: impl Into<Text>, config: DigestConfig, rng: &mut Rng) -> Self {
        Self { realm: realm.into(), config, nonces: Nonces::new(rng) }
    }

    /// The realm.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The first credentials for our realm in a request's headers, if there are any that can be read.
    #[must_use]
    pub fn find(&self, role: AuthRole, headers: &Headers) -> Option<Credentials> {
        role.credentials(headers).flatten().find(|credentials| credentials.realm == self.realm)
    }

    /// A challenge for each algorithm, to be sent in this order in as many headers. `stale` says that only
    /// the nonce was wrong.
    pub fn challenges(&mut self, now: Instant, stale: bool) -> Vec<Challenge> {
        self.challenges_bound(now, stale, b"")
    }

    /// The same with a nonce that serves only together with `binding`: the client's address, say, or the Call-ID.
    pub fn challenges_bound(&mut self, now: Instant, stale: bool, binding: &[u8]) -> Vec<Challenge> {
        let nonce = self.nonces.issue(now, binding);
        let algorithms = self.config.algorithms.iter();
        algorithms
            .map(|algorithm| Challenge {
                opaque: self.config.opaque.clone(),
                algorithm: Some(algorithm.clone()),
                qop: self.config.qop.clone(),
                stale,
                userhash: self.config.userhash,
                utf8: self.config.utf8,
                ..Challenge::new(self.realm.clone(), nonce.clone())
            })
            .collect()
    }

    /// One challenge, for clients that are confused by two: the last algorithm of the configuration, by
    /// default MD5.
    pub fn challenge(&mut self, now: Instant, stale: bool) -> Challenge {
        let last = self.challenges(now, stale).pop();
        last.unwrap_or_else(|| Challenge::new(self.realm.clone(), self.nonces.issue(now, b"")))
    }

    /// Checks credentials that came with a request of this method and body, of the user that they name.
    /// [`DigestServer::check`] can do more.
    ///
    /// # Errors
    /// Why they are refused; nothing about the nonce unless the password is right.
    pub fn verify(
        &mut self,
        now: Instant,
        credentials: &Credentials,
        method: &Method,
        body: &[u8],
        secret: &Secret,
    ) -> Result<(), Rejection> {
        self.check(now, &DigestCheck::new(credentials, method, body, secret))
    }

    /// Checks credentials. Each right pair of nonce and count is right once.
    ///
    /// For a user who does not exist, check against a secret drawn at random, so that the time does not tell.
    ///
    /// # Errors
    /// Why they are refused; nothing about the nonce unless the password is right.
    pub fn check(&mut self, now: Instant, check: &DigestCheck<'_>) -> Result<(), Rejection> {
        let credentials = check.credentials;
        if credentials.realm != self.realm {
            return Err(Rejection::WrongRealm);
        }
        if check.uri.is_some_and(|uri| !names(&credentials.uri, uri)) {
            return Err(Rejection::WrongUri);
        }
        let algorithm = credentials.algorithm();
        let offered = match &credentials.qop {
            None => self.config.without_qop,
            Some(qop) => {
                self.config.qop.contains(qop) && credentials.nc.is_some() && credentials.cnonce.is_some()
            }
        };
        if !offered || !self.config.algorithms.contains(&algorithm) {
            return Err(Rejection::Unsupported);
        }
        let input = check.input().ok_or(Rejection::Unsupported)?;
        let expected = digest::response(&algorithm, &input, check.secret).ok_or(Rejection::Unsupported)?;
        if !expected.is(&credentials.response) {
            return Err(Rejection::BadResponse);
        }
        let live = self.nonces.look(now, &credentials.nonce, check.binding);
        let live = live.filter(|live| live.age <= self.config.nonce_life).ok_or(Rejection::Stale)?;
        // Without a count, the first use is the only one.
        let count = if credentials.qop.is_some() { input.nc } else { u32::MAX };
        if count == 0 {
            return Err(Rejection::Replay);
        }
        match self.nonces.note(live.number, count, self.config.nonce_uses.max(1), self.config.nonces) {
            Use::Fresh => Ok(()),
            Use::Replay => Err(Rejection::Replay),
            Use::Spent => Err(Rejection::Stale),
        }
    }

    /// What to say in the response to a request whose credentials were right (RFC 7616 §3.5): that we know the
    /// password too, over `body`, the body of the response; and the next nonce, when this one was used as often
    /// as it may be or has less than [`DigestConfig::renew_before`] to live. `None` when there is nothing to say to
    /// this client: it is one of RFC 2069.
    ///
    /// A client with a `-sess` algorithm gets no next nonce, since its session key is made of the one it has
    /// (§3.4.2): it will be challenged.
    #[must_use]
    pub fn info(&mut self, now: Instant, check: &DigestCheck<'_>, body: &[u8]) -> Option<AuthInfo> {
        let credentials = check.credentials;
        credentials.qop.as_ref()?;
        let algorithm = credentials.algorithm();
        let input = Input { method: "", body, ..check.input()? };
        let rspauth = digest::response(&algorithm, &input, check.secret)?;
        let live = self.nonces.look(now, &credentials.nonce, check.binding);
        let ends = live.is_none_or(|live| {
            let left = self.config.nonce_life.saturating_sub(live.age);
            left < self.config.renew_before || self.nonces.uses(live.number) >= self.config.nonce_uses.max(1)
        });
        let next = ends && !algorithm.is_session();
        Some(AuthInfo {
            nextnonce: next.then(|| self.nonces.issue(now, check.binding)),
            qop: credentials.qop.clone(),
            rspauth: Some(Text::from(Hex::as_str(&rspauth))),
            cnonce: credentials.cnonce.clone(),
            nc: credentials.nc,
        })
    }
}

/// Whether the URI that credentials cover is the request's.
fn names(given: &str, uri: &Uri) -> bool {
    given == uri.as_str() || given.parse::<Uri>().is_ok_and(|given| given == *uri)
}
