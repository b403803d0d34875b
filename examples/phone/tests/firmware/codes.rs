//! Codes that are dialled, numbers that nobody dials now, and files of rules.

use super::desk::{Desk, local, remote};
use super::dialplan::{called, desk, off_hook};
use super::policy::try_config;
use super::watch::told;
use sidetone_hal::hook::HookState;
use sidetone_hal::keypad::Key;
use sidetone_hal::time::Duration;
use sidetone_phone::firmware::{Command, LocalCode, Member, Signal, Sound};
use sidetone_phone::models::{C60S, CP860, ES620, UT670};

const CODES: &str = "codes.dnd_on = *88\ncodes.dnd_off = *86\ncodes.forward_on = *73\ncodes.forward_off = *74\n\
    codes.anonymous_on = *67\ncodes.anonymous_off = *68\ncodes.call_return = *69\ncodes.redial = *66\ncodes.pickup = *8#\n\
    codes.voice_mail = *98\naccount.1.voice_mail = 8500\n";

fn sees(desk: &Desk, line: &str) -> bool {
    desk.text().iter().any(|shown| shown == line)
}

fn tells(desk: &mut Desk, code: &str, line: &str) {
    desk.press(Key::Speaker);
    desk.type_in(code);
    assert!(sees(desk, line), "{code}: {:?}", desk.text());
    assert_eq!(desk.commands(), [], "{code}");
}

/// Presses a soft key by its label, which may be on another page.
fn soft(desk: &mut Desk, label: &str) {
    for wanted in [label, "More", label, "More", label] {
        let soft = desk.phone.screen(desk.now).soft;
        let place = soft.iter().zip(1..).find(|(key, _)| key.as_ref().is_some_and(|key| key.0 == wanted));
        if let Some((_, place)) = place {
            desk.press(Key::Soft(place));
            if wanted == label {
                return;
            }
        }
    }
    panic!("no {label}: {:?}", desk.text());
}

#[test]
fn codes_of_the_telephone_itself_are_carried_out_before_any_rule() {
    // Rules that would take every code, or forbid it, if they came first.
    let rules =
        "dialplan.digit_map = *x|*xx!|*xxx.\ndialplan.rules = replace *(.)=0$1\naccount.1.unmatched = no\n";
    let mut desk = desk(&ES620, &format!("{CODES}{rules}"));
    tells(&mut desk, "*88", "Do not disturb is on");
    tells(&mut desk, "*86", "Do not disturb is off");
    tells(&mut desk, "*73201#", "Calls go to 201");
    tells(&mut desk, "*74", "Calls are not forwarded");
    tells(&mut desk, "*73#", "Calls go to 201");
    tells(&mut desk, "*67", "Calls are anonymous");
    tells(&mut desk, "*68", "Calls are not anonymous");
    tells(&mut desk, "*8#102#", "Nothing rings at 102");
    desk.press(Key::Speaker);
    desk.type_in("*98");
    assert_eq!(called(&mut desk).as_deref(), Some("8500"));
}

#[test]
fn a_code_that_is_on_already_changes_nothing_and_one_without_a_number_asks_for_it() {
    let mut desk = desk(&ES620, CODES);
    tells(&mut desk, "*88", "Do not disturb is on");
    desk.press(Key::Speaker);
    desk.type_in("*88");
    tells(&mut desk, "*86", "Do not disturb is off");
    tells(&mut desk, "*73#", "Forward to");
    desk.type_in("201");
    desk.press(Key::Ok);
    assert!(sees(&desk, "Calls go to 201"), "{:?}", desk.text());
}

#[test]
fn codes_call_who_was_called_or_called_last_and_take_calls_that_ring() {
    let mut desk = desk(&ES620, &format!("{CODES}key.3.type = blf\nkey.3.value = 102\n"));
    let call = desk.rings("103", &[]);
    desk.signal(Signal::Ended { call, cause: remote(None, "") });
    desk.press(Key::Speaker);
    desk.type_in("*69");
    let Command::Call { call, number, .. } = desk.command() else { panic!("no call") };
    assert_eq!(number, "103");
    desk.signal(Signal::Ended { call, cause: local() });
    desk.press(Key::Cancel);
    desk.press(Key::Speaker);
    desk.type_in("*66");
    let Command::Call { call, number, .. } = desk.command() else { panic!("no call") };
    assert_eq!(number, "103");
    desk.signal(Signal::Ended { call, cause: local() });
    desk.press(Key::Cancel);
    desk.signal(Signal::Extension { key: Key::Line(3), state: told("early") });
    desk.press(Key::Speaker);
    desk.type_in("*8#102#");
    assert!(matches!(desk.command(), Command::PickUp { account: 0, .. }));
    // A member of a list rings, whose account has a code for that.
    let list = "account.1.blf_list = team\naccount.1.blf_list_pickup_code = *97\nkey.4.type = blf-list\n";
    let mut desk = self::desk(&ES620, &format!("{CODES}{list}"));
    let member = Member { number: "104".to_owned(), name: None, state: *told("early") };
    desk.signal(Signal::Members { account: 0, members: vec![member] });
    desk.press(Key::Speaker);
    desk.type_in("*8#104#");
    assert_eq!(called(&mut desk).as_deref(), Some("*97104"));
}

#[test]
fn codes_for_the_server_go_out_as_they_are_dialled() {
    let settings = "dialplan.rules = replace *(.)=0$1; area 010 1 9; block *7299\ndialplan.digit_map = *xx\ndnd.on_code = *78\n\
        forward.always_on_code = *72\nkey.3.type = group-pickup\nkey.3.value = *9\n";
    for (digits, number) in [
        ("*78", Some("*78")),
        ("*72201#", Some("*72201")),
        ("*9#", Some("*9")),
        ("*55", Some("055")),
        ("*7299#", None),
    ] {
        let mut desk = off_hook(&ES620, settings, digits);
        assert_eq!(called(&mut desk).as_deref(), number, "{digits}");
    }
    // The telephone's own code does what its key does: it sends the server's.
    let mut desk = off_hook(&ES620, &format!("{settings}codes.dnd_on = *88\n"), "*88");
    assert_eq!(called(&mut desk).as_deref(), Some("*78"));
}

#[test]
fn a_code_that_nobody_can_dial_is_refused() {
    let wrong = try_config("codes.dnd_on = *a\n", "sip:alice@example.org").expect_err("no code");
    assert!(wrong.ends_with("codes.dnd_on: \"*a\": expected digits, * and #"), "{wrong}");
    assert!(LocalCode::ALL.iter().zip(0..).all(|(code, place)| code.id() == place));
}

const BLOCK: &str =
    "dialplan.rules = block 900.; area 010 4 7; line 2 block 333\ndialplan.digit_map = 123xxx!|x.\n";

#[test]
fn block_out_rules_hold_for_keys_the_hot_line_and_callers() {
    for number in ["9001", "123456"] {
        let key = format!("{BLOCK}key.3.type = speed-dial\nkey.3.value = {number}\n");
        let mut desk = desk(&ES620, &key);
        desk.press(Key::Line(3));
        assert_eq!((called(&mut desk), desk.text()[1].as_str()), (None, "Forbidden Number"));
        desk.pass(Duration::from_secs(6));
        let call = desk.rings(number, &[]);
        desk.signal(Signal::Ended { call, cause: remote(None, "") });
        soft(&mut desk, "Return");
        assert_eq!((called(&mut desk), desk.text()[1].as_str()), (None, "Forbidden Number"));
        desk.pass(Duration::from_secs(6));
        // In a call it is told beside it.
        let call = desk.talk("555");
        desk.press(Key::Line(3));
        assert!(sees(&desk, "Forbidden Number") && desk.commands().is_empty());
        assert_eq!(desk.phone.audio().call, Some(call));
        let hotline = format!("{BLOCK}account.1.hotline = {number}\naccount.1.hotline_delay = 0\n");
        let mut desk = self::desk(&ES620, &hotline);
        desk.hook(HookState::OffHook);
        desk.pass(Duration::from_millis(1));
        assert_eq!((called(&mut desk), desk.sound()), (None, Some(Sound::Congestion)));
    }
    for number in ["112", "sip:9001@example.net", "3333"] {
        let key = format!("{BLOCK}key.3.type = speed-dial\nkey.3.value = {number}\n");
        let mut desk = desk(&ES620, &key);
        desk.press(Key::Line(3));
        assert_eq!(called(&mut desk).as_deref(), Some(number));
    }
}

#[test]
fn redial_goes_by_the_block_out_rules_of_the_account_and_changes_no_number_twice() {
    let mut desk = desk(&UT670, "dialplan.rules = area 010 1 9; line 2 block 010333\n");
    desk.press(Key::Speaker);
    desk.type_in("333#");
    let Command::Call { call, number, .. } = desk.command() else { panic!("no call") };
    assert_eq!(number, "010333");
    desk.signal(Signal::Ended { call, cause: local() });
    desk.press(Key::Redial);
    let Command::Call { call, number, .. } = desk.command() else { panic!("no call") };
    assert_eq!(number, "010333", "not 010010333");
    desk.signal(Signal::Ended { call, cause: local() });
    desk.press(Key::Line(4));
    desk.press(Key::Redial);
    assert_eq!((called(&mut desk), desk.text()[1].as_str()), (None, "Forbidden Number"));
}

#[test]
fn numbers_of_keys_and_callers_go_by_all_rules_where_that_is_set() {
    let rules = "dialplan.rules = area 010 4 7; replace 5=9001; block 900.; replace *(.)=0$1\n";
    for (settings, key, caller) in [
        ("", "3333", "3333"),
        ("dialplan.directory = yes\n", "0103333", "3333"),
        ("dialplan.history = yes\n", "3333", "0103333"),
    ] {
        let keys =
            "key.3.type = speed-dial\nkey.3.value = 3333\nkey.4.type = group-pickup\nkey.4.value = *9\n";
        let mut desk = desk(&ES620, &format!("{rules}{settings}{keys}"));
        desk.press(Key::Line(3));
        let Command::Call { call, number, .. } = desk.command() else { panic!("no call") };
        assert_eq!(number, key, "{settings}");
        desk.signal(Signal::Ended { call, cause: local() });
        desk.press(Key::Line(4));
        let Command::Call { call, number, .. } = desk.command() else { panic!("no call") };
        assert_eq!(number, "*9", "a code is no number");
        desk.signal(Signal::Ended { call, cause: local() });
        desk.press(Key::Cancel);
        let call = desk.rings("3333", &[]);
        desk.signal(Signal::Ended { call, cause: remote(None, "") });
        soft(&mut desk, "Return");
        assert_eq!(called(&mut desk).as_deref(), Some(caller), "{settings}");
    }
    let key = "key.3.type = speed-dial\nkey.3.value = 5\n";
    for (settings, number) in [("", Some("5")), ("dialplan.directory = yes\n", None)] {
        let mut desk = desk(&ES620, &format!("{rules}{settings}{key}"));
        desk.press(Key::Line(3));
        assert_eq!(called(&mut desk).as_deref(), number, "what comes out is blocked");
    }
}

#[test]
fn a_transfer_goes_to_what_the_rules_make_of_its_number() {
    let rules =
        "dialplan.rules = replace 2(xx)=002$1; block 900.\nkey.3.type = blf-blind\nkey.3.value = 9001\n";
    let mut desk = desk(&ES620, rules);
    let call = desk.talk("555");
    desk.press(Key::Transfer);
    desk.type_in("212");
    drop(desk.commands());
    desk.press(Key::Transfer);
    assert_eq!(desk.command(), Command::Transfer { call, number: "00212".into() });
    let mut desk = self::desk(&ES620, rules);
    desk.talk("555");
    desk.signal(Signal::Extension { key: Key::Line(3), state: told("") });
    desk.press(Key::Line(3));
    assert!(sees(&desk, "Forbidden Number") && desk.commands().is_empty());
    desk.press(Key::Transfer);
    desk.type_in("9001");
    drop(desk.commands());
    desk.press(Key::Transfer);
    assert_eq!((desk.commands(), desk.text()[1].as_str()), (vec![], "Forbidden Number"));
}

#[test]
fn what_is_entered_and_not_called_goes_by_no_rule() {
    let mut desk =
        desk(&ES620, "dialplan.rules = replace 2(xx)=002$1; block 900.\ndialplan.digit_map = 212\n");
    for target in ["212", "9001"] {
        soft(&mut desk, "Forward");
        desk.type_in(target);
        desk.press(Key::Ok);
        assert!(sees(&desk, &format!("Calls go to {target}")), "{:?}", desk.text());
        soft(&mut desk, "Forward");
        assert!(sees(&desk, "Calls are not forwarded"));
        desk = self::desk(
            &ES620,
            "dialplan.rules = replace 2(xx)=002$1; block 900.\ndialplan.digit_map = 212\n",
        );
    }
}

#[test]
fn rules_come_from_the_template_files_of_the_cp860() {
    let folder = std::env::temp_dir().join(format!("sidetone-templates-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let replace = write(
        "dialplan.xml",
        "<DialRule>\n  <Data Prefix=\"1\" Replace=\"05928665234\"/>\n  <Data Prefix=\"2(xx)\" Replace=\"002$1\"/>\n</DialRule>\n",
    );
    let now = write("dialnow.xml", "<DialNow>\n  <Data DialNowRule=\"52[0-6]\"/>\n</DialNow>\n");
    let settings = format!(
        "dialplan.replace_file = {replace}\ndialplan.dial_now_file = {now}\ndialplan.rules = replace 1=7\n"
    );
    for model in [&CP860, &C60S] {
        for (digits, number) in [("1#", "7"), ("212#", "00212"), ("2123#", "2123")] {
            let mut desk = off_hook(model, &settings, digits);
            assert_eq!(called(&mut desk).as_deref(), Some(number), "{digits}");
        }
        let mut desk = off_hook(model, &settings, "523");
        desk.pass(Duration::from_secs(1));
        assert_eq!(called(&mut desk).as_deref(), Some("523"));
    }
    let bad = write("bad.xml", "<DialRule>\n  <Data Prefix=\"2(x\" Replace=\"1\"/>\n</DialRule>\n");
    for (settings, message) in [
        (format!("dialplan.replace_file = {bad}\n"), format!("{bad}:2:20: expected ) to close the group")),
        (
            format!("dialplan.dial_now_file = {replace}\n"),
            format!("{replace}:1:1: expected <Data DialNowRule=\"…\"/>"),
        ),
        (format!("dialplan.replace_file = {bad}.not\n"), "No such file or directory (os error 2)".to_owned()),
        (
            "dialplan.replace_file = http://192.168.10.25/dialplan.xml\n".to_owned(),
            "expected the path of a file; URLs are not fetched".to_owned(),
        ),
    ] {
        let wrong = try_config(&settings, "sip:alice@example.org").expect_err("no rules");
        assert!(wrong.ends_with(&message), "{wrong}");
    }
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn what_is_switched_on_the_telephone_is_told_to_the_server_by_its_codes() {
    let settings = format!(
        "{CODES}dnd.on_code = *188\ndnd.off_code = *186\nforward.always_on_code = *78\nforward.always_off_code = *79\n"
    );
    let mut desk = desk(&CP860, &settings);
    for (dialled, sent) in [("*88", "*188"), ("*86", "*186"), ("*73201#", "*78201"), ("*74", "*79")] {
        desk.press(Key::Send);
        desk.type_in(dialled);
        let Command::Call { call, number, .. } = desk.command() else { panic!("no call") };
        assert_eq!(number, sent, "{dialled}");
        desk.signal(Signal::Ended { call, cause: local() });
        desk.press(Key::Cancel);
    }
}
