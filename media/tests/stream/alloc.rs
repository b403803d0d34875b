//! In steady state a stream allocates nothing, whatever the network does.

use crate::common::{address, negotiated, sine};
use sidetone_codecs::pcmu;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use sidetone_media::dtmf::Suppressor;
use sidetone_media::{Channel, Stream, StreamConfig};

/// Passes 10 ms in both directions; every 20th packet is lost, every 15th comes twice.
fn pass(streams: &mut [Stream; 2], now: Instant, tick: u64) {
    let captured: [i16; 80] = core::array::from_fn(|i| sine(440.0, tick * 80 + i as u64));
    for stream in streams.iter_mut() {
        stream.capture(now, &captured);
        stream.playout(now, &mut [0; 80]);
        if stream.poll_timeout().is_some_and(|at| at <= now) {
            stream.handle_timeout(now);
        }
    }
    for (from, to) in [(0, 1), (1, 0)] {
        let mut octets = [0; 1500];
        while let Some(packet) = streams[from].poll_transmit() {
            let (channel, length) = (packet.channel, packet.payload.len());
            octets[..length].copy_from_slice(packet.payload);
            let source = address(from as u8 + 1, if channel == Channel::Rtp { 4000 } else { 4001 });
            let times = if tick / 2 % 20 == 7 { 0 } else { 1 + usize::from(tick / 2 % 15 == 3) };
            for _ in 0..times {
                match channel {
                    Channel::Rtp => streams[to].handle_rtp(now, source, &octets[..length]),
                    Channel::Rtcp => streams[to].handle_rtcp(now, source, &octets[..length]),
                }
            }
        }
        while streams[to].poll_event().is_some() {}
    }
}

#[test]
fn a_minute_of_a_call_allocates_nothing() {
    a_minute(|_| {});
    // Digits in the speech, sent and heard.
    a_minute(|config| config.negotiated.dtmf_payload_type = None);
    a_minute(|config| config.dtmf.suppress = Some(Suppressor::LOOKAHEAD));
}

fn a_minute(change: impl Fn(&mut StreamConfig)) {
    let stream = |other, seed| {
        let agreed = negotiated(&pcmu::SPEC, address(other, 4000));
        let mut config = StreamConfig::new(agreed, "phone@192.0.2.1", Rng::from_u64(seed));
        change(&mut config);
        Stream::new(config)
    };
    let mut streams = [stream(2, 1), stream(1, 2)];
    let mut now = Instant::from_millis(1000);
    let mut run = |streams: &mut [Stream; 2], ticks: core::ops::Range<u64>| {
        for tick in ticks {
            now += Duration::from_millis(10);
            if tick % 100 == 50 {
                assert!(streams[0].send_dtmf(now, '5', Duration::from_millis(80)));
            }
            pass(streams, now, tick);
        }
    };
    run(&mut streams, 0..100);
    let counted = allocation_counter::measure(|| run(&mut streams, 100..6100));
    assert_eq!((counted.count_total, counted.bytes_total), (0, 0), "{counted:?}");
    let stats = streams[1].stats();
    assert!(
        stats.packets_received > 2800 && stats.packets_lost > 50 && stats.packets_duplicate > 50,
        "{stats:?}"
    );
    assert!(stats.round_trip.is_some() && stats.concealed > Duration::from_millis(500), "{stats:?}");
    // The counter counts.
    assert_eq!(allocation_counter::measure(|| drop(core::hint::black_box(vec![0_u8; 10]))).count_total, 1);
}
