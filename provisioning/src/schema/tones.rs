//! The rows about further tones of the telephone.

use super::table::row;
use super::{Access, Kind, Setting};

/// The settings of the telephone.
pub(super) const TONES: &[Setting] = {
    use Access::Administrator as Admin;
    use Kind::{Bool, Text};
    const RESTART: bool = true;
    const TONE: Kind = Text { max: 256 };
    &[
        row(
            "tones.stutter",
            TONE,
            "",
            Admin,
            RESTART,
            "The dial tone while messages wait, in place of the country's, written as `tones.dial`. Every tone may also be written as `FREQUENCIES GAIN TIMES`, such as `350,440 -3 60,0`: hertz, decibels, and milliseconds of silence and of sound in turn, 0 without end.",
        ),
        row(
            "tones.recall",
            TONE,
            "",
            Admin,
            RESTART,
            "The dial tone of a call beside another one, in place of the country's.",
        ),
        row("tones.hold", TONE, "", Admin, RESTART, "The tone that reminds of a call on hold."),
        row(
            "tones.held",
            TONE,
            "",
            Admin,
            RESTART,
            "What the person hears while the call on the screen is on hold; nothing is silence.",
        ),
        row("tones.auto_answer", TONE, "", Admin, RESTART, "The tone before a call answers itself."),
        row(
            "hold.tone_goes_on",
            Bool,
            "false",
            Admin,
            RESTART,
            "Whether the tone that reminds of a call on hold, once it began, goes on in its own times until no call is on hold.",
        ),
    ]
};
