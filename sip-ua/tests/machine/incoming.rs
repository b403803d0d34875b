use crate::support::*;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{ContentType, Expires, HeaderName, RecordRoute, To};
use sidetone_sip_core::{Method, Request, StatusCode};
use sidetone_sip_ua::{CallId, CallState, CommandError, EndedBy, Event};

/// A call of the peer that waits for us.
fn called() -> (Harness, CallId, Request) {
    let mut harness = Harness::new();
    harness.account();
    let invite = harness.peer_invite();
    harness.put(invite.clone());
    let Event::Incoming { call, account, invite: told } = harness.event() else { panic!("expected a call") };
    assert!(account.is_some());
    assert_eq!(told.from.uri.to_string(), "sip:bob@192.0.2.2");
    assert_eq!(told.uri.to_string(), "sip:alice@192.0.2.1");
    assert_eq!(told.offer, Some(body(ANSWER)));
    (harness, call, invite)
}

#[test]
fn a_call_rings_is_answered_and_hung_up_by_the_caller() {
    let (mut harness, call, invite) = called();
    harness.agent.ring(harness.now, call).unwrap();
    let ringing = harness.response(180);
    assert_eq!(contact(&ringing.headers).to_string(), "sip:alice@192.0.2.1:5060");
    harness.agent.progress(harness.now, call, StatusCode::SESSION_PROGRESS, Some(body(OFFER))).unwrap();
    assert_eq!(harness.response(183).body, body(OFFER));
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    let ok = harness.response(200);
    assert_eq!(ok.headers.require::<To>().unwrap(), ringing.headers.require::<To>().unwrap());
    assert_eq!(ok.body, body(OFFER));
    assert_eq!(harness.agent.call_state(call), Some(CallState::Answered));
    let ack = harness.peer_in_dialog(&invite, &ok, Method::ACK, 10);
    harness.put(ack);
    assert!(matches!(harness.event(), Event::Confirmed { .. }));
    harness.no_event();
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
    let mut bye = harness.peer_in_dialog(&invite, &ok, Method::BYE, 11);
    bye.headers.push_raw(HeaderName::REASON, r#"Q.850;cause=16;text="gone home""#).unwrap();
    harness.put(bye);
    harness.response(200);
    let cause = harness.ended();
    assert_eq!((cause.by, cause.reason.as_str()), (EndedBy::Remote, "gone home"));
    assert_eq!(harness.agent.call_state(call), None);
}

#[test]
fn silence_of_the_user_becomes_100_and_ringing_is_repeated_each_minute() {
    let (mut harness, call, _) = called();
    harness.ms(200);
    harness.response(100);
    harness.agent.ring(harness.now, call).unwrap();
    harness.response(180);
    harness.ms(59_999);
    harness.silent();
    harness.ms(1);
    harness.response(180);
    harness.ms(60_000);
    harness.response(180);
}

#[test]
fn the_2xx_is_repeated_from_t1_to_t2_until_the_ack() {
    let (mut harness, call, invite) = called();
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    let ok = harness.response(200);
    for wait in [500, 1000, 2000, 4000, 4000] {
        harness.ms(wait - 1);
        harness.silent();
        harness.ms(1);
        assert_eq!(harness.response(200).to_bytes(), ok.to_bytes());
    }
    // The ACK to something else changes nothing.
    let wrong = harness.peer_in_dialog(&invite, &ok, Method::ACK, 9);
    harness.put(wrong);
    harness.no_event();
    let ack = harness.peer_in_dialog(&invite, &ok, Method::ACK, 10);
    harness.put(ack);
    assert!(matches!(harness.event(), Event::Confirmed { .. }));
    harness.ms(60_000);
    harness.silent();
}

#[test]
fn without_an_ack_the_call_is_hung_up_after_64_t1() {
    let (mut harness, call, _) = called();
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    harness.ms(31_999);
    harness.no_event();
    harness.skip();
    harness.ms(1);
    assert_eq!(harness.ended().by, EndedBy::Timeout);
    let bye = harness.request(Method::BYE);
    harness.answer(&bye, 200, "bob-tag");
    assert_eq!(harness.agent.call_state(call), None);
    harness.advance(Duration::from_secs(60));
    assert_eq!(harness.skip(), 0);
}

#[test]
fn hanging_up_before_the_ack_waits_for_it() {
    let (mut harness, call, invite) = called();
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    let ok = harness.response(200);
    harness.agent.hangup(harness.now, call).unwrap();
    assert_eq!(harness.ended().by, EndedBy::Local);
    harness.silent();
    harness.ms(500);
    harness.response(200);
    let ack = harness.peer_in_dialog(&invite, &ok, Method::ACK, 10);
    harness.put(ack);
    let bye = harness.request(Method::BYE);
    assert_eq!(bye.uri.to_string(), "sip:bob@192.0.2.2:5060");
    harness.answer(&bye, 200, "bob-tag");
    assert!(harness.agent.is_idle());
    harness.no_event();
}

#[test]
fn a_bye_before_the_ack_ends_the_call_and_the_repeats() {
    let (mut harness, call, invite) = called();
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    let ok = harness.response(200);
    let bye = harness.peer_in_dialog(&invite, &ok, Method::BYE, 11);
    harness.put(bye);
    harness.response(200);
    assert_eq!(harness.ended().by, EndedBy::Remote);
    harness.advance(Duration::from_secs(60));
    harness.silent();
}

#[test]
fn a_cancel_is_answered_and_so_is_the_invite() {
    let (mut harness, call, invite) = called();
    harness.agent.ring(harness.now, call).unwrap();
    harness.response(180);
    let mut cancel = Request::new(Method::CANCEL, invite.uri.clone());
    for name in [HeaderName::VIA, HeaderName::FROM, HeaderName::TO, HeaderName::CALL_ID] {
        cancel.headers.copy_all(&name, &invite.headers);
    }
    cancel.headers.push_raw(HeaderName::CSEQ, "10 CANCEL").unwrap();
    harness.put(cancel.clone());
    let answers = [harness.sent().1, harness.sent().1].map(|message| line(&message));
    assert_eq!(answers, ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"]);
    let cause = harness.ended();
    assert_eq!((cause.by, cause.status), (EndedBy::Remote, Some(StatusCode::REQUEST_TERMINATED)));
    assert_eq!(harness.agent.answer(harness.now, call, body(OFFER)), Err(CommandError::NoSuchCall));
}

#[test]
fn a_cancel_after_the_2xx_changes_nothing() {
    let (mut harness, call, invite) = called();
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    harness.response(200);
    let mut cancel = Request::new(Method::CANCEL, invite.uri.clone());
    for name in [HeaderName::VIA, HeaderName::FROM, HeaderName::TO, HeaderName::CALL_ID] {
        cancel.headers.copy_all(&name, &invite.headers);
    }
    cancel.headers.push_raw(HeaderName::CSEQ, "10 CANCEL").unwrap();
    harness.put(cancel);
    harness.response(200);
    harness.no_event();
    assert_eq!(harness.agent.call_state(call), Some(CallState::Answered));
}

#[test]
fn a_call_is_rejected_with_any_refusing_status_and_no_other() {
    let (mut harness, call, _) = called();
    assert_eq!(harness.agent.reject(harness.now, call, StatusCode::RINGING), Err(CommandError::Status(180)));
    assert_eq!(
        harness.agent.progress(harness.now, call, StatusCode::TRYING, None),
        Err(CommandError::Status(100))
    );
    harness.agent.reject(harness.now, call, StatusCode::BUSY_HERE).unwrap();
    harness.response(486);
    let cause = harness.ended();
    assert_eq!((cause.by, cause.status), (EndedBy::Local, Some(StatusCode::BUSY_HERE)));
    assert_eq!(harness.agent.call_state(call), None);
}

#[test]
fn nobody_answers() {
    let (mut harness, call, _) = called();
    harness.agent.ring(harness.now, call).unwrap();
    harness.advance(Duration::from_secs(180));
    assert_eq!(harness.ended().by, EndedBy::Timeout);
    let last = loop {
        let (_, message) = harness.sent();
        if line(&message) != "SIP/2.0 180 Ringing" {
            break line(&message);
        }
    };
    assert_eq!(last, "SIP/2.0 480 Temporarily Unavailable");
}

#[test]
fn an_invitation_stands_as_long_as_its_caller_says() {
    let mut harness = Harness::new();
    let mut invite = harness.peer_invite();
    invite.headers.push(&Expires(5));
    harness.put(invite);
    assert!(matches!(harness.event(), Event::Incoming { account: None, .. }));
    harness.ms(5000);
    assert_eq!(harness.ended().by, EndedBy::Timeout);
}

#[test]
fn without_an_offer_we_offer_and_the_ack_answers() {
    let mut harness = Harness::new();
    let invite = harness.peer_request(Method::INVITE);
    harness.put(invite.clone());
    let Event::Incoming { call, invite: told, .. } = harness.event() else { panic!("expected a call") };
    assert_eq!(told.offer, None);
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    let ok = harness.response(200);
    let mut ack = harness.peer_in_dialog(&invite, &ok, Method::ACK, 10);
    ack.set_body(&ContentType::SDP, body(ANSWER));
    harness.put(ack);
    assert!(matches!(harness.event(), Event::Confirmed { .. }));
    let Event::Answer { body: Some(answer), .. } = harness.event() else { panic!("expected the answer") };
    assert_eq!(answer, body(ANSWER));
}

#[test]
fn record_routes_are_repeated_and_become_the_route_back() {
    let mut harness = Harness::new();
    let mut invite = harness.peer_invite();
    invite.headers.push(&RecordRoute::new(uri("sip:192.0.2.30;lr")));
    invite.headers.push(&RecordRoute::new(uri("sip:192.0.2.40;lr")));
    harness.put(invite.clone());
    let Event::Incoming { call, .. } = harness.event() else { panic!("expected a call") };
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    let ok = harness.response(200);
    assert_eq!(ok.headers.count::<RecordRoute>(), 2);
    let ack = harness.peer_in_dialog(&invite, &ok, Method::ACK, 10);
    harness.put(ack);
    harness.agent.hangup(harness.now, call).unwrap();
    let (to, message) = harness.sent();
    assert_eq!(to, address("192.0.2.30:5060"));
    let sidetone_sip_core::Message::Request(bye) = message else { panic!("expected a BYE") };
    let routes: Vec<_> = bye.headers.raw_all(&HeaderName::ROUTE).collect();
    assert_eq!(routes, [&b"<sip:192.0.2.30;lr>"[..], b"<sip:192.0.2.40;lr>"]);
}

#[test]
fn the_same_invite_by_another_way_is_refused() {
    let (mut harness, _, invite) = called();
    let mut merged = invite;
    merged.headers.set(&harness.next_via());
    harness.put(merged);
    harness.response(482);
    harness.no_event();
}
