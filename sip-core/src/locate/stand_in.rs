//! Configured records that stand in for DNS until their TTL is over.

use super::fixed::StaticRecords;
use super::record::Key;
use alloc::sync::Arc;
use alloc::vec::Vec;
use sidetone_hal::time::Instant;

/// Stand-ins remembered; beyond, the oldest is forgotten and DNS is asked again.
const MAX_STAND_INS: usize = 256;

struct StandIn {
    records: Arc<StaticRecords>,
    key: Key,
    until: Instant,
}

impl StandIn {
    /// Whether it answers this question, for those who have these records configured.
    fn is_for(&self, key: &Key, records: &Arc<StaticRecords>) -> bool {
        self.key == *key && Arc::ptr_eq(&self.records, records)
    }
}

/// The questions for which configured records count at the moment.
#[derive(Default)]
pub(super) struct StandIns(Vec<StandIn>);

impl StandIns {
    pub(super) fn add(&mut self, now: Instant, key: &Key, records: &Arc<StaticRecords>, until: Instant) {
        self.0.retain(|stand_in| stand_in.until > now && !stand_in.is_for(key, records));
        if self.0.len() >= MAX_STAND_INS {
            self.0.remove(0);
        }
        self.0.push(StandIn { records: records.clone(), key: key.clone(), until });
    }

    pub(super) fn has(&self, now: Instant, key: &Key, records: &Arc<StaticRecords>) -> bool {
        self.0.iter().any(|stand_in| stand_in.until > now && stand_in.is_for(key, records))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
