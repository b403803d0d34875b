//! The whole PBX on loopback, with phones of `sidetone_sip_ua`: sound goes through sockets and is measured.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "calls/bridged.rs"]
mod bridged;
#[path = "calls/plug_and_play.rs"]
mod plug_and_play;
#[path = "calls/services.rs"]
mod services;
#[path = "calls/shared.rs"]
mod shared;
#[path = "calls/states.rs"]
mod states;

use core::time::Duration;
use sidetone_hal::audio::{AudioFormat, AudioPort};
use sidetone_media::tone::{Generator, Goertzel, Part, Tone};
use sidetone_pbx::{Features, Pbx, PbxBuilder, PbxEvent, PbxEvents, PbxHandle, Prompt, Service};
use sidetone_sip_core::{Protocol, StatusCode};
use sidetone_sip_ua::{
    Account, AccountConfig, Call, CallEvent, EndCause, EndedBy, UserAgent, UserAgentEvent,
};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// The bound on every wait: far more than anything takes, so that it is met only when something hangs.
const BOUND: Duration = Duration::from_secs(60);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(BOUND, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen within {BOUND:?}"),
    }
}

/// Speaks a tone, and keeps what it hears.
struct Voice {
    generator: Generator,
    heard: Arc<Mutex<Vec<i16>>>,
    count: watch::Sender<usize>,
}

/// The ear of a [`Voice`].
struct Ear {
    heard: Arc<Mutex<Vec<i16>>>,
    count: watch::Receiver<usize>,
}

const LOW: Tone = Tone { parts: &[Part { hertz: &[700.0], millis: 0 }], once: false };
const HIGH: Tone = Tone { parts: &[Part { hertz: &[1300.0], millis: 0 }], once: false };

fn voice(tone: Tone) -> (Voice, Ear) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (count, counted) = watch::channel(0);
    let voice = Voice { generator: Generator::new(tone, 8000), heard: Arc::clone(&heard), count };
    (voice, Ear { heard, count: counted })
}

impl AudioPort for Voice {
    fn format(&self) -> AudioFormat {
        AudioFormat::NARROWBAND
    }
    fn read(&mut self, captured: &mut [i16]) {
        self.generator.fill(captured);
    }
    fn write(&mut self, playout: &[i16]) {
        let mut heard = self.heard.lock().unwrap();
        heard.extend_from_slice(playout);
        self.count.send_replace(heard.len());
    }
}

impl Ear {
    /// Waits until half a second in a row holds this tone and next to nothing else.
    async fn hears(&mut self, hertz: f32) {
        self.hears_after(0, hertz).await;
    }

    /// The same, of what is heard from now on.
    async fn hears_from_now(&mut self, hertz: f32) {
        let from = *self.count.borrow();
        self.hears_after(from, hertz).await;
    }

    /// Waits until two seconds in a row, from now on, are silent: with a beep before them, a message of that length is left.
    async fn hears_silence(&mut self) {
        const WINDOW: usize = 16_000;
        let mut from = *self.count.borrow();
        let silence = async {
            loop {
                self.count.wait_for(|count| *count >= from + WINDOW).await.unwrap();
                let heard = self.heard.lock().unwrap();
                let Some(last) =
                    heard[from..from + WINDOW].iter().rposition(|sample| sample.unsigned_abs() > 100)
                else {
                    return;
                };
                from += last + 1;
            }
        };
        soon("silence", silence).await;
    }

    async fn hears_after(&mut self, mut from: usize, hertz: f32) {
        const WINDOW: usize = 4000;
        let what = format!("hearing {hertz} Hz");
        let pure = async {
            loop {
                self.count.wait_for(|count| *count >= from + WINDOW).await.unwrap();
                let mut goertzel = Goertzel::new(8000, hertz);
                goertzel.add(&self.heard.lock().unwrap()[from..from + WINDOW]);
                if goertzel.share() > 0.95 && goertzel.level() > 1000.0 {
                    return;
                }
                from += WINDOW / 4;
            }
        };
        soon(&what, pure).await;
    }
}

struct Site {
    pbx: PbxHandle,
    events: PbxEvents,
}

impl Site {
    async fn new(change: impl FnOnce(PbxBuilder) -> PbxBuilder) -> Self {
        let any = "127.0.0.1:0".parse().unwrap();
        let builder = Pbx::builder().udp(any).tcp(any).user("alice", "a secret").user("bob", "b secret");
        let pbx = change(builder).start().await.unwrap();
        Self { events: pbx.events(), pbx }
    }

    /// A phone with a registered account.
    async fn phone(&self, user: &str, transport: Protocol) -> (UserAgent, Account) {
        let any = "127.0.0.1:0".parse().unwrap();
        let agent = UserAgent::builder().bind_udp(any).bind_tcp(any).build().await.unwrap();
        let registrar =
            if transport == Protocol::Tcp { self.pbx.tcp_addrs()[0] } else { self.pbx.udp_addrs()[0] };
        let config = AccountConfig::new(format!("sip:{user}@{registrar}").parse().unwrap())
            .with_password(&format!("{} secret", &user[..1]))
            .with_transport(transport);
        let account = agent.add_account(config).await.unwrap();
        soon("registration", account.registered()).await.unwrap();
        (agent, account)
    }

    async fn event(&mut self, what: &str, wanted: impl Fn(&PbxEvent) -> bool) -> PbxEvent {
        soon(what, async {
            loop {
                let event = self.events.next().await.expect("the PBX runs");
                if wanted(&event) {
                    return event;
                }
            }
        })
        .await
    }
}

async fn established(call: &mut Call) {
    soon("an answer", async {
        loop {
            match call.next_event().await {
                Some(CallEvent::Established) => return,
                Some(CallEvent::Ended(cause)) => panic!("{cause}"),
                Some(_) => {}
                None => panic!("no more events"),
            }
        }
    })
    .await;
}

async fn ended(call: &mut Call) -> EndCause {
    soon("the end of the call", async {
        loop {
            if let CallEvent::Ended(cause) = call.next_event().await.expect("a call tells its end") {
                return cause;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_echo_test_plays_back_what_it_hears() {
    let mut site = Site::new(|builder| builder).await;
    let (agent, account) = site.phone("alice", Protocol::Udp).await;
    let (voice, mut ear) = voice(LOW);
    let mut call = account.call("*43", voice).await.unwrap();
    established(&mut call).await;
    ear.hears(700.0).await;
    call.hangup().await.unwrap();
    assert_eq!(ended(&mut call).await.by, EndedBy::Local);
    site.event("the end", |event| matches!(event, PbxEvent::CallEnded { status: None, .. })).await;
    agent.shutdown().await;
    site.event("un-registration", |event| matches!(event, PbxEvent::Unregistered { expired: false, .. }))
        .await;
    site.pbx.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_is_played_once_and_then_the_pbx_hangs_up() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("prompt-calls.wav");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut samples = [0; 8000];
    Generator::new(HIGH, 8000).fill(&mut samples);
    let mut wav = hound::WavWriter::create(&path, spec).unwrap();
    samples.iter().for_each(|sample| wav.write_sample(*sample).unwrap());
    wav.finalize().unwrap();

    let prompt = Prompt::open(&path).unwrap();
    let site = Site::new(|builder| builder.extension("*44", Service::Prompt(prompt))).await;
    let (_agent, account) = site.phone("alice", Protocol::Tcp).await;
    let (voice, mut ear) = voice(LOW);
    let mut call = account.call("*44", voice).await.unwrap();
    established(&mut call).await;
    ear.hears(1300.0).await;
    assert_eq!(ended(&mut call).await.by, EndedBy::Remote);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_extension_answers_with_a_tone_and_one_only_rings() {
    let mut site = Site::new(|builder| builder).await;
    let (_agent, account) = site.phone("bob", Protocol::Udp).await;
    let (first, mut ear) = voice(HIGH);
    let mut call = account.call("600", first).await.unwrap();
    established(&mut call).await;
    ear.hears(440.0).await;
    call.hangup().await.unwrap();

    let (second, _ear) = voice(HIGH);
    let mut call = account.call("601", second).await.unwrap();
    let ringing = soon("ringing", call.next_event()).await;
    assert_eq!(ringing, Some(CallEvent::Ringing { early_media: false }));
    call.hangup().await.unwrap();
    assert_eq!(ended(&mut call).await.by, EndedBy::Local);
    let cancelled = |event: &PbxEvent| {
        matches!(event, PbxEvent::CallEnded { status: Some(StatusCode::REQUEST_TERMINATED), .. })
    };
    site.event("487", cancelled).await;

    let (third, _ear) = voice(HIGH);
    let mut call = account.call("999", third).await.unwrap();
    assert_eq!(ended(&mut call).await.status, Some(StatusCode::NOT_FOUND));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tcp_phone_and_a_udp_phone_hear_each_other() {
    let site = Site::new(|builder| builder).await;
    let (_alices, alice) = site.phone("alice", Protocol::Tcp).await;
    let (mut bobs, _bob) = site.phone("bob", Protocol::Udp).await;
    let (low, mut alices_ear) = voice(LOW);
    let (high, mut bobs_ear) = voice(HIGH);
    let mut outgoing = alice.call("bob", low).await.unwrap();
    let incoming = soon("an incoming call", async {
        loop {
            match bobs.next_event().await {
                Some(UserAgentEvent::Incoming(incoming)) => return incoming,
                Some(_) => {}
                None => panic!("no more events"),
            }
        }
    })
    .await;
    assert_eq!(incoming.from().uri.user().as_deref(), Some("alice"));
    incoming.ring().await.unwrap();
    let mut answered = incoming.answer(high).await.unwrap();
    established(&mut outgoing).await;
    alices_ear.hears(1300.0).await;
    bobs_ear.hears(700.0).await;
    answered.hangup().await.unwrap();
    assert_eq!(ended(&mut answered).await.by, EndedBy::Local);
    assert_eq!(ended(&mut outgoing).await.by, EndedBy::Remote);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutting_down_hangs_up_the_extensions_calls() {
    let site = Site::new(|builder| builder).await;
    let (_agent, account) = site.phone("alice", Protocol::Udp).await;
    let (voice, mut ear) = voice(LOW);
    let mut call = account.call("600", voice).await.unwrap();
    established(&mut call).await;
    ear.hears(440.0).await;
    soon("shutdown", site.pbx.shutdown()).await;
    assert_eq!(ended(&mut call).await.by, EndedBy::Remote);
}

/// The extensions' sound must come from the address at which the caller reaches the PBX, which the PBX has to find out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pbx_on_every_address_is_called_at_one() {
    let any = "0.0.0.0:0".parse().unwrap();
    let pbx = Pbx::builder().udp(any).tcp(any).user("alice", "a secret").start().await.unwrap();
    for (transport, bound) in [(Protocol::Udp, pbx.udp_addrs()[0]), (Protocol::Tcp, pbx.tcp_addrs()[0])] {
        let agent = UserAgent::builder().bind_udp("127.0.0.1:0".parse().unwrap()).build().await.unwrap();
        let config = AccountConfig::new(format!("sip:alice@127.0.0.1:{}", bound.port()).parse().unwrap())
            .with_password("a secret")
            .with_transport(transport);
        let account = agent.add_account(config).await.unwrap();
        soon("registration", account.registered()).await.unwrap();
        let (voice, mut ear) = voice(LOW);
        let mut call = account.call("*43", voice).await.unwrap();
        established(&mut call).await;
        ear.hears(700.0).await;
        soon("shutdown", agent.shutdown()).await;
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _keep = std::net::UdpSocket::bind(taken).unwrap();
    let error = Pbx::builder().udp(taken).start().await.unwrap_err();
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
}
