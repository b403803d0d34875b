//! The rows about calls without a name: how ours hide who we are, and how those of others are refused.

use super::table::row;
use super::{Access, Kind, Setting};

/// The settings of an account, and after them those of the telephone.
pub(super) const IDENTITY: &[Setting] = {
    use Access::{Administrator as Admin, User};
    use Kind::{Bool, Choice, Integer, Text};
    const LIVE: bool = false;
    /// What the phones take as a code (YLA-064).
    const CODE: Kind = Text { max: 32 };
    const PART: Kind = Choice(&["normal", "anonymous", "none"]);
    &[
        row(
            "account.N.anonymous_name",
            PART,
            "anonymous",
            Admin,
            LIVE,
            "The name in From on an anonymous call.",
        ),
        row(
            "account.N.anonymous_user",
            PART,
            "anonymous",
            Admin,
            LIVE,
            "The user in From on an anonymous call.",
        ),
        row(
            "account.N.anonymous_host",
            Choice(&["normal", "anonymous"]),
            "anonymous",
            Admin,
            LIVE,
            "The host in From on an anonymous call.",
        ),
        row(
            "account.N.privacy",
            Bool,
            "true",
            Admin,
            LIVE,
            "Whether an anonymous call asks the network for privacy (`Privacy: id`).",
        ),
        row(
            "account.N.preferred_identity",
            Choice(&["anonymous", "always", "never"]),
            "anonymous",
            Admin,
            LIVE,
            "On which calls P-Preferred-Identity tells the server who we are.",
        ),
        row(
            "account.N.anonymous_on_code",
            CODE,
            "",
            Admin,
            LIVE,
            "What is dialled when the key makes calls anonymous; nothing dials none.",
        ),
        row("account.N.anonymous_off_code", CODE, "", Admin, LIVE, "The same when they are no more."),
        row(
            "account.N.anonymous_reject_on_code",
            CODE,
            "",
            Admin,
            LIVE,
            "What is dialled when the key refuses anonymous callers; nothing dials none.",
        ),
        row(
            "account.N.anonymous_reject_off_code",
            CODE,
            "",
            Admin,
            LIVE,
            "The same when they are not refused any more.",
        ),
        row(
            "account.N.anonymous_without_number",
            Bool,
            "false",
            User,
            LIVE,
            "Whether a caller without a number counts as anonymous.",
        ),
        row(
            "calls.anonymous_status",
            Integer { min: 400, max: 699 },
            "433",
            Admin,
            LIVE,
            "The status by which anonymous callers are refused.",
        ),
        row(
            "calls.block_status",
            Integer { min: 400, max: 699 },
            "603",
            Admin,
            LIVE,
            "The status by which callers of the block list are refused.",
        ),
    ]
};
