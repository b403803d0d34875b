//! Gain control: speech is brought to one level, and peaks are held below full scale.
//!
//! The level of speech is averaged over what stands out of the background, so that pauses are not turned up into noise.
//! The gain moves slowly, in decibels; a limiter behind it looks at the whole frame before it passes it, and so needs no
//! delay of its own.

use crate::level::factor;

/// What [`AutomaticGain`] aims at.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct GainConfig {
    /// The level of active speech that is wanted, in dBov: -40 to -6.
    pub target_dbov: f32,
    /// The most that speech is turned up, in decibels: 0 to 30.
    pub max_gain_db: f32,
    /// The most that speech is turned down, in decibels: 0 to 30.
    pub max_cut_db: f32,
    /// How fast speech that is too loud is turned down, in decibels a second.
    pub attack_db_per_s: f32,
    /// How fast speech that is too weak is turned up, in decibels a second.
    pub release_db_per_s: f32,
    /// What no sample exceeds, in dB below full scale: -12 to 0.
    pub ceiling_dbov: f32,
}

impl Default for GainConfig {
    /// Speech at -24 dBov, turned up by 18 dB or down by 12 at most, at 8 and 30 dB a second, peaks below -1 dB.
    fn default() -> Self {
        Self {
            target_dbov: -24.0,
            max_gain_db: 18.0,
            max_cut_db: 12.0,
            attack_db_per_s: 30.0,
            release_db_per_s: 8.0,
            ceiling_dbov: -1.0,
        }
    }
}

/// Speech stands out of the background by this much, in decibels, and is above [`SILENCE`].
const STANDS_OUT: f32 = 10.0;
/// Nothing below this is speech, in dBov.
const SILENCE: f32 = -60.0;
/// The background falls at once, and rises by this much a frame while it is exceeded.
const FLOOR_RISE: f32 = 0.02;
/// Time constants of the level of speech, as a share of a frame: upwards 80 ms, downwards 1.5 s.
const LEVEL_UP: f32 = 0.12;
const LEVEL_DOWN: f32 = 0.0067;
/// Active frames before the first level is trusted.
const LEARN_FRAMES: u32 = 5;
/// Parts of a frame that the limiter sees by themselves.
const PARTS: usize = 10;
/// By how much the limiter lets go in a part (1 ms): 0.2 dB.
const LET_GO: f32 = 1.023_3;

/// Automatic gain with a limiter behind it, for frames of 10 ms at any rate.
///
/// ```
/// use sidetone_media::gain::{AutomaticGain, GainConfig};
/// let mut gain = AutomaticGain::new(GainConfig::default());
/// let mut frame = [12_i16; 160];
/// gain.process(&mut frame);
/// assert_eq!(frame, [12; 160]); // A hum that never changes is no speech.
/// ```
#[derive(Clone, Debug)]
pub struct AutomaticGain {
    config: GainConfig,
    floor: f32,
    speech: f32,
    learnt: u32,
    gain_db: f32,
    /// The linear gain at the end of the last frame.
    gain: f32,
    limiter: Limiter,
}

impl AutomaticGain {
    /// Begins at 0 dB. What is out of range in `config` is brought into it.
    #[must_use]
    pub fn new(config: GainConfig) -> Self {
        let config = GainConfig {
            target_dbov: config.target_dbov.clamp(-40.0, -6.0),
            max_gain_db: config.max_gain_db.clamp(0.0, 30.0),
            max_cut_db: config.max_cut_db.clamp(0.0, 30.0),
            attack_db_per_s: config.attack_db_per_s.clamp(0.1, 1000.0),
            release_db_per_s: config.release_db_per_s.clamp(0.1, 1000.0),
            ceiling_dbov: config.ceiling_dbov.clamp(-12.0, 0.0),
        };
        Self {
            config,
            floor: 0.0,
            speech: config.target_dbov,
            learnt: 0,
            gain_db: 0.0,
            gain: 1.0,
            limiter: Limiter { ceiling: 32_767.0 * factor(config.ceiling_dbov), gain: 1.0 },
        }
    }

    /// The gain now, in decibels, without the limiter.
    #[must_use]
    pub const fn gain_db(&self) -> f32 {
        self.gain_db
    }

    /// Works on a frame in place.
    pub fn process(&mut self, samples: &mut [i16]) {
        if self.is_speech(crate::level::rms_dbov(samples)) {
            self.follow();
        }
        let goal = factor(self.gain_db);
        self.limiter.process(samples, self.gain, goal);
        self.gain = goal;
    }

    /// Back to the start.
    pub fn reset(&mut self) {
        *self = Self::new(self.config);
    }

    /// Learns the level of a frame; says whether it is speech.
    fn is_speech(&mut self, level: f32) -> bool {
        self.floor = if level < self.floor { level } else { self.floor + FLOOR_RISE };
        if level < SILENCE || level < self.floor + STANDS_OUT {
            return false;
        }
        self.learnt += 1;
        if self.learnt == 1 {
            self.speech = level;
        }
        let rate = if level > self.speech { LEVEL_UP } else { LEVEL_DOWN };
        self.speech += rate * (level - self.speech);
        self.learnt = self.learnt.min(LEARN_FRAMES);
        self.learnt == LEARN_FRAMES
    }

    fn follow(&mut self) {
        let GainConfig { target_dbov, max_gain_db, max_cut_db, attack_db_per_s, release_db_per_s, .. } =
            self.config;
        let goal = (target_dbov - self.speech).clamp(-max_cut_db, max_gain_db);
        let step = goal - self.gain_db;
        self.gain_db += step.clamp(-attack_db_per_s / 100.0, release_db_per_s / 100.0);
    }
}

/// Holds peaks below a ceiling: down before a peak, up again slowly.
#[derive(Clone, Copy, Debug)]
struct Limiter {
    ceiling: f32,
    gain: f32,
}

impl Limiter {
    /// Applies a gain that goes from `from` to `to`, and what keeps the result below the ceiling.
    fn process(&mut self, samples: &mut [i16], from: f32, to: f32) {
        if from == 1.0 && to == 1.0 && self.gain == 1.0 && !self.exceeds(samples) {
            return;
        }
        let part = samples.len().div_ceil(PARTS).max(1);
        let louder = from.max(to);
        // What each part can bear; one more stands for the unknown part behind the frame.
        let mut bears = [1.0_f32; PARTS + 1];
        for (bears, samples) in bears.iter_mut().zip(samples.chunks(part)) {
            let peak = samples.iter().fold(0_u16, |most, sample| most.max(sample.unsigned_abs()));
            let peak = f32::from(peak) * louder;
            *bears = if peak > self.ceiling { self.ceiling / peak } else { 1.0 };
        }
        let step = (to - from) / samples.len().max(1) as f32;
        let mut gain = from;
        let [first, ..] = bears;
        let mut limit = self.gain.min(first);
        for (samples, bears) in samples.chunks_mut(part).zip(bears.windows(2)) {
            let &[this, next] = bears else { continue };
            let goal = (limit * LET_GO).min(1.0).min(this).min(next);
            let slope = (goal - limit) / samples.len().max(1) as f32;
            for sample in samples {
                gain += step;
                limit += slope;
                let amplified = f32::from(*sample) * gain * limit;
                *sample = (amplified + 0.5_f32.copysign(amplified)) as i16;
            }
            limit = goal;
        }
        self.gain = limit;
    }

    fn exceeds(&self, samples: &[i16]) -> bool {
        samples.iter().any(|sample| f32::from(sample.unsigned_abs()) > self.ceiling)
    }
}
