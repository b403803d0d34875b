//! Whether an incoming call is taken at all: block lists, anonymous callers, do not disturb, forwarding, one after the other.
