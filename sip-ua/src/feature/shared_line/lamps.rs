//! What the lamp of an appearance shows.

use crate::package::blf::{Blink, Colour, Lamp};
use crate::package::call_info::AppearanceState;
use alloc::string::String;

/// An appearance as one telephone sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppearanceView {
    /// Its number, from 1.
    pub index: u16,
    /// What it is used for.
    pub state: AppearanceState,
    /// Whether it is used here.
    pub here: bool,
    /// The other side of its call, as name-addr or URI, if it is known.
    pub uri: Option<String>,
    /// Whether the server tells at all what becomes of the line. Without its word nothing is known of what others do.
    pub known: bool,
}

/// Which light shows which state of an appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineLamps {
    /// Nobody uses it.
    pub idle: Lamp,
    /// It rings, here as at all who share it.
    pub alerting: Lamp,
    /// Dialled on, calling or talking here.
    pub active_here: Lamp,
    /// Held here.
    pub held_here: Lamp,
    /// Dialled on, calling or talking elsewhere.
    pub active: Lamp,
    /// Held elsewhere: it may be taken.
    pub held: Lamp,
    /// Held elsewhere for whoever held it.
    pub held_private: Lamp,
    /// The server does not tell.
    pub unknown: Lamp,
}

impl LineLamps {
    /// What telephones with lamps of two colours show: what is ours green, what is others' red, held ones blinking slowly
    /// where a press takes the call, and fast what rings.
    pub const COMMON: Self = Self {
        idle: Lamp::OFF,
        alerting: Lamp::blinking(Colour::Red, Blink::Fast),
        active_here: Lamp::steady(Colour::Green),
        held_here: Lamp::blinking(Colour::Green, Blink::Slow),
        active: Lamp::steady(Colour::Red),
        held: Lamp::blinking(Colour::Red, Blink::Slow),
        held_private: Lamp::steady(Colour::Red),
        unknown: Lamp::OFF,
    };

    /// The light for an appearance.
    #[must_use]
    pub const fn lamp(&self, view: &AppearanceView) -> Lamp {
        use AppearanceState as State;
        if !view.known && !view.here {
            return self.unknown;
        }
        match (view.state, view.here) {
            (State::Idle, _) => self.idle,
            (State::Alerting, _) => self.alerting,
            (State::Held | State::HeldPrivate | State::BridgeHeld, true) => self.held_here,
            (State::Held | State::BridgeHeld, false) => self.held,
            (State::HeldPrivate, false) => self.held_private,
            (State::Seized | State::Progressing | State::Active | State::BridgeActive, true) => {
                self.active_here
            }
            (State::Seized | State::Progressing | State::Active | State::BridgeActive, false) => self.active,
        }
    }
}

impl Default for LineLamps {
    fn default() -> Self {
        Self::COMMON
    }
}
