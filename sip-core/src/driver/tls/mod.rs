//! TLS for SIP: whom we trust, who we are, and how a certificate is judged. RFC 3261 §26.3, RFC 5922, RFC 5923.
//!
//! rustls does the protocol and the cryptography (ring); this module says which certificates are wanted, by the
//! rules of SIP, and gives every refusal a reason. TLS 1.2 and 1.3 are spoken with suites that have forward secrecy
//! and authenticated encryption. TLS 1.0 and 1.1 (RFC 8996 forbids them), static RSA key exchange, CBC, 3DES, RC4, IDEA, DSS
//! and the export suites, as older phones list them, are not there and cannot be had.

mod handshake;
mod material;
mod names;
mod setup;
mod verify;

pub use handshake::{PeerIdentity, TlsSession};
pub use material::{Certificates, Identity, RevocationLists};
pub use setup::TlsHandle;

pub(super) use handshake::{Purpose, Stream, accept, connect, refusal, session};
pub(super) use setup::Setup;

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use std::path::{Path, PathBuf};

/// Which CA certificates a server's certificate may come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CaSet {
    /// The operating system's.
    System,
    /// Those of [`TlsConfig::trust`].
    Own,
    /// All of them.
    #[default]
    Both,
}

/// What a server asks of its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// No certificate.
    #[default]
    None,
    /// A certificate may be sent, and is judged if it is.
    Optional,
    /// Without a good certificate there is no connection.
    Required,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// RFC 2246. Cannot be had: [`TlsError::Version`].
    Tls10,
    /// RFC 4346. Cannot be had: [`TlsError::Version`].
    Tls11,
    /// RFC 5246.
    #[default]
    Tls12,
    /// RFC 8446.
    Tls13,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls10 => "TLS 1.0",
            Self::Tls11 => "TLS 1.1",
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}

/// From `1.2`, `TLS 1.2`, `TLSv1.2`, `tls1_2` and the like.
impl FromStr for TlsVersion {
    type Err = TlsError;

    fn from_str(text: &str) -> Result<Self, TlsError> {
        let lower = text.to_ascii_lowercase();
        let number = lower.strip_prefix("tls").unwrap_or(&lower).trim_start_matches([' ', 'v']);
        match number.replace('_', ".").as_str() {
            "1" | "1.0" => Ok(Self::Tls10),
            "1.1" => Ok(Self::Tls11),
            "1.2" => Ok(Self::Tls12),
            "1.3" => Ok(Self::Tls13),
            _ => Err(TlsError::UnknownVersion(text.to_string())),
        }
    }
}

/// Whom we trust and who we are: plain data.
///
/// ```
/// use sidetone_sip_core::driver::{CaSet, Certificates, TlsConfig, TlsVersion};
/// # fn set_up(pem: &[u8]) -> Result<TlsConfig, sidetone_sip_core::driver::TlsError> {
/// let config = TlsConfig::new()
///     .trust(Certificates::parse(pem)?)
///     .ca_set(CaSet::Own)
///     .min_version(TlsVersion::Tls13);
/// # Ok(config) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsConfig {
    /// CA certificates of our own, or certificates of single servers.
    pub trusted: Certificates,
    /// Which CA certificates count. Default both.
    pub ca_set: CaSet,
    /// Off: any certificate of a server will do, of whatever issuer, date and name; only that the server has its key
    /// is still proved. Then nobody is kept from listening in between. Default on.
    pub accept_only_trusted: bool,
    /// Whether the certificate of a server must be for the wanted domain (RFC 5922 §7). Off, every holder of a
    /// certificate of a trusted CA can pass for the server. Default on.
    pub check_name: bool,
    /// Whether the subject's common name counts where a certificate has no subjectAltName: RFC 5922 §7.1 allows it, and
    /// old installations need it. Default on.
    pub common_name: bool,
    /// Whether `*.example.com` stands for `pbx.example.com`: RFC 5922 §7.2 forbids it, some operators use it.
    /// Default off.
    pub wildcards: bool,
    /// What a server gets that asks for our certificate (mutual TLS). Default none.
    pub client: Option<Identity>,
    /// What our clients get. With several, the first whose certificate is for the name in SNI, else the first.
    pub servers: Vec<Identity>,
    /// What is asked of our clients. Default none.
    pub client_auth: ClientAuth,
    /// The CA certificates that a client's certificate may come from.
    pub client_trusted: Certificates,
    /// Certificates that were revoked, of servers and clients. An issuer without a list has revoked none; a list whose
    /// next update is due still counts.
    pub revocation: RevocationLists,
    /// No older version is spoken. Default 1.2.
    pub min_version: TlsVersion,
    /// Sessions kept for resumption, of servers and of clients each; 0: every handshake is a full one. Default 1024.
    pub sessions: usize,
}

impl TlsConfig {
    /// The operating system's CA certificates, names checked, TLS 1.2 and 1.3, no certificate of our own.
    #[must_use]
    pub fn new() -> Self {
        Self {
            trusted: Certificates::default(),
            ca_set: CaSet::default(),
            accept_only_trusted: true,
            check_name: true,
            common_name: true,
            wildcards: false,
            client: None,
            servers: Vec::new(),
            client_auth: ClientAuth::default(),
            client_trusted: Certificates::default(),
            revocation: RevocationLists::default(),
            min_version: TlsVersion::default(),
            sessions: 1024,
        }
    }

    /// More CA certificates of our own, or certificates of single servers.
    #[must_use]
    pub fn trust(mut self, certificates: Certificates) -> Self {
        self.trusted.append(certificates);
        self
    }

    /// Which CA certificates count.
    #[must_use]
    pub const fn ca_set(mut self, set: CaSet) -> Self {
        self.ca_set = set;
        self
    }

    /// [`TlsConfig::accept_only_trusted`].
    #[must_use]
    pub const fn accept_only_trusted(mut self, on: bool) -> Self {
        self.accept_only_trusted = on;
        self
    }

    /// [`TlsConfig::check_name`].
    #[must_use]
    pub const fn check_name(mut self, on: bool) -> Self {
        self.check_name = on;
        self
    }

    /// [`TlsConfig::common_name`].
    #[must_use]
    pub const fn common_name(mut self, on: bool) -> Self {
        self.common_name = on;
        self
    }

    /// [`TlsConfig::wildcards`].
    #[must_use]
    pub const fn wildcards(mut self, on: bool) -> Self {
        self.wildcards = on;
        self
    }

    /// What servers get that ask for our certificate.
    #[must_use]
    pub fn client(mut self, identity: Identity) -> Self {
        self.client = Some(identity);
        self
    }

    /// One more certificate for our clients.
    #[must_use]
    pub fn server(mut self, identity: Identity) -> Self {
        self.servers.push(identity);
        self
    }

    /// What is asked of our clients, and the CA certificates that theirs may come from.
    #[must_use]
    pub fn client_auth(mut self, auth: ClientAuth, trusted: Certificates) -> Self {
        self.client_auth = auth;
        self.client_trusted = trusted;
        self
    }

    /// [`TlsConfig::revocation`].
    #[must_use]
    pub fn revocation(mut self, lists: RevocationLists) -> Self {
        self.revocation = lists;
        self
    }

    /// No older version is spoken.
    #[must_use]
    pub const fn min_version(mut self, version: TlsVersion) -> Self {
        self.min_version = version;
        self
    }

    /// [`TlsConfig::sessions`].
    #[must_use]
    pub const fn sessions(mut self, sessions: usize) -> Self {
        self.sessions = sessions;
        self
    }
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// Why TLS cannot be set up as wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// RFC 8996.
    #[error(
        "{0} cannot be had: RFC 8996 forbids it, its signatures are of MD5 and SHA-1; the lowest is TLS 1.2"
    )]
    Version(TlsVersion),
    /// Not 1.0 to 1.3.
    #[error("{0:?} is no version of TLS; 1.2 and 1.3 are")]
    UnknownVersion(String),
    /// A certificate, key or list.
    #[error("{0}")]
    Unreadable(String),
    /// The key cannot be used, or is not of the certificate.
    #[error("the key does not fit: {0}")]
    Key(String),
    /// The same, of a file.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<Self>,
    },
    /// Listening for TLS takes a certificate.
    #[error("to listen for TLS takes a certificate and its key")]
    NoServerIdentity,
    /// Asking clients for certificates takes somebody who signs them.
    #[error("to ask clients for certificates takes the CA certificates that they come from")]
    NoClientCa,
}

impl TlsError {
    fn in_file(self, path: &Path) -> Self {
        Self::File { path: path.to_path_buf(), error: Box::new(self) }
    }
}
