//! Square root with an exponent, by table.

use crate::fixed::{l_msu, norm_l};

/// The square root of `value`, Q31, normalised, and twice the shift that undoes the normalisation.
pub(crate) fn sqrt(value: i32) -> (i32, i16) {
    if value <= 0 {
        return (0, 0);
    }
    let exponent = norm_l(value) & !1;
    let normal = value << exponent;
    let step = ((normal >> 25) as usize).saturating_sub(16).min(SQRT.len() - 2);
    let (Some(&here), Some(&next)) = (SQRT.get(step), SQRT.get(step + 1)) else { return (0, 0) };
    (l_msu(i32::from(here) << 16, here - next, (normal >> 10 & 0x7FFF) as i16), exponent)
}

const SQRT: [i16; 50] = [
    16384, 16888, 17378, 17854, 18318, 18770, 19212, 19644, 20066, 20480, 20886, 21283, 21674, 22058, 22435,
    22806, 23170, 23530, 23884, 24232, 24576, 24915, 25249, 25580, 25905, 26227, 26545, 26859, 27170, 27477,
    27780, 28081, 28378, 28672, 28963, 29251, 29537, 29819, 30099, 30377, 30652, 30924, 31194, 31462, 31727,
    31991, 32252, 32511, 32767, 32767,
];
