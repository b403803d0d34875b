//! The postfilter and the high-pass that end the decoder (3GPP TS 26.090 §6.2).
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices below their length")]

use crate::amr::filter::{expand_bandwidth, residual, synthesize};
use crate::amr::lsp::Lpc;
use crate::amr::{FRAME_SAMPLES, Mode, ORDER, SUBFRAME};
use crate::fixed::*;
use crate::fixed_math::inv_sqrt;

/// Samples of the impulse response that the tilt is taken from.
const RESPONSE: usize = 22;

/// Strength of the tilt compensation: 0.8, Q15.
const TILT: i16 = 26214;

/// How fast the gain follows: 0.9, Q15.
const GAIN_KEEP: i16 = 29491;

/// Formant postfilter with tilt compensation and gain control.
#[derive(Clone, Debug)]
pub(super) struct Postfilter {
    /// The last samples before the filter.
    input: [i16; ORDER],
    /// The last samples of its second half.
    memory: [i16; ORDER],
    /// The last sample before the tilt compensation.
    tilt_memory: i16,
    /// Q12.
    gain: i16,
}

impl Postfilter {
    pub(super) const fn new() -> Self {
        Self { input: [0; ORDER], memory: [0; ORDER], tilt_memory: 0, gain: 4096 }
    }

    /// Filters a frame, given the filter of each subframe.
    pub(super) fn run(&mut self, mode: Mode, speech: &mut [i16; FRAME_SAMPLES], filters: &[Lpc; 4]) {
        let (zeros, poles) = match mode {
            Mode::Mr1020 | Mode::Mr1220 => (&POWERS_70, &POWERS_75),
            _ => (&POWERS_55, &POWERS_70),
        };
        let mut input = [0; ORDER + FRAME_SAMPLES];
        input[..ORDER].copy_from_slice(&self.input);
        input[ORDER..].copy_from_slice(speech);
        self.input.copy_from_slice(&input[FRAME_SAMPLES..]);
        for (at, lpc) in (0..FRAME_SAMPLES).step_by(SUBFRAME).zip(filters) {
            let (zeros, poles) = (expand_bandwidth(lpc, zeros), expand_bandwidth(lpc, poles));
            let mut rest = residual(&zeros, &input[at..at + ORDER + SUBFRAME]);
            self.compensate_tilt(&mut rest, tilt(&zeros, &poles));
            let mut output = synthesize(&poles, &rest, &self.memory);
            self.memory.copy_from_slice(&output[SUBFRAME - ORDER..]);
            let mut before = [0; SUBFRAME];
            before.copy_from_slice(&input[at + ORDER..at + ORDER + SUBFRAME]);
            self.match_gain(&before, &mut output);
            speech[at..at + SUBFRAME].copy_from_slice(&output);
        }
    }

    fn compensate_tilt(&mut self, signal: &mut [i16; SUBFRAME], tilt: i16) {
        let mut before = core::mem::replace(&mut self.tilt_memory, signal[SUBFRAME - 1]);
        for sample in signal {
            let now = *sample;
            *sample = sub(now, mult(tilt, before));
            before = now;
        }
    }

    /// Gives the output the energy of the input, smoothly.
    fn match_gain(&mut self, input: &[i16; SUBFRAME], output: &mut [i16; SUBFRAME]) {
        let energy = energy(output);
        if energy == 0 {
            self.gain = 0;
            return;
        }
        let target = match ratio(self::energy(input), energy) {
            None => 0,
            Some(ratio) => {
                let gain = inv_sqrt(ratio).wrapping_shl(9).wrapping_add(0x8000) >> 16;
                ((gain * i32::from(i16::MAX - GAIN_KEEP)) >> 15) as i16
            }
        };
        let mut gain = self.gain;
        for sample in output {
            gain = (((i32::from(gain) * i32::from(GAIN_KEEP)) >> 15) as i16).wrapping_add(target);
            *sample = ((i32::from(*sample) * i32::from(gain)).wrapping_shl(1) >> 13) as i16;
        }
        self.gain = gain;
    }
}

/// Gives `output` the energy of `input` at once.
pub(super) fn match_energy(input: &[i16; SUBFRAME], output: &mut [i16; SUBFRAME]) {
    let energy = energy(output);
    if energy == 0 {
        return;
    }
    let gain = ratio(self::energy(input), energy).map_or(0, |ratio| round(l_shl(inv_sqrt(ratio), 9)));
    for sample in output {
        *sample = saturate(l_mult(*sample, gain) >> 13);
    }
}

/// Energy of `output` over that of `input`, Q29; `None` if the input has none. `output` is not 0.
fn ratio(input: i32, output: i32) -> Option<i32> {
    if input == 0 {
        return None;
    }
    let output_shift = norm_l(output) - 1;
    let input_shift = norm_l(input);
    let quotient = div_s(round(l_shl(output, output_shift)), round(l_shl(input, input_shift)));
    Some(l_shr(i32::from(quotient) << 7, output_shift - input_shift))
}

/// Twice the sum of squares over 16; if that saturates, with samples of a quarter.
fn energy(signal: &[i16; SUBFRAME]) -> i32 {
    let energy = sum_of_squares(signal);
    if energy < i32::MAX { energy >> 4 } else { sum_of_squares(&signal.map(|sample| sample >> 2)) }
}

/// Twice the sum of squares, saturated.
pub(super) fn sum_of_squares(signal: &[i16]) -> i32 {
    let sum: u64 =
        signal.iter().map(|sample| u64::from((i32::from(*sample) * i32::from(*sample)) as u32)).sum();
    (2 * sum).min(i32::MAX as u64) as i32
}

/// How much the filter tilts the spectrum: the first reflection coefficient of its impulse response, Q15.
fn tilt(zeros: &Lpc, poles: &Lpc) -> i16 {
    let mut response = [0; RESPONSE];
    response[..=ORDER].copy_from_slice(zeros);
    let response = synthesize(poles, &response, &[0; ORDER]);
    let energy = extract_h(correlate(&response, &response));
    let correlation = extract_h(correlate(&response, &response[1..]));
    if correlation <= 0 { 0 } else { div_s(mult(correlation, TILT), energy) }
}

/// Twice the scalar product, summed from the end and saturated; ends early at a product of two -1, as the reference.
fn correlate(a: &[i16], b: &[i16]) -> i32 {
    let mut sum = 0;
    for (a, b) in a.iter().zip(b).rev() {
        let product = i32::from(*a) * i32::from(*b);
        if product == 0x4000_0000 {
            break;
        }
        sum = l_add(sum, product << 1);
    }
    sum
}

/// Powers of 0.55, 0.7 and 0.75, Q15.
const POWERS_55: [i16; ORDER] = [18022, 9912, 5451, 2998, 1649, 907, 499, 274, 151, 83];
const POWERS_70: [i16; ORDER] = [22938, 16057, 11240, 7868, 5508, 3856, 2699, 1889, 1322, 925];
const POWERS_75: [i16; ORDER] = [24576, 18432, 13824, 10368, 7776, 5832, 4374, 3281, 2461, 1846];

/// Second-order high-pass at 60 Hz, and the doubling to full scale.
#[derive(Clone, Debug)]
pub(super) struct HighPass {
    /// The last two, the newest first.
    input: [i16; 2],
    /// The last two, the newest first, with 31 of their 32 bits: the double precision format has no more.
    output: [i32; 2],
}

impl HighPass {
    pub(super) const fn new() -> Self {
        Self { input: [0; 2], output: [0; 2] }
    }

    pub(super) fn run(&mut self, signal: &mut [i16; FRAME_SAMPLES]) {
        let [mut x1, mut x2] = self.input.map(i32::from);
        let [mut y1, mut y2] = self.output;
        // high * factor + low * factor / 2^15, as one product.
        let part = |y: i32, factor: i64| ((i64::from(y) * factor) >> 15) as i32;
        for sample in signal {
            let x0 = i32::from(*sample);
            let forward = (x0 + x2) * 7699 - x1 * 15398;
            let sum = part(y2, -7667).wrapping_add(forward).wrapping_add(part(y1, 15836));
            let output = if (sum.wrapping_add(1 << 28) as u32) < 1 << 29 { sum << 3 } else { l_shl(sum, 3) };
            *sample = saturate(((output >> 14) + 1) >> 1);
            (x2, x1) = (x1, x0);
            (y2, y1) = (y1, output >> 1);
        }
        self.input = [x1 as i16, x2 as i16];
        self.output = [y1, y2];
    }
}
