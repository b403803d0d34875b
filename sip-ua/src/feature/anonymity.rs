//! Calls without a name, ours and others': Privacy, the forms of From, and the refusal of anonymous callers.
