//! Targets that failed: until their time is over they come last.

use alloc::collections::BTreeMap;
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_hal::time::Instant;

/// A table of at most so many targets. Looking one up is O(log n), adding to a full table O(n).
pub(super) struct Blacklist {
    until: BTreeMap<(Protocol, SocketAddr), Instant>,
    most: usize,
}

impl Blacklist {
    pub(super) const fn new(most: usize) -> Self {
        Self { until: BTreeMap::new(), most }
    }

    /// A target failed; the longer of two times counts.
    pub(super) fn add(&mut self, now: Instant, protocol: Protocol, address: SocketAddr, until: Instant) {
        if until <= now || self.most == 0 {
            return;
        }
        if let Some(old) = self.until.get_mut(&(protocol, address)) {
            *old = until.max(*old);
            return;
        }
        if self.until.len() >= self.most {
            self.until.retain(|_, until| *until > now);
        }
        if self.until.len() >= self.most {
            let first = self.until.iter().min_by_key(|(_, until)| **until).map(|(target, _)| *target);
            first.and_then(|first| self.until.remove(&first));
        }
        self.until.insert((protocol, address), until);
    }

    pub(super) fn remove(&mut self, protocol: Protocol, address: SocketAddr) {
        self.until.remove(&(protocol, address));
    }

    pub(super) fn has(&self, now: Instant, protocol: Protocol, address: SocketAddr) -> bool {
        self.until.get(&(protocol, address)).is_some_and(|until| *until > now)
    }

    pub(super) fn len(&self) -> usize {
        self.until.len()
    }

    pub(super) fn clear(&mut self) {
        self.until.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_forgets_what_would_end_first() {
        let at = Instant::from_millis;
        let address = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let mut list = Blacklist::new(2);
        list.add(at(0), Protocol::Udp, address(1), at(300));
        list.add(at(0), Protocol::Udp, address(2), at(200));
        list.add(at(0), Protocol::Udp, address(1), at(100));
        list.add(at(0), Protocol::Udp, address(3), at(400));
        assert_eq!(list.len(), 2);
        assert!(list.has(at(299), Protocol::Udp, address(1)), "the longer time counts");
        assert!(!list.has(at(300), Protocol::Udp, address(1)));
        assert!(!list.has(at(0), Protocol::Udp, address(2)));
        assert!(!list.has(at(0), Protocol::Tcp, address(3)), "another transport is another target");
        // What is over makes room before anything else does.
        list.add(at(350), Protocol::Udp, address(4), at(360));
        assert!(list.has(at(350), Protocol::Udp, address(3)) && list.has(at(350), Protocol::Udp, address(4)));
        list.remove(Protocol::Udp, address(3));
        assert!(!list.has(at(350), Protocol::Udp, address(3)));
    }
}
