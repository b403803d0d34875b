//! The package `conference` (RFC 4575): who is in a conference.
