//! The tables of ITU-T G.722, clause 6.2.
#![expect(clippy::indexing_slicing, reason = "tables that are made when this is compiled")]

/// Table 10: half of the symmetric filter that splits the bands and joins them; the other half mirrors it.
const QMF_HALF: [i16; 12] = [3, -11, -11, 53, 12, -156, 32, 362, -210, -805, 951, 3876];

/// The 24 taps of the quadrature mirror filter, doubled as the fixed-point description has them.
pub(super) const QMF: [i16; 24] = {
    let mut taps = [0; 24];
    let mut i = 0;
    while i < 12 {
        taps[i] = 2 * QMF_HALF[i];
        taps[23 - i] = 2 * QMF_HALF[i];
        i += 1;
    }
    taps
};

/// Table 14, Q6: where the lower band's 60 levels divide, in units of the scale factor / 4096.
pub(super) const DECISION_LEVELS: [u16; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219,
    1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];

/// Table 15, QQ6, QQ5 and QQ4: the middle of each level.
const MIDDLES_6: [i16; 31] = [
    0, 17, 54, 91, 130, 170, 211, 254, 300, 347, 396, 447, 501, 558, 618, 682, 750, 822, 899, 982, 1072,
    1170, 1279, 1399, 1535, 1689, 1873, 2088, 2376, 2738, 3101,
];
const MIDDLES_5: [i16; 16] =
    [0, 35, 110, 190, 276, 370, 473, 587, 714, 858, 1023, 1219, 1458, 1765, 2195, 2919];
const MIDDLES_4: [i16; 8] = [0, 150, 323, 530, 786, 1121, 1612, 2557];

/// Upper band: where its four levels divide, and the middles, QQ2.
pub(super) const UPPER_DECISION_LEVEL: i32 = 564;
const MIDDLES_2: [i16; 3] = [0, 202, 926];

/// How far the logarithmic scale factor moves: WL by the 4-bit level, WH by the 2-bit one.
const LOG_STEPS: [i16; 8] = [-60, -30, 58, 172, 334, 538, 1198, 3042];
const UPPER_LOG_STEPS: [i16; 3] = [0, -214, 798];

/// Table 19, ILB: one octave of the scale factor.
const OCTAVE: [u16; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
    2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

/// Scale factors that there are.
const SCALES: usize = 353;

/// The scale factor by its logarithm in 32nds of an octave: 8 to 16 384. The upper band begins at 0.
pub(super) static SCALE: [i16; SCALES] = {
    let mut scale = [0; SCALES];
    let mut i = 0;
    while i < scale.len() {
        scale[i] = (((OCTAVE[i % 32] as u32) << (i / 32) >> 10) as i16) << 2;
        i += 1;
    }
    scale
};

/// Where the lower band begins in [`SCALE`]: it is never below 32.
pub(super) const LOWER_SCALE: usize = 64;
/// The lower band's logarithms, in 64ths of those of [`SCALE`], end here.
pub(super) const LOWER_LOG_MAX: i32 = 18_432;
/// The upper band's.
pub(super) const UPPER_LOG_MAX: i32 = 22_528;

/// Reciprocals of the lower band's scale factors, rounded up: `n * RECIPROCAL >> 41` is `n / scale`, exactly,
/// for every `n` below 2²⁷.
///
/// Rounding up adds less than `n * scale / 2⁴¹ / scale` to the quotient; with `n * scale < 2⁴¹` that is less
/// than the 1/scale by which a fraction can miss the next integer.
pub(super) static RECIPROCAL: [u64; SCALES - LOWER_SCALE] = {
    let mut reciprocal = [0; SCALES - LOWER_SCALE];
    let mut i = 0;
    while i < reciprocal.len() {
        reciprocal[i] = (1 << 41) / SCALE[i + LOWER_SCALE] as u64 + 1;
        i += 1;
    }
    reciprocal
};

/// The level of a magnitude given in units of the scale factor / 4096, up to the last decision level.
pub(super) static LEVEL: [u8; 2920] = {
    let mut level = [0; 2920];
    let (mut value, mut next) = (0, 0);
    while value < level.len() {
        if next < DECISION_LEVELS.len() && value >= DECISION_LEVELS[next] as usize {
            next += 1;
        }
        level[value] = next as u8;
        value += 1;
    }
    level
};

/// What follows from one 6-bit code of the lower band.
#[derive(Clone, Copy)]
pub(super) struct LowerCode {
    /// Difference that the predictor adapts to, by the upper four bits alone; Q15 of the scale factor.
    pub(super) difference: i16,
    /// Step of the logarithmic scale factor.
    pub(super) log_step: i16,
    /// The code.
    pub(super) code: u8,
}

/// [`LowerCode`] by code.
pub(super) static LOWER: [LowerCode; 64] = {
    let mut table = [LowerCode { difference: 0, log_step: 0, code: 0 }; 64];
    let mut code = 0;
    while code < 64 {
        let (level, sign) = level_4(code >> 2);
        let difference = 8 * sign * MIDDLES_4[level];
        table[code] = LowerCode { difference, log_step: LOG_STEPS[level], code: code as u8 };
        code += 1;
    }
    table
};

/// [`LowerCode`] by level from [`LEVEL`], and 32 more for negative values.
pub(super) static LOWER_BY_LEVEL: [LowerCode; 64] = {
    let mut table = LOWER;
    let mut level = 0;
    while level < 30 {
        table[level] = LOWER[61 - level];
        // The two levels next to zero follow after the positive ones.
        table[level + 32] = LOWER[if level < 2 { 63 - level } else { 33 - level }];
        level += 1;
    }
    table
};

/// The differences that the decoder adds to the prediction, by code, for modes 1, 2 and 3 (64, 56 and
/// 48 kbit/s: all six bits, five, four); Q15 of the scale factor.
pub(super) static LOWER_OUTPUT: [[i16; 64]; 3] = {
    let mut table = [[0; 64]; 3];
    let mut code = 0;
    while code < 64 {
        let (level, sign) = level_6(code);
        table[0][code] = 8 * sign * MIDDLES_6[level];
        let (level, sign) = level_5(code >> 1);
        table[1][code] = 8 * sign * MIDDLES_5[level];
        table[2][code] = LOWER[code].difference;
        code += 1;
    }
    table
};

/// Table 17: magnitude and sign of a 4-bit code.
const fn level_4(code: usize) -> (usize, i16) {
    match code {
        0 => (0, 1),
        1..=7 => (8 - code, -1),
        _ => (15 - code, 1),
    }
}

/// The same of a 5-bit code.
const fn level_5(code: usize) -> (usize, i16) {
    match code {
        0 | 1 => (1, -1),
        2..=15 => (17 - code, -1),
        16..=29 => (31 - code, 1),
        30 => (1, 1),
        _ => (1, -1),
    }
}

/// The same of a 6-bit code. 0 to 3 are not sent.
const fn level_6(code: usize) -> (usize, i16) {
    match code {
        0..=3 => (1, -1),
        4..=31 => (34 - code, -1),
        32..=61 => (62 - code, 1),
        _ => (64 - code, -1),
    }
}

/// The upper band's differences by 2-bit code; Q15 of the scale factor.
pub(super) const UPPER_DIFFERENCE: [i16; 4] =
    [-8 * MIDDLES_2[2], -8 * MIDDLES_2[1], 8 * MIDDLES_2[2], 8 * MIDDLES_2[1]];

/// Steps of its logarithmic scale factor.
pub(super) const UPPER_LOG_STEP: [i16; 4] =
    [UPPER_LOG_STEPS[2], UPPER_LOG_STEPS[1], UPPER_LOG_STEPS[2], UPPER_LOG_STEPS[1]];
