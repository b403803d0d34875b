//! Comfort noise (Annex A): gains and excitation for both sides, and the encoder's silence
//! descriptors.

#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by pulses, blocks and the order")]

use super::adaptive::{self, Codebook, Past};
use super::lpc::{Autocorrelation, Prediction};
use super::lsp;
use super::ops::{mac_saturating, mul_32_16, peak, random_below, sqrt};
use super::tables::PULSES;
use super::vad::Vad;
use super::{FRAME, Lpc, Lsp, ORDER, SUBFRAME, SUBFRAMES};
use crate::fixed::{
    abs_s, add, extract_h, l_add, l_mac, l_msu, l_mult, l_negate, l_shl, l_shr, l_sub, mult, mult_r, negate,
    norm_l, norm_s, round, shl, shr, sub,
};

/// Seed of the noise at the start, and after each frame of speech.
pub(super) const SEED: i16 = 12_345;

/// The gains of a silence descriptor: three segments with steps of 2, 4 and 8.
const SEGMENT_BASE: [i16; 3] = [0, 32, 96];
/// Energies at which the segments end.
const SEGMENT_END: [i32; 3] = [2048, 18_432, 231_233];
const LAST_GAIN: u8 = 63;

/// Energies as 16-bit numbers, each with its scale.
pub(super) type Energy = (i16, i16);

/// The gain level for the mean of some residual energies.
pub(super) fn gain_of_energies(energies: &[Energy]) -> u8 {
    const ONE_OVER: [i16; 4] = [273, 998, 499, 333];
    let least = energies.iter().fold(i16::MAX, |least, &(_, scale)| least.min(scale));
    let factor = ONE_OVER[energies.len().min(3)];
    let sum = energies.iter().fold(0, |sum, &(energy, scale)| {
        l_add(sum, i32::from(mult_r(factor, shr(energy, sub(scale, least)))))
    });
    nearest_gain(l_shl(sum, sub(15, least)))
}

/// The gain level for the energy of the last excitation that came, for a decoder that missed the descriptor.
pub(super) fn gain_of_excitation(energy: i16, shift: i16) -> u8 {
    nearest_gain(mul_32_16(l_shl(i32::from(energy), sub(16, shl(shift, 1))), 273))
}

/// The level whose square is nearest to an energy.
fn nearest_gain(energy: i32) -> u8 {
    if energy >= SEGMENT_END[2] {
        return LAST_GAIN;
    }
    let segment = SEGMENT_END.iter().take(2).filter(|end| energy >= **end).count();
    let bits = if segment == 2 { 4 } else { 3 };
    let square = |level: i16| {
        let gain = SEGMENT_BASE[segment] + (level << (segment + 1));
        l_mult(gain, gain)
    };
    // Bit by bit towards the level, then to the nearer of the two that are left.
    let mut level = 1i16 << bits;
    for bit in (0..bits).rev() {
        let step = 1 << bit;
        level = if energy >= square(level) { level + step } else { level - step };
    }
    let above = l_sub(square(level), energy);
    let other = if above <= 0 { level + 1 } else { level - 1 };
    let below = l_sub(energy, square(other));
    let first = if above <= 0 { above > below } else { above < below };
    (((segment as i16) << 4) + if first { level } else { other }) as u8
}

/// The gain of a level, at the scale of the excitation.
pub(super) fn gain(level: u8) -> i16 {
    let segment = usize::from(level >> 4).min(2);
    let within = i16::from(level) - ((segment as i16) << 4);
    ((within << (segment + 1)) + SEGMENT_BASE[segment]) << 5
}

/// The gain for the next frame: at once after speech, else slowly.
pub(super) const fn smooth(current: i16, target: i16, after_speech: bool) -> i16 {
    if after_speech { target } else { extract_h(l_add(l_mult(current, 0x7000), l_mult(target, 0x1000))) }
}

/// Comfort noise of a frame: its excitation, and the parameters that the encoder's taming needs.
pub(super) struct Noise {
    pub(super) excitation: [i16; FRAME],
    /// Lag and entry of the adaptive codebook for each subframe.
    pub(super) adaptive: [(usize, u8); SUBFRAMES],
}

/// Pulses in a block of two subframes.
const BLOCK_PULSES: usize = 11;
/// 1 / 11, Q15.
const PER_PULSE: i16 = 2979;
/// Samples in a block.
const BLOCK: usize = 2 * SUBFRAME;
/// No pulse is greater than this, twice.
const MOST_AMPLITUDE: i16 = 10_000;
/// Closed-loop lag minus open-loop lag in each subframe, plus 1.
const LAG_STEPS: [usize; SUBFRAMES] = [1, 0, 1, 3];

/// Random pulses of a block: sample and sign, ±0.5 in Q15.
type BlockPulses = [(usize, i16); BLOCK_PULSES];

/// Makes the excitation of a frame of noise, and puts it behind the past.
pub(super) fn excitation(gain: i16, past: &mut Past, seed: &mut i16) -> Noise {
    let lags = [random_below(21, seed), random_below(19, seed)].map(|lag| lag as usize + 123);
    let entries = [(); SUBFRAMES].map(|()| random_below(50, seed) as u8 + 1);
    let blocks = random_pulses(seed);
    let adaptive: [_; SUBFRAMES] = core::array::from_fn(|i| (lags[i / 2] + LAG_STEPS[i] - 1, entries[i]));

    let mut excitation = [0; FRAME];
    for ((block, pulses), adaptive) in
        excitation.chunks_exact_mut(BLOCK).zip(&blocks).zip(adaptive.chunks_exact(2))
    {
        let mut samples = [0; BLOCK];
        // The lags are longer than a block, so the past need not move on between its halves.
        let mut shifted = *past;
        for (half, &(lag, entry)) in samples.chunks_exact_mut(SUBFRAME).zip(adaptive) {
            half.copy_from_slice(&adaptive::contribution(&shifted, lag, Codebook::Large, entry));
            shifted.copy_within(SUBFRAME.., 0);
        }
        add_pulses(&mut samples, pulses, gain);
        adaptive::push(past, &samples);
        block.copy_from_slice(&samples);
    }
    Noise { excitation, adaptive }
}

fn random_pulses(seed: &mut i16) -> [BlockPulses; SUBFRAMES / 2] {
    let mut blocks = [[(0, 0); BLOCK_PULSES]; SUBFRAMES / 2];
    let mut grids = [0; SUBFRAMES];
    for (block, grids) in blocks.iter_mut().zip(grids.chunks_exact_mut(2)) {
        let bits = random_below(1 << (BLOCK_PULSES + 2), seed) as usize;
        grids[0] = bits & 1;
        grids[1] = SUBFRAME + (bits >> 1 & 1);
        for (i, pulse) in block.iter_mut().enumerate() {
            pulse.1 = if bits >> (i + 2) & 1 != 0 { 0x4000 } else { -0x4000 };
        }
    }
    let mut pulses = blocks.iter_mut().flatten();
    for (&count, &grid) in PULSES.iter().zip(&grids) {
        let mut places: [u8; SUBFRAME / 2] = core::array::from_fn(|place| place as u8);
        let mut left = SUBFRAME / 2;
        for pulse in pulses.by_ref().take(count) {
            let chosen = random_below(left as i16, seed) as usize;
            pulse.0 = 2 * usize::from(places[chosen]) + grid;
            left -= 1;
            places[chosen] = places[left];
        }
    }
    blocks
}

/// Adds pulses of one amplitude, so that the block gets the energy that the gain says, as nearly as it can.
fn add_pulses(samples: &mut [i16; BLOCK], pulses: &BlockPulses, gain: i16) {
    let largest = peak(samples).min(i32::from(i16::MAX)) as i16;
    let scale = if largest == 0 { 0 } else { sub(4, norm_s(largest)).max(-2) };
    let scaled = samples.map(|sample| shr(sample, scale));
    let energy = mac_saturating(&scaled, &scaled);
    let sum = pulses.iter().fold(0, |sum, &(at, sign)| l_mac(sum, scaled[at], sign));
    let correlation = extract_h(l_shl(sum, 1));
    let gain_energy = l_mult(l_shr(l_mult(gain, SUBFRAME as i16), 6) as i16, gain);
    let missing = l_sub(energy, l_shr(gain_energy, add(shl(scale, 1), 4)));

    // The amplitude x solves x² + 2 b x + c = 0; of two roots, the smaller; of none, where it comes nearest.
    let c = mul_32_16(missing, PER_PULSE);
    let b = mult_r(correlation, PER_PULSE);
    let discriminant = l_negate(l_msu(c, b, b));
    let root = if discriminant <= 0 {
        negate(b)
    } else {
        let root = sqrt(discriminant);
        let (first, second) = (sub(root, b), add(b, root));
        if abs_s(second) < abs_s(first) { negate(second) } else { first }
    };
    let amplitude = shl(root, add(scale, 1)).clamp(-MOST_AMPLITUDE, MOST_AMPLITUDE);
    for &(at, sign) in pulses {
        samples[at] = add(samples[at], mult(amplitude, sign));
    }
}

/// Frames whose autocorrelation is averaged, and frames whose energy is.
const AVERAGED: usize = 3;
/// Gain levels that may differ without a new descriptor.
const GAIN_THRESHOLD: i16 = 3;
/// Itakura distance, the part above 1, without a new descriptor: 0.2136 in Q15.
const DISTANCE_THRESHOLD: i16 = 7000;

/// What the kind of the previous frame was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Speech,
    Sid,
    Untransmitted,
}

/// The encoder's side: decides when the noise has changed so much that it must be described anew.
#[derive(Clone, Debug)]
pub(super) struct Describer {
    pub(super) previous: Kind,
    pub(super) seed: i16,
    current_gain: i16,
    sid_gain: i16,
    /// Gain level of the last descriptor.
    reference: u8,
    sid_lsp: Lsp,
    /// Autocorrelation of the predictor in the last descriptor, and its scale.
    filter: Itakura,
    /// Sums over a frame, the newest first.
    autocorrelation: [Autocorrelation; AVERAGED + 1],
    /// Residual energies, the newest first.
    energies: [i16; AVERAGED],
    energy_count: u8,
}

/// What an inactive frame is sent as.
pub(super) struct Described {
    /// Index of the LSPs and gain level, if a descriptor is to be sent.
    pub(super) sid: Option<(u32, u8)>,
    pub(super) noise: Noise,
    pub(super) lpc: [Lpc; SUBFRAMES],
}

impl Describer {
    pub(super) const fn new() -> Self {
        Self {
            previous: Kind::Speech,
            seed: SEED,
            current_gain: 0,
            sid_gain: 0,
            reference: 0,
            sid_lsp: [0; ORDER],
            filter: Itakura { values: [0; ORDER + 1], shift: 0 },
            autocorrelation: [Autocorrelation::SILENCE; AVERAGED + 1],
            energies: [0; AVERAGED],
            energy_count: 0,
        }
    }

    /// Remembers the autocorrelations of a frame, of any kind.
    pub(super) fn observe(&mut self, subframes: &[Autocorrelation; SUBFRAMES]) {
        self.autocorrelation.rotate_right(1);
        self.autocorrelation[0] = total(subframes);
    }

    /// Describes an inactive frame, and makes the noise that the decoder will make.
    pub(super) fn describe(&mut self, vad: &mut Vad, previous_lsp: &mut Lsp, past: &mut Past) -> Described {
        let current = self.autocorrelation[0].predictor();
        self.energies.rotate_right(1);
        self.energies[0] = current.error;
        let after_speech = self.previous == Kind::Speech;
        self.energy_count = if after_speech { 1 } else { (self.energy_count + 1).min(AVERAGED as u8) };
        let level = self.level();
        let changed = after_speech
            || !self.filter.is_near(&self.autocorrelation[0], current.error)
            || (i16::from(level) - i16::from(self.reference)).abs() > GAIN_THRESHOLD;
        let sid = changed.then(|| {
            let lpc = self.choose_filter(&current, vad);
            let lsp = lsp::from_lpc(&lpc, previous_lsp);
            let index = lsp::quantise(&lsp, previous_lsp);
            self.sid_lsp = lsp::dequantise(index, previous_lsp);
            self.reference = level;
            self.sid_gain = gain(level);
            (index, level)
        });
        self.current_gain = smooth(self.current_gain, self.sid_gain, after_speech);
        let noise = excitation(self.current_gain, past, &mut self.seed);
        let lpc = lsp::interpolate(&self.sid_lsp, previous_lsp);
        *previous_lsp = self.sid_lsp;
        self.previous = if changed { Kind::Sid } else { Kind::Untransmitted };
        Described { sid, noise, lpc }
    }

    fn level(&self) -> u8 {
        let energies: [Energy; AVERAGED] =
            core::array::from_fn(|i| (self.energies[i], self.autocorrelation[i].shift));
        gain_of_energies(&energies[..usize::from(self.energy_count)])
    }

    /// The predictor for a descriptor: that of the past frames, if the current one is near it, else the current.
    fn choose_filter(&mut self, current: &Prediction, vad: &mut Vad) -> Lpc {
        let [newest, past @ ..] = &self.autocorrelation;
        let average = total(past).predictor().lpc;
        vad.learn_noise(&average);
        self.filter = Itakura::of(&average);
        if self.filter.is_near(newest, current.error) {
            return average;
        }
        self.filter = Itakura::of(&current.lpc);
        current.lpc
    }
}

/// The sum of autocorrelations, normalised.
fn total(parts: &[Autocorrelation]) -> Autocorrelation {
    let least = parts.iter().fold(i16::MAX, |least, part| least.min(part.shift));
    let shift = add(least, 14);
    let mut sums = [0; ORDER + 1];
    for part in parts {
        for (sum, &value) in sums.iter_mut().zip(&part.values) {
            *sum = l_add(*sum, l_shl(i32::from(value), sub(shift, part.shift)));
        }
    }
    let down = sub(16, norm_l(sums[0])).max(0);
    Autocorrelation { values: sums.map(|sum| l_shr(sum, down) as i16), shift: sub(shift, down) }
}

/// The autocorrelation of a predictor's coefficients: with a signal's it gives the energy of the residual.
#[derive(Clone, Copy, Debug)]
struct Itakura {
    values: [i16; ORDER + 1],
    shift: i16,
}

impl Itakura {
    fn of(lpc: &Lpc) -> Self {
        let squares = l_add(l_shr(mac_saturating(lpc, lpc), 1), 0x0400_0000);
        let shift = norm_l(squares) - 2;
        let mut values = [0; ORDER + 1];
        values[0] = round(l_shl(squares, shift));
        for lag in 1..=ORDER {
            let sum = l_mult(-0x2000, lpc[lag - 1]);
            let sum = (0..ORDER - lag).fold(sum, |sum, j| l_mac(sum, lpc[j], lpc[j + lag]));
            values[lag] = round(l_shl(sum, shift));
        }
        Self { values, shift }
    }

    /// Whether the residual of this predictor has not much more energy than that of the signal's own.
    fn is_near(&self, signal: &Autocorrelation, own: i16) -> bool {
        let quarters = signal.values.map(|value| value >> 2);
        let energy = mac_saturating(&self.values, &quarters);
        let limit = i32::from(mult_r(own, DISTANCE_THRESHOLD)) + i32::from(own);
        energy <= l_shl(limit, add(self.shift, 9))
    }
}
