//! Line spectral frequencies and pairs, and the way to filter coefficients (3GPP TS 26.090 §5.2.3 to §5.2.6).
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by the filter order or masked")]

use super::ORDER;
use super::tables::lsf::{ARC_COSINE_SLOPE, COSINE};

/// Line spectral frequencies, 0..=16384 for 0..=4000 Hz.
pub(crate) type Lsf = [i16; ORDER];
/// Line spectral pairs: their cosines, Q15.
pub(crate) type Lsp = [i16; ORDER];
/// Coefficients of the linear prediction, Q12; the first is 1.
pub(crate) type Lpc = [i16; ORDER + 1];

/// The least distance between two lines: 50 Hz.
pub(crate) const LSF_GAP: i16 = 205;

/// Pushes lines up until each is [`LSF_GAP`] above the one before it.
pub(crate) fn spread(lsf: &mut Lsf) {
    let mut least = LSF_GAP;
    for line in lsf {
        *line = (*line).max(least);
        least = line.wrapping_add(LSF_GAP);
    }
}

/// Frequencies to pairs.
pub(crate) fn lsf_to_lsp(lsf: &Lsf) -> Lsp {
    lsf.map(|line| {
        let step = ((line >> 8) as usize).min(COSINE.len() - 2);
        let rise = i32::from(COSINE[step + 1]) - i32::from(COSINE[step]);
        COSINE[step].wrapping_add(((rise * i32::from(line & 0xFF)) >> 8) as i16)
    })
}

/// Pairs to frequencies. The pairs must fall.
pub(crate) fn lsp_to_lsf(lsp: &Lsp) -> Lsf {
    let mut lsf = [0; ORDER];
    let mut step = COSINE.len() - 2;
    for (line, pair) in lsf.iter_mut().zip(lsp).rev() {
        while step > 0 && COSINE[step] < *pair {
            step -= 1;
        }
        let above = i32::from(*pair) - i32::from(COSINE[step]);
        let offset = (above.wrapping_mul(i32::from(ARC_COSINE_SLOPE[step])) + 0x800) >> 12;
        *line = (offset as i16).wrapping_add((step << 8) as i16);
    }
    lsf
}

/// Pairs to filter coefficients (§5.2.4).
pub(crate) fn lsp_to_lpc(lsp: &Lsp) -> Lpc {
    let mut sum = polynomial([lsp[0], lsp[2], lsp[4], lsp[6], lsp[8]]);
    let mut difference = polynomial([lsp[1], lsp[3], lsp[5], lsp[7], lsp[9]]);
    for i in (1..6).rev() {
        sum[i] = sum[i].wrapping_add(sum[i - 1]);
        difference[i] = difference[i].wrapping_sub(difference[i - 1]);
    }
    let mut lpc = [0; ORDER + 1];
    lpc[0] = 4096;
    for i in 1..6 {
        // Q24 to Q12, and half of each polynomial.
        lpc[i] = (sum[i].wrapping_add(difference[i]).wrapping_add(1 << 12) >> 13) as i16;
        lpc[11 - i] = (sum[i].wrapping_sub(difference[i]).wrapping_add(1 << 12) >> 13) as i16;
    }
    lpc
}

/// The product of `1 - 2 p z^-1 + z^-2` over five pairs, Q24; it is symmetric, so half of it is enough.
fn polynomial(pairs: [i16; 5]) -> [i32; 6] {
    let mut f = [0i32; 6];
    f[0] = 1 << 24;
    f[1] = -i32::from(pairs[0]) << 10;
    for i in 2..6 {
        let pair = i32::from(pairs[i - 1]);
        f[i] = f[i - 2];
        for k in (2..=i).rev() {
            let (high, low) = (f[k - 1] >> 16, (f[k - 1] >> 1) & 0x7FFF);
            let product = (high * pair).wrapping_add((low * pair) >> 15);
            f[k] = f[k].wrapping_add(f[k - 2]).wrapping_sub(product << 2);
        }
        f[1] = f[1].wrapping_sub(pair << 10);
    }
    f
}

/// The pairs of the four subframes between two frames, at a quarter, a half, three quarters (all modes but 12.2).
pub(crate) fn interpolate_by_quarters(old: &Lsp, new: &Lsp) -> [Lsp; 4] {
    let mut subframes = [*new; 4];
    for i in 0..ORDER {
        subframes[0][i] = old[i] - (old[i] >> 2) + (new[i] >> 2);
        subframes[1][i] = (old[i] >> 1) + (new[i] >> 1);
        subframes[2][i] = new[i] - (new[i] >> 2) + (old[i] >> 2);
    }
    subframes
}

/// The pairs of the four subframes in mode 12.2, which codes those of the second (`middle`) and the fourth (`new`).
pub(crate) fn interpolate_by_halves(old: &Lsp, middle: &Lsp, new: &Lsp) -> [Lsp; 4] {
    let mut subframes = [*middle, *middle, *new, *new];
    for i in 0..ORDER {
        subframes[0][i] = (old[i] >> 1) + (middle[i] >> 1);
        subframes[2][i] = (middle[i] >> 1) + (new[i] >> 1);
    }
    subframes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amr::tables::lsf::INITIAL_LSP;

    #[test]
    fn frequencies_and_pairs_are_inverse_within_the_table_error() {
        let lsf = lsp_to_lsf(&INITIAL_LSP);
        for (back, pair) in lsf_to_lsp(&lsf).iter().zip(INITIAL_LSP) {
            assert!((back - pair).abs() < 64, "{back} {pair}");
        }
    }

    #[test]
    fn lines_keep_their_distance() {
        let mut lsf = [500, 400, 700, 5000, 5001, 6000, 7000, 8000, 9000, 9100];
        spread(&mut lsf);
        assert_eq!(lsf, [500, 705, 910, 5000, 5205, 6000, 7000, 8000, 9000, 9205]);
    }

    #[test]
    fn any_pairs_give_some_filter() {
        for value in [i16::MIN, -1, 0, i16::MAX] {
            assert_eq!(lsp_to_lpc(&[value; ORDER])[0], 4096);
        }
        assert_eq!(lsf_to_lsp(&[i16::MAX; ORDER])[0], -32768);
    }
}
