//! Conferences: every leg hears all the others, and not itself (N-1).
//!
//! One [`Mixer`] serves a three-way call on a phone and a bridge of hundreds of legs. A frame of it is three steps:
//! [`Mixer::speak`] for each leg, [`Mixer::mix`] once, [`Mixer::hear`] for each leg.
//!
//! ```
//! use sidetone_media::mix::{LegConfig, Mixer, MixerConfig};
//!
//! let mut mixer = Mixer::new(MixerConfig::phone(8000))?;
//! let [alice, bob, carol] = [1, 2, 3].map(|_| mixer.join(LegConfig::new(8000)).unwrap());
//! for _ in 0..2 {
//!     mixer.speak(alice, &[100; 80])?;
//!     mixer.speak(bob, &[20; 80])?;
//!     mixer.speak(carol, &[3; 80])?;
//!     mixer.mix();
//! }
//! assert_eq!(mixer.hear(alice)?.pcm, [23; 80]);
//! assert_eq!(mixer.hear(bob)?.pcm, [103; 80]);
//! assert_eq!(mixer.hear(carol)?.pcm, [120; 80]);
//! # Ok::<(), sidetone_media::mix::MixError>(())
//! ```
//!
//! # What it costs
//!
//! A frame is O(legs): each is measured once, and the mix is made once and taken from, never made leg by leg. With
//! many legs only the few loudest are mixed ([`MixerConfig::speakers`]); who is not among them hears the *shared* mix,
//! which exists once, is encoded once for each codec ([`SharedEncoder`]), and costs a listener nothing more. Memory is
//! taken by [`Mixer::new`] and [`Mixer::join`]; a frame allocates nothing.
//!
//! # What is heard
//!
//! - Sums are exact: with gains of 1 nothing of a leg's own voice comes back to it.
//! - Nothing clips: above 1 dB below full scale a limiter takes the mix down within 1.25 ms.
//! - Nothing clicks: joining, leaving, mute, gain, choice of speakers and missing frames are ramps of a frame.

mod kernel;
mod leg;
mod limiter;
mod shared;
#[cfg(test)]
mod tests;

pub use leg::Meter;
pub use shared::SharedEncoder;

use crate::resample::is_pcm_rate;
use core::time::Duration;
use kernel::Ramp;
use leg::{Leg, Smoothing};
use limiter::Limiter;

/// The largest [`LegConfig::gain`] and [`LegConfig::volume`]: 18 dB up.
pub const MAX_GAIN: f32 = 8.0;
/// A leg below this power (-50 dBov) does not speak.
const FLOOR: f32 = 10_737.0;
/// A leg takes another's place among the speakers if it has so many times its power: 6 dB.
const LOUDER: f32 = 4.0;
/// How long a speaker keeps its place at least.
const HOLD: Duration = Duration::from_millis(300);
/// How fast the end of a leg that left fades, per second: a time constant of 1 ms.
const FADE: f32 = 1000.0;

/// How a [`Mixer`] is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MixerConfig {
    /// The rate of the mix, in samples a second; legs may have others.
    pub sample_rate: u32,
    /// The time of a frame: 10, 20, 30, 40, 50 or 60 ms.
    pub frame: Duration,
    /// Legs at most.
    pub max_legs: usize,
    /// Legs that are mixed at most: the loudest. As many as there are legs may all be heard at once.
    pub speakers: usize,
}

impl MixerConfig {
    /// A phone's: frames of 10 ms, up to 8 legs, all of them mixed.
    #[must_use]
    pub const fn phone(sample_rate: u32) -> Self {
        Self { sample_rate, frame: Duration::from_millis(10), max_legs: 8, speakers: usize::MAX }
    }

    /// A bridge's: 8 kHz, frames of 20 ms as packets are, the 5 loudest of up to `max_legs` mixed.
    #[must_use]
    pub const fn bridge(max_legs: usize) -> Self {
        Self { sample_rate: 8000, frame: Duration::from_millis(20), max_legs, speakers: 5 }
    }
}

/// How a leg joins.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct LegConfig {
    /// The rate of its samples.
    pub sample_rate: u32,
    /// What it says is multiplied by this, 0 to [`MAX_GAIN`]; [`level::factor`](crate::level::factor) takes dB.
    pub gain: f32,
    /// What it hears is multiplied by this, 0 to [`MAX_GAIN`]. Other than 1, it has a mix of its own.
    pub volume: f32,
    /// It is not heard.
    pub muted: bool,
}

impl LegConfig {
    /// A leg that is heard and hears as it is.
    #[must_use]
    pub const fn new(sample_rate: u32) -> Self {
        Self { sample_rate, gain: 1.0, volume: 1.0, muted: false }
    }
}

/// A leg's name in its mixer. Names of legs that left are not given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId {
    index: u32,
    generation: u32,
}

/// What a leg hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard<'a> {
    /// A frame at the leg's rate.
    pub pcm: &'a [i16],
    /// It is the mix that every silent listener of the mixer's rate hears: encode it once ([`SharedEncoder`]).
    pub shared: bool,
}

/// What a mixer refuses.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MixError {
    /// Neither a mixer nor a leg can have this sample rate.
    #[error("{0} samples a second: expected a multiple of 100 from 8000 to 192 000")]
    Rate(u32),
    /// A frame of this time cannot be mixed.
    #[error("a frame of {0:?}: expected 10 to 60 ms in steps of 10")]
    Frame(Duration),
    /// All places are taken.
    #[error("the mixer has {0} legs, as many as it takes")]
    Full(usize),
    /// The leg left, or never was.
    #[error("no such leg")]
    NoSuchLeg,
    /// A frame is longer or shorter.
    #[error("{got} samples: expected a frame of {expected}")]
    Length {
        /// Samples in a frame of the leg.
        expected: usize,
        /// Samples there were.
        got: usize,
    },
    /// A gain is not a number from 0 to [`MAX_GAIN`].
    #[error("a gain of {0}: expected 0 to 8")]
    Gain(f32),
}

/// A place for a leg.
#[derive(Clone, Debug)]
struct Slot {
    generation: u32,
    leg: Option<Leg>,
}

/// A conference.
#[derive(Clone, Debug)]
pub struct Mixer {
    config: MixerConfig,
    /// Samples in a frame.
    frame: usize,
    smoothing: Smoothing,
    /// Frames that a speaker keeps its place.
    hold: u32,
    slots: Vec<Slot>,
    free: Vec<u32>,
    joined: usize,
    /// A frame for each slot: what the leg says, and after the mix what it hears if that is its own.
    frames: Vec<i16>,
    /// The sum of all that is said.
    total: Vec<f32>,
    /// A mix in the making.
    scratch: Vec<f32>,
    /// The mix for those who say nothing.
    shared: Vec<i16>,
    limiter: Limiter,
    /// The last samples of those whose speech broke off: they fade.
    residue: f32,
    dominant: Option<LegId>,
    count: u64,
}

impl Mixer {
    /// A conference without legs.
    ///
    /// # Errors
    /// [`MixError::Rate`], [`MixError::Frame`].
    pub fn new(config: MixerConfig) -> Result<Self, MixError> {
        if !is_pcm_rate(config.sample_rate) {
            return Err(MixError::Rate(config.sample_rate));
        }
        let tens = (config.frame.as_millis() / 10) as u32;
        if !(1..=6).contains(&tens) || config.frame != Duration::from_millis(10) * tens {
            return Err(MixError::Frame(config.frame));
        }
        let frame = (config.sample_rate / 100 * tens) as usize;
        Ok(Self {
            config,
            frame,
            smoothing: Smoothing::new(tens as f32 * 10.0),
            hold: (HOLD.as_millis() / config.frame.as_millis()) as u32,
            slots: Vec::with_capacity(config.max_legs),
            free: Vec::with_capacity(config.max_legs),
            joined: 0,
            frames: Vec::with_capacity(config.max_legs * frame),
            total: vec![0.0; frame],
            scratch: vec![0.0; frame],
            shared: vec![0; frame],
            limiter: Limiter::new(config.sample_rate),
            residue: 0.0,
            dominant: None,
            count: 0,
        })
    }

    /// How it was set up.
    #[must_use]
    pub const fn config(&self) -> &MixerConfig {
        &self.config
    }

    /// Legs there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.joined
    }

    /// Whether there is no leg.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.joined == 0
    }

    /// Frames mixed so far.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.count
    }

    /// The legs there are.
    pub fn legs(&self) -> impl Iterator<Item = LegId> {
        self.slots.iter().zip(0..).filter(|(slot, _)| slot.leg.is_some()).map(id)
    }

    /// A leg joins: it is faded in, both ways.
    ///
    /// # Errors
    /// [`MixError::Full`], [`MixError::Rate`], [`MixError::Gain`].
    pub fn join(&mut self, config: LegConfig) -> Result<LegId, MixError> {
        if !is_pcm_rate(config.sample_rate) {
            return Err(MixError::Rate(config.sample_rate));
        }
        check_gain(config.gain)?;
        check_gain(config.volume)?;
        if self.joined >= self.config.max_legs {
            return Err(MixError::Full(self.config.max_legs));
        }
        let leg = Leg::new(&config, self.config.sample_rate, self.frame)?;
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.slots.push(Slot { generation: 0, leg: None });
                self.frames.resize(self.slots.len() * self.frame, 0);
                (self.slots.len() - 1) as u32
            }
        };
        let slot = self.slots.get_mut(index as usize).ok_or(MixError::Full(self.config.max_legs))?;
        slot.leg = Some(leg);
        self.joined += 1;
        Ok(LegId { index, generation: slot.generation })
    }

    /// A leg leaves; what it said fades within some milliseconds.
    ///
    /// # Errors
    /// [`MixError::NoSuchLeg`].
    pub fn leave(&mut self, leg: LegId) -> Result<(), MixError> {
        let left = self.leg_mut(leg)?;
        let last = left.last;
        let slot = self.slots.get_mut(leg.index as usize).ok_or(MixError::NoSuchLeg)?;
        slot.leg = None;
        slot.generation = slot.generation.wrapping_add(1);
        self.residue += last;
        self.free.push(leg.index);
        self.joined -= 1;
        if self.dominant == Some(leg) {
            self.dominant = None;
        }
        Ok(())
    }

    /// Samples in a frame of this leg.
    ///
    /// # Errors
    /// [`MixError::NoSuchLeg`].
    pub fn frame_samples(&self, leg: LegId) -> Result<usize, MixError> {
        Ok(self.leg(leg)?.port.as_ref().map_or(self.frame, |port| port.frame().len()))
    }

    /// What a leg says in this frame.
    ///
    /// # Errors
    /// [`MixError::NoSuchLeg`], [`MixError::Length`].
    pub fn speak(&mut self, leg: LegId, pcm: &[i16]) -> Result<(), MixError> {
        let expected = self.frame_samples(leg)?;
        if pcm.len() != expected {
            return Err(MixError::Length { expected, got: pcm.len() });
        }
        self.speak_with(leg, |frame| frame.copy_from_slice(pcm))
    }

    /// As [`Mixer::speak`], without a copy: `fill` is given a frame of this leg, with whatever was in it, and fills it.
    ///
    /// # Errors
    /// [`MixError::NoSuchLeg`].
    pub fn speak_with(&mut self, leg: LegId, fill: impl FnOnce(&mut [i16])) -> Result<(), MixError> {
        let smoothing = self.smoothing;
        let range = self.range(leg);
        let slot = self.slots.get_mut(leg.index as usize).filter(|slot| slot.generation == leg.generation);
        let leg = slot.and_then(|slot| slot.leg.as_mut()).ok_or(MixError::NoSuchLeg)?;
        let frame = self.frames.get_mut(range).ok_or(MixError::NoSuchLeg)?;
        match &mut leg.port {
            Some(port) => {
                fill(port.frame_mut());
                port.speak(frame);
            }
            None => fill(frame),
        }
        leg.measure(frame, smoothing);
        Ok(())
    }

    /// Mixes what was said. A leg that said nothing since the last frame is faded out.
    pub fn mix(&mut self) {
        self.count += 1;
        self.choose();
        self.sum();
        let before = self.limiter.gain();
        self.limiter.run(&self.total, &mut self.shared, None);
        let shared = (before, self.limiter.gain());
        for (slot, frame) in self.slots.iter_mut().zip(self.frames.chunks_exact_mut(self.frame)) {
            let Some(leg) = &mut slot.leg else { continue };
            let was_shared = !leg.own;
            leg.own = leg.contributes() || !leg.heard.stays(1.0);
            if leg.own {
                if was_shared {
                    leg.limiter.set_gain(shared.0);
                }
                let said = if leg.contributes() { leg.said } else { Ramp { from: 0.0, to: 0.0 } };
                kernel::subtract(&self.total, frame, said, &mut self.scratch);
                kernel::scale(&mut self.scratch, leg.heard);
                // Where the next frame is the shared mix, this one ends as that does.
                let next_is_shared = leg.said.to == 0.0 && leg.heard.to == 1.0;
                leg.limiter.run(&self.scratch, frame, next_is_shared.then_some(shared.1));
            }
            if let Some(port) = &mut leg.port {
                port.hear(if leg.own { frame } else { &self.shared });
            }
            leg.spoke = false;
        }
    }

    /// What a leg hears of the last frame mixed.
    ///
    /// # Errors
    /// [`MixError::NoSuchLeg`].
    pub fn hear(&self, leg: LegId) -> Result<Heard<'_>, MixError> {
        let own = self.leg(leg)?;
        let pcm = match &own.port {
            Some(port) => port.frame(),
            None if own.own => self.frames.get(self.range(leg)).ok_or(MixError::NoSuchLeg)?,
            None => &self.shared,
        };
        Ok(Heard { pcm, shared: own.port.is_none() && !own.own })
    }

    /// What somebody hears who says nothing: all of it, as for a recording.
    #[must_use]
    pub fn shared(&self) -> &[i16] {
        &self.shared
    }

    /// Changes what a leg says by this factor from the next frame on.
    ///
    /// # Errors
    /// [`MixError::NoSuchLeg`], [`MixError::Gain`].
    pub fn set_gain(&mut self, leg: LegId, gain: f32) -> Result<(), MixError> {
        check_gain(gain)?;
        self.leg_mut(leg)?.gain = gain;
        Ok(())
    }

    /// Changes what a leg hears by this factor from the next frame on; 0 is nothing.
    ///
    /// # Errors
    /// [`MixError::NoSuchLeg`], [`MixError::Gain`].
    pub fn set_volume(&mut self, leg: LegId, volume: f32) -> Result<(), MixError> {
        check_gain(volume)?;
        self.leg_mut(leg)?.volume = volume;
        Ok(())
    }

    /// Mutes a leg, or no longer.
    ///
    /// # Errors
    /// [`MixError::NoSuchLeg`].
    pub fn set_muted(&mut self, leg: LegId, muted: bool) -> Result<(), MixError> {
        self.leg_mut(leg)?.muted = muted;
        Ok(())
    }

    /// How loud a leg was in the last frame that it gave; a muted one is measured too.
    ///
    /// # Errors
    /// [`MixError::NoSuchLeg`].
    pub fn meter(&self, leg: LegId) -> Result<Meter, MixError> {
        Ok(self.leg(leg)?.meter())
    }

    /// Who speaks: the loudest leg, which stays it until another is 6 dB louder; none while nobody is above -50 dBov.
    #[must_use]
    pub const fn dominant(&self) -> Option<LegId> {
        self.dominant
    }

    /// Chooses who is mixed.
    fn choose(&mut self) {
        for leg in self.slots.iter_mut().filter_map(|slot| slot.leg.as_mut()) {
            if !leg.spoke {
                leg.measure_nothing(self.smoothing);
            }
            leg.held = leg.held.saturating_add(1);
        }
        if self.joined <= self.config.speakers {
            self.slots.iter_mut().filter_map(|slot| slot.leg.as_mut()).for_each(|leg| leg.selected = true);
        } else {
            self.choose_loudest();
        }
        self.choose_dominant();
    }

    /// The loudest of those who wait take free places, and the places of those who are much weaker.
    fn choose_loudest(&mut self) {
        let mut chosen = 0;
        for leg in self.slots.iter_mut().filter_map(|slot| slot.leg.as_mut()) {
            leg.selected &= !leg.muted && chosen < self.config.speakers;
            chosen += usize::from(leg.selected);
        }
        // Each round chooses one, so there are no more than there are places.
        for _ in 0..self.config.speakers {
            let legs =
                || self.slots.iter().zip(0_usize..).filter_map(|(slot, at)| Some((slot.leg.as_ref()?, at)));
            let waiting = legs().filter(|(leg, _)| !leg.selected && leg.speaks());
            let Some((loudest, index)) = waiting.max_by(|a, b| a.0.smoothed.total_cmp(&b.0.smoothed)) else {
                return;
            };
            let mut out = None;
            if chosen >= self.config.speakers {
                let held = legs().filter(|(leg, _)| leg.selected && leg.held >= self.hold);
                let Some((weakest, at)) = held.min_by(|a, b| a.0.smoothed.total_cmp(&b.0.smoothed)) else {
                    return;
                };
                if loudest.smoothed < weakest.smoothed * LOUDER {
                    return;
                }
                out = Some(at);
            }
            for (at, selected) in [(out, false), (Some(index), true)] {
                let slot = at.and_then(|at| self.slots.get_mut(at));
                if let Some(leg) = slot.and_then(|slot| slot.leg.as_mut()) {
                    (leg.selected, leg.held) = (selected, 0);
                }
            }
            chosen = (chosen + 1).min(self.config.speakers);
        }
    }

    fn choose_dominant(&mut self) {
        let speaking = self.slots.iter().zip(0..).filter_map(|(slot, index)| {
            slot.leg
                .as_ref()
                .filter(|leg| leg.selected && leg.speaks())
                .map(|leg| (leg.smoothed, id((slot, index))))
        });
        let loudest = speaking.max_by(|a, b| a.0.total_cmp(&b.0));
        let current = self.dominant.and_then(|leg| self.leg(leg).ok()).filter(|leg| leg.speaks());
        match (loudest, current) {
            (Some((power, _)), Some(current)) if power < current.smoothed * LOUDER => {}
            (loudest, _) => self.dominant = loudest.map(|(_, leg)| leg),
        }
    }

    /// Sums what is said.
    fn sum(&mut self) {
        self.total.fill(0.0);
        for (slot, frame) in self.slots.iter_mut().zip(self.frames.chunks_exact_mut(self.frame)) {
            let Some(leg) = &mut slot.leg else { continue };
            if !leg.spoke {
                if let Some(port) = &mut leg.port {
                    port.rest(frame);
                }
                self.residue += leg.last;
            }
            leg.plan();
            leg.last = 0.0;
            if leg.contributes() {
                kernel::add(&mut self.total, frame, leg.said);
                leg.last = frame.last().map_or(0.0, |sample| f32::from(*sample) * leg.said.to);
            }
        }
        if self.residue != 0.0 {
            let kept = (-FADE / self.config.sample_rate as f32).exp();
            for sum in &mut self.total {
                self.residue *= kept;
                *sum += self.residue;
            }
            self.residue = 0.0;
        }
    }

    fn leg(&self, leg: LegId) -> Result<&Leg, MixError> {
        let slot = self.slots.get(leg.index as usize).filter(|slot| slot.generation == leg.generation);
        slot.and_then(|slot| slot.leg.as_ref()).ok_or(MixError::NoSuchLeg)
    }

    fn leg_mut(&mut self, leg: LegId) -> Result<&mut Leg, MixError> {
        let slot = self.slots.get_mut(leg.index as usize).filter(|slot| slot.generation == leg.generation);
        slot.and_then(|slot| slot.leg.as_mut()).ok_or(MixError::NoSuchLeg)
    }

    const fn range(&self, leg: LegId) -> core::ops::Range<usize> {
        let start = leg.index as usize * self.frame;
        start..start + self.frame
    }
}

const fn id((slot, index): (&Slot, u32)) -> LegId {
    LegId { index, generation: slot.generation }
}

fn check_gain(gain: f32) -> Result<(), MixError> {
    if (0.0..=MAX_GAIN).contains(&gain) { Ok(()) } else { Err(MixError::Gain(gain)) }
}
