//! Digest with programs that others wrote: our client before a Kamailio that challenges in every way it has, and SIPp,
//! baresip and linphone before our server. (Kamailio 5.6 offers `auth-int` too, but refused every answer
//! of ours to it, so SIPp is the peer for that.)

use crate::programs::{KAMAILIO, Needs, Outcome, Program, SIPP, Stage, free_port, trial};
use core::time::Duration;
use libtest_mimic::{Failed, Trial};
use sidetone_sip_core::header::{CSeq, Contact, ContentType, Expires};
use sidetone_sip_core::{
    Algorithm, AuthError, AuthRole, CredentialStore, Credentials, DigestCheck, DigestClient,
    DigestClientConfig, DigestConfig, DigestHash, DigestServer, HeaderName, Instant, Limits, Login, Message,
    Method, Qop, Rejection, Request, Response, Rng, Secret, StatusCode, Uri,
};
use std::sync::{Arc, Mutex};
use tokio::net::UdpSocket;

const BARESIP: Needs = ("baresip", "baresip-core");
const LINPHONE: Needs = ("linphonec", "linphone-cli");

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("kamailio_challenges_with_sha_256", &[KAMAILIO], |stage| {
            every_request(stage, "SHA-256", "auth")
        }),
        trial("kamailio_challenges_with_md5", &[KAMAILIO], |stage| every_request(stage, "MD5", "auth")),
        trial("kamailio_challenges_as_rfc_2069_has_it", &[KAMAILIO], |stage| every_request(stage, "MD5", "")),
        trial("kamailio_refuses_a_wrong_password_and_a_weak_hash_is_refused", &[KAMAILIO], refusals),
        trial("kamailio_calls_a_nonce_stale_that_served_once", &[KAMAILIO], one_time_nonces),
        trial("kamailio_calls_a_nonce_stale_that_grew_old", &[KAMAILIO], old_nonces),
        trial("sipp_before_our_server", &[SIPP], |stage| sipp(stage, Qop::Auth)),
        trial("sipp_before_our_server_protects_bodies", &[SIPP], |stage| sipp(stage, Qop::AuthInt)),
        trial("baresip_before_our_server", &[BARESIP], baresip),
        trial("linphone_before_our_server_by_sha_256", &[LINPHONE], linphone),
    ]
}

/// A Kamailio that asks everyone for the password `<name>-secret`: 401 to REGISTER, 407 to everything else, and answers
/// 200 itself.
struct Kamailio {
    port: u16,
    _process: Program,
}

impl Kamailio {
    async fn start(stage: &Stage, settings: &[(&str, &str)]) -> Result<Self, Failed> {
        let port = free_port();
        let mut parameters = String::new();
        for (name, value) in settings {
            let value = if value.parse::<u32>().is_ok() { (*value).to_owned() } else { format!("{value:?}") };
            parameters.push_str(&format!("modparam(\"auth\", \"{name}\", {value})\n"));
        }
        let config = format!(
            "debug=2\nlog_stderror=yes\nchildren=1\nauto_aliases=no\ndisable_tcp=yes\nlisten=udp:127.0.0.1:{port}\n\
             loadmodule \"sl.so\"\nloadmodule \"pv.so\"\nloadmodule \"textops.so\"\nloadmodule \"auth.so\"\n{parameters}\
             request_route {{\n\
               if (is_method(\"ACK\")) exit;\n\
               if (is_method(\"OPTIONS\")) {{ sl_send_reply(\"200\", \"OK\"); exit; }}\n\
               $var(password) = $fU + \"-secret\";\n\
               if (is_method(\"REGISTER\")) {{\n\
                 if (!pv_www_authenticate(\"$fd\", \"$var(password)\", \"0\", \"$rm\")) {{\n\
                   if ($rc == -4 || $rc == -6) www_challenge(\"$fd\", \"STALE\");\n\
                   else www_challenge(\"$fd\", \"FLAGS\");\n\
                   exit;\n\
                 }}\n\
               }} else {{\n\
                 if (!pv_proxy_authenticate(\"$fd\", \"$var(password)\", \"0\")) {{ proxy_challenge(\"$fd\", \"FLAGS\"); exit; }}\n\
               }}\n\
               sl_send_reply(\"200\", \"OK\");\n\
             }}\n"
        );
        // The challenge's flags: 1 is qop "auth", 16 is stale, which the return codes -4 (old) and -6 (used) mean.
        let auth = settings.contains(&("qop", "auth"));
        let settings = config.replace("FLAGS", if auth { "1" } else { "0" });
        let settings = settings.replace("STALE", if auth { "17" } else { "16" });
        // Kamailio takes no empty qop: it is the flags that count.
        let settings = settings.replace("modparam(\"auth\", \"qop\", \"\")\n", "");
        let path = stage.write("kamailio.cfg", settings);
        let folder = stage.path("").to_str().unwrap().to_owned();
        let arguments = [
            "-f",
            &path,
            "-DD",
            "-E",
            "-m",
            "16",
            "-M",
            "4",
            "-Y",
            &folder,
            "-w",
            &folder,
            "-P",
            "kamailio.pid",
        ];
        let process = stage.start("kamailio", "kamailio", &arguments);
        let mut kamailio = Self { port, _process: process };
        kamailio.answers().await?;
        Ok(kamailio)
    }

    async fn answers(&mut self) -> Outcome {
        let mut caller = Caller::new(self.port, "nobody", DigestClientConfig::default()).await?;
        for _ in 0..300 {
            let probe = caller.request(Method::OPTIONS, b"");
            let answer = tokio::time::timeout(Duration::from_secs(2), caller.exchange(&probe)).await;
            if matches!(answer, Ok(Ok(_))) {
                return Ok(());
            }
            // Nobody listens there yet, which a socket says at once.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err("kamailio does not answer".into())
    }
}

/// A user of Kamailio's: requests over UDP, answered or not, with our digest client.
struct Caller {
    socket: UdpSocket,
    port: u16,
    user: String,
    client: DigestClient,
    logins: CredentialStore,
    rng: Rng,
    cseq: u32,
}

impl Caller {
    async fn new(port: u16, user: &str, config: DigestClientConfig) -> Result<Self, Failed> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        socket.connect(("127.0.0.1", port)).await?;
        let rng = Rng::from_u64(u64::from(socket.local_addr()?.port()));
        Ok(Self {
            socket,
            port,
            user: user.to_owned(),
            client: DigestClient::with_config(config),
            logins: Login::new(user, format!("{user}-secret")).into(),
            rng,
            cseq: 0,
        })
    }

    fn request(&mut self, method: Method, body: &'static [u8]) -> Request {
        let uri: Uri = format!("sip:127.0.0.1:{}", self.port).parse().unwrap();
        let mut request = Request::new(method.clone(), uri);
        let address = format!("<sip:{}@127.0.0.1>", self.user);
        let headers = &mut request.headers;
        headers.push_raw(HeaderName::FROM, format!("{address};tag=1")).unwrap();
        headers.push_raw(HeaderName::TO, address).unwrap();
        headers.push_raw(HeaderName::CALL_ID, format!("{}", self.rng.next_u64())).unwrap();
        headers.push_raw(HeaderName::MAX_FORWARDS, "70").unwrap();
        headers.push(&CSeq::new(1, method));
        if !body.is_empty() {
            headers.push(&ContentType::SDP);
        }
        request.body = body.into();
        request
    }

    /// Sends a request, and gives the final response to it.
    async fn exchange(&mut self, request: &Request) -> Result<Response, Failed> {
        self.cseq += 1;
        let mut request = request.clone();
        request.headers.set(&CSeq::new(self.cseq, request.method.clone()));
        let via =
            format!("SIP/2.0/UDP {};branch=z9hG4bK{};rport", self.socket.local_addr()?, self.rng.next_u64());
        request.headers.push_raw(HeaderName::VIA, via).unwrap();
        self.socket.send(&request.to_bytes()).await?;
        let mut buffer = vec![0; 4096];
        loop {
            let length =
                tokio::time::timeout(Duration::from_secs(60), self.socket.recv(&mut buffer)).await??;
            let datagram = bytes::Bytes::copy_from_slice(&buffer[..length]);
            let Ok(Message::Response(response)) = Message::parse(datagram, &Limits::default()) else {
                return Err("that is no response".into());
            };
            if response.status.is_final() && response.headers.require::<CSeq>()?.seq == self.cseq {
                return Ok(response);
            }
        }
    }

    /// Sends a request with what is known and answers one challenge; the challenge, if there was one, and the
    /// last response.
    async fn run(
        &mut self,
        method: Method,
        body: &'static [u8],
    ) -> Result<(Option<Response>, Response), Failed> {
        let mut request = self.request(method, body);
        self.client.attach(&mut request, &self.logins);
        let first = self.exchange(&request).await?;
        if !first.status.is_challenge() {
            return Ok((None, first));
        }
        self.client.respond(&first, &mut request, &self.logins, &mut self.rng)?;
        let second = self.exchange(&request).await?;
        self.client.accept(&second, &request, &self.logins)?;
        Ok((Some(first), second))
    }
}

/// REGISTER and INVITE are challenged and let in, once and then with the nonce that is known.
async fn every_request(stage: Arc<Stage>, algorithm: &'static str, qop: &'static str) -> Outcome {
    let settings = [("algorithm", algorithm), ("qop", qop), ("nonce_expire", "300")];
    let kamailio = Kamailio::start(&stage, &settings).await?;
    let mut alice = Caller::new(kamailio.port, "alice", DigestClientConfig::default()).await?;
    for (method, role, body) in [
        (Method::REGISTER, AuthRole::Server, &b""[..]),
        (Method::INVITE, AuthRole::Proxy, b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n"),
    ] {
        let (challenged, response) = alice.run(method.clone(), body).await?;
        let challenged = challenged.expect("the first is challenged");
        assert_eq!(challenged.status, role.status());
        let challenge = role.challenges(&challenged.headers).next().unwrap()?;
        assert_eq!(challenge.algorithm().as_str(), algorithm);
        assert_eq!(challenge.qop.first().map_or("", Qop::as_str), qop);
        assert_eq!(response.status, StatusCode::OK, "{method}");
        for _ in 0..3 {
            let (challenged, response) = alice.run(method.clone(), body).await?;
            assert_eq!(response.status, StatusCode::OK);
            assert!(challenged.is_none(), "the nonce that is known serves again");
        }
    }
    Ok(())
}

async fn refusals(stage: Arc<Stage>) -> Outcome {
    let kamailio = Kamailio::start(&stage, &[("algorithm", "MD5"), ("qop", "auth")]).await?;
    let mut alice = Caller::new(kamailio.port, "alice", DigestClientConfig::default()).await?;
    alice.logins = Login::new("alice", "a guess").into();
    let mut request = alice.request(Method::REGISTER, b"");
    for expected in [Ok(()), Err(AuthError::Refused)] {
        let response = alice.exchange(&request).await?;
        assert_eq!(response.status, StatusCode::UNAUTHORIZED);
        let answer = alice.client.respond(&response, &mut request, &alice.logins, &mut alice.rng);
        assert_eq!(answer, expected);
    }
    let mut config = DigestClientConfig::default();
    config.minimum = DigestHash::Sha256;
    let mut careful = Caller::new(kamailio.port, "alice", config).await?;
    let mut request = careful.request(Method::REGISTER, b"");
    let response = careful.exchange(&request).await?;
    let answer = careful.client.respond(&response, &mut request, &careful.logins, &mut careful.rng);
    assert_eq!(answer, Err(AuthError::TooWeak));
    Ok(())
}

async fn one_time_nonces(stage: Arc<Stage>) -> Outcome {
    let settings = [("algorithm", "SHA-256"), ("qop", "auth"), ("one_time_nonce", "1")];
    let kamailio = Kamailio::start(&stage, &settings).await?;
    let mut alice = Caller::new(kamailio.port, "alice", DigestClientConfig::default()).await?;
    for round in 0..4 {
        let (challenged, response) = alice.run(Method::REGISTER, b"").await?;
        assert_eq!(response.status, StatusCode::OK);
        let challenged = challenged.expect("each nonce serves once");
        let challenge = AuthRole::Server.challenges(&challenged.headers).next().unwrap()?;
        assert_eq!(challenge.stale, round > 0);
    }
    Ok(())
}

async fn old_nonces(stage: Arc<Stage>) -> Outcome {
    let settings = [("algorithm", "SHA-256"), ("qop", "auth"), ("nonce_expire", "2")];
    let kamailio = Kamailio::start(&stage, &settings).await?;
    let mut alice = Caller::new(kamailio.port, "alice", DigestClientConfig::default()).await?;
    assert!(alice.run(Method::REGISTER, b"").await?.0.is_some());
    let begin = std::time::Instant::now();
    while begin.elapsed() < Duration::from_secs(60) {
        let (challenged, response) = alice.run(Method::REGISTER, b"").await?;
        assert_eq!(response.status, StatusCode::OK);
        if let Some(challenged) = challenged {
            assert!(AuthRole::Server.challenges(&challenged.headers).next().unwrap()?.stale);
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err("the nonce never grew old".into())
}

/// Our digest server behind a UDP socket: lets alice in, and notes how.
struct Registrar {
    port: u16,
    let_in: Arc<Mutex<Vec<Credentials>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Registrar {
    async fn start(config: DigestConfig) -> Result<Self, Failed> {
        let socket = UdpSocket::bind(("127.0.0.1", free_port())).await?;
        let port = socket.local_addr()?.port();
        let let_in = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(serve(socket, config, Arc::clone(&let_in)));
        Ok(Self { port, let_in, task })
    }

    /// Waits until somebody was let in this way.
    async fn expect(&self, algorithm: &Algorithm, qop: &Qop) -> Outcome {
        let right = |one: &Credentials| one.algorithm() == *algorithm && one.qop.as_ref() == Some(qop);
        for _ in 0..3000 {
            if self.let_in.lock().unwrap().iter().any(right) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(format!("let in: {:?}", self.let_in.lock().unwrap()).into())
    }
}

impl Drop for Registrar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: UdpSocket, config: DigestConfig, let_in: Arc<Mutex<Vec<Credentials>>>) {
    let begin = std::time::Instant::now();
    let mut rng = Rng::from_u64(1);
    let realm = "127.0.0.1";
    let mut digest = DigestServer::with_config(realm, config, &mut rng);
    // As a server keeps it.
    let secret = Secret::from("secret").hashed("alice", realm);
    let mut buffer = vec![0; 8192];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
        let datagram = bytes::Bytes::copy_from_slice(&buffer[..length]);
        let Ok(Message::Request(request)) = Message::parse(datagram, &Limits::default()) else { continue };
        if request.method == Method::ACK {
            continue;
        }
        let now = Instant::from_micros(u64::try_from(begin.elapsed().as_micros()).unwrap());
        let response = answer(&mut digest, now, &request, &secret, &let_in);
        let _ = socket.send_to(&response.to_bytes(), peer).await;
    }
}

fn answer(
    digest: &mut DigestServer,
    now: Instant,
    request: &Request,
    secret: &Secret,
    let_in: &Mutex<Vec<Credentials>>,
) -> Response {
    let credentials = digest.find(AuthRole::Server, &request.headers);
    let verdict = credentials.as_ref().map(|credentials| {
        let check =
            DigestCheck::new(credentials, &request.method, &request.body, secret).with_uri(&request.uri);
        (digest.check(now, &check), digest.info(now, &check, b""))
    });
    match verdict {
        Some((Ok(()), info)) => {
            let mut ok = request.response(StatusCode::OK, Some("registrar"));
            for contact in request.headers.all::<Contact>().flatten() {
                ok.headers.push(&contact.with_expires(60));
            }
            ok.headers.push(&Expires(60));
            if let Some(info) = info {
                AuthRole::Server.set_info(&mut ok.headers, info);
            }
            let_in.lock().unwrap().extend(credentials);
            ok
        }
        Some((Err(Rejection::BadResponse), _)) => request.response(StatusCode::FORBIDDEN, Some("registrar")),
        other => {
            let stale = matches!(other, Some((Err(rejection), _)) if rejection.is_stale());
            let mut response = request.response(StatusCode::UNAUTHORIZED, Some("registrar"));
            for challenge in digest.challenges(now, stale) {
                AuthRole::Server.push_challenge(&mut response.headers, challenge);
            }
            response
        }
    }
}

const SCENARIO: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<scenario name="register">
  <send retrans="500"><![CDATA[
REGISTER sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:alice@[remote_ip]>;tag=[call_number]
To: <sip:alice@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 REGISTER
Contact: <sip:alice@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: text/plain
Content-Length: [len]

a body
]]></send>
  <recv response="401" auth="true"/>
  <send retrans="500"><![CDATA[
REGISTER sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:alice@[remote_ip]>;tag=[call_number]
To: <sip:alice@[remote_ip]>
Call-ID: [call_id]
CSeq: 2 REGISTER
Contact: <sip:alice@[local_ip]:[local_port]>
[authentication username=alice password=secret]
Max-Forwards: 70
Content-Type: text/plain
Content-Length: [len]

a body
]]></send>
  <recv response="200"/>
</scenario>
"#;

async fn sipp(stage: Arc<Stage>, qop: Qop) -> Outcome {
    // SIPp 3.6 knows MD5 only.
    let mut config = DigestConfig::default();
    config.algorithms = vec![Algorithm::Md5];
    config.qop = vec![qop.clone()];
    let registrar = Registrar::start(config).await?;
    let scenario = stage.write("register.xml", SCENARIO);
    let (remote, local) = (format!("127.0.0.1:{}", registrar.port), free_port().to_string());
    let arguments = [
        "-sf",
        &scenario,
        "-i",
        "127.0.0.1",
        "-p",
        &local,
        "-nostdin",
        "-m",
        "50",
        "-r",
        "50",
        "-timeout",
        "60",
        "-timeout_error",
        "-trace_err",
        &remote,
    ];
    stage.start("sipp", "sipp", &arguments).succeeds().await?;
    registrar.expect(&Algorithm::Md5, &qop).await
}

async fn baresip(stage: Arc<Stage>) -> Outcome {
    // baresip 1.0 knows MD5 only, and gives up at a challenge for SHA-256 that stands above.
    let mut config = DigestConfig::default();
    config.algorithms = vec![Algorithm::Md5];
    let registrar = Registrar::start(config).await?;
    let modules = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"];
    let modules = modules.into_iter().find(|folder| std::path::Path::new(folder).is_dir());
    let modules = modules.ok_or("baresip's modules are not where they should be")?;
    stage.write(
        "config",
        format!(
            "module_path {modules}\npoll_method epoll\nnet_interface 127.0.0.1\nsip_listen 127.0.0.1:0\n\
             module g711.so\nmodule_tmp account.so\nmodule_app menu.so\n"
        ),
    );
    let account = format!("<sip:alice@127.0.0.1:{}>;auth_pass=secret;regint=60\n", registrar.port);
    stage.write("accounts", account);
    stage.write("contacts", "");
    let folder = stage.path("").to_str().unwrap().to_owned();
    let mut baresip = stage.start("baresip", "baresip", &["-f", &folder, "-v", "-s"]);
    baresip.says("[1 binding]").await?;
    registrar.expect(&Algorithm::Md5, &Qop::Auth).await
}

async fn linphone(stage: Arc<Stage>) -> Outcome {
    let mut config = DigestConfig::default();
    config.algorithms = vec![Algorithm::Sha256, Algorithm::Md5];
    let registrar = Registrar::start(config).await?;
    let settings = stage.write(
        "linphonerc",
        format!(
            "[sip]\nsip_port=-1\nsip_tcp_port=0\nsip_tls_port=0\ndefault_proxy=0\nguess_hostname=1\nuse_ipv6=0\n\
             [auth_info_0]\nusername=alice\npasswd=secret\nrealm=127.0.0.1\nalgorithm=SHA-256\n\
             available_algorithms=MD5,SHA-256\ndomain=127.0.0.1\n\
             [proxy_0]\nreg_proxy=<sip:127.0.0.1:{0};transport=udp>\nreg_identity=<sip:alice@127.0.0.1:{0}>\n\
             reg_expires=60\nreg_sendregister=1\n",
            registrar.port
        ),
    );
    // Its database has a folder of its own.
    std::fs::create_dir_all(stage.path(".local/share/linphone"))?;
    let home = format!("HOME={}", stage.path("").display());
    let _linphone = stage.start("linphonec", "env", &[&home, "linphonec", "-c", &settings]);
    registrar.expect(&Algorithm::Sha256, &Qop::Auth).await
}
