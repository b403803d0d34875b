//! One encoder for all who hear the same.

use super::Mixer;
use sidetone_codecs::{CodecSpec, Encoder};

/// The most milliseconds in a frame of a mixer.
const LONGEST: u32 = 60;

/// The shared mix of one [`Mixer`] as payloads: each codec encodes it once a frame, for however many listeners.
///
/// Only codecs that code each sample by itself can be shared (G.711, L16): the decoder of a leg cannot know that one
/// packet was made for all and the next one for it alone. With others each leg keeps an encoder of its own.
///
/// ```
/// use sidetone_codecs::{pcma, pcmu};
/// use sidetone_media::mix::{LegConfig, Mixer, MixerConfig, SharedEncoder};
///
/// let mut mixer = Mixer::new(MixerConfig::bridge(10))?;
/// let listener = mixer.join(LegConfig::new(8000))?;
/// let mut encoder = SharedEncoder::new(&[&pcmu::SPEC, &pcma::SPEC]);
/// mixer.mix();
/// mixer.mix(); // faded in
/// assert!(mixer.hear(listener)?.shared);
/// assert_eq!(encoder.payload(&mixer, &pcmu::SPEC), Some(&[pcmu::SILENCE; 160][..]));
/// # Ok::<(), sidetone_media::mix::MixError>(())
/// ```
pub struct SharedEncoder {
    formats: Vec<Format>,
}

struct Format {
    codec: &'static CodecSpec,
    encoder: Box<dyn Encoder>,
    payload: Vec<u8>,
    octets: usize,
    /// The number of the frame that `payload` is.
    frame: Option<u64>,
}

impl core::fmt::Debug for SharedEncoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.formats.iter().map(|format| format.codec)).finish()
    }
}

impl SharedEncoder {
    /// For these codecs; those that cannot be shared are left out.
    #[must_use]
    pub fn new(codecs: &[&'static CodecSpec]) -> Self {
        let format = |codec: &&'static CodecSpec| Format {
            codec,
            encoder: codec.encoder(),
            payload: vec![0; codec.octets(LONGEST)],
            octets: 0,
            frame: None,
        };
        Self { formats: codecs.iter().filter(|codec| can_be_shared(codec)).map(format).collect() }
    }

    /// The shared mix of the last frame in this codec; none if it is not among those of [`SharedEncoder::new`], or runs
    /// at another rate than the mix.
    pub fn payload(&mut self, mixer: &Mixer, codec: &CodecSpec) -> Option<&[u8]> {
        let format = self.formats.iter_mut().find(|format| format.codec == codec)?;
        if format.codec.sample_rate != mixer.config().sample_rate {
            return None;
        }
        if format.frame.replace(mixer.frames()) != Some(mixer.frames()) {
            let encoded = format.encoder.encode(mixer.shared(), &mut format.payload);
            format.octets = encoded.map_or(0, |encoded| encoded.octets);
        }
        format.payload.get(..format.octets).filter(|payload| !payload.is_empty())
    }
}

/// Whether each sample is coded by itself, so that the encoder may change from packet to packet.
fn can_be_shared(codec: &CodecSpec) -> bool {
    ["PCMU", "PCMA", "L16"].contains(&codec.name)
}
