//! The sounds that extensions make: audio ports for a media stream to read and write.

use sidetone_hal::audio::{AudioFormat, AudioPort};
use sidetone_media::tone::{Generator, Tone};
use sidetone_media::wav::Sound;
use std::collections::VecDeque;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Notify;

/// Gives back what it hears, at once: the delay that the caller hears is that of the network and the two jitter buffers.
#[derive(Default)]
pub(super) struct Echo {
    heard: VecDeque<i16>,
}

/// Frames kept at most; more can only mean that the stream writes more often than it reads.
const ECHO_FRAMES: usize = 4;

impl AudioPort for Echo {
    fn format(&self) -> AudioFormat {
        FORMAT
    }

    fn read(&mut self, captured: &mut [i16]) {
        for sample in captured {
            *sample = self.heard.pop_front().unwrap_or_default();
        }
    }

    fn write(&mut self, playout: &[i16]) {
        self.heard.extend(playout);
        let excess = self.heard.len().saturating_sub(ECHO_FRAMES * FORMAT.samples_per_frame());
        self.heard.drain(..excess);
    }
}

/// Plays a tone for as long as it is listened to.
pub(super) struct Hum(Generator);

impl Hum {
    pub(super) fn new(tone: Tone) -> Self {
        Self(Generator::new(tone, FORMAT.sample_rate))
    }
}

impl AudioPort for Hum {
    fn format(&self) -> AudioFormat {
        FORMAT
    }

    fn read(&mut self, captured: &mut [i16]) {
        self.0.fill(captured);
    }

    fn write(&mut self, _playout: &[i16]) {}
}

/// A recording to play: 8 kHz, mono, 16 bit. Clones share the samples.
#[derive(Clone, PartialEq, Eq)]
pub struct Prompt {
    samples: Arc<[i16]>,
}

const FORMAT: AudioFormat = AudioFormat::NARROWBAND;

impl core::fmt::Debug for Prompt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Prompt({} ms)", self.samples.len() as u64 * 1000 / u64::from(FORMAT.sample_rate))
    }
}

/// Longest prompt: 10 minutes, 9.6 MB at 8 kHz.
const MAX_SECONDS: u32 = 600;

impl Prompt {
    /// The announcement that comes with the crate: five seconds of English.
    ///
    /// # Errors
    /// None with the file that the crate was built with; the type says so to those who replace it.
    pub fn welcome() -> Result<Self, PromptError> {
        Self::from_wav(&include_bytes!("../../assets/prompt.wav")[..], "assets/prompt.wav")
    }

    /// Reads a WAV file: PCM, 16 bit, 8000 samples a second, any number of channels (they are averaged), at most
    /// 10 minutes.
    ///
    /// # Errors
    /// The file cannot be read or is something else.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, PromptError> {
        let path = path.as_ref();
        let file = std::fs::File::open(path)
            .map_err(|error| PromptError { path: path.into(), kind: PromptErrorKind::Wav(error.into()) })?;
        Self::from_wav(std::io::BufReader::new(file), path)
    }

    /// The same samples, for a player at any rate.
    pub(super) fn sound(&self) -> Sound {
        Sound::new(FORMAT.sample_rate, Arc::clone(&self.samples)).unwrap_or_default()
    }

    fn from_wav(input: impl Read, path: impl Into<PathBuf>) -> Result<Self, PromptError> {
        let read = || -> Result<Self, PromptErrorKind> {
            let mut wav = hound::WavReader::new(input)?;
            let spec = wav.spec();
            if spec.sample_rate != FORMAT.sample_rate {
                return Err(PromptErrorKind::Rate(spec.sample_rate));
            }
            if spec.bits_per_sample != 16 || spec.sample_format != hound::SampleFormat::Int {
                return Err(PromptErrorKind::Samples(spec.bits_per_sample));
            }
            if wav.duration() > MAX_SECONDS.saturating_mul(spec.sample_rate) {
                return Err(PromptErrorKind::TooLong(wav.duration() / spec.sample_rate));
            }
            let channels = usize::from(spec.channels).max(1);
            let samples = wav.samples::<i16>().collect::<Result<Vec<_>, _>>()?;
            let mix = |frame: &[i16]| {
                let sum: i32 = frame.iter().map(|sample| i32::from(*sample)).sum();
                i16::try_from(sum / frame.len().max(1) as i32).unwrap_or_default()
            };
            Ok(Self { samples: samples.chunks(channels).map(mix).collect() })
        };
        read().map_err(|kind| PromptError { path: path.into(), kind })
    }
}

/// A file that is no prompt.
#[derive(Debug, thiserror::Error)]
#[error("prompt {}: {kind}", path.display())]
pub struct PromptError {
    path: PathBuf,
    kind: PromptErrorKind,
}

#[derive(Debug, thiserror::Error)]
enum PromptErrorKind {
    #[error("{0}")]
    Wav(#[from] hound::Error),
    #[error("{0} samples a second; expected 8000")]
    Rate(u32),
    #[error("{0}-bit samples; expected 16-bit PCM")]
    Samples(u16),
    #[error("{0} seconds long; expected at most {MAX_SECONDS}")]
    TooLong(u32),
}

/// Silence after a prompt, in samples: longer than a jitter buffer delays as a rule.
const TAIL: usize = 4_000;

/// Plays a prompt once, then tells that it is over.
pub(super) struct Player {
    prompt: Prompt,
    next: usize,
    over: Arc<Notify>,
}

impl Player {
    pub(super) fn new(prompt: Prompt, over: Arc<Notify>) -> Self {
        Self { prompt, next: 0, over }
    }
}

impl AudioPort for Player {
    fn format(&self) -> AudioFormat {
        FORMAT
    }

    fn read(&mut self, captured: &mut [i16]) {
        let rest = self.prompt.samples.get(self.next..).unwrap_or_default();
        captured.fill(0);
        for (to, from) in captured.iter_mut().zip(rest) {
            *to = *from;
        }
        self.next += captured.len();
        // What is on its way is heard before the call ends.
        if self.next >= self.prompt.samples.len() + TAIL {
            self.over.notify_one();
        }
    }

    fn write(&mut self, _playout: &[i16]) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_echo_gives_back_each_frame_once_and_keeps_little() {
        let mut echo = Echo::default();
        let mut out = [1; 80];
        echo.read(&mut out);
        assert_eq!(out, [0; 80]);
        echo.write(&[5; 80]);
        echo.read(&mut out);
        assert_eq!(out, [5; 80]);
        for _ in 0..100 {
            echo.write(&[6; 80]);
        }
        assert_eq!(echo.heard.len(), ECHO_FRAMES * 80);
    }

    fn wav(spec: hound::WavSpec, samples: &[i16]) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        samples.iter().for_each(|sample| writer.write_sample(*sample).unwrap());
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_prompt_is_played_once_and_then_told_to_be_over() {
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 8000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let stereo: Vec<i16> = (0..100).flat_map(|n| [n, n + 2]).collect();
        let prompt = Prompt::from_wav(&wav(spec, &stereo)[..], "x.wav").unwrap();
        let over = Arc::new(Notify::new());
        let mut player = Player::new(prompt, Arc::clone(&over));
        let mut played = Vec::new();
        for _ in 0..TAIL / 80 + 1 {
            let mut frame = [9; 80];
            player.read(&mut frame);
            played.extend(frame);
        }
        let expected: Vec<i16> = (1..=100).chain([0; TAIL - 20]).collect();
        assert_eq!(played, expected);
        player.read(&mut [0; 80]);
        let waiting = core::pin::pin!(over.notified());
        let mut context = core::task::Context::from_waker(core::task::Waker::noop());
        assert!(waiting.poll(&mut context).is_ready());
    }

    #[test]
    fn what_is_no_prompt_is_told_with_its_name() {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 11_025,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let error = Prompt::from_wav(&wav(spec, &[0; 10])[..], "odd.wav").unwrap_err();
        assert_eq!(error.to_string(), "prompt odd.wav: 11025 samples a second; expected 8000");
        assert!(Prompt::from_wav(&b"RIFF"[..], "cut.wav").is_err());
        assert!(Prompt::open("/no/such.wav").unwrap_err().to_string().contains("/no/such.wav"));
        assert_eq!(format!("{:?}", Prompt::welcome().unwrap()), "Prompt(5099 ms)");
    }
}
