//! Whom we hold hears music: linphone that of a music server by RFC 7088 (our PBX, or SIPp), and that of a file of ours; and that
//! of our PBX where it waits in an orbit.

use crate::peers::agent::{HIGH, LOW, Ours, call_event, check, ended, established, run, tone_port, within};
use crate::peers::linphone::Linphone;
use crate::peers::pbx::OurPbx;
use crate::peers::sipp::Sipp;
use crate::peers::sound::{expect_heard, tone, write_tone};
use crate::peers::{LINPHONE, Needs, Outcome, SIPP, Stage, free_port, trial};
use core::time::Duration;
use libtest_mimic::{Failed, Trial};
use sidetone_codecs::pcmu::encode_sample;
use sidetone_media::wav::Sound;
use sidetone_pbx::{Music, OrbitConfig, Service};
use sidetone_sip_ua::{AccountConfig, AudioConfig, CallEvent, HoldMusic};

const MUSIC_HZ: f64 = 850.0;
const SOON: Duration = Duration::from_secs(20);

pub(crate) fn trials() -> Vec<Trial> {
    const ONE: &[Needs] = &[LINPHONE];
    vec![
        trial("linphone_hears_the_music_server_of_our_pbx_while_we_hold_it", ONE, |stage| {
            run(from_our_pbx(stage))
        }),
        trial("linphone_hears_sipp_as_music_server_while_we_hold_it", &[LINPHONE, SIPP], |stage| {
            run(from_sipp(stage))
        }),
        trial("linphone_hears_a_file_of_ours_while_we_hold_it", ONE, |stage| run(from_a_file(stage))),
        trial("linphone_hears_the_music_of_an_orbit_of_our_pbx", ONE, |stage| run(parked(stage))),
    ]
}

/// A PBX whose music on hold and whose orbit play one tone.
async fn pbx(stage: &Stage) -> Result<OurPbx, Failed> {
    let file = stage.path("music.wav");
    write_tone(&file, MUSIC_HZ, Duration::from_secs(5))?;
    let music = Music::open(&file).map_err(|error| error.to_string())?;
    let mut orbit = OrbitConfig::default();
    orbit.music = music.clone();
    let services = |builder: sidetone_pbx::PbxBuilder| {
        builder.extension("*45", Service::MusicOnHold(music)).extension("701", Service::Park(orbit))
    };
    OurPbx::start(&["alice", "bob"], services).await
}

/// Alice calls linphone, holds it for as long as it takes to hear something, and takes it back, twice.
async fn held(stage: &Stage, pbx: &mut OurPbx, music: HoldMusic) -> Outcome {
    let mut bob = Linphone::start(stage, "bob", pbx.port)?;
    pbx.registered(&["bob"]).await?;
    let by_server = matches!(music, HoldMusic::Server(_));
    let with_music = |account: &mut AccountConfig| {
        let mut audio = AudioConfig::default();
        audio.on_hold = music;
        account.audio = Some(audio);
    };
    let alice = Ours::start_with(stage, "alice", Some(pbx.port), |_| {}, with_music).await?;
    let (port, mut alice_hears) = tone_port(LOW, HIGH);
    let mut call = alice.account.call("bob", port).await?;
    call_event(&mut call, "ringing", |event| matches!(event, CallEvent::Ringing { .. })).await?;
    bob.command("answer")?;
    established(&mut call).await?;
    bob.speak()?;
    alice_hears.tone().await?;
    for _ in 0..2 {
        within("hold", call.hold()).await??;
        if by_server {
            call_event(&mut call, "music", |event| *event == CallEvent::MusicOnHold(true)).await?;
        }
        expect_heard("linphone on hold", &bob.hears(3)?, MUSIC_HZ)?;
        within("resume", call.resume()).await??;
        // linphone goes on with a silent microphone after a hold.
        bob.speak()?;
        alice_hears.tone().await?;
        // Alice's own voice is back in the music's place.
        expect_heard("linphone", &bob.hears(3)?, 400.0)?;
    }
    call.hangup().await?;
    ended(&mut call).await?;
    drop(bob);
    alice.end().await
}

async fn from_our_pbx(stage: &Stage) -> Outcome {
    let mut pbx = pbx(stage).await?;
    let server = pbx.uri("*45").parse()?;
    held(stage, &mut pbx, HoldMusic::Server(server)).await?;
    pbx.pbx.shutdown().await;
    Ok(())
}

/// SIPp is asked for an offer, and given linphone's answer in the ACK; it plays a file with what G.711 makes of the tone.
async fn from_sipp(stage: &Stage) -> Outcome {
    let mut pbx = pbx(stage).await?;
    let samples = tone(MUSIC_HZ, 8000, Duration::from_secs(5));
    let octets: Vec<u8> = samples.into_iter().map(encode_sample).collect();
    let (sip, media) = (free_port(), free_port().to_string());
    std::fs::write(stage.folder(&format!("sipp-{sip}")).join("music.ulaw"), octets)?;
    let mut sipp = Sipp::start(stage, "uas_music.xml", sip, None, &["-mp", &media, "-m", "2"])?;
    let server = format!("sip:music@127.0.0.1:{sip}").parse()?;
    held(stage, &mut pbx, HoldMusic::Server(server)).await?;
    sipp.expect_success(SOON)?;
    check(sipp.messages().contains("INVITE sip:music@"), "the server was called")?;
    pbx.pbx.shutdown().await;
    Ok(())
}

async fn from_a_file(stage: &Stage) -> Outcome {
    let mut pbx = pbx(stage).await?;
    let sound = Sound::new(8000, tone(MUSIC_HZ, 8000, Duration::from_secs(5))).ok_or("a rate")?;
    held(stage, &mut pbx, HoldMusic::Sound(sound)).await?;
    pbx.pbx.shutdown().await;
    Ok(())
}

/// Alice transfers linphone to an orbit, and fetches it.
async fn parked(stage: &Stage) -> Outcome {
    let mut pbx = pbx(stage).await?;
    let mut bob = Linphone::start(stage, "bob", pbx.port)?;
    pbx.registered(&["bob"]).await?;
    let alice = Ours::start(stage, "alice", Some(pbx.port)).await?;
    let mut call = alice.account.call("bob", tone_port(LOW, HIGH).0).await?;
    call_event(&mut call, "ringing", |event| matches!(event, CallEvent::Ringing { .. })).await?;
    bob.command("answer")?;
    established(&mut call).await?;
    within("transfer", call.handle().transfer("701")).await??;
    ended(&mut call).await?;
    bob.wait_for_line(" ended (")?;
    expect_heard("linphone in the orbit", &bob.hears(3)?, MUSIC_HZ)?;
    let (port, mut alice_hears) = tone_port(LOW, HIGH);
    let mut call = alice.call("701", port).await?;
    bob.speak()?;
    alice_hears.tone().await?;
    call.hangup().await?;
    ended(&mut call).await?;
    drop(bob);
    alice.end().await?;
    pbx.pbx.shutdown().await;
    Ok(())
}
