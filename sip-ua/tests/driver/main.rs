//! User agents on tokio, over 127.0.0.1: calls, keys, pages, conferences, digits.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test stops on what should not happen"
)]

mod conference;
mod digits;
#[cfg(feature = "dtls")]
mod keys;
mod loopback;
mod negotiation;
mod new_port;
mod paging;
mod steady_state;
