//! What a stream counted.

use core::time::Duration;
use sidetone_codecs::CodecSpec;

/// Counters of a [`Stream`](crate::Stream), since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamStats {
    /// The codec that is sent.
    pub codec: &'static CodecSpec,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// Octets of RTP payload sent.
    pub octets_sent: u64,
    /// RTP packets received and taken, duplicates and late ones too.
    pub packets_received: u64,
    /// Octets of RTP payload received.
    pub octets_received: u64,
    /// Packets that never came: expected by their numbers less received (RFC 3550 §A.3).
    pub packets_lost: u64,
    /// Packets that came after their time to be heard.
    pub packets_late: u64,
    /// Packets that came twice.
    pub packets_duplicate: u64,
    /// Packets that were no RTP, of an unknown payload type, or from a stranger.
    pub packets_refused: u64,
    /// Packets that came in time and were not heard: longer than the buffer takes, more than it holds, or nothing that
    /// the codec can decode.
    pub packets_dropped: u64,
    /// Speech that was invented because a packet was lost or late.
    pub concealed: Duration,
    /// Speech that was played, with what was concealed.
    pub played: Duration,
    /// Delay between the arrival of an average packet and the ear, now.
    pub playout_delay: Duration,
    /// Interarrival jitter of what we receive (RFC 3550 §6.4.1).
    pub jitter: Duration,
    /// Interarrival jitter of what we send, as the other side reports it.
    pub remote_jitter: Option<Duration>,
    /// Packets of ours that the other side misses, as it reports.
    pub remote_lost: Option<i32>,
    /// Round trip by RTCP (RFC 3550 §6.4.1), the latest.
    pub round_trip: Option<Duration>,
}
