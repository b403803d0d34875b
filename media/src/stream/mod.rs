//! One audio stream: microphone samples in, RTP out; RTP in, samples for the ear out.

mod events;
mod latch;
mod outbox;
mod receive;
mod report;
mod send;

use crate::jitter::DelayLimits;
use crate::rtp::Packet;
use crate::sdp::Negotiated;
use crate::stats::StreamStats;
use core::net::SocketAddr;
use core::time::Duration;
use events::Events;
use latch::{Latch, Verdict};
use outbox::Outbox;
use receive::ReceiveChain;
use report::Reporter;
use send::SendChain;
use sidetone_hal::audio::AudioHandler;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_hal::timer::Soonest;

/// The most milliseconds of speech in a packet that we send.
const MAX_PTIME: u32 = 60;

/// What a [`Stream`] starts from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StreamConfig {
    /// What offer and answer agreed on.
    pub negotiated: Negotiated,
    /// The canonical name that RTCP gives us, as `user@host` (RFC 3550 §6.5.1).
    pub cname: String,
    /// Where SSRC, first sequence number and timestamp, and RTCP intervals come from.
    pub rng: Rng,
    /// Sends where the other side's packets come from, if that is not where SDP says (symmetric RTP, RFC 4961).
    pub symmetric: bool,
    /// How long speech may be held back against jitter.
    pub delay: DelayLimits,
}

impl StreamConfig {
    /// The usual settings.
    #[must_use]
    pub fn new(negotiated: Negotiated, cname: impl Into<String>, rng: Rng) -> Self {
        Self { negotiated, cname: cname.into(), rng, symmetric: true, delay: DelayLimits::default() }
    }
}

/// Which of the two sockets of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The socket of the media itself.
    Rtp,
    /// The socket of reports about it.
    Rtcp,
}

/// A packet to send, borrowed from the stream until the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaTransmit<'a> {
    /// The socket to send from.
    pub channel: Channel,
    /// Where to.
    pub destination: SocketAddr,
    /// What.
    pub payload: &'a [u8],
}

/// What a stream has to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEvent {
    /// The first RTP packet of the other side was taken.
    FirstPacket {
        /// Where it came from.
        source: SocketAddr,
    },
    /// RTP comes from, and goes to, another address from now on.
    RemoteChanged {
        /// The new address.
        address: SocketAddr,
    },
    /// A digit was sent to us, and is over.
    Dtmf {
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
        /// How long the key was held.
        duration: Duration,
    },
    /// The other side's RTCP says that it ends.
    Bye,
}

/// One audio stream, driven by two clocks: the network's, by [`handle_rtp`](Self::handle_rtp),
/// [`handle_rtcp`](Self::handle_rtcp) and [`handle_timeout`](Self::handle_timeout), and the sound card's, by
/// [`capture`](Self::capture) and [`playout`](Self::playout). After each of them fetch what is to be sent and told.
///
/// It takes its memory when it is made, and by [`update`](Self::update); nothing else allocates.
pub struct Stream {
    negotiated: Negotiated,
    sender: SendChain,
    receiver: ReceiveChain,
    reporter: Reporter,
    latch: Latch,
    outbox: Outbox,
    events: Events,
    heard: bool,
    /// Our SSRC was changed because the other side has the same; once, for an echo would have it again.
    collided: bool,
    /// Sent before our SSRC changed.
    sent_before: (u64, u64),
    now: Instant,
}

impl core::fmt::Debug for Stream {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Stream").field("negotiated", &self.negotiated).finish_non_exhaustive()
    }
}

impl Stream {
    /// A stream as agreed on.
    #[must_use]
    pub fn new(mut config: StreamConfig) -> Self {
        let negotiated = config.negotiated.clone();
        let sender = SendChain::new(&negotiated, &mut config.rng);
        let receiver = ReceiveChain::new(&config);
        let codec = negotiated.codec;
        Self {
            sender,
            receiver,
            reporter: Reporter::new(config.cname, config.rng, codec.bit_rate, codec.rtp_clock),
            latch: Latch::new(config.symmetric, negotiated.remote_rtp, negotiated.remote_rtcp),
            outbox: Outbox::new(),
            events: Events::new(),
            heard: false,
            collided: false,
            sent_before: (0, 0),
            now: Instant::ZERO,
            negotiated,
        }
    }

    /// Samples a second that [`capture`](Self::capture) takes and [`playout`](Self::playout) gives.
    #[must_use]
    pub const fn sample_rate(&self) -> u32 {
        self.negotiated.codec.sample_rate
    }

    /// What was agreed on last.
    #[must_use]
    pub const fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// What goes on was agreed on anew: codec, addresses, direction or packet time are taken over, and what is
    /// the same stays as it is.
    pub fn update(&mut self, now: Instant, negotiated: Negotiated) {
        self.now(now);
        self.sender.update(&negotiated);
        self.receiver.update(&negotiated);
        self.reporter.set_clock(negotiated.codec.rtp_clock);
        self.latch.update(negotiated.remote_rtp, negotiated.remote_rtcp);
        self.negotiated = negotiated;
    }

    /// A datagram came to the RTP socket. What is not ours is counted and dropped.
    pub fn handle_rtp(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) {
        self.now(now);
        let known = Packet::parse(datagram).ok().filter(|packet| self.receiver.knows(packet.payload_type));
        let Some(packet) = known else {
            self.receiver.refused += 1;
            return;
        };
        match self.latch.check(now, source, packet.ssrc, packet.sequence) {
            Verdict::Refuse => {
                self.receiver.refused += 1;
                return;
            }
            Verdict::Accept => {}
            Verdict::Follow if !core::mem::replace(&mut self.heard, true) => {
                self.events.push(StreamEvent::FirstPacket { source });
                if self.negotiated.remote_rtp != Some(source) {
                    self.events.push(StreamEvent::RemoteChanged { address: source });
                }
            }
            Verdict::Follow => self.events.push(StreamEvent::RemoteChanged { address: source }),
        }
        if packet.ssrc == self.sender.rtp().ssrc() && !core::mem::replace(&mut self.collided, true) {
            let rtp = self.sender.rtp_mut();
            self.sent_before = (rtp.packets(), rtp.octets());
            rtp.change_ssrc(self.reporter.rng());
        }
        self.receiver.handle(now, &packet, &mut self.events);
    }

    /// A datagram came to the RTCP socket.
    pub fn handle_rtcp(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) {
        self.now(now);
        let ours = self.sender.rtp().ssrc();
        let taken = self.latch.check_rtcp(source)
            && self.reporter.handle(now, datagram, ours, self.receiver.source_mut(), &mut self.events);
        self.receiver.refused += u64::from(!taken);
    }

    /// Takes what the microphone heard, as a rule 10 ms. Packets come out every `ptime`.
    pub fn capture(&mut self, now: Instant, pcm: &[i16]) {
        self.now(now);
        // After c=0.0.0.0 nothing is sent even to an address that was learned (RFC 3264 §8.4).
        let destination = self.latch.destination().filter(|_| self.negotiated.remote_rtp.is_some());
        self.sender.capture(pcm, destination, &mut self.outbox);
    }

    /// Gives what is to be heard, as a rule 10 ms; silence while nothing comes.
    pub fn playout(&mut self, now: Instant, pcm: &mut [i16]) {
        self.now(now);
        let frame = self.negotiated.codec.samples(10).max(1);
        for frame in pcm.chunks_mut(frame) {
            self.receiver.playout(now, frame);
        }
    }

    /// Queues a digit (`0`-`9`, `*`, `#`, `A`-`D`) to be sent for `duration`, 40 ms at least: as an event
    /// (RFC 4733) if the other side takes those, else as a tone in the speech. False if it is no digit, 32 wait
    /// already, or we do not send.
    pub fn send_dtmf(&mut self, now: Instant, digit: char, duration: Duration) -> bool {
        self.now(now);
        self.sender.send_dtmf(digit, duration)
    }

    /// Whether digits are still being sent.
    #[must_use]
    pub fn is_dtmf_busy(&self) -> bool {
        self.sender.is_dtmf_busy()
    }

    /// Sends silence in place of what the microphone hears.
    pub const fn set_muted(&mut self, muted: bool) {
        self.sender.set_muted(muted);
    }

    /// Says BYE by RTCP, and reports no more.
    pub fn close(&mut self, now: Instant) {
        self.now(now);
        let destination = self.rtcp_destination();
        let rtp = self.sender.rtp();
        self.reporter.close(now, rtp, self.receiver.source_mut(), destination, &mut self.outbox);
    }

    /// The next packet to send.
    pub fn poll_transmit(&mut self) -> Option<MediaTransmit<'_>> {
        self.outbox.pop()
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<StreamEvent> {
        self.events.pop()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); none before the stream was first called with a time.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.reporter.poll_timeout().soonest(self.receiver.poll_timeout())
    }

    /// Reports by RTCP when that is due, and ends digits whose end was lost.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now(now);
        self.receiver.handle_timeout(now, &mut self.events);
        let destination = self.rtcp_destination();
        let rtp = self.sender.rtp();
        self.reporter.handle_timeout(now, rtp, self.receiver.source_mut(), destination, &mut self.outbox);
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> StreamStats {
        let (rtp, jitter) = (self.sender.rtp(), self.receiver.jitter());
        let source = self.receiver.source();
        let samples = |count: u64| Duration::from_micros(count * 1_000_000 / u64::from(self.sample_rate()));
        StreamStats {
            codec: self.negotiated.codec,
            packets_sent: self.sent_before.0 + rtp.packets(),
            octets_sent: self.sent_before.1 + rtp.octets(),
            packets_received: source.map_or(0, |source| source.received()),
            octets_received: self.receiver.octets,
            packets_lost: source.map_or(0, |source| source.lost()),
            packets_late: jitter.stats().late,
            packets_duplicate: source.map_or(0, |source| source.duplicates()),
            packets_refused: self.receiver.refused,
            packets_dropped: jitter.stats().dropped,
            concealed: samples(jitter.stats().concealed),
            played: samples(jitter.stats().played),
            playout_delay: jitter.current_delay(self.now),
            jitter: source.map_or(Duration::ZERO, |source| source.jitter().duration()),
            remote_jitter: self.reporter.remote_jitter,
            remote_lost: self.reporter.remote_lost,
            round_trip: self.reporter.round_trip,
        }
    }

    fn rtcp_destination(&self) -> Option<SocketAddr> {
        self.latch.rtcp_destination().filter(|_| self.negotiated.remote_rtcp.is_some())
    }

    fn now(&mut self, now: Instant) {
        self.now = now;
        self.reporter.start(now);
    }
}

impl AudioHandler for Stream {
    /// [`capture`](Stream::capture), then [`playout`](Stream::playout), and what timed out.
    fn process(&mut self, now: Instant, captured: &[i16], playout: &mut [i16]) {
        self.capture(now, captured);
        self.playout(now, playout);
        if self.poll_timeout().is_some_and(|at| at <= now) {
            self.handle_timeout(now);
        }
    }
}
