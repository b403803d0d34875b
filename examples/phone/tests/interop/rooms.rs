//! A room of our PBX, a focus by RFC 4579, with baresip and linphone in it: fetched by a REFER within our call with the room and
//! outside of any, calling by themselves, seen by the package `conference`, and put out.

use crate::peers::agent::{
    HIGH, LOW, Ours, any_port, call_event, check, ended, established, run, tone_port, within,
};
use crate::peers::baresip::{Baresip, Microphone};
use crate::peers::linphone::Linphone;
use crate::peers::pbx::OurPbx;
use crate::peers::phone::{Phone, expect};
use crate::peers::sound::{expect_heard, read_wav};
use crate::peers::{BARESIP, LINPHONE, Needs, Outcome, Stage, trial};
use core::time::Duration;
use libtest_mimic::{Failed, Trial};
use sidetone_pbx::{RoomConfig, Service};
use sidetone_sip_ua::{CallEvent, Error, JoinOrder, WatchedConference};

const SOON: Duration = Duration::from_secs(20);
/// What we say in a room.
const OUR_HZ: f64 = 400.0;
const LINPHONE_HZ: f64 = 1000.0;
/// What baresip says where it must differ from linphone.
const BARESIP_HZ: f64 = 600.0;

pub(crate) fn trials() -> Vec<Trial> {
    const BOTH: &[Needs] = &[BARESIP, LINPHONE];
    vec![
        trial("a_room_of_our_pbx_fetches_baresip_and_linphone_and_puts_them_out", BOTH, |stage| {
            run(fetched(stage))
        }),
        trial("baresip_and_linphone_call_a_room_of_our_pbx", BOTH, |stage| run(called(stage))),
        trial("our_phone_has_a_room_fetch_baresip_and_linphone_from_outside", BOTH, |stage| {
            run(fetched_from_outside(stage))
        }),
        trial("our_call_with_linphone_is_brought_into_a_room_in_both_orders", &[LINPHONE], |stage| {
            run(brought(stage))
        }),
    ]
}

async fn room() -> Result<OurPbx, Failed> {
    let room = Service::Conference(RoomConfig::default());
    OurPbx::start(&["alice", "bob", "carol"], |builder| builder.extension("800", room)).await
}

/// Waits until these, and nobody else, are in the room.
async fn present(watched: &mut WatchedConference, mut wanted: Vec<&str>) -> Outcome {
    wanted.sort_unstable();
    within(&format!("{wanted:?} in the roster"), async {
        loop {
            let roster = watched.changed().await.ok_or("the subscription is over")?;
            let names = roster.present().map(|user| user.name().to_owned());
            let mut names: Vec<String> = names
                .map(|name| name.trim_start_matches("sip:").split('@').next().unwrap_or_default().to_owned())
                .collect();
            names.sort_unstable();
            if names == wanted {
                return Ok::<_, Failed>(());
            }
        }
    })
    .await?
}

async fn fetched(stage: &Stage) -> Outcome {
    let mut pbx = room().await?;
    let mut bob = Baresip::start(stage, "bob", pbx.port, &Microphone::Tone(1000.0))?;
    let mut carol = Linphone::start(stage, "carol", pbx.port)?;
    pbx.registered(&["bob", "carol"]).await?;
    let alice = Ours::start(stage, "alice", Some(pbx.port)).await?;
    let (port, mut alice_hears) = tone_port(LOW, HIGH);
    let mut call = alice.call("800", port).await?;
    check(call.focus().await?.is_some(), "the room is a focus")?;
    let mut watched = alice.account.watch_conference("800").await?;
    let room = call.handle();
    // baresip answers by itself.
    within("last word of the room", room.bring_in("bob")).await??;
    bob.wait_for("CALL_ESTABLISHED", SOON)?;
    alice_hears.tone().await?;
    bob.listen(Duration::from_secs(2))?;
    // What blocks until a peer does something would keep another future of this task from going on.
    let asked = room.clone();
    let brought = tokio::spawn(async move { within("last word of the room", asked.bring_in("carol")).await });
    carol.wait_for_line("Receiving new incoming call from")?;
    carol.command("answer")?;
    brought.await???;
    present(&mut watched, vec!["alice", "bob", "carol"]).await?;
    within("last word of the room", room.put_out("bob")).await??;
    bob.wait_for("CALL_CLOSED", SOON)?;
    present(&mut watched, vec!["alice", "carol"]).await?;
    // It is heard no more, and so what is heard next is linphone.
    alice_hears.silence().await?;
    carol.speak()?;
    alice_hears.tone().await?;
    let heard_by_carol = carol.hears(3)?;
    // Outside of her call it is asked the same, for she is in the room.
    match within("404", alice.account.put_out("800", "bob")).await? {
        Err(Error::Refused(status)) if status.code() == 404 => {}
        other => return Err(format!("{other:?}").into()),
    }
    within("last word of the room", alice.account.put_out("800", "carol")).await??;
    carol.wait_for_line(" ended (")?;
    present(&mut watched, vec!["alice"]).await?;
    call.hangup().await?;
    ended(&mut call).await?;
    drop(watched);
    let heard_by_bob = bob.recording()?;
    bob.quit()?;
    expect_heard("baresip", &read_wav(&heard_by_bob)?, OUR_HZ)?;
    expect_heard("linphone", &heard_by_carol, OUR_HZ)?;
    drop(carol);
    alice.end().await?;
    pbx.pbx.shutdown().await;
    Ok(())
}

/// Nobody of ours is in the room: what they hear is each other.
async fn called(stage: &Stage) -> Outcome {
    let mut pbx = room().await?;
    let mut bob = Baresip::start(stage, "bob", pbx.port, &Microphone::Tone(BARESIP_HZ))?;
    let mut carol = Linphone::start(stage, "carol", pbx.port)?;
    pbx.registered(&["bob", "carol"]).await?;
    let alice = Ours::start(stage, "alice", Some(pbx.port)).await?;
    let mut watched = alice.account.watch_conference("800").await?;
    bob.dial(&pbx.uri("800"))?;
    bob.wait_for("CALL_ESTABLISHED", SOON)?;
    present(&mut watched, vec!["bob"]).await?;
    carol.command(&format!("call {}", pbx.uri("800")))?;
    present(&mut watched, vec!["bob", "carol"]).await?;
    carol.speak()?;
    let heard_by_carol = carol.hears(4)?;
    // Who is not in the room puts nobody out.
    match within("403", alice.account.put_out("800", "carol")).await? {
        Err(Error::Refused(status)) if status.code() == 403 => {}
        other => return Err(format!("{other:?}").into()),
    }
    carol.command("terminate")?;
    present(&mut watched, vec!["bob"]).await?;
    bob.command("hangup", "")?;
    present(&mut watched, Vec::new()).await?;
    drop((watched, carol));
    let heard_by_bob = bob.recording()?;
    bob.quit()?;
    expect_heard("linphone", &heard_by_carol, BARESIP_HZ)?;
    expect_heard("baresip", &read_wav(&heard_by_bob)?, LINPHONE_HZ)?;
    alice.end().await?;
    pbx.pbx.shutdown().await;
    Ok(())
}

/// The phone's program is in no call at all: a REFER to the URI of the conference (RFC 4579).
async fn fetched_from_outside(stage: &Stage) -> Outcome {
    let mut pbx = room().await?;
    let mut bob = Baresip::start(stage, "bob", pbx.port, &Microphone::Tone(BARESIP_HZ))?;
    let mut carol = Linphone::start(stage, "carol", pbx.port)?;
    pbx.registered(&["bob", "carol"]).await?;
    let watcher = Ours::start(stage, "alice", Some(pbx.port)).await?;
    let mut watched = watcher.account.watch_conference("800").await?;
    let account = format!("--account sip:alice:alice-secret@127.0.0.1:{}", pbx.port);
    let mut phone = Phone::start(stage, "phone", &format!("{account} --headless room 800 bob carol"))?;
    bob.wait_for("CALL_ESTABLISHED", SOON)?;
    carol.wait_for_line("Receiving new incoming call from")?;
    carol.command("answer")?;
    present(&mut watched, vec!["bob", "carol"]).await?;
    let report = phone.finish(SOON)?;
    check(report.exit == Some(0) && report.calls.len() == 2, format!("{:?}", report.calls))?;
    for (line, who) in report.calls.iter().zip(["bob", "carol"]) {
        expect(line, "/who", who)?;
        expect(line, "/done", true)?;
    }
    carol.speak()?;
    let heard_by_carol = carol.hears(4)?;
    carol.command("terminate")?;
    present(&mut watched, vec!["bob"]).await?;
    bob.command("hangup", "")?;
    present(&mut watched, Vec::new()).await?;
    drop((watched, carol));
    let heard_by_bob = bob.recording()?;
    bob.quit()?;
    expect_heard("linphone", &heard_by_carol, BARESIP_HZ)?;
    expect_heard("baresip", &read_wav(&heard_by_bob)?, LINPHONE_HZ)?;
    watcher.end().await?;
    pbx.pbx.shutdown().await;
    Ok(())
}

/// Alice talks to linphone, and to the room: the one is sent to the other, or fetched by it in place of the call.
async fn brought(stage: &Stage) -> Outcome {
    let mut pbx = room().await?;
    let mut carol = Linphone::start(stage, "carol", pbx.port)?;
    pbx.registered(&["carol"]).await?;
    let alice = Ours::start(stage, "alice", Some(pbx.port)).await?;
    let mut watched = alice.account.watch_conference("800").await?;
    for order in [JoinOrder::Member, JoinOrder::Focus] {
        let mut first = alice.account.call("carol", any_port()).await?;
        call_event(&mut first, "ringing", |event| matches!(event, CallEvent::Ringing { .. })).await?;
        carol.command("answer")?;
        established(&mut first).await?;
        within("hold", first.hold()).await??;
        let (port, mut alice_hears) = tone_port(LOW, HIGH);
        let mut room = alice.call("800", port).await?;
        within("last word", first.join_focus(&room.handle(), order)).await??;
        ended(&mut first).await?;
        present(&mut watched, vec!["alice", "carol"]).await?;
        // Or it would say it in the call that the one with the room takes the place of.
        carol.wait_for_line(" ended (")?;
        carol.speak()?;
        alice_hears.tone().await?;
        carol.command("terminate")?;
        carol.wait_for_line(" ended (")?;
        present(&mut watched, vec!["alice"]).await?;
        room.hangup().await?;
        ended(&mut room).await?;
        present(&mut watched, Vec::new()).await?;
    }
    drop((watched, carol));
    alice.end().await?;
    pbx.pbx.shutdown().await;
    Ok(())
}
