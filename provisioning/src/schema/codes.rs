//! The rows about codes that are dialled and that the telephone itself carries out.

use super::table::row;
use super::{Access, Kind, Setting};

/// Codes for the telephone itself. None is set at first: on the telephones codes are the server's.
pub(super) const CODES: &[Setting] = {
    use Access::Administrator as Admin;
    const CODE: Kind = Kind::Text { max: 32 };
    const LIVE: bool = false;
    &[
        row("codes.dnd_on", CODE, "", Admin, LIVE, "Dialled, as `*88`, this switches do not disturb on."),
        row("codes.dnd_off", CODE, "", Admin, LIVE, "Dialled, as `*86`, this switches it off."),
        row(
            "codes.forward_on",
            CODE,
            "",
            Admin,
            LIVE,
            "Dialled with a number behind it, as `*73201`, this forwards all calls there; without one, to where they went before.",
        ),
        row(
            "codes.forward_off",
            CODE,
            "",
            Admin,
            LIVE,
            "Dialled, as `*74`, this forwards no calls any more.",
        ),
        row("codes.anonymous_on", CODE, "", Admin, LIVE, "Dialled, this makes calls anonymous."),
        row("codes.anonymous_off", CODE, "", Admin, LIVE, "Dialled, this makes calls say who calls."),
        row("codes.call_return", CODE, "", Admin, LIVE, "Dialled, this calls whoever called last."),
        row("codes.redial", CODE, "", Admin, LIVE, "Dialled, this calls the number that was called last."),
        row(
            "codes.pickup",
            CODE,
            "",
            Admin,
            LIVE,
            "Dialled with an extension behind it that a key watches, this takes the call that rings there.",
        ),
        row("codes.voice_mail", CODE, "", Admin, LIVE, "Dialled, this calls the account's voice mail."),
    ]
};
