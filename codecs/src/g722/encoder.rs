//! Samples to octets.

use super::bands::{Band, encode};
use super::qmf::{Analysis, BLOCK};
use super::{Mode, SPEC};
use crate::{CodecError, CodecSpec, Encoded};

/// The G.722 encoder. Its size is [`super::ENCODER_BYTES`].
#[derive(Clone, Debug)]
pub struct Encoder {
    pub(super) split: Analysis,
    pub(super) lower: Band,
    pub(super) upper: Band,
    pub(super) mode: Mode,
}

impl Encoder {
    /// A new encoder at 64 kbit/s, the only rate that RTP carries (RFC 3551 §4.5.2).
    #[must_use]
    pub const fn new() -> Self {
        Self::with_mode(Mode::Kbit64)
    }

    /// A new encoder. In modes 2 and 3 the lowest bit or two of each octet are left zero, for auxiliary data; a
    /// decoder in the same mode does not look at them.
    #[must_use]
    pub const fn with_mode(mode: Mode) -> Self {
        Self { split: Analysis::new(), lower: Band::new(), upper: Band::new(), mode }
    }

    /// Encodes pairs of samples, as many as both slices hold; returns the octets written.
    pub fn encode_pairs(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        let octets = out.len().min(pcm.len() / 2);
        let (pcm, _) = pcm.split_at(2 * octets);
        let (out, _) = out.split_at_mut(octets);
        for (pcm, out) in pcm.chunks(2 * BLOCK).zip(out.chunks_mut(BLOCK)) {
            self.encode_block(pcm, out);
        }
        octets
    }

    fn encode_block(&mut self, pcm: &[i16], out: &mut [u8]) {
        let (mut lower, mut upper) = ([0; BLOCK], [0; BLOCK]);
        self.split.split(pcm, &mut lower, &mut upper);
        encode((&mut self.lower, &mut self.upper), &lower, &upper, self.mode.used_bits(), out);
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl crate::Encoder for Encoder {
    fn spec(&self) -> &'static CodecSpec {
        &SPEC
    }

    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<Encoded, CodecError> {
        if pcm.is_empty() || !pcm.len().is_multiple_of(2) {
            return Err(CodecError::PartialFrame { frame: 2, got: pcm.len() });
        }
        let octets = pcm.len() / 2;
        if out.len() < octets {
            return Err(CodecError::OutputTooShort { needed: octets, got: out.len() });
        }
        self.encode_pairs(pcm, out);
        Ok(Encoded { octets, samples: pcm.len() })
    }

    fn reset(&mut self) {
        *self = Self::with_mode(self.mode);
    }
}
