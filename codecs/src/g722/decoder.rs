//! Octets to samples.

use super::bands::Band;
use super::block::decode;
use super::conceal::Concealer;
use super::qmf::{BLOCK, Synthesis};
use super::{Mode, SPEC};
use crate::{CodecError, CodecSpec};

/// The G.722 decoder, with concealment of lost packets. Its size is [`super::DECODER_BYTES`].
#[derive(Clone, Debug)]
pub struct Decoder {
    pub(super) lower: Band,
    pub(super) upper: Band,
    join: Synthesis,
    concealer: Concealer,
    pub(super) mode: Mode,
}

impl Decoder {
    /// A new decoder at 64 kbit/s, the only rate that RTP carries (RFC 3551 §4.5.2).
    #[must_use]
    pub const fn new() -> Self {
        Self::with_mode(Mode::Kbit64)
    }

    /// A new decoder that looks at all, seven or six bits of each octet.
    #[must_use]
    pub const fn with_mode(mode: Mode) -> Self {
        Self {
            lower: Band::new(),
            upper: Band::new(),
            join: Synthesis::new(),
            concealer: Concealer::new(),
            mode,
        }
    }

    /// Decodes octets to pairs of samples, as many as both slices hold; returns the samples written.
    pub fn decode_pairs(&mut self, octets: &[u8], pcm: &mut [i16]) -> usize {
        let count = octets.len().min(pcm.len() / 2);
        let (octets, _) = octets.split_at(count);
        let (pcm, _) = pcm.split_at_mut(2 * count);
        for (octets, pcm) in octets.chunks(BLOCK).zip(pcm.chunks_mut(2 * BLOCK)) {
            let (mut lower, mut upper) = ([0; BLOCK], [0; BLOCK]);
            decode((&mut self.lower, &mut self.upper), self.mode, octets, &mut lower, &mut upper);
            self.finish(&mut lower, &mut upper, pcm);
        }
        2 * count
    }

    /// From decoded bands to samples.
    pub(super) fn finish(&mut self, lower: &mut [i16; BLOCK], upper: &mut [i16; BLOCK], pcm: &mut [i16]) {
        self.concealer.received(lower, upper, pcm.len() / 2);
        self.join.join(lower, upper, pcm);
    }

    /// Invents pairs of samples for what did not come, as many as `pcm` holds, and puts the decoder where it can
    /// go on; returns the samples written.
    ///
    /// Fading and classification go by 10 ms; a loss is best filled in multiples of them, as Appendix IV does.
    pub fn conceal_pairs(&mut self, pcm: &mut [i16]) -> usize {
        let whole = pcm.len() & !1;
        let (pcm, _) = pcm.split_at_mut(whole);
        for pcm in pcm.chunks_mut(2 * BLOCK) {
            let (mut lower, mut upper) = ([0; BLOCK], [0; BLOCK]);
            let bands = (&mut self.lower, &mut self.upper);
            self.concealer.conceal(bands, &mut lower, &mut upper, pcm.len() / 2);
            self.join.join(&lower, &upper, pcm);
        }
        whole
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl crate::Decoder for Decoder {
    fn spec(&self) -> &'static CodecSpec {
        &SPEC
    }

    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        if payload.is_empty() {
            return Err(CodecError::PayloadLength { got: 0, expected: "an octet for every two samples" });
        }
        let samples = 2 * payload.len();
        if pcm.len() < samples {
            return Err(CodecError::OutputTooShort { needed: samples, got: pcm.len() });
        }
        Ok(self.decode_pairs(payload, pcm))
    }

    fn conceal(&mut self, pcm: &mut [i16]) -> Result<usize, CodecError> {
        if !pcm.len().is_multiple_of(2) {
            return Err(CodecError::PartialFrame { frame: 2, got: pcm.len() });
        }
        Ok(self.conceal_pairs(pcm))
    }

    fn reset(&mut self) {
        *self = Self::with_mode(self.mode);
    }
}
