#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;

mod codec;
mod error;
#[cfg(any(feature = "pcmu", feature = "pcma"))]
mod g711;
#[cfg(any(feature = "pcmu", feature = "pcma"))]
pub mod plc;
mod spec;

pub use codec::{Decoder, Encoder};
pub use error::CodecError;
#[cfg(feature = "pcma")]
pub use g711::pcma;
#[cfg(feature = "pcmu")]
pub use g711::pcmu;
pub use spec::{ALL, CodecSpec, find, find_static};
