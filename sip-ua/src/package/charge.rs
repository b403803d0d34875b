//! Advice of charge (3GPP TS 24.647): what a call costs.
