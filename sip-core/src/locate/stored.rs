//! The cache: what DNS said, and that it said nothing, until its time is over (RFC 1035 §7.4, RFC 2308).

use super::record::{Key, RecordData};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use sidetone_hal::time::Instant;

/// What is known about one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// These records, at least one.
    Records(Arc<[RecordData]>),
    /// There are none.
    Nothing,
}

struct Entry {
    stored: Stored,
    until: Instant,
    used: u64,
}

/// Answers by question, each until its time is over, at most so many: the one that was not used for the longest time
/// makes room. Every operation is O(log n).
pub(super) struct Cache {
    entries: BTreeMap<Key, Entry>,
    /// When each was used last: a count of uses, not a time.
    by_use: BTreeSet<(u64, Key)>,
    uses: u64,
    most: usize,
}

impl Cache {
    pub(super) const fn new(most: usize) -> Self {
        Self { entries: BTreeMap::new(), by_use: BTreeSet::new(), uses: 0, most }
    }

    pub(super) fn get(&mut self, now: Instant, key: &Key) -> Option<Stored> {
        let entry = self.entries.get_mut(key)?;
        let old = (entry.used, key.clone());
        self.by_use.remove(&old);
        if entry.until <= now {
            self.entries.remove(key);
            return None;
        }
        self.uses += 1;
        entry.used = self.uses;
        let stored = entry.stored.clone();
        self.by_use.insert((self.uses, old.1));
        Some(stored)
    }

    /// Keeps an answer; one whose time is over already is not kept.
    pub(super) fn put(&mut self, now: Instant, key: Key, stored: Stored, until: Instant) {
        if let Some(old) = self.entries.remove(&key) {
            self.by_use.remove(&(old.used, key.clone()));
        }
        if until <= now || self.most == 0 {
            return;
        }
        if self.entries.len() >= self.most
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.uses += 1;
        self.by_use.insert((self.uses, key.clone()));
        self.entries.insert(key, Entry { stored, until, used: self.uses });
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.by_use.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locate::QueryKind;
    use alloc::format;

    fn key(number: usize) -> Key {
        Key::new(QueryKind::A, &format!("{number}.example")).unwrap()
    }

    #[test]
    fn what_was_not_used_for_the_longest_time_makes_room() {
        let (now, later) = (Instant::from_millis(0), Instant::from_millis(1000));
        let mut cache = Cache::new(3);
        for number in 0..3 {
            cache.put(now, key(number), Stored::Nothing, later);
        }
        assert!(cache.get(now, &key(0)).is_some());
        cache.put(now, key(3), Stored::Nothing, later);
        assert_eq!(cache.len(), 3);
        let there: alloc::vec::Vec<bool> =
            (0..4).map(|number| cache.get(now, &key(number)).is_some()).collect();
        assert_eq!(there, [true, false, true, true]);
        // Replaced, not added.
        cache.put(now, key(3), Stored::Nothing, Instant::from_millis(2000));
        assert_eq!((cache.len(), cache.by_use.len()), (3, 3));
        // Its time over, an entry is gone from both tables.
        assert_eq!(cache.get(later, &key(0)), None);
        assert!(cache.get(later, &key(3)).is_some());
        assert_eq!((cache.len(), cache.by_use.len()), (2, 2));
        cache.put(later, key(5), Stored::Nothing, later);
        assert_eq!(cache.len(), 2, "an answer with TTL 0 is not kept");
        cache.clear();
        assert_eq!((cache.len(), cache.by_use.len()), (0, 0));
    }
}
