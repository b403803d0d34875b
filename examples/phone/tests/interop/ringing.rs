//! Transfers to who still rings (semi-attended), in both of the ways that are deployed: our call there is given up and the other
//! side is referred to it anew, or it is referred to that call by Replaces. The transferee is linphone or baresip, and so is who
//! rings, as far as they take it.

use crate::peers::agent::{
    HIGH, LOW, Ours, any_port, call_event, check, ended, established, run, tone_port, within,
};
use crate::peers::baresip::{Baresip, Microphone, More};
use crate::peers::kamailio::Kamailio;
use crate::peers::linphone::Linphone;
use crate::peers::sound::{expect_heard, read_wav};
use crate::peers::{BARESIP, KAMAILIO, LINPHONE, Needs, Outcome, Stage, trial};
use core::time::Duration;
use libtest_mimic::{Failed, Trial};
use sidetone_sip_core::StatusCode;
use sidetone_sip_ua::{AccountConfig, AgentConfig, Call, CallEvent, ReferProgress};

const SOON: Duration = Duration::from_secs(20);

pub(crate) fn trials() -> Vec<Trial> {
    const ALL: &[Needs] = &[KAMAILIO, BARESIP, LINPHONE];
    const LINPHONES: &[Needs] = &[KAMAILIO, LINPHONE];
    vec![
        trial("linphone_is_transferred_to_baresip_that_still_rings", ALL, |stage| run(to_baresip(stage))),
        trial("baresip_is_transferred_to_linphone_that_still_rings", ALL, |stage| run(to_linphone(stage))),
        trial("linphone_takes_over_our_call_that_still_rings", LINPHONES, |stage| run(replaces(stage))),
        trial("linphone_takes_over_a_call_that_rings_at_linphone", LINPHONES, |stage| {
            run(between_linphones(stage))
        }),
    ]
}

/// Waits until it rings there.
async fn rings(call: &mut Call) -> Outcome {
    call_event(call, "ringing", |event| matches!(event, CallEvent::Ringing { .. })).await.map(drop)
}

/// Alice, by the proxy whose port is missing in what linphone refers to.
async fn alice(stage: &Stage, server: &Kamailio) -> Result<Ours, Failed> {
    let proxy = format!("sip:127.0.0.1:{};lr", server.port).parse()?;
    let by_proxy = |account: &mut AccountConfig| account.proxy = Some(proxy);
    Ours::start_with(stage, "alice", Some(server.port), |_| {}, by_proxy).await
}

/// Alice calls linphone, which answers, and is held.
async fn talks_to_linphone(alice: &Ours, bob: &mut Linphone) -> Result<Call, Failed> {
    let mut call = alice.account.call("bob", any_port()).await?;
    rings(&mut call).await?;
    bob.command("answer")?;
    established(&mut call).await?;
    within("hold", call.hold()).await??;
    Ok(call)
}

const fn done(event: &CallEvent) -> bool {
    matches!(event, CallEvent::Transfer(ReferProgress::Done(StatusCode::OK)))
}

async fn to_baresip(stage: &Stage) -> Outcome {
    let server = Kamailio::start(stage)?;
    let mut bob = Linphone::start(stage, "bob", server.port)?;
    let by_hand = More { rings: true, ..More::default() };
    let mut carol = Baresip::start_more(&by_hand, stage, "carol", server.port, &Microphone::Tone(600.0))?;
    let alice = alice(stage, &server).await?;
    server.wait_until_known("bob")?;
    let mut call = talks_to_linphone(&alice, &mut bob).await?;
    let mut asking = alice.account.call("carol", any_port()).await?;
    rings(&mut asking).await?;
    carol.wait_for("CALL_INCOMING", SOON)?;
    asking.hangup().await?;
    carol.wait_for("CALL_CLOSED", SOON)?;
    ended(&mut asking).await?;
    let handle = call.handle();
    let transfer = tokio::spawn(async move { within("transfer", handle.transfer("carol")).await });
    carol.wait_for("CALL_INCOMING", SOON)?;
    carol.command("accept", "")?;
    carol.wait_for("CALL_ESTABLISHED", SOON)?;
    transfer.await???;
    call_event(&mut call, "end of the transfer", done).await?;
    ended(&mut call).await?;
    // Or it would say it in the call with Alice.
    bob.wait_for_line(" ended (")?;
    bob.speak()?;
    expect_heard("linphone", &bob.hears(3)?, 600.0)?;
    bob.command("terminate")?;
    carol.wait_for("CALL_CLOSED", SOON)?;
    let heard_by_carol = carol.recording()?;
    carol.quit()?;
    expect_heard("baresip", &read_wav(&heard_by_carol)?, 1000.0)?;
    drop(bob);
    alice.end().await
}

async fn to_linphone(stage: &Stage) -> Outcome {
    let server = Kamailio::start(stage)?;
    let bob = Baresip::start(stage, "bob", server.port, &Microphone::Tone(600.0))?;
    let mut carol = Linphone::start(stage, "carol", server.port)?;
    let alice = Ours::start(stage, "alice", Some(server.port)).await?;
    server.wait_until_known("carol")?;
    let mut call = alice.call("bob", any_port()).await?;
    let mut asking = alice.account.call("carol", any_port()).await?;
    rings(&mut asking).await?;
    asking.hangup().await?;
    ended(&mut asking).await?;
    carol.wait_for_line(" ended (")?;
    let handle = call.handle();
    let transfer = tokio::spawn(async move { within("transfer", handle.transfer("carol")).await });
    carol.wait_for_line("Receiving new incoming call from sip:bob@")?;
    carol.command("answer")?;
    transfer.await???;
    call_event(&mut call, "end of the transfer", done).await?;
    ended(&mut call).await?;
    carol.speak()?;
    expect_heard("linphone", &carol.hears(3)?, 600.0)?;
    carol.command("terminate")?;
    drop(carol);
    bob.quit()?;
    alice.end().await
}

/// Who rings is ours, and lets it be taken, which RFC 3891 does not want.
async fn replaces(stage: &Stage) -> Outcome {
    let server = Kamailio::start(stage)?;
    let mut bob = Linphone::start(stage, "bob", server.port)?;
    let alice = alice(stage, &server).await?;
    let milder = |config: &mut AgentConfig| config.replace_ringing = true;
    let mut carol = Ours::start_with(stage, "carol", Some(server.port), milder, |_| {}).await?;
    server.wait_until_known("bob")?;
    let mut call = talks_to_linphone(&alice, &mut bob).await?;
    let mut asking = alice.account.call("carol", any_port()).await?;
    let ringing = carol.incoming().await?;
    ringing.ring().await?;
    rings(&mut asking).await?;
    let (handle, consultation) = (call.handle(), asking.handle());
    let (port, mut carol_hears) = tone_port(LOW, HIGH);
    let (transfer, answered) = tokio::join!(within("transfer", handle.transfer_to(&consultation)), async {
        let incoming = carol.incoming().await?;
        check(incoming.replaces() == Some(ringing.id()), "the call that is taken over")?;
        let mut call = incoming.answer(port).await?;
        established(&mut call).await?;
        Ok::<_, Failed>(call)
    });
    let mut answered = answered?;
    transfer??;
    ended(&mut asking).await?;
    ended(&mut call).await?;
    // Or it would say it in the call with Alice.
    bob.wait_for_line(" ended (")?;
    bob.speak()?;
    carol_hears.tone().await?;
    expect_heard("linphone", &bob.hears(3)?, 400.0)?;
    answered.hangup().await?;
    ended(&mut answered).await?;
    drop(bob);
    alice.end().await?;
    carol.end().await
}

/// linphone lets a call that rings be taken over, which RFC 3891 does not want: both others are linphones.
async fn between_linphones(stage: &Stage) -> Outcome {
    let server = Kamailio::start(stage)?;
    let mut bob = Linphone::start(stage, "bob", server.port)?;
    let mut carol = Linphone::start(stage, "carol", server.port)?;
    let alice = alice(stage, &server).await?;
    server.wait_until_known("bob")?;
    server.wait_until_known("carol")?;
    let mut call = talks_to_linphone(&alice, &mut bob).await?;
    let mut asking = alice.account.call("carol", any_port()).await?;
    rings(&mut asking).await?;
    carol.wait_for_line("Receiving new incoming call from sip:alice@")?;
    let (handle, consultation) = (call.handle(), asking.handle());
    let transfer = tokio::spawn(async move { within("transfer", handle.transfer_to(&consultation)).await });
    carol.wait_for_line("Receiving new incoming call from sip:bob@")?;
    carol.command("answer 2")?;
    transfer.await???;
    ended(&mut asking).await?;
    ended(&mut call).await?;
    // Or it would say it in the call with Alice.
    bob.wait_for_line(" ended (")?;
    bob.speak()?;
    hears_the_other(&mut carol)?;
    carol.speak()?;
    hears_the_other(&mut bob)?;
    bob.command("terminate")?;
    carol.wait_for_line(" ended (No error")?;
    drop((bob, carol));
    alice.end().await
}

/// Two linphones talk with the codec that they like best, at 8000, 16 000 or 48 000 samples a second, and so they record.
fn hears_the_other(linphone: &mut Linphone) -> Outcome {
    let samples = linphone.hears(8)?;
    let heard = |factor: f64| expect_heard("linphone", &samples, 1000.0 / factor);
    heard(1.0).or_else(|_| heard(2.0)).or_else(|_| heard(6.0))
}
