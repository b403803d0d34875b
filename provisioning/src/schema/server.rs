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
            "account.N.advice_of_charge",
            Bool,
            "false",
            Admin,
            RESTART,
            "Whether calls ask the server to tell what they cost (3GPP TS 24.647); what it tells unasked is always shown.",
        ),
        row(
            "account.N.shared_call",
            Bool,
            "false",
            Admin,
            RESTART,
            "Whether the server controls the line by shared-call signalling (`call-info`, `line-seize`), so that several telephones have its calls in common. Not together with `feature_sync`.",
        ),
        row(
            "account.N.bridged_line",
            Bool,
            "false",
            Admin,
            RESTART,
            "Whether the account is one of bridged line appearances (`dialog;sla`, draft-anil-sipping-bla), so that several telephones have its calls in common. Not together with `shared_call`.",
        ),
        row(
            "account.N.barge_in",
            Bool,
            "false",
            Admin,
            RESTART,
            "Whether the telephones of a bridged line may barge into each other's calls (`Join`, RFC 3911): the others here, and this one there by the key of the call.",
        ),
        row(
            "account.N.acd",
            Bool,
            "false",
            Admin,
            RESTART,
            "Whether whoever uses this account is an agent of a call centre.",
        ),
        row(
            "account.N.acd_interval",
            Seconds { min: 120, max: 65_535 },
            "1800",
            Admin,
            RESTART,
            "The lifetime asked for being told of the agent, where the account shares nothing else with its server.",
        ),
        row("acd.wrap_up", Bool, "true", Admin, RESTART, "Whether a call that ends leaves work to an agent."),
        row(
            "acd.auto_available",
            Bool,
            "false",
            Admin,
            RESTART,
            "Whether an agent takes calls by itself after that, and after signing in.",
        ),
        row(
            "acd.auto_available_after",
            Seconds { min: 0, max: 180 },
            "90",
            Admin,
            RESTART,
            "After which time.",
        ),
        row(
            "calls.record_key",
            Bool,
            "false",
            Admin,
            RESTART,
            "Whether a call has a soft key that has the server record it (INFO with the header `Record`).",
        ),
        row(
            "calls.flash_key",
            Choice(&["terminate", "signal", "flashhook"]),
            "terminate",
            Admin,
            RESTART,
            "What the flash key does in a call: ends it, or tells the server of a hook flash, as `application/dtmf-relay` or as `application/broadsoft`.",
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
