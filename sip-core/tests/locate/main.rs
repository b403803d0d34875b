//! Server location by scripted answers (RFC 3263).

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets the unexpected stops"
)]

mod cache;
mod failover;
mod machine;
mod questions;
mod settings;
#[path = "../support/locate.rs"]
mod support;
