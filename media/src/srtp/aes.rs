//! AES in counter mode (RFC 3711 §4.1.1, RFC 6188 §2).

use aes::cipher::{Array, BlockCipherEncrypt, KeyInit, array::typenum::U16};
use aes::{Aes128Enc, Aes192Enc, Aes256Enc};

type Block = Array<u8, U16>;

/// Blocks of key stream that are made at once: a packet of 20 ms of G.711 is ten.
const AT_ONCE: usize = 16;

/// A key schedule, kept for all packets. It is cleared when it is dropped.
pub(super) enum CounterMode {
    Aes128(Aes128Enc),
    Aes192(Aes192Enc),
    Aes256(Aes256Enc),
}

impl CounterMode {
    /// None if the key is not of 16, 24 or 32 octets.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Aes128Enc::new_from_slice(key).ok().map(Self::Aes128),
            24 => Aes192Enc::new_from_slice(key).ok().map(Self::Aes192),
            32 => Aes256Enc::new_from_slice(key).ok().map(Self::Aes256),
            _ => None,
        }
    }

    /// Adds the key stream that begins with counter block `iv` to `data`.
    pub(super) fn apply(&self, iv: u128, data: &mut [u8]) {
        match self {
            Self::Aes128(cipher) => apply(cipher, iv, data),
            Self::Aes192(cipher) => apply(cipher, iv, data),
            Self::Aes256(cipher) => apply(cipher, iv, data),
        }
    }
}

fn apply(cipher: &impl BlockCipherEncrypt<BlockSize = U16>, mut counter: u128, data: &mut [u8]) {
    for piece in data.chunks_mut(AT_ONCE * 16) {
        let mut blocks = [Block::default(); AT_ONCE];
        let Some(blocks) = blocks.get_mut(..piece.len().div_ceil(16)) else { return };
        for block in &mut *blocks {
            *block = counter.to_be_bytes().into();
            counter = counter.wrapping_add(1);
        }
        cipher.encrypt_blocks(blocks);
        for (octets, stream) in piece.chunks_mut(16).zip(blocks.iter()) {
            octets.iter_mut().zip(stream.iter()).for_each(|(octet, key)| *octet ^= key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3711 §B.2: the key stream of AES-128, far beyond one piece.
    #[test]
    fn key_stream_of_rfc_3711_b2() {
        let cipher = CounterMode::new(&0x2B7E_1516_28AE_D2A6_ABF7_1588_09CF_4F3C_u128.to_be_bytes()).unwrap();
        let mut stream = vec![0; 0xff03 * 16];
        cipher.apply(0xF0F1_F2F3_F4F5_F6F7_F8F9_FAFB_FCFD_0000, &mut stream);
        let at = |block: usize| u128::from_be_bytes(stream[block * 16..][..16].try_into().unwrap());
        assert_eq!(at(0), 0xE03E_AD09_35C9_5E80_E166_B16D_D92B_4EB4);
        assert_eq!(at(1), 0xD235_1316_2B02_D0F7_2A43_A2FE_4A5F_97AB);
        assert_eq!(at(2), 0x41E9_5B3B_B0A2_E8DD_4779_01E4_FCA8_94C0);
        assert_eq!(at(0xfeff), 0xEC8C_DF73_9860_7CB0_F2D2_1675_EA9E_A1E4);
        assert_eq!(at(0xff00), 0x362B_7C3C_6773_5163_18A0_77D7_FC50_73AE);
        assert_eq!(at(0xff01), 0x6A2C_C378_7889_374F_BEB4_C81B_17BA_6C44);
    }

    #[test]
    fn lengths_that_are_no_whole_blocks() {
        let cipher = CounterMode::new(&[7; 32]).unwrap();
        let mut whole = [0; 1000];
        cipher.apply(99, &mut whole);
        for length in [0, 1, 15, 16, 17, 160, 255, 256, 257, 999] {
            let mut part = vec![0; length];
            cipher.apply(99, &mut part);
            assert_eq!(part, whole[..length]);
        }
        assert!(CounterMode::new(&[0; 17]).is_none());
    }
}
