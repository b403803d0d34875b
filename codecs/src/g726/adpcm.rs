//! One sample through the coder, in either direction (G.726 §4).

#![expect(clippy::indexing_slicing, reason = "tables of 32 with an index of five bits")]

use super::predictor::{Difference, Estimate, Predictor};
use super::tables::Quantizer;

/// The state of an encoder or decoder between samples.
#[derive(Clone, Debug)]
pub(super) struct State {
    predictor: Predictor,
    scale: Scale,
}

/// A sample that was coded or decoded.
pub(super) struct Coded {
    /// The reconstructed sample on the scale of 14 bits; 16 bits with sign, it may lie outside of the 14.
    pub(super) signal: i32,
    /// The estimate that it was made with, and the log of the scale factor: what the synchronous coding
    /// adjustment needs.
    pub(super) estimate: i32,
    pub(super) scale: i32,
}

impl State {
    pub(super) const fn new() -> Self {
        Self { predictor: Predictor::new(), scale: Scale::new() }
    }

    /// Codes a sample of 14 bits.
    #[inline(always)]
    pub(super) fn encode<const BITS: u32>(&mut self, sample: i32) -> u32 {
        let estimate = self.predictor.estimate();
        let scale = self.scale.log();
        let code = Quantizer::<BITS>::code(sample - estimate.signal, scale >> 2);
        self.learn::<BITS>(code, estimate, scale);
        code
    }

    /// Decodes a code of `BITS` bits.
    #[inline(always)]
    pub(super) fn decode<const BITS: u32>(&mut self, code: u32) -> Coded {
        let estimate = self.predictor.estimate();
        let scale = self.scale.log();
        let signal = self.learn::<BITS>(code, estimate, scale);
        Coded { signal, estimate: estimate.signal, scale }
    }

    /// What encoder and decoder do alike once the code is known; returns the reconstructed sample.
    #[inline(always)]
    fn learn<const BITS: u32>(&mut self, code: u32, estimate: Estimate, scale: i32) -> i32 {
        let step = Quantizer::<BITS>::STEPS[code as usize & 31];
        let difference =
            Difference { negative: code >> (BITS - 1) != 0, magnitude: antilog(step.log + (scale >> 2)) };
        let transition = self.scale.tone && difference.magnitude > self.scale.transition_level();
        let (signal, tone) = if BITS == 5 {
            self.predictor.learn::<9>(difference, estimate)
        } else {
            self.predictor.learn::<8>(difference, estimate)
        };
        self.scale.adapt(step.growth, step.activity, scale, tone);
        if transition {
            self.predictor.forget();
            self.scale.transition();
        }
        signal
    }
}

/// The inverse of the log, for logs below 15; below zero it is zero.
#[inline(always)]
fn antilog(log: i32) -> i32 {
    (((log & 127) | 128) << 7) >> (14 - (log >> 7))
}

/// The quantiser's scale factor and how fast it follows (G.726 §2.4, §2.5 and §2.7).
#[derive(Clone, Debug)]
struct Scale {
    /// Log of the fast scale factor, 9 bits of fraction (YU).
    fast: i32,
    /// Log of the slow scale factor, 15 bits of fraction (YL).
    slow: i32,
    /// Short average of F(I), 9 bits of fraction (DMS).
    short: i32,
    /// Long average of F(I), 11 bits of fraction (DML).
    long: i32,
    /// How much the fast scale factor counts, 8 bits of fraction; above one counts as one (AP).
    speed: i32,
    /// The signal is narrow-band data, not speech (TD).
    tone: bool,
}

impl Scale {
    const fn new() -> Self {
        Self { fast: 544, slow: 34_816, short: 0, long: 0, speed: 0, tone: false }
    }

    /// Log of the scale factor, 9 bits of fraction (LIMA, MIX).
    #[inline(always)]
    fn log(&self) -> i32 {
        let slow = self.slow >> 6;
        let difference = self.fast - slow;
        let weight = (self.speed >> 2).min(64);
        // The product is rounded towards zero.
        let sign = difference >> 31;
        let product = (difference.abs() * weight) >> 6;
        slow + ((product ^ sign) - sign)
    }

    #[inline(always)]
    fn adapt(&mut self, growth: i32, activity: i32, scale: i32, tone: bool) {
        self.fast = (scale + ((growth - scale) >> 5)).clamp(544, 5120);
        self.slow += self.fast + (-self.slow >> 6);
        self.short += (activity - self.short) >> 5;
        self.long += ((activity << 2) - self.long) >> 7;
        let steady = scale >= 1536 && ((self.short << 2) - self.long).abs() < self.long >> 3 && !tone;
        let target = if steady { 0 } else { 512 };
        self.speed += (target - self.speed) >> 4;
        self.tone = tone;
    }

    /// Differences above this level end a tone (TRANS): three quarters of the slow scale factor.
    #[inline(always)]
    fn transition_level(&self) -> i32 {
        let whole = self.slow >> 15;
        let level = if whole > 9 { 31 << 10 } else { ((self.slow >> 10 & 31) + 32) << whole };
        (level + (level >> 1)) >> 1
    }

    fn transition(&mut self) {
        self.speed = 256;
        self.tone = false;
    }
}
