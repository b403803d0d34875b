//! From the microphone to packets.

use super::outbox::Outbox;
use super::{Channel, MAX_PTIME};
use crate::dtmf::{DtmfSender, digit_of};
use crate::rtp::Sender;
use crate::sdp::Negotiated;
use crate::tone::{Generator, dtmf};
use core::net::SocketAddr;
use core::time::Duration;
use sidetone_codecs::{CodecSpec, Encoder, Fmtp};
use sidetone_hal::rng::Rng;

pub(super) struct SendChain {
    spec: &'static CodecSpec,
    fmtp: Fmtp,
    encoder: Box<dyn Encoder>,
    payload_type: u8,
    dtmf_payload_type: Option<u8>,
    packet_samples: usize,
    sending: bool,
    muted: bool,
    /// Samples of the next packet.
    pending: Vec<i16>,
    payload: Vec<u8>,
    /// The next packet of speech begins a talk spurt.
    marker: bool,
    rtp: Sender,
    dtmf: DtmfSender,
    /// A digit that is sounded in the speech itself, because the other side takes no events.
    tone: Option<Generator>,
}

impl SendChain {
    pub(super) fn new(negotiated: &Negotiated, rng: &mut Rng) -> Self {
        let spec = negotiated.codec;
        let mut chain = Self {
            spec,
            fmtp: negotiated.fmtp,
            encoder: spec.encoder_with(&negotiated.fmtp),
            payload_type: negotiated.payload_type,
            dtmf_payload_type: None,
            packet_samples: 0,
            sending: false,
            muted: false,
            pending: Vec::with_capacity(spec.samples(MAX_PTIME)),
            payload: vec![0; spec.octets(MAX_PTIME)],
            marker: true,
            rtp: Sender::new(rng),
            dtmf: DtmfSender::new(),
            tone: None,
        };
        chain.update(negotiated);
        chain
    }

    pub(super) fn update(&mut self, negotiated: &Negotiated) {
        if self.spec != negotiated.codec || self.fmtp != negotiated.fmtp {
            self.spec = negotiated.codec;
            self.fmtp = negotiated.fmtp;
            self.encoder = self.spec.encoder_with(&self.fmtp);
            self.pending = Vec::with_capacity(self.spec.samples(MAX_PTIME));
            self.payload = vec![0; self.spec.octets(MAX_PTIME)];
        }
        self.payload_type = negotiated.payload_type;
        // Events share the clock of the speech; only 8 kHz is negotiated for them.
        self.dtmf_payload_type = negotiated.dtmf_payload_type.filter(|_| self.spec.rtp_clock == 8000);
        let frame = self.encoder.frame_samples().max(1);
        let wanted = self.spec.samples(u32::from(negotiated.ptime).clamp(10, MAX_PTIME));
        self.packet_samples = (wanted / frame).max(1) * frame;
        self.sending = negotiated.direction.sends();
        if !self.sending {
            self.dtmf.clear();
            self.marker = true;
        }
    }

    pub(super) const fn rtp(&self) -> &Sender {
        &self.rtp
    }

    pub(super) const fn rtp_mut(&mut self) -> &mut Sender {
        &mut self.rtp
    }

    pub(super) const fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
    }

    pub(super) fn send_dtmf(&mut self, digit: char, duration: Duration) -> bool {
        self.sending && self.dtmf.push(digit, duration)
    }

    pub(super) fn is_dtmf_busy(&self) -> bool {
        self.dtmf.is_busy()
    }

    /// Takes samples, and makes a packet of every `ptime` of them.
    pub(super) fn capture(&mut self, pcm: &[i16], destination: Option<SocketAddr>, outbox: &mut Outbox) {
        let mut pcm = pcm.iter();
        loop {
            let room = self.packet_samples.saturating_sub(self.pending.len());
            self.pending.extend(pcm.by_ref().take(room).map(|sample| if self.muted { 0 } else { *sample }));
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
        if self.dtmf.is_busy() {
            let event = self.dtmf.packet(now, now.wrapping_add(ticks));
            if let Some(payload_type) = self.dtmf_payload_type {
                if let Some(packet) = event {
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
            self.sound(event.map(|packet| (packet.marker, packet.event.code, packet.event.end)));
        }
        self.speech(now, destination, outbox);
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

    /// Puts a digit's tone in place of the speech; a first packet begins it, one after its end is silent.
    fn sound(&mut self, event: Option<(bool, u8, bool)>) {
        if let Some((true, code, _)) = event {
            let tone = digit_of(code).and_then(dtmf);
            self.tone = tone.map(|tone| Generator::with_level(tone, self.spec.sample_rate, -8.0));
        }
        match (&mut self.tone, event) {
            (Some(generator), Some(_)) => {
                generator.fill(&mut self.pending);
            }
            _ => self.pending.fill(0),
        }
        if event.is_some_and(|(_, _, end)| end) {
            self.tone = None;
        }
    }
}
