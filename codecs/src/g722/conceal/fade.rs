//! How an invented band fades (Appendix IV, clause IV.6.2.3).

use super::class::Class;
use crate::fixed::{mult_r, sub};

/// 10 ms, in samples of one band.
const FIRST: u16 = 80;
/// Where the fade gets steeper, and where it ends, in steps.
const SECOND_PART: i16 = 80;
const THIRD_PART: i16 = 160;
const END: i16 = 320;

/// The weight of one band's samples.
#[derive(Clone, Debug)]
pub(super) struct Fade {
    weight: i16,
    /// How far it is.
    steps: i16,
    /// Samples faded in a straight line, and to be faded so.
    straight: u16,
    to_straight: u16,
    course: Course,
}

/// How the weight falls, Q15 a sample.
#[derive(Clone, Debug)]
struct Course {
    /// Steps a sample: a fade is over after [`END`] of them.
    pace: i16,
    /// All the time, and what is added in the second and in the third part.
    first: i16,
    second: i16,
    third: i16,
    /// In the second 10 ms of the lower band.
    ahead: i16,
}

impl Course {
    const fn of(class: Class) -> Self {
        match class {
            // Over after 10, 20 and 40 ms.
            Class::Transient => Self { pace: 4, first: 409, second: 0, third: 0, ahead: 0 },
            Class::Transition => Self { pace: 2, first: 10, second: 0, third: 389, ahead: 399 },
            _ => Self { pace: 1, first: 10, second: 10, third: 170, ahead: 20 },
        }
    }
}

impl Fade {
    /// Of the lower band, which is made 10 ms ahead: 20 ms in straight lines.
    pub(super) const fn lower(class: Class) -> Self {
        Self { weight: i16::MAX, steps: 0, straight: 0, to_straight: 2 * FIRST, course: Course::of(class) }
    }

    /// Of the upper band.
    pub(super) const fn upper(class: Class) -> Self {
        Self { weight: i16::MAX, steps: 0, straight: 0, to_straight: FIRST, course: Course::of(class) }
    }

    /// Whether more than 20 ms, or what is left of a faster fade, have passed.
    pub(super) const fn is_late(&self) -> bool {
        self.steps > THIRD_PART
    }

    /// Fades the next sample.
    pub(super) const fn apply(&mut self, sample: i16) -> i16 {
        if self.straight < self.to_straight {
            self.fall_straight();
        } else {
            self.fall();
        }
        self.steps = self.steps.saturating_add(self.course.pace);
        mult_r(self.weight, sample)
    }

    const fn fall_straight(&mut self) {
        if self.straight == FIRST && self.course.ahead == 0 {
            self.weight = 0;
        }
        let slope = if self.straight < FIRST { self.course.first } else { self.course.ahead };
        self.weight = sub(self.weight, slope);
        self.straight += 1;
    }

    const fn fall(&mut self) {
        self.weight = sub(self.weight, self.course.first);
        if self.steps >= SECOND_PART {
            self.weight = sub(self.weight, self.course.second);
        }
        if self.steps >= THIRD_PART {
            self.weight = sub(self.weight, self.course.third);
        }
        if self.steps >= END {
            self.weight = 0;
        }
        if self.weight <= 0 {
            self.steps = END;
        }
    }
}
