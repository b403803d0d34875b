//! When to report (RFC 3550 §6.2, §6.3, §A.7).

use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};

/// The shortest mean time between reports, unless something else is configured.
const MINIMUM: Duration = Duration::from_secs(5);
/// e − 3/2: makes up for what reconsideration adds to the mean (§6.3.1).
const COMPENSATION: f64 = 1.218_28;
/// With more members than this a BYE waits for its turn (§6.3.7).
const BYE_AT_ONCE: u32 = 50;

/// Octets a second that the reports of all participants together may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bandwidth {
    /// Of those who send media (`b=RS`, RFC 3556).
    pub senders: f64,
    /// Of those who only receive (`b=RR`).
    pub receivers: f64,
}

impl Bandwidth {
    /// 5 % of a session of so many bits a second, a quarter of it for senders (RFC 3550 §6.2).
    #[must_use]
    pub fn of_session(bits: u32) -> Self {
        let whole = f64::from(bits) / 8.0 * 0.05;
        Self { senders: whole / 4.0, receivers: whole * 3.0 / 4.0 }
    }

    /// What `b=RS` and `b=RR` say, in bits a second (RFC 3556 §2); zero for both means that nobody reports.
    #[must_use]
    pub fn of_modifiers(senders: u32, receivers: u32) -> Self {
        Self { senders: f64::from(senders) / 8.0, receivers: f64::from(receivers) / 8.0 }
    }

    /// Whether nobody is to report.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.senders + self.receivers <= 0.0
    }
}

/// The report timer of one participant.
#[derive(Clone, Debug)]
pub struct Schedule {
    bandwidth: Bandwidth,
    minimum: Duration,
    /// Mean size of a compound on the wire, with its headers.
    average_size: f64,
    members: u32,
    members_then: u32,
    senders: u32,
    we_sent: bool,
    initial: bool,
    leaving: bool,
    last: Instant,
    next: Instant,
}

/// What to do when the timer fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Send a report, or the BYE if we are leaving; the timer runs again.
    Report,
    /// Not yet: the session grew since the timer was set.
    Later,
}

impl Schedule {
    /// Starts the timer for a session of `session_bandwidth` bits a second; reports get 5 % of it (§6.2).
    pub fn new(now: Instant, session_bandwidth: u32, rng: &mut Rng) -> Self {
        Self::with(now, Bandwidth::of_session(session_bandwidth), MINIMUM, rng)
    }

    /// Starts the timer. `minimum` is the least mean time between reports: 5 s by §6.2, or what is configured.
    pub fn with(now: Instant, bandwidth: Bandwidth, minimum: Duration, rng: &mut Rng) -> Self {
        let mut schedule = Self {
            bandwidth,
            minimum,
            average_size: 128.0,
            members: 1,
            members_then: 1,
            senders: 0,
            we_sent: false,
            initial: true,
            leaving: false,
            last: now,
            next: now,
        };
        schedule.next = now + schedule.interval(rng);
        schedule
    }

    /// When the timer fires.
    #[must_use]
    pub const fn next(&self) -> Instant {
        self.next
    }

    /// How many there are, how many of them send, and whether we do.
    pub fn set_members(&mut self, now: Instant, members: u32, senders: u32, we_sent: bool) {
        if self.leaving {
            return;
        }
        (self.senders, self.we_sent) = (senders, we_sent);
        if members < self.members_then {
            // Reverse reconsideration (§6.3.4): the fewer we are, the sooner.
            let share = f64::from(members) / f64::from(self.members_then);
            self.next = now + (self.next - now).mul_f64(share);
            self.last = now - (now - self.last).mul_f64(share);
            self.members_then = members;
        }
        self.members = members;
    }

    /// A compound of `octets` was sent or received; 28 of IP and UDP are added (§6.2).
    pub fn passed(&mut self, octets: usize) {
        self.average_size += ((octets + 28) as f64 - self.average_size) / 16.0;
    }

    /// The timer fired (§6.3.6): it is time to report, or the timer is set again.
    pub fn expire(&mut self, now: Instant, rng: &mut Rng) -> Due {
        let interval = self.interval(rng);
        self.members_then = self.members;
        if self.last + interval > now {
            self.next = self.last + interval;
            return Due::Later;
        }
        self.last = now;
        self.initial = false;
        // Drawn anew, so that the interval that was waited does not decide on the next (§6.3.6).
        self.next = now + self.interval(rng);
        Due::Report
    }

    /// We leave, with a BYE of `octets` (§6.3.7). Among few it is to be sent now; among more than 50, when the timer
    /// says so, which counts from now on how many others leave at the same time.
    pub fn leave(&mut self, now: Instant, octets: usize, rng: &mut Rng) -> Due {
        if self.members <= BYE_AT_ONCE {
            return Due::Report;
        }
        (self.members, self.members_then, self.senders) = (1, 1, 0);
        (self.initial, self.we_sent, self.leaving) = (true, false, true);
        self.average_size = (octets + 28) as f64;
        self.last = now;
        self.next = now + self.interval(rng);
        Due::Later
    }

    /// Another's BYE came, of `octets` in its datagram: while we leave, it counts as one who leaves too.
    pub fn other_leaves(&mut self, octets: usize) {
        if self.leaving {
            self.members = self.members.saturating_add(1);
            self.passed(octets);
        }
    }

    /// Whether our BYE waits for the timer.
    #[must_use]
    pub const fn is_leaving(&self) -> bool {
        self.leaving
    }

    fn interval(&self, rng: &mut Rng) -> Duration {
        let mean = self.mean();
        mean.mul_f64((rng.unit() + 0.5) / COMPENSATION)
    }

    /// The deterministic interval of §6.3.1: what silence is measured by (§6.3.5).
    #[must_use]
    pub fn mean(&self) -> Duration {
        let Bandwidth { senders, receivers } = self.bandwidth;
        let (mut bandwidth, mut sharing) = (senders + receivers, self.members);
        // Few senders share what is kept for them; else all share alike.
        if f64::from(self.senders) <= f64::from(self.members) * senders / bandwidth.max(1.0) {
            (bandwidth, sharing) = if self.we_sent {
                (senders, self.senders)
            } else {
                (receivers, self.members.saturating_sub(self.senders))
            };
        }
        let seconds = self.average_size * f64::from(sharing.max(1)) / bandwidth.max(1.0);
        let minimum = if self.initial { self.minimum / 2 } else { self.minimum };
        Duration::try_from_secs_f64(seconds).unwrap_or(self.minimum).max(minimum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When the first reports of a two-party call of 64 kbit/s go out.
    fn reports(seed: u64, count: usize) -> Vec<Instant> {
        let mut rng = Rng::from_u64(seed);
        let mut schedule = Schedule::new(Instant::ZERO, 64_000, &mut rng);
        schedule.set_members(Instant::ZERO, 2, 2, true);
        let mut sent = Vec::new();
        while sent.len() < count {
            let now = schedule.next();
            if schedule.expire(now, &mut rng) == Due::Report {
                sent.push(now);
                schedule.passed(100);
            }
            assert!(schedule.next() > now, "the timer goes on");
        }
        sent
    }

    #[test]
    fn the_first_report_comes_early_and_the_mean_is_five_seconds() {
        for seed in 0..50 {
            let first = reports(seed, 1)[0].as_millis();
            assert!((1_000..3_100).contains(&first), "seed {seed}: {first} ms");
        }
        let mean =
            (0..50).map(|seed| reports(seed, 21)).map(|sent| (sent[20] - sent[0]).as_secs_f64() / 20.0);
        let mean = mean.sum::<f64>() / 50.0;
        assert!((4.7..5.3).contains(&mean), "{mean} s");
    }

    #[test]
    fn many_members_report_seldom_and_sooner_when_most_leave() {
        let mut rng = Rng::from_u64(3);
        let mut schedule = Schedule::new(Instant::ZERO, 64_000, &mut rng);
        schedule.set_members(Instant::ZERO, 1000, 2, false);
        assert_eq!(schedule.expire(schedule.next(), &mut rng), Due::Later);
        let late = schedule.next();
        assert!(late > Instant::from_millis(100_000), "{late}");
        schedule.set_members(Instant::ZERO, 10, 2, false);
        assert!(schedule.next() < Instant::from_millis(5_000), "{}", schedule.next());
    }

    #[test]
    fn a_bye_goes_at_once_among_few_and_waits_among_many() {
        let mut rng = Rng::from_u64(9);
        let mut schedule = Schedule::new(Instant::ZERO, 64_000, &mut rng);
        schedule.set_members(Instant::ZERO, 50, 2, true);
        assert_eq!(schedule.leave(Instant::ZERO, 80, &mut rng), Due::Report);
        schedule.set_members(Instant::ZERO, 51, 2, true);
        let now = Instant::from_millis(60_000);
        assert_eq!(schedule.leave(now, 80, &mut rng), Due::Later);
        assert!(schedule.is_leaving());
        // All of a thousand leave at once: the timer is set anew until the flood is over.
        for _ in 0..1000 {
            schedule.other_leaves(80);
        }
        let mut waited = 0;
        let sent = loop {
            let at = schedule.next();
            match schedule.expire(at, &mut rng) {
                Due::Report => break at,
                Due::Later => waited += 1,
            }
        };
        assert!(waited >= 1 && sent - now > Duration::from_secs(100), "{waited}, {sent}");
        // Alone, it takes half the minimum at most half again as long.
        let mut schedule = Schedule::new(Instant::ZERO, 64_000, &mut rng);
        schedule.set_members(Instant::ZERO, 51, 2, true);
        schedule.leave(now, 80, &mut rng);
        assert!(schedule.next() - now < Duration::from_millis(3100));
        while schedule.expire(schedule.next(), &mut rng) == Due::Later {}
        assert!(schedule.last - now < Duration::from_millis(6200));
    }

    #[test]
    fn a_configured_interval_is_the_mean() {
        let mut rng = Rng::from_u64(4);
        let minimum = Duration::from_secs(60);
        let mut schedule = Schedule::with(Instant::ZERO, Bandwidth::of_session(80_000), minimum, &mut rng);
        schedule.set_members(Instant::ZERO, 2, 2, true);
        let mut sent = Vec::new();
        while sent.len() < 200 {
            let now = schedule.next();
            if schedule.expire(now, &mut rng) == Due::Report {
                sent.push(now);
            }
        }
        let mean = (sent[199] - sent[0]).as_secs_f64() / 199.0;
        assert!((55.0..65.0).contains(&mean), "{mean}");
        assert!(Bandwidth::of_modifiers(0, 0).is_none() && !Bandwidth::of_modifiers(800, 0).is_none());
    }
}
