//! SayHi ES620: eight accounts, colour screen, two-coloured line keys.

use super::{Depth, LineLamps, Model, ring};
use sidetone_hal::display::Size;
use sidetone_hal::keypad::Key;
use sidetone_hal::lamp::{Lamp, LampColor};
use sidetone_sip_ua::package::blf::LampTable;

/// SayHi ES620.
pub static ES620: Model = Model {
    name: "es620",
    title: "ES620",
    screen: Size { width: 480, height: 272 },
    depth: Depth::Color,
    touch: false,
    handset: true,
    accounts: 8,
    lines: 8,
    lines_per_account: 2,
    calls: 8,
    conference: 2,
    keys: &[
        (Key::Message, "Message"),
        (Key::Service, "Service"),
        (Key::Directory, "Directory"),
        (Key::Menu, "Menu"),
        (Key::Headset, "Headset"),
        (Key::Hold, "Hold"),
        (Key::Transfer, "Transfer"),
        (Key::Conference, "Conf"),
        (Key::Redial, "Redial"),
        (Key::Mute, "Mute"),
        (Key::Speaker, "Speaker"),
        (Key::Cancel, "C"),
        (Key::Delete, "Del"),
        (Key::Send, "Send"),
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
        (Lamp::Key(Key::Headset), LampColor::Red),
        (Lamp::Key(Key::Mute), LampColor::Red),
        (Lamp::Key(Key::Message), LampColor::Red),
        (Lamp::Key(Key::Speaker), LampColor::Red),
    ],
    line_lamps: Some(LineLamps {
        ringing: LampColor::Red,
        active: LampColor::YellowGreen,
        held: LampColor::YellowGreen,
    }),
    blf_lamps: LampTable::SAYHI_6XX,
    // The manual names these features and gives no defaults.
    defaults: &[],
};
