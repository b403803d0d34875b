//! Three desks at a PBX: transfers, a conference, a text, anonymous and automatic answer, all by keys and over the wire.

use super::policy::config;
use core::time::Duration;
use sidetone_hal::Event;
use sidetone_hal::keypad::{Key, KeyEvent};
use sidetone_pbx::{Pbx, PbxBuilder, PbxHandle};
use sidetone_phone::desk::{Desk, DeskPanel, PanelInput, Picture};

/// More than anything here takes on a slow machine that is busy with other things; a failure, not a pause.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// A desk and whoever sits at it.
pub(crate) struct Person {
    pub(crate) desk: Desk,
    pub(crate) panel: DeskPanel,
}

impl Person {
    pub(crate) async fn press(&self, key: Key) {
        for event in [KeyEvent::down(key), KeyEvent::up(key)] {
            self.panel.input.send(PanelInput::Event(Event::Key(event))).await.expect("the desk runs");
        }
    }

    pub(crate) async fn dial(&self, number: &str) {
        for digit in number.chars() {
            self.press(Key::digit(digit).expect("a digit")).await;
        }
    }

    /// Waits until a line of the screen is this.
    pub(crate) async fn sees(&mut self, wanted: &str) {
        self.shows(wanted, |picture| picture.text.iter().any(|line| line == wanted)).await;
    }

    /// Waits until no line of the screen is this.
    pub(crate) async fn sees_no(&mut self, gone: &str) {
        self.shows(&format!("no {gone}"), |picture| !picture.text.iter().any(|line| line == gone)).await;
    }

    /// Waits until a call has ended, however long it was.
    pub(crate) async fn sees_the_end(&mut self) {
        let ended = |picture: &Picture| picture.text.iter().any(|line| line.starts_with("Call ended"));
        self.shows("the end of the call", ended).await;
    }

    /// Waits until what is shown is so.
    pub(crate) async fn shows(&mut self, what: &str, wanted: impl Fn(&Picture) -> bool) {
        let mut pictures = self.panel.pictures.clone();
        let shown = pictures.wait_for(&wanted);
        let late = tokio::time::timeout(BOUND, shown).await.is_err();
        if late {
            let text = self.panel.pictures.borrow().text.clone();
            panic!("{} does not see {what:?} but {text:?}", self.panel.title);
        }
    }
}

/// A PBX and so many phones with the numbers from 101 on; `settings` are those of all.
pub(crate) async fn office(people: usize, settings: &str) -> (PbxHandle, Vec<Person>) {
    office_of(Pbx::builder(), people, settings).await
}

/// The same with this PBX.
pub(crate) async fn office_of(pbx: PbxBuilder, people: usize, settings: &str) -> (PbxHandle, Vec<Person>) {
    let loopback = "127.0.0.1:0".parse().expect("an address");
    let mut pbx = pbx.udp(loopback).tcp(loopback);
    for number in 101..101 + people {
        pbx = pbx.user(number.to_string(), "secret");
    }
    let pbx = pbx.start().await.expect("it starts");
    let mut all = Vec::new();
    for number in 101..101 + people {
        let account = format!("sip:{number}@{}", pbx.addr());
        let mut config = config(&format!("account.1.password = secret\n{settings}"), &account);
        config.network.local = loopback;
        let agent = config.user_agent(&number.to_string(), None).await.expect("sockets");
        let (desk, panel) = Desk::start(&config, agent, &number.to_string()).await.expect("it starts");
        desk.accounts()[0].registered().await.expect("registered");
        all.push(Person { desk, panel });
    }
    (pbx, all)
}

pub(crate) async fn close(pbx: PbxHandle, people: Vec<Person>) {
    for person in people {
        person.desk.shutdown().await;
    }
    pbx.shutdown().await;
}

/// The first calls the second, and joins a call with the third to it.
pub(crate) async fn confer(people: &mut [Person]) {
    talk(people).await;
    people[0].press(Key::Conference).await;
    people[1].sees("Held by the other side").await;
    people[0].dial("103").await;
    people[0].press(Key::Send).await;
    people[2].sees("Incoming call").await;
    people[2].press(Key::Send).await;
    people[0].sees("Talking").await;
    people[0].press(Key::Conference).await;
    people[0].sees("Conference").await;
    people[1].sees("Talking").await;
}

/// The first calls the second, who answers.
pub(crate) async fn talk(people: &mut [Person]) {
    people[0].dial("102").await;
    people[0].press(Key::Send).await;
    people[1].sees("Incoming call").await;
    people[1].press(Key::Send).await;
    people[0].sees("Talking").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_desks_transfer_by_keys() {
    let (pbx, mut people) = office(3, "").await;
    for attended in [false, true] {
        talk(&mut people).await;
        people[0].press(Key::Transfer).await;
        people[1].sees("Held by the other side").await;
        people[0].dial("103").await;
        if attended {
            people[0].press(Key::Send).await;
        } else {
            people[0].press(Key::Transfer).await;
        }
        people[2].sees("Incoming call").await;
        if !attended {
            people[0].sees("Transferring").await;
            people[1].sees("transferred by 101").await;
        }
        people[2].press(Key::Send).await;
        if attended {
            people[0].sees("Talking").await;
            people[0].press(Key::Transfer).await;
        }
        people[0].sees("Transferred").await;
        people[1].sees("103").await;
        people[2].sees("102").await;
        for person in &mut people[1..] {
            person.sees("Talking").await;
        }
        people[2].press(Key::Cancel).await;
        people[0].press(Key::Cancel).await;
        for person in &people[1..] {
            person.press(Key::Cancel).await;
        }
        people[1].sees("<DND> <Forward> <Return>").await;
    }
    close(pbx, people).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_to_a_busy_desk_returns_the_call() {
    let (pbx, mut people) = office(3, "").await;
    people[2].press(Key::Soft(1)).await;
    people[2].sees("Do not disturb is on").await;
    talk(&mut people).await;
    people[0].press(Key::Transfer).await;
    people[1].sees("Held by the other side").await;
    people[0].dial("103").await;
    people[0].press(Key::Transfer).await;
    people[0].sees("Transfer failed: 480 Temporarily Unavailable").await;
    people[0].sees("Talking").await;
    people[1].press(Key::Cancel).await;
    people[1].sees("Talking").await;
    close(pbx, people).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_desks_talk_in_a_conference() {
    let (pbx, mut people) = office(3, "").await;
    confer(&mut people).await;
    people[2].sees("Talking").await;
    // It ends for everybody.
    people[0].press(Key::Cancel).await;
    for person in &mut people[1..] {
        person.sees_the_end().await;
    }
    close(pbx, people).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_and_anonymous_calls_reach_a_desk_that_answers_by_itself() {
    let settings = "account.1.auto_answer = yes\nauto_answer.delay = 0\naccount.1.anonymous_call = yes\n";
    // Without a server, so that nobody but the phones themselves says who calls.
    let ports = [(); 2].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").expect("a port"));
    let ports = ports.map(|socket| socket.local_addr().expect("bound"));
    let mut people = Vec::new();
    for (number, local) in [("101", ports[0]), ("102", ports[1])] {
        let mut config = config(settings, &format!("sip:{number}@{}", ports[1]));
        config.network.local = local;
        config.accounts[0].register = false;
        let agent = config.user_agent(number, None).await.expect("sockets");
        let (desk, panel) = Desk::start(&config, agent, number).await.expect("it starts");
        people.push(Person { desk, panel });
    }
    people[0].desk.accounts()[0].message("102", "Lunch?").await.expect("taken");
    people[1].sees("101: Lunch?").await;
    people[0].dial("102").await;
    people[0].press(Key::Send).await;
    people[1].sees("Talking").await;
    people[1].sees("Anonymous").await;
    for person in people {
        person.desk.shutdown().await;
    }
}
