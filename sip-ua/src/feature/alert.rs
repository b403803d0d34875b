//! How a call rings: Alert-Info, Bellcore rings, internal and external calls.
