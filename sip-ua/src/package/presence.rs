//! The package `presence` (RFC 3856): PIDF documents (RFC 3863).
