//! The decoder's pitch postfilter (§3.6) and formant postfilter with gain scaling (§3.8, §3.9).

#![expect(
    clippy::indexing_slicing,
    reason = "fixed arrays, indices bounded by lags, subframes and the order"
)]

use super::filter::{Memory, Samples, joined, tail, zeros_and_poles};
use super::ops::{div_32_16, energy, mac_saturating, normalise, sqrt, sum_products};
use super::tables::{POSTFILTER_POLE, POSTFILTER_ZERO};
use super::{FRAME, Lpc, ORDER, PITCH_MAX, Rate, SUBFRAME};
use crate::fixed::{
    add, deposit_h, div_s, extract_h, l_abs, l_add, l_mac, l_msu, l_mult, l_shl, l_shr, mult, mult_r, negate,
    norm_l, round, shr, sub,
};

/// Excitation: as far back as the longest lag, then the frame.
pub(super) type Excitation = [i16; PITCH_MAX + FRAME];

/// The pitch postfilter of a subframe: what it adds, from how far away.
#[derive(Clone, Copy, Debug)]
pub(super) struct PitchPostfilter {
    /// Samples ahead (positive) or back.
    offset: isize,
    gain: i16,
    scale: i16,
}

/// Correlation of a subframe with another stretch of excitation, and the energy of that.
#[derive(Clone, Copy)]
struct Match {
    offset: isize,
    correlation: i32,
    energy: i32,
}

/// Lags on each side of the open-loop lag that are looked at.
const RANGE: usize = 3;

/// Twice the sum of products of vectors of a subframe and of 12 bits: nothing saturates.
fn correlate(a: &[i16], b: &[i16]) -> i32 {
    2 * sum_products(a, b)
}

impl PitchPostfilter {
    const OFF: Self = Self { offset: 0, gain: 0, scale: i16::MAX };

    /// The filter for the subframe at `start` in an excitation of 12 bits (§3.6).
    pub(super) fn find(excitation: &Excitation, lag: usize, start: usize, rate: Rate) -> Self {
        let now = &excitation[start..][..SUBFRAME];
        let lag = lag.min(PITCH_MAX - RANGE);
        let back = Match::best(
            excitation,
            now,
            (lag - RANGE..=lag + RANGE).map(|lag| (start - lag, -(lag as isize))),
        );
        let ahead = Match::best(
            excitation,
            now,
            (lag - RANGE..=lag + RANGE)
                .filter(|lag| start + lag + SUBFRAME <= PITCH_MAX + FRAME)
                .map(|lag| (start + lag, lag as isize)),
        );
        let own = correlate(now, now);
        let parts = [
            Some(own),
            back.map(|m| m.correlation),
            back.map(|m| m.energy),
            ahead.map(|m| m.correlation),
            ahead.map(|m| m.energy),
        ];
        let largest = parts.iter().flatten().fold(0, |largest, &part| part.max(largest));
        let shift = norm_l(largest);
        let scaled = |value: i32| extract_h(l_shl(value, shift));
        let weigh = |found: Match| (found.offset, scaled(found.correlation), scaled(found.energy));
        let (offset, correlation, energy) = match (back.map(weigh), ahead.map(weigh)) {
            (None, None) => return Self::OFF,
            (Some(back), None) => back,
            (None, Some(ahead)) => ahead,
            (Some(back), Some(ahead)) => {
                let merit = |correlation: i16, other: i16| l_mult(mult_r(correlation, correlation), other);
                if merit(back.1, ahead.2) > merit(ahead.1, back.2) { back } else { ahead }
            }
        };
        Self::new(offset, scaled(own), correlation, energy, rate)
    }

    /// Gains for a match, if the prediction gain is at least 1.25 dB.
    fn new(offset: isize, own: i16, correlation: i16, energy: i16, rate: Rate) -> Self {
        if l_mult(correlation, correlation) <= l_shr(l_mult(own, energy), 2) {
            return Self { offset, ..Self::OFF };
        }
        let most = match rate {
            Rate::High => 0x1800,
            Rate::Low => 0x2000,
        };
        let gain = if correlation >= energy { most } else { mult(div_s(correlation, energy), most) };
        let half = l_shr(deposit_h(own), 1);
        let sum = l_mac(half, correlation, gain);
        let filtered = round(l_add(sum, l_shr(l_mult(energy, mult(gain, gain)), 1)));
        let ratio = if half >= deposit_h(filtered) { i16::MAX } else { div_32_16(half, filtered) };
        let scale = sqrt(deposit_h(ratio));
        Self { offset, gain: mult(gain, scale), scale }
    }

    /// Filters the subframe at `start`.
    pub(super) fn run(&self, excitation: &Excitation, start: usize) -> Samples {
        let now = &excitation[start..][..SUBFRAME];
        let other = &excitation[start.saturating_add_signed(self.offset)..][..SUBFRAME];
        core::array::from_fn(|i| round(l_mac(l_mult(now[i], self.scale), other[i], self.gain)))
    }
}

impl Match {
    /// The first of the best correlated stretches, if any correlates.
    fn best(
        excitation: &Excitation,
        now: &[i16],
        stretches: impl Iterator<Item = (usize, isize)>,
    ) -> Option<Self> {
        let mut best: Option<(usize, Self)> = None;
        for (at, offset) in stretches {
            let correlation = correlate(now, &excitation[at..][..SUBFRAME]);
            if correlation > best.as_ref().map_or(0, |(_, best)| best.correlation) {
                best = Some((at, Self { offset, correlation, energy: 0 }));
            }
        }
        best.map(|(at, found)| {
            let other = &excitation[at..][..SUBFRAME];
            Self { energy: correlate(other, other), ..found }
        })
    }
}

/// The formant postfilter with tilt compensation, and the gain that keeps the energy.
#[derive(Clone, Debug)]
pub(super) struct FormantPostfilter {
    input: Memory,
    output: Memory,
    /// First reflection coefficient, smoothed.
    reflection: i16,
    gain: i16,
}

impl FormantPostfilter {
    pub(super) const fn new() -> Self {
        Self { input: [0; ORDER], output: [0; ORDER], reflection: 0, gain: 0x1000 }
    }

    /// Filters a subframe of synthesised speech.
    pub(super) fn run(&mut self, speech: &Samples, lpc: &Lpc) -> Samples {
        let (tilt, energy) = self.tilt(speech);
        let weighted = |weights: &Lpc| core::array::from_fn(|i| mult_r(lpc[i], weights[i]));
        let start = speech.map(|sample| i32::from(sample) << 14);
        let all = joined(&self.input, speech);
        let filtered = zeros_and_poles(
            &start,
            &all,
            &weighted(&POSTFILTER_ZERO),
            &weighted(&POSTFILTER_POLE),
            &self.output,
        );
        let mut out = [0; SUBFRAME];
        let mut before = self.output[ORDER - 1];
        for (out, (&sum, &sample)) in out.iter_mut().zip(filtered.sums.iter().zip(&filtered.samples)) {
            *out = round(l_mac(sum, before, tilt));
            before = sample;
        }
        self.input = tail(speech);
        self.output = tail(&filtered.samples);
        self.scale(&mut out, energy);
        out
    }

    /// The tilt compensation's coefficient, and the energy of the subframe at a scale of 1/16.
    fn tilt(&mut self, speech: &Samples) -> (i16, i32) {
        let mut scaled = *speech;
        let shift = normalise(&mut scaled);
        // Sixty products of 24 bits, doubled: nothing saturates.
        let energy = correlate(&scaled, &scaled);
        let correlation = correlate(&scaled[1..], &scaled[..SUBFRAME - 1]);
        let divisor = extract_h(energy);
        let reflection = if divisor == 0 {
            0
        } else {
            let half = l_shr(correlation, 1);
            let quotient = div_32_16(l_abs(half), divisor);
            if half < 0 { negate(quotient) } else { quotient }
        };
        let kept = l_msu(deposit_h(self.reflection), self.reflection, 0x2000);
        self.reflection = round(l_mac(kept, reflection, 0x2000));
        (mult(self.reflection, -0x4000) & !3, l_shr(energy, 2 * shift + 4))
    }

    /// Brings the energy back to that from before the filter, sample by sample.
    fn scale(&mut self, samples: &mut Samples, before: i32) {
        let target = gain_between(before, quarter_energy(samples));
        for sample in samples {
            let sum = l_msu(deposit_h(self.gain), self.gain, 0x0800);
            self.gain = round(l_mac(sum, target, 0x0800));
            let gain = add(self.gain, shr(self.gain, 4));
            *sample = round(l_shl(l_mult(*sample, gain), 4));
        }
    }
}

/// Doubled energy of samples at a quarter of their scale.
fn quarter_energy(samples: &Samples) -> i32 {
    let quarters = samples.map(|sample| sample >> 2);
    let exact = energy(&quarters);
    if exact < 1 << 30 { 2 * exact as i32 } else { mac_saturating(&quarters, &quarters) }
}

/// Root of the ratio of two energies, Q12.
fn gain_between(wanted: i32, got: i32) -> i16 {
    if got == 0 || wanted == 0 {
        return 0x1000;
    }
    let (got_shift, wanted_shift) = (norm_l(got), norm_l(wanted));
    let down = sub(6, add(sub(got_shift, wanted_shift), 1)).max(0);
    let ratio = div_32_16(l_shl(wanted, wanted_shift) >> 1, extract_h(l_shl(got, got_shift)));
    sqrt(l_shr(deposit_h(ratio), down))
}
