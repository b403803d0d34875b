//! Who calls: which header is believed, in which order, and the name that is shown (caller identity, CNAM).
