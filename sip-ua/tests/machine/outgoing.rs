use crate::support::*;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{
    Authorization, CSeq, CallId, Contact, ContentType, From, HeaderName, ProxyAuthenticate,
    ProxyAuthorization, RecordRoute, To, Via, WwwAuthenticate,
};
use sidetone_sip_core::{Challenge, Message, Method, NameAddr, Request, Response, StatusCode};
use sidetone_sip_ua::feature::redirect::{Follow, RedirectConfig};
use sidetone_sip_ua::{AccountConfig, AgentConfig, CallId as Id, CallState, CommandError, EndedBy, Event};

/// A call of ours whose INVITE has just gone out.
fn calling() -> (Harness, Id, Request) {
    let mut harness = Harness::new();
    let account = harness.account();
    let call =
        harness.agent.call(harness.now, account, &uri("sip:bob@192.0.2.2"), Some(body(OFFER))).unwrap();
    let invite = harness.request(Method::INVITE);
    (harness, call, invite)
}

fn with_answer(mut response: Response) -> Response {
    response.set_body(&ContentType::SDP, body(ANSWER));
    response
}

#[test]
fn a_call_with_ringing_early_media_and_an_answer() {
    let (mut harness, call, invite) = calling();
    assert_eq!(invite.uri.to_string(), "sip:bob@192.0.2.2");
    assert_eq!(invite.body, body(OFFER));
    assert_eq!(contact(&invite.headers).to_string(), "sip:alice@192.0.2.1:5060");
    assert!(invite.headers.contains(&HeaderName::ALLOW));
    harness.answer(&invite, 100, "");
    harness.no_event();
    assert_eq!(harness.agent.call_state(call), Some(CallState::Calling));
    harness.answer(&invite, 180, "one");
    assert!(matches!(harness.event(), Event::Progress { status: StatusCode::RINGING, body: None, .. }));
    assert_eq!(harness.agent.call_state(call), Some(CallState::Ringing));
    harness.put(with_answer(reply(&invite, 183, "one")));
    let Event::Progress { body: Some(early), .. } = harness.event() else { panic!("expected early media") };
    assert_eq!(early, body(ANSWER));
    let ok = with_answer(reply(&invite, 200, "one"));
    harness.put(ok.clone());
    let Event::Answered { body: Some(answer), .. } = harness.event() else { panic!("expected an answer") };
    assert_eq!(answer, body(ANSWER));
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
    let ack = harness.request(Method::ACK);
    assert_eq!(ack.uri, contact(&ok.headers));
    assert_eq!(seq(&ack), seq(&invite));
    assert_ne!(
        ack.headers.require::<Via>().unwrap().branch(),
        invite.headers.require::<Via>().unwrap().branch()
    );
    assert_eq!(ack.headers.require::<To>().unwrap().tag(), Some("one"));

    harness.agent.hangup(harness.now, call).unwrap();
    let bye = harness.request(Method::BYE);
    assert_eq!(seq(&bye), seq(&invite) + 1);
    assert_eq!(harness.ended().by, EndedBy::Local);
    assert_eq!(harness.agent.call_state(call), Some(CallState::Ending));
    assert_eq!(harness.agent.hangup(harness.now, call), Err(CommandError::NoSuchCall));
    harness.answer(&bye, 200, "one");
    assert_eq!(harness.agent.call_state(call), None);
    assert!(harness.agent.is_idle());
}

#[test]
fn each_repeated_2xx_is_acknowledged_again_even_after_timer_m() {
    let (mut harness, _, invite) = calling();
    let ok = with_answer(reply(&invite, 200, "one"));
    harness.put(ok.clone());
    let first = harness.request(Method::ACK);
    for wait in [500, 1000, 2000, 4000, 40_000] {
        harness.ms(wait);
        harness.put(ok.clone());
        let again = harness.request(Method::ACK);
        assert_eq!((seq(&again), again.uri.clone()), (seq(&first), first.uri.clone()));
    }
    harness.event();
    harness.no_event();
}

#[test]
fn of_forked_answers_the_first_has_the_call_and_the_others_are_hung_up() {
    let (mut harness, call, invite) = calling();
    harness.answer(&invite, 180, "one");
    harness.answer(&invite, 180, "two");
    harness.event();
    harness.event();
    harness.put(with_answer(reply(&invite, 200, "two")));
    assert_eq!(harness.request(Method::ACK).headers.require::<To>().unwrap().tag(), Some("two"));
    assert!(matches!(harness.event(), Event::Answered { .. }));
    let other = with_answer(reply(&invite, 200, "one"));
    harness.put(other.clone());
    assert_eq!(harness.request(Method::ACK).headers.require::<To>().unwrap().tag(), Some("one"));
    let bye = harness.request(Method::BYE);
    assert_eq!(bye.headers.require::<To>().unwrap().tag(), Some("one"));
    // Its 2xx comes again: it is acknowledged again, and not hung up twice.
    harness.put(other);
    assert_eq!(harness.request(Method::ACK).headers.require::<To>().unwrap().tag(), Some("one"));
    harness.silent();
    harness.answer(&bye, 200, "one");
    harness.no_event();
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
}

#[test]
fn challenges_of_a_server_and_a_proxy_are_both_answered() {
    let (mut harness, _, invite) = calling();
    let www: Challenge = r#"Digest realm="peer", nonce="n1", qop="auth""#.parse().unwrap();
    let proxy: Challenge =
        r#"Digest realm="proxy", nonce="p1", algorithm=SHA-256, qop="auth""#.parse().unwrap();
    harness.put(reply_with(&invite, 407, &ProxyAuthenticate(proxy)));
    harness.request(Method::ACK);
    let second = harness.request(Method::INVITE);
    assert_eq!(seq(&second), seq(&invite) + 1);
    assert_eq!(second.headers.require::<CallId>().unwrap(), invite.headers.require::<CallId>().unwrap());
    assert_eq!(second.headers.require::<From>().unwrap(), invite.headers.require::<From>().unwrap());
    harness.put(reply_with(&second, 401, &WwwAuthenticate(www)));
    harness.request(Method::ACK);
    let third = harness.request(Method::INVITE);
    assert_eq!(&*third.headers.require::<Authorization>().unwrap().realm, "peer");
    assert_eq!(&*third.headers.require::<ProxyAuthorization>().unwrap().realm, "proxy");
    harness.put(with_answer(reply(&third, 200, "one")));
    let ack = harness.request(Method::ACK);
    assert_eq!(seq(&ack), seq(&third));
    // The ACK to a 2xx has the INVITE's credentials (RFC 3261 §22.1).
    assert_eq!(
        ack.headers.raw(&HeaderName::PROXY_AUTHORIZATION),
        third.headers.raw(&HeaderName::PROXY_AUTHORIZATION)
    );
    assert!(matches!(harness.event(), Event::Answered { .. }));
    harness.no_event();
}

#[test]
fn refusals_end_the_call_with_their_status_and_a_3xx_with_its_addresses() {
    for code in [403, 404, 480, 486, 603] {
        let (mut harness, call, invite) = calling();
        harness.answer(&invite, code, "one");
        harness.request(Method::ACK);
        let cause = harness.ended();
        assert_eq!((cause.by, cause.status.map(StatusCode::code)), (EndedBy::Remote, Some(code)));
        assert_eq!(harness.agent.call_state(call), None);
    }
    // Its own test file tells how it is followed: `redirect.rs`.
    let mut redirect = RedirectConfig::default();
    redirect.follow = Follow::Never;
    let config = AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap().with_redirect(redirect);
    let mut harness = Harness::new();
    let account = harness.account_with(config);
    harness.agent.call(harness.now, account, &uri("sip:bob@192.0.2.2"), Some(body(OFFER))).unwrap();
    let invite = harness.request(Method::INVITE);
    let mut moved = invite.response(StatusCode::MOVED_TEMPORARILY, Some("one"));
    for (address, q) in [("sip:carol@192.0.2.3", "0.5"), ("sip:dave@192.0.2.4", "0.9")] {
        let mut contact = NameAddr::new(uri(address));
        contact.params.set("q", q);
        moved.headers.push(&Contact::from(contact));
    }
    harness.put(moved);
    let cause = harness.ended();
    assert_eq!(cause.contacts, [uri("sip:dave@192.0.2.4"), uri("sip:carol@192.0.2.3")]);
}

#[test]
fn without_a_response_the_call_ends_after_64_t1() {
    let (mut harness, call, _) = calling();
    harness.ms(31_999);
    harness.no_event();
    harness.ms(1);
    let cause = harness.ended();
    assert_eq!((cause.by, cause.status), (EndedBy::Timeout, Some(StatusCode::REQUEST_TIMEOUT)));
    assert_eq!(harness.agent.call_state(call), None);
}

#[test]
fn a_call_that_cannot_be_sent_ends_too() {
    let mut harness = Harness::new();
    let config = AccountConfig::parse("sip:alice@example.org").unwrap();
    let account = harness.account_with(config);
    harness.agent.call(harness.now, account, &uri("sip:bob@example.org"), Some(body(OFFER))).unwrap();
    harness.dns(&[]);
    assert_eq!(harness.ended().by, EndedBy::Network);
    assert!(harness.agent.is_idle());
    let tel = harness.agent.call(harness.now, account, &uri("tel:+4930123"), None);
    assert_eq!(tel, Err(CommandError::NotSip));
}

#[test]
fn hanging_up_while_the_name_is_looked_up_sends_nothing() {
    let mut harness = Harness::new();
    let account = harness.account_with(AccountConfig::parse("sip:alice@example.org").unwrap());
    let call =
        harness.agent.call(harness.now, account, &uri("sip:bob@example.org"), Some(body(OFFER))).unwrap();
    harness.agent.hangup(harness.now, call).unwrap();
    assert_eq!(harness.ended().by, EndedBy::Local);
    assert_eq!(harness.dns(&[a("example.org", "192.0.2.2")]).len(), 1, "nobody asks on");
    harness.silent();
    assert!(harness.agent.is_idle());
    harness.no_event();
}

#[test]
fn cancel_waits_for_a_provisional_response_and_the_487_ends_it() {
    let (mut harness, call, invite) = calling();
    harness.agent.hangup(harness.now, call).unwrap();
    harness.silent();
    assert_eq!(harness.ended().by, EndedBy::Local);
    harness.answer(&invite, 180, "one");
    let cancel = harness.request(Method::CANCEL);
    assert_eq!(
        cancel.headers.require::<Via>().unwrap().branch(),
        invite.headers.require::<Via>().unwrap().branch()
    );
    harness.answer(&cancel, 200, "one");
    harness.answer(&invite, 487, "one");
    harness.request(Method::ACK);
    assert_eq!(harness.agent.call_state(call), None);
    harness.no_event();
}

#[test]
fn a_2xx_that_crosses_the_cancel_is_acknowledged_and_hung_up() {
    let (mut harness, call, invite) = calling();
    harness.answer(&invite, 180, "one");
    harness.event();
    harness.agent.hangup(harness.now, call).unwrap();
    assert_eq!(harness.ended().by, EndedBy::Local);
    let cancel = harness.request(Method::CANCEL);
    harness.put(with_answer(reply(&invite, 200, "one")));
    harness.request(Method::ACK);
    let bye = harness.request(Method::BYE);
    harness.answer(&cancel, 481, "one");
    harness.answer(&bye, 200, "one");
    assert_eq!(harness.agent.call_state(call), None);
    harness.no_event();
}

#[test]
fn a_cancelled_invite_without_final_response_is_given_up_after_64_t1() {
    let (mut harness, call, invite) = calling();
    harness.answer(&invite, 180, "one");
    harness.agent.hangup(harness.now, call).unwrap();
    harness.ms(31_999);
    assert_eq!(harness.agent.call_state(call), Some(CallState::Ending));
    harness.ms(1);
    assert_eq!(harness.agent.call_state(call), None);
}

#[test]
fn nobody_picks_up() {
    let mut config = AgentConfig::new([1; 32]);
    config.ring_timeout = Duration::from_secs(20);
    let mut harness = Harness::with(config);
    let account = harness.account();
    harness.agent.call(harness.now, account, &uri("sip:bob@192.0.2.2"), Some(body(OFFER))).unwrap();
    let invite = harness.request(Method::INVITE);
    harness.answer(&invite, 180, "one");
    harness.event();
    harness.ms(19_999);
    harness.no_event();
    harness.ms(1);
    assert_eq!(harness.ended().by, EndedBy::Timeout);
    harness.request(Method::CANCEL);
}

#[test]
fn a_delayed_offer_is_answered_in_the_ack() {
    let mut harness = Harness::new();
    let account = harness.account();
    let call = harness.agent.call(harness.now, account, &uri("sip:bob@192.0.2.2"), None).unwrap();
    let invite = harness.request(Method::INVITE);
    assert!(invite.body.is_empty());
    let ok = with_answer(reply(&invite, 200, "one"));
    harness.put(ok.clone());
    let Event::Answered { body: Some(_), .. } = harness.event() else { panic!("expected the offer") };
    harness.silent();
    assert_eq!(harness.agent.call_state(call), Some(CallState::Answered));
    // The 2xx comes again while we think.
    harness.put(ok.clone());
    harness.silent();
    harness.agent.answer_offer(harness.now, call, body(OFFER)).unwrap();
    let ack = harness.request(Method::ACK);
    assert_eq!(ack.body, body(OFFER));
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
    harness.put(ok);
    assert_eq!(harness.request(Method::ACK).body, body(OFFER));
}

#[test]
fn a_delayed_offer_that_is_refused_ends_the_call() {
    let mut harness = Harness::new();
    let account = harness.account();
    let call = harness.agent.call(harness.now, account, &uri("sip:bob@192.0.2.2"), None).unwrap();
    let invite = harness.request(Method::INVITE);
    harness.put(with_answer(reply(&invite, 200, "one")));
    harness.event();
    harness.agent.reject_offer(harness.now, call, StatusCode::NOT_ACCEPTABLE_HERE).unwrap();
    harness.request(Method::ACK);
    harness.request(Method::BYE);
    assert_eq!(harness.ended().by, EndedBy::Local);
}

/// The 200 of a callee behind two proxies, of which the nearer one is as `first` says.
fn answered_through(first: &str) -> (Harness, Id, Request) {
    let (mut harness, call, invite) = calling();
    let mut ok = with_answer(invite.response(StatusCode::OK, Some("one")));
    ok.headers.push(&Contact::new(uri("sip:bob@198.51.100.9:5062")));
    ok.headers.push(&RecordRoute::new(uri("sip:192.0.2.40;lr")));
    ok.headers.push(&RecordRoute::new(uri(first)));
    harness.put(ok);
    (harness, call, invite)
}

#[test]
fn requests_within_the_dialog_follow_loose_routes() {
    let (mut harness, _, _) = answered_through("sip:192.0.2.30:5070;lr");
    let (to, Message::Request(ack)) = harness.sent() else { panic!("expected an ACK") };
    assert_eq!(to, address("192.0.2.30:5070"));
    assert_eq!(ack.uri.to_string(), "sip:bob@198.51.100.9:5062");
    let routes: Vec<_> = ack.headers.raw_all(&HeaderName::ROUTE).collect();
    assert_eq!(routes, [&b"<sip:192.0.2.30:5070;lr>"[..], b"<sip:192.0.2.40;lr>"]);
}

#[test]
fn requests_within_the_dialog_follow_strict_routes() {
    let (mut harness, call, _) = answered_through("sip:192.0.2.30:5070");
    harness.sent();
    harness.agent.hangup(harness.now, call).unwrap();
    let (to, Message::Request(bye)) = harness.sent() else { panic!("expected a BYE") };
    assert_eq!(to, address("192.0.2.30:5070"));
    assert_eq!(bye.uri.to_string(), "sip:192.0.2.30:5070");
    let routes: Vec<_> = bye.headers.raw_all(&HeaderName::ROUTE).collect();
    assert_eq!(routes, [&b"<sip:192.0.2.40;lr>"[..], b"<sip:bob@198.51.100.9:5062>"]);
}

#[test]
fn a_challenged_bye_takes_the_dialogs_next_number() {
    let (mut harness, _, _) = (Harness::new(), 0, 0);
    let (call, invite, _) = harness.established();
    harness.agent.hangup(harness.now, call).unwrap();
    let bye = harness.request(Method::BYE);
    let www: Challenge = r#"Digest realm="peer", nonce="n1", qop="auth""#.parse().unwrap();
    harness.put(reply_with(&bye, 401, &WwwAuthenticate(www)));
    let again = harness.request(Method::BYE);
    assert_eq!(seq(&again), seq(&invite) + 2);
    assert_eq!(again.headers.require::<CSeq>().unwrap().method, Method::BYE);
    harness.answer(&again, 200, "bob-tag");
    assert_eq!(harness.agent.call_state(call), None);
}

#[test]
fn there_are_not_more_calls_than_allowed() {
    let mut config = AgentConfig::new([1; 32]);
    config.max_calls = 2;
    let mut harness = Harness::with(config);
    let account = harness.account();
    let target = uri("sip:bob@192.0.2.2");
    let now = harness.now;
    for _ in 0..2 {
        harness.agent.call(now, account, &target, Some(body(OFFER))).unwrap();
    }
    assert_eq!(harness.agent.call(now, account, &target, None), Err(CommandError::TooManyCalls(2)));
    harness.skip();
    let invite = harness.peer_invite();
    harness.put(invite);
    harness.response(486);
}
