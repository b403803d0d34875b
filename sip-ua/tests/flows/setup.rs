//! Flows 1 to 3: a call that is answered, one to somebody busy, and one that nobody answers.

use crate::stage::Stage;
use sidetone_sip_core::header::{CSeq, CallId, Contact, From, To};
use sidetone_sip_core::{Method, Request, StatusCode};
use sidetone_sip_ua::{EndedBy, Event};

pub const SUCCESS: &str = "
    F1  A -> proxy: INVITE
    F2  proxy -> B: INVITE
    F4  proxy -> A: 100 Trying (INVITE)     // 100 goes over one hop only (RFC 3261 §16.7 step 5), so that of the proxy is
    F3  B -> proxy: 100 Trying (INVITE)     // its own and 5 ms earlier; the manual has the proxy forward that of B.
    F5  B -> proxy: 180 Ringing (INVITE)
    F6  proxy -> A: 180 Ringing (INVITE)
    F7  B -> proxy: 200 OK (INVITE)
    F8  proxy -> A: 200 OK (INVITE)
    F9  A -> proxy: ACK
    F10 proxy -> B: ACK
    F11 B -> proxy: BYE
    F12 proxy -> A: BYE
    F13 A -> proxy: 200 OK (BYE)
    F14 proxy -> B: 200 OK (BYE)";

pub const BUSY: &str = "
    F1  A -> proxy: INVITE
    F2  proxy -> B: INVITE
    F4  proxy -> A: 100 Trying (INVITE)     // As in flow 1.
    F3  B -> proxy: 100 Trying (INVITE)
    F5  B -> proxy: 486 Busy Here (INVITE)
    F8  proxy -> B: ACK                     // An ACK to a refusal goes over one hop only (RFC 3261 §16.7 step 9, §17.1.1.3):
    F6  proxy -> A: 486 Busy Here (INVITE)  // the proxy sends it at once and does not wait for that of A.
    F7  A -> proxy: ACK";

pub const NO_ANSWER: &str = "
    F1  A -> proxy: INVITE
    F2  proxy -> B: INVITE
    F3  B -> proxy: 180 Ringing (INVITE)
    F4  proxy -> A: 180 Ringing (INVITE)
    F5  A -> proxy: CANCEL
    F8  proxy -> A: 200 OK (CANCEL)         // CANCEL is answered by each hop (RFC 3261 §9.2, §16.10): the proxy does not wait.
    F6  proxy -> B: CANCEL
    F7  B -> proxy: 200 OK (CANCEL)
    +   B -> proxy: 487 Request Terminated (INVITE)  // The INVITE needs its own end (§9.2), which the manual leaves out.
    +   proxy -> B: ACK
    +   proxy -> A: 487 Request Terminated (INVITE)
    +   A -> proxy: ACK";

#[test]
fn flow_1_a_call_is_answered_and_ended_by_the_called_side() {
    let mut stage = Stage::new();
    let out = stage.call("A", "B");
    let at = stage.incoming("B");
    // B's phone takes its time.
    stage.pass(300);
    stage.act("B", "rings", |now, agent, _| agent.ring(now, at).unwrap());
    stage.pick_up("B", at);
    stage.hang_up("B", at);
    let ended = stage.events("A").into_iter().find_map(|event| match event {
        Event::Ended { call, cause } if call == out => Some(cause.by),
        _ => None,
    });
    assert_eq!(ended, Some(EndedBy::Remote));
    as_the_manual_describes(&stage.requests("A", &Method::INVITE)[0]);
    stage.compare("flow_01", "Flow 1: successful call set-up and release", SUCCESS, &[]);
}

/// What the manual says of the first INVITE (YLC-007).
pub fn as_the_manual_describes(invite: &Request) {
    assert_eq!(invite.uri.host_str(), "192.0.2.100");
    let From(from) = invite.headers.require().unwrap();
    assert_eq!(from.uri.user().as_deref(), Some("A"));
    assert!(from.tag().is_some());
    let to: To = invite.headers.require().unwrap();
    assert!(to.tag().is_none());
    // The manual says that the Call-ID is numeric; RFC 3261 §8.1.1.4 only wants it to be unique.
    assert!(invite.headers.require::<CallId>().unwrap().as_str().len() >= 16);
    assert_eq!(invite.headers.require::<CSeq>().unwrap().method, Method::INVITE);
    // The Contact names A.
    let contact: Contact = invite.headers.require().unwrap();
    assert_eq!(contact.uri().unwrap().host_str(), "192.0.2.1");
    // What A can receive, and where.
    assert!(String::from_utf8_lossy(&invite.body).contains("m=audio 4000 RTP/AVP 0"));
}

#[test]
fn flow_2_the_called_side_is_busy() {
    let mut stage = Stage::new();
    let out = stage.call("A", "B");
    let at = stage.incoming("B");
    stage.pass(300);
    stage.act("B", "is busy", |now, agent, _| agent.reject(now, at, StatusCode::BUSY_HERE).unwrap());
    let ended = stage.events("A").into_iter().find_map(|event| match event {
        Event::Ended { call, cause } if call == out => cause.status,
        _ => None,
    });
    assert_eq!(ended, Some(StatusCode::BUSY_HERE));
    stage.compare("flow_02", "Flow 2: unsuccessful call, called user busy", BUSY, &[]);
}

#[test]
fn flow_3_nobody_answers() {
    let mut stage = Stage::new();
    let out = stage.call("A", "B");
    let at = stage.ring("B");
    stage.pass(20_000);
    stage.hang_up("A", out);
    let cancelled = stage.events("B").into_iter().any(
        |event| matches!(event, Event::Ended { call, cause } if call == at && cause.by == EndedBy::Remote),
    );
    assert!(cancelled);
    stage.compare("flow_03", "Flow 3: unsuccessful call, no answer", NO_ANSWER, &[]);
}
