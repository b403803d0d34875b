//! Which light shows which state.

use super::BlfState;

/// A light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lamp {
    /// Its colour; `None` when it is off.
    pub colour: Option<Colour>,
    /// How it blinks.
    pub blink: Blink,
}

/// A colour of a lamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Colour {
    /// Red.
    Red,
    /// Green.
    Green,
    /// Yellowish green.
    YellowGreen,
}

/// How a lamp blinks; how often in a second is the telephone's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blink {
    /// Not at all.
    #[default]
    Steady,
    /// Slowly.
    Slow,
    /// Fast.
    Fast,
}

/// Which light shows which state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LampTable {
    /// [`BlfState::Idle`]
    pub idle: Lamp,
    /// [`BlfState::Ringing`]
    pub ringing: Lamp,
    /// [`BlfState::Parked`]
    pub parked: Lamp,
    /// [`BlfState::Busy`]
    pub busy: Lamp,
    /// [`BlfState::Held`]
    pub held: Lamp,
    /// [`BlfState::DoNotDisturb`]
    pub do_not_disturb: Lamp,
    /// [`BlfState::Offline`]
    pub offline: Lamp,
    /// [`BlfState::Unknown`]
    pub unknown: Lamp,
}

impl Lamp {
    /// No light.
    pub const OFF: Self = Self { colour: None, blink: Blink::Steady };

    /// A light of this colour that does not blink.
    #[must_use]
    pub const fn steady(colour: Colour) -> Self {
        Self { colour: Some(colour), blink: Blink::Steady }
    }

    /// A light of this colour that blinks.
    #[must_use]
    pub const fn blinking(colour: Colour, blink: Blink) -> Self {
        Self { colour: Some(colour), blink }
    }
}

impl LampTable {
    /// What most telephones with lamps of two colours show: idle green, in use red, slowly blinking when nobody talks
    /// and fast when it rings.
    pub const COMMON: Self = Self {
        idle: Lamp::steady(Colour::Green),
        ringing: Lamp::blinking(Colour::Red, Blink::Fast),
        parked: Lamp::blinking(Colour::Red, Blink::Slow),
        busy: Lamp::steady(Colour::Red),
        held: Lamp::blinking(Colour::Red, Blink::Slow),
        do_not_disturb: Lamp::steady(Colour::Red),
        offline: Lamp::OFF,
        unknown: Lamp::OFF,
    };

    /// The SayHi 6xx. Its manual knows two states, idle and busy; ringing is as for a call of its own, and whatever
    /// else has a call or takes none is busy.
    pub const SAYHI_6XX: Self = Self {
        idle: Lamp::steady(Colour::YellowGreen),
        ringing: Lamp::blinking(Colour::Red, Blink::Fast),
        parked: Lamp::steady(Colour::Red),
        busy: Lamp::steady(Colour::Red),
        held: Lamp::steady(Colour::Red),
        do_not_disturb: Lamp::steady(Colour::Red),
        offline: Lamp::OFF,
        unknown: Lamp::OFF,
    };

    /// The light for a state.
    #[must_use]
    pub const fn lamp(&self, state: &BlfState) -> Lamp {
        match state {
            BlfState::Idle => self.idle,
            BlfState::Ringing(_) => self.ringing,
            BlfState::Parked(_) => self.parked,
            BlfState::Busy(_) => self.busy,
            BlfState::Held(_) => self.held,
            BlfState::DoNotDisturb => self.do_not_disturb,
            BlfState::Offline => self.offline,
            BlfState::Unknown(_) => self.unknown,
        }
    }
}
