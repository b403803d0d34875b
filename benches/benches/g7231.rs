//! G.723.1, beside libavcodec (FFmpeg), which encodes at 6.3 kbit/s only. A frame of 30 ms an iteration, and
//! so the throughput counts 240 samples.

#![allow(clippy::expect_used, reason = "a benchmark stops on what should not happen")]

use core::hint::black_box;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sidetone_benches::peer::avcodec;
use sidetone_benches::speech::{Frames, speech};
use sidetone_codecs::g7231::{Decoder, Encoder, FRAME, FrameType, Rate, Settings};

const CASES: [(&str, Settings); 4] = [
    ("6.3", Settings { rate: Rate::High, vad: false, high_pass: true }),
    ("6.3-vad", Settings { rate: Rate::High, vad: true, high_pass: true }),
    ("5.3", Settings { rate: Rate::Low, vad: false, high_pass: true }),
    ("5.3-vad", Settings { rate: Rate::Low, vad: true, high_pass: true }),
];

fn encode(criterion: &mut Criterion) {
    let pcm = speech(8000);
    let mut group = criterion.benchmark_group("g7231/encode");
    group.throughput(Throughput::Elements(FRAME as u64));
    for (name, settings) in CASES {
        group.bench_function(BenchmarkId::new("sidetone", name), |bencher| {
            let mut frames = Frames::new(&pcm, FRAME);
            let mut encoder = Encoder::new(settings);
            let mut out = [0; 24];
            bencher.iter(|| {
                let frame = frames.next().first_chunk().expect("a whole frame");
                encoder.encode_frame(black_box(frame), black_box(&mut out))
            });
        });
        if name != "6.3" {
            continue;
        }
        let Some(mut encoder) = avcodec::G7231Encoder::new() else { continue };
        group.bench_function(BenchmarkId::new("avcodec", name), |bencher| {
            let mut frames = Frames::new(&pcm, FRAME);
            let mut out = [0; 24];
            bencher.iter(|| {
                let frame = frames.next().first_chunk().expect("a whole frame");
                let octets = encoder.encode(black_box(frame), black_box(&mut out));
                assert_eq!(octets, 24, "octets of a frame");
            });
        });
    }
}

fn decode(criterion: &mut Criterion) {
    let pcm = speech(8000);
    let mut group = criterion.benchmark_group("g7231/decode");
    group.throughput(Throughput::Elements(FRAME as u64));
    for (name, settings) in CASES {
        let stream = encoded(settings, &pcm);
        group.bench_function(BenchmarkId::new("sidetone", name), |bencher| {
            let mut frames = stream.iter().cycle();
            let mut decoder = Decoder::new(true);
            let mut out = [0; FRAME];
            bencher.iter(|| {
                let frame = frames.next().expect("it never ends");
                decoder.decode_frame(black_box(frame), black_box(&mut out)).expect("a whole frame")
            });
        });
        let Some(mut decoder) = avcodec::G7231Decoder::new() else { continue };
        group.bench_function(BenchmarkId::new("avcodec", name), |bencher| {
            let mut frames = stream.iter().cycle();
            let mut out = [0; FRAME];
            bencher.iter(|| {
                let frame = frames.next().expect("it never ends");
                let samples = decoder.decode(black_box(frame), black_box(&mut out));
                assert_eq!(samples, FRAME, "samples of a frame");
            });
        });
    }
}

fn encoded(settings: Settings, pcm: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(settings);
    let frames = pcm.as_chunks::<FRAME>().0.iter();
    frames
        .map(|frame| {
            let mut out = [0; FrameType::High.octets()];
            let frame_type = encoder.encode_frame(frame, &mut out);
            out[..frame_type.octets()].to_vec()
        })
        .collect()
}

criterion_group!(benches, encode, decode);
criterion_main!(benches);
