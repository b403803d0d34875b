use crate::support::*;
use sidetone_sip_core::header::{To, Warning};
use sidetone_sip_core::{Method, StatusCode};
use sidetone_sip_ua::{EndedBy, Event, Refusal};

fn not_acceptable() -> Refusal {
    Refusal::from(StatusCode::NOT_ACCEPTABLE_HERE).with_warning(305, "no \"codec\" in common")
}

#[test]
fn a_refused_invite_says_what_was_wrong_with_its_description() {
    let mut harness = Harness::new();
    harness.account();
    let invite = harness.peer_invite();
    harness.put(invite);
    let Event::Incoming { call, .. } = harness.event() else { panic!("expected a call") };
    harness.agent.reject(harness.now, call, not_acceptable()).unwrap();
    let response = harness.response(488);
    let warning: Warning = response.headers.require().unwrap();
    assert_eq!((warning.code, warning.text.as_str()), (305, "no \"codec\" in common"));
    assert_eq!(warning.agent.as_str(), "192.0.2.1:5060");
    assert!(response.headers.require::<To>().unwrap().tag().is_some());
    let cause = harness.ended();
    assert_eq!((cause.by, cause.status), (EndedBy::Local, Some(StatusCode::NOT_ACCEPTABLE_HERE)));
}

#[test]
fn a_refused_offer_says_what_was_wrong_with_it_and_the_call_goes_on() {
    let mut harness = Harness::new();
    let (call, invite, ok) = harness.established();
    let mut theirs = harness.callee_in_dialog(&invite, &ok, Method::INVITE, 1);
    theirs.set_body(&sidetone_sip_core::header::ContentType::SDP, body(OFFER));
    harness.put(theirs);
    harness.event();
    harness.agent.reject_offer(harness.now, call, not_acceptable()).unwrap();
    let warning: Warning = harness.response(488).headers.require().unwrap();
    assert_eq!(warning.to_string(), r#"305 192.0.2.1:5060 "no \"codec\" in common""#);
    assert!(harness.agent.call_state(call).is_some());
    // A bare status has none.
    harness.agent.hangup(harness.now, call).unwrap();
}

#[test]
fn a_bare_status_warns_of_nothing() {
    let mut harness = Harness::new();
    harness.account();
    let invite = harness.peer_invite();
    harness.put(invite);
    let Event::Incoming { call, .. } = harness.event() else { panic!("expected a call") };
    harness.agent.reject(harness.now, call, StatusCode::BUSY_HERE).unwrap();
    assert!(harness.response(486).headers.get::<Warning>().is_none());
}
