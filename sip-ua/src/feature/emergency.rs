//! Numbers that may always be called.
