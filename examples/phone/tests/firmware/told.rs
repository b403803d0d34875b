//! Lamps and mailboxes of our PBX: without a person, and at a desk.

use super::features::{BOUND, close, office_of};
use clap::Parser as _;
use core::time::Duration;
use serde_json::Value;
use sidetone_hal::audio::{AudioFormat, AudioPort};
use sidetone_hal::keypad::Key;
use sidetone_pbx::{Features, MemoryMailboxes, Pbx, PbxBuilder, PbxHandle, VoicemailConfig};
use sidetone_phone::cli::{Action, Cli};
use sidetone_phone::config::Config;
use sidetone_phone::headless::{self, Outcome};
use sidetone_sip_ua::{Account, AccountConfig, CallEvent, UserAgent, UserAgentEvent};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// What is said and heard in calls of these tests: nothing.
pub(crate) struct Silence;

impl AudioPort for Silence {
    fn format(&self) -> AudioFormat {
        AudioFormat::NARROWBAND
    }
    fn read(&mut self, captured: &mut [i16]) {
        captured.fill(0);
    }
    fn write(&mut self, _playout: &[i16]) {}
}

/// Somebody silent who waits for the end of a beep.
struct Beep {
    /// Frames of silence since the beep; none before it.
    silent: Option<u32>,
    over: watch::Sender<bool>,
}

impl AudioPort for Beep {
    fn format(&self) -> AudioFormat {
        AudioFormat::NARROWBAND
    }
    fn read(&mut self, captured: &mut [i16]) {
        captured.fill(0);
    }
    fn write(&mut self, playout: &[i16]) {
        match playout.iter().any(|sample| sample.unsigned_abs() > 200) {
            true => self.silent = Some(0),
            false => self.silent = self.silent.map(|frames| frames + 1),
        }
        // Half a second: longer than any hole that a busy machine leaves in the beep.
        self.over.send_replace(self.silent.is_some_and(|frames| frames > 50));
    }
}

/// Somebody who hums at 500 Hz.
#[derive(Default)]
pub(crate) struct Hum(usize);

impl AudioPort for Hum {
    fn format(&self) -> AudioFormat {
        AudioFormat::NARROWBAND
    }
    fn read(&mut self, captured: &mut [i16]) {
        for sample in captured {
            self.0 += 1;
            *sample = if self.0 % 16 < 8 { 6000 } else { -6000 };
        }
    }
    fn write(&mut self, _playout: &[i16]) {}
}

/// A script at the PBX that runs until it is stopped, and its lines as they come.
pub(crate) struct Script {
    task: JoinHandle<Outcome>,
    lines: mpsc::UnboundedReceiver<Value>,
    stop: watch::Sender<bool>,
}

impl Script {
    pub(crate) fn start(pbx: &PbxHandle, user: &str, action: &str) -> Self {
        let line = format!(
            "sidetone-phone --local-address 127.0.0.1 --local-port 0 --account sip:{user}:secret@{} --headless {action}",
            pbx.addr()
        );
        let cli = Cli::try_parse_from(line.split_ascii_whitespace()).and_then(Cli::check);
        let cli = cli.unwrap_or_else(|error| panic!("{line}: {error}"));
        let config = Config::load(&cli).expect("valid");
        let (out, lines) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            let action: Action = cli.action.expect("an action");
            let out =
                move |line: String| out.send(serde_json::from_str(&line).expect("JSON")).expect("heard");
            headless::run(&config, &action, None, stopped, out).await.expect("it starts")
        });
        Self { task, lines, stop }
    }

    /// Waits for a line that is so; those before it do not count.
    pub(crate) async fn tells(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut before = Vec::new();
        let told = async {
            loop {
                let line = self.lines.recv().await.expect("it runs");
                if wanted(&line) {
                    return line;
                }
                before.push(line);
            }
        };
        tokio::time::timeout(BOUND, told).await.unwrap_or_else(|_| panic!("no {what}: {before:?}"))
    }

    pub(crate) async fn end(self) -> Outcome {
        self.stop.send_replace(true);
        self.task.await.expect("no panic")
    }
}

fn builder() -> PbxBuilder {
    let mut config = VoicemailConfig::default();
    config.shortest = Duration::ZERO;
    let users = ["102", "103"].into_iter().fold(Pbx::builder(), |pbx, user| pbx.user(user, "secret"));
    users.voicemail("*98", "*97", config, MemoryMailboxes::new())
}

pub(crate) async fn server() -> PbxHandle {
    let any = "127.0.0.1:0".parse().expect("an address");
    builder().user("101", "secret").udp(any).tcp(any).start().await.expect("it starts")
}

/// A telephone of this user.
pub(crate) async fn caller(pbx: &PbxHandle, user: &str) -> (UserAgent, Account) {
    let any = "127.0.0.1:0".parse().expect("an address");
    let agent = UserAgent::builder().bind_udp(any).build().await.expect("sockets");
    caller_of(agent, pbx, user).await
}

/// The same with this user agent.
pub(crate) async fn caller_of(agent: UserAgent, pbx: &PbxHandle, user: &str) -> (UserAgent, Account) {
    let config = AccountConfig::parse(&format!("sip:{user}:secret@{}", pbx.addr())).expect("an account");
    let account = agent.add_account(config).await.expect("added");
    account.registered().await.expect("registered");
    (agent, account)
}

/// Somebody leaves a message for 101, who is not to be disturbed.
async fn leave_message(pbx: &PbxHandle, account: &Account) {
    let mut quiet = Features::default();
    quiet.do_not_disturb = true;
    pbx.set_features("101", quiet).await;
    let mut events = pbx.events();
    let (over, mut beep) = watch::channel(false);
    let mut call = account.call("101", Beep { silent: None, over }).await.expect("called");
    while !matches!(call.next_event().await.expect("answered"), CallEvent::Established) {}
    let beep = tokio::time::timeout(BOUND, beep.wait_for(|over| *over)).await;
    beep.expect("a beep").expect("the call is up");
    call.hangup().await.expect("hung up");
    let left = async {
        while !matches!(events.next().await.expect("it runs"), sidetone_pbx::PbxEvent::MessageLeft { .. }) {}
    };
    tokio::time::timeout(BOUND, left).await.expect("a message is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_watches_a_lamp_of_the_pbx() {
    let pbx = server().await;
    let (mut called, _account) = caller(&pbx, "102").await;
    let (_agent, account) = caller(&pbx, "103").await;
    let mut script = Script::start(&pbx, "101", "blf 102");
    let state =
        |wanted: &'static str| move |line: &Value| line["state"] == wanted && line["extension"] == "102";
    script.tells("idle", state("idle")).await;
    let mut call = account.call("102", Silence).await.expect("called");
    let incoming = loop {
        if let UserAgentEvent::Incoming(incoming) = called.next_event().await.expect("it runs") {
            break incoming;
        }
    };
    incoming.ring().await.expect("rings");
    let line = script.tells("ringing", state("ringing")).await;
    assert_eq!(line["peer"], "103");
    let mut answered = incoming.answer(Silence).await.expect("answered");
    let line = script.tells("busy", state("busy")).await;
    assert_eq!(line["peer"], "103");
    call.hangup().await.expect("hung up");
    script.tells("idle", state("idle")).await;
    while answered.next_event().await.is_some() {}
    while call.next_event().await.is_some() {}
    assert_eq!(script.end().await, Outcome::Done);
    pbx.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_is_told_why_a_lamp_is_not_shown() {
    let pbx = server().await;
    let mut script = Script::start(&pbx, "101", "blf 999");
    let line = script.tells("a refusal", |line| line["status"] == 404).await;
    assert_eq!(line["state"], "unknown");
    script.end().await;
    pbx.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_watches_a_mailbox_of_the_pbx() {
    let pbx = server().await;
    let (_agent, account) = caller(&pbx, "103").await;
    let mut script = Script::start(&pbx, "101", "mwi");
    let waits = |yes: bool, new: u32| move |line: &Value| line["waiting"] == yes && line["new"] == new;
    let first = script.tells("an empty mailbox", waits(false, 0)).await;
    assert_eq!(first["account"], format!("sip:101@{}", pbx.addr()));
    leave_message(&pbx, &account).await;
    script.tells("a message", waits(true, 1)).await;
    assert_eq!(script.end().await, Outcome::Done);
    pbx.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mailbox_lamp_of_a_desk_follows_the_pbx_and_its_key_hears_the_message() {
    let settings = "account.1.mwi = yes\naccount.1.voice_mail = *97\n";
    let (pbx, mut people) = office_of(builder(), 1, settings).await;
    let (_agent, account) = caller(&pbx, "103").await;
    leave_message(&pbx, &account).await;
    let desk = &mut people[0];
    desk.sees("1 new message").await;
    desk.shows("the lamp", |picture| picture.lamps.get("message").is_some_and(|lamp| lamp.color.is_some()))
        .await;
    desk.press(Key::Message).await;
    desk.sees("Talking").await;
    // What was listened to counts as old: the lamp goes out while the call lasts.
    desk.shows("no lamp", |picture| picture.lamps.get("message").is_some_and(|lamp| lamp.color.is_none()))
        .await;
    desk.press(Key::Cancel).await;
    close(pbx, people).await;
}
