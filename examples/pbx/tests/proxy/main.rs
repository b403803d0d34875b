//! The registrar and the proxy in virtual time against hand-written peers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable,
    reason = "a test fails by panicking, in its helpers too"
)]

mod admission;
mod calls;
mod dialogs;
mod divert;
mod pickup;
mod registrar;
mod services;
mod shared;
mod support;
