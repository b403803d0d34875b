//! G.722, 20 ms of speech at a time, beside the crate `audio-codec` and spandsp.

use audio_codec::g722::{G722Decoder, G722Encoder};
use audio_codec::{Decoder as _, Encoder as _};
use core::hint::black_box;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sidetone_benches::peer::spandsp;
use sidetone_benches::speech::{Frames, speech};
use sidetone_codecs::g722;

/// Samples and octets in 20 ms.
const SAMPLES: usize = 320;
const OCTETS: usize = 160;

fn encode(criterion: &mut Criterion) {
    let pcm = speech(16_000);
    let mut group = criterion.benchmark_group("g722/encode");
    group.throughput(Throughput::Elements(SAMPLES as u64));
    let mut out = [0; OCTETS];

    let (mut encoder, mut frames) = (g722::Encoder::new(), Frames::new(&pcm, SAMPLES));
    group.bench_function("sidetone", |b| b.iter(|| encoder.encode_pairs(black_box(frames.next()), &mut out)));
    let (mut encoder, mut frames) = (G722Encoder::new(), Frames::new(&pcm, SAMPLES));
    group.bench_function("audio-codec", |b| {
        b.iter(|| encoder.encode_into(black_box(frames.next()), &mut out).expect("room"));
    });
    if let Some(mut encoder) = spandsp::G722Encoder::new(64_000) {
        let mut frames = Frames::new(&pcm, SAMPLES);
        group.bench_function("spandsp", |b| b.iter(|| encoder.encode(black_box(frames.next()), &mut out)));
    }
    group.finish();
}

fn decode(criterion: &mut Criterion) {
    let pcm = speech(16_000);
    let mut codes = vec![0; pcm.len() / 2];
    g722::Encoder::new().encode_pairs(&pcm, &mut codes);
    let mut at = (0..codes.len() / OCTETS).cycle();
    let mut next = || &codes[at.next().expect("it never ends") * OCTETS..][..OCTETS];
    let mut group = criterion.benchmark_group("g722/decode");
    group.throughput(Throughput::Elements(SAMPLES as u64));
    let mut out = [0; SAMPLES];

    let mut decoder = g722::Decoder::new();
    group.bench_function("sidetone", |b| b.iter(|| decoder.decode_pairs(black_box(next()), &mut out)));
    let mut decoder = G722Decoder::new();
    group.bench_function("audio-codec", |b| {
        b.iter(|| decoder.decode_into(black_box(next()), &mut out).expect("room"));
    });
    if let Some(mut decoder) = spandsp::G722Decoder::new(64_000) {
        group.bench_function("spandsp", |b| b.iter(|| decoder.decode(black_box(next()), &mut out)));
    }
    group.finish();
}

/// Concealment alone: its first 20 ms, with the analysis, which is the most that a call costs.
fn conceal(criterion: &mut Criterion) {
    let pcm = speech(16_000);
    let mut codes = vec![0; pcm.len() / 2];
    g722::Encoder::new().encode_pairs(&pcm, &mut codes);
    let mut decoder = g722::Decoder::new();
    let mut out = vec![0; 2 * codes.len()];
    decoder.decode_pairs(&codes[..codes.len() / 2], &mut out);
    let mut group = criterion.benchmark_group("g722/conceal");
    group.throughput(Throughput::Elements(SAMPLES as u64));
    group.bench_function("sidetone", |b| {
        b.iter_batched_ref(
            || decoder.clone(),
            |decoder| decoder.conceal_pairs(&mut out[..SAMPLES]),
            criterion::BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// Eight channels, 20 ms of each: one by one and together.
fn many(criterion: &mut Criterion) {
    const CHANNELS: usize = 8;
    let pcm = speech(16_000);
    let mut codes = vec![0; pcm.len() / 2];
    g722::Encoder::new().encode_pairs(&pcm, &mut codes);
    // Each channel says something else.
    let pcm: Vec<&[i16]> = pcm.chunks_exact(SAMPLES).skip(50).step_by(7).take(CHANNELS).collect();
    let codes: Vec<&[u8]> = codes.chunks_exact(OCTETS).skip(50).step_by(7).take(CHANNELS).collect();
    let mut group = criterion.benchmark_group("g722/many");
    group.throughput(Throughput::Elements((CHANNELS * SAMPLES) as u64));

    let mut encoders = vec![g722::Encoder::new(); CHANNELS];
    let mut out = vec![[0; OCTETS]; CHANNELS];
    group.bench_function("encode one by one", |b| {
        b.iter(|| {
            for ((encoder, pcm), out) in encoders.iter_mut().zip(&pcm).zip(&mut out) {
                encoder.encode_pairs(black_box(pcm), out);
            }
        });
    });
    let mut out: Vec<&mut [u8]> = out.iter_mut().map(<[u8; OCTETS]>::as_mut_slice).collect();
    group.bench_function("encode_many", |b| {
        b.iter(|| g722::encode_many(&mut encoders, black_box(&pcm), &mut out));
    });

    let mut decoders = vec![g722::Decoder::new(); CHANNELS];
    let mut out = vec![[0; SAMPLES]; CHANNELS];
    group.bench_function("decode one by one", |b| {
        b.iter(|| {
            for ((decoder, codes), out) in decoders.iter_mut().zip(&codes).zip(&mut out) {
                decoder.decode_pairs(black_box(codes), out);
            }
        });
    });
    let mut out: Vec<&mut [i16]> = out.iter_mut().map(<[i16; SAMPLES]>::as_mut_slice).collect();
    group.bench_function("decode_many", |b| {
        b.iter(|| g722::decode_many(&mut decoders, black_box(&codes), &mut out));
    });
    group.finish();
}

criterion_group!(benches, encode, decode, conceal, many);
criterion_main!(benches);
