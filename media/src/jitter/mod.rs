//! The adaptive jitter buffer: packets in as they come, an even 10 ms out as the ear asks.
//!
//! Four parts, each for itself: storage ([`Buffer`]), how long to hold back ([`DelayEstimator`]), what to do
//! next ([`Situation::decide`]), and the decoded speech that steps of one pitch period are taken in.
//! [`JitterBuffer`] joins them. Clock drift needs no part of its own: the estimator's base follows it and the
//! steps make up for it.

mod buffer;
mod delay;
mod playout;
mod speech;
#[cfg(test)]
mod tests;

pub use buffer::{Buffer, MAX_PACKETS, MAX_PAYLOAD, Stored, Waiting};
pub use delay::{DelayEstimator, DelayLimits};
pub use playout::{Decision, Situation};

use sidetone_hal::time::{Duration, Instant};
use speech::Speech;

/// A transit that differs from the base by this much is another clock, not lateness.
const CLOCK_JUMP: Duration = Duration::from_secs(2);
/// No step within this time after one.
const SETTLE: Duration = Duration::from_millis(40);

/// What the jitter buffer needs of codecs.
pub trait PayloadDecoder {
    /// Decodes into the start of `pcm`; returns the samples written, 0 if it cannot.
    fn decode(&mut self, payload_type: u8, payload: &[u8], pcm: &mut [i16]) -> usize;

    /// Invents a whole number of codec frames, at least `wanted` samples if `pcm` holds them; returns the
    /// samples written.
    fn conceal(&mut self, wanted: usize, pcm: &mut [i16]) -> usize;

    /// Fills `pcm` while nothing is expected: silence, or the comfort noise of a sender that rests.
    fn rest(&mut self, pcm: &mut [i16]) {
        pcm.fill(0);
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterStats {
    /// Packets that came after their time.
    pub late: u64,
    /// Packets that did not fit (too long, or the buffer was full), or that did not decode.
    pub dropped: u64,
    /// Samples played while speech was expected.
    pub played: u64,
    /// Samples invented among them.
    pub concealed: u64,
    /// Times that speech was shortened by one step.
    pub shortened: u64,
    /// Times that it was lengthened.
    pub lengthened: u64,
}

/// The jitter buffer of one source.
#[derive(Clone, Debug)]
pub struct JitterBuffer {
    sample_rate: u32,
    buffer: Buffer,
    delay: DelayEstimator,
    speech: Speech,
    active: bool,
    /// The last packet that was put in: its number, timestamp and place.
    latest: Option<(u64, u32, i64)>,
    /// The number of the last packet that was decoded or given up.
    taken: u64,
    /// Packets of another kind between the last two of speech, as telephone events.
    others: u64,
    /// Samples invented since the last packet was decoded; a loss or the sender's silence.
    invented: u64,
    /// How many of them took the place of samples of the sender; the others only waited for them.
    replaced: u64,
    settle: Instant,
    stats: JitterStats,
}

impl JitterBuffer {
    /// A buffer for speech of `sample_rate` samples a second.
    #[must_use]
    pub fn new(sample_rate: u32, limits: DelayLimits) -> Self {
        Self {
            sample_rate,
            buffer: Buffer::new(),
            delay: DelayEstimator::new(limits),
            speech: Speech::new(sample_rate),
            active: false,
            latest: None,
            taken: 0,
            others: 0,
            invented: 0,
            replaced: 0,
            settle: Instant::ZERO,
            stats: JitterStats::default(),
        }
    }

    /// Forgets packets and clocks: the source is another. Counters, and what was learned of lateness, stay.
    pub fn restart(&mut self) {
        self.buffer.clear();
        self.delay.rebase();
        self.active = false;
        self.latest = None;
        self.taken = 0;
        self.others = 0;
        self.invented = 0;
        self.replaced = 0;
    }

    /// What was counted.
    #[must_use]
    pub const fn stats(&self) -> &JitterStats {
        &self.stats
    }

    /// How long speech is held back after the earliest arrival, as aimed at.
    #[must_use]
    pub fn target(&self) -> Duration {
        self.delay.target()
    }

    /// How long it is held back now; zero while quiet.
    #[must_use]
    pub fn current_delay(&self, now: Instant) -> Duration {
        if self.active { self.delay_at(now, self.speech.position()) } else { Duration::ZERO }
    }

    /// A packet of another kind took the next number: its absence here is no loss.
    pub const fn note_other(&mut self) {
        self.others += 1;
    }

    /// A packet of speech. `sequence` counts beyond 16 bits, `timestamp` has `clock` ticks a second.
    pub fn insert(
        &mut self,
        now: Instant,
        sequence: u64,
        timestamp: u32,
        clock: u32,
        payload_type: u8,
        payload: &[u8],
    ) {
        let position = match self.latest {
            Some((_, before, position)) => {
                let ticks = i64::from(timestamp.wrapping_sub(before) as i32);
                position + ticks * i64::from(self.sample_rate) / i64::from(clock.max(1))
            }
            None => 0,
        };
        if self.is_other_clock(now, position) {
            self.restart();
            return self.insert(now, sequence, timestamp, clock, payload_type, payload);
        }
        let explained = self.follow(sequence);
        if self.latest.is_none_or(|(latest, ..)| sequence > latest) {
            self.latest = Some((sequence, timestamp, position));
        }
        self.delay.receive(now, self.micros(position));
        if self.taken >= sequence {
            self.stats.late += 1;
            return;
        }
        if explained {
            self.forgive(position);
        }
        match self.buffer.insert(Waiting { sequence, position, payload_type }, payload) {
            Stored::Yes | Stored::Duplicate => {}
            Stored::OldestDropped | Stored::TooLong => self.stats.dropped += 1,
        }
    }

    /// Fills `out` with what is to be heard now.
    pub fn pull(&mut self, now: Instant, decoder: &mut impl PayloadDecoder, out: &mut [i16]) {
        let frame = out.len();
        let mut filled = 0;
        // Each round plays at least a sample, takes a packet, or ends.
        while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            self.decode_ahead(decoder, rest.len());
            let whole = filled == 0;
            match self.situation(now, rest.len(), whole).decide() {
                Decision::Quiet => {
                    decoder.rest(rest);
                    return;
                }
                Decision::Begin => {
                    let Some((first, _)) = self.buffer.first() else { return rest.fill(0) };
                    self.speech.begin(first.position);
                    self.active = true;
                    self.settle = now;
                    continue;
                }
                Decision::Stop => {
                    self.active = false;
                    continue;
                }
                Decision::Shorten { force } if self.speech.shorten(rest, force) => {
                    self.stats.shortened += 1;
                    self.settle = now + SETTLE;
                    filled = frame;
                    self.stats.played += frame as u64;
                }
                Decision::Lengthen { force } if self.speech.lengthen(rest, force) => {
                    self.stats.lengthened += 1;
                    self.settle = now + SETTLE;
                    filled = frame;
                    self.stats.played += frame as u64;
                }
                Decision::Play | Decision::Shorten { .. } | Decision::Lengthen { .. } => {
                    filled += self.play(rest);
                }
                decision @ (Decision::Conceal | Decision::Hold) => {
                    let played = self.play(rest);
                    filled += played;
                    if played == 0 && self.invent(decoder, rest.len(), decision == Decision::Conceal) == 0 {
                        rest.fill(0);
                        return;
                    }
                }
            }
        }
    }

    fn play(&mut self, out: &mut [i16]) -> usize {
        let played = self.speech.play(out);
        self.stats.played += played as u64;
        played
    }

    /// Decodes packets that join on to what is decoded, as far as a step may look.
    fn decode_ahead(&mut self, decoder: &mut impl PayloadDecoder, frame: usize) {
        while self.active && self.speech.ahead() < self.speech.look_ahead(frame) {
            let Some((waiting, payload)) = self.buffer.first() else { return };
            let overlap = self.speech.end() - waiting.position;
            if overlap < 0 {
                return;
            }
            let mut decoded = 0;
            self.speech.append(self.speech.most_decoded(), true, |pcm| {
                decoded = decoder.decode(waiting.payload_type, payload, pcm);
                (decoded, overlap.min(decoded as i64) as usize)
            });
            if decoded == 0 {
                self.stats.dropped += 1;
            }
            if decoded > 0 && overlap >= decoded as i64 {
                self.stats.late += 1;
            } else {
                self.settle_invented();
            }
            self.taken = waiting.sequence;
            self.buffer.drop_first();
        }
    }

    /// Invents speech up to the next packet, a frame at most; returns how many samples.
    fn invent(&mut self, decoder: &mut impl PayloadDecoder, wanted: usize, moves: bool) -> usize {
        let hole = self.buffer.first().map(|(first, _)| (first.position - self.speech.end()).max(1) as usize);
        let wanted = hole.map_or(wanted, |hole| hole.min(wanted));
        let mut invented = 0;
        self.speech.append(self.speech.most_decoded(), moves, |pcm| {
            invented = decoder.conceal(wanted, pcm);
            (invented, 0)
        });
        self.invented += invented as u64;
        self.replaced += if moves { invented as u64 } else { 0 };
        invented
    }

    /// A packet joined on: what was invented before it was a loss.
    const fn settle_invented(&mut self) {
        self.stats.concealed += self.invented;
        self.invented = 0;
        self.replaced = 0;
    }

    /// Counts the numbers between this packet and the latest; true if packets of other kinds account for all.
    fn follow(&mut self, sequence: u64) -> bool {
        let Some((latest, ..)) = self.latest.filter(|(latest, ..)| sequence > *latest) else { return false };
        let missing = (sequence - latest - 1).saturating_sub(self.others);
        self.others = 0;
        missing == 0
    }

    /// No packet is missing before the one at `position`, so the sender was silent there: as much of what
    /// was invented was silence, not loss.
    fn forgive(&mut self, position: i64) {
        // A packet that is merely late leaves no pause.
        let pause = (position - (self.speech.end() - self.replaced as i64)).max(0) as u64;
        if self.buffer.is_empty() && pause > 0 {
            let silence = if pause >= self.replaced { self.invented } else { pause };
            self.invented -= silence;
            self.replaced -= silence.min(self.replaced);
        }
    }

    fn is_other_clock(&self, now: Instant, position: i64) -> bool {
        let (Some(base), Some(_)) = (self.delay.base(), self.latest) else { return false };
        let off = (now.as_micros() as i64 - self.micros(position)).saturating_sub(base);
        // Nothing comes before the earliest, and between stretches of speech a pause of the clock does no harm.
        let limit = if self.active && off > 0 { CLOCK_JUMP } else { CLOCK_JUMP / 8 };
        off.unsigned_abs() > limit.as_micros() as u64
    }

    fn situation(&self, now: Instant, frame: usize, whole: bool) -> Situation {
        let first = self.buffer.first().map(|(first, _)| first.position);
        let position = if self.active { Some(self.speech.position()) } else { first };
        Situation {
            delay: position.map_or(Duration::ZERO, |position| self.delay_at(now, position)),
            target: self.delay.target(),
            active: self.active,
            ready: self.speech.ahead() >= frame,
            waiting: first.is_some(),
            settling: !whole || now < self.settle,
            invented: Duration::from_micros(self.invented * 1_000_000 / u64::from(self.sample_rate)),
        }
    }

    /// How long after the earliest arrival of its kind the sample at `position` is heard, if it is heard now.
    fn delay_at(&self, now: Instant, position: i64) -> Duration {
        let base = self.delay.base().unwrap_or_default();
        let delay = now.as_micros() as i64 - self.micros(position) - base;
        Duration::from_micros(delay.max(0) as u64)
    }

    /// A place on the time line in microseconds; the time line begins anew before this could overflow.
    fn micros(&self, position: i64) -> i64 {
        position.saturating_mul(1_000_000) / i64::from(self.sample_rate)
    }
}
