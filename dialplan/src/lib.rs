#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod collector;
mod map;

pub use collector::{Collector, CollectorConfig, DialCause, DigitError, Event, Timer};
pub use map::{DigitMap, MapError, MapErrorKind, MatchResult};
