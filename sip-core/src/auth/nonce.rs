//! The nonces of a server: what they carry, and how often each was used (RFC 7616 §3.3, §5.4, §5.5).

use super::digest::Hex;
use super::secret::same;
use crate::text::Text;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use core::time::Duration;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use zeroize::Zeroizing;

/// Issues nonces and counts their uses. Nothing is kept for a nonce that no right password came with.
///
/// A nonce is 64 hexadecimal digits: the time of issue in microseconds (16), a number (16), and an HMAC-SHA-256 of both
/// and of what the nonce is bound to, cut to 128 bits (32). The key is drawn when the server starts.
pub(super) struct Nonces {
    key: Zeroizing<[u8; 32]>,
    issued: u64,
    /// Nonces up to this number were forgotten, and are stale.
    forgotten: u64,
    used: BTreeMap<u64, Uses>,
}

/// What is known of a nonce that is ours.
#[derive(Clone, Copy)]
pub(super) struct Live {
    pub(super) number: u64,
    pub(super) age: Duration,
}

/// Whether a use counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Use {
    Fresh,
    /// The count was there before, or is too far back to know.
    Replay,
    /// The nonce was used as often as it may be.
    Spent,
}

impl Nonces {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        rng.fill(&mut *key);
        Self { key, issued: 0, forgotten: 0, used: BTreeMap::new() }
    }

    /// A new one.
    pub(super) fn issue(&mut self, now: Instant, binding: &[u8]) -> Text {
        self.issued += 1;
        self.write(now, self.issued, binding).into()
    }

    /// What is known of a nonce; `None` when it is not ours, bound to something else, from the future or forgotten.
    pub(super) fn look(&self, now: Instant, nonce: &str, binding: &[u8]) -> Option<Live> {
        let time = u64::from_str_radix(nonce.get(..16)?, 16).ok()?;
        let number = u64::from_str_radix(nonce.get(16..32)?, 16).ok()?;
        let issued = Instant::from_micros(time);
        let ours = same(nonce.as_bytes(), self.write(issued, number, binding).as_bytes());
        let known = ours && issued <= now && number > self.forgotten;
        known.then(|| Live { number, age: now.saturating_since(issued) })
    }

    /// Notes a use; `most` is how many there may be, `table` of how many nonces the uses are kept.
    pub(super) fn note(&mut self, number: u64, count: u32, most: u32, table: usize) -> Use {
        let uses = self.used.entry(number).or_default();
        if uses.total >= most {
            return if uses.had(count) { Use::Replay } else { Use::Spent };
        }
        if !uses.note(count) {
            return Use::Replay;
        }
        while self.used.len() > table.max(1)
            && let Some((oldest, _)) = self.used.pop_first()
        {
            self.forgotten = self.forgotten.max(oldest);
        }
        Use::Fresh
    }

    /// How often a nonce was used.
    pub(super) fn uses(&self, number: u64) -> u32 {
        self.used.get(&number).map_or(0, |uses| uses.total)
    }

    fn write(&self, time: Instant, number: u64, binding: &[u8]) -> String {
        let time = time.as_micros();
        let head = format!("{time:016x}{number:016x}");
        // HMAC takes a key of any length; there is no error to have.
        let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(&*self.key) else { return head };
        mac.update(&time.to_be_bytes());
        mac.update(&number.to_be_bytes());
        mac.update(binding);
        let signature = mac.finalize().into_bytes();
        head + Hex::of(signature.get(..16).unwrap_or_default()).as_str()
    }
}

impl core::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Nonces")
            .field("issued", &self.issued)
            .field("counted", &self.used.len())
            .finish_non_exhaustive()
    }
}

/// Which counts a nonce was used with: how many, the highest, and a bit for each of the 64 up to it.
#[derive(Clone, Copy, Debug, Default)]
struct Uses {
    total: u32,
    highest: u32,
    seen: u64,
}

impl Uses {
    /// Notes a use; false when it was there before or is too far back to know. Requests may overtake each other.
    const fn note(&mut self, count: u32) -> bool {
        if self.had(count) {
            return false;
        }
        if count > self.highest {
            let shift = count - self.highest;
            self.seen = if shift < 64 { self.seen << shift } else { 0 } | 1;
            self.highest = count;
        } else {
            self.seen |= 1 << (self.highest - count);
        }
        self.total = self.total.saturating_add(1);
        true
    }

    /// Whether the count was there before, or is too far back to know.
    const fn had(&self, count: u32) -> bool {
        if count > self.highest {
            return false;
        }
        let back = self.highest - count;
        back >= 64 || self.seen & (1 << back) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_taken_once_in_any_order() {
        let mut uses = Uses::default();
        assert!(uses.note(1) && !uses.note(1));
        assert!(uses.note(5) && uses.note(3) && uses.note(4) && !uses.note(3) && !uses.note(5));
        assert!(uses.note(100));
        assert!(!uses.note(5), "too far back to know");
        assert!(uses.note(99) && !uses.note(99));
        assert!(uses.note(u32::MAX) && !uses.note(u32::MAX));
        assert_eq!(uses.total, 7);
    }

    #[test]
    fn a_nonce_is_ours_unchanged_and_bound() {
        let mut nonces = Nonces::new(&mut Rng::from_u64(1));
        let now = Instant::from_millis(5);
        let nonce = nonces.issue(now, b"192.0.2.1");
        assert_eq!(nonce.len(), 64);
        let look = |nonce: &str, binding: &[u8]| nonces.look(now, nonce, binding).map(|live| live.number);
        assert_eq!(look(&nonce, b"192.0.2.1"), Some(1));
        assert_eq!(look(&nonce, b"192.0.2.2"), None);
        assert!(nonces.look(Instant::from_millis(4), &nonce, b"192.0.2.1").is_none(), "from the future");
        for at in 0..nonce.len() {
            let mut other: String = nonce.as_str().into();
            let digit = if nonce.as_bytes()[at] == b'0' { "1" } else { "0" };
            other.replace_range(at..=at, digit);
            assert_eq!(look(&other, b"192.0.2.1"), None, "byte {at}");
        }
        for bad in ["", "0", "ä", &nonce[..63], &format!("{nonce}0")] {
            assert_eq!(look(bad, b"192.0.2.1"), None);
        }
    }
}
