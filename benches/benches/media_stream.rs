//! 20 ms of a call: microphone to packet at one stream, packet to ear at another, jitter buffer included.

#![allow(clippy::expect_used, reason = "a benchmark stops on what should not happen")]

use core::hint::black_box;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use criterion::{Criterion, criterion_group, criterion_main};
use sidetone_codecs::{CodecSpec, pcma, pcmu};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_media::{Channel, Negotiated, Stream, StreamConfig};

const TEN_MS: Duration = Duration::from_millis(10);

struct Call {
    now: Instant,
    near: Stream,
    far: Stream,
    near_address: SocketAddr,
    datagram: Vec<u8>,
    microphone: Vec<i16>,
    ear: Vec<i16>,
}

impl Call {
    fn new(codec: &'static CodecSpec, payload_type: u8) -> Self {
        let [near_address, far_address] =
            [4000, 5000].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let stream = |remote, seed| {
            let negotiated = Negotiated::new(codec, payload_type, remote);
            Stream::new(StreamConfig::new(negotiated, "bench@127.0.0.1", Rng::from_u64(seed)))
        };
        let mut call = Self {
            now: Instant::ZERO,
            near: stream(far_address, 1),
            far: stream(near_address, 2),
            near_address,
            datagram: Vec::with_capacity(1500),
            microphone: (0..80).map(|n| n * 400 - 16_000).collect(),
            ear: vec![0; 80],
        };
        // Past the jitter buffer's start: the steady state is what counts.
        for _ in 0..100 {
            call.pass_20_ms();
        }
        let stats = call.far.stats();
        assert!(stats.packets_received > 90, "no audio passed: {stats:?}");
        call
    }

    fn pass_20_ms(&mut self) {
        for _ in 0..2 {
            self.now += TEN_MS;
            self.near.capture(self.now, &self.microphone);
            while let Some(transmit) = self.near.poll_transmit() {
                if transmit.channel == Channel::Rtp {
                    self.datagram.clear();
                    self.datagram.extend_from_slice(transmit.payload);
                }
            }
            if !self.datagram.is_empty() {
                self.far.handle_rtp(self.now, self.near_address, &self.datagram);
                self.datagram.clear();
            }
            self.far.playout(self.now, &mut self.ear);
            while self.far.poll_transmit().is_some() {}
            while self.far.poll_event().is_some() {}
            black_box(&self.ear);
        }
    }
}

fn media_stream(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("media stream, 20 ms end to end");
    for (codec, payload_type) in [(&pcmu::SPEC, 0), (&pcma::SPEC, 8)] {
        let mut call = Call::new(codec, payload_type);
        group.bench_function(codec.name, |b| b.iter(|| call.pass_20_ms()));
    }
    group.finish();
}

criterion_group!(benches, media_stream);
criterion_main!(benches);
