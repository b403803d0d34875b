//! G.726 at its four rates, 20 ms of speech at a time; beside spandsp.

use core::hint::black_box;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sidetone_benches::peer::spandsp::{G726Decoder, G726Encoder};
use sidetone_benches::speech::{Frames, speech};
use sidetone_codecs::g726::{Decoder, Encoder, Order, Rate};
use sidetone_codecs::{Decoder as _, Encoder as _};

const FRAME: usize = 160;
const RATES: [(Rate, u32); 4] =
    [(Rate::Kbit32, 32), (Rate::Kbit16, 16), (Rate::Kbit24, 24), (Rate::Kbit40, 40)];

fn encode(criterion: &mut Criterion) {
    let pcm = speech(8000);
    for (rate, kbit) in RATES {
        let mut group = criterion.benchmark_group(format!("g726-{kbit}/encode"));
        group.throughput(Throughput::Elements(FRAME as u64));
        let mut out = [0; 100];
        let mut frames = Frames::new(&pcm, FRAME);
        let mut encoder = Encoder::new(rate, Order::Rfc3551);
        group.bench_function("sidetone", |b| b.iter(|| encoder.encode(black_box(frames.next()), &mut out)));
        let Some(mut peer) = G726Encoder::new(kbit * 1000) else { continue };
        group.bench_function("spandsp", |b| b.iter(|| peer.encode(black_box(frames.next()), &mut out)));
    }
}

fn decode(criterion: &mut Criterion) {
    let pcm = speech(8000);
    for (rate, kbit) in RATES {
        let mut group = criterion.benchmark_group(format!("g726-{kbit}/decode"));
        group.throughput(Throughput::Elements(FRAME as u64));
        let mut stream = vec![0; pcm.len()];
        let encoded =
            Encoder::new(rate, Order::Rfc3551).encode(&pcm, &mut stream).map_or(0, |encoded| encoded.octets);
        stream.truncate(encoded);
        let mut out = [0; FRAME];
        let mut payloads = stream.chunks_exact(20 * rate.bits()).cycle();
        let mut next = || payloads.next().unwrap_or_default();
        let mut decoder = Decoder::new(rate, Order::Rfc3551);
        group.bench_function("sidetone", |b| b.iter(|| decoder.decode(black_box(next()), &mut out)));
        let Some(mut peer) = G726Decoder::new(kbit * 1000) else { continue };
        group.bench_function("spandsp", |b| b.iter(|| peer.decode(black_box(next()), &mut out)));
    }
}

criterion_group!(benches, encode, decode);
criterion_main!(benches);
