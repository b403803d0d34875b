//! Calls: answers, CANCEL, time-outs, forks.

use crate::support::{Bench, Peer, peer};
use sidetone_hal::time::Duration;
use sidetone_pbx::PbxEvent;
use sidetone_sip_core::header::{Header, MaxForwards, ProxyAuthorization, Route, Via, WwwAuthenticate};
use sidetone_sip_core::{HeaderName, Message, Method, StatusCode};
use sidetone_sip_ua::feature::cause::{Cancelled, EndReason, cancelled, headers};

#[test]
fn a_call_passes_both_ways_and_is_hung_up_by_either_side() {
    let mut bench = Bench::new();
    let (alice, bob) = (peer("alice", "10.0.0.2:5060"), peer("bob", "10.0.0.3:5060"));
    bench.register(&bob);
    let sent = bench.invite(&alice, "bob", "call");
    let invite = bench.incoming(&bob, Method::INVITE);
    assert_eq!(invite.uri, bob.contact());
    assert_eq!(invite.headers.require::<MaxForwards>().unwrap().0, 69);
    assert_eq!(invite.headers.all::<Via>().count(), 2);
    assert!(invite.headers.get::<ProxyAuthorization>().is_none(), "the credentials were for the proxy alone");
    assert!(sent.headers.get::<ProxyAuthorization>().is_some());
    match bench.event() {
        Some(PbxEvent::CallStarted { call_id, from, to, branches: 1 }) => {
            assert_eq!([&*call_id, &*from, &*to], ["call", "alice", "bob"]);
        }
        other => panic!("{other:?}"),
    }

    bench.answer(&bob, &invite, StatusCode::RINGING);
    let ringing = bench.response(&alice);
    assert_eq!((ringing.status, ringing.headers.all::<Via>().count()), (StatusCode::RINGING, 1));
    bench.answer(&bob, &invite, StatusCode::OK);
    let answered = bench.response(&alice);
    assert_eq!(answered.status, StatusCode::OK);
    assert_eq!(bench.event(), Some(PbxEvent::CallAnswered { call_id: "call".into() }));

    let ack = bench.in_dialog(&alice, &answered, Method::ACK, 2);
    bench.request(&alice, &ack);
    let ack = bench.incoming(&bob, Method::ACK);
    assert_eq!(ack.uri, bob.contact());
    assert!(ack.headers.get::<Route>().is_none(), "our own Route is off");

    // A repeated 2xx goes through again.
    bench.answer(&bob, &invite, StatusCode::OK);
    assert_eq!(bench.response(&alice).status, StatusCode::OK);

    // Bob hangs up.
    let bye = bench.in_dialog_back(&bob, &invite, Method::BYE, 1);
    bench.request(&bob, &bye);
    let bye = bench.incoming(&alice, Method::BYE);
    assert_eq!(bye.uri, alice.contact());
    bench.answer(&alice, &bye, StatusCode::OK);
    assert_eq!(bench.response(&bob).status, StatusCode::OK);
    assert_eq!(bench.event(), Some(PbxEvent::CallEnded { call_id: "call".into(), status: None }));

    bench.advance(Duration::from_secs(40));
    assert_eq!((bench.proxy.context_count(), bench.proxy.endpoint_mut().transaction_count()), (0, 0));
}

#[test]
fn a_cancel_reaches_the_callee_and_its_487_the_caller() {
    let mut bench = Bench::new();
    let (alice, bob) = (peer("alice", "10.0.0.2:5060"), peer("bob", "10.0.0.3:5060"));
    bench.register(&bob);
    let sent = bench.invite(&alice, "bob", "cancel");
    let invite = bench.incoming(&bob, Method::INVITE);
    bench.answer(&bob, &invite, StatusCode::RINGING);
    assert_eq!(bench.response(&alice).status, StatusCode::RINGING);
    let cancel = cancel_of(&sent);
    assert_eq!(bench.ask(&alice, &cancel).status, StatusCode::OK);
    let cancel = bench.incoming(&bob, Method::CANCEL);
    bench.answer(&bob, &cancel, StatusCode::OK);
    bench.answer(&bob, &invite, StatusCode::REQUEST_TERMINATED);
    bench.incoming(&bob, Method::ACK);
    assert_eq!(bench.response(&alice).status, StatusCode::REQUEST_TERMINATED);
    bench.forget();
    bench.advance(Duration::from_secs(40));
    assert_eq!(bench.proxy.context_count(), 0);
}

#[test]
fn a_caller_that_says_why_it_cancels_is_heard_by_the_callee() {
    let mut bench = Bench::new();
    let (alice, bob) = (peer("alice", "10.0.0.2:5060"), peer("bob", "10.0.0.3:5060"));
    bench.register(&bob);
    for (name, why, told) in [
        ("why", Some(EndReason::CompletedElsewhere), Cancelled::AnsweredElsewhere),
        ("plain", None, Cancelled::Missed),
    ] {
        let sent = bench.invite(&alice, "bob", name);
        let invite = bench.incoming(&bob, Method::INVITE);
        bench.answer(&bob, &invite, StatusCode::RINGING);
        bench.forget();
        let mut cancel = cancel_of(&sent);
        for (name, value) in why.map(headers).iter().flat_map(|headers| headers.iter()) {
            cancel.headers.push_raw(name, value).unwrap();
        }
        bench.request(&alice, &cancel);
        let cancel = bench.incoming(&bob, Method::CANCEL);
        assert_eq!(cancelled(&cancel.headers), told, "{name}");
        bench.answer(&bob, &cancel, StatusCode::OK);
        bench.answer(&bob, &invite, StatusCode::REQUEST_TERMINATED);
        bench.forget();
        bench.advance(Duration::from_secs(40));
        bench.forget_messages();
    }
}

#[test]
fn a_cancel_that_the_callee_ignores_ends_after_32_seconds() {
    let mut bench = Bench::new();
    let (alice, bob) = (peer("alice", "10.0.0.2:5060"), peer("bob", "10.0.0.3:5060"));
    bench.register(&bob);
    let sent = bench.invite(&alice, "bob", "cancel");
    let invite = bench.incoming(&bob, Method::INVITE);
    bench.answer(&bob, &invite, StatusCode::RINGING);
    bench.forget();
    bench.request(&alice, &cancel_of(&sent));
    bench.forget();
    bench.advance(Duration::from_secs(31));
    bench.silent(&alice);
    bench.advance(Duration::from_secs(2));
    assert_eq!(bench.response(&alice).status, StatusCode::REQUEST_TERMINATED);
}

fn cancel_of(invite: &sidetone_sip_core::Request) -> sidetone_sip_core::Request {
    let mut cancel = invite.clone();
    cancel.method = Method::CANCEL;
    let cseq: sidetone_sip_core::header::CSeq = invite.headers.require().unwrap();
    cancel.headers.set(&sidetone_sip_core::header::CSeq { seq: cseq.seq, method: Method::CANCEL });
    cancel
}

#[test]
fn busy_passes_and_a_device_that_is_gone_is_408() {
    let mut bench = Bench::new();
    let (alice, bob) = (peer("alice", "10.0.0.2:5060"), peer("bob", "10.0.0.3:5060"));
    bench.register(&bob);
    let sent = bench.invite(&alice, "bob", "busy");
    let invite = bench.incoming(&bob, Method::INVITE);
    bench.answer(&bob, &invite, StatusCode::BUSY_HERE);
    bench.incoming(&bob, Method::ACK);
    let busy = bench.response(&alice);
    assert_eq!(busy.status, StatusCode::BUSY_HERE);
    bench.ack(&alice, &sent, &busy);
    bench.forget();

    let sent = bench.invite(&alice, "bob", "gone");
    bench.advance(Duration::from_secs(31));
    assert!(
        matches!(bench.next(&alice), Some(Message::Response(trying)) if trying.status == StatusCode::TRYING)
    );
    bench.silent(&alice);
    bench.advance(Duration::from_secs(2));
    let timed_out = bench.response(&alice);
    assert_eq!(timed_out.status, StatusCode::REQUEST_TIMEOUT);
    bench.forget_messages();
    bench.ack(&alice, &sent, &timed_out);
    let ended = core::iter::from_fn(|| bench.event()).last();
    assert_eq!(
        ended,
        Some(PbxEvent::CallEnded { call_id: "gone".into(), status: Some(StatusCode::REQUEST_TIMEOUT) })
    );

    // A request that is no INVITE: no 408 is sent (RFC 4320 §4.2), and nothing stays.
    let request = alice.request(Method::MESSAGE, "sip:bob@10.0.0.1", "sip:bob@10.0.0.1", "m", 1);
    let challenged = bench.ask(&alice, &request);
    bench.request(&alice, &alice.authorize(&request, &challenged));
    bench.advance(Duration::from_secs(300));
    if let Some(message) = bench.next(&alice) {
        // That it takes long may be said (§4.1).
        assert!(matches!(message, Message::Response(trying) if trying.status == StatusCode::TRYING));
    }
    bench.silent(&alice);
    assert_eq!((bench.proxy.context_count(), bench.proxy.endpoint_mut().transaction_count()), (0, 0));
}

#[test]
fn a_callee_that_rings_forever_is_cancelled_by_timer_c() {
    let mut bench = Bench::new();
    let (alice, bob) = (peer("alice", "10.0.0.2:5060"), peer("bob", "10.0.0.3:5060"));
    bench.register(&bob);
    bench.invite(&alice, "bob", "c");
    let invite = bench.incoming(&bob, Method::INVITE);
    bench.answer(&bob, &invite, StatusCode::RINGING);
    bench.forget();
    bench.advance(Duration::from_secs(180));
    bench.silent(&bob);
    bench.advance(Duration::from_secs(2));
    let cancel = bench.incoming(&bob, Method::CANCEL);
    bench.answer(&bob, &cancel, StatusCode::OK);
    bench.answer(&bob, &invite, StatusCode::REQUEST_TERMINATED);
    assert_eq!(bench.response(&alice).status, StatusCode::REQUEST_TERMINATED);
}

#[test]
fn a_fork_rings_every_phone_and_the_first_to_answer_gets_the_call() {
    let mut bench = Bench::new();
    let alice = peer("alice", "10.0.0.2:5060");
    let phones = ["10.0.0.3:5060", "10.0.0.4:5060", "10.0.0.5:5060"].map(|address| peer("bob", address));
    register_all(&mut bench, &phones);
    bench.invite(&alice, "bob", "fork");
    let [one, two, three] = [0, 1, 2].map(|n| bench.incoming(&phones[n], Method::INVITE));
    bench.answer(&phones[0], &one, StatusCode::RINGING);
    bench.answer(&phones[1], &two, StatusCode::RINGING);
    bench.answer(&phones[2], &three, StatusCode::BUSY_HERE);
    bench.incoming(&phones[2], Method::ACK);
    assert_eq!(bench.response(&alice).status, StatusCode::RINGING);
    assert_eq!(bench.response(&alice).status, StatusCode::RINGING);
    bench.silent(&alice);

    bench.answer(&phones[1], &two, StatusCode::OK);
    let answered = bench.response(&alice);
    assert_eq!(answered.status, StatusCode::OK);
    let cancel = bench.incoming(&phones[0], Method::CANCEL);
    // Nobody missed a call.
    assert_eq!(cancelled(&cancel.headers), Cancelled::AnsweredElsewhere);
    bench.answer(&phones[0], &cancel, StatusCode::OK);
    bench.answer(&phones[0], &one, StatusCode::REQUEST_TERMINATED);
    bench.incoming(&phones[0], Method::ACK);
    bench.silent(&phones[1]);
    bench.silent(&alice);

    // The ACK finds the phone that answered.
    let ack = bench.in_dialog(&alice, &answered, Method::ACK, 2);
    bench.request(&alice, &ack);
    bench.incoming(&phones[1], Method::ACK);
}

#[test]
fn when_nobody_answers_the_best_refusal_is_passed_on() {
    for (statuses, best) in [
        ([408, 486, 480], 486),
        ([500, 404, 503], 404),
        ([302, 486, 500], 302),
        ([486, 603, 302], 603),
        ([503, 503, 503], 500),
        ([480, 415, 486], 415),
    ] {
        let mut bench = Bench::new();
        let alice = peer("alice", "10.0.0.2:5060");
        let phones = ["10.0.0.3:5060", "10.0.0.4:5060", "10.0.0.5:5060"].map(|address| peer("bob", address));
        register_all(&mut bench, &phones);
        bench.invite(&alice, "bob", "best");
        let invites = phones.each_ref().map(|phone| bench.incoming(phone, Method::INVITE));
        for ((phone, invite), status) in phones.iter().zip(&invites).zip(statuses) {
            bench.silent(&alice);
            bench.answer(phone, invite, StatusCode::new(status).unwrap());
        }
        assert_eq!(bench.response(&alice).status.code(), best, "of {statuses:?}");
        bench.silent(&alice);
    }
}

#[test]
fn challenges_of_all_branches_are_passed_on_together() {
    let mut bench = Bench::new();
    let alice = peer("alice", "10.0.0.2:5060");
    let phones = ["10.0.0.3:5060", "10.0.0.4:5060"].map(|address| peer("bob", address));
    register_all(&mut bench, &phones);
    bench.invite(&alice, "bob", "auth");
    for (phone, realm) in phones.iter().zip(["one", "two"]) {
        let invite = bench.incoming(phone, Method::INVITE);
        let mut response = bench.reply(phone, &invite, StatusCode::UNAUTHORIZED);
        let value = format!("Digest realm=\"{realm}\", nonce=\"n\"");
        response.headers.push_raw(WwwAuthenticate::NAME, value).unwrap();
        bench.send(phone, response.to_bytes());
    }
    let refused = bench.response(&alice);
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let mut realms: Vec<String> =
        refused.headers.all::<WwwAuthenticate>().map(|header| header.unwrap().0.realm.to_string()).collect();
    realms.sort();
    assert_eq!(realms, ["one", "two"]);
}

#[track_caller]
fn register_all(bench: &mut Bench, phones: &[Peer]) {
    for phone in phones {
        let mut request = phone.register(1, "600");
        request.headers.remove(&HeaderName::CALL_ID);
        request.headers.push_raw(HeaderName::CALL_ID, format!("reg-{}", phone.address)).unwrap();
        let challenged = bench.ask(phone, &request);
        assert_eq!(bench.ask(phone, &phone.authorize(&request, &challenged)).status, StatusCode::OK);
    }
    bench.forget();
}

#[test]
fn only_so_many_requests_are_proxied_at_a_time() {
    let mut bench = Bench::with(|config| config.max_contexts = 2);
    let (alice, bob) = (peer("alice", "10.0.0.2:5060"), peer("bob", "10.0.0.3:5060"));
    bench.register(&bob);
    for call_id in ["1", "2"] {
        bench.invite(&alice, "bob", call_id);
    }
    bench.forget();
    bench.invite(&alice, "bob", "3");
    let refused = bench.response(&alice);
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers.contains(&HeaderName::RETRY_AFTER));
}
