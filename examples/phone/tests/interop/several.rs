//! Several calls at once with peers that we did not write: a conference that we mix, a room of our PBX that fetches them, and
//! music that they hear while we hold them.

use crate::peers::agent::{
    HIGH, LOW, Ours, any_port, call_event, check, ended, established, run, tone_port, within,
};
use crate::peers::baresip::{Baresip, Microphone};
use crate::peers::kamailio::Kamailio;
use crate::peers::linphone::Linphone;
use crate::peers::sound::{self, Analysis};
use crate::peers::{BARESIP, KAMAILIO, LINPHONE, Needs, Outcome, Stage, trial};
use core::time::Duration;
use libtest_mimic::{Failed, Trial};
use sidetone_media::tone::{Part, Tone};
use sidetone_pbx::{Music, Pbx, PbxHandle, RoomConfig, Service};
use sidetone_sip_ua::{AudioConfig, CallEvent, Conference, HoldMusic, JoinOrder};

const SILENCE: Tone = Tone { parts: &[Part { hertz: &[], millis: 0 }], once: false };
/// What baresip says; linphone says 1000 Hz.
const BARESIPS: f64 = 700.0;
/// What the music server plays.
const MUSIC: f64 = 850.0;

pub(crate) fn trials() -> Vec<Trial> {
    const ALL: &[Needs] = &[KAMAILIO, BARESIP, LINPHONE];
    vec![
        trial("baresip_and_linphone_hear_each_other_in_our_conference", ALL, |stage| run(conference(stage))),
        trial("baresip_is_brought_into_a_room_of_our_pbx", &[BARESIP], |stage| run(room(stage))),
        trial("linphone_hears_a_music_server_while_we_hold_it", &[LINPHONE], |stage| run(music(stage))),
    ]
}

/// How long those in a conference listen.
const LISTEN: Duration = Duration::from_secs(4);

async fn conference(stage: &Stage) -> Outcome {
    let server = Kamailio::start(stage)?;
    let mut bob = Baresip::start(stage, "bob", server.port, &Microphone::Tone(BARESIPS))?;
    let mut carol = Linphone::start(stage, "carol", server.port)?;
    let alice = Ours::start(stage, "alice", Some(server.port)).await?;
    server.wait_until_known("carol")?;
    let mut first = alice.call("bob", tone_port(SILENCE, HIGH).0).await?;
    let mut second = alice.account.call("carol", tone_port(SILENCE, HIGH).0).await?;
    call_event(&mut second, "ringing", |event| matches!(event, CallEvent::Ringing { .. })).await?;
    let heard_by_carol = stage.path("carol.wav");
    carol.command(&format!("record {}", heard_by_carol.display()))?;
    carol.command("answer")?;
    established(&mut second).await?;
    carol.speak()?;
    let conference = Conference::new([&first.handle(), &second.handle()]).await?;
    let bob = tokio::task::spawn_blocking(move || bob.listen(LISTEN).map(|()| bob));
    let bob = bob.await??;
    check(conference.members().await?.len() == 2, "both are in it")?;
    second.hangup().await?;
    ended(&mut second).await?;
    first.hangup().await?;
    ended(&mut first).await?;
    alice.end().await?;
    let heard_by_bob = bob.recording()?;
    bob.quit()?;
    carol.command("quit")?;
    for (who, path, hertz) in [("baresip", heard_by_bob, 1000.0), ("linphone", heard_by_carol, BARESIPS)] {
        let heard = Analysis::new(&sound::read_wav(&path)?, hertz).heard();
        println!("{who} heard the other one for {heard:.2} s");
        check(heard > 2.0, format!("{who} heard {heard:.2} s of {hertz} Hz"))?;
    }
    Ok(())
}

/// A PBX for `bob` and `alice` with this beside them.
async fn pbx(number: &str, service: Service) -> Result<PbxHandle, Failed> {
    let pbx = Pbx::builder().udp("127.0.0.1:0".parse()?).realm("127.0.0.1");
    let pbx = pbx.user("bob", "bob-secret").user("alice", "alice-secret");
    Ok(pbx.extension(number, service).start().await?)
}

async fn room(stage: &Stage) -> Outcome {
    let pbx = pbx("800", Service::Conference(RoomConfig::default())).await?;
    let port = pbx.addr().port();
    let bob = Baresip::start(stage, "bob", port, &Microphone::Tone(1000.0))?;
    let alice = Ours::start(stage, "alice", Some(port)).await?;
    let mut call = alice.call("bob", any_port()).await?;
    let (ear_port, mut alice_hears) = tone_port(LOW, HIGH);
    let mut room = alice.call("800", ear_port).await?;
    check(call.focus().await?.is_none() && room.focus().await?.is_some(), "the room is a focus")?;
    within("REFER", call.join_focus(&room.handle(), JoinOrder::Member)).await??;
    ended(&mut call).await?;
    alice_hears.tone().await?;
    let mut watched = alice.account.watch_conference("800").await?;
    within("both in the roster", async {
        while watched.changed().await.is_some_and(|roster| roster.present().count() != 2) {}
    })
    .await?;
    let names: Vec<_> = watched.roster().present().map(|user| user.name().to_owned()).collect();
    check(names.iter().any(|name| name.starts_with("sip:bob@")), format!("{names:?}"))?;
    room.hangup().await?;
    ended(&mut room).await?;
    drop(watched);
    alice.end().await?;
    bob.quit()?;
    pbx.shutdown().await;
    Ok(())
}

async fn music(stage: &Stage) -> Outcome {
    let file = stage.path("music.wav");
    sound::write_tone(&file, MUSIC, Duration::from_secs(5))?;
    let music = Music::open(&file).map_err(|error| error.to_string())?;
    let pbx = pbx("*45", Service::MusicOnHold(music)).await?;
    let port = pbx.addr().port();
    let mut bob = Linphone::start(stage, "bob", port)?;
    let server = format!("sip:*45@127.0.0.1:{port}").parse()?;
    let with_music = |account: &mut sidetone_sip_ua::AccountConfig| {
        let mut audio = AudioConfig::default();
        audio.on_hold = HoldMusic::Server(server);
        account.audio = Some(audio);
    };
    let alice = Ours::start_with(stage, "alice", Some(port), |_| {}, with_music).await?;
    let (ear_port, mut alice_hears) = tone_port(SILENCE, HIGH);
    let mut call = loop {
        // It may not have registered yet.
        let mut call = alice.account.call("bob", any_port()).await?;
        match within("an answer", call.next_event()).await? {
            Some(CallEvent::Ringing { .. }) => break call,
            _ => tokio::time::sleep(Duration::from_millis(300)).await,
        }
    };
    call.hangup().await?;
    ended(&mut call).await?;
    let mut call = alice.account.call("bob", ear_port).await?;
    call_event(&mut call, "ringing", |event| matches!(event, CallEvent::Ringing { .. })).await?;
    let heard_by_bob = stage.path("bob.wav");
    bob.command(&format!("record {}", heard_by_bob.display()))?;
    bob.command("answer")?;
    established(&mut call).await?;
    bob.speak()?;
    alice_hears.tone().await?;
    within("hold", call.hold()).await??;
    call_event(&mut call, "music", |event| *event == CallEvent::MusicOnHold(true)).await?;
    tokio::time::sleep(LISTEN).await;
    within("resume", call.resume()).await??;
    alice_hears.tone().await?;
    call.hangup().await?;
    ended(&mut call).await?;
    alice.end().await?;
    bob.command("quit")?;
    let heard = Analysis::new(&sound::read_wav(&heard_by_bob)?, MUSIC).heard();
    println!("linphone heard the music for {heard:.2} s");
    check(heard > 2.0, format!("linphone heard {heard:.2} s of {MUSIC} Hz"))?;
    pbx.shutdown().await;
    Ok(())
}
