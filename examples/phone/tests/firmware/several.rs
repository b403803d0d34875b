//! Desks at a PBX with several calls at once: music on hold, conferences of the server, transfers to who still rings.

use super::features::{BOUND, Person, close, confer, office, office_of, talk};
use sidetone_hal::keypad::Key;
use sidetone_pbx::{Music, Pbx, RoomConfig, Service};

impl Person {
    /// Waits until the ear hears something, or nothing for 400 ms.
    async fn hears(&mut self, something: bool) {
        let heard = async {
            let mut quiet = 0;
            loop {
                let message = self.panel.handset.speak().await;
                let loudest = message
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .map(|bytes| i16::from_le_bytes(*bytes).unsigned_abs())
                    .max();
                let loud = loudest.unwrap_or_default() > 200;
                quiet = if loud { 0 } else { quiet + 1 };
                if (loud && something) || (!something && quiet >= 20) {
                    return;
                }
            }
        };
        let late = tokio::time::timeout(BOUND, heard).await.is_err();
        assert!(!late, "{} hears {}", self.panel.title, if something { "nothing" } else { "something" });
    }

    /// Waits until no line of the screen has these words any more, and the idle screen is there.
    async fn rests(&mut self) {
        self.sees("<DND> <Forward> <Return>").await;
        let text = self.panel.pictures.borrow().text.clone();
        assert!(text.iter().all(|line| !line.contains("missed")), "{text:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_held_hears_the_music_server() {
    let settings = "account.1.music_server = *45\nhold.tone = no\n";
    let music = Pbx::builder().extension("*45", Service::MusicOnHold(Music::melody()));
    let (pbx, mut people) = office_of(music, 2, settings).await;
    talk(&mut people).await;
    people[1].hears(false).await;
    // Twice, for what the server said must not confuse what we say next.
    for _ in 0..2 {
        people[0].press(Key::Hold).await;
        people[1].sees("Held by the other side").await;
        people[1].hears(true).await;
        people[0].press(Key::Hold).await;
        people[1].sees("Talking").await;
        people[0].sees("Talking").await;
        people[1].hears(false).await;
    }
    people[0].press(Key::Hold).await;
    people[1].hears(true).await;
    // Who is held may hang up.
    people[1].press(Key::Cancel).await;
    people[0].sees("<Redial> <DND> <Forward>").await;
    close(pbx, people).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_held_hears_a_file_of_the_telephone() {
    let file = std::env::temp_dir().join(format!("sidetone-hold-{}.wav", std::process::id()));
    let sine = |n: u32| (f64::from(n) * 0.345).sin() * 8000.0;
    let samples: Vec<i16> = (0..8000).map(|n| sine(n) as i16).collect();
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let mut wav = Vec::from(*b"RIFF");
    wav.extend((36 + data.len() as u32).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(8000_u32.to_le_bytes());
    wav.extend(16_000_u32.to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend((data.len() as u32).to_le_bytes());
    wav.extend(data);
    std::fs::write(&file, wav).expect("written");
    let (pbx, mut people) = office(2, &format!("hold.music = {}\nhold.tone = no\n", file.display())).await;
    std::fs::remove_file(&file).expect("removed");
    talk(&mut people).await;
    people[1].hears(false).await;
    people[0].press(Key::Hold).await;
    people[1].sees("Held by the other side").await;
    people[1].hears(true).await;
    people[0].press(Key::Hold).await;
    people[1].sees("Talking").await;
    people[1].hears(false).await;
    close(pbx, people).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_room_of_the_server_joins_desks_in_both_orders() {
    for order in ["member", "focus"] {
        let settings = format!(
            "phone.model = es620\naccount.1.conference_type = network\naccount.1.conference_uri = 800\naccount.1.conference_order = {order}\nhold.tone = no\n"
        );
        let room = Pbx::builder().extension("800", Service::Conference(RoomConfig::default()));
        let (pbx, mut people) = office_of(room, 4, &settings).await;
        talk(&mut people).await;
        people[0].press(Key::Line(2)).await;
        people[1].sees("Held by the other side").await;
        people[0].dial("103").await;
        people[0].press(Key::Send).await;
        people[2].sees("Incoming call").await;
        people[2].press(Key::Send).await;
        people[0].sees("Talking").await;
        people[0].press(Key::Conference).await;
        // Every telephone in it shows who is there.
        for person in &mut people[..3] {
            person.sees_people(&["101", "102", "103"]).await;
        }
        // One more: the conference waits meanwhile.
        people[0].press(Key::Conference).await;
        people[0].sees("Enter number").await;
        people[0].dial("104").await;
        people[0].press(Key::Send).await;
        people[3].sees("Incoming call").await;
        people[3].press(Key::Send).await;
        people[0].sees("Talking").await;
        people[0].press(Key::Conference).await;
        for person in &mut people {
            person.sees_people(&["101", "102", "103", "104"]).await;
        }
        // The others go on without the one who began it.
        people[0].press(Key::Cancel).await;
        for person in &mut people[1..] {
            person.sees_people(&["102", "103", "104"]).await;
        }
        close(pbx, people).await;
    }
}

/// Who presses it is in no call with the room, which takes the call over from outside.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_brings_who_we_talk_to_into_a_room_that_we_are_not_in() {
    let settings = "phone.model = es620\nkey.3.type = room\nkey.3.value = 800\n";
    let room = Pbx::builder().extension("800", Service::Conference(RoomConfig::default()));
    let (pbx, mut people) = office_of(room, 3, settings).await;
    // Beside calls it calls the room.
    people[2].press(Key::Line(3)).await;
    people[2].sees_people(&["103"]).await;
    talk(&mut people).await;
    people[0].press(Key::Line(3)).await;
    for person in &mut people[1..] {
        person.sees_people(&["102", "103"]).await;
    }
    people[0].sees_the_end().await;
    // A room that is none leaves the call as it was.
    close(pbx, people).await;
    let (pbx, mut people) = office(2, settings).await;
    talk(&mut people).await;
    people[0].press(Key::Line(3)).await;
    people[0].sees("102 did not join: 404 Not Found").await;
    people[0].sees("Talking").await;
    people[1].sees("Talking").await;
    close(pbx, people).await;
}

impl Person {
    /// Waits until the screen names these, in any order.
    async fn sees_people(&mut self, wanted: &[&str]) {
        let mut pictures = self.panel.pictures.clone();
        let shown = pictures.wait_for(|picture| {
            picture.text.iter().any(|line| {
                let mut names: Vec<&str> = line.split(", ").collect();
                names.sort_unstable();
                names == wanted
            }) && picture.text.iter().any(|line| line == "Conference")
        });
        let late = tokio::time::timeout(BOUND, shown).await.is_err();
        if late {
            let text = self.panel.pictures.borrow().text.clone();
            panic!("{} does not see {wanted:?} but {text:?}", self.panel.title);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_transferred_to_a_desk_that_still_rings_in_both_ways() {
    for way in ["cancel", "replaces"] {
        let (pbx, mut people) = office(3, &format!("transfer.semi_attended = {way}\nhold.tone = no\n")).await;
        talk(&mut people).await;
        people[0].press(Key::Transfer).await;
        people[1].sees("Held by the other side").await;
        people[0].dial("103").await;
        people[0].press(Key::Send).await;
        people[2].sees("Incoming call").await;
        people[0].sees("Ringing").await;
        people[0].press(Key::Transfer).await;
        // It rings for the other side now, and nothing was missed.
        people[2].sees("102").await;
        people[2].sees("Incoming call").await;
        people[2].press(Key::Send).await;
        people[0].sees("Transferred").await;
        people[1].sees("103").await;
        for person in &mut people[1..] {
            person.sees("Talking").await;
        }
        people[1].press(Key::Cancel).await;
        people[2].press(Key::Cancel).await;
        people[2].rests().await;
        close(pbx, people).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_that_refuses_gives_the_transferred_call_back() {
    let (pbx, mut people) = office(3, "transfer.semi_attended = replaces\nhold.tone = no\n").await;
    talk(&mut people).await;
    people[0].press(Key::Transfer).await;
    people[1].sees("Held by the other side").await;
    people[0].dial("103").await;
    people[0].press(Key::Send).await;
    people[2].sees("Incoming call").await;
    people[0].sees("Ringing").await;
    people[0].press(Key::Transfer).await;
    people[2].sees("102").await;
    people[2].press(Key::Cancel).await;
    people[0].sees("Transfer failed: 486 Busy Here").await;
    people[0].sees("Talking").await;
    people[1].sees("101").await;
    close(pbx, people).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_of_a_conference_on_the_phone_go_on_without_it() {
    let (pbx, mut people) = office(3, "conference.leave = transfer\nhold.tone = no\n").await;
    confer(&mut people).await;
    people[0].press(Key::Cancel).await;
    people[0].sees("Transferred").await;
    people[1].sees("103").await;
    people[2].sees("102").await;
    for person in &mut people[1..] {
        person.sees("Talking").await;
    }
    close(pbx, people).await;
}
