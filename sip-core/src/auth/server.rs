//! The server: challenges, and checks the answers (RFC 3261 §22.1, RFC 7616 §3.4.6, §5.4, §5.5).

use super::digest::{self, Input};
use super::{Algorithm, Challenge, Credentials, Qop, Secret, same};
use crate::method::Method;
use crate::text::Text;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;
use sha2::{Digest, Sha256};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;

/// What a server asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DigestConfig {
    /// Algorithms in the order of preference, a challenge for each; default SHA-256, then MD5 (RFC 8760 §2.3).
    pub algorithms: Vec<Algorithm>,
    /// Qualities of protection; default `auth`.
    pub qop: Vec<Qop>,
    /// How long a nonce lives; default 5 minutes.
    pub nonce_life: Duration,
    /// Whether clients of RFC 2069, which know no `qop`, are let in; default yes. They can use a nonce once.
    pub without_qop: bool,
    /// Nonces whose use is counted; default 4096. Beyond, the oldest is called stale.
    pub nonces: usize,
}

impl Default for DigestConfig {
    fn default() -> Self {
        Self {
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            qop: vec![Qop::Auth],
            nonce_life: Duration::from_secs(300),
            without_qop: true,
            nonces: 4096,
        }
    }
}

/// Why credentials were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The password is right, but the nonce is too old or not ours: challenge again with `stale=true`.
    #[error("the nonce is too old")]
    Stale,
    /// The password is right, but nonce and count were used before: challenge again with `stale=true`.
    #[error("the nonce was used with this count before")]
    Replay,
    /// The credentials are for another realm.
    #[error("the credentials are for another realm")]
    WrongRealm,
    /// Algorithm or quality of protection are none that the challenge offered.
    #[error("algorithm or quality of protection are not those of the challenge")]
    Unsupported,
    /// User name or password are wrong.
    #[error("user name or password are wrong")]
    BadResponse,
}

impl Rejection {
    /// Whether a new nonce is all that is needed: the `stale` of the next challenge.
    #[must_use]
    pub const fn is_stale(self) -> bool {
        matches!(self, Self::Stale | Self::Replay)
    }
}

/// Challenges and checks for one realm.
///
/// A nonce carries its time and a number, signed with a key that the server drew, so nothing is kept for clients that only ask.
/// Uses are counted for nonces that a right password came with: a table of bounded size.
///
/// ```
/// use sidetone_sip_core::{DigestClient, DigestServer, Instant, Method, Rejection, Rng, Secret};
/// let mut rng = Rng::from_u64(1);
/// let mut server = DigestServer::new("example.com", &mut rng);
/// let now = Instant::ZERO;
/// let challenges = server.challenges(now, false);
/// let secret = Secret::from("secret");
/// let answer = DigestClient::new()
///     .authorize(&challenges, &Method::REGISTER, "sip:example.com", b"", "alice", &secret, &mut rng)
///     .unwrap();
/// assert_eq!(server.verify(now, &answer, &Method::REGISTER, b"", &secret), Ok(()));
/// assert_eq!(server.verify(now, &answer, &Method::REGISTER, b"", &secret), Err(Rejection::Replay));
/// assert_eq!(server.verify(now, &answer, &Method::REGISTER, b"", &"guess".into()), Err(Rejection::BadResponse));
/// ```
#[derive(Debug)]
pub struct DigestServer {
    realm: Text,
    config: DigestConfig,
    key: Key,
    issued: u64,
    /// Nonces up to this number were forgotten, and are stale.
    forgotten: u64,
    used: BTreeMap<u64, Uses>,
}

/// Signs the nonces.
struct Key([u8; 32]);

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("***")
    }
}

/// Which counts a nonce was used with: the highest, and a bit for each of the 64 up to it.
#[derive(Clone, Copy, Debug, Default)]
struct Uses {
    highest: u32,
    seen: u64,
}

impl Uses {
    /// Notes a use; false when it was there before or is too far back to know. Requests may overtake each other.
    const fn note(&mut self, count: u32) -> bool {
        if count > self.highest {
            let shift = count - self.highest;
            self.seen = if shift < 64 { self.seen << shift } else { 0 } | 1;
            self.highest = count;
            return true;
        }
        let back = self.highest - count;
        let bit = if back < 64 { 1 << back } else { 0 };
        let new = bit != 0 && self.seen & bit == 0;
        self.seen |= bit;
        new
    }
}

impl DigestServer {
    /// A server for `realm` with the default [`DigestConfig`].
    #[must_use]
    pub fn new(realm: impl Into<Text>, rng: &mut Rng) -> Self {
        Self::with_config(realm, DigestConfig::default(), rng)
    }

    /// A server for `realm`.
    #[must_use]
    pub fn with_config(realm: impl Into<Text>, config: DigestConfig, rng: &mut Rng) -> Self {
        let mut key = [0; 32];
        rng.fill(&mut key);
        Self { realm: realm.into(), config, key: Key(key), issued: 0, forgotten: 0, used: BTreeMap::new() }
    }

    /// The realm.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// A challenge for each algorithm, to be sent in this order in as many headers. `stale` says that only
    /// the nonce was wrong.
    pub fn challenges(&mut self, now: Instant, stale: bool) -> Vec<Challenge> {
        self.issued += 1;
        let nonce = Text::from(self.nonce(now, self.issued));
        let algorithms = self.config.algorithms.iter();
        algorithms
            .map(|algorithm| Challenge {
                realm: self.realm.clone(),
                nonce: nonce.clone(),
                opaque: None,
                algorithm: Some(algorithm.clone()),
                qop: self.config.qop.clone(),
                stale,
                domain: None,
            })
            .collect()
    }

    /// One challenge, for clients that are confused by two: the last algorithm of the configuration, by
    /// default MD5.
    pub fn challenge(&mut self, now: Instant, stale: bool) -> Challenge {
        let last = self.challenges(now, stale).pop();
        last.unwrap_or_else(|| Challenge::new(self.realm.clone(), self.nonce(now, self.issued)))
    }

    /// Checks credentials that came with a request of this method and body. The digest covers the URI that
    /// the credentials name; a server that no proxy stands before may compare it with the Request-URI.
    ///
    /// # Errors
    /// Why they are refused; nothing about the nonce unless the password is right.
    pub fn verify(
        &mut self,
        now: Instant,
        credentials: &Credentials,
        method: &Method,
        body: &[u8],
        password: &Secret,
    ) -> Result<(), Rejection> {
        if credentials.realm != self.realm {
            return Err(Rejection::WrongRealm);
        }
        let algorithm = credentials.algorithm();
        let offered = match &credentials.qop {
            None => self.config.without_qop,
            Some(qop) => {
                self.config.qop.contains(qop) && credentials.nc.is_some() && credentials.cnonce.is_some()
            }
        };
        if !offered || !self.config.algorithms.contains(&algorithm) {
            return Err(Rejection::Unsupported);
        }
        let input = Input {
            username: &credentials.username,
            realm: &credentials.realm,
            nonce: &credentials.nonce,
            method: method.as_str(),
            uri: &credentials.uri,
            body,
            qop: credentials.qop.as_ref(),
            cnonce: credentials.cnonce.as_deref().unwrap_or_default(),
            nc: credentials.nc.unwrap_or_default(),
        };
        let expected =
            digest::response(&algorithm, &input, password.expose()).ok_or(Rejection::Unsupported)?;
        let given = credentials.response.to_ascii_lowercase();
        if !same(expected.as_bytes(), given.as_bytes()) {
            return Err(Rejection::BadResponse);
        }
        let number = self.live(now, &credentials.nonce).ok_or(Rejection::Stale)?;
        // Without a count, the first use is the only one.
        let count = if credentials.qop.is_some() { input.nc } else { u32::MAX };
        if count == 0 || !self.used.entry(number).or_default().note(count) {
            return Err(Rejection::Replay);
        }
        while self.used.len() > self.config.nonces.max(1)
            && let Some((oldest, _)) = self.used.pop_first()
        {
            self.forgotten = self.forgotten.max(oldest);
        }
        Ok(())
    }

    /// The number of a nonce that is ours and still lives.
    fn live(&self, now: Instant, nonce: &str) -> Option<u64> {
        let time = u64::from_str_radix(nonce.get(..16)?, 16).ok()?;
        let number = u64::from_str_radix(nonce.get(16..32)?, 16).ok()?;
        let issued = Instant::from_micros(time);
        let ours = same(nonce.as_bytes(), self.nonce(issued, number).as_bytes());
        let lives = issued <= now && now.saturating_since(issued) <= self.config.nonce_life;
        (ours && lives && number > self.forgotten).then_some(number)
    }

    /// Time, number and signature in hexadecimal.
    fn nonce(&self, now: Instant, number: u64) -> alloc::string::String {
        let mut hasher = Sha256::new();
        hasher.update(self.key.0);
        hasher.update(now.as_micros().to_be_bytes());
        hasher.update(number.to_be_bytes());
        let signature = hasher.finalize();
        let signature = signature.get(..16).unwrap_or_default();
        format!("{:016x}{number:016x}{}", now.as_micros(), digest::hex(signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_taken_once_in_any_order() {
        let mut uses = Uses::default();
        assert!(uses.note(1) && !uses.note(1));
        assert!(uses.note(5) && uses.note(3) && uses.note(4) && !uses.note(3) && !uses.note(5));
        assert!(uses.note(100));
        assert!(!uses.note(5), "too far back to know");
        assert!(uses.note(99) && !uses.note(99));
        assert!(uses.note(u32::MAX) && !uses.note(u32::MAX));
    }
}
