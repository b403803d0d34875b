//! Deadlines of many things at once, soonest first.

use alloc::collections::{BTreeMap, BTreeSet};
use sidetone_hal::time::Instant;

/// At most one deadline for each key. Setting and stopping are O(log n), reading the soonest is O(log n).
#[derive(Debug)]
pub(crate) struct Deadlines<K> {
    queue: BTreeSet<(Instant, K)>,
    by_key: BTreeMap<K, Instant>,
}

impl<K: Ord + Copy> Deadlines<K> {
    pub(crate) const fn new() -> Self {
        Self { queue: BTreeSet::new(), by_key: BTreeMap::new() }
    }

    /// Starts or restarts a deadline.
    pub(crate) fn set(&mut self, key: K, at: Instant) {
        if let Some(before) = self.by_key.insert(key, at) {
            self.queue.remove(&(before, key));
        }
        self.queue.insert((at, key));
    }

    /// Stops a deadline; nothing happens when it was not running.
    pub(crate) fn stop(&mut self, key: K) {
        if let Some(at) = self.by_key.remove(&key) {
            self.queue.remove(&(at, key));
        }
    }

    /// The soonest deadline.
    pub(crate) fn next(&self) -> Option<(Instant, K)> {
        self.queue.first().copied()
    }

    /// Takes one deadline that is due, the soonest first, and stops it.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<K> {
        let (at, key) = self.next()?;
        if at > now {
            return None;
        }
        self.stop(key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_come_due_in_order_and_restart() {
        let at = Instant::from_millis;
        let mut deadlines = Deadlines::new();
        deadlines.set('a', at(30));
        deadlines.set('b', at(20));
        deadlines.set('a', at(10));
        deadlines.set('c', at(5));
        deadlines.stop('c');
        assert_eq!(deadlines.next(), Some((at(10), 'a')));
        assert_eq!(deadlines.expire(at(9)), None);
        assert_eq!(deadlines.expire(at(40)), Some('a'));
        assert_eq!(deadlines.expire(at(40)), Some('b'));
        assert_eq!(deadlines.expire(at(40)), None);
    }
}
