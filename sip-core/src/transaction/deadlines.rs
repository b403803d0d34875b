//! When each transaction wants to be woken: a heap that knows where each transaction stands in it.
//!
//! Setting, changing and taking a deadline are O(log n), the soonest is O(1), and deadlines are exact. Of two at the
//! same instant the smaller slot comes first, so that runs with the same input are the same.

use alloc::vec::Vec;
use sidetone_hal::time::Instant;

/// Children of a place: a flat heap touches fewer cache lines than a binary one.
const ARITY: usize = 4;
/// The place of a slot without deadline.
const NOWHERE: u32 = u32::MAX;

/// One deadline at most for each slot.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    heap: Vec<(Instant, u32)>,
    /// Where a slot stands in the heap.
    places: Vec<u32>,
}

impl Deadlines {
    /// The soonest deadline and its slot.
    pub(crate) fn first(&self) -> Option<(Instant, u32)> {
        self.heap.first().copied()
    }

    /// Gives a slot its deadline, in place of the one that it had.
    pub(crate) fn set(&mut self, slot: u32, deadline: Option<Instant>) {
        match (self.place(slot), deadline) {
            (None, None) => {}
            (None, Some(at)) => {
                self.heap.push((at, slot));
                self.up(self.heap.len() - 1, (at, slot));
            }
            (Some(place), Some(at)) => self.put(place, (at, slot)),
            (Some(place), None) => {
                self.settle(slot, NOWHERE);
                // The last one fills the gap, unless it was the gap.
                let Some(last) = self.heap.pop() else { return };
                if place < self.heap.len() {
                    self.put(place, last);
                }
            }
        }
    }

    /// Forgets what it needed for many; there must be none.
    pub(crate) fn shrink(&mut self) {
        if self.heap.is_empty() {
            *self = Self::default();
        }
    }

    fn place(&self, slot: u32) -> Option<usize> {
        let place = *self.places.get(usize::try_from(slot).ok()?)?;
        usize::try_from(place).ok().filter(|_| place != NOWHERE)
    }

    /// Puts an entry where another one stood, and moves it to where it belongs.
    fn put(&mut self, place: usize, entry: (Instant, u32)) {
        if self.up(place, entry) == place {
            self.down(place, entry);
        }
    }

    /// Moves an entry from `place` toward the first; where it came to stand.
    fn up(&mut self, mut place: usize, entry: (Instant, u32)) -> usize {
        while place > 0 {
            let parent = (place - 1) / ARITY;
            let Some(above) = self.heap.get(parent).copied().filter(|above| entry < *above) else { break };
            self.write(place, above);
            place = parent;
        }
        self.write(place, entry);
        place
    }

    /// Moves an entry from `place` away from the first.
    fn down(&mut self, mut place: usize, entry: (Instant, u32)) {
        loop {
            let first = place * ARITY + 1;
            let children = self.heap.get(first..).unwrap_or_default().iter().take(ARITY);
            let Some((offset, soonest)) = children.copied().enumerate().min_by_key(|(_, child)| *child)
            else {
                break;
            };
            if entry <= soonest {
                break;
            }
            self.write(place, soonest);
            place = first + offset;
        }
        self.write(place, entry);
    }

    fn write(&mut self, place: usize, entry: (Instant, u32)) {
        if let Some(there) = self.heap.get_mut(place) {
            *there = entry;
        }
        // Slots are numbered by `u32`, so places are.
        self.settle(entry.1, place as u32);
    }

    fn settle(&mut self, slot: u32, place: u32) {
        let Ok(slot) = usize::try_from(slot) else { return };
        if slot >= self.places.len() {
            self.places.resize(slot + 1, NOWHERE);
        }
        if let Some(there) = self.places.get_mut(slot) {
            *there = place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use sidetone_hal::rng::Rng;

    #[test]
    fn it_orders_as_a_sorted_map_does() {
        let mut rng = Rng::from_u64(4);
        let (mut deadlines, mut model) = (Deadlines::default(), BTreeMap::<u32, Instant>::new());
        for step in 0..20_000 {
            let slot = rng.below(300);
            // Ten instants only, so that many are the same.
            let at = rng.chance(0.6).then(|| Instant::from_millis(rng.below(10).into()));
            deadlines.set(slot, at);
            match at {
                Some(at) => model.insert(slot, at),
                None => model.remove(&slot),
            };
            let soonest = model.iter().map(|(slot, at)| (*at, *slot)).min();
            assert_eq!(deadlines.first(), soonest, "step {step}");
        }
        while let Some((at, slot)) = deadlines.first() {
            assert_eq!(model.remove(&slot), Some(at));
            assert!(model.values().all(|later| *later >= at));
            deadlines.set(slot, None);
        }
        assert!(model.is_empty());
    }
}
