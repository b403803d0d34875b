//! What a network does to datagrams, one direction, from a seed.

use crate::rng::Rng;
use crate::time::{Duration, Instant};

/// The properties of one direction of a path. Probabilities are 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkConfig {
    /// The least time from one end to the other.
    pub latency: Duration,
    /// Up to so much more, evenly spread. Jitter alone keeps the order.
    pub jitter: Duration,
    /// How probably a datagram is lost, each by itself.
    pub loss: f64,
    /// Loss in bursts on top of it.
    pub burst: Option<Burst>,
    /// How probably a datagram is held back, by up to [`LinkConfig::reorder_by`], while later ones overtake it.
    pub reorder: f64,
    /// The longest time for which a datagram is held back.
    pub reorder_by: Duration,
    /// How probably a datagram arrives twice.
    pub duplicate: f64,
    /// The longest datagram that gets through, in bytes of payload.
    pub mtu: usize,
    /// A bottleneck.
    pub rate: Option<Rate>,
}

/// Loss in bursts after Gilbert and Elliott: the link is good or bad, and may change with each datagram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    /// How probably a good link turns bad. The mean distance of bursts is `1 / enter` datagrams.
    pub enter: f64,
    /// How probably a bad link turns good. The mean length of a burst is `1 / leave` datagrams.
    pub leave: f64,
    /// How probably a datagram is lost while the link is bad.
    pub loss: f64,
}

/// A bottleneck with a queue in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Its speed.
    pub bits_per_second: u64,
    /// A datagram that would wait longer than this is dropped.
    pub queue: Duration,
}

impl LinkConfig {
    /// A link that only takes `latency`: nothing is lost.
    #[must_use]
    pub const fn with_latency(latency: Duration) -> Self {
        Self {
            latency,
            jitter: Duration::ZERO,
            loss: 0.0,
            burst: None,
            reorder: 0.0,
            reorder_by: Duration::from_millis(30),
            duplicate: 0.0,
            mtu: 65_507,
            rate: None,
        }
    }
}

impl Default for LinkConfig {
    /// 10 ms, nothing lost, nothing changed.
    fn default() -> Self {
        Self::with_latency(Duration::from_millis(10))
    }
}

/// What becomes of one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Arrives {
        /// When.
        at: Instant,
        /// And a second time then.
        again: Option<Instant>,
    },
    /// It does not.
    Lost(LossCause),
}

/// Why a datagram does not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LossCause {
    /// By chance.
    Chance,
    /// It is longer than [`LinkConfig::mtu`].
    TooLong,
    /// The bottleneck's queue is full.
    QueueFull,
}

/// What a link did so far, in datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Handed to it.
    pub sent: u64,
    /// Lost, for whatever cause.
    pub lost: u64,
    /// Delivered twice.
    pub duplicated: u64,
    /// Held back.
    pub held_back: u64,
}

/// One direction of a path: [`LinkConfig`] with its state.
///
/// ```
/// use sidetone_hal::rng::Rng;
/// use sidetone_hal::sim::{Fate, Link, LinkConfig};
/// use sidetone_hal::time::Instant;
///
/// let mut link = Link::new(LinkConfig::default(), Rng::from_u64(1));
/// let arrival = Fate::Arrives { at: Instant::from_millis(10), again: None };
/// assert_eq!(link.send(Instant::ZERO, 500), arrival);
/// ```
#[derive(Clone, Debug)]
pub struct Link {
    config: LinkConfig,
    rng: Rng,
    bad: bool,
    /// When the bottleneck has sent everything before.
    free_at: Instant,
    /// The latest arrival among those that keep the order.
    last_arrival: Instant,
    stats: LinkStats,
}

impl Link {
    /// A link that draws its luck from `rng`.
    #[must_use]
    pub const fn new(config: LinkConfig, rng: Rng) -> Self {
        let stats = LinkStats { sent: 0, lost: 0, duplicated: 0, held_back: 0 };
        Self { config, rng, bad: false, free_at: Instant::ZERO, last_arrival: Instant::ZERO, stats }
    }

    /// Changes the properties; what is already under way arrives as it was sent.
    pub const fn set_config(&mut self, config: LinkConfig) {
        self.config = config;
    }

    /// What it did so far.
    #[must_use]
    pub const fn stats(&self) -> LinkStats {
        self.stats
    }

    /// Decides over a datagram of `length` bytes that is sent at `now`.
    pub fn send(&mut self, now: Instant, length: usize) -> Fate {
        self.stats.sent += 1;
        let fate = self.decide(now, length);
        match fate {
            Fate::Lost(_) => self.stats.lost += 1,
            Fate::Arrives { again: Some(_), .. } => self.stats.duplicated += 1,
            Fate::Arrives { again: None, .. } => {}
        }
        fate
    }

    fn decide(&mut self, now: Instant, length: usize) -> Fate {
        if length > self.config.mtu {
            return Fate::Lost(LossCause::TooLong);
        }
        let loss = self.loss();
        if self.rng.chance(loss) {
            return Fate::Lost(LossCause::Chance);
        }
        let Some(departure) = self.depart(now, length) else { return Fate::Lost(LossCause::QueueFull) };
        let at = self.arrive(departure);
        let again = self.rng.chance(self.config.duplicate).then(|| self.arrive(departure));
        Fate::Arrives { at, again }
    }

    /// The probability of loss for this datagram, after the link had its chance to turn good or bad.
    fn loss(&mut self) -> f64 {
        let Some(burst) = self.config.burst else { return self.config.loss };
        let turns = self.rng.chance(if self.bad { burst.leave } else { burst.enter });
        self.bad ^= turns;
        if self.bad { burst.loss } else { self.config.loss }
    }

    /// When the last bit has left the bottleneck; `None` when the queue is full.
    fn depart(&mut self, now: Instant, length: usize) -> Option<Instant> {
        let Some(rate) = self.config.rate else { return Some(now) };
        let start = self.free_at.max(now);
        if start.saturating_since(now) > rate.queue {
            return None;
        }
        let bits = (length as u64).saturating_mul(8);
        let micros = bits.saturating_mul(1_000_000) / rate.bits_per_second.max(1);
        self.free_at = start + Duration::from_micros(micros);
        Some(self.free_at)
    }

    fn arrive(&mut self, departure: Instant) -> Instant {
        let arrival = departure + self.config.latency + up_to(&mut self.rng, self.config.jitter);
        if self.rng.chance(self.config.reorder) {
            self.stats.held_back += 1;
            return arrival + up_to(&mut self.rng, self.config.reorder_by);
        }
        self.last_arrival = self.last_arrival.max(arrival);
        self.last_arrival
    }
}

/// A time from zero to `longest`, in whole microseconds.
fn up_to(rng: &mut Rng, longest: Duration) -> Duration {
    let micros = u32::try_from(longest.as_micros()).unwrap_or(u32::MAX);
    Duration::from_micros(rng.below(micros.saturating_add(1)).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const COUNT: u64 = 40_000;

    /// Sends [`COUNT`] datagrams of 100 bytes, 1 ms apart.
    fn run(config: LinkConfig, seed: u64) -> (Vec<Fate>, LinkStats) {
        let mut link = Link::new(config, Rng::from_u64(seed));
        let fates = (0..COUNT).map(|n| link.send(Instant::from_millis(n), 100)).collect();
        (fates, link.stats())
    }

    /// Whether `count` of [`COUNT`] fits probability `p` within four and a half standard deviations, which a
    /// right link misses once in 150 000 seeds; `spread` widens it for draws that hang together.
    #[track_caller]
    fn assert_rate(count: u64, p: f64, spread: f64) {
        let (n, mean) = (COUNT as f64, p * COUNT as f64);
        let bound = 4.5 * spread * (n * p * (1.0 - p)).sqrt();
        assert!((count as f64 - mean).abs() <= bound, "{count} of {COUNT}: expected {mean} ± {bound}");
    }

    fn arrivals(fates: &[Fate]) -> Vec<(u64, Instant)> {
        let arrival = |(n, fate): (usize, &Fate)| match fate {
            Fate::Arrives { at, .. } => Some((n as u64, *at)),
            Fate::Lost(_) => None,
        };
        fates.iter().enumerate().filter_map(arrival).collect()
    }

    fn overtaken(fates: &[Fate]) -> usize {
        arrivals(fates).windows(2).filter(|pair| pair[1].1 < pair[0].1).count()
    }

    #[test]
    fn a_seed_decides_everything() {
        let config = LinkConfig {
            jitter: Duration::from_millis(5),
            loss: 0.1,
            burst: Some(Burst { enter: 0.01, leave: 0.2, loss: 0.8 }),
            reorder: 0.1,
            duplicate: 0.1,
            ..LinkConfig::default()
        };
        assert_eq!(run(config, 7), run(config, 7));
        assert_ne!(run(config, 7).0, run(config, 8).0);
    }

    #[test]
    fn loss_and_duplication_come_as_often_as_said() {
        for seed in 0..5 {
            let config = LinkConfig { loss: 0.1, duplicate: 0.05, ..LinkConfig::default() };
            let (_, stats) = run(config, seed);
            assert_eq!(stats.sent, COUNT);
            assert_rate(stats.lost, 0.1, 1.0);
            assert_rate(stats.duplicated, 0.9 * 0.05, 1.0);
        }
        assert_eq!(run(LinkConfig { loss: 1.0, ..LinkConfig::default() }, 1).1.lost, COUNT);
        assert_eq!(run(LinkConfig::default(), 1).1.lost, 0);
    }

    #[test]
    fn bursts_have_their_rate_and_length() {
        let burst = Burst { enter: 0.01, leave: 0.25, loss: 1.0 };
        let config = LinkConfig { burst: Some(burst), ..LinkConfig::default() };
        for seed in 0..5 {
            let (fates, stats) = run(config, seed);
            // Losses inside a burst hang together: their number varies as that of bursts, (2 / leave) wider.
            assert_rate(stats.lost, burst.enter / (burst.enter + burst.leave), (2.0 / burst.leave).sqrt());
            let starts =
                fates.windows(2).filter(|pair| matches!(pair, [Fate::Arrives { .. }, Fate::Lost(_)]));
            let mean = stats.lost as f64 / starts.count() as f64;
            assert!((3.4..4.6).contains(&mean), "mean length of a burst: {mean}");
        }
    }

    #[test]
    fn jitter_spreads_and_keeps_the_order() {
        let jitter = Duration::from_millis(20);
        let (fates, _) = run(LinkConfig { jitter, ..LinkConfig::default() }, 3);
        assert_eq!(overtaken(&fates), 0);
        let delays: Vec<_> = arrivals(&fates).iter().map(|(n, at)| *at - Instant::from_millis(*n)).collect();
        assert!(delays.iter().all(|delay| (10..=30).contains(&delay.as_millis())));
        assert!(
            delays.iter().any(|delay| delay.as_millis() < 15)
                && delays.iter().any(|delay| delay.as_millis() > 25)
        );
    }

    #[test]
    fn held_back_datagrams_are_overtaken() {
        let (fates, stats) = run(LinkConfig { reorder: 0.1, ..LinkConfig::default() }, 4);
        assert_rate(stats.held_back, 0.1, 1.0);
        // Each is held back by 15 ms in the mean, the next follows after 1 ms.
        let overtaken = overtaken(&fates) as u64;
        assert!(overtaken > stats.held_back * 8 / 10 && overtaken <= stats.held_back, "{overtaken}");
    }

    #[test]
    fn a_bottleneck_delays_and_then_drops() {
        let rate = Rate { bits_per_second: 400_000, queue: Duration::from_millis(50) }; // 100 bytes take 2 ms
        let mut link = Link::new(LinkConfig { rate: Some(rate), ..LinkConfig::default() }, Rng::from_u64(5));
        let at = |fate| if let Fate::Arrives { at, .. } = fate { Some(at) } else { None };
        assert_eq!(at(link.send(Instant::ZERO, 100)), Some(Instant::from_millis(12)));
        assert_eq!(at(link.send(Instant::ZERO, 100)), Some(Instant::from_millis(14)));
        let fates: Vec<_> = (0..100).map(|_| link.send(Instant::ZERO, 100)).collect();
        assert_eq!(fates.iter().filter(|fate| **fate == Fate::Lost(LossCause::QueueFull)).count(), 76);
        assert_eq!(at(link.send(Instant::from_millis(52), 100)), Some(Instant::from_millis(64)));
    }

    #[test]
    fn what_is_too_long_is_lost() {
        let mut link = Link::new(LinkConfig { mtu: 1300, ..LinkConfig::default() }, Rng::from_u64(6));
        assert_eq!(link.send(Instant::ZERO, 1301), Fate::Lost(LossCause::TooLong));
        assert!(matches!(link.send(Instant::ZERO, 1300), Fate::Arrives { .. }));
        link.set_config(LinkConfig { loss: 1.0, ..LinkConfig::default() });
        assert_eq!(link.send(Instant::ZERO, 1), Fate::Lost(LossCause::Chance));
        assert_eq!(link.stats(), LinkStats { sent: 3, lost: 2, ..LinkStats::default() });
    }
}
