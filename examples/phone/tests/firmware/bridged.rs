//! Keys of bridged lines (`dialog;sla`): the keys and lamps of shared lines, a call of another telephone that a key barges
//! into, and one of ours that others barge into.

use super::desk::{Desk, local, remote};
use super::features::{Person, close, office_of};
use super::policy::{desk as phone, try_config};
use sidetone_hal::keypad::Key;
use sidetone_hal::lamp::{Lamp, LampColor, LampState};
use sidetone_hal::time::Duration;
use sidetone_pbx::Pbx;
use sidetone_phone::desk::Picture;
use sidetone_phone::firmware::{CallRef, Command, LineTold, Peer, Signal, Sound};
use sidetone_phone::models::{CP860, ES620};
use sidetone_sip_core::{HeaderName, Headers, StatusCode};
use sidetone_sip_ua::package::call_info::{Appearance, AppearanceState as State, Seizure};

const SETTINGS: &str =
    "key.3.type = bridged-line\nkey.3.value = 500/1\nkey.4.type = bridged-line\nkey.4.value = 500/2\n";
const BARGE_IN: &str = "account.1.barge_in = true\n";

fn told(desk: &mut Desk, told: &[Appearance]) {
    desk.signal(Signal::Line { line: 0, told: Box::new(LineTold::Appearances(told.to_vec())) });
}

fn seizure(desk: &mut Desk, index: u16, what: Seizure) {
    desk.signal(Signal::Line { line: 0, told: Box::new(LineTold::Seizure(index, what)) });
}

fn desk(settings: &str) -> Desk {
    let mut desk = phone(&ES620, settings);
    told(&mut desk, &[Appearance::others(State::Idle)]);
    desk
}

fn lamp(desk: &Desk, line: u8) -> LampState {
    desk.lamp(Lamp::Key(Key::Line(line)))
}

fn dave() -> Peer {
    Peer { name: None, number: "102".into() }
}

/// A call to 105 on the first appearance, which is up.
fn talk(desk: &mut Desk) -> CallRef {
    desk.press(Key::Line(3));
    assert_eq!(desk.command(), Command::SeizeLine { line: 0, index: 1 });
    seizure(desk, 1, Seizure::Granted(None));
    desk.type_in("105");
    desk.press(Key::Send);
    let Command::CallOnLine { call, index: 1, .. } = desk.command() else { panic!("not on the line") };
    desk.signal(Signal::Established { call });
    call
}

#[test]
fn a_bridged_line_is_seized_for_as_long_as_one_likes() {
    let mut desk = desk(SETTINGS);
    desk.press(Key::Line(3));
    assert_eq!(desk.command(), Command::SeizeLine { line: 0, index: 1 });
    assert_eq!((desk.sound(), lamp(&desk, 3)), (None, LampState::On(LampColor::Green)));
    seizure(&mut desk, 1, Seizure::Granted(None));
    assert_eq!(desk.sound(), Some(Sound::DialTone));
    desk.pass(Duration::from_secs(16));
    assert!(!desk.commands().contains(&Command::ReleaseLine { line: 0, index: 1 }));
    assert_eq!(lamp(&desk, 3), LampState::On(LampColor::Green));
    desk.press(Key::Cancel);
    assert_eq!(desk.command(), Command::ReleaseLine { line: 0, index: 1 });
    desk.press(Key::Line(3));
    desk.commands();
    seizure(&mut desk, 1, Seizure::Refused(None));
    assert!(desk.text().contains(&"500: The line is in use".to_owned()), "{:?}", desk.text());
}

#[test]
fn the_key_of_a_call_of_another_telephone_barges_in_where_that_is_set_and_not_elsewhere() {
    for (settings, barges) in [(SETTINGS.to_owned(), false), (format!("{SETTINGS}{BARGE_IN}"), true)] {
        let mut desk = desk(&settings);
        told(&mut desk, &[Appearance::new(1, State::Active).with_uri("sip:103@example.org")]);
        assert_eq!(lamp(&desk, 3), LampState::On(LampColor::Red));
        desk.press(Key::Line(3));
        match desk.command() {
            Command::CallOnLine { call, number, line: 0, index: 1, .. } if barges => {
                assert_eq!(number, "500");
                desk.signal(Signal::Established { call });
                assert_eq!(lamp(&desk, 3), LampState::On(LampColor::Green));
                desk.signal(Signal::Ended { call, cause: local() });
                assert_eq!(lamp(&desk, 3), LampState::On(LampColor::Red), "it goes on there");
            }
            Command::ReleaseLine { line: 0, index: 1 } if !barges => {
                assert!(desk.text().contains(&"500: The line is in use".to_owned()), "{:?}", desk.text());
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn who_barges_in_is_mixed_with_a_call_of_the_line_and_leaves_it_as_it_was() {
    let mut desk = desk(&format!("{SETTINGS}{BARGE_IN}"));
    let call = talk(&mut desk);
    let barges = desk.phone.joining(call, dave()).expect("it is let in");
    assert_eq!(desk.command(), Command::Answer(barges));
    desk.signal(Signal::Established { call: barges });
    assert_eq!(desk.command(), Command::Join(vec![call, barges]));
    assert!(desk.text().contains(&"102 has joined the call".to_owned()), "{:?}", desk.text());
    assert_eq!(lamp(&desk, 3), LampState::On(LampColor::Green));
    desk.signal(Signal::Ended { call: barges, cause: remote(None, "") });
    assert_eq!(lamp(&desk, 3), LampState::On(LampColor::Green), "the call goes on");
}

#[test]
fn nobody_barges_into_what_is_held_or_of_no_bridged_line_or_where_that_is_not_set() {
    let declined = Err(StatusCode::DECLINE);
    let mut strict = desk(SETTINGS);
    let call = talk(&mut strict);
    assert_eq!(strict.phone.joining(call, dave()), declined, "not set");
    let mut desk = desk(&format!("{SETTINGS}{BARGE_IN}"));
    let call = talk(&mut desk);
    desk.press(Key::Hold);
    desk.commands();
    assert_eq!(desk.phone.joining(call, dave()), declined, "it is on its way to be held");
    desk.signal(Signal::Held(call));
    assert_eq!(desk.phone.joining(call, dave()), declined, "held");
    let other = desk.ring("103").expect("a line");
    desk.signal(Signal::Established { call: other });
    assert_eq!(desk.phone.joining(other, dave()), declined, "of no line");
}

#[test]
fn as_many_barge_in_as_the_telephone_mixes() {
    let mut desk = desk(&format!("{SETTINGS}{BARGE_IN}"));
    let call = talk(&mut desk);
    for _ in 1..ES620.conference {
        let barges = desk.phone.joining(call, dave()).expect("it is let in");
        desk.signal(Signal::Established { call: barges });
    }
    assert_eq!(desk.phone.joining(call, dave()), Err(StatusCode::NOT_ACCEPTABLE_HERE));
}

#[test]
fn a_call_to_a_bridged_line_rings_at_the_key_that_alert_info_names() {
    let mut desk = desk(SETTINGS);
    let call = desk.ring("103").expect("a line");
    let mut headers = Headers::new();
    headers.push_raw(HeaderName::ALERT_INFO, "<urn:alert:service:normal>;x-line-id=1").expect("a value");
    desk.phone.rings_on_line(call, &headers);
    assert_eq!((lamp(&desk, 3), lamp(&desk, 4)), (LampState::Off, LampState::fast(LampColor::Red)));
    desk.press(Key::Line(4));
    assert_eq!(desk.command(), Command::Answer(call));
}

#[test]
fn every_call_of_an_account_that_is_a_bridged_line_seizes_it_first() {
    let mut desk = phone(&CP860, "account.1.bridged_line = true\n");
    told(&mut desk, &[Appearance::others(State::Idle)]);
    desk.type_in("105");
    desk.press(Key::Send);
    assert_eq!(desk.command(), Command::SeizeLine { line: 0, index: 1 });
    seizure(&mut desk, 1, Seizure::Granted(None));
    let Command::CallOnLine { number, index: 1, .. } = desk.command() else { panic!("not on the line") };
    assert_eq!(number, "105");
    let both = "account.1.shared_call = true\naccount.1.bridged_line = true\n";
    let wrong = try_config(both, "sip:alice@example.org").expect_err("one of them only");
    assert!(wrong.contains("account.1.bridged_line: not together with shared_call"), "{wrong}");
}

/// Waits until the lamp of the line's first appearance is so.
async fn lit(person: &mut Person, color: Option<&'static str>, blinks: bool) {
    let key = Key::Line(3).to_string();
    let what = format!("the lamp {color:?}, blinking {blinks}");
    let wanted = |picture: &Picture| {
        let lamp = picture.lamps.get(&key).copied();
        lamp.is_some_and(|lamp| lamp.color == color && lamp.period.is_some() == blinks)
    };
    person.shows(&what, wanted).await;
}

/// 101 calls 103 on the first appearance.
async fn call(people: &mut [Person]) {
    people[0].press(Key::Line(3)).await;
    lit(&mut people[0], Some("green"), false).await;
    lit(&mut people[1], Some("red"), false).await;
    people[0].dial("103").await;
    people[0].press(Key::Send).await;
    people[2].sees("Incoming call").await;
    people[2].press(Key::Send).await;
    people[0].sees("Talking").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_desks_have_a_bridged_line_and_a_held_call_moves_from_one_to_the_other() {
    let pbx = Pbx::builder().shared_line("500", ["101", "102"], 2);
    let (pbx, mut people) = office_of(pbx, 3, SETTINGS).await;
    call(&mut people).await;
    // Held for all, it blinks at the other, who takes it.
    people[0].press(Key::Hold).await;
    lit(&mut people[0], Some("green"), true).await;
    lit(&mut people[1], Some("red"), true).await;
    people[1].press(Key::Line(3)).await;
    people[1].sees("Talking").await;
    lit(&mut people[1], Some("green"), false).await;
    lit(&mut people[0], Some("red"), false).await;
    people[2].sees("Talking").await;
    people[1].press(Key::Cancel).await;
    for person in &mut people[..2] {
        lit(person, None, false).await;
    }

    // A call to the number rings at both, and shows where it was not answered.
    people[2].press(Key::Cancel).await;
    people[2].dial("500").await;
    people[2].press(Key::Send).await;
    for person in &mut people[..2] {
        person.sees("Incoming call").await;
        lit(person, Some("red"), true).await;
    }
    people[1].press(Key::Line(3)).await;
    people[1].sees("Talking").await;
    lit(&mut people[0], Some("red"), false).await;
    lit(&mut people[1], Some("green"), false).await;
    people[2].press(Key::Cancel).await;
    for person in &mut people[..2] {
        lit(person, None, false).await;
    }
    close(pbx, people).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_barges_into_the_call_of_another_and_leaves_it_again() {
    let pbx = Pbx::builder().shared_line("500", ["101", "102"], 2);
    let (pbx, mut people) = office_of(pbx, 3, &format!("{SETTINGS}{BARGE_IN}")).await;
    call(&mut people).await;
    lit(&mut people[1], Some("red"), false).await;
    // Until the call is up for the server too, its key is that of a line in use.
    people[2].sees("Talking").await;
    for _ in 0..20 {
        people[1].press(Key::Line(3)).await;
        let lamp = |picture: &Picture| {
            let lamp = picture.lamps.get(&Key::Line(3).to_string());
            lamp.is_some_and(|lamp| lamp.color == Some("green"))
        };
        let mut pictures = people[1].panel.pictures.clone();
        if tokio::time::timeout(Duration::from_secs(1), pictures.wait_for(lamp)).await.is_ok() {
            break;
        }
    }
    people[1].sees("Talking").await;
    people[0].sees("102 has joined the call").await;
    people[1].press(Key::Cancel).await;
    lit(&mut people[1], Some("red"), false).await;
    people[0].press(Key::Cancel).await;
    for person in &mut people[..2] {
        lit(person, None, false).await;
    }
    close(pbx, people).await;
}
