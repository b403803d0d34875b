//! Making tones: exact to the sample, without clicks, without memory.

use super::{Element, MAX_VOICES, ToneList};

/// How long a sound takes to rise and to fall, in microseconds: short beside the shortest signal (a digit of 40 ms),
/// and long enough that no click is heard.
const RAMP_MICROS: u64 = 2500;
/// A full-scale sine in dBm0 (ITU-T G.711: 3.17 for µ-law, 3.14 for A-law).
const FULL_SCALE_DBM0: f32 = 3.17;
/// The usual level of each frequency of a call-progress tone, as in North America's precise tone plan.
const USUAL_DBM0: f32 = -13.0;

/// The peak of a sine of `dbm0`; a full-scale sine is +3.17 dBm0.
#[must_use]
pub fn amplitude(dbm0: f32) -> f32 {
    32_767.0 * 10_f32.powf((dbm0 - FULL_SCALE_DBM0) / 20.0)
}

/// The level of a sine of this peak, in dBm0; the inverse of [`amplitude`].
#[must_use]
pub fn dbm0(amplitude: f32) -> f32 {
    20.0 * (amplitude / 32_767.0).log10() + FULL_SCALE_DBM0
}

#[derive(Clone, Copy, Debug, Default)]
struct Oscillator {
    /// Of 2^32 a turn: whole numbers do not drift.
    phase: u32,
    step: u32,
    amplitude: f32,
}

impl Oscillator {
    fn next(&mut self) -> f32 {
        let sample = self.amplitude * half_turns(self.phase as i32 as f32 / 2_147_483_648.0);
        self.phase = self.phase.wrapping_add(self.step);
        sample
    }
}

/// The sine of `x` half turns, -1 to 1; wrong by 4 in a million at most (Taylor's series to the ninth power).
fn half_turns(x: f32) -> f32 {
    let x = if x.abs() > 0.5 { x.signum() - x } else { x };
    let square = x * x;
    let series = -0.599_264_5 + 0.082_145_89 * square;
    let series = -5.167_712_8 + (2.550_164 + series * square) * square;
    x * (core::f32::consts::PI + series * square)
}

/// Rising from 0 to 1 like half a cosine: `at` of `length` samples.
fn rise(at: u64, length: u64) -> f32 {
    0.5 + 0.5 * half_turns((at as f32 + 0.5) / length.max(1) as f32 - 0.5)
}

/// Plays a tone, sample by sample.
///
/// Each element is as long as it says, to the sample, and none drifts from the others over hours. It rises and falls
/// within 2.5 ms, except where the same frequencies go on. Frequencies at or above half the sample rate are silent.
#[derive(Clone, Debug)]
pub struct Generator {
    list: ToneList,
    sample_rate: u32,
    level: f32,
    /// The element that sounds; none when the tone is over.
    element: Option<usize>,
    /// The first round is over.
    later: bool,
    /// Samples of it that were made, and that there are.
    made: u64,
    length: u64,
    /// Where the element ends, from the beginning of the tone, in milliseconds; and where it began, in samples.
    end_millis: u64,
    begin: u64,
    /// It begins where the element before ended with the same frequencies; it ends where they go on.
    joined: (bool, bool),
    voices: [Oscillator; MAX_VOICES],
    count: usize,
    /// Samples until it is quiet after [`stop`](Self::stop).
    stopping: Option<u64>,
}

impl Generator {
    /// Begins a tone at -13 dBm0 a frequency, the usual level.
    #[must_use]
    pub fn new(tone: impl Into<ToneList>, sample_rate: u32) -> Self {
        Self::with_level(tone, sample_rate, USUAL_DBM0)
    }

    /// Begins a tone at `dbm0` a frequency (-60 to +3), to which the gain of each voice is added; a full-scale sine is
    /// +3.17 dBm0. Where the frequencies of an element together would pass the full scale, all of them are softer.
    #[must_use]
    pub fn with_level(tone: impl Into<ToneList>, sample_rate: u32, dbm0: f32) -> Self {
        let mut generator = Self {
            list: ToneList::SILENCE,
            sample_rate: sample_rate.max(1000),
            level: dbm0,
            element: None,
            later: false,
            made: 0,
            length: 0,
            end_millis: 0,
            begin: 0,
            joined: (false, false),
            voices: [Oscillator::default(); MAX_VOICES],
            count: 0,
            stopping: None,
        };
        generator.play(tone);
        generator
    }

    /// Begins another tone in place of what sounds.
    pub fn play(&mut self, tone: impl Into<ToneList>) {
        self.list = tone.into();
        (self.end_millis, self.begin, self.length, self.stopping) = (0, 0, 0, None);
        self.joined = (false, false);
        let first = (!self.list.elements().is_empty()).then_some((0, false));
        self.enter(first);
    }

    /// Ends the tone within 2.5 ms, without a click.
    pub fn stop(&mut self) {
        if self.count == 0 {
            self.element = None;
        } else if self.element.is_some() && self.stopping.is_none() {
            self.stopping = Some(self.ramp());
        }
    }

    /// Whether nothing more sounds.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.element.is_none()
    }

    /// Fills `pcm`; false when the tone is over, and all of `pcm` from there on silence.
    pub fn fill(&mut self, pcm: &mut [i16]) -> bool {
        let mut rest = pcm;
        while let Some(element) = self.element {
            let left = usize::try_from(self.length - self.made).unwrap_or(usize::MAX);
            let take = left.min(rest.len());
            let (now, later) = rest.split_at_mut(take);
            self.render(now);
            rest = later;
            self.made += take as u64;
            if self.stopping == Some(0) {
                self.element = None;
            } else if take < left {
                return true;
            } else {
                let next = self.after(element);
                self.enter(next);
            }
        }
        rest.fill(0);
        false
    }

    /// The element that follows, and whether the first round is over by then.
    fn after(&self, element: usize) -> Option<(usize, bool)> {
        let elements = self.list.elements();
        let heard = |element: &Element| !self.later || !element.once;
        let rest = elements.iter().enumerate().skip(element + 1);
        let next = rest.filter(|(_, element)| heard(element)).map(|(index, _)| (index, self.later)).next();
        next.or_else(|| elements.iter().position(|element| !element.once).map(|index| (index, true)))
    }

    fn enter(&mut self, element: Option<(usize, bool)>) {
        self.element = element.map(|(index, _)| index);
        self.later = element.is_some_and(|(_, later)| later);
        let found = self.element.and_then(|index| self.list.elements().get(index).copied());
        let Some(found) = found else { return };
        let millis = u64::from(found.millis);
        self.begin = self.begin.saturating_add(self.length);
        self.end_millis = self.end_millis.saturating_add(millis);
        self.made = 0;
        self.length = match millis {
            0 => u64::MAX - self.begin,
            _ => (self.end_millis.saturating_mul(self.sample_rate.into()) / 1000).saturating_sub(self.begin),
        };
        let next = self.element.filter(|_| millis > 0).and_then(|index| self.after(index));
        let next = next.and_then(|(index, _)| self.list.elements().get(index));
        let goes_on = self.joined.1;
        self.joined = (goes_on, next.is_some_and(|next| next.voices() == found.voices()));
        if !goes_on {
            self.tune(&found);
        }
    }

    fn tune(&mut self, element: &Element) {
        let rate = f64::from(self.sample_rate);
        let heard = |hertz: f32| hertz > 0.0 && f64::from(hertz) < rate / 2.0;
        self.count = 0;
        let voices = element.voices().iter().filter(|voice| heard(voice.hertz));
        for (slot, voice) in self.voices.iter_mut().zip(voices) {
            let step = (f64::from(voice.hertz) / rate * 4_294_967_296.0).round() as u32;
            *slot = Oscillator { phase: 0, step, amplitude: amplitude(self.level + voice.gain) };
            self.count += 1;
        }
        let used = self.voices.get_mut(..self.count).unwrap_or_default();
        let peak: f32 = used.iter().map(|voice| voice.amplitude).sum();
        if peak > 32_767.0 {
            used.iter_mut().for_each(|voice| voice.amplitude *= 32_767.0 / peak);
        }
    }

    /// The ramp of this element, in samples.
    fn ramp(&self) -> u64 {
        (u64::from(self.sample_rate) * RAMP_MICROS / 1_000_000).min(self.length / 2).max(1)
    }

    /// Makes samples of the element that sounds.
    fn render(&mut self, pcm: &mut [i16]) {
        if self.count == 0 {
            pcm.fill(0);
            return;
        }
        let ramp = self.ramp();
        let risen = self.joined.0 || self.made >= ramp;
        let stays = self.joined.1 || self.length - self.made >= ramp + pcm.len() as u64;
        if risen && stays && self.stopping.is_none() {
            for sample in pcm {
                *sample = round(self.next());
            }
            return;
        }
        for (sample, at) in pcm.iter_mut().zip(self.made..) {
            let mut sum = self.next();
            if at < ramp && !self.joined.0 {
                sum *= rise(at, ramp);
            }
            let left = self.length - at;
            if left <= ramp && !self.joined.1 {
                sum *= rise(left - 1, ramp);
            }
            if let Some(left) = &mut self.stopping {
                *left = left.saturating_sub(1);
                sum *= if *left == 0 { 0.0 } else { rise(*left, ramp) };
            }
            *sample = round(sum);
        }
    }

    fn next(&mut self) -> f32 {
        self.voices.iter_mut().take(self.count).map(Oscillator::next).sum()
    }
}

/// To the nearest whole number; what is given is within the full scale.
fn round(sample: f32) -> i16 {
    // Above zero the cast, which cuts, rounds.
    ((sample + 32_768.5) as i32 - 32_768) as i16
}

#[cfg(test)]
mod tests {
    use super::super::{Part, Tone, ToneSet, Voice, dtmf, level};
    use super::*;

    #[test]
    fn a_cadence_sounds_and_rests_and_sounds_again() {
        let mut busy = Generator::new(ToneSet::US.busy, 8000);
        for _ in 0..3 {
            let mut pcm = [0; 4000];
            assert!(busy.fill(&mut pcm));
            // -13 dBm0 is a peak of 5093; the ramps at both ends take 1/200 of the half second.
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

    #[test]
    fn what_is_marked_is_heard_in_the_first_round_only() {
        let tone = |millis, once| Element::new(&[Voice::new(425.0)], millis).unwrap().with_once(once);
        let rest = Element::silence(10);
        let list = ToneList::new(&[tone(30, true), rest, tone(20, false)]).unwrap();
        let mut generator = Generator::new(list, 8000);
        let sounding: Vec<bool> = (0..15)
            .map(|_| {
                let mut pcm = [0; 80];
                assert!(generator.fill(&mut pcm));
                pcm.iter().any(|sample| *sample != 0)
            })
            .collect();
        let expected =
            [true, true, true, false, true, true, false, true, true, false, true, true, false, true, true];
        assert_eq!(sounding, expected);
    }

    #[test]
    fn the_same_frequencies_go_on_without_a_seam() {
        let part = |millis| Element::new(&[Voice::new(437.0)], millis).unwrap();
        let (mut whole, mut cut) = ([0; 1600], [0; 1600]);
        Generator::new(ToneList::new(&[part(0)]).unwrap(), 8000).fill(&mut whole);
        Generator::new(ToneList::new(&[part(70), part(30)]).unwrap(), 8000).fill(&mut cut);
        assert_eq!(whole, cut);
    }

    #[test]
    fn the_sine_is_one() {
        for i in -1000..=1000 {
            let x = i as f32 / 1000.0;
            let error = half_turns(x) - (x * core::f32::consts::PI).sin();
            assert!(error.abs() < 5e-6, "{x}: {error}");
        }
    }

    #[test]
    fn stopping_takes_a_ramp_and_then_it_is_quiet() {
        let mut generator = Generator::with_level(dtmf('1').unwrap(), 16_000, -6.0);
        let mut pcm = [0; 160];
        assert!(generator.fill(&mut pcm));
        generator.stop();
        assert!(!generator.fill(&mut pcm));
        assert!(generator.is_over() && pcm[..30].iter().any(|s| s.abs() > 500));
        assert_eq!(pcm[40..], [0; 120]);
        assert!(!generator.fill(&mut pcm));
    }

    #[test]
    fn four_loud_frequencies_do_not_overrun_the_scale() {
        let howl = Element::new(&[1400.0, 2060.0, 2450.0, 2600.0].map(Voice::new), 0).unwrap();
        let mut pcm = vec![0; 8000];
        Generator::with_level(ToneList::new(&[howl]).unwrap(), 8000, 0.0).fill(&mut pcm);
        let levels = [1400.0, 2060.0, 2450.0, 2600.0].map(|hertz| dbm0(level(&pcm, 8000, hertz)));
        // A quarter of the scale each: -12 dB from +3.17.
        assert!(levels.iter().all(|level| (level + 8.87).abs() < 0.1), "{levels:?}");
    }
}
