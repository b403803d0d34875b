//! Certificates, keys and revocation lists as files have them: PEM or DER.

use super::TlsError;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use std::path::Path;

/// The largest file that is read: system stores in one file have some 200 kB.
const MAX_FILE: u64 = 4 << 20;
const PEM: &[u8] = b"-----BEGIN ";

/// Certificates that belong together: several CAs, or a chain with the end entity first.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Certificates(pub(super) Vec<CertificateDer<'static>>);

impl Certificates {
    /// Reads PEM (any number, one after the other, other text between them is skipped) or DER (one).
    ///
    /// # Errors
    /// There is no certificate in it, or one is no certificate.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlsError> {
        let certificates = if contains(bytes, PEM) {
            let sections = CertificateDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>();
            sections.map_err(|error| TlsError::Unreadable(error.to_string()))?
        } else {
            Vec::from([CertificateDer::from(bytes.to_vec())])
        };
        if certificates.is_empty() {
            return Err(TlsError::Unreadable("it has no certificate".to_owned()));
        }
        for (at, certificate) in certificates.iter().enumerate() {
            // Roots may be of version 1, and only this reading of them takes that.
            webpki::anchor_from_trusted_cert(certificate).map_err(|error| {
                TlsError::Unreadable(format!("certificate {} is none, neither PEM nor DER: {error}", at + 1))
            })?;
        }
        Ok(Self(certificates))
    }

    /// Reads a file as [`Certificates::parse`] does; its name does not matter (`.pem`, `.crt`, `.cer`, `.der`).
    ///
    /// # Errors
    /// As there, or the file cannot be read, or has more than 4 MiB; the error names it.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, TlsError> {
        let path = path.as_ref();
        Self::parse(&read_file(path)?).map_err(|error| error.in_file(path))
    }

    /// One certificate, DER.
    #[must_use]
    pub fn from_der(der: impl Into<Vec<u8>>) -> Self {
        Self(Vec::from([CertificateDer::from(der.into())]))
    }

    /// All of these and all of those.
    pub fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them, DER.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(AsRef::as_ref)
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificates({})", self.len())
    }
}

/// A certificate with its chain and its key: who we are.
///
/// The key is not shown by `Debug` and never logged.
pub struct Identity {
    pub(super) chain: Certificates,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// A certificate, its issuers after it (RFC 8446 §4.4.2; the root may be left out), and its key.
    ///
    /// The key: PEM or DER, PKCS#8, PKCS#1 (RSA) or SEC 1 (EC), not encrypted. Both may be in one PEM file: then give
    /// it twice.
    ///
    /// # Errors
    /// Either cannot be read, or the key is of another certificate.
    pub fn parse(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let identity = Self { chain: Certificates::parse(chain)?, key: private_key(key)? };
        super::setup::certified(&identity)?;
        Ok(identity)
    }

    /// The same from files.
    ///
    /// # Errors
    /// As [`Identity::parse`], or a file cannot be read; the error names it.
    pub fn read(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        let chain = Certificates::read(chain)?;
        let path = key.as_ref();
        let key = private_key(&read_file(path)?).map_err(|error| error.in_file(path))?;
        let identity = Self { chain, key };
        super::setup::certified(&identity).map_err(|error| error.in_file(path))?;
        Ok(identity)
    }

    /// The certificate and its issuers.
    #[must_use]
    pub const fn chain(&self) -> &Certificates {
        &self.chain
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("chain", &self.chain).finish_non_exhaustive()
    }
}

/// Certificate revocation lists (RFC 5280 §5).
#[derive(Clone, Default)]
pub struct RevocationLists(pub(super) Vec<CertificateRevocationListDer<'static>>);

impl RevocationLists {
    /// Reads PEM (any number) or DER (one).
    ///
    /// # Errors
    /// There is no list in it, or one is no list.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlsError> {
        let lists = if contains(bytes, PEM) {
            let sections = CertificateRevocationListDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>();
            sections.map_err(|error| TlsError::Unreadable(error.to_string()))?
        } else {
            Vec::from([CertificateRevocationListDer::from(bytes.to_vec())])
        };
        if lists.is_empty() {
            return Err(TlsError::Unreadable("it has no revocation list".to_owned()));
        }
        for list in &lists {
            webpki::BorrowedCertRevocationList::from_der(list)
                .map_err(|error| TlsError::Unreadable(format!("a revocation list is none: {error}")))?;
        }
        Ok(Self(lists))
    }

    /// The same from a file.
    ///
    /// # Errors
    /// As there, or the file cannot be read; the error names it.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, TlsError> {
        let path = path.as_ref();
        Self::parse(&read_file(path)?).map_err(|error| error.in_file(path))
    }
}

impl fmt::Debug for RevocationLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RevocationLists({})", self.0.len())
    }
}

fn private_key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    if !contains(bytes, PEM) {
        let key = PrivateKeyDer::try_from(bytes.to_vec());
        return key.map_err(|error| TlsError::Unreadable(error.to_owned()));
    }
    // PKCS#8 names its encryption in the section's name, the older kinds in a header.
    if contains(bytes, b"-----BEGIN ENCRYPTED PRIVATE KEY") || contains(bytes, b"Proc-Type: 4,ENCRYPTED") {
        return Err(TlsError::Unreadable("the key is encrypted; store it without a passphrase".to_owned()));
    }
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| TlsError::Unreadable(no_key(&error)))
}

fn no_key(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::NoItemsFound => {
            "it has no private key (PKCS#8, PKCS#1 or SEC 1)".to_owned()
        }
        // Says where the PEM is wrong, and nothing of what is in it.
        other => other.to_string(),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, TlsError> {
    use std::io::Read;
    let read = || {
        let file = std::fs::File::open(path)?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    let bytes = read().map_err(|error| TlsError::Unreadable(error.to_string()).in_file(path))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(TlsError::Unreadable("it has more than 4 MiB".to_owned()).in_file(path));
    }
    Ok(bytes)
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    memchr::memmem::find(bytes, wanted).is_some()
}
