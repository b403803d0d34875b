//! Where offers and answers go: the six patterns of RFC 6337 §2.2 (table 1), each on both sides of a call.
//!
//! | offer | answer | we call | we are called |
//! | --- | --- | --- | --- |
//! | INVITE | 2xx | `outgoing::a_call_with_ringing_early_media_and_an_answer` | `incoming::a_call_rings_is_answered_and_hung_up_by_the_caller` |
//! | 2xx | ACK | `outgoing::a_delayed_offer_is_answered_in_the_ack` | `incoming::without_an_offer_we_offer_and_the_ack_answers` |
//! | INVITE | reliable 1xx | `early::an_answer_that_came_reliably_counts_whatever_the_200_repeats` | `reliable::the_200_waits_for_the_prack_of_the_answer_and_does_not_repeat_it` |
//! | reliable 1xx | PRACK | `early::an_offer_in_a_reliable_183_is_answered_in_the_prack` | `reliable::our_offer_in_a_reliable_183_is_answered_by_the_prack` |
//! | PRACK | 200 | here | `reliable::an_offer_in_the_prack_is_answered_in_its_200_and_the_200_to_the_invite_waits` |
//! | UPDATE | 2xx | `update::a_change_is_offered_by_invite_in_a_call_and_by_update_before_it_is_answered` | `update::the_called_side_offers_by_update_too_and_answers_those_of_the_caller` |
//! | re-INVITE | 2xx | `reinvite::an_offer_of_ours_is_answered_acknowledged_and_refreshes_the_target` | `reinvite::an_offer_of_theirs_is_answered_and_repeated_until_the_ack` |
//! | 2xx to a re-INVITE | ACK | here | `reinvite::without_an_offer_in_theirs_we_offer_and_the_ack_answers` |

use crate::early::{prack, reliable};
use crate::support::*;
use sidetone_sip_core::header::ContentType;
use sidetone_sip_core::{Method, Request, Response, StatusCode};
use sidetone_sip_ua::{
    AccountConfig, CallId, CallState, CommandError, EndedBy, Event, ExtensionUse, SessionConfig,
};

const CHANGED: &str =
    "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

fn with_sdp(mut response: Response) -> Response {
    response.set_body(&ContentType::SDP, body(ANSWER));
    response
}

/// A call of ours whose PRACKs wait for offers.
fn calling() -> (Harness, CallId, Request) {
    let mut harness = Harness::new();
    let session = SessionConfig::default().with_reliable(ExtensionUse::Supported).with_offer_in_prack();
    let config = AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap().with_session(session);
    let account = harness.account_with(config);
    let to = uri("sip:bob@192.0.2.2");
    let call = harness.agent.call(harness.now, account, &to, Some(body(OFFER))).unwrap();
    let invite = harness.request(Method::INVITE);
    (harness, call, invite)
}

/// The answer to our offer came reliably, and we have offered anew in its PRACK.
fn offered() -> (Harness, CallId, Request, Request) {
    let (mut harness, call, invite) = calling();
    harness.put(with_sdp(reliable(&invite, 183, "one", 5)));
    assert!(matches!(harness.event(), Event::Progress { body: Some(_), .. }));
    harness.silent();
    harness.agent.reoffer(harness.now, call, body(CHANGED)).unwrap();
    let prack = prack(&mut harness, &invite, 5, "one");
    assert_eq!(prack.body, CHANGED.as_bytes());
    (harness, call, invite, prack)
}

#[test]
fn our_offer_goes_in_the_prack_of_the_answer_and_its_200_answers_it() {
    let (mut harness, call, invite, prack) = offered();
    assert_eq!(harness.agent.reoffer(harness.now, call, body(OFFER)), Err(CommandError::OfferPending));
    harness.put(with_sdp(reply(&prack, 200, "one")));
    assert!(matches!(harness.event(), Event::Answer { body: Some(_), .. }));
    assert!(matches!(harness.event(), Event::OfferDue { .. }));
    harness.ms(2000);
    harness.silent();
    // The next one goes by UPDATE, and the 200 to the INVITE says nothing new.
    harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
    let update = harness.request(Method::UPDATE);
    harness.put(with_sdp(reply(&update, 200, "one")));
    assert!(matches!(harness.event(), Event::Answer { .. }));
    harness.answer(&invite, 200, "one");
    harness.request(Method::ACK);
    assert!(matches!(harness.event(), Event::Answered { .. }));
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
}

#[test]
fn without_an_offer_the_prack_goes_after_a_moment() {
    let (mut harness, call, invite) = calling();
    let progress = with_sdp(reliable(&invite, 183, "one", 5));
    harness.put(progress.clone());
    harness.ms(249);
    harness.silent();
    harness.ms(1);
    let sent = prack(&mut harness, &invite, 5, "one");
    assert!(sent.body.is_empty());
    // From then on it is UPDATE's turn, once the PRACK is through.
    harness.event();
    assert_eq!(harness.agent.reoffer(harness.now, call, body(CHANGED)), Err(CommandError::OfferPending));
    harness.answer(&sent, 200, "one");
    assert!(matches!(harness.event(), Event::OfferDue { .. }));
    // What answers nothing does not wait.
    harness.put(reliable(&invite, 180, "one", 6));
    prack(&mut harness, &invite, 6, "one");
}

#[test]
fn what_comes_next_ends_the_wait() {
    // The next reliable response, though it should have waited for the PRACK of the first.
    let (mut harness, _, invite) = calling();
    harness.put(with_sdp(reliable(&invite, 183, "one", 5)));
    harness.put(reliable(&invite, 180, "one", 6));
    let first = prack(&mut harness, &invite, 5, "one");
    let second = prack(&mut harness, &invite, 6, "one");
    assert_eq!(seq(&second), seq(&first) + 1);
    harness.ms(250);
    harness.silent();
    // The 200.
    let (mut harness, call, invite) = calling();
    harness.put(with_sdp(reliable(&invite, 183, "one", 5)));
    harness.put(with_sdp(reply(&invite, 200, "one")));
    prack(&mut harness, &invite, 5, "one");
    harness.request(Method::ACK);
    harness.agent.hangup(harness.now, call).unwrap();
    assert_eq!(seq(&harness.request(Method::BYE)), seq(&invite) + 2);
    // The user.
    let (mut harness, call, invite) = calling();
    harness.put(with_sdp(reliable(&invite, 183, "one", 5)));
    harness.agent.hangup(harness.now, call).unwrap();
    prack(&mut harness, &invite, 5, "one");
    harness.request(Method::CANCEL);
    harness.ms(250);
    harness.silent();
}

#[test]
fn an_offer_in_our_prack_may_be_refused_and_the_call_goes_on() {
    let (mut harness, call, invite, prack) = offered();
    harness.answer(&prack, 488, "one");
    let Event::OfferRejected { status, again: false, .. } = harness.event() else { panic!("a refusal") };
    assert_eq!(status, StatusCode::NOT_ACCEPTABLE_HERE);
    harness.answer(&invite, 200, "one");
    harness.request(Method::ACK);
    assert!(matches!(harness.event(), Event::Answered { body: Some(_), .. }), "the first answer holds");
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));

    // For now only: it comes due again.
    let (mut harness, _, _, prack) = offered();
    harness.answer(&prack, 491, "one");
    assert!(matches!(harness.event(), Event::OfferRejected { again: true, .. }));
    harness.ms(4000);
    assert!(matches!(harness.event(), Event::OfferDue { .. }));

    // Who does not know its response any more has given up, with the offer.
    let (mut harness, call, _, prack) = offered();
    harness.answer(&prack, 481, "one");
    assert!(matches!(harness.event(), Event::EarlyDialogEnded { .. }));
    assert!(matches!(harness.event(), Event::OfferRejected { again: false, .. }));
    assert_eq!(harness.agent.call_state(call), Some(CallState::Ringing));
}

#[test]
fn an_offer_in_our_prack_may_be_answered_after_the_call_is() {
    let (mut harness, call, invite, prack) = offered();
    harness.answer(&invite, 200, "one");
    harness.request(Method::ACK);
    assert!(matches!(harness.event(), Event::Answered { .. }));
    assert_eq!(harness.agent.reoffer(harness.now, call, body(OFFER)), Err(CommandError::OfferPending));
    harness.put(with_sdp(reply(&prack, 200, "one")));
    assert!(matches!(harness.event(), Event::Answer { body: Some(_), .. }));
    assert!(matches!(harness.event(), Event::OfferDue { .. }));
    harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
    harness.request(Method::INVITE);
}

#[test]
fn asked_by_our_re_invite_the_other_side_offers_and_our_ack_answers() {
    let mut harness = Harness::new();
    let (call, invite, _) = harness.established();
    harness.agent.ask_offer(harness.now, call).unwrap();
    let asked = harness.request(Method::INVITE);
    assert!(asked.body.is_empty());
    assert_eq!(seq(&asked), seq(&invite) + 1);
    let ok = with_sdp(reply(&asked, 200, "bob-tag"));
    harness.put(ok.clone());
    let Event::Offer { body: Some(_), .. } = harness.event() else { panic!("expected their offer") };
    harness.silent();
    // Until we answer nothing else can be offered, and the 200 that comes again is no second offer.
    assert_eq!(harness.agent.reoffer(harness.now, call, body(OFFER)), Err(CommandError::OfferPending));
    harness.put(ok.clone());
    harness.silent();
    harness.no_event();
    harness.agent.answer_offer(harness.now, call, body(OFFER)).unwrap();
    let ack = harness.request(Method::ACK);
    assert_eq!((seq(&ack), &ack.body[..]), (seq(&asked), OFFER.as_bytes()));
    assert!(matches!(harness.event(), Event::OfferDue { .. }));
    harness.put(ok);
    assert_eq!(
        harness.request(Method::ACK).body,
        OFFER.as_bytes(),
        "the answer again, for the first was lost"
    );
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
}

#[test]
fn an_offer_that_we_asked_for_can_only_be_refused_with_the_call() {
    let mut harness = Harness::new();
    let (call, _, _) = harness.established();
    harness.agent.ask_offer(harness.now, call).unwrap();
    let asked = harness.request(Method::INVITE);
    harness.put(with_sdp(reply(&asked, 200, "bob-tag")));
    assert!(matches!(harness.event(), Event::Offer { .. }));
    harness.agent.reject_offer(harness.now, call, StatusCode::NOT_ACCEPTABLE_HERE).unwrap();
    harness.request(Method::ACK);
    harness.request(Method::BYE);
    assert_eq!(harness.ended().by, EndedBy::Local);
    // One who does not like to be asked says so, and the call stays as it was.
    let mut harness = Harness::new();
    let (call, _, _) = harness.established();
    harness.agent.ask_offer(harness.now, call).unwrap();
    let asked = harness.request(Method::INVITE);
    harness.answer(&asked, 488, "bob-tag");
    harness.request(Method::ACK);
    assert!(matches!(harness.event(), Event::OfferRejected { again: false, .. }));
    // Before there is a call there is nobody to ask.
    let (mut harness, call, _) = calling();
    assert_eq!(harness.agent.ask_offer(harness.now, call), Err(CommandError::WrongState));
}
