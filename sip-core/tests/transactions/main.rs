//! Transactions (RFC 3261 §17, RFC 6026).

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets the unexpected stops"
)]

mod many;
mod random;
#[path = "../support/mod.rs"]
mod support;
mod timers;
