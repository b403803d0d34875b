//! RTCP (RFC 3550 §6, RFC 3611, RFC 5506): reports about a stream, on the wire and in time.

mod members;
mod read;
mod schedule;
mod write;
mod xr;

pub use members::{MAX_MEMBERS, Members};
pub use read::{Bye, Compound, ReportBlocks, RtcpError, RtcpPacket, SdesItem, SdesItems};
pub use schedule::{Bandwidth, Due, Schedule};
pub use write::{ExtendedReport, SdesText, Space, Writer};
pub use xr::{
    Adaptation, Concealment, DelayEntries, DelaySinceLast, Hops, RunLengths, Spread, StatisticsSummary,
    VoipMetrics, XrBlock, XrBlocks,
};

use sidetone_hal::time::Instant;

/// Packet types (RFC 3550 §12.1).
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const APPLICATION: u8 = 204;
/// RFC 3611 §2.
const EXTENDED_REPORT: u8 = 207;
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

/// Whether a datagram on a port that carries both is RTCP and not RTP (RFC 5761 §4): the second octet, which is the
/// packet type of the one and marker and payload type of the other, is from 192 to 223. So payload types from 64 to 95
/// are not to be used there.
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.get(1).is_some_and(|kind| (192..=223).contains(kind))
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
        let RtcpPacket::Bye(bye) = bye else { panic!("{bye:?}") };
        assert_eq!((bye.sources().collect::<Vec<_>>(), bye.reason()), (vec![1], &b"teardown"[..]));
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

    #[test]
    fn everything_that_is_written_is_read_back() {
        let mut buffer = [0xff; 512];
        let mut writer = Writer::new(&mut buffer);
        writer.receiver_report(1, &[]).unwrap();
        let all: Vec<SdesText<'_>> =
            (1..8).map(|kind| (kind, "abcdefgh".get(..kind as usize).unwrap())).collect();
        writer.source_descriptions(&[(1, &all), (2, &[(SdesItem::CNAME, "b")]), (3, &[])]).unwrap();
        writer.application(1, 5, *b"side", &[1, 2, 3, 4, 5]).unwrap();
        let summary = StatisticsSummary {
            ssrc: 9,
            begin: 65_530,
            end: 20,
            lost: Some(3),
            duplicates: None,
            jitter: Some(Spread { minimum: 1, maximum: 400, mean: 30, deviation: 7 }),
            hops: Some((Hops::HopLimit, Spread { minimum: 60, maximum: 64, mean: 62, deviation: 1 })),
        };
        let metrics = VoipMetrics {
            ssrc: 9,
            loss_rate: 12,
            discard_rate: 3,
            burst_density: 100,
            gap_density: 2,
            burst_duration: 340,
            gap_duration: 65_000,
            round_trip_delay: 120,
            end_system_delay: 45,
            signal_level: Some(-23),
            noise_level: None,
            residual_echo_return_loss: Some(40),
            minimum_gap: 16,
            r_factor: Some(88),
            external_r_factor: None,
            mos_lq: Some(42),
            mos_cq: Some(40),
            concealment: Concealment::Standard,
            adaptation: Adaptation::Adaptive,
            adaptation_rate: 5,
            buffer_nominal: 40,
            buffer_maximum: 80,
            buffer_absolute_maximum: 400,
        };
        let entry =
            DelaySinceLast { ssrc: 9, last_receiver_report: 77, delay_since_last_receiver_report: 88 };
        let mut extended = writer.extended_report(1).unwrap();
        extended.receiver_reference_time(0x0102_0304_0506_0708).unwrap();
        extended.delay_since_last(&entry).unwrap();
        extended.statistics(&summary).unwrap();
        extended.voip_metrics(&metrics).unwrap();
        writer.byes(&[1, 2, 3], "grüße").unwrap();
        let octets = writer.finish();

        let packets: Vec<_> = Compound::parse(&buffer[..octets]).unwrap().packets().collect();
        let [
            RtcpPacket::ReceiverReport { ssrc: 1, .. },
            RtcpPacket::SourceDescription(items),
            RtcpPacket::Application { ssrc: 1, subtype: 5, name: [b's', b'i', b'd', b'e'], data },
            RtcpPacket::ExtendedReport { ssrc: 1, blocks },
            RtcpPacket::Bye(bye),
        ] = &packets[..]
        else {
            panic!("{packets:?}")
        };
        let items: Vec<_> = items.clone().collect();
        assert_eq!(items.len(), 8);
        for (item, (kind, text)) in items.iter().zip(&all) {
            assert_eq!((item.ssrc, item.kind, item.text), (1, *kind, text.as_bytes()));
        }
        assert_eq!(items[7], SdesItem { ssrc: 2, kind: SdesItem::CNAME, text: b"b" });
        assert_eq!(data, &[1, 2, 3, 4, 5, 0, 0, 0]);
        assert_eq!((bye.sources().collect::<Vec<_>>(), bye.reason()), (vec![1, 2, 3], "grüße".as_bytes()));
        let blocks: Vec<_> = blocks.clone().collect();
        let [
            XrBlock::ReceiverReferenceTime { ntp: 0x0102_0304_0506_0708 },
            XrBlock::DelaySinceLast(entries),
            XrBlock::Statistics(read_summary),
            XrBlock::VoipMetrics(read_metrics),
        ] = &blocks[..]
        else {
            panic!("{blocks:?}")
        };
        assert_eq!(entries.clone().collect::<Vec<_>>(), [entry]);
        assert_eq!((*read_summary, *read_metrics), (summary, metrics));
    }

    #[test]
    fn what_does_not_fit_is_not_written() {
        for room in 0..120 {
            let mut buffer = [0xff; 120];
            let mut writer = Writer::new(&mut buffer[..room]);
            let _ = writer.receiver_report(1, &[]);
            let _ = writer.source_description(1, "somebody@192.0.2.1");
            if let Ok(mut extended) = writer.extended_report(1) {
                let _ = extended.receiver_reference_time(1);
                let _ = extended.voip_metrics(&VoipMetrics::default());
            }
            let _ = writer.bye(1, "bye");
            let octets = writer.finish();
            assert!(
                octets <= room && (octets == 0 || Compound::parse_reduced(&buffer[..octets]).is_ok()),
                "{room}"
            );
            assert!(buffer[octets..].iter().all(|octet| *octet == 0xff));
        }
    }

    #[test]
    fn reduced_size_is_known_and_only_the_last_may_be_padded() {
        let mut buffer = [0; 64];
        let mut writer = Writer::new(&mut buffer);
        writer.source_description(5, "a").unwrap();
        writer.receiver_report(5, &[]).unwrap();
        let octets = writer.finish();
        assert!(matches!(Compound::parse(&buffer[..octets]), Err(RtcpError::First { packet_type: 202 })));
        let compound = Compound::parse_reduced(&buffer[..octets]).unwrap();
        assert!(compound.is_reduced() && compound.packets().count() == 2);
        buffer[0] |= 0x20;
        for count in [0, 2, 12] {
            buffer[11] = count;
            let wrong = RtcpError::PaddingCount { at: 0, count, most: 8 };
            assert_eq!(Compound::parse_reduced(&buffer[..octets]).unwrap_err(), wrong);
        }
        buffer[11] = 4;
        assert_eq!(Compound::parse_reduced(&buffer[..octets]).unwrap_err(), RtcpError::Padding { at: 0 });
        // What RTP looks like is no RTCP of reduced size.
        assert!(matches!(
            Compound::parse_reduced(&[0x80, 0, 0, 0]),
            Err(RtcpError::First { packet_type: 0 })
        ));
        // A feedback packet (RFC 4585) is, and is skipped.
        let feedback = [0x81, 205, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        assert_eq!(Compound::parse_reduced(&feedback).unwrap().packets().count(), 0);
    }

    #[test]
    fn a_private_item_has_a_prefix() {
        let item = SdesItem { ssrc: 1, kind: SdesItem::PRIV, text: b"\x03orgvalue" };
        assert_eq!(item.private(), Some((&b"org"[..], &b"value"[..])));
        assert_eq!(SdesItem { text: b"\x09org", ..item }.private(), None);
        assert_eq!(SdesItem { kind: SdesItem::NOTE, ..item }.private(), None);
    }

    #[test]
    fn rtp_and_rtcp_are_told_apart_on_one_port() {
        for payload_type in (0..64).chain(96..128) {
            assert!(!is_rtcp(&[0x80, payload_type]) && !is_rtcp(&[0x80, 0x80 | payload_type]));
        }
        assert!((192..=223).all(|kind| is_rtcp(&[0x80, kind])));
        assert!(!is_rtcp(&[0x80]) && !is_rtcp(&[]));
    }

    proptest! {
        #[test]
        fn no_datagram_panics(mut datagram in proptest::collection::vec(any::<u8>(), 0..120), kind in 198_u8..209,
                              count in 0_u8..32) {
            if let [first, second, high, ..] = &mut datagram[..] {
                (*first, *second, *high) = (0x80 | count, kind, 0);
            }
            if let Ok(compound) = Compound::parse_reduced(&datagram) {
                for packet in compound.packets() {
                    match packet {
                        RtcpPacket::SenderReport { blocks, .. } | RtcpPacket::ReceiverReport { blocks, .. } => {
                            let _ = blocks.count();
                        }
                        RtcpPacket::SourceDescription(items) => { let _ = items.count(); }
                        RtcpPacket::Bye(bye) => { let _ = (bye.sources().count(), bye.reason()); }
                        RtcpPacket::Application { .. } => {}
                        RtcpPacket::ExtendedReport { blocks, .. } => {
                            for block in blocks {
                                match block {
                                    XrBlock::LossRuns(runs) | XrBlock::DuplicateRuns(runs) => {
                                        assert!(runs.count() < 65_536);
                                    }
                                    XrBlock::DelaySinceLast(entries) => { let _ = entries.count(); }
                                    _ => {}
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
