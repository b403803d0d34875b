//! Making tones.

use super::{Part, Tone};
use core::f32::consts::TAU;

/// The most frequencies of a part that sound.
const VOICES: usize = 4;

/// Makes a tone, sample by sample.
#[derive(Clone, Debug)]
pub struct Generator {
    tone: Tone,
    sample_rate: u32,
    /// The peak of each frequency.
    amplitude: f32,
    part: usize,
    /// Samples of the part that were made.
    made: u64,
    /// Turns of each frequency, 0 to 1.
    phases: [f32; VOICES],
}

impl Generator {
    /// Begins `tone` at -13 dBm0 a frequency, the usual level.
    #[must_use]
    pub fn new(tone: Tone, sample_rate: u32) -> Self {
        Self::with_level(tone, sample_rate, -13.0)
    }

    /// Begins `tone` at `dbm0` a frequency; a full-scale sine is +3.17 dBm0 (G.711 A-law: +3.14).
    #[must_use]
    pub fn with_level(tone: Tone, sample_rate: u32, dbm0: f32) -> Self {
        let amplitude = 32_767.0 * 10_f32.powf((dbm0 - 3.17) / 20.0);
        Self { tone, sample_rate, amplitude, part: 0, made: 0, phases: [0.0; VOICES] }
    }

    /// Fills `pcm`; false when the tone is over, and all of `pcm` from there on silence.
    pub fn fill(&mut self, pcm: &mut [i16]) -> bool {
        let mut samples = pcm.iter_mut();
        while let Some(part) = self.current() {
            let left = match part.millis {
                0 => u64::MAX,
                millis => u64::from(millis) * u64::from(self.sample_rate) / 1000 - self.made,
            };
            let take = usize::try_from(left).unwrap_or(usize::MAX);
            let mut made = 0;
            for sample in samples.by_ref().take(take) {
                *sample = self.next(part);
                made += 1;
            }
            self.made += made;
            if made < left {
                return true;
            }
            self.part += 1;
            self.made = 0;
            self.phases = [0.0; VOICES];
        }
        samples.for_each(|sample| *sample = 0);
        false
    }

    /// The part that sounds; none when the tone is over.
    fn current(&mut self) -> Option<Part> {
        if self.part >= self.tone.parts.len() && !self.tone.once {
            self.part = 0;
        }
        // A part of less than a sample would be passed over for ever.
        let lasts = |part: &Part| part.millis == 0 || part.millis > 1000 / self.sample_rate.max(1);
        self.tone.parts.get(self.part).copied().filter(lasts)
    }

    fn next(&mut self, part: Part) -> i16 {
        let mut sum = 0.0;
        for (phase, hertz) in self.phases.iter_mut().zip(part.hertz) {
            sum += (*phase * TAU).sin();
            *phase = (*phase + hertz / self.sample_rate as f32).fract();
        }
        (sum * self.amplitude) as i16
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ToneSet, dtmf, level};
    use super::*;

    #[test]
    fn a_cadence_sounds_and_rests_and_sounds_again() {
        let mut busy = Generator::new(ToneSet::US.busy, 8000);
        for _ in 0..3 {
            let mut pcm = [0; 4000];
            assert!(busy.fill(&mut pcm));
            // -13 dBm0 is a peak of 5093.
            for hertz in [480.0, 620.0] {
                assert!((level(&pcm, 8000, hertz) - 5093.0).abs() < 60.0, "{}", level(&pcm, 8000, hertz));
            }
            assert!(level(&pcm, 8000, 550.0) < 300.0);
            assert!(busy.fill(&mut pcm));
            assert_eq!(pcm, [0; 4000]);
        }
    }

    #[test]
    fn a_tone_that_is_heard_once_ends_within_a_buffer() {
        let beep = Tone { parts: &[Part { hertz: &[1000.0], millis: 10 }], once: true };
        let mut pcm = [9; 160];
        assert!(!Generator::new(beep, 8000).fill(&mut pcm));
        assert!(pcm[1..80].iter().any(|s| *s != 0));
        assert_eq!(pcm[80..], [0; 80]);
        assert!(!Generator::new(Tone { parts: &[], once: false }, 8000).fill(&mut pcm));
    }

    #[test]
    fn digits_are_two_frequencies() {
        let mut pcm = [0; 800];
        assert!(Generator::new(dtmf('d').unwrap(), 8000).fill(&mut pcm));
        assert!(level(&pcm, 8000, 941.0) > 4500.0 && level(&pcm, 8000, 1633.0) > 4500.0);
        assert!(dtmf('x').is_none());
    }
}
