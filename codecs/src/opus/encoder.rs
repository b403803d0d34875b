//! Samples to packets.

use super::{Rate, Settings};
use crate::{CodecError, CodecSpec, Encoded, Fmtp};
use opus_pure::OpusEncoder;

/// A packet of this many octets or fewer says that nothing needs to be sent (libopus's `opus_encode`).
const UNSENT: usize = 2;

/// Encodes one channel. The state is on the heap.
pub struct Encoder {
    /// There for every [`Rate`]: the codec has no other reason to refuse.
    inner: Option<OpusEncoder>,
    rate: Rate,
    settings: Settings,
}

impl Encoder {
    /// An encoder at its start.
    #[must_use]
    pub fn new(rate: Rate, settings: Settings) -> Self {
        let application = settings.application.of_the_crate();
        let mut encoder =
            Self { inner: OpusEncoder::new(rate.hz().cast_signed(), 1, application).ok(), rate, settings };
        encoder.apply();
        encoder
    }

    /// An encoder for what the other side's format parameters ask for.
    #[must_use]
    pub fn from_fmtp(rate: Rate, theirs: &Fmtp) -> Self {
        Self::new(rate, Settings::from_fmtp(rate, theirs))
    }

    /// What it was told.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Tells it something else from the next packet on: bit rate and expected loss follow the network. The
    /// application stays as it was.
    pub fn set(&mut self, settings: Settings) {
        self.settings = Settings { application: self.settings.application, ..settings };
        self.apply();
    }

    fn apply(&mut self) {
        if let Some(inner) = &mut self.inner {
            self.settings.apply(inner);
        }
    }

    /// Encodes 10, 20, 40 or 60 ms into one packet and returns its octets. With DTX a packet of one octet needs no
    /// sending; [`Encoder::encode`](crate::Encoder::encode) of the trait gives 0 octets for it.
    ///
    /// # Errors
    /// [`CodecError::PartialFrame`] for another length; [`CodecError::OutputTooShort`] if `out` does not hold the
    /// largest packet of that length at this bit rate.
    pub fn encode_packet(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        let frame = self.rate.frame();
        if ![1, 2, 4, 6].iter().any(|tens| tens * frame == 2 * pcm.len()) {
            return Err(CodecError::PartialFrame { frame, got: pcm.len() });
        }
        let needed = self.most_octets(pcm.len());
        let Some(room) = out.get_mut(..needed) else {
            return Err(CodecError::OutputTooShort { needed, got: out.len() });
        };
        let encoded = self.inner.as_mut().and_then(|inner| inner.encode_s16(pcm, pcm.len(), room).ok());
        encoded.ok_or(CodecError::Unsupported("what the Opus encoder was told"))
    }

    /// The most octets that this many samples take: constrained variable rate stays below twice the mean over a
    /// packet, with room for the TOC and for very low rates.
    fn most_octets(&self, samples: usize) -> usize {
        let mean = (self.settings.bit_rate as usize * samples).div_ceil(8 * self.rate.hz() as usize);
        (2 * mean + 16).min(1275)
    }

    /// The range coder's state after the last packet; the decoder has the same after it (`OPUS_GET_FINAL_RANGE`).
    #[must_use]
    pub fn final_range(&self) -> u32 {
        self.inner.as_ref().map_or(0, OpusEncoder::final_range)
    }
}

impl crate::Encoder for Encoder {
    fn spec(&self) -> &'static CodecSpec {
        self.rate.spec()
    }

    fn frame_samples(&self) -> usize {
        self.rate.frame()
    }

    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<Encoded, CodecError> {
        let octets = self.encode_packet(pcm, out)?;
        let unsent = self.settings.dtx && octets <= UNSENT;
        Ok(Encoded { octets: if unsent { 0 } else { octets }, samples: pcm.len() })
    }

    fn reset(&mut self) {
        *self = Self::new(self.rate, self.settings);
    }
}

impl core::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Encoder")
            .field("rate", &self.rate)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
