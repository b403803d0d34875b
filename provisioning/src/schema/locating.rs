//! The rows about how an account's servers are found: SRV prefixes, configured records, what is kept of answers.

use super::table::row;
use super::{Access, Kind, Setting};

/// The settings of an account.
pub(super) const LOCATING: &[Setting] = {
    use Access::Administrator as Admin;
    use Kind::{Bool, Choice, Text};
    const LIVE: bool = false;
    &[
        row(
            "account.N.srv_prefix_udp",
            Text { max: 32 },
            "_sip._udp.",
            Admin,
            LIVE,
            "What stands before the domain when SRV records for UDP are asked for.",
        ),
        row("account.N.srv_prefix_tcp", Text { max: 32 }, "_sip._tcp.", Admin, LIVE, "The same for TCP."),
        row(
            "account.N.srv_without_naptr",
            Choice(&["model", "udp", "every"]),
            "model",
            Admin,
            LIVE,
            "Which SRV records are asked for when there are no NAPTR records: those for UDP, those for UDP, TCP and TLS, or as the model has it.",
        ),
        row(
            "account.N.dns_cache",
            Choice(&["off", "answers", "additional"]),
            "answers",
            Admin,
            LIVE,
            "What is kept of the answers of DNS: nothing, answers, or additional records too.",
        ),
        row(
            "account.N.dns_records",
            Text { max: 8191 },
            "",
            Admin,
            LIVE,
            "Records that stand in where DNS has none, 12 of each type, between `;`: `NAME TTL A ADDRESS`, `NAME TTL SRV PRIORITY WEIGHT PORT TARGET`, `NAME TTL NAPTR ORDER PREFERENCE FLAG SERVICE REPLACEMENT`, `-` for no flag.",
        ),
        row(
            "account.N.dns_records_first",
            Bool,
            "false",
            Admin,
            LIVE,
            "Whether those records go before what DNS says.",
        ),
    ]
};
