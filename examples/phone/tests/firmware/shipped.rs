//! What each telephone comes with, and what settings make of it: refusals, callers' names, calls without a name.

use super::desk::Desk;
use super::policy::{config, desk as phone};
use super::told::{Script, caller, server};
use core::time::Duration;
use sidetone_hal::keypad::Key;
use sidetone_phone::firmware::{Command, Invitation, Verdict};
use sidetone_phone::headless::Outcome;
use sidetone_phone::models::{ALL, C60S, CP860, ES620, Model, UT670};
use sidetone_sip_core::header::Privacy;
use sidetone_sip_core::{HeaderName, Headers, Method, StatusCode};
use sidetone_sip_ua::{AgentConfig, CallEvent, UserAgent, UserAgentEvent};

/// A telephone out of its box, with these settings.
fn shipped(model: &'static Model, settings: &str) -> Desk {
    phone(model, &format!("phone.model = {}\n{settings}", model.name))
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

/// The status by which a call of 102 is refused.
fn refused(desk: &mut Desk) -> u16 {
    match desk.phone.invited(desk.now, 0, invitation("<sip:102@example.org>;tag=1", &[])) {
        Verdict::Refuse(refusal) => refusal.status.code(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn do_not_disturb_refuses_as_each_maker_has_it_unless_it_is_set() {
    for (model, status) in [(&ES620, 480), (&C60S, 486), (&CP860, 480), (&UT670, 403)] {
        let mut desk = shipped(model, "dnd.enabled = yes\n");
        assert_eq!(refused(&mut desk), status, "{}", model.name);
        let mut set = shipped(model, "dnd.enabled = yes\ndnd.status = 404\n");
        assert_eq!(refused(&mut set), 404, "{}", model.name);
    }
}

#[test]
fn a_person_refuses_and_a_list_blocks_as_each_maker_has_it() {
    for (model, rejected, blocked) in
        [(&ES620, 486, 603), (&C60S, 486, 486), (&CP860, 486, 603), (&UT670, 603, 603)]
    {
        let mut desk = shipped(model, "");
        let Verdict::Ring(call) =
            desk.phone.invited(desk.now, 0, invitation("<sip:102@example.org>;tag=1", &[]))
        else {
            panic!("{}", model.name)
        };
        assert_eq!(desk.phone.refusal(call).status.code(), rejected, "{}", model.name);
        let mut desk = shipped(model, "calls.block_list = 102\n");
        assert_eq!(refused(&mut desk), blocked, "{}", model.name);
    }
}

#[test]
fn who_calls_is_read_from_the_headers_in_each_makers_order() {
    for (model, shown) in [(&ES620, "102"), (&C60S, "103"), (&CP860, "102"), (&UT670, "102")] {
        let more = [("P-Asserted-Identity", "<sip:103@example.org>")];
        let mut desk = shipped(model, "");
        desk.phone.invited(desk.now, 0, invitation("<sip:102@example.org>;tag=1", &more));
        assert!(desk.text().contains(&shown.to_owned()), "{}: {:?}", model.name, desk.text());
        let mut set = shipped(model, "account.1.caller_id = pai\n");
        set.phone.invited(set.now, 0, invitation("<sip:102@example.org>;tag=1", &more));
        assert!(set.text().contains(&"103".to_owned()), "{}: {:?}", model.name, set.text());
    }
}

#[test]
fn an_intercom_call_is_taken_on_every_model_with_a_tone_and_an_open_microphone() {
    for model in ALL {
        let mut desk = shipped(model, "");
        let call =
            invitation("<sip:102@example.org>;tag=1", &[("Call-Info", "<sip:example.org>;answer-after=0")]);
        assert!(matches!(desk.phone.invited(desk.now, 0, call), Verdict::Ring(_)), "{}", model.name);
        assert_eq!(desk.commands(), [], "{}: the tone comes first", model.name);
        desk.pass(Duration::from_secs(1));
        assert!(matches!(desk.command(), Command::Answer(_)), "{}", model.name);
        assert!(!desk.phone.audio().muted, "{}", model.name);
    }
}

#[test]
fn a_call_answers_itself_after_each_makers_time() {
    for (model, seconds) in [(&ES620, 1), (&C60S, 0), (&UT670, 5)] {
        let mut desk = shipped(model, "account.1.auto_answer = yes\n");
        desk.phone.invited(desk.now, 0, invitation("<sip:102@example.org>;tag=1", &[]));
        if seconds > 0 {
            desk.pass(Duration::from_millis(seconds * 1000 - 1));
            assert_eq!(desk.commands(), [], "{}", model.name);
        }
        desk.pass(Duration::from_millis(1));
        assert!(matches!(desk.command(), Command::Answer(_)), "{}", model.name);
    }
}

#[test]
fn an_anonymous_call_hides_what_each_maker_hides() {
    let anonymous = "account.1.anonymous_call = yes\n";
    for model in [&ES620, &C60S, &CP860] {
        let presented = shipped(model, anonymous).phone.presented(0);
        let from = presented.from.expect("another From");
        assert_eq!(from.to_string(), "\"Anonymous\" <sip:anonymous@anonymous.invalid>", "{}", model.name);
        assert_eq!(presented.headers.iter().count(), 2, "{}: {:?}", model.name, presented.headers);
    }
    let presented = shipped(&UT670, anonymous).phone.presented(0);
    assert_eq!(presented.from.expect("another From").to_string(), "\"Anonymous\" <sip:alice@example.org>");
    assert_eq!(presented.headers.iter().count(), 0, "{:?}", presented.headers);
    for (settings, from) in [
        ("account.1.anonymous_user = anonymous\n", "\"Anonymous\" <sip:anonymous@example.org>"),
        ("account.1.anonymous_name = none\n", "<sip:alice@example.org>"),
        ("account.1.anonymous_host = anonymous\n", "\"Anonymous\" <sip:alice@anonymous.invalid>"),
    ] {
        let presented = shipped(&UT670, &format!("{anonymous}{settings}")).phone.presented(0);
        assert_eq!(presented.from.expect("another From").to_string(), from, "{settings}");
    }
    let settings = format!("{anonymous}account.1.privacy = yes\naccount.1.preferred_identity = always\n");
    let presented = shipped(&UT670, &settings).phone.presented(0);
    assert_eq!(presented.headers.iter().count(), 2, "{:?}", presented.headers);
    let open = shipped(&UT670, "account.1.preferred_identity = always\n").phone.presented(0);
    assert_eq!((open.from.is_none(), open.headers.contains(&HeaderName::P_PREFERRED_IDENTITY)), (true, true));
}

#[test]
fn callers_without_a_number_are_refused_where_the_maker_counts_them_as_anonymous() {
    let nameless = || invitation("<sip:example.org>;tag=1", &[]);
    let rejection = "account.1.anonymous_rejection = yes\n";
    let mut desk = shipped(&UT670, rejection);
    assert!(matches!(desk.phone.invited(desk.now, 0, nameless()), Verdict::Refuse(_)));
    let mut desk = shipped(&ES620, rejection);
    assert!(matches!(desk.phone.invited(desk.now, 0, nameless()), Verdict::Ring(_)));
    for (settings, status) in [("", 433), ("calls.anonymous_status = 486\n", 486)] {
        let mut desk = shipped(&CP860, &format!("{rejection}{settings}"));
        let hidden = invitation("<sip:anonymous@anonymous.invalid>;tag=1", &[]);
        let Verdict::Refuse(refusal) = desk.phone.invited(desk.now, 0, hidden) else { panic!("{settings}") };
        assert_eq!(refusal.status.code(), status);
    }
}

#[test]
fn the_keys_for_calls_without_a_name_dial_the_servers_codes() {
    let mut desk = shipped(
        &ES620,
        "key.3.type = anonymous\nkey.4.type = anonymous-rejection\naccount.1.anonymous_on_code = *86\n\
         account.1.anonymous_off_code = *87\naccount.1.anonymous_reject_on_code = *88\n",
    );
    for (key, code) in [(3, "*86"), (3, "*87"), (4, "*88")] {
        desk.press(Key::Line(key));
        let Command::Call { call, number, .. } = desk.command() else { panic!("no code") };
        assert_eq!(number, code);
        desk.signal(sidetone_phone::firmware::Signal::Ended { call, cause: super::desk::local() });
        desk.press(Key::Cancel);
        desk.commands();
    }
    let hidden = invitation("<sip:anonymous@anonymous.invalid>;tag=1", &[]);
    assert!(matches!(desk.phone.invited(desk.now, 0, hidden), Verdict::Refuse(_)));
    desk.press(Key::Line(4));
    assert_eq!(desk.commands(), [], "there is no code for off");
    assert!(desk.text().contains(&"Anonymous callers are not refused".to_owned()), "{:?}", desk.text());
}

#[test]
fn the_dinstar_asks_for_messages_and_knows_its_voice_mail() {
    let config = config("phone.model = c60s\naccount.1.mwi = yes\n", "sip:alice@example.org");
    assert_eq!(config.calls.mwi(0), Some(Duration::from_secs(1800)));
    assert_eq!(config.calls.policy(&config.accounts).accounts[0].voice_mail, "*170*2#");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_calls_without_a_name_and_sends_a_text() {
    let pbx = server().await;
    let any = "127.0.0.1:0".parse().expect("an address");
    let mut agent = AgentConfig::new([8; 32]);
    agent.methods.push(Method::MESSAGE);
    let agent = UserAgent::builder().config(agent).bind_udp(any).build().await.expect("sockets");
    let (mut called, _account) = super::told::caller_of(agent, &pbx, "102").await;
    let mut script = Script::start(&pbx, "101", "call 102 --anonymous");
    let incoming = loop {
        if let UserAgentEvent::Incoming(incoming) = called.next_event().await.expect("it runs") {
            break incoming;
        }
    };
    assert_eq!(incoming.from().uri.to_string(), "sip:anonymous@anonymous.invalid");
    assert!(
        incoming
            .headers()
            .require::<Privacy>()
            .is_ok_and(|privacy| privacy.0.iter().any(|value| *value == *"id"))
    );
    let mut call = incoming.answer(super::told::Silence).await.expect("answered");
    while !matches!(call.next_event().await.expect("it lasts"), CallEvent::Established) {}
    call.hangup().await.expect("hung up");
    script.tells("the call", |line| line["established"] == true).await;
    assert_eq!(script.end().await, Outcome::Done);

    let mut script = Script::start(&pbx, "101", "message 102 Lunch?");
    let text = loop {
        if let UserAgentEvent::Request(received) = called.next_event().await.expect("it runs") {
            break received;
        }
    };
    assert_eq!(&*text.request().body, b"Lunch?");
    text.respond(StatusCode::OK).await.expect("answered");
    script.tells("sent", |line| line["sent"] == true && line["to"] == "102").await;
    assert_eq!(script.end().await, Outcome::Done);
    let mut script = Script::start(&pbx, "101", "message 999 Lunch?");
    script.tells("refused", |line| line["sent"] == false && line["status"] == 404).await;
    assert_eq!(script.end().await, Outcome::CallFailed);
    let (_agent, _account) = caller(&pbx, "103").await;
    pbx.shutdown().await;
}

#[test]
fn each_account_is_anonymous_or_not_by_itself() {
    for model in [&C60S, &ES620, &UT670] {
        let desk = shipped(model, "account.1.anonymous_call = yes\naccount.2.aor = sip:work@example.org\n");
        let hidden = desk.phone.presented(0).from.expect("another From").to_string();
        assert!(hidden.starts_with("\"Anonymous\" <sip:"), "{}: {hidden}", model.name);
        assert!(desk.phone.presented(1).from.is_none(), "{}", model.name);
    }
}
