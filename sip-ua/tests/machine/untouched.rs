//! Signalling alone: session descriptions are bytes that pass through as they are, whatever they say, in every message that may
//! have one. This file is compiled without the feature `media` too (`--no-default-features --features std`).

use crate::early::{prack, reliable as reliably};
use crate::support::*;
use bytes::Bytes;
use sidetone_sip_core::header::{CSeq, ContentType, HeaderName, RAck, RSeq};
use sidetone_sip_core::{Method, Request, Response, StatusCode};
use sidetone_sip_ua::{AccountConfig, AccountId, CallId, Event, ExtensionUse, SessionConfig};

/// No session description at all: every byte there is, no line ends at the end, nothing that a parser could like. Each has a
/// mark of its own.
fn bytes(mark: u8) -> Bytes {
    let all = (0..=255).chain([mark]).chain(*b"v=0\n\r\n\r\0o=");
    all.collect()
}

fn account(harness: &mut Harness) -> AccountId {
    let session = SessionConfig::default().with_reliable(ExtensionUse::Supported).with_offer_in_prack();
    let config = AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap();
    harness.account_with(config.with_session(session))
}

fn with(mut response: Response, mark: u8) -> Response {
    response.set_body(&ContentType::SDP, bytes(mark));
    response
}

fn asking(mut request: Request, mark: u8) -> Request {
    request.set_body(&ContentType::SDP, bytes(mark));
    request
}

/// What the next event has of a body.
#[track_caller]
fn told(harness: &mut Harness) -> Bytes {
    match harness.event() {
        Event::Progress { body: Some(body), .. }
        | Event::Answered { body: Some(body), .. }
        | Event::Answer { body: Some(body), .. }
        | Event::Offer { body: Some(body), .. } => body,
        other => panic!("expected a body, got {other:?}"),
    }
}

#[test]
fn in_a_call_of_ours() {
    let mut harness = Harness::new();
    let account = account(&mut harness);
    let bob = uri("sip:bob@192.0.2.2");
    let call = harness.agent.call(harness.now, account, &bob, Some(bytes(1))).unwrap();
    let invite = harness.request(Method::INVITE);
    assert_eq!(invite.body, bytes(1));
    harness.put(with(reliably(&invite, 183, "bob-tag", 1), 2));
    assert_eq!(told(&mut harness), bytes(2));
    harness.agent.reoffer(harness.now, call, bytes(3)).unwrap();
    let prack = prack(&mut harness, &invite, 1, "bob-tag");
    assert_eq!(prack.body, bytes(3));
    harness.put(with(reply(&prack, 200, "bob-tag"), 4));
    assert_eq!(told(&mut harness), bytes(4));
    harness.agent.reoffer(harness.now, call, bytes(5)).unwrap();
    let update = harness.request(Method::UPDATE);
    assert_eq!(update.body, bytes(5));
    harness.put(with(reply(&update, 200, "bob-tag"), 6));
    assert_eq!(told(&mut harness), bytes(6));
    harness.answer(&invite, 200, "bob-tag");
    assert!(harness.request(Method::ACK).body.is_empty());
    assert!(matches!(harness.event(), Event::Answered { .. }));
    changes(&mut harness, call);
}

/// A re-INVITE with an offer, and one without.
fn changes(harness: &mut Harness, call: CallId) {
    harness.agent.reoffer(harness.now, call, bytes(7)).unwrap();
    let invite = harness.request(Method::INVITE);
    assert_eq!(invite.body, bytes(7));
    harness.put(with(reply(&invite, 200, "bob-tag"), 8));
    harness.request(Method::ACK);
    assert_eq!(told(harness), bytes(8));
    harness.agent.ask_offer(harness.now, call).unwrap();
    let invite = harness.request(Method::INVITE);
    harness.put(with(reply(&invite, 200, "bob-tag"), 9));
    assert_eq!(told(harness), bytes(9));
    harness.agent.answer_offer(harness.now, call, bytes(10)).unwrap();
    assert_eq!(harness.request(Method::ACK).body, bytes(10));
}

#[test]
fn in_a_call_to_us() {
    let mut harness = Harness::new();
    account(&mut harness);
    let mut invite = asking(harness.peer_request(Method::INVITE), 1);
    invite.headers.push_raw(HeaderName::SUPPORTED, "100rel").unwrap();
    harness.put(invite.clone());
    let Event::Incoming { call, invite: seen, .. } = harness.event() else { panic!("expected a call") };
    assert_eq!(seen.offer, Some(bytes(1)));
    harness.agent.progress(harness.now, call, StatusCode::SESSION_PROGRESS, Some(bytes(2))).unwrap();
    let progress = harness.response(183);
    assert_eq!(progress.body, bytes(2));
    let RSeq(rseq) = progress.headers.require().unwrap();
    let mut prack = asking(harness.peer_in_dialog(&invite, &progress, Method::PRACK, 11), 3);
    prack.headers.push(&RAck { rseq, cseq: 10, method: Method::INVITE });
    harness.put(prack);
    assert_eq!(told(&mut harness), bytes(3));
    harness.agent.answer_offer(harness.now, call, bytes(4)).unwrap();
    assert_eq!(harness.response(200).body, bytes(4));
    harness.agent.answer(harness.now, call, bytes(5)).unwrap();
    let ok = harness.response(200);
    assert!(ok.body.is_empty(), "it was said already");
    let ack = harness.peer_in_dialog(&invite, &ok, Method::ACK, 10);
    harness.put(ack);
    assert!(matches!(harness.event(), Event::Confirmed { .. }));
    for (method, seq) in [(Method::UPDATE, 12), (Method::INVITE, 13)] {
        let change = asking(harness.peer_in_dialog(&invite, &ok, method, seq), 6);
        harness.put(change);
        assert_eq!(told(&mut harness), bytes(6));
        harness.agent.answer_offer(harness.now, call, bytes(7)).unwrap();
        let answer = harness.response(200);
        assert_eq!(answer.body, bytes(7));
        assert_eq!(answer.headers.require::<CSeq>().unwrap().seq, seq);
    }
}

#[test]
fn in_calls_without_an_offer() {
    let mut harness = Harness::new();
    let account = account(&mut harness);
    let call = harness.agent.call(harness.now, account, &uri("sip:bob@192.0.2.2"), None).unwrap();
    let invite = harness.request(Method::INVITE);
    harness.put(with(reply(&invite, 200, "bob-tag"), 1));
    assert_eq!(told(&mut harness), bytes(1));
    harness.agent.answer_offer(harness.now, call, bytes(2)).unwrap();
    assert_eq!(harness.request(Method::ACK).body, bytes(2));
    // The other way round.
    let invite = harness.peer_request(Method::INVITE);
    harness.put(invite.clone());
    let Event::Incoming { call, .. } = harness.event() else { panic!("expected a call") };
    harness.agent.answer(harness.now, call, bytes(3)).unwrap();
    let ok = harness.response(200);
    assert_eq!(ok.body, bytes(3));
    let ack = asking(harness.peer_in_dialog(&invite, &ok, Method::ACK, 10), 4);
    harness.put(ack);
    assert!(matches!(harness.event(), Event::Confirmed { .. }));
    assert_eq!(told(&mut harness), bytes(4));
}
