#![doc = include_str!("../README.md")]

pub mod dtmf;
pub mod jitter;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
mod stats;
pub mod stream;

pub mod tone;

pub use sdp::{Direction, Negotiated};
pub use stats::StreamStats;
pub use stream::{Channel, MediaTransmit, Stream, StreamConfig, StreamEvent};
