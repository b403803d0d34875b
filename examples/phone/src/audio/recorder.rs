//! Calls that the telephone records to its own storage: WAV files of 16 bits and two channels, ours and theirs.
//!
//! The sound task pushes samples into a ring and does nothing else for a recording: no allocation, no lock, no file. A thread
//! takes them out, changes their rate where that is wanted, and writes. What does not fit into the ring while the storage is
//! slow is left out and counted.

use super::wav::{NAP, QUEUED_FRAMES, Writer};
use super::{FRAME_SAMPLES, RATE};
use core::sync::atomic::{AtomicU64, Ordering};
use rtrb::{Consumer, Producer, RingBuffer};
use sidetone_media::resample::Resampler;
use sidetone_media::wav::{Layout, Limits, Recorder as Machine, RecorderConfig, Sound};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files of a folder that are looked at; one with more is taken for full.
const MAX_FILES: usize = 10_000;
/// Characters of a recording's name.
const MAX_NAME: usize = 64;
/// Recordings of one name.
const MAX_SAME: u32 = 1000;
/// What a recording needs at least, in octets: two seconds of wide band. With less left none begins.
const LEAST: u64 = 4 * 2 * RATE as u64;

/// Where recordings are kept, how they sound, and how much they may take together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecorderFolder {
    path: PathBuf,
    rate: u32,
    octets: u64,
}

/// A recording that ends by itself, or does not begin.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The recordings take what they may.
    #[error("no room for recordings")]
    Full,
    /// In the words of the system.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The sound task's end of a recording.
#[derive(Debug)]
pub struct RecorderTap {
    ring: Producer<[i16; 2]>,
    paused: bool,
    lost: Arc<AtomicU64>,
}

impl RecorderTap {
    /// Pauses the recording, or goes on with it: what is spoken between is not in the file.
    pub(super) const fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// A frame of what was spoken and heard. Allocates nothing and waits for nothing.
    pub(super) fn push(&mut self, spoken: &[i16], heard: &[i16]) {
        if self.paused {
            return;
        }
        if self.ring.slots() < spoken.len().min(heard.len()) {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        for (spoken, heard) in spoken.iter().zip(heard) {
            // There is room: nobody else writes.
            let _ = self.ring.push([*spoken, *heard]);
        }
    }
}

impl RecorderFolder {
    /// Recordings of `rate` samples a second, 8000 or 16 000, which take so many octets together at most.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, rate: u32, octets: u64) -> Self {
        Self { path: path.into(), rate, octets }
    }

    /// Begins a recording; `over` is told, from another thread, how it has ended: the file, or why there is none or no more.
    /// It ends when the tap is dropped.
    #[must_use]
    pub fn record(
        &self,
        name: &str,
        over: impl FnOnce(Result<PathBuf, RecordError>) + Send + 'static,
    ) -> RecorderTap {
        let (ring, frames) = RingBuffer::new(QUEUED_FRAMES * FRAME_SAMPLES);
        let lost = Arc::<AtomicU64>::default();
        let (folder, name, counter) = (self.clone(), name.to_owned(), Arc::clone(&lost));
        std::thread::spawn(move || {
            let recorded = folder.write(&name, frames);
            let lost = counter.load(Ordering::Relaxed);
            if lost > 0 {
                tracing::warn!(
                    name,
                    frames = lost,
                    "the storage did not keep up: these are not in the recording"
                );
            }
            over(recorded);
        });
        RecorderTap { ring, paused: false, lost }
    }

    /// The recordings, the newest first: the files' names, at most 10 000.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self) -> io::Result<Vec<String>> {
        let files = fs::read_dir(&self.path)?.take(MAX_FILES).filter_map(Result::ok);
        let names = files.filter_map(|file| file.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| is_recording(Path::new(name))).collect();
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(names)
    }

    /// A recording of the list, both sides together.
    ///
    /// # Errors
    /// It is gone, or no sound.
    pub fn open(&self, name: &str) -> Result<Sound, RecordError> {
        let limits = Limits::default();
        let path = self.path.join(name);
        // A name is one of the list, and no way elsewhere.
        if Path::new(name).components().count() != 1 || fs::metadata(&path)?.len() > limits.octets as u64 {
            return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
        }
        let sound = Sound::from_wav(&fs::read(path)?, &limits);
        sound.map_err(|error| io::Error::other(error.to_string()).into())
    }

    /// What the recordings may still take.
    fn left(&self) -> io::Result<u64> {
        let mut left = self.octets;
        let mut count = 0;
        for file in fs::read_dir(&self.path)? {
            let file = file?;
            if is_recording(&file.path()) {
                left = left.saturating_sub(file.metadata()?.len());
            }
            count += 1;
            if count > MAX_FILES {
                return Ok(0);
            }
        }
        Ok(left)
    }

    fn create(&self, name: &str) -> io::Result<(File, PathBuf)> {
        let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '+' | ' ') { c } else { '_' };
        let name: String = name.chars().take(MAX_NAME).map(plain).collect();
        let mut error = io::Error::from(io::ErrorKind::AlreadyExists);
        for number in 1..=MAX_SAME {
            let name = if number == 1 { format!("{name}.wav") } else { format!("{name} {number}.wav") };
            let path = self.path.join(name);
            let mut options = File::options();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            match options.open(&path) {
                Ok(file) => return Ok((file, path)),
                Err(wrong) if wrong.kind() == io::ErrorKind::AlreadyExists => error = wrong,
                Err(wrong) => return Err(wrong),
            }
        }
        Err(error)
    }

    /// Writes what comes until the tap is gone or there is no room left.
    fn write(&self, name: &str, mut frames: Consumer<[i16; 2]>) -> Result<PathBuf, RecordError> {
        let left = self.left()?;
        if left < LEAST {
            return Err(RecordError::Full);
        }
        let (file, path) = self.create(name)?;
        let mut config = RecorderConfig::new(self.rate);
        config.layout = Layout::Split;
        config.max_octets = u32::try_from(left).unwrap_or(u32::MAX);
        let mut writer = Writer { machine: Machine::new(config), file };
        let to_rate = || Resampler::new(RATE, self.rate).map_err(|error| io::Error::other(error.to_string()));
        let mut sides = [Side::new(to_rate()?), Side::new(to_rate()?)];
        loop {
            // Read before the ring: what is there when the tap is gone is all that there will be.
            let over = frames.is_abandoned();
            while frames.slots() >= FRAME_SAMPLES {
                let [spoken, heard] = &mut sides;
                for (spoken, heard) in spoken.samples.iter_mut().zip(&mut heard.samples) {
                    [*spoken, *heard] = frames.pop().unwrap_or_default();
                }
                writer.machine.push(spoken.at_rate(), heard.at_rate());
                writer.write()?;
            }
            if over {
                writer.machine.finish();
            }
            if over || writer.machine.stats().full {
                writer.write()?;
                writer.file.sync_all()?;
                return if writer.machine.stats().full { Err(RecordError::Full) } else { Ok(path) };
            }
            std::thread::park_timeout(NAP);
        }
    }
}

/// One side of a call, on its way to the rate of the file.
struct Side {
    resampler: Resampler,
    samples: [i16; FRAME_SAMPLES],
    /// No rate of a file is above that of the sound.
    changed: [i16; FRAME_SAMPLES + 1],
}

impl Side {
    const fn new(resampler: Resampler) -> Self {
        Self { resampler, samples: [0; FRAME_SAMPLES], changed: [0; FRAME_SAMPLES + 1] }
    }

    fn at_rate(&mut self) -> &[i16] {
        let count = self.resampler.process(&self.samples, &mut self.changed);
        self.changed.get(..count).unwrap_or_default()
    }
}

fn is_recording(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("wav"))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        reason = "a test stops on what should not happen"
    )]

    use super::*;
    use core::time::Duration;
    use sidetone_media::wav::WavFile;
    use std::sync::mpsc;

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            use core::sync::atomic::AtomicU32;
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let next = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("sidetone-recorder-{}-{next}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Records so many frames of both sides, and says how that ended. `each` may pause.
    fn record(
        folder: &RecorderFolder,
        count: i16,
        mut each: impl FnMut(i16, &mut RecorderTap),
    ) -> Result<PathBuf, RecordError> {
        let (told, over) = mpsc::channel();
        let mut tap = folder.record("2026-11-22 15-00 sip:1/2", move |ended| told.send(ended).unwrap());
        for number in 0..count {
            each(number, &mut tap);
            tap.push(&[100; FRAME_SAMPLES], &[-7; FRAME_SAMPLES]);
        }
        drop(tap);
        over.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    #[test]
    fn both_sides_are_in_the_file_at_the_rate_and_pauses_are_not() {
        let folder = Folder::new();
        for (rate, each) in [(16_000, 160), (8000, 80)] {
            let recorder = RecorderFolder::new(&folder.0, rate, 1 << 20);
            let path = record(&recorder, 100, |number, tap| match number {
                40 => tap.pause(true),
                60 => tap.pause(false),
                _ => {}
            });
            let octets = fs::read(path.unwrap()).unwrap();
            let file = WavFile::parse(&octets).unwrap();
            let (ours, theirs): (Vec<i16>, Vec<i16>) = (file.channel(0).collect(), file.channel(1).collect());
            // A change of the rate keeps a few samples to itself.
            assert!((80 * each - each..=80 * each).contains(&ours.len()), "{rate}: {}", ours.len());
            let middle = ours.len() / 2;
            assert!((ours[middle] - 100).abs() < 3 && (theirs[middle] + 7).abs() < 3, "{rate}");
        }
        let recorder = RecorderFolder::new(&folder.0, 8000, 1 << 20);
        let names = ["2026-11-22 15-00 sip_1_2.wav", "2026-11-22 15-00 sip_1_2 2.wav"];
        assert_eq!(recorder.list().unwrap(), names);
    }

    #[test]
    fn recordings_take_what_they_may_and_no_more() {
        let folder = Folder::new();
        // Two seconds and a half.
        let recorder = RecorderFolder::new(&folder.0, 16_000, 160_000);
        assert!(matches!(record(&recorder, 400, |_, _| {}), Err(RecordError::Full)));
        let path = folder.0.join(&recorder.list().unwrap()[0]);
        let octets = fs::read(path).unwrap();
        assert!((150_000..=160_000).contains(&octets.len()), "{}", octets.len());
        let samples = WavFile::parse(&octets).unwrap().channel(0).count();
        assert_eq!(octets.len(), 44 + 4 * samples, "what there was room for is whole");
        assert!(matches!(record(&recorder, 1, |_, _| {}), Err(RecordError::Full)));
        assert_eq!(recorder.list().unwrap().len(), 1, "none begins without room");
    }

    #[test]
    fn a_storage_that_is_not_there_is_told() {
        let recorder = RecorderFolder::new("/nowhere/at/all", 8000, 1 << 20);
        let error = record(&recorder, 1, |_, _| {}).unwrap_err();
        assert!(
            matches!(error, RecordError::Io(ref error) if error.kind() == io::ErrorKind::NotFound),
            "{error}"
        );
        assert!(recorder.list().is_err());
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_the_sound_goes_on() {
        let (ring, mut frames) = RingBuffer::new(2 * FRAME_SAMPLES);
        let mut tap = RecorderTap { ring, paused: false, lost: Arc::default() };
        for sample in [1, 2, 3] {
            tap.push(&[sample; FRAME_SAMPLES], &[0; FRAME_SAMPLES]);
        }
        assert_eq!(tap.lost.load(Ordering::Relaxed), 1);
        let last = core::iter::from_fn(|| frames.pop().ok()).last();
        assert_eq!(last, Some([2, 0]), "whole frames, and the first ones");
    }
}
