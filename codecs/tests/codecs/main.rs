//! The codecs, concealment, comfort noise and voice activity: against reference programs' digests, and by what is heard.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::precedence,
    reason = "a test stops on what should not happen"
)]

#[cfg(feature = "amr")]
mod amr_decode;
#[cfg(feature = "amr")]
mod amr_encode;
#[cfg(all(feature = "cn", feature = "vad"))]
mod cn;
#[path = "../common/mod.rs"]
mod common;
#[cfg(all(feature = "alloc", feature = "pcmu"))]
#[path = "../common/fuzz.rs"]
mod fuzz;
#[cfg(all(feature = "pcmu", feature = "pcma"))]
mod g711;
#[cfg(feature = "g722")]
mod g722;
#[cfg(feature = "g7231")]
mod g7231;
#[cfg(feature = "g726")]
mod g726;
#[cfg(feature = "g729")]
mod g729;
#[cfg(all(feature = "alloc", feature = "pcmu"))]
mod garbage;
#[cfg(feature = "ilbc")]
mod ilbc;
#[cfg(feature = "l16")]
mod l16;
#[cfg(feature = "opus")]
mod opus;
#[cfg(any(feature = "pcmu", feature = "pcma", feature = "g726", feature = "l16"))]
mod plc;
#[cfg(feature = "alloc")]
mod registry;
#[cfg(feature = "vad")]
mod vad;
