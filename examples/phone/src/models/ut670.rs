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
        // PAB-057, PAB-063, PAB-064, PAB-042.
        ("account.N.register_refresh", "90"),
        ("account.N.unregister_at_close", "false"),
        ("account.N.register_retry", "10"),
        ("account.N.register_stops_on_403", "true"),
        // PAB-101, PAB-113, PAB-114.
        ("account.N.subscribe_refresh", "90"),
        ("account.N.subscribe_retry", "10"),
        ("account.N.subscribe_stops_on_403", "true"),
        // PAB-107.
        ("account.N.mwi_voice_line", "true"),
        // PAB-010, PAB-006, PAB-040, PAB-088.
        ("account.N.session_refresher", "open"),
        ("account.N.session_refresh_by", "invite"),
        ("account.N.rport", "false"),
        ("account.N.hold", "address"),
        // PAA-014, PAA-066, PAA-067, PAA-069, PAA-071, PAA-072.
        ("media.dscp", "0"),
        ("media.port", "16000"),
        ("media.port_last", "20000"),
        ("media.rtcp", "false"),
        ("media.jitter_min", "20"),
        ("media.jitter_normal", "20"),
        // PAA-001.
        ("phone.user_agent", "Panasonic_{MODEL}/{fwver} ({mac})"),
        // PAB-184, PAB-201, PAB-202.
        ("media.pcmu_always", "true"),
        ("media.dtmf_duration", "180"),
        ("media.dtmf_gap", "90"),
        // PAB-009, PAB-023, PAB-026.
        ("sip.timer_t4", "0"),
        ("sip.timer_d", "5000"),
        ("sip.timer_j", "5000"),
        // PAB-078: a minute, and then the alarm of PAB-175 to PAB-177 until the call is taken back.
        ("hold.tone_delay", "60"),
        ("hold.tone_goes_on", "true"),
        ("tones.hold", "425 0 120,14880"),
        ("tones.held", "425 0 500,190,190,2890"),
        // PAB-157 to PAB-174, PAB-178 to PAB-180.
        ("tones.dial", "350,440 0 60,0"),
        ("tones.recall", "350,440 0 60,0"),
        (
            "tones.stutter",
            "350,440 0 560,100,100,100,100,100,100,100,100,100,100,100,100,100,100,100,100,100,100,100,100,0",
        ),
        ("tones.busy", "480,620 0 60,500,440"),
        ("tones.congestion", "480,620 0 60,250,190"),
        ("tones.ringback", "440,480 0 60,2000,3940"),
        ("tones.call_waiting", "425 0 120,120,120,120,14400"),
    ],
};
