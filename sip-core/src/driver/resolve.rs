//! Names: answers to a [`Locator`](crate::locate::Locator)'s questions, and addresses of a host. Numbers are as they are,
//! then comes the hosts file, then DNS.

use crate::locate::{Answer, Naptr, Query, QueryKind, Record, RecordData, Srv};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
    ServerOrderingStrategy,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{self, Name, RData, RecordType};
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

/// How long one try of one question may take, all servers together; one repeat follows.
const TRY_LIMIT: Duration = Duration::from_millis(2500);
/// Bytes of one text field of a record that are read; DNS allows 255.
const MAX_TEXT: usize = 255;

/// Asks DNS; cheap to clone. It keeps no answers: the [`Locator`](crate::locate::Locator) does.
#[derive(Clone, Default)]
pub struct Resolver {
    /// Made when the first name needs it: numeric hosts work without any configuration.
    dns: Arc<OnceLock<Option<TokioResolver>>>,
    /// The servers to ask; empty for the system's.
    servers: Arc<[SocketAddr]>,
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

    /// A resolver that asks these servers, over UDP, and over TCP when an answer is too long: the primary one, the
    /// secondary one, and so on. Of two, both are asked and the first that answers counts. The hosts file counts too;
    /// the system's servers and search domains do not. No server at all stands for the system's configuration.
    #[must_use]
    pub fn with_servers(servers: &[SocketAddr]) -> Self {
        Self { dns: Arc::default(), servers: servers.into() }
    }

    /// Whether there is a server to ask: [`Locator::set_dns`](crate::locate::Locator::set_dns) wants to know. Reads the
    /// system's configuration when no servers were given.
    #[must_use]
    pub fn has_servers(&self) -> bool {
        !self.servers.is_empty()
            || hickory_resolver::system_conf::read_system_conf()
                .is_ok_and(|(config, _)| !config.name_servers().is_empty())
    }

    /// The answer to a locator's question, within 10 s. Names of addresses (A, AAAA) are looked for in the hosts file
    /// first, and as the system's search domains say; `localhost` and names below it are loopback (RFC 6761 §6.3).
    pub async fn query(&self, query: &Query) -> Answer {
        let name = &*query.name;
        if is_localhost(name) {
            let day = Duration::from_secs(86_400);
            return match query.kind {
                QueryKind::A => Answer::records(vec![Record::new(name, day, Ipv4Addr::LOCALHOST)]),
                QueryKind::Aaaa => Answer::records(vec![Record::new(name, day, Ipv6Addr::LOCALHOST)]),
                QueryKind::Naptr | QueryKind::Srv => Answer::NoData { ttl: Some(day) },
            };
        }
        let Some(dns) = self.dns() else { return Answer::Failed };
        // A service's name is whole: search domains are for hosts.
        let (kind, name) = match query.kind {
            QueryKind::Naptr => (RecordType::NAPTR, Cow::Owned(format!("{name}."))),
            QueryKind::Srv => (RecordType::SRV, Cow::Owned(format!("{name}."))),
            QueryKind::A => (RecordType::A, Cow::Borrowed(name)),
            QueryKind::Aaaa => (RecordType::AAAA, Cow::Borrowed(name)),
        };
        let Ok(name) = Name::from_ascii(&*name) else { return Answer::NameError { ttl: None } };
        match tokio::time::timeout(LIMIT, dns.lookup(name, kind)).await {
            Ok(Ok(lookup)) => Answer::Records {
                records: lookup.answers().iter().filter_map(record).collect(),
                additional: lookup.additionals().iter().filter_map(record).collect(),
            },
            Ok(Err(error)) => negative(query, &error),
            Err(_) => Answer::Failed,
        }
    }

    fn dns(&self) -> Option<&TokioResolver> {
        self.dns.get_or_init(|| start(&self.servers)).as_ref()
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
        let dns = self.dns();
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

/// What an error says about the question.
fn negative(query: &Query, error: &NetError) -> Answer {
    let NetError::Dns(DnsError::NoRecordsFound(none)) = error else {
        tracing::debug!(%error, name = %query.name, kind = %query.kind, "no answer from DNS");
        return Answer::Failed;
    };
    let ttl = none.negative_ttl.map(|seconds| Duration::from_secs(seconds.into()));
    match none.response_code {
        ResponseCode::NXDomain => Answer::NameError { ttl },
        ResponseCode::NoError => Answer::NoData { ttl },
        _ => Answer::Failed,
    }
}

/// A record of a type that server location knows.
fn record(record: &rr::Record) -> Option<Record> {
    let data = match &record.data {
        RData::A(address) => RecordData::A(address.0),
        RData::AAAA(address) => RecordData::Aaaa(address.0),
        RData::SRV(srv) => RecordData::Srv(Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: srv.target.to_ascii(),
        }),
        RData::NAPTR(naptr) => RecordData::Naptr(Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: text(&naptr.flags)?,
            service: text(&naptr.services)?,
            regexp: text(&naptr.regexp)?,
            replacement: naptr.replacement.to_ascii(),
        }),
        _ => return None,
    };
    Some(Record::new(record.name.to_ascii(), Duration::from_secs(record.ttl.into()), data))
}

/// A field of a record; one that is no text makes the record useless.
fn text(bytes: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(bytes).ok().filter(|text| text.len() <= MAX_TEXT)?;
    Some(text.into())
}

/// A resolver for these servers, or by the system's configuration; without that, one that knows the hosts file and no
/// server.
fn start(servers: &[SocketAddr]) -> Option<TokioResolver> {
    let only = |servers| {
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let mut builder = if servers.is_empty() {
        TokioResolver::builder_tokio().unwrap_or_else(|error| {
            tracing::warn!(%error, "no system configuration for DNS; only the hosts file is used");
            only(Vec::new())
        })
    } else {
        only(servers.iter().map(|server| name_server(*server)).collect())
    };
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Always;
    options.cache_size = 0;
    if !servers.is_empty() {
        options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
        options.timeout = TRY_LIMIT;
        options.attempts = 1;
    }
    builder.build().inspect_err(|error| tracing::error!(%error, "no name resolution")).ok()
}

fn name_server(server: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    NameServerConfig::new(server.ip(), true, connections.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn numbers_and_localhost_need_no_configuration() {
        // A resolver that has no DNS at all.
        let dns = Arc::new(OnceLock::from(None));
        let resolver = Resolver { dns, ..Resolver::default() };
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
        let resolver = Resolver { dns: Arc::new(OnceLock::from(Some(resolver))), ..Resolver::default() };
        let found = resolver.resolve("pbx.example.org", 5060).await.unwrap();
        assert_eq!(found, vec!["192.0.2.9:5060".parse().unwrap()]);
        assert!(resolver.resolve("nobody.example.org", 5060).await.is_err());
    }
}
