//! ITU-T G.729 Annexes A and B: speech in 8 kbit/s, 10 ms at a time, and nothing while nobody speaks.
//!
//! Encoder and decoder give the bits of the ITU-T's fixed-point code (Annex A version 1.1 and Annex B version 1.4),
//! erasures and overloads included. The streams interwork with those of G.729 itself and its other annexes at
//! 8 kbit/s. The algorithmic delay is 15 ms: a frame of 10 ms and 5 ms of look-ahead.
//!
//! Annex B ([`Encoder::new`] with `true`) tells speech from background noise; of noise it sends a silence
//! descriptor of two octets now and then, and in between nothing. The decoder always understands Annex B.
//!
//! On RTP (RFC 3551 §4.5.6) a payload is any number of speech frames of ten octets, of which the last may be
//! followed by a silence descriptor. The format parameter `annexb` (RFC 4856) is `no` if either side says so.
//!
//! The state of the encoder takes 1412 octets ([`ENCODER_BYTES`]), that of the decoder 828 ([`DECODER_BYTES`]).

mod bits;
mod decoder;
mod dtx;
mod encoder;
mod filter;
mod fixed_codebook;
mod gain;
mod high_pass;
mod lpc;
mod lsf_quantizer;
mod lsp;
mod noise;
mod pitch;
mod postfilter;
mod sid;
mod tables;
mod taming;
mod vad;
mod vector;

use self::decoder::Received;
use self::encoder::Coded;
use crate::{Agree, CodecError, CodecSpec, Encoded, Rule, Values};

/// G.729 as data.
pub const SPEC: CodecSpec = CodecSpec {
    name: "G729",
    sample_rate: 8000,
    rtp_clock: 8000,
    channels: 1,
    payload_type: Some(18),
    bit_rate: 8000,
    frame_samples: FRAME_SAMPLES,
    default_ptime: 20,
    ptime_range: (10, 60),
    fmtp: &[Rule { name: "annexb", values: Values::YesNo, default: 1, agree: Agree::Least }],
    wants: &[],
    #[cfg(feature = "alloc")]
    encoder: |fmtp| alloc::boxed::Box::new(Encoder::new(fmtp.get("annexb") != Some(0))),
    #[cfg(feature = "alloc")]
    decoder: |_| alloc::boxed::Box::new(Decoder::new()),
};

/// Samples in a frame: 10 ms.
pub const FRAME_SAMPLES: usize = 80;
/// Octets of a speech frame.
pub const SPEECH_OCTETS: usize = 10;
/// Octets of a silence descriptor.
pub const SID_OCTETS: usize = 2;

/// Octets of encoder state.
pub const ENCODER_BYTES: usize = size_of::<Encoder>();
/// Octets of decoder state.
pub const DECODER_BYTES: usize = size_of::<Decoder>();

/// Order of the predictor.
const ORDER: usize = 10;
const FRAME: usize = FRAME_SAMPLES;
const SUBFRAME: usize = FRAME / 2;
/// Samples under the window of the LP analysis.
const WINDOW_SAMPLES: usize = 240;
/// Shortest and longest open-loop pitch lag.
const LAG_MIN: usize = 20;
const LAG_MAX: usize = 143;
/// Past excitation: the longest lag, and what the interpolation reads beyond it.
const HISTORY: usize = LAG_MAX + 11;
/// Range of the pitch contribution to the code, Q14: 0.2 to 0.7945.
const SHARPENING_MIN: i16 = 3277;
const SHARPENING_MAX: i16 = 13_017;

/// Coefficients of `A(z)`, Q12, the first of them 4096.
type Lpc = [i16; ORDER + 1];
/// Line spectral pairs (Q15) or frequencies (Q13).
type Lsp = [i16; ORDER];

/// Pairs before the first frame.
const INITIAL_LSP: Lsp = [30_000, 26_000, 21_000, 15_000, 8000, 0, -8000, -15_000, -21_000, -26_000];

const PAYLOAD: &str = "speech frames of 10 octets, then at most one silence descriptor of 2";

/// The G.729 Annex A encoder, with or without Annex B.
#[derive(Clone)]
pub struct Encoder {
    state: encoder::State,
    vad: bool,
}

impl Encoder {
    /// A new encoder; `vad` if it shall send less while nobody speaks (Annex B).
    #[must_use]
    pub const fn new(vad: bool) -> Self {
        Self { state: encoder::State::NEW, vad }
    }

    /// Encodes a frame; returns how many octets of `out` it takes: 10 of speech, 2 of a silence descriptor, or 0 if
    /// there is nothing to send. Without voice activity detection it is always 10.
    pub fn encode_frame(&mut self, pcm: &[i16; FRAME_SAMPLES], out: &mut [u8; SPEECH_OCTETS]) -> usize {
        match self.state.encode(pcm, self.vad) {
            Coded::Speech(speech) => {
                *out = speech.pack();
                SPEECH_OCTETS
            }
            Coded::Sid(sid) => {
                let [first, second, ..] = out;
                [*first, *second] = sid.pack();
                SID_OCTETS
            }
            Coded::Untransmitted => 0,
        }
    }
}

impl crate::Encoder for Encoder {
    fn spec(&self) -> &'static CodecSpec {
        &SPEC
    }

    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<Encoded, CodecError> {
        let (frames, rest) = pcm.as_chunks::<FRAME_SAMPLES>();
        if frames.is_empty() || !rest.is_empty() {
            return Err(CodecError::PartialFrame { frame: FRAME_SAMPLES, got: pcm.len() });
        }
        let (needed, got) = (frames.len() * SPEECH_OCTETS, out.len());
        if got < needed {
            return Err(CodecError::OutputTooShort { needed, got });
        }
        let mut done = Encoded { octets: 0, samples: 0 };
        for (frame, out) in frames.iter().zip(out.as_chunks_mut::<SPEECH_OCTETS>().0) {
            let octets = self.encode_frame(frame, out);
            done.octets += octets;
            done.samples += FRAME_SAMPLES;
            if octets != SPEECH_OCTETS {
                break;
            }
        }
        Ok(done)
    }

    fn reset(&mut self) {
        *self = Self::new(self.vad);
    }
}

/// The G.729 Annex A decoder with Annex B's comfort noise.
#[derive(Clone)]
pub struct Decoder {
    state: decoder::State,
    /// Frames in a row for which nothing came.
    missing: u16,
    /// How many of them are filled.
    fill_limit: u16,
}

impl Decoder {
    /// A new decoder, which fills every frame that does not come, as the standard does.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: decoder::State::NEW, missing: 0, fill_limit: u16::MAX }
    }

    /// The same, but silent from the frame on that is the `frames + 1`th in a row for which nothing came. The state
    /// goes on beneath the silence.
    ///
    /// Discontinuous transmission may well send nothing for a minute; this is for those who would sooner hear that
    /// the other side is gone.
    #[must_use]
    pub const fn with_fill_limit(mut self, frames: u16) -> Self {
        self.fill_limit = frames;
        self
    }

    /// Decodes a speech frame.
    pub fn decode_speech(&mut self, octets: &[u8; SPEECH_OCTETS]) -> [i16; FRAME_SAMPLES] {
        self.came(&Received::Speech(bits::Speech::unpack(octets)))
    }

    /// Makes comfort noise by a silence descriptor.
    pub fn decode_sid(&mut self, octets: &[u8; SID_OCTETS]) -> [i16; FRAME_SAMPLES] {
        self.came(&Received::Sid(bits::Sid::unpack(octets)))
    }

    /// Makes comfort noise for a frame of which it is known that nothing was sent for it. Directly after speech it
    /// is as loud as that was: then the first silence descriptor was lost.
    pub fn decode_untransmitted(&mut self) -> [i16; FRAME_SAMPLES] {
        self.did_not_come(&Received::Untransmitted)
    }

    /// Makes up for a frame that did not come, whatever it was: goes on with the speech, fading, or with the noise.
    pub fn conceal_frame(&mut self) -> [i16; FRAME_SAMPLES] {
        self.did_not_come(&Received::Lost)
    }

    fn came(&mut self, received: &Received) -> [i16; FRAME_SAMPLES] {
        self.missing = 0;
        self.state.decode(received)
    }

    fn did_not_come(&mut self, received: &Received) -> [i16; FRAME_SAMPLES] {
        self.missing = self.missing.saturating_add(1);
        let pcm = self.state.decode(received);
        if self.missing > self.fill_limit { [0; FRAME_SAMPLES] } else { pcm }
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

    /// An empty payload is a frame that did not come: RTP cannot tell the lost from the unsent.
    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        if payload.is_empty() {
            return match pcm.first_chunk_mut() {
                Some(pcm) => {
                    *pcm = self.conceal_frame();
                    Ok(FRAME_SAMPLES)
                }
                None => Err(CodecError::OutputTooShort { needed: FRAME_SAMPLES, got: pcm.len() }),
            };
        }
        let (speech, rest) = payload.as_chunks::<SPEECH_OCTETS>();
        let sid = rest.first_chunk::<SID_OCTETS>();
        if !rest.is_empty() && rest.len() != SID_OCTETS {
            return Err(CodecError::PayloadLength { got: payload.len(), expected: PAYLOAD });
        }
        let (needed, got) = ((speech.len() + usize::from(sid.is_some())) * FRAME_SAMPLES, pcm.len());
        if got < needed {
            return Err(CodecError::OutputTooShort { needed, got });
        }
        let mut frames = pcm.as_chunks_mut::<FRAME_SAMPLES>().0.iter_mut();
        for (octets, pcm) in speech.iter().zip(&mut frames) {
            *pcm = self.decode_speech(octets);
        }
        for (octets, pcm) in sid.into_iter().zip(frames) {
            *pcm = self.decode_sid(octets);
        }
        Ok(needed)
    }

    fn conceal(&mut self, pcm: &mut [i16]) -> Result<usize, CodecError> {
        let got = pcm.len();
        let (frames, rest) = pcm.as_chunks_mut::<FRAME_SAMPLES>();
        if frames.is_empty() || !rest.is_empty() {
            return Err(CodecError::PartialFrame { frame: FRAME_SAMPLES, got });
        }
        for frame in frames {
            *frame = self.conceal_frame();
        }
        Ok(got)
    }

    fn is_resting(&self) -> bool {
        self.state.is_resting()
    }

    fn reset(&mut self) {
        *self = Self::new().with_fill_limit(self.fill_limit);
    }
}

impl core::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Encoder").field("vad", &self.vad).finish_non_exhaustive()
    }
}

impl core::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Decoder").field("missing", &self.missing).finish_non_exhaustive()
    }
}
