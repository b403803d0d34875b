//! The rows about features that the telephone shares with its server.

use super::table::row;
use super::{Access, Kind, Setting};

/// The settings of an account, and after them those of the telephone.
pub(super) const SERVER: &[Setting] = {
    use Access::Administrator as Admin;
    use Kind::{Bool, Choice, Seconds};
    const RESTART: bool = true;
    &[
        row(
            "account.N.feature_sync",
            Choice(&["phone", "on", "off"]),
            "phone",
            Admin,
            RESTART,
            "Whether do not disturb and the forwards of this account are the server's (event package `as-feature-event`); `phone` as `calls.feature_sync` says.",
        ),
        row(
            "account.N.feature_sync_interval",
            Seconds { min: 60, max: 86_400 },
            "3600",
            Admin,
            RESTART,
            "The lifetime asked for that.",
        ),
        row(
            "calls.feature_sync",
            Bool,
            "false",
            Admin,
            RESTART,
            "The same for every account that does not say otherwise.",
        ),
    ]
};
