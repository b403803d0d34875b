//! Seeded randomness: tags, branches, SSRCs, nonces and jittered back-off all come from here.
//!
//! [`Rng`] is the ChaCha20 block function (RFC 8439 §2.3) run as a key stream, so its output is not
//! predictable from what was already sent, and is the same for the same seed. A driver seeds it from the
//! operating system; a test from a number.

/// A seeded, cryptographically strong generator.
///
/// ```
/// use sidetone_hal::rng::Rng;
/// let (mut a, mut b) = (Rng::from_u64(7), Rng::from_u64(7));
/// assert_eq!(a.next_u64(), b.next_u64());
/// ```
#[derive(Clone)]
pub struct Rng {
    key: [u32; 8],
    counter: u64,
    block: [u8; 64],
    used: usize,
}

impl core::fmt::Debug for Rng {
    /// Shows no state: whoever reads a log must not learn the next nonce.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Rng").finish_non_exhaustive()
    }
}

impl Rng {
    /// A generator from 32 bytes of seed, which should come from the operating system in a product.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let mut key = [0; 8];
        for (word, bytes) in key.iter_mut().zip(seed.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        Self { key, counter: 0, block: [0; 64], used: 64 }
    }

    /// A generator from a small seed, for tests and simulations.
    #[must_use]
    pub fn from_u64(seed: u64) -> Self {
        let mut bytes = [0; 32];
        for (byte, value) in bytes.iter_mut().zip(seed.to_le_bytes()) {
            *byte = value;
        }
        Self::from_seed(bytes)
    }

    /// A generator of its own for one part of a system, so that parts do not disturb each other's draws.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        let mut seed = [0; 32];
        self.fill(&mut seed);
        Self::from_seed(seed)
    }

    /// Fills `out` with random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            if self.used >= self.block.len() {
                self.block = chacha20_block(&self.key, self.counter, [0; 2]);
                self.counter = self.counter.wrapping_add(1);
                self.used = 0;
            }
            *byte = self.block.get(self.used).copied().unwrap_or_default();
            self.used += 1;
        }
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A number in `0..bound`; zero when `bound` is zero. Even, to within 2⁻³² of the range (widening multiply).
    pub fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// A number in `0.0..1.0`, with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with probability `p`: never at 0, always at 1.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// `N` lower-case hexadecimal digits, for tags and branches (RFC 3261 §19.3 asks for 32 bits at least: `N` ≥ 8).
    pub fn hex<const N: usize>(&mut self) -> [u8; N] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut out = [0; N];
        self.fill(&mut out);
        for byte in &mut out {
            *byte = DIGITS.get(usize::from(*byte & 15)).copied().unwrap_or(b'0');
        }
        out
    }
}

fn chacha20_block(key: &[u32; 8], counter: u64, nonce: [u32; 2]) -> [u8; 64] {
    let [k0, k1, k2, k3, k4, k5, k6, k7] = *key;
    let initial: [u32; 16] = [
        0x6170_7865,
        0x3320_646e,
        0x7962_2d32,
        0x6b20_6574,
        k0,
        k1,
        k2,
        k3,
        k4,
        k5,
        k6,
        k7,
        counter as u32,
        (counter >> 32) as u32,
        nonce[0],
        nonce[1],
    ];
    let mut s = initial;
    for _ in 0..10 {
        quarter_round::<0, 4, 8, 12>(&mut s);
        quarter_round::<1, 5, 9, 13>(&mut s);
        quarter_round::<2, 6, 10, 14>(&mut s);
        quarter_round::<3, 7, 11, 15>(&mut s);
        quarter_round::<0, 5, 10, 15>(&mut s);
        quarter_round::<1, 6, 11, 12>(&mut s);
        quarter_round::<2, 7, 8, 13>(&mut s);
        quarter_round::<3, 4, 9, 14>(&mut s);
    }
    let mut out = [0; 64];
    for ((bytes, mixed), first) in out.as_chunks_mut::<4>().0.iter_mut().zip(s).zip(initial) {
        *bytes = mixed.wrapping_add(first).to_le_bytes();
    }
    out
}

#[expect(clippy::indexing_slicing, reason = "constant indices below 16, checked when compiled")]
fn quarter_round<const A: usize, const B: usize, const C: usize, const D: usize>(s: &mut [u32; 16]) {
    s[A] = s[A].wrapping_add(s[B]);
    s[D] = (s[D] ^ s[A]).rotate_left(16);
    s[C] = s[C].wrapping_add(s[D]);
    s[B] = (s[B] ^ s[C]).rotate_left(12);
    s[A] = s[A].wrapping_add(s[B]);
    s[D] = (s[D] ^ s[A]).rotate_left(8);
    s[C] = s[C].wrapping_add(s[D]);
    s[B] = (s[B] ^ s[C]).rotate_left(7);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_function_matches_rfc_8439_section_2_3_2() {
        let key: [u32; 8] = core::array::from_fn(|i| {
            let b = (i * 4) as u8;
            u32::from_le_bytes([b, b + 1, b + 2, b + 3])
        });
        // The RFC's 96-bit nonce 00:00:00:09:00:00:00:4a:00:00:00:00 with counter 1.
        let block = chacha20_block(&key, 1 | (0x0900_0000_u64 << 32), [0x4a00_0000, 0]);
        assert_eq!(
            block[..16],
            [0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3, 0x20, 0x71, 0xc4]
        );
        assert_eq!(block[60..], [0xa2, 0x50, 0x3c, 0x4e]);
    }

    #[test]
    fn draws_stay_in_bounds_and_differ_between_seeds() {
        let mut rng = Rng::from_u64(1);
        assert!((0..1000).all(|_| rng.below(10) < 10));
        assert_eq!(rng.below(0), 0);
        assert!((0..1000).all(|_| (0.0..1.0).contains(&rng.unit())));
        assert!(!rng.chance(0.0) && rng.chance(1.0));
        assert!(rng.hex::<16>().iter().all(u8::is_ascii_hexdigit));
        assert_ne!(Rng::from_u64(1).next_u64(), Rng::from_u64(2).next_u64());
        assert_ne!(rng.fork().next_u64(), rng.fork().next_u64());
    }
}
