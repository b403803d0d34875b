//! Two user agents call each other over 127.0.0.1, and listen to what arrives. Every wait is for an event, with a bound.

use sidetone_hal::audio::{AudioFormat, AudioPort};
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_media::tone::{Generator, Goertzel, Part, Tone};
use sidetone_sip_core::header::{Contact, HeaderName, WwwAuthenticate};
use sidetone_sip_core::locate::{Record, Srv, StaticOrder, StaticRecords};
use sidetone_sip_core::trace::{Direction, TapMessage};
use sidetone_sip_core::{Challenge, Limits, Message, StatusCode};
use sidetone_sip_ua::{
    Account, AccountConfig, Call, CallEvent, EndCause, EndedBy, Error, IncomingCall, LocateOptions,
    PublicAddress, RegistrationState, UserAgent, UserAgentEvent,
};
use std::future::Future;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

pub(crate) const LOW: Tone = Tone { parts: &[Part { hertz: &[400.0], millis: 0 }], once: false };
pub(crate) const HIGH: Tone = Tone { parts: &[Part { hertz: &[1000.0], millis: 0 }], once: false };
/// More than anything here takes on a busy machine; a failure, not a pause.
const BOUND: Duration = Duration::from_secs(60);

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.unwrap_or_else(|_| panic!("no {what} within {BOUND:?}"))
}

/// What was heard in the last 100 ms.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
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

impl TonePort {
    pub(crate) fn new(plays: Tone, expects: Tone) -> (Self, watch::Receiver<Heard>) {
        let (heard, receiver) = watch::channel(Heard::default());
        let expected = expects.parts[0].hertz[0];
        (Self { microphone: Generator::new(plays, 8000), expected, window: Vec::new(), heard }, receiver)
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

pub(crate) async fn tone(heard: &mut watch::Receiver<Heard>) {
    within("tone", heard.wait_for(|heard| heard.share > 0.95 && heard.level > 1000)).await.unwrap();
}

async fn silence(heard: &mut watch::Receiver<Heard>) {
    heard.mark_unchanged();
    within("silence", heard.wait_for(|heard| heard.level < 20)).await.unwrap();
}

pub(crate) fn localhost() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub(crate) async fn agent(name: &str, protocol: Protocol) -> (UserAgent, Account) {
    let builder = UserAgent::builder();
    let builder =
        if protocol == Protocol::Tcp { builder.bind_tcp(localhost()) } else { builder.bind_udp(localhost()) };
    let agent = builder.build().await.unwrap();
    let address = agent.local_addr(protocol).unwrap();
    let config = AccountConfig::parse(&format!("sip:{name}@{address}")).unwrap();
    let account = agent.add_account(config.with_transport(protocol).without_registration()).await.unwrap();
    (agent, account)
}

/// Two agents, of which the first can call the second.
async fn pair(protocol: Protocol) -> ((UserAgent, Account), (UserAgent, Account), String) {
    let (alice, bob) = (agent("alice", protocol).await, agent("bob", protocol).await);
    let target = format!("sip:bob@{}", bob.0.local_addr(protocol).unwrap());
    (alice, bob, target)
}

pub(crate) async fn incoming(agent: &mut UserAgent) -> IncomingCall {
    loop {
        if let UserAgentEvent::Incoming(call) =
            within("call", agent.next_event()).await.expect("the agent runs")
        {
            return call;
        }
    }
}

#[track_caller]
pub(crate) fn expect(call: &mut Call, wanted: CallEvent) -> impl Future<Output = ()> {
    let location = std::panic::Location::caller();
    async move {
        let event = within("call event", call.next_event()).await;
        assert_eq!(event, Some(wanted), "at {location}");
    }
}

pub(crate) async fn ended(call: &mut Call) -> EndCause {
    loop {
        match within("end", call.next_event()).await {
            Some(CallEvent::Ended(cause)) => return cause,
            Some(_) => {}
            None => panic!("the call's end was not told"),
        }
    }
}

async fn talk(protocol: Protocol) {
    let ((alice, account), (mut bob, bob_account), target) = pair(protocol).await;
    let (port, mut alice_hears) = TonePort::new(LOW, HIGH);
    let mut call = account.call(&target, port).await.unwrap();
    let waiting = incoming(&mut bob).await;
    assert_eq!(waiting.account(), Some(bob_account.id()));
    assert_eq!(waiting.from().uri.user().as_deref(), Some("alice"));
    waiting.ring().await.unwrap();
    expect(&mut call, CallEvent::Ringing { early_media: false }).await;
    let (port, mut bob_hears) = TonePort::new(HIGH, LOW);
    let mut answered = waiting.answer(port).await.unwrap();
    expect(&mut call, CallEvent::Established).await;
    expect(&mut answered, CallEvent::Established).await;
    tone(&mut alice_hears).await;
    tone(&mut bob_hears).await;

    call.send_dtmf("12#").await.unwrap();
    for digit in "12#".chars() {
        expect(&mut answered, CallEvent::Dtmf(digit)).await;
    }
    answered.send_dtmf("*0").await.unwrap();
    for digit in "*0".chars() {
        expect(&mut call, CallEvent::Dtmf(digit)).await;
    }
    assert!(matches!(call.send_dtmf("1x").await, Err(Error::Digit('x'))));

    call.hold().await.unwrap();
    expect(&mut call, CallEvent::Held).await;
    expect(&mut answered, CallEvent::RemoteHold).await;
    silence(&mut alice_hears).await;
    silence(&mut bob_hears).await;
    call.hold().await.unwrap();
    call.resume().await.unwrap();
    expect(&mut call, CallEvent::Resumed).await;
    expect(&mut answered, CallEvent::RemoteResume).await;
    tone(&mut alice_hears).await;
    tone(&mut bob_hears).await;

    let stats = call.stats().await.unwrap();
    assert_eq!(stats.codec.name, "PCMU");
    assert!(stats.packets_sent > 10 && stats.packets_received > 10, "{stats:?}");
    assert_eq!((stats.packets_lost, stats.packets_refused), (0, 0), "{stats:?}");

    answered.hangup().await.unwrap();
    assert_eq!(ended(&mut answered).await.by, EndedBy::Local);
    assert_eq!(ended(&mut call).await.by, EndedBy::Remote);
    assert_eq!(call.next_event().await, None);
    let last = call.stats().await.unwrap();
    assert!(last.packets_sent >= stats.packets_sent && last.packets_received >= stats.packets_received);
    assert_eq!(answered.stats().await.unwrap().codec.name, "PCMU");
    within("shut down", alice.shutdown()).await;
    within("shut down", bob.shutdown()).await;
    assert!(matches!(account.register().await, Err(Error::Closed)));
}

/// An agent that binds every address of this machine, with the session descriptions that it sends.
async fn described(
    name: &str,
    config: impl FnOnce(AccountConfig) -> AccountConfig,
) -> (UserAgent, Account, mpsc::UnboundedReceiver<String>) {
    let (sent, descriptions) = mpsc::unbounded_channel();
    let tap = move |message: &TapMessage<'_>| {
        let text = String::from_utf8_lossy(message.bytes);
        if message.direction == Direction::Sent
            && let Some(at) = text.find("v=0\r\n")
        {
            // Nobody reads any more when the test is over.
            let _ = sent.send(text[at..].to_owned());
        }
    };
    let agent = UserAgent::builder().bind_udp("0.0.0.0:0".parse().unwrap()).trace(tap).build().await.unwrap();
    let account = AccountConfig::parse(&format!("sip:{name}@127.0.0.1")).unwrap().without_registration();
    let account = agent.add_account(config(account)).await.unwrap();
    (agent, account, descriptions)
}

#[tokio::test(flavor = "multi_thread")]
async fn session_descriptions_name_the_public_address_of_the_account() {
    let public = |ip: &str| PublicAddress::fixed(ip.parse().unwrap());
    let (_alice, account, mut offers) =
        described("alice", |config| config.with_public_address(public("127.0.0.2"))).await;
    let (mut bob, _, mut answers) =
        described("bob", |config| config.with_public_address(public("127.0.0.3"))).await;
    let port = bob.local_addr(Protocol::Udp).unwrap().port();
    let (device, _) = TonePort::new(LOW, HIGH);
    let mut call = account.call(format!("sip:bob@127.0.0.1:{port}"), device).await.unwrap();
    let (device, _) = TonePort::new(HIGH, LOW);
    let _answered = incoming(&mut bob).await.answer(device).await.unwrap();
    expect(&mut call, CallEvent::Established).await;
    let offer = within("offer", offers.recv()).await.unwrap();
    assert!(offer.contains("c=IN IP4 127.0.0.2\r\n") && !offer.contains("127.0.0.1"), "{offer}");
    let answer = within("answer", answers.recv()).await.unwrap();
    assert!(answer.contains("c=IN IP4 127.0.0.3\r\n") && !answer.contains("127.0.0.1"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_address_of_the_other_family_is_not_named() {
    let ipv6 = PublicAddress::fixed("2001:db8::1".parse().unwrap());
    let (_alice, account, mut offers) = described("alice", |config| config.with_public_address(ipv6)).await;
    let (device, _) = TonePort::new(LOW, HIGH);
    let _call = account.call("sip:bob@127.0.0.1:9", device).await.unwrap();
    let offer = within("offer", offers.recv()).await.unwrap();
    assert!(offer.contains("c=IN IP4 127.0.0.1\r\n"), "{offer}");
}

/// The domain has no address of its own, only a server.
#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_has_only_an_srv_record_is_called() {
    let (mut bob, _, _) = described("bob", |config| config).await;
    let port = bob.local_addr(Protocol::Udp).unwrap().port();
    let hour = Duration::from_secs(3600);
    let mut records = StaticRecords::new();
    let srv = Srv { priority: 1, weight: 0, port, target: "server.example.test".into() };
    records.push(Record::new("_sip._udp.example.test", hour, srv)).unwrap();
    let address: std::net::Ipv4Addr = "127.0.0.1".parse().unwrap();
    records.push(Record::new("server.example.test", hour, address)).unwrap();
    let locate = LocateOptions::default().with_static(records, StaticOrder::StaticFirst);
    let (_alice, account, mut offers) = described("alice", |config| config.with_locate(locate)).await;
    let (device, mut alice_hears) = TonePort::new(LOW, HIGH);
    let mut call = account.call("sip:bob@example.test", device).await.unwrap();
    let (device, mut bob_hears) = TonePort::new(HIGH, LOW);
    let _answered = incoming(&mut bob).await.answer(device).await.unwrap();
    expect(&mut call, CallEvent::Established).await;
    tone(&mut alice_hears).await;
    tone(&mut bob_hears).await;
    let offer = within("offer", offers.recv()).await.unwrap();
    assert!(offer.contains("c=IN IP4 127.0.0.1\r\n"), "{offer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_agents_talk_over_udp() {
    talk(Protocol::Udp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_agents_talk_over_tcp() {
    talk(Protocol::Tcp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_hold_at_the_same_moment() {
    let ((_alice, account), (mut bob, _), target) = pair(Protocol::Udp).await;
    let mut call = account.call(&target, TonePort::new(LOW, HIGH).0).await.unwrap();
    let mut answered = incoming(&mut bob).await.answer(TonePort::new(HIGH, LOW).0).await.unwrap();
    expect(&mut call, CallEvent::Established).await;
    expect(&mut answered, CallEvent::Established).await;
    // Whether the offers meet depends on the machine; either way both holds take effect in the end.
    let (one, other) = within("holds", async { tokio::join!(call.hold(), answered.hold()) }).await;
    one.unwrap();
    other.unwrap();
    let (one, other) = within("resumes", async { tokio::join!(call.resume(), answered.resume()) }).await;
    one.unwrap();
    other.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rejecting_cancelling_and_dropping_end_calls() {
    let ((_alice, account), (mut bob, _), target) = pair(Protocol::Udp).await;
    let mut call = account.call(&target, TonePort::new(LOW, HIGH).0).await.unwrap();
    incoming(&mut bob).await.reject(StatusCode::BUSY_HERE).await.unwrap();
    let cause = ended(&mut call).await;
    assert_eq!((cause.by, cause.status), (EndedBy::Remote, Some(StatusCode::BUSY_HERE)));

    // Dropping what waits refuses it.
    let mut call = account.call(&target, TonePort::new(LOW, HIGH).0).await.unwrap();
    drop(incoming(&mut bob).await);
    assert_eq!(ended(&mut call).await.status, Some(StatusCode::TEMPORARILY_UNAVAILABLE));

    // The caller gives up.
    let call = account.call(&target, TonePort::new(LOW, HIGH).0).await.unwrap();
    let mut waiting = incoming(&mut bob).await;
    waiting.ring().await.unwrap();
    drop(call);
    let cause = within("cancel", waiting.ended()).await.unwrap();
    assert_eq!((cause.by, cause.status), (EndedBy::Remote, Some(StatusCode::REQUEST_TERMINATED)));
    assert!(matches!(waiting.answer(TonePort::new(HIGH, LOW).0).await, Err(Error::Command(_))));

    // Dropping a call that is up hangs up.
    let call = account.call(&target, TonePort::new(LOW, HIGH).0).await.unwrap();
    let mut answered = incoming(&mut bob).await.answer(TonePort::new(HIGH, LOW).0).await.unwrap();
    expect(&mut answered, CallEvent::Established).await;
    drop(call);
    assert_eq!(ended(&mut answered).await.by, EndedBy::Remote);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_or_shutting_down_an_agent_hangs_up() {
    let ((alice, account), (mut bob, _), target) = pair(Protocol::Udp).await;
    let mut call = account.call(&target, TonePort::new(LOW, HIGH).0).await.unwrap();
    let mut answered = incoming(&mut bob).await.answer(TonePort::new(HIGH, LOW).0).await.unwrap();
    expect(&mut answered, CallEvent::Established).await;
    drop(alice);
    assert_eq!(ended(&mut answered).await.by, EndedBy::Remote);
    assert_eq!(ended(&mut call).await.by, EndedBy::Local);

    let ((mut alice, _), (mut bob, bob_account), _) = pair(Protocol::Udp).await;
    let target = format!("sip:alice@{}", alice.local_addr(Protocol::Udp).unwrap());
    let mut call = bob_account.call(&target, TonePort::new(LOW, HIGH).0).await.unwrap();
    let mut waiting = incoming(&mut alice).await;
    within("shut down", alice.shutdown()).await;
    assert_eq!(within("end", waiting.ended()).await.unwrap().by, EndedBy::Local);
    assert_eq!(ended(&mut call).await.status, Some(StatusCode::TEMPORARILY_UNAVAILABLE));
    assert!(tokio::time::timeout(Duration::ZERO, bob.next_event()).await.is_err(), "bob runs on");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_the_other_end_of_tcp_is_told_at_once() {
    let (_agent, account) = agent("alice", Protocol::Tcp).await;
    let nobody = tokio::net::TcpListener::bind(localhost()).await.unwrap().local_addr().unwrap();
    let mut call = account.call(format!("sip:bob@{nobody}"), TonePort::new(LOW, HIGH).0).await.unwrap();
    assert_eq!(ended(&mut call).await.by, EndedBy::Network);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_called_is_an_error() {
    let (_agent, account) = agent("alice", Protocol::Udp).await;
    let port = || TonePort::new(LOW, HIGH).0;
    assert!(matches!(account.call("sip:", port()).await, Err(Error::Uri(_))));
    assert!(matches!(account.call("tel:+4930123", port()).await, Err(Error::Command(_))));
    struct Odd(TonePort);
    impl AudioPort for Odd {
        fn format(&self) -> AudioFormat {
            AudioFormat { sample_rate: 11_025 }
        }
        fn read(&mut self, captured: &mut [i16]) {
            self.0.read(captured);
        }
        fn write(&mut self, playout: &[i16]) {
            self.0.write(playout);
        }
    }
    assert!(matches!(account.call("bob", Odd(port())).await, Err(Error::SampleRate(11_025))));
}

/// A registrar that challenges once and then accepts, on a socket of its own.
async fn registrar(socket: tokio::net::UdpSocket) {
    let mut buffer = [0; 4096];
    loop {
        let (length, source) = socket.recv_from(&mut buffer).await.unwrap();
        let bytes = bytes::Bytes::copy_from_slice(&buffer[..length]);
        let Ok(Message::Request(request)) = Message::parse(bytes, &Limits::default()) else { continue };
        let mut response = if request.headers.contains(&HeaderName::AUTHORIZATION) {
            request.response(StatusCode::OK, Some("registrar"))
        } else {
            request.response(StatusCode::UNAUTHORIZED, Some("registrar"))
        };
        if response.status.is_success() {
            response.headers.push(&request.headers.require::<Contact>().unwrap().with_expires(120));
        } else {
            let challenge: Challenge = r#"Digest realm="test", nonce="abc", qop="auth""#.parse().unwrap();
            response.headers.push(&WwwAuthenticate(challenge));
        }
        socket.send_to(&response.to_bytes(), source).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_registers_and_takes_it_back() {
    let socket = tokio::net::UdpSocket::bind(localhost()).await.unwrap();
    let address = socket.local_addr().unwrap();
    let server = tokio::spawn(registrar(socket));
    let mut agent = UserAgent::builder().bind_udp(localhost()).build().await.unwrap();
    let config = AccountConfig::parse(&format!("sip:alice:secret@{address}")).unwrap();
    let account = agent.add_account(config).await.unwrap();
    assert_eq!(within("registration", account.registered()).await.unwrap(), Duration::from_secs(120));
    assert!(account.state().is_registered());
    within("un-registration", account.unregister()).await.unwrap();
    assert_eq!(account.state(), RegistrationState::Unregistered);
    let mut seen = Vec::new();
    while let Ok(Some(UserAgentEvent::Registration { state, .. })) =
        tokio::time::timeout(Duration::ZERO, agent.next_event()).await
    {
        seen.push(state);
    }
    let registered = RegistrationState::Registered { expires: Duration::from_secs(120) };
    let busy = RegistrationState::Registering;
    assert_eq!(seen, [busy.clone(), registered, busy, RegistrationState::Unregistered]);

    // Without a password the registrar's challenge is a failure, told as such.
    let config = AccountConfig::parse(&format!("sip:bob@{address}")).unwrap();
    let account = agent.add_account(config).await.unwrap();
    let failure = within("failure", account.registered()).await.unwrap_err();
    assert!(
        matches!(failure, Error::Registration { status: Some(StatusCode::UNAUTHORIZED), .. }),
        "{failure}"
    );
    server.abort();
}
