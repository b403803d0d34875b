//! A `UserAgent` in this process as our side of a trial: the library itself, not the phone's program.

use super::process::Log;
use super::{Outcome, SOON, Stage};
use core::future::Future;
use core::time::Duration;
use libtest_mimic::Failed;
use sidetone_hal::audio::{AudioFormat, AudioPort};
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_media::tone::{Generator, Goertzel, Part, Tone};
use sidetone_sip_core::StatusCode;
use sidetone_sip_core::header::ContentType;
use sidetone_sip_core::trace::{Direction, TapMessage};
use sidetone_sip_ua::{
    Account, AccountConfig, AgentConfig, Call, CallEvent, EndCause, Error, IncomingCall, IncomingRefer,
    IncomingSubscription, ReceivedRequest, Subscription, SubscriptionEvent, UserAgent, UserAgentEvent,
    Watcher, WatcherEvent,
};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// In this time an agent that has nothing left to do ends, on a busy machine too. What is left over stays for 32 s, which is
/// 64 times T1, or for good.
const IDLE: Duration = Duration::from_secs(20);

/// T1 and T2 where requests and responses are not to come again, nor a 100 to other requests than INVITE (RFC 4320 section
/// 4.1); otherwise they are 0.5 s and 4 s.
const PATIENT: (Duration, Duration) = (Duration::from_secs(4), Duration::from_secs(32));

/// Runs a trial of ours. The user agents have threads of their own, so that a trial may block on a peer.
pub(crate) fn run(trial: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(trial)
}

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> Result<T, Failed> {
    tokio::time::timeout(SOON, future).await.map_err(|_| format!("no {what} in {SOON:?}").into())
}

#[track_caller]
pub(crate) fn check(holds: bool, what: impl core::fmt::Display) -> Outcome {
    let place = core::panic::Location::caller();
    if holds { Ok(()) } else { Err(format!("{what} (line {})", place.line()).into()) }
}

pub(crate) const LOW: Tone = Tone { parts: &[Part { hertz: &[400.0], millis: 0 }], once: false };
pub(crate) const HIGH: Tone = Tone { parts: &[Part { hertz: &[1000.0], millis: 0 }], once: false };

/// What was heard in the last 100 ms.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    /// How much of it is the tone that is listened for.
    share: f32,
    /// Its peak.
    level: i16,
}

/// A sound device that plays one tone into the microphone and listens for another.
pub(crate) struct TonePort {
    microphone: Generator,
    expected: f32,
    window: Vec<i16>,
    heard: watch::Sender<Heard>,
}

/// What a [`TonePort`] hears.
pub(crate) struct Ear(watch::Receiver<Heard>);

pub(crate) fn tone_port(plays: Tone, expects: Tone) -> (TonePort, Ear) {
    let (heard, receiver) = watch::channel(Heard::default());
    let expected = expects.parts[0].hertz[0];
    let port = TonePort { microphone: Generator::new(plays, 8000), expected, window: Vec::new(), heard };
    (port, Ear(receiver))
}

/// A sound device of which nobody hears anything.
pub(crate) fn any_port() -> TonePort {
    tone_port(LOW, HIGH).0
}

impl Ear {
    pub(crate) async fn tone(&mut self) -> Outcome {
        within("tone", self.0.wait_for(|heard| heard.share > 0.95 && heard.level > 1000)).await??;
        Ok(())
    }

    /// From now on.
    pub(crate) async fn silence(&mut self) -> Outcome {
        self.0.mark_unchanged();
        within("silence", self.0.wait_for(|heard| heard.level < 20)).await??;
        Ok(())
    }
}

impl AudioPort for TonePort {
    fn format(&self) -> AudioFormat {
        AudioFormat::NARROWBAND
    }

    fn read(&mut self, captured: &mut [i16]) {
        self.microphone.fill(captured);
    }

    fn write(&mut self, playout: &[i16]) {
        self.window.extend_from_slice(playout);
        if self.window.len() >= 800 {
            let mut goertzel = Goertzel::new(8000, self.expected);
            goertzel.add(&self.window);
            let level = self.window.iter().map(|sample| sample.saturating_abs()).max().unwrap_or(0);
            self.heard.send_replace(Heard { share: goertzel.share(), level });
            self.window.clear();
        }
    }
}

/// A user agent of ours with one account.
pub(crate) struct Ours {
    pub(crate) agent: UserAgent,
    pub(crate) account: Account,
    pub(crate) address: SocketAddr,
    name: String,
    log: Arc<Log>,
}

impl Ours {
    /// `<name>` at the server on this port, registered with the password `<name>-secret`; or at home, without a server.
    pub(crate) async fn start(stage: &Stage, name: &str, server: Option<u16>) -> Result<Self, Failed> {
        Self::start_with(stage, name, server, |_| {}, |_| {}).await
    }

    /// The same with other settings.
    pub(crate) async fn start_with(
        stage: &Stage,
        name: &str,
        server: Option<u16>,
        agent: impl FnOnce(&mut AgentConfig),
        account: impl FnOnce(&mut AccountConfig),
    ) -> Result<Self, Failed> {
        let log = Log::new(&format!("our {name}"));
        stage.watch(Arc::clone(&log));
        let seen = Arc::clone(&log);
        let tap = move |message: &TapMessage<'_>| {
            let arrow = match message.direction {
                Direction::Sent => "->",
                Direction::Received => "<-",
            };
            seen.push(format!("{arrow} {}\n{}", message.remote, message.redacted()));
        };
        let mut config = AgentConfig::new(sidetone_sip_core::driver::seed());
        if server.is_none() {
            // What is directly at the other end loses nothing, but is slow at times: SIPp's scenarios take what comes twice
            // for what comes next.
            (config.endpoint.timers.t1, config.endpoint.timers.t2) = PATIENT;
        }
        agent(&mut config);
        let builder = UserAgent::builder().config(config).trace(tap);
        let agent = builder.bind_udp("127.0.0.1:0".parse()?).build().await?;
        let address = agent.local_addr(Protocol::Udp).ok_or("no UDP address")?;
        let mut config = match server {
            Some(port) => AccountConfig::parse(&format!("sip:{name}:{name}-secret@127.0.0.1:{port}"))?,
            None => AccountConfig::parse(&format!("sip:{name}@{address}"))?.without_registration(),
        };
        account(&mut config);
        let account = agent.add_account(config).await?;
        if server.is_some() {
            within("registration", account.registered()).await??;
        }
        Ok(Self { agent, account, address, name: name.to_owned(), log })
    }

    /// How it is called directly.
    pub(crate) fn uri(&self) -> String {
        format!("sip:{}@{}", self.name, self.address)
    }

    /// Waits until all that was sent to a user of the same server up to now has got there: what the server does one after the
    /// other, and so does the other side, is over when a text is answered, however.
    pub(crate) async fn has_reached(&self, user: &str) -> Outcome {
        match within("answer to a text", self.account.message(user, "Is all well?")).await? {
            Ok(_) | Err(Error::Refused(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// How many of its messages, both ways, have this in them. An arrow before the first line says which way.
    pub(crate) fn messages(&self, needle: &str) -> usize {
        self.log.count(needle)
    }

    /// The next event that is wanted; others are dropped, which refuses what they ask for.
    async fn next<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(UserAgentEvent) -> Option<T>,
    ) -> Result<T, Failed> {
        within(what, async {
            loop {
                let event = self.agent.next_event().await.ok_or("the agent ended")?;
                if let Some(found) = wanted(event) {
                    return Ok(found);
                }
            }
        })
        .await?
    }

    pub(crate) async fn incoming(&mut self) -> Result<IncomingCall, Failed> {
        let wanted = |event| match event {
            UserAgentEvent::Incoming(call) => Some(call),
            _ => None,
        };
        self.next("call", wanted).await
    }

    pub(crate) async fn referred(&mut self) -> Result<IncomingRefer, Failed> {
        let wanted = |event| match event {
            UserAgentEvent::Referred(refer) => Some(refer),
            _ => None,
        };
        self.next("REFER", wanted).await
    }

    pub(crate) async fn request(&mut self) -> Result<ReceivedRequest, Failed> {
        let wanted = |event| match event {
            UserAgentEvent::Request(request) => Some(request),
            _ => None,
        };
        self.next("request", wanted).await
    }

    pub(crate) async fn subscribed(&mut self) -> Result<IncomingSubscription, Failed> {
        let wanted = |event| match event {
            UserAgentEvent::Subscribe(subscription) => Some(subscription),
            _ => None,
        };
        self.next("SUBSCRIBE", wanted).await
    }

    /// Takes the next call at once, and waits until it is up.
    pub(crate) async fn answer(&mut self, port: TonePort) -> Result<Call, Failed> {
        let mut call = self.incoming().await?.answer(port).await?;
        established(&mut call).await?;
        Ok(call)
    }

    /// Calls, and waits until it is up.
    pub(crate) async fn call(&self, to: &str, port: TonePort) -> Result<Call, Failed> {
        let mut call = self.account.call(to, port).await?;
        established(&mut call).await?;
        Ok(call)
    }

    /// Is it as good as new? Another user agent calls it, hears it, is heard, and hangs up.
    pub(crate) async fn takes_a_clean_call(&mut self, stage: &Stage) -> Outcome {
        let caller = Self::start(stage, &format!("caller-of-{}", self.name), None).await?;
        let (theirs, mut caller_hears) = tone_port(LOW, HIGH);
        let mut call = caller.account.call(self.uri(), theirs).await?;
        let (ours, mut we_hear) = tone_port(HIGH, LOW);
        let mut answered = self.answer(ours).await?;
        established(&mut call).await?;
        caller_hears.tone().await?;
        we_hear.tone().await?;
        call.hangup().await?;
        ended(&mut answered).await?;
        ended(&mut call).await?;
        caller.end().await
    }

    /// Ends it: nothing may be left to wait for, no call, no subscription, no request.
    pub(crate) async fn end(self) -> Outcome {
        let begin = Instant::now();
        self.agent.shutdown_within(IDLE).await;
        let took = begin.elapsed();
        check(took < IDLE, format!("{} still had something to do {took:?} after its end", self.name))
    }
}

/// Waits for an event that is wanted; the call's end is an error, others are passed over.
pub(crate) async fn call_event(
    call: &mut Call,
    what: &str,
    mut wanted: impl FnMut(&CallEvent) -> bool,
) -> Result<CallEvent, Failed> {
    within(what, async {
        loop {
            match call.next_event().await {
                Some(event) if wanted(&event) => return Ok(event),
                Some(CallEvent::Ended(cause)) => return Err(format!("{cause} before {what}").into()),
                Some(_) => {}
                None => return Err(format!("the call was over before {what}").into()),
            }
        }
    })
    .await?
}

pub(crate) async fn established(call: &mut Call) -> Outcome {
    call_event(call, "answer", |event| *event == CallEvent::Established).await.map(drop)
}

pub(crate) async fn ended(call: &mut Call) -> Result<EndCause, Failed> {
    match call_event(call, "end", |event| matches!(event, CallEvent::Ended(_))).await? {
        CallEvent::Ended(cause) => Ok(cause),
        other => Err(format!("{other:?}").into()),
    }
}

/// Waits for an end with this status.
pub(crate) async fn ended_by(call: &mut Call, status: u16) -> Outcome {
    let cause = ended(call).await?;
    check(cause.status.map(StatusCode::code) == Some(status), format!("ended by {cause}, not by {status}"))
}

/// The next body that comes, with the Content-Type; changes of the state are passed over, its end is an error.
pub(crate) async fn notified(subscription: &mut Subscription) -> Result<(String, Vec<u8>), Failed> {
    within("NOTIFY", async {
        loop {
            match subscription.next_event().await {
                Some(SubscriptionEvent::Notify(request)) if !request.body.is_empty() => {
                    let kind = request.headers.get::<ContentType>();
                    let kind = kind.and_then(Result::ok).ok_or("a NOTIFY without a Content-Type")?;
                    return Ok((kind.to_string(), request.body.to_vec()));
                }
                Some(SubscriptionEvent::State(state @ sidetone_sip_ua::SubscriptionState::Ended { .. })) => {
                    return Err(format!("{state:?}").into());
                }
                Some(_) => {}
                None => return Err("the subscription was over".into()),
            }
        }
    })
    .await?
}

/// Waits until the other side has ended its subscription to us, and tells it the state once more.
pub(crate) async fn unsubscribed(watcher: &mut Watcher, kind: ContentType, body: String) -> Outcome {
    within("end of a subscription", async {
        while let Some(event) = watcher.next_event().await {
            match event {
                WatcherEvent::Refreshed(..) => watcher.notify(kind.clone(), body.clone()).await?,
                WatcherEvent::Ended(None) => return Ok(()),
                other => return Err(format!("{other:?}").into()),
            }
        }
        Err("the end of a subscription was not told".into())
    })
    .await?
}
