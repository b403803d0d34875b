//! Loudness: volume and mute without clicks, sidetone, meters.
//!
//! Levels are in dB over the digital full scale, dBov (ITU-T G.100.1): a square wave of full scale has 0 dBov, a sine of
//! full scale -3.01 dBov, and 0 dBm0 of G.711 is -6.15 dBov. Sums and gains saturate; nothing ever wraps.

use core::time::Duration;

/// The least and the most that a volume takes, in dB; below is [`Volume::set_muted`].
pub const VOLUME_RANGE: (f32, f32) = (-60.0, 12.0);
/// How long a change of volume or mute glides, so that it makes no click.
pub const RAMP: Duration = Duration::from_millis(15);
/// What stands for silence in meters: half a step of 16 bits is -96.3 dBov.
pub const SILENCE_DBOV: f32 = -96.3;

/// The linear factor of a gain in dB.
#[must_use]
pub fn factor(db: f32) -> f32 {
    10_f32.powf(db / 20.0)
}

/// The volume of one path: a gain in dB and a mute switch, both of which glide.
///
/// ```
/// use sidetone_media::level::Volume;
/// let mut volume = Volume::new(16_000);
/// let mut frame = [1000; 480];
/// volume.process(&mut frame);
/// volume.set_db(6.0);
/// volume.process(&mut frame);
/// assert!(frame[0] < 1010 && frame[479] == 1995);
/// ```
#[derive(Clone, Debug)]
pub struct Volume {
    db: f32,
    muted: bool,
    /// The factor now, and where it glides to.
    now: f32,
    goal: f32,
    /// By how much it changes with each sample; the ramp's length in samples.
    step: f32,
    left: u32,
    ramp: u32,
    /// Sound went through: before that nothing glides.
    begun: bool,
}

impl Volume {
    /// 0 dB, not muted, at `sample_rate` samples a second. What is set before the first sample holds at once.
    #[must_use]
    pub const fn new(sample_rate: u32) -> Self {
        let ramp = (sample_rate as u64 * RAMP.as_millis() as u64 / 1000) as u32;
        let ramp = if ramp == 0 { 1 } else { ramp };
        Self { db: 0.0, muted: false, now: 1.0, goal: 1.0, step: 0.0, left: 0, ramp, begun: false }
    }

    /// The gain in dB, limited to [`VOLUME_RANGE`]; what is no number is 0 dB.
    pub fn set_db(&mut self, db: f32) {
        self.db = if db.is_nan() { 0.0 } else { db.clamp(VOLUME_RANGE.0, VOLUME_RANGE.1) };
        self.glide();
    }

    /// Silence, or the gain again.
    pub fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
        self.glide();
    }

    /// The gain in dB, muted or not.
    #[must_use]
    pub const fn db(&self) -> f32 {
        self.db
    }

    /// Whether it is muted.
    #[must_use]
    pub const fn is_muted(&self) -> bool {
        self.muted
    }

    /// Whether all that comes out is silence: muted, and the ramp is over.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        self.muted && self.left == 0
    }

    /// Whether everything passes as it is: 0 dB, not muted, and no ramp under way.
    #[must_use]
    pub const fn is_unity(&self) -> bool {
        self.left == 0 && self.now.to_bits() == 1.0_f32.to_bits()
    }

    /// Sound goes through, if unchanged: from now on changes glide.
    pub(crate) const fn begin(&mut self) {
        self.begun = true;
    }

    fn glide(&mut self) {
        let goal = if self.muted { 0.0 } else { factor(self.db) };
        if goal.to_bits() == self.goal.to_bits() {
            return;
        }
        self.goal = goal;
        if !self.begun {
            self.now = goal;
            return;
        }
        self.left = self.ramp;
        self.step = (goal - self.now) / self.ramp as f32;
    }

    /// The factor of the next sample.
    fn next(&mut self) -> f32 {
        match self.left {
            0 => {}
            1 => (self.now, self.left) = (self.goal, 0),
            _ => {
                self.now += self.step;
                self.left -= 1;
            }
        }
        self.now
    }

    /// Makes `pcm` as loud as it is to be.
    pub fn process(&mut self, pcm: &mut [i16]) {
        self.begun |= !pcm.is_empty();
        let mut rest = pcm.iter_mut();
        for sample in rest.by_ref().take(self.left as usize) {
            *sample = scaled(*sample, self.next());
        }
        if self.now == 0.0 {
            rest.for_each(|sample| *sample = 0);
        } else if self.now != 1.0 {
            rest.for_each(|sample| *sample = scaled(*sample, self.now));
        }
    }

    /// Adds `pcm`, as loud as it is to be, to `mix`.
    pub fn mix(&mut self, pcm: &[i16], mix: &mut [i16]) {
        self.begun |= !pcm.is_empty();
        for (sum, sample) in mix.iter_mut().zip(pcm) {
            *sum = sum.saturating_add(scaled(*sample, self.next()));
        }
    }
}

/// A sample times a factor; `as` saturates.
fn scaled(sample: i16, factor: f32) -> i16 {
    (f32::from(sample) * factor).round_ties_even() as i16
}

/// Adds `pcm` to `mix`, saturated.
pub fn add(pcm: &[i16], mix: &mut [i16]) {
    for (sum, sample) in mix.iter_mut().zip(pcm) {
        *sum = sum.saturating_add(*sample);
    }
}

/// What a person hears of the own voice in the ear, as every handset has it: without it one believes the line dead.
///
/// It belongs to handset and headset; at a loudspeaker it would howl. Muting the microphone mutes it too, which tells the
/// person by ear.
#[derive(Clone, Debug)]
pub struct Sidetone {
    volume: Volume,
}

/// How loud sidetone is when nobody says otherwise, in dB of what the microphone gives.
pub const SIDETONE_DB: f32 = -18.0;

impl Sidetone {
    /// Sidetone of [`SIDETONE_DB`] at `sample_rate` samples a second.
    #[must_use]
    pub fn new(sample_rate: u32) -> Self {
        let mut volume = Volume::new(sample_rate);
        volume.set_db(SIDETONE_DB);
        Self { volume }
    }

    /// The gain in dB, -60 to 12.
    pub fn set_db(&mut self, db: f32) {
        self.volume.set_db(db);
    }

    /// Off, as at the loudspeaker, or on.
    pub fn set_off(&mut self, off: bool) {
        self.volume.set_muted(off);
    }

    /// Adds what the microphone `captured` to what the ear is to hear.
    pub fn mix(&mut self, captured: &[i16], playout: &mut [i16]) {
        if !self.volume.is_silent() {
            self.volume.mix(captured, playout);
        }
    }
}

/// What a [`Meter`] shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    /// The power, averaged with a time constant of 125 ms, in dBov.
    pub rms_dbov: f32,
    /// The highest sample; falls by 12 dB a second once it is over. In dB of a full-scale sample.
    pub peak_db: f32,
    /// A sample of full scale came within the last second: it was clipped somewhere.
    pub clipped: bool,
}

/// A level meter: power and peaks of a path.
#[derive(Clone, Debug)]
pub struct Meter {
    rate: f32,
    power: f32,
    peak: f32,
    /// Samples since the last one of full scale.
    since_clip: u32,
}

/// The time constant of "fast" (IEC 61672-1), in seconds.
const FAST: f32 = 0.125;
/// By how much the peak falls in a second, in dB.
const FALL: f32 = 12.0;

impl Meter {
    /// A meter that has heard nothing, at `sample_rate` samples a second.
    #[must_use]
    pub const fn new(sample_rate: u32) -> Self {
        let rate = if sample_rate == 0 { 1.0 } else { sample_rate as f32 };
        Self { rate, power: 0.0, peak: 0.0, since_clip: u32::MAX }
    }

    /// Takes a frame. The averages move once a frame, so frames of 10 or 20 ms are best.
    pub fn add(&mut self, pcm: &[i16]) {
        if pcm.is_empty() {
            return;
        }
        let energy: u64 = pcm.iter().map(|s| u64::from(s.unsigned_abs()).pow(2)).sum();
        let highest = pcm.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0);
        let time = pcm.len() as f32 / self.rate;
        let power = energy as f32 / pcm.len() as f32;
        self.power += (power - self.power) * (1.0 - (-time / FAST).exp());
        self.peak = (self.peak * factor(-FALL * time)).max(f32::from(highest));
        let samples = u32::try_from(pcm.len()).unwrap_or(u32::MAX);
        self.since_clip =
            if highest >= i16::MAX as u16 { 0 } else { self.since_clip.saturating_add(samples) };
    }

    /// What it shows now.
    #[must_use]
    pub fn levels(&self) -> Levels {
        Levels {
            rms_dbov: (10.0 * (self.power / (32_768.0 * 32_768.0)).log10()).max(SILENCE_DBOV),
            peak_db: (20.0 * (self.peak / 32_768.0).log10()).max(SILENCE_DBOV),
            clipped: (self.since_clip as f32) < self.rate,
        }
    }

    /// Begins anew.
    pub const fn reset(&mut self) {
        (self.power, self.peak, self.since_clip) = (0.0, 0.0, u32::MAX);
    }
}

/// The power of `pcm` in dBov; [`SILENCE_DBOV`] at least.
#[must_use]
pub fn rms_dbov(pcm: &[i16]) -> f32 {
    let energy: f64 = pcm.iter().map(|s| f64::from(*s).powi(2)).sum();
    let power = energy / (pcm.len().max(1) as f64 * 32_768.0 * 32_768.0);
    ((10.0 * power.log10()) as f32).max(SILENCE_DBOV)
}

/// The active speech level and how much of the time is speech: ITU-T P.56, method B.
#[derive(Clone, Debug)]
pub struct SpeechLevel {
    /// How much of the envelope stays with each sample.
    keep: f64,
    hangover: u32,
    first: f64,
    envelope: f64,
    energy: f64,
    samples: u64,
    /// For each threshold: samples that count as active, and samples since the envelope was above.
    active: [(u64, u32); THRESHOLDS],
}

/// What P.56 found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ActiveSpeech {
    /// The power of speech while there is any, in dBov.
    pub level_dbov: f32,
    /// The part of the time with speech, 0 to 1.
    pub activity: f32,
    /// The power over all the time, in dBov.
    pub long_term_dbov: f32,
}

/// Thresholds from half of full scale down in steps of 6 dB (P.56 §7.3).
const THRESHOLDS: usize = 15;
/// The time constant of the envelope, in seconds.
const SMOOTH: f64 = 0.03;
/// How long speech goes on after the envelope fell below the threshold, in seconds.
const HANGOVER: f64 = 0.2;
/// By how much the active level is above its threshold, in dB.
const MARGIN: f64 = 15.9;

impl SpeechLevel {
    /// A measurement that has heard nothing, at `sample_rate` samples a second.
    #[must_use]
    pub fn new(sample_rate: u32) -> Self {
        let rate = f64::from(sample_rate.max(1));
        let hangover = (HANGOVER * rate).round() as u32;
        Self {
            keep: (-1.0 / (rate * SMOOTH)).exp(),
            hangover,
            first: 0.0,
            envelope: 0.0,
            energy: 0.0,
            samples: 0,
            active: [(0, hangover); THRESHOLDS],
        }
    }

    /// Takes more of the signal.
    pub fn add(&mut self, pcm: &[i16]) {
        for sample in pcm {
            let value = f64::from(*sample) / 32_768.0;
            self.energy += value * value;
            self.first = self.keep * self.first + (1.0 - self.keep) * value.abs();
            self.envelope = self.keep * self.envelope + (1.0 - self.keep) * self.first;
            let mut threshold = 0.5;
            for (active, since) in &mut self.active {
                if self.envelope >= threshold {
                    (*active, *since) = (*active + 1, 0);
                } else if *since < self.hangover {
                    (*active, *since) = (*active + 1, *since + 1);
                }
                threshold /= 2.0;
            }
        }
        self.samples += pcm.len() as u64;
    }

    /// What was found; none when nothing was speech.
    #[must_use]
    pub fn result(&self) -> Option<ActiveSpeech> {
        let db = |power: f64| 10.0 * power.log10();
        let long_term = db(self.energy / self.samples.max(1) as f64);
        // From the highest threshold down: the level above each falls, the threshold falls faster.
        let mut before: Option<(f64, f64)> = None;
        let mut threshold = db(0.25);
        for (active, _) in self.active {
            if active > 0 {
                let level = db(self.energy / active as f64);
                let above = level - threshold;
                if above >= MARGIN {
                    let level = match before {
                        // Between the two thresholds, the level for which it would be the margin.
                        Some((level_before, above_before)) if above > above_before => {
                            let part = (MARGIN - above_before) / (above - above_before);
                            level_before + part * (level - level_before)
                        }
                        _ => level,
                    };
                    let activity = 10_f64.powf((long_term - level) / 10.0).min(1.0);
                    return Some(ActiveSpeech {
                        level_dbov: level as f32,
                        activity: activity as f32,
                        long_term_dbov: long_term as f32,
                    });
                }
                before = Some((level, above));
            }
            threshold -= 20.0 * core::f64::consts::LOG10_2;
        }
        None
    }
}
