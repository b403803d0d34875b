//! Keys that are given a function: what they show, and what a press does.

use super::desk::{Desk, local, remote};
use super::policy::desk as phone;
use super::watch::{told, told_of};
use sidetone_hal::keypad::Key;
use sidetone_hal::lamp::{Lamp, LampColor, LampState};
use sidetone_hal::time::Duration;
use sidetone_phone::firmware::{CallRef, Command, Member, Signal, Sound};
use sidetone_phone::models::{C60S, CP860, ES620, UT670};
use sidetone_sip_ua::feature::auto_answer::IntercomForm;
use sidetone_sip_ua::package::blf::{Blf, BlfState};

const OFF: LampState = LampState::Off;
const ON: LampState = LampState::On(LampColor::Red);

/// A phone whose key 3 has this function and value.
fn with_key(function: &str, value: &str) -> Desk {
    phone(&ES620, &format!("account.1.voice_mail = *97\nkey.3.type = {function}\nkey.3.value = {value}\n"))
}

fn lamp(desk: &Desk, line: u8) -> LampState {
    desk.lamp(Lamp::Key(Key::Line(line)))
}

fn label(desk: &Desk, line: usize) -> String {
    desk.phone.screen(desk.now).lines[line - 1].text.clone()
}

fn sees(desk: &Desk, line: &str) -> bool {
    desk.text().iter().any(|shown| shown == line)
}

/// The number that the one command calls, with its call.
fn called(desk: &mut Desk) -> (CallRef, String) {
    match desk.command() {
        Command::Call { call, number, .. } => (call, number),
        other => panic!("not called but {other:?}"),
    }
}

#[test]
fn a_key_dials_its_number_or_its_code_and_has_a_label() {
    for (function, value, named) in [
        ("speed-dial", "104", "104"),
        ("group-pickup", "*9", "Group pickup"),
        ("retrieve", "*88701", "*88701"),
    ] {
        let mut desk = with_key(function, value);
        assert_eq!((label(&desk, 3).as_str(), lamp(&desk, 3)), (named, OFF));
        desk.press(Key::Line(3));
        assert_eq!(called(&mut desk).1, value, "{function}");
        let named = phone(
            &ES620,
            &format!("key.3.type = {function}\nkey.3.value = {value}\nkey.3.label = Reception\n"),
        );
        assert_eq!(label(&named, 3), "Reception");
    }
    // SAY-213: a URI is as good.
    let mut desk = with_key("speed-dial", "sip:bob@example.net");
    desk.press(Key::Line(3));
    assert_eq!(called(&mut desk).1, "sip:bob@example.net");
    let mut dead = with_key("none", "");
    dead.press(Key::Line(3));
    assert_eq!((dead.commands(), label(&dead, 3)), (vec![], String::new()));
}

#[test]
fn a_speed_dial_key_calls_beside_a_call_and_is_the_target_of_a_transfer() {
    let mut desk = with_key("speed-dial", "104");
    let call = desk.talk("105");
    desk.press(Key::Line(3));
    assert_eq!(desk.phone.poll_command(), Some(Command::Hold(call)));
    assert_eq!(called(&mut desk).1, "104");
    let mut desk = with_key("speed-dial", "104");
    let call = desk.talk("105");
    desk.press(Key::Transfer);
    assert_eq!(desk.command(), Command::Hold(call));
    desk.press(Key::Line(3));
    assert_eq!(desk.command(), Command::Transfer { call, number: "104".to_owned() });
}

#[test]
fn a_key_of_its_own_account_calls_with_that_one_and_a_line_key_may_be_of_any_account() {
    let settings = "account.2.aor = sip:sales@example.org\nkey.7.type = speed-dial\nkey.7.value = 104\n\
                    key.7.account = 2\nkey.5.account = 2\n";
    let mut desk = phone(&ES620, settings);
    desk.press(Key::Line(7));
    assert!(matches!(desk.command(), Command::Call { account: 1, number, .. } if number == "104"));
    let mut desk = phone(&ES620, settings);
    desk.press(Key::Line(5));
    desk.type_in("105");
    desk.press(Key::Send);
    assert!(matches!(desk.command(), Command::Call { account: 1, .. }));
}

#[test]
fn a_prefix_goes_in_front_of_what_is_dialled() {
    let mut desk = with_key("prefix", "0592");
    desk.type_in("123");
    desk.press(Key::Line(3));
    assert!(sees(&desk, "0592123"), "{:?}", desk.text());
    desk.press(Key::Send);
    assert_eq!(called(&mut desk).1, "0592123");
    let mut desk = with_key("prefix", "0592");
    desk.press(Key::Line(3));
    desk.type_in("44");
    desk.press(Key::Send);
    assert_eq!(called(&mut desk).1, "059244");
}

#[test]
fn digits_of_a_key_are_sent_over_the_call() {
    let mut desk = with_key("dtmf", "*2#");
    desk.press(Key::Line(3));
    assert_eq!(desk.commands(), []);
    let call = desk.talk("105");
    desk.press(Key::Line(3));
    let sent: String = desk
        .commands()
        .into_iter()
        .map(|command| match command {
            Command::Dtmf { call: over, digit } if over == call => digit,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sent, "*2#");
    assert!(sees(&desk, "Sent *2#"));
}

#[test]
fn keys_switch_do_not_disturb_forwards_and_anonymity_and_their_lamps_tell() {
    for (function, on, off) in [
        ("dnd", "Do not disturb is on", "Do not disturb is off"),
        ("anonymous", "Calls are anonymous", "Calls are not anonymous"),
    ] {
        let mut desk = with_key(function, "");
        assert_eq!(lamp(&desk, 3), OFF);
        desk.press(Key::Line(3));
        assert!(sees(&desk, on) && lamp(&desk, 3) == ON, "{:?}", desk.text());
        desk.press(Key::Line(3));
        assert!(sees(&desk, off) && lamp(&desk, 3) == OFF, "{:?}", desk.text());
    }
    let mut desk = with_key("forward", "");
    desk.press(Key::Line(3));
    assert!(sees(&desk, "Forward to"));
    desk.type_in("103");
    desk.press(Key::Send);
    assert!(sees(&desk, "Calls go to 103") && lamp(&desk, 3) == ON, "{:?}", desk.text());
    desk.press(Key::Line(3));
    assert!(sees(&desk, "Calls are not forwarded") && lamp(&desk, 3) == OFF);
}

#[test]
fn do_not_disturb_of_one_account_leaves_the_other_alone() {
    let settings = "account.2.aor = sip:sales@example.org\ncalls.scope = custom\nkey.7.type = dnd\n\
                    key.7.account = 2\nkey.8.type = dnd\nkey.8.account = 1\n";
    let mut desk = phone(&ES620, settings);
    desk.press(Key::Line(7));
    assert_eq!((lamp(&desk, 7), lamp(&desk, 8)), (ON, OFF));
}

#[test]
fn keys_do_what_the_keys_with_a_cap_do() {
    let mut desk = with_key("hold", "");
    let call = desk.talk("105");
    desk.press(Key::Line(3));
    assert_eq!(desk.command(), Command::Hold(call));
    desk.signal(Signal::Held(call));
    assert_eq!(lamp(&desk, 3), ON);
    desk.press(Key::Line(3));
    assert_eq!(desk.command(), Command::Resume(call));

    let mut desk = with_key("transfer", "");
    let call = desk.talk("105");
    desk.press(Key::Line(3));
    assert_eq!(desk.command(), Command::Hold(call));
    desk.type_in("104");
    desk.press(Key::Line(3));
    assert_eq!(desk.command(), Command::Transfer { call, number: "104".to_owned() });

    let mut desk = with_key("redial", "");
    let call = desk.call("105");
    desk.signal(Signal::Ended { call, cause: remote(Some(486), "Busy Here") });
    desk.press(Key::Line(3));
    assert_eq!(called(&mut desk).1, "105");

    let mut desk = with_key("voice-mail", "");
    desk.signal(Signal::Messages { account: 0, waiting: true, new: 1 });
    assert_eq!(lamp(&desk, 3), ON);
    desk.press(Key::Line(3));
    assert_eq!(called(&mut desk).1, "*97");

    let mut desk = with_key("call-return", "");
    desk.press(Key::Line(3));
    assert_eq!(desk.commands(), [], "nobody called");
    let call = desk.rings("103", &[]);
    desk.signal(Signal::Ended { call, cause: remote(None, "") });
    desk.press(Key::Line(3));
    assert_eq!(called(&mut desk).1, "103");
}

#[test]
fn soft_keys_and_function_keys_work_while_the_phone_is_idle() {
    let settings = "phone.model = c60s\nkey.4.type = speed-dial\nkey.4.value = 104\nkey.4.label = Ada\n\
                    key.8.type = dnd\nkey.9.type = speed-dial\nkey.9.value = 105\n";
    let mut desk = phone(&C60S, settings);
    assert!(desk.text().last().expect("soft keys").contains("<Ada>"), "{:?}", desk.text());
    desk.press(Key::Cancel);
    assert!(sees(&desk, "Do not disturb is on"));
    desk.press(Key::Soft(2));
    let (call, number) = called(&mut desk);
    assert_eq!(number, "104");
    desk.signal(Signal::Established { call });
    desk.press(Key::Mute);
    assert!(desk.phone.audio().muted, "in a call it mutes");
    assert_eq!(desk.commands(), []);
    desk.signal(Signal::Ended { call, cause: local() });
    desk.press(Key::Mute);
    assert_eq!(called(&mut desk).1, "105");

    // YLC-336: the numbers of the maker.
    let mut conference = phone(&CP860, "phone.model = cp860\nkey.13.type = speed-dial\nkey.13.value = 106\n");
    conference.press(Key::Mute);
    assert_eq!(called(&mut conference).1, "106");
}

#[test]
fn a_key_that_the_phone_has_not_and_a_value_that_is_no_value_are_told() {
    use clap::Parser as _;
    for (lines, wrong) in [
        ("phone.model = c60s\nkey.12.type = dnd\n", "key.12.type: SP-C60S has no such key"),
        ("key.3.type = blf\n", "key.3.value: blf needs one"),
        ("key.3.type = prefix\nkey.3.value = 12x\n", "key.3.value: \"12x\": expected digits, * and #"),
        ("key.3.type = paging\nkey.3.value = 192.0.2.1:5000\n", "key.3.value: \"192.0.2.1:5000\": "),
        ("phone.model = c60s\nkey.1.account = 3\n", "key.1.account: SP-C60S has 2 account(s)"),
    ] {
        let path = std::env::temp_dir().join(format!("sidetone-keys-{}.conf", std::process::id()));
        std::fs::write(&path, lines).expect("written");
        let line = ["sidetone-phone", "--config", &path.display().to_string()].map(str::to_owned);
        let cli = sidetone_phone::cli::Cli::try_parse_from(line).expect("valid");
        let error = sidetone_phone::config::Config::load(&cli).expect_err(lines).to_string();
        assert!(error.starts_with(wrong), "{error}");
        std::fs::remove_file(path).expect("removed");
    }
}

/// The state of an orbit where 105 waits, or nobody.
fn orbit(waits: bool) -> Box<BlfState> {
    let mut lamp = Blf::orbit();
    lamp.apply(told_of("sip:701@example.org", if waits { "confirmed" } else { "" }));
    Box::new(lamp.state())
}

#[test]
fn a_park_key_parks_shows_who_waits_and_fetches_the_call() {
    let mut desk = with_key("park", "701");
    let key = Key::Line(3);
    desk.signal(Signal::Extension { key, state: orbit(false) });
    assert_eq!((label(&desk, 3).as_str(), lamp(&desk, 3)), ("701", LampState::On(LampColor::YellowGreen)));
    desk.press(key);
    assert!(sees(&desk, "Nobody waits at 701"));
    let call = desk.talk("103");
    desk.press(key);
    assert_eq!(desk.command(), Command::Transfer { call, number: "701".to_owned() });
    desk.signal(Signal::Extension { key, state: orbit(true) });
    desk.signal(Signal::Ended { call, cause: local() });
    assert!(sees(&desk, "Parked") && sees(&desk, "at 701"), "{:?}", desk.text());
    assert_eq!((label(&desk, 3).as_str(), lamp(&desk, 3)), ("701: Ada", ON));
    desk.press(key);
    assert_eq!(called(&mut desk).1, "701");

    let mut parked = phone(&UT670, "phone.model = ut670\nkey.3.type = park\nkey.3.value = 701\n");
    parked.signal(Signal::Extension { key, state: orbit(true) });
    assert_eq!(lamp(&parked, 3), LampState::slow(LampColor::Red));
}

#[test]
fn a_call_is_parked_by_digits_or_by_a_call_beside_it_where_the_server_wants_that() {
    let settings = |by: &str| {
        format!(
            "key.3.type = park\nkey.3.value = 5\nkey.3.extension = *68\nkeys.park = {by}\nkeys.retrieve_code = *88\n"
        )
    };
    let mut desk = phone(&ES620, &settings("dtmf"));
    let call = desk.talk("103");
    desk.press(Key::Line(3));
    let digits: Vec<_> = "*685".chars().map(|digit| Command::Dtmf { call, digit }).collect();
    assert_eq!(desk.commands(), digits);
    let mut desk = phone(&ES620, &settings("call"));
    let call = desk.talk("103");
    desk.press(Key::Line(3));
    assert_eq!(desk.phone.poll_command(), Some(Command::Hold(call)));
    let (call, number) = called(&mut desk);
    assert_eq!(number, "*685");
    desk.signal(Signal::Ended { call, cause: remote(None, "") });
    desk.signal(Signal::Extension { key: Key::Line(3), state: orbit(true) });
    desk.press(Key::Line(3));
    assert_eq!(called(&mut desk).1, "*885");
}

#[test]
fn a_pickup_key_takes_what_rings_and_calls_nobody() {
    let key = Key::Line(3);
    let mut desk = with_key("pickup", "102");
    desk.signal(Signal::Extension { key, state: told("confirmed") });
    assert_eq!((label(&desk, 3).as_str(), lamp(&desk, 3)), ("Pickup 102", OFF));
    desk.press(key);
    assert!(sees(&desk, "Nothing rings at 102"));
    desk.signal(Signal::Extension { key, state: told("early") });
    assert_eq!(lamp(&desk, 3), LampState::fast(LampColor::Red));
    desk.press(key);
    assert!(matches!(desk.command(), Command::PickUp { .. }));
    // DIN-079: the code with the number, as the value or in two settings.
    for settings in [
        "key.3.type = pickup\nkey.3.value = *8102\n",
        "key.3.type = pickup\nkey.3.value = 102\nkey.3.extension = *8\n",
    ] {
        let mut desk = phone(&ES620, settings);
        desk.press(key);
        assert_eq!(called(&mut desk).1, "*8102");
    }
}

#[test]
fn the_members_of_a_list_fill_its_keys_in_order() {
    let settings = "account.1.blf_list = team\naccount.1.blf_list_pickup_code = *8\n\
                    account.1.blf_list_barge_in_code = *5\nkey.4.type = blf-list\nkey.6.type = blf-list\n";
    let mut desk = phone(&ES620, settings);
    let member = |number: &str, name: Option<&str>, state: Box<BlfState>| Member {
        number: number.to_owned(),
        name: name.map(str::to_owned),
        state: *state,
    };
    assert_eq!((label(&desk, 4), lamp(&desk, 4)), (String::new(), OFF));
    desk.press(Key::Line(4));
    assert_eq!(desk.commands(), []);
    let members = vec![
        member("102", Some("Bob"), told("early")),
        member("103", None, told("confirmed")),
        member("104", None, told("")),
    ];
    desk.signal(Signal::Members { account: 0, members });
    assert_eq!((label(&desk, 4).as_str(), lamp(&desk, 4)), ("Bob: Ada", LampState::fast(LampColor::Red)));
    assert_eq!((label(&desk, 6).as_str(), lamp(&desk, 6)), ("103: Ada", ON));
    assert!(sees(&desk, "Bob: Ada rings"), "{:?}", desk.text());
    desk.press(Key::Line(4));
    let (call, number) = called(&mut desk);
    assert_eq!(number, "*8102");
    desk.signal(Signal::Ended { call, cause: local() });
    desk.press(Key::Line(6));
    assert_eq!(called(&mut desk).1, "*5103");
    // The server moves them.
    desk.signal(Signal::Members { account: 0, members: vec![member("104", None, told(""))] });
    assert_eq!((label(&desk, 4).as_str(), label(&desk, 6).as_str()), ("104", ""));
}

#[test]
fn a_key_that_asks_transfers_calls_or_does_nothing() {
    for (soft, wanted) in [(1, "transfer"), (2, "consult"), (3, "call"), (4, "back")] {
        let mut desk = with_key("blf-ask", "102");
        desk.signal(Signal::Extension { key: Key::Line(3), state: told("") });
        let call = desk.talk("105");
        desk.press(Key::Line(3));
        assert_eq!(desk.commands(), []);
        assert!(sees(&desk, "Transfer to 102?") && sees(&desk, "<Blind> <Consult> <Call> <Back>"));
        desk.press(Key::Soft(soft));
        let commands = desk.commands();
        let hold = Command::Hold(call);
        let rest = match commands.as_slice() {
            [Command::Transfer { call: of, number }] if *of == call && number == "102" => "transfer",
            [first, Command::Call { number, .. }] if *first == hold && number == "102" => {
                if wanted == "consult" {
                    desk.signal(Signal::Held(call));
                }
                wanted
            }
            [] => "back",
            other => panic!("{other:?}"),
        };
        assert_eq!(rest, wanted);
        assert!(!sees(&desk, "Transfer to 102?"));
    }
    // A call that is up is needed for that.
    let mut idle = with_key("blf-ask", "102");
    idle.signal(Signal::Extension { key: Key::Line(3), state: told("") });
    idle.press(Key::Line(3));
    assert_eq!(called(&mut idle).1, "102");
}

#[test]
fn an_intercom_key_asks_to_be_answered_by_header_or_by_code() {
    for (more, form) in [
        ("", IntercomForm::CallInfo),
        ("keys.intercom = answer-mode\n", IntercomForm::AnswerMode),
        ("key.3.extension = *998\n", IntercomForm::Code("*998".to_owned())),
    ] {
        let mut desk = phone(&ES620, &format!("key.3.type = intercom\nkey.3.value = 100\n{more}"));
        desk.press(Key::Line(3));
        let Command::Intercom { number, form: asked, .. } = desk.command() else {
            panic!("no intercom call")
        };
        assert_eq!((number.as_str(), asked), ("100", form));
    }
}

#[test]
fn a_paging_key_speaks_until_it_is_pressed_again_or_a_call_is_answered() {
    let mut desk = with_key("paging", "224.5.5.6:10008");
    desk.press(Key::Line(3));
    let Command::Page { call, address } = desk.command() else { panic!("no page") };
    assert_eq!(address.to_string(), "224.5.5.6:10008");
    desk.signal(Signal::Established { call });
    assert!(sees(&desk, "Paging") && desk.phone.audio().call == Some(call) && lamp(&desk, 3) == ON);
    desk.press(Key::Hold);
    desk.press(Key::Transfer);
    desk.press(Key::Conference);
    assert_eq!(desk.commands(), [], "it is no call");
    desk.press(Key::Cancel);
    assert_eq!(desk.command(), Command::HangUp(call));
    desk.signal(Signal::Ended { call, cause: local() });
    desk.press(Key::Line(3));
    let Command::Page { call, .. } = desk.command() else { panic!("no page") };
    desk.signal(Signal::Established { call });
    let caller = desk.ring("105").expect("a line");
    desk.press(Key::Send);
    assert_eq!(desk.command(), Command::Hold(call), "the page ends before the call is answered");
    desk.signal(Signal::Ended { call, cause: local() });
    assert_eq!(desk.command(), Command::Answer(caller));
    assert_eq!(lamp(&desk, 3), OFF);
}

/// A phone whose call to 102 was refused so.
fn refused(status: u16) -> Desk {
    let mut desk = phone(&ES620, "call_completion.enabled = yes\n");
    let call = desk.call("102");
    desk.signal(Signal::Ended { call, cause: remote(Some(status), "No") });
    desk
}

#[test]
fn who_was_busy_is_watched_and_called_when_free() {
    let mut desk = refused(486);
    assert!(sees(&desk, "Wait until 102 is free?"), "{:?}", desk.text());
    desk.press(Key::Soft(2));
    assert_eq!(desk.command(), Command::Await { account: 0, number: "102".to_owned() });
    assert!(sees(&desk, "Waiting for 102"));
    desk.signal(Signal::Awaited { number: "102".to_owned(), state: told("confirmed") });
    assert_eq!(desk.sound(), None);
    desk.pass(Duration::from_secs(60));
    desk.signal(Signal::Awaited { number: "102".to_owned(), state: told("") });
    assert!(sees(&desk, "102 is free: call?") && desk.sound() == Some(Sound::Warning));
    // Somebody else was faster, for a while.
    desk.signal(Signal::Awaited { number: "102".to_owned(), state: told("early") });
    assert!(sees(&desk, "Waiting for 102") && desk.sound().is_none(), "{:?}", desk.text());
    desk.signal(Signal::Awaited { number: "102".to_owned(), state: told("") });
    desk.press(Key::Ok);
    assert_eq!(desk.phone.poll_command(), Some(Command::AwaitNoMore));
    assert_eq!(called(&mut desk).1, "102");
}

#[test]
fn a_wish_is_forgotten_in_time_by_the_person_or_when_it_is_of_no_use() {
    let mut desk = refused(486);
    desk.press(Key::Ok);
    assert!(matches!(desk.command(), Command::Await { .. }));
    desk.pass(Duration::from_secs(1201));
    assert_eq!(desk.command(), Command::AwaitNoMore);
    assert!(!sees(&desk, "Waiting for 102"));

    let mut desk = refused(480);
    desk.press(Key::Ok);
    assert!(matches!(desk.command(), Command::Await { .. }));
    desk.signal(Signal::Awaited { number: "102".to_owned(), state: told("") });
    assert!(sees(&desk, "Waiting for 102"), "who did not answer is idle all the time");
    desk.signal(Signal::Awaited { number: "102".to_owned(), state: told("confirmed") });
    desk.signal(Signal::Awaited { number: "102".to_owned(), state: told("") });
    assert!(sees(&desk, "102 is free: call?"));
    desk.press(Key::Cancel);
    assert_eq!(desk.command(), Command::AwaitNoMore);

    let desk = refused(404);
    assert!(!sees(&desk, "Wait until 102 is free?"));
}

#[test]
fn what_is_heard_of_somebody_else_offers_no_call() {
    let mut desk = refused(486);
    desk.press(Key::Ok);
    desk.signal(Signal::Awaited { number: "103".to_owned(), state: told("") });
    assert!(sees(&desk, "Waiting for 102"));
}

#[test]
fn any_sequence_of_keys_with_functions_leaves_a_phone_that_works() {
    use sidetone_hal::rng::Rng;
    let functions = "blf-ask 102,park 701,paging 224.5.5.6:10008,intercom 103,pickup 102,prefix 0,\
                     blf-attended 102,conference";
    let mut settings = "call_completion.enabled = yes\nkeys.park = call\nkey.1.type = line\n".to_owned();
    for (key, function) in (3..).zip(functions.split(',').take(6)) {
        let (name, value) = function.split_once(' ').unwrap_or((function, ""));
        settings += &format!("key.{key}.type = {name}\nkey.{key}.value = {value}\n");
    }
    for seed in 0..200 {
        let mut rng = Rng::from_u64(seed);
        let mut desk = phone(&ES620, &settings);
        let mut known: Vec<CallRef> = Vec::new();
        for _ in 0..200 {
            let call = (!known.is_empty()).then(|| known[rng.next_u32() as usize % known.len()]);
            let state = told(["", "early", "confirmed"][rng.next_u32() as usize % 3]);
            let key = Key::Line(3 + (rng.next_u32() % 6) as u8);
            match (rng.next_u32() % 14, call) {
                (0, _) => known.extend(desk.ring("103")),
                (1, Some(call)) => desk.signal(Signal::Established { call }),
                (2, Some(call)) => desk.signal(Signal::Held(call)),
                (3, Some(call)) => desk.signal(Signal::Resumed(call)),
                (4, Some(call)) => desk.signal(Signal::Ended { call, cause: remote(Some(486), "Busy Here") }),
                (5, _) => desk.pass(Duration::from_millis(u64::from(rng.next_u32() % 7000))),
                (6, _) => desk.signal(Signal::Extension { key, state }),
                (7, _) => desk.signal(Signal::Awaited { number: "102".to_owned(), state }),
                (8, _) => desk.press(key),
                (_, _) => {
                    let keys = "send ok cancel hold line1 line2 line3 line4 line5 line6 line7 line8 soft1 soft2 soft3 \
                                soft4 transfer conference speaker redial";
                    let keys: Vec<_> = keys.split_ascii_whitespace().collect();
                    desk.press(keys[rng.next_u32() as usize % keys.len()].parse().expect("a key"));
                }
            }
            known.extend(desk.commands().into_iter().filter_map(|command| match command {
                Command::Call { call, .. }
                | Command::Intercom { call, .. }
                | Command::Page { call, .. }
                | Command::PickUp { call, .. } => Some(call),
                _ => None,
            }));
            assert!(desk.phone.calls().len() <= ES620.calls);
            assert!(!desk.text().is_empty());
        }
        for call in known {
            desk.signal(Signal::Ended { call, cause: remote(None, "") });
        }
        for _ in 0..3 {
            desk.press(Key::Cancel);
        }
        assert_eq!((desk.phone.calls().len(), desk.sound()), (0, None), "seed {seed}: {:?}", desk.text());
        desk.commands();
        desk.call("105");
    }
}
