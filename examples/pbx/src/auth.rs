//! Digest authentication of registrations (401) and of callers (407): RFC 3261 §22, RFC 7616, RFC 8760.

use hashbrown::HashMap;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_sip_core::{
    AuthInfo, AuthRole, Challenge, DigestCheck, DigestConfig, DigestServer, Request, Secret,
};
use sidetone_sip_ua::package::feature_sync::hoteling_response;

/// The accounts with their passwords, and the nonces.
pub(crate) struct Authenticator {
    digest: DigestServer,
    accounts: HashMap<String, Secret>,
    /// Checked in place of an account that is not there, so that the time does not tell which accounts exist.
    nobody: Secret,
}

/// What becomes of a request that needs an account.
pub(crate) enum Verdict {
    /// It comes from this account. `info` is our own proof, for the response (RFC 7616 §3.5); none for a caller.
    Granted { user: String, info: Option<AuthInfo> },
    /// It has no credentials for our realm, or their nonce is no longer good.
    Challenge(Vec<Challenge>),
    /// The credentials are wrong. Answered 403, not by another challenge: a client whose password is wrong stops.
    Denied,
}

impl Authenticator {
    pub(crate) fn new(realm: &str, digest: DigestConfig, rng: &mut Rng) -> Self {
        let nobody: String = rng.hex::<32>().iter().map(|byte| char::from(*byte)).collect();
        Self {
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

    /// Whether a guest knows the password of his account (BroadSoft hoteling). No account whose password is kept as a hash
    /// alone can be a guest.
    pub(crate) fn proves(&self, user: &str, nonce: &str, response: &str) -> bool {
        let account = self.accounts.get(user);
        let password = account.unwrap_or(&self.nobody).expose();
        password.is_some_and(|password| hoteling_response(nonce, password) == response) && account.is_some()
    }

    /// The account that a REGISTER comes from, with what the 2xx says of us in turn.
    pub(crate) fn check_registration(&mut self, now: Instant, request: &Request) -> Verdict {
        self.check(now, request, AuthRole::Server)
    }

    pub(crate) fn check_caller(&mut self, now: Instant, request: &Request) -> Verdict {
        self.check(now, request, AuthRole::Proxy)
    }

    /// Takes off the credentials that were for us (RFC 3261 §22.3): the callee has no use for them.
    pub(crate) fn strip(&self, request: &mut Request) {
        AuthRole::Proxy.remove_credentials(&mut request.headers, self.digest.realm());
    }

    fn check(&mut self, now: Instant, request: &Request, role: AuthRole) -> Verdict {
        let Some(credentials) = self.digest.find(role, &request.headers) else {
            return Verdict::Challenge(self.digest.challenges(now, false));
        };
        let account = self.accounts.get(credentials.username.as_str());
        let password = account.unwrap_or(&self.nobody);
        let check = DigestCheck::new(&credentials, &request.method, &request.body, password);
        match self.digest.check(now, &check) {
            Ok(()) if account.is_some() => {
                // What answers a REGISTER has no body, and comes from here; what answers a caller is the callee's.
                let info = match role {
                    AuthRole::Server => self.digest.info(now, &check, b""),
                    AuthRole::Proxy => None,
                };
                Verdict::Granted { user: credentials.username.as_str().into(), info }
            }
            Err(rejection) if rejection.is_stale() => Verdict::Challenge(self.digest.challenges(now, true)),
            _ => Verdict::Denied,
        }
    }
}
