//! Transactions (RFC 3261 §17, RFC 6026, RFC 4320): one request and its responses.
//!
//! Four machines, one a file, know their states and timers and nothing else. The layer keeps them in a slab,
//! matches messages to them by key and wakes them by deadline, for 100 000 at a time and more; [`Timers`] is RFC 3261 table 4 as data.

pub(crate) mod client;
pub(crate) mod client_invite;
mod deadlines;
pub(crate) mod key;
pub(crate) mod layer;
pub(crate) mod server;
pub(crate) mod server_invite;
pub(crate) mod timers;
mod trying;

use crate::transport::FlowError;
use core::fmt;
pub use timers::{Timer, Timers};

/// Names one transaction of one endpoint; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "transaction {}.{}", self.index, self.generation)
    }
}

/// Why a transaction ended without what it was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionFailure {
    /// Client: no final response in time (timers B and F, or 64·T1 after a CANCEL): as if 408 had come.
    /// Server INVITE: no ACK in time (timer H).
    #[error("nothing came from the other side in time")]
    Timeout,
    /// The message could not be sent: as if 503 had come.
    #[error("transport: {0}")]
    Transport(FlowError),
}
