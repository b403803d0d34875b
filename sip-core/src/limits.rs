//! Every bound on what a peer can make the parser hold.

/// Bounds on one message. What exceeds one is an error, not a truncation.
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
}

impl Default for Limits {
    fn default() -> Self {
        Self { message: 65_535, headers: 256, header: 8_192, uri: 2_048 }
    }
}
