//! Transfers by keys: blind, semi-attended, attended; those that fail; being transferred, and being the target.

use super::desk::{Desk, local, remote};
use sidetone_hal::hook::HookState;
use sidetone_hal::keypad::Key;
use sidetone_hal::time::Duration;
use sidetone_phone::firmware::{CallRef, Command, Peer, Signal, Sound, TransferProgress};
use sidetone_phone::models::{C60S, CP860, ES620};

/// Talks to 102 and has begun to dial for a transfer.
fn dialling(mut desk: Desk, begin: impl FnOnce(&mut Desk)) -> (Desk, CallRef) {
    let call = desk.talk("102");
    begin(&mut desk);
    assert_eq!(desk.command(), Command::Hold(call));
    desk.signal(Signal::Held(call));
    assert_eq!(desk.text()[1], "Transfer to");
    (desk, call)
}

fn asked(desk: &mut Desk, call: CallRef, progress: TransferProgress) {
    desk.signal(Signal::Transfer { call, progress });
}

#[test]
fn a_blind_transfer_shows_its_progress_and_ends_the_call() {
    let (mut desk, call) = dialling(Desk::new(&ES620, &["alice"]), |desk| desk.press(Key::Transfer));
    desk.type_in("103");
    assert_eq!(
        desk.text()[1..],
        ["Transfer to", "103", "On hold: 102", "<Send> <Delete> <Transfer> <Cancel>"]
    );
    desk.press(Key::Transfer);
    assert_eq!(desk.command(), Command::Transfer { call, number: "103".into() });
    assert_eq!(desk.text()[1..4], ["Transferring", "102", "to 103"]);
    asked(&mut desk, call, TransferProgress::Trying(180));
    assert_eq!(desk.text()[4], "rings");
    asked(&mut desk, call, TransferProgress::Done);
    desk.signal(Signal::Ended { call, cause: local() });
    assert_eq!(desk.text()[1..3], ["Transferred", "to 103"]);
    desk.pass(Duration::from_secs(5));
    assert_eq!((desk.text()[1].as_str(), desk.phone.audio().sound), ("Saturday 21 November", None));
}

#[test]
fn a_transfer_that_fails_returns_the_call() {
    let (mut desk, call) = dialling(Desk::new(&C60S, &["alice"]), |desk| desk.press(Key::Soft(3)));
    desk.type_in("103");
    desk.press(Key::Soft(3));
    assert_eq!(desk.command(), Command::Transfer { call, number: "103".into() });
    asked(&mut desk, call, TransferProgress::Failed("486 Busy Here".into()));
    assert_eq!(desk.command(), Command::Resume(call));
    desk.signal(Signal::Resumed(call));
    assert_eq!(desk.text()[1..3], ["Talking", "102"]);
    assert!(desk.text().contains(&"Transfer failed: 486 Busy Here".to_owned()), "{:?}", desk.text());
    desk.pass(Duration::from_secs(5));
    assert!(!desk.text().iter().any(|line| line.contains("failed")));
    // Another one may be tried.
    desk.press(Key::Soft(3));
    assert_eq!(desk.command(), Command::Hold(call));
}

#[test]
fn an_attended_transfer_joins_both_calls() {
    for by_handset in [false, true] {
        let mut desk = Desk::new(&ES620, &["alice"]);
        desk.hook(HookState::OffHook);
        let (mut desk, call) = dialling(desk, |desk| desk.press(Key::Transfer));
        let target = desk.talk("103");
        assert_eq!(desk.text()[1..3], ["Talking", "103"]);
        assert_eq!(desk.phone.audio().call, Some(target));
        if by_handset {
            desk.hook(HookState::OnHook);
        } else {
            desk.press(Key::Transfer);
        }
        assert_eq!(desk.command(), Command::TransferTo { call, to: target });
        asked(&mut desk, call, TransferProgress::Done);
        desk.signal(Signal::Ended { call: target, cause: remote(None, "") });
        desk.signal(Signal::Ended { call, cause: local() });
        assert_eq!(desk.text()[1..3], ["Transferred", "to 103"]);
        assert_eq!((desk.phone.calls().len(), desk.commands()), (0, vec![]));
    }
}

#[test]
fn an_attended_transfer_that_fails_leaves_both_calls() {
    let (mut desk, call) = dialling(Desk::new(&ES620, &["alice"]), |desk| desk.press(Key::Transfer));
    let target = desk.talk("103");
    desk.press(Key::Soft(1));
    assert_eq!(desk.command(), Command::TransferTo { call, to: target });
    asked(&mut desk, call, TransferProgress::Failed("603 Decline".into()));
    assert_eq!(desk.text()[1..3], ["Talking", "103"]);
    assert_eq!((desk.phone.calls().len(), desk.phone.audio().call), (2, Some(target)));
}

#[test]
fn a_target_that_still_rings_is_given_up_and_called_by_the_other_side() {
    let (mut desk, call) = dialling(Desk::new(&CP860, &["room"]), |desk| desk.press(Key::Transfer));
    let target = desk.call("103");
    desk.press(Key::Transfer);
    assert_eq!(desk.commands(), [], "not before it rings");
    desk.signal(Signal::Ringing { call: target, early_media: false });
    // The on-hook key completes it too.
    desk.press(Key::End);
    // Who rings has missed nothing: the other side calls there next.
    assert_eq!(
        desk.commands(),
        [Command::Withdraw(target), Command::Transfer { call, number: "103".into() }]
    );
    desk.signal(Signal::Ended { call: target, cause: local() });
    desk.signal(Signal::Ended { call, cause: local() });
    assert_eq!(desk.text()[1..3], ["Transferred", "to 103"]);
}

#[test]
fn who_rings_is_left_with_a_missed_call_where_that_is_set() {
    let desk = super::policy::desk(&CP860, "transfer.missed_prompt = yes\n");
    let (mut desk, call) = dialling(desk, |desk| desk.press(Key::Transfer));
    let target = desk.call("103");
    desk.signal(Signal::Ringing { call: target, early_media: false });
    desk.press(Key::Transfer);
    assert_eq!(desk.commands(), [Command::HangUp(target), Command::Transfer { call, number: "103".into() }]);
    // When that fails, the call is there again.
    desk.signal(Signal::Ended { call: target, cause: local() });
    asked(&mut desk, call, TransferProgress::Failed("480 Temporarily Unavailable".into()));
    assert_eq!(desk.command(), Command::Resume(call));
}

#[test]
fn the_call_of_a_target_that_still_rings_is_taken_over_where_that_is_set() {
    for by_handset in [false, true] {
        let mut desk = super::policy::desk(&ES620, "transfer.semi_attended = replaces\n");
        desk.hook(HookState::OffHook);
        let (mut desk, call) = dialling(desk, |desk| desk.press(Key::Transfer));
        let target = desk.call("103");
        desk.signal(Signal::Ringing { call: target, early_media: false });
        if by_handset {
            desk.hook(HookState::OnHook);
        } else {
            desk.press(Key::Transfer);
        }
        assert_eq!(desk.command(), Command::TransferTo { call, to: target });
        // A target that cannot be taken so still rings for us.
        asked(&mut desk, call, TransferProgress::Failed("481 Call/Transaction Does Not Exist".into()));
        assert_eq!(
            (desk.text()[1..3].to_vec(), desk.commands()),
            (vec!["Ringing".into(), "103".into()], vec![])
        );
        desk.press(Key::Transfer);
        assert_eq!(desk.command(), Command::TransferTo { call, to: target });
        asked(&mut desk, call, TransferProgress::Done);
        desk.signal(Signal::Ended { call: target, cause: local() });
        desk.signal(Signal::Ended { call, cause: local() });
        assert_eq!(desk.text()[1..3], ["Transferred", "to 103"]);
    }
}

#[test]
fn a_call_that_takes_the_place_of_one_that_rings_goes_on_ringing() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    let old = desk.ring("102").expect("a free line");
    let new = desk.phone.replacing(old, Peer { name: None, number: "104".into() }).expect("it is there");
    assert_eq!(desk.command(), Command::Reject(old));
    assert_eq!(desk.phone.refusal(old).status.code(), 487);
    assert_eq!(
        (desk.text()[1..3].to_vec(), desk.sound()),
        (vec!["Incoming call".into(), "104".into()], Some(Sound::Ring))
    );
    desk.signal(Signal::Ended { call: old, cause: local() });
    desk.press(Key::Send);
    assert_eq!(desk.command(), Command::Answer(new));
    assert!(desk.text().iter().all(|line| !line.contains("missed")), "{:?}", desk.text());
}

#[test]
fn hanging_up_completes_a_blind_transfer_and_nothing_without_a_number() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    desk.hook(HookState::OffHook);
    let (mut desk, call) = dialling(desk, |desk| desk.press(Key::Transfer));
    desk.hook(HookState::OnHook);
    assert_eq!((desk.commands(), desk.text()[1].as_str()), (vec![], "On hold"));
    desk.hook(HookState::OffHook);
    desk.press(Key::Transfer);
    desk.type_in("103");
    desk.hook(HookState::OnHook);
    assert_eq!(desk.command(), Command::Transfer { call, number: "103".into() });
    asked(&mut desk, call, TransferProgress::Failed("404 Not Found".into()));
    assert_eq!((desk.commands(), desk.text()[1].as_str()), (vec![], "On hold"), "nobody listens");
}

#[test]
fn a_target_that_is_busy_or_a_key_too_many_leads_back_to_the_call() {
    let (mut desk, call) = dialling(Desk::new(&ES620, &["alice"]), |desk| desk.press(Key::Transfer));
    let target = desk.call("103");
    desk.signal(Signal::Ended { call: target, cause: remote(Some(486), "Busy Here") });
    assert_eq!(desk.text()[1..3], ["Busy", "486 Busy Here"]);
    desk.pass(Duration::from_secs(5));
    assert_eq!(desk.text()[1..3], ["On hold", "102"]);
    desk.press(Key::Transfer);
    desk.press(Key::Transfer);
    assert_eq!(desk.text()[1..3], ["On hold", "102"]);
    desk.press(Key::Transfer);
    desk.press(Key::Cancel);
    assert_eq!(desk.text()[1..3], ["On hold", "102"]);
    assert_eq!(desk.commands(), []);
    desk.press(Key::Hold);
    assert_eq!(desk.command(), Command::Resume(call));
}

#[test]
fn the_key_of_a_held_line_is_the_target() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    let first = desk.talk("102");
    desk.press(Key::Line(2));
    assert_eq!(desk.command(), Command::Hold(first));
    desk.signal(Signal::Held(first));
    let second = desk.talk("103");
    desk.press(Key::Transfer);
    assert_eq!(desk.command(), Command::Hold(second));
    desk.signal(Signal::Held(second));
    desk.press(Key::Line(1));
    assert_eq!(desk.command(), Command::TransferTo { call: second, to: first });
    assert_eq!(desk.text()[1..4], ["Transferring", "103", "to 102"]);
}

#[test]
fn who_is_transferred_calls_the_target_and_keeps_the_call_when_that_fails() {
    let mut desk = Desk::new(&C60S, &["alice"]);
    let call = desk.talk("102");
    desk.signal(Signal::RemoteHold(call));
    let target = Peer { name: None, number: "103".into() };
    let new = desk.phone.referred(call, target.clone()).expect("a line is free");
    assert_eq!(
        desk.text()[1..],
        ["Calling", "103", "transferred by 102", "Held by the other side: 102", "<Cancel>"]
    );
    assert_eq!(desk.phone.referred(call, target), None, "no line is free");
    desk.signal(Signal::Ended { call: new, cause: remote(Some(486), "Busy Here") });
    desk.pass(Duration::from_secs(5));
    desk.signal(Signal::RemoteResume(call));
    assert_eq!(desk.text()[1..3], ["Talking", "102"]);
}

#[test]
fn a_call_that_takes_the_place_of_another_is_answered_in_its_place() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    let old = desk.talk("102");
    let new = desk.phone.replacing(old, Peer { name: None, number: "104".into() }).expect("it is there");
    assert_eq!(desk.command(), Command::Answer(new));
    desk.signal(Signal::Established { call: new });
    desk.signal(Signal::Ended { call: old, cause: remote(None, "") });
    assert_eq!(desk.text()[1..3], ["Talking", "104"]);
    let screen = desk.phone.screen(desk.now);
    assert_eq!((screen.lines[0].text.as_str(), screen.others.len()), ("104", 0));
    assert_eq!((desk.phone.audio().call, desk.sound()), (Some(new), None));
}

#[test]
fn hanging_up_completes_no_transfer_when_that_is_off() {
    let settings = "transfer.blind_on_hook = no\ntransfer.on_hook = no\n";
    let mut desk = super::policy::desk(&ES620, settings);
    desk.hook(HookState::OffHook);
    let (mut desk, _) = dialling(desk, |desk| desk.press(Key::Transfer));
    desk.type_in("103");
    desk.hook(HookState::OnHook);
    assert_eq!(desk.commands(), []);
    let mut desk = super::policy::desk(&ES620, settings);
    desk.hook(HookState::OffHook);
    let (mut desk, _) = dialling(desk, |desk| desk.press(Key::Transfer));
    let target = desk.talk("103");
    desk.hook(HookState::OnHook);
    assert_eq!(desk.command(), Command::HangUp(target));
}
