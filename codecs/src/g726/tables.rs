//! The quantisers of G.726 (§2.2 to §2.5), one for each number of bits a code.

#![expect(clippy::indexing_slicing, reason = "tables are made when this is compiled")]

/// What a code means to the inverse quantiser and to the two adaptations.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// log₂ of the normalised magnitude, 7 bits of fraction (DQLN).
    pub(super) log: i32,
    /// W(I), 9 bits of fraction (§2.4).
    pub(super) growth: i32,
    /// F(I), 9 bits of fraction (§2.5).
    pub(super) activity: i32,
}

/// The quantiser with `BITS` bits a code.
pub(super) struct Quantizer<const BITS: u32>;

impl<const BITS: u32> Quantizer<BITS> {
    /// What each code means; the codes of `BITS` bits stand first, the rest is never read.
    pub(super) const STEPS: [Step; 32] = steps(BITS);
    /// The greatest code, which is also the code of a difference too small to have a sign (but with 2 bits).
    const LAST: u32 = (1 << BITS) - 1;

    /// The code of a difference, where the scale factor has this log (7 bits of fraction): LOG, SUBTB and
    /// QUAN.
    ///
    /// The standard's log is an exponent and seven bits of a mantissa, cut off; so a decision level, on this
    /// scale, is the `f32` with these upper bits, and the comparison needs no log of the difference.
    #[inline(always)]
    pub(super) fn code(difference: i32, scale: i32) -> u32 {
        let sign = difference >> 31;
        // A difference of zero has the log of one. None needs more than 15 bits.
        let magnitude = difference.abs().max(1) as f32;
        let levels = decisions(BITS)
            .iter()
            .map(|decision| f32::from_bits(((decision + scale + (127 << 7)) << 16) as u32));
        let interval: u32 = levels.map(|level| u32::from(magnitude >= level)).sum();
        let code = interval ^ (sign as u32 & Self::LAST);
        if BITS > 2 && code == 0 { Self::LAST } else { code }
    }
}

/// Decision levels above the lowest interval, on the scale of [`Step::log`] (tables 7 to 10, left).
const fn decisions(bits: u32) -> &'static [i32] {
    match bits {
        2 => &[261],
        3 => &[8, 218, 331],
        4 => &[-124, 80, 178, 246, 300, 349, 400],
        _ => &[-122, -16, 68, 139, 198, 250, 298, 339, 378, 413, 445, 475, 502, 528, 553],
    }
}

/// A log so small that no scale factor lifts it to one.
const ZERO: i32 = -2048;

/// Log magnitude, W(I) with 4 bits of fraction and F(I), from the lowest interval up (tables 7 to 10, right,
/// and §2.4, §2.5).
const fn intervals(bits: u32) -> &'static [(i32, i32, i32)] {
    match bits {
        2 => &[(116, -22, 0), (365, 439, 7)],
        3 => &[(ZERO, -4, 0), (135, 30, 1), (273, 137, 2), (373, 582, 7)],
        4 => &[
            (ZERO, -12, 0),
            (4, 18, 0),
            (135, 41, 0),
            (213, 64, 1),
            (273, 112, 1),
            (323, 198, 1),
            (373, 355, 3),
            (425, 1122, 7),
        ],
        _ => &[
            (ZERO, 14, 0),
            (-66, 14, 0),
            (28, 24, 0),
            (104, 39, 0),
            (169, 40, 0),
            (224, 41, 1),
            (274, 58, 1),
            (318, 100, 1),
            (358, 141, 1),
            (395, 179, 1),
            (429, 219, 2),
            (459, 280, 3),
            (488, 358, 4),
            (514, 440, 5),
            (539, 529, 6),
            (566, 696, 6),
        ],
    }
}

const fn steps(bits: u32) -> [Step; 32] {
    let mut steps = [Step { log: ZERO, growth: 0, activity: 0 }; 32];
    let intervals = intervals(bits);
    let mut magnitude = 0;
    while magnitude < intervals.len() {
        let (log, growth, activity) = intervals[magnitude];
        let step = Step { log, growth: growth << 5, activity: activity << 9 };
        steps[magnitude] = step;
        steps[2 * intervals.len() - 1 - magnitude] = step;
        magnitude += 1;
    }
    steps
}
