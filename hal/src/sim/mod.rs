//! The simulated machine: telephones, servers and their network in one process, in virtual time, from one seed.
//!
//! - [`World`] owns the clock, the [`Node`]s and what is in flight between them;
//! - [`LinkConfig`] says what the network does to datagrams: latency, jitter, loss single and in bursts,
//!   reordering, duplication, size and rate limits;
//! - streams (TCP) connect, deliver in order, in chunks cut at random places, and break;
//! - [`NatConfig`] says what a translator between two networks does to addresses;
//! - [`Script`] is a peer that follows a list of steps;
//! - [`ladder::Ladder`] draws who sent what to whom. A world that is dropped by a panic prints it (feature
//!   `std`).
//!
//! The same seed gives the same run, to the microsecond.

mod failure;
pub mod ladder;
mod link;
mod nat;
mod node;
mod script;
mod stream;
#[cfg(test)]
mod tests;
mod world;

pub use failure::{Failure, FailureKind};
pub use link::{Burst, Fate, Link, LinkConfig, LinkStats, LossCause, Rate};
pub use nat::{Filtering, Mapping, NatConfig, NatId};
pub use node::{Node, NodeId};
pub use script::{Received, Script, ScriptFailure};
pub use stream::{StreamError, StreamEvent, StreamRequest};
pub use world::World;
