//! What can be wrong with a body.

use alloc::string::String;
use thiserror::Error;

/// A body that is not what its type says: what is wrong, where, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {what}")]
pub struct PackageError {
    /// Counted from 1.
    pub line: u32,
    /// Counted from 1, in characters.
    pub column: u32,
    /// In words: what is wrong, and what was expected.
    pub what: String,
}

impl PackageError {
    /// An error at a place.
    #[must_use]
    pub fn new(line: u32, column: u32, what: impl Into<String>) -> Self {
        Self { line, column, what: what.into() }
    }
}
