//! G.711, one frame of 20 ms at a time, as the media stream uses it.

#![allow(clippy::expect_used, reason = "a benchmark stops on what should not happen")]

use core::hint::black_box;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sidetone_codecs::{Decoder, Encoder, pcma, pcmu};

const FRAME: usize = 160;

fn g711(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("G.711, 20 ms");
    group.throughput(Throughput::Elements(FRAME as u64));
    // Every value range of the companding curves is in a frame: a ramp over the whole 16 bits.
    let pcm: [i16; FRAME] = core::array::from_fn(|n| (n as i32 * 409 - 32_600) as i16);
    let codes: [u8; FRAME] = core::array::from_fn(|n| n as u8);

    let mut encoders: [(&str, Box<dyn Encoder>); 2] =
        [("PCMU", Box::new(pcmu::Encoder::new())), ("PCMA", Box::new(pcma::Encoder::new()))];
    for (name, encoder) in &mut encoders {
        let mut out = [0; FRAME];
        group.bench_function(format!("encode {name}"), |b| {
            b.iter(|| encoder.encode(black_box(&pcm), &mut out).expect("room for a frame"));
        });
    }
    let mut decoders: [(&str, Box<dyn Decoder>); 2] =
        [("PCMU", Box::new(pcmu::Decoder::new())), ("PCMA", Box::new(pcma::Decoder::new()))];
    for (name, decoder) in &mut decoders {
        let mut out = [0; FRAME];
        group.bench_function(format!("decode {name}"), |b| {
            b.iter(|| decoder.decode(black_box(&codes), &mut out).expect("room for a frame"));
        });
    }
    group.finish();
}

criterion_group!(benches, g711);
criterion_main!(benches);
