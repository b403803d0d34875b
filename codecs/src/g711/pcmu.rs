//! G.711 mu-law, `PCMU` (RFC 3551 §4.5.14): North America and Japan.

pub use super::mulaw::{decode_sample, encode_sample};

super::law!("PCMU", 0, 0xff);
