//! Do not disturb: codes, time windows, who is let through.
