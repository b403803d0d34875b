//! The driver with real sockets on loopback.

#![cfg(feature = "tokio")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets the unexpected stops"
)]

#[cfg(all(feature = "tls", feature = "ws"))]
#[path = "../support/certificates.rs"]
mod certificates;
#[path = "../support/party.rs"]
mod party;
#[cfg(all(feature = "tls", feature = "ws"))]
#[path = "../support/server.rs"]
mod server;
mod sockets;
#[path = "../support/mod.rs"]
mod support;
mod tcp;
mod tls;
mod udp;
mod websocket;
