//! Digest beyond one challenge: several in one answer, the choice among them, what a server says afterwards, names
//! that are hashed, nonces that are bound or used up, and AKA.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use sidetone_sip_core::auth::{AkaAnswer, AkaFailure, Usim};
use sidetone_sip_core::header::{AuthenticationInfo, HeaderName, ProxyAuthenticationInfo};
use sidetone_sip_core::{
    Algorithm, AuthError, AuthRole, Challenge, CredentialStore, Credentials, DigestCheck, DigestClient,
    DigestClientConfig, DigestConfig, DigestHash, DigestServer, Instant, Login, Method, Qop, Rejection,
    Request, Response, Rng, Secret, StatusCode,
};
use std::sync::Arc;

fn register() -> Request {
    Request::new(Method::REGISTER, "sip:example.com".parse().unwrap())
}

fn alice() -> CredentialStore {
    Login::new("alice", "secret").into()
}

fn refusal(role: AuthRole, lines: &[&str]) -> Response {
    let mut response = Response::new(role.status());
    let name =
        if role == AuthRole::Server { HeaderName::WWW_AUTHENTICATE } else { HeaderName::PROXY_AUTHENTICATE };
    for line in lines {
        response.headers.push_raw(name.clone(), line).unwrap();
    }
    response
}

fn sent(request: &Request, role: AuthRole) -> Vec<Credentials> {
    role.credentials(&request.headers).map(Result::unwrap).collect()
}

/// A client and a server that talk in virtual time.
struct Pair {
    client: DigestClient,
    server: DigestServer,
    role: AuthRole,
    logins: CredentialStore,
    rng: Rng,
    now: Instant,
}

impl Pair {
    fn new(change: impl FnOnce(&mut DigestConfig)) -> Self {
        let mut config = DigestConfig::default();
        change(&mut config);
        let mut rng = Rng::from_u64(3);
        Self {
            client: DigestClient::new(),
            server: DigestServer::with_config("example.com", config, &mut rng),
            role: AuthRole::Server,
            logins: alice(),
            rng,
            now: Instant::from_millis(7),
        }
    }

    fn challenge(&mut self, stale: bool) -> Response {
        let mut response = Response::new(self.role.status());
        for challenge in self.server.challenges(self.now, stale) {
            self.role.push_challenge(&mut response.headers, challenge);
        }
        response
    }

    /// One request, authenticated from what is known; answers challenges. The number of challenges and the response.
    fn run(&mut self) -> Result<u32, AuthError> {
        let secret = Secret::from("secret").hashed("alice", "example.com");
        let mut request = register();
        self.client.attach(&mut request, &self.logins);
        for challenges in 0..3 {
            let found = self.server.find(self.role, &request.headers);
            let stale = match &found {
                None => false,
                Some(credentials) => {
                    let check = DigestCheck::new(credentials, &request.method, &request.body, &secret);
                    match self.server.check(self.now, &check) {
                        Ok(()) => {
                            let mut response = Response::new(StatusCode::OK);
                            response.body = "the response's body".into();
                            if let Some(info) = self.server.info(self.now, &check, &response.body) {
                                self.role.set_info(&mut response.headers, info);
                            }
                            self.client.accept(&response, &request, &self.logins)?;
                            return Ok(challenges);
                        }
                        Err(rejection) => rejection.is_stale(),
                    }
                }
            };
            let response = self.challenge(stale);
            self.client.respond(&response, &mut request, &self.logins, &mut self.rng)?;
        }
        panic!("challenged without end")
    }
}

#[test]
fn challenges_of_several_realms_schemes_and_roles_are_answered_at_once() {
    let mut response = refusal(
        AuthRole::Server,
        &[
            r#"Basic realm="one", Digest realm="one", nonce="1", qop="auth,auth-int", algorithm=SHA-256, Digest realm="one", nonce="1", Negotiate"#,
            r#"Bearer authz_server="https://example.com/a,b", scope="sip""#,
            r#"Digest realm="broken"#,
            r#"Digest realm="two", nonce="2""#,
        ],
    );
    response
        .headers
        .push_raw(HeaderName::PROXY_AUTHENTICATE, r#"Digest realm="one", nonce="3", qop="auth""#)
        .unwrap();
    let logins = alice().with("two", Login::new("trunk", "other"));
    let mut request = register();
    request.headers.push_raw(HeaderName::AUTHORIZATION, "Bearer abc, Digest username=\"alice\", realm=\"one\", nonce=\"0\", uri=\"sip:example.com\", response=\"0\", qop=auth, nc=00000007, cnonce=\"x\"").unwrap();
    let mut client = DigestClient::new();
    client.respond(&response, &mut request, &logins, &mut Rng::from_u64(1)).unwrap();
    let server = sent(&request, AuthRole::Server);
    let summary: Vec<_> = server
        .iter()
        .map(|c| (c.realm.as_str(), c.username.as_str(), c.nonce.as_str(), c.algorithm()))
        .collect();
    assert_eq!(summary, [("one", "alice", "1", Algorithm::Sha256), ("two", "trunk", "2", Algorithm::Md5)]);
    let proxy = sent(&request, AuthRole::Proxy);
    assert_eq!((proxy.len(), proxy[0].nonce.as_str()), (1, "3"));
    let lines: Vec<Vec<u8>> =
        request.headers.raw_all(&HeaderName::AUTHORIZATION).map(|line| line.to_vec()).collect();
    assert_eq!(lines.len(), 3, "one line each");
    assert_eq!(lines[0], b"Bearer abc", "what is not ours stays");
    let mut next = register();
    assert_eq!(client.attach(&mut next, &logins), 3);
    assert!(sent(&next, AuthRole::Server).iter().all(|sent| sent.nc.unwrap_or(2) == 2));
    assert_eq!(AuthRole::Server.remove_credentials(&mut next.headers, "one"), 1);
    assert_eq!(AuthRole::Server.remove_credentials(&mut next.headers, "one"), 0);
    assert_eq!(sent(&next, AuthRole::Server).len(), 1);
}

/// The realms and counts of a request's credentials.
fn counts(request: &Request) -> Vec<(String, Option<u32>)> {
    let of = |role| sent(request, role).into_iter().map(|sent| (sent.realm.to_string(), sent.nc));
    AuthRole::ALL.into_iter().flat_map(of).collect()
}

#[test]
fn each_request_has_the_next_count_of_each_nonce_that_it_uses() {
    let mut client = DigestClient::new();
    let mut rng = Rng::from_u64(1);
    let mut request = register();
    let logins = alice();
    let count = |realm: &str, count| (realm.to_owned(), Some(count));
    let mut challenge = |client: &mut DigestClient, request: &mut Request, role, realm: &str| {
        let line = format!(r#"Digest realm="{realm}", nonce="of {realm}", qop="auth""#);
        client.respond(&refusal(role, &[&line]), request, &logins, &mut rng).unwrap();
    };
    challenge(&mut client, &mut request, AuthRole::Proxy, "near");
    assert_eq!(counts(&request), [count("near", 1)]);
    // What the first proxy let through has served once.
    challenge(&mut client, &mut request, AuthRole::Proxy, "far");
    assert_eq!(counts(&request), [count("far", 1), count("near", 2)]);
    challenge(&mut client, &mut request, AuthRole::Server, "home");
    let mut seen = counts(&request);
    seen.sort();
    assert_eq!(seen, [count("far", 2), count("home", 1), count("near", 3)]);
    let responses = |request: &Request| {
        let of = |role| sent(request, role).into_iter().map(|sent| sent.response.to_string());
        AuthRole::ALL.into_iter().flat_map(of).collect::<std::collections::BTreeSet<_>>()
    };
    let before = responses(&request);
    // Once more to another server, whole.
    assert_eq!(client.renew(&mut request, &logins), 3);
    let mut seen = counts(&request);
    seen.sort();
    assert_eq!(seen, [count("far", 3), count("home", 2), count("near", 4)]);
    assert!(before.is_disjoint(&responses(&request)));
    // What we have no session of stays.
    let mut stranger = DigestClient::new();
    let as_it_was = request.to_bytes();
    assert_eq!(stranger.renew(&mut request, &logins), 0);
    assert_eq!(request.to_bytes(), as_it_was);
}

#[test]
fn the_topmost_challenge_that_can_be_answered_is_answered() {
    let choose = |config: DigestClientConfig, logins: &CredentialStore, lines: &[&str]| {
        let mut request = register();
        DigestClient::with_config(config)
            .respond(&refusal(AuthRole::Server, lines), &mut request, logins, &mut Rng::from_u64(1))
            .map(|()| sent(&request, AuthRole::Server).remove(0).algorithm())
    };
    const MD5: &str = r#"Digest realm="r", nonce="n", qop="auth""#;
    const SHA: &str = r#"Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256"#;
    const SHA512: &str = r#"Digest realm="r", nonce="n", qop="auth", algorithm=SHA-512-256"#;
    const NEW: &str = r#"Digest realm="r", nonce="n", qop="auth", algorithm=SHA3-512"#;
    const ODD: &str = r#"Digest realm="r", nonce="n", qop="auth-conf", algorithm=SHA-512-256"#;
    let usual = DigestClientConfig::default;
    assert_eq!(choose(usual(), &alice(), &[MD5, SHA]), Ok(Algorithm::Md5), "the server's order counts");
    assert_eq!(choose(usual(), &alice(), &[NEW, ODD, SHA512, SHA, MD5]), Ok(Algorithm::Sha512_256));
    assert_eq!(choose(usual(), &alice(), &[NEW, ODD]), Err(AuthError::Unsupported));
    let mut strict = usual();
    strict.minimum = DigestHash::Sha256;
    assert_eq!(choose(strict.clone(), &alice(), &[MD5, NEW, SHA]), Ok(Algorithm::Sha256));
    assert_eq!(choose(strict.clone(), &alice(), &[MD5, NEW]), Err(AuthError::TooWeak));
    strict.minimum = DigestHash::Sha512_256;
    assert_eq!(choose(strict, &alice(), &[MD5, SHA]), Err(AuthError::TooWeak));
    // A login that has only the hash of one function answers with that.
    let ha1 = Secret::from("secret").hashed("alice", "r");
    let md5 = Secret::from_ha1(DigestHash::Md5, ha1.ha1(DigestHash::Md5).unwrap()).unwrap();
    let stored = CredentialStore::new().with("r", Login::new("alice", md5));
    assert_eq!(choose(usual(), &stored, &[SHA512, SHA, MD5]), Ok(Algorithm::Md5));
    assert_eq!(choose(usual(), &stored, &[SHA512, SHA]), Err(AuthError::Unsupported));
    let other = CredentialStore::new().with("other", Login::new("alice", "secret"));
    assert_eq!(choose(usual(), &other, &[MD5]), Err(AuthError::NoLogin));
    assert_eq!(choose(usual(), &CredentialStore::new(), &[]), Err(AuthError::NoChallenge));
    assert!(CredentialStore::new().is_empty() && !other.is_empty() && !other.has_fallback());
}

#[test]
fn auth_int_is_chosen_when_asked_for_or_alone() {
    let choose = |prefer: bool, qop: &str| {
        let mut config = DigestClientConfig::default();
        config.prefer_auth_int = prefer;
        let line = format!(r#"Digest realm="r", nonce="n", qop="{qop}""#);
        let mut request = register();
        DigestClient::with_config(config)
            .respond(&refusal(AuthRole::Proxy, &[&line]), &mut request, &alice(), &mut Rng::from_u64(1))
            .unwrap();
        sent(&request, AuthRole::Proxy).remove(0).qop
    };
    assert_eq!(choose(false, "auth,auth-int"), Some(Qop::Auth));
    assert_eq!(choose(true, "auth , auth-int"), Some(Qop::AuthInt));
    assert_eq!(choose(false, "auth-int"), Some(Qop::AuthInt));
    assert_eq!(choose(true, "auth"), Some(Qop::Auth));
    assert_eq!(choose(true, ""), None);
}

#[test]
fn a_server_proves_itself_and_hands_out_the_next_nonce_in_time() {
    for role in AuthRole::ALL {
        for algorithm in [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512_256] {
            for qop in [Qop::Auth, Qop::AuthInt] {
                let mut pair = Pair::new(|config| {
                    config.algorithms = vec![algorithm.clone()];
                    config.qop = vec![qop];
                });
                pair.role = role;
                let mut config = DigestClientConfig::default();
                config.require_rspauth = true;
                pair.client = DigestClient::with_config(config);
                assert_eq!(pair.run(), Ok(1));
                // An hour of requests, each half a minute: never a challenge again.
                for _ in 0..120 {
                    pair.now += Duration::from_secs(30);
                    assert_eq!(pair.run(), Ok(0));
                }
                pair.now += Duration::from_secs(301);
                assert_eq!(pair.run(), Ok(1), "too long: the nonce is stale");
            }
        }
    }
}

#[test]
fn session_keys_are_kept_through_the_next_nonce_but_our_server_challenges_anew() {
    let mut pair = Pair::new(|config| config.algorithms = vec![Algorithm::Sha256Sess]);
    assert_eq!(pair.run(), Ok(1));
    pair.now += Duration::from_secs(290);
    assert_eq!(pair.run(), Ok(0), "no next nonce is given");
    pair.now += Duration::from_secs(11);
    assert_eq!(pair.run(), Ok(1));
    // A server that does give one: the session key stays that of the challenge (RFC 7616 §3.4.2).
    let line = r#"Digest realm="r", nonce="first", qop="auth", algorithm=MD5-sess"#;
    let (mut client, mut request) = (DigestClient::new(), register());
    client
        .respond(&refusal(AuthRole::Server, &[line]), &mut request, &alice(), &mut Rng::from_u64(1))
        .unwrap();
    let cnonce = sent(&request, AuthRole::Server)[0].cnonce.clone().unwrap();
    let mut ok = Response::new(StatusCode::OK);
    ok.headers.push(&AuthenticationInfo("nextnonce=\"second\"".parse().unwrap()));
    client.accept(&ok, &request, &alice()).unwrap();
    let mut next = register();
    assert_eq!(client.attach(&mut next, &alice()), 1);
    let answer = sent(&next, AuthRole::Server).remove(0);
    assert_eq!((answer.nonce.as_str(), answer.nc), ("second", Some(1)));
    let md5 = |text: String| {
        use md5::Digest as _;
        md5::Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let key = md5(format!("{}:first:{cnonce}", md5("alice:r:secret".into())));
    let a2 = md5("REGISTER:sip:example.com".into());
    assert_eq!(answer.response.as_str(), md5(format!("{key}:second:00000001:{cnonce}:auth:{a2}")));
}

#[test]
fn a_server_that_does_not_know_the_password_is_found_out() {
    let mut pair = Pair::new(|_| {});
    let mut request = register();
    let challenge = pair.challenge(false);
    pair.client.respond(&challenge, &mut request, &alice(), &mut pair.rng).unwrap();
    let credentials = sent(&request, AuthRole::Server).remove(0);
    let info = |secret: &str, pair: &mut Pair, body: &[u8]| {
        let secret = Secret::from(secret);
        let check = DigestCheck::new(&credentials, &request.method, b"", &secret);
        pair.server.info(pair.now, &check, body).unwrap()
    };
    let mut response = Response::new(StatusCode::OK);
    let mut wrong = info("guess", &mut pair, b"");
    wrong.nextnonce = Some("evil".into());
    AuthRole::Server.set_info(&mut response.headers, wrong);
    assert_eq!(pair.client.accept(&response, &request, &alice()), Err(AuthError::Unproven));
    let mut next = register();
    pair.client.attach(&mut next, &alice());
    assert_ne!(sent(&next, AuthRole::Server)[0].nonce, "evil", "its nonce is not taken");
    let right = info("secret", &mut pair, b"");
    AuthRole::Server.set_info(&mut response.headers, right);
    assert_eq!(pair.client.accept(&response, &request, &alice()), Ok(()));
    // No proof at all: only an error when it was asked for.
    let bare = Response::new(StatusCode::OK);
    assert_eq!(pair.client.accept(&bare, &request, &alice()), Ok(()));
    let mut config = DigestClientConfig::default();
    config.require_rspauth = true;
    pair.client = DigestClient::with_config(config);
    assert_eq!(pair.client.accept(&bare, &request, &alice()), Err(AuthError::Unproven));
    assert_eq!(pair.client.accept(&bare, &register(), &alice()), Ok(()), "nothing was asked of anyone");
    // A proxy's word is not the registrar's.
    let mut proxy = Response::new(StatusCode::OK);
    proxy.headers.push(&ProxyAuthenticationInfo(info("secret", &mut pair, b"")));
    assert_eq!(pair.client.accept(&proxy, &request, &alice()), Err(AuthError::Unproven));
}

#[test]
fn nonces_that_serve_so_often_are_replaced_before_they_are_refused() {
    for uses in [1, 2, 5] {
        let mut pair = Pair::new(|config| config.nonce_uses = uses);
        assert_eq!(pair.run(), Ok(1));
        for _ in 0..20 {
            assert_eq!(pair.run(), Ok(0), "{uses}");
        }
        // Without the next nonce, the old one is stale.
        let mut request = register();
        let challenge = pair.challenge(false);
        pair.client.respond(&challenge, &mut request, &alice(), &mut pair.rng).unwrap();
        let secret = Secret::from("secret");
        for count in 1..=uses + 2 {
            let credentials = sent(&request, AuthRole::Server).remove(0);
            let verdict = pair.server.verify(pair.now, &credentials, &request.method, b"", &secret);
            assert_eq!(verdict, if count <= uses { Ok(()) } else { Err(Rejection::Stale) });
            request = register();
            pair.client.attach(&mut request, &alice());
        }
    }
}

#[test]
fn a_nonce_may_be_bound_to_its_client_and_credentials_to_their_uri() {
    let mut pair = Pair::new(|_| {});
    let (mut request, secret) = (register(), Secret::from("secret"));
    let mut response = Response::new(StatusCode::UNAUTHORIZED);
    for challenge in pair.server.challenges_bound(pair.now, false, b"192.0.2.4") {
        AuthRole::Server.push_challenge(&mut response.headers, challenge);
    }
    pair.client.respond(&response, &mut request, &alice(), &mut pair.rng).unwrap();
    let credentials = sent(&request, AuthRole::Server).remove(0);
    let check = DigestCheck::new(&credentials, &request.method, b"", &secret);
    let mut verdict = |check: &DigestCheck<'_>| pair.server.check(pair.now, check);
    assert_eq!(verdict(&check), Err(Rejection::Stale));
    assert_eq!(verdict(&check.with_binding(b"192.0.2.5")), Err(Rejection::Stale));
    let other = "sip:other.example".parse().unwrap();
    assert_eq!(verdict(&check.with_binding(b"192.0.2.4").with_uri(&other)), Err(Rejection::WrongUri));
    let same = "SIP:EXAMPLE.com".parse().unwrap();
    assert_eq!(verdict(&check.with_binding(b"192.0.2.4").with_uri(&same)), Ok(()));
    let info = pair.server.info(pair.now, &check.with_binding(b"192.0.2.4"), b"").unwrap();
    assert_eq!(info.nextnonce, None);
}

#[test]
fn names_are_hashed_or_written_in_the_extended_form_where_the_server_knows_them() {
    let name = "Jäsøn \"Doe\"";
    for (line, userhash, extended) in [
        (r#"Digest realm="r", nonce="n", qop="auth", userhash=true, charset=UTF-8"#, true, false),
        (r#"Digest realm="r", nonce="n", qop="auth", charset="utf-8""#, false, true),
        (r#"Digest realm="r", nonce="n", qop="auth", charset=latin1"#, false, false),
    ] {
        let (mut request, logins) = (register(), CredentialStore::from(Login::new(name, "secret")));
        DigestClient::new()
            .respond(&refusal(AuthRole::Server, &[line]), &mut request, &logins, &mut Rng::from_u64(1))
            .unwrap();
        let answer = sent(&request, AuthRole::Server).remove(0);
        assert_eq!((answer.userhash, answer.extended), (userhash, extended));
        assert!(answer.is_from(name));
        let mut server = DigestServer::new("r", &mut Rng::from_u64(1));
        let secret = Secret::from("secret");
        let check = DigestCheck::new(&answer, &request.method, b"", &secret).with_user(name);
        assert_eq!(server.check(Instant::ZERO, &check), Err(Rejection::Stale), "right but for the nonce");
    }
    // A plain name stays plain even where both are known.
    let mut pair = Pair::new(|config| config.utf8 = true);
    assert_eq!(pair.run(), Ok(1));
    let mut pair = Pair::new(|config| config.userhash = true);
    assert_eq!(pair.run(), Ok(1));
    for bad in [
        "username=\"a\", username*=UTF-8''a",
        "username*=UTF-8''a, userhash=true",
        "username*=UTF-8''%0A",
        "username*=UTF-16''a",
    ] {
        let text = format!("Digest {bad}, realm=\"r\", nonce=\"n\", uri=\"x\", response=\"0\"");
        assert!(text.parse::<Credentials>().is_err(), "{bad}");
    }
}

/// A card whose answers are known: RES is RAND's first half; AUTN says what becomes of it.
#[derive(Debug, Default)]
struct Card {
    asked: AtomicU32,
}

impl Usim for Card {
    fn authenticate(&self, rand: &[u8; 16], autn: &[u8; 16]) -> Result<AkaAnswer, AkaFailure> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match autn[0] {
            0 => Ok(AkaAnswer::new(&rand[..8], [0x40; 16], [0x20; 16])),
            1 => Err(AkaFailure::Synchronization([0xA5; 14])),
            _ => Err(AkaFailure::Mac),
        }
    }
}

/// `base64(RAND || AUTN || data)`: RAND is 01 to 10, AUTN begins with the card's cue.
fn aka_challenge(cue: u8, algorithm: &str) -> String {
    let mut nonce: Vec<u8> = (1..=16).collect();
    nonce.push(cue);
    nonce.extend([9; 15]);
    nonce.extend(b"server data");
    use base64::Engine as _;
    let nonce = base64::engine::general_purpose::STANDARD.encode(nonce);
    format!(r#"Digest realm="ims", nonce="{nonce}", algorithm={algorithm}, qop="auth""#)
}

#[test]
fn a_usim_answers_aka_challenges() {
    let card = Arc::new(Card::default());
    let logins = CredentialStore::from(Login::usim("001010000000001@ims", card.clone()));
    let (mut client, mut rng) = (DigestClient::new(), Rng::from_u64(1));
    let method = Method::REGISTER;
    // The password of version 2 is checked against Python's in `auth::aka`.
    let version2 = Secret::from("5/yqDEaqNeqjtg41pJGnrg==");
    for (algorithm, password) in
        [("AKAv1-MD5", Secret::from_bytes([1, 2, 3, 4, 5, 6, 7, 8])), ("AKAv2-MD5", version2)]
    {
        let mut request = register();
        let response = refusal(AuthRole::Server, &[&aka_challenge(0, algorithm)]);
        client.respond(&response, &mut request, &logins, &mut rng).unwrap();
        let before = card.asked.load(Ordering::Relaxed);
        let mut next = register();
        assert_eq!(client.attach(&mut next, &logins), 1);
        assert_eq!(card.asked.load(Ordering::Relaxed), before, "a card answers a nonce once");
        for (request, count) in [(&request, 1), (&next, 2)] {
            let answer = sent(request, AuthRole::Server).remove(0);
            assert_eq!((answer.nc, answer.algorithm().as_str()), (Some(count), algorithm));
            let mut config = DigestConfig::default();
            config.algorithms = vec![Algorithm::AkaV1Md5, Algorithm::AkaV2Md5];
            let mut server = DigestServer::with_config("ims", config, &mut Rng::from_u64(1));
            let verdict = server.verify(Instant::ZERO, &answer, &method, b"", &password);
            assert_eq!(verdict, Err(Rejection::Stale), "right but for the nonce, which is not this server's");
        }
    }
    // A minimum is for passwords that stay; a login without card, or a card without AKA, answers nothing.
    let mut strict = DigestClientConfig::default();
    strict.minimum = DigestHash::Sha256;
    let try_with = |logins: &CredentialStore, line: &str, config: &DigestClientConfig| {
        let response = refusal(AuthRole::Server, &[line]);
        let mut request = register();
        DigestClient::with_config(config.clone()).respond(
            &response,
            &mut request,
            logins,
            &mut Rng::from_u64(1),
        )
    };
    assert_eq!(try_with(&logins, &aka_challenge(0, "AKAv1-MD5"), &strict), Ok(()));
    assert_eq!(try_with(&alice(), &aka_challenge(0, "AKAv1-MD5"), &strict), Err(AuthError::Unsupported));
    assert_eq!(try_with(&logins, r#"Digest realm="ims", nonce="n""#, &strict), Err(AuthError::Unsupported));
    let short = r#"Digest realm="ims", nonce="AAAA", algorithm=AKAv1-MD5"#;
    assert_eq!(try_with(&logins, short, &strict), Err(AuthError::Unsupported));
    assert_eq!(try_with(&logins, &aka_challenge(2, "AKAv1-MD5"), &strict), Err(AuthError::Network));
}

#[test]
fn a_usim_out_of_step_asks_to_synchronise_once() {
    let logins = CredentialStore::from(Login::usim("001010000000001@ims", Arc::new(Card::default())));
    let (mut client, mut rng, mut request) = (DigestClient::new(), Rng::from_u64(1), register());
    let out_of_step = refusal(AuthRole::Server, &[&aka_challenge(1, "AKAv1-MD5")]);
    client.respond(&out_of_step, &mut request, &logins, &mut rng).unwrap();
    let answer = sent(&request, AuthRole::Server).remove(0);
    assert_eq!(answer.auts.as_deref(), Some("paWlpaWlpaWlpaWlpaU="), "14 bytes in base64");
    let mut config = DigestConfig::default();
    config.algorithms = vec![Algorithm::AkaV1Md5];
    let mut server = DigestServer::with_config("ims", config, &mut Rng::from_u64(1));
    let verdict = server.verify(Instant::ZERO, &answer, &Method::REGISTER, b"", &Secret::default());
    assert_eq!(verdict, Err(Rejection::Stale), "the password is empty (RFC 3310 §3.4)");
    // The network synchronised: another challenge, which is no refusal.
    let mut again = request.clone();
    let in_step = refusal(AuthRole::Server, &[&aka_challenge(0, "AKAv1-MD5")]);
    client.respond(&in_step, &mut again, &logins, &mut rng).unwrap();
    assert_eq!(sent(&again, AuthRole::Server)[0].auts, None);
    // It did not: no end of asking.
    let mut other = aka_challenge(1, "AKAv1-MD5");
    other = other.replace("nonce=\"AQ", "nonce=\"BQ");
    let still = refusal(AuthRole::Server, &[&other]);
    assert_eq!(client.respond(&still, &mut request, &logins, &mut rng), Err(AuthError::Refused));
}

#[test]
fn secrets_never_show() {
    let store = alice().with("r", Login::usim("imsi", Arc::new(Card::default())));
    let mut client = DigestClient::new();
    let mut request = register();
    let challenge: Challenge = r#"Digest realm="x", nonce="n", qop="auth""#.parse().unwrap();
    let mut response = Response::new(StatusCode::UNAUTHORIZED);
    AuthRole::Server.push_challenge(&mut response.headers, challenge);
    client.respond(&response, &mut request, &store, &mut Rng::from_u64(1)).unwrap();
    let response_digest = sent(&request, AuthRole::Server)[0].response.clone();
    for shown in [format!("{store:?}"), format!("{client:?}"), format!("{:?}", request.headers)] {
        assert!(!shown.contains("secret") && !shown.contains(response_digest.as_str()), "{shown}");
    }
}
