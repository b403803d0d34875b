//! UPDATE in early and established dialogs (RFC 3311), and who the other side is (RFC 4916).

use crate::support::*;
use sidetone_sip_core::header::{
    Contact, ContentType, From, HeaderName, RAck, RSeq, RetryAfter, Supported, To,
};
use sidetone_sip_core::{Method, NameAddr, Request, Response, StatusCode};
use sidetone_sip_ua::{
    AccountConfig, CallId, CallState, CommandError, EndedBy, Event, ExtensionUse, SessionConfig,
};

const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, PRACK, UPDATE";

fn with_sdp(mut request: Request) -> Request {
    request.set_body(&ContentType::SDP, body(ANSWER));
    request
}

fn reliable_account(harness: &mut Harness) -> sidetone_sip_ua::AccountId {
    let config = AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap();
    let session = SessionConfig::default().with_reliable(ExtensionUse::Supported);
    harness.account_with(config.with_session(session))
}

/// A call of ours whose answer came in a reliable 183: the INVITE and the 183.
fn early() -> (Harness, CallId, Request, Response) {
    let mut harness = Harness::new();
    let account = reliable_account(&mut harness);
    let call =
        harness.agent.call(harness.now, account, &uri("sip:bob@192.0.2.2"), Some(body(OFFER))).unwrap();
    let invite = harness.request(Method::INVITE);
    let mut progress = reply(&invite, 183, "bob-tag");
    progress.headers.push(&RSeq(1));
    progress.headers.push_raw(HeaderName::REQUIRE, "100rel").unwrap();
    progress.headers.push_raw(HeaderName::ALLOW, ALLOW).unwrap();
    progress.set_body(&ContentType::SDP, body(ANSWER));
    harness.put(progress.clone());
    let prack = harness.request(Method::PRACK);
    harness.answer(&prack, 200, "bob-tag");
    assert!(matches!(harness.event(), Event::Progress { .. }));
    (harness, call, invite, progress)
}

/// A call to us whose offer we answered in a reliable 183: the INVITE and the 183.
fn early_server() -> (Harness, CallId, Request, Response) {
    let mut harness = Harness::new();
    reliable_account(&mut harness);
    let mut invite = harness.peer_invite();
    invite.headers.push_raw(HeaderName::SUPPORTED, "100rel").unwrap();
    invite.headers.push_raw(HeaderName::ALLOW, ALLOW).unwrap();
    harness.put(invite.clone());
    let Event::Incoming { call, .. } = harness.event() else { panic!("expected a call") };
    harness.agent.progress(harness.now, call, StatusCode::SESSION_PROGRESS, Some(body(OFFER))).unwrap();
    let progress = harness.response(183);
    let RSeq(rseq) = progress.headers.require().unwrap();
    let mut prack = harness.peer_in_dialog(&invite, &progress, Method::PRACK, 11);
    prack.headers.push(&RAck { rseq, cseq: 10, method: Method::INVITE });
    harness.put(prack);
    harness.response(200);
    (harness, call, invite, progress)
}

#[test]
fn an_update_with_an_offer_is_answered_and_refreshes_the_target() {
    let mut harness = Harness::new();
    let (call, invite, ok) = harness.established();
    let mut update = with_sdp(harness.callee_in_dialog(&invite, &ok, Method::UPDATE, 1));
    update.headers.set(&Contact::new(uri("sip:bob@192.0.2.88")));
    harness.put(update);
    harness.silent();
    let Event::Offer { body: Some(offer), .. } = harness.event() else { panic!("expected an offer") };
    assert_eq!(offer, body(ANSWER));
    harness.agent.answer_offer(harness.now, call, body(OFFER)).unwrap();
    let answer = harness.response(200);
    assert_eq!(answer.body, body(OFFER));
    assert!(answer.headers.contains(&HeaderName::CONTACT));
    // No ACK comes, and nothing is repeated.
    harness.ms(40_000);
    harness.silent();
    harness.agent.hangup(harness.now, call).unwrap();
    assert_eq!(harness.sent().0, address("192.0.2.88:5060"));
}

#[test]
fn an_update_without_an_offer_is_answered_at_once() {
    let mut harness = Harness::new();
    let (_, invite, ok) = harness.established();
    let update = harness.callee_in_dialog(&invite, &ok, Method::UPDATE, 1);
    harness.put(update);
    let answer = harness.response(200);
    assert!(answer.body.is_empty() && answer.headers.contains(&HeaderName::ALLOW));
    harness.no_event();
}

#[test]
fn an_update_that_meets_our_offer_gets_491_and_one_that_meets_theirs_500_with_a_time() {
    let mut harness = Harness::new();
    let (call, invite, ok) = harness.established();
    harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
    harness.request(Method::INVITE);
    let update = with_sdp(harness.callee_in_dialog(&invite, &ok, Method::UPDATE, 1));
    harness.put(update);
    harness.response(491);
    // Without an offer there is nothing to meet.
    let bare = harness.callee_in_dialog(&invite, &ok, Method::UPDATE, 2);
    harness.put(bare);
    harness.response(200);

    let mut harness = Harness::new();
    let (_, invite, ok) = harness.established();
    for n in 1..3 {
        let update = with_sdp(harness.callee_in_dialog(&invite, &ok, Method::UPDATE, n));
        harness.put(update);
    }
    assert!(harness.response(500).headers.require::<RetryAfter>().unwrap().seconds <= 10);
    let invite_too = with_sdp(harness.callee_in_dialog(&invite, &ok, Method::INVITE, 3));
    harness.put(invite_too);
    assert!(harness.response(500).headers.contains(&HeaderName::RETRY_AFTER));
}

#[test]
fn an_update_with_something_else_than_sdp_gets_415() {
    let mut harness = Harness::new();
    let (_, invite, ok) = harness.established();
    let mut update = harness.callee_in_dialog(&invite, &ok, Method::UPDATE, 1);
    update.set_body(&ContentType::from_static("text", "plain"), body("hello"));
    harness.put(update);
    assert!(harness.response(415).headers.contains(&HeaderName::ACCEPT));
    harness.no_event();
}

#[test]
fn an_update_of_a_call_that_is_being_hung_up_gets_481() {
    let mut harness = Harness::new();
    let (call, invite, ok) = harness.established();
    harness.agent.hangup(harness.now, call).unwrap();
    harness.request(Method::BYE);
    let update = harness.callee_in_dialog(&invite, &ok, Method::UPDATE, 1);
    harness.put(update);
    harness.response(481);
}

#[test]
fn a_bye_answers_the_update_that_waits() {
    let mut harness = Harness::new();
    let (_, invite, ok) = harness.established();
    let update = with_sdp(harness.callee_in_dialog(&invite, &ok, Method::UPDATE, 1));
    harness.put(update);
    harness.event();
    let bye = harness.callee_in_dialog(&invite, &ok, Method::BYE, 2);
    harness.put(bye);
    harness.response(487);
    harness.response(200);
    assert!(matches!(harness.event(), Event::Ended { .. }));
}

#[test]
fn a_change_is_offered_by_invite_in_a_call_and_by_update_before_it_is_answered() {
    let (mut harness, call, invite, _) = early();
    harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
    let update = harness.request(Method::UPDATE);
    assert_eq!((update.body.clone(), seq(&update)), (body(OFFER), seq(&invite) + 2));
    assert!(update.headers.contains(&HeaderName::CONTACT));
    assert_eq!(harness.agent.reoffer(harness.now, call, body(OFFER)), Err(CommandError::OfferPending));
    let mut ok = reply(&update, 200, "bob-tag");
    ok.set_body(&ContentType::SDP, body(ANSWER));
    harness.put(ok);
    assert!(matches!(harness.event(), Event::Answer { body: Some(_), .. }));
    assert!(matches!(harness.event(), Event::OfferDue { .. }));
    // The 200 says nothing new of the session.
    let mut ok = reply(&invite, 200, "bob-tag");
    ok.headers.push_raw(HeaderName::ALLOW, ALLOW).unwrap();
    ok.set_body(&ContentType::SDP, body(ANSWER));
    harness.put(ok);
    harness.request(Method::ACK);
    assert!(matches!(harness.event(), Event::Answered { body: None, .. }));
    harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
    assert_eq!(seq(&harness.request(Method::INVITE)), seq(&invite) + 3);
}

#[test]
fn before_an_answer_came_reliably_nothing_can_be_changed() {
    let mut harness = Harness::new();
    let account = reliable_account(&mut harness);
    let call =
        harness.agent.call(harness.now, account, &uri("sip:bob@192.0.2.2"), Some(body(OFFER))).unwrap();
    let invite = harness.request(Method::INVITE);
    let mut progress = reply(&invite, 183, "bob-tag");
    progress.set_body(&ContentType::SDP, body(ANSWER));
    harness.put(progress.clone());
    harness.event();
    assert_eq!(harness.agent.reoffer(harness.now, call, body(OFFER)), Err(CommandError::WrongState));
    // And what they offer meets ours.
    let update = with_sdp(harness.callee_in_dialog(&invite, &progress, Method::UPDATE, 1));
    harness.put(update);
    harness.response(491);
    harness.silent();
}

#[test]
fn an_update_of_an_early_dialog_is_answered_there_and_one_of_nobody_gets_481() {
    let (mut harness, call, invite, progress) = early();
    let update = with_sdp(harness.callee_in_dialog(&invite, &progress, Method::UPDATE, 1));
    harness.put(update.clone());
    assert!(matches!(harness.event(), Event::Offer { body: Some(_), .. }));
    assert_eq!(harness.agent.reoffer(harness.now, call, body(OFFER)), Err(CommandError::OfferPending));
    harness.agent.answer_offer(harness.now, call, body(OFFER)).unwrap();
    let ok = harness.response(200);
    assert_eq!(ok.body, body(OFFER));
    assert_eq!(ok.headers.require::<To>().unwrap(), update.headers.require::<To>().unwrap());
    assert!(matches!(harness.event(), Event::OfferDue { .. }));
    let mut stranger = with_sdp(harness.callee_in_dialog(&invite, &progress, Method::UPDATE, 2));
    stranger.headers.set(&From(NameAddr::new(uri("sip:bob@192.0.2.2")).with_tag("stranger")));
    harness.put(stranger);
    harness.response(481);
    // An old number of the early dialog is out of order in the call, too.
    harness.answer(&invite, 200, "bob-tag");
    harness.request(Method::ACK);
    harness.event();
    let old = harness.callee_in_dialog(&invite, &progress, Method::UPDATE, 1);
    harness.put(old);
    harness.response(500);
}

#[test]
fn an_update_that_waits_when_the_call_is_answered_waits_on() {
    let (mut harness, call, invite, progress) = early();
    let update = with_sdp(harness.callee_in_dialog(&invite, &progress, Method::UPDATE, 1));
    harness.put(update);
    harness.event();
    harness.answer(&invite, 200, "bob-tag");
    harness.request(Method::ACK);
    assert!(matches!(harness.event(), Event::Answered { .. }));
    harness.agent.answer_offer(harness.now, call, body(OFFER)).unwrap();
    assert_eq!(harness.response(200).headers.raw(&HeaderName::CSEQ).unwrap(), b"1 UPDATE");
    harness.no_event();
}

#[test]
fn another_place_answers_and_the_update_of_the_first_is_answered_487() {
    let (mut harness, _, invite, progress) = early();
    let update = with_sdp(harness.callee_in_dialog(&invite, &progress, Method::UPDATE, 1));
    harness.put(update);
    harness.event();
    let mut ok = reply(&invite, 200, "other");
    ok.set_body(&ContentType::SDP, body(ANSWER));
    harness.put(ok);
    harness.response(487);
    harness.request(Method::ACK);
    assert!(matches!(harness.event(), Event::OfferWithdrawn { .. }));
    assert!(matches!(harness.event(), Event::Answered { body: Some(_), .. }));
}

#[test]
fn the_called_side_offers_by_update_too_and_answers_those_of_the_caller() {
    let (mut harness, call, invite, progress) = early_server();
    harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
    let update = harness.request(Method::UPDATE);
    assert_eq!(update.body, body(OFFER));
    // Theirs meets it.
    let theirs = with_sdp(harness.peer_in_dialog(&invite, &progress, Method::UPDATE, 12));
    harness.put(theirs);
    harness.response(491);
    let mut ok = reply(&update, 200, "bob-tag");
    ok.set_body(&ContentType::SDP, body(ANSWER));
    harness.put(ok);
    assert!(matches!(harness.event(), Event::Answer { .. }));
    let theirs = with_sdp(harness.peer_in_dialog(&invite, &progress, Method::UPDATE, 13));
    harness.put(theirs);
    assert!(matches!(harness.event(), Event::Offer { .. }));
    harness.agent.answer_offer(harness.now, call, body(OFFER)).unwrap();
    assert_eq!(harness.response(200).body, body(OFFER));
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    assert!(harness.response(200).body.is_empty());
    harness.agent.hangup(harness.now, call).unwrap();
    assert!(matches!(harness.event(), Event::Ended { .. }));
}

#[test]
fn an_update_before_the_invite_is_answered_gets_500_with_a_time() {
    let mut harness = Harness::new();
    reliable_account(&mut harness);
    let mut invite = harness.peer_invite();
    invite.headers.push_raw(HeaderName::SUPPORTED, "100rel").unwrap();
    harness.put(invite.clone());
    let Event::Incoming { call, .. } = harness.event() else { panic!("expected a call") };
    harness.agent.ring(harness.now, call).unwrap();
    let ringing = harness.response(180);
    let update = with_sdp(harness.peer_in_dialog(&invite, &ringing, Method::UPDATE, 11));
    harness.put(update);
    assert!(harness.response(500).headers.contains(&HeaderName::RETRY_AFTER));
    assert_eq!(harness.agent.reoffer(harness.now, call, body(OFFER)), Err(CommandError::WrongState));
    harness.no_event();
}

#[test]
fn an_update_of_ours_that_is_refused_for_now_comes_due_again() {
    for (code, retry) in [(491, None), (500, Some(3))] {
        let (mut harness, call, _, _) = early();
        harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
        let update = harness.request(Method::UPDATE);
        let mut refused = reply(&update, code, "bob-tag");
        if let Some(seconds) = retry {
            refused.headers.push(&RetryAfter::new(seconds));
        }
        harness.put(refused);
        let Event::OfferRejected { status, again, .. } = harness.event() else {
            panic!("expected a refusal")
        };
        assert!(status.code() == code && again);
        harness.ms(4000);
        assert!(matches!(harness.event(), Event::OfferDue { .. }));
        harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
        let update = harness.request(Method::UPDATE);
        harness.answer(&update, 488, "bob-tag");
        assert!(matches!(harness.event(), Event::OfferRejected { again: false, .. }));
        assert_eq!(harness.agent.call_state(call), Some(CallState::Ringing));
    }
}

#[test]
fn how_far_a_refusal_reaches_is_the_same_for_every_request() {
    // RFC 5057 §5.1, by re-INVITE, INFO and UPDATE.
    for (code, over) in
        [(404, true), (410, true), (480, true), (481, true), (604, true), (503, false), (603, false)]
    {
        let mut harness = Harness::new();
        let (call, _, _) = harness.established();
        harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
        let invite = harness.request(Method::INVITE);
        harness.answer(&invite, code, "bob-tag");
        harness.request(Method::ACK);
        assert_eq!(matches!(harness.event(), Event::Ended { .. }), over, "INVITE {code}");

        let mut harness = Harness::new();
        let (call, _, _) = harness.established();
        harness.agent.send_info(harness.now, call, ContentType::DTMF_RELAY, body("Signal=1")).unwrap();
        let info = harness.request(Method::INFO);
        harness.answer(&info, code, "bob-tag");
        assert!(matches!(harness.event(), Event::InfoRefused { .. }));
        assert_eq!(harness.agent.call_state(call) != Some(CallState::Established), over, "INFO {code}");

        let (mut harness, call, _, _) = early();
        harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
        let update = harness.request(Method::UPDATE);
        harness.answer(&update, code, "bob-tag");
        assert_eq!(matches!(harness.event(), Event::EarlyDialogEnded { .. }), over, "UPDATE {code}");
        assert_eq!(harness.agent.call_state(call), Some(CallState::Ringing), "the INVITE goes on");
    }
}

#[test]
fn who_the_other_side_is_is_told_once_for_each_identity() {
    let mut harness = Harness::new();
    let account = harness.account();
    harness.agent.call(harness.now, account, &uri("sip:bob@192.0.2.2"), Some(body(OFFER))).unwrap();
    let invite = harness.request(Method::INVITE);
    assert!(invite.headers.require::<Supported>().unwrap().has("from-change"));
    let mut ringing = reply(&invite, 180, "bob-tag");
    let name = r#""Carol" <sip:carol@192.0.2.2>"#;
    ringing.headers.push_raw(HeaderName::P_ASSERTED_IDENTITY, name).unwrap();
    harness.put(ringing.clone());
    let Event::RemoteIdentity { identity, .. } = harness.event() else { panic!("expected an identity") };
    assert_eq!(identity.asserted, [name.parse::<NameAddr>().unwrap()]);
    assert_eq!((identity.from, identity.remote_party), (None, None));
    assert!(matches!(harness.event(), Event::Progress { .. }));
    harness.put(ringing);
    assert!(matches!(harness.event(), Event::Progress { .. }));
    let mut ok = reply(&invite, 200, "bob-tag");
    ok.headers.push_raw(HeaderName::REMOTE_PARTY_ID, "<sip:dave@192.0.2.2>;party=called;screen=yes").unwrap();
    ok.set_body(&ContentType::SDP, body(ANSWER));
    harness.put(ok);
    let Event::RemoteIdentity { identity, .. } = harness.event() else { panic!("expected an identity") };
    assert!(identity.remote_party.is_some_and(|party| party.is_screened()));
    assert!(matches!(harness.event(), Event::Answered { .. }));
    harness.no_event();
}

#[test]
fn a_changed_from_is_told_and_named_in_our_requests_from_then_on() {
    let mut harness = Harness::new();
    let (call, invite, ok) = harness.established();
    let mut update = harness.callee_in_dialog(&invite, &ok, Method::UPDATE, 1);
    update.headers.set(&From(NameAddr::new(uri("sip:carol@192.0.2.2")).with_tag("bob-tag")));
    harness.put(update);
    harness.response(200);
    let Event::RemoteIdentity { identity, .. } = harness.event() else { panic!("expected an identity") };
    assert_eq!(identity.from.unwrap().to_string(), "<sip:carol@192.0.2.2>");
    harness.agent.hangup(harness.now, call).unwrap();
    let To(to) = harness.request(Method::BYE).headers.require().unwrap();
    assert_eq!((to.uri.clone(), to.tag()), (uri("sip:carol@192.0.2.2"), Some("bob-tag")));
}

#[test]
fn our_name_changes_by_update_where_the_other_side_takes_that() {
    let mut harness = Harness::new();
    let (call, invite, ok) = harness.established();
    let carol = NameAddr::new(uri("sip:carol@192.0.2.1"));
    let named = harness.agent.update_identity(harness.now, call, carol.clone());
    assert_eq!(named, Err(CommandError::Unsupported));
    let mut update = harness.callee_in_dialog(&invite, &ok, Method::UPDATE, 1);
    update.headers.push_raw(HeaderName::SUPPORTED, "from-change").unwrap();
    update.headers.push_raw(HeaderName::ALLOW, ALLOW).unwrap();
    harness.put(update);
    harness.response(200);
    harness.agent.update_identity(harness.now, call, carol).unwrap();
    let update = harness.request(Method::UPDATE);
    let From(from) = update.headers.require().unwrap();
    assert_eq!(from.uri, uri("sip:carol@192.0.2.1"));
    assert_eq!(from.tag(), invite.headers.require::<From>().unwrap().tag());
    assert!(update.body.is_empty());
    harness.answer(&update, 200, "bob-tag");
    harness.no_event();
    // One who says no keeps the call all the same; one who does not know it any more ends it.
    harness.agent.update_identity(harness.now, call, NameAddr::new(uri("sip:dave@192.0.2.1"))).unwrap();
    let update = harness.request(Method::UPDATE);
    harness.answer(&update, 403, "bob-tag");
    harness.no_event();
    harness.agent.update_identity(harness.now, call, NameAddr::new(uri("sip:erin@192.0.2.1"))).unwrap();
    let update = harness.request(Method::UPDATE);
    harness.answer(&update, 481, "bob-tag");
    assert_eq!(harness.ended().by, EndedBy::Remote);
}
