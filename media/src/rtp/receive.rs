//! A source of the other side: its numbers, losses and jitter, and what we report about it.

use super::{Arrival, JitterMeter, Packet, SequenceTracker};
use crate::rtcp::{ReportBlock, SenderInfo, ntp_middle};
use sidetone_hal::time::Instant;

/// In a row before a source that took another's place is believed (RFC 3550 §A.1: MIN_SEQUENTIAL).
const PROBATION: u8 = 1;

/// What we know of the source whose audio we take.
#[derive(Clone, Debug)]
pub struct RemoteSource {
    ssrc: u32,
    sequence: SequenceTracker,
    jitter: JitterMeter,
    last_report: Option<(u32, Instant)>,
    /// Another SSRC that may take over.
    candidate: Option<(u32, SequenceTracker)>,
    lost_before: u64,
    received_before: u64,
    duplicates_before: u64,
}

/// What a packet of a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// To be used; the sequence number counted on beyond 16 bits.
    Valid(u64),
    /// To be used, and the first of a new source or a new count: nothing before belongs to it.
    Begins(u64),
    /// Not to be used.
    Ignored,
}

impl RemoteSource {
    /// The source of a first packet, which is trusted, with timestamps of `clock` ticks a second.
    #[must_use]
    pub fn new(packet: &Packet<'_>, clock: u32) -> Self {
        Self {
            ssrc: packet.ssrc,
            sequence: SequenceTracker::new(packet.sequence, 0),
            jitter: JitterMeter::new(clock),
            last_report: None,
            candidate: None,
            lost_before: 0,
            received_before: 0,
            duplicates_before: 0,
        }
    }

    /// Takes a packet. Another SSRC takes over when two of its packets come in a row.
    pub fn receive(&mut self, packet: &Packet<'_>) -> Received {
        if packet.ssrc == self.ssrc {
            self.candidate = None;
            let (lost, received, duplicates) =
                (self.sequence.lost(), self.sequence.received(), self.sequence.duplicates());
            return match self.sequence.receive(packet.sequence) {
                Arrival::Valid(extended) => Received::Valid(extended),
                Arrival::Restart(extended) => {
                    self.lost_before += lost;
                    self.received_before += received;
                    self.duplicates_before += duplicates;
                    self.jitter.restart();
                    Received::Begins(extended)
                }
                Arrival::Duplicate | Arrival::Probation | Arrival::Jump => Received::Ignored,
            };
        }
        let candidate = match &mut self.candidate {
            Some((ssrc, candidate)) if *ssrc == packet.ssrc => candidate,
            other => &mut other.insert((packet.ssrc, SequenceTracker::new(packet.sequence, PROBATION))).1,
        };
        let Arrival::Valid(extended) = candidate.receive(packet.sequence) else { return Received::Ignored };
        let sequence = candidate.clone();
        self.lost_before += self.sequence.lost();
        self.received_before += self.sequence.received();
        self.duplicates_before += self.sequence.duplicates();
        self.ssrc = packet.ssrc;
        self.sequence = sequence;
        self.jitter.restart();
        self.last_report = None;
        self.candidate = None;
        Received::Begins(extended)
    }

    /// Takes the arrival of a packet of speech, for the jitter; events do not count, their timestamps stand still.
    pub fn measure(&mut self, now: Instant, timestamp: u32) {
        self.jitter.receive(now, timestamp);
    }

    /// Takes a sender report of this source, to be echoed in ours.
    pub const fn reported(&mut self, now: Instant, info: &SenderInfo) {
        self.last_report = Some((ntp_middle(info.ntp), now));
    }

    /// Who it is.
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// How unevenly its packets come.
    #[must_use]
    pub const fn jitter(&self) -> &JitterMeter {
        &self.jitter
    }

    /// Packets received of this and the sources before it.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received_before + self.sequence.received()
    }

    /// Packets lost of this and the sources before it.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost_before + self.sequence.lost()
    }

    /// Packets that came twice, of this and the sources before it.
    #[must_use]
    pub const fn duplicates(&self) -> u64 {
        self.duplicates_before + self.sequence.duplicates()
    }

    /// What our next RTCP packet says of it (RFC 3550 §6.4.1); the share lost counts from the last call.
    pub fn report(&mut self, now: Instant) -> ReportBlock {
        let (last_sender_report, delay) = match self.last_report {
            // In 1/65536 of a second.
            Some((middle, at)) => (middle, ((now - at).as_micros() * 65_536 / 1_000_000) as u32),
            None => (0, 0),
        };
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: self.sequence.fraction_lost(),
            cumulative_lost: self.sequence.lost().min(0x7f_ffff) as i32,
            highest_sequence: self.sequence.highest(),
            jitter: self.jitter.ticks(),
            last_sender_report,
            delay_since_last_sender_report: delay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence: u16) -> Packet<'static> {
        Packet { payload_type: 0, marker: false, sequence, timestamp: 0, ssrc, payload: &[] }
    }

    #[test]
    fn another_source_takes_over_with_its_second_packet_in_a_row() {
        let mut source = RemoteSource::new(&packet(1, 10), 8000);
        assert!(matches!(source.receive(&packet(1, 10)), Received::Valid(_)));
        assert_eq!(source.receive(&packet(1, 10)), Received::Ignored);
        assert_eq!(source.receive(&packet(2, 500)), Received::Ignored);
        assert!(matches!(source.receive(&packet(1, 11)), Received::Valid(_)));
        assert_eq!(source.receive(&packet(2, 501)), Received::Ignored, "source 1 still sends");
        assert!(matches!(source.receive(&packet(2, 502)), Received::Begins(_)));
        assert!(matches!(source.receive(&packet(2, 503)), Received::Valid(_)));
        assert_eq!((source.ssrc(), source.lost()), (2, 0));
        assert_eq!((source.received(), source.duplicates()), (5, 1));
    }

    #[test]
    fn a_report_echoes_the_sender_report_and_the_time_since() {
        let mut source = RemoteSource::new(&packet(7, 1), 8000);
        source.receive(&packet(7, 1));
        source.receive(&packet(7, 3));
        let info = SenderInfo { ntp: 0x1234_5678_9abc_def0, rtp_timestamp: 0, packets: 2, octets: 320 };
        source.reported(Instant::from_millis(1000), &info);
        let block = source.report(Instant::from_millis(1500));
        assert_eq!(block.last_sender_report, 0x5678_9abc);
        assert_eq!(block.delay_since_last_sender_report, 32_768);
        assert_eq!((block.ssrc, block.cumulative_lost, block.fraction_lost), (7, 1, 85));
    }
}
