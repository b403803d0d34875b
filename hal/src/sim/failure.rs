//! How a run goes wrong.

use super::World;
use crate::time::{Duration, Instant};
use alloc::string::String;
use core::fmt;

/// Why a run ended before it should.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    /// When, on the world's clock.
    pub at: Instant,
    /// What went wrong.
    pub kind: FailureKind,
}

/// What went wrong in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// The condition did not become true in this time.
    Bound(Duration),
    /// The condition is not true, and nothing is left to happen.
    Idle,
    /// Time stands still: more than [`World::MAX_STEPS_AT_ONCE`] steps at one instant.
    Livelock,
    /// A node asked to be called at a time that was already over when it had just been called.
    StaleTimeout {
        /// Its name.
        node: String,
        /// The time it asked for.
        deadline: Instant,
    },
    /// A node does not stop sending.
    Endless {
        /// Its name.
        node: String,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {} s: ", self.at)?;
        match &self.kind {
            FailureKind::Bound(bound) => write!(f, "the condition did not become true within {bound:?}"),
            FailureKind::Idle => f.write_str("the condition is not true, and nothing is left to happen"),
            FailureKind::Livelock => {
                write!(f, "livelock: more than {} steps at one instant", World::MAX_STEPS_AT_ONCE)
            }
            FailureKind::StaleTimeout { node, deadline } => {
                write!(f, "{node} was called for its timeout and still asks for {deadline} s")
            }
            FailureKind::Endless { node } => write!(f, "{node} does not stop sending"),
        }
    }
}

impl fmt::Debug for Failure {
    /// The same words, so that `unwrap` in a test is readable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for Failure {}
