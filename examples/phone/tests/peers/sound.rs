//! Tones to WAV files, and what a recording holds: which tone, from when to when, with how many holes.

use super::{Outcome, SOON};
use core::f64::consts::TAU;
use core::time::Duration;
use libtest_mimic::Failed;
use std::path::Path;
use std::time::Instant;

pub(crate) const RATE: u32 = 8000;

/// A tone of this length lasts until the end of every call here.
pub(crate) const LONG: Duration = Duration::from_secs(100);

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

/// The rate and the first channel of a recording that may still be written, whatever its header says of its length.
pub(crate) fn growing(path: &Path) -> Option<(u32, Vec<i16>)> {
    let octets = std::fs::read(path).ok()?;
    let chunk = |name: &[u8]| octets.windows(4).position(|four| four == name).map(|place| place + 8);
    let format = octets.get(chunk(b"fmt ")?..)?;
    let channels = usize::from(u16::from_le_bytes(format.get(2..4)?.try_into().ok()?));
    let rate = u32::from_le_bytes(format.get(4..8)?.try_into().ok()?);
    let samples = octets.get(chunk(b"data")?..)?.as_chunks::<2>().0.iter();
    Some((rate, samples.step_by(channels.max(1)).map(|sample| i16::from_le_bytes(*sample)).collect()))
}

/// Waits until a recording that is being made is as it should be: with a busy machine beside, that takes longer.
pub(crate) fn wait_until_recorded(
    what: &str,
    path: &Path,
    mut wanted: impl FnMut(u32, &[i16]) -> bool,
) -> Outcome {
    let deadline = Instant::now() + SOON;
    loop {
        let (rate, samples) = growing(path).unwrap_or_default();
        if wanted(rate, &samples) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(
                format!("{what}: not in {} samples that were recorded in {SOON:?}", samples.len()).into()
            );
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until a recording that is being made holds the tone for so many seconds, as [`Analysis::expect_stretch`] wants it.
pub(crate) fn wait_for_stretch(who: &str, path: &Path, hertz: f64, seconds: f64) -> Outcome {
    let what = format!("{who}: {seconds} s of {hertz} Hz without holes");
    wait_until_recorded(&what, path, |rate, samples| {
        Analysis::frames(&at_rate(rate, samples), hertz).has_stretch(seconds)
    })
}

/// What the analysis reads: every n-th sample, as in [`read_wav`].
fn at_rate(rate: u32, samples: &[i16]) -> Vec<i16> {
    samples.iter().copied().step_by((rate / RATE).max(1) as usize).collect()
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

/// Whether somebody's recording has half a second of the tone at least, nearly alone.
pub(crate) fn expect_heard(who: &str, samples: &[i16], hertz: f64) -> Result<(), Failed> {
    let with_tone = samples
        .chunks_exact(RATE as usize / 10)
        .filter(|part| rms(part) > 300.0 && share_at(part, RATE, hertz) > 0.8);
    let seconds = with_tone.count() as f64 / 10.0;
    println!("{who}: {seconds} s of {hertz} Hz in {} samples", samples.len());
    match seconds >= 0.5 {
        true => Ok(()),
        false => Err(format!("{who} heard {seconds} s of {hertz} Hz").into()),
    }
}

/// A recording, frame by frame, against the tone that it should hold.
pub(crate) struct Analysis {
    /// For every 20 ms: is the tone there, loud and nearly alone?
    frames: Vec<bool>,
    /// The strongest frequency while the tone was there.
    pub(crate) strongest: f64,
}

impl Analysis {
    /// Without the strongest frequency.
    pub(crate) fn frames(samples: &[i16], hertz: f64) -> Self {
        let is_tone = |frame: &[i16]| rms(frame) > 1000.0 && share_at(frame, RATE, hertz) > 0.8;
        Self { frames: samples.chunks_exact(FRAME).map(is_tone).collect(), strongest: 0.0 }
    }

    pub(crate) fn new(samples: &[i16], hertz: f64) -> Self {
        let Self { frames, .. } = Self::frames(samples, hertz);
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

    /// Whether there are so many seconds in a row with under 1 % of the frames missing. A machine that is busy with other
    /// things leaves holes in what was said before or after; a fault leaves them everywhere.
    pub(crate) fn has_stretch(&self, seconds: f64) -> bool {
        let missing = |stretch: &[bool]| stretch.iter().filter(|frame| !**frame).count();
        let length = (seconds / 0.02) as usize;
        self.frames.windows(length).any(|stretch| missing(stretch) * 100 < length)
    }

    /// Asks for the tone, for so many seconds in a row with under 1 % of the frames missing.
    pub(crate) fn expect_stretch(&self, who: &str, hertz: f64, seconds: f64) -> Outcome {
        let (span, heard) = (self.span().len(), self.heard());
        println!(
            "{who}: {} Hz strongest (sent {hertz}), {heard:.2} s of tone in {span} frames",
            self.strongest
        );
        if (self.strongest - hertz).abs() > 5.0 {
            return Err(format!("{who}: strongest is {} Hz, not {hertz} Hz", self.strongest).into());
        }
        match self.has_stretch(seconds) {
            true => Ok(()),
            false => Err(format!("{who}: no {seconds} s of tone without holes in {heard:.2} s of it").into()),
        }
    }

    /// The silences of a second and more inside the tone, in seconds.
    fn silences(&self) -> Vec<f64> {
        let runs = self.span().chunk_by(|a, b| a == b);
        runs.filter(|run| !run[0] && run.len() >= 50).map(|run| run.len() as f64 * 0.02).collect()
    }

    /// Asks for a hold in the middle of the tone: one silence of so many seconds at least. How long it is in the end is a
    /// matter of how busy the machine is with the request that ends it.
    pub(crate) fn expect_hold(&self, who: &str, seconds: f64) -> Outcome {
        let silences = self.silences();
        println!("{who}: silences {silences:?} s in {:.2} s of tone", self.heard());
        match silences[..] {
            [silence] if silence > seconds => Ok(()),
            _ => Err(format!("{who}: silences of {silences:?} s, expected one of {seconds} s").into()),
        }
    }
}

/// What is recorded of a call while the other side of it says a tone, is silent for a hold, and says it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    /// The tone was there for two seconds.
    Tone,
    /// Then silence for more than two.
    Silence,
    /// Then the tone for two once more.
    Again,
}

/// Waits until a recording that is being made has come so far.
pub(crate) fn wait_for_scene(who: &str, path: &Path, hertz: f64, scene: Scene) -> Outcome {
    const SECONDS: f64 = 2.2;
    wait_until_recorded(&format!("{who}: {scene:?} of {hertz} Hz"), path, |rate, samples| {
        let Analysis { frames, .. } = Analysis::frames(&at_rate(rate, samples), hertz);
        let long = (SECONDS / 0.02) as usize;
        // Single frames of the other kind are the machine's.
        let begin = |from: usize, tone: bool| {
            let rest = frames.get(from..).unwrap_or_default();
            let enough = |part: &[bool]| part.iter().filter(|frame| **frame == tone).count() * 20 > long * 19;
            rest.windows(long).position(enough).map(|place| from + place + long)
        };
        let (tone, silence) = (begin(0, true), begin(0, true).and_then(|after| begin(after, false)));
        let reached = match scene {
            Scene::Tone => tone,
            Scene::Silence => silence,
            Scene::Again => silence.and_then(|after| begin(after, true)),
        };
        reached.is_some()
    })
}
