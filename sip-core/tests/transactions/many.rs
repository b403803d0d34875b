//! 100 000 transactions at a time, in virtual time: each timer fires at its own microsecond, nothing is copied to be
//! sent again, and the memory is known and given back.

use crate::support::{PEER, US, address, config, parse, peer_request, peer_response, request};
use allocation_counter::measure;
use bytes::Bytes;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use sidetone_hal::time::Duration;
use sidetone_sip_core::transaction::TransactionId;
use sidetone_sip_core::{
    Endpoint, Event, FlowError, FlowId, Input, Instant, Message, Method, Protocol, Request, StatusCode,
    Target, TransactionFailure,
};
use std::collections::HashMap;
use std::sync::Arc;

const MANY: usize = 100_000;

/// What is done with transaction `n`, and what becomes of it.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    /// Never answered: sent again by timer A, given up by timer B.
    ClientInvite,
    /// Never answered: timers E and F.
    Client,
    /// Answered 200: forgotten by timer J.
    Server,
    /// Answered 486, never acknowledged: timers G and H.
    ServerInvite,
}

const KINDS: [Kind; 4] = [Kind::ClientInvite, Kind::Client, Kind::Server, Kind::ServerInvite];

impl Kind {
    /// When its message goes out again, in milliseconds after the first time.
    fn repeats(self) -> &'static [u64] {
        match self {
            Self::ClientInvite => &[500, 1500, 3500, 7500, 15_500, 31_500],
            Self::Client | Self::ServerInvite => {
                &[500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]
            }
            Self::Server => &[],
        }
    }
}

fn endpoint() -> (Endpoint, FlowId) {
    let mut endpoint = Endpoint::new(config());
    let flow = endpoint.bind(Protocol::Udp, address(US));
    (endpoint, flow)
}

/// Opens transaction `n` at microsecond `n`; its identifier, and what was sent.
fn open(endpoint: &mut Endpoint, flow: FlowId, n: usize, received: &Bytes) -> (TransactionId, Arc<[u8]>) {
    let now = Instant::from_micros(n as u64);
    let target = Target::new(Protocol::Udp, address(PEER));
    let id = match KINDS[n % 4] {
        Kind::ClientInvite => endpoint.request(now, request(&Method::INVITE, "a@b"), &target).unwrap(),
        Kind::Client => endpoint.request(now, request(&Method::OPTIONS, "a@b"), &target).unwrap(),
        kind => {
            endpoint.handle_input(
                now,
                Input::Datagram { flow, source: address(PEER), payload: received.clone() },
            );
            let Some(Event::Request { transaction, request, .. }) = endpoint.poll_event() else {
                panic!("{n}")
            };
            let code = if kind == Kind::Server { StatusCode::OK } else { StatusCode::BUSY_HERE };
            endpoint.respond(now, transaction, request.response(code, Some("us"))).unwrap();
            transaction
        }
    };
    (id, endpoint.poll_transmit().expect("it was sent").payload)
}

fn received(n: usize) -> Bytes {
    let method = if KINDS[n % 4] == Kind::ServerInvite { Method::INVITE } else { Method::OPTIONS };
    let request: Request = peer_request(&method, Protocol::Udp, &format!("z9hG4bK{n}"), "c@d");
    request.to_bytes().into()
}

#[test]
fn each_of_100_000_timers_fires_right_and_nothing_is_copied() {
    let (mut endpoint, flow) = endpoint();
    let mut by_payload = HashMap::new();
    let mut by_id = HashMap::new();
    for n in 0..MANY {
        let (id, payload) = open(&mut endpoint, flow, n, &received(n));
        by_id.insert(id, n);
        // The pointer names the transaction: what is sent again is the same memory.
        by_payload.insert(Arc::as_ptr(&payload).cast::<u8>() as usize, (n, 0, payload));
    }
    assert_eq!(endpoint.transaction_count(), MANY);
    let refused = endpoint.request(
        Instant::from_micros(MANY as u64),
        request(&Method::OPTIONS, "a@b"),
        &Target::new(Protocol::Udp, address(PEER)),
    );
    assert!(refused.is_err(), "the set limit");
    let mut ended = 0;
    while let Some((now, _)) = endpoint.poll_timeout() {
        endpoint.handle_timeout(now);
        while let Some(transmit) = endpoint.poll_transmit() {
            let place = Arc::as_ptr(&transmit.payload).cast::<u8>() as usize;
            let (n, times, _) = by_payload.get_mut(&place).expect("a message that was sent before");
            let due = Duration::from_millis(KINDS[*n % 4].repeats()[*times]);
            assert_eq!(now, Instant::from_micros(*n as u64) + due, "{n}, {times}");
            *times += 1;
        }
        while let Some(event) = endpoint.poll_event() {
            let n = match event {
                Event::Failed { transaction, cause: TransactionFailure::Timeout } => by_id[&transaction],
                Event::Terminated { transaction } => {
                    ended += 1;
                    by_id[&transaction]
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(now, Instant::from_micros(n as u64) + Duration::from_secs(32), "{n}");
        }
    }
    assert_eq!((ended, endpoint.transaction_count()), (MANY, 0));
    for (n, times, _) in by_payload.values() {
        assert_eq!(*times, KINDS[n % 4].repeats().len(), "{n}");
    }
    let repeats: usize = (0..MANY).map(|n| KINDS[n % 4].repeats().len()).sum();
    assert_eq!(endpoint.counters().sent_again, repeats as u64);
}

/// 300 000 errors beside 100 000 transactions: a machine that looked at each transaction for each error would be at it
/// for many minutes.
#[test]
fn icmp_errors_end_what_they_concern_among_100_000_transactions() {
    let (mut endpoint, flow) = endpoint();
    let host = |n: usize| {
        let n = u32::try_from(n).unwrap();
        SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n)), 5060)
    };
    let ask = |endpoint: &mut Endpoint, to: SocketAddr| {
        let method = if to.ip() == host(0).ip() { Method::OPTIONS } else { Method::INVITE };
        let id = endpoint
            .request(Instant::ZERO, request(&method, "a@b"), &Target::new(Protocol::Udp, to))
            .unwrap();
        (id, endpoint.poll_transmit().expect("it was sent").payload)
    };
    // Half of them have been answered by one server and live on until timer K; half wait, each for a host of its own.
    for _ in 0..MANY / 2 {
        let (_, sent) = ask(&mut endpoint, host(0));
        let Message::Request(sent) = parse(&sent) else { panic!() };
        let payload = peer_response(&sent, 200).to_bytes().into();
        endpoint.handle_input(Instant::ZERO, Input::Datagram { flow, source: host(0), payload });
        assert!(matches!(endpoint.poll_event(), Some(Event::Response { .. })));
    }
    let waiting: Vec<TransactionId> = (1..=MANY / 2).map(|n| ask(&mut endpoint, host(n)).0).collect();
    assert_eq!(endpoint.transaction_count(), MANY);
    let unreachable = |n| Input::Unreachable { flow, destination: host(n), reason: FlowError::Refused };
    // Errors about hosts that nobody waits for, and about the server that has answered everything.
    for n in MANY..2 * MANY {
        endpoint.handle_input(Instant::ZERO, unreachable(n));
        endpoint.handle_input(Instant::ZERO, unreachable(0));
    }
    assert_eq!((endpoint.transaction_count(), endpoint.poll_event().is_none()), (MANY, true));
    // Each host's ends its own one.
    for (n, id) in waiting.into_iter().enumerate() {
        endpoint.handle_input(Instant::ZERO, unreachable(n + 1));
        endpoint.handle_input(Instant::ZERO, unreachable(n + 1));
        assert!(
            matches!(endpoint.poll_event(), Some(Event::Failed { transaction, .. }) if transaction == id)
        );
        assert!(
            matches!(endpoint.poll_event(), Some(Event::Terminated { transaction }) if transaction == id)
        );
        assert!(endpoint.poll_event().is_none());
    }
    assert_eq!(endpoint.transaction_count(), MANY / 2);
}

#[test]
fn a_transaction_takes_less_than_1_kib_beside_its_message_and_gives_it_back() {
    let (mut endpoint, flow) = endpoint();
    let messages: Vec<Bytes> = (0..MANY).map(received).collect();
    let mut sent = 0;
    let info = measure(|| {
        for (n, message) in messages.iter().enumerate() {
            sent += open(&mut endpoint, flow, n, message).1.len();
        }
    });
    assert_eq!(endpoint.transaction_count(), MANY);
    // Server transactions that have their final response hold no request any more; each holds what it sent, but for
    // the header of its reference count.
    let beside = (info.bytes_current - sent as i64) / MANY as i64;
    println!(
        "{MANY} transactions: {} bytes each beside the message, {} with it",
        beside,
        info.bytes_current / MANY as i64
    );
    assert!((100..1024).contains(&beside), "{beside}");
    let rest = measure(|| {
        while let Some((now, _)) = endpoint.poll_timeout() {
            endpoint.handle_timeout(now);
            while endpoint.poll_transmit().is_some() || endpoint.poll_event().is_some() {}
        }
    });
    assert_eq!(endpoint.transaction_count(), 0);
    let left = info.bytes_current + rest.bytes_current;
    assert!(left < 1024, "{left} bytes are left of {}", info.bytes_current);
}
