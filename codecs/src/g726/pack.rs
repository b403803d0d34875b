//! Codes of two to five bits in octets.

/// In which order codes fill an octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// RFC 3551 §4.5.4: the first code in the least significant bits. `G726-32` and its like.
    Rfc3551,
    /// ITU-T I.366.2 Annex E: the first code in the most significant bits. `AAL2-G726-32` and its like.
    Aal2,
}

/// Codes in a group: at any rate they fill whole octets, five at most.
pub(super) const GROUP: usize = 8;

/// Codes of `BITS` bits that fill `octets`, a group of them or fewer; the first code in the lowest bits of
/// `codes`.
#[inline(always)]
pub(super) fn pack<const BITS: u32>(order: Order, codes: u64, octets: &mut [u8]) {
    let word = match order {
        Order::Rfc3551 => codes,
        // The first code, now on top, to the top of the first octet.
        Order::Aal2 => (turned::<BITS>(codes) << (64 - GROUP as u32 * BITS)).swap_bytes(),
    };
    for (octet, source) in octets.iter_mut().zip(word.to_le_bytes()) {
        *octet = source;
    }
}

/// The codes in `octets`, a group of them or fewer; the first in the lowest bits.
#[inline(always)]
pub(super) fn unpack<const BITS: u32>(order: Order, octets: &[u8]) -> u64 {
    let mut word = [0; 8];
    for (slot, &octet) in word.iter_mut().zip(octets) {
        *slot = octet;
    }
    let word = u64::from_le_bytes(word);
    match order {
        Order::Rfc3551 => word,
        Order::Aal2 => turned::<BITS>(word.swap_bytes() >> (64 - GROUP as u32 * BITS)),
    }
}

/// A group of codes, the last first.
#[inline(always)]
fn turned<const BITS: u32>(codes: u64) -> u64 {
    let code = (1 << BITS) - 1;
    let place = |i: usize| i as u32 * BITS;
    (0..GROUP).fold(0, |turned, i| turned | (codes >> place(i) & code) << place(GROUP - 1 - i))
}
