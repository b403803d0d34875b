//! Messages that cross or overtake each other in a dialog with more than one use, as the simulation found them.

use crate::net::Net;
use crate::support::{ANSWER, Harness, OFFER, body, reply, seq, uri};
use bytes::Bytes;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{Event as EventHeader, ReferTo, SubscriptionState};
use sidetone_sip_core::{Fragment, Limits, Method, NameAddr, Request, StatusCode};
use sidetone_sip_ua::{
    CallRequest, CommandError, Event, ReferProgress, ReferRequest, SubscribeRequest, WatcherId,
};

fn told(notify: &Request) -> (u16, bool) {
    let status = Fragment::parse(&notify.body, &Limits::default()).unwrap().status().unwrap().code();
    (status, notify.headers.require::<SubscriptionState>().unwrap().is_terminated())
}

/// A call within which the peer asks for a transfer, which was accepted: the 202 and the first NOTIFY are answered.
fn referred() -> (Harness, sidetone_sip_ua::CallId, WatcherId) {
    let mut harness = Harness::new();
    let (call, invite, ok) = harness.established();
    let mut refer = harness.callee_in_dialog(&invite, &ok, Method::REFER, 1);
    refer.headers.push(&ReferTo(NameAddr::new(uri("sip:carol@192.0.2.2"))));
    harness.put(refer);
    let Event::Referred { refer, .. } = harness.event() else { panic!("a REFER") };
    harness.agent.accept_refer(harness.now, refer).unwrap();
    harness.response(202);
    let notify = harness.request(Method::NOTIFY);
    assert_eq!(told(&notify), (100, false));
    harness.put(reply(&notify, 200, "bob-tag"));
    (harness, call, refer)
}

#[test]
fn a_bye_that_was_overtaken_goes_again_and_not_for_ever() {
    let mut harness = Harness::new();
    let (call, _, _) = harness.established();
    harness.agent.hangup(harness.now, call).unwrap();
    harness.ended();
    let mut last = 0;
    for _ in 0..3 {
        let bye = harness.request(Method::BYE);
        assert!(seq(&bye) > last);
        last = seq(&bye);
        harness.put(reply(&bye, 500, "bob-tag"));
    }
    harness.silent();
    harness.ms(40_000);
    assert!(harness.agent.is_idle());
}

#[test]
fn what_a_transfer_has_to_tell_waits_for_the_answer_to_the_bye() {
    let (mut harness, call, refer) = referred();
    harness.agent.hangup(harness.now, call).unwrap();
    let bye = harness.request(Method::BYE);
    harness.agent.refer_progress(harness.now, refer, StatusCode::OK).unwrap();
    harness.silent();
    harness.put(reply(&bye, 200, "bob-tag"));
    let notify = harness.request(Method::NOTIFY);
    assert_eq!(told(&notify), (200, true));
    assert!(seq(&notify) > seq(&bye));
    harness.put(reply(&notify, 200, "bob-tag"));
    harness.ms(40_000);
    assert!(harness.agent.is_idle());
}

#[test]
fn a_notify_that_was_overtaken_goes_again_and_not_for_ever() {
    let (mut harness, call, refer) = referred();
    harness.agent.refer_progress(harness.now, refer, StatusCode::RINGING).unwrap();
    let notify = harness.request(Method::NOTIFY);
    harness.put(reply(&notify, 500, "bob-tag"));
    let again = harness.request(Method::NOTIFY);
    assert_eq!((told(&again), seq(&again)), ((180, false), seq(&notify) + 1));
    harness.put(reply(&again, 200, "bob-tag"));
    harness.agent.refer_progress(harness.now, refer, StatusCode::OK).unwrap();
    for _ in 0..3 {
        let last = harness.request(Method::NOTIFY);
        assert_eq!(told(&last), (200, true));
        harness.put(reply(&last, 500, "bob-tag"));
    }
    harness.silent();
    harness.agent.hangup(harness.now, call).unwrap();
    let bye = harness.request(Method::BYE);
    harness.put(reply(&bye, 200, "bob-tag"));
    harness.ms(40_000);
    assert!(harness.agent.is_idle());
}

#[test]
fn a_refer_that_crosses_our_bye_is_nobody_s() {
    let mut harness = Harness::new();
    let (call, invite, ok) = harness.established();
    harness.agent.hangup(harness.now, call).unwrap();
    harness.ended();
    let bye = harness.request(Method::BYE);
    let mut refer = harness.callee_in_dialog(&invite, &ok, Method::REFER, 1);
    refer.headers.push(&ReferTo(NameAddr::new(uri("sip:carol@192.0.2.2"))));
    harness.put(refer);
    harness.response(481);
    harness.no_event();
    harness.put(reply(&bye, 200, "bob-tag"));
    harness.ms(40_000);
    assert!(harness.agent.is_idle());
}

#[test]
fn a_call_that_the_caller_may_not_know_to_be_up_is_not_transferred() {
    let mut harness = Harness::new();
    harness.account();
    let invite = harness.peer_invite();
    harness.put(invite.clone());
    let Event::Incoming { call, .. } = harness.event() else { panic!("a call") };
    harness.agent.answer(harness.now, call, body(OFFER)).unwrap();
    let ok = harness.response(200);
    let request = ReferRequest::new(uri("sip:carol@192.0.2.2"));
    assert_eq!(harness.agent.refer(harness.now, call, &request), Err(CommandError::WrongState));
    let ack = harness.peer_in_dialog(&invite, &ok, Method::ACK, 10);
    harness.put(ack);
    harness.agent.refer(harness.now, call, &request).unwrap();
    harness.request(Method::REFER);
}

#[test]
fn a_call_that_was_given_up_is_no_success_to_whoever_asked_for_it() {
    let (mut harness, _, refer) = referred();
    let request = CallRequest::new(uri("sip:carol@192.0.2.2")).with_offer(body(OFFER)).for_refer(refer);
    let account = harness.account();
    let call = harness.agent.call_with(harness.now, account, request).unwrap();
    let invite = harness.request(Method::INVITE);
    harness.put(reply(&invite, 180, "carol-tag"));
    let ringing = harness.request(Method::NOTIFY);
    assert_eq!(told(&ringing), (180, false));
    harness.put(reply(&ringing, 200, "bob-tag"));
    harness.agent.hangup(harness.now, call).unwrap();
    harness.request(Method::CANCEL);
    // The 200 crosses the CANCEL.
    let mut ok = reply(&invite, 200, "carol-tag");
    ok.set_body(&sidetone_sip_core::header::ContentType::SDP, body(ANSWER));
    harness.put(ok);
    let sent: Vec<_> = [harness.sent().1, harness.sent().1, harness.sent().1]
        .into_iter()
        .filter_map(|message| match message {
            sidetone_sip_core::Message::Request(request) => Some(request),
            sidetone_sip_core::Message::Response(_) => None,
        })
        .collect();
    let last = sent.iter().find(|request| request.method == Method::NOTIFY).unwrap();
    assert_eq!(told(last), (487, true));
    assert!(sent.iter().any(|request| request.method == Method::BYE));
}

#[test]
fn a_change_that_crosses_the_end_of_a_subscription_does_not_keep_it() {
    let mut harness = Harness::new();
    let account = harness.account();
    let request = SubscribeRequest::new(uri("sip:bob@192.0.2.2"), "dialog".parse().unwrap());
    let id = harness.agent.subscribe(harness.now, account, request).unwrap();
    let subscribe = harness.request(Method::SUBSCRIBE);
    let ok = reply(&subscribe, 200, "bob-tag");
    harness.put(ok.clone());
    let change = |harness: &mut Harness, number| {
        let mut notify = harness.callee_in_dialog(&subscribe, &ok, Method::NOTIFY, number);
        notify.headers.push(&"dialog".parse::<EventHeader>().unwrap());
        notify.headers.push(&SubscriptionState::active(3600));
        harness.put(notify);
        harness.response(200);
    };
    change(&mut harness, 1);
    harness.agent.unsubscribe(harness.now, id).unwrap();
    let last = harness.request(Method::SUBSCRIBE);
    harness.put(reply(&last, 200, "bob-tag"));
    change(&mut harness, 2);
    // The other side never says that it is over.
    harness.ms(64_000);
    assert_eq!(harness.agent.subscription_state(id), None);
    assert!(harness.agent.is_idle());
}

#[test]
fn two_transfers_in_one_call_each_have_their_last_word_when_the_call_is_over() {
    let mut net = Net::new(&["alice", "bob", "carol", "dave"], |_, _| {});
    let (at_alice, at_bob) = net.call("alice", "bob");
    let (carol, dave) = (net.uri("carol"), net.uri("dave"));
    net.at("alice", |now, agent, _| agent.refer(now, at_alice, &ReferRequest::new(carol)).unwrap());
    net.at("bob", |now, agent, _| agent.refer(now, at_bob, &ReferRequest::new(dave)).unwrap());
    for name in ["alice", "bob"] {
        let referred = net.events(name).into_iter().find_map(|event| match event {
            Event::Referred { refer, target, .. } => Some((refer, target)),
            _ => None,
        });
        let (refer, target) = referred.unwrap();
        let request =
            CallRequest::new(target.to.uri).with_offer(Bytes::from_static(OFFER.as_bytes())).for_refer(refer);
        net.at(name, |now, agent, account| {
            agent.accept_refer(now, refer).unwrap();
            agent.call_with(now, account, request).unwrap();
        });
    }
    net.at("alice", |now, agent, _| agent.hangup(now, at_alice).unwrap());
    for name in ["carol", "dave"] {
        let call = net.events(name).into_iter().find_map(|event| match event {
            Event::Incoming { call, .. } => Some(call),
            _ => None,
        });
        net.at(name, |now, agent, _| {
            agent.answer(now, call.unwrap(), Bytes::from_static(ANSWER.as_bytes())).unwrap();
            agent.hangup(now, call.unwrap()).unwrap();
        });
    }
    for name in ["alice", "bob"] {
        let done = net
            .events(name)
            .into_iter()
            .any(|event| matches!(event, Event::Refer { progress: ReferProgress::Done(StatusCode::OK), .. }));
        assert!(done, "{name} heard nothing:\n{}", net.picture());
    }
    net.advance(Duration::from_secs(40));
    assert!(net.parties.iter().all(|party| party.agent.is_idle()));
}

#[test]
fn an_offer_that_is_never_answered_is_taken_back_when_the_call_ends() {
    for by_us in [true, false] {
        let mut harness = Harness::new();
        let (call, invite, ok) = harness.established();
        harness.agent.reoffer(harness.now, call, body(OFFER)).unwrap();
        let reinvite = harness.request(Method::INVITE);
        harness.put(reply(&reinvite, 100, ""));
        // Its answer is lost, and the other side forgets the dialog.
        if by_us {
            harness.agent.hangup(harness.now, call).unwrap();
            let bye = harness.request(Method::BYE);
            harness.put(reply(&bye, 200, "bob-tag"));
        } else {
            let bye = harness.callee_in_dialog(&invite, &ok, Method::BYE, 1);
            harness.put(bye);
            harness.response(200);
        }
        harness.ended();
        let cancel = harness.request(Method::CANCEL);
        assert_eq!(seq(&cancel), seq(&reinvite));
        harness.put(reply(&cancel, 481, "x"));
        harness.ms(64_000);
        assert_eq!(harness.agent.endpoint().transaction_count(), 0);
        assert!(harness.agent.is_idle());
    }
}
