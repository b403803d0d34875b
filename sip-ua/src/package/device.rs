//! The packages `ua-profile` (RFC 6080) and `check-sync`: where a phone's settings are, and that they changed.
