//! Master keys, as SDP or DTLS gives them.

use super::{SrtpError, Suite};
use core::fmt;
use sidetone_hal::rng::Rng;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Packets that one master key may protect at most: 2⁴⁸ of RTP (RFC 3711 §9.2).
pub const MAX_RTP_LIFETIME: u64 = 1 << 48;
/// And 2³¹ of RTCP.
pub const MAX_RTCP_LIFETIME: u64 = 1 << 31;

const LONGEST_KEY: usize = 32;
const LONGEST_SALT: usize = 14;

/// A master key with its salt, its suite, and what SDP may say of it. Its memory is cleared when it is dropped.
#[derive(Clone)]
pub struct MasterKey {
    suite: Suite,
    key: [u8; LONGEST_KEY],
    salt: [u8; LONGEST_SALT],
    mki: Option<Mki>,
    lifetime: u64,
}

impl MasterKey {
    /// A key of a suite's length with its salt.
    ///
    /// # Errors
    /// Key or salt has another length than [`Suite::key_length`] and [`Suite::salt_length`] say.
    pub fn new(suite: Suite, key: &[u8], salt: &[u8]) -> Result<Self, SrtpError> {
        let mut made = Self {
            suite,
            key: [0; LONGEST_KEY],
            salt: [0; LONGEST_SALT],
            mki: None,
            lifetime: MAX_RTP_LIFETIME,
        };
        let (expected, got) = (suite.key_length() + suite.salt_length(), key.len() + salt.len());
        match (made.key.get_mut(..key.len()), made.salt.get_mut(..salt.len())) {
            (Some(into_key), Some(into_salt))
                if key.len() == suite.key_length() && salt.len() == suite.salt_length() =>
            {
                into_key.copy_from_slice(key);
                into_salt.copy_from_slice(salt);
                Ok(made)
            }
            _ => Err(SrtpError::KeyLength { suite, expected, got }),
        }
    }

    /// Key and salt in one, as SDP's `inline:` has them.
    ///
    /// # Errors
    /// The length is not that of the suite.
    pub fn from_octets(suite: Suite, key_and_salt: &[u8]) -> Result<Self, SrtpError> {
        let (key, salt) = key_and_salt.split_at_checked(suite.key_length()).unwrap_or((key_and_salt, &[]));
        Self::new(suite, key, salt)
    }

    /// A new key.
    pub fn random(suite: Suite, rng: &mut Rng) -> Self {
        let mut made = Self {
            suite,
            key: [0; LONGEST_KEY],
            salt: [0; LONGEST_SALT],
            mki: None,
            lifetime: MAX_RTP_LIFETIME,
        };
        rng.fill(made.key.get_mut(..suite.key_length()).unwrap_or_default());
        rng.fill(made.salt.get_mut(..suite.salt_length()).unwrap_or_default());
        made
    }

    /// The same key, named in every packet by this identifier.
    #[must_use]
    pub const fn with_mki(mut self, mki: Option<Mki>) -> Self {
        self.mki = mki;
        self
    }

    /// The same key for so many packets of RTP, and of RTCP; never more than RFC 3711 §9.2 allows.
    #[must_use]
    pub const fn with_lifetime(mut self, packets: u64) -> Self {
        self.lifetime = if packets < MAX_RTP_LIFETIME { packets } else { MAX_RTP_LIFETIME };
        self
    }

    /// What it is for.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// What names it in every packet.
    #[must_use]
    pub const fn mki(&self) -> Option<Mki> {
        self.mki
    }

    /// The packets of RTP, and of RTCP, that it may protect.
    #[must_use]
    pub const fn lifetime(&self) -> u64 {
        self.lifetime
    }

    /// The secret key. Not for logs.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.key.get(..self.suite.key_length()).unwrap_or_default()
    }

    /// The salt.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        self.salt.get(..self.suite.salt_length()).unwrap_or_default()
    }
}

impl Drop for MasterKey {
    fn drop(&mut self) {
        self.key.zeroize();
        self.salt.zeroize();
    }
}

impl PartialEq for MasterKey {
    fn eq(&self, other: &Self) -> bool {
        let same = self.key.ct_eq(&other.key) & self.salt.ct_eq(&other.salt);
        bool::from(same) && (self.suite, self.mki, self.lifetime) == (other.suite, other.mki, other.lifetime)
    }
}

impl Eq for MasterKey {}

impl fmt::Debug for MasterKey {
    /// Shows the suite and nothing that is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey")
            .field("suite", &self.suite)
            .field("mki", &self.mki)
            .finish_non_exhaustive()
    }
}

/// A master key identifier: a number that every packet carries behind its payload (RFC 3711 §3.1, RFC 4568 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mki {
    value: u64,
    length: u8,
}

impl Mki {
    /// The longest that a packet may carry (RFC 4568 §9.1).
    pub const LONGEST: usize = 128;

    /// `value` in `length` octets, 1 to 128; none if it does not fit.
    #[must_use]
    pub const fn new(value: u64, length: usize) -> Option<Self> {
        let fits = length >= 8 || value >> (8 * length) == 0;
        if length >= 1 && length <= Self::LONGEST && fits {
            Some(Self { value, length: length as u8 })
        } else {
            None
        }
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.value
    }

    /// Octets that it takes.
    #[must_use]
    pub const fn octets(self) -> usize {
        self.length as usize
    }

    /// Writes it into a place of [`octets`](Self::octets).
    pub(super) fn write(self, out: &mut [u8]) {
        let digits = self.value.to_be_bytes().into_iter().rev().chain(core::iter::repeat(0));
        out.iter_mut().rev().zip(digits).for_each(|(octet, digit)| *octet = digit);
    }

    /// Whether a packet has it.
    pub(super) fn is(self, octets: &[u8]) -> bool {
        let digits = self.value.to_be_bytes().into_iter().rev().chain(core::iter::repeat(0));
        octets.len() == self.octets() && octets.iter().rev().zip(digits).all(|(octet, digit)| *octet == digit)
    }
}

/// The keys of both ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrtpKeys {
    /// Protects what we send.
    pub send: MasterKey,
    /// Protects what the other side sends.
    pub receive: MasterKey,
}
