//! What proves who someone is: passwords, their hashes, and whose they are in which realm.

use super::aka::Usim;
use super::digest::{self, Hex};
use super::{Algorithm, DigestHash};
use crate::text::Text;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroizing;

/// A password, or its hash with user name and realm (`HA1`) for servers that keep no passwords.
///
/// `Debug` shows `***`; memory is overwritten with zeros when it is dropped; comparison takes the same time
/// wherever the difference is. Text is UTF-8; RFC 7616 §4 wants it normalized (NFC), which whoever read it
/// from a person does.
///
/// ```
/// use sidetone_sip_core::{DigestHash, Secret};
/// let secret = Secret::from("zanzibar");
/// assert_eq!(format!("{secret:?}"), "***");
/// assert_eq!(secret.expose(), Some("zanzibar"));
/// // What a server stores, and how it comes back.
/// let stored = secret.hashed("bob", "biloxi.com");
/// let md5 = stored.ha1(DigestHash::Md5).unwrap();
/// assert_eq!(md5, "12af60467a33e8518da5c68bbff12b11");
/// assert_eq!(Secret::from_ha1(DigestHash::Md5, md5).unwrap().expose(), None);
/// ```
#[derive(Clone)]
pub struct Secret(Kind);

#[derive(Clone)]
enum Kind {
    Password(Zeroizing<Vec<u8>>),
    Hashed(Box<Hashes>),
}

/// One for each function that it is known of.
#[derive(Clone, Default)]
struct Hashes {
    md5: Option<Hex>,
    sha256: Option<Hex>,
    sha512_256: Option<Hex>,
}

impl Hashes {
    const fn of(&self, hash: DigestHash) -> &Option<Hex> {
        match hash {
            DigestHash::Md5 => &self.md5,
            DigestHash::Sha256 => &self.sha256,
            DigestHash::Sha512_256 => &self.sha512_256,
        }
    }

    const fn of_mut(&mut self, hash: DigestHash) -> &mut Option<Hex> {
        match hash {
            DigestHash::Md5 => &mut self.md5,
            DigestHash::Sha256 => &mut self.sha256,
            DigestHash::Sha512_256 => &mut self.sha512_256,
        }
    }
}

/// A hash that does not have the hexadecimal digits of its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {digits} hexadecimal digits")]
pub struct InvalidHash {
    /// How many there should be.
    pub digits: usize,
}

impl Secret {
    /// A password.
    #[must_use]
    pub fn new(password: impl Into<String>) -> Self {
        Self(Kind::Password(Zeroizing::new(password.into().into_bytes())))
    }

    /// A password that is not text.
    #[must_use]
    pub fn from_bytes(password: impl Into<Vec<u8>>) -> Self {
        Self(Kind::Password(Zeroizing::new(password.into())))
    }

    /// The hash of `user:realm:password` in hexadecimal, as a server stores it. It proves as much as the password, but
    /// for one realm and one hash function only; [`Secret::with_ha1`] adds further ones.
    ///
    /// # Errors
    /// The text is not a digest of that function in hexadecimal.
    pub fn from_ha1(hash: DigestHash, hex: &str) -> Result<Self, InvalidHash> {
        Self(Kind::Hashed(Box::default())).with_ha1(hash, hex)
    }

    /// The same with the hash of another function. A password stays what it is: it needs none.
    ///
    /// # Errors
    /// The text is not a digest of that function in hexadecimal.
    pub fn with_ha1(mut self, hash: DigestHash, hex: &str) -> Result<Self, InvalidHash> {
        let hex = Hex::parse(hash, hex).ok_or_else(|| InvalidHash { digits: hash.digits() })?;
        if let Kind::Hashed(hashes) = &mut self.0 {
            *hashes.of_mut(hash) = Some(hex);
        }
        Ok(self)
    }

    /// The hashes of a password for one user in one realm, of every function. Hashes stay what they are.
    #[must_use]
    pub fn hashed(&self, user: &str, realm: &str) -> Self {
        let mut hashes = Box::<Hashes>::default();
        for hash in DigestHash::ALL {
            *hashes.of_mut(hash) = digest::user_key(hash, user, realm, self);
        }
        Self(Kind::Hashed(hashes))
    }

    /// The password; `None` when only its hash is known, or it is not text.
    #[must_use]
    pub fn expose(&self) -> Option<&str> {
        core::str::from_utf8(self.password()?).ok()
    }

    /// The stored hash of this function, in lower-case hexadecimal; `None` for a password.
    #[must_use]
    pub fn ha1(&self, hash: DigestHash) -> Option<&str> {
        self.stored(hash).map(Hex::as_str)
    }

    pub(super) fn password(&self) -> Option<&[u8]> {
        match &self.0 {
            Kind::Password(password) => Some(password),
            Kind::Hashed(_) => None,
        }
    }

    pub(super) fn stored(&self, hash: DigestHash) -> Option<&Hex> {
        match &self.0 {
            Kind::Password(_) => None,
            Kind::Hashed(hashes) => hashes.of(hash).as_ref(),
        }
    }

    /// Whether a digest with this hash function can be made of it.
    fn serves(&self, hash: DigestHash) -> bool {
        self.password().is_some() || self.stored(hash).is_some()
    }
}

impl Default for Secret {
    /// The empty password.
    fn default() -> Self {
        Self::from_bytes(Vec::new())
    }
}

impl From<&str> for Secret {
    fn from(password: &str) -> Self {
        Self::new(password)
    }
}

impl From<String> for Secret {
    fn from(password: String) -> Self {
        Self::new(password)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        match (self.password(), other.password()) {
            (Some(a), Some(b)) => same(a, b),
            (None, None) => DigestHash::ALL.into_iter().fold(true, |equal, hash| {
                let of = |secret: &Self| secret.stored(hash).map_or("", Hex::as_str).as_bytes().to_vec();
                let (a, b) = (Zeroizing::new(of(self)), Zeroizing::new(of(other)));
                same(&a, &b) & equal
            }),
            _ => false,
        }
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Compares in a time that depends on the lengths only: every pair of bytes is looked at, and nothing branches
/// on what they are.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    let difference = difference(a.iter().zip(b));
    a.len() == b.len() && core::hint::black_box(difference) == 0
}

fn difference<'a>(pairs: impl Iterator<Item = (&'a u8, &'a u8)>) -> u8 {
    pairs.fold(0, |sum, (a, b)| sum | (a ^ b))
}

/// A user name and what proves it.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user name, in UTF-8.
    pub user: Text,
    proof: Proof,
}

#[derive(Clone, Debug)]
enum Proof {
    Secret(Secret),
    Usim(Arc<dyn Usim>),
}

impl Login {
    /// A user with a password or its hash.
    #[must_use]
    pub fn new(user: impl Into<Text>, secret: impl Into<Secret>) -> Self {
        Self { user: user.into(), proof: Proof::Secret(secret.into()) }
    }

    /// A subscriber whose USIM answers AKA challenges (RFC 3310); `user` is the private identity.
    #[must_use]
    pub fn usim(user: impl Into<Text>, usim: Arc<dyn Usim>) -> Self {
        Self { user: user.into(), proof: Proof::Usim(usim) }
    }

    pub(super) const fn secret(&self) -> Option<&Secret> {
        match &self.proof {
            Proof::Secret(secret) => Some(secret),
            Proof::Usim(_) => None,
        }
    }

    pub(super) fn card(&self) -> Option<&dyn Usim> {
        match &self.proof {
            Proof::Secret(_) => None,
            Proof::Usim(usim) => Some(&**usim),
        }
    }

    /// Whether it can answer challenges with this algorithm.
    pub(super) fn serves(&self, algorithm: &Algorithm) -> bool {
        match (&self.proof, algorithm.hash()) {
            (Proof::Secret(secret), Some(hash)) => !algorithm.is_aka() && secret.serves(hash),
            (Proof::Usim(_), _) => algorithm.is_aka(),
            (_, None) => false,
        }
    }
}

/// The logins of an account: one for each realm that has its own, and one for all others.
///
/// ```
/// use sidetone_sip_core::{CredentialStore, Login};
/// let store = CredentialStore::default()
///     .with("carrier.example", Login::new("trunk-7", "wholesale"))
///     .with_fallback(Login::new("alice", "secret"));
/// assert_eq!(store.get("carrier.example").unwrap().user, "trunk-7");
/// assert_eq!(store.get("any.other").unwrap().user, "alice");
/// ```
#[derive(Clone, Debug, Default)]
pub struct CredentialStore {
    realms: Vec<(Text, Login)>,
    fallback: Option<Login>,
}

impl CredentialStore {
    /// No logins.
    #[must_use]
    pub const fn new() -> Self {
        Self { realms: Vec::new(), fallback: None }
    }

    /// The same with a login for one realm, in the place of an older one. Realms compare exactly (RFC 3261 §22.1).
    #[must_use]
    pub fn with(mut self, realm: impl Into<Text>, login: Login) -> Self {
        let realm = realm.into();
        self.realms.retain(|(other, _)| *other != realm);
        self.realms.push((realm, login));
        self
    }

    /// The same with a login for all realms that have none of their own.
    #[must_use]
    pub fn with_fallback(mut self, login: Login) -> Self {
        self.fallback = Some(login);
        self
    }

    /// The login for a realm.
    #[must_use]
    pub fn get(&self, realm: &str) -> Option<&Login> {
        let own = self.realms.iter().find(|(own, _)| *own == *realm).map(|(_, login)| login);
        own.or(self.fallback.as_ref())
    }

    /// Whether there is a login for all realms.
    #[must_use]
    pub const fn has_fallback(&self) -> bool {
        self.fallback.is_some()
    }

    /// Whether there is none at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.realms.is_empty() && self.fallback.is_none()
    }
}

impl From<Login> for CredentialStore {
    fn from(login: Login) -> Self {
        Self::new().with_fallback(login)
    }
}

/// The hash of user name and realm that stands for the name when `userhash` is on (RFC 7616 §3.4.4), in
/// lower-case hexadecimal; `None` for an algorithm that we cannot compute.
#[must_use]
pub fn user_hash(algorithm: &Algorithm, user: &str, realm: &str) -> Option<String> {
    let hex = digest::digest(algorithm.hash()?, &[user.as_bytes(), realm.as_bytes()]);
    Some(String::from(hex.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    #[test]
    fn a_comparison_looks_at_every_byte_wherever_the_difference_is() {
        let right = [7_u8; 64];
        for wrong_at in 0..=64 {
            let mut given = right;
            if let Some(byte) = given.get_mut(wrong_at) {
                *byte ^= 0x80;
            }
            let looked = Cell::new(0);
            let pairs = right.iter().zip(&given).inspect(|_| looked.set(looked.get() + 1));
            assert_eq!(difference(pairs) == 0, wrong_at == 64);
            assert_eq!(looked.get(), 64, "a difference at {wrong_at} ends nothing early");
            assert_eq!(same(&right, &given), wrong_at == 64);
        }
        assert!(!same(b"ab", b"abc") && !same(b"abc", b"ab") && same(b"", b""));
    }

    #[test]
    fn secrets_compare_by_what_they_hold() {
        let hashed = Secret::from("x").hashed("bob", "biloxi.com");
        assert_eq!(hashed, Secret::from("x").hashed("bob", "biloxi.com"));
        assert_ne!(hashed, Secret::from("y").hashed("bob", "biloxi.com"));
        assert_ne!(hashed, Secret::from("x"));
        assert_ne!(Secret::from("x"), Secret::from("xy"));
        let md5 = hashed.ha1(DigestHash::Md5).unwrap();
        assert_ne!(Secret::from_ha1(DigestHash::Md5, md5).unwrap(), hashed, "it lacks two hashes");
        for bad in ["", "12", &md5[1..], "g2af60467a33e8518da5c68bbff12b11"] {
            assert_eq!(Secret::from_ha1(DigestHash::Md5, bad), Err(InvalidHash { digits: 32 }));
        }
        assert!(Secret::from_ha1(DigestHash::Sha256, md5).is_err());
        assert_eq!(hashed.hashed("eve", "x"), hashed, "a hash has no password to hash anew");
    }
}
