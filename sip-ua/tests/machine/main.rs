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

mod crossings;
mod digest;
mod incoming;
mod location;
mod net;
mod outgoing;
mod reach;
mod refusal;
mod registration;
mod reinvite;
mod requests;
mod simulation;
mod subscription;
mod support;
mod transfer;
