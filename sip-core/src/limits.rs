//! Every bound on what a peer can make the parser hold.

/// Bounds on one message. What exceeds one is an error, not a truncation; [`ParseError::status`](crate::ParseError::status)
/// says how it is answered: 513 for what a message has too much of, 413 for its body, 414 for its Request-URI.
///
/// With them, reading a message takes time and memory in proportion to its bytes: lines are found once, lists and parameters are read
/// from front to back. What compares every pair of something (two parameter lists) does so within [`Limits::params`].
/// Comments in parentheses nest without recursion, so [`Limits::header`] bounds them.
///
/// ```
/// let mut limits = sidetone_sip_core::Limits::default();
/// limits.message = 16 * 1024;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a whole message, body included; default 65 535, the largest a UDP datagram can be
    /// (RFC 3261 §18.1.1 asks to take these).
    pub message: usize,
    /// Header lines; default 256. A path of 70 proxies with Record-Route stays below.
    pub headers: usize,
    /// Bytes of one header line with its continuation lines; default 8 192.
    pub header: usize,
    /// Bytes of the Request-URI; default 2 048.
    pub uri: usize,
    /// Bytes of the body; default 65 535, so that the whole message decides.
    pub body: usize,
    /// Values of Via, over all its lines; default 70, as many hops as Max-Forwards lets be (RFC 3261 §8.1.1.6).
    pub vias: usize,
    /// Values of each of Route, Record-Route, Path and Service-Route, over all lines; default 70.
    pub routes: usize,
    /// Parameters of one value or URI; default 64.
    pub params: u16,
    /// Parts of one multipart body; default 64.
    pub parts: usize,
    /// Multipart bodies within one another; default 4, 0 lets none be read.
    pub nesting: usize,
}

/// [`Limits::params`] where no limits are given.
pub(crate) const DEFAULT_PARAMS: u16 = 64;

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 65_535,
            headers: 256,
            header: 8_192,
            uri: 2_048,
            body: 65_535,
            vias: 70,
            routes: 70,
            params: DEFAULT_PARAMS,
            parts: 64,
            nesting: 4,
        }
    }
}
