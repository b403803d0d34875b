//! The package `refer` (RFC 3515): the progress of a referred request, as a fragment of a message (RFC 3420).
