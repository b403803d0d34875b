//! Flows 8 to 10: B's phone forwards, always, when it is busy, or when nobody answers.

use crate::stage::Stage;
use sidetone_sip_core::header::{CallId as CallIdHeader, Contact, Diversion};
use sidetone_sip_core::{Headers, Message, Method, StatusCode};
use sidetone_sip_ua::{CallId, CallState, Event, Refusal};

pub const ALWAYS: &str = "
    F1  A -> proxy: INVITE
    F2  proxy -> B: INVITE
    F3  B -> proxy: 302 Moved Temporarily (INVITE)
    F4  proxy -> B: ACK
    F5  proxy -> A: 302 Moved Temporarily (INVITE)
    F6  A -> proxy: ACK
    F7  A -> proxy: INVITE
    F8  proxy -> C: INVITE
    F9  C -> proxy: 180 Ringing (INVITE)
    F10 proxy -> A: 180 Ringing (INVITE)
    F11 C -> proxy: 200 OK (INVITE)
    F12 proxy -> A: 200 OK (INVITE)
    F13 A -> proxy: ACK
    F14 proxy -> C: ACK";

/// That a busy phone rings first is as the manual shows it; nothing speaks against it.
pub const BUSY: &str = NO_ANSWER;

pub const NO_ANSWER: &str = "
    F1  A -> proxy: INVITE
    F2  proxy -> B: INVITE
    F3  B -> proxy: 180 Ringing (INVITE)
    F4  proxy -> A: 180 Ringing (INVITE)
    F5  B -> proxy: 302 Moved Temporarily (INVITE)
    F6  proxy -> B: ACK
    F7  proxy -> A: 302 Moved Temporarily (INVITE)
    F8  A -> proxy: ACK
    F9  A -> proxy: INVITE
    F10 proxy -> C: INVITE
    F11 C -> proxy: 180 Ringing (INVITE)
    F12 proxy -> A: 180 Ringing (INVITE)
    F13 C -> proxy: 200 OK (INVITE)
    F14 proxy -> A: 200 OK (INVITE)
    F15 A -> proxy: ACK
    F16 proxy -> C: ACK";

/// B's phone sends the caller to C, who answers.
fn forward(stage: &mut Stage, out: CallId, at_b: CallId, reason: &str) {
    let mut headers = Headers::new();
    headers.push(&Contact::new(Stage::uri("C")));
    let diversion: Diversion = format!("<{}>;reason={reason}", Stage::uri("B")).parse().unwrap();
    headers.push(&diversion);
    let refusal = Refusal::from(StatusCode::MOVED_TEMPORARILY).with_headers(headers);
    stage.act("B", "forwards to C", |now, agent, _| agent.reject(now, at_b, refusal).unwrap());
    let moved = stage.messages("proxy", "A").into_iter().find_map(|message| match message {
        Message::Response(response) if response.status == StatusCode::MOVED_TEMPORARILY => Some(response),
        _ => None,
    });
    let diversion: Diversion = moved.unwrap().headers.require().unwrap();
    assert!(diversion.to_string().contains(reason), "{diversion}");
    // A's phone follows by itself, in the same call.
    let told = stage.events("A").into_iter().find_map(|event| match event {
        Event::Redirected { call, targets, .. } => Some((call, targets)),
        _ => None,
    });
    assert_eq!(told, Some((out, [Stage::uri("C")].into())));
    let invites = stage.requests("A", &Method::INVITE);
    // RFC 3261 §8.1.3.4 recommends the same Call-ID with a higher CSeq; the manual wants a new one, which is allowed and
    // keeps the two calls apart.
    let call_id = |place: usize| invites[place].headers.require::<CallIdHeader>().unwrap();
    assert_ne!(call_id(0).as_str(), call_id(1).as_str());
    assert_eq!(invites[1].headers.require::<Diversion>().unwrap(), diversion);
    let at_c = stage.ring("C");
    stage.pick_up("C", at_c);
    assert_eq!(stage.state("C", at_c), Some(CallState::Established));
    assert_eq!(stage.state("A", out), Some(CallState::Established));
}

#[test]
fn flow_8_every_call_is_forwarded() {
    let mut stage = Stage::new();
    let out = stage.call("A", "B");
    let at_b = stage.incoming("B");
    forward(&mut stage, out, at_b, "unconditional");
    stage.compare("flow_08", "Flow 8: always call forward", ALWAYS, &[("A", out)]);
}

#[test]
fn flow_9_a_busy_phone_forwards() {
    let mut stage = Stage::new();
    let out = stage.call("A", "B");
    let at_b = stage.ring("B");
    forward(&mut stage, out, at_b, "user-busy");
    stage.compare("flow_09", "Flow 9: busy call forward", BUSY, &[("A", out)]);
}

#[test]
fn flow_10_a_phone_that_nobody_answers_forwards() {
    let mut stage = Stage::new();
    let out = stage.call("A", "B");
    let at_b = stage.ring("B");
    stage.pass(20_000);
    forward(&mut stage, out, at_b, "no-answer");
    stage.compare("flow_10", "Flow 10: no-answer call forward", NO_ANSWER, &[("A", out)]);
}
