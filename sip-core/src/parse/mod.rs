//! The grammar: character classes, lines, and `nom` parsers for what headers are made of.

pub(crate) mod class;
pub(crate) mod grammar;
pub(crate) mod line;

pub(crate) use grammar::{Fault, Parsed};
