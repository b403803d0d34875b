//! One coded frame, and the way between its bits and the codec's parameters (3GPP TS 26.101).
#![expect(
    clippy::indexing_slicing,
    reason = "places come from const tables over the same arrays; lengths are checked first"
)]

use super::Mode;
use super::tables::bits;

/// The most parameters that a frame has (12.2 kbit/s).
pub(crate) const PARAMETERS: usize = 57;

/// The most octets that a frame has (12.2 kbit/s).
const OCTETS: usize = 31;

/// Bits of a silence descriptor: parameters, update or first, mode.
const SID_BITS: usize = 39;

/// Which of a silence descriptor's bits says that it is an update.
const SID_UPDATE: usize = 35;

/// What a frame is (3GPP TS 26.101 §4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameType {
    /// Speech in this mode: types 0 to 7.
    Speech(Mode),
    /// Silence descriptor: type 8.
    Sid,
    /// Nothing was sent, or it was lost: type 15.
    NoData,
}

impl FrameType {
    /// The type with this number on the wire; `None` for those of other codecs and those reserved.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            8 => Some(Self::Sid),
            15 => Some(Self::NoData),
            _ => match Mode::from_number(number) {
                Some(mode) => Some(Self::Speech(mode)),
                None => None,
            },
        }
    }

    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Speech(mode) => mode.number(),
            Self::Sid => 8,
            Self::NoData => 15,
        }
    }

    /// Bits of a frame of this type.
    #[must_use]
    pub const fn bits(self) -> usize {
        match self {
            Self::Speech(mode) => mode.bits(),
            Self::Sid => SID_BITS,
            Self::NoData => 0,
        }
    }

    /// Octets that they fill.
    #[must_use]
    pub const fn octets(self) -> usize {
        self.bits().div_ceil(8)
    }
}

/// What a silence descriptor says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Silence {
    /// Whether the parameters hold (`SID_UPDATE`); if not, silence only begins (`SID_FIRST`).
    pub update: bool,
    /// The mode of the speech around it.
    pub mode: Mode,
    /// Predictor start, three line spectral frequency parts, energy.
    pub parameters: [i16; 5],
}

/// One frame of 20 ms: its type and its bits, the most important first, the rest of the last octet zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    kind: FrameType,
    octets: [u8; OCTETS],
}

impl Frame {
    /// The frame that was not sent.
    pub const NO_DATA: Self = Self { kind: FrameType::NoData, octets: [0; OCTETS] };

    /// A frame of this type from its octets; `None` if they are not as many as the type has.
    #[must_use]
    pub fn new(kind: FrameType, data: &[u8]) -> Option<Self> {
        let mut octets = [0; OCTETS];
        let count = kind.octets();
        if data.len() != count {
            return None;
        }
        octets[..count].copy_from_slice(data);
        if let Some(last) = octets[..count].last_mut() {
            *last &= 0xFF << (count * 8 - kind.bits());
        }
        Some(Self { kind, octets })
    }

    /// Its type.
    #[must_use]
    pub const fn kind(&self) -> FrameType {
        self.kind
    }

    /// Its bits.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets[..self.kind.octets()]
    }

    /// A speech frame; `parameters` are in coding order, as many as the mode has, each within its width
    /// ([`bits::PARAMETER_BITS`]).
    pub(crate) fn from_speech(mode: Mode, parameters: &[i16; PARAMETERS]) -> Self {
        let mut octets = [0; OCTETS];
        for (at, place) in places(mode).iter().enumerate() {
            let bit = parameters[usize::from(place.parameter)] >> place.shift & 1;
            octets[at / 8] |= (bit as u8) << (7 - at % 8);
        }
        Self { kind: FrameType::Speech(mode), octets }
    }

    /// The parameters of a speech frame, or `None` if it is something else.
    pub(crate) fn speech(&self) -> Option<(Mode, [i16; PARAMETERS])> {
        let FrameType::Speech(mode) = self.kind else { return None };
        let mut parameters = [0; PARAMETERS];
        for (octet, eight) in self.octets.iter().zip(places(mode).chunks(8)) {
            let mut octet = *octet;
            for place in eight {
                parameters[usize::from(place.parameter)] |= i16::from(octet >> 7) << place.shift;
                octet <<= 1;
            }
        }
        Some((mode, parameters))
    }

    /// A silence descriptor.
    pub(crate) fn from_silence(silence: &Silence) -> Self {
        let mut word: u64 = 0;
        for (value, width) in silence.parameters.iter().zip(bits::SID_BITS) {
            word = word << width | (*value as u64 & ((1 << width) - 1));
        }
        word = word << 1 | u64::from(silence.update);
        // The mode travels with its least significant bit first (TS 26.101 §4.2.3).
        word = word << 3 | u64::from(silence.mode.number().reverse_bits() >> 5);
        let mut octets = [0; OCTETS];
        octets[..5].copy_from_slice(&(word << (64 - SID_BITS)).to_be_bytes()[..5]);
        Self { kind: FrameType::Sid, octets }
    }

    /// What a silence descriptor says, or `None` if it is something else.
    pub(crate) fn silence(&self) -> Option<Silence> {
        if self.kind != FrameType::Sid {
            return None;
        }
        let word = self.octets[..5].iter().fold(0u64, |word, octet| word << 8 | u64::from(*octet));
        let field =
            |first: usize, width: u8| (word >> (40 - first - usize::from(width)) & ((1 << width) - 1)) as u8;
        let mut parameters = [0; 5];
        let mut first = 0;
        for (parameter, width) in parameters.iter_mut().zip(bits::SID_BITS) {
            *parameter = (word >> (40 - first - usize::from(width)) & ((1 << width) - 1)) as i16;
            first += usize::from(width);
        }
        let mode = Mode::from_number(field(SID_UPDATE + 1, 3).reverse_bits() >> 5)?;
        Some(Silence { update: field(SID_UPDATE, 1) != 0, mode, parameters })
    }
}

/// Where a transmitted bit belongs.
#[derive(Clone, Copy)]
struct Place {
    parameter: u8,
    shift: u8,
}

/// The places of a mode's bits in the order in which they travel.
fn places(mode: Mode) -> &'static [Place] {
    match mode {
        Mode::Mr475 => const { &arrange(&bits::WIDTHS_475, &bits::ORDER_475) },
        Mode::Mr515 => const { &arrange(&bits::WIDTHS_515, &bits::ORDER_515) },
        Mode::Mr590 => const { &arrange(&bits::WIDTHS_590, &bits::ORDER_590) },
        Mode::Mr670 => const { &arrange(&bits::WIDTHS_670, &bits::ORDER_670) },
        Mode::Mr740 => const { &arrange(&bits::WIDTHS_740, &bits::ORDER_740) },
        Mode::Mr795 => const { &arrange(&bits::WIDTHS_795, &bits::ORDER_795) },
        Mode::Mr1020 => const { &arrange(&bits::WIDTHS_1020, &bits::ORDER_1020) },
        Mode::Mr1220 => const { &arrange(&bits::WIDTHS_1220, &bits::ORDER_1220) },
    }
}

/// Turns widths and order into places, at compile time.
const fn arrange<const BITS: usize>(widths: &[u8], order: &[u8; BITS]) -> [Place; BITS] {
    let mut row = [Place { parameter: 0, shift: 0 }; BITS];
    let (mut bit, mut parameter) = (0, 0);
    while parameter < widths.len() {
        let mut shift = widths[parameter];
        while shift > 0 {
            shift -= 1;
            row[bit] = Place { parameter: parameter as u8, shift };
            bit += 1;
        }
        parameter += 1;
    }
    assert!(bit == BITS, "the widths make up the frame");
    let mut places = row;
    let mut at = 0;
    while at < BITS {
        places[at] = row[order[at] as usize];
        at += 1;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_of_every_mode_has_its_place() {
        for mode in Mode::ALL {
            let widths = bits::PARAMETER_BITS[usize::from(mode.number())];
            for (index, width) in widths.iter().enumerate() {
                for bit in 0..*width {
                    let mut parameters = [0; PARAMETERS];
                    parameters[index] = 1 << bit;
                    let frame = Frame::from_speech(mode, &parameters);
                    assert_eq!(frame.octets().iter().map(|octet| octet.count_ones()).sum::<u32>(), 1);
                    assert_eq!(frame.speech(), Some((mode, parameters)));
                    assert_eq!(Frame::new(frame.kind(), frame.octets()), Some(frame));
                }
            }
        }
    }

    #[test]
    fn a_silence_descriptor_comes_back() {
        for mode in Mode::ALL {
            let silence =
                Silence { update: mode > Mode::Mr590, mode, parameters: [5, 0xA5, 0x155, 0x1FE, 0x2A] };
            assert_eq!(Frame::from_silence(&silence).silence(), Some(silence));
        }
    }

    #[test]
    fn octets_must_be_as_many_as_the_type_has_and_padding_is_cleared() {
        assert_eq!(Frame::new(FrameType::Sid, &[0; 4]), None);
        assert_eq!(Frame::new(FrameType::NoData, &[]), Some(Frame::NO_DATA));
        let frame = Frame::new(FrameType::Sid, &[0xFF; 5]).expect("five octets");
        assert_eq!(frame.octets(), [0xFF, 0xFF, 0xFF, 0xFF, 0xFE]);
    }
}
