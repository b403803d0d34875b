//! Hash functions, algorithms and qualities of protection (RFC 7616 §3.3, RFC 8760 §2.1, RFC 3310, RFC 4169).

use crate::text::Text;
use core::fmt;

/// The hash function that an algorithm computes with. The order is that of strength.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestHash {
    /// MD5: 32 hexadecimal digits. Broken as a hash, and still what most peers know.
    #[default]
    Md5,
    /// SHA-256: 64 hexadecimal digits.
    Sha256,
    /// SHA-512/256 (FIPS 180-4 §6.7): 64 hexadecimal digits.
    Sha512_256,
}

impl DigestHash {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Md5, Self::Sha256, Self::Sha512_256];

    /// How many hexadecimal digits its digest has.
    #[must_use]
    pub const fn digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha256 | Self::Sha512_256 => 64,
        }
    }
}

/// The algorithm of a digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// MD5, also when none is named.
    #[default]
    Md5,
    /// MD5 over a session key.
    Md5Sess,
    /// SHA-256 (RFC 8760).
    Sha256,
    /// SHA-256 over a session key.
    Sha256Sess,
    /// SHA-512/256 (RFC 8760).
    Sha512_256,
    /// SHA-512/256 over a session key.
    Sha512_256Sess,
    /// MD5 with a password from a USIM (RFC 3310).
    AkaV1Md5,
    /// MD5 with a password from a USIM and its session keys (RFC 4169).
    AkaV2Md5,
    /// One that we cannot compute.
    Other(Text),
}

impl Algorithm {
    /// Those that we can compute.
    pub const KNOWN: [Self; 8] = [
        Self::Md5,
        Self::Md5Sess,
        Self::Sha256,
        Self::Sha256Sess,
        Self::Sha512_256,
        Self::Sha512_256Sess,
        Self::AkaV1Md5,
        Self::AkaV2Md5,
    ];

    /// The name as in the headers.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
            Self::Sha512_256 => "SHA-512-256",
            Self::Sha512_256Sess => "SHA-512-256-sess",
            Self::AkaV1Md5 => "AKAv1-MD5",
            Self::AkaV2Md5 => "AKAv2-MD5",
            Self::Other(name) => name,
        }
    }

    /// Its hash function; `None` for one that we cannot compute.
    #[must_use]
    pub const fn hash(&self) -> Option<DigestHash> {
        match self {
            Self::Md5 | Self::Md5Sess | Self::AkaV1Md5 | Self::AkaV2Md5 => Some(DigestHash::Md5),
            Self::Sha256 | Self::Sha256Sess => Some(DigestHash::Sha256),
            Self::Sha512_256 | Self::Sha512_256Sess => Some(DigestHash::Sha512_256),
            Self::Other(_) => None,
        }
    }

    /// Whether the session key takes the place of the user's (RFC 7616 §3.4.2).
    #[must_use]
    pub const fn is_session(&self) -> bool {
        matches!(self, Self::Md5Sess | Self::Sha256Sess | Self::Sha512_256Sess)
    }

    /// Whether a USIM makes the password (RFC 3310, RFC 4169).
    #[must_use]
    pub const fn is_aka(&self) -> bool {
        matches!(self, Self::AkaV1Md5 | Self::AkaV2Md5)
    }
}

impl From<Text> for Algorithm {
    fn from(name: Text) -> Self {
        let known = Self::KNOWN.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(&name));
        known.unwrap_or(Self::Other(name))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The quality of protection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Qop {
    /// `auth`: method and URI are covered.
    Auth,
    /// `auth-int`: the body too.
    AuthInt,
    /// Another token.
    Other(Text),
}

impl Qop {
    /// The name as in the headers.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
            Self::Other(name) => name,
        }
    }
}

impl From<Text> for Qop {
    fn from(name: Text) -> Self {
        let known = [Self::Auth, Self::AuthInt];
        known
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(&name))
            .unwrap_or(Self::Other(name))
    }
}

impl fmt::Display for Qop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
