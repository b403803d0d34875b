//! Keeps a sum of voices within 16 bits without clipping it.

use super::kernel;

/// Up to here, 1 dB below full scale, a mix passes as it is.
pub(super) const THRESHOLD: f32 = 29_204.0;
/// What a knee never reaches.
const CEILING: f32 = 32_767.0;
/// Segments a second: each has its own gain at its end, 1.25 ms apart.
const SEGMENTS_PER_SECOND: u32 = 800;
/// How much of the way back to 1 the gain goes in a segment: a time constant of 200 ms.
const RELEASE: f32 = 0.006_23;
/// A gain this near to 1 is 1.
const NEARLY: f32 = 0.999;

/// The gain control of one mix, without delay.
///
/// A gain that goes down within 1.25 ms and comes back within some 200 ms keeps peaks at [`THRESHOLD`]; what gets over
/// it before the gain is down is bent into what is left up to full scale, so nothing is cut off.
#[derive(Clone, Debug)]
pub(super) struct Limiter {
    gain: f32,
    segment: usize,
}

impl Limiter {
    pub(super) const fn new(sample_rate: u32) -> Self {
        let segment = (sample_rate / SEGMENTS_PER_SECOND) as usize;
        Self { gain: 1.0, segment: if segment == 0 { 1 } else { segment } }
    }

    /// The gain at the end of the last frame.
    pub(super) const fn gain(&self) -> f32 {
        self.gain
    }

    /// Goes on from another limiter's gain.
    pub(super) const fn set_gain(&mut self, gain: f32) {
        self.gain = gain;
    }

    /// Writes `mix` to `pcm`. Both have the same length. The gain ends at `land`, if that is given.
    pub(super) fn run(&mut self, mix: &[f32], pcm: &mut [i16], land: Option<f32>) {
        let lands_at_one = land.is_none_or(|land| land == 1.0);
        if self.gain == 1.0 && lands_at_one && kernel::peak(mix) <= THRESHOLD {
            return kernel::round(mix, pcm);
        }
        let mut left = mix.len().div_ceil(self.segment);
        let mut ahead = mix.chunks(self.segment).map(needed).skip(1);
        for (mix, pcm) in mix.chunks(self.segment).zip(pcm.chunks_mut(self.segment)) {
            let target = needed(mix).min(ahead.next().unwrap_or(1.0));
            let back = self.gain + (1.0 - self.gain) * RELEASE;
            let end = if target < back {
                target
            } else if back > NEARLY {
                1.0
            } else {
                back
            };
            left -= 1;
            let end = land.filter(|_| left == 0).unwrap_or(end);
            let step = (end - self.gain) / mix.len().max(1) as f32;
            for (sample, &value) in pcm.iter_mut().zip(mix) {
                self.gain += step;
                *sample = kernel::round_one(bend(value * self.gain));
            }
            self.gain = end;
        }
    }
}

/// The gain that brings a segment's peak down to the threshold.
fn needed(segment: &[f32]) -> f32 {
    let peak = kernel::peak(segment);
    if peak > THRESHOLD { THRESHOLD / peak } else { 1.0 }
}

/// Straight up to the threshold, then ever flatter towards the ceiling.
fn bend(value: f32) -> f32 {
    const ROOM: f32 = CEILING - THRESHOLD;
    let over = value.abs() - THRESHOLD;
    if over <= 0.0 {
        return value;
    }
    (THRESHOLD + over * ROOM / (over + ROOM)).copysign(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::level;

    fn tones(peak: f64, seconds: usize) -> Vec<f32> {
        let sine = |hertz: f64, n: usize| (n as f64 * hertz * core::f64::consts::TAU / 8000.0).sin();
        (0..8000 * seconds).map(|n| (peak * (sine(437.5, n) + sine(1062.5, n))) as f32).collect()
    }

    #[test]
    fn what_fits_passes_bit_by_bit() {
        let mix = tones(14_000.0, 1);
        let mut limiter = Limiter::new(8000);
        let mut pcm = vec![0; mix.len()];
        for (mix, pcm) in mix.chunks(80).zip(pcm.chunks_mut(80)) {
            limiter.run(mix, pcm, None);
        }
        assert!(mix.iter().zip(&pcm).all(|(mix, pcm)| mix.round() as i16 == *pcm));
    }

    #[test]
    fn a_sum_of_twice_full_scale_keeps_its_shape() {
        let mix = tones(32_767.0, 1);
        let mut limiter = Limiter::new(8000);
        let mut pcm = vec![0; mix.len()];
        for (mix, pcm) in mix.chunks(80).zip(pcm.chunks_mut(80)) {
            limiter.run(mix, pcm, None);
        }
        // Never at the edge, not even at the onset.
        assert!(pcm.iter().all(|sample| sample.unsigned_abs() < 32_767), "clipped");
        let settled = &pcm[800..7200];
        let parts = [437.5, 1062.5].map(|hertz| f64::from(level(settled, 8000, hertz)));
        assert!(parts.iter().all(|peak| (13_000.0..15_000.0).contains(peak)), "{parts:?}");
        let whole: f64 = settled.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / settled.len() as f64;
        let kept = (parts[0].powi(2) + parts[1].powi(2)) / 2.0;
        // What is neither tone: below -35 dB.
        assert!((whole - kept) / whole < 3e-4, "{}", (whole - kept) / whole);
    }

    #[test]
    fn the_gain_comes_back() {
        let mut limiter = Limiter::new(8000);
        let mut pcm = [0; 80];
        limiter.run(&[60_000.0; 80], &mut pcm, None);
        assert!(limiter.gain() < 0.5, "{}", limiter.gain());
        let mut frames = 0;
        while limiter.gain() < 1.0 {
            limiter.run(&[100.0; 80], &mut pcm, None);
            frames += 1;
        }
        assert!((50..250).contains(&frames), "{frames}");
    }
}
