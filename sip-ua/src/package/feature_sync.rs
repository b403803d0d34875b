//! The package `as-feature-event` (BroadSoft): do not disturb, forwarding and agent states shared with the server.
