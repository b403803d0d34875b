//! Digits of a stream: events and tones, sent and heard.

use crate::dtmf::{
    Detected, Detector, Digit, DtmfReceiver, DtmfSendConfig, DtmfSender, EventPacket, InbandConfig,
    InbandSender, Suppressor,
};
use crate::sdp::{Negotiated, SideFormat};
use core::time::Duration;
use sidetone_codecs::CodecSpec;
use sidetone_hal::time::Instant;

/// Digits that may wait to be sent.
const QUEUE: usize = 32;

/// Which way a digit goes through a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DtmfWay {
    /// As a telephone event (RFC 4733).
    Event,
    /// As a tone in the speech (ITU-T Q.23).
    Speech,
}

/// Where a stream listens for digits beside the events that were agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DtmfHearing {
    /// Nowhere.
    Events,
    /// In the speech too, where the other side takes no events at the clock of the codec: then it sends none either.
    #[default]
    Agreed,
    /// Always in the speech too. A digit that is sent both ways is then heard twice.
    Always,
}

/// How a stream sends digits and hears them.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct StreamDtmf {
    /// The silence between two digits, both as events and in the speech (Panasonic's `DTMF_INTDIGIT_TIM`, 60 to 200 ms).
    pub gap: Duration,
    /// What events say of their power, in -dBm0: 0 to 36 (RFC 4733 §2.3.4). It is the level of the low tone in the
    /// speech too.
    pub volume: u8,
    /// How much stronger the high tone is in the speech, in dB.
    pub twist: f32,
    /// How often the last packet of an event is sent, 1 to 3.
    pub ends: u8,
    /// Where digits are heard.
    pub hearing: DtmfHearing,
    /// Takes tones of digits out of the speech that is heard where events are agreed on, so that a gateway passes none of
    /// them on twice: held back by this long, [`Suppressor::LOOKAHEAD`] to let nothing through. None by default: it takes
    /// about as much time as all of the stream's rest.
    pub suppress: Option<Duration>,
}

impl Default for StreamDtmf {
    /// 60 ms, -10 dBm0, 2 dB, three ends; heard as agreed on, suppressed nowhere.
    fn default() -> Self {
        let InbandConfig { twist, .. } = InbandConfig::default();
        let DtmfSendConfig { gap, volume, ends, .. } = DtmfSendConfig::default();
        Self { gap, volume, twist, ends, hearing: DtmfHearing::default(), suppress: None }
    }
}

/// A digit that waits.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    digit: char,
    duration: Duration,
    /// None takes an event, or a tone where none can be sent by then.
    way: Option<DtmfWay>,
}

/// What is sent in a packet's time.
pub(super) enum Turn {
    /// The speech, changed or not; whether a digit or the pause after it is in it.
    Speech(bool),
    /// No speech, but this event, or nothing.
    Event(Option<EventPacket>),
}

/// Digits that are sent, one after the other, each the way that its time allows.
pub(super) struct DigitSender {
    config: StreamDtmf,
    events: DtmfSender,
    tones: InbandSender,
    rate: u32,
    /// The other side takes events.
    agreed: bool,
    queue: [Option<Waiting>; QUEUE],
    queued: usize,
}

impl DigitSender {
    pub(super) fn new(config: StreamDtmf, codec: &CodecSpec) -> Self {
        Self {
            config,
            events: DtmfSender::with_config(event_config(&config, codec)),
            tones: InbandSender::new(codec.sample_rate, inband_config(&config)),
            rate: codec.sample_rate,
            agreed: false,
            queue: [None; QUEUE],
            queued: 0,
        }
    }

    /// The codec is another, or events are taken or no longer. What sounds ends with that; what waits goes on.
    pub(super) fn update(&mut self, codec: &CodecSpec, agreed: bool) {
        self.events.set_config(event_config(&self.config, codec));
        if self.rate != codec.sample_rate {
            self.rate = codec.sample_rate;
            self.tones = InbandSender::new(self.rate, inband_config(&self.config));
        }
        if !agreed {
            self.events.clear();
        }
        self.agreed = agreed;
    }

    /// Queues a digit; false if it is none, or 32 wait already.
    pub(super) fn push(&mut self, digit: char, duration: Duration, way: Option<DtmfWay>) -> bool {
        let slot = self.queue.get_mut(self.queued).filter(|_| crate::dtmf::event_of(digit).is_some());
        let Some(slot) = slot else { return false };
        *slot = Some(Waiting { digit, duration, way });
        self.queued += 1;
        true
    }

    pub(super) fn clear(&mut self) {
        self.queued = 0;
        self.events.clear();
        // Nothing asks it for its end any more.
        self.tones = InbandSender::new(self.rate, inband_config(&self.config));
    }

    pub(super) fn is_busy(&self) -> bool {
        self.queued > 0 || self.events.is_busy() || self.tones.is_busy()
    }

    /// What goes in the place of this speech, which lasts from timestamp `from` until `to`.
    pub(super) fn turn(&mut self, from: u32, to: u32, pcm: &mut [i16]) -> Turn {
        if !self.events.is_busy() && !self.tones.is_busy() {
            self.begin();
        }
        if self.events.is_busy() {
            return Turn::Event(self.events.packet(from, to));
        }
        Turn::Speech(self.tones.fill(pcm))
    }

    /// Takes the next digit that waits.
    fn begin(&mut self) {
        let Some(first) = self.queue.get_mut(..self.queued).unwrap_or_default().first_mut() else { return };
        let Some(Waiting { digit, duration, way }) = first.take() else { return };
        self.queue.rotate_left(1);
        self.queued -= 1;
        // A queue that is empty takes a digit.
        let _ = match way {
            Some(DtmfWay::Speech) => self.tones.push(digit, duration),
            _ if self.agreed => self.events.push(digit, duration),
            _ => self.tones.push(digit, duration),
        };
    }
}

fn event_config(config: &StreamDtmf, codec: &CodecSpec) -> DtmfSendConfig {
    DtmfSendConfig { clock: codec.rtp_clock, volume: config.volume, ends: config.ends, gap: config.gap }
}

fn inband_config(config: &StreamDtmf) -> InbandConfig {
    InbandConfig { level: -f32::from(config.volume), twist: config.twist, gap: config.gap }
}

/// What listens to the speech.
enum Ear {
    Closed,
    Detector(Box<Detector>),
    Suppressor(Box<Suppressor>),
}

/// A digit that was heard, and where.
pub(super) type Heard = (Digit, DtmfWay);

/// Digits that are heard.
pub(super) struct DigitReceiver {
    config: StreamDtmf,
    events: DtmfReceiver,
    /// The numbers that events come under.
    formats: Vec<SideFormat>,
    ear: Ear,
    /// What the speech has is told.
    told: bool,
    rate: u32,
}

impl DigitReceiver {
    pub(super) const fn new(config: StreamDtmf) -> Self {
        let ear = Ear::Closed;
        Self { config, events: DtmfReceiver::new(), formats: Vec::new(), ear, told: false, rate: 0 }
    }

    /// Takes a new agreement; speech is heard at `rate`.
    pub(super) fn update(&mut self, negotiated: &Negotiated, rate: u32) {
        let clock = negotiated.codec.rtp_clock;
        let at_clock = |payload_type| SideFormat { payload_type, clock };
        let ours = negotiated.dtmf_receive_payload_type.map(at_clock);
        let theirs = negotiated.dtmf_payload_type.map(at_clock);
        self.formats.clear();
        // Some send events under their own number and not under ours.
        let sides = ours.into_iter().chain(negotiated.events.iter().copied()).chain(theirs);
        for side in sides.chain(negotiated.remote_events.iter().copied()) {
            if self.clock_of(side.payload_type).is_none() {
                self.formats.push(side);
            }
        }
        let agreed = negotiated.dtmf_payload_type.is_some();
        self.told = match self.config.hearing {
            DtmfHearing::Events => false,
            DtmfHearing::Agreed => !agreed,
            DtmfHearing::Always => true,
        };
        let suppress = self.config.suppress.filter(|_| agreed);
        let same = self.rate == rate;
        self.rate = rate;
        match (&self.ear, suppress) {
            (Ear::Suppressor(_), Some(_)) if same => {}
            (Ear::Detector(_), None) if same && self.told => {}
            (_, Some(lookahead)) => self.ear = Ear::Suppressor(Box::new(Suppressor::new(rate, lookahead))),
            (_, None) if self.told => self.ear = Ear::Detector(Box::new(Detector::new(rate))),
            (_, None) => self.ear = Ear::Closed,
        }
    }

    /// Ticks a second of the events that come under this payload type; none if none do.
    pub(super) fn clock_of(&self, payload_type: u8) -> Option<u32> {
        self.formats.iter().find(|side| side.payload_type == payload_type).map(|side| side.clock)
    }

    /// Takes the payload of an event.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        clock: u32,
        timestamp: u32,
        payload: &[u8],
    ) -> Option<Heard> {
        self.events.set_clock(clock);
        self.events.receive(now, timestamp, payload).map(|digit| (digit, DtmfWay::Event))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.events.poll_timeout()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Heard> {
        self.events.handle_timeout(now).map(|digit| (digit, DtmfWay::Event))
    }

    /// Takes speech, 10 ms as a rule, and tells each digit that is over in it.
    pub(super) fn listen(&mut self, pcm: &mut [i16], mut tell: impl FnMut(Heard)) {
        let mut told = |event| {
            if let (Detected::End { digit, duration }, true) = (event, self.told) {
                tell((Digit { digit, duration }, DtmfWay::Speech));
            }
        };
        match &mut self.ear {
            Ear::Closed => {}
            Ear::Detector(detector) => {
                detector.process(pcm);
                core::iter::from_fn(|| detector.poll_event()).for_each(&mut told);
            }
            Ear::Suppressor(suppressor) => {
                suppressor.process(pcm, self.events.sounding().is_some());
                core::iter::from_fn(|| suppressor.poll_event()).for_each(&mut told);
            }
        }
    }
}
