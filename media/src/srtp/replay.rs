//! Which packets came before (RFC 3711 §3.3.2).

/// Remembers which of the latest indices were received. Its memory is taken once.
///
/// ```
/// use sidetone_media::srtp::{ReplayWindow, Verdict};
/// let mut window = ReplayWindow::new(64);
/// assert_eq!(window.check(1000), Verdict::New);
/// window.accept(1000);
/// assert_eq!((window.check(1000), window.check(999), window.check(936)), (Verdict::Seen, Verdict::New, Verdict::Old));
/// ```
#[derive(Clone, Debug)]
pub struct ReplayWindow {
    highest: Option<u64>,
    /// Bit `index % size` is for `index`.
    words: Box<[u64]>,
}

/// What a [`ReplayWindow`] knows of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not received yet.
    New,
    /// Received before.
    Seen,
    /// Too old to be known.
    Old,
}

impl ReplayWindow {
    /// A window of at least `size` packets: a power of two from 64 (RFC 3711 §3.3.2) to 32768.
    #[must_use]
    pub fn new(size: usize) -> Self {
        let size = size.clamp(64, 32_768).next_power_of_two();
        Self { highest: None, words: vec![0; size / 64].into() }
    }

    /// Packets that it remembers.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.words.len() as u64 * 64
    }

    /// The highest index that was accepted.
    #[must_use]
    pub const fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Judges an index; nothing changes, for the packet is yet to be authenticated.
    #[must_use]
    pub fn check(&self, index: u64) -> Verdict {
        let Some(highest) = self.highest else { return Verdict::New };
        if index > highest {
            return Verdict::New;
        }
        if highest - index >= self.size() {
            return Verdict::Old;
        }
        if self.word(index) & bit(index) == 0 { Verdict::New } else { Verdict::Seen }
    }

    /// Remembers an index whose packet is authentic.
    pub fn accept(&mut self, index: u64) {
        match self.highest {
            Some(highest) if index > highest => {
                // What was between was not received.
                if index - highest >= self.size() {
                    self.words.fill(0);
                } else {
                    for between in highest + 1..index {
                        self.change(between, |word, bit| word & !bit);
                    }
                }
                self.highest = Some(index);
            }
            Some(highest) if highest - index >= self.size() => return,
            Some(_) => {}
            None => self.highest = Some(index),
        }
        self.change(index, |word, bit| word | bit);
    }

    fn place(&self, index: u64) -> usize {
        // The number of words is a power of two.
        (index >> 6) as usize & (self.words.len() - 1)
    }

    fn word(&self, index: u64) -> u64 {
        self.words.get(self.place(index)).copied().unwrap_or_default()
    }

    fn change(&mut self, index: u64, to: impl FnOnce(u64, u64) -> u64) {
        let place = self.place(index);
        if let Some(word) = self.words.get_mut(place) {
            *word = to(*word, bit(index));
        }
    }
}

const fn bit(index: u64) -> u64 {
    1 << (index & 63)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_size_is_bounded_and_a_power_of_two() {
        assert_eq!([0, 64, 65, 1_000_000].map(|size| ReplayWindow::new(size).size()), [64, 64, 128, 32_768]);
    }

    #[test]
    fn index_zero_is_no_exception() {
        let mut window = ReplayWindow::new(64);
        window.accept(0);
        assert_eq!((window.check(0), window.check(1)), (Verdict::Seen, Verdict::New));
    }

    proptest! {
        /// The same as a set of all that ever came.
        #[test]
        fn behaves_as_a_set(steps in proptest::collection::vec((0_u64..300, any::<bool>()), 0..400), size in 64_usize..300) {
            let (mut window, mut set, mut at) = (ReplayWindow::new(size), BTreeSet::new(), 500_u64);
            for (step, forward) in steps {
                at = if forward { at + step } else { at.saturating_sub(step) };
                let expected = match set.last() {
                    Some(highest) if at <= *highest && highest - at >= window.size() => Verdict::Old,
                    _ if set.contains(&at) => Verdict::Seen,
                    _ => Verdict::New,
                };
                prop_assert_eq!(window.check(at), expected);
                if expected == Verdict::New {
                    window.accept(at);
                    set.insert(at);
                }
            }
        }
    }
}
