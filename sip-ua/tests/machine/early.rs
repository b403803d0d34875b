//! Reliable provisional responses and early dialogs of our calls (RFC 3262 §4, RFC 6228, RFC 6337).

use crate::support::*;
use sidetone_sip_core::header::{ContentType, HeaderName, RAck, RSeq, Require, Supported, To};
use sidetone_sip_core::{Method, Request, Response, StatusCode};
use sidetone_sip_ua::{
    AccountConfig, CallId, CallState, EarlyDialogId, EndedBy, Event, ExtensionUse, SessionConfig,
};

pub fn calling_with(usage: ExtensionUse, offer: bool) -> (Harness, CallId, Request) {
    let mut harness = Harness::new();
    let config = AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap();
    let account = harness.account_with(config.with_session(SessionConfig::default().with_reliable(usage)));
    let to = uri("sip:bob@192.0.2.2");
    let call = harness.agent.call(harness.now, account, &to, offer.then(|| body(OFFER))).unwrap();
    let invite = harness.request(Method::INVITE);
    (harness, call, invite)
}

fn calling() -> (Harness, CallId, Request) {
    calling_with(ExtensionUse::Supported, true)
}

fn with_sdp(mut response: Response) -> Response {
    response.set_body(&ContentType::SDP, body(ANSWER));
    response
}

/// A reliable provisional response.
pub fn reliable(invite: &Request, code: u16, tag: &str, rseq: u32) -> Response {
    let mut response = reply(invite, code, tag);
    response.headers.push(&RSeq(rseq));
    response.headers.push_raw(HeaderName::REQUIRE, "100rel").unwrap();
    response.headers.push_raw(HeaderName::ALLOW, "INVITE, ACK, BYE, CANCEL, PRACK, UPDATE").unwrap();
    response
}

fn tag(request: &Request) -> String {
    request.headers.require::<To>().unwrap().tag().unwrap().to_owned()
}

#[track_caller]
pub fn prack(harness: &mut Harness, invite: &Request, rseq: u32, to: &str) -> Request {
    let prack = harness.request(Method::PRACK);
    let rack: RAck = prack.headers.require().unwrap();
    assert_eq!(rack, RAck { rseq, cseq: seq(invite), method: Method::INVITE });
    assert_eq!(tag(&prack), to);
    prack
}

#[track_caller]
fn progress(harness: &mut Harness) -> (u16, Option<EarlyDialogId>, bool, bool) {
    match harness.event() {
        Event::Progress { status, early, early_media, body, .. } => {
            (status.code(), early, early_media, body.is_some())
        }
        other => panic!("expected progress, got {other:?}"),
    }
}

#[test]
fn the_setting_says_whether_100rel_is_named_supported_or_required() {
    for (usage, supported, required) in [
        (ExtensionUse::Off, false, false),
        (ExtensionUse::Supported, true, false),
        (ExtensionUse::Required, true, true),
    ] {
        let (_, _, invite) = calling_with(usage, true);
        assert_eq!(invite.headers.require::<Supported>().unwrap().has("100rel"), supported);
        let require = invite.headers.get::<Require>().and_then(Result::ok).unwrap_or_default();
        assert_eq!(require.has("100rel"), required);
        let allow = invite.headers.require::<sidetone_sip_core::header::Allow>().unwrap().0;
        assert_eq!(allow.contains(&Method::PRACK), supported);
        assert!(allow.contains(&Method::UPDATE));
    }
}

#[test]
fn each_reliable_response_gets_one_prack_in_the_early_dialog() {
    let (mut harness, call, invite) = calling();
    let ringing = reliable(&invite, 180, "one", 700);
    harness.put(ringing.clone());
    let first = prack(&mut harness, &invite, 700, "one");
    assert_eq!((seq(&first), first.uri.clone()), (seq(&invite) + 1, contact(&ringing.headers)));
    assert_eq!(progress(&mut harness), (180, Some(first_id()), false, false));
    // It comes again: the PRACK is repeated by its transaction, not by a new one.
    harness.put(ringing);
    harness.silent();
    harness.no_event();
    harness.answer(&first, 200, "one");
    // 702 is ahead of 701, which was lost: neither told nor acknowledged.
    harness.put(reliable(&invite, 182, "one", 702));
    harness.silent();
    harness.no_event();
    harness.put(with_sdp(reliable(&invite, 183, "one", 701)));
    let second = prack(&mut harness, &invite, 701, "one");
    assert_eq!(seq(&second), seq(&first) + 1);
    assert_eq!(progress(&mut harness).0, 183);
    harness.put(reliable(&invite, 182, "one", 702));
    prack(&mut harness, &invite, 702, "one");
    assert_eq!(progress(&mut harness).0, 182);
    // The call goes on with the dialog's numbers.
    harness.put(with_sdp(reply(&invite, 200, "one")));
    let ack = harness.request(Method::ACK);
    assert_eq!(seq(&ack), seq(&invite));
    assert!(matches!(harness.event(), Event::Answered { body: Some(_), .. }));
    harness.agent.hangup(harness.now, call).unwrap();
    assert_eq!(seq(&harness.request(Method::BYE)), seq(&invite) + 4);
}

/// The id of the first early dialog of any call.
fn first_id() -> EarlyDialogId {
    let (mut harness, _, invite) = calling();
    harness.answer(&invite, 180, "one");
    progress(&mut harness).1.unwrap()
}

#[test]
fn early_dialogs_have_their_own_numbers_names_and_media() {
    let (mut harness, _, invite) = calling();
    harness.put(with_sdp(reliable(&invite, 183, "one", 5)));
    prack(&mut harness, &invite, 5, "one");
    let (status, one, media, described) = progress(&mut harness);
    assert_eq!((status, media, described), (183, true, true));
    harness.put(reliable(&invite, 180, "two", 90));
    prack(&mut harness, &invite, 90, "two");
    let (_, two, media, _) = progress(&mut harness);
    assert!(one != two && one.is_some() && two.is_some() && !media);
    harness.put(reliable(&invite, 180, "one", 6));
    prack(&mut harness, &invite, 6, "one");
    // 180 after 183: the status asks for a ring-back tone, and there is media if it comes.
    assert_eq!(progress(&mut harness), (180, one, true, false));
    harness.put(reliable(&invite, 180, "two", 91));
    prack(&mut harness, &invite, 91, "two");
    assert_eq!(progress(&mut harness), (180, two, false, false));
    // A response without a tag makes no dialog.
    let mut bare = invite.response(StatusCode::new(181).unwrap(), None);
    bare.headers.remove(&HeaderName::CONTACT);
    harness.put(bare);
    assert_eq!(progress(&mut harness), (181, None, false, false));
}

#[test]
fn a_199_ends_one_early_dialog_and_the_others_ring_on() {
    let (mut harness, call, invite) = calling();
    harness.answer(&invite, 180, "one");
    let one = progress(&mut harness).1.unwrap();
    harness.answer(&invite, 180, "two");
    progress(&mut harness);
    harness.answer(&invite, 199, "one");
    assert!(matches!(harness.event(), Event::EarlyDialogEnded { early, .. } if early == one));
    harness.answer(&invite, 199, "one");
    harness.no_event();
    assert_eq!(harness.agent.call_state(call), Some(CallState::Ringing));
    harness.put(with_sdp(reply(&invite, 200, "two")));
    harness.request(Method::ACK);
    assert!(matches!(harness.event(), Event::Answered { .. }));
}

#[test]
fn who_does_not_know_its_response_any_more_has_given_up_and_the_call_goes_on() {
    let (mut harness, call, invite) = calling();
    harness.put(reliable(&invite, 180, "one", 1));
    let prack = prack(&mut harness, &invite, 1, "one");
    let early = progress(&mut harness).1.unwrap();
    harness.answer(&prack, 481, "one");
    assert!(matches!(harness.event(), Event::EarlyDialogEnded { early: gone, .. } if gone == early));
    assert_eq!(harness.agent.call_state(call), Some(CallState::Ringing));
    harness.answer(&invite, 486, "one");
    harness.request(Method::ACK);
    assert_eq!(harness.ended().status, Some(StatusCode::BUSY_HERE));
}

#[test]
fn an_answer_that_came_reliably_counts_whatever_the_200_repeats() {
    let (mut harness, _, invite) = calling();
    harness.put(with_sdp(reliable(&invite, 183, "one", 1)));
    prack(&mut harness, &invite, 1, "one");
    progress(&mut harness);
    // No SDP in the 200: the answer is that of this dialog.
    harness.answer(&invite, 200, "one");
    harness.request(Method::ACK);
    let Event::Answered { body: Some(answer), .. } = harness.event() else { panic!("expected the answer") };
    assert_eq!(answer, body(ANSWER));
}

#[test]
fn an_offer_in_a_reliable_183_is_answered_in_the_prack() {
    let (mut harness, call, invite) = calling_with(ExtensionUse::Supported, false);
    // Where it may be lost it is none.
    harness.put(with_sdp(reply(&invite, 183, "one")));
    assert!(!progress(&mut harness).3);
    harness.put(with_sdp(reliable(&invite, 183, "one", 1)));
    harness.silent();
    let (status, early, media, described) = progress(&mut harness);
    assert!(status == 183 && early.is_some() && media && !described);
    let Event::Offer { body: Some(offer), .. } = harness.event() else { panic!("expected an offer") };
    assert_eq!(offer, body(ANSWER));
    // It comes again, as it does until the PRACK.
    harness.put(with_sdp(reliable(&invite, 183, "one", 1)));
    harness.silent();
    harness.no_event();
    harness.agent.answer_offer(harness.now, call, body(OFFER)).unwrap();
    let prack = prack(&mut harness, &invite, 1, "one");
    assert_eq!(prack.body, body(OFFER));
    harness.answer(&prack, 200, "one");
    harness.answer(&invite, 200, "one");
    let ack = harness.request(Method::ACK);
    assert!(ack.body.is_empty(), "the session is agreed on already");
    assert!(matches!(harness.event(), Event::Answered { body: None, .. }));
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
}

#[test]
fn offers_of_several_early_dialogs_are_asked_one_after_the_other() {
    let (mut harness, call, invite) = calling_with(ExtensionUse::Supported, false);
    for place in ["one", "two"] {
        harness.put(with_sdp(reliable(&invite, 183, place, 1)));
    }
    progress(&mut harness);
    assert!(matches!(harness.event(), Event::Offer { .. }));
    progress(&mut harness);
    harness.no_event();
    harness.agent.answer_offer(harness.now, call, body(OFFER)).unwrap();
    prack(&mut harness, &invite, 1, "one");
    assert!(matches!(harness.event(), Event::Offer { .. }));
    // The second place is gone before it is answered.
    harness.put(reliable(&invite, 199, "two", 2));
    prack(&mut harness, &invite, 2, "two");
    assert!(matches!(harness.event(), Event::OfferWithdrawn { .. }));
    assert!(matches!(harness.event(), Event::EarlyDialogEnded { .. }));
    assert!(harness.agent.answer_offer(harness.now, call, body(OFFER)).is_err());
}

#[test]
fn an_offer_in_a_183_that_cannot_be_used_ends_the_call() {
    let (mut harness, call, invite) = calling_with(ExtensionUse::Supported, false);
    harness.put(with_sdp(reliable(&invite, 183, "one", 1)));
    progress(&mut harness);
    harness.event();
    harness.agent.reject_offer(harness.now, call, StatusCode::NOT_ACCEPTABLE_HERE).unwrap();
    prack(&mut harness, &invite, 1, "one");
    assert_eq!(harness.ended().by, EndedBy::Local);
    harness.request(Method::CANCEL);
}

#[test]
fn a_200_before_the_user_answered_the_offer_takes_the_answer_in_the_ack() {
    let (mut harness, call, invite) = calling_with(ExtensionUse::Supported, false);
    harness.put(with_sdp(reliable(&invite, 183, "one", 1)));
    progress(&mut harness);
    harness.event();
    harness.answer(&invite, 200, "one");
    assert!(matches!(harness.event(), Event::Answered { body: None, .. }));
    harness.silent();
    harness.agent.answer_offer(harness.now, call, body(OFFER)).unwrap();
    assert_eq!(harness.request(Method::ACK).body, body(OFFER));
}

#[test]
fn after_a_challenge_the_numbers_begin_anew() {
    let (mut harness, _, invite) = calling();
    harness.put(reliable(&invite, 180, "one", 40));
    prack(&mut harness, &invite, 40, "one");
    progress(&mut harness);
    let challenge: sidetone_sip_core::Challenge =
        r#"Digest realm="peer", nonce="n1", qop="auth""#.parse().unwrap();
    harness.put(reply_with(&invite, 401, &sidetone_sip_core::header::WwwAuthenticate(challenge)));
    harness.request(Method::ACK);
    let second = harness.request(Method::INVITE);
    harness.put(reliable(&second, 180, "one", 7));
    prack(&mut harness, &second, 7, "one");
    assert_eq!(progress(&mut harness).0, 180);
}

#[test]
fn more_places_than_fit_are_told_without_a_name() {
    let (mut harness, _, invite) = calling();
    for n in 0..16 {
        harness.answer(&invite, 180, &format!("place{n}"));
        assert!(progress(&mut harness).1.is_some());
    }
    harness.answer(&invite, 180, "one-more");
    assert_eq!(progress(&mut harness).1, None);
    harness.answer(&invite, 199, "place3");
    harness.event();
    harness.answer(&invite, 180, "one-more");
    assert!(progress(&mut harness).1.is_some(), "one that ended makes room");
}

#[test]
fn hanging_up_sends_cancel_and_what_still_comes_reliably_is_acknowledged() {
    let (mut harness, call, invite) = calling();
    harness.put(reliable(&invite, 180, "one", 1));
    prack(&mut harness, &invite, 1, "one");
    progress(&mut harness);
    harness.agent.hangup(harness.now, call).unwrap();
    harness.request(Method::CANCEL);
    harness.ended();
    harness.put(with_sdp(reliable(&invite, 183, "one", 2)));
    prack(&mut harness, &invite, 2, "one");
    harness.no_event();
}
