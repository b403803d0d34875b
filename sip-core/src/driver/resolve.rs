//! Addresses of a host: numbers as they are, then the hosts file, then DNS.

use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use sidetone_hal::net::{IpAddr, SocketAddr};
use sidetone_hal::time::Duration;
use std::io;
use std::sync::OnceLock;

/// Addresses of the documentation ranges (RFC 5737, RFC 3849): routed by default, in use by nobody.
pub(super) const DEFAULT_ROUTE_PROBES: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 9),
];

/// How long one host may take, all servers and repeats together.
const LIMIT: Duration = Duration::from_secs(10);
/// Addresses kept of one host.
const MAX_ADDRESSES: usize = 16;

/// Resolves host names; cheap to clone.
#[derive(Clone, Default)]
pub struct Resolver {
    /// Made when the first name needs it: numeric hosts work without any configuration.
    dns: Arc<OnceLock<Option<TokioResolver>>>,
}

impl core::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

impl Resolver {
    /// A resolver by the system's configuration, read when it is first needed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The addresses of `host`, each with `port`: IPv4 first, 16 at most. A number, in brackets if IPv6, is
    /// itself; `localhost` and names below it are loopback (RFC 6761 §6.3); others come from the hosts file, then
    /// from DNS.
    ///
    /// # Errors
    /// The host has no address, or none was found out within 10 s.
    pub async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Some(ip) = numeric(host) {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        if is_localhost(host) {
            let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            return Ok(both.map(|ip| SocketAddr::new(ip, port)).to_vec());
        }
        let failed = |what: &str, kind| io::Error::new(kind, format!("{host}: {what}"));
        let dns = self.dns.get_or_init(system).as_ref();
        let dns =
            dns.ok_or_else(|| failed("no name resolution on this system", io::ErrorKind::Unsupported))?;
        let lookup = tokio::time::timeout(LIMIT, dns.lookup_ip(host)).await;
        let lookup = lookup.map_err(|_| failed("the name servers do not answer", io::ErrorKind::TimedOut))?;
        let found = lookup.map_err(|error| failed(&error.to_string(), io::ErrorKind::NotFound))?;
        let addresses: Vec<_> =
            found.iter().take(MAX_ADDRESSES).map(|ip| SocketAddr::new(ip, port)).collect();
        if addresses.is_empty() { Err(failed("no address", io::ErrorKind::NotFound)) } else { Ok(addresses) }
    }
}

fn numeric(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or_default();
    last.eq_ignore_ascii_case("localhost")
}

/// The system's resolver; without its configuration, one that knows the hosts file and no server.
fn system() -> Option<TokioResolver> {
    let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
        tracing::warn!(%error, "no system configuration for DNS; only the hosts file is used");
        let none = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
        TokioResolver::builder_with_config(none, TokioRuntimeProvider::default())
    });
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Always;
    builder.build().inspect_err(|error| tracing::error!(%error, "no name resolution")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn numbers_and_localhost_need_no_configuration() {
        // A resolver that has no DNS at all.
        let dns = Arc::new(OnceLock::from(None));
        let resolver = Resolver { dns };
        let one = |text: &str| vec![text.parse::<SocketAddr>().unwrap()];
        assert_eq!(resolver.resolve("192.0.2.7", 5060).await.unwrap(), one("192.0.2.7:5060"));
        assert_eq!(resolver.resolve("[2001:db8::7]", 5070).await.unwrap(), one("[2001:db8::7]:5070"));
        assert_eq!(resolver.resolve("2001:db8::7", 5070).await.unwrap(), one("[2001:db8::7]:5070"));
        let both = vec!["127.0.0.1:5060".parse().unwrap(), "[::1]:5060".parse().unwrap()];
        assert_eq!(resolver.resolve("LocalHost", 5060).await.unwrap(), both);
        assert_eq!(resolver.resolve("a.localhost.", 5060).await.unwrap(), both);
        let error = resolver.resolve("sip.example.org", 5060).await.unwrap_err();
        assert!(error.to_string().contains("sip.example.org"), "{error}");
    }

    #[tokio::test]
    async fn without_servers_the_hosts_file_is_still_read() {
        let none = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
        let mut builder = TokioResolver::builder_with_config(none, TokioRuntimeProvider::default());
        builder.options_mut().use_hosts_file = ResolveHosts::Always;
        let mut resolver = builder.build().unwrap();
        let mut hosts = hickory_resolver::Hosts::default();
        hosts.read_hosts_conf(&b"192.0.2.9 pbx pbx.example.org\n"[..]).unwrap();
        resolver.set_hosts(Arc::new(hosts));
        let resolver = Resolver { dns: Arc::new(OnceLock::from(Some(resolver))) };
        let found = resolver.resolve("pbx.example.org", 5060).await.unwrap();
        assert_eq!(found, vec!["192.0.2.9:5060".parse().unwrap()]);
        assert!(resolver.resolve("nobody.example.org", 5060).await.is_err());
    }
}
