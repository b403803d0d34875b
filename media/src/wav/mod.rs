//! Sound files: WAV and the raw formats of ring tones in, players with loops, recorders.
//!
//! Nothing here opens a file. [`Sound::from_wav`] reads octets that somebody loaded, within [`Limits`]; a [`Recorder`]
//! says which octets to write where, and is told how that went.

mod file;
mod play;
mod record;
mod ring;
mod sound;

pub use file::{Encoding, WavFile, WavFormat};
pub use play::{Player, Repeat};
pub use record::{Layout, Recorded, Recorder, RecorderConfig, RecorderStats, Write};
pub use ring::RingRules;
pub use sound::{Limits, Sound};

use crate::resample::RATE_RANGE;
use core::time::Duration;

/// The most channels of a file that is read; they are mixed to one.
pub const MAX_CHANNELS: u16 = 8;

/// A file that is no sound, or more than was allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WavError {
    /// It does not begin as a WAV file does.
    #[error("no WAV file: expected \"RIFF\", a size, \"WAVE\"")]
    NotWav,
    /// It ends before its samples begin.
    #[error("the file ends at octet {0}, before its samples begin")]
    Cut(usize),
    /// The samples come before the `fmt ` chunk, or it is too short.
    #[error("no \"fmt \" chunk of 16 octets or more before the samples")]
    NoFormat,
    /// A coding that is not read.
    #[error(
        "format {tag:#06x} with {bits} bits: expected PCM of 8, 16, 24 or 32 bits, float of 32 or 64, A-law or u-law"
    )]
    Encoding {
        /// The format tag, that of the sub-format in an extensible file.
        tag: u16,
        /// Bits of a sample.
        bits: u16,
    },
    /// More channels than [`MAX_CHANNELS`], or none.
    #[error("{0} channels: expected 1 to {MAX_CHANNELS}")]
    Channels(u16),
    /// A rate that cannot be resampled.
    #[error("{0} samples a second: expected {low} to {high}", low = RATE_RANGE.0, high = RATE_RANGE.1)]
    Rate(u32),
    /// Samples of this size do not fit the blocks that the file says it is made of.
    #[error("blocks of {block} octets: expected {expected}, for {channels} channel(s)")]
    Block {
        /// What the file says.
        block: u16,
        /// What its coding takes.
        expected: u16,
        /// How many channels it has.
        channels: u16,
    },
    /// More octets than allowed.
    #[error("{octets} octets: at most {most} are allowed")]
    TooLarge {
        /// What it has.
        octets: usize,
        /// What is allowed.
        most: usize,
    },
    /// Lasts longer than allowed.
    #[error("{lasts:?}: at most {most:?} are allowed")]
    TooLong {
        /// What it lasts.
        lasts: Duration,
        /// What is allowed.
        most: Duration,
    },
    /// Octets that the codec of a raw file refuses.
    #[error("no {codec} at octet {at}")]
    Raw {
        /// The codec's name.
        codec: &'static str,
        /// Where decoding stopped.
        at: usize,
    },
    /// There is not a single sample in it.
    #[error("the file is empty")]
    Empty,
}
