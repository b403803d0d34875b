//! Reports of a peer: what is read is written so that it reads the same, and a stream reports on.

use super::{datagrams, joined};
use sidetone_codecs::pcmu;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use sidetone_media::rtcp::{
    Compound, DelaySinceLast, ReportBlock, RtcpPacket, SdesItem, SenderInfo, StatisticsSummary, VoipMetrics,
    Writer, XrBlock,
};
use sidetone_media::sdp::RtcpXr;
use sidetone_media::{Negotiated, Stream, StreamConfig};

pub fn run(data: &[u8]) {
    let peer = "192.0.2.2:4000".parse().unwrap();
    let mut agreed = Negotiated::new(&pcmu::SPEC, 0, peer);
    agreed.rtcp_xr = RtcpXr::parse("rcvr-rtt=all stat-summary voip-metrics");
    let mut stream = Stream::new(StreamConfig::new(agreed, "a@b", Rng::from_u64(1)));
    let mut now = Instant::from_millis(1000);
    for datagram in datagrams(data).take(50) {
        one(datagram);
        now += Duration::from_millis(500);
        stream.capture(now, &[0; 160]);
        stream.handle_rtcp(now, peer, datagram);
        if stream.poll_timeout().is_some_and(|at| at <= now) {
            stream.handle_timeout(now);
            assert!(stream.poll_timeout().is_none_or(|at| at > now));
        }
        while let Some(packet) = stream.poll_transmit() {
            if packet.channel == sidetone_media::Channel::Rtcp {
                assert!(Compound::parse(packet.payload).is_ok());
            }
        }
        while stream.poll_event().is_some() {}
        let quality = stream.quality();
        assert!((1.0..=4.5).contains(&quality.local.mos_cq));
    }
}

fn one(datagram: &[u8]) {
    let Ok(compound) = Compound::parse_reduced(datagram) else { return };
    assert_eq!(Compound::parse(datagram).is_ok(), !compound.is_reduced());
    let mut out = [0; 4096];
    let mut writer = Writer::new(&mut out);
    let packets: Vec<RtcpPacket<'_>> = compound.packets().collect();
    for packet in &packets {
        write(&mut writer, packet);
    }
    let length = writer.finish();
    if length == 0 {
        return;
    }
    let again: Vec<String> = Compound::parse_reduced(&out[..length])
        .expect("what we write can be read")
        .packets()
        .map(text)
        .collect();
    // Packets that say nothing are not written again.
    let first: Vec<String> = packets.into_iter().filter(says).map(text).collect();
    assert_eq!(first, again);
}

fn says(packet: &RtcpPacket<'_>) -> bool {
    match packet {
        RtcpPacket::SourceDescription(items) => items.clone().next().is_some(),
        _ => true,
    }
}

/// What a packet says, as far as we write it.
fn text(packet: RtcpPacket<'_>) -> String {
    match packet {
        RtcpPacket::SenderReport { ssrc, info, blocks } => {
            format!("{ssrc} {info:?} {:?}", blocks.collect::<Vec<_>>())
        }
        RtcpPacket::ReceiverReport { ssrc, blocks } => format!("{ssrc} {:?}", blocks.collect::<Vec<_>>()),
        RtcpPacket::SourceDescription(items) => {
            let item =
                |item: SdesItem<'_>| (item.ssrc, item.kind, String::from_utf8_lossy(item.text).into_owned());
            format!("{:?}", items.map(item).collect::<Vec<_>>())
        }
        RtcpPacket::Bye(bye) => {
            format!("{:?} {}", bye.sources().collect::<Vec<_>>(), String::from_utf8_lossy(bye.reason()))
        }
        RtcpPacket::Application { ssrc, subtype, name, data } => {
            format!("{ssrc} {subtype} {name:?} {data:?}")
        }
        RtcpPacket::ExtendedReport { ssrc, blocks } => {
            let block = |block: XrBlock<'_>| match block {
                XrBlock::LossRuns(runs) | XrBlock::DuplicateRuns(runs) => {
                    assert!(runs.count() < 65_536);
                    None
                }
                XrBlock::DelaySinceLast(entries) => Some(format!("{:?}", entries.collect::<Vec<_>>())),
                XrBlock::Unknown { .. } => None,
                block => Some(format!("{block:?}")),
            };
            format!("{ssrc} {:?}", blocks.filter_map(block).collect::<Vec<_>>())
        }
        other => panic!("a new kind: {other:?}"),
    }
}

fn write(writer: &mut Writer<'_>, packet: &RtcpPacket<'_>) {
    match packet {
        RtcpPacket::SenderReport { ssrc, info, blocks } => {
            writer.sender_report(*ssrc, info, &blocks.clone().collect::<Vec<_>>()).unwrap();
        }
        RtcpPacket::ReceiverReport { ssrc, blocks } => {
            writer.receiver_report(*ssrc, &blocks.clone().collect::<Vec<_>>()).unwrap();
        }
        RtcpPacket::SourceDescription(items) => {
            // One chunk for each item, but for no more than a packet has.
            let texts: Vec<(u32, u8, String)> = items
                .clone()
                .map(|item| (item.ssrc, item.kind, String::from_utf8_lossy(item.text).into_owned()))
                .collect();
            let mut whole: Vec<(u32, Vec<(u8, &str)>)> = Vec::new();
            for (ssrc, kind, text) in &texts {
                match whole.last_mut() {
                    Some((last, items)) if last == ssrc => items.push((*kind, text)),
                    _ => whole.push((*ssrc, vec![(*kind, text)])),
                }
            }
            let chunks: Vec<(u32, &[(u8, &str)])> =
                whole.iter().map(|(ssrc, items)| (*ssrc, &items[..])).collect();
            if !chunks.is_empty() {
                writer.source_descriptions(&chunks).unwrap();
            }
        }
        RtcpPacket::Bye(bye) => {
            let reason = String::from_utf8_lossy(bye.reason()).into_owned();
            writer.byes(&bye.sources().collect::<Vec<_>>(), &reason).unwrap();
        }
        RtcpPacket::Application { ssrc, subtype, name, data } => {
            writer.application(*ssrc, *subtype, *name, data).unwrap();
        }
        RtcpPacket::ExtendedReport { ssrc, blocks } => {
            let mut report = writer.extended_report(*ssrc).unwrap();
            for block in blocks.clone() {
                match block {
                    XrBlock::ReceiverReferenceTime { ntp } => report.receiver_reference_time(ntp).unwrap(),
                    XrBlock::DelaySinceLast(entries) => {
                        report.delays_since_last(&entries.collect::<Vec<_>>()).unwrap();
                    }
                    XrBlock::Statistics(summary) => report.statistics(&summary).unwrap(),
                    XrBlock::VoipMetrics(metrics) => report.voip_metrics(&metrics).unwrap(),
                    _ => {}
                }
            }
        }
        other => panic!("a new kind: {other:?}"),
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let written = |write: &dyn Fn(&mut Writer<'_>)| {
        let mut out = [0; 255];
        let mut writer = Writer::new(&mut out);
        write(&mut writer);
        let length = writer.finish();
        out[..length].to_vec()
    };
    let block =
        ReportBlock { ssrc: 2, fraction_lost: 3, cumulative_lost: -4, jitter: 6, ..ReportBlock::default() };
    let info = SenderInfo { ntp: 1 << 40, rtp_timestamp: 9, packets: 10, octets: 11 };
    let reports = written(&|writer| {
        writer.sender_report(1, &info, &[block, block]).unwrap();
        let items =
            [(SdesItem::CNAME, "alice@192.0.2.1"), (SdesItem::NOTE, "ü"), (SdesItem::PRIV, "\u{1}ab")];
        writer.source_descriptions(&[(1, &items), (2, &[(SdesItem::CNAME, "b")])]).unwrap();
        writer.bye(1, "teardown").unwrap();
    });
    let extended = written(&|writer| {
        writer.receiver_report(1, &[block]).unwrap();
        let mut report = writer.extended_report(1).unwrap();
        report.receiver_reference_time(77 << 30).unwrap();
        let entry = DelaySinceLast { ssrc: 9, last_receiver_report: 1, delay_since_last_receiver_report: 2 };
        report.delays_since_last(&[entry, entry]).unwrap();
        report
            .statistics(&StatisticsSummary { ssrc: 9, end: 40, lost: Some(1), ..Default::default() })
            .unwrap();
        report
            .voip_metrics(&VoipMetrics { ssrc: 9, loss_rate: 9, r_factor: Some(80), ..Default::default() })
            .unwrap();
    });
    let application = written(&|writer| writer.application(1, 3, *b"side", &[1, 2, 3, 4]).unwrap());
    // Runs of losses (RFC 3611 §4.1), and feedback (RFC 4585).
    let runs = vec![0x80, 207, 0, 5, 0, 0, 0, 1, 1, 0, 0, 3, 0, 0, 0, 9, 0, 1, 0, 40, 0x40, 3, 0x9f, 0xff];
    let feedback = vec![0x81, 205, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
    let all = [reports, extended, application, runs, feedback];
    let mut seeds: Vec<Vec<u8>> = all.iter().map(|one| joined(core::slice::from_ref(one))).collect();
    seeds.push(joined(&all));
    seeds
}
