//! Digest as an account uses it: logins by realm, the weakest hash, proof of the registrar, the next nonce.

use crate::support::*;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{AuthenticationInfo, Authorization, Contact, WwwAuthenticate};
use sidetone_sip_core::{
    CredentialStore, DigestCheck, DigestConfig, DigestHash, DigestServer, Login, Method, Request, Response,
    Rng, Secret, StatusCode,
};
use sidetone_sip_ua::{AccountConfig, Event, RegistrationState};

/// A registrar for one realm, beside the harness's wire.
struct Registrar {
    digest: DigestServer,
    secret: Secret,
}

impl Registrar {
    fn new(secret: &str, change: impl FnOnce(&mut DigestConfig)) -> Self {
        let mut config = DigestConfig::default();
        change(&mut config);
        let digest = DigestServer::with_config("realm", config, &mut Rng::from_u64(9));
        Self { digest, secret: secret.into() }
    }

    fn challenge(&mut self, harness: &Harness, request: &Request) -> Response {
        let mut response = request.response(StatusCode::UNAUTHORIZED, Some("registrar"));
        for challenge in self.digest.challenges(harness.now, false) {
            response.headers.push(&WwwAuthenticate(challenge));
        }
        response
    }

    /// 200 to right credentials, with or without what the server says of itself.
    fn grant(&mut self, harness: &Harness, request: &Request, with_info: bool) -> Response {
        let credentials = request.headers.require::<Authorization>().unwrap();
        let check = DigestCheck::new(&credentials, &request.method, &request.body, &self.secret);
        assert_eq!(self.digest.check(harness.now, &check), Ok(()));
        let mut ok = request.response(StatusCode::OK, Some("registrar"));
        ok.headers.push(&request.headers.require::<Contact>().unwrap().with_expires(100));
        if with_info {
            let info = self.digest.info(harness.now, &check, b"").unwrap();
            ok.headers.push(&AuthenticationInfo(info));
        }
        ok
    }
}

fn config(change: impl FnOnce(&mut AccountConfig)) -> AccountConfig {
    let mut config = AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap();
    change(&mut config);
    config
}

fn registering(config: AccountConfig) -> (Harness, Request) {
    let mut harness = Harness::new();
    let account = harness.account_with(config);
    harness.agent.register(harness.now, account).unwrap();
    state(&mut harness);
    let register = harness.request(Method::REGISTER);
    (harness, register)
}

#[track_caller]
fn state(harness: &mut Harness) -> RegistrationState {
    match harness.event() {
        Event::Registration { state, .. } => state,
        other => panic!("expected a registration event, got {other:?}"),
    }
}

#[test]
fn a_realm_with_a_login_of_its_own_gets_that() {
    let logins = CredentialStore::new().with("realm", Login::new("trunk", "wholesale"));
    let (mut harness, register) = registering(config(|config| config.logins = logins));
    let mut registrar = Registrar::new("wholesale", |_| {});
    let challenge = registrar.challenge(&harness, &register);
    harness.put(challenge);
    let again = harness.request(Method::REGISTER);
    assert_eq!(&*again.headers.require::<Authorization>().unwrap().username, "trunk");
    let ok = registrar.grant(&harness, &again, false);
    harness.put(ok);
    assert!(state(&mut harness).is_registered());
}

#[test]
fn one_time_nonces_are_followed_through_refreshes() {
    let (mut harness, register) = registering(config(|_| {}));
    let mut registrar = Registrar::new("secret", |config| config.nonce_uses = 1);
    let challenge = registrar.challenge(&harness, &register);
    harness.put(challenge);
    let mut request = harness.request(Method::REGISTER);
    for _ in 0..10 {
        let ok = registrar.grant(&harness, &request, true);
        harness.put(ok);
        assert!(state(&mut harness).is_registered());
        request = harness.wait_request(Method::REGISTER, Duration::from_secs(91));
        let credentials = request.headers.require::<Authorization>().unwrap();
        assert_eq!(credentials.nc, Some(1), "each nonce is new");
    }
}

#[test]
fn a_registrar_that_must_prove_itself_and_does_not_is_not_believed() {
    for (secret, with_info, believed) in [("secret", true, true), ("secret", false, false)] {
        let (mut harness, register) = registering(config(|config| config.digest.require_rspauth = true));
        let mut registrar = Registrar::new(secret, |_| {});
        let challenge = registrar.challenge(&harness, &register);
        harness.put(challenge);
        let again = harness.request(Method::REGISTER);
        let ok = registrar.grant(&harness, &again, with_info);
        harness.put(ok);
        match state(&mut harness) {
            RegistrationState::Registered { .. } => assert!(believed),
            RegistrationState::Failed { reason, .. } => {
                assert!(!believed);
                assert!(reason.contains("prove"), "{reason}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_challenge_weaker_than_allowed_is_not_answered() {
    let (mut harness, register) = registering(config(|config| config.digest.minimum = DigestHash::Sha256));
    let mut registrar =
        Registrar::new("secret", |config| config.algorithms = vec![sidetone_sip_core::Algorithm::Md5]);
    let challenge = registrar.challenge(&harness, &register);
    harness.put(challenge);
    assert!(matches!(
        state(&mut harness),
        RegistrationState::Failed { status: Some(StatusCode::UNAUTHORIZED), .. }
    ));
    harness.silent();
}
