//! What a [`Proxy`](crate::Proxy) is built from: plain data, every bound with its default.

use crate::call_config::CallConfig;
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
    /// The transaction layer. Its seed is the proxy's too. What differs from [`EndpointConfig::new`]:
    /// - connections are kept for longer than a binding lives, so that a registered device stays reachable;
    /// - `stun_server`, and `keep` at 25 s: devices behind a NAT learn their public address at the SIP port, and are asked
    ///   to keep the NAT's entry alive, of which many live 30 s (RFC 5626 §3.5.2, RFC 6223);
    /// - `max_datagram` is `None`: a request stays on UDP however long it is. A device behind a NAT that registered over
    ///   UDP takes no connections, so waiting for one as RFC 3261 §18.1.1 has it would only delay its calls; and the
    ///   device's own choice of transport is the one that is known to work. Devices for which fragments are lost
    ///   register over TCP or TLS.
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
    /// Diverting, groups, pickup.
    pub calls: CallConfig,
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
        endpoint.stun_server = true;
        endpoint.keep = Some(25);
        endpoint.max_datagram = None;
        Self {
            endpoint,
            realm: "sidetone".into(),
            digest: DigestConfig::default(),
            domains: vec!["localhost".into()],
            registrar,
            max_contexts: 10_000,
            calls: CallConfig::default(),
            server: concat!("sidetone-pbx/", env!("CARGO_PKG_VERSION")).into(),
        }
    }
}
