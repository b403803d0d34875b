//! Headers: their grammar and their tables.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets the unexpected stops"
)]

mod examples;
mod random;
mod tables;
mod values;
