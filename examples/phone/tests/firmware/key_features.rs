//! Desks at a PBX whose keys have functions: watched, parked, picked up, completed, paged.

use super::features::{Person, close, office, office_of, talk};
use sidetone_hal::keypad::Key;
use sidetone_pbx::{OrbitConfig, Pbx, Service};
use sidetone_phone::desk::Picture;

impl Person {
    async fn labelled(&mut self, key: &str, label: &str) {
        self.shows(label, |picture| picture.labels.get(key).is_some_and(|shown| shown == label)).await;
    }

    /// Waits for the colour of a lamp, steady.
    async fn lit(&mut self, key: &str, color: &str) {
        let is = |picture: &Picture| picture.lamps.get(key).is_some_and(|lamp| lamp.color == Some(color));
        self.shows(&format!("{key} {color}"), is).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_watches_a_desk_at_the_pbx_and_takes_its_call() {
    let settings = "phone.model = es620\nkey.3.type = blf\nkey.3.value = 102\n";
    let (pbx, mut people) = office(3, settings).await;
    people[2].dial("102").await;
    people[2].press(Key::Send).await;
    people[1].sees("Incoming call").await;
    people[0].sees("102: 103 rings").await;
    people[0].press(Key::Line(3)).await;
    people[0].sees("Talking").await;
    people[2].sees("Talking").await;
    people[1].sees("<DND> <Forward> <Return>").await;
    close(pbx, people).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_parked_and_fetched_by_the_key_of_the_orbit() {
    let settings = "phone.model = es620\nkey.3.type = park\nkey.3.value = 701\nkey.3.label = Orbit\n";
    let (pbx, mut people) =
        office_of(Pbx::builder().extension("701", Service::Park(OrbitConfig::default())), 3, settings).await;
    for person in &mut people {
        person.lit("line3", "yellow-green").await;
    }
    talk(&mut people).await;
    people[0].press(Key::Line(3)).await;
    people[0].sees("Parked").await;
    people[0].sees("at 701").await;
    for person in &mut people {
        person.lit("line3", "red").await;
    }
    people[2].labelled("line3", "Orbit: 102").await;
    people[2].press(Key::Line(3)).await;
    people[2].sees("Talking").await;
    people[1].sees("Talking").await;
    // They talk on, and the orbit is free for another call.
    for person in &mut people {
        person.lit("line3", "yellow-green").await;
    }
    people[1].press(Key::Cancel).await;
    people[2].sees_the_end().await;
    close(pbx, people).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_takes_the_call_that_rings_in_the_group() {
    let settings = "phone.model = es620\nkey.3.type = group-pickup\nkey.3.value = *9\n";
    let (pbx, mut people) = office_of(Pbx::builder().pickup_group(["101", "102", "103"]), 3, settings).await;
    people[2].dial("102").await;
    people[2].press(Key::Send).await;
    people[1].sees("Incoming call").await;
    people[0].press(Key::Line(3)).await;
    people[0].sees("Talking").await;
    people[2].sees("Talking").await;
    people[1].sees("<DND> <Forward> <Return>").await;
    close(pbx, people).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_the_pbx_fills_keys_and_its_lamps_take_calls() {
    let settings =
        "phone.model = es620\naccount.1.blf_list = team\nkey.3.type = blf-list\nkey.4.type = blf-list\n";
    let (pbx, mut people) = office_of(Pbx::builder().blf_list("team", ["103", "102"]), 3, settings).await;
    people[0].labelled("line3", "103").await;
    people[0].labelled("line4", "102").await;
    people[0].lit("line4", "yellow-green").await;
    people[2].dial("102").await;
    people[2].press(Key::Send).await;
    people[1].sees("Incoming call").await;
    people[0].sees("102: 103 rings").await;
    people[0].lit("line3", "red").await;
    people[0].press(Key::Line(4)).await;
    people[0].sees("Talking").await;
    people[2].sees("Talking").await;
    people[0].labelled("line4", "102").await;
    close(pbx, people).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_waits_until_who_was_busy_is_free_and_calls() {
    let settings = "phone.model = es620\ncall_completion.enabled = yes\ncall_waiting.enabled = no\n";
    let (pbx, mut people) = office(3, settings).await;
    people[2].dial("102").await;
    people[2].press(Key::Send).await;
    people[1].sees("Incoming call").await;
    people[1].press(Key::Send).await;
    people[2].sees("Talking").await;
    people[0].dial("102").await;
    people[0].press(Key::Send).await;
    people[0].sees("Wait until 102 is free?").await;
    people[0].press(Key::Ok).await;
    people[0].sees("Waiting for 102").await;
    people[2].press(Key::Cancel).await;
    people[0].sees("102 is free: call?").await;
    people[1].press(Key::Cancel).await;
    people[0].press(Key::Ok).await;
    people[1].sees("Incoming call").await;
    people[1].sees("101").await;
    people[1].press(Key::Send).await;
    people[0].sees("Talking").await;
    close(pbx, people).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intercom_key_speaks_at_once_to_the_other_desk() {
    let settings = "phone.model = es620\nkey.3.type = intercom\nkey.3.value = 102\nintercom.tone = no\n";
    let (pbx, mut people) = office(2, settings).await;
    people[0].press(Key::Line(3)).await;
    people[1].sees("Talking").await;
    people[0].sees("Talking").await;
    close(pbx, people).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paging_key_speaks_to_the_desks_that_listen() {
    // An address of the organisation's own range (RFC 2365), by a free port, so that no other test uses it.
    let port = std::net::UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let port = port.expect("a port").port();
    let [high, low] = port.to_be_bytes();
    let settings = format!(
        "phone.model = es620\nkey.3.type = paging\nkey.3.value = 239.196.{high}.{low}:{port}\n\
         key.3.label = All\npaging.listen = 239.196.{high}.{low}:{port} Everybody\n\
         paging.interface = 127.0.0.1\n"
    );
    let (pbx, mut people) = office(2, &settings).await;
    people[0].press(Key::Line(3)).await;
    people[0].sees("Paging").await;
    people[1].sees("Page: Everybody").await;
    let own = people[0].panel.pictures.borrow().text.iter().any(|line| line == "Page: Everybody");
    assert!(!own, "who speaks does not hear it");
    people[0].press(Key::Line(3)).await;
    people[1].shows("silence", |picture| picture.text.iter().all(|line| line != "Page: Everybody")).await;
    close(pbx, people).await;
}
