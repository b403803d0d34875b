//! The client: answers challenges, and sends credentials again without being asked (RFC 3261 §22.2, §22.3).

use super::aka::{self, AkaFailure, AkaOutcome};
use super::digest::{self, Input};
use super::{
    Algorithm, AuthInfo, AuthRole, Challenge, CredentialStore, Credentials, DigestHash, Login, Qop, Secret,
};
use crate::header::Headers;
use crate::message::{Request, Response};
use crate::method::Method;
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
    /// There is no login for the realm.
    #[error("no user name and password for the realm")]
    NoLogin,
    /// Every challenge asks for an algorithm or quality that we, or the login, cannot compute.
    #[error("no challenge with an algorithm and quality of protection that we know")]
    Unsupported,
    /// Every challenge that we can compute is weaker than [`DigestClientConfig::minimum`].
    #[error("every challenge asks for a weaker algorithm than is allowed")]
    TooWeak,
    /// The request had credentials for this challenge, and they were wrong.
    #[error("user name or password refused")]
    Refused,
    /// The USIM does not believe the network (RFC 3310 §3.5).
    #[error("the network failed to prove itself to the USIM")]
    Network,
    /// The server did not prove that it knows the password (RFC 7616 §3.5).
    #[error("the server failed to prove that it knows the password")]
    Unproven,
}

/// How a client answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DigestClientConfig {
    /// The weakest hash function to answer with; default MD5. AKA, whose password serves once, is not meant.
    pub minimum: DigestHash,
    /// Whether `auth-int` is chosen where `auth` is offered too; default no.
    pub prefer_auth_int: bool,
    /// Whether a server must prove itself by `rspauth`; default no: proof is checked where it is given.
    pub require_rspauth: bool,
    /// Realms that are remembered; default 8. The one challenged longest ago makes way.
    pub realms: usize,
}

impl Default for DigestClientConfig {
    fn default() -> Self {
        Self { minimum: DigestHash::Md5, prefer_auth_int: false, require_rspauth: false, realms: 8 }
    }
}

/// Keeps what servers challenged with, so that later requests need not be challenged: the nonce of each
/// realm, how often it was used, and the client's nonce.
///
/// One per account. Of the challenges of one realm it answers the topmost that it can compute, as RFC 8760 §2.4
/// says, so that nobody on the way can talk it into a weaker one by adding it below; a server's first is what the
/// server prefers. [`DigestClientConfig::minimum`] refuses weak ones altogether.
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
    config: DigestClientConfig,
    sessions: Vec<Session>,
}

/// A realm that has challenged us.
#[derive(Clone, Debug)]
struct Session {
    /// With the nonce in use, which `nextnonce` changes.
    challenge: Challenge,
    /// The nonce of the challenge itself: session keys are made with it (RFC 7616 §3.4.2).
    first_nonce: Text,
    role: AuthRole,
    cnonce: Text,
    nc: u32,
    /// What the USIM said to the nonce in use.
    aka: Option<Aka>,
}

/// A USIM's answer.
#[derive(Clone, Debug)]
struct Aka {
    password: Secret,
    auts: Option<Text>,
}

/// What a request is hashed of.
#[derive(Clone, Copy)]
struct Part<'a> {
    method: &'a Method,
    uri: &'a str,
    body: &'a [u8],
}

impl<'a> From<&'a Request> for Part<'a> {
    fn from(request: &'a Request) -> Self {
        Self { method: &request.method, uri: request.uri.as_str(), body: &request.body }
    }
}

impl DigestClient {
    /// A client that knows no realm yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A client that knows no realm yet, and answers so.
    #[must_use]
    pub const fn with_config(config: DigestClientConfig) -> Self {
        Self { config, sessions: Vec::new() }
    }

    /// Answers one of the challenges of one realm. `uri` is the Request-URI as it is sent. A nonce that was used before
    /// is used with the next count.
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
        let login = Login::new(user, password.clone());
        self.answer(AuthRole::Server, challenges, &login, Part { method, uri, body }, rng)
    }

    /// Answers every realm that a 401 or 407 challenges with, in the headers of `request`, which is to be
    /// sent again: it must be the request that was refused, with its next CSeq number. A response may have challenges of
    /// servers and of proxies (RFC 3261 §16.7). Credentials for other realms are used once more, under their next
    /// count. A realm that cannot be answered is left out, as long as there is another that can.
    ///
    /// # Errors
    /// There is no challenge that we can answer, or the request had credentials and they were refused: the
    /// server calls nothing stale, and challenges with the same nonce, or with another although the first was new. (A
    /// nonce that had served before may just have grown old at a server that does not say so: one more try.)
    /// The request then is as it was.
    pub fn respond(
        &mut self,
        response: &Response,
        request: &mut Request,
        logins: &CredentialStore,
        rng: &mut Rng,
    ) -> Result<(), AuthError> {
        let mut answers = Vec::new();
        let mut failure = AuthError::NoChallenge;
        for role in AuthRole::ALL {
            let sent: Vec<Credentials> = role.credentials(&request.headers).flatten().collect();
            for of_realm in by_realm(role, &response.headers).into_iter().take(self.config.realms) {
                let Some(realm) = of_realm.first().map(|challenge| challenge.realm.clone()) else { continue };
                if sent.iter().any(|sent| sent.realm == realm && self.is_refusal(sent, &of_realm)) {
                    self.forget(&realm);
                    return Err(AuthError::Refused);
                }
                let Some(login) = logins.get(&realm) else {
                    failure = AuthError::NoLogin;
                    continue;
                };
                match self.answer(role, &of_realm, login, Part::from(&*request), rng) {
                    // The USIM asked to synchronise, and the network is out of step still.
                    Ok(answer)
                        if answer.auts.is_some()
                            && sent.iter().any(|sent| sent.realm == realm && sent.auts.is_some()) =>
                    {
                        return Err(AuthError::Refused);
                    }
                    Ok(answer) => answers.push((role, answer)),
                    Err(error) => failure = error,
                }
            }
        }
        if answers.is_empty() {
            return Err(failure);
        }
        let answered: Vec<(AuthRole, Text)> =
            answers.iter().map(|(role, answer)| (*role, answer.realm.clone())).collect();
        for (role, answer) in answers {
            role.put_credentials(&mut request.headers, answer);
        }
        self.count_up(request, logins, &answered);
        Ok(())
    }

    /// Writes the credentials of a request that is sent once more, other than by its transaction, anew: each realm's count of
    /// uses goes on (RFC 7616 §3.4), for a server takes the same count for a replay. Credentials of realms that have not
    /// challenged us stay as they are; says how many are new.
    pub fn renew(&mut self, request: &mut Request, logins: &CredentialStore) -> usize {
        self.count_up(request, logins, &[])
    }

    /// The same but for some realms. O(n·m) for n credentials and m realms, of which [`DigestClientConfig::realms`] are kept.
    fn count_up(
        &mut self,
        request: &mut Request,
        logins: &CredentialStore,
        except: &[(AuthRole, Text)],
    ) -> usize {
        let mut count = 0;
        for role in AuthRole::ALL {
            let sent: Vec<Credentials> = role.credentials(&request.headers).flatten().collect();
            for Credentials { realm, .. } in sent {
                let is_known =
                    |session: &&mut Session| session.role == role && session.challenge.realm == realm;
                if except.iter().any(|(of, other)| *of == role && *other == realm) {
                    continue;
                }
                let Some(session) = self.sessions.iter_mut().find(is_known) else { continue };
                let Some(login) = logins.get(&realm) else { continue };
                let answer = session.answer(Part::from(&*request), login, self.config.prefer_auth_int);
                if let Ok(answer) = answer {
                    role.put_credentials(&mut request.headers, answer);
                    count += 1;
                }
            }
        }
        count
    }

    /// Adds credentials for every realm that has challenged before (RFC 3261 §22.2), so that the request
    /// is not challenged again; says for how many. The server may call the nonce stale: then [`DigestClient::respond`].
    pub fn attach(&mut self, request: &mut Request, logins: &CredentialStore) -> usize {
        let mut count = 0;
        for session in &mut self.sessions {
            let Some(login) = logins.get(&session.challenge.realm) else { continue };
            let answer = session.answer(Part::from(&*request), login, self.config.prefer_auth_int);
            if let Ok(answer) = answer {
                session.role.put_credentials(&mut request.headers, answer);
                count += 1;
            }
        }
        count
    }

    /// Takes what a server says in Authentication-Info and a proxy in Proxy-Authentication-Info (RFC 7616 §3.5) in
    /// the response to `request`, which is the request as it was sent: checks the proof, where there is one, and keeps
    /// the next nonce. To be called with the final response, when it is no challenge.
    ///
    /// # Errors
    /// The proof is wrong, or there is none and [`DigestClientConfig::require_rspauth`] asks for one. The next nonce is
    /// not taken then.
    pub fn accept(
        &mut self,
        response: &Response,
        request: &Request,
        logins: &CredentialStore,
    ) -> Result<(), AuthError> {
        for role in AuthRole::ALL {
            let info = role.info(&response.headers);
            let sent: Vec<Credentials> = role.credentials(&request.headers).flatten().collect();
            let meant = |sent: &&Credentials| match info.as_ref().and_then(|info| info.cnonce.as_ref()) {
                Some(cnonce) => sent.cnonce.as_ref() == Some(cnonce),
                None => true,
            };
            let Some(sent) = sent.iter().find(meant).or_else(|| sent.first()) else { continue };
            let proof = info.as_ref().and_then(|info| info.rspauth.as_ref());
            let proven = match proof {
                Some(proof) => self.is_proof(proof, role, sent, response, logins),
                None => !self.config.require_rspauth,
            };
            if !proven {
                return Err(AuthError::Unproven);
            }
            if let Some(AuthInfo { nextnonce: Some(next), .. }) = info
                && let Some(session) = self.sessions.iter_mut().find(|session| session.sent(role, sent))
            {
                session.challenge.nonce = next;
                session.nc = 0;
                session.aka = None;
            }
        }
        Ok(())
    }

    /// Forgets a realm, as after its password changed.
    pub fn forget(&mut self, realm: &str) {
        self.sessions.retain(|session| session.challenge.realm != *realm);
    }

    fn is_proof(
        &self,
        proof: &str,
        role: AuthRole,
        sent: &Credentials,
        response: &Response,
        logins: &CredentialStore,
    ) -> bool {
        let Some(login) = logins.get(&sent.realm) else { return false };
        let session = self.sessions.iter().find(|session| session.sent(role, sent));
        let aka = session.and_then(|session| session.aka.as_ref()).map(|aka| &aka.password);
        let Some(secret) = aka.or_else(|| login.secret()) else { return false };
        let input = Input {
            username: &login.user,
            realm: &sent.realm,
            nonce: &sent.nonce,
            session_nonce: session.map_or(&sent.nonce, |session| &session.first_nonce),
            method: "",
            uri: &sent.uri,
            body: &response.body,
            qop: sent.qop.as_ref(),
            cnonce: sent.cnonce.as_deref().unwrap_or_default(),
            nc: sent.nc.unwrap_or_default(),
        };
        digest::response(&sent.algorithm(), &input, secret).is_some_and(|expected| expected.is(proof))
    }

    /// Whether new challenges for the realm of credentials mean that the password is wrong.
    fn is_refusal(&self, sent: &Credentials, challenges: &[Challenge]) -> bool {
        // A request to synchronise is answered by another challenge.
        if sent.auts.is_some() {
            return challenges.iter().any(|new| new.nonce == sent.nonce);
        }
        let session = self.sessions.iter().find(|session| session.challenge.nonce == sent.nonce);
        let uses = sent.nc.or_else(|| session.map(|session| session.nc));
        let is_new = uses.is_some_and(|uses| uses <= 1);
        challenges.iter().all(|new| !new.stale)
            && (is_new || challenges.iter().any(|new| new.nonce == sent.nonce))
    }

    /// Answers the challenges of one realm.
    fn answer(
        &mut self,
        role: AuthRole,
        challenges: &[Challenge],
        login: &Login,
        part: Part<'_>,
        rng: &mut Rng,
    ) -> Result<Credentials, AuthError> {
        let index = self.remember(role, challenges, login, rng)?;
        let session = self.sessions.get_mut(index).ok_or(AuthError::NoChallenge)?;
        let answer = session.answer(part, login, self.config.prefer_auth_int);
        if answer.is_err() {
            self.sessions.remove(index);
        }
        answer
    }

    /// The place of the session for the topmost challenge that we can answer.
    fn remember(
        &mut self,
        role: AuthRole,
        challenges: &[Challenge],
        login: &Login,
        rng: &mut Rng,
    ) -> Result<usize, AuthError> {
        let mut failure = AuthError::NoChallenge;
        let best = challenges.iter().find(|challenge| match self.judge(challenge, login) {
            Ok(()) => true,
            Err(error) => {
                if failure != AuthError::TooWeak {
                    failure = error;
                }
                false
            }
        });
        let best = best.ok_or(failure)?;
        let known = self.sessions.iter().position(|session| session.is_for(best, role));
        if let Some(index) = known {
            return Ok(index);
        }
        self.sessions.retain(|session| session.role != role || session.challenge.realm != best.realm);
        if self.sessions.len() >= self.config.realms.max(1) {
            self.sessions.remove(0);
        }
        let cnonce = rng.hex::<16>();
        let cnonce = Text::from(core::str::from_utf8(&cnonce).unwrap_or_default());
        self.sessions.push(Session {
            challenge: best.clone(),
            first_nonce: best.nonce.clone(),
            role,
            cnonce,
            nc: 0,
            aka: None,
        });
        Ok(self.sessions.len() - 1)
    }

    fn judge(&self, challenge: &Challenge, login: &Login) -> Result<(), AuthError> {
        let algorithm = challenge.algorithm();
        if usable_qop(challenge, false).is_none() || !login.serves(&algorithm) {
            return Err(AuthError::Unsupported);
        }
        if !algorithm.is_aka() && algorithm.hash() < Some(self.config.minimum) {
            return Err(AuthError::TooWeak);
        }
        Ok(())
    }
}

impl Session {
    fn is_for(&self, challenge: &Challenge, role: AuthRole) -> bool {
        self.role == role
            && self.challenge.realm == challenge.realm
            && self.challenge.nonce == challenge.nonce
            && self.challenge.algorithm == challenge.algorithm
    }

    /// Whether these credentials came from here.
    fn sent(&self, role: AuthRole, sent: &Credentials) -> bool {
        self.role == role && self.challenge.realm == sent.realm && self.challenge.nonce == sent.nonce
    }

    fn answer(
        &mut self,
        part: Part<'_>,
        login: &Login,
        prefer_auth_int: bool,
    ) -> Result<Credentials, AuthError> {
        let qop = usable_qop(&self.challenge, prefer_auth_int).ok_or(AuthError::Unsupported)?;
        let algorithm = self.challenge.algorithm();
        if algorithm.is_aka() && self.aka.is_none() {
            self.aka = Some(ask_card(login, &algorithm, &self.challenge.nonce)?);
        }
        let aka = self.aka.as_ref();
        let secret = aka.map(|aka| &aka.password).or_else(|| login.secret()).ok_or(AuthError::Unsupported)?;
        let count = self.nc.saturating_add(1);
        // Text first: what is hashed is what is sent.
        let uri = Text::from(part.uri);
        let input = Input {
            username: &login.user,
            realm: &self.challenge.realm,
            nonce: &self.challenge.nonce,
            session_nonce: &self.first_nonce,
            method: part.method.as_str(),
            uri: &uri,
            body: part.body,
            qop: qop.as_ref(),
            cnonce: &self.cnonce,
            nc: count,
        };
        let response = digest::response(&algorithm, &input, secret).ok_or(AuthError::Unsupported)?;
        self.nc = count;
        let hashed = self.challenge.userhash.then(|| super::user_hash(&algorithm, &login.user, input.realm));
        let hashed = hashed.flatten();
        let with_cnonce = qop.is_some() || algorithm.is_session();
        Ok(Credentials {
            realm: self.challenge.realm.clone(),
            nonce: self.challenge.nonce.clone(),
            response: response.as_str().into(),
            algorithm: self.challenge.algorithm.clone(),
            cnonce: with_cnonce.then(|| self.cnonce.clone()),
            nc: qop.is_some().then_some(count),
            qop,
            opaque: self.challenge.opaque.clone(),
            userhash: hashed.is_some(),
            // A server that says `charset` knows RFC 7616, and so the form that its §3.4 has for such names.
            extended: hashed.is_none() && self.challenge.utf8 && !login.user.is_ascii(),
            username: hashed.map_or_else(|| login.user.clone(), Text::from),
            uri,
            auts: aka.and_then(|aka| aka.auts.clone()),
        })
    }
}

fn ask_card(login: &Login, algorithm: &Algorithm, nonce: &str) -> Result<Aka, AuthError> {
    let card = login.card().ok_or(AuthError::Unsupported)?;
    match aka::answer(card, algorithm, nonce).ok_or(AuthError::Unsupported)? {
        Ok(AkaOutcome::Password(password)) => Ok(Aka { password, auts: None }),
        Ok(AkaOutcome::Synchronize(auts)) => {
            Ok(Aka { password: Secret::default(), auts: Some(Text::from(auts)) })
        }
        Err(AkaFailure::Mac | AkaFailure::Synchronization(_)) => Err(AuthError::Network),
    }
}

/// The quality to answer with: `Some(None)` by RFC 2069 when none is offered; `None` when we know none of them.
fn usable_qop(challenge: &Challenge, prefer_auth_int: bool) -> Option<Option<Qop>> {
    if challenge.qop.is_empty() {
        return Some(None);
    }
    let order = if prefer_auth_int { [Qop::AuthInt, Qop::Auth] } else { [Qop::Auth, Qop::AuthInt] };
    order.into_iter().find(|qop| challenge.qop.contains(qop)).map(Some)
}

/// The challenges of each realm, both in their order.
fn by_realm(role: AuthRole, headers: &Headers) -> Vec<Vec<Challenge>> {
    let mut realms: Vec<Vec<Challenge>> = Vec::new();
    for challenge in role.challenges(headers).flatten() {
        let same = |of: &&mut Vec<Challenge>| of.first().is_some_and(|first| first.realm == challenge.realm);
        match realms.iter_mut().find(same) {
            Some(of_realm) => of_realm.push(challenge),
            None => realms.push(alloc::vec![challenge]),
        }
    }
    realms
}
