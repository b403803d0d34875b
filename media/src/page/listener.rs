//! Listens to pages and plays the one that counts.

use super::selector::{PacketFate, PageEvent, Selector};
use super::{LOWEST_PRIORITY, PageAddress, PageRules, PhoneState, Priority};
use crate::jitter::DelayLimits;
use crate::resample::is_pcm_rate;
use crate::rtp::Packet;
use crate::sdp::Format;
use crate::{Direction, Negotiated, Stream, StreamConfig, StreamStats};
use core::net::SocketAddr;
use core::time::Duration;
use sidetone_codecs::ALL;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;

/// An address to listen to, and what the screen shows while a page of it plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// Group and port; none where the list has a gap, which keeps the priorities of those behind it.
    pub address: Option<PageAddress>,
    /// For the screen.
    pub label: String,
}

/// How pages are listened to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListenConfig {
    /// The addresses, the one of priority 1 first; [`LOWEST_PRIORITY`] of them at most. Of two equal ones the first
    /// counts.
    pub addresses: Vec<ListenAddress>,
    /// Which page plays.
    pub rules: PageRules,
    /// A page is over when nothing of it comes for so long. 1 s by default.
    pub timeout: Duration,
    /// What payload types stand for: there is no signalling that says it. By default the static ones of RFC 3551 that
    /// this build has codecs for.
    pub formats: Vec<Format>,
    /// Samples a second that [`PageListener::playout`] gives.
    pub pcm_rate: u32,
    /// How long speech may be held back against jitter.
    pub delay: DelayLimits,
}

impl ListenConfig {
    /// The usual settings.
    #[must_use]
    pub fn new(addresses: Vec<ListenAddress>, pcm_rate: u32) -> Self {
        Self {
            addresses,
            rules: PageRules::default(),
            timeout: Duration::from_secs(1),
            formats: static_formats(),
            pcm_rate,
            delay: DelayLimits::default(),
        }
    }
}

/// Every codec of this build that has a payload type of its own.
fn static_formats() -> Vec<Format> {
    let mono = ALL.iter().filter(|codec| codec.channels == 1);
    mono.filter_map(|codec| Some(Format::new(codec.payload_type?, codec))).collect()
}

/// Why pages cannot be listened to or sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// The list is too long.
    #[error("{0} listening addresses: expected 31 at most")]
    TooMany(usize),
    /// Sound cannot have this rate.
    #[error("{0} samples a second: expected a multiple of 100 from 8000 to 192 000")]
    Rate(u32),
    /// Listeners could not know what is sent: the codec has no static payload type (RFC 3551 §6).
    #[error("{0} has no payload type of its own, so listeners cannot know it")]
    Codec(&'static str),
}

/// Plays pages: datagrams of the listening addresses in, sound of the one that counts out.
///
/// Between pages it has no stream and gives silence. When a page begins it makes one, which takes memory once; while the
/// page plays nothing is allocated.
pub struct PageListener {
    config: ListenConfig,
    selector: Selector,
    rng: Rng,
    stream: Option<Stream>,
    /// Datagrams that were no RTP or of an unknown format.
    refused: u64,
}

impl core::fmt::Debug for PageListener {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PageListener").field("selector", &self.selector).finish_non_exhaustive()
    }
}

impl PageListener {
    /// Listens as configured; the seed is for what a stream needs.
    ///
    /// # Errors
    /// [`PageError::TooMany`], [`PageError::Rate`].
    pub fn new(config: ListenConfig, rng: Rng) -> Result<Self, PageError> {
        if config.addresses.len() > usize::from(LOWEST_PRIORITY) {
            return Err(PageError::TooMany(config.addresses.len()));
        }
        if !is_pcm_rate(config.pcm_rate) {
            return Err(PageError::Rate(config.pcm_rate));
        }
        let selector = Selector::new(config.addresses.len(), config.rules, config.timeout);
        Ok(Self { config, selector, rng, stream: None, refused: 0 })
    }

    /// What is to be listened to, with its priority; of equal addresses the first.
    pub fn addresses(&self) -> impl Iterator<Item = (Priority, PageAddress)> {
        let all =
            || self.config.addresses.iter().zip(1_u8..).filter_map(|(row, at)| Some((at, row.address?)));
        all().filter(move |(at, address)| !all().any(|(earlier, same)| earlier < *at && same == *address))
    }

    /// The label of a listening address, for the screen.
    #[must_use]
    pub fn label(&self, priority: Priority) -> Option<&str> {
        let index = usize::from(priority.checked_sub(1)?);
        self.config.addresses.get(index).map(|row| row.label.as_str())
    }

    /// The page that plays.
    #[must_use]
    pub const fn playing(&self) -> Option<Priority> {
        self.selector.playing()
    }

    /// A datagram came to the listening address of this priority.
    pub fn handle_rtp(&mut self, now: Instant, priority: Priority, source: SocketAddr, datagram: &[u8]) {
        let packet = Packet::parse(datagram).ok();
        let format = |packet: &Packet<'_>| {
            self.config.formats.iter().find(|format| format.payload_type == packet.payload_type).copied()
        };
        let Some((packet, format)) = packet.and_then(|packet| Some((packet, format(&packet)?))) else {
            self.refused += 1;
            return;
        };
        match self.selector.handle(now, priority, source, &packet) {
            PacketFate::Drop => {}
            PacketFate::Begin => {
                self.stream = Some(self.stream_of(format, source));
                self.feed(now, source, datagram);
            }
            PacketFate::Play => self.feed(now, source, datagram),
        }
    }

    fn stream_of(&mut self, format: Format, source: SocketAddr) -> Stream {
        let mut negotiated = Negotiated::new(format.codec, format.payload_type, source);
        negotiated.direction = Direction::RecvOnly;
        negotiated.receive.clone_from(&self.config.formats);
        // Nobody reports to a sender that asked nobody.
        negotiated.remote_rtcp = None;
        let mut config = StreamConfig::new(negotiated, "page", self.rng.fork());
        super::without_digits(&mut config);
        config.pcm_rate = self.config.pcm_rate;
        config.delay = self.config.delay;
        Stream::new(config)
    }

    fn feed(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) {
        if let Some(stream) = &mut self.stream {
            stream.handle_rtp(now, source, datagram);
            while stream.poll_event().is_some() {}
        }
    }

    /// Fills `pcm`, as a rule 10 ms, with what is to be heard of pages: silence while none plays. Whether one does.
    pub fn playout(&mut self, now: Instant, pcm: &mut [i16]) -> bool {
        self.handle_timeout(now);
        match &mut self.stream {
            Some(stream) if self.selector.playing().is_some() => {
                stream.playout(now, pcm);
                while stream.poll_transmit().is_some() {}
                true
            }
            _ => {
                pcm.fill(0);
                false
            }
        }
    }

    /// A call began or ended, and so on.
    pub fn set_phone(&mut self, now: Instant, phone: PhoneState) {
        self.selector.set_phone(now, phone);
    }

    /// The rules changed.
    pub fn set_rules(&mut self, now: Instant, rules: PageRules) {
        self.config.rules = rules;
        self.selector.set_rules(now, rules);
    }

    /// The user has heard enough of the page that plays.
    pub fn dismiss(&mut self, now: Instant) {
        self.selector.dismiss(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.selector.poll_timeout()
    }

    /// Ends the page whose sender fell silent.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.selector.handle_timeout(now);
    }

    /// What was decided next.
    pub fn poll_event(&mut self) -> Option<PageEvent> {
        self.selector.poll_event()
    }

    /// What was counted of the page that plays or played last.
    #[must_use]
    pub fn stats(&self) -> Option<StreamStats> {
        self.stream.as_ref().map(Stream::stats)
    }

    /// Datagrams that were no RTP, or of a format that is not known here.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }
}
