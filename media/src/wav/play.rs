//! Playing a sound: once, several times, or in a loop.

use super::Sound;
use crate::resample::{RateError, Resampler};
use core::time::Duration;

/// How often a sound is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeat {
    /// Over and over: a ring tone, music on hold.
    #[default]
    Forever,
    /// So many times; 0 plays nothing.
    Times(u32),
}

impl Repeat {
    /// One time.
    pub const ONCE: Self = Self::Times(1);

    /// Splits a name with `!` before it, which says as in tones that it is played once.
    ///
    /// ```
    /// use sidetone_media::wav::Repeat;
    /// assert_eq!(Repeat::of("!Ring1.wav"), (Repeat::ONCE, "Ring1.wav"));
    /// assert_eq!(Repeat::of("Ring1.wav"), (Repeat::Forever, "Ring1.wav"));
    /// ```
    #[must_use]
    pub fn of(name: &str) -> (Self, &str) {
        match name.strip_prefix('!') {
            Some(name) => (Self::ONCE, name),
            None => (Self::Forever, name),
        }
    }
}

/// Plays a [`Sound`] at any rate. It allocates when it is made, not when it plays.
#[derive(Clone, Debug)]
pub struct Player {
    sound: Sound,
    resampler: Option<Resampler>,
    /// Times that are still to be begun; none is for ever.
    left: Option<u32>,
    /// Where in the sound; none between two times or when it is over.
    position: Option<usize>,
    /// Samples of silence between two times, and those that are still to come.
    pause: u64,
    pause_left: u64,
    /// The last samples are still in the resampler.
    draining: bool,
    /// 10 ms at the sound's rate, and what came out of the resampler and was not asked for yet.
    source: Vec<i16>,
    ready: Vec<i16>,
    taken: usize,
}

impl Player {
    /// Begins to play `sound` at `sample_rate`.
    ///
    /// # Errors
    /// [`RateError`] when the sound's rate cannot be changed to it.
    pub fn new(sound: Sound, sample_rate: u32, repeat: Repeat) -> Result<Self, RateError> {
        Self::with_pause(sound, sample_rate, repeat, Duration::ZERO)
    }

    /// The same with silence between two times.
    ///
    /// # Errors
    /// [`RateError`] when the sound's rate cannot be changed to it.
    pub fn with_pause(
        sound: Sound,
        sample_rate: u32,
        repeat: Repeat,
        pause: Duration,
    ) -> Result<Self, RateError> {
        let resampler = Resampler::new(sound.sample_rate(), sample_rate)?;
        let resampler = Some(resampler).filter(|resampler| !resampler.is_identity());
        let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        let pause = micros.saturating_mul(u64::from(sound.sample_rate())) / 1_000_000;
        let frame = |rate: u32| (rate / 100).max(1) as usize;
        let (source, ready) = match &resampler {
            Some(_) => (vec![0; frame(sound.sample_rate())], vec![0; frame(sample_rate) + 2]),
            None => (Vec::new(), Vec::new()),
        };
        let mut player = Self {
            sound,
            resampler,
            left: None,
            position: None,
            pause,
            pause_left: 0,
            draining: false,
            source,
            ready,
            taken: 0,
        };
        player.ready.clear();
        player.restart(repeat);
        Ok(player)
    }

    /// Begins anew.
    pub fn restart(&mut self, repeat: Repeat) {
        self.left = match repeat {
            Repeat::Forever => None,
            Repeat::Times(times) => Some(times),
        };
        (self.position, self.pause_left, self.taken) = (None, 0, 0);
        self.ready.clear();
        if let Some(resampler) = &mut self.resampler {
            resampler.reset();
        }
        self.begin();
        self.draining = self.position.is_some();
    }

    /// Whether nothing is to come any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.position.is_none() && self.pause_left == 0 && !self.draining && self.taken >= self.ready.len()
    }

    /// Fills `pcm`; false when it is over, and from there on `pcm` is silent.
    pub fn fill(&mut self, pcm: &mut [i16]) -> bool {
        if self.resampler.is_none() {
            self.draining = false;
            let made = self.play(pcm);
            pcm.get_mut(made..).unwrap_or_default().fill(0);
            return !self.is_over();
        }
        let mut rest = pcm;
        while !rest.is_empty() {
            if self.taken >= self.ready.len() && !self.resample() {
                break;
            }
            let ready = self.ready.get(self.taken..).unwrap_or_default();
            let count = ready.len().min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(ready.get(..count).unwrap_or_default());
            self.taken += count;
            rest = later;
        }
        rest.fill(0);
        !self.is_over()
    }

    /// Makes 10 ms of samples at the other rate; false when there are none.
    fn resample(&mut self) -> bool {
        let mut source = core::mem::take(&mut self.source);
        let made = self.play(&mut source);
        // What is still in the filter comes out behind 10 ms of silence; its delay is less than that.
        let some = made > 0 || core::mem::take(&mut self.draining);
        if some {
            source.get_mut(made..).unwrap_or_default().fill(0);
            if let Some(resampler) = &mut self.resampler {
                self.ready.resize(resampler.output_len(source.len()), 0);
                let count = resampler.process(&source, &mut self.ready);
                self.ready.truncate(count);
            }
            self.taken = 0;
        }
        self.source = source;
        some
    }

    /// Fills `out` at the sound's own rate; returns how much was filled before it was over.
    fn play(&mut self, out: &mut [i16]) -> usize {
        let mut made = 0;
        while let Some(rest) = out.get_mut(made..).filter(|rest| !rest.is_empty()) {
            if self.pause_left > 0 {
                let silent = usize::try_from(self.pause_left).unwrap_or(usize::MAX).min(rest.len());
                rest.get_mut(..silent).unwrap_or_default().fill(0);
                self.pause_left -= silent as u64;
                made += silent;
                if self.pause_left == 0 {
                    self.begin();
                }
                continue;
            }
            let Some(position) = self.position else { break };
            let samples = self.sound.samples().get(position..).unwrap_or_default();
            let count = samples.len().min(rest.len());
            rest.iter_mut().zip(samples).for_each(|(out, sample)| *out = *sample);
            made += count;
            self.position = Some(position + count);
            if count == samples.len() {
                self.position = None;
                // No silence behind the last time.
                self.pause_left = if self.left == Some(0) { 0 } else { self.pause };
                if self.pause_left == 0 {
                    self.begin();
                }
            }
        }
        made
    }

    /// Begins the next time, if there is one. A sound without samples is over at once.
    fn begin(&mut self) {
        let again = !self.sound.samples().is_empty() && self.left != Some(0);
        self.left = self.left.map(|left| left.saturating_sub(1));
        self.position = again.then_some(0);
    }
}
