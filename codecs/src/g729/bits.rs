//! Frames as octets (RFC 3551 §4.5.6): parameters in the order of the standard, most significant bit first.

use super::{SID_OCTETS, SPEECH_OCTETS};

/// The parameters of a speech frame (table 8 of the standard).
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(super) struct Speech {
    pub(super) lsf: LsfIndex,
    /// Parity of the first subframe's pitch index.
    pub(super) parity: bool,
    pub(super) subframes: [Subframe; 2],
}

/// What the LSP quantizer sends: predictor (1 bit), first stage (7), lower and upper second stage (5 each).
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(super) struct LsfIndex {
    pub(super) predictor: u8,
    pub(super) first: u8,
    pub(super) lower: u8,
    pub(super) upper: u8,
}

#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(super) struct Subframe {
    /// 8 bits in the first subframe, 5 in the second.
    pub(super) pitch: u8,
    /// Positions of the four pulses, 13 bits.
    pub(super) positions: u16,
    /// Signs of the four pulses, 4 bits.
    pub(super) signs: u8,
    /// Both gain codebooks, 3 and 4 bits.
    pub(super) gains: u8,
}

/// The parameters of a silence descriptor (table B.2): predictor (1 bit), two stages (5 and 4), gain (5).
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(super) struct Sid {
    pub(super) predictor: u8,
    pub(super) first: u8,
    pub(super) second: u8,
    pub(super) gain: u8,
}

impl Speech {
    pub(super) fn pack(&self) -> [u8; SPEECH_OCTETS] {
        let mut bits = Packer(0);
        bits.put(1, self.lsf.predictor);
        bits.put(7, self.lsf.first);
        bits.put(5, self.lsf.lower);
        bits.put(5, self.lsf.upper);
        for (subframe, pitch_bits) in self.subframes.iter().zip([8, 5]) {
            bits.put(pitch_bits, subframe.pitch);
            if pitch_bits == 8 {
                bits.put(1, self.parity);
            }
            bits.put(13, subframe.positions);
            bits.put(4, subframe.signs);
            bits.put(7, subframe.gains);
        }
        let [_, _, _, _, _, _, octets @ ..] = bits.0.to_be_bytes();
        octets
    }

    pub(super) fn unpack(octets: &[u8; SPEECH_OCTETS]) -> Self {
        let mut bits = Unpacker::new(octets);
        let lsf = LsfIndex {
            predictor: bits.take(1) as u8,
            first: bits.take(7) as u8,
            lower: bits.take(5) as u8,
            upper: bits.take(5) as u8,
        };
        let mut parity = false;
        let subframes = [8, 5].map(|pitch_bits| {
            let pitch = bits.take(pitch_bits) as u8;
            if pitch_bits == 8 {
                parity = bits.take(1) == 1;
            }
            Subframe { pitch, positions: bits.take(13), signs: bits.take(4) as u8, gains: bits.take(7) as u8 }
        });
        Self { lsf, parity, subframes }
    }
}

impl Sid {
    /// Fifteen bits and a zero.
    pub(super) fn pack(&self) -> [u8; SID_OCTETS] {
        let mut bits = Packer(0);
        bits.put(1, self.predictor);
        bits.put(5, self.first);
        bits.put(4, self.second);
        bits.put(5, self.gain);
        ((bits.0 as u16) << 1).to_be_bytes()
    }

    pub(super) fn unpack(octets: &[u8; SID_OCTETS]) -> Self {
        let mut bits = Unpacker::new(octets);
        Self {
            predictor: bits.take(1) as u8,
            first: bits.take(5) as u8,
            second: bits.take(4) as u8,
            gain: bits.take(5) as u8,
        }
    }
}

/// Bits behind one another, the first the most significant.
struct Packer(u128);

impl Packer {
    fn put(&mut self, bits: u32, value: impl Into<u128>) {
        self.0 = self.0 << bits | value.into();
    }
}

/// The bits that are still to be read, at the top.
struct Unpacker(u128);

impl Unpacker {
    fn new(octets: &[u8]) -> Self {
        let bits = octets.iter().fold(0, |bits, &octet| bits << 8 | u128::from(octet));
        Self(bits << (128 - 8 * octets.len()))
    }

    fn take(&mut self, bits: u32) -> u16 {
        let value = (self.0 >> (128 - bits)) as u16;
        self.0 <<= bits;
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_comes_back() {
        for seed in 0..200u8 {
            let octets: [u8; 10] =
                core::array::from_fn(|i| seed.wrapping_mul(37).wrapping_add((i as u8).wrapping_mul(91)));
            assert_eq!(Speech::unpack(&octets).pack(), octets);
        }
    }

    #[test]
    fn a_descriptor_ends_in_a_zero_bit() {
        assert_eq!(Sid::unpack(&[0xff, 0xff]).pack(), [0xff, 0xfe]);
        assert_eq!(Sid::unpack(&[0x84, 0x42]), Sid { predictor: 1, first: 1, second: 1, gain: 1 });
    }
}
