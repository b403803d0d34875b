//! Offers and answers: the RFCs' examples, those of real phones, keys, and chance.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops on what should not happen"
)]

mod examples;
mod offers;
mod random;
mod security;
