//! G.711 octets instead of linear samples, before the encoder and after the decoder (G.726 §4.2.1 and
//! §4.2.8).

use super::adpcm::Coded;
use super::tables::Quantizer;
use crate::g711::{alaw, mulaw};

/// The companding law of the octets on the PCM side, in the form that they have on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// A-law, as in `PCMA`.
    A,
    /// Mu-law, as in `PCMU`.
    Mu,
}

impl Law {
    /// An octet as a linear sample of 14 bits (EXPAND).
    #[inline(always)]
    pub(super) fn expand(self, octet: u8) -> i32 {
        let sample = match self {
            Self::A => alaw::decode_sample(octet),
            Self::Mu => mulaw::decode_sample(octet),
        };
        i32::from(sample >> 2)
    }

    /// The octet nearest to a reconstructed sample (COMPRESS).
    #[inline(always)]
    fn compress(self, signal: i32) -> u8 {
        // -32768 has no magnitude in 15 bits: with A-law the standard's test sequences have it as -1, else it
        // is minus zero.
        let magnitude = signal.abs().min(8191);
        let negative = signal < 0;
        let lowest = signal == -32_768;
        match self {
            Self::A if lowest => alaw::encode_sample(-1),
            Self::A if negative => alaw::encode_sample((magnitude * -4) as i16),
            Self::A => alaw::encode_sample((magnitude * 4) as i16),
            Self::Mu if lowest => mulaw::encode_sample(-1),
            // The encoder takes the ones' complement of a negative sample.
            Self::Mu if negative => mulaw::encode_sample(!(magnitude * 4) as i16),
            Self::Mu => mulaw::encode_sample((magnitude * 4) as i16),
        }
    }

    /// The octet for a decoded sample: the nearest, or its neighbour if an encoder that hears the nearest
    /// would make another code than the one that came. So a chain of G.726 and G.711 adds no more noise than
    /// one link.
    #[inline(always)]
    pub(super) fn adjust<const BITS: u32>(self, code: u32, decoded: &Coded) -> u8 {
        let nearest = self.compress(decoded.signal);
        let heard = Quantizer::<BITS>::code(self.expand(nearest) - decoded.estimate, decoded.scale >> 2);
        // Codes in the order of what they mean: the negative ones come first.
        let half = 1 << (BITS - 1);
        match (heard ^ half).cmp(&(code ^ half)) {
            core::cmp::Ordering::Less => self.above(nearest),
            core::cmp::Ordering::Equal => nearest,
            core::cmp::Ordering::Greater => self.below(nearest),
        }
    }

    /// The octet of the next higher value.
    fn above(self, octet: u8) -> u8 {
        match self {
            // Without the inversion of even bits the sign is the upper bit, set for positive values, and the
            // magnitude stands below it.
            Self::A => even_bits(match even_bits(octet) {
                0x00 => 0x80,
                0xff => 0xff,
                plain if plain & 0x80 != 0 => plain + 1,
                plain => plain - 1,
            }),
            // The magnitude is inverted; minus zero counts as a value of its own only here.
            Self::Mu => match octet {
                0x7f => 0xff,
                0x80 => 0x80,
                octet if octet & 0x80 != 0 => octet - 1,
                octet => octet + 1,
            },
        }
    }

    /// The octet of the next lower value.
    fn below(self, octet: u8) -> u8 {
        match self {
            Self::A => even_bits(match even_bits(octet) {
                0x80 => 0x00,
                0x7f => 0x7f,
                plain if plain & 0x80 != 0 => plain - 1,
                plain => plain + 1,
            }),
            Self::Mu => match octet {
                0xff => 0x7e,
                0x00 => 0x00,
                octet if octet & 0x80 != 0 => octet + 1,
                octet => octet - 1,
            },
        }
    }
}

/// A-law with its even bits inverted, or back.
fn even_bits(octet: u8) -> u8 {
    octet ^ 0x55
}
