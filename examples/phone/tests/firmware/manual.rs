//! Making, taking and ending calls by every key that the manuals of the ES620 and the C60S name for it.

use super::desk::Desk;
use super::policy::desk;
use sidetone_hal::audio::AudioPath;
use sidetone_hal::hook::HookState;
use sidetone_hal::keypad::Key;
use sidetone_hal::lamp::{Lamp, LampColor, LampState};
use sidetone_phone::firmware::{CallRef, Command, Icon, Signal, Sound, Tone};
use sidetone_phone::models::{C60S, ES620, Model};

const C60S_SET_UP: &str = "phone.model = c60s\n";

/// The soft key with this label, which has to be there.
fn soft(desk: &mut Desk, label: &str) {
    let soft = desk.phone.screen(desk.now).soft;
    let place = soft.iter().position(|key| key.as_ref().is_some_and(|key| key.0 == label));
    let place = place.unwrap_or_else(|| panic!("no {label}: {soft:?}"));
    desk.press(Key::Soft(u8::try_from(place).expect("four keys") + 1));
}

fn line_lamp(desk: &Desk, line: u8) -> LampState {
    desk.lamp(Lamp::Key(Key::Line(line)))
}

/// The line key that has a call of this mood.
fn line_of(desk: &Desk, tone: Tone) -> u8 {
    let lines = desk.phone.screen(desk.now).lines;
    let place = lines.iter().position(|line| line.busy && line.tone == tone);
    let place = place.unwrap_or_else(|| panic!("no line is {tone:?}: {lines:?}"));
    u8::try_from(place).expect("few lines") + 1
}

fn icon(desk: &Desk, icon: Icon) -> bool {
    desk.phone.screen(desk.now).icons.contains(&icon)
}

fn held(desk: &mut Desk, call: CallRef) {
    assert_eq!(desk.command(), Command::Hold(call));
    desk.signal(Signal::Held(call));
}

#[test]
fn a_number_that_was_entered_on_hook_is_called_by_each_way_off_hook() {
    type Go = fn(&mut Desk);
    let ways: [(Go, AudioPath); 4] = [
        (|desk| desk.hook(HookState::OffHook), AudioPath::Handset),
        (|desk| soft(desk, "Send"), AudioPath::Speaker),
        (|desk| desk.press(Key::Headset), AudioPath::Headset),
        (|desk| desk.press(Key::Speaker), AudioPath::Speaker),
    ];
    for (go, path) in ways {
        let mut desk = desk(&ES620, "");
        desk.type_in("102");
        assert_eq!((desk.sound(), desk.commands()), (None, vec![]), "no dial tone on-hook");
        go(&mut desk);
        assert!(matches!(desk.command(), Command::Call { number, .. } if number == "102"));
        assert_eq!(desk.phone.audio().path, path);
    }
}

#[test]
fn the_headset_key_opens_a_line_and_c_erases_what_was_dialled() {
    let mut phone = desk(&ES620, "");
    phone.press(Key::Headset);
    assert_eq!((phone.sound(), phone.phone.audio().path), (Some(Sound::DialTone), AudioPath::Headset));
    assert_eq!(phone.lamp(Lamp::Key(Key::Headset)), LampState::On(LampColor::Red));
    phone.type_in("102#");
    assert!(matches!(phone.command(), Command::Call { number, .. } if number == "102"));
    let mut phone = desk(&ES620, "");
    phone.hook(HookState::OffHook);
    phone.type_in("12");
    phone.press(Key::Cancel);
    assert_eq!(phone.sound(), Some(Sound::DialTone));
    phone.type_in("3#");
    assert!(matches!(phone.command(), Command::Call { number, .. } if number == "3"));
}

#[test]
fn a_call_is_made_beside_one_on_hold_and_line_keys_switch_between_them() {
    for (model, settings) in
        [(&ES620, ""), (&C60S, "phone.model = c60s\naccount.1.call_unregistered = yes\n")]
    {
        let mut phone = desk(model, settings);
        let first = phone.talk("102");
        phone.press(Key::Hold);
        held(&mut phone, first);
        phone.type_in("103");
        assert!(!phone.commands().iter().any(|command| matches!(command, Command::Dtmf { .. })));
        phone.press(Key::Digit('#'));
        let Command::Call { call: second, number, .. } = phone.command() else { panic!("no call") };
        assert_eq!(number, "103", "{}", model.name);
        phone.signal(Signal::Established { call: second });
        // The key of the first line holds the second call and takes the first one back.
        let first_line = line_of(&phone, Tone::Held);
        phone.press(Key::Line(first_line));
        let commands = phone.commands();
        assert!(commands.contains(&Command::Hold(second)), "{}: {commands:?}", model.name);
        phone.signal(Signal::Held(second));
        assert!(
            phone.commands().contains(&Command::Resume(first)) || commands.contains(&Command::Resume(first))
        );
        phone.signal(Signal::Resumed(first));
        assert_ne!(line_of(&phone, Tone::Held), first_line, "{}", model.name);
    }
}

fn answered(model: &'static Model, settings: &str, go: impl FnOnce(&mut Desk, u8)) -> AudioPath {
    let mut phone = desk(model, settings);
    let call = phone.rings("102", &[]);
    let line = line_of(&phone, Tone::Ringing);
    go(&mut phone, line);
    assert_eq!(phone.command(), Command::Answer(call), "{}", model.name);
    phone.signal(Signal::Established { call });
    assert_eq!(phone.sound(), None);
    phone.phone.audio().path
}

#[test]
fn a_call_is_taken_by_handset_loudspeaker_headset_line_key_and_soft_key() {
    for (model, settings) in [(&ES620, ""), (&C60S, C60S_SET_UP)] {
        let taken = |go: fn(&mut Desk, u8)| answered(model, settings, go);
        assert_eq!(taken(|desk, _| desk.hook(HookState::OffHook)), AudioPath::Handset);
        assert_eq!(taken(|desk, _| desk.press(Key::Speaker)), AudioPath::Speaker);
        assert_eq!(taken(|desk, _| desk.press(Key::Headset)), AudioPath::Headset);
        assert_eq!(taken(|desk, line| desk.press(Key::Line(line))), AudioPath::Speaker);
        assert_eq!(taken(|desk, _| soft(desk, "Answer")), AudioPath::Speaker);
    }
}

#[test]
fn lamps_and_icons_of_an_es620_tell_of_a_call_that_rings_waits_and_is_held() {
    let mut phone = desk(&ES620, "");
    let first = phone.rings("102", &[]);
    assert_eq!(phone.sound(), Some(Sound::Ring));
    let line = line_of(&phone, Tone::Ringing);
    assert_eq!(line_lamp(&phone, line), LampState::fast(LampColor::Red));
    assert_eq!(phone.lamp(Lamp::Status), LampState::fast(LampColor::Red));
    phone.press(Key::Line(line));
    phone.commands();
    phone.signal(Signal::Established { call: first });
    assert_eq!(line_lamp(&phone, line), LampState::On(LampColor::YellowGreen));
    // Another call waits.
    let second = phone.rings("103", &[]);
    let other = line_of(&phone, Tone::Ringing);
    assert_ne!(other, line);
    assert_eq!(line_lamp(&phone, other), LampState::fast(LampColor::Red));
    assert_eq!(phone.lamp(Lamp::Status), LampState::fast(LampColor::Red));
    phone.press(Key::Line(other));
    held(&mut phone, first);
    assert_eq!(phone.command(), Command::Answer(second), "the first one is on hold before");
    phone.signal(Signal::Established { call: second });
    assert_eq!(line_lamp(&phone, line), LampState::slow(LampColor::YellowGreen));
    assert_eq!(line_of(&phone, Tone::Held), line);
    // The key of the held line takes it back.
    phone.press(Key::Line(line));
    phone.signal(Signal::Held(second));
    assert!(phone.commands().contains(&Command::Resume(first)));
    phone.signal(Signal::Resumed(first));
    assert_eq!(line_of(&phone, Tone::Talking), line);
    assert_eq!(line_lamp(&phone, other), LampState::slow(LampColor::YellowGreen));
}

#[test]
fn a_second_call_beeps_is_shown_and_flashes_on_a_c60s_and_answering_it_holds_the_first() {
    let mut phone = desk(&C60S, C60S_SET_UP);
    let first = phone.rings("102", &[]);
    phone.hook(HookState::OffHook);
    phone.commands();
    phone.signal(Signal::Established { call: first });
    let second = phone.rings("103", &[]);
    assert_eq!(phone.sound(), Some(Sound::CallWaiting));
    assert!(phone.text().iter().any(|line| line.contains("103")), "{:?}", phone.text());
    let line = line_of(&phone, Tone::Ringing);
    assert_eq!(line_lamp(&phone, line), LampState::fast(LampColor::Green));
    soft(&mut phone, "Answer");
    held(&mut phone, first);
    assert_eq!(phone.command(), Command::Answer(second));
}

#[test]
fn a_ringing_c60s_is_silenced_and_the_call_waits_on() {
    type Go = fn(&mut Desk);
    let ways: [Go; 2] = [|desk| desk.press(Key::Mute), |desk| soft(desk, "Silence")];
    for go in ways {
        let mut phone = desk(&C60S, C60S_SET_UP);
        let call = phone.rings("102", &[]);
        assert_eq!(phone.sound(), Some(Sound::Ring));
        go(&mut phone);
        assert_eq!((phone.sound(), phone.commands()), (None, vec![]));
        assert!(phone.text().iter().any(|line| line.contains("102")), "{:?}", phone.text());
        phone.hook(HookState::OffHook);
        assert_eq!(phone.command(), Command::Answer(call));
    }
}

#[test]
fn a_call_is_held_by_the_key_and_by_the_soft_key_and_taken_back_by_both() {
    type Go = fn(&mut Desk);
    let ways: [(Go, Go); 2] = [
        (|desk| desk.press(Key::Hold), |desk| desk.press(Key::Hold)),
        (|desk| soft(desk, "Hold"), |desk| soft(desk, "Resume")),
    ];
    for (hold, resume) in ways {
        let mut phone = desk(&ES620, "");
        let call = phone.talk("102");
        hold(&mut phone);
        held(&mut phone, call);
        resume(&mut phone);
        assert_eq!(phone.command(), Command::Resume(call));
    }
}

#[test]
fn the_microphone_is_muted_on_every_path_and_lamp_and_icon_tell() {
    for (model, settings, lamp) in [(&ES620, "", true), (&C60S, C60S_SET_UP, false)] {
        for path in [AudioPath::Handset, AudioPath::Speaker, AudioPath::Headset] {
            let mut phone = desk(model, settings);
            let call = phone.rings("102", &[]);
            match path {
                AudioPath::Handset => phone.hook(HookState::OffHook),
                AudioPath::Headset => phone.press(Key::Headset),
                _ => phone.press(Key::Speaker),
            }
            phone.commands();
            phone.signal(Signal::Established { call });
            for muted in [true, false] {
                phone.press(Key::Mute);
                assert_eq!((phone.phone.audio().muted, phone.phone.audio().path), (muted, path));
                assert_eq!(icon(&phone, Icon::Muted), muted, "{}", model.name);
                if lamp {
                    let light = if muted { LampState::On(LampColor::Red) } else { LampState::Off };
                    assert_eq!(phone.lamp(Lamp::Key(Key::Mute)), light);
                }
            }
        }
    }
}

#[test]
fn a_call_ends_on_a_c60s_by_each_key_of_its_path() {
    type Go = fn(&mut Desk);
    let ways: [(Go, Go); 5] = [
        (|desk| desk.hook(HookState::OffHook), |desk| desk.hook(HookState::OnHook)),
        (|desk| desk.hook(HookState::OffHook), |desk| soft(desk, "End")),
        (|desk| desk.press(Key::Headset), |desk| soft(desk, "End")),
        (|desk| desk.press(Key::Speaker), |desk| desk.press(Key::Speaker)),
        (|desk| desk.press(Key::Speaker), |desk| soft(desk, "End")),
    ];
    for (answer, end) in ways {
        let mut phone = desk(&C60S, C60S_SET_UP);
        let call = phone.rings("102", &[]);
        answer(&mut phone);
        phone.commands();
        phone.signal(Signal::Established { call });
        end(&mut phone);
        assert_eq!(phone.command(), Command::HangUp(call));
    }
}

#[test]
fn accounts_of_a_ut670_refuse_and_forward_each_by_itself() {
    use sidetone_phone::firmware::Verdict;
    let lines = "phone.model = ut670\ncalls.scope = custom\naccount.2.aor = sip:two@example.org\n";
    let rule = |rule: &str| desk(&sidetone_phone::models::UT670, &format!("{lines}{rule}"));
    let invite = |desk: &mut Desk, account| desk.invite_on(account, "102", &[]);
    let target = |verdict: Verdict| match verdict {
        Verdict::Refuse(refusal) | Verdict::RingAndRefuse(refusal) => super::policy::contact(&refusal),
        other => panic!("{other:?}"),
    };
    let mut dnd = rule("account.2.dnd = yes\n");
    assert!(matches!(invite(&mut dnd, 1), Verdict::Refuse(refusal) if refusal.status.code() == 403));
    assert!(matches!(invite(&mut dnd, 0), Verdict::Ring(_)));
    let mut always = rule("account.2.forward_always = 200\n");
    assert_eq!(target(invite(&mut always, 1)), "sip:200@example.org");
    assert!(matches!(invite(&mut always, 0), Verdict::Ring(_)));
    let mut busy = rule("account.2.forward_busy = 201\ncall_waiting.enabled = no\n");
    busy.talk("105");
    assert_eq!(target(invite(&mut busy, 1)), "sip:201@example.org");
    assert!(matches!(invite(&mut busy, 0), Verdict::Refuse(refusal) if refusal.status.code() == 486));
}

#[test]
fn an_account_of_a_ut670_rings_as_long_as_it_is_set_before_it_forwards() {
    let mut phone = desk(
        &sidetone_phone::models::UT670,
        "phone.model = ut670\ncalls.scope = custom\naccount.1.forward_no_answer = 200\n\
         account.2.aor = sip:two@example.org\naccount.2.forward_no_answer = 201\naccount.2.forward_ring_time = 12\n",
    );
    // Three rings of six seconds are what it comes with.
    for (account, seconds, target) in [(0, 18, "sip:200@example.org"), (1, 12, "sip:201@example.org")] {
        use sidetone_hal::time::Duration;
        use sidetone_phone::firmware::Verdict;
        let Verdict::Ring(call) = phone.invite_on(account, "102", &[]) else { panic!("it does not ring") };
        phone.pass(Duration::from_millis(seconds * 1000 - 1));
        assert_eq!(phone.commands(), []);
        phone.pass(Duration::from_millis(1));
        assert_eq!(phone.command(), Command::Reject(call));
        assert_eq!(super::policy::contact(&phone.phone.refusal(call)), target);
        phone.signal(Signal::Ended { call, cause: super::desk::local() });
    }
}
