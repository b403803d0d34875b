//! The signs of the status bar.

use super::Canvas;
use crate::firmware::screen::{Icon, Tone};
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::prelude::Drawable;
use embedded_graphics::primitives::{Primitive, PrimitiveStyle, Rectangle};

/// Width and height of a sign in dots.
pub(super) const SIDE: i32 = 9;

type Dots = [&'static str; 9];

const REGISTERED: Dots = [
    "  #####  ",
    " ####### ",
    "#########",
    "######  #",
    "#### ## #",
    "# # ### #",
    "## ######",
    " ####### ",
    "  #####  ",
];
const REGISTERING: Dots = [
    "  #####  ",
    " #     # ",
    "#   #   #",
    "#   #   #",
    "#   ##  #",
    "#       #",
    "#       #",
    " #     # ",
    "  #####  ",
];
const FAILED: Dots = [
    "  #####  ",
    " ####### ",
    "## ### ##",
    "### # ###",
    "#### ####",
    "### # ###",
    "## ### ##",
    " ####### ",
    "  #####  ",
];
const OFF: Dots = [
    "  #####  ",
    " #     # ",
    "#       #",
    "#       #",
    "# ##### #",
    "#       #",
    "#       #",
    " #     # ",
    "  #####  ",
];
const SECURE: Dots = [
    "   ###   ",
    "  #   #  ",
    "  #   #  ",
    " ####### ",
    " ####### ",
    " ### ### ",
    " ### ### ",
    " ####### ",
    " ####### ",
];
const MUTED: Dots = [
    "#  ###   ",
    " # ###   ",
    "  ####   ",
    "# ###  # ",
    "#  ##  # ",
    " #  #  # ",
    "  ###### ",
    "    #  # ",
    "  #####  ",
];
const HANDSET: Dots = [
    " ##      ",
    "####     ",
    "####     ",
    " ##      ",
    " ###     ",
    "  ### ## ",
    "   ######",
    "    #####",
    "      ## ",
];
const SPEAKER: Dots = [
    "   #   # ",
    "  ##    #",
    "#### #  #",
    "####  # #",
    "####  # #",
    "####  # #",
    "#### #  #",
    "  ##    #",
    "   #   # ",
];
const HEADSET: Dots = [
    "  #####  ",
    " #     # ",
    "#       #",
    "#       #",
    "###   ###",
    "###   ###",
    "###   ###",
    "##     ##",
    "     ### ",
];
const MISSED: Dots = [
    "#       #",
    " #     # ",
    "# #   #  ",
    "#  # #   ",
    "#   #    ",
    "####     ",
    "         ",
    "  #####  ",
    "#########",
];

const MESSAGES: Dots = [
    "         ",
    "#########",
    "##     ##",
    "# #   # #",
    "#  # #  #",
    "#   #   #",
    "#       #",
    "#########",
    "         ",
];
const DND: Dots = [
    "  #####  ",
    " ####### ",
    "#########",
    "#########",
    "#       #",
    "#########",
    "#########",
    " ####### ",
    "  #####  ",
];
const FORWARD: Dots = [
    "     #   ",
    "     ##  ",
    " ####### ",
    "#########",
    "#########",
    "## ##### ",
    "##   ##  ",
    "##   #   ",
    "##       ",
];

const RECORDING: Dots = [
    "  #####  ",
    " #     # ",
    "#  ###  #",
    "# ##### #",
    "# ##### #",
    "# ##### #",
    "#  ###  #",
    " #     # ",
    "  #####  ",
];

/// The mood that colours a sign, where it has one.
pub(super) const fn tone(icon: Icon) -> Option<Tone> {
    match icon {
        Icon::Registered | Icon::Secure => Some(Tone::Talking),
        Icon::Registering => Some(Tone::Held),
        Icon::RegisterFailed | Icon::Muted | Icon::Missed | Icon::Messages | Icon::Dnd | Icon::Recording => {
            Some(Tone::Failed)
        }
        Icon::RegisterOff | Icon::Forward | Icon::Handset | Icon::Speaker | Icon::Headset => None,
    }
}

/// Draws a sign with its upper left corner at `at`, every dot `scale` pixels wide.
pub(super) fn draw(icon: Icon, at: Point, scale: i32, color: Rgb565, canvas: &mut Canvas<'_>) {
    let dots = match icon {
        Icon::Registered => REGISTERED,
        Icon::Registering => REGISTERING,
        Icon::RegisterFailed => FAILED,
        Icon::RegisterOff => OFF,
        Icon::Secure => SECURE,
        Icon::Muted => MUTED,
        Icon::Handset => HANDSET,
        Icon::Speaker => SPEAKER,
        Icon::Headset => HEADSET,
        Icon::Missed => MISSED,
        Icon::Messages => MESSAGES,
        Icon::Dnd => DND,
        Icon::Forward => FORWARD,
        Icon::Recording => RECORDING,
    };
    for (y, row) in (0..).zip(dots) {
        for (x, dot) in (0..).zip(row.bytes()) {
            if dot == b'#' {
                let corner = at + Point::new(x * scale, y * scale);
                let area = Rectangle::new(corner, Size::new_equal(scale.unsigned_abs()));
                let Ok(()) = area.into_styled(PrimitiveStyle::with_fill(color)).draw(canvas);
            }
        }
    }
}
