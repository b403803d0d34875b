//! What an [`Endpoint`](crate::Endpoint) is built from: plain data, every bound with its default.

use crate::leniency::Leniency;
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
    /// What is forgiven in messages, of datagrams, streams and frames alike. Default [`Leniency::DEFAULT`].
    pub leniency: Leniency,
    /// T1, T2, T4 and what follows from them.
    pub timers: Timers,
    /// Transactions alive at a time. A request beyond it is answered 503 with Retry-After, without state;
    /// [`Endpoint::request`](crate::Endpoint::request) beyond it fails. Default 100 000.
    pub max_transactions: usize,
    /// New requests in a second, those within dialogs (with a To tag), ACK and CANCEL not counted: what is beyond it is
    /// answered 503 with Retry-After, without state. A burst of one second's requests is taken at once. `None`: no
    /// bound. Default none.
    pub max_request_rate: Option<u32>,
    /// A request that came by another way already is answered 482 (RFC 3261 §8.2.2.2): right for a user agent, wrong
    /// for a proxy, which may well be on both ways. Default off.
    pub refuse_merged: bool,
    /// A request over UDP that is longer than this goes over TCP, and over UDP all the same when no connection comes up
    /// in [`Timers::switch`](crate::transaction::Timers) (RFC 3261 §18.1.1). The RFC has 1300 bytes where the path's
    /// MTU is not known, and 200 less than the MTU where it is; `None` never switches. Default 1300.
    pub max_datagram: Option<usize>,
    /// Stream connections alive at a time, both directions together. Default 10 000.
    pub max_flows: usize,
    /// Accepted connections alive at a time from one IPv4 address or one IPv6 network of 64 bits. Default 1000: an
    /// office behind one address translator.
    pub max_flows_per_address: usize,
    /// An accepted connection whose first message is not there by then is closed. Default 30 s.
    pub first_message: Duration,
    /// A message that is not whole so long after its first bytes has its connection closed. Default 30 s.
    pub whole_message: Duration,
    /// RFC 5923: requests over a connection that we made say with `alias` in Via that requests to us may come back on
    /// it, and those of a peer that says so go to it by its connection. Over TLS only for the domains that its certificate
    /// was found to be for ([`Endpoint::set_peer`](crate::Endpoint::set_peer)). Over TCP, where the RFC does not want
    /// it, anybody who shares the peer's address can take its place. Default off.
    pub alias: bool,
    /// Messages that wait for one connection to come up. Default 64.
    pub max_pending: usize,
    /// Events, transmits and flow requests that may wait for the caller to take them; while more wait, datagrams
    /// are dropped, streams that bring bytes are closed, and both are counted. Default 200 000.
    pub max_backlog: usize,
    /// A connection that carried nothing for this long and that no transaction needs is closed. Default 10 min.
    pub idle: Duration,
    /// `Retry-After` of a 503, in seconds. Default 5.
    pub retry_after: u32,
    /// Requests in a second that are answered to where they came from because their Via cannot be read (400, 505);
    /// a burst of one second's is answered at once, what is beyond it is not answered. 0 answers none. Default 20.
    pub max_source_answers: u32,
    /// The `Server` header of the responses that the endpoint makes by itself (400, 481, 503); the layer above
    /// names itself in its own messages. Default none.
    pub user_agent: Option<String>,
    /// Answer STUN Binding requests on datagram sockets, as a registrar or edge proxy has to for RFC 5626 §3.5.2.
    /// Default false.
    pub stun_server: bool,
    /// Answer `keep` in the Via of REGISTER and INVITE with this many seconds: send us keep-alives that often (RFC 6223
    /// §4.4); 0 leaves the interval to the sender. Default none: `keep` is not answered.
    pub keep: Option<u32>,
}

impl EndpointConfig {
    /// The defaults, with this seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            limits: Limits::default(),
            leniency: Leniency::DEFAULT,
            timers: Timers::default(),
            max_transactions: 100_000,
            max_request_rate: None,
            refuse_merged: false,
            max_datagram: Some(1300),
            max_flows: 10_000,
            max_flows_per_address: 1000,
            first_message: Duration::from_secs(30),
            whole_message: Duration::from_secs(30),
            alias: false,
            max_pending: 64,
            max_backlog: 200_000,
            idle: Duration::from_secs(600),
            retry_after: 5,
            max_source_answers: 20,
            user_agent: None,
            stun_server: false,
            keep: None,
        }
    }
}
