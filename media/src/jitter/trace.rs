//! A notation for what a network does to a stream, packet by packet, and networks that write it.
//!
//! A trace is words with space between them, in the order of sending; what follows `#` to the end of a line is
//! a remark.
//!
//! | word | meaning |
//! | --- | --- |
//! | `20` or `20.125` | a packet that arrives 20 (20.125) ms after it was sent |
//! | `20&35` | a packet that arrives twice, after 20 and after 35 ms |
//! | `20<1` | a packet that brings a copy of the one before (RFC 2198); `<2` of the one before that |
//! | `x` | a packet that is lost |
//! | `n20` | a silence descriptor (RFC 3389), after 20 ms |
//! | `-` | nothing is sent for the time of a packet: the sender is silent |
//! | `t+8000`, `t-8000` | the sender's timestamp jumps by so many ticks before the next packet |
//! | `s` | from here on another sender: new SSRC, numbers and timestamps |
//! | `20*50`, `x*3`, `-*9` | the same so many times |
//! | `ptime=20` | milliseconds in a packet; 20 if not said. Before the first packet |
//! | `drift=300` | the sender's clock is slower than ours by so many millionths; 0 if not said. Before the first packet |
//!
//! ```
//! use sidetone_media::jitter::trace::{Slot, Trace};
//! let trace: Trace = "ptime=20 5*3 x 45 12&30 # a loss, a late one, a double one".parse()?;
//! assert_eq!(trace.slots.len(), 6);
//! assert_eq!(trace.slots[3], Slot::Lost);
//! assert_eq!(trace.to_string(), "ptime=20 5*3 x 45 12&30\n");
//! # Ok::<(), sidetone_media::jitter::trace::TraceError>(())
//! ```

use core::fmt;
use core::str::FromStr;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Duration;

/// The most slots of a trace: over five hours at 20 ms.
pub const MAX_SLOTS: usize = 1_000_000;
/// The longest delay in a trace.
pub const MAX_DELAY: Duration = Duration::from_secs(60);
/// The largest drift in a trace, in millionths.
pub const MAX_DRIFT: i32 = 100_000;

/// What happens in the time of one packet, or between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A packet of speech that arrives.
    Packet {
        /// After so long.
        delay: Duration,
        /// And once more after so long.
        again: Option<Duration>,
        /// It brings a copy of the packet so many before it; 0 for none.
        copy: u8,
    },
    /// A packet that does not arrive.
    Lost,
    /// A silence descriptor that arrives after so long.
    Noise(Duration),
    /// Nothing is sent.
    Pause,
    /// Takes no time: the timestamps jump by so many ticks.
    Jump(i32),
    /// Takes no time: another sender.
    Source,
}

impl Slot {
    /// A packet that arrives once, without a copy.
    #[must_use]
    pub const fn packet(delay: Duration) -> Self {
        Self::Packet { delay, again: None, copy: 0 }
    }

    /// Whether it takes the time of a packet.
    #[must_use]
    pub const fn takes_time(self) -> bool {
        !matches!(self, Self::Jump(_) | Self::Source)
    }
}

/// What a network does to a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Milliseconds in a packet, 1 to 200.
    pub ptime: u8,
    /// By how many millionths the sender's clock is slower than ours.
    pub drift: i32,
    /// Packet by packet.
    pub slots: Vec<Slot>,
}

impl Trace {
    /// Packets that were sent.
    #[must_use]
    pub fn sent(&self) -> usize {
        let sent = |slot: &&Slot| matches!(slot, Slot::Packet { .. } | Slot::Lost | Slot::Noise(_));
        self.slots.iter().filter(sent).count()
    }

    /// Packets among them that never arrive.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.slots.iter().filter(|slot| matches!(slot, Slot::Lost)).count()
    }
}

impl Default for Trace {
    /// Nothing, at 20 ms.
    fn default() -> Self {
        Self { ptime: 20, drift: 0, slots: Vec::new() }
    }
}

/// A word that is none of the notation's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the trace, word {word}: expected {expected}")]
pub struct TraceError {
    /// The line, from 1.
    pub line: usize,
    /// The word in it, from 1.
    pub word: usize,
    /// What should stand there.
    pub expected: &'static str,
}

impl FromStr for Trace {
    type Err = TraceError;

    fn from_str(text: &str) -> Result<Self, TraceError> {
        let mut trace = Self::default();
        for (line, content) in text.lines().enumerate() {
            let content = content.split('#').next().unwrap_or_default();
            for (word, written) in content.split_whitespace().enumerate() {
                let error = |expected| TraceError { line: line + 1, word: word + 1, expected };
                trace.read(written).map_err(error)?;
            }
        }
        Ok(trace)
    }
}

impl Trace {
    fn read(&mut self, word: &str) -> Result<(), &'static str> {
        if let Some((name, value)) = word.split_once('=') {
            if !self.slots.is_empty() {
                return Err("settings before the first packet");
            }
            return self.set(name, value);
        }
        let (word, times) = match word.split_once('*') {
            Some((word, times)) => (word, times.parse().map_err(|_| "a number behind `*`")?),
            None => (word, 1),
        };
        let slot = slot(word)?;
        if self.slots.len().saturating_add(times) > MAX_SLOTS {
            return Err("at most 1 000 000 slots");
        }
        self.slots.extend(core::iter::repeat_n(slot, times));
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "ptime" => {
                let known = value.parse().ok().filter(|ptime| (1..=200).contains(ptime));
                self.ptime = known.ok_or("1 to 200 ms")?;
            }
            "drift" => {
                let known = value.parse().ok().filter(|drift| (-MAX_DRIFT..=MAX_DRIFT).contains(drift));
                self.drift = known.ok_or("-100000 to 100000 millionths")?;
            }
            _ => return Err("`ptime=` or `drift=`"),
        }
        Ok(())
    }
}

fn slot(word: &str) -> Result<Slot, &'static str> {
    match word {
        "x" => return Ok(Slot::Lost),
        "-" => return Ok(Slot::Pause),
        "s" => return Ok(Slot::Source),
        _ => {}
    }
    if let Some(ticks) = word.strip_prefix('t') {
        return ticks.parse().map(Slot::Jump).map_err(|_| "ticks behind `t`");
    }
    if let Some(delay) = word.strip_prefix('n') {
        return Ok(Slot::Noise(millis(delay)?));
    }
    let (word, copy) = match word.split_once('<') {
        Some((word, back)) => {
            let back = back.parse().ok().filter(|back| (1..=9).contains(back));
            (word, back.ok_or("1 to 9 behind `<`")?)
        }
        None => (word, 0),
    };
    let (delay, again) = match word.split_once('&') {
        Some((delay, again)) => (millis(delay)?, Some(millis(again)?)),
        None => (millis(word)?, None),
    };
    Ok(Slot::Packet { delay, again, copy })
}

/// Milliseconds with at most three decimals.
fn millis(word: &str) -> Result<Duration, &'static str> {
    const EXPECTED: &str = "a delay of 0 to 60000 ms, `x`, `-`, `n`, `t` or `s`";
    let (whole, decimals) = word.split_once('.').unwrap_or((word, "0"));
    let digits = |part: &str| !part.is_empty() && part.len() <= 5 && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 3 {
        return Err(EXPECTED);
    }
    let scale = [100, 10, 1].get(decimals.len() - 1).copied().unwrap_or(1);
    let (whole, decimals) = (whole.parse::<u64>().ok(), decimals.parse::<u64>().ok());
    let micros = whole.zip(decimals).map(|(whole, decimals)| whole * 1000 + decimals * scale);
    let delay = micros.map(Duration::from_micros).filter(|delay| *delay <= MAX_DELAY);
    delay.ok_or(EXPECTED)
}

impl fmt::Display for Trace {
    /// As it is read, 20 words in a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ptime={}", self.ptime)?;
        if self.drift != 0 {
            write!(f, " drift={}", self.drift)?;
        }
        for (same, written) in self.slots.chunk_by(|a, b| a == b && a.takes_time()).zip(2..) {
            f.write_str(if written % 20 == 0 { "\n" } else { " " })?;
            if let Some(slot) = same.first() {
                write!(f, "{slot}")?;
            }
            if same.len() > 1 {
                write!(f, "*{}", same.len())?;
            }
        }
        writeln!(f)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packet { delay, again, copy } => {
                write!(f, "{}", Millis(*delay))?;
                if let Some(again) = again {
                    write!(f, "&{}", Millis(*again))?;
                }
                if *copy > 0 {
                    write!(f, "<{copy}")?;
                }
                Ok(())
            }
            Self::Lost => f.write_str("x"),
            Self::Noise(delay) => write!(f, "n{}", Millis(*delay)),
            Self::Pause => f.write_str("-"),
            Self::Jump(ticks) => write!(f, "t{ticks:+}"),
            Self::Source => f.write_str("s"),
        }
    }
}

struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}", micros / 1000)?;
        match micros % 1000 {
            0 => Ok(()),
            decimals if decimals % 100 == 0 => write!(f, ".{}", decimals / 100),
            decimals if decimals % 10 == 0 => write!(f, ".{:02}", decimals / 10),
            decimals => write!(f, ".{decimals:03}"),
        }
    }
}

/// A network that traces come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    /// The share of packets that are lost, 0 to 1.
    pub loss: f64,
    /// The mean length of a burst of losses, above 1 (Gilbert's model); none if each packet is lost by itself.
    pub burst: Option<f64>,
    /// Packets arrive later than the earliest by up to so much, evenly spread, and in order.
    pub jitter: Duration,
    /// The share of packets that are held back by up to [`Network::reorder_by`] while later ones overtake them.
    pub reorder: f64,
    /// For how long at most.
    pub reorder_by: Duration,
    /// The share of packets that arrive twice.
    pub duplicate: f64,
}

impl Network {
    /// So much jitter, and so much loss: each packet by itself.
    #[must_use]
    pub const fn new(jitter: Duration, loss: f64) -> Self {
        Self {
            loss,
            burst: None,
            jitter,
            reorder: 0.0,
            reorder_by: Duration::from_millis(30),
            duplicate: 0.0,
        }
    }

    /// What it does to `packets` packets of `ptime` milliseconds (1 to 200).
    #[must_use]
    pub fn trace(&self, ptime: u8, packets: usize, rng: &mut Rng) -> Trace {
        let loss = self.loss.clamp(0.0, 0.99);
        let leave = self.burst.map_or(1.0, |burst| 1.0 / burst.max(1.0));
        let enter = leave * loss / (1.0 - loss);
        let ptime = ptime.clamp(1, 200);
        let mut bad = false;
        // When the last one arrived, against when this one is sent.
        let mut order = Duration::ZERO;
        let mut slot = |_| {
            order = order.saturating_sub(Duration::from_millis(ptime.into()));
            let lost = match self.burst {
                None => rng.chance(loss),
                Some(_) => {
                    bad ^= rng.chance(if bad { leave } else { enter });
                    bad
                }
            };
            if lost {
                return Slot::Lost;
            }
            let mut delay = up_to(rng, self.jitter).max(order);
            if rng.chance(self.reorder) {
                delay += up_to(rng, self.reorder_by);
            } else {
                order = delay;
            }
            let again = rng.chance(self.duplicate).then(|| delay + up_to(rng, self.reorder_by));
            Slot::Packet { delay, again, copy: 0 }
        };
        Trace { ptime, drift: 0, slots: (0..packets.min(MAX_SLOTS)).map(&mut slot).collect() }
    }
}

/// A time up to `longest`, in whole microseconds.
fn up_to(rng: &mut Rng, longest: Duration) -> Duration {
    let micros = u32::try_from(longest.min(MAX_DELAY / 4).as_micros()).unwrap_or(u32::MAX);
    Duration::from_micros(rng.below(micros.saturating_add(1)).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn every_word_is_read_and_written() {
        let text =
            "ptime=30 drift=-120 # a remark\n20 20.125*2 7.5&35.25 8<1 x*3 n20\n- t+8000 t-9 s 60000\n";
        let trace: Trace = text.parse().unwrap();
        assert_eq!((trace.ptime, trace.drift, trace.slots.len()), (30, -120, 14));
        assert_eq!((trace.sent(), trace.lost()), (10, 3));
        assert_eq!(
            trace.slots[3],
            Slot::Packet { delay: ms(7) + ms(1) / 2, again: Some(ms(35) + ms(1) / 4), copy: 0 }
        );
        assert_eq!(trace.slots[4], Slot::Packet { delay: ms(8), again: None, copy: 1 });
        assert_eq!(
            trace.to_string(),
            "ptime=30 drift=-120 20 20.125*2 7.5&35.25 8<1 x*3 n20 - t+8000 t-9 s 60000\n"
        );
        assert_eq!("".parse::<Trace>(), Ok(Trace::default()));
    }

    #[test]
    fn what_is_no_trace_is_refused_with_its_place() {
        for (text, line, word) in [
            ("20 y", 1, 2),
            ("20\n\n5 60001", 3, 2),
            ("1.2345", 1, 1),
            (".5", 1, 1),
            ("5.", 1, 1),
            ("-5", 1, 1),
            ("5&", 1, 1),
            ("5<0", 1, 1),
            ("5*", 1, 1),
            ("5*99999999", 1, 1),
            ("5*999999 5*2", 1, 2),
            ("5 ptime=20", 1, 2),
            ("ptime=0", 1, 1),
            ("drift=100001", 1, 1),
            ("size=3", 1, 1),
            ("t", 1, 1),
            ("n", 1, 1),
            ("t99999999999", 1, 1),
        ] {
            let error = text.parse::<Trace>().unwrap_err();
            assert_eq!((error.line, error.word), (line, word), "{text}: {error}");
        }
        let error = "20\n20 5<x".parse::<Trace>().unwrap_err();
        assert_eq!(error.to_string(), "line 2 of the trace, word 2: expected 1 to 9 behind `<`");
    }

    fn any_slot() -> impl Strategy<Value = Slot> {
        let delay = || (0..=60_000_000_u64).prop_map(Duration::from_micros);
        prop_oneof![
            (delay(), proptest::option::of(delay()), 0..=9_u8)
                .prop_map(|(delay, again, copy)| Slot::Packet { delay, again, copy }),
            Just(Slot::Lost),
            Just(Slot::Pause),
            Just(Slot::Source),
            delay().prop_map(Slot::Noise),
            any::<i32>().prop_map(Slot::Jump),
        ]
    }

    proptest! {
        #[test]
        fn a_trace_survives_writing(
            ptime in 1..=200_u8,
            drift in -MAX_DRIFT..=MAX_DRIFT,
            slots in proptest::collection::vec(any_slot(), 0..80),
        ) {
            let trace = Trace { ptime, drift, slots };
            prop_assert_eq!(trace.to_string().parse::<Trace>(), Ok(trace));
        }

        #[test]
        fn no_text_panics(text in "[0-9xnst&<*=.#\\- \n]{0,60}") {
            let _ = text.parse::<Trace>();
        }
    }

    #[test]
    fn networks_are_what_they_are_called() {
        let lossy = Network { burst: Some(3.0), ..Network::new(ms(60), 0.1) };
        let trace = lossy.trace(20, 40_000, &mut Rng::from_u64(1));
        let share = trace.lost() as f64 / trace.sent() as f64;
        let bursts = trace.slots.chunk_by(|a, b| a == b).filter(|run| run[0] == Slot::Lost).count();
        let mean = trace.lost() as f64 / bursts as f64;
        assert!((0.09..0.11).contains(&share) && (2.8..3.2).contains(&mean), "{share}, {mean}");
        let mut before = Duration::ZERO;
        let (mut least, mut most) = (MAX_DELAY, Duration::ZERO);
        for (slot, sent) in trace.slots.iter().zip(0..) {
            let Slot::Packet { delay, .. } = slot else { continue };
            assert!(ms(sent * 20) + *delay >= before, "the order is kept");
            before = ms(sent * 20) + *delay;
            (least, most) = (least.min(*delay), most.max(*delay));
        }
        assert!(least < ms(1) && most > ms(59) && most <= ms(60), "{least:?}, {most:?}");
        let tangled = Network { reorder: 0.2, duplicate: 0.1, ..Network::new(ms(0), 0.0) };
        let trace = tangled.trace(20, 10_000, &mut Rng::from_u64(2));
        let doubles =
            trace.slots.iter().filter(|slot| matches!(slot, Slot::Packet { again: Some(_), .. })).count();
        let held =
            trace.slots.iter().filter(|slot| matches!(slot, Slot::Packet { delay, .. } if *delay > ms(20)));
        assert!((900..1100).contains(&doubles) && held.count() > 500);
        assert_eq!(trace, tangled.trace(20, 10_000, &mut Rng::from_u64(2)));
    }
}
