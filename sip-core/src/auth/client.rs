//! The client: answers challenges, and sends credentials again without being asked (RFC 3261 §22.2, §22.3).

use super::digest::{self, Input};
use super::{Challenge, Credentials, Qop, Secret};
use crate::header::{Authorization, Headers, ProxyAuthenticate, ProxyAuthorization, WwwAuthenticate};
use crate::message::{Request, Response};
use crate::method::Method;
use crate::status::StatusCode;
use crate::text::Text;
use alloc::vec::Vec;
use sidetone_hal::rng::Rng;

/// Why no credentials can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The response has no Digest challenge that can be read.
    #[error("no Digest challenge")]
    NoChallenge,
    /// Every challenge asks for an algorithm or quality that we cannot compute.
    #[error("no challenge with an algorithm and quality of protection that we know")]
    Unsupported,
    /// The request had credentials for this challenge, and they were wrong.
    #[error("user name or password refused")]
    Refused,
}

/// Keeps what servers challenged with, so that later requests need not be challenged: the nonce of each
/// realm, how often it was used, and the client's nonce.
///
/// One per account. It holds at most [`DigestClient::REALMS`] realms.
///
/// ```
/// use sidetone_sip_core::{Challenge, DigestClient, Method, Rng, Secret};
/// let mut client = DigestClient::new();
/// let challenge: Challenge = r#"Digest realm="atlanta.com", nonce="84f1c1ae6cbe5ua9c8e88dfa3ecm3459", qop="auth""#.parse().unwrap();
/// let mut rng = Rng::from_u64(1);
/// let password = Secret::from("zanzibar");
/// let mut answer = || {
///     client.authorize(&[challenge.clone()], &Method::INVITE, "sip:bob@biloxi.com", b"", "bob", &password, &mut rng)
/// };
/// assert_eq!(answer().unwrap().nc, Some(1));
/// assert_eq!(answer().unwrap().nc, Some(2));
/// ```
#[derive(Clone, Debug, Default)]
pub struct DigestClient {
    sessions: Vec<Session>,
}

/// A realm that has challenged us.
#[derive(Clone, Debug)]
struct Session {
    challenge: Challenge,
    proxy: bool,
    cnonce: Text,
    nc: u32,
}

impl DigestClient {
    /// Realms that are remembered; the one challenged longest ago makes way.
    pub const REALMS: usize = 8;

    /// A client that knows no realm yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { sessions: Vec::new() }
    }

    /// Answers the strongest of the challenges of one realm: SHA-256 before MD5, `auth` before `auth-int`.
    /// `uri` is the Request-URI as it is sent. A nonce that was used before is used with the next count.
    ///
    /// # Errors
    /// There is no challenge, or none that we can compute.
    #[expect(clippy::too_many_arguments, reason = "each is one of the digest's inputs")]
    pub fn authorize(
        &mut self,
        challenges: &[Challenge],
        method: &Method,
        uri: &str,
        body: &[u8],
        user: &str,
        password: &Secret,
        rng: &mut Rng,
    ) -> Result<Credentials, AuthError> {
        let index = self.remember(challenges, false, rng)?;
        let session = self.sessions.get_mut(index).ok_or(AuthError::NoChallenge)?;
        session.answer(method, uri, body, user, password).ok_or(AuthError::Unsupported)
    }

    /// Answers every realm that a 401 or 407 challenges with, in the headers of `request`, which is to be
    /// sent again: it must be the request that was refused, with its next CSeq number. Credentials for other
    /// realms stay.
    ///
    /// # Errors
    /// There is no challenge that we can compute, or the request had credentials and they were refused: the
    /// server calls nothing stale, and challenges with the same nonce, or with another although the first was new. (A
    /// nonce that had served before may just have grown old at a server that does not say so: one more try.)
    pub fn respond(
        &mut self,
        response: &Response,
        request: &mut Request,
        user: &str,
        password: &Secret,
        rng: &mut Rng,
    ) -> Result<(), AuthError> {
        let proxy = response.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED;
        let challenges = challenges(&response.headers, proxy);
        let mut realms: Vec<&Text> = challenges.iter().map(|challenge| &challenge.realm).collect();
        realms.dedup();
        if realms.is_empty() {
            return Err(AuthError::NoChallenge);
        }
        let sent = credentials(&request.headers, proxy);
        for realm in realms.iter().take(Self::REALMS) {
            let of_realm: Vec<Challenge> =
                challenges.iter().filter(|challenge| challenge.realm == **realm).cloned().collect();
            let refused = sent.iter().any(|sent| sent.realm == **realm && self.is_refusal(sent, &of_realm));
            if refused {
                self.forget(realm);
                return Err(AuthError::Refused);
            }
            let index = self.remember(&of_realm, proxy, rng)?;
            let session = self.sessions.get_mut(index).ok_or(AuthError::NoChallenge)?;
            let answer = session
                .answer(&request.method, request.uri.as_str(), &request.body, user, password)
                .ok_or(AuthError::Unsupported)?;
            put(&mut request.headers, answer, proxy);
        }
        Ok(())
    }

    /// Adds credentials for every realm that has challenged before (RFC 3261 §22.2), so that the request
    /// is not challenged again; says for how many. The server may call the nonce stale: then [`DigestClient::respond`].
    pub fn attach(&mut self, request: &mut Request, user: &str, password: &Secret) -> usize {
        let mut count = 0;
        for session in &mut self.sessions {
            let answer = session.answer(&request.method, request.uri.as_str(), &request.body, user, password);
            if let Some(answer) = answer {
                put(&mut request.headers, answer, session.proxy);
                count += 1;
            }
        }
        count
    }

    /// Forgets a realm, as after its password changed.
    pub fn forget(&mut self, realm: &str) {
        self.sessions.retain(|session| session.challenge.realm != *realm);
    }

    /// Whether new challenges for the realm of credentials mean that the password is wrong.
    fn is_refusal(&self, sent: &Credentials, challenges: &[Challenge]) -> bool {
        let session = self.sessions.iter().find(|session| session.challenge.nonce == sent.nonce);
        let uses = sent.nc.or_else(|| session.map(|session| session.nc));
        let is_new = uses.is_some_and(|uses| uses <= 1);
        challenges.iter().all(|new| !new.stale)
            && (is_new || challenges.iter().any(|new| new.nonce == sent.nonce))
    }

    /// The place of the session for the strongest challenge.
    fn remember(&mut self, challenges: &[Challenge], proxy: bool, rng: &mut Rng) -> Result<usize, AuthError> {
        if challenges.is_empty() {
            return Err(AuthError::NoChallenge);
        }
        let usable = challenges.iter().filter(|challenge| usable_qop(challenge).is_some());
        // Of two of the same strength, the first: the server prefers it (RFC 8760 §2.4).
        let best = usable.rev().max_by_key(|challenge| challenge.algorithm().strength());
        let best = best.filter(|best| best.algorithm().strength().is_some()).ok_or(AuthError::Unsupported)?;
        let known = self.sessions.iter().position(|session| session.is_for(best, proxy));
        if let Some(index) = known {
            return Ok(index);
        }
        self.sessions.retain(|session| session.proxy != proxy || session.challenge.realm != best.realm);
        if self.sessions.len() >= Self::REALMS {
            self.sessions.remove(0);
        }
        let cnonce = rng.hex::<16>();
        let cnonce = Text::from(core::str::from_utf8(&cnonce).unwrap_or_default());
        self.sessions.push(Session { challenge: best.clone(), proxy, cnonce, nc: 0 });
        Ok(self.sessions.len() - 1)
    }
}

impl Session {
    fn is_for(&self, challenge: &Challenge, proxy: bool) -> bool {
        self.proxy == proxy
            && self.challenge.realm == challenge.realm
            && self.challenge.nonce == challenge.nonce
            && self.challenge.algorithm == challenge.algorithm
    }

    fn answer(
        &mut self,
        method: &Method,
        uri: &str,
        body: &[u8],
        user: &str,
        password: &Secret,
    ) -> Option<Credentials> {
        let qop = usable_qop(&self.challenge)?;
        self.nc = self.nc.saturating_add(1);
        let algorithm = self.challenge.algorithm();
        // Text first: what is hashed is what is sent.
        let (username, uri) = (Text::from(user), Text::from(uri));
        let input = Input {
            username: &username,
            realm: &self.challenge.realm,
            nonce: &self.challenge.nonce,
            method: method.as_str(),
            uri: &uri,
            body,
            qop: qop.as_ref(),
            cnonce: &self.cnonce,
            nc: self.nc,
        };
        let response = digest::response(&algorithm, &input, password.expose())?;
        let with_cnonce = qop.is_some() || algorithm.is_session();
        Some(Credentials {
            username,
            realm: self.challenge.realm.clone(),
            nonce: self.challenge.nonce.clone(),
            uri,
            response: response.into(),
            algorithm: self.challenge.algorithm.clone(),
            cnonce: with_cnonce.then(|| self.cnonce.clone()),
            nc: qop.is_some().then_some(self.nc),
            qop,
            opaque: self.challenge.opaque.clone(),
        })
    }
}

/// The quality to answer with: `Some(None)` by RFC 2069 when none is offered; `None` when we know none of them.
fn usable_qop(challenge: &Challenge) -> Option<Option<Qop>> {
    if challenge.qop.is_empty() {
        return Some(None);
    }
    [Qop::Auth, Qop::AuthInt].into_iter().find(|qop| challenge.qop.contains(qop)).map(Some)
}

fn challenges(headers: &Headers, proxy: bool) -> Vec<Challenge> {
    if proxy {
        headers.all::<ProxyAuthenticate>().filter_map(Result::ok).map(|header| header.0).collect()
    } else {
        headers.all::<WwwAuthenticate>().filter_map(Result::ok).map(|header| header.0).collect()
    }
}

fn credentials(headers: &Headers, proxy: bool) -> Vec<Credentials> {
    if proxy {
        headers.all::<ProxyAuthorization>().filter_map(Result::ok).map(|header| header.0).collect()
    } else {
        headers.all::<Authorization>().filter_map(Result::ok).map(|header| header.0).collect()
    }
}

/// Puts credentials into the headers, in the place of older ones for the realm.
fn put(headers: &mut Headers, new: Credentials, proxy: bool) {
    let mut all = credentials(headers, proxy);
    all.retain(|old| old.realm != new.realm);
    all.push(new);
    if proxy {
        headers.remove(&crate::HeaderName::PROXY_AUTHORIZATION);
        all.into_iter().for_each(|credentials| headers.push(&ProxyAuthorization(credentials)));
    } else {
        headers.remove(&crate::HeaderName::AUTHORIZATION);
        all.into_iter().for_each(|credentials| headers.push(&Authorization(credentials)));
    }
}
