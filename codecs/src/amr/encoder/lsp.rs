//! From filter coefficients to line spectral pairs (3GPP TS 26.090 §5.2.3): the roots of two polynomials on the unit
//! circle, found by sign changes along a grid.
#![expect(
    clippy::indexing_slicing,
    reason = "fixed arrays, indices bounded by the grid and the filter order"
)]

use super::super::ORDER;
use super::super::lsp::{Lpc, Lsp};
use super::operators::shl16;
use crate::fixed::{abs_s, div_s, norm_s};

/// Half of a symmetric polynomial of order ten, Q10; the first coefficient is 1.
type Polynomial = [i16; 6];

/// The line spectral pairs of a filter, or `last` if they cannot be found.
pub(super) fn lpc_to_lsp(lpc: &Lpc, last: &Lsp) -> Lsp {
    let polynomials = sum_and_difference(lpc);
    let mut lsp = [0; ORDER];
    let mut found = 0;

    let (mut low, mut at_low) = (GRID[0], evaluate(&polynomials[0], GRID[0]));
    for next in &GRID[1..] {
        // The roots of the two polynomials take turns.
        let polynomial = &polynomials[found % 2];
        let (high, at_high) = (low, at_low);
        (low, at_low) = (*next, evaluate(polynomial, *next));
        if opposite(at_low, at_high) {
            let root = root(polynomial, (low, at_low), (high, at_high));
            lsp[found] = root;
            found += 1;
            if found == ORDER {
                return lsp;
            }
            (low, at_low) = (root, evaluate(&polynomials[found % 2], root));
        }
    }
    *last
}

/// The sum and the difference filter without their roots at ±1.
fn sum_and_difference(lpc: &Lpc) -> [Polynomial; 2] {
    let (mut sum, mut difference) = ([1024i16; 6], [1024i16; 6]);
    for i in 0..5 {
        let (left, right) = (i32::from(lpc[i + 1]), i32::from(lpc[ORDER - i]));
        sum[i + 1] = (((left + right) >> 2) as i16).wrapping_sub(sum[i]);
        difference[i + 1] = (((left - right) >> 2) as i16).wrapping_add(difference[i]);
    }
    [sum, difference]
}

/// The polynomial at cosine `x` as a Chebyshev series, Q14.
#[inline(always)]
fn evaluate(f: &Polynomial, x: i16) -> i16 {
    let x = i32::from(x);
    let mut older = 0x0100_0000;
    let mut newer = (x << 10) + (i32::from(f[1]) << 14);
    for coefficient in &f[2..5] {
        let next =
            times(newer, x).wrapping_shl(2).wrapping_sub(older).wrapping_add(i32::from(*coefficient) << 14);
        // The reference keeps them in two halves and drops the lowest bit.
        (older, newer) = (newer & !1, next);
    }
    let sum = times(newer, x).wrapping_shl(1).wrapping_sub(older).wrapping_add(i32::from(f[5]) << 13);
    // The reference takes the one sum that is a hair below the positive limit for a negative overflow.
    if sum == 0x01FF_FFFF { i16::MIN } else { (sum >> 10).clamp(-32768, 32767) as i16 }
}

/// Q15 product of a number in double precision format, half as great.
#[inline(always)]
fn times(value: i32, x: i32) -> i32 {
    ((value >> 16) * x).wrapping_add((((value & 0xFFFE) >> 1) * x) >> 15)
}

#[inline(always)]
fn opposite(a: i16, b: i16) -> bool {
    i32::from(a) * i32::from(b) <= 0
}

/// The root between two points: four halvings, then a straight line.
fn root(polynomial: &Polynomial, mut low: (i16, i16), mut high: (i16, i16)) -> i16 {
    for _ in 0..4 {
        let middle = (low.0 >> 1) + (high.0 >> 1);
        let at_middle = evaluate(polynomial, middle);
        if opposite(low.1, at_middle) {
            high = (middle, at_middle);
        } else {
            low = (middle, at_middle);
        }
    }
    let width = i32::from(high.0.wrapping_sub(low.0));
    let rise = high.1.wrapping_sub(low.1);
    if rise == 0 {
        return low.0;
    }
    let magnitude = abs_s(rise);
    let shift = i32::from(norm_s(magnitude));
    let inverse = div_s(16383, shl16(magnitude, shift));
    let slope = ((width * i32::from(inverse)) >> (19 - shift)) as i16;
    let slope = if rise < 0 { slope.wrapping_neg() } else { slope };
    i32::from(low.0).wrapping_sub((i32::from(low.1) * i32::from(slope)) >> 10) as i16
}

/// Cosines of 61 points around half the circle.
const GRID: [i16; 61] = [
    32760, 32723, 32588, 32364, 32051, 31651, 31164, 30591, 29935, 29196, 28377, 27481, 26509, 25465, 24351,
    23170, 21926, 20621, 19260, 17846, 16384, 14876, 13327, 11743, 10125, 8480, 6812, 5126, 3425, 1714, 0,
    -1714, -3425, -5126, -6812, -8480, -10125, -11743, -13327, -14876, -16384, -17846, -19260, -20621,
    -21926, -23170, -24351, -25465, -26509, -27481, -28377, -29196, -29935, -30591, -31164, -31651, -32051,
    -32364, -32588, -32723, -32760,
];
