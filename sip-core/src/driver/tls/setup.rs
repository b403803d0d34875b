//! From the plain configuration to what rustls works with, and exchanging it while connections live.

use super::material::Identity;
use super::names::{NameRules, Names};
use super::verify::{ClientJudge, ServerJudge, Trust};
use super::{CaSet, ClientAuth, TlsConfig, TlsError, TlsVersion};
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, TrustAnchor};
use rustls::server::{
    ClientHello, NoClientAuth, NoServerSessionStorage, ResolvesServerCert, ServerSessionMemoryCache,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, DistinguishedName, ServerConfig, SupportedProtocolVersion};
use std::sync::{PoisonError, RwLock};
use webpki::{CertRevocationList, OwnedCertRevocationList};

/// What the handshakes of one configuration share.
pub(in super::super) struct Setup {
    /// SIP over TLS: names by RFC 5922.
    pub(super) sip: Arc<ClientConfig>,
    /// Secure WebSocket: names by HTTP's rules.
    #[cfg(feature = "ws")]
    pub(super) web: Arc<ClientConfig>,
    pub(super) server: Option<Arc<ServerConfig>>,
    /// Whether what servers say of themselves was checked.
    pub(super) trusts_servers: bool,
}

impl Setup {
    /// Reads the system's CA certificates, if wanted, which takes some milliseconds.
    pub(in super::super) fn new(config: &TlsConfig) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions: &[&SupportedProtocolVersion] = match config.min_version {
            TlsVersion::Tls12 => &[&TLS13, &TLS12],
            TlsVersion::Tls13 => &[&TLS13],
            old @ (TlsVersion::Tls10 | TlsVersion::Tls11) => return Err(TlsError::Version(old)),
        };
        let trust = Arc::new(server_trust(config, &provider)?);
        let rules = NameRules { common_name: config.common_name, wildcards: config.wildcards, web: false };
        #[cfg(feature = "ws")]
        let web_rules = NameRules { wildcards: true, web: true, ..rules };
        let connecting =
            |rules: NameRules| client_config(config, &provider, versions, &trust, rules).map(Arc::new);
        let server = match config.servers.is_empty() {
            true => None,
            false => Some(Arc::new(server_config(config, &provider, versions)?)),
        };
        Ok(Self {
            sip: connecting(rules)?,
            #[cfg(feature = "ws")]
            web: connecting(web_rules)?,
            server,
            trusts_servers: config.accept_only_trusted,
        })
    }

    pub(in super::super) const fn can_listen(&self) -> bool {
        self.server.is_some()
    }
}

fn client_config(
    config: &TlsConfig,
    provider: &Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    trust: &Arc<Trust>,
    rules: NameRules,
) -> Result<ClientConfig, TlsError> {
    let judge = ServerJudge {
        trust: Arc::clone(trust),
        accept_only_trusted: config.accept_only_trusted,
        names: config.check_name.then_some(rules),
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions)
        .map_err(|error| TlsError::Unreadable(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(judge));
    let mut client = match &config.client {
        Some(identity) => builder
            .with_client_auth_cert(identity.chain.0.clone(), identity.key.clone_key())
            .map_err(|error| TlsError::Key(error.to_string()))?,
        None => builder.with_no_client_auth(),
    };
    client.resumption = match config.sessions {
        0 => Resumption::disabled(),
        sessions => Resumption::in_memory_sessions(sessions),
    };
    Ok(client)
}

fn server_config(
    config: &TlsConfig,
    provider: &Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions)
        .map_err(|error| TlsError::Unreadable(error.to_string()))?;
    let builder = match config.client_auth {
        ClientAuth::None => builder.with_client_cert_verifier(Arc::new(NoClientAuth)),
        ClientAuth::Optional | ClientAuth::Required => {
            if config.client_trusted.is_empty() {
                return Err(TlsError::NoClientCa);
            }
            let anchors = anchors(&config.client_trusted.0)?;
            builder.with_client_cert_verifier(Arc::new(ClientJudge {
                hints: anchors.iter().map(|anchor| DistinguishedName::in_sequence(&anchor.subject)).collect(),
                trust: Trust {
                    anchors,
                    pinned: config.client_trusted.0.clone(),
                    revoked: revoked(config)?,
                    algorithms: provider.signature_verification_algorithms,
                },
                required: config.client_auth == ClientAuth::Required,
            }))
        }
    };
    let keys = config.servers.iter().map(certified).collect::<Result<Vec<_>, _>>()?;
    let mut server = builder.with_cert_resolver(Arc::new(Identities(keys)));
    if config.sessions == 0 {
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
    } else {
        server.session_storage = ServerSessionMemoryCache::new(config.sessions);
    }
    Ok(server)
}

fn server_trust(config: &TlsConfig, provider: &CryptoProvider) -> Result<Trust, TlsError> {
    let own: &[CertificateDer<'static>] = match config.ca_set {
        CaSet::Own | CaSet::Both => &config.trusted.0,
        CaSet::System => &[],
    };
    let mut anchors = anchors(own)?;
    if config.ca_set != CaSet::Own && config.accept_only_trusted {
        anchors.append(&mut system_anchors());
    }
    Ok(Trust {
        anchors,
        pinned: own.to_vec(),
        revoked: revoked(config)?,
        algorithms: provider.signature_verification_algorithms,
    })
}

fn anchors(certificates: &[CertificateDer<'static>]) -> Result<Vec<TrustAnchor<'static>>, TlsError> {
    let anchor = |certificate| webpki::anchor_from_trusted_cert(certificate).map(|anchor| anchor.to_owned());
    let anchors = certificates.iter().map(anchor).collect::<Result<_, _>>();
    anchors.map_err(|error| TlsError::Unreadable(error.to_string()))
}

/// The system's store. One that cannot be read trusts nobody, which each refusal then says.
fn system_anchors() -> Vec<TrustAnchor<'static>> {
    let loaded = rustls_native_certs::load_native_certs();
    for error in &loaded.errors {
        tracing::warn!(%error, "the system's CA certificates");
    }
    // Among the system's there may be some that nobody can read any more.
    let anchor =
        |certificate| webpki::anchor_from_trusted_cert(certificate).ok().map(|anchor| anchor.to_owned());
    let anchors: Vec<_> = loaded.certs.iter().filter_map(anchor).collect();
    if anchors.is_empty() {
        tracing::warn!("the system has no CA certificates: no server is trusted by them");
    }
    anchors
}

fn revoked(config: &TlsConfig) -> Result<Vec<CertRevocationList<'static>>, TlsError> {
    let read = |list: &_| OwnedCertRevocationList::from_der(AsRef::<[u8]>::as_ref(list)).map(Into::into);
    let lists = config.revocation.0.iter().map(read).collect::<Result<_, _>>();
    lists.map_err(|error: webpki::Error| TlsError::Unreadable(error.to_string()))
}

/// The key made ready for signing; fails when it is of another certificate.
pub(super) fn certified(identity: &Identity) -> Result<Arc<CertifiedKey>, TlsError> {
    let provider = rustls::crypto::ring::default_provider();
    let key = CertifiedKey::from_der(identity.chain.0.clone(), identity.key.clone_key(), &provider);
    key.map(Arc::new).map_err(|error| TlsError::Key(error.to_string()))
}

/// Our certificates, the one for the name in SNI first.
struct Identities(Vec<Arc<CertifiedKey>>);

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({})", self.0.len())
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let rules = NameRules { common_name: true, wildcards: true, web: true };
        let is_for = |name: &str, key: &CertifiedKey| {
            let names = key.cert.first().and_then(|certificate| Names::read(certificate)).unwrap_or_default();
            names.is_for_domain(name, rules) || names.is_for_domain(name, NameRules { web: false, ..rules })
        };
        // One certificate needs no choice, and the names are then not read for each connection.
        let named = match (hello.server_name(), self.0.len()) {
            (Some(name), 2..) => self.0.iter().find(|key| is_for(name, key)),
            _ => None,
        };
        named.or_else(|| self.0.first()).cloned()
    }
}

/// Exchanges the configuration of a running driver; clones are of the same one.
#[derive(Clone)]
pub struct TlsHandle(Arc<RwLock<Option<Arc<Setup>>>>);

impl fmt::Debug for TlsHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsHandle").finish_non_exhaustive()
    }
}

impl TlsHandle {
    /// None: the default configuration when the first connection needs it.
    pub(in super::super) fn new(setup: Option<Setup>) -> Self {
        Self(Arc::new(RwLock::new(setup.map(Arc::new))))
    }

    /// From now on new connections, of both directions, go by this configuration; those that are there stay. Sessions
    /// of before are not resumed.
    ///
    /// Blocks while files of the system's CA certificates are read.
    ///
    /// # Errors
    /// It cannot be used, as none without a server certificate where TLS is listened for; then nothing has changed.
    pub fn reload(&self, config: &TlsConfig) -> Result<(), TlsError> {
        let setup = Setup::new(config)?;
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|current| current.can_listen()) && !setup.can_listen() {
            return Err(TlsError::NoServerIdentity);
        }
        *current = Some(Arc::new(setup));
        Ok(())
    }

    /// The present configuration, the default one made if there is none.
    pub(in super::super) async fn ready(&self) -> Result<Arc<Setup>, TlsError> {
        let read = || self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(setup) = read() {
            return Ok(setup);
        }
        let made = tokio::task::spawn_blocking(|| Setup::new(&TlsConfig::new())).await;
        let made = made.map_err(|error| TlsError::Unreadable(error.to_string()))??;
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(current.get_or_insert_with(|| Arc::new(made))))
    }
}
