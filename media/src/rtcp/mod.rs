//! RTCP (RFC 3550 §6): reports about a stream, on the wire and in time.

mod read;
mod schedule;
mod write;

pub use read::{Compound, ReportBlocks, RtcpError, RtcpPacket, SdesItem, SdesItems};
pub use schedule::{Due, Schedule};
pub use write::{Space, Writer};

use sidetone_hal::time::Instant;

/// Packet types (RFC 3550 §12.1).
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
/// Octets of one report block.
const BLOCK: usize = 24;

/// The sender's part of a sender report (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// The sender's clock when it reported, in NTP format: seconds, and a fraction of 32 bits.
    pub ntp: u64,
    /// The same instant on the clock of its RTP timestamps.
    pub rtp_timestamp: u32,
    /// RTP packets sent, modulo 2³².
    pub packets: u32,
    /// Octets of payload sent, modulo 2³².
    pub octets: u32,
}

/// What a receiver says of one source (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: u32,
    /// The share lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost in all, 24 bits with sign; below zero if duplicates outnumber losses.
    pub cumulative_lost: i32,
    /// The highest sequence number, with its cycles in the upper half.
    pub highest_sequence: u32,
    /// Interarrival jitter, in ticks of the RTP clock.
    pub jitter: u32,
    /// The middle 32 bits of the NTP time of the last sender report; 0 for none.
    pub last_sender_report: u32,
    /// Time since that came, in 1/65536 of a second.
    pub delay_since_last_sender_report: u32,
}

/// `now` in NTP format. The origin is the clock's own, as RFC 3550 §4 allows without a wall clock.
#[must_use]
pub fn ntp(now: Instant) -> u64 {
    let micros = now.as_micros();
    ((micros / 1_000_000) << 32) | (((micros % 1_000_000) << 32) / 1_000_000)
}

/// The 32 bits that reports echo: 16 of seconds, 16 of fraction.
#[must_use]
pub const fn ntp_middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_compound_survives_writing_and_reading() {
        let info = SenderInfo { ntp: 0x0102_0304_0506_0708, rtp_timestamp: 9, packets: 10, octets: 11 };
        let block = ReportBlock {
            ssrc: 2,
            fraction_lost: 3,
            cumulative_lost: -4,
            highest_sequence: 5,
            jitter: 6,
            last_sender_report: 7,
            delay_since_last_sender_report: 8,
        };
        let mut buffer = [0xff; 256];
        let mut writer = Writer::new(&mut buffer);
        writer.sender_report(1, &info, &[block]).unwrap();
        writer.source_description(1, "alice@192.0.2.1").unwrap();
        writer.bye(1, "teardown").unwrap();
        let octets = writer.finish();
        assert_eq!(octets % 4, 0);
        let compound = Compound::parse(&buffer[..octets]).unwrap();
        let packets: Vec<_> = compound.packets().collect();
        let [
            RtcpPacket::SenderReport { ssrc: 1, info: read, blocks },
            RtcpPacket::SourceDescription(items),
            bye,
        ] = &packets[..]
        else {
            panic!("{packets:?}")
        };
        assert_eq!(*read, info);
        assert_eq!(blocks.clone().collect::<Vec<_>>(), [block]);
        let cname = SdesItem { ssrc: 1, kind: SdesItem::CNAME, text: b"alice@192.0.2.1" };
        assert_eq!(items.clone().collect::<Vec<_>>(), [cname]);
        assert!(matches!(bye, RtcpPacket::Bye { ssrc: Some(1), .. }));
    }

    #[test]
    fn unknown_packets_are_skipped_and_broken_lengths_refused() {
        let mut buffer = [0; 64];
        let mut writer = Writer::new(&mut buffer);
        writer.receiver_report(5, &[]).unwrap();
        let octets = writer.finish();
        // An application packet (204) of one word, then padding that says 4.
        buffer[octets..octets + 4].copy_from_slice(&[0x80, 204, 0, 0]);
        let whole = &mut buffer[..octets + 4];
        assert_eq!(Compound::parse(whole).unwrap().packets().count(), 1);
        whole[octets + 3] = 1;
        let error = Compound::parse(whole).unwrap_err();
        assert_eq!(error, RtcpError::Length { at: octets, announced: 8, left: 4 });
        assert!(matches!(Compound::parse(&[0x80, 202, 0, 0]), Err(RtcpError::First { packet_type: 202 })));
        assert!(matches!(Compound::parse(&[0x40, 201, 0, 1, 0, 0, 0, 0]), Err(RtcpError::Version { .. })));
    }

    #[test]
    fn the_clock_is_written_with_32_bits_of_fraction() {
        assert_eq!(ntp(Instant::from_millis(1500)), 0x0000_0001_8000_0000);
        assert_eq!(ntp_middle(ntp(Instant::from_millis(1500))), 0x0001_8000);
    }

    proptest! {
        #[test]
        fn no_datagram_panics(mut datagram in proptest::collection::vec(any::<u8>(), 0..120), kind in 198_u8..206,
                              count in 0_u8..32) {
            if let [first, second, high, ..] = &mut datagram[..] {
                (*first, *second, *high) = (0x80 | count, kind, 0);
            }
            if let Ok(compound) = Compound::parse(&datagram) {
                for packet in compound.packets() {
                    match packet {
                        RtcpPacket::SenderReport { blocks, .. } | RtcpPacket::ReceiverReport { blocks, .. } => {
                            let _ = blocks.count();
                        }
                        RtcpPacket::SourceDescription(items) => { let _ = items.count(); }
                        RtcpPacket::Bye { .. } => {}
                    }
                }
            }
        }
    }
}
