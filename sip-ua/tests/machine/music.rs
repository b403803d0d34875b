//! Music on hold from a server (RFC 7088).

use crate::net::Net;
use crate::support::{ANSWER, OFFER};
use bytes::Bytes;
use sidetone_hal::time::Duration;
use sidetone_sip_core::StatusCode;
use sidetone_sip_ua::{CallId, CallState, Event, MusicOnHold, MusicStep};

const SERVER: &str =
    "v=0\r\no=music 1 1 IN IP4 192.0.2.3\r\ns=-\r\nc=IN IP4 192.0.2.3\r\nt=0 0\r\nm=audio 7000 RTP/AVP 0\r\n";

fn held() -> (Net, CallId, CallId, MusicOnHold) {
    let mut net = Net::new(&["alice", "bob", "music"], |_, _| {});
    let (call, at_bob) = net.call("alice", "bob");
    let server = net.uri("music");
    let music = net.at("alice", |now, agent, _| {
        MusicOnHold::begin(agent, now, call, &server, OFFER.as_bytes()).unwrap()
    });
    (net, call, at_bob, music)
}

/// Gives Alice's events to the music; what it said of them.
fn pump(net: &mut Net, music: &mut MusicOnHold) -> Vec<MusicStep> {
    let mut steps = Vec::new();
    loop {
        let events = net.events("alice");
        if events.is_empty() {
            return steps;
        }
        for event in events {
            steps.push(net.at("alice", |now, agent, _| music.handle_event(agent, now, &event)));
        }
    }
}

fn answer_music(net: &mut Net) {
    let call = net.events("music").into_iter().find_map(|event| match event {
        Event::Incoming { call, invite, .. } => {
            assert!(invite.offer.is_none(), "the server makes the offer");
            Some(call)
        }
        _ => None,
    });
    net.at("music", |now, agent, _| {
        agent.answer(now, call.unwrap(), Bytes::from_static(SERVER.as_bytes())).unwrap()
    });
}

fn offered(net: &mut Net) -> String {
    let body = net.events("bob").into_iter().find_map(|event| match event {
        Event::Offer { body, .. } => body,
        _ => None,
    });
    String::from_utf8(body.expect("a re-INVITE came").to_vec()).unwrap()
}

#[test]
fn the_held_side_hears_the_server_and_is_taken_back() {
    let (mut net, call, at_bob, mut music) = held();
    answer_music(&mut net);
    pump(&mut net, &mut music);
    let offer = offered(&mut net);
    assert!(offer.contains("o=- 1 2 IN IP4 192.0.2.1") && offer.contains("c=IN IP4 192.0.2.3"), "{offer}");
    assert!(offer.contains("a=sendonly"), "{offer}");
    net.at("bob", |now, agent, _| {
        agent.answer_offer(now, at_bob, Bytes::from_static(ANSWER.as_bytes())).unwrap()
    });
    assert_eq!(pump(&mut net, &mut music).last(), Some(&MusicStep::Playing));
    // The server learns where to send.
    let answered = net
        .events("music")
        .into_iter()
        .any(|event| matches!(event, Event::Answer { body: Some(body), .. } if body == ANSWER.as_bytes()));
    assert!(answered);
    let server = music.music();
    net.at("alice", |now, agent, _| music.resume(agent, now, OFFER.as_bytes()).unwrap());
    assert!(offered(&mut net).contains("o=- 1 3 IN IP4 192.0.2.1"));
    assert_eq!(net.party("alice").agent.call_state(server), None);
    net.at("bob", |now, agent, _| {
        agent.answer_offer(now, at_bob, Bytes::from_static(ANSWER.as_bytes())).unwrap()
    });
    net.at("alice", |now, agent, _| agent.hangup(now, call).unwrap());
    net.advance(Duration::from_secs(60));
    assert!(net.parties.iter().all(|party| party.agent.is_idle()));
}

#[test]
fn a_server_that_is_busy_leaves_the_call_as_it_was() {
    let (mut net, call, _, mut music) = held();
    let incoming = net.events("music").into_iter().find_map(|event| match event {
        Event::Incoming { call, .. } => Some(call),
        _ => None,
    });
    net.at("music", |now, agent, _| agent.reject(now, incoming.unwrap(), StatusCode::BUSY_HERE).unwrap());
    assert_eq!(pump(&mut net, &mut music), [MusicStep::Over(Some(StatusCode::BUSY_HERE))]);
    assert_eq!(net.party("alice").agent.call_state(call), Some(CallState::Established));
}

#[test]
fn a_held_side_that_refuses_the_music_or_leaves_ends_it() {
    for leaves in [true, false] {
        let (mut net, _, at_bob, mut music) = held();
        answer_music(&mut net);
        pump(&mut net, &mut music);
        net.at("bob", |now, agent, _| {
            if leaves {
                agent.hangup(now, at_bob).unwrap();
            } else {
                agent.reject_offer(now, at_bob, StatusCode::NOT_ACCEPTABLE_HERE).unwrap();
            }
        });
        let steps = pump(&mut net, &mut music);
        let refused = steps.contains(&MusicStep::Over(Some(StatusCode::NOT_ACCEPTABLE_HERE)));
        assert_eq!(refused, !leaves, "{steps:?}");
        net.advance(Duration::from_secs(60));
        assert!(net.party("music").agent.is_idle(), "nobody listens");
    }
}

#[test]
fn who_leaves_twice_still_takes_the_answer_to_the_musics_offer() {
    let (mut net, _, at_bob, mut music) = held();
    answer_music(&mut net);
    pump(&mut net, &mut music);
    offered(&mut net);
    for _ in 0..2 {
        net.at("alice", |now, agent, _| music.leave(agent, now));
        assert!(!music.is_over(), "its offer is with Bob");
    }
    net.at("bob", |now, agent, _| {
        agent.answer_offer(now, at_bob, Bytes::from_static(ANSWER.as_bytes())).unwrap()
    });
    assert!(pump(&mut net, &mut music).iter().all(|step| *step == MusicStep::Taken));
    assert!(music.is_over());
}
