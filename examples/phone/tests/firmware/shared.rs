//! Keys of shared lines: a dial tone after the server's word, lamps, calls that are taken from one telephone to another.

use super::desk::{Desk, local, remote};
use super::features::{Person, close, office_of};
use super::policy::{desk as phone, try_config};
use sidetone_hal::hook::HookState;
use sidetone_hal::keypad::Key;
use sidetone_hal::lamp::{Lamp, LampColor, LampState};
use sidetone_hal::time::Duration;
use sidetone_pbx::Pbx;
use sidetone_phone::desk::Picture;
use sidetone_phone::firmware::{CallRef, Command, LineTold, Signal, Sound};
use sidetone_phone::models::{ES620, UT670};
use sidetone_sip_core::{HeaderName, Headers};
use sidetone_sip_ua::package::call_info::{Appearance, AppearanceState as State, Seizure};

const SETTINGS: &str =
    "key.3.type = shared-line\nkey.3.value = 500/1\nkey.4.type = shared-line\nkey.4.value = 500/2\n";

fn desk() -> Desk {
    let mut desk = phone(&ES620, SETTINGS);
    told(&mut desk, &[Appearance::others(State::Idle)]);
    desk
}

fn told(desk: &mut Desk, told: &[Appearance]) {
    desk.signal(Signal::Line { line: 0, told: Box::new(LineTold::Appearances(told.to_vec())) });
}

fn seizure(desk: &mut Desk, index: u16, what: Seizure) {
    desk.signal(Signal::Line { line: 0, told: Box::new(LineTold::Seizure(index, what)) });
}

fn lamp(desk: &Desk, line: u8) -> LampState {
    desk.lamp(Lamp::Key(Key::Line(line)))
}

/// A call to 105 on the first appearance, which is up.
fn talk(desk: &mut Desk) -> CallRef {
    desk.press(Key::Line(3));
    assert_eq!(desk.command(), Command::SeizeLine { line: 0, index: 1 });
    seizure(desk, 1, Seizure::Granted(Some(1)));
    desk.type_in("105");
    desk.press(Key::Send);
    let Command::CallOnLine { call, account: 0, number, line: 0, index: 1 } = desk.command() else {
        panic!("not called on the line")
    };
    assert_eq!(number, "105");
    desk.signal(Signal::Established { call });
    call
}

#[test]
fn a_dial_tone_waits_for_the_server_and_the_call_names_the_appearance() {
    let mut desk = desk();
    assert_eq!(lamp(&desk, 3), LampState::Off);
    desk.press(Key::Line(3));
    assert_eq!(desk.command(), Command::SeizeLine { line: 0, index: 1 });
    assert_eq!((desk.sound(), lamp(&desk, 3)), (None, LampState::On(LampColor::Green)));
    seizure(&mut desk, 1, Seizure::Granted(Some(1)));
    assert_eq!(desk.sound(), Some(Sound::DialTone));
    // Somebody else is quicker with the next one.
    desk.press(Key::Cancel);
    assert_eq!(desk.command(), Command::ReleaseLine { line: 0, index: 1 });
    assert_eq!(lamp(&desk, 3), LampState::Off);
    let call = talk(&mut desk);
    assert_eq!(lamp(&desk, 3), LampState::On(LampColor::Green));
    desk.signal(Signal::Ended { call, cause: remote(None, "") });
    assert_eq!(lamp(&desk, 3), LampState::Off);
}

#[test]
fn an_appearance_that_the_server_does_not_give_makes_no_call() {
    let mut desk = desk();
    desk.press(Key::Line(3));
    desk.commands();
    seizure(&mut desk, 1, Seizure::Refused(None));
    assert_eq!(desk.command(), Command::ReleaseLine { line: 0, index: 1 });
    assert!(desk.text().contains(&"500: The line is in use".to_owned()), "{:?}", desk.text());
    assert_eq!(desk.sound(), None);
    // Nobody dials in time.
    desk.press(Key::Line(3));
    seizure(&mut desk, 1, Seizure::Granted(None));
    assert_eq!(desk.sound(), Some(Sound::DialTone));
    desk.commands();
    desk.pass(Duration::from_secs(16));
    assert_eq!(desk.command(), Command::ReleaseLine { line: 0, index: 1 });
    assert_eq!(desk.sound(), None);
}

#[test]
fn what_the_others_do_shows_and_a_held_call_is_taken() {
    let mut desk = desk();
    let active = Appearance::new(1, State::Active).with_uri("\"Ada\" <sip:103@example.org>");
    told(&mut desk, &[active]);
    assert_eq!(lamp(&desk, 3), LampState::On(LampColor::Red));
    assert_eq!(desk.phone.screen(desk.now).lines[2].text, "500: Ada");
    desk.press(Key::Line(3));
    assert_eq!(desk.command(), Command::ReleaseLine { line: 0, index: 1 });
    told(&mut desk, &[Appearance::new(1, State::HeldPrivate)]);
    desk.press(Key::Line(3));
    assert!(desk.text().contains(&"500: Held for somebody else".to_owned()), "{:?}", desk.text());
    desk.commands();
    told(&mut desk, &[Appearance::new(1, State::Held)]);
    assert_eq!(lamp(&desk, 3), LampState::slow(LampColor::Red));
    desk.press(Key::Line(3));
    let Command::CallOnLine { call, number, index: 1, .. } = desk.command() else { panic!("not taken") };
    assert_eq!(number, "500");
    desk.signal(Signal::Established { call });
    assert_eq!(lamp(&desk, 3), LampState::On(LampColor::Green));
}

#[test]
fn a_call_is_held_for_all_or_for_oneself_and_lost_to_who_takes_it() {
    let mut desk = desk();
    let call = talk(&mut desk);
    desk.press(Key::Hold);
    let marked = |private| Command::MarkHold { call, line: 0, index: 1, private };
    assert_eq!(desk.commands(), [marked(Some(false)), Command::Hold(call)]);
    desk.signal(Signal::Held(call));
    assert_eq!(lamp(&desk, 3), LampState::slow(LampColor::Green));
    desk.press(Key::Line(3));
    assert_eq!(desk.commands(), [marked(None), Command::Resume(call)]);
    desk.signal(Signal::Resumed(call));

    let soft = desk.phone.screen(desk.now).soft;
    let place = soft
        .iter()
        .position(|key| key.as_ref().is_some_and(|key| key.0 == "Private hold"))
        .expect("a key for it");
    desk.press(Key::Soft(u8::try_from(place + 1).expect("four keys")));
    assert_eq!(desk.commands(), [marked(Some(true)), Command::Hold(call)]);
    desk.signal(Signal::Held(call));
    assert_eq!(desk.phone.appearance(0, 1).map(|view| view.state), Some(State::HeldPrivate));

    told(&mut desk, &[Appearance::new(1, State::Active)]);
    desk.signal(Signal::Ended { call, cause: local() });
    assert_eq!(lamp(&desk, 3), LampState::On(LampColor::Red), "somebody else talks");
}

#[test]
fn a_call_to_the_line_rings_at_its_key_and_is_answered_there() {
    let mut desk = desk();
    let call = desk.ring("103").expect("a line");
    let mut headers = Headers::new();
    let info = "<sip:500@example.org>;appearance-index=2;appearance-state=alerting";
    headers.push_raw(HeaderName::CALL_INFO, info).expect("a value");
    desk.phone.rings_on_line(call, &headers);
    assert_eq!((lamp(&desk, 3), lamp(&desk, 4)), (LampState::Off, LampState::fast(LampColor::Red)));
    desk.press(Key::Line(4));
    assert_eq!(desk.command(), Command::Answer(call));
    desk.signal(Signal::Established { call });
    assert_eq!(lamp(&desk, 4), LampState::On(LampColor::Green));
}

#[test]
fn every_call_of_an_account_with_shared_call_seizes_its_line_first() {
    let mut desk = phone(&UT670, "account.1.shared_call = yes\n");
    told(&mut desk, &[Appearance::others(State::Idle)]);
    assert_eq!(desk.phone.screen(desk.now).lines.len(), 6);
    desk.hook(HookState::OffHook);
    assert_eq!((desk.command(), desk.sound()), (Command::SeizeLine { line: 0, index: 1 }, None));
    seizure(&mut desk, 1, Seizure::Granted(None));
    assert_eq!(desk.sound(), Some(Sound::DialTone));
    desk.type_in("105");
    desk.press(Key::Send);
    let Command::CallOnLine { call, index: 1, .. } = desk.command() else { panic!("not on the line") };
    desk.signal(Signal::Established { call });
    assert_eq!(lamp(&desk, 1), LampState::On(LampColor::Green));
    desk.signal(Signal::Ended { call, cause: remote(None, "") });
    desk.hook(HookState::OnHook);

    // Dialled before the handset is lifted: the number waits for the server's word.
    desk.type_in("106");
    desk.press(Key::Send);
    assert_eq!(desk.command(), Command::SeizeLine { line: 0, index: 1 });
    seizure(&mut desk, 1, Seizure::Granted(None));
    let Command::CallOnLine { call, number, .. } = desk.command() else { panic!("not on the line") };
    assert_eq!(number, "106");
    desk.signal(Signal::Ended { call, cause: local() });

    // Every appearance is somebody else's.
    let all: Vec<Appearance> = (1..=6).map(|index| Appearance::new(index, State::Active)).collect();
    told(&mut desk, &all);
    desk.type_in("107");
    desk.press(Key::Send);
    assert_eq!(desk.commands(), []);
    assert!(desk.text().contains(&"The line is in use".to_owned()), "{:?}", desk.text());
}

#[test]
fn shared_call_and_synchronised_features_exclude_each_other() {
    let both = "account.1.shared_call = yes\naccount.1.feature_sync = on\n";
    let wrong = try_config(both, "sip:alice@example.org").expect_err("one of them only");
    assert!(wrong.contains("account.1.shared_call: not together with feature_sync"), "{wrong}");
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

#[tokio::test(flavor = "multi_thread")]
async fn two_desks_share_a_line_and_a_held_call_moves_from_one_to_the_other() {
    let pbx = Pbx::builder().shared_line("500", ["101", "102"], 2);
    let (pbx, mut people) = office_of(pbx, 3, SETTINGS).await;
    // The one seizes it, and the other sees that.
    people[0].press(Key::Line(3)).await;
    lit(&mut people[0], Some("green"), false).await;
    lit(&mut people[1], Some("red"), false).await;
    people[0].dial("103").await;
    people[0].press(Key::Send).await;
    people[2].sees("Incoming call").await;
    people[2].press(Key::Send).await;
    people[0].sees("Talking").await;
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
