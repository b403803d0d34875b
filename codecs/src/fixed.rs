//! The basic operators of ITU-T G.191 and ETSI: saturating 16- and 32-bit fractional arithmetic.
//!
//! The fixed-point standards are defined by them, saturation included. Fractions are Q15 and Q31; a product of
//! two Q15 numbers is shifted left by one to become Q31.

#![allow(dead_code, reason = "each codec uses its own part")]

#[inline(always)]
pub(crate) const fn saturate(value: i32) -> i16 {
    if value > i16::MAX as i32 {
        i16::MAX
    } else if value < i16::MIN as i32 {
        i16::MIN
    } else {
        value as i16
    }
}

#[inline(always)]
pub(crate) const fn add(a: i16, b: i16) -> i16 {
    a.saturating_add(b)
}

#[inline(always)]
pub(crate) const fn sub(a: i16, b: i16) -> i16 {
    a.saturating_sub(b)
}

#[inline(always)]
pub(crate) const fn abs_s(a: i16) -> i16 {
    a.saturating_abs()
}

#[inline(always)]
pub(crate) const fn negate(a: i16) -> i16 {
    a.saturating_neg()
}

/// Q15 product, truncated.
#[inline(always)]
pub(crate) const fn mult(a: i16, b: i16) -> i16 {
    saturate((a as i32 * b as i32) >> 15)
}

/// Q15 product, rounded.
#[inline(always)]
pub(crate) const fn mult_r(a: i16, b: i16) -> i16 {
    saturate((a as i32 * b as i32 + 0x4000) >> 15)
}

/// Shift left; a negative count shifts right.
#[inline(always)]
pub(crate) const fn shl(a: i16, count: i16) -> i16 {
    if count < 0 {
        return shr(a, count.saturating_neg());
    }
    if count > 15 {
        return if a == 0 { 0 } else { saturate((a as i32) << 16) };
    }
    saturate((a as i32) << count)
}

/// Arithmetic shift right; a negative count shifts left.
#[inline(always)]
pub(crate) const fn shr(a: i16, count: i16) -> i16 {
    if count < 0 {
        return shl(a, count.saturating_neg());
    }
    a >> (if count > 15 { 15 } else { count })
}

/// Shift right with rounding.
#[inline(always)]
pub(crate) const fn shr_r(a: i16, count: i16) -> i16 {
    if count > 15 {
        return 0;
    }
    let shifted = shr(a, count);
    if count > 0 && (a >> (count - 1)) & 1 != 0 { shifted + 1 } else { shifted }
}

/// Q15 quotient of `0 <= a <= b`, `b > 0`; 0 for anything else.
#[inline(always)]
pub(crate) const fn div_s(a: i16, b: i16) -> i16 {
    if a < 0 || b <= 0 || a > b {
        return 0;
    }
    if a == b {
        return i16::MAX;
    }
    (((a as i32) << 15) / b as i32) as i16
}

/// Shifts left that normalise; 0 for 0.
#[inline(always)]
pub(crate) const fn norm_s(a: i16) -> i16 {
    if a == 0 {
        return 0;
    }
    (a ^ (a >> 15)).leading_zeros() as i16 - 1
}

#[inline(always)]
pub(crate) const fn l_add(a: i32, b: i32) -> i32 {
    a.saturating_add(b)
}

#[inline(always)]
pub(crate) const fn l_sub(a: i32, b: i32) -> i32 {
    a.saturating_sub(b)
}

#[inline(always)]
pub(crate) const fn l_abs(a: i32) -> i32 {
    a.saturating_abs()
}

#[inline(always)]
pub(crate) const fn l_negate(a: i32) -> i32 {
    a.saturating_neg()
}

/// Q31 product of two Q15 numbers.
#[inline(always)]
pub(crate) const fn l_mult(a: i16, b: i16) -> i32 {
    (a as i32 * b as i32).saturating_mul(2)
}

#[inline(always)]
pub(crate) const fn l_mac(sum: i32, a: i16, b: i16) -> i32 {
    sum.saturating_add(l_mult(a, b))
}

#[inline(always)]
pub(crate) const fn l_msu(sum: i32, a: i16, b: i16) -> i32 {
    sum.saturating_sub(l_mult(a, b))
}

/// Shift left with saturation; a negative count shifts right.
#[inline(always)]
pub(crate) const fn l_shl(a: i32, count: i16) -> i32 {
    if count <= 0 {
        return l_shr(a, count.saturating_neg());
    }
    if count > 31 {
        return if a == 0 { 0 } else { (a >> 31) ^ i32::MAX };
    }
    let shifted = (a as i64) << count;
    if shifted > i32::MAX as i64 {
        i32::MAX
    } else if shifted < i32::MIN as i64 {
        i32::MIN
    } else {
        shifted as i32
    }
}

/// Arithmetic shift right; a negative count shifts left.
#[inline(always)]
pub(crate) const fn l_shr(a: i32, count: i16) -> i32 {
    if count < 0 {
        return l_shl(a, count.saturating_neg());
    }
    a >> (if count > 31 { 31 } else { count })
}

/// Shift right with rounding.
#[inline(always)]
pub(crate) const fn l_shr_r(a: i32, count: i16) -> i32 {
    if count > 31 {
        return 0;
    }
    let shifted = l_shr(a, count);
    if count > 0 && (a >> (count - 1)) & 1 != 0 { shifted + 1 } else { shifted }
}

/// Shifts left that normalise; 0 for 0.
#[inline(always)]
pub(crate) const fn norm_l(a: i32) -> i16 {
    if a == 0 {
        return 0;
    }
    (a ^ (a >> 31)).leading_zeros() as i16 - 1
}

#[inline(always)]
pub(crate) const fn extract_h(a: i32) -> i16 {
    (a >> 16) as i16
}

#[inline(always)]
pub(crate) const fn extract_l(a: i32) -> i16 {
    a as i16
}

#[inline(always)]
pub(crate) const fn deposit_h(a: i16) -> i32 {
    (a as i32) << 16
}

#[inline(always)]
pub(crate) const fn deposit_l(a: i16) -> i32 {
    a as i32
}

/// The upper half, rounded (`round` in the standards).
#[inline(always)]
pub(crate) const fn round(a: i32) -> i16 {
    extract_h(a.saturating_add(0x8000))
}

#[inline(always)]
pub(crate) const fn mac_r(sum: i32, a: i16, b: i16) -> i16 {
    round(l_mac(sum, a, b))
}

#[inline(always)]
pub(crate) const fn msu_r(sum: i32, a: i16, b: i16) -> i16 {
    round(l_msu(sum, a, b))
}

/// A 32-bit number in the standards' double precision format: `high << 16 + low << 1`.
#[inline(always)]
pub(crate) const fn l_extract(a: i32) -> (i16, i16) {
    let high = extract_h(a);
    (high, ((a >> 1) - ((high as i32) << 15)) as i16)
}

/// Back from the double precision format.
#[inline(always)]
pub(crate) const fn l_comp(high: i16, low: i16) -> i32 {
    l_mac(deposit_h(high), low, 1)
}

/// Product of two numbers in double precision format, Q31.
#[inline(always)]
pub(crate) const fn mpy_32(high1: i16, low1: i16, high2: i16, low2: i16) -> i32 {
    let product = l_mult(high1, high2);
    l_mac(l_mac(product, mult(high1, low2), 1), mult(low1, high2), 1)
}

/// Product of a number in double precision format and a Q15 number, Q31.
#[inline(always)]
pub(crate) const fn mpy_32_16(high: i16, low: i16, factor: i16) -> i32 {
    l_mac(l_mult(high, factor), mult(low, factor), 1)
}

/// Q31 quotient of `0 <= dividend < divisor`, the divisor normalised and in double precision format.
#[inline(always)]
pub(crate) const fn div_32(dividend: i32, high: i16, low: i16) -> i32 {
    // One Newton step from 1/high: 2 - divisor / high.
    let guess = div_s(0x3fff, high);
    let error = l_sub(i32::MAX, mpy_32_16(high, low, guess));
    let (error_high, error_low) = l_extract(error);
    let inverse = mpy_32_16(error_high, error_low, guess);
    let (inverse_high, inverse_low) = l_extract(inverse);
    let (dividend_high, dividend_low) = l_extract(dividend);
    l_shl(mpy_32(dividend_high, dividend_low, inverse_high, inverse_low), 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corners_saturate_as_the_standards_say() {
        assert_eq!(mult(i16::MIN, i16::MIN), i16::MAX);
        assert_eq!(mult_r(i16::MIN, i16::MIN), i16::MAX);
        assert_eq!(l_mult(i16::MIN, i16::MIN), i32::MAX);
        assert_eq!(l_mac(i32::MAX - 1, 1, 1), i32::MAX);
        assert_eq!(l_msu(i32::MIN + 1, 1, 1), i32::MIN);
        assert_eq!((shl(1, 15), shl(-1, 15), shl(-1, 40), shl(0, 40)), (i16::MAX, i16::MIN, i16::MIN, 0));
        assert_eq!((shr(-1, 40), shr(5, -2), shr_r(3, 1), shr_r(-3, 1)), (-1, 20, 2, -1));
        assert_eq!(
            (l_shl(1, 31), l_shl(-1, 31), l_shl(-2, 40), l_shl(6, -1)),
            (i32::MAX, i32::MIN, i32::MIN, 3)
        );
        assert_eq!((l_shr(-1, 99), l_shr_r(3, 1), l_shr(3, -1)), (-1, 2, 6));
        assert_eq!((norm_s(0), norm_s(1), norm_s(-1), norm_s(i16::MIN)), (0, 14, 15, 0));
        assert_eq!((norm_l(0), norm_l(1), norm_l(-1), norm_l(i32::MIN)), (0, 30, 31, 0));
        assert_eq!(
            (div_s(1, 2), div_s(5, 5), div_s(6, 5), div_s(-1, 5), div_s(1, 0)),
            (0x4000, i16::MAX, 0, 0, 0)
        );
        assert_eq!((round(i32::MAX), round(0x7fff), round(0x8000)), (i16::MAX, 0, 1));
        assert_eq!((abs_s(i16::MIN), negate(i16::MIN), l_abs(i32::MIN)), (i16::MAX, i16::MAX, i32::MAX));
    }

    #[test]
    fn double_precision_loses_only_the_lowest_bit() {
        for value in [0, 1, -1, 0x1234_5678, -0x1234_5678, i32::MAX, i32::MIN] {
            let (high, low) = l_extract(value);
            assert_eq!(l_comp(high, low), value & !1);
        }
    }

    #[test]
    fn a_quotient_is_right_to_one_part_in_a_hundred_million() {
        for (dividend, divisor) in
            [(0x2000_0000, 0x4000_0000), (0x1234_5678, 0x7654_3210), (1 << 16, 0x5555_5555)]
        {
            let (high, low) = l_extract(divisor);
            let exact = (i64::from(dividend) << 31) / i64::from(divisor);
            assert!((i64::from(div_32(dividend, high, low)) - exact).abs() < 32);
        }
    }
}
