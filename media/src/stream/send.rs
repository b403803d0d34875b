//! From the microphone to packets.

use super::digits::{DigitSender, DtmfWay, StreamDtmf, Turn};
use super::outbox::Outbox;
use super::silence::{Pauses, SilenceSuppression};
use super::{Channel, MAX_PTIME};
use crate::rtp::Sender;
use crate::sdp::Negotiated;
use core::net::SocketAddr;
use core::time::Duration;
use sidetone_codecs::cn::{MOST_OCTETS, Sid, Transmit};
use sidetone_codecs::{CodecSpec, Encoder, Fmtp};
use sidetone_hal::rng::Rng;

pub(super) struct SendChain {
    spec: &'static CodecSpec,
    fmtp: Fmtp,
    silence: SilenceSuppression,
    /// Pauses, where the codec does not look after them itself.
    pauses: Option<Pauses>,
    encoder: Box<dyn Encoder>,
    payload_type: u8,
    dtmf_payload_type: Option<u8>,
    packet_samples: usize,
    sending: bool,
    /// Samples of the next packet.
    pending: Vec<i16>,
    payload: Vec<u8>,
    /// The next packet of speech begins a talk spurt.
    marker: bool,
    rtp: Sender,
    digits: DigitSender,
}

impl SendChain {
    pub(super) fn new(
        negotiated: &Negotiated,
        silence: SilenceSuppression,
        dtmf: StreamDtmf,
        rng: &mut Rng,
    ) -> Self {
        let spec = negotiated.codec;
        let mut chain = Self {
            spec,
            fmtp: negotiated.fmtp,
            silence,
            pauses: Pauses::new(silence, negotiated),
            encoder: silence.encoder(spec, &negotiated.fmtp),
            payload_type: negotiated.payload_type,
            dtmf_payload_type: None,
            packet_samples: 0,
            sending: false,
            pending: Vec::with_capacity(spec.samples(MAX_PTIME)),
            payload: vec![0; spec.octets(MAX_PTIME)],
            marker: true,
            rtp: Sender::new(rng),
            digits: DigitSender::new(dtmf, spec),
        };
        chain.update(negotiated);
        chain
    }

    pub(super) fn update(&mut self, negotiated: &Negotiated) {
        let noise = self.pauses.as_ref().map(|pauses| pauses.payload_type);
        if self.spec != negotiated.codec || noise != negotiated.noise_payload_type {
            self.pauses = Pauses::new(self.silence, negotiated);
        }
        if self.spec != negotiated.codec || self.fmtp != negotiated.fmtp {
            self.spec = negotiated.codec;
            self.fmtp = negotiated.fmtp;
            self.encoder = self.silence.encoder(self.spec, &self.fmtp);
            self.pending = Vec::with_capacity(self.spec.samples(MAX_PTIME));
            self.payload = vec![0; self.spec.octets(MAX_PTIME)];
        }
        self.payload_type = negotiated.payload_type;
        self.rtp.set_redundancy(negotiated.redundancy.map(|red| (red.payload_type, red.generations)));
        // Events share the clock of the speech (RFC 4733 §2.1).
        self.dtmf_payload_type = negotiated.dtmf_payload_type;
        self.digits.update(self.spec, self.dtmf_payload_type.is_some());
        let frame = self.encoder.frame_samples().max(1);
        let wanted = self.spec.samples(u32::from(negotiated.ptime).clamp(10, MAX_PTIME));
        self.packet_samples = (wanted / frame).max(1) * frame;
        self.sending = negotiated.direction.sends();
        if !self.sending {
            self.digits.clear();
            self.marker = true;
        }
    }

    pub(super) const fn rtp(&self) -> &Sender {
        &self.rtp
    }

    pub(super) const fn rtp_mut(&mut self) -> &mut Sender {
        &mut self.rtp
    }

    pub(super) fn send_dtmf(&mut self, digit: char, duration: Duration, way: Option<DtmfWay>) -> bool {
        self.sending && self.digits.push(digit, duration, way)
    }

    pub(super) fn is_dtmf_busy(&self) -> bool {
        self.digits.is_busy()
    }

    /// Takes samples, and makes a packet of every `ptime` of them.
    pub(super) fn capture(&mut self, pcm: &[i16], destination: Option<SocketAddr>, outbox: &mut Outbox) {
        let mut pcm = pcm.iter();
        loop {
            let room = self.packet_samples.saturating_sub(self.pending.len());
            self.pending.extend(pcm.by_ref().take(room));
            if self.pending.len() < self.packet_samples {
                return;
            }
            let ticks = self.spec.ticks(self.pending.len());
            match destination.filter(|_| self.sending) {
                Some(destination) => self.packet(ticks, destination, outbox),
                None => self.marker = true,
            }
            self.rtp.advance(ticks);
            self.pending.clear();
        }
    }

    fn packet(&mut self, ticks: u32, destination: SocketAddr, outbox: &mut Outbox) {
        let now = self.rtp.timestamp();
        let digit = match self.digits.turn(now, now.wrapping_add(ticks), &mut self.pending) {
            Turn::Event(event) => {
                if let (Some(packet), Some(payload_type)) = (event, self.dtmf_payload_type) {
                    let (marker, stamp, payload) = (packet.marker, packet.timestamp, packet.event.to_bytes());
                    let rtp = &mut self.rtp;
                    outbox.push(Channel::Rtp, destination, |out| {
                        rtp.write(payload_type, marker, stamp, &payload, out).ok()
                    });
                }
                // Speech rests while digits are sent (RFC 4733 §2.5.1.2), and then begins anew.
                self.marker = true;
                return;
            }
            Turn::Speech(digit) => digit,
        };
        // A tone is no pause, however even it is.
        let pauses = self.pauses.as_mut().filter(|_| !digit);
        match pauses.map_or(Transmit::Speech, |pauses| pauses.decide(&self.pending)) {
            Transmit::Speech => self.speech(now, destination, outbox),
            Transmit::Sid(sid) => self.noise(&sid, now, destination, outbox),
            // After a pause a talk spurt begins (RFC 3551 §4.1).
            Transmit::Nothing => self.marker = true,
        }
    }

    /// Describes the noise of a pause (RFC 3389 §4); the marker is for speech.
    fn noise(&mut self, sid: &Sid, stamp: u32, destination: SocketAddr, outbox: &mut Outbox) {
        self.marker = true;
        let Some(payload_type) = self.pauses.as_ref().map(|pauses| pauses.payload_type) else { return };
        let mut octets = [0; MOST_OCTETS];
        let payload = Pauses::payload(sid, &mut octets);
        let rtp = &mut self.rtp;
        outbox
            .push(Channel::Rtp, destination, |out| rtp.write(payload_type, false, stamp, payload, out).ok());
    }

    /// Encodes what is pending: one packet, or with discontinuous transmission several, or none.
    fn speech(&mut self, mut stamp: u32, destination: SocketAddr, outbox: &mut Outbox) {
        let mut pcm = self.pending.as_slice();
        while !pcm.is_empty() {
            let Ok(encoded) = self.encoder.encode(pcm, &mut self.payload) else { return };
            let payload = self.payload.get(..encoded.octets).unwrap_or_default();
            if payload.is_empty() {
                // After a pause a talk spurt begins (RFC 3551 §4.1).
                self.marker = true;
            } else {
                let (payload_type, marker) = (self.payload_type, core::mem::take(&mut self.marker));
                let rtp = &mut self.rtp;
                outbox.push(Channel::Rtp, destination, |out| {
                    rtp.write(payload_type, marker, stamp, payload, out).ok()
                });
            }
            // An encoder that takes nothing would be asked for ever.
            let taken = encoded.samples.max(1);
            stamp = stamp.wrapping_add(self.spec.ticks(taken));
            pcm = pcm.get(taken..).unwrap_or_default();
        }
    }
}
