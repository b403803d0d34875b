//! A user agent whose registrars dnsmasq names, the first of them dead.
#![allow(
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::std_instead_of_core,
    reason = "a panic is a test's way of failing, and it owns the clock"
)]

#[path = "../../sip-core/tests/support/dnsmasq.rs"]
mod dnsmasq;
#[path = "../../sip-core/tests/support/programs.rs"]
mod programs;

use dnsmasq::{DNSMASQ, Dnsmasq};
use programs::{Outcome, Stage, trial};
use sidetone_hal::net::SocketAddr;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{CallId, Contact};
use sidetone_sip_core::{Limits, Message, Method, Request, StatusCode};
use sidetone_sip_ua::{Account, AccountConfig, AgentConfig, UserAgent};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

const BOUND: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    programs::run(vec![
        trial("of_two_registrars_the_first_is_dead", &[DNSMASQ], of_two_registrars_the_first_is_dead),
        trial(
            "after_a_503_the_other_registrar_is_asked",
            &[DNSMASQ],
            after_a_503_the_other_registrar_is_asked,
        ),
    ])
}

/// A registrar that answers with this status, and tells of what it was asked.
async fn registrar(status: StatusCode) -> (SocketAddr, mpsc::UnboundedReceiver<Request>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
            let bytes = buffer[..len].to_vec().into();
            let Ok(Message::Request(request)) = Message::parse(bytes, &Limits::default()) else { continue };
            let mut response = request.response(status, Some("registrar"));
            if let Ok(contact) = request.headers.require::<Contact>()
                && status.is_success()
            {
                response.headers.push(&contact.with_expires(600));
            }
            socket.send_to(&response.to_bytes(), from).await.unwrap();
            if sender.send(request).is_err() {
                return;
            }
        }
    });
    (address, receiver)
}

/// A DNS server that names two registrars, the first of which is wanted.
async fn dns(stage: &Stage, first: SocketAddr, second: SocketAddr) -> Result<Dnsmasq, libtest_mimic::Failed> {
    let options = [
        "--local=/test/".to_owned(),
        "--local-ttl=300".to_owned(),
        "--host-record=localhost4.test,127.0.0.1".to_owned(),
        format!("--srv-host=_sip._udp.pbx.test,localhost4.test,{},1,0", first.port()),
        format!("--srv-host=_sip._udp.pbx.test,localhost4.test,{},2,0", second.port()),
    ];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    Dnsmasq::start(stage, &options).await
}

/// An account at that domain, and the user agent that has it; T1 is 60 ms, so a dead server takes 3.84 s, and one
/// that is alive answers in that time on a busy machine too.
async fn account(dns: &Dnsmasq) -> Result<(UserAgent, Account), libtest_mimic::Failed> {
    let mut config = AgentConfig::new([7; 32]);
    config.endpoint.timers.t1 = Duration::from_millis(60);
    let agent = UserAgent::builder()
        .bind_udp("127.0.0.1:0".parse()?)
        .dns_server(dns.address)
        .config(config)
        .build()
        .await?;
    let account = agent.add_account(AccountConfig::parse("sip:alice@pbx.test")?).await?;
    Ok((agent, account))
}

async fn of_two_registrars_the_first_is_dead(stage: Arc<Stage>) -> Outcome {
    // Bound, and silent until later.
    let dead = UdpSocket::bind("127.0.0.1:0").await?;
    let (second, mut requests) = registrar(StatusCode::OK).await;
    let mut dns = dns(&stage, dead.local_addr()?, second).await?;
    let (agent, account) = account(&dns).await?;
    let expires = tokio::time::timeout(BOUND, account.registered()).await??;
    assert_eq!(expires, Duration::from_secs(600));
    // The first was asked, by the same request.
    let mut buffer = [0; 4096];
    let len = tokio::time::timeout(BOUND, dead.recv(&mut buffer)).await??;
    let Message::Request(asked) = Message::parse(buffer[..len].to_vec().into(), &Limits::default())? else {
        return Err("expected a request".into());
    };
    let answered = requests.recv().await.ok_or("the registrar has ended")?;
    assert_eq!((&asked.method, &answered.method), (&Method::REGISTER, &Method::REGISTER));
    assert_eq!(asked.headers.require::<CallId>()?, answered.headers.require::<CallId>()?);
    // Again: it is remembered to be dead, so the second is asked at once, and DNS not at all.
    while dead.try_recv(&mut buffer).is_ok() {}
    account.register().await?;
    let again = tokio::time::timeout(BOUND, requests.recv()).await?.ok_or("the registrar has ended")?;
    assert_eq!(again.method, Method::REGISTER);
    assert!(dead.try_recv(&mut buffer).is_err(), "the dead one was asked again");
    let sentinel = UdpSocket::bind("127.0.0.1:0").await?;
    sentinel.send_to(&question("sentinel", "test"), dns.address).await?;
    let mut questions = dns.asked_before("sentinel.test").await?;
    questions.sort();
    // dnsmasq sends the address along with the SRV record; AAAA is asked for.
    questions.retain(|question| question != "A localhost4.test");
    assert_eq!(questions, ["AAAA localhost4.test", "SRV _sip._udp.pbx.test"]);
    agent.shutdown().await;
    Ok(())
}

async fn after_a_503_the_other_registrar_is_asked(stage: Arc<Stage>) -> Outcome {
    let (first, mut refused) = registrar(StatusCode::SERVICE_UNAVAILABLE).await;
    let (second, mut requests) = registrar(StatusCode::OK).await;
    let dns = dns(&stage, first, second).await?;
    let (agent, account) = account(&dns).await?;
    tokio::time::timeout(BOUND, account.registered()).await??;
    assert_eq!(refused.recv().await.ok_or("no request")?.method, Method::REGISTER);
    assert_eq!(requests.recv().await.ok_or("no request")?.method, Method::REGISTER);
    agent.shutdown().await;
    Ok(())
}

/// A question for the A record of `host.domain`, as it is sent (RFC 1035 §4.1).
fn question(host: &str, domain: &str) -> Vec<u8> {
    let mut bytes = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in [host, domain] {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}
