//! Concealment for codecs that code each sample by itself: the method of ITU-T G.711 Appendix I.
//!
//! The pitch is found by cross-correlation of the last 20 ms. A lost stretch is filled with the last pitch
//! periods before it, first one, after 10 ms two, after 20 ms three (more would buzz less but lag behind the
//! voice), faded out between 10 and 60 ms; where one round ends and where the rounds get longer, a quarter of
//! a period is cross-faded. The first samples that come again are cross-faded with the continuation, longer
//! after a longer loss.
//!
//! Two things are different, and so this is not bit-exact with the ITU-T STL. Appendix I holds all speech
//! back by 3.75 ms, so that it can cross-fade the beginning of the loss too. Here nothing is delayed: a ramp
//! takes away the step at that joint instead. And periods are only added that are not much stronger than the
//! last one, so that a loss in the pause after a word does not bring the word back. `tests/codecs/plc.rs` measures
//! both beside the STL: the result is as near to what was lost, in the mean.
//!
//! At other rates than 8 kHz all times are the same.

use core::ops::Range;

/// Samples of 48.75 ms at 8 kHz: three periods of the lowest pitch and a quarter to blend.
pub const HISTORY_8K: usize = 390;

/// Remembers the last 48.75 ms of speech and invents what follows. 792 octets at 8 kHz.
///
/// `HISTORY` is 48.75 ms in samples, so it tells the rate: [`HISTORY_8K`], and in proportion.
#[derive(Clone, Debug)]
pub struct Concealer<const HISTORY: usize = HISTORY_8K> {
    /// What was heard last before the loss: a ring. While something is lost, in order.
    history: [i16; HISTORY],
    /// Where the oldest sample is.
    oldest: u16,
    /// The pitch period at the beginning of the loss.
    period: u16,
    /// The last periods that are alike in strength, less one: as many are added to the first, two at most.
    alike: u16,
    /// Samples invented since the loss began; zero while nothing is lost.
    lost: u32,
}

impl<const HISTORY: usize> Concealer<HISTORY> {
    /// Pitch periods from 200 Hz to 66 Hz.
    const PITCH: Range<usize> = Self::samples(40)..Self::samples(120) + 1;
    /// 20 ms, which are compared to find the pitch.
    const COMPARED: usize = Self::samples(160);
    /// At first only every so many periods and samples are tried.
    const COARSE: usize = Self::samples(2);
    /// 10 ms.
    const STEP: usize = Self::samples(80);
    /// After 60 ms nothing is left to hear.
    const FADED: usize = 6 * Self::STEP;

    /// A concealer that remembers silence.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(HISTORY >= HISTORY_8K && HISTORY <= u16::MAX as usize, "8 kHz or more") };
        Self { history: [0; HISTORY], oldest: 0, period: 1, alike: 0, lost: 0 }
    }

    /// Takes speech that came. After a loss its beginning is changed, to blend with what was invented.
    #[inline]
    pub fn received(&mut self, pcm: &mut [i16]) {
        if self.lost > 0 && !pcm.is_empty() {
            self.blend(pcm);
            self.remember_invention();
        }
        self.remember(pcm);
    }

    /// Fills `pcm` with what may have followed.
    pub fn conceal(&mut self, pcm: &mut [i16]) {
        if self.lost == 0 {
            self.history.rotate_left(self.oldest.into());
            self.oldest = 0;
            self.period = self.pitch() as u16;
            self.alike = self.alike() as u16;
        }
        for sample in pcm {
            *sample = self.invent(self.lost as usize) as i16;
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// As many samples as these at 8 kHz.
    const fn samples(at_8_khz: usize) -> usize {
        at_8_khz * HISTORY / HISTORY_8K
    }

    /// Fades from the invention to `pcm`, longer after a longer loss (Appendix I, §I.2.7).
    #[cold]
    fn blend(&self, pcm: &mut [i16]) {
        let lost = self.lost as usize;
        let longer = (lost.div_ceil(Self::STEP) - 1) * Self::samples(32);
        let length = (self.quarter() + longer).min(Self::STEP).min(pcm.len());
        for (i, sample) in pcm.iter_mut().take(length).enumerate() {
            *sample = mix(self.invent(lost + i), i32::from(*sample), i + 1, length) as i16;
        }
    }

    /// Makes the invented samples part of the history, and ends the loss.
    fn remember_invention(&mut self) {
        let lost = self.lost as usize;
        let count = lost.min(HISTORY);
        let mut next = self.history;
        next.copy_within(count.., 0);
        for (slot, i) in next.iter_mut().skip(HISTORY - count).zip(lost - count..) {
            *slot = self.invent(i) as i16;
        }
        self.history = next;
        self.lost = 0;
    }

    #[inline]
    fn remember(&mut self, pcm: &[i16]) {
        let newest = pcm.split_at(pcm.len().saturating_sub(HISTORY)).1;
        let (wrapped, rest) = self.history.split_at_mut(self.oldest.into());
        let (first, second) = newest.split_at(newest.len().min(rest.len()));
        copy(rest, first);
        copy(wrapped, second);
        self.oldest = ((usize::from(self.oldest) + newest.len()) % HISTORY) as u16;
    }

    /// Sample `i` of the invention; a function of the history alone, so any part can be made again.
    fn invent(&self, i: usize) -> i32 {
        if i >= Self::FADED {
            return 0;
        }
        let quarter = self.quarter();
        let stage = (i / Self::STEP).min(self.alike.into());
        let mut value = self.repeat(i, stage);
        if stage > 0 && i - stage * Self::STEP < quarter {
            value = mix(self.repeat(i, stage - 1), value, i - stage * Self::STEP + 1, quarter);
        }
        let ramp = quarter / 2;
        if i < ramp {
            // Begin where the real signal ended.
            let step = self.back(1) - self.back(usize::from(self.period) + 1);
            value = mix(value + step, value, i, ramp);
        }
        if i > Self::STEP {
            value = value * (Self::FADED - i) as i32 / (Self::FADED - Self::STEP) as i32;
        }
        value.clamp(i16::MIN.into(), i16::MAX.into())
    }

    /// Sample `i` of the invention where the last one, two or three periods are repeated, at stage 0, 1 or 2.
    /// A stage begins in the earliest period; the end of each round glides into its beginning.
    fn repeat(&self, i: usize, stage: usize) -> i32 {
        let period = usize::from(self.period);
        let length = (stage + 1) * period;
        let begin = stage * Self::STEP;
        let ago = length - (begin % period + i - begin) % length;
        if ago <= self.quarter() {
            mix(self.back(ago), self.back(ago + length), self.quarter() - ago + 1, self.quarter())
        } else {
            self.back(ago)
        }
    }

    /// What is cross-faded: a quarter of a period.
    fn quarter(&self) -> usize {
        usize::from(self.period) / 4
    }

    /// The sample heard `ago` samples ago; 1 is the newest. Only while something is lost.
    fn back(&self, ago: usize) -> i32 {
        self.history.get(HISTORY.wrapping_sub(ago)).copied().unwrap_or_default().into()
    }

    /// The period at which the newest 20 ms resemble what came before them most, by normalised correlation:
    /// some periods on some samples first, then the neighbours of the best on all samples.
    fn pitch(&self) -> usize {
        let coarse = self.best(Self::PITCH.step_by(Self::COARSE), Self::COARSE);
        let near = Self::COARSE - 1;
        let (least, end) = (Self::PITCH.start, Self::PITCH.end);
        self.best(coarse.saturating_sub(near).max(least)..(coarse + near + 1).min(end), 1)
    }

    /// Periods before the last one that are not much stronger than it: speech does not come back in the pause
    /// after it.
    fn alike(&self) -> usize {
        let period = usize::from(self.period);
        let energy = |periods: usize| -> u64 {
            let samples = self.history.iter().rev().skip(periods * period).take(period);
            samples.map(|&sample| u64::from(sample.unsigned_abs()).pow(2)).sum()
        };
        let most = 2 * energy(0);
        (1..=2).take_while(|&periods| energy(periods) <= most).count()
    }

    fn best(&self, lags: impl Iterator<Item = usize>, decimation: usize) -> usize {
        let start = (Self::PITCH.start, f32::MIN);
        let better = |best: (usize, f32), lag| {
            let score = self.likeness(lag, decimation);
            if score > best.1 { (lag, score) } else { best }
        };
        lags.fold(start, better).0
    }

    /// The squared normalised correlation (with its sign) of the newest samples with those `lag` before them.
    fn likeness(&self, lag: usize, decimation: usize) -> f32 {
        let newest = self.history.iter().skip(HISTORY - Self::COMPARED);
        let earlier = self.history.iter().skip(HISTORY - Self::COMPARED - lag);
        let (mut product, mut energy) = (0_i64, 0_i64);
        for (&a, &b) in newest.zip(earlier).step_by(decimation) {
            product += i64::from(a) * i64::from(b);
            energy += i64::from(b) * i64::from(b);
        }
        let product = product as f32;
        product * product.abs() / (energy.max(250) as f32)
    }
}

impl<const HISTORY: usize> Default for Concealer<HISTORY> {
    fn default() -> Self {
        Self::new()
    }
}

/// From `a` at step 0 to `b` at step `steps`.
fn mix(a: i32, b: i32, step: usize, steps: usize) -> i32 {
    (a * (steps - step) as i32 + b * step as i32) / steps as i32
}

/// Copies to the start of `to`, which is long enough.
fn copy(to: &mut [i16], from: &[i16]) {
    if let Some(to) = to.get_mut(..from.len()) {
        to.copy_from_slice(from);
    }
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

    impl<const HISTORY: usize> Concealer<HISTORY> {
        fn with(self, history: [i16; HISTORY]) -> Self {
            Self { history, ..self }
        }
    }

    #[test]
    fn the_pitch_of_a_tone_is_found() {
        // Twice the period of a high tone fits as well.
        for (period, found) in [(41, 82), (57, 114), (80, 80), (99, 99), (119, 119)] {
            let history = fill(&mut tone(period));
            assert_eq!(<Concealer>::new().with(history).pitch(), found);
        }
        assert_eq!(Concealer::<780>::new().with(fill(&mut tone(150))).pitch(), 150);
    }

    #[test]
    fn a_lost_part_of_a_tone_goes_on_and_joins_without_a_click() {
        let mut source = tone(80);
        let mut plc = <Concealer>::new();
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
        let mut plc = <Concealer>::new();
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
        assert!(back[0].unsigned_abs() <= 8000 / 80);
        assert_eq!(back[80..], unchanged[80..]);
    }

    #[test]
    fn without_loss_nothing_is_changed() {
        let mut plc = <Concealer>::new();
        for length in [0, 1, 79, 160, 389, 390, 391, 960] {
            let mut pcm = [123_i16; 960];
            plc.received(&mut pcm[..length]);
            assert!(pcm.iter().all(|s| *s == 123));
        }
    }

    #[test]
    fn full_scale_does_not_overflow() {
        let mut plc = <Concealer>::new();
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
