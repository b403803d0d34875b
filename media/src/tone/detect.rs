//! Finding a known frequency (Goertzel's algorithm).

use core::f64::consts::TAU;

/// The peak amplitude of `hertz` in `pcm`: near zero if it is not there, and for a pure tone its peak.
#[must_use]
pub fn level(pcm: &[i16], sample_rate: u32, hertz: f32) -> f32 {
    let mut goertzel = Goertzel::new(sample_rate, hertz);
    goertzel.add(pcm);
    goertzel.level()
}

/// Measures one frequency over as many samples as it is given.
#[derive(Clone, Debug)]
pub struct Goertzel {
    coefficient: f64,
    before: f64,
    last: f64,
    energy: f64,
    samples: u64,
}

impl Goertzel {
    /// A measurement of `hertz` that has seen nothing.
    #[must_use]
    pub fn new(sample_rate: u32, hertz: f32) -> Self {
        let turn = TAU * f64::from(hertz) / f64::from(sample_rate.max(1));
        Self { coefficient: 2.0 * turn.cos(), before: 0.0, last: 0.0, energy: 0.0, samples: 0 }
    }

    /// Takes more of the signal.
    pub fn add(&mut self, pcm: &[i16]) {
        for &sample in pcm {
            let sample = f64::from(sample);
            let next = sample + self.coefficient * self.last - self.before;
            (self.before, self.last) = (self.last, next);
            self.energy += sample * sample;
        }
        self.samples += pcm.len() as u64;
    }

    /// The peak amplitude of the frequency.
    #[must_use]
    pub fn level(&self) -> f32 {
        if self.samples == 0 { 0.0 } else { (2.0 * self.power().sqrt() / self.samples as f64) as f32 }
    }

    /// The frequency's part of the whole signal's energy: 1 for a pure tone, 0 for silence.
    #[must_use]
    pub fn share(&self) -> f32 {
        let whole = self.energy * self.samples as f64 / 2.0;
        if whole > 0.0 { (self.power() / whole).min(1.0) as f32 } else { 0.0 }
    }

    /// Begins anew.
    pub const fn reset(&mut self) {
        (self.before, self.last, self.energy, self.samples) = (0.0, 0.0, 0.0, 0);
    }

    fn power(&self) -> f64 {
        let power =
            self.last * self.last + self.before * self.before - self.coefficient * self.last * self.before;
        power.max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_told_from_its_neighbours_noise_and_silence() {
        let sine = |hertz: f64| -> Vec<i16> {
            (0..1600).map(|i| (6000.0 * (TAU * hertz * f64::from(i) / 8000.0).sin()) as i16).collect()
        };
        let share = |pcm: &[i16], hertz| {
            let mut goertzel = Goertzel::new(8000, hertz);
            goertzel.add(pcm);
            goertzel.share()
        };
        assert!((level(&sine(1000.0), 8000, 1000.0) - 6000.0).abs() < 5.0);
        assert!(share(&sine(1000.0), 1000.0) > 0.99);
        assert!(share(&sine(1040.0), 1000.0) < 0.05);
        let mut rng = sidetone_hal::rng::Rng::from_u64(2);
        let noise: Vec<i16> = (0..1600).map(|_| rng.next_u32() as i16 / 8).collect();
        assert!(share(&noise, 1000.0) < 0.02);
        assert_eq!((share(&[0; 100], 1000.0), level(&[], 8000, 1000.0)), (0.0, 0.0));
    }
}
