//! Digest authentication: client against server, and what a server must refuse. (Published examples: `auth_vectors.rs`.)

use core::time::Duration;
use sidetone_sip_core::header::{
    Authorization, CSeq, ProxyAuthenticate, ProxyAuthorization, WwwAuthenticate,
};
use sidetone_sip_core::{
    Algorithm, AuthError, Challenge, CredentialStore, Credentials, DigestClient, DigestConfig, DigestServer,
    Instant, Login, Method, Qop, Rejection, Request, Response, Rng, Secret, StatusCode,
};

fn alice() -> CredentialStore {
    Login::new("alice", "secret").into()
}

struct Peer {
    client: DigestClient,
    server: DigestServer,
    rng: Rng,
    now: Instant,
}

impl Peer {
    fn new(config: DigestConfig) -> Self {
        let mut rng = Rng::from_u64(7);
        Self {
            client: DigestClient::new(),
            server: DigestServer::with_config("example.com", config, &mut rng),
            rng,
            now: Instant::from_millis(1000),
        }
    }

    fn register() -> Request {
        let mut request = Request::new(Method::REGISTER, "sip:example.com".parse().unwrap());
        request.headers.push(&CSeq::new(1, Method::REGISTER));
        request
    }

    /// What the server says to the request's credentials.
    fn check(&mut self, request: &Request, password: &str) -> Result<(), Rejection> {
        let credentials = request.headers.require::<Authorization>().unwrap();
        self.server.verify(self.now, &credentials, &request.method, &request.body, &password.into())
    }

    fn challenge(&mut self, stale: bool) -> Response {
        let mut response = Response::new(StatusCode::UNAUTHORIZED);
        for challenge in self.server.challenges(self.now, stale) {
            response.headers.push(&WwwAuthenticate(challenge));
        }
        response
    }

    fn respond(&mut self, response: &Response, request: &mut Request) -> Result<(), AuthError> {
        self.client.respond(response, request, &alice(), &mut self.rng)
    }
}

#[test]
fn every_algorithm_and_quality_is_accepted_by_our_server() {
    for algorithm in Algorithm::KNOWN.into_iter().filter(|algorithm| !algorithm.is_aka()) {
        for qop in [vec![], vec![Qop::Auth], vec![Qop::AuthInt], vec![Qop::AuthInt, Qop::Auth]] {
            let mut config = DigestConfig::default();
            config.algorithms = vec![algorithm.clone()];
            config.qop = qop.clone();
            let mut peer = Peer::new(config);
            let mut request = Peer::register();
            request.body = "v=0".into();
            let challenge = peer.challenge(false);
            peer.respond(&challenge, &mut request).unwrap();
            // Over the wire and back.
            let text = request.headers.raw(&sidetone_sip_core::HeaderName::AUTHORIZATION).unwrap();
            let text = bytes::Bytes::copy_from_slice(text);
            let credentials = Credentials::parse(&text).unwrap();
            assert_eq!(credentials.algorithm(), algorithm);
            assert_eq!(peer.check(&request, "secret"), Ok(()), "{algorithm} {qop:?}");
            assert_eq!(peer.check(&request, "secret"), Err(Rejection::Replay), "{algorithm} {qop:?}");
            assert_eq!(peer.check(&request, "Secret"), Err(Rejection::BadResponse));
            request.body = "v=1".into();
            if credentials.qop == Some(Qop::AuthInt) {
                assert_eq!(
                    peer.check(&request, "secret"),
                    Err(Rejection::BadResponse),
                    "the body is covered"
                );
            }
        }
    }
}

#[test]
fn the_topmost_algorithm_answers_and_the_nonce_is_used_again() {
    let mut peer = Peer::new(DigestConfig::default());
    let mut request = Peer::register();
    let challenge = peer.challenge(false);
    assert_eq!(challenge.headers.count::<WwwAuthenticate>(), 2);
    peer.respond(&challenge, &mut request).unwrap();
    let first = request.headers.require::<Authorization>().unwrap();
    assert_eq!((first.algorithm(), first.nc), (Algorithm::Sha256, Some(1)));
    assert_eq!(peer.check(&request, "secret"), Ok(()));
    for count in 2..10 {
        let mut next = Peer::register();
        assert_eq!(peer.client.attach(&mut next, &alice()), 1);
        assert_eq!(next.headers.require::<Authorization>().unwrap().nc, Some(count));
        assert_eq!(peer.check(&next, "secret"), Ok(()));
    }
}

#[test]
fn an_old_nonce_is_stale_and_answered_anew() {
    let mut peer = Peer::new(DigestConfig::default());
    let mut request = Peer::register();
    let challenge = peer.challenge(false);
    peer.respond(&challenge, &mut request).unwrap();
    peer.now += Duration::from_secs(301);
    assert_eq!(peer.check(&request, "secret"), Err(Rejection::Stale));
    assert_eq!(
        peer.check(&request, "guess"),
        Err(Rejection::BadResponse),
        "a wrong password is told nothing of nonces"
    );
    let challenge = peer.challenge(true);
    peer.respond(&challenge, &mut request).unwrap();
    assert_eq!(request.headers.count::<Authorization>(), 1);
    assert_eq!(peer.check(&request, "secret"), Ok(()));
}

#[test]
fn refusal_is_told_from_staleness() {
    let mut peer = Peer::new(DigestConfig::default());
    let mut request = Peer::register();
    let challenge = peer.challenge(false);
    peer.respond(&challenge, &mut request).unwrap();
    assert_eq!(peer.respond(&challenge, &mut request), Err(AuthError::Refused), "the same nonce again");
    assert_eq!(peer.client.attach(&mut Peer::register(), &alice()), 0, "forgotten");
    assert_eq!(
        peer.respond(&Response::new(StatusCode::UNAUTHORIZED), &mut request),
        Err(AuthError::NoChallenge)
    );
    let mut odd = Response::new(StatusCode::UNAUTHORIZED);
    let mut challenge = Challenge::new("example.com", "1");
    challenge.algorithm = Some(Algorithm::Other("SHA3-256".into()));
    odd.headers.push(&WwwAuthenticate(challenge.clone()));
    assert_eq!(peer.respond(&odd, &mut Peer::register()), Err(AuthError::Unsupported));
    challenge.algorithm = None;
    challenge.qop = vec![Qop::Other("auth-x".into())];
    odd.headers.set(&WwwAuthenticate(challenge));
    assert_eq!(peer.respond(&odd, &mut Peer::register()), Err(AuthError::Unsupported));
}

#[test]
fn a_server_that_never_says_stale_is_tried_once_more() {
    let mut peer = Peer::new(DigestConfig::default());
    let mut request = Peer::register();
    let (first, second, third) = (peer.challenge(false), peer.challenge(false), peer.challenge(false));
    peer.respond(&first, &mut request).unwrap();
    // A new nonce was refused: a newer one does not help.
    assert_eq!(peer.respond(&second, &mut request.clone()), Err(AuthError::Refused));
    peer.respond(&first, &mut Peer::register()).unwrap();
    let mut later = Peer::register();
    assert_eq!(peer.client.attach(&mut later, &alice()), 1);
    assert_eq!(peer.respond(&second, &mut later), Ok(()), "the nonce may have grown old");
    assert_eq!(peer.respond(&third, &mut later), Err(AuthError::Refused));
}

#[test]
fn proxies_and_servers_are_answered_side_by_side() {
    let mut peer = Peer::new(DigestConfig::default());
    let mut request = Peer::register();
    let mut response = Response::new(StatusCode::PROXY_AUTHENTICATION_REQUIRED);
    for realm in ["one", "two"] {
        response.headers.push(&ProxyAuthenticate(Challenge::new(realm, "n")));
    }
    peer.respond(&response, &mut request).unwrap();
    let challenge = peer.challenge(false);
    peer.respond(&challenge, &mut request).unwrap();
    assert_eq!(request.headers.count::<ProxyAuthorization>(), 2);
    assert_eq!(request.headers.count::<Authorization>(), 1);
    let mut next = Peer::register();
    assert_eq!(peer.client.attach(&mut next, &alice()), 3);
    // Without qop there is no count (RFC 2069).
    let plain = next.headers.require::<ProxyAuthorization>().unwrap();
    assert_eq!((plain.nc, &plain.cnonce, &plain.qop), (None, &None, &None));
}

#[test]
fn the_server_refuses_what_it_did_not_offer() {
    let mut peer = Peer::new(DigestConfig::default());
    let mut request = Peer::register();
    let challenge = peer.challenge(false);
    peer.respond(&challenge, &mut request).unwrap();
    let good = request.headers.require::<Authorization>().unwrap().0;
    let secret = Secret::from("secret");
    let mut verify = |change: fn(&mut Credentials)| {
        let mut changed = good.clone();
        change(&mut changed);
        peer.server.verify(peer.now, &changed, &Method::REGISTER, b"", &secret)
    };
    assert_eq!(verify(|c| c.realm = "other".into()), Err(Rejection::WrongRealm));
    assert_eq!(verify(|c| c.algorithm = Some(Algorithm::Md5Sess)), Err(Rejection::Unsupported));
    assert_eq!(verify(|c| c.qop = Some(Qop::AuthInt)), Err(Rejection::Unsupported));
    assert_eq!(verify(|c| c.nc = None), Err(Rejection::Unsupported));
    assert_eq!(verify(|c| c.nc = Some(2)), Err(Rejection::BadResponse));
    assert_eq!(verify(|c| c.nonce = "0000".into()), Err(Rejection::BadResponse));
    assert_eq!(verify(|c| c.uri = "sip:other".into()), Err(Rejection::BadResponse));
    assert_eq!(verify(|c| c.response = "".into()), Err(Rejection::BadResponse));
    assert_eq!(verify(|c| c.response = c.response.to_uppercase().into()), Ok(()));
}

#[test]
fn memory_stays_bounded_and_forgotten_nonces_are_stale() {
    let mut config = DigestConfig::default();
    config.nonces = 8;
    let mut peer = Peer::new(config);
    let mut first = Peer::register();
    let challenge = peer.challenge(false);
    peer.respond(&challenge, &mut first).unwrap();
    assert_eq!(peer.check(&first, "secret"), Ok(()));
    for _ in 0..8 {
        let mut request = Peer::register();
        let challenge = peer.challenge(false);
        peer.respond(&challenge, &mut request).unwrap();
        assert_eq!(peer.check(&request, "secret"), Ok(()));
    }
    assert_eq!(peer.check(&first, "secret"), Err(Rejection::Stale), "its uses are not counted any more");
}

#[test]
fn values_with_quotes_and_odd_spacing_survive() {
    let challenge: Challenge =
        "dIgEsT  realm = \"a \\\"b\\\", c\" ,\tnonce=\"n\",stale=TRUE , qop=\"auth-int , auth\", algorithm=\"sha-256\", new=x"
            .parse()
            .unwrap();
    assert_eq!((&*challenge.realm, challenge.stale), ("a \"b\", c", true));
    assert_eq!(challenge.qop, [Qop::AuthInt, Qop::Auth]);
    assert_eq!(challenge.algorithm(), Algorithm::Sha256);
    assert_eq!(challenge.to_string().parse(), Ok(challenge));
    for bad in [
        "",
        "Digest",
        "Digest ",
        "Basic x",
        "Digest realm=\"a\"",
        "Digest nonce=\"a\"",
        "Digest realm=\"a, nonce=\"b\"",
        "Digest realm=\"a\" nonce=\"b\"",
        "Digest realm=\"a\", nonce=\"b\",",
        "Digest realm=\"a\", realm=\"b\", nonce=\"c\"",
    ] {
        assert!(bad.parse::<Challenge>().is_err(), "{bad}");
    }
    for bad in ["nc=1", "nc=0000000g", "nc=00000001, nc=00000001", "uri=\"y\""] {
        let text =
            format!("Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"x\", response=\"0\", {bad}");
        assert!(text.parse::<Credentials>().is_err(), "{bad}");
    }
}
