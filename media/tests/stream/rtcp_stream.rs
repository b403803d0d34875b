//! RTCP as a stream speaks it: extended reports, reduced size, one port for both, intervals, the quality at both ends.

use crate::common::{Call, address, negotiated, sine};
use core::cell::RefCell;
use sidetone_codecs::pcmu;
use sidetone_hal::rng::Rng;
use sidetone_hal::sim::LinkConfig;
use sidetone_hal::time::{Duration, Instant};
use sidetone_media::quality::VqReport;
use sidetone_media::rtcp::{
    Compound, RtcpPacket, SdesItem, StatisticsSummary, VoipMetrics, XrBlock, is_rtcp,
};
use sidetone_media::sdp::{Direction, RtcpXr};
use sidetone_media::{Channel, Stream, StreamConfig, StreamEvent};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn link(loss: f64, latency: u64) -> LinkConfig {
    LinkConfig { latency: ms(latency), loss, ..LinkConfig::default() }
}

fn all_reports() -> RtcpXr {
    RtcpXr::parse("rcvr-rtt=all stat-summary=loss,dup,jitt voip-metrics")
}

/// Runs a stream that gets a packet every 20 ms (but each `lost`th), and gives what it reports.
fn reports(stream: &mut Stream, seconds: u64, lost: u16) -> Vec<(Instant, Channel, Vec<u8>)> {
    let mut sent = Vec::new();
    for tick in 0..seconds * 100 {
        let now = Instant::from_millis(tick * 10);
        let index = (tick / 2) as u16;
        if tick % 2 == 0 && (lost == 0 || !index.is_multiple_of(lost) || index == 0) {
            let packet = sidetone_media::rtp::Packet {
                payload_type: 0,
                marker: false,
                sequence: index,
                timestamp: u32::from(index) * 160,
                ssrc: 77,
                payload: &[0xff; 160],
            };
            let mut octets = [0; 172];
            packet.write(&mut octets).unwrap();
            stream.handle_rtp(now, address(2, 4000), &octets);
        }
        stream.capture(now, &[0; 80]);
        stream.playout(now, &mut [0; 80]);
        if stream.poll_timeout().is_some_and(|at| at <= now) {
            stream.handle_timeout(now);
        }
        while let Some(packet) = stream.poll_transmit() {
            if is_rtcp(packet.payload) {
                sent.push((now, packet.channel, packet.payload.to_vec()));
            }
        }
    }
    sent
}

fn stream(change: impl FnOnce(&mut StreamConfig)) -> Stream {
    let agreed = negotiated(&pcmu::SPEC, address(2, 4000));
    let mut config = StreamConfig::new(agreed, "phone@192.0.2.1", Rng::from_u64(5));
    change(&mut config);
    Stream::new(config)
}

fn extended(datagram: &[u8]) -> (Vec<VoipMetrics>, Vec<StatisticsSummary>) {
    let (mut metrics, mut statistics) = (Vec::new(), Vec::new());
    for packet in Compound::parse_reduced(datagram).unwrap().packets() {
        let RtcpPacket::ExtendedReport { blocks, .. } = packet else { continue };
        for block in blocks {
            match block {
                XrBlock::VoipMetrics(block) => metrics.push(block),
                XrBlock::Statistics(block) => statistics.push(block),
                _ => {}
            }
        }
    }
    (metrics, statistics)
}

#[test]
fn extended_reports_are_sent_when_they_are_asked_for_and_say_what_was_lost() {
    let plain = reports(&mut stream(|_| {}), 60, 10);
    assert!(plain.len() > 8 && plain.iter().all(|(.., octets)| extended(octets) == (vec![], vec![])));

    let mut stream = stream(|config| config.negotiated.rtcp_xr = all_reports());
    let sent = reports(&mut stream, 60, 10);
    let (metrics, _) = extended(&sent.last().unwrap().2);
    let [metrics] = metrics[..] else { panic!("{metrics:?}") };
    assert_eq!((metrics.ssrc, metrics.minimum_gap), (77, 16));
    assert!((24..=27).contains(&metrics.loss_rate), "a tenth in 256ths: {metrics:?}");
    // A loss every tenth packet is one burst for all of the call.
    assert!(metrics.burst_density >= 24 && metrics.burst_duration > 40_000, "{metrics:?}");
    assert!(metrics.mos_lq.is_some_and(|mos| (29..40).contains(&mos)), "{metrics:?}");
    // Summaries follow each other without a hole, and add up.
    let summaries: Vec<StatisticsSummary> = sent.iter().flat_map(|(.., octets)| extended(octets).1).collect();
    assert!(summaries.len() + 1 >= sent.len());
    assert!(summaries.windows(2).all(|pair| pair[0].end == pair[1].begin));
    let packets: u32 = summaries.iter().map(|s| u32::from(s.end.wrapping_sub(s.begin))).sum();
    let lost: u32 = summaries.iter().filter_map(|s| s.lost).sum();
    assert!(lost.abs_diff(packets / 10) <= 2, "{lost} of {packets}");
    assert!(summaries.iter().all(|s| s.jitter.is_some_and(|jitter| jitter.maximum == 0)));
}

#[test]
fn every_datagram_begins_with_a_report_and_a_name_unless_less_is_agreed_on() {
    for reduced in [false, true] {
        let mut stream = stream(|config| config.negotiated.rtcp_reduced_size = reduced);
        let sent = reports(&mut stream, 300, 0);
        let named = |octets: &[u8]| {
            let compound = Compound::parse(octets).expect("a report leads it");
            compound.packets().any(|packet| matches!(packet, RtcpPacket::SourceDescription(_)))
        };
        let whole = sent.iter().filter(|(.., octets)| named(octets)).count();
        let expected = if reduced { sent.len().div_ceil(4) } else { sent.len() };
        assert_eq!(whole, expected, "{}", sent.len());
        assert!(sent.iter().all(|(_, channel, _)| *channel == Channel::Rtcp));
    }
}

#[test]
fn what_is_configured_describes_us_now_and_then() {
    let mut stream = stream(|config| {
        config.rtcp.interval = Duration::from_secs(20);
        config.rtcp.items =
            vec![(SdesItem::TOOL, "Sidetone".into()), (SdesItem::NOTE, "in a meeting".into())];
    });
    let sent = reports(&mut stream, 600, 0);
    assert!((24..=38).contains(&sent.len()), "{} reports in 600 s of 20 s", sent.len());
    let texts = |octets: &[u8]| -> Vec<(u8, String)> {
        let packets = Compound::parse(octets).unwrap().packets();
        let items = packets.filter_map(|packet| match packet {
            RtcpPacket::SourceDescription(items) => Some(items),
            _ => None,
        });
        items.flatten().map(|item| (item.kind, String::from_utf8_lossy(item.text).into_owned())).collect()
    };
    for (i, (.., octets)) in sent.iter().enumerate() {
        let texts = texts(octets);
        assert_eq!(texts[0], (SdesItem::CNAME, "phone@192.0.2.1".into()));
        assert_eq!(texts.len(), if i % 3 == 0 { 3 } else { 1 });
    }
}

#[test]
fn who_is_not_to_report_does_not() {
    let silent = reports(&mut stream(|config| config.rtcp.enabled = false), 60, 0);
    assert_eq!(silent, []);
    // b=RS:0 and b=RR:0 (RFC 3556 §2).
    let mut none = stream(|config| {
        config.negotiated.remote_bandwidth.rtcp_senders = Some(0);
        config.negotiated.remote_bandwidth.rtcp_receivers = Some(0);
    });
    assert_eq!(reports(&mut none, 60, 0), []);
    none.close(Instant::from_millis(60_000));
    assert!(none.poll_transmit().is_none() && none.poll_timeout().is_none());
}

/// A call whose phones agreed on something.
fn call(seed: u64, link: LinkConfig, change: impl Fn(&mut sidetone_media::Negotiated)) -> Call {
    let mut call = Call::with(seed, link, change);
    for phone in &mut call.phones {
        phone.mouth = Box::new(|at| sine(1000.0, at));
    }
    call
}

#[test]
fn one_port_carries_both() {
    let mut call = call(1, link(0.0, 30), |agreed| {
        agreed.rtcp_mux = true;
        agreed.remote_rtcp = agreed.remote_rtp;
    });
    // Nothing may leave from or arrive at the second port.
    for phone in &mut call.phones {
        phone.rtcp = address(99, 1);
    }
    call.run(ms(20_000));
    for phone in &call.phones {
        let stats = phone.stream.stats();
        assert!(stats.round_trip.is_some_and(|trip| (ms(55)..ms(75)).contains(&trip)), "{stats:?}");
        assert_eq!(stats.packets_refused, 0, "{stats:?}");
    }
    let now = call.now;
    call.phones[0].stream.close(now);
    call.run(ms(100));
    assert!(call.phones[1].events.contains(&StreamEvent::Bye));
}

#[test]
fn one_who_only_listens_knows_the_round_trip_by_extended_reports() {
    let only_listens = RefCell::new([true, false].into_iter());
    let mut call = call(2, link(0.0, 40), |agreed| {
        let listens = only_listens.borrow_mut().next().unwrap();
        agreed.direction = if listens { Direction::RecvOnly } else { Direction::SendOnly };
        agreed.rtcp_xr = all_reports();
    });
    call.run(ms(40_000));
    let [listener, talker] = call.phones.each_ref().map(|phone| phone.stream.stats());
    assert_eq!((listener.packets_sent, talker.packets_received), (0, 0));
    for stats in [listener, talker] {
        assert!(stats.round_trip.is_some_and(|trip| (ms(78)..ms(105)).contains(&trip)), "{stats:?}");
    }
}

#[test]
fn both_ends_see_the_quality_of_both_directions() {
    // Phone 1 hears well; what phone 2 hears loses 8 %.
    for extended in [false, true] {
        let mut call = call(3, link(0.0, 25), |agreed| {
            if extended {
                agreed.rtcp_xr = all_reports();
            }
        });
        call.set_link(0, link(0.08, 25));
        call.run(ms(60_000));
        let [first, second] = call.phones.each_ref().map(|phone| phone.stream.stats());
        assert!(first.mos() > 4.3 && second.mos() < 4.0, "{} {}", first.mos(), second.mos());
        assert!((6.0..10.0).contains(&second.loss_percent()) && first.loss_percent() == 0.0);
        // What the other end sees by the reports is what this end measured.
        let remote = first.quality.remote.expect("the other side reported");
        let (seen, real) = (remote.mos_lq, second.quality.local.mos_lq);
        assert!((seen - real).abs() < 0.25, "extended: {extended}, {seen} seen, {real} measured");
        assert!((remote.loss - second.quality.local.loss).abs() < 0.015);
        if extended {
            assert!(remote.end_system_delay > ms(20) && remote.buffer_maximum == ms(200), "{remote:?}");
            let report = VqReport::call_term("a@b", &first.quality).to_string();
            let read: VqReport = report.parse().unwrap();
            assert!(
                read.remote.unwrap().loss_rate.is_some_and(|loss| (6.0..10.0).contains(&loss)),
                "{report}"
            );
        }
    }
}

#[test]
fn the_opinion_falls_with_loss_jitter_and_delay() {
    let mos = |loss, jitter, latency| {
        let link = LinkConfig { latency: ms(latency), jitter: ms(jitter), loss, ..LinkConfig::default() };
        let mut call = call(4, link, |_| {});
        call.run(ms(40_000));
        call.phones[1].stream.stats().mos()
    };
    let clean = mos(0.0, 0, 20);
    assert!((4.3..=4.42).contains(&clean), "{clean}");
    let by_loss: Vec<f32> = [0.0, 0.02, 0.05, 0.1, 0.2].map(|loss| mos(loss, 0, 20)).into();
    assert!(by_loss.windows(2).all(|pair| pair[1] < pair[0] - 0.1), "{by_loss:?}");
    let by_delay: Vec<f32> = [20, 150, 300, 450].map(|latency| mos(0.0, 0, latency)).into();
    assert!(by_delay.windows(2).all(|pair| pair[1] < pair[0] - 0.05), "{by_delay:?}");
    assert!(mos(0.0, 80, 20) < clean);
}

#[test]
fn reports_of_reduced_size_and_strange_types_are_taken_though_not_agreed_on() {
    let mut stream = stream(|_| {});
    stream.capture(Instant::from_millis(100), &[0; 160]);
    let ours = sidetone_media::rtp::Packet::parse(stream.poll_transmit().unwrap().payload).unwrap().ssrc;
    let mut buffer = [0; 200];
    let mut writer = sidetone_media::rtcp::Writer::new(&mut buffer);
    writer.application(9, 0, *b"test", &[1]).unwrap();
    let mut report = writer.extended_report(9).unwrap();
    report
        .voip_metrics(&VoipMetrics { ssrc: ours, loss_rate: 64, mos_lq: Some(21), ..VoipMetrics::default() })
        .unwrap();
    let octets = writer.finish();
    stream.handle_rtcp(Instant::from_millis(200), address(2, 4001), &buffer[..octets]);
    let remote = stream.quality().remote.unwrap();
    assert_eq!((remote.loss, remote.mos_lq), (0.25, 2.1));
    assert_eq!(stream.stats().packets_refused, 0);
}
