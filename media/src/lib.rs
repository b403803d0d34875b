#![doc = include_str!("../README.md")]

#[cfg(feature = "dtls")]
pub mod dtls;
pub mod dtmf;
pub mod echo;
pub mod gain;
pub mod jitter;
pub mod level;
pub mod mix;
pub mod noise;
pub mod page;
pub mod process;
pub mod quality;
pub mod redundancy;
pub mod resample;
pub mod rtcp;
pub mod rtp;
mod samples;
pub mod sdp;
mod spectrum;
pub mod srtp;
mod stats;
pub mod stream;

pub mod tone;
pub mod wav;

pub use sdp::{Direction, Negotiated};
pub use stats::StreamStats;
pub use stream::relay;
pub use stream::{Channel, MediaTransmit, Stream, StreamConfig, StreamEvent};
