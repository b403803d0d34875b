//! Transfer in all its roles (RFC 3515, RFC 5589, RFC 3891).

use crate::net::Net;
use crate::support::{ANSWER, OFFER};
use bytes::Bytes;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{ContentType, Reason, ReferTo, ReferredBy, Replaces};
use sidetone_sip_core::{Headers, Method, StatusCode};
use sidetone_sip_ua::feature::cause::Cancelled;
use sidetone_sip_ua::{
    CallId, CallRequest, CallState, Event, OutgoingRequest, ReferPolicy, ReferProgress, ReferRequest,
    ReferTarget, WatcherId,
};

fn net() -> Net {
    Net::new(&["alice", "bob", "carol"], |_, _| {})
}

fn referred(net: &mut Net, name: &str) -> (WatcherId, Box<ReferTarget>) {
    let found = net.events(name).into_iter().find_map(|event| match event {
        Event::Referred { refer, target, .. } => Some((refer, target)),
        _ => None,
    });
    found.expect("a REFER came")
}

fn incoming(net: &mut Net, name: &str) -> (CallId, Option<CallId>) {
    let found = net.events(name).into_iter().find_map(|event| match event {
        Event::Incoming { call, invite, .. } => Some((call, invite.replaces)),
        _ => None,
    });
    found.expect("a call came")
}

fn progress(net: &mut Net, name: &str) -> Vec<ReferProgress> {
    let of = |event| match event {
        Event::Refer { progress, .. } => Some(progress),
        _ => None,
    };
    net.events(name).into_iter().filter_map(of).collect()
}

/// Does what a REFER asks for.
fn follow(net: &mut Net, name: &str) -> CallId {
    let (refer, target) = referred(net, name);
    let request = CallRequest::new(target.to.uri.clone())
        .with_offer(Bytes::from_static(OFFER.as_bytes()))
        .with_headers(target.headers.clone())
        .for_refer(refer);
    net.at(name, |now, agent, account| {
        agent.accept_refer(now, refer).unwrap();
        agent.call_with(now, account, request).unwrap()
    })
}

fn answer(net: &mut Net, name: &str, call: CallId) {
    net.at(name, |now, agent, _| {
        agent.ring(now, call).unwrap();
        agent.answer(now, call, Bytes::from_static(ANSWER.as_bytes())).unwrap();
    });
}

fn all_idle(net: &mut Net) -> bool {
    net.advance(Duration::from_secs(400));
    net.parties.iter().all(|party| party.agent.is_idle())
}

#[test]
fn a_blind_transfer_that_succeeds_is_told_step_by_step() {
    let mut net = net();
    let (alice_bob, _) = net.call("alice", "bob");
    net.said();
    let carol = net.uri("carol");
    net.at("alice", |now, agent, _| agent.refer(now, alice_bob, &ReferRequest::new(carol.clone())).unwrap());
    let refer = net.last_request("REFER");
    assert_eq!(refer.headers.require::<ReferTo>().unwrap().0.uri, carol);
    assert!(refer.headers.require::<ReferredBy>().is_ok());
    let bob_carol = follow(&mut net, "bob");
    let (at_carol, replaces) = incoming(&mut net, "carol");
    assert_eq!(replaces, None);
    answer(&mut net, "carol", at_carol);
    assert_eq!(
        progress(&mut net, "alice"),
        [
            ReferProgress::Accepted { more: true },
            ReferProgress::Trying(StatusCode::TRYING),
            ReferProgress::Trying(StatusCode::RINGING),
            ReferProgress::Done(StatusCode::OK)
        ]
    );
    net.at("alice", |now, agent, _| agent.hangup(now, alice_bob).unwrap());
    assert_eq!(net.party("bob").agent.call_state(bob_carol), Some(CallState::Established));
    net.at("bob", |now, agent, _| agent.hangup(now, bob_carol).unwrap());
    assert!(all_idle(&mut net));
}

#[test]
fn a_transfer_that_fails_says_why_and_the_call_is_still_there() {
    let mut net = net();
    let (alice_bob, _) = net.call("alice", "bob");
    let carol = net.uri("carol");
    net.at("alice", |now, agent, _| agent.refer(now, alice_bob, &ReferRequest::new(carol)).unwrap());
    follow(&mut net, "bob");
    let (at_carol, _) = incoming(&mut net, "carol");
    net.at("carol", |now, agent, _| agent.reject(now, at_carol, StatusCode::BUSY_HERE).unwrap());
    assert_eq!(progress(&mut net, "alice").last(), Some(&ReferProgress::Done(StatusCode::BUSY_HERE)));
    assert_eq!(net.party("alice").agent.call_state(alice_bob), Some(CallState::Established));
}

#[test]
fn a_transferor_that_hangs_up_at_once_still_hears_the_end_in_the_old_dialog() {
    let mut net = net();
    let (alice_bob, _) = net.call("alice", "bob");
    let carol = net.uri("carol");
    net.at("alice", |now, agent, _| agent.refer(now, alice_bob, &ReferRequest::new(carol)).unwrap());
    let bob_carol = follow(&mut net, "bob");
    net.at("alice", |now, agent, _| agent.hangup(now, alice_bob).unwrap());
    let (at_carol, _) = incoming(&mut net, "carol");
    answer(&mut net, "carol", at_carol);
    assert_eq!(progress(&mut net, "alice").last(), Some(&ReferProgress::Done(StatusCode::OK)));
    // Nothing was refused on the way.
    assert!(!net.said().iter().any(|line| line.contains(": 4")), "{}", net.picture());
    net.at("bob", |now, agent, _| agent.hangup(now, bob_carol).unwrap());
    assert!(all_idle(&mut net));
}

#[test]
fn an_attended_transfer_replaces_the_consultation_call() {
    let mut net = net();
    let (alice_bob, _) = net.call("alice", "bob");
    let (alice_carol, carol_alice) = net.call("alice", "carol");
    let to = net.at("alice", |_, agent, _| agent.replacing(alice_carol).unwrap());
    net.at("alice", |now, agent, _| agent.refer(now, alice_bob, &ReferRequest::new(to)).unwrap());
    let bob_carol = follow(&mut net, "bob");
    assert!(net.last_request("INVITE").headers.require::<Replaces>().is_ok());
    let (at_carol, replaces) = incoming(&mut net, "carol");
    assert_eq!(replaces, Some(carol_alice));
    net.at("carol", |now, agent, _| {
        agent.answer(now, at_carol, Bytes::from_static(ANSWER.as_bytes())).unwrap();
    });
    assert_eq!(progress(&mut net, "alice").last(), Some(&ReferProgress::Done(StatusCode::OK)));
    // Carol hung up the call that was replaced.
    assert_eq!(net.party("alice").agent.call_state(alice_carol), None);
    net.at("alice", |now, agent, _| agent.hangup(now, alice_bob).unwrap());
    net.at("bob", |now, agent, _| agent.hangup(now, bob_carol).unwrap());
    assert!(all_idle(&mut net));
}

#[test]
fn without_progress_nothing_is_notified() {
    let mut net = net();
    let (alice_bob, _) = net.call("alice", "bob");
    let carol = net.uri("carol");
    let request = ReferRequest::new(carol).without_progress();
    net.at("alice", |now, agent, _| agent.refer(now, alice_bob, &request).unwrap());
    follow(&mut net, "bob");
    let (at_carol, _) = incoming(&mut net, "carol");
    answer(&mut net, "carol", at_carol);
    assert_eq!(progress(&mut net, "alice"), [ReferProgress::Accepted { more: false }]);
    assert!(!net.said().iter().any(|line| line.ends_with(": NOTIFY")));
}

#[test]
fn a_refer_that_is_refused_is_told_and_forgotten() {
    let mut net = net();
    let (alice_bob, _) = net.call("alice", "bob");
    let carol = net.uri("carol");
    net.at("alice", |now, agent, _| agent.refer(now, alice_bob, &ReferRequest::new(carol)).unwrap());
    let (refer, _) = referred(&mut net, "bob");
    net.at("bob", |now, agent, _| agent.reject_refer(now, refer, StatusCode::DECLINE).unwrap());
    assert_eq!(progress(&mut net, "alice"), [ReferProgress::Refused(StatusCode::DECLINE)]);
    net.at("alice", |now, agent, _| agent.hangup(now, alice_bob).unwrap());
    assert!(all_idle(&mut net));
}

#[test]
fn outside_of_calls_only_those_who_may_refer() {
    for (policy, status) in [(ReferPolicy::InCalls, 403), (ReferPolicy::Never, 405)] {
        let mut net = Net::new(&["alice", "bob", "carol"], |_, config| config.refer = policy);
        let (bob, carol) = (net.uri("bob"), net.uri("carol"));
        net.at("alice", |now, agent, account| {
            agent.refer_outside(now, account, &bob, &ReferRequest::new(carol)).unwrap()
        });
        let last = progress(&mut net, "alice");
        assert!(
            matches!(last[..], [ReferProgress::Refused(refused)] if refused.code() == status),
            "{last:?}"
        );
    }
    let mut net = Net::new(&["alice", "bob", "carol"], |_, config| config.refer = ReferPolicy::Always);
    let (bob, carol) = (net.uri("bob"), net.uri("carol"));
    net.at("alice", |now, agent, account| {
        agent.refer_outside(now, account, &bob, &ReferRequest::new(carol)).unwrap()
    });
    let bob_carol = follow(&mut net, "bob");
    let (at_carol, _) = incoming(&mut net, "carol");
    answer(&mut net, "carol", at_carol);
    assert_eq!(progress(&mut net, "alice").last(), Some(&ReferProgress::Done(StatusCode::OK)));
    net.at("bob", |now, agent, _| agent.hangup(now, bob_carol).unwrap());
    assert!(all_idle(&mut net));
}

#[test]
fn replaces_that_names_no_call_of_ours_is_refused() {
    let mut net = net();
    let (alice_bob, _) = net.call("alice", "bob");
    let own = net.at("alice", |_, agent, _| agent.replaces_header(alice_bob).unwrap());
    let wrong = |text: String| {
        let mut headers = Headers::new();
        headers.push(&text.parse::<Replaces>().unwrap());
        headers
    };
    let (to, from) = (own.to_tag.to_string(), own.from_tag.to_string());
    let id = own.call_id.as_str().to_string();
    let table = [
        (format!("{id};to-tag={to};from-tag=other"), Some(481)),
        (format!("{id};to-tag={from};from-tag={to}"), Some(481)),
        (format!("other;to-tag={to};from-tag={from}"), Some(481)),
        (format!("{id};to-tag={to};from-tag={from};early-only"), Some(486)),
        (format!("{id};to-tag={to};from-tag={from}"), None),
    ];
    for (text, expected) in table {
        let request = CallRequest::new(net.uri("bob"))
            .with_offer(Bytes::from_static(OFFER.as_bytes()))
            .with_headers(wrong(text.clone()));
        net.at("carol", |now, agent, account| agent.call_with(now, account, request).unwrap());
        let ended = net.events("carol").into_iter().find_map(|event| match event {
            Event::Ended { cause, .. } => cause.status.map(StatusCode::code),
            _ => None,
        });
        assert_eq!(ended, expected, "{text}");
    }
}

#[test]
fn a_ringing_call_is_picked_up_by_replacing_it_where_it_was_begun() {
    let mut net = net();
    let bob = net.uri("bob");
    let offer = Bytes::from_static(OFFER.as_bytes());
    let out = net.at("alice", |now, agent, account| agent.call(now, account, &bob, Some(offer)).unwrap());
    let (at_bob, _) = incoming(&mut net, "bob");
    net.at("bob", |now, agent, _| agent.ring(now, at_bob).unwrap());
    // What a dialog-info of Bob's would tell Carol.
    let ringing = net.ladder.iter().rev().find_map(|arrow| match &arrow.message {
        sidetone_sip_core::Message::Response(response) if response.status == StatusCode::RINGING => {
            Some(response.clone())
        }
        _ => None,
    });
    let ringing = ringing.unwrap();
    let call_id: sidetone_sip_core::header::CallId = ringing.headers.require().unwrap();
    let from: sidetone_sip_core::header::From = ringing.headers.require().unwrap();
    let to: sidetone_sip_core::header::To = ringing.headers.require().unwrap();
    let text = format!("{};to-tag={};from-tag={}", call_id.as_str(), from.tag().unwrap(), to.tag().unwrap());
    let mut headers = Headers::new();
    headers.push(&text.parse::<Replaces>().unwrap());
    let alice = net.uri("alice");
    let request =
        CallRequest::new(alice).with_offer(Bytes::from_static(OFFER.as_bytes())).with_headers(headers);
    net.at("carol", |now, agent, account| agent.call_with(now, account, request).unwrap());
    let (at_alice, replaces) = incoming(&mut net, "alice");
    assert_eq!(replaces, Some(out));
    net.at("alice", |now, agent, _| {
        agent.answer(now, at_alice, Bytes::from_static(ANSWER.as_bytes())).unwrap();
    });
    assert_eq!(net.party("alice").agent.call_state(at_alice), Some(CallState::Established));
    // Bob has missed nothing, and is told so.
    let cancel = net.ladder.iter().find_map(|arrow| match &arrow.message {
        sidetone_sip_core::Message::Request(request) if request.method == Method::CANCEL => {
            Some(request.clone())
        }
        _ => None,
    });
    assert!(net.said().iter().any(|line| line == "alice -> bob: CANCEL"));
    let reason: Reason = cancel.unwrap().headers.require().unwrap();
    assert_eq!(reason.to_string(), "SIP;cause=200;text=\"Call completed elsewhere\"");
    let ended = net.events("bob").into_iter().find_map(|event| match event {
        Event::Ended { cause, .. } => Some(cause),
        _ => None,
    });
    assert_eq!(ended.unwrap().cancelled, Cancelled::AnsweredElsewhere);
}

#[test]
fn both_sides_name_their_dialog_alike_while_it_rings_and_later() {
    let mut net = net();
    let bob = net.uri("bob");
    let offer = Bytes::from_static(OFFER.as_bytes());
    let out = net.at("alice", |now, agent, account| agent.call(now, account, &bob, Some(offer)).unwrap());
    let (at_bob, _) = incoming(&mut net, "bob");
    net.at("bob", |now, agent, _| agent.ring(now, at_bob).unwrap());
    let caller = net.at("alice", |_, agent, _| agent.call_dialog(out).unwrap());
    let called = net.at("bob", |_, agent, _| agent.call_dialog(at_bob).unwrap());
    assert_eq!(caller.call_id, called.call_id);
    assert_eq!(caller.remote_tag.as_ref(), Some(&called.local_tag));
    assert_eq!(called.remote_tag.as_ref(), Some(&caller.local_tag));
    answer(&mut net, "bob", at_bob);
    assert_eq!(net.at("alice", |_, agent, _| agent.call_dialog(out).unwrap()), caller);
}

#[test]
fn an_info_that_is_no_key_press_is_the_users_if_it_takes_them() {
    for takes in [true, false] {
        let mut net = Net::new(&["alice", "bob"], |_, config| {
            if takes {
                config.methods = vec![Method::INFO];
            }
        });
        let (call, _) = net.call("alice", "bob");
        let kind = ContentType::from_static("application", "vnd.etsi.aoc+xml");
        let info = OutgoingRequest::new(Method::INFO).with_body(kind, &b"<aoc/>"[..]);
        net.at("alice", |now, agent, _| agent.request_in_call(now, call, info).unwrap());
        assert_eq!(matches!(net.events("bob").first(), Some(Event::Request { .. })), takes);
        assert_eq!(net.said().iter().any(|line| line.ends_with("415 INFO")), !takes);
    }
}

#[test]
fn a_refer_to_a_dialog_that_the_other_side_forgot_ends_the_call_and_other_refusals_do_not() {
    let table =
        [(StatusCode::CALL_DOES_NOT_EXIST, None), (StatusCode::NOT_FOUND, Some(CallState::Established))];
    for (status, state) in table {
        let mut net = net();
        let (alice_bob, _) = net.call("alice", "bob");
        let carol = net.uri("carol");
        net.at("alice", |now, agent, _| agent.refer(now, alice_bob, &ReferRequest::new(carol)).unwrap());
        let (refer, _) = referred(&mut net, "bob");
        net.at("bob", |now, agent, _| agent.reject_refer(now, refer, status).unwrap());
        net.advance(Duration::from_secs(40));
        assert_eq!(net.party("alice").agent.call_state(alice_bob), state, "{status:?}");
    }
}
