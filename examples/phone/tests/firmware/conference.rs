//! Conferences on the telephone, by keys.

use super::desk::{Desk, local, remote};
use sidetone_hal::hook::HookState;
use sidetone_hal::keypad::Key;
use sidetone_phone::firmware::{CallRef, Command, Signal, TransferProgress};
use sidetone_phone::models::{C60S, ES620};
use sidetone_sip_ua::JoinOrder;

/// Talks to 102 on hold and to 103.
fn two_calls(desk: &mut Desk) -> (CallRef, CallRef) {
    let first = desk.talk("102");
    desk.press(Key::Line(2));
    assert_eq!(desk.command(), Command::Hold(first));
    desk.signal(Signal::Held(first));
    (first, desk.talk("103"))
}

fn conference(desk: &mut Desk) -> (CallRef, CallRef) {
    let (first, second) = two_calls(desk);
    desk.press(Key::Conference);
    assert_eq!(desk.commands(), [Command::Join(vec![first, second]), Command::Resume(first)]);
    desk.signal(Signal::Resumed(first));
    assert_eq!(desk.text()[1..3], ["Conference", "102, 103"]);
    (first, second)
}

#[test]
fn the_conference_key_joins_two_calls_and_splits_them() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    let (first, second) = conference(&mut desk);
    assert_eq!(desk.text().last().map(String::as_str), Some("<Hold> <Split> <End>"));
    assert_eq!(desk.phone.screen(desk.now).others.len(), 0);
    desk.press(Key::Soft(2));
    assert_eq!(desk.commands(), [Command::Split, Command::Hold(first), Command::Hold(second)]);
    desk.signal(Signal::Held(first));
    desk.signal(Signal::Held(second));
    assert_eq!(desk.text()[1..3], ["On hold", "103"]);
    desk.press(Key::Hold);
    assert_eq!(desk.command(), Command::Resume(second));
}

#[test]
fn hold_holds_the_whole_conference_and_end_ends_it() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    let (first, second) = conference(&mut desk);
    desk.press(Key::Hold);
    assert_eq!(desk.commands(), [Command::Hold(first), Command::Hold(second)]);
    desk.signal(Signal::Held(first));
    desk.signal(Signal::Held(second));
    assert_eq!(desk.text()[1], "Conference on hold");
    desk.press(Key::Soft(1));
    assert_eq!(desk.commands(), [Command::Resume(first), Command::Resume(second)]);
    desk.signal(Signal::Resumed(first));
    desk.signal(Signal::Resumed(second));
    desk.press(Key::Mute);
    assert!(desk.phone.audio().muted);
    desk.press(Key::Cancel);
    assert_eq!(desk.commands(), [Command::HangUp(first), Command::HangUp(second)]);
    desk.signal(Signal::Ended { call: first, cause: local() });
    desk.signal(Signal::Ended { call: second, cause: local() });
    assert_eq!((desk.phone.calls().len(), desk.text()[1].as_str()), (0, "Saturday 21 November"));
}

#[test]
fn when_one_leaves_the_other_is_an_ordinary_call() {
    for leaves_shown in [false, true] {
        let mut desk = Desk::new(&ES620, &["alice"]);
        let (first, second) = conference(&mut desk);
        let (gone, left, name) = if leaves_shown { (second, first, "102") } else { (first, second, "103") };
        desk.signal(Signal::Ended { call: gone, cause: remote(None, "") });
        assert_eq!(desk.command(), Command::Split);
        assert_eq!(desk.text()[1..3], ["Talking", name]);
        assert_eq!(desk.phone.audio().call, Some(left));
    }
}

#[test]
fn a_consultation_becomes_a_conference() {
    let mut desk = Desk::new(&C60S, &["alice"]);
    let call = desk.talk("102");
    desk.press(Key::Soft(3));
    desk.commands();
    desk.signal(Signal::Held(call));
    let target = desk.talk("103");
    assert_eq!(desk.text().last().map(String::as_str), Some("<Transfer> <Conference> <End>"));
    desk.press(Key::Soft(2));
    assert_eq!(desk.commands(), [Command::Join(vec![call, target]), Command::Resume(call)]);
    assert_eq!(desk.text()[1..3], ["Conference", "102, 103"]);
    desk.signal(Signal::NotJoined("no sound".to_owned()));
    assert!(desk.text().contains(&"No conference: no sound".to_owned()), "{:?}", desk.text());
}

#[test]
fn the_conference_key_dials_when_there_is_nobody_to_join_and_a_third_is_too_many() {
    let mut desk = Desk::new(&ES620, &["alice", "work"]);
    let first = desk.talk("102");
    desk.press(Key::Conference);
    assert_eq!((desk.command(), desk.text()[1].as_str()), (Command::Hold(first), "Enter number"));
    desk.signal(Signal::Held(first));
    let second = desk.talk("103");
    desk.press(Key::Conference);
    assert_eq!(desk.commands(), [Command::Join(vec![first, second]), Command::Resume(first)]);
    desk.signal(Signal::Resumed(first));
    desk.press(Key::Conference);
    assert!(desk.text().contains(&"The conference is full".to_owned()), "{:?}", desk.text());
    assert_eq!(desk.commands(), []);
}

#[test]
fn the_others_go_on_when_the_person_leaves_where_that_is_set() {
    let mut desk = super::policy::desk(&ES620, "conference.leave = transfer\n");
    let (first, second) = conference(&mut desk);
    desk.press(Key::Cancel);
    assert_eq!(desk.command(), Command::TransferTo { call: first, to: second });
    // When that fails the conference is as it was.
    desk.signal(Signal::Transfer { call: first, progress: TransferProgress::Failed("603 Decline".into()) });
    assert_eq!(desk.text()[1..3], ["Conference", "102, 103"]);
    desk.press(Key::Cancel);
    assert_eq!(desk.command(), Command::TransferTo { call: first, to: second });
    desk.signal(Signal::Transfer { call: first, progress: TransferProgress::Done });
    desk.signal(Signal::Ended { call: second, cause: local() });
    assert_eq!(desk.command(), Command::Split);
    desk.signal(Signal::Ended { call: first, cause: local() });
    assert_eq!(desk.text()[1..3], ["Transferred", "to 103"]);
    assert!(desk.phone.calls().is_empty());
}

const NETWORK: &str = "account.1.conference_type = network\naccount.1.conference_uri = conf@example.org\n";

/// A conference of the server with 102 and 103, who join it.
fn network_conference(desk: &mut Desk) -> CallRef {
    let (first, second) = two_calls(desk);
    desk.press(Key::Conference);
    assert_eq!(desk.command(), Command::Hold(second), "who talks is held before the conference is called");
    desk.signal(Signal::Held(second));
    let Command::Call { call: focus, number, .. } = desk.command() else { panic!("no call") };
    assert_eq!(
        (number.as_str(), desk.text()[1..3].to_vec()),
        ("conf@example.org", vec!["Calling".into(), "Conference".into()])
    );
    desk.signal(Signal::Established { call: focus });
    let order = JoinOrder::Member;
    assert_eq!(
        desk.commands(),
        [Command::BringIn { call: first, focus, order }, Command::BringIn { call: second, focus, order }]
    );
    for call in [first, second] {
        desk.signal(Signal::BroughtIn { call, progress: TransferProgress::Done });
        desk.signal(Signal::Ended { call, cause: local() });
    }
    desk.signal(Signal::People { call: focus, people: vec!["101".into(), "102".into(), "103".into()] });
    assert_eq!(desk.text()[1..3], ["Conference", "101, 102, 103"]);
    assert_eq!((desk.phone.calls().len(), desk.phone.audio().call), (1, Some(focus)));
    focus
}

#[test]
fn the_server_joins_calls_where_that_is_set() {
    for model in [&ES620, &C60S] {
        let mut desk = super::policy::desk(model, NETWORK);
        let focus = network_conference(&mut desk);
        // Another press holds the conference and dials, and the next one brings in who has answered (DIN-076).
        desk.press(Key::Conference);
        assert_eq!((desk.command(), desk.text()[1].as_str()), (Command::Hold(focus), "Enter number"));
        desk.signal(Signal::Held(focus));
        let fourth = desk.talk("104");
        desk.press(Key::Conference);
        assert_eq!(desk.command(), Command::Hold(fourth));
        desk.signal(Signal::Held(fourth));
        let order = JoinOrder::Member;
        assert_eq!(
            desk.commands(),
            [Command::Resume(focus), Command::BringIn { call: fourth, focus, order }]
        );
        desk.signal(Signal::Resumed(focus));
        // Who does not join is there as before.
        let progress = TransferProgress::Failed("603 Decline".into());
        desk.signal(Signal::BroughtIn { call: fourth, progress });
        assert!(desk.text().contains(&"104 did not join: 603 Decline".to_owned()), "{:?}", desk.text());
        assert_eq!((desk.phone.calls().len(), desk.phone.audio().call), (2, Some(focus)));
        // The others go on without us.
        desk.press(Key::Cancel);
        assert_eq!(desk.command(), Command::HangUp(focus));
        desk.signal(Signal::Ended { call: focus, cause: local() });
        assert_eq!(desk.text()[1..3], ["On hold", "104"]);
    }
}

#[test]
fn a_conference_that_the_server_refuses_leaves_both_calls() {
    let mut desk = super::policy::desk(&ES620, NETWORK);
    let (first, second) = two_calls(&mut desk);
    desk.press(Key::Conference);
    desk.commands();
    desk.signal(Signal::Held(second));
    let Command::Call { call: focus, .. } = desk.command() else { panic!("no call") };
    desk.signal(Signal::Ended { call: focus, cause: remote(Some(404), "Not Found") });
    assert!(desk.text().contains(&"No conference: Not Found".to_owned()), "{:?}", desk.text());
    assert_eq!(desk.phone.calls().iter().map(|call| call.id()).collect::<Vec<_>>(), [first, second]);
    desk.press(Key::Cancel);
    assert_eq!(desk.text()[1], "On hold");
}

#[test]
fn a_conference_ends_by_the_handset_and_by_the_loudspeaker_key() {
    for by_handset in [true, false] {
        let mut desk = Desk::new(&C60S, &["alice"]);
        if by_handset {
            desk.hook(HookState::OffHook);
        }
        let (first, second) = conference(&mut desk);
        if by_handset {
            desk.hook(HookState::OnHook);
        } else {
            desk.press(Key::Speaker);
        }
        assert_eq!(desk.commands(), [Command::HangUp(first), Command::HangUp(second)]);
    }
}
