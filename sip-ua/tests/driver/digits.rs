//! Key presses between two user agents over 127.0.0.1, each way of sending, and with a peer that refuses INFO. Every wait
//! is for an event, with a bound.

use sidetone_codecs::{CodecSpec, g729, pcmu};
use sidetone_hal::audio::{AudioFormat, AudioPort};
use sidetone_hal::net::Protocol;
use sidetone_media::dtmf::{Detected, Detector, DtmfMode, InfoKind};
use sidetone_sip_core::header::{Contact, ContentType};
use sidetone_sip_core::trace::{Direction, TapMessage};
use sidetone_sip_core::{Limits, Message, Method, StatusCode, Uri};
use sidetone_sip_ua::{
    Account, AccountConfig, AudioConfig, Call, CallEvent, Error, UserAgent, UserAgentEvent,
};
use std::future::Future;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

/// More than anything here takes on a busy machine; a failure, not a pause.
const BOUND: Duration = Duration::from_secs(60);
const DIGITS: &str = "0123456789*#ABCD";

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
    /// The INFO requests that it sends.
    infos: mpsc::UnboundedReceiver<String>,
}

impl Phone {
    async fn new(name: &str, audio: AudioConfig) -> Self {
        let (sender, infos) = mpsc::unbounded_channel();
        let tap = move |message: &TapMessage<'_>| {
            if message.direction == Direction::Sent && message.bytes.starts_with(b"INFO ") {
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
        Self { agent, account, infos }
    }

    async fn answer(&mut self) -> Call {
        loop {
            if let Some(UserAgentEvent::Incoming(call)) = within("call", self.agent.next_event()).await {
                return call.answer(Silence).await.unwrap();
            }
        }
    }
}

fn audio(mode: DtmfMode, info: InfoKind) -> AudioConfig {
    let mut audio = AudioConfig::with_codecs([&pcmu::SPEC]);
    (audio.dtmf.mode, audio.dtmf.info) = (mode, info);
    (audio.dtmf.duration, audio.dtmf.stream.gap) = (Duration::from_millis(60), Duration::from_millis(40));
    audio
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

/// The next digits of a call.
async fn digits(call: &mut Call, count: usize) -> String {
    let mut digits = String::new();
    while digits.len() < count {
        match within("digit", call.next_event()).await {
            Some(CallEvent::Dtmf(digit)) => digits.push(digit),
            Some(CallEvent::Ended(cause)) => panic!("{cause}"),
            Some(_) => {}
            None => panic!("no more events"),
        }
    }
    digits
}

/// Calls with these settings on both sides, sends all digits both ways, and gives the caller's INFO requests.
async fn exchange(caller: AudioConfig, called: AudioConfig) -> Vec<String> {
    let mut alice = Phone::new("alice", caller).await;
    let mut bob = Phone::new("bob", called).await;
    let to = bob.account.aor().to_string();
    let mut call = alice.account.call(to.as_str(), Silence).await.unwrap();
    let mut answered = bob.answer().await;
    established(&mut call).await;
    established(&mut answered).await;
    let (sent, back) = tokio::join!(call.send_dtmf(DIGITS), answered.send_dtmf("11#"));
    sent.unwrap();
    back.unwrap();
    assert_eq!(digits(&mut answered, DIGITS.len()).await, DIGITS);
    assert_eq!(digits(&mut call, 3).await, "11#");
    call.hangup().await.unwrap();
    assert!(matches!(call.send_dtmf("1").await, Err(Error::Command(_))));
    let mut infos = Vec::new();
    while let Ok(info) = alice.infos.try_recv() {
        infos.push(info);
    }
    infos
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_go_as_events() {
    let config = || audio(DtmfMode::Rfc4733, InfoKind::default());
    assert_eq!(exchange(config(), config()).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_go_in_info_of_each_kind() {
    for kind in InfoKind::ALL {
        let infos = exchange(audio(DtmfMode::Info, kind), audio(DtmfMode::Auto, kind)).await;
        // Repeats of a slow machine aside, one for each digit.
        assert!(infos.len() >= DIGITS.len(), "{}", infos.len());
        let line = format!("Content-Type: {}\r\n", kind.content_type());
        assert!(infos.iter().all(|info| info.contains(&line)), "{}", infos[0]);
        if kind == InfoKind::DtmfRelay {
            assert!(infos[0].ends_with("\r\n\r\nSignal=0\r\nDuration=60\r\n"), "{}", infos[0]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_go_in_the_speech() {
    let config = || audio(DtmfMode::Inband, InfoKind::default());
    assert_eq!(exchange(config(), config()).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_takes_events_and_without_them_info() {
    let auto = || audio(DtmfMode::Auto, InfoKind::default());
    assert_eq!(exchange(auto(), auto()).await, [""; 0]);
    assert!(exchange(auto(), audio(DtmfMode::Info, InfoKind::default())).await.len() >= DIGITS.len());
}

/// A called side that answers INFO with a status, and listens to the speech; `None` of an Allow says nothing of INFO.
struct Peer {
    sip: UdpSocket,
    rtp: UdpSocket,
    codec: &'static CodecSpec,
    allow: &'static str,
    status: u16,
}

impl Peer {
    async fn new(codec: &'static CodecSpec, allow: &'static str, status: u16) -> Self {
        let any = "127.0.0.1:0";
        Self {
            sip: UdpSocket::bind(any).await.unwrap(),
            rtp: UdpSocket::bind(any).await.unwrap(),
            codec,
            allow,
            status,
        }
    }

    fn uri(&self) -> String {
        format!("sip:peer@{}", self.sip.local_addr().unwrap())
    }

    /// Answers until this many digits are heard, and gives them and how many INFO requests came.
    async fn serve(self, wanted: usize) -> (String, usize) {
        let (mut sip, mut rtp) = ([0; 4096], [0; 2048]);
        let (mut infos, mut heard) = (0, String::new());
        let (mut detector, mut decoder) = (Detector::new(8000), self.codec.decoder());
        while heard.len() < wanted || wanted == 0 {
            tokio::select! {
                received = self.sip.recv_from(&mut sip) => {
                    let (length, source) = received.unwrap();
                    let bytes = bytes::Bytes::copy_from_slice(&sip[..length]);
                    let Ok(Message::Request(request)) = Message::parse(bytes, &Limits::default()) else { continue };
                    if request.method == Method::ACK {
                        continue;
                    }
                    let info = request.method == Method::INFO;
                    infos += usize::from(info);
                    let status = if info { StatusCode::new(self.status).unwrap() } else { StatusCode::OK };
                    let mut response = request.response(status, Some("peer"));
                    if request.method == Method::INVITE {
                        let uri: Uri = self.uri().parse().unwrap();
                        response.headers.push(&Contact::new(uri));
                        response.headers.push_raw(sidetone_sip_core::header::HeaderName::ALLOW, self.allow).unwrap();
                        let (port, number, name) =
                            (self.rtp.local_addr().unwrap().port(), self.codec.payload_type.unwrap(), self.codec.name);
                        let body = format!(
                            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                             m=audio {port} RTP/AVP {number}\r\na=rtpmap:{number} {name}/8000\r\n"
                        );
                        response.set_body(&ContentType::SDP, body.into_bytes());
                    }
                    self.sip.send_to(&response.to_bytes(), source).await.unwrap();
                }
                received = self.rtp.recv_from(&mut rtp) => {
                    let (length, _) = received.unwrap();
                    let mut pcm = [0; 960];
                    let samples = decoder.decode(&rtp[12..length], &mut pcm).unwrap_or(0);
                    detector.process(&pcm[..samples]);
                    while let Some(event) = detector.poll_event() {
                        if let Detected::End { digit, .. } = event {
                            heard.push(digit);
                        }
                    }
                }
            }
        }
        (heard, infos)
    }
}

async fn call_peer(config: AudioConfig, peer: &str) -> (Phone, Call) {
    let alice = Phone::new("alice", config).await;
    let mut call = alice.account.call(peer, Silence).await.unwrap();
    established(&mut call).await;
    (alice, call)
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_info_sounds_in_the_speech_and_is_not_tried_again() {
    let peer = Peer::new(&pcmu::SPEC, "INVITE, ACK, BYE, INFO", 415).await;
    let uri = peer.uri();
    let server = tokio::spawn(peer.serve(5));
    let (_alice, call) = call_peer(audio(DtmfMode::Auto, InfoKind::default()), &uri).await;
    within("digits", call.send_dtmf("123")).await.unwrap();
    within("digits", call.send_dtmf("4#")).await.unwrap();
    let (heard, infos) = within("digits", server).await.unwrap();
    assert_eq!((heard.as_str(), infos), ("1234#", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn info_that_allow_leaves_out_is_not_tried() {
    let peer = Peer::new(&pcmu::SPEC, "INVITE, ACK, BYE", 405).await;
    let uri = peer.uri();
    let server = tokio::spawn(peer.serve(3));
    let (_alice, call) = call_peer(audio(DtmfMode::Auto, InfoKind::default()), &uri).await;
    call.send_dtmf("789").await.unwrap();
    let (heard, infos) = within("digits", server).await.unwrap();
    assert_eq!((heard.as_str(), infos), ("789", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_info_without_another_way_is_an_error() {
    let refused = |result| matches!(result, Err(Error::Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE)));
    // The mode is INFO alone; or the codec garbles tones.
    let mut narrow = audio(DtmfMode::Auto, InfoKind::default());
    narrow.description.codecs = AudioConfig::with_codecs([&g729::SPEC]).description.codecs;
    let info = audio(DtmfMode::Info, InfoKind::Dtmf);
    for (codec, config) in [(&pcmu::SPEC, info), (&g729::SPEC, narrow)] {
        let peer = Peer::new(codec, "INVITE, ACK, BYE, INFO", 415).await;
        let uri = peer.uri();
        let server = tokio::spawn(peer.serve(0));
        let (_alice, call) = call_peer(config, &uri).await;
        assert!(refused(within("answer", call.send_dtmf("12")).await), "{}", codec.name);
        server.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_that_wait_for_info_end_with_the_call() {
    // 100 is no answer: the INFO stays under way.
    let peer = Peer::new(&pcmu::SPEC, "INFO", 100).await;
    let uri = peer.uri();
    let server = tokio::spawn(peer.serve(0));
    let (mut alice, call) = call_peer(audio(DtmfMode::Info, InfoKind::Dtmf), &uri).await;
    let handle = call.handle();
    let sending = tokio::spawn(async move { handle.send_dtmf("12").await });
    within("INFO", alice.infos.recv()).await.unwrap();
    let too_many = within("answer", call.send_dtmf(&"1".repeat(31))).await;
    assert!(matches!(too_many, Err(Error::Command(_))), "{too_many:?}");
    call.hangup().await.unwrap();
    assert!(matches!(within("end", sending).await.unwrap(), Err(Error::Command(_))));
    server.abort();
}
