//! iLBC beside libilbc and FFmpeg's decoder: 20 ms of speech an iteration, and 30 ms in the groups that say
//! so.
//!
//! Sidetone computes in floating point, the same bits as the code of RFC 3951; both peers in fixed point.
//! FFmpeg's decoder has no enhancer, so it stands beside ours without it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark stops on what should not happen"
)]

use core::hint::black_box;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sidetone_benches::peer::{avcodec, ilbc as peer};
use sidetone_benches::speech::{Frames, speech};
use sidetone_codecs::ilbc::{Decoder, Encoder, Mode};
use sidetone_codecs::{Decoder as _, Encoder as _};

fn ilbc(criterion: &mut Criterion) {
    for (mode, millis, suffix) in [(Mode::Ms20, 20, ""), (Mode::Ms30, 30, " 30 ms")] {
        encode(criterion, mode, millis, &format!("ilbc/encode{suffix}"));
        decode(criterion, mode, millis, &format!("ilbc/decode{suffix}"));
    }
}

fn encode(criterion: &mut Criterion, mode: Mode, millis: u8, name: &str) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(mode.samples() as u64));
    let pcm = speech(8000);
    let mut out = [0; 50];

    let (mut frames, mut encoder) = (Frames::new(&pcm, mode.samples()), Encoder::new(mode));
    group.bench_function("sidetone", |b| {
        b.iter(|| encoder.encode(black_box(frames.next()), &mut out).expect("a frame"));
    });
    if let Some(mut encoder) = peer::Encoder::new(millis) {
        let mut frames = Frames::new(&pcm, mode.samples());
        group.bench_function("libilbc", |b| {
            b.iter(|| assert_eq!(encoder.encode(black_box(frames.next()), &mut out), mode.octets()));
        });
    }
    group.finish();
}

fn decode(criterion: &mut Criterion, mode: Mode, millis: u8, name: &str) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(mode.samples() as u64));
    let mut bits = vec![0; speech(8000).len() / mode.samples() * mode.octets()];
    let pcm = speech(8000);
    let whole = &pcm[..pcm.len() / mode.samples() * mode.samples()];
    Encoder::new(mode).encode(whole, &mut bits).expect("whole frames");
    let mut payloads = bits.chunks_exact(mode.octets()).cycle();
    let mut payload = || payloads.next().expect("they never end");
    let mut out = [0; 240];

    for (id, enhance) in [("sidetone", true), ("sidetone without enhancer", false)] {
        let mut decoder = Decoder::new(mode).enhancer(enhance);
        group.bench_function(id, |b| {
            b.iter(|| decoder.decode(black_box(payload()), &mut out).expect("a frame"));
        });
    }
    if let Some(mut decoder) = peer::Decoder::new(millis) {
        group.bench_function("libilbc", |b| {
            b.iter(|| assert_eq!(decoder.decode(black_box(payload()), &mut out), mode.samples()));
        });
    }
    if let Some(mut decoder) = avcodec::IlbcDecoder::new(millis) {
        group.bench_function("FFmpeg, without enhancer", |b| {
            b.iter(|| assert_eq!(decoder.decode(black_box(payload()), &mut out), mode.samples()));
        });
    }
    group.finish();
}

criterion_group!(benches, ilbc);
criterion_main!(benches);
