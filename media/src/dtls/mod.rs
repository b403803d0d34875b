//! Keys of SRTP by DTLS between the RTP ports (RFC 5763, RFC 5764), over the engine of the `dimpl` crate.
//!
//! SDP says each side's certificate by its fingerprint (`a=fingerprint`, RFC 8122) and who begins (`a=setup`); a
//! [`Handshake`] then passes its datagrams over the sockets of RTP, told apart from it by their first octet
//! ([`is_dtls`]), and comes to [`SrtpKeys`](crate::srtp::SrtpKeys) for
//! [`Stream::set_srtp`](crate::Stream::set_srtp). A stream whose [`Negotiated::dtls`](crate::Negotiated::dtls) is there
//! sends and takes nothing before that. RTP and RTCP must share the port (RFC 5761): on a port of its own RTCP would
//! need an association of its own.
//!
//! What the engine speaks: DTLS 1.2 with extended master secret, ECDHE and ECDSA certificates. RSA certificates are
//! not, which old peers still have.

mod fingerprint;
mod handshake;

pub use fingerprint::fingerprint;
pub use handshake::{Handshake, HandshakeEvent};

use std::sync::Arc;

/// Why there is no certificate, or no handshake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DtlsError {
    /// No certificate could be made.
    #[error("no certificate: {0}")]
    Certificate(String),
    /// The other side's certificate is not the one that SDP promised.
    #[error("the certificate of the other side has none of the fingerprints that SDP says")]
    Fingerprint,
    /// The handshake ended without a suite of SRTP in common.
    #[error("DTLS agreed on no protection of SRTP")]
    NoProfile,
    /// The handshake failed.
    #[error("DTLS: {0}")]
    Handshake(String),
}

/// Our certificate and its key, for one run of a phone or for one call. A clone is the same identity.
#[derive(Clone)]
pub struct DtlsIdentity(Arc<Identity>);

struct Identity {
    certificate: dimpl::DtlsCertificate,
    fingerprint: String,
}

impl DtlsIdentity {
    /// Makes a key (ECDSA over P-256) and a certificate that it signs itself, with the system's randomness.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate() -> Result<Self, DtlsError> {
        let failed = |error: rcgen::Error| DtlsError::Certificate(error.to_string());
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "sidetone");
        let certificate = parameters.self_signed(&key).map_err(failed)?;
        Ok(Self::new(certificate.der().to_vec(), key.serialize_der()))
    }

    /// A certificate and its private key (PKCS #8), both DER. The key must be of ECDSA over P-256 or P-384.
    #[must_use]
    pub fn new(certificate: Vec<u8>, private_key: Vec<u8>) -> Self {
        let fingerprint = fingerprint(&certificate);
        let certificate = dimpl::DtlsCertificate { certificate, private_key };
        Self(Arc::new(Identity { certificate, fingerprint }))
    }

    /// The value of `a=fingerprint`: SHA-256.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }
}

impl core::fmt::Debug for DtlsIdentity {
    /// Shows the fingerprint, and not the key.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("DtlsIdentity").field(&self.0.fingerprint).finish()
    }
}

/// Whether a datagram at the port of RTP is DTLS (RFC 7983 §7).
#[must_use]
pub fn is_dtls(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(20..=63))
}
