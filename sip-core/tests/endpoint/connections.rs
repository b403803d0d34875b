//! Messages and their connections: one that is asked for, one that fails, the way back of a response.

use crate::endpoint::{accept, events, names, only_request, sent, stream};
use crate::support::{PEER, US, address, config, peer_request, request};
use sidetone_sip_core::header::{CallId, Via};
use sidetone_sip_core::{
    Endpoint, Event, FlowError, FlowId, FlowRequest, Input, Instant, Method, Protocol, SendError, StatusCode,
    Target, TransactionFailure,
};

fn connect(endpoint: &mut Endpoint) -> FlowId {
    match endpoint.poll_flow() {
        Some(FlowRequest::Connect { flow, protocol: Protocol::Tcp, remote, .. })
            if remote == address(PEER) =>
        {
            flow
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_connection_is_asked_for_once_holds_messages_and_is_used_again() {
    let mut config = config();
    config.max_pending = 2;
    let mut endpoint = Endpoint::new(config);
    endpoint.listen(Protocol::Tcp, address(US));
    let target = Target::new(Protocol::Tcp, address(PEER));
    let now = Instant::ZERO;
    for call in ["a@b", "c@d"] {
        endpoint.request(now, request(&Method::OPTIONS, call), &target).unwrap();
    }
    let flow = connect(&mut endpoint);
    assert_eq!(endpoint.poll_flow(), None);
    assert!(sent(&mut endpoint).is_empty());
    let refused = endpoint.request(now, request(&Method::OPTIONS, "e@f"), &target);
    assert_eq!(refused, Err(SendError::Flow(FlowError::Overflow)));
    endpoint.handle_input(now, Input::FlowUp { flow, local: address("192.0.2.1:49152") });
    let messages = sent(&mut endpoint);
    let calls: Vec<_> = messages
        .iter()
        .map(|(_, message)| message.headers().require::<CallId>().unwrap().as_str().to_owned())
        .collect();
    assert_eq!(calls, ["a@b", "c@d"]);
    // Via names the port that listens, not that of the connection.
    assert_eq!(messages[0].1.headers().require::<Via>().unwrap().port, Some(5060));
    endpoint.request(now, request(&Method::OPTIONS, "e@f"), &target).unwrap();
    assert_eq!(sent(&mut endpoint).len(), 1);
    assert_eq!(endpoint.poll_flow(), None);
}

#[test]
fn a_connection_that_does_not_come_up_fails_its_transactions() {
    let mut endpoint = Endpoint::new(config());
    endpoint.listen(Protocol::Tcp, address(US));
    let target = Target::new(Protocol::Tcp, address(PEER));
    let id = endpoint.request(Instant::ZERO, request(&Method::INVITE, "a@b"), &target).unwrap();
    let flow = connect(&mut endpoint);
    endpoint.handle_input(Instant::ZERO, Input::FlowDown { flow, reason: FlowError::Refused });
    let events = events(&mut endpoint);
    let cause = TransactionFailure::Transport(FlowError::Refused);
    assert!(
        matches!(&events[..], [Event::Failed { transaction, cause: c }, Event::Terminated { .. }] if *transaction == id && *c == cause),
        "{events:?}"
    );
    assert_eq!((endpoint.transaction_count(), endpoint.flow_count()), (0, 0));
    // The next request tries again, on a new number.
    endpoint.request(Instant::ZERO, request(&Method::INVITE, "a@b"), &target).unwrap();
    assert_ne!(connect(&mut endpoint), flow);
}

fn accepted(endpoint: &mut Endpoint) -> FlowId {
    endpoint.listen(Protocol::Tcp, address(US));
    accept(endpoint, Instant::ZERO, "192.0.2.2:41000").unwrap()
}

#[test]
fn a_response_takes_its_connection_or_a_new_one_to_the_via_port() {
    let mut endpoint = Endpoint::new(config());
    let flow = accepted(&mut endpoint);
    let now = Instant::ZERO;
    let mut bytes = peer_request(&Method::INVITE, Protocol::Tcp, "z9hG4bKx", "a@b").to_bytes();
    bytes.extend(peer_request(&Method::OPTIONS, Protocol::Tcp, "z9hG4bKy", "a@b").to_bytes());
    for byte in bytes {
        stream(&mut endpoint, now, flow, &[byte]);
    }
    let mut requests = events(&mut endpoint).into_iter();
    let (
        Some(Event::Request { transaction: invite, request, source }),
        Some(Event::Request { transaction: options, request: second, .. }),
    ) = (requests.next(), requests.next())
    else {
        panic!()
    };
    assert_eq!(source.remote, address("192.0.2.2:41000"));
    endpoint.respond(now, options, second.response(StatusCode::OK, Some("t"))).unwrap();
    let transmit = endpoint.poll_transmit().unwrap();
    assert_eq!((transmit.flow, transmit.destination), (flow, address("192.0.2.2:41000")));
    // The connection breaks under the INVITE: its answer goes to the sent-by port (RFC 3261 §18.2.2).
    endpoint.handle_input(now, Input::FlowDown { flow, reason: FlowError::Closed });
    assert!(names(&mut endpoint).iter().all(|name| name == "event terminated"));
    endpoint.respond(now, invite, request.response(StatusCode::BUSY_HERE, Some("t"))).unwrap();
    let again = connect(&mut endpoint);
    assert!(endpoint.poll_transmit().is_none());
    endpoint.handle_input(now, Input::FlowUp { flow: again, local: address("192.0.2.1:49152") });
    let transmit = endpoint.poll_transmit().unwrap();
    assert_eq!((transmit.flow, transmit.destination), (again, address(PEER)));
    // The ACK on the new connection ends it.
    let ack = peer_request(&Method::ACK, Protocol::Tcp, "z9hG4bKx", "a@b").to_bytes();
    stream(&mut endpoint, now, again, &ack);
    assert_eq!(names(&mut endpoint), ["event terminated"]);
}

#[test]
fn a_response_that_reaches_nobody_fails_the_server_transaction() {
    let mut endpoint = Endpoint::new(config());
    let flow = accepted(&mut endpoint);
    let now = Instant::ZERO;
    stream(
        &mut endpoint,
        now,
        flow,
        &peer_request(&Method::INVITE, Protocol::Tcp, "z9hG4bKx", "a@b").to_bytes(),
    );
    let (transaction, request, _) = only_request(&mut endpoint);
    endpoint.handle_input(now, Input::FlowDown { flow, reason: FlowError::Closed });
    assert!(names(&mut endpoint).is_empty());
    endpoint.respond(now, transaction, request.response(StatusCode::OK, Some("t"))).unwrap();
    let again = connect(&mut endpoint);
    endpoint.handle_input(now, Input::FlowDown { flow: again, reason: FlowError::Refused });
    assert_eq!(names(&mut endpoint), ["event failed transport: connection refused", "event terminated"]);
}

#[test]
fn a_ping_is_answered_and_lost_framing_closes() {
    let mut endpoint = Endpoint::new(config());
    let flow = accepted(&mut endpoint);
    stream(&mut endpoint, Instant::ZERO, flow, b"\r\n\r\n");
    assert_eq!(&*endpoint.poll_transmit().unwrap().payload, b"\r\n");
    assert_eq!(endpoint.counters().keep_alives, 1);
    stream(&mut endpoint, Instant::ZERO, flow, b"OPTIONS sip:a SIP/2.0\r\nContent-Length: much\r\n\r\n");
    assert_eq!(endpoint.poll_flow(), Some(FlowRequest::Close { flow }));
    assert_eq!((endpoint.flow_count(), endpoint.counters().malformed), (0, 1));
    // Bytes that were under way are nobody's.
    stream(&mut endpoint, Instant::ZERO, flow, b"\r\n\r\n");
    assert!(endpoint.poll_transmit().is_none());
}

#[test]
fn closing_a_connection_fails_what_waits_on_it() {
    let mut endpoint = Endpoint::new(config());
    let flow = accepted(&mut endpoint);
    let target = Target { flow: Some(flow), ..Target::new(Protocol::Tcp, address("192.0.2.2:41000")) };
    endpoint.request(Instant::ZERO, request(&Method::OPTIONS, "a@b"), &target).unwrap();
    endpoint.close(Instant::ZERO, flow);
    assert_eq!(endpoint.poll_flow(), Some(FlowRequest::Close { flow }));
    let expected = ["event failed transport: closed by the other side", "event terminated"];
    assert_eq!(names(&mut endpoint), expected);
}
