//! With redundancy, extended reports, several sources and keep-alives a stream still allocates nothing in steady state.

use crate::common::{address, negotiated, sine};
use sidetone_codecs::pcmu;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use sidetone_media::rtp::Packet;
use sidetone_media::sdp::{Redundancy, RtcpXr};
use sidetone_media::stream::{KeepAlive, KeepAliveKind};
use sidetone_media::{Channel, Stream, StreamConfig};

fn stream(other: u8, seed: u64) -> Stream {
    let mut agreed = negotiated(&pcmu::SPEC, address(other, 4000));
    agreed.rtcp_xr = RtcpXr::parse("rcvr-rtt=all stat-summary voip-metrics");
    agreed.rtcp_mux = true;
    agreed.remote_rtcp = agreed.remote_rtp;
    agreed.redundancy = Some(Redundancy { payload_type: 121, receive_payload_type: 121, generations: 2 });
    let mut config = StreamConfig::new(agreed, "phone@192.0.2.1", Rng::from_u64(seed));
    config.keep_alive = Some(KeepAlive::new(KeepAliveKind::UnknownPayload(127)));
    Stream::new(config)
}

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
            assert_eq!(packet.channel, Channel::Rtp, "one port carries both");
            let length = packet.payload.len();
            octets[..length].copy_from_slice(packet.payload);
            if tick / 2 % 10 != 7 {
                streams[to].handle_rtp(now, address(from as u8 + 1, 4000), &octets[..length]);
            }
        }
        // Another source, and another stranger, all the time.
        let packet = Packet {
            payload_type: 0,
            marker: false,
            sequence: tick as u16,
            timestamp: tick as u32 * 80,
            ssrc: tick as u32,
            payload: &[0; 80],
        };
        let length = packet.write(&mut octets).unwrap();
        streams[to].handle_rtp(now, address(from as u8 + 1, 4000), &octets[..length]);
        streams[to].handle_rtp(now, address(66, 4000), &octets[..length]);
        while streams[to].poll_event().is_some() {}
    }
}

#[test]
fn a_minute_of_a_call_with_everything_allocates_nothing() {
    let mut streams = [stream(2, 1), stream(1, 2)];
    let mut now = Instant::from_millis(1000);
    let mut run = |streams: &mut [Stream; 2], ticks: core::ops::Range<u64>| {
        for tick in ticks {
            now += Duration::from_millis(10);
            pass(streams, now, tick);
        }
    };
    run(&mut streams, 0..100);
    let counted = allocation_counter::measure(|| run(&mut streams, 100..6100));
    assert_eq!((counted.count_total, counted.bytes_total), (0, 0), "{counted:?}");
    let stats = streams[1].stats();
    assert!(stats.packets_recovered > 200 && stats.packets_lost > 250, "{stats:?}");
    assert!(stats.quality.remote.is_some_and(|remote| remote.buffer_maximum > Duration::ZERO), "{stats:?}");
    assert!(stats.refusals.other_source > 5000 && stats.refusals.stranger > 5000, "{stats:?}");
}
