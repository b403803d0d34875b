//! RTP, RTCP and tones as programs that others wrote see and hear them.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops on what should not happen"
)]

#[path = "../common/mod.rs"]
mod common;
mod rtp;
mod tones;
