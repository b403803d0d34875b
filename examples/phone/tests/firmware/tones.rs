//! The tones that frame calls: before the first digit, and while one is on hold.

use super::policy::desk;
use sidetone_hal::hook::HookState;
use sidetone_hal::keypad::Key;
use sidetone_hal::time::Duration;
use sidetone_phone::firmware::{Signal, Sound};
use sidetone_phone::models::UT670;

#[test]
fn the_dial_tone_stutters_while_messages_wait_and_is_another_one_beside_a_call() {
    let mut phone = desk(&UT670, "phone.model = ut670\n");
    phone.signal(Signal::Messages { account: 0, waiting: true, new: 1 });
    phone.hook(HookState::OffHook);
    assert_eq!(phone.sound(), Some(Sound::StutterDialTone));
    phone.type_in("1");
    assert_eq!(phone.sound(), None);
    phone.hook(HookState::OnHook);
    phone.signal(Signal::Messages { account: 0, waiting: false, new: 0 });
    phone.hook(HookState::OffHook);
    assert_eq!(phone.sound(), Some(Sound::DialTone));
    phone.hook(HookState::OnHook);
    phone.commands();
    let call = phone.talk("102");
    phone.press(Key::Hold);
    phone.commands();
    phone.signal(Signal::Held(call));
    phone.press(Key::Line(2));
    assert_eq!(phone.sound(), Some(Sound::RecallDialTone));
}

#[test]
fn the_alarm_of_a_held_call_begins_after_its_time_and_goes_on_where_that_is_set() {
    let mut phone = desk(&UT670, "phone.model = ut670\ncalls.hold_recall = 0\n");
    let call = phone.talk("102");
    phone.press(Key::Hold);
    phone.commands();
    phone.signal(Signal::Held(call));
    assert_eq!(phone.sound(), Some(Sound::Held), "what a UT670 sounds while it holds");
    phone.pass(Duration::from_millis(59_999));
    assert_eq!(phone.sound(), Some(Sound::Held));
    phone.pass(Duration::from_millis(1));
    assert_eq!(phone.sound(), Some(Sound::HoldTone));
    phone.pass(Duration::from_secs(500));
    assert_eq!(phone.sound(), Some(Sound::HoldTone));
    phone.press(Key::Hold);
    phone.commands();
    phone.signal(Signal::Resumed(call));
    assert_eq!(phone.sound(), None);
    phone.press(Key::Hold);
    phone.commands();
    phone.signal(Signal::Held(call));
    phone.pass(Duration::from_millis(59_999));
    assert_eq!(phone.sound(), Some(Sound::Held), "the time begins anew");
    let mut off = desk(&UT670, "phone.model = ut670\nhold.tone = no\ntones.held =\ncalls.hold_recall = 0\n");
    let call = off.talk("102");
    off.press(Key::Hold);
    off.commands();
    off.signal(Signal::Held(call));
    off.pass(Duration::from_secs(500));
    assert_eq!(off.sound(), None);
}
