//! How an account's servers are found, from the settings.

use crate::models::Model;
use core::str::FromStr;
use core::time::Duration;
use sidetone_provisioning::{DnsCache, LocatingSettings};
use sidetone_sip_core::locate::{
    CacheMode, Naptr, Record, RecordData, Srv, SrvWithoutNaptr, StaticOrder, StaticRecords,
};
use sidetone_sip_ua::LocateOptions;

/// How this telephone's manual says that servers are found.
pub(super) fn locate_of(model: &Model) -> LocateOptions {
    match model.name {
        "cp860" => LocateOptions::yealink(),
        "ut670" => LocateOptions::panasonic(),
        _ => LocateOptions::default(),
    }
}

/// How the servers of an account of this telephone are found.
pub(super) fn of(settings: &LocatingSettings, model: &Model) -> Result<LocateOptions, String> {
    let mut options = locate_of(model);
    options.prefixes.udp.clone_from(&settings.srv_prefix_udp);
    options.prefixes.tcp.clone_from(&settings.srv_prefix_tcp);
    if let Some(every) = settings.srv_of_every_transport {
        options.srv_without_naptr = if every { SrvWithoutNaptr::Every } else { SrvWithoutNaptr::Udp };
    }
    options.cache = match settings.dns_cache {
        DnsCache::Off => CacheMode::Off,
        DnsCache::Answers => CacheMode::Answers,
        DnsCache::Additional => CacheMode::AnswersAndAdditional,
    };
    let order = if settings.dns_records_first { StaticOrder::StaticFirst } else { StaticOrder::DnsFirst };
    Ok(options.with_static(records(&settings.dns_records)?, order))
}

fn records(text: &str) -> Result<StaticRecords, String> {
    let mut records = StaticRecords::new();
    for line in text.split(';').map(str::trim).filter(|line| !line.is_empty()) {
        let record = record(line).ok_or_else(|| {
            format!("dns_records: {line:?}: expected `NAME TTL` and an A, SRV or NAPTR record")
        })?;
        records.push(record).map_err(|error| format!("dns_records: {line:?}: {error}"))?;
    }
    Ok(records)
}

/// One record, in the order of a zone's file.
fn record(line: &str) -> Option<Record> {
    let mut words = line.split_ascii_whitespace();
    let (name, ttl) = (words.next()?, number(words.next()?)?);
    let kind = words.next()?;
    let rest: Vec<&str> = words.collect();
    let data = match (kind.to_ascii_uppercase().as_str(), rest.as_slice()) {
        ("A", [address]) => RecordData::A(address.parse().ok()?),
        ("SRV", [priority, weight, port, target]) => RecordData::Srv(Srv {
            priority: number(priority)?,
            weight: number(weight)?,
            port: number(port)?,
            target: (*target).to_owned(),
        }),
        ("NAPTR", [order, preference, flags, service, replacement]) => RecordData::Naptr(Naptr {
            order: number(order)?,
            preference: number(preference)?,
            flags: flag(flags)?.to_owned(),
            service: (*service).to_owned(),
            regexp: String::new(),
            replacement: (*replacement).to_owned(),
        }),
        _ => return None,
    };
    Some(Record::new(name, Duration::from_secs(ttl), data))
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// One of the flags that YLB-022 names; `-` is none.
fn flag(text: &str) -> Option<&str> {
    if text == "-" {
        return Some("");
    }
    ["S", "A", "U", "P"].iter().any(|known| known.eq_ignore_ascii_case(text)).then_some(text)
}
