//! What goes to the services on this machine, and what they learn from their URI.

use crate::support::{Bench, Peer, peer};
use sidetone_pbx::Extension;
use sidetone_sip_core::header::{Event, ReferredBy};
use sidetone_sip_core::{Method, Request, StatusCode};

fn service(port: u16) -> (Extension, Peer) {
    let extension = Extension { ports: vec![("10.0.0.1".parse().unwrap(), port)], key: "k".into() };
    let address: &'static str = Box::leak(format!("10.0.0.1:{port}").into_boxed_str());
    (extension, peer("service", address))
}

fn subscribe(bench: &mut Bench, from: &Peer, whom: &str, package: &str) {
    let uri = format!("sip:{whom}@10.0.0.1");
    let mut request = from.request(Method::SUBSCRIBE, &uri, &uri, &format!("{whom}{package}"), 1);
    request.headers.push(&package.parse::<Event>().unwrap());
    let challenged = bench.ask(from, &request);
    assert_eq!(challenged.status, StatusCode::PROXY_AUTHENTICATION_REQUIRED);
    bench.request(from, &from.authorize(&request, &challenged));
}

#[test]
fn subscriptions_go_to_the_state_agent_or_to_the_telephone_by_their_package() {
    let mut bench = Bench::new();
    let (alice, bob) = (peer("alice", "10.0.0.2:5060"), peer("bob", "10.0.0.3:5060"));
    bench.register(&alice);
    bench.register(&bob);
    let (extension, agent) = service(7001);
    bench.proxy.set_state_agent(extension, &["dialog"]);
    bench.proxy.add_list("team");

    subscribe(&mut bench, &alice, "bob", "presence");
    assert_eq!(bench.incoming(&bob, Method::SUBSCRIBE).uri, bob.contact());
    for whom in ["bob", "carol", "team"] {
        subscribe(&mut bench, &alice, whom, "dialog");
        let request = bench.incoming(&agent, Method::SUBSCRIBE);
        assert_eq!(request.uri.user().as_deref(), Some(whom));
        assert_eq!(request.uri.param(Extension::KEY), Some(Some("k")));
    }
    bench.silent(&bob);
    subscribe(&mut bench, &alice, "nobody", "dialog");
    assert_eq!(bench.response(&alice).status, StatusCode::NOT_FOUND);
}

#[test]
fn an_orbit_learns_which_user_transferred_the_call_and_believes_no_other_server() {
    let mut bench = Bench::new();
    let alice = peer("alice", "10.0.0.2:5060");
    bench.register(&alice);
    let (extension, orbit) = service(7002);
    bench.proxy.add_extension("701", extension);
    for (at, (by, expected)) in
        [("sip:bob@10.0.0.1", Some(Some("bob"))), ("sip:bob@example.org", None)].into_iter().enumerate()
    {
        let mut request = alice.invite("701", &format!("c{at}"), 1);
        request.headers.push(&ReferredBy::new(by.parse().unwrap()));
        let challenged = bench.ask(&alice, &request);
        bench.request(&alice, &alice.authorize(&request, &challenged));
        let invite: Request = bench.incoming_at_last(&orbit, Method::INVITE);
        assert_eq!(invite.uri.param(Extension::REFERRER), expected, "{by}");
    }
}
