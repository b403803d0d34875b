//! Messages, from octets and back.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets the unexpected stops"
)]

mod auth;
mod examples;
mod leniency;
mod limits;
mod multipart;
mod mutated;
mod stream;
mod torture;
mod uri;
