//! INVITEs that are too long for UDP, of an agent that has only bound UDP: over TCP if there is TCP, and without a loss of
//! time if there is none (RFC 3261 §18.1.1).

use crate::support::*;
use bytes::Bytes;
use sidetone_hal::net::{FlowId, Protocol};
use sidetone_sip_core::header::{ContentType, HeaderName, Via};
use sidetone_sip_core::{FlowError, FlowRequest, Headers, Input, Message, Method, Request};
use sidetone_sip_ua::{CallId, CallRequest, CallState, Event};

/// A call of ours whose INVITE has 1300 bytes of its own, and the connection that is asked for.
fn calling() -> (Harness, CallId, FlowId) {
    let mut harness = Harness::new();
    let account = harness.account();
    let mut headers = Headers::new();
    headers.push_raw(HeaderName::SUBJECT, "x".repeat(1300)).unwrap();
    let request = CallRequest::new(uri("sip:bob@192.0.2.2")).with_offer(body(OFFER)).with_headers(headers);
    let call = harness.agent.call_with(harness.now, account, request).unwrap();
    harness.silent();
    let Some(FlowRequest::Connect { flow, protocol: Protocol::Tcp, remote, .. }) = harness.agent.poll_flow()
    else {
        panic!("expected a connection")
    };
    assert_eq!(remote, address(PEER));
    (harness, call, flow)
}

fn way(request: &Request) -> Option<Protocol> {
    request.headers.require::<Via>().unwrap().protocol()
}

/// The INVITE has gone out over UDP; it is answered.
#[track_caller]
fn is_answered_over_udp(harness: &mut Harness, call: CallId) {
    let invite = harness.request(Method::INVITE);
    assert_eq!(way(&invite), Some(Protocol::Udp));
    assert_eq!(contact(&invite.headers), uri("sip:alice@192.0.2.1:5060"));
    let mut ok = reply(&invite, 200, "bob-tag");
    ok.set_body(&ContentType::SDP, body(ANSWER));
    harness.put(ok);
    assert_eq!(way(&harness.request(Method::ACK)), Some(Protocol::Udp));
    assert!(matches!(harness.event(), Event::Answered { .. }));
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
}

#[test]
fn where_tcp_is_refused_the_invite_goes_over_udp_at_once() {
    let (mut harness, call, flow) = calling();
    harness.agent.handle_input(harness.now, Input::FlowDown { flow, reason: FlowError::Refused });
    is_answered_over_udp(&mut harness, call);
}

#[test]
fn where_nobody_answers_to_tcp_the_invite_goes_over_udp_after_four_seconds() {
    let (mut harness, call, _) = calling();
    harness.ms(3_999);
    harness.silent();
    harness.ms(1);
    is_answered_over_udp(&mut harness, call);
}

#[test]
fn what_follows_an_invite_over_tcp_goes_as_the_other_sides_contact_says() {
    let (mut harness, call, flow) = calling();
    harness.agent.handle_input(harness.now, Input::FlowUp { flow, local: address("192.0.2.1:40000") });
    let invite = harness.request(Method::INVITE);
    assert_eq!(way(&invite), Some(Protocol::Tcp));
    // Others reach us over UDP alone.
    assert_eq!(contact(&invite.headers), uri("sip:alice@192.0.2.1:5060"));
    let mut ok = reply(&invite, 200, "bob-tag");
    ok.set_body(&ContentType::SDP, body(ANSWER));
    let bytes = Bytes::from(Message::from(ok).to_bytes());
    harness.agent.handle_input(harness.now, Input::Stream { flow, bytes });
    assert_eq!(way(&harness.request(Method::ACK)), Some(Protocol::Udp));
    assert!(matches!(harness.event(), Event::Answered { .. }));
    harness.agent.hangup(harness.now, call).unwrap();
    assert_eq!(way(&harness.request(Method::BYE)), Some(Protocol::Udp));
}
