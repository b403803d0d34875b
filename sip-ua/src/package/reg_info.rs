//! The package `reg` (RFC 3680): the bindings of an address of record.
