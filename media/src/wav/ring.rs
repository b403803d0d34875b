//! What telephones take as ring tones.

use super::{Limits, Sound, WavError};
use core::time::Duration;
use sidetone_codecs::CodecSpec;

/// Which files a telephone takes as ring tones or music on hold, and how large they may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingRules {
    /// WAV files are taken.
    pub wav: bool,
    /// Files of this codec without a header are taken.
    pub raw: Option<&'static CodecSpec>,
    /// How much of a file is taken. A download stops when it has more octets.
    pub limits: Limits,
}

/// What is taken where the manual gives no size: a megabyte is a minute at 8 kHz.
const USUAL: Limits = Limits { octets: 1 << 20, lasts: Duration::from_secs(60) };

impl RingRules {
    /// Yealink: WAV files, uploaded or named by a URL in Alert-Info. Size and format limits are not stated (YLB-078,
    /// YLC-351): a megabyte, a minute.
    pub const YEALINK: Self = Self { wav: true, raw: None, limits: USUAL };
    /// Dinstar: `.wav` files; the restrictions that the manual speaks of are not given (DIN-115): a megabyte, a minute.
    pub const DINSTAR: Self = Self { wav: true, raw: None, limits: USUAL };

    /// SayHi: "the file must be G.729 and less than 30k" (SAY-113), which at 8 kbit/s is half a minute. `g729` is
    /// `sidetone_codecs::g729::SPEC`.
    #[must_use]
    pub const fn sayhi(g729: &'static CodecSpec) -> Self {
        let limits = Limits { octets: 30 * 1024 - 1, lasts: USUAL.lasts };
        Self { wav: false, raw: Some(g729), limits }
    }

    /// Reads a file by these rules; what begins as a WAV file is taken for one.
    ///
    /// # Errors
    /// [`WavError`] says what was expected.
    pub fn read(&self, file: &[u8]) -> Result<Sound, WavError> {
        match self.raw {
            Some(codec) if !(self.wav && file.starts_with(b"RIFF")) => {
                // No frame of a codec looks like this, and as speech it would be heard as a burst of noise.
                if file.starts_with(b"RIFF") {
                    return Err(WavError::Raw { codec: codec.name, at: 0 });
                }
                Sound::from_raw(file, codec, &self.limits)
            }
            _ => Sound::from_wav(file, &self.limits),
        }
    }
}
