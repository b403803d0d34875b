//! Calls of ours that many places answer: the first has the call, sixteen others are taken down, and the rest are left
//! alone, so that nobody can make us send without end (RFC 3261 §13.2.2.4).

use crate::support::*;
use sidetone_sip_core::header::{ContentType, To};
use sidetone_sip_core::{Message, Method, Request, Response};
use sidetone_sip_ua::{CallId, CallState, EndedBy, Event};

/// How many are taken down (`session/fork.rs`).
const TAKEN_DOWN: usize = 16;

/// A call that the place "first" has answered.
fn answered() -> (Harness, CallId, Request) {
    let mut harness = Harness::new();
    let account = harness.account();
    let bob = uri("sip:bob@192.0.2.2");
    let call = harness.agent.call(harness.now, account, &bob, Some(body(OFFER))).unwrap();
    let invite = harness.request(Method::INVITE);
    harness.put(ok(&invite, "first"));
    harness.request(Method::ACK);
    assert!(matches!(harness.event(), Event::Answered { .. }));
    (harness, call, invite)
}

fn ok(invite: &Request, tag: &str) -> Response {
    let mut ok = reply(invite, 200, tag);
    ok.set_body(&ContentType::SDP, body(ANSWER));
    ok
}

fn tag(request: &Request) -> String {
    request.headers.require::<To>().unwrap().tag().unwrap().to_owned()
}

/// What goes to a place that is let go.
#[track_caller]
fn let_go(harness: &mut Harness, place: &str) -> Request {
    let ack = harness.request(Method::ACK);
    let bye = harness.request(Method::BYE);
    assert_eq!((tag(&ack), tag(&bye)), (place.to_owned(), place.to_owned()));
    bye
}

#[test]
fn sixteen_other_places_are_let_go_and_the_next_is_left_to_its_timers() {
    let (mut harness, call, invite) = answered();
    for number in 1..=TAKEN_DOWN {
        let place = format!("other{number}");
        harness.put(ok(&invite, &place));
        let bye = let_go(&mut harness, &place);
        harness.answer(&bye, 200, &place);
    }
    // Each one's 200 may come again: its ACK was lost.
    for number in [1, TAKEN_DOWN] {
        let place = format!("other{number}");
        harness.put(ok(&invite, &place));
        assert_eq!(tag(&harness.request(Method::ACK)), place);
        harness.silent();
    }
    // And that of the one that has the call: its ACK was not forgotten for the others'.
    harness.put(ok(&invite, "first"));
    assert_eq!(tag(&harness.request(Method::ACK)), "first");
    harness.silent();
    let beyond = ok(&invite, "beyond");
    harness.put(beyond.clone());
    harness.put(beyond.clone());
    harness.silent();
    // Without an ACK it gives up after 64·T1, by a BYE of a dialog that we do not have.
    harness.ms(20_000);
    harness.skip();
    let bye = harness.callee_in_dialog(&invite, &beyond, Method::BYE, 1);
    harness.put(bye);
    harness.response(481);
    harness.no_event();
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
    let bye = harness.callee_in_dialog(&invite, &ok(&invite, "first"), Method::BYE, 1);
    harness.put(bye);
    harness.response(200);
    assert_eq!(harness.ended().by, EndedBy::Remote);
    harness.ms(64_000);
    assert!(harness.agent.is_idle());
}

/// The call is over and nothing of it is left, and now `late` answers too.
#[track_caller]
fn answers_too_late(harness: &mut Harness, call: CallId, invite: &Request) {
    assert_eq!(harness.agent.call_state(call), None);
    harness.silent();
    harness.put(ok(invite, "late"));
    let bye = let_go(harness, "late");
    // Each 200 may come again until 64·T1 after the first: only the ACK is repeated.
    for place in ["late", "first", "late"] {
        harness.put(ok(invite, place));
        assert_eq!(tag(&harness.request(Method::ACK)), place);
        harness.silent();
    }
    harness.answer(&bye, 200, "late");
    harness.ms(31_000);
    harness.put(ok(invite, "late"));
    assert_eq!(tag(&harness.request(Method::ACK)), "late");
    // The INVITE is as good as forgotten then.
    harness.ms(1_100);
    harness.put(ok(invite, "late"));
    harness.put(ok(invite, "latest"));
    harness.silent();
    harness.no_event();
    harness.ms(64_000);
    harness.silent();
    assert!(harness.agent.is_idle());
    assert!(harness.agent.poll_timeout().is_none());
    assert_eq!(harness.agent.endpoint().transaction_count(), 0);
}

#[test]
fn a_place_that_answers_when_we_have_hung_up_already_is_let_go() {
    let (mut harness, call, invite) = answered();
    harness.agent.hangup(harness.now, call).unwrap();
    assert_eq!(harness.ended().by, EndedBy::Local);
    let bye = harness.request(Method::BYE);
    harness.answer(&bye, 200, "first");
    answers_too_late(&mut harness, call, &invite);
}

#[test]
fn a_place_that_answers_when_the_other_has_hung_up_already_is_let_go() {
    let (mut harness, call, invite) = answered();
    let bye = harness.callee_in_dialog(&invite, &ok(&invite, "first"), Method::BYE, 1);
    harness.put(bye);
    harness.response(200);
    assert_eq!(harness.ended().by, EndedBy::Remote);
    answers_too_late(&mut harness, call, &invite);
}

#[test]
fn two_places_that_answer_as_the_call_is_given_up_are_both_let_go() {
    let mut harness = Harness::new();
    let account = harness.account();
    let bob = uri("sip:bob@192.0.2.2");
    let call = harness.agent.call(harness.now, account, &bob, Some(body(OFFER))).unwrap();
    let invite = harness.request(Method::INVITE);
    harness.answer(&invite, 180, "first");
    assert!(matches!(harness.event(), Event::Progress { .. }));
    harness.agent.hangup(harness.now, call).unwrap();
    assert_eq!(harness.ended().by, EndedBy::Local);
    let cancel = harness.request(Method::CANCEL);
    harness.answer(&cancel, 200, "proxy");
    harness.put(ok(&invite, "first"));
    let bye = let_go(&mut harness, "first");
    harness.answer(&bye, 200, "first");
    answers_too_late(&mut harness, call, &invite);
}

#[test]
fn sixteen_places_are_let_go_of_a_call_that_is_over_and_no_more() {
    let (mut harness, call, invite) = answered();
    harness.agent.hangup(harness.now, call).unwrap();
    let bye = harness.request(Method::BYE);
    harness.answer(&bye, 200, "first");
    let mut byes = 0;
    for number in 0..100 {
        harness.put(ok(&invite, &format!("place{number}")));
        while let Some((_, message)) = harness.try_sent() {
            let Message::Request(request) = message else { panic!("{}", line(&message)) };
            if request.method == Method::BYE {
                let place = tag(&request);
                harness.answer(&request, 200, &place);
                byes += 1;
            }
        }
    }
    assert_eq!(byes, TAKEN_DOWN);
}

#[test]
fn a_thousand_places_that_answer_get_no_more_than_sixteen_byes() {
    let (mut harness, call, invite) = answered();
    let (mut acks, mut byes) = (0, 0);
    for round in 0..3 {
        for number in 0..1000 {
            harness.put(ok(&invite, &format!("place{number}")));
            while let Some((_, message)) = harness.try_sent() {
                let Message::Request(request) = message else { panic!("{}", line(&message)) };
                if request.method == Method::ACK {
                    acks += 1;
                } else {
                    let place = tag(&request);
                    harness.answer(&request, 200, &place);
                    byes += 1;
                }
            }
        }
        assert_eq!(
            (acks, byes),
            (TAKEN_DOWN * (round + 1), TAKEN_DOWN),
            "each repeat of the sixteen is acknowledged"
        );
    }
    harness.no_event();
    harness.agent.hangup(harness.now, call).unwrap();
    let bye = harness.request(Method::BYE);
    assert_eq!(tag(&bye), "first");
    harness.answer(&bye, 200, "first");
    harness.ms(64_000);
    assert!(harness.agent.is_idle());
    assert!(harness.agent.poll_timeout().is_none());
}

#[test]
fn a_thousand_places_that_ring_are_told_and_sixteen_of_them_have_a_name() {
    let mut harness = Harness::new();
    let account = harness.account();
    let bob = uri("sip:bob@192.0.2.2");
    let call = harness.agent.call(harness.now, account, &bob, Some(body(OFFER))).unwrap();
    let invite = harness.request(Method::INVITE);
    let mut named = 0;
    for number in 0..1000 {
        harness.answer(&invite, 180, &format!("place{number}"));
        let Event::Progress { early, .. } = harness.event() else { panic!("expected progress") };
        named += usize::from(early.is_some());
    }
    assert_eq!(named, 16);
    // One without a name can take the call all the same.
    harness.put(ok(&invite, "place999"));
    assert_eq!(tag(&harness.request(Method::ACK)), "place999");
    assert!(matches!(harness.event(), Event::Answered { .. }));
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
}
