//! The RIFF container: which chunk holds what.

use super::{MAX_CHANNELS, WavError};
use crate::resample::RATE_RANGE;
use core::time::Duration;
use sidetone_codecs::{pcma, pcmu};

/// Sizes that say nothing: of a file written as a stream, or of RF64, where the true one stands elsewhere.
const UNKNOWN: [u32; 2] = [0, u32::MAX];
/// The sub-format of an extensible file behind its first two octets.
const SUBFORMAT: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];

/// How samples are coded in a WAV file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Whole numbers, little-endian, of so many octets: 1 (unsigned), 2, 3 or 4.
    Pcm(u8),
    /// IEEE 754 of 32 bits, -1 to 1.
    Float32,
    /// IEEE 754 of 64 bits.
    Float64,
    /// G.711 A-law.
    ALaw,
    /// G.711 u-law.
    MuLaw,
}

impl Encoding {
    /// Octets of a sample.
    #[must_use]
    pub const fn octets(self) -> u16 {
        match self {
            Self::Pcm(octets) => octets as u16,
            Self::Float32 => 4,
            Self::Float64 => 8,
            Self::ALaw | Self::MuLaw => 1,
        }
    }

    /// The number for it in a `fmt ` chunk.
    pub(super) const fn tag(self) -> u16 {
        match self {
            Self::Pcm(_) => 1,
            Self::Float32 | Self::Float64 => 3,
            Self::ALaw => 6,
            Self::MuLaw => 7,
        }
    }

    /// A sample of 16 bits; finer ones are rounded, louder ones saturate, what is no number is silence.
    fn sample(self, octets: &[u8]) -> i16 {
        let float = |value: f64| (value * 32_768.0).round_ties_even() as i16;
        match (self, octets) {
            (Self::Pcm(_), [unsigned]) => (i16::from(*unsigned) - 128) << 8,
            (Self::Pcm(_), [low, high]) => i16::from_le_bytes([*low, *high]),
            (Self::Pcm(_), [.., fine, low, high]) => {
                i16::from_le_bytes([*low, *high]).saturating_add(i16::from(*fine >= 0x80))
            }
            (Self::Float32, [a, b, c, d]) => float(f64::from(f32::from_le_bytes([*a, *b, *c, *d]))),
            (Self::Float64, octets) => {
                octets.first_chunk().map_or(0, |eight| float(f64::from_le_bytes(*eight)))
            }
            (Self::ALaw, [octet]) => pcma::decode_sample(*octet),
            (Self::MuLaw, [octet]) => pcmu::decode_sample(*octet),
            _ => 0,
        }
    }
}

/// What a `fmt ` chunk says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WavFormat {
    /// How samples are coded.
    pub encoding: Encoding,
    /// Channels, 1 to [`MAX_CHANNELS`].
    pub channels: u16,
    /// Samples a second of each channel.
    pub sample_rate: u32,
    /// Octets of a block: one sample of each channel.
    pub block: u16,
}

impl WavFormat {
    fn parse(chunk: &[u8]) -> Result<Self, WavError> {
        let word =
            |at: usize| chunk.get(at..at + 2).and_then(|two| two.try_into().ok()).map(u16::from_le_bytes);
        let (Some(mut tag), Some(channels), Some(block), Some(bits)) = (word(0), word(2), word(12), word(14))
        else {
            return Err(WavError::NoFormat);
        };
        let rate = chunk.get(4..8).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes);
        if tag == 0xfffe && chunk.get(26..40) == Some(&SUBFORMAT) {
            tag = word(24).unwrap_or(tag);
        }
        if !(1..=MAX_CHANNELS).contains(&channels) {
            return Err(WavError::Channels(channels));
        }
        if !(RATE_RANGE.0..=RATE_RANGE.1).contains(&rate) {
            return Err(WavError::Rate(rate));
        }
        // A sample of 20 bits lies in 3 octets, as a rule; some put 24 into 4.
        let octets = block / channels;
        let fits = block % channels == 0 && bits > 0 && u32::from(bits) <= u32::from(octets) * 8;
        let encoding = match (tag, octets, bits) {
            (1, 1..=4, 1..=32) if fits => Encoding::Pcm(octets as u8),
            (3, 4, 32) => Encoding::Float32,
            (3, 8, 64) => Encoding::Float64,
            (6, 1, 8) => Encoding::ALaw,
            (7, 1, 8) => Encoding::MuLaw,
            (1, ..) if matches!(bits, 8 | 16 | 24 | 32) => {
                let expected = channels * (bits / 8);
                return Err(WavError::Block { block, expected, channels });
            }
            _ => return Err(WavError::Encoding { tag, bits }),
        };
        Ok(Self { encoding, channels, sample_rate: rate, block })
    }
}

/// A WAV file, its samples still coded.
///
/// A file that was cut off, or whose writer died before it said how long it is, has the samples that are there. Chunks
/// that are not known are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WavFile<'a> {
    /// What it says of itself.
    pub format: WavFormat,
    /// Whole blocks of samples.
    pub data: &'a [u8],
    /// It says that it is longer than it is.
    pub cut: bool,
}

impl<'a> WavFile<'a> {
    /// Finds format and samples.
    ///
    /// # Errors
    /// [`WavError`] says what is missing or not understood.
    pub fn parse(file: &'a [u8]) -> Result<Self, WavError> {
        let (head, mut rest) = file.split_first_chunk::<12>().ok_or_else(|| not_wav_or_cut(file))?;
        if !((head.starts_with(b"RIFF") || head.starts_with(b"RF64")) && head.ends_with(b"WAVE")) {
            return Err(WavError::NotWav);
        }
        let mut format = None;
        loop {
            let Some((header, body)) = rest.split_first_chunk::<8>() else {
                return Err(WavError::Cut(file.len()));
            };
            let [a, b, c, d, size @ ..] = *header;
            let size = u32::from_le_bytes(size);
            let length = usize::try_from(size).unwrap_or(usize::MAX);
            match &[a, b, c, d] {
                b"fmt " => {
                    let chunk = body.get(..length).ok_or(WavError::Cut(file.len()))?;
                    format = Some(WavFormat::parse(chunk)?);
                }
                b"data" => {
                    let format = format.ok_or(WavError::NoFormat)?;
                    return Ok(Self::with_data(format, file, body, size));
                }
                _ => {}
            }
            // Chunks begin at even places.
            let next = length.saturating_add(length % 2);
            rest = body.get(next..).ok_or(WavError::Cut(file.len()))?;
        }
    }

    fn with_data(format: WavFormat, file: &[u8], body: &'a [u8], size: u32) -> Self {
        let said = usize::try_from(size).unwrap_or(usize::MAX);
        // No length is no end where the whole file says that it ends here, but goes on; else it is an empty file with
        // other chunks behind.
        let ends_here =
            file.get(4..8).and_then(|four| four.try_into().ok()).map(u32::from_le_bytes).is_none_or(
                |whole| {
                    let here = file.len() - body.len();
                    UNKNOWN.contains(&whole)
                        || usize::try_from(whole).unwrap_or(usize::MAX).saturating_add(8) <= here
                },
            );
        let unknown = size == u32::MAX || (size == 0 && ends_here);
        let length = if unknown { body.len() } else { said.min(body.len()) };
        let whole = length - length % usize::from(format.block.max(1));
        let data = body.get(..whole).unwrap_or_default();
        Self { format, data, cut: !unknown && said > body.len() }
    }

    /// Samples of each channel.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.data.len() / usize::from(self.format.block.max(1))
    }

    /// How long it lasts.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let micros = self.frames() as u64 * 1_000_000 / u64::from(self.format.sample_rate.max(1));
        Duration::from_micros(micros)
    }

    /// The samples of one channel, counted from 0; silence for one that is not there.
    pub fn channel(&self, channel: u16) -> impl ExactSizeIterator<Item = i16> + '_ {
        let octets = usize::from(self.format.encoding.octets());
        let from = usize::from(channel) * octets;
        self.blocks()
            .map(move |block| self.format.encoding.sample(block.get(from..from + octets).unwrap_or_default()))
    }

    /// The average of all channels.
    pub fn mixed(&self) -> impl ExactSizeIterator<Item = i16> + '_ {
        let octets = usize::from(self.format.encoding.octets()).max(1);
        let channels = i32::from(self.format.channels).max(1);
        self.blocks().map(move |block| {
            let samples =
                block.chunks_exact(octets).map(|octets| i32::from(self.format.encoding.sample(octets)));
            (samples.sum::<i32>() / channels) as i16
        })
    }

    fn blocks(&self) -> core::slice::ChunksExact<'a, u8> {
        self.data.chunks_exact(usize::from(self.format.block.max(1)))
    }
}

/// What is wrong with a file that is shorter than its first twelve octets.
fn not_wav_or_cut(file: &[u8]) -> WavError {
    match file.get(..4) {
        Some(b"RIFF" | b"RF64") => WavError::Cut(file.len()),
        None if b"RIFF".starts_with(file) && !file.is_empty() => WavError::Cut(file.len()),
        _ => WavError::NotWav,
    }
}
