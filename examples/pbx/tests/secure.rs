//! The PBX over TLS and WebSocket, with phones of `sidetone_sip_ua` on loopback and certificates made at run time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use core::time::Duration;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sidetone_hal::audio::{AudioFormat, AudioPort};
use sidetone_pbx::{Pbx, PbxEvent, PbxEvents, PbxHandle};
use sidetone_sip_core::driver::{CaSet, Certificates, ClientAuth, Identity, TlsConfig, WebSocketConfig};
use sidetone_sip_core::{Protocol, StatusCode};
use sidetone_sip_ua::{
    Account, AccountConfig, Call, CallEvent, EndedBy, RegistrationState, UserAgent, UserAgentEvent,
};

/// The bound on every wait: far more than anything takes, so that it is met only when something hangs.
const BOUND: Duration = Duration::from_secs(60);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(BOUND, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen within {BOUND:?}"),
    }
}

/// A sound device that says nothing.
struct Silence;

impl AudioPort for Silence {
    fn format(&self) -> AudioFormat {
        AudioFormat::NARROWBAND
    }
    fn read(&mut self, captured: &mut [i16]) {
        captured.fill(0);
    }
    fn write(&mut self, _playout: &[i16]) {}
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn certificates(&self) -> Certificates {
        Certificates::parse(self.0.pem().as_bytes()).unwrap()
    }

    fn identity(&self, names: &[&str]) -> Identity {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &self.0).unwrap();
        Identity::parse(leaf.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap()
    }

    fn server(&self) -> TlsConfig {
        TlsConfig::new().ca_set(CaSet::Own).server(self.identity(&["127.0.0.1", "localhost"]))
    }

    fn client(&self) -> TlsConfig {
        TlsConfig::new().ca_set(CaSet::Own).trust(self.certificates())
    }
}

async fn pbx(tls: TlsConfig) -> (PbxHandle, PbxEvents) {
    let any = "127.0.0.1:0".parse().unwrap();
    let builder = Pbx::builder().udp(any).tls(any).ws(any).wss(any).tls_config(tls);
    let builder = builder.websocket(WebSocketConfig::new().path("/sip"));
    let pbx = builder.user("alice", "a secret").user("bob", "b secret").start().await.unwrap();
    let events = pbx.events();
    (pbx, events)
}

fn port(pbx: &PbxHandle, protocol: Protocol) -> u16 {
    pbx.listening().iter().find(|(spoken, _)| *spoken == protocol).unwrap().1.port()
}

async fn phone(tls: TlsConfig, account: &str) -> (UserAgent, Account) {
    let any = "127.0.0.1:0".parse().unwrap();
    let builder = UserAgent::builder().bind_udp(any).tls(tls);
    let agent = builder.websocket(WebSocketConfig::new().path("/sip")).build().await.unwrap();
    let account = agent.add_account(AccountConfig::parse(account).unwrap()).await.unwrap();
    (agent, account)
}

async fn contact_of(events: &mut PbxEvents, name: &str) -> String {
    soon("a registration", async {
        loop {
            match events.next().await.unwrap() {
                PbxEvent::Registered { user, contact, .. } if user == name => return contact.to_string(),
                _ => {}
            }
        }
    })
    .await
}

async fn established(call: &mut Call) {
    soon("an answer", async {
        loop {
            match call.next_event().await.expect("a call tells its end") {
                CallEvent::Established => return,
                CallEvent::Ended(cause) => panic!("{cause}"),
                _ => {}
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phones_register_and_call_by_every_secure_transport() {
    let authority = Authority::new();
    let (pbx, mut events) = pbx(authority.server()).await;
    let (tls, ws, wss) = (port(&pbx, Protocol::Tls), port(&pbx, Protocol::Ws), port(&pbx, Protocol::Wss));
    let said = pbx.to_string();
    assert!(said.contains(&format!("tls 127.0.0.1:{tls}")) && said.contains(&format!("wss 127.0.0.1:{wss}")));
    for (alice, bob, alices, bobs) in [
        (
            format!("sip:alice:a%20secret@127.0.0.1:{tls};transport=tls"),
            format!("sips:bob:b%20secret@127.0.0.1:{tls}"),
            "sip:alice@127.0.0.1:PORT;transport=tls",
            "sips:bob@127.0.0.1:PORT;transport=tcp",
        ),
        (
            format!("sip:alice:a%20secret@127.0.0.1:{ws};transport=ws"),
            format!("sip:bob:b%20secret@localhost:{tls};transport=tls"),
            "sip:alice@HOST;transport=ws",
            "sip:bob@127.0.0.1:PORT;transport=tls",
        ),
    ] {
        let (alices_agent, alice) = phone(authority.client(), &alice).await;
        soon("registration", alice.registered()).await.unwrap();
        let contact = contact_of(&mut events, "alice").await;
        assert_eq!(shape(&contact, alices), alices, "{contact}");
        let (mut bobs_agent, bob) = phone(authority.client(), &bob).await;
        soon("registration", bob.registered()).await.unwrap();
        let contact = contact_of(&mut events, "bob").await;
        assert_eq!(shape(&contact, bobs), bobs, "{contact}");

        let mut call = alice.call("bob", Silence).await.unwrap();
        let incoming = soon("the call", async {
            loop {
                if let Some(UserAgentEvent::Incoming(call)) = bobs_agent.next_event().await {
                    return call;
                }
            }
        })
        .await;
        let mut answered = incoming.answer(Silence).await.unwrap();
        established(&mut call).await;
        established(&mut answered).await;
        call.hangup().await.unwrap();
        let by = soon("the end", async {
            loop {
                if let Some(CallEvent::Ended(cause)) = answered.next_event().await {
                    return cause.by;
                }
            }
        });
        assert_eq!(by.await, EndedBy::Remote);
        if bobs.starts_with("sips:") {
            // What is sent to a sips URI goes to nobody who has registered a sip one (RFC 5630 §3.1).
            let mut call = bob.call("alice", Silence).await.unwrap();
            let status = soon("a refusal", async {
                loop {
                    if let Some(CallEvent::Ended(cause)) = call.next_event().await {
                        return cause.status;
                    }
                }
            });
            assert_eq!(status.await, Some(StatusCode::TEMPORARILY_UNAVAILABLE));
        }
        let mut echo = bob.call("*43", Silence).await.unwrap();
        established(&mut echo).await;
        echo.hangup().await.unwrap();
        alices_agent.shutdown().await;
        bobs_agent.shutdown().await;
    }
    pbx.shutdown().await;
}

/// The contact with its changing parts named as in the pattern.
fn shape(contact: &str, pattern: &str) -> String {
    let (head, rest) = contact.split_once('@').unwrap();
    let (place, params) = rest.split_once(';').unwrap();
    let place = match (pattern.contains("HOST"), place.rsplit_once(':')) {
        (true, _) => "HOST".to_owned(),
        (false, Some((host, _))) => format!("{host}:PORT"),
        (false, None) => place.to_owned(),
    };
    let transport = params.split(';').find(|param| param.starts_with("transport=")).unwrap();
    format!("{head}@{place};{transport}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_trust_there_is_no_registration_until_the_configuration_changes() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (pbx, _) = pbx(authority.server()).await;
    let aor = format!("sips:alice:a%20secret@127.0.0.1:{}", port(&pbx, Protocol::Tls));
    let (agent, account) = phone(other.client(), &aor).await;
    let failed = async {
        let mut state = account.state();
        while !matches!(state, RegistrationState::Failed { .. }) {
            state = account.state_changed(&state).await.unwrap();
        }
    };
    soon("a refusal", failed).await;
    // The phone learns to trust the PBX; then the PBX gets a new certificate, and the phone, whose connection lives on,
    // notices nothing.
    agent.reload_tls(authority.client()).await.unwrap();
    account.register().await.unwrap();
    soon("registration", account.registered()).await.unwrap();
    pbx.reload_tls(&other.server()).unwrap();
    let mut call = account.call("999", Silence).await.unwrap();
    let status = soon("the answer", async {
        loop {
            if let Some(CallEvent::Ended(cause)) = call.next_event().await {
                return cause.status;
            }
        }
    });
    assert_eq!(status.await, Some(StatusCode::NOT_FOUND));
    let (_newcomer, account) = phone(other.client(), &aor).await;
    soon("registration", account.registered()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pbx_may_let_in_only_devices_with_certificates() {
    let (authority, devices) = (Authority::new(), Authority::new());
    let config = authority.server().client_auth(ClientAuth::Required, devices.certificates());
    let (pbx, _) = pbx(config).await;
    let aor = format!("sip:alice:a%20secret@127.0.0.1:{};transport=tls", port(&pbx, Protocol::Tls));
    let (_agent, account) = phone(authority.client().client(devices.identity(&["alice"])), &aor).await;
    soon("registration", account.registered()).await.unwrap();
    let (_agent, account) = phone(authority.client(), &aor).await;
    let mut state = account.state();
    let failed = async {
        while !matches!(state, RegistrationState::Failed { .. }) {
            state = account.state_changed(&state).await.unwrap();
        }
    };
    soon("a refusal", failed).await;
}
