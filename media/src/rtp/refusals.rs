//! Datagrams that were not taken, by the reason.

use super::RtpError;

/// Counters of what came to a stream's ports and was not used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusals {
    /// Shorter than its own header says, or than the list of blocks in it (RFC 2198).
    pub truncated: u64,
    /// Not of version 2: STUN, DTLS, a keep-alive, noise.
    pub version: u64,
    /// With padding that does not fit.
    pub padding: u64,
    /// Of a payload type that was not agreed on.
    pub payload_type: u64,
    /// From an address that is not the other side's.
    pub stranger: u64,
    /// Of another source than the one that is heard.
    pub other_source: u64,
    /// No RTCP, or from a stranger.
    pub rtcp: u64,
    /// SRTP or SRTCP that does not authenticate, or is a replay.
    pub authentication: u64,
}

impl Refusals {
    /// Counts a datagram that is no RTP.
    pub const fn not_rtp(&mut self, error: &RtpError) {
        match error {
            RtpError::Version(_) => self.version += 1,
            RtpError::Padding(_) => self.padding += 1,
            RtpError::Truncated { .. } | RtpError::Unwritable { .. } => self.truncated += 1,
        }
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.truncated
            + self.version
            + self.padding
            + self.payload_type
            + self.stranger
            + self.other_source
            + self.rtcp
            + self.authentication
    }
}
