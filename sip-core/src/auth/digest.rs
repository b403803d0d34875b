//! The digest itself (RFC 7616 §3.4).

use super::{Algorithm, Qop};
use alloc::string::String;
use core::fmt::Write as _;
use md5::Md5;
use sha2::{Digest, Sha256};

/// What goes into a digest beside the password.
pub(super) struct Input<'a> {
    pub(super) username: &'a str,
    pub(super) realm: &'a str,
    pub(super) nonce: &'a str,
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    pub(super) body: &'a [u8],
    /// `None` by RFC 2069.
    pub(super) qop: Option<&'a Qop>,
    pub(super) cnonce: &'a str,
    pub(super) nc: u32,
}

/// The `response` in lower-case hexadecimal; `None` for an algorithm or a quality that we cannot compute.
pub(super) fn response(algorithm: &Algorithm, input: &Input<'_>, password: &str) -> Option<String> {
    match algorithm {
        Algorithm::Md5 | Algorithm::Md5Sess => compute::<Md5>(algorithm, input, password),
        Algorithm::Sha256 | Algorithm::Sha256Sess => compute::<Sha256>(algorithm, input, password),
        Algorithm::Other(_) => None,
    }
}

fn compute<H: Digest>(algorithm: &Algorithm, input: &Input<'_>, password: &str) -> Option<String> {
    let mut ha1 = hash::<H>(&[input.username, input.realm, password]);
    if algorithm.is_session() {
        ha1 = hash::<H>(&[&ha1, input.nonce, input.cnonce]);
    }
    let ha2 = match input.qop {
        None | Some(Qop::Auth) => hash::<H>(&[input.method, input.uri]),
        Some(Qop::AuthInt) => hash::<H>(&[input.method, input.uri, &hex(&H::digest(input.body))]),
        Some(Qop::Other(_)) => return None,
    };
    let mut nc = String::with_capacity(8);
    let _ = write!(nc, "{:08x}", input.nc);
    Some(match input.qop {
        None => hash::<H>(&[&ha1, input.nonce, &ha2]),
        Some(qop) => hash::<H>(&[&ha1, input.nonce, &nc, input.cnonce, qop.as_str(), &ha2]),
    })
}

/// The hash of the parts with colons between.
fn hash<H: Digest>(parts: &[&str]) -> String {
    let mut hasher = H::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hasher.update(b":");
        }
        hasher.update(part.as_bytes());
    }
    hex(&hasher.finalize())
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out
}
