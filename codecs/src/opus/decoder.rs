//! Packets to samples.

use super::Rate;
use super::packet::Packet;
use crate::{CodecError, CodecSpec};
use alloc::vec::Vec;
use opus_pure::SoftClip;
use ruopus::OpusDecoder;

/// 20 ms in ticks of 1/48000 s: the longest frame that can be concealed or recovered at once.
const LONGEST_PIECE: usize = 960;

/// Decodes one or two channels to one. The state is on the heap.
pub struct Decoder {
    inner: OpusDecoder,
    clip: SoftClip,
    rate: Rate,
    /// Length of the last packet's frames, in ticks of 1/48000 s.
    frame_ticks: usize,
    /// One frame of a packet of several, with a TOC of its own.
    single: Vec<u8>,
    final_range: u32,
}

impl Decoder {
    /// A decoder at its start.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            inner: OpusDecoder::with_rate(rate.hz(), 1),
            clip: SoftClip::new(1),
            rate,
            frame_ticks: LONGEST_PIECE,
            single: Vec::new(),
            final_range: 0,
        }
    }

    /// Decodes one packet; the samples are those that its TOC says, 2.5 to 120 ms.
    ///
    /// # Errors
    /// [`CodecError::PayloadLength`] if the packet breaks a requirement of RFC 6716 §3.4,
    /// [`CodecError::OutputTooShort`].
    pub fn decode_packet(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        let packet = Packet::parse(payload)?;
        let frame = self.samples(packet.frame_ticks());
        let needed = frame * packet.frames().len();
        let Some(pcm) = pcm.get_mut(..needed) else {
            return Err(CodecError::OutputTooShort { needed, got: pcm.len() });
        };
        self.frame_ticks = packet.frame_ticks();
        for (coded, pcm) in packet.frames().iter().zip(pcm.chunks_exact_mut(frame)) {
            if coded.len() <= 1 {
                self.conceal_pieces(pcm);
            } else {
                self.decode_frame(packet.single_toc(), coded, pcm)?;
            }
        }
        Ok(needed)
    }

    /// Rebuilds a packet that was lost from the one behind it: if that carries a copy of its last frame, and the
    /// frame is 20 ms or shorter, this is what is heard; else it is concealed. Call it with the lost packet's
    /// length, and then decode `next` as usual.
    ///
    /// # Errors
    /// As [`Self::decode_packet`], and [`CodecError::PartialFrame`] if `pcm` is not a multiple of 10 ms.
    pub fn recover(&mut self, next: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        let packet = Packet::parse(next)?;
        self.check_conceal(pcm)?;
        let frame = self.samples(packet.frame_ticks());
        let coded = packet.frames().first().copied().unwrap_or_default();
        let hopeless = packet.is_celt_only() || packet.frame_ticks() > LONGEST_PIECE || coded.len() <= 1;
        let Some(before) = pcm.len().checked_sub(frame).filter(|_| !hopeless) else {
            self.conceal_pieces(pcm);
            return Ok(pcm.len());
        };
        let (concealed, recovered) = pcm.split_at_mut(before);
        self.conceal_pieces(concealed);
        self.join(packet.single_toc(), coded);
        let float = self.inner.decode_fec(&self.single, frame).map_err(|_| refused(next.len()))?;
        self.write(float, recovered);
        self.final_range = self.inner.final_range();
        Ok(pcm.len())
    }

    /// The range coder's state after the last packet, the same as the encoder's was; 0 after a packet of one octet
    /// and after concealment (`OPUS_GET_FINAL_RANGE`).
    #[must_use]
    pub const fn final_range(&self) -> u32 {
        self.final_range
    }

    fn decode_frame(&mut self, toc: u8, coded: &[u8], pcm: &mut [i16]) -> Result<(), CodecError> {
        self.join(toc, coded);
        let float = self.inner.decode_packet(&self.single).map_err(|_| refused(coded.len()))?;
        self.write(float, pcm);
        self.final_range = self.inner.final_range();
        Ok(())
    }

    fn join(&mut self, toc: u8, coded: &[u8]) {
        self.single.clear();
        self.single.push(toc);
        self.single.extend_from_slice(coded);
    }

    /// Conceals whole multiples of 2.5 ms in pieces of 20 ms, as libopus does.
    fn conceal_pieces(&mut self, pcm: &mut [i16]) {
        for piece in pcm.chunks_mut(self.samples(LONGEST_PIECE)) {
            let float = self.inner.decode_lost(piece.len());
            self.write(float, piece);
        }
        self.final_range = 0;
    }

    /// To 16 bits, with libopus's soft clipping of what is beyond full scale.
    fn write(&mut self, mut float: Vec<f32>, pcm: &mut [i16]) {
        self.clip.apply(&mut float);
        for (sample, &value) in pcm.iter_mut().zip(&float) {
            *sample = libm::rintf(value * 32_768.0) as i16;
        }
    }

    const fn samples(&self, ticks: usize) -> usize {
        ticks * self.rate.hz() as usize / 48_000
    }

    fn check_conceal(&self, pcm: &[i16]) -> Result<(), CodecError> {
        let tenth = self.rate.frame() / 2;
        if pcm.is_empty() || !pcm.len().is_multiple_of(tenth) {
            return Err(CodecError::PartialFrame { frame: tenth, got: pcm.len() });
        }
        Ok(())
    }
}

const fn refused(got: usize) -> CodecError {
    CodecError::PayloadLength { got, expected: "an Opus frame" }
}

impl crate::Decoder for Decoder {
    fn spec(&self) -> &'static CodecSpec {
        self.rate.spec()
    }

    fn frame_samples(&self) -> usize {
        self.rate.frame()
    }

    /// An empty payload is one frame of DTX, as long as the last frame was.
    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        if !payload.is_empty() {
            return self.decode_packet(payload, pcm);
        }
        let needed = self.samples(self.frame_ticks);
        let Some(pcm) = pcm.get_mut(..needed) else {
            return Err(CodecError::OutputTooShort { needed, got: pcm.len() });
        };
        self.conceal_pieces(pcm);
        Ok(needed)
    }

    fn conceal(&mut self, pcm: &mut [i16]) -> Result<usize, CodecError> {
        self.check_conceal(pcm)?;
        self.conceal_pieces(pcm);
        Ok(pcm.len())
    }

    fn reset(&mut self) {
        *self = Self::new(self.rate);
    }
}

impl core::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Decoder").field("rate", &self.rate).finish_non_exhaustive()
    }
}
