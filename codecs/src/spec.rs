//! Codecs as data.

#[cfg(feature = "alloc")]
use crate::{Decoder, Encoder};
use crate::{Fmtp, Rule};
#[cfg(feature = "alloc")]
use alloc::boxed::Box;

/// Every codec that this build knows: those with a static payload type first, in its order.
///
/// Naming one spec (`&pcmu::SPEC`) links that codec alone; naming this list links all of them. Opus stands there at 16
/// and at 8 kHz, which are one format in SDP; its specs for 24 and 48 kHz are in its module.
pub const ALL: &[&CodecSpec] = &[
    #[cfg(feature = "pcmu")]
    &crate::pcmu::SPEC,
    #[cfg(feature = "g7231")]
    &crate::g7231::SPEC,
    #[cfg(feature = "pcma")]
    &crate::pcma::SPEC,
    #[cfg(feature = "g722")]
    &crate::g722::SPEC,
    #[cfg(feature = "l16")]
    &crate::l16::L16_44100,
    #[cfg(feature = "g729")]
    &crate::g729::SPEC,
    #[cfg(feature = "opus")]
    &crate::opus::SPEC,
    #[cfg(feature = "opus")]
    &crate::opus::NARROW_SPEC,
    #[cfg(feature = "amr")]
    &crate::amr::SPEC,
    #[cfg(feature = "ilbc")]
    &crate::ilbc::SPEC,
    #[cfg(feature = "g726")]
    &crate::g726::G726_40,
    #[cfg(feature = "g726")]
    &crate::g726::G726_32,
    #[cfg(feature = "g726")]
    &crate::g726::G726_24,
    #[cfg(feature = "g726")]
    &crate::g726::G726_16,
    #[cfg(feature = "g726")]
    &crate::g726::AAL2_G726_40,
    #[cfg(feature = "g726")]
    &crate::g726::AAL2_G726_32,
    #[cfg(feature = "g726")]
    &crate::g726::AAL2_G726_24,
    #[cfg(feature = "g726")]
    &crate::g726::AAL2_G726_16,
    #[cfg(feature = "l16")]
    &crate::l16::L16_8000,
    #[cfg(feature = "l16")]
    &crate::l16::L16_16000,
    #[cfg(feature = "l16")]
    &crate::l16::L16_48000,
];

/// The codec that an `a=rtpmap` line names: encoding name without regard to case (RFC 8866 §6.6), RTP
/// clock, channels.
#[must_use]
pub fn find(name: &str, rtp_clock: u32, channels: u8) -> Option<&'static CodecSpec> {
    ALL.iter().copied().find(|spec| spec.is(name, rtp_clock, channels))
}

/// The codec that a static payload type names (RFC 3551 §6, table 4).
#[must_use]
pub fn find_static(payload_type: u8) -> Option<&'static CodecSpec> {
    ALL.iter().copied().find(|spec| spec.payload_type == Some(payload_type))
}

/// What there is to know about a codec without running it. One `const` per codec, named `SPEC`.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct CodecSpec {
    /// Encoding name as registered for `a=rtpmap`, as in `PCMU`.
    pub name: &'static str,
    /// Samples a second into the encoder and out of the decoder.
    pub sample_rate: u32,
    /// Ticks a second of the RTP timestamp; differs from the sample rate for G.722 (RFC 3551 §4.5.2).
    pub rtp_clock: u32,
    /// Channels; 1 for speech.
    pub channels: u8,
    /// Static payload type (RFC 3551 §6), if it has one.
    pub payload_type: Option<u8>,
    /// Bits a second on the wire, without headers.
    pub bit_rate: u32,
    /// Samples in a codec frame; 1 for codecs that code each sample by itself.
    pub frame_samples: usize,
    /// Milliseconds of speech in a packet if nobody says otherwise.
    pub default_ptime: u8,
    /// The least and the most milliseconds in a packet that we send.
    pub ptime_range: (u8, u8),
    /// The format parameters that mean something to it.
    pub fmtp: &'static [Rule],
    /// What its code wants of the other side and would not get by the parameters' defaults.
    pub wants: &'static [(&'static str, u32)],
    #[cfg(feature = "alloc")]
    pub(crate) encoder: fn(&Fmtp) -> Box<dyn Encoder>,
    #[cfg(feature = "alloc")]
    pub(crate) decoder: fn(&Fmtp) -> Box<dyn Decoder>,
}

impl CodecSpec {
    /// Whether an `a=rtpmap` with these three values means this codec.
    #[must_use]
    pub fn is(&self, name: &str, rtp_clock: u32, channels: u8) -> bool {
        self.name.eq_ignore_ascii_case(name) && self.rtp_clock == rtp_clock && self.channels == channels
    }

    /// Samples in `millis` milliseconds.
    #[must_use]
    pub const fn samples(&self, millis: u32) -> usize {
        (self.sample_rate as usize / 1000) * millis as usize
    }

    /// The most octets that `millis` milliseconds of speech take on the wire.
    #[must_use]
    pub const fn octets(&self, millis: u32) -> usize {
        (self.bit_rate as usize * millis as usize).div_ceil(8000)
    }

    /// RTP clock ticks that `samples` samples last.
    #[must_use]
    pub const fn ticks(&self, samples: usize) -> u32 {
        (samples as u64 * self.rtp_clock as u64 / self.sample_rate as u64) as u32
    }

    /// Its format parameters, each at its default.
    #[must_use]
    pub const fn defaults(&self) -> Fmtp {
        Fmtp::new(self.fmtp)
    }

    /// Its format parameters as this code would say them in an offer: the defaults and [`CodecSpec::wants`].
    #[must_use]
    pub fn wanted(&self) -> Fmtp {
        let mut wanted = self.defaults();
        for (name, value) in self.wants {
            // `registry.rs` among the tests holds every want against its rule.
            let _ = wanted.set(name, *value);
        }
        wanted
    }

    /// A new encoder on the heap, with the default format parameters.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn encoder(&self) -> Box<dyn Encoder> {
        self.encoder_with(&self.defaults())
    }

    /// A new decoder on the heap, with the default format parameters.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn decoder(&self) -> Box<dyn Decoder> {
        self.decoder_with(&self.defaults())
    }

    /// A new encoder on the heap, as the agreed format parameters say.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn encoder_with(&self, agreed: &Fmtp) -> Box<dyn Encoder> {
        (self.encoder)(agreed)
    }

    /// A new decoder on the heap, as the agreed format parameters say.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn decoder_with(&self, agreed: &Fmtp) -> Box<dyn Decoder> {
        (self.decoder)(agreed)
    }
}

impl PartialEq for CodecSpec {
    /// The same name, clock and channels: what tells two formats apart in SDP.
    fn eq(&self, other: &Self) -> bool {
        self.is(other.name, other.rtp_clock, other.channels)
    }
}

impl Eq for CodecSpec {}

impl core::fmt::Debug for CodecSpec {
    /// As in `a=rtpmap`: `PCMU/8000`.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}/{}", self.name, self.rtp_clock)
    }
}

#[cfg(all(test, feature = "pcmu", feature = "pcma"))]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_found_by_rtpmap_and_by_static_payload_type() {
        assert_eq!(find("pcmu", 8000, 1), Some(&crate::pcmu::SPEC));
        assert_eq!(find("PCMA", 8000, 1).and_then(|spec| spec.payload_type), Some(8));
        assert_eq!(find("PCMU", 16_000, 1), None);
        assert_eq!(find("PCMU", 8000, 2), None);
        assert_eq!(find_static(0), Some(&crate::pcmu::SPEC));
        assert_eq!(find_static(77), None);
    }

    #[test]
    fn sizes_follow_from_the_rates() {
        let spec = &crate::pcmu::SPEC;
        assert_eq!((spec.samples(20), spec.octets(20), spec.ticks(160)), (160, 160, 160));
    }
}
