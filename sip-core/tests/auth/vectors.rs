//! Published examples of digests, and a table of every algorithm with every quality of protection.

use sidetone_sip_core::auth::user_hash;
use sidetone_sip_core::{
    Algorithm, AuthInfo, Challenge, Credentials, DigestCheck, DigestConfig, DigestHash, DigestServer,
    Instant, Qop, Rejection, Rng, Secret,
};

/// A server that takes whatever we can compute.
fn server(realm: &str) -> DigestServer {
    let mut config = DigestConfig::default();
    config.algorithms = Algorithm::KNOWN.to_vec();
    config.qop = vec![Qop::Auth, Qop::AuthInt];
    DigestServer::with_config(realm, config, &mut Rng::from_u64(1))
}

/// The credentials of an example are right when a server says that only the nonce is not its own; with the
/// password, and with what is stored of it.
#[track_caller]
fn right(credentials: &str, method: &str, body: &[u8], user: &str, password: &str) {
    let credentials: Credentials = credentials.parse().unwrap();
    let mut server = server(&credentials.realm);
    let method = method.parse().unwrap();
    let mut verdict = |secret: &Secret| {
        server.check(Instant::ZERO, &DigestCheck::new(&credentials, &method, body, secret).with_user(user))
    };
    let secret = Secret::from(password);
    assert_eq!(verdict(&secret), Err(Rejection::Stale));
    assert_eq!(verdict(&secret.hashed(user, &credentials.realm)), Err(Rejection::Stale));
    assert_eq!(verdict(&"wrong".into()), Err(Rejection::BadResponse));
    assert_eq!(verdict(&secret.hashed(user, "other.realm")), Err(Rejection::BadResponse));
    assert!(credentials.is_from(user) && !credentials.is_from("someone else"));
    assert_eq!(credentials.to_string().parse(), Ok(credentials));
}

#[test]
fn rfc_7616_section_3_9_1() {
    let with = |algorithm: &str, response: &str| {
        format!(
            "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
             algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
             cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, response=\"{response}\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        )
    };
    right(&with("MD5", "8ca523f5e9506fed4657c9700eebdbec"), "GET", b"", "Mufasa", "Circle of Life");
    let sha = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
    right(&with("SHA-256", sha), "GET", b"", "Mufasa", "Circle of Life");
}

/// §3.9.2 has digests that SHA-512 cut to 256 bits gives, not SHA-512/256; these are those of erratum 4897.
#[test]
fn rfc_7616_section_3_9_2_with_userhash() {
    let challenge: Challenge = "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, \
        nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", \
        opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", charset=UTF-8, userhash=true"
        .parse()
        .unwrap();
    assert!(challenge.utf8 && challenge.userhash);
    assert_eq!(challenge.algorithm(), Algorithm::Sha512_256);
    assert_eq!(challenge.to_string().parse(), Ok(challenge));
    const USER: &str = "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b";
    assert_eq!(user_hash(&Algorithm::Sha512_256, "Jäsøn Doe", "api@example.org").as_deref(), Some(USER));
    let with = |user: &str| {
        format!(
            "Digest {user}, realm=\"api@example.org\", uri=\"/doe.json\", algorithm=SHA-512-256, \
             nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", nc=00000001, \
             cnonce=\"NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v\", qop=auth, \
             response=\"3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5\", \
             opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\""
        )
    };
    let hashed = with(&format!("userhash=true, username=\"{USER}\""));
    let extended = with("userhash=false, username*=UTF-8''J%C3%A4s%C3%B8n%20Doe");
    for text in [&hashed, &extended] {
        right(text, "GET", b"", "Jäsøn Doe", "Secret, or not?");
    }
    let extended: Credentials = extended.parse().unwrap();
    assert!(extended.extended && extended.username == "Jäsøn Doe");
    assert!(extended.to_string().starts_with("Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, "));
    // Without the user's name, a password cannot be hashed with it; a stored hash has it in it.
    let hashed: Credentials = hashed.parse().unwrap();
    let mut server = server("api@example.org");
    let (get, secret) = ("GET".parse().unwrap(), Secret::from("Secret, or not?"));
    assert_eq!(server.verify(Instant::ZERO, &hashed, &get, b"", &secret), Err(Rejection::Unsupported));
    let stored = secret.hashed("Jäsøn Doe", "api@example.org");
    assert_eq!(server.verify(Instant::ZERO, &hashed, &get, b"", &stored), Err(Rejection::Stale));
}

#[test]
fn rfc_2617_section_3_5() {
    right(
        "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
         uri=\"/dir/index.html\", qop=auth, nc=00000001, cnonce=\"0a4f113b\", \
         response=\"6629fae49393a05397450978507c4ef1\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
        "GET",
        b"",
        "Mufasa",
        "Circle Of Life",
    );
}

/// draft-smith-sipping-auth-examples-01, which most SIP stacks test themselves with.
#[test]
fn the_sip_examples_of_the_draft() {
    for (rest, response) in [
        ("", "bf57e4e0d0bffc0fbaedce64d59add5e"),
        (", nc=00000001, cnonce=\"0a4f113b\", qop=auth", "89eb0059246c02b2f6ee02c7961d5ea3"),
        (
            ", nc=00000001, cnonce=\"0a4f113b\", qop=auth, algorithm=MD5-sess",
            "e4e4ea61d186d07a92c9e1f6919902e9",
        ),
    ] {
        let text = format!(
            "Digest username=\"bob\", realm=\"biloxi.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
             uri=\"sip:bob@biloxi.com\", response=\"{response}\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"{rest}"
        );
        right(&text, "INVITE", b"", "bob", "zanzibar");
    }
}

/// The digests of RFC 3665 are made up; its headers are read (§2.1, §3.3).
#[test]
fn the_headers_of_rfc_3665() {
    let challenge: Challenge = "Digest realm=\"atlanta.example.com\", qop=\"auth\", \
        nonce=\"ea9c8e88df84f1cec4341ae6cbe5a359\", opaque=\"\", stale=FALSE, algorithm=MD5"
        .parse()
        .unwrap();
    assert_eq!((challenge.opaque.as_deref(), challenge.stale), (Some(""), false));
    let credentials: Credentials = "Digest username=\"bob\", realm=\"atlanta.example.com\", \
        nonce=\"ea9c8e88df84f1cec4341ae6cbe5a359\", opaque=\"\", uri=\"sips:ss2.biloxi.example.com\", \
        response=\"dfe56131d1958046689d83306477ecc\""
        .parse()
        .unwrap();
    let mut server = server("atlanta.example.com");
    let verdict = server.verify(
        Instant::ZERO,
        &credentials,
        &"REGISTER".parse().unwrap(),
        b"",
        &Secret::from("anything"),
    );
    assert_eq!(verdict, Err(Rejection::BadResponse), "31 digits are no MD5");
}

/// The headers of RFC 8760 §2.1's grammar: one challenge for each algorithm.
#[test]
fn every_algorithm_is_read_by_its_name_in_any_case() {
    for known in Algorithm::KNOWN {
        for name in [known.as_str().to_ascii_lowercase(), known.as_str().to_ascii_uppercase()] {
            let text = format!("Digest realm=\"r\", nonce=\"n\", algorithm={name}");
            let challenge: Challenge = text.parse().unwrap();
            assert_eq!(challenge.algorithm, Some(known.clone()));
            assert!(challenge.to_string().ends_with(known.as_str()));
        }
    }
    let other: Challenge = "Digest realm=\"r\", nonce=\"n\", algorithm=\"SHA-512\"".parse().unwrap();
    assert_eq!((other.algorithm().hash(), other.algorithm().as_str()), (None, "SHA-512"));
}

/// Made with Python's `hashlib` after RFC 7616 §3.4.2, §3.4.3 and §3.5: the client's digest over the body
/// `v=0\r\n`, and the server's over an empty one.
const VECTORS: [(&str, &str, &str, &str); 18] = [
    ("MD5", "", "72752b6ba97db2dae85bf526adfa0680", "373c4934ced0b3ed3a0bf9cc03fa3ae4"),
    ("MD5", "auth", "f804e5cfbc5d9296eb842f80f899c129", "b0cb79b4a4f341435a9e5a78b9c698fa"),
    ("MD5", "auth-int", "ad4f8b45c04d0953c46a10c2dbf729c8", "2ce01f2b2271282a8cd0bf06c3e8373a"),
    ("MD5-sess", "", "460d016244e880c5ef583c3a3adafb86", "1b780be08b2dc77cf5043604585e3122"),
    ("MD5-sess", "auth", "0b2f655d646879693c052f5005fa0135", "ae3479d7d39b94055fcae53e732b06ba"),
    ("MD5-sess", "auth-int", "052a354c5fef4c1049a4f59309171c8f", "bb3f3c26bd2f47b06f27903b9bf0e9d2"),
    (
        "SHA-256",
        "",
        "215298f7f0e4264619c23d1bcb13cecc037ce5d6d1d21bb7ea8f213771a98514",
        "166945c5ea4b4546ab13c5e7c17c08bda84359395f3d83faed36687bbc4f8fa0",
    ),
    (
        "SHA-256",
        "auth",
        "74b4c421b47b3285c3ebf2d35539507365dab434cc4377dca1cd811aa20bb535",
        "8f278e581e3b31e651913169b1eb1c4ddef5b6f87bce3dca9f83f7f7c8082b64",
    ),
    (
        "SHA-256",
        "auth-int",
        "e466053605192e54e115f8d8703ef469dc2cbda5e571058efa8c940aefbe7411",
        "f535ab5434576922994dc7d46b9de97db36a5ea352574ecf4f8c3d0665d98322",
    ),
    (
        "SHA-256-sess",
        "",
        "eaf05635019948e26692dbde287d5dff5bfebddde12d742c3b36aea954f452fd",
        "fefa5e2ce73162221f150d5c375c5e4629a8c2ab2ef226499366cdc03fc51286",
    ),
    (
        "SHA-256-sess",
        "auth",
        "b61f164b220d60c57f37a7cf79b0fc875f004e332cfc5495d740ddbeb6a84e47",
        "1bc12150dc45d3f80928c5739bae007f282dc572b9db99d9d3eec8fef3ba2b61",
    ),
    (
        "SHA-256-sess",
        "auth-int",
        "5e2afb3b511ba28ad6be5eb8acfe6f3df8a4c330b184fe7d0a3d0a022c4ac2e6",
        "63daa6d49f30208bf0d102a836d6b8b58406de5494026e36808f803a2d8f1b2c",
    ),
    (
        "SHA-512-256",
        "",
        "f21d9a8835507634490ff4e0e0dd8220b8acce2de8891025ea6208e748395f3e",
        "676af036ad559a91a8a17f6aeea8907be4dc59f355838056eafaabd8c31274b7",
    ),
    (
        "SHA-512-256",
        "auth",
        "6198d6742148782bbd5f80c4d65390fa47d065fc5f8b25a352dab0b12f4fb8b7",
        "f8c6119401c45c640f6c6601d7db197b0eb410a8a1ff27892e7bf83813db4069",
    ),
    (
        "SHA-512-256",
        "auth-int",
        "ba550f0d03fe5a04c88d07937ed7273cf22b492f2b4b06423961510ea295a362",
        "1a7d495de99a1a631430b6a9c483cdf41460cdde76bf340da8391e88a9e82382",
    ),
    (
        "SHA-512-256-sess",
        "",
        "7f1b70d06f7d82a664ec27351f6db4259a162c64e04e2873a62c31582006e9cc",
        "02c957b793dc6a0dde9b1abbceaa6499e447c8fded7108bc9c015f39522518fd",
    ),
    (
        "SHA-512-256-sess",
        "auth",
        "118245fa1c73e935968bc3ffb01395bff89c5523bb4c9fd98470692158e6ebed",
        "592b6e82e9abdf291203e15e7f85b05482f84318f5c0e485afbf71ffd1f7406e",
    ),
    (
        "SHA-512-256-sess",
        "auth-int",
        "d2a07e46fd0a7e2c0542384771e661783a19b63019b96b559ca1816b69736c86",
        "0e6a4d35ad22bc8de7ad6ef7242f86d8214b2fc9ea2f651d510a87278014e447",
    ),
];

#[test]
fn every_algorithm_with_every_quality() {
    for (algorithm, qop, response, rspauth) in VECTORS {
        let qop = if qop.is_empty() { String::new() } else { format!(", qop={qop}, nc=00000001") };
        let text = format!(
            "Digest username=\"bob\", realm=\"biloxi.com\", nonce=\"dcd98b\", uri=\"sip:bob@biloxi.com\", \
             algorithm={algorithm}, response=\"{response}\", cnonce=\"0a4f113b\"{qop}"
        );
        right(&text, "INVITE", b"v=0\r\n", "bob", "zanzibar");
        let credentials: Credentials = text.parse().unwrap();
        let (invite, secret) = ("INVITE".parse().unwrap(), Secret::from("zanzibar"));
        let check = DigestCheck::new(&credentials, &invite, b"v=0\r\n", &secret);
        let info = server("biloxi.com").info(Instant::ZERO, &check, b"");
        if qop.is_empty() {
            assert_eq!(info, None, "RFC 2069 has no Authentication-Info for its digests");
            continue;
        }
        let info = info.unwrap();
        assert_eq!(info.rspauth.as_deref(), Some(rspauth), "{algorithm}{qop}");
        assert_eq!(
            (info.nc, info.cnonce.as_deref(), &info.qop),
            (Some(1), Some("0a4f113b"), &credentials.qop)
        );
        assert_eq!(info.to_string().parse(), Ok(info));
    }
}

#[test]
fn stored_hashes_serve_their_own_function_only() {
    let credentials: Credentials = "Digest username=\"bob\", realm=\"biloxi.com\", nonce=\"dcd98b\", \
        uri=\"sip:bob@biloxi.com\", algorithm=SHA-256, cnonce=\"0a4f113b\", qop=auth, nc=00000001, \
        response=\"74b4c421b47b3285c3ebf2d35539507365dab434cc4377dca1cd811aa20bb535\""
        .parse()
        .unwrap();
    let stored = Secret::from("zanzibar").hashed("bob", "biloxi.com");
    let md5 = stored.ha1(DigestHash::Md5).unwrap();
    let sha256 = stored.ha1(DigestHash::Sha256).unwrap().to_uppercase();
    let invite = "INVITE".parse().unwrap();
    let verdict =
        |secret: &Secret| server("biloxi.com").verify(Instant::ZERO, &credentials, &invite, b"", secret);
    let only_md5 = Secret::from_ha1(DigestHash::Md5, md5).unwrap();
    assert_eq!(verdict(&only_md5), Err(Rejection::Unsupported));
    let both = only_md5.with_ha1(DigestHash::Sha256, &sha256).unwrap();
    assert_eq!(verdict(&both), Err(Rejection::Stale));
    assert_eq!(format!("{both:?}"), "***");
}

#[test]
fn authentication_info_is_read_and_written() {
    let text = r#"nextnonce="47364c23432d2e131a5fb210812c", qop=auth, rspauth="6629fae4", cnonce="0a4f113b", nc=0000000a"#;
    let info: AuthInfo = text.parse().unwrap();
    assert_eq!(info.nextnonce.as_deref(), Some("47364c23432d2e131a5fb210812c"));
    assert_eq!((info.nc, info.qop.as_ref()), (Some(10), Some(&Qop::Auth)));
    assert_eq!(info.to_string(), text);
    assert!(!format!("{info:?}").contains("6629fae4"));
    for bad in [
        "",
        "x=1",
        "nc=1",
        "nc=+0000001",
        "rspauth=\"a",
        "qop=auth,",
        "rspauth=\"a\", rspauth=\"a\"",
        "Digest a=b",
    ] {
        assert!(bad.parse::<AuthInfo>().is_err(), "{bad}");
    }
}
