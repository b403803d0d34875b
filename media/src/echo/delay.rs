//! How long the echo takes: a second, coarse model of the path, over every delay that is looked for.
//!
//! Sound card buffers make the delay between a frame played and its echo captured unknown. Far and near end are brought
//! down to 4 kHz, where a filter over the whole range costs little; the partition with which its response begins says
//! how many frames the exact filter can pass over.

use super::far::FarHistory;
use super::filter::{EchoFilter, FilterConfig};
use crate::spectrum::Fourier;

/// Samples of a frame at 4 kHz.
const FRAME: usize = 40;
/// The response begins where a frame of it has this share of the strongest frame's energy.
const BEGIN: f32 = 0.15;
/// The strongest frame has at least this share of all energy, or there is no echo to be seen.
const CLEAR: f32 = 0.2;
/// Frames looked at for which a new delay must be seen before it is believed.
const STEADY: u32 = 15;
/// Power of a far end that says something: -50 dBov.
const ACTIVE: f32 = 1e4;
/// What is left after the coarse filter as a share of the near end, for its response to be believed.
const BELIEVED: f32 = 0.7;

/// Frames in which the filter is of no use before it forgets.
const LOST: u32 = 30;

/// Finds the delay of the echo, in frames of 10 ms.
#[derive(Clone, Debug)]
pub(super) struct DelayEstimator {
    far_rate: Decimator,
    near_rate: Decimator,
    history: FarHistory,
    filter: EchoFilter,
    fourier: Fourier,
    far: Vec<f32>,
    near: Vec<f32>,
    echo: Vec<f32>,
    near_power: f32,
    left_power: f32,
    candidate: usize,
    seen: u32,
    /// One of so many frames is looked at, and how many are to be passed over before the next one.
    pace: u32,
    wait: u32,
    /// Active frames in a row in which the filter was of no use.
    lost: u32,
}

impl DelayEstimator {
    /// For delays up to `frames` frames at a sample rate that is a multiple of 4 kHz; only every `pace`-th frame is
    /// looked at, so that it takes longer and costs less.
    pub(super) fn new(sample_rate: u32, frames: usize, pace: u32) -> Self {
        let partitions = frames + 3;
        let config = FilterConfig { frame: FRAME, partitions, expected: 0.02, decay: 1.0, change: 0.005 };
        Self {
            far_rate: Decimator::new(sample_rate),
            near_rate: Decimator::new(sample_rate),
            history: FarHistory::new(FRAME, partitions),
            filter: EchoFilter::new(config),
            fourier: Fourier::new(2 * FRAME),
            far: vec![0.0; FRAME],
            near: vec![0.0; FRAME],
            echo: vec![0.0; FRAME],
            near_power: 0.0,
            left_power: 0.0,
            candidate: 0,
            seen: 0,
            lost: 0,
            pace,
            wait: 0,
        }
    }

    pub(super) fn reset(&mut self) {
        self.history.clear();
        self.filter.forget();
        self.near_power = 0.0;
        self.left_power = 0.0;
        self.seen = 0;
        self.lost = 0;
        self.wait = 0;
        self.candidate = 0;
        self.far_rate.reset();
        self.near_rate.reset();
    }

    /// Listens to a frame of both ends; says with which frame the response begins, once that is steady.
    pub(super) fn observe(&mut self, far: &[f32], near: &[f32]) -> Option<usize> {
        self.far_rate.process(far, &mut self.far);
        self.near_rate.process(near, &mut self.near);
        self.history.push(&self.far, &mut self.fourier);
        if self.wait > 0 {
            self.wait -= 1;
            return None;
        }
        self.wait = self.pace - 1;
        self.filter.estimate(&self.history, 0, &mut self.fourier, &mut self.echo);
        for (echo, near) in self.echo.iter_mut().zip(&self.near) {
            *echo = near - *echo;
        }
        self.near_power += 0.05 * (power(&self.near) - self.near_power);
        self.left_power += 0.05 * (power(&self.echo) - self.left_power);
        self.filter.learn(&self.history, 0, &self.echo, &mut self.fourier);
        if power(&self.far) < ACTIVE {
            return None;
        }
        if self.left_power > BELIEVED * self.near_power {
            self.lose();
            return None;
        }
        self.lost = 0;
        let begin = self.begin()?;
        if begin.abs_diff(self.candidate) > 1 {
            self.candidate = begin;
            self.seen = 0;
        }
        self.seen = self.seen.saturating_add(1);
        (self.seen >= STEADY).then_some(self.candidate)
    }

    /// A filter that was right and no longer is may be sure of the wrong delays: it begins anew.
    fn lose(&mut self) {
        self.lost = self.lost.saturating_add(1);
        if self.lost >= LOST && self.seen > 0 {
            self.filter.forget();
            self.seen = 0;
        }
    }

    /// The partition that the response begins with.
    fn begin(&self) -> Option<usize> {
        let (mut most, mut all) = (0.0_f32, 0.0);
        for energy in self.filter.energies() {
            most = most.max(energy);
            all += energy;
        }
        if most <= CLEAR * all {
            return None;
        }
        self.filter.energies().position(|energy| energy > BEGIN * most)
    }
}

/// Mean square.
pub(super) fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len().max(1) as f32
}

/// From the sample rate down to 4 kHz: a Butterworth low pass of fourth order at 1.5 kHz, and every n-th sample of it.
#[derive(Clone, Debug)]
struct Decimator {
    factor: usize,
    sections: [Section; 2],
}

/// A second-order section, in transposed direct form II.
#[derive(Clone, Copy, Debug)]
struct Section {
    b: f32,
    a: [f32; 2],
    state: [f32; 2],
}

impl Decimator {
    fn new(sample_rate: u32) -> Self {
        let section = |quality: f32| {
            let angle = core::f32::consts::TAU * 1500.0 / sample_rate as f32;
            let alpha = angle.sin() / (2.0 * quality);
            let scale = 1.0 / (1.0 + alpha);
            let a = [-2.0 * angle.cos() * scale, (1.0 - alpha) * scale];
            Section { b: (1.0 - angle.cos()) / 2.0 * scale, a, state: [0.0; 2] }
        };
        // The qualities of a Butterworth filter of fourth order.
        Self {
            factor: (sample_rate / 4000).max(1) as usize,
            sections: [section(0.541_196), section(1.306_563)],
        }
    }

    fn reset(&mut self) {
        self.sections.iter_mut().for_each(|section| section.state = [0.0; 2]);
    }

    fn process(&mut self, samples: &[f32], out: &mut [f32]) {
        for (group, out) in samples.chunks_exact(self.factor).zip(out) {
            for sample in group {
                *out = self.sections.iter_mut().fold(*sample, |sample, section| section.process(sample));
            }
        }
    }
}

impl Section {
    fn process(&mut self, x: f32) -> f32 {
        let [s0, s1] = self.state;
        let y = self.b * x + s0;
        self.state = [2.0 * self.b * x - self.a[0] * y + s1, self.b * x - self.a[1] * y];
        y
    }
}
