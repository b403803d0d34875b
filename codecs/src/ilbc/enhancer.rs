//! The enhancer: smooths the decoded residual from pitch period to pitch period (RFC 3951 §4.6), 40 samples
//! behind the decoder in 20 ms mode and 80 in 30 ms mode. It keeps the residual that concealment needs too.
#![expect(
    clippy::indexing_slicing,
    reason = "places in a buffer of fixed length, limited by the pitch range"
)]

use super::Mode;
use super::filter::{correlate, energy};
use super::residual::MOST_SAMPLES;
use super::tables::{DECIMATION, POLYPHASE, SMOOTHING};

/// Samples that are smoothed in one go.
const BLOCK: usize = 80;
/// Samples of residual that are kept.
const BUFFER: usize = 8 * BLOCK;
/// Pitch periods that are kept, one a block.
const PERIODS: usize = BUFFER / BLOCK;
/// Periods on each side that take part.
const SIDE: usize = 3;
/// All periods that take part.
const CYCLES: usize = 2 * SIDE + 1;
/// How far the true period may be from the estimate, in samples.
const SLOP: usize = 2;
/// Steps in a sample for the shift between periods.
const FRACTIONS: usize = 4;
/// Taps of a fractional shift on each side.
const HALF_TAPS: usize = 3;
/// The most that smoothing may change, as a part of the energy.
const MOST_CHANGE: f32 = 0.05;
/// Periods that the pitch search knows, at 4 kHz: from here, to below there.
const LAGS: (usize, usize) = (10, 60);

/// What goes from frame to frame.
#[derive(Clone, Debug)]
pub(super) struct State {
    residual: [f32; BUFFER],
    periods: [f32; PERIODS],
}

impl State {
    pub(super) const fn new() -> Self {
        Self { residual: [0.0; BUFFER], periods: [40.0; PERIODS] }
    }

    /// The residual of the last frame.
    pub(super) fn last_frame(&self, mode: Mode) -> &[f32] {
        &self.residual[BUFFER - mode.samples()..]
    }

    /// Takes the residual of a frame without smoothing; returns its pitch lag, for concealment.
    pub(super) fn keep(&mut self, mode: Mode, residual: &[f32]) -> u32 {
        self.push(mode, residual);
        // The RFC looks at lags to 119 in 240 samples, whatever the mode; 20 ms allow 79.
        let most = if mode == Mode::Ms20 { 80 } else { 120 };
        let mut lags = [0.0; 100];
        let lags = &mut lags[..most - 20];
        let now = residual.len() - BLOCK;
        normalized_correlation(&residual[now..], &residual[now + 1 - most..], lags);
        20 + first_greatest(lags.iter().rev().copied()) as u32
    }

    /// Takes the residual of a frame; writes the smoothed one, delayed, over it. Returns the pitch lag, for
    /// concealment. `concealed` says that the frame before this one was lost.
    pub(super) fn smooth(&mut self, mode: Mode, residual: &mut [f32], concealed: bool) -> u32 {
        self.push(mode, residual);
        let blocks = mode.samples() / BLOCK;
        self.periods.copy_within(blocks.., 0);
        let first = PERIODS - blocks;
        let mut lag = self.find_periods(first);
        if concealed {
            lag = self.bridge(mode, residual, first);
        }
        let delay = mode.enhancer_delay();
        for (n, out) in residual.chunks_exact_mut(BLOCK).enumerate() {
            smooth_block(&self.residual, &self.periods, first * BLOCK - delay + n * BLOCK, out);
        }
        2 * lag as u32
    }

    fn push(&mut self, mode: Mode, residual: &[f32]) {
        self.residual.copy_within(mode.samples().., 0);
        self.residual[BUFFER - mode.samples()..].copy_from_slice(residual);
    }

    /// Finds the pitch periods of the new blocks at half the rate; returns the last lag, in its samples.
    fn find_periods(&mut self, first: usize) -> usize {
        let reach = LAGS.1;
        let mut low = [0.0; (MOST_SAMPLES + 2 * LAGS.1) / 2];
        let low = &mut low[..reach + (PERIODS - first) * BLOCK / 2];
        decimate(&self.residual[first * BLOCK - 2 * reach - HALF_TAPS..], low);
        let mut lag = 0;
        for (n, period) in self.periods[first..].iter_mut().enumerate() {
            let now = reach + n * BLOCK / 2;
            let mut lags = [0.0; LAGS.1 - LAGS.0];
            normalized_correlation(&low[now..now + BLOCK / 2], &low[now + 1 - LAGS.1..], &mut lags);
            lag = LAGS.0 + first_greatest(lags.iter().rev().copied());
            *period = (2 * lag) as f32;
        }
        lag
    }

    /// After a loss, goes from the concealed samples that are not yet out to the new ones: extrapolates the
    /// new ones backward and cross-fades (§4.6, "backward PLC"). Returns the lag.
    fn bridge(&mut self, mode: Mode, residual: &[f32], first: usize) -> usize {
        let length = mode.enhancer_delay();
        let about = self.periods[first] as usize;
        let mut lags = [0.0; 3];
        normalized_correlation(&residual[..length], &residual[about - 1..], &mut lags);
        let lag = about - 1 + first_greatest(lags.iter().copied());
        self.periods[first - 1] = lag as f32;

        let old = &mut self.residual[..BUFFER - mode.samples()];
        let from = old.len() - length;
        let mut new = [0.0; BLOCK];
        let new = &mut new[..length];
        // One period of the new samples, and before it what there was.
        for (i, sample) in new.iter_mut().rev().enumerate() {
            *sample = if i < lag { residual[lag - 1 - i] } else { old[old.len() - 1 - (i - lag)] };
        }
        let old = &mut old[from..];
        limit_energy(new, old);
        for (i, (old, new)) in old.iter_mut().zip(new).rev().enumerate() {
            let weight = (i + 1) as f32 / (length + 1) as f32;
            *old *= weight;
            *old += (1.0 - weight) * *new;
        }
        lag
    }
}

/// Takes `new` back to twice the amplitude of `old` if it is louder, but for its end.
fn limit_energy(new: &mut [f32], old: &[f32]) {
    let length = new.len() as f32;
    let level = libm::sqrtf(energy(new) / length);
    // Added up from the end.
    let most = libm::sqrtf(old.iter().rev().fold(0.0, |sum, &sample| sum + sample * sample) / length);
    if level > 2.0 * most && level > 0.0 {
        const SLOPE: usize = 10;
        let factor = 2.0 * most / level;
        let steady = new.len() - SLOPE;
        new[..steady].iter_mut().for_each(|sample| *sample *= factor);
        for (i, sample) in new[steady..].iter_mut().enumerate() {
            *sample *= i as f32 * (1.0 - factor) / SLOPE as f32 + factor;
        }
    }
}

/// Low-pass and every other sample. `signal` begins three samples before the first that is under the middle
/// tap, and zeros follow its end.
fn decimate(signal: &[f32], out: &mut [f32]) {
    let mut padded = [0.0; MOST_SAMPLES + 2 * LAGS.1 + 2 * HALF_TAPS];
    padded[..signal.len()].copy_from_slice(signal);
    for (n, out) in out.iter_mut().enumerate() {
        let window = &padded[2 * n..2 * n + DECIMATION.len()];
        *out = window.iter().rev().zip(DECIMATION).fold(0.0, |sum, (sample, tap)| sum + tap * *sample);
    }
}

/// For each `p`: the squared correlation of `target` with `signal[p..]` over the latter's energy; 0 if they
/// do not go together.
fn normalized_correlation(target: &[f32], signal: &[f32], out: &mut [f32]) {
    correlate(target, signal, out);
    let mut energies = [0.0; 100];
    let energies = &mut energies[..out.len()];
    for i in 0..target.len() {
        for (energy, sample) in energies.iter_mut().zip(&signal[i..]) {
            *energy += sample * sample;
        }
    }
    for (out, energy) in out.iter_mut().zip(energies) {
        *out = if *out > 0.0 { *out * *out / *energy } else { 0.0 };
    }
}

/// The place of the greatest value, the first of equals.
fn first_greatest(values: impl Iterator<Item = f32>) -> usize {
    let (mut place, mut greatest) = (0, f32::NEG_INFINITY);
    for (i, value) in values.enumerate() {
        if value > greatest {
            (place, greatest) = (i, value);
        }
    }
    place
}

/// Smooths the block that begins at `from`.
fn smooth_block(residual: &[f32; BUFFER], periods: &[f32; PERIODS], from: usize, out: &mut [f32]) {
    let mut cycles = [[0.0; BLOCK]; CYCLES];
    let present: &[f32] = &residual[from..from + BLOCK];
    cycles[SIDE].copy_from_slice(present);
    // The middle of each block, where its period was measured.
    let middles: [f32; PERIODS] = core::array::from_fn(|n| (n * BLOCK + BLOCK / 2) as f32);
    let half = (BLOCK / 2) as f32;

    let mut place = from as f32;
    let mut near = nearest(&middles, 0.5 * (2 * from + BLOCK - 1) as f32);
    for cycle in cycles[..SIDE].iter_mut().rev() {
        let period = periods[near];
        place -= period;
        near = nearest(&middles, place + half - period);
        if place - SLOP as f32 >= 0.0 {
            place = refine(residual, present, place, cycle);
        }
    }
    let mut place = from as f32;
    let before: [f32; PERIODS] = core::array::from_fn(|n| middles[n] - periods[n]);
    for cycle in &mut cycles[SIDE + 1..] {
        place += periods[nearest(&before, place + half)];
        if BUFFER as f32 > place + (BLOCK + SLOP) as f32 {
            place = refine(residual, present, place, cycle);
        }
    }
    mix(&cycles, out);
}

/// The place of the value nearest to `wanted`, the first of equals.
fn nearest(values: &[f32; PERIODS], wanted: f32) -> usize {
    let (mut place, mut least) = (0, f32::INFINITY);
    for (i, value) in values.iter().enumerate() {
        let distance = (value - wanted) * (value - wanted);
        if distance < least {
            (place, least) = (i, distance);
        }
    }
    place
}

/// Finds the block near `place` that is most like `present`, to a quarter of a sample; writes it and returns
/// where it begins.
fn refine(residual: &[f32; BUFFER], present: &[f32], place: f32, cycle: &mut [f32; BLOCK]) -> f32 {
    const PLACES: usize = 2 * SLOP + 1;
    let around = (place - 0.5) as usize;
    let first = around.saturating_sub(SLOP);
    let places = (around + SLOP).min(BUFFER - BLOCK - 1) + 1 - first;
    // Eight sums cost no more than five.
    let mut window = [0.0; BLOCK + 8];
    window.iter_mut().zip(&residual[first..]).for_each(|(window, sample)| *window = *sample);
    let mut likeness = [0.0; 8];
    correlate(present, &window, &mut likeness);
    let best =
        first_greatest(interpolate(&likeness[..places.min(PLACES)]).into_iter().take(FRACTIONS * places));

    // The next whole sample, and how far the best place lies before it.
    let whole = best.div_ceil(FRACTIONS);
    let fraction = whole * FRACTIONS - best;
    let start = first + whole;
    let mut shifted = [0.0; BLOCK + 2 * HALF_TAPS];
    let (skip, start) = (HALF_TAPS.saturating_sub(start), start.saturating_sub(HALF_TAPS));
    shifted[skip..].iter_mut().zip(&residual[start..]).for_each(|(shifted, sample)| *shifted = *sample);
    correlate(&POLYPHASE[fraction], &shifted, cycle);
    first as f32 + best as f32 / FRACTIONS as f32 + 1.0
}

/// Upsamples the likeness at up to five places by four, with the middle five taps.
fn interpolate(likeness: &[f32]) -> [f32; 20] {
    const TAPS: usize = 5;
    let mut out = [0.0; 20];
    for (n, group) in out.as_chunks_mut::<FRACTIONS>().0.iter_mut().enumerate() {
        for (out, taps) in group.iter_mut().zip(&POLYPHASE) {
            for (k, tap) in taps[1..=TAPS].iter().enumerate() {
                // Newest first; what lies outside is zero.
                if let Some(value) = (n + 2).checked_sub(k).and_then(|i| likeness.get(i)) {
                    *out += value * tap;
                }
            }
        }
    }
    out
}

/// The present cycle, as far as the limit on the change allows replaced by a mean of the others.
fn mix(cycles: &[[f32; BLOCK]; CYCLES], out: &mut [f32]) {
    let present = &cycles[SIDE];
    let mut others = [0.0; BLOCK];
    for (n, (cycle, weight)) in cycles.iter().zip(SMOOTHING).enumerate() {
        if n != SIDE {
            others.iter_mut().zip(cycle).for_each(|(other, sample)| *other += sample * weight);
        }
    }
    let (mut own, mut other, mut both) = (0.0, 0.0, 0.0);
    for (p, o) in present.iter().zip(&others) {
        own += p * p;
        other += o * o;
        both += o * p;
    }
    if other < 1.0 {
        other = 1.0;
    }
    let scale = libm::sqrtf(own / other);
    let mut change = 0.0;
    for ((out, p), o) in out.iter_mut().zip(present).zip(&others) {
        *out = scale * o;
        change += (p - *out) * (p - *out);
    }
    if change > MOST_CHANGE * own {
        if own < 1.0 {
            own = 1.0;
        }
        let apart = (other * own - both * both) / (own * own);
        let (mut a, mut b) = (0.0, 1.0);
        if apart > 0.0001 {
            a = libm::sqrtf((MOST_CHANGE - MOST_CHANGE * MOST_CHANGE / 4.0) / apart);
            b = -MOST_CHANGE / 2.0 - a * both / own + 1.0;
        }
        for ((out, p), o) in out.iter_mut().zip(present).zip(&others) {
            *out = a * o + b * p;
        }
    }
}
