#![doc = include_str!("../README.md")]

use sidetone_hal::audio::{AudioFormat, AudioPort};
use sidetone_media::tone::{Generator, Tone};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

/// A sound device without hardware: its microphone hears a tone, its ear is a WAV file (8 kHz, 16 bit, one channel).
///
/// The file is complete when the port is dropped, which is when the call is over.
pub struct ToneRecorder {
    microphone: Generator,
    ear: hound::WavWriter<BufWriter<File>>,
}

impl ToneRecorder {
    /// A device that plays `tone` and records to `path`, where a file is replaced.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn create(tone: Tone, path: impl AsRef<Path>) -> Result<Self, hound::Error> {
        let format = AudioFormat::NARROWBAND;
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: format.sample_rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let ear = hound::WavWriter::create(path, spec)?;
        Ok(Self { microphone: Generator::new(tone, format.sample_rate), ear })
    }
}

impl AudioPort for ToneRecorder {
    fn format(&self) -> AudioFormat {
        AudioFormat::NARROWBAND
    }

    fn read(&mut self, captured: &mut [i16]) {
        self.microphone.fill(captured);
    }

    fn write(&mut self, playout: &[i16]) {
        for &sample in playout {
            if let Err(error) = self.ear.write_sample(sample) {
                eprintln!("recording: {error}");
                return;
            }
        }
    }
}

/// The repository's README, so that its example is compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct RootReadme;

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_media::tone::{ToneSet, level};

    #[test]
    fn what_is_played_is_the_tone_and_what_is_heard_is_in_the_file() {
        let path = std::env::temp_dir().join(format!("sidetone-recorder-{}.wav", std::process::id()));
        let mut port = ToneRecorder::create(ToneSet::ITU.dial, &path).unwrap();
        let mut frame = [0; 800];
        port.read(&mut frame);
        assert!(level(&frame, 8000, 425.0) > 1000.0);
        port.write(&frame);
        drop(port);
        let recorded: Vec<i16> =
            hound::WavReader::open(&path).unwrap().samples().map(Result::unwrap).collect();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(recorded, frame);
    }
}
