//! Calls that a 3xx sends elsewhere: the next INVITE, whom it goes to, and what ends the search.

use crate::support::*;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{
    CallId as CallIdHeader, Contact, ContentType, Diversion, From, HeaderName, Route, To,
};
use sidetone_sip_core::{Message, Method, NameAddr, Request, Response, StatusCode};
use sidetone_sip_ua::feature::redirect::{Follow, RedirectConfig};
use sidetone_sip_ua::{AccountConfig, CallId, CallRequest, CallState, CommandError, EndedBy, Event};

/// A call to the peer from an account whose redirections are these.
fn calling(edit: impl FnOnce(&mut RedirectConfig)) -> (Harness, CallId, Request) {
    let mut redirect = RedirectConfig::default();
    edit(&mut redirect);
    calling_from(AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap().with_redirect(redirect))
}

fn calling_from(config: AccountConfig) -> (Harness, CallId, Request) {
    let mut harness = Harness::new();
    let account = harness.account_with(config);
    let call =
        harness.agent.call(harness.now, account, &uri("sip:bob@192.0.2.2"), Some(body(OFFER))).unwrap();
    let invite = harness.request(Method::INVITE);
    (harness, call, invite)
}

fn moved(request: &Request, code: u16, contacts: &[(&str, &str)]) -> Response {
    let mut moved = request.response(StatusCode::new(code).unwrap(), Some("moved"));
    for (address, q) in contacts {
        let mut contact = NameAddr::new(uri(address));
        contact.params.set("q", q);
        moved.headers.push(&Contact::from(contact));
    }
    moved
}

/// The ACK of the refusal, and the INVITE to the next target.
#[track_caller]
fn next(harness: &mut Harness) -> (String, Request) {
    harness.request(Method::ACK);
    match harness.sent() {
        (to, Message::Request(request)) if request.method == Method::INVITE => (to.to_string(), request),
        (_, other) => panic!("expected an INVITE, the agent sent {}", line(&other)),
    }
}

fn call_id(request: &Request) -> String {
    request.headers.require::<CallIdHeader>().unwrap().as_str().into()
}

#[track_caller]
fn redirected(harness: &mut Harness) -> (Vec<String>, bool) {
    match harness.event() {
        Event::Redirected { targets, ask, .. } => (targets.iter().map(ToString::to_string).collect(), ask),
        other => panic!("expected a redirection, got {other:?}"),
    }
}

/// The target takes the call, and it is up.
#[track_caller]
fn takes(harness: &mut Harness, call: CallId, invite: &Request) {
    let mut ok = reply(invite, 200, "last");
    ok.set_body(&ContentType::SDP, body(ANSWER));
    harness.put(ok);
    let ack = harness.request(Method::ACK);
    assert_eq!((call_id(&ack), seq(&ack)), (call_id(invite), seq(invite)));
    assert!(matches!(harness.event(), Event::Answered { .. }));
    assert_eq!(harness.agent.call_state(call), Some(CallState::Established));
}

#[test]
fn the_targets_are_called_in_the_order_of_their_q_until_one_takes_the_call() {
    let (mut harness, call, first) = calling(|_| {});
    harness.answer(&first, 180, "rings");
    assert!(matches!(harness.event(), Event::Progress { .. }));
    let contacts = [("sip:carol@192.0.2.3", "0.5"), ("sip:dave@192.0.2.4", "0.9")];
    harness.put(moved(&first, 302, &contacts));
    assert_eq!(
        redirected(&mut harness),
        (vec!["sip:dave@192.0.2.4".into(), "sip:carol@192.0.2.3".into()], false)
    );
    let (to, second) = next(&mut harness);
    assert_eq!((to.as_str(), second.uri.as_str()), ("192.0.2.4:5060", "sip:dave@192.0.2.4"));
    assert_eq!(harness.agent.call_state(call), Some(CallState::Calling), "nobody rings there yet");
    // RFC 3261 §8.1.3.4: To and From stay as they were; the Call-ID is a new one, as the manual has it (YLC-008).
    assert_eq!(second.headers.require::<To>().unwrap(), first.headers.require::<To>().unwrap());
    assert_eq!(second.headers.require::<From>().unwrap(), first.headers.require::<From>().unwrap());
    assert_ne!(call_id(&second), call_id(&first));
    assert_eq!((seq(&second), &second.body), (seq(&first) + 1, &first.body));
    harness.put(reply(&second, 486, "busy"));
    let (to, third) = next(&mut harness);
    assert_eq!((to.as_str(), third.uri.as_str()), ("192.0.2.3:5060", "sip:carol@192.0.2.3"));
    takes(&mut harness, call, &third);
    // The other side knows the call by what the last INVITE said of it.
    let ok = reply(&third, 200, "last");
    let bye = harness.callee_in_dialog(&third, &ok, Method::BYE, 1);
    harness.put(bye);
    harness.response(200);
    assert_eq!(harness.ended().by, EndedBy::Remote);
}

#[test]
fn the_call_id_stays_where_the_settings_say_so() {
    let (mut harness, call, first) = calling(|redirect| redirect.new_call_id = false);
    harness.put(moved(&first, 301, &[("sip:carol@192.0.2.3", "1")]));
    redirected(&mut harness);
    let (_, second) = next(&mut harness);
    assert_eq!((call_id(&second), seq(&second)), (call_id(&first), seq(&first) + 1));
    takes(&mut harness, call, &second);
}

#[test]
fn when_no_target_is_left_the_last_refusal_ends_the_call() {
    let (mut harness, call, first) = calling(|_| {});
    harness.put(moved(&first, 300, &[("sip:carol@192.0.2.3", "1"), ("sip:dave@192.0.2.4", "0.5")]));
    redirected(&mut harness);
    let (_, second) = next(&mut harness);
    harness.put(reply(&second, 404, "gone"));
    let (_, third) = next(&mut harness);
    harness.put(reply(&third, 486, "busy"));
    harness.request(Method::ACK);
    assert_eq!(harness.ended().status, Some(StatusCode::BUSY_HERE));
    assert_eq!(harness.agent.call_state(call), None);
}

#[test]
fn a_6xx_speaks_for_every_target() {
    let (mut harness, _, first) = calling(|_| {});
    harness.put(moved(&first, 302, &[("sip:carol@192.0.2.3", "1"), ("sip:dave@192.0.2.4", "0.5")]));
    redirected(&mut harness);
    let (_, second) = next(&mut harness);
    harness.put(reply(&second, 603, "no"));
    harness.request(Method::ACK);
    assert_eq!(harness.ended().status, Some(StatusCode::DECLINE));
    harness.silent();
}

#[test]
fn a_target_that_says_nothing_is_left_for_the_next_one() {
    let (mut harness, call, first) = calling(|_| {});
    harness.put(moved(&first, 302, &[("sip:carol@192.0.2.3", "1"), ("sip:dave@192.0.2.4", "0.5")]));
    redirected(&mut harness);
    next(&mut harness);
    let (waited, third) = harness.wait_sent_to("192.0.2.4:5060", Duration::from_secs(60));
    assert_eq!(waited, Duration::from_secs(32), "64·T1");
    takes(&mut harness, call, &third);
}

#[test]
fn loops_end() {
    let (mut harness, _, first) = calling(|_| {});
    harness.put(moved(&first, 302, &[("sip:carol@192.0.2.3", "1")]));
    redirected(&mut harness);
    let (_, second) = next(&mut harness);
    // Carol sends us back to Bob, and to herself.
    harness.put(moved(&second, 302, &[("sip:bob@192.0.2.2", "1"), ("sip:carol@192.0.2.3", "0.5")]));
    harness.request(Method::ACK);
    let cause = harness.ended();
    assert_eq!(cause.status, Some(StatusCode::MOVED_TEMPORARILY));
    assert_eq!(cause.contacts, [uri("sip:bob@192.0.2.2"), uri("sip:carol@192.0.2.3")]);
    harness.silent();
    harness.ms(40_000);
    assert!(harness.agent.is_idle());
}

#[test]
fn a_chain_without_end_has_one() {
    for (depth, targets, calls) in [(5, 8, 6), (20, 8, 9), (2, 8, 3)] {
        let (mut harness, _, mut invite) = calling(|redirect| {
            redirect.most_depth = depth;
            redirect.most_targets = targets;
        });
        let mut count = 1;
        loop {
            harness.put(moved(&invite, 302, &[(&format!("sip:n{count}@192.0.2.3"), "1")]));
            if let Event::Ended { cause, .. } = harness.event() {
                assert_eq!(cause.status, Some(StatusCode::MOVED_TEMPORARILY));
                break;
            }
            invite = next(&mut harness).1;
            count += 1;
        }
        assert_eq!(count, calls, "at most {depth} one after the other and {targets} targets in all");
    }
}

#[test]
fn a_305_repeats_the_call_by_the_proxy_that_it_names() {
    let (mut harness, call, first) = calling(|_| {});
    harness.put(moved(&first, 305, &[("sip:192.0.2.9:5070", "1")]));
    redirected(&mut harness);
    let (to, second) = next(&mut harness);
    assert_eq!((to.as_str(), second.uri.as_str()), ("192.0.2.9:5070", "sip:bob@192.0.2.2"));
    let Route(route) = second.headers.require().unwrap();
    assert_eq!(route.uri.as_str(), "sip:192.0.2.9:5070;lr");
    // Once more the same proxy is a loop.
    harness.put(moved(&second, 305, &[("sip:192.0.2.9:5070", "1")]));
    harness.request(Method::ACK);
    assert_eq!(harness.ended().status, Some(StatusCode::USE_PROXY));
    assert_eq!(harness.agent.call_state(call), None);

    // Behind an outbound proxy it comes second, and what goes elsewhere afterwards does not go by it.
    let account = AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap();
    let (mut harness, _, first) = calling_from(account.with_proxy(uri("sip:192.0.2.7")));
    harness.put(moved(&first, 305, &[("sip:192.0.2.9:5070", "1")]));
    redirected(&mut harness);
    let (to, second) = next(&mut harness);
    assert_eq!(to, "192.0.2.7:5060");
    let routes: Vec<String> =
        second.headers.all::<Route>().map(|route| route.unwrap().0.uri.to_string()).collect();
    assert_eq!(routes, ["sip:192.0.2.7;lr", "sip:192.0.2.9:5070;lr"]);
    harness.put(moved(&second, 302, &[("sip:carol@192.0.2.3", "1")]));
    redirected(&mut harness);
    let (_, third) = next(&mut harness);
    let routes: Vec<String> =
        third.headers.all::<Route>().map(|route| route.unwrap().0.uri.to_string()).collect();
    assert_eq!(routes, ["sip:192.0.2.7;lr"]);
}

#[test]
fn what_a_380_offers_is_for_the_user() {
    let (mut harness, _, first) = calling(|_| {});
    harness.put(moved(&first, 380, &[("sip:operator@192.0.2.3", "1")]));
    harness.request(Method::ACK);
    let cause = harness.ended();
    assert_eq!(cause.status, Some(StatusCode::ALTERNATIVE_SERVICE));
    assert_eq!(cause.contacts, [uri("sip:operator@192.0.2.3")]);
    harness.silent();
}

#[test]
fn the_user_is_asked_where_the_settings_say_so() {
    let ask = |redirect: &mut RedirectConfig| redirect.follow = Follow::Ask;
    let list = [("sip:carol@192.0.2.3", "1"), ("sip:dave@192.0.2.4", "0.5")];
    let (mut harness, call, first) = calling(ask);
    assert_eq!(harness.agent.follow_redirect(harness.now, call), Err(CommandError::WrongState));
    harness.put(moved(&first, 302, &list));
    assert!(redirected(&mut harness).1);
    harness.request(Method::ACK);
    harness.silent();
    harness.ms(10_000);
    harness.silent();
    harness.agent.follow_redirect(harness.now, call).unwrap();
    let second = harness.request(Method::INVITE);
    assert_eq!(second.uri, uri("sip:carol@192.0.2.3"));
    assert_eq!(harness.agent.follow_redirect(harness.now, call), Err(CommandError::WrongState));
    // What the user was told of needs no second word.
    harness.put(reply(&second, 480, "away"));
    let (_, third) = next(&mut harness);
    takes(&mut harness, call, &third);

    let (mut harness, call, first) = calling(ask);
    harness.put(moved(&first, 302, &list));
    redirected(&mut harness);
    harness.request(Method::ACK);
    harness.agent.hangup(harness.now, call).unwrap();
    assert_eq!(harness.ended().by, EndedBy::Local);
    harness.silent();
    assert_eq!(harness.agent.call_state(call), None, "there is nothing to take down");

    let (mut harness, _, first) = calling(ask);
    harness.put(moved(&first, 302, &list));
    redirected(&mut harness);
    harness.request(Method::ACK);
    harness.ms(180_000);
    assert_eq!(harness.ended().by, EndedBy::Timeout, "nobody decides");
    harness.ms(40_000);
    assert!(harness.agent.is_idle());
}

#[test]
fn redirections_may_not_be_followed_at_all() {
    let (mut harness, _, first) = calling(|redirect| redirect.follow = Follow::Never);
    harness.put(moved(&first, 302, &[("sip:carol@192.0.2.3", "1")]));
    harness.request(Method::ACK);
    assert_eq!(harness.ended().contacts, [uri("sip:carol@192.0.2.3")]);
    harness.silent();
}

#[test]
fn a_number_is_called_at_the_own_server() {
    let (mut harness, _, first) = calling(|_| {});
    harness.put(moved(&first, 302, &[("tel:+49-30-1234", "1")]));
    redirected(&mut harness);
    let (to, second) = next(&mut harness);
    assert_eq!((to.as_str(), second.uri.as_str()), (PEER, "sip:+49-30-1234@192.0.2.2;user=phone"));
}

#[test]
fn what_diverted_the_call_is_told_to_the_next_target() {
    let mut harness = Harness::new();
    let account = harness.account();
    let mut said = sidetone_sip_core::Headers::new();
    said.push_raw(HeaderName::DIVERSION, "<sip:old@192.0.2.2>;reason=unconditional").unwrap();
    said.push_raw(HeaderName::SUBJECT, "lunch").unwrap();
    let request = CallRequest::new(uri("sip:bob@192.0.2.2")).with_offer(body(OFFER)).with_headers(said);
    harness.agent.call_with(harness.now, account, request).unwrap();
    let first = harness.request(Method::INVITE);
    let mut moved = moved(&first, 302, &[("sip:carol@192.0.2.3", "1")]);
    let diversions = ["<sip:bob@192.0.2.2>;reason=user-busy", "<sip:old@192.0.2.2>;reason=unconditional"];
    for diversion in diversions {
        moved.headers.push_raw(HeaderName::DIVERSION, diversion).unwrap();
    }
    harness.put(moved);
    redirected(&mut harness);
    let (_, second) = next(&mut harness);
    let told: Vec<String> =
        second.headers.all::<Diversion>().map(|diversion| diversion.unwrap().to_string()).collect();
    assert_eq!(told, diversions, "each once");
    assert_eq!(second.headers.raw(&HeaderName::SUBJECT), Some(&b"lunch"[..]), "what the user said stays");
}

#[test]
fn hanging_up_while_the_next_target_is_called_cancels_there() {
    let (mut harness, call, first) = calling(|_| {});
    harness.put(moved(&first, 302, &[("sip:carol@192.0.2.3", "1"), ("sip:dave@192.0.2.4", "0.5")]));
    redirected(&mut harness);
    let (_, second) = next(&mut harness);
    harness.answer(&second, 180, "rings");
    assert!(matches!(harness.event(), Event::Progress { .. }));
    harness.agent.hangup(harness.now, call).unwrap();
    let cancel = harness.request(Method::CANCEL);
    assert_eq!((cancel.uri.as_str(), call_id(&cancel)), ("sip:carol@192.0.2.3", call_id(&second)));
    assert_eq!(harness.ended().by, EndedBy::Local);
    harness.put(cancel.response(StatusCode::OK, Some("rings")));
    harness.put(reply(&second, 487, "rings"));
    harness.request(Method::ACK);
    harness.silent();
    assert_eq!(harness.agent.call_state(call), None);
}
