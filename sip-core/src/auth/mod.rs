//! Digest authentication, client and server (RFC 3261 §22, RFC 7616, RFC 8760; RFC 2069 peers too).

mod challenge;
mod client;
mod digest;
mod server;

pub use challenge::{Algorithm, Challenge, Credentials, Qop};
pub use client::{AuthError, DigestClient};
pub use server::{DigestConfig, DigestServer, Rejection};

use core::fmt;

/// A password. `Debug` shows `***`; comparison takes the same time wherever the difference is.
///
/// ```
/// use sidetone_sip_core::Secret;
/// let secret = Secret::from("zanzibar");
/// assert_eq!(format!("{secret:?}"), "***");
/// assert_eq!(secret.expose(), "zanzibar");
/// ```
#[derive(Clone, Default)]
pub struct Secret(alloc::string::String);

impl Secret {
    /// A password.
    #[must_use]
    pub fn new(password: impl Into<alloc::string::String>) -> Self {
        Self(password.into())
    }

    /// The password itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(password: &str) -> Self {
        Self::new(password)
    }
}

impl From<alloc::string::String> for Secret {
    fn from(password: alloc::string::String) -> Self {
        Self(password)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        same(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Compares in a time that depends on the lengths only.
fn same(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0_u8, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && core::hint::black_box(difference) == 0
}
