//! The model of the echo path: a partitioned filter in the frequency domain whose step each bin sets for itself.
//!
//! Each partition of 10 ms has a transfer function, and beside it the variance of what is still wrong with it (a Kalman
//! filter with a diagonal covariance). The step follows from that variance and from the power of everything that is no
//! echo, so the filter learns fast while it knows little, and holds still while the near end speaks; no detector of
//! double talk is needed. After Enzner and Vary, "Frequency-domain adaptive Kalman filter for acoustic echo control in
//! hands-free telephones", Signal Processing 86 (2006), and Kuech et al., "State-space architecture of the
//! partitioned-block-based acoustic echo controller", ICASSP 2014.
#![expect(clippy::indexing_slicing, reason = "lengths are set by `new` and every loop is bounded by them")]

use super::far::FarHistory;
use crate::spectrum::{Fourier, Spectrum};

/// A frame is half of a block.
const HALF: f32 = 0.5;
/// Speech is no white noise: half of the step that the theory has for it converges faster ...
const STEP: f32 = 0.5;
/// ... and a step teaches less than the theory says, as the bins and the partitions depend on each other.
const CERTAINTY: f32 = 0.25;
/// How fast the power of what is no echo is averaged, and how much of that of this frame counts at once.
const NOISE_RATE: f32 = 0.1;
const NOISE_NOW: f32 = 0.5;
/// Keeps the variances out of the range where arithmetic is slow (subnormal numbers).
const LEAST_VARIANCE: f32 = 1e-14;

/// What a filter of the echo path is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct FilterConfig {
    /// Samples in a frame.
    pub(super) frame: usize,
    /// Partitions of a frame each.
    pub(super) partitions: usize,
    /// What a path is expected to have as power gain in its first partition, before anything is known.
    pub(super) expected: f32,
    /// By how much each later partition is expected to be weaker.
    pub(super) decay: f32,
    /// The share of a path's power that is expected to change in a frame.
    pub(super) change: f32,
}

#[derive(Clone, Debug)]
struct Partition {
    weights: Spectrum,
    /// Variance of the error of the weights.
    variance: Vec<f32>,
}

/// The filter.
#[derive(Clone, Debug)]
pub(super) struct EchoFilter {
    config: FilterConfig,
    partitions: Vec<Partition>,
    next_constrained: usize,
    /// Power of what is no echo.
    noise: Vec<f32>,
    /// Expected power of the echo that is not removed.
    residual: Vec<f32>,
    spectrum: Spectrum,
    step: Vec<f32>,
    block: Vec<f32>,
}

impl EchoFilter {
    pub(super) fn new(config: FilterConfig) -> Self {
        let bins = config.frame + 1;
        let partition = Partition { weights: Spectrum::new(bins), variance: vec![0.0; bins] };
        let mut filter = Self {
            partitions: vec![partition; config.partitions],
            next_constrained: 0,
            noise: vec![0.0; bins],
            residual: vec![0.0; bins],
            spectrum: Spectrum::new(bins),
            step: vec![0.0; bins],
            block: vec![0.0; 2 * config.frame],
            config,
        };
        filter.forget();
        filter
    }

    /// Nothing is known of the path any more.
    pub(super) fn forget(&mut self) {
        for partition in &mut self.partitions {
            partition.weights.clear();
        }
        for partition in &mut self.partitions {
            partition.variance.fill(0.0);
        }
        self.doubt(1.0);
        self.noise.fill(0.0);
        self.next_constrained = 0;
    }

    /// What is known is no longer sure: the variances go up to `share` of those of an unknown path.
    pub(super) fn doubt(&mut self, share: f32) {
        let mut expected = share * self.config.expected;
        for partition in &mut self.partitions {
            partition.variance.iter_mut().for_each(|variance| *variance = variance.max(expected));
            expected *= self.config.decay;
        }
    }

    /// Takes over what another filter has learnt, which may have fewer partitions; how sure it is stays as it is here.
    pub(super) fn adopt(&mut self, other: &Self) {
        for partition in self.partitions.iter_mut().skip(other.partitions.len()) {
            partition.weights.clear();
        }
        for (own, other) in self.partitions.iter_mut().zip(&other.partitions) {
            own.weights.copy_from(&other.weights);
        }
    }

    /// The path begins `later` frames later than it did, or earlier if that is negative: what is known moves along.
    pub(super) fn shift(&mut self, later: isize) {
        let moved = later.unsigned_abs().min(self.partitions.len());
        let kept = self.partitions.len() - moved;
        let unknown = if later >= 0 {
            self.partitions.rotate_left(moved);
            kept..self.partitions.len()
        } else {
            self.partitions.rotate_right(moved);
            0..moved
        };
        let FilterConfig { expected, decay, .. } = self.config;
        for (age, partition) in self.partitions.iter_mut().enumerate() {
            if unknown.contains(&age) {
                partition.weights.clear();
                partition.variance.fill(expected * decay.powi(age as i32));
            }
        }
    }

    /// Energy of each partition's response, in no particular unit.
    pub(super) fn energies(&self) -> impl Iterator<Item = f32> {
        self.partitions.iter().map(|partition| {
            let weights = &partition.weights;
            weights.re.iter().zip(&weights.im).map(|(re, im)| re * re + im * im).sum()
        })
    }

    /// Writes the echo that the frame should have; `offset` is the age of the far end's frame that the path begins with.
    pub(super) fn estimate(
        &mut self,
        far: &FarHistory,
        offset: usize,
        fourier: &mut Fourier,
        echo: &mut [f32],
    ) {
        self.spectrum.clear();
        self.residual.fill(0.0);
        for (age, partition) in self.partitions.iter().enumerate() {
            let (x, w, y) = (far.spectrum(offset + age), &partition.weights, &mut self.spectrum);
            let power = far.power(offset + age);
            let bins = self.config.frame + 1;
            let (xr, xi) = (&x.re[..bins], &x.im[..bins]);
            let (wr, wi) = (&w.re[..bins], &w.im[..bins]);
            let (yr, yi) = (&mut y.re[..bins], &mut y.im[..bins]);
            let (variance, residual) = (&partition.variance[..bins], &mut self.residual[..bins]);
            for k in 0..bins {
                yr[k] += xr[k] * wr[k] - xi[k] * wi[k];
                yi[k] += xr[k] * wi[k] + xi[k] * wr[k];
                residual[k] += variance[k] * power[k];
            }
        }
        fourier.inverse(&self.spectrum, &mut self.block);
        echo.copy_from_slice(&self.block[self.config.frame..]);
    }

    /// Expected power of the residual echo in the frame that was estimated last: of a whole block, in the scale of
    /// the spectrum of a frame with as many zeros before it.
    pub(super) fn residual(&self) -> &[f32] {
        &self.residual
    }

    /// Learns from what the estimate left over; call it after [`estimate`](Self::estimate) with the same `offset`.
    pub(super) fn learn(&mut self, far: &FarHistory, offset: usize, error: &[f32], fourier: &mut Fourier) {
        let frame = self.config.frame;
        let bins = frame + 1;
        self.block[..frame].fill(0.0);
        self.block[frame..].copy_from_slice(error);
        fourier.forward(&self.block, &mut self.spectrum);
        // Two samples of noise of one LSB each, so that digital silence teaches nothing.
        let least = 4.0 * frame as f32;
        let (er, ei) = (&self.spectrum.re[..bins], &self.spectrum.im[..bins]);
        for k in 0..bins {
            let power = er[k] * er[k] + ei[k] * ei[k];
            self.noise[k] += NOISE_RATE * (power - self.noise[k]);
            let noise = self.noise[k].max(power * NOISE_NOW) + least;
            self.step[k] = STEP / (HALF * self.residual[k] + noise);
        }
        let change = self.config.change;
        let keep = (1.0 - change).sqrt();
        for (age, partition) in self.partitions.iter_mut().enumerate() {
            let x = far.spectrum(offset + age);
            let power = &far.power(offset + age)[..bins];
            let (xr, xi) = (&x.re[..bins], &x.im[..bins]);
            let (wr, wi) = (&mut partition.weights.re[..bins], &mut partition.weights.im[..bins]);
            let (variance, step) = (&mut partition.variance[..bins], &self.step[..bins]);
            for k in 0..bins {
                let gain = variance[k] * step[k];
                wr[k] = keep * (wr[k] + gain * (xr[k] * er[k] + xi[k] * ei[k]));
                wi[k] = keep * (wi[k] + gain * (xr[k] * ei[k] - xi[k] * er[k]));
                let left = (1.0 - CERTAINTY * gain * power[k]).max(0.0);
                let known = (1.0 - change) * left * variance[k];
                variance[k] = known + change * (wr[k] * wr[k] + wi[k] * wi[k]) + LEAST_VARIANCE;
            }
        }
        self.constrain(fourier);
    }

    /// Cuts the next partition's response to the length of a frame; one at each step is enough, and much cheaper.
    fn constrain(&mut self, fourier: &mut Fourier) {
        let frame = self.config.frame;
        let weights = &mut self.partitions[self.next_constrained].weights;
        fourier.inverse(weights, &mut self.block);
        self.block[frame..].fill(0.0);
        fourier.forward(&self.block, weights);
        self.next_constrained = (self.next_constrained + 1) % self.partitions.len();
    }
}
