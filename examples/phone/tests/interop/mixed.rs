//! baresip, linphone and Kamailio together with the library: lamps of calls between programs that others wrote, a pick-up
//! of what rings there, our forward followed by a proxy, a conference that we mix of both, and a published presence.

use crate::peers::agent::{
    Ear, HIGH, LOW, Ours, TonePort, any_port, call_event, check, ended, established, run, tone_port, within,
};
use crate::peers::baresip::{Baresip, Microphone};
use crate::peers::kamailio::Kamailio;
use crate::peers::linphone::Linphone;
use crate::peers::sound::{RATE, growing, read_wav, share_at};
use crate::peers::{
    BARESIP, KAMAILIO, KAMAILIO_PRESENCE, LINPHONE, Needs, Outcome, SOON, Stage, WAITING, trial,
    trial_with_share,
};
use core::time::Duration;
use libtest_mimic::{Failed, Trial};
use sidetone_media::sdp::HoldStyle;
use sidetone_media::tone::{Part, Tone};
use sidetone_sip_core::Headers;
use sidetone_sip_core::header::CSeq;
use sidetone_sip_ua::package::blf::BlfState;
use sidetone_sip_ua::package::presence::{self, Presence, PresenceState};
use sidetone_sip_ua::{
    AccountConfig, AudioConfig, Call, CallEvent, CallRequest, SubscribeRequest, SubscriptionEvent,
    WatchedExtension,
};
use std::path::Path;

/// What baresip's microphone hears in a conference; linphone's hears 1000 Hz.
const BARESIP_HZ: f64 = 600.0;
const LINPHONE_HZ: f64 = 1000.0;
const MIDDLE: Tone = Tone { parts: &[Part { hertz: &[600.0], millis: 0 }], once: false };
const SILENCE: Tone = Tone { parts: &[Part { hertz: &[], millis: 0 }], once: false };

pub(crate) fn trials() -> Vec<Trial> {
    const LAMPS: &[Needs] = &[KAMAILIO, KAMAILIO_PRESENCE, BARESIP, LINPHONE];
    const PRESENCE: &[Needs] = &[KAMAILIO, KAMAILIO_PRESENCE, LINPHONE];
    vec![
        trial_with_share(WAITING, "lamps_follow_a_call_of_baresip_to_linphone", LAMPS, |stage| {
            run(lamps(stage))
        }),
        trial_with_share(WAITING, "a_call_that_rings_at_linphone_is_picked_up", PRESENCE, |stage| {
            run(pickup(stage))
        }),
        trial_with_share(WAITING, "linphone_publishes_and_we_watch", PRESENCE, |stage| {
            run(linphone_presence(stage))
        }),
        trial("kamailio_follows_our_forward_for_baresip", &[KAMAILIO, BARESIP], |stage| {
            run(forwarded(stage))
        }),
        trial("linphone_is_held_by_either_style", &[KAMAILIO, LINPHONE], |stage| run(held(stage))),
        trial("we_mix_a_conference_of_baresip_and_linphone", &[KAMAILIO, BARESIP, LINPHONE], |stage| {
            run(conference(stage))
        }),
    ]
}

/// Waits until the lamp shows what is wanted.
async fn shows(
    lamp: &mut WatchedExtension,
    what: &str,
    wanted: impl Fn(&BlfState) -> bool,
) -> Result<BlfState, Failed> {
    within(what, async {
        loop {
            let state = lamp.changed().await.ok_or("the subscription is over")?;
            if wanted(&state) {
                return Ok(state);
            }
        }
    })
    .await?
}

fn peer(state: &BlfState) -> Option<String> {
    state.peer().map(|peer| peer.number().into_owned())
}

const fn is_busy(state: &BlfState) -> bool {
    matches!(state, BlfState::Busy(_))
}

/// Neither end of the call is ours; Kamailio tells of what it proxies.
async fn lamps(stage: &Stage) -> Outcome {
    let server = Kamailio::start_presence(stage)?;
    let alice = Ours::start(stage, "alice", Some(server.port)).await?;
    let mut bob = Baresip::start(stage, "bob", server.port, &Microphone::Tone(BARESIP_HZ))?;
    let mut carol = Linphone::start(stage, "carol", server.port)?;
    server.wait_until_known("carol")?;
    let (mut of_bob, mut of_carol) = (alice.account.watch("bob").await?, alice.account.watch("carol").await?);
    bob.dial(&format!("sip:carol@127.0.0.1:{}", server.port))?;
    let rings = |state: &BlfState| matches!(state, BlfState::Ringing(_));
    let state = shows(&mut of_carol, "ringing lamp of linphone", rings).await?;
    check(peer(&state).as_deref() == Some("bob"), format!("{state:?}"))?;
    carol.command("answer")?;
    let state = shows(&mut of_carol, "busy lamp of linphone", is_busy).await?;
    check(peer(&state).as_deref() == Some("bob"), format!("{state:?}"))?;
    let state = shows(&mut of_bob, "busy lamp of baresip", is_busy).await?;
    check(peer(&state).as_deref() == Some("carol"), format!("{state:?}"))?;
    carol.command("terminate")?;
    shows(&mut of_carol, "idle lamp of linphone", |state| *state == BlfState::Idle).await?;
    shows(&mut of_bob, "idle lamp of baresip", |state| *state == BlfState::Idle).await?;
    drop((of_bob, of_carol));
    alice.end().await
}

/// Alice calls Bob, a linphone that rings; Carol takes the call by Replaces, from what Kamailio tells of it.
async fn pickup(stage: &Stage) -> Outcome {
    let server = Kamailio::start_presence(stage)?;
    let mut alice = Ours::start(stage, "alice", Some(server.port)).await?;
    let carol = Ours::start(stage, "carol", Some(server.port)).await?;
    let mut bob = Linphone::start(stage, "bob", server.port)?;
    server.wait_until_known("bob")?;
    let mut lamp = carol.account.watch("bob").await?;
    let mut call = alice.account.call("bob", any_port()).await?;
    call_event(&mut call, "ringing", |event| matches!(event, CallEvent::Ringing { .. })).await?;
    let rings = |state: &BlfState| matches!(state, BlfState::Ringing(_));
    let BlfState::Ringing(ringing) = shows(&mut lamp, "ringing lamp", rings).await? else {
        return Err("not ringing".into());
    };
    let (Some(target), Some(replaces)) = (ringing.pickup.target, ringing.pickup.replaces) else {
        return Err("nothing to pick up by".into());
    };
    let mut headers = Headers::new();
    headers.push(&replaces);
    let (port, mut carol_hears) = tone_port(LOW, HIGH);
    let mut picked = carol.account.call_with(CallRequest::new(target).with_headers(headers), port).await?;
    let taken = alice.incoming().await?;
    check(taken.replaces() == Some(call.id()), "the call that is replaced")?;
    let (port, mut alice_hears) = tone_port(HIGH, LOW);
    let mut taken = taken.answer(port).await?;
    established(&mut picked).await?;
    carol_hears.tone().await?;
    alice_hears.tone().await?;
    // It rings no more at linphone.
    bob.wait_for_line(" ended (")?;
    ended(&mut call).await?;
    shows(&mut lamp, "idle lamp", |state| *state == BlfState::Idle).await?;
    picked.hangup().await?;
    ended(&mut taken).await?;
    ended(&mut picked).await?;
    drop(lamp);
    alice.end().await?;
    carol.end().await
}

async fn linphone_presence(stage: &Stage) -> Outcome {
    let server = Kamailio::start_presence(stage)?;
    let alice = Ours::start(stage, "alice", Some(server.port)).await?;
    let to = format!("sip:bob@127.0.0.1:{}", server.port).parse()?;
    let request = SubscribeRequest::new(to, presence::EVENT.parse()?).accepting(presence::CONTENT_TYPE);
    let mut subscription = alice.account.subscribe(request).await?;
    let _bob = Linphone::start_publishing(stage, "bob", server.port)?;
    within("presence of linphone", async {
        loop {
            let event = subscription.next_event().await.ok_or("the subscription is over")?;
            let SubscriptionEvent::Notify(request) = event else { continue };
            if !request.body.is_empty() && Presence::parse(&request.body)?.state() == PresenceState::Online {
                return Ok::<_, Failed>(());
            }
        }
    })
    .await??;
    drop(subscription);
    alice.end().await
}

/// Our 302 goes no further than Kamailio, whose failure route follows it: baresip's INVITE is the one that Carol gets.
async fn forwarded(stage: &Stage) -> Outcome {
    let server = Kamailio::start_following(stage)?;
    let mut alice = Ours::start(stage, "alice", Some(server.port)).await?;
    let mut carol = Ours::start(stage, "carol", Some(server.port)).await?;
    let mut bob = Baresip::start(stage, "bob", server.port, &Microphone::Tone(1000.0))?;
    bob.dial(&format!("sip:alice@127.0.0.1:{}", server.port))?;
    let first = alice.incoming().await?;
    let number = first.headers().get::<CSeq>().and_then(Result::ok);
    first.redirect(carol.account.aor().clone()).await?;
    let second = carol.incoming().await?;
    check(number.is_some(), "a CSeq")?;
    check(second.headers().get::<CSeq>().and_then(Result::ok) == number, "baresip did not call anew")?;
    check(second.from().uri.user().as_deref() == Some("bob"), "who calls Carol")?;
    let (port, mut carol_hears) = tone_port(LOW, HIGH);
    let mut call = second.answer(port).await?;
    established(&mut call).await?;
    bob.wait_for("CALL_ESTABLISHED", SOON)?;
    carol_hears.tone().await?;
    call.hangup().await?;
    ended(&mut call).await?;
    bob.wait_for("CALL_CLOSED", SOON)?;
    alice.end().await?;
    carol.end().await
}

/// By the direction (RFC 3264), and by the address 0.0.0.0 (RFC 2543), which old equipment has.
async fn held(stage: &Stage) -> Outcome {
    let server = Kamailio::start(stage)?;
    let mut bob = Linphone::start(stage, "bob", server.port)?;
    server.wait_until_known("bob")?;
    for (name, style) in [("alice", HoldStyle::Direction), ("dave", HoldStyle::ZeroAddress)] {
        let by_style = |account: &mut AccountConfig| {
            let mut audio = AudioConfig::default();
            audio.description.hold_style = style;
            account.audio = Some(audio);
        };
        let ours = Ours::start_with(stage, name, Some(server.port), |_| {}, by_style).await?;
        let (port, mut we_hear) = tone_port(LOW, HIGH);
        let mut call = called(&ours, &mut bob, port).await?;
        bob.speak()?;
        we_hear.tone().await?;
        within("hold", call.hold()).await??;
        bob.wait_for_line("has been paused by")?;
        we_hear.silence().await?;
        let by_address = ours.messages("c=IN IP4 0.0.0.0") > 0;
        check(by_address == (style == HoldStyle::ZeroAddress), "the style of hold")?;
        within("resume", call.resume()).await??;
        we_hear.tone().await?;
        call.hangup().await?;
        ended(&mut call).await?;
        ours.end().await?;
    }
    Ok(())
}

/// One of ours calls linphone, which answers.
async fn called(ours: &Ours, bob: &mut Linphone, port: TonePort) -> Result<Call, Failed> {
    let mut call = ours.account.call("bob", port).await?;
    call_event(&mut call, "ringing", |event| matches!(event, CallEvent::Ringing { .. })).await?;
    bob.command("answer")?;
    established(&mut call).await?;
    // Until it has our ACK it can do nothing in the call.
    ours.has_reached("bob").await?;
    Ok(call)
}

/// Alice says nothing: what baresip and linphone hear is each other.
async fn conference(stage: &Stage) -> Outcome {
    let server = Kamailio::start(stage)?;
    let alice = Ours::start(stage, "alice", Some(server.port)).await?;
    let mut carol = Baresip::start(stage, "carol", server.port, &Microphone::Tone(BARESIP_HZ))?;
    let mut bob = Linphone::start(stage, "bob", server.port)?;
    server.wait_until_known("bob")?;
    let (port, mut hears_baresip): (TonePort, Ear) = tone_port(SILENCE, MIDDLE);
    let mut of_carol = alice.call("carol", port).await?;
    hears_baresip.tone().await?;
    let mut of_bob = called(&alice, &mut bob, tone_port(SILENCE, MIDDLE).0).await?;
    let handles = [of_carol.handle(), of_bob.handle()];
    let conference = alice.agent.conference(&handles).await?;
    bob.speak()?;
    let heard_by_bob = stage.path("heard-by-linphone.wav");
    bob.command(&format!("record {}", heard_by_bob.display()))?;
    // Whatever the machine is busy with.
    let heard_by_carol = carol.recording()?;
    within("recordings", async {
        let mut turn = tokio::time::interval(Duration::from_millis(100));
        loop {
            let (_, baresip) = growing(&heard_by_carol).unwrap_or_default();
            let linphone = of_linphone(&heard_by_bob).unwrap_or_default();
            if seconds_of(&baresip, LINPHONE_HZ) > 1.2 && seconds_of(&linphone, BARESIP_HZ) > 1.2 {
                return;
            }
            turn.tick().await;
        }
    })
    .await?;
    conference.end().await?;
    for call in [&mut of_carol, &mut of_bob] {
        call.hangup().await?;
        ended(call).await?;
    }
    carol.wait_for("CALL_CLOSED", SOON)?;
    carol.quit()?;
    drop(bob);
    hears("baresip", &read_wav(&heard_by_carol)?, LINPHONE_HZ)?;
    hears("linphone", &of_linphone(&heard_by_bob).ok_or("no recording of linphone")?, BARESIP_HZ)?;
    alice.end().await
}

/// Its header counts itself among the data, which no reader likes: 16-bit samples at 8000 Hz follow 44 octets.
fn of_linphone(path: &Path) -> Option<Vec<i16>> {
    let recorded = std::fs::read(path).ok()?;
    let samples = recorded.get(44..)?.as_chunks::<2>().0.iter();
    Some(samples.map(|sample| i16::from_le_bytes(*sample)).collect())
}

/// How many seconds of a recording are the tone, nearly alone.
fn seconds_of(samples: &[i16], hertz: f64) -> f64 {
    let with_tone = samples.chunks_exact(RATE as usize / 10).filter(|part| share_at(part, RATE, hertz) > 0.8);
    with_tone.count() as f64 / 10.0
}

/// Whether a recording has a second of the tone at least, nearly alone.
fn hears(who: &str, samples: &[i16], hertz: f64) -> Outcome {
    let seconds = seconds_of(samples, hertz);
    println!("{who}: {seconds} s of {hertz} Hz in {} samples", samples.len());
    check(seconds >= 1.0, format!("{who} heard {seconds} s of {hertz} Hz"))
}
