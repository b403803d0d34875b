//! Three phones on a bad network, one feature after the other: whatever their users do, in the end both sides of each call
//! know the same of it, every transfer and every subscription has had its last word, and nothing is left behind.
//!
//! 500 runs for each feature, or `SEEDS=n`; `SEED=n` runs one of them and prints its ladder. A run that fails prints its
//! ladder too.
//!
//! What may be refused, and why: 481 where one of the two users has ended the call, or the subscription is over, while the
//! request was under way (`wire.rs` looks at each); 491 to an offer that meets one of the other side; 500 to an offer or a
//! REFER that a later request of the same dialog has overtaken (RFC 3261 §12.2.2); 603 to a Replaces of a call that has just
//! ended (RFC 3891 §3), and where the user model declines a transfer.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::alloc_instead_of_core,
    reason = "tests fail by panicking"
)]

mod act;
mod phone;
mod run;
mod watch;
mod wire;

use run::run_all;

/// What the users of a run do besides calling, answering and hanging up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Hold and resume.
    Hold,
    /// Transfer without consultation.
    Blind,
    /// Transfer to somebody whom the user has another call with.
    Attended,
    /// Picking up what rings elsewhere.
    Pickup,
    /// Watching each other.
    Watch,
    /// A second call, for which the first one is held.
    Waiting,
}

#[test]
fn hold_and_resume_end_the_same_on_both_sides() {
    run_all(Feature::Hold, &["holds", "resumes", "hangs"]);
}

#[test]
fn blind_transfers_end_with_whom_they_should() {
    run_all(Feature::Blind, &["transfers", "hangs"]);
}

#[test]
fn attended_transfers_replace_the_consultation_call() {
    run_all(Feature::Attended, &["joins", "hangs"]);
}

#[test]
fn calls_that_ring_elsewhere_are_picked_up_or_not_by_one_only() {
    run_all(Feature::Pickup, &["picks", "answers", "hangs"]);
}

#[test]
fn every_watcher_has_the_last_state_in_the_end() {
    run_all(Feature::Watch, &["watches", "forgets", "changes", "turns", "allows"]);
}

#[test]
fn no_more_than_one_call_of_a_phone_is_not_held() {
    run_all(Feature::Waiting, &["takes", "swaps", "hangs"]);
}
