//! The endpoint around its transactions.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets the unexpected stops"
)]

mod connections;
#[path = "../support/endpoint.rs"]
mod endpoint;
mod flows;
mod network;
mod overload;
mod routing;
#[path = "../support/mod.rs"]
mod support;
mod switch;
mod unreachable;
