//! What an [`Endpoint`](crate::Endpoint) is built from: plain data, every bound with its default.

use crate::limits::Limits;
use crate::transaction::Timers;
use alloc::string::String;
use core::time::Duration;

/// Plain data for [`Endpoint::new`](crate::Endpoint::new).
///
/// ```
/// use sidetone_sip_core::EndpointConfig;
/// let mut config = EndpointConfig::new([7; 32]);
/// config.max_transactions = 200; // a desk phone needs few
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EndpointConfig {
    /// Where branches, tags and matching secrets come from; 32 bytes of the operating system's in a product
    /// (`driver::seed()`), a number in a test.
    pub seed: [u8; 32],
    /// Bounds on what is parsed.
    pub limits: Limits,
    /// T1, T2, T4 and what follows from them.
    pub timers: Timers,
    /// Transactions alive at a time. A request beyond it is answered 503 with Retry-After, without state;
    /// [`Endpoint::request`](crate::Endpoint::request) beyond it fails. Default 100 000.
    pub max_transactions: usize,
    /// Stream connections alive at a time, both directions together. Default 10 000.
    pub max_flows: usize,
    /// Messages that wait for one connection to come up. Default 64.
    pub max_pending: usize,
    /// Events, transmits and flow requests that may wait for the caller to take them; while more wait, datagrams
    /// are dropped, streams that bring bytes are closed, and both are counted. Default 200 000.
    pub max_backlog: usize,
    /// A connection that carried nothing for this long and that no transaction needs is closed. Default 10 min.
    pub idle: Duration,
    /// `Retry-After` of a 503, in seconds. Default 5.
    pub retry_after: u32,
    /// The `Server` header of the responses that the endpoint makes by itself (400, 481, 503); the layer above
    /// names itself in its own messages. Default none.
    pub user_agent: Option<String>,
}

impl EndpointConfig {
    /// The defaults, with this seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            limits: Limits::default(),
            timers: Timers::default(),
            max_transactions: 100_000,
            max_flows: 10_000,
            max_pending: 64,
            max_backlog: 200_000,
            idle: Duration::from_secs(600),
            retry_after: 5,
            user_agent: None,
        }
    }
}
