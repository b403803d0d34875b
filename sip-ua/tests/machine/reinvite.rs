use crate::support::*;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{Contact, ContentType, HeaderName, RetryAfter};
use sidetone_sip_core::{Method, Request, StatusCode};
use sidetone_sip_ua::{CallState, CommandError, EndedBy, Event};

fn with_sdp(mut request: Request) -> Request {
    request.set_body(&ContentType::SDP, body(ANSWER));
    request
}

#[test]
fn an_offer_of_ours_is_answered_acknowledged_and_refreshes_the_target() {
    let mut harness = Harness::new();
    let (call, invite, _) = harness.established();
    harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
    let reinvite = harness.request(Method::INVITE);
    assert_eq!((seq(&reinvite), reinvite.body.clone()), (seq(&invite) + 1, body(OFFER)));
    assert!(reinvite.headers.contains(&HeaderName::CONTACT));
    assert_eq!(harness.agent.reoffer(harness.now, call, body(OFFER)), Err(CommandError::OfferPending));
    let mut ok = reply(&reinvite, 200, "bob-tag");
    ok.headers.set(&Contact::new(uri("sip:bob@192.0.2.77:5099")));
    ok.set_body(&ContentType::SDP, body(ANSWER));
    harness.put(ok.clone());
    let ack = harness.request(Method::ACK);
    assert_eq!((seq(&ack), ack.uri.to_string().as_str()), (seq(&reinvite), "sip:bob@192.0.2.77:5099"));
    assert!(matches!(harness.event(), Event::Answer { body: Some(_), .. }));
    // The offer that came too early may be made now.
    assert!(matches!(harness.event(), Event::OfferDue { .. }));
    harness.put(ok);
    assert_eq!(seq(&harness.request(Method::ACK)), seq(&reinvite));
    harness.agent.hangup(harness.now, call).unwrap();
    assert_eq!(harness.sent().0, address("192.0.2.77:5099"));
}

#[test]
fn a_refused_offer_leaves_the_call_as_it_was() {
    for code in [488, 403, 500, 603] {
        let mut harness = Harness::new();
        let (call, _, _) = harness.established();
        harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
        let reinvite = harness.request(Method::INVITE);
        harness.answer(&reinvite, code, "bob-tag");
        harness.request(Method::ACK);
        let Event::OfferRejected { status, .. } = harness.event() else { panic!("expected the refusal") };
        assert_eq!(status.code(), code);
        assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
        harness.no_event();
        harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
        harness.request(Method::INVITE);
    }
}

/// How long an agent waits after a 491, over many seeds: shortest and longest.
fn glare_waits(as_caller: bool) -> (Duration, Duration) {
    let waits = (0..40_u8).map(|seed| {
        let mut harness = Harness::with(sidetone_sip_ua::AgentConfig::new([seed; 32]));
        let (call, _, _) = if as_caller { harness.established() } else { harness.answered() };
        harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
        let reinvite = harness.request(Method::INVITE);
        harness.answer(&reinvite, 491, "bob-tag");
        harness.request(Method::ACK);
        assert!(matches!(harness.event(), Event::OfferRejected { status: StatusCode::REQUEST_PENDING, .. }));
        assert_eq!(harness.agent.reoffer(harness.now, call, body(OFFER)), Err(CommandError::OfferPending));
        let start = harness.now;
        let due = loop {
            match harness.agent.poll_event() {
                Some(Event::OfferDue { .. }) => break harness.now - start,
                Some(other) => panic!("expected the end of the wait, got {other:?}"),
                None => harness.ms(10),
            }
            assert!(harness.now - start <= Duration::from_secs(5), "never due");
        };
        harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
        harness.request(Method::INVITE);
        due
    });
    let waits: Vec<Duration> = waits.collect();
    (*waits.iter().min().unwrap(), *waits.iter().max().unwrap())
}

#[test]
fn after_491_the_caller_waits_2_1_to_4_s_and_the_callee_up_to_2_s() {
    let ms = Duration::from_millis;
    let (least, most) = glare_waits(true);
    assert!(least >= ms(2100) && most <= ms(4000) && most - least > ms(1000), "{least:?} {most:?}");
    let (least, most) = glare_waits(false);
    assert!(most <= ms(2010) && most - least > ms(1000), "{least:?} {most:?}");
}

#[test]
fn an_offer_that_meets_ours_is_refused_491() {
    let mut harness = Harness::new();
    let (call, invite, ok) = harness.established();
    harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
    harness.request(Method::INVITE);
    let theirs = harness.callee_in_dialog(&invite, &ok, Method::INVITE, 1);
    harness.put(with_sdp(theirs));
    harness.response(491);
    harness.no_event();
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
}

#[test]
fn an_offer_of_theirs_is_answered_and_repeated_until_the_ack() {
    let mut harness = Harness::new();
    let (call, invite, ok) = harness.established();
    let mut theirs = with_sdp(harness.callee_in_dialog(&invite, &ok, Method::INVITE, 1));
    theirs.headers.set(&Contact::new(uri("sip:bob@192.0.2.88")));
    harness.put(theirs);
    let Event::Offer { body: Some(offer), .. } = harness.event() else { panic!("expected an offer") };
    assert_eq!(offer, body(ANSWER));
    assert_eq!(harness.agent.reoffer(harness.now, call, body(OFFER)), Err(CommandError::OfferPending));
    harness.agent.answer_offer(harness.now, call, body(OFFER)).unwrap();
    let answer = harness.response(200);
    assert_eq!(answer.body, body(OFFER));
    harness.ms(500);
    harness.response(200);
    assert_eq!(harness.agent.reoffer(harness.now, call, body(OFFER)), Err(CommandError::OfferPending));
    let ack = harness.callee_in_dialog(&invite, &ok, Method::ACK, 1);
    harness.put(ack);
    assert!(matches!(harness.event(), Event::OfferDue { .. }));
    harness.ms(60_000);
    harness.silent();
    harness.agent.hangup(harness.now, call).unwrap();
    assert_eq!(harness.sent().0, address("192.0.2.88:5060"));
}

#[test]
fn an_offer_of_theirs_can_be_refused_and_withdrawn() {
    let mut harness = Harness::new();
    let (call, invite, ok) = harness.established();
    let theirs = harness.callee_in_dialog(&invite, &ok, Method::INVITE, 1);
    harness.put(with_sdp(theirs));
    harness.event();
    harness.agent.reject_offer(harness.now, call, StatusCode::NOT_ACCEPTABLE_HERE).unwrap();
    harness.response(488);
    assert_eq!(harness.agent.answer_offer(harness.now, call, body(OFFER)), Err(CommandError::WrongState));

    let theirs = harness.callee_in_dialog(&invite, &ok, Method::INVITE, 2);
    let theirs = with_sdp(theirs);
    harness.put(theirs.clone());
    harness.event();
    let mut cancel = Request::new(Method::CANCEL, theirs.uri.clone());
    for name in [HeaderName::VIA, HeaderName::FROM, HeaderName::TO, HeaderName::CALL_ID] {
        cancel.headers.copy_all(&name, &theirs.headers);
    }
    cancel.headers.push_raw(HeaderName::CSEQ, "2 CANCEL").unwrap();
    harness.put(cancel);
    harness.response(200);
    harness.response(487);
    assert!(matches!(harness.event(), Event::OfferWithdrawn { .. }));
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
}

#[test]
fn a_second_offer_before_the_first_is_answered_gets_500_with_a_time() {
    let mut harness = Harness::new();
    let (_, invite, ok) = harness.established();
    for seq in [1, 2] {
        let theirs = harness.callee_in_dialog(&invite, &ok, Method::INVITE, seq);
        harness.put(with_sdp(theirs));
    }
    let response = harness.response(500);
    assert!(response.headers.require::<RetryAfter>().unwrap().seconds <= 10);
    harness.event();
    harness.no_event();
}

#[test]
fn a_request_out_of_order_gets_500() {
    let mut harness = Harness::new();
    let (_, invite, ok) = harness.established();
    let later = harness.callee_in_dialog(&invite, &ok, Method::OPTIONS, 7);
    harness.put(later);
    harness.response(200);
    for seq in [6, 7] {
        let earlier = harness.callee_in_dialog(&invite, &ok, Method::OPTIONS, seq);
        harness.put(earlier);
        harness.response(500);
    }
}

#[test]
fn a_later_invite_says_that_our_2xx_arrived() {
    let mut harness = Harness::new();
    harness.account();
    let invite = harness.peer_invite();
    harness.put(invite.clone());
    let Event::Incoming { call, .. } = harness.event() else { panic!("expected a call") };
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    let ok = harness.response(200);
    let theirs = harness.peer_in_dialog(&invite, &ok, Method::INVITE, 11);
    harness.put(with_sdp(theirs));
    assert!(matches!(harness.event(), Event::Confirmed { .. }));
    assert!(matches!(harness.event(), Event::Offer { .. }));
    harness.agent.answer_offer(harness.now, call, body(OFFER)).unwrap();
    assert_eq!(harness.response(200).headers.raw(&HeaderName::CSEQ).unwrap(), b"11 INVITE");
    harness.ms(500);
    assert_eq!(harness.response(200).headers.raw(&HeaderName::CSEQ).unwrap(), b"11 INVITE");
}

#[test]
fn without_an_offer_in_theirs_we_offer_and_the_ack_answers() {
    let mut harness = Harness::new();
    let (call, invite, ok) = harness.established();
    let theirs = harness.callee_in_dialog(&invite, &ok, Method::INVITE, 1);
    harness.put(theirs);
    assert!(matches!(harness.event(), Event::Offer { body: None, .. }));
    harness.agent.answer_offer(harness.now, call, body(OFFER)).unwrap();
    harness.response(200);
    // Our offer is out: another one is refused until its answer came.
    let early = harness.callee_in_dialog(&invite, &ok, Method::INVITE, 2);
    harness.put(with_sdp(early));
    harness.response(491);
    let mut ack = harness.callee_in_dialog(&invite, &ok, Method::ACK, 1);
    ack.set_body(&ContentType::SDP, body(ANSWER));
    harness.put(ack);
    assert!(matches!(harness.event(), Event::Answer { body: Some(_), .. }));
}

#[test]
fn a_peer_that_forgot_the_call_ends_it() {
    for code in [481, 408] {
        let mut harness = Harness::new();
        let (call, _, _) = harness.established();
        harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
        let reinvite = harness.request(Method::INVITE);
        harness.answer(&reinvite, code, "bob-tag");
        harness.request(Method::ACK);
        let Event::Ended { cause, .. } = harness.event() else { panic!("expected the end") };
        assert_eq!((cause.by, cause.status.map(StatusCode::code)), (EndedBy::Remote, Some(code)));
        harness.request(Method::BYE);
    }
}

#[test]
fn an_offer_without_any_response_ends_the_call() {
    let mut harness = Harness::new();
    let (call, _, _) = harness.established();
    harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
    harness.ms(32_000);
    let Event::Ended { cause, .. } = harness.event() else { panic!("expected the end") };
    assert_eq!(cause.by, EndedBy::Timeout);
    while line(&harness.sent().1).starts_with("INVITE") {}
    harness.ms(32_000);
    assert_eq!(harness.agent.call_state(call), None);
}

#[test]
fn a_bye_answers_the_offer_that_waits() {
    let mut harness = Harness::new();
    let (_, invite, ok) = harness.established();
    let theirs = harness.callee_in_dialog(&invite, &ok, Method::INVITE, 1);
    harness.put(with_sdp(theirs));
    harness.event();
    let bye = harness.callee_in_dialog(&invite, &ok, Method::BYE, 2);
    harness.put(bye);
    harness.response(487);
    harness.response(200);
    assert!(matches!(harness.event(), Event::Ended { .. }));
}

#[test]
fn hanging_up_answers_the_offer_that_waits() {
    let mut harness = Harness::new();
    let (call, invite, ok) = harness.established();
    let theirs = harness.callee_in_dialog(&invite, &ok, Method::INVITE, 1);
    harness.put(with_sdp(theirs));
    harness.event();
    harness.agent.hangup(harness.now, call).unwrap();
    harness.response(487);
    harness.request(Method::BYE);
    // What still comes is for a dialog that is gone.
    let late = harness.callee_in_dialog(&invite, &ok, Method::INVITE, 2);
    harness.put(with_sdp(late));
    harness.response(481);
}

#[test]
fn byes_that_cross_end_the_call_on_both_sides() {
    let mut harness = Harness::new();
    let (call, invite, ok) = harness.established();
    harness.agent.hangup(harness.now, call).unwrap();
    let ours = harness.request(Method::BYE);
    let theirs = harness.callee_in_dialog(&invite, &ok, Method::BYE, 1);
    harness.put(theirs);
    harness.response(200);
    harness.answer(&ours, 481, "bob-tag");
    assert_eq!(harness.agent.call_state(call), None);
    assert!(matches!(harness.event(), Event::Ended { .. }));
    harness.no_event();
}
