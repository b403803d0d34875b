//! Connections: from UDP to TCP and back, aliases, slow peers, too many of them, and WebSocket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected stops"
)]

mod support;

use bytes::Bytes;
use core::net::SocketAddr;
use sidetone_hal::sim::{NodeId, World};
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{ContentType, Via};
use sidetone_sip_core::locate::{LocateEvent, LocateRequest, Locator, LocatorConfig};
use sidetone_sip_core::sim::{Machine, SipNode};
use sidetone_sip_core::transaction::Timer;
use sidetone_sip_core::{
    Endpoint, EndpointConfig, Event, FlowError, FlowId, FlowRequest, Input, Instant, Leniency, Message,
    Method, Protocol, Request, Rng, StatusCode, Target, WakeReason,
};
use support::{PEER, US, address, config, describe, name_of, parse, peer_request, peer_response, request};

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Instant {
    Instant::ZERO + SECOND * u32::try_from(seconds).unwrap()
}

/// UDP and TCP at our address.
fn both(config: EndpointConfig) -> (Endpoint, FlowId) {
    let mut endpoint = Endpoint::new(config);
    let flow = endpoint.bind(Protocol::Udp, address(US));
    endpoint.listen(Protocol::Tcp, address(US));
    (endpoint, flow)
}

fn sent(endpoint: &mut Endpoint) -> Vec<(FlowId, Message)> {
    core::iter::from_fn(|| endpoint.poll_transmit())
        .map(|transmit| (transmit.flow, parse(&transmit.payload)))
        .collect()
}

fn names(endpoint: &mut Endpoint) -> Vec<String> {
    core::iter::from_fn(|| endpoint.poll_event()).map(|event| describe(&event)).collect()
}

fn connect(endpoint: &mut Endpoint) -> FlowId {
    match endpoint.poll_flow() {
        Some(FlowRequest::Connect { flow, .. }) => flow,
        other => panic!("{other:?}"),
    }
}

/// A request of more than 1300 bytes.
fn long(method: &Method, call_id: &str) -> Request {
    let mut request = request(method, call_id);
    request.set_body(&"text/plain".parse::<ContentType>().unwrap(), "x".repeat(1200));
    request
}

fn via(message: &Message) -> Via {
    message.headers().require().unwrap()
}

fn udp_target() -> Target {
    Target::new(Protocol::Udp, address(PEER))
}

#[test]
fn a_long_request_goes_over_tcp_with_its_via() {
    for method in [Method::INVITE, Method::MESSAGE] {
        let (mut endpoint, _) = both(config());
        let now = Instant::ZERO;
        let id = endpoint.request(now, long(&method, "a@b"), &udp_target()).unwrap();
        let flow = connect(&mut endpoint);
        assert!(sent(&mut endpoint).is_empty());
        endpoint.handle_input(now, Input::FlowUp { flow, local: address("192.0.2.1:40000") });
        let (on, message) = sent(&mut endpoint).remove(0);
        assert_eq!((on, via(&message).protocol()), (flow, Some(Protocol::Tcp)));
        // Nothing is sent again, and the connection's time to come up means nothing any more.
        let Some((due, why)) = endpoint.poll_timeout() else { panic!() };
        assert_eq!((due, why), (at(4), WakeReason::Transaction(Timer::Switch)));
        endpoint.handle_timeout(due);
        assert!(sent(&mut endpoint).is_empty());
        let Message::Request(out) = message else { panic!() };
        let answer = Bytes::from(peer_response(&out, 486).to_bytes());
        endpoint.handle_input(due, Input::Stream { flow, bytes: answer });
        assert!(
            matches!(endpoint.poll_event(), Some(Event::Response { transaction, .. }) if transaction == id)
        );
        let acks: Vec<_> =
            sent(&mut endpoint).iter().map(|(flow, message)| (*flow, name_of(message))).collect();
        let expected = if method == Method::INVITE { vec![(flow, "ACK".to_owned())] } else { vec![] };
        assert_eq!(acks, expected);
        assert_eq!((endpoint.counters().switched, endpoint.counters().switched_back), (1, 0));
        // The next one takes the connection that is there.
        endpoint.request(due, long(&method, "c@d"), &udp_target()).unwrap();
        assert_eq!(sent(&mut endpoint)[0].0, flow);
    }
}

#[test]
fn short_requests_chosen_sockets_and_a_switch_that_is_off_stay_with_udp() {
    let (mut endpoint, flow) = both(config());
    endpoint.request(Instant::ZERO, request(&Method::INVITE, "a@b"), &udp_target()).unwrap();
    endpoint.request(Instant::ZERO, long(&Method::INVITE, "c@d"), &udp_target().on(flow)).unwrap();
    let mut config = config();
    config.max_datagram = None;
    let (mut off, _) = both(config);
    off.request(Instant::ZERO, long(&Method::INVITE, "e@f"), &udp_target()).unwrap();
    for (endpoint, count) in [(&mut endpoint, 2), (&mut off, 1)] {
        assert_eq!(endpoint.poll_flow(), None);
        let messages = sent(endpoint);
        assert_eq!(messages.len(), count);
        assert!(messages.iter().all(|(_, message)| via(message).protocol() == Some(Protocol::Udp)));
    }
    // The limit counts the whole message: one byte decides.
    let size = off.request(Instant::ZERO, long(&Method::INVITE, "g@h"), &udp_target());
    assert!(size.is_ok());
    let length = off.poll_transmit().unwrap().payload.len();
    for (max, switched) in [(length, 0), (length - 1, 1)] {
        let mut config = support::config();
        config.max_datagram = Some(max);
        let (mut endpoint, _) = both(config);
        endpoint.request(Instant::ZERO, long(&Method::INVITE, "g@h"), &udp_target()).unwrap();
        assert_eq!(endpoint.counters().switched, switched, "{max}");
    }
}

#[test]
fn without_tcp_the_same_transaction_goes_on_over_udp() {
    // How the connection fails, and when.
    let ways: [(&str, u64); 4] = [("refused", 0), ("unreachable", 1), ("no answer", 4), ("breaks", 2)];
    for (way, seconds) in ways {
        for method in [Method::INVITE, Method::MESSAGE] {
            let (mut endpoint, udp) = both(config());
            let id = endpoint.request(Instant::ZERO, long(&method, "a@b"), &udp_target()).unwrap();
            let flow = connect(&mut endpoint);
            let now = at(seconds);
            match way {
                "refused" => endpoint.handle_input(now, Input::FlowDown { flow, reason: FlowError::Refused }),
                "unreachable" => {
                    endpoint.handle_input(now, Input::FlowDown { flow, reason: FlowError::Unreachable });
                }
                "no answer" => {
                    assert_eq!(endpoint.poll_timeout(), Some((now, WakeReason::Transaction(Timer::Switch))));
                    endpoint.handle_timeout(now);
                    // When the connection comes up after all, nothing is sent twice.
                    endpoint.handle_input(now, Input::FlowUp { flow, local: address("192.0.2.1:40000") });
                }
                _ => {
                    endpoint.handle_input(
                        Instant::ZERO,
                        Input::FlowUp { flow, local: address("192.0.2.1:40000") },
                    );
                    assert_eq!(sent(&mut endpoint).len(), 1);
                    endpoint.handle_input(now, Input::FlowDown { flow, reason: FlowError::Reset });
                }
            }
            let messages = sent(&mut endpoint);
            assert_eq!(messages.len(), 1, "{way}");
            let (on, message) = &messages[0];
            assert_eq!((*on, via(message).protocol()), (udp, Some(Protocol::Udp)), "{way}");
            // The timers of UDP run from here.
            assert_eq!(endpoint.poll_timeout().map(|(due, _)| due), Some(now + Duration::from_millis(500)));
            endpoint.handle_timeout(now + Duration::from_millis(500));
            assert_eq!(sent(&mut endpoint), messages, "{way}: sent again as it was");
            let Message::Request(out) = message else { panic!() };
            let answer = Bytes::from(peer_response(out, 603).to_bytes());
            endpoint.handle_input(
                now + SECOND,
                Input::Datagram { flow: udp, source: address(PEER), payload: answer },
            );
            assert!(
                matches!(endpoint.poll_event(), Some(Event::Response { transaction, .. }) if transaction == id),
                "{way}"
            );
            if method == Method::INVITE {
                let (on, ack) = sent(&mut endpoint).remove(0);
                assert_eq!((on, name_of(&ack), via(&ack)), (udp, "ACK".into(), via(message)));
            }
            assert_eq!((endpoint.counters().switched, endpoint.counters().switched_back), (1, 1));
            // The next long request does not try again, until 5 minutes have passed.
            endpoint.request(now + SECOND, long(&method, "c@d"), &udp_target()).unwrap();
            assert_eq!(sent(&mut endpoint)[0].0, udp, "{way}");
            if way != "no answer" {
                endpoint.request(now + SECOND * 301, long(&method, "e@f"), &udp_target()).unwrap();
                connect(&mut endpoint);
            }
            while let Some((due, _)) = endpoint.poll_timeout().filter(|(due, _)| *due < at(3000)) {
                endpoint.handle_timeout(due);
                while let Some(request) = endpoint.poll_flow() {
                    if let FlowRequest::Connect { flow, .. } = request {
                        endpoint.handle_input(due, Input::FlowDown { flow, reason: FlowError::Refused });
                    }
                }
            }
            assert_eq!((endpoint.transaction_count(), endpoint.flow_count()), (0, 0), "{way}");
            assert_eq!(endpoint.poll_timeout(), None, "{way}");
        }
    }
}

#[test]
fn after_a_response_over_tcp_there_is_no_way_back() {
    let (mut endpoint, _) = both(config());
    endpoint.request(Instant::ZERO, long(&Method::INVITE, "a@b"), &udp_target()).unwrap();
    let flow = connect(&mut endpoint);
    endpoint.handle_input(Instant::ZERO, Input::FlowUp { flow, local: address("192.0.2.1:40000") });
    let (_, Message::Request(out)) = sent(&mut endpoint).remove(0) else { panic!() };
    let ringing = Bytes::from(peer_response(&out, 180).to_bytes());
    endpoint.handle_input(Instant::ZERO, Input::Stream { flow, bytes: ringing });
    endpoint.handle_input(at(1), Input::FlowDown { flow, reason: FlowError::Reset });
    assert_eq!(
        names(&mut endpoint),
        ["event response 180", "event failed transport: connection reset", "event terminated"]
    );
}

#[test]
fn a_cancel_follows_its_invite_back_to_udp() {
    let (mut endpoint, udp) = both(config());
    let id = endpoint.request(Instant::ZERO, long(&Method::INVITE, "a@b"), &udp_target()).unwrap();
    let flow = connect(&mut endpoint);
    endpoint.cancel(Instant::ZERO, id).unwrap();
    endpoint.handle_input(Instant::ZERO, Input::FlowDown { flow, reason: FlowError::Refused });
    let (_, Message::Request(out)) = sent(&mut endpoint).remove(0) else { panic!() };
    let ringing = Bytes::from(peer_response(&out, 180).to_bytes());
    endpoint.handle_input(at(1), Input::Datagram { flow: udp, source: address(PEER), payload: ringing });
    let (on, cancel) = sent(&mut endpoint).remove(0);
    assert_eq!((on, name_of(&cancel)), (udp, "CANCEL".into()));
    assert_eq!(via(&cancel).branch(), via(&Message::Request(out)).branch());
    assert_eq!(via(&cancel).protocol(), Some(Protocol::Udp));
}

#[test]
fn a_flood_of_addresses_that_take_no_tcp_is_forgotten() {
    let (mut endpoint, _) = both(config());
    for n in 0..3000_u32 {
        let peer = SocketAddr::new(core::net::Ipv4Addr::from_bits(0x0a00_0000 + n).into(), 5060);
        endpoint
            .request(Instant::ZERO, long(&Method::MESSAGE, "a@b"), &Target::new(Protocol::Udp, peer))
            .unwrap();
        let flow = connect(&mut endpoint);
        endpoint.handle_input(Instant::ZERO, Input::FlowDown { flow, reason: FlowError::Refused });
    }
    assert_eq!((endpoint.flow_count(), endpoint.counters().switched_back), (0, 3000));
}

/// Answers each request 200, and counts.
struct Answerer {
    endpoint: Endpoint,
    requests: Vec<(Protocol, usize)>,
    finals: Vec<(Protocol, u16)>,
    failures: usize,
}

impl Answerer {
    fn node(seed: u8) -> SipNode<Self> {
        let endpoint = Endpoint::new(EndpointConfig::new([seed; 32]));
        SipNode(Self { endpoint, requests: Vec::new(), finals: Vec::new(), failures: 0 })
    }

    fn events(&mut self, now: Instant) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Request { transaction, request, source } => {
                    self.requests.push((source.protocol, request.body.len()));
                    let response = request.response(StatusCode::OK, Some("b"));
                    self.endpoint.respond(now, transaction, response).unwrap();
                }
                Event::Response { response, source, .. } => {
                    self.finals.push((source.protocol, response.status.code()));
                }
                Event::Failed { .. } => self.failures += 1,
                _ => {}
            }
        }
    }
}

impl Machine for Answerer {
    fn endpoint_mut(&mut self) -> &mut Endpoint {
        &mut self.endpoint
    }

    fn handle_input(&mut self, now: Instant, input: Input) {
        self.endpoint.handle_input(now, input);
        self.events(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        self.events(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout().map(|(at, _)| at)
    }
}

fn world(tcp: bool) -> (World, NodeId<SipNode<Answerer>>, NodeId<SipNode<Answerer>>) {
    let mut world = World::new(3);
    let us = world.add("us", address(US).ip(), Answerer::node(1));
    let peer = world.add("peer", address(PEER).ip(), Answerer::node(2));
    for (node, local) in [(us, US), (peer, PEER)] {
        let flow = world[node].endpoint.bind(Protocol::Udp, address(local));
        world.bind(node, flow, 5060);
        if tcp {
            world[node].endpoint.listen(Protocol::Tcp, address(local));
            world.listen(node, 5060);
        }
    }
    (world, us, peer)
}

#[test]
fn in_a_network_long_requests_take_tcp_and_come_back_to_udp_without_it() {
    for tcp in [true, false] {
        let (mut world, us, peer) = world(tcp);
        for (n, method) in [Method::INVITE, Method::MESSAGE, Method::OPTIONS].iter().enumerate() {
            let now = world.now();
            let call = format!("{n}@us");
            let message =
                if *method == Method::OPTIONS { request(method, &call) } else { long(method, &call) };
            world[us].endpoint.request(now, message, &udp_target()).unwrap();
            world.run_until(|world| world[us].finals.len() > n, SECOND * 60).unwrap();
        }
        let way = if tcp { Protocol::Tcp } else { Protocol::Udp };
        assert_eq!(world[peer].requests, [(way, 1200), (way, 1200), (Protocol::Udp, 0)], "TCP: {tcp}");
        assert_eq!(world[us].finals, [(way, 200), (way, 200), (Protocol::Udp, 200)], "TCP: {tcp}");
        assert_eq!(world[us].failures, 0);
        world.run_for(SECOND * 1300).unwrap();
        for node in [us, peer] {
            assert_eq!(world[node].endpoint.transaction_count() + world[node].endpoint.flow_count(), 0);
            assert_eq!(world[node].endpoint.poll_timeout(), None);
        }
    }
}

fn accept(endpoint: &mut Endpoint, now: Instant, remote: &str) -> Option<FlowId> {
    endpoint.accept(now, Protocol::Tcp, address(US), address(remote))
}

fn stream(endpoint: &mut Endpoint, now: Instant, flow: FlowId, bytes: &[u8]) {
    endpoint.handle_input(now, Input::Stream { flow, bytes: Bytes::copy_from_slice(bytes) });
}

/// Runs the timers up to `end`; what was closed, and when.
fn closed(endpoint: &mut Endpoint, end: Instant) -> Vec<(Instant, FlowId)> {
    let mut closed = Vec::new();
    while let Some((now, _)) = endpoint.poll_timeout().filter(|(now, _)| *now <= end) {
        endpoint.handle_timeout(now);
        while let Some(FlowRequest::Close { flow }) = endpoint.poll_flow() {
            closed.push((now, flow));
        }
    }
    closed
}

#[test]
fn a_connection_must_bring_its_first_message_in_time() {
    let mut config = EndpointConfig::new([7; 32]);
    config.first_message = SECOND * 10;
    let (mut endpoint, _) = both(config);
    let silent = accept(&mut endpoint, at(0), "192.0.2.2:40000").unwrap();
    let pings = accept(&mut endpoint, at(1), "192.0.2.2:40001").unwrap();
    let speaks = accept(&mut endpoint, at(2), "192.0.2.2:40002").unwrap();
    assert_eq!(endpoint.poll_timeout(), Some((at(10), WakeReason::Stalled)));
    for second in 2..8 {
        stream(&mut endpoint, at(second), pings, b"\r\n\r\n");
    }
    let options = peer_request(&Method::OPTIONS, Protocol::Tcp, "z9hG4bKx", "a@b").to_bytes();
    stream(&mut endpoint, at(9), speaks, &options);
    assert_eq!(closed(&mut endpoint, at(30)), [(at(10), silent), (at(11), pings)]);
    assert_eq!((endpoint.flow_count(), endpoint.counters().flows_stalled), (1, 2));
}

#[test]
fn a_message_that_began_must_be_whole_in_time() {
    let mut config = config();
    config.whole_message = SECOND * 5;
    let (mut endpoint, _) = both(config);
    let slow = accept(&mut endpoint, at(0), "192.0.2.2:40000").unwrap();
    let steady = accept(&mut endpoint, at(0), "192.0.2.2:40001").unwrap();
    let options = peer_request(&Method::OPTIONS, Protocol::Tcp, "z9hG4bKx", "a@b").to_bytes();
    let pipelined = [&options[..], &options[..40]].concat();
    // One byte a second keeps nobody's connection open.
    for (second, byte) in options.iter().take(4).enumerate() {
        stream(&mut endpoint, at(100 + second as u64), slow, &[*byte]);
    }
    // The end of one and the beginning of the next together: each message has its own time.
    stream(&mut endpoint, at(100), steady, &pipelined);
    stream(&mut endpoint, at(104), steady, &[&options[40..], &options[..1]].concat());
    assert_eq!(closed(&mut endpoint, at(108)), [(at(105), slow)]);
    stream(&mut endpoint, at(108), steady, &options[1..]);
    assert!(closed(&mut endpoint, at(600)).is_empty(), "nothing is left unfinished");
    assert_eq!((endpoint.flow_count(), endpoint.counters().flows_stalled), (1, 1));
    // A transaction that waits on the connection does not save it.
    let target = Target::new(Protocol::Tcp, address("192.0.2.2:40001")).on(steady);
    endpoint.request(at(600), request(&Method::INVITE, "a@b"), &target).unwrap();
    stream(&mut endpoint, at(600), steady, b"SIP/2.0 1");
    names(&mut endpoint);
    assert_eq!(closed(&mut endpoint, at(620)), [(at(605), steady)]);
    assert_eq!(names(&mut endpoint), ["event failed transport: timed out", "event terminated"]);
}

#[test]
fn idle_connections_are_counted() {
    let mut config = config();
    config.idle = SECOND * 60;
    let (mut endpoint, _) = both(config);
    let flow = accept(&mut endpoint, at(0), "192.0.2.2:40000").unwrap();
    stream(&mut endpoint, at(30), flow, b"\r\n\r\n");
    assert_eq!(closed(&mut endpoint, at(200)), [(at(90), flow)]);
    assert_eq!((endpoint.counters().flows_idle, endpoint.poll_timeout()), (1, None));
}

#[test]
fn one_address_has_so_many_connections_and_a_flood_has_no_more() {
    let mut config = config();
    config.max_flows = 50;
    config.max_flows_per_address = 10;
    let (mut endpoint, _) = both(config);
    let mut flows = Vec::new();
    for n in 0..1000 {
        flows.extend(accept(&mut endpoint, at(0), &format!("192.0.2.2:{}", 10_000 + n)));
    }
    assert_eq!(flows.len(), 10);
    // An IPv6 network counts as one.
    for n in 0..1000 {
        flows.extend(accept(&mut endpoint, at(0), &format!("[2001:db8::{n:x}]:5060")));
    }
    assert_eq!(flows.len(), 20);
    for n in 0..1000 {
        flows.extend(accept(&mut endpoint, at(0), &format!("198.51.{}.{}:5060", n / 256, n % 256)));
    }
    assert_eq!((flows.len(), endpoint.flow_count(), endpoint.counters().flows_refused), (50, 50, 2950));
    // Who closes one may have another.
    endpoint.handle_input(at(1), Input::FlowDown { flow: flows[0], reason: FlowError::Closed });
    assert!(accept(&mut endpoint, at(1), "192.0.2.2:5").is_some());
    assert!(accept(&mut endpoint, at(1), "192.0.2.2:6").is_none());
    for flow in flows {
        endpoint.handle_input(at(2), Input::FlowDown { flow, reason: FlowError::Closed });
    }
    assert_eq!(endpoint.flow_count(), 1);
}

#[test]
fn an_alias_brings_requests_back_over_the_peers_connection() {
    for enabled in [true, false] {
        let mut config = config();
        config.alias = enabled;
        let (mut endpoint, _) = both(config);
        let flow = accept(&mut endpoint, at(0), "192.0.2.2:40000").unwrap();
        let mut options = peer_request(&Method::OPTIONS, Protocol::Tcp, "z9hG4bKx", "a@b");
        options.headers.set(&"SIP/2.0/TCP 192.0.2.2:5060;branch=z9hG4bKx;alias".parse::<Via>().unwrap());
        stream(&mut endpoint, at(0), flow, &options.to_bytes());
        let target = Target::new(Protocol::Tcp, address(PEER));
        endpoint.request(at(1), request(&Method::INVITE, "c@d"), &target).unwrap();
        if enabled {
            assert_eq!(endpoint.poll_flow(), None);
            let (on, message) = sent(&mut endpoint).remove(0);
            assert_eq!((on, via(&message).params.has("alias")), (flow, true));
            // It ends with its connection.
            endpoint.handle_input(at(2), Input::FlowDown { flow, reason: FlowError::Closed });
            endpoint.request(at(3), request(&Method::INVITE, "e@f"), &target).unwrap();
        }
        assert_ne!(connect(&mut endpoint), flow);
        // A second connection does not take an alias that is in use.
        let other = accept(&mut endpoint, at(3), "192.0.2.2:40001").unwrap();
        stream(&mut endpoint, at(3), other, &options.to_bytes());
        endpoint.request(at(3), request(&Method::INVITE, "g@h"), &target).unwrap();
        assert!(sent(&mut endpoint).is_empty(), "it waits for the connection that is on its way up");
    }
}

#[test]
fn an_accepted_secure_connection_carries_our_requests_only_to_whom_it_was_proved_to_be() {
    let ask = |endpoint: &mut Endpoint, call_id: &str, target: &Target| {
        endpoint.request(at(1), request(&Method::INVITE, call_id), target).unwrap();
        match endpoint.poll_flow() {
            Some(FlowRequest::Connect { flow, .. }) => (flow, true),
            Some(other) => panic!("{other:?}"),
            None => (sent(endpoint).remove(0).0, false),
        }
    };
    for protocol in [Protocol::Tls, Protocol::Wss] {
        let mut config = config();
        config.alias = true;
        let mut endpoint = Endpoint::new(config);
        endpoint.listen(protocol, address("192.0.2.1:5061"));
        let remote = address("192.0.2.2:40000");
        let alias = Target::new(protocol, address("192.0.2.2:5061"));
        let direct = Target::new(protocol, remote);
        let arrive = |endpoint: &mut Endpoint, domains: &[&str]| {
            let flow = endpoint.accept(at(0), protocol, address("192.0.2.1:5061"), remote).unwrap();
            assert!(domains.iter().all(|domain| endpoint.set_peer(flow, *domain)));
            let mut options = peer_request(&Method::OPTIONS, protocol, "z9hG4bKx", "a@b");
            let name = if protocol == Protocol::Tls { "TLS" } else { "WSS" };
            let via = format!("SIP/2.0/{name} 192.0.2.2:5061;branch=z9hG4bKx;alias");
            options.headers.set(&via.parse::<Via>().unwrap());
            match protocol {
                Protocol::Tls => stream(endpoint, at(0), flow, &options.to_bytes()),
                _ => endpoint.handle_input(at(0), Input::Frame { flow, payload: options.to_bytes().into() }),
            }
            let Some(Event::Request { transaction, request, source }) = endpoint.poll_event() else {
                panic!()
            };
            // Responses and what names the flow go back in any case.
            endpoint.respond(at(0), transaction, request.response(StatusCode::OK, Some("us"))).unwrap();
            assert_eq!(sent(endpoint).remove(0).0, flow);
            assert_eq!(ask(endpoint, "named", &source.target()), (flow, false));
            flow
        };
        // Nobody said who it is.
        let flow = arrive(&mut endpoint, &[]);
        for target in [&alias, &direct, &alias.clone().with_domain("a.example")] {
            assert!(ask(&mut endpoint, "unproved", target).1);
        }
        endpoint.close(at(1), flow);
        assert_eq!(endpoint.poll_flow(), Some(FlowRequest::Close { flow }));

        // It is two domains, and no others.
        let mut endpoint = Endpoint::new({
            let mut config = support::config();
            config.alias = true;
            config
        });
        endpoint.listen(protocol, address("192.0.2.1:5061"));
        let flow = arrive(&mut endpoint, &["a.example", "b.example", "a.example"]);
        for domain in ["a.example", "b.example"] {
            for target in [&alias, &direct] {
                assert_eq!(ask(&mut endpoint, "proved", &target.clone().with_domain(domain)), (flow, false));
            }
        }
        for target in [&alias, &direct] {
            assert!(ask(&mut endpoint, "nobody", target).1);
            assert!(ask(&mut endpoint, "other", &target.clone().with_domain("c.example")).1);
        }
        // Its names end with it.
        endpoint.handle_input(at(2), Input::FlowDown { flow, reason: FlowError::Closed });
        for target in [&alias, &direct] {
            assert!(ask(&mut endpoint, "gone", &target.clone().with_domain("b.example")).1);
        }
        assert!(!endpoint.set_peer(flow, "a.example"));
    }
}

#[test]
fn only_accepted_secure_connections_have_a_peer_to_name_and_few_domains() {
    let (mut endpoint, udp) = both(config());
    let tcp = accept(&mut endpoint, at(0), "192.0.2.2:40000").unwrap();
    endpoint
        .request(at(0), request(&Method::OPTIONS, "a@b"), &Target::new(Protocol::Tls, address(PEER)))
        .unwrap();
    let ours = connect(&mut endpoint);
    for flow in [udp, tcp, ours] {
        assert!(!endpoint.set_peer(flow, "a.example"));
    }
    let tls = endpoint.accept(at(0), Protocol::Tls, address(US), address("192.0.2.2:40001")).unwrap();
    let named = (0..99).filter(|n| endpoint.set_peer(tls, format!("{n}.example"))).count();
    assert_eq!(named, 16);
}

#[test]
fn without_a_port_web_sockets_are_at_those_of_the_web() {
    // RFC 7118 §8, as a URI is located: the Via of a peer that can be connected to may have no port.
    for (protocol, port) in
        [(Protocol::Tcp, 5060), (Protocol::Tls, 5061), (Protocol::Ws, 80), (Protocol::Wss, 443)]
    {
        let mut endpoint = Endpoint::new(config());
        let mut response = peer_response(&peer_request(&Method::OPTIONS, protocol, "z9hG4bKx", "a@b"), 200);
        let mut top = Via::new(protocol, address(PEER).ip(), None);
        top.set_branch("z9hG4bKx");
        response.headers.set(&top);
        endpoint.send_response(at(0), &response, None).unwrap();
        let Some(FlowRequest::Connect { remote, .. }) = endpoint.poll_flow() else { panic!() };
        assert_eq!(remote.port(), port, "{protocol:?}");
        let mut locator = Locator::new(LocatorConfig::default(), Rng::from_u64(1));
        let located = LocateRequest::new(address(PEER).ip().into()).or_transport(protocol);
        locator.locate(at(0), located).unwrap();
        let Some(LocateEvent::Located { targets, .. }) = locator.poll_event() else { panic!() };
        assert_eq!((targets[0].protocol, targets[0].address), (protocol, remote));
    }
}

#[test]
fn streams_and_frames_are_read_with_the_leniency_of_the_configuration() {
    let request = "OPTIONS  sip:us@192.0.2.1 SIP/2.0 \r\nVia: SIP/2.0/TCP 192.0.2.2;branch=z9hG4bKx\r\n\
                   From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x@y\r\nCSeq: 1 OPTIONS\r\n\r\n";
    for (leniency, events, is_open) in [
        (Leniency::LENIENT, &["event request OPTIONS"][..], true),
        // A stream without Content-Length.
        (Leniency::DEFAULT, &[], false),
    ] {
        let mut config = config();
        config.leniency = leniency;
        let (mut endpoint, _) = both(config.clone());
        let flow = accept(&mut endpoint, at(0), "192.0.2.2:40000").unwrap();
        stream(&mut endpoint, at(0), flow, request.as_bytes());
        assert_eq!(
            (names(&mut endpoint), endpoint.flow_count() == 1),
            (events.iter().map(|name| (*name).into()).collect(), is_open)
        );
        // A connection that we made.
        let (mut endpoint, _) = both(config.clone());
        endpoint
            .request(
                at(0),
                support::request(&Method::OPTIONS, "a@b"),
                &Target::new(Protocol::Tcp, address(PEER)),
            )
            .unwrap();
        let flow = connect(&mut endpoint);
        endpoint.handle_input(at(0), Input::FlowUp { flow, local: address("192.0.2.1:40000") });
        stream(&mut endpoint, at(0), flow, request.as_bytes());
        assert_eq!(endpoint.flow_count() == 1, is_open);
        // Frames need no Content-Length, but the start line is as bad.
        let mut endpoint = Endpoint::new(config);
        endpoint.listen(Protocol::Ws, address(US));
        let flow = endpoint.accept(at(0), Protocol::Ws, address(US), address("192.0.2.2:40000")).unwrap();
        endpoint.handle_input(at(0), Input::Frame { flow, payload: Bytes::from_static(request.as_bytes()) });
        assert_eq!(names(&mut endpoint), events);
        assert_eq!(endpoint.flow_count(), 1);
    }
}

#[test]
fn a_websocket_client_names_itself_as_nobody_and_takes_frames() {
    let mut endpoint = Endpoint::new(config());
    endpoint.bind(Protocol::Udp, address(US));
    let target = Target::new(Protocol::Wss, address(PEER)).with_domain("example.com");
    let id = endpoint.request(at(0), request(&Method::REGISTER, "a@b"), &target).unwrap();
    let flow = connect(&mut endpoint);
    endpoint.handle_input(at(0), Input::FlowUp { flow, local: address("192.0.2.1:40000") });
    let (_, message) = sent(&mut endpoint).remove(0);
    let top = via(&message);
    assert_eq!((top.protocol(), top.port), (Some(Protocol::Wss), None));
    let host = top.host.to_string();
    assert!(host.len() >= 16 && host.ends_with(".invalid"), "{host}");
    assert_eq!(top.host, *endpoint.websocket_host());
    // RFC 7118 §5.2: another endpoint has another name.
    let mut other = config();
    other.seed = [9; 32];
    assert_ne!(Endpoint::new(other).websocket_host().to_string(), host);
    let Message::Request(register) = message else { panic!() };
    let answer = Bytes::from(peer_response(&register, 200).to_bytes());
    endpoint.handle_input(at(1), Input::Frame { flow, payload: answer.clone() });
    assert!(matches!(endpoint.poll_event(), Some(Event::Response { transaction, .. }) if transaction == id));
    assert_eq!(names(&mut endpoint), ["event terminated"]);
    // Its repetition belongs to nobody, but it is ours.
    endpoint.handle_input(at(1), Input::Frame { flow, payload: answer });
    assert_eq!(names(&mut endpoint), ["event stray 200"]);
    // Keep-alives, an empty message, and what is none.
    for payload in [&b"\r\n\r\n"[..], b"\r\n", b"", b"no SIP"] {
        endpoint.handle_input(at(2), Input::Frame { flow, payload: Bytes::from_static(payload) });
    }
    assert_eq!(&*endpoint.poll_transmit().unwrap().payload, b"\r\n");
    // The answer to a keep-alive is told, nothing else is.
    assert_eq!((endpoint.poll_transmit(), names(&mut endpoint).len()), (None, 1));
    assert!(endpoint.counters().keep_alives >= 2);
    assert_eq!(endpoint.flow_count(), 1, "a message that is wrong does not spoil the next");
}

#[test]
fn a_websocket_server_answers_on_the_connection() {
    let mut endpoint = Endpoint::new(config());
    endpoint.listen(Protocol::Ws, address(US));
    let flow = endpoint.accept(at(0), Protocol::Ws, address(US), address("192.0.2.2:40000")).unwrap();
    let mut register = peer_request(&Method::REGISTER, Protocol::Ws, "z9hG4bKx", "a@b");
    register.headers.set(&"SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bKx;rport".parse::<Via>().unwrap());
    endpoint.handle_input(at(0), Input::Frame { flow, payload: register.to_bytes().into() });
    let Some(Event::Request { transaction, request, source }) = endpoint.poll_event() else { panic!() };
    assert_eq!(source.protocol, Protocol::Ws);
    endpoint.respond(at(0), transaction, request.response(StatusCode::OK, Some("us"))).unwrap();
    let (on, response) = sent(&mut endpoint).remove(0);
    assert_eq!(on, flow);
    let top = via(&response);
    assert_eq!((top.received(), top.rport()), ("192.0.2.2".parse().ok(), Some(Some(40_000))));
    // Requests to the client take the same connection, and name where we listen.
    endpoint.request(at(1), support::request(&Method::OPTIONS, "c@d"), &source.target()).unwrap();
    let (on, options) = sent(&mut endpoint).remove(0);
    assert_eq!(
        (on, via(&options).host.to_string(), via(&options).port),
        (flow, "192.0.2.1".into(), Some(5060))
    );
}
