//! Tones to WAV files, and what a recording holds: which tone, from when to when, with how many holes.

use core::f64::consts::TAU;
use core::time::Duration;
use libtest_mimic::Failed;
use std::path::Path;

pub(crate) const RATE: u32 = 8000;

/// One decision of [`Analysis`] is about 20 ms, as one packet is.
const FRAME: usize = 160;

/// Amplitude of [`write_tone`]: −10 dB of full scale.
const AMPLITUDE: f64 = 10362.0;

pub(crate) fn tone(hertz: f64, rate: u32, length: Duration) -> Vec<i16> {
    let count = (length.as_secs_f64() * f64::from(rate)) as usize;
    (0..count).map(|n| ((TAU * hertz * n as f64 / f64::from(rate)).sin() * AMPLITUDE) as i16).collect()
}

pub(crate) fn write_tone(path: &Path, hertz: f64, length: Duration) -> Result<(), Failed> {
    write_wav(path, RATE, &tone(hertz, RATE, length))
}

pub(crate) fn write_wav(path: &Path, rate: u32, samples: &[i16]) -> Result<(), Failed> {
    write_wav_with(path, rate, 1, samples)
}

/// Writes the same samples to every channel.
pub(crate) fn write_wav_with(path: &Path, rate: u32, channels: u16, samples: &[i16]) -> Result<(), Failed> {
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec)?;
    for sample in samples {
        for _ in 0..channels {
            writer.write_sample(*sample)?;
        }
    }
    Ok(writer.finalize()?)
}

/// Reads a recording: the first channel, at 8000 Hz. From a higher rate every n-th sample is taken as it is: what
/// is recorded here came over 8000 Hz, and has nothing above 4 kHz that could fold back.
pub(crate) fn read_wav(path: &Path) -> Result<Vec<i16>, Failed> {
    let mut reader = hound::WavReader::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let spec = reader.spec();
    if spec.channels == 0 || !spec.sample_rate.is_multiple_of(RATE) || spec.bits_per_sample != 16 {
        return Err(format!("{}: {spec:?}, expected a multiple of {RATE} Hz, 16 bit", path.display()).into());
    }
    let step = usize::from(spec.channels) * (spec.sample_rate / RATE) as usize;
    Ok(reader.samples::<i16>().step_by(step).collect::<Result<_, _>>()?)
}

/// The energy of `samples` at one frequency, as a share of all their energy: 1 for a pure tone (Goertzel).
pub(crate) fn share_at(samples: &[i16], rate: u32, hertz: f64) -> f64 {
    let coefficient = 2.0 * (TAU * hertz / f64::from(rate)).cos();
    let (mut previous, mut before, mut energy) = (0.0, 0.0, 0.0);
    for sample in samples.iter().map(|sample| f64::from(*sample)) {
        (previous, before) = (sample + coefficient * previous - before, previous);
        energy += sample * sample;
    }
    let power = previous * previous + before * before - coefficient * previous * before;
    if energy == 0.0 { 0.0 } else { 2.0 * power / (energy * samples.len() as f64) }
}

pub(crate) fn rms(samples: &[i16]) -> f64 {
    let energy: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (energy / samples.len().max(1) as f64).sqrt()
}

/// The strongest frequency between 200 and 2000 Hz, to 5 Hz.
pub(crate) fn strongest(samples: &[i16], rate: u32) -> f64 {
    let candidates = (40..=400).map(|step| f64::from(step) * 5.0);
    candidates
        .max_by(|a, b| share_at(samples, rate, *a).total_cmp(&share_at(samples, rate, *b)))
        .unwrap_or_default()
}

/// A recording, frame by frame, against the tone that it should hold.
pub(crate) struct Analysis {
    /// For every 20 ms: is the tone there, loud and nearly alone?
    frames: Vec<bool>,
    /// The strongest frequency while the tone was there.
    pub(crate) strongest: f64,
}

impl Analysis {
    pub(crate) fn new(samples: &[i16], hertz: f64) -> Self {
        let frames: Vec<bool> = samples
            .chunks_exact(FRAME)
            .map(|frame| rms(frame) > 1000.0 && share_at(frame, RATE, hertz) > 0.8)
            .collect();
        let loud: Vec<i16> =
            samples.chunks_exact(FRAME).filter(|frame| rms(frame) > 1000.0).flatten().copied().collect();
        let middle = loud.len() / 2;
        let strongest = strongest(&loud[middle..(middle + RATE as usize / 2).min(loud.len())], RATE);
        Self { frames, strongest }
    }

    /// From the first frame with the tone to the last.
    fn span(&self) -> &[bool] {
        let first = self.frames.iter().position(|frame| *frame).unwrap_or(0);
        let last = self.frames.iter().rposition(|frame| *frame).map_or(first, |last| last + 1);
        &self.frames[first..last]
    }

    /// Seconds in which the tone was there.
    pub(crate) fn heard(&self) -> f64 {
        self.frames.iter().filter(|frame| **frame).count() as f64 * 0.02
    }

    /// Asks for the tone, for at least so many seconds, with under 1 % of the frames missing.
    pub(crate) fn expect_tone(&self, who: &str, hertz: f64, seconds: f64) -> Result<(), Failed> {
        let span = self.span();
        let missing = span.iter().filter(|frame| !**frame).count();
        println!(
            "{who}: {} Hz strongest (sent {hertz}), {:.2} s of tone, {missing} of {} frames missing",
            self.strongest,
            self.heard(),
            span.len()
        );
        if (self.strongest - hertz).abs() > 5.0 {
            return Err(format!("{who}: strongest is {} Hz, not {hertz} Hz", self.strongest).into());
        }
        if self.heard() < seconds * 0.99 {
            return Err(format!("{who}: {:.2} s of tone, expected {seconds:.2} s", self.heard()).into());
        }
        if missing * 100 >= span.len() {
            return Err(format!("{who}: {missing} of {} frames are missing", span.len()).into());
        }
        Ok(())
    }

    /// Asks for one silence of about `seconds` inside the tone, and for tone again after it.
    pub(crate) fn expect_hold(&self, who: &str, seconds: f64) -> Result<(), Failed> {
        let span = self.span();
        let silences: Vec<f64> = span
            .chunk_by(|a, b| a == b)
            .filter(|run| !run[0] && run.len() > 10)
            .map(|run| run.len() as f64 * 0.02)
            .collect();
        println!(
            "{who}: silences {silences:?} s inside {:.2} s, {:.2} s of tone",
            span.len() as f64 * 0.02,
            self.heard()
        );
        match silences[..] {
            [silence] if (silence - seconds).abs() < 0.5 => Ok(()),
            _ => Err(format!("{who}: silences of {silences:?} s, expected one of {seconds} s").into()),
        }
    }
}
