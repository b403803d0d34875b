//! One audio stream: microphone samples in, RTP out; RTP in, samples for the ear out.

mod alive;
mod digits;
mod events;
mod latch;
mod outbox;
mod pcm;
mod rated;
mod receive;
pub mod relay;
mod report;
mod secure;
mod send;
mod silence;

use crate::jitter::DelayLimits;
use crate::quality::{CallQuality, QualityReport};
use crate::rtcp::is_rtcp;
use crate::rtp::{HeaderExtras, Packet, Refusals};
use crate::sdp::Negotiated;
use crate::srtp::SrtpKeys;
use crate::stats::StreamStats;
use alive::Alive;
pub use alive::{KeepAlive, KeepAliveKind};
use core::net::SocketAddr;
use core::time::Duration;
pub use digits::{DtmfHearing, DtmfWay, StreamDtmf};
use events::Events;
use latch::{Latch, Verdict};
pub use latch::{LatchConfig, SourcePolicy};
use outbox::Outbox;
use pcm::PcmSide;
pub use pcm::StreamLevels;
use receive::{Handled, ReceiveChain};
pub use report::RtcpConfig;
use report::{Reporter, Situation, Taken};
use secure::Secure;
use send::SendChain;
use sidetone_hal::audio::AudioHandler;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_hal::timer::Soonest;
pub use silence::SilenceSuppression;

/// What is played at a time.
const FRAME: Duration = Duration::from_millis(10);
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
    /// Whose packets are taken, and what makes another address than SDP's believed.
    pub latch: LatchConfig,
    /// How we report.
    pub rtcp: RtcpConfig,
    /// What keeps a NAT's binding alive while no RTP is sent (RFC 6263); nothing by default.
    pub keep_alive: Option<KeepAlive>,
    /// How long speech may be held back against jitter.
    pub delay: DelayLimits,
    /// What is sent while nobody speaks.
    pub silence: SilenceSuppression,
    /// How digits are sent and heard.
    pub dtmf: StreamDtmf,
    /// Keys of SRTP that do not come from SDP, as those of DTLS; they go before what [`Negotiated::srtp`] says.
    pub srtp: Option<SrtpKeys>,
    /// Samples a second that [`Stream::capture`] takes and [`Stream::playout`] gives, whatever the codec's rate is and
    /// becomes: one of [`RATES`](crate::resample::RATES), or another that [`is_pcm_rate`](crate::resample::is_pcm_rate)
    /// takes. Any other counts as the codec's.
    pub pcm_rate: u32,
}

impl StreamConfig {
    /// The usual settings; the PCM side has the codec's rate.
    #[must_use]
    pub fn new(negotiated: Negotiated, cname: impl Into<String>, rng: Rng) -> Self {
        let pcm_rate = negotiated.codec.sample_rate;
        let delay = DelayLimits::default();
        Self {
            negotiated,
            cname: cname.into(),
            rng,
            symmetric: true,
            latch: LatchConfig::default(),
            rtcp: RtcpConfig::default(),
            keep_alive: None,
            delay,
            silence: SilenceSuppression::default(),
            dtmf: StreamDtmf::default(),
            srtp: None,
            pcm_rate,
        }
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
        /// As an event, or in the speech.
        way: DtmfWay,
    },
    /// The other side's RTCP says that it ends.
    Bye,
    /// The keys of SRTP come to the end of their life ([`Outbound::is_ending`](crate::srtp::Outbound::is_ending)):
    /// time for a re-offer with new ones. After their end nothing is sent, and nothing taken.
    SrtpKeysEnding,
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
    pcm: PcmSide,
    reporter: Reporter,
    latch: Latch,
    outbox: Outbox,
    secure: Secure,
    events: Events,
    alive: Alive,
    delay: DelayLimits,
    refusals: Refusals,
    /// Packets that came with our own SSRC.
    own_ssrc: u64,
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
        let sender = SendChain::new(&negotiated, config.silence, config.dtmf, &mut config.rng);
        let receiver = ReceiveChain::new(&config);
        let pcm = PcmSide::new(config.pcm_rate, negotiated.codec.sample_rate, receiver.sample_rate());
        let (mut outbox, mut secure) = (Outbox::new(), Secure::new());
        match &config.srtp {
            Some(keys) => secure.give(Some(keys), &negotiated, outbox.protection()),
            None => secure.agree(&negotiated, outbox.protection()),
        }
        outbox.set_mux(negotiated.rtcp_mux);
        let (rtp, rtcp) = (negotiated.remote_rtp, negotiated.remote_rtcp);
        Self {
            sender,
            receiver,
            pcm,
            reporter: Reporter::new(config.cname, config.rtcp, config.rng, &negotiated),
            latch: Latch::new(config.symmetric, config.latch, rtp, rtcp, negotiated.rtcp_mux),
            alive: Alive::new(config.keep_alive),
            delay: config.delay,
            refusals: Refusals::default(),
            own_ssrc: 0,
            outbox,
            secure,
            events: Events::new(),
            heard: false,
            collided: false,
            sent_before: (0, 0),
            now: Instant::ZERO,
            negotiated,
        }
    }

    /// Samples a second that [`capture`](Self::capture) takes and [`playout`](Self::playout) gives:
    /// [`StreamConfig::pcm_rate`], for as long as the stream lives.
    #[must_use]
    pub const fn sample_rate(&self) -> u32 {
        self.pcm.rate()
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
        self.receiver.update(&negotiated, self.pcm.rate());
        self.pcm.update(negotiated.codec.sample_rate, self.receiver.sample_rate());
        self.reporter.update(&negotiated);
        self.latch.update(negotiated.remote_rtp, negotiated.remote_rtcp, negotiated.rtcp_mux);
        self.outbox.set_mux(negotiated.rtcp_mux);
        if let Some(source) = self.receiver.source_mut() {
            // As after a transfer.
            source.expect_change();
        }
        self.secure.agree(&negotiated, self.outbox.protection());
        self.negotiated = negotiated;
    }

    /// Takes keys of SRTP that do not come from SDP, as those of DTLS; or, with none, goes by what was agreed on
    /// last. What is the same stays as it is.
    pub fn set_srtp(&mut self, now: Instant, keys: Option<&SrtpKeys>) {
        self.now(now);
        self.secure.give(keys, &self.negotiated, self.outbox.protection());
    }

    /// A datagram came to the RTP socket. What is not ours is counted and dropped.
    pub fn handle_rtp(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) {
        if self.negotiated.rtcp_mux && is_rtcp(datagram) {
            return self.handle_rtcp(now, source, datagram);
        }
        self.now(now);
        if self.secure.is_clear() {
            return self.take_rtp(now, source, datagram);
        }
        let mut opened = self.secure.take_buffer();
        match self.secure.open(Channel::Rtp, datagram, &mut opened) {
            true => self.take_rtp(now, source, &opened),
            false => self.refusals.authentication += 1,
        }
        self.secure.put_back(opened);
    }

    fn take_rtp(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) {
        let packet = match Packet::parse(datagram) {
            Ok(packet) => packet,
            // A keep-alive is no refusal (RFC 6263 §4.1).
            Err(_) if datagram.is_empty() => return,
            Err(error) => return self.refusals.not_rtp(&error),
        };
        if !self.receiver.knows(packet.payload_type) {
            self.refusals.payload_type += 1;
            return;
        }
        match self.latch.check(now, source, packet.ssrc, packet.sequence) {
            Verdict::Refuse => {
                self.refusals.stranger += 1;
                return;
            }
            Verdict::Accept => {}
            Verdict::Follow => self.follow(source),
        }
        if packet.ssrc == self.sender.rtp().ssrc() {
            self.own_ssrc += 1;
            self.collide();
        }
        self.reporter.heard(now, packet.ssrc, contributors(datagram));
        match self.receiver.handle(now, &packet, &mut self.events) {
            Handled::Taken => {}
            Handled::Other => self.refusals.other_source += 1,
            Handled::Malformed => self.refusals.truncated += 1,
        }
    }

    /// RTP comes from another address from now on, or from the first.
    fn follow(&mut self, source: SocketAddr) {
        let first = !core::mem::replace(&mut self.heard, true);
        if first {
            self.events.push(StreamEvent::FirstPacket { source });
        }
        if !first || self.negotiated.remote_rtp != Some(source) {
            self.events.push(StreamEvent::RemoteChanged { address: source });
        }
        if let Some(source) = self.receiver.source_mut() {
            source.expect_change();
        }
    }

    /// Another has our SSRC (RFC 3550 §8.2): we say BYE for it and take another. If what comes has that one again, it is
    /// our own and comes back from a loop; it is heard, as an echo test wants it, and changes nothing.
    fn collide(&mut self) {
        if core::mem::replace(&mut self.collided, true) {
            return;
        }
        let destination = self.rtcp_destination();
        let rtp = self.sender.rtp_mut();
        if rtp.packets() > 0 {
            self.reporter.give_up(rtp.ssrc(), destination, &mut self.outbox);
        }
        self.sent_before = (rtp.packets(), rtp.octets());
        rtp.change_ssrc(self.reporter.rng());
    }

    /// A datagram came to the RTCP socket.
    pub fn handle_rtcp(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) {
        self.now(now);
        if self.secure.is_clear() {
            return self.take_rtcp(now, source, datagram);
        }
        let mut opened = self.secure.take_buffer();
        match self.secure.open(Channel::Rtcp, datagram, &mut opened) {
            true => self.take_rtcp(now, source, &opened),
            false => self.refusals.authentication += 1,
        }
        self.secure.put_back(opened);
    }

    fn take_rtcp(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) {
        let ours = self.sender.rtp().ssrc();
        let taken = match self.latch.check_rtcp(source) {
            true => self.reporter.handle(now, datagram, ours, self.receiver.source_mut(), &mut self.events),
            false => Taken::No,
        };
        match taken {
            Taken::Yes => {}
            Taken::No => self.refusals.rtcp += 1,
            Taken::Collision => {
                self.own_ssrc += 1;
                self.collide();
            }
        }
    }

    /// Takes what the microphone heard, as a rule 10 ms. Packets come out every `ptime`.
    pub fn capture(&mut self, now: Instant, pcm: &[i16]) {
        self.now(now);
        // After c=0.0.0.0 nothing is sent even to an address that was learned (RFC 3264 §8.4).
        let destination = self.latch.destination().filter(|_| self.negotiated.remote_rtp.is_some());
        let (sender, outbox) = (&mut self.sender, &mut self.outbox);
        self.pcm.capture(pcm, |pcm| sender.capture(pcm, destination, outbox));
        self.alive.look(now, self.sender.rtp().packets());
    }

    /// Gives what is to be heard, as a rule 10 ms; silence while nothing comes.
    pub fn playout(&mut self, now: Instant, pcm: &mut [i16]) {
        self.now(now);
        let (receiver, events) = (&mut self.receiver, &mut self.events);
        self.pcm.playout(pcm, |frame| receiver.playout(now, frame, events));
    }

    /// Queues a digit (`0`-`9`, `*`, `#`, `A`-`D`) to be sent for `duration`, 40 ms at least: as an event
    /// (RFC 4733) if the other side takes those, else as a tone in the speech. False if it is no digit, 32 wait
    /// already, or we do not send.
    pub fn send_dtmf(&mut self, now: Instant, digit: char, duration: Duration) -> bool {
        self.now(now);
        self.sender.send_dtmf(digit, duration, None)
    }

    /// As [`send_dtmf`](Self::send_dtmf), but with [`DtmfWay::Speech`] as a tone even to who takes events. An event that
    /// cannot be sent when its turn comes is a tone all the same.
    pub fn send_dtmf_by(&mut self, now: Instant, way: DtmfWay, digit: char, duration: Duration) -> bool {
        self.now(now);
        self.sender.send_dtmf(digit, duration, Some(way))
    }

    /// Whether digits are still being sent.
    #[must_use]
    pub fn is_dtmf_busy(&self) -> bool {
        self.sender.is_dtmf_busy()
    }

    /// Sends silence in place of what the microphone hears; within 15 ms, so that no click is sent.
    pub fn set_muted(&mut self, muted: bool) {
        self.pcm.microphone.set_muted(muted);
    }

    /// How much louder than captured it is sent, in dB, -60 to 12; 0 at the beginning.
    pub fn set_capture_volume(&mut self, db: f32) {
        self.pcm.microphone.set_db(db);
    }

    /// How much louder than received it is played, in dB, -60 to 12; 0 at the beginning.
    pub fn set_playout_volume(&mut self, db: f32) {
        self.pcm.ear.set_db(db);
    }

    /// The levels of both ways.
    #[must_use]
    pub fn levels(&self) -> StreamLevels {
        self.pcm.levels()
    }

    /// Says BYE by RTCP, and reports no more.
    pub fn close(&mut self, now: Instant) {
        self.now(now);
        self.alive.stop();
        let (destination, quality) = (self.rtcp_destination(), self.local_quality());
        let (sender, source) = (self.sender.rtp(), self.receiver.source_mut());
        let situation = Situation { sender, source, destination, quality: &quality };
        self.reporter.close(now, situation, &mut self.outbox);
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
        self.reporter.poll_timeout().soonest(self.receiver.poll_timeout()).soonest(self.alive.poll_timeout())
    }

    /// Reports by RTCP when that is due, and ends digits whose end was lost.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now(now);
        self.receiver.handle_timeout(now, &mut self.events);
        let rtp = self.latch.destination().filter(|_| self.negotiated.remote_rtp.is_some());
        self.alive.handle_timeout(now, rtp, &mut self.sender, &mut self.outbox);
        if self.reporter.is_due(now) {
            let (destination, quality) = (self.rtcp_destination(), self.local_quality());
            let (sender, source) = (self.sender.rtp(), self.receiver.source_mut());
            let situation = Situation { sender, source, destination, quality: &quality };
            self.reporter.handle_timeout(now, situation, &mut self.outbox);
        }
    }

    /// How the call sounds at both ends, as far as it is known: for who wants to see it, and for a report (RFC 6035).
    #[must_use]
    pub fn quality(&self) -> QualityReport {
        let codec = self.negotiated.codec;
        let packet_time = Duration::from_millis(self.negotiated.ptime.into());
        let reporter = &self.reporter;
        let remote = match (&reporter.remote_metrics, &reporter.remote_block) {
            (Some(metrics), block) => {
                let mut quality = CallQuality::of_voip_metrics(codec, packet_time, metrics);
                quality.jitter = block.and(reporter.remote_jitter).unwrap_or_default();
                Some(quality)
            }
            (None, Some(block)) => {
                let (jitter, sent) =
                    (reporter.remote_jitter.unwrap_or_default(), self.sender.rtp().packets());
                Some(CallQuality::of_report(codec, sent, block, jitter, reporter.round_trip))
            }
            (None, None) => None,
        };
        QualityReport::new(self.local_quality(), remote)
    }

    fn local_quality(&self) -> CallQuality {
        let jitter = self.receiver.jitter();
        let mut quality = CallQuality::new(self.negotiated.codec);
        quality.packet_time = Duration::from_millis(self.negotiated.ptime.into());
        if let Some(source) = self.receiver.source() {
            let bursts = source.bursts();
            quality.loss = bursts.loss();
            quality.discard = bursts.discard();
            quality.bursts = bursts.bursts();
            quality.jitter = source.jitter();
        }
        quality.round_trip = self.reporter.round_trip;
        quality.buffer_delay = match jitter.current_delay(self.now) {
            Duration::ZERO => jitter.target(),
            delay => delay,
        };
        quality.buffer_maximum = self.delay.max;
        // A packet is full after its time; then what is held back; then the frame that is played.
        quality.end_system_delay = quality.packet_time + quality.buffer_delay + FRAME;
        quality.rate()
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> StreamStats {
        let (rtp, jitter) = (self.sender.rtp(), self.receiver.jitter());
        let source = self.receiver.source();
        let rate = u64::from(self.receiver.sample_rate().max(1));
        let samples = |count: u64| Duration::from_micros(count * 1_000_000 / rate);
        StreamStats {
            codec: self.negotiated.codec,
            packets_sent: self.sent_before.0 + rtp.packets(),
            octets_sent: self.sent_before.1 + rtp.octets(),
            packets_received: source.map_or(0, |source| source.received()),
            octets_received: self.receiver.octets,
            packets_lost: source.map_or(0, |source| source.lost()),
            packets_late: jitter.stats().late,
            packets_duplicate: source.map_or(0, |source| source.duplicates()),
            packets_refused: self.refusals.total(),
            refusals: self.refusals,
            packets_own_ssrc: self.own_ssrc,
            packets_recovered: jitter.stats().recovered,
            quality: self.quality(),
            packets_dropped: jitter.stats().dropped,
            concealed: samples(jitter.stats().concealed),
            played: samples(jitter.stats().played),
            playout_delay: jitter.current_delay(self.now),
            jitter: source.map_or(Duration::ZERO, |source| source.jitter()),
            remote_jitter: self.reporter.remote_jitter,
            remote_lost: self.reporter.remote_lost,
            round_trip: self.reporter.round_trip,
            srtp: self.secure.suite(),
            packets_unauthentic: self.secure.unauthentic,
            packets_replayed: self.secure.replayed,
        }
    }

    fn rtcp_destination(&self) -> Option<SocketAddr> {
        self.latch.rtcp_destination().filter(|_| self.negotiated.remote_rtcp.is_some())
    }

    fn now(&mut self, now: Instant) {
        self.now = now;
        self.reporter.start(now);
        if self.secure.poll_ending(self.outbox.protection()) {
            self.events.push(StreamEvent::SrtpKeysEnding);
        }
    }
}

/// The contributing sources of a packet.
fn contributors(datagram: &[u8]) -> impl Iterator<Item = u32> {
    // Hardly any packet has some.
    let mixed = datagram.first().is_some_and(|first| first & 15 != 0);
    let extras = if mixed { HeaderExtras::parse(datagram).ok() } else { None };
    extras.into_iter().flat_map(|extras| extras.contributors())
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
