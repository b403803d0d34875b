//! Texts that come and go: the inbox on the screen, and the queue over the wire.

use super::desk::Desk;
use super::features::{close, office};
use super::policy::{config, desk as phone};
use core::time::Duration;
use sidetone_hal::keypad::{Direction, Key};
use sidetone_pbx::Pbx;
use sidetone_phone::desk::Desk as Running;
use sidetone_phone::firmware::{Command, Registration, Signal};
use sidetone_phone::models::ES620;
use sidetone_sip_core::StatusCode;
use sidetone_sip_ua::feature::outbox::TextId;

impl Desk {
    fn text_comes(&mut self, from: &str, text: &str) {
        self.signal(Signal::Text { account: 0, from: from.to_owned(), text: text.to_owned() });
    }

    fn soft(&mut self, label: &str) {
        let keys = self.phone.screen(self.now).soft;
        let place = keys.iter().position(|key| key.as_ref().is_some_and(|key| key.0 == label));
        let place = place.unwrap_or_else(|| panic!("no key {label}: {keys:?}"));
        self.press(Key::Soft(u8::try_from(place).expect("small") + 1));
    }

    /// The text that is to be sent.
    fn sends(&mut self) -> (TextId, String) {
        let Command::SendText { id, text, .. } = self.command() else { panic!("nothing sent") };
        (id, text)
    }

    fn answered(&mut self, id: TextId, status: StatusCode) {
        self.signal(Signal::TextAnswered { id, status, retry_after: None });
    }
}

#[test]
fn texts_are_kept_read_deleted_and_their_writers_called() {
    let mut desk = phone(&ES620, "");
    desk.text_comes("102", "Lunch?");
    desk.text_comes("103", "At one");
    desk.pass(Duration::from_secs(6));
    assert!(desk.text().contains(&"2 new texts".to_owned()), "{:?}", desk.text());
    if !desk.text().iter().any(|line| line.contains("<Texts>")) {
        desk.soft("More");
    }
    desk.soft("Texts");
    let text = desk.text();
    assert_eq!(text[1..4], ["Text 1 of 2", "103", "At one"]);
    assert!(
        text.iter().any(|line| line.contains("2026") || line.contains("08:36")),
        "when it came: {text:?}"
    );
    desk.press(Key::Navigate(Direction::Down));
    assert_eq!(desk.text()[1..4], ["Text 2 of 2", "102", "Lunch?"]);
    // One that comes meanwhile does not take the screen away.
    desk.text_comes("104", "Late");
    assert_eq!(desk.text()[1..4], ["Text 3 of 3", "102", "Lunch?"]);
    desk.soft("Call");
    assert!(matches!(desk.command(), Command::Call { number, .. } if number == "102"));
    desk.press(Key::Cancel);
    let call = desk.phone.calls()[0].id();
    desk.signal(Signal::Ended { call, cause: super::desk::local() });
    desk.commands();
    assert_eq!(desk.text()[1], "Text 3 of 3", "after the call it is still there");
    desk.soft("Close");
    assert!(desk.text().contains(&"1 new text".to_owned()), "{:?}", desk.text());
    for left in (0..3).rev() {
        if !desk.phone.screen(desk.now).body.title.starts_with("Text ") {
            while !desk.text().iter().any(|line| line.contains("<Texts>")) {
                desk.soft("More");
            }
            desk.soft("Texts");
        }
        desk.soft("Delete");
        assert_eq!(desk.phone.texts().count(), left);
    }
    assert!(!desk.phone.screen(desk.now).body.title.starts_with("Text "), "none is left to show");
}

#[test]
fn the_oldest_of_a_hundred_texts_gives_way() {
    let mut desk = phone(&ES620, "");
    for number in 0..101 {
        desk.text_comes("102", &number.to_string());
    }
    let texts: Vec<_> = desk.phone.texts().map(|text| text.text.clone()).collect();
    assert_eq!((texts.len(), texts[0].as_str(), texts[99].as_str()), (100, "100", "1"));
}

#[test]
fn texts_wait_for_their_account_and_go_in_their_order() {
    let mut desk = phone(&ES620, "");
    desk.signal(Signal::Registration { account: 0, state: Registration::Failed("gone".to_owned()) });
    for text in ["a", "b"] {
        desk.phone.write_text(desk.now, 0, "102", text).expect("taken");
    }
    assert_eq!((desk.commands(), desk.phone.texts_waiting()), (Vec::new(), 2));
    desk.signal(Signal::Registration { account: 0, state: Registration::Registered });
    let (id, text) = desk.sends();
    assert_eq!(text, "a");
    desk.answered(id, StatusCode::TEMPORARILY_UNAVAILABLE);
    assert!(desk.text().contains(&"Text to 102 waits: Temporarily Unavailable".to_owned()));
    assert_eq!(desk.commands(), [], "nothing overtakes it");
    desk.pass(Duration::from_secs(30));
    let (again, text) = desk.sends();
    assert_eq!((again, text.as_str()), (id, "a"));
    desk.answered(id, StatusCode::OK);
    assert!(desk.text().contains(&"Text to 102 sent".to_owned()));
    let (id, text) = desk.sends();
    assert_eq!(text, "b");
    desk.answered(id, StatusCode::NOT_FOUND);
    assert!(desk.text().contains(&"Text to 102 not sent: 404 Not Found".to_owned()), "{:?}", desk.text());
    assert_eq!(desk.phone.texts_waiting(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_keeps_texts_until_its_server_is_there_and_sends_them_in_order() {
    let any = "127.0.0.1:0".parse().expect("an address");
    // A server that is not there yet: something silent has its port.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let place = silent.local_addr().expect("bound");
    let mut config = config("account.1.password = secret\n", &format!("sip:101@{place}"));
    config.network.local = any;
    let agent = config.user_agent("101", None).await.expect("sockets");
    let (desk, panel) = Running::start(&config, agent, "101").await.expect("it starts");
    for text in ["one", "two", "three"] {
        desk.write_text(0, "102", text).await;
    }
    drop(silent);
    let pbx = Pbx::builder().udp(place).user("101", "secret").user("102", "secret");
    let pbx = pbx.start().await.expect("it starts");
    let (mut reader, _account) = {
        let mut agent = sidetone_sip_ua::AgentConfig::new([9; 32]);
        agent.methods.push(sidetone_sip_core::Method::MESSAGE);
        let agent =
            sidetone_sip_ua::UserAgent::builder().config(agent).bind_udp(any).build().await.expect("sockets");
        super::told::caller_of(agent, &pbx, "102").await
    };
    let mut heard = Vec::new();
    let all = async {
        while heard.len() < 3 {
            if let sidetone_sip_ua::UserAgentEvent::Request(received) =
                reader.next_event().await.expect("it runs")
            {
                heard.push(String::from_utf8_lossy(&received.request().body).into_owned());
                received.respond(StatusCode::OK).await.expect("answered");
            }
        }
    };
    // A repeat of the REGISTER finds the server; if it came in between, the first wait does.
    tokio::time::timeout(Duration::from_secs(90), all).await.expect("three texts");
    assert_eq!(heard, ["one", "two", "three"]);
    drop(panel);
    desk.shutdown().await;
    pbx.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_from_desk_to_desk_is_in_the_inbox_and_what_is_no_text_is_refused() {
    let (pbx, mut people) = office(2, "").await;
    people[0].desk.write_text(0, "102", "Lunch?").await;
    people[0].sees("Text to 102 sent").await;
    people[1].sees("101: Lunch?").await;
    people[1].sees("1 new text").await;
    let other = sidetone_sip_ua::OutgoingRequest::new(sidetone_sip_core::Method::MESSAGE)
        .with_body(sidetone_sip_core::header::ContentType::from_static("image", "png"), "x");
    let refused = people[0].desk.accounts()[0].request("102", other).await;
    assert!(
        matches!(refused, Err(sidetone_sip_ua::Error::Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE))),
        "{refused:?}"
    );
    close(pbx, people).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_wait_outlive_the_telephone_and_what_is_damaged_of_them_is_kept_aside() {
    use sidetone_phone::config::{KeptText, Outbox};
    let any = "127.0.0.1:0".parse().expect("an address");
    let folder = std::env::temp_dir().join(format!("sidetone-kept-texts-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let outbox = Outbox::beside(&folder.join("phone.conf"));
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let place = silent.local_addr().expect("bound");
    let mut config = config("account.1.password = secret\n", &format!("sip:101@{place}"));
    config.network.local = any;
    config.outbox = Some(outbox.clone());
    let kept = |texts: &'static [&'static str]| {
        let outbox = outbox.clone();
        async move {
            let all = async {
                while outbox.load().0.iter().map(|kept| kept.text.as_str()).ne(texts.iter().copied()) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), all).await.expect("kept");
        }
    };
    let start = async || {
        let agent = config.user_agent("101", None).await.expect("sockets");
        Running::start(&config, agent, "101").await.expect("it starts")
    };
    // The server is silent; the telephone is switched off before it comes.
    let (desk, panel) = start().await;
    for text in ["one", "two"] {
        desk.write_text(0, "102", text).await;
    }
    kept(&["one", "two"]).await;
    drop(panel);
    desk.shutdown().await;
    // One line of the file is damaged, another is of an account that is not there.
    let (mut texts, _) = outbox.load();
    texts.push(KeptText::new("sip:nobody@elsewhere", "102", "of a guest", 0));
    texts.push(KeptText::new(&format!("sip:101@{place}"), "102", "damaged", 0));
    outbox.save(&texts).expect("written");
    let file = std::fs::read_to_string(outbox.path()).expect("read").replace("damaged", "DAMAGED");
    std::fs::write(outbox.path(), &file).expect("written");
    let (desk, panel) = start().await;
    // The server is silent still, so that no news takes the place of this.
    let shown = |picture: &sidetone_phone::desk::Picture| {
        picture.text.iter().any(|line| line == "Texts that wait are not all kept")
    };
    let mut person = super::features::Person { desk, panel };
    person.shows("what is wrong with the file", shown).await;
    drop(silent);
    let pbx = Pbx::builder().udp(place).user("101", "secret").user("102", "secret");
    let pbx = pbx.start().await.expect("it starts");
    let (mut reader, _account) = {
        let mut agent = sidetone_sip_ua::AgentConfig::new([9; 32]);
        agent.methods.push(sidetone_sip_core::Method::MESSAGE);
        let agent =
            sidetone_sip_ua::UserAgent::builder().config(agent).bind_udp(any).build().await.expect("sockets");
        super::told::caller_of(agent, &pbx, "102").await
    };
    let mut heard = Vec::new();
    let all = async {
        while heard.len() < 2 {
            if let sidetone_sip_ua::UserAgentEvent::Request(received) =
                reader.next_event().await.expect("it runs")
            {
                heard.push(String::from_utf8_lossy(&received.request().body).into_owned());
                received.respond(StatusCode::OK).await.expect("answered");
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(45), all).await.expect("two texts");
    assert_eq!(heard, ["one", "two"]);
    kept(&["of a guest"]).await;
    let aside = folder.join("phone.conf.outbox.damaged1");
    assert_eq!(std::fs::read_to_string(aside).expect("kept aside"), file);
    person.desk.shutdown().await;
    pbx.shutdown().await;
    std::fs::remove_dir_all(&folder).expect("removed");
}
