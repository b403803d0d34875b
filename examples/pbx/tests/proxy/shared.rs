//! Shared lines: who may dial on which appearance, what rings where, and held calls that another telephone takes.

use crate::support::{Bench, Peer, peer};
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{CSeq, ContentType, PAssertedIdentity, Replaces, Supported};
use sidetone_sip_core::{HeaderName, Method, Request, Response, StatusCode};
use sidetone_sip_ua::feature::shared_line::{AppearanceState, Taken};
use sidetone_sip_ua::package::call_info::Appearance;

const LASTS: Duration = Duration::from_secs(15);

/// Alice and Bob share 500; Carol does not.
fn site() -> (Bench, Peer, Peer, Peer) {
    let mut bench = Bench::new();
    assert!(bench.proxy.add_shared_line("500", ["alice", "bob"], 2));
    let peers =
        (peer("alice", "10.0.0.2:5060"), peer("bob", "10.0.0.3:5060"), peer("carol", "10.0.0.4:5060"));
    for phone in [&peers.0, &peers.1, &peers.2] {
        bench.register(phone);
    }
    (bench, peers.0, peers.1, peers.2)
}

fn state(bench: &Bench, index: u16) -> AppearanceState {
    bench.proxy.line("500").unwrap().state(index)
}

fn holder(bench: &Bench, index: u16) -> String {
    bench.proxy.line("500").unwrap().holder(index).unwrap().into()
}

fn name(peer: &Peer) -> String {
    format!("{} {}", peer.user, peer.address)
}

fn seize(bench: &mut Bench, peer: &Peer, index: u16) -> Result<u16, Taken> {
    let now = bench.now;
    bench.proxy.seize_line(now, "500", Some(index), &name(peer), LASTS)
}

/// An INVITE with credentials that names an appearance of the line.
fn invite(bench: &mut Bench, caller: &Peer, callee: &str, call_id: &str, index: Option<u16>) -> Request {
    let mut request = caller.invite(callee, call_id, 1);
    request.headers.push(&Supported::from_iter(["replaces"]));
    if let Some(index) = index {
        let info = format!("<sip:500@10.0.0.1>;appearance-index={index}");
        request.headers.push_raw(HeaderName::CALL_INFO, info).unwrap();
    }
    let challenged = bench.ask(caller, &request);
    bench.ack(caller, &request, &challenged);
    let again = caller.authorize(&request, &challenged);
    bench.request(caller, &again);
    again
}

fn answer(bench: &mut Bench, callee: &Peer, invite: &Request) {
    let mut answer = bench.reply(callee, invite, StatusCode::OK);
    answer.headers.push(&Supported::from_iter(["replaces"]));
    bench.send(callee, answer.to_bytes());
}

fn ack(bench: &mut Bench, caller: &Peer, answered: &Response) {
    let cseq: CSeq = answered.headers.require().unwrap();
    let ack = bench.in_dialog(caller, answered, Method::ACK, cseq.seq);
    bench.request(caller, &ack);
}

fn sdp(direction: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na={direction}\r\n"
    )
}

/// Alice calls Carol on appearance 1, who answers.
fn established(bench: &mut Bench, alice: &Peer, carol: &Peer) -> Response {
    assert_eq!(seize(bench, alice, 1), Ok(1));
    invite(bench, alice, "carol", "c1", Some(1));
    let incoming = bench.incoming(carol, Method::INVITE);
    answer(bench, carol, &incoming);
    let answered = bench.response(alice);
    assert_eq!(answered.status, StatusCode::OK);
    ack(bench, alice, &answered);
    bench.incoming(carol, Method::ACK);
    answered
}

/// The caller changes the session of its call.
fn reinvite(
    bench: &mut Bench,
    caller: &Peer,
    callee: &Peer,
    answered: &Response,
    cseq: u32,
    direction: &str,
    private: bool,
) {
    let mut request = bench.in_dialog(caller, answered, Method::INVITE, cseq);
    if private {
        let info = "<sip:500@10.0.0.1>;appearance-index=1;appearance-state=held-private";
        request.headers.push_raw(HeaderName::CALL_INFO, info).unwrap();
    }
    request.set_body(&ContentType::SDP, sdp(direction));
    bench.request(caller, &request);
    let incoming = bench.incoming(callee, Method::INVITE);
    bench.answer(callee, &incoming, StatusCode::OK);
    assert_eq!(bench.response(caller).status, StatusCode::OK);
    // By the route of the dialog, which the answer to a re-INVITE does not name again.
    let ack = bench.in_dialog(caller, answered, Method::ACK, cseq);
    bench.request(caller, &ack);
    bench.incoming(callee, Method::ACK);
}

#[test]
fn whoever_seized_an_appearance_dials_on_it_and_nobody_else() {
    let (mut bench, alice, bob, carol) = site();
    assert_eq!(seize(&mut bench, &alice, 1), Ok(1));
    assert_eq!(seize(&mut bench, &bob, 1), Err(Taken::ByAnother));
    assert_eq!(state(&bench, 1), AppearanceState::Seized);
    invite(&mut bench, &bob, "carol", "b1", Some(1));
    assert_eq!(bench.response(&bob).status, StatusCode::BUSY_HERE);
    bench.silent(&carol);

    invite(&mut bench, &alice, "carol", "a1", Some(1));
    let incoming = bench.incoming(&carol, Method::INVITE);
    assert_eq!(Appearance::index_of(&incoming.headers), None, "the appearance is the line's own business");
    let asserted: PAssertedIdentity = incoming.headers.require().unwrap();
    assert_eq!(asserted.0.uri.to_string(), "sip:500@10.0.0.1");
    assert_eq!(state(&bench, 1), AppearanceState::Progressing);
    bench.advance(Duration::from_secs(20));
    assert_eq!(state(&bench, 1), AppearanceState::Progressing, "a call is no seizure that runs out");
    bench.answer(&carol, &incoming, StatusCode::DECLINE);
    assert_eq!(bench.response(&alice).status, StatusCode::DECLINE);
    assert_eq!(state(&bench, 1), AppearanceState::Idle);

    assert_eq!(seize(&mut bench, &bob, 2), Ok(2));
    bench.advance(LASTS);
    assert_eq!(state(&bench, 2), AppearanceState::Idle, "nobody dialled in time");
}

#[test]
fn who_does_not_share_the_line_has_no_appearance_of_it() {
    let (mut bench, alice, _, carol) = site();
    invite(&mut bench, &carol, "alice", "c1", Some(1));
    let incoming = bench.incoming(&alice, Method::INVITE);
    assert_eq!(Appearance::index_of(&incoming.headers), None);
    assert_eq!(state(&bench, 1), AppearanceState::Idle);
}

#[test]
fn a_call_to_the_line_rings_at_all_on_one_appearance_and_is_lost_to_who_answers() {
    let (mut bench, alice, bob, carol) = site();
    invite(&mut bench, &carol, "500", "c1", None);
    let (at_alice, at_bob) = (bench.incoming(&alice, Method::INVITE), bench.incoming(&bob, Method::INVITE));
    for incoming in [&at_alice, &at_bob] {
        assert_eq!(Appearance::index_of(&incoming.headers), Some(1));
    }
    assert_eq!(state(&bench, 1), AppearanceState::Alerting);
    answer(&mut bench, &bob, &at_bob);
    assert_eq!((state(&bench, 1), holder(&bench, 1)), (AppearanceState::Active, name(&bob)));
    let answered = bench.response(&carol);
    ack(&mut bench, &carol, &answered);
    bench.incoming_at_last(&bob, Method::ACK);
    let bye = bench.in_dialog(&carol, &answered, Method::BYE, 9);
    bench.request(&carol, &bye);
    let bye = bench.incoming(&bob, Method::BYE);
    bench.answer(&bob, &bye, StatusCode::OK);
    assert_eq!(state(&bench, 1), AppearanceState::Idle);
}

#[test]
fn a_line_whose_appearances_are_all_in_use_is_busy() {
    let (mut bench, alice, bob, carol) = site();
    assert_eq!((seize(&mut bench, &alice, 1), seize(&mut bench, &bob, 2)), (Ok(1), Ok(2)));
    invite(&mut bench, &carol, "500", "c1", None);
    assert_eq!(bench.response(&carol).status, StatusCode::BUSY_HERE);
    bench.silent(&alice);
}

#[test]
fn a_held_call_is_taken_by_another_telephone_and_only_one() {
    let (mut bench, alice, bob, carol) = site();
    let answered = established(&mut bench, &alice, &carol);
    assert_eq!((state(&bench, 1), holder(&bench, 1)), (AppearanceState::Active, name(&alice)));
    invite(&mut bench, &bob, "500", "b0", Some(1));
    assert_eq!(bench.response(&bob).status, StatusCode::BUSY_HERE, "it is not held");
    reinvite(&mut bench, &alice, &carol, &answered, 5, "sendonly", false);
    assert_eq!(state(&bench, 1), AppearanceState::Held);

    invite(&mut bench, &bob, "500", "b1", Some(1));
    let taking = bench.incoming(&carol, Method::INVITE);
    let replaces: Replaces = taking.headers.require().unwrap();
    assert!(replaces.matches(&"c1".into(), "carol5060tag", "alicetag"), "{replaces}");
    assert_eq!(state(&bench, 1), AppearanceState::Held, "until it is taken");
    // Alice's own second telephone comes too late.
    invite(&mut bench, &alice, "500", "a9", Some(1));
    assert_eq!(bench.response(&alice).status, StatusCode::BUSY_HERE);

    answer(&mut bench, &carol, &taking);
    let taken = bench.response(&bob);
    assert_eq!(taken.status, StatusCode::OK);
    ack(&mut bench, &bob, &taken);
    bench.incoming(&carol, Method::ACK);
    assert_eq!((state(&bench, 1), holder(&bench, 1)), (AppearanceState::Active, name(&bob)));
    // Carol hangs up the call that was held, which changes nothing for the line.
    let bye = bench.in_dialog(&alice, &answered, Method::BYE, 11);
    bench.request(&alice, &bye);
    let bye = bench.incoming(&carol, Method::BYE);
    bench.answer(&carol, &bye, StatusCode::OK);
    assert_eq!((state(&bench, 1), holder(&bench, 1)), (AppearanceState::Active, name(&bob)));

    let bye = bench.in_dialog(&bob, &taken, Method::BYE, 9);
    bench.request(&bob, &bye);
    let bye = bench.incoming(&carol, Method::BYE);
    bench.answer(&carol, &bye, StatusCode::OK);
    assert_eq!(state(&bench, 1), AppearanceState::Idle);
}

#[test]
fn a_call_held_for_oneself_is_nobody_else_s_and_goes_on() {
    let (mut bench, alice, bob, carol) = site();
    let answered = established(&mut bench, &alice, &carol);
    reinvite(&mut bench, &alice, &carol, &answered, 5, "sendonly", true);
    assert_eq!(state(&bench, 1), AppearanceState::HeldPrivate);
    invite(&mut bench, &bob, "500", "b1", Some(1));
    assert_eq!(bench.response(&bob).status, StatusCode::BUSY_HERE);
    reinvite(&mut bench, &alice, &carol, &answered, 6, "sendrecv", false);
    assert_eq!(state(&bench, 1), AppearanceState::Active);
}

#[test]
fn a_telephone_that_fails_to_take_a_held_call_leaves_it_where_it_was() {
    let (mut bench, alice, bob, carol) = site();
    let answered = established(&mut bench, &alice, &carol);
    reinvite(&mut bench, &alice, &carol, &answered, 5, "inactive", false);
    invite(&mut bench, &bob, "500", "b1", Some(1));
    let taking = bench.incoming(&carol, Method::INVITE);
    bench.answer(&carol, &taking, StatusCode::CALL_DOES_NOT_EXIST);
    assert_eq!(bench.response(&bob).status, StatusCode::CALL_DOES_NOT_EXIST);
    assert_eq!((state(&bench, 1), holder(&bench, 1)), (AppearanceState::Held, name(&alice)));
    invite(&mut bench, &bob, "500", "b2", Some(1));
    bench.incoming_at_last(&carol, Method::INVITE);
}

#[test]
fn a_caller_who_gives_up_leaves_the_line_idle() {
    let (mut bench, alice, _, carol) = site();
    bench.proxy.add_shared_line("501", ["carol"], 1);
    let request = invite(&mut bench, &carol, "500", "c1", None);
    bench.incoming(&alice, Method::INVITE);
    let mut cancel = request.clone();
    let cseq: CSeq = request.headers.require().unwrap();
    cancel.method = Method::CANCEL;
    cancel.headers.set(&CSeq { seq: cseq.seq, method: Method::CANCEL });
    bench.request(&carol, &cancel);
    bench.advance(Duration::from_secs(40));
    assert_eq!(state(&bench, 1), AppearanceState::Idle);
}
