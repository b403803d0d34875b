//! What a jitter buffer makes of a trace, in virtual time: what is heard, and every decision on the way.
//!
//! Speech is a function of the sample's number, so that what is heard can be held against what was said. A packet
//! names its samples; losses are concealed as for G.711 (Appendix I).

use super::trace::{Slot, Trace};
use super::{Decision, DelayLimits, Incoming, JitterBuffer, JitterStats, PayloadDecoder};
use sidetone_codecs::plc::{Concealer, HISTORY_8K};
use sidetone_hal::time::{Duration, Instant};

/// How a trace is replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayConfig {
    /// The delay that the buffer may take.
    pub limits: DelayLimits,
    /// 8000, 16 000, 32 000 or 48 000 samples a second; any other is taken as 8000.
    pub sample_rate: u32,
    /// By how much the ear's frames of 10 ms begin after the sender's packets.
    pub phase: Duration,
}

impl Default for ReplayConfig {
    /// Adaptive, 8000 samples a second, 3 ms.
    fn default() -> Self {
        Self { limits: DelayLimits::default(), sample_rate: 8000, phase: Duration::from_millis(3) }
    }
}

/// 10 ms of what is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// When, from the sending of the first packet on.
    pub at: Duration,
    /// What was decided last for it.
    pub decision: Decision,
    /// From sending to the ear, of the sample at its end; none while quiet.
    pub delay: Option<Duration>,
    /// What the buffer aimed at, after the earliest arrival.
    pub target: Duration,
    /// Shortened (below zero) or lengthened by so many samples.
    pub stretched: i32,
}

/// A packet on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flight {
    /// When it was sent.
    pub sent: Duration,
    /// When it arrived; none if it was lost.
    pub arrived: Option<Duration>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// Every 10 ms of it.
    pub ticks: Vec<Tick>,
    /// Every packet that was sent.
    pub flights: Vec<Flight>,
    /// What was heard.
    pub heard: Vec<i16>,
    /// What the buffer counted.
    pub stats: JitterStats,
    /// The drift that it measured, in millionths.
    pub drift_ppm: f32,
}

impl Replay {
    /// Plays `trace`; `speech` is what is said, by the number of the sample on the sender's clock.
    pub fn new(trace: &Trace, config: ReplayConfig, speech: impl FnMut(i64) -> i16) -> Self {
        match config.sample_rate {
            16_000 => run::<{ 2 * HISTORY_8K }>(trace, config, 16_000, speech),
            32_000 => run::<{ 4 * HISTORY_8K }>(trace, config, 32_000, speech),
            48_000 => run::<{ 6 * HISTORY_8K }>(trace, config, 48_000, speech),
            _ => run::<HISTORY_8K>(trace, config, 8000, speech),
        }
    }

    /// The mean delay from sending to the ear.
    #[must_use]
    pub fn mean_delay(&self) -> Duration {
        let (count, sum) =
            self.delays().fold((0_u32, Duration::ZERO), |(n, sum), delay| (n + 1, sum + delay));
        sum / count.max(1)
    }

    /// The delay that so many of 100 ticks stay within.
    #[must_use]
    pub fn delay_percentile(&self, percent: usize) -> Duration {
        let mut delays: Vec<_> = self.delays().collect();
        delays.sort_unstable();
        let index = (delays.len() * percent / 100).min(delays.len().saturating_sub(1));
        delays.get(index).copied().unwrap_or_default()
    }

    /// The share of what was played that was invented, 0 to 1.
    #[must_use]
    pub fn concealed(&self) -> f64 {
        self.stats.concealed as f64 / self.stats.played.max(1) as f64
    }

    /// The share of what was played that shortening left out or lengthening repeated, 0 to 1.
    #[must_use]
    pub fn stretched(&self) -> f64 {
        self.stats.stretched as f64 / self.stats.played.max(1) as f64
    }

    fn delays(&self) -> impl Iterator<Item = Duration> {
        self.ticks.iter().filter_map(|tick| tick.delay)
    }
}

/// A packet that arrives.
#[derive(Clone, Copy)]
struct Event {
    at: u64,
    sequence: u64,
    timestamp: u32,
    marker: bool,
    source: u32,
    /// Which packet of the trace it is, and whether it is a silence descriptor.
    index: u32,
    noise: bool,
    /// The packet it brings a copy of, and by how many ticks that is older.
    copy: Option<(u32, u32)>,
}

/// When a sample is said, and how the ear's clock runs beside.
struct Clock {
    rate: i64,
    drift: i64,
}

impl Clock {
    /// When the sample at `position` is sent, in microseconds of the ear's clock.
    fn sent(&self, position: i64) -> i64 {
        let sender = position * 1_000_000 / self.rate;
        sender + sender * self.drift / 1_000_000
    }
}

fn run<const HISTORY: usize>(
    trace: &Trace,
    config: ReplayConfig,
    sample_rate: u32,
    speech: impl FnMut(i64) -> i16,
) -> Replay {
    let clock = Clock { rate: i64::from(sample_rate), drift: i64::from(trace.drift) };
    let step = sample_rate as usize / 1000 * usize::from(trace.ptime.max(1));
    let (mut events, flights) = events(trace, &clock, step);
    events.sort_by_key(|event| event.at);
    let mut decoder = Sampled { speech, step, concealer: Concealer::<HISTORY>::new() };
    let mut jitter = JitterBuffer::new(sample_rate, config.limits);
    let mut replay = Replay {
        ticks: Vec::new(),
        flights,
        heard: Vec::new(),
        stats: JitterStats::default(),
        drift_ppm: 0.0,
    };
    let frame = sample_rate as usize / 100;
    let slots = trace.slots.iter().filter(|slot| slot.takes_time()).count();
    // What was sent last is waited for as long as it may take.
    let last = events.last().map_or(0, |event| event.at).max(clock.sent((slots * step) as i64).max(0) as u64);
    let end = last + config.limits.max.max(config.limits.normal).as_micros() as u64 + 200_000;
    let mut waiting = events.into_iter().peekable();
    let mut source = 0;
    // Where the buffer's time line begins.
    let mut begin = waiting.peek().map_or(0, |event| event.index);
    let mut at = config.phase.as_micros() as u64;
    while at < end {
        while let Some(event) = waiting.next_if(|event| event.at <= at) {
            if event.source != source {
                source = event.source;
                jitter.change_source();
            }
            let restarts = jitter.stats().restarts;
            deliver(&mut jitter, &event, sample_rate);
            if jitter.stats().restarts > restarts {
                begin = event.index;
            }
        }
        let before = (jitter.position(), jitter.stats().stretched, jitter.stats().shortened);
        let from = replay.heard.len();
        replay.heard.resize(from + frame, 0);
        let now = Instant::from_micros(at);
        jitter.pull(now, &mut decoder, replay.heard.get_mut(from..).unwrap_or_default());
        let stretched = (jitter.stats().stretched - before.1) as i32;
        let shortened = jitter.stats().shortened > before.2;
        replay.ticks.push(Tick {
            at: Duration::from_micros(at),
            decision: jitter.decision(),
            delay: jitter.position().map(|position| {
                let sent = clock.sent(position + i64::from(begin) * step as i64);
                Duration::from_micros((at as i64 + 10_000 - sent).max(0) as u64)
            }),
            target: jitter.target(),
            stretched: if shortened { -stretched } else { stretched },
        });
        at += 10_000;
    }
    replay.stats = *jitter.stats();
    replay.drift_ppm = jitter.drift_ppm();
    replay
}

/// What is sent, with its arrivals.
fn events(trace: &Trace, clock: &Clock, step: usize) -> (Vec<Event>, Vec<Flight>) {
    let mut events = Vec::new();
    let mut flights = Vec::new();
    // Numbers and timestamps that wrap soon.
    let (mut sequence, mut jumped, mut source, mut marker) = (65_000_u64, u32::MAX - 40_000, 0, true);
    let mut index = 0_u32;
    for slot in &trace.slots {
        let position = i64::from(index) * step as i64;
        let sent = clock.sent(position).max(0) as u64;
        let event = Event {
            at: 0,
            sequence,
            timestamp: jumped.wrapping_add(position as u32),
            marker,
            source,
            index,
            noise: false,
            copy: None,
        };
        let after = |delay: Duration| sent + delay.as_micros() as u64;
        let mut flight = |arrived: Option<Duration>| {
            let arrived = arrived.map(|delay| Duration::from_micros(after(delay)));
            flights.push(Flight { sent: Duration::from_micros(sent), arrived });
        };
        match *slot {
            Slot::Packet { delay, again, copy } => {
                let older = index.checked_sub(copy.into()).filter(|_| copy > 0);
                let copy = older.map(|older| (older, u32::from(copy) * step as u32));
                events.push(Event { at: after(delay), copy, ..event });
                events.extend(again.map(|again| Event { at: after(again), copy, ..event }));
                flight(Some(delay));
                marker = false;
            }
            Slot::Noise(delay) => {
                events.push(Event { at: after(delay), noise: true, ..event });
                flight(Some(delay));
                marker = true;
            }
            Slot::Lost => {
                flight(None);
                marker = false;
            }
            Slot::Pause => marker = true,
            Slot::Jump(ticks) => jumped = jumped.wrapping_add_signed(ticks),
            Slot::Source => {
                source += 1;
                sequence = 65_536 * u64::from(source) + 7;
                jumped = jumped.wrapping_mul(3).wrapping_add(1_000_000_007);
                marker = true;
            }
        }
        sequence += u64::from(matches!(slot, Slot::Packet { .. } | Slot::Noise(_) | Slot::Lost));
        index += u32::from(slot.takes_time());
    }
    (events, flights)
}

fn deliver(jitter: &mut JitterBuffer, event: &Event, clock: u32) {
    let octets = |index: u32, noise: bool| {
        let [a, b, c, d] = index.to_be_bytes();
        [a, b, c, d, u8::from(noise)]
    };
    let now = Instant::from_micros(event.at);
    let payload = octets(event.index, event.noise);
    let packet = Incoming {
        sequence: event.sequence,
        timestamp: event.timestamp,
        clock,
        codec: 0,
        marker: event.marker,
        recovered: false,
        payload: &payload,
    };
    jitter.insert(now, &packet);
    if let Some((index, older)) = event.copy {
        let payload = octets(index, false);
        let timestamp = event.timestamp.wrapping_sub(older);
        jitter.insert(now, &Incoming { timestamp, recovered: true, payload: &payload, ..packet });
    }
}

/// Decodes packets that name their samples.
struct Sampled<F, const HISTORY: usize> {
    speech: F,
    /// Samples of a packet.
    step: usize,
    concealer: Concealer<HISTORY>,
}

impl<F: FnMut(i64) -> i16, const HISTORY: usize> PayloadDecoder for Sampled<F, HISTORY> {
    fn decode(&mut self, _: u8, payload: &[u8], pcm: &mut [i16]) -> usize {
        let &[a, b, c, d, noise] = payload else { return 0 };
        let first = i64::from(u32::from_be_bytes([a, b, c, d])) * self.step as i64;
        let Some(pcm) = pcm.get_mut(..self.step) else { return 0 };
        for (sample, position) in pcm.iter_mut().zip(first..) {
            *sample = if noise == 0 { (self.speech)(position) } else { 0 };
        }
        self.concealer.received(pcm);
        self.step
    }

    fn conceal(&mut self, wanted: usize, pcm: &mut [i16]) -> usize {
        let Some(pcm) = pcm.get_mut(..wanted) else { return 0 };
        self.concealer.conceal(pcm);
        wanted
    }

    fn reset(&mut self) {
        self.concealer = Concealer::new();
    }
}
