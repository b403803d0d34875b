//! Three phones with random users and a real [`Pbx`](sidetone_pbx::Pbx) between them, on a network that loses, repeats and
//! reorders one datagram in ten each; a fourth phone, the desk, watches everybody's lamps. One feature after the other:
//! when everything has gone quiet, both ends of each call know the same of it, the lamps show the truth, and when all
//! have gone home nothing is left in the PBX, its extensions or the phones.
//!
//! The phones are agents without I/O; the PBX is the whole program on tokio, in paused time, on a network in memory. So a
//! run of many minutes takes milliseconds.
//!
//! 500 runs for each feature, or `SEEDS=n`; `SEED=n` runs one of them and prints its ladder. A run that fails prints its
//! ladder too. A seed gives the same messages again, byte for byte.
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
mod music;
mod network;
mod phone;
mod run;
mod settings;
mod site;
mod texts;
mod watch;
mod wire;

use run::{run_all, run_twice};

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
    /// Texts, while telephones unregister and register again.
    Texts,
    /// Do not disturb and forwarding by keys, which the PBX knows of, and by codes, which the telephones hear of.
    Settings,
    /// Agents of a queue, who sign in and out.
    Agents,
    /// Hold with music from a server.
    Music,
    /// A room whose members bring others in, by REFERs in both orders.
    Conference,
    /// Transfer to somebody whom the user rings.
    SemiAttended,
    /// Session timers, and a telephone that is unplugged.
    Timers,
    /// Provisional responses that are acknowledged, with early media.
    Reliable,
    /// Watching each other's numbers, without a PBX: those who are told are turned away and allowed by their users.
    Watch,
    /// A second call, for which the first one is held.
    Waiting,
}

/// What is between the phones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The whole program.
    Pbx,
    /// Nothing: they call each other at their addresses.
    Direct,
}

/// All that need a PBX, or go with one.
const WITH_PBX: [Feature; 21] = [
    Feature::Calls,
    Feature::Hold,
    Feature::Forward,
    Feature::DoNotDisturb,
    Feature::Group,
    Feature::Pickup,
    Feature::Blind,
    Feature::Attended,
    Feature::Park,
    Feature::Room,
    Feature::Lamps,
    Feature::Voicemail,
    Feature::Completion,
    Feature::Texts,
    Feature::Settings,
    Feature::Agents,
    Feature::Music,
    Feature::Conference,
    Feature::SemiAttended,
    Feature::Timers,
    Feature::Reliable,
];

/// Those that go without.
const DIRECT: [Feature; 6] =
    [Feature::Hold, Feature::Blind, Feature::Attended, Feature::Pickup, Feature::Watch, Feature::Waiting];

#[test]
fn a_seed_gives_the_same_messages_again() {
    let all = WITH_PBX.map(|feature| (Setting::Pbx, feature));
    for (setting, feature) in all.into_iter().chain(DIRECT.map(|feature| (Setting::Direct, feature))) {
        for seed in [1, 2] {
            run_twice(seed, setting, feature);
        }
    }
}

#[test]
fn calls_end_the_same_on_both_sides() {
    run_all(Setting::Pbx, Feature::Calls, &["calls", "answers", "hangs"]);
}

#[test]
fn hold_and_resume_end_the_same_on_both_sides() {
    run_all(Setting::Pbx, Feature::Hold, &["holds", "resumes", "hangs"]);
}

#[test]
fn forwarded_calls_end_with_one_who_answers_or_nobody() {
    run_all(Setting::Pbx, Feature::Forward, &["dials", "diverted", "answers", "hangs"]);
}

#[test]
fn who_is_not_to_be_disturbed_is_not() {
    run_all(Setting::Pbx, Feature::DoNotDisturb, &["dials", "busy", "answers", "hangs"]);
}

#[test]
fn a_group_gives_its_call_to_one_member() {
    run_all(Setting::Pbx, Feature::Group, &["dials", "answers", "hangs"]);
}

#[test]
fn calls_that_ring_elsewhere_are_picked_up_or_not_by_one_only() {
    run_all(Setting::Pbx, Feature::Pickup, &["picks", "replaced", "picked", "hangs"]);
}

#[test]
fn blind_transfers_end_with_whom_they_should() {
    run_all(Setting::Pbx, Feature::Blind, &["transfers", "succeeded", "hangs"]);
}

#[test]
fn attended_transfers_replace_the_consultation_call() {
    run_all(Setting::Pbx, Feature::Attended, &["joins", "succeeded", "hangs"]);
}

#[test]
fn parked_calls_are_fetched_or_come_back() {
    run_all(Setting::Pbx, Feature::Park, &["parks", "fetches", "parked", "hangs"]);
}

#[test]
fn a_room_knows_who_is_in_it() {
    run_all(Setting::Pbx, Feature::Room, &["dials", "room", "hangs"]);
}

#[test]
fn every_lamp_shows_the_truth_in_the_end() {
    run_all(Setting::Pbx, Feature::Lamps, &["watches", "forgets", "hangs"]);
}

#[test]
fn every_mailbox_lamp_shows_what_is_in_the_mailbox() {
    run_all(Setting::Pbx, Feature::Voicemail, &["dials", "left"]);
}

#[test]
fn who_was_busy_is_called_when_free() {
    run_all(Setting::Pbx, Feature::Completion, &["completes", "offered", "hangs"]);
}

#[test]
fn every_text_comes_and_in_its_order() {
    run_all(Setting::Pbx, Feature::Texts, &["writes", "goes", "comes", "sent", "waits"]);
}

#[test]
fn settings_are_the_same_at_the_telephone_and_at_the_pbx() {
    run_all(Setting::Pbx, Feature::Settings, &["forwards", "shuts", "dials", "diverted", "busy"]);
}

#[test]
fn a_queue_calls_the_agents_who_take_its_calls() {
    run_all(Setting::Pbx, Feature::Agents, &["agent", "queued", "wraps", "probed"]);
}

#[test]
fn who_is_held_hears_music_until_taken_back() {
    run_all(Setting::Pbx, Feature::Music, &["plays", "music", "resumes", "hangs"]);
}

#[test]
fn a_room_fetches_whom_its_members_bring() {
    run_all(Setting::Pbx, Feature::Conference, &["invites", "brings", "succeeded", "replaced", "room"]);
}

#[test]
fn a_call_that_still_rings_is_handed_on() {
    run_all(Setting::Pbx, Feature::SemiAttended, &["hands", "replaced", "succeeded", "hangs"]);
}

#[test]
fn a_call_whose_other_end_is_gone_ends_by_its_timer_and_no_other() {
    run_all(Setting::Pbx, Feature::Timers, &["expired", "lasts", "hangs"]);
}

#[test]
fn provisional_responses_come_reliably() {
    run_all(Setting::Pbx, Feature::Reliable, &["early", "answers", "hangs"]);
}

/// Without a PBX.
mod direct {
    use super::{Feature, Setting, run_all};

    #[test]
    fn hold_and_resume_end_the_same_on_both_sides() {
        run_all(Setting::Direct, Feature::Hold, &["holds", "resumes", "hangs"]);
    }

    #[test]
    fn blind_transfers_end_with_whom_they_should() {
        run_all(Setting::Direct, Feature::Blind, &["transfers", "hangs"]);
    }

    #[test]
    fn attended_transfers_replace_the_consultation_call() {
        run_all(Setting::Direct, Feature::Attended, &["joins", "hangs"]);
    }

    #[test]
    fn calls_that_ring_elsewhere_are_picked_up_or_not_by_one_only() {
        run_all(Setting::Direct, Feature::Pickup, &["picks", "answers", "hangs"]);
    }

    #[test]
    fn every_watcher_has_the_last_state_in_the_end() {
        run_all(Setting::Direct, Feature::Watch, &["watches", "forgets", "changes", "turns", "allows"]);
    }

    #[test]
    fn no_more_than_one_call_of_a_phone_is_not_held() {
        run_all(Setting::Direct, Feature::Waiting, &["takes", "swaps", "hangs"]);
    }
}
