//! From packets to the ear.

use super::digits::{DigitReceiver, Heard};
use super::events::Events;
use super::{StreamConfig, StreamEvent, rated};
use crate::dtmf::Digit;
use crate::jitter::{DelayLimits, Incoming, JitterBuffer, PayloadDecoder};
use crate::redundancy;
use crate::rtp::{Packet, Received, RemoteSource};
use crate::sdp::{Format, Negotiated};
use sidetone_codecs::{Decoder, cn, find_static};
use sidetone_hal::time::Instant;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handled {
    /// It was taken, or came twice.
    Taken,
    /// It is of another source than the one that is heard.
    Other,
    /// It is no list of blocks, where it should be one.
    Malformed,
}

pub(super) struct ReceiveChain {
    decoders: Decoders,
    jitter: JitterBuffer,
    limits: DelayLimits,
    sample_rate: u32,
    source: Option<RemoteSource>,
    digits: DigitReceiver,
    /// The number of packets that repeat others (RFC 2198), and their clock.
    redundancy: Option<(u8, u32)>,
    receiving: bool,
    pub(super) octets: u64,
}

impl ReceiveChain {
    pub(super) fn new(config: &StreamConfig) -> Self {
        let sample_rate = rated::receive_rate(&config.negotiated, config.pcm_rate);
        let mut chain = Self {
            decoders: Decoders::default(),
            jitter: JitterBuffer::new(sample_rate, config.delay),
            limits: config.delay,
            sample_rate,
            source: None,
            digits: DigitReceiver::new(config.dtmf),
            redundancy: None,
            receiving: false,
            octets: 0,
        };
        chain.update(&config.negotiated, config.pcm_rate);
        chain
    }

    /// Takes a new agreement; `pcm_rate` is the rate at which speech is heard.
    pub(super) fn update(&mut self, negotiated: &Negotiated, pcm_rate: u32) {
        let sample_rate = rated::receive_rate(negotiated, pcm_rate);
        if self.sample_rate != sample_rate {
            self.sample_rate = sample_rate;
            self.jitter = JitterBuffer::new(self.sample_rate, self.limits);
        }
        self.decoders.update(negotiated, sample_rate);
        self.digits.update(negotiated, sample_rate);
        let red = negotiated.redundancy;
        self.redundancy = red.map(|red| (red.receive_payload_type, negotiated.codec.rtp_clock));
        self.receiving = negotiated.direction.receives();
        if !self.receiving {
            self.jitter.restart();
        }
    }

    /// Samples a second that [`playout`](Self::playout) gives.
    pub(super) const fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    pub(super) const fn source(&self) -> Option<&RemoteSource> {
        self.source.as_ref()
    }

    pub(super) const fn source_mut(&mut self) -> Option<&mut RemoteSource> {
        self.source.as_mut()
    }

    pub(super) const fn jitter(&self) -> &JitterBuffer {
        &self.jitter
    }

    /// Whether a payload type means anything here.
    pub(super) fn knows(&self, payload_type: u8) -> bool {
        self.event_clock(payload_type).is_some()
            || self.decoders.index_of(payload_type).is_some()
            || self.redundancy.is_some_and(|(number, _)| number == payload_type)
    }

    /// Ticks a second of the events under a payload type; none if it stands for something else.
    fn event_clock(&self, payload_type: u8) -> Option<u32> {
        // A number that stands for speech is speech, whatever the other side's number for events is.
        let is_speech = self.decoders.index_of(payload_type).is_some();
        self.digits.clock_of(payload_type).filter(|_| !is_speech)
    }

    /// Takes a packet whose sender and payload type are in order.
    pub(super) fn handle(&mut self, now: Instant, packet: &Packet<'_>, events: &mut Events) -> Handled {
        let clock = self.clock_of(packet.payload_type);
        let source = self.source.get_or_insert_with(|| RemoteSource::new(packet, clock));
        let sequence = match source.receive(now, packet) {
            Received::Valid(sequence) => sequence,
            Received::Begins(sequence) => {
                self.jitter.change_source();
                sequence
            }
            Received::Ignored => return Handled::Taken,
            Received::Other => return Handled::Other,
        };
        self.octets += packet.payload.len() as u64;
        if self.redundancy.is_some_and(|(payload_type, _)| payload_type == packet.payload_type) {
            return self.unfold(now, sequence, packet, events);
        }
        self.take(now, sequence, packet, false, events);
        Handled::Taken
    }

    /// Takes the packets that one of redundancy carries (RFC 2198).
    fn unfold(&mut self, now: Instant, sequence: u64, packet: &Packet<'_>, events: &mut Events) -> Handled {
        let Ok(blocks) = redundancy::blocks(packet.payload) else { return Handled::Malformed };
        // Events in their order; speech after the packet that brought it, as the jitter buffer wants it.
        let (mut primary, mut copies) = (None, [None; redundancy::MAX_GENERATIONS]);
        for block in blocks {
            if !self.knows(block.payload_type) {
                continue;
            }
            let timestamp = packet.timestamp.wrapping_sub(block.offset);
            let carried =
                Packet { payload_type: block.payload_type, timestamp, payload: block.payload, ..*packet };
            match usize::from(block.back).checked_sub(1) {
                None => primary = Some(carried),
                // Nothing was said in a pause.
                Some(_) if block.payload.is_empty() => {}
                Some(back) => {
                    if let Some(source) = &mut self.source {
                        source.recovered(sequence.saturating_sub(block.back.into()));
                    }
                    if self.event_clock(block.payload_type).is_some() {
                        self.take(now, sequence, &carried, true, events);
                    } else if let Some(place) = copies.get_mut(back) {
                        *place = Some(carried);
                    }
                }
            }
        }
        if let Some(primary) = &primary {
            self.take(now, sequence, primary, false, events);
        }
        for copy in copies.iter().rev().flatten() {
            let copy = Packet { marker: false, ..*copy };
            self.take(now, sequence, &copy, true, events);
        }
        Handled::Taken
    }

    /// Takes a packet, or a copy of one that packet `sequence` brought.
    fn take(
        &mut self,
        now: Instant,
        sequence: u64,
        packet: &Packet<'_>,
        recovered: bool,
        events: &mut Events,
    ) {
        if let Some(clock) = self.event_clock(packet.payload_type) {
            if !recovered {
                self.jitter.note_other();
            }
            if self.receiving {
                push(events, self.digits.receive(now, clock, packet.timestamp, packet.payload));
            }
            return;
        }
        let clock = self.clock_of(packet.payload_type);
        let Some(codec) = self.decoders.handle_of(packet.payload_type) else { return };
        if let Some(source) = self.source.as_mut().filter(|_| !recovered) {
            source.set_clock(clock);
            source.measure(now, packet.timestamp);
        }
        if self.receiving {
            let incoming = Incoming {
                sequence,
                timestamp: packet.timestamp,
                clock,
                codec,
                marker: packet.marker,
                recovered,
                payload: packet.payload,
            };
            self.jitter.insert(now, &incoming);
        }
    }

    /// Ticks a second of what comes under a payload type.
    fn clock_of(&self, payload_type: u8) -> u32 {
        match self.redundancy {
            Some((number, clock)) if number == payload_type => clock,
            _ => {
                let event = self.event_clock(payload_type);
                event.unwrap_or_else(|| self.decoders.clock_of(payload_type))
            }
        }
    }

    pub(super) fn playout(&mut self, now: Instant, pcm: &mut [i16], events: &mut Events) {
        if self.receiving {
            let useless = |jitter: &JitterBuffer| jitter.stats().late + jitter.stats().dropped;
            let before = useless(&self.jitter);
            self.jitter.pull(now, &mut self.decoders, pcm);
            let discarded = useless(&self.jitter) - before;
            if let Some(source) = self.source.as_mut().filter(|_| discarded > 0) {
                source.discarded(discarded);
            }
            self.digits.listen(pcm, |digit| push(events, Some(digit)));
        } else {
            pcm.fill(0);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.digits.poll_timeout()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, events: &mut Events) {
        push(events, self.digits.handle_timeout(now));
    }
}

fn push(events: &mut Events, heard: Option<Heard>) {
    if let Some((Digit { digit, duration }, way)) = heard {
        events.push(StreamEvent::Dtmf { digit, duration, way });
    }
}

/// The decoders of all formats that may come.
#[derive(Default)]
struct Decoders {
    known: Vec<Known>,
    /// Those of the agreement before, for packets that came under it and still wait.
    before: Vec<Known>,
    /// The handle of the one that was used last, and conceals.
    current: u8,
    next_handle: u8,
    /// The rate of all that they give.
    sample_rate: u32,
    /// Comfort noise that was made and not yet heard: less than a frame.
    noise: Vec<i16>,
}

struct Known {
    /// What packets in the jitter buffer name it by: payload types may stand for something else after a re-offer.
    handle: u8,
    format: Format,
    decoder: Box<dyn Decoder>,
}

impl Decoders {
    fn update(&mut self, negotiated: &Negotiated, sample_rate: u32) {
        let mut before = core::mem::take(&mut self.known);
        if core::mem::replace(&mut self.sample_rate, sample_rate) != sample_rate {
            before.clear();
        }
        for format in formats(negotiated) {
            let known = match before.iter().position(|known| known.format == format) {
                Some(index) => before.swap_remove(index),
                None => {
                    let Some(decoder) = rated::decoder(&format, sample_rate) else { continue };
                    self.next_handle = self.next_handle.wrapping_add(1);
                    Known { handle: self.next_handle, format, decoder }
                }
            };
            self.known.push(known);
        }
        self.before = before;
        if self.current().is_none() {
            self.current = self.known.first().map_or(0, |known| known.handle);
        }
        let decoders = self.known.iter().chain(&self.before);
        let frame = decoders.map(|known| known.decoder.frame_samples()).max().unwrap_or(0);
        // What `rest` may hold: a frame, and what is less than the 10 ms that are asked for.
        self.noise = Vec::with_capacity(frame + sample_rate as usize / 100);
    }

    fn index_of(&self, payload_type: u8) -> Option<usize> {
        self.known.iter().position(|known| known.format.payload_type == payload_type)
    }

    fn handle_of(&self, payload_type: u8) -> Option<u8> {
        self.known.get(self.index_of(payload_type)?).map(|known| known.handle)
    }

    fn find(&mut self, handle: u8) -> Option<&mut Known> {
        self.known.iter_mut().chain(&mut self.before).find(|known| known.handle == handle)
    }

    fn current(&mut self) -> Option<&mut Known> {
        self.find(self.current)
    }

    fn clock_of(&self, payload_type: u8) -> u32 {
        let known = self.index_of(payload_type).and_then(|index| self.known.get(index));
        let spec = known.map(|known| known.format.codec).or_else(|| find_static(payload_type));
        spec.map_or(8000, |spec| spec.rtp_clock)
    }
}

/// What may come: the codecs, and comfort noise (RFC 3389). Under its static number that comes from some who never said
/// so.
fn formats(negotiated: &Negotiated) -> Vec<Format> {
    let mut formats = negotiated.receive.clone();
    let mut add = |payload_type: u8, clock: u32| {
        let spec = if clock == cn::SPEC.rtp_clock { &cn::SPEC } else { &cn::WIDE_SPEC };
        let is_new = formats.iter().all(|format| format.payload_type != payload_type);
        if is_new && spec.rtp_clock == clock {
            formats.push(Format::new(payload_type, spec));
        }
    };
    for side in &negotiated.noise {
        add(side.payload_type, side.clock);
    }
    if let Some(payload_type) =
        cn::SPEC.payload_type.filter(|_| negotiated.codec.rtp_clock == cn::SPEC.rtp_clock)
    {
        add(payload_type, cn::SPEC.rtp_clock);
    }
    formats
}

impl PayloadDecoder for Decoders {
    fn decode(&mut self, codec: u8, payload: &[u8], pcm: &mut [i16]) -> usize {
        self.noise.clear();
        let Some(known) = self.find(codec) else { return 0 };
        let decoded = known.decoder.decode(payload, pcm).unwrap_or(0);
        self.current = codec;
        decoded
    }

    fn conceal(&mut self, wanted: usize, pcm: &mut [i16]) -> usize {
        let Some(Known { decoder, .. }) = self.current() else { return 0 };
        let frame = decoder.frame_samples().max(1);
        let count = wanted.next_multiple_of(frame).min(pcm.len() / frame * frame);
        pcm.get_mut(..count).and_then(|pcm| decoder.conceal(pcm).ok()).unwrap_or(0)
    }

    fn rest(&mut self, pcm: &mut [i16]) {
        let mut noise = core::mem::take(&mut self.noise);
        match self.current().filter(|known| known.decoder.is_resting()) {
            None => pcm.fill(0),
            Some(Known { decoder, .. }) => {
                let frame = decoder.frame_samples().max(1);
                while noise.len() < pcm.len() {
                    let made = noise.len();
                    noise.resize(made + frame, 0);
                    // A whole frame: the only error there is cannot be.
                    let _ = noise.get_mut(made..).map(|frame| decoder.conceal(frame));
                }
                let heard = noise.drain(..pcm.len());
                pcm.iter_mut().zip(heard).for_each(|(sample, noise)| *sample = noise);
            }
        }
        self.noise = noise;
    }

    fn reset(&mut self) {
        self.known.iter_mut().chain(&mut self.before).for_each(|known| known.decoder.reset());
        self.noise.clear();
    }
}
