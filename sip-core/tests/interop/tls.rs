//! TLS with programs that others wrote: OpenSSL's own client and server, Kamailio in both roles with client certificates
//! on both sides, and SIPp. Debian's SIPp (3.6.1) is built without TLS, so stunnel does it for SIPp, in both directions:
//! the SIP is SIPp's, the TLS is OpenSSL's by way of stunnel.

use crate::certificates::{Authority, Issued, common_name};
use crate::party::{Party, bounded};
use crate::programs::{KAMAILIO, OPENSSL, Outcome, Program, SIPP, STUNNEL, Stage, free_port, trial};
use crate::server::Server;
use crate::support::{address, parse, peer_request, request};
use libtest_mimic::{Failed, Trial};
use sidetone_sip_core::driver::{CaSet, ClientAuth, DriverConfig, Identity, TlsConfig, TlsVersion};
use sidetone_sip_core::header::{Contact, To};
use sidetone_sip_core::{
    CertificateError, Event, FlowError, Message, Method, Protocol, Request, StatusCode, Target,
};
use std::sync::Arc;

const DOMAIN: &str = "biloxi.example";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("openssl_s_client_asks_our_server", &[OPENSSL], openssl_asks),
        trial("our_client_asks_openssl_s_server", &[OPENSSL], openssl_answers),
        trial("keys_of_every_form_that_openssl_writes", &[OPENSSL], openssl_keys),
        trial("our_client_asks_a_kamailio_that_demands_certificates", &[KAMAILIO], kamailio_answers),
        trial("a_kamailio_with_a_certificate_asks_our_server", &[KAMAILIO], kamailio_asks),
        trial("sipp_calls_our_server_through_stunnel", &[SIPP, STUNNEL], sipp_calls),
        trial("our_client_calls_sipp_through_stunnel", &[SIPP, STUNNEL], sipp_answers),
    ]
}

/// The certificates of one trial, as files too.
struct Pki {
    authority: Authority,
    server: Issued,
    client: Issued,
    ca: String,
    server_pem: String,
    server_key: String,
    client_pem: String,
    client_key: String,
    stranger_pem: String,
    stranger_key: String,
}

impl Pki {
    fn new(stage: &Stage) -> Self {
        let authority = Authority::new("the authority");
        let server = authority.issue(&["sip:biloxi.example", DOMAIN, "127.0.0.1"]);
        let client = authority.issue_with(&["sip:alice@atlanta.example"], common_name("alice"));
        let stranger = Authority::new("a stranger").issue(&[DOMAIN]);
        Self {
            ca: stage.write("ca.pem", authority.pem()),
            server_pem: stage.write("server.pem", &server.pem),
            server_key: stage.write("server.key", server.key.serialize_pem()),
            client_pem: stage.write("client.pem", &client.pem),
            client_key: stage.write("client.key", client.key.serialize_pem()),
            stranger_pem: stage.write("stranger.pem", &stranger.pem),
            stranger_key: stage.write("stranger.key", stranger.key.serialize_pem()),
            authority,
            server,
            client,
        }
    }

    fn trusting(&self) -> TlsConfig {
        TlsConfig::new().ca_set(CaSet::Own).trust(self.authority.certificates())
    }

    /// A server that demands certificates.
    fn mutual(&self) -> DriverConfig {
        let config = self.trusting().server(self.server.identity());
        let config = config.client_auth(ClientAuth::Required, self.authority.certificates());
        let config = config.client(self.client.identity());
        DriverConfig::new().tls(address("127.0.0.1:0")).udp(address("127.0.0.1:0")).tls_config(config)
    }
}

async fn openssl_asks(stage: Arc<Stage>) -> Outcome {
    let pki = Pki::new(&stage);
    let mut server = Server::start(&pki.mutual());
    let target = server.address(Protocol::Tls).to_string();
    let common = ["s_client", "-connect", &target, "-servername", DOMAIN, "-CAfile", &pki.ca];
    let common = [&common[..], &["-verify_return_error", "-verify_hostname", DOMAIN, "-ign_eof"]].concat();
    let ours = ["-cert", &pki.client_pem, "-key", &pki.client_key];
    let message = peer_request(&Method::OPTIONS, Protocol::Tls, "z9hG4bKopenssl", "a@b").to_bytes();

    for (name, option, version) in
        [("s_client-1.2", "-tls1_2", TlsVersion::Tls12), ("s_client-1.3", "-tls1_3", TlsVersion::Tls13)]
    {
        let mut openssl = stage.start(name, "openssl", &[&common[..], &ours, &[option]].concat());
        openssl.says("Verify return code: 0 (ok)").await?;
        openssl.write(&message);
        openssl.says("SIP/2.0 200").await?;
        let seen = server.next().await;
        let session = seen.session.unwrap();
        assert_eq!((session.version, session.server_name.as_deref()), (version, Some(DOMAIN)));
        assert_eq!(seen.peer.unwrap().uris, ["sip:alice@atlanta.example"]);
    }
    // Nobody's certificate, a stranger's, and versions that are dead: each ends with an alert that says so.
    let strangers = ["-cert", &pki.stranger_pem, "-key", &pki.stranger_key];
    let old = ["-cipher", "ALL@SECLEVEL=0"];
    for (name, more, alert) in [
        ("s_client-none", vec!["-tls1_3"], "certificate required"),
        ("s_client-stranger", [&strangers[..], &["-tls1_3"]].concat(), "unknown ca"),
        ("s_client-1.1", [&ours[..], &old, &["-tls1_1"]].concat(), "handshake failure"),
        ("s_client-1.0", [&ours[..], &old, &["-tls1"]].concat(), "handshake failure"),
    ] {
        let mut openssl = stage.start(name, "openssl", &[&common[..], &more].concat());
        openssl.says(&format!("alert {alert}")).await?;
    }
    Ok(())
}

async fn openssl_answers(stage: Arc<Stage>) -> Outcome {
    let pki = Pki::new(&stage);
    for (name, option) in [("s_server-1.2", "-tls1_2"), ("s_server-1.3", "-tls1_3")] {
        let port = free_port();
        let local = format!("127.0.0.1:{port}");
        let arguments = ["s_server", "-accept", &local, "-cert", &pki.server_pem, "-key", &pki.server_key];
        let verify = ["-CAfile", &pki.ca, "-Verify", "2", "-verify_return_error", "-quiet", option];
        let mut openssl = stage.start(name, "openssl", &[&arguments[..], &verify].concat());
        openssl.listens(port).await?;
        let target = Target::new(Protocol::Tls, local.parse()?).with_domain(DOMAIN);

        let mut nobody = Party::new(&DriverConfig::new().tls_config(pki.trusting()));
        let refusal = nobody.ask(request(&Method::OPTIONS, "a@b"), &target).await.unwrap_err();
        // To TLS 1.2 OpenSSL says no more than that the handshake failed.
        let said = [FlowError::Handshake, FlowError::Certificate(CertificateError::Refused)];
        assert!(said.contains(&refusal), "{refusal:?}");

        let config = pki.trusting().client(pki.client.identity());
        let mut alice = Party::new(&DriverConfig::new().tls_config(config));
        let asking = alice.ask(request(&Method::OPTIONS, "a@b"), &target);
        let answering = async {
            openssl.until("the request", |openssl| openssl.said().contains("\r\n\r\n")).await?;
            let said = openssl.said();
            let begin = said.find("OPTIONS ").ok_or("no request")?;
            let Message::Request(received) = parse(&said.as_bytes()[begin..]) else { panic!("{said}") };
            openssl.write(received.response(StatusCode::OK, Some("openssl")).to_bytes());
            Ok::<_, Failed>(())
        };
        let (answer, answered) = bounded(async { tokio::join!(asking, answering) }).await;
        answered?;
        let (response, source) = answer.unwrap();
        assert_eq!(response.headers.require::<To>()?.tag(), Some("openssl"));
        let peer = alice.io.peer_identity(source.flow).unwrap();
        assert_eq!(peer.domains, [DOMAIN]);
    }
    Ok(())
}

/// PKCS#8, PKCS#1, SEC 1, encrypted, DER; RSA and EC.
async fn openssl_keys(stage: Arc<Stage>) -> Outcome {
    let path = |name: &str| stage.path(name).to_str().unwrap().to_owned();
    stage.finish("openssl", &["genrsa", "-out", &path("rsa8.key"), "2048"])?;
    stage.finish("openssl", &["rsa", "-in", &path("rsa8.key"), "-traditional", "-out", &path("rsa1.key")])?;
    let named = ["-name", "secp384r1", "-genkey"];
    stage.finish("openssl", &[&["ecparam", "-out", &path("sec1.key")], &named[..]].concat())?;
    stage
        .finish("openssl", &["rsa", "-in", &path("rsa8.key"), "-outform", "DER", "-out", &path("rsa.der")])?;
    let locked =
        ["pkcs8", "-topk8", "-in", &path("rsa8.key"), "-passout", "pass:x", "-out", &path("locked.key")];
    stage.finish("openssl", &locked)?;
    let locked = ["rsa", "-in", &path("rsa8.key"), "-traditional", "-aes128", "-passout", "pass:x"];
    stage.finish("openssl", &[&locked[..], &["-out", &path("locked1.key")]].concat())?;
    for key in ["rsa8.key", "sec1.key"] {
        let subject = ["-subj", "/CN=pbx", "-addext", "subjectAltName=URI:sip:biloxi.example"];
        let make = ["req", "-x509", "-days", "2", "-key", &path(key), "-out", &path(&format!("{key}.crt"))];
        stage.finish("openssl", &[&make[..], &subject].concat())?;
    }
    for (certificate, key) in [
        ("rsa8.key", "rsa8.key"),
        ("rsa8.key", "rsa1.key"),
        ("rsa8.key", "rsa.der"),
        ("sec1.key", "sec1.key"),
    ] {
        let certificate = path(&format!("{certificate}.crt"));
        let identity = Identity::read(&certificate, path(key))?;
        let trusted = identity.chain().clone();
        let config = DriverConfig::new().tls(address("127.0.0.1:0"));
        let server = Server::start(&config.tls_config(TlsConfig::new().server(identity)));
        let config = TlsConfig::new().ca_set(CaSet::Own).trust(trusted);
        let mut alice = Party::new(&DriverConfig::new().tls_config(config));
        let target = server.target(Protocol::Tls, DOMAIN);
        alice.ask(request(&Method::OPTIONS, "a@b"), &target).await.unwrap();
    }
    for locked in ["locked.key", "locked1.key"] {
        let error = Identity::read(path("rsa8.key.crt"), path(locked)).unwrap_err().to_string();
        assert!(error.contains("encrypted") && error.contains(locked), "{error}");
    }
    let error = Identity::read(path("rsa8.key.crt"), path("sec1.key")).unwrap_err().to_string();
    assert!(error.contains("does not fit"), "{error}");
    Ok(())
}

/// Kamailio with TLS and UDP, which demands and shows certificates: registrar for whoever it lets in, proxy for others.
async fn kamailio(stage: &Stage, pki: &Pki) -> Result<(Program, u16, u16), Failed> {
    let (tls, udp) = (free_port(), free_port());
    let profile = |name: &str| {
        format!(
            "[{name}:default]\nmethod = TLSv1.2+\nverify_certificate = yes\nrequire_certificate = yes\n\
             private_key = {}\ncertificate = {}\nca_list = {}\n",
            pki.server_key, pki.server_pem, pki.ca
        )
    };
    let settings = stage.write("tls.cfg", format!("{}\n{}", profile("server"), profile("client")));
    let config = format!(
        "#!KAMAILIO\ndebug=2\nlog_stderror=yes\nchildren=1\ntcp_children=1\nauto_aliases=no\nenable_tls=yes\n\
         listen=tls:127.0.0.1:{tls}\nlisten=udp:127.0.0.1:{udp}\n\
         loadmodule \"kex.so\"\nloadmodule \"tm.so\"\nloadmodule \"sl.so\"\nloadmodule \"pv.so\"\n\
         loadmodule \"usrloc.so\"\nloadmodule \"registrar.so\"\nloadmodule \"tls.so\"\n\
         modparam(\"tls\", \"config\", \"{settings}\")\n\
         request_route {{\n\
           if (is_method(\"REGISTER\")) {{ save(\"location\"); exit; }}\n\
           if (uri == myself) {{\n\
             append_to_reply(\"X-Peer: $tls_peer_subject_cn;$tls_version\\r\\n\");\n\
             sl_send_reply(\"200\", \"OK\"); exit;\n\
           }}\n\
           t_relay();\n\
         }}\n"
    );
    let config =
        config.replace("loadmodule \"usrloc.so\"", "loadmodule \"textops.so\"\nloadmodule \"usrloc.so\"");
    let config = stage.write("kamailio.cfg", config);
    let run = stage.path("run");
    std::fs::create_dir_all(&run)?;
    let (run, pid) = (run.to_str().unwrap().to_owned(), stage.path("pid").to_str().unwrap().to_owned());
    let arguments = ["-f", &config, "-DD", "-E", "-m", "64", "-M", "8", "-Y", &run, "-w", &run, "-P", &pid];
    let mut program = stage.start("kamailio", "kamailio", &arguments);
    program.listens(tls).await?;
    Ok((program, tls, udp))
}

async fn kamailio_answers(stage: Arc<Stage>) -> Outcome {
    let pki = Pki::new(&stage);
    let (_kamailio, tls, _) = kamailio(&stage, &pki).await?;
    let target = Target::new(Protocol::Tls, format!("127.0.0.1:{tls}").parse()?).with_domain(DOMAIN);
    let register = |call: &str| {
        let mut register = Request::new(Method::REGISTER, format!("sip:127.0.0.1:{tls}").parse().unwrap());
        let template = request(&Method::REGISTER, call);
        register.headers = template.headers;
        register.headers.push(&Contact::new("sip:alice@127.0.0.1:5061;transport=tls".parse().unwrap()));
        register
    };
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let config = pki.trusting().client(pki.client.identity()).min_version(version);
        let mut alice = Party::new(&DriverConfig::new().tls_config(config));
        let (response, source) = alice.ask(register("a@b"), &target).await.unwrap();
        assert_eq!(response.status.code(), 200);
        assert_eq!(alice.io.peer_identity(source.flow).unwrap().domains, [DOMAIN]);
        let mut options =
            Request::new(Method::OPTIONS, format!("sip:127.0.0.1:{tls};transport=tls").parse()?);
        options.headers = request(&Method::OPTIONS, "c@b").headers;
        let (response, again) = alice.ask(options, &target).await.unwrap();
        assert_eq!(again.flow, source.flow);
        let told = String::from_utf8(response.to_bytes())?;
        assert!(told.contains("X-Peer: alice;TLSv1"), "{told}");
    }
    let stranger = Identity::read(&pki.stranger_pem, &pki.stranger_key)?;
    for config in [pki.trusting(), pki.trusting().client(stranger)] {
        let mut alice = Party::new(&DriverConfig::new().tls_config(config));
        let refusal = alice.ask(register("b@b"), &target).await.unwrap_err();
        assert_eq!(refusal, FlowError::Certificate(CertificateError::Refused));
    }
    let mut alice = Party::new(&DriverConfig::new().tls_config(pki.trusting().client(pki.client.identity())));
    let elsewhere = Target::new(Protocol::Tls, target.address).with_domain("atlanta.example");
    let refusal = alice.ask(register("d@b"), &elsewhere).await.unwrap_err();
    assert_eq!(refusal, FlowError::Certificate(CertificateError::WrongName));
    Ok(())
}

async fn kamailio_asks(stage: Arc<Stage>) -> Outcome {
    let pki = Pki::new(&stage);
    let (_kamailio, _, udp) = kamailio(&stage, &pki).await?;
    let mut server = Server::start(&pki.mutual());
    let uri = format!("sip:bob@{};transport=tls", server.address(Protocol::Tls));
    let mut message = Request::new(Method::OPTIONS, uri.parse()?);
    message.headers = request(&Method::OPTIONS, "a@b").headers;
    let mut alice = Party::new(&DriverConfig::new().udp(address("127.0.0.1:0")));
    let target = Target::new(Protocol::Udp, format!("127.0.0.1:{udp}").parse()?);
    let (response, _) = alice.ask(message, &target).await.unwrap();
    assert_eq!(response.status.code(), 200);
    let seen = server.next().await;
    assert_eq!(seen.source.protocol, Protocol::Tls);
    assert_eq!(seen.peer.unwrap().domains, [DOMAIN], "Kamailio shows its certificate as a client too");
    Ok(())
}

async fn sipp_calls(stage: Arc<Stage>) -> Outcome {
    let pki = Pki::new(&stage);
    let server = Server::start(&pki.mutual());
    let (plain, sip) = (free_port(), free_port());
    let config = format!(
        "foreground = yes\npid =\n[sip]\nclient = yes\naccept = 127.0.0.1:{plain}\nconnect = {}\nCAfile = {}\n\
         verifyChain = yes\ncheckHost = {DOMAIN}\nsni = {DOMAIN}\ncert = {}\nkey = {}\n",
        server.address(Protocol::Tls),
        pki.ca,
        pki.client_pem,
        pki.client_key
    );
    let mut stunnel = stage.start("stunnel", "stunnel4", &[&stage.write("stunnel.conf", config)]);
    stunnel.listens(plain).await?;
    let (remote, local) = (format!("127.0.0.1:{plain}"), sip.to_string());
    let calls = ["-sn", "uac", "-t", "t1", "-m", "200", "-r", "100", "-d", "0", "-i", "127.0.0.1"];
    let bounds = ["-p", &local, "-nostdin", "-trace_err", "-timeout", "50", "-timeout_error", &remote];
    let mut sipp = stage.start("sipp", "sipp", &[&calls[..], &bounds].concat());
    sipp.succeeds().await
}

async fn sipp_answers(stage: Arc<Stage>) -> Outcome {
    const CALLS: usize = 20;
    let pki = Pki::new(&stage);
    let (secure, sip) = (free_port(), free_port());
    let config = format!(
        "foreground = yes\npid =\n[sip]\naccept = 127.0.0.1:{secure}\nconnect = 127.0.0.1:{sip}\nCAfile = {}\n\
         verifyChain = yes\nrequireCert = yes\ncert = {}\nkey = {}\n",
        pki.ca, pki.server_pem, pki.server_key
    );
    let (local, count) = (sip.to_string(), CALLS.to_string());
    let answers = ["-sn", "uas", "-t", "t1", "-m", &count, "-i", "127.0.0.1", "-p", &local, "-nostdin"];
    let bounds = ["-trace_err", "-timeout", "50", "-timeout_error"];
    let mut sipp = stage.start("sipp", "sipp", &[&answers[..], &bounds].concat());
    sipp.until("listening", |_| listens(sip)).await?;
    let mut stunnel = stage.start("stunnel", "stunnel4", &[&stage.write("stunnel.conf", config)]);
    stunnel.until("listening", |_| listens(secure)).await?;

    let config = pki.trusting().client(pki.client.identity());
    let mut alice = Party::new(&DriverConfig::new().tls_config(config));
    let target = Target::new(Protocol::Tls, format!("127.0.0.1:{secure}").parse()?).with_domain(DOMAIN);
    for call in 0..CALLS {
        let call = format!("{call}@b");
        let mut invite = request(&Method::INVITE, &call);
        invite.headers.push(&Contact::new("sip:alice@127.0.0.1:5061;transport=tls".parse()?));
        let (response, _) = alice.ask(invite, &target).await.unwrap();
        assert_eq!(response.status.code(), 200);
        let to: To = response.headers.require()?;
        let mut ack = request(&Method::ACK, &call);
        ack.headers.set(&to);
        alice.endpoint.send_ack(alice.io.now(), ack, &target)?;
        let mut bye = request(&Method::BYE, &call);
        bye.headers.set(&to);
        bye.headers.set(&sidetone_sip_core::header::CSeq { seq: 2, method: Method::BYE });
        alice.endpoint.request(alice.io.now(), bye, &target)?;
        loop {
            match bounded(alice.event()).await {
                Event::Response { response, .. } if response.status == StatusCode::OK => break,
                Event::Failed { cause, .. } => panic!("{cause:?}"),
                _ => {}
            }
        }
    }
    sipp.succeeds().await
}

/// By the system's table, because a connection would be a peer's.
fn listens(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let local = format!(":{port:04X}");
    table.lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        words.next().is_some_and(|address| address.ends_with(&local)) && words.nth(1) == Some("0A")
    })
}
