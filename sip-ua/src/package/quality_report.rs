//! The package `vq-rtcpxr` (RFC 6035): how a call sounded, published at its end.
