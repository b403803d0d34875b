//! Keys that watch extensions, waiting messages, texts, and what servers want.

use super::desk::{Desk, local};
use super::policy::desk as phone;
use sidetone_hal::keypad::Key;
use sidetone_hal::lamp::{Lamp, LampColor, LampState};
use sidetone_phone::firmware::{Command, Icon, Signal};
use sidetone_phone::models::{C60S, ES620};
use sidetone_sip_ua::package::blf::{Blf, BlfState};
use sidetone_sip_ua::package::dialog_info::DialogInfo;

/// The state that a server tells: how the dialog of 102 with 103 stands.
pub(crate) fn told(state: &str) -> Box<BlfState> {
    let mut lamp = Blf::new();
    lamp.apply(told_of("sip:102@example.org", state));
    Box::new(lamp.state())
}

/// What it tells of the dialog of anybody with 103.
pub(crate) fn told_of(entity: &str, state: &str) -> DialogInfo {
    let dialog = format!(
        "<dialog id=\"1\" call-id=\"c@h\" local-tag=\"l\" remote-tag=\"r\" direction=\"recipient\"><state>{state}</state>\
         <remote><identity display=\"Ada\">sip:103@example.org</identity></remote></dialog>"
    );
    let dialogs = if state.is_empty() { "" } else { &dialog };
    let body = format!(
        "<?xml version=\"1.0\"?><dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"0\" state=\"full\" \
         entity=\"{entity}\">{dialogs}</dialog-info>"
    );
    DialogInfo::read(body.as_bytes()).expect("it reads")
}

fn lamp(desk: &Desk) -> LampState {
    desk.lamp(Lamp::Key(Key::Line(3)))
}

#[test]
fn a_watched_extension_shows_its_state_and_is_called() {
    let mut desk = phone(&ES620, "key.3.type = blf\nkey.3.value = 102\n");
    assert_eq!((lamp(&desk), desk.phone.screen(desk.now).lines[2].text.as_str()), (LampState::Off, "102"));
    for (state, light, label) in [
        ("", LampState::On(LampColor::YellowGreen), "102"),
        ("confirmed", LampState::On(LampColor::Red), "102: Ada"),
        ("early", LampState::fast(LampColor::Red), "102: Ada"),
        ("terminated", LampState::On(LampColor::YellowGreen), "102"),
    ] {
        desk.signal(Signal::Extension { key: Key::Line(3), state: told(state) });
        assert_eq!(lamp(&desk), light, "{state}");
        assert_eq!(desk.phone.screen(desk.now).lines[2].text, label, "{state}");
    }
    desk.press(Key::Line(3));
    assert!(matches!(desk.command(), Command::Call { account: 0, number, .. } if number == "102"));
}

#[test]
fn a_call_that_rings_there_is_picked_up_by_replacing_it_or_by_a_code() {
    let mut desk = phone(&ES620, "key.3.type = blf\nkey.3.value = 102\n");
    desk.signal(Signal::Extension { key: Key::Line(3), state: told("early") });
    assert!(desk.text().contains(&"102: Ada rings".to_owned()), "{:?}", desk.text());
    desk.press(Key::Line(3));
    let Command::PickUp { call, pickup, .. } = desk.command() else { panic!("not picked up") };
    assert_eq!(pickup.replaces.expect("told").to_string(), "c@h;to-tag=r;from-tag=l;early-only");
    desk.signal(Signal::Established { call });
    assert_eq!(desk.text()[1..3], ["Talking", "102"]);

    let mut coded = phone(
        &ES620,
        "key.3.type = blf\nkey.3.value = 102\nkeys.pickup_code = *8\nkeys.barge_in_code = *9\n",
    );
    coded.signal(Signal::Extension { key: Key::Line(3), state: told("early") });
    coded.press(Key::Line(3));
    let Command::Call { call, number, .. } = coded.command() else { panic!("not called") };
    assert_eq!(number, "*8102");
    coded.signal(Signal::Ended { call, cause: local() });
    coded.signal(Signal::Extension { key: Key::Line(3), state: told("confirmed") });
    coded.press(Key::Line(3));
    assert!(matches!(coded.command(), Command::Call { number, .. } if number == "*9102"));
}

#[test]
fn a_transfer_key_transfers_to_an_idle_extension_only() {
    for (kind, attended) in [("blind", false), ("attended", true)] {
        let mut desk = phone(&ES620, &format!("key.3.type = blf-{kind}\nkey.3.value = 102\n"));
        let call = desk.talk("105");
        desk.signal(Signal::Extension { key: Key::Line(3), state: told("confirmed") });
        desk.press(Key::Line(3));
        assert_eq!(desk.commands(), [], "{kind}: it talks");
        desk.signal(Signal::Extension { key: Key::Line(3), state: told("") });
        desk.press(Key::Line(3));
        if attended {
            assert_eq!(desk.phone.poll_command(), Some(Command::Hold(call)));
            let Command::Call { call: target, number, .. } = desk.command() else { panic!("not called") };
            assert_eq!(number, "102");
            desk.signal(Signal::Held(call));
            desk.signal(Signal::Established { call: target });
            desk.press(Key::Transfer);
            assert_eq!(desk.command(), Command::TransferTo { call, to: target });
        } else {
            assert_eq!(desk.command(), Command::Transfer { call, number: "102".to_owned() });
        }
    }
}

#[test]
fn while_a_transfer_is_dialled_the_key_is_its_target_and_in_a_call_it_calls_beside() {
    let mut desk = phone(&ES620, "key.3.type = blf\nkey.3.value = 102\n");
    let call = desk.talk("105");
    desk.press(Key::Transfer);
    assert_eq!(desk.command(), Command::Hold(call));
    desk.signal(Signal::Held(call));
    desk.press(Key::Line(3));
    assert_eq!(desk.command(), Command::Transfer { call, number: "102".to_owned() });
    let mut desk = phone(&ES620, "key.3.type = blf\nkey.3.value = 102\n");
    let call = desk.talk("105");
    desk.signal(Signal::Extension { key: Key::Line(3), state: told("") });
    desk.press(Key::Line(3));
    assert_eq!(desk.phone.poll_command(), Some(Command::Hold(call)));
    assert!(matches!(desk.command(), Command::Call { number, .. } if number == "102"));
}

#[test]
fn waiting_messages_light_the_lamp_and_the_key_calls_the_voice_mail() {
    let mut desk = phone(&ES620, "account.1.voice_mail = *97\n");
    let message = Lamp::Key(Key::Message);
    assert_eq!(desk.lamp(message), LampState::Off);
    desk.signal(Signal::Messages { account: 0, waiting: true, new: 2 });
    assert_eq!(desk.lamp(message), LampState::On(LampColor::Red));
    assert!(desk.text().contains(&"2 new messages".to_owned()), "{:?}", desk.text());
    assert!(desk.phone.screen(desk.now).icons.contains(&Icon::Messages));
    desk.press(Key::Message);
    assert!(matches!(desk.command(), Command::Call { number, .. } if number == "*97"));
    desk.signal(Signal::Messages { account: 0, waiting: false, new: 0 });
    assert_eq!(desk.lamp(message), LampState::Off);

    let mut small = phone(&C60S, "account.1.voice_mail = *97\n");
    small.signal(Signal::Messages { account: 0, waiting: true, new: 0 });
    assert_eq!(small.lamp(Lamp::Power), LampState::slow(LampColor::Blue));
    small.press(Key::Soft(1));
    assert!(matches!(small.command(), Command::Call { number, .. } if number == "*97"));
    let mut none = phone(&ES620, "");
    none.press(Key::Message);
    assert!(none.text().contains(&"No voice mail number".to_owned()), "{:?}", none.text());
}

#[test]
fn a_text_is_shown() {
    let mut desk = phone(&ES620, "");
    desk.signal(Signal::Text { account: 0, from: "102".to_owned(), text: "Lunch?".to_owned() });
    assert!(desk.text().contains(&"102: Lunch?".to_owned()), "{:?}", desk.text());
}

#[test]
fn a_server_answers_holds_and_takes_back_calls() {
    let mut desk = phone(&ES620, "");
    let call = desk.ring("102").expect("a line");
    desk.signal(Signal::ClickToTalk(call));
    assert_eq!(desk.command(), Command::Answer(call));
    desk.signal(Signal::Established { call });
    desk.signal(Signal::ClickToHold(call));
    assert_eq!(desk.command(), Command::Hold(call));
    desk.signal(Signal::Held(call));
    desk.signal(Signal::ClickToTalk(call));
    assert_eq!(desk.command(), Command::Resume(call));
}

#[test]
fn settings_are_read_again_when_no_call_is_left() {
    let mut desk = phone(&ES620, "");
    let call = desk.talk("102");
    desk.signal(Signal::Resync { reboot: true });
    assert_eq!(desk.commands(), []);
    assert!(desk.text().contains(&"Restarts when no call is left".to_owned()), "{:?}", desk.text());
    desk.signal(Signal::Ended { call, cause: local() });
    assert_eq!(desk.command(), Command::Reload { reboot: true });
    desk.signal(Signal::Resync { reboot: false });
    assert_eq!(desk.command(), Command::Reload { reboot: false });
}

#[test]
fn the_message_key_calls_the_voice_mail_of_the_account_that_has_messages() {
    let mut desk = phone(
        &ES620,
        "account.1.voice_mail = *97\naccount.2.aor = sip:work@example.org\naccount.2.voice_mail = *98\n",
    );
    desk.signal(Signal::Messages { account: 1, waiting: true, new: 1 });
    desk.press(Key::Message);
    let Command::Call { call, account: 1, number, .. } = desk.command() else { panic!("not called") };
    assert_eq!(number, "*98");
    desk.signal(Signal::Ended { call, cause: local() });
    desk.signal(Signal::Messages { account: 1, waiting: false, new: 0 });
    desk.press(Key::Message);
    assert!(matches!(desk.command(), Command::Call { account: 0, number, .. } if number == "*97"));
}
