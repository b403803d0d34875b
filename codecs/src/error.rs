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
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutputTooShort { needed, got } => {
                write!(f, "the output buffer holds {got}, the result takes {needed}")
            }
        }
    }
}

impl core::error::Error for CodecError {}
