//! The time that a wall clock shows, and spans of it.

/// Hours and minutes of the day where the telephone stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay {
    minutes: u16,
}

impl TimeOfDay {
    /// Midnight, when the day begins.
    pub const MIDNIGHT: Self = Self { minutes: 0 };

    /// From 0:00 to 23:59; `None` beyond.
    #[must_use]
    pub const fn new(hour: u8, minute: u8) -> Option<Self> {
        if hour < 24 && minute < 60 { Some(Self { minutes: hour as u16 * 60 + minute as u16 }) } else { None }
    }

    /// Whole hours since midnight.
    #[must_use]
    pub const fn hour(self) -> u16 {
        self.minutes / 60
    }

    /// Minutes of the hour.
    #[must_use]
    pub const fn minute(self) -> u16 {
        self.minutes % 60
    }
}

/// A span of the day, both ends inside. One that ends before it begins goes over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Its first minute.
    pub from: TimeOfDay,
    /// Its last minute.
    pub to: TimeOfDay,
}

impl Window {
    /// The whole day: 0:00 to 23:59, as Dinstar shows it for a period that nobody has set (DIN-062).
    pub const DAY: Self = Self { from: TimeOfDay::MIDNIGHT, to: TimeOfDay { minutes: 24 * 60 - 1 } };

    /// From one minute to another.
    #[must_use]
    pub const fn new(from: TimeOfDay, to: TimeOfDay) -> Self {
        Self { from, to }
    }

    /// Whether the time is inside.
    #[must_use]
    pub fn holds(&self, now: TimeOfDay) -> bool {
        if self.from <= self.to {
            (self.from..=self.to).contains(&now)
        } else {
            now >= self.from || now <= self.to
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: u8, minute: u8) -> TimeOfDay {
        TimeOfDay::new(hour, minute).unwrap()
    }

    #[test]
    fn a_window_holds_both_its_ends_and_goes_over_midnight() {
        let night = Window::new(at(22, 0), at(6, 30));
        for (time, inside) in [
            (at(22, 0), true),
            (at(23, 59), true),
            (at(0, 0), true),
            (at(6, 30), true),
            (at(6, 31), false),
            (at(21, 59), false),
        ] {
            assert_eq!(night.holds(time), inside, "{time:?}");
        }
        let noon = Window::new(at(12, 0), at(12, 0));
        assert!(noon.holds(at(12, 0)) && !noon.holds(at(12, 1)));
        assert!(Window::DAY.holds(at(0, 0)) && Window::DAY.holds(at(23, 59)));
        assert_eq!((TimeOfDay::new(24, 0), TimeOfDay::new(0, 60)), (None, None));
        assert_eq!((at(22, 5).hour(), at(22, 5).minute()), (22, 5));
    }
}
