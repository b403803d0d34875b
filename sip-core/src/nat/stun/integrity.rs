//! MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 (RFC 8489 §9, §14.5, §14.6).
//!
//! User names, realms and passwords are taken as they are: who has others than ASCII prepares them first by the
//! OpaqueString profile (RFC 8265), as RFC 8489 asks.

use super::{AttributeType, HEADER, Message, PasswordAlgorithm};
use alloc::vec::Vec;
use core::fmt;
use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// What messages are signed with. Shows itself in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    /// Of a short-term credential: the password itself (§9.1.1).
    #[must_use]
    pub fn short_term(password: &str) -> Self {
        Self(password.as_bytes().to_vec())
    }

    /// Of a long-term credential: the hash of user, realm and password (§18.5.1).
    #[must_use]
    pub fn long_term(username: &str, realm: &str, password: &str, algorithm: PasswordAlgorithm) -> Self {
        let parts = [username, ":", realm, ":", password];
        Self(match algorithm {
            PasswordAlgorithm::Md5 => hash::<Md5>(&parts),
            PasswordAlgorithm::Sha256 => hash::<Sha256>(&parts),
        })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

/// The value of USERHASH (§14.4): SHA-256 of `user:realm`.
#[must_use]
pub fn user_hash(username: &str, realm: &str) -> [u8; 32] {
    let mut hasher = Sha256::new();
    [username, ":", realm].iter().for_each(|part| hasher.update(part.as_bytes()));
    hasher.finalize().into()
}

fn hash<H: Digest>(parts: &[&str]) -> Vec<u8> {
    let mut hasher = H::new();
    parts.iter().for_each(|part| hasher.update(part.as_bytes()));
    hasher.finalize().to_vec()
}

/// Why a message cannot be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum IntegrityError {
    /// It has neither MESSAGE-INTEGRITY nor MESSAGE-INTEGRITY-SHA256.
    #[error("the message is not signed")]
    Missing,
    /// It was changed, or signed with another key.
    #[error("the message's signature is wrong")]
    Wrong,
}

impl Message<'_> {
    /// Checks MESSAGE-INTEGRITY-SHA256, or MESSAGE-INTEGRITY where that is all there is; in constant time.
    ///
    /// # Errors
    /// There is none, or it is wrong.
    pub fn verify(&self, key: &Key) -> Result<(), IntegrityError> {
        let kinds = [AttributeType::MESSAGE_INTEGRITY_SHA256, AttributeType::MESSAGE_INTEGRITY];
        let found = kinds.into_iter().find_map(|kind| self.attribute(kind));
        let attribute = found.ok_or(IntegrityError::Missing)?;
        let (at, value) = (attribute.at, attribute.value);
        let signed = signed(self.bytes(), at, value.len()).ok_or(IntegrityError::Wrong)?;
        let right = if attribute.kind == AttributeType::MESSAGE_INTEGRITY {
            mac::<Hmac<Sha1>>(key, &signed).is_some_and(|mac| mac.verify_slice(value).is_ok())
        } else {
            // §14.6: it may be cut to 16 octets at least.
            matches!(value.len(), 16 | 20 | 24 | 28 | 32)
                && mac::<Hmac<Sha256>>(key, &signed)
                    .is_some_and(|mac| mac.verify_truncated_left(value).is_ok())
        };
        if right { Ok(()) } else { Err(IntegrityError::Wrong) }
    }
}

/// The value of MESSAGE-INTEGRITY for the message so far.
pub(super) fn sha1(message: &[u8], key: &Key) -> Option<Vec<u8>> {
    let signed = signed(message, message.len(), 20)?;
    mac::<Hmac<Sha1>>(key, &signed).map(|mac| mac.finalize().into_bytes().to_vec())
}

/// The value of MESSAGE-INTEGRITY-SHA256 for the message so far.
pub(super) fn sha256(message: &[u8], key: &Key) -> Option<Vec<u8>> {
    let signed = signed(message, message.len(), 32)?;
    mac::<Hmac<Sha256>>(key, &signed).map(|mac| mac.finalize().into_bytes().to_vec())
}

/// What is signed: everything before the attribute at `at`, under a length field that ends with the attribute.
fn signed(message: &[u8], at: usize, value: usize) -> Option<Vec<u8>> {
    let length = u16::try_from((at + 4 + value).checked_sub(HEADER)?).ok()?;
    let mut signed = message.get(..at)?.to_vec();
    signed.get_mut(2..4)?.copy_from_slice(&length.to_be_bytes());
    Some(signed)
}

fn mac<M: Mac + hmac::digest::KeyInit>(key: &Key, signed: &[u8]) -> Option<M> {
    // HMAC takes keys of every length.
    let mut mac = <M as Mac>::new_from_slice(&key.0).ok()?;
    mac.update(signed);
    Some(mac)
}
