//! The package `message-summary` (RFC 3842): messages that wait.
