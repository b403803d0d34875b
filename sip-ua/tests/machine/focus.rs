//! Conferences of a server (RFC 4579), seen from both sides, and calls that are taken over while they ring.

use crate::net::{Arrow, Net};
use crate::support::{ANSWER, OFFER};
use bytes::Bytes;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{Contact, Replaces};
use sidetone_sip_core::{Message, Method, StatusCode};
use sidetone_sip_ua::{
    CallId, CallRequest, Event, JoinOrder, MusicOnHold, MusicStep, ReferPolicy, ReferProgress, ReferRequest,
};

fn offer() -> Option<Bytes> {
    Some(Bytes::from_static(OFFER.as_bytes()))
}

fn incoming(net: &mut Net, name: &str) -> (CallId, Option<CallId>) {
    let found = net.events(name).into_iter().find_map(|event| match event {
        Event::Incoming { call, invite, .. } => Some((call, invite.replaces)),
        _ => None,
    });
    found.expect("a call came")
}

fn answer(net: &mut Net, name: &str, call: CallId) {
    net.at(name, |now, agent, _| agent.answer(now, call, Bytes::from_static(ANSWER.as_bytes())).unwrap());
}

/// Alice's call with a room, which is a focus, and hers with Bob.
fn conference() -> (Net, CallId, CallId) {
    let (net, with_bob, focus, _) = conference_and_room();
    (net, with_bob, focus)
}

/// The same, and the room's side of its call.
fn conference_and_room() -> (Net, CallId, CallId, CallId) {
    let mut net = Net::new(&["alice", "bob", "room"], |_, _| {});
    let (with_bob, _) = net.call("alice", "bob");
    let room = net.uri("room");
    let focus = net.at("alice", |now, agent, account| agent.call(now, account, &room, offer()).unwrap());
    let (at_room, _) = incoming(&mut net, "room");
    net.at("room", |_, agent, _| agent.set_focus(at_room).unwrap());
    answer(&mut net, "room", at_room);
    net.events("alice");
    (net, with_bob, focus, at_room)
}

#[test]
fn a_focus_says_so_in_its_contact_and_whoever_calls_it_knows() {
    let (mut net, with_bob, focus) = conference();
    let marked = net.ladder.iter().any(|arrow| match &arrow.message {
        Message::Response(response) if arrow.from == "room" && response.status == StatusCode::OK => {
            let contact: Contact = response.headers.require().unwrap();
            contact.addr().unwrap().params.has("isfocus")
        }
        _ => false,
    });
    assert!(marked, "{:?}", net.said());
    let room = net.uri("room");
    let agent = &net.party("alice").agent;
    assert_eq!(agent.focus(focus), Some(room.without_headers()));
    assert_eq!(agent.focus(with_bob), None);
}

/// Whether each message of the room with this label says that it is a focus; those that are sent from now on.
fn says_focus(net: &mut Net, label: &str) -> Vec<bool> {
    let of_room = |arrow: &Arrow| {
        let headers = match &arrow.message {
            Message::Request(request) => &request.headers,
            Message::Response(response) => &response.headers,
        };
        let contact: Option<Contact> = headers.require().ok();
        let focus = contact.is_some_and(|contact| contact.addr().is_some_and(|a| a.params.has("isfocus")));
        (arrow.from == "room" && arrow.label() == label).then_some(focus)
    };
    net.ladder.drain(..).filter_map(|arrow| of_room(&arrow)).collect()
}

#[test]
fn a_focus_says_so_whenever_its_contact_is_said_anew() {
    let (mut net, _, focus, at_room) = conference_and_room();
    net.ladder.clear();
    net.at("room", |now, agent, _| {
        agent.reoffer(now, at_room, Bytes::from_static(OFFER.as_bytes())).unwrap();
    });
    assert_eq!(says_focus(&mut net, "INVITE"), [true], "a re-INVITE");
    net.at("alice", |now, agent, _| {
        agent.answer_offer(now, focus, Bytes::from_static(ANSWER.as_bytes())).unwrap()
    });
    net.at("alice", |now, agent, _| {
        agent.reoffer(now, focus, Bytes::from_static(OFFER.as_bytes())).unwrap();
    });
    net.at("room", |now, agent, _| {
        agent.answer_offer(now, at_room, Bytes::from_static(ANSWER.as_bytes())).unwrap()
    });
    assert_eq!(says_focus(&mut net, "200 INVITE"), [true], "the answer to a re-INVITE");
    for name in ["room", "alice"] {
        let call = if name == "room" { at_room } else { focus };
        let person = format!("<sip:{name}@192.0.2.9>").parse().unwrap();
        net.at(name, |now, agent, _| agent.update_identity(now, call, person).unwrap());
    }
    let changes = net.ladder.clone();
    assert_eq!(says_focus(&mut net, "UPDATE"), [true]);
    net.ladder = changes;
    assert_eq!(says_focus(&mut net, "200 UPDATE"), [true]);
    let bob = net.uri("bob");
    net.at("room", |now, agent, _| agent.refer(now, at_room, &ReferRequest::new(bob.clone())).unwrap());
    assert_eq!(says_focus(&mut net, "REFER"), [true]);
    net.at("alice", |now, agent, _| agent.refer(now, focus, &ReferRequest::new(bob)).unwrap());
    let refer = net.events("room").into_iter().find_map(|event| match event {
        Event::Referred { refer, .. } => Some(refer),
        _ => None,
    });
    net.at("room", |now, agent, _| agent.accept_refer(now, refer.unwrap()).unwrap());
    let progress = net.ladder.clone();
    assert_eq!(says_focus(&mut net, "202 REFER"), [true]);
    net.ladder = progress;
    assert_eq!(says_focus(&mut net, "NOTIFY"), [true]);
}

/// A REFER of alice to the room, outside of any call, and how it is answered.
fn refer_outside(net: &mut Net, request: &ReferRequest) -> (Option<sidetone_sip_ua::ReferTarget>, u16) {
    let room = net.uri("room");
    net.at("alice", |now, agent, account| agent.refer_outside(now, account, &room, request).unwrap());
    let referred = net.events("room").into_iter().find_map(|event| match event {
        Event::Referred { refer, call: None, target, .. } => Some((refer, target)),
        _ => None,
    });
    let target = referred.map(|(refer, target)| {
        net.at("room", |now, agent, _| {
            agent.accept_refer(now, refer).unwrap();
            agent.refer_progress(now, refer, StatusCode::OK).unwrap();
        });
        *target
    });
    let status = net.ladder.iter().rev().find_map(|arrow| match &arrow.message {
        Message::Response(response) if arrow.label().ends_with(" REFER") => Some(response.status.code()),
        _ => None,
    });
    (target, status.unwrap())
}

#[test]
fn somebody_is_put_out_by_a_focus_alone() {
    let bye: ReferRequest = ReferRequest::to_put_out("sip:bob@192.0.2.2".parse().unwrap());
    assert_eq!(bye.to.as_str(), "sip:bob@192.0.2.2;method=BYE");
    for (focus, status) in [(true, 202), (false, 501)] {
        let mut net = Net::new(&["alice", "bob", "room"], |_, config| {
            config.refer = ReferPolicy::Always;
            config.refer_bye = focus;
        });
        let (target, answered) = refer_outside(&mut net, &bye);
        assert_eq!(answered, status);
        assert_eq!(target.is_some(), focus);
        if let Some(target) = target {
            assert_eq!((target.method, target.to.uri.as_str()), (Method::BYE, "sip:bob@192.0.2.2"));
            assert_eq!(target.from.uri.user().as_deref(), Some("alice"));
            assert_eq!(target.request_uri, net.uri("room"));
            assert_eq!(progress(&mut net).last(), Some(&ReferProgress::Done(StatusCode::OK)));
        }
        // What else a Refer-To may ask for is nobody's.
        let message = ReferRequest::new("sip:bob@192.0.2.2;method=MESSAGE".parse().unwrap());
        assert_eq!(refer_outside(&mut net, &message).1, 501);
    }
}

#[test]
fn a_focus_that_calls_somebody_says_so_too() {
    let mut net = Net::new(&["room", "bob"], |_, _| {});
    let bob = net.uri("bob");
    net.at("room", |now, agent, account| {
        let request = CallRequest::new(bob).with_offer(offer().unwrap()).as_focus();
        agent.call_with(now, account, request).unwrap()
    });
    let (call, _) = incoming(&mut net, "bob");
    answer(&mut net, "bob", call);
    // By its From: where it calls from is no address to call.
    let account = format!("sip:room@{}", net.party("room").address.ip());
    assert_eq!(net.party("bob").agent.focus(call), Some(account.parse().unwrap()));
}

#[test]
fn somebody_is_referred_to_the_conference_or_the_conference_to_somebody() {
    let (mut net, with_bob, focus) = conference();
    let (room, bob) = (net.uri("room"), net.uri("bob"));
    let agent = &net.party("alice").agent;
    let (asked, request) = agent.join_request(with_bob, focus, JoinOrder::Member).unwrap();
    assert_eq!((asked, request.to), (with_bob, room.without_headers()));
    let (asked, request) = agent.join_request(with_bob, focus, JoinOrder::Focus).unwrap();
    assert_eq!((asked, request.to.without_headers()), (focus, bob.without_headers()));
    let replaces = request.to.header_fields().unwrap().get::<Replaces>().unwrap().unwrap();
    assert!(!replaces.early_only());
    assert!(agent.join_request(with_bob, focus, JoinOrder::Member).is_ok());
}

/// Alice calls Carol, where it rings; Bob, with whom Alice talks, is referred to that call.
fn semi_attended(milder: bool) -> (Net, CallId, CallId) {
    let mut net = Net::new(&["alice", "bob", "carol"], |name, config| {
        config.replace_ringing = milder && name == "carol";
    });
    let (with_bob, _) = net.call("alice", "bob");
    let carol = net.uri("carol");
    let calling = net.at("alice", |now, agent, account| agent.call(now, account, &carol, offer()).unwrap());
    let (ringing, _) = incoming(&mut net, "carol");
    net.at("carol", |now, agent, _| agent.ring(now, ringing).unwrap());
    let to = net.party("alice").agent.replacing(calling).unwrap();
    net.at("alice", |now, agent, _| agent.refer(now, with_bob, &ReferRequest::new(to)).unwrap());
    let (refer, target) = net
        .events("bob")
        .into_iter()
        .find_map(|event| match event {
            Event::Referred { refer, target, .. } => Some((refer, target)),
            _ => None,
        })
        .unwrap();
    let request = CallRequest::new(target.to.uri.clone())
        .with_offer(offer().unwrap())
        .with_headers(target.headers.clone())
        .for_refer(refer);
    net.at("bob", |now, agent, account| {
        agent.accept_refer(now, refer).unwrap();
        agent.call_with(now, account, request).unwrap()
    });
    (net, calling, ringing)
}

fn progress(net: &mut Net) -> Vec<ReferProgress> {
    let of = |event| match event {
        Event::Refer { progress, .. } => Some(progress),
        _ => None,
    };
    net.events("alice").into_iter().filter_map(of).collect()
}

#[test]
fn a_call_that_rings_is_taken_over_where_that_is_allowed() {
    let (mut net, calling, ringing) = semi_attended(true);
    let (taking, replaced) = incoming(&mut net, "carol");
    assert_eq!(replaced, Some(ringing));
    answer(&mut net, "carol", taking);
    let refused = net.ladder.iter().any(|arrow| match &arrow.message {
        Message::Response(response) => {
            arrow.to == "alice" && response.status == StatusCode::REQUEST_TERMINATED
        }
        Message::Request(_) => false,
    });
    assert!(refused, "the call that rang is over");
    assert_eq!(progress(&mut net).last(), Some(&ReferProgress::Done(StatusCode::OK)));
    assert_eq!(net.party("alice").agent.call_state(calling), None);
}

#[test]
fn by_the_rfc_a_call_that_rings_stays_whose_it_is() {
    let (mut net, calling, _) = semi_attended(false);
    assert_eq!(progress(&mut net).last(), Some(&ReferProgress::Done(StatusCode::CALL_DOES_NOT_EXIST)));
    assert!(net.party("alice").agent.call_state(calling).is_some(), "it rings on");
    let cancels = net.said().iter().filter(|line| line.contains("CANCEL")).count();
    assert_eq!(cancels, 0);
}

#[test]
fn music_that_is_left_while_its_offer_is_on_the_way_takes_the_answer_with_it() {
    const SERVER: &str = "v=0\r\no=music 1 1 IN IP4 192.0.2.3\r\ns=-\r\nc=IN IP4 192.0.2.3\r\nt=0 0\r\nm=audio 7000 RTP/AVP 0\r\n";
    let mut net = Net::new(&["alice", "bob", "music"], |_, _| {});
    let (call, at_bob) = net.call("alice", "bob");
    let server = net.uri("music");
    let mut music = net.at("alice", |now, agent, _| {
        MusicOnHold::begin(agent, now, call, &server, OFFER.as_bytes()).unwrap()
    });
    let (at_server, _) = incoming(&mut net, "music");
    net.at("music", |now, agent, _| {
        agent.answer(now, at_server, Bytes::from_static(SERVER.as_bytes())).unwrap()
    });
    for event in net.events("alice") {
        net.at("alice", |now, agent, _| music.handle_event(agent, now, &event));
    }
    let before = music.version();
    net.at("alice", |now, agent, _| music.leave(agent, now));
    assert!(!music.is_over());
    net.at("bob", |now, agent, _| {
        agent.answer_offer(now, at_bob, Bytes::from_static(ANSWER.as_bytes())).unwrap()
    });
    let mut steps = Vec::new();
    for event in net.events("alice") {
        steps.push(net.at("alice", |now, agent, _| music.handle_event(agent, now, &event)));
    }
    assert!(steps.contains(&MusicStep::Taken) && music.is_over(), "{steps:?}");
    assert_eq!(music.version(), before);
    net.advance(Duration::from_secs(60));
    assert!(net.party("music").agent.is_idle());
}
