//! How an account's servers are found, as the phone reads it.

use crate::settings::Settings;

/// How an account's servers are found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct LocatingSettings {
    pub srv_prefix_udp: String,
    pub srv_prefix_tcp: String,
    /// Whether SRV records of every transport are asked for without NAPTR records; `None` as the model has it.
    pub srv_of_every_transport: Option<bool>,
    pub dns_cache: DnsCache,
    /// Records between `;`, as the schema says.
    pub dns_records: String,
    pub dns_records_first: bool,
}

/// What is kept of the answers of DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub enum DnsCache {
    Off,
    Answers,
    Additional,
}

impl Settings {
    pub(super) fn account_locating(&self, number: u8) -> LocatingSettings {
        let value = |name: &str| self.value(&format!("account.N.{name}"), number);
        LocatingSettings {
            srv_prefix_udp: value("srv_prefix_udp").text(),
            srv_prefix_tcp: value("srv_prefix_tcp").text(),
            srv_of_every_transport: match value("srv_without_naptr").word() {
                "udp" => Some(false),
                "every" => Some(true),
                _ => None,
            },
            dns_cache: match value("dns_cache").word() {
                "off" => DnsCache::Off,
                "additional" => DnsCache::Additional,
                _ => DnsCache::Answers,
            },
            dns_records: value("dns_records").text(),
            dns_records_first: value("dns_records_first").bool(),
        }
    }
}
