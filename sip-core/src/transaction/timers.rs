//! The timers of RFC 3261 table 4 with RFC 6026's L and M, as data.

use core::time::Duration;

/// A timer of a transaction, by its letter in RFC 3261 table 4 and RFC 6026 §8.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Timer {
    /// INVITE client: request retransmit interval.
    A,
    /// INVITE client: no response came.
    B,
    /// INVITE client: wait for retransmitted final responses.
    D,
    /// Non-INVITE client: request retransmit interval.
    E,
    /// Non-INVITE client: no final response came.
    F,
    /// INVITE server: response retransmit interval.
    G,
    /// INVITE server: no ACK came.
    H,
    /// INVITE server: wait for retransmitted ACKs.
    I,
    /// Non-INVITE server: wait for retransmitted requests.
    J,
    /// Non-INVITE client: wait for retransmitted responses.
    K,
    /// INVITE server, after a 2xx: wait for retransmitted INVITEs (RFC 6026).
    L,
    /// INVITE client, after a 2xx: wait for 2xx of other forks and retransmitted ones (RFC 6026).
    M,
    /// INVITE server: the user answered nothing for 200 ms, so 100 goes out (RFC 3261 §17.2.1).
    Trying,
    /// Non-INVITE server: the user answered nothing until the client's timer E has grown to T2, 3.5 s, so 100 goes
    /// out (RFC 4320 §4.1).
    LateTrying,
    /// INVITE client: 64·T1 after its CANCEL and still no final response (RFC 3261 §9.1).
    Cancelled,
    /// Non-INVITE server: the client's timer F has run out, so no response can matter (RFC 4320 §4.2).
    Unanswered,
    /// Client: the connection that a long request waits for instead of UDP did not come up (RFC 3261 §18.1.1).
    Switch,
}

/// The base times that the others follow from (RFC 3261 §17.1.1.1 and table 4), and those that are set by hand.
///
/// ```
/// use sidetone_sip_core::transaction::{Timer, Timers};
/// use core::time::Duration;
/// let timers = Timers::default();
/// assert_eq!(timers.duration(Timer::B, false), Duration::from_secs(32));
/// assert_eq!(timers.duration(Timer::K, true), Duration::ZERO); // a stream repeats nothing
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timers {
    /// Round-trip time estimate. Default 500 ms.
    pub t1: Duration,
    /// Largest interval between repeats of non-INVITE requests and INVITE responses. Default 4 s.
    pub t2: Duration,
    /// How long a message may stay in the network. Default 5 s.
    pub t4: Duration,
    /// Silence of the user before an INVITE server sends 100. Default 200 ms.
    pub trying: Duration,
    /// Timer B, when it is not 64·T1. Default none.
    pub b: Option<Duration>,
    /// Timer D over UDP, when it is not 64·T1 and 32 s at least; zero forgets an INVITE with its ACK. Default none.
    pub d: Option<Duration>,
    /// Timer F, when it is not 64·T1. Default none.
    pub f: Option<Duration>,
    /// Timer H, when it is not 64·T1. Default none.
    pub h: Option<Duration>,
    /// Timer J over UDP, when it is not 64·T1; zero forgets a request with its response. Default none.
    pub j: Option<Duration>,
    /// How long a request that is too long for UDP waits for its connection before it goes over UDP all the same
    /// (RFC 3261 §18.1.1). Default 4 s.
    pub switch: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            trying: Duration::from_millis(200),
            b: None,
            d: None,
            f: None,
            h: None,
            j: None,
            switch: Duration::from_secs(4),
        }
    }
}

impl Timers {
    /// RFC 3261 table 4: how long the timer runs the first time it is started; [`Duration::ZERO`] when it is not
    /// used on a transport of that kind, so that what follows it happens at once.
    #[must_use]
    pub fn duration(&self, timer: Timer, reliable: bool) -> Duration {
        let unless_reliable = |duration| if reliable { Duration::ZERO } else { duration };
        let t1_x64 = self.t1.saturating_mul(64);
        match timer {
            Timer::A | Timer::E | Timer::G => unless_reliable(self.t1),
            Timer::B => self.b.unwrap_or(t1_x64),
            Timer::F | Timer::Unanswered => self.f.unwrap_or(t1_x64),
            Timer::H => self.h.unwrap_or(t1_x64),
            Timer::L | Timer::M | Timer::Cancelled => t1_x64,
            // "At least 32 seconds": what the server's timer H may still repeat.
            Timer::D => unless_reliable(self.d.unwrap_or_else(|| t1_x64.max(Duration::from_secs(32)))),
            Timer::I | Timer::K => unless_reliable(self.t4),
            Timer::J => unless_reliable(self.j.unwrap_or(t1_x64)),
            Timer::Trying => self.trying,
            Timer::LateTrying => self.until_t2(),
            Timer::Switch => self.switch,
        }
    }

    /// The time after which timer E is reset to T2: T1 + 2·T1 + 4·T1 and so on, 3.5 s by default.
    fn until_t2(&self) -> Duration {
        let (mut sum, mut interval) = (Duration::ZERO, self.t1);
        while !interval.is_zero() && interval < self.t2 {
            sum = sum.saturating_add(interval);
            interval = interval.saturating_mul(2);
        }
        sum
    }

    /// The interval after `interval` for timers E and G, which double up to T2.
    pub(crate) fn next_interval(&self, interval: Duration) -> Duration {
        interval.saturating_mul(2).min(self.t2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_table_4() {
        let timers = Timers::default();
        // Timer, milliseconds over UDP, milliseconds over TCP.
        let table = [
            (Timer::A, 500, 0),
            (Timer::B, 32_000, 32_000),
            (Timer::D, 32_000, 0),
            (Timer::E, 500, 0),
            (Timer::F, 32_000, 32_000),
            (Timer::G, 500, 0),
            (Timer::H, 32_000, 32_000),
            (Timer::I, 5_000, 0),
            (Timer::J, 32_000, 0),
            (Timer::K, 5_000, 0),
            (Timer::L, 32_000, 32_000),
            (Timer::M, 32_000, 32_000),
            (Timer::Trying, 200, 200),
            (Timer::LateTrying, 3_500, 3_500),
            (Timer::Cancelled, 32_000, 32_000),
            (Timer::Unanswered, 32_000, 32_000),
            (Timer::Switch, 4_000, 4_000),
        ];
        for (timer, udp, tcp) in table {
            assert_eq!(timers.duration(timer, false), Duration::from_millis(udp), "{timer:?} over UDP");
            assert_eq!(timers.duration(timer, true), Duration::from_millis(tcp), "{timer:?} over TCP");
        }
    }

    #[test]
    fn the_settings_of_telephones_can_be_expressed() {
        let milliseconds = Duration::from_millis;
        // Panasonic's "T1" 4000 ms with "T2" 2 s, B, D, F, H and J by hand; Yealink's T1, T2, T4 in seconds with fractions.
        let panasonic = Timers {
            t1: milliseconds(4000),
            t2: Duration::from_secs(2),
            b: Some(milliseconds(250)),
            d: Some(Duration::ZERO),
            f: Some(milliseconds(64_000)),
            h: Some(milliseconds(16_000)),
            j: Some(milliseconds(5000)),
            ..Timers::default()
        };
        let table =
            [(Timer::B, 250), (Timer::D, 0), (Timer::F, 64_000), (Timer::H, 16_000), (Timer::J, 5000)];
        for (timer, expected) in table {
            assert_eq!(panasonic.duration(timer, false), milliseconds(expected), "{timer:?}");
        }
        assert_eq!(
            (panasonic.duration(Timer::D, true), panasonic.duration(Timer::J, true)),
            Default::default()
        );
        // T1 above T2: timer E is T2 from its second interval on, so 100 may go at once.
        assert_eq!(panasonic.next_interval(panasonic.t1), panasonic.t2);
        assert_eq!(panasonic.duration(Timer::LateTrying, false), Duration::ZERO);
        let yealink = Timers {
            t1: Duration::from_secs_f64(0.25),
            t4: Duration::from_secs_f64(2.5),
            ..Timers::default()
        };
        assert_eq!(yealink.duration(Timer::F, true), Duration::from_secs(16));
        assert_eq!(yealink.duration(Timer::K, false), milliseconds(2500));
        // 250 + 500 + 1000 + 2000.
        assert_eq!(yealink.duration(Timer::LateTrying, false), milliseconds(3750));
    }

    #[test]
    fn intervals_double_up_to_t2() {
        let timers = Timers::default();
        let mut interval = timers.t1;
        let seen: [u64; 5] = core::array::from_fn(|_| {
            interval = timers.next_interval(interval);
            interval.as_millis() as u64
        });
        assert_eq!(seen, [1000, 2000, 4000, 4000, 4000]);
    }
}
