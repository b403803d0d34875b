//! The registrar (RFC 3261 §10.3).

use crate::support::{Bench, Peer, peer};
use sidetone_hal::time::Duration;
use sidetone_pbx::PbxEvent;
use sidetone_sip_core::header::{
    Contact, Expires, Header, MinExpires, To, Unsupported, Via, WwwAuthenticate,
};
use sidetone_sip_core::{Algorithm, AuthRole, HeaderName, Response, StatusCode};

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

/// RFC 7616 §3.5: the registrar proves that it knows the password too, and only to who knew it.
#[test]
fn a_200_to_register_carries_the_registrars_own_proof() {
    let mut bench = Bench::new();
    let alice = peer("alice", "10.0.0.2:5060");
    let request = alice.register(1, "600");
    let challenged = bench.ask(&alice, &request);
    assert!(AuthRole::Server.info(&challenged.headers).is_none());
    let authorized = alice.authorize(&request, &challenged);
    let accepted = bench.ask(&alice, &authorized);
    let info = AuthRole::Server.info(&accepted.headers).unwrap();
    let sent = AuthRole::Server.credentials(&authorized.headers).next().unwrap().unwrap();
    assert_eq!((info.cnonce.as_ref(), info.nc), (sent.cnonce.as_ref(), sent.nc));
    assert!(info.rspauth.is_some() && info.nextnonce.is_none(), "{info:?}");

    // A REGISTER that fails for another reason proves nothing.
    let brief = register(&mut bench, &alice, 10, |request| {
        request.headers.set(&Expires(5));
        let mut contact: Contact = request.headers.require().unwrap();
        if let Contact::Addr(address) = &mut contact {
            address.params.remove("expires");
        }
        request.headers.set(&contact);
    });
    assert_eq!(brief.status, StatusCode::INTERVAL_TOO_BRIEF);
    assert!(AuthRole::Server.info(&brief.headers).is_none());
}

/// What a device behind a NAT needs: its address by STUN at the SIP port, and how often to send keep-alives.
#[test]
fn a_contact_that_offers_keep_alives_is_asked_for_them() {
    let config = sidetone_pbx::ProxyConfig::new([1; 32]);
    assert!(config.endpoint.stun_server);
    assert_eq!(config.endpoint.max_datagram, None);
    let mut bench = Bench::new();
    let alice = peer("alice", "10.0.0.2:5060");
    let request = alice.register(1, "600");
    let challenged = bench.ask(&alice, &request);
    let mut authorized = alice.authorize(&request, &challenged);
    let mut via: Via = authorized.headers.require().unwrap();
    via.params.set_flag("keep");
    authorized.headers.replace_first(&via);
    let accepted = bench.ask(&alice, &authorized);
    let via: Via = accepted.headers.require().unwrap();
    assert_eq!(via.params.get("keep").as_deref(), Some("25"));
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
