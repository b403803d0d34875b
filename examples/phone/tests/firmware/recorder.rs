//! Calls that the telephone records to its own storage: by keys, and with the sound of a call between two desks.

use super::desk::{Desk, local};
use super::features::{close, office};
use super::policy::desk as phone;
use core::time::Duration;
use sidetone_hal::keypad::Key;
use sidetone_media::wav::WavFile;
use sidetone_phone::audio::handset;
use sidetone_phone::desk::Picture;
use sidetone_phone::firmware::{Command, Icon, RecordOrder, RecordingOver, Signal};
use sidetone_phone::models::ES620;

impl Desk {
    fn records(&self) -> bool {
        self.phone.screen(self.now).icons.contains(&Icon::Recording)
    }

    fn order(&mut self) -> RecordOrder {
        match self.command() {
            Command::RecordHere { order, .. } => order,
            other => panic!("{other:?}"),
        }
    }
}

/// YLA-233, YLA-289.
#[test]
fn soft_keys_start_pause_resume_and_stop_a_recording_and_the_icon_tells() {
    let mut desk = phone(&ES620, "recorder.folder = /media/usb\nkey.4.type = recorder\n");
    let call = desk.talk("102");
    assert!(!desk.records());
    desk.soft_key("Start rec");
    assert_eq!(desk.order(), RecordOrder::Start("2026-11-21 08-36 102".to_owned()));
    assert!(desk.records());
    desk.soft_key("Pause rec");
    assert_eq!(desk.order(), RecordOrder::Pause(true));
    assert!(!desk.records(), "nothing is written now");
    desk.soft_key("Resume rec");
    assert_eq!((desk.order(), desk.records()), (RecordOrder::Pause(false), true));
    desk.press(Key::Hold);
    desk.commands();
    desk.signal(Signal::Held(call));
    assert!(!desk.records(), "nor while the call is on hold");
    desk.soft_key("Stop rec");
    assert_eq!(desk.order(), RecordOrder::Stop);
    desk.signal(Signal::RecordingOver(RecordingOver::Kept("2026-11-21 08-36 102".to_owned())));
    assert!(desk.text().contains(&"Recorded: 2026-11-21 08-36 102".to_owned()), "{:?}", desk.text());
    // The key does the same; the end of the call is the end of the recording.
    desk.signal(Signal::Resumed(call));
    desk.press(Key::Line(4));
    assert!(matches!(desk.order(), RecordOrder::Start(_)));
    desk.press(Key::Cancel);
    assert_eq!(desk.commands(), [Command::HangUp(call)]);
    desk.signal(Signal::Ended { call, cause: local() });
    assert_eq!(desk.order(), RecordOrder::Stop);
}

#[test]
fn a_recording_that_ends_by_itself_is_told() {
    for (over, told) in [
        (RecordingOver::Full, "No room for recordings"),
        (RecordingOver::Failed("it was pulled out".to_owned()), "Not recorded: it was pulled out"),
    ] {
        let mut desk = phone(&ES620, "recorder.folder = /media/usb\n");
        desk.talk("102");
        desk.soft_key("Start rec");
        desk.signal(Signal::RecordingOver(over));
        assert!(!desk.records() && desk.text().contains(&told.to_owned()), "{:?}", desk.text());
    }
    let mut without = phone(&ES620, "key.4.type = recorder\n");
    without.talk("102");
    without.press(Key::Line(4));
    assert_eq!(without.commands(), [], "without a storage nothing is recorded");
}

#[test]
fn recordings_are_listed_and_played_until_a_call_comes() {
    let mut desk = phone(&ES620, "recorder.folder = /media/usb\n");
    desk.soft_key("Recordings");
    assert_eq!(desk.command(), Command::ListRecordings);
    for (names, told) in [(None, "No storage"), (Some(Vec::new()), "No recordings")] {
        desk.signal(Signal::Recordings(names));
        assert!(desk.text().contains(&told.to_owned()), "{:?}", desk.text());
    }
    let names = ["b 102.wav", "a 103.wav"].map(str::to_owned);
    desk.signal(Signal::Recordings(Some(names.to_vec())));
    assert_eq!(desk.text()[1..3], ["Recording 1 of 2", "b 102"]);
    desk.soft_key("Play");
    assert_eq!(desk.command(), Command::PlayRecording(Some("b 102.wav".to_owned())));
    desk.signal(Signal::RecordingPlayed);
    desk.soft_key("Next");
    assert_eq!((desk.commands(), desk.text()[2].as_str()), (Vec::new(), "a 103"));
    desk.soft_key("Play");
    desk.commands();
    desk.soft_key("Stop");
    assert_eq!(desk.command(), Command::PlayRecording(None));
    desk.soft_key("Play");
    desk.commands();
    desk.ring("102");
    assert_eq!(desk.commands(), [Command::PlayRecording(None)], "a call ends it");
    desk.press(Key::Cancel);
    let call = desk.phone.calls()[0].id();
    desk.signal(Signal::Ended { call, cause: local() });
    assert!(!desk.text()[1].starts_with("Recording"), "{:?}", desk.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_records_both_sides_of_a_call_to_its_storage() {
    let folder = std::env::temp_dir().join(format!("sidetone-records-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let settings = format!("phone.model = es620\nrecorder.folder = {}\n", folder.display());
    let (pbx, mut people) = office(1, &settings).await;
    let desk = &mut people[0];
    // The PBX hums, and somebody speaks into the handset.
    desk.dial("600").await;
    desk.press(Key::Send).await;
    desk.sees("Talking").await;
    let mut mouth = core::mem::replace(&mut desk.panel.handset, handset().1);
    let speaks = tokio::spawn(async move {
        let mut every = tokio::time::interval(Duration::from_millis(10));
        loop {
            every.tick().await;
            for level in [4000_i16, -4000] {
                mouth.hear(&level.to_le_bytes().repeat(80));
            }
        }
    });
    desk.soft("Start rec").await;
    let records = |picture: &Picture| picture.text.first().is_some_and(|line| line.contains("[recording]"));
    desk.shows("that it records", records).await;
    let file = || std::fs::read_dir(&folder).expect("read").next().map(|file| file.expect("read").path());
    let grown = async {
        while file().and_then(|path| std::fs::metadata(path).ok()).is_none_or(|data| data.len() < 64_000) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), grown).await.expect("a second of sound");
    desk.soft("Stop rec").await;
    let kept = |picture: &Picture| picture.text.iter().any(|line| line.starts_with("Recorded: "));
    desk.shows("the file", kept).await;
    speaks.abort();
    let octets = std::fs::read(file().expect("a file")).expect("read");
    let wav = WavFile::parse(&octets).expect("a WAV file");
    let loud = |channel| wav.channel(channel).filter(|sample| sample.unsigned_abs() > 50).count();
    let (ours, theirs) = (loud(0), loud(1));
    assert!(ours > 1000 && theirs > 1000, "{ours} samples of ours and {theirs} of theirs");
    desk.press(Key::Cancel).await;
    desk.sees_the_end().await;
    desk.press(Key::Cancel).await;
    // It is played into the room.
    let idle = |picture: &Picture| picture.text.last().is_some_and(|keys| keys.contains("<DND>"));
    desk.shows("the idle screen", idle).await;
    desk.soft("Recordings").await;
    desk.sees("Recording 1 of 1").await;
    desk.soft("Play").await;
    desk.sees("Plays").await;
    desk.shows("its end", |picture| !picture.text.iter().any(|line| line == "Plays")).await;
    close(pbx, people).await;
    std::fs::remove_dir_all(&folder).expect("removed");
}
