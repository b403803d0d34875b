//! The adaptive postfilter (Annex A §A.4.2): pitch, formants, tilt, gain.
#![expect(
    clippy::indexing_slicing,
    reason = "fixed arrays; lags lie in 16..=143, the residual begins 143 samples before"
)]

use super::filter::{powers, residual, response, synthesis, weighted};
use super::vector::{chain, dot, each, energy, fits, mapped, subframe_dot};
use super::{FRAME, LAG_MAX, Lpc, ORDER, SUBFRAME};
use crate::fixed::{
    add, deposit_l, div_s, extract_h, l_mult, l_shl, l_shr, l_sub, mult, norm_l, round, saturate, sub,
};
use crate::fixed_math::inv_sqrt;

/// γ of the numerator, 0.55, and of the denominator, 0.7.
const NUMERATOR: [i16; ORDER] = powers(18_022);
const DENOMINATOR: [i16; ORDER] = powers(22_938);

/// 0.9, and what it leaves to 1.
const GAIN_SMOOTHING: i16 = 29_491;
const GAIN_TAKEN: i16 = 32_767 - GAIN_SMOOTHING;

#[derive(Clone)]
pub(super) struct Postfilter {
    /// Speech through the numerator: as far back as the longest lag.
    residual: [i16; LAG_MAX],
    memory: [i16; ORDER],
    last: i16,
    gain: i16,
}

impl Postfilter {
    pub(super) const NEW: Self = Self { residual: [0; LAG_MAX], memory: [0; ORDER], last: 0, gain: 4096 };

    /// Filters a frame that follows the ten samples at the beginning of `speech`. `lags` are whole samples;
    /// `None` in comfort noise, which has no pitch.
    pub(super) fn filter(
        &mut self,
        speech: &[i16; ORDER + FRAME],
        filters: &[Lpc; 2],
        lags: Option<[usize; 2]>,
    ) -> [i16; FRAME] {
        let mut filtered = [0; FRAME];
        for (subframe, (filter, out)) in filters.iter().zip(filtered.chunks_exact_mut(SUBFRAME)).enumerate() {
            let lag = lags.map(|lags| lags[subframe]);
            if let Some(speech) = speech[subframe * SUBFRAME..].first_chunk() {
                out.copy_from_slice(&self.subframe(speech, filter, lag));
            }
        }
        filtered
    }

    fn subframe(
        &mut self,
        speech: &[i16; ORDER + SUBFRAME],
        filter: &Lpc,
        lag: Option<usize>,
    ) -> [i16; SUBFRAME] {
        let numerator = weighted(filter, &NUMERATOR);
        let denominator = weighted(filter, &DENOMINATOR);
        let mut buffer = [0; LAG_MAX + SUBFRAME];
        buffer[..LAG_MAX].copy_from_slice(&self.residual);
        let residual = residual(&numerator, speech);
        buffer[LAG_MAX..].copy_from_slice(&residual);

        let harmonic = lag.map_or(residual, |lag| enhance_pitch(&buffer, lag));
        let tilted = self.compensate_tilt(&harmonic, tilt(&numerator, &denominator));
        let (mut shaped, _) = synthesis(&denominator, &tilted, &self.memory);
        self.memory.copy_from_slice(&shaped[SUBFRAME - ORDER..]);
        self.residual.copy_from_slice(&buffer[SUBFRAME..]);
        if let Some(speech) = speech[ORDER..].first_chunk() {
            self.match_level(speech, &mut shaped);
        }
        shaped
    }

    fn compensate_tilt(&mut self, signal: &[i16; SUBFRAME], factor: i16) -> [i16; SUBFRAME] {
        let mut previous = [self.last; SUBFRAME];
        previous[1..].copy_from_slice(&signal[..SUBFRAME - 1]);
        self.last = signal[SUBFRAME - 1];
        each(|i| sub(signal[i], mult(factor, previous[i])))
    }

    /// Brings the level back to that of the speech, smoothly.
    fn match_level(&mut self, speech: &[i16; SUBFRAME], shaped: &mut [i16; SUBFRAME]) {
        let level = |signal: &[i16; SUBFRAME]| {
            let quarter = mapped(signal, |sample| sample >> 2);
            // Forty squares of 14-bit numbers stay below 2^32.
            (2 * i64::from(subframe_dot(&quarter, &quarter) as u32)).min(i64::from(i32::MAX)) as i32
        };
        let after = level(shaped);
        if after == 0 {
            self.gain = 0;
            return;
        }
        let shift_after = sub(norm_l(after), 1);
        let before = level(speech);
        let mut target = 0;
        if before != 0 {
            let shift_before = norm_l(before);
            let ratio = div_s(round(l_shl(after, shift_after)), round(l_shl(before, shift_before)));
            let ratio = l_shr(l_shl(deposit_l(ratio), 7), sub(shift_after, shift_before));
            target = mult(round(l_shl(inv_sqrt(ratio), 9)), GAIN_TAKEN);
        }
        // The gain stays in 16 bits: it moves towards ten times the target, which is at most 3276.
        let mut gain = i32::from(self.gain);
        let gains: [i16; SUBFRAME] = each(|_| {
            gain = ((gain * i32::from(GAIN_SMOOTHING)) >> 15) + i32::from(target);
            gain as i16
        });
        for (sample, gain) in shaped.iter_mut().zip(gains) {
            *sample = saturate((i32::from(*sample) * i32::from(gain)) >> 12);
        }
        self.gain = gain as i16;
    }
}

/// How much the formant filter tilts the spectrum: its impulse response's first correlation, times 0.8.
fn tilt(numerator: &Lpc, denominator: &Lpc) -> i16 {
    let response: [i16; 22] = response(denominator, numerator);
    let power = energy(&response);
    let (zeroth, first) = if 2 * power < 1 << 31 {
        (2 * power as i32, 2 * dot(&response[..21], &response[1..]))
    } else {
        (i32::MAX, chain(0, &response[..21], &response[1..]))
    };
    if extract_h(first) <= 0 {
        return 0;
    }
    div_s(mult(extract_h(first), 26_214), extract_h(zeroth))
}

/// Adds the residual one pitch period ago, as far as the two are alike.
fn enhance_pitch(buffer: &[i16; LAG_MAX + SUBFRAME], lag: usize) -> [i16; SUBFRAME] {
    let least = (lag - 3).min(LAG_MAX - 6);
    let scaled = mapped(buffer, |sample| sample >> 2);
    let mut now = [0; SUBFRAME];
    now.copy_from_slice(&scaled[LAG_MAX..]);
    let now_energy = energy(&now);
    let span = energy(&scaled[LAG_MAX - least - 6..LAG_MAX - least + SUBFRAME]);
    let energies_fit = fits(now_energy, span) && fits(span, span) && fits(now_energy, now_energy);
    let ago = |lag: usize| scaled[LAG_MAX - lag..].first_chunk().unwrap_or(&now);
    let product = |start: i32, a: &[i16; SUBFRAME], b: &[i16; SUBFRAME]| {
        if energies_fit { 2 * subframe_dot(a, b) + start } else { chain(start, a, b) }
    };
    let mut best = (least, i32::MIN);
    for lag in least..=least + 6 {
        let sum = product(0, &now, ago(lag));
        if sum > best.1 {
            best = (lag, sum);
        }
    }
    let (lag, most) = best;
    let (ago_power, now_power) = (product(1, ago(lag), ago(lag)), product(1, &now, &now));
    let most = most.max(0);
    let shift = norm_l(most.max(ago_power).max(now_power));
    let [most, ago_power, now_power] = [most, ago_power, now_power].map(|value| round(l_shl(value, shift)));

    let mut same = [0; SUBFRAME];
    same.copy_from_slice(&buffer[LAG_MAX..]);
    if l_sub(l_mult(most, most), l_shr(l_mult(ago_power, now_power), 1)) < 0 {
        // The prediction gain is below 3 dB.
        return same;
    }
    let (own, past) = if most > ago_power {
        (21_845, 10_923)
    } else {
        let most = mult(most, 16_384) >> 1;
        let sum = add(most, ago_power >> 1);
        let past = if sum > 0 { div_s(most, sum) } else { 0 };
        (32_767 - past, past)
    };
    let delayed = &buffer[LAG_MAX - lag..];
    each(|i| add(mult(own, same[i]), mult(past, delayed[i])))
}
