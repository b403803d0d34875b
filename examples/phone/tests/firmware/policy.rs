//! What becomes of calls: do not disturb, forwards, lists, automatic answer, rings; and calls that dial themselves.

use super::desk::{Desk, local, remote};
use sidetone_hal::audio::AudioPath;
use sidetone_hal::hook::HookState;
use sidetone_hal::keypad::Key;
use sidetone_hal::time::Duration;
use sidetone_phone::cli::Cli;
use sidetone_phone::config::Config;
use sidetone_phone::firmware::{CallRef, Command, FirmwareConfig, Icon, Invitation, Signal, Sound, Verdict};
use sidetone_phone::models::{C60S, ES620, Model, UT670};
use sidetone_sip_core::header::Contact;
use sidetone_sip_core::{HeaderName, Headers};
use sidetone_sip_ua::Refusal;

/// The set-up of this account and these lines in the settings file.
pub(crate) fn config(settings: &str, account: &str) -> Config {
    try_config(settings, account).unwrap_or_else(|error| panic!("{settings}: {error}"))
}

/// The same, or what is wrong with it.
pub(crate) fn try_config(settings: &str, account: &str) -> Result<Config, String> {
    use clap::Parser as _;
    use core::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("sidetone-policy-{}-{next}.conf", std::process::id()));
    std::fs::write(&path, format!("account.1.aor = {account}\n{settings}")).expect("written");
    let cli =
        Cli::try_parse_from(["sidetone-phone", "--config", &path.display().to_string()]).expect("valid");
    let config = Config::load(&cli).map_err(|error| error.to_string());
    std::fs::remove_file(path).expect("removed");
    config
}

/// A telephone with an account `sip:alice@example.org` and these lines in its settings file.
pub(crate) fn desk(model: &'static Model, settings: &str) -> Desk {
    let config = config(settings, "sip:alice@example.org");
    let mut set_up = FirmwareConfig::new(model, config.labels());
    set_up.transfer = config.calls.transfer;
    set_up.keys.clone_from(&config.keys.keys);
    set_up.policy = config.calls.policy(&config.accounts);
    Desk::set_up(set_up)
}

fn invitation(from: &str, more: &[(&'static str, &str)]) -> Invitation {
    let mut headers = Headers::new();
    headers.push_raw(HeaderName::FROM, from).expect("a value");
    for (name, value) in more {
        headers.push_raw(HeaderName::from_static(name), *value).expect("a value");
    }
    let request_uri = "sip:alice@192.0.2.1".parse().expect("a URI");
    Invitation { headers, request_uri, trusted: true }
}

impl Desk {
    pub(crate) fn invite_on(&mut self, account: usize, from: &str, more: &[(&'static str, &str)]) -> Verdict {
        let from = format!("<sip:{from}@example.org>;tag=1");
        self.phone.invited(self.now, account, invitation(&from, more))
    }

    fn invite(&mut self, from: &str, more: &[(&'static str, &str)]) -> Verdict {
        self.invite_on(0, from, more)
    }

    pub(crate) fn rings(&mut self, from: &str, more: &[(&'static str, &str)]) -> CallRef {
        match self.invite(from, more) {
            Verdict::Ring(call) => call,
            other => panic!("{from} {more:?}: {other:?}"),
        }
    }

    /// How a call is refused.
    pub(crate) fn forwards(&mut self, from: &str, more: &[(&'static str, &str)]) -> Refusal {
        match self.invite(from, more) {
            Verdict::Refuse(refusal) => refusal,
            other => panic!("{from}: {other:?}"),
        }
    }

    fn refuses(&mut self, from: &str) -> u16 {
        match self.invite(from, &[]) {
            Verdict::Refuse(refusal) => refusal.status.code(),
            other => panic!("{from}: {other:?}"),
        }
    }
}

pub(crate) fn contact(refusal: &Refusal) -> String {
    assert_eq!(refusal.status.code(), 302);
    let contact = refusal.headers.get::<Contact>().expect("a Contact").expect("it reads");
    contact.addr().expect("an address").uri.to_string()
}

#[test]
fn do_not_disturb_refuses_all_but_the_allowed_and_emergency_centres() {
    let mut desk = desk(&ES620, "dnd.status = 486\ndnd.allowed = 103\ncalls.emergency = 112\n");
    desk.press(Key::Soft(1));
    assert_eq!(desk.commands(), []);
    assert!(desk.phone.screen(desk.now).icons.contains(&Icon::Dnd));
    assert!(desk.text().contains(&"Do not disturb is on".to_owned()), "{:?}", desk.text());
    assert_eq!((desk.refuses("102"), desk.sound()), (486, None));
    desk.rings("103", &[]);
    desk.rings("112", &[]);
    let mut off = self::desk(&ES620, "dnd.enabled = true\ndnd.off_code = *79\n");
    assert_eq!(off.refuses("102"), 480);
    off.press(Key::Soft(1));
    assert!(matches!(off.command(), Command::Call { number, .. } if number == "*79"));
    off.rings("102", &[]);
}

#[test]
fn do_not_disturb_keeps_to_its_times() {
    // It is 08:36.
    let mut night = desk(&ES620, "dnd.enabled = yes\ndnd.times = 22:00-06:30 12:00-13:00\n");
    night.rings("102", &[]);
    let mut morning = desk(&ES620, "dnd.enabled = yes\ndnd.times = 22:00-09:00\n");
    assert_eq!(morning.refuses("102"), 480);
    morning.pass(Duration::from_secs(25 * 60));
    morning.rings("102", &[]);
}

#[test]
fn each_account_may_have_its_own_do_not_disturb_and_forward() {
    let mut desk = desk(
        &C60S,
        "account.2.aor = sip:work@example.org\ncalls.scope = custom\naccount.1.dnd = yes\n\
         account.2.forward_always = 200\n",
    );
    assert!(
        matches!(desk.invite_on(0, "102", &[]), Verdict::Refuse(refusal) if refusal.status.code() == 480)
    );
    assert!(
        matches!(desk.invite_on(1, "102", &[]), Verdict::Refuse(refusal) if contact(&refusal) == "sip:200@example.org")
    );
    assert!(desk.phone.screen(desk.now).icons.contains(&Icon::Dnd));
    desk.press(Key::Soft(1));
    let icons = desk.phone.screen(desk.now).icons;
    assert!(!icons.contains(&Icon::Dnd) && icons.contains(&Icon::Forward), "{icons:?}");
}

#[test]
fn calls_are_forwarded_always_when_busy_and_when_nobody_answers() {
    let mut always = desk(&ES620, "forward.always = yes\nforward.always_target = 200\n");
    let Verdict::Refuse(refusal) = always.invite("102", &[]) else { panic!("it rings") };
    assert_eq!(contact(&refusal), "sip:200@example.org");
    assert!(refusal.headers.contains(&HeaderName::DIVERSION));
    assert_eq!(always.text().last().map(String::as_str), Some("<DND> <Forward>"));

    let mut busy = desk(
        &C60S,
        "forward.busy = yes\nforward.busy_target = sip:v@example.net\ncall_waiting.enabled = no\n",
    );
    busy.talk("102");
    let Verdict::RingAndRefuse(refusal) = busy.invite("103", &[]) else { panic!("it rings, or does not") };
    assert_eq!(contact(&refusal), "sip:v@example.net");

    let mut late =
        desk(&ES620, "forward.no_answer = yes\nforward.no_answer_target = 300\nforward.ring_time = 6\n");
    let call = late.rings("102", &[]);
    late.pass(Duration::from_millis(5999));
    assert_eq!((late.commands(), late.sound()), (vec![], Some(Sound::Ring)));
    late.pass(Duration::from_millis(1));
    assert_eq!(late.command(), Command::Reject(call));
    assert_eq!(contact(&late.phone.refusal(call)), "sip:300@example.org");
}

#[test]
fn the_forward_key_asks_for_a_number_and_switches() {
    let mut desk = desk(&ES620, "forward.always_on_code = *72\nforward.international = no\n");
    desk.press(Key::Soft(2));
    assert_eq!(desk.text()[1], "Forward to");
    desk.type_in("200");
    desk.press(Key::Send);
    // The server is told by a call.
    let Command::Call { call, number, .. } = desk.command() else { panic!("no code") };
    assert_eq!(number, "*72200");
    desk.signal(Signal::Ended { call, cause: local() });
    let Verdict::Refuse(refusal) = desk.invite("102", &[]) else { panic!("it rings") };
    assert_eq!(contact(&refusal), "sip:200@example.org");
    desk.press(Key::Cancel);
    // The second of the soft keys beside the redial.
    desk.press(Key::Soft(3));
    assert!(desk.text().contains(&"Calls are not forwarded".to_owned()), "{:?}", desk.text());
    let call = desk.rings("102", &[]);
    // A call that rings is sent on by hand; to another country it is not.
    desk.press(Key::Soft(3));
    desk.type_in("0049301");
    desk.press(Key::Send);
    assert_eq!((desk.commands(), desk.text()[1].as_str()), (vec![], "Incoming call"));
    desk.press(Key::Soft(3));
    desk.type_in("400#");
    assert_eq!(desk.command(), Command::Reject(call));
    assert_eq!(contact(&desk.phone.refusal(call)), "sip:400@example.org");
}

#[test]
fn blocked_and_anonymous_callers_are_refused_and_the_person_refuses_as_set() {
    let mut desk = desk(
        &ES620,
        "calls.block_list = 666 +49900.\naccount.1.anonymous_rejection = yes\ncalls.refuse_status = 603\n",
    );
    assert_eq!((desk.refuses("666"), desk.refuses("+499001234")), (603, 603));
    let Verdict::Refuse(refusal) = desk.invite("anonymous", &[("Privacy", "id")]) else { panic!("it rings") };
    assert_eq!(refusal.status.code(), 433);
    let call = desk.rings("102", &[]);
    desk.press(Key::Cancel);
    assert_eq!(desk.command(), Command::Reject(call));
    assert_eq!(desk.phone.refusal(call).status.code(), 603);
}

#[test]
fn without_call_waiting_a_second_call_is_busy_and_without_its_tone_it_is_silent() {
    let mut off = desk(&ES620, "call_waiting.enabled = no\n");
    off.talk("102");
    assert_eq!(off.refuses("103"), 486);
    for (tone, sound) in [("yes", Some(Sound::CallWaiting)), ("no", None)] {
        let mut desk = desk(&ES620, &format!("call_waiting.tone = {tone}\n"));
        desk.talk("102");
        desk.rings("103", &[]);
        assert_eq!(desk.sound(), sound, "{tone}");
    }
}

#[test]
fn an_account_answers_by_itself_after_the_delay_with_the_microphone_off() {
    let mut desk = desk(&ES620, "account.1.auto_answer = yes\nauto_answer.delay = 3\n");
    let call = desk.rings("102", &[]);
    desk.pass(Duration::from_millis(2999));
    assert_eq!(desk.commands(), []);
    desk.pass(Duration::from_millis(1));
    assert_eq!(desk.command(), Command::Answer(call));
    let audio = desk.phone.audio();
    assert_eq!((audio.path, audio.muted), (AudioPath::Speaker, true));
    // Another call meanwhile only waits.
    desk.signal(Signal::Established { call });
    desk.rings("103", &[]);
    desk.pass(Duration::from_secs(10));
    assert_eq!(desk.commands(), []);
}

#[test]
fn an_intercom_call_warns_answers_and_barges_only_when_it_may() {
    let asks = [("Call-Info", "<sip:example.org>;answer-after=0")];
    let mut idle = desk(&ES620, "");
    let call = idle.rings("102", &asks);
    assert_eq!(idle.sound(), Some(Sound::Warning));
    idle.pass(Duration::from_secs(1));
    assert_eq!(idle.command(), Command::Answer(call));
    assert!(!idle.phone.audio().muted);

    let mut refusing = desk(&ES620, "intercom.allow = no\n");
    let Verdict::Refuse(refusal) = refusing.invite("102", &asks) else { panic!("it rings") };
    assert_eq!(refusal.status.code(), 486);

    let mut barging = desk(&ES620, "intercom.barge = yes\nintercom.tone = no\nintercom.mute = yes\n");
    let first = barging.talk("103");
    let call = barging.rings("102", &asks);
    barging.pass(Duration::from_millis(1));
    assert_eq!(barging.command(), Command::Hold(first));
    barging.signal(Signal::Held(first));
    assert_eq!(barging.command(), Command::Answer(call));
    assert!(barging.phone.audio().muted);
}

#[test]
fn alert_info_chooses_the_ring() {
    for (settings, value, sound) in [
        ("", "<http://127.0.0.1/Bellcore-dr2>", Sound::Melody(2)),
        ("ring.bellcore = yes\n", "<http://127.0.0.1/Bellcore-dr2>", Sound::Bellcore(2)),
        ("ring.texts = family=3, door=4\n", "<http://127.0.0.1>;info=family", Sound::Melody(3)),
        ("ring.texts = family=3, door=4\n", "<http://127.0.0.1>;info=else", Sound::Ring),
        ("", "<http://example.org/ring.wav>", Sound::Ring),
    ] {
        let mut desk = desk(&ES620, settings);
        desk.rings("102", &[("Alert-Info", value)]);
        assert_eq!(desk.sound(), Some(sound), "{settings}{value}");
        desk.press(Key::Mute);
        assert_eq!(desk.sound(), None);
    }
}

#[test]
fn the_header_that_is_set_says_who_calls() {
    let headers = [
        ("P-Asserted-Identity", "\"Boss\" <sip:900@example.org>"),
        ("Remote-Party-ID", "<sip:901@example.org>"),
    ];
    for (source, shown) in [("from", "102"), ("pai-from", "Boss"), ("rpid-from", "901")] {
        let mut desk = desk(&ES620, &format!("account.1.caller_id = {source}\n"));
        desk.rings("102", &headers);
        assert_eq!(desk.text()[2], shown, "{source}");
        let untrusted = Invitation { trusted: false, ..invitation("<sip:103@example.org>;tag=1", &headers) };
        let Verdict::Ring(call) = desk.phone.invited(desk.now, 0, untrusted) else { panic!("refused") };
        let call = desk.phone.calls().iter().find(|known| known.id() == call).expect("it rings");
        assert_eq!(call.peer().number, "103", "only the own server is believed");
    }
}

#[test]
fn anonymous_calls_hide_who_we_are() {
    let shown = desk(&ES620, "").phone.presented(0);
    assert!(shown.from.is_none() && shown.headers.is_empty());
    let hidden = desk(&ES620, "account.1.anonymous_call = yes\n").phone.presented(0);
    assert_eq!(
        hidden.from.expect("another From").to_string(),
        "\"Anonymous\" <sip:anonymous@anonymous.invalid>"
    );
    assert!(hidden.headers.contains(&HeaderName::PRIVACY));
}

#[test]
fn a_hotline_dials_itself_unless_a_digit_comes_first() {
    let settings = "account.1.hotline = 999\naccount.1.hotline_delay = 4\n";
    let mut desk = desk(&ES620, settings);
    desk.hook(HookState::OffHook);
    desk.pass(Duration::from_millis(3999));
    assert_eq!((desk.commands(), desk.sound()), (vec![], Some(Sound::DialTone)));
    desk.pass(Duration::from_millis(1));
    assert!(matches!(desk.command(), Command::Call { number, .. } if number == "999"));
    for hook in [false, true] {
        let mut desk = self::desk(&ES620, settings);
        desk.hook(HookState::OffHook);
        desk.pass(Duration::from_secs(3));
        if hook {
            desk.hook(HookState::OnHook);
        } else {
            desk.type_in("1");
        }
        desk.pass(Duration::from_millis(1500));
        assert_eq!(desk.commands(), []);
    }
}

#[test]
fn a_busy_number_is_called_again_as_often_as_set() {
    let mut desk = desk(&ES620, "redial.auto = yes\nredial.interval = 20\nredial.times = 2\n");
    let mut call = desk.call("102");
    for _ in 0..2 {
        desk.signal(Signal::Ended { call, cause: remote(Some(486), "Busy Here") });
        assert!(desk.text().contains(&"Calls 102 again in 20 s".to_owned()), "{:?}", desk.text());
        desk.pass(Duration::from_millis(19_999));
        assert_eq!(desk.commands(), []);
        desk.pass(Duration::from_millis(1));
        let Command::Call { call: next, number, .. } = desk.command() else { panic!("not called") };
        assert_eq!(number, "102");
        call = next;
    }
    desk.signal(Signal::Ended { call, cause: remote(Some(486), "Busy Here") });
    desk.pass(Duration::from_secs(60));
    assert_eq!(desk.commands(), []);
    // The person does not want to wait, or does not want it at all.
    let call = desk.call("103");
    desk.signal(Signal::Ended { call, cause: remote(Some(480), "") });
    desk.press(Key::Ok);
    let Command::Call { call, .. } = desk.command() else { panic!("not called") };
    desk.signal(Signal::Ended { call, cause: remote(Some(480), "") });
    desk.press(Key::Cancel);
    desk.pass(Duration::from_secs(60));
    assert_eq!(desk.commands(), []);
}

#[test]
fn a_callers_plus_is_shown_and_called_back_by_the_codes() {
    let settings =
        "dialplan.international_code = 00\ndialplan.country_code = 49\ndialplan.national_code = 0\n";
    for (caller, shown, called) in [
        ("+4930123", "004930123", "030123"),
        ("+12015550123", "0012015550123", "0012015550123"),
        ("102", "102", "102"),
    ] {
        let mut desk = desk(&ES620, settings);
        let call = desk.rings(caller, &[]);
        assert!(desk.text().iter().any(|line| line == shown), "{:?}", desk.text());
        desk.signal(Signal::Ended { call, cause: remote(None, "") });
        desk.press(Key::Soft(3));
        assert!(matches!(desk.command(), Command::Call { number, .. } if number == called));
    }
}

#[test]
fn the_ut670_leaves_the_plus_out_where_no_code_stands_in_its_place() {
    for (settings, shown) in [
        ("phone.model = ut670\n", "4930123"),
        ("phone.model = es620\n", "+4930123"),
        ("dialplan.plus = replace\n", "4930123"),
        ("phone.model = ut670\ndialplan.plus = keep\n", "+4930123"),
    ] {
        let mut desk = desk(&UT670, settings);
        desk.rings("+4930123", &[]);
        assert!(desk.text().iter().any(|line| line == shown), "{settings}: {:?}", desk.text());
    }
    for (setting, expected) in [
        ("dialplan.international_code = 0+", "dialplan.international_code: \"0+\": expected digits, * and #"),
        ("dialplan.country_code = 4*", "dialplan.country_code: \"4*\": expected digits"),
        ("dialplan.national_code = a", "dialplan.national_code: \"a\": expected digits, * and #"),
        ("dialplan.national_code = 123456789", "expected text, at most 8 characters"),
    ] {
        let wrong = try_config(&format!("{setting}\n"), "sip:alice@example.org").expect_err("no code");
        assert!(wrong.ends_with(expected), "{wrong}");
    }
}

#[test]
fn a_hotline_dials_at_once_or_after_up_to_ten_seconds_and_only_where_there_is_a_number() {
    for (number, delay) in [("3601", 0), ("3601", 5), ("3601", 10), ("", 0)] {
        let mut desk =
            desk(&ES620, &format!("account.1.hotline = {number}\naccount.1.hotline_delay = {delay}\n"));
        desk.hook(HookState::OffHook);
        if delay > 0 {
            desk.pass(Duration::from_millis(delay * 1000 - 1));
            assert_eq!(desk.commands(), []);
        }
        desk.pass(Duration::from_millis(1));
        let called = desk
            .commands()
            .into_iter()
            .any(|command| matches!(command, Command::Call { number: called, .. } if called == "3601"));
        assert_eq!(called, !number.is_empty(), "{number} {delay}");
    }
}

#[test]
fn call_return_calls_who_called_last() {
    let mut desk = desk(&ES620, "");
    assert_eq!(desk.text().last().map(String::as_str), Some("<DND> <Forward>"));
    let call = desk.rings("102", &[]);
    desk.signal(Signal::Ended { call, cause: remote(None, "") });
    assert_eq!(desk.text().last().map(String::as_str), Some("<DND> <Forward> <Return> <Clear>"));
    desk.press(Key::Soft(3));
    assert!(matches!(desk.command(), Command::Call { number, .. } if number == "102"));
}

#[test]
fn call_waiting_is_switched_with_its_codes_and_may_be_off_for_an_account() {
    let settings = "calls.waiting_on_code = *71\ncalls.waiting_off_code = *72\n";
    let mut desk = desk(&ES620, settings);
    for (on, code) in [(false, "*72"), (true, "*71")] {
        desk.phone.set_call_waiting(desk.now, on);
        let Command::Call { call, number, .. } = desk.command() else { panic!("no call") };
        assert_eq!((number.as_str(), desk.phone.call_waiting()), (code, on));
        desk.signal(Signal::Ended { call, cause: local() });
    }
    for (settings, waits) in [("account.1.call_waiting = no\n", false), ("", true)] {
        let mut desk = self::desk(&ES620, settings);
        desk.talk("102");
        assert_eq!(matches!(desk.invite("103", &[]), Verdict::Ring(_)), waits, "{settings}");
    }
}
