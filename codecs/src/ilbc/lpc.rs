//! Linear prediction: analysis, line spectral frequencies (LSF), their quantisation and interpolation
//! (RFC 3951 §3.2 and §4.1).
#![expect(clippy::indexing_slicing, reason = "fixed arrays; indices are loop counters or 6 and 7 bit codes")]

use super::Mode;
use super::filter::{Lpc, ORDER, correlate};
use super::tables::{
    GRID_COSINES, INTERPOLATION_20MS, INTERPOLATION_30MS, LAG_WINDOW, LAST_WINDOW, LSF_1, LSF_2, LSF_3,
    WINDOW,
};
use core::f32::consts::TAU;

/// Line spectral frequencies in radians.
pub(super) type Lsf = [f32; ORDER];
/// Samples that one analysis looks at.
pub(super) const WINDOW_SAMPLES: usize = 240;
/// Most sub-frames in a frame, each with its own filter.
pub(super) const MOST_SUB_FRAMES: usize = 6;
/// A filter for each sub-frame.
pub(super) type Filters = [Lpc; MOST_SUB_FRAMES];

/// Bandwidth expansion of the synthesis filter.
const SYNTHESIS_CHIRP: f32 = 0.9025;
/// Bandwidth expansion that makes the weighting filter.
const WEIGHTING_CHIRP: f32 = 0.4222;
/// The inverse of tau in the RFC's nine places.
const INVERSE_TAU: f32 = 0.159_154_94;
/// Stands for "no value yet" where the root search compares signs.
const NEVER: f32 = 1.0e37;
/// Energies below this count as zero.
const EPSILON: f32 = 2.220_446e-16;

/// The LSFs of the newest samples: one set for 20 ms, two for 30 ms. `signal` ends with the frame and begins
/// 60 samples before it (30 ms) or 80 (20 ms).
pub(super) fn analyze(mode: Mode, signal: &[f32]) -> [Lsf; 2] {
    let last = signal.last_chunk().map_or([0.0; ORDER], |newest| analyze_window(newest, &LAST_WINDOW));
    match mode {
        Mode::Ms20 => [last, last],
        Mode::Ms30 => {
            let earlier = signal.first_chunk().map_or([0.0; ORDER], |oldest| analyze_window(oldest, &WINDOW));
            [earlier, last]
        }
    }
}

fn analyze_window(signal: &[f32; WINDOW_SAMPLES], window: &[f32; WINDOW_SAMPLES]) -> Lsf {
    let mut windowed = [0.0; WINDOW_SAMPLES + ORDER + 1];
    for ((out, sample), weight) in windowed.iter_mut().zip(signal).zip(window) {
        *out = sample * weight;
    }
    // The zeros behind the window complete the shorter sums.
    let mut correlation = [0.0; ORDER + 2];
    correlate(&windowed[..WINDOW_SAMPLES], &windowed, &mut correlation[..=ORDER]);
    for (value, weight) in correlation.iter_mut().zip(LAG_WINDOW) {
        *value *= weight;
    }
    let mut lpc = levinson(&correlation);
    expand_bandwidth(&mut lpc, SYNTHESIS_CHIRP);
    to_lsf(&lpc)
}

/// Levinson-Durbin recursion.
fn levinson(correlation: &[f32; ORDER + 2]) -> Lpc {
    let mut a = [0.0; ORDER];
    if correlation[0] < EPSILON {
        return a;
    }
    a[0] = -correlation[1] / correlation[0];
    let mut error = correlation[0] + correlation[1] * a[0];
    for m in 1..ORDER {
        let mut sum = correlation[m + 1];
        for i in 0..m {
            sum += a[i] * correlation[m - i];
        }
        let reflection = -sum / error;
        error += reflection * sum;
        for i in 0..m.div_ceil(2) {
            let low = a[i] + reflection * a[m - 1 - i];
            a[m - 1 - i] += reflection * a[i];
            a[i] = low;
        }
        a[m] = reflection;
    }
    a
}

/// A(z) becomes A(z / chirp).
fn expand_bandwidth(a: &mut Lpc, chirp: f32) {
    let mut factor = chirp;
    for coefficient in a {
        *coefficient *= factor;
        factor *= chirp;
    }
}

/// A polynomial in cos w whose roots are every other LSF.
struct Roots([f32; ORDER / 2]);

impl Roots {
    #[inline(always)]
    fn at(&self, cosine: f32) -> f32 {
        let [c0, c1, c2, c3, c4] = self.0;
        let b1 = 2.0 * cosine + c0;
        let b2 = 2.0 * cosine * b1 - 1.0 + c1;
        let b3 = 2.0 * cosine * b2 - b1 + c2;
        let b4 = 2.0 * cosine * b3 - b2 + c3;
        cosine * b4 - b3 + c4
    }
}

/// Coarse and fine steps of the root search, in cycles per sample.
const STEPS: [f32; 4] = [0.00635, 0.003_175, 0.001_587_5, 0.000_793_75];

/// The frequencies where the symmetric and the antisymmetric part of A(z) vanish, in turn: a coarse march,
/// and in the interval where the sign changes three finer ones.
fn to_lsf(a: &Lpc) -> Lsf {
    let mut sum = [0.0; ORDER / 2];
    let mut difference = [0.0; ORDER / 2];
    let (mut last_sum, mut last_difference) = (1.0, 1.0);
    for i in 0..ORDER / 2 {
        let (p, q) = (-(a[i] + a[ORDER - 1 - i]), a[ORDER - 1 - i] - a[i]);
        last_sum = -last_sum - p;
        last_difference -= q;
        (sum[i], difference[i]) = (last_sum, last_difference);
    }
    sum[4] /= 2.0;
    difference[4] /= 2.0;
    let polynomials = [Roots(sum), Roots(difference)];
    // All values on the coarse grid at once: sums that do not wait for each other.
    let coarse = polynomials.each_ref().map(|polynomial| GRID_COSINES.map(|cosine| polynomial.at(cosine)));
    let mut before = [NEVER; 2];
    let (mut place, mut grid) = (0, 0.0);
    let mut lsf = [0.0; ORDER];
    for (n, lsf) in lsf.iter_mut().enumerate() {
        let (polynomial, coarse, old) = (&polynomials[n % 2], &coarse[n % 2], &mut before[n % 2]);
        let ended = |value: f32, old: f32, frequency: f32| value * old <= 0.0 || frequency >= 0.5;
        while !ended(coarse[place], *old, grid) {
            *old = coarse[place];
            grid += STEPS[0];
            place += 1;
        }
        let mut frequency = grid;
        for step in STEPS.into_iter().skip(1) {
            frequency -= step;
            let value = loop {
                let value = polynomial.at(libm::cos(f64::from(frequency * TAU)) as f32);
                if ended(value, *old, frequency) {
                    break value;
                }
                *old = value;
                frequency += step;
            };
            *lsf = if value.abs() >= old.abs() { frequency - step } else { frequency };
        }
        *lsf *= TAU;
        *old = if *old >= 0.0 { -NEVER } else { NEVER };
    }
    lsf
}

/// Quantises the mode's sets of LSFs by split vector quantisation; returns the codes.
pub(super) fn quantize(mode: Mode, lsf: &[Lsf; 2]) -> [u8; 6] {
    let mut codes = [0; 6];
    for (codes, lsf) in codes.chunks_exact_mut(3).zip(lsf).take(mode.lsf_sets()) {
        codes[0] = nearest(&LSF_1, &lsf[..3]);
        codes[1] = nearest(&LSF_2, &lsf[3..6]);
        codes[2] = nearest(&LSF_3, &lsf[6..]);
    }
    codes
}

fn nearest<const N: usize>(codebook: &[[f32; N]], target: &[f32]) -> u8 {
    let mut distances = [0.0; N];
    for (row, value) in codebook.iter().zip(target) {
        for (distance, entry) in distances.iter_mut().zip(row) {
            let difference = value - entry;
            *distance += difference * difference;
        }
    }
    let (mut best, mut least) = (0, NEVER);
    for (i, &distance) in distances.iter().enumerate() {
        if distance < least {
            (best, least) = (i as u8, distance);
        }
    }
    best
}

/// The LSFs that the codes stand for, kept apart.
pub(super) fn dequantize(codes: &[u8; 6]) -> [Lsf; 2] {
    let mut sets = [[0.0; ORDER]; 2];
    for (lsf, codes) in sets.iter_mut().zip(codes.chunks_exact(3)) {
        lsf[..3].iter_mut().zip(&LSF_1).for_each(|(out, row)| *out = row[usize::from(codes[0] % 64)]);
        lsf[3..6].iter_mut().zip(&LSF_2).for_each(|(out, row)| *out = row[usize::from(codes[1] % 128)]);
        lsf[6..].iter_mut().zip(&LSF_3).for_each(|(out, row)| *out = row[usize::from(codes[2] % 128)]);
        keep_apart(lsf);
    }
    sets
}

/// Moves neighbours apart that are closer than 50 Hz, and all into 0..4 kHz (§3.2.5).
fn keep_apart(lsf: &mut Lsf) {
    const LEAST: f32 = 0.039;
    const HALF: f32 = 0.0195;
    const LOWEST: f32 = 0.01;
    #[expect(clippy::approx_constant, reason = "the RFC's number, a little below 4 kHz")]
    const HIGHEST: f32 = 3.14;
    for _ in 0..2 {
        for k in 0..ORDER - 1 {
            if lsf[k + 1] - lsf[k] < LEAST {
                if lsf[k + 1] < lsf[k] {
                    lsf[k + 1] = lsf[k] + HALF;
                    lsf[k] = lsf[k + 1] - HALF;
                } else {
                    lsf[k] -= HALF;
                    lsf[k + 1] += HALF;
                }
            }
            lsf[k] = lsf[k].clamp(LOWEST, HIGHEST);
        }
    }
}

/// A filter for every sub-frame, from LSFs between those of the last frame and the new ones.
pub(super) fn interpolate(mode: Mode, last: &Lsf, new: &[Lsf; 2]) -> Filters {
    let mut between = [[0.0; ORDER]; 8];
    for (n, out) in between.iter_mut().take(mode.sub_frames()).enumerate() {
        let (from, to, weight) = match mode {
            Mode::Ms20 => (last, &new[0], INTERPOLATION_20MS[n]),
            Mode::Ms30 if n == 0 => (last, &new[0], INTERPOLATION_30MS[0]),
            Mode::Ms30 => (&new[0], &new[1], INTERPOLATION_30MS[n]),
        };
        let other = 1.0 - weight;
        for ((out, from), to) in out.iter_mut().zip(from).zip(to) {
            *out = weight * from + other * to;
        }
    }
    let mut filters = [[0.0; ORDER]; MOST_SUB_FRAMES];
    let fours = mode.sub_frames().div_ceil(4);
    for (filters, between) in filters.chunks_mut(4).zip(between.as_chunks::<4>().0).take(fours) {
        filters.copy_from_slice(&to_lpc(between)[..filters.len()]);
    }
    filters
}

/// The weighting filters that belong to prediction filters.
pub(super) fn weighting(filters: &Filters) -> Filters {
    let mut weighting = *filters;
    weighting.iter_mut().for_each(|a| expand_bandwidth(a, WEIGHTING_CHIRP));
    weighting
}

/// A(z) from LSFs, four at a time: lanes 0 to 3 hold the even LSFs of each, lanes 4 to 7 the odd ones.
fn to_lpc(lsf: &[Lsf; 4]) -> [Lpc; 4] {
    type Lanes = [f32; 8];
    let mut doubled: [Lanes; ORDER / 2] = [[0.0; 8]; ORDER / 2];
    for (set, lsf) in lsf.iter().enumerate() {
        let cycles = to_cycles(lsf);
        for (pair, doubled) in cycles.as_chunks::<2>().0.iter().zip(&mut doubled) {
            let [even, odd] = pair.map(|f| 2.0 * libm::cos(f64::from(TAU * f)) as f32);
            (doubled[set], doubled[set + 4]) = (even, odd);
        }
    }
    // The impulse response of five cascaded sections 1 - 2 cos(w) / z + 1 / z^2, with 1 + 1/z or 1 - 1/z in
    // front.
    let mut first = [[0.25; 8]; ORDER / 2];
    let mut second = [[0.0; 8]; ORDER / 2];
    let mut a = [[0.0; ORDER]; 4];
    for n in 0..ORDER {
        let mut value: Lanes = [0.0; 8];
        if n == 0 {
            value = [0.25, 0.25, 0.25, 0.25, -0.25, -0.25, -0.25, -0.25];
        }
        for section in 0..ORDER / 2 {
            let mut next = [0.0; 8];
            for lane in 0..8 {
                let (first, second) = (first[section][lane], second[section][lane]);
                next[lane] = value[lane] - doubled[section][lane] * first + second;
            }
            second[section] = first[section];
            first[section] = value;
            value = next;
        }
        for (set, a) in a.iter_mut().enumerate() {
            a[n] = 2.0 * (value[set] + value[set + 4]);
        }
    }
    a
}

/// LSFs in cycles per sample; those that no filter has are spread evenly.
fn to_cycles(lsf: &Lsf) -> Lsf {
    let mut cycles = lsf.map(|radians| radians * INVERSE_TAU);
    if cycles[0] <= 0.0 || cycles[ORDER - 1] >= 0.5 {
        if cycles[0] <= 0.0 {
            cycles[0] = 0.022;
        }
        if cycles[ORDER - 1] >= 0.5 {
            cycles[ORDER - 1] = 0.499;
        }
        let step = (cycles[ORDER - 1] - cycles[0]) / (ORDER - 1) as f32;
        for i in 1..ORDER {
            cycles[i] = cycles[i - 1] + step;
        }
    }
    cycles
}
