//! Concealment of lost packets: ITU-T G.722 Appendix IV.
//!
//! The lower band is extrapolated by repeating the residual of linear prediction at the pitch period, with care
//! that depends on the class of the signal, the upper band by repeating itself; both fade. What would have come
//! for 10 ms more is made ahead, and the first 10 ms that come are cross-faded with it. The decoder's state is
//! set to go on from the invented signal.
#![expect(
    clippy::indexing_slicing,
    reason = "fixed arrays; lengths are bounded by the block, periods by the search"
)]

mod class;
mod fade;
mod lpc;
mod pitch;

use super::bands::Band;
use super::qmf::BLOCK;
use crate::fixed::{add, l_mac, l_msu, l_mult, l_shl, mult, mult_r, round, sub};
use class::Class;
use fade::Fade;
use lpc::ORDER;
use pitch::{LONGEST, SEEN};

/// Residual that is remembered: two of the longest periods and one sample for smoothing.
const RESIDUAL: usize = 2 * LONGEST + 1;
/// Samples of the lower band that are remembered: what the residual is made of.
const LOWER: usize = RESIDUAL + ORDER;
/// Samples of the upper band that are remembered: 20 ms.
const UPPER: usize = 160;
/// Samples of good signal after a loss during which the upper band's offset is removed: 4 s.
const CLEANED: u16 = 32_000;

/// What concealment needs of the past, and what it has made.
#[derive(Clone, Debug)]
pub(super) struct Concealer {
    lower: [i16; LOWER],
    upper: [i16; UPPER],
    residual: [i16; RESIDUAL],
    /// Predictor of the lower band, Q12.
    predictor: [i16; ORDER + 1],
    /// The last samples that it made, before they faded.
    synthesised: [i16; ORDER],
    /// What comes next in the lower band if nothing comes.
    ahead: [i16; BLOCK],
    class: Class,
    /// The period that is repeated: [`LONGEST`] or one more at most.
    period: u8,
    lower_fade: Fade,
    upper_fade: Fade,
    offset: OffsetFilter,
    /// Samples lost up to now; zero while nothing is.
    lost: u16,
    /// Samples after the loss that were cross-faded; all of a block if none are to be.
    crossfaded: u8,
    /// Samples whose upper band's offset is still to be removed.
    to_clean: u16,
}

impl Concealer {
    pub(super) const fn new() -> Self {
        Self {
            lower: [0; LOWER],
            upper: [0; UPPER],
            residual: [0; RESIDUAL],
            predictor: [0; ORDER + 1],
            synthesised: [0; ORDER],
            ahead: [0; BLOCK],
            class: Class::WeaklyVoiced,
            period: 0,
            lower_fade: Fade::lower(Class::WeaklyVoiced),
            upper_fade: Fade::upper(Class::WeaklyVoiced),
            offset: OffsetFilter::new(),
            lost: 0,
            crossfaded: BLOCK as u8,
            to_clean: 0,
        }
    }

    /// Takes `count` decoded samples of both bands. After a loss it changes them.
    pub(super) fn received(&mut self, lower: &mut [i16; BLOCK], upper: &mut [i16; BLOCK], count: usize) {
        let count = count.min(BLOCK);
        if self.to_clean > 0 {
            for upper in upper.iter_mut().take(count.min(self.to_clean.into())) {
                *upper = self.offset.filter(*upper);
            }
            self.to_clean = self.to_clean.saturating_sub(count as u16);
            self.crossfade(&mut lower[..count]);
        }
        self.lost = 0;
        shift_in(&mut self.lower, &lower[..count]);
        shift_in(&mut self.upper, &upper[..count]);
    }

    /// Clause IV.6.2.4: 20 samples of the invention, then 60 from it to the signal.
    fn crossfade(&mut self, lower: &mut [i16]) {
        let from = usize::from(self.crossfaded);
        for (n, (sample, &invented)) in (from..).zip(lower.iter_mut().zip(&self.ahead[from..])) {
            // The steps are 1/60, Q15.
            let weight = 546 * n.saturating_sub(19) as i16;
            *sample = add(mult(*sample, weight), mult(invented, i16::MAX - weight));
            self.crossfaded = n as u8 + 1;
        }
    }

    /// Invents `count` samples of both bands in place of those that did not come.
    pub(super) fn conceal(
        &mut self,
        (lower_band, upper_band): (&mut Band, &mut Band),
        lower: &mut [i16; BLOCK],
        upper: &mut [i16; BLOCK],
        count: usize,
    ) {
        let count = count.min(BLOCK);
        if self.lost == 0 {
            self.begin(lower_band.log_scale(), upper_band.log_scale());
        }
        lower[..count].copy_from_slice(&self.ahead[..count]);
        shift_in(&mut self.lower, &lower[..count]);
        self.look_ahead(count);
        self.repeat_upper(&mut upper[..count]);
        for upper in upper.iter_mut().take(count) {
            *upper = self.offset.filter(*upper);
        }
        self.set_decoder(lower_band, upper_band);
        self.lost = self.lost.saturating_add(count as u16);
        self.crossfaded = 0;
        self.to_clean = CLEANED;
    }

    /// Analyses the past (clause IV.6.1) and makes the first 10 ms.
    fn begin(&mut self, lower_log_scale: i16, upper_log_scale: i16) {
        let mut seen = [0; SEEN];
        seen.copy_from_slice(&self.lower[LOWER - SEEN..]);
        let pitch = pitch::find(&seen);
        if let Some(predictor) = lpc::analyse(&self.lower[LOWER - BLOCK..]) {
            self.predictor = predictor;
        }
        self.make_residual();
        self.synthesised.copy_from_slice(&self.lower[LOWER - ORDER..]);
        let voiced = class::Voicing { pitch, lower_log_scale, upper_log_scale };
        let (class, period) = class::classify(voiced, &self.lower, &mut self.residual);
        (self.class, self.period) = (class, period as u8);
        self.lower_fade = Fade::lower(self.class);
        self.upper_fade = Fade::upper(self.class);
        if self.to_clean == 0 {
            self.offset = OffsetFilter::new();
        }
        self.look_ahead(BLOCK);
    }

    fn make_residual(&mut self) {
        let [gain, predictor @ ..] = self.predictor;
        for (residual, window) in self.residual.iter_mut().zip(self.lower.windows(ORDER + 1)) {
            let Some((&newest, past)) = window.split_last() else { return };
            let past = predictor.iter().zip(past.iter().rev());
            let sum = past.fold(l_mult(newest, gain), |sum, (&a, &sample)| l_mac(sum, a, sample));
            *residual = round(l_shl(sum, 3));
        }
    }

    /// Drops `count` samples that are used up from those made ahead, and makes as many more (clause IV.6.2.1).
    fn look_ahead(&mut self, count: usize) {
        let mut more = [0; BLOCK];
        self.extrapolate(&mut more[..count]);
        for sample in &mut more[..count] {
            *sample = self.lower_fade.apply(*sample);
        }
        shift_in(&mut self.ahead, &more[..count]);
    }

    /// Repeats the residual and filters it.
    fn extrapolate(&mut self, out: &mut [i16]) {
        // Unless the signal is voiced, the period is one sample shorter and longer by turns, so that it buzzes
        // less; that is better with an odd period.
        let jitter = usize::from(self.class != Class::Voiced);
        let middle = usize::from(self.period) | jitter;
        self.period = middle as u8;
        let [gain, predictor @ ..] = self.predictor;
        let mut residual = [0; RESIDUAL + BLOCK];
        residual[..RESIDUAL].copy_from_slice(&self.residual);
        for (n, out) in out.iter_mut().enumerate() {
            let period = if n % 2 == 0 { middle - jitter } else { middle + jitter };
            let newest = residual[RESIDUAL + n - period];
            residual[RESIDUAL + n] = newest;
            let past = predictor.iter().zip(self.synthesised.iter().rev());
            let sum = past.fold(l_mult(gain, newest), |sum, (&a, &sample)| l_msu(sum, a, sample));
            *out = round(l_shl(sum, 3));
            shift_in(&mut self.synthesised, &[*out]);
        }
        self.residual.copy_from_slice(&residual[out.len()..][..RESIDUAL]);
    }

    /// Repeats the upper band, faded (clause IV.6.3): at the pitch period if voiced, else at 10 ms.
    fn repeat_upper(&mut self, out: &mut [i16]) {
        let period = if self.class == Class::Voiced { self.period.into() } else { 80 };
        let mut line = [0; UPPER + BLOCK];
        line[..UPPER].copy_from_slice(&self.upper);
        for (n, out) in out.iter_mut().enumerate() {
            line[UPPER + n] = line[UPPER + n - period];
            *out = self.upper_fade.apply(line[UPPER + n]);
        }
        shift_in(&mut self.upper, out);
    }

    /// Clause IV.6.2.5: the decoder goes on from what was invented, carefully.
    fn set_decoder(&self, lower: &mut Band, upper: &mut Band) {
        lower.follow([self.lower[LOWER - 2], self.lower[LOWER - 1]], self.ahead[0]);
        if self.upper_fade.is_late() {
            lower.set_log_scale(0);
            upper.set_log_scale(0);
        } else if usize::from(self.lost).is_multiple_of(BLOCK) {
            upper.set_log_scale(upper.log_scale() >> 1);
        }
    }
}

/// Moves the numbers along and puts new ones at the end.
fn shift_in<const N: usize>(line: &mut [i16; N], new: &[i16]) {
    let new = &new[new.len().saturating_sub(N)..];
    line.copy_within(new.len().., 0);
    line[N - new.len()..].copy_from_slice(new);
}

/// Removes an offset, which the upper band must not have.
#[derive(Clone, Debug)]
struct OffsetFilter {
    input: i16,
    output: i16,
}

impl OffsetFilter {
    const fn new() -> Self {
        Self { input: 0, output: 0 }
    }

    fn filter(&mut self, sample: i16) -> i16 {
        // 0.891 and 0.783, Q15: the pass band has a gain of 1.
        let input = mult_r(sample, 29_212);
        self.output = add(input, sub(mult_r(self.output, 25_656), self.input));
        self.input = input;
        self.output
    }
}
