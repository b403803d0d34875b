//! Versions of documents in a subscription: which one is next, which is old, and whether one was lost.

/// What a document did to the state that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Merge {
    /// It was taken.
    Taken,
    /// It was taken, but it tells a part only and something before it was lost: a refresh of the subscription brings
    /// the full state (RFC 4235 §4.3, RFC 4662 §5). Told once for each loss, so that a server which never sends
    /// full state is not asked again and again.
    Gap,
    /// It is older than what is known and was dropped.
    Stale,
}

/// So many old documents in a row, each newer than the one before it, are a server that counts anew: Asterisk keeps
/// subscriptions over a restart, but not their versions.
const RESTARTED: u8 = 3;

/// The version of the newest document. One that has no version is always the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Versions {
    newest: Option<u32>,
    started: bool,
    whole: bool,
    /// How many were old in a row, and the version of the last of them.
    old: Option<(u8, u32)>,
}

impl Versions {
    /// Whether a full document came and nothing was lost since.
    pub(crate) const fn is_whole(&self) -> bool {
        self.whole
    }

    /// What becomes of a document with this version.
    pub(crate) fn take(&mut self, version: Option<u32>, full: bool) -> Merge {
        let in_order = match (self.newest, version) {
            _ if !self.started => false,
            // A server that does not count sends the same number again.
            (Some(newest), Some(version)) => version == newest || version == newest.wrapping_add(1),
            _ => true,
        };
        if let (Some(newest), Some(version)) = (self.newest, version)
            && !in_order
            && version < newest
            && !self.counts_anew(version)
        {
            return Merge::Stale;
        }
        self.old = None;
        self.started = true;
        self.newest = version.or(self.newest);
        self.whole = full || self.whole && in_order;
        if full || in_order { Merge::Taken } else { Merge::Gap }
    }

    /// A new subscription counts from its own first document.
    pub(crate) fn restart(&mut self) {
        *self = Self::default();
    }

    fn counts_anew(&mut self, version: u32) -> bool {
        let before = self.old.filter(|&(_, last)| last < version).map_or(0, |(times, _)| times);
        let times = before.saturating_add(1);
        self.old = Some((times, version));
        times >= RESTARTED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_follow_one_another_and_a_lost_one_is_told_once() {
        let mut versions = Versions::default();
        assert_eq!(versions.take(Some(7), true), Merge::Taken);
        assert_eq!(versions.take(Some(8), false), Merge::Taken);
        assert!(versions.is_whole());
        assert_eq!(versions.take(Some(10), false), Merge::Gap);
        assert_eq!(versions.take(Some(11), false), Merge::Taken);
        assert!(!versions.is_whole(), "what was lost is lost until the full state comes");
        assert_eq!(versions.take(Some(20), true), Merge::Taken);
        assert!(versions.is_whole());
        assert_eq!(versions.take(Some(19), false), Merge::Stale);
        assert!(versions.is_whole());
    }

    #[test]
    fn a_subscription_that_begins_with_a_part_lacks_the_rest() {
        let mut versions = Versions::default();
        assert_eq!(versions.take(Some(0), false), Merge::Gap);
        assert_eq!(versions.take(Some(1), false), Merge::Taken);
        assert!(!versions.is_whole());
        let mut uncounted = Versions::default();
        assert_eq!(uncounted.take(None, false), Merge::Gap);
        assert_eq!(uncounted.take(None, false), Merge::Taken);
    }

    #[test]
    fn a_server_that_does_not_count_is_always_in_order() {
        for version in [None, Some(0)] {
            let mut versions = Versions::default();
            for full in [true, true, false, true] {
                assert_eq!(versions.take(version, full), Merge::Taken);
            }
            assert!(versions.is_whole());
        }
    }

    #[test]
    fn the_number_after_the_largest_is_zero() {
        let mut versions = Versions::default();
        assert_eq!(versions.take(Some(u32::MAX), true), Merge::Taken);
        assert_eq!(versions.take(Some(0), false), Merge::Taken);
        assert_eq!(versions.take(Some(1), false), Merge::Taken);
        assert!(versions.is_whole());
    }

    #[test]
    fn a_server_that_counts_anew_is_believed_at_its_third_document() {
        let mut versions = Versions::default();
        assert_eq!(versions.take(Some(900), true), Merge::Taken);
        assert_eq!(versions.take(Some(0), true), Merge::Stale);
        assert_eq!(versions.take(Some(0), true), Merge::Stale, "the same again is no count");
        assert_eq!(versions.take(Some(1), true), Merge::Stale);
        assert_eq!(versions.take(Some(2), true), Merge::Taken);
        assert_eq!(versions.take(Some(3), false), Merge::Taken);
        versions.restart();
        assert_eq!(versions.take(Some(0), true), Merge::Taken);
    }
}
