//! The rows about how pressed digits become a number.

use super::table::row;
use super::{Access, Kind, Setting};

/// The settings of dialling.
pub(super) const DIALPLAN: &[Setting] = {
    use Access::{Administrator as Admin, User};
    use Kind::{Bool, Choice, DialRules, DigitMap, Seconds, Text};
    const CODE: Kind = Text { max: 8 };
    const PATH: Kind = Text { max: 511 };
    const LIVE: bool = false;
    &[
        row(
            "dialplan.digit_map",
            DigitMap,
            "",
            Admin,
            LIVE,
            "The numbers of all accounts that have no digit map of their own; nothing takes any number.",
        ),
        row(
            "dialplan.rules",
            DialRules,
            "",
            Admin,
            LIVE,
            "Replace, dial-now, area-code, block-out and prefix rules, between `;`; `line 2` before a rule holds it to account 2.",
        ),
        row(
            "dialplan.replace_file",
            PATH,
            "",
            Admin,
            LIVE,
            "A file of replace rules as the CP860 has them (`dialplan.xml`), which follow those of `dialplan.rules`.",
        ),
        row("dialplan.dial_now_file", PATH, "", Admin, LIVE, "The same of dial-now rules (`dialnow.xml`)."),
        row(
            "dialplan.directory",
            Bool,
            "false",
            Admin,
            LIVE,
            "Whether numbers of keys and contacts go by all rules, as if they were dialled; block-out rules hold for them anyway.",
        ),
        row(
            "dialplan.history",
            Bool,
            "false",
            Admin,
            LIVE,
            "The same of the numbers of those who called or wrote. What was dialled before was changed then.",
        ),
        row(
            "dialplan.first_digit",
            Seconds { min: 0, max: 600 },
            "16",
            Admin,
            LIVE,
            "After this time without a first digit the busy tone plays; 0 waits for ever.",
        ),
        row(
            "dialplan.inter_digit",
            Seconds { min: 0, max: 60 },
            "5",
            User,
            LIVE,
            "After this time without a digit the number is dialled; 0 waits for ever.",
        ),
        row(
            "dialplan.macro_digit",
            Seconds { min: 1, max: 15 },
            "5",
            Admin,
            LIVE,
            "The time that `T` in a digit map stands for.",
        ),
        row(
            "dialplan.dial_now_delay",
            Seconds { min: 1, max: 14 },
            "1",
            Admin,
            LIVE,
            "How long a number that a dial-now rule matches waits for a further digit.",
        ),
        row(
            "dialplan.live",
            Bool,
            "false",
            User,
            LIVE,
            "Whether a number that is entered on-hook is dialled by itself, as it is off-hook.",
        ),
        row(
            "dialplan.send_key",
            Choice(&["off", "#", "*"]),
            "#",
            User,
            LIVE,
            "The key that sends the number.",
        ),
        row(
            "dialplan.plus",
            Choice(&["keep", "replace"]),
            "keep",
            Admin,
            LIVE,
            "Whether a caller's `+` stays where none of the three codes below is set, or is left out.",
        ),
        row(
            "dialplan.international_code",
            CODE,
            "",
            Admin,
            LIVE,
            "What calls to another country begin with: shown in place of a caller's `+`.",
        ),
        row(
            "dialplan.country_code",
            CODE,
            "",
            Admin,
            LIVE,
            "The own country, as `49`: a caller's number with it is called back without it.",
        ),
        row(
            "dialplan.national_code",
            CODE,
            "",
            Admin,
            LIVE,
            "What calls to another area begin with: put before that number.",
        ),
        row(
            "account.N.digit_map",
            DigitMap,
            "",
            Admin,
            LIVE,
            "The numbers of this account; nothing takes `dialplan.digit_map`.",
        ),
        row(
            "account.N.unmatched",
            Bool,
            "true",
            Admin,
            LIVE,
            "Whether a number that no rule matches is called.",
        ),
    ]
};
