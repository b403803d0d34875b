//! Excitation of the comfort noise (B.4.4): random pitch, pulses and Gaussian noise with a given gain.
#![expect(clippy::indexing_slicing, reason = "positions lie in 0..40, subframes in the excitation")]

use super::pitch::{Lag, predict};
use super::vector::{energy, mapped, saturated_energy};
use super::{FRAME, HISTORY, SUBFRAME};
use crate::fixed::{
    abs_s, add, extract_h, extract_l, l_extract, l_mac, l_mult, l_shl, l_shr, l_sub, mpy_32_16, mult_r,
    negate, norm_l, norm_s, shl, shr, shr_r, sub,
};
use crate::fixed_math::inv_sqrt;

/// The generator's state at the beginning of a pause.
pub(super) const SEED: i16 = 11_111;

/// Greatest gain of the pulses.
const GAIN_MAX: i16 = 5000;

/// The generator `31821·x + 13849` in 16 bits.
pub(super) fn random(seed: &mut i16) -> i16 {
    *seed = seed.wrapping_mul(31_821).wrapping_add(13_849);
    *seed
}

/// Fills the frame behind [`HISTORY`]; `trace` hears the pitch gain and lag of each subframe.
pub(super) fn excite(
    excitation: &mut [i16; HISTORY + FRAME],
    gain: i16,
    seed: &mut i16,
    mut trace: impl FnMut(i16, usize),
) {
    if gain == 0 {
        excitation[HISTORY..].fill(0);
        for _ in 0..2 {
            trace(0, SUBFRAME + 1);
        }
        return;
    }
    for start in [0, SUBFRAME] {
        let parameters = Parameters::draw(seed);
        let gaussian = gaussian(gain, seed);
        let window = &mut excitation[start..];
        predict(window, parameters.lag);
        let pitch_gain = mix(&mut window[HISTORY..HISTORY + SUBFRAME], &gaussian, gain, &parameters);
        trace(pitch_gain, parameters.lag.whole);
    }
}

/// What is random in a subframe.
struct Parameters {
    lag: Lag,
    /// Positions of four pulses, and whether they are positive.
    pulses: [(usize, bool); 4],
    /// Below 0.5, Q14.
    pitch_gain: i16,
}

impl Parameters {
    fn draw(seed: &mut i16) -> Self {
        let bits = random(seed) as u16;
        // Three values of two bits are thirds -1, 0, 1; the fourth is 0 too.
        let thirds = match bits & 3 {
            3 => 0,
            other => other as i16 - 1,
        };
        let lag = Lag { whole: usize::from(bits >> 2 & 63) + 40, thirds };
        let place = |bits: u16| 5 * usize::from(bits & 7);
        let first = (place(bits >> 8), bits >> 11 & 1 == 1);
        let second = (place(bits >> 12) + 1, (bits as i16) < 0);
        let bits = random(seed) as u16;
        let third = (place(bits) + 2, bits >> 3 & 1 == 1);
        let fourth = (place(bits >> 5) + 3 + usize::from(bits >> 4 & 1), bits >> 8 & 1 == 1);
        let pitch_gain = random(seed) & 0x1fff;
        Self { lag, pulses: [first, second, third, fourth], pitch_gain }
    }
}

/// Noise that is nearly Gaussian, half the gain in the mean.
fn gaussian(gain: i16, seed: &mut i16) -> [i16; SUBFRAME] {
    let mut noise = [0; SUBFRAME];
    for sample in &mut noise {
        let sum: i32 = (0..12).map(|_| i32::from(random(seed))).sum();
        *sample = extract_l(sum >> 7);
    }
    let power = saturated_energy(0, &noise);
    let (high, low) = l_extract(inv_sqrt(power >> 1));
    // Half the root of the subframe's length, over 2, less 1.
    let scaled_gain = add(gain, mult_r(gain, 19_043));
    let factor = mpy_32_16(high, low, scaled_gain);
    let shift = norm_l(factor);
    let mantissa = extract_h(l_shl(factor, shift));
    mapped(&noise, |sample| shr_r(mult_r(sample, mantissa), sub(shift, 14)))
}

/// Adds the adaptive vector, which is in `excitation`, the noise, and pulses that make up the energy. Returns the
/// pitch gain that was used.
fn mix(excitation: &mut [i16], gaussian: &[i16; SUBFRAME], gain: i16, parameters: &Parameters) -> i16 {
    let adaptive_gain = shl(parameters.pitch_gain, 1);
    let mut peak = 0;
    for (sample, &noise) in excitation.iter_mut().zip(gaussian) {
        *sample = add(mult_r(*sample, adaptive_gain), noise);
        peak = abs_s(*sample).max(peak);
    }
    // Scaled so that sums of four and squares of forty have room.
    let shift = if peak == 0 { 0 } else { sub(3, norm_s(peak)).max(0) };
    let mut scaled = [0; SUBFRAME];
    for (scaled, &sample) in scaled.iter_mut().zip(excitation.iter()) {
        *scaled = shr(sample, shift);
    }
    let pulses = &parameters.pulses;
    let correlation = |signal: &[i16], shift: i16| {
        pulses.iter().fold(0, |sum, &(position, positive)| {
            let sample = shr(signal[position], shift);
            if positive { add(sum, sample) } else { sub(sum, sample) }
        })
    };

    // The pulses' gain x solves 4·x² + 2·b·x + c = 0, c the energy that there is less the energy that is wanted.
    let wanted = l_mult(gain, extract_l(l_shr(l_mult(gain, SUBFRAME as i16), 6)));
    let mut b = shr(correlation(&scaled, 0), 1);
    let missing =
        l_sub(l_shr(wanted, add(1, shl(shift, 1))), (2 * energy(&scaled)).min(i64::from(i32::MAX)) as i32);
    let mut discriminant = l_mac(missing, b, b);
    let mut shift = add(shift, 1);
    let mut pitch_gain = parameters.pitch_gain;
    if discriminant < 0 {
        // Too much energy already: the noise and the pulses alone.
        excitation.copy_from_slice(gaussian);
        let loudest = pulses.iter().fold(0, |all, &(position, _)| all | abs_s(gaussian[position]));
        shift = if loudest & 0x4000 == 0 { 1 } else { 2 };
        b = correlation(gaussian, shift);
        let (high, low) = l_extract(wanted);
        let rest = l_shr(mpy_32_16(high, low, 24_576), sub(shl(shift, 1), 1));
        discriminant = l_mac(rest, b, b);
        pitch_gain = 0;
    }
    let root = root_of_half(discriminant);
    let (x1, x2) = (sub(root, b), negate(add(b, root)));
    let x = if abs_s(x2) < abs_s(x1) { x2 } else { x1 };
    let pulse_gain = shr_r(x, sub(2, shift)).clamp(-GAIN_MAX, GAIN_MAX);
    for &(position, positive) in pulses {
        let sample = &mut excitation[position];
        *sample = if positive { add(*sample, pulse_gain) } else { sub(*sample, pulse_gain) };
    }
    pitch_gain
}

/// Root of half a number, bit by bit.
fn root_of_half(number: i32) -> i16 {
    let mut root = 0i16;
    for bit in (1..=14).rev() {
        let trial = add(root, 1 << bit);
        if l_sub(number, l_mult(trial, trial)) >= 0 {
            root = trial;
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_repeats_after_all_numbers() {
        let mut seed = SEED;
        let period = (1..=70_000).find(|_| random(&mut seed) == SEED);
        assert_eq!(period, Some(65_536));
    }

    #[test]
    fn roots_are_right_to_the_second_lowest_bit() {
        for root in [0, 2, 100, 5000, 23_170, 32_766] {
            assert_eq!(root_of_half(2 * i32::from(root) * i32::from(root)), root);
        }
    }

    #[test]
    fn noise_has_the_energy_that_was_asked_for() {
        let mut excitation = [0; HISTORY + FRAME];
        let mut seed = SEED;
        for _ in 0..20 {
            excite(&mut excitation, 2000, &mut seed, |_, _| {});
            excitation.copy_within(FRAME.., 0);
        }
        // The gain has three bits after the point.
        let mean = energy(&excitation[HISTORY..]) / FRAME as i64;
        assert!((200 * 200..300 * 300).contains(&mean), "{mean}");
    }
}
