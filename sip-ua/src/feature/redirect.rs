//! Calls that a 3xx sends elsewhere: whom to try next, and loops stopped.
