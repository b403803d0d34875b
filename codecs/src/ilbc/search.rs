//! The codebook search: analysis by synthesis in the weighted domain (RFC 3951 §3.6.3 and §3.6.4).
#![expect(clippy::indexing_slicing, reason = "ranges of the search, derived from the lengths in `codebook`")]

use super::bits::{STAGES, Shape};
use super::codebook::{CROSS_FADED, MEMORY, SUB_FRAME, expand_all, quantize_gain};
use super::filter::{Lpc, ORDER, all_pole, correlate, energy};
use super::tables::GAIN_5;

/// Lags of the first half of the codebook that each stage looks at: by block, as in [`super::residual`].
const RANGES: [[usize; STAGES]; 5] =
    [[58, 58, 58], [108, 44, 44], [108, 108, 108], [108, 108, 108], [108, 108, 108]];
/// Most lags.
const LAGS: usize = 108;
/// Vectors of the second half that a stage looks at, around the best one of the first half.
const NEIGHBOURHOOD: usize = 34;
/// The lag of the first cross-faded vector, and of the one behind the last.
const FADED_LAGS: (usize, usize) = (20, 40);
/// No gain is greater.
const MOST_GAIN: f32 = 1.3;
/// Below every measure.
const NO_MEASURE: f32 = -1.0e7;
/// Keeps inverse energies finite.
const EPSILON: f32 = 2.220_446e-16;

/// The best shape for `target` out of `memory`, where `weighting` is the filter of the target's sub-frame and
/// `block` tells how far to search.
pub(super) fn search(target: &[f32], memory: &[f32], weighting: &Lpc, block: usize) -> Shape {
    // Weight the memory and behind it the target in one go. What is zero before the first sample stays so.
    let mut weighted = [0.0; ORDER + MEMORY + SUB_FRAME];
    let end = ORDER + memory.len();
    weighted[ORDER..end].copy_from_slice(memory);
    weighted[end..end + target.len()].copy_from_slice(target);
    let silent = memory.iter().take_while(|sample| **sample == 0.0).count();
    all_pole(&mut weighted[silent..end + target.len()], weighting);
    let mut left = [0.0; SUB_FRAME];
    let left = &mut left[..target.len()];
    left.copy_from_slice(&weighted[end..end + target.len()]);
    let target_energy = energy(left);

    let ranges = RANGES[block];
    let whole = target.len() == SUB_FRAME;
    let weighted = &weighted[ORDER..];
    let mut filtered = [0.0; MEMORY + SUB_FRAME];
    expand_all(&weighted[..memory.len()], &mut filtered[..memory.len()]);
    let mut halves = [Half::new(weighted, memory.len()), Half::new(&filtered, memory.len())];
    Half::weigh(&mut halves, left.len(), ranges[0]);
    if whole {
        halves.iter_mut().for_each(Half::fade);
    }
    let lags = memory.len() - target.len() + 1;
    let half = if whole { lags + CROSS_FADED } else { lags };

    let mut shape = Shape::default();
    let mut chosen = [0.0; SUB_FRAME];
    let chosen = &mut chosen[..target.len()];
    let mut gain_before = 1.0;
    let mut first_gain = 0.0;
    for (stage, range) in ranges.into_iter().enumerate() {
        let mut best = Best { measure: NO_MEASURE, index: 0, gain: 0.0, positive: stage == 0 };
        halves[0].search_lags(left, 0..range, 0, &mut best);
        if whole {
            halves[0].search_faded(left, FADED_LAGS.0, lags, &mut best);
        }
        let (near, faded_from) = neighbourhood(best.index, range, half, whole);
        halves[1].search_lags(left, near, half, &mut best);
        if let Some(faded_from) = faded_from {
            halves[1].search_faded(left, faded_from, half + lags, &mut best);
        }
        let gain = if stage == 0 { best.gain.clamp(0.0, MOST_GAIN) } else { best.gain };
        let (code, gain) = quantize_gain(stage, gain, gain_before);
        (shape.index[stage], shape.gain[stage]) = (best.index as u8, code);
        gain_before = gain;
        if stage == 0 {
            first_gain = gain;
        }
        let half_index = best.index % half;
        halves[best.index / half].take(half_index, lags, gain, chosen, left);
    }
    shape.gain[0] = match_energy(shape.gain[0], first_gain, target_energy, energy(chosen));
    shape
}

/// Raises the first gain so that the decoded vector has the energy of the target (§3.7).
fn match_energy(code: u8, gain: f32, target: f32, chosen: f32) -> u8 {
    let wanted = target * gain * gain;
    let mut raised = usize::from(code);
    for (i, level) in GAIN_5.iter().enumerate().skip(raised) {
        if chosen * level * level < wanted && GAIN_5[raised] < 2.0 * gain {
            raised = i;
        }
    }
    raised as u8
}

/// Where to look in the second half when `index` is the best of the first: lags, and the first cross-faded
/// lag if any.
fn neighbourhood(
    index: usize,
    range: usize,
    half: usize,
    whole: bool,
) -> (core::ops::Range<usize>, Option<usize>) {
    let (first_faded, behind_faded) = FADED_LAGS;
    let radius = NEIGHBOURHOOD / 2;
    if !whole {
        let start = index.saturating_sub(radius).min(range - NEIGHBOURHOOD);
        return (start..start + NEIGHBOURHOOD, None);
    }
    // Cross-faded vectors of short lags lie before lag 40 and behind the longest one in the count.
    let faded = half - CROSS_FADED;
    if index < radius {
        (0..index + radius, Some(behind_faded + index - radius))
    } else if index < faded {
        let start = (index - radius).min(range - NEIGHBOURHOOD);
        (start..start + NEIGHBOURHOOD, None)
    } else if index - radius < faded {
        (0..NEIGHBOURHOOD - CROSS_FADED, Some(first_faded))
    } else {
        let from = first_faded + index - radius - faded;
        (0..NEIGHBOURHOOD - (behind_faded - from), Some(from))
    }
}

/// The best vector so far.
struct Best {
    measure: f32,
    index: usize,
    gain: f32,
    /// Whether only positive correlations count: the first gain has no sign.
    positive: bool,
}

impl Best {
    #[inline(always)]
    fn consider(&mut self, index: usize, cross: f32, inverse_energy: f32) {
        let gain = cross * inverse_energy;
        let measure = cross * cross * inverse_energy;
        if measure > self.measure && gain.abs() < MOST_GAIN && (cross > 0.0 || !self.positive) {
            (self.measure, self.index, self.gain) = (measure, index, gain);
        }
    }
}

/// Half of the codebook: the weighted memory or its filtered copy, with what does not change from stage to
/// stage.
struct Half<'a> {
    /// At least a sub-frame longer than the memory.
    memory: &'a [f32],
    end: usize,
    inverse_energies: [f32; LAGS],
    /// Sample by sample, the cross-faded vectors side by side, longest lag first.
    faded: [[f32; CROSS_FADED]; SUB_FRAME],
    /// Their inverse energies, if they are searched from lag 20 on.
    inverse_faded_energies: [f32; CROSS_FADED],
}

impl<'a> Half<'a> {
    const fn new(memory: &'a [f32], end: usize) -> Self {
        Self {
            memory,
            end,
            inverse_energies: [0.0; LAGS],
            faded: [[0.0; CROSS_FADED]; SUB_FRAME],
            inverse_faded_energies: [0.0; CROSS_FADED],
        }
    }

    /// Works out the inverse energies at the lags of `range` for vectors of so many samples. Each follows
    /// from the one before; the chains of the two halves do not wait for each other.
    fn weigh(halves: &mut [Self; 2], samples: usize, range: usize) {
        let mut energies = [0.0; 2];
        for (energy_now, half) in energies.iter_mut().zip(&*halves) {
            *energy_now = energy(&half.memory[half.end - samples..half.end]);
        }
        for lag in 0..range {
            for (energy_now, half) in energies.iter_mut().zip(&mut *halves) {
                half.inverse_energies[lag] = *energy_now;
                // The last lag has no successor in the memory.
                if lag + 1 < range {
                    let (new, old) = (half.end - samples - 1 - lag, half.end - 1 - lag);
                    let (new, old) = (half.memory[new], half.memory[old]);
                    *energy_now = *energy_now + new * new - old * old;
                }
            }
        }
        halves.iter_mut().for_each(|half| invert(&mut half.inverse_energies[..range]));
    }

    /// Makes the cross-faded vectors at lags 20 to 39, which repeat the end of the memory: the last lag's
    /// samples, from four before their end on fading into what came one lag earlier, then the same samples
    /// again.
    fn fade(&mut self) {
        let (memory, end) = (self.memory, self.end);
        let longest = FADED_LAGS.1 - 1;
        for (j, row) in self.faded.iter_mut().enumerate() {
            row.copy_from_slice(&memory[end - longest + j..end - longest + j + CROSS_FADED]);
        }
        for lag in FADED_LAGS.0..FADED_LAGS.1 {
            let lane = longest - lag;
            let mut weight = 0.2;
            for i in 0..4 {
                let (near, far) = (memory[end - 4 + i], memory[end - lag - 4 + i]);
                self.faded[lag - 4 + i][lane] = (1.0 - weight) * near + weight * far;
                weight += 0.2;
            }
            for (row, sample) in self.faded[lag..].iter_mut().zip(&memory[end - lag..]) {
                row[lane] = *sample;
            }
        }
        self.inverse_faded_energies = self.weigh_faded(FADED_LAGS.0);
    }

    /// Tries the vectors at these lags, whose indices begin at `base`.
    fn search_lags(&self, target: &[f32], lags: core::ops::Range<usize>, base: usize, best: &mut Best) {
        if lags.is_empty() {
            return;
        }
        let mut cross = [0.0; LAGS];
        let cross = &mut cross[..lags.len()];
        // The longest lag lies first in the memory.
        correlate(target, &self.memory[self.end + 1 - target.len() - lags.end..], cross);
        for (lag, cross) in lags.zip(cross.iter().rev()) {
            best.consider(base + lag, *cross, self.inverse_energies[lag]);
        }
    }

    /// Tries the cross-faded vectors from lag `from` on; `base` is the index of lag 20.
    fn search_faded(&self, target: &[f32], from: usize, base: usize, best: &mut Best) {
        let mut cross = [0.0; CROSS_FADED];
        for (row, sample) in self.faded.iter().zip(target) {
            for (cross, entry) in cross.iter_mut().zip(row) {
                *cross += sample * entry;
            }
        }
        let inverse = match from {
            20 => self.inverse_faded_energies,
            _ => self.weigh_faded(from),
        };
        for lag in from..FADED_LAGS.1 {
            let lane = FADED_LAGS.1 - 1 - lag;
            best.consider(base + lag - FADED_LAGS.0, cross[lane], inverse[lane]);
        }
    }

    /// Inverse energies of the cross-faded vectors. The reference adds the energies up from the first lag
    /// that it searches: so the rounding, and with it the choice, depends on that.
    fn weigh_faded(&self, from: usize) -> [f32; CROSS_FADED] {
        let mut energies = [0.0; CROSS_FADED];
        let mut sum = energy(&self.memory[self.end + 1 - from..self.end - 4]);
        for lag in from..FADED_LAGS.1 {
            let sample = self.memory[self.end - lag];
            sum += sample * sample;
            energies[FADED_LAGS.1 - 1 - lag] = sum;
        }
        // The part that is not at the end of the memory: from four samples before the lag on. The longest lag
        // is in lane 0, so the part begins in one lane more with every sample.
        const FIRST: usize = FADED_LAGS.0 - 4;
        const INSIDE: [[f32; CROSS_FADED]; SUB_FRAME] = {
            let mut inside = [[0.0; CROSS_FADED]; SUB_FRAME];
            let mut j = FIRST;
            while j < SUB_FRAME {
                let mut lane = 0;
                while lane < CROSS_FADED {
                    if j + lane + 4 >= FADED_LAGS.1 - 1 {
                        inside[j][lane] = 1.0;
                    }
                    lane += 1;
                }
                j += 1;
            }
            inside
        };
        for (row, inside) in self.faded.iter().zip(&INSIDE).skip(FIRST) {
            for ((energy, entry), inside) in energies.iter_mut().zip(row).zip(inside) {
                *energy += inside * (entry * entry);
            }
        }
        invert(&mut energies);
        energies
    }

    /// Takes vector `index` of this half, times `gain`, into `chosen` and off what is left of the target.
    fn take(&self, index: usize, lags: usize, gain: f32, chosen: &mut [f32], left: &mut [f32]) {
        let mut vector = [0.0; SUB_FRAME];
        if index < lags {
            let from = self.end - left.len() - index;
            vector[..left.len()].copy_from_slice(&self.memory[from..from + left.len()]);
        } else {
            let lane = CROSS_FADED - 1 - (index - lags);
            vector.iter_mut().zip(&self.faded).for_each(|(sample, row)| *sample = row[lane]);
        }
        for ((chosen, left), sample) in chosen.iter_mut().zip(left).zip(vector) {
            *chosen += gain * sample;
            *left -= gain * sample;
        }
    }
}

fn invert(energies: &mut [f32]) {
    for energy in energies {
        *energy = if *energy > 0.0 { 1.0 / (*energy + EPSILON) } else { 0.0 };
    }
}
