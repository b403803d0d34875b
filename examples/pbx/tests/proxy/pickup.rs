//! Taking calls that ring at others, and what lamps show meanwhile.

use crate::support::{Bench, Peer, peer};
use sidetone_hal::time::Duration;
use sidetone_pbx::{DialogEnd, DialogState, Direction, PbxEvent, PickupScope};
use sidetone_sip_core::header::{CSeq, CallInfo, Replaces, SessionExpires, Supported};
use sidetone_sip_core::{Method, StatusCode};
use sidetone_sip_ua::feature::cause::{Cancelled, cancelled};

fn phones(bench: &mut Bench) -> (Peer, Peer, Peer) {
    let (alice, bob, carol) =
        (peer("alice", "10.0.0.2:5060"), peer("bob", "10.0.0.3:5060"), peer("carol", "10.0.0.4:5060"));
    for phone in [&alice, &bob, &carol] {
        bench.register(phone);
    }
    (alice, bob, carol)
}

/// Alice calls Bob, whose telephone rings.
fn rings(bench: &mut Bench, alice: &Peer, bob: &Peer, call_id: &str, replaces: bool) {
    let mut request = alice.invite("bob", call_id, 1);
    if replaces {
        request.headers.push(&Supported::from_iter(["timer", "replaces"]));
    }
    let challenged = bench.ask(alice, &request);
    bench.ack(alice, &request, &challenged);
    bench.request(alice, &alice.authorize(&request, &challenged));
    let invite = bench.incoming(bob, Method::INVITE);
    bench.answer(bob, &invite, StatusCode::RINGING);
    assert_eq!(bench.response(alice).status, StatusCode::RINGING);
}

fn states(bench: &mut Bench) -> Vec<(String, DialogState)> {
    core::iter::from_fn(|| bench.proxy.poll_dialog()).map(|dialog| (dialog.user, dialog.state)).collect()
}

fn told(expected: &[(&str, DialogState)]) -> Vec<(String, DialogState)> {
    expected.iter().map(|(user, state)| (String::from(*user), *state)).collect()
}

#[test]
fn a_caller_that_knows_replaces_is_called_by_the_picker() {
    let mut bench = Bench::new();
    let (alice, bob, carol) = phones(&mut bench);
    rings(&mut bench, &alice, &bob, "c1", true);
    bench.invite(&carol, "*8bob", "p1");
    let invite = bench.incoming(&alice, Method::INVITE);
    assert_eq!(invite.uri, alice.contact());
    let replaces: Replaces = invite.headers.require().unwrap();
    // To the caller, its own tag is the local one (RFC 3891 §3).
    assert!(replaces.matches(&"c1".into(), "alicetag", "bob5060tag") && replaces.early_only());
    let picked =
        core::iter::from_fn(|| bench.event()).find(|event| matches!(event, PbxEvent::CallPickedUp { .. }));
    assert_eq!(
        picked,
        Some(PbxEvent::CallPickedUp { call_id: "c1".into(), from: "bob".into(), by: "carol".into() })
    );
    bench.answer(&alice, &invite, StatusCode::OK);
    assert_eq!(bench.response(&carol).status, StatusCode::OK);
    let lamps: Vec<_> = bench.proxy.dialogs().of_user("carol").collect();
    assert_eq!((lamps.len(), lamps[0].state), (1, DialogState::Confirmed));
}

#[test]
fn a_caller_that_does_not_know_replaces_is_answered_by_the_picker_as_by_one_more_telephone() {
    let mut bench = Bench::new();
    let (alice, bob, carol) = phones(&mut bench);
    rings(&mut bench, &alice, &bob, "c1", false);
    bench.invite(&carol, "*8bob", "p1");
    bench.silent(&alice);
    let invite = bench.incoming(&carol, Method::INVITE);
    assert_eq!(invite.headers.get::<CallInfo>().unwrap().unwrap().answer_after(), Some(0));
    assert_eq!(bench.response(&carol).status, StatusCode::REQUEST_TERMINATED);
    bench.answer(&carol, &invite, StatusCode::OK);
    let answered = bench.response(&alice);
    assert_eq!(answered.status, StatusCode::OK);
    let cancel = bench.incoming(&bob, Method::CANCEL);
    assert_eq!(cancelled(&cancel.headers), Cancelled::AnsweredElsewhere);
    assert!(bench.proxy.dialogs().of_user("bob").next().is_none());
    let bye = bench.in_dialog(&alice, &answered, Method::BYE, 9);
    bench.request(&alice, &bye);
    let bye = bench.incoming(&carol, Method::BYE);
    bench.answer(&carol, &bye, StatusCode::OK);
    assert!(bench.proxy.dialogs().is_empty());
}

/// Alice calls Bob and says that she knows Replaces; that Bob's telephone rings does not reach her. Her INVITE.
fn rings_unheard(bench: &mut Bench, alice: &Peer, bob: &Peer) {
    rings(bench, alice, bob, "c1", true);
    // What she has had is as good as lost: she knows nothing of it.
    bench.forget_messages();
}

/// Carol picks the call up, and Alice refuses the Replaces of a dialog that she does not know.
fn refused_and_taken_all_the_same(bench: &mut Bench, (alice, bob, carol): (&Peer, &Peer, &Peer)) {
    let invite = bench.incoming(alice, Method::INVITE);
    assert!(invite.headers.require::<Replaces>().unwrap().matches(&"c1".into(), "alicetag", "bob5060tag"));
    bench.answer(alice, &invite, StatusCode::CALL_DOES_NOT_EXIST);
    bench.incoming(alice, Method::ACK);
    let second = bench.incoming(carol, Method::INVITE);
    assert_eq!(second.headers.get::<CallInfo>().unwrap().unwrap().answer_after(), Some(0));
    assert_eq!(bench.response(carol).status, StatusCode::REQUEST_TERMINATED);
    // Her own call goes on meanwhile.
    bench.silent(alice);
    bench.silent(bob);
    bench.answer(carol, &second, StatusCode::OK);
    assert_eq!(bench.response(alice).status, StatusCode::OK);
    let cancel = bench.incoming(bob, Method::CANCEL);
    assert_eq!(cancelled(&cancel.headers), Cancelled::AnsweredElsewhere);
    assert_eq!(bench.proxy.dialogs().len(), 2);
}

#[test]
fn a_caller_that_has_not_heard_the_ringing_is_picked_up_all_the_same() {
    let mut bench = Bench::new();
    let (alice, bob, carol) = phones(&mut bench);
    rings_unheard(&mut bench, &alice, &bob);
    bench.invite(&carol, "*8bob", "p1");
    refused_and_taken_all_the_same(&mut bench, (&alice, &bob, &carol));
}

#[test]
fn a_lamp_takes_the_call_of_a_caller_that_has_not_heard_the_ringing() {
    let mut bench = Bench::new();
    let (alice, bob, carol) = phones(&mut bench);
    rings_unheard(&mut bench, &alice, &bob);
    let lamp = bench.proxy.dialogs().of_user("bob").next().unwrap().clone();
    let mut request = carol.invite("alice", "p1", 1);
    let (theirs, ours) = (lamp.remote_tag.unwrap(), lamp.local_tag.unwrap());
    request.headers.push(&Replaces::new(lamp.call_id.as_str().into(), theirs, ours).with_early_only());
    let challenged = bench.ask(&carol, &request);
    bench.ack(&carol, &request, &challenged);
    bench.request(&carol, &carol.authorize(&request, &challenged));
    refused_and_taken_all_the_same(&mut bench, (&alice, &bob, &carol));
}

#[test]
fn what_does_not_ring_any_more_cannot_be_replaced() {
    let mut bench = Bench::new();
    let (alice, bob, carol) = phones(&mut bench);
    rings_unheard(&mut bench, &alice, &bob);
    // Tags that nobody has are no call's.
    let mut request = carol.invite("alice", "p1", 1);
    request.headers.push(&Replaces::new("c1".into(), "alicetag", "guessed").with_early_only());
    let challenged = bench.ask(&carol, &request);
    bench.ack(&carol, &request, &challenged);
    bench.request(&carol, &carol.authorize(&request, &challenged));
    let invite = bench.incoming(&alice, Method::INVITE);
    bench.answer(&alice, &invite, StatusCode::CALL_DOES_NOT_EXIST);
    assert_eq!(bench.response(&carol).status, StatusCode::CALL_DOES_NOT_EXIST);
    bench.silent(&carol);
}

#[test]
fn a_group_takes_its_longest_ringing_call() {
    let mut bench = Bench::new();
    let (alice, bob, carol) = phones(&mut bench);
    bench.invite(&carol, "*9", "p0");
    assert_eq!(bench.response(&carol).status, StatusCode::NOT_FOUND);
    assert!(bench.proxy.add_pickup_group(["bob", "carol"]));
    rings(&mut bench, &alice, &bob, "older", true);
    bench.advance(Duration::from_secs(1));
    rings(&mut bench, &alice, &bob, "newer", true);
    bench.forget_messages();
    bench.invite(&carol, "*9", "p1");
    let invite = bench.incoming(&alice, Method::INVITE);
    assert_eq!(invite.headers.require::<Replaces>().unwrap().call_id, "older".into());
}

#[test]
fn only_what_rings_is_taken_and_only_by_those_who_may() {
    let mut bench = Bench::with(|config| config.calls.pickup = PickupScope::Group);
    let (alice, bob, carol) = phones(&mut bench);
    rings(&mut bench, &alice, &bob, "c1", true);
    bench.invite(&carol, "*8bob", "p1");
    assert_eq!(bench.response(&carol).status, StatusCode::FORBIDDEN);
    bench.proxy.add_pickup_group(["bob", "carol", "alice"]);
    bench.invite(&carol, "*8alice", "p2");
    assert_eq!(bench.response(&carol).status, StatusCode::NOT_FOUND);
    // The caller cannot take its own call.
    bench.invite(&alice, "*8bob", "p3");
    assert_eq!(bench.response(&alice).status, StatusCode::NOT_FOUND);
    bench.silent(&carol);
}

#[test]
fn lamps_follow_a_call_from_its_first_ring_to_its_end() {
    let mut bench = Bench::new();
    let (alice, bob, _) = phones(&mut bench);
    rings(&mut bench, &alice, &bob, "c1", true);
    let expected = [
        ("alice", DialogState::Trying),
        ("bob", DialogState::Trying),
        ("alice", DialogState::Early),
        ("bob", DialogState::Early),
    ];
    assert_eq!(states(&mut bench), told(&expected));
    let lamp = bench.proxy.dialogs().of_user("bob").next().unwrap();
    assert_eq!((lamp.direction, &*lamp.call_id), (Direction::Recipient, "c1"));
    assert_eq!(
        (lamp.local_tag.as_deref(), lamp.remote_tag.as_deref()),
        (Some("bob5060tag"), Some("alicetag"))
    );
    assert_eq!(lamp.remote.to_string(), "<sip:alice@10.0.0.1>");

    // Refused.
    bench.forget();
    let invite = bench.invite(&alice, "bob", "c2");
    let incoming = bench.incoming(&bob, Method::INVITE);
    bench.answer(&bob, &incoming, StatusCode::BUSY_HERE);
    let refused = bench.response(&alice);
    bench.ack(&alice, &invite, &refused);
    let rejected = DialogState::Terminated(DialogEnd::Rejected(486));
    let expected = [
        ("alice", DialogState::Trying),
        ("bob", DialogState::Trying),
        ("bob", rejected),
        ("alice", rejected),
    ];
    assert_eq!(states(&mut bench), told(&expected));
    assert_eq!(bench.proxy.dialogs().len(), 2, "the first call is still there");
}

#[test]
fn a_bye_that_never_comes_ends_a_lamp_by_the_session_timer() {
    let mut bench = Bench::new();
    let (alice, bob, _) = phones(&mut bench);
    bench.invite(&alice, "bob", "c1");
    let invite = bench.incoming(&bob, Method::INVITE);
    let mut answer = bench.reply(&bob, &invite, StatusCode::OK);
    answer.headers.push(&SessionExpires::new(300));
    bench.send(&bob, answer.to_bytes());
    let answered = bench.response(&alice);
    let cseq: CSeq = answered.headers.require().unwrap();
    let ack = bench.in_dialog(&alice, &answered, Method::ACK, cseq.seq);
    bench.request(&alice, &ack);
    states(&mut bench);
    bench.advance(Duration::from_secs(200));
    // A refresh from the other side.
    let update = bench.in_dialog_back(&bob, &invite, Method::UPDATE, 1);
    bench.request(&bob, &update);
    let update = bench.incoming_at_last(&alice, Method::UPDATE);
    let mut ok = bench.reply(&alice, &update, StatusCode::OK);
    ok.headers.push(&SessionExpires::new(300));
    bench.send(&alice, ok.to_bytes());
    bench.advance(Duration::from_secs(350));
    assert_eq!(bench.proxy.dialogs().len(), 2);
    bench.advance(Duration::from_secs(11));
    assert!(bench.proxy.dialogs().is_empty());
    let over = DialogState::Terminated(DialogEnd::TimedOut);
    assert_eq!(states(&mut bench), told(&[("alice", over), ("bob", over)]));
}
