//! The telephones dial by their vendors' rules.

use super::desk::Desk;
use super::policy::config;
use sidetone_hal::hook::HookState;
use sidetone_hal::keypad::Key;
use sidetone_hal::time::Duration;
use sidetone_phone::firmware::{Command, FirmwareConfig, Sound};
use sidetone_phone::models::{C60S, CP860, ES620, Model, UT670};

/// A telephone with two accounts, where the model has them, and these lines in its settings file.
pub(crate) fn desk(model: &'static Model, settings: &str) -> Desk {
    let second = if model.accounts > 1 { "account.2.aor = sip:bob@example.org\n" } else { "" };
    let settings = format!("{settings}{second}");
    let config = config(&settings, "sip:alice@example.org");
    let mut set_up = FirmwareConfig::new(model, config.labels());
    set_up.dialling = config.dialling.usual.clone();
    set_up.account_dialling.clone_from(&config.dialling.accounts);
    set_up.stored = config.dialling.stored;
    set_up.keys.clone_from(&config.keys.keys);
    set_up.transfer = config.calls.transfer;
    set_up.policy = config.calls.policy(&config.accounts);
    Desk::set_up(set_up)
}

/// What is called, if anything.
pub(crate) fn called(desk: &mut Desk) -> Option<String> {
    desk.commands().into_iter().find_map(|command| match command {
        Command::Call { number, .. } => Some(number),
        _ => None,
    })
}

pub(crate) fn off_hook(model: &'static Model, settings: &str, digits: &str) -> Desk {
    let mut desk = desk(model, settings);
    desk.press(if model.handset { Key::Speaker } else { Key::Send });
    desk.type_in(digits);
    desk
}

const MAP: &str = "dialplan.digit_map = [2346789]11|01[2-9]x.|[2-9]xxxxxxxxx|1x.S2|*1x.T|123xxx!\n";

#[test]
fn the_ut670_calls_complete_numbers_at_once_and_others_after_their_times() {
    for (digits, after) in
        [("211", 0), ("2123456789", 0), ("01254", 5000), ("15", 2000), ("*12", 9000), ("21", 5000)]
    {
        let mut desk = off_hook(&UT670, &format!("{MAP}dialplan.macro_digit = 9\n"), digits);
        if after > 0 {
            desk.pass(Duration::from_millis(after - 1));
            assert_eq!(called(&mut desk), None, "{digits}");
            desk.pass(Duration::from_millis(1));
        }
        assert_eq!(called(&mut desk).as_deref(), Some(digits));
    }
}

#[test]
fn the_ut670_denies_what_does_not_match_where_the_account_says_so() {
    let settings = format!("{MAP}account.1.unmatched = no\naccount.2.digit_map = 0x.\n");
    let mut desk = off_hook(&UT670, &settings, "0011");
    assert_eq!((called(&mut desk), desk.sound()), (None, Some(Sound::Congestion)));
    let mut desk = off_hook(&UT670, &settings, "21");
    desk.pass(Duration::from_secs(5));
    assert_eq!((called(&mut desk), desk.sound()), (None, Some(Sound::Congestion)));
    let mut desk = off_hook(&UT670, &settings, "123456");
    assert_eq!((called(&mut desk), desk.text()[1].as_str()), (None, "Forbidden Number"));
    // The other account has another digit map, and calls what it likes.
    let mut desk = self::desk(&UT670, &settings);
    desk.press(Key::Line(4));
    desk.type_in("0011");
    desk.pass(Duration::from_secs(5));
    assert!(matches!(desk.command(), Command::Call { account: 1, number, .. } if number == "0011"));
}

#[test]
fn the_end_of_dialling_is_enter_hash_or_the_handset() {
    for keys in ["0125#", "0125"] {
        let mut desk = off_hook(&UT670, MAP, keys);
        desk.press(Key::Ok);
        assert_eq!(called(&mut desk).as_deref(), Some("0125"));
    }
    let mut desk = desk(&UT670, MAP);
    desk.type_in("211");
    desk.pass(Duration::from_secs(60));
    assert_eq!(called(&mut desk), None, "pre-dialling waits for the handset");
    desk.hook(HookState::OffHook);
    assert_eq!(called(&mut desk).as_deref(), Some("211"));
}

#[test]
fn the_send_key_is_hash_star_or_none() {
    for (setting, digits, number) in [
        ("#", "12#", Some("12")),
        ("#", "1*2#", Some("1*2")),
        ("*", "12*", Some("12")),
        ("*", "1#2*", Some("1#2")),
        ("off", "12#*", None),
    ] {
        let mut desk = off_hook(&CP860, &format!("dialplan.send_key = {setting}\n"), digits);
        assert_eq!(called(&mut desk).as_deref(), number, "{setting} {digits}");
    }
    let mut desk = off_hook(&CP860, "dialplan.send_key = off\n", "12#*");
    desk.press(Key::Ok);
    assert_eq!(called(&mut desk).as_deref(), Some("12#*"));
}

#[test]
fn no_first_digit_brings_the_busy_tone() {
    let mut desk = off_hook(&UT670, "phone.model = ut670\n", "");
    desk.pass(Duration::from_millis(29_999));
    assert_eq!(desk.sound(), Some(Sound::DialTone));
    desk.pass(Duration::from_millis(1));
    assert_eq!(desk.sound(), Some(Sound::Busy));
}

const RULES: &str =
    "dialplan.rules = replace 2(xx)=002$1; dialnow 52[0-6]; area 010 4 7; block 900.; line 2 replace 1=77\n";

#[test]
fn the_cp860_and_the_c60s_replace_dial_now_add_the_area_code_and_block() {
    for model in [&CP860, &C60S] {
        for (digits, number) in
            [("212#", "00212"), ("3333#", "0103333"), ("333#", "333"), ("1#", "1"), ("112#", "112")]
        {
            let mut desk = off_hook(model, RULES, digits);
            assert_eq!(called(&mut desk).as_deref(), Some(number), "{digits}");
        }
        let mut desk = off_hook(model, &format!("{RULES}dialplan.dial_now_delay = 3\n"), "523");
        assert!(desk.text().iter().any(|line| line == "dialnow 52[0-6]"), "{:?}", desk.text());
        desk.pass(Duration::from_millis(2999));
        assert_eq!(called(&mut desk), None);
        desk.pass(Duration::from_millis(1));
        assert_eq!(called(&mut desk).as_deref(), Some("523"));
        let mut desk = off_hook(model, RULES, "9001#");
        assert_eq!((called(&mut desk), desk.sound()), (None, Some(Sound::Congestion)));
        assert_eq!(desk.text()[1], "Forbidden Number");
    }
}

#[test]
fn a_live_dialpad_calls_without_a_key() {
    let mut desk = desk(&CP860, "phone.model = cp860\ndialplan.live = yes\n");
    desk.type_in("333");
    desk.pass(Duration::from_millis(3999));
    assert_eq!(called(&mut desk), None);
    desk.pass(Duration::from_millis(1));
    assert_eq!(called(&mut desk).as_deref(), Some("333"));
}

#[test]
fn the_es620_inserts_deletes_and_calls_an_address() {
    let mut desk =
        off_hook(&ES620, "dialplan.rules = insert 8 1 00; delete 8 0 1; to 8 10.0.0.5:5062\n", "8123#");
    assert_eq!(called(&mut desk).as_deref(), Some("sip:00123@10.0.0.5:5062"));
}

#[test]
fn emergency_numbers_pass_block_out_rules() {
    let settings = "dialplan.rules = block 11x; replace 118=5\ncalls.emergency = 112 118\n";
    for (digits, number) in [("112#", Some("112")), ("118#", Some("118")), ("113#", None)] {
        let mut desk = off_hook(&CP860, settings, digits);
        assert_eq!(called(&mut desk).as_deref(), number, "{digits}");
    }
}
