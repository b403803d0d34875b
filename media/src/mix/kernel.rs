//! The loops of the mixer, in shapes that the compiler turns into vector instructions.
//!
//! Samples are summed as `f32`: integers below 2²⁴ are exact in it, so with gains of 1 a leg takes itself out of a sum
//! of 500 full-scale legs without a trace.

use core::ops::AddAssign;

/// Samples that a reduction takes side by side.
const LANES: usize = 8;
/// Added to a value of 16 bits, puts the integer nearest to it into the low bits of the pattern.
const ALIGN: f32 = 12_582_912.0;

/// A factor that goes in a straight line from one value to another within a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ramp {
    pub(super) from: f32,
    pub(super) to: f32,
}

impl Ramp {
    /// Whether it stays at `value`.
    pub(super) fn stays(self, value: f32) -> bool {
        self.from == value && self.to == value
    }

    fn step(self, samples: usize) -> f32 {
        (self.to - self.from) / samples.max(1) as f32
    }
}

/// The sum of the squares of `pcm`, and its largest magnitude.
pub(super) fn measure(pcm: &[i16]) -> (f32, u16) {
    let (chunks, rest) = pcm.as_chunks::<LANES>();
    let mut energy = [0.0_f32; LANES];
    let (mut high, mut low) = ([0_i16; LANES], [0_i16; LANES]);
    for chunk in chunks {
        for ((energy, (high, low)), &sample) in
            energy.iter_mut().zip(high.iter_mut().zip(&mut low)).zip(chunk)
        {
            let value = f32::from(sample);
            *energy += value * value;
            *high = (*high).max(sample);
            *low = (*low).min(sample);
        }
    }
    let mut sum = energy.iter().sum::<f32>();
    let mut peak = high.iter().chain(&low).map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
    for &sample in rest {
        sum += f32::from(sample) * f32::from(sample);
        peak = peak.max(sample.unsigned_abs());
    }
    (sum, peak)
}

/// Adds `pcm`, with a gain, to `total`.
pub(super) fn add(total: &mut [f32], pcm: &[i16], gain: Ramp) {
    if gain.stays(1.0) {
        for (sum, &sample) in total.iter_mut().zip(pcm) {
            *sum += f32::from(sample);
        }
    } else {
        along(gain, pcm.len(), total.iter_mut().zip(pcm), |gain, (sum, &sample)| {
            sum.add_assign(f32::from(sample) * gain);
        });
    }
}

/// Writes `total` less `pcm` with its gain to `mix`: what everybody else says.
pub(super) fn subtract(total: &[f32], pcm: &[i16], gain: Ramp, mix: &mut [f32]) {
    if gain.stays(1.0) {
        for ((mix, &sum), &sample) in mix.iter_mut().zip(total).zip(pcm) {
            *mix = sum - f32::from(sample);
        }
    } else {
        along(gain, pcm.len(), mix.iter_mut().zip(total).zip(pcm), |gain, ((mix, &sum), &sample)| {
            *mix = sum - f32::from(sample) * gain;
        });
    }
}

/// Multiplies `mix` by a gain.
pub(super) fn scale(mix: &mut [f32], gain: Ramp) {
    if !gain.stays(1.0) {
        along(gain, mix.len(), mix.iter_mut(), |gain, sample| *sample *= gain);
    }
}

/// The largest magnitude in `mix`.
pub(super) fn peak(mix: &[f32]) -> f32 {
    let (chunks, rest) = mix.as_chunks::<LANES>();
    let mut peaks = [0.0_f32; LANES];
    for chunk in chunks {
        for (peak, &sample) in peaks.iter_mut().zip(chunk) {
            *peak = larger(*peak, sample.abs());
        }
    }
    peaks.iter().chain(rest).fold(0.0, |peak, sample| larger(peak, sample.abs()))
}

/// Rounds `mix`, whose magnitudes are below 32 767.5, to samples.
pub(super) fn round(mix: &[f32], pcm: &mut [i16]) {
    for (sample, &value) in pcm.iter_mut().zip(mix) {
        *sample = round_one(value);
    }
}

/// Rounds one value of a magnitude below 32 767.5.
pub(super) const fn round_one(value: f32) -> i16 {
    (value + ALIGN).to_bits() as i16
}

/// Runs over samples with the gain of each.
fn along<T>(gain: Ramp, samples: usize, all: impl Iterator<Item = T>, mut one: impl FnMut(f32, T)) {
    let (mut now, step) = (gain.from, gain.step(samples));
    if step == 0.0 {
        all.for_each(|item| one(now, item));
    } else {
        all.for_each(|item| {
            now += step;
            one(now, item);
        });
    }
}

/// As `f32::max`, but without its rule for NaN, which there is none of: one instruction.
const fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_to_the_nearest_over_the_whole_range() {
        for value in i16::MIN..=i16::MAX {
            assert_eq!(round_one(f32::from(value)), value);
            assert_eq!(round_one(f32::from(value) + 0.4), value);
            assert_eq!(round_one(f32::from(value) - 0.4), value);
        }
    }

    #[test]
    fn energy_and_peak_of_any_length() {
        let pcm: Vec<i16> = (0..83).map(|n| if n == 81 { i16::MIN } else { n }).collect();
        let expected: f32 = pcm.iter().map(|s| f32::from(*s).powi(2)).sum();
        let (energy, peak) = measure(&pcm);
        assert!((energy / expected - 1.0).abs() < 1e-6, "{energy} {expected}");
        assert_eq!((peak, measure(&[])), (32_768, (0.0, 0)));
        assert_eq!(super::peak(&[1.0, -7.0, 2.0]), 7.0);
    }

    #[test]
    fn a_ramp_ends_where_it_says() {
        let mut total = [0.0; 80];
        add(&mut total, &[1000; 80], Ramp { from: 0.0, to: 1.0 });
        assert!((total[79] - 1000.0).abs() < 0.01 && total[0] > 0.0 && total[0] < 13.0, "{total:?}");
        let mut mix = [0.0; 80];
        subtract(&total, &[1000; 80], Ramp { from: 0.0, to: 1.0 }, &mut mix);
        assert_eq!(mix, [0.0; 80]);
    }
}
