//! Forwarding, do not disturb, groups, redirection: where calls go that are not answered.

use crate::support::{Bench, Peer, peer};
use sidetone_hal::time::Duration;
use sidetone_pbx::{DialogState, Extension, Features, PbxEvent, RingGroup};
use sidetone_sip_core::header::{Contact, Diversion, HistoryInfo};
use sidetone_sip_core::{Method, NameAddr, Request, StatusCode};

fn phones(bench: &mut Bench) -> (Peer, Peer, Peer) {
    let (alice, bob, carol) =
        (peer("alice", "10.0.0.2:5060"), peer("bob", "10.0.0.3:5060"), peer("carol", "10.0.0.4:5060"));
    for phone in [&alice, &bob, &carol] {
        bench.register(phone);
    }
    (alice, bob, carol)
}

fn set(bench: &mut Bench, user: &str, change: impl FnOnce(&mut Features)) {
    let mut features = bench.proxy.features(user);
    change(&mut features);
    assert!(bench.proxy.set_features(user, features));
}

fn diversions(request: &Request) -> Vec<(String, String)> {
    let all = request.headers.all::<Diversion>().map(Result::unwrap);
    all.map(|diversion| {
        (diversion.uri.user().unwrap().into_owned(), diversion.reason().unwrap().into_owned())
    })
    .collect()
}

fn history(request: &Request) -> Vec<(String, String, Option<u16>)> {
    let all = request.headers.all::<HistoryInfo>().map(Result::unwrap);
    all.map(|entry| {
        let cause = entry.reason().and_then(|reason| reason.unwrap().cause());
        (entry.uri.user().unwrap().into_owned(), entry.index().unwrap().to_string(), cause)
    })
    .collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| (String::from(*a), String::from(*b))).collect()
}

/// The voicemail: a service at a port of the server's own address.
fn voicemail(bench: &mut Bench) -> Peer {
    let extension = Extension { ports: vec![("10.0.0.1".parse().unwrap(), 7000)], key: "k".into() };
    bench.proxy.add_extension("*98", extension);
    peer("*98", "10.0.0.1:7000")
}

#[test]
fn a_forwarding_of_all_calls_says_where_the_call_was() {
    let mut bench = Bench::new();
    let (alice, bob, carol) = phones(&mut bench);
    set(&mut bench, "bob", |features| features.forward_always = Some("carol".into()));
    bench.invite(&alice, "bob", "c1");
    bench.silent(&bob);
    let invite = bench.incoming(&carol, Method::INVITE);
    assert_eq!(diversions(&invite), owned(&[("bob", "unconditional")]));
    let expected = [("bob", "1", Some(302)), ("carol", "1.1", None)];
    assert_eq!(history(&invite), expected.map(|(user, at, cause)| (user.into(), at.into(), cause)));
    bench.answer(&carol, &invite, StatusCode::OK);
    assert_eq!(bench.response(&alice).status, StatusCode::OK);
}

#[test]
fn busy_and_declined_calls_go_on_and_other_refusals_do_not() {
    for (status, goes_on) in [
        (StatusCode::BUSY_HERE, true),
        (StatusCode::DECLINE, true),
        (StatusCode::NOT_ACCEPTABLE_HERE, false),
        (StatusCode::FORBIDDEN, false),
    ] {
        let mut bench = Bench::new();
        let (alice, bob, carol) = phones(&mut bench);
        set(&mut bench, "bob", |features| features.forward_busy = Some("carol".into()));
        bench.invite(&alice, "bob", "c1");
        let invite = bench.incoming(&bob, Method::INVITE);
        bench.answer(&bob, &invite, status);
        bench.incoming(&bob, Method::ACK);
        if goes_on {
            let invite = bench.incoming(&carol, Method::INVITE);
            assert_eq!(diversions(&invite), owned(&[("bob", "user-busy")]));
            bench.answer(&carol, &invite, StatusCode::BUSY_HERE);
            assert_eq!(bench.response(&alice).status, StatusCode::BUSY_HERE);
        } else {
            bench.silent(&carol);
            assert_eq!(bench.response(&alice).status, status);
        }
    }
}

#[test]
fn a_call_that_nobody_answers_goes_on_while_the_first_telephone_is_cancelled() {
    let mut bench = Bench::new();
    let (alice, bob, carol) = phones(&mut bench);
    set(&mut bench, "bob", |features| {
        features.forward_no_answer = Some("carol".into());
        features.no_answer_after = Some(Duration::from_secs(10));
    });
    bench.invite(&alice, "bob", "c1");
    let first = bench.incoming(&bob, Method::INVITE);
    bench.answer(&bob, &first, StatusCode::RINGING);
    assert_eq!(bench.response(&alice).status, StatusCode::RINGING);
    bench.advance(Duration::from_millis(9_999));
    bench.silent(&carol);
    bench.advance(Duration::from_millis(1));
    let cancel = bench.incoming(&bob, Method::CANCEL);
    bench.answer(&bob, &cancel, StatusCode::OK);
    let second = bench.incoming(&carol, Method::INVITE);
    assert_eq!(diversions(&second), owned(&[("bob", "no-answer")]));
    bench.answer(&bob, &first, StatusCode::REQUEST_TERMINATED);
    bench.silent(&alice);
    // The second telephone has its own time, not what is left for the first to take its CANCEL.
    bench.answer(&carol, &second, StatusCode::RINGING);
    bench.response(&alice);
    bench.advance(Duration::from_secs(60));
    bench.answer(&carol, &second, StatusCode::OK);
    assert_eq!(bench.response(&alice).status, StatusCode::OK);
    bench.forget_messages();
    bench.advance(Duration::from_secs(200));
    assert_eq!(bench.proxy.context_count(), 0);
}

#[test]
fn a_caller_who_gives_up_is_diverted_no_more() {
    let mut bench = Bench::new();
    let (alice, bob, carol) = phones(&mut bench);
    set(&mut bench, "bob", |features| {
        features.forward_no_answer = Some("carol".into());
        features.forward_busy = Some("carol".into());
    });
    let invite = bench.invite(&alice, "bob", "c1");
    let ringing = bench.incoming(&bob, Method::INVITE);
    bench.answer(&bob, &ringing, StatusCode::RINGING);
    bench.response(&alice);
    let mut cancel = invite.clone();
    cancel.method = Method::CANCEL;
    cancel.headers.set(&sidetone_sip_core::header::CSeq { seq: 2, method: Method::CANCEL });
    bench.request(&alice, &cancel);
    let cancel = bench.incoming(&bob, Method::CANCEL);
    bench.answer(&bob, &cancel, StatusCode::OK);
    bench.answer(&bob, &ringing, StatusCode::BUSY_HERE);
    bench.advance(Duration::from_secs(60));
    bench.silent(&carol);
}

#[test]
fn forwardings_in_a_ring_stop_and_the_caller_learns_it() {
    let mut bench = Bench::new();
    let (alice, bob, carol) = phones(&mut bench);
    set(&mut bench, "bob", |features| features.forward_always = Some("carol".into()));
    set(&mut bench, "carol", |features| features.forward_always = Some("bob".into()));
    bench.invite(&alice, "bob", "c1");
    assert_eq!(bench.response(&alice).status, StatusCode::LOOP_DETECTED);
    bench.silent(&bob);
    bench.silent(&carol);
    assert!(bench.proxy.dialogs().is_empty());
    assert_eq!(bench.proxy.context_count(), 0);
}

#[test]
fn calls_that_were_diverted_often_before_they_came_here_are_diverted_no_more() {
    let mut bench = Bench::new();
    let (alice, _, carol) = phones(&mut bench);
    set(&mut bench, "bob", |features| features.forward_always = Some("carol".into()));
    for (number, expected) in [(6, None), (7, Some(StatusCode::LOOP_DETECTED))] {
        let mut request = alice.invite("bob", &format!("c{number}"), 1);
        for at in 0..number {
            let uri = format!("sip:u{at}@example.org").parse().unwrap();
            request.headers.push(&Diversion::new(uri).with_reason("unconditional"));
        }
        let challenged = bench.ask(&alice, &request);
        bench.request(&alice, &alice.authorize(&request, &challenged));
        match expected {
            Some(status) => assert_eq!(bench.response(&alice).status, status),
            None => assert_eq!(diversions(&bench.incoming(&carol, Method::INVITE)).len(), number + 1),
        }
    }
}

#[test]
fn do_not_disturb_is_busy_without_a_ring_and_goes_to_the_voicemail() {
    let mut bench = Bench::with(|config| config.calls.voicemail = Some("*98".into()));
    let (alice, bob, _) = phones(&mut bench);
    set(&mut bench, "bob", |features| features.do_not_disturb = true);
    // The voicemail is not there yet.
    bench.invite(&alice, "bob", "c1");
    assert_eq!(bench.response(&alice).status, StatusCode::NOT_FOUND);

    let mailbox = voicemail(&mut bench);
    bench.invite(&alice, "bob", "c2");
    bench.silent(&bob);
    let invite = bench.incoming(&mailbox, Method::INVITE);
    assert_eq!(diversions(&invite), owned(&[("bob", "do-not-disturb")]));
    // RFC 4458: the application learns for whom the call was, and why.
    assert_eq!(invite.uri.param("cause"), Some(Some("486")));
    let target = invite.uri.param("target").flatten().unwrap().to_owned();
    assert!(target.starts_with("sip:bob") && target.contains("10.0.0.1"), "{target}");
    assert!(!history(&invite).iter().any(|(_, _, cause)| *cause == Some(7)));

    set(&mut bench, "bob", |features| features.voicemail = false);
    bench.forget_messages();
    bench.invite(&alice, "bob", "c3");
    assert_eq!(bench.response(&alice).status, StatusCode::BUSY_HERE);
}

#[test]
fn a_user_without_a_telephone_has_a_voicemail() {
    let mut bench = Bench::with(|config| config.calls.voicemail = Some("*98".into()));
    let alice = peer("alice", "10.0.0.2:5060");
    bench.register(&alice);
    let mailbox = voicemail(&mut bench);
    bench.invite(&alice, "bob", "c1");
    let invite = bench.incoming(&mailbox, Method::INVITE);
    assert_eq!(diversions(&invite), owned(&[("bob", "unavailable")]));
    assert_eq!(invite.uri.param("cause"), Some(Some("404")));
}

#[test]
fn a_redirection_is_followed_here_and_passed_on_when_it_leads_away() {
    for (to, followed) in [("sip:carol@10.0.0.1", true), ("sip:carol@example.org", false)] {
        for redirect in [true, false] {
            let mut bench = Bench::with(|config| config.calls.redirect = redirect);
            let (alice, bob, carol) = phones(&mut bench);
            bench.invite(&alice, "bob", "c1");
            let invite = bench.incoming(&bob, Method::INVITE);
            let mut moved = bench.reply(&bob, &invite, StatusCode::MOVED_TEMPORARILY);
            moved.headers.set(&Contact::Addr(NameAddr::new(to.parse().unwrap())));
            bench.send(&bob, moved.to_bytes());
            if followed && redirect {
                let invite = bench.incoming(&carol, Method::INVITE);
                assert_eq!(diversions(&invite), owned(&[("bob", "deflection")]));
            } else {
                bench.silent(&carol);
                assert_eq!(bench.response(&alice).status, StatusCode::MOVED_TEMPORARILY);
            }
        }
    }
}

#[test]
fn a_group_rings_together_and_a_member_declines_for_himself() {
    let mut bench = Bench::new();
    let (alice, bob, carol) = phones(&mut bench);
    bench.proxy.add_ring_group("600", RingGroup::new(["bob", "carol"]));
    bench.invite(&alice, "600", "c1");
    let (first, second) = (bench.incoming(&bob, Method::INVITE), bench.incoming(&carol, Method::INVITE));
    bench.answer(&bob, &first, StatusCode::DECLINE);
    bench.incoming(&bob, Method::ACK);
    bench.silent(&carol);
    bench.answer(&carol, &second, StatusCode::OK);
    assert_eq!(bench.response(&alice).status, StatusCode::OK);

    // Nobody wants it, and it ends with what they say.
    set(&mut bench, "bob", |features| features.do_not_disturb = true);
    bench.forget_messages();
    bench.invite(&alice, "600", "c2");
    bench.silent(&bob);
    let invite = bench.incoming(&carol, Method::INVITE);
    bench.answer(&carol, &invite, StatusCode::BUSY_HERE);
    assert_eq!(bench.response(&alice).status, StatusCode::BUSY_HERE);
}

#[test]
fn a_group_leaves_out_the_member_that_calls_it() {
    for one_by_one in [false, true] {
        let mut bench = Bench::new();
        let (alice, bob, _) = phones(&mut bench);
        let ordered = |members: &[&str]| {
            let group = RingGroup::new(members.iter().copied());
            if one_by_one { group.one_by_one(Duration::from_secs(15)) } else { group }
        };
        bench.proxy.add_ring_group("600", ordered(&["alice", "bob"]));
        bench.proxy.add_ring_group("601", ordered(&["alice"]));
        bench.invite(&alice, "600", "c1");
        let invite = bench.incoming(&bob, Method::INVITE);
        bench.answer(&bob, &invite, StatusCode::OK);
        assert_eq!(bench.response(&alice).status, StatusCode::OK);
        bench.silent(&alice);
        // Nobody else is in it.
        bench.invite(&alice, "601", "c2");
        assert_eq!(bench.response(&alice).status, StatusCode::BUSY_HERE);
        bench.silent(&alice);
    }
}

#[test]
fn a_group_rings_one_after_the_other_and_then_elsewhere() {
    let mut bench = Bench::with(|config| config.calls.voicemail = Some("*98".into()));
    let (alice, bob, carol) = phones(&mut bench);
    let mailbox = voicemail(&mut bench);
    let group =
        RingGroup::new(["bob", "nobody", "carol"]).one_by_one(Duration::from_secs(15)).overflow("*98");
    bench.proxy.add_ring_group("600", group);
    bench.invite(&alice, "600", "c1");
    let first = bench.incoming(&bob, Method::INVITE);
    bench.answer(&bob, &first, StatusCode::RINGING);
    bench.silent(&carol);
    bench.advance(Duration::from_secs(15));
    bench.incoming(&bob, Method::CANCEL);
    let second = bench.incoming(&carol, Method::INVITE);
    bench.answer(&carol, &second, StatusCode::BUSY_HERE);
    let third = bench.incoming(&mailbox, Method::INVITE);
    assert_eq!(diversions(&third), owned(&[("600", "user-busy")]));
    let diverted = core::iter::from_fn(|| bench.event())
        .filter(|event| matches!(event, PbxEvent::CallDiverted { .. }))
        .count();
    assert_eq!(diverted, 1);
}

#[test]
fn a_telephone_that_answers_when_the_group_gives_up_has_the_call() {
    let mut bench = Bench::new();
    let (alice, bob, carol) = phones(&mut bench);
    bench.proxy.add_ring_group("600", RingGroup::new(["bob", "carol"]).one_by_one(Duration::from_secs(4)));
    bench.invite(&alice, "600", "c1");
    // It rings, but its responses are lost, so it cannot be cancelled yet (RFC 3261 §9.1).
    let first = bench.incoming(&bob, Method::INVITE);
    bench.advance(Duration::from_secs(4));
    let second = bench.incoming(&carol, Method::INVITE);
    bench.forget_messages();
    bench.answer(&carol, &second, StatusCode::BUSY_HERE);
    bench.silent(&alice);
    bench.answer(&bob, &first, StatusCode::OK);
    assert_eq!(bench.response(&alice).status, StatusCode::OK);
    let states = |user| bench.proxy.dialogs().of_user(user).map(|dialog| dialog.state).collect::<Vec<_>>();
    assert_eq!((states("bob"), states("carol")), (vec![DialogState::Confirmed], vec![]));
}

#[test]
fn codes_change_settings_and_the_event_tells() {
    let mut bench = Bench::new();
    let (alice, _, _) = phones(&mut bench);
    for (at, (code, expected)) in [
        ("*72bob", features(|set| set.forward_always = Some("bob".into()))),
        ("*73", Features::default()),
        ("*78", features(|set| set.do_not_disturb = true)),
        ("*79", Features::default()),
    ]
    .into_iter()
    .enumerate()
    {
        bench.forget();
        let invite = bench.invite(&alice, code, &format!("c{at}"));
        let answer = bench.response(&alice);
        assert_eq!(
            (answer.status, &*answer.reason),
            (StatusCode::TEMPORARILY_UNAVAILABLE, "The Setting Was Taken")
        );
        bench.ack(&alice, &invite, &answer);
        assert_eq!(bench.proxy.features("alice"), expected);
        let told = core::iter::from_fn(|| bench.event())
            .find(|event| matches!(event, PbxEvent::FeaturesChanged { .. }));
        assert_eq!(told, Some(PbxEvent::FeaturesChanged { user: "alice".into(), features: expected }));
    }
    // Nobody forwards to himself.
    bench.invite(&alice, "*72alice", "own");
    assert_eq!(bench.response(&alice).status, StatusCode::FORBIDDEN);
    assert_eq!(bench.proxy.features("alice"), Features::default());

    // With an extension that confirms it, the call goes there.
    let extension = Extension { ports: vec![("10.0.0.1".parse().unwrap(), 7000)], key: "k".into() };
    let mut bench = Bench::with(|config| config.calls.confirmation = Some("ok".into()));
    let (alice, _, _) = phones(&mut bench);
    bench.proxy.add_extension("ok", extension);
    bench.invite(&alice, "*78", "c");
    let confirmation = peer("ok", "10.0.0.1:7000");
    bench.incoming(&confirmation, Method::INVITE);
    assert!(bench.proxy.features("alice").do_not_disturb);
}

fn features(change: impl FnOnce(&mut Features)) -> Features {
    let mut features = Features::default();
    change(&mut features);
    features
}
