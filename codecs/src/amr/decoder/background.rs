//! Is the far end in background noise? And the care taken with lost frames then (3GPP TS 26.091 §6.2.2; TS 26.090 §6.1,
//! "code gain smoothing").
#![expect(
    clippy::indexing_slicing,
    reason = "fixed arrays, constant indices and those bounded by their length"
)]

use super::median;
use crate::amr::lsp::Lsf;
use crate::amr::{Mode, ORDER, SUBFRAME};
use crate::fixed::{abs_s, add, div_s, l_mac, l_msu, l_mult, l_shl, l_shr, norm_s, round, shl, shr, sub};

/// Frames whose energy is remembered.
const ENERGIES: usize = 60;

/// Watches energy and voicing of the decoded speech.
#[derive(Clone, Debug)]
pub(super) struct Background {
    energies: [i16; ENERGIES],
    /// Frames that looked like noise, up to 30.
    noisy: i16,
    /// The last nine pitch gains of good frames, the newest last.
    pitch_gains: [i16; 9],
    /// Frames since the last voiced one, up to 10.
    pub unvoiced: i16,
    /// Whether the last frame was background noise.
    pub noise: bool,
}

impl Background {
    pub(super) const fn new() -> Self {
        Self { energies: [0; ENERGIES], noisy: 0, pitch_gains: [0; 9], unvoiced: 0, noise: false }
    }

    /// Takes up the pitch gain of a good subframe.
    pub(super) fn push_pitch_gain(&mut self, gain: i16) {
        self.pitch_gains.rotate_left(1);
        self.pitch_gains[8] = gain;
    }

    /// Takes up the energy of a frame: twice the sum of squares, saturated.
    pub(super) fn update(&mut self, energy: i32) {
        let energy = (energy >> 14).min(32767) as i16;
        let floor = shl(self.energies.iter().fold(i16::MAX, |least, past| least.min(*past)), 4);
        let most = |energies: &[i16]| energies.iter().fold(0, |most: i16, past| most.max(*past));
        // Noise is neither silence nor loud for long: 150, 5 and 50 as amplitudes.
        let noisy = most(&self.energies[..56]) > 20
            && (21..17578).contains(&energy)
            && (energy < floor || most(&self.energies[40..]) < 1953);
        self.noisy = if noisy { (self.noisy + 1).min(30) } else { 0 };
        self.noise = self.noisy > 1;
        self.energies.copy_within(1.., 0);
        self.energies[ENERGIES - 1] = energy;

        let limit = match self.noisy {
            16.. => 16383,
            9.. => 15565,
            _ => 13926,
        };
        let gain =
            if self.noisy > 20 { median(&self.pitch_gains) } else { median(&self.newest_pitch_gains()) };
        self.unvoiced = if gain > limit { 0 } else { (self.unvoiced + 1).min(10) };
    }

    fn newest_pitch_gains(&self) -> [i16; 5] {
        core::array::from_fn(|i| self.pitch_gains[i + 4])
    }
}

/// Smooths the code gain in steady background noise.
#[derive(Clone, Debug)]
pub(super) struct GainSmoother {
    /// The newest last.
    past: [i16; 7],
    /// Subframes in which the spectrum was far from its mean.
    far: i16,
    /// Subframes since speech.
    steady: i16,
}

impl GainSmoother {
    pub(super) const fn new() -> Self {
        Self { past: [0; 7], far: 0, steady: 0 }
    }

    /// After a silence descriptor.
    pub(super) const fn after_silence() -> Self {
        Self { past: [0; 7], far: 20, steady: 0 }
    }

    /// The gain to use in place of `gain`, given the spectrum of the subframe and its mean. `bad` is this or the last
    /// frame.
    pub(super) fn smooth(
        &mut self,
        mode: Mode,
        gain: i16,
        lsf: &Lsf,
        mean: &Lsf,
        bad: bool,
        around: &Background,
    ) -> i16 {
        self.past.rotate_left(1);
        self.past[6] = gain;
        let distance = distance(lsf, mean);
        self.far = if distance > FAR { self.far.wrapping_add(1) } else { 0 };
        if self.far > 10 {
            self.steady = 0;
        }
        let smoothed = match mode {
            Mode::Mr740 | Mode::Mr795 | Mode::Mr1220 => gain,
            _ => self.mix(gain, distance, bad && around.noise && mode <= Mode::Mr590, around.unvoiced > 1),
        };
        self.steady = self.steady.wrapping_add(1);
        smoothed
    }

    fn mix(&self, gain: i16, distance: i16, careful: bool, unvoiced: bool) -> i16 {
        // 0.55 or 0.40; from there the share of the gain itself rises to 1 within 0.25 (Q13).
        let near = if careful && unvoiced { 4506 } else { 3277 };
        let over = distance.wrapping_sub(near).max(0);
        let share = if over > 2048 || self.steady < 40 || distance > FAR { 8192 } else { over << 2 };
        let mean = |past: &[i16], weight| round(past.iter().fold(0, |sum, gain| l_mac(sum, weight, *gain)));
        let mean = if careful { mean(&self.past, 4681) } else { mean(&self.past[2..], 6554) };
        let sum = l_msu(l_mac(l_mult(share, gain), 8192, mean), share, mean);
        round(l_shl(sum, 2))
    }
}

/// A distance from the mean spectrum that noise does not have: 0.65, Q13.
const FAR: i16 = 5325;

/// The sum of the lines' relative distances from their mean, Q13. Beyond [`FAR`] it does not matter how far.
fn distance(lsf: &Lsf, mean: &Lsf) -> i16 {
    let mut sum = 0;
    for i in 0..ORDER {
        let apart = abs_s(sub(mean[i], lsf[i]));
        let apart_shift = norm_s(apart) - 1;
        let mean_shift = norm_s(mean[i]);
        let quotient = div_s(shl(apart, apart_shift), shl(mean[i], mean_shift));
        sum = add(sum, shr(quotient, 2 + apart_shift - mean_shift));
        if sum > FAR {
            break;
        }
    }
    sum
}

/// In steady noise around lost frames: no sudden drop of the excitation (modes up to 5.90). `energy` is the square root
/// of the excitation's energy, `past` that of the subframes before, the newest last.
pub(super) fn hold_energy(
    excitation: &mut [i16; SUBFRAME],
    energy: i16,
    past: &[i16; 9],
    unvoiced: i16,
    bad_before: bool,
) {
    let average = median(past);
    if energy >= average || energy <= 5 {
        return;
    }
    let before = ((i32::from(past[7]) + i32::from(past[8])) >> 1).min(i32::from(past[8])) as i16;
    let mut most = shl(before, 2);
    if unvoiced < 7 || bad_before {
        most = sub(most, before);
    }
    let target = average.min(most);
    let shift = norm_s(energy);
    let inverse = div_s(16383, shl(energy, shift));
    let scale = l_shr(l_mult(target, inverse), 20 - shift).min(32767) as i16;
    for sample in excitation {
        *sample = (l_mult(scale, *sample) >> 11) as i16;
    }
}
