//! The telephone in virtual time, what it draws, and its panel.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops on what should not happen"
)]

mod calls;
mod conference;
mod desk;
mod features;
mod headless;
mod panel;
mod policy;
mod screens;
mod serving;
mod told;
mod transfer;
mod watch;
