//! TCP of the driver with real sockets on loopback: limits, ends of connections. Every wait is for an event, with a bound.

use crate::party::{Party, bounded};
use crate::support::{address, request};
use core::net::SocketAddr;
use sidetone_hal::time::Duration;
use sidetone_sip_core::driver::{self, DriverConfig, Io, IoEvent};
use sidetone_sip_core::{
    Endpoint, EndpointConfig, Event, FlowError, FlowId, Input, Method, Protocol, StatusCode, Target,
    TransactionFailure,
};
use socket2::{Domain, SockRef, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Far less than timers B and F.
const FAST: Duration = Duration::from_secs(30);

impl Party {
    fn tcp_at(local: &str) -> Self {
        Self::new(&DriverConfig::new().tcp(address(local)))
    }

    /// What ends the next connection.
    async fn end(&mut self) -> (FlowId, FlowError) {
        loop {
            match self.input().await {
                Some(Input::FlowDown { flow, reason }) => {
                    self.endpoint.handle_input(self.io.now(), Input::FlowDown { flow, reason });
                    return (flow, reason);
                }
                Some(input) => self.endpoint.handle_input(self.io.now(), input),
                None => {}
            }
        }
    }
}

fn foreign_options(number: usize) -> String {
    format!(
        "OPTIONS sip:us SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK{number}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:us>\r\nCall-ID: {number}\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

#[tokio::test]
async fn a_connect_that_nobody_answers_ends_at_its_limit() {
    // A listener whose queue is full: the system drops further attempts.
    let listener = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&address("127.0.0.1:0").into()).unwrap();
    listener.listen(0).unwrap();
    let to = listener.local_addr().unwrap().as_socket().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(to)).await
    {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the queue fills");
    }
    let mut config = DriverConfig::new().tcp(address("127.0.0.1:0"));
    config.connect_limit = Duration::from_millis(200);
    let mut alice = Party::new(&config);
    let begun = alice.io.now();
    alice.options(Protocol::Tcp, "a", to);
    let event = bounded(alice.event()).await;
    let cause = TransactionFailure::Transport(FlowError::TimedOut);
    assert!(matches!(event, Event::Failed { cause: found, .. } if found == cause), "{event:?}");
    assert!((begun + config.connect_limit..begun + FAST).contains(&alice.io.now()));
    assert_eq!(alice.endpoint.flow_count(), 0);
}

#[tokio::test]
async fn a_peer_that_takes_nothing_loses_its_connection_at_the_write_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let mut config = DriverConfig::new().tcp(address("127.0.0.1:0"));
    config.write_limit = Duration::from_millis(200);
    // Room for all that is sent here, so that only time ends it.
    config.write_queue = 10_000;
    let mut alice = Party::new(&config);
    alice.options(Protocol::Tcp, "first", to);
    let peer = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        let mut first = [0; 7];
        peer.read_exact(&mut first).await.unwrap();
        peer
    };
    // It takes the first bytes and no more.
    let _peer = bounded(async {
        tokio::select! {
            event = alice.event() => panic!("{event:?}"),
            peer = peer => peer,
        }
    })
    .await;
    for _ in 0..200 {
        let mut message = request(&Method::MESSAGE, "a@b");
        message.set_body(&"text/plain".parse().unwrap(), "x".repeat(60_000));
        alice.endpoint.request(alice.io.now(), message, &Target::new(Protocol::Tcp, to)).unwrap();
        alice.io.flush(&mut alice.endpoint);
        tokio::task::yield_now().await;
    }
    let (_, reason) = bounded(alice.end()).await;
    assert_eq!(reason, FlowError::TimedOut);
    assert_eq!(alice.endpoint.flow_count(), 0);
}

#[tokio::test]
async fn a_half_closed_connection_still_carries_the_answer() {
    for local in ["127.0.0.1:0", "[::1]:0"] {
        let mut bob = Party::tcp_at(local);
        let mut peer = TcpStream::connect(bob.io.tcp_addresses()[0]).await.unwrap();
        peer.write_all(foreign_options(1).as_bytes()).await.unwrap();
        peer.shutdown().await.unwrap();
        let Event::Request { transaction, request, .. } = bounded(bob.event()).await else { panic!() };
        let response = request.response(StatusCode::OK, Some("b"));
        bob.endpoint.respond(bob.io.now(), transaction, response).unwrap();
        let (_, reason) = bounded(bob.end()).await;
        assert_eq!(reason, FlowError::Closed);
        let mut answer = String::new();
        bounded(peer.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
        assert_eq!(bob.endpoint.flow_count(), 0);
    }
}

#[tokio::test]
async fn a_close_and_a_reset_are_told_apart() {
    for (reset, expected) in [(false, FlowError::Closed), (true, FlowError::Reset)] {
        let mut bob = Party::tcp_at("127.0.0.1:0");
        let mut peer = TcpStream::connect(bob.io.tcp_addresses()[0]).await.unwrap();
        peer.write_all(foreign_options(1).as_bytes()).await.unwrap();
        let Event::Request { .. } = bounded(bob.event()).await else { panic!() };
        if reset {
            // Without lingering, what a close sends is RST.
            SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
        }
        drop(peer);
        let (_, reason) = bounded(bob.end()).await;
        assert_eq!(reason, expected);
        assert_eq!(bob.endpoint.flow_count(), 0);
    }
}

#[tokio::test]
async fn a_peer_that_sends_faster_than_we_read_has_to_wait() {
    let mut config = DriverConfig::new().tcp(address("127.0.0.1:0"));
    config.read_queue = 4;
    let mut bob = Party::new(&config);
    let mut peer = TcpStream::connect(bob.io.tcp_addresses()[0]).await.unwrap();
    SockRef::from(&peer).set_send_buffer_size(64 * 1024).unwrap();
    bounded(async {
        // The connection is taken in; what comes on it is not read.
        while bob.endpoint.flow_count() == 0 {
            let soon = bob.io.now() + Duration::from_millis(20);
            assert!(matches!(bob.io.next(&mut bob.endpoint, Some(soon)).await, IoEvent::Timeout));
        }
    })
    .await;
    let mut sent = 0;
    let line_ends = [b'\n'; 16 * 1024];
    while let Ok(Ok(count)) = tokio::time::timeout(Duration::from_millis(500), peer.write(&line_ends)).await {
        sent += count;
        assert!(sent < 64 << 20, "our memory is not theirs to fill");
    }
    // And once it is read, all of it comes.
    let mut received = 0;
    bounded(async {
        while received < sent {
            if let Some(Input::Stream { bytes, .. }) = bob.input().await {
                assert!(bytes.len() <= 16 * 1024);
                received += bytes.len();
            }
        }
    })
    .await;
}

#[tokio::test]
async fn connections_go_on_while_datagrams_flood() {
    let config = DriverConfig::new().udp(address("127.0.0.1:0")).tcp(address("127.0.0.1:0"));
    let mut bob = Party::new(&config);
    let (udp, tcp) = (bob.io.udp_addresses()[0], bob.io.tcp_addresses()[0]);
    let stop = std::sync::Arc::new(core::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let flood = std::thread::spawn(move || {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        while !stopped.load(core::sync::atomic::Ordering::Relaxed) {
            socket.send_to(b"\r\n\r\n", udp).unwrap();
        }
    });
    let peer = tokio::spawn(async move {
        let mut peer = TcpStream::connect(tcp).await.unwrap();
        for number in 0..20 {
            peer.write_all(foreign_options(number).as_bytes()).await.unwrap();
            let mut start = [0; 11];
            peer.read_exact(&mut start).await.unwrap();
            assert_eq!(&start, b"SIP/2.0 200");
            let mut rest = Vec::new();
            while !rest.ends_with(b"\r\n\r\n") {
                rest.push(peer.read_u8().await.unwrap());
            }
        }
    });
    bounded(async {
        tokio::pin!(peer);
        loop {
            tokio::select! {
                result = &mut peer => break result.unwrap(),
                event = bob.event() => {
                    let Event::Request { transaction, request, .. } = event else { panic!("{event:?}") };
                    let response = request.response(StatusCode::OK, Some("b"));
                    bob.endpoint.respond(bob.io.now(), transaction, response).unwrap();
                }
            }
        }
    })
    .await;
    stop.store(true, core::sync::atomic::Ordering::Relaxed);
    flood.join().unwrap();
}

#[tokio::test]
async fn too_many_connections_from_one_address_are_closed() {
    let mut config = EndpointConfig::new(driver::seed());
    config.max_flows_per_address = 2;
    let mut io = Io::bind(&DriverConfig::new().tcp(address("0.0.0.0:0"))).unwrap();
    let mut endpoint = Endpoint::new(config);
    io.attach(&mut endpoint);
    let mut bob = Party { endpoint, io };
    let port = bob.io.tcp_addresses()[0].port();
    let served = async {
        loop {
            bob.turn().await;
        }
    };
    let peers = async {
        let ping = async |from: &str| {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
            let mut peer = socket.connect(SocketAddr::new("127.0.0.1".parse().unwrap(), port)).await.unwrap();
            // Refused, it may be gone before this is written.
            let _ = peer.write_all(b"\r\n\r\n").await;
            let answered = peer.read_u8().await.is_ok();
            (answered, peer)
        };
        let (first, second) = (ping("127.0.0.1").await, ping("127.0.0.1").await);
        assert!(first.0 && second.0);
        assert!(!ping("127.0.0.1").await.0, "one too many");
        assert!(ping("127.0.0.2").await.0, "others have their own");
        drop(first);
        // Once its end was noticed, there is room again.
        while !ping("127.0.0.1").await.0 {
            tokio::task::yield_now().await;
        }
    };
    bounded(async {
        tokio::select! {
            () = served => {}
            () = peers => {}
        }
    })
    .await;
}
