//! A failed registration changes the UDP port. Every wait is for an event, with a bound.

use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_sip_core::header::{Contact, Expires, Via};
use sidetone_sip_core::{Limits, Message, StatusCode};
use sidetone_sip_ua::{AccountConfig, AgentConfig, RegistrationState, UserAgent};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::net::UdpSocket;

/// More than anything here takes on a busy machine; a failure, not a pause.
const BOUND: Duration = Duration::from_secs(60);
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.unwrap_or_else(|_| panic!("no {what} within {BOUND:?}"))
}

/// Four ports in a row that are free just now, below those that the system gives to others.
fn free_ports() -> RangeInclusive<u16> {
    let seed = sidetone_sip_core::driver::seed();
    let start = u16::from_le_bytes([seed[0], seed[1]]);
    let is_free = |port| std::net::UdpSocket::bind((LOCALHOST, port)).is_ok();
    (0..200)
        .map(|step| 16_000 + start.wrapping_add(step * 61) % 13_000)
        .map(|first| first..=first + 3)
        .find(|range| range.clone().all(is_free))
        .expect("free ports")
}

/// Times that let a registration fail within three seconds, in which who is there answers on a busy machine too.
fn config() -> AgentConfig {
    let mut config = AgentConfig::new([7; 32]);
    config.endpoint.timers.t1 = Duration::from_millis(40);
    config.endpoint.timers.t2 = Duration::from_millis(160);
    config.retry_base = Duration::from_millis(100);
    config
}

/// The next REGISTER: whence, what its Via and its Contact name, and a 200 to it.
async fn register(registrar: &UdpSocket) -> (SocketAddr, u16, u16, Vec<u8>) {
    let mut buffer = [0; 4096];
    let (length, source) = within("REGISTER", registrar.recv_from(&mut buffer)).await.unwrap();
    let bytes = bytes::Bytes::copy_from_slice(&buffer[..length]);
    let Ok(Message::Request(request)) = Message::parse(bytes, &Limits::default()) else { panic!() };
    let via: Via = request.headers.require().unwrap();
    let Contact::Addr(contact) = request.headers.require::<Contact>().unwrap() else { panic!() };
    let mut response = request.response(StatusCode::OK, Some("registrar"));
    response.headers.push(&Contact::Addr(contact.clone()));
    response.headers.push(&Expires(3600));
    (source, via.port.unwrap(), contact.uri.port().unwrap(), response.to_bytes().to_vec())
}

#[tokio::test]
async fn a_registrar_that_is_deaf_to_one_port_is_reached_from_the_next() {
    let registrar = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let range = free_ports();
    let agent =
        UserAgent::builder().bind_udp_range(LOCALHOST, range.clone()).config(config()).build().await.unwrap();
    let first = agent.local_addr(Protocol::Udp).unwrap();
    assert!(range.contains(&first.port()));
    let account = AccountConfig::parse(&format!("sip:alice@{}", registrar.local_addr().unwrap())).unwrap();
    let account = agent.add_account(account.with_new_port_on_failure()).await.unwrap();

    let (second, answer) = loop {
        let (source, via, contact, answer) = register(&registrar).await;
        assert_eq!((via, contact), (source.port(), source.port()));
        if source != first {
            break (source, answer);
        }
    };
    assert!(range.contains(&second.port()));
    assert_eq!(agent.local_addr(Protocol::Udp), Some(second));
    registrar.send_to(&answer, second).await.unwrap();
    within("registration", async {
        let mut state = account.state();
        while !state.is_registered() {
            state = account.state_changed(&state).await.unwrap();
        }
    })
    .await;
    agent.shutdown_within(Duration::ZERO).await;
}

#[tokio::test]
async fn without_the_option_the_port_stays() {
    let registrar = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let agent =
        UserAgent::builder().bind_udp_range(LOCALHOST, free_ports()).config(config()).build().await.unwrap();
    let port = agent.local_addr(Protocol::Udp).unwrap();
    let account = AccountConfig::parse(&format!("sip:alice@{}", registrar.local_addr().unwrap())).unwrap();
    let account = agent.add_account(account).await.unwrap();
    let mut state = account.state();
    for _ in 0..2 {
        // Two failures, and what is sent between them.
        within("failure", async {
            while !matches!(state, RegistrationState::Failed { .. }) {
                state = account.state_changed(&state).await.unwrap();
            }
        })
        .await;
        let (source, ..) = register(&registrar).await;
        assert_eq!(source, port);
        state = account.state_changed(&state).await.unwrap();
    }
    assert_eq!(agent.local_addr(Protocol::Udp), Some(port));
    agent.shutdown_within(Duration::ZERO).await;
}
