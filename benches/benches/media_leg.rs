//! 20 ms of one leg, both ways: a packet in, 20 ms to the ear, 20 ms from the microphone, a packet out; with the jitter
//! buffer, reports and meters, plain and encrypted. Beside it what of that is the codec's, and single steps of it.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark stops on what should not happen")]

use core::hint::black_box;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sidetone_codecs::{Decoder, Encoder, pcmu};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_media::rtp::Packet;
use sidetone_media::srtp::{MasterKey, Outbound, SrtpConfig, SrtpKeys, Suite};
use sidetone_media::{Negotiated, Stream, StreamConfig};

const FRAME: usize = 160;

/// A second of speech-like sound.
fn speech() -> Vec<i16> {
    let tone = |n: usize, hertz: f64| (n as f64 * hertz * core::f64::consts::TAU / 8000.0).sin();
    let sample = |n: usize| 5000.0 * (tone(n, 180.0) + 0.5 * tone(n, 1210.0)) * tone(n, 2.0).abs();
    (0..50 * FRAME).map(|n| sample(n) as i16).collect()
}

struct Leg {
    now: Instant,
    stream: Stream,
    /// Encrypts what the other side sends.
    far: Option<Outbound>,
    remote: SocketAddr,
    number: usize,
    microphone: Vec<i16>,
    coded: Vec<u8>,
    ear: [i16; FRAME / 2],
}

impl Leg {
    fn new(suite: Option<Suite>) -> Self {
        let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, 4000));
        let mut rng = Rng::from_u64(3);
        let keys = suite.map(|suite| SrtpKeys {
            send: MasterKey::random(suite, &mut rng),
            receive: MasterKey::random(suite, &mut rng),
        });
        let negotiated = Negotiated::new(&pcmu::SPEC, 0, remote);
        let mut config = StreamConfig::new(negotiated, "bench@127.0.0.1", Rng::from_u64(1));
        config.srtp.clone_from(&keys);
        let microphone = speech();
        let mut coded = vec![0; microphone.len()];
        pcmu::encode_slice(&microphone, &mut coded);
        let far = keys.map(|keys| Outbound::new(&keys.receive, &SrtpConfig::default()));
        let now = Instant::from_millis(1000);
        let stream = Stream::new(config);
        let mut leg = Self { now, stream, far, remote, number: 0, microphone, coded, ear: [0; 80] };
        for _ in 0..200 {
            let (datagram, length) = leg.datagram();
            leg.pass(&datagram[..length]);
        }
        let stats = leg.stream.stats();
        assert!(stats.packets_received > 190 && stats.packets_sent > 190, "{stats:?}");
        leg
    }

    /// The next packet of the other side.
    fn datagram(&mut self) -> ([u8; 300], usize) {
        self.number += 1;
        let (sequence, timestamp) = (self.number as u16, (self.number * FRAME) as u32);
        let payload = &self.coded[self.number % 50 * FRAME..][..FRAME];
        let packet = Packet { payload_type: 0, marker: false, sequence, timestamp, ssrc: 7, payload };
        let mut datagram = [0; 300];
        let length = packet.write(&mut datagram).unwrap();
        let length = match &mut self.far {
            Some(far) => far.protect_rtp(&mut datagram, length).unwrap(),
            None => length,
        };
        (datagram, length)
    }

    fn pass(&mut self, datagram: &[u8]) {
        self.stream.handle_rtp(self.now, self.remote, datagram);
        for half in 0..2 {
            self.now += Duration::from_millis(10);
            let at = (self.number % 50 * 2 + half) * 80;
            self.stream.capture(self.now, &self.microphone[at..at + 80]);
            self.stream.playout(self.now, &mut self.ear);
            if self.stream.poll_timeout().is_some_and(|at| at <= self.now) {
                self.stream.handle_timeout(self.now);
            }
            while let Some(packet) = self.stream.poll_transmit() {
                black_box(packet);
            }
            while self.stream.poll_event().is_some() {}
            black_box(&self.ear);
        }
    }
}

fn media_leg(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("media leg, PCMU both ways, 20 ms");
    let suites = [
        ("plain", None),
        ("AES_CM_128_HMAC_SHA1_80", Some(Suite::AES_CM_128_HMAC_SHA1_80)),
        ("AEAD_AES_128_GCM", Some(Suite::AEAD_AES_128_GCM)),
    ];
    for (name, suite) in suites {
        let leg = core::cell::RefCell::new(Leg::new(suite));
        group.bench_function(name, |b| {
            b.iter_batched(
                || leg.borrow_mut().datagram(),
                |(datagram, length)| leg.borrow_mut().pass(&datagram[..length]),
                BatchSize::NumIterations(1),
            );
        });
    }
    let (pcm, mut codes) = (speech(), [0; FRAME]);
    let (mut encoder, mut decoder, mut out) = (pcmu::Encoder::new(), pcmu::Decoder::new(), [0; FRAME]);
    group.bench_function("of it the codec", |b| {
        b.iter(|| {
            encoder.encode(black_box(&pcm[..FRAME]), &mut codes).unwrap();
            decoder.decode(black_box(&codes), &mut out).unwrap();
            black_box(&out);
        });
    });
    group.finish();
}

criterion_group!(benches, media_leg);
criterion_main!(benches);
