//! The telephone in virtual time: keys and signals in; commands, lamps, sounds and the text of the screen out.

use super::desk::{Desk, local, remote};
use sidetone_hal::audio::AudioPath;
use sidetone_hal::hook::HookState;
use sidetone_hal::keypad::Key;
use sidetone_hal::lamp::{Lamp, LampColor, LampState};
use sidetone_hal::time::Duration;
use sidetone_phone::firmware::{
    CallRef, Command, Ended, Icon, Quality, Registration, Signal, Sound, TransferProgress,
};
use sidetone_phone::models::{ALL, C60S, CP860, ES620};

#[test]
fn idle_screen_tells_account_registration_and_time() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    assert_eq!(desk.text(), ["alice  [registered]  08:36", "Saturday 21 November", "08:36"]);
    desk.pass(Duration::from_secs(20));
    assert_eq!(desk.text()[2], "08:37");
    desk.signal(Signal::Registration { account: 0, state: Registration::Failed("403 Forbidden".into()) });
    assert_eq!(desk.text()[0], "alice  [register failed]  08:37");
    assert_eq!(desk.text()[3], "403 Forbidden");
}

#[test]
fn every_state_of_a_registration_is_shown() {
    for model in ALL {
        let mut desk = Desk::new(model, &["alice"]);
        for (state, icon) in [
            (Registration::Registering, "[registering]"),
            (Registration::Registered, "[registered]"),
            (Registration::Failed("403 Forbidden".into()), "[register failed]"),
            (Registration::Off, "[not registered]"),
        ] {
            desk.signal(Signal::Registration { account: 0, state });
            let text = desk.text();
            assert!(text[0].contains(icon), "{}: {text:?}", model.name);
        }
    }
}

#[test]
fn lifting_the_handset_gives_dial_tone_until_the_first_digit() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    assert_eq!(desk.sound(), None);
    desk.hook(HookState::OffHook);
    assert_eq!(desk.sound(), Some(Sound::DialTone));
    assert_eq!(desk.phone.audio().path, AudioPath::Handset);
    assert_eq!(desk.text()[1], "Enter number");
    desk.press(Key::Digit('1'));
    assert_eq!(desk.sound(), None);
    desk.hook(HookState::OnHook);
    assert_eq!(desk.text()[1], "Saturday 21 November");
    assert_eq!(desk.commands(), []);
}

#[test]
fn a_number_is_sent_by_the_send_key_by_hash_and_after_five_seconds() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    desk.hook(HookState::OffHook);
    desk.type_in("*43");
    desk.press(Key::Send);
    assert!(matches!(desk.command(), Command::Call { account: 0, number, .. } if number == "*43"));

    let mut desk = Desk::new(&ES620, &["alice"]);
    desk.type_in("102#");
    assert!(matches!(desk.command(), Command::Call { number, .. } if number == "102"));
    assert_eq!(desk.phone.audio().path, AudioPath::Speaker);

    let mut desk = Desk::new(&ES620, &["alice"]);
    desk.hook(HookState::OffHook);
    desk.type_in("102");
    desk.pass(Duration::from_millis(4999));
    assert_eq!(desk.commands(), []);
    desk.pass(Duration::from_millis(1));
    assert!(matches!(desk.command(), Command::Call { number, .. } if number == "102"));
}

#[test]
fn pre_dialled_digits_wait_for_the_handset_and_can_be_erased() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    desk.type_in("1023");
    assert_eq!(desk.text()[1..], ["Dial", "1023", "<Send> <Delete> <Cancel>"]);
    desk.press(Key::Delete);
    desk.pass(Duration::from_secs(60));
    assert_eq!(desk.commands(), []);
    desk.hook(HookState::OffHook);
    assert!(matches!(desk.command(), Command::Call { number, .. } if number == "102"));
    let mut desk = Desk::new(&ES620, &["alice"]);
    desk.type_in("1");
    desk.press(Key::Soft(2));
    assert_eq!(desk.text()[1], "Saturday 21 November");
}

#[test]
fn an_outgoing_call_rings_talks_counts_and_ends() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    let call = desk.call("102");
    assert_eq!(desk.text()[1..], ["Calling", "102", "<Cancel>"]);
    desk.signal(Signal::Ringing { call, early_media: false });
    assert_eq!((desk.text()[1].as_str(), desk.sound()), ("Ringing", Some(Sound::Ringback)));
    assert_eq!(desk.phone.audio().call, None);
    desk.signal(Signal::Ringing { call, early_media: true });
    assert_eq!((desk.phone.audio().call, desk.sound()), (Some(call), None));
    desk.signal(Signal::Established { call });
    desk.signal(Signal::Codec { call, name: "PCMA", encrypted: false });
    desk.pass(Duration::from_secs(65));
    assert_eq!(desk.text()[1..], ["Talking", "102", "01:05  PCMA", "<Hold> <New call> <Transfer> <End>"]);
    assert_eq!(desk.lamp(Lamp::Key(Key::Line(1))), LampState::On(LampColor::YellowGreen));
    desk.signal(Signal::Ended { call, cause: remote(None, "") });
    assert_eq!(desk.text()[1], "Call ended 01:05");
    assert_eq!(desk.sound(), Some(Sound::Congestion));
    desk.pass(Duration::from_secs(5));
    assert_eq!((desk.text()[1].as_str(), desk.sound()), ("Saturday 21 November", None));
    assert_eq!(desk.lamp(Lamp::Key(Key::Line(1))), LampState::Off);
}

#[test]
fn a_busy_number_gives_busy_tone_until_the_handset_is_back() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    desk.hook(HookState::OffHook);
    let call = desk.call("105");
    desk.signal(Signal::Ended { call, cause: remote(Some(486), "Busy Here") });
    assert_eq!(desk.text()[1..], ["Busy", "486 Busy Here", "<Redial> <Close>"]);
    assert_eq!(desk.sound(), Some(Sound::Busy));
    desk.pass(Duration::from_secs(59));
    assert_eq!(desk.sound(), Some(Sound::Busy));
    desk.pass(Duration::from_secs(2));
    assert_eq!(desk.sound(), None);
    desk.hook(HookState::OnHook);
    assert_eq!(desk.text()[1], "Saturday 21 November");
}

#[test]
fn an_incoming_call_rings_and_is_answered_by_the_handset() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    let call = desk.ring("102").expect("a free line");
    assert_eq!(desk.text()[1..], ["Incoming call", "102", "<Answer> <Silence> <Reject>"]);
    assert_eq!(desk.sound(), Some(Sound::Ring));
    assert_eq!(desk.lamp(Lamp::Key(Key::Line(1))), LampState::fast(LampColor::Red));
    assert_eq!(desk.lamp(Lamp::Status), LampState::fast(LampColor::Red));
    desk.press(Key::Mute);
    assert_eq!(desk.sound(), None);
    desk.hook(HookState::OffHook);
    assert_eq!(desk.command(), Command::Answer(call));
    desk.signal(Signal::Established { call });
    assert_eq!(desk.text()[1], "Talking");
    desk.hook(HookState::OnHook);
    assert_eq!(desk.command(), Command::HangUp(call));
    desk.signal(Signal::Ended { call, cause: local() });
    assert_eq!(desk.text()[1], "Saturday 21 November");
    assert!(desk.phone.calls().is_empty());
}

#[test]
fn a_missed_call_is_shown_and_a_rejected_one_is_not() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    let call = desk.ring("102").expect("a free line");
    desk.signal(Signal::Ended { call, cause: remote(None, "") });
    assert_eq!(desk.text()[3..], ["1 missed call", "<Clear>"]);
    assert_eq!(desk.lamp(Lamp::Status), LampState::On(LampColor::Red));
    desk.press(Key::Soft(4));
    assert_eq!(desk.text().len(), 3);
    let call = desk.ring("103").expect("a free line");
    desk.press(Key::Cancel);
    assert_eq!(desk.command(), Command::Reject(call));
    desk.signal(Signal::Ended { call, cause: local() });
    assert_eq!(desk.text().len(), 3);
}

#[test]
fn a_call_that_somebody_else_took_is_not_missed() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    let call = desk.ring("102").expect("a free line");
    let cause = Ended { elsewhere: true, ..remote(None, "Call completed elsewhere") };
    desk.signal(Signal::Ended { call, cause });
    assert!(desk.phone.calls().is_empty());
    assert_eq!(desk.lamp(Lamp::Status), LampState::Off);
    assert!(desk.text().iter().all(|line| !line.contains("missed")), "{:?}", desk.text());
}

#[test]
fn a_call_shows_that_it_is_encrypted_and_afterwards_how_it_sounded() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    let quality = Quality { mos: 43, lost: 2 };
    let padlock = |desk: &Desk| desk.phone.screen(desk.now).icons.contains(&Icon::Secure);
    let call = desk.call("102");
    desk.signal(Signal::Established { call });
    desk.signal(Signal::Codec { call, name: "PCMU", encrypted: false });
    assert!(!padlock(&desk));
    // A re-offer may change it.
    desk.signal(Signal::Codec { call, name: "PCMU", encrypted: true });
    assert!(padlock(&desk));
    desk.pass(Duration::from_secs(9));
    desk.signal(Signal::Quality { call, quality });
    desk.signal(Signal::Ended { call, cause: remote(None, "") });
    assert_eq!(desk.text()[1..3], ["Call ended 00:09", "Sound 4.3 of 5, 0.2 % lost"]);
    assert!(!padlock(&desk));
    desk.pass(Duration::from_secs(5));
    // When we end it, nothing sounds.
    let call = desk.call("102");
    desk.signal(Signal::Established { call });
    desk.press(Key::Cancel);
    desk.signal(Signal::Quality { call, quality });
    desk.signal(Signal::Ended { call, cause: local() });
    assert_eq!(desk.text()[1..3], ["Call ended 00:00", "Sound 4.3 of 5, 0.2 % lost"]);
    assert_eq!(desk.sound(), None);
    desk.pass(Duration::from_secs(5));
    assert_eq!(desk.text()[1], "Saturday 21 November");
}

#[test]
fn a_page_is_named_on_the_screen_and_can_be_dismissed() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    let page = |desk: &Desk| desk.text().contains(&"Page: Front desk".to_owned());
    desk.signal(Signal::Page(Some("Page: Front desk".into())));
    assert!(page(&desk), "{:?}", desk.text());
    desk.press(Key::Cancel);
    assert_eq!(desk.command(), Command::DismissPage);
    desk.signal(Signal::Page(None));
    assert!(!page(&desk));
    // In a call, Cancel is about the call.
    let call = desk.call("102");
    desk.signal(Signal::Established { call });
    desk.signal(Signal::Page(Some("Page: Front desk".into())));
    assert!(page(&desk), "{:?}", desk.text());
    desk.press(Key::Cancel);
    assert_eq!(desk.command(), Command::HangUp(call));
}

#[test]
fn hold_and_resume_follow_the_user_agent() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    let call = desk.talk("102");
    desk.press(Key::Hold);
    assert_eq!(desk.command(), Command::Hold(call));
    assert_eq!(desk.text()[1], "Talking");
    desk.signal(Signal::Held(call));
    assert_eq!(desk.text()[1], "On hold");
    assert_eq!(desk.phone.audio().call, None);
    assert_eq!(desk.lamp(Lamp::Key(Key::Line(1))), LampState::slow(LampColor::YellowGreen));
    desk.press(Key::Soft(1));
    assert_eq!(desk.command(), Command::Resume(call));
    desk.signal(Signal::Resumed(call));
    assert_eq!((desk.text()[1].as_str(), desk.phone.audio().call), ("Talking", Some(call)));
    desk.signal(Signal::RemoteHold(call));
    assert_eq!(desk.text()[1], "Held by the other side");
    desk.signal(Signal::RemoteResume(call));
    assert_eq!(desk.text()[1], "Talking");
}

#[test]
fn the_handset_can_be_put_back_on_a_held_call_but_ends_one_that_is_being_taken_back() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    desk.hook(HookState::OffHook);
    let call = desk.talk("102");
    desk.press(Key::Hold);
    desk.signal(Signal::Held(call));
    desk.hook(HookState::OnHook);
    assert_eq!(desk.commands(), [Command::Hold(call)]);
    desk.hook(HookState::OffHook);
    desk.press(Key::Hold);
    desk.hook(HookState::OnHook);
    assert_eq!(desk.commands(), [Command::Resume(call), Command::HangUp(call)]);
}

#[test]
fn digits_in_a_call_are_sent_and_those_received_are_shown() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    let call = desk.talk("102");
    desk.type_in("1#");
    assert_eq!(desk.commands(), [Command::Dtmf { call, digit: '1' }, Command::Dtmf { call, digit: '#' }]);
    assert_eq!(desk.text()[4], "Sent 1#");
    desk.signal(Signal::Dtmf { call, digit: '9' });
    assert_eq!(desk.text()[4], "Received 9");
}

#[test]
fn a_second_call_waits_and_answering_it_holds_the_first() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    let first = desk.talk("102");
    let second = desk.ring("103").expect("the account has two lines");
    assert_eq!(desk.sound(), Some(Sound::CallWaiting));
    assert_eq!(desk.text()[4..], ["Incoming call: 103", "<Answer> <Reject> <Hold> <End>"]);
    assert_eq!(desk.ring("104"), None, "both lines of the account are taken");
    desk.press(Key::Line(2));
    assert_eq!(desk.command(), Command::Hold(first), "whom we talk to knows first");
    desk.signal(Signal::Held(first));
    assert_eq!(desk.command(), Command::Answer(second));
    desk.signal(Signal::Established { call: second });
    assert_eq!(desk.text()[1..3], ["Talking", "103"]);
    assert_eq!(desk.text()[4..], ["On hold: 102", "<Hold> <Swap> <More> <End>"]);
    desk.press(Key::Soft(2));
    assert_eq!(desk.command(), Command::Hold(second));
    desk.signal(Signal::Held(second));
    assert_eq!(desk.command(), Command::Resume(first));
    desk.signal(Signal::Resumed(first));
    assert_eq!(desk.phone.audio().call, Some(first));
    desk.press(Key::Soft(4));
    assert_eq!(desk.command(), Command::HangUp(first));
    assert_eq!(desk.text()[1..3], ["On hold", "103"]);
}

#[test]
fn the_loudspeaker_key_opens_moves_and_ends() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    desk.press(Key::Speaker);
    assert_eq!(desk.sound(), Some(Sound::DialTone));
    assert_eq!(desk.lamp(Lamp::Key(Key::Speaker)), LampState::On(LampColor::Red));
    let call = desk.talk("102");
    desk.hook(HookState::OffHook);
    assert_eq!(desk.phone.audio().path, AudioPath::Handset);
    desk.press(Key::Speaker);
    desk.hook(HookState::OnHook);
    assert_eq!(desk.commands(), [], "the call goes on, on the loudspeaker");
    desk.press(Key::Speaker);
    assert_eq!(desk.command(), Command::HangUp(call));
}

#[test]
fn mute_volume_and_redial() {
    let mut desk = Desk::new(&ES620, &["alice"]);
    let call = desk.talk("102");
    desk.press(Key::Mute);
    assert!(desk.phone.audio().muted);
    assert_eq!(desk.lamp(Lamp::Key(Key::Mute)), LampState::On(LampColor::Red));
    desk.press(Key::VolumeUp);
    assert_eq!(desk.text().iter().rev().nth(1).map(String::as_str), Some("Volume 6/10"));
    desk.pass(Duration::from_secs(2));
    assert!(!desk.text().iter().any(|line| line.starts_with("Volume")));
    desk.signal(Signal::Ended { call, cause: remote(None, "") });
    assert!(!desk.phone.audio().muted);
    for _ in 0..20 {
        desk.press(Key::VolumeDown);
    }
    desk.press(Key::Redial);
    assert!(matches!(desk.command(), Command::Call { number, .. } if number == "102"));
    assert_eq!(desk.phone.audio().volume, 0);
}

#[test]
fn two_accounts_share_the_line_keys_and_each_key_calls_on_its_account() {
    let mut desk = Desk::new(&ES620, &["alice", "work"]);
    let labels: Vec<_> = desk.phone.screen(desk.now).lines.into_iter().map(|line| line.text).collect();
    assert_eq!(labels, ["alice", "alice", "work", "work", "", "", "", ""]);
    desk.press(Key::Line(3));
    assert_eq!(desk.sound(), Some(Sound::DialTone));
    desk.type_in("200#");
    assert!(matches!(desk.command(), Command::Call { account: 1, number, .. } if number == "200"));
    let mut desk = Desk::new(&C60S, &["alice", "work"]);
    desk.press(Key::Soft(1));
    assert_eq!(desk.text()[0], "work  [registered]  08:36");
    desk.type_in("201#");
    assert!(matches!(desk.command(), Command::Call { account: 1, .. }));
}

#[test]
fn the_conference_phone_has_keys_for_off_hook_and_on_hook() {
    let mut desk = Desk::new(&CP860, &["room"]);
    desk.press(Key::Send);
    assert_eq!(desk.sound(), Some(Sound::DialTone));
    let call = desk.talk("102");
    assert_eq!(desk.lamp(Lamp::Status), LampState::On(LampColor::Green));
    desk.press(Key::End);
    assert_eq!(desk.command(), Command::HangUp(call));
    assert!((0..3).all(|_| desk.ring("103").is_some() || !desk.phone.calls().is_empty()));
    assert_eq!(desk.phone.calls().len(), 3);
    assert_eq!(desk.ring("104"), None);
}

#[test]
fn a_phone_without_an_account_says_so() {
    let mut desk = Desk::new(&C60S, &[]);
    desk.type_in("102#");
    assert_eq!(desk.commands(), []);
    assert!(desk.text().contains(&"No account".to_owned()), "{:?}", desk.text());
    assert_eq!(desk.ring("1"), None);
}

#[test]
fn any_sequence_of_keys_and_signals_leaves_a_phone_that_works() {
    use sidetone_hal::rng::Rng;
    for seed in 0..300 {
        let mut rng = Rng::from_u64(seed);
        let model = [&ES620, &C60S, &CP860][seed as usize % 3];
        let mut desk = Desk::new(model, &["alice"]);
        let mut known: Vec<CallRef> = Vec::new();
        for _ in 0..300 {
            let call = (!known.is_empty()).then(|| known[rng.next_u32() as usize % known.len()]);
            match (rng.next_u32() % 15, call) {
                (0, _) => known.extend(desk.ring("103")),
                (1, _) => desk.hook(HookState::OffHook),
                (2, _) => desk.hook(HookState::OnHook),
                (3, Some(call)) => desk.signal(Signal::Established { call }),
                (4, Some(call)) => desk.signal(Signal::Held(call)),
                (5, Some(call)) => desk.signal(Signal::Resumed(call)),
                (6, Some(call)) => desk.signal(Signal::Ended { call, cause: remote(Some(486), "Busy Here") }),
                (7, _) => desk.pass(Duration::from_millis(u64::from(rng.next_u32() % 7000))),
                (8, _) => desk.type_in("1#"),
                (9, Some(call)) => {
                    let progress = TransferProgress::Failed("486 Busy Here".into());
                    desk.signal(Signal::Transfer { call, progress });
                }
                (_, _) => {
                    let keys = "send ok cancel hold redial mute speaker headset line1 line2 soft1 soft2 soft3 soft4 up \
                                transfer conference message end";
                    let keys: Vec<_> = keys.split(' ').collect();
                    desk.press(keys[rng.next_u32() as usize % keys.len()].parse().expect("a key"));
                }
            }
            known.extend(desk.commands().into_iter().filter_map(|command| match command {
                Command::Call { call, .. } => Some(call),
                _ => None,
            }));
            assert!(desk.phone.calls().len() <= model.calls);
            assert!(!desk.text().is_empty());
        }
        // The other sides hang up, the handset goes back: idle, silent, and a call can be made.
        for call in known {
            desk.signal(Signal::Ended { call, cause: remote(None, "") });
        }
        desk.hook(HookState::OnHook);
        desk.press(Key::Cancel);
        desk.press(Key::Cancel);
        assert_eq!((desk.phone.calls().len(), desk.sound()), (0, None), "seed {seed}");
        desk.commands();
        desk.call("102");
    }
}

#[test]
fn a_tone_reminds_of_a_call_on_hold() {
    let mut desk = super::policy::desk(&ES620, "hold.tone_delay = 10\n");
    let call = desk.talk("102");
    desk.press(Key::Hold);
    desk.commands();
    desk.signal(Signal::Held(call));
    desk.press(Key::Speaker);
    for _ in 0..2 {
        desk.pass(Duration::from_millis(9400));
        assert_eq!(desk.sound(), None);
        desk.pass(Duration::from_millis(600));
        assert_eq!((desk.sound(), desk.phone.audio().path), (Some(Sound::HoldTone), AudioPath::Speaker));
        desk.pass(Duration::from_millis(601));
        assert_eq!(desk.sound(), None);
        desk.pass(Duration::from_millis(8799));
        assert_eq!(desk.sound(), None);
        desk.pass(Duration::from_millis(600));
        assert_eq!(desk.sound(), Some(Sound::HoldTone));
        desk.pass(Duration::from_secs(10));
        desk.pass(Duration::from_millis(601));
        desk.press(Key::Hold);
        desk.commands();
        desk.signal(Signal::Resumed(call));
        desk.press(Key::Hold);
        desk.commands();
        desk.signal(Signal::Held(call));
    }
    desk.press(Key::Hold);
    desk.commands();
    desk.signal(Signal::Resumed(call));
    desk.pass(Duration::from_secs(30));
    assert_eq!(desk.sound(), None);
    let mut desk = super::policy::desk(&ES620, "hold.tone = no\n");
    let call = desk.talk("102");
    desk.press(Key::Hold);
    desk.signal(Signal::Held(call));
    for _ in 0..40 {
        desk.pass(Duration::from_secs(1));
        assert_eq!(desk.sound(), None);
    }
}
