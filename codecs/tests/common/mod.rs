//! What the codecs' tests share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::precedence,
    reason = "a test stops on what should not happen"
)]

pub mod signal;
pub mod vectors;

use sha2::{Digest as _, Sha256};

/// SHA-256 in lower-case hexadecimal.
pub fn sha256(octets: &[u8]) -> String {
    Sha256::digest(octets).iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Samples as little-endian octets.
pub fn octets(pcm: &[i16]) -> Vec<u8> {
    pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// SHA-256 of samples as little-endian octets.
pub fn sha256_pcm(pcm: &[i16]) -> String {
    sha256(&octets(pcm))
}

/// Signal-to-noise ratio in dB of `heard` against `meant`, over the shorter of the two.
pub fn snr(meant: &[i16], heard: &[i16]) -> f64 {
    let (mut signal, mut noise) = (0.0, 0.0);
    for (&meant, &heard) in meant.iter().zip(heard) {
        signal += f64::from(meant).powi(2);
        noise += (f64::from(meant) - f64::from(heard)).powi(2);
    }
    10.0 * (signal.max(1e-9) / noise.max(1e-9)).log10()
}
