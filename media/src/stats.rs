//! What a stream counted.

use crate::quality::QualityReport;
use crate::rtp::Refusals;
use crate::srtp::Suite;
use core::time::Duration;
use sidetone_codecs::CodecSpec;

/// Counters of a [`Stream`](crate::Stream), since it began.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// Datagrams that were not taken: the sum of `refusals`.
    pub packets_refused: u64,
    /// Why they were not.
    pub refusals: Refusals,
    /// Packets that came with our own SSRC: a collision or a loop (RFC 3550 §8.2).
    pub packets_own_ssrc: u64,
    /// Packets that were lost and heard from a copy (RFC 2198).
    pub packets_recovered: u64,
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
    /// The suite that media is encrypted with; none when it goes in the clear.
    pub srtp: Option<Suite>,
    /// Packets that were not authentic (SRTP), or are none: they are among the refused.
    pub packets_unauthentic: u64,
    /// Packets that were authentic, and came again or too late to be known apart from a replay (SRTP): they are among
    /// the refused.
    pub packets_replayed: u64,
    /// How the call sounds at both ends: loss, jitter, delay, and MOS by the E-model (ITU-T G.107).
    pub quality: QualityReport,
}

impl StreamStats {
    /// The share of packets that never came, in percent: what a person is shown after a call.
    #[must_use]
    pub fn loss_percent(&self) -> f32 {
        self.quality.local.loss * 100.0
    }

    /// The mean opinion score of what we heard, 1 to 4.5, delay included.
    #[must_use]
    pub const fn mos(&self) -> f32 {
        self.quality.local.mos_cq
    }
}
