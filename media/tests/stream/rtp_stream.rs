//! RTP as a stream lives with it: sources, theft, collisions, redundancy, keep-alives.

use crate::common::{Call, address, negotiated, sine};
use core::net::SocketAddr;
use sidetone_codecs::pcmu;
use sidetone_hal::rng::Rng;
use sidetone_hal::sim::LinkConfig;
use sidetone_hal::time::{Duration, Instant};
use sidetone_media::rtcp::{Compound, RtcpPacket};
use sidetone_media::rtp::Packet;
use sidetone_media::sdp::Redundancy;
use sidetone_media::stream::{KeepAlive, KeepAliveKind, SourcePolicy};
use sidetone_media::{Channel, Direction, Stream, StreamConfig, StreamEvent};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn loss(loss: f64) -> LinkConfig {
    LinkConfig { latency: ms(20), loss, ..LinkConfig::default() }
}

fn stream(seed: u64, change: impl FnOnce(&mut StreamConfig)) -> Stream {
    let agreed = negotiated(&pcmu::SPEC, address(2, 4000));
    let mut config = StreamConfig::new(agreed, "phone@192.0.2.1", Rng::from_u64(seed));
    change(&mut config);
    Stream::new(config)
}

/// Packet `index` of source `ssrc`: 20 ms of a sound that is `value` throughout.
fn packet(ssrc: u32, index: u16, value: i16) -> Vec<u8> {
    let mut encoder = pcmu::SPEC.encoder();
    let mut payload = [0; 160];
    encoder.encode(&[value; 160], &mut payload).unwrap();
    let packet = Packet {
        payload_type: 0,
        marker: index == 0,
        sequence: 65_500_u16.wrapping_add(index),
        timestamp: (u32::MAX - 5000).wrapping_add(u32::from(index) * 160),
        ssrc,
        payload: &payload,
    };
    let mut octets = vec![0; 172];
    packet.write(&mut octets).unwrap();
    octets
}

fn transmits(stream: &mut Stream) -> Vec<(Channel, SocketAddr, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(packet) = stream.poll_transmit() {
        all.push((packet.channel, packet.destination, packet.payload.to_vec()));
    }
    all
}

fn events(stream: &mut Stream) -> Vec<StreamEvent> {
    core::iter::from_fn(|| stream.poll_event()).collect()
}

/// Plays 20 ms; the middle sample of it.
fn play(stream: &mut Stream, now: Instant) -> i16 {
    let mut pcm = [0; 80];
    stream.playout(now, &mut pcm);
    stream.playout(now + ms(10), &mut pcm);
    pcm[40]
}

#[test]
fn of_two_sources_on_one_port_one_is_heard_until_it_is_silent_or_says_bye() {
    let mut stream = stream(1, |_| {});
    let from = address(2, 4000);
    let mut heard = Vec::new();
    // Both send for two seconds; the first is heard. Then it stops, and comes back, too late.
    for i in 0..300_u16 {
        let now = at(1000 + u64::from(i) * 20);
        if !(100..200).contains(&i) {
            stream.handle_rtp(now, from, &packet(1, i, 4000));
        }
        if i >= 3 {
            stream.handle_rtp(now + ms(1), from, &packet(2, i, -4000));
        }
        heard.push(play(&mut stream, now + ms(2)));
    }
    let near = |value: i16, wanted: i16| value.abs_diff(wanted) < 300;
    assert!(heard[10..100].iter().all(|sample| near(*sample, 4000)), "{:?}", &heard[..100]);
    assert!(heard[115..].iter().all(|sample| near(*sample, -4000)), "{:?}", &heard[100..]);
    let stats = stream.stats();
    assert!(stats.refusals.other_source > 190, "{stats:?}");
    assert_eq!((stats.packets_lost, stats.packets_late), (0, 0));
    // The one that is heard leaves: the other is heard with its second packet.
    let mut bye = [0; 64];
    let mut writer = sidetone_media::rtcp::Writer::new(&mut bye);
    writer.receiver_report(2, &[]).unwrap();
    writer.bye(2, "").unwrap();
    let octets = writer.finish();
    stream.handle_rtcp(at(7000), address(2, 4001), &bye[..octets]);
    assert!(events(&mut stream).contains(&StreamEvent::Bye));
    for i in 300..303_u16 {
        stream.handle_rtp(at(7000 + u64::from(i)), from, &packet(1, i, 4000));
    }
    let before = stream.stats().packets_received;
    assert!(stream.stats().refusals.other_source - stats.refusals.other_source <= 1);
    stream.handle_rtp(at(7400), from, &packet(1, 303, 4000));
    assert_eq!(stream.stats().packets_received, before + 1);
}

#[test]
fn numbers_and_stamps_pass_their_ends_unheard() {
    let mut stream = stream(2, |_| {});
    // Sequence numbers wrap with packet 36, stamps with packet 31.
    let heard: Vec<i16> = (0..100_u16)
        .map(|i| {
            let now = at(1000 + u64::from(i) * 20);
            stream.handle_rtp(now, address(2, 4000), &packet(9, i, 3000));
            play(&mut stream, now)
        })
        .collect();
    assert!(heard[5..].iter().all(|sample| sample.abs_diff(3000) < 200), "{heard:?}");
    let stats = stream.stats();
    assert_eq!((stats.packets_received, stats.packets_lost, stats.packets_duplicate), (100, 0, 0));
    assert_eq!((stats.concealed, stats.jitter), (Duration::ZERO, Duration::ZERO));
}

#[test]
fn a_collision_is_answered_by_bye_and_another_ssrc() {
    let mut stream = stream(3, |_| {});
    stream.capture(at(0), &[0; 160]);
    let sent = transmits(&mut stream);
    let ours = Packet::parse(&sent[0].2).unwrap().ssrc;
    stream.handle_rtp(at(10), address(2, 4000), &packet(ours, 0, 100));
    let bye = transmits(&mut stream);
    let [(Channel::Rtcp, to, octets)] = &bye[..] else { panic!("{bye:?}") };
    assert_eq!(*to, address(2, 4001));
    let left = Compound::parse(octets).unwrap().packets().any(|packet| match packet {
        RtcpPacket::Bye(bye) => bye.sources().eq([ours]),
        _ => false,
    });
    assert!(left, "{octets:?}");
    stream.capture(at(20), &[0; 160]);
    let sent = transmits(&mut stream);
    let now_ours = Packet::parse(&sent[0].2).unwrap().ssrc;
    assert_ne!(now_ours, ours);
    // Now it is a loop: nothing changes any more.
    stream.handle_rtp(at(30), address(2, 4000), &packet(now_ours, 1, 100));
    assert!(transmits(&mut stream).is_empty());
    stream.capture(at(40), &[0; 160]);
    assert_eq!(Packet::parse(&transmits(&mut stream)[0].2).unwrap().ssrc, now_ours);
    let stats = stream.stats();
    assert_eq!((stats.packets_own_ssrc, stats.packets_sent), (2, 3));
}

#[test]
fn what_is_refused_is_counted_by_its_kind() {
    let mut stream = stream(4, |_| {});
    let (from, mut now) = (address(2, 4000), at(0));
    let mut take = |stream: &mut Stream, source, octets: &[u8]| {
        now += ms(1);
        stream.handle_rtp(now, source, octets);
    };
    take(&mut stream, from, &packet(1, 0, 0));
    take(&mut stream, from, &[0; 20]);
    take(&mut stream, from, &[0x80; 5]);
    take(&mut stream, from, &[]);
    let mut padded = packet(1, 1, 0);
    padded[0] |= 0x20;
    *padded.last_mut().unwrap() = 200;
    take(&mut stream, from, &padded);
    let mut unknown = packet(1, 1, 0);
    unknown[1] = 77;
    take(&mut stream, from, &unknown);
    take(&mut stream, address(9, 9), &packet(1, 1, 0));
    take(&mut stream, from, &packet(5, 1, 0));
    stream.handle_rtcp(now, address(2, 4001), &[1, 2, 3]);
    let stats = stream.stats();
    let r = stats.refusals;
    assert_eq!((r.version, r.truncated, r.padding, r.payload_type), (1, 1, 1, 1), "{r:?}");
    assert_eq!((r.stranger, r.other_source, r.rtcp, r.authentication), (1, 1, 1, 0), "{r:?}");
    assert_eq!((stats.packets_refused, stats.packets_received), (7, 1));
}

#[test]
fn contributing_sources_extensions_and_padding_do_no_harm() {
    let mut stream = stream(5, |_| {});
    let mut heard = Vec::new();
    for i in 0..50_u16 {
        let plain = packet(1, i, 2500);
        let parsed = Packet::parse(&plain).unwrap();
        let mut octets = vec![0; 300];
        let length = parsed.write_with(&[7, 8], Some((0xbede, &[0x10, 0xff, 0, 0])), &mut octets).unwrap();
        octets.truncate(length);
        octets[0] |= 0x20;
        octets.extend([0, 0, 3]);
        let now = at(u64::from(i) * 20);
        stream.handle_rtp(now, address(2, 4000), &octets);
        heard.push(play(&mut stream, now));
    }
    assert!(heard[5..].iter().all(|sample| sample.abs_diff(2500) < 200), "{heard:?}");
    assert_eq!(stream.stats().packets_refused, 0);
}

#[test]
fn packets_of_up_to_200_ms_are_taken() {
    for millis in [10_u16, 40, 100, 200] {
        let mut stream = stream(6, |_| {});
        let samples = usize::from(millis) * 8;
        let mut encoder = pcmu::SPEC.encoder();
        let mut payload = vec![0; samples];
        encoder.encode(&vec![2000; samples], &mut payload).unwrap();
        let mut pcm = [0; 80];
        let mut good = 0;
        for tick in 0..300_u64 {
            let now = at(tick * 10);
            if (tick * 10).is_multiple_of(u64::from(millis)) {
                let index = (tick * 10 / u64::from(millis)) as u16;
                let packet = Packet {
                    payload_type: 0,
                    marker: index == 0,
                    sequence: index,
                    timestamp: u32::from(index) * samples as u32,
                    ssrc: 1,
                    payload: &payload,
                };
                let mut octets = vec![0; 12 + samples];
                packet.write(&mut octets).unwrap();
                stream.handle_rtp(now, address(2, 4000), &octets);
            }
            stream.playout(now, &mut pcm);
            good += usize::from(pcm.iter().all(|sample| sample.abs_diff(2000) < 150));
        }
        let stats = stream.stats();
        assert!(good > 250, "{millis} ms: {good} of 300 frames, {stats:?}");
        assert_eq!((stats.packets_dropped, stats.packets_late), (0, 0), "{millis} ms");
    }
}

#[test]
fn redundancy_makes_losses_good() {
    let run = |generations: Option<u8>, lost: f64| {
        let mut call = Call::with(7, loss(lost), |agreed| {
            agreed.redundancy = generations.map(|generations| Redundancy {
                payload_type: 121,
                receive_payload_type: 121,
                generations,
            });
        });
        call.phones[0].mouth = Box::new(|at| sine(1000.0, at));
        call.run(ms(20_000));
        call.phones[1].stream.stats()
    };
    let (without, one, two) = (run(None, 0.1), run(Some(1), 0.1), run(Some(2), 0.1));
    for (name, stats) in [("none", &without), ("one copy", &one), ("two copies", &two)] {
        println!("{name}: concealed at 10 % loss: {:?}, delay {:?}", stats.concealed, stats.playout_delay);
    }
    // Copies are waited for where they are needed, and nowhere else.
    let (plain, even) = (run(None, 0.0), run(Some(2), 0.0));
    println!(
        "without loss: delay {:?} with two copies, {:?} without",
        even.playout_delay, plain.playout_delay
    );
    assert_eq!(even.playout_delay, plain.playout_delay);
    assert!(without.concealed > ms(1500) && one.concealed < without.concealed / 4, "{one:?}");
    assert!(two.concealed < one.concealed, "{two:?}");
    assert!(one.packets_recovered > 60 && one.packets_lost > 70, "{one:?}");
    // Reports say what the network lost; the quality is that of what is heard.
    assert!(without.loss_percent() > 7.0 && one.loss_percent() < 3.0, "{one:?}");
    assert!(one.mos() > without.mos() + 0.5, "{} {}", one.mos(), without.mos());
}

#[test]
fn digits_are_redundant_too_and_heard_once() {
    for seed in 0..5 {
        let mut call = Call::with(seed, loss(0.15), |agreed| {
            agreed.redundancy =
                Some(Redundancy { payload_type: 121, receive_payload_type: 121, generations: 2 });
        });
        call.phones[0].mouth = Box::new(|at| sine(300.0, at));
        call.run(ms(500));
        let now = call.now;
        assert!("0123456789*#".chars().all(|digit| call.phones[0].stream.send_dtmf(now, digit, ms(100))));
        call.run(ms(5000));
        assert_eq!(call.phones[1].digits(), "0123456789*#", "seed {seed}");
    }
}

#[test]
fn keep_alives_go_out_only_while_nothing_else_does() {
    for kind in [KeepAliveKind::Empty, KeepAliveKind::UnknownPayload(127)] {
        let mut stream = stream(8, |config| config.keep_alive = Some(KeepAlive::new(kind)));
        let run = |stream: &mut Stream, from: u64, to: u64| {
            let mut sent = Vec::new();
            for tick in from / 10..to / 10 {
                let now = at(tick * 10);
                stream.capture(now, &[0; 80]);
                if stream.poll_timeout().is_some_and(|at| at <= now) {
                    stream.handle_timeout(now);
                }
                sent.extend(transmits(stream).into_iter().filter(|(channel, ..)| *channel == Channel::Rtp));
            }
            sent
        };
        assert!(run(&mut stream, 0, 20_000).iter().all(|(.., octets)| octets.len() == 172));
        let mut held = stream.negotiated().clone();
        held.direction = Direction::RecvOnly;
        stream.update(at(20_000), held.clone());
        let alive = run(&mut stream, 20_000, 66_000);
        assert_eq!(alive.len(), 3, "after 15, 30 and 45 s");
        for (_, to, octets) in &alive {
            assert_eq!(*to, address(2, 4000));
            match kind {
                KeepAliveKind::Empty => assert!(octets.is_empty()),
                KeepAliveKind::UnknownPayload(number) => {
                    let packet = Packet::parse(octets).unwrap();
                    assert_eq!((packet.payload_type, packet.payload), (number, &[][..]));
                }
            }
        }
        held.direction = Direction::SendRecv;
        stream.update(at(66_000), held);
        assert!(run(&mut stream, 66_000, 90_000).iter().all(|(.., octets)| octets.len() == 172));
        stream.close(at(90_000));
        transmits(&mut stream);
        assert_eq!(stream.poll_timeout(), None);
    }
}

/// A stranger who sends from the first packet on, at the same time as the peer, after it, in its pauses, with its SSRC.
#[test]
fn a_stream_is_not_stolen() {
    let (peer, thief) = (address(2, 4000), SocketAddr::new([198, 51, 100, 66].into(), 4000));
    for (name, policy, peer_begins, pause) in [
        ("the thief is first", SourcePolicy::Learn, 200_u16, 0..0_u16),
        ("both begin", SourcePolicy::Learn, 0, 0..0),
        ("the peer pauses for 5 s", SourcePolicy::Learn, 0, 200..450),
        ("only SDP counts", SourcePolicy::Strict, 500, 0..0),
    ] {
        let mut stream = stream(9, |config| config.latch.policy = policy);
        let mut last = 0;
        for i in 0..600_u16 {
            let now = at(u64::from(i) * 20);
            stream.handle_rtp(now, thief, &packet(66, i, -5000));
            if i >= peer_begins && !pause.contains(&i) {
                stream.handle_rtp(now + ms(1), peer, &packet(1, i, 5000));
            }
            last = play(&mut stream, now + ms(2));
            if pause.contains(&i) {
                assert!(last > -1000, "{name}: the thief is heard at {i}");
            }
        }
        assert!(last.abs_diff(5000) < 400, "{name}: {last} is heard");
        stream.capture(at(13_000), &[0; 160]);
        assert_eq!(transmits(&mut stream)[0].1, peer, "{name}");
        assert!(stream.stats().refusals.stranger >= 350, "{name}: {:?}", stream.stats().refusals);
    }
}

#[test]
fn a_peer_whose_nat_forgets_is_found_again_within_a_second() {
    let mut stream = stream(10, |_| {});
    let moved = SocketAddr::new([203, 0, 113, 5].into(), 31_000);
    for i in 0..500_u16 {
        let source = if i < 300 { address(2, 4000) } else { moved };
        stream.handle_rtp(at(u64::from(i) * 20), source, &packet(1, i, 1000));
    }
    assert!(events(&mut stream).contains(&StreamEvent::RemoteChanged { address: moved }));
    assert!(stream.stats().refusals.stranger < 60);
}
