//! ITU-T G.723.1: 5.3 and 6.3 kbit/s in frames of 30 ms, with Annex A (voice activity detection and comfort
//! noise); RTP payload format `G723` (RFC 3551 §4.5.3).
//!
//! Bit-exact to the fixed-point C code of the Recommendation (release 2, version 5) in both directions, at both
//! rates, with the options of that code: voice activity detection, high-pass filter, postfilters, and the
//! concealment of lost frames, which is the standard's own. Algorithmic delay 37.5 ms: a frame and 7.5 ms of
//! look-ahead. The state is 1440 octets ([`ENCODER_BYTES`]) and 410 ([`DECODER_BYTES`]).
//!
//! A frame begins with two bits that tell its type and so its length ([`FrameType`]); frames of both rates may
//! follow each other. A payload is any number of frames. A frame that is not transmitted is one octet in a
//! file and nothing on RTP.

mod acelp;
mod adaptive;
mod bits;
mod cng;
mod convolve;
mod decoder;
mod encoder;
mod filter;
mod lpc;
mod lsp;
mod mlq;
mod ops;
mod pitch;
mod postfilter;
mod tables;
mod vad;

pub use decoder::{DECODER_BYTES, Decoder};
pub use encoder::{ENCODER_BYTES, Encoder};

#[cfg(feature = "alloc")]
use crate::Fmtp;
use crate::{Agree, CodecSpec, Rule, Values};

/// Samples in a frame: 30 ms.
pub const FRAME: usize = 240;
/// Subframes in a frame.
const SUBFRAMES: usize = 4;
/// Samples in a subframe.
const SUBFRAME: usize = FRAME / SUBFRAMES;
/// Samples that the encoder looks ahead.
const LOOK_AHEAD: usize = SUBFRAME;
/// Order of the short-term predictor.
const ORDER: usize = 10;
/// The shortest open-loop lag.
const PITCH_MIN: usize = 18;
/// The longest lag: a buffer of the past holds as much.
const PITCH_MAX: usize = PITCH_MIN + 127;

/// A predictor: `x[n]` is near the sum of `a[j] * x[n - 1 - j]`; Q13.
type Lpc = [i16; ORDER];
/// Line spectral pairs in ascending order, 0x8000 being half the sampling rate.
type Lsp = [i16; ORDER];
/// An open-loop lag in samples.
type Lag = u8;

/// A bit rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rate {
    /// 6.3 kbit/s, 24 octets a frame: multipulse maximum likelihood quantisation.
    #[default]
    High,
    /// 5.3 kbit/s, 20 octets a frame: algebraic code excitation.
    Low,
}

impl Rate {
    /// Octets in a frame of speech.
    #[must_use]
    pub const fn octets(self) -> usize {
        match self {
            Self::High => FrameType::High.octets(),
            Self::Low => FrameType::Low.octets(),
        }
    }
}

/// What a frame is: the first two bits of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameType {
    /// Speech at 6.3 kbit/s.
    High = 0,
    /// Speech at 5.3 kbit/s.
    Low = 1,
    /// Silence descriptor: begins or renews comfort noise.
    Sid = 2,
    /// Comfort noise goes on.
    Untransmitted = 3,
}

impl FrameType {
    /// The type of the frame that begins with this octet.
    #[must_use]
    pub const fn of(octet: u8) -> Self {
        match octet & 3 {
            0 => Self::High,
            1 => Self::Low,
            2 => Self::Sid,
            _ => Self::Untransmitted,
        }
    }

    /// Octets in a frame of this type.
    #[must_use]
    pub const fn octets(self) -> usize {
        match self {
            Self::High => 24,
            Self::Low => 20,
            Self::Sid => 4,
            Self::Untransmitted => 1,
        }
    }
}

/// How an encoder encodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bit rate of speech.
    pub rate: Rate,
    /// Annex A: pauses become silence descriptors and frames that are not transmitted.
    pub vad: bool,
    /// The high-pass filter on the input (§2.3).
    pub high_pass: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { rate: Rate::High, vad: true, high_pass: true }
    }
}

impl Settings {
    /// As agreed in SDP.
    #[cfg(feature = "alloc")]
    fn agreed(fmtp: &Fmtp) -> Self {
        let rate = if fmtp.get("bitrate") == Some(53) { Rate::Low } else { Rate::High };
        Self { rate, vad: fmtp.get("annexa") != Some(0), high_pass: true }
    }
}

/// G.723.1 as data.
///
/// Format parameters (RFC 4856 §2.1.9): `bitrate`, in hundreds of bit/s here, is what each side wants to
/// receive; `annexa` tells whether silence compression may be used, and holds for both.
pub const SPEC: CodecSpec = CodecSpec {
    name: "G723",
    sample_rate: 8000,
    rtp_clock: 8000,
    channels: 1,
    payload_type: Some(4),
    bit_rate: 6400,
    frame_samples: FRAME,
    default_ptime: 30,
    ptime_range: (30, 180),
    fmtp: &[
        Rule {
            name: "bitrate",
            values: Values::OneOf(&[("5.3", 53), ("6.3", 63)]),
            default: 63,
            agree: Agree::Own,
        },
        Rule { name: "annexa", values: Values::YesNo, default: 1, agree: Agree::Least },
    ],
    wants: &[],
    #[cfg(feature = "alloc")]
    encoder: |fmtp| alloc::boxed::Box::new(Encoder::new(Settings::agreed(fmtp))),
    #[cfg(feature = "alloc")]
    decoder: |_| alloc::boxed::Box::new(Decoder::new(true)),
};
