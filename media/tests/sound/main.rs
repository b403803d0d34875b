//! What is done to sound beside coding it: tones, digits, levels, rates, mixing, echo, files.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test stops on what should not happen"
)]

mod dtmf_inband;
mod echo;
mod level;
#[path = "../../examples/erle/measure.rs"]
mod measure;
mod mix;
mod resample;
mod room;
#[path = "../../../codecs/tests/common/signal.rs"]
mod signal;
#[path = "../signals/mod.rs"]
mod signals;
mod tone_generator;
mod tone_notation;
mod tone_progress;
mod wav;
