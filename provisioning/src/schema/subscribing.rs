//! The rows about how an account's subscriptions are kept.

use super::table::row;
use super::{Access, Kind, Setting};

/// The settings of an account.
pub(super) const SUBSCRIBING: &[Setting] = {
    use Access::Administrator as Admin;
    use Kind::{Bool, Integer, Seconds, SecondsOrZero};
    const LIVE: bool = false;
    &[
        row(
            "account.N.subscribe_expires",
            Seconds { min: 1, max: u32::MAX },
            "3600",
            Admin,
            LIVE,
            "The lifetime asked for by subscriptions that have none of their own.",
        ),
        row(
            "account.N.subscribe_refresh",
            Integer { min: 0, max: 100 },
            "0",
            Admin,
            LIVE,
            "After how many percent of its lifetime a subscription is refreshed; 0 draws it between 75 and 90.",
        ),
        row(
            "account.N.subscribe_retry",
            SecondsOrZero { min: 10, max: 86_400 },
            "0",
            Admin,
            LIVE,
            "The time from a subscription that failed to the next attempt; 0 begins with 30 s, doubles it up to half an hour, and ends at what will hardly change.",
        ),
        row(
            "account.N.subscribe_stops_on_403",
            Bool,
            "false",
            Admin,
            LIVE,
            "Whether no further attempt follows a 403 in any case.",
        ),
        row(
            "account.N.mwi_to_voice_mail",
            Bool,
            "false",
            Admin,
            LIVE,
            "Whether waiting messages are asked for at `voice_mail` in place of the account.",
        ),
        row(
            "account.N.mwi_voice_line",
            Bool,
            "false",
            Admin,
            LIVE,
            "Whether messages wait only where the server also counts those of the voice mail (`Voice-Message`).",
        ),
    ]
};
