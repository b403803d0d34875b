//! One participant of a conference.

use super::kernel::{self, Ramp};
use super::limiter::Limiter;
use super::{FLOOR, LegConfig, MixError};
use crate::level::SILENCE_DBOV;
use crate::resample::Resampler;

/// What a leg's meter shows of the last frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Meter {
    /// The largest magnitude of a sample, before gain and mute.
    pub peak: u16,
    /// The power of the frame in dBov, before gain and mute; [`SILENCE_DBOV`] for silence.
    pub level: f32,
    /// The same over the last moments: up within 20 ms, down within 300 ms. Speakers are chosen by it.
    pub smoothed: f32,
    /// Whether it is among those who are mixed.
    pub selected: bool,
}

/// A participant. Its samples are in the mixer, one frame for each.
#[derive(Clone, Debug)]
pub(super) struct Leg {
    pub(super) gain: f32,
    pub(super) volume: f32,
    pub(super) muted: bool,
    /// It gave a frame since the last mix.
    pub(super) spoke: bool,
    /// How much of the frame goes into the mix.
    pub(super) said: Ramp,
    /// How loud it hears the mix.
    pub(super) heard: Ramp,
    /// Among those who are mixed, and for how many frames.
    pub(super) selected: bool,
    pub(super) held: u32,
    /// It hears a mix of its own, which is in its frame; else the shared one.
    pub(super) own: bool,
    /// The last sample that went into the mix.
    pub(super) last: f32,
    pub(super) limiter: Limiter,
    pub(super) port: Option<Box<RatePort>>,
    /// Mean square of the last frame, and of the last moments.
    power: f32,
    pub(super) smoothed: f32,
    peak: u16,
}

/// How fast levels follow: the share of the difference taken in a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Smoothing {
    up: f32,
    down: f32,
}

impl Smoothing {
    pub(super) fn new(frame_millis: f32) -> Self {
        Self { up: 1.0 - (-frame_millis / 20.0).exp(), down: 1.0 - (-frame_millis / 300.0).exp() }
    }
}

impl Leg {
    pub(super) fn new(config: &LegConfig, mixer_rate: u32, frame: usize) -> Result<Self, MixError> {
        let port = if config.sample_rate == mixer_rate {
            None
        } else {
            Some(Box::new(RatePort::new(config.sample_rate, mixer_rate, frame)?))
        };
        Ok(Self {
            gain: config.gain,
            volume: config.volume,
            muted: config.muted,
            spoke: false,
            said: Ramp { from: 0.0, to: 0.0 },
            heard: Ramp { from: 0.0, to: 0.0 },
            selected: false,
            held: 0,
            own: false,
            last: 0.0,
            limiter: Limiter::new(mixer_rate),
            port,
            power: 0.0,
            smoothed: 0.0,
            peak: 0,
        })
    }

    /// Measures the frame that it gave.
    pub(super) fn measure(&mut self, pcm: &[i16], smoothing: Smoothing) {
        let (energy, peak) = kernel::measure(pcm);
        (self.spoke, self.peak) = (true, peak);
        self.follow(energy / pcm.len().max(1) as f32, smoothing);
    }

    /// It gave no frame.
    pub(super) fn measure_nothing(&mut self, smoothing: Smoothing) {
        self.peak = 0;
        self.follow(0.0, smoothing);
    }

    fn follow(&mut self, power: f32, smoothing: Smoothing) {
        let share = if power > self.smoothed { smoothing.up } else { smoothing.down };
        self.power = power;
        self.smoothed += (power - self.smoothed) * share;
    }

    /// Whether it may be chosen: loud enough to be speech, and not muted.
    pub(super) fn speaks(&self) -> bool {
        !self.muted && self.smoothed > FLOOR
    }

    /// Plans the frame: how much of it goes into the mix, and how loud the mix is heard.
    pub(super) const fn plan(&mut self) {
        let goes_in = self.selected && self.spoke && !self.muted;
        // A frame that is missing is faded out by the mixer; the next one then begins from silence.
        let from = if self.spoke { self.said.to } else { 0.0 };
        self.said = Ramp { from, to: if goes_in { self.gain } else { 0.0 } };
        self.heard = Ramp { from: self.heard.to, to: self.volume };
    }

    /// Whether anything of it goes into this frame's mix.
    pub(super) fn contributes(&self) -> bool {
        self.spoke && !self.said.stays(0.0)
    }

    pub(super) fn meter(&self) -> Meter {
        Meter {
            peak: self.peak,
            level: decibels(self.power),
            smoothed: decibels(self.smoothed),
            selected: self.selected,
        }
    }
}

/// In dBov: a square wave of full scale is 0 dB.
fn decibels(power: f32) -> f32 {
    const FULL_SCALE: f32 = 32_768.0 * 32_768.0;
    (10.0 * (power / FULL_SCALE).log10()).max(SILENCE_DBOV)
}

/// Between a leg's sample rate and the mixer's.
#[derive(Clone, Debug)]
pub(super) struct RatePort {
    up: Resampler,
    down: Resampler,
    /// A frame at the leg's rate: what it says until it is mixed, then what it hears.
    frame: Vec<i16>,
}

impl RatePort {
    fn new(leg: u32, mixer: u32, frame: usize) -> Result<Self, MixError> {
        let samples = (frame as u64 * u64::from(leg) / u64::from(mixer)) as usize;
        let resampler = |from, to| Resampler::new(from, to).map_err(|_| MixError::Rate(leg));
        Ok(Self { up: resampler(leg, mixer)?, down: resampler(mixer, leg)?, frame: vec![0; samples] })
    }

    /// The leg's frame.
    pub(super) fn frame(&self) -> &[i16] {
        &self.frame
    }

    /// The leg's frame, to be filled with what it says.
    pub(super) fn frame_mut(&mut self) -> &mut [i16] {
        &mut self.frame
    }

    /// Takes the leg's frame to the mixer's rate.
    pub(super) fn speak(&mut self, pcm: &mut [i16]) {
        self.up.process(&self.frame, pcm);
    }

    /// The leg said nothing: its filter goes on with silence.
    pub(super) fn rest(&mut self, pcm: &mut [i16]) {
        self.frame.fill(0);
        self.up.process(&self.frame, pcm);
    }

    /// Takes what the leg hears to its own rate.
    pub(super) fn hear(&mut self, pcm: &[i16]) {
        self.down.process(pcm, &mut self.frame);
    }
}
