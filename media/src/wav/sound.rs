//! A sound in memory.

use super::{WavError, WavFile};
use crate::resample::{RATE_RANGE, RateError, Resampler};
use core::time::Duration;
use sidetone_codecs::CodecSpec;
use std::sync::Arc;

/// The most milliseconds of a raw file that are decoded at once.
const RAW_MS: usize = 60;

/// How much of a file is taken, so that a wrong one cannot fill the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of the file.
    pub octets: usize,
    /// How long it may last.
    pub lasts: Duration,
}

impl Default for Limits {
    /// 64 MiB and an hour.
    fn default() -> Self {
        Self { octets: 64 << 20, lasts: Duration::from_secs(3600) }
    }
}

impl Limits {
    fn check_octets(&self, octets: usize) -> Result<(), WavError> {
        if octets > self.octets {
            return Err(WavError::TooLarge { octets, most: self.octets });
        }
        Ok(())
    }

    fn check_time(&self, lasts: Duration) -> Result<(), WavError> {
        if lasts > self.lasts { Err(WavError::TooLong { lasts, most: self.lasts }) } else { Ok(()) }
    }
}

/// One channel of samples, shared by all that play it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sound {
    sample_rate: u32,
    samples: Arc<[i16]>,
}

impl Sound {
    /// Samples as they are; none if the rate is no rate.
    #[must_use]
    pub fn new(sample_rate: u32, samples: impl Into<Arc<[i16]>>) -> Option<Self> {
        let known = (RATE_RANGE.0..=RATE_RANGE.1).contains(&sample_rate);
        known.then(|| Self { sample_rate, samples: samples.into() })
    }

    /// Reads a WAV file; several channels become one, their average.
    ///
    /// # Errors
    /// [`WavError`] says what is wrong with it.
    pub fn from_wav(file: &[u8], limits: &Limits) -> Result<Self, WavError> {
        limits.check_octets(file.len())?;
        let wav = WavFile::parse(file)?;
        limits.check_time(wav.duration())?;
        if wav.frames() == 0 {
            return Err(WavError::Empty);
        }
        Ok(Self { sample_rate: wav.format.sample_rate, samples: wav.mixed().collect() })
    }

    /// Reads a file that is nothing but a codec's payload, as ring tones of some telephones are: frame behind frame,
    /// without a header.
    ///
    /// # Errors
    /// [`WavError`] says what is wrong with it.
    pub fn from_raw(file: &[u8], codec: &'static CodecSpec, limits: &Limits) -> Result<Self, WavError> {
        limits.check_octets(file.len())?;
        // A file of whole milliseconds: codecs that code by the sample count octets, others take a frame at a time.
        let frame = if codec.frame_samples > 1 { codec.frame_samples } else { codec.samples(10) };
        let octets = (codec.octets(1000) * frame).div_ceil(codec.samples(1000).max(1)).max(1);
        let lasts = file.len() as u64 / octets as u64 * frame as u64 * 1_000_000;
        limits.check_time(Duration::from_micros(lasts / u64::from(codec.sample_rate.max(1))))?;
        let mut decoder = codec.decoder();
        let mut pcm = vec![0; codec.samples(RAW_MS as u32).max(frame)];
        let mut samples = Vec::new();
        for (index, payload) in file.chunks(octets).enumerate() {
            let wrong = |_| WavError::Raw { codec: codec.name, at: index * octets };
            let count = decoder.decode(payload, &mut pcm).map_err(wrong)?;
            samples.extend_from_slice(pcm.get(..count).unwrap_or_default());
        }
        if samples.is_empty() {
            return Err(WavError::Empty);
        }
        Ok(Self { sample_rate: codec.sample_rate, samples: samples.into() })
    }

    /// Samples a second.
    #[must_use]
    pub const fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// The samples.
    #[must_use]
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// How long it lasts.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.samples.len() as u64 * 1_000_000 / u64::from(self.sample_rate.max(1)))
    }

    /// The same at another rate, without delay: for a sound that many play, which then none has to resample.
    ///
    /// # Errors
    /// [`RateError`] when the rates cannot be changed into each other.
    pub fn resampled(&self, sample_rate: u32) -> Result<Self, RateError> {
        let mut resampler = Resampler::new(self.sample_rate, sample_rate)?;
        if resampler.is_identity() {
            return Ok(self.clone());
        }
        let late = resampler.delay().as_micros() as u64 * u64::from(self.sample_rate) / 1_000_000;
        let tail = vec![0; late as usize + 1];
        let skip = (resampler.delay().as_micros() as u64 * u64::from(sample_rate) / 1_000_000) as usize;
        let mut samples = vec![0; resampler.output_len(self.samples.len() + tail.len())];
        let made = resampler.process(&self.samples, &mut samples);
        resampler.process(&tail, samples.get_mut(made..).unwrap_or_default());
        samples.drain(..skip.min(samples.len()));
        samples.truncate(
            (self.samples.len() as u64 * u64::from(sample_rate) / u64::from(self.sample_rate)) as usize,
        );
        Ok(Self { sample_rate, samples: samples.into() })
    }
}
