//! The jitter buffer, fixed or adaptive: packets in as they come, an even 10 ms out as the ear asks.
//!
//! Four parts, each for itself and without a clock: storage ([`Buffer`]), how long to hold back
//! ([`DelayEstimator`]), what to do next ([`Situation::decide`]), and how the sender's clock drifts ([`Drift`]).
//! [`JitterBuffer`] joins them with the decoded speech, which is shortened and lengthened by pitch periods where
//! that is not heard. [`trace`] is a notation for what a network does, and [`replay`] what a buffer makes of it;
//! `examples/jitter.rs` draws it.
//!
//! What 50 ms from mouth to ear are spent on, at 20 ms packets on a network without jitter:
//!
//! | from | to | ms |
//! | --- | --- | --- |
//! | the first sample of a packet is spoken | the sound card gives the frame of 10 ms that ends the packet | 20 |
//! | | the sound card's own buffer before | 5 |
//! | sent | received, on a local network | 1 |
//! | received | the ear's sound card asks for its next frame | 0–10 |
//! | held back, for what a step of time-stretching leaves until the next pause | | 0–5 |
//! | asked for | the sound card's own buffer behind | 5 |
//! | | codec (G.711: none, G.729: 5, G.722: 1.4) | 0 |
//! | sum | | 31–46 |
//!
//! `tests/stream/jitter_listening.rs` measures all but the two sound cards.

mod buffer;
mod delay;
mod drift;
mod limits;
mod playout;
pub mod replay;
mod speech;
#[cfg(test)]
mod tests;
pub mod trace;

pub use buffer::{Buffer, MAX_MILLIS, MAX_PACKET_MILLIS, MAX_PACKETS, Stored, Waiting};
pub use delay::DelayEstimator;
pub use drift::Drift;
pub use limits::{DelayLimits, DelayLimitsError, DelayMode, MOST_DELAY};
pub use playout::{Decision, Situation};

use sidetone_hal::time::{Duration, Instant};
use speech::Speech;

/// A transit that differs from the base by this much is another clock, not lateness.
const CLOCK_JUMP: Duration = Duration::from_secs(2);
/// A packet that follows the one before at once, by number and arrival, and is so far from it by its timestamp,
/// is no speech of another time: the timestamp jumped.
const STAMP_JUMP: Duration = Duration::from_millis(250);
/// The first packet of a talk spurt that is so much later than the target allows for shows a clock that stood
/// still in the pause.
const SPURT_JUMP: Duration = Duration::from_millis(60);
/// Speech that waits this much longer than is aimed at before a stretch begins: the ear did not ask for it.
const STALE: Duration = Duration::from_millis(200);
/// No step within this time after one.
const SETTLE: Duration = Duration::from_millis(40);
/// No step back within this time after the delay grew.
const GROWN: Duration = Duration::from_secs(2);
/// The least delay of the last moments grows by this much of the time that passes: it forgets 10 ms in a second.
const STEADY: u32 = 100;

/// Packets that are remembered, to tell whether a copy brings something new.
const ARRIVALS: usize = 16;

/// A packet of speech as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming<'a> {
    /// Its number, counted on beyond 16 bits; of a recovered one, that of the packet that brought it.
    pub sequence: u64,
    /// The timestamp of its first sample.
    pub timestamp: u32,
    /// Ticks of the timestamp a second.
    pub clock: u32,
    /// Which decoder it is for: a handle of the caller's, that comes back in [`PayloadDecoder::decode`].
    pub codec: u8,
    /// It begins a talk spurt (RFC 3551 §4.1).
    pub marker: bool,
    /// It is a copy that a later packet brought (RFC 2198): it says nothing of the network's delay, and it is no
    /// loss if it comes too late. Put in the packet that brought it first.
    pub recovered: bool,
    /// The coded speech.
    pub payload: &'a [u8],
}

/// What the jitter buffer needs of codecs.
pub trait PayloadDecoder {
    /// Decodes into the start of `pcm`; returns the samples written, 0 if it cannot. `codec` is what
    /// [`Incoming::codec`] was.
    fn decode(&mut self, codec: u8, payload: &[u8], pcm: &mut [i16]) -> usize;

    /// Invents a whole number of codec frames, at least `wanted` samples if `pcm` holds them; returns the
    /// samples written.
    fn conceal(&mut self, wanted: usize, pcm: &mut [i16]) -> usize;

    /// Fills `pcm` while nothing is expected: silence, or the comfort noise of a sender that rests.
    fn rest(&mut self, pcm: &mut [i16]) {
        pcm.fill(0);
    }

    /// The next packet to be decoded is of another sender: what was decoded before has nothing to do with it.
    fn reset(&mut self) {}
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JitterStats {
    /// Packets that came after their time.
    pub late: u64,
    /// Packets that did not fit (too long, or the buffer was full), or that did not decode.
    pub dropped: u64,
    /// Packets that were there twice.
    pub duplicate: u64,
    /// Packets that were heard from a copy (RFC 2198).
    pub recovered: u64,
    /// Samples played while speech was expected.
    pub played: u64,
    /// Samples among them that were invented, or left silent where a loss was too long to invent for.
    pub concealed: u64,
    /// Times that speech was shortened by one step.
    pub shortened: u64,
    /// Times that it was lengthened.
    pub lengthened: u64,
    /// Samples left out by shortening and repeated by lengthening.
    pub stretched: u64,
    /// Talk spurts that began.
    pub spurts: u64,
    /// Times that the sender's clock began anew and the time line went on: a jump of its timestamps, another clock
    /// rate, another sender.
    pub jumps: u64,
    /// Times that all was forgotten, as nothing told how a packet fits to those before.
    pub restarts: u64,
}

/// The packet with the highest number so far.
#[derive(Clone, Copy, Debug)]
struct Latest {
    sequence: u64,
    timestamp: u32,
    clock: u32,
    position: i64,
    arrived: Instant,
    /// The source changed after it: the next packet belongs to another count and clock.
    over: bool,
}

/// The jitter buffer of one stream.
///
/// All memory is taken by [`JitterBuffer::new`]. Per packet: [`insert`](Self::insert); per 10 ms of the sound card:
/// [`pull`](Self::pull).
#[derive(Clone, Debug)]
pub struct JitterBuffer {
    sample_rate: u32,
    buffer: Buffer,
    delay: DelayEstimator,
    speech: Speech,
    active: bool,
    latest: Option<Latest>,
    /// Samples from one packet to the next.
    step: i64,
    /// The place of the last packet that was decoded or given up.
    taken: Option<i64>,
    /// Packets of another kind between the last two of speech, as telephone events.
    others: u64,
    /// Samples invented since the last packet was decoded; a loss or the sender's silence.
    invented: u64,
    /// How many of them took the place of samples of the sender; the others only waited for them.
    replaced: u64,
    settle: Instant,
    /// Until when the delay is not shortened, for it grew.
    grown: Instant,
    /// The least delay of the last moments, and when it was looked at.
    steady: (Duration, Instant),
    /// Packets from this place on are of another sender than those before.
    fresh: Option<i64>,
    /// Where speech ended when nothing came any more.
    stopped: Option<i64>,
    /// The places of the last packets that came, by themselves or as copies.
    arrivals: [Option<i64>; ARRIVALS],
    decision: Decision,
    stats: JitterStats,
}

impl JitterBuffer {
    /// A buffer for speech that is heard at `sample_rate` samples a second.
    #[must_use]
    pub fn new(sample_rate: u32, limits: DelayLimits) -> Self {
        Self {
            sample_rate,
            buffer: Buffer::new(sample_rate),
            delay: DelayEstimator::new(limits),
            speech: Speech::new(sample_rate),
            active: false,
            latest: None,
            step: i64::from(sample_rate / 50),
            taken: None,
            others: 0,
            invented: 0,
            replaced: 0,
            settle: Instant::ZERO,
            grown: Instant::ZERO,
            steady: (Duration::MAX, Instant::ZERO),
            fresh: None,
            stopped: None,
            arrivals: [None; ARRIVALS],
            decision: Decision::Quiet,
            stats: JitterStats::default(),
        }
    }

    /// Other limits of the delay; what plays goes on, and moves there by steps.
    pub fn set_limits(&mut self, limits: DelayLimits) {
        self.delay.set_limits(limits);
    }

    /// Forgets packets and clocks. Counters, and what was learned of lateness, stay.
    pub fn restart(&mut self) {
        self.buffer.clear();
        self.delay.rebase();
        self.active = false;
        self.latest = None;
        self.taken = None;
        self.others = 0;
        self.invented = 0;
        self.replaced = 0;
        self.fresh = None;
        self.stopped = None;
        self.arrivals = [None; ARRIVALS];
    }

    /// From the next packet on the sender is another, with numbers and timestamps of its own. What waits of the one
    /// before is still played.
    pub const fn change_source(&mut self) {
        if let Some(latest) = &mut self.latest {
            latest.over = true;
        }
        self.others = 0;
    }

    /// What was counted.
    #[must_use]
    pub const fn stats(&self) -> &JitterStats {
        &self.stats
    }

    /// How long speech is held back after the earliest arrival, as aimed at.
    #[must_use]
    pub const fn target(&self) -> Duration {
        self.delay.target()
    }

    /// How long it is held back now; zero while quiet.
    #[must_use]
    pub fn current_delay(&self, now: Instant) -> Duration {
        if self.active { self.delay_at(now, self.speech.position()) } else { Duration::ZERO }
    }

    /// The drift of the sender's clock against ours, in millionths; above zero if the sender's is slower.
    #[must_use]
    pub const fn drift_ppm(&self) -> f32 {
        self.delay.drift_ppm()
    }

    /// The place on the time line, in samples, of what is heard next; none while quiet. The first packet is at 0.
    #[must_use]
    pub const fn position(&self) -> Option<i64> {
        if self.active { Some(self.speech.position()) } else { None }
    }

    /// What the last [`Self::pull`] ended with.
    #[must_use]
    pub const fn decision(&self) -> Decision {
        self.decision
    }

    /// A packet of another kind took the next number: its absence here is no loss.
    pub const fn note_other(&mut self) {
        self.others += 1;
    }

    /// Takes a packet of speech.
    pub fn insert(&mut self, now: Instant, packet: &Incoming<'_>) {
        let Some(position) = self.place(now, packet) else { return };
        let is_new = self.note_arrival(position);
        if packet.recovered {
            if is_new {
                // As good as a packet that is late.
                self.delay.receive_copy(now, self.micros(position));
            }
            return self.store(position, packet, false);
        }
        if self.is_other_clock(now, position) {
            self.restart();
            self.stats.restarts += 1;
            return self.insert(now, packet);
        }
        self.begin_spurt(now, position, packet.marker);
        let missing = self.follow(packet.sequence);
        self.remember(now, position, packet);
        self.delay.receive(now, self.micros(position));
        if self.taken.is_some_and(|taken| position <= taken) {
            let counter = if is_new { &mut self.stats.late } else { &mut self.stats.duplicate };
            *counter += 1;
            return;
        }
        if let Some(stopped) = self.stopped.take().filter(|_| !self.active) {
            // A talk spurt begins after a pause, even if its timestamp does not say so.
            let paused = packet.marker && missing == Some(0);
            self.settle_stop(position - stopped, missing.unwrap_or(0), paused);
        }
        self.store(position, packet, missing == Some(0));
    }

    /// Fills `out` with what is to be heard now.
    pub fn pull(&mut self, now: Instant, decoder: &mut impl PayloadDecoder, out: &mut [i16]) {
        let frame = out.len();
        let mut filled = 0;
        // Each round plays at least a sample, takes a packet, or ends.
        while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            self.decode_ahead(decoder, rest.len());
            let whole = filled == 0;
            self.decision = self.situation(now, rest.len(), whole).decide();
            match self.decision {
                Decision::Quiet => {
                    decoder.rest(rest);
                    return;
                }
                Decision::Begin => {
                    self.drop_stale(now);
                    let Some((first, _)) = self.buffer.first() else { return rest.fill(0) };
                    self.speech.begin(first.position);
                    self.active = true;
                    self.settle = now;
                    self.steady = (Duration::MAX, now);
                    self.stats.spurts += 1;
                }
                Decision::Stop => {
                    self.active = false;
                    self.stopped = Some(self.speech.end());
                }
                Decision::Shorten { most, force } => {
                    match self.speech.shorten(rest, self.samples(most), force) {
                        0 => filled += self.play(rest),
                        samples => {
                            self.stats.shortened += 1;
                            self.stepped(now, samples, frame);
                            filled = frame;
                        }
                    }
                }
                Decision::Lengthen { wanted, force } => {
                    match self.speech.lengthen(rest, self.samples(wanted), force) {
                        0 => filled += self.play(rest),
                        samples => {
                            self.stats.lengthened += 1;
                            self.grown = now + GROWN;
                            self.stepped(now, samples, frame);
                            filled = frame;
                        }
                    }
                }
                Decision::Play => filled += self.play(rest),
                Decision::Conceal | Decision::Hold => {
                    let moves = self.decision == Decision::Conceal;
                    let played = self.play(rest);
                    filled += played;
                    if played == 0 && self.invent(decoder, rest.len(), moves) == 0 {
                        rest.fill(0);
                        return;
                    }
                }
            }
        }
    }

    /// The place of a packet on the time line; none if that cannot be told.
    fn place(&mut self, now: Instant, packet: &Incoming<'_>) -> Option<i64> {
        let Some(latest) = self.latest else { return (!packet.recovered).then_some(0) };
        let ticks = i64::from(packet.timestamp.wrapping_sub(latest.timestamp) as i32);
        let stamped = ticks * i64::from(self.sample_rate) / i64::from(packet.clock.max(1));
        let same_clock = !latest.over && packet.clock == latest.clock;
        if packet.recovered {
            // What is sent again is older than what brings it.
            return (same_clock && stamped < 0).then_some(latest.position + stamped);
        }
        let numbers = packet.sequence.saturating_sub(latest.sequence);
        let since = now - latest.arrived;
        // A sender's own jump: it comes as the next packet, with hardly a pause before it.
        let far = stamped <= 0 || self.micros(stamped) as u64 > STAMP_JUMP.as_micros() as u64;
        let jumped = numbers == 1 && far && since < STAMP_JUMP;
        if same_clock && !jumped {
            return Some(latest.position + stamped);
        }
        self.stats.jumps += 1;
        if latest.over {
            self.delay.reset_clock();
        }
        // The time line goes on: by as many packets as there are numbers, or by the time that passed.
        let packets = if latest.over { 1 } else { numbers.clamp(1, MAX_PACKETS as u64) as i64 };
        let passed = (since.as_micros() as i64).saturating_mul(i64::from(self.sample_rate)) / 1_000_000;
        let step = if self.active { self.step * packets } else { passed.max(self.step) };
        let position = latest.position + step;
        if latest.over {
            self.fresh = Some(position);
        }
        Some(position)
    }

    /// Keeps what the next packet is placed by.
    fn remember(&mut self, now: Instant, position: i64, packet: &Incoming<'_>) {
        let Incoming { sequence, timestamp, clock, .. } = *packet;
        if let Some(latest) = self.latest.filter(|latest| !latest.over) {
            if sequence <= latest.sequence {
                return;
            }
            let step = position - latest.position;
            let longest = i64::from(self.sample_rate) * MAX_PACKET_MILLIS as i64 / 1000;
            if sequence == latest.sequence + 1 && (1..=longest).contains(&step) {
                self.step = step;
            }
        }
        self.latest = Some(Latest { sequence, timestamp, clock, position, arrived: now, over: false });
    }

    /// A talk spurt may begin with a clock that stood still in the pause before it.
    fn begin_spurt(&mut self, now: Instant, position: i64, marker: bool) {
        if marker && !self.active && self.buffer.is_empty() {
            let base = self.delay.base(now).unwrap_or_default();
            let late = (now.as_micros() as i64 - self.micros(position)).saturating_sub(base);
            if late > (self.target() + SPURT_JUMP).as_micros() as i64 {
                self.delay.rebase();
            }
        }
    }

    fn store(&mut self, position: i64, packet: &Incoming<'_>, follows: bool) {
        let Incoming { sequence, codec, recovered, payload, .. } = *packet;
        if recovered && self.taken.is_some_and(|taken| position <= taken) {
            return;
        }
        match self.buffer.insert(Waiting { position, sequence, codec, recovered, follows }, payload) {
            Stored::Yes => {}
            Stored::Duplicate => self.stats.duplicate += u64::from(!recovered),
            Stored::OldestDropped(count) => {
                self.stats.dropped += count as u64;
                self.give_up_place();
            }
            Stored::TooLong => self.stats.dropped += 1,
        }
    }

    /// Packets had to go unheard, as nobody asked for speech for long. What would be heard next is gone with them, and
    /// its place would stay ahead of what waits for ever: a new stretch begins.
    const fn give_up_place(&mut self) {
        self.settle_invented();
        self.active = false;
        self.stopped = None;
    }

    /// Before a stretch begins: what is so old that nobody can have asked for it goes, for the delay that is aimed at.
    fn drop_stale(&mut self, now: Instant) {
        let behind = |buffer: &Self| {
            let (first, _) = buffer.buffer.first().filter(|_| buffer.buffer.len() > 1)?;
            Some((first.position, buffer.delay_at(now, first.position + buffer.step)))
        };
        if behind(self).is_none_or(|(_, delay)| delay < self.target() + STALE) {
            return;
        }
        while let Some((position, _)) = behind(self).filter(|(_, delay)| *delay >= self.target()) {
            self.taken = Some(position);
            self.buffer.drop_first();
            self.stats.dropped += 1;
        }
    }

    /// A frame was played with a step of so many samples in it.
    fn stepped(&mut self, now: Instant, samples: usize, frame: usize) {
        self.stats.stretched += samples as u64;
        self.stats.played += frame as u64;
        self.settle = now + SETTLE;
        self.steady.0 = Duration::MAX;
    }

    fn play(&mut self, out: &mut [i16]) -> usize {
        let played = self.speech.play(out);
        self.stats.played += played as u64;
        played
    }

    /// Decodes packets that join on to what is decoded, as far as a step may look.
    fn decode_ahead(&mut self, decoder: &mut impl PayloadDecoder, frame: usize) {
        while self.active && self.speech.ahead() < self.speech.look_ahead(frame) {
            let Some((waiting, _)) = self.buffer.first() else { return };
            let overlap = self.speech.end() - waiting.position;
            if overlap < 0 {
                return;
            }
            if self.fresh.is_some_and(|fresh| waiting.position >= fresh) {
                self.fresh = None;
                decoder.reset();
            }
            if waiting.follows {
                self.forgive(overlap);
            }
            let Some((_, payload)) = self.buffer.first() else { return };
            let mut decoded = 0;
            self.speech.append(self.speech.most_decoded(), true, |pcm| {
                decoded = decoder.decode(waiting.codec, payload, pcm);
                (decoded, overlap.min(decoded as i64) as usize)
            });
            if decoded == 0 {
                self.stats.dropped += 1;
            }
            if decoded > 0 && overlap >= decoded as i64 {
                self.stats.late += u64::from(!waiting.recovered);
                // Its speech was invented, and that is settled: what comes next begins behind it.
                let replaced = self.replaced.min(decoded as u64);
                self.stats.concealed += replaced;
                self.replaced -= replaced;
                self.invented -= replaced.min(self.invented);
            } else {
                self.stats.recovered += u64::from(waiting.recovered && decoded > 0);
                self.settle_invented();
            }
            self.taken = Some(waiting.position);
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

    /// How many packets are missing between this one and the latest; none if it is no later one.
    fn follow(&mut self, sequence: u64) -> Option<u64> {
        let latest = self.latest.filter(|latest| !latest.over && sequence > latest.sequence)?;
        let missing = (sequence - latest.sequence - 1).saturating_sub(self.others);
        self.others = 0;
        Some(missing)
    }

    /// Whether this is the first time that something comes for `position`, as far as is remembered.
    fn note_arrival(&mut self, position: i64) -> bool {
        if self.arrivals.contains(&Some(position)) {
            return false;
        }
        self.arrivals.rotate_right(1);
        if let Some(first) = self.arrivals.first_mut() {
            *first = Some(position);
        }
        true
    }

    /// The first packet comes after speech stopped, so many samples after. As many of them were lost as packets are
    /// missing, and in the rest the sender was silent; what was invented beyond that only waited for a late packet.
    fn settle_stop(&mut self, after: i64, missing: u64, paused: bool) {
        if !paused {
            let silent = (after + self.replaced as i64).max(0) as u64;
            let lost = silent.min(missing.saturating_mul(self.step as u64));
            self.stats.concealed += lost + self.invented.saturating_sub(silent);
            self.stats.played += lost.saturating_sub(self.replaced);
        }
        self.invented = 0;
        self.replaced = 0;
    }

    /// No packet is missing before the next one, which overlaps what is decoded and invented by so much: as far as it
    /// lies behind what is decoded, the sender was silent, and what was invented there is no loss.
    fn forgive(&mut self, overlap: i64) {
        // A packet that is merely late leaves no pause.
        let pause = (self.replaced as i64 - overlap).max(0) as u64;
        if pause > 0 {
            let silence = if pause >= self.replaced { self.invented } else { pause };
            self.invented -= silence;
            self.replaced -= silence.min(self.replaced);
        }
    }

    fn is_other_clock(&self, now: Instant, position: i64) -> bool {
        let (Some(base), Some(_)) = (self.delay.base(now), self.latest) else { return false };
        let off = (now.as_micros() as i64 - self.micros(position)).saturating_sub(base);
        // Nothing comes before the earliest, and between stretches of speech a pause of the clock does no harm.
        let limit = if self.active && off > 0 { CLOCK_JUMP } else { CLOCK_JUMP / 8 };
        off.unsigned_abs() > limit.as_micros() as u64
    }

    fn situation(&mut self, now: Instant, frame: usize, whole: bool) -> Situation {
        let first = self.buffer.first().map(|(first, _)| first.position);
        let position = if self.active { Some(self.speech.position()) } else { first };
        let delay = position.map_or(Duration::ZERO, |position| self.delay_at(now, position));
        let (steady, since) = self.steady;
        let steady = steady.saturating_add((now - since) / STEADY).min(delay);
        self.steady = (steady, now);
        let (offset, quantum) = self.alignment(frame);
        Situation {
            delay,
            steady,
            target: self.delay.target(),
            offset,
            quantum,
            active: self.active,
            ready: self.speech.ahead() >= frame,
            waiting: first.is_some(),
            settling: !whole || now < self.settle,
            grown: now < self.grown,
            invented: self.duration(self.invented),
        }
    }

    /// From the beginning of a frame to that of the packet that begins latest in one, and what the lengths of frames
    /// and packets have in common.
    fn alignment(&self, frame: usize) -> (Duration, Duration) {
        let (frame, step) = (frame.max(1) as u64, self.step.max(1) as u64);
        let common = common_divisor(frame, step);
        let latest = self.latest.map_or(0, |latest| latest.position);
        let ahead = (latest - self.speech.position()).rem_euclid(common as i64) as u64;
        (self.duration(frame - common + ahead), self.duration(common))
    }

    fn samples(&self, duration: Duration) -> usize {
        (duration.as_micros() as u64 * u64::from(self.sample_rate) / 1_000_000) as usize
    }

    fn duration(&self, samples: u64) -> Duration {
        Duration::from_micros(samples * 1_000_000 / u64::from(self.sample_rate))
    }

    /// How long after the earliest arrival of its kind the sample at `position` is heard, if it is heard now.
    fn delay_at(&self, now: Instant, position: i64) -> Duration {
        let base = self.delay.base(now).unwrap_or_default();
        let delay = now.as_micros() as i64 - self.micros(position) - base;
        Duration::from_micros(delay.max(0) as u64)
    }

    /// A place on the time line in microseconds; the time line begins anew before this could overflow.
    fn micros(&self, position: i64) -> i64 {
        position.saturating_mul(1_000_000) / i64::from(self.sample_rate)
    }
}

fn common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}
