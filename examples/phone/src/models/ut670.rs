//! Panasonic KX-UT670: six lines on a large touch screen.

use super::{Depth, LineLamps, Model, ring};
use sidetone_hal::display::Size;
use sidetone_hal::keypad::Key;
use sidetone_hal::lamp::{Lamp, LampColor};
use sidetone_sip_ua::package::blf::LampTable;

/// Panasonic KX-UT670.
pub static UT670: Model = Model {
    name: "ut670",
    title: "KX-UT670",
    screen: Size { width: 800, height: 480 },
    depth: Depth::Color,
    touch: true,
    handset: true,
    accounts: 6,
    lines: 6,
    lines_per_account: 6,
    calls: 6,
    conference: 2,
    keys: &[
        (Key::Home, "Home"),
        (Key::Menu, "Menu"),
        (Key::Cancel, "Back"),
        (Key::Message, "Message"),
        (Key::Headset, "Headset"),
        (Key::Hold, "Hold"),
        (Key::Transfer, "Transfer"),
        (Key::Conference, "Conf"),
        (Key::Flash, "Flash"),
        (Key::Redial, "Redial"),
        (Key::Mute, "Mute"),
        (Key::Speaker, "SP-Phone"),
        (Key::VolumeDown, "−"),
        (Key::VolumeUp, "+"),
        ring(0),
        ring(1),
        ring(2),
        ring(3),
        ring(4),
    ],
    programmable: &[],
    lamps: &[
        (Lamp::Status, LampColor::Red),
        (Lamp::Key(Key::Message), LampColor::Red),
        (Lamp::Key(Key::Headset), LampColor::Red),
        (Lamp::Key(Key::Mute), LampColor::Red),
        (Lamp::Key(Key::Speaker), LampColor::Red),
    ],
    line_lamps: Some(LineLamps { ringing: LampColor::Red, active: LampColor::Green, held: LampColor::Green }),
    blf_lamps: LampTable::COMMON,
    defaults: &[
        // PAB-137; PAB-140: without a code the `+` is left out.
        ("dialplan.first_digit", "30"),
        ("dialplan.plus", "replace"),
        // PAB-098, PAB-099.
        ("dnd.status", "403"),
        ("calls.refuse_status", "603"),
        // PAB-068, PAB-093 to PAB-095: only the name is hidden; PAB-015, PAB-016: without further headers.
        ("account.N.anonymous_user", "normal"),
        ("account.N.anonymous_host", "normal"),
        ("account.N.privacy", "false"),
        ("account.N.preferred_identity", "never"),
        // PAA-047.
        ("account.N.anonymous_without_number", "true"),
        // PAB-079.
        ("account.N.auto_answer_mute", "false"),
        ("auto_answer.delay", "5"),
        // PAB-078, PAB-081, PAB-085, PAB-086, PAB-112.
        ("calls.hold_recall", "60"),
        ("calls.auto_hold", "false"),
        ("calls.busy_tone", "10"),
        ("calls.busy_tone_speaker", "3"),
        ("account.N.blf_expires", "3600"),
        // PAA-051: three rings.
        ("forward.ring_time", "18"),
    ],
};
