//! Calls that the other side sends elsewhere, where the settings have the person asked.

use super::features::{close, office_of};
use super::policy::desk;
use core::time::Duration;
use sidetone_hal::keypad::Key;
use sidetone_pbx::Pbx;
use sidetone_phone::firmware::{Command, Peer, Signal};
use sidetone_phone::models::{C60S, ES620};
use sidetone_sip_core::StatusCode;
use sidetone_sip_ua::{Account, AccountConfig, IncomingCall, UserAgent, UserAgentEvent};

#[test]
fn a_call_goes_elsewhere_when_the_person_says_so() {
    for (model, key) in [(&ES620, Key::Soft(1)), (&C60S, Key::Ok), (&ES620, Key::Send)] {
        let mut desk = desk(model, "account.1.redirect = ask\n");
        let call = desk.call("102");
        desk.signal(Signal::Ringing { call, early_media: false });
        assert!(desk.sound().is_some(), "it rings there");
        let to = Peer { name: Some("Carol".to_owned()), number: "103".to_owned() };
        desk.signal(Signal::Redirected { call, to });
        assert_eq!(desk.sound(), None);
        let text = desk.text().join("\n");
        for words in ["Redirected", "102", "sends you to Carol", "Follow"] {
            assert!(text.contains(words), "{words} in {text}");
        }
        assert_eq!(desk.commands(), [], "nothing happens by itself");
        desk.press(key);
        assert_eq!(desk.command(), Command::Follow(call));
        assert!(desk.text().contains(&"Calling".to_owned()), "{:?}", desk.text());
        assert!(desk.text().contains(&"Carol".to_owned()), "{:?}", desk.text());
        // Once is enough.
        desk.press(key);
        assert!(!desk.commands().contains(&Command::Follow(call)));
    }
}

#[test]
fn a_call_that_is_to_go_elsewhere_ends_when_the_person_does_not_want_that() {
    for key in [Key::Cancel, Key::Soft(4)] {
        let mut desk = desk(&ES620, "account.1.redirect = ask\n");
        let call = desk.call("102");
        desk.signal(Signal::Redirected { call, to: Peer { name: None, number: "103".to_owned() } });
        desk.press(key);
        assert_eq!(desk.command(), Command::HangUp(call));
    }
}

async fn agent() -> UserAgent {
    UserAgent::builder().bind_udp("127.0.0.1:0".parse().expect("an address")).build().await.expect("a socket")
}

async fn incoming(agent: &mut UserAgent) -> IncomingCall {
    let came = async {
        loop {
            match agent.next_event().await {
                Some(UserAgentEvent::Incoming(call)) => return call,
                Some(_) => {}
                None => panic!("the agent ended"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), came).await.expect("a call")
}

async fn account(agent: &UserAgent, config: AccountConfig) -> Account {
    agent.add_account(config).await.expect("an account")
}

/// The server leaves it to the telephone, for the target is none of its users.
#[tokio::test(flavor = "multi_thread")]
async fn a_desk_asks_before_it_follows_a_redirection_and_then_calls_the_target() {
    let builder = Pbx::builder().user("105", "secret");
    let (pbx, mut people) = office_of(builder, 1, "account.1.redirect = ask\n").await;
    let mut first = agent().await;
    let config = AccountConfig::parse(&format!("sip:105:secret@{}", pbx.addr())).expect("valid");
    account(&first, config).await.registered().await.expect("registered");
    let mut second = agent().await;
    let address = second.local_addr(sidetone_sip_core::Protocol::Udp).expect("an address");
    let config = AccountConfig::parse(&format!("sip:carol@{address}")).expect("valid");
    account(&second, config.without_registration()).await;
    let target = || format!("sip:carol@{address}").parse().expect("a URI");
    for follows in [false, true] {
        people[0].dial("105").await;
        people[0].press(Key::Send).await;
        incoming(&mut first).await.redirect(target()).await.expect("redirected");
        people[0].sees("Redirected").await;
        people[0].sees("Follow?").await;
        if follows {
            people[0].press(Key::Ok).await;
            let call = incoming(&mut second).await;
            call.ring().await.expect("rings");
            people[0].sees("Ringing").await;
            call.reject(StatusCode::BUSY_HERE).await.expect("refused");
            people[0].sees("Busy").await;
        } else {
            people[0].press(Key::Cancel).await;
            people[0].sees("<Redial> <DND> <Forward>").await;
        }
    }
    close(pbx, people).await;
}
