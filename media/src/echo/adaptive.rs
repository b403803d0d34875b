//! The canceller made of the parts.

use super::config::processing_rate;
use super::delay::{DelayEstimator, power};
use super::far::FarHistory;
use super::filter::{EchoFilter, FilterConfig};
use super::{EchoCanceller, EchoConfig};
use crate::level::factor;
use crate::noise::{EchoPart, PostFilter};
use crate::samples::{to_f32, to_i16};
use crate::spectrum::Fourier;

/// What the shadow filter must leave over to be better, as a share of what the filter leaves.
const BETTER: f32 = 0.7;
/// Frames for which it must be better, and for which it is not asked again then.
const BETTER_FRAMES: u32 = 3;
const HOLD_FRAMES: u32 = 30;
/// Errors below this mean square are not compared: -70 dBov.
const AUDIBLE: f32 = 100.0;
/// A frame in which more than this share of the near end is left over has the wrong echo taken out
/// of it; so it is, over some frames, with less.
const WORSE: f32 = 1.3;
const WORSE_LONG: f32 = 1.05;
/// How fast the errors are averaged.
const RATE: f32 = 0.15;
/// Partitions of the shadow filter, at most.
const SHADOW: usize = 4;
/// A filter of so few partitions needs no shadow: it forgets fast enough itself. Nor is such a path's delay looked for
/// in each frame, but in one of so many.
const SHORT: usize = 2;
const SHORT_PACE: u32 = 3;
/// The delay is followed when the response begins more than this many frames after the filter does, or before it.
const SLACK: usize = 2;

/// An echo canceller that learns the path; see [the module](super).
#[derive(Clone, Debug)]
pub struct AdaptiveEchoCanceller {
    frame: usize,
    fourier: Fourier,
    history: FarHistory,
    filter: EchoFilter,
    shadow: Option<EchoFilter>,
    delay: Option<DelayEstimator>,
    /// Frames of the far end that the filter passes over.
    offset: usize,
    post: Option<PostFilter>,
    far: Vec<f32>,
    near: Vec<f32>,
    echo: Vec<f32>,
    left: Vec<f32>,
    shadow_left: Vec<f32>,
    out: Vec<f32>,
    power: Powers,
    better: u32,
    hold: u32,
    /// How much of the estimated echo was taken out at the end of the last frame, 0 to 1.
    share: f32,
}

/// Averages of the mean squares of frames.
#[derive(Clone, Copy, Debug, Default)]
struct Powers {
    near: f32,
    left: f32,
    shadow: f32,
}

impl AdaptiveEchoCanceller {
    /// A canceller that knows nothing of the path yet. All memory is taken here.
    #[must_use]
    pub fn new(config: EchoConfig) -> Self {
        let rate = processing_rate(config.sample_rate);
        let frame = rate as usize / 100;
        let partitions = (config.tail.as_millis().div_ceil(10) as usize).clamp(1, 40);
        let delay = (config.max_delay.as_millis().div_ceil(10) as usize).min(50);
        let short = partitions <= SHORT;
        let change = if short { 0.002 } else { 0.0002 };
        let model = FilterConfig { frame, partitions, expected: 0.1, decay: 0.5, change };
        let shadow = FilterConfig { partitions: partitions.min(SHADOW), change: 0.03, ..model };
        let reduction = factor(-f32::from(config.noise_reduction.min(60)));
        Self {
            frame,
            fourier: Fourier::new(2 * frame),
            history: FarHistory::new(frame, delay + partitions),
            filter: EchoFilter::new(model),
            shadow: (!short).then(|| EchoFilter::new(shadow)),
            delay: (delay > 0).then(|| DelayEstimator::new(rate, delay, if short { SHORT_PACE } else { 1 })),
            offset: 0,
            post: config.suppress.then(|| PostFilter::new(frame, reduction)),
            far: vec![0.0; frame],
            near: vec![0.0; frame],
            echo: vec![0.0; frame],
            left: vec![0.0; frame],
            shadow_left: vec![0.0; frame],
            out: vec![0.0; frame],
            power: Powers::default(),
            better: 0,
            hold: 0,
            share: 1.0,
        }
    }

    /// Samples in a frame.
    #[must_use]
    pub const fn frame_samples(&self) -> usize {
        self.frame
    }

    /// The delay between playing and the first echo that was found, in frames of 10 ms rounded down; the filter begins
    /// there or a frame before.
    #[must_use]
    pub const fn path_delay(&self) -> usize {
        self.offset
    }

    fn find_delay(&mut self) {
        let Some(estimator) = &mut self.delay else { return };
        let Some(begin) = estimator.observe(&self.far, &self.near) else { return };
        if (self.offset..=self.offset + SLACK).contains(&begin) && (begin > self.offset || begin == 0) {
            return;
        }
        // One frame earlier: what the coarse filter cannot see.
        let offset = begin.saturating_sub(1);
        let later = offset as isize - self.offset as isize;
        for filter in self.shadow.iter_mut().chain([&mut self.filter]) {
            filter.shift(later);
            filter.doubt(1.0);
        }
        self.offset = offset;
    }

    /// A path that changed: the shadow filter, which forgets fast, is better for some frames. While the near end speaks
    /// it never is.
    fn compare(&mut self) {
        self.power.near += RATE * (power(&self.near) - self.power.near);
        self.power.left += RATE * (power(&self.left) - self.power.left);
        let Some(shadow) = &self.shadow else { return };
        self.power.shadow += RATE * (power(&self.shadow_left) - self.power.shadow);
        self.hold = self.hold.saturating_sub(1);
        let better = self.power.shadow < BETTER * self.power.left && self.power.shadow > AUDIBLE;
        self.better = if better { self.better + 1 } else { 0 };
        if self.better >= BETTER_FRAMES && self.hold == 0 {
            self.filter.adopt(shadow);
            self.filter.doubt(1.0);
            self.hold = HOLD_FRAMES;
            self.better = 0;
        }
    }

    /// Takes the estimated echo out, unless that makes it worse: then it fades in again. Says whether it is worse for
    /// longer than in double talk, which is so when the path changed.
    fn take_out(&mut self) -> bool {
        let worse =
            power(&self.left) > WORSE * power(&self.near) || self.power.left > WORSE_LONG * self.power.near;
        let wanted = if worse { 0.0 } else { 1.0 };
        let step = (wanted - self.share) / self.frame as f32;
        if step == 0.0 && wanted == 1.0 {
            return false;
        }
        let mut share = self.share;
        for ((left, echo), near) in self.left.iter_mut().zip(&self.echo).zip(&self.near) {
            share += step;
            *left = near - share * echo;
        }
        self.share = wanted;
        self.power.left > WORSE_LONG * self.power.near
    }
}

impl EchoCanceller for AdaptiveEchoCanceller {
    fn process(&mut self, far: &[i16], near: &[i16], out: &mut [i16]) {
        if far.len() != self.frame || near.len() != self.frame || out.len() != self.frame {
            for (out, near) in out.iter_mut().zip(near) {
                *out = *near;
            }
            return;
        }
        to_f32(far, &mut self.far);
        to_f32(near, &mut self.near);
        self.history.push(&self.far, &mut self.fourier);
        self.find_delay();
        let shadow = self.shadow.as_mut().map(|shadow| (shadow, &mut self.shadow_left));
        for (filter, left) in shadow.into_iter().chain([(&mut self.filter, &mut self.left)]) {
            filter.estimate(&self.history, self.offset, &mut self.fourier, &mut self.echo);
            for ((left, near), echo) in left.iter_mut().zip(&self.near).zip(&self.echo) {
                *left = near - echo;
            }
        }
        self.compare();
        if let Some(shadow) = &mut self.shadow {
            shadow.learn(&self.history, self.offset, &self.shadow_left, &mut self.fourier);
        }
        self.filter.learn(&self.history, self.offset, &self.left, &mut self.fourier);
        let astray = self.take_out();
        match &mut self.post {
            Some(post) => {
                let echo = EchoPart { removed: &self.echo, residual: self.filter.residual(), astray };
                post.process(&self.left, Some(echo), &mut self.fourier, &mut self.out);
                to_i16(&self.out, out);
            }
            None => to_i16(&self.left, out),
        }
    }

    fn delay(&self) -> usize {
        self.post.as_ref().map_or(0, PostFilter::delay)
    }

    fn reset(&mut self) {
        self.history.clear();
        self.filter.forget();
        self.shadow.iter_mut().for_each(EchoFilter::forget);
        if let Some(delay) = &mut self.delay {
            delay.reset();
        }
        self.offset = 0;
        if let Some(post) = &mut self.post {
            post.reset();
        }
        self.power = Powers::default();
        self.better = 0;
        self.hold = 0;
        self.share = 1.0;
    }
}
