//! TLS in the driver, on loopback: certificates made at run time, good ones and every kind of bad one. Every wait is
//! for an event, with a bound.

#![cfg(all(feature = "tls", feature = "ws"))]

use crate::certificates::{Authority, common_name, only_for, self_signed};
use crate::party::{Party, bounded};
use crate::server::Server;
use crate::support::{address, request};
use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};
use sidetone_hal::time::Duration;
use sidetone_sip_core::driver::{
    CaSet, Certificates, ClientAuth, DriverConfig, Identity, Io, TlsConfig, TlsError, TlsVersion,
};
use sidetone_sip_core::{CertificateError, FlowError, Method, Protocol};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::SupportedProtocolVersion;

const DOMAIN: &str = "biloxi.example";

fn listening(config: TlsConfig) -> DriverConfig {
    DriverConfig::new().tls(address("127.0.0.1:0")).tls_config(config)
}

fn trusting(authority: &Authority) -> TlsConfig {
    TlsConfig::new().ca_set(CaSet::Own).trust(authority.certificates())
}

/// One request over TLS: `Ok` with the status, or why there was none.
async fn ask(client: TlsConfig, server: &Server, domain: &str) -> Result<u16, FlowError> {
    let mut alice = Party::new(&DriverConfig::new().tls_config(client));
    let target = server.target(Protocol::Tls, domain);
    let answer = alice.ask(request(&Method::OPTIONS, "a@b"), &target).await;
    answer.map(|(response, source)| {
        assert_eq!((source.protocol, source.remote), (Protocol::Tls, target.address));
        response.status.code()
    })
}

const fn refused(reason: CertificateError) -> Result<u16, FlowError> {
    Err(FlowError::Certificate(reason))
}

#[tokio::test]
async fn a_good_certificate_brings_the_answer_and_the_name_asked_for() {
    let authority = Authority::new("the authority");
    let mut server =
        Server::start(&listening(TlsConfig::new().server(authority.issue(&[DOMAIN]).identity())));
    assert_eq!(ask(trusting(&authority), &server, DOMAIN).await, Ok(200));
    let seen = server.next().await;
    let session = seen.session.unwrap();
    assert_eq!(
        (session.version, session.server_name.as_deref(), session.resumed),
        (TlsVersion::Tls13, Some(DOMAIN), false)
    );
    assert!(session.cipher_suite.starts_with("TLS13_"), "{}", session.cipher_suite);
    assert_eq!(seen.peer, None, "no certificate was asked for");
    assert_eq!(seen.source.protocol, Protocol::Tls);
    let via: sidetone_sip_core::header::Via = seen.request.headers.require().unwrap();
    assert_eq!(via.protocol(), Some(Protocol::Tls));
}

#[tokio::test]
async fn the_client_learns_who_the_server_is() {
    let authority = Authority::new("the authority");
    let leaf = authority.issue_with(&["sip:biloxi.example", "sip:bob@biloxi.example"], common_name("pbx"));
    let server = Server::start(&listening(TlsConfig::new().server(leaf.identity())));
    let mut alice = Party::new(&DriverConfig::new().tls_config(trusting(&authority)));
    let target = server.target(Protocol::Tls, DOMAIN);
    let (_, source) = alice.ask(request(&Method::OPTIONS, "a@b"), &target).await.unwrap();
    let peer = alice.io.peer_identity(source.flow).unwrap();
    assert_eq!((peer.domains, peer.trusted), (vec![DOMAIN.to_owned()], true));
    assert_eq!(peer.uris, ["sip:biloxi.example", "sip:bob@biloxi.example"]);
    assert_eq!(peer.common_name.as_deref(), Some("pbx"));
    assert_eq!(peer.chain, Certificates::parse(leaf.pem.as_bytes()).unwrap());
}

#[tokio::test]
async fn each_bad_certificate_is_refused_with_its_reason() {
    let (authority, stranger) = (Authority::new("the authority"), Authority::new("a stranger"));
    let future = |params: &mut rcgen::CertificateParams| params.not_before = date_time_ymd(2098, 1, 1);
    let past = |params: &mut rcgen::CertificateParams| params.not_after = date_time_ymd(2024, 2, 1);
    use ExtendedKeyUsagePurpose as Eku;
    let cases = [
        ("another name", authority.issue(&["atlanta.example"]), refused(CertificateError::WrongName)),
        ("no name", authority.issue(&[]), refused(CertificateError::WrongName)),
        ("a wildcard", authority.issue(&["*.example"]), refused(CertificateError::WrongName)),
        ("a user's URI", authority.issue(&["sip:bob@biloxi.example"]), refused(CertificateError::WrongName)),
        (
            "a URI of another domain goes before the DNS name",
            authority.issue(&["sip:atlanta.example", DOMAIN]),
            refused(CertificateError::WrongName),
        ),
        ("unknown issuer", stranger.issue(&[DOMAIN]), refused(CertificateError::UnknownIssuer)),
        ("its own issuer", self_signed(&[DOMAIN]), refused(CertificateError::UnknownIssuer)),
        ("expired", authority.issue_with(&[DOMAIN], past), refused(CertificateError::Expired)),
        ("not yet valid", authority.issue_with(&[DOMAIN], future), refused(CertificateError::NotValidYet)),
        (
            "for clients only",
            authority.issue_with(&[DOMAIN], only_for(Eku::ClientAuth)),
            refused(CertificateError::WrongPurpose),
        ),
        ("a SIP URI", authority.issue(&["sip:biloxi.example"]), Ok(200)),
        ("the common name alone", authority.issue_with(&[], common_name("Biloxi.Example")), Ok(200)),
        (
            "for SIP (RFC 5924)",
            authority.issue_with(&[DOMAIN], only_for(Eku::Other(vec![1, 3, 6, 1, 5, 5, 7, 3, 20]))),
            Ok(200),
        ),
    ];
    for (what, leaf, expected) in &cases {
        let server = Server::start(&listening(TlsConfig::new().server(leaf.identity())));
        assert_eq!(ask(trusting(&authority), &server, DOMAIN).await, *expected, "{what}");
        let anything = trusting(&authority).accept_only_trusted(false);
        assert_eq!(ask(anything, &server, DOMAIN).await, Ok(200), "{what}, and anything is accepted");
    }
    let old = Server::start(&listening(TlsConfig::new().server(cases[11].1.identity())));
    let strict = trusting(&authority).common_name(false);
    assert_eq!(ask(strict, &old, DOMAIN).await, refused(CertificateError::WrongName), "no common names");
    let other = Server::start(&listening(TlsConfig::new().server(cases[0].1.identity())));
    assert_eq!(ask(trusting(&authority).check_name(false), &other, DOMAIN).await, Ok(200), "any name");
    let wildcard = Server::start(&listening(TlsConfig::new().server(cases[2].1.identity())));
    let lax = trusting(&authority).wildcards(true);
    assert_eq!(
        ask(lax.clone(), &wildcard, DOMAIN).await,
        refused(CertificateError::WrongName),
        "a whole TLD"
    );
    let two = authority.issue(&["*.biloxi.example"]);
    let wildcard = Server::start(&listening(TlsConfig::new().server(two.identity())));
    assert_eq!(ask(lax, &wildcard, "pbx.biloxi.example").await, Ok(200), "wildcards allowed");
}

/// Keeps the log lines of this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("sidetone")
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn core::fmt::Debug) {
                self.0.push_str(&format!("{field}={value:?} "));
            }
        }
        let mut text = Text(format!("{} ", event.metadata().level()));
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn a_refusal_is_one_line_that_says_who_what_was_wanted_and_what_there_was() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let authority = Authority::new("the authority");
    let leaf = authority.issue_with(&["sip:atlanta.example", "192.0.2.1"], common_name("pbx"));
    let server = Server::start(&listening(TlsConfig::new().server(leaf.identity())));
    let remote = format!("remote={}", server.address(Protocol::Tls));
    assert_eq!(ask(trusting(&authority), &server, DOMAIN).await, refused(CertificateError::WrongName));
    let stranger = Authority::new("a stranger");
    assert_eq!(ask(trusting(&stranger), &server, DOMAIN).await, refused(CertificateError::UnknownIssuer));
    let lines = lines.0.lock().unwrap();
    let ours: Vec<_> = lines.iter().filter(|line| line.contains(&remote)).collect();
    assert_eq!(ours.len(), 2, "{lines:?}");
    for line in &ours {
        let wanted = format!("wanted={DOMAIN:?}");
        for words in
            [&wanted, "common name \\\"pbx\\\"", "sip:atlanta.example", "IP 192.0.2.1", "the authority"]
        {
            assert!(line.starts_with("WARN ") && line.contains(words), "{words}: {line}");
        }
    }
    assert!(ours[0].contains("NotValidForName") || ours[0].contains("not valid for name"), "{}", ours[0]);
    assert!(ours[1].contains("UnknownIssuer"), "{}", ours[1]);
    let key = leaf.key.serialize_pem();
    let secret = key.lines().nth(1).unwrap();
    assert!(lines.iter().all(|line| !line.contains(secret)));
}

#[tokio::test]
async fn which_cas_count_is_chosen() {
    let authority = Authority::new("the authority");
    let server = Server::start(&listening(TlsConfig::new().server(authority.issue(&[DOMAIN]).identity())));
    let own = trusting(&authority);
    assert_eq!(ask(own.clone().ca_set(CaSet::Both), &server, DOMAIN).await, Ok(200));
    let system = own.clone().ca_set(CaSet::System);
    assert_eq!(ask(system, &server, DOMAIN).await, refused(CertificateError::UnknownIssuer));
    let none = TlsConfig::new().ca_set(CaSet::Own);
    assert_eq!(ask(none, &server, DOMAIN).await, refused(CertificateError::UnknownIssuer));
    // Ten of them, the right one last (YLC-264).
    let many = (0..9).map(|_| Authority::new("another").certificates());
    let many = many.fold(TlsConfig::new().ca_set(CaSet::Own), TlsConfig::trust);
    assert_eq!(ask(many.trust(authority.certificates()), &server, DOMAIN).await, Ok(200));
}

#[tokio::test]
async fn a_server_s_own_certificate_can_be_installed() {
    let leaf = self_signed(&[DOMAIN]);
    let server = Server::start(&listening(TlsConfig::new().server(leaf.identity())));
    let installed = Certificates::parse(leaf.pem.as_bytes()).unwrap();
    let config = TlsConfig::new().ca_set(CaSet::Own).trust(installed);
    assert_eq!(ask(config.clone(), &server, DOMAIN).await, Ok(200));
    assert_eq!(ask(config, &server, "atlanta.example").await, refused(CertificateError::WrongName));
}

#[tokio::test]
async fn addresses_are_in_the_certificate_and_not_in_sni() {
    let authority = Authority::new("the authority");
    let leaf = authority.issue(&["127.0.0.1", "::1", DOMAIN]);
    for local in ["127.0.0.1:0", "[::1]:0"] {
        let config = DriverConfig::new().tls(address(local));
        let mut server = Server::start(&config.tls_config(TlsConfig::new().server(leaf.identity())));
        assert_eq!(ask(trusting(&authority), &server, "").await, Ok(200), "{local}");
        assert_eq!(server.next().await.session.unwrap().server_name, None);
        let as_domain = server.address(Protocol::Tls).ip().to_string();
        assert_eq!(ask(trusting(&authority), &server, &as_domain).await, Ok(200), "{local}");
        assert_eq!(
            ask(trusting(&authority), &server, "192.0.2.1").await,
            refused(CertificateError::WrongName),
            "{local}"
        );
    }
    let named = Server::start(&listening(TlsConfig::new().server(authority.issue(&[DOMAIN]).identity())));
    assert_eq!(ask(trusting(&authority), &named, "").await, refused(CertificateError::WrongName));
    assert_eq!(ask(trusting(&authority), &named, "no host").await, refused(CertificateError::WrongName));
}

#[tokio::test]
async fn each_domain_has_its_connection_and_its_certificate() {
    let authority = Authority::new("the authority");
    let config = TlsConfig::new()
        .server(authority.issue(&["biloxi.example"]).identity())
        .server(authority.issue(&["sip:atlanta.example"]).identity());
    let mut server = Server::start(&listening(config));
    let mut alice = Party::new(&DriverConfig::new().tls_config(trusting(&authority)));
    for (count, domain) in ["biloxi.example", "atlanta.example"].into_iter().enumerate() {
        for call in ["a@b", "b@b"] {
            let target = server.target(Protocol::Tls, domain);
            let (_, source) = alice.ask(request(&Method::OPTIONS, call), &target).await.unwrap();
            assert_eq!(alice.io.peer_identity(source.flow).unwrap().domains, [domain]);
            assert_eq!(server.next().await.session.unwrap().server_name.as_deref(), Some(domain));
        }
        assert_eq!(alice.endpoint.flow_count(), count + 1);
    }
}

#[tokio::test]
async fn clients_show_certificates_when_they_must() {
    let (authority, phones) = (Authority::new("the authority"), Authority::new("of the phones"));
    let stranger = Authority::new("a stranger");
    let good = phones.issue_with(&["sip:alice@biloxi.example"], common_name("00:15:65:00:00:01"));
    let identity = authority.issue(&[DOMAIN]).identity();
    let with = |auth| TlsConfig::new().server(identity.clone()).client_auth(auth, phones.certificates());
    let mut required = Server::start(&listening(with(ClientAuth::Required)));
    let mut optional = Server::start(&listening(with(ClientAuth::Optional)));
    let ours = trusting(&authority);

    // With TLS 1.3 the client's part is over when the server judges: the refusal ends the connection.
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let newer = with(ClientAuth::Required).min_version(version);
        required.tls.reload(&newer).unwrap();
        let none = ask(ours.clone(), &required, DOMAIN).await;
        assert_eq!(none, refused(CertificateError::Refused), "{version}");
        let wrong = ours.clone().client(stranger.issue(&[]).identity());
        assert_eq!(ask(wrong, &required, DOMAIN).await, refused(CertificateError::Refused), "{version}");
    }
    let past = phones.issue_with(&[], |params| params.not_after = date_time_ymd(2024, 2, 1));
    let server_s = phones.issue_with(&[], only_for(ExtendedKeyUsagePurpose::ServerAuth));
    for bad in [past, server_s] {
        let config = ours.clone().client(bad.identity());
        assert_eq!(ask(config, &required, DOMAIN).await, refused(CertificateError::Refused));
    }
    assert_eq!(ask(ours.clone().client(good.identity()), &required, DOMAIN).await, Ok(200));
    let peer = required.next().await.peer.unwrap();
    assert_eq!((peer.common_name.as_deref(), peer.trusted), (Some("00:15:65:00:00:01"), true));
    assert_eq!((peer.uris, peer.domains), (vec!["sip:alice@biloxi.example".to_owned()], vec![]));

    assert_eq!(ask(ours.clone(), &optional, DOMAIN).await, Ok(200));
    assert_eq!(optional.next().await.peer, None);
    assert_eq!(ask(ours.clone().client(good.identity()), &optional, DOMAIN).await, Ok(200));
    assert!(optional.next().await.peer.is_some());
    let wrong = ours.client(stranger.issue(&[]).identity());
    assert_eq!(ask(wrong, &optional, DOMAIN).await, refused(CertificateError::Refused));
}

#[tokio::test]
async fn the_revoked_are_refused_on_both_sides() {
    let authority = Authority::new("the authority");
    let (good, bad) = (authority.issue(&[DOMAIN]), authority.issue(&[DOMAIN]));
    let lists = authority.revoke(&[&bad]);
    let client = trusting(&authority).revocation(lists.clone());
    for (leaf, expected) in [(&good, Ok(200)), (&bad, refused(CertificateError::Revoked))] {
        let server = Server::start(&listening(TlsConfig::new().server(leaf.identity())));
        assert_eq!(ask(client.clone(), &server, DOMAIN).await, expected);
    }
    let config = TlsConfig::new()
        .server(good.identity())
        .client_auth(ClientAuth::Required, authority.certificates())
        .revocation(lists);
    let server = Server::start(&listening(config));
    let as_good = trusting(&authority).client(good.identity());
    assert_eq!(ask(as_good, &server, DOMAIN).await, Ok(200));
    let as_bad = trusting(&authority).client(bad.identity());
    assert_eq!(ask(as_bad, &server, DOMAIN).await, refused(CertificateError::Refused));
}

/// A client of another make, with just this version; gives what the handshake ended with.
async fn foreign_client(
    server: &Server,
    authority: &Authority,
    version: &'static SupportedProtocolVersion,
) -> Result<(), String> {
    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider};
    let mut roots = RootCertStore::empty();
    for certificate in authority.certificates().iter() {
        roots.add(certificate.to_vec().into()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(server.address(Protocol::Tls)).await.unwrap();
    let name = ServerName::try_from(DOMAIN).unwrap();
    let connected = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    connected.map(|_| ()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn the_minimum_version_holds_on_both_sides() {
    use tokio_rustls::rustls::version::{TLS12, TLS13};
    let authority = Authority::new("the authority");
    let identity = authority.issue(&[DOMAIN]).identity();
    let newest = TlsConfig::new().server(identity.clone()).min_version(TlsVersion::Tls13);
    let server = Server::start(&listening(newest));
    let error = foreign_client(&server, &authority, &TLS12).await.unwrap_err();
    assert!(error.contains("ProtocolVersion"), "{error}");
    assert_eq!(foreign_client(&server, &authority, &TLS13).await, Ok(()));
    let both = Server::start(&listening(TlsConfig::new().server(identity)));
    assert_eq!(foreign_client(&both, &authority, &TLS12).await, Ok(()));

    for old in [TlsVersion::Tls10, TlsVersion::Tls11] {
        let config = listening(TlsConfig::new().min_version(old));
        let error = Io::bind(&config).unwrap_err().to_string();
        assert!(error.contains(&old.to_string()) && error.contains("RFC 8996"), "{error}");
    }
}

#[tokio::test]
async fn a_reload_is_for_new_connections_and_old_ones_go_on() {
    let (before, after) = (Authority::new("before"), Authority::new("after"));
    let config = |authority: &Authority| TlsConfig::new().server(authority.issue(&[DOMAIN]).identity());
    let mut server = Server::start(&listening(config(&before)));
    let target = server.target(Protocol::Tls, DOMAIN);
    let mut old = Party::new(&DriverConfig::new().tls_config(trusting(&before)));
    let (_, source) = old.ask(request(&Method::OPTIONS, "a@b"), &target).await.unwrap();
    let first = server.next().await.source;

    server.tls.reload(&config(&after)).unwrap();
    assert_eq!(ask(trusting(&after), &server, DOMAIN).await, Ok(200));
    assert_ne!(server.next().await.source.flow, first.flow);
    assert_eq!(ask(trusting(&before), &server, DOMAIN).await, refused(CertificateError::UnknownIssuer));
    let (_, again) = old.ask(request(&Method::OPTIONS, "b@b"), &target).await.unwrap();
    assert_eq!(
        (again.flow, server.next().await.source.flow),
        (source.flow, first.flow),
        "the old connection"
    );

    // What cannot be used changes nothing.
    assert_eq!(server.tls.reload(&TlsConfig::new()), Err(TlsError::NoServerIdentity));
    let old = config(&before).min_version(TlsVersion::Tls10);
    assert_eq!(server.tls.reload(&old), Err(TlsError::Version(TlsVersion::Tls10)));
    assert_eq!(ask(trusting(&after), &server, DOMAIN).await, Ok(200));
}

#[tokio::test]
async fn sessions_are_resumed_until_the_configuration_changes() {
    let authority = Authority::new("the authority");
    let phones = Authority::new("of the phones");
    let config = TlsConfig::new()
        .server(authority.issue(&[DOMAIN]).identity())
        .client_auth(ClientAuth::Required, phones.certificates());
    let client = trusting(&authority).client(phones.issue_with(&[], common_name("alice")).identity());
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let mut server = Server::start(&listening(config.clone()));
        let mut alice = Party::new(&DriverConfig::new().tls_config(client.clone().min_version(version)));
        let target = server.target(Protocol::Tls, DOMAIN);
        let mut resumed = Vec::new();
        for round in 0..4 {
            if round == 3 {
                server.tls.reload(&config).unwrap();
            }
            let (_, source) =
                alice.ask(request(&Method::OPTIONS, &format!("{round}@b")), &target).await.unwrap();
            let seen = server.next().await;
            assert_eq!(seen.peer.unwrap().common_name.as_deref(), Some("alice"), "resumed or not");
            resumed.push(seen.session.unwrap().resumed);
            assert_eq!(alice.io.tls_session(source.flow).unwrap().resumed, resumed[round]);
            alice.endpoint.close(alice.io.now(), source.flow);
            alice.io.flush(&mut alice.endpoint);
        }
        assert_eq!(resumed, [false, true, true, false], "{version}");
    }
}

#[tokio::test]
async fn what_is_no_tls_is_refused_by_both_sides() {
    let authority = Authority::new("the authority");
    let server = Server::start(&listening(TlsConfig::new().server(authority.issue(&[DOMAIN]).identity())));
    let mut plain = TcpStream::connect(server.address(Protocol::Tls)).await.unwrap();
    plain.write_all(b"OPTIONS sip:b SIP/2.0\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    // An alert comes, then the end.
    bounded(plain.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest.first(), Some(&21), "{rest:?}");
    assert_eq!(ask(trusting(&authority), &server, DOMAIN).await, Ok(200), "nobody else is hurt");

    // A server that speaks plain SIP, and one that hangs up.
    for answer in [&b"SIP/2.0 400 Bad Request\r\n\r\n"[..], b""] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let plain = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            stream.write_all(answer).await.unwrap();
            let mut hello = [0; 4096];
            let _ = stream.read(&mut hello).await;
            let _ = stream.shutdown().await;
            let _ = stream.read(&mut hello).await;
        });
        let mut alice = Party::new(&DriverConfig::new().tls_config(trusting(&authority)));
        let target = sidetone_sip_core::Target::new(Protocol::Tls, address).with_domain(DOMAIN);
        let answer = alice.ask(request(&Method::OPTIONS, "a@b"), &target).await;
        assert_eq!(answer.unwrap_err(), FlowError::Handshake);
        drop(alice);
        bounded(plain).await.unwrap();
    }
}

#[tokio::test]
async fn slow_handshakes_hold_up_nobody_and_end() {
    let authority = Authority::new("the authority");
    let mut config = listening(TlsConfig::new().server(authority.issue(&[DOMAIN]).identity()));
    // Within it a good handshake is done, on a busy machine too.
    config.handshake_limit = Duration::from_secs(6);
    config.max_handshakes = 20;
    let server = Server::start(&config);
    let mut silent = Vec::new();
    for _ in 0..19 {
        silent.push(TcpStream::connect(server.address(Protocol::Tls)).await.unwrap());
    }
    // The twentieth handshake is a good one, and does not wait for the others.
    assert_eq!(ask(trusting(&authority), &server, DOMAIN).await, Ok(200));
    silent.push(TcpStream::connect(server.address(Protocol::Tls)).await.unwrap());
    // One too many is closed at once, long before the limit.
    let mut surplus = TcpStream::connect(server.address(Protocol::Tls)).await.unwrap();
    assert_eq!(bounded(surplus.read(&mut [0; 16])).await.unwrap_or(0), 0);
    for mut stream in silent {
        assert_eq!(bounded(stream.read(&mut [0; 16])).await.unwrap_or(0), 0, "closed by the limit");
    }
    assert_eq!(ask(trusting(&authority), &server, DOMAIN).await, Ok(200));

    // A server that never answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = DriverConfig::new().tls_config(trusting(&authority));
    config.handshake_limit = Duration::from_millis(200);
    let mut alice = Party::new(&config);
    let target = sidetone_sip_core::Target::new(Protocol::Tls, listener.local_addr().unwrap());
    let answer = alice.ask(request(&Method::OPTIONS, "a@b"), &target).await;
    assert_eq!(answer.unwrap_err(), FlowError::TimedOut);
}

#[tokio::test]
async fn large_messages_cross_and_the_end_is_a_proper_one() {
    let authority = Authority::new("the authority");
    let mut server =
        Server::start(&listening(TlsConfig::new().server(authority.issue(&[DOMAIN]).identity())));
    let mut alice = Party::new(&DriverConfig::new().tls_config(trusting(&authority)));
    let mut message = request(&Method::MESSAGE, "a@b");
    message.set_body(&"text/plain".parse().unwrap(), "x".repeat(60_000));
    let target = server.target(Protocol::Tls, DOMAIN);
    alice.ask(message, &target).await.unwrap();
    assert_eq!(server.next().await.request.body.len(), 60_000);
}

#[tokio::test]
async fn secure_websocket_names_its_server_as_the_web_does() {
    let authority = Authority::new("the authority");
    let leaf = authority.issue(&["*.biloxi.example"]);
    let config =
        DriverConfig::new().wss(address("127.0.0.1:0")).tls_config(TlsConfig::new().server(leaf.identity()));
    let mut server = Server::start(&config);
    let mut alice = Party::new(&DriverConfig::new().tls_config(trusting(&authority)));
    let target = server.target(Protocol::Wss, "pbx.biloxi.example");
    let (_, source) = alice.ask(request(&Method::OPTIONS, "a@b"), &target).await.unwrap();
    assert_eq!(source.protocol, Protocol::Wss);
    assert!(alice.io.tls_session(source.flow).is_some());
    let seen = server.next().await;
    assert_eq!(seen.session.unwrap().server_name.as_deref(), Some("pbx.biloxi.example"));
    let other = server.target(Protocol::Wss, "atlanta.example");
    let answer = alice.ask(request(&Method::OPTIONS, "b@b"), &other).await;
    assert_eq!(answer.unwrap_err(), FlowError::Certificate(CertificateError::WrongName));
}

#[tokio::test]
async fn listening_takes_a_certificate_and_asking_takes_a_ca() {
    let error = Io::bind(&DriverConfig::new().tls(address("127.0.0.1:0"))).unwrap_err().to_string();
    assert!(error.contains("takes a certificate"), "{error}");
    let leaf = self_signed(&[DOMAIN]).identity();
    let config = TlsConfig::new().server(leaf).client_auth(ClientAuth::Required, Certificates::default());
    let error = Io::bind(&listening(config)).unwrap_err().to_string();
    assert!(error.contains("CA certificates"), "{error}");
}

#[test]
fn files_are_read_whatever_their_form_and_the_error_names_them() {
    let authority = Authority::new("the authority");
    let leaf = authority.issue(&[DOMAIN]);
    let folder = std::env::temp_dir().join(format!("sidetone-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let pem = format!("a comment\n{}{}", authority.pem(), leaf.pem);
    assert_eq!(Certificates::read(write("two.pem", pem.as_bytes())).unwrap().len(), 2);
    let der: Vec<u8> = authority.certificates().iter().next().unwrap().to_vec();
    assert_eq!(Certificates::read(write("one.der", &der)).unwrap(), authority.certificates());
    assert_eq!(Certificates::from_der(der), authority.certificates());
    let chain = write("chain.crt", leaf.pem.as_bytes());
    let key = write("key.pem", leaf.key.serialize_pem().as_bytes());
    let identity = Identity::read(&chain, &key).unwrap();
    assert_eq!(identity.chain().len(), 1);
    assert!(!format!("{identity:?}").contains("BEGIN") && !format!("{identity:?}").contains("key"));
    Identity::read(&chain, write("key.der", &leaf.key.serialize_der())).unwrap();
    let both = write("both.pem", format!("{}{}", leaf.pem, leaf.key.serialize_pem()).as_bytes());
    Identity::read(&both, &both).unwrap();

    for (path, words) in [
        (write("empty.pem", b""), "neither PEM nor DER"),
        (write("none.pem", leaf.key.serialize_pem().as_bytes()), "no certificate"),
        (write("cut.der", &authority.certificates().iter().next().unwrap()[..50]), "neither PEM nor DER"),
        (folder.join("missing.pem"), "No such file"),
    ] {
        let error = Certificates::read(&path).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()) && error.contains(words), "{error}");
    }
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let other = authority.issue(&[DOMAIN]).key.serialize_pem();
    for (path, words) in [
        (write("encrypted.pem", encrypted.as_bytes()), "encrypted"),
        (write("other.pem", other.as_bytes()), "key"),
        (chain.clone(), "no private key"),
    ] {
        let error = Identity::read(&chain, &path).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()) && error.contains(words), "{error}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn versions_are_written_in_many_ways() {
    for text in ["1.2", "TLS 1.2", "TLSv1.2", "tls1.2", "TLSv1_2"] {
        assert_eq!(text.parse(), Ok(TlsVersion::Tls12), "{text}");
    }
    assert_eq!("1.3".parse(), Ok(TlsVersion::Tls13));
    assert_eq!("TLSv1".parse(), Ok(TlsVersion::Tls10));
    for text in ["", "SSLv3", "2", "1.4"] {
        assert_eq!(text.parse::<TlsVersion>(), Err(TlsError::UnknownVersion(text.into())));
    }
}
