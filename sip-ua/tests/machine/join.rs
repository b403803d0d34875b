//! INVITE requests that ask to be mixed with a call (RFC 3911).

use crate::net::Net;
use crate::support::{ANSWER, OFFER};
use bytes::Bytes;
use sidetone_sip_core::header::{Join, Replaces, Require, Supported};
use sidetone_sip_core::{Headers, StatusCode};
use sidetone_sip_ua::{CallId, CallRequest, CallState, Event};

fn net(join: bool) -> Net {
    Net::new(&["alice", "bob", "carol"], move |_, config| config.join = join)
}

fn joining(text: &str) -> Headers {
    let mut headers = Headers::new();
    headers.push(&text.parse::<Join>().unwrap());
    headers
}

/// Carol calls Bob with these headers: what Bob is told, or the status that she gets.
fn call(net: &mut Net, headers: Headers) -> Result<(CallId, Option<CallId>), u16> {
    let offer = Bytes::from_static(OFFER.as_bytes());
    let request = CallRequest::new(net.uri("bob")).with_offer(offer).with_headers(headers);
    net.at("carol", |now, agent, account| agent.call_with(now, account, request).unwrap());
    let came = net.events("bob").into_iter().find_map(|event| match event {
        Event::Incoming { call, invite, .. } => Some((call, invite.join)),
        _ => None,
    });
    came.ok_or_else(|| {
        let ended = net.events("carol").into_iter().find_map(|event| match event {
            Event::Ended { cause, .. } => cause.status.map(StatusCode::code),
            _ => None,
        });
        ended.expect("it comes or is refused")
    })
}

#[test]
fn who_joins_a_call_is_told_with_it_and_both_stand_when_it_is_let_in() {
    let mut net = net(true);
    let (at_alice, at_bob) = net.call("alice", "bob");
    let header = net.party("alice").agent.join_header(at_alice).unwrap();
    let (barges, joined) = call(&mut net, joining(&header.to_string())).unwrap();
    assert_eq!(joined, Some(at_bob));
    net.at("bob", |now, agent, _| {
        agent.answer(now, barges, Bytes::from_static(ANSWER.as_bytes())).unwrap();
    });
    for call in [at_bob, barges] {
        assert_eq!(net.party("bob").agent.call_state(call), Some(CallState::Established), "{call}");
    }
    let supported: Supported = net.last_request("INVITE").headers.require().unwrap();
    assert!(supported.0.iter().any(|option| option == "join"), "{supported:?}");
}

#[test]
fn a_join_that_names_no_call_that_may_be_joined_is_refused() {
    let mut net = net(true);
    let (at_alice, _) = net.call("alice", "bob");
    let own = net.party("alice").agent.join_header(at_alice).unwrap();
    let (id, to, from) = (own.call_id.as_str().to_string(), own.to_tag.to_string(), own.from_tag.to_string());
    let right = format!("{id};to-tag={to};from-tag={from}");
    for (text, expected) in [
        (format!("{id};to-tag={to};from-tag=other"), 481),
        (format!("{id};to-tag={from};from-tag={to}"), 481),
        (format!("other;to-tag={to};from-tag={from}"), 481),
    ] {
        assert_eq!(call(&mut net, joining(&text)), Err(expected), "{text}");
    }
    let mut both = joining(&right);
    both.push(&right.parse::<Replaces>().unwrap());
    assert_eq!(call(&mut net, both), Err(400), "to be mixed in, and to take the place");
    let mut twice = joining(&right);
    twice.push(&right.parse::<Join>().unwrap());
    assert_eq!(call(&mut net, twice), Err(400));
}

#[test]
fn an_early_dialog_is_joined_where_it_was_begun_and_nowhere_else() {
    let mut net = net(true);
    let offer = Bytes::from_static(OFFER.as_bytes());
    // Bob calls Alice, who rings: Bob began it.
    let alice = net.uri("alice");
    let out =
        net.at("bob", |now, agent, account| agent.call(now, account, &alice, Some(offer.clone())).unwrap());
    let at_alice = net.events("alice").into_iter().find_map(|event| match event {
        Event::Incoming { call, .. } => Some(call),
        _ => None,
    });
    let at_alice = at_alice.unwrap();
    net.at("alice", |now, agent, _| agent.ring(now, at_alice).unwrap());
    let dialog = net.party("bob").agent.call_dialog(out).unwrap();
    let (local, remote) = (dialog.local_tag, dialog.remote_tag.unwrap());
    let text = format!("{};to-tag={local};from-tag={remote}", dialog.call_id);
    let (_, joined) = call(&mut net, joining(&text)).unwrap();
    assert_eq!(joined, Some(out));
    // At Alice it was begun by the other side.
    let text = format!("{};to-tag={remote};from-tag={local}", dialog.call_id);
    let request = CallRequest::new(alice).with_offer(offer).with_headers(joining(&text));
    net.at("carol", |now, agent, account| agent.call_with(now, account, request).unwrap());
    let ended = net.events("carol").into_iter().find_map(|event| match event {
        Event::Ended { cause, .. } => cause.status,
        _ => None,
    });
    assert_eq!(ended, Some(StatusCode::CALL_DOES_NOT_EXIST));
}

#[test]
fn where_nobody_mixes_a_join_is_an_unknown_header_and_may_not_be_required() {
    let mut net = net(false);
    let (at_alice, _) = net.call("alice", "bob");
    let own = net.party("alice").agent.join_header(at_alice).unwrap().to_string();
    let (barges, joined) = call(&mut net, joining(&own)).unwrap();
    assert_eq!(joined, None, "a call as any other");
    net.at("bob", |now, agent, _| agent.reject(now, barges, StatusCode::BUSY_HERE).unwrap());
    let mut required = joining(&own);
    required.push(&Require::from_iter(["join"]));
    // Carol calls again without what Bob does not understand (RFC 3261 §8.1.3.5).
    assert!(matches!(call(&mut net, required), Ok((_, None))));
    assert!(net.said().iter().any(|line| line == "bob -> carol: 420 INVITE"), "{:?}", net.said());
}
