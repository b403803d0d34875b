//! Bodies beside the session description: advice of charge in the messages of a call (TS 24.647, RFC 5621).

use crate::support::*;
use sidetone_sip_core::header::ContentType;
use sidetone_sip_core::{Method, Multipart, Part, Request, Response, Rng, StatusCode};
use sidetone_sip_ua::package::charge;
use sidetone_sip_ua::{AccountConfig, CallId, EndedBy, Event};

fn calling(takes: bool) -> (Harness, CallId, Request) {
    let mut harness = Harness::new();
    let mut config = AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap();
    if takes {
        config.accept.push(charge::CONTENT_TYPE);
    }
    let account = harness.account_with(config);
    let to = uri("sip:bob@192.0.2.2");
    let call = harness.agent.call(harness.now, account, &to, Some(body(OFFER))).unwrap();
    let invite = harness.request(Method::INVITE);
    (harness, call, invite)
}

fn both(mut response: Response, cost: &'static str) -> Response {
    let parts = [Part::new(&charge::CONTENT_TYPE, body(cost)), Part::new(&ContentType::SDP, body(ANSWER))];
    response.set_parts(&Multipart::new("mixed", parts), &mut Rng::from_u64(1));
    response
}

#[track_caller]
fn told(harness: &mut Harness, expected: CallId) -> Vec<u8> {
    let Event::Content { call, kind, body } = harness.event() else { panic!("expected content") };
    assert_eq!((call, *kind), (expected, charge::CONTENT_TYPE));
    body.to_vec()
}

#[test]
fn every_message_of_a_call_may_say_what_it_costs() {
    let (mut harness, call, invite) = calling(true);
    let mut ringing = reply(&invite, 180, "one");
    ringing.set_body(&charge::CONTENT_TYPE, body("<aoc>1</aoc>"));
    harness.put(ringing);
    assert_eq!(told(&mut harness, call), b"<aoc>1</aoc>");
    let Event::Progress { status, early_media, body: sdp, .. } = harness.event() else { panic!("progress") };
    assert_eq!((status, early_media, sdp), (StatusCode::RINGING, false, None), "it is no early media");
    harness.put(both(reply(&invite, 183, "one"), "<aoc>2</aoc>"));
    assert_eq!(told(&mut harness, call), b"<aoc>2</aoc>");
    let Event::Progress { body: sdp, .. } = harness.event() else { panic!("progress") };
    assert_eq!(sdp, Some(body(ANSWER)));
    harness.put(both(reply(&invite, 200, "one"), "<aoc>3</aoc>"));
    harness.request(Method::ACK);
    assert_eq!(told(&mut harness, call), b"<aoc>3</aoc>");
    let Event::Answered { body: sdp, .. } = harness.event() else { panic!("answered") };
    assert_eq!(sdp, Some(body(ANSWER)), "the answer is that part of the body");
    // The answer to our BYE comes when the call is over for us.
    harness.agent.hangup(harness.now, call).unwrap();
    let bye = harness.request(Method::BYE);
    assert_eq!(harness.ended().by, EndedBy::Local);
    let mut ok = reply(&bye, 200, "one");
    ok.set_body(&charge::CONTENT_TYPE, body("<aoc>4</aoc>"));
    harness.put(ok);
    assert_eq!(told(&mut harness, call), b"<aoc>4</aoc>");
    harness.no_event();
}

#[test]
fn a_bye_and_a_refusal_say_it_before_the_end() {
    let (mut harness, call, invite) = calling(true);
    let mut ok = reply(&invite, 200, "one");
    ok.set_body(&ContentType::SDP, body(ANSWER));
    harness.put(ok.clone());
    harness.request(Method::ACK);
    assert!(matches!(harness.event(), Event::Answered { .. }));
    let mut bye = harness.callee_in_dialog(&invite, &ok, Method::BYE, 11);
    bye.set_body(&charge::CONTENT_TYPE, body("<aoc>5</aoc>"));
    harness.put(bye);
    harness.response(200);
    assert_eq!(told(&mut harness, call), b"<aoc>5</aoc>");
    assert_eq!(harness.ended().by, EndedBy::Remote);

    let (mut harness, call, invite) = calling(true);
    let mut busy = reply(&invite, 486, "one");
    busy.set_body(&charge::CONTENT_TYPE, body("<aoc>6</aoc>"));
    harness.put(busy);
    assert_eq!(told(&mut harness, call), b"<aoc>6</aoc>");
    assert_eq!(harness.ended().status, Some(StatusCode::BUSY_HERE));
}

#[test]
fn what_an_account_did_not_ask_for_is_not_told_and_what_does_not_read_hurts_no_call() {
    let (mut harness, _, invite) = calling(false);
    let mut ringing = reply(&invite, 180, "one");
    ringing.set_body(&charge::CONTENT_TYPE, body("<aoc/>"));
    harness.put(ringing);
    assert!(matches!(harness.event(), Event::Progress { early_media: false, .. }));

    let (mut harness, _, invite) = calling(true);
    let mut ringing = reply(&invite, 180, "one");
    let mixed: ContentType = "multipart/mixed;boundary=x".parse().unwrap();
    ringing.set_body(&mixed, body("no boundary at all"));
    harness.put(ringing);
    assert!(matches!(harness.event(), Event::Progress { early_media: false, body: None, .. }));
    harness.put(both(reply(&invite, 200, "one"), ""));
    assert!(matches!(harness.event(), Event::Answered { body: Some(_), .. }));
}
