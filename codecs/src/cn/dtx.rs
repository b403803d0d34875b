//! Voice activity detection and comfort noise together.

use super::{Analyser, Sid};
use crate::vad::Vad;

/// What to send for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// The codec's own payload.
    Speech,
    /// A silence descriptor, under the payload type of `CN`.
    Sid(Sid),
    /// Nothing: the noise is as it was.
    Nothing,
}

/// Discontinuous transmission for a codec that has none: PCMU, PCMA, L16, G.726, G.722.
#[derive(Clone, Debug)]
pub struct Dtx {
    vad: Vad,
    analyser: Analyser,
}

impl Dtx {
    /// For frames at 8000 or 16 000 Hz.
    #[must_use]
    pub const fn new(sample_rate: u32) -> Self {
        Self { vad: Vad::new(sample_rate), analyser: Analyser::new(sample_rate) }
    }

    /// Says what to send for these samples, a multiple of 10 ms. Packets of speech after a pause begin a talk
    /// spurt and carry the RTP marker bit (RFC 3551 §4.1).
    pub fn decide(&mut self, pcm: &[i16]) -> Transmit {
        if self.vad.is_active(pcm) {
            self.analyser.speech();
            return Transmit::Speech;
        }
        self.analyser.noise(pcm).map_or(Transmit::Nothing, Transmit::Sid)
    }

    /// Back to the start.
    pub const fn reset(&mut self, sample_rate: u32) {
        *self = Self::new(sample_rate);
    }
}
