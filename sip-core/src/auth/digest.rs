//! The digest itself (RFC 7616 §3.4).

use super::{Algorithm, DigestHash, Qop, Secret};
use alloc::string::String;
use core::fmt;
use core::fmt::Write as _;
use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};
use zeroize::Zeroize;

/// What goes into a digest beside the secret.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    /// The name itself, whatever stands in the header.
    pub(super) username: &'a str,
    pub(super) realm: &'a str,
    pub(super) nonce: &'a str,
    /// The nonce that the session key of a `-sess` algorithm was made with.
    pub(super) session_nonce: &'a str,
    /// The method; empty in a server's answer (RFC 7616 §3.5).
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    pub(super) body: &'a [u8],
    /// `None` by RFC 2069.
    pub(super) qop: Option<&'a Qop>,
    pub(super) cnonce: &'a str,
    pub(super) nc: u32,
}

/// The `response` or `rspauth`; `None` for an algorithm or a quality that we cannot compute, or a stored hash of
/// another function.
pub(super) fn response(algorithm: &Algorithm, input: &Input<'_>, secret: &Secret) -> Option<Hex> {
    let hash = algorithm.hash()?;
    let of = |parts: &[&str]| {
        let mut bytes = [&b""[..]; 6];
        bytes.iter_mut().zip(parts).for_each(|(slot, part)| *slot = part.as_bytes());
        digest(hash, bytes.get(..parts.len()).unwrap_or_default())
    };
    let mut ha1 = user_key(hash, input.username, input.realm, secret)?;
    if algorithm.is_session() {
        ha1 = of(&[ha1.as_str(), input.session_nonce, input.cnonce]);
    }
    let ha2 = match input.qop {
        None | Some(Qop::Auth) => of(&[input.method, input.uri]),
        Some(Qop::AuthInt) => of(&[input.method, input.uri, digest(hash, &[input.body]).as_str()]),
        Some(Qop::Other(_)) => return None,
    };
    let Some(qop) = input.qop else {
        return Some(of(&[ha1.as_str(), input.nonce, ha2.as_str()]));
    };
    let mut nc = String::with_capacity(8);
    let _ = write!(nc, "{:08x}", input.nc);
    Some(of(&[ha1.as_str(), input.nonce, &nc, input.cnonce, qop.as_str(), ha2.as_str()]))
}

/// `H(user:realm:password)`, or what is stored of it.
pub(super) fn user_key(hash: DigestHash, user: &str, realm: &str, secret: &Secret) -> Option<Hex> {
    match secret.password() {
        Some(password) => Some(digest(hash, &[user.as_bytes(), realm.as_bytes(), password])),
        None => secret.stored(hash).cloned(),
    }
}

/// The hash of the parts with colons between.
pub(super) fn digest(hash: DigestHash, parts: &[&[u8]]) -> Hex {
    match hash {
        DigestHash::Md5 => joined::<Md5>(parts),
        DigestHash::Sha256 => joined::<Sha256>(parts),
        DigestHash::Sha512_256 => joined::<Sha512_256>(parts),
    }
}

fn joined<H: Digest>(parts: &[&[u8]]) -> Hex {
    let mut hasher = H::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hasher.update(b":");
        }
        hasher.update(part);
    }
    let mut bytes = hasher.finalize();
    let hex = Hex::of(&bytes);
    bytes.as_mut_slice().zeroize();
    hex
}

/// A digest in lower-case hexadecimal, of at most 32 bytes; overwritten with zeros when dropped, as it may be
/// worth a password.
#[derive(Clone)]
pub(super) struct Hex {
    text: [u8; 64],
    length: usize,
}

impl Hex {
    pub(super) fn of(bytes: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or_default();
        let mut text = [0; 64];
        for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        Self { text, length: (bytes.len() * 2).min(64) }
    }

    /// Hexadecimal digits of either case, as many as the function gives.
    pub(super) fn parse(hash: DigestHash, hex: &str) -> Option<Self> {
        if hex.len() != hash.digits() || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut text = [0; 64];
        text.iter_mut().zip(hex.bytes()).for_each(|(slot, byte)| *slot = byte.to_ascii_lowercase());
        Some(Self { text, length: hex.len() })
    }

    pub(super) fn as_str(&self) -> &str {
        core::str::from_utf8(self.text.get(..self.length).unwrap_or_default()).unwrap_or_default()
    }

    /// Whether `given`, in either case, is the same; in a time that depends on the lengths only.
    pub(super) fn is(&self, given: &str) -> bool {
        let mut lower = [0; 64];
        lower.iter_mut().zip(given.bytes()).for_each(|(slot, byte)| *slot = byte.to_ascii_lowercase());
        let fits = given.len() == self.length;
        super::secret::same(&self.text, &lower) && fits
    }
}

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Drop for Hex {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}
