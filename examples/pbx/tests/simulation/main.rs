//! Three phones with random users and a real [`Pbx`](sidetone_pbx::Pbx) between them, on a network that loses, repeats and
//! reorders one datagram in ten each; a fourth phone, the desk, watches everybody's lamps. One feature after the other:
//! when everything has gone quiet, both ends of each call know the same of it, the lamps show the truth, and when all
//! have gone home nothing is left in the PBX, its extensions or the phones.
//!
//! The phones are agents without I/O; the PBX is the whole program on tokio, in paused time, on a network in memory. So a
//! run of many minutes takes milliseconds.
//!
//! 500 runs for each feature (80 for those whose calls stay at extensions), or `SEEDS=n`; `SEED=n` runs one of them and prints its ladder. A run that fails prints its
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
    clippy::unreachable,
    reason = "tests fail by panicking"
)]

mod act;
mod lamps;
mod network;
mod phone;
mod run;
mod site;
mod wire;

use run::run_all;

/// What the users of a run do besides calling, answering and hanging up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Nothing.
    Calls,
    /// Hold and resume.
    Hold,
    /// Forwarding: always, busy, not answered; set and reset by codes.
    Forward,
    /// Do not disturb, by codes.
    DoNotDisturb,
    /// Groups whose members ring together, or one after the other.
    Group,
    /// Taking what rings elsewhere: by number, of the group, and by a lamp.
    Pickup,
    /// Transfer without consultation.
    Blind,
    /// Transfer to somebody whom the user has another call with.
    Attended,
    /// Parking at an orbit, and taking from there.
    Park,
    /// A conference room.
    Room,
    /// Watching each other, lists and mailboxes, and no longer.
    Lamps,
    /// Leaving and hearing messages.
    Voicemail,
    /// Calling when who was busy is free.
    Completion,
}

#[test]
fn calls_end_the_same_on_both_sides() {
    run_all(Feature::Calls, &["calls", "answers", "hangs"]);
}

#[test]
fn hold_and_resume_end_the_same_on_both_sides() {
    run_all(Feature::Hold, &["holds", "resumes", "hangs"]);
}

#[test]
fn forwarded_calls_end_with_one_who_answers_or_nobody() {
    run_all(Feature::Forward, &["dials", "diverted", "answers", "hangs"]);
}

#[test]
fn who_is_not_to_be_disturbed_is_not() {
    run_all(Feature::DoNotDisturb, &["dials", "busy", "answers", "hangs"]);
}

#[test]
fn a_group_gives_its_call_to_one_member() {
    run_all(Feature::Group, &["dials", "answers", "hangs"]);
}

#[test]
fn calls_that_ring_elsewhere_are_picked_up_or_not_by_one_only() {
    run_all(Feature::Pickup, &["picks", "replaced", "picked", "hangs"]);
}

#[test]
fn blind_transfers_end_with_whom_they_should() {
    run_all(Feature::Blind, &["transfers", "succeeded", "hangs"]);
}

#[test]
fn attended_transfers_replace_the_consultation_call() {
    run_all(Feature::Attended, &["joins", "succeeded", "hangs"]);
}

#[test]
fn parked_calls_are_fetched_or_come_back() {
    run_all(Feature::Park, &["parks", "fetches", "parked", "hangs"]);
}

#[test]
fn a_room_knows_who_is_in_it() {
    run_all(Feature::Room, &["dials", "room", "hangs"]);
}

#[test]
fn every_lamp_shows_the_truth_in_the_end() {
    run_all(Feature::Lamps, &["watches", "forgets", "hangs"]);
}

#[test]
fn every_mailbox_lamp_shows_what_is_in_the_mailbox() {
    run_all(Feature::Voicemail, &["dials", "left"]);
}

#[test]
fn who_was_busy_is_called_when_free() {
    run_all(Feature::Completion, &["completes", "offered", "hangs"]);
}
