//! Addresses that take no TCP, as far as is known: what can go over UDP does not try TCP there again soon.

use super::Transports;
use alloc::collections::BTreeMap;
use core::time::Duration;
use sidetone_hal::net::SocketAddr;
use sidetone_hal::time::Instant;

/// At most this many addresses: a cache, not a table of record.
const MAX_AVOIDED: usize = 1024;
/// How long an address is known to take no TCP.
const AVOID: Duration = Duration::from_secs(300);

/// Each address, and until when.
pub(super) type Avoided = BTreeMap<SocketAddr, Instant>;

impl Transports {
    /// Whether a request that is too long for UDP may try TCP.
    pub(crate) fn may_try_stream(&self, now: Instant, address: SocketAddr) -> bool {
        self.avoided.get(&address).is_none_or(|until| *until <= now)
    }

    /// No TCP connection to this address came up.
    pub(crate) fn avoid_stream(&mut self, now: Instant, address: SocketAddr) {
        if self.avoided.len() >= MAX_AVOIDED {
            self.avoided.retain(|_, until| *until > now);
        }
        if self.avoided.len() < MAX_AVOIDED {
            self.avoided.insert(address, now + AVOID);
        }
    }
}
