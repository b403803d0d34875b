//! Dinstar SP-C60S: two accounts, a small two-tone screen.

use super::{Depth, LineLamps, Model, ring};
use sidetone_hal::display::Size;
use sidetone_hal::keypad::Key;
use sidetone_hal::lamp::{Lamp, LampColor};
use sidetone_sip_ua::package::blf::LampTable;

/// Dinstar SP-C60S.
pub static C60S: Model = Model {
    name: "c60s",
    title: "SP-C60S",
    screen: Size { width: 132, height: 64 },
    depth: Depth::Mono,
    touch: false,
    handset: true,
    accounts: 2,
    lines: 2,
    lines_per_account: 2,
    calls: 2,
    conference: 2,
    keys: &[
        (Key::Cancel, "Cancel"),
        (Key::Hold, "Hold"),
        (Key::Mute, "Mute"),
        (Key::Headset, "Headset"),
        (Key::Speaker, "Speaker"),
        (Key::VolumeDown, "−"),
        (Key::VolumeUp, "+"),
        ring(0),
        ring(1),
        ring(2),
        ring(3),
        ring(4),
    ],
    // After the line keys the soft keys and the function keys (DIN-163).
    programmable: &[
        (3, Key::Soft(1)),
        (4, Key::Soft(2)),
        (5, Key::Soft(3)),
        (6, Key::Soft(4)),
        (7, Key::Ok),
        (8, Key::Cancel),
        (9, Key::Mute),
    ],
    lamps: &[(Lamp::Power, LampColor::Blue)],
    line_lamps: Some(LineLamps {
        ringing: LampColor::Green,
        active: LampColor::Green,
        held: LampColor::Green,
    }),
    blf_lamps: LampTable::COMMON,
    defaults: &[
        // DIN-010.
        ("account.N.caller_id", "pai-rpid-from"),
        // DIN-049.
        ("account.N.auto_answer_mute", "false"),
        ("auto_answer.delay", "0"),
        // DIN-059; a blacklisted caller is refused as any other.
        ("dnd.status", "486"),
        ("calls.block_status", "486"),
        // DIN-034.
        ("account.N.call_unregistered", "false"),
        // DIN-086, DIN-087.
        ("account.N.mwi_interval", "1800"),
        ("account.N.voice_mail", "*170*2#"),
    ],
};
