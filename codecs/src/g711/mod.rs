//! ITU-T G.711: eight bits a sample at 8 kHz, in two laws.
//!
//! Both laws are a floating-point number with three bits of exponent and four of mantissa, which is what
//! an `f32` starts with too. So each direction is arithmetic on the bits of an `f32`: no table, no branch,
//! and a loop that the compiler turns into vector instructions. All values are integers below 2²⁴, which
//! an `f32` holds exactly, so the result is exact on every machine.

#[cfg(any(feature = "pcma", feature = "g726"))]
#[cfg_attr(not(feature = "pcma"), expect(unreachable_pub, reason = "public as a part of `pcma`"))]
pub(crate) mod alaw;
#[cfg(any(feature = "pcmu", feature = "g726"))]
#[cfg_attr(not(feature = "pcmu"), expect(unreachable_pub, reason = "public as a part of `pcmu`"))]
pub(crate) mod mulaw;
#[cfg(feature = "pcma")]
pub mod pcma;
#[cfg(feature = "pcmu")]
pub mod pcmu;

/// Where the three exponent bits and four mantissa bits of a code sit in an `f32`: the seven above bit 19.
const CODE_SHIFT: u32 = 19;
/// The bit below the code: set, it puts the decoded value in the middle of its interval.
const HALF_STEP: u32 = 1 << (CODE_SHIFT - 1);
/// An `f32` from here to 2²⁴ has steps of 1, so the low bits of its pattern are the integer itself.
const INTEGER_ALIGN: f32 = 8_388_608.0;

/// Samples that [`map`] takes at a time.
#[cfg(any(feature = "pcmu", feature = "pcma"))]
const BLOCK: usize = 32;

/// The biased exponent of 2^`power`, as it stands above the mantissa bits of a code.
const fn bias(power: i16) -> i16 {
    (127 + power) << 4
}

/// The bits of `magnitude`, which is not negative, down to four bits of mantissa.
#[inline(always)]
const fn float_code(magnitude: i16) -> i16 {
    ((magnitude as u16 as f32).to_bits() >> CODE_SHIFT) as i16
}

/// The integer of 15 bits whose float code is `code`, plus half a step.
#[inline(always)]
const fn from_float_code(code: i16) -> i16 {
    let value = f32::from_bits(((code as u32) << CODE_SHIFT) | HALF_STEP);
    ((value + INTEGER_ALIGN).to_bits() & 0x7fff) as i16
}

/// Fills `to` from `from`, as far as both go: by blocks that fill vector registers, then what is left.
#[cfg(any(feature = "pcmu", feature = "pcma"))]
#[inline(always)]
fn map<A: Copy, B>(from: &[A], to: &mut [B], convert: impl Fn(A) -> B) {
    let count = from.len().min(to.len());
    let (from, to) = (from.split_at(count).0, to.split_at_mut(count).0);
    let ((from, from_rest), (to, to_rest)) = (from.as_chunks::<BLOCK>(), to.as_chunks_mut::<BLOCK>());
    for (from, to) in from.iter().zip(to) {
        for (&from, to) in from.iter().zip(to) {
            *to = convert(from);
        }
    }
    for (&from, to) in from_rest.iter().zip(to_rest) {
        *to = convert(from);
    }
}

/// The encoder, decoder and spec of one law, over its module's `encode_sample` and `decode_sample`.
#[cfg(any(feature = "pcmu", feature = "pcma"))]
macro_rules! law {
    ($name:literal, $payload_type:literal, $silence:literal) => {
        use crate::plc::Concealer;
        use crate::{CodecError, CodecSpec, Encoded};

        #[doc = concat!($name, " as data.")]
        pub const SPEC: CodecSpec = CodecSpec {
            name: $name,
            sample_rate: 8000,
            rtp_clock: 8000,
            channels: 1,
            payload_type: Some($payload_type),
            bit_rate: 64_000,
            frame_samples: 1,
            default_ptime: 20,
            ptime_range: (10, 60),
            fmtp: &[],
            wants: &[],
            #[cfg(feature = "alloc")]
            encoder: |_| alloc::boxed::Box::new(Encoder::new()),
            #[cfg(feature = "alloc")]
            decoder: |_| alloc::boxed::Box::new(Decoder::new()),
        };

        /// The code of digital silence, to fill a payload with.
        pub const SILENCE: u8 = $silence;

        /// Encodes as many samples as both slices hold.
        pub fn encode_slice(pcm: &[i16], out: &mut [u8]) {
            super::map(pcm, out, encode_sample);
        }

        /// Decodes as many codes as both slices hold.
        pub fn decode_slice(codes: &[u8], pcm: &mut [i16]) {
            super::map(codes, pcm, decode_sample);
        }

        #[doc = concat!("The ", $name, " encoder. It has no state: zero octets.")]
        #[derive(Clone, Debug, Default)]
        pub struct Encoder(());

        impl Encoder {
            /// A new encoder.
            #[must_use]
            pub const fn new() -> Self {
                Self(())
            }
        }

        impl crate::Encoder for Encoder {
            fn spec(&self) -> &'static CodecSpec {
                &SPEC
            }

            fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<Encoded, CodecError> {
                if pcm.is_empty() {
                    return Err(CodecError::PartialFrame { frame: 1, got: 0 });
                }
                let got = out.len();
                let Some(out) = out.get_mut(..pcm.len()) else {
                    return Err(CodecError::OutputTooShort { needed: pcm.len(), got });
                };
                encode_slice(pcm, out);
                Ok(Encoded { octets: pcm.len(), samples: pcm.len() })
            }

            fn reset(&mut self) {}
        }

        #[doc = concat!("The ", $name, " decoder: its state is what concealment needs of the past.")]
        #[derive(Clone, Debug, Default)]
        pub struct Decoder {
            concealer: Concealer,
        }

        impl Decoder {
            /// A new decoder.
            #[must_use]
            pub const fn new() -> Self {
                Self { concealer: Concealer::new() }
            }
        }

        impl crate::Decoder for Decoder {
            fn spec(&self) -> &'static CodecSpec {
                &SPEC
            }

            fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
                if payload.is_empty() {
                    return Err(CodecError::PayloadLength { got: 0, expected: "one octet or more" });
                }
                let got = pcm.len();
                let Some(pcm) = pcm.get_mut(..payload.len()) else {
                    return Err(CodecError::OutputTooShort { needed: payload.len(), got });
                };
                decode_slice(payload, pcm);
                self.concealer.received(pcm);
                Ok(payload.len())
            }

            fn conceal(&mut self, pcm: &mut [i16]) -> Result<usize, CodecError> {
                self.concealer.conceal(pcm);
                Ok(pcm.len())
            }

            fn reset(&mut self) {
                *self = Self::new();
            }
        }
    };
}
#[cfg(any(feature = "pcmu", feature = "pcma"))]
use law;
