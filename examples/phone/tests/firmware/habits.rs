//! What the telephone does at certain moments: forward keys for each case, pickup, key presses in place of a transfer, calls
//! left on hold, busy tone, ring-back after progress, hidden digits.

use super::charge::Server;
use super::desk::{Desk, local, remote};
use super::policy::{desk as phone, try_config};
use super::watch::told;
use core::time::Duration;
use sidetone_hal::hook::HookState;
use sidetone_hal::keypad::Key;
use sidetone_hal::lamp::{Lamp, LampState};
use sidetone_phone::firmware::{Command, Signal, Sound};
use sidetone_phone::models::ES620;
use sidetone_sip_core::header::{Diversion, Event, Expires};
use sidetone_sip_core::{Method, NameAddr};
use sidetone_sip_ua::RemoteIdentity;
use sidetone_sip_ua::package::feature_sync::{Feature, FeatureEvent, Forwarding, ForwardingType};

impl Desk {
    fn has(&self, line: &str) -> bool {
        self.text().iter().any(|shown| shown == line)
    }

    fn offers(&self, label: &str) -> bool {
        self.phone.screen(self.now).soft.iter().flatten().any(|key| key.0 == label)
    }

    /// Presses a soft key, looking for it under the one for more.
    pub(crate) fn soft_key(&mut self, label: &str) {
        for _ in 0..6 {
            let keys = self.phone.screen(self.now).soft;
            let place =
                |label: &str| keys.iter().position(|key| key.as_ref().is_some_and(|key| key.0 == label));
            let found = place(label);
            let key = found.or_else(|| place("More")).unwrap_or_else(|| panic!("no key {label}: {keys:?}"));
            self.press(Key::Soft(u8::try_from(key).expect("small") + 1));
            if found.is_some() {
                return;
            }
        }
        panic!("no key {label}");
    }

    fn lit(&self, line: u8) -> bool {
        self.lamp(Lamp::Key(Key::Line(line))) != LampState::Off
    }

    fn dials(&mut self) -> String {
        match self.command() {
            Command::Call { number, .. } => number,
            other => panic!("{other:?}"),
        }
    }
}

/// YLA-097 to YLA-105: each case has its own switch, target and codes.
#[test]
fn there_is_a_key_for_each_forward_which_asks_for_its_target_and_dials_its_codes() {
    let settings = "forward.always_on_code = *73\nforward.always_off_code = *74\n\
                    key.3.type = forward\nkey.4.type = forward-busy\nkey.5.type = forward-no-answer\n\
                    forward.busy_on_code = *75\nforward.busy_off_code = *76\n\
                    forward.no_answer_on_code = *77\nforward.no_answer_off_code = *78\n";
    let mut desk = phone(&ES620, settings);
    for (key, title, target, on, off, told) in [
        (3, "Forward to", "300", "*73300", "*74", "Calls"),
        (4, "Forward while busy to", "301", "*75301", "*76", "Calls while busy"),
        (5, "Forward unanswered to", "302", "*77302", "*78", "Unanswered calls"),
    ] {
        assert!(!desk.lit(key));
        desk.press(Key::Line(key));
        assert_eq!(desk.text()[1], title);
        desk.type_in(target);
        desk.press(Key::Send);
        assert_eq!(desk.dials(), on);
        assert!(desk.has(&format!("{told} go to {target}")), "{:?}", desk.text());
        let lit = [3, 4, 5].map(|other| desk.lit(other));
        assert_eq!(lit, [3, 4, 5].map(|other| other == key), "its own lamp and no other");
        let call = desk.phone.calls()[0].id();
        desk.signal(Signal::Ended { call, cause: local() });
        desk.press(Key::Cancel);
        // The target is known now.
        desk.press(Key::Line(key));
        assert_eq!(desk.dials(), off);
        assert!(!desk.lit(key));
        let call = desk.phone.calls()[0].id();
        desk.signal(Signal::Ended { call, cause: local() });
        desk.press(Key::Cancel);
        desk.press(Key::Line(key));
        assert_eq!(desk.dials(), on, "without a question");
        let call = desk.phone.calls()[0].id();
        desk.signal(Signal::Ended { call, cause: local() });
        desk.press(Key::Cancel);
        desk.press(Key::Line(key));
        desk.commands();
        let call = desk.phone.calls()[0].id();
        desk.signal(Signal::Ended { call, cause: local() });
        desk.press(Key::Cancel);
    }
    desk.press(Key::Line(5));
    desk.commands();
    let call = desk.phone.calls()[0].id();
    desk.signal(Signal::Ended { call, cause: local() });
    desk.press(Key::Cancel);
    // Nobody answers a call that comes now.
    let call = desk.rings("102", &[]);
    desk.pass(Duration::from_secs(12));
    assert_eq!(desk.command(), Command::Reject(call));
    assert_eq!(desk.phone.refusal(call).status.code(), 302);
}

#[test]
fn the_keys_ask_the_server_for_the_forward_that_they_are_for() {
    let settings = "key.4.type = forward-busy\ncalls.feature_sync = yes\n";
    let mut desk = phone(&ES620, settings);
    let tell = |desk: &mut Desk, on| {
        let rule = Forwarding::new(ForwardingType::Busy, on).with_to("301");
        let event = FeatureEvent::new("alice", Feature::Forwarding(rule));
        desk.signal(Signal::Features { account: 0, event: Some(Box::new(event)) });
    };
    tell(&mut desk, false);
    desk.press(Key::Line(4));
    let Command::AskServer { request, .. } = desk.command() else { panic!("nothing asked") };
    let wanted = Forwarding::new(ForwardingType::Busy, true).with_to("301");
    assert_eq!(request.feature, Feature::Forwarding(wanted));
    assert!(!desk.lit(4), "the server has not said so");
    tell(&mut desk, true);
    assert!(desk.lit(4) && desk.has("Calls while busy go to 301"), "{:?}", desk.text());
}

/// YLA-122 to YLA-130.
#[test]
fn soft_keys_take_calls_while_a_number_is_dialled_with_the_codes_of_the_account() {
    let settings =
        "pickup.direct = yes\npickup.direct_code = *97\npickup.group = yes\npickup.group_code = *98\n";
    let mut desk = phone(&ES620, settings);
    desk.hook(HookState::OffHook);
    desk.soft_key("DPickup");
    assert_eq!(desk.text()[1], "Pickup from");
    desk.type_in("102");
    desk.press(Key::Send);
    assert_eq!(desk.dials(), "*97102");
    let call = desk.phone.calls()[0].id();
    desk.signal(Signal::Ended { call, cause: local() });
    desk.hook(HookState::OnHook);
    // The extension may be there already.
    desk.type_in("103");
    desk.soft_key("DPickup");
    assert_eq!(desk.dials(), "*97103");
    let call = desk.phone.calls()[0].id();
    desk.signal(Signal::Ended { call, cause: local() });
    desk.hook(HookState::OffHook);
    desk.soft_key("GPickup");
    assert_eq!(desk.dials(), "*98");

    let own = format!("{settings}account.1.direct_pickup_code = *68\naccount.1.group_pickup_code = *69\n");
    let mut desk = phone(&ES620, &own);
    desk.type_in("102");
    desk.soft_key("DPickup");
    assert_eq!(desk.dials(), "*68102", "that of the line goes before the telephone's");
    let call = desk.phone.calls()[0].id();
    desk.signal(Signal::Ended { call, cause: local() });
    desk.hook(HookState::OffHook);
    desk.soft_key("GPickup");
    assert_eq!(desk.dials(), "*69");

    let mut without = phone(&ES620, "");
    without.hook(HookState::OffHook);
    assert!(!without.offers("DPickup") && !without.offers("GPickup") && !without.offers("More"));
    let mut no_code = phone(&ES620, "pickup.group = yes\n");
    no_code.hook(HookState::OffHook);
    no_code.soft_key("GPickup");
    assert_eq!(no_code.commands(), []);
    assert!(no_code.has("No pickup code"));
}

#[test]
fn a_call_at_a_watched_extension_is_told_by_screen_and_tone_and_taken_by_a_soft_key() {
    let watched = "key.3.type = blf\nkey.3.value = 102\n";
    let mut desk = phone(&ES620, &format!("{watched}pickup.visual = yes\npickup.audio = yes\n"));
    assert!(!desk.offers("Pickup"));
    desk.signal(Signal::Extension { key: Key::Line(3), state: told("early") });
    desk.pass(Duration::from_secs(30));
    assert!(desk.has("102: Ada rings") && desk.offers("Pickup"), "as long as it rings: {:?}", desk.text());
    assert_eq!(desk.sound(), Some(Sound::Warning));
    desk.soft_key("Pickup");
    let Command::PickUp { pickup, .. } = desk.command() else { panic!("not picked up") };
    assert_eq!(pickup.replaces.expect("told").to_string(), "c@h;to-tag=r;from-tag=l;early-only");

    let mut desk = phone(&ES620, &format!("{watched}pickup.visual = yes\n"));
    desk.signal(Signal::Extension { key: Key::Line(3), state: told("early") });
    assert_eq!(desk.sound(), None, "without the tone");
    desk.signal(Signal::Extension { key: Key::Line(3), state: told("terminated") });
    assert!(!desk.has("102: Ada rings") && !desk.offers("Pickup"));
    let mut quiet = phone(&ES620, watched);
    quiet.signal(Signal::Extension { key: Key::Line(3), state: told("early") });
    assert!(!quiet.offers("Pickup"));
    assert_eq!(quiet.sound(), None);
}

/// YLA-110, YLA-114, YLA-115.
#[test]
fn the_transfer_key_sends_key_presses_where_it_is_to() {
    let mut desk = phone(&ES620, "transfer.dtmf = yes\ntransfer.dtmf_digits = *2#\n");
    let call = desk.talk("102");
    desk.soft_key("Transfer");
    let sent = ['*', '2', '#'].map(|digit| Command::Dtmf { call, digit });
    assert_eq!(desk.commands(), sent);
    desk.press(Key::Transfer);
    assert_eq!(desk.commands(), sent);
    assert_eq!(desk.text()[1], "Talking");
    for wrong in ["transfer.dtmf = yes\n", "transfer.dtmf_digits = 12x\n"] {
        let error = try_config(wrong, "sip:alice@example.org").expect_err(wrong);
        assert!(error.contains("transfer.dtmf"), "{error}");
    }
}

/// PAB-081.
#[test]
fn another_line_key_holds_the_call_or_ends_it() {
    for (settings, expected) in [("", "hold"), ("calls.auto_hold = no\n", "end")] {
        let mut desk = phone(&ES620, settings);
        let call = desk.talk("102");
        desk.press(Key::Line(2));
        let commands = desk.commands();
        match expected {
            "hold" => assert_eq!(commands, [Command::Hold(call)]),
            _ => assert_eq!(commands, [Command::HangUp(call)]),
        }
        assert_eq!(desk.text()[1], "Enter number", "{settings}: the line is open");
    }
    let mut desk = phone(&ES620, "calls.auto_hold = no\n");
    desk.talk("102");
    desk.press(Key::Line(1));
    assert_eq!(desk.commands(), [], "its own key does nothing");
}

/// PAB-078.
#[test]
fn a_call_that_is_left_on_hold_calls_the_person_back() {
    let mut desk = phone(&ES620, "calls.hold_recall = 60\nhold.tone = no\n");
    let call = desk.talk("102");
    desk.press(Key::Hold);
    desk.commands();
    desk.signal(Signal::Held(call));
    desk.press(Key::Speaker);
    desk.pass(Duration::from_secs(59));
    assert_eq!(desk.sound(), None);
    desk.pass(Duration::from_secs(2));
    assert_eq!(desk.sound(), Some(Sound::Ring), "{:?}", desk.text());
    assert!(desk.has("On hold: 102"));
    desk.pass(Duration::from_secs(10));
    assert_eq!(desk.sound(), None, "it has rung");
    desk.pass(Duration::from_secs(50));
    assert_eq!(desk.sound(), Some(Sound::Ring), "and again");
    desk.hook(HookState::OffHook);
    assert_eq!(desk.commands(), [Command::Resume(call)]);
    desk.signal(Signal::Resumed(call));
    desk.pass(Duration::from_secs(200));
    assert_eq!(desk.sound(), None);
    let mut never = phone(&ES620, "hold.tone = no\n");
    let call = never.talk("102");
    never.press(Key::Hold);
    never.signal(Signal::Held(call));
    never.pass(Duration::from_secs(600));
    assert_eq!(never.sound(), None);
}

/// YLA-034, YLA-052, PAB-085, PAB-086.
#[test]
fn busy_tone_plays_as_long_as_is_set_when_the_other_side_has_hung_up() {
    let heard = |settings: &str, handset: bool| {
        let mut desk = phone(&ES620, settings);
        if handset {
            desk.hook(HookState::OffHook);
        }
        let call = desk.talk("102");
        desk.signal(Signal::Ended { call, cause: remote(None, "hung up") });
        [1, 3, 16, 50].map(|wait| {
            desk.pass(Duration::from_secs(wait));
            desk.sound().is_some()
        })
    };
    for (seconds, expected) in
        [(0, [false; 4]), (3, [true, false, false, false]), (60, [true, true, true, false])]
    {
        assert_eq!(heard(&format!("calls.busy_tone = {seconds}\n"), true), expected, "{seconds} s");
    }
    for (seconds, expected) in
        [(0, [false; 4]), (3, [true, false, false, false]), (15, [true, true, false, false])]
    {
        let settings = format!("calls.busy_tone_speaker = {seconds}\n");
        assert_eq!(heard(&settings, false), expected, "{seconds} s on the loudspeaker");
    }
}

/// PAB-084.
#[test]
fn nothing_comes_of_a_call_with_reorder_or_busy_tone() {
    for (word, expected) in [("reorder", Sound::Congestion), ("busy", Sound::Busy)] {
        let mut desk = phone(&ES620, &format!("calls.failed_tone = {word}\n"));
        let call = desk.call("102");
        desk.signal(Signal::Ended { call, cause: remote(Some(404), "Not Found") });
        assert_eq!(desk.sound(), Some(expected));
    }
}

/// PAB-080.
#[test]
fn ringing_is_silenced_only_where_that_may_be() {
    let mut desk = phone(&ES620, "calls.silence = no\n");
    desk.rings("102", &[]);
    assert!(!desk.offers("Silence"));
    desk.press(Key::Mute);
    assert_eq!(desk.sound(), Some(Sound::Ring));
    for _ in 0..12 {
        desk.press(Key::VolumeDown);
    }
    assert_eq!(desk.phone.audio().volume, 1, "it cannot be turned off either");
    let mut may = phone(&ES620, "");
    may.rings("102", &[]);
    may.soft_key("Silence");
    assert_eq!(may.sound(), None);
}

/// PAB-073.
#[test]
fn calls_go_out_by_the_account_of_the_settings_while_none_is_chosen() {
    let settings = "calls.default_account = 2\naccount.2.aor = sip:bob@example.org\n";
    let mut desk = phone(&ES620, settings);
    desk.type_in("102");
    desk.press(Key::Send);
    assert!(matches!(desk.command(), Command::Call { account: 1, .. }));
    let mut missing = phone(&ES620, "calls.default_account = 8\n");
    missing.type_in("102");
    missing.press(Key::Send);
    assert!(matches!(missing.command(), Command::Call { account: 0, .. }), "the last that there is");
}

/// YLA-061, YLA-071.
#[test]
fn the_screen_tells_who_has_forwarded_a_call_unless_it_is_not_to() {
    let by = [
        (("Diversion", "<sip:103@example.org>;reason=user-busy"), "forwarded by 103: busy"),
        (("Diversion", "\"Ada\" <sip:103@example.org>;reason=no-answer"), "forwarded by Ada: no answer"),
        (("Diversion", "<sip:103@example.org>;privacy=full"), "forwarded by somebody"),
        (
            (
                "History-Info",
                "<sip:103@example.org?Reason=SIP%3Bcause%3D302>;index=1, <sip:alice@example.org>;index=1.1",
            ),
            "forwarded by 103: all calls are forwarded",
        ),
    ];
    for (header, told) in by {
        let mut desk = phone(&ES620, "");
        desk.rings("102", &[header]);
        assert!(desk.has(told), "{header:?}: {:?}", desk.text());
        let mut silent = phone(&ES620, "calls.show_diversion = no\n");
        silent.rings("102", &[header]);
        assert!(!silent.has(told));
    }
}

/// PAB-097.
#[test]
fn a_forwarded_call_says_so_as_is_set() {
    let before = ("Diversion", "<sip:103@example.org>;reason=user-busy");
    for (word, count) in [("none", 0), ("own", 1), ("append", 2)] {
        let settings = format!(
            "forward.diversion = {word}\nforward.busy = yes\nforward.always = yes\nforward.always_target = 300\n"
        );
        let mut desk = phone(&ES620, &settings);
        let refusal = desk.forwards("102", &[before]);
        let diversions: Vec<String> =
            refusal.headers.all::<Diversion>().flatten().map(|one| one.0.uri.to_string()).collect();
        let expected = ["sip:alice@example.org", "sip:103@example.org"];
        assert_eq!(diversions, expected[..count], "{word}");
    }
}

/// YLA-060, YLA-070.
#[test]
fn the_other_side_is_shown_as_whom_the_settings_believe() {
    let address = |text: &str| text.parse::<NameAddr>().expect("an address");
    let mut identity = RemoteIdentity::default();
    identity.asserted = vec![address("<sip:201@example.org>")];
    let mut update = RemoteIdentity::default();
    update.from = Some(address("<sip:202@example.org>"));
    for (word, asserted, updated) in [
        ("any", "201", "202"),
        ("asserted", "201", "201"),
        ("dialled", "200", "200"),
        ("update", "200", "202"),
    ] {
        let mut desk = phone(&ES620, &format!("account.1.connected_id = {word}\n"));
        let call = desk.talk("200");
        for (told, shown) in [(&identity, asserted), (&update, updated)] {
            desk.signal(Signal::Identity { call, identity: Box::new(told.clone()) });
            assert!(desk.has(shown), "{word}: {:?}", desk.text());
        }
    }
}

/// YLA-075: whoever is not to be disturbed does not ring, so no call waits for its answer to be forwarded.
#[test]
fn do_not_disturb_leaves_no_call_to_the_forward_of_unanswered_ones() {
    let settings = "forward.no_answer = yes\nforward.no_answer_target = 300\ndnd.enabled = yes\n";
    let mut desk = phone(&ES620, settings);
    assert_eq!(desk.forwards("102", &[]).status.code(), 480);
    desk.pass(Duration::from_secs(60));
    assert_eq!(desk.commands(), []);
}

/// YLA-033, YLA-051.
#[test]
fn ringing_after_progress_plays_the_ring_back_tone_again_or_not() {
    for (settings, expected) in [("", Some(Sound::Ringback)), ("calls.ring_after_progress = no\n", None)] {
        let mut desk = phone(&ES620, settings);
        let call = desk.call("102");
        desk.signal(Signal::Ringing { call, early_media: true });
        assert_eq!(desk.sound(), None, "the other side is heard");
        desk.signal(Signal::Ringing { call, early_media: false });
        assert_eq!(desk.sound(), expected, "{settings}");
    }
}

/// YLA-162, YLA-170, YLA-171.
#[test]
fn digits_that_are_sent_are_shown_hidden_or_hidden_after_a_second() {
    for (word, at_once, later) in
        [("no", "Sent 12", "Sent 12"), ("yes", "Sent **", "Sent **"), ("delayed", "Sent *2", "Sent **")]
    {
        let mut desk = phone(&ES620, &format!("calls.hide_digits = {word}\n"));
        desk.talk("102");
        desk.type_in("12");
        assert!(desk.has(at_once), "{word}: {:?}", desk.text());
        desk.pass(Duration::from_secs(1));
        assert!(desk.has(later), "{word}: {:?}", desk.text());
    }
}

/// DIN-089: the lifetime of the subscriptions to extensions.
#[tokio::test(flavor = "multi_thread")]
async fn extensions_are_watched_for_as_long_as_the_account_says() {
    let server = Server::new().await;
    let settings = "phone.model = es620\naccount.1.blf_expires = 600\nkey.3.type = blf\nkey.3.value = 105\n";
    let person = server.desk(settings).await;
    let (subscribe, _) = server.request(&Method::SUBSCRIBE).await;
    let event: Event = subscribe.headers.require().expect("Event");
    let expires: Expires = subscribe.headers.require().expect("Expires");
    assert_eq!((event.package.as_str(), expires.0), ("dialog", 600));
    assert_eq!(subscribe.uri.user().as_deref(), Some("105"));
    person.desk.shutdown().await;
}
