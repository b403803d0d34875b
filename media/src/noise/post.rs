//! What an echo filter leaves over, and noise: both are taken out by one gain for each bin.
//!
//! The gains are those of a Wiener filter for the echo that is left, and for the noise; they become a filter with linear
//! phase in time, so that the signal is only delayed by half its length (5 ms) and not by a whole frame. Where an
//! echo was cut away together with the noise around it, comfort noise of the same spectrum takes its place.
#![expect(
    clippy::indexing_slicing,
    clippy::needless_range_loop,
    reason = "lengths are set by `new` and every loop is bounded by them"
)]

use super::floor::{LEAST, NoiseFloor};
use crate::spectrum::{Fourier, Spectrum};
use core::f32::consts::PI;

/// How much of the signal-to-noise ratio of the frame before is kept (decision-directed estimate).
const KEEP_NOISE: f32 = 0.85;
const KEEP_ECHO: f32 = 0.6;
/// What is left of an echo in any case, as a share of the power of what was taken out: -30 dB.
const LEAK: f32 = 0.001;
/// The same when it was the echo of another path.
const ASTRAY: f32 = 4.0;
/// What of the expected residual is taken for real: a frame is half of its block, and the filter doubts itself twice as
/// much as it must.
const RESIDUAL: f32 = 0.25;
/// There is an echo if what was taken out has this share of the power of the rest, or what may be left has.
const REMOVED: f32 = 0.1;
const LEFT: f32 = 0.2;
/// The least gain against echo: -50 dB.
const LEAST_GAIN: f32 = 0.003;
/// Power of a frame under a Hann window, as a share of that of the same frame with as many zeros before it.
const WINDOWED: f32 = 0.75;
/// A power spectrum of noise under a Hann window, times this, has that noise's power without one.
const UNWINDOWED: f32 = 2.0 / WINDOWED;

/// The echo that an adaptive filter found in a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EchoPart<'a> {
    /// What it took out.
    pub(crate) removed: &'a [f32],
    /// Expected power of what it did not, in each bin.
    pub(crate) residual: &'a [f32],
    /// It took out the echo of another path, which makes things worse: all of it may be left.
    pub(crate) astray: bool,
}

/// The gains and the filter made of them.
#[derive(Clone, Debug)]
pub(crate) struct PostFilter {
    frame: usize,
    /// The least gain against noise; 1 when noise is left as it is.
    noise_gain: f32,
    /// The frame before and this one.
    near: Vec<f32>,
    removed: Vec<f32>,
    spectrum: Spectrum,
    other: Spectrum,
    power: Vec<f32>,
    echo: Vec<f32>,
    floor: NoiseFloor,
    /// Speech over noise, and over echo, in the frame before.
    over_noise: Vec<f32>,
    over_echo: Vec<f32>,
    gain: Vec<f32>,
    response: [Spectrum; 2],
    /// Which of the two responses is the newer.
    newer: usize,
    taper: Vec<f32>,
    comfort: Comfort,
    block: Vec<f32>,
    faded: Vec<f32>,
}

impl PostFilter {
    /// For frames of `frame` samples. Noise is lowered by up to `noise_gain`, a factor of amplitude; 1 for not at all.
    pub(crate) fn new(frame: usize, noise_gain: f32) -> Self {
        let bins = frame + 1;
        let reach = (frame / 2) as f32 + 1.0;
        let mut filter = Self {
            frame,
            noise_gain,
            near: vec![0.0; 2 * frame],
            removed: vec![0.0; 2 * frame],
            spectrum: Spectrum::new(bins),
            other: Spectrum::new(bins),
            power: vec![0.0; bins],
            echo: vec![0.0; bins],
            floor: NoiseFloor::new(bins),
            over_noise: vec![0.0; bins],
            over_echo: vec![0.0; bins],
            gain: vec![1.0; bins],
            response: [Spectrum::new(bins), Spectrum::new(bins)],
            newer: 0,
            taper: (0..=frame / 2).map(|n| 0.5 + 0.5 * (PI * n as f32 / reach).cos()).collect(),
            comfort: Comfort::new(frame),
            block: vec![0.0; 2 * frame],
            faded: vec![0.0; 2 * frame],
        };
        filter.pure_delay();
        filter
    }

    /// Samples by which the signal is delayed.
    pub(crate) const fn delay(&self) -> usize {
        self.frame / 2
    }

    /// Forgets the signal and the noise.
    pub(crate) fn reset(&mut self) {
        self.near.fill(0.0);
        self.removed.fill(0.0);
        self.over_noise.fill(0.0);
        self.over_echo.fill(0.0);
        self.floor.reset();
        self.comfort.reset();
        self.newer = 0;
        self.pure_delay();
    }

    /// Both responses let everything pass.
    fn pure_delay(&mut self) {
        let delay = self.delay();
        for response in &mut self.response {
            for k in 0..=self.frame {
                let angle = -PI * (k * delay % (2 * self.frame)) as f32 / self.frame as f32;
                response.re[k] = angle.cos();
                response.im[k] = angle.sin();
            }
        }
    }

    /// Filters a frame; `echo` says what an echo filter did to it.
    pub(crate) fn process(
        &mut self,
        near: &[f32],
        echo: Option<EchoPart<'_>>,
        fourier: &mut Fourier,
        out: &mut [f32],
    ) {
        push(&mut self.near, near);
        fourier.forward(&self.near, &mut self.spectrum);
        hann_power(&self.spectrum, &mut self.power);
        let sounding = echo.is_some_and(|part| self.weigh_echo(&part, fourier));
        self.floor.learn(&self.power, sounding);
        let cut = self.decide(echo.is_some());
        self.shape(fourier);
        self.apply(fourier, out);
        self.comfort.add(self.floor.power(), cut.then_some((&*self.echo, self.noise_gain)), fourier, out);
    }

    /// The power of the echo that may be left, in each bin; says whether there is an echo at all.
    fn weigh_echo(&mut self, part: &EchoPart<'_>, fourier: &mut Fourier) -> bool {
        push(&mut self.removed, part.removed);
        fourier.forward(&self.removed, &mut self.other);
        hann_power(&self.other, &mut self.echo);
        let (mut all, mut removed, mut left) = (0.0, 0.0, 0.0);
        let leak = if part.astray { ASTRAY } else { LEAK };
        for ((echo, residual), power) in self.echo.iter_mut().zip(part.residual).zip(&self.power) {
            all += power;
            removed += *echo;
            *echo = (*echo * leak).max(WINDOWED * RESIDUAL * residual);
            left += *echo;
        }
        removed > REMOVED * all || left > LEFT * all
    }

    /// Sets the gains; says whether an echo is cut away, whose share in the gains is left in `echo` then, as the power
    /// that comfort noise should have in each bin by that of the noise.
    fn decide(&mut self, with_echo: bool) -> bool {
        let noise = self.floor.power();
        let mut cut = false;
        for k in 0..self.gain.len() {
            let power = self.power[k];
            let mut gain = 1.0;
            if with_echo {
                let ratio = power / (self.echo[k] + LEAST);
                let over = KEEP_ECHO * self.over_echo[k] + (1.0 - KEEP_ECHO) * (ratio - 1.0).max(0.0);
                gain = (over / (1.0 + over)).max(LEAST_GAIN);
                self.over_echo[k] = gain * gain * ratio;
                self.echo[k] = 1.0 - gain * gain;
                cut |= gain < 0.9;
            }
            if self.noise_gain < 1.0 {
                let ratio = power / (noise[k] + LEAST);
                let over = KEEP_NOISE * self.over_noise[k] + (1.0 - KEEP_NOISE) * (ratio - 1.0).max(0.0);
                let against = (over / (1.0 + over)).max(self.noise_gain);
                self.over_noise[k] = against * against * ratio;
                gain *= against;
            }
            self.gain[k] = gain;
        }
        cut
    }

    /// Makes a filter of the gains.
    fn shape(&mut self, fourier: &mut Fourier) {
        let (length, delay) = (2 * self.frame, self.delay());
        self.other.re.copy_from_slice(&self.gain);
        self.other.im.fill(0.0);
        fourier.inverse(&self.other, &mut self.block);
        self.faded.fill(0.0);
        for (n, taper) in self.taper.iter().enumerate() {
            let tap = taper * self.block[n];
            self.faded[delay + n] = tap;
            self.faded[delay - n] = tap;
        }
        debug_assert!(2 * delay < length, "room for the response");
        self.newer = 1 - self.newer;
        fourier.forward(&self.faded, &mut self.response[self.newer]);
    }

    /// Filters with the response of the frame before, and over to that of this one.
    fn apply(&mut self, fourier: &mut Fourier, out: &mut [f32]) {
        let frame = self.frame;
        multiply(&self.spectrum, &self.response[1 - self.newer], &mut self.other);
        fourier.inverse(&self.other, &mut self.faded);
        multiply(&self.spectrum, &self.response[self.newer], &mut self.other);
        fourier.inverse(&self.other, &mut self.block);
        let step = 1.0 / frame as f32;
        for (n, out) in out.iter_mut().enumerate().take(frame) {
            let share = (n as f32 + 0.5) * step;
            let (old, new) = (self.faded[frame + n], self.block[frame + n]);
            *out = old + share * (new - old);
        }
    }
}

/// Moves a frame into a block of two.
fn push(block: &mut [f32], frame: &[f32]) {
    let half = block.len() / 2;
    block.copy_within(half.., 0);
    block[half..].copy_from_slice(frame);
}

fn multiply(a: &Spectrum, b: &Spectrum, out: &mut Spectrum) {
    let bins = out.re.len();
    let (ar, ai, br, bi) = (&a.re[..bins], &a.im[..bins], &b.re[..bins], &b.im[..bins]);
    let (re, im) = (&mut out.re[..bins], &mut out.im[..bins]);
    for k in 0..bins {
        re[k] = ar[k] * br[k] - ai[k] * bi[k];
        im[k] = ar[k] * bi[k] + ai[k] * br[k];
    }
}

/// The power spectrum that the block would have under a Hann window, which is a sum of three neighbours in frequency.
fn hann_power(spectrum: &Spectrum, out: &mut [f32]) {
    let last = out.len() - 1;
    let (re, im) = (&spectrum.re, &spectrum.im);
    for k in 1..last {
        let r = 0.5 * re[k] - 0.25 * (re[k - 1] + re[k + 1]);
        let i = 0.5 * im[k] - 0.25 * (im[k - 1] + im[k + 1]);
        out[k] = r * r + i * i;
    }
    // Around both ends the spectrum of a real signal is its own mirror.
    out[0] = (0.5 * (re[0] - re[1])).powi(2);
    out[last] = (0.5 * (re[last] - re[last - 1])).powi(2);
}

/// Where the random phases begin.
const SEED: u32 = 0x9e37_79b9;

/// Noise with a given spectrum.
#[derive(Clone, Debug)]
struct Comfort {
    state: u32,
    spectrum: Spectrum,
    window: Vec<f32>,
    block: Vec<f32>,
    /// The second half of the block before.
    tail: Vec<f32>,
    sounding: bool,
}

impl Comfort {
    fn new(frame: usize) -> Self {
        Self {
            state: SEED,
            spectrum: Spectrum::new(frame + 1),
            // Its squares at a distance of a frame add up to one.
            window: (0..2 * frame).map(|n| (PI * (n as f32 + 0.5) / (2 * frame) as f32).sin()).collect(),
            block: vec![0.0; 2 * frame],
            tail: vec![0.0; frame],
            sounding: false,
        }
    }

    fn reset(&mut self) {
        self.state = SEED;
        self.sounding = false;
    }

    /// Adds noise of the power `noise` times the given share in each bin, lowered as noise is lowered here.
    fn add(&mut self, noise: &[f32], share: Option<(&[f32], f32)>, fourier: &mut Fourier, out: &mut [f32]) {
        if self.sounding {
            for (out, tail) in out.iter_mut().zip(&self.tail) {
                *out += tail;
            }
        }
        self.sounding = share.is_some();
        let Some((share, gain)) = share else { return };
        for (k, (noise, share)) in noise.iter().zip(share).enumerate() {
            // Both parts are even between -1 and 1, which is a variance of two thirds together.
            let scale = gain * (1.5 * UNWINDOWED * noise * share.max(0.0)).sqrt();
            self.spectrum.re[k] = scale * self.random();
            self.spectrum.im[k] = scale * self.random();
        }
        self.spectrum.im[0] = 0.0;
        fourier.inverse(&self.spectrum, &mut self.block);
        for (sample, window) in self.block.iter_mut().zip(&self.window) {
            *sample *= window;
        }
        let (first, second) = self.block.split_at(self.tail.len());
        for (out, first) in out.iter_mut().zip(first) {
            *out += first;
        }
        self.tail.copy_from_slice(second);
    }

    /// Between -1 and 1.
    fn random(&mut self) -> f32 {
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.state >> 8) as f32 / 8_388_608.0 - 1.0
    }
}
