//! How a look-up ends.

use crate::transport::Target;
use alloc::vec::Vec;
use core::fmt;

/// Names a look-up. Not used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupId(pub(super) u64);

impl fmt::Display for LookupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "look-up {}", self.0)
    }
}

/// How a look-up ended; each ends once, unless it was cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocateEvent {
    /// These are the targets.
    Located {
        /// Which look-up.
        id: LookupId,
        /// At least one, in the order to try them (RFC 3263 §4.3).
        targets: Vec<Target>,
    },
    /// There is no target.
    Failed {
        /// Which look-up.
        id: LookupId,
        /// Why.
        reason: LocateError,
    },
}

/// Why there is no target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum LocateError {
    /// The URI is neither `sip` nor `sips`.
    #[error("expected a sip or sips URI")]
    Scheme,
    /// The URI names a transport that is not known, or one that is not secure although it is `sips`.
    #[error("the transport cannot be used")]
    Transport,
    /// The host is no domain name.
    #[error("expected a domain name")]
    Name,
    /// The domain says that it has no SIP service: its SRV record's target is `.` (RFC 2782).
    #[error("the domain offers no such service")]
    NotAvailable,
    /// The name has no address.
    #[error("the name has no address")]
    NoAddress,
    /// The name servers did not answer, or could not.
    #[error("the name servers do not answer")]
    Dns,
    /// [`LocatorConfig::max_lookups`](super::LocatorConfig::max_lookups) are under way.
    #[error("too many look-ups")]
    TooManyLookups,
}
