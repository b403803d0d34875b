//! Where the keys of a call come from, and what becomes of a call that has none: two user agents over 127.0.0.1 that
//! listen to what arrives. Every wait is for an event, with a bound.

use sidetone_codecs::pcmu;
use sidetone_hal::audio::{AudioFormat, AudioPort};
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_hal::rng::Rng;
use sidetone_media::dtls::{DtlsIdentity, Handshake, is_dtls};
use sidetone_media::srtp::{CryptoLine, MasterKey, SrtpKeys, SrtpPolicy, Suite};
use sidetone_media::tone::{Generator, Goertzel, Part, Tone};
use sidetone_media::{Negotiated, Stream, StreamConfig};
use sidetone_sip_core::StatusCode;
use sidetone_sip_core::trace::{Direction, TapMessage};
use sidetone_sip_ua::{
    Account, AccountConfig, AudioConfig, Call, CallEvent, EndCause, EndedBy, UserAgent, UserAgentEvent,
};
use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};

const LOW: f32 = 400.0;
const HIGH: f32 = 1000.0;
/// More than anything here takes on a busy machine; a failure, not a pause.
const BOUND: Duration = Duration::from_secs(60);

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.unwrap_or_else(|_| panic!("no {what} within {BOUND:?}"))
}

/// A sound device that speaks one tone and says how much of another it hears, every 100 ms.
struct TonePort {
    microphone: Generator,
    expected: f32,
    window: Vec<i16>,
    heard: watch::Sender<f32>,
}

impl TonePort {
    fn new(speaks: f32, expected: f32) -> (Self, watch::Receiver<f32>) {
        let (heard, receiver) = watch::channel(0.0);
        let parts: &'static [Part] = match speaks {
            LOW => &[Part { hertz: &[LOW], millis: 0 }],
            _ => &[Part { hertz: &[HIGH], millis: 0 }],
        };
        let microphone = Generator::new(Tone { parts, once: false }, 8000);
        (Self { microphone, expected, window: Vec::new(), heard }, receiver)
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
            let loud = self.window.iter().any(|sample| sample.saturating_abs() > 1000);
            self.heard.send_replace(if loud { goertzel.share() } else { 0.0 });
            self.window.clear();
        }
    }
}

async fn hears(heard: &mut watch::Receiver<f32>) {
    heard.mark_unchanged();
    within("tone", heard.changed()).await.unwrap();
    within("tone", heard.wait_for(|share| *share > 0.95)).await.unwrap();
}

/// What one side wants of the two ways.
fn audio(dtls: SrtpPolicy, srtp: SrtpPolicy) -> AudioConfig {
    let mut audio = AudioConfig::with_codecs([&pcmu::SPEC]);
    (audio.dtls, audio.srtp) = (dtls, srtp);
    audio
}

struct Phone {
    agent: UserAgent,
    account: Account,
    sent: mpsc::UnboundedReceiver<String>,
}

impl Phone {
    async fn new(name: &str, audio: AudioConfig) -> Self {
        Self::with_agent(name, AudioConfig::default(), audio).await
    }

    async fn with_agent(name: &str, general: AudioConfig, audio: AudioConfig) -> Self {
        let (sender, sent) = mpsc::unbounded_channel();
        let tap = move |message: &TapMessage<'_>| {
            if message.direction == Direction::Sent {
                // Nobody reads any more when the test is over.
                let _ = sender.send(String::from_utf8_lossy(message.bytes).into_owned());
            }
        };
        let address = "127.0.0.1:0".parse().unwrap();
        let agent = UserAgent::builder().audio(general).bind_udp(address).trace(tap).build().await.unwrap();
        let address = agent.local_addr(Protocol::Udp).unwrap();
        let mut config = AccountConfig::parse(&format!("sip:{name}@{address}")).unwrap();
        config.audio = Some(audio);
        let account = agent.add_account(config.without_registration()).await.unwrap();
        Self { agent, account, sent }
    }

    async fn call(&self, other: &Self) -> (Call, watch::Receiver<f32>) {
        self.call_user(&other.account.aor().to_string()).await
    }

    async fn call_user(&self, target: &str) -> (Call, watch::Receiver<f32>) {
        let (port, heard) = TonePort::new(LOW, HIGH);
        (self.account.call(target, port).await.unwrap(), heard)
    }

    async fn answer(&mut self) -> (Call, watch::Receiver<f32>) {
        loop {
            if let Some(UserAgentEvent::Incoming(call)) = within("call", self.agent.next_event()).await {
                let (port, heard) = TonePort::new(HIGH, LOW);
                return (call.answer(port).await.unwrap(), heard);
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

fn line<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.lines().find(|line| line.starts_with(start))
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

use SrtpPolicy::{Compulsory, Off, Optional};

/// What each side wants, what is offered, and by which suite the speech goes.
#[tokio::test(flavor = "multi_thread")]
async fn both_hear_each_other_by_whatever_way_both_have() {
    const GCM: Option<Suite> = Some(Suite::AEAD_AES_256_GCM);
    const SDES: Option<Suite> = Some(Suite::AES_CM_128_HMAC_SHA1_80);
    let table = [
        ((Compulsory, Off), (Optional, Off), "UDP/TLS/RTP/SAVP", GCM),
        ((Compulsory, Off), (Compulsory, Compulsory), "UDP/TLS/RTP/SAVP", GCM),
        ((Compulsory, Optional), (Optional, Optional), "UDP/TLS/RTP/SAVP", GCM),
        ((Optional, Compulsory), (Optional, Optional), "RTP/SAVP", SDES),
        ((Optional, Off), (Compulsory, Off), "RTP/AVP", GCM),
        ((Optional, Optional), (Optional, Optional), "RTP/AVP", GCM),
        ((Optional, Optional), (Off, Optional), "RTP/AVP", SDES),
        ((Optional, Off), (Off, Off), "RTP/AVP", None),
    ];
    for (ours, theirs, proto, suite) in table {
        let case = format!("{ours:?} {theirs:?}");
        let mut alice = Phone::new("alice", audio(ours.0, ours.1)).await;
        let mut bob = Phone::new("bob", audio(theirs.0, theirs.1)).await;
        let (mut call, mut alice_hears) = alice.call(&bob).await;
        let (mut answered, mut bob_hears) = bob.answer().await;
        established(&mut call).await;
        established(&mut answered).await;
        let invite = alice.message("INVITE").await;
        assert_eq!(line(&invite, "m=").unwrap().split(' ').nth(2), Some(proto), "{case}");
        hears(&mut alice_hears).await;
        hears(&mut bob_hears).await;
        for side in [&call, &answered] {
            let stats = side.stats().await.unwrap();
            assert_eq!(stats.srtp.is_some(), suite.is_some(), "{case}: {stats:?}");
            if suite == SDES {
                assert_eq!(stats.srtp, SDES, "{case}");
            } else if suite.is_some() {
                assert_ne!(stats.srtp, SDES, "{case}");
            }
        }
        call.hangup().await.unwrap();
        ended(&mut answered).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_dtls_is_refused_where_it_is_compulsory() {
    let mut alice = Phone::new("alice", audio(Compulsory, Off)).await;
    let mut bob = Phone::new("bob", audio(Off, Optional)).await;
    let (mut call, _) = alice.call(&bob).await;
    assert_eq!(ended(&mut call).await.status, Some(StatusCode::NOT_ACCEPTABLE_HERE));
    let (mut call, _) = bob.call(&alice).await;
    assert_eq!(ended(&mut call).await.status, Some(StatusCode::NOT_ACCEPTABLE_HERE));
    let refusal = alice.message("SIP/2.0 488").await;
    assert!(line(&refusal, "Warning: 302").unwrap().contains("UDP/TLS/RTP/SAVP"), "{refusal}");
    assert!(line(&bob.message("INVITE").await, "a=fingerprint").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_keeps_the_association() {
    let mut alice = Phone::new("alice", audio(Compulsory, Off)).await;
    let mut bob = Phone::new("bob", audio(Compulsory, Off)).await;
    let (mut call, mut alice_hears) = alice.call(&bob).await;
    let (answered, mut bob_hears) = bob.answer().await;
    established(&mut call).await;
    hears(&mut alice_hears).await;
    hears(&mut bob_hears).await;
    for side in [&call, &answered] {
        side.hold().await.unwrap();
        side.resume().await.unwrap();
        hears(&mut alice_hears).await;
        hears(&mut bob_hears).await;
    }
    for side in [&call, &answered] {
        let stats = side.stats().await.unwrap();
        assert_eq!((stats.packets_unauthentic, stats.refusals.authentication), (0, 0), "{stats:?}");
    }
    let first = alice.message("INVITE").await;
    let again = alice.message("INVITE").await;
    for start in ["a=fingerprint:", "a=setup:", "a=rtcp-mux"] {
        assert!(line(&first, start).is_some() && line(&first, start) == line(&again, start), "{start}");
    }
}

/// A telephone of bytes.
struct Raw {
    sip: UdpSocket,
    rtp: UdpSocket,
    /// The CSeq of the INVITE that was answered last, which may come again.
    answered: Mutex<String>,
}

impl Raw {
    async fn new() -> Self {
        let bind = || UdpSocket::bind("127.0.0.1:0");
        Self { sip: bind().await.unwrap(), rtp: bind().await.unwrap(), answered: Mutex::default() }
    }

    fn target(&self) -> String {
        format!("sip:bob@{}", self.sip.local_addr().unwrap())
    }

    /// The next INVITE, answered with audio over `proto` and the lines that are made of it; and where its RTP goes.
    async fn answer(&self, proto: &str, lines: impl Fn(&str) -> String) -> (String, SocketAddr) {
        let mut buffer = [0; 4096];
        let (invite, source) = loop {
            let (length, source) = within("INVITE", self.sip.recv_from(&mut buffer)).await.unwrap();
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let number = line(&message, "CSeq:").unwrap_or_default().to_owned();
            let mut answered = self.answered.lock().unwrap();
            if message.starts_with("INVITE") && *answered != number {
                *answered = number;
                break (message, source);
            }
        };
        let body = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} {proto} 0\r\n{}",
            self.rtp.local_addr().unwrap().port(),
            lines(&invite)
        );
        let copied: Vec<String> = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"]
            .iter()
            .map(|name| {
                let header = line(&invite, name).expect("a header");
                let tag = if *name == "To:" && !header.contains(";tag=") { ";tag=1" } else { "" };
                format!("{header}{tag}\r\n")
            })
            .collect();
        let answer = format!(
            "SIP/2.0 200 OK\r\n{}Contact: <{}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            copied.concat(),
            self.target(),
            body.len()
        );
        self.sip.send_to(answer.as_bytes(), source).await.unwrap();
        let port = line(&invite, "m=audio ").unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        (invite, SocketAddr::new(source.ip(), port))
    }

    /// Answers with this fingerprint.
    async fn promise(&self, fingerprint: &str) -> SocketAddr {
        let lines = format!("a=fingerprint:{fingerprint}\r\na=setup:active\r\na=rtcp-mux\r\n");
        self.answer("UDP/TLS/RTP/SAVP", |_| lines.clone()).await.1
    }
}

/// Somebody else than SDP promised: nothing is heard of either side, and the call ends with the reason.
#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_than_promised_ends_the_call() {
    let mut alice = Phone::new("alice", audio(Compulsory, Off)).await;
    let (mallory, bob) = (DtlsIdentity::generate().unwrap(), DtlsIdentity::generate().unwrap());
    let raw = Raw::new().await;
    let rtp = &raw.rtp;
    let (mut call, _) = alice.call_user(&raw.target()).await;
    let theirs = raw.promise(bob.fingerprint()).await;
    established(&mut call).await;
    let fingerprint = alice.message("INVITE").await;
    let fingerprint = line(&fingerprint, "a=fingerprint:").unwrap()["a=fingerprint:".len()..].to_owned();
    #[expect(clippy::disallowed_methods, reason = "a peer that runs beside the driver needs its clock")]
    let origin = std::time::Instant::now();
    let now = || sidetone_hal::time::Instant::ZERO + origin.elapsed();
    let mut handshake = Handshake::new(&mallory, true, &[fingerprint], now());
    let mut buffer = [0; 2048];
    let cause = loop {
        while let Some(datagram) = handshake.poll_transmit() {
            rtp.send_to(&datagram, theirs).await.unwrap();
        }
        tokio::select! {
            received = rtp.recv_from(&mut buffer) => {
                let (length, _) = received.unwrap();
                assert!(is_dtls(&buffer[..length]), "nothing but the handshake is sent");
                handshake.handle_datagram(now(), &buffer[..length]);
            }
            cause = ended(&mut call) => break cause,
        }
    };
    assert_eq!((cause.by, cause.status), (EndedBy::Local, None));
    assert!(cause.reason.starts_with("no keys for SRTP: the certificate"), "{cause}");
    let bye = alice.message("BYE").await;
    assert!(line(&bye, "Reason: SIP;cause=488;text=\"no keys for SRTP").is_some(), "{bye}");
    assert_eq!(call.stats().await.unwrap().srtp, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_begins_the_handshake_is_given_up() {
    let mut impatient = audio(Compulsory, Off);
    impatient.dtls_limit = Duration::from_secs(2);
    let alice = Phone::new("alice", impatient).await;
    let raw = Raw::new().await;
    let rtp = &raw.rtp;
    let (mut call, _) = alice.call_user(&raw.target()).await;
    let theirs = raw.promise(DtlsIdentity::generate().unwrap().fingerprint()).await;
    established(&mut call).await;
    // RTP in the clear is not taken meanwhile.
    let mut packet = [0xFF; 172];
    packet[..12].copy_from_slice(&[0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    rtp.send_to(&packet, theirs).await.unwrap();
    let cause = ended(&mut call).await;
    assert_eq!(cause.reason, "no keys for SRTP: the other side does not answer DTLS");
    let stats = call.stats().await.unwrap();
    assert_eq!((stats.packets_received, stats.refusals.authentication), (0, 1), "{stats:?}");
    assert!(rtp.try_recv(&mut packet).is_err(), "nothing was sent");
}

/// The other side's key is good for 32 packets: after most of them there is an offer with a new one.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_come_to_their_end_are_replaced() {
    const SUITE: Suite = Suite::AES_CM_128_HMAC_SHA1_80;
    let alice = Phone::new("alice", audio(Off, Compulsory)).await;
    let raw = Raw::new().await;
    let (mut call, _) = alice.call_user(&raw.target()).await;
    let their_key = |invite: &str| {
        let of_suite = |line: &str| {
            CryptoLine::parse(line.strip_prefix("a=crypto:")?).ok().filter(|line| line.key.suite() == SUITE)
        };
        invite.lines().find_map(of_suite).expect("a key")
    };
    let mut agreed = Vec::new();
    let mut stream: Option<Stream> = None;
    let mut tone = Generator::new(Tone { parts: &[Part { hertz: &[HIGH], millis: 0 }], once: false }, 8000);
    let mut now = sidetone_hal::time::Instant::ZERO;
    for (life, seed) in [(32, 1), (1 << 31, 2)] {
        let ours = MasterKey::random(SUITE, &mut Rng::from_u64(seed)).with_lifetime(life);
        let line = |invite: &str| {
            let line = CryptoLine { tag: their_key(invite).tag, key: ours.clone() };
            format!("a=crypto:{}\r\n", line.to_value())
        };
        let (invite, theirs) = raw.answer("RTP/SAVP", line).await;
        agreed.push(their_key(&invite).key);
        let mut negotiated = Negotiated::new(&pcmu::SPEC, 0, theirs);
        negotiated.srtp = Some(SrtpKeys { send: ours, receive: their_key(&invite).key });
        match &mut stream {
            Some(stream) => stream.update(now, negotiated),
            None => {
                let config = StreamConfig::new(negotiated, "raw@127.0.0.1", Rng::from_u64(3));
                stream = Some(Stream::new(config));
            }
        }
        let stream = stream.as_mut().unwrap();
        let before = stream.stats().packets_received;
        // 30 packets of 20 ms are enough to make the first key old, and to be heard with the second.
        for _ in 0..60 {
            now += Duration::from_millis(10);
            let mut frame = [0; 80];
            tone.fill(&mut frame);
            stream.capture(now, &frame);
            while let Some(packet) = stream.poll_transmit() {
                if packet.destination == theirs {
                    raw.rtp.send_to(packet.payload, theirs).await.unwrap();
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            let mut buffer = [0; 2048];
            while let Ok((length, source)) = raw.rtp.try_recv_from(&mut buffer) {
                stream.handle_rtp(now, source, &buffer[..length]);
            }
        }
        assert!(stream.stats().packets_received > before + 10, "{:?}", stream.stats());
    }
    established(&mut call).await;
    assert_ne!(agreed[0], agreed[1]);
    // The last of them may still be on their way.
    let all = async {
        loop {
            let stats = call.stats().await.unwrap();
            if stats.packets_received == 60 {
                return stats;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let stats = tokio::time::timeout(BOUND, all).await.expect("60 packets");
    assert_eq!(stats.packets_unauthentic, 0, "{stats:?}");
}

/// The strictest policy of the accounts counts for whom no account matches.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_to_nobody_is_as_secret_as_any() {
    for (policy, by_dtls) in [(Off, false), (Compulsory, false), (Compulsory, true)] {
        let strict = if by_dtls { audio(policy, Off) } else { audio(Off, policy) };
        let mut bob = Phone::with_agent("bob", AudioConfig::with_codecs([&pcmu::SPEC]), strict.clone()).await;
        let address = bob.agent.local_addr(Protocol::Udp).unwrap();
        let nobody = format!("sip:nobody@{address}");
        let clear = Phone::new("alice", audio(Off, Off)).await;
        let (mut call, _) = clear.call_user(&nobody).await;
        if policy == Off {
            let (answered, _) = bob.answer().await;
            assert_eq!(answered.account(), None);
            established(&mut call).await;
            continue;
        }
        assert_eq!(ended(&mut call).await.status, Some(StatusCode::NOT_ACCEPTABLE_HERE));
        let secret = Phone::new("carol", strict).await;
        let (mut call, mut heard) = secret.call_user(&nobody).await;
        let (answered, _) = bob.answer().await;
        assert_eq!(answered.account(), None);
        established(&mut call).await;
        hears(&mut heard).await;
        assert!(call.stats().await.unwrap().srtp.is_some());
    }
}
