//! The agent against a scripted peer, in virtual time.
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

mod bridged_line;
mod content;
mod crossings;
mod digest;
mod early;
mod focus;
mod forks;
mod incoming;
mod join;
mod location;
mod music;
mod net;
mod offers;
mod outgoing;
mod publication;
mod reach;
mod redirect;
mod refusal;
mod registration;
mod registration_flows;
mod registration_rules;
mod registration_servers;
mod registration_simulation;
mod reinvite;
mod reliable;
mod requests;
mod retry;
mod shared_line;
mod simulation;
mod statuses;
mod subscription;
mod support;
mod switch;
mod timer;
mod transfer;
mod unsubscribe;
mod untouched;
mod update;
