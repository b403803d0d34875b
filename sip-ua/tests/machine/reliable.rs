//! Reliable provisional responses to calls to us (RFC 3262 §3).

use crate::support::*;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{ContentType, HeaderName, RAck, RSeq, Require, Supported};
use sidetone_sip_core::{Method, Request, Response, StatusCode};
use sidetone_sip_ua::{
    AccountConfig, CallId, CallState, CommandError, EndedBy, Event, ExtensionUse, SessionConfig,
};

/// A call to us by one who supports 100rel, with an offer or without.
pub fn called_with(usage: ExtensionUse, offer: bool, header: HeaderName) -> (Harness, CallId, Request) {
    let mut harness = Harness::new();
    let config = AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap();
    harness.account_with(config.with_session(SessionConfig::default().with_reliable(usage)));
    let mut invite = match offer {
        true => harness.peer_invite(),
        false => harness.peer_request(Method::INVITE),
    };
    invite.headers.push_raw(header, "100rel").unwrap();
    invite.headers.push_raw(HeaderName::ALLOW, "INVITE, ACK, BYE, CANCEL, PRACK, UPDATE").unwrap();
    harness.put(invite.clone());
    let Event::Incoming { call, .. } = harness.event() else { panic!("expected a call") };
    (harness, call, invite)
}

fn called(offer: bool) -> (Harness, CallId, Request) {
    called_with(ExtensionUse::Supported, offer, HeaderName::SUPPORTED)
}

#[track_caller]
pub fn reliable(harness: &mut Harness, code: u16) -> (Response, u32) {
    let response = harness.response(code);
    assert!(response.headers.require::<Require>().unwrap().has("100rel"));
    let RSeq(rseq) = response.headers.require().unwrap();
    (response, rseq)
}

/// The caller's PRACK to a response of ours.
pub fn prack(harness: &mut Harness, invite: &Request, response: &Response, rseq: u32, seq: u32) -> Request {
    let mut prack = harness.peer_in_dialog(invite, response, Method::PRACK, seq);
    prack.headers.push(&RAck { rseq, cseq: 10, method: Method::INVITE });
    prack
}

#[test]
fn a_reliable_180_is_repeated_ever_more_slowly_until_its_prack() {
    let (mut harness, call, invite) = called(true);
    harness.agent.ring(harness.now, call).unwrap();
    let (ringing, rseq) = reliable(&mut harness, 180);
    assert!((1..1 << 31).contains(&rseq));
    for wait in [500, 1000, 2000, 4000, 8000] {
        harness.ms(wait - 1);
        harness.silent();
        harness.ms(1);
        assert_eq!(reliable(&mut harness, 180).1, rseq);
    }
    let prack = prack(&mut harness, &invite, &ringing, rseq, 11);
    harness.put(prack);
    harness.response(200);
    harness.ms(40_000);
    harness.silent();
    harness.no_event();
    assert_eq!(harness.agent.call_state(call), Some(CallState::Incoming));
}

#[test]
fn without_a_prack_for_64_t1_the_invite_is_refused_with_a_5xx() {
    let (mut harness, call, _) = called(true);
    harness.agent.ring(harness.now, call).unwrap();
    harness.ms(31_999);
    harness.no_event();
    harness.ms(1);
    let cause = harness.ended();
    assert_eq!((cause.by, cause.reason.as_str()), (EndedBy::Timeout, "no PRACK came"));
    loop {
        let (_, message) = harness.sent();
        if line(&message).contains("504") {
            break;
        }
        assert!(line(&message).contains("180"), "{}", line(&message));
    }
}

#[test]
fn the_setting_and_the_caller_decide_whether_it_is_reliable() {
    let plain = |usage, header: HeaderName, value: &str| {
        let mut harness = Harness::new();
        let config = AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap();
        harness.account_with(config.with_session(SessionConfig::default().with_reliable(usage)));
        let mut invite = harness.peer_invite();
        invite.headers.push_raw(header, value).unwrap();
        harness.put(invite);
        if let Some(Event::Incoming { call, .. }) = harness.agent.poll_event() {
            harness.agent.ring(harness.now, call).unwrap();
        }
        harness
    };
    let mut off = plain(ExtensionUse::Off, HeaderName::SUPPORTED, "100rel");
    assert!(!off.response(180).headers.contains(&HeaderName::RSEQ));
    let mut off = plain(ExtensionUse::Off, HeaderName::REQUIRE, "100rel");
    assert_eq!(off.response(420).headers.raw(&HeaderName::UNSUPPORTED).unwrap(), b"100rel");
    let mut lacking = plain(ExtensionUse::Supported, HeaderName::SUPPORTED, "timer");
    assert!(!lacking.response(180).headers.contains(&HeaderName::RSEQ));
    let mut required = plain(ExtensionUse::Supported, HeaderName::REQUIRE, "100rel");
    reliable(&mut required, 180);
    let mut refused = plain(ExtensionUse::Required, HeaderName::SUPPORTED, "timer");
    assert!(refused.response(421).headers.require::<Require>().unwrap().has("100rel"));
}

#[test]
fn a_prack_for_nothing_gets_481() {
    let (mut harness, call, invite) = called(true);
    harness.agent.ring(harness.now, call).unwrap();
    let (ringing, rseq) = reliable(&mut harness, 180);
    let wrong = prack(&mut harness, &invite, &ringing, rseq + 1, 11);
    harness.put(wrong);
    harness.response(481);
    let right = prack(&mut harness, &invite, &ringing, rseq, 12);
    harness.put(right);
    harness.response(200);
    let again = prack(&mut harness, &invite, &ringing, rseq, 13);
    harness.put(again);
    harness.response(481);
}

#[test]
fn the_next_one_waits_for_the_prack_of_the_one_before_and_counts_on() {
    let (mut harness, call, invite) = called(true);
    for code in [180, 182] {
        harness.agent.progress(harness.now, call, StatusCode::new(code).unwrap(), None).unwrap();
    }
    harness.agent.progress(harness.now, call, StatusCode::SESSION_PROGRESS, Some(body(OFFER))).unwrap();
    let mut last = None;
    for (n, code) in [180, 182, 183].into_iter().enumerate() {
        let (response, rseq) = reliable(&mut harness, code);
        harness.silent();
        assert!(last.is_none_or(|last| rseq == last + 1));
        last = Some(rseq);
        assert_eq!(response.body.is_empty(), code != 183);
        let prack = prack(&mut harness, &invite, &response, rseq, 11 + n as u32);
        harness.put(prack);
        harness.response(200);
    }
    harness.silent();
    for _ in 0..9 {
        harness.agent.ring(harness.now, call).unwrap();
    }
    assert_eq!(harness.agent.ring(harness.now, call), Err(CommandError::QueueFull(8)));
}

#[test]
fn the_200_waits_for_the_prack_of_the_answer_and_does_not_repeat_it() {
    let (mut harness, call, invite) = called(true);
    harness.agent.progress(harness.now, call, StatusCode::SESSION_PROGRESS, Some(body(OFFER))).unwrap();
    let (response, rseq) = reliable(&mut harness, 183);
    assert_eq!(response.body, body(OFFER));
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    harness.silent();
    assert_eq!(harness.agent.answer(harness.now, call, body(OFFER)), Err(CommandError::WrongState));
    assert_eq!(harness.agent.ring(harness.now, call), Err(CommandError::WrongState));
    harness.ms(500);
    reliable(&mut harness, 183);
    let prack = prack(&mut harness, &invite, &response, rseq, 11);
    harness.put(prack);
    harness.response(200);
    let ok = harness.response(200);
    assert_eq!(ok.headers.raw(&HeaderName::CSEQ).unwrap(), b"10 INVITE");
    assert!(ok.body.is_empty() && !ok.headers.contains(&HeaderName::CONTENT_TYPE));
    let ack = harness.peer_in_dialog(&invite, &ok, Method::ACK, 10);
    harness.put(ack);
    assert!(matches!(harness.event(), Event::Confirmed { .. }));
    harness.no_event();
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
}

#[test]
fn the_200_overtakes_what_describes_nothing_and_its_prack_is_still_taken() {
    let (mut harness, call, invite) = called(true);
    harness.agent.ring(harness.now, call).unwrap();
    let (ringing, rseq) = reliable(&mut harness, 180);
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    let ok = harness.response(200);
    assert_eq!(ok.body, body(OFFER));
    harness.ms(400);
    harness.silent();
    let late = prack(&mut harness, &invite, &ringing, rseq, 11);
    harness.put(late);
    assert_eq!(harness.response(200).headers.raw(&HeaderName::CSEQ).unwrap(), b"11 PRACK");
    let again = prack(&mut harness, &invite, &ringing, rseq, 12);
    harness.put(again);
    harness.response(481);
    // The 180 is not repeated any more, the 200 is.
    harness.ms(100);
    harness.response(200);
}

#[test]
fn a_prack_that_was_lost_and_comes_behind_the_ack_is_taken() {
    let (mut harness, call, invite) = called(true);
    harness.agent.ring(harness.now, call).unwrap();
    let (ringing, rseq) = reliable(&mut harness, 180);
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    let ok = harness.response(200);
    let ack = harness.peer_in_dialog(&invite, &ok, Method::ACK, 10);
    harness.put(ack);
    let late = prack(&mut harness, &invite, &ringing, rseq, 11);
    harness.put(late);
    assert_eq!(harness.response(200).headers.raw(&HeaderName::CSEQ).unwrap(), b"11 PRACK");
    let again = prack(&mut harness, &invite, &ringing, rseq, 12);
    harness.put(again);
    harness.response(481);
}

#[test]
fn hanging_up_or_cancelling_while_the_200_waits_ends_the_invite() {
    let (mut harness, call, _) = called(true);
    harness.agent.progress(harness.now, call, StatusCode::SESSION_PROGRESS, Some(body(OFFER))).unwrap();
    reliable(&mut harness, 183);
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    harness.agent.hangup(harness.now, call).unwrap();
    harness.response(480);
    assert_eq!(harness.ended().by, EndedBy::Local);
    harness.ms(1000);
    // Only the final response is repeated.
    harness.response(480);
}

#[test]
fn our_offer_in_a_reliable_183_is_answered_by_the_prack() {
    let (mut harness, call, invite) = called(false);
    harness.agent.progress(harness.now, call, StatusCode::SESSION_PROGRESS, Some(body(OFFER))).unwrap();
    let (response, rseq) = reliable(&mut harness, 183);
    let mut prack = prack(&mut harness, &invite, &response, rseq, 11);
    prack.set_body(&ContentType::SDP, body(ANSWER));
    harness.put(prack);
    assert!(harness.response(200).body.is_empty());
    let Event::Answer { body: Some(answer), .. } = harness.event() else { panic!("expected the answer") };
    assert_eq!(answer, body(ANSWER));
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    let ok = harness.response(200);
    assert!(ok.body.is_empty());
    let ack = harness.peer_in_dialog(&invite, &ok, Method::ACK, 10);
    harness.put(ack);
    assert!(matches!(harness.event(), Event::Confirmed { .. }));
    harness.no_event();
}

#[test]
fn an_offer_that_would_not_be_reliable_is_not_sent() {
    let mut harness = Harness::new();
    harness.account();
    let invite = harness.peer_request(Method::INVITE);
    harness.put(invite);
    let Event::Incoming { call, .. } = harness.event() else { panic!("expected a call") };
    let offered = harness.agent.progress(harness.now, call, StatusCode::SESSION_PROGRESS, Some(body(OFFER)));
    assert_eq!(offered, Err(CommandError::WrongState));
    harness.silent();
}

#[test]
fn an_offer_in_the_prack_is_answered_in_its_200_and_the_200_to_the_invite_waits() {
    let (mut harness, call, invite) = called(true);
    harness.agent.progress(harness.now, call, StatusCode::SESSION_PROGRESS, Some(body(OFFER))).unwrap();
    let (response, rseq) = reliable(&mut harness, 183);
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    let mut prack = prack(&mut harness, &invite, &response, rseq, 11);
    prack.set_body(&ContentType::SDP, body(ANSWER));
    harness.put(prack);
    harness.silent();
    assert!(matches!(harness.event(), Event::Offer { body: Some(_), .. }));
    harness.agent.answer_offer(harness.now, call, body(OFFER)).unwrap();
    let answer = harness.response(200);
    assert_eq!(
        (answer.body.clone(), answer.headers.raw(&HeaderName::CSEQ).unwrap()),
        (body(OFFER), &b"11 PRACK"[..])
    );
    assert_eq!(harness.response(200).headers.raw(&HeaderName::CSEQ).unwrap(), b"10 INVITE");
}

#[test]
fn an_offer_in_the_prack_can_be_refused() {
    let (mut harness, call, invite) = called(true);
    harness.agent.progress(harness.now, call, StatusCode::SESSION_PROGRESS, Some(body(OFFER))).unwrap();
    let (response, rseq) = reliable(&mut harness, 183);
    let mut prack = prack(&mut harness, &invite, &response, rseq, 11);
    prack.set_body(&ContentType::SDP, body(ANSWER));
    harness.put(prack);
    harness.event();
    harness.agent.reject_offer(harness.now, call, StatusCode::NOT_ACCEPTABLE_HERE).unwrap();
    harness.response(488);
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    harness.response(200);
}

#[test]
fn a_long_ring_says_so_every_minute_under_a_new_number() {
    let (mut harness, call, invite) = called(true);
    harness.agent.ring(harness.now, call).unwrap();
    let (mut response, mut rseq) = reliable(&mut harness, 180);
    for n in 0..2 {
        let prack = prack(&mut harness, &invite, &response, rseq, 11 + n);
        harness.put(prack);
        harness.response(200);
        harness.advance(Duration::from_secs(60));
        let (next, number) = reliable(&mut harness, 180);
        assert_eq!(number, rseq + 1);
        (response, rseq) = (next, number);
    }
}

#[test]
fn within_a_call_nobody_is_asked_for_reliable_responses() {
    let mut harness = Harness::new();
    let config = SessionConfig::default().with_reliable(ExtensionUse::Supported);
    let account = AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap().with_session(config);
    let account = harness.account_with(account);
    let takes = |invite: &Request| {
        let supported: Supported = invite.headers.require().unwrap();
        assert!(supported.has("replaces"));
        supported.has("100rel")
    };
    let call =
        harness.agent.call(harness.now, account, &uri("sip:bob@192.0.2.2"), Some(body(OFFER))).unwrap();
    let invite = harness.request(Method::INVITE);
    assert!(takes(&invite));
    let mut ok = reply(&invite, 200, "bob-tag");
    ok.set_body(&ContentType::SDP, body(ANSWER));
    harness.put(ok);
    harness.request(Method::ACK);
    assert!(matches!(harness.event(), Event::Answered { .. }));
    harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
    let invite = harness.request(Method::INVITE);
    assert!(!takes(&invite));
    harness.answer(&invite, 488, "bob-tag");
    harness.request(Method::ACK);
    // Asked for an offer, the other side could only make it in a response that is reliable: the 2xx.
    harness.agent.ask_offer(harness.now, call).unwrap();
    assert!(!takes(&harness.request(Method::INVITE)));
}
