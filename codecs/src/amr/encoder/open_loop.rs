//! Open-loop pitch analysis of the weighted speech (3GPP TS 26.090 §5.3): a rough lag for each half frame, which the
//! closed-loop search refines.
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the lags")]

use super::super::Mode;
use super::operators::{dot, energy, mac, mac_all, median_place, norm32, part, shl16, shl32, shr16, shr32};
use super::vad::Vad;
use crate::fixed::{div_s, extract_h, l_abs, l_extract, l_msu, l_sub, mpy_32, mpy_32_16, round};
use crate::fixed_math::inv_sqrt;

/// The longest lag, and how much of the past it takes.
pub(super) const LONGEST: usize = 143;
/// The shortest lag of all modes but 12.2.
const SHORTEST: usize = 20;
/// The shortest lag of mode 12.2.
const SHORTEST_1220: usize = 18;

/// Samples of half a frame, for which a lag is found; in modes 4.75 and 5.15 it is found for the whole frame.
const HALF: usize = 80;

/// What the search remembers. Only mode 10.2 does: its search prefers lags near those before.
#[derive(Clone, Debug)]
pub(super) struct OpenLoop {
    /// The last lags of voiced half frames, the newest first.
    lags: [i16; 5],
    /// Their median, or the last lag if that was not voiced.
    middle: i16,
    /// How much to trust it, Q15.
    trust: i16,
    /// Which halves of this frame are voiced: their gain is above 0.4.
    voiced: [bool; 2],
}

impl OpenLoop {
    pub(super) const fn new() -> Self {
        Self { lags: [40; 5], middle: 40, trust: 0, voiced: [false; 2] }
    }

    /// The lags of the two halves of a frame. `weighted` is the weighted speech, of which the first
    /// [`LONGEST`] samples are past.
    pub(super) fn search(&mut self, mode: Mode, weighted: &[i16], mut vad: Option<&mut Vad>) -> [usize; 2] {
        if mode != Mode::Mr1020 {
            self.voiced = [false; 2];
        }
        match mode {
            Mode::Mr475 | Mode::Mr515 => {
                if let Some(vad) = vad.as_deref_mut() {
                    vad.begin_tone(true);
                }
                let lag = plain::<{ 2 * HALF }, SHORTEST>(
                    part::<{ LONGEST + 2 * HALF }>(weighted, 0),
                    false,
                    true,
                    vad,
                );
                [lag; 2]
            }
            _ => [0, 1].map(|half| {
                let weighted = part::<{ LONGEST + HALF }>(weighted, half * HALF);
                if let Some(vad) = vad.as_deref_mut() {
                    vad.begin_tone(false);
                }
                let vad = vad.as_deref_mut();
                match mode {
                    Mode::Mr1220 => plain::<HALF, SHORTEST_1220>(weighted, true, half == 1, vad),
                    Mode::Mr1020 => self.near_the_last(weighted, half, vad),
                    _ => plain::<HALF, SHORTEST>(weighted, false, half == 1, vad),
                }
            }),
        }
    }

    /// After the closed-loop search: puts its lag of the first or the last subframe in place of ours.
    pub(super) fn refine(&mut self, subframe: usize, lag: i16) {
        match subframe {
            0 if self.voiced[0] => self.lags[1] = lag,
            3 if self.voiced[1] => self.lags[0] = lag,
            _ => {}
        }
    }

    /// The search of mode 10.2 (§5.3.2): short lags and lags near the median of the last ones count more.
    fn near_the_last(
        &mut self,
        weighted: &[i16; LONGEST + HALF],
        half: usize,
        vad: Option<&mut Vad>,
    ) -> usize {
        let (scaled, _) = scale(weighted);
        let correlations = Correlations::new::<HALF, SHORTEST>(&scaled);
        let near = self.trust >= 9830;
        let mut best = (i32::MIN, LONGEST);
        for lag in (SHORTEST..=LONGEST).rev() {
            // The weights are positive, so nothing saturates.
            let mut value = times(correlations.at(lag), LAG_WEIGHTS[108 + lag]);
            if near {
                value = times(value, LAG_WEIGHTS[124 + lag - self.middle as usize]);
            }
            if value >= best.0 {
                best = (value, lag);
            }
        }
        let lag = best.1;

        let now = part::<HALF>(&scaled, LONGEST);
        let then = part::<HALF>(&scaled, LONGEST - lag);
        let (product, power) = if 2 * (energy(now) + energy(then)) < 1 << 31 {
            // No part of either sum exceeds the energies, so nothing saturates.
            (dot(now, then) << 1, dot(then, then) << 1)
        } else {
            (mac_all(0, now, then), mac_all(0, then, then))
        };
        self.voiced[half] = round(l_msu(product, round(power), 13107)) > 0;
        if self.voiced[half] {
            self.lags.copy_within(..4, 1);
            self.lags[0] = lag as i16;
            self.middle = self.lags[median_place(&self.lags)];
            self.trust = i16::MAX;
        } else {
            self.middle = lag as i16;
            self.trust = ((i32::from(self.trust) * 29491) >> 15) as i16;
        }
        if let Some(vad) = vad {
            vad.hear_tone(product, power);
            if half == 1 {
                vad.hear_complex(correlations.curvature::<HALF, SHORTEST>(&scaled));
            }
        }
        lag
    }
}

/// The search of all other modes (§5.3.1): the best lag in each of three ranges, of which the shorter ones count more.
fn plain<const FRAME: usize, const SHORTEST: usize>(
    weighted: &[i16],
    exact: bool,
    last: bool,
    mut vad: Option<&mut Vad>,
) -> usize {
    let (scaled, shift) = scale(weighted);
    let correlations = Correlations::new::<FRAME, SHORTEST>(&scaled);
    let ranges = [(4 * SHORTEST, LONGEST), (2 * SHORTEST, 4 * SHORTEST - 1), (SHORTEST, 2 * SHORTEST - 1)];
    let mut best: Option<(i16, usize)> = None;
    for (shortest, longest) in ranges {
        let (lag, value) = correlations.best(shortest, longest);
        let then = part::<FRAME>(&scaled, LONGEST - lag);
        let power = dot(then, then).wrapping_shl(1);
        if let Some(vad) = vad.as_deref_mut() {
            vad.hear_tone(value, power);
        }
        let value = normalize(value, power, exact.then_some(shift));
        best = match best {
            // 0.85.
            Some((most, _)) if ((i32::from(most) * 27853) >> 15) as i16 >= value => best,
            _ => Some((value, lag)),
        };
    }
    if let (Some(vad), true) = (vad, last) {
        vad.hear_complex(correlations.curvature::<FRAME, SHORTEST>(&scaled));
    }
    best.map_or(LONGEST, |(_, lag)| lag)
}

/// The correlation over the root of the energy. `exact` is how the signal was scaled, for the mode that takes account of
/// it.
fn normalize(value: i32, power: i32, exact: Option<i32>) -> i16 {
    let root = inv_sqrt(power);
    let root = match exact {
        Some(_) if root > 0x3FFF_FFFF => i32::MAX,
        Some(_) => root << 1,
        None => root,
    };
    let (high, low) = l_extract(value);
    let (root_high, root_low) = l_extract(root);
    let normal = mpy_32(high, low, root_high, root_low);
    match exact {
        Some(shift) => {
            let normal = shr32(normal, shift);
            if normal > 0xFFFF {
                i16::MAX
            } else if normal < -0x1_0000 {
                i16::MIN
            } else {
                (normal >> 1) as i16
            }
        }
        None => normal as i16,
    }
}

/// The signal such that correlations fit in 32 bits and use them, and how many bits it was shifted right.
fn scale(weighted: &[i16]) -> ([i16; LONGEST + 2 * HALF], i32) {
    let mut scaled = [0; LONGEST + 2 * HALF];
    let twice = 2 * energy(weighted);
    let shift = match twice {
        0..1_048_576 => -3,
        1_048_576..0x7FFF_FFFF => 0,
        _ => 3,
    };
    for (out, x) in scaled.iter_mut().zip(weighted) {
        *out = match shift {
            3 => x >> 3,
            0 => *x,
            _ => x << 3,
        };
    }
    (scaled, shift)
}

/// Correlations of a frame with what was there before, by lag.
struct Correlations([i32; LONGEST + 1]);

impl Correlations {
    fn new<const FRAME: usize, const SHORTEST: usize>(scaled: &[i16]) -> Self {
        let now = part::<FRAME>(scaled, LONGEST);
        let mut by_lag = [0; LONGEST + 1];
        for (lag, value) in by_lag.iter_mut().enumerate().skip(SHORTEST) {
            *value = dot(now, part::<FRAME>(scaled, LONGEST - lag)).wrapping_shl(1);
        }
        Self(by_lag)
    }

    fn at(&self, lag: usize) -> i32 {
        self.0[lag]
    }

    /// The shortest of the lags with the greatest correlation, and the correlation.
    fn best(&self, shortest: usize, longest: usize) -> (usize, i32) {
        let range = &self.0[shortest..=longest];
        let most = range.iter().fold(i32::MIN, |most, value| most.max(*value));
        (shortest + range.iter().position(|value| *value == most).unwrap_or(0), most)
    }

    /// The greatest second difference along the lags over that at lag 0, Q15: how strongly the signal repeats itself
    /// in the upper band (TS 26.094 §3.3.4.2).
    fn curvature<const FRAME: usize, const SHORTEST: usize>(&self, scaled: &[i16]) -> i16 {
        let second = |here: i32, below: i32, above: i32| l_abs(l_sub(l_sub(shl32(here, 1), above), below));
        let most = (SHORTEST + 1..LONGEST)
            .map(|lag| second(self.0[lag], self.0[lag - 1], self.0[lag + 1]))
            .fold(i32::MIN, i32::max);

        let now = part::<FRAME>(scaled, LONGEST);
        let then = part::<FRAME>(scaled, LONGEST - 1);
        let (mut here, mut beside) = (0, 0);
        for (now, then) in now.iter().zip(then) {
            here = mac(here, *now, *now);
            beside = mac(beside, *now, *then);
        }
        let at_zero = l_abs(l_sub(shl32(here, 1), shl32(beside, 1)));

        let shift = norm32(most) - 1;
        let high = extract_h(shl32(most, shift));
        let zero_shift = norm32(at_zero);
        let zero_high = extract_h(shl32(at_zero, zero_shift));
        let ratio = if zero_high != 0 { div_s(high, zero_high) } else { 0 };
        let shift = shift - zero_shift;
        if shift >= 0 { shr16(ratio, shift) } else { shl16(ratio, -shift) }
    }
}

/// Q31 product with a Q15 weight.
#[inline(always)]
fn times(value: i32, weight: i16) -> i32 {
    let (high, low) = l_extract(value);
    mpy_32_16(high, low, weight)
}

/// How much a lag counts: the last 144 by its length, and around 124 by its distance from the median. The first is not
/// the standard's: a median of 144, which interpolation can make, takes the lag of 20 there, and the reference finds
/// nothing.
static LAG_WEIGHTS: [i16; 252] = [
    0, 20473, 20506, 20539, 20572, 20605, 20644, 20677, 20716, 20749, 20788, 20821, 20860, 20893, 20932,
    20972, 21011, 21050, 21089, 21129, 21168, 21207, 21247, 21286, 21332, 21371, 21417, 21456, 21502, 21542,
    21588, 21633, 21679, 21725, 21771, 21817, 21863, 21909, 21961, 22007, 22059, 22105, 22158, 22210, 22263,
    22315, 22367, 22420, 22472, 22531, 22584, 22643, 22702, 22761, 22820, 22879, 22938, 23003, 23062, 23128,
    23193, 23252, 23324, 23390, 23455, 23527, 23600, 23665, 23744, 23816, 23888, 23967, 24045, 24124, 24202,
    24288, 24366, 24451, 24537, 24628, 24714, 24805, 24904, 24995, 25094, 25192, 25297, 25395, 25500, 25611,
    25723, 25834, 25952, 26070, 26188, 26313, 26444, 26575, 26706, 26844, 26988, 27132, 27283, 27440, 27597,
    27761, 27931, 28108, 28285, 28475, 28665, 28869, 29078, 29295, 29524, 29760, 30002, 30258, 30527, 30808,
    31457, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 31457, 30808, 30527, 30258, 30002, 29760, 29524,
    29295, 29078, 28869, 28665, 28475, 28285, 28108, 27931, 27761, 27597, 27440, 27283, 27132, 26988, 26844,
    26706, 26575, 26444, 26313, 26188, 26070, 25952, 25834, 25723, 25611, 25500, 25395, 25297, 25192, 25094,
    24995, 24904, 24805, 24714, 24628, 24537, 24451, 24366, 24288, 24202, 24124, 24045, 23967, 23888, 23816,
    23744, 23665, 23600, 23527, 23455, 23390, 23324, 23252, 23193, 23128, 23062, 23003, 22938, 22879, 22820,
    22761, 22702, 22643, 22584, 22531, 22472, 22420, 22367, 22315, 22263, 22210, 22158, 22105, 22059, 22007,
    21961, 21909, 21863, 21817, 21771, 21725, 21679, 21633, 21588, 21542, 21502, 21456, 21417, 21371, 21332,
    21286, 21247, 21207, 21168, 21129, 21089, 21050, 21011, 20972, 20932, 20893, 20860, 20821, 20788, 20749,
    20716, 20677, 20644, 20605, 20572, 20539, 20506, 20473, 20434, 20401, 20369, 20336,
];
