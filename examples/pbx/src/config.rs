//! What a [`Proxy`](crate::Proxy) is built from: plain data, every bound with its default.

use crate::registrar::RegistrarLimits;
use core::time::Duration;
use sidetone_sip_core::{DigestConfig, EndpointConfig};

/// Plain data for [`Proxy::new`](crate::Proxy::new).
///
/// ```
/// use sidetone_pbx::ProxyConfig;
/// let mut config = ProxyConfig::new([7; 32]);
/// config.domains.push("example.org".into());
/// config.registrar.min_expires = 120;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProxyConfig {
    /// The transaction layer. Its seed is the proxy's too. Connections are kept for longer than a binding lives, so
    /// that a registered device stays reachable.
    pub endpoint: EndpointConfig,
    /// The realm of the digest challenges. Default `sidetone`.
    pub realm: String,
    /// What the challenges offer. Default SHA-256 and MD5, a challenge for each (RFC 8760); older clients that stumble
    /// over the first need MD5 alone.
    pub digest: DigestConfig,
    /// Host names and addresses that this server answers for, besides the addresses that it listens on. Default
    /// `localhost`.
    pub domains: Vec<String>,
    /// Bounds on registrations.
    pub registrar: RegistrarLimits,
    /// Requests proxied at a time; more are answered 503. Default 10 000.
    pub max_contexts: usize,
    /// The `Server` header of responses made here. Default `sidetone-pbx/` and the version.
    pub server: String,
}

impl ProxyConfig {
    /// The defaults, with this seed: 32 bytes of the operating system's in a product, a number in a test.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        let registrar = RegistrarLimits::default();
        let mut endpoint = EndpointConfig::new(seed);
        endpoint.idle = Duration::from_secs(u64::from(registrar.max_expires) + 600);
        Self {
            endpoint,
            realm: "sidetone".into(),
            digest: DigestConfig::default(),
            domains: vec!["localhost".into()],
            registrar,
            max_contexts: 10_000,
            server: concat!("sidetone-pbx/", env!("CARGO_PKG_VERSION")).into(),
        }
    }
}
