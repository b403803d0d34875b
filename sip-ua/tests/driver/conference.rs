//! Three user agents: one calls two others and joins the calls. Each is heard by both others, by its tone.

use sidetone_hal::audio::{AudioFormat, AudioPort};
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_media::tone::Goertzel;
use sidetone_sip_ua::{
    Account, AccountConfig, Call, CallEvent, CallHandle, Error, IncomingCall, UserAgent, UserAgentEvent,
};
use std::future::Future;
use std::time::Duration;
use tokio::sync::watch;

/// More than anything here takes on a busy machine; a failure, not a pause.
const BOUND: Duration = Duration::from_secs(60);
const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;
/// A tone for each, whole turns in 100 ms.
const HERTZ: [f64; 3] = [440.0, 650.0, 1030.0];
const PEAK: f64 = 6000.0;

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.unwrap_or_else(|_| panic!("no {what} within {BOUND:?}"))
}

/// The peaks of the three tones in the last 100 ms.
type Heard = [f32; 3];

/// Says one tone, or nothing, and measures all three.
struct Device {
    says: Option<usize>,
    at: u64,
    window: Vec<i16>,
    heard: watch::Sender<Heard>,
}

fn device(says: Option<usize>) -> (Device, watch::Receiver<Heard>) {
    let (heard, receiver) = watch::channel([0.0; 3]);
    (Device { says, at: 0, window: Vec::new(), heard }, receiver)
}

impl AudioPort for Device {
    fn format(&self) -> AudioFormat {
        AudioFormat::NARROWBAND
    }

    fn read(&mut self, captured: &mut [i16]) {
        captured.fill(0);
        let Some(hertz) = self.says.map(|who| HERTZ[who]) else { return };
        for sample in captured {
            let turn = self.at as f64 * hertz * std::f64::consts::TAU / 8000.0;
            *sample = (PEAK * turn.sin()) as i16;
            self.at += 1;
        }
    }

    fn write(&mut self, playout: &[i16]) {
        self.window.extend_from_slice(playout);
        if self.window.len() >= 800 {
            let level = |hertz: f64| {
                let mut goertzel = Goertzel::new(8000, hertz as f32);
                goertzel.add(&self.window);
                goertzel.level()
            };
            self.heard.send_replace(HERTZ.map(level));
            self.window.clear();
        }
    }
}

/// Waits until exactly these tones are heard.
async fn hears(who: &str, heard: &mut watch::Receiver<Heard>, tones: &[usize]) {
    heard.mark_unchanged();
    let matches = |heard: &Heard| {
        heard.iter().enumerate().all(|(tone, level)| {
            if tones.contains(&tone) { (4500.0..7500.0).contains(level) } else { *level < 200.0 }
        })
    };
    let what = format!("{tones:?} at {who}");
    within(&what, heard.wait_for(matches)).await.unwrap();
}

async fn agent(name: &str) -> (UserAgent, Account, String) {
    let local: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let agent = UserAgent::builder().bind_udp(local).build().await.unwrap();
    let address = agent.local_addr(Protocol::Udp).unwrap();
    let config = AccountConfig::parse(&format!("sip:{name}@{address}")).unwrap();
    let account = agent.add_account(config.without_registration()).await.unwrap();
    (agent, account, format!("sip:{name}@{address}"))
}

async fn incoming(agent: &mut UserAgent) -> IncomingCall {
    loop {
        if let UserAgentEvent::Incoming(call) = within("call", agent.next_event()).await.expect("it runs") {
            return call;
        }
    }
}

async fn established(call: &mut Call) {
    while within("answer", call.next_event()).await != Some(CallEvent::Established) {}
}

/// Alice calls; the other side answers with its device.
async fn call(
    account: &Account,
    (other, target): (&mut UserAgent, &str),
    devices: (Device, Device),
) -> (Call, Call) {
    let mut call = account.call(target, devices.0).await.unwrap();
    let answered = incoming(other).await.answer(devices.1).await.unwrap();
    established(&mut call).await;
    (call, answered)
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hear_each_other_and_part_again() {
    let (alice, account, _) = agent("alice").await;
    let (mut bob, _bob_account, bob_target) = agent("bob").await;
    let (mut carol, _carol_account, carol_target) = agent("carol").await;
    // As on a phone: the person is at one call, the other one is silent.
    let (microphone, mut alice_hears) = device(Some(ALICE));
    let (silent, mut other_port) = device(None);
    let (at_bob, mut bob_hears) = device(Some(BOB));
    let (at_carol, mut carol_hears) = device(Some(CAROL));
    let (to_bob, _at_bob) = call(&account, (&mut bob, &bob_target), (microphone, at_bob)).await;
    let (to_carol, at_carol) = call(&account, (&mut carol, &carol_target), (silent, at_carol)).await;
    hears("alice", &mut alice_hears, &[BOB]).await;
    hears("carol", &mut carol_hears, &[]).await;

    let calls: [&CallHandle; 2] = [&to_bob, &to_carol];
    let conference = alice.conference(calls).await.unwrap();
    hears("alice", &mut alice_hears, &[BOB, CAROL]).await;
    hears("bob", &mut bob_hears, &[ALICE, CAROL]).await;
    hears("carol", &mut carol_hears, &[ALICE, BOB]).await;
    hears("the other port", &mut other_port, &[BOB, CAROL]).await;
    let members = conference.members().await.unwrap();
    assert_eq!(members.len(), 2);
    assert!(members.iter().all(|(_, meter)| (-20.0..-15.0).contains(&meter.smoothed)), "{members:?}");

    conference.set_muted(to_carol.id(), true).await.unwrap();
    hears("bob", &mut bob_hears, &[ALICE]).await;
    hears("carol", &mut carol_hears, &[ALICE, BOB]).await;
    conference.set_muted(to_carol.id(), false).await.unwrap();
    hears("bob", &mut bob_hears, &[ALICE, CAROL]).await;

    conference.leave(to_carol.id()).await.unwrap();
    hears("alice", &mut alice_hears, &[BOB]).await;
    hears("the other port", &mut other_port, &[CAROL]).await;
    hears("carol", &mut carol_hears, &[]).await;
    assert!(matches!(conference.leave(to_carol.id()).await, Err(Error::Command(_))));
    conference.join(&to_carol).await.unwrap();
    assert!(matches!(conference.join(&to_carol).await, Err(Error::Command(_))), "it is there already");
    hears("carol", &mut carol_hears, &[ALICE, BOB]).await;

    // Who hangs up is gone from the conference; the others talk on.
    at_carol.hangup().await.unwrap();
    hears("bob", &mut bob_hears, &[ALICE]).await;
    hears("alice", &mut alice_hears, &[BOB]).await;
    conference.end().await.unwrap();
    hears("bob", &mut bob_hears, &[ALICE]).await;
    hears("alice", &mut alice_hears, &[BOB]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_conference_parts_it_and_a_call_without_audio_cannot_join() {
    let (alice, account, _) = agent("alice").await;
    let (mut bob, _bob_account, bob_target) = agent("bob").await;
    let (carol, _carol_account, carol_target) = agent("carol").await;
    let (microphone, mut alice_hears) = device(Some(ALICE));
    let (at_bob, mut bob_hears) = device(Some(BOB));
    let (to_bob, _at_bob) = call(&account, (&mut bob, &bob_target), (microphone, at_bob)).await;
    let ringing = account.call(&*carol_target, device(None).0).await.unwrap();
    let calls: [&CallHandle; 2] = [&to_bob, &ringing];
    assert!(matches!(alice.conference(calls).await, Err(Error::NoMedia)));
    hears("alice", &mut alice_hears, &[BOB]).await;
    let calls: [&CallHandle; 1] = [&to_bob];
    let conference = alice.conference(calls).await.unwrap();
    hears("bob", &mut bob_hears, &[ALICE]).await;
    conference.end().await.unwrap();
    drop(carol);

    // Another microphone in the middle of a call.
    let (other, mut other_hears) = device(Some(CAROL));
    let before = to_bob.set_audio(other).await.unwrap();
    hears("bob", &mut bob_hears, &[CAROL]).await;
    hears("the new port", &mut other_hears, &[BOB]).await;
    to_bob.set_audio(before).await.unwrap();
    hears("bob", &mut bob_hears, &[ALICE]).await;

    drop(alice.conference(calls).await.unwrap());
    hears("bob", &mut bob_hears, &[ALICE]).await;
    hears("alice", &mut alice_hears, &[BOB]).await;
}
