//! Lamps: steady or blinking lights in keys and in the body of the phone.
//!
//! Blinking is described, not performed: the firmware says "red, 250 ms on, 250 ms off" once, and the board
//! (a LED controller, or a browser's style sheet) does the rest. A board that can only switch uses
//! [`LampState::lit_at`] and [`LampState::next_change`].

use crate::keypad::Key;
use crate::time::{Duration, Instant};

/// Which lamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Lamp {
    /// The lamp in a key, for example [`Key::Line`], [`Key::Mute`] or a key of an expansion module.
    Key(Key),
    /// The power lamp, which most desk phones also use for messages and ringing.
    Power,
    /// The light strip or ring that shows the call state from afar.
    Status,
}

/// The colour of a lit lamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "colours have no further meaning")]
pub enum LampColor {
    Red,
    Amber,
    YellowGreen,
    Green,
    Blue,
    White,
}

/// What a lamp does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LampState {
    /// Dark.
    #[default]
    Off,
    /// Lit steadily.
    On(LampColor),
    /// Lit for `on`, dark for `off`, and so on.
    Blink {
        /// Its colour while lit.
        color: LampColor,
        /// How long it is lit.
        on: Duration,
        /// How long it is dark.
        off: Duration,
    },
}

impl LampState {
    /// One second lit, one second dark: something waits.
    #[must_use]
    pub const fn slow(color: LampColor) -> Self {
        Self::Blink { color, on: Duration::from_secs(1), off: Duration::from_secs(1) }
    }

    /// 250 ms lit, 250 ms dark: something happens.
    #[must_use]
    pub const fn fast(color: LampColor) -> Self {
        Self::Blink { color, on: Duration::from_millis(250), off: Duration::from_millis(250) }
    }

    /// The colour that the lamp shows at `now`; `None` when it is dark. Blinking counts from the clock's
    /// origin, so that all lamps of one rhythm blink together.
    ///
    /// ```
    /// use sidetone_hal::{lamp::{LampColor, LampState}, time::Instant};
    /// let lamp = LampState::fast(LampColor::Red);
    /// assert_eq!(lamp.lit_at(Instant::from_millis(100)), Some(LampColor::Red));
    /// assert_eq!(lamp.lit_at(Instant::from_millis(300)), None);
    /// assert_eq!(lamp.next_change(Instant::from_millis(300)), Some(Instant::from_millis(500)));
    /// ```
    #[must_use]
    pub fn lit_at(self, now: Instant) -> Option<LampColor> {
        match self {
            Self::Off => None,
            Self::On(color) => Some(color),
            Self::Blink { color, on, off } => match phase(now, on, off) {
                Some((into, _)) if into >= on => None,
                None if on.is_zero() => None,
                _ => Some(color),
            },
        }
    }

    /// When [`LampState::lit_at`] next gives something else than at `now`; `None` for a steady lamp.
    #[must_use]
    pub fn next_change(self, now: Instant) -> Option<Instant> {
        let Self::Blink { on, off, .. } = self else { return None };
        let (into, period) = phase(now, on, off)?;
        Some(now + (if into < on { on } else { period }).saturating_sub(into))
    }
}

/// How far `now` is into the blinking period, and the period; `None` when it does not blink because a part
/// of it is zero.
fn phase(now: Instant, on: Duration, off: Duration) -> Option<(Duration, Duration)> {
    let micros = |duration: Duration| u64::try_from(duration.as_micros()).ok().filter(|micros| *micros > 0);
    let period = micros(on)?.checked_add(micros(off)?)?;
    Some((Duration::from_micros(now.as_micros() % period), Duration::from_micros(period)))
}

/// The lamps of a board.
pub trait Lamps {
    /// Puts a lamp in a state. A lamp that the board does not have, or a colour that the lamp does not have, is
    /// replaced by the nearest that exists, or ignored.
    fn set(&mut self, lamp: Lamp, state: LampState);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blinking_lamp_changes_exactly_at_its_changes() {
        let lamp = LampState::Blink {
            color: LampColor::Blue,
            on: Duration::from_millis(3),
            off: Duration::from_millis(7),
        };
        let mut now = Instant::ZERO;
        for _ in 0..10 {
            let next = lamp.next_change(now).unwrap();
            assert_eq!(lamp.lit_at(now), lamp.lit_at(next - Duration::from_micros(1)));
            assert_ne!(lamp.lit_at(now), lamp.lit_at(next));
            now = next;
        }
        assert_eq!(now, Instant::from_millis(50));
    }

    #[test]
    fn a_rhythm_with_a_zero_part_is_steady() {
        let blink = |on, off| LampState::Blink {
            color: LampColor::Green,
            on: Duration::from_millis(on),
            off: Duration::from_millis(off),
        };
        assert_eq!(blink(5, 0).lit_at(Instant::from_millis(7)), Some(LampColor::Green));
        assert_eq!(blink(0, 5).lit_at(Instant::ZERO), None);
        assert_eq!(blink(0, 0).next_change(Instant::ZERO), None);
    }
}
