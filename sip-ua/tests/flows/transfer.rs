//! Flows 6 and 7: transfer, blind and with consultation.
//!
//! The figures of both leave four numbers out just behind the 202 (F13 to F16, F27 to F30), which the tables of steps
//! give to what follows. A NOTIFY through a proxy and its 200 are four messages, and RFC 3515 §2.4.4 wants one there at once:
//! with it the figures' numbers come out right.

use crate::stage::{Stage, sdp};
use sidetone_sip_core::header::{CallId as CallIdHeader, ReferTo, ReferredBy, Replaces};
use sidetone_sip_core::{Method, StatusCode};
use sidetone_sip_ua::{
    CallId, CallRequest, CallState, Event, ReferProgress, ReferRequest, ReferTarget, WatcherId,
};

pub const BLIND: &str = "
    F1  A -> proxy: INVITE
    F2  proxy -> B: INVITE
    F3  B -> proxy: 180 Ringing (INVITE)
    F4  proxy -> A: 180 Ringing (INVITE)
    F5  B -> proxy: 200 OK (INVITE)
    F6  proxy -> A: 200 OK (INVITE)
    F7  A -> proxy: ACK
    F8  proxy -> B: ACK
    F9  B -> proxy: REFER
    F11 proxy -> A: REFER
    F12 A -> proxy: 202 Accepted (REFER)
    +   A -> proxy: NOTIFY 100              // RFC 3515 §2.4.4: at once. The manual shows no NOTIFY at all.
    F10 proxy -> B: 202 Accepted (REFER)    // The manual's proxy answers by itself. A proxy forwards (RFC 3261 §16.7).
    +   proxy -> B: NOTIFY 100
    +   B -> proxy: 200 OK (NOTIFY)
    +   proxy -> A: 200 OK (NOTIFY)
    F13 B -> proxy: BYE
    F14 proxy -> A: BYE
    F15 A -> proxy: 200 OK (BYE)
    F16 proxy -> B: 200 OK (BYE)
    F17 A -> proxy: INVITE
    F18 proxy -> C: INVITE
    F19 C -> proxy: 180 Ringing (INVITE)
    F20 proxy -> A: 180 Ringing (INVITE)
    +   A -> proxy: NOTIFY 180              // The dialog of A and B lives on for these (RFC 5057 §4.1).
    +   proxy -> B: NOTIFY 180
    +   B -> proxy: 200 OK (NOTIFY)
    +   proxy -> A: 200 OK (NOTIFY)
    F21 C -> proxy: 200 OK (INVITE)
    F22 proxy -> A: 200 OK (INVITE)
    F23 A -> proxy: ACK
    +   A -> proxy: NOTIFY 200 (end)
    F24 proxy -> C: ACK
    +   proxy -> B: NOTIFY 200 (end)
    +   B -> proxy: 200 OK (NOTIFY)
    +   proxy -> A: 200 OK (NOTIFY)";

pub const ATTENDED: &str = "
    F1  A -> proxy: INVITE
    F2  proxy -> B: INVITE
    F3  B -> proxy: 180 Ringing (INVITE)
    F4  proxy -> A: 180 Ringing (INVITE)
    F5  B -> proxy: 200 OK (INVITE)
    F6  proxy -> A: 200 OK (INVITE)
    F7  A -> proxy: ACK
    F8  proxy -> B: ACK
    F9  A -> proxy: INVITE sendonly
    F10 proxy -> B: INVITE sendonly
    F11 B -> proxy: 200 OK (INVITE)
    F12 proxy -> A: 200 OK (INVITE)
    F13 A -> proxy: ACK
    F14 proxy -> B: ACK
    F15 A -> proxy: INVITE
    F16 proxy -> C: INVITE
    F17 C -> proxy: 180 Ringing (INVITE)
    F18 proxy -> A: 180 Ringing (INVITE)
    F19 C -> proxy: 200 OK (INVITE)
    F20 proxy -> A: 200 OK (INVITE)
    F21 A -> proxy: ACK
    F22 proxy -> C: ACK
    F23 A -> proxy: REFER
    F25 proxy -> B: REFER
    F26 B -> proxy: 202 Accepted (REFER)
    +   B -> proxy: NOTIFY 100
    F24 proxy -> A: 202 Accepted (REFER)    // As in flow 6.
    +   proxy -> A: NOTIFY 100
    +   A -> proxy: 200 OK (NOTIFY)
    +   proxy -> B: 200 OK (NOTIFY)
    F27 A -> proxy: BYE
    F28 proxy -> B: BYE
    F29 B -> proxy: 200 OK (BYE)
    F30 proxy -> A: 200 OK (BYE)
    +   B -> proxy: INVITE Replaces         // The manual ends before the call that it is all for (RFC 5589 §7, RFC 3891).
    +   proxy -> C: INVITE Replaces
    +   C -> proxy: 200 OK (INVITE)
    +   C -> proxy: BYE                     // C takes the consultation call down (RFC 3891 §3).
    +   proxy -> B: 200 OK (INVITE)
    +   proxy -> A: BYE
    +   B -> proxy: ACK
    +   B -> proxy: NOTIFY 200 (end)
    +   A -> proxy: 200 OK (BYE)
    +   proxy -> C: ACK
    +   proxy -> A: NOTIFY 200 (end)
    +   proxy -> C: 200 OK (BYE)
    +   A -> proxy: 200 OK (NOTIFY)
    +   proxy -> B: 200 OK (NOTIFY)";

fn accept(stage: &mut Stage, name: &'static str) -> (WatcherId, Box<ReferTarget>) {
    let referred = stage.events(name).into_iter().find_map(|event| match event {
        Event::Referred { refer, target, call: Some(_), .. } => Some((refer, target)),
        _ => None,
    });
    let (refer, target) = referred.expect("a REFER came");
    stage.act(name, "takes the transfer", |now, agent, _| agent.accept_refer(now, refer).unwrap());
    (refer, target)
}

fn follow(stage: &mut Stage, name: &'static str, (refer, target): (WatcherId, Box<ReferTarget>)) -> CallId {
    let request = CallRequest::new(target.to.uri.clone())
        .with_offer(sdp(1, "sendrecv"))
        .with_headers(target.headers.clone())
        .for_refer(refer);
    stage.act(name, "calls C", |now, agent, account| agent.call_with(now, account, request).unwrap())
}

fn progress(stage: &mut Stage, name: &str) -> Vec<ReferProgress> {
    let of = |event| match event {
        Event::Refer { progress, .. } => Some(progress),
        _ => None,
    };
    stage.events(name).into_iter().filter_map(of).collect()
}

#[test]
fn flow_6_a_blind_transfer() {
    let mut stage = Stage::new();
    let (_, at_b) = stage.talk("A", "B");
    stage.act("B", "transfers A to C", |now, agent, _| {
        agent.refer(now, at_b, &ReferRequest::new(Stage::uri("C"))).unwrap()
    });
    let refer = stage.requests("B", &Method::REFER).pop().unwrap();
    assert_eq!(refer.headers.require::<ReferTo>().unwrap().0.uri, Stage::uri("C"));
    assert_eq!(refer.headers.require::<ReferredBy>().unwrap().0.uri, Stage::uri("B"));
    let referred = accept(&mut stage, "A");
    stage.hang_up("B", at_b);
    let out = follow(&mut stage, "A", referred);
    let at_c = stage.ring("C");
    stage.pick_up("C", at_c);
    assert_eq!(stage.state("C", at_c), Some(CallState::Established));
    assert_eq!(
        progress(&mut stage, "B"),
        [
            ReferProgress::Accepted { more: true },
            ReferProgress::Trying(StatusCode::TRYING),
            ReferProgress::Trying(StatusCode::RINGING),
            ReferProgress::Done(StatusCode::OK)
        ]
    );
    // F17: a Call-ID of its own, and who asked for the call.
    let invites = stage.requests("A", &Method::INVITE);
    let call_id = |place: usize| invites[place].headers.require::<CallIdHeader>().unwrap();
    assert_ne!(call_id(0).as_str(), call_id(1).as_str());
    assert_eq!(invites[1].headers.require::<ReferredBy>().unwrap().0.uri, Stage::uri("B"));
    stage.compare("flow_06", "Flow 6: blind transfer", BLIND, &[("A", out)]);
}

#[test]
fn flow_7_an_attended_transfer() {
    let mut stage = Stage::new();
    let (a_b, _) = stage.talk("A", "B");
    stage.redirect_media("A", a_b, "holds B", "sendonly", "B");
    let (a_c, c_a) = stage.talk("A", "C");
    stage.act("A", "transfers B to C", |now, agent, _| {
        let to = agent.replacing(a_c).unwrap();
        agent.refer(now, a_b, &ReferRequest::new(to)).unwrap()
    });
    let referred = accept(&mut stage, "B");
    assert!(referred.1.replaces.is_some());
    stage.hang_up("A", a_b);
    let out = follow(&mut stage, "B", referred);
    let replaced = stage.events("C").into_iter().find_map(|event| match event {
        Event::Incoming { call, invite, .. } => Some((call, invite.replaces)),
        _ => None,
    });
    let (at_c, replaces) = replaced.unwrap();
    assert_eq!(replaces, Some(c_a));
    assert!(stage.requests("B", &Method::INVITE)[0].headers.require::<Replaces>().is_ok());
    // It is the call that is up already, so C's phone does not ring.
    stage.pick_up("C", at_c);
    assert_eq!(stage.state("C", at_c), Some(CallState::Established));
    assert_eq!(stage.state("A", a_c), None);
    assert_eq!(progress(&mut stage, "A").last(), Some(&ReferProgress::Done(StatusCode::OK)));
    stage.compare("flow_07", "Flow 7: attended transfer", ATTENDED, &[("B", out)]);
}
