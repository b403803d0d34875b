//! WAV files as microphone and ear, for calls without a person.

use super::FRAME_SAMPLES;
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use sidetone_hal::audio::{AudioFormat, AudioPort};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

/// The one format that is read and written.
const SPEC: WavSpec =
    WavSpec { channels: 1, sample_rate: 8000, bits_per_sample: 16, sample_format: SampleFormat::Int };
/// The longest file that is played, so that a wrong file cannot fill the memory: one hour.
const MAX_SAMPLES: u32 = 3600 * 8000;
/// Frames that may wait for the disk: ten seconds.
const QUEUED_FRAMES: usize = 1000;

/// A WAV file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// It cannot be opened, read or written, or is no WAV file.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// In the words of the reader.
        source: hound::Error,
    },
    /// It is of another kind than the phone plays.
    #[error(
        "{}: {found} is not supported: expected 8000 Hz, 1 channel, 16 bit (sox in.wav -r 8000 -c 1 -b 16 out.wav)",
        path.display()
    )]
    Format {
        /// Which file.
        path: PathBuf,
        /// What it is.
        found: String,
    },
    /// It is longer than an hour.
    #[error("{}: longer than one hour", path.display())]
    TooLong {
        /// Which file.
        path: PathBuf,
    },
}

/// What is spoken: the samples of a WAV file, read once and shared by the calls that play it.
#[derive(Clone, Debug, Default)]
pub struct Playing(Arc<[i16]>);

impl Playing {
    /// Reads a file.
    ///
    /// # Errors
    /// Says which file, what it is, and what was expected.
    pub fn open(path: &Path) -> Result<Self, WavError> {
        let file = |source| WavError::File { path: path.to_owned(), source };
        let reader = WavReader::open(path).map_err(file)?;
        let spec = reader.spec();
        if spec != SPEC {
            let kind = match spec.sample_format {
                SampleFormat::Int => "",
                SampleFormat::Float => " float",
            };
            let WavSpec { sample_rate, channels, bits_per_sample, .. } = spec;
            let found = format!("{sample_rate} Hz, {channels} channel(s), {bits_per_sample} bit{kind}");
            return Err(WavError::Format { path: path.to_owned(), found });
        }
        if reader.duration() > MAX_SAMPLES {
            return Err(WavError::TooLong { path: path.to_owned() });
        }
        let samples: Result<Vec<i16>, _> = reader.into_samples().collect();
        Ok(Self(samples.map_err(file)?.into()))
    }
}

/// An audio port that plays one file, silence after its end, and records to another.
#[derive(Debug)]
pub struct WavPort {
    playing: Playing,
    position: usize,
    recording: Option<SyncSender<[i16; FRAME_SAMPLES]>>,
}

/// Writes what a [`WavPort`] hears, in a thread of its own, so that the sound never waits for the disk.
#[derive(Debug)]
pub struct Recorder {
    thread: JoinHandle<Result<(), WavError>>,
}

impl WavPort {
    /// A port that plays `playing` and records nothing.
    #[must_use]
    pub const fn new(playing: Playing) -> Self {
        Self { playing, position: 0, recording: None }
    }

    /// Records to `path`, which is overwritten. The file is complete once the port is dropped and [`Recorder::finish`] came
    /// back.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn record(&mut self, path: &Path) -> Result<Recorder, WavError> {
        let owned = path.to_owned();
        let file = move |source| WavError::File { path: owned.clone(), source };
        let mut writer = WavWriter::create(path, SPEC).map_err(&file)?;
        let (sender, frames) = sync_channel::<[i16; FRAME_SAMPLES]>(QUEUED_FRAMES);
        self.recording = Some(sender);
        let thread = std::thread::spawn(move || {
            while let Ok(frame) = frames.recv() {
                for sample in frame {
                    writer.write_sample(sample).map_err(&file)?;
                }
            }
            writer.finalize().map_err(&file)
        });
        Ok(Recorder { thread })
    }
}

impl Recorder {
    /// Waits until the file is complete. Blocks: the port must be dropped, or about to be.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn finish(self) -> Result<(), WavError> {
        self.thread.join().unwrap_or(Ok(()))
    }
}

impl AudioPort for WavPort {
    fn format(&self) -> AudioFormat {
        AudioFormat::NARROWBAND
    }

    fn read(&mut self, captured: &mut [i16]) {
        let rest = self.playing.0.get(self.position..).unwrap_or_default();
        let count = rest.len().min(captured.len());
        captured.fill(0);
        for (sample, played) in captured.iter_mut().zip(rest) {
            *sample = *played;
        }
        self.position += count;
    }

    fn write(&mut self, playout: &[i16]) {
        let Some(recording) = &self.recording else { return };
        let Ok(frame) = playout.try_into() else { return };
        if let Err(TrySendError::Full(_)) = recording.try_send(frame) {
            tracing::warn!("the disk does not keep up: 10 ms are missing in the recording");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("sidetone-wav-{}-{name}.wav", std::process::id()))
    }

    #[test]
    fn what_is_recorded_plays_back() {
        let path = scratch("echo");
        let mut port = WavPort::new(Playing::default());
        let recorder = port.record(&path).expect("a file");
        port.write(&[1234; FRAME_SAMPLES]);
        port.write(&[-7; FRAME_SAMPLES]);
        drop(port);
        recorder.finish().expect("written");
        let mut port = WavPort::new(Playing::open(&path).expect("read"));
        let mut frames = [[9; FRAME_SAMPLES]; 3];
        for frame in &mut frames {
            port.read(frame);
        }
        assert_eq!(frames.map(|frame| frame[0]), [1234, -7, 0]);
        std::fs::remove_file(path).expect("removed");
    }

    #[test]
    fn another_rate_is_refused_with_what_was_expected() {
        let path = scratch("rate");
        let spec = WavSpec { channels: 2, sample_rate: 44_100, ..SPEC };
        WavWriter::create(&path, spec).expect("a file").finalize().expect("written");
        let error = Playing::open(&path).expect_err("44.1 kHz").to_string();
        assert!(
            error.ends_with(
                "44100 Hz, 2 channel(s), 16 bit is not supported: expected 8000 Hz, 1 channel, 16 bit \
                 (sox in.wav -r 8000 -c 1 -b 16 out.wav)"
            ),
            "{error}"
        );
        std::fs::remove_file(path).expect("removed");
        let error = Playing::open(Path::new("/nowhere/x.wav")).expect_err("no file").to_string();
        assert!(error.starts_with("/nowhere/x.wav: "), "{error}");
    }
}
