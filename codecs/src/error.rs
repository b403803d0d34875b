//! What can be wrong with a call to a codec.

use core::fmt;

/// Why a codec refused a call. The codec's state is unchanged then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodecError {
    /// The caller's output buffer does not hold the result.
    OutputTooShort {
        /// Octets (encoder) or samples (decoder) that the result takes.
        needed: usize,
        /// Octets or samples that the buffer holds.
        got: usize,
    },
    /// The samples given, or asked for, are not one or more whole frames.
    PartialFrame {
        /// Samples in a frame.
        frame: usize,
        /// Samples given or asked for.
        got: usize,
    },
    /// No payload of this format has this length.
    PayloadLength {
        /// Octets in the payload.
        got: usize,
        /// What would have been right, in words.
        expected: &'static str,
    },
    /// The payload names a frame type that the format does not have, or reserves.
    FrameType {
        /// The number on the wire.
        got: u8,
        /// What would have been right, in words.
        expected: &'static str,
    },
    /// The payload is right, but uses something that was not agreed or is not supported here.
    Unsupported(&'static str),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::OutputTooShort { needed, got } => {
                write!(f, "the output buffer holds {got}, the result takes {needed}")
            }
            Self::PartialFrame { frame, got } => {
                write!(f, "{got} samples are not one or more whole frames of {frame}")
            }
            Self::PayloadLength { got, expected } => {
                write!(f, "a payload of {got} octets; expected {expected}")
            }
            Self::FrameType { got, expected } => write!(f, "frame type {got}; expected {expected}"),
            Self::Unsupported(what) => write!(f, "not supported: {what}"),
        }
    }
}

impl core::error::Error for CodecError {}
