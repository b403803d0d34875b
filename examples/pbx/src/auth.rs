//! Digest authentication of registrations (401) and of callers (407): RFC 3261 §22, RFC 7616, RFC 8760.

use hashbrown::HashMap;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{Authorization, Header, ProxyAuthorization};
use sidetone_sip_core::{Challenge, Credentials, DigestConfig, DigestServer, Request, Secret, Text};

/// The accounts with their passwords, and the nonces.
pub(crate) struct Authenticator {
    realm: Text,
    digest: DigestServer,
    accounts: HashMap<String, Secret>,
    /// Checked in place of an account that is not there, so that the time does not tell which accounts exist.
    nobody: Secret,
}

/// What becomes of a request that needs an account.
pub(crate) enum Verdict {
    /// It comes from this account.
    Granted(String),
    /// It has no credentials for our realm, or their nonce is no longer good.
    Challenge(Vec<Challenge>),
    /// The credentials are wrong. Answered 403, not by another challenge: a client whose password is wrong stops.
    Denied,
}

impl Authenticator {
    pub(crate) fn new(realm: &str, digest: DigestConfig, rng: &mut Rng) -> Self {
        let nobody: String = rng.hex::<32>().iter().map(|byte| char::from(*byte)).collect();
        Self {
            realm: realm.into(),
            digest: DigestServer::with_config(realm, digest, rng),
            accounts: HashMap::new(),
            nobody: Secret::new(nobody),
        }
    }

    pub(crate) fn add_account(&mut self, user: String, password: Secret) {
        self.accounts.insert(user, password);
    }

    pub(crate) fn has_account(&self, user: &str) -> bool {
        self.accounts.contains_key(user)
    }

    pub(crate) fn check_registration(&mut self, now: Instant, request: &Request) -> Verdict {
        let all = request.headers.all::<Authorization>().flatten();
        let credentials = all.map(|header| header.0).find(|credentials| credentials.realm == self.realm);
        self.check(now, request, credentials)
    }

    pub(crate) fn check_caller(&mut self, now: Instant, request: &Request) -> Verdict {
        let all = request.headers.all::<ProxyAuthorization>().flatten();
        let credentials = all.map(|header| header.0).find(|credentials| credentials.realm == self.realm);
        self.check(now, request, credentials)
    }

    /// Takes off the credentials that were for us (RFC 3261 §22.3): the callee has no use for them.
    pub(crate) fn strip(&self, request: &mut Request) {
        let all = request.headers.all::<ProxyAuthorization>();
        let others: Vec<_> = all.flatten().filter(|header| header.0.realm != self.realm).collect();
        request.headers.remove(&ProxyAuthorization::NAME);
        for other in others {
            request.headers.push(&other);
        }
    }

    fn check(&mut self, now: Instant, request: &Request, credentials: Option<Credentials>) -> Verdict {
        let Some(credentials) = credentials else {
            return Verdict::Challenge(self.digest.challenges(now, false));
        };
        let account = self.accounts.get(credentials.username.as_str());
        let password = account.unwrap_or(&self.nobody);
        let outcome = self.digest.verify(now, &credentials, &request.method, &request.body, password);
        match outcome {
            Ok(()) if account.is_some() => Verdict::Granted(credentials.username.as_str().into()),
            Err(rejection) if rejection.is_stale() => Verdict::Challenge(self.digest.challenges(now, true)),
            _ => Verdict::Denied,
        }
    }
}
