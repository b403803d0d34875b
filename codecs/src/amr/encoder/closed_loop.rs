//! Closed-loop pitch search (3GPP TS 26.090 §5.6.1): the lag, to a third or a sixth of a sample, at which the past
//! excitation comes nearest to the target.
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the range of lags searched")]

use super::super::filter::{EXCITATION_PAST, Fraction};
use super::super::{Mode, SUBFRAME};
use super::open_loop::LONGEST;
use super::operators::{convolve, dot, part};
use crate::fixed::mpy_32;
use crate::fixed_math::inv_sqrt;

/// A lag: whole samples and fraction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lag {
    pub(super) whole: i16,
    pub(super) fraction: Fraction,
}

/// How a mode's lags are searched and coded.
struct Resolution {
    /// Below this there are fractions in the subframes whose lag is coded by itself.
    longest_fractional: i16,
    sixths: bool,
    shortest: i16,
    /// Around the open-loop lag: how far below it, and how many lags above that.
    around_open: (i16, i16),
    /// Around the lag of the subframe before.
    around_last: (i16, i16),
    /// Differences take four bits: fractions in the middle only.
    narrow: bool,
}

impl Resolution {
    const fn of(mode: Mode) -> Self {
        let thirds = Self {
            longest_fractional: 84,
            sixths: false,
            shortest: 20,
            around_open: (3, 6),
            around_last: (5, 9),
            narrow: false,
        };
        match mode {
            Mode::Mr475 | Mode::Mr515 => Self { around_open: (5, 10), narrow: true, ..thirds },
            Mode::Mr590 | Mode::Mr670 => Self { narrow: true, ..thirds },
            Mode::Mr795 => Self { around_last: (10, 19), ..thirds },
            Mode::Mr740 | Mode::Mr1020 => thirds,
            Mode::Mr1220 => Self { longest_fractional: 94, sixths: true, shortest: 18, ..thirds },
        }
    }
}

/// Whole lags to search, both ends included.
#[derive(Clone, Copy)]
struct Range {
    first: i16,
    last: i16,
}

impl Range {
    fn around(lag: i16, (below, span): (i16, i16), shortest: i16) -> Self {
        let first = (lag - below).max(shortest).min(LONGEST as i16 - span);
        Self { first, last: first + span }
    }

    /// The lag around which narrow differences have their fractions: the last one, drawn into the range.
    fn centre(self, last: i16) -> i16 {
        last.min(self.first + 5).max(self.last - 4)
    }
}

/// The search's memory: the whole lag of the subframe before.
#[derive(Clone, Debug)]
pub(super) struct ClosedLoop {
    last: i16,
}

impl ClosedLoop {
    pub(super) const fn new() -> Self {
        Self { last: 0 }
    }

    /// The lag of a subframe and its code. `excitation` has [`EXCITATION_PAST`] past samples and then the residual in
    /// place of the subframe's excitation; `impulse` is the response of the weighted synthesis filter.
    pub(super) fn search(
        &mut self,
        mode: Mode,
        subframe: usize,
        open: [usize; 2],
        excitation: &[i16; EXCITATION_PAST + SUBFRAME],
        target: &[i16; SUBFRAME],
        impulse: &[i16; SUBFRAME],
    ) -> (Lag, i16) {
        let resolution = Resolution::of(mode);
        let whole_frame = matches!(mode, Mode::Mr475 | Mode::Mr515);
        let by_itself = subframe == 0 || subframe == 2 && !whole_frame;
        let range = if by_itself {
            Range::around(open[subframe / 2] as i16, resolution.around_open, resolution.shortest)
        } else {
            Range::around(self.last, resolution.around_last, resolution.shortest)
        };
        let correlations = Correlations::new(range, excitation, target, impulse);

        let whole = correlations.best(range);
        let limit = if resolution.sixths { 3 } else { 2 };
        let (first, last) = if by_itself && whole > resolution.longest_fractional {
            (0, 0)
        } else if !by_itself && resolution.narrow {
            match whole - range.centre(self.last) {
                -1 | 0 => (-limit, limit),
                -2 => (0, limit),
                1 => (-limit, 0),
                _ => (0, 0),
            }
        } else {
            (-limit, limit)
        };
        let fraction = correlations.best_fraction(whole, first, last, resolution.sixths);
        // The ends of the range of fractions belong to the neighbours.
        let (whole, fraction) = match (resolution.sixths, fraction) {
            (_, _) if first == last => (whole, fraction),
            (true, -3) => (whole - 1, 3),
            (false, -2) => (whole - 1, 1),
            (false, 2) => (whole + 1, -1),
            _ => (whole, fraction),
        };
        let code = match (by_itself, resolution.sixths) {
            (true, true) if whole <= 94 => whole * 6 - 105 + fraction,
            (true, true) => whole + 368,
            (true, false) if whole <= 85 => whole * 3 - 58 + fraction,
            (true, false) => whole + 112,
            (false, true) => (whole - range.first) * 6 + 3 + fraction,
            (false, false) if resolution.narrow => narrow_code(whole, fraction, range.centre(self.last)),
            (false, false) => (whole - range.first) * 3 + 2 + fraction,
        };
        self.last = whole;
        let fraction = if resolution.sixths { Fraction::Sixth(fraction) } else { Fraction::Third(fraction) };
        (Lag { whole, fraction }, code)
    }
}

/// Four bits: whole lags, but thirds from two below the centre to one above it.
fn narrow_code(whole: i16, fraction: i16, centre: i16) -> i16 {
    let thirds = 3 * whole + fraction;
    if thirds <= 3 * (centre - 2) {
        whole - centre + 5
    } else if thirds < 3 * (centre + 1) {
        thirds - 3 * (centre - 2) + 3
    } else {
        whole - centre + 11
    }
}

/// Lags on either side of the range that interpolation looks at.
const MARGIN: i16 = 4;

/// Normalised correlations of target and filtered past excitation, from [`MARGIN`] lags below the range to as many above.
struct Correlations {
    first: i16,
    values: [i16; 40],
}

impl Correlations {
    fn new(
        range: Range,
        excitation: &[i16; EXCITATION_PAST + SUBFRAME],
        target: &[i16; SUBFRAME],
        impulse: &[i16; SUBFRAME],
    ) -> Self {
        let first = range.first - MARGIN;
        let count = (range.last + MARGIN - first + 1) as usize;
        let start = EXCITATION_PAST - first as usize;
        let mut filtered = convolve(part(excitation, start), impulse);
        // Scaled down by four if the energy asks for it.
        let large = dot(&filtered, &filtered) > 67_108_864 >> 1;
        if large {
            for x in &mut filtered {
                *x >>= 2;
            }
        }

        let mut values = [0; 40];
        for (back, value) in values.iter_mut().take(count).enumerate() {
            if back > 0 {
                let newest = excitation[start - back];
                filtered = if large {
                    next::<14, 2>(&filtered, newest, impulse)
                } else {
                    next::<12, 0>(&filtered, newest, impulse)
                };
            }
            let root = inv_sqrt(dot(&filtered, &filtered).wrapping_shl(1));
            let product = dot(target, &filtered);
            let high = (product >> 15) as i16;
            let low = product.wrapping_sub(i32::from(high) << 15) as i16;
            let (root_high, root_low) = crate::fixed::l_extract(root);
            *value = mpy_32(high, low, root_high, root_low) as i16;
        }
        Self { first, values }
    }

    fn at(&self, lag: i16) -> i16 {
        self.values[(lag - self.first) as usize]
    }

    /// The longest of the best whole lags.
    fn best(&self, range: Range) -> i16 {
        let mut best = range.first;
        for lag in range.first + 1..=range.last {
            if self.at(lag) >= self.at(best) {
                best = lag;
            }
        }
        best
    }

    /// The first of the best fractions.
    fn best_fraction(&self, lag: i16, first: i16, last: i16, sixths: bool) -> i16 {
        if first == last {
            return first;
        }
        let mut best = (self.interpolated(lag, first, sixths), first);
        for fraction in first + 1..=last {
            let value = self.interpolated(lag, fraction, sixths);
            if value > best.0 {
                best = (value, fraction);
            }
        }
        best.1
    }

    /// The correlation between whole lags.
    fn interpolated(&self, mut lag: i16, fraction: i16, sixths: bool) -> i16 {
        let mut phase = if sixths { fraction } else { 2 * fraction };
        if phase < 0 {
            phase += 6;
            lag -= 1;
        }
        let (phase, centre) = (phase as usize, (lag - self.first) as usize);
        let mut sum = 0x4000i32;
        for i in 0..MARGIN as usize {
            let (below, above) = (self.values[centre - i], self.values[centre + 1 + i]);
            sum = sum.wrapping_add(i32::from(below) * i32::from(INTERPOLATION[phase + 6 * i]));
            sum = sum.wrapping_add(i32::from(above) * i32::from(INTERPOLATION[6 - phase + 6 * i]));
        }
        (sum >> 15) as i16
    }
}

/// The filtered excitation at a lag one longer: one more past sample goes in.
#[inline(always)]
fn next<const SHIFT: u32, const SCALE: u32>(
    filtered: &[i16; SUBFRAME],
    newest: i16,
    impulse: &[i16; SUBFRAME],
) -> [i16; SUBFRAME] {
    let mut next = [0; SUBFRAME];
    next[0] = newest >> SCALE;
    for ((next, past), h) in next[1..].iter_mut().zip(filtered).zip(&impulse[1..]) {
        *next = past.wrapping_add(((i32::from(newest) * i32::from(*h)) >> SHIFT) as i16);
    }
    next
}

/// One side of the filter that interpolates correlations, six phases a lag, Q15.
const INTERPOLATION: [i16; 25] = [
    29519, 28316, 24906, 19838, 13896, 7945, 2755, -1127, -3459, -4304, -3969, -2899, -1561, -336, 534, 970,
    1023, 823, 516, 220, 0, -131, -194, -215, 0,
];
