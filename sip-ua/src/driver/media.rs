//! The media task of one call: RTP and RTCP sockets, the stream, and the caller's audio port.
//!
//! Every 10 ms, counted from the start and not from the last wake-up, one frame goes from the microphone to the stream
//! and one from the stream to the ear. Nothing of ours allocates once the task runs; only commands do.

#![expect(clippy::disallowed_methods, reason = "the driver is where the clock is read")]

use super::Error;
use super::call::{CallEvent, CallEventSender};
use super::command::Reply;
#[cfg(feature = "dtls")]
use super::dtls::{Failure, Keying};
use super::ports::Ports;
use super::task::Job;
use crate::CallId;
use core::time::Duration;
use sidetone_hal::audio::{AudioFormat, AudioPort, FRAME};
use sidetone_hal::net::SocketAddr;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_media::jitter::DelayLimits;
use sidetone_media::process::{AudioProcessing, AudioProcessor};
use sidetone_media::sdp::Direction;
use sidetone_media::stream::{DtmfWay, RtcpConfig, SilenceSuppression, StreamDtmf};
use sidetone_media::wav::{Player, Repeat, Sound};
use sidetone_media::{Channel, Negotiated, Stream, StreamConfig, StreamEvent, StreamStats};
use std::boxed::Box;
use std::io;
use std::string::String;
use std::vec;
use std::vec::Vec;
use tokio::sync::mpsc;
use tokio::time::{self, Instant as TokioInstant};

/// Makes an audio port of the format that a call has.
pub(super) type MakePort = Box<dyn FnOnce(AudioFormat) -> Box<dyn AudioPort> + Send>;

/// What the call's task asks of the media task.
pub(super) enum MediaCommand {
    /// A new agreement, and whether we hold the call.
    Update { negotiated: Box<Negotiated>, held: bool },
    /// Digits to send, each this long; none of a way takes what is agreed on.
    Dtmf { digits: String, duration: Duration, way: Option<DtmfWay>, reply: Reply<()> },
    /// Another audio port of the same format; the reply has the one that was there.
    Audio { make: MakePort, reply: Reply<Box<dyn AudioPort>> },
    /// What is done to the microphone's sound.
    Processing { processing: AudioProcessing, reply: Reply<()> },
    /// The counters.
    Stats { reply: Reply<StreamStats> },
    /// Begins the handshake that came to nothing again.
    #[cfg(feature = "dtls")]
    RestartKeying,
}

/// What the media task tells the call's task.
pub(super) enum Notice {
    /// The keys come to the end of their life: time for a re-offer with new ones.
    KeysEnding,
    /// There will be no keys.
    #[cfg(feature = "dtls")]
    NoKeys(Failure),
}

/// Frames that are caught up with after the machine stood still; what is older is given up.
const MAX_BEHIND: u32 = 20;
/// How often a call that rests is looked after: RTCP comes so much late at most.
const REST: Duration = Duration::from_millis(200);
/// Commands that may wait.
const QUEUED_COMMANDS: usize = 32;
/// The largest datagram that is looked at: an Ethernet frame's worth.
const DATAGRAM: usize = 2048;

/// What a media task is made from beside the agreement.
pub(super) struct MediaParts {
    pub(super) ports: Ports,
    /// The caller's microphone and ear.
    pub(super) port: Box<dyn AudioPort>,
    pub(super) rng: Rng,
    pub(super) stream: StreamSettings,
    /// Where notices go.
    pub(super) jobs: mpsc::Sender<Job>,
    /// Where keys may come by DTLS.
    #[cfg(feature = "dtls")]
    pub(super) keying: Option<Keying>,
}

/// What [`AudioConfig`](crate::AudioConfig) says of the stream.
#[derive(Clone, Debug)]
pub(super) struct StreamSettings {
    pub(super) delay: DelayLimits,
    pub(super) processing: AudioProcessing,
    pub(super) silence: SilenceSuppression,
    pub(super) rtcp: RtcpConfig,
    pub(super) dtmf: StreamDtmf,
    pub(super) rest_while_inactive: bool,
    /// What those whom we hold hear.
    pub(super) on_hold: Option<Sound>,
}

/// Starts the task; it ends, with an RTCP BYE, when the sender is dropped.
pub(super) fn start(
    parts: MediaParts,
    call: CallId,
    negotiated: Negotiated,
    events: CallEventSender,
) -> mpsc::Sender<MediaCommand> {
    let MediaParts { ports, port: audio, rng, stream: settings, jobs, .. } = parts;
    let (sender, commands) = mpsc::channel(QUEUED_COMMANDS);
    let format = audio.format();
    let samples = format.samples_per_frame();
    let cname = cname(&ports, rng.clone());
    let mut config = StreamConfig::new(negotiated, cname, rng);
    config.delay = settings.delay;
    config.silence = settings.silence;
    config.rtcp = settings.rtcp;
    config.dtmf = settings.dtmf;
    config.pcm_rate = format.sample_rate;
    #[cfg_attr(not(feature = "dtls"), expect(unused_mut, reason = "there is nothing more to begin"))]
    let mut task = MediaTask {
        call,
        jobs,
        #[cfg(feature = "dtls")]
        keying: parts.keying,
        ports,
        audio,
        processor: AudioProcessor::new(&settings.processing, format.sample_rate),
        stream: Stream::new(config),
        events,
        origin: TokioInstant::now(),
        captured: vec![0; samples],
        playout: vec![0; samples],
        held: false,
        rest_while_inactive: settings.rest_while_inactive,
        on_hold: settings
            .on_hold
            .and_then(|sound| Player::new(sound, format.sample_rate, Repeat::Forever).ok()),
    };
    #[cfg(feature = "dtls")]
    task.agree_on_keys();
    tokio::spawn(task.run(commands));
    sender
}

/// A name for RTCP that says nothing about the person (RFC 7022 §4.2).
fn cname(ports: &Ports, mut rng: Rng) -> String {
    let name = rng.hex::<16>();
    std::format!("{}@{}", core::str::from_utf8(&name).unwrap_or_default(), ports.rtp_port)
}

struct MediaTask {
    call: CallId,
    jobs: mpsc::Sender<Job>,
    #[cfg(feature = "dtls")]
    keying: Option<Keying>,
    ports: Ports,
    audio: Box<dyn AudioPort>,
    /// Between the port and the stream.
    processor: AudioProcessor,
    stream: Stream,
    events: CallEventSender,
    origin: TokioInstant,
    captured: Vec<i16>,
    playout: Vec<i16>,
    /// Whether we hold the other side.
    held: bool,
    rest_while_inactive: bool,
    on_hold: Option<Player>,
}

impl MediaTask {
    async fn run(mut self, mut commands: mpsc::Receiver<MediaCommand>) {
        let mut rtp = vec![0; DATAGRAM];
        let mut rtcp = vec![0; DATAGRAM];
        let mut next = self.origin;
        let sleep = time::sleep_until(next);
        tokio::pin!(sleep);
        loop {
            tokio::select! {
                biased;
                () = &mut sleep => {
                    next = if self.rests() { self.rest() } else { self.frames(next) };
                    sleep.as_mut().reset(next);
                }
                command = commands.recv() => match command {
                    Some(command) => {
                        let rested = self.rests();
                        self.handle_command(command);
                        if rested && !self.rests() {
                            next = TokioInstant::now();
                            sleep.as_mut().reset(next);
                        }
                    }
                    None => break,
                },
                received = self.ports.rtp.recv_from(&mut rtp) => {
                    if let Some((source, datagram)) = datagram(received, &rtp) {
                        self.handle_rtp(source, datagram);
                    }
                }
                received = self.ports.rtcp.recv_from(&mut rtcp) => {
                    if let Some((source, datagram)) = datagram(received, &rtcp) {
                        self.stream.handle_rtcp(self.now(), source, datagram);
                    }
                }
            }
            self.flush();
        }
        self.stream.close(self.now());
        self.flush();
        self.events.media_ended(self.stream.stats());
    }

    /// Whether nobody misses the frames.
    fn rests(&self) -> bool {
        self.rest_while_inactive && self.stream.negotiated().direction == Direction::Inactive
    }

    /// Lets the port alone, and says when to look again.
    fn rest(&mut self) -> TokioInstant {
        let now = TokioInstant::now();
        if self.stream.poll_timeout().is_some_and(|at| at <= self.at(now)) {
            self.stream.handle_timeout(self.at(now));
        }
        now + REST
    }

    /// Runs every frame that is due, and says when the next one is.
    fn frames(&mut self, mut next: TokioInstant) -> TokioInstant {
        let now = TokioInstant::now();
        let behind = now.saturating_duration_since(next);
        if behind > FRAME * MAX_BEHIND {
            next = now;
        }
        while next <= now {
            // The stream's time is the frame's own, so that late wake-ups do not look like jitter.
            self.frame(self.at(next));
            next += FRAME;
        }
        next
    }

    /// RTP, or what shares its port.
    fn handle_rtp(&mut self, source: SocketAddr, datagram: &[u8]) {
        let now = self.now();
        #[cfg(feature = "dtls")]
        if let Some(keying) = &mut self.keying
            && keying.handle_datagram(now, source, datagram)
        {
            return;
        }
        self.stream.handle_rtp(now, source, datagram);
    }

    fn frame(&mut self, now: Instant) {
        self.audio.read(&mut self.captured);
        self.processor.capture(&mut self.captured);
        if let Some(music) = self.on_hold.as_mut().filter(|_| self.held) {
            music.fill(&mut self.captured);
        }
        self.stream.capture(now, &self.captured);
        self.playout.fill(0);
        self.stream.playout(now, &mut self.playout);
        self.processor.render(&self.playout);
        self.audio.write(&self.playout);
        if self.stream.poll_timeout().is_some_and(|at| at <= now) {
            self.stream.handle_timeout(now);
        }
        self.flush();
    }

    #[cfg(feature = "dtls")]
    fn agree_on_keys(&mut self) {
        let (now, negotiated) = (self.now(), self.stream.negotiated().clone());
        if let Some(keying) = &mut self.keying {
            keying.agree(now, &negotiated, &mut self.stream);
        }
    }

    /// Goes on with the handshake.
    #[cfg(feature = "dtls")]
    fn drive_keying(&mut self) {
        let now = self.now();
        if let Some(keying) = &mut self.keying
            && let Err(failure) = keying.drive(now, &self.ports.rtp, &mut self.stream)
        {
            self.notify(Notice::NoKeys(failure));
        }
    }

    /// Tells the call's task, which may be busy: sound does not wait for it.
    fn notify(&self, notice: Notice) {
        let (call, jobs) = (self.call, self.jobs.clone());
        // An error means that the user agent has ended meanwhile.
        tokio::spawn(async move { jobs.send(Job::Media { call, notice }).await.ok() });
    }

    fn flush(&mut self) {
        #[cfg(feature = "dtls")]
        self.drive_keying();
        while let Some(packet) = self.stream.poll_transmit() {
            let socket = match packet.channel {
                Channel::Rtp => &self.ports.rtp,
                Channel::Rtcp => &self.ports.rtcp,
            };
            // A packet that the system does not take now would be late in any case.
            if let Err(error) = socket.try_send_to(packet.payload, packet.destination) {
                tracing::trace!(%error, "media packet dropped");
            }
        }
        while let Some(event) = self.stream.poll_event() {
            match event {
                StreamEvent::Dtmf { digit, .. } => self.events.send(CallEvent::Dtmf(digit)),
                StreamEvent::SrtpKeysEnding => self.notify(Notice::KeysEnding),
                _ => {}
            }
        }
    }

    fn handle_command(&mut self, command: MediaCommand) {
        match command {
            MediaCommand::Update { negotiated, held } => {
                self.stream.update(self.now(), *negotiated);
                self.held = held;
                // In the place of the microphone there may be music.
                self.stream.set_muted(held && self.on_hold.is_none());
                #[cfg(feature = "dtls")]
                self.agree_on_keys();
            }
            #[cfg(feature = "dtls")]
            MediaCommand::RestartKeying => {
                let now = self.now();
                if let Some(keying) = &mut self.keying {
                    keying.restart(now);
                }
            }
            MediaCommand::Dtmf { digits, duration, way, reply } => {
                let (now, stream) = (self.now(), &mut self.stream);
                let queued = digits.chars().all(|digit| match way {
                    Some(way) => stream.send_dtmf_by(now, way, digit, duration),
                    None => stream.send_dtmf(now, digit, duration),
                });
                reply.send(if queued { Ok(()) } else { Err(Error::NoMedia) }).ok();
            }
            MediaCommand::Audio { make, reply } => self.exchange_audio(make, reply),
            MediaCommand::Processing { processing, reply } => {
                self.processor.update(&processing);
                reply.send(Ok(())).ok();
            }
            MediaCommand::Stats { reply } => {
                reply.send(Ok(self.stream.stats())).ok();
            }
        }
    }

    fn exchange_audio(&mut self, make: MakePort, reply: Reply<Box<dyn AudioPort>>) {
        let audio = make(self.audio.format());
        if audio.format() != self.audio.format() {
            reply.send(Err(Error::SampleRate(audio.format().sample_rate))).ok();
            return;
        }
        let before = core::mem::replace(&mut self.audio, audio);
        if let Err(Ok(before)) = reply.send(Ok(before)) {
            // Nobody would take care of it: it stays.
            self.audio = before;
        }
    }

    fn now(&self) -> Instant {
        self.at(TokioInstant::now())
    }

    fn at(&self, instant: TokioInstant) -> Instant {
        Instant::ZERO + instant.saturating_duration_since(self.origin)
    }
}

/// The datagram that was received; an error of one (an ICMP message, say) is no reason to stop.
fn datagram(received: io::Result<(usize, SocketAddr)>, buffer: &[u8]) -> Option<(SocketAddr, &[u8])> {
    match received {
        Ok((length, source)) => Some((source, buffer.get(..length)?)),
        Err(error) => {
            tracing::debug!(%error, "media socket");
            None
        }
    }
}
