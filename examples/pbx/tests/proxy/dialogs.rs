//! Requests within a dialog, over the flows that the phones keep.

use crate::support::{Bench, PBX, peer};
use sidetone_sip_core::header::{Contact, Header, RecordRoute, Route};
use sidetone_sip_core::{HeaderName, Method, StatusCode};

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
