//! From packets to the ear.

use super::events::Events;
use super::{StreamConfig, StreamEvent};
use crate::dtmf::{Digit, DtmfReceiver};
use crate::jitter::{DelayLimits, JitterBuffer, PayloadDecoder};
use crate::rtp::{Packet, Received, RemoteSource};
use crate::sdp::{Format, Negotiated};
use sidetone_codecs::{Decoder, find_static};
use sidetone_hal::time::Instant;

pub(super) struct ReceiveChain {
    decoders: Decoders,
    jitter: JitterBuffer,
    limits: DelayLimits,
    sample_rate: u32,
    source: Option<RemoteSource>,
    dtmf: DtmfReceiver,
    dtmf_payload_types: [Option<u8>; 2],
    receiving: bool,
    pub(super) octets: u64,
    pub(super) refused: u64,
}

impl ReceiveChain {
    pub(super) fn new(config: &StreamConfig) -> Self {
        let sample_rate = config.negotiated.codec.sample_rate;
        let mut chain = Self {
            decoders: Decoders::default(),
            jitter: JitterBuffer::new(sample_rate, config.delay),
            limits: config.delay,
            sample_rate,
            source: None,
            dtmf: DtmfReceiver::new(),
            dtmf_payload_types: [None; 2],
            receiving: false,
            octets: 0,
            refused: 0,
        };
        chain.update(&config.negotiated);
        chain
    }

    pub(super) fn update(&mut self, negotiated: &Negotiated) {
        if self.sample_rate != negotiated.codec.sample_rate {
            self.sample_rate = negotiated.codec.sample_rate;
            self.jitter = JitterBuffer::new(self.sample_rate, self.limits);
        }
        self.decoders.update(negotiated);
        // Some send events under their own number and not under ours.
        self.dtmf_payload_types = [negotiated.dtmf_receive_payload_type, negotiated.dtmf_payload_type];
        self.receiving = negotiated.direction.receives();
        if !self.receiving {
            self.jitter.restart();
        }
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
        self.is_event(payload_type) || self.decoders.index_of(payload_type).is_some()
    }

    fn is_event(&self, payload_type: u8) -> bool {
        // A number that stands for speech is speech, whatever the other side's number for events is.
        self.decoders.index_of(payload_type).is_none()
            && self.dtmf_payload_types.contains(&Some(payload_type))
    }

    /// Takes a packet whose sender and payload type are in order.
    pub(super) fn handle(&mut self, now: Instant, packet: &Packet<'_>, events: &mut Events) {
        let clock = self.decoders.clock_of(packet.payload_type);
        let source = self.source.get_or_insert_with(|| RemoteSource::new(packet, clock));
        let sequence = match source.receive(packet) {
            Received::Valid(sequence) => sequence,
            Received::Begins(sequence) => {
                self.jitter.restart();
                self.decoders.reset();
                sequence
            }
            Received::Ignored => return,
        };
        self.octets += packet.payload.len() as u64;
        if self.is_event(packet.payload_type) {
            self.jitter.note_other();
            if self.receiving {
                push(events, self.dtmf.receive(now, packet.timestamp, packet.payload));
            }
            return;
        }
        if let Some(source) = &mut self.source {
            source.measure(now, packet.timestamp);
        }
        if self.receiving {
            self.jitter.insert(now, sequence, packet.timestamp, clock, packet.payload_type, packet.payload);
        }
    }

    pub(super) fn playout(&mut self, now: Instant, pcm: &mut [i16]) {
        if self.receiving {
            self.jitter.pull(now, &mut self.decoders, pcm);
        } else {
            pcm.fill(0);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.dtmf.poll_timeout()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, events: &mut Events) {
        push(events, self.dtmf.handle_timeout(now));
    }
}

fn push(events: &mut Events, digit: Option<Digit>) {
    if let Some(Digit { digit, duration }) = digit {
        events.push(StreamEvent::Dtmf { digit, duration });
    }
}

/// The decoders of all formats that may come.
#[derive(Default)]
struct Decoders {
    known: Vec<(Format, Box<dyn Decoder>)>,
    /// The one that was used last, and conceals.
    current: usize,
    /// Comfort noise that was made and not yet heard: less than a frame.
    noise: Vec<i16>,
}

impl Decoders {
    fn update(&mut self, negotiated: &Negotiated) {
        let mut before = core::mem::take(&mut self.known);
        let used = before.get(self.current).map(|(format, _)| format.payload_type);
        for format in &negotiated.receive {
            // One stream has one rate; a codec of another is refused when it comes.
            if format.codec.sample_rate != negotiated.codec.sample_rate {
                continue;
            }
            let decoder = match before.iter().position(|(known, _)| known == format) {
                Some(index) => before.swap_remove(index).1,
                None => format.codec.decoder_with(&format.fmtp),
            };
            self.known.push((*format, decoder));
        }
        self.current = used.and_then(|number| self.index_of(number)).unwrap_or(0);
    }

    fn index_of(&self, payload_type: u8) -> Option<usize> {
        self.known.iter().position(|(format, _)| format.payload_type == payload_type)
    }

    fn clock_of(&self, payload_type: u8) -> u32 {
        let known = self.index_of(payload_type).and_then(|index| self.known.get(index));
        let spec = known.map(|(_, decoder)| decoder.spec()).or_else(|| find_static(payload_type));
        spec.map_or(8000, |spec| spec.rtp_clock)
    }

    fn reset(&mut self) {
        self.known.iter_mut().for_each(|(_, decoder)| decoder.reset());
    }
}

impl PayloadDecoder for Decoders {
    fn decode(&mut self, payload_type: u8, payload: &[u8], pcm: &mut [i16]) -> usize {
        self.noise.clear();
        let Some(index) = self.index_of(payload_type) else { return 0 };
        self.current = index;
        self.known.get_mut(index).and_then(|(_, decoder)| decoder.decode(payload, pcm).ok()).unwrap_or(0)
    }

    fn conceal(&mut self, wanted: usize, pcm: &mut [i16]) -> usize {
        let Some((_, decoder)) = self.known.get_mut(self.current) else { return 0 };
        let frame = decoder.frame_samples().max(1);
        let count = wanted.next_multiple_of(frame).min(pcm.len() / frame * frame);
        pcm.get_mut(..count).and_then(|pcm| decoder.conceal(pcm).ok()).unwrap_or(0)
    }

    fn rest(&mut self, pcm: &mut [i16]) {
        let decoder = self.known.get_mut(self.current).map(|(_, decoder)| decoder);
        let Some(decoder) = decoder.filter(|decoder| decoder.is_resting()) else { return pcm.fill(0) };
        let frame = decoder.frame_samples();
        while self.noise.len() < pcm.len() {
            let made = self.noise.len();
            self.noise.resize(made + frame, 0);
            // A whole frame: the only error there is cannot be.
            let _ = self.noise.get_mut(made..).map(|frame| decoder.conceal(frame));
        }
        let heard = self.noise.drain(..pcm.len());
        pcm.iter_mut().zip(heard).for_each(|(sample, noise)| *sample = noise);
    }
}
