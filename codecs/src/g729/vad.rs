//! Voice activity detector (B.3).
#![expect(clippy::indexing_slicing, reason = "fixed arrays; counters are clamped to their tables")]

use super::lpc::Autocorrelation;
use super::tables::{LOW_BAND, MEAN_FACTOR, MEAN_SHIFT};
use super::{Lsp, ORDER, WINDOW_SAMPLES};
use crate::fixed::{
    abs_s, add, deposit_h, extract_h, l_add, l_comp, l_mac, l_mult, l_shl, l_shr, mpy_32_16, sub,
};
use crate::fixed_math::log2;

/// Frames over which the background is learnt first.
const LEARNING: i16 = 32;
/// Below this energy (15 dB, Q11) a frame is silence.
const SILENCE: i16 = 3072;
/// 3 dB, Q11.
const MARGIN: i16 = 614;

/// What is compared with the background.
#[derive(Clone, Copy, Default)]
struct Features {
    /// In dB / 10, Q11.
    energy: i16,
    low_energy: i16,
    /// Q15.
    zero_crossings: i16,
}

/// The running background and the state of the smoothing.
#[derive(Clone)]
pub(super) struct Vad {
    frame: i16,
    mean: Features,
    mean_energy: i16,
    mean_lsf: Lsp,
    minima: [i16; 16],
    least: i16,
    next_least: i16,
    previous_least: i16,
    previous_energy: i16,
    /// Decisions of the last frame and the one before.
    past: [bool; 2],
    silent_frames: i16,
    updates: i16,
    extensions: i16,
    silent_while_learning: i16,
    may_extend: bool,
}

impl Vad {
    pub(super) const NEW: Self = Self {
        frame: 0,
        mean: Features { energy: 0, low_energy: 0, zero_crossings: 0 },
        mean_energy: 0,
        mean_lsf: [0; ORDER],
        minima: [0; 16],
        least: i16::MAX,
        next_least: 0,
        previous_least: 0,
        previous_energy: 0,
        past: [true; 2],
        silent_frames: 0,
        updates: 0,
        extensions: 0,
        silent_while_learning: 0,
        may_extend: true,
    };

    /// Whether the frame is speech.
    pub(super) fn is_active(
        &mut self,
        reflection: i16,
        lsf: &Lsp,
        correlation: &Autocorrelation,
        signal: &[i16; WINDOW_SAMPLES],
    ) -> bool {
        self.frame = if self.frame == i16::MAX { 256 } else { self.frame + 1 };
        let features = Features::of(correlation, signal);
        let distortion = extract_h(lsf.iter().zip(&self.mean_lsf).fold(0, |sum, (&lsf, &mean)| {
            let difference = sub(lsf, mean);
            l_mac(sum, difference, difference)
        }));
        self.track_minimum(features.energy);
        let mut active = true;
        if self.frame <= LEARNING {
            active = self.learn(&features, lsf);
        }
        if self.frame >= LEARNING {
            if self.frame == LEARNING {
                self.finish_learning();
            }
            active = self.decide(&features, distortion, reflection);
            self.update_background(&features, distortion, reflection, lsf);
        }
        self.previous_energy = features.energy;
        self.past = [active, self.past[0]];
        active
    }

    /// The least energy of the last 128 frames, in blocks of eight.
    fn track_minimum(&mut self, energy: i16) {
        let block_ends = self.frame & 7 == 0;
        if self.frame < 129 {
            if energy < self.least {
                self.least = energy;
                self.previous_least = energy;
            }
            if block_ends {
                self.minima[((self.frame >> 3) - 1).clamp(0, 15) as usize] = self.least;
                self.least = i16::MAX;
            }
        }
        if block_ends {
            self.previous_least = self.least_of_minima();
        }
        if self.frame >= 129 {
            if self.frame & 7 == 1 {
                self.least = self.previous_least;
                self.next_least = i16::MAX;
            }
            self.least = self.least.min(energy);
            self.next_least = self.next_least.min(energy);
            if block_ends {
                self.minima.copy_within(1.., 0);
                self.minima[15] = self.next_least;
                self.previous_least = self.least_of_minima();
            }
        }
    }

    fn least_of_minima(&self) -> i16 {
        self.minima.iter().copied().fold(i16::MAX, i16::min)
    }

    /// During the first frames only the energy decides.
    fn learn(&mut self, features: &Features, lsf: &Lsp) -> bool {
        if features.energy < SILENCE {
            self.silent_while_learning += 1;
            return false;
        }
        let accumulate = |mean: &mut i16, value: i16| *mean = extract_h(l_mac(deposit_h(*mean), value, 1024));
        accumulate(&mut self.mean_energy, features.energy);
        accumulate(&mut self.mean.zero_crossings, features.zero_crossings);
        for (mean, &lsf) in self.mean_lsf.iter_mut().zip(lsf) {
            accumulate(mean, lsf);
        }
        true
    }

    /// The sums over at most 32 frames become means over those that were not silent.
    fn finish_learning(&mut self) {
        let silent = self.silent_while_learning.clamp(0, 32) as usize;
        let rescale = |mean: &mut i16| {
            *mean = extract_h(l_shl(l_mult(*mean, MEAN_FACTOR[silent]), MEAN_SHIFT[silent]));
        };
        rescale(&mut self.mean_energy);
        rescale(&mut self.mean.zero_crossings);
        self.mean_lsf.iter_mut().for_each(rescale);
        self.mean.energy = sub(self.mean_energy, 2048);
        self.mean.low_energy = sub(self.mean_energy, 2458);
    }

    /// The decision with its four smoothing stages (B.3.6).
    fn decide(&mut self, features: &Features, distortion: i16, reflection: i16) -> bool {
        let energy = features.energy;
        let [last, before] = self.past;
        let difference = Features {
            energy: sub(self.mean.energy, energy),
            low_energy: sub(self.mean.low_energy, features.low_energy),
            zero_crossings: sub(self.mean.zero_crossings, features.zero_crossings),
        };
        let mut active = energy >= SILENCE && is_speech(&difference, distortion);
        let mut extended = false;
        if last && !active && add(difference.energy, 410) < 0 && energy > SILENCE {
            (active, extended) = (true, true);
        }
        if self.may_extend {
            let steady = abs_s(sub(self.previous_energy, energy)) <= MARGIN;
            if before && last && !active && steady {
                self.extensions += 1;
                (active, extended) = (true, true);
                if self.extensions > 4 {
                    self.extensions = 0;
                    self.may_extend = false;
                }
            }
        } else {
            self.may_extend = true;
        }
        if !active {
            self.silent_frames = self.silent_frames.wrapping_add(1);
        }
        if active && self.silent_frames > 10 && sub(energy, self.previous_energy) <= MARGIN {
            active = false;
            self.silent_frames = 0;
        }
        if active {
            self.silent_frames = 0;
        }
        if sub(energy, MARGIN) < self.mean.energy && self.frame > 128 && !extended && reflection < 19_661 {
            active = false;
        }
        active
    }

    /// Moves the background towards a frame that looks like it (B.3.7).
    fn update_background(&mut self, features: &Features, distortion: i16, reflection: i16, lsf: &Lsp) {
        let like_background = distortion < 83;
        if sub(features.energy, MARGIN) < self.mean.energy && reflection < 24_576 && like_background {
            self.updates = self.updates.wrapping_add(1);
            let speed = Speed::after(self.updates);
            let blend = |mean: &mut i16, value: i16, (keep, take): (i16, i16)| {
                *mean = extract_h(l_mac(l_mult(keep, *mean), take, value));
            };
            blend(&mut self.mean.energy, features.energy, speed.energy);
            blend(&mut self.mean.low_energy, features.low_energy, speed.energy);
            blend(&mut self.mean.zero_crossings, features.zero_crossings, speed.zero_crossings);
            for (mean, &lsf) in self.mean_lsf.iter_mut().zip(lsf) {
                blend(mean, lsf, speed.lsf);
            }
        }
        let above_least = sub(self.mean.energy, self.least);
        if self.frame > 128 && ((above_least < 0 && like_background) || above_least > 2048) {
            self.mean.energy = self.least;
            self.updates = 0;
        }
    }
}

impl Features {
    fn of(correlation: &Autocorrelation, signal: &[i16; WINDOW_SAMPLES]) -> Self {
        let decibels = |power: i32| {
            let (exponent, fraction) = log2(power);
            let sum = mpy_32_16(exponent, fraction, 9864);
            let sum = l_mac(sum, 9864, sub(correlation.exponent, 2));
            sub(extract_h(l_shl(sum, 11)), 4875)
        };
        let high = correlation.values.map(extract_h);
        let low = high[1..].iter().zip(&LOW_BAND[1..]).fold(0, |sum, (&value, &tap)| l_mac(sum, value, tap));
        let low = l_mac(l_shl(low, 1), high[0], LOW_BAND[0]);
        let crossings =
            signal[120..=200].windows(2).filter(|pair| i32::from(pair[0]) * i32::from(pair[1]) < 0).count();
        Self {
            energy: decibels(l_comp(high[0], crate::fixed::l_extract(correlation.values[0]).1)),
            low_energy: decibels(low),
            zero_crossings: (410 * crossings as i32).min(i32::from(i16::MAX)) as i16,
        }
    }
}

/// How much of the old mean is kept and how much of the new value is taken.
struct Speed {
    energy: (i16, i16),
    zero_crossings: (i16, i16),
    lsf: (i16, i16),
}

impl Speed {
    fn after(updates: i16) -> Self {
        let [energy, zero_crossings, lsf] = match updates {
            ..20 => [(24_576, 8192), (26_214, 6554), (19_661, 13_017)],
            20..30 => [(31_130, 1638), (30_147, 2621), (21_299, 11_469)],
            30..40 => [(31_785, 983), (30_802, 1966), (22_938, 9830)],
            40..50 => [(32_440, 328), (31_457, 1311), (24_576, 8192)],
            50..60 => [(32_604, 164), (32_440, 328), (24_576, 8192)],
            60.. => [(32_604, 164), (32_702, 66), (24_576, 8192)],
        };
        Self { energy, zero_crossings, lsf }
    }
}

/// The multi-boundary decision (B.3.5): speech lies beyond one of fourteen planes.
fn is_speech(difference: &Features, distortion: i16) -> bool {
    let Features { energy, low_energy, zero_crossings } = *difference;
    // slope · x + offset (of two factors), shifted right, plus y.
    let plane = |x: i16, slope: i16, offset: (i16, i16), shift: i16, y: i16| {
        l_add(l_shr(l_mac(l_mult(x, slope), offset.0, offset.1), shift), deposit_h(y))
    };
    let sum = |x: i16, slope: i16, offset: (i16, i16), y: i16, factor: i16| {
        l_mac(l_mac(l_mult(x, slope), offset.0, offset.1), y, factor)
    };
    plane(zero_crossings, -14_680, (8192, -28_521), 8, distortion) > 0
        || plane(zero_crossings, 19_065, (8192, -19_446), 7, distortion) > 0
        || plane(zero_crossings, 20_480, (8192, 16_384), 2, energy) < 0
        || plane(zero_crossings, -16_384, (8192, 19_660), 2, energy) < 0
        || sum(energy, 32_767, (1024, 30_802), 0, 0) < 0
        || sum(distortion, -28_160, (64, 19_988), energy, 512) < 0
        || sum(distortion, 32_767, (32, -30_199), 0, 0) > 0
        || plane(zero_crossings, -20_480, (8192, 22_938), 2, energy) < 0
        || plane(zero_crossings, 23_831, (4096, 31_576), 2, energy) < 0
        || sum(energy, 32_767, (2048, 17_367), 0, 0) < 0
        || sum(distortion, -22_400, (32, 25_395), low_energy, 256) < 0
        || plane(energy, -30_427, (256, -29_959), 0, low_energy) > 0
        || plane(energy, -23_406, (512, 28_087), 0, low_energy) < 0
        || sum(energy, 24_576, (1024, 29_491), low_energy, 16_384) < 0
}
