//! iLBC, the Internet Low Bit Rate Codec: RFC 3951, with the RTP payload format of RFC 3952.
//!
//! 15.2 kbit/s in frames of 20 ms or 13.33 kbit/s in frames of 30 ms. A frame depends on no other, so a loss
//! does not go on. Algorithmic delay: one frame, and with the enhancer (the normal case) 5 ms more in 20 ms
//! mode or 10 ms in 30 ms mode.
//!
//! iLBC is defined by floating-point code, in single precision. This module takes every sum in the same order
//! as that code and rounds where it rounds; only independent sums are taken side by side. Nothing is fused,
//! so bits and samples are those of the RFC's code compiled for strict IEEE arithmetic, on every machine:
//! with the enhancer, without it, and with losses. It differs in four rare cases. In three of them the RFC's
//! code reads what it never wrote, so that its compiler decides:
//!
//! - a pitch cycle so far back that the buffer has only four of the five places for it (enhancer, 30 ms);
//! - a loss right after the first good frame behind another loss, if the lag, then doubled, is longer than a
//!   frame;
//! - the pitch lag without the enhancer in 20 ms mode, which only concealment uses.
//!
//! And a loss of more than 160 ms ends in silence: the RFC's code means that, but never gets there.
//!
//! An encoder takes 420 octets and a decoder 2792; a call takes 17 and 9 KiB of stack.

mod bits;
mod codebook;
mod decoder;
mod encoder;
mod enhancer;
mod filter;
mod lpc;
mod plc;
mod residual;
mod search;
mod state;
mod tables;

use crate::{Agree, CodecError, CodecSpec, Encoded, Fmtp, Rule, Values};

/// iLBC as data. [`frame_samples`](CodecSpec::frame_samples), ptime and bit rate are those of the default
/// mode and of the faster mode, 30 ms and 20 ms; [`Mode`] has both.
pub const SPEC: CodecSpec = CodecSpec {
    name: "iLBC",
    sample_rate: 8000,
    rtp_clock: 8000,
    channels: 1,
    payload_type: None,
    bit_rate: 15_200,
    frame_samples: Mode::Ms30.samples(),
    default_ptime: 30,
    ptime_range: (20, 120),
    fmtp: &[MODE],
    wants: &[],
    #[cfg(feature = "alloc")]
    encoder: |agreed| alloc::boxed::Box::new(Encoder::new(Mode::of(agreed))),
    #[cfg(feature = "alloc")]
    decoder: |agreed| alloc::boxed::Box::new(Decoder::new(Mode::of(agreed))),
};

/// RFC 3952 §5: absent means 30, and if one side says 30, both use 30.
const MODE: Rule =
    Rule { name: "mode", values: Values::OneOf(&[("20", 20), ("30", 30)]), default: 30, agree: Agree::Most };

/// Octets that an [`Encoder`] takes.
pub const ENCODER_BYTES: usize = size_of::<Encoder>();
/// Octets that a [`Decoder`] takes.
pub const DECODER_BYTES: usize = size_of::<Decoder>();

/// Length of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// 20 ms in 38 octets: 15.2 kbit/s.
    Ms20,
    /// 30 ms in 50 octets: 13.33 kbit/s.
    #[default]
    Ms30,
}

impl Mode {
    /// The mode that format parameters name.
    #[must_use]
    pub fn of(agreed: &Fmtp) -> Self {
        if agreed.get(MODE.name) == Some(20) { Self::Ms20 } else { Self::Ms30 }
    }

    /// The mode of a frame of that many octets.
    #[must_use]
    pub const fn from_octets(octets: usize) -> Option<Self> {
        match octets {
            38 => Some(Self::Ms20),
            50 => Some(Self::Ms30),
            _ => None,
        }
    }

    /// Samples in a frame.
    #[must_use]
    pub const fn samples(self) -> usize {
        match self {
            Self::Ms20 => 160,
            Self::Ms30 => 240,
        }
    }

    /// Octets in a frame.
    #[must_use]
    pub const fn octets(self) -> usize {
        match self {
            Self::Ms20 => 38,
            Self::Ms30 => 50,
        }
    }

    /// Samples by which the enhancer delays.
    #[must_use]
    pub const fn enhancer_delay(self) -> usize {
        match self {
            Self::Ms20 => 40,
            Self::Ms30 => 80,
        }
    }

    const fn sub_frames(self) -> usize {
        self.samples() / codebook::SUB_FRAME
    }

    /// Sets of LSFs in a frame.
    const fn lsf_sets(self) -> usize {
        match self {
            Self::Ms20 => 1,
            Self::Ms30 => 2,
        }
    }

    /// Samples of the start state that are quantised one by one.
    const fn state_samples(self) -> usize {
        match self {
            Self::Ms20 => 57,
            Self::Ms30 => 58,
        }
    }

    /// Samples before the frame that the analysis sees.
    const fn look_back(self) -> usize {
        match self {
            Self::Ms20 => 80,
            Self::Ms30 => 60,
        }
    }

    const fn payload(self) -> &'static str {
        match self {
            Self::Ms20 => "one or more frames of 38 octets",
            Self::Ms30 => "one or more frames of 50 octets",
        }
    }
}

/// The iLBC encoder.
#[derive(Clone, Debug)]
pub struct Encoder {
    mode: Mode,
    state: encoder::State,
}

impl Encoder {
    /// A new encoder.
    #[must_use]
    pub const fn new(mode: Mode) -> Self {
        Self { mode, state: encoder::State::new() }
    }

    /// Its mode.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }
}

impl crate::Encoder for Encoder {
    fn spec(&self) -> &'static CodecSpec {
        &SPEC
    }

    fn frame_samples(&self) -> usize {
        self.mode.samples()
    }

    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<Encoded, CodecError> {
        let frames = frames(self.mode, pcm.len())?;
        let (needed, got) = (frames * self.mode.octets(), out.len());
        let Some(out) = out.get_mut(..needed) else {
            return Err(CodecError::OutputTooShort { needed, got });
        };
        let frames = pcm.chunks_exact(self.mode.samples()).zip(out.chunks_exact_mut(self.mode.octets()));
        for (pcm, octets) in frames {
            self.state.encode(self.mode, pcm, octets);
        }
        Ok(Encoded { octets: needed, samples: pcm.len() })
    }

    fn reset(&mut self) {
        *self = Self::new(self.mode);
    }
}

/// The iLBC decoder.
///
/// A frame that is marked as empty, or that no encoder makes, is concealed. A filter that garbage drives out
/// of all proportion is stopped, so that the samples are always numbers and good frames soon sound right
/// again. A loss that goes on fades to silence after 160 ms.
#[derive(Clone, Debug)]
pub struct Decoder {
    mode: Mode,
    enhance: bool,
    state: decoder::State,
}

impl Decoder {
    /// A new decoder, with the enhancer.
    #[must_use]
    pub const fn new(mode: Mode) -> Self {
        Self { mode, enhance: true, state: decoder::State::new() }
    }

    /// Switches the enhancer off, or on again: without it there is less delay, and voiced speech is rougher.
    #[must_use]
    pub const fn enhancer(mut self, on: bool) -> Self {
        self.enhance = on;
        self
    }

    /// Its mode.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }
}

impl crate::Decoder for Decoder {
    fn spec(&self) -> &'static CodecSpec {
        &SPEC
    }

    fn frame_samples(&self) -> usize {
        self.mode.samples()
    }

    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        let frames = payload.chunks_exact(self.mode.octets());
        if payload.is_empty() || !frames.remainder().is_empty() {
            return Err(CodecError::PayloadLength { got: payload.len(), expected: self.mode.payload() });
        }
        let (needed, got) = (frames.len() * self.mode.samples(), pcm.len());
        if got < needed {
            return Err(CodecError::OutputTooShort { needed, got });
        }
        for (octets, pcm) in frames.zip(pcm.chunks_exact_mut(self.mode.samples())) {
            self.state.decode(self.mode, self.enhance, Some(octets), pcm);
        }
        Ok(needed)
    }

    fn conceal(&mut self, pcm: &mut [i16]) -> Result<usize, CodecError> {
        frames(self.mode, pcm.len())?;
        for pcm in pcm.chunks_exact_mut(self.mode.samples()) {
            self.state.decode(self.mode, self.enhance, None, pcm);
        }
        Ok(pcm.len())
    }

    fn reset(&mut self) {
        *self = Self::new(self.mode).enhancer(self.enhance);
    }
}

/// How many frames so many samples are.
const fn frames(mode: Mode, samples: usize) -> Result<usize, CodecError> {
    let frame = mode.samples();
    if samples == 0 || !samples.is_multiple_of(frame) {
        return Err(CodecError::PartialFrame { frame, got: samples });
    }
    Ok(samples / frame)
}
