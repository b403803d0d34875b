//! The rows about several calls at once: what those on hold hear, waiting calls, transfers with consultation, conferences.

use super::table::row;
use super::{Access, Kind, Setting};

/// The settings of an account, and after them those of the telephone.
pub(super) const SEVERAL: &[Setting] = {
    use Access::{Administrator as Admin, User};
    use Kind::{Bool, Choice, Seconds, Text};
    const LIVE: bool = false;
    /// What the phones take as a code (YLA-046).
    const CODE: Kind = Text { max: 32 };
    &[
        row(
            "account.N.call_waiting",
            Bool,
            "true",
            User,
            LIVE,
            "Whether a call of this account may come while there is another; `calls.waiting` is for all accounts.",
        ),
        row(
            "account.N.music_server",
            Text { max: 256 },
            "",
            Admin,
            LIVE,
            "The music server that those on hold hear (RFC 7088), as `sip:moh@example.com`; nothing leaves it to the server of the account or `hold.music`.",
        ),
        row(
            "account.N.conference_type",
            Choice(&["local", "network"]),
            "local",
            Admin,
            LIVE,
            "Whether the phone joins calls itself, or has the server do it (RFC 4579).",
        ),
        row(
            "account.N.conference_uri",
            Text { max: 511 },
            "",
            Admin,
            LIVE,
            "What is called for a conference of the server, as `conference@example.com`.",
        ),
        row(
            "account.N.conference_order",
            Choice(&["member", "focus"]),
            "member",
            Admin,
            LIVE,
            "Who is asked when somebody joins a conference of the server: the member is to call it, or it is to call the member.",
        ),
        row(
            "conference.leave",
            Choice(&["end", "transfer"]),
            "end",
            User,
            LIVE,
            "What becomes of a conference on the phone when the person leaves it: it ends, or the two others go on with each other.",
        ),
        row(
            "hold.music",
            Text { max: 255 },
            "",
            Admin,
            LIVE,
            "A WAV file that those on hold hear, where no music server is set; nothing plays none.",
        ),
        row("hold.tone", Bool, "true", User, LIVE, "Whether a tone reminds of a call on hold."),
        row(
            "hold.tone_delay",
            Seconds { min: 1, max: 3600 },
            "30",
            User,
            LIVE,
            "The time between two such tones.",
        ),
        row(
            "calls.waiting_on_code",
            CODE,
            "",
            Admin,
            LIVE,
            "What is dialled when waiting calls are switched on.",
        ),
        row("calls.waiting_off_code", CODE, "", Admin, LIVE, "What is dialled when they are switched off."),
        row(
            "transfer.semi_attended",
            Choice(&["cancel", "replaces"]),
            "cancel",
            Admin,
            LIVE,
            "How a call is transferred to who still rings: the call there is given up before the transfer, or taken over by it (RFC 3891).",
        ),
        row(
            "transfer.missed_prompt",
            Bool,
            "false",
            Admin,
            LIVE,
            "Whether who still rings is left with a missed call from us then.",
        ),
    ]
};
