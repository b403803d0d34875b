//! Voice activity detection, option 1 (3GPP TS 26.094 §3): levels in nine bands against a background that adapts, with
//! help from the pitch analysis.
#![expect(
    clippy::indexing_slicing,
    reason = "fixed arrays, indices bounded by the number of bands and samples"
)]

use super::super::FRAME_SAMPLES as FRAME;
use super::operators::{mac, shl16};
use crate::fixed::{
    abs_s, add, deposit_h, div_s, extract_h, l_add, l_mac, l_msu, l_shl, mult, mult_r, norm_s, round, shr,
    sub,
};

/// Frequency bands, the lowest first.
const BANDS: usize = 9;

/// Samples of look-ahead at the end of the frame before.
pub(super) const LOOK_AHEAD: usize = 40;

/// What the detector remembers. Flags of past frames are bits, the newest is bit 14.
#[derive(Clone, Debug)]
pub(super) struct Vad {
    filters: FilterBank,
    background: [i16; BANDS],
    /// Smoothed levels, and the last ones.
    average: [i16; BANDS],
    last: [i16; BANDS],
    /// Decisions without hangover.
    active: i16,
    pitch: i16,
    tone: i16,
    complex_strong: i16,
    complex_weak: i16,
    /// Lags alike in the last frame, and its second lag.
    alike: i16,
    lag: i16,
    /// Frames until the background may adapt upwards again.
    stationary: i16,
    burst: i16,
    hangover: i16,
    complex_hangover: i16,
    complex_frames: i16,
    /// Repetition in the upper band, as heard last and smoothed, Q15.
    curvature: i16,
    complexity: i16,
}

impl Vad {
    pub(super) const fn new() -> Self {
        Self {
            filters: FilterBank::new(),
            background: [150; BANDS],
            average: [150; BANDS],
            last: [150; BANDS],
            active: 0,
            pitch: 0,
            tone: 0,
            complex_strong: 0,
            complex_weak: 0,
            alike: 0,
            lag: 0,
            stationary: 0,
            burst: 0,
            hangover: 0,
            complex_hangover: 0,
            complex_frames: 0,
            curvature: LEAST_COMPLEXITY,
            complexity: LEAST_COMPLEXITY,
        }
    }

    /// Whether a frame is to be sent as speech. The frame follows [`LOOK_AHEAD`] samples of the one before.
    pub(super) fn detect(&mut self, speech: &[i16; LOOK_AHEAD + FRAME]) -> bool {
        let power = speech[..FRAME].iter().fold(0, |sum, x| mac(sum, *x, *x));
        if power < 343_040 {
            self.pitch &= 0x3FFF;
        }
        if power < LOW_POWER {
            self.complex_weak &= 0x3FFF;
        }
        let quiet = power < LOW_POWER;
        let levels = self.filters.levels(&speech[LOOK_AHEAD..]);

        // 1/9.
        let ratio = mult(extract_h(l_shl(self.signal_to_noise(&levels), 6)), 3641);
        let sum = self.background.iter().fold(0, |sum, level| l_add(sum, i32::from(*level)));
        let noise = extract_h(l_shl(sum, 13));
        let threshold = add(mult(-2808, noise), 1260).max(720);
        self.active >>= 1;
        if ratio > threshold {
            self.active |= 0x4000;
        }

        self.adapt_complexity(quiet);
        let complex = self.is_complex(quiet);
        self.adapt_background(&levels, complex);
        self.hang_over(noise, quiet)
    }

    /// Sum over the bands of the squared ratios of level to background.
    fn signal_to_noise(&self, levels: &[i16; BANDS]) -> i32 {
        let mut sum = 0;
        for (level, background) in levels.iter().zip(self.background) {
            let shift = norm_s(background);
            let ratio = div_s(level >> 1, background << shift);
            let ratio = shl16(ratio, i32::from(shift) - 5);
            sum = mac(sum, ratio, ratio);
        }
        sum
    }

    /// Smooths the curvature, up faster than down (§3.3.4.2).
    fn adapt_complexity(&mut self, quiet: bool) {
        let rises = self.curvature < self.complexity;
        let speed = match (self.complexity < 19660, rises) {
            (true, _) => 2621,
            (false, true) => 6553,
            (false, false) => 655,
        };
        let sum = l_msu(deposit_h(self.complexity), speed, self.complexity);
        self.complexity = round(mac(sum, speed, self.curvature)).max(LEAST_COMPLEXITY);
        if quiet {
            self.complexity = LEAST_COMPLEXITY;
        }
    }

    /// Whether the signal has been music or the like for a while.
    fn is_complex(&mut self, quiet: bool) -> bool {
        self.complex_strong >>= 1;
        self.complex_weak >>= 1;
        if !quiet {
            if self.complexity > 19660 {
                self.complex_strong |= 0x4000;
            }
            if self.complexity > 16383 {
                self.complex_weak |= 0x4000;
            }
        }
        self.complex_frames = if self.complexity > 22936 { add(self.complex_frames, 1) } else { 0 };
        self.complex_strong & 0x7F80 == 0x7F80 || self.complex_weak & 0x7FFF == 0x7FFF
    }

    /// Moves the background towards the levels of the frame before (§3.3.5.2).
    fn adapt_background(&mut self, levels: &[i16; BANDS], complex: bool) {
        self.judge_stationarity(levels, complex);
        let (up, down, step) =
            if self.active & 0x7800 == 0 && self.pitch & 0x7800 == 0 && self.complex_hangover == 0 {
                (1638, 2097, 2)
            } else if self.stationary == 0 && self.complex_hangover == 0 {
                (491, 1867, 2)
            } else {
                (0, 1638, 0)
            };
        for (background, last) in self.background.iter_mut().zip(self.last) {
            let distance = sub(last, *background);
            *background = if distance < 0 {
                add(-2, add(*background, mult_r(down, distance))).max(40)
            } else {
                add(step, add(*background, mult_r(up, distance))).min(16000)
            };
        }
        self.last = *levels;
    }

    /// Whether the levels have kept still, and their average (§3.3.5.3).
    fn judge_stationarity(&mut self, levels: &[i16; BANDS], complex: bool) {
        if complex {
            self.stationary = self.stationary.max(5);
        }
        if self.pitch & 0x6000 == 0x6000 || self.tone & 0x7C00 == 0x7C00 || self.active & 0x7F80 == 0 {
            self.stationary = STATIONARY;
        } else {
            let mut change = 0;
            for (level, average) in levels.iter().zip(self.average) {
                let more = (*level).max(average).max(184);
                let less = (*level).min(average).max(184);
                let shift = norm_s(less);
                change = add(change, shr(div_s(more >> 1, less << shift), 8 - shift));
            }
            if change > 1000 {
                self.stationary = STATIONARY;
            } else if self.active & 0x4000 != 0 && self.stationary != 0 {
                self.stationary -= 1;
            }
        }
        let speed = if self.stationary == STATIONARY {
            i16::MAX
        } else if self.active & 0x4000 == 0 {
            16383
        } else {
            3276
        };
        for (average, level) in self.average.iter_mut().zip(levels) {
            *average = add(*average, mult_r(speed, sub(*level, *average)));
        }
    }

    /// Keeps on sending for a while after speech or music (§3.3.6).
    fn hang_over(&mut self, noise: i16, quiet: bool) -> bool {
        let (burst, hangover) = if noise > 100 { (4, 7) } else { (5, 4) };
        if quiet {
            self.burst = 0;
            self.hangover = 0;
            self.complex_hangover = 0;
            self.complex_frames = 0;
            return false;
        }
        if self.complex_frames > 100 {
            self.complex_hangover = self.complex_hangover.max(250);
        }
        if self.complex_hangover != 0 {
            self.burst = 4;
            self.complex_hangover -= 1;
            return true;
        }
        if self.active & 0x3FF0 == 0 && self.complexity > 21298 {
            return true;
        }
        if self.active & 0x4000 != 0 {
            self.burst = add(self.burst, 1);
            if self.burst >= burst {
                self.hangover = hangover;
            }
            return true;
        }
        self.burst = 0;
        if self.hangover > 0 {
            self.hangover -= 1;
            return true;
        }
        false
    }

    /// Before the open-loop search of a half frame, or of a whole one.
    pub(super) fn begin_tone(&mut self, whole: bool) {
        self.tone >>= 1;
        if whole {
            self.tone = self.tone >> 1 | 0x2000;
        }
    }

    /// A correlation found by the open-loop search, and the energy at its lag: near to it, the frame is a tone.
    pub(super) fn hear_tone(&mut self, correlation: i32, energy: i32) {
        let energy = round(energy);
        if energy > 0 && l_msu(correlation, energy, 21298) > 0 {
            self.tone |= 0x4000;
        }
    }

    /// How strongly the signal repeats itself in the upper band.
    pub(super) fn hear_complex(&mut self, curvature: i16) {
        self.curvature = curvature;
    }

    /// The lags of the two halves of the frame: when they keep near to each other there is voice.
    pub(super) fn hear_pitch(&mut self, lags: [i16; 2]) {
        let mut alike = 0;
        for lag in lags {
            if abs_s(sub(self.lag, lag)) < 4 {
                alike += 1;
            }
            self.lag = lag;
        }
        self.pitch >>= 1;
        if self.alike + alike >= 4 {
            self.pitch |= 0x4000;
        }
        self.alike = alike;
    }
}

/// Below this power a frame is never sent.
const LOW_POWER: i32 = 15000;
const STATIONARY: i16 = 20;
/// 0.4.
const LEAST_COMPLEXITY: i16 = 13106;

/// All-pass filter pairs that halve the band again and again (§3.3.1).
#[derive(Clone, Debug)]
struct FilterBank {
    fifth: [[i16; 2]; 3],
    third: [i16; 5],
    /// Of each band, the magnitudes at the end of the frame before.
    tails: [i16; BANDS],
}

/// Of each band: its place and distance in the frame after filtering, how many of its samples count for the next frame
/// too, and how its level is scaled.
const PLACES: [(usize, usize, usize, i16); BANDS] = [
    (0, 16, 2, 16),
    (8, 16, 2, 16),
    (12, 16, 2, 16),
    (4, 16, 2, 16),
    (6, 8, 4, 16),
    (2, 8, 4, 16),
    (3, 8, 4, 16),
    (7, 8, 4, 16),
    (1, 4, 8, 15),
];

impl FilterBank {
    const fn new() -> Self {
        Self { fifth: [[0; 2]; 3], third: [0; 5], tails: [0; BANDS] }
    }

    /// The levels of the bands in a frame.
    fn levels(&mut self, frame: &[i16]) -> [i16; BANDS] {
        let mut bands = [0; FRAME];
        bands.copy_from_slice(frame);
        for pair in bands.chunks_exact_mut(2) {
            let (low, high) = fifth_order([pair[0] >> 2, pair[1] >> 2], &mut self.fifth[0]);
            (pair[0], pair[1]) = (low, high);
        }
        for four in bands.chunks_exact_mut(4) {
            for i in 0..2 {
                let (low, high) = fifth_order([four[i], four[i + 2]], &mut self.fifth[1 + i]);
                (four[i], four[i + 2]) = (low >> 1, high >> 1);
            }
        }
        for eight in bands.chunks_exact_mut(8) {
            third_order(eight, 0, 4, &mut self.third[0]);
            third_order(eight, 2, 6, &mut self.third[1]);
            third_order(eight, 3, 7, &mut self.third[4]);
        }
        for sixteen in bands.chunks_exact_mut(16) {
            third_order(sixteen, 0, 8, &mut self.third[2]);
            third_order(sixteen, 4, 12, &mut self.third[3]);
        }

        let mut levels = [0; BANDS];
        for (band, (first, step, tail, scale)) in PLACES.into_iter().enumerate() {
            let count = FRAME / step;
            let sum = |sum: i32, from: usize, to: usize| {
                (from..to).fold(sum, |sum, i| l_mac(sum, 1, abs_s(bands[step * i + first])))
            };
            let end = sum(0, count - tail, count);
            let all = l_add(end, l_shl(i32::from(self.tails[band]), 16 - scale));
            self.tails[band] = extract_h(l_shl(end, scale));
            levels[band] = extract_h(l_shl(sum(all, 0, count - tail), scale));
        }
        levels
    }
}

/// Splits two samples into one of the lower and one of the upper half of the band, not yet halved.
fn fifth_order(input: [i16; 2], state: &mut [i16; 2]) -> (i16, i16) {
    let mut sides = [0; 2];
    for ((side, x), (state, coefficient)) in
        sides.iter_mut().zip(input).zip(state.iter_mut().zip([21955, 6390]))
    {
        let inner = sub(x, mult(coefficient, *state));
        *side = add(*state, mult(coefficient, inner));
        *state = inner;
    }
    (add(sides[0], sides[1]), sub(sides[0], sides[1]))
}

/// The same in place, with a shorter filter; the halves change places.
fn third_order(samples: &mut [i16], low: usize, high: usize, state: &mut i16) {
    let inner = sub(samples[high], mult(13363, *state));
    let side = add(*state, mult(13363, inner));
    *state = inner;
    let through = samples[low];
    samples[high] = sub(through, side) >> 1;
    samples[low] = add(through, side) >> 1;
}
