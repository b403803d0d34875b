//! Fingerprints of certificates as SDP has them (RFC 8122 §5).

use core::fmt::Write;
use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use subtle::ConstantTimeEq;

/// The value of `a=fingerprint` of a certificate in DER: `sha-256` and pairs of hexadecimal digits.
#[must_use]
pub fn fingerprint(certificate: &[u8]) -> String {
    let mut text = "sha-256 ".to_owned();
    for (i, octet) in digest(&SHA256, certificate).as_ref().iter().enumerate() {
        // Writing to memory cannot fail.
        let _ = write!(text, "{}{octet:02X}", if i == 0 { "" } else { ":" });
    }
    text
}

/// Whether a certificate has this fingerprint. The hashes that count are SHA-256, SHA-384 and SHA-512: with the others
/// of RFC 8122 another certificate could be made to fit.
pub(super) fn has_fingerprint(certificate: &[u8], value: &str) -> bool {
    let Some((name, pairs)) = value.trim().split_once(' ') else { return false };
    let algorithm: &Algorithm = match name.to_ascii_lowercase().as_str() {
        "sha-256" => &SHA256,
        "sha-384" => &SHA384,
        "sha-512" => &SHA512,
        _ => return false,
    };
    let octets = pairs.trim().split(':').map(|pair| match pair.len() {
        2 => u8::from_str_radix(pair, 16).ok(),
        _ => None,
    });
    let Some(octets) = octets.take(65).collect::<Option<Vec<u8>>>() else { return false };
    digest(algorithm, certificate).as_ref().ct_eq(&octets).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_found_again_and_no_other() {
        let value = fingerprint(b"certificate");
        assert_eq!(value.len(), 8 + 95);
        assert!(has_fingerprint(b"certificate", &value));
        assert!(has_fingerprint(b"certificate", &value.to_lowercase()));
        assert!(!has_fingerprint(b"another", &value));
        for wrong in ["", "sha-256", "sha-256 ", "sha-1 AB", "sha-256 AB:C", &value[..100], "sha-256 zz:zz"] {
            assert!(!has_fingerprint(b"certificate", wrong), "{wrong}");
        }
    }
}
