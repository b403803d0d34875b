//! The package `dialog` (RFC 4235): the dialogs of an extension, in full or in part, with versions.
