//! HMAC-SHA1 (RFC 2104) with the key's two blocks hashed once, when the key is made.
//!
//! The hash is RustCrypto's, which uses the processor's SHA instructions where there are any; ring's does not.

use sha1::digest::generic_array::GenericArray;
use zeroize::Zeroize;

const BLOCK: usize = 64;
const START: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// A key, as the states of the hash after its inner and its outer block.
pub(super) struct HmacSha1 {
    inner: [u32; 5],
    outer: [u32; 5],
}

impl HmacSha1 {
    /// A key as SRTP has them: 20 octets.
    pub(super) fn new(key: &[u8; 20]) -> Self {
        let state = |pad: u8| {
            let mut block = [pad; BLOCK];
            block.iter_mut().zip(key).for_each(|(octet, key)| *octet ^= key);
            let mut state = START;
            compress(&mut state, &block);
            block.zeroize();
            state
        };
        Self { inner: state(0x36), outer: state(0x5c) }
    }

    /// The tag of `message` and, behind it, `tail`: the roll-over counter, which no packet has in it.
    pub(super) fn tag(&self, message: &[u8], tail: &[u8]) -> [u8; 20] {
        let (blocks, rest) = message.as_chunks::<BLOCK>();
        let mut state = self.inner;
        blocks.iter().for_each(|block| compress(&mut state, block));
        let inner = finish(state, rest, tail, message.len() + tail.len());
        finish(self.outer, &inner, &[], inner.len())
    }
}

impl Drop for HmacSha1 {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

/// Hashes what is left, `rest` and `tail` of together at most 119 octets, the padding, and the length of all.
fn finish(mut state: [u32; 5], rest: &[u8], tail: &[u8], message: usize) -> [u8; 20] {
    let mut last = [[0; BLOCK]; 2];
    let left = rest.len() + tail.len();
    for (at, part) in [(0, rest), (rest.len(), tail), (left, &[0x80])] {
        if let Some(place) = last.as_flattened_mut().get_mut(at..at + part.len()) {
            place.copy_from_slice(part);
        }
    }
    let blocks = last.get_mut(..(left + 9).div_ceil(BLOCK)).unwrap_or_default();
    if let Some(place) = blocks.as_flattened_mut().last_chunk_mut() {
        // In bits, with the block of the key.
        *place = ((BLOCK + message) as u64 * 8).to_be_bytes();
    }
    blocks.iter().for_each(|block| compress(&mut state, block));
    let mut hash = [0; 20];
    hash.as_chunks_mut().0.iter_mut().zip(state).for_each(|(octets, word)| *octets = word.to_be_bytes());
    hash
}

fn compress(state: &mut [u32; 5], block: &[u8; BLOCK]) {
    sha1::compress(state, core::slice::from_ref(GenericArray::from_slice(block)));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202 §3, the cases with keys of 20 octets.
    #[test]
    fn rfc_2202() {
        assert_eq!(HmacSha1::new(&[0x0b; 20]).tag(b"Hi There", b"")[..4], [0xb6, 0x17, 0x31, 0x86]);
        assert_eq!(
            HmacSha1::new(&[0xaa; 20]).tag(&[0xdd; 50], b""),
            [
                0x12, 0x5d, 0x73, 0x42, 0xb9, 0xac, 0x11, 0xcd, 0x91, 0xa3, 0x9a, 0xf4, 0x8a, 0xa1, 0x7b,
                0x4f, 0x63, 0xf1, 0x75, 0xd3
            ]
        );
    }

    /// Every length around the edges of the blocks, against ring.
    #[test]
    fn all_lengths_are_as_ring_has_them() {
        let key = core::array::from_fn(|i| i as u8 * 11);
        let (ours, ring) =
            (HmacSha1::new(&key), ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key));
        let message: Vec<u8> = (0..300).map(|i| i as u8).collect();
        for length in 0..message.len() - 4 {
            for tail in [0, 4] {
                let expected = ring::hmac::sign(&ring, &message[..length + tail]);
                let (message, tail) = message[..length + tail].split_at(length);
                assert_eq!(ours.tag(message, tail), expected.as_ref());
            }
        }
    }
}
