//! L16: linear samples of 16 bits in network byte order (RFC 3551 §4.5.11), mono.
//!
//! Lossless, without delay. A lost stretch is filled as after G.711, at the stream's own rate
//! ([`crate::plc`]). The encoder has no state beyond its spec; a decoder's is what concealment remembers: 800
//! octets at 8 kHz, 4.7 kB at 48 kHz.
//!
//! RFC 3551 gives 44 100 Hz the payload type 11. At 44 100 and 48 000 Hz 20 ms do not fit an Ethernet frame,
//! so packets there are of 10 ms.

use crate::plc::{Concealer, HISTORY_8K};
use crate::{CodecError, CodecSpec, Encoded};

/// Octets a sample.
const WIDTH: usize = 2;

/// Writes as many samples as both slices hold.
pub fn encode_slice(pcm: &[i16], out: &mut [u8]) {
    for (octets, sample) in out.as_chunks_mut().0.iter_mut().zip(pcm) {
        *octets = sample.to_be_bytes();
    }
}

/// Reads as many samples as both slices hold.
pub fn decode_slice(octets: &[u8], pcm: &mut [i16]) {
    for (sample, octets) in pcm.iter_mut().zip(octets.as_chunks().0) {
        *sample = i16::from_be_bytes(*octets);
    }
}

/// Samples a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// 8000 Hz.
    Hz8000,
    /// 16 000 Hz.
    Hz16000,
    /// 44 100 Hz.
    Hz44100,
    /// 48 000 Hz.
    Hz48000,
}

/// The encoder for one rate.
#[derive(Clone, Debug)]
pub struct Encoder {
    rate: Rate,
}

impl Encoder {
    /// A new encoder.
    #[must_use]
    pub const fn new(rate: Rate) -> Self {
        Self { rate }
    }
}

impl crate::Encoder for Encoder {
    fn spec(&self) -> &'static CodecSpec {
        spec(self.rate)
    }

    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<Encoded, CodecError> {
        if pcm.is_empty() {
            return Err(CodecError::PartialFrame { frame: 1, got: 0 });
        }
        let (needed, got) = (pcm.len() * WIDTH, out.len());
        let out = out.get_mut(..needed).ok_or(CodecError::OutputTooShort { needed, got })?;
        encode_slice(pcm, out);
        Ok(Encoded { octets: needed, samples: pcm.len() })
    }

    fn reset(&mut self) {}
}

/// The decoder for one rate; `HISTORY` is 48.75 ms in samples ([`Concealer`]).
#[derive(Clone, Debug)]
pub struct Decoder<const HISTORY: usize = HISTORY_8K> {
    rate: Rate,
    concealer: Concealer<HISTORY>,
}

impl<const HISTORY: usize> Decoder<HISTORY> {
    const fn at(rate: Rate) -> Self {
        Self { rate, concealer: Concealer::new() }
    }
}

impl<const HISTORY: usize> crate::Decoder for Decoder<HISTORY> {
    fn spec(&self) -> &'static CodecSpec {
        spec(self.rate)
    }

    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        if payload.is_empty() || !payload.len().is_multiple_of(WIDTH) {
            return Err(CodecError::PayloadLength { got: payload.len(), expected: "a multiple of 2 octets" });
        }
        let (needed, got) = (payload.len() / WIDTH, pcm.len());
        let pcm = pcm.get_mut(..needed).ok_or(CodecError::OutputTooShort { needed, got })?;
        decode_slice(payload, pcm);
        self.concealer.received(pcm);
        Ok(needed)
    }

    fn conceal(&mut self, pcm: &mut [i16]) -> Result<usize, CodecError> {
        self.concealer.conceal(pcm);
        Ok(pcm.len())
    }

    fn reset(&mut self) {
        *self = Self::at(self.rate);
    }
}

/// The spec and the decoder of each rate.
macro_rules! rates {
    ($(
        $spec:ident $name:ident $decoder:ident $rate:literal $payload_type:expr, $history:expr,
        $ptime:literal $ptimes:expr;
    )*) => {
        $(
        #[doc = concat!("`L16/", $rate, "` as data.")]
        pub const $spec: CodecSpec = CodecSpec {
            name: "L16",
            sample_rate: $rate,
            rtp_clock: $rate,
            channels: 1,
            payload_type: $payload_type,
            bit_rate: $rate * 16,
            frame_samples: 1,
            default_ptime: $ptime,
            ptime_range: $ptimes,
            fmtp: &[],
            wants: &[],
            #[cfg(feature = "alloc")]
            encoder: |_| alloc::boxed::Box::new(Encoder::new(Rate::$name)),
            #[cfg(feature = "alloc")]
            decoder: |_| alloc::boxed::Box::new($decoder::new()),
        };

        #[doc = concat!("The decoder for ", $rate, " Hz.")]
        pub type $decoder = Decoder<{ $history }>;

        impl $decoder {
            /// A new decoder.
            #[must_use]
            pub const fn new() -> Self {
                Self::at(Rate::$name)
            }
        }

        impl Default for $decoder {
            fn default() -> Self {
                Self::new()
            }
        }
        )*

        const fn spec(rate: Rate) -> &'static CodecSpec {
            match rate {
                $(Rate::$name => &$spec,)*
            }
        }
    };
}

rates! {
    L16_8000 Hz8000 Decoder8000 8000 None, HISTORY_8K, 20 (10, 60);
    L16_16000 Hz16000 Decoder16000 16_000 None, 2 * HISTORY_8K, 20 (10, 40);
    L16_44100 Hz44100 Decoder44100 44_100 Some(11), HISTORY_8K * 441 / 80, 10 (5, 15);
    L16_48000 Hz48000 Decoder48000 48_000 None, 6 * HISTORY_8K, 10 (5, 15);
}
