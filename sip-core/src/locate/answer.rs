//! What an answer of DNS says, and until when that holds (RFC 1035 §7.4, RFC 2308 §5).

use super::LocatorConfig;
use super::record::{self, Answer, Key, QueryKind, Record, RecordData};
use super::stored::Stored;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;
use sidetone_hal::time::Instant;

/// An answer that was read.
pub(super) struct Reading {
    /// What it says about the question; nothing when there was no answer.
    pub(super) answered: Option<Stored>,
    /// Until when that holds.
    pub(super) until: Instant,
    /// What else it says, each with its own end.
    pub(super) additional: Vec<(Key, Stored, Instant)>,
}

impl Reading {
    /// Reads the answer to `key` within the bounds of `config`.
    pub(super) fn new(config: &LocatorConfig, now: Instant, key: &Key, answer: Answer) -> Self {
        let negative = |ttl: Option<Duration>| {
            let ttl = ttl.unwrap_or(config.negative_ttl).min(config.max_negative_ttl);
            Self { answered: Some(Stored::Nothing), until: now + ttl, additional: Vec::new() }
        };
        let (mut records, mut additional) = match answer {
            Answer::Records { records, additional } => (records, additional),
            // RFC 2308 §5 has a name that does not exist remembered for every type. Here it is for the type that was
            // asked for: names of a hosts file have addresses although DNS does not know them.
            Answer::NoData { ttl } | Answer::NameError { ttl } => return negative(ttl),
            Answer::Failed => return Self { answered: None, until: now, additional: Vec::new() },
        };
        records.retain(|record| record.data.kind() == key.kind);
        records.truncate(config.max_records);
        additional.truncate(config.max_records);
        let Some(ttl) = records.iter().map(|record| record.ttl).min() else { return negative(None) };
        let until = |ttl: Duration| now + ttl.min(config.max_ttl);
        let additional = grouped(additional, &records)
            .into_iter()
            .map(|(key, (data, ttl))| (key, Stored::Records(data.into()), until(ttl)))
            .collect();
        let data = records.into_iter().map(|record| record.data).collect();
        Self { answered: Some(Stored::Records(data)), until: until(ttl), additional }
    }
}

/// Additional records by the question that they answer, with the shortest TTL of each group. Only what the answer refers
/// to: nobody else may be spoken for.
fn grouped(additional: Vec<Record>, records: &[Record]) -> BTreeMap<Key, (Vec<RecordData>, Duration)> {
    let mut groups = BTreeMap::new();
    for record in additional {
        let about = Key::new(record.data.kind(), &record.name);
        let Some(about) = about.filter(|key| refers(records, key)) else { continue };
        let (data, ttl) = groups.entry(about).or_insert((Vec::new(), record.ttl));
        data.push(record.data);
        *ttl = record.ttl.min(*ttl);
    }
    groups
}

/// Whether an answer's records lead to a question.
fn refers(records: &[Record], key: &Key) -> bool {
    let is = |name: &str| record::normal(name).is_some_and(|name| name == key.name);
    records.iter().any(|record| match (&record.data, key.kind) {
        (RecordData::Srv(srv), QueryKind::A | QueryKind::Aaaa) => is(&srv.target),
        (RecordData::Naptr(naptr), _) => is(&naptr.replacement),
        _ => false,
    })
}
