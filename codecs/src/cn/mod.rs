//! Comfort noise for codecs that have none of their own, `CN` (RFC 3389, payload type 13).
//!
//! A silence descriptor is a noise level and reflection coefficients, 1 to 13 octets here. [`Analyser`] makes it of
//! background noise and says when a new one is worth sending, [`Generator`] makes noise of it. [`Dtx`] puts a
//! [`Vad`](crate::vad::Vad) in front and says for each frame what to do with it. At 8 and 16 kHz; on wide-band
//! codecs the payload type is dynamic, with a clock of 16 000 (RFC 3389 §4).
//!
//! Algorithmic delay: none. In `f32` with `libm`, the same on every machine. The noise is drawn from a generator
//! with a seed: the same seed and descriptors give the same samples.
#![expect(clippy::indexing_slicing, reason = "fixed arrays of ORDER, indices bounded by it")]

mod analyser;
#[cfg(feature = "vad")]
mod dtx;
mod generator;

pub use analyser::Analyser;
#[cfg(feature = "vad")]
pub use dtx::{Dtx, Transmit};
pub use generator::Generator;

use crate::{CodecError, CodecSpec};
#[cfg(feature = "alloc")]
use alloc::boxed::Box;

/// The order of the spectral model: enough for the slope and the few peaks of room noise. A descriptor with more
/// coefficients is cut to these (RFC 3389 §3.3).
pub const ORDER: usize = 12;

/// The most octets of a descriptor that we make.
pub const MOST_OCTETS: usize = 1 + ORDER;

/// Octets of an [`Analyser`].
pub const ANALYSER_BYTES: usize = size_of::<Analyser>();
/// Octets of a [`Generator`].
pub const GENERATOR_BYTES: usize = size_of::<Generator>();

/// Comfort noise beside a codec of 8000 Hz: payload type 13.
pub const SPEC: CodecSpec = spec(8000);

/// Comfort noise beside a codec with an RTP clock of 16 000 Hz, under a dynamic payload type.
pub const WIDE_SPEC: CodecSpec = spec(16_000);

/// Seed of the noise of a generator that the registry makes.
#[cfg(feature = "alloc")]
const SEED: u32 = 0x5eed_0013;

const fn spec(sample_rate: u32) -> CodecSpec {
    CodecSpec {
        name: "CN",
        sample_rate,
        rtp_clock: sample_rate,
        channels: 1,
        payload_type: if sample_rate == 8000 { Some(13) } else { None },
        bit_rate: MOST_OCTETS as u32 * 8 * 50,
        frame_samples: sample_rate as usize / 50,
        default_ptime: 20,
        ptime_range: (20, 20),
        fmtp: &[],
        wants: &[],
        #[cfg(feature = "alloc")]
        encoder: if sample_rate == 8000 {
            |_| Box::new(Analyser::new(8000))
        } else {
            |_| Box::new(Analyser::new(16_000))
        },
        #[cfg(feature = "alloc")]
        decoder: if sample_rate == 8000 {
            |_| Box::new(Generator::new(8000, SEED))
        } else {
            |_| Box::new(Generator::new(16_000, SEED))
        },
    }
}

/// The descriptor of 8000 or 16 000 Hz; any other rate is taken as the nearer of the two.
const fn spec_of(sample_rate: u32) -> &'static CodecSpec {
    if sample_rate < 12_000 { &SPEC } else { &WIDE_SPEC }
}

/// A silence descriptor: what the payload says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sid {
    /// Noise level in -dBov, 0 (overload) to 127.
    pub level: u8,
    /// Quantised reflection coefficients; 127 is 0.
    coefficients: [u8; ORDER],
}

/// The code of a reflection coefficient of 0.
const FLAT: u8 = 127;

impl Sid {
    /// White noise at a level of `-level` dBov.
    #[must_use]
    pub const fn white(level: u8) -> Self {
        Self { level: if level > 127 { 127 } else { level }, coefficients: [FLAT; ORDER] }
    }

    fn new(level: f32, reflection: &[f32; ORDER]) -> Self {
        let coefficients =
            reflection.map(|k| (libm::roundf(k * (32_768.0 / 258.0)) + 127.0).clamp(0.0, 254.0) as u8);
        Self { level: libm::roundf(level).clamp(0.0, 127.0) as u8, coefficients }
    }

    /// Reads a payload: a level, and any number of coefficients.
    ///
    /// # Errors
    /// [`CodecError::PayloadLength`] for an empty payload.
    pub fn parse(payload: &[u8]) -> Result<Self, CodecError> {
        let Some((&level, coded)) = payload.split_first() else {
            return Err(CodecError::PayloadLength {
                got: 0,
                expected: "a noise level and reflection coefficients",
            });
        };
        let mut coefficients = [FLAT; ORDER];
        for (slot, &code) in coefficients.iter_mut().zip(coded) {
            *slot = code.min(254);
        }
        // The first bit is reserved (RFC 3389 §3.1).
        Ok(Self { level: level & 0x7f, coefficients })
    }

    /// Writes the payload and returns its octets: coefficients of 0 at the end are left out.
    ///
    /// # Errors
    /// [`CodecError::OutputTooShort`].
    pub fn write(&self, out: &mut [u8]) -> Result<usize, CodecError> {
        let used = self.coefficients.iter().rposition(|code| *code != FLAT).map_or(0, |last| last + 1);
        let needed = 1 + used;
        let Some(out) = out.get_mut(..needed) else {
            return Err(CodecError::OutputTooShort { needed, got: out.len() });
        };
        out[0] = self.level;
        out[1..].copy_from_slice(&self.coefficients[..used]);
        Ok(needed)
    }

    /// The reflection coefficients, each between -1 and 1 (RFC 3389 §3.2).
    #[must_use]
    pub fn reflection(&self) -> [f32; ORDER] {
        self.coefficients.map(|code| (f32::from(code) - 127.0) * (258.0 / 32_768.0))
    }

    /// Root mean square of the samples at this level: 0 dBov is a full-scale square wave.
    fn rms(&self) -> f32 {
        32_767.0 * libm::powf(10.0, -f32::from(self.level) / 20.0)
    }
}
