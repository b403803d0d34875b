//! Properties of digest authentication: what is written is read back, every client is understood by every server,
//! and nothing that is changed is.

use proptest::prelude::*;
use sidetone_sip_core::{
    Algorithm, AuthInfo, AuthRole, Challenge, CredentialStore, Credentials, DigestCheck, DigestClient,
    DigestClientConfig, DigestConfig, DigestServer, Instant, Login, Method, Qop, Rejection, Request,
    Response, Rng, Secret, StatusCode, Text,
};

fn text() -> impl Strategy<Value = Text> {
    prop_oneof!["[ -~]{0,24}", "\\PC{0,12}", any::<String>()].prop_map(Text::from)
}

fn algorithm() -> impl Strategy<Value = Option<Algorithm>> {
    let known = (0..Algorithm::KNOWN.len()).prop_map(|at| Some(Algorithm::KNOWN[at].clone()));
    prop_oneof![Just(None), known, text().prop_map(|name| Some(Algorithm::from(name)))]
}

fn qop() -> impl Strategy<Value = Qop> {
    prop_oneof![
        Just(Qop::Auth),
        Just(Qop::AuthInt),
        "[a-z-]{1,9}".prop_map(|name| Qop::from(Text::from(name)))
    ]
}

prop_compose! {
    fn challenge()(
        (realm, nonce, opaque, domain) in (text(), text(), proptest::option::of(text()), proptest::option::of(text())),
        algorithm in algorithm(),
        qop in proptest::collection::vec(qop(), 0..4),
        (stale, userhash, utf8) in any::<(bool, bool, bool)>(),
    ) -> Challenge {
        let mut challenge = Challenge::new(realm, nonce);
        (challenge.opaque, challenge.domain, challenge.algorithm, challenge.qop) = (opaque, domain, algorithm, qop);
        (challenge.stale, challenge.userhash, challenge.utf8) = (stale, userhash, utf8);
        challenge
    }
}

prop_compose! {
    fn credentials()(
        (username, realm, nonce, uri, response) in (text(), text(), text(), text(), text()),
        (algorithm, qop) in (algorithm(), proptest::option::of(qop())),
        (cnonce, opaque, auts) in (proptest::option::of(text()), proptest::option::of(text()), proptest::option::of(text())),
        nc in any::<Option<u32>>(),
        form in 0..3,
    ) -> Credentials {
        Credentials {
            username, realm, nonce, uri, response, algorithm, cnonce, nc, qop, opaque,
            userhash: form == 1, extended: form == 2, auts,
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(challenge in challenge(), credentials in credentials()) {
        prop_assert_eq!(challenge.to_string().parse::<Challenge>(), Ok(challenge));
        prop_assert_eq!(credentials.to_string().parse::<Credentials>(), Ok(credentials));
    }

    #[test]
    fn several_in_one_line_come_apart(challenges in proptest::collection::vec(challenge(), 1..5)) {
        let line = challenges.iter().map(Challenge::to_string).collect::<Vec<_>>().join(", ");
        let mut response = Response::new(StatusCode::UNAUTHORIZED);
        response.headers.push_raw("WWW-Authenticate".parse().unwrap(), &line).unwrap();
        let read: Result<Vec<Challenge>, _> = AuthRole::Server.challenges(&response.headers).collect();
        prop_assert_eq!(read, Ok(challenges));
    }

    #[test]
    fn anything_is_read_or_refused(value in "(Digest )?([a-z*]{1,9}=\"?[ -~]{0,9}\"?,? ?){0,6}") {
        for fixed in [
            value.parse::<Challenge>().map(|value| value.to_string()),
            value.parse::<Credentials>().map(|value| value.to_string()),
            value.parse::<AuthInfo>().map(|value| value.to_string()),
        ].into_iter().flatten() {
            let again = fixed.parse::<Challenge>().map(|value| value.to_string())
                .or_else(|_| fixed.parse::<Credentials>().map(|value| value.to_string()))
                .or_else(|_| fixed.parse::<AuthInfo>().map(|value| value.to_string()));
            prop_assert_eq!(again, Ok(fixed));
        }
    }

    /// Every name, password, realm and body, with every algorithm and quality; and one changed thing is refused.
    #[test]
    fn every_client_is_understood(
        (user, password, realm) in (text(), any::<String>(), text()),
        body in proptest::collection::vec(any::<u8>(), 0..40),
        which in 0..6_usize,
        (with_int, userhash, utf8, stored, prefer) in any::<(bool, bool, bool, bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let mut rng = Rng::from_u64(seed);
        let mut config = DigestConfig::default();
        config.algorithms = vec![Algorithm::KNOWN[which].clone()];
        config.qop = if with_int { vec![Qop::Auth, Qop::AuthInt] } else { vec![] };
        (config.userhash, config.utf8) = (userhash, utf8);
        let mut server = DigestServer::with_config(realm.clone(), config, &mut rng);
        let mut client_config = DigestClientConfig::default();
        client_config.prefer_auth_int = prefer;
        let mut client = DigestClient::with_config(client_config);
        let logins = CredentialStore::from(Login::new(user.clone(), password.clone()));
        let mut response = Response::new(StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        for challenge in server.challenges(Instant::ZERO, false) {
            AuthRole::Proxy.push_challenge(&mut response.headers, challenge);
        }
        let mut request = Request::new(Method::INVITE, "sip:bob@biloxi.com".parse().unwrap());
        request.body = body.into();
        client.respond(&response, &mut request, &logins, &mut rng).unwrap();
        let credentials = server.find(AuthRole::Proxy, &request.headers).unwrap();
        let mut secret = Secret::from(password);
        if stored {
            secret = secret.hashed(&user, &realm);
        }
        let check = DigestCheck::new(&credentials, &request.method, &request.body, &secret).with_user(&user);
        let wrong = Secret::from("not the password, by its length and otherwise");
        let guess = DigestCheck::new(&credentials, &request.method, &request.body, &wrong).with_user(&user);
        prop_assert_eq!(server.check(Instant::ZERO, &guess), Err(Rejection::BadResponse));
        let other = DigestCheck::new(&credentials, &Method::BYE, &request.body, &secret).with_user(&user);
        prop_assert_eq!(server.check(Instant::ZERO, &other), Err(Rejection::BadResponse));
        prop_assert_eq!(server.check(Instant::ZERO, &check), Ok(()));
        prop_assert_eq!(server.check(Instant::ZERO, &check), Err(Rejection::Replay));
        let mut ok = Response::new(StatusCode::OK);
        if let Some(info) = server.info(Instant::ZERO, &check, b"") {
            AuthRole::Proxy.set_info(&mut ok.headers, info);
            prop_assert_eq!(client.accept(&ok, &request, &logins), Ok(()));
        } else {
            prop_assert!(credentials.qop.is_none());
        }
    }
}
