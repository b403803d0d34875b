//! The telephone in virtual time, what it draws, and its panel.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops on what should not happen"
)]

mod agent;
mod bridged;
mod calls;
mod charge;
mod codes;
mod conference;
mod desk;
mod dialplan;
mod features;
mod habits;
mod headless;
mod hot_desk;
mod hoteling;
mod in_call;
mod key_features;
mod keys;
mod manual;
mod panel;
mod policy;
mod recorder;
mod redirection;
mod screens;
mod serving;
mod settings;
mod several;
mod shared;
mod shipped;
mod texts;
mod told;
mod tones;
mod transfer;
mod watch;
