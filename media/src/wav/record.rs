//! Recording a call: which octets belong where in a file that may be cut off at any moment.

use super::Encoding;
use core::time::Duration;
use sidetone_codecs::{pcma, pcmu};

/// What a WAV file can hold at most: its sizes have 32 bits.
const MOST_OCTETS: u32 = u32::MAX - 256;
/// The longest header: that of G.711 has a `fact` chunk.
const LONGEST_HEADER: usize = 58;

/// How the two directions of a call lie in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Layout {
    /// One channel: both added, saturated.
    #[default]
    Mixed,
    /// Two channels: what was spoken here first, what was heard second.
    Split,
}

/// What a [`Recorder`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecorderConfig {
    /// Samples a second.
    pub sample_rate: u32,
    /// How the directions lie in the file.
    pub layout: Layout,
    /// [`Encoding::Pcm`] of two octets, [`Encoding::ALaw`] or [`Encoding::MuLaw`]; any other counts as the first.
    pub encoding: Encoding,
    /// The header is brought up to date after so much sound: what a player finds if the power fails is as old at most.
    pub header_every: Duration,
    /// Sound that may wait to be written; more is left out, and silence takes its place.
    pub buffer: Duration,
    /// The recording ends when its file has so many octets; never more than 4 GiB.
    pub max_octets: u32,
}

impl RecorderConfig {
    /// 16-bit PCM, both directions mixed, a header every second, five seconds of buffer, 4 GiB.
    #[must_use]
    pub const fn new(sample_rate: u32) -> Self {
        Self {
            sample_rate,
            layout: Layout::Mixed,
            encoding: Encoding::Pcm(2),
            header_every: Duration::from_secs(1),
            buffer: Duration::from_secs(5),
            max_octets: MOST_OCTETS,
        }
    }

    const fn channels(&self) -> u16 {
        match self.layout {
            Layout::Mixed => 1,
            Layout::Split => 2,
        }
    }

    /// Octets of a block: one sample of each channel.
    const fn block(&self) -> u32 {
        self.encoding.octets() as u32 * self.channels() as u32
    }

    fn octets(&self, time: Duration) -> u64 {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let samples = micros.saturating_mul(u64::from(self.sample_rate)) / 1_000_000;
        samples.saturating_mul(u64::from(self.block()))
    }
}

/// Octets for the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write<'a> {
    /// Where in the file.
    pub offset: u64,
    /// What.
    pub octets: &'a [u8],
    /// The header says from now on that what was written before is there. Whoever wants to be safe from a failing power,
    /// and not only from a failing program, lets the disk finish that first.
    pub header: bool,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It will be written.
    Yes,
    /// The disk did not keep up: silence will be in its place.
    LeftOut,
    /// The file is full, or was finished, or writing failed.
    Ended,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecorderStats {
    /// Octets of sound that are in the file.
    pub octets: u32,
    /// Samples of each channel that were left out because the disk did not keep up.
    pub left_out: u64,
    /// The file reached its limit.
    pub full: bool,
    /// Writing failed.
    pub failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// What waits is written, then a last header.
    Finishing,
    Closed,
}

/// Records both directions of a call as a WAV file.
///
/// It says what to write by [`poll_write`](Self::poll_write), and is told by [`written`](Self::written) and
/// [`failed`](Self::failed). Sound is only ever appended, and the header at the beginning is brought up to date behind
/// it: whenever the file is cut off, what is there is a WAV file. Memory is taken once.
///
/// ```
/// use sidetone_media::wav::{Limits, Recorder, RecorderConfig, Sound};
/// let mut recorder = Recorder::new(RecorderConfig::new(8000));
/// recorder.push(&[100; 80], &[20; 80]);
/// recorder.finish();
/// let mut file = Vec::new();
/// while let Some(write) = recorder.poll_write() {
///     let (at, count) = (write.offset as usize, write.octets.len());
///     file.resize(file.len().max(at + count), 0);
///     file[at..at + count].copy_from_slice(write.octets);
///     recorder.written(count);
/// }
/// assert!(recorder.is_over());
/// assert_eq!(Sound::from_wav(&file, &Limits::default())?.samples(), [120; 80]);
/// # Ok::<(), sidetone_media::wav::WavError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Recorder {
    config: RecorderConfig,
    state: State,
    /// Octets that wait: a ring.
    ring: Vec<u8>,
    head: usize,
    waiting: usize,
    /// Octets of silence that are owed for what was left out.
    owed: u64,
    /// Octets of sound that were accepted, and that are in the file.
    accepted: u32,
    written: u32,
    /// What the header in the file says; none while there is no whole header.
    said: Option<u32>,
    /// A header on its way: the octets of sound that it tells of, and how much of it is written.
    header: Option<(u32, usize)>,
    bytes: [u8; LONGEST_HEADER],
    header_every: u64,
    stats: RecorderStats,
}

impl Recorder {
    /// An empty recording.
    #[must_use]
    pub fn new(mut config: RecorderConfig) -> Self {
        if !matches!(config.encoding, Encoding::Pcm(2) | Encoding::ALaw | Encoding::MuLaw) {
            config.encoding = Encoding::Pcm(2);
        }
        config.max_octets = config.max_octets.min(MOST_OCTETS);
        let block = u64::from(config.block());
        // At least 100 ms wait, and at most a minute.
        let bounds =
            (config.octets(Duration::from_millis(100)).max(block), config.octets(Duration::from_secs(60)));
        let buffer = config.octets(config.buffer).clamp(bounds.0, bounds.1.max(bounds.0));
        let header_every = config.octets(config.header_every).max(block);
        Self {
            config,
            state: State::Open,
            ring: vec![0; usize::try_from(buffer).unwrap_or(0)],
            head: 0,
            waiting: 0,
            owed: 0,
            accepted: 0,
            written: 0,
            said: None,
            header: None,
            bytes: [0; LONGEST_HEADER],
            header_every,
            stats: RecorderStats::default(),
        }
    }

    /// What it writes.
    #[must_use]
    pub const fn config(&self) -> &RecorderConfig {
        &self.config
    }

    /// What was counted.
    #[must_use]
    pub const fn stats(&self) -> RecorderStats {
        RecorderStats { octets: self.written, ..self.stats }
    }

    /// Whether nothing is to be written any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::Closed
    }

    /// Takes a frame of both directions. If one has fewer samples, it is silent for the rest.
    pub fn push(&mut self, spoken: &[i16], heard: &[i16]) -> Recorded {
        if self.state != State::Open {
            return Recorded::Ended;
        }
        let samples = spoken.len().max(heard.len());
        let octets = samples as u64 * u64::from(self.config.block());
        let whole = self.header_octets() as u64 + u64::from(self.accepted) + self.owed + octets;
        if whole > u64::from(self.config.max_octets) {
            self.stats.full = true;
            self.finish();
            return Recorded::Ended;
        }
        self.pay();
        if self.owed > 0 || self.room() < octets {
            self.owed += octets;
            self.stats.left_out += samples as u64;
            return Recorded::LeftOut;
        }
        let silence = core::iter::repeat(&0);
        let both = spoken.iter().chain(silence.clone()).zip(heard.iter().chain(silence));
        for (spoken, heard) in both.take(samples) {
            match self.config.layout {
                Layout::Mixed => self.sample(spoken.saturating_add(*heard)),
                Layout::Split => {
                    self.sample(*spoken);
                    self.sample(*heard);
                }
            }
        }
        Recorded::Yes
    }

    /// No more sound comes: what waits is written, and a last header.
    pub fn finish(&mut self) {
        if self.state == State::Open {
            self.state = State::Finishing;
        }
        self.close();
    }

    /// The next octets to write; the same again until [`written`](Self::written) says that some are.
    pub fn poll_write(&mut self) -> Option<Write<'_>> {
        if self.state == State::Closed {
            return None;
        }
        self.pay();
        if self.header.is_none() && self.header_is_due() {
            // Never a part of a block, which a short write may leave behind.
            let says = self.written - self.written % self.config.block().max(1);
            self.header = Some((says, 0));
            self.bytes = header(&self.config, says);
        }
        if let Some((_, done)) = self.header {
            let octets = self.bytes.get(done..self.header_octets())?;
            return Some(Write { offset: done as u64, octets, header: true });
        }
        // Up to the ring's end; the rest is the next write.
        let count = self.waiting.min(self.ring.len() - self.head);
        let octets = self.ring.get(self.head..self.head + count).filter(|octets| !octets.is_empty())?;
        let offset = self.header_octets() as u64 + u64::from(self.written);
        Some(Write { offset, octets, header: false })
    }

    /// So many octets of the last [`Write`] are in the file.
    pub fn written(&mut self, octets: usize) {
        if let Some((says, done)) = self.header {
            let done = done + octets;
            if done < self.header_octets() {
                self.header = Some((says, done));
            } else {
                (self.header, self.said) = (None, Some(says));
            }
        } else {
            let octets = octets.min(self.waiting);
            self.waiting -= octets;
            self.written += octets as u32;
            self.head = (self.head + octets) % self.ring.len().max(1);
        }
        self.close();
    }

    /// The file takes nothing more: the disk is full or gone. What the header says is there.
    pub const fn failed(&mut self) {
        self.stats.failed = true;
        self.state = State::Closed;
    }

    /// A header is due at the very beginning, every interval, and at the end.
    fn header_is_due(&self) -> bool {
        let Some(said) = self.said else { return true };
        let news = u64::from(self.written - said);
        match self.state {
            State::Finishing => self.waiting == 0 && self.owed == 0 && news > 0,
            _ => news >= self.header_every,
        }
    }

    fn close(&mut self) {
        let done = self.waiting == 0 && self.owed == 0 && self.header.is_none();
        if self.state == State::Finishing && done && self.said == Some(self.written) {
            self.state = State::Closed;
        }
    }

    const fn header_octets(&self) -> usize {
        match self.config.encoding {
            Encoding::ALaw | Encoding::MuLaw => LONGEST_HEADER,
            _ => 44,
        }
    }

    const fn room(&self) -> u64 {
        (self.ring.len() - self.waiting) as u64
    }

    /// Puts silence in the place of what was left out, as far as there is room.
    fn pay(&mut self) {
        let count = self.owed.min(self.room());
        let silence = self.silence();
        for at in 0..count {
            self.octet(if at % 2 == 0 { silence.0 } else { silence.1 });
        }
        self.owed -= count;
    }

    /// The two octets that silence is made of.
    const fn silence(&self) -> (u8, u8) {
        match self.config.encoding {
            Encoding::ALaw => (pcma::SILENCE, pcma::SILENCE),
            Encoding::MuLaw => (pcmu::SILENCE, pcmu::SILENCE),
            _ => (0, 0),
        }
    }

    fn sample(&mut self, sample: i16) {
        match self.config.encoding {
            Encoding::ALaw => self.octet(pcma::encode_sample(sample)),
            Encoding::MuLaw => self.octet(pcmu::encode_sample(sample)),
            _ => sample.to_le_bytes().into_iter().for_each(|octet| self.octet(octet)),
        }
    }

    fn octet(&mut self, octet: u8) {
        let at = (self.head + self.waiting) % self.ring.len().max(1);
        if let Some(place) = self.ring.get_mut(at) {
            *place = octet;
            self.waiting += 1;
            self.accepted = self.accepted.saturating_add(1);
        }
    }
}

/// The header of a file with `octets` octets of sound.
fn header(config: &RecorderConfig, octets: u32) -> [u8; LONGEST_HEADER] {
    let mut header = [0; LONGEST_HEADER];
    let mut rest = header.iter_mut();
    let mut put = |octets: &[u8]| rest.by_ref().zip(octets).for_each(|(place, octet)| *place = *octet);
    let (channels, block) = (config.channels(), config.block());
    let plain = matches!(config.encoding, Encoding::Pcm(_));
    let length: u32 = if plain { 44 } else { 58 };
    put(b"RIFF");
    put(&(length - 8).saturating_add(octets).to_le_bytes());
    put(b"WAVEfmt ");
    put(&(if plain { 16_u32 } else { 18 }).to_le_bytes());
    put(&config.encoding.tag().to_le_bytes());
    put(&channels.to_le_bytes());
    put(&config.sample_rate.to_le_bytes());
    put(&config.sample_rate.saturating_mul(block).to_le_bytes());
    put(&(block as u16).to_le_bytes());
    put(&(config.encoding.octets() * 8).to_le_bytes());
    if !plain {
        // No more about the format, and how many samples there are: what other codings than PCM must say.
        put(&[0, 0]);
        put(b"fact");
        put(&4_u32.to_le_bytes());
        put(&(octets / block.max(1)).to_le_bytes());
    }
    put(b"data");
    put(&octets.to_le_bytes());
    header
}
