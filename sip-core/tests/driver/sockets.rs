//! The driver with real sockets on loopback. Every wait is for an event, with a bound.

use crate::party::{Party, bounded};
use crate::support::{address, request};
use core::net::{IpAddr, SocketAddr};
use sidetone_hal::time::Duration;
use sidetone_sip_core::driver::{self, DriverConfig, Io, IoEvent};
use sidetone_sip_core::header::Via;
use sidetone_sip_core::{
    Event, FlowError, Input, Instant, Method, Protocol, SendError, StatusCode, Target, TransactionFailure,
    WakeReason,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

impl Party {
    fn loopback() -> Self {
        Self::new(&DriverConfig::new().udp(address("127.0.0.1:0")).tcp(address("127.0.0.1:0")))
    }

    fn target(&self, protocol: Protocol) -> Target {
        let address = match protocol {
            Protocol::Udp => self.io.udp_addresses()[0],
            _ => self.io.tcp_addresses()[0],
        };
        Target::new(protocol, address)
    }

    /// Answers one request, then keeps the sockets served.
    async fn answer(mut self, status: StatusCode) {
        let Event::Request { transaction, request, .. } = self.event().await else { panic!() };
        let response = request.response(status, Some("b"));
        self.endpoint.respond(self.io.now(), transaction, response).unwrap();
        loop {
            self.turn().await;
        }
    }
}

#[tokio::test]
async fn a_request_is_answered_over_udp_and_over_tcp() {
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let (mut alice, bob) = (Party::loopback(), Party::loopback());
        let target = bob.target(protocol);
        let bob = tokio::spawn(bob.answer(StatusCode::BUSY_HERE));
        alice.endpoint.request(alice.io.now(), request(&Method::INVITE, "a@b"), &target).unwrap();
        let Event::Response { response, source, .. } = bounded(alice.event()).await else { panic!() };
        assert_eq!(
            (response.status, source.protocol, source.remote),
            (StatusCode::BUSY_HERE, protocol, target.address)
        );
        let via: Via = response.headers.require().unwrap();
        assert_eq!(via.received(), Some(IpAddr::from([127, 0, 0, 1])));
        bob.abort();
    }
}

#[tokio::test]
async fn a_large_message_crosses_tcp_in_pieces() {
    let (mut alice, mut bob) = (Party::loopback(), Party::loopback());
    let mut message = request(&Method::MESSAGE, "a@b");
    message.set_body(&"text/plain".parse().unwrap(), "x".repeat(60_000));
    alice.endpoint.request(alice.io.now(), message, &bob.target(Protocol::Tcp)).unwrap();
    let received = bounded(async {
        loop {
            tokio::select! {
                () = alice.turn() => {}
                event = bob.event() => break event,
            }
        }
    });
    let Event::Request { request, .. } = received.await else { panic!() };
    assert_eq!(request.body.len(), 60_000);
}

#[tokio::test]
async fn a_refused_connection_fails_the_request() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut alice = Party::loopback();
    let target = Target::new(Protocol::Tcp, closed);
    let id = alice.endpoint.request(alice.io.now(), request(&Method::OPTIONS, "a@b"), &target).unwrap();
    let event = bounded(alice.event()).await;
    let refused = TransactionFailure::Transport(FlowError::Refused);
    assert!(
        matches!(event, Event::Failed { transaction, cause } if transaction == id && cause == refused),
        "{event:?}"
    );
}

#[tokio::test]
async fn a_peer_that_closes_fails_what_waits_on_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut alice = Party::loopback();
    let target = Target::new(Protocol::Tcp, listener.local_addr().unwrap());
    alice.endpoint.request(alice.io.now(), request(&Method::OPTIONS, "a@b"), &target).unwrap();
    let peer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut first = [0; 7];
        stream.read_exact(&mut first).await.unwrap();
        first
    });
    let event = bounded(alice.event()).await;
    assert_eq!(&peer.await.unwrap(), b"OPTIONS");
    assert!(matches!(event, Event::Failed { cause: TransactionFailure::Transport(_), .. }), "{event:?}");
    assert_eq!(alice.endpoint.flow_count(), 0);
}

#[tokio::test]
async fn a_ping_is_answered_and_a_broken_stream_closed() {
    let mut bob = Party::loopback();
    let to = bob.target(Protocol::Tcp).address;
    let peer = tokio::spawn(async move {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream.write_all(b"\r\n\r\n").await.unwrap();
        let mut pong = [0; 2];
        stream.read_exact(&mut pong).await.unwrap();
        assert_eq!(&pong, b"\r\n");
        stream.write_all(b"OPTIONS sip:a SIP/2.0\r\nContent-Length: much\r\n\r\n").await.unwrap();
        assert_eq!(stream.read(&mut pong).await.unwrap(), 0, "closed");
    });
    let served = async {
        tokio::pin!(peer);
        loop {
            tokio::select! {
                () = bob.turn() => {}
                result = &mut peer => break result.unwrap(),
            }
        }
    };
    bounded(served).await;
    assert_eq!(bob.endpoint.flow_count(), 0);
}

#[tokio::test]
async fn next_is_cancel_safe_and_honours_deadlines() {
    let (mut alice, bob) = (Party::loopback(), Party::loopback());
    let target = bob.target(Protocol::Udp);
    let bob = tokio::spawn(bob.answer(StatusCode::OK));
    alice.endpoint.request(alice.io.now(), request(&Method::OPTIONS, "a@b"), &target).unwrap();
    let event = bounded(async {
        loop {
            // Most of these are dropped unfinished; no datagram may be lost with them.
            tokio::select! {
                biased;
                event = alice.event() => break event,
                () = tokio::task::yield_now() => {}
            }
        }
    });
    assert!(matches!(event.await, Event::Response { .. }));
    bob.abort();
    assert!(matches!(alice.endpoint.poll_timeout(), Some((_, WakeReason::Transaction(_)))));
    let past = Some(Instant::ZERO);
    assert!(matches!(bounded(alice.io.next(&mut alice.endpoint, past)).await, IoEvent::Timeout));
    let soon = alice.io.now() + Duration::from_millis(20);
    assert!(matches!(bounded(alice.io.next(&mut alice.endpoint, Some(soon))).await, IoEvent::Timeout));
    assert!(alice.io.now() >= soon);
}

#[tokio::test]
async fn a_socket_on_every_address_names_the_one_that_reaches_the_peer() {
    let mut alice = Party::new(&DriverConfig::new().udp(address("0.0.0.0:0")));
    let loopback = address("127.0.0.1:5060");
    assert_eq!(alice.io.local_toward(loopback).unwrap(), loopback.ip());
    assert!(!alice.endpoint.has_route(loopback.ip()));
    alice.io.learn_route(&mut alice.endpoint, loopback);
    assert!(alice.endpoint.has_route(loopback.ip()));
    let port = alice.io.udp_addresses()[0].port();
    let named = alice.endpoint.local_address(Protocol::Udp, Some(loopback));
    assert_eq!(named, Some(SocketAddr::new(loopback.ip(), port)));

    // And a whole exchange works through it; what comes in teaches the way back.
    let mut alice = Party::new(&DriverConfig::new().udp(address("0.0.0.0:0")));
    let port = alice.io.udp_addresses()[0].port();
    let bob = Party::new(&DriverConfig::new().udp(address("0.0.0.0:0")));
    let target = Target::new(Protocol::Udp, SocketAddr::new(loopback.ip(), bob.io.udp_addresses()[0].port()));
    let bob = tokio::spawn(bob.answer(StatusCode::OK));
    alice.endpoint.request(alice.io.now(), request(&Method::OPTIONS, "a@b"), &target).unwrap();
    let Event::Response { response, .. } = bounded(alice.event()).await else { panic!() };
    let via: Via = response.headers.require().unwrap();
    assert_eq!((via.host.ip(), via.port), (Some(loopback.ip()), Some(port)));
    assert!(alice.endpoint.has_route(loopback.ip()));
    bob.abort();
}

#[tokio::test]
async fn a_port_in_use_is_named_in_the_error() {
    let party = Party::loopback();
    let taken = party.io.udp_addresses()[0];
    let error = Io::bind(&DriverConfig::new().udp(taken)).map(drop).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
}

#[tokio::test]
async fn a_connection_that_takes_nothing_is_closed_at_the_bound() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = DriverConfig::new().tcp(address("127.0.0.1:0"));
    config.write_queue = 4;
    let mut alice = Party::new(&config);
    let target = Target::new(Protocol::Tcp, listener.local_addr().unwrap());
    let mut requests = 0;
    let event = bounded(async {
        // The peer accepts and never reads: its window, our socket and the queue fill.
        let _peer = {
            alice.endpoint.request(alice.io.now(), request(&Method::OPTIONS, "first@us"), &target).unwrap();
            tokio::select! {
                event = alice.event() => panic!("{event:?}"),
                peer = listener.accept() => peer.unwrap(),
            }
        };
        loop {
            let mut message = request(&Method::MESSAGE, "a@b");
            message.set_body(&"text/plain".parse().unwrap(), "x".repeat(60_000));
            match alice.endpoint.request(alice.io.now(), message, &target) {
                Ok(_) => requests += 1,
                Err(SendError::Flow(FlowError::Overflow)) => {}
                Err(error) => panic!("{error}"),
            }
            alice.io.flush(&mut alice.endpoint);
            tokio::select! {
                biased;
                event = alice.event() => break event,
                () = tokio::task::yield_now() => {}
            }
        }
    })
    .await;
    let overflow = TransactionFailure::Transport(FlowError::Overflow);
    assert!(matches!(event, Event::Failed { cause, .. } if cause == overflow), "{event:?}");
    assert!(requests > 4);
}

#[test]
fn seeds_differ() {
    assert_ne!(driver::seed(), driver::seed());
}

#[tokio::test]
async fn inputs_of_unknown_flows_do_nothing() {
    let mut alice = Party::loopback();
    let flow = sidetone_sip_core::FlowId(77);
    let now = alice.io.now();
    alice.endpoint.handle_input(now, Input::FlowUp { flow, local: address("127.0.0.1:1") });
    alice.endpoint.handle_input(now, Input::FlowDown { flow, reason: FlowError::Closed });
    alice.endpoint.handle_input(now, Input::Stream { flow, bytes: "x".into() });
    assert!(alice.endpoint.poll_event().is_none() && alice.endpoint.flow_count() == 0);
}
