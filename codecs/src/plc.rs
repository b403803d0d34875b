//! Concealment for codecs that code each sample by itself: the method of ITU-T G.711 Appendix I.
//!
//! A lost stretch is filled with the last pitch periods before it, first one, after 10 ms two, after
//! 20 ms three (more would buzz less but lag behind the voice), faded out between 10 and 60 ms; the first
//! samples that come again are cross-faded with the continuation. Appendix I holds all speech back by
//! 3.75 ms to blend the beginning of the loss too; here a ramp takes that joint's step away, without delay.

/// Samples of 8 kHz speech kept: three periods of the lowest pitch and a quarter to blend (48.75 ms).
const HISTORY: usize = 390;
/// The range of pitch periods, in samples: 200 Hz to 66 Hz.
const PITCH: core::ops::RangeInclusive<usize> = 40..=120;
/// Samples that are compared to find the pitch (20 ms).
const COMPARED: usize = 160;
/// 10 ms.
const STEP: usize = 80;
/// Samples after which nothing is left to hear (60 ms).
const FADED: usize = 6 * STEP;

/// Remembers 48.75 ms of 8 kHz speech and invents what follows. 800 octets.
#[derive(Clone, Debug)]
pub struct Concealer {
    /// What was heard last before the loss, the newest at the end.
    history: [i16; HISTORY],
    /// Samples invented since the loss began; zero while nothing is lost.
    lost: usize,
    /// The pitch period at the beginning of the loss.
    period: usize,
}

impl Concealer {
    /// A concealer that remembers silence.
    #[must_use]
    pub const fn new() -> Self {
        Self { history: [0; HISTORY], lost: 0, period: *PITCH.start() }
    }

    /// Takes speech that came. After a loss its beginning is changed, to blend with what was invented.
    pub fn received(&mut self, pcm: &mut [i16]) {
        if self.lost > 0 && !pcm.is_empty() {
            self.blend(pcm);
            self.remember_invention();
        }
        self.push(pcm);
    }

    /// Fills `pcm` with what may have followed.
    pub fn conceal(&mut self, pcm: &mut [i16]) {
        if self.lost == 0 {
            self.period = pitch(&self.history);
        }
        for sample in pcm {
            *sample = self.invent(self.lost) as i16;
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// Fades from the invention to `pcm`, longer after a longer loss (Appendix I, §I.2.7).
    fn blend(&self, pcm: &mut [i16]) {
        let length = (self.period / 4 + self.lost / STEP * 32).clamp(1, STEP).min(pcm.len());
        for (i, sample) in pcm.iter_mut().take(length).enumerate() {
            *sample = mix(self.invent(self.lost + i), i32::from(*sample), i, length) as i16;
        }
    }

    /// Makes the invented samples part of the history, and ends the loss.
    fn remember_invention(&mut self) {
        let count = self.lost.min(HISTORY);
        let mut next = self.history;
        next.copy_within(count.., 0);
        for (slot, i) in next.iter_mut().skip(HISTORY - count).zip(self.lost - count..) {
            *slot = self.invent(i) as i16;
        }
        self.history = next;
        self.lost = 0;
    }

    fn push(&mut self, pcm: &[i16]) {
        let count = pcm.len().min(HISTORY);
        self.history.copy_within(count.., 0);
        let (_, newest) = pcm.split_at(pcm.len() - count);
        for (slot, sample) in self.history.iter_mut().skip(HISTORY - count).zip(newest) {
            *slot = *sample;
        }
    }

    /// Sample `i` of the invention; a function of the history alone, so any part can be made again.
    fn invent(&self, i: usize) -> i32 {
        if i >= FADED {
            return 0;
        }
        let blended = self.period / 4;
        let stage = (i / STEP).min(2);
        let mut value = self.repeat(i, stage + 1);
        if stage > 0 && i - stage * STEP < blended {
            value = mix(self.repeat(i, stage), value, i - stage * STEP, blended);
        }
        if i < blended {
            // Begin where the real signal ended.
            let step = self.back(1) - self.back(self.period + 1);
            value += step * (blended - i) as i32 / blended as i32;
        }
        if i > STEP {
            value = value * (FADED - i) as i32 / (FADED - STEP) as i32;
        }
        value.clamp(i16::MIN.into(), i16::MAX.into())
    }

    /// Sample `i` of the last `periods` periods, repeated; the end of each round glides into its beginning.
    fn repeat(&self, i: usize, periods: usize) -> i32 {
        let length = periods * self.period;
        let blended = self.period / 4;
        let ago = length - i % length;
        if ago <= blended {
            mix(self.back(ago), self.back(ago + length), blended - ago, blended)
        } else {
            self.back(ago)
        }
    }

    /// The sample heard `ago` samples ago; 1 is the newest.
    fn back(&self, ago: usize) -> i32 {
        self.history.get(HISTORY.wrapping_sub(ago)).copied().unwrap_or_default().into()
    }
}

impl Default for Concealer {
    fn default() -> Self {
        Self::new()
    }
}

/// From `a` at step 0 to `b` at step `steps`.
fn mix(a: i32, b: i32, step: usize, steps: usize) -> i32 {
    (a * (steps - step) as i32 + b * step as i32) / steps as i32
}

/// The period at which the newest 20 ms resemble what came before them most, by normalised correlation:
/// every second period on every second sample first, then the neighbours of the best on all samples.
fn pitch(history: &[i16; HISTORY]) -> usize {
    let best_of = |lags: &mut dyn Iterator<Item = usize>, decimation| {
        lags.fold((*PITCH.start(), f32::MIN), |best, lag| {
            let score = likeness(history, lag, decimation);
            if score > best.1 { (lag, score) } else { best }
        })
        .0
    };
    let coarse = best_of(&mut PITCH.step_by(2), 2);
    best_of(&mut (coarse.max(PITCH.start() + 1) - 1..=(coarse + 1).min(*PITCH.end())), 1)
}

/// The squared normalised correlation (with its sign) of the newest samples with those `lag` before them.
fn likeness(history: &[i16; HISTORY], lag: usize, decimation: usize) -> f32 {
    let (_, newest) = history.split_at(HISTORY - COMPARED);
    let earlier = history.iter().skip(HISTORY - COMPARED - lag);
    let (mut product, mut energy) = (0_i64, 0_i64);
    for (&a, &b) in newest.iter().zip(earlier).step_by(decimation) {
        product += i64::from(a) * i64::from(b);
        energy += i64::from(b) * i64::from(b);
    }
    let product = product as f32;
    product * product.abs() / (energy.max(1) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone with `period` samples, peak 8000, by the recurrence of a rotation.
    fn tone(period: usize) -> impl Iterator<Item = i16> {
        let w = core::f32::consts::TAU / period as f32;
        // cos(w) by its series; w is below 0.16.
        let (w2, mut a, mut b) = (w * w, 0.0_f32, 8000.0 * (w - w * w * w / 6.0));
        let turn = 2.0 * (1.0 - w2 / 2.0 + w2 * w2 / 24.0);
        core::iter::repeat_with(move || {
            let out = a;
            (a, b) = (b, turn * b - a);
            out as i16
        })
    }

    fn fill<const N: usize>(source: &mut impl Iterator<Item = i16>) -> [i16; N] {
        core::array::from_fn(|_| source.next().unwrap())
    }

    #[test]
    fn the_pitch_of_a_tone_is_found() {
        // Twice the period of a high tone fits as well.
        for (period, found) in [(41, 82), (57, 114), (80, 80), (99, 99), (119, 119)] {
            assert_eq!(pitch(&fill(&mut tone(period))), found);
        }
    }

    #[test]
    fn a_lost_part_of_a_tone_goes_on_and_joins_without_a_click() {
        let mut source = tone(80);
        let mut plc = Concealer::new();
        let mut heard: [i16; 400] = fill(&mut source);
        plc.received(&mut heard);
        let truth: [i16; 80] = fill(&mut source);
        let mut invented = [0; 80];
        plc.conceal(&mut invented);
        let worst = truth.iter().zip(&invented).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst < 200, "worst difference {worst} of 8000");
        let mut after: [i16; 80] = fill(&mut source);
        plc.received(&mut after);
        // The steepest slope of the tone itself is 8000 * 2 pi / 80 = 628 a sample.
        let joined: [i16; 160] = core::array::from_fn(|i| if i < 80 { invented[i] } else { after[i - 80] });
        assert!(joined.windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 700));
    }

    #[test]
    fn a_long_loss_fades_to_silence_in_60_ms_and_ends_when_speech_returns() {
        let mut source = tone(64);
        let mut plc = Concealer::new();
        plc.received(&mut fill::<400>(&mut source));
        let mut invented = [0; 640];
        plc.conceal(&mut invented);
        let peak = |part: &[i16]| part.iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!(peak(&invented[..80]) > 7500);
        assert!((3000..6000).contains(&peak(&invented[240..320])), "{}", peak(&invented[240..320]));
        assert_eq!(peak(&invented[480..]), 0);
        let mut back: [i16; 160] = fill(&mut source);
        let unchanged = back;
        plc.received(&mut back);
        assert_eq!(back[0], 0);
        assert_eq!(back[80..], unchanged[80..]);
    }

    #[test]
    fn without_loss_nothing_is_changed() {
        let mut plc = Concealer::new();
        for length in [0, 1, 79, 160, 389, 390, 391, 960] {
            let mut pcm = [123_i16; 960];
            plc.received(&mut pcm[..length]);
            assert!(pcm.iter().all(|s| *s == 123));
        }
    }

    #[test]
    fn full_scale_does_not_overflow() {
        let mut plc = Concealer::new();
        let mut square: [i16; 400] =
            core::array::from_fn(|i| if i / 33 % 2 == 0 { i16::MAX } else { i16::MIN });
        plc.received(&mut square);
        for length in [1, 7, 160, 400] {
            let mut out = [0; 400];
            plc.conceal(&mut out[..length]);
            plc.received(&mut square[..length]);
        }
    }
}
