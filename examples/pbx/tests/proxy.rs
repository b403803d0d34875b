//! The registrar and the proxy in virtual time against hand-written peers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable,
    reason = "a test fails by panicking, in its helpers too"
)]

mod support;

use sidetone_hal::time::Duration;
use sidetone_pbx::PbxEvent;
use sidetone_sip_core::header::{
    Contact, Expires, Header, MaxForwards, MinExpires, ProxyAuthenticate, ProxyAuthorization, RecordRoute,
    Route, To, Unsupported, Via, WwwAuthenticate,
};
use sidetone_sip_core::{Algorithm, HeaderName, Message, Method, Response, StatusCode};
use support::{Bench, PBX, Peer, peer};

fn contacts(response: &Response) -> Vec<String> {
    response.headers.all::<Contact>().map(|contact| text(&contact.unwrap())).collect()
}

fn text(contact: &Contact) -> String {
    match contact {
        Contact::Star => "*".into(),
        Contact::Addr(address) => {
            let expires = address.params.get("expires").unwrap_or_default().into_owned();
            format!("{} {expires}", address.uri)
        }
    }
}

/// A REGISTER that is authenticated, and its answer.
#[track_caller]
fn register(
    bench: &mut Bench,
    peer: &Peer,
    cseq: u32,
    change: impl Fn(&mut sidetone_sip_core::Request),
) -> Response {
    let mut request = peer.register(cseq, "600");
    change(&mut request);
    let challenged = bench.ask(peer, &request);
    assert_eq!(challenged.status, StatusCode::UNAUTHORIZED);
    bench.ask(peer, &peer.authorize(&request, &challenged))
}

// ---- Registrar (RFC 3261 §10.3) ----

#[test]
fn a_register_is_challenged_and_then_bound_until_it_expires() {
    let mut bench = Bench::new();
    let alice = peer("alice", "10.0.0.2:5060");
    let accepted = register(&mut bench, &alice, 1, |_| {});
    assert_eq!(accepted.status, StatusCode::OK);
    assert_eq!(contacts(&accepted), ["sip:alice@10.0.0.2:5060 600"]);
    assert!(accepted.headers.require::<To>().unwrap().tag().is_some());
    match bench.event() {
        Some(PbxEvent::Registered { user, expires: 600, remote, .. }) => {
            assert_eq!((user.as_str(), remote), ("alice", alice.address));
        }
        other => panic!("{other:?}"),
    }

    bench.advance(Duration::from_secs(590));
    let query = register(&mut bench, &alice, 10, |request| {
        request.headers.remove(&Contact::NAME);
    });
    assert_eq!(
        contacts(&query),
        ["sip:alice@10.0.0.2:5060 10"],
        "a REGISTER without Contact asks what is bound"
    );
    bench.advance(Duration::from_secs(11));
    match bench.event() {
        Some(PbxEvent::Unregistered { user, expired: true, .. }) => assert_eq!(user, "alice"),
        other => panic!("{other:?}"),
    }
    let query = register(&mut bench, &alice, 20, |request| {
        request.headers.remove(&Contact::NAME);
    });
    assert_eq!(contacts(&query), [""; 0]);
}

#[test]
fn a_wrong_password_is_answered_403_and_a_wrong_nonce_by_a_stale_challenge() {
    let mut bench = Bench::new();
    let mut alice = peer("alice", "10.0.0.2:5060");
    alice.password = "wrong";
    let refused = register(&mut bench, &alice, 1, |_| {});
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(
        refused.headers.get::<WwwAuthenticate>().is_none(),
        "no challenge that a client could answer forever"
    );
    assert!(matches!(bench.event(), Some(PbxEvent::Refused { status: StatusCode::FORBIDDEN, .. })));

    let nobody = peer("mallory", "10.0.0.9:5060");
    assert_eq!(register(&mut bench, &nobody, 1, |_| {}).status, StatusCode::FORBIDDEN);

    // A nonce of another server, as after a restart.
    alice.password = "secret";
    let request = alice.register(7, "600");
    let challenged = Bench::with(|config| config.endpoint.seed = [9; 32]).ask(&alice, &request);
    let again = bench.ask(&alice, &alice.authorize(&request, &challenged));
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    assert!(again.headers.require::<WwwAuthenticate>().unwrap().0.stale);
    let accepted = bench.ask(&alice, &alice.authorize(&request, &again));
    assert_eq!(accepted.status, StatusCode::OK);
}

#[test]
fn both_digests_are_offered_and_either_is_taken() {
    let mut bench = Bench::new();
    let alice = peer("alice", "10.0.0.2:5060");
    let request = alice.register(1, "600");
    let challenged = bench.ask(&alice, &request);
    let offered: Vec<WwwAuthenticate> = challenged.headers.all().map(Result::unwrap).collect();
    let algorithms: Vec<_> = offered.iter().map(|challenge| challenge.algorithm()).collect();
    assert_eq!(algorithms, [Algorithm::Sha256, Algorithm::Md5]);
    for (cseq, challenge) in (2..).zip(&offered) {
        let mut one = challenged.clone();
        one.headers.set(challenge);
        let mut request = alice.register(cseq, "600");
        if cseq > 2 {
            // Each nonce counts its uses; this client begins anew.
            let fresh = bench.ask(&alice, &request);
            let same = fresh.headers.all::<WwwAuthenticate>().map(Result::unwrap);
            one.headers.set(&same.last().unwrap());
            request = alice.register(cseq + 1, "600");
        }
        assert_eq!(bench.ask(&alice, &alice.authorize(&request, &one)).status, StatusCode::OK);
    }

    let mut old = Bench::with(|config| config.digest.algorithms = vec![Algorithm::Md5]);
    assert_eq!(old.ask(&alice, &request).headers.count::<WwwAuthenticate>(), 1);
}

#[test]
fn nobody_registers_for_another() {
    let mut bench = Bench::new();
    let alice = peer("alice", "10.0.0.2:5060");
    let refused = register(&mut bench, &alice, 1, |request| {
        request.headers.remove(&To::NAME);
        request.headers.push_raw(To::NAME, "<sip:bob@10.0.0.1>").unwrap();
    });
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(bench.proxy.location().bindings(bench.now, "bob").is_empty());
}

#[test]
fn expiry_times_are_kept_within_the_limits() {
    let mut bench = Bench::new();
    let alice = peer("alice", "10.0.0.2:5060");
    let brief = register(&mut bench, &alice, 1, |request| request.headers.set(&Expires(59)));
    assert_eq!(brief.status, StatusCode::INTERVAL_TOO_BRIEF);
    assert_eq!(brief.headers.require::<MinExpires>().unwrap().0, 60);
    let long = register(&mut bench, &alice, 3, |request| request.headers.set(&Expires(1_000_000)));
    assert_eq!(contacts(&long), ["sip:alice@10.0.0.2:5060 7200"]);
    // The Contact's own parameter wins over the header; without both it is an hour.
    let own = register(&mut bench, &alice, 5, |request| {
        request.headers.remove(&Contact::NAME);
        request.headers.push_raw(Contact::NAME, "<sip:alice@10.0.0.2:5060>;expires=120;q=0.5").unwrap();
    });
    assert_eq!(contacts(&own), ["sip:alice@10.0.0.2:5060 120"]);
    let none = register(&mut bench, &alice, 7, |request| {
        request.headers.remove(&HeaderName::EXPIRES);
    });
    assert_eq!(contacts(&none), ["sip:alice@10.0.0.2:5060 3600"]);
}

#[test]
fn bindings_are_removed_one_by_one_or_all_with_a_star() {
    let mut bench = Bench::new();
    let alice = peer("alice", "10.0.0.2:5060");
    let two = |request: &mut sidetone_sip_core::Request| {
        request.headers.push_raw(Contact::NAME, "<sip:alice@10.0.0.3>;q=0.3, <sip:alice@10.0.0.4>").unwrap();
    };
    assert_eq!(contacts(&register(&mut bench, &alice, 1, two)).len(), 3);
    let one_less = register(&mut bench, &alice, 3, |request| {
        request.headers.remove(&Contact::NAME);
        request.headers.push_raw(Contact::NAME, "<sip:alice@10.0.0.3>;expires=0").unwrap();
    });
    assert_eq!(contacts(&one_less), ["sip:alice@10.0.0.2:5060 600", "sip:alice@10.0.0.4 600"]);

    let star = |expires: u32| {
        move |request: &mut sidetone_sip_core::Request| {
            request.headers.remove(&Contact::NAME);
            request.headers.push(&Contact::Star);
            request.headers.set(&Expires(expires));
        }
    };
    assert_eq!(register(&mut bench, &alice, 5, star(60)).status, StatusCode::BAD_REQUEST);
    let both = register(&mut bench, &alice, 7, |request| {
        request.headers.push(&Contact::Star);
        request.headers.set(&Expires(0));
    });
    assert_eq!(both.status, StatusCode::BAD_REQUEST);
    let none = register(&mut bench, &alice, 9, star(0));
    assert_eq!((none.status, contacts(&none).len()), (StatusCode::OK, 0));
}

#[test]
fn a_late_register_does_not_undo_a_newer_one() {
    let mut bench = Bench::new();
    let alice = peer("alice", "10.0.0.2:5060");
    assert_eq!(register(&mut bench, &alice, 100, |_| {}).status, StatusCode::OK);
    let late = register(&mut bench, &alice, 50, |request| request.headers.set(&Expires(0)));
    assert_eq!(late.status, StatusCode::SERVER_INTERNAL_ERROR);
    let late = register(&mut bench, &alice, 60, |request| {
        request.headers.remove(&Contact::NAME);
        request.headers.push(&Contact::Star);
        request.headers.set(&Expires(0));
    });
    assert_eq!(late.status, StatusCode::SERVER_INTERNAL_ERROR);
    // A client that has restarted has another Call-ID and may begin at 1.
    let fresh = register(&mut bench, &alice, 1, |request| {
        request.headers.remove(&HeaderName::CALL_ID);
        request.headers.push_raw(HeaderName::CALL_ID, "another").unwrap();
        request.headers.set(&Expires(300));
    });
    assert_eq!(contacts(&fresh), ["sip:alice@10.0.0.2:5060 300"]);
}

#[test]
fn an_account_has_a_bounded_number_of_contacts() {
    let mut bench = Bench::with(|config| config.registrar.max_bindings = 2);
    let alice = peer("alice", "10.0.0.2:5060");
    let three = register(&mut bench, &alice, 1, |request| {
        request.headers.push_raw(Contact::NAME, "<sip:alice@10.0.0.3>, <sip:alice@10.0.0.4>").unwrap();
    });
    assert_eq!(three.status, StatusCode::FORBIDDEN);
    assert!(bench.proxy.location().bindings(bench.now, "alice").is_empty(), "all or nothing");
}

#[test]
fn what_the_registrar_cannot_do_is_refused_by_name() {
    let mut bench = Bench::new();
    let alice = peer("alice", "10.0.0.2:5060");
    let mut request = alice.register(1, "600");
    request.headers.push_raw(HeaderName::REQUIRE, "path").unwrap();
    let refused = bench.ask(&alice, &request);
    assert_eq!(refused.status, StatusCode::BAD_EXTENSION);
    assert_eq!(refused.headers.require::<Unsupported>().unwrap().0, ["path"]);
}

// ---- Proxy: who may call whom ----

#[test]
fn requests_that_are_not_for_this_server_or_for_nobody_are_refused() {
    let mut bench = Bench::new();
    let alice = peer("alice", "10.0.0.2:5060");
    let status = |bench: &mut Bench, uri: &str, id: &str| {
        let request = alice.request(Method::INVITE, uri, uri, id, 1);
        let first = bench.ask(&alice, &request);
        if first.status != StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return first.status;
        }
        bench.ask(&alice, &alice.authorize(&request, &first)).status
    };
    assert_eq!(status(&mut bench, "sip:bob@example.com", "1"), StatusCode::FORBIDDEN);
    assert_eq!(status(&mut bench, "sip:bob@10.0.0.77", "2"), StatusCode::FORBIDDEN);
    assert_eq!(status(&mut bench, "sip:bob@10.0.0.1:9999", "3"), StatusCode::FORBIDDEN);
    assert_eq!(status(&mut bench, "sips:bob@10.0.0.1", "4"), StatusCode::UNSUPPORTED_URI_SCHEME);
    assert_eq!(status(&mut bench, "tel:+123", "5"), StatusCode::UNSUPPORTED_URI_SCHEME);
    assert_eq!(status(&mut bench, "sip:bob@10.0.0.1", "6"), StatusCode::TEMPORARILY_UNAVAILABLE);
    assert_eq!(status(&mut bench, "sip:bob@LOCALHOST", "7"), StatusCode::TEMPORARILY_UNAVAILABLE);
    assert_eq!(status(&mut bench, "sip:nobody@10.0.0.1:5060", "8"), StatusCode::NOT_FOUND);
    assert_eq!(status(&mut bench, "sip:10.0.0.1", "9"), StatusCode::METHOD_NOT_ALLOWED);
}

#[test]
fn a_caller_is_who_the_from_says_or_is_refused() {
    let mut bench = Bench::new();
    let (alice, bob) = (peer("alice", "10.0.0.2:5060"), peer("bob", "10.0.0.3:5060"));
    bench.register(&bob);
    let mut request = alice.invite("bob", "spoof", 1);
    request.headers.remove(&HeaderName::FROM);
    request.headers.push_raw(HeaderName::FROM, "<sip:carol@10.0.0.1>;tag=x").unwrap();
    let challenged = bench.ask(&alice, &request);
    assert_eq!(challenged.status, StatusCode::PROXY_AUTHENTICATION_REQUIRED);
    let refused = bench.ask(&alice, &alice.authorize(&request, &challenged));
    assert_eq!(refused.status, StatusCode::FORBIDDEN);

    let mut wrong = alice.clone();
    wrong.password = "wrong";
    let request = wrong.invite("bob", "wrong", 1);
    let challenged = bench.ask(&alice, &request);
    let refused = bench.ask(&alice, &wrong.authorize(&request, &challenged));
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.headers.get::<ProxyAuthenticate>().is_none());
    bench.silent(&bob);
}

#[test]
fn hops_loops_and_unknown_extensions_stop_a_request() {
    let mut bench = Bench::new();
    let (alice, bob) = (peer("alice", "10.0.0.2:5060"), peer("bob", "10.0.0.3:5060"));
    bench.register(&bob);
    let mut request = alice.invite("bob", "hops", 1);
    request.headers.set(&MaxForwards(0));
    assert_eq!(bench.ask(&alice, &request).status, StatusCode::TOO_MANY_HOPS);

    let mut request = alice.invite("bob", "extension", 1);
    request.headers.push_raw(HeaderName::PROXY_REQUIRE, "teleport").unwrap();
    let refused = bench.ask(&alice, &request);
    assert_eq!(refused.status, StatusCode::BAD_EXTENSION);
    assert_eq!(refused.headers.require::<Unsupported>().unwrap().0, ["teleport"]);

    // Bob's "phone" is a proxy that sends the request back.
    bench.forget();
    bench.invite(&alice, "bob", "loop");
    let mut back = bench.incoming(&bob, Method::INVITE);
    let via = format!("SIP/2.0/UDP {};branch=z9hG4bKback", bob.address);
    let vias: Vec<Via> = back.headers.all().map(Result::unwrap).collect();
    back.headers.remove(&Via::NAME);
    back.headers.push_raw(Via::NAME, via).unwrap();
    vias.iter().for_each(|via| back.headers.push(via));
    assert_eq!(bench.ask(&bob, &back).status, StatusCode::LOOP_DETECTED);
}

#[test]
fn options_to_the_server_is_answered_by_the_server() {
    let mut bench = Bench::new();
    let alice = peer("alice", "10.0.0.2:5060");
    let request = alice.request(Method::OPTIONS, "sip:10.0.0.1", "sip:10.0.0.1", "o", 1);
    let answer = bench.ask(&alice, &request);
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.headers.contains(&HeaderName::ALLOW));
}

// ---- Proxy: calls ----

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

// ---- Proxy: dialogs ----

#[test]
fn a_route_without_a_ticket_of_this_dialog_leads_nowhere() {
    let mut bench = Bench::new();
    let (alice, bob) = (peer("alice", "10.0.0.2:5060"), peer("bob", "10.0.0.3:5060"));
    let stranger = peer("mallory", "10.0.0.9:5060");
    bench.register(&bob);
    bench.invite(&alice, "bob", "call");
    let invite = bench.incoming(&bob, Method::INVITE);
    bench.answer(&bob, &invite, StatusCode::OK);
    let answered = bench.response(&alice);
    bench.forget();

    // The ticket of Alice's call in a dialog that was never set up.
    let mut stolen = bench.in_dialog(&stranger, &answered, Method::BYE, 9);
    stolen.headers.remove(&HeaderName::CALL_ID);
    stolen.headers.push_raw(HeaderName::CALL_ID, "other").unwrap();
    assert_eq!(bench.ask(&stranger, &stolen).status, StatusCode::CALL_DOES_NOT_EXIST);
    // No ticket at all, a target of the sender's choice.
    let mut open = bench.in_dialog(&stranger, &answered, Method::BYE, 10);
    open.headers.remove(&Route::NAME);
    open.headers.push_raw(Route::NAME, format!("<sip:{PBX};lr>")).unwrap();
    assert_eq!(bench.ask(&stranger, &open).status, StatusCode::CALL_DOES_NOT_EXIST);
    let mut ack = bench.in_dialog(&stranger, &answered, Method::ACK, 2);
    ack.headers.remove(&Route::NAME);
    bench.request(&stranger, &ack);
    bench.silent(&bob);
    // A Route to somewhere else outside a dialog.
    let mut relay = stranger.invite("bob", "relay", 1);
    relay.headers.push_raw(Route::NAME, format!("<sip:{PBX};lr>, <sip:10.9.9.9;lr>")).unwrap();
    assert_eq!(bench.ask(&stranger, &relay).status, StatusCode::FORBIDDEN);
}

#[test]
fn a_strict_router_s_request_is_understood() {
    let mut bench = Bench::new();
    let (alice, bob) = (peer("alice", "10.0.0.2:5060"), peer("bob", "10.0.0.3:5060"));
    bench.register(&bob);
    bench.invite(&alice, "bob", "call");
    let invite = bench.incoming(&bob, Method::INVITE);
    bench.answer(&bob, &invite, StatusCode::OK);
    let answered = bench.response(&alice);
    // RFC 2543 style: the Record-Route is the Request-URI, the remote target is last in the Route.
    let mut bye = bench.in_dialog(&alice, &answered, Method::BYE, 3);
    let target = bye.uri.clone();
    bye.uri = bye.headers.require::<Route>().unwrap().0.uri.clone();
    bye.headers.remove(&Route::NAME);
    bye.headers.push_raw(Route::NAME, format!("<{target}>")).unwrap();
    bench.request(&alice, &bye);
    assert_eq!(bench.incoming(&bob, Method::BYE).uri, bob.contact());
}

#[test]
fn a_tcp_client_and_a_udp_client_talk_over_their_own_flows() {
    let mut bench = Bench::new();
    let mut alice = peer("alice", "10.0.0.2:43210");
    let bob = peer("bob", "10.0.0.3:5060");
    bench.connect(&mut alice);
    bench.register(&alice);
    bench.register(&bob);

    // TCP calls UDP.
    bench.invite(&alice, "bob", "from-tcp");
    let invite = bench.incoming(&bob, Method::INVITE);
    let routes: Vec<String> =
        invite.headers.all::<RecordRoute>().map(|route| route.unwrap().0.uri.to_string()).collect();
    let [far, near] = &routes[..] else { panic!("one for each side (RFC 5658): {routes:?}") };
    assert!(!far.contains("transport=") && near.contains("transport=tcp"), "{routes:?}");
    bench.answer(&bob, &invite, StatusCode::OK);
    let answered = bench.response(&alice);
    let ack = bench.in_dialog(&alice, &answered, Method::ACK, 2);
    bench.request(&alice, &ack);
    let ack = bench.incoming(&bob, Method::ACK);
    assert!(ack.headers.get::<Route>().is_none(), "both of our own Routes are off");
    let bye = bench.in_dialog_back(&bob, &invite, Method::BYE, 1);
    bench.request(&bob, &bye);
    bench.incoming(&alice, Method::BYE);
    bench.forget();

    // UDP calls TCP: on the connection that Alice opened.
    bench.invite(&bob, "alice", "to-tcp");
    let invite = bench.incoming(&alice, Method::INVITE);
    bench.answer(&alice, &invite, StatusCode::OK);
    let answered = bench.response(&bob);
    let bye = bench.in_dialog(&bob, &answered, Method::BYE, 2);
    bench.request(&bob, &bye);
    bench.incoming(&alice, Method::BYE);
}

#[test]
fn a_client_behind_a_nat_is_reached_where_its_register_came_from() {
    let mut bench = Bench::new();
    let alice = peer("alice", "10.0.0.2:5060");
    let mut bob = peer("bob", "192.168.1.5:5060");
    let request = bob.register(1, "600");
    let inside = bob.clone();
    bob.address = "10.0.0.250:61234".parse().unwrap();
    let challenged = bench.ask(&bob, &request);
    assert_eq!(bench.ask(&bob, &inside.authorize(&request, &challenged)).status, StatusCode::OK);

    bench.invite(&alice, "bob", "nat");
    let invite = bench.incoming(&bob, Method::INVITE);
    assert_eq!(invite.uri, inside.contact(), "the Request-URI is the Contact as registered");
    let mut response = bench.reply(&inside, &invite, StatusCode::OK);
    response.headers.remove(&Contact::NAME);
    response.headers.push_raw(Contact::NAME, "<sip:elsewhere@192.168.1.5>").unwrap();
    bench.send(&bob, response.to_bytes());
    let answered = bench.response(&alice);
    let bye = bench.in_dialog(&alice, &answered, Method::BYE, 2);
    bench.request(&alice, &bye);
    bench.incoming(&bob, Method::BYE);
}

#[test]
fn a_device_that_registered_again_from_elsewhere_gets_the_rest_of_its_dialogs_there() {
    let mut bench = Bench::new();
    let alice = peer("alice", "10.0.0.2:5060");
    let mut bob = peer("bob", "10.0.0.3:5060");
    bench.register(&bob);
    bench.invite(&alice, "bob", "move");
    let invite = bench.incoming(&bob, Method::INVITE);
    bench.answer(&bob, &invite, StatusCode::OK);
    let answered = bench.response(&alice);
    // The NAT gave Bob another port; his Contact is the same.
    let request = bob.register(10, "600");
    bob.address = "10.0.0.3:7777".parse().unwrap();
    let challenged = bench.ask(&bob, &request);
    assert_eq!(bench.ask(&bob, &bob.authorize(&request, &challenged)).status, StatusCode::OK);
    let bye = bench.in_dialog(&alice, &answered, Method::BYE, 2);
    bench.request(&alice, &bye);
    bench.incoming(&bob, Method::BYE);
}
