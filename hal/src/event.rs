//! What a board reports to the firmware.

use crate::display::Point;
use crate::hook::HookState;
use crate::keypad::KeyEvent;

/// Something that a person did to the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// A key went down or came up.
    Key(KeyEvent),
    /// The handset was lifted or put back.
    Hook(HookState),
    /// A finger on a touch screen.
    Touch(TouchEvent),
}

/// One step of a touch, in pixels of the display.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TouchEvent {
    /// Where.
    pub at: Point,
    /// Which step.
    pub phase: TouchPhase,
}

/// The steps of a touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TouchPhase {
    /// The finger came down.
    Down,
    /// It moved while down.
    Move,
    /// It left the screen.
    Up,
}
