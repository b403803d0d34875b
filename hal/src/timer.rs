//! Timers as data: an enum names them, a fixed array holds their deadlines.
//!
//! A machine keeps one [`TimerTable`], tells [`TimerTable::next`] from `poll_timeout`, and in
//! `handle_timeout` loops over [`TimerTable::expire`]. Early and repeated wake-ups find nothing due and
//! change nothing.

use crate::time::Instant;
use core::fmt::Debug;

/// Names the timers of one machine: an enum whose variants number `0..N` without a gap.
pub trait TimerKind: Copy + Debug + 'static {
    /// Every kind, in the order of [`TimerKind::index`].
    const ALL: &'static [Self];

    /// The kind's place in the table, as a rule `self as usize`.
    fn index(self) -> usize;
}

/// `N` deadlines, one for each variant of `K`. Setting, stopping and reading are O(1), the soonest is O(N).
///
/// ```
/// use sidetone_hal::time::{Duration, Instant};
/// use sidetone_hal::timer::{TimerKind, TimerTable};
///
/// #[derive(Clone, Copy, Debug, PartialEq)]
/// enum Timer { Retransmit, GiveUp }
/// impl TimerKind for Timer {
///     const ALL: &'static [Self] = &[Self::Retransmit, Self::GiveUp];
///     fn index(self) -> usize { self as usize }
/// }
///
/// let mut timers = TimerTable::<Timer, 2>::new();
/// let now = Instant::ZERO;
/// timers.set(Timer::Retransmit, now + Duration::from_millis(500));
/// timers.set(Timer::GiveUp, now + Duration::from_secs(32));
/// assert_eq!(timers.next().map(|(_, why)| why), Some(Timer::Retransmit));
/// assert_eq!(timers.expire(now), None);
/// assert_eq!(timers.expire(now + Duration::from_secs(1)), Some(Timer::Retransmit));
/// ```
#[derive(Clone, Debug)]
pub struct TimerTable<K, const N: usize> {
    deadlines: [Option<Instant>; N],
    kind: core::marker::PhantomData<K>,
}

impl<K: TimerKind, const N: usize> TimerTable<K, N> {
    /// A table with every timer stopped.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(K::ALL.len() == N, "N must be the number of timer kinds") };
        Self { deadlines: [None; N], kind: core::marker::PhantomData }
    }

    /// Starts or restarts a timer.
    pub fn set(&mut self, kind: K, deadline: Instant) {
        if let Some(slot) = self.deadlines.get_mut(kind.index()) {
            *slot = Some(deadline);
        }
    }

    /// Stops a timer; nothing happens when it was not running.
    pub fn stop(&mut self, kind: K) {
        if let Some(slot) = self.deadlines.get_mut(kind.index()) {
            *slot = None;
        }
    }

    /// Stops every timer.
    pub fn stop_all(&mut self) {
        self.deadlines = [None; N];
    }

    /// When the timer fires, if it runs.
    #[must_use]
    pub fn deadline(&self, kind: K) -> Option<Instant> {
        self.deadlines.get(kind.index()).copied().flatten()
    }

    /// The soonest deadline, and which timer it belongs to.
    #[must_use]
    pub fn next(&self) -> Option<(Instant, K)> {
        K::ALL.iter().fold(None, |soonest, &kind| soonest.soonest(self.deadline(kind).map(|at| (at, kind))))
    }

    /// Takes one timer that is due at `now`, the soonest first, and stops it.
    pub fn expire(&mut self, now: Instant) -> Option<K> {
        let (_, kind) = self.next().filter(|(at, _)| *at <= now)?;
        self.stop(kind);
        Some(kind)
    }
}

impl<K: TimerKind, const N: usize> Default for TimerTable<K, N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Joins deadlines and keeps the reason of the one that comes first.
///
/// ```
/// use sidetone_hal::{time::Instant, timer::Soonest};
/// let dns = Some((Instant::from_millis(20), "dns"));
/// let retransmit = Some((Instant::from_millis(5), "retransmit"));
/// assert_eq!(dns.soonest(retransmit).map(|(_, why)| why), Some("retransmit"));
/// assert_eq!(dns.soonest(None), dns);
/// ```
pub trait Soonest: Sized {
    /// The sooner of the two; the first at a tie.
    #[must_use]
    fn soonest(self, other: Self) -> Self;
}

impl<R> Soonest for Option<(Instant, R)> {
    fn soonest(self, other: Self) -> Self {
        match (self, other) {
            (Some(a), Some(b)) if b.0 < a.0 => Some(b),
            (Some(a), _) => Some(a),
            (None, b) => b,
        }
    }
}

impl Soonest for Option<Instant> {
    fn soonest(self, other: Self) -> Self {
        match (self, other) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}
