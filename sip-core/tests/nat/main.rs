//! Behind a NAT: STUN, keep-alive, public addresses.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets the unexpected stops"
)]

mod discovery;
mod keepalive;
#[path = "../support/stun.rs"]
mod stun;
mod stun_binding;
mod stun_messages;
#[path = "../support/mod.rs"]
mod support;
mod world;
