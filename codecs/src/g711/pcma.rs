//! G.711 A-law, `PCMA` (RFC 3551 §4.5.14): the rest of the world.

pub use super::alaw::{decode_sample, encode_sample};

super::law!("PCMA", 8, 0xd5);
