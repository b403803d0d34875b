//! Opus (RFC 6716, RFC 8251) in RTP (RFC 7587), one channel at 8, 16, 24 or 48 kHz.
//!
//! # Not ours
//! The one codec of this crate that others wrote, and the one that needs `std`: [`Encoder`] is that of
//! `opus-pure` 0.2 (BSD-3-Clause, a translation of libopus 1.6.1), [`Decoder`] that of `ruopus` 0.1 (MIT). Ours are the
//! settings, RFC 7587's parameters, taking packets apart with all checks of RFC 6716 §3.4, DTX and the order of
//! recovery and concealment. Both crates are Rust alone: no C compiler, no cmake, no library to install. What comes
//! from the network is parsed and decoded in safe Rust; `unsafe` is in SIMD kernels of the encoder.
//!
//! Compared on the packets of `../shared/vectors/opus` (made by libopus 1.3.1; 2115 packets), and their samples with
//! libopus 1.6.1:
//!
//! | crate | other final range | samples of libopus 1.6.1, also with losses | why not |
//! |---|---|---|---|
//! | `ruopus` 0.1.2 | 0 | all of SILK; CELT 105 dB, 27 dB with losses | encodes at 48 kHz only: decoder taken |
//! | `rusty-opus` 1.0.2 | 0 | as above; hard clipping on overload (28 dB) | reads the environment |
//! | `opus-pure` 0.2.2 | 3 | as above, FEC of 40 and 60 ms too | redundant frames below 48 kHz skipped: encoder taken |
//! | `ropus` 0.12.18 | 0 | concealment 5 to 10 dB | fixed point, encoder differs most |
//! | `opus-rs` 0.1.40 | not told | as `ruopus` | no final range, no DTX |
//! | `unsafe-libopus` 0.2.0 | 0 | concealment below 0 dB: broken | its interface is `unsafe` |
//! | `mousiki` 0.2.1 | 99 | below 0 dB | |
//! | `opus-decoder` 0.1.1 | 1 | below 0 dB under 48 kHz | |
//! | `opuscule` 0.2.2 | 0 | concealment and recovery 4 to 65 dB | MPL-2.0 |
//!
//! The counts are of the vectors, without packets of one octet (a frame that was not sent): `opus-pure`, `rusty-opus` and
//! `opus-decoder` do not take these for lost frames, as libopus does. They are handled here.
//! The bindings (`opus`, `audiopus_sys`, `opusic-sys`) want a C compiler and cmake or an installed library.
//!
//! # Exactness
//! Decoder: the final range of every packet, at every rate; SILK samples identical to libopus 1.3.1, CELT above
//! 105 dB. Comfort noise and concealment are those of libopus 1.6.1 (30 to 70 dB from 1.3.1, CELT losses 12 dB; neither is
//! normative): on `mix.nb12-dtx` of the vectors the samples are those of libopus 1.6.1 to the bit, and both are 40.7 dB
//! from 1.3.1. A lost packet comes back from the next one's copy if frames are 10 or 20 ms; 40 and 60 ms are concealed.
//! Encoder: RFC 6716 leaves it free. Its packets are not those of libopus (SILK analysis in fixed point): over 240
//! streams (four rates, four packet lengths, five bit rates, three applications) they are 4 % longer. libopus 1.6.1 decodes
//! every one of them to the same final range.
//!
//! # Cost
//! Median time of a packet of the vectors, ratio to libopus 1.3.1 (Debian's build) in the same run:
//! encode 0.66 to 0.78 wide band, 1.03 to 1.09 narrow band, 1.00 low delay; decode 0.8 to 1.2 where SILK is used, 1.6 for
//! CELT (with `ruopus`'s optional FFT crate, which is not used here). An encoded or decoded packet makes a few short-lived allocations.
//! State: on the heap. Algorithmic delay: frame + 6.5 ms; 2.5 ms instead of 6.5 for low delay.

mod decoder;
mod encoder;
mod packet;
mod settings;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use settings::{Application, RULES, Settings};

use crate::CodecSpec;
#[cfg(feature = "alloc")]
use alloc::boxed::Box;

/// Wide band: 16 000 samples a second.
pub const SPEC: CodecSpec = spec(Rate::Hz16000);

/// Narrow band: 8000 samples a second. In SDP it is the same format as [`SPEC`]; its side asks for what it can
/// play with `maxplaybackrate=8000`.
pub const NARROW_SPEC: CodecSpec = spec(Rate::Hz8000);

/// Super-wide band: 24 000 samples a second.
pub const SUPER_WIDE_SPEC: CodecSpec = spec(Rate::Hz24000);

/// Full band: 48 000 samples a second.
pub const FULL_SPEC: CodecSpec = spec(Rate::Hz48000);

/// Samples a second on the PCM side. The other side of a call may use another: each packet says what it has, and
/// the decoder brings it to this rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rate {
    /// Narrow band, 4 kHz of audio.
    Hz8000,
    /// Wide band, 8 kHz of audio.
    #[default]
    Hz16000,
    /// Super-wide band, 12 kHz of audio.
    Hz24000,
    /// Full band, 20 kHz of audio.
    Hz48000,
}

impl Rate {
    /// Samples a second.
    #[must_use]
    pub const fn hz(self) -> u32 {
        match self {
            Self::Hz8000 => 8000,
            Self::Hz16000 => 16_000,
            Self::Hz24000 => 24_000,
            Self::Hz48000 => 48_000,
        }
    }

    /// The rate with this many samples a second.
    #[must_use]
    pub const fn from_hz(hz: u32) -> Option<Self> {
        match hz {
            8000 => Some(Self::Hz8000),
            16_000 => Some(Self::Hz16000),
            24_000 => Some(Self::Hz24000),
            48_000 => Some(Self::Hz48000),
            _ => None,
        }
    }

    const fn spec(self) -> &'static CodecSpec {
        match self {
            Self::Hz8000 => &NARROW_SPEC,
            Self::Hz16000 => &SPEC,
            Self::Hz24000 => &SUPER_WIDE_SPEC,
            Self::Hz48000 => &FULL_SPEC,
        }
    }

    /// Samples in 20 ms.
    const fn frame(self) -> usize {
        self.hz() as usize / 50
    }
}

/// Nothing is sent above our own rate and nothing is played above it; copies of lost frames are made use of.
const fn wants(rate: Rate) -> [(&'static str, u32); 3] {
    [("maxplaybackrate", rate.hz()), ("sprop-maxcapturerate", rate.hz()), ("useinbandfec", 1)]
}

/// The `rtpmap` is always `opus/48000/2`, whatever is in it (RFC 7587 §4.1, §7).
const fn spec(rate: Rate) -> CodecSpec {
    CodecSpec {
        name: "opus",
        sample_rate: rate.hz(),
        rtp_clock: 48_000,
        channels: 2,
        payload_type: None,
        bit_rate: 64_000,
        frame_samples: rate.frame(),
        default_ptime: 20,
        ptime_range: (10, 60),
        fmtp: RULES,
        wants: match rate {
            Rate::Hz8000 => const { &wants(Rate::Hz8000) },
            Rate::Hz16000 => const { &wants(Rate::Hz16000) },
            Rate::Hz24000 => const { &wants(Rate::Hz24000) },
            Rate::Hz48000 => const { &wants(Rate::Hz48000) },
        },
        #[cfg(feature = "alloc")]
        encoder: match rate {
            Rate::Hz8000 => |fmtp| Box::new(Encoder::from_fmtp(Rate::Hz8000, fmtp)),
            Rate::Hz16000 => |fmtp| Box::new(Encoder::from_fmtp(Rate::Hz16000, fmtp)),
            Rate::Hz24000 => |fmtp| Box::new(Encoder::from_fmtp(Rate::Hz24000, fmtp)),
            Rate::Hz48000 => |fmtp| Box::new(Encoder::from_fmtp(Rate::Hz48000, fmtp)),
        },
        #[cfg(feature = "alloc")]
        decoder: match rate {
            Rate::Hz8000 => |_| Box::new(Decoder::new(Rate::Hz8000)),
            Rate::Hz16000 => |_| Box::new(Decoder::new(Rate::Hz16000)),
            Rate::Hz24000 => |_| Box::new(Decoder::new(Rate::Hz24000)),
            Rate::Hz48000 => |_| Box::new(Decoder::new(Rate::Hz48000)),
        },
    }
}
