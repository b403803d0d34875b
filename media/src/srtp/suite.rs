//! The crypto suites and what they are made of.

use core::fmt;
use core::str::FromStr;

/// A crypto suite by its name in SDP (RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14.2), a DTLS-SRTP profile by its number
/// (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    non_camel_case_types,
    reason = "as the standards write them, so that the two lengths of a tag stay apart"
)]
#[non_exhaustive]
pub enum Suite {
    /// AES-128 in counter mode, tag of 80 bits (RFC 3711, RFC 4568 §6.2.1). What everyone has.
    AES_CM_128_HMAC_SHA1_80,
    /// AES-128 in counter mode; RTP with a tag of 32 bits, RTCP with 80 (RFC 4568 §6.2.2).
    AES_CM_128_HMAC_SHA1_32,
    /// AES-192 in counter mode, tag of 80 bits (RFC 6188).
    AES_192_CM_HMAC_SHA1_80,
    /// AES-192 in counter mode; RTP with a tag of 32 bits, RTCP with 80 (RFC 6188).
    AES_192_CM_HMAC_SHA1_32,
    /// AES-256 in counter mode, tag of 80 bits (RFC 6188).
    AES_256_CM_HMAC_SHA1_80,
    /// AES-256 in counter mode; RTP with a tag of 32 bits, RTCP with 80 (RFC 6188).
    AES_256_CM_HMAC_SHA1_32,
    /// AES-128 in Galois counter mode, tag of 128 bits (RFC 7714).
    AEAD_AES_128_GCM,
    /// AES-256 in Galois counter mode, tag of 128 bits (RFC 7714).
    AEAD_AES_256_GCM,
    /// No encryption, tag of 80 bits (RFC 5764 §4.1.2). It has no name in SDP, and is never offered.
    NULL_HMAC_SHA1_80,
}

/// What encrypts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cipher {
    Null,
    CounterMode,
    Gcm,
}

impl Suite {
    /// All that SDP has names for, what is advised first: the AEAD suites, then the usual one.
    pub const ALL: [Self; 8] = [
        Self::AEAD_AES_256_GCM,
        Self::AEAD_AES_128_GCM,
        Self::AES_256_CM_HMAC_SHA1_80,
        Self::AES_256_CM_HMAC_SHA1_32,
        Self::AES_192_CM_HMAC_SHA1_80,
        Self::AES_192_CM_HMAC_SHA1_32,
        Self::AES_CM_128_HMAC_SHA1_80,
        Self::AES_CM_128_HMAC_SHA1_32,
    ];

    /// What telephones offer, in their order; short enough for a packet of SIP over UDP.
    pub const USUAL: [Self; 2] = [Self::AES_CM_128_HMAC_SHA1_80, Self::AES_CM_128_HMAC_SHA1_32];

    /// The name in `a=crypto`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AES_CM_128_HMAC_SHA1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AES_CM_128_HMAC_SHA1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AES_192_CM_HMAC_SHA1_80 => "AES_192_CM_HMAC_SHA1_80",
            Self::AES_192_CM_HMAC_SHA1_32 => "AES_192_CM_HMAC_SHA1_32",
            Self::AES_256_CM_HMAC_SHA1_80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AES_256_CM_HMAC_SHA1_32 => "AES_256_CM_HMAC_SHA1_32",
            Self::AEAD_AES_128_GCM => "AEAD_AES_128_GCM",
            Self::AEAD_AES_256_GCM => "AEAD_AES_256_GCM",
            Self::NULL_HMAC_SHA1_80 => "NULL_HMAC_SHA1_80",
        }
    }

    /// The number in the `use_srtp` extension of DTLS; none for suites that it has no profile for.
    #[must_use]
    pub const fn dtls_profile(self) -> Option<u16> {
        match self {
            Self::AES_CM_128_HMAC_SHA1_80 => Some(0x0001),
            Self::AES_CM_128_HMAC_SHA1_32 => Some(0x0002),
            Self::NULL_HMAC_SHA1_80 => Some(0x0005),
            Self::AEAD_AES_128_GCM => Some(0x0007),
            Self::AEAD_AES_256_GCM => Some(0x0008),
            _ => None,
        }
    }

    /// Octets of the master key.
    #[must_use]
    pub const fn key_length(self) -> usize {
        match self {
            Self::AES_192_CM_HMAC_SHA1_80 | Self::AES_192_CM_HMAC_SHA1_32 => 24,
            Self::AES_256_CM_HMAC_SHA1_80 | Self::AES_256_CM_HMAC_SHA1_32 | Self::AEAD_AES_256_GCM => 32,
            _ => 16,
        }
    }

    /// Octets of the master salt.
    #[must_use]
    pub const fn salt_length(self) -> usize {
        match self.cipher() {
            Cipher::Gcm => 12,
            Cipher::Null | Cipher::CounterMode => 14,
        }
    }

    /// Octets of the tag behind each RTP packet.
    #[must_use]
    pub const fn rtp_tag(self) -> usize {
        match self {
            Self::AEAD_AES_128_GCM | Self::AEAD_AES_256_GCM => 16,
            Self::AES_CM_128_HMAC_SHA1_32 | Self::AES_192_CM_HMAC_SHA1_32 | Self::AES_256_CM_HMAC_SHA1_32 => {
                4
            }
            _ => 10,
        }
    }

    /// Octets of the tag behind each RTCP packet, without the index's four.
    #[must_use]
    pub const fn rtcp_tag(self) -> usize {
        match self.cipher() {
            Cipher::Gcm => 16,
            Cipher::Null | Cipher::CounterMode => 10,
        }
    }

    pub(super) const fn cipher(self) -> Cipher {
        match self {
            Self::AEAD_AES_128_GCM | Self::AEAD_AES_256_GCM => Cipher::Gcm,
            Self::NULL_HMAC_SHA1_80 => Cipher::Null,
            _ => Cipher::CounterMode,
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Suite {
    type Err = ();

    /// Reads a name of SDP; names are case-sensitive there, but not every peer knows.
    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|suite| suite.as_str().eq_ignore_ascii_case(name)).ok_or(())
    }
}
