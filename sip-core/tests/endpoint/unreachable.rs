//! A datagram that did not arrive ends the client transactions that wait for its destination (RFC 3261 §18.4), and a
//! socket whose place another has taken. In virtual time.

use crate::endpoint::events;
use crate::support::{PEER, US, address, config, parse, peer_request, peer_response, request};
use core::time::Duration;
use sidetone_sip_core::{
    Endpoint, Event, FlowError, FlowId, FlowRequest, Input, Instant, Method, Protocol, SendError, StatusCode,
    Target, TransactionFailure, TransactionId,
};

const OTHER: &str = "192.0.2.3:5060";

fn failures(endpoint: &mut Endpoint) -> Vec<(TransactionId, TransactionFailure)> {
    let failure = |event| match event {
        Event::Failed { transaction, cause } => Some((transaction, cause)),
        _ => None,
    };
    events(endpoint).into_iter().filter_map(failure).collect()
}

#[test]
fn only_client_transactions_that_wait_for_that_destination_end() {
    let mut endpoint = Endpoint::new(config());
    let flow = endpoint.bind(Protocol::Udp, address(US));
    let now = Instant::ZERO;
    let ask = |endpoint: &mut Endpoint, method: Method, id: &str, to: &str| {
        let target = Target::new(Protocol::Udp, address(to));
        endpoint.request(now, request(&method, id), &target).unwrap()
    };
    let options = ask(&mut endpoint, Method::OPTIONS, "options", PEER);
    let invite = ask(&mut endpoint, Method::INVITE, "invite", PEER);
    let elsewhere = ask(&mut endpoint, Method::OPTIONS, "elsewhere", OTHER);
    let answered = ask(&mut endpoint, Method::OPTIONS, "answered", PEER);
    // One has its answer already, one is asked of us.
    let mut last = None;
    while let Some(transmit) = endpoint.poll_transmit() {
        last = Some(transmit);
    }
    let sidetone_sip_core::Message::Request(last) = parse(&last.unwrap().payload) else { panic!() };
    let payload = peer_response(&last, 200).to_bytes().into();
    endpoint.handle_input(now, Input::Datagram { flow, source: address(PEER), payload });
    let payload = peer_request(&Method::OPTIONS, Protocol::Udp, "z9hG4bK9", "theirs").to_bytes().into();
    endpoint.handle_input(now, Input::Datagram { flow, source: address(PEER), payload });
    let before = events(&mut endpoint);
    assert!(
        matches!(before[..], [Event::Response { transaction, .. }, Event::Request { .. }] if transaction == answered)
    );
    let Event::Request { transaction: theirs, request: asked, .. } = &before[1] else { panic!() };

    let reason = FlowError::Refused;
    let unreachable = |flow, to| Input::Unreachable { flow, destination: address(to), reason };
    endpoint.handle_input(now, unreachable(FlowId(99), PEER));
    endpoint.handle_input(now, unreachable(flow, "192.0.2.2:5061"));
    assert_eq!(failures(&mut endpoint), []);
    endpoint.handle_input(now, unreachable(flow, PEER));
    let cause = TransactionFailure::Transport(reason);
    assert_eq!(failures(&mut endpoint), [(options, cause), (invite, cause)]);
    // Again, and nothing is left to end.
    endpoint.handle_input(now, unreachable(flow, PEER));
    assert_eq!(failures(&mut endpoint), []);
    endpoint.respond(now, *theirs, asked.response(StatusCode::OK, Some("b"))).unwrap();
    assert!(endpoint.poll_transmit().unwrap().payload.starts_with(b"SIP/2.0 200"));
    endpoint.handle_input(now, unreachable(flow, OTHER));
    assert_eq!(failures(&mut endpoint), [(elsewhere, cause)]);
}

#[test]
fn a_request_that_came_back_to_udp_ends_with_its_datagrams() {
    let mut endpoint = Endpoint::new(config());
    let flow = endpoint.bind(Protocol::Udp, address(US));
    let now = Instant::ZERO;
    let mut long = request(&Method::INVITE, "long");
    long.body = "x".repeat(1400).into();
    let id = endpoint.request(now, long, &Target::new(Protocol::Udp, address(PEER))).unwrap();
    let Some(FlowRequest::Connect { flow: stream, .. }) = endpoint.poll_flow() else { panic!() };
    let reason = FlowError::Refused;
    let unreachable = Input::Unreachable { flow, destination: address(PEER), reason };
    endpoint.handle_input(now, unreachable.clone());
    assert_eq!(failures(&mut endpoint), [], "it goes over TCP");
    assert!(endpoint.uses(stream));
    endpoint.handle_input(now, Input::FlowDown { flow: stream, reason });
    assert_eq!(endpoint.poll_transmit().unwrap().flow, flow);
    assert!(endpoint.uses(flow) && !endpoint.uses(stream));
    endpoint.handle_input(now, unreachable);
    assert_eq!(failures(&mut endpoint), [(id, TransactionFailure::Transport(reason))]);
    assert!(!endpoint.uses(flow));
}

#[test]
fn a_retired_socket_serves_only_what_began_there() {
    let mut endpoint = Endpoint::new(config());
    let old = endpoint.bind(Protocol::Udp, address(US));
    let mut now = Instant::ZERO;
    let target = Target::new(Protocol::Udp, address(PEER));
    endpoint.request(now, request(&Method::OPTIONS, "before"), &target).unwrap();
    assert_eq!(endpoint.poll_transmit().unwrap().flow, old);
    assert!(endpoint.uses(old));

    let new = endpoint.bind(Protocol::Udp, address("192.0.2.1:5070"));
    endpoint.retire(old);
    assert_eq!(endpoint.local_address(Protocol::Udp, Some(address(PEER))), Some(address("192.0.2.1:5070")));
    endpoint.request(now, request(&Method::OPTIONS, "after"), &target).unwrap();
    assert_eq!(endpoint.poll_transmit().unwrap().flow, new);
    // The retransmission of the first goes where it went.
    now += Duration::from_millis(500);
    endpoint.handle_timeout(now);
    let flows: Vec<_> =
        core::iter::from_fn(|| endpoint.poll_transmit()).map(|transmit| transmit.flow).collect();
    assert!(flows.len() == 2 && flows.contains(&old) && flows.contains(&new), "{flows:?}");
    // Asked for by name it still serves.
    endpoint.request(now, request(&Method::OPTIONS, "named"), &target.clone().on(old)).unwrap();
    assert_eq!(endpoint.poll_transmit().unwrap().flow, old);

    now += Duration::from_secs(64);
    endpoint.handle_timeout(now);
    assert!(!endpoint.uses(old));
    endpoint.unbind(old);
    let gone = endpoint.request(now, request(&Method::OPTIONS, "gone"), &target.on(old));
    assert_eq!(gone, Err(SendError::Flow(FlowError::Unknown)));
}
