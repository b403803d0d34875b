//! Two user agents over 127.0.0.1 whose accounts want different things of a call: what is agreed on, and what is refused
//! before anybody is rung. Every wait is for an event, with a bound.

use sidetone_codecs::{CodecSpec, pcma, pcmu};
use sidetone_hal::audio::{AudioFormat, AudioPort};
use sidetone_hal::net::Protocol;
use sidetone_media::sdp::HoldStyle;
use sidetone_media::srtp::SrtpPolicy;
use sidetone_sip_core::StatusCode;
use sidetone_sip_core::trace::{Direction, TapMessage};
use sidetone_sip_ua::{
    Account, AccountConfig, AudioConfig, Call, CallEvent, EndCause, EndedBy, UserAgent, UserAgentEvent,
};
use std::future::Future;
use std::time::Duration;
use tokio::sync::mpsc;

/// More than anything here takes on a busy machine; a failure, not a pause.
const BOUND: Duration = Duration::from_secs(60);

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.unwrap_or_else(|_| panic!("no {what} within {BOUND:?}"))
}

/// A sound device that is silent and hears nothing.
struct Silence;

impl AudioPort for Silence {
    fn format(&self) -> AudioFormat {
        AudioFormat::NARROWBAND
    }

    fn read(&mut self, captured: &mut [i16]) {
        captured.fill(0);
    }

    fn write(&mut self, _: &[i16]) {}
}

struct Phone {
    agent: UserAgent,
    account: Account,
    /// Every message that it sends.
    sent: mpsc::UnboundedReceiver<String>,
}

impl Phone {
    async fn new(name: &str, audio: AudioConfig) -> Self {
        let (sender, sent) = mpsc::unbounded_channel();
        let tap = move |message: &TapMessage<'_>| {
            if message.direction == Direction::Sent {
                // Nobody reads any more when the test is over.
                let _ = sender.send(String::from_utf8_lossy(message.bytes).into_owned());
            }
        };
        let address = "127.0.0.1:0".parse().unwrap();
        let agent = UserAgent::builder().bind_udp(address).trace(tap).build().await.unwrap();
        let address = agent.local_addr(Protocol::Udp).unwrap();
        let mut config = AccountConfig::parse(&format!("sip:{name}@{address}")).unwrap();
        config.audio = Some(audio);
        let account = agent.add_account(config.without_registration()).await.unwrap();
        Self { agent, account, sent }
    }

    async fn call(&self, other: &Self) -> Call {
        self.account.call(other.account.aor().to_string().as_str(), Silence).await.unwrap()
    }

    async fn answer(&mut self) -> Call {
        loop {
            if let Some(UserAgentEvent::Incoming(call)) = within("call", self.agent.next_event()).await {
                return call.answer(Silence).await.unwrap();
            }
        }
    }

    /// The next message sent that begins so.
    async fn message(&mut self, start: &str) -> String {
        loop {
            let message = within(start, self.sent.recv()).await.unwrap();
            if message.starts_with(start) {
                return message;
            }
        }
    }
}

fn audio(codecs: &[&'static CodecSpec]) -> AudioConfig {
    AudioConfig::with_codecs(codecs.iter().copied())
}

fn lines<'a>(message: &'a str, start: &str) -> Vec<&'a str> {
    message.lines().filter(|line| line.starts_with(start)).collect()
}

async fn established(call: &mut Call) {
    loop {
        match within("answer", call.next_event()).await {
            Some(CallEvent::Established) => return,
            Some(CallEvent::Ended(cause)) => panic!("{cause}"),
            Some(_) => {}
            None => panic!("no more events"),
        }
    }
}

async fn ended(call: &mut Call) -> EndCause {
    loop {
        if let CallEvent::Ended(cause) = within("end", call.next_event()).await.expect("an end") {
            return cause;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_account_has_its_own_codecs_packet_times_and_names() {
    let mut ours = audio(&[&pcma::SPEC]);
    (ours.description.ptime, ours.description.max_ptime) = (40, 60);
    ours.description.origin_user = "desk".into();
    let mut alice = Phone::new("alice", ours).await;
    let mut bob = Phone::new("bob", audio(&[&pcmu::SPEC, &pcma::SPEC])).await;
    let mut call = alice.call(&bob).await;
    let mut answered = bob.answer().await;
    established(&mut call).await;
    established(&mut answered).await;
    let invite = alice.message("INVITE").await;
    assert_eq!(
        lines(&invite, "a=ptime").concat() + lines(&invite, "a=maxptime")[0],
        "a=ptime:40a=maxptime:60"
    );
    assert!(lines(&invite, "o=desk ").len() == 1 && lines(&invite, "m=")[0].ends_with("RTP/AVP 8 101"));
    let ok = bob.message("SIP/2.0 200").await;
    assert!(lines(&ok, "m=")[0].ends_with("RTP/AVP 8 101"), "{ok}");
    call.hangup().await.unwrap();
    assert_eq!(ended(&mut answered).await.by, EndedBy::Remote);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_nobody_could_answer_rings_nowhere() {
    let alice = Phone::new("alice", audio(&[&pcma::SPEC])).await;
    let mut bob = Phone::new("bob", audio(&[&pcmu::SPEC])).await;
    let mut call = alice.call(&bob).await;
    let cause = ended(&mut call).await;
    assert_eq!((cause.by, cause.status), (EndedBy::Remote, Some(StatusCode::NOT_ACCEPTABLE_HERE)));
    let response = bob.message("SIP/2.0 488").await;
    let port = bob.agent.local_addr(Protocol::Udp).unwrap().port();
    let warning = format!(
        "Warning: 305 127.0.0.1:{port} \"no codec in common; the other side has PCMA/8000, telephone-event/8000\""
    );
    assert_eq!(lines(&response, "Warning:"), [warning]);
    // The next call is the first that is heard of.
    let mut carol = Phone::new("carol", audio(&[&pcmu::SPEC])).await;
    let mut call = carol.call(&bob).await;
    let answered = bob.answer().await;
    assert_eq!(answered.remote().uri.user().as_deref(), Some("carol"));
    established(&mut call).await;
    assert!(carol.message("INVITE").await.contains("RTP/AVP 0 101"));
}

#[tokio::test(flavor = "multi_thread")]
async fn encryption_is_agreed_on_by_the_accounts_policies() {
    let with = |policy| {
        let mut audio = audio(&[&pcmu::SPEC]);
        audio.srtp = policy;
        audio
    };
    let mut alice = Phone::new("alice", with(SrtpPolicy::Compulsory)).await;
    let mut bob = Phone::new("bob", with(SrtpPolicy::Optional)).await;
    let mut call = alice.call(&bob).await;
    let mut answered = bob.answer().await;
    established(&mut call).await;
    established(&mut answered).await;
    let invite = alice.message("INVITE").await;
    assert!(lines(&invite, "m=")[0].contains("RTP/SAVP") && lines(&invite, "a=crypto").len() == 2);
    let ok = bob.message("SIP/2.0 200").await;
    assert!(lines(&ok, "m=")[0].contains("RTP/SAVP") && lines(&ok, "a=crypto").len() == 1);

    let carol = Phone::new("carol", with(SrtpPolicy::Off)).await;
    let mut call = alice.call(&carol).await;
    assert_eq!(ended(&mut call).await.status, Some(StatusCode::NOT_ACCEPTABLE_HERE));
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_is_said_in_the_account_s_style() {
    let mut ours = audio(&[&pcmu::SPEC]);
    ours.description.hold_style = HoldStyle::ZeroAddress;
    let mut alice = Phone::new("alice", ours).await;
    let mut bob = Phone::new("bob", audio(&[&pcmu::SPEC])).await;
    let mut call = alice.call(&bob).await;
    let mut answered = bob.answer().await;
    established(&mut call).await;
    established(&mut answered).await;
    call.hold().await.unwrap();
    assert_eq!(within("hold", answered.next_event()).await, Some(CallEvent::RemoteHold));
    call.resume().await.unwrap();
    assert_eq!(within("resume", answered.next_event()).await, Some(CallEvent::RemoteResume));
    let connections =
        [alice.message("INVITE").await, alice.message("INVITE").await, alice.message("INVITE").await]
            .map(|invite| lines(&invite, "c=").concat());
    assert_eq!(connections, ["c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0", "c=IN IP4 127.0.0.1"]);
}
