//! ITU-T G.722: 7 kHz speech in 64, 56 or 48 kbit/s.
//!
//! | | |
//! |---|---|
//! | Standard | ITU-T G.722 (09/2012), modes 1, 2 and 3; Appendix IV for lost packets |
//! | RTP | RFC 3551 §4.5.2: payload type 9, 8000 Hz clock, an octet for every two samples, any even number of samples |
//! | Algorithmic delay | 1.4 ms (22 samples: the filters that split and join the bands); concealment adds none |
//! | Exactness | every bit of the ITU-T STL's fixed-point program, overload included, and of Appendix IV's program with frames of 10 ms |
//! | State | [`ENCODER_BYTES`] and [`DECODER_BYTES`] (most of it for concealment) |
//!
//! How it is fast: a block of up to 10 ms is split into bands at once; in the decoder everything but the poles
//! follows from the codes alone and is worked out for the block beforehand, at a speed that no signal changes.
//! What the standard writes as thirty comparisons is a division by multiplication and a table. The zeros and the
//! poles of both bands are 16-bit arithmetic side by side in vectors. [`encode_many`] and [`decode_many`] fill the
//! vectors with four channels.
//!
//! After octets that no encoder sent, the decoder finds back to the encoder's state, to the bit, within a second
//! of speech. After a loss its output is exact only when Appendix IV no longer takes the offset out of the upper
//! band, 4 s later.

mod adpcm;
mod bands;
mod block;
mod conceal;
mod decoder;
mod encoder;
mod many;
mod qmf;
mod tables;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use many::{decode_many, encode_many};

use crate::CodecSpec;

/// G.722 as data. The RTP clock is 8000 Hz although the signal has 16 000 samples a second, by an old error that
/// RFC 3551 §4.5.2 keeps.
pub const SPEC: CodecSpec = CodecSpec {
    name: "G722",
    sample_rate: 16_000,
    rtp_clock: 8000,
    channels: 1,
    payload_type: Some(9),
    bit_rate: 64_000,
    frame_samples: 2,
    default_ptime: 20,
    ptime_range: (10, 60),
    fmtp: &[],
    wants: &[],
    #[cfg(feature = "alloc")]
    encoder: |_| alloc::boxed::Box::new(Encoder::new()),
    #[cfg(feature = "alloc")]
    decoder: |_| alloc::boxed::Box::new(Decoder::new()),
};

/// Octets of an [`Encoder`]: 134.
pub const ENCODER_BYTES: usize = size_of::<Encoder>();
/// Octets of a [`Decoder`]: 1868.
pub const DECODER_BYTES: usize = size_of::<Decoder>();

/// How many bits of each octet are speech (table 1/G.722). The encoder's algorithm is the same in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Mode 1: all eight.
    #[default]
    Kbit64,
    /// Mode 2: all but the lowest.
    Kbit56,
    /// Mode 3: all but the lowest two.
    Kbit48,
}

impl Mode {
    /// The mode that has this number in G.722: 1, 2 or 3.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Kbit64),
            2 => Some(Self::Kbit56),
            3 => Some(Self::Kbit48),
            _ => None,
        }
    }

    /// Bits of speech a second.
    #[must_use]
    pub const fn bit_rate(self) -> u32 {
        match self {
            Self::Kbit64 => 64_000,
            Self::Kbit56 => 56_000,
            Self::Kbit48 => 48_000,
        }
    }

    const fn used_bits(self) -> u8 {
        match self {
            Self::Kbit64 => 0xff,
            Self::Kbit56 => 0xfe,
            Self::Kbit48 => 0xfc,
        }
    }
}
