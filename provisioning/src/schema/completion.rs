//! The rows about calls that are completed later: whoever was busy is watched, and called when free.

use super::table::row;
use super::{Access, Kind, Setting};

/// The settings of call completion.
pub(super) const COMPLETION: &[Setting] = {
    use Access::User;
    use Kind::{Bool, Seconds};
    const RESTART: bool = true;
    &[
        row(
            "call_completion.enabled",
            Bool,
            "false",
            User,
            RESTART,
            "Whether the phone offers to watch who was busy or did not answer, and to call when he is free.",
        ),
        row(
            "call_completion.no_answer",
            Bool,
            "true",
            User,
            RESTART,
            "Whether it does so for who did not answer, too: once he has talked and is free again.",
        ),
        row(
            "call_completion.watch",
            Seconds { min: 60, max: 86_400 },
            "1200",
            User,
            RESTART,
            "How long somebody is watched.",
        ),
        row(
            "call_completion.answer",
            Seconds { min: 5, max: 300 },
            "30",
            User,
            RESTART,
            "How long the phone asks then whether to call.",
        ),
    ]
};
