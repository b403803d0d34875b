//! Streams, their jitter buffer and their keys, in virtual time.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops on what should not happen"
)]

mod alloc;
mod call;
#[path = "../common/mod.rs"]
mod common;
mod dtmf_events;
mod dtmf_stream;
mod jitter_alloc;
mod jitter_drift;
mod jitter_grid;
mod jitter_listening;
mod jitter_stream;
mod rates;
mod rtcp_stream;
mod rtp_alloc;
mod rtp_stream;
#[path = "../../../codecs/tests/common/signal.rs"]
mod signal;
mod silence;
mod srtp;
mod srtp_stream;
#[path = "../common/voice.rs"]
mod voice;
