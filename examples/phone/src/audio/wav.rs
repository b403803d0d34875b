//! WAV files as microphone and ear, for calls without a person.

use super::RATE;
use core::time::Duration;
use rtrb::{Producer, RingBuffer};
use sidetone_hal::audio::{AudioFormat, AudioPort};
use sidetone_media::resample::RATES;
use sidetone_media::wav::{Layout, Limits, Player, RecorderConfig, Repeat, Sound};
use sidetone_media::wav::{Recorder as Machine, WavError as FileError};
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// Sound that may wait for the disk, in frames of 10 ms: ten seconds.
pub(super) const QUEUED_FRAMES: usize = 1000;
/// How long the recording thread sleeps when nothing is to be written.
pub(super) const NAP: Duration = Duration::from_millis(50);

/// A WAV file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// It cannot be opened, read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// In the words of the system.
        source: io::Error,
    },
    /// It is no sound that can be played.
    #[error("{}: {source}", path.display())]
    Sound {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: FileError,
    },
}

/// What is spoken: a WAV file, read once and shared by the calls that play it.
#[derive(Clone, Debug, Default)]
pub struct Playing(Option<Sound>);

impl Playing {
    /// Reads a file: PCM of 8 to 32 bits, float, A-law or u-law, of any rate, at most an hour. Channels are mixed.
    ///
    /// # Errors
    /// Says which file, what it is, and what was expected.
    pub fn open(path: &Path) -> Result<Self, WavError> {
        let limits = Limits::default();
        let file = |source| WavError::File { path: path.to_owned(), source };
        let sound = |source| WavError::Sound { path: path.to_owned(), source };
        // A file that is too large is not loaded first.
        let size = usize::try_from(std::fs::metadata(path).map_err(file)?.len()).unwrap_or(usize::MAX);
        if size > limits.octets {
            return Err(sound(FileError::TooLarge { octets: size, most: limits.octets }));
        }
        let octets = std::fs::read(path).map_err(file)?;
        Ok(Self(Some(Sound::from_wav(&octets, &limits).map_err(sound)?)))
    }

    /// The rate of a port that plays this: the file's own if sound cards have it too, so that nothing is changed that need
    /// not be; otherwise the phone's.
    #[must_use]
    pub fn sample_rate(&self) -> u32 {
        self.0.as_ref().map(Sound::sample_rate).filter(|rate| RATES.contains(rate)).unwrap_or(RATE)
    }
}

/// An audio port that plays one file, silence after its end, and records to another.
#[derive(Debug)]
pub struct WavPort {
    format: AudioFormat,
    player: Option<Player>,
    recording: Option<Recording>,
    /// What was spoken in this frame.
    spoken: Vec<i16>,
}

/// The port's end of a recording.
#[derive(Debug)]
struct Recording {
    /// What was spoken and what was heard, sample by sample.
    ring: Producer<[i16; 2]>,
    /// Only what is heard goes into the file.
    heard_only: bool,
}

/// What a recording holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Directions {
    /// What the other side says.
    #[default]
    Heard,
    /// Both sides in one channel.
    Mixed,
    /// Both sides, in a channel each: ours first.
    Split,
}

/// Writes what a [`WavPort`] hears, in a thread of its own, so that the sound never waits for the disk.
///
/// The file is a WAV file at every moment: the header is brought up to date every second.
#[derive(Debug)]
pub struct Recorder {
    thread: JoinHandle<Result<(), WavError>>,
}

impl WavPort {
    /// A port that plays `playing` at `sample_rate` and records nothing.
    #[must_use]
    pub fn new(playing: Playing, sample_rate: u32) -> Self {
        let format = AudioFormat { sample_rate };
        // Every rate of a file can be changed to every rate of a port.
        let player = playing.0.and_then(|sound| Player::new(sound, sample_rate, Repeat::ONCE).ok());
        Self { format, player, recording: None, spoken: vec![0; format.samples_per_frame()] }
    }

    /// Records to `path`, which is overwritten. The file is complete once the port is dropped and [`Recorder::finish`] came
    /// back.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn record(&mut self, path: &Path, directions: Directions) -> Result<Recorder, WavError> {
        let owned = path.to_owned();
        let error = move |source| WavError::File { path: owned.clone(), source };
        let file = File::create(path).map_err(&error)?;
        let mut config = RecorderConfig::new(self.format.sample_rate);
        config.layout = if directions == Directions::Split { Layout::Split } else { Layout::Mixed };
        let frame = self.format.samples_per_frame();
        let (ring, mut frames) = RingBuffer::<[i16; 2]>::new(QUEUED_FRAMES * frame);
        self.recording = Some(Recording { ring, heard_only: directions == Directions::Heard });
        let thread = std::thread::spawn(move || {
            let mut writer = Writer { machine: Machine::new(config), file };
            let (mut spoken, mut heard) = (vec![0; frame], vec![0; frame]);
            loop {
                // Read before the ring: what is there when the port is gone is all that there will be.
                let over = frames.is_abandoned();
                while frames.slots() >= frame {
                    for (spoken, heard) in spoken.iter_mut().zip(&mut heard) {
                        [*spoken, *heard] = frames.pop().unwrap_or_default();
                    }
                    writer.machine.push(&spoken, &heard);
                    writer.write().map_err(&error)?;
                }
                if over {
                    writer.machine.finish();
                    return writer.write().and_then(|()| writer.file.sync_all()).map_err(&error);
                }
                std::thread::park_timeout(NAP);
            }
        });
        Ok(Recorder { thread })
    }
}

/// A recording and its file.
pub(super) struct Writer {
    pub(super) machine: Machine,
    pub(super) file: File,
}

impl Writer {
    /// Writes all that there is to write.
    pub(super) fn write(&mut self) -> io::Result<()> {
        while let Some(write) = self.machine.poll_write() {
            // Before a header says that sound is there, it is on the disk and not only on its way.
            if write.header && write.offset == 0 {
                self.file.sync_data()?;
            }
            self.file.seek(SeekFrom::Start(write.offset))?;
            let count = write.octets.len();
            self.file.write_all(write.octets)?;
            self.machine.written(count);
        }
        Ok(())
    }
}

impl Recorder {
    /// Waits until the file is complete. Blocks: the port must be dropped, or about to be.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn finish(self) -> Result<(), WavError> {
        self.thread.thread().unpark();
        self.thread.join().unwrap_or(Ok(()))
    }
}

impl AudioPort for WavPort {
    fn format(&self) -> AudioFormat {
        self.format
    }

    fn read(&mut self, captured: &mut [i16]) {
        match &mut self.player {
            Some(player) => drop(player.fill(captured)),
            None => captured.fill(0),
        }
        let spoken = self.spoken.iter_mut();
        spoken.zip(&*captured).for_each(|(spoken, sample)| *spoken = *sample);
    }

    fn write(&mut self, playout: &[i16]) {
        let Some(Recording { ring, heard_only }) = &mut self.recording else { return };
        if ring.slots() < playout.len() {
            tracing::warn!("the disk does not keep up: 10 ms are missing in the recording");
            return;
        }
        for (heard, spoken) in playout.iter().zip(&self.spoken) {
            let spoken = if *heard_only { 0 } else { *spoken };
            // There is room: nobody else writes.
            let _ = ring.push([spoken, *heard]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_media::wav::WavFile;

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("sidetone-wav-{}-{name}.wav", std::process::id()))
    }

    fn recorded(name: &str, rate: u32, directions: Directions) -> Vec<u8> {
        let path = scratch(name);
        let sound = Sound::new(rate, vec![100; rate as usize / 100]).expect("a rate");
        let mut port = WavPort::new(Playing(Some(sound)), rate);
        let recorder = port.record(&path, directions).expect("a file");
        let mut frame = vec![0; rate as usize / 100];
        for heard in [1234, -7] {
            port.read(&mut frame);
            port.write(&vec![heard; frame.len()]);
        }
        drop(port);
        recorder.finish().expect("written");
        let file = std::fs::read(&path).expect("read");
        let playing = Playing::open(&path).expect("a sound");
        assert_eq!(playing.sample_rate(), rate);
        std::fs::remove_file(path).expect("removed");
        file
    }

    #[test]
    fn what_is_recorded_plays_back_at_every_rate() {
        for rate in RATES {
            let file = recorded(&format!("echo-{rate}"), rate, Directions::Heard);
            let sound = Sound::from_wav(&file, &Limits::default()).expect("a sound");
            let mut port = WavPort::new(Playing(Some(sound)), rate);
            assert_eq!(port.format().sample_rate, rate);
            let mut frame = vec![9; rate as usize / 100];
            let firsts = [0; 3].map(|_| {
                port.read(&mut frame);
                frame[0]
            });
            assert_eq!(firsts, [1234, -7, 0]);
        }
    }

    #[test]
    fn both_directions_are_mixed_or_split() {
        let samples = |file: &[u8], channel, at| {
            WavFile::parse(file).expect("a file").channel(channel).nth(at).expect("a sample")
        };
        let mixed = recorded("mixed", 16_000, Directions::Mixed);
        assert_eq!((samples(&mixed, 0, 0), samples(&mixed, 0, 160)), (1334, -7));
        let split = recorded("split", 8000, Directions::Split);
        assert_eq!((samples(&split, 0, 0), samples(&split, 1, 0), samples(&split, 0, 80)), (100, 1234, 0));
    }

    #[test]
    fn a_file_of_another_rate_is_played_at_the_phones() {
        let path = scratch("rate");
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 44_100,
            bits_per_sample: 24,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(&path, spec).expect("a file");
        for _ in 0..8820 {
            writer.write_sample(1000 << 8).expect("written");
        }
        writer.finalize().expect("written");
        let playing = Playing::open(&path).expect("a sound");
        assert_eq!(playing.sample_rate(), RATE);
        let mut port = WavPort::new(playing, RATE);
        let mut frame = [0; 160];
        for _ in 0..5 {
            port.read(&mut frame);
        }
        assert!(frame.iter().all(|sample| *sample == 1000), "{frame:?}");
        std::fs::remove_file(path).expect("removed");
    }

    #[test]
    fn a_file_that_is_none_is_refused_with_what_was_expected() {
        let path = scratch("text");
        std::fs::write(&path, "no sound at all").expect("written");
        let error = Playing::open(&path).expect_err("text").to_string();
        assert!(error.ends_with("no WAV file: expected \"RIFF\", a size, \"WAVE\""), "{error}");
        std::fs::remove_file(path).expect("removed");
        let error = Playing::open(Path::new("/nowhere/x.wav")).expect_err("no file").to_string();
        assert!(error.starts_with("/nowhere/x.wav: "), "{error}");
    }
}
