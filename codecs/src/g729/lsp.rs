//! Line spectral pairs (§3.2.3, §3.2.5, §3.2.6): from the filter, to the filter, and to frequencies.
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the order and the tables")]

use super::tables::{ARCCOSINE_SLOPE, COSINE, LSF_ARCCOSINE_SLOPE, LSF_COSINE, LSF_COSINE_SLOPE, ROOT_GRID};
use super::vector::{each, mapped, scale};
use super::{Lpc, Lsp, ORDER};
use crate::fixed::{
    abs_s, add, div_s, extract_h, extract_l, l_add, l_extract, l_mac, l_msu, l_mult, l_shl, l_shr, l_shr_r,
    l_sub, mpy_32_16, mult, negate, norm_s, round, saturate, shl, shr, sub,
};

const HALF: usize = ORDER / 2;

/// The roots of the sum and difference polynomials; `previous` if not all ten are found.
pub(super) fn from_lpc(lpc: &Lpc, previous: &Lsp) -> Lsp {
    let polynomials = Polynomials::of(lpc);
    let values = [polynomials.grid_values(0), polynomials.grid_values(1)];
    let mut lsp = [0; ORDER];
    let mut found = 0;
    let mut low = (ROOT_GRID[0], values[0][0]);
    for (index, &point) in ROOT_GRID.iter().enumerate().skip(1) {
        let high = low;
        low = (point, values[found & 1][index]);
        if changes_sign(low.1, high.1) {
            let root = polynomials.root(found & 1, low, high);
            lsp[found] = root;
            found += 1;
            if found == ORDER {
                return lsp;
            }
            low = (root, polynomials.value(found & 1, root));
        }
    }
    *previous
}

fn changes_sign(a: i16, b: i16) -> bool {
    i32::from(a) * i32::from(b) <= 0
}

/// The two polynomials, whose roots alternate, in Q11 or (if that overflows) Q10.
struct Polynomials {
    coefficients: [[i16; HALF + 1]; 2],
    q: Q,
    /// The coefficients and 1 as the recursion adds them.
    scaled: [[i64; HALF + 1]; 2],
    one: i64,
}

#[derive(Clone, Copy)]
enum Q {
    Eleven,
    Ten,
}

impl Polynomials {
    fn of(lpc: &Lpc) -> Self {
        match Self::shifted(lpc, 1, |value| i16::try_from(value).ok()) {
            Some(coefficients) => Self::new(coefficients, Q::Eleven),
            None => {
                let coefficients = Self::shifted(lpc, 2, |value| Some(saturate(value)));
                Self::new(coefficients.unwrap_or([[0; HALF + 1]; 2]), Q::Ten)
            }
        }
    }

    fn new(coefficients: [[i16; HALF + 1]; 2], q: Q) -> Self {
        let one = match q {
            Q::Eleven => 1 << 24,
            Q::Ten => 1 << 23,
        };
        let scaled = coefficients.map(|row| mapped(&row, |value| i64::from(value) << 13));
        Self { coefficients, q, scaled, one }
    }

    fn shifted(lpc: &Lpc, shift: u32, narrow: impl Fn(i32) -> Option<i16>) -> Option<[[i16; HALF + 1]; 2]> {
        let mut sum = [4096 >> shift; HALF + 1];
        let mut difference = sum;
        for i in 0..HALF {
            let (a, b) = (i32::from(lpc[i + 1]), i32::from(lpc[ORDER - i]));
            sum[i + 1] = narrow(((a + b) >> shift) - i32::from(sum[i]))?;
            difference[i + 1] = narrow(((a - b) >> shift) + i32::from(difference[i]))?;
        }
        Some([sum, difference])
    }

    /// Clenshaw's recursion for the Chebyshev series at x = cos ω.
    #[inline]
    fn value(&self, which: usize, x: i16) -> i16 {
        let f = &self.scaled[which];
        let fold = |older: i64, newer: i64, coefficient: i64| {
            2 * i64::from(scale(newer as i32, x)) + (coefficient - (older & !1))
        };
        let b1 = ((self.one * i64::from(x)) >> 14) + f[1];
        let b2 = fold(self.one, b1, f[2]);
        let b3 = fold(b1, b2, f[3]);
        let b4 = fold(b2, b3, f[4]);
        // Below 2^29 none of the recursion's steps can saturate.
        let small = |b: i64| (b + (1 << 29)) as u64 >> 30 == 0;
        if !(small(b1) & small(b2) & small(b3) & small(b4)) {
            return self.saturating_value(which, x);
        }
        let last = i64::from(scale(b4 as i32, x)) + ((f[5] >> 1) - (b3 & !1));
        extract_h(l_shl(last as i32, self.last_shift()))
    }

    /// The values at all points of the grid.
    fn grid_values(&self, which: usize) -> [i16; ROOT_GRID.len()] {
        let mut values = [0; ROOT_GRID.len()];
        let coefficients = &mapped(&self.coefficients[which], i32::from);
        if !plain_grid_values(&mut values, coefficients, self.one as i32, 16 - self.last_shift()) {
            values = mapped(&ROOT_GRID, |x| self.value(which, x));
        }
        values
    }

    fn last_shift(&self) -> i16 {
        match self.q {
            Q::Eleven => 6,
            Q::Ten => 7,
        }
    }

    #[cold]
    #[inline(never)]
    fn saturating_value(&self, which: usize, x: i16) -> i16 {
        let f = &self.coefficients[which];
        let (mut older, first) = match self.q {
            Q::Eleven => ((256, 0), 512),
            Q::Ten => ((128, 0), 256),
        };
        let mut newer = l_extract(l_mac(l_mult(x, first), f[1], 4096));
        for &coefficient in &f[2..HALF] {
            let mut sum = l_shl(mpy_32_16(newer.0, newer.1, x), 1);
            sum = l_msu(l_mac(sum, older.0, i16::MIN), older.1, 1);
            (older, newer) = (newer, l_extract(l_mac(sum, coefficient, 4096)));
        }
        let mut sum = mpy_32_16(newer.0, newer.1, x);
        sum = l_msu(l_mac(sum, older.0, i16::MIN), older.1, 1);
        extract_h(l_shl(l_mac(sum, f[HALF], 2048), self.last_shift()))
    }

    /// The root between two points: two bisections, then linear interpolation.
    fn root(&self, which: usize, mut low: (i16, i16), mut high: (i16, i16)) -> i16 {
        for _ in 0..2 {
            let x = add(shr(low.0, 1), shr(high.0, 1));
            let middle = (x, self.value(which, x));
            if changes_sign(low.1, middle.1) {
                high = middle;
            } else {
                low = middle;
            }
        }
        let width = sub(high.0, low.0);
        let rise = sub(high.1, low.1);
        if rise == 0 {
            return low.0;
        }
        let magnitude = abs_s(rise);
        let shift = norm_s(magnitude);
        let inverse = div_s(16_383, shl(magnitude, shift));
        let slope = extract_l(l_shr(l_mult(width, inverse), sub(20, shift)));
        let slope = if rise < 0 { negate(slope) } else { slope };
        sub(low.0, extract_l(l_shr(l_mult(low.1, slope), 11)))
    }
}

/// [`Polynomials::value`] at all points of the grid, four or eight at once. Gives up if anything might saturate.
#[inline(never)]
fn plain_grid_values(
    values: &mut [i16; ROOT_GRID.len()],
    f: &[i32; HALF + 1],
    one: i32,
    last_shift: i16,
) -> bool {
    let mut high_bits = 0;
    for (value, &x) in values.iter_mut().zip(&ROOT_GRID) {
        let x = i32::from(x);
        // `scale` in 32 bits, of numbers below 2^29.
        let scaled = |b: i32| {
            let (high, low) = ((b >> 16) as i16, ((b >> 1) & 0x7fff) as i16);
            2 * (i32::from(high) * x).wrapping_add((i32::from(low) * x) >> 15)
        };
        let fold = |older: i32, newer: i32, coefficient: i32| {
            (2 * scaled(newer)).wrapping_add((coefficient << 13).wrapping_sub(older & !1))
        };
        let b1 = (x << (one.trailing_zeros() - 14)) + (f[1] << 13);
        let b2 = fold(one, b1, f[2]);
        let b3 = fold(b1, b2, f[3]);
        let b4 = fold(b2, b3, f[4]);
        for b in [b1, b2, b3, b4] {
            high_bits |= b.wrapping_add(1 << 29);
        }
        let last = scaled(b4).wrapping_add((f[5] << 12).wrapping_sub(b3 & !1));
        *value = saturate(last >> last_shift);
    }
    high_bits as u32 >> 30 == 0
}

/// The filter of these pairs.
pub(super) fn to_lpc(lsp: &Lsp) -> Lpc {
    let mut sum = polynomial([lsp[0], lsp[2], lsp[4], lsp[6], lsp[8]]);
    let mut difference = polynomial([lsp[1], lsp[3], lsp[5], lsp[7], lsp[9]]);
    for i in (1..=HALF).rev() {
        sum[i] = l_add(sum[i], sum[i - 1]);
        difference[i] = l_sub(difference[i], difference[i - 1]);
    }
    let mut lpc = [4096; ORDER + 1];
    for i in 1..=HALF {
        lpc[i] = extract_l(l_shr_r(l_add(sum[i], difference[i]), 13));
        lpc[ORDER + 1 - i] = extract_l(l_shr_r(l_sub(sum[i], difference[i]), 13));
    }
    lpc
}

/// Product of `1 - 2·x·z⁻¹ + z⁻²` over five pairs, Q24; the first half of its coefficients.
fn polynomial(roots: [i16; HALF]) -> [i32; HALF + 1] {
    let mut f = [0; HALF + 1];
    f[0] = 1 << 24;
    f[1] = l_msu(0, roots[0], 512);
    for (i, &root) in roots.iter().enumerate().skip(1) {
        f[i + 1] = f[i - 1];
        for j in (2..=i + 1).rev() {
            let (high, low) = l_extract(f[j - 1]);
            let middle = l_shl(mpy_32_16(high, low, root), 1);
            f[j] = l_sub(l_add(f[j], f[j - 2]), middle);
        }
        f[1] = l_msu(f[1], root, 512);
    }
    f
}

/// Filters of both subframes: the first from the middle between the last frame's pairs and this one's.
pub(super) fn interpolated_lpc(previous: &Lsp, current: &Lsp) -> [Lpc; 2] {
    let middle = each(|i| (current[i] >> 1) + (previous[i] >> 1));
    [to_lpc(&middle), to_lpc(current)]
}

/// Frequencies as fractions of half the sample rate, Q15: what the voice activity detector compares.
pub(super) fn to_normalised_frequencies(lsp: &Lsp) -> Lsp {
    let mut index = 63;
    let mut frequencies = [0; ORDER];
    for (frequency, &lsp) in frequencies.iter_mut().zip(lsp).rev() {
        while index > 0 && COSINE[index] < lsp {
            index -= 1;
        }
        let offset = l_mult(sub(lsp, COSINE[index]), ARCCOSINE_SLOPE[index]);
        *frequency = add(round(l_shl(offset, 3)), (index as i16) << 8);
    }
    frequencies
}

/// Frequencies in radians, Q13.
pub(super) fn to_lsf(lsp: &Lsp) -> Lsp {
    let mut index = 63;
    let mut frequencies = [0; ORDER];
    for (frequency, &lsp) in frequencies.iter_mut().zip(lsp).rev() {
        while index > 0 && LSF_COSINE[index] < lsp {
            index -= 1;
        }
        let offset = l_mult(LSF_ARCCOSINE_SLOPE[index], sub(lsp, LSF_COSINE[index]));
        let scaled = add((index as i16) << 9, extract_l(l_shr(offset, 12)));
        *frequency = mult(scaled, 25_736);
    }
    frequencies
}

/// The pairs of frequencies in radians, Q13.
pub(super) fn from_lsf(lsf: &Lsp) -> Lsp {
    mapped(lsf, |frequency| {
        let scaled = mult(frequency, 20_861);
        let index = (scaled >> 8).clamp(0, 63) as usize;
        let offset = l_mult(LSF_COSINE_SLOPE[index], scaled & 0xff);
        add(LSF_COSINE[index], extract_l(l_shr(offset, 13)))
    })
}
