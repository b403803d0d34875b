//! The rows about how an account's calls and registrations are kept: session timers, reliable responses, further servers.

use super::table::row;
use super::{Access, Kind, Setting};

/// The settings of an account.
pub(super) const SESSION: &[Setting] = {
    use Access::Administrator as Admin;
    use Kind::{Bool, Choice, Seconds, SipUri};
    const LIVE: bool = false;
    &[
        row(
            "account.N.session_timer",
            Bool,
            "false",
            Admin,
            LIVE,
            "Whether calls are refreshed while they last, and end when they are not (RFC 4028).",
        ),
        row(
            "account.N.session_expires",
            Seconds { min: 30, max: 65_535 },
            "1800",
            Admin,
            LIVE,
            "The time within which a call is refreshed, where `session_timer` is on.",
        ),
        row(
            "account.N.session_refresher",
            Choice(&["uac", "uas", "open"]),
            "uac",
            Admin,
            LIVE,
            "Who refreshes: the phone (`uac`), the server (`uas`), or whom the other side chooses (`open`).",
        ),
        row(
            "account.N.session_refresh_by",
            Choice(&["auto", "invite", "update"]),
            "auto",
            Admin,
            LIVE,
            "How a call is refreshed: by UPDATE where the other side takes it and else by INVITE, always by INVITE, or by UPDATE first.",
        ),
        row(
            "account.N.reliable",
            Bool,
            "false",
            Admin,
            LIVE,
            "Whether provisional responses are sent and asked for reliably (100rel and PRACK, RFC 3262).",
        ),
        row(
            "account.N.redirect",
            Choice(&["follow", "ask", "never"]),
            "follow",
            Admin,
            LIVE,
            "What a call does that is sent elsewhere (302): follows, to 8 addresses at most, asks the person first, or ends.",
        ),
        row(
            "account.N.redirect_call_id",
            Choice(&["new", "same"]),
            "new",
            Admin,
            LIVE,
            "Whether a call that follows has a new Call-ID, or the same one with a higher number.",
        ),
        row(
            "account.N.server2",
            SipUri,
            "",
            Admin,
            LIVE,
            "The secondary server, with the port; nothing if there is none.",
        ),
        row(
            "account.N.redundancy",
            Choice(&["successive", "concurrent"]),
            "successive",
            Admin,
            LIVE,
            "Whether the account registers at the secondary server once the first one fails, or at both.",
        ),
        row(
            "account.N.outbound_proxy2",
            SipUri,
            "",
            Admin,
            LIVE,
            "The outbound proxy that is taken when the first one fails; nothing if there is none.",
        ),
    ]
};
