//! Keep-alives: when they go out, what answers them, how a dead flow is found out; and the endpoint's part of it.

use crate::support::{PEER, US, address, parse, request};
use bytes::Bytes;
use core::net::SocketAddr;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{CallId, Via};
use sidetone_sip_core::nat::stun::{
    Builder, Class, Message as Stun, Method as StunMethod, Server, TransactionId,
};
use sidetone_sip_core::nat::{
    DatagramPayload, FlowFailure, KeepAlive, KeepAliveEvent, KeepAliveInput, KeepAliveKind, KeepAliveMachine,
    KeepAliveTerms,
};
use sidetone_sip_core::{
    Endpoint, EndpointConfig, Event, FlowId, Input, Instant, Message, Method, Protocol, Rng, StatusCode,
    Target, Transmit, ViaOptions,
};

const FLOW: FlowId = FlowId(4);
const DOUBLE_CRLF: &[u8] = b"\r\n\r\n";

fn code(code: u16) -> StatusCode {
    StatusCode::new(code).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A machine that watches a flow to the peer, and its clock.
struct Watch {
    machine: KeepAliveMachine,
    now: Instant,
}

impl Watch {
    fn seeded(config: KeepAlive, protocol: Protocol, terms: KeepAliveTerms, seed: u64) -> Self {
        let mut machine = KeepAliveMachine::new(config, Rng::from_u64(seed));
        machine.start(Instant::ZERO, FLOW, protocol, address(PEER), terms);
        Self { machine, now: Instant::ZERO }
    }

    fn new(config: KeepAlive, protocol: Protocol) -> Self {
        Self::seeded(config, protocol, KeepAliveTerms::default(), 7)
    }

    /// Wakes the machine once.
    fn turn(&mut self) -> bool {
        let Some(at) = self.machine.poll_timeout() else { return false };
        assert!(at >= self.now, "a deadline in the past");
        self.now = at;
        self.machine.handle_timeout(at);
        true
    }

    /// Lets time pass until the machine sends, and how long that took.
    #[track_caller]
    fn sends(&mut self) -> (Duration, Transmit) {
        let start = self.now;
        loop {
            if let Some(transmit) = self.machine.poll_transmit() {
                assert_eq!((transmit.flow, transmit.destination), (FLOW, address(PEER)));
                return (self.now - start, transmit);
            }
            assert!(self.turn(), "nothing is to come");
        }
    }

    /// Lets time pass until the machine reports something, and how long that took.
    #[track_caller]
    fn reports(&mut self) -> (Duration, KeepAliveEvent) {
        let start = self.now;
        loop {
            if let Some(event) = self.machine.poll_event() {
                return (self.now - start, event);
            }
            assert!(self.turn(), "nothing is to come");
        }
    }

    fn input(&mut self, input: KeepAliveInput<'_>) -> bool {
        self.machine.handle_input(self.now, input)
    }

    fn pong(&mut self) {
        assert!(self.input(KeepAliveInput::Pong { flow: FLOW }));
    }

    fn stun(&mut self, request: &[u8], mapped: &str) {
        let answer = Server::new().answer(&Stun::parse(request).unwrap(), address(mapped)).unwrap();
        let (flow, source, payload) = (FLOW, address(PEER), &answer[..]);
        assert!(self.input(KeepAliveInput::Stun { flow, source, payload }));
    }

    /// The machine has given the flow up, and stands still.
    #[track_caller]
    fn failed(&mut self, cause: FlowFailure) -> Duration {
        let (after, event) = self.reports();
        assert_eq!(event, KeepAliveEvent::FlowFailed { flow: FLOW, cause });
        assert_eq!((self.machine.poll_timeout(), self.machine.flow()), (None, None));
        assert!(self.machine.poll_event().is_none() && self.machine.poll_transmit().is_none());
        after
    }
}

#[test]
fn on_a_connection_a_double_crlf_goes_out_every_95_to_120_seconds() {
    let mut waits = Vec::new();
    for seed in 0..50 {
        let config = KeepAlive::of(KeepAliveKind::Outbound);
        let mut watch = Watch::seeded(config, Protocol::Tcp, KeepAliveTerms::default(), seed);
        for _ in 0..10 {
            let (wait, sent) = watch.sends();
            assert_eq!(&*sent.payload, DOUBLE_CRLF);
            waits.push(wait.as_millis());
            watch.pong();
        }
    }
    assert!(waits.iter().all(|wait| (95_000..=120_000).contains(wait)), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait < 98_000) && waits.iter().any(|wait| *wait > 117_000));
}

#[test]
fn a_pong_that_does_not_come_in_10_seconds_is_a_failed_flow() {
    let mut watch = Watch::new(KeepAlive::of(KeepAliveKind::Outbound), Protocol::Tls);
    watch.sends();
    watch.pong();
    // One that nobody awaits is none, and neither is another connection's.
    assert!(!watch.input(KeepAliveInput::Pong { flow: FLOW }));
    watch.sends();
    assert!(!watch.input(KeepAliveInput::Pong { flow: FlowId(5) }));
    assert_eq!(watch.failed(FlowFailure::Pong), seconds(10));
    // Another flow may be watched then.
    watch.machine.start(watch.now, FlowId(9), Protocol::Tcp, address(PEER), KeepAliveTerms::default());
    assert_eq!(watch.machine.flow(), Some(FlowId(9)));
}

#[test]
fn what_the_registrar_says_goes_before_what_we_want() {
    let flow_timer = |seconds| KeepAliveTerms { flow_timer: Some(seconds), keep: None };
    let keep = |seconds| KeepAliveTerms { flow_timer: None, keep: Some(seconds) };
    // What is wanted, what was said, and the bounds of the wait in seconds.
    let table: [(Option<u64>, KeepAliveTerms, u64, u64); 8] = [
        (None, flow_timer(60), 48, 60),
        (None, keep(40), 32, 40),
        (None, KeepAliveTerms { flow_timer: Some(60), keep: Some(40) }, 32, 40),
        (Some(30), flow_timer(600), 24, 30),
        (Some(600), flow_timer(60), 48, 60),
        (Some(50), KeepAliveTerms::default(), 40, 50),
        // RFC 6223 §4.3: zero leaves it to us.
        (None, keep(0), 95, 120),
        // An absurd number does not make us flood.
        (None, flow_timer(1), 1, 12),
    ];
    for (interval, terms, least, most) in table {
        let mut config = KeepAlive::of(KeepAliveKind::Outbound);
        config.interval = interval.map(seconds);
        let mut watch = Watch::seeded(config, Protocol::Tcp, terms, 7);
        for _ in 0..20 {
            let (wait, _) = watch.sends();
            assert!(wait >= seconds(least) && wait <= seconds(most), "{terms:?} {interval:?}: {wait:?}");
            watch.pong();
        }
    }
}

#[test]
fn over_udp_stun_goes_out_every_24_to_29_seconds_and_its_silence_is_a_failed_flow() {
    let mut watch = Watch::new(KeepAlive::of(KeepAliveKind::Outbound), Protocol::Udp);
    for _ in 0..20 {
        let (wait, sent) = watch.sends();
        assert!((24_000..=29_000).contains(&wait.as_millis()), "{wait:?}");
        watch.stun(&sent.payload, "203.0.113.1:61001");
    }
    assert!(watch.machine.poll_event().is_none());
    watch.sends();
    // Seven times 500 ms, doubling, and 16 times 500 ms at the end (RFC 8489 §6.2.1).
    assert_eq!(watch.failed(FlowFailure::Stun), Duration::from_millis(39_500));
}

#[test]
fn another_mapped_address_is_reported_and_the_machine_goes_on() {
    let mut watch = Watch::new(KeepAlive::of(KeepAliveKind::Outbound), Protocol::Udp);
    let addresses = ["203.0.113.1:61001", "203.0.113.1:61001", "203.0.113.1:61002", "203.0.113.9:61002"];
    let mut changes = Vec::new();
    for mapped in addresses {
        let (_, sent) = watch.sends();
        watch.stun(&sent.payload, mapped);
        while let Some(KeepAliveEvent::AddressChanged { before, after, .. }) = watch.machine.poll_event() {
            changes.push((before, after));
        }
    }
    let [_, first, second, third] = addresses.map(address);
    assert_eq!(changes, [(first, second), (second, third)]);
    // A refusal proves that this is no STUN server: the flow is not kept.
    let (_, sent) = watch.sends();
    let id = Stun::parse(&sent.payload).unwrap().id();
    let refusal = Builder::new(Class::Error, StunMethod::BINDING, id).error_code(400, "No").finish().unwrap();
    watch.input(KeepAliveInput::Stun { flow: FLOW, source: address(PEER), payload: &refusal });
    watch.failed(FlowFailure::StunRefused);
}

#[test]
fn options_go_out_and_only_the_listed_answers_or_none_are_failures() {
    let config = KeepAlive::of(KeepAliveKind::Options).every(seconds(45)).failing_on([code(404), code(503)]);
    for protocol in [Protocol::Udp, Protocol::Tcp, Protocol::Wss] {
        let mut watch = Watch::new(config.clone(), protocol);
        for status in [200, 401, 405, 480, 500] {
            let (wait, event) = watch.reports();
            assert_eq!(wait, seconds(45));
            assert_eq!(event, KeepAliveEvent::SendOptions { flow: FLOW, destination: address(PEER) });
            // The next one waits for the answer to this.
            assert_eq!(watch.machine.poll_timeout(), None);
            assert!(watch.input(KeepAliveInput::Options(Some(code(status)))));
            // An answer that nobody awaits changes nothing.
            assert!(!watch.input(KeepAliveInput::Options(None)));
        }
        watch.reports();
        watch.input(KeepAliveInput::Options(Some(code(404))));
        watch.failed(FlowFailure::OptionsStatus(code(404)));
        let mut watch = Watch::new(config.clone(), protocol);
        watch.reports();
        watch.input(KeepAliveInput::Options(None));
        watch.failed(FlowFailure::Options);
    }
}

#[test]
fn datagrams_that_say_nothing_go_out_over_udp_only() {
    let table: [(DatagramPayload, &[u8]); 3] = [
        (DatagramPayload::Crlf, b"\r\n\r\n"),
        (DatagramPayload::Empty, b""),
        (DatagramPayload::Zeroes, &[0, 0, 0, 0]),
    ];
    for (payload, bytes) in table {
        // The telephones' range is 10 to 300 s.
        for interval in [10, 300] {
            let config = KeepAlive::of(KeepAliveKind::Datagram(payload)).every(seconds(interval));
            let mut watch = Watch::new(config.clone(), Protocol::Udp);
            for _ in 0..100 {
                let (wait, sent) = watch.sends();
                assert_eq!((wait, &*sent.payload), (seconds(interval), bytes));
            }
            for protocol in [Protocol::Tcp, Protocol::Tls, Protocol::Ws] {
                assert_eq!(Watch::new(config.clone(), protocol).machine.poll_timeout(), None);
            }
        }
    }
}

#[test]
fn negotiated_keep_alives_need_a_next_hop_that_wants_them() {
    let config = KeepAlive::of(KeepAliveKind::Negotiated);
    assert!(config.offers_keep() && !KeepAlive::of(KeepAliveKind::Outbound).offers_keep());
    let none = KeepAliveTerms::default();
    let wanted = KeepAliveTerms { keep: Some(30), ..none };
    for (protocol, payload) in [(Protocol::Tcp, Some(DOUBLE_CRLF)), (Protocol::Udp, None)] {
        assert_eq!(Watch::seeded(config.clone(), protocol, none, 7).machine.poll_timeout(), None);
        let mut watch = Watch::seeded(config.clone(), protocol, wanted, 7);
        let (wait, sent) = watch.sends();
        assert!(wait >= seconds(24) && wait <= seconds(30));
        assert_eq!(payload.unwrap_or(&sent.payload), &*sent.payload);
        assert_eq!(payload.is_none(), Stun::parse(&sent.payload).is_ok());
        // The next 2xx does not want them any more.
        watch.machine.start(watch.now, FLOW, protocol, address(PEER), none);
        assert_eq!(watch.machine.poll_timeout(), None);
    }
    assert_eq!(Watch::new(KeepAlive::off(), Protocol::Udp).machine.poll_timeout(), None);
    let websocket = Watch::new(KeepAlive::of(KeepAliveKind::Outbound), Protocol::Ws);
    assert_eq!(websocket.machine.poll_timeout(), None);
}

#[test]
fn a_refreshed_registration_does_not_disturb_the_rhythm() {
    let mut watch = Watch::new(KeepAlive::of(KeepAliveKind::Outbound), Protocol::Tcp);
    let at = watch.machine.poll_timeout();
    let later = Instant::ZERO + seconds(50);
    watch.machine.start(later, FLOW, Protocol::Tcp, address(PEER), KeepAliveTerms::default());
    assert_eq!(watch.machine.poll_timeout(), at);
    watch.machine.stop();
    assert_eq!((watch.machine.poll_timeout(), watch.machine.flow()), (None, None));
}

// The endpoint's part.

fn endpoint(config: impl FnOnce(&mut EndpointConfig)) -> (Endpoint, FlowId) {
    let mut settings = EndpointConfig::new([7; 32]);
    config(&mut settings);
    let mut endpoint = Endpoint::new(settings);
    let flow = endpoint.bind(Protocol::Udp, address(US));
    (endpoint, flow)
}

fn put(endpoint: &mut Endpoint, flow: FlowId, payload: &[u8]) {
    let payload = Bytes::copy_from_slice(payload);
    endpoint.handle_input(Instant::ZERO, Input::Datagram { flow, source: address(PEER), payload });
}

#[test]
fn a_registrar_answers_stun_on_its_sip_port_when_it_is_told_to() {
    for (on, classic) in [(true, false), (true, true), (false, false)] {
        let (mut endpoint, flow) = endpoint(|config| config.stun_server = on);
        let mut rng = Rng::from_u64(1);
        let id = if classic { TransactionId::classic(&mut rng) } else { TransactionId::new(&mut rng) };
        put(&mut endpoint, flow, &Builder::new(Class::Request, StunMethod::BINDING, id).finish().unwrap());
        let answer = endpoint.poll_transmit();
        assert_eq!(answer.is_some(), on);
        if let Some(Transmit { flow: on, destination, payload }) = answer {
            assert_eq!((on, destination), (flow, address(PEER)));
            assert_eq!(Stun::parse(&payload).unwrap().mapped_address(), Some(address(PEER)));
        }
        assert!(endpoint.poll_event().is_none());
        assert_eq!(endpoint.counters().keep_alives, 1);
    }
}

#[test]
fn stun_answers_and_pongs_are_reported_and_broken_stun_is_counted() {
    let (mut endpoint, flow) = endpoint(|_| ());
    let id = TransactionId::new(&mut Rng::from_u64(1));
    let answer = Builder::new(Class::Success, StunMethod::BINDING, id).finish().unwrap();
    put(&mut endpoint, flow, &answer);
    let Some(Event::Stun { flow: on, source, payload }) = endpoint.poll_event() else { panic!("no event") };
    assert_eq!((on, source, &payload[..]), (flow, address(PEER), &answer[..]));
    // The length is right, the attribute is not.
    let mut broken = Builder::new(Class::Success, StunMethod::BINDING, id).software("abcd").finish().unwrap();
    broken[23] = 0xff;
    put(&mut endpoint, flow, &broken);
    assert!(endpoint.poll_event().is_none());
    assert_eq!(endpoint.counters().malformed, 1);
    // We connect; the peer answers our ping.
    let target = Target::new(Protocol::Tcp, address(PEER));
    endpoint.request(Instant::ZERO, request(&Method::OPTIONS, "1@us"), &target).unwrap();
    let Some(sidetone_sip_core::FlowRequest::Connect { flow, .. }) = endpoint.poll_flow() else { panic!() };
    let ping = || Transmit { flow, destination: address(PEER), payload: DOUBLE_CRLF.into() };
    assert!(endpoint.send_bytes(Instant::ZERO, ping()).is_err(), "the connection is not up yet");
    endpoint.handle_input(Instant::ZERO, Input::FlowUp { flow, local: address("192.0.2.1:40000") });
    while endpoint.poll_transmit().is_some() {}
    endpoint.send_bytes(Instant::ZERO, ping()).unwrap();
    assert_eq!(endpoint.poll_transmit(), Some(ping()));
    for byte in b"\r\n" {
        endpoint.handle_input(Instant::ZERO, Input::Stream { flow, bytes: Bytes::from(vec![*byte]) });
    }
    assert!(matches!(endpoint.poll_event(), Some(Event::KeepAlivePong { flow: on }) if on == flow));
    let gone = Transmit { flow: FlowId(99), ..ping() };
    assert!(endpoint.send_bytes(Instant::ZERO, gone).is_err());
}

/// The Via of what was sent last.
fn sent_via(endpoint: &mut Endpoint) -> Via {
    match parse(&endpoint.poll_transmit().expect("something was sent").payload) {
        Message::Request(request) => request.headers.require().unwrap(),
        Message::Response(response) => response.headers.require().unwrap(),
    }
}

#[test]
fn a_via_says_what_it_is_told_to() {
    let (mut endpoint, _) = endpoint(|_| ());
    let target = Target::new(Protocol::Udp, address(PEER));
    let mut via = |options: &ViaOptions, call: &str| {
        endpoint.request_with(Instant::ZERO, request(&Method::OPTIONS, call), &target, options).unwrap();
        sent_via(&mut endpoint)
    };
    let first = via(&ViaOptions::default(), "1@us");
    assert_eq!((first.rport(), first.params.has("keep")), (Some(None), false));
    assert_eq!((first.host.ip(), first.port), (Some(address(US).ip()), Some(5060)));
    let mut options = ViaOptions::default();
    (options.rport, options.keep) = (false, true);
    options.sent_by = Some(address("203.0.113.1:61001"));
    let second = via(&options, "2@us");
    assert_eq!((second.rport(), second.params.raw("keep")), (None, Some(None)));
    assert_eq!((second.host.ip(), second.port), (Some(address("203.0.113.1:0").ip()), Some(61_001)));
    // A response to it that is late is known as ours.
    let call = request(&Method::INVITE, "3@us");
    endpoint.request_with(Instant::ZERO, call.clone(), &target, &options).unwrap();
    let mut late = call;
    let mut via = sent_via(&mut endpoint);
    via.set_branch("z9hG4bKlongago");
    late.headers.push_front(&via);
    let late = late.response(StatusCode::OK, Some("b")).to_bytes();
    let flow = endpoint.datagram_flow(None).unwrap().0;
    put(&mut endpoint, flow, &late);
    assert!(matches!(endpoint.poll_event(), Some(Event::StrayResponse { .. })));
}

#[test]
fn keep_is_answered_when_the_endpoint_wants_keep_alives() {
    let table = [
        (Some(30), Method::REGISTER, Some(None), Some(Some("30"))),
        (Some(0), Method::INVITE, Some(None), Some(Some("0"))),
        (None, Method::REGISTER, Some(None), Some(None)),
        // RFC 6223 §4.4: only where keep-alives are agreed on, and only when they were offered.
        (Some(30), Method::OPTIONS, Some(None), Some(None)),
        (Some(30), Method::REGISTER, None, None),
        (Some(30), Method::REGISTER, Some(Some("7")), Some(Some("7"))),
    ];
    for (keep, method, offered, answered) in table {
        let (mut endpoint, flow) = endpoint(|config| config.keep = keep);
        let mut request = request(&method, "1@peer");
        let mut via = Via::new(Protocol::Udp, address(PEER).ip(), Some(5060));
        via.set_branch("z9hG4bKpeer");
        match offered {
            Some(None) => via.params.set_flag("keep"),
            Some(Some(value)) => via.params.set("keep", value),
            None => {}
        }
        request.headers.push_front(&via);
        request.headers.push(&sidetone_sip_core::header::MaxForwards(70));
        put(&mut endpoint, flow, &request.to_bytes());
        let Some(Event::Request { transaction, request, .. }) = endpoint.poll_event() else {
            panic!("{method}")
        };
        while endpoint.poll_transmit().is_some() {}
        endpoint.respond(Instant::ZERO, transaction, request.response(StatusCode::OK, Some("b"))).unwrap();
        assert_eq!(sent_via(&mut endpoint).params.raw("keep"), answered, "{method} {keep:?}");
        assert_eq!(request.headers.require::<CallId>().unwrap().as_str(), "1@peer");
    }
}

#[test]
fn keep_alives_hold_an_idle_connection() {
    let (mut endpoint, _) = endpoint(|config| config.idle = seconds(300));
    let local: SocketAddr = address("192.0.2.1:5060");
    endpoint.listen(Protocol::Tcp, local);
    let flow = endpoint.accept(Instant::ZERO, Protocol::Tcp, local, address(PEER)).unwrap();
    let whole = b"OPTIONS sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.2:5060;branch=z9hG4bK1\r\n\
        From: <sip:a@192.0.2.2>;tag=1\r\nTo: <sip:192.0.2.1>;tag=2\r\nCall-ID: 7\r\nCSeq: 1 ACK\r\n\
        Max-Forwards: 7\r\nContent-Length: 0\r\n\r\n";
    let ack = String::from_utf8_lossy(whole).replacen("OPTIONS", "ACK", 1);
    endpoint.handle_input(Instant::ZERO, Input::Stream { flow, bytes: ack.into() });
    let mut now = Instant::ZERO;
    for _ in 0..10 {
        now += seconds(200);
        endpoint.handle_timeout(now);
        assert_eq!(endpoint.flow_count(), 1, "at {now}");
        let ping = Bytes::from_static(DOUBLE_CRLF);
        endpoint.handle_input(now, Input::Stream { flow, bytes: ping });
        while endpoint.poll_transmit().is_some() {}
    }
    endpoint.handle_timeout(now + seconds(301));
    assert_eq!(endpoint.flow_count(), 0);
}
