#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(feature = "amr")]
pub mod amr;
mod choice;
#[cfg(feature = "cn")]
pub mod cn;
mod codec;
mod error;
#[cfg(any(feature = "amr", feature = "g722", feature = "g7231", feature = "g729"))]
mod fixed;
#[cfg(any(feature = "amr", feature = "g729"))]
mod fixed_math;
mod fmtp;
#[cfg(any(feature = "pcmu", feature = "pcma", feature = "g726"))]
mod g711;
#[cfg(feature = "g722")]
pub mod g722;
#[cfg(feature = "g7231")]
pub mod g7231;
#[cfg(feature = "g726")]
pub mod g726;
#[cfg(feature = "g729")]
pub mod g729;
#[cfg(feature = "ilbc")]
pub mod ilbc;
#[cfg(feature = "l16")]
pub mod l16;
#[cfg(feature = "opus")]
pub mod opus;
#[cfg(any(feature = "pcmu", feature = "pcma", feature = "g726", feature = "l16"))]
pub mod plc;
mod spec;
#[cfg(feature = "vad")]
pub mod vad;

pub use choice::{ChoiceError, CodecChoice};
pub use codec::{Decoder, Encoded, Encoder};
pub use error::CodecError;
pub use fmtp::{Agree, Fmtp, FmtpError, Rule, Values};
#[cfg(feature = "pcma")]
pub use g711::pcma;
#[cfg(feature = "pcmu")]
pub use g711::pcmu;
pub use spec::{ALL, CodecSpec, find, find_static};
