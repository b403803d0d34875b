//! The bit stream (§4, Annex A): octets filled from the least significant bit.

#![expect(clippy::indexing_slicing, reason = "arrays of four subframes, indices below SUBFRAMES")]

use super::{FrameType, Lag, PITCH_MIN, Rate, SUBFRAME, SUBFRAMES};

/// Levels of the fixed codebook gain.
pub(super) const GAIN_LEVELS: u32 = 24;
/// Lags from here on have the adaptive codebook of 170 entries at 6.3 kbit/s, and no pulse train.
pub(super) const LONG_LAG: usize = SUBFRAME - 2;
/// The last code of an open-loop lag.
const LAST_LAG_CODE: u32 = 123;

/// What is sent of a subframe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SubframeCode {
    /// Closed-loop lag minus open-loop lag plus 1; sent for odd subframes only, 1 for the others.
    pub(super) lag_step: u8,
    /// Entry of the adaptive codebook.
    pub(super) adaptive: u8,
    /// Entry of the gain table.
    pub(super) gain: u8,
    /// Pulses on odd places.
    pub(super) odd_grid: bool,
    /// The pulses repeat with the pitch (6.3 kbit/s).
    pub(super) train: bool,
    /// Code of the pulse positions.
    pub(super) positions: u32,
    /// One bit a pulse.
    pub(super) signs: u8,
}

/// What is sent of a frame of speech.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Speech {
    pub(super) lsp: u32,
    /// Open-loop lags of the two halves.
    pub(super) lags: [Lag; SUBFRAMES / 2],
    pub(super) subframes: [SubframeCode; SUBFRAMES],
}

/// A frame of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Speech(Rate, Speech),
    /// Silence descriptor.
    Sid {
        lsp: u32,
        gain: u8,
    },
    Untransmitted,
    /// A combination of bits that no encoder makes: to be handled as lost.
    Damaged,
}

struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, value: u32, bits: u32) {
        let mut value = u64::from(value) << (self.at % 8);
        for octet in self.out.iter_mut().skip(self.at / 8) {
            if value == 0 {
                break;
            }
            *octet |= value as u8;
            value >>= 8;
        }
        self.at += bits as usize;
    }
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, bits: u32) -> u32 {
        let mut value = 0u64;
        for (i, &octet) in self.octets.iter().skip(self.at / 8).take(5).enumerate() {
            value |= u64::from(octet) << (8 * i);
        }
        let value = value >> (self.at % 8) & ((1 << bits) - 1);
        self.at += bits as usize;
        value as u32
    }
}

/// Bits of the lower part of the pulse positions at 6.3 kbit/s; what is above goes into a common code.
const POSITION_BITS: [u32; SUBFRAMES] = [16, 14, 16, 14];
const SIGN_BITS: [u32; SUBFRAMES] = [6, 5, 6, 5];
const SID_GAIN_BITS: u32 = 6;

impl Frame {
    pub(super) const fn frame_type(&self) -> FrameType {
        match self {
            Self::Speech(Rate::High, _) => FrameType::High,
            Self::Speech(Rate::Low, _) => FrameType::Low,
            Self::Sid { .. } => FrameType::Sid,
            Self::Untransmitted | Self::Damaged => FrameType::Untransmitted,
        }
    }

    /// Writes the frame to the start of `out`, which is long enough for its type.
    pub(super) fn pack(&self, out: &mut [u8]) -> FrameType {
        let frame_type = self.frame_type();
        for octet in out.iter_mut().take(frame_type.octets()) {
            *octet = 0;
        }
        let mut writer = Writer { out, at: 0 };
        writer.put(frame_type as u32, 2);
        match self {
            Self::Speech(rate, speech) => speech.pack(*rate, &mut writer),
            Self::Sid { lsp, gain } => {
                writer.put(*lsp, 24);
                writer.put(u32::from(*gain), SID_GAIN_BITS);
            }
            Self::Untransmitted | Self::Damaged => {}
        }
        frame_type
    }

    /// Reads a frame that is as long as its type says.
    pub(super) fn unpack(octets: &[u8]) -> Self {
        let mut reader = Reader { octets, at: 0 };
        match FrameType::of(reader.take(2) as u8) {
            FrameType::High => Speech::unpack(Rate::High, &mut reader),
            FrameType::Low => Speech::unpack(Rate::Low, &mut reader),
            FrameType::Sid => Self::Sid { lsp: reader.take(24), gain: reader.take(SID_GAIN_BITS) as u8 },
            FrameType::Untransmitted => Self::Untransmitted,
        }
    }
}

impl Speech {
    fn pack(&self, rate: Rate, writer: &mut Writer<'_>) {
        let [first, second, third, fourth] = &self.subframes;
        writer.put(self.lsp, 24);
        for (lag, odd) in self.lags.iter().zip([second, fourth]) {
            writer.put(u32::from(*lag) - PITCH_MIN as u32, 7);
            writer.put(u32::from(odd.lag_step), 2);
        }
        for subframe in &self.subframes {
            let gains = u32::from(subframe.adaptive) * GAIN_LEVELS + u32::from(subframe.gain);
            writer.put(gains | u32::from(subframe.train) << 11, 12);
        }
        for subframe in &self.subframes {
            writer.put(u32::from(subframe.odd_grid), 1);
        }
        match rate {
            Rate::High => {
                // A reserved bit, then the parts above the position bits in one code.
                writer.put(0, 1);
                let upper = [
                    first.positions >> 16,
                    second.positions >> 14,
                    third.positions >> 16,
                    fourth.positions >> 14,
                ];
                writer.put(((upper[0] * 9 + upper[1]) * 10 + upper[2]) * 9 + upper[3], 13);
                for (subframe, bits) in self.subframes.iter().zip(POSITION_BITS) {
                    writer.put(subframe.positions & ((1 << bits) - 1), bits);
                }
                for (subframe, bits) in self.subframes.iter().zip(SIGN_BITS) {
                    writer.put(u32::from(subframe.signs), bits);
                }
            }
            Rate::Low => {
                for subframe in &self.subframes {
                    writer.put(subframe.positions, 12);
                }
                for subframe in &self.subframes {
                    writer.put(u32::from(subframe.signs), 4);
                }
            }
        }
    }

    fn unpack(rate: Rate, reader: &mut Reader<'_>) -> Frame {
        let mut speech = Self { lsp: reader.take(24), ..Self::default() };
        for half in 0..SUBFRAMES / 2 {
            let code = reader.take(7);
            if code > LAST_LAG_CODE {
                return Frame::Damaged;
            }
            speech.lags[half] = code as Lag + PITCH_MIN as Lag;
            speech.subframes[2 * half].lag_step = 1;
            speech.subframes[2 * half + 1].lag_step = reader.take(2) as u8;
        }
        for (i, subframe) in speech.subframes.iter_mut().enumerate() {
            let mut code = reader.take(12);
            let mut entries = 170;
            if rate == Rate::High && usize::from(speech.lags[i / 2]) < LONG_LAG {
                subframe.train = code >> 11 != 0;
                code &= 0x7ff;
                entries = 85;
            }
            if code / GAIN_LEVELS >= entries {
                return Frame::Damaged;
            }
            subframe.adaptive = (code / GAIN_LEVELS) as u8;
            subframe.gain = (code % GAIN_LEVELS) as u8;
        }
        for subframe in &mut speech.subframes {
            subframe.odd_grid = reader.take(1) != 0;
        }
        match rate {
            Rate::High => {
                reader.take(1);
                let upper = reader.take(13);
                let (front, back) = (upper / 90, upper % 90);
                let upper = [front / 9, front % 9, back / 9, back % 9];
                for ((subframe, bits), upper) in speech.subframes.iter_mut().zip(POSITION_BITS).zip(upper) {
                    subframe.positions = upper << bits | reader.take(bits);
                }
                for (subframe, bits) in speech.subframes.iter_mut().zip(SIGN_BITS) {
                    subframe.signs = reader.take(bits) as u8;
                }
            }
            Rate::Low => {
                for subframe in &mut speech.subframes {
                    subframe.positions = reader.take(12);
                }
                for subframe in &mut speech.subframes {
                    subframe.signs = reader.take(4) as u8;
                }
            }
        }
        Frame::Speech(rate, speech)
    }
}
