//! ITU-T G.726: adaptive differential PCM at 8 kHz with 2, 3, 4 or 5 bits a sample (16, 24, 32, 40 kbit/s).
//!
//! - **Exactness**: every bit as the ITU-T Software Tool Library (G.191), in both directions, at all rates,
//!   with linear, A-law and mu-law samples, the synchronous coding adjustment included. That holds for any
//!   input, also where the standard's arithmetic overflows.
//! - **Linear samples**: the upper 14 of the 16 bits go in (Annex A); what comes out is limited to 14 bits.
//! - **Algorithmic delay**: none beyond the one sample.
//! - **Loss**: G.711 Appendix I over the decoder's output. The predictor waits meanwhile, and finds back to
//!   the encoder's by the leak of its coefficients.
//! - **State**: [`ENCODER_BYTES`] and [`DECODER_BYTES`], of which concealment takes 792.
//!
//! Payload format: RFC 3551 §4.5.4 as `G726-16` to `G726-40`, the first code in the least significant bits;
//! and `AAL2-G726-16` to `AAL2-G726-40` with the other order. Payload type 2 meant 32 kbit/s in RFC 1890 (as
//! `G721`), in which order was never clear; RFC 3551 reserves it, so all of these are dynamic.

mod adpcm;
mod float;
mod law;
mod pack;
mod predictor;
mod tables;

pub use law::Law;
pub use pack::Order;

use self::adpcm::{Coded, State};
use crate::plc::Concealer;
use crate::{CodecError, CodecSpec, Encoded};
use pack::GROUP;

/// Octets of an [`Encoder`].
pub const ENCODER_BYTES: usize = size_of::<Encoder>();
/// Octets of a [`Decoder`].
pub const DECODER_BYTES: usize = size_of::<Decoder>();

/// Bits a sample, and so the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Two bits a sample.
    Kbit16,
    /// Three bits a sample.
    Kbit24,
    /// Four bits a sample.
    Kbit32,
    /// Five bits a sample.
    Kbit40,
}

impl Rate {
    /// Bits a code.
    #[must_use]
    pub const fn bits(self) -> usize {
        match self {
            Self::Kbit16 => 2,
            Self::Kbit24 => 3,
            Self::Kbit32 => 4,
            Self::Kbit40 => 5,
        }
    }

    /// The fewest samples whose codes fill whole octets.
    #[must_use]
    pub const fn frame_samples(self) -> usize {
        match self {
            Self::Kbit16 => 4,
            Self::Kbit24 | Self::Kbit40 => 8,
            Self::Kbit32 => 2,
        }
    }

    /// The fewest octets that hold whole codes.
    #[must_use]
    pub const fn frame_octets(self) -> usize {
        self.frame_samples() * self.bits() / 8
    }

    const fn expected(self) -> &'static str {
        match self {
            Self::Kbit16 | Self::Kbit32 => "one octet or more",
            Self::Kbit24 => "a multiple of 3 octets",
            Self::Kbit40 => "a multiple of 5 octets",
        }
    }

    /// Octets for this many samples.
    fn octets(self, samples: usize) -> Result<usize, CodecError> {
        let frame = self.frame_samples();
        if samples == 0 || !samples.is_multiple_of(frame) {
            return Err(CodecError::PartialFrame { frame, got: samples });
        }
        Ok(samples / frame * self.frame_octets())
    }

    /// Samples in this many octets.
    fn samples(self, octets: usize) -> Result<usize, CodecError> {
        if octets == 0 || !octets.is_multiple_of(self.frame_octets()) {
            return Err(CodecError::PayloadLength { got: octets, expected: self.expected() });
        }
        Ok(octets / self.frame_octets() * self.frame_samples())
    }
}

/// Calls a method that has the bits a code as its first constant: each rate has a loop of its own.
macro_rules! by_rate {
    ($this:ident . $method:ident ( $($argument:expr),* )) => {
        match $this.rate {
            Rate::Kbit16 => $this.$method::<2, _>($($argument),*),
            Rate::Kbit24 => $this.$method::<3, _>($($argument),*),
            Rate::Kbit32 => $this.$method::<4, _>($($argument),*),
            Rate::Kbit40 => $this.$method::<5, _>($($argument),*),
        }
    };
}

/// The encoder for one rate and order.
#[derive(Clone, Debug)]
pub struct Encoder {
    rate: Rate,
    order: Order,
    state: State,
}

impl Encoder {
    /// A new encoder.
    #[must_use]
    pub const fn new(rate: Rate, order: Order) -> Self {
        Self { rate, order, state: State::new() }
    }

    /// Encodes G.711 octets instead of linear samples; returns the octets written.
    ///
    /// # Errors
    /// As [`crate::Encoder::encode`]; an octet is a sample.
    pub fn encode_law(&mut self, law: Law, samples: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let out = room(out, self.rate.octets(samples.len())?)?;
        by_rate!(self.run(samples, out, |octet| law.expand(octet)));
        Ok(out.len())
    }

    fn run<const BITS: u32, S: Copy>(&mut self, samples: &[S], out: &mut [u8], expand: impl Fn(S) -> i32) {
        let mut state = self.state.clone();
        for (group, octets) in samples.chunks(GROUP).zip(out.chunks_mut(BITS as usize)) {
            let mut codes = 0;
            for (&sample, i) in group.iter().zip(0..) {
                codes |= u64::from(state.encode::<BITS>(expand(sample))) << (BITS * i);
            }
            pack::pack::<BITS>(self.order, codes, octets);
        }
        self.state = state;
    }
}

impl crate::Encoder for Encoder {
    fn spec(&self) -> &'static CodecSpec {
        spec(self.rate, self.order)
    }

    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<Encoded, CodecError> {
        let out = room(out, self.rate.octets(pcm.len())?)?;
        by_rate!(self.run(pcm, out, |sample: i16| i32::from(sample >> 2)));
        Ok(Encoded { octets: out.len(), samples: pcm.len() })
    }

    fn reset(&mut self) {
        self.state = State::new();
    }
}

/// The decoder for one rate and order.
#[derive(Clone, Debug)]
pub struct Decoder {
    rate: Rate,
    order: Order,
    state: State,
    concealer: Concealer,
}

impl Decoder {
    /// A new decoder.
    #[must_use]
    pub const fn new(rate: Rate, order: Order) -> Self {
        Self { rate, order, state: State::new(), concealer: Concealer::new() }
    }

    /// Decodes to G.711 octets instead of linear samples, with the synchronous coding adjustment; returns the
    /// octets written. What concealment remembers is left alone.
    ///
    /// # Errors
    /// As [`crate::Decoder::decode`]; an octet is a sample.
    pub fn decode_law(&mut self, law: Law, payload: &[u8], samples: &mut [u8]) -> Result<usize, CodecError> {
        let samples = room(samples, self.rate.samples(payload.len())?)?;
        match law {
            Law::A => by_rate!(self.run(payload, samples, Law::A)),
            Law::Mu => by_rate!(self.run(payload, samples, Law::Mu)),
        }
        Ok(samples.len())
    }

    fn run<const BITS: u32, S: Side>(&mut self, payload: &[u8], samples: &mut [S::Sample], side: S) {
        let mut state = self.state.clone();
        for (octets, group) in payload.chunks(BITS as usize).zip(samples.chunks_mut(GROUP)) {
            let mut codes = pack::unpack::<BITS>(self.order, octets);
            for sample in group {
                let code = codes as u32 & ((1 << BITS) - 1);
                codes >>= BITS;
                *sample = side.sample::<BITS>(code, &state.decode::<BITS>(code));
            }
        }
        self.state = state;
    }
}

impl crate::Decoder for Decoder {
    fn spec(&self) -> &'static CodecSpec {
        spec(self.rate, self.order)
    }

    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        let pcm = room(pcm, self.rate.samples(payload.len())?)?;
        by_rate!(self.run(payload, pcm, Linear));
        self.concealer.received(pcm);
        Ok(pcm.len())
    }

    fn conceal(&mut self, pcm: &mut [i16]) -> Result<usize, CodecError> {
        self.rate.octets(pcm.len())?;
        self.concealer.conceal(pcm);
        Ok(pcm.len())
    }

    fn reset(&mut self) {
        *self = Self::new(self.rate, self.order);
    }
}

/// What comes out of a decoder.
trait Side: Copy {
    type Sample;
    fn sample<const BITS: u32>(self, code: u32, coded: &Coded) -> Self::Sample;
}

#[derive(Clone, Copy)]
struct Linear;

impl Side for Linear {
    type Sample = i16;

    #[inline(always)]
    fn sample<const BITS: u32>(self, _code: u32, coded: &Coded) -> i16 {
        // Limited to the 14 bits that went in.
        (coded.signal.clamp(-8192, 8191) << 2) as i16
    }
}

impl Side for Law {
    type Sample = u8;

    #[inline(always)]
    fn sample<const BITS: u32>(self, code: u32, coded: &Coded) -> u8 {
        self.adjust::<BITS>(code, coded)
    }
}

fn room<T>(out: &mut [T], needed: usize) -> Result<&mut [T], CodecError> {
    let got = out.len();
    out.get_mut(..needed).ok_or(CodecError::OutputTooShort { needed, got })
}

/// The spec of each rate in one order, and the function that finds it.
macro_rules! specs {
    ($($spec:ident $name:literal $rate:ident $order:ident $kbit:literal;)*) => {
        $(
            #[doc = concat!("`", $name, "` as data.")]
            pub const $spec: CodecSpec = CodecSpec {
                name: $name,
                sample_rate: 8000,
                rtp_clock: 8000,
                channels: 1,
                payload_type: None,
                bit_rate: $kbit * 1000,
                frame_samples: Rate::$rate.frame_samples(),
                default_ptime: 20,
                ptime_range: (10, 60),
                fmtp: &[],
                wants: &[],
                #[cfg(feature = "alloc")]
                encoder: |_| alloc::boxed::Box::new(Encoder::new(Rate::$rate, Order::$order)),
                #[cfg(feature = "alloc")]
                decoder: |_| alloc::boxed::Box::new(Decoder::new(Rate::$rate, Order::$order)),
            };
        )*

        const fn spec(rate: Rate, order: Order) -> &'static CodecSpec {
            match (rate, order) {
                $((Rate::$rate, Order::$order) => &$spec,)*
            }
        }
    };
}

specs! {
    G726_16 "G726-16" Kbit16 Rfc3551 16;
    G726_24 "G726-24" Kbit24 Rfc3551 24;
    G726_32 "G726-32" Kbit32 Rfc3551 32;
    G726_40 "G726-40" Kbit40 Rfc3551 40;
    AAL2_G726_16 "AAL2-G726-16" Kbit16 Aal2 16;
    AAL2_G726_24 "AAL2-G726-24" Kbit24 Aal2 24;
    AAL2_G726_32 "AAL2-G726-32" Kbit32 Aal2 32;
    AAL2_G726_40 "AAL2-G726-40" Kbit40 Aal2 40;
}
