//! UDP of the driver with real sockets on loopback. Every wait is for an event, with a bound.

use crate::party::{Party, bounded};
use crate::support::{address, parse, request};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use sidetone_hal::time::Duration;
use sidetone_sip_core::driver::{self, DriverConfig, Io, IoEvent};
use sidetone_sip_core::header::Via;
use sidetone_sip_core::{
    Endpoint, EndpointConfig, Event, FlowError, FlowId, Input, Message, Method, Protocol, StatusCode, Target,
    TransactionFailure, Transmit,
};
use std::io::ErrorKind;
use std::net::UdpSocket as StdSocket;
use std::sync::Arc;
use tokio::net::UdpSocket;

/// Far less than timers B and F.
const FAST: Duration = Duration::from_secs(30);

impl Party {
    fn udp_at(local: &str) -> Self {
        Self::new(&DriverConfig::new().udp(address(local)))
    }

    fn port(&self) -> u16 {
        self.io.udp_addresses()[0].port()
    }

    /// Answers every request with 200.
    async fn serve(mut self) {
        loop {
            if let Event::Request { transaction, request, .. } = self.event().await {
                let response = request.response(StatusCode::OK, Some("b"));
                self.endpoint.respond(self.io.now(), transaction, response).unwrap();
            }
        }
    }
}

/// A request as a stranger writes it.
fn foreign_options(from: SocketAddr, branch: usize) -> Vec<u8> {
    format!(
        "OPTIONS sip:us SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{branch};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:us>\r\nCall-ID: {branch}\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// A run of ports of 127.0.0.1 of which none is bound just now, outside of those that the system gives away.
fn free_ports(count: u16) -> (u16, Vec<StdSocket>) {
    let seed = u16::from_le_bytes([driver::seed()[0], driver::seed()[1]]);
    (0..200)
        .map(|step| 16_000 + seed.wrapping_add(step * 61) % 13_000)
        .find_map(|first| {
            let bind = |port| StdSocket::bind((Ipv4Addr::LOCALHOST, port)).ok();
            Some((first, (first..first + count).map(bind).collect::<Option<Vec<_>>>()?))
        })
        .expect("a run of free ports")
}

#[tokio::test]
async fn ten_thousand_datagrams_come_in_order_and_none_is_lost() {
    const COUNT: usize = 10_000;
    const WINDOW: usize = 500;
    let mut bob = Party::udp_at("127.0.0.1:0");
    let to = bob.io.udp_addresses()[0];
    let read = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&read);
    let sender = std::thread::spawn(move || {
        let socket = StdSocket::bind("127.0.0.1:0").unwrap();
        for number in 0..COUNT {
            // The reader keeps up: never more unread than the system's buffer holds.
            while number >= seen.load(Ordering::Acquire) + WINDOW {
                std::thread::yield_now();
            }
            socket.send_to(&number.to_le_bytes(), to).unwrap();
        }
    });
    bounded(async {
        for number in 0..COUNT {
            let Some(Input::Datagram { payload, .. }) = bob.input().await else { panic!() };
            assert_eq!(payload[..], number.to_le_bytes());
            read.store(number + 1, Ordering::Release);
        }
    })
    .await;
    sender.join().unwrap();
}

#[tokio::test]
async fn the_largest_datagrams_pass_both_ways() {
    for (local, largest) in [("127.0.0.1:0", 65_507), ("[::1]:0", 65_527)] {
        let mut bob = Party::udp_at(local);
        let (us, flow) = (bob.io.udp_addresses()[0], bob.io.udp_flows()[0]);
        let peer = UdpSocket::bind(local).await.unwrap();
        let payload: Vec<u8> = (0..largest).map(|index| (index % 251) as u8).collect();
        for length in [largest, 0, 1, 40_000, largest] {
            peer.send_to(&payload[..length], us).await.unwrap();
            let Some(Input::Datagram { payload: received, .. }) = bounded(bob.input()).await else {
                panic!()
            };
            assert_eq!(received, payload[..length], "{local} {length}");
            let destination = peer.local_addr().unwrap();
            bob.io.send(Transmit { flow, destination, payload: received.to_vec().into() });
            let mut buffer = vec![0; 65_536];
            let (returned, _) = bounded(peer.recv_from(&mut buffer)).await.unwrap();
            assert_eq!(buffer[..returned], payload[..length]);
        }
    }
}

#[tokio::test]
async fn a_socket_on_every_address_answers_from_the_one_that_was_asked() {
    let mut bob = Party::udp_at("0.0.0.0:0");
    let port = bob.port();
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let from = peer.local_addr().unwrap();
    // The system alone would answer all of them from 127.0.0.1.
    for (branch, asked) in ["127.0.0.2", "127.0.0.3", "127.0.0.1", "127.0.0.2"].into_iter().enumerate() {
        let asked = SocketAddr::new(asked.parse().unwrap(), port);
        peer.send_to(&foreign_options(from, branch), asked).await.unwrap();
        let Event::Request { transaction, request, .. } = bounded(bob.event()).await else { panic!() };
        let response = request.response(StatusCode::OK, Some("b"));
        bob.endpoint.respond(bob.io.now(), transaction, response).unwrap();
        bob.io.flush(&mut bob.endpoint);
        let mut buffer = [0; 2048];
        let (length, source) = bounded(peer.recv_from(&mut buffer)).await.unwrap();
        assert!(buffer[..length].starts_with(b"SIP/2.0 200 "));
        assert_eq!(source, asked);
        // And what we ask that peer in turn names the same address, and leaves from there.
        assert_eq!(bob.endpoint.local_address(Protocol::Udp, Some(from)), Some(asked));
        bob.options(Protocol::Udp, &format!("back{branch}"), from);
        bob.io.flush(&mut bob.endpoint);
        let (length, source) = bounded(peer.recv_from(&mut buffer)).await.unwrap();
        let Message::Request(request) = parse(&buffer[..length]) else { panic!() };
        let via: Via = request.headers.require().unwrap();
        assert_eq!((source, via.host.ip(), via.port), (asked, Some(asked.ip()), Some(port)));
    }
}

#[tokio::test]
async fn both_families_are_served_at_one_port() {
    let bob = Party::new(&DriverConfig::new().dual_stack(0));
    let addresses = bob.io.udp_addresses();
    let port = addresses[0].port();
    assert_eq!(
        addresses,
        [SocketAddr::new("0.0.0.0".parse().unwrap(), port), SocketAddr::new("::".parse().unwrap(), port)]
    );
    assert_eq!(bob.io.tcp_addresses(), addresses);
    let bob = tokio::spawn(bob.serve());
    let mut alice = Party::new(&DriverConfig::new().dual_stack(0));
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        for host in ["127.0.0.1", "::1"] {
            let host: IpAddr = host.parse().unwrap();
            let target = Target::new(protocol, SocketAddr::new(host, port));
            let id = format!("{protocol}{host}").replace([':', '.'], "-");
            alice.endpoint.request(alice.io.now(), request(&Method::OPTIONS, &id), &target).unwrap();
            let Event::Response { response, source, .. } = bounded(alice.event()).await else { panic!() };
            let via: Via = response.headers.require().unwrap();
            assert_eq!(
                (response.status, source.remote, via.host.ip()),
                (StatusCode::OK, target.address, Some(host))
            );
        }
    }
    bob.abort();
}

/// The DSCP of the next datagram.
#[cfg(target_os = "linux")]
async fn received_dscp(socket: &UdpSocket) -> u8 {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
    use std::os::fd::AsRawFd;
    bounded(socket.async_io(tokio::io::Interest::READABLE, || {
        let mut buffer = [0; 2048];
        let mut buffer = [std::io::IoSliceMut::new(&mut buffer)];
        let mut space = nix::cmsg_space!(i32, i32);
        let flags = MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut buffer, Some(&mut space), flags)?;
        let class = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::Ipv4Tos(class) => Some(class),
            ControlMessageOwned::Ipv6TClass(class) => Some(class as u8),
            _ => None,
        });
        Ok(class.expect("a traffic class") >> 2)
    }))
    .await
    .unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_is_sent_carries_the_dscp_of_the_configuration() {
    // Also from a socket on every address that answers from a certain one.
    for (ours, theirs) in [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("0.0.0.0:0", "127.0.0.2:0"),
        ("[::1]:0", "[::1]:0"),
        ("[::]:0", "[::1]:0"),
    ] {
        for dscp in [0, 26, 46, 63] {
            let mut bob = Party::new(&DriverConfig::new().udp(address(ours)).dscp(dscp));
            let peer = UdpSocket::bind(theirs).await.unwrap();
            let (to, port) = (peer.local_addr().unwrap(), bob.port());
            let socket = socket2::SockRef::from(&peer);
            if to.is_ipv4() { socket.set_recv_tos_v4(true) } else { socket.set_recv_tclass_v6(true) }
                .unwrap();
            bob.options(Protocol::Udp, "a", to);
            bob.io.flush(&mut bob.endpoint);
            assert_eq!(received_dscp(&peer).await, dscp, "{ours} {dscp}");
            let us = SocketAddr::new(if to.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { to.ip() }, port);
            peer.send_to(&foreign_options(to, 1), us).await.unwrap();
            let Event::Request { transaction, request, .. } = bounded(bob.event()).await else { panic!() };
            bob.endpoint
                .respond(bob.io.now(), transaction, request.response(StatusCode::OK, Some("b")))
                .unwrap();
            bob.io.flush(&mut bob.endpoint);
            assert_eq!(received_dscp(&peer).await, dscp, "{ours} {dscp}");
        }
    }
}

#[tokio::test]
async fn a_dscp_beyond_six_bits_is_refused() {
    let error = Io::bind(&DriverConfig::new().dscp(64)).map(drop).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (ErrorKind::InvalidInput, "DSCP 64: expected 0 to 63".into())
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_port_that_nobody_listens_at_fails_the_request_at_once_and_no_other() {
    for local in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
        let loopback = if local.starts_with('[') { "[::1]:0" } else { "127.0.0.1:0" };
        let closed = StdSocket::bind(loopback).unwrap().local_addr().unwrap();
        let silent = UdpSocket::bind(loopback).await.unwrap();
        let bob = Party::udp_at(loopback);
        let living = bob.io.udp_addresses()[0];
        let bob = tokio::spawn(bob.serve());
        let mut alice = Party::udp_at(local);
        let begun = alice.io.now();
        let waiting = alice.options(Protocol::Udp, "silent", silent.local_addr().unwrap());
        for round in 0..3 {
            let refused = [1, 2]
                .map(|number| alice.options(Protocol::Udp, &format!("refused{round}-{number}"), closed));
            let answered = alice.options(Protocol::Udp, &format!("answered{round}"), living);
            let (mut failures, mut responses) = (Vec::new(), Vec::new());
            bounded(async {
                while failures.len() < refused.len() || responses.is_empty() {
                    match alice.event().await {
                        Event::Failed { transaction, cause } => failures.push((transaction, cause)),
                        Event::Response { transaction, .. } => responses.push(transaction),
                        event => panic!("{event:?}"),
                    }
                }
            })
            .await;
            let cause = TransactionFailure::Transport(FlowError::Refused);
            failures.sort_by_key(|(transaction, _)| *transaction == refused[1]);
            assert_eq!(failures, refused.map(|transaction| (transaction, cause)), "{local}");
            assert_eq!(responses, [answered], "{local}");
        }
        assert!(alice.io.now() < begun + FAST, "not by a timer");
        let failed = core::iter::from_fn(|| alice.endpoint.poll_event())
            .any(|event| matches!(event, Event::Failed { transaction, .. } if transaction == waiting));
        assert!(!failed, "the silent peer may still answer");
        bob.abort();
    }
}

#[tokio::test]
async fn a_flood_holds_up_neither_timers_nor_other_tasks() {
    let mut bob = Party::udp_at("127.0.0.1:0");
    let to = bob.io.udp_addresses()[0];
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let flood = std::thread::spawn(move || {
        let socket = StdSocket::bind("127.0.0.1:0").unwrap();
        while !stopped.load(Ordering::Relaxed) {
            socket.send_to(b"\r\n\r\n", to).unwrap();
        }
    });
    let other = tokio::spawn(async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    });
    bounded(async {
        // A deadline ends each round, however much comes; a busy machine has little of it in one.
        let mut inputs = 0_u64;
        while inputs <= 100 {
            let deadline = bob.io.now() + Duration::from_millis(300);
            while let IoEvent::Input(_) = bob.io.next(&mut bob.endpoint, Some(deadline)).await {
                inputs += 1;
            }
        }
        while !other.is_finished() {
            bob.io.next(&mut bob.endpoint, None).await;
        }
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    flood.join().unwrap();
}

#[tokio::test]
async fn a_port_is_drawn_from_its_range() {
    let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
    let (first, sockets) = free_ports(4);
    let range = first..=first + 3;
    let config = DriverConfig::new().udp_range(localhost, range.clone());
    let error = Io::bind(&config).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert_eq!(error.to_string(), format!("UDP 127.0.0.1: no free port in the range {first}-{}", first + 3));
    // The one that is free is found, wherever the draw begins.
    let mut sockets: Vec<_> = sockets.into_iter().map(Some).collect();
    for free in first..first + 4 {
        let place = usize::from(free - first);
        sockets[place] = None;
        let mut config = config.clone();
        for seed in 0..8 {
            config.seed = Some([seed; 32]);
            let io = Io::bind(&config).unwrap();
            assert_eq!(io.udp_addresses()[0].port(), free);
        }
        sockets[place] = Some(StdSocket::bind((localhost, free)).unwrap());
    }
    // With all free, the seed decides.
    drop(sockets);
    let draw = |seed| {
        let mut config = config.clone();
        config.seed = Some([seed; 32]);
        Io::bind(&config).unwrap().udp_addresses()[0].port()
    };
    assert_eq!(draw(1), draw(1));
    let drawn: std::collections::BTreeSet<_> = (0..64).map(draw).collect();
    assert_eq!(drawn, range.collect(), "every port is drawn at times");

    for empty in [0..=5, core::ops::RangeInclusive::new(25_003, 25_000)] {
        let text = format!("UDP 127.0.0.1: no port in the range {}-{}", empty.start(), empty.end());
        let error = Io::bind(&DriverConfig::new().udp_range(localhost, empty)).map(drop).unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::InvalidInput, text));
    }
}

#[tokio::test]
async fn another_port_takes_over_and_the_old_one_ends_with_its_transactions() {
    let (first, sockets) = free_ports(3);
    drop(sockets);
    let mut config = DriverConfig::new().udp_range(Ipv4Addr::LOCALHOST.into(), first..=first + 2);
    config.former_port = Duration::from_millis(50);
    let mut io = Io::bind(&config).unwrap();
    let mut config = EndpointConfig::new(driver::seed());
    config.timers.t4 = Duration::from_secs(2);
    let mut endpoint = Endpoint::new(config);
    io.attach(&mut endpoint);
    let mut alice = Party { endpoint, io };
    let old_flow = alice.io.udp_flows()[0];
    let old = alice.io.udp_addresses()[0];
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = peer.local_addr().unwrap();
    let mut buffer = [0; 2048];
    let before = alice.options(Protocol::Udp, "before", to);
    alice.io.flush(&mut alice.endpoint);
    let (length, source) = bounded(peer.recv_from(&mut buffer)).await.unwrap();
    assert_eq!(source, old);
    let Message::Request(waiting) = parse(&buffer[..length]) else { panic!() };

    let new_flow = alice.io.rebind(&mut alice.endpoint, old_flow).unwrap();
    let new = alice.io.udp_addresses()[0];
    assert!(new_flow != old_flow && new != old && (first..=first + 2).contains(&new.port()));
    assert_eq!(alice.io.udp_flows(), [new_flow]);
    assert_eq!(alice.endpoint.local_address(Protocol::Udp, Some(to)), Some(new));
    let after = alice.options(Protocol::Udp, "after", to);
    alice.io.flush(&mut alice.endpoint);
    let (length, source) = bounded(peer.recv_from(&mut buffer)).await.unwrap();
    let Message::Request(fresh) = parse(&buffer[..length]) else { panic!() };
    let via: Via = fresh.headers.require().unwrap();
    assert_eq!((source, via.port), (new, Some(new.port())));

    // What began at the old port ends there.
    for (request, at, id) in [(waiting, old, before), (fresh, new, after)] {
        peer.send_to(&request.response(StatusCode::OK, Some("b")).to_bytes(), at).await.unwrap();
        let Event::Response { transaction, .. } = bounded(alice.event()).await else { panic!() };
        assert_eq!(transaction, id);
    }
    assert_eq!(StdSocket::bind(old).unwrap_err().kind(), ErrorKind::AddrInUse, "still open");
    // Timer K ends the transaction, then the socket has nobody.
    bounded(async {
        while StdSocket::bind(old).is_err() {
            let soon = alice.io.now() + Duration::from_millis(20);
            assert!(matches!(alice.io.next(&mut alice.endpoint, Some(soon)).await, IoEvent::Timeout));
            alice.endpoint.handle_timeout(alice.io.now());
        }
    })
    .await;
    assert!(!alice.endpoint.uses(old_flow));
    let gone = alice.io.rebind(&mut alice.endpoint, old_flow).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_socket_with_no_other_port_keeps_its_own() {
    let mut alice = Party::udp_at("127.0.0.1:0");
    let any = alice.io.udp_addresses()[0];
    let flow = alice.io.udp_flows()[0];
    let mut flow = alice.io.rebind(&mut alice.endpoint, flow).expect("any port may become any other");
    assert_ne!(alice.io.udp_addresses()[0], any);
    // However often it changes, few old ones are kept.
    let mut former = vec![any];
    for _ in 0..20 {
        former.push(alice.io.udp_addresses()[0]);
        flow = alice.io.rebind(&mut alice.endpoint, flow).unwrap();
    }
    bounded(async {
        while former.iter().filter(|address| StdSocket::bind(address).is_err()).count() > 8 {
            tokio::task::yield_now().await;
        }
    })
    .await;

    let (port, sockets) = free_ports(1);
    drop(sockets);
    let fixed = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut alice = Party::new(&DriverConfig::new().udp(fixed));
    let flow = alice.io.udp_flows()[0];
    let error = alice.io.rebind(&mut alice.endpoint, flow).unwrap_err();
    let text = format!("UDP {fixed}: it has one port only, there is none to change to");
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::InvalidInput, text));
    assert_eq!((alice.io.udp_addresses(), alice.io.udp_flows()), (vec![fixed], vec![flow]));

    // A range of one that is our own.
    let (port, sockets) = free_ports(1);
    drop(sockets);
    let mut alice = Party::new(&DriverConfig::new().udp_range(Ipv4Addr::LOCALHOST.into(), port..=port));
    let flow = alice.io.udp_flows()[0];
    assert_eq!(alice.io.rebind(&mut alice.endpoint, flow).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(alice.io.rebind(&mut alice.endpoint, FlowId(99)).unwrap_err().kind(), ErrorKind::NotFound);
}
