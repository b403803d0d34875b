//! From UDP to TCP for what is too long, and back (RFC 3261 §18.1.1).

use crate::endpoint::{SECOND, at, both, connect, names, sent_on, via};
use crate::support;
use crate::support::{PEER, US, address, config, name_of, peer_response, request};
use bytes::Bytes;
use core::net::SocketAddr;
use sidetone_hal::sim::{NodeId, World};
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::ContentType;
use sidetone_sip_core::sim::{Machine, SipNode};
use sidetone_sip_core::transaction::Timer;
use sidetone_sip_core::{
    Endpoint, EndpointConfig, Event, FlowError, FlowRequest, Input, Instant, Message, Method, Protocol,
    Request, StatusCode, Target, WakeReason,
};

/// A request of more than 1300 bytes.
fn long(method: &Method, call_id: &str) -> Request {
    let mut request = request(method, call_id);
    request.set_body(&"text/plain".parse::<ContentType>().unwrap(), "x".repeat(1200));
    request
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
        assert!(sent_on(&mut endpoint).is_empty());
        endpoint.handle_input(now, Input::FlowUp { flow, local: address("192.0.2.1:40000") });
        let (on, message) = sent_on(&mut endpoint).remove(0);
        assert_eq!((on, via(&message).protocol()), (flow, Some(Protocol::Tcp)));
        // Nothing is sent again, and the connection's time to come up means nothing any more.
        let Some((due, why)) = endpoint.poll_timeout() else { panic!() };
        assert_eq!((due, why), (at(4), WakeReason::Transaction(Timer::Switch)));
        endpoint.handle_timeout(due);
        assert!(sent_on(&mut endpoint).is_empty());
        let Message::Request(out) = message else { panic!() };
        let answer = Bytes::from(peer_response(&out, 486).to_bytes());
        endpoint.handle_input(due, Input::Stream { flow, bytes: answer });
        assert!(
            matches!(endpoint.poll_event(), Some(Event::Response { transaction, .. }) if transaction == id)
        );
        let acks: Vec<_> =
            sent_on(&mut endpoint).iter().map(|(flow, message)| (*flow, name_of(message))).collect();
        let expected = if method == Method::INVITE { vec![(flow, "ACK".to_owned())] } else { vec![] };
        assert_eq!(acks, expected);
        assert_eq!((endpoint.counters().switched, endpoint.counters().switched_back), (1, 0));
        // The next one takes the connection that is there.
        endpoint.request(due, long(&method, "c@d"), &udp_target()).unwrap();
        assert_eq!(sent_on(&mut endpoint)[0].0, flow);
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
        let messages = sent_on(endpoint);
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
                    assert_eq!(sent_on(&mut endpoint).len(), 1);
                    endpoint.handle_input(now, Input::FlowDown { flow, reason: FlowError::Reset });
                }
            }
            let messages = sent_on(&mut endpoint);
            assert_eq!(messages.len(), 1, "{way}");
            let (on, message) = &messages[0];
            assert_eq!((*on, via(message).protocol()), (udp, Some(Protocol::Udp)), "{way}");
            // The timers of UDP run from here.
            assert_eq!(endpoint.poll_timeout().map(|(due, _)| due), Some(now + Duration::from_millis(500)));
            endpoint.handle_timeout(now + Duration::from_millis(500));
            assert_eq!(sent_on(&mut endpoint), messages, "{way}: sent again as it was");
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
                let (on, ack) = sent_on(&mut endpoint).remove(0);
                assert_eq!((on, name_of(&ack), via(&ack)), (udp, "ACK".into(), via(message)));
            }
            assert_eq!((endpoint.counters().switched, endpoint.counters().switched_back), (1, 1));
            // The next long request does not try again, until 5 minutes have passed.
            endpoint.request(now + SECOND, long(&method, "c@d"), &udp_target()).unwrap();
            assert_eq!(sent_on(&mut endpoint)[0].0, udp, "{way}");
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
    let (_, Message::Request(out)) = sent_on(&mut endpoint).remove(0) else { panic!() };
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
    let (_, Message::Request(out)) = sent_on(&mut endpoint).remove(0) else { panic!() };
    let ringing = Bytes::from(peer_response(&out, 180).to_bytes());
    endpoint.handle_input(at(1), Input::Datagram { flow: udp, source: address(PEER), payload: ringing });
    let (on, cancel) = sent_on(&mut endpoint).remove(0);
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
