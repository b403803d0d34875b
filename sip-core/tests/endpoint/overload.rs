//! Too much, twice, or in a circle: overload, merged requests, loops, and answers without state.

use crate::endpoint::{names, transmits};
use crate::support::{PEER, US, address, config, name_of, parse, peer_request, peer_response, request};
use bytes::Bytes;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{CSeq, From, MaxForwards, RetryAfter, Route, To, Via};
use sidetone_sip_core::{
    Endpoint, EndpointConfig, Event, FlowId, Input, Instant, Message, Method, Protocol, Request, StatusCode,
    Target,
};

fn udp(config: EndpointConfig) -> (Endpoint, FlowId) {
    let mut endpoint = Endpoint::new(config);
    let flow = endpoint.bind(Protocol::Udp, address(US));
    (endpoint, flow)
}

fn datagram(endpoint: &mut Endpoint, now: Instant, flow: FlowId, request: &Request) {
    let payload = Bytes::from(request.to_bytes());
    endpoint.handle_input(now, Input::Datagram { flow, source: address(PEER), payload });
}

fn sent(endpoint: &mut Endpoint) -> Vec<Message> {
    transmits(endpoint).map(|transmit| parse(&transmit.payload)).collect()
}

/// The ACK or CANCEL of the peer's request, with the To of the response to it.
fn with_method(request: &Request, method: &Method, response: Option<&Message>) -> Request {
    let mut other = request.clone();
    other.method = method.clone();
    other.headers.set(&CSeq { seq: 1, method: method.clone() });
    if let Some(response) = response {
        other.headers.set(&response.headers().require::<To>().unwrap());
    }
    other
}

#[test]
fn an_ack_to_a_503_without_state_is_absorbed() {
    for branch in ["z9hG4bKfull", "2543"] {
        let mut config = config();
        config.max_transactions = 0;
        let (mut endpoint, flow) = udp(config);
        let invite = peer_request(&Method::INVITE, Protocol::Udp, branch, "a@b");
        let mut tags = Vec::new();
        for _ in 0..2 {
            datagram(&mut endpoint, Instant::ZERO, flow, &invite);
            let answers = sent(&mut endpoint);
            assert_eq!(answers.iter().map(name_of).collect::<Vec<_>>(), ["503"]);
            assert_eq!(answers[0].headers().require::<RetryAfter>().unwrap().seconds, 5);
            tags.push(answers[0].headers().require::<To>().unwrap().tag().unwrap().to_owned());
            let ack = with_method(&invite, &Method::ACK, answers.first());
            datagram(&mut endpoint, Instant::ZERO, flow, &ack);
            assert!(names(&mut endpoint).is_empty() && sent(&mut endpoint).is_empty());
        }
        assert_eq!(tags[0], tags[1], "a repeated request gets the same answer (RFC 3261 §8.2.7)");
        assert_eq!(endpoint.counters().absorbed_acks, 2);
        // The ACK of another call is the user's.
        let stray = peer_request(&Method::ACK, Protocol::Udp, branch, "other@b");
        datagram(&mut endpoint, Instant::ZERO, flow, &with_method(&stray, &Method::ACK, None));
        assert_eq!(names(&mut endpoint), ["event ack"]);
        // A CANCEL that crosses the 503 has nothing to cancel.
        datagram(&mut endpoint, Instant::ZERO, flow, &with_method(&invite, &Method::CANCEL, None));
        assert_eq!(sent(&mut endpoint).iter().map(name_of).collect::<Vec<_>>(), ["481"]);
        assert_eq!((endpoint.transaction_count(), endpoint.poll_timeout()), (0, None));
        assert_eq!(endpoint.counters().refused, 2);
    }
}

#[test]
fn an_ack_to_a_400_without_state_is_absorbed() {
    let (mut endpoint, flow) = udp(config());
    let mut invite = peer_request(&Method::INVITE, Protocol::Udp, "z9hG4bKbad", "a@b");
    invite.headers.remove(&sidetone_sip_core::HeaderName::MAX_FORWARDS);
    invite.headers.push_raw(sidetone_sip_core::HeaderName::MAX_FORWARDS, "many").unwrap();
    datagram(&mut endpoint, Instant::ZERO, flow, &invite);
    let answers = sent(&mut endpoint);
    assert_eq!(name_of(&answers[0]), "400");
    let mut ack = with_method(&invite, &Method::ACK, answers.first());
    ack.headers.set(&MaxForwards(70));
    datagram(&mut endpoint, Instant::ZERO, flow, &ack);
    assert!(names(&mut endpoint).is_empty());
    assert_eq!(endpoint.counters().absorbed_acks, 1);
}

#[test]
fn a_pending_invite_can_be_cancelled_when_there_is_no_room() {
    let mut config = config();
    config.max_transactions = 1;
    let (mut endpoint, flow) = udp(config);
    let invite = peer_request(&Method::INVITE, Protocol::Udp, "z9hG4bKone", "a@b");
    datagram(&mut endpoint, Instant::ZERO, flow, &invite);
    assert_eq!(names(&mut endpoint), ["event request INVITE"]);
    datagram(&mut endpoint, Instant::ZERO, flow, &with_method(&invite, &Method::CANCEL, None));
    assert_eq!(names(&mut endpoint), ["event cancelled"]);
    assert_eq!(sent(&mut endpoint).iter().map(name_of).collect::<Vec<_>>(), ["200"]);
}

#[test]
fn new_requests_beyond_the_rate_are_refused_and_those_of_dialogs_are_not() {
    let mut config = config();
    config.max_request_rate = Some(10);
    let (mut endpoint, flow) = udp(config);
    let now = Instant::from_millis(70_000);
    for n in 0..30 {
        datagram(
            &mut endpoint,
            now,
            flow,
            &peer_request(&Method::INVITE, Protocol::Udp, &format!("z9hG4bK{n}"), "a@b"),
        );
        let mut bye = peer_request(&Method::BYE, Protocol::Udp, &format!("z9hG4bKb{n}"), "a@b");
        bye.headers.set(&bye.headers.require::<To>().unwrap().with_tag("us"));
        datagram(&mut endpoint, now, flow, &bye);
    }
    let names = names(&mut endpoint);
    assert_eq!(names.iter().filter(|name| *name == "event request INVITE").count(), 10);
    assert_eq!(names.iter().filter(|name| *name == "event request BYE").count(), 30);
    let answers = sent(&mut endpoint);
    assert!(answers.len() == 20 && answers.iter().all(|answer| name_of(answer) == "503"));
    assert_eq!(endpoint.counters().refused, 20);
    let later = now + Duration::from_millis(100);
    datagram(&mut endpoint, later, flow, &peer_request(&Method::INVITE, Protocol::Udp, "z9hG4bKlate", "a@b"));
    assert!(matches!(endpoint.poll_event(), Some(Event::Request { .. })));
}

#[test]
fn a_flood_of_new_requests_takes_no_more_than_the_bounds() {
    let mut config = config();
    config.max_transactions = 100;
    config.max_backlog = 200;
    let (mut endpoint, flow) = udp(config);
    let mut answered = 0;
    for n in 0..20_000_u64 {
        let now = Instant::from_millis(n / 100);
        datagram(
            &mut endpoint,
            now,
            flow,
            &peer_request(&Method::INVITE, Protocol::Udp, &format!("z9hG4bK{n}"), "a@b"),
        );
        if n % 1000 == 0 {
            answered += sent(&mut endpoint).len();
        }
        assert!(endpoint.transaction_count() <= 100);
    }
    let counters = endpoint.counters();
    assert_eq!(counters.received + counters.overflowed, 20_000);
    assert_eq!(names(&mut endpoint).len(), 100);
    assert!(answered > 1000 && counters.refused >= answered as u64);
}

#[test]
fn a_request_that_comes_by_two_ways_is_answered_482_once_by_a_user_agent() {
    for method in [Method::INVITE, Method::MESSAGE] {
        let mut config = config();
        config.refuse_merged = true;
        let (mut endpoint, flow) = udp(config);
        let first = peer_request(&method, Protocol::Udp, "z9hG4bKone", "fork@b");
        let second = peer_request(&method, Protocol::Udp, "z9hG4bKtwo", "fork@b");
        datagram(&mut endpoint, Instant::ZERO, flow, &first);
        assert_eq!(names(&mut endpoint), [format!("event request {method}")]);
        datagram(&mut endpoint, Instant::ZERO, flow, &second);
        assert!(names(&mut endpoint).is_empty());
        let answers = sent(&mut endpoint);
        assert_eq!(answers.iter().map(name_of).collect::<Vec<_>>(), ["482"]);
        // Its repetition is a repetition, and its ACK is absorbed.
        datagram(&mut endpoint, Instant::ZERO, flow, &second);
        assert_eq!(sent(&mut endpoint).iter().map(name_of).collect::<Vec<_>>(), ["482"]);
        if method == Method::INVITE {
            datagram(
                &mut endpoint,
                Instant::ZERO,
                flow,
                &with_method(&second, &Method::ACK, answers.first()),
            );
            assert!(names(&mut endpoint).is_empty());
        }
        // Another request of the same call, a request within a dialog, and another caller are others.
        let mut next = peer_request(&method, Protocol::Udp, "z9hG4bKthree", "fork@b");
        next.headers.set(&CSeq { seq: 2, method: method.clone() });
        let mut within = peer_request(&method, Protocol::Udp, "z9hG4bKfour", "fork@b");
        within.headers.set(&within.headers.require::<To>().unwrap().with_tag("us"));
        let mut other = peer_request(&method, Protocol::Udp, "z9hG4bKfive", "fork@b");
        other.headers.set(&"<sip:alice@192.0.2.1>;tag=other".parse::<From>().unwrap());
        for request in [next, within, other] {
            datagram(&mut endpoint, Instant::ZERO, flow, &request);
            assert_eq!(names(&mut endpoint), [format!("event request {method}")]);
        }
        assert_eq!(endpoint.counters().merged, 1);
    }
    // A proxy may well be on both ways.
    let (mut endpoint, flow) = udp(config());
    for branch in ["z9hG4bKone", "z9hG4bKtwo"] {
        datagram(
            &mut endpoint,
            Instant::ZERO,
            flow,
            &peer_request(&Method::INVITE, Protocol::Udp, branch, "fork@b"),
        );
    }
    assert_eq!(names(&mut endpoint), ["event request INVITE", "event request INVITE"]);
}

#[test]
fn a_merged_request_is_known_while_the_first_one_lasts() {
    let mut config = config();
    config.refuse_merged = true;
    let (mut endpoint, flow) = udp(config);
    let request = |branch: &str| peer_request(&Method::MESSAGE, Protocol::Udp, branch, "fork@b");
    datagram(&mut endpoint, Instant::ZERO, flow, &request("z9hG4bKone"));
    while let Some((at, _)) = endpoint.poll_timeout() {
        endpoint.handle_timeout(at);
    }
    assert_eq!(endpoint.transaction_count(), 0);
    names(&mut endpoint);
    datagram(&mut endpoint, Instant::from_millis(99_000), flow, &request("z9hG4bKtwo"));
    assert_eq!(names(&mut endpoint), ["event request MESSAGE"]);
}

/// What a proxy forwards of a request, by RFC 3261 §16.6 as far as a loop is concerned.
fn forwarded(endpoint: &mut Endpoint, received: &Request, uri: &str) -> Request {
    let mut request = received.clone();
    request.uri = uri.parse().unwrap();
    let target = Target::new(Protocol::Udp, address(PEER));
    endpoint.forward(Instant::ZERO, received, request, &target).unwrap();
    match sent(endpoint).remove(0) {
        Message::Request(request) => request,
        Message::Response(_) => panic!(),
    }
}

#[test]
fn a_proxy_knows_a_loop_from_a_spiral() {
    let (mut endpoint, _) = udp(config());
    let received = peer_request(&Method::INVITE, Protocol::Udp, "z9hG4bKpeer", "a@b");
    assert!(!endpoint.is_looped(&received));
    let out = forwarded(&mut endpoint, &received, "sip:carol@192.0.2.9");
    // Our Via is there, but the Request-URI is another: a spiral.
    assert!(!endpoint.is_looped(&out));
    // Somebody sends it back as it was asked for: a loop, whatever Via and Max-Forwards they added.
    let mut back = out.clone();
    back.uri = received.uri.clone();
    back.headers.push_front(&"SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKother".parse::<Via>().unwrap());
    back.headers.set(&MaxForwards(12));
    assert!(endpoint.is_looped(&back));
    // ACK and CANCEL are judged as their INVITE (RFC 5393 §4.2).
    assert!(endpoint.is_looped(&with_method(&back, &Method::CANCEL, None)));
    // Another way by Route, another call, or another endpoint's branch is no loop.
    let mut routed = back.clone();
    routed.headers.push(&"<sip:192.0.2.77;lr>".parse::<Route>().unwrap());
    assert!(!endpoint.is_looped(&routed));
    let mut other = config();
    other.seed = [8; 32];
    let (neighbour, _) = udp(other);
    assert!(!neighbour.is_looped(&back));
    // Responses find the transaction of a marked branch.
    let answer = peer_response(&out, 486).to_bytes();
    let flow = FlowId(0);
    endpoint
        .handle_input(Instant::ZERO, Input::Datagram { flow, source: address(PEER), payload: answer.into() });
    assert!(
        matches!(endpoint.poll_event(), Some(Event::Response { response, .. }) if response.status == StatusCode::BUSY_HERE)
    );
    // An ordinary request of ours has no mark.
    let target = Target::new(Protocol::Udp, address(PEER));
    endpoint.request(Instant::ZERO, request(&Method::OPTIONS, "x@y"), &target).unwrap();
    let Some(Message::Request(plain)) = sent(&mut endpoint).pop() else { panic!() };
    assert!(!endpoint.is_looped(&plain));
}
