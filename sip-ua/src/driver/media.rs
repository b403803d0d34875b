//! The media task of one call: RTP and RTCP sockets, the stream, and the caller's audio port.
//!
//! Every 10 ms, counted from the start and not from the last wake-up, one frame goes from the microphone to the stream
//! and one from the stream to the ear. Nothing of ours allocates once the task runs; only commands do.

#![expect(clippy::disallowed_methods, reason = "the driver is where the clock is read")]

use super::Error;
use super::call::{CallEvent, CallEventSender};
use super::command::Reply;
use super::ports::Ports;
use core::time::Duration;
use sidetone_hal::audio::{AudioPort, FRAME};
use sidetone_hal::net::SocketAddr;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_media::{Channel, Negotiated, Stream, StreamConfig, StreamEvent, StreamStats};
use std::boxed::Box;
use std::io;
use std::string::String;
use std::vec;
use std::vec::Vec;
use tokio::sync::mpsc;
use tokio::time::{self, Instant as TokioInstant};

/// What the call's task asks of the media task.
pub(super) enum MediaCommand {
    /// A new agreement, and whether we hold the call.
    Update { negotiated: Box<Negotiated>, held: bool },
    /// Digits to send.
    Dtmf { digits: String, reply: Reply<()> },
    /// The counters.
    Stats { reply: Reply<StreamStats> },
}

/// The only sample rate of the codecs there are, and so of audio ports.
pub(super) const SAMPLE_RATE: u32 = 8000;
/// How long a key press of ours lasts.
const DTMF_DURATION: Duration = Duration::from_millis(100);
/// Frames that are caught up with after the machine stood still; what is older is given up.
const MAX_BEHIND: u32 = 20;
/// Commands that may wait.
const QUEUED_COMMANDS: usize = 32;
/// The largest datagram that is looked at: an Ethernet frame's worth.
const DATAGRAM: usize = 2048;

/// Starts the task; it ends, with an RTCP BYE, when the sender is dropped.
pub(super) fn start(
    ports: Ports,
    audio: Box<dyn AudioPort>,
    negotiated: Negotiated,
    rng: Rng,
    events: CallEventSender,
) -> mpsc::Sender<MediaCommand> {
    let (sender, commands) = mpsc::channel(QUEUED_COMMANDS);
    let samples = audio.format().samples_per_frame();
    let cname = cname(&ports, rng.clone());
    let task = MediaTask {
        ports,
        audio,
        stream: Stream::new(StreamConfig::new(negotiated, cname, rng)),
        events,
        origin: TokioInstant::now(),
        captured: vec![0; samples],
        playout: vec![0; samples],
    };
    tokio::spawn(task.run(commands));
    sender
}

/// A name for RTCP that says nothing about the person (RFC 7022 §4.2).
fn cname(ports: &Ports, mut rng: Rng) -> String {
    let name = rng.hex::<16>();
    std::format!("{}@{}", core::str::from_utf8(&name).unwrap_or_default(), ports.rtp_port)
}

struct MediaTask {
    ports: Ports,
    audio: Box<dyn AudioPort>,
    stream: Stream,
    events: CallEventSender,
    origin: TokioInstant,
    captured: Vec<i16>,
    playout: Vec<i16>,
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
                    next = self.frames(next);
                    sleep.as_mut().reset(next);
                }
                command = commands.recv() => match command {
                    Some(command) => self.handle_command(command),
                    None => break,
                },
                received = self.ports.rtp.recv_from(&mut rtp) => {
                    if let Some((source, datagram)) = datagram(received, &rtp) {
                        self.stream.handle_rtp(self.now(), source, datagram);
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

    fn frame(&mut self, now: Instant) {
        self.audio.read(&mut self.captured);
        self.stream.capture(now, &self.captured);
        self.playout.fill(0);
        self.stream.playout(now, &mut self.playout);
        self.audio.write(&self.playout);
        if self.stream.poll_timeout().is_some_and(|at| at <= now) {
            self.stream.handle_timeout(now);
        }
        self.flush();
    }

    fn flush(&mut self) {
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
            if let StreamEvent::Dtmf { digit, .. } = event {
                self.events.send(CallEvent::Dtmf(digit));
            }
        }
    }

    fn handle_command(&mut self, command: MediaCommand) {
        match command {
            MediaCommand::Update { negotiated, held } => {
                self.stream.update(self.now(), *negotiated);
                self.stream.set_muted(held);
            }
            MediaCommand::Dtmf { digits, reply } => {
                let now = self.now();
                let queued = digits.chars().all(|digit| self.stream.send_dtmf(now, digit, DTMF_DURATION));
                reply.send(if queued { Ok(()) } else { Err(Error::NoMedia) }).ok();
            }
            MediaCommand::Stats { reply } => {
                reply.send(Ok(self.stream.stats())).ok();
            }
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
