//! Transactions (RFC 3261 §17, RFC 6026).

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets the unexpected stops"
)]

mod cancel;
mod client_timers;
mod many;
mod random;
mod server_timers;
#[path = "../support/mod.rs"]
mod support;
mod timers;

fn run(protocol: sidetone_sip_core::Protocol, script: &str) {
    support::Bench::new(protocol).run(script);
}
