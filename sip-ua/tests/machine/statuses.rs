//! What the status of an answer means to a call of ours, for every status of Yealink's appendix (YLC-137 to YLC-185).

use crate::support::*;
use sidetone_sip_core::{Method, StatusCode};
use sidetone_sip_ua::{CallState, EndedBy, Event};

/// A call of ours, without extensions and with one server, whose INVITE has just gone out.
fn calling() -> (Harness, sidetone_sip_ua::CallId, sidetone_sip_core::Request) {
    let mut harness = Harness::new();
    let account = harness.account();
    let to = uri("sip:bob@192.0.2.2");
    let call = harness.agent.call(harness.now, account, &to, Some(body(OFFER))).unwrap();
    let invite = harness.request(Method::INVITE);
    (harness, call, invite)
}

#[test]
fn every_refusal_of_the_appendix_ends_the_call_with_its_status_and_words() {
    for (code, words) in [
        (400, "Bad Request"),
        (402, "Payment Required"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
        (406, "Not Acceptable"),
        (408, "Request Timeout"),
        (409, "Conflict"),
        (410, "Gone"),
        (411, "Length Required"),
        (413, "Request Entity Too Large"),
        (414, "Request-URI Too Long"),
        (415, "Unsupported Media Type"),
        (416, "Unsupported URI Scheme"),
        (420, "Bad Extension"),
        (421, "Extension Required"),
        (423, "Interval Too Brief"),
        (480, "Temporarily Unavailable"),
        (481, "Call/Transaction Does Not Exist"),
        (482, "Loop Detected"),
        (483, "Too Many Hops"),
        (484, "Address Incomplete"),
        (485, "Ambiguous"),
        (486, "Busy Here"),
        (487, "Request Terminated"),
        (488, "Not Acceptable Here"),
        (493, "Undecipherable"),
        (500, "Server Internal Error"),
        (501, "Not Implemented"),
        (502, "Bad Gateway"),
        (503, "Service Unavailable"),
        (504, "Server Time-out"),
        (505, "Version Not Supported"),
        (600, "Busy Everywhere"),
        (603, "Decline"),
        (604, "Does Not Exist Anywhere"),
        (606, "Not Acceptable"),
    ] {
        let (mut harness, call, invite) = calling();
        let mut refusal = reply(&invite, code, "one");
        refusal.reason = words.into();
        harness.put(refusal);
        let ack = harness.request(Method::ACK);
        assert_eq!(seq(&ack), seq(&invite), "{code}");
        let cause = harness.ended();
        assert_eq!((cause.by, cause.status.map(StatusCode::code)), (EndedBy::Remote, Some(code)));
        assert_eq!(&*cause.reason, words);
        assert_eq!(harness.agent.call_state(call), None, "{code}: nothing is left of it");
        // Nothing more is sent for it.
        harness.ms(64_000);
        harness.silent();
    }
}

#[test]
fn a_refusal_that_nobody_knows_is_that_of_its_class() {
    for code in [499, 599, 699] {
        let (mut harness, call, invite) = calling();
        harness.put(reply(&invite, code, "one"));
        harness.request(Method::ACK);
        assert_eq!(harness.ended().status.map(StatusCode::code), Some(code));
        assert_eq!(harness.agent.call_state(call), None);
    }
}

#[test]
fn a_call_that_is_being_forwarded_goes_on_waiting() {
    let (mut harness, call, invite) = calling();
    harness.answer(&invite, 181, "one");
    assert!(matches!(harness.event(), Event::Progress { status, .. } if status.code() == 181));
    harness.ms(31_000);
    harness.silent();
    harness.answer(&invite, 180, "two");
    assert!(matches!(harness.event(), Event::Progress { status: StatusCode::RINGING, .. }));
    assert_eq!(harness.agent.call_state(call), Some(CallState::Ringing));
}
