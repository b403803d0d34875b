//! Digest authentication.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets the unexpected stops"
)]

mod random;
mod sessions;
mod vectors;
