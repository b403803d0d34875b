//! Pitch lags from their indices (3GPP TS 26.090 §5.6.1, §6.1).

use crate::amr::Mode;
use crate::amr::filter::Fraction;

/// The longest pitch lag, and the shortest of all modes but 12.2.
pub(super) const LONGEST: i16 = 143;
const SHORTEST: i16 = 20;

/// A pitch lag: whole samples and the fraction.
pub(super) type Lag = (i16, Fraction);

/// The lag of a subframe that carries a whole index, in thirds.
pub(super) fn absolute_third(index: i16) -> Lag {
    if index >= 197 {
        return (index - 112, Fraction::Third(0));
    }
    let lag = third(index + 2) + 19;
    (lag, Fraction::Third(index - 3 * lag + 58))
}

/// The lag of a subframe that tells only the difference to the one before (`last`), in thirds.
pub(super) fn relative_third(mode: Mode, index: i16, last: i16) -> Lag {
    let (below, range) = if mode == Mode::Mr795 { (10, 19) } else { (5, 9) };
    let mut least = (last - below).max(SHORTEST);
    let most = (least + range).min(LONGEST);
    if most == LONGEST {
        least = most - range;
    }
    match mode {
        Mode::Mr475 | Mode::Mr515 | Mode::Mr590 | Mode::Mr670 => {
            coarse(index, last.min(least + 5).max(most - 4))
        }
        _ => {
            let steps = third(index + 2) - 1;
            (steps + least, Fraction::Third(index - 2 - 3 * steps))
        }
    }
}

/// Four bits: thirds near the last lag, whole samples farther away.
fn coarse(index: i16, centre: i16) -> Lag {
    match index {
        ..4 => (centre - 5 + index, Fraction::Third(0)),
        4..12 => {
            let steps = third(index - 5) - 1;
            (steps + centre, Fraction::Third(index - 9 - 3 * steps))
        }
        _ => (index - 11 + centre, Fraction::Third(0)),
    }
}

/// The lag of a first or third subframe in mode 12.2, in sixths.
pub(super) fn absolute_sixth(index: i16) -> Lag {
    if index >= 463 {
        return (index - 368, Fraction::Sixth(0));
    }
    let lag = sixth(index + 5) + 17;
    (lag, Fraction::Sixth(index - 6 * lag + 105))
}

/// The lag of a second or fourth subframe in mode 12.2; an index from 61 on is none.
pub(super) fn relative_sixth(index: i16, last: i16) -> Option<Lag> {
    let least = (last - 5).clamp(18, LONGEST - 9);
    let steps = sixth(index + 5) - 1;
    (index < 61).then_some((steps + least, Fraction::Sixth(index - 3 - 6 * steps)))
}

/// A third as the standard takes it, rounding down below zero too.
fn third(value: i16) -> i16 {
    ((i32::from(value) * 10923) >> 15) as i16
}

/// A sixth as the standard takes it.
fn sixth(value: i16) -> i16 {
    ((i32::from(value) * 5462) >> 15) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_gives_a_lag_within_the_excitation_buffer() {
        let check = |(lag, fraction): Lag| {
            let sixths = match fraction {
                Fraction::Third(thirds) => 2 * thirds,
                Fraction::Sixth(sixths) => sixths,
            };
            assert!((-5..=5).contains(&sixths), "{lag} {sixths}");
            // In sixths: between 17 and 145, as the interpolation wants it.
            assert!((17 * 6..=145 * 6).contains(&(lag * 6 + sixths)), "{lag} {sixths}");
        };
        (0..256).for_each(|index| check(absolute_third(index)));
        (0..512).for_each(|index| check(absolute_sixth(index)));
        for last in 17..=145 {
            (0..64).filter_map(|index| relative_sixth(index, last)).for_each(check);
            (0..64).for_each(|index| check(relative_third(Mode::Mr795, index, last)));
            (0..32).for_each(|index| check(relative_third(Mode::Mr740, index, last)));
            (0..16).for_each(|index| check(relative_third(Mode::Mr475, index, last)));
        }
    }
}
