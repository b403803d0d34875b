//! AMR-NB: Adaptive Multi-Rate, narrow band (3GPP TS 26.071, 26.090 to 26.094, 26.101), and its RTP payload and storage
//! formats (RFC 4867).
//!
//! Eight modes from 4.75 to 12.2 kbit/s, any of which may follow any other; frames of 20 ms with a look-ahead of 5 ms
//! (25 ms of algorithmic delay). Voice activity detection, discontinuous transmission and comfort noise, concealment of
//! lost frames, postfilter: all of the standard. Every bit and every sample is that of `opencore-amrnb` 0.1.6, the
//! fixed-point implementation that phones have used for long, itself made from the standard's C code.
//!
//! [`Encoder`] and [`Decoder`] work on RTP payloads (bandwidth-efficient or octet-aligned, see [`Format`]) or on single
//! [`Frame`]s; [`pack`] and [`unpack`] are the payload format alone, [`StoredFrames`] and [`Frame::store`] that of files.
//! The states take [`ENCODER_BYTES`] (1402) and [`DECODER_BYTES`] (1144) octets.
//!
//! One thing is not as in `opencore-amrnb`: when no silence descriptor comes for long after one that said "digital
//! silence", the noise fades (the level saturates, as TS 26.092 has it), where that library wraps around to full level.

mod decoder;
mod encoder;
mod filter;
mod format;
mod frame;
mod gain;
mod lsp;
mod mode;
mod payload;
mod sqrt;
mod storage;
mod tables;

pub use decoder::Decoder as FrameDecoder;
pub use encoder::Encoder as FrameEncoder;
pub use format::{Format, RULES};
pub use frame::{Frame, FrameType};
pub use mode::Mode;
pub use payload::{Decoder, Encoder, Frames, pack, unpack};
pub use storage::{MAGIC, StoredFrames};

use crate::CodecSpec;
#[cfg(feature = "alloc")]
use alloc::boxed::Box;

/// Samples of a frame: 20 ms.
pub const FRAME_SAMPLES: usize = 160;

/// Octets of an encoder.
pub const ENCODER_BYTES: usize = size_of::<Encoder>();

/// Octets of a decoder.
pub const DECODER_BYTES: usize = size_of::<Decoder>();

/// Samples of a subframe: 5 ms.
const SUBFRAME: usize = 40;

/// Order of the linear prediction.
const ORDER: usize = 10;

/// AMR as data. The bit rate is that of octet-aligned payloads at 12.2 kbit/s.
///
/// An encoder from here begins with the fastest mode that the format allows, and sends always until
/// [`crate::Encoder::set_dtx`]. A format that is not
/// supported (see [`Format::from_fmtp`]) gives a coder that refuses every call and says why.
pub const SPEC: CodecSpec = CodecSpec {
    name: "AMR",
    sample_rate: 8000,
    rtp_clock: 8000,
    channels: 1,
    payload_type: None,
    bit_rate: 13_200,
    frame_samples: FRAME_SAMPLES,
    default_ptime: 20,
    ptime_range: (20, 240),
    fmtp: RULES,
    wants: &[],
    #[cfg(feature = "alloc")]
    encoder: |agreed| match Format::from_fmtp(agreed) {
        Ok(format) => Box::new(Encoder::new(format.fastest(), format, false)),
        Err(error) => Box::new(payload::Refused(error)),
    },
    #[cfg(feature = "alloc")]
    decoder: |agreed| match Format::from_fmtp(agreed) {
        Ok(format) => Box::new(Decoder::new(format)),
        Err(error) => Box::new(payload::Refused(error)),
    },
};
