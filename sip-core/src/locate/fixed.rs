//! Configured records, which stand in for DNS servers (Yealink's static DNS cache).

use super::record::{Key, QueryKind, Record, RecordData, normal};
use super::stored::Stored;
use alloc::vec::Vec;
use core::time::Duration;

/// Records of one type that a table holds.
const MAX_RECORDS: usize = 12;
/// The shortest and the longest TTL, in seconds.
const TTL: core::ops::RangeInclusive<u64> = 30..=2_147_483_647;

/// NAPTR, SRV, A and AAAA records that are configured, 12 of each type.
///
/// ```
/// use sidetone_sip_core::locate::{Record, Srv, StaticRecords};
/// use std::time::Duration;
/// let mut records = StaticRecords::new();
/// let srv = Srv { port: 5060, target: "server1.yealink.pbx.com".into(), ..Srv::default() };
/// records.push(Record::new("_sip._udp.yealink.pbx.com", Duration::from_secs(300), srv))?;
/// assert_eq!(records.len(), 1);
/// # Ok::<(), sidetone_sip_core::locate::StaticRecordError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StaticRecords(Vec<Record>);

/// Why a record was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StaticRecordError {
    /// There are 12 of this type.
    #[error("{0}: more than 12 records")]
    TooMany(QueryKind),
    /// The TTL is not from 30 to 2 147 483 647 s.
    #[error("{0}: the TTL is not from 30 to 2147483647 s")]
    Ttl(QueryKind),
    /// The name, or a name that the record refers to, is none that DNS has.
    #[error("{0}: expected a domain name")]
    Name(QueryKind),
}

impl StaticRecords {
    /// No records.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a record.
    ///
    /// # Errors
    /// There are too many of its type, its TTL is out of range, or a name is none.
    pub fn push(&mut self, record: Record) -> Result<(), StaticRecordError> {
        let kind = record.data.kind();
        if self.0.iter().filter(|other| other.data.kind() == kind).count() >= MAX_RECORDS {
            return Err(StaticRecordError::TooMany(kind));
        }
        if !TTL.contains(&record.ttl.as_secs()) {
            return Err(StaticRecordError::Ttl(kind));
        }
        let refers_well = match &record.data {
            RecordData::Srv(srv) => srv.target == "." || normal(&srv.target).is_some(),
            RecordData::Naptr(naptr) => normal(&naptr.replacement).is_some(),
            RecordData::A(_) | RecordData::Aaaa(_) => true,
        };
        if normal(&record.name).is_none() || !refers_well {
            return Err(StaticRecordError::Name(kind));
        }
        self.0.push(record);
        Ok(())
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every record, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Record> {
        self.0.iter()
    }

    /// The records that answer a question and the shortest of their TTLs. O(n), n at most 48.
    pub(super) fn answer(&self, key: &Key) -> Option<(Stored, Duration)> {
        let matching = |record: &&Record| {
            record.data.kind() == key.kind && normal(&record.name).is_some_and(|name| name == key.name)
        };
        let ttl = self.0.iter().filter(matching).map(|record| record.ttl).min()?;
        let data = self.0.iter().filter(matching).map(|record| record.data.clone());
        Some((Stored::Records(data.collect()), ttl))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locate::{Naptr, Srv};
    use core::net::Ipv4Addr;

    #[test]
    fn twelve_of_each_type_with_their_ttl_range() {
        let mut records = StaticRecords::new();
        let a = |ttl| Record::new("a.example", Duration::from_secs(ttl), Ipv4Addr::LOCALHOST);
        assert_eq!(records.push(a(29)), Err(StaticRecordError::Ttl(QueryKind::A)));
        assert_eq!(records.push(a(2_147_483_648)), Err(StaticRecordError::Ttl(QueryKind::A)));
        for _ in 0..12 {
            records.push(a(30)).unwrap();
        }
        assert_eq!(records.push(a(30)), Err(StaticRecordError::TooMany(QueryKind::A)));
        let minute = Duration::from_secs(60);
        let srv =
            |target: &str| Record::new("s.example", minute, Srv { target: target.into(), ..Srv::default() });
        records.push(srv(".")).unwrap();
        records.push(srv("192.0.2.1")).unwrap();
        assert_eq!(records.push(srv("")), Err(StaticRecordError::Name(QueryKind::Srv)));
        let nowhere = Record::new("n.example", minute, Naptr::default());
        assert_eq!(records.push(nowhere), Err(StaticRecordError::Name(QueryKind::Naptr)));
        assert_eq!(records.len(), 14);
        let (found, ttl) = records.answer(&Key::new(QueryKind::A, "A.Example.").unwrap()).unwrap();
        assert!(matches!(found, Stored::Records(data) if data.len() == 12));
        assert_eq!(ttl, Duration::from_secs(30));
        assert!(records.answer(&Key::new(QueryKind::Aaaa, "a.example").unwrap()).is_none());
    }
}
