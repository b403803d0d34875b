//! Yealink CP860: a conference phone with one account, no handset and no line keys.

use super::{Depth, Model};
use sidetone_hal::display::Size;
use sidetone_hal::keypad::{Direction, Key};
use sidetone_hal::lamp::{Lamp, LampColor};
use sidetone_sip_ua::package::blf::LampTable;

/// Yealink CP860.
pub static CP860: Model = Model {
    name: "cp860",
    title: "CP860",
    screen: Size { width: 192, height: 64 },
    depth: Depth::Mono,
    touch: false,
    handset: false,
    accounts: 1,
    lines: 0,
    lines_per_account: 0,
    calls: 3,
    conference: 2,
    keys: &[
        (Key::Send, "Off-hook"),
        (Key::End, "On-hook"),
        (Key::Mute, "Mute"),
        (Key::Redial, "Redial"),
        (Key::Transfer, "TRAN"),
        (Key::VolumeDown, "−"),
        (Key::VolumeUp, "+"),
        (Key::Navigate(Direction::Up), "▲"),
        (Key::Ok, "OK"),
        (Key::Navigate(Direction::Down), "▼"),
    ],
    // The numbers of `programablekey.X` (YLC-336).
    programmable: &[
        (1, Key::Soft(1)),
        (2, Key::Soft(2)),
        (3, Key::Soft(3)),
        (4, Key::Soft(4)),
        (5, Key::Navigate(Direction::Up)),
        (6, Key::Navigate(Direction::Down)),
        (9, Key::Ok),
        (13, Key::Mute),
    ],
    // Three lamps around the loudspeaker that light together: red and green.
    lamps: &[(Lamp::Status, LampColor::Green)],
    line_lamps: None,
    blf_lamps: LampTable::COMMON,
    // YLA-069, YLA-053, YLA-079 and YLA-133 to YLA-136 have what the schema has, for it follows them.
    defaults: &[
        // YLA-038.
        ("dialplan.inter_digit", "4"),
        // YLA-052.
        ("calls.busy_tone_speaker", "0"),
        // YLB-004, YLB-042, YLB-045.
        ("account.N.server_retries", "3"),
        ("account.N.redundancy", "concurrent"),
        ("account.N.failback", "new-requests"),
        // YLC-235 to YLC-241.
        ("account.N.payload_types", "G726-16=103 G726-24=104 G726-32=102 G726-40=105 iLBC=106"),
        // YLA-016: by re-INVITE.
        ("account.N.session_refresh_by", "invite"),
    ],
};
