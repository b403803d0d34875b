//! When to report (RFC 3550 §6.2, §6.3, §A.7).

use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};

/// The shortest mean time between reports.
const MINIMUM: Duration = Duration::from_secs(5);
/// e − 3/2: makes up for what reconsideration adds to the mean (§6.3.1).
const COMPENSATION: f64 = 1.218_28;

/// The report timer of one participant.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Octets a second that all reports together may take.
    bandwidth: f64,
    /// Mean size of a compound on the wire, with its headers.
    average_size: f64,
    members: u32,
    members_then: u32,
    senders: u32,
    we_sent: bool,
    initial: bool,
    last: Instant,
    next: Instant,
}

/// What to do when the timer fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Send a report; the timer runs again.
    Report,
    /// Not yet: the session grew since the timer was set.
    Later,
}

impl Schedule {
    /// Starts the timer for a session of `session_bandwidth` bits a second; reports get 5 % of it (§6.2).
    pub fn new(now: Instant, session_bandwidth: u32, rng: &mut Rng) -> Self {
        let mut schedule = Self {
            bandwidth: f64::from(session_bandwidth) / 8.0 * 0.05,
            average_size: 128.0,
            members: 1,
            members_then: 1,
            senders: 0,
            we_sent: false,
            initial: true,
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

    fn interval(&self, rng: &mut Rng) -> Duration {
        let mean = self.mean();
        mean.mul_f64((rng.unit() + 0.5) / COMPENSATION)
    }

    /// The deterministic interval of §6.3.1.
    fn mean(&self) -> Duration {
        let (mut bandwidth, mut sharing) = (self.bandwidth, self.members);
        if self.senders * 4 <= self.members {
            let share = if self.we_sent { 0.25 } else { 0.75 };
            bandwidth *= share;
            sharing = if self.we_sent { self.senders } else { self.members - self.senders };
        }
        let seconds = self.average_size * f64::from(sharing.max(1)) / bandwidth.max(1.0);
        let minimum = if self.initial { MINIMUM / 2 } else { MINIMUM };
        Duration::try_from_secs_f64(seconds).unwrap_or(MINIMUM).max(minimum)
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
}
