//! Who may call whom, and what stops a request.

use crate::support::{Bench, peer};
use sidetone_sip_core::header::{Header, MaxForwards, ProxyAuthenticate, Unsupported, Via};
use sidetone_sip_core::{HeaderName, Method, StatusCode};

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

#[test]
fn a_caller_who_hides_is_known_by_an_identity_that_goes_no_further() {
    for (identity, granted) in [("<sip:alice@10.0.0.1>", true), ("<sip:carol@10.0.0.1>", false)] {
        let mut bench = Bench::new();
        let (alice, bob) = (peer("alice", "10.0.0.2:5060"), peer("bob", "10.0.0.3:5060"));
        bench.register(&bob);
        let mut request = alice.invite("bob", "hidden", 1);
        request.headers.remove(&HeaderName::FROM);
        request
            .headers
            .push_raw(HeaderName::FROM, "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=x")
            .unwrap();
        request.headers.push_raw(HeaderName::PRIVACY, "id").unwrap();
        request.headers.push_raw(HeaderName::P_PREFERRED_IDENTITY, identity).unwrap();
        let challenged = bench.ask(&alice, &request);
        assert_eq!(challenged.status, StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        bench.ack(&alice, &request, &challenged);
        let again = alice.authorize(&request, &challenged);
        if granted {
            bench.request(&alice, &again);
            let invite = bench.incoming(&bob, Method::INVITE);
            let hidden = |name: &HeaderName| invite.headers.contains(name);
            assert!(!hidden(&HeaderName::P_PREFERRED_IDENTITY) && hidden(&HeaderName::PRIVACY));
            assert!(!String::from_utf8(invite.to_bytes()).unwrap().contains("alice@10.0.0.1"));
        } else {
            assert_eq!(bench.ask(&alice, &again).status, StatusCode::FORBIDDEN);
            bench.silent(&bob);
        }
    }
}
