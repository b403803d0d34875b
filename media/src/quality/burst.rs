//! How losses lie in time: in bursts and gaps (RFC 3611 §4.7.2).

/// Packets in a row without loss that part two bursts (RFC 3611 §4.7.2 recommends 16).
pub const MINIMUM_GAP: u32 = 16;

/// Follows what became of each packet, in the order of the sequence numbers.
///
/// A burst begins and ends with a packet that was lost or discarded, has at least two such, and between them fewer than
/// [`MINIMUM_GAP`] good ones in a row. All else is gap; a single loss in it belongs to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct BurstMeter {
    lost: u64,
    discarded: u64,
    /// Good packets since the last that was bad.
    good: u64,
    /// The burst that goes on, or a single bad packet: its length, and the bad ones in it.
    length: u64,
    bad: u64,
    gap: Span,
    /// A packet of the gap that goes on was counted.
    in_gap: bool,
    burst: Span,
    /// Runs of bad packets one after the other.
    runs: u64,
    packets: u64,
}

/// Packets in all bursts, or in all gaps.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    count: u64,
    packets: u64,
    bad: u64,
}

/// What a [`BurstMeter`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bursts {
    /// The share of packets lost or discarded within bursts, 0 to 1.
    pub burst_density: f32,
    /// The same within gaps.
    pub gap_density: f32,
    /// The mean number of packets in a burst; 0 if there was none.
    pub burst_packets: f32,
    /// The mean number of packets in a gap.
    pub gap_packets: f32,
    /// The mean number of bad packets in a row, over that of the same loss at random: 1 is random, more comes in bursts
    /// (ITU-T G.107 §7.4, BurstR).
    pub ratio: f32,
}

impl BurstMeter {
    /// Nothing came yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next packet came and was used.
    pub const fn received(&mut self) {
        self.packets += 1;
        self.good += 1;
    }

    /// The next packet did not come.
    pub fn lost(&mut self) {
        self.lost += 1;
        self.bad();
    }

    /// The next packet came, and was of no use.
    pub fn discarded(&mut self) {
        self.discarded += 1;
        self.bad();
    }

    fn bad(&mut self) {
        self.packets += 1;
        if self.good > 0 || self.bad == 0 {
            self.runs += 1;
        }
        if self.bad > 0 && self.good < MINIMUM_GAP.into() {
            self.length += self.good + 1;
            self.bad += 1;
        } else {
            self.close();
            (self.length, self.bad) = (1, 1);
        }
        self.good = 0;
    }

    /// What went on until the last bad packet was a burst or part of a gap; the good ones since are gap.
    fn close(&mut self) {
        if self.bad > 1 {
            self.burst.count += 1;
            self.burst.packets += self.length;
            self.burst.bad += self.bad;
            self.in_gap = false;
        } else if self.bad == 1 {
            self.gap(1, 1);
        }
        if self.good > 0 {
            self.gap(self.good, 0);
        }
    }

    fn gap(&mut self, packets: u64, bad: u64) {
        self.gap.count += u64::from(!core::mem::replace(&mut self.in_gap, true));
        self.gap.packets += packets;
        self.gap.bad += bad;
    }

    /// Packets that should have come.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Those of them that did not.
    #[must_use]
    pub const fn lost_packets(&self) -> u64 {
        self.lost
    }

    /// Those that came, and were of no use.
    #[must_use]
    pub const fn discarded_packets(&self) -> u64 {
        self.discarded
    }

    /// The share that was lost, 0 to 1.
    #[must_use]
    pub fn loss(&self) -> f32 {
        share(self.lost, self.packets)
    }

    /// The share that was discarded, 0 to 1.
    #[must_use]
    pub fn discard(&self) -> f32 {
        share(self.discarded, self.packets)
    }

    /// Bursts and gaps until now.
    #[must_use]
    pub fn bursts(&self) -> Bursts {
        let mut closed = *self;
        closed.close();
        let (burst, gap) = (closed.burst, closed.gap);
        let bad = self.lost + self.discarded;
        let run = if self.runs == 0 { 1.0 } else { bad as f32 / self.runs as f32 };
        Bursts {
            burst_density: share(burst.bad, burst.packets),
            gap_density: share(gap.bad, gap.packets),
            burst_packets: share(burst.packets, burst.count),
            gap_packets: share(gap.packets, gap.count),
            ratio: (run * (1.0 - share(bad, self.packets))).max(1.0),
        }
    }
}

fn share(part: u64, whole: u64) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 / whole as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_hal::rng::Rng;

    /// `.` came, `x` lost, `d` discarded; a digit repeats what follows it ten times that often.
    fn meter(pattern: &str) -> BurstMeter {
        let mut meter = BurstMeter::new();
        let mut times = 1;
        for kind in pattern.chars() {
            if let Some(digit) = kind.to_digit(10) {
                times = digit * 10;
                continue;
            }
            for _ in 0..times {
                match kind {
                    '.' => meter.received(),
                    'x' => meter.lost(),
                    _ => meter.discarded(),
                }
            }
            times = 1;
        }
        meter
    }

    #[test]
    fn single_losses_are_gap_and_close_ones_a_burst() {
        let single = meter("3.x3.").bursts();
        assert_eq!((single.burst_packets, single.burst_density), (0.0, 0.0));
        assert_eq!((single.gap_packets, single.gap_density), (61.0, 1.0 / 61.0));
        // A burst of x..x.d, 7 packets with 3 bad, between gaps of 40 and 50.
        let burst = meter("4.x..x..d5.");
        assert_eq!((burst.lost_packets(), burst.discarded_packets(), burst.packets()), (2, 1, 97));
        let burst = burst.bursts();
        assert_eq!((burst.burst_packets, burst.burst_density), (7.0, 3.0 / 7.0));
        assert_eq!((burst.gap_packets, burst.gap_density), (45.0, 0.0));
        // 15 good ones do not part a burst, 16 do.
        assert_eq!(meter("2.xx...............x2.").bursts().burst_packets, 18.0);
        assert_eq!(meter("2.xx................x2.").bursts().burst_packets, 2.0);
    }

    #[test]
    fn a_call_without_packets_or_without_loss_or_with_nothing_else() {
        assert_eq!(BurstMeter::new().bursts(), Bursts { ratio: 1.0, ..Bursts::default() });
        let clean = meter("9.").bursts();
        assert_eq!((clean.gap_packets, clean.gap_density, clean.burst_density), (90.0, 0.0, 0.0));
        let all = meter("9x").bursts();
        assert_eq!((all.burst_packets, all.burst_density, all.gap_packets), (90.0, 1.0, 0.0));
    }

    /// The algorithm of RFC 3611 §A.2 in its own variables.
    #[derive(Default)]
    struct Markov {
        good: f64,
        lost: u64,
        c: [[f64; 5]; 5],
    }

    impl Markov {
        fn packet(&mut self, bad: bool) {
            let c = &mut self.c;
            if !bad {
                self.good += 1.0;
                return;
            }
            if self.good >= f64::from(MINIMUM_GAP) {
                if self.lost == 1 {
                    c[1][4] += 1.0
                } else {
                    c[1][3] += 1.0
                }
                self.lost = 1;
                c[1][1] += self.good;
            } else {
                self.lost += 1;
                if self.good == 0.0 {
                    c[3][3] += 1.0;
                } else {
                    c[2][3] += 1.0;
                    c[2][2] += self.good - 1.0;
                }
            }
            self.good = 0.0;
        }

        /// Density of bursts and gaps.
        fn densities(&self) -> (f64, f64) {
            let c = &self.c;
            let (c31, c32) = (c[1][3], c[2][3]);
            let p32 = c32 / (c31 + c32 + c[3][3]);
            let p23 = if c[2][2] + c[2][3] < 1.0 { 1.0 } else { 1.0 - c[2][2] / (c[2][2] + c[2][3]) };
            (p23 / (p23 + p32), c[1][4] / (c[1][1] + c[1][4]))
        }
    }

    #[test]
    fn it_agrees_with_the_markov_model_of_the_rfc() {
        for (seed, enter, leave, loss) in [(1, 0.01, 0.2, 0.6), (2, 0.002, 0.05, 0.5), (3, 0.005, 0.1, 0.8)] {
            let (mut rng, mut inside) = (Rng::from_u64(seed), false);
            let (mut meter, mut markov) = (BurstMeter::new(), Markov::default());
            for _ in 0..200_000 {
                inside = if inside { !rng.chance(leave) } else { rng.chance(enter) };
                let bad = rng.chance(if inside { loss } else { 0.002 });
                if bad {
                    meter.lost()
                } else {
                    meter.received()
                }
                markov.packet(bad);
            }
            let (bursts, (burst, gap)) = (meter.bursts(), markov.densities());
            // The model's density is the stationary one; ours is counted.
            assert!((f64::from(bursts.burst_density) - burst).abs() < 0.06, "{bursts:?} {burst}");
            assert!((f64::from(bursts.gap_density) - gap).abs() < 0.003, "{bursts:?} {gap}");
            assert!(bursts.ratio > 1.5, "{bursts:?}");
        }
    }

    #[test]
    fn loss_at_random_has_a_ratio_of_one() {
        let (mut rng, mut meter) = (Rng::from_u64(7), BurstMeter::new());
        for _ in 0..200_000 {
            if rng.chance(0.1) { meter.lost() } else { meter.received() }
        }
        let ratio = meter.bursts().ratio;
        assert!((1.0..1.03).contains(&ratio), "{ratio}");
    }
}
